//! The state machine.

use super::{
    Answer, Call, Failed, Input, Options, Output, Rejected, StepOutcome, TimerId, basic_http,
    queue::{Queue, Waiting},
    routing::{self, Lost, Route},
    seed_of,
};
use pointsman_contract::{
    BASIC_HTTP_PROCESSOR, CANCEL_EVENT, Command, CommandId, Digest, Ended, Event, EventKind, Failure, FailureCode,
    Moment, Send, Seq, SessionId, StartInfo, Step,
};
use pointsman_store::{Cause, Outcome, Record, SessionStarted, Via};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, VecDeque};

/// How a session ends whose invocation is over.
const CANCELLED: &str = "its invocation is over";

/// One session.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    options: Options,
    phase: Phase,
    seed: u64,
    /// Where the Basic HTTP processor reaches it.
    location: Option<Box<str>>,
    /// Last position handed over for appending, and last one acknowledged.
    appended: Seq,
    acknowledged: Seq,
    /// Records of the next append. Between inputs at most one: the `Stepped` that waits for company.
    batch: Vec<Record>,
    queue: Queue,
    /// The next to be handled. Chosen as soon as it can be, not when the store allows it: the journal decides.
    selected: Option<Waiting>,
    /// The call that begins the session, until its record is acknowledged. Boxed: most of a session's life it is not there.
    starting: Option<Box<(Seq, Call)>>,
    /// The event being handled.
    running: Option<Seq>,
    /// It is the one that ends the session.
    cancelling: bool,
    /// No call before this is acknowledged: host data that the last step has read.
    gate: Seq,
    /// Outputs that wait for an acknowledgement, in order.
    held: VecDeque<(Seq, Output)>,
    timers: BTreeMap<Cause, (Send, Route)>,
    /// Time of the latest step.
    now_ms: u64,
    /// Events chosen one after the other that followed at once from steps of its own.
    own_in_a_row: usize,
}

#[derive(Debug)]
enum Phase {
    New(Box<SessionStarted>),
    Live,
    Ended,
}

impl Session {
    /// A session that has not begun.
    pub fn new(id: SessionId, options: Options, started: SessionStarted) -> Self {
        Session {
            id,
            options,
            seed: started.seed,
            location: location(&started.io_processors),
            now_ms: started.started_ms,
            phase: Phase::New(Box::new(started)),
            appended: Seq(0),
            acknowledged: Seq(0),
            batch: Vec::new(),
            queue: Queue::default(),
            selected: None,
            starting: None,
            running: None,
            cancelling: false,
            gate: Seq(0),
            held: VecDeque::new(),
            timers: BTreeMap::new(),
            own_in_a_row: 0,
        }
    }

    /// Events from outside that were accepted and are not yet being handled.
    pub fn waiting(&self) -> usize {
        self.queue.outside() + usize::from(self.selected.as_ref().is_some_and(|w| w.outside))
    }

    /// Delayed events that are pending.
    pub fn timers(&self) -> usize {
        self.timers.len()
    }

    /// True once its end is recorded; the output `Ended` may still wait for the acknowledgement.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Records that wait for the next append.
    pub(super) fn kept_back(&self) -> &[Record] {
        &self.batch
    }

    /// Takes an input and pushes what to do. An input that comes too late, such as a timer that was cancelled, is
    /// ignored; only an event or a start can be rejected.
    pub fn input(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), Rejected> {
        let answer = match (&self.phase, input) {
            (Phase::New(_), Input::Start) => {
                self.start();
                Ok(())
            }
            (Phase::New(_), _) => Err(Rejected::NotStarted),
            (_, Input::Appended(seq)) => {
                self.acknowledged = self.acknowledged.max(seq.min(self.appended));
                Ok(())
            }
            (_, Input::AppendFailed(reason, _)) => {
                self.append_failed(&reason, out);
                Ok(())
            }
            (Phase::Ended, Input::Event(..) | Input::Start) => Err(Rejected::Ended),
            (Phase::Ended, _) => Ok(()),
            (Phase::Live, input) => self.live(input),
        };
        self.settle(out);
        answer
    }

    fn live(&mut self, input: Input) -> Result<(), Rejected> {
        match input {
            Input::Event(event, at_ms) => {
                if self.waiting() >= self.options.max_waiting {
                    return Err(Rejected::QueueFull);
                }
                self.receive(event, at_ms, Via::Outside);
                self.select();
            }
            Input::Stepped(Ok(outcome)) => self.stepped(outcome),
            Input::Stepped(Err(failed)) => self.failed(failed),
            Input::TimerFired(TimerId::Send(cause), at_ms) => self.timer_fired(cause, at_ms),
            Input::TimerFired(TimerId::MaxAge, at_ms) => {
                let reason = format!("max-session-age: it lived longer than {} ms", self.options.max_age_ms);
                self.end(Ended::Terminated(reason), at_ms);
            }
            Input::CommandConfirmed(command, outcome) => self.confirmed(command, outcome),
            Input::Refused(command, message, at_ms) => {
                if let Some(event) = routing::refusal(&command, &message) {
                    self.refused(event, at_ms);
                }
            }
            Input::Terminate(reason, at_ms) => self.end(Ended::Terminated(reason), at_ms),
            Input::Fail(failure, at_ms) => self.end(Ended::Failed(failure), at_ms),
            Input::Start | Input::Appended(_) | Input::AppendFailed(..) => {}
        }
        Ok(())
    }

