//! One session's place in the runtime: its mailbox, and the work that one job at a time does for it.

use super::{
    Error, Filter, Importance, Info, Inner, LOG_TAIL, MAX_CHILDREN, MAX_DEPTH, MAX_INSPECTIONS, Program,
    RESERVED_EVENTS, Snapshot, Strategy,
    children::Children,
    counters::count,
    info::{End, Status},
    lock,
    recorder::Recorder,
    table::OfTenant,
};
use crate::core::{
    Call, Failed, Input, Output, Rejected, SESSION_PREFIX, Session, StepOutcome, address, event_of, is_scxml,
};
use pointsman_contract::{
    Cancel, Command, CommandId, Ended, Epoch, Event, EventKind, Failure, FailureCode, Inspection, Invoke, LogEntry,
    MAX_EVENT_DATA, SCXML_PROCESSOR, Step, TraceEntry,
};
use pointsman_store::{Append, AppendError, Appended, Parent};
use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Instant,
};
use tokio::sync::oneshot;

/// Inputs that one job takes before it lets the lane's other sessions have their turn. An event is three inputs: it
/// arrives, its record is acknowledged, its step ends.
const BUDGET: usize = 96;

/// Epoch of a session that has had no other owner.
const FIRST_EPOCH: Epoch = Epoch(1);

/// Where a session runs, and how much of what may wait for it.
pub(super) struct Bounds {
    pub lane: usize,
    pub max_waiting: usize,
}

pub(super) struct Cell {
    pub info: Info,
    pub of_tenant: Arc<OfTenant>,
    bounds: Bounds,
    mailbox: Mutex<Mailbox>,
    /// Locked by the job, of which there is one at a time.
    work: Mutex<Work>,
    status: Mutex<Status>,
    events: AtomicU64,
    /// What it has invoked. Locked before any mailbox.
    pub children: Mutex<Children>,
}

#[derive(Default)]
struct Mailbox {
    items: VecDeque<Item>,
    /// Events among the items.
    events: usize,
    /// Events that the core has accepted and not begun.
    in_core: usize,
    inspections: usize,
    /// A job is queued or at work.
    scheduled: bool,
    closed: bool,
}

enum Item {
    Input(Input),
    Inspect(Answer),
}

type Answer = oneshot::Sender<Result<Inspection, Error>>;

struct Work {
    core: Session,
    program: Option<Arc<dyn Program>>,
    strategy: Option<Box<dyn Strategy>>,
    begun: bool,
    finished: bool,
    panicked: bool,
    /// Inputs that earlier inputs led to.
    follow: VecDeque<Input>,
    out: Vec<Output>,
    now_ms: u64,
}

impl Cell {
    pub fn new(info: Info, core: Session, program: Arc<dyn Program>, of_tenant: Arc<OfTenant>, bounds: Bounds) -> Self {
        let work = Work {
            core,
            program: Some(program),
            strategy: None,
            begun: false,
            finished: false,
            panicked: false,
            follow: VecDeque::new(),
            out: Vec::new(),
            now_ms: info.started_ms,
        };
        Cell {
            info,
            of_tenant,
            bounds,
            mailbox: Mutex::default(),
            work: Mutex::new(work),
            status: Mutex::default(),
            events: AtomicU64::new(0),
            children: Mutex::default(),
        }
    }

    /// Queues the job that begins the session.
    pub fn begin(self: &Arc<Self>, runtime: &Arc<Inner>) -> Result<(), Error> {
        self.schedule(runtime, &mut lock(&self.mailbox))
    }

    /// Takes an event from outside, unless too many wait.
    pub fn offer(self: &Arc<Self>, runtime: &Arc<Inner>, event: Event, importance: Importance) -> Result<(), Error> {
        let input = Input::Event(event, runtime.now_ms());
        let mut mailbox = lock(&self.mailbox);
        if mailbox.closed {
            drop(mailbox);
            return Err(self.ended_error());
        }
        let reserved = importance == Importance::Reserved;
        let limit = self.bounds.max_waiting + if reserved { RESERVED_EVENTS } else { 0 };
        if mailbox.events + mailbox.in_core >= limit {
            count(&runtime.counters.queue_full);
            return Err(Error::QueueFull {
                session: self.info.id,
                limit,
            });
        }
        mailbox.items.push_back(Item::Input(input));
        if reserved {
            self.schedule_or_retry(runtime, &mut mailbox);
        } else if let Err(busy) = self.schedule(runtime, &mut mailbox) {
            mailbox.items.pop_back();
            return Err(busy);
        }
        mailbox.events += 1;
        count(&runtime.counters.events);
        Ok(())
    }

