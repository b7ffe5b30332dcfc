//! Events through the session runtime: recorded in the memory journal, queued, handled by workers' threads.
//!
//! The sending thread gives every session its next event and waits until all have been handled: the same order as
//! [`crate::lockstep`], so that the difference is what the runtime, its journal and its changes of thread cost.

use crate::call::{self, Tally, check_end};
use crate::clock::Stopwatch;
use crate::events::Bench;
use crate::hosted::{Loaded, NoData, Observer, Threads};
use crate::report::Report;
use anyhow::{Result, bail, ensure};
use pointsman_contract::{Command, CommandId, Ended, Event, SessionId, Step};
use pointsman_sandbox::{Sandbox, Strategy, Workers, WorkersOptions};
use pointsman_session::runtime::{Commands, Info, Options, Refused, Runtime, Services, StartRequest, SystemClock};
use pointsman_store::memory;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Longest that one event of all sessions may take before the program gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls of a session here.
const CALLS: usize = 1;

/// Measures with so many lanes, and puts it into the report.
pub fn measure(bench: &Bench, report: &mut Report, lanes: usize) -> Result<()> {
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    let workers = Workers::start(WorkersOptions {
        lanes,
        ..WorkersOptions::default()
    })?;
    let count = (bench.sessions * bench.events.len()) as f64;
    for round in 0..=bench.rounds {
        let took = one_round(bench, &workers, lanes)?;
        // The first round warms, as in the other measurements.
        if round > 0 {
            wall.push(count / took.wall.as_secs_f64());
            cpu.push(took.cpu.as_secs_f64() * 1e6 / count);
        }
    }
    report.add(
        format!("runtime, memory journal, {lanes} lanes: of wall time"),
        "events/s",
        wall,
    );
    report.add(
        format!("runtime, memory journal, {lanes} lanes: processor time, all threads"),
        "us/event",
        cpu,
    );
    report.note(format!(
        "runtime, {lanes} lanes: {} lanes handed over to a spare thread",
        workers.handovers()
    ));
    Ok(())
}

fn one_round(bench: &Bench, workers: &Workers, lanes: usize) -> Result<crate::clock::Took> {
    let mut live = Live::begin(&bench.sandbox, &bench.strategy, workers, lanes, bench.sessions)?;
    let watch = Stopwatch::of_process();
    live.handle(&bench.events)?;
    let took = watch.took();
    live.check()?;
    Ok(took)
}

/// Sessions of a runtime of their own, each for one call.
pub struct Live {
    runtime: Runtime,
    progress: Arc<Progress>,
    ids: Vec<SessionId>,
    /// Events that every session has been given.
    events: usize,
}

impl Live {
    /// Begins so many sessions.
    pub fn begin(
        sandbox: &Sandbox,
        strategy: &Strategy,
        workers: &Workers,
        lanes: usize,
        sessions: usize,
    ) -> Result<Self> {
        let progress = Arc::new(Progress::default());
        let runtime = Runtime::new(
            Options {
                lanes,
                ..Options::default()
            },
            Services {
                journal: Arc::new(memory::Journal::default()),
                executor: Arc::new(Threads(workers.clone())),
                commands: progress.clone(),
                host_data: Arc::new(NoData),
                clock: Arc::new(SystemClock),
            },
        )?;
        let request = StartRequest {
            tenant: "Environment".parse()?,
            strategy: "call-routing".parse()?,
            version: 1,
            component: strategy.digest(),
            program: Arc::new(Loaded {
                sandbox: sandbox.clone(),
                strategy: strategy.clone(),
                observer: progress.clone(),
            }),
            params: call::params(CALLS),
            origin: "perf".into(),
            trace: false,
            invocation: None,
        };
        let mut ids = Vec::with_capacity(sessions);
        for _ in 0..sessions {
            ids.push(runtime.start(request.clone())?);
        }
        progress.await_steps(sessions)?;
        Ok(Live {
            runtime,
            progress,
            ids,
            events: 0,
        })
    }

