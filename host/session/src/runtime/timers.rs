//! The timers of all sessions: one ordered set, one thread that waits for the first of them.
//!
//! Bounded by what sessions may have: each at most `max_timers` delayed events and one longest life.

use crate::core::TimerId;
use pointsman_contract::SessionId;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Longest sleep of the thread: a wall clock that was set is noticed within it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long a session waits that found its worker's queue full.
const RETRY: Duration = Duration::from_millis(5);

/// Most timers that fire between two looks at the clock.
const BATCH: usize = 256;

#[derive(Default)]
pub(super) struct Timers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    order: BTreeSet<(u64, SessionId, TimerId)>,
    of_session: HashMap<SessionId, Vec<(TimerId, u64)>>,
    /// Sessions with inputs whose job found no room. At most each live session once.
    stalled: Vec<SessionId>,
    stop: bool,
}

/// What the thread has to do.
pub(super) enum Due {
    /// These timers fired; these sessions are to be scheduled again.
    Now(Vec<(SessionId, TimerId)>, Vec<SessionId>),
    Stop,
}

impl Timers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, session: SessionId, id: TimerId, at_ms: u64) {
        let mut state = self.lock();
        state.order.insert((at_ms, session, id));
        state.of_session.entry(session).or_default().push((id, at_ms));
        let first = state.order.first().is_some_and(|first| *first == (at_ms, session, id));
        drop(state);
        if first {
            self.changed.notify_one();
        }
    }

    pub fn cancel(&self, session: SessionId, id: TimerId) {
        self.lock().remove(session, |timer| timer == id);
    }

    pub fn cancel_all(&self, session: SessionId) {
        self.lock().remove(session, |_| true);
    }

    /// Has a session scheduled again soon.
    pub fn stalled(&self, session: SessionId) {
        self.lock().stalled.push(session);
        self.changed.notify_one();
    }

    /// Has the thread look at the clock.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    pub fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_one();
    }

    /// Waits for something to do.
    pub fn wait(&self, now_ms: impl Fn() -> u64) -> Due {
        let mut state = self.lock();
        let mut waited = false;
        loop {
            if state.stop {
                return Due::Stop;
            }
            let now = now_ms();
            let mut fired = Vec::new();
            while fired.len() < BATCH
                && let Some((at, session, id)) = state.order.first().copied()
                && at <= now
            {
                state.remove(session, |timer| timer == id);
                fired.push((session, id));
            }
            // A stalled session is tried again after a pause, not at once: its worker needs time.
            let stalled = if waited {
                std::mem::take(&mut state.stalled)
            } else {
                Vec::new()
            };
            if !fired.is_empty() || !stalled.is_empty() {
                return Due::Now(fired, stalled);
            }
            let next = state
                .order
                .first()
                .map_or(LONGEST_WAIT, |(at, ..)| Duration::from_millis(at - now));
            let wait = if state.stalled.is_empty() {
                next.min(LONGEST_WAIT)
            } else {
                next.min(RETRY)
            };
            state = self
                .changed
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            waited = true;
        }
    }
}

impl State {
    fn remove(&mut self, session: SessionId, which: impl Fn(TimerId) -> bool) {
        let Some(timers) = self.of_session.get_mut(&session) else {
            return;
        };
        let order = &mut self.order;
        timers.retain(|(id, at)| {
            let gone = which(*id);
            if gone {
                order.remove(&(*at, session, *id));
            }
            !gone
        });
        if timers.is_empty() {
            self.of_session.remove(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_contract::Seq;
    use pointsman_store::Cause;

    fn timer(n: u32) -> TimerId {
        TimerId::Send(Cause {
            seq: Seq(1),
            ordinal: n,
        })
    }

    fn fired(timers: &Timers, now: u64) -> Vec<TimerId> {
        match timers.wait(|| now) {
            Due::Now(fired, _) => fired.into_iter().map(|(_, id)| id).collect(),
            Due::Stop => panic!("nobody stopped it"),
        }
    }

    #[test]
    fn timers_fire_in_the_order_of_their_times_and_cancelled_ones_never() {
        let timers = Timers::default();
        let (a, b) = (SessionId::from_random([1; 20]), SessionId::from_random([2; 20]));
        timers.set(a, timer(1), 30);
        timers.set(a, timer(2), 10);
        timers.set(a, timer(3), 20);
        timers.set(b, timer(4), 15);
        timers.cancel(a, timer(3));
        timers.cancel_all(b);
        assert_eq!(fired(&timers, 10), [timer(2)]);
        assert_eq!(fired(&timers, 100), [timer(1)]);
        let state = timers.lock();
        assert!(state.order.is_empty() && state.of_session.is_empty());
    }
}