    /// Takes an input that must not be lost. There are few of them: acknowledgements of own appends, own timers.
    pub fn push(self: &Arc<Self>, runtime: &Arc<Inner>, input: Input) {
        let mut mailbox = lock(&self.mailbox);
        if mailbox.closed {
            return;
        }
        match input {
            // Ahead of whatever waits, once is enough.
            Input::Terminate(..) => {
                if !matches!(mailbox.items.front(), Some(Item::Input(Input::Terminate(..)))) {
                    mailbox.items.push_front(Item::Input(input));
                }
            }
            input => mailbox.items.push_back(Item::Input(input)),
        }
        self.schedule_or_retry(runtime, &mut mailbox);
    }

    pub fn inspect(self: &Arc<Self>, runtime: &Arc<Inner>, answer: Answer) -> Result<(), Error> {
        let mut mailbox = lock(&self.mailbox);
        if mailbox.closed {
            drop(mailbox);
            return Err(self.ended_error());
        }
        if mailbox.inspections >= MAX_INSPECTIONS {
            return Err(Error::TooManyInspections {
                session: self.info.id,
                limit: MAX_INSPECTIONS,
            });
        }
        mailbox.items.push_back(Item::Inspect(answer));
        if let Err(busy) = self.schedule(runtime, &mut mailbox) {
            mailbox.items.pop_back();
            return Err(busy);
        }
        mailbox.inspections += 1;
        Ok(())
    }

    /// Tries again to queue a job that found no room.
    pub fn reschedule(self: &Arc<Self>, runtime: &Arc<Inner>) {
        let mut mailbox = lock(&self.mailbox);
        if !mailbox.closed {
            self.schedule_or_retry(runtime, &mut mailbox);
        }
    }

    fn schedule_or_retry(self: &Arc<Self>, runtime: &Arc<Inner>, mailbox: &mut Mailbox) {
        if self.schedule(runtime, mailbox).is_err() {
            runtime.timers.stalled(self.info.id);
        }
    }

    fn schedule(self: &Arc<Self>, runtime: &Arc<Inner>, mailbox: &mut Mailbox) -> Result<(), Error> {
        if !mailbox.scheduled {
            let (cell, runtime_of_job) = (self.clone(), runtime.clone());
            runtime
                .services
                .executor
                .run(self.bounds.lane, Box::new(move || cell.job(&runtime_of_job)))?;
            mailbox.scheduled = true;
        }
        Ok(())
    }

    fn job(self: &Arc<Self>, runtime: &Arc<Inner>) {
        let mut work = lock(&self.work);
        let worked = catch_unwind(AssertUnwindSafe(|| self.work(runtime, &mut work)));
        let more = worked.unwrap_or_else(|panic| self.panicked(runtime, &mut work, &*panic));
        let waiting = work.core.waiting();
        drop(work);
        let mut mailbox = lock(&self.mailbox);
        mailbox.in_core = waiting;
        mailbox.scheduled = false;
        if !mailbox.closed && (more || !mailbox.items.is_empty()) {
            self.schedule_or_retry(runtime, &mut mailbox);
        }
    }

    /// Something outside the strategy panicked. The core may have lost an output, so the session cannot go on: its
    /// end is recorded in the ordinary way, and if that panics too, without a record.
    fn panicked(&self, runtime: &Arc<Inner>, work: &mut Work, panic: &(dyn Any + Send)) -> bool {
        let failure = panic_failure(panic);
        tracing::error!(session = %self.info.id, %failure, "a panic outside the strategy ends its session");
        work.follow.clear();
        work.out.clear();
        if work.panicked {
            self.finish(runtime, work, &Ended::Failed(failure));
            return false;
        }
        work.panicked = true;
        work.follow.push_back(Input::Fail(failure, runtime.now_ms()));
        true
    }

