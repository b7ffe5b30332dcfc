//! Pointsman's part: the jobs, done on sandboxes as the server makes them.
//!
//! Sessions are instances in lock step on one thread. What a step asks of its host is carried out as far as the charts ask for
//! anything: timers are kept and taken back, but none is ever due. The bad sessions run on the session runtime, with lanes and limits
//! as the server has them by default.

use super::job::{Answer, Bad, Chart, Job, Line, What};
use crate::call::{moment, start_info};
use crate::clock::Stopwatch;
use crate::hosted::{Loaded, NoData, Observer, Threads};
use crate::process::Usage;
use crate::strategy::{MEMORY, component};
use anyhow::{Context as _, Result, bail, ensure};
use pointsman_compiler::{Compiler, Limits};
use pointsman_contract::{Command, CommandId, Ended, Event, Step};
use pointsman_sandbox::{Instance, NoReads, Sandbox, Strategy, Workers, WorkersOptions, on_big_stack};
use pointsman_session::runtime::{Commands, Info, Options, Refused, Runtime, Services, StartRequest, SystemClock};
use pointsman_store::memory;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The server's `process-event-timeout`.
const STEP_BUDGET: Duration = Duration::from_secs(10);

/// What scripts may take of the server's 16 MiB a session.
const SCRIPT_MEMORY: u32 = 12 << 20;

/// Does the job and prints what was seen.
pub fn run(job: &Job) -> Result<()> {
    let bench = Bench::new(job)?;
    let answer = on_big_stack(|| match job.what {
        What::Events => bench.events_per_second(),
        What::Starts => bench.starts(),
        What::Sources => bench.sources(),
        What::Memory => bench.memory(),
        What::Runaway => bench.runaway().map(|()| Answer::default()),
    })?;
    if job.what != What::Runaway {
        tell(&answer)?;
    }
    Ok(())
}

/// A line at once: who reads it looks at the clock.
fn tell(value: &impl serde::Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(value)?)?;
    Ok(out.flush()?)
}

/// What the jobs share.
struct Bench<'a> {
    job: &'a Job,
    sandbox: Sandbox,
    compiler: Compiler,
    /// A round's events.
    events: Vec<Event>,
}

/// A session and what its host knows of it.
struct Session {
    instance: Instance,
    /// Steps so far.
    steps: usize,
    active: Vec<String>,
    timers: Timers,
}

/// Delayed events, as a host keeps them: by when they are due, and by what they are cancelled with.
#[derive(Default)]
struct Timers {
    due: BTreeMap<(u64, usize), String>,
    ids: HashMap<String, (u64, usize)>,
}

impl Session {
    fn begin(sandbox: &Sandbox, strategy: &Strategy) -> Result<Session> {
        let mut instance = sandbox.instantiate(strategy, MEMORY)?;
        let step = instance.start(moment(0), &start_info(1), &mut NoReads)?.step;
        let mut session = Session {
            instance,
            steps: 1,
            active: Vec::new(),
            timers: Timers::default(),
        };
        session.carry_out(step)?;
        Ok(session)
    }

    fn handle(&mut self, event: &Event) -> Result<()> {
        let step = self.instance.handle(moment(self.steps), event, &mut NoReads)?.step;
        self.steps += 1;
        self.carry_out(step)
    }

    fn carry_out(&mut self, step: Step) -> Result<()> {
        if let Some(active) = step.active {
            self.active = active;
        }
        for command in step.commands {
            match command {
                Command::Send(send) if send.delay_ms > 0 => {
                    let key = (moment(self.steps).now_ms + send.delay_ms, self.steps);
                    self.timers.ids.insert(send.id.unwrap_or_default(), key);
                    self.timers.due.insert(key, send.event);
                }
                Command::Cancel(cancel) => {
                    let key = self.timers.ids.remove(&cancel.sendid);
                    let event = key.and_then(|key| self.timers.due.remove(&key));
                    ensure!(event.is_some(), "there is no timer `{}` to cancel", cancel.sendid);
                }
                other => bail!("the charts do not do this: {other:?}"),
            }
        }
        Ok(())
    }
}

