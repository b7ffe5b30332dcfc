//! API keys: `pm_<id>_<secret>`.
//!
//! The secret is 32 random bytes, so a plain SHA-256 of it is enough to keep: there is nothing to guess. The prefix
//! lets secret scanners recognise a leaked key, the id lets an operator find and revoke it. Both id and secret may hold
//! `_`; what tells them apart is that a secret always has the same length.

use super::{Grant, Principal};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pointsman_contract::Digest;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

const PREFIX: &str = "pm_";

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Characters of a secret's text: base64 without padding.
const SECRET_CHARS: usize = (SECRET_BYTES * 8).div_ceil(6);

/// Longest id of a key, in bytes.
const MAX_ID_BYTES: usize = 64;

/// A key as it is configured: everything but the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// 1 to 64 of `A-Z a-z 0-9 - _ .`; not secret; appears in the audit log.
    pub id: String,
    /// SHA-256 of the secret part, 64 hexadecimal digits.
    pub sha256: Digest,
    /// What it may do.
    pub grants: Vec<Grant>,
}

/// A text that is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has another form.
    #[error("the text is not an API key: one looks like pm_<id>_<secret>, with 43 characters of secret")]
    Form,
    /// The id is not possible.
    #[error("the id of an API key has 1 to 64 of the characters A-Z a-z 0-9 - _ .")]
    Id,
    /// The system has no random numbers.
    #[error("the operating system gave no random numbers for the key; try again")]
    Random,
}

/// A key as its owner holds it. Shows only its id when debugged.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText {
    id: String,
    secret: String,
}

impl KeyText {
    /// A new random key.
    pub fn generate(id: &str) -> Result<Self, KeyError> {
        check_id(id)?;
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|_| KeyError::Random)?;
        Ok(KeyText {
            id: id.into(),
            secret: URL_SAFE_NO_PAD.encode(secret),
        })
    }

    /// What the server keeps of it.
    pub fn to_key(&self, grants: Vec<Grant>) -> ApiKey {
        ApiKey {
            id: self.id.clone(),
            sha256: self.digest(),
            grants,
        }
    }

    /// The text for the client, secret included. Never log it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// The id, not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn digest(&self) -> Digest {
        Digest(sha2::Sha256::digest(self.secret.as_bytes()).into())
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_...", self.id)
    }
}

impl FromStr for KeyText {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (id, secret) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_at_checked(rest.len().checked_sub(SECRET_CHARS)?))
            .and_then(|(id, secret)| Some((id.strip_suffix('_')?, secret)))
            .ok_or(KeyError::Form)?;
        check_id(id).map_err(|_| KeyError::Form)?;
        // A short secret could be guessed, and then neither the plain hash nor the limiter would be enough.
        match URL_SAFE_NO_PAD.decode(secret) {
            Ok(bytes) if bytes.len() == SECRET_BYTES => Ok(KeyText {
                id: id.into(),
                secret: secret.into(),
            }),
            _ => Err(KeyError::Form),
        }
    }
}

fn check_id(id: &str) -> Result<(), KeyError> {
    let fits =
        (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if fits { Ok(()) } else { Err(KeyError::Id) }
}

/// Where keys come from. Asked for every request, so that a revoked key stops working at once.
pub trait Keys: Send + Sync + 'static {
    /// The key with this id.
    fn find(&self, id: &str) -> Option<Arc<ApiKey>>;
}

/// Keys in memory, replaced as a whole when the configuration is reloaded.
#[derive(Default)]
pub struct KeyRing(ArcSwap<HashMap<String, Arc<ApiKey>>>);

impl KeyRing {
    /// A ring of these keys; of two with one id the later wins.
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        let ring = KeyRing::default();
        ring.replace(keys);
        ring
    }

    /// From now on only these keys are valid. A request already admitted goes on.
    pub fn replace(&self, keys: impl IntoIterator<Item = ApiKey>) {
        self.0.store(Arc::new(
            keys.into_iter().map(|k| (k.id.clone(), Arc::new(k))).collect(),
        ));
    }
}

impl Keys for KeyRing {
    fn find(&self, id: &str) -> Option<Arc<ApiKey>> {
        self.0.load().get(id).cloned()
    }
}

/// The principal behind a key text. Takes the same time whether the id or the secret is wrong.
pub(crate) fn verify(keys: &dyn Keys, text: &str) -> Option<Principal> {
    let text: KeyText = text.parse().ok()?;
    let key = keys.find(&text.id);
    let expected = key.as_ref().map_or([0; 32], |k| k.sha256.0);
    let equal: bool = text.digest().0.ct_eq(&expected).into();
    key.filter(|_| equal).map(|k| Principal {
        id: k.id.clone(),
        grants: k.grants.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_by_its_hash_and_nothing_else_is() {
        let text = KeyText::generate("ci-1").unwrap();
        let other = KeyText::generate("ci-1").unwrap();
        let ring = KeyRing::new([text.to_key(vec![])]);
        assert_eq!(verify(&ring, &text.reveal()).unwrap().id, "ci-1");
        assert!(verify(&ring, &other.reveal()).is_none(), "same id, other secret");
        assert!(
            verify(&ring, &KeyText::generate("ci-2").unwrap().reveal()).is_none(),
            "unknown id"
        );
        ring.replace([]);
        assert!(verify(&ring, &text.reveal()).is_none(), "revoked");
    }

    #[test]
    fn id_and_secret_may_both_hold_what_stands_between_them() {
        for id in ["a_b", "ci_", "_", "web.v2", "a_b.c-d"] {
            let text = KeyText::generate(id).unwrap();
            assert_eq!(text.reveal().parse::<KeyText>().unwrap(), text);
            let secret = format!("_{}_A", "-_".repeat(20));
            let given = format!("pm_{id}_{secret}");
            let parsed: KeyText = given.parse().unwrap();
            assert_eq!((parsed.id(), parsed.reveal()), (id, given));
        }
    }

    #[test]
    fn the_hash_of_nothing_opens_nothing() {
        let zero = ApiKey {
            id: "z".into(),
            sha256: Digest([0; 32]),
            grants: vec![],
        };
        assert!(verify(&KeyRing::new([zero]), &KeyText::generate("z").unwrap().reveal()).is_none());
    }

    #[test]
    fn texts_of_another_form_are_refused_and_secrets_are_not_printed() {
        let good = KeyText::generate("a").unwrap();
        for bad in [
            "",
            "pm_",
            "pm_a",
            "pm_a_short",
            "xx_a_0",
            &good.reveal()[1..],
            &format!("{}A", good.reveal()),
            &format!("pm_{}", "A".repeat(43)),
            &format!("pm__{}", "A".repeat(43)),
            &format!("pm_a{}", "A".repeat(43)),
            // A character on the border between id and secret.
            &format!("pm_a_\u{e9}{}", "A".repeat(42)),
        ] {
            assert_eq!(bad.parse::<KeyText>(), Err(KeyError::Form), "{bad}");
        }
        for bad in ["", "a b", "a/b", "\u{e9}", &"x".repeat(65)] {
            assert_eq!(KeyText::generate(bad), Err(KeyError::Id), "{bad}");
        }
        assert_eq!(format!("{good:?}"), "pm_a_...");
        assert_eq!(good.reveal().parse::<KeyText>(), Ok(good));
    }
}
