//! Text with placeholders that each call fills in: `[ANI]`, `[UDATA.segment]` (ORS, DN section `Orchestration`).

use crate::setting::suggestion;
use std::fmt;

/// A piece of a call that can stand in a URL or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `[ANI]`: the caller's number.
    Ani,
    /// `[DNIS]`: the number that the caller dialled.
    Dnis,
    /// `[DN]`: the DN that the call is at (ThisDN).
    Dn,
    /// `[CED]`: the digits collected so far.
    Ced,
    /// `[EMAILFROM]`: an e-mail's sender.
    EmailFrom,
    /// `[EMAILTO]`: an e-mail's recipient.
    EmailTo,
    /// `[EMAILSUBJECT]`: an e-mail's subject.
    EmailSubject,
    /// `[UDATA]`: all user data as `k1=v1&k2=v2`.
    UserDataQuery,
    /// `[UDATA.*]`: all user data as `k1:v1,k2:v2`.
    UserDataList,
    /// `[UDATA.name]`: one value of the user data.
    UserData(String),
}

const NAMES: [&str; 10] = [
    "ANI",
    "DNIS",
    "DN",
    "CED",
    "UDATA",
    "UDATA.*",
    "UDATA.name",
    "EMAILFROM",
    "EMAILTO",
    "EMAILSUBJECT",
];

/// Brackets in a URL hold something that is not a placeholder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The name is unknown.
    #[error("`[{0}]` is not a placeholder")]
    Unknown(String),
    /// There is no `]` behind the `[`.
    #[error("`{0}` opens a placeholder that is not closed")]
    Open(String),
}

impl TemplateError {
    pub(crate) fn help(&self) -> String {
        match self {
            TemplateError::Unknown(name) => suggestion(name, &NAMES),
            TemplateError::Open(_) => "a `[` that belongs to the URL is written %5B".into(),
        }
    }
}

impl Placeholder {
    /// The placeholder of that name, without the brackets. Case counts, as in ORS.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ANI" => Placeholder::Ani,
            "DNIS" => Placeholder::Dnis,
            "DN" => Placeholder::Dn,
            "CED" => Placeholder::Ced,
            "EMAILFROM" => Placeholder::EmailFrom,
            "EMAILTO" => Placeholder::EmailTo,
            "EMAILSUBJECT" => Placeholder::EmailSubject,
            "UDATA" => Placeholder::UserDataQuery,
            "UDATA.*" => Placeholder::UserDataList,
            _ => Placeholder::UserData(name.strip_prefix("UDATA.").filter(|key| !key.is_empty())?.into()),
        })
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Placeholder::Ani => f.write_str("[ANI]"),
            Placeholder::Dnis => f.write_str("[DNIS]"),
            Placeholder::Dn => f.write_str("[DN]"),
            Placeholder::Ced => f.write_str("[CED]"),
            Placeholder::EmailFrom => f.write_str("[EMAILFROM]"),
            Placeholder::EmailTo => f.write_str("[EMAILTO]"),
            Placeholder::EmailSubject => f.write_str("[EMAILSUBJECT]"),
            Placeholder::UserDataQuery => f.write_str("[UDATA]"),
            Placeholder::UserDataList => f.write_str("[UDATA.*]"),
            Placeholder::UserData(key) => write!(f, "[UDATA.{key}]"),
        }
    }
}

/// Text with placeholders. Its `Display` is the text that it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    Placeholder(Placeholder),
}

impl Template {
    /// Reads a parameter's value: brackets that hold no placeholder's name are ordinary text, as in `[1, 2]`.
    pub fn data(text: &str) -> Self {
        Template::read(text, false).expect("only a strict reading refuses anything")
    }

    /// Reads a URL: brackets that hold no placeholder's name are a mistake.
    pub fn url(text: &str) -> Result<Self, TemplateError> {
        Template::read(text, true)
    }

    /// The placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(placeholder) => Some(placeholder),
            Part::Literal(_) => None,
        })
    }

    fn read(text: &str, strict: bool) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('[') {
            literal.push_str(&rest[..open]);
            let inside = &rest[open + 1..];
            let name = inside.find(']').map(|close| &inside[..close]);
            let placeholder = name.and_then(Placeholder::named);
            match (placeholder, name) {
                (Some(placeholder), Some(name)) => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Placeholder(placeholder));
                    rest = &inside[name.len() + 1..];
                }
                (_, Some(name)) if strict => return Err(TemplateError::Unknown(name.chars().take(64).collect())),
                (_, None) if strict => return Err(TemplateError::Open(rest[open..].chars().take(64).collect())),
                // Goes on right behind the bracket: another one may stand before the closing one, as in `[[ANI]]`.
                _ => {
                    literal.push('[');
                    rest = inside;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Template { parts })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Placeholder(placeholder) => write!(f, "{placeholder}"),
        })
    }
}
