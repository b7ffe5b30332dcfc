//! What a DN's option `Orchestration/application` names: the application that handles its calls.
//!
//! ```text
//! strategy:vip                 the active version of a strategy deployed for the DN's tenant
//! strategy:vip@7               that version of it
//! script:Overflow Line         an Enhanced Routing Script of the tenant
//! file:vip.scxml               a document in the tenant's directory
//! https://web/[DNIS].scxml     a document from a web server; placeholders are filled in for each call
//! https://a/x.scxml file:x.scxml    two, separated by exactly one space: the second is used when the first fails
//! ```
//!
//! `script:`, `file:`, `http:`, `https:`, the pair and the placeholders are ORS's; `strategy:` is Pointsman's own.

pub(crate) mod expand;
pub(crate) mod template;

use crate::names::{NameError, ObjectName, ScriptName, StrategyName, StrategyVersion, relative};
use crate::setting::{FromText, suggestion, text_setting};
use std::fmt;
use std::net::Ipv6Addr;
use template::{Part, Template, TemplateError};

/// The application of a DN: one document, or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationRef {
    /// The document that is tried first.
    pub primary: DocumentRef,
    /// The document that is used when the first cannot be fetched or compiled.
    pub alternate: Option<DocumentRef>,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentRef {
    /// `strategy:NAME` or `strategy:NAME@VERSION`: a deployed strategy of the tenant.
    Strategy {
        /// Its name.
        name: StrategyName,
        /// The version; the active one when `None`.
        version: Option<StrategyVersion>,
    },
    /// `script:NAME`: an Enhanced Routing Script of the tenant.
    Script(ScriptName),
    /// `file:PATH`: a path relative to the tenant's directory, percent-decoded.
    File(Template),
    /// `http://...` or `https://...`.
    Http {
        /// Scheme, host and port, such as `https://web:8443`: never taken from a call.
        origin: String,
        /// What follows: path, query, fragment.
        rest: Template,
    },
}

/// The text names no application.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationRefError {
    /// Nothing there.
    #[error("the application is empty")]
    Empty,
    /// Two URLs are separated by exactly one space.
    #[error("there is a blank too many: two documents are separated by exactly one, and none stands at the ends")]
    Blanks,
    /// A primary and an alternate are all there can be.
    #[error("there are {0} documents, but only a first and an alternate are possible")]
    TooMany(usize),
    /// The text does not begin with a scheme.
    #[error("`{0}` does not begin with strategy:, script:, file:, http: or https:")]
    NoScheme(String),
    /// The text begins with a scheme that is none of ours.
    #[error("`{0}:` is not a way to name an application")]
    UnknownScheme(String),
    /// A script in a pair.
    #[error("a script cannot be one of two documents")]
    ScriptInPair,
    /// A script that names a script.
    #[error("an Enhanced Routing Script cannot name another one")]
    ScriptInScript,
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A placeholder that is none.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A path that may lead out of its directory.
    #[error("`{0}` is not a path below the tenant's directory")]
    Path(String),
    /// A URL without a usable server part.
    #[error("`{0}` is not a server's name or address, with or without a port")]
    Server(String),
    /// A placeholder in the server part.
    #[error("a placeholder in `{0}` would let the caller choose the server")]
    ServerFromCall(String),
    /// A character that a URL cannot hold.
    #[error("a URL cannot hold the character {0:?}")]
    Character(char),
    /// A `%` without two hexadecimal digits behind it, or encoding something that is not UTF-8.
    #[error("`{0}` has a broken percent-encoding")]
    PercentEncoding(String),
}

const SCHEMES: [&str; 5] = ["strategy", "script", "file", "http", "https"];