    /// Works until nothing is left to do (false) or the budget is spent (true).
    fn work(&self, runtime: &Arc<Inner>, work: &mut Work) -> bool {
        let mut worked = true;
        if !work.begun {
            work.begun = true;
            self.input(runtime, work, Input::Start);
        } else if let Some(stepped) = work.follow.pop_front_if(|input| matches!(input, Input::Stepped(_))) {
            // What a step did is done: nothing overtakes it.
            self.input(runtime, work, stepped);
        } else if let Some(item) = self.next(work) {
            // Before what is left of the last turn: a session that sends to itself for ever must hear `Terminate`.
            self.item(runtime, work, item);
        } else {
            worked = false;
        }
        for _ in 0..BUDGET {
            if work.finished {
                return false;
            }
            // A step took long: what comes now takes locks that all sessions share, which is nothing for a slow thread.
            if worked && runtime.services.executor.overdue() {
                break;
            }
            worked = true;
            if let Some(input) = work.follow.pop_front() {
                self.input(runtime, work, input);
            } else if let Some(item) = self.next(work) {
                self.item(runtime, work, item);
            } else {
                return false;
            }
        }
        !work.follow.is_empty()
    }

    fn next(&self, work: &Work) -> Option<Item> {
        let mut mailbox = lock(&self.mailbox);
        mailbox.in_core = work.core.waiting();
        let item = mailbox.items.pop_front()?;
        match item {
            Item::Input(Input::Event(..)) => {
                mailbox.events -= 1;
                mailbox.in_core += 1;
            }
            Item::Inspect(_) => mailbox.inspections -= 1,
            Item::Input(_) => {}
        }
        Some(item)
    }

    fn item(&self, runtime: &Arc<Inner>, work: &mut Work, item: Item) {
        match item {
            Item::Input(input) => self.input(runtime, work, input),
            Item::Inspect(answer) => {
                let inspected = match &mut work.strategy {
                    Some(strategy) => catch_unwind(AssertUnwindSafe(|| strategy.inspect()))
                        .unwrap_or_else(|panic| Err(panic_failure(&*panic)))
                        .map_err(Error::Inspection),
                    None => {
                        let message = "it has not begun yet".to_owned();
                        Err(Error::Inspection(Failure {
                            code: FailureCode::Start,
                            message,
                        }))
                    }
                };
                // Whoever asked may have gone away.
                let _gone = answer.send(inspected);
            }
        }
    }

    fn input(&self, runtime: &Arc<Inner>, work: &mut Work, input: Input) {
        let mut out = std::mem::take(&mut work.out);
        let fired = matches!(input, Input::TimerFired(..));
        match work.core.input(input, &mut out) {
            // An event that came while the session was ending: as if it had come a moment later.
            Ok(()) | Err(Rejected::Ended) => {}
            Err(rejected) => tracing::error!(session = %self.info.id, %rejected, "the mailbox let too much in"),
        }
        if fired {
            lock(&self.status).timers = work.core.timers();
        }
        for output in out.drain(..) {
            self.output(runtime, work, output);
        }
        work.out = out;
    }

    fn output(&self, runtime: &Arc<Inner>, work: &mut Work, output: Output) {
        let id = self.info.id;
        match output {
            Output::Append { first, records } => {
                let append = Append {
                    session: id,
                    epoch: FIRST_EPOCH,
                    first,
                    records,
                };
                if let Poll::Ready(answer) = runtime.services.journal.append(append, &runtime.acknowledge) {
                    work.follow.push_back(acknowledgement(answer, runtime.now_ms()));
                }
            }
            Output::Run(call) => {
                let outcome = self.call(runtime, work, &call);
                work.follow.push_back(Input::Stepped(outcome));
            }
            Output::Perform(_, Command::CancelInvoke(invoke)) => {
                let child = lock(&self.children).end(&invoke);
                runtime.dismiss(child);
            }
            Output::Perform(_, Command::Send(send)) if is_relation(&send) => {
                let event = event_of(id, &send);
                let target = send.target.clone().unwrap_or_default();
                if let Err(error) = runtime.relate(self, &target, event) {
                    let refused = Input::Refused(Command::Send(send), error.to_string(), runtime.now_ms());
                    self.refused(runtime, work, refused);
                }
            }
            Output::Perform(command_id, command) => {
                if let Command::Invoke(invoke) = &command
                    && let Err(reason) = self.invoke(runtime, invoke, command_id)
                {
                    return self.refused(runtime, work, Input::Refused(command, reason, runtime.now_ms()));
                }
                if let Err(refused) = runtime.services.commands.perform(&self.info, command_id, command) {
                    if let Command::Invoke(invoke) = &refused.command {
                        let mut children = lock(&self.children);
                        children.end(&invoke.id);
                        children.found(command_id);
                    }
                    self.refused(
                        runtime,
                        work,
                        Input::Refused(refused.command, refused.reason, runtime.now_ms()),
                    );
                }
            }
            Output::Deliver { to, event, command } => {
                if let Err(error) = runtime.deliver(&self.info, to, event) {
                    let reason = error.to_string();
                    self.refused(runtime, work, Input::Refused(command, reason, runtime.now_ms()));
                }
            }
            Output::SetTimer(timer, at_ms) => {
                runtime.timers.set(id, timer, at_ms);
                lock(&self.status).timers = work.core.timers();
            }
            Output::CancelTimer(timer) => {
                runtime.timers.cancel(id, timer);
                lock(&self.status).timers = work.core.timers();
            }
            Output::Ended(ended) => self.finish(runtime, work, &ended),
        }
    }

