//! One session's sandbox.

use crate::engine::{Sandbox, ticks};
use crate::error::Error;
use crate::prefault::HotPages;
use crate::strategy::{Strategy, instantiation_error};
use pointsman_contract as contract;
use std::ptr::NonNull;
use wasmtime::component::{TypedFunc, WasmList};
use wasmtime::{ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder, Trap};

#[allow(
    missing_docs,
    clippy::all,
    reason = "generated from wit/, where everything is documented"
)]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "strategy" });
}

use bindings::pointsman::strategy::{host, types};

/// Answers `host.read`. The caller of a step provides it; what it answered comes back in [`Outcome::answers`].
pub trait Reads {
    /// JSON, or a message saying why there is none.
    fn read(&mut self, source: &str, key: &str) -> Result<String, String>;
}

/// Has no data at all.
pub struct NoReads;

impl Reads for NoReads {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        Err(format!("this host has no `{source}` data, nor `{key}` in it"))
    }
}

/// One answer given during a step, to be journaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Source that was asked.
    pub source: String,
    /// Key that was asked.
    pub key: String,
    /// What it said.
    pub answer: Result<String, String>,
}

/// A finished step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it did.
    pub step: contract::Step,
    /// What it was told meanwhile.
    pub answers: Vec<Answer>,
}

/// Host state of one store.
pub(crate) struct State {
    limiter: Limiter,
    /// Set for the length of one `start` or `handle`.
    reads: Option<ReadsPointer>,
    /// Of the call at hand, or of the one before until the next begins.
    answers: Vec<Answer>,
    /// Bytes in `answers`, keys included.
    answer_bytes: usize,
}

/// The store's memory limit, which remembers when it was reached: wasm has no other way to say why it gave up.
struct Limiter {
    limits: StoreLimits,
    /// Memory was refused during the call at hand.
    refused: bool,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = self.limits.memory_growing(current, desired, maximum)?;
        self.refused |= !granted;
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Granted, but more than a slot has.
        self.refused = true;
        self.limits.memory_grow_failed(error)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.limits.table_grow_failed(error)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}

/// The caller's `Reads`, for the length of one call.
struct ReadsPointer(NonNull<dyn Reads>);

// SAFETY: set by `Lent::new` and taken away when that is dropped, both inside one `Instance::call` on one thread, which
// holds the only reference to the referent meanwhile. A store that changes threads between calls holds none.
unsafe impl Send for ReadsPointer {}

/// A store that may use the caller's `Reads`. However the call ends, by a panic too, they are out of reach afterwards.
struct Lent<'a>(&'a mut Store<State>);

impl<'a> Lent<'a> {
    fn new(store: &'a mut Store<State>, reads: &'a mut dyn Reads) -> Lent<'a> {
        // SAFETY: only the lifetime is erased. `reads` stays borrowed for as long as this lives, and dropping this takes
        // the pointer away; it is never forgotten, for it does not leave `Instance::call`.
        let pointer =
            unsafe { std::mem::transmute::<NonNull<dyn Reads + '_>, NonNull<dyn Reads>>(NonNull::from(reads)) };
        store.data_mut().reads = Some(ReadsPointer(pointer));
        Lent(store)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.data_mut().reads = None;
    }
}

impl types::Host for State {}

/// Reads that one step may make: each is kept and journaled.
const MAX_READS: usize = 1000;

/// Most bytes of a read's source and key together. A longer one is refused, and not kept.
const MAX_READ_KEY: usize = 1 << 10;

/// Bytes of answers, keys included, after which a step is given no more. The last answer may go beyond.
const MAX_READ_BYTES: usize = 1 << 20;

