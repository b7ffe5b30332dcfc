//! One session's sandbox.

use crate::engine::{Sandbox, ticks};
use crate::error::Error;
use crate::prefault::HotPages;
use crate::strategy::{Form, Strategy, instantiation_error};
use pointsman_contract as contract;
use std::ptr::NonNull;
use wasmtime::component::{TypedFunc, WasmList};
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, Trap};

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
    limits: StoreLimits,
    reads: Option<ReadsPointer>,
    answers: Vec<Answer>,
}

/// The caller's `Reads`, for the length of one call.
struct ReadsPointer(NonNull<dyn Reads>);

// SAFETY: set and cleared inside one `Instance::call`, which holds the only reference; never used on another thread.
unsafe impl Send for ReadsPointer {}

impl types::Host for State {}

/// Reads that one step may make: each is kept and journaled.
const MAX_READS: usize = 1000;

impl host::Host for State {
    fn read(&mut self, source: String, key: String) -> Result<String, String> {
        let answer = match &mut self.reads {
            _ if self.answers.len() >= MAX_READS => Err(format!("more than {MAX_READS} reads in one step")),
            // SAFETY: `Instance::call` keeps the referent alive and unaliased while the guest runs.
            Some(p) => unsafe { p.0.as_mut() }.read(&source, &key),
            None => Err("nothing can be read here".into()),
        };
        let answer = match answer {
            Ok(text) if text.len() > contract::MAX_READ_ANSWER => Err(format!(
                "the value of `{key}` in `{source}` is larger than {} bytes",
                contract::MAX_READ_ANSWER
            )),
            Err(mut text) if text.len() > contract::MAX_READ_ANSWER => {
                let end = (0..=1024).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
                text.truncate(end);
                Err(text)
            }
            other => other,
        };
        self.answers.push(Answer {
            source,
            key,
            answer: answer.clone(),
        });
        answer
    }
}

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
}

impl Sandbox {
    /// Makes a sandbox for a new session.
    ///
    /// * `memory`: bytes that it may grow to, at most 16 MiB.
    ///
    /// # Errors
    /// [`Error::Full`] when all slots are taken.
    pub fn instantiate(&self, strategy: &Strategy, memory: usize) -> Result<Instance, Error> {
        let limits = StoreLimitsBuilder::new().memory_size(memory).build();
        let mut store = Store::new(
            &self.inner.engine,
            State {
                limits,
                reads: None,
                answers: Vec::new(),
            },
        );
        store.limiter(|s| &mut s.limits);
        let budget_ticks = ticks(self.inner.options.step_budget);
        store.set_epoch_deadline(budget_ticks);
        let failed = |e| instantiation_error(&self.inner.options, e);
        let pre = &strategy.inner.pre;
        let instance = pre.instance_pre().instantiate(&mut store).map_err(failed)?;
        let guest = bindings::Strategy::new(&mut store, &instance).map_err(Error::Wasmtime)?;
        // Beside the contract: only images have it.
        let view = match strategy.form() {
            Form::Image => Some(instance.get_typed_func(&mut store, "view").map_err(Error::Wasmtime)?),
            Form::SelfContained => None,
        };
        let mut made = Instance {
            store,
            guest,
            view,
            strategy: strategy.clone(),
            budget_ticks,
        };
        if self.inner.options.populate_hot_pages
            && let Some(hot) = strategy.inner.hot.get()
            && let Some(base) = made.memory()
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
        if self.strategy.inner.hot.get().is_none()
            && let Some((base, len)) = self.memory()
        {
            let _ = self.strategy.inner.hot.set(HotPages::of(base, len));
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

    /// Shows the session at rest.
    ///
    /// # Errors
    /// When even that runs out of time or memory.
    pub fn inspect(&mut self) -> Result<contract::Inspection, contract::Failure> {
        self.store.set_epoch_deadline(self.budget_ticks);
        let shown = self.guest.call_inspect(&mut self.store).map_err(|e| self.failure(&e))?;
        Ok(contract::Inspection {
            configuration: shown.configuration,
            datamodel: shown.datamodel,
        })
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
        self.store.set_epoch_deadline(self.budget_ticks);
        // SAFETY: only the lifetime is erased; the pointer is taken away again before this function returns.
        let pointer =
            unsafe { std::mem::transmute::<NonNull<dyn Reads + '_>, NonNull<dyn Reads>>(NonNull::from(reads)) };
        self.store.data_mut().reads = Some(ReadsPointer(pointer));
        let result = f(&self.guest, &mut self.store);
        self.store.data_mut().reads = None;
        let answers = std::mem::take(&mut self.store.data_mut().answers);
        match result {
            Ok(Ok(step)) => Ok(Outcome {
                step: step.into(),
                answers,
            }),
            Ok(Err(f)) => Err(contract::Failure {
                code: contract::FailureCode::parse(&f.code),
                message: f.message,
            }),
            Err(e) => Err(self.failure(&e)),
        }
    }

    fn failure(&self, e: &wasmtime::Error) -> contract::Failure {
        use contract::FailureCode::{Internal, OutOfMemory, StackLimit, TimeLimit};
        let (code, message) = match e.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => (
                TimeLimit,
                format!(
                    "one step ran longer than {} ms",
                    self.budget_ticks * crate::engine::TICK.as_millis() as u64
                ),
            ),
            Some(Trap::StackOverflow) => (StackLimit, "the sandbox's stack ran out".into()),
            Some(Trap::UnreachableCodeReached) => (
                OutOfMemory,
                "the sandbox gave up: its memory could not take what the step needed".into(),
            ),
            Some(trap) => (Internal, format!("the sandbox trapped: {trap}")),
            None => (Internal, format!("{e:#}")),
        };
        contract::Failure { code, message }
    }

    /// Base and length of its memory.
    fn memory(&mut self) -> Option<(NonNull<u8>, usize)> {
        let (list,) = self.view.as_ref()?.call(&mut self.store, ()).ok()?;
        let bytes = list.as_le_slice(&self.store);
        Some((NonNull::new(bytes.as_ptr().cast_mut())?, bytes.len()))
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
            sendid: e.sendid,
            origin: e.origin,
            origintype: e.origintype,
            invokeid: e.invokeid,
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
            sendid: e.sendid,
            origin: e.origin,
            origintype: e.origintype,
            invokeid: e.invokeid,
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
                delay_ms: s.delay_ms,
            }),
            types::Command::Cancel(id) => contract::Command::Cancel(id),
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