    fn refused(&self, runtime: &Arc<Inner>, work: &mut Work, input: Input) {
        count(&runtime.counters.commands_refused);
        if let Input::Refused(command, reason, at_ms) = &input {
            let line = error_line(&format!("{} is refused: {reason}", what(command)));
            self.remark(runtime, *at_ms, line);
        }
        work.follow.push_back(input);
    }

    /// Adds a line to what operators see of the session.
    pub fn remark(&self, runtime: &Inner, at_ms: u64, line: LogEntry) {
        let (lines, bytes) = (runtime.options.log_lines, runtime.options.log_bytes);
        lock(&self.status).log(at_ms, vec![line], lines, bytes);
    }

    /// Makes a place for a child, whose document is to be found.
    fn invoke(&self, runtime: &Arc<Inner>, invoke: &Invoke, command: CommandId) -> Result<(), String> {
        if self
            .info
            .parent
            .as_ref()
            .is_some_and(|parent| parent.depth >= MAX_DEPTH)
        {
            return Err(format!("more than {MAX_DEPTH} sessions invoke one another"));
        }
        let before = {
            let mut children = lock(&self.children);
            if children.is_full() {
                return Err(format!(
                    "it has invoked {MAX_CHILDREN} sessions that live, as many as it may"
                ));
            }
            children.begin(&invoke.id, invoke.autoforward, command)
        };
        runtime.dismiss(before);
        Ok(())
    }

    /// One call of the strategy.
    fn call(&self, runtime: &Arc<Inner>, work: &mut Work, call: &Call) -> Result<StepOutcome, Failed> {
        let mut recorder = Recorder::new(&*runtime.services.host_data, &self.info);
        if let Call::Handle(_, event) = call
            && event.kind == EventKind::External
        {
            runtime.forward(self, event);
        }
        let began = Instant::now();
        let caught = catch_unwind(AssertUnwindSafe(|| self.step(work, call, &mut recorder)));
        // A slow thread hears that it is one before it takes locks.
        runtime.services.executor.overdue();
        runtime.counters.step(began.elapsed());
        let answers = recorder.answers;
        match caught.unwrap_or_else(|panic| Err(panic_failure(&*panic))) {
            Ok(mut step) => {
                self.took(runtime, work.now_ms, &mut step);
                Ok(StepOutcome { step, answers })
            }
            Err(failure) => Err(Failed { failure, answers }),
        }
    }

    fn step(&self, work: &mut Work, call: &Call, recorder: &mut Recorder<'_>) -> Result<Step, Failure> {
        match call {
            Call::Start(moment, info) => {
                work.now_ms = moment.now_ms;
                let none = || Failure {
                    code: FailureCode::Internal,
                    message: "it was begun twice".into(),
                };
                let program = work.program.take().ok_or_else(none)?;
                work.strategy
                    .insert(program.instantiate(&self.info)?)
                    .start(*moment, info, recorder)
            }
            Call::Handle(moment, event) => {
                work.now_ms = moment.now_ms;
                self.events.fetch_add(1, Ordering::Relaxed);
                let none = || Failure {
                    code: FailureCode::Internal,
                    message: "it has no instance".into(),
                };
                work.strategy
                    .as_mut()
                    .ok_or_else(none)?
                    .handle(*moment, event, recorder)
            }
        }
    }

