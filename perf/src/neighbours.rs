//! `neighbours`: what healthy sessions notice of a bad one beside them.
//!
//! ```text
//!   this thread: events at a fixed rate  --> 1,000 healthy sessions --+
//!                                                                    +--> runtime, memory journal, workers
//!   another: a bad session, and when it has ended the next -----------+
//! ```
//!
//! Everything is set up as the server does it by default. A healthy step's latency runs from the event's sending to
//! the end of its step, so it includes the wait for a lane. Before each kind of bad session the same load is measured without
//! one: a machine that gets slower meanwhile does not look like a bad neighbour.
//!
//! *Beside it* are the steps that have a bad session beside them: under way while one lived. Bad sessions come one at a time
//! then, with rests. *Beside a row* is all of a phase in which the next bad session is started as soon as the last one has ended: one core's worth of work
//! that does nothing but harm.

use crate::call;
use crate::hosted::{Loaded, NoData, Nobody, Observer, Threads};
use crate::report::Report;
use crate::strategy::{CALL_ROUTING, component};
use anyhow::{Context as _, Result, bail, ensure};
use pointsman_compiler::{Compiler, Limits};
use pointsman_contract::{Command, CommandId, Ended, Event, FailureCode, SessionId, Step};
use pointsman_sandbox::{Sandbox, Strategy, Workers, WorkersOptions, on_big_stack};
use pointsman_session::runtime::{Commands, Info, Options, Refused, Runtime, Services, StartRequest, SystemClock};
use pointsman_store::memory;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Healthy sessions.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    sessions: u32,
    /// Events per second, to all healthy sessions together.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    rate: u32,
    /// Seconds of each phase; a bad session that has begun is waited for.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=300))]
    seconds: u32,
    /// Only these kinds of bad sessions.
    #[arg(long, value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(BAD.iter().map(|b| b.name)))]
    only: Vec<String>,
    /// Milliseconds without a bad session after each, where they come one at a time.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pause_ms: u32,
}

/// A kind of bad session: it behaves until the event `go`.
struct Bad {
    name: &'static str,
    /// What is in its `scxml` element.
    chart: &'static str,
    /// What must have ended it.
    code: FailureCode,
}

const BAD: [Bad; 7] = [
    Bad {
        name: "runaway-script",
        chart: r#"<state id="s"><transition event="go"><script>for(;;);</script></transition></state>"#,
        code: FailureCode::TimeLimit,
    },
    Bad {
        name: "endless-raise",
        chart: r#"<state id="s"><transition event="go again"><raise event="again"/></transition></state>"#,
        code: FailureCode::MicrostepLimit,
    },
    Bad {
        name: "eventless-loop",
        chart: r#"<state id="s"><transition event="go" target="a"/></state>
                  <state id="a"><transition target="b"/></state>
                  <state id="b"><transition target="a"/></state>"#,
        code: FailureCode::MicrostepLimit,
    },
    Bad {
        name: "memory-bomb",
        chart: r#"<state id="s"><transition event="go">
                    <script>kept = []; for(;;) kept.push(new Array(1000).fill(7));</script>
                  </transition></state>"#,
        code: FailureCode::OutOfMemory,
    },
    Bad {
        name: "regex-bomb",
        chart: r#"<state id="s"><transition event="go">
                    <script>/^(a+)+$/.test('a'.repeat(40) + '!')</script>
                  </transition></state>"#,
        code: FailureCode::TimeLimit,
    },
    Bad {
        name: "deep-recursion",
        chart: r#"<state id="s"><transition event="go"><script>(function f() { return f() + 1; })()</script></transition></state>"#,
        code: FailureCode::StackLimit,
    },
    Bad {
        name: "log-flood",
        chart: r#"<datamodel><data id="many" expr="new Array(20000).fill('flood')"/></datamodel>
                  <state id="s"><transition event="go">
                    <foreach array="many" item="line"><log label="flood" expr="line"/></foreach>
                  </transition></state>"#,
        code: FailureCode::LogLimit,
    },
];

/// The server's `process-event-timeout`.
const STEP_BUDGET: Duration = Duration::from_secs(10);

/// What scripts may take of the server's 16 MiB a session.
const SCRIPT_MEMORY: u32 = 12 << 20;

/// Places for bad sessions: the next one may begin before the last one's sandbox is free again.
const SPARE: u32 = 64;

/// Calls of a healthy session: more than it ever comes to.
const CALLS: usize = 1 << 30;

/// Longest that anything here may take beyond its time before the program gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Strategy of the healthy sessions.
const HEALTHY: &str = "call-routing";

/// What the project wants: p99 beside a bad session, at most so many times that without it.
const AIM: f64 = 1.5;

