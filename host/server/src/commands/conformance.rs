//! `pointsman conformance`.

use crate::conformance::{self, Verdict};
use crate::failure::Failure;
use crate::output::say;
use crate::{engine, progress};
use clap::Args;
use pointsman_compiler::{Compiler, Limits};
use std::path::PathBuf;

/// Runs W3C's SCXML tests as the server runs strategies: compiled, each session in a sandbox of its own, in real time.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman conformance ../shared/w3c-irp
  pointsman conformance ../shared/w3c-irp --only 144 --only 403
  pointsman conformance ../shared/w3c-irp --table w3c.md

Exit code: 1 when a test fails. Tests that a person is to judge are judged by what that person would look for; those of other
datamodels are listed and not run. Tests of the Basic HTTP processor post to themselves: the session hears itself without a
network, so they say nothing about HTTP. The table marks them as looped.")]
pub(crate) struct Conformance {
    /// The suite: a folder with its index.json
    folder: PathBuf,
    /// Only this test; may be given several times
    #[arg(long, value_name = "NUMBER")]
    only: Vec<String>,
    /// Write a line for each test to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
}

impl Conformance {
    pub fn run(self) -> Result<(), Failure> {
        let sandbox = engine::sandbox_for(SESSIONS)?;
        let compiler = Compiler::new(sandbox.clone(), Limits::default());
        let report = progress::during("running the tests", || {
            conformance::run(sandbox, compiler, &self.folder, &self.only)
        });
        let report = report.map_err(|error| Failure::Failed(format!("error: {error}")))?;
        if let Some(path) = &self.table {
            std::fs::write(path, report.table())
                .map_err(|error| Failure::Failed(format!("error: cannot write {}: {error}", path.display())))?;
        }
        for (test, why) in report.failures() {
            say(&format!(
                "test {} ({}, {}) failed: {why}",
                test.id, test.conformance, test.section
            ))?;
        }
        for conformance in ["mandatory", "optional"] {
            let (passed, run) = report.count(conformance);
            say(&format!("{conformance}: {passed} of {run} passed"))?;
        }
        let mut not_run = std::collections::BTreeMap::<_, Vec<_>>::new();
        for (test, verdict) in &report.tests {
            if let Verdict::NotRun(why) = verdict {
                not_run.entry(*why).or_default().push(test.id.as_str());
            }
        }
        for (why, tests) in not_run {
            say(&format!("not run, {why}: {}", tests.join(" ")))?;
        }
        match report.failures().count() {
            0 => Ok(()),
            failed => Err(Failure::Failed(format!("{failed} tests failed"))),
        }
    }
}

/// Live sessions: all tests at once, and what they invoke.
const SESSIONS: u32 = 600;