    /// Keeps what operators want to see of a step.
    fn took(&self, runtime: &Inner, at_ms: u64, step: &mut Step) {
        for line in &step.log {
            tracing::debug!(target: "strategy", session = %self.info.id, label = line.label, level = line.level, "{}", line.text);
        }
        let failed = step.trace.iter().filter_map(|entry| match entry {
            TraceEntry::Failed(what) => Some(error_line(what)),
            _ => None,
        });
        step.log.extend(failed);
        if step.active.is_some() || !step.log.is_empty() {
            let mut status = lock(&self.status);
            if let Some(active) = step.active.take() {
                status.active = active;
            }
            let (lines, bytes) = (runtime.options.log_lines, runtime.options.log_bytes);
            status.log(at_ms, std::mem::take(&mut step.log), lines, bytes);
        }
    }

    /// The session is over: frees what it held, tells whoever waits.
    fn finish(&self, runtime: &Arc<Inner>, work: &mut Work, ended: &Ended) {
        if std::mem::replace(&mut work.finished, true) {
            return;
        }
        runtime.timers.cancel_all(self.info.id);
        work.follow.clear();
        {
            let mut status = lock(&self.status);
            status.timers = 0;
            status.end = Some(End {
                ended: ended.clone(),
                at_ms: runtime.now_ms(),
            });
        }
        let left = {
            let mut mailbox = lock(&self.mailbox);
            mailbox.closed = true;
            std::mem::take(&mut mailbox.items)
        };
        for item in left {
            if let Item::Inspect(answer) = item {
                let _gone = answer.send(Err(self.ended_error()));
            }
        }
        runtime.counters.ended(ended);
        let children = lock(&self.children).close();
        runtime.dismiss(children);
        if let Some(parent) = &self.info.parent {
            self.answer(runtime, parent, ended);
        }
        // Its panic must not keep the session's place.
        let told = catch_unwind(AssertUnwindSafe(|| runtime.services.commands.ended(&self.info, ended)));
        if let Err(panic) = told {
            tracing::error!(session = %self.info.id, failure = %panic_failure(&*panic), "nobody heard of a session's end");
        }
        tracing::debug!(session = %self.info.id, tenant = %self.info.tenant, ?ended, "session ended");
        let instance = (work.strategy.take(), work.program.take());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(instance))) {
            tracing::error!(session = %self.info.id, failure = %panic_failure(&*panic), "an instance was not freed");
        }
        runtime.left(self);
    }

    /// Tells the parent of the end, unless it has ended the invocation itself.
    fn answer(&self, runtime: &Arc<Inner>, parent: &Parent, ended: &Ended) {
        let Some(cell) = runtime.table.get(parent.session) else {
            return;
        };
        if !lock(&cell.children).left(&parent.invoke, self.info.id) {
            return;
        }
        let mut event = match ended {
            Ended::Done(done) => Event {
                invokeid: Some(parent.invoke.clone()),
                origin: Some(address(self.info.id)),
                origintype: Some(SCXML_PROCESSOR.to_owned()),
                ..Event::external(format!("done.invoke.{}", parent.invoke), done.data.clone())
            },
            Ended::Failed(failure) => invocation_error(&parent.invoke, &failure.to_string()),
            Ended::Terminated(reason) => invocation_error(&parent.invoke, reason),
        };
        let size = event.size();
        if size > MAX_EVENT_DATA {
            // That it is over matters more than with what.
            event.data = None;
            let text = format!(
                "`{}` comes without its data: with it, it has {size} bytes, and a session takes at most {MAX_EVENT_DATA}",
                event.name
            );
            cell.remark(runtime, runtime.now_ms(), error_line(&text));
        }
        if let Err(error) = runtime.receive(parent.session, event, Importance::Reserved) {
            tracing::warn!(session = %self.info.id, parent = %parent.session, %error, "nobody heard of a child's end");
        }
    }

    pub fn ended_error(&self) -> Error {
        let ended = lock(&self.status).end.as_ref().map(|end| end.ended.clone());
        Error::Ended {
            session: self.info.id,
            ended,
        }
    }

    pub fn matches(&self, filter: &Filter) -> bool {
        filter.tenant.as_ref().is_none_or(|tenant| *tenant == self.info.tenant)
            && filter
                .strategy
                .as_ref()
                .is_none_or(|strategy| *strategy == self.info.strategy)
            && filter.live.is_none_or(|live| live == self.is_live())
    }

    pub fn is_live(&self) -> bool {
        lock(&self.status).end.is_none()
    }

    pub fn status(&self) -> MutexGuard<'_, Status> {
        lock(&self.status)
    }

    pub fn snapshot(&self) -> Snapshot {
        let waiting = {
            let mailbox = lock(&self.mailbox);
            mailbox.events + mailbox.in_core
        };
        let status = lock(&self.status);
        let tail = status.log.len().saturating_sub(LOG_TAIL);
        Snapshot {
            info: self.info.clone(),
            active: status.active.clone(),
            events: self.events.load(Ordering::Relaxed),
            waiting: if status.end.is_none() { waiting } else { 0 },
            timers: status.timers,
            end: status.end.clone(),
            log_tail: status.log.iter().skip(tail).cloned().collect(),
        }
    }
}