impl host::Host for State {
    fn read(&mut self, source: String, key: String) -> Result<String, String> {
        // What is refused here is not kept: the same step replayed comes to the same limit by itself.
        let Some(reads) = &mut self.reads else {
            return Err("nothing can be read here".into());
        };
        if self.answers.len() >= MAX_READS {
            return Err(format!("more than {MAX_READS} reads in one step"));
        }
        let asked = source.len() + key.len();
        if asked > MAX_READ_KEY {
            return Err(format!(
                "source and key of a read have {asked} bytes, {MAX_READ_KEY} allowed"
            ));
        }
        if self.answer_bytes >= MAX_READ_BYTES {
            return Err(format!("more than {MAX_READ_BYTES} bytes read in one step"));
        }
        // SAFETY: it is there, so a `Lent` keeps the referent borrowed while the guest runs, and nobody else uses it.
        let answer = match unsafe { reads.0.as_mut() }.read(&source, &key) {
            Ok(text) if text.len() > contract::MAX_READ_ANSWER => Err(format!(
                "the value of `{key}` in `{source}` is larger than {} bytes",
                contract::MAX_READ_ANSWER
            )),
            Err(mut text) if text.len() > contract::MAX_READ_ANSWER => {
                text.truncate(text.floor_char_boundary(1024));
                Err(text)
            }
            other => other,
        };
        self.answer_bytes += asked + answer.as_ref().map_or_else(String::len, String::len);
        self.answers.push(Answer {
            source,
            key,
            answer: answer.clone(),
        });
        answer
    }
}

/// Most that a sandbox may hand to the host in one call, bytes as the host holds them: a step, an inspection, the texts
/// of one read. wasmtime stops what is more before it is copied.
const MAX_OUTPUT: usize = 4 << 20;

/// Log lines of one step. The engine has its own, configurable bound; this one holds for strategies with code of
/// their own too.
const MAX_LOG_LINES: usize = 1 << 16;

/// Bytes of a step's log.
const MAX_LOG_BYTES: usize = 2 << 20;

/// Bytes of a step's commands. How many there may be is the session's to say, and configurable.
const MAX_COMMAND_BYTES: usize = 2 << 20;

/// Active states that a step may name, and bytes of their names.
const MAX_ACTIVE: usize = 10_000;
const MAX_ACTIVE_BYTES: usize = 1 << 20;

/// Entries of a step's trace, as the engine's own bound, and bytes of it. What is more is left out: a trace changes
/// nothing else, so it must not end a session either.
const MAX_TRACE: usize = 10_000;
const MAX_TRACE_BYTES: usize = 1 << 20;

/// One session's sandbox. Its calls are synchronous and belong on a thread with [`crate::THREAD_STACK`].
///
/// After a call has failed the sandbox is of no more use: the session ends with the failure, and the instance
/// is dropped.
pub struct Instance {
    store: Store<State>,
    guest: bindings::Strategy,
    view: Option<TypedFunc<(), (WasmList<u8>,)>>,
    strategy: Strategy,
    budget_ticks: u64,
    /// Why it is of no more use: a trap leaves a sandbox in the middle of something, and wasmtime lets nobody in again.
    lost: Option<String>,
}

impl Sandbox {
    /// Makes a sandbox for a new session.
    ///
    /// * `memory`: bytes that it may grow to, at most 16 MiB.
    ///
    /// # Errors
    /// [`Error::Full`] when all slots are taken.
    pub fn instantiate(&self, strategy: &Strategy, memory: usize) -> Result<Instance, Error> {
        let limiter = Limiter {
            limits: StoreLimitsBuilder::new().memory_size(memory).build(),
            refused: false,
        };
        let mut store = Store::new(
            &self.inner.engine,
            State {
                limiter,
                reads: None,
                answers: Vec::new(),
                answer_bytes: 0,
            },
        );
        store.limiter(|s| &mut s.limiter);
        store.set_hostcall_fuel(MAX_OUTPUT);
        let budget_ticks = ticks(self.inner.options.step_budget);
        store.set_epoch_deadline(budget_ticks);
        let failed = |e| instantiation_error(&self.inner.options, e);
        let loaded = &strategy.inner;
        let instance = loaded.pre.instantiate(&mut store).map_err(failed)?;
        let guest = loaded.exports.load(&mut store, &instance).map_err(Error::Wasmtime)?;
        let view = loaded.view.map(|view| instance.get_typed_func(&mut store, view));
        let view = view.transpose().map_err(Error::Wasmtime)?;
        let mut made = Instance {
            store,
            guest,
            view,
            strategy: strategy.clone(),
            budget_ticks,
            lost: None,
        };
        if self.inner.options.populate_hot_pages
            && let Some(hot) = strategy.inner.hot.get()
            && let Some(base) = made.memory().map_err(Error::Wasmtime)?
        {
            hot.populate(base);
        }
        Ok(made)
    }
}

