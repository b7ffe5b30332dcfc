//! All sessions, live and lately ended, and the limits on how many there are.

use super::{Error, Filter, Page, Snapshot, cell::Cell};
use pointsman_contract::SessionId;
use pointsman_store::Tenant;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Parts with a lock each.
const SHARDS: usize = 64;

type Shard = RwLock<HashMap<SessionId, Arc<Cell>>>;

pub(super) struct Table {
    shards: Vec<Shard>,
    live: AtomicUsize,
    /// One entry for each tenant that ever had a session: as many as are configured.
    tenants: RwLock<HashMap<Tenant, Arc<OfTenant>>>,
}

/// One tenant's sessions.
#[derive(Default)]
pub(super) struct OfTenant {
    live: AtomicUsize,
    /// Ended sessions that can still be asked about, oldest first.
    ended: Mutex<VecDeque<SessionId>>,
}

/// Takes one of `limit` places.
fn take_place(taken: &AtomicUsize, limit: usize) -> bool {
    taken
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
        .is_ok()
}

impl Table {
    pub fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Table {
            shards,
            live: AtomicUsize::new(0),
            tenants: RwLock::default(),
        }
    }

    fn shard(&self, id: SessionId) -> &Shard {
        // Lanes use the low bits.
        &self.shards[(id.hash() >> 32) as usize % SHARDS]
    }

    pub fn get(&self, id: SessionId) -> Option<Arc<Cell>> {
        self.shard(id)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub fn insert(&self, cell: Arc<Cell>) {
        let id = cell.info.id;
        self.shard(id)
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, cell);
    }

    fn remove(&self, id: SessionId) {
        self.shard(id)
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    pub fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// Takes the places of a new session.
    pub fn admit(&self, tenant: &Tenant, max: usize, max_of_tenant: usize) -> Result<Arc<OfTenant>, Error> {
        if !take_place(&self.live, max) {
            return Err(Error::TooManySessions { limit: max });
        }
        let of_tenant = self.tenant(tenant);
        if !take_place(&of_tenant.live, max_of_tenant) {
            self.live.fetch_sub(1, Ordering::Release);
            return Err(Error::TooManySessionsOfTenant {
                tenant: tenant.clone(),
                limit: max_of_tenant,
            });
        }
        Ok(of_tenant)
    }

    fn tenant(&self, tenant: &Tenant) -> Arc<OfTenant> {
        let known = self
            .tenants
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)
            .cloned();
        known.unwrap_or_else(|| {
            self.tenants
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(tenant.clone())
                .or_default()
                .clone()
        })
    }

    /// Undoes `admit` and `insert` of a session that could not be scheduled.
    pub fn withdraw(&self, cell: &Cell) {
        self.remove(cell.info.id);
        self.leave(&cell.of_tenant);
    }

    /// Moves a session to the ended ones, of which the tenant's last `kept` stay.
    pub fn ended(&self, cell: &Cell, kept: usize) {
        let mut ended = cell.of_tenant.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push_back(cell.info.id);
        let oldest = if ended.len() > kept { ended.pop_front() } else { None };
        drop(ended);
        if let Some(oldest) = oldest {
            self.remove(oldest);
        }
        self.leave(&cell.of_tenant);
    }

    fn leave(&self, of_tenant: &OfTenant) {
        of_tenant.live.fetch_sub(1, Ordering::Release);
        self.live.fetch_sub(1, Ordering::Release);
    }

    /// Every session, in no order.
    pub fn all(&self) -> Vec<Arc<Cell>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|s| {
                s.read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .values()
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// A page of the sessions that match, newest first.
    pub fn list(&self, filter: &Filter, page: Page) -> Vec<Snapshot> {
        let limit = page.limit.clamp(1, super::MAX_PAGE);
        let mut newest = BTreeSet::new();
        self.each(|cell| {
            let position = cell.info.position();
            if page.after.is_none_or(|after| position < after) && cell.matches(filter) {
                newest.insert(position);
                if newest.len() > limit {
                    newest.pop_first();
                }
            }
        });
        // One may have gone since.
        newest
            .into_iter()
            .rev()
            .filter_map(|position| self.get(position.id))
            .map(|cell| cell.snapshot())
            .collect()
    }

    /// How many sessions match, by the version of their strategy.
    pub fn count_by_version(&self, filter: &Filter) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        self.each(|cell| {
            if cell.matches(filter) {
                *counts.entry(cell.info.version).or_default() += 1;
            }
        });
        counts
    }

    fn each(&self, mut f: impl FnMut(&Cell)) {
        for shard in &self.shards {
            for cell in shard.read().unwrap_or_else(PoisonError::into_inner).values() {
                f(cell);
            }
        }
    }
}
