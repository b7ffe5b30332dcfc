//! The queue of events that wait for the strategy.

use pointsman_contract::{Event, Seq};
use std::collections::VecDeque;

/// An input that the session does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// [`super::Options::max_waiting`] events wait already.
    #[error("the session's queue is full: slow down, or raise max-pending-events")]
    QueueFull,
    /// It has not been started.
    #[error("the session has not been started")]
    NotStarted,
    /// It has ended.
    #[error("the session has ended")]
    Ended,
}

/// An event with its place in the journal.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// The record that is its step's cause.
    pub seq: Seq,
    /// When it arrived, in ms since the epoch.
    pub at_ms: u64,
    pub event: Event,
    /// From outside: counts against `max_waiting`.
    pub outside: bool,
    /// It follows from the step before it at once: no delay.
    pub at_once: bool,
}

/// Raised events before all others; each kind in the order of its records.
#[derive(Debug, Default)]
pub(super) struct Queue {
    raised: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    outside: usize,
}

impl Queue {
    pub fn push(&mut self, waiting: Waiting) {
        self.outside += usize::from(waiting.outside);
        self.others.push_back(waiting);
    }

    pub fn push_raised(&mut self, waiting: Waiting) {
        self.raised.push_back(waiting);
    }

    pub fn pop(&mut self) -> Option<Waiting> {
        let next = self.raised.pop_front().or_else(|| self.others.pop_front())?;
        self.outside -= usize::from(next.outside);
        Some(next)
    }

    /// Events from outside that wait.
    pub fn outside(&self) -> usize {
        self.outside
    }

    /// Events of the session's own that wait.
    pub fn own(&self) -> usize {
        self.raised.len() + self.others.len() - self.outside
    }

    pub fn clear(&mut self) {
        *self = Queue::default();
    }
}
