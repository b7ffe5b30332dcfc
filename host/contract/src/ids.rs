use serde::{Deserialize, Serialize};
use std::fmt;

/// A session's id, as in ORS: 32 characters of `0-9A-Z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 32]);

/// The text is not a session id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionIdError(String);

impl fmt::Display for SessionIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a session id: it has 32 characters, each 0-9 or A-Z",
            self.0
        )
    }
}

impl std::error::Error for SessionIdError {}

impl SessionId {
    /// Makes an id out of 20 random bytes (5 bits a character, 160 bits in all).
    pub fn from_random(random: [u8; 20]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
        let mut id = [0; 32];
        for (out, group) in id.chunks_exact_mut(8).zip(random.chunks_exact(5)) {
            let bits = group.iter().fold(0u64, |acc, byte| acc << 8 | u64::from(*byte));
            for (i, c) in out.iter_mut().enumerate() {
                *c = ALPHABET[(bits >> (35 - 5 * i) & 31) as usize];
            }
        }
        SessionId(id)
    }

    /// The 32 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters and digits are let in")
    }

    /// A number that spreads sessions evenly over shards.
    pub fn hash(&self) -> u64 {
        // FNV-1a: the id is random already, this only has to fold it.
        self.0.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

impl std::str::FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(s: &str) -> Result<Self, SessionIdError> {
        let bytes: [u8; 32] = s
            .as_bytes()
            .try_into()
            .map_err(|_| SessionIdError(s.chars().take(64).collect()))?;
        if bytes.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
            Ok(SessionId(bytes))
        } else {
            Err(SessionIdError(s.into()))
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Position of a record in a session's journal. The first record has 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

/// Which owner of a session writes: a later owner fences an earlier one out of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// Names one command for ever: the session, the journal position of its cause, and its place among the commands of
/// that step. Travels to the link as the reference id, so that a repeated request is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandId {
    /// The session that gave the command.
    pub session: SessionId,
    /// The record whose handling produced it.
    pub seq: Seq,
    /// 0 for the first command of the step.
    pub ordinal: u32,
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.session, self.seq.0, self.ordinal)
    }
}

/// SHA-256 of a component, document or engine module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Digest {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let bad = || format!("`{s}` is not a SHA-256 digest: it has 64 hexadecimal digits");
        if s.len() != 64 || !s.is_ascii() {
            return Err(bad());
        }
        let mut d = [0; 32];
        for (i, b) in d.iter_mut().enumerate() {
            *b = u8::from_str_radix(&s[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(Digest(d))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_survives_its_text_form() {
        let id = SessionId::from_random(std::array::from_fn(|i| (i * 37) as u8));
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(id, SessionId::from_random([0; 20]));
    }

    #[test]
    fn a_session_id_of_another_shape_is_refused() {
        for bad in [
            "",
            "short",
            "0123456789abcdef0123456789abcdef",
            "0123456789ABCDEF0123456789ABCDE~",
        ] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_digest_survives_its_text_form() {
        let d = Digest(std::array::from_fn(|i| i as u8 * 7));
        assert_eq!(d.to_string().parse(), Ok(d));
        assert!("zz".parse::<Digest>().is_err());
    }
}