impl Instance {
    /// Begins the session.
    ///
    /// # Errors
    /// The reason why the session cannot go on.
    pub fn start(
        &mut self,
        moment: contract::Moment,
        info: &contract::StartInfo,
        reads: &mut dyn Reads,
    ) -> Result<Outcome, contract::Failure> {
        check_size(
            info.params.len() + info.io_processors.len(),
            "the start parameters have",
        )?;
        let info = types::StartInfo {
            session_id: info.session_id.clone(),
            params: info.params.clone(),
            io_processors: info.io_processors.clone(),
        };
        let outcome = self.call(reads, |guest, store| guest.call_start(store, moment.into(), &info))?;
        if self.strategy.inner.hot.get().is_none() {
            match self.memory() {
                Ok(Some((base, len))) => {
                    let _ = self.strategy.inner.hot.set(HotPages::of(base, len));
                }
                Ok(None) => {}
                // Not the strategy's doing; but wasmtime lets nobody in after that.
                Err(e) => return Err(self.failure(&e)),
            }
        }
        Ok(outcome)
    }

    /// Handles one event: one macrostep.
    ///
    /// # Errors
    /// The reason why the session cannot go on.
    pub fn handle(
        &mut self,
        moment: contract::Moment,
        event: &contract::Event,
        reads: &mut dyn Reads,
    ) -> Result<Outcome, contract::Failure> {
        check_size(event.size(), "the event has")?;
        let event = event.clone().into();
        self.call(reads, |guest, store| guest.call_handle(store, moment.into(), &event))
    }

    /// Shows the session at rest. Nothing can be read meanwhile, so nothing is to be journaled.
    ///
    /// # Errors
    /// When even that runs out of time or memory. The session is lost with it, and the message says so: whatever is
    /// called next fails.
    pub fn inspect(&mut self) -> Result<contract::Inspection, contract::Failure> {
        self.enter()?;
        match self.guest.call_inspect(&mut self.store) {
            Ok(shown) => Ok(contract::Inspection {
                configuration: shown.configuration,
                datamodel: shown.datamodel,
            }),
            Err(e) => {
                let mut failure = self.failure(&e);
                failure
                    .message
                    .push_str("; this happened while the session was shown, and it cannot go on");
                self.lost = Some(failure.to_string());
                Err(failure)
            }
        }
    }

    /// The strategy that runs in it.
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    fn call(
        &mut self,
        reads: &mut dyn Reads,
        f: impl FnOnce(&bindings::Strategy, &mut Store<State>) -> wasmtime::Result<Result<types::Step, types::Failure>>,
    ) -> Result<Outcome, contract::Failure> {
        self.enter()?;
        let lent = Lent::new(&mut self.store, reads);
        let result = f(&self.guest, lent.0);
        drop(lent);
        let answers = std::mem::take(&mut self.store.data_mut().answers);
        match result {
            Ok(Ok(step)) => {
                let mut step = contract::Step::from(step);
                bound(&mut step)?;
                Ok(Outcome { step, answers })
            }
            Ok(Err(f)) => Err(contract::Failure {
                code: contract::FailureCode::parse(&f.code),
                message: f.message,
            }),
            Err(e) => Err(self.failure(&e)),
        }
    }

    /// No step may take longer than this, nor than the sandbox's own limit.
    pub fn limit_steps(&mut self, longest: std::time::Duration) {
        self.budget_ticks = self.budget_ticks.min(ticks(longest));
    }

    /// Before every call: its budget, and nothing left from the one before, which may have panicked.
    fn enter(&mut self) -> Result<(), contract::Failure> {
        if let Some(why) = &self.lost {
            return Err(contract::Failure {
                code: contract::FailureCode::Internal,
                message: format!("the sandbox was lost earlier ({why})"),
            });
        }
        self.store.set_epoch_deadline(self.budget_ticks);
        let state = self.store.data_mut();
        state.answers.clear();
        state.answer_bytes = 0;
        state.limiter.refused = false;
        Ok(())
    }

