//! Counts of what the runtime did, for metrics. Plain atomics: reading them costs the workers nothing.

use pointsman_contract::{Ended, FailureCode};
use std::{
    array,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the step latency buckets, in us; a last bucket holds what took longer.
pub const STEP_BUCKETS_US: [u64; 14] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000,
];

/// Counts since the process began.
#[derive(Debug)]
pub struct Counters {
    /// Sessions that live now.
    pub live: AtomicU64,
    /// Sessions started.
    pub started: AtomicU64,
    /// Sessions that reached their final state.
    pub done: AtomicU64,
    /// Sessions that were terminated.
    pub terminated: AtomicU64,
    /// Sessions that failed, by [`FailureCode`], in the order of [`FAILURES`].
    pub failed: [AtomicU64; FAILURES.len()],
    /// Events accepted.
    pub events: AtomicU64,
    /// Events refused because a queue was full.
    pub queue_full: AtomicU64,
    /// Starts refused because of a limit.
    pub starts_refused: AtomicU64,
    /// Commands that nobody carried out.
    pub commands_refused: AtomicU64,
    /// Steps by how long the strategy took; not cumulative. See [`STEP_BUCKETS_US`].
    pub step_buckets: [AtomicU64; STEP_BUCKETS_US.len() + 1],
    /// Time of all steps together, in ns.
    pub step_ns: AtomicU64,
}

/// Every failure code, in the order in which [`Counters::failed`] counts them.
pub const FAILURES: [FailureCode; 10] = [
    FailureCode::MicrostepLimit,
    FailureCode::StateEntryLimit,
    FailureCode::QueueLimit,
    FailureCode::OutOfMemory,
    FailureCode::LogLimit,
    FailureCode::TimeLimit,
    FailureCode::StackLimit,
    FailureCode::EventTooLarge,
    FailureCode::Start,
    FailureCode::Internal,
];

impl Default for Counters {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Counters {
            live: zero(),
            started: zero(),
            done: zero(),
            terminated: zero(),
            failed: array::from_fn(|_| zero()),
            events: zero(),
            queue_full: zero(),
            starts_refused: zero(),
            commands_refused: zero(),
            step_buckets: array::from_fn(|_| zero()),
            step_ns: zero(),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn step(&self, took: Duration) {
        let us = took.as_micros() as u64;
        count(&self.step_buckets[STEP_BUCKETS_US.partition_point(|bound| *bound < us)]);
        self.step_ns.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, ended: &Ended) {
        match ended {
            Ended::Done(_) => count(&self.done),
            Ended::Terminated(_) => count(&self.terminated),
            Ended::Failed(failure) => {
                let at = FAILURES.iter().position(|code| *code == failure.code);
                count(&self.failed[at.unwrap_or(FAILURES.len() - 1)]);
            }
        }
    }

    /// Sessions that failed with this code.
    pub fn failed(&self, code: FailureCode) -> u64 {
        FAILURES
            .iter()
            .zip(&self.failed)
            .find(|(c, _)| **c == code)
            .map_or(0, |(_, n)| n.load(Ordering::Relaxed))
    }
}
