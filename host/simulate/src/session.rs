//! One session in virtual time: drives the session core by hand.

use crate::report::Macrostep;
use crate::script::{Case, Data};
use pointsman_contract::{
    BASIC_HTTP_PROCESSOR, Digest, Ended, Event, Failure, FailureCode, SCXML_PROCESSOR, Seq, SessionId, Settings, Step,
};
use pointsman_sandbox::Instance;
use pointsman_session::core::{
    Answer, Call, Failed, Input, Options, Output, Rejected, Session, StepOutcome, TimerId, address,
};
use pointsman_store::SessionStarted;
use std::collections::{BTreeMap, VecDeque};

/// Macrosteps of one step of a case. A session that keeps itself busy would otherwise never let a step end.
const MAX_MACROSTEPS: usize = 10_000;

/// Where the Basic HTTP processor would reach a simulated session.
const BASIC_HTTP_LOCATION: &str = "http://localhost/simulation/basichttp";

/// The id of every simulated session: `_sessionid` is the same in every run.
pub(crate) fn session_id() -> SessionId {
    SessionId::from_random([0; 20])
}

pub(crate) struct Simulated {
    core: Session,
    sandbox: Instance,
    data: Data,
    now_ms: u64,
    /// By the time they are due, then by the order in which they were set.
    timers: BTreeMap<(u64, u64), TimerId>,
    timers_set: u64,
    macrosteps: Vec<Macrostep>,
    active: Vec<String>,
    ended: Option<Ended>,
}

impl Simulated {
    pub fn new(case: &Case, digest: Digest, settings: &Settings, sandbox: Instance, data: Data) -> Self {
        let of_host = Options::default();
        let id = session_id();
        // As a server gives them: each processor under its URI and its short name.
        let location = serde_json::json!({ "location": address(id) });
        let http = serde_json::json!({ "location": BASIC_HTTP_LOCATION });
        let processors = serde_json::json!({
            SCXML_PROCESSOR: location, "scxml": location, BASIC_HTTP_PROCESSOR: http, "basichttp": http,
        });
        let now_ms = u64::try_from(case.at.as_millisecond()).unwrap_or(0);
        let started = SessionStarted {
            component: digest,
            tenant: "simulation".parse().expect("a constant that fits the rules of names"),
            strategy: "simulation".parse().expect("a constant that fits the rules of names"),
            version: 1,
            params: serde_json::Value::Object(case.params.clone()).to_string(),
            io_processors: processors.to_string(),
            seed: case.seed,
            started_ms: now_ms,
            origin: "simulation".into(),
            parent: None,
        };
        Simulated {
            core: Session::new(
                id,
                Options {
                    trace: true,
                    // As on a server, where zero settles nothing.
                    max_age_ms: settings
                        .max_age_ms
                        .filter(|ms| *ms > 0)
                        .map_or(of_host.max_age_ms, |ms| ms.min(of_host.max_age_ms)),
                    ..of_host
                },
                started,
            ),
            sandbox,
            data,
            now_ms,
            timers: BTreeMap::new(),
            timers_set: 0,
            macrosteps: Vec::new(),
            active: Vec::new(),
            ended: None,
        }
    }

    /// The virtual time, ms since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The active atomic states.
    pub fn active(&self) -> &[String] {
        &self.active
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// What was done since this was asked last.
    pub fn take_macrosteps(&mut self) -> Vec<Macrostep> {
        std::mem::take(&mut self.macrosteps)
    }

    pub fn start(&mut self) -> Result<(), Rejected> {
        self.input(Input::Start)
    }

    pub fn event(&mut self, event: Event) -> Result<(), Rejected> {
        self.input(Input::Event(event, self.now_ms))
    }

    /// Lets time pass, from timer to timer.
    pub fn advance(&mut self, ms: u64) -> Result<(), Rejected> {
        let end = self.now_ms.saturating_add(ms);
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= end) {
            self.now_ms = entry.key().0.max(self.now_ms);
            let timer = entry.remove();
            self.input(Input::TimerFired(timer, self.now_ms))?;
        }
        self.now_ms = end;
        Ok(())
    }

    fn input(&mut self, input: Input) -> Result<(), Rejected> {
        let mut inputs = VecDeque::from([input]);
        let mut outputs = Vec::new();
        while let Some(input) = inputs.pop_front() {
            self.core.input(input, &mut outputs)?;
            for output in outputs.drain(..) {
                self.output(output, &mut inputs);
            }
        }
        Ok(())
    }

    fn output(&mut self, output: Output, inputs: &mut VecDeque<Input>) {
        match output {
            Output::Append { first, records } => {
                let last = first.0 + records.len() as u64 - 1;
                inputs.push_back(Input::Appended(Seq(last)));
            }
            Output::Run(_) if self.macrosteps.len() == MAX_MACROSTEPS => {
                let reason = format!("the simulation ended it: more than {MAX_MACROSTEPS} macrosteps in one step");
                inputs.push_back(Input::Terminate(reason, self.now_ms));
            }
            Output::Run(call) => inputs.push_back(Input::Stepped(self.run(call))),
            Output::SetTimer(timer, at_ms) => {
                self.timers.insert((at_ms, self.timers_set), timer);
                self.timers_set += 1;
            }
            Output::CancelTimer(timer) => self.timers.retain(|_, other| *other != timer),
            Output::Ended(ended) => {
                // The commands of a step that broke a limit of the session never leave.
                if let (Ended::Failed(failure), Some(last)) = (&ended, self.macrosteps.last_mut()) {
                    last.commands.clear();
                    last.failure.get_or_insert_with(|| failure.clone());
                }
                self.ended = Some(ended);
            }
            // Nobody carries out commands here: the test plays the world, and gives the answers as events.
            Output::Perform(..) | Output::Deliver { .. } => {}
        }
    }

    fn run(&mut self, call: Call) -> Result<StepOutcome, Failed> {
        let (at_ms, event, outcome) = match call {
            Call::Start(moment, info) => (moment.now_ms, None, self.sandbox.start(moment, &info, &mut self.data)),
            Call::Handle(moment, event) => {
                let outcome = self.sandbox.handle(moment, &event, &mut self.data);
                (moment.now_ms, Some(event), outcome)
            }
        };
        let (step, failure, answers) = match outcome {
            Ok(outcome) => (outcome.step, None, outcome.answers),
            // What a failed step read goes with it: nothing follows that could depend on it.
            Err(failure) => (Step::default(), Some(failure), Vec::new()),
        };
        if let Some(active) = &step.active {
            self.active.clone_from(active);
        }
        self.macrosteps.push(Macrostep {
            at_ms,
            event,
            configuration: self.active.clone(),
            log: step.log.clone(),
            commands: step.commands.clone(),
            trace: step.trace.clone(),
            failure: failure.clone(),
        });
        let answers = answers.into_iter().map(answer).collect();
        match failure {
            None => Ok(StepOutcome { step, answers }),
            Some(failure) => Err(Failed { failure, answers }),
        }
    }
}

fn answer(answer: pointsman_sandbox::Answer) -> Answer {
    Answer {
        source: answer.source,
        key: answer.key,
        answer: answer.answer,
    }
}

/// A session that cannot even be made.
pub(crate) fn not_made(error: &pointsman_sandbox::Error) -> Ended {
    Ended::Failed(Failure {
        code: FailureCode::Start,
        message: error.to_string(),
    })
}