    /// What a trap means. The sandbox is lost with it.
    fn failure(&mut self, e: &wasmtime::Error) -> contract::Failure {
        use contract::FailureCode::{Internal, OutOfMemory, QueueLimit, StackLimit, TimeLimit};
        let (code, message) = match e.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => (
                TimeLimit,
                format!(
                    "one step ran longer than {} ms",
                    self.budget_ticks * crate::engine::TICK.as_millis() as u64
                ),
            ),
            Some(Trap::StackOverflow) => (StackLimit, "the sandbox's stack ran out".into()),
            // What a Rust or C program does about memory that it must have and is not given, but also about any
            // assertion of its own.
            Some(Trap::UnreachableCodeReached) if self.store.data().limiter.refused => (
                OutOfMemory,
                "the sandbox gave up: its memory could not take what the step needed".into(),
            ),
            Some(Trap::UnreachableCodeReached) => (
                Internal,
                "the strategy panicked or asserted: it stopped itself, and not for want of memory".into(),
            ),
            Some(trap) => (Internal, format!("the sandbox trapped: {trap}")),
            // wasmtime gives this error no type that could be asked for; a test holds its text.
            None if format!("{e:#}").contains("fuel allocated for hostcalls has been exhausted") => (
                QueueLimit,
                format!("it handed more than {MAX_OUTPUT} bytes to the host at once"),
            ),
            None => (Internal, format!("{e:#}")),
        };
        let failure = contract::Failure { code, message };
        self.lost = Some(failure.to_string());
        failure
    }

    /// Base and length of its memory, of images only. `view` is the engine's own and only tells an address, but no call
    /// is let in once the last deadline has passed, and a list counts as output: it gets both anew.
    fn memory(&mut self) -> wasmtime::Result<Option<(NonNull<u8>, usize)>> {
        let Some(view) = &self.view else { return Ok(None) };
        self.store.set_epoch_deadline(self.budget_ticks);
        self.store.set_hostcall_fuel(crate::engine::SLOT);
        let viewed = view.call(&mut self.store, ());
        self.store.set_hostcall_fuel(MAX_OUTPUT);
        let (list,) = viewed?;
        let bytes = list.as_le_slice(&self.store);
        Ok(NonNull::new(bytes.as_ptr().cast_mut()).map(|base| (base, bytes.len())))
    }
}

/// Is a step's output within what the host takes? The trace is cut to it.
fn bound(step: &mut contract::Step) -> Result<(), contract::Failure> {
    use contract::FailureCode::{LogLimit, QueueLimit};
    let log = step.log.iter().map(|l| l.text.len() + text(&l.label)).sum();
    let active = step.active.as_deref().unwrap_or_default();
    for (code, what, have, most) in [
        (LogLimit, "lines of log", step.log.len(), MAX_LOG_LINES),
        (LogLimit, "bytes of log", log, MAX_LOG_BYTES),
        (
            QueueLimit,
            "bytes of commands",
            step.commands.iter().map(command_size).sum(),
            MAX_COMMAND_BYTES,
        ),
        (QueueLimit, "active states", active.len(), MAX_ACTIVE),
        (
            QueueLimit,
            "bytes of names of active states",
            active.iter().map(String::len).sum(),
            MAX_ACTIVE_BYTES,
        ),
    ] {
        if have > most {
            return Err(contract::Failure {
                code,
                message: format!("more than {most} {what} in one step"),
            });
        }
    }
    step.trace.truncate(MAX_TRACE);
    let mut bytes = 0;
    let fits = step.trace.iter().take_while(|t| {
        bytes += trace_size(t);
        bytes <= MAX_TRACE_BYTES
    });
    let fits = fits.count();
    step.trace.truncate(fits);
    Ok(())
}

fn text(t: &Option<String>) -> usize {
    t.as_ref().map_or(0, String::len)
}

/// Bytes of a command's texts.
fn command_size(command: &contract::Command) -> usize {
    match command {
        contract::Command::Send(s) => {
            s.event.len() + text(&s.id) + text(&s.target) + text(&s.processor) + text(&s.data)
        }
        contract::Command::Raise(e) => e.size(),
        contract::Command::Request(r) => r.module.len() + r.action.len() + r.id.len() + r.params.len(),
        contract::Command::Invoke(i) => {
            i.id.len() + i.params.len() + text(&i.processor) + text(&i.src) + text(&i.content)
        }
        contract::Command::Cancel(cancel) => cancel.sendid.len(),
        contract::Command::CancelInvoke(id) => id.len(),
    }
}

