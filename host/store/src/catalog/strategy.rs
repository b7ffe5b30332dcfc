//! One strategy's versions and history: the rules, without any storage.

use super::{Error, MAX_ACTIVATIONS, MAX_NOTE, MAX_VERSIONS, NewVersion, Number, Resolved};
use crate::{Name, Tenant};
use pointsman_contract::Digest;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// A strategy as the catalog keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// Whose.
    pub tenant: Tenant,
    /// Its name.
    pub name: Name,
    /// Version 1 first.
    pub versions: Vec<Version>,
    /// Which version became active when, oldest first; the last one is active.
    pub activations: Vec<Activation>,
}

/// One version of a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// 1, 2, 3...
    pub number: Number,
    /// The component.
    pub component: Digest,
    /// The document that it was made from, where it carries one.
    pub source: Option<Digest>,
    /// When it was deployed, in ms since the epoch.
    pub created_ms: u64,
    /// Who deployed it.
    pub by: String,
    /// What changed, in the author's words.
    pub note: String,
    /// The component's bytes. Absent in records of before it was kept, until the catalog is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The catalog's signature over the record and whose it is; see [`super::Files`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Digest>,
}

/// A version became active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    /// The version.
    pub version: Number,
    /// What a rollback from here returns to.
    pub replaced: Option<Number>,
    /// When, in ms since the epoch.
    pub at_ms: u64,
    /// Who did it.
    pub by: String,
}

impl Strategy {
    pub(super) fn new(tenant: &Tenant, name: &Name) -> Self {
        Strategy {
            tenant: tenant.clone(),
            name: name.clone(),
            versions: Vec::new(),
            activations: Vec::new(),
        }
    }

    /// The active version.
    pub fn active(&self) -> Option<&Version> {
        self.activations.last().and_then(|a| self.version(a.version))
    }

    /// A version by its number.
    pub fn version(&self, number: Number) -> Option<&Version> {
        self.versions.get(number.0.get() as usize - 1)
    }

    pub(super) fn resolve(&self, version: Option<Number>) -> Result<Resolved, Error> {
        let found = match version {
            Some(number) => self.version(number).ok_or_else(|| self.no_such(number))?,
            None => self.active().ok_or_else(|| Error::NotActive {
                tenant: self.tenant.clone(),
                name: self.name.clone(),
            })?,
        };
        Ok(Resolved {
            version: found.number,
            component: found.component,
        })
    }

    /// Whether another version can be added.
    pub(super) fn room(&self) -> Result<(), Error> {
        if self.versions.len() >= MAX_VERSIONS {
            return Err(Error::TooManyVersions {
                tenant: self.tenant.clone(),
                name: self.name.clone(),
            });
        }
        Ok(())
    }

    /// Adds a version whose component has `size` bytes.
    pub(super) fn add(&mut self, new: NewVersion, size: u64) -> Result<&mut Version, Error> {
        bounded("by", &new.by)?;
        bounded("note", &new.note)?;
        self.room()?;
        let NewVersion {
            component,
            source,
            created_ms,
            by,
            note,
        } = new;
        let number = NonZeroU32::MIN.saturating_add(self.versions.len() as u32);
        let number = Number(number);
        self.versions.push(Version {
            number,
            component,
            source,
            created_ms,
            by,
            note,
            size: Some(size),
            signature: None,
        });
        Ok(self.versions.last_mut().expect("one was pushed"))
    }

    pub(super) fn activate(&mut self, version: Number, at_ms: u64, by: &str) -> Result<(), Error> {
        bounded("by", by)?;
        self.version(version).ok_or_else(|| self.no_such(version))?;
        let replaced = self.activations.last().map(|a| a.version);
        if replaced != Some(version) {
            self.remember(Activation {
                version,
                replaced,
                at_ms,
                by: by.into(),
            });
        }
        Ok(())
    }

    pub(super) fn roll_back(&mut self, at_ms: u64, by: &str) -> Result<Number, Error> {
        bounded("by", by)?;
        let version = self
            .activations
            .last()
            .and_then(|a| a.replaced)
            .ok_or_else(|| Error::NothingToRollBackTo {
                tenant: self.tenant.clone(),
                name: self.name.clone(),
            })?;
        // What that version itself had replaced, when it last became active before now.
        let earlier = &self.activations[..self.activations.len() - 1];
        let replaced = earlier
            .iter()
            .rev()
            .find(|a| a.version == version)
            .and_then(|a| a.replaced);
        self.remember(Activation {
            version,
            replaced,
            at_ms,
            by: by.into(),
        });
        Ok(version)
    }

