//! The core under any order of inputs: its rules hold, and its journal replays to the same session.
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

use pointsman_contract::{
    Cancel, Command, CommandId, Digest, Done, Ended, Event, Failure, FailureCode, Request, SCXML_PROCESSOR, Send, Seq,
    SessionId, Step,
};
use pointsman_session::core::{
    Answer, Call, Failed, Input, Options, Output, Session, StepOutcome, TimerId, address,
    replay::{self, replay},
};
use pointsman_store::{Outcome, Record, SessionStarted};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

fn id() -> SessionId {
    SessionId::from_random([1; 20])
}

fn started() -> SessionStarted {
    SessionStarted {
        component: Digest([0; 32]),
        tenant: "t".parse().unwrap(),
        strategy: "s".parse().unwrap(),
        version: 1,
        params: "{}".into(),
        io_processors: "{}".into(),
        seed: 42,
        started_ms: 1_000,
        origin: "test".into(),
        parent: None,
    }
}

fn options() -> Options {
    Options {
        max_waiting: 5,
        max_own_waiting: 8,
        max_own_in_a_row: 12,
        max_timers: 6,
        max_commands: 4,
        max_age_ms: 100_000,
        trace: false,
    }
}

/// A strategy whose every decision follows from what it has been given so far: its state is a hash of all of it.
#[derive(Clone, Default)]
struct Hashing {
    state: u64,
}

impl Hashing {
    fn draw(&mut self, what: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.state, what).hash(&mut hasher);
        self.state = hasher.finish();
        self.state
    }

    fn call(&mut self, call: &Call, read: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<Step, Failure> {
        let (moment, name) = match call {
            Call::Start(moment, info) => (moment, info.session_id.clone()),
            Call::Handle(moment, event) => (moment, format!("{event:?}")),
        };
        self.draw((moment.now_ms, moment.seed, name));
        if self.draw("reads").is_multiple_of(5) {
            let answer = read("key");
            self.draw(answer);
        }
        let commands = (0..self.draw("how many") % 6).map(|n| self.command(n)).collect();
        match self.draw("outcome") % 40 {
            0 => Err(Failure {
                code: FailureCode::TimeLimit,
                message: "too slow".into(),
            }),
            1 => Ok(Step {
                commands,
                done: Some(Done { data: None }),
                ..Step::default()
            }),
            _ => Ok(Step {
                commands,
                ..Step::default()
            }),
        }
    }

    fn command(&mut self, n: u64) -> Command {
        let targets = [
            None,
            Some(address(id())),
            Some("#_internal".into()),
            Some("#_parent".into()),
            Some("bad".into()),
            Some(address(SessionId::from_random([2; 20]))),
        ];
        let draw = self.draw(n);
        let name = format!("{}", draw % 1_000);
        let send_id = format!("send{}", draw % 4);
        match draw % 9 {
            0 => Command::Raise(Event::external(name, None)),
            1 => Command::Cancel(Cancel {
                sendid: send_id,
                report: draw.is_multiple_of(2),
            }),
            2 | 3 => Command::Request(Request {
                module: "m".into(),
                action: "a".into(),
                id: name,
                params: "{}".into(),
            }),
            _ => Command::Send(Send {
                id: (!draw.is_multiple_of(7)).then_some(send_id),
                event: name,
                target: targets[(draw >> 8) as usize % targets.len()].clone(),
                processor: draw.is_multiple_of(3).then(|| SCXML_PROCESSOR.to_owned()),
                data: None,
                xml: false,
                delay_ms: if (draw >> 16).is_multiple_of(3) {
                    (draw >> 20) % 200
                } else {
                    0
                },
            }),
        }
    }
}

/// What the world does next.
#[derive(Clone, Copy, Debug)]
enum Action {
    Event(u8),
    Acknowledge(u8),
    Step,
    Timer(u8),
    StrayTimer(u8),
    Confirm,
    Refuse(u8),
    Advance(u8),
    StartAgain,
    StrayStep,
    Terminate,
    FailAppend,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => any::<u8>().prop_map(Action::Event),
        8 => any::<u8>().prop_map(Action::Acknowledge),
        8 => Just(Action::Step),
        3 => any::<u8>().prop_map(Action::Timer),
        1 => any::<u8>().prop_map(Action::StrayTimer),
        1 => Just(Action::Confirm),
        2 => any::<u8>().prop_map(Action::Refuse),
        2 => any::<u8>().prop_map(Action::Advance),
        1 => Just(Action::StartAgain),
        1 => Just(Action::StrayStep),
    ]
}

