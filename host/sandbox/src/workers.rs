//! The threads that strategies run on.
//!
//! Every lane is a queue with one thread that works on it. Jobs of a lane run in order, one at a time, as long as
//! they are short. A job that outlives its slice does not hold up the others: the lane is handed to a spare thread, and
//! the slow thread goes on at a lower scheduling priority with its job alone, then exits. So a runaway script costs its own
//! session's time, until its budget ends it, and nobody else's.

use crate::THREAD_STACK;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A lane of [`Workers`].
pub type Lane = usize;

type Job = Box<dyn FnOnce() + Send>;

/// How the workers are set up.
#[derive(Clone, Debug)]
pub struct WorkersOptions {
    /// Lanes, each with a thread of its own (ORS `session-processing-threads`). Default: the number of cores.
    pub lanes: usize,
    /// Jobs that may wait in one lane. Default 65,536.
    pub queue: usize,
    /// Time after which a job loses its lane. Default 1 ms.
    pub slice: Duration,
    /// Threads with overlong jobs at most; beyond it lanes wait for theirs. Default 64.
    pub overdue: u32,
}

impl Default for WorkersOptions {
    fn default() -> Self {
        let lanes = std::thread::available_parallelism().map_or(2, usize::from);
        WorkersOptions {
            lanes,
            queue: 1 << 16,
            slice: Duration::from_millis(1),
            overdue: 64,
        }
    }
}

/// The lane's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the workers' queue is full")
    }
}

impl std::error::Error for Busy {}

/// The threads. Dropping the last clone ends them after the jobs at hand.
#[derive(Clone)]
pub struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    options: WorkersOptions,
    lanes: Vec<LaneState>,
    overdue: Arc<AtomicU32>,
    handovers: AtomicU64,
    epoch: Instant,
    stop: Arc<AtomicBool>,
}

struct LaneState {
    queue: Mutex<Queue>,
    ready: Condvar,
    /// When the job at hand began, in microseconds since `epoch` plus 1; 0: idle.
    began_us: AtomicU64,
}

