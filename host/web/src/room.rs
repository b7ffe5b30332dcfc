//! How many requests may be in work.

use crate::Error;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Requests in work, over all owners. Each may hold an answer of the caller's bound.
pub const MAX_REQUESTS: usize = 1024;

/// Requests in work of one owner.
pub const MAX_REQUESTS_OF_OWNER: usize = 512;

#[derive(Default)]
struct Held {
    all: usize,
    /// Never holds zeros.
    by_owner: HashMap<String, usize>,
}

#[derive(Clone, Default)]
pub(crate) struct Room(Arc<Mutex<Held>>);

/// Held as long as a request is in work.
pub(crate) struct Place {
    room: Room,
    owner: String,
}

impl Room {
    pub fn enter(&self, owner: &str) -> Result<Place, Error> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.all >= MAX_REQUESTS {
            return Err(Error::Overloaded(MAX_REQUESTS));
        }
        let own = held.by_owner.entry(owner.to_owned()).or_default();
        if *own >= MAX_REQUESTS_OF_OWNER {
            return Err(Error::Overloaded(MAX_REQUESTS_OF_OWNER));
        }
        *own += 1;
        held.all += 1;
        Ok(Place {
            room: self.clone(),
            owner: owner.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.room.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= 1;
        if let Some(own) = held.by_owner.get_mut(&self.owner) {
            *own -= 1;
            if *own == 0 {
                held.by_owner.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_takes_no_more_than_its_share_and_gives_it_back() {
        let room = Room::default();
        let places: Vec<_> = (0..MAX_REQUESTS_OF_OWNER).map(|_| room.enter("a")).collect();
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(room.enter("a").err(), Some(Error::Overloaded(MAX_REQUESTS_OF_OWNER)));
        let others: Vec<_> = (0..MAX_REQUESTS - MAX_REQUESTS_OF_OWNER)
            .map(|i| room.enter(["b", "c"][i % 2]))
            .collect();
        assert!(others.iter().all(Result::is_ok));
        assert_eq!(room.enter("d").err(), Some(Error::Overloaded(MAX_REQUESTS)));
        drop((places, others));
        assert!(room.enter("a").is_ok());
        assert!(
            room.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .by_owner
                .is_empty()
        );
    }
}
