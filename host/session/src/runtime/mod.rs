//! The runtime: many sessions on few threads.
//!
//! ```text
//!   send, terminate, inspect      acknowledgements    timers
//!               \                        |             /
//!                +-------> mailbox of the session <---+        bounded
//!                              | first input: queue a job
//!                              v
//!                  lane (hash of the session id)                an executor's thread
//!                              | the job: inputs -> core -> outputs, a bounded number per turn
//!                              v
//!              journal, strategy, commands, timers, other sessions' mailboxes
//! ```
//!
//! A session is handled by one job at a time, so its core and its strategy need no locks of their own; a session whose
//! step is long keeps nobody waiting but itself and its lane. A journal that answers at once costs no change of thread.
//!
//! [`Runtime`] is a handle, cheap to clone. Its timer thread ends with the last handle.

mod cell;
mod children;
mod counters;
mod error;
mod info;
mod recorder;
mod table;
mod timers;
mod traits;

pub use children::{Invocation, MAX_CHILDREN, MAX_DEPTH};
pub use counters::{Counters, FAILURES, STEP_BUCKETS_US};
pub use error::Error;
pub use info::{End, Filter, Info, InvalidPosition, LogLine, Page, Position, Snapshot};
pub use recorder::MAX_READS;
pub use traits::{Busy, Clock, Commands, Executor, HostData, Job, Program, Reads, Refused, Strategy, SystemClock};

use crate::core::{self, Input, Session};
use cell::{Bounds, Cell};
use children::Reached;
use counters::count;
use pointsman_contract::{
    CANCEL_EVENT, CommandId, Digest, Event, EventKind, Inspection, MAX_EVENT_DATA, SCXML_PROCESSOR, Seq, SessionId,
};
use pointsman_store::{Acknowledge, Appended, Journal, Name, Outcome, Parent, SessionStarted, Tenant};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use table::Table;
use timers::{Due, Timers};
use tokio::sync::{Notify, oneshot};

/// Log lines in a [`Snapshot`].
pub const LOG_TAIL: usize = 20;

/// Most sessions on a page of a list.
pub const MAX_PAGE: usize = 1_000;

/// Most inspections of one session that wait.
pub const MAX_INSPECTIONS: usize = 16;

/// How long [`Runtime::drain`] waits for the sessions that it has terminated to end.
const TERMINATION_GRACE: Duration = Duration::from_secs(5);

/// Bounds of the runtime.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bounds of each session.
    pub session: core::Options,
    /// Lanes of the executor: as many as it has queues.
    pub lanes: usize,
    /// Most live sessions, 100,000 unless told.
    pub max_live: usize,
    /// Most live sessions of one tenant, 100,000 unless told.
    pub max_live_per_tenant: usize,
    /// Ended sessions per tenant that can still be asked about, 1,000 unless told.
    pub ended_per_tenant: usize,
    /// Log lines kept per session, 200 unless told.
    pub log_lines: usize,
    /// Bytes of log kept per session, 32 KiB unless told.
    pub log_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            session: core::Options::default(),
            lanes: thread::available_parallelism().map_or(1, usize::from),
            max_live: 100_000,
            max_live_per_tenant: 100_000,
            ended_per_tenant: 1_000,
            log_lines: 200,
            log_bytes: 32 << 10,
        }
    }
}

/// Whom the runtime works with.
#[derive(Clone)]
pub struct Services {
    /// Where records go.
    pub journal: Arc<dyn Journal>,
    /// Whose threads do the work.
    pub executor: Arc<dyn Executor>,
    /// Who carries out commands.
    pub commands: Arc<dyn Commands>,
    /// Who answers reads of host data.
    pub host_data: Arc<dyn HostData>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// A session to be started.
#[derive(Clone)]
pub struct StartRequest {
    /// Whose.
    pub tenant: Tenant,
    /// Which strategy.
    pub strategy: Name,
    /// Which version of it.
    pub version: u32,
    /// Its component.
    pub component: Digest,
    /// The component, ready to be instantiated.
    pub program: Arc<dyn Program>,
    /// Start parameters, a JSON object.
    pub params: String,
    /// What causes it, for operators: such as `sip:7001` or `rest`.
    pub origin: String,
    /// Ask each step for a trace.
    pub trace: bool,
    /// What it is started for, where another session invokes it.
    pub invocation: Option<Invocation>,
}

/// A running runtime.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    options: Options,
    services: Services,
    table: Table,
    timers: Arc<Timers>,
    counters: Counters,
    draining: AtomicBool,
    /// A session has left.
    left: Notify,
    acknowledge: Arc<dyn Acknowledge>,
}