struct Queue {
    jobs: VecDeque<Job>,
    /// Which thread owns the lane: one that finds another number here has lost it.
    owner: u64,
    /// Kernel thread id of the owner.
    thread: libc::pid_t,
    /// The owner waits for jobs.
    idle: bool,
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(options: WorkersOptions) -> std::io::Result<Workers> {
        let lanes = (0..options.lanes.max(1))
            .map(|_| LaneState {
                queue: Mutex::new(Queue {
                    jobs: VecDeque::new(),
                    owner: 0,
                    thread: 0,
                    idle: false,
                }),
                ready: Condvar::new(),
                began_us: AtomicU64::new(0),
            })
            .collect();
        let shared = Arc::new(Shared {
            options,
            lanes,
            overdue: Arc::new(AtomicU32::new(0)),
            handovers: AtomicU64::new(0),
            epoch: Instant::now(),
            stop: Arc::new(AtomicBool::new(false)),
        });
        for lane in 0..shared.lanes.len() {
            spawn(&shared, lane, 0)?;
        }
        let watched = Arc::downgrade(&shared);
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || watch(&watched))?;
        Ok(Workers { shared })
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.shared.lanes.len()
    }

    /// Lanes that were handed to a spare thread so far.
    pub fn handovers(&self) -> u64 {
        self.shared.handovers.load(Ordering::Relaxed)
    }

    /// Queues a job. `lane` is taken modulo the number of lanes.
    ///
    /// # Errors
    /// [`Busy`] when the lane's queue is full.
    pub fn run(&self, lane: Lane, job: Box<dyn FnOnce() + Send>) -> Result<(), Busy> {
        let lane = &self.shared.lanes[lane % self.shared.lanes.len()];
        let mut queue = lock(&lane.queue);
        if queue.jobs.len() >= self.shared.options.queue {
            return Err(Busy);
        }
        queue.jobs.push_back(job);
        let wake = queue.idle;
        drop(queue);
        if wake {
            lane.ready.notify_one();
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A panicking job does not poison a queue: it is caught before it could.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(shared: &Arc<Shared>, lane: usize, owner: u64) -> std::io::Result<()> {
    let weak = Arc::downgrade(shared);
    std::thread::Builder::new()
        .name(format!("worker-{lane}"))
        .stack_size(THREAD_STACK)
        .spawn(move || work(&weak, lane, owner))
        .map(drop)
}

/// How often an idle worker looks whether its owner is gone.
const IDLE_CHECK: Duration = Duration::from_millis(500);

fn work(weak: &Weak<Shared>, lane: usize, owner: u64) {
    // SAFETY: gettid has no preconditions.
    let me = unsafe { libc::gettid() };
    {
        let Some(shared) = weak.upgrade() else { return };
        let mut queue = lock(&shared.lanes[lane].queue);
        if queue.owner != owner {
            return;
        }
        queue.thread = me;
    }
    loop {
        // Not held while waiting, so that dropping the last `Workers` ends this thread.
        let Some(shared) = weak.upgrade() else { return };
        let state = &shared.lanes[lane];
        let mut queue = lock(&state.queue);
        let job = loop {
            if queue.owner != owner {
                return;
            }
            if let Some(job) = queue.jobs.pop_front() {
                break job;
            }
            queue.idle = true;
            let (q, timeout) = state
                .ready
                .wait_timeout(queue, IDLE_CHECK)
                .unwrap_or_else(PoisonError::into_inner);
            queue = q;
            queue.idle = false;
            if timeout.timed_out() && Arc::strong_count(&shared) == 1 {
                return;
            }
        };
        drop(queue);
        let began = shared.epoch.elapsed().as_micros() as u64 + 1;
        state.began_us.store(began, Ordering::Relaxed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        // Still mine? Otherwise the mark belongs to the thread that took over.
        let queue = lock(&state.queue);
        if queue.owner != owner {
            shared.overdue.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        state.began_us.store(0, Ordering::Relaxed);
        drop(queue);
        if outcome.is_err() {
            tracing::error!(lane, "a job panicked; its session is ended by whoever waits for it");
        }
    }
}

/// Nice value of a thread whose job is overdue.
const OVERDUE_NICE: libc::c_int = 10;

fn watch(weak: &Weak<Shared>) {
    loop {
        let Some(shared) = weak.upgrade() else { return };
        let slice = shared.options.slice;
        let now = shared.epoch.elapsed().as_micros() as u64;
        for (i, state) in shared.lanes.iter().enumerate() {
            let began = state.began_us.load(Ordering::Relaxed);
            if began != 0 && now.saturating_sub(began) > slice.as_micros() as u64 {
                hand_over(&shared, i, began);
            }
        }
        drop(shared);
        std::thread::sleep(slice);
    }
}

/// Gives a lane to a spare thread, unless its job has just ended or too many are overdue already.
fn hand_over(shared: &Arc<Shared>, lane: usize, began: u64) {
    let state = &shared.lanes[lane];
    if shared.overdue.load(Ordering::Relaxed) >= shared.options.overdue {
        return;
    }
    let (slow, owner) = {
        let mut queue = lock(&state.queue);
        if state.began_us.load(Ordering::Relaxed) != began {
            return;
        }
        queue.owner += 1;
        state.began_us.store(0, Ordering::Relaxed);
        (queue.thread, queue.owner)
    };
    shared.overdue.fetch_add(1, Ordering::Relaxed);
    shared.handovers.fetch_add(1, Ordering::Relaxed);
    if let Err(e) = spawn(shared, lane, owner) {
        // The lane has no thread now; take it back rather than lose it.
        tracing::error!(error = %e, "no spare thread could be started");
        let mut queue = lock(&state.queue);
        if queue.owner == owner {
            queue.owner = owner - 1;
            state.began_us.store(began, Ordering::Relaxed);
            shared.overdue.fetch_sub(1, Ordering::Relaxed);
        }
        return;
    }
    // Lowering one's own threads needs no privilege. `who` is a thread id on Linux.
    // SAFETY: setpriority has no memory effects; a thread that has just ended makes it fail harmlessly.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, slow as libc::id_t, OVERDUE_NICE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn jobs_of_a_lane_run_in_order() {
        let w = Workers::start(WorkersOptions {
            lanes: 2,
            slice: Duration::from_secs(60),
            ..Default::default()
        })
        .unwrap();
        let (tx, rx) = mpsc::channel();
        for i in 0..1000 {
            let tx = tx.clone();
            w.run(7, Box::new(move || tx.send(i).unwrap())).unwrap();
        }
        assert!(rx.iter().take(1000).eq(0..1000));
    }

    #[test]
    fn a_job_that_outlives_its_slice_loses_its_lane() {
        let w = Workers::start(WorkersOptions {
            lanes: 1,
            ..Default::default()
        })
        .unwrap();
        let (release, hold) = mpsc::channel::<()>();
        let (tx, rx) = mpsc::channel();
        w.run(0, Box::new(move || hold.recv().unwrap())).unwrap();
        w.run(0, Box::new(move || tx.send("passed").unwrap())).unwrap();
        // Comes although the first job has not ended: it cannot end before `release`.
        assert_eq!(rx.recv_timeout(Duration::from_secs(20)), Ok("passed"));
        assert_eq!(w.handovers(), 1);
        release.send(()).unwrap();
    }

    #[test]
    fn a_full_lane_says_so() {
        let w = Workers::start(WorkersOptions {
            lanes: 1,
            queue: 1,
            slice: Duration::from_secs(60),
            ..Default::default()
        })
        .unwrap();
        let (release, hold) = mpsc::channel::<()>();
        let (began, begins) = mpsc::channel();
        w.run(
            0,
            Box::new(move || {
                began.send(()).unwrap();
                hold.recv().unwrap();
            }),
        )
        .unwrap();
        begins.recv().unwrap();
        w.run(0, Box::new(|| ())).unwrap();
        assert_eq!(w.run(0, Box::new(|| ())), Err(Busy));
        release.send(()).unwrap();
    }

    #[test]
    fn a_panic_takes_only_its_job_with_it() {
        let w = Workers::start(WorkersOptions {
            lanes: 1,
            ..Default::default()
        })
        .unwrap();
        let (tx, rx) = mpsc::channel();
        w.run(0, Box::new(|| panic!("on purpose"))).unwrap();
        w.run(0, Box::new(move || tx.send(1).unwrap())).unwrap();
        assert_eq!(rx.recv_timeout(Duration::from_secs(20)), Ok(1));
    }
}
