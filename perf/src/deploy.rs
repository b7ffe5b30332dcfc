//! `deploy`: from a document's text to its first session, and many strategies side by side.

use crate::call::{Tally, moment, start_info};
use crate::clock::Stopwatch;
use crate::lockstep::Lockstep;
use crate::process::Usage;
use crate::report::Report;
use crate::strategy::{CALL_ROUTING, MEMORY, component, sandbox};
use anyhow::{Result, ensure};
use pointsman_compiler::{Compiler, Limits};
use pointsman_contract::Digest;
use pointsman_sandbox::{NoReads, Sandbox, Strategy, on_big_stack};
use std::collections::BTreeSet;
use std::time::Instant;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Documents deployed one after the other, each forgotten again.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    documents: u32,
    /// Strategies that stay in the process together.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    strategies: u32,
}

/// Measures.
pub fn run(arguments: &Arguments) -> Result<Report> {
    let mut report = Report::new("deploy");
    pointsman_sandbox::raise_descriptor_limit()?;
    let began = Instant::now();
    let sandbox = sandbox(100)?;
    report.add("once a host: engine compiled, no native cache", "ms", vec![ms(began)]);
    on_big_stack(|| {
        let compiler = Compiler::new(sandbox.clone(), Limits::default());
        // Code paths and lazily made things of the first one are not every document's.
        drop(deploy(&sandbox, &compiler, 0)?);
        one_by_one(&sandbox, &compiler, &mut report, arguments.documents as usize)?;
        together(&sandbox, &compiler, &mut report, arguments.strategies as usize)
    })?;
    report.note("every document differs from the others in its source, its expressions and its data");
    report.note(
        "every strategy's first session reached its initial state; of those kept, each also took a call to its end",
    );
    Ok(report)
}

/// The document with another table of names and another comparison in it.
fn document(n: usize) -> String {
    let text = CALL_ROUTING.replace(
        r#"{"1": "sales","#,
        &format!(r#"{{"{}": "team {n}", "1": "sales","#, 100 + n),
    );
    let text = text.replace("waited &gt; 20", &format!("waited &gt; 20 + {n} % 7"));
    assert_ne!(
        text, CALL_ROUTING,
        "the chart has other texts than this program changes"
    );
    text
}

/// Times of the parts, ms.
struct Deployed {
    strategy: Strategy,
    component: usize,
    compile: f64,
    load: f64,
    first: f64,
    cpu: f64,
}

fn deploy(sandbox: &Sandbox, compiler: &Compiler, n: usize) -> Result<Deployed> {
    let text = document(n);
    let watch = Stopwatch::of_process();
    let began = Instant::now();
    let component = component(compiler, "call-routing.scxml", &text)?;
    let compile = ms(began);
    let began = Instant::now();
    let strategy = sandbox.load(&component)?;
    let load = ms(began);
    let began = Instant::now();
    let mut instance = sandbox.instantiate(&strategy, MEMORY)?;
    let step = instance.start(moment(0), &start_info(1), &mut NoReads)?.step;
    let first = ms(began);
    let cpu = watch.took().cpu.as_secs_f64() * 1000.0;
    let active = step.active.unwrap_or_default();
    ensure!(active == ["idle"], "the first session began in {active:?}");
    Ok(Deployed {
        strategy,
        component: component.len(),
        compile,
        load,
        first,
        cpu,
    })
}

fn one_by_one(sandbox: &Sandbox, compiler: &Compiler, report: &mut Report, documents: usize) -> Result<()> {
    let done = (1..=documents)
        .map(|n| deploy(sandbox, compiler, n))
        .collect::<Result<Vec<_>>>()?;
    let digests: BTreeSet<Digest> = done.iter().map(|d| d.strategy.digest()).collect();
    ensure!(digests.len() == documents, "only {} strategies differ", digests.len());
    let each = |f: fn(&Deployed) -> f64| done.iter().map(f).collect::<Vec<_>>();
    report.add("read and compile", "ms", each(|d| d.compile));
    report.add("check and load", "ms", each(|d| d.load));
    report.add("first session: instantiate and start", "ms", each(|d| d.first));
    report.add(
        "document in, first session there",
        "ms",
        each(|d| d.compile + d.load + d.first),
    );
    report.add("the same, processor time of all threads", "ms", each(|d| d.cpu));
    report.add("component", "KiB", each(|d| d.component as f64 / 1024.0));
    Ok(())
}

fn together(sandbox: &Sandbox, compiler: &Compiler, report: &mut Report, strategies: usize) -> Result<()> {
    let events = crate::call::events();
    let before = Usage::now()?;
    let began = Instant::now();
    let mut kept = Vec::with_capacity(strategies);
    let mut tally = Tally::default();
    for n in 0..strategies {
        let strategy = deploy(sandbox, compiler, 1_000_000 + n)?.strategy;
        tally.add(&Lockstep::begin(sandbox, &strategy, 1, 1)?.finish(&events)?.1);
        kept.push(strategy);
    }
    let took = ms(began);
    tally.check(strategies, 1)?;
    let after = Usage::now()?;
    let digests: BTreeSet<Digest> = kept.iter().map(Strategy::digest).collect();
    ensure!(digests.len() == strategies, "only {} strategies differ", digests.len());
    let each =
        |f: fn(&Usage) -> u64, unit: f64| vec![(f(&after) as f64 - f(&before) as f64) / unit / strategies as f64];
    let name = format!("{strategies} strategies together, each");
    report.add(
        format!("{name}: deploy and one call"),
        "ms",
        vec![took / strategies as f64],
    );
    report.add(
        format!("{name}: anonymous memory"),
        "KiB",
        each(|u| u.anonymous, 1024.0),
    );
    report.add(
        format!("{name}: images in memory files"),
        "KiB",
        each(|u| u.memory_files, 1024.0),
    );
    report.add(format!("{name}: page tables"), "KiB", each(|u| u.page_tables, 1024.0));
    report.add(format!("{name}: memory maps"), "maps", each(|u| u.maps, 1.0));
    report.add(format!("{name}: open files"), "files", each(|u| u.descriptors, 1.0));
    Ok(())
}

fn ms(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}
