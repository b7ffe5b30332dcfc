//! Events through the session runtime: recorded in the memory journal, queued, handled by workers' threads.
//!
//! The sending thread gives every session its next event and waits until all have been handled: the same order as
//! [`crate::lockstep`], so that the difference is what the runtime, its journal and its changes of thread cost.

use crate::call::{self, Tally, check_end};
use crate::clock::Stopwatch;
use crate::events::Bench;
use crate::report::Report;
use crate::strategy::MEMORY;
use anyhow::{Context as _, Result, bail, ensure};
use pointsman_contract::{Command, CommandId, Ended, Event, Failure, FailureCode, Inspection, Moment, StartInfo, Step};
use pointsman_sandbox::{Instance, Sandbox, Workers, WorkersOptions};
use pointsman_session::runtime::{
    Busy, Commands, Executor, HostData, Info, Job, Options, Program, Reads, Refused, Runtime, Services, StartRequest,
    Strategy, SystemClock,
};
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
        component: bench.strategy.digest(),
        program: Arc::new(Loaded {
            sandbox: bench.sandbox.clone(),
            strategy: bench.strategy.clone(),
            progress: progress.clone(),
        }),
        params: call::params(CALLS),
        origin: "perf".into(),
        trace: false,
    };
    let mut ids = Vec::with_capacity(bench.sessions);
    for _ in 0..bench.sessions {
        ids.push(runtime.start(request.clone())?);
    }
    progress.await_steps(bench.sessions)?;
    let watch = Stopwatch::of_process();
    for (i, event) in bench.events.iter().enumerate() {
        progress.target.store((i + 2) * bench.sessions, Ordering::SeqCst);
        for id in &ids {
            runtime.send(*id, event.clone())?;
        }
        progress.await_steps((i + 2) * bench.sessions)?;
    }
    let took = watch.took();
    progress.await_ends(bench.sessions)?;
    let done = progress.tally()?;
    done.check(bench.sessions, CALLS)?;
    let counters = runtime.counters();
    let (events, done) = (counters.events.load(Relaxed), counters.done.load(Relaxed));
    ensure!(
        (events as usize, done as usize) == (bench.sessions * bench.events.len(), bench.sessions),
        "the runtime counted {events} events and {done} ends"
    );
    Ok(took)
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

impl Progress {
    fn stepped(&self, step: &Step) {
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

/// The sandbox's threads as the runtime's executor.
struct Threads(Workers);

impl Executor for Threads {
    fn run(&self, lane: usize, job: Job) -> Result<(), Busy> {
        self.0.run(lane, job).map_err(|_| Busy)
    }
}

struct NoData;

impl HostData for NoData {
    fn read(&self, _: &Info, source: &str, key: &str) -> Result<String, String> {
        Err(format!("there is no `{key}` in `{source}` here"))
    }
}

/// The measured strategy as a program of the runtime.
struct Loaded {
    sandbox: Sandbox,
    strategy: pointsman_sandbox::Strategy,
    progress: Arc<Progress>,
}

impl Program for Loaded {
    fn instantiate(&self, _: &Info) -> Result<Box<dyn Strategy>, Failure> {
        let instance = self.sandbox.instantiate(&self.strategy, MEMORY).context("no sandbox");
        let instance = instance.map_err(|e| Failure {
            code: FailureCode::Start,
            message: format!("{e:#}"),
        })?;
        Ok(Box::new(Running(instance, self.progress.clone())))
    }
}

/// One session's instance.
struct Running(Instance, Arc<Progress>);

/// The runtime's way of reading data as the sandbox's.
struct Data<'a>(&'a mut dyn Reads);

impl pointsman_sandbox::Reads for Data<'_> {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        self.0.read(source, key)
    }
}

impl Strategy for Running {
    fn start(&mut self, moment: Moment, info: &StartInfo, reads: &mut dyn Reads) -> Result<Step, Failure> {
        let step = self.0.start(moment, info, &mut Data(reads))?.step;
        self.1.stepped(&step);
        Ok(step)
    }

    fn handle(&mut self, moment: Moment, event: &Event, reads: &mut dyn Reads) -> Result<Step, Failure> {
        let step = self.0.handle(moment, event, &mut Data(reads))?.step;
        self.1.stepped(&step);
        Ok(step)
    }

    fn inspect(&mut self) -> Result<Inspection, Failure> {
        self.0.inspect()
    }
}