    fn start(&mut self) {
        let Phase::New(started) = std::mem::replace(&mut self.phase, Phase::Live) else {
            return;
        };
        let at_ms = started.started_ms;
        let info = StartInfo {
            session_id: self.id.to_string(),
            params: started.params.clone(),
            io_processors: started.io_processors.clone(),
        };
        let seq = self.record(Record::SessionStarted(started));
        if self.options.max_age_ms > 0 {
            let end = at_ms.saturating_add(self.options.max_age_ms);
            self.held.push_back((seq, Output::SetTimer(TimerId::MaxAge, end)));
        }
        // The call that begins a session is like any other: recorded first, then made.
        let moment = self.moment(seq, at_ms);
        self.starting = Some(Box::new((seq, Call::Start(moment, info))));
    }

    /// Records an event and puts it in its place in the queue. The caller selects when it has no more of them.
    fn receive(&mut self, event: Event, at_ms: u64, via: Via) {
        let seq = self.record(Record::EventReceived {
            event: event.clone(),
            at_ms,
            via,
        });
        let waiting = Waiting {
            seq,
            at_ms,
            event,
            outside: via == Via::Outside,
            at_once: via != Via::Outside,
        };
        match via {
            Via::Outside | Via::Own => self.queue.push(waiting),
            Via::Raised | Via::Refused => self.queue.push_raised(waiting),
        }
    }

    /// An error event of a command that left, whose performer does not take it.
    pub(super) fn refused(&mut self, event: Event, at_ms: u64) {
        if self.queue.own() >= self.options.max_own_waiting {
            let failure = queue_limit(format!("more than {} own events wait", self.options.max_own_waiting));
            return self.end(Ended::Failed(failure), at_ms);
        }
        self.receive(event, at_ms, Via::Refused);
        self.select();
    }

    fn confirmed(&mut self, command: CommandId, outcome: Outcome) {
        self.record(Record::CommandConfirmed { command, outcome });
    }

    fn timer_fired(&mut self, cause: Cause, at_ms: u64) {
        // Not there: it was cancelled while its firing was under way.
        let Some((send, route)) = self.timers.remove(&cause) else {
            return;
        };
        // Wherever it goes: there was a delay.
        self.own_in_a_row = 0;
        let seq = self.record(Record::TimerFired {
            cause,
            send_id: send.id.clone(),
            at_ms,
        });
        let waiting = |event| Waiting {
            seq,
            at_ms,
            event,
            outside: false,
            at_once: false,
        };
        match route {
            Route::Own => self.queue.push(waiting(routing::event_of(self.id, &send))),
            Route::Internal => self.queue.push_raised(waiting(routing::event_of(self.id, &send))),
            Route::Looped => match looped(&send) {
                (event, Via::Own) => self.queue.push(waiting(event)),
                (error, _) => self.queue.push_raised(waiting(error)),
            },
            Route::Session(_) | Route::Performer => {
                let effect = self.effect(cause, send, route);
                self.held.push_back((seq, effect));
            }
        }
        self.select();
    }

    fn failed(&mut self, Failed { failure, answers }: Failed) {
        let Some(cause) = self.running.take() else { return };
        self.record_answers(answers);
        self.record(Record::LimitBroken {
            cause,
            failure: failure.clone(),
        });
        self.end(Ended::Failed(failure), self.now_ms);
    }

    fn stepped(&mut self, StepOutcome { step, answers }: StepOutcome) {
        if let Some(failure) = self.broken_limit(&step) {
            return self.failed(Failed { failure, answers });
        }
        let Some(cause) = self.running.take() else { return };
        let reads = !answers.is_empty();
        self.record_answers(answers);
        let stepped = self.record(Record::Stepped {
            cause,
            commands: digest(&step.commands),
        });
        // Commands follow from what is acknowledged already, unless the step has read host data.
        let leave = if reads { stepped } else { cause };
        self.gate = leave;
        let ends = step.done.is_some() || self.cancelling;
        for (command, ordinal) in step.commands.into_iter().zip(0..) {
            self.command(Cause { seq: cause, ordinal }, command, leave, ends);
        }
        match step.done {
            _ if self.cancelling => self.end(Ended::Terminated(CANCELLED.into()), self.now_ms),
            Some(done) => self.end(Ended::Done(done), self.now_ms),
            None => self.select(),
        }
    }

