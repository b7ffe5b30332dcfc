//! Error answers (RFC 9457).
//!
//! A handler answers `Result<_, Failure>`. Turning a failure into a response only attaches it; the outermost layer
//! ([`crate::layers`]) writes the document, because it knows the path and the trace id, and because everything else that
//! ends in an error (a panic, an unknown path) passes there too.

use crate::backend;
use crate::types::{Code, Diagnostic, Problem};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    detail: String,
    /// Boxed, because it travels in every `Result` and is seldom used.
    more: Box<More>,
}

#[derive(Clone, Debug, Default)]
struct More {
    diagnostics: Vec<Diagnostic>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log only.
    cause: Option<String>,
    /// Base of the owner's address, without the path.
    redirect: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Failure {
            code,
            detail: detail.into(),
            more: Box::default(),
        }
    }

    /// A fault: the cause goes to the log, the client gets the trace id to ask with.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let detail = "The server failed; its log has the cause under the `trace_id` of this answer.";
        let mut failure = Failure::new(Code::Internal, detail);
        failure.more.cause = Some(cause.into());
        failure
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.more.headers.push((name, value));
        self
    }

    /// Tells the client when to come back.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, seconds.into())
    }

    pub(crate) fn no_such_session(text: &str) -> Self {
        let shown: String = text.chars().take(64).collect();
        Failure::new(
            Code::NoSuchSession,
            format!("There is no session {shown}: it never was, or is forgotten."),
        )
    }

    pub(crate) fn no_such_tenant(text: &str) -> Self {
        let shown: String = text.chars().take(64).collect();
        Failure::new(
            Code::NoSuchTenant,
            format!("There is no tenant `{shown}`; /v1/tenants lists those of your key."),
        )
    }

    /// Base of the address to repeat the request at, without the path.
    pub(crate) fn redirect(&self) -> Option<&str> {
        self.more.redirect.as_deref()
    }

    /// The document, and what goes to the log.
    pub(crate) fn into_parts(self, instance: &str, trace_id: &str) -> (Problem, Option<String>) {
        let problem = Problem {
            kind: format!("urn:pointsman:problem:{}", self.code),
            title: self.code.title().into(),
            status: self.code.status(),
            detail: self.detail,
            code: self.code,
            instance: instance.into(),
            trace_id: trace_id.into(),
            diagnostics: self.more.diagnostics,
        };
        (problem, self.more.cause)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.code.status())
            .expect("codes have valid statuses")
            .into_response();
        for (name, value) in &self.more.headers {
            response.headers_mut().append(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<backend::Error> for Failure {
    fn from(error: backend::Error) -> Self {
        use backend::Error as E;
        let detail = sentence(&error.to_string());
        match error {
            E::NoSuchTenant(name) => Failure::no_such_tenant(name.as_str()),
            E::NoSuchSession(id) => Failure::no_such_session(id.as_str()),
            E::SessionEnded(_) => Failure::new(Code::SessionEnded, detail),
            E::Malformed(_) => Failure::new(Code::BadRequest, detail),
            E::NoSuchStrategy(_) => Failure::new(Code::NoSuchStrategy, detail),
            E::NoSuchVersion(..) => Failure::new(Code::NoSuchVersion, detail),
            E::NoSource(..) => Failure::new(Code::NoSource, detail),
            E::NotStarted(_) => Failure::new(Code::NotStarted, detail),
            E::Document(diagnostics) => {
                let mut failure = Failure::new(Code::DocumentErrors, detail);
                failure.more.diagnostics = diagnostics;
                failure
            }
            E::Component(_) => Failure::new(Code::ComponentRefused, detail),
            E::Conflict(_) => Failure::new(Code::Conflict, detail),
            E::QueueFull(_) => Failure::new(Code::QueueFull, detail).retry_after(1),
            E::TooLarge(_) => Failure::new(Code::TooLarge, detail),
            E::NotServing(_) => Failure::new(Code::NotServing, detail).retry_after(5),
            E::OtherNode(base) => {
                let mut failure = Failure::new(Code::OtherNode, detail);
                failure.more.redirect = Some(base);
                failure
            }
            E::Internal(cause) => Failure::internal(cause),
        }
    }
}

/// Begins with a capital and ends with a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}
