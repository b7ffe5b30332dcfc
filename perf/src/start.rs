//! `start`: how long a session takes to begin.

use crate::call::{moment, start_info};
use crate::clock::Stopwatch;
use crate::report::Report;
use crate::strategy::{MEMORY, call_routing, sandbox};
use crate::threads::side_by_side;
use anyhow::{Result, ensure};
use pointsman_sandbox::{NoReads, Sandbox, Strategy, on_big_stack};
use std::sync::Barrier;
use std::time::Instant;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Sessions of each thread and round.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    sessions: u32,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
}

/// What happens to a session between its begin and its end.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Instantiated and dropped: its slot is used again at once.
    Untouched,
    /// Instantiated, started and dropped.
    OneByOne,
    /// All instantiated, then all started, then all dropped: slots that nobody has just used.
    Held,
}

/// Times of one thread, us.
#[derive(Default)]
struct Times {
    instantiate: Vec<f64>,
    start: Vec<f64>,
    both: Vec<f64>,
    end: Vec<f64>,
    /// Processor time of a whole session.
    cpu: Vec<f64>,
    started: usize,
}

/// Measures.
pub fn run(arguments: &Arguments) -> Result<Report> {
    let mut report = Report::new("start");
    let (sessions, rounds) = (arguments.sessions as usize, arguments.rounds as usize);
    let sandbox = sandbox(2 * sessions)?;
    let strategy = on_big_stack(|| call_routing(&sandbox))?;
    for threads in [1, 2] {
        for (way, name) in [
            (Way::Untouched, "used slot, not started"),
            (Way::OneByOne, "used slot"),
            (Way::Held, "held"),
        ] {
            let barrier = Barrier::new(threads);
            let mut all = Times::default();
            for round in 0..=rounds {
                for times in side_by_side(threads, |_| one_round(&sandbox, &strategy, way, sessions, &barrier))? {
                    let expected = if way == Way::Untouched { 0 } else { sessions };
                    ensure!(
                        times.started == expected,
                        "{} sessions started, not {expected}",
                        times.started
                    );
                    // The first round finds out which pages a session writes.
                    if round > 0 {
                        all.extend(times);
                    }
                }
            }
            let name = format!("{threads} threads, {name}");
            report.add(format!("{name}: instantiate"), "us", all.instantiate);
            if way != Way::Untouched {
                report.add(format!("{name}: start"), "us", all.start);
                report.add(format!("{name}: instantiate + start"), "us", all.both);
            }
            report.add(format!("{name}: drop"), "us", all.end);
            report.add(format!("{name}: processor time of all that, a session"), "us", all.cpu);
        }
    }
    report.note("every started session reached `idle` and nothing else");
    report.note("wall time of one operation each, the clock's own 0.03 us included");
    Ok(report)
}

impl Times {
    fn extend(&mut self, other: Times) {
        self.instantiate.extend(other.instantiate);
        self.start.extend(other.start);
        self.both.extend(other.both);
        self.end.extend(other.end);
        self.cpu.extend(other.cpu);
    }
}

fn one_round(sandbox: &Sandbox, strategy: &Strategy, way: Way, sessions: usize, ready: &Barrier) -> Result<Times> {
    let info = start_info(1);
    let us = |began: Instant| began.elapsed().as_nanos() as f64 / 1000.0;
    let at_a_time = if way == Way::Held { sessions } else { 1 };
    let mut times = Times::default();
    ready.wait();
    let watch = Stopwatch::of_thread();
    for _ in 0..sessions / at_a_time {
        let mut live = Vec::with_capacity(at_a_time);
        for _ in 0..at_a_time {
            let began = Instant::now();
            live.push(sandbox.instantiate(strategy, MEMORY)?);
            times.instantiate.push(us(began));
        }
        if way != Way::Untouched {
            let instantiated = times.instantiate.len() - at_a_time;
            for (i, instance) in live.iter_mut().enumerate() {
                let began = Instant::now();
                let outcome = instance.start(moment(0), &info, &mut NoReads)?;
                times.start.push(us(began));
                times
                    .both
                    .push(times.instantiate[instantiated + i] + times.start[times.start.len() - 1]);
                let active = outcome.step.active.unwrap_or_default();
                ensure!(active == ["idle"], "a session began in {active:?}");
                times.started += 1;
            }
        }
        for instance in live {
            let began = Instant::now();
            drop(instance);
            times.end.push(us(began));
        }
    }
    times.cpu.push(watch.took().cpu.as_secs_f64() * 1e6 / sessions as f64);
    Ok(times)
}