impl<'a> Bench<'a> {
    fn new(job: &'a Job) -> Result<Self> {
        let options = pointsman_sandbox::Options {
            // One that is begun while the last one is not quite gone, and a bad one.
            sessions: job.sessions + 2,
            step_budget: STEP_BUDGET,
            ..pointsman_sandbox::Options::default()
        };
        let sandbox = Sandbox::new(options, None)?;
        let limits = Limits {
            memory: SCRIPT_MEMORY,
            ..Limits::default()
        };
        let events = job.chart.events()?.into_iter();
        Ok(Bench {
            job,
            compiler: Compiler::new(sandbox.clone(), limits),
            sandbox,
            events: events
                .map(|(name, data)| Event::external(name, data.map(|data| data.to_string())))
                .collect(),
        })
    }

    fn load(&self, chart: Chart, serial: u32) -> Result<Strategy> {
        let component = component(&self.compiler, chart.name(), &chart.text(serial))?;
        Ok(self.sandbox.load(&component)?)
    }

    fn begin(&self, strategy: &Strategy, sessions: u32) -> Result<Vec<Session>> {
        (0..sessions).map(|_| Session::begin(&self.sandbox, strategy)).collect()
    }

    /// Repeats `work`, which answers how much it did: first to get warm, then for each sample.
    fn sample(&self, mut work: impl FnMut() -> Result<u32>) -> Result<Answer> {
        let mut stretch = |seconds: f64| -> Result<(f64, f64, f64)> {
            let watch = Stopwatch::of_process();
            let mut count = 0.0;
            loop {
                count += f64::from(work()?);
                let took = watch.took();
                if took.cpu.as_secs_f64() >= seconds {
                    return Ok((count, took.cpu.as_secs_f64(), took.wall.as_secs_f64()));
                }
            }
        };
        stretch(self.job.warm)?;
        let samples = (0..self.job.samples).map(|_| stretch(self.job.seconds));
        Ok(Answer {
            samples: samples.collect::<Result<_>>()?,
            ..answer()
        })
    }

    fn events_per_second(&self) -> Result<Answer> {
        let mut sessions = self.begin(&self.load(self.job.chart, 1)?, self.job.sessions)?;
        let mut rounds = 0;
        let each = u32::try_from(sessions.len() * self.events.len())?;
        let answer = self.sample(|| {
            rounds += 1;
            send(&mut sessions, &self.events)?;
            Ok(each)
        })?;
        check(&mut sessions, rounds)?;
        Ok(answer)
    }

    fn starts(&self) -> Result<Answer> {
        let strategy = self.load(self.job.chart, 1)?;
        self.starts_per_second(|| Ok(strategy.clone()))
    }

    fn sources(&self) -> Result<Answer> {
        let mut serial = 0;
        self.starts_per_second(|| {
            serial += 1;
            self.load(self.job.chart, serial)
        })
    }

    fn starts_per_second(&self, mut next: impl FnMut() -> Result<Strategy>) -> Result<Answer> {
        let mut last = Vec::new();
        let answer = self.sample(|| {
            for _ in 0..self.job.batch {
                last.clear();
                last.push(Session::begin(&self.sandbox, &next()?)?);
            }
            Ok(self.job.batch)
        })?;
        send(&mut last, &self.events)?;
        check(&mut last, 1)?;
        Ok(answer)
    }

    fn memory(&self) -> Result<Answer> {
        let strategy = self.load(self.job.chart, 1)?;
        let (last, early) = self.events.split_last().context("a round has events")?;
        // The first one of a strategy is another one: the pages it writes are found out.
        let mut first = self.begin(&strategy, 1)?;
        send(&mut first, &self.events)?;
        check(&mut first, 1)?;
        drop(first);
        let usage = || Usage::now().map(|u| (u.anonymous + u.page_tables) as f64);
        let before = usage()?;
        let mut sessions = self.begin(&strategy, self.job.sessions)?;
        let started = usage()?;
        send(&mut sessions, early)?;
        let handled = usage()?;
        send(&mut sessions, std::slice::from_ref(last))?;
        check(&mut sessions, 1)?;
        let each = |bytes: f64| (bytes - before) / f64::from(self.job.sessions);
        Ok(Answer {
            started: each(started),
            handled: each(handled),
            ..answer()
        })
    }

