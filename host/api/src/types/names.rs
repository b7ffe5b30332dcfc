use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Longest name of a tenant or strategy, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// A name that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be the name of a {what}: {rule}")]
pub struct NameError {
    what: &'static str,
    name: String,
    rule: &'static str,
}

impl NameError {
    fn new(what: &'static str, name: &str, rule: &'static str) -> Self {
        NameError {
            what,
            name: name.chars().take(MAX_NAME_BYTES).collect(),
            rule,
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, min_length = 1, max_length = 64)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name! {
    /// A tenant's name: 1 to 64 bytes, no control characters, `/` or `\`, no blank at either end.
    TenantName
}

name! {
    /// A strategy's name: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit. `@` separates the
    /// version in a reference (`vip@3`), so it is not in a name.
    StrategyName
}

impl FromStr for TenantName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=MAX_NAME_BYTES).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(|c| c.is_control() || c == '/' || c == '\\');
        if fits {
            return Ok(TenantName(text.into()));
        }
        Err(NameError::new(
            "tenant",
            text,
            "use 1 to 64 bytes without `/`, `\\`, control characters or blanks around it",
        ))
    }
}

impl FromStr for StrategyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = text.len() <= MAX_NAME_BYTES
            && text.bytes().next().is_some_and(letter)
            && text.bytes().all(|b| letter(b) || matches!(b, b'.' | b'_' | b'-'));
        if fits {
            return Ok(StrategyName(text.into()));
        }
        Err(NameError::new(
            "strategy",
            text,
            "use 1 to 64 of the characters a-z 0-9 . _ -, lower case only, and begin with a letter or digit",
        ))
    }
}

/// Which deployment of a strategy: 1 for the first, and so on. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = u32, minimum = 1)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Version {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_paths_or_references_are_refused() {
        for bad in ["", "a/b", "a\\b", " a", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<TenantName>().is_err(), "{bad:?}");
        }
        for bad in ["", "..", "-x", "a@2", "a b", "a/b", "é", "Vip", &"x".repeat(65)] {
            assert!(bad.parse::<StrategyName>().is_err(), "{bad:?}");
        }
        assert!("Main office".parse::<TenantName>().is_ok());
        assert!("vip-table.v2".parse::<StrategyName>().is_ok());
    }
}
