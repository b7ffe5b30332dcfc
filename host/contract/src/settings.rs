use serde::{Deserialize, Serialize};

/// What a document settles for its sessions, within the host's own limits (the attributes of `scxml` that ORS adds).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// They may be kept in a durable store (`_persist`).
    pub persist: bool,
    /// They hear `session.recovered` when another host has taken them over (`_sendSessionRecovered`).
    pub session_recovered: bool,
    /// Longest life in ms (`_maxtime`, there in seconds).
    pub max_age_ms: Option<u64>,
    /// Most events from outside that wait (`_eventLimit`).
    pub max_waiting: Option<usize>,
    /// Longest time that one event may take, in ms (`_processEventTimeout`).
    pub event_timeout_ms: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            persist: true,
            session_recovered: false,
            max_age_ms: None,
            max_waiting: None,
            event_timeout_ms: None,
        }
    }
}
