//! The records of `wit/strategy.wit`. Names and meaning are documented there.

use serde::{Deserialize, Serialize};

/// `moment`: the time and the randomness of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Time of the event, ms since the epoch.
    pub now_ms: u64,
    /// Seed of the random numbers of this call.
    pub seed: u64,
    /// Fill `Step::trace`.
    pub trace: bool,
}

/// `start-info`: how a session begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartInfo {
    /// `_sessionid`.
    pub session_id: String,
    /// JSON object of start parameters.
    pub params: String,
    /// JSON object for `_ioprocessors`.
    pub io_processors: String,
}

/// `event-kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// From the platform.
    Platform,
    /// From the session itself.
    Internal,
    /// From anywhere else.
    External,
}

/// `event`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Dot-separated name.
    pub name: String,
    /// See [`EventKind`].
    pub kind: EventKind,
    /// JSON of `_event.data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// `data` is a JSON string, and in it an XML document.
    #[serde(default, skip_serializing_if = "is_false")]
    pub xml: bool,
    /// `_event.sendid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sendid: Option<String>,
    /// `_event.origin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// `_event.origintype`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origintype: Option<String>,
    /// `_event.invokeid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invokeid: Option<String>,
    /// `_event.raw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

fn is_false(b: &bool) -> bool {
    !b
}

impl Event {
    /// An external event with data and nothing else.
    pub fn external(name: impl Into<String>, data: Option<String>) -> Self {
        Event::of(EventKind::External, name.into(), data)
    }

    /// An event of the platform, such as `error.communication`.
    pub fn platform(name: impl Into<String>, data: Option<String>) -> Self {
        Event::of(EventKind::Platform, name.into(), data)
    }

    fn of(kind: EventKind, name: String, data: Option<String>) -> Self {
        Event {
            name,
            kind,
            data,
            xml: false,
            sendid: None,
            origin: None,
            origintype: None,
            invokeid: None,
            raw: None,
        }
    }

    /// Bytes that a strategy will have to hold for this event.
    pub fn size(&self) -> usize {
        let opt = |s: &Option<String>| s.as_ref().map_or(0, String::len);
        self.name.len()
            + opt(&self.data)
            + opt(&self.sendid)
            + opt(&self.origin)
            + opt(&self.origintype)
            + opt(&self.invokeid)
            + opt(&self.raw)
    }
}

/// `send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// Send id; absent: the author gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Event name.
    pub event: String,
    /// Target; absent means the session itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Type of the I/O processor; absent means SCXML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// JSON of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// `data` is a JSON string, and in it an XML document.
    #[serde(default, skip_serializing_if = "is_false")]
    pub xml: bool,
    /// Delay in ms.
    pub delay_ms: u64,
}

/// `cancel`: of delayed events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Send id.
    pub sendid: String,
    /// Tell the session how it went (ORS).
    #[serde(default, skip_serializing_if = "is_false")]
    pub report: bool,
}

/// `request`: to a functional module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Module, such as `interaction`.
    pub module: String,
    /// Action, such as `redirect`.
    pub action: String,
    /// Request id.
    pub id: String,
    /// JSON object.
    pub params: String,
}

/// `invoke`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// `invokeid`.
    pub id: String,
    /// Type URI; absent means SCXML.
    pub processor: Option<String>,
    /// URL of the document.
    pub src: Option<String>,
    /// Inline document.
    pub content: Option<String>,
    /// JSON object.
    pub params: String,
    /// Copy external events to the child.
    pub autoforward: bool,
}

/// `command`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Send an event, now or later.
    Send(Send),
    /// Cancel delayed events.
    Cancel(Cancel),
    /// Handle this event next.
    Raise(Event),
    /// Ask a functional module.
    Request(Request),
    /// Start a child session.
    Invoke(Invoke),
    /// End a child session.
    CancelInvoke(String),
}

/// `log-entry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The author's label.
    pub label: Option<String>,
    /// The text.
    pub text: String,
    /// ORS level, 0 where none was given.
    pub level: u8,
}

/// `trace-entry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceEntry {
    /// Name of the event taken from a queue.
    Event(String),
    /// A transition, as one line.
    Transition(String),
    /// Id of a state entered.
    Entered(String),
    /// Id of a state left.
    Left(String),
    /// Position and message of a failed expression or element.
    Failed(String),
}

/// `done`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// JSON of the `donedata`.
    pub data: Option<String>,
}

/// `step`: everything one call did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// In order.
    pub commands: Vec<Command>,
    /// In order.
    pub log: Vec<LogEntry>,
    /// Atomic states, when they changed.
    pub active: Option<Vec<String>>,
    /// The session has ended.
    pub done: Option<Done>,
    /// When asked for.
    pub trace: Vec<TraceEntry>,
}

/// Stable codes of [`Failure`], and of the host's own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// More microsteps in one macrostep than allowed.
    MicrostepLimit,
    /// A state was entered more often in one macrostep than allowed (ORS `max-state-entry-count`).
    StateEntryLimit,
    /// More internal events waiting, or more commands in one step, than allowed.
    QueueLimit,
    /// The strategy's memory limit.
    OutOfMemory,
    /// More log than allowed.
    LogLimit,
    /// The step ran out of its time budget.
    TimeLimit,
    /// The stack ran out.
    StackLimit,
    /// The event is larger than a strategy may be given.
    EventTooLarge,
    /// The session could not be started.
    Start,
    /// Anything else that stopped the sandbox: a trap, a broken component.
    Internal,
}

impl FailureCode {
    /// The code as operators and strategies see it.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureCode::MicrostepLimit => "microstep-limit",
            FailureCode::StateEntryLimit => "state-entry-limit",
            FailureCode::QueueLimit => "queue-limit",
            FailureCode::OutOfMemory => "out-of-memory",
            FailureCode::LogLimit => "log-limit",
            FailureCode::TimeLimit => "time-limit",
            FailureCode::StackLimit => "stack-limit",
            FailureCode::EventTooLarge => "event-too-large",
            FailureCode::Start => "start",
            FailureCode::Internal => "internal",
        }
    }

    /// The code for its text; unknown texts are [`FailureCode::Internal`].
    pub fn parse(code: &str) -> Self {
        use FailureCode::{
            EventTooLarge, Internal, LogLimit, MicrostepLimit, OutOfMemory, QueueLimit, StackLimit, Start,
            StateEntryLimit, TimeLimit,
        };
        [
            MicrostepLimit,
            StateEntryLimit,
            QueueLimit,
            OutOfMemory,
            LogLimit,
            TimeLimit,
            StackLimit,
            EventTooLarge,
            Start,
        ]
        .into_iter()
        .find(|c| c.as_str() == code)
        .unwrap_or(Internal)
    }
}

/// `failure`: why a call did not finish. The session cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code.
    pub code: FailureCode,
    /// For the operator.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Failure {}

/// How a session came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It reached a top-level `final`.
    Done(Done),
    /// It broke a limit or trapped.
    Failed(Failure),
    /// Somebody ended it: who and why.
    Terminated(String),
}

/// `inspection`: state of a session at rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// All active states, document order.
    pub configuration: Vec<String>,
    /// JSON object.
    pub datamodel: String,
}
