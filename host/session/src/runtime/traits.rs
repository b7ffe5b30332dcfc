//! What the runtime is given: somebody to run strategies, threads, data, and somebody to carry out commands.

use super::Info;
use pointsman_contract::{
    Command, CommandId, Ended, Event, Failure, Inspection, Moment, SessionId, Settings, StartInfo, Step,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a strategy's reads of host data (`host.read`) are answered during a call.
pub trait Reads {
    /// One value: JSON, or a message saying why there is none.
    fn read(&mut self, source: &str, key: &str) -> Result<String, String>;
}

/// One session's instance of a strategy. Calls are synchronous and may take milliseconds; they come one at a time,
/// from changing threads.
pub trait Strategy: Send {
    /// Begins the session. Called once, first.
    fn start(&mut self, moment: Moment, info: &StartInfo, reads: &mut dyn Reads) -> Result<Step, Failure>;
    /// Handles one event: one macrostep.
    fn handle(&mut self, moment: Moment, event: &Event, reads: &mut dyn Reads) -> Result<Step, Failure>;
    /// Shows its state at rest; changes nothing.
    fn inspect(&mut self) -> Result<Inspection, Failure>;
}

/// A deployed version of a strategy, ready to be instantiated.
pub trait Program: Send + Sync {
    /// Makes the instance of a new session. Called on the session's lane.
    fn instantiate(&self, info: &Info) -> Result<Box<dyn Strategy>, Failure>;

    /// What its document settles for its sessions.
    fn settings(&self) -> Settings {
        Settings::default()
    }
}

/// Work for an executor's thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// The lane's queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's queue is full: the host is overloaded, or its queue is shorter than it has sessions")]
pub struct Busy;

/// Threads that run jobs. A lane is where a job is best run, not a promise of order: a session has one job at a time. A
/// lane's queue that holds as many jobs as there may be live sessions is never full.
pub trait Executor: Send + Sync {
    /// Queues a job. Must neither block nor run the job within this call: the caller holds locks.
    fn run(&self, lane: usize, job: Job) -> Result<(), Busy>;

    /// Should the job that the calling thread runs end soon, and what is left of it be queued anew? True where the thread has
    /// been given a low priority, for its job took too long. Whoever hears that it is true hurries from then on.
    fn overdue(&self) -> bool {
        false
    }
}

/// Nobody carries out this command.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The command, given back.
    pub command: Command,
    /// Why. The strategy sees it in the data of the error event.
    pub reason: String,
}

/// Who carries out the commands that are not a session's own business: functional modules, other I/O processors, child
/// sessions. Must not block: outcomes come back as events ([`super::Runtime::send`]) and confirmations
/// ([`super::Runtime::confirm`]).
pub trait Commands: Send + Sync {
    /// Takes a command. The same `id` always names the same command: seen twice, it is to be carried out once.
    fn perform(&self, session: &Info, id: CommandId, command: Command) -> Result<(), Box<Refused>>;

    /// A session is over; a call that still waits for it is now its link's to deal with.
    fn ended(&self, session: &Info, ended: &Ended) {
        let _nothing_to_do = (session, ended);
    }

    /// I/O processors that this performer serves, by type URI or short name, and where they reach a session: `_ioprocessors`
    /// besides the SCXML processor.
    fn processors(&self, session: SessionId) -> Vec<(&'static str, String)> {
        let _nobody = session;
        Vec::new()
    }
}

/// Who answers `host.read`.
pub trait HostData: Send + Sync {
    /// One value for a session: JSON, or a message saying why there is none. Must not block.
    fn read(&self, session: &Info, source: &str, key: &str) -> Result<String, String>;
}

/// The time.
pub trait Clock: Send + Sync {
    /// Now, in ms since the epoch.
    fn now_ms(&self) -> u64;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // A clock before 1970 is a broken clock: everything then happens at 0, and delays still pass when it is set.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as u64)
    }
}
