//! What a call has done so far.

use crate::exports_types::{Command, Failure, LogEntry, TraceEntry};
use pointsman_chart::Limits;

/// Collected during a call and handed over at its end.
#[derive(Default)]
pub struct Output {
    /// Commands, in order.
    pub commands: Vec<Command>,
    /// Log, in order.
    pub log: Vec<LogEntry>,
    /// Trace, when asked for.
    pub trace: Vec<TraceEntry>,
    /// The host asked for a trace.
    pub tracing: bool,
    log_bytes: usize,
}

static mut OF_CALL: Option<Output> = None;

/// What the current call has done. In one place, and never held while a script runs: scripts add to it as well.
pub fn of_call() -> &'static mut Output {
    unsafe { (*&raw mut OF_CALL).get_or_insert_with(Output::default) }
}

/// A call begins.
pub fn begin(tracing: bool) {
    *of_call() = Output::new(tracing);
}

/// What the call has done.
pub fn take() -> Output {
    core::mem::take(of_call())
}

/// A failure with a stable code.
pub fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.into(), message }
}

impl Output {
    /// For a call that begins.
    pub fn new(tracing: bool) -> Self {
        Output { tracing, ..Output::default() }
    }

    /// Adds a command.
    pub fn command(&mut self, limits: &Limits, command: Command) -> Result<(), Failure> {
        if self.commands.len() >= limits.commands as usize {
            return Err(failure("queue-limit", format!("more than {} commands in one step", limits.commands)));
        }
        self.commands.push(command);
        Ok(())
    }

    /// Adds a log line.
    pub fn log(&mut self, limits: &Limits, entry: LogEntry) -> Result<(), Failure> {
        // A line costs something even when it is empty.
        self.log_bytes += entry.text.len() + entry.label.as_ref().map_or(0, String::len) + 16;
        if self.log_bytes > limits.log_bytes as usize {
            return Err(failure("log-limit", format!("more than {} bytes of log in one step", limits.log_bytes)));
        }
        self.log.push(entry);
        Ok(())
    }

    /// Adds an error of the document: told without a trace as well.
    pub fn failed(&mut self, what: String) {
        let most = if self.tracing { MAX_TRACE } else { MAX_TOLD };
        if self.trace.len() < most {
            self.trace.push(TraceEntry::Failed(what));
        }
    }

    /// Adds a trace entry, made only when somebody wants it.
    #[inline]
    pub fn trace(&mut self, entry: impl FnOnce() -> TraceEntry) {
        if self.tracing && self.trace.len() < MAX_TRACE {
            self.trace.push(entry());
        }
    }
}

/// Trace entries of one step. A step is bounded by its microsteps; this keeps the answer small all the same.
const MAX_TRACE: usize = 10_000;

/// Errors of one step that are told where no trace is asked for.
const MAX_TOLD: usize = 20;
