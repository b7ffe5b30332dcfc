//! How many requests may be in work at once: in all, and of one key or tenant.
//!
//! A bound for all alone would let one busy (or stolen) key shut everybody out. So a key may hold only a part of the
//! room, and the keys of one tenant together only a part; a key that is for several tenants counts as a key only.

use super::{Principal, Tenancy};
use crate::types::TenantName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why there is no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The room is full.
    All,
    /// The key holds its share, so many places.
    Key(usize),
    /// The tenant's keys hold their share, so many places.
    Tenant(TenantName, usize),
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Holder {
    Key(String),
    Tenant(TenantName),
}

#[derive(Default)]
struct Held {
    all: usize,
    /// Never holds zeros, so it is never larger than twice `all`.
    by: HashMap<Holder, usize>,
}

pub(crate) struct Room {
    all: usize,
    of_key: usize,
    of_tenant: usize,
    held: Mutex<Held>,
}

impl Room {
    /// A room of so many places. A key may hold one in `key_share` of them, a tenant one in `tenant_share`; at least one.
    pub(crate) fn new(places: usize, key_share: usize, tenant_share: usize) -> Arc<Self> {
        let share = |parts: usize| (places / parts.max(1)).max(1);
        Arc::new(Room {
            all: places,
            of_key: share(key_share),
            of_tenant: share(tenant_share),
            held: Mutex::default(),
        })
    }

    /// A place for a request of this principal.
    pub(crate) fn enter(self: &Arc<Self>, principal: &Principal) -> Result<Place, Full> {
        let key = Holder::Key(principal.id.clone());
        let tenant = only_tenant(principal).cloned();
        let mut held = self.held();
        if held.all >= self.all {
            return Err(Full::All);
        }
        let count = |holder: &Holder| held.by.get(holder).copied().unwrap_or(0);
        if count(&key) >= self.of_key {
            return Err(Full::Key(self.of_key));
        }
        let mut holders = vec![key];
        if let Some(tenant) = tenant {
            let holder = Holder::Tenant(tenant.clone());
            if count(&holder) >= self.of_tenant {
                return Err(Full::Tenant(tenant, self.of_tenant));
            }
            holders.push(holder);
        }
        held.all += 1;
        for holder in &holders {
            *held.by.entry(holder.clone()).or_default() += 1;
        }
        drop(held);
        Ok(Place {
            room: self.clone(),
            holders,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a [`Room`], free again when dropped.
pub(crate) struct Place {
    room: Arc<Room>,
    holders: Vec<Holder>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.room.held();
        held.all -= 1;
        for holder in &self.holders {
            let count = held.by.get_mut(holder).expect("a place was counted for its holders");
            *count -= 1;
            if *count == 0 {
                held.by.remove(holder);
            }
        }
    }
}

/// The tenant of a key that is for no other.
fn only_tenant(principal: &Principal) -> Option<&TenantName> {
    let mut names = principal.grants.iter().map(|grant| match &grant.tenant {
        Tenancy::All => None,
        Tenancy::One(name) => Some(name),
    });
    let first = names.next()??;
    names.all(|name| name == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{Grant, Role};

    fn principal(id: &str, tenants: &[&str]) -> Principal {
        let grant = |t: &&str| Grant {
            tenant: Tenancy::try_from((*t).to_owned()).unwrap(),
            role: Role::Operator,
        };
        Principal {
            id: id.into(),
            grants: tenants.iter().map(grant).collect(),
        }
    }

    fn fill(room: &Arc<Room>, principal: &Principal) -> (Vec<Place>, Full) {
        let mut places = Vec::new();
        loop {
            match room.enter(principal) {
                Ok(place) => places.push(place),
                Err(full) => return (places, full),
            }
        }
    }

    #[test]
    fn a_key_gets_a_quarter_its_tenant_a_half_and_places_come_back() {
        let room = Room::new(16, 4, 2);
        let (a, full) = fill(&room, &principal("a", &["north"]));
        assert_eq!((a.len(), full), (4, Full::Key(4)));
        let (b, _) = fill(&room, &principal("b", &["north"]));
        assert_eq!(b.len(), 4);
        let (c, full) = fill(&room, &principal("c", &["north", "north"]));
        assert_eq!((c.len(), full), (0, Full::Tenant("north".parse().unwrap(), 8)));
        let (d, full) = fill(&room, &principal("d", &["north", "south"]));
        assert_eq!(
            (d.len(), full),
            (4, Full::Key(4)),
            "a key of two tenants counts as a key"
        );
        let (e, _) = fill(&room, &principal("e", &["*"]));
        let (f, full) = fill(&room, &principal("f", &["south"]));
        assert_eq!((e.len(), f.len(), full), (4, 0, Full::All));
        drop((a, b, c, d, e));
        assert!(room.held().by.is_empty(), "nothing is remembered of whoever left");
        assert_eq!(fill(&room, &principal("a", &["north"])).0.len(), 4);
    }

    #[test]
    fn the_smallest_room_still_has_a_place() {
        let room = Room::new(1, 4, 2);
        let (places, full) = fill(&room, &principal("a", &["north"]));
        assert_eq!((places.len(), full), (1, Full::All));
    }
}