    /// Carries out what is the session's own business, and holds the rest until `leave` is acknowledged. A session
    /// that `ends` has no use for events of its own, and drops its delayed ones (W3C SCXML 6.2.4).
    fn command(&mut self, cause: Cause, command: Command, leave: Seq, ends: bool) {
        match command {
            Command::Raise(_) if ends => {}
            Command::Raise(event) => self.receive(event, self.now_ms, Via::Raised),
            Command::Cancel(cancel) => {
                let matching: Vec<Cause> = self
                    .timers
                    .iter()
                    .filter(|(_, (send, _))| send.id.as_ref() == Some(&cancel.sendid))
                    .map(|(cause, _)| *cause)
                    .collect();
                let successful = !matching.is_empty();
                for cause in matching {
                    self.timers.remove(&cause);
                    self.held.push_back((leave, Output::CancelTimer(TimerId::Send(cause))));
                }
                if cancel.report && !ends {
                    let report = routing::cancel_report(&cancel.sendid, successful);
                    self.receive(report, self.now_ms, Via::Own);
                }
            }
            Command::Send(send) => match routing::route(self.id, self.location.as_deref(), &send) {
                Err(_) if ends => {}
                Err(lost) => self.receive(routing::lost(&send, &lost), self.now_ms, Via::Raised),
                Ok(_) if send.delay_ms > 0 && ends => {}
                Ok(route) if send.delay_ms > 0 => {
                    let at_ms = self.now_ms.saturating_add(send.delay_ms);
                    self.timers.insert(cause, (send, route));
                    self.held
                        .push_back((leave, Output::SetTimer(TimerId::Send(cause), at_ms)));
                }
                Ok(Route::Own | Route::Internal | Route::Looped) if ends => {}
                Ok(Route::Own) => self.receive(routing::event_of(self.id, &send), self.now_ms, Via::Own),
                Ok(Route::Internal) => self.receive(routing::event_of(self.id, &send), self.now_ms, Via::Raised),
                Ok(Route::Looped) => {
                    let (event, via) = looped(&send);
                    self.receive(event, self.now_ms, via);
                }
                Ok(route) => {
                    let effect = self.effect(cause, send, route);
                    self.held.push_back((leave, effect));
                }
            },
            other => self
                .held
                .push_back((leave, Output::Perform(self.command_id(cause), other))),
        }
    }

    /// What a `send` to somebody else becomes.
    fn effect(&self, cause: Cause, send: Send, route: Route) -> Output {
        match route {
            Route::Session(to) => Output::Deliver {
                to,
                event: routing::event_of(self.id, &send),
                command: Command::Send(send),
            },
            _ => Output::Perform(self.command_id(cause), Command::Send(send)),
        }
    }

    fn command_id(&self, cause: Cause) -> CommandId {
        CommandId {
            session: self.id,
            seq: cause.seq,
            ordinal: cause.ordinal,
        }
    }

    fn broken_limit(&self, step: &Step) -> Option<Failure> {
        let Options {
            max_commands,
            max_own_waiting,
            max_timers,
            ..
        } = self.options;
        if step.commands.len() > max_commands {
            return Some(queue_limit(format!(
                "{} commands in one step, {max_commands} allowed",
                step.commands.len()
            )));
        }
        let count = |delayed: bool| {
            let mine = |c: &&Command| match c {
                Command::Send(send) => (send.delay_ms > 0) == delayed,
                Command::Raise(_) => !delayed,
                _ => false,
            };
            step.commands.iter().filter(mine).count()
        };
        if self.timers.len() + count(true) > max_timers {
            return Some(queue_limit(format!("more than {max_timers} delayed events pending")));
        }
        if self.queue.own() + count(false) > max_own_waiting {
            return Some(queue_limit(format!("more than {max_own_waiting} own events waiting")));
        }
        None
    }

    fn end(&mut self, ended: Ended, at_ms: u64) {
        let seq = self.record(Record::Ended {
            ended: ended.clone(),
            at_ms,
        });
        self.stop();
        let mut last = Vec::new();
        self.cancel_timers(&mut last);
        last.push(Output::Ended(ended));
        self.held.extend(last.into_iter().map(|output| (seq, output)));
    }

    /// The journal does not take what happened, so it did not happen: nothing more leaves.
    fn append_failed(&mut self, reason: &str, out: &mut Vec<Output>) {
        // A session whose end was on its way has this one output left, and only one.
        let over = self.has_ended() && !self.held.iter().any(|(_, output)| matches!(output, Output::Ended(_)));
        if over {
            return;
        }
        self.stop();
        self.batch.clear();
        // Timers that are to be cancelled are so all the same; everything else stays here.
        let held = std::mem::take(&mut self.held).into_iter().map(|(_, output)| output);
        out.extend(held.filter(|output| matches!(output, Output::CancelTimer(_))));
        self.cancel_timers(out);
        let message = format!("its journal does not take any more records: {reason}");
        out.push(Output::Ended(Ended::Failed(Failure {
            code: FailureCode::Internal,
            message,
        })));
    }

