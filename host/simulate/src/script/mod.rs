//! What to do to a strategy: cases of steps.

pub(crate) mod events;
pub(crate) mod expectation;
pub(crate) mod file;
mod json;

use crate::Duration;
use expectation::Expectation;
use jiff::Timestamp;
use pointsman_sandbox::Reads;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One session from its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// For people; unique in its file.
    pub name: String,
    /// The virtual time of the start.
    pub at: Timestamp,
    /// The session's seed: the same one gives the same random numbers.
    pub seed: u64,
    /// Start parameters.
    pub params: Map<String, Value>,
    /// In order.
    pub steps: Vec<Step>,
}

impl Default for Case {
    /// Noon of a Monday in January, seed 1, no parameters, no steps: only the start.
    fn default() -> Self {
        let at = "2026-01-05T12:00:00Z"
            .parse()
            .expect("a constant in the form of RFC 3339");
        Case {
            name: "start".into(),
            at,
            seed: 1,
            params: Map::new(),
            steps: Vec::new(),
        }
    }
}

/// Something that happens, and what is expected then.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What happens.
    pub input: Input,
    /// What is expected: absent expectations are not looked at.
    pub expect: Expectation,
}

/// What happens in a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The session begins. Always the first step, written or not.
    Start,
    /// An event from outside arrives.
    Event {
        /// Dot-separated name.
        name: String,
        /// `_event.data`.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
    },
    /// Time passes, and what comes due meanwhile happens.
    Advance(Duration),
}

/// What `host.read` answers: source (`config`, `list`, `statistic`) -> key -> value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data(pub BTreeMap<String, BTreeMap<String, Value>>);

impl Reads for Data {
    fn read(&mut self, source: &str, key: &str) -> Result<String, String> {
        let value = self.0.get(source).and_then(|of_source| of_source.get(key));
        value.map(Value::to_string).ok_or_else(|| {
            format!(
                "this simulation has no `{source}` data for `{key}`: give it in the test file, under [read.{source}]"
            )
        })
    }
}