/// An error in a session's log, level 2 as in ORS.
pub(super) fn error_line(text: &str) -> LogEntry {
    LogEntry {
        label: Some("error".to_owned()),
        text: text.to_owned(),
        level: 2,
    }
}

/// A command, in a few words.
fn what(command: &Command) -> String {
    match command {
        Command::Send(send) => format!(
            "send of `{}` to `{}`",
            send.event,
            shown(send.target.as_deref().unwrap_or_default())
        ),
        Command::Request(request) => format!("`{}.{}`", request.module, request.action),
        Command::Invoke(invoke) => format!("invoke `{}`", invoke.id),
        Command::Cancel(Cancel { sendid: id, .. }) | Command::CancelInvoke(id) => format!("cancel `{id}`"),
        Command::Raise(event) => format!("raise `{}`", event.name),
    }
}

/// A target as logs may show it. In what is left out there can be secrets: user, password, query, and in a session's location
/// the token that lets whoever has it post to the session.
fn shown(target: &str) -> String {
    let (scheme, rest) = match target.find("//") {
        Some(at) => target.split_at(at + 2),
        // An address of the SCXML processor, or nothing that a message can be sent to.
        None => return target.split('?').next().unwrap_or_default().to_owned(),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = match path.rfind('/') {
        Some(end) if path.contains("/basichttp/") => format!("{}/...", &path[..end]),
        _ => path.to_owned(),
    };
    format!("{scheme}{host}{path}")
}

/// What a parent hears of an invocation that cannot go on (W3C SCXML 6.4).
pub(super) fn invocation_error(invoke: &str, reason: &str) -> Event {
    let data = serde_json::json!({ "message": reason }).to_string();
    Event {
        invokeid: Some(invoke.to_owned()),
        ..Event::platform("error.communication", Some(data))
    }
}

/// Goes a `send` to the parent or to a child? What else the SCXML processor cannot reach by itself has no such target.
fn is_relation(send: &pointsman_contract::Send) -> bool {
    let target = send.target.as_deref().unwrap_or_default();
    is_scxml(send.processor.as_deref()) && target.starts_with("#_") && !target.starts_with(SESSION_PREFIX)
}

/// What the answer of an append means to the core.
pub(super) fn acknowledgement(answer: Appended, now_ms: u64) -> Input {
    match answer {
        Ok(last) | Err(AppendError::Duplicate { last, .. }) => Input::Appended(last),
        Err(error) => Input::AppendFailed(error.to_string(), now_ms),
    }
}

fn panic_failure(panic: &(dyn Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure {
        code: FailureCode::Internal,
        message: format!("a panic: {}", text.unwrap_or("without a message")),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_target_is_shown_without_what_may_be_secret_in_it() {
        for (target, expected) in [
            ("#_parent", "#_parent"),
            ("#_scxml_abc", "#_scxml_abc"),
            ("", ""),
            ("name?key=secret", "name"),
            ("https://host", "https://host"),
            ("https://host?key=secret", "https://host"),
            ("https://host/a/b?key=secret#part", "https://host/a/b"),
            ("https://host/a#token", "https://host/a"),
            ("https://user:secret@host:8443/a", "https://host:8443/a"),
            ("//user:s@cret@host/a@b", "//host/a@b"),
            (
                "https://node/scxml/session/S/basichttp/token?x=1",
                "https://node/scxml/session/S/basichttp/...",
            ),
        ] {
            assert_eq!(shown(target), expected, "{target}");
        }
    }
}
