//! `memory`: what live sessions take.
//!
//! Each number of sessions is measured in a process of its own: slots that were used before keep pages, and would hide
//! what a session needs.

use crate::call;
use crate::lockstep::Lockstep;
use crate::process::Usage;
use crate::report::Report;
use crate::strategy::{call_routing, sandbox};
use anyhow::{Context as _, Result, ensure};
use pointsman_sandbox::on_big_stack;
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
    here: bool,
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
    if arguments.here {
        let stages = here(arguments.sessions[0] as usize)?;
        report.note(serde_json::to_string(&stages)?);
        return Ok(report);
    }
    for sessions in &arguments.sessions {
        let mut rounds = Vec::new();
        for _ in 0..arguments.rounds {
            rounds.push(in_a_process(*sessions)?);
        }
        for (stage, name) in [
            (1, "started"),
            (2, "after 5 events"),
            (3, "after a call, before its end"),
        ] {
            for (field, what, unit, size) in FIELDS {
                let each = rounds
                    .iter()
                    .map(|stages| per_session(stages, stage, field, f64::from(*sessions) * size))
                    .collect::<Result<_>>()?;
                report.add(format!("{sessions} sessions, {name}: {what} a session"), unit, each);
            }
        }
    }
    report.note("what the process took more than before its first session, divided by the sessions");
    report.note("every session was handled: its events were counted, and its end was checked");
    Ok(report)
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
fn in_a_process(sessions: u32) -> Result<Vec<Value>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--json", "memory", "--here", "--sessions"])
        .arg(sessions.to_string())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{sessions} sessions: {}", told.trim());
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let stages = report["notes"][0].as_str().context("the other process said nothing")?;
    Ok(serde_json::from_str(stages)?)
}

/// Before the first session, after all started, after [`EVENTS`] events, before the end of their calls.
fn here(sessions: usize) -> Result<Vec<Usage>> {
    let sandbox = sandbox(sessions + 1)?;
    on_big_stack(|| {
        let strategy = call_routing(&sandbox)?;
        let events = call::events();
        // The first session of a strategy is another one: the pages it writes are found out.
        Lockstep::begin(&sandbox, &strategy, 1, 1)?.finish(&events)?;
        let mut stages = vec![Usage::now()?];
        let mut live = Lockstep::begin(&sandbox, &strategy, sessions, 1)?;
        stages.push(Usage::now()?);
        live.handle(0, &events[..EVENTS], |_, _| ())?;
        stages.push(Usage::now()?);
        let last = events.len() - 1;
        live.handle(0, &events[EVENTS..last], |_, _| ())?;
        stages.push(Usage::now()?);
        live.handle(0, &events[last..], |_, _| ())?;
        live.check()?;
        Ok(stages)
    })
}
