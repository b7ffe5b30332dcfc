//! What happened, and how it compares to what was expected.

use crate::script::Input;
use pointsman_contract::{Command, Ended, Event, Failure, LogEntry, TraceEntry};
use serde::Serialize;
use serde_json::{Value, json};

/// A run of one or more cases.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// In the order of the file.
    pub cases: Vec<CaseReport>,
}

/// A run of one case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// Of the case.
    pub name: String,
    /// The session's seed.
    pub seed: u64,
    /// Virtual time of the start, ms since the epoch.
    pub started_ms: u64,
    /// The start, then the steps.
    pub steps: Vec<StepReport>,
}

/// What one step did: any number of macrosteps, where time passes.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// What happened.
    pub input: Input,
    /// Virtual time at its end, ms since the epoch.
    pub at_ms: u64,
    /// What the strategy did, in order.
    pub macrosteps: Vec<Macrostep>,
    /// The active atomic states afterwards.
    pub configuration: Vec<String>,
    /// How the session ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What is not as expected.
    pub mismatches: Vec<Mismatch>,
}

/// One call of the strategy.
#[derive(Clone, Debug, Serialize)]
pub struct Macrostep {
    /// Virtual time, ms since the epoch.
    pub at_ms: u64,
    /// What it handled; absent: the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// The active atomic states afterwards.
    pub configuration: Vec<String>,
    /// What it logged.
    pub log: Vec<LogEntry>,
    /// What it asked for.
    pub commands: Vec<Command>,
    /// How it came to that.
    pub trace: Vec<TraceEntry>,
    /// Why it did not finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mismatch {
    /// What was looked at: `configuration`, `commands`, `log`, `done`, `ended`, or `event`.
    pub what: &'static str,
    /// What was expected.
    pub expected: Value,
    /// What was found.
    pub actual: Value,
}

impl Report {
    /// Everything was as expected.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(CaseReport::passed)
    }

    /// One JSON object for each step (`"kind": "step"`) and one for each case (`"kind": "case"`).
    pub fn json_lines(&self) -> String {
        self.cases.iter().map(CaseReport::json_lines).collect()
    }
}

impl CaseReport {
    /// Everything was as expected.
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.mismatches.is_empty())
    }

    fn json_lines(&self) -> String {
        let steps = self.steps.iter().zip(0..).map(|(step, number): (_, u32)| {
            let mut line = serde_json::to_value(step).expect("reports have string keys only");
            line["kind"] = "step".into();
            line["case"] = self.name.as_str().into();
            line["step"] = number.into();
            format!("{line}\n")
        });
        let case = json!({
            "kind": "case", "case": self.name, "seed": self.seed, "started_ms": self.started_ms, "passed": self.passed(),
        });
        steps.chain([format!("{case}\n")]).collect()
    }
}

/// The word for an end, as test files and reports have it.
pub(crate) fn end_word(ended: &Ended) -> &'static str {
    match ended {
        Ended::Done(_) => "done",
        Ended::Failed(failure) => failure.code.as_str(),
        Ended::Terminated(_) => "terminated",
    }
}
