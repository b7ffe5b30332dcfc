//! Names that become file names and keys: checked once, where they enter, so that no path or key can be forged later.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The text cannot be used as a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: it has 1 to 64 characters of {allowed}, and begins with a letter or digit")]
pub struct InvalidName {
    text: String,
    what: &'static str,
    allowed: &'static str,
}

/// Most characters of a name.
const MAX: usize = 64;

fn check(text: &str, what: &'static str, upper: bool) -> Result<(), InvalidName> {
    let letter = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || upper && b.is_ascii_uppercase();
    let good = (1..=MAX).contains(&text.len())
        && text.bytes().next().is_some_and(letter)
        && text.bytes().all(|b| letter(b) || matches!(b, b'.' | b'_' | b'-'));
    if good {
        return Ok(());
    }
    let allowed = if upper {
        "a-z, A-Z, 0-9, `.`, `_`, `-`"
    } else {
        "a-z, 0-9, `.`, `_`, `-`"
    };
    Err(InvalidName {
        text: text.chars().take(MAX + 1).collect(),
        what,
        allowed,
    })
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, upper: $upper:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text, $what, $upper)?;
                Ok($type(text.to_owned()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Name of a strategy within its tenant: `[a-z0-9][a-z0-9._-]{0,63}`.
    Name, "the name of a strategy", upper: false
}

name! {
    /// Name of a tenant: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}` (ORS tenants are called `Environment`, `Resources`).
    Tenant, "the name of a tenant", upper: true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            ".hidden",
            "-x",
            "a\0",
            "ä",
            "UPPER",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        for good in ["a", "0", "route-by-dnis", "a.b_c-9", &"a".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        assert!("Environment".parse::<Tenant>().is_ok());
        assert!("Env/x".parse::<Tenant>().is_err());
    }

    #[test]
    fn the_refusal_says_what_is_allowed_and_does_not_repeat_a_huge_text() {
        let message = "A".repeat(1000).parse::<Name>().unwrap_err().to_string();
        assert!(message.contains("a-z, 0-9") && message.len() < 250, "{message}");
    }
}
