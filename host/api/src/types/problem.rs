use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What went wrong, for programs: stable, never reworded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request has no key.
    NoKey,
    /// The key is not one of ours.
    WrongKey,
    /// Too many wrong keys from this address.
    TooManyFailures,
    /// The key's role does not allow this.
    RoleTooLow,
    /// The key is for several tenants and the request does not say which.
    TenantNotGiven,
    /// No such path.
    NoSuchPath,
    /// The path does not take this method.
    MethodNotAllowed,
    /// No such tenant, or not yours.
    NoSuchTenant,
    /// No such session, or not yours.
    NoSuchSession,
    /// The session has ended.
    SessionEnded,
    /// No such strategy.
    NoSuchStrategy,
    /// No such version of the strategy.
    NoSuchVersion,
    /// The version carries no source.
    NoSource,
    /// The request cannot be understood.
    BadRequest,
    /// The name cannot be one.
    BadName,
    /// A media type that this path does not take.
    MediaType,
    /// The body, event or file is larger than allowed.
    TooLarge,
    /// The body ended before its announced length.
    Truncated,
    /// The session could not be started.
    NotStarted,
    /// The document has errors; see `diagnostics`.
    DocumentErrors,
    /// The component cannot run here.
    ComponentRefused,
    /// The state of the object does not allow this.
    Conflict,
    /// A queue is full; try again.
    QueueFull,
    /// Too many requests at once; try again.
    Overloaded,
    /// This server does not serve now: backup, starting or draining.
    NotServing,
    /// The session lives on another node; follow `Location`.
    OtherNode,
    /// The strategy did not answer in time.
    NoReply,
    /// The strategy's answer cannot be sent.
    BadReply,
    /// The request took too long.
    Timeout,
    /// A fault of the server.
    Internal,
}

impl Code {
    /// HTTP status that goes with it.
    pub fn status(self) -> u16 {
        use Code::*;
        match self {
            NoKey | WrongKey => 401,
            TooManyFailures => 429,
            RoleTooLow => 403,
            TenantNotGiven | BadRequest | BadName | Truncated | NotStarted => 400,
            NoSuchPath | NoSuchTenant | NoSuchSession | SessionEnded | NoSuchStrategy | NoSuchVersion | NoSource => 404,
            MethodNotAllowed => 405,
            MediaType => 415,
            TooLarge => 413,
            DocumentErrors | ComponentRefused => 422,
            Conflict => 409,
            QueueFull | Overloaded | NotServing => 503,
            OtherNode => 307,
            NoReply | Timeout => 504,
            BadReply => 502,
            Internal => 500,
        }
    }

    /// One line for people, the same for every occurrence (RFC 9457, section 3.1.3).
    pub fn title(self) -> &'static str {
        use Code::*;
        match self {
            NoKey => "An API key is needed",
            WrongKey => "The API key is not valid",
            TooManyFailures => "Too many wrong API keys",
            RoleTooLow => "The key's role does not allow this",
            TenantNotGiven => "The tenant is not clear",
            NoSuchPath => "No such path",
            MethodNotAllowed => "Method not allowed",
            NoSuchTenant => "No such tenant",
            NoSuchSession => "No such session",
            SessionEnded => "The session has ended",
            NoSuchStrategy => "No such strategy",
            NoSuchVersion => "No such version",
            NoSource => "No source",
            BadRequest => "The request cannot be understood",
            BadName => "Not a possible name",
            MediaType => "Media type not supported",
            TooLarge => "Too large",
            Truncated => "The upload was cut off",
            NotStarted => "The session was not started",
            DocumentErrors => "The document has errors",
            ComponentRefused => "The component was refused",
            Conflict => "Not possible in this state",
            QueueFull => "A queue is full",
            Overloaded => "Too many requests at once",
            NotServing => "Not serving now",
            OtherNode => "On another node",
            NoReply => "The strategy did not answer",
            BadReply => "The strategy's answer cannot be sent",
            Timeout => "The request took too long",
            Internal => "A fault of the server",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// An error answer: `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:pointsman:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line, the same for every occurrence of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, to what, and what to do.
    pub detail: String,
    /// What went wrong, for programs.
    pub code: Code,
    /// Path of the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Finds the request in the server's log: 32 hexadecimal digits (W3C Trace Context `trace-id`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_id: String,
    /// What is wrong with the document, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)?;
        self.diagnostics.iter().try_for_each(|d| write!(f, "\n{d}"))
    }
}

impl std::error::Error for Problem {}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot be deployed.
    Error,
    /// It can, but look at this.
    Warning,
}

/// One finding of the compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// File, as named by the client.
    pub file: String,
    /// From 1; 0 where the finding has no place.
    pub line: u32,
    /// In characters, from 1; 0 where the finding has no place.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// The offending text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic {
            file,
            line,
            column,
            message,
            ..
        } = self;
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        match line {
            0 => write!(f, "{file}: {severity}: {message}")?,
            _ => write!(f, "{file}:{line}:{column}: {severity}: {message}")?,
        }
        self.text.iter().try_for_each(|text| write!(f, "\n  {text}"))?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}