/// Events of [`Runtime::report`] that may wait beyond the limit for ordinary ones.
pub const RESERVED_EVENTS: usize = 64 + MAX_CHILDREN;

/// Whether an event may take a reserved place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Importance {
    Ordinary,
    Reserved,
}

/// The data behind these locks is consistent between any two statements that can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runtime {
    /// Begins to work: starts the timer thread.
    pub fn new(options: Options, services: Services) -> std::io::Result<Self> {
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| Inner {
            options: Options {
                lanes: options.lanes.max(1),
                ..options
            },
            services,
            table: Table::new(),
            timers: Arc::default(),
            counters: Counters::default(),
            draining: AtomicBool::new(false),
            left: Notify::new(),
            acknowledge: Arc::new(Acknowledgements(inner.clone())),
        });
        let (timers, clock, runtime) = (
            inner.timers.clone(),
            inner.services.clock.clone(),
            Arc::downgrade(&inner),
        );
        let fire = move || {
            while let Due::Now(fired, stalled) = timers.wait(|| clock.now_ms()) {
                let Some(runtime) = runtime.upgrade() else { return };
                runtime.fire(fired, stalled);
            }
        };
        thread::Builder::new().name("session-timers".into()).spawn(fire)?;
        Ok(Runtime(inner))
    }

    /// An id for a session that is to be started later.
    pub fn new_id(&self) -> Result<SessionId, Error> {
        let mut random = [0; 20];
        getrandom::fill(&mut random).map_err(|e| Error::Random(e.to_string()))?;
        Ok(SessionId::from_random(random))
    }

    /// Starts a session. It lives from here on; whether its strategy could begin is seen in its end. One that is invoked is
    /// only started while its invocation lasts.
    pub fn start(&self, request: StartRequest) -> Result<SessionId, Error> {
        self.start_as(self.new_id()?, request)
    }

    /// The same, under an id that [`Runtime::new_id`] gave. An id names one session: it is used once.
    pub fn start_as(&self, id: SessionId, request: StartRequest) -> Result<SessionId, Error> {
        let Some(invocation) = request.invocation.clone() else {
            return self.begin(id, request, None);
        };
        let over = || Error::InvocationOver {
            session: invocation.session,
            invoke: invocation.invoke.clone(),
        };
        let cell = self.cell(invocation.session).map_err(|_| over())?;
        // Held until the child has its place: nobody else can end the invocation, or find it without the child, meanwhile.
        let mut children = lock(&cell.children);
        if !children.awaits(&invocation) || cell.info.tenant != request.tenant {
            return Err(over());
        }
        let parent = Parent {
            session: invocation.session,
            invoke: invocation.invoke.clone(),
            depth: cell.info.parent.as_ref().map_or(1, |above| above.depth + 1),
        };
        let child = self.begin(id, request, Some(parent))?;
        children.found(invocation.command);
        for event in children.arrive(&invocation.invoke, child) {
            // An event for a session that is over already is as one that came a moment later.
            let _over = self.0.send(child, event);
        }
        Ok(child)
    }

    /// Does an invocation still wait for its session? Asked before its document is worked on.
    pub fn awaits(&self, invocation: &Invocation) -> bool {
        let cell = self.cell(invocation.session);
        cell.is_ok_and(|cell| lock(&cell.children).awaits(invocation))
    }

    /// An invocation came to nothing: its document cannot be had, or cannot run. The parent hears of it, if it still waits. To
    /// be called, or [`Runtime::start`] with success, for each invocation that was performed.
    pub fn invocation_failed(&self, invocation: &Invocation, reason: &str) {
        let Ok(cell) = self.cell(invocation.session) else {
            return;
        };
        let awaited = {
            let mut children = lock(&cell.children);
            children.found(invocation.command);
            let awaited = children.awaits(invocation);
            if awaited {
                children.end(&invocation.invoke);
            }
            awaited
        };
        if awaited {
            let session = invocation.session;
            self.remark(
                session,
                &format!("invoke `{}` came to nothing: {reason}", invocation.invoke),
            );
            let _over = self.report(session, cell::invocation_error(&invocation.invoke, reason));
        }
    }

    fn begin(&self, id: SessionId, request: StartRequest, parent: Option<Parent>) -> Result<SessionId, Error> {
        let inner = &self.0;
        if inner.draining.load(Ordering::Acquire) {
            return Err(Error::Draining);
        }
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|e| Error::Random(e.to_string()))?;
        let seed = u64::from_le_bytes(seed);

        let Options {
            max_live,
            max_live_per_tenant,
            lanes,
            ..
        } = inner.options;
        let of_tenant = inner
            .table
            .admit(&request.tenant, max_live, max_live_per_tenant)
            .inspect_err(|_| count(&inner.counters.starts_refused))?;
        let StartRequest {
            tenant,
            strategy,
            version,
            component,
            program,
            params,
            origin,
            trace,
            invocation: _,
        } = request;
        let started_ms = inner.now_ms();
        let settings = program.settings();
        let of_host = &inner.options.session;
        // Zero settles nothing: it must not lift the host's limit on the age, where zero is none, nor shut the session off.
        let (own_waiting, own_age_ms) = (
            settings.max_waiting.filter(|own| *own > 0),
            settings.max_age_ms.filter(|own| *own > 0),
        );
        let max_waiting = own_waiting.map_or(of_host.max_waiting, |own| own.min(of_host.max_waiting));
        let max_age_ms = match (own_age_ms, of_host.max_age_ms) {
            (Some(own), 0) => own,
            (Some(own), longest) => own.min(longest),
            (None, longest) => longest,
        };
        let started = SessionStarted {
            component,
            tenant: tenant.clone(),
            strategy: strategy.clone(),
            version,
            params,
            io_processors: io_processors(id, inner.services.commands.processors(id)),
            seed,
            started_ms,
            origin: origin.clone(),
            parent: parent.clone(),
        };
        let info = Info {
            id,
            tenant,
            strategy,
            version,
            component,
            origin,
            started_ms,
            parent,
        };
        let session = Session::new(
            id,
            core::Options {
                trace,
                // The mailbox keeps the limit for ordinary events; the core must have room for the others as well.
                max_waiting: max_waiting + RESERVED_EVENTS,
                max_age_ms,
                ..inner.options.session
            },
            started,
        );
        let lane = (id.hash() % lanes as u64) as usize;
        let cell = Arc::new(Cell::new(
            info,
            session,
            program,
            of_tenant,
            Bounds { lane, max_waiting },
        ));
        // Findable before it runs: its first commands may be answered at once.
        inner.table.insert(cell.clone());
        inner.counters.live.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = cell.begin(inner) {
            inner.counters.live.fetch_sub(1, Ordering::Relaxed);
            count(&inner.counters.starts_refused);
            inner.table.withdraw(&cell);
            return Err(error);
        }
        count(&inner.counters.started);
        Ok(id)
    }

    /// Gives a session an event. Accepted events are handled in order; what cannot be accepted is an error.
    pub fn send(&self, session: SessionId, event: Event) -> Result<(), Error> {
        self.0.send(session, event)
    }

    /// Gives a session an event that must not be lost, such as the end of its call: it has places of its own
    /// ([`RESERVED_EVENTS`]) beside those that events from outside may fill, and waits where the workers have no room.
    pub fn report(&self, session: SessionId, event: Event) -> Result<(), Error> {
        self.0.receive(session, event, Importance::Reserved)
    }

    /// Records how a command went.
    pub fn confirm(&self, command: CommandId, outcome: Outcome) -> Result<(), Error> {
        self.cell(command.session)?
            .push(&self.0, Input::CommandConfirmed(command, outcome));
        Ok(())
    }

    /// Adds an error to a session's log: what became of a command of its own that cannot be carried out. Counted as refused.
    pub fn remark(&self, session: SessionId, what: &str) {
        if let Ok(cell) = self.cell(session) {
            count(&self.0.counters.commands_refused);
            cell.remark(&self.0, self.0.now_ms(), cell::error_line(what));
        }
    }

    /// Ends a session; `reason` says who and why. It ends after the step that is being run, if any; events that wait
    /// are dropped.
    pub fn terminate(&self, session: SessionId, reason: impl Into<String>) -> Result<(), Error> {
        let cell = self.cell(session)?;
        if !cell.is_live() {
            return Err(cell.ended_error());
        }
        cell.push(&self.0, Input::Terminate(reason.into(), self.0.now_ms()));
        Ok(())
    }

    /// Looks into a live session, after the events that wait now.
    pub async fn inspect(&self, session: SessionId) -> Result<Inspection, Error> {
        let cell = self.cell(session)?;
        let (answer, inspection) = oneshot::channel();
        cell.inspect(&self.0, answer)?;
        inspection.await.unwrap_or_else(|_| Err(cell.ended_error()))
    }

    /// One session, live or lately ended.
    pub fn get(&self, session: SessionId) -> Result<Snapshot, Error> {
        Ok(self.cell(session)?.snapshot())
    }

    /// A session's last log lines, oldest first; at most [`Options::log_lines`] and [`Options::log_bytes`].
    pub fn log(&self, session: SessionId) -> Result<Vec<LogLine>, Error> {
        Ok(self.cell(session)?.status().log.iter().cloned().collect())
    }

    /// Sessions, live and lately ended, newest first.
    pub fn list(&self, filter: &Filter, page: Page) -> Vec<Snapshot> {
        self.0.table.list(filter, page)
    }

    /// How many sessions, live and lately ended, match, by the version of their strategy.
    pub fn count_by_version(&self, filter: &Filter) -> BTreeMap<u32, u64> {
        self.0.table.count_by_version(filter)
    }

    /// Counts of what happened, for metrics.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Has timers look at the clock: for a clock that was moved.
    pub fn clock_changed(&self) {
        self.0.timers.wake();
    }

    /// Starts no more sessions, waits up to `grace` for the live ones to end, then terminates those left. Answers how
    /// many had to be terminated. Needs a tokio runtime with time.
    pub async fn drain(&self, grace: Duration) -> usize {
        self.0.draining.store(true, Ordering::Release);
        if tokio::time::timeout(grace, self.0.emptied()).await.is_ok() {
            return 0;
        }
        let mut terminated = 0;
        for cell in self.0.table.all().into_iter().filter(|cell| cell.is_live()) {
            cell.push(
                &self.0,
                Input::Terminate("the host is shutting down".into(), self.0.now_ms()),
            );
            terminated += 1;
        }
        if tokio::time::timeout(TERMINATION_GRACE, self.0.emptied()).await.is_err() {
            tracing::warn!(
                left = self.0.table.live(),
                "sessions did not end in time: a step is still running"
            );
        }
        terminated
    }

    fn cell(&self, session: SessionId) -> Result<Arc<Cell>, Error> {
        self.0.cell(session)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("live", &self.0.table.live())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn now_ms(&self) -> u64 {
        self.services.clock.now_ms()
    }

    fn cell(&self, session: SessionId) -> Result<Arc<Cell>, Error> {
        self.table.get(session).ok_or(Error::NoSuchSession(session))
    }

    fn send(self: &Arc<Self>, session: SessionId, event: Event) -> Result<(), Error> {
        self.receive(session, event, Importance::Ordinary)
    }

    fn receive(self: &Arc<Self>, session: SessionId, mut event: Event, importance: Importance) -> Result<(), Error> {
        if event.size() > MAX_EVENT_DATA {
            return Err(Error::EventTooLarge { size: event.size() });
        }
        if event.kind == EventKind::Internal {
            // Only a session itself has internal events (W3C SCXML 5.10.1).
            event.kind = EventKind::External;
        }
        self.cell(session)?.offer(self, event, importance)
    }

    /// The session that another has invoked, or that has invoked it, hears an event; an answer where there is none.
    fn relate(self: &Arc<Self>, from: &Cell, target: &str, event: Event) -> Result<(), Error> {
        let nobody = || Error::NoSuchInvocation(target.to_owned());
        if target == "#_parent" {
            let parent = from.info.parent.as_ref().ok_or_else(nobody)?;
            let event = Event {
                invokeid: Some(parent.invoke.clone()),
                ..event
            };
            let cell = self.cell(parent.session)?;
            // What a child sends after its invocation is over is not heard (W3C SCXML 6.4.3).
            let children = lock(&cell.children);
            if !children.has(&parent.invoke, from.info.id) {
                return Err(nobody());
            }
            return self.send(parent.session, event);
        }
        let invoke = target.strip_prefix("#_").ok_or_else(nobody)?;
        let reached = lock(&from.children).reach(invoke, &event);
        match reached {
            Reached::Child(child) => self.send(child, event),
            Reached::Later => Ok(()),
            Reached::Nobody => Err(nobody()),
        }
    }

    /// Every event from outside goes to the children that want them all (W3C SCXML 6.4.4).
    fn forward(self: &Arc<Self>, from: &Cell, event: &Event) {
        let wanted = lock(&from.children).forwarded();
        for invoke in wanted {
            let reached = lock(&from.children).reach(&invoke, event);
            if let Reached::Child(child) = reached {
                let _over_or_full = self.send(child, event.clone());
            }
        }
    }

    /// The children of a session that is over, or whose invocation is, end with it: in a step of their own, where they may.
    fn dismiss(self: &Arc<Self>, children: impl IntoIterator<Item = SessionId>) {
        for child in children {
            // One that has ended by itself is as well.
            let _over = self.receive(child, Event::platform(CANCEL_EVENT, None), Importance::Reserved);
        }
    }

    /// An event from one session to another, of the same tenant only: to others it must look as if there were none.
    fn deliver(self: &Arc<Self>, from: &Info, to: SessionId, event: Event) -> Result<(), Error> {
        match self.table.get(to) {
            Some(cell) if cell.info.tenant == from.tenant => self.send(to, event),
            _ => Err(Error::NoSuchSession(to)),
        }
    }

    fn fire(self: &Arc<Self>, fired: Vec<(SessionId, core::TimerId)>, stalled: Vec<SessionId>) {
        for (session, timer) in fired {
            if let Some(cell) = self.table.get(session) {
                cell.push(self, Input::TimerFired(timer, self.now_ms()));
            }
        }
        for cell in stalled.into_iter().filter_map(|session| self.table.get(session)) {
            cell.reschedule(self);
        }
    }

    fn left(&self, cell: &Cell) {
        self.table.ended(cell, self.options.ended_per_tenant);
        // Release: whoever sees it finds the session among the ended ones.
        self.counters.live.fetch_sub(1, Ordering::Release);
        self.left.notify_waiters();
    }

    async fn emptied(&self) {
        loop {
            // Before looking, so that a session that leaves in between is heard.
            let left = self.left.notified();
            if self.table.live() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.timers.stop();
    }
}

/// Where a journal answers appends that took their time.
struct Acknowledgements(Weak<Inner>);

impl Acknowledge for Acknowledgements {
    fn acknowledged(&self, session: SessionId, _last: Seq, answer: Appended) {
        let Some(runtime) = self.0.upgrade() else { return };
        if let Some(cell) = runtime.table.get(session) {
            cell.push(&runtime, cell::acknowledgement(answer, runtime.now_ms()));
        }
    }
}

/// `_ioprocessors` (W3C SCXML 5.10): the SCXML processor under its URI and its short name, and those of the performer.
fn io_processors(session: SessionId, others: Vec<(&'static str, String)>) -> String {
    let own = [SCXML_PROCESSOR, "scxml"].map(|name| (name, core::address(session)));
    let all = own.into_iter().chain(others);
    let all = all.map(|(name, at)| (name.to_owned(), serde_json::json!({ "location": at })));
    serde_json::Value::Object(all.collect()).to_string()
}
