//! The threads that strategies run on.
//!
//! Every lane is a queue with one thread that works on it, in order. A thread whose queue is empty takes the oldest job of a
//! lane whose own thread is at work: what waits behind a bad step on one core is done on another. Whoever needs order
//! among jobs queues the next when the last has ended, as sessions do. A job that outlives its slice does not hold up the
//! others: the lane is handed to a spare thread, and the slow thread goes on with its job alone, at the lowest scheduling
//! priority and on whatever core has time, then exits. So a runaway script costs its own session's time, until its budget
//! ends it, and nobody else's. What such a job has left to do where others wait for it, it should leave to a new job
//! ([`Workers::overdue`]): a slow thread that holds a lock slows down all.
//!
//! # Lanes and cores
//! Where there are as many lanes as cores that this process may use, as by default, each lane's thread keeps to one of
//! them. Else Linux puts a thread that wakes up where it ran last, behind another lane's bad step, when the only other
//! core is at work just then; and leaves it there although that core has nothing to do a moment later. With any other
//! number of lanes the threads run where the kernel likes.
//!
//! # What a slice is
//! Processor time of the lane's thread, not time on the wall. On a full machine a healthy job waits for a core longer
//! than it runs; taking its lane away would add threads to a machine that has too many already, and lower the priority
//! of work that did nothing wrong. The watcher reads the processor clock of the other thread (`clock_gettime` takes any
//! thread of the process) when it first sees a job, and again at every tick. A job that does not run at all, because it
//! waits for something, is found by the wall clock, after [`BLOCKED_SLICES`] slices.
//!
//! # Spare threads
//! A few are parked, so that handing over needs no new thread. A lane changes hands only when a spare is certain:
//! where none can be started, the lane stays with the thread that it has.

use crate::THREAD_STACK;
use crate::process::{Processors, give_way, hurry, ordinary_turns};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A lane of [`Workers`].
pub type Lane = usize;

type Job = Box<dyn FnOnce() + Send>;

