//! Header fields.

use super::scan;
use std::fmt;

/// Declares the names that the link itself looks at or writes, with their compact forms (RFC 3261 7.3.3, 20).
macro_rules! header_names {
    ($($variant:ident $canonical:literal $($compact:literal)?;)*) => {
        /// Name of a header field. Names are compared without regard to case.
        #[derive(Clone, Debug)]
        #[expect(missing_docs, reason = "each variant is the field of its name")]
        pub enum HeaderName {
            $($variant,)*
            /// Any other, as it was spelled.
            Other(String),
        }

        impl HeaderName {
            /// Reads a name in its long or compact form. Does not check that it is a token.
            pub fn of(text: &str) -> HeaderName {
                $(
                    if text.eq_ignore_ascii_case($canonical) $(|| text.eq_ignore_ascii_case($compact))? {
                        return HeaderName::$variant;
                    }
                )*
                HeaderName::Other(text.into())
            }

            /// The long form.
            pub fn as_str(&self) -> &str {
                match self {
                    $(HeaderName::$variant => $canonical,)*
                    HeaderName::Other(text) => text,
                }
            }
        }
    };
}

header_names! {
    Via "Via" "v";
    From "From" "f";
    To "To" "t";
    CallId "Call-ID" "i";
    CSeq "CSeq";
    MaxForwards "Max-Forwards";
    Contact "Contact" "m";
    ContentLength "Content-Length" "l";
    ContentType "Content-Type" "c";
    Allow "Allow";
    Accept "Accept";
    Supported "Supported" "k";
    Unsupported "Unsupported";
    Require "Require";
    RetryAfter "Retry-After";
    Server "Server";
    Timestamp "Timestamp";
    UserToUser "User-to-User";
    AssertedIdentity "P-Asserted-Identity";
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for HeaderName {}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Header fields in the order of the message. Values are unfolded and have no white space around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    /// No fields, with room for `n`.
    pub fn with_capacity(n: usize) -> Self {
        Headers(Vec::with_capacity(n))
    }

    /// Adds a field line at the end.
    pub fn push(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    /// Adds `text` to the first line of `name`, if there is one.
    pub fn append_to(&mut self, name: &HeaderName, text: &str) {
        if let Some((_, value)) = self.0.iter_mut().find(|(n, _)| n == name) {
            value.push_str(text);
        }
    }

    /// All field lines.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// The values of all lines of `name`.
    pub fn lines<'a, 'n>(&'a self, name: &'n HeaderName) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first line of `name`.
    pub fn first(&self, name: &HeaderName) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The elements of a field that is a comma-separated list, over all its lines (RFC 3261 7.3.1).
    pub fn list<'a, 'n>(&'a self, name: &'n HeaderName) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.lines(name).flat_map(|line| scan::split(line, ','))
    }

    /// Number of field lines.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