/// Most runs are left to go on; some are cut short.
fn last() -> impl Strategy<Value = Option<Action>> {
    prop_oneof![4 => Just(None), 1 => Just(Some(Action::Terminate)), 1 => Just(Some(Action::FailAppend))]
}

/// Drives a core and checks its rules at every output.
struct World {
    session: Session,
    strategy: Hashing,
    now_ms: u64,
    journal: Vec<Record>,
    acknowledged: u64,
    running: Option<Call>,
    timers: BTreeMap<TimerId, u64>,
    cancelled: Vec<TimerId>,
    performed: Vec<(CommandId, Command)>,
    delivered: VecDeque<Command>,
    ended: Option<Ended>,
    accepted: Vec<String>,
}

impl World {
    fn new() -> Self {
        let session = Session::new(id(), options(), started());
        World {
            session,
            strategy: Hashing::default(),
            now_ms: 1_000,
            journal: Vec::new(),
            acknowledged: 0,
            running: None,
            timers: BTreeMap::new(),
            cancelled: Vec::new(),
            performed: Vec::new(),
            delivered: VecDeque::new(),
            ended: None,
            accepted: Vec::new(),
        }
    }

    fn input(&mut self, input: Input) -> bool {
        let mut out = Vec::new();
        let taken = self.session.input(input, &mut out).is_ok();
        for output in out {
            self.output(output);
        }
        taken
    }

    fn output(&mut self, output: Output) {
        assert!(self.ended.is_none(), "nothing follows the end: {output:?}");
        match output {
            Output::Append { first, records } => {
                assert!(!records.is_empty());
                assert_eq!(first.0, self.journal.len() as u64 + 1, "positions have no gaps");
                self.journal.extend(records);
            }
            Output::Run(call) => {
                assert!(self.running.is_none(), "two calls at once");
                self.check_recorded(&call);
                self.running = Some(call);
            }
            Output::Perform(command, what) => {
                assert!(
                    command.seq.0 <= self.acknowledged,
                    "{command} left before its cause was acknowledged"
                );
                self.check_reads_acknowledged(command.seq);
                assert!(
                    self.performed.iter().all(|(earlier, _)| *earlier != command),
                    "{command} left twice"
                );
                self.performed.push((command, what.clone()));
                self.delivered.push_back(what);
            }
            Output::Deliver { to, event, command } => {
                assert_ne!(to, id());
                assert_eq!(event.origin, Some(address(id())));
                self.delivered.push_back(command);
            }
            Output::SetTimer(timer, at_ms) => {
                assert_eq!(self.timers.insert(timer, at_ms), None, "a timer is set once");
            }
            Output::CancelTimer(timer) => {
                self.timers.remove(&timer);
                self.cancelled.push(timer);
            }
            Output::Ended(ended) => {
                assert!(
                    self.timers.is_empty(),
                    "an ended session leaves no timers: {:?}",
                    self.timers
                );
                self.ended = Some(ended);
            }
        }
    }

    /// The event being handled is in the acknowledged part of the journal, directly or as a timer's.
    fn check_recorded(&self, call: &Call) {
        let kept = &self.journal[..self.acknowledged as usize];
        let found = match call {
            Call::Start(..) => kept.iter().any(|r| matches!(r, Record::SessionStarted(_))),
            Call::Handle(_, event) => kept.iter().any(|r| match r {
                Record::EventReceived { event: recorded, .. } => recorded == event,
                Record::TimerFired { send_id, .. } => *send_id == event.sendid,
                _ => false,
            }),
        };
        assert!(found, "{call:?} is not in {kept:?}");
    }

