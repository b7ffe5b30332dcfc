//! What a program has to say: the machine, and figures with the load that they were measured under.

use crate::machine::{Machine, load};
use crate::statistics::Summary;
use serde::Serialize;
use std::fmt;

/// One measured thing.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// Unit of the numbers.
    pub unit: &'static str,
    /// The numbers.
    #[serde(flatten)]
    pub summary: Summary,
    /// Load average of the last minute when it had been measured.
    pub load: f64,
}

/// Everything that a program has to say.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of the program.
    pub program: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What was done and checked, and what the reader should know.
    pub notes: Vec<String>,
}

impl Report {
    /// Without any figure yet.
    pub fn new(program: &'static str) -> Self {
        Report {
            program,
            machine: Machine::this(),
            figures: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds measurements of one thing.
    pub fn add(&mut self, what: impl Into<String>, unit: &'static str, samples: Vec<f64>) -> Summary {
        let summary = Summary::of(samples);
        self.figures.push(Figure {
            what: what.into(),
            unit,
            summary,
            load: load(),
        });
        summary
    }

    /// Adds a remark.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = &self.machine;
        writeln!(
            f,
            "{}: {} cores, {}, Linux {}, {} MiB, vm.max_map_count {}",
            self.program, m.cores, m.cpu, m.kernel, m.memory_mib, m.max_map_count
        )?;
        writeln!(
            f,
            "{:<66} {:>10} {:>12} {:>12} {:>12} {:>12} {:>8} {:>6}",
            "", "unit", "median", "p99", "min", "max", "samples", "load"
        )?;
        for figure in &self.figures {
            let s = figure.summary;
            writeln!(
                f,
                "{:<66} {:>10} {:>12.2} {:>12.2} {:>12.2} {:>12.2} {:>8} {:>6.2}",
                figure.what, figure.unit, s.median, s.p99, s.min, s.max, s.samples, figure.load
            )?;
        }
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        Ok(())
    }
}
