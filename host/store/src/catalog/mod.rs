//! The catalog of deployed strategies.
//!
//! Components are kept by their digest: written once, never changed, checked when read. A tenant's strategy is a list
//! of versions 1, 2, 3... that point at components, and a history of which version was active when. Activating never
//! rewrites the past, so rolling back is one more entry: it returns to the version that the active one replaced, and
//! doing it again goes one further back.
//!
//! Calls may wait for a disk or another host: make them from a thread that may block. [`Catalog::resolve`] alone is
//! answered from memory, because every call that begins a session asks it.

mod files;
mod memory;
mod signature;
mod strategy;

pub use files::{Files, Problem};
pub use memory::Memory;
pub use strategy::{Activation, Strategy, Version};

use crate::{InvalidName, Name, Tenant};
use pointsman_contract::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, num::NonZeroU32, str::FromStr};

/// Largest component, in bytes.
pub const MAX_COMPONENT: usize = 64 << 20;

/// Most strategies of one tenant.
pub const MAX_STRATEGIES: usize = 1_000;

/// Most versions of one strategy.
pub const MAX_VERSIONS: usize = 1_000;

/// Most activations remembered for one strategy; the oldest are forgotten first.
pub const MAX_ACTIVATIONS: usize = 1_000;

/// Longest note, and longest name of who did it, in bytes.
pub const MAX_NOTE: usize = 1_000;

/// Position among a strategy's versions: 1, 2, 3...
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(pub NonZeroU32);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// `name` or `name@version`, as written in `Orchestration/application`. Without a version: the active one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The strategy.
    pub name: Name,
    /// A version; `None` means the active one.
    pub version: Option<Number>,
}

/// The text is not a reference to a strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// The name in it.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// What follows `@`.
    #[error("`{0}` is not a version: write `name` for the active version, or `name@3`")]
    Version(String),
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => {
                let bad = |_| InvalidReference::Version(version.chars().take(20).collect());
                (name, Some(Number(version.parse().map_err(bad)?)))
            }
            None => (text, None),
        };
        Ok(Reference {
            name: name.parse()?,
            version,
        })
    }
}

/// A version to be added.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Digest of a component that was [`Catalog::put`].
    pub component: Digest,
    /// Digest of the source document that it was made from, where it carries one.
    pub source: Option<Digest>,
    /// When, in ms since the epoch.
    pub created_ms: u64,
    /// Who: the name of the API key or user.
    pub by: String,
    /// What changed, in the author's words.
    pub note: String,
}

/// A reference, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The version.
    pub version: Number,
    /// Its component.
    pub component: Digest,
}