/// Measures.
pub fn run(arguments: &Arguments) -> Result<Report> {
    let mut report = Report::new("neighbours");
    let time = Duration::from_secs(arguments.seconds.into());
    let mut house = House::open(arguments)?;
    let chosen = BAD
        .iter()
        .filter(|bad| arguments.only.is_empty() || arguments.only.iter().any(|name| name == bad.name));
    let (mut reached, mut missed) = (Vec::new(), Vec::new());
    for bad in chosen {
        let name = bad.name;
        let before = house.load(|began| began.elapsed() >= time)?;
        let handovers = house.workers.handovers();
        let (during, bads) = house.beside(bad, time, Duration::from_millis(arguments.pause_ms.into()))?;
        let steps = bads.steps_beside(&during);
        report.add(
            format!("{name}, beside it: events sent later than due by"),
            "us",
            during.late,
        );
        let before_row = report.add(format!("{name}, before: step latency"), "us", before.latencies());
        let row = report.add(format!("{name}, beside it: step latency"), "us", steps);
        let ratio = row.p99 / before_row.p99;
        report.add(
            format!("{name}, before: events sent later than due by"),
            "us",
            before.late,
        );
        report.add(format!("{name}: p99 beside it to p99 before"), "times", vec![ratio]);
        report.add(format!("{name}: a bad session, start to end"), "ms", bads.took());
        if ratio < AIM { &mut reached } else { &mut missed }.push(name.to_owned());
        let mut ended = bads.lives.len();
        // One that filled the phase was a row by itself.
        if ended > 1 {
            let (during, bads) = house.beside(bad, time, Duration::ZERO)?;
            let row = report.add(format!("{name}, beside a row: step latency"), "us", during.latencies());
            let in_row = row.p99 / before_row.p99;
            report.add(format!("{name}: p99 beside a row to p99 before"), "times", vec![in_row]);
            report.add(
                format!("{name}, beside a row: events sent later than due by"),
                "us",
                during.late,
            );
            if in_row < AIM { &mut reached } else { &mut missed }.push(format!("a row of {name}"));
            ended += bads.lives.len();
        }
        let handovers = house.workers.handovers() - handovers;
        report.note(format!(
            "{name}: {ended} ended, all with `{}`; the first: {} ({handovers} handovers)",
            bad.code.as_str(),
            bads.reason,
        ));
    }
    house.check()?;
    report.note(format!(
        "{} healthy sessions, {} events/s, {} lanes; each event was handled, none ended, and they routed the calls that they should have",
        arguments.sessions,
        arguments.rate,
        house.workers.lanes()
    ));
    let list = |names: Vec<String>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    report.note(format!(
        "p99 under {AIM} times that before: {}; not: {}",
        list(reached),
        list(missed)
    ));
    Ok(report)
}

/// A host with healthy sessions in it, and who sends them events.
struct House {
    runtime: Runtime,
    workers: Workers,
    watch: Arc<Watch>,
    ends: Receiver<Ended>,
    healthy: Vec<SessionId>,
    bad: Vec<(&'static str, StartRequest)>,
    events: Vec<Event>,
    /// Events that each healthy session was given.
    given: Vec<usize>,
    /// Whose turn it is.
    next: usize,
    interval: Duration,
}

/// From when to when, ns since the program began.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

impl Span {
    fn nanoseconds(self) -> f64 {
        self.to.saturating_sub(self.from) as f64
    }
}

/// What a phase has shown.
struct Phase {
    /// Of each event, from its sending to the end of its step.
    steps: Vec<Span>,
    /// Sender's lateness, of each event, us.
    late: Vec<f64>,
}

impl Phase {
    /// In us.
    fn latencies(&self) -> Vec<f64> {
        self.steps.iter().map(|step| step.nanoseconds() / 1e3).collect()
    }
}

/// Bad sessions of a phase.
#[derive(Default)]
struct Bads {
    /// Of each, one after the other.
    lives: Vec<Span>,
    /// The first one's.
    reason: String,
}

impl Bads {
    /// How long each lived, ms.
    fn took(&self) -> Vec<f64> {
        self.lives.iter().map(|life| life.nanoseconds() / 1e6).collect()
    }