impl ApplicationRefError {
    /// What to do about it; empty when the message says it already.
    pub fn help(&self) -> String {
        match self {
            ApplicationRefError::Empty | ApplicationRefError::NoScheme(_) => "for example strategy:vip".into(),
            ApplicationRefError::Blanks | ApplicationRefError::TooMany(_) => {
                "a blank within a URL is written %20".into()
            }
            ApplicationRefError::UnknownScheme(scheme) => suggestion(scheme, &SCHEMES),
            ApplicationRefError::ScriptInPair => "give the script an `alternate-url` instead".into(),
            ApplicationRefError::ScriptInScript => "name the document itself".into(),
            ApplicationRefError::Path(_) => {
                "write it relative, with `/`, without `..`: files outside of the tenant's directory are out of reach"
                    .into()
            }
            ApplicationRefError::ServerFromCall(_) => "placeholders are possible from the first `/` on".into(),
            ApplicationRefError::Server(_) => {
                "such as https://web.example:8443/app.scxml, without user or password".into()
            }
            ApplicationRefError::Template(error) => error.help(),
            ApplicationRefError::Character(_) => "percent-encode it".into(),
            ApplicationRefError::Name(_) | ApplicationRefError::PercentEncoding(_) => String::new(),
        }
    }
}

impl ApplicationRef {
    /// Reads the value of `Orchestration/application`.
    pub fn parse(text: &str) -> Result<Self, ApplicationRefError> {
        if text.is_empty() {
            return Err(ApplicationRefError::Empty);
        }
        // A script's name may hold blanks, so all that follows is the name.
        if let Some(name) = text.strip_prefix("script:") {
            if name
                .split(' ')
                .skip(1)
                .any(|word| SCHEMES.iter().any(|scheme| begins_with_scheme(word, scheme)))
            {
                return Err(ApplicationRefError::ScriptInPair);
            }
            return Ok(ApplicationRef {
                primary: DocumentRef::parse(text)?,
                alternate: None,
            });
        }
        let documents = split_at_blanks(text);
        if documents.iter().any(|document| document.is_empty()) {
            return Err(ApplicationRefError::Blanks);
        }
        let (primary, alternate) = match documents.as_slice() {
            [primary] => (primary, None),
            [primary, alternate] => (primary, Some(alternate)),
            many => return Err(ApplicationRefError::TooMany(many.len())),
        };
        let alternate = alternate.map(|text| DocumentRef::parse(text)).transpose()?;
        if matches!(alternate, Some(DocumentRef::Script(_))) {
            return Err(ApplicationRefError::ScriptInPair);
        }
        Ok(ApplicationRef {
            primary: DocumentRef::parse(primary)?,
            alternate,
        })
    }
}

fn begins_with_scheme(text: &str, scheme: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(found, _)| found.eq_ignore_ascii_case(scheme))
}

/// Splits at blanks, but not at those within the name of a placeholder, as in `[UDATA.Customer Segment]`.
fn split_at_blanks(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut bracket) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '[' => bracket = text[at..].contains(']'),
            ']' => bracket = false,
            ' ' if !bracket => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

impl DocumentRef {
    /// Reads one document's name.
    pub fn parse(text: &str) -> Result<Self, ApplicationRefError> {
        let cut = |text: &str| -> String { text.chars().take(64).collect() };
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| ApplicationRefError::NoScheme(cut(text)))?;
        match scheme.to_ascii_lowercase().as_str() {
            "strategy" => {
                let (name, version) = match rest.split_once('@') {
                    Some((name, version)) => (name, Some(StrategyVersion::parse(version)?)),
                    None => (rest, None),
                };
                Ok(DocumentRef::Strategy {
                    name: StrategyName::parse(name)?,
                    version,
                })
            }
            "script" => Ok(DocumentRef::Script(ScriptName::parse(rest)?)),
            "file" => parse_file(rest),
            scheme @ ("http" | "https") => parse_http(scheme, rest),
            _ => Err(ApplicationRefError::UnknownScheme(cut(scheme))),
        }
    }
}

