//! How many requests may be in work.

use crate::Error;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Requests in work, over all owners. Each may hold an answer of the caller's bound.
pub const MAX_REQUESTS: usize = 1024;

/// Requests in work of one owner: three of them leave a quarter to the others.
pub const MAX_REQUESTS_OF_OWNER: usize = MAX_REQUESTS / 4 - RESERVED / 4;

/// Of all requests, and of each owner's beside its own, those that only [`crate::Request::reserved`] ones get.
pub const RESERVED: usize = 128;

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
    pub fn enter(&self, owner: &str, reserved: bool) -> Result<Place, Error> {
        let (most, most_of_owner) = match reserved {
            true => (MAX_REQUESTS, MAX_REQUESTS_OF_OWNER + RESERVED / 4),
            false => (MAX_REQUESTS - RESERVED, MAX_REQUESTS_OF_OWNER),
        };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.all >= most {
            return Err(Error::Overloaded(most));
        }
        let own = held.by_owner.get(owner).copied().unwrap_or_default();
        if own >= most_of_owner {
            return Err(Error::Overloaded(most_of_owner));
        }
        let own = held.by_owner.entry(owner.to_owned()).or_default();
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
    fn an_owner_takes_no_more_than_its_share_and_gives_it_back_and_documents_have_places_of_their_own() {
        let room = Room::default();
        let mut places = Vec::new();
        for owner in ["a", "b", "c", "d"] {
            places.extend((0..MAX_REQUESTS_OF_OWNER).map(|_| room.enter(owner, false)));
        }
        assert!(places.iter().all(Result::is_ok));
        let most = MAX_REQUESTS - RESERVED;
        assert_eq!(places.len(), most);
        assert_eq!(room.enter("a", false).err(), Some(Error::Overloaded(most)));
        assert_eq!(room.enter("e", false).err(), Some(Error::Overloaded(most)));
        places.extend((0..RESERVED / 4).map(|_| room.enter("a", true)));
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(
            room.enter("a", true).err(),
            Some(Error::Overloaded(MAX_REQUESTS_OF_OWNER + RESERVED / 4))
        );
        assert!(room.enter("e", true).is_ok());
        drop(places);
        let own: Vec<_> = (0..MAX_REQUESTS_OF_OWNER).map(|_| room.enter("a", false)).collect();
        assert!(own.iter().all(Result::is_ok));
        assert_eq!(
            room.enter("a", false).err(),
            Some(Error::Overloaded(MAX_REQUESTS_OF_OWNER))
        );
        drop(own);
        assert!(
            room.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .by_owner
                .is_empty()
        );
    }
}
