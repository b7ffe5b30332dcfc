//! What a component carries beside its image.

use pointsman_chart::{Chart, Limits, StateKind};
use pointsman_contract::{Digest, Settings};
use pointsman_scxml::model::{Document, SourceFile};
use serde::{Deserialize, Serialize};

/// Custom section with the JSON of a [`Manifest`].
pub const MANIFEST_SECTION: &str = "pointsman:manifest";

/// Custom section with the JSON of [`Sources`].
pub const SOURCE_SECTION: &str = "pointsman:source";

/// What a component says about itself. JSON in the component; the host trusts none of it further than showing it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Contract it was compiled for.
    pub contract: String,
    /// Version of the chart tables.
    pub tables: u32,
    /// Engine build its image fits.
    pub engine: Digest,
    /// Limits of its sessions.
    pub limits: Limits,
    /// What the document settles for its sessions.
    #[serde(default)]
    pub settings: Settings,
    /// `name` of the document.
    pub name: Option<String>,
    /// The states, document order.
    pub states: Vec<StateEntry>,
}

/// A state, for showing configurations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEntry {
    /// Id.
    pub id: String,
    /// Parent's id, absent at the top level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Kind: `atomic`, `compound`, `parallel`, `final`, `history`.
    pub kind: String,
}

impl Manifest {
    pub(crate) fn new(document: &Document, chart: &Chart, engine: Digest, limits: Limits) -> Self {
        let states = chart.states.iter().skip(1).map(|s| {
            let parent = (s.parent != 0).then(|| chart.states[usize::from(s.parent)].id.clone());
            let kind = match s.kind {
                StateKind::Atomic => "atomic",
                StateKind::Compound => "compound",
                StateKind::Parallel => "parallel",
                StateKind::Final => "final",
                StateKind::ShallowHistory | StateKind::DeepHistory => "history",
            };
            StateEntry {
                id: s.id.clone(),
                parent,
                kind: kind.into(),
            }
        });
        Manifest {
            contract: "pointsman:strategy@0.1.0".into(),
            tables: pointsman_chart::VERSION,
            engine,
            limits,
            settings: settings(document),
            name: document.name.clone(),
            states: states.collect(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has string keys only")
    }

    /// The manifest of a component, if it carries one.
    pub fn of(component: &[u8]) -> Option<Manifest> {
        section(component, MANIFEST_SECTION).and_then(|json| serde_json::from_slice(&json).ok())
    }
}

/// What the host has to know of the document's `_` attributes.
fn settings(document: &Document) -> Settings {
    let of = &document.settings;
    Settings {
        persist: of.persist,
        session_recovered: of.send_session_recovered,
        max_age_ms: of.max_time_s.map(|s| u64::from(s) * 1000),
        max_waiting: of.event_limit.map(|n| n as usize),
        event_timeout_ms: of.process_event_timeout_ms.map(u64::from),
    }
}

/// The texts a document was read from; the first is the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources(pub Vec<SourceFile>);

impl Sources {
    pub(crate) fn of(document: &Document) -> Self {
        Sources(document.files.clone())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("sources are strings only")
    }

    /// The sources of a component, if it carries them.
    pub fn of_component(component: &[u8]) -> Option<Sources> {
        section(component, SOURCE_SECTION).and_then(|json| serde_json::from_slice(&json).ok())
    }
}

fn section(component: &[u8], name: &str) -> Option<Vec<u8>> {
    let sections = pointsman_sandbox::custom_sections(component).ok()?;
    sections.into_iter().find(|(n, _)| n == name).map(|(_, data)| data)
}