/// How the workers are set up.
#[derive(Clone, Debug)]
pub struct WorkersOptions {
    /// Lanes, each with a thread of its own (ORS `session-processing-threads`). Default: the number of cores, and then each
    /// keeps to one.
    pub lanes: usize,
    /// Jobs that may wait in one lane. Default 65,536.
    pub queue: usize,
    /// Processor time after which a job loses its lane; also how often that is looked at. Default 1 ms.
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

/// The threads. Dropping the last clone ends them after the jobs at hand; jobs that still wait are dropped.
#[derive(Clone)]
pub struct Workers {
    handle: Arc<Handle>,
}

/// What the clones of [`Workers`] share, and the threads do not: its end is theirs.
struct Handle(Arc<Shared>);

struct Shared {
    options: WorkersOptions,
    lanes: Vec<LaneState>,
    /// Where overdue jobs may run.
    everywhere: Option<Processors>,
    /// Lanes whose owner is idle. A hint: what is certain is in the queues.
    idle: AtomicUsize,
    spares: Mutex<Spares>,
    /// A spare has been given a lane, or must end.
    called: Condvar,
    overdue: AtomicU32,
    handovers: AtomicU64,
    epoch: Instant,
    stop: Mutex<bool>,
    /// `stop` was set.
    stopping: Condvar,
}

struct LaneState {
    queue: Mutex<Queue>,
    ready: Condvar,
    /// When the job at hand began, in microseconds since `epoch` plus 1; 0: idle.
    began_us: AtomicU64,
    /// The processor that its owner keeps to, where there is one for each lane.
    processor: Option<Processors>,
    /// Kernel thread id of the owner. Meaningful while `began_us` is not 0: an owner sets it before its first job.
    thread: AtomicI32,
}

struct Queue {
    jobs: VecDeque<Job>,
    /// Which thread owns the lane: one that finds another number here has lost it.
    owner: u64,
    /// Set when its owner loses the lane.
    lost: Arc<AtomicBool>,
    /// The owner waits for jobs, or is about to.
    idle: bool,
    /// Another lane has a job that the idle owner can take.
    poked: bool,
    /// The owner was woken for a job a while ago and has not come: its core is at work for somebody else.
    late: bool,
    stop: bool,
}

/// Threads that wait for a lane.
struct Spares {
    /// Lanes to be taken over, with the number of their new owner. Never more than there are threads for them.
    given: VecDeque<(Lane, u64)>,
    /// Threads that wait, or will in a moment, and have no lane in `given`.
    free: usize,
    stop: bool,
}

/// Spare threads kept in readiness.
const SPARES: usize = 2;

/// Slices of wall time after which a job that does not run is taken for one that waits.
const BLOCKED_SLICES: u32 = 20;

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(options: WorkersOptions) -> std::io::Result<Workers> {
        let everywhere = Processors::allowed();
        let mut processors = everywhere.iter().flat_map(Processors::singles).collect::<Vec<_>>();
        if processors.len() != options.lanes {
            processors.clear();
        }
        let mut processors = processors.into_iter();
        let lanes = (0..options.lanes.max(1))
            .map(|_| LaneState {
                processor: processors.next(),
                queue: Mutex::new(Queue {
                    jobs: VecDeque::new(),
                    owner: 0,
                    lost: Arc::default(),
                    idle: false,
                    poked: false,
                    late: false,
                    stop: false,
                }),
                ready: Condvar::new(),
                began_us: AtomicU64::new(0),
                thread: AtomicI32::new(0),
            })
            .collect();
        let shared = Arc::new(Shared {
            options,
            lanes,
            everywhere,
            idle: AtomicUsize::new(0),
            spares: Mutex::new(Spares {
                given: VecDeque::new(),
                free: 0,
                stop: false,
            }),
            called: Condvar::new(),
            overdue: AtomicU32::new(0),
            handovers: AtomicU64::new(0),
            epoch: Instant::now(),
            stop: Mutex::new(false),
            stopping: Condvar::new(),
        });
        // From here on an error ends the threads that were started: it drops this.
        let workers = Workers {
            handle: Arc::new(Handle(shared.clone())),
        };
        for lane in 0..shared.lanes.len() {
            let shared = shared.clone();
            spawn(format!("worker-{lane}"), move || work(&shared, lane, 0))?;
        }
        for _ in 0..SPARES {
            start_spare(&shared)?;
        }
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || Watch::new(shared).run())?;
        Ok(workers)
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.handle.0.lanes.len()
    }

    /// Lanes that were handed to a spare thread so far.
    pub fn handovers(&self) -> u64 {
        self.handle.0.handovers.load(Ordering::Relaxed)
    }

    /// Has the calling thread lost its lane, because the job that it runs has outlived its slice? It has a low priority then,
    /// and should neither take locks that others need nor go on with what could be a new job.
    pub fn overdue() -> bool {
        let lost = LOST.with_borrow(|lost| lost.as_ref().is_some_and(|lost| lost.load(Ordering::Relaxed)));
        if lost && !HURRIES.replace(true) {
            hurry();
        }
        lost
    }

    /// Queues a job. `lane` is taken modulo the number of lanes; where its thread is at work and another one idle, that
    /// one takes it.
    ///
    /// # Errors
    /// [`Busy`] when the lane's queue is full.
    pub fn run(&self, lane: Lane, job: Box<dyn FnOnce() + Send>) -> Result<(), Busy> {
        let shared = &self.handle.0;
        let home = lane % shared.lanes.len();
        let lane = &shared.lanes[home];
        let mut queue = lock(&lane.queue);
        if queue.jobs.len() >= shared.options.queue {
            return Err(Busy);
        }
        queue.jobs.push_back(job);
        let wake = queue.idle;
        drop(queue);
        if wake {
            lane.ready.notify_one();
        } else if shared.idle.load(Ordering::SeqCst) > 0 {
            shared.poke(home);
        }
        Ok(())
    }
}