    fn remember(&mut self, activation: Activation) {
        self.activations.push(activation);
        if self.activations.len() > MAX_ACTIVATIONS {
            self.activations.remove(0);
        }
    }

    fn no_such(&self, version: Number) -> Error {
        let (tenant, name) = (self.tenant.clone(), self.name.clone());
        Error::NoSuchVersion {
            tenant,
            name,
            version,
            last: self.versions.len(),
        }
    }

    /// What a reader of stored bytes must not take for granted. `None` when all is well.
    pub(super) fn flaw(&self, tenant: &Tenant, name: &Name) -> Option<String> {
        if (&self.tenant, &self.name) != (tenant, name) {
            return Some(format!("it describes `{}` of tenant {}", self.name, self.tenant));
        }
        if self.versions.len() > MAX_VERSIONS || self.activations.len() > MAX_ACTIVATIONS {
            return Some("it lists more versions or activations than there can be".into());
        }
        let misnumbered = self
            .versions
            .iter()
            .zip(1u32..)
            .find(|(version, n)| version.number.0.get() != *n);
        if let Some((version, n)) = misnumbered {
            return Some(format!("version {} stands where {n} belongs", version.number));
        }
        let numbers = self
            .activations
            .iter()
            .flat_map(|a| [Some(a.version), a.replaced])
            .flatten();
        numbers
            .into_iter()
            .find(|n| self.version(*n).is_none())
            .map(|n| format!("it activates version {n}, which it lacks"))
    }
}

fn bounded(field: &'static str, text: &str) -> Result<(), Error> {
    if text.len() > MAX_NOTE {
        return Err(Error::TextTooLong {
            field,
            size: text.len(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u32) -> Number {
        Number(NonZeroU32::new(n).unwrap())
    }

    fn with_versions(n: usize) -> Strategy {
        let mut strategy = Strategy::new(&"t".parse().unwrap(), &"s".parse().unwrap());
        for i in 0..n {
            let component = Digest([i as u8; 32]);
            let new = NewVersion {
                component,
                source: None,
                created_ms: 0,
                by: String::new(),
                note: String::new(),
            };
            assert_eq!(strategy.add(new, 1).unwrap().number, number(i as u32 + 1));
        }
        strategy
    }

    #[test]
    fn rolling_back_twice_goes_back_twice_and_keeps_the_history() {
        let mut s = with_versions(3);
        for n in 1..=3 {
            s.activate(number(n), 0, "").unwrap();
        }
        assert_eq!(s.roll_back(0, "").unwrap(), number(2));
        assert_eq!(s.roll_back(0, "").unwrap(), number(1));
        assert!(matches!(s.roll_back(0, ""), Err(Error::NothingToRollBackTo { .. })));
        let history: Vec<u32> = s.activations.iter().map(|a| a.version.0.get()).collect();
        assert_eq!(history, [1, 2, 3, 2, 1]);
    }

    #[test]
    fn after_a_rollback_a_new_activation_can_be_rolled_back_too() {
        let mut s = with_versions(3);
        s.activate(number(1), 0, "").unwrap();
        s.activate(number(2), 0, "").unwrap();
        s.roll_back(0, "").unwrap();
        s.activate(number(3), 0, "").unwrap();
        assert_eq!(s.roll_back(0, "").unwrap(), number(1));
    }

    #[test]
    fn activating_the_active_version_changes_nothing() {
        let mut s = with_versions(1);
        s.activate(number(1), 0, "").unwrap();
        s.activate(number(1), 0, "").unwrap();
        assert_eq!(s.activations.len(), 1);
    }

    #[test]
    fn versions_history_and_texts_are_bounded() {
        let mut s = with_versions(MAX_VERSIONS);
        let new = NewVersion {
            component: Digest([0; 32]),
            source: None,
            created_ms: 0,
            by: String::new(),
            note: String::new(),
        };
        assert!(matches!(s.add(new.clone(), 1), Err(Error::TooManyVersions { .. })));
        let long = NewVersion {
            note: "x".repeat(MAX_NOTE + 1),
            ..new
        };
        assert!(matches!(
            with_versions(0).add(long, 1),
            Err(Error::TextTooLong { field: "note", .. })
        ));
        for i in 0..MAX_ACTIVATIONS + 10 {
            s.activate(number(i as u32 % 2 + 1), 0, "").unwrap();
        }
        assert_eq!(s.activations.len(), MAX_ACTIVATIONS);
    }
}
