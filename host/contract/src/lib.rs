//! The strategy contract as plain Rust types.
//!
//! `wit/strategy.wit` is the contract; these are the same shapes without any WebAssembly in them, so that the
//! session core, the journal and the telephony side need not know how a strategy is run. `sandbox` converts at its
//! border. Field by field documentation is in the WIT file; here only what Rust adds.
//!
//! The typed ids (`SessionId`, `Seq`, `Epoch`, `CommandId`) live here too, because they appear in what travels.

mod ids;
mod settings;
mod strategy;

pub use ids::{CommandId, Digest, Epoch, Seq, SessionId, SessionIdError};
pub use settings::Settings;
pub use strategy::{
    Cancel, Command, Done, Ended, Event, EventKind, Failure, FailureCode, Inspection, Invoke, LogEntry, Moment,
    Request, Send, StartInfo, Step, TraceEntry,
};

/// Type URI of the SCXML Event I/O Processor (W3C SCXML 1.0, appendix C.1).
pub const SCXML_PROCESSOR: &str = "http://www.w3.org/TR/scxml/#SCXMLEventProcessor";

/// Type URI of the Basic HTTP Event I/O Processor (W3C SCXML 1.0, appendix C.2).
pub const BASIC_HTTP_PROCESSOR: &str = "http://www.w3.org/TR/scxml/#BasicHTTPEventProcessor";

/// Largest JSON text of an event's data that the host hands to a strategy, in bytes. A larger one is refused before
/// the call: inside, it could only trap.
pub const MAX_EVENT_DATA: usize = 64 << 10;

/// Name of the platform event that ends a session whose invocation is over (W3C SCXML 6.4.3, appendix D `isCancelEvent`): what
/// it is to do on its way out it does in the step of this event, and whatever else it does, it is over then.
pub const CANCEL_EVENT: &str = "cancel.session";

/// Largest answer of `host.read`, in bytes (the engine's buffer for it).
pub const MAX_READ_ANSWER: usize = 32 << 10;