fn parse_file(path: &str) -> Result<DocumentRef, ApplicationRefError> {
    let template = Template::url(path)?;
    let parts = template.parts.into_iter().map(|part| match part {
        Part::Literal(text) => decode(&text).map(Part::Literal),
        placeholder => Ok(placeholder),
    });
    let template = Template {
        parts: parts.collect::<Result<_, _>>()?,
    };
    // A placeholder's value is checked when it is known; whatever it is, it stays within one name.
    let sample = template.parts.iter().map(|part| match part {
        Part::Literal(text) => text.as_str(),
        Part::Placeholder(_) => "x",
    });
    if !relative(&sample.collect::<String>()) {
        return Err(ApplicationRefError::Path(path.chars().take(64).collect()));
    }
    Ok(DocumentRef::File(template))
}

fn parse_http(scheme: &str, text: &str) -> Result<DocumentRef, ApplicationRefError> {
    let cut = |text: &str| -> String { text.chars().take(64).collect() };
    let text = text
        .strip_prefix("//")
        .ok_or_else(|| ApplicationRefError::Server(cut(text)))?;
    let mut bracket = false;
    let end = text.find(|c| {
        match c {
            '[' => bracket = true,
            ']' => bracket = false,
            _ => {}
        }
        !bracket && matches!(c, '/' | '?' | '#')
    });
    let (server, rest) = text.split_at(end.unwrap_or(text.len()));
    check_server(server)?;
    let rest = Template::url(rest)?;
    for part in &rest.parts {
        let Part::Literal(literal) = part else { continue };
        if let Some(c) = literal
            .chars()
            .find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c))
        {
            return Err(ApplicationRefError::Character(c));
        }
        decode(literal)?;
    }
    Ok(DocumentRef::Http {
        origin: format!("{scheme}://{server}"),
        rest,
    })
}

/// RFC 3986 section 3.2, without user information: that would be a password in a log.
fn check_server(server: &str) -> Result<(), ApplicationRefError> {
    let cut: String = server.chars().take(64).collect();
    let bad = || ApplicationRefError::Server(cut.clone());
    let port = if let Some(rest) = server.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or_else(bad)?;
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(ApplicationRefError::ServerFromCall(cut));
        }
        if port.is_empty() {
            None
        } else {
            Some(port.strip_prefix(':').ok_or_else(bad)?)
        }
    } else {
        if server.contains('[') {
            return Err(ApplicationRefError::ServerFromCall(cut));
        }
        let (host, port) = match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        };
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
            return Err(bad());
        }
        port
    };
    match port {
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().is_err() => Err(bad()),
        _ => Ok(()),
    }
}

fn decode(text: &str) -> Result<String, ApplicationRefError> {
    let bad = || ApplicationRefError::PercentEncoding(text.chars().take(64).collect());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = rest
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .ok_or_else(bad)?;
        let digits = std::str::from_utf8(digits).expect("hexadecimal digits are ASCII");
        bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits are a byte"));
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

impl fmt::Display for ApplicationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.primary)?;
        match &self.alternate {
            Some(alternate) => write!(f, " {alternate}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for DocumentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DocumentRef::Strategy { name, version: None } => write!(f, "strategy:{name}"),
            DocumentRef::Strategy {
                name,
                version: Some(version),
            } => write!(f, "strategy:{name}@{version}"),
            DocumentRef::Script(name) => write!(f, "script:{name}"),
            DocumentRef::File(path) => {
                f.write_str("file:")?;
                path.parts.iter().try_for_each(|part| match part {
                    // What a value of `application` could not hold as it is.
                    Part::Literal(text) => text.chars().try_for_each(|c| match c {
                        ' ' | '%' | '[' | ']' => write!(f, "%{:02X}", u32::from(c)),
                        c => write!(f, "{c}"),
                    }),
                    Part::Placeholder(placeholder) => write!(f, "{placeholder}"),
                })
            }
            DocumentRef::Http { origin, rest } => write!(f, "{origin}{rest}"),
        }
    }
}

impl FromText for ApplicationRef {
    const EXPECTED: &'static str = "an application, such as \"strategy:vip\"";

    fn from_text(text: &str) -> Result<Self, (String, String)> {
        ApplicationRef::parse(text).map_err(|error| (error.to_string(), error.help()))
    }
}

text_setting!(ApplicationRef);
