//! How many connections there may be, in all and per source.

use crate::sip::uas::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections. Locked only to count.
pub(super) struct Quota {
    counts: Mutex<(usize, HashMap<IpAddr, usize>)>,
    limit: usize,
    limit_per_source: usize,
}

/// One counted connection; dropping it counts down.
pub(super) struct Place {
    quota: Arc<Quota>,
    source: IpAddr,
}

impl Quota {
    pub(super) fn new(limit: usize, limit_per_source: usize) -> Arc<Quota> {
        Arc::new(Quota {
            counts: Mutex::default(),
            limit,
            limit_per_source,
        })
    }

    /// A place for a connection from `source`; none when there are too many.
    pub(super) fn take(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let source = network(source);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, sources) = &mut *counts;
        let from_source = sources.get(&source).copied().unwrap_or(0);
        if *all >= self.limit || from_source >= self.limit_per_source {
            return None;
        }
        *all += 1;
        sources.insert(source, from_source + 1);
        Some(Place {
            quota: Arc::clone(self),
            source,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.quota.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, sources) = &mut *counts;
        *all -= 1;
        if let Some(n) = sources.get_mut(&self.source) {
            *n -= 1;
            if *n == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_per_source_and_come_back() {
        let quota = Quota::new(3, 2);
        let (a, b): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let first = quota.take(a).unwrap();
        let _second = quota.take(a).unwrap();
        assert!(quota.take(a).is_none());
        let _third = quota.take(b).unwrap();
        assert!(quota.take(b).is_none());
        drop(first);
        assert!(quota.take(b).is_some());
    }

    #[test]
    fn an_ipv6_network_has_the_places_of_one_source() {
        let quota = Quota::new(9, 1);
        let source = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = quota.take(source("2001:db8::1")).unwrap();
        assert!(quota.take(source("2001:db8::2")).is_none());
        assert!(quota.take(source("2001:db8:0:1::1")).is_some());
        drop(first);
        assert!(quota.take(source("2001:db8::2")).is_some());
    }
}
