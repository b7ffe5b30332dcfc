//! Outcomes that wait until their session has room for them.

use super::lock;
use pointsman_contract::{Event, SessionId};
use pointsman_session::runtime::Error;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

/// Outcomes of one session that may wait.
const MAX_LATE: usize = 256;

/// How long is waited before they are offered again: twice as long each time, and at most.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(20);
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How long a session may take nothing.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(120);

/// By session, oldest first. A session that has a queue has somebody who empties it.
#[derive(Default)]
pub(super) struct Late(Mutex<HashMap<SessionId, VecDeque<Event>>>);

/// What became of an outcome.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The session has it, or is over; nothing waits.
    Heard,
    /// It waits.
    Waits,
    /// It waits, and is the first: somebody is needed who offers it again.
    FirstWaits,
}

/// Why a session will never hear of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unheard(pub String);

impl Late {
    /// Offers an event, behind those that wait.
    pub fn tell(
        &self,
        session: SessionId,
        event: Event,
        report: impl FnOnce(Event) -> Result<(), Error>,
    ) -> Result<Told, Unheard> {
        if !lock(&self.0).contains_key(&session) {
            match report(event.clone()) {
                Ok(()) => return Ok(Told::Heard),
                Err(error) => match judge(&error) {
                    Judged::Over => {
                        tracing::debug!(%session, name = event.name, "an outcome of a session that is over");
                        return Ok(Told::Heard);
                    }
                    Judged::Never => return Err(Unheard(error.to_string())),
                    Judged::Later => {}
                },
            }
        }
        let mut late = lock(&self.0);
        let first = !late.contains_key(&session);
        let own = late.entry(session).or_default();
        if own.len() >= MAX_LATE {
            return Err(Unheard(format!("{MAX_LATE} outcomes wait for it already")));
        }
        own.push_back(event);
        Ok(if first { Told::FirstWaits } else { Told::Waits })
    }

    /// Offers what waits: [`Told::Heard`] when nothing does any more.
    pub fn again(&self, session: SessionId, report: impl Fn(Event) -> Result<(), Error>) -> Result<Told, Unheard> {
        loop {
            let event = {
                let mut late = lock(&self.0);
                match late.get(&session).and_then(|own| own.front()) {
                    Some(event) => event.clone(),
                    None => {
                        late.remove(&session);
                        return Ok(Told::Heard);
                    }
                }
            };
            match report(event) {
                Ok(()) => {
                    if let Some(own) = lock(&self.0).get_mut(&session) {
                        own.pop_front();
                    }
                }
                Err(error) => match judge(&error) {
                    Judged::Over => self.ended(session),
                    Judged::Never => return Err(Unheard(error.to_string())),
                    Judged::Later => return Ok(Told::Waits),
                },
            }
        }
    }

    pub fn ended(&self, session: SessionId) {
        lock(&self.0).remove(&session);
    }
}

enum Judged {
    Over,
    Later,
    Never,
}

fn judge(error: &Error) -> Judged {
    match error {
        Error::Ended { .. } | Error::NoSuchSession(_) => Judged::Over,
        Error::QueueFull { .. } | Error::Busy(_) => Judged::Later,
        _ => Judged::Never,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;
    use std::cell::{Cell, RefCell};

    #[test]
    fn what_a_full_queue_does_not_take_is_offered_again_in_order() {
        let late = Late::default();
        let session = SessionId::from_random([1; 20]);
        let room = Cell::new(1);
        let heard = RefCell::new(Vec::new());
        let report = |event: Event| {
            if room.get() == 0 {
                return Err(Error::QueueFull { session, limit: 1 });
            }
            room.set(room.get() - 1);
            heard.borrow_mut().push(event.name);
            Ok(())
        };
        let tell = |name: &str| late.tell(session, Event::external(name, None), report);
        assert_eq!(tell("a"), Ok(Told::Heard));
        assert_eq!(tell("b"), Ok(Told::FirstWaits));
        assert_eq!(tell("c"), Ok(Told::Waits));
        room.set(1);
        assert_eq!(tell("d"), Ok(Told::Waits), "behind the others");
        assert_eq!(late.again(session, report), Ok(Told::Waits));
        room.set(9);
        assert_eq!(late.again(session, report), Ok(Told::Heard));
        assert_eq!(*heard.borrow(), ["a", "b", "c", "d"]);
        assert_eq!(tell("e"), Ok(Told::Heard));
        room.set(0);
        for i in 0..MAX_LATE {
            assert!(tell("f").is_ok(), "{i}");
        }
        assert!(tell("g").is_err());
        let over = |_| Err(Error::NoSuchSession(session));
        assert_eq!(late.again(session, over), Ok(Told::Heard));
        assert!(lock(&late.0).is_empty());
    }
}
