//! The catalog in memory: for tests and for `simulate`. Nothing survives the process.

use super::{Catalog, Error, NewVersion, Number, Reference, Resolved, Strategy, room_for_strategy, sized_digest};
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

impl Inner {
    fn room(&self, tenant: &Tenant, name: &Name) -> Result<(), Error> {
        match self.strategies.get(&(tenant.clone(), name.clone())) {
            Some(strategy) => strategy.room(),
            None => {
                let has = self.strategies.keys().filter(|(of, _)| of == tenant).count();
                room_for_strategy(has, tenant, name)
            }
        }
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

    fn room(&self, tenant: &Tenant, name: &Name) -> Result<(), Error> {
        self.lock().room(tenant, name)
    }

    fn add(&self, tenant: &Tenant, name: &Name, version: NewVersion) -> Result<Number, Error> {
        let mut inner = self.lock();
        let component = inner.components.get(&version.component);
        let size = component.ok_or(Error::NoSuchComponent(version.component))?.len() as u64;
        inner.room(tenant, name)?;
        let key = (tenant.clone(), name.clone());
        let strategies = &mut inner.strategies;
        let strategy = strategies.entry(key).or_insert_with(|| Strategy::new(tenant, name));
        Ok(strategy.add(version, size)?.number)
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