/// Why the catalog did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenant has no strategy of this name.
    #[error("tenant {tenant} has no strategy `{name}`: deploy it first, or list what there is")]
    NoSuchStrategy {
        /// The tenant.
        tenant: Tenant,
        /// The name.
        name: Name,
    },
    /// The strategy has no such version.
    #[error("strategy `{name}` of tenant {tenant} has no version {version}: its last is {last}")]
    NoSuchVersion {
        /// The tenant.
        tenant: Tenant,
        /// The name.
        name: Name,
        /// The version asked for.
        version: Number,
        /// The newest version.
        last: usize,
    },
    /// The strategy has versions, none of them active.
    #[error("strategy `{name}` of tenant {tenant} has no active version: activate one")]
    NotActive {
        /// The tenant.
        tenant: Tenant,
        /// The name.
        name: Name,
    },
    /// No earlier version to go back to.
    #[error("strategy `{name}` of tenant {tenant} has no earlier active version to roll back to")]
    NothingToRollBackTo {
        /// The tenant.
        tenant: Tenant,
        /// The name.
        name: Name,
    },
    /// No component with this digest.
    #[error("there is no component {0}: upload it first")]
    NoSuchComponent(Digest),
    /// A component over [`MAX_COMPONENT`].
    #[error("the component has {size} bytes, the limit is {MAX_COMPONENT}")]
    ComponentTooLarge {
        /// Its bytes.
        size: usize,
    },
    /// [`MAX_VERSIONS`] are there.
    #[error(
        "strategy `{name}` of tenant {tenant} has {MAX_VERSIONS} versions, the most there can be: deploy under a new name"
    )]
    TooManyVersions {
        /// The tenant.
        tenant: Tenant,
        /// The name.
        name: Name,
    },
    /// [`MAX_STRATEGIES`] are there.
    #[error(
        "tenant {tenant} has {MAX_STRATEGIES} strategies, the most there can be: deploy `{name}` as a new version of one of them"
    )]
    TooManyStrategies {
        /// The tenant.
        tenant: Tenant,
        /// The one more.
        name: Name,
    },
    /// The record of a version is not one that this catalog has written.
    #[error(
        "version {version} of strategy `{name}` of tenant {tenant} is not signed by this catalog: its record was changed, \
         or came from elsewhere without the catalog's `key`. Restore the record and `key` from one backup, or deploy the \
         strategy again from a source that you trust"
    )]
    NotSigned {
        /// The tenant.
        tenant: Tenant,
        /// The name.
        name: Name,
        /// The version.
        version: Number,
    },
    /// A text over [`MAX_NOTE`].
    #[error("`{field}` has {size} bytes, the limit is {MAX_NOTE}")]
    TextTooLong {
        /// `by` or `note`.
        field: &'static str,
        /// Its bytes.
        size: usize,
    },
    /// What is stored is not what was written.
    #[error("{file} is damaged ({reason}): restore it from a backup, or remove it and deploy again")]
    Corrupt {
        /// The file, relative to the catalog's folder.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has the folder.
    #[error("the catalog's folder is in use by another process: stop it, or give this one a folder of its own")]
    InUse,
    /// The file system refused.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// `read`, `write`...
        action: &'static str,
        /// The file, relative to the catalog's folder.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where deployed strategies are.
pub trait Catalog: Send + Sync {
    /// Keeps a component and answers its digest. The same bytes again change nothing.
    fn put(&self, component: &[u8]) -> Result<Digest, Error>;

    /// A component's bytes, checked against the digest. Components belong to no tenant: whoever serves one to a
    /// tenant goes through [`Catalog::download`].
    fn component(&self, digest: Digest) -> Result<Vec<u8>, Error>;

    /// Whether a further version could be added, to save the work of making one that would be refused.
    fn room(&self, tenant: &Tenant, name: &Name) -> Result<(), Error>;

    /// Adds a version to a strategy, which comes into being with its first. Does not activate it.
    fn add(&self, tenant: &Tenant, name: &Name, version: NewVersion) -> Result<Number, Error>;

    /// Makes a version the active one. Activating the active one again changes nothing.
    fn activate(&self, tenant: &Tenant, name: &Name, version: Number, at_ms: u64, by: &str) -> Result<(), Error>;

    /// Makes the version active that the active one replaced, and answers it.
    fn roll_back(&self, tenant: &Tenant, name: &Name, at_ms: u64, by: &str) -> Result<Number, Error>;

    /// The tenant's strategies, by name.
    fn list(&self, tenant: &Tenant) -> Result<Vec<Strategy>, Error>;

    /// One strategy with its versions and history.
    fn show(&self, tenant: &Tenant, name: &Name) -> Result<Strategy, Error>;

    /// The version and component of a reference. From memory.
    fn resolve(&self, tenant: &Tenant, reference: &Reference) -> Result<Resolved, Error>;

    /// The component of one of the tenant's versions, checked.
    fn download(&self, tenant: &Tenant, reference: &Reference) -> Result<(Resolved, Vec<u8>), Error> {
        let resolved = self.resolve(tenant, reference)?;
        Ok((resolved, self.component(resolved.component)?))
    }
}

/// Whether a tenant that has so many strategies may have one more.
fn room_for_strategy(has: usize, tenant: &Tenant, name: &Name) -> Result<(), Error> {
    if has >= MAX_STRATEGIES {
        return Err(Error::TooManyStrategies {
            tenant: tenant.clone(),
            name: name.clone(),
        });
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn sized_digest(component: &[u8]) -> Result<Digest, Error> {
    if component.len() > MAX_COMPONENT {
        return Err(Error::ComponentTooLarge { size: component.len() });
    }
    Ok(digest(component))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_with_or_without_a_version() {
        let active: Reference = "vip".parse().unwrap();
        assert_eq!((active.name.as_str(), active.version), ("vip", None));
        let third: Reference = "vip@3".parse().unwrap();
        assert_eq!(third.version.unwrap().to_string(), "3");
        for bad in ["", "@1", "vip@", "vip@0", "vip@-1", "vip@1@2", "VIP", "vip@4294967296"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
