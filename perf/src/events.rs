//! `events`: how many events per second the call-routing chart handles.

use crate::call::{self, Tally};
use crate::clock::Took;
use crate::lockstep::Lockstep;
use crate::report::Report;
use crate::runtime;
use crate::strategy::{call_routing, sandbox_with_cache};
use crate::threads::side_by_side;
use anyhow::{Result, ensure};
use pointsman_contract::Event;
use pointsman_sandbox::{Sandbox, Strategy, on_big_stack};
use std::path::PathBuf;
use std::sync::Barrier;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Sessions of each thread (and of the whole runtime), handled in turn.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sessions: u32,
    /// Calls that a session of the second measurement takes: its memory is its own after the first.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    calls: u32,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Threads of the measurement of scaling.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=64))]
    threads: u32,
    /// Only this one measurement: on sandboxes, one thread, `--calls` calls per session. For profilers.
    #[arg(long)]
    only_one_thread: bool,
    /// Directory of the native cache: what is in it has the symbols of the code that runs in sandboxes.
    #[arg(long)]
    native_cache: Option<PathBuf>,
}

/// Measures.
pub fn run(arguments: &Arguments) -> Result<Report> {
    let mut report = Report::new("events");
    let (sessions, calls, threads) = (
        arguments.sessions as usize,
        arguments.calls as usize,
        arguments.threads as usize,
    );
    let sandbox = sandbox_with_cache(sessions * threads + 1, arguments.native_cache.as_deref())?;
    let strategy = on_big_stack(|| call_routing(&sandbox))?;
    let bench = Bench {
        sandbox,
        strategy,
        events: call::events(),
        sessions,
        rounds: arguments.rounds as usize,
    };
    if arguments.only_one_thread {
        bench.threads(&mut report, calls, 1)?;
        return Ok(report);
    }
    for calls in [1, calls] {
        let one = bench.threads(&mut report, calls, 1)?;
        let many = bench.threads(&mut report, calls, threads)?;
        report.add(
            format!("{threads} threads against 1, {calls} calls a session: by wall time"),
            "times",
            vec![many.wall / one.wall],
        );
        report.add(
            format!("{threads} threads against 1, {calls} calls a session: by processor time"),
            "times",
            vec![many.cpu * threads as f64 / one.cpu],
        );
    }
    bench.each_event(&mut report, calls)?;
    for lanes in [1, threads] {
        runtime::measure(&bench, &mut report, lanes)?;
    }
    report.note(format!(
        "every session ended with the data it should have; a call is {} events",
        bench.events.len()
    ));
    Ok(report)
}

/// Events per second.
struct Rates {
    /// Of wall time, all threads together.
    wall: f64,
    /// Of one thread's processor time.
    cpu: f64,
}

/// What all measurements share.
pub struct Bench {
    /// Where sessions run.
    pub sandbox: Sandbox,
    /// What they run.
    pub strategy: Strategy,
    /// A call.
    pub events: Vec<Event>,
    /// Sessions at a time.
    pub sessions: usize,
    /// How often.
    pub rounds: usize,
}

impl Bench {
    /// Answers the medians.
    fn threads(&self, report: &mut Report, calls: usize, threads: usize) -> Result<Rates> {
        let (mut wall, mut cpu) = (Vec::new(), Vec::new());
        let each = self.sessions * calls * self.events.len();
        // The first round is not counted: it finds out which pages a session writes.
        for round in 0..=self.rounds {
            let ready = Barrier::new(threads);
            let done = side_by_side(threads, |_| self.round(calls, &ready))?;
            let mut all = Tally::default();
            done.iter().for_each(|(_, tally)| all.add(tally));
            ensure!(
                all == Tally::expected(self.sessions * threads, calls),
                "the threads together did {all:?}"
            );
            if round > 0 {
                let slowest = done.iter().map(|(took, _)| took.wall.as_secs_f64()).fold(0.0, f64::max);
                wall.push((each * threads) as f64 / slowest);
                cpu.extend(done.iter().map(|(took, _)| each as f64 / took.cpu.as_secs_f64()));
            }
        }
        let what = format!("{threads} threads, {calls} calls a session");
        let cpu = report.add(format!("{what}: of processor time of a thread"), "events/s", cpu);
        let wall = report.add(format!("{what}: of wall time, all threads"), "events/s", wall);
        Ok(Rates {
            wall: wall.median,
            cpu: cpu.median,
        })
    }

    fn round(&self, calls: usize, ready: &Barrier) -> Result<(Took, Tally)> {
        let sessions = Lockstep::begin(&self.sandbox, &self.strategy, self.sessions, calls);
        // Also where it failed: the others would wait for ever.
        ready.wait();
        sessions?.finish(&self.events)
    }

    /// Which events cost what, wall time of one step.
    fn each_event(&self, report: &mut Report, calls: usize) -> Result<()> {
        let samples = on_big_stack(|| -> Result<Vec<Vec<f64>>> {
            let mut samples = vec![Vec::new(); self.events.len()];
            let mut sessions = Lockstep::begin(&self.sandbox, &self.strategy, self.sessions, calls)?;
            for call in 0..calls {
                sessions.handle(call, &self.events, |i, began| {
                    // The first call makes pages the session's own; it is told apart above.
                    if call > 0 || calls == 1 {
                        samples[i].push(began.elapsed().as_nanos() as f64 / 1000.0);
                    }
                })?;
            }
            Ok(samples)
        })?;
        for (i, (event, samples)) in self.events.iter().zip(samples).enumerate() {
            report.add(format!("event {:>2} {}", i + 1, event.name), "us", samples);
        }
        Ok(())
    }
}
