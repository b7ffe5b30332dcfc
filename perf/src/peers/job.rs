//! What an engine is asked to measure, and what it answers.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// One measurement of one engine, as JSON in its process's only argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Which measurement.
    pub what: What,
    /// On which chart; the healthy session's beside a bad one.
    pub chart: Chart,
    /// The bad session's chart, where there is one.
    pub bad: Option<Bad>,
    /// Where `charts` and `events` are.
    pub folder: PathBuf,
    /// Sessions at a time.
    pub sessions: u32,
    /// Processor seconds before the first sample.
    pub warm: f64,
    /// How many samples.
    pub samples: u32,
    /// Processor seconds of a sample, at least.
    pub seconds: f64,
    /// Starts between two looks at the clock.
    pub batch: u32,
    /// Events of the healthy session beside a bad one, at least; it ends with a whole round.
    pub ticks: u32,
    /// From one of them to the next.
    pub tick_ms: u64,
}

/// Events of a healthy session beside a bad one: they take longer than any limit of ours.
pub const TICKS: u32 = 100;

/// From one of them to the next.
pub const TICK_MS: u64 = 200;

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Events per second of sessions in lock step.
    Events,
    /// Sessions from a model that is ready, each begun and ended.
    Starts,
    /// Sessions from documents that all differ, each begun and ended.
    Sources,
    /// Memory of live sessions.
    Memory,
    /// A healthy session with a bad one beside it.
    Runaway,
}

impl What {
    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            What::Events => "events",
            What::Starts => "starts, model ready",
            What::Sources => "starts from the document",
            What::Memory => "memory",
            What::Runaway => "beside a bad session",
        }
    }
}

/// A measured chart: `../../peers/charts`, `../../peers/events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chart {
    /// A call through menu, queue, break, agents.
    CallRouting,
    /// Two states.
    PingPong,
    /// Ten states out, ten in.
    Deep,
}

impl Chart {
    /// All of them, in the order of the tables.
    pub const ALL: [Chart; 3] = [Chart::CallRouting, Chart::PingPong, Chart::Deep];

    /// Its name in tables, and of its file without the hyphen.
    pub fn name(self) -> &'static str {
        match self {
            Chart::CallRouting => "call routing",
            Chart::PingPong => "ping-pong",
            Chart::Deep => "deep",
        }
    }

    /// The document, as number `serial` of documents that all differ.
    pub fn text(self, serial: u32) -> String {
        let text = match self {
            Chart::CallRouting => include_str!("../../peers/charts/call-routing.scxml"),
            Chart::PingPong => include_str!("../../peers/charts/ping-pong.scxml"),
            Chart::Deep => include_str!("../../peers/charts/deep.scxml"),
        };
        text.replace(r#"id="serial" expr="0""#, &format!(r#"id="serial" expr="{serial}""#))
    }

    /// A round's events: names, and data where they have any.
    pub fn events(self) -> Result<Vec<(String, Option<Value>)>> {
        let text = match self {
            Chart::CallRouting => include_str!("../../peers/events/call-routing.json"),
            Chart::PingPong => include_str!("../../peers/events/ping-pong.json"),
            Chart::Deep => include_str!("../../peers/events/deep.json"),
        };
        let list: Vec<Vec<Value>> = serde_json::from_str(text)?;
        Ok(list
            .into_iter()
            .map(|event| {
                let mut parts = event.into_iter();
                let name = parts.next().unwrap_or_default();
                (name.as_str().unwrap_or_default().to_owned(), parts.next())
            })
            .collect())
    }
}

/// A chart that never comes to rest once it is told to `go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bad {
    /// `while (true) {}`.
    EndlessScript,
    /// An event raised for ever.
    EndlessRaise,
    /// Arrays kept for ever.
    MemoryBomb,
}

impl Bad {
    /// All of them, in the order of the tables.
    pub const ALL: [Bad; 3] = [Bad::EndlessScript, Bad::EndlessRaise, Bad::MemoryBomb];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Bad::EndlessScript => "`while (true) {}`",
            Bad::EndlessRaise => "endless `<raise>`",
            Bad::MemoryBomb => "memory bomb",
        }
    }

    /// The document.
    pub fn text(self) -> &'static str {
        match self {
            Bad::EndlessScript => include_str!("../../peers/charts/endless-script.scxml"),
            Bad::EndlessRaise => include_str!("../../peers/charts/endless-raise.scxml"),
            Bad::MemoryBomb => include_str!("../../peers/charts/memory-bomb.scxml"),
        }
    }
}

/// What an engine measured.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// The engine's, and what it runs on.
    pub version: String,
    /// Of rates: how many, in how many processor seconds, in how many seconds.
    pub samples: Vec<(f64, f64, f64)>,
    /// Of memory: bytes of a session that has started.
    pub started: f64,
    /// Bytes of one that has handled all events of a round but the last.
    pub handled: f64,
}

/// A line of an engine that runs a bad session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The healthy session has handled its event number so-and-so.
    Tick(u32),
    /// The bad session gets its `go`.
    Go(bool),
    /// The bad session was ended, why.
    Ended(String),
    /// The healthy session did all that it should.
    Healthy(bool),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chart_has_a_round_of_twenty_events_and_as_many_documents_as_one_wants() {
        for chart in Chart::ALL {
            assert_eq!(chart.events().unwrap().len(), 20, "{}", chart.name());
            assert_ne!(chart.text(1), chart.text(2), "{}", chart.name());
        }
    }

    #[test]
    fn lines_are_what_the_drivers_print() {
        let read = |text| serde_json::from_str::<Line>(text).unwrap();
        assert_eq!(read(r#"{"tick":3}"#), Line::Tick(3));
        assert_eq!(read(r#"{"go":true}"#), Line::Go(true));
        assert_eq!(read(r#"{"ended":"why"}"#), Line::Ended("why".into()));
        assert_eq!(read(r#"{"healthy":true}"#), Line::Healthy(true));
    }
}
