//! The session core: rules without I/O.
//!
//! [`Session::input`] takes what happened and pushes what to do. The driver does it and reports back. Four rules
//! hold whatever the order of inputs:
//!
//! - **Record before handle.** Every event is recorded when it arrives, and its append acknowledged before the strategy
//!   sees it. So an accepted event is never lost, and the queue itself can be rebuilt from the journal.
//! - **Commit before command.** No command leaves before the append of its cause is acknowledged; where the step read
//!   host data, before those answers are acknowledged as well.
//! - **One at a time.** Exactly one event is being handled, to its end, raised ones first.
//! - **The journal decides.** Which event comes next depends on the order of records only, never on when the store
//!   acknowledged them. So [`replay`] of a journal takes the same steps and produces the same journal.
//!
//! A step that neither read host data nor sent anything to its own session needs no append of its own: its `Stepped`
//! record travels with the next append. One event then costs one append.
//!
//! ## Time
//! A step's time is that of its event's arrival, but never earlier than that of the step before. Delays count from it.

pub mod basic_http;
mod queue;
pub mod replay;
mod routing;
mod seed;
mod session;

pub use queue::Rejected;
pub use routing::{SESSION_PREFIX, address};
pub(crate) use routing::{event_of, is_scxml};
pub use seed::seed_of;
pub use session::Session;

use pointsman_contract::{Command, CommandId, Ended, Event, Failure, Moment, Seq, SessionId, StartInfo, Step};
use pointsman_store::{Cause, Outcome, Record};

/// Bounds of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most events from outside that wait, 100 unless told (ORS `max-pending-events`). More are rejected.
    pub max_waiting: usize,
    /// Most events of the session's own that wait, 1,000 unless told. More end the session with `queue-limit`.
    pub max_own_waiting: usize,
    /// Most events of a session's own that it handles one after the other, with none from outside nor a delay between them,
    /// 10,000 unless told. More end it with `microstep-limit`: it sends itself events without end.
    pub max_own_in_a_row: usize,
    /// Most delayed events, 1,000 unless told. More end the session with `queue-limit`.
    pub max_timers: usize,
    /// Most commands of one step, 1,000 unless told. More end the session with `queue-limit`.
    pub max_commands: usize,
    /// Longest life in ms, 7 days unless told (ORS `max-session-age`, there in seconds). 0 means no limit.
    pub max_age_ms: u64,
    /// Ask for traces.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_waiting: 100,
            max_own_waiting: 1_000,
            max_own_in_a_row: 10_000,
            max_timers: 1_000,
            max_commands: 1_000,
            max_age_ms: 7 * 24 * 3_600 * 1_000,
            trace: false,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Begin. Once, before anything else.
    Start,
    /// An event from outside arrived at this time.
    Event(Event, u64),
    /// Everything up to this position is kept.
    Appended(Seq),
    /// An append failed for good; the reason. The session ends, and nothing unacknowledged leaves.
    AppendFailed(String, u64),
    /// The call asked for by [`Output::Run`] is over.
    Stepped(Result<StepOutcome, Failed>),
    /// A timer came due.
    TimerFired(TimerId, u64),
    /// The performer of a command said how it went.
    CommandConfirmed(CommandId, Outcome),
    /// The performer of a command did not take it; the reason.
    Refused(Command, String, u64),
    /// End the session; who and why.
    Terminate(String, u64),
    /// End the session because the host cannot go on with it.
    Fail(Failure, u64),
}

/// A finished call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepOutcome {
    /// What it did.
    pub step: Step,
    /// What `host.read` answered it, in order.
    pub answers: Vec<Answer>,
}

/// A call that did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// What `host.read` answered it until then, in order.
    pub answers: Vec<Answer>,
}

/// One answer of `host.read`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `config`, `list`, `statistic`.
    pub source: String,
    /// What was asked for.
    pub key: String,
    /// JSON, or the message saying why there is none.
    pub answer: Result<String, String>,
}

/// Names a timer within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerId {
    /// A delayed `send`.
    Send(Cause),
    /// The end of the longest life.
    MaxAge,
}

/// A call of the strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `start`.
    Start(Moment, StartInfo),
    /// `handle`.
    Handle(Moment, Event),
}

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Append these records; answer with `Appended` or `AppendFailed`.
    Append {
        /// Position of the first.
        first: Seq,
        /// At least one.
        records: Vec<Record>,
    },
    /// Call the strategy; answer with `Stepped`.
    Run(Call),
    /// Have a command carried out by whoever performs such; answer with `Refused` if nobody does.
    Perform(CommandId, Command),
    /// Give an event to another session. `command` is the `send` it comes from, to be refused if there is none.
    Deliver {
        /// The receiver.
        to: SessionId,
        /// What it receives.
        event: Event,
        /// The `send`.
        command: Command,
    },
    /// Report `TimerFired` at this time, ms since the epoch.
    SetTimer(TimerId, u64),
    /// Forget a timer.
    CancelTimer(TimerId),
    /// The session is over. The last output; every timer has been cancelled before.
    Ended(Ended),
}