impl Shared {
    /// Has an idle lane look at the others' queues.
    fn poke(&self, home: Lane) {
        for lane in self.others(home) {
            let mut queue = lock(&lane.queue);
            if queue.idle && !queue.poked {
                queue.poked = true;
                drop(queue);
                lane.ready.notify_one();
                return;
            }
        }
    }

    /// The oldest job of a lane whose own thread is at work.
    fn steal(&self, thief: Lane) -> Option<Job> {
        self.others(thief).find_map(|lane| {
            let mut queue = lock(&lane.queue);
            if queue.idle && !queue.late {
                return None;
            }
            let job = queue.jobs.pop_front();
            queue.late &= !queue.jobs.is_empty();
            job
        })
    }

    fn others(&self, home: Lane) -> impl Iterator<Item = &LaneState> {
        let (before, after) = self.lanes.split_at(home);
        after.iter().skip(1).chain(before)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let shared = &self.0;
        // Every flag is set under the lock that its readers hold when they decide to wait: none can miss it.
        for lane in &shared.lanes {
            let mut queue = lock(&lane.queue);
            queue.stop = true;
            let dropped = std::mem::take(&mut queue.jobs);
            drop(queue);
            lane.ready.notify_all();
            // Not under the lock: what a job holds may do anything when it goes.
            drop(dropped);
        }
        lock(&shared.spares).stop = true;
        shared.called.notify_all();
        *lock(&shared.stop) = true;
        shared.stopping.notify_all();
    }
}

/// A panicking job does not poison a queue: it is caught before it could.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(on: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    on.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name(name)
        .stack_size(THREAD_STACK)
        .spawn(|| {
            ordinary_turns();
            body();
        })
        .map(drop)
}

/// Adds a thread to the spares.
fn start_spare(shared: &Arc<Shared>) -> std::io::Result<()> {
    let own = shared.clone();
    spawn("worker-spare".into(), move || spare(&own))?;
    // Counted although it may not wait yet: what it is given meanwhile it finds when it comes.
    lock(&shared.spares).free += 1;
    Ok(())
}

/// Waits for a lane, and works on it.
fn spare(shared: &Shared) {
    let mut spares = lock(&shared.spares);
    let (lane, owner) = loop {
        if spares.stop {
            return;
        }
        if let Some(given) = spares.given.pop_front() {
            break given;
        }
        spares = wait(&shared.called, spares);
    };
    drop(spares);
    work(shared, lane, owner);
}