    /// Host answers read by the step of `cause` are acknowledged.
    fn check_reads_acknowledged(&self, cause: Seq) {
        let stepped = self
            .journal
            .iter()
            .position(|r| matches!(r, Record::Stepped { cause: c, .. } if *c == cause));
        if let Some(at) = stepped
            && at > 0
            && matches!(self.journal[at - 1], Record::HostAnswer { .. })
        {
            assert!(
                self.acknowledged > at as u64,
                "a command left before what its step had read was acknowledged"
            );
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Event(n) => {
                // Unique, so that the order of handling can be checked.
                let name = format!("event.{}.{n}", self.accepted.len());
                if self.input(Input::Event(Event::external(&name, None), self.now_ms)) {
                    self.accepted.push(name);
                }
            }
            Action::Acknowledge(n) => {
                let handed_over = self.journal.len() as u64;
                let more = handed_over - self.acknowledged;
                self.acknowledged += more.min(u64::from(n) % 8);
                self.input(Input::Appended(Seq(self.acknowledged)));
            }
            Action::Step => {
                if let Some(call) = self.running.take() {
                    let mut answers = Vec::new();
                    let now_ms = self.now_ms;
                    let step = self.strategy.call(&call, &mut |key| {
                        let answer = Ok(format!("{now_ms}"));
                        answers.push(Answer {
                            source: "list".into(),
                            key: key.into(),
                            answer: answer.clone(),
                        });
                        answer
                    });
                    self.input(Input::Stepped(match step {
                        Ok(step) => Ok(StepOutcome { step, answers }),
                        Err(failure) => Err(Failed { failure, answers }),
                    }));
                }
            }
            Action::Timer(n) => {
                let pending: Vec<_> = self.timers.keys().filter(|t| **t != TimerId::MaxAge).copied().collect();
                if let Some(timer) = pending.get(usize::from(n) % pending.len().max(1)) {
                    let at_ms = self.timers.remove(timer).unwrap();
                    self.now_ms = self.now_ms.max(at_ms);
                    self.input(Input::TimerFired(*timer, self.now_ms));
                }
            }
            Action::StrayTimer(n) => {
                // One that fired while it was being cancelled, or one that never was.
                let cause = pointsman_store::Cause {
                    seq: Seq(u64::from(n) + 10_000),
                    ordinal: 0,
                };
                let cancelled = self
                    .cancelled
                    .get(usize::from(n) % self.cancelled.len().max(1))
                    .copied();
                let records = self.journal.len();
                self.input(Input::TimerFired(
                    cancelled.unwrap_or(TimerId::Send(cause)),
                    self.now_ms,
                ));
                assert_eq!(self.journal.len(), records, "a timer that is not pending does nothing");
            }
            Action::Confirm => {
                if let Some((command, _)) = self.performed.last() {
                    self.input(Input::CommandConfirmed(*command, Outcome::Done));
                }
            }
            Action::Refuse(n) => {
                if let Some(command) = self.delivered.remove(usize::from(n) % self.delivered.len().max(1)) {
                    self.input(Input::Refused(command, "no".into(), self.now_ms));
                }
            }
            Action::Advance(n) => self.now_ms += u64::from(n),
            Action::StartAgain => {
                self.input(Input::Start);
            }
            Action::StrayStep => {
                if self.running.is_none() {
                    self.input(Input::Stepped(Ok(StepOutcome::default())));
                }
            }
            Action::Terminate => {
                self.input(Input::Terminate("the test".into(), self.now_ms));
            }
            Action::FailAppend => {
                self.input(Input::AppendFailed("the test".into(), self.now_ms));
            }
        }
    }

    /// Acknowledges and steps until the session has nothing more to do, or will never stop.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.act(Action::Acknowledge(7));
            self.act(Action::Step);
        }
        while self.acknowledged < self.journal.len() as u64 {
            self.act(Action::Acknowledge(7));
        }
    }
}

/// As a journal is read.
fn read(journal: &[Record]) -> Vec<(Seq, Record)> {
    (1..).map(Seq).zip(journal.iter().cloned()).collect()
}