    fn runaway(&self) -> Result<()> {
        let bad: Bad = self.job.bad.context("which bad one?")?;
        let (seen, steps) = channel();
        let watch = Arc::new(Watch(seen));
        let workers = Workers::start(WorkersOptions::default())?;
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
        let request = |name: &str, strategy: Strategy| -> Result<StartRequest> {
            Ok(StartRequest {
                tenant: "Environment".parse()?,
                strategy: name.parse()?,
                version: 1,
                component: strategy.digest(),
                program: Arc::new(Loaded {
                    sandbox: self.sandbox.clone(),
                    strategy,
                    observer: watch.clone(),
                }),
                params: "{}".into(),
                origin: "perf".into(),
                trace: false,
                invocation: None,
            })
        };
        let healthy = runtime.start(request("healthy", self.load(self.job.chart, 1)?)?)?;
        let strategy = self.sandbox.load(&component(&self.compiler, "bad", bad.text())?)?;
        let bad = runtime.start(request("bad", strategy)?)?;

        let began = Instant::now();
        let (mut ticks, mut went) = (0, false);
        loop {
            thread::sleep((Duration::from_millis(self.job.tick_ms) * (ticks + 1)).saturating_sub(began.elapsed()));
            if !went && began.elapsed() >= Duration::from_secs(1) {
                tell(&Line::Go(true))?;
                runtime.send(bad, Event::external("go", None))?;
                went = true;
            }
            runtime.send(healthy, self.events[ticks as usize % self.events.len()].clone())?;
            // For ever, if need be: whoever started this process ends it.
            steps.recv()?;
            ticks += 1;
            tell(&Line::Tick(ticks))?;
            if ticks >= self.job.ticks && (ticks as usize).is_multiple_of(self.events.len()) {
                break;
            }
        }
        runtime.send(healthy, finish(ticks / self.events.len() as u32))?;
        let active = steps.recv()?;
        ensure!(
            active.as_deref() == Some(&["right".to_owned()]),
            "it ended in {active:?}"
        );
        tell(&Line::Healthy(true))
    }
}

/// An answer without figures.
fn answer() -> Answer {
    Answer {
        version: env!("CARGO_PKG_VERSION").into(),
        ..Answer::default()
    }
}

fn send(sessions: &mut [Session], events: &[Event]) -> Result<()> {
    for event in events {
        for session in &mut *sessions {
            session.handle(event)?;
        }
    }
    Ok(())
}

fn finish(rounds: u32) -> Event {
    Event::external("finish", Some(json!({ "rounds": rounds }).to_string()))
}

/// Fails unless each session says that it did so many rounds, and has no timer left.
fn check(sessions: &mut [Session], rounds: u32) -> Result<()> {
    send(sessions, &[finish(rounds)])?;
    let right = |session: &Session| session.active == ["right"] && session.timers.due.is_empty();
    let wrong = sessions.iter().filter(|session| !right(session)).count();
    ensure!(
        wrong == 0,
        "{wrong} of {} sessions did not do {rounds} rounds",
        sessions.len()
    );
    Ok(())
}

/// Hears of the healthy session's steps: which states are active, when they changed.
struct Watch(Sender<Option<Vec<String>>>);

impl Observer for Watch {
    fn stepped(&self, event: Option<&Event>, step: &Step) {
        // A bad one's `go` never comes to its end, and its start is nobody's event.
        if event.is_some() {
            let _gone = self.0.send(step.active.clone());
        }
    }
}

impl Commands for Watch {
    fn perform(&self, _: &Info, _: CommandId, _: Command) -> Result<(), Box<Refused>> {
        Ok(())
    }

    fn ended(&self, session: &Info, ended: &Ended) {
        let why = match ended {
            Ended::Failed(failure) => format!("`{}`", failure.code.as_str()),
            other => format!("{other:?}"),
        };
        let line = Line::Ended(why);
        if session.strategy.as_str() == "bad" {
            let _reader_gone = tell(&line);
        }
    }
}