thread_local! {
    /// Has this thread lost its lane?
    static LOST: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
    /// It knows, and has asked for short turns.
    static HURRIES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a lane's jobs until the lane is lost or the workers end.
fn work(shared: &Shared, lane: Lane, owner: u64) {
    // SAFETY: gettid has no preconditions.
    let me = unsafe { libc::gettid() };
    let state = &shared.lanes[lane];
    state.thread.store(me, Ordering::Relaxed);
    let lost = Arc::new(AtomicBool::new(false));
    // Nobody takes the lane away before its first job.
    lock(&state.queue).lost = lost.clone();
    LOST.set(Some(lost));
    if let Some(processor) = &state.processor {
        processor.keep(me);
    }
    loop {
        let Some(job) = next(shared, lane) else { return };
        let began = shared.epoch.elapsed().as_micros() as u64 + 1;
        // Release: whoever sees it sees `thread` too.
        state.began_us.store(began, Ordering::Release);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        if outcome.is_err() {
            tracing::error!(lane, "a job panicked; its session is ended by whoever waits for it");
        }
        // Still mine? Otherwise the mark belongs to the thread that took over.
        let queue = lock(&state.queue);
        if queue.owner != owner {
            shared.overdue.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        state.began_us.store(0, Ordering::Relaxed);
    }
}

/// The next job for a lane's thread, its own or another lane's; `None` when the workers end.
fn next(shared: &Shared, lane: Lane) -> Option<Job> {
    let state = &shared.lanes[lane];
    let mut queue = lock(&state.queue);
    loop {
        if queue.stop {
            return None;
        }
        if let Some(job) = queue.jobs.pop_front() {
            pass_on(shared, lane, queue);
            return Some(job);
        }
        // Idle from here on, before it looks at the others: a job that comes to one of them after it was looked at finds
        // this lane idle, and pokes it.
        queue.idle = true;
        queue.poked = false;
        drop(queue);
        shared.idle.fetch_add(1, Ordering::SeqCst);
        let stolen = shared.steal(lane);
        queue = lock(&state.queue);
        if stolen.is_none() {
            while queue.jobs.is_empty() && !queue.poked && !queue.stop {
                queue = wait(&state.ready, queue);
            }
        }
        queue.idle = false;
        queue.late = false;
        shared.idle.fetch_sub(1, Ordering::SeqCst);
        if stolen.is_some() {
            pass_on(shared, lane, queue);
            return stolen;
        }
    }
}

/// Called by a thread that goes to work: what it was woken for meanwhile, and has not taken, is another idle lane's.
fn pass_on(shared: &Shared, lane: Lane, mut queue: MutexGuard<'_, Queue>) {
    let more = std::mem::take(&mut queue.poked) || !queue.jobs.is_empty();
    drop(queue);
    if more && shared.idle.load(Ordering::SeqCst) > 0 {
        shared.poke(lane);
    }
}

/// At most one warning of a kind in this time.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Says something now and then.
#[derive(Default)]
struct Seldom(Option<Instant>);

impl Seldom {
    /// Is it time again?
    fn due(&mut self, now: Instant) -> bool {
        let due = self.0.is_none_or(|last| now.duration_since(last) >= WARN_EVERY);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// A job as the watcher first saw it.
#[derive(Clone, Copy)]
struct Seen {
    began_us: u64,
    /// Processor time of its thread then.
    cpu: Duration,
}

/// Finds jobs that outlive their slice. One thread per [`Workers`]; only it hands lanes over.
struct Watch {
    shared: Arc<Shared>,
    seen: Vec<Option<Seen>>,
    no_spare: Seldom,
    too_many: Seldom,
    /// No thread is started before this, after one was refused.
    next_spare: Instant,
}

/// Time between attempts to start a spare thread after the system has refused one.
const SPARE_RETRY: Duration = Duration::from_secs(1);

impl Watch {
    fn new(shared: Arc<Shared>) -> Watch {
        Watch {
            seen: vec![None; shared.lanes.len()],
            no_spare: Seldom::default(),
            too_many: Seldom::default(),
            next_spare: Instant::now(),
            shared,
        }
    }

    fn run(mut self) {
        loop {
            for lane in 0..self.shared.lanes.len() {
                self.look_at(lane);
            }
            if lock(&self.shared.spares).free < SPARES {
                self.add_spare();
            }
            let stop = lock(&self.shared.stop);
            if *stop {
                return;
            }
            let waited = self.shared.stopping.wait_timeout(stop, self.shared.options.slice);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return;
            }
        }
    }

    fn look_at(&mut self, lane: Lane) {
        let state = &self.shared.lanes[lane];
        let began_us = state.began_us.load(Ordering::Acquire);
        if began_us == 0 {
            self.seen[lane] = None;
            self.help(lane);
            return;
        }
        // Only this thread takes lanes away, so this is the thread whose job began then, or a later one of the same.
        let Some(cpu) = cpu_time(state.thread.load(Ordering::Relaxed)) else {
            return;
        };
        match self.seen[lane] {
            Some(seen) if seen.began_us == began_us => {
                let wall = self
                    .shared
                    .epoch
                    .elapsed()
                    .saturating_sub(Duration::from_micros(began_us));
                if outlived(self.shared.options.slice, cpu.saturating_sub(seen.cpu), wall) {
                    self.hand_over(lane, began_us);
                }
            }
            _ => self.seen[lane] = Some(Seen { began_us, cpu }),
        }
    }

    /// An owner keeps to its core, and may have to wait for it: another idle lane takes what waits here.
    fn help(&self, lane: Lane) {
        let mut queue = lock(&self.shared.lanes[lane].queue);
        if queue.idle && !queue.jobs.is_empty() {
            queue.late = true;
            drop(queue);
            self.shared.poke(lane);
        }
    }

    fn add_spare(&mut self) {
        let now = Instant::now();
        if now < self.next_spare {
            return;
        }
        if let Err(e) = start_spare(&self.shared) {
            self.next_spare = now + SPARE_RETRY;
            if self.no_spare.due(now) {
                tracing::warn!(error = %e, "no spare thread could be started: overlong jobs hold up their lanes meanwhile");
            }
        }
    }

    /// Gives a lane to a spare thread, unless its job has just ended, too many are overdue already, or no thread
    /// is to be had.
    fn hand_over(&mut self, lane: Lane, began_us: u64) {
        if self.shared.overdue.load(Ordering::Relaxed) >= self.shared.options.overdue {
            if self.too_many.due(Instant::now()) {
                tracing::warn!(
                    overdue = self.shared.options.overdue,
                    "as many overlong jobs run as may: their lanes wait for them; look for strategies that run for long"
                );
            }
            return;
        }
        if lock(&self.shared.spares).free == 0 {
            self.add_spare();
        }
        let shared = &self.shared;
        let mut spares = lock(&shared.spares);
        if spares.free == 0 {
            return;
        }
        // Order of locks: spares, then a queue; nobody holds a queue while it asks for the spares.
        let state = &shared.lanes[lane];
        let mut queue = lock(&state.queue);
        if state.began_us.load(Ordering::Relaxed) != began_us {
            return;
        }
        queue.owner += 1;
        let owner = queue.owner;
        let slow = state.thread.load(Ordering::Relaxed);
        state.began_us.store(0, Ordering::Relaxed);
        shared.overdue.fetch_add(1, Ordering::Relaxed);
        shared.handovers.fetch_add(1, Ordering::Relaxed);
        // The id is still that thread's: it cannot end without the queue's lock.
        give_way(slow);
        if let Some(everywhere) = shared.everywhere.filter(|_| state.processor.is_some()) {
            everywhere.keep(slow);
        }
        // Last: whoever sees it asks for turns of its own, which what was done here must not undo.
        queue.lost.store(true, Ordering::Relaxed);
        drop(queue);
        spares.free -= 1;
        spares.given.push_back((lane, owner));
        drop(spares);
        shared.called.notify_one();
    }
}

/// Has a job run for its slice, or waited for so long that it must be for something else than a core?
fn outlived(slice: Duration, cpu: Duration, wall: Duration) -> bool {
    cpu > slice || wall > slice * BLOCKED_SLICES
}

/// Processor time that a thread of this process has used; `None` when it is gone.
fn cpu_time(thread: libc::pid_t) -> Option<Duration> {
    // What pthread_getcpuclockid computes, from the kernel's thread id: CPUCLOCK_PERTHREAD (4) | CPUCLOCK_SCHED (2).
    let clock = (!thread << 3) | 6;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec of ours; an id that is no thread's makes the call fail.
    let done = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (done == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(60);

    fn start(lanes: usize, slice: Duration) -> Workers {
        Workers::start(WorkersOptions {
            lanes,
            slice,
            ..Default::default()
        })
        .unwrap()
    }

    /// Has lane 0 at work until something is sent.
    fn occupied(w: &Workers) -> mpsc::Sender<()> {
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
        release
    }

    #[test]
    fn jobs_of_a_lane_run_in_order() {
        let w = start(1, LONG);
        let (tx, rx) = mpsc::channel();
        for i in 0..1000 {
            let tx = tx.clone();
            w.run(7, Box::new(move || tx.send(i).unwrap())).unwrap();
        }
        assert!(rx.iter().take(1000).eq(0..1000));
    }

    #[test]
    fn an_idle_lane_takes_what_waits_behind_another_lanes_job() {
        let w = start(2, LONG);
        let (tx, rx) = mpsc::channel();
        for i in 0..200 {
            let (release, hold) = mpsc::channel::<()>();
            let (began, begins) = mpsc::channel();
            let busy = move || {
                began.send(()).unwrap();
                hold.recv().unwrap();
            };
            w.run(0, Box::new(busy)).unwrap();
            begins.recv().unwrap();
            // Whichever thread took the first job, it is held until this one is done.
            for lane in 0..2 {
                let tx = tx.clone();
                w.run(lane, Box::new(move || tx.send((i, lane)).unwrap())).unwrap();
            }
            let mut done = [rx.recv_timeout(LONG).unwrap(), rx.recv_timeout(LONG).unwrap()];
            done.sort_unstable();
            assert_eq!(done, [(i, 0), (i, 1)]);
            release.send(()).unwrap();
        }
        assert_eq!(w.handovers(), 0);
    }

    #[test]
    fn two_jobs_that_come_to_an_idle_lane_at_once_run_on_two_threads() {
        let w = start(2, LONG);
        for _ in 0..200 {
            // Each waits for the other: they can only end side by side.
            let meet = Arc::new(std::sync::Barrier::new(2));
            let (tx, rx) = mpsc::channel();
            for _ in 0..2 {
                let (meet, tx) = (meet.clone(), tx.clone());
                w.run(0, Box::new(move || tx.send(meet.wait().is_leader()).unwrap()))
                    .unwrap();
            }
            assert_ne!(rx.recv_timeout(LONG).unwrap(), rx.recv_timeout(LONG).unwrap());
        }
        assert_eq!(w.handovers(), 0);
    }

    #[test]
    fn a_job_that_waits_for_too_long_loses_its_lane() {
        let w = start(1, Duration::from_millis(1));
        let (release, hold) = mpsc::channel::<()>();
        let (tx, rx) = mpsc::channel();
        w.run(0, Box::new(move || hold.recv().unwrap())).unwrap();
        w.run(0, Box::new(move || tx.send("passed").unwrap())).unwrap();
        // Comes although the first job has not ended: it cannot end before `release`.
        assert_eq!(rx.recv_timeout(LONG), Ok("passed"));
        assert_eq!(w.handovers(), 1);
        release.send(()).unwrap();
    }

    #[test]
    fn a_job_that_runs_for_longer_than_its_slice_loses_its_lane() {
        // By its processor time: the wall clock would take 20 s.
        let w = start(1, Duration::from_secs(1));
        let (release, hold) = mpsc::channel::<()>();
        let (tx, rx) = mpsc::channel();
        let began = Instant::now();
        w.run(0, Box::new(move || while hold.try_recv().is_err() {})).unwrap();
        w.run(0, Box::new(move || tx.send("passed").unwrap())).unwrap();
        assert_eq!(rx.recv_timeout(LONG), Ok("passed"));
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(w.handovers(), 1);
        release.send(()).unwrap();
    }

    /// How many processors the calling thread may run on.
    fn processors() -> usize {
        Processors::allowed().unwrap().singles().len()
    }

    /// What each of two jobs that meet, and so run on two threads, says.
    fn on_two_lanes<T: Send + 'static>(w: &Workers, ask: fn() -> T) -> [T; 2] {
        let meet = Arc::new(std::sync::Barrier::new(2));
        let (tx, rx) = mpsc::channel();
        for lane in 0..2 {
            let (meet, tx) = (meet.clone(), tx.clone());
            let job = move || {
                meet.wait();
                tx.send(ask()).unwrap();
            };
            w.run(lane, Box::new(job)).unwrap();
        }
        [rx.recv_timeout(LONG).unwrap(), rx.recv_timeout(LONG).unwrap()]
    }

    #[test]
    fn lanes_keep_to_a_core_each_where_there_are_as_many() {
        let all = processors();
        let w = start(all, LONG);
        let (tx, rx) = mpsc::channel();
        w.run(0, Box::new(move || tx.send(processors()).unwrap())).unwrap();
        assert_eq!(rx.recv_timeout(LONG), Ok(1));
        assert_eq!(on_two_lanes(&start(all + 1, LONG), processors), [all, all]);
        if all > 1 {
            // SAFETY: sched_getcpu has no preconditions.
            let [one, other] = on_two_lanes(&w, || unsafe { libc::sched_getcpu() });
            assert_ne!(one, other);
        }
    }

    #[test]
    fn an_overdue_job_knows_it_and_gives_way_to_all_others_on_any_core() {
        fn state() -> (bool, i32, usize) {
            // SAFETY: getpriority has no memory effects; 0 is this thread.
            let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
            (Workers::overdue(), nice, processors())
        }
        let all = processors();
        // A job that is kept off its core for so long as 20 of these counts as overdue as well.
        let w = start(all, Duration::from_millis(100));
        let (tx, rx) = mpsc::channel();
        let (next, next_is) = mpsc::channel();
        w.run(
            0,
            Box::new(move || {
                tx.send(state()).unwrap();
                while !Workers::overdue() {}
                // The watcher has not let go of the lane before it has done the rest.
                next_is.recv_timeout(LONG).unwrap();
                tx.send(state()).unwrap();
            }),
        )
        .unwrap();
        let (_, nice, _) = state();
        assert_eq!(rx.recv_timeout(LONG), Ok((false, nice, 1)));
        while w.handovers() == 0 {
            std::thread::yield_now();
        }
        let (tx_next, rx_next) = mpsc::channel();
        w.run(0, Box::new(move || tx_next.send(state()).unwrap())).unwrap();
        assert_eq!(rx_next.recv_timeout(LONG), Ok((false, nice, 1)), "its successor's");
        next.send(()).unwrap();
        assert_eq!(rx.recv_timeout(LONG), Ok((true, 19, all)));
        assert!(!Workers::overdue(), "not a worker at all");
    }

    #[test]
    fn a_slice_is_processor_time_and_waiting_for_a_core_is_not_running() {
        let ms = Duration::from_millis;
        assert!(!outlived(ms(1), ms(1), ms(20)), "preempted most of the time");
        assert!(outlived(ms(1), ms(2), ms(2)), "it ran");
        assert!(outlived(ms(1), ms(0), ms(21)), "blocked");
    }

    #[test]
    fn the_processor_time_of_another_thread_is_what_that_thread_ran() {
        let (tx, rx) = mpsc::channel();
        let (release, hold) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: gettid has no preconditions.
            let me = unsafe { libc::gettid() };
            tx.send(me).unwrap();
            hold.recv().unwrap();
            while cpu_time(me).unwrap() < Duration::from_millis(30) {}
            tx.send(me).unwrap();
            hold.recv().unwrap();
        });
        let id = rx.recv().unwrap();
        let before = cpu_time(id).unwrap();
        assert!(before < Duration::from_millis(30), "it has only waited: {before:?}");
        release.send(()).unwrap();
        rx.recv().unwrap();
        assert!(cpu_time(id).unwrap() >= Duration::from_millis(30));
        release.send(()).unwrap();
        thread.join().unwrap();
        assert_eq!(cpu_time(1 << 23), None, "Linux has no ids above 2^22");
    }

    #[test]
    fn every_lane_can_be_lost_again_and_again_up_to_the_bound() {
        let w = Workers::start(WorkersOptions {
            lanes: 1,
            slice: Duration::from_millis(1),
            overdue: 5,
            ..Default::default()
        })
        .unwrap();
        let (releases, holds): (Vec<_>, Vec<_>) = (0..6).map(|_| mpsc::channel::<()>()).unzip();
        let (tx, rx) = mpsc::channel();
        for hold in holds {
            let tx = tx.clone();
            w.run(
                0,
                Box::new(move || {
                    tx.send(()).unwrap();
                    hold.recv().unwrap();
                }),
            )
            .unwrap();
        }
        for _ in 0..6 {
            rx.recv_timeout(LONG).expect("each begins, on a thread of its own");
        }
        // The sixth keeps its lane: five are overdue.
        w.run(0, Box::new(move || tx.send(()).unwrap())).unwrap();
        assert_eq!(w.handovers(), 5);
        assert!(rx.try_recv().is_err());
        // One of them ends: now there is room for the sixth.
        releases[0].send(()).unwrap();
        rx.recv_timeout(LONG).expect("the lane was handed over");
        assert_eq!(w.handovers(), 6);
        for release in &releases[1..] {
            release.send(()).unwrap();
        }
    }

    #[test]
    fn without_a_spare_thread_a_lane_stays_with_the_one_it_has() {
        let w = start(1, LONG);
        let shared = &w.handle.0;
        let (release, hold) = mpsc::channel::<()>();
        let (tx, rx) = mpsc::channel();
        let began = tx.clone();
        w.run(
            0,
            Box::new(move || {
                began.send("began").unwrap();
                hold.recv().unwrap();
            }),
        )
        .unwrap();
        assert_eq!(rx.recv_timeout(LONG), Ok("began"));
        let began_us = shared.lanes[0].began_us.load(Ordering::Acquire);
        assert_ne!(began_us, 0);
        let next = tx.clone();
        w.run(0, Box::new(move || next.send("passed").unwrap())).unwrap();

        // The system has refused a thread a moment ago, and none is left.
        let mut watch = Watch::new(shared.clone());
        watch.next_spare = Instant::now() + LONG;
        let parked = std::mem::take(&mut lock(&shared.spares).free);
        watch.hand_over(0, began_us);
        assert_eq!((w.handovers(), lock(&shared.lanes[0].queue).owner), (0, 0));
        assert_eq!(shared.overdue.load(Ordering::Relaxed), 0);
        assert_eq!(shared.lanes[0].began_us.load(Ordering::Relaxed), began_us);

        lock(&shared.spares).free = parked;
        watch.hand_over(0, began_us);
        assert_eq!(rx.recv_timeout(LONG), Ok("passed"));
        assert_eq!(w.handovers(), 1);
        // A second look at the same job finds that the lane is no longer its.
        watch.hand_over(0, began_us);
        assert_eq!(w.handovers(), 1);
        release.send(()).unwrap();
    }

    #[test]
    fn a_full_lane_says_so() {
        let w = Workers::start(WorkersOptions {
            lanes: 1,
            queue: 1,
            slice: LONG,
            ..Default::default()
        })
        .unwrap();
        let release = occupied(&w);
        w.run(0, Box::new(|| ())).unwrap();
        assert_eq!(w.run(0, Box::new(|| ())), Err(Busy));
        release.send(()).unwrap();
    }

    #[test]
    fn a_panic_takes_only_its_job_with_it() {
        let w = start(1, LONG);
        let (tx, rx) = mpsc::channel();
        w.run(0, Box::new(|| panic!("on purpose"))).unwrap();
        w.run(0, Box::new(move || tx.send(1).unwrap())).unwrap();
        assert_eq!(rx.recv_timeout(LONG), Ok(1));
    }

    #[test]
    fn dropping_the_last_clone_ends_every_thread_after_its_job() {
        // One lane: with more, an idle one would take the job that is to wait.
        let w = start(1, LONG);
        let shared = Arc::downgrade(&w.handle.0);
        let release = occupied(&w);
        let (never, waits) = mpsc::channel::<()>();
        w.run(0, Box::new(move || never.send(()).unwrap())).unwrap();
        drop(w.clone());
        assert!(waits.try_recv().is_err(), "it waits");
        drop(w);
        assert_eq!(waits.recv(), Err(mpsc::RecvError), "dropped, not run");
        // Spares and the watcher go at once, whatever the slice; the busy thread after its job.
        let deadline = Instant::now() + LONG;
        while shared.strong_count() > 1 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(shared.strong_count(), 1, "the job at hand");
        release.send(()).unwrap();
        while shared.strong_count() > 0 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(shared.strong_count(), 0);

        let idle = start(3, LONG);
        let shared = Arc::downgrade(&idle.handle.0);
        drop(idle);
        while shared.strong_count() > 0 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(shared.strong_count(), 0, "idle threads");
    }
}