    /// Latencies of those steps that had one of these beside them, us.
    fn steps_beside(&self, phase: &Phase) -> Vec<f64> {
        let beside = |step: &&Span| {
            // The first life that is not over when the step begins: does it begin before the step ends?
            let first = self.lives.partition_point(|life| life.to < step.from);
            self.lives.get(first).is_some_and(|life| life.from <= step.to)
        };
        let steps = phase.steps.iter().filter(beside);
        steps.map(|step| step.nanoseconds() / 1e3).collect()
    }
}

impl House {
    /// Starts the healthy sessions, and brings them to different events of their calls.
    fn open(arguments: &Arguments) -> Result<House> {
        let options = pointsman_sandbox::Options {
            sessions: arguments.sessions + SPARE,
            step_budget: STEP_BUDGET,
            ..pointsman_sandbox::Options::default()
        };
        let sandbox = Sandbox::new(options, None)?;
        let workers = Workers::start(WorkersOptions::default())?;
        let (sender, ends) = channel();
        let watch = Arc::new(Watch {
            began: Instant::now(),
            seen: Mutex::default(),
            ends: sender,
        });
        let services = Services {
            journal: Arc::new(memory::Journal::default()),
            executor: Arc::new(Threads(workers.clone())),
            commands: watch.clone(),
            host_data: Arc::new(NoData),
            clock: Arc::new(SystemClock),
        };
        let options = Options {
            lanes: workers.lanes(),
            ..Options::default()
        };
        let runtime = Runtime::new(options, services)?;

        let limits = Limits {
            memory: SCRIPT_MEMORY,
            ..Limits::default()
        };
        let compiler = Compiler::new(sandbox.clone(), limits);
        let load = |name: &str, text: &str| -> Result<Strategy> {
            let component = component(&compiler, name, text)?;
            Ok(sandbox.load(&component)?)
        };
        let request = |name: &str, strategy: Strategy, observer: Arc<dyn Observer>| -> Result<StartRequest> {
            Ok(StartRequest {
                tenant: "Environment".parse()?,
                strategy: name.parse()?,
                version: 1,
                component: strategy.digest(),
                program: Arc::new(Loaded {
                    sandbox: sandbox.clone(),
                    strategy,
                    observer,
                }),
                params: call::params(CALLS),
                origin: "perf".into(),
                trace: false,
                invocation: None,
            })
        };
        let (healthy, bad) = on_big_stack(|| -> Result<_> {
            let healthy = request(HEALTHY, load("call-routing.scxml", CALL_ROUTING)?, watch.clone())?;
            let mut bad = Vec::new();
            for kind in &BAD {
                let strategy = load(&format!("{}.scxml", kind.name), &document(kind))?;
                bad.push((kind.name, request(kind.name, strategy, Arc::new(Nobody))?));
            }
            Ok((healthy, bad))
        })?;

        let events = call::events();
        let healthy = (0..arguments.sessions)
            .map(|_| runtime.start(healthy.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut house = House {
            given: vec![0; healthy.len()],
            runtime,
            workers,
            watch,
            ends,
            healthy,
            bad,
            events,
            next: 0,
            interval: Duration::from_secs(1) / arguments.rate,
        };
        for ahead in 0..house.events.len() {
            let round: Vec<_> = (0..house.healthy.len())
                .filter(|session| session % house.events.len() > ahead)
                .collect();
            for session in &round {
                house.send(*session)?;
            }
            house.await_handled(round.len())?;
        }
        // One call each, at the pace of the measurement: first uses of pages and code are not what is measured.
        let warm = house.interval * (house.events.len() * house.healthy.len()) as u32;
        house.load(|began| began.elapsed() >= warm)?;
        Ok(house)
    }

    /// Gives a session the next event of its call.
    fn send(&mut self, session: usize) -> Result<()> {
        let mut event = self.events[self.given[session] % self.events.len()].clone();
        self.given[session] += 1;
        // Comes back with the event, so that nothing needs to be looked up when its step is done.
        event.sendid = Some(self.watch.now().to_string());
        Ok(self.runtime.send(self.healthy[session], event)?)
    }

    /// Sends events at their times until it is over, and waits until they are handled.
    fn load(&mut self, over: impl Fn(Instant) -> bool) -> Result<Phase> {
        let began = Instant::now();
        let mut late = Vec::new();
        while !over(began) {
            let due = self.interval * u32::try_from(late.len())?;
            match due.checked_sub(began.elapsed()) {
                Some(early) => thread::sleep(early),
                None => {
                    late.push((began.elapsed() - due).as_nanos() as f64 / 1e3);
                    self.send(self.next)?;
                    self.next = (self.next + 1) % self.healthy.len();
                }
            }
        }
        let steps = self.await_handled(late.len())?;
        Ok(Phase { steps, late })
    }

    /// Waits until so many events have been handled since the last wait, and takes what was seen of them.
    fn await_handled(&self, events: usize) -> Result<Vec<Span>> {
        let began = Instant::now();
        loop {
            let mut seen = self.watch.seen();
            if let Some(wrong) = &seen.wrong {
                bail!("{wrong}");
            }
            let handled = seen.steps.len();
            if handled == events {
                return Ok(std::mem::take(&mut seen.steps));
            }
            drop(seen);
            ensure!(
                handled < events && began.elapsed() < PATIENCE,
                "{handled} of {events} events were handled"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Load, and all the time a bad session of this kind beside it.
    fn beside(&mut self, bad: &Bad, time: Duration, pause: Duration) -> Result<(Phase, Bads)> {
        let (_, request) = self
            .bad
            .iter()
            .find(|(name, _)| *name == bad.name)
            .context("all are loaded")?;
        let (request, runtime, watch) = (request.clone(), self.runtime.clone(), self.watch.clone());
        let (_unused, none) = channel();
        let ends = std::mem::replace(&mut self.ends, none);
        thread::scope(|scope| {
            let bads = scope.spawn(move || {
                let ended = one_after_the_other(&runtime, &watch, &request, bad, &ends, time, pause);
                (ended, ends)
            });
            let phase = self.load(|_| bads.is_finished());
            let (ended, ends) = bads.join().expect("it does not panic");
            self.ends = ends;
            Ok((phase?, ended?))
        })
    }

    /// Fails unless the healthy sessions live and have done what they should.
    fn check(&self) -> Result<()> {
        let sessions = self.healthy.len() as u64;
        let live = || self.runtime.counters().live.load(Relaxed);
        let began = Instant::now();
        // The last bad one has been told of before it is gone.
        while live() > sessions && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        ensure!(live() == sessions, "{} live, not the {sessions} healthy ones", live());
        // A call is routed at its 13th event, and after a refusal again at its 15th.
        let routed = |given: &usize| {
            let rest = given % self.events.len();
            2 * (given / self.events.len()) + usize::from(rest >= 13) + usize::from(rest >= 15)
        };
        let (expected, seen) = (self.given.iter().map(routed).sum::<usize>(), self.watch.seen());
        ensure!(
            seen.redirects == expected,
            "the healthy sessions routed {} times, but it should be {expected}",
            seen.redirects
        );
        Ok(())
    }
}

fn document(bad: &Bad) -> String {
    format!(
        r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript" name="{}">{}</scxml>"#,
        bad.name, bad.chart
    )
}

/// Bad sessions, the next one when the last one has ended, until the time is over.
fn one_after_the_other(
    runtime: &Runtime,
    watch: &Watch,
    request: &StartRequest,
    bad: &Bad,
    ends: &Receiver<Ended>,
    time: Duration,
    pause: Duration,
) -> Result<Bads> {
    let began = Instant::now();
    let mut bads = Bads::default();
    while began.elapsed() < time {
        let from = watch.now();
        let id = runtime.start(request.clone())?;
        runtime.send(id, Event::external("go", None))?;
        let ended = ends
            .recv_timeout(STEP_BUDGET + PATIENCE)
            .with_context(|| format!("{} was not ended", bad.name))?;
        bads.lives.push(Span { from, to: watch.now() });
        match ended {
            Ended::Failed(failure) if failure.code == bad.code => {
                if bads.reason.is_empty() {
                    bads.reason = failure.message;
                }
            }
            other => bail!("{} should end with `{}`, but: {other:?}", bad.name, bad.code.as_str()),
        }
        thread::sleep(pause);
    }
    Ok(bads)
}

/// Sees what sessions do.
struct Watch {
    began: Instant,
    seen: Mutex<Seen>,
    /// Ends of bad sessions.
    ends: Sender<Ended>,
}

#[derive(Default)]
struct Seen {
    /// Of healthy sessions' events.
    steps: Vec<Span>,
    redirects: usize,
    wrong: Option<String>,
}

impl Watch {
    /// Time since the program began, ns.
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn stepped(&self, event: Option<&Event>, _: &Step) {
        let now = self.now();
        let Some(event) = event else { return };
        let sent: Option<u64> = event.sendid.as_deref().and_then(|id| id.parse().ok());
        let mut seen = self.seen();
        match sent {
            Some(from) => seen.steps.push(Span { from, to: now }),
            None => seen.wrong = Some(format!("an event that nobody sent: {}", event.name)),
        }
    }
}

impl Commands for Watch {
    fn perform(&self, session: &Info, _: CommandId, command: Command) -> Result<(), Box<Refused>> {
        let mut seen = self.seen();
        match command {
            Command::Request(r) if r.action == "redirect" => seen.redirects += 1,
            other => seen.wrong = Some(format!("session {} does this: {other:?}", session.id)),
        }
        Ok(())
    }

    fn ended(&self, session: &Info, ended: &Ended) {
        if session.strategy.as_str() == HEALTHY {
            self.seen().wrong = Some(format!("a healthy session ended: {ended:?}"));
        } else {
            // Nobody listens any more when the program is failing already.
            let _failing = self.ends.send(ended.clone());
        }
    }
}
