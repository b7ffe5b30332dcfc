//! What was measured, before it is a table.

use super::job::{Answer, Bad, Chart};
use super::set_up::Peer;
use crate::machine::{Machine, load};
use crate::statistics::Summary;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::process::Command;
use std::time::Duration;

/// Everything.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where.
    pub machine: Machine,
    /// When it began, UTC.
    pub date: String,
    /// Load average when it began, and when it was over.
    pub load: (f64, f64),
    /// Processes of each measurement.
    pub rounds: u32,
    /// Engines that were not measured, and why.
    pub skipped: Vec<String>,
    /// Events per second of so many sessions, of each chart.
    pub events: Vec<(u32, Charts)>,
    /// Starts per second from a ready model, of each chart.
    pub starts: Charts,
    /// Starts per second from a document, of each chart.
    pub sources: Charts,
    /// Memory of so many sessions.
    pub memory: Vec<(u32, Row<Memory>)>,
    /// What bad sessions did.
    pub runs: Vec<(Bad, Vec<(Peer, Run)>)>,
}

impl Results {
    /// Without any figure yet.
    pub fn new(rounds: u32) -> Self {
        let date = Command::new("date")
            .args(["-u", "+%-d %B %Y, %H:%M UTC"])
            .env("LC_ALL", "C")
            .output();
        Results {
            machine: Machine::this(),
            date: date.map_or(String::new(), |d| String::from_utf8_lossy(&d.stdout).trim().to_owned()),
            load: (load(), f64::NAN),
            rounds,
            skipped: Vec::new(),
            events: Vec::new(),
            starts: Vec::new(),
            sources: Vec::new(),
            memory: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// All is measured.
    pub fn end(&mut self) {
        self.load.1 = load();
    }

    /// Engines with a figure somewhere, and their versions.
    pub fn versions(&self) -> Vec<(Peer, String)> {
        let events = self.events.iter().flat_map(|(_, rows)| rows);
        let rates = events.chain(&self.starts).chain(&self.sources).flat_map(|(_, row)| row);
        let rates = rates.filter_map(|(peer, cell)| Some((*peer, cell.figure()?.version.clone())));
        let memory = self.memory.iter().flat_map(|(_, row)| row);
        let memory = memory.filter_map(|(peer, cell)| Some((*peer, cell.figure()?.version.clone())));
        let mut all: Vec<_> = rates.chain(memory).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// One measurement of all engines.
pub type Row<T> = Vec<(Peer, Cell<T>)>;

/// Rates on each chart.
pub type Charts = Vec<(Chart, Row<Rates>)>;

/// A figure, or why there is none.
#[derive(Debug, Serialize)]
pub enum Cell<T> {
    /// The figure.
    Figure(T),
    /// Why not.
    None(String),
}

impl<T> Cell<T> {
    /// The figure, if there is one.
    pub fn figure(&self) -> Option<&T> {
        match self {
            Cell::Figure(figure) => Some(figure),
            Cell::None(_) => None,
        }
    }
}

/// How many per second.
#[derive(Debug, Serialize)]
pub struct Rates {
    /// The engine's.
    pub version: String,
    /// Of the process's processor time.
    pub cpu: Summary,
    /// Of wall time.
    pub wall: Summary,
}

impl Rates {
    /// All samples of all processes.
    pub fn of(answers: Vec<Answer>) -> Result<Self> {
        let samples: Vec<_> = answers.iter().flat_map(|answer| &answer.samples).collect();
        ensure!(!samples.is_empty(), "no sample");
        Ok(Rates {
            cpu: Summary::of(samples.iter().map(|(count, cpu, _)| count / cpu).collect()),
            wall: Summary::of(samples.iter().map(|(count, _, wall)| count / wall).collect()),
            version: version(answers),
        })
    }
}

/// Bytes of a session.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// The engine's.
    pub version: String,
    /// When it has started.
    pub started: Summary,
    /// When it has handled all events of a call but the last.
    pub handled: Summary,
}

impl Memory {
    /// Of all processes.
    pub fn of(answers: Vec<Answer>) -> Result<Self> {
        Ok(Memory {
            started: Summary::of(answers.iter().map(|answer| answer.started).collect()),
            handled: Summary::of(answers.iter().map(|answer| answer.handled).collect()),
            version: version(answers),
        })
    }
}

fn version(answers: Vec<Answer>) -> String {
    answers
        .into_iter()
        .next()
        .map(|answer| answer.version)
        .unwrap_or_default()
}

/// A healthy session beside a bad one.
#[derive(Debug, Default, Serialize)]
pub struct Run {
    /// When the bad one was told to go.
    pub went: Option<Duration>,
    /// How long after that the engine ended it, and why it says it did.
    pub ended: Option<(Duration, String)>,
    /// When the healthy one's last event was handled.
    pub last_tick: Duration,
    /// Longest from one event of the healthy one to the next, once the bad one went.
    pub longest: Duration,
    /// The healthy one handled all its events and counted them right.
    pub healthy: bool,
    /// How the process died, if it did.
    pub died: Option<String>,
    /// How long it lived.
    pub took: Duration,
}
