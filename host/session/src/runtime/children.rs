//! Sessions that other sessions have invoked (W3C SCXML 6.4), seen from the one that invoked them.
//!
//! ```text
//!   invoke        --> a place here --> whoever performs commands finds the document --> Runtime::start with a parent
//!   cancel-invoke --> the place goes, and the child has one last step
//!   #_id          --> the child, or the place until it is there
//!   child's end   --> done.invoke.id, unless the place is gone
//! ```

use pointsman_contract::{CommandId, Event, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// An invocation that a session is started for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Who invokes.
    pub session: SessionId,
    /// Its name for it (`invokeid`), which another one may have had before.
    pub invoke: String,
    /// The command, which no other one has.
    pub command: CommandId,
}

/// Sessions that may stand above one another. A strategy that invokes itself would go on until the tenant's last place.
pub const MAX_DEPTH: u16 = 16;

/// Sessions that one session may have invoked at a time.
pub const MAX_CHILDREN: usize = 64;

/// Events that may wait for a child that is not there yet.
const MAX_EARLY: usize = 64;

/// A session's invocations.
#[derive(Default)]
pub(super) struct Children {
    places: BTreeMap<String, Place>,
    /// Invocations whose documents are being found, those that are over meanwhile included: the work goes on for a moment.
    coming: BTreeSet<CommandId>,
    /// The parent is over: nobody begins any more.
    closed: bool,
}

struct Place {
    command: CommandId,
    autoforward: bool,
    child: Child,
}

enum Child {
    /// Its document is being fetched or compiled; events for it wait.
    Coming(Vec<Event>),
    Here(SessionId),
}

/// What an event for a child becomes.
pub(super) enum Reached {
    /// Deliver it to this session.
    Child(SessionId),
    /// It waits for the child.
    Later,
    /// Nothing of this name is invoked, or too much waits.
    Nobody,
}

impl Children {
    /// An invocation has begun. One of the same name, if any, is over: its child is answered.
    pub fn begin(&mut self, invoke: &str, autoforward: bool, command: CommandId) -> Option<SessionId> {
        let place = Place {
            command,
            autoforward,
            child: Child::Coming(Vec::new()),
        };
        if self.closed {
            return None;
        }
        self.coming.insert(command);
        self.places.insert(invoke.to_owned(), place).and_then(Place::child)
    }

    /// Is there room for one more?
    pub fn is_full(&self) -> bool {
        let here = self
            .places
            .values()
            .filter(|place| matches!(place.child, Child::Here(_)));
        here.count() + self.coming.len() >= MAX_CHILDREN
    }

    /// Does this invocation wait for its child?
    pub fn awaits(&self, invocation: &Invocation) -> bool {
        let place = self.places.get(&invocation.invoke);
        place.is_some_and(|place| place.command == invocation.command && matches!(place.child, Child::Coming(_)))
    }

    /// The work for an invocation is over.
    pub fn found(&mut self, command: CommandId) {
        self.coming.remove(&command);
    }

    /// Is this session the child of this name?
    pub fn has(&self, invoke: &str, session: SessionId) -> bool {
        matches!(self.places.get(invoke), Some(Place { child: Child::Here(child), .. }) if *child == session)
    }

    /// The child is there: what has waited for it.
    pub fn arrive(&mut self, invoke: &str, session: SessionId) -> Vec<Event> {
        let Some(place) = self.places.get_mut(invoke) else {
            return Vec::new();
        };
        match std::mem::replace(&mut place.child, Child::Here(session)) {
            Child::Coming(early) => early,
            Child::Here(_) => Vec::new(),
        }
    }

    /// An event for the child of this name.
    pub fn reach(&mut self, invoke: &str, event: &Event) -> Reached {
        match self.places.get_mut(invoke).map(|place| &mut place.child) {
            Some(Child::Here(session)) => Reached::Child(*session),
            Some(Child::Coming(early)) if early.len() < MAX_EARLY => {
                early.push(event.clone());
                Reached::Later
            }
            _ => Reached::Nobody,
        }
    }

    /// Names of the invocations that every event is forwarded to.
    pub fn forwarded(&self) -> Vec<String> {
        let places = self.places.iter().filter(|(_, place)| place.autoforward);
        places.map(|(invoke, _)| invoke.clone()).collect()
    }

    /// The invocation is over; its child, if it is there.
    pub fn end(&mut self, invoke: &str) -> Option<SessionId> {
        self.places.remove(invoke).and_then(Place::child)
    }

    /// The invocation is over because this child is. False where it was over before.
    pub fn left(&mut self, invoke: &str, child: SessionId) -> bool {
        let is_its = self.has(invoke, child);
        if is_its {
            self.places.remove(invoke);
        }
        is_its
    }

    /// The parent is over: its children.
    pub fn close(&mut self) -> Vec<SessionId> {
        self.closed = true;
        let places = std::mem::take(&mut self.places);
        places.into_values().filter_map(Place::child).collect()
    }
}

impl Place {
    fn child(self) -> Option<SessionId> {
        match self.child {
            Child::Here(session) => Some(session),
            Child::Coming(_) => None,
        }
    }
}
