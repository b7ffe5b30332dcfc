//! Names and ids. Each has a type of its own, so that none is passed where another belongs.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text is not a valid name or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: {rule}")]
pub struct InvalidId {
    /// What the text should have been.
    what: &'static str,
    /// The text, cut to 64 characters.
    text: String,
    /// What such a text looks like.
    rule: &'static str,
}

impl InvalidId {
    fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        InvalidId {
            what,
            text: text.chars().take(64).collect(),
            rule,
        }
    }
}

/// Declares a newtype over `String` whose text is free.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                $name(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Name of a link in the configuration.
    LinkId
}
text_id! {
    /// Name of a switch in the configuration.
    SwitchName
}
text_id! {
    /// The switch's own id of a call; on SIP the Call-ID header field.
    CallId
}
text_id! {
    /// The host's id of a request: the text of a `CommandId`. Unique for ever.
    RequestId
}

/// A directory number at a switch, written `number@switch`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dn {
    /// The number as the switch knows it.
    pub number: String,
    /// The switch it belongs to.
    pub switch: SwitchName,
}

impl Dn {
    /// The DN `number` at `switch`.
    pub fn new(number: impl Into<String>, switch: impl Into<SwitchName>) -> Self {
        Dn {
            number: number.into(),
            switch: switch.into(),
        }
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.number, self.switch)
    }
}

impl FromStr for Dn {
    type Err = InvalidId;

    /// Splits at the last `@`: a switch's name has none.
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        match s.rsplit_once('@') {
            Some((number, switch)) if !number.is_empty() && !switch.is_empty() => Ok(Dn::new(number, switch)),
            _ => Err(InvalidId::new("DN", s, "write it number@switch")),
        }
    }
}

impl Serialize for Dn {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dn {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Declares an id of a fixed number of characters out of an alphabet.
macro_rules! fixed_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $len:literal, $rule:literal, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The characters.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).expect("only ASCII letters and digits are let in")
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(s: &str) -> Result<Self, InvalidId> {
                let accepts: fn(&u8) -> bool = $accepts;
                match <[u8; $len]>::try_from(s.as_bytes()) {
                    Ok(bytes) if bytes.iter().all(accepts) => Ok($name(bytes)),
                    _ => Err(InvalidId::new($what, s, $rule)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fixed_id! {
    /// One call for its whole life, through transfers and repeated route requests (T-Lib CallUUID). Made by us: 32
    /// characters of `0-9A-Z`.
    CallUuid, "call UUID", 32, "it has 32 characters, each 0-9 or A-Z",
    |b| b.is_ascii_digit() || b.is_ascii_uppercase()
}
fixed_id! {
    /// One leg group of a call (T-Lib ConnID): 16 lower-case hexadecimal digits. A repeated route request of a call has a new
    /// one.
    ConnId, "connection id", 16, "it has 16 digits, each 0-9 or a-f",
    |b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)
}

impl CallUuid {
    /// Makes an id out of 20 random bytes: 160 bits, 5 a character.
    pub fn from_random(random: [u8; 20]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
        let mut id = [0; 32];
        for (out, group) in id.chunks_exact_mut(8).zip(random.chunks_exact(5)) {
            let bits = group.iter().fold(0u64, |acc, byte| acc << 8 | u64::from(*byte));
            for (i, c) in out.iter_mut().enumerate() {
                *c = ALPHABET[(bits >> (35 - 5 * i) & 31) as usize];
            }
        }
        CallUuid(id)
    }
}

impl ConnId {
    /// Makes an id out of a random number.
    pub fn from_random(random: u64) -> Self {
        let mut id = [0; 16];
        for (i, c) in id.iter_mut().enumerate() {
            *c = b"0123456789abcdef"[(random >> (60 - 4 * i) & 15) as usize];
        }
        ConnId(id)
    }
}

/// One life of a link's connection to its switch. Grows with every start and reconnect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// Position of an event within its link's epoch. The first event has 1; there are no gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seq(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dn_survives_its_text_form() {
        let dn = Dn::new("7001", "berlin");
        assert_eq!(dn.to_string(), "7001@berlin");
        assert_eq!("7001@berlin".parse(), Ok(dn));
        assert_eq!("user@host@berlin".parse(), Ok(Dn::new("user@host", "berlin")));
    }

    #[test]
    fn a_dn_without_number_or_switch_is_refused_with_the_rule() {
        for bad in ["7001", "@berlin", "7001@", ""] {
            let message = bad.parse::<Dn>().unwrap_err().to_string();
            assert!(message.contains("number@switch"), "{message}");
        }
    }

    #[test]
    fn ids_have_their_length_and_survive_their_text_form() {
        let uuid = CallUuid::from_random(std::array::from_fn(|i| (i * 41) as u8));
        assert_eq!(uuid.as_str().len(), 32);
        assert_eq!(uuid.to_string().parse(), Ok(uuid));
        let conn = ConnId::from_random(0x0123_4567_89ab_cdef);
        assert_eq!(conn.as_str(), "0123456789abcdef");
        assert!("0123456789ABCDEF".parse::<ConnId>().is_err());
    }
}
