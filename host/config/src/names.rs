//! The small typed values that options are made of: names, numbers with a unit, digests.

use crate::setting::{FromText, Read, Reader, Setting, Shown, Value, text_setting};
use pointsman_contract::Digest;
use std::fmt;
use std::time::Duration;

/// A text does not have the form that its option asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: {rule}")]
pub struct NameError {
    /// The offending text, cut to 64 characters.
    pub text: String,
    /// What it should have been, such as "a DN number".
    pub what: &'static str,
    /// The rule, in words.
    pub rule: &'static str,
}

/// A value that wraps a checked text.
pub trait ObjectName: Sized + AsRef<str> {
    /// What such a value is called in messages, with its article.
    const WHAT: &'static str;
    /// The rule that its text follows, in words.
    const RULE: &'static str;
    /// Checks the text and wraps it.
    fn parse(text: &str) -> Result<Self, NameError>;
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:expr, $rule:expr, max $max:literal, |$text:ident| $valid:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The longest text allowed, in bytes.
            pub const MAX_BYTES: usize = $max;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ObjectName for $name {
            const WHAT: &'static str = $what;
            const RULE: &'static str = $rule;

            fn parse($text: &str) -> Result<Self, NameError> {
                if !$text.is_empty() && $text.len() <= Self::MAX_BYTES && $valid {
                    Ok($name($text.into()))
                } else {
                    Err(NameError { text: $text.chars().take(64).collect(), what: Self::WHAT, rule: Self::RULE })
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromText for $name {
            const EXPECTED: &'static str = $what;

            fn from_text(text: &str) -> Result<Self, (String, String)> {
                Self::parse(text).map_err(|error| (error.to_string(), String::new()))
            }
        }

        text_setting!($name);
    )*};
}

/// What [`plain`] asks for, in words.
const PLAIN: &str = "1 to 64 characters of a-z, A-Z, 0-9, `-`, `_`, `.`, beginning with a letter or digit";

/// Letters and digits of ASCII, `-`, `_` and `.`, beginning with a letter or digit: safe in URLs, metrics, file names.
fn plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// `host [":" port]` (RFC 3261 section 25.1).
fn host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address.parse::<std::net::Ipv6Addr>().is_ok(), port),
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, port) = text.split_at(end);
            let label = |label: &str| {
                let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
                !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(good)
            };
            (name.split('.').all(label), port)
        }
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0);
    host && (port.is_empty() || port.strip_prefix(':').is_some_and(digits))
}

names! {
    /// The name of a tenant.
    TenantName, "a tenant's name", PLAIN,
        max 64, |text| plain(text);
    /// The name of a switch: everything behind one telephony link, as in Genesys configurations.
    SwitchName, "a switch's name", PLAIN,
        max 64, |text| plain(text);
    /// The id of a listening port.
    PortId, "a port's id", PLAIN,
        max 64, |text| plain(text);
    /// The name of a deployed strategy.
    StrategyName, "a strategy's name", PLAIN,
        max 64, |text| plain(text);
    /// The version of a deployed strategy, as the deployment named it.
    StrategyVersion, "a strategy's version", PLAIN,
        max 64, |text| plain(text);
    /// The name of an Enhanced Routing Script. Blanks inside are allowed, as in Genesys configurations.
    ScriptName, "an Enhanced Routing Script's name", "1 to 128 characters without control characters, `[`, `]`, and no blank at its ends",
        max 128, |text| text.trim() == text && !text.chars().any(|c| c.is_control() || c == '[' || c == ']');
    /// The name of a Transaction of the type List. Blanks inside are allowed, as in Genesys configurations.
    ListName, "a list's name", "1 to 128 characters without control characters and `/`, and no blank at its ends",
        max 128, |text| text.trim() == text && !text.chars().any(|c| c.is_control() || c == '/');
    /// The name of the application object.
    ApplicationName, "an application's name", PLAIN,
        max 64, |text| plain(text);
    /// The id of an API key: public, shown in audit logs.
    KeyId, "an API key's id", PLAIN,
        max 64, |text| plain(text);
    /// A DN's number: the user part of the SIP URI that callers dial.
    DnNumber, "a DN's number", "1 to 64 characters of a-z, A-Z, 0-9, `+`, `*`, `#`, `-`, `_`, `.`",
        max 64, |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+*#-_.".contains(&b));
    /// The name of a SIP extension header, such as `X-Customer`.
    HeaderName, "the name of an X- header", "`X-` and 1 to 62 characters of a-z, A-Z, 0-9, `-`, `_`, `.`",
        max 64, |text| text.len() > 2 && text[..text.floor_char_boundary(2)].eq_ignore_ascii_case("x-") && plain(text);
    /// A host and perhaps a port, as in a SIP URI.
    HostPort, "a host, or host:port", "a name, an IPv4 address or an IPv6 address in `[` and `]`, and perhaps `:` and a port",
        max 255, |text| host_and_port(text);
    /// A file, relative to the directory that holds the configuration.
    FilePath, "a file's path", "relative to the configuration's directory, with `/`, without `..`, `.` or control characters",
        max 1024, |text| relative(text);
}

