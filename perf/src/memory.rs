//! `memory`: what live sessions take.
//!
//! Each number of sessions is measured in a process of its own: slots that were used before keep pages, and would hide
//! what a session needs.

use crate::call;
use crate::lockstep::Lockstep;
use crate::process::Usage;
use crate::report::Report;
use crate::runtime::Live;
use crate::strategy::{call_routing, sandbox};
use anyhow::{Context as _, Result, ensure};
use pointsman_sandbox::{Sandbox, Strategy, Workers, WorkersOptions, on_big_stack};
use serde_json::Value;
use std::process::Command;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Live sessions, one measurement for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000], value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sessions: Vec<u32>,
    /// Rounds of each measurement, each in a process of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Measure one number of sessions in this process and print what it took, as JSON.
    #[arg(long, hide = true)]
    here: Option<Kind>,
}

/// What sessions are made of.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// Instances alone, one after the other on one thread.
    Sandboxes,
    /// Sessions of the runtime: its tables and threads, and the memory journal with every event in it.
    Runtime,
}

/// Events that a session has handled at the second look.
const EVENTS: usize = 5;

/// What is read of [`Usage`]: its name in JSON, in a report, its unit and its size.
const FIELDS: [(&str, &str, &str, f64); 3] = [
    ("anonymous", "anonymous memory", "KiB", 1024.0),
    ("page_tables", "page tables", "KiB", 1024.0),
    ("maps", "memory maps", "maps", 1.0),
];

/// Measures.
pub fn run(arguments: &Arguments) -> Result<Report> {
    let mut report = Report::new("memory");
    if let Some(kind) = arguments.here {
        let stages = here(kind, arguments.sessions[0] as usize)?;
        report.note(serde_json::to_string(&stages)?);
        return Ok(report);
    }
    for (kind, label) in [(Kind::Sandboxes, "sandboxes"), (Kind::Runtime, "runtime and journal")] {
        for sessions in &arguments.sessions {
            measure(arguments, &mut report, kind, label, *sessions)?;
        }
    }
    report.note("what the process took more than before its first session, divided by the sessions");
    report.note("every session was handled: its events were counted, and its end was checked");
    report.note(
        "sandboxes: instances alone. Runtime: live sessions with tables, threads, and the journal of all their events",
    );
    Ok(report)
}

fn measure(arguments: &Arguments, report: &mut Report, kind: Kind, label: &str, sessions: u32) -> Result<()> {
    let rounds = (0..arguments.rounds)
        .map(|_| in_a_process(kind, sessions))
        .collect::<Result<Vec<_>>>()?;
    for (stage, name) in [(1, "started"), (2, "after 5 events"), (3, "before its call's end")] {
        for (field, what, unit, size) in FIELDS {
            let each = rounds
                .iter()
                .map(|stages| per_session(stages, stage, field, f64::from(sessions) * size))
                .collect::<Result<_>>()?;
            report.add(format!("{label}, {sessions}, {name}: {what}"), unit, each);
        }
    }
    Ok(())
}

fn per_session(stages: &[Value], stage: usize, field: &str, sessions: f64) -> Result<f64> {
    let value = |i: usize| {
        stages
            .get(i)
            .and_then(|s| s[field].as_f64())
            .context("a stage is missing")
    };
    Ok((value(stage)? - value(0)?) / sessions)
}

/// Another process of this program does it.
fn in_a_process(kind: Kind, sessions: u32) -> Result<Vec<Value>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--json", "memory", "--sessions"])
        .arg(sessions.to_string())
        .arg("--here")
        .arg(match kind {
            Kind::Sandboxes => "sandboxes",
            Kind::Runtime => "runtime",
        })
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{sessions} sessions: {}", told.trim());
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let stages = report["notes"][0].as_str().context("the other process said nothing")?;
    Ok(serde_json::from_str(stages)?)
}

/// Before the first session, after all started, after [`EVENTS`] events, before the end of their calls.
fn here(kind: Kind, sessions: usize) -> Result<Vec<Usage>> {
    let sandbox = sandbox(sessions + 1)?;
    on_big_stack(|| {
        let strategy = call_routing(&sandbox)?;
        match kind {
            Kind::Sandboxes => sandboxes(&sandbox, &strategy, sessions),
            Kind::Runtime => runtime(&sandbox, &strategy, sessions),
        }
    })
}

fn sandboxes(sandbox: &Sandbox, strategy: &Strategy, sessions: usize) -> Result<Vec<Usage>> {
    let events = call::events();
    // The first session of a strategy is another one: the pages it writes are found out.
    Lockstep::begin(sandbox, strategy, 1, 1)?.finish(&events)?;
    let mut stages = vec![Usage::now()?];
    let mut live = Lockstep::begin(sandbox, strategy, sessions, 1)?;
    stages.push(Usage::now()?);
    live.handle(0, &events[..EVENTS], |_, _| ())?;
    stages.push(Usage::now()?);
    let last = events.len() - 1;
    live.handle(0, &events[EVENTS..last], |_, _| ())?;
    stages.push(Usage::now()?);
    live.handle(0, &events[last..], |_, _| ())?;
    live.check()?;
    Ok(stages)
}

fn runtime(sandbox: &Sandbox, strategy: &Strategy, sessions: usize) -> Result<Vec<Usage>> {
    let events = call::events();
    let workers = Workers::start(WorkersOptions::default())?;
    let begin = |sessions| Live::begin(sandbox, strategy, &workers, workers.lanes(), sessions);
    let mut first = begin(1)?;
    first.handle(&events)?;
    first.check()?;
    let mut stages = vec![Usage::now()?];
    let mut live = begin(sessions)?;
    stages.push(Usage::now()?);
    live.handle(&events[..EVENTS])?;
    stages.push(Usage::now()?);
    let last = events.len() - 1;
    live.handle(&events[EVENTS..last])?;
    stages.push(Usage::now()?);
    live.handle(&events[last..])?;
    live.check()?;
    Ok(stages)
}
