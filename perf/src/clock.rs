//! Wall time and processor time of a stretch of work.
//!
//! Wall time says what a user would see on this machine, with whatever else ran on it; processor time says what the work
//! cost, and is the one to compare when the machine is shared.

use std::time::{Duration, Instant};

/// A stretch that has begun.
pub struct Stopwatch {
    wall: Instant,
    clock: libc::clockid_t,
    cpu: Duration,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// By the clock on the wall.
    pub wall: Duration,
    /// By the processors.
    pub cpu: Duration,
}

impl Stopwatch {
    /// Counts the processor time of this thread.
    pub fn of_thread() -> Self {
        Self::start(libc::CLOCK_THREAD_CPUTIME_ID)
    }

    /// Counts the processor time of all threads.
    pub fn of_process() -> Self {
        Self::start(libc::CLOCK_PROCESS_CPUTIME_ID)
    }

    fn start(clock: libc::clockid_t) -> Self {
        Stopwatch {
            cpu: cpu(clock),
            clock,
            wall: Instant::now(),
        }
    }

    /// How long it has taken so far.
    pub fn took(&self) -> Took {
        Took {
            wall: self.wall.elapsed(),
            cpu: cpu(self.clock).saturating_sub(self.cpu),
        }
    }
}

fn cpu(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec, which is there; both clocks exist on every Linux, so it cannot fail.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