    fn stop(&mut self) {
        self.phase = Phase::Ended;
        self.queue.clear();
        self.selected = None;
        self.starting = None;
        self.running = None;
    }

    fn cancel_timers(&mut self, out: &mut Vec<Output>) {
        let pending = std::mem::take(&mut self.timers);
        out.extend(
            pending
                .into_keys()
                .map(|cause| Output::CancelTimer(TimerId::Send(cause))),
        );
        if self.options.max_age_ms > 0 {
            out.push(Output::CancelTimer(TimerId::MaxAge));
        }
    }

    fn record(&mut self, record: Record) -> Seq {
        self.batch.push(record);
        Seq(self.appended.0 + self.batch.len() as u64)
    }

    fn record_answers(&mut self, answers: Vec<Answer>) {
        for Answer { source, key, answer } in answers {
            self.record(Record::HostAnswer { source, key, answer });
        }
    }

    /// Chooses the next event, if none is chosen. Not before a step's commands are all dealt with: what they raise
    /// comes first.
    fn select(&mut self) {
        let free = self.starting.is_none() && self.running.is_none() && self.selected.is_none();
        if !free || self.has_ended() {
            return;
        }
        self.selected = self.queue.pop();
        let Some(next) = &self.selected else { return };
        self.own_in_a_row = if next.at_once { self.own_in_a_row + 1 } else { 0 };
        if self.own_in_a_row > self.options.max_own_in_a_row {
            let failure = Failure {
                code: FailureCode::MicrostepLimit,
                message: format!(
                    "more than {} events of its own in a row, the last is `{}`, with none from outside nor a delay between them: it \
                     sends itself events without end",
                    self.options.max_own_in_a_row, next.event.name
                ),
            };
            self.end(Ended::Failed(failure), self.now_ms);
        }
    }

    fn moment(&mut self, cause: Seq, at_ms: u64) -> Moment {
        self.now_ms = self.now_ms.max(at_ms);
        Moment {
            now_ms: self.now_ms,
            seed: seed_of(self.seed, cause),
            trace: self.options.trace,
        }
    }

    /// Hands over the batch, releases what is acknowledged, makes the next call.
    fn settle(&mut self, out: &mut Vec<Output>) {
        let waits_for_company = matches!(self.batch.as_slice(), [] | [Record::Stepped { .. }]);
        if !waits_for_company {
            let first = self.appended.next();
            let records = std::mem::take(&mut self.batch);
            self.appended.0 += records.len() as u64;
            out.push(Output::Append { first, records });
        }
        while let Some((_, output)) = self.held.pop_front_if(|(seq, _)| *seq <= self.acknowledged) {
            out.push(output);
        }
        if let Some(starting) = self.starting.take_if(|starting| starting.0 <= self.acknowledged) {
            let (seq, call) = *starting;
            self.running = Some(seq);
            out.push(Output::Run(call));
        }
        let ready = |w: &mut Waiting| w.seq.max(self.gate) <= self.acknowledged;
        if self.running.is_none()
            && let Some(Waiting { seq, at_ms, event, .. }) = self.selected.take_if(ready)
        {
            self.running = Some(seq);
            self.cancelling = event.kind == EventKind::Platform && event.name == CANCEL_EVENT;
            let moment = self.moment(seq, at_ms);
            out.push(Output::Run(Call::Handle(moment, event)));
        }
    }
}

/// The session's own location in `_ioprocessors`.
fn location(io_processors: &str) -> Option<Box<str>> {
    let all: serde_json::Value = serde_json::from_str(io_processors).ok()?;
    Some(all.get(BASIC_HTTP_PROCESSOR)?.get("location")?.as_str()?.into())
}

/// The event that a message to oneself becomes, or the error event; and which of them it is.
fn looped(send: &Send) -> (Event, Via) {
    match basic_http::looped(send) {
        Ok(event) => (event, Via::Own),
        Err(error) => (
            routing::lost(send, &Lost::Communication(error.to_string())),
            Via::Raised,
        ),
    }
}

fn queue_limit(message: String) -> Failure {
    Failure {
        code: FailureCode::QueueLimit,
        message,
    }
}

/// What replay compares. `None` for no commands, the most frequent case by far.
pub(super) fn digest(commands: &[Command]) -> Option<Digest> {
    if commands.is_empty() {
        return None;
    }
    let json = serde_json::to_vec(commands).expect("commands are texts and numbers");
    Some(Digest(Sha256::digest(json).into()))
}