fn trace_size(entry: &contract::TraceEntry) -> usize {
    match entry {
        contract::TraceEntry::Event(s)
        | contract::TraceEntry::Transition(s)
        | contract::TraceEntry::Entered(s)
        | contract::TraceEntry::Left(s)
        | contract::TraceEntry::Failed(s) => s.len(),
    }
}

/// Inside, something too large could only trap: refuse it before the call.
fn check_size(size: usize, what: &str) -> Result<(), contract::Failure> {
    if size <= contract::MAX_EVENT_DATA {
        return Ok(());
    }
    Err(contract::Failure {
        code: contract::FailureCode::EventTooLarge,
        message: format!(
            "{what} {size} bytes, a strategy is given at most {}",
            contract::MAX_EVENT_DATA
        ),
    })
}

impl From<contract::Moment> for types::Moment {
    fn from(m: contract::Moment) -> Self {
        types::Moment {
            now_ms: m.now_ms,
            seed: m.seed,
            trace: m.trace,
        }
    }
}

impl From<contract::Event> for types::Event {
    fn from(e: contract::Event) -> Self {
        let kind = match e.kind {
            contract::EventKind::Platform => types::EventKind::Platform,
            contract::EventKind::Internal => types::EventKind::Internal,
            contract::EventKind::External => types::EventKind::External,
        };
        types::Event {
            name: e.name,
            kind,
            data: e.data,
            xml: e.xml,
            sendid: e.sendid,
            origin: e.origin,
            origintype: e.origintype,
            invokeid: e.invokeid,
            raw: e.raw,
        }
    }
}

impl From<types::Event> for contract::Event {
    fn from(e: types::Event) -> Self {
        let kind = match e.kind {
            types::EventKind::Platform => contract::EventKind::Platform,
            types::EventKind::Internal => contract::EventKind::Internal,
            types::EventKind::External => contract::EventKind::External,
        };
        contract::Event {
            name: e.name,
            kind,
            data: e.data,
            xml: e.xml,
            sendid: e.sendid,
            origin: e.origin,
            origintype: e.origintype,
            invokeid: e.invokeid,
            raw: e.raw,
        }
    }
}

impl From<types::Step> for contract::Step {
    fn from(s: types::Step) -> Self {
        contract::Step {
            commands: s.commands.into_iter().map(contract::Command::from).collect(),
            log: s
                .log
                .into_iter()
                .map(|l| contract::LogEntry {
                    label: l.label,
                    text: l.text,
                    level: l.level,
                })
                .collect(),
            active: s.active,
            done: s.done.map(|d| contract::Done { data: d.data }),
            trace: s.trace.into_iter().map(contract::TraceEntry::from).collect(),
        }
    }
}

impl From<types::TraceEntry> for contract::TraceEntry {
    fn from(t: types::TraceEntry) -> Self {
        match t {
            types::TraceEntry::Event(s) => contract::TraceEntry::Event(s),
            types::TraceEntry::Transition(s) => contract::TraceEntry::Transition(s),
            types::TraceEntry::Entered(s) => contract::TraceEntry::Entered(s),
            types::TraceEntry::Left(s) => contract::TraceEntry::Left(s),
            types::TraceEntry::Failed(s) => contract::TraceEntry::Failed(s),
        }
    }
}

impl From<types::Command> for contract::Command {
    fn from(c: types::Command) -> Self {
        match c {
            types::Command::Send(s) => contract::Command::Send(contract::Send {
                id: s.id,
                event: s.event,
                target: s.target,
                processor: s.processor,
                data: s.data,
                xml: s.xml,
                delay_ms: s.delay_ms,
            }),
            types::Command::Cancel(c) => contract::Command::Cancel(contract::Cancel {
                sendid: c.sendid,
                report: c.report,
            }),
            types::Command::Raise(e) => contract::Command::Raise(e.into()),
            types::Command::Request(r) => contract::Command::Request(contract::Request {
                module: r.module,
                action: r.action,
                id: r.id,
                params: r.params,
            }),
            types::Command::Invoke(i) => contract::Command::Invoke(contract::Invoke {
                id: i.id,
                processor: i.processor,
                src: i.src,
                content: i.content,
                params: i.params,
                autoforward: i.autoforward,
            }),
            types::Command::CancelInvoke(id) => contract::Command::CancelInvoke(id),
        }
    }
}

#[cfg(test)]
mod tests;
