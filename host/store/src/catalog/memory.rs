//! The catalog in memory: for tests and for `simulate`. Nothing survives the process.

use super::{Catalog, Error, NewVersion, Number, Reference, Resolved, Strategy, sized_digest};
use crate::{Name, Tenant};
use pointsman_contract::Digest;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The catalog in memory.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    components: HashMap<Digest, Arc<[u8]>>,
    strategies: BTreeMap<(Tenant, Name), Strategy>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn strategy(&mut self, tenant: &Tenant, name: &Name) -> Result<&mut Strategy, Error> {
        self.strategies
            .get_mut(&(tenant.clone(), name.clone()))
            .ok_or_else(|| Error::NoSuchStrategy {
                tenant: tenant.clone(),
                name: name.clone(),
            })
    }
}

impl Catalog for Memory {
    fn put(&self, component: &[u8]) -> Result<Digest, Error> {
        let digest = sized_digest(component)?;
        self.lock().components.entry(digest).or_insert_with(|| component.into());
        Ok(digest)
    }

    fn component(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        self.lock()
            .components
            .get(&digest)
            .map(|bytes| bytes.to_vec())
            .ok_or(Error::NoSuchComponent(digest))
    }

    fn add(&self, tenant: &Tenant, name: &Name, version: NewVersion) -> Result<Number, Error> {
        let mut inner = self.lock();
        if !inner.components.contains_key(&version.component) {
            return Err(Error::NoSuchComponent(version.component));
        }
        let key = (tenant.clone(), name.clone());
        inner
            .strategies
            .entry(key)
            .or_insert_with(|| Strategy::new(tenant, name))
            .add(version)
    }

    fn activate(&self, tenant: &Tenant, name: &Name, version: Number, at_ms: u64, by: &str) -> Result<(), Error> {
        self.lock().strategy(tenant, name)?.activate(version, at_ms, by)
    }

    fn roll_back(&self, tenant: &Tenant, name: &Name, at_ms: u64, by: &str) -> Result<Number, Error> {
        self.lock().strategy(tenant, name)?.roll_back(at_ms, by)
    }

    fn list(&self, tenant: &Tenant) -> Result<Vec<Strategy>, Error> {
        Ok(self
            .lock()
            .strategies
            .values()
            .filter(|s| s.tenant == *tenant)
            .cloned()
            .collect())
    }

    fn show(&self, tenant: &Tenant, name: &Name) -> Result<Strategy, Error> {
        self.lock().strategy(tenant, name).cloned()
    }

    fn resolve(&self, tenant: &Tenant, reference: &Reference) -> Result<Resolved, Error> {
        self.lock()
            .strategy(tenant, &reference.name)?
            .resolve(reference.version)
    }
}
