//! Filling placeholders in with what a call brought along.
//!
//! Everything in [`CallFacts`] comes from outside: a caller chooses his own ANI, headers and digits. So a value never
//! becomes more than a value: in a URL it is percent-encoded down to unreserved characters (RFC 3986 section 2.3) and
//! cannot make a path climb, in a file's path it stays within one name, and no value is looked through for placeholders.

use super::DocumentRef;
use super::template::{Part, Placeholder, Template};
use crate::names::{ScriptName, StrategyName, StrategyVersion, relative};
use std::fmt::Write as _;

/// The longest URL or path that placeholders may expand to, in bytes.
pub const MAX_URL_BYTES: usize = 8 * 1024;
/// The longest parameter that placeholders may expand to, in bytes: room for all user data of a call (64 KiB in ORS).
pub const MAX_DATA_BYTES: usize = 128 * 1024;

/// What a call brings along for placeholders; what it does not have is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallFacts<'a> {
    /// The caller's number.
    pub ani: &'a str,
    /// The number dialled.
    pub dnis: &'a str,
    /// The DN that the call is at.
    pub dn: &'a str,
    /// Digits collected so far.
    pub collected_digits: &'a str,
    /// An e-mail's sender.
    pub email_from: &'a str,
    /// An e-mail's recipient.
    pub email_to: &'a str,
    /// An e-mail's subject.
    pub email_subject: &'a str,
    /// User data in order; a key may stand more than once, the first one answers `[UDATA.key]`.
    pub user_data: &'a [(String, String)],
}

/// A document, placeholders filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedDocument {
    /// A deployed strategy.
    Strategy {
        /// Its name.
        name: StrategyName,
        /// Its version; the active one when `None`.
        version: Option<StrategyVersion>,
    },
    /// An Enhanced Routing Script.
    Script(ScriptName),
    /// A path relative to the tenant's directory, as it is: not to be percent-decoded again.
    File(String),
    /// An absolute URL.
    Http(String),
}

/// A call's values do not fit where the placeholders stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// The result is longer than allowed.
    #[error("with the call's values filled in, `{template}` is longer than {max} bytes")]
    TooLong {
        /// The text with its placeholders.
        template: String,
        /// The limit: [`MAX_URL_BYTES`] or [`MAX_DATA_BYTES`].
        max: usize,
    },
    /// A value would lead elsewhere in the path.
    #[error("with the call's values filled in, `{template}` has an empty, `.` or `..` segment or a `/` from the call")]
    Path {
        /// The text with its placeholders.
        template: String,
    },
}

impl DocumentRef {
    /// Fills the placeholders in. Fails when the call's values would lead the path elsewhere or make it too long.
    pub fn expand(&self, facts: &CallFacts<'_>) -> Result<ResolvedDocument, ExpandError> {
        match self {
            DocumentRef::Strategy { name, version } => Ok(ResolvedDocument::Strategy {
                name: name.clone(),
                version: version.clone(),
            }),
            DocumentRef::Script(name) => Ok(ResolvedDocument::Script(name.clone())),
            DocumentRef::File(path) => {
                let mut climbs = false;
                let expanded = path.fill(facts, MAX_URL_BYTES, |value, out| {
                    climbs |= value.contains(['/', '\\']);
                    out.push_str(value);
                })?;
                if climbs || !relative(&expanded) {
                    return Err(ExpandError::Path {
                        template: self.to_string(),
                    });
                }
                Ok(ResolvedDocument::File(expanded))
            }
            DocumentRef::Http { origin, rest } => {
                let expanded = rest.fill(facts, MAX_URL_BYTES, encode)?;
                if rest.placeholders().next().is_some() && has_dot_segment(&expanded) {
                    return Err(ExpandError::Path {
                        template: self.to_string(),
                    });
                }
                Ok(ResolvedDocument::Http(format!("{origin}{expanded}")))
            }
        }
    }
}

impl Template {
    /// Fills the placeholders in as they are: for parameters, which are data and no URLs.
    pub fn expand_data(&self, facts: &CallFacts<'_>) -> Result<String, ExpandError> {
        self.fill(facts, MAX_DATA_BYTES, |value, out| out.push_str(value))
    }

    fn fill(
        &self,
        facts: &CallFacts<'_>,
        max: usize,
        mut write: impl FnMut(&str, &mut String),
    ) -> Result<String, ExpandError> {
        let too_long = || ExpandError::TooLong {
            template: self.to_string(),
            max,
        };
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Placeholder(placeholder) => put(placeholder, facts, max, &mut write, &mut out),
            }
            // Within the loop: a text may name all user data a thousand times.
            if out.len() > max {
                return Err(too_long());
            }
        }
        Ok(out)
    }
}

fn pairs(
    facts: &CallFacts<'_>,
    between: &str,
    after: &str,
    max: usize,
    write: &mut impl FnMut(&str, &mut String),
    out: &mut String,
) {
    for (index, (key, value)) in facts.user_data.iter().enumerate() {
        if out.len() > max {
            return;
        }
        if index > 0 {
            out.push_str(after);
        }
        write(key, out);
        out.push_str(between);
        write(value, out);
    }
}

fn put(
    placeholder: &Placeholder,
    facts: &CallFacts<'_>,
    max: usize,
    write: &mut impl FnMut(&str, &mut String),
    out: &mut String,
) {
    match placeholder {
        Placeholder::Ani => write(facts.ani, out),
        Placeholder::Dnis => write(facts.dnis, out),
        Placeholder::Dn => write(facts.dn, out),
        Placeholder::Ced => write(facts.collected_digits, out),
        Placeholder::EmailFrom => write(facts.email_from, out),
        Placeholder::EmailTo => write(facts.email_to, out),
        Placeholder::EmailSubject => write(facts.email_subject, out),
        Placeholder::UserDataQuery => pairs(facts, "=", "&", max, write, out),
        Placeholder::UserDataList => pairs(facts, ":", ",", max, write, out),
        Placeholder::UserData(key) => {
            if let Some((_, value)) = facts.user_data.iter().find(|(name, _)| name == key) {
                write(value, out);
            }
        }
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986 section 2.3.
fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes whatever is written to it");
        }
    }
}

/// Whether a client would walk somewhere else: dots are unreserved, so encoding a value `..` changes nothing (RFC 3986
/// section 5.2.4, and the WHATWG URL standard takes `%2e` for a dot as well).
fn has_dot_segment(rest: &str) -> bool {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    path.split('/')
        .any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}