fn replayed(journal: &[Record]) -> (Result<replay::Replayed, replay::Error>, Hashing) {
    let mut strategy = Hashing::default();
    let replayed = replay(id(), options(), &read(journal), |call, answers| {
        let mut answers = answers.iter();
        strategy.call(call, &mut |_| {
            answers.next().expect("every answer was recorded").answer.clone()
        })
    });
    (replayed, strategy)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_inputs_keeps_the_rules_and_replays_to_the_same_commands(
        actions in prop::collection::vec(action(), 0..120),
        last in last(),
    ) {
        let mut world = World::new();
        world.input(Input::Start);
        for action in actions {
            world.act(action);
        }
        let failed = matches!(last, Some(Action::FailAppend));
        if let Some(last) = last {
            world.act(last);
        }
        if failed {
            // What the journal did not keep did not happen; there is nothing to compare with.
            prop_assert!(world.ended.is_some());
            return Ok(());
        }
        world.settle();
        let (replayed, strategy) = replayed(&world.journal);
        let replayed = replayed.unwrap();
        prop_assert_eq!(&replayed.ended, &world.ended);
        let kept_back = world.running.is_none() && world.ended.is_none();
        let steps = world.journal.iter().filter(|r| matches!(r, Record::Stepped { .. })).count();
        // The last step's end may not be recorded yet: replay then finds its call unfinished, and makes it again.
        if let Some(call) = replayed.unfinished {
            let performed = replayed.performed.len();
            prop_assert!(performed <= world.performed.len());
            prop_assert_eq!(&replayed.performed[..], &world.performed[..performed]);
            prop_assert!(kept_back || world.running.as_ref() == Some(&call), "{call:?} after {steps} steps");
        } else {
            prop_assert_eq!(replayed.performed, world.performed);
            prop_assert_eq!(replayed.timers.into_iter().collect::<BTreeMap<_, _>>(), world.timers);
            if world.ended.is_none() {
                prop_assert_eq!(strategy.state, world.strategy.state);
            }
        }
    }

    #[test]
    fn every_acknowledged_prefix_of_a_journal_replays_to_a_prefix_of_the_commands(
        actions in prop::collection::vec(action(), 0..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        world.input(Input::Start);
        let mut appends = Vec::new();
        for action in actions {
            world.act(action);
            appends.push(world.journal.len());
        }
        // A crash keeps whole appends.
        if appends.is_empty() {
            return Ok(());
        }
        world.settle();
        let (replayed, _) = replayed(&world.journal[..appends[cut.index(appends.len())]]);
        let replayed = replayed.unwrap();
        prop_assert!(replayed.performed.len() <= world.performed.len());
        prop_assert_eq!(&replayed.performed[..], &world.performed[..replayed.performed.len()]);
    }
}

/// Runs a session of plain events, the strategy giving `commands` for the first of them.
fn run(commands: Vec<Command>) -> World {
    let mut world = World::new();
    world.input(Input::Start);
    let mut commands = Some(commands);
    for round in 0..10 {
        world.act(Action::Acknowledge(7));
        if let Some(call) = world.running.take() {
            let first = matches!(call, Call::Handle(..));
            let commands = if first {
                commands.take().unwrap_or_default()
            } else {
                Vec::new()
            };
            let step = Step {
                commands,
                ..Step::default()
            };
            world.input(Input::Stepped(Ok(StepOutcome {
                step,
                answers: Vec::new(),
            })));
        }
        if round < 3 {
            world.act(Action::Event(0));
        }
    }
    world
}

#[test]
fn a_journal_of_another_strategy_is_found_at_its_first_different_step() {
    let request = Request {
        module: "m".into(),
        action: "a".into(),
        id: "1".into(),
        params: "{}".into(),
    };
    let world = run(vec![Command::Request(request)]);
    let silent = replay(id(), options(), &read(&world.journal), |_, _| Ok(Step::default()));
    let at = world
        .journal
        .iter()
        .position(|r| matches!(r, Record::Stepped { commands: Some(_), .. }))
        .unwrap();
    assert_eq!(silent.unwrap_err(), replay::Error::Differs { at: Seq(at as u64 + 1) });
}

#[test]
fn a_journal_with_a_missing_record_is_refused_not_guessed() {
    let raise = |name: &str| Command::Raise(Event::external(name, None));
    let world = run(vec![raise("a"), raise("b")]);
    for missing in 0..world.journal.len() - 1 {
        let mut journal = read(&world.journal);
        journal.remove(missing);
        let replayed = replay(id(), options(), &journal, |_, _| Ok(Step::default()));
        let expected = if missing == 0 {
            replay::Error::NoStart
        } else {
            replay::Error::Missing(Seq(missing as u64 + 1))
        };
        assert_eq!(replayed.unwrap_err(), expected);
        // Numbered anew, by somebody who meddles: a step that is then missing is found by what follows it.
        let kept: Vec<_> = journal.into_iter().map(|(_, record)| record).collect();
        let step = matches!(world.journal[missing], Record::Stepped { .. });
        let mut first = true;
        let replayed = replay(id(), options(), &read(&kept), |call, _| {
            let handled = matches!(call, Call::Handle(..));
            let commands = if handled && std::mem::take(&mut first) {
                vec![raise("a"), raise("b")]
            } else {
                vec![]
            };
            Ok(Step {
                commands,
                ..Step::default()
            })
        });
        assert!(!step || replayed.is_err(), "without {missing}: {replayed:?}");
    }
}

#[test]
fn raised_events_come_before_all_others_in_the_order_in_which_they_were_raised() {
    let raise = |name: &str| Command::Raise(Event::external(name, None));
    let own = Command::Send(Send {
        id: None,
        event: "own".into(),
        target: None,
        processor: None,
        data: None,
        xml: false,
        delay_ms: 0,
    });
    let mut world = World::new();
    world.input(Input::Start);
    world.act(Action::Acknowledge(7));
    let mut handled = Vec::new();
    let mut commands = vec![own, raise("a"), raise("b")];
    for n in 0..2 {
        world.input(Input::Event(
            Event::external(format!("outside {n}"), None),
            world.now_ms,
        ));
    }
    for _ in 0..10 {
        world.act(Action::Acknowledge(7));
        let Some(call) = world.running.take() else { continue };
        if let Call::Handle(_, event) = &call {
            handled.push(event.name.clone());
        }
        let commands = if handled.len() == 1 {
            std::mem::take(&mut commands)
        } else {
            Vec::new()
        };
        let step = Step {
            commands,
            ..Step::default()
        };
        world.input(Input::Stepped(Ok(StepOutcome {
            step,
            answers: Vec::new(),
        })));
    }
    assert_eq!(handled, ["outside 0", "a", "b", "outside 1", "own"]);
}

/// The end of a session whose first events are handled with `commands` each.
fn end_of(options: Options, commands: &[Command]) -> Option<Ended> {
    let mut world = World {
        session: Session::new(id(), options, started()),
        ..World::new()
    };
    world.input(Input::Start);
    for _ in 0..4 {
        world.act(Action::Event(0));
    }
    for _ in 0..20 {
        world.act(Action::Acknowledge(7));
        if let Some(call) = world.running.take() {
            let outside = matches!(&call, Call::Handle(_, event) if event.name.starts_with("event."));
            let commands = if outside { commands.to_vec() } else { Vec::new() };
            let step = Step {
                commands,
                ..Step::default()
            };
            world.input(Input::Stepped(Ok(StepOutcome {
                step,
                answers: Vec::new(),
            })));
        }
    }
    world.ended
}

fn send(delay_ms: u64) -> Command {
    Command::Send(Send {
        id: None,
        event: "own".into(),
        target: None,
        processor: None,
        data: None,
        xml: false,
        delay_ms,
    })
}

#[test]
fn a_session_that_goes_over_a_limit_ends_with_the_limit_that_it_broke() {
    let cases = [
        (
            vec![Command::CancelInvoke("x".into()); 5],
            "5 commands in one step, 4 allowed",
        ),
        (vec![send(10); 3], "more than 6 delayed events pending"),
        (vec![send(0); 3], "more than 8 own events waiting"),
    ];
    for (commands, limit) in cases {
        match end_of(options(), &commands) {
            Some(Ended::Failed(failure)) => {
                assert_eq!(
                    (failure.code, failure.message.as_str()),
                    (FailureCode::QueueLimit, limit)
                );
            }
            other => panic!("{limit}: {other:?}"),
        }
        let within = Options {
            max_commands: 5,
            max_timers: 12,
            max_own_waiting: 12,
            ..options()
        };
        assert_eq!(end_of(within, &commands), None, "{limit}");
    }
}

#[test]
fn more_events_than_may_wait_are_rejected_and_the_accepted_ones_are_kept() {
    let mut world = World::new();
    world.input(Input::Start);
    for _ in 0..10 {
        world.act(Action::Event(0));
    }
    assert_eq!(world.accepted.len(), options().max_waiting);
    let kept = world
        .journal
        .iter()
        .filter(|r| matches!(r, Record::EventReceived { .. }))
        .count();
    assert_eq!(kept, options().max_waiting);
}