/// A relative path that names something below its directory.
pub(crate) fn relative(text: &str) -> bool {
    !text.contains('\\')
        && !text.chars().any(char::is_control)
        && text.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// A destination of outgoing HTTP: scheme, host, port and the path below which everything is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(pointsman_web::Destination);

impl Destination {
    /// As the client takes it.
    pub fn get(&self) -> &pointsman_web::Destination {
        &self.0
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromText for Destination {
    const EXPECTED: &'static str = "a destination, such as \"https://crm.example.com/api/\"";

    fn from_text(text: &str) -> Result<Self, (String, String)> {
        text.parse()
            .map(Destination)
            .map_err(|why: pointsman_web::DestinationError| {
                let shown: String = text.chars().take(64).collect();
                let help = "write scheme, host and perhaps port and path: \"https://crm.example.com/api/\"";
                (format!("`{shown}` is no destination: {why}"), help.into())
            })
    }
}
text_setting!(Destination);

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident, $expected:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl Setting for $name {
            fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
                reader.integer(value, $expected).map($name)
            }

            fn show(&self) -> Shown {
                Shown::integer(self.0)
            }

            fn number(&self) -> Option<u64> {
                Some(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

numbers! {
    /// A duration in milliseconds.
    Milliseconds, "a whole number of milliseconds";
    /// A duration in seconds.
    Seconds, "a whole number of seconds";
    /// A size in bytes.
    Bytes, "a whole number of bytes";
}

impl From<Milliseconds> for Duration {
    fn from(value: Milliseconds) -> Duration {
        Duration::from_millis(value.0)
    }
}

impl From<Seconds> for Duration {
    fn from(value: Seconds) -> Duration {
        Duration::from_secs(value.0)
    }
}

/// SHA-256 of a secret. Neither printed nor shown in reports, differences or effective configurations.
///
/// A plain hash is enough only because the secret is 256 random bits that Pointsman itself generates; it would not be
/// for a password that a person chose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(Digest);

impl SecretHash {
    /// Wraps a digest computed elsewhere.
    pub fn new(digest: Digest) -> Self {
        SecretHash(digest)
    }

    /// The 32 bytes of the digest, to be compared in constant time.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Setting for SecretHash {
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
        // Marked before anything is checked: a secret pasted here by mistake must not end in a log either.
        reader.report.secret(value.place());
        let text = reader.string(value, "the SHA-256 of the secret, as 64 hexadecimal digits")?;
        match text.parse() {
            Ok(digest) => Some(SecretHash(digest)),
            Err(_) => {
                let help = "print it with: printf %s \"$SECRET\" | sha256sum";
                reader.report.error(
                    Some(value.place()),
                    "this is not a SHA-256: it has 64 hexadecimal digits",
                    help,
                );
                None
            }
        }
    }

    fn show(&self) -> Shown {
        Shown::Secret
    }
}
