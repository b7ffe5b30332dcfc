//! `peers`: other SCXML engines and this one, on the same charts, in one run.
//!
//! ```text
//!   this program --job (JSON)--> this program again   (`ours`)
//!        |      --job--> node measure.mjs             (SCION, XState 5, XState 6)
//!        |      --job--> peer-qt                      (Qt SCXML)
//!        '-- one process a measurement, one at a time --> tables in Markdown
//! ```
//!
//! Every engine gets the same [`job::Job`] and answers in the same JSON, Pointsman included: it has no way of its own to be measured. A
//! measurement whose sessions did not do what they should fails, and its engine has no figure there; the others still have theirs.
//!
//! `../peers/README.md` says what is measured and what not; `../peers/RESULTS.md` is what this program wrote.

mod child;
mod job;
mod ours;
mod results;
mod set_up;
mod table;

use anyhow::{Context as _, Result};
use job::{Bad, Chart, Job, TICK_MS, TICKS, What};
use results::{Cell, Memory, Rates, Results, Run};
use set_up::Peer;
use std::path::PathBuf;
pub use table::markdown;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// How often each measurement is made, each time in a process of its own; all engines have their turn before the next time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Sessions in lock step where events are counted: few, whose data stay in the processor's caches, and as many as a host has.
    #[arg(long, value_delimiter = ',', default_values_t = [50, 1_000], value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sessions: Vec<u32>,
    /// Live sessions whose memory is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000], value_parser = clap::value_parser!(u32).range(1..=100_000))]
    live: Vec<u32>,
    /// Only these parts.
    #[arg(long, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Only these engines besides Pointsman.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Peer>,
    /// Where the peers are installed and built; `peers` in the folder of build results when left out.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Also write the tables to this file.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Do this one job in this process.
    #[arg(long, hide = true)]
    pub here: Option<String>,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Events per second.
    Events,
    /// Session starts per second.
    Starts,
    /// Memory of live sessions.
    Memory,
    /// What bad sessions do to a good one.
    Runaway,
}

/// Measures, and answers the tables; empty after a job.
pub fn run(arguments: &Arguments) -> Result<Option<Results>> {
    if let Some(job) = &arguments.here {
        ours::run(&serde_json::from_str(job).context("a job is JSON")?)?;
        return Ok(None);
    }
    let folder = match &arguments.folder {
        Some(folder) => std::path::absolute(folder)?,
        None => set_up::default_folder()?,
    };
    let wanted = |peer: Peer| peer == Peer::Ours || arguments.only.is_empty() || arguments.only.contains(&peer);
    let peers: Vec<Peer> = Peer::ALL.into_iter().filter(|peer| wanted(*peer)).collect();
    let mut results = Results::new(arguments.rounds);
    let peers = set_up::set_up(&folder, &peers, &mut results.skipped)?;
    let measurements = Measurements {
        arguments,
        folder,
        peers,
    };
    measurements.make(&mut results)?;
    results.end();
    if let Some(path) = &arguments.write {
        std::fs::write(path, markdown(&results)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Some(results))
}

/// What all measurements share.
struct Measurements<'a> {
    arguments: &'a Arguments,
    folder: PathBuf,
    peers: Vec<Peer>,
}

impl Measurements<'_> {
    fn make(&self, results: &mut Results) -> Result<()> {
        let wanted = |part: Part| self.arguments.parts.is_empty() || self.arguments.parts.contains(&part);
        if wanted(Part::Events) {
            for sessions in &self.arguments.sessions {
                let rates = Chart::ALL.map(|chart| (chart, self.rates(What::Events, chart, *sessions)));
                results.events.push((*sessions, rates.into()));
            }
        }
        if wanted(Part::Starts) {
            for chart in Chart::ALL {
                results.starts.push((chart, self.rates(What::Starts, chart, 1)));
                results.sources.push((chart, self.rates(What::Sources, chart, 1)));
            }
        }
        if wanted(Part::Memory) {
            for sessions in &self.arguments.live {
                results.memory.push((*sessions, self.memory(*sessions)));
            }
        }
        if wanted(Part::Runaway) {
            for bad in Bad::ALL {
                let runs = self.peers.iter().map(|peer| {
                    said(*peer, What::Runaway, bad.name());
                    child::runaway(
                        *peer,
                        &self.folder,
                        &self.job(What::Runaway, Chart::PingPong, Some(bad)),
                    )
                });
                let runs: Result<Vec<Run>> = runs.collect();
                results
                    .runs
                    .push((bad, self.peers.iter().copied().zip(runs?).collect()));
            }
        }
        Ok(())
    }

    fn job(&self, what: What, chart: Chart, bad: Option<Bad>) -> Job {
        Job {
            what,
            chart,
            bad,
            folder: self.folder.clone(),
            sessions: 1,
            warm: 1.5,
            samples: 3,
            seconds: 0.7,
            batch: 10,
            ticks: TICKS,
            tick_ms: TICK_MS,
        }
    }

    /// Each engine's rates, all rounds together.
    fn rates(&self, what: What, chart: Chart, sessions: u32) -> Vec<(Peer, Cell<Rates>)> {
        let job = Job {
            sessions,
            ..self.job(what, chart, None)
        };
        self.rounds(&job, &format!("{}, {sessions} sessions", chart.name()), Rates::of)
    }

    /// Each engine's memory, all rounds together.
    fn memory(&self, sessions: u32) -> Vec<(Peer, Cell<Memory>)> {
        let job = Job {
            sessions,
            ..self.job(What::Memory, Chart::CallRouting, None)
        };
        self.rounds(&job, &format!("{sessions} sessions"), Memory::of)
    }

    /// All engines do the job, then all do it again. The first that goes wrong is the last of its engine.
    fn rounds<T>(&self, job: &Job, label: &str, all: impl Fn(Vec<job::Answer>) -> Result<T>) -> Vec<(Peer, Cell<T>)> {
        let mut answers: Vec<Result<Vec<job::Answer>>> = self.peers.iter().map(|_| Ok(Vec::new())).collect();
        for _ in 0..self.arguments.rounds {
            for (peer, so_far) in self.peers.iter().zip(&mut answers) {
                let Ok(good) = so_far else { continue };
                said(*peer, job.what, label);
                match child::answer(*peer, &self.folder, job) {
                    Ok(answer) => good.push(answer),
                    Err(e) => *so_far = Err(e),
                }
            }
        }
        let cells = answers.into_iter().map(|answers| match answers.and_then(&all) {
            Ok(value) => Cell::Figure(value),
            Err(e) => Cell::None(format!("{e:#}")),
        });
        self.peers.iter().copied().zip(cells).collect()
    }
}

/// Says on stderr what is being measured: a run takes a quarter of an hour.
fn said(peer: Peer, what: What, label: &str) {
    eprintln!("{}: {}, {label}", peer.name(), what.name());
}