    /// Gives all sessions these events, one after the other: the next when all have handled the last.
    pub fn handle(&mut self, events: &[Event]) -> Result<()> {
        for event in events {
            self.events += 1;
            let steps = (self.events + 1) * self.ids.len();
            self.progress.target.store(steps, Ordering::SeqCst);
            for id in &self.ids {
                self.runtime.send(*id, event.clone())?;
            }
            self.progress.await_steps(steps)?;
        }
        Ok(())
    }

    /// Waits for the ends of all sessions; fails unless they have done what a call does.
    pub fn check(self) -> Result<()> {
        let sessions = self.ids.len();
        self.progress.await_ends(sessions)?;
        self.progress.tally()?.check(sessions, CALLS)?;
        let counters = self.runtime.counters();
        let (events, done) = (counters.events.load(Relaxed), counters.done.load(Relaxed));
        ensure!(
            (events as usize, done as usize) == (sessions * self.events, sessions),
            "the runtime counted {events} events and {done} ends"
        );
        Ok(())
    }
}

/// How far the sessions have come, and what their commands were.
#[derive(Default)]
struct Progress {
    /// Calls into sandboxes that are over.
    steps: AtomicUsize,
    /// Number of `steps` that somebody waits for.
    target: AtomicUsize,
    seen: Mutex<Seen>,
    news: Condvar,
}

#[derive(Default)]
struct Seen {
    tally: Tally,
    ends: usize,
    wrong: Option<String>,
}

impl Observer for Progress {
    fn stepped(&self, _: Option<&Event>, step: &Step) {
        // Delays stay with the runtime, so they are counted here; requests are counted where they arrive.
        let timers = step.commands.iter().filter(|c| matches!(c, Command::Send(_))).count();
        let cancels = step.commands.iter().filter(|c| matches!(c, Command::Cancel(_))).count();
        if timers + cancels + usize::from(step.active.is_some()) > 0 {
            let mut seen = self.seen();
            seen.tally.timers += timers;
            seen.tally.cancels += cancels;
            seen.tally.moves += usize::from(step.active.is_some());
        }
        if self.steps.fetch_add(1, Ordering::SeqCst) + 1 >= self.target.load(Ordering::SeqCst) {
            let _ordered_with_the_wait = self.seen();
            self.news.notify_all();
        }
    }
}

impl Progress {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn await_steps(&self, steps: usize) -> Result<()> {
        self.target.store(steps, Ordering::SeqCst);
        self.wait(|_| self.steps.load(Ordering::SeqCst) >= steps)
    }

    fn await_ends(&self, ends: usize) -> Result<()> {
        self.wait(|seen| seen.ends >= ends)
    }

    fn wait(&self, reached: impl Fn(&Seen) -> bool) -> Result<()> {
        let (seen, timeout) = self
            .news
            .wait_timeout_while(self.seen(), PATIENCE, |seen| seen.wrong.is_none() && !reached(seen))
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(wrong) = &seen.wrong {
            bail!("{wrong}");
        }
        let steps = self.steps.load(Ordering::SeqCst);
        ensure!(
            !timeout.timed_out(),
            "nothing moved for {PATIENCE:?} after {steps} steps"
        );
        Ok(())
    }

    fn tally(&self) -> Result<Tally> {
        let seen = self.seen();
        match &seen.wrong {
            Some(wrong) => bail!("{wrong}"),
            None => Ok(seen.tally),
        }
    }
}

impl Commands for Progress {
    fn perform(&self, _: &Info, _: CommandId, command: Command) -> Result<(), Box<Refused>> {
        let mut seen = self.seen();
        if let Err(e) = seen.tally.command(&command) {
            seen.wrong = Some(e.to_string());
        }
        Ok(())
    }

    fn ended(&self, session: &Info, ended: &Ended) {
        let checked = match ended {
            Ended::Done(done) => check_end(done, CALLS),
            other => Err(anyhow::anyhow!("session {} ended: {other:?}", session.id)),
        };
        let mut seen = self.seen();
        seen.ends += 1;
        match checked {
            Ok(()) => seen.tally.ended += 1,
            Err(e) => seen.wrong = Some(e.to_string()),
        }
        self.news.notify_all();
    }
}
