//! What a strategy is given.

use crate::bindings;
use crate::EventKind;
use serde::Deserialize;
use serde_json::Value;

/// How the session begins.
pub struct Start {
    /// The session's id.
    pub session_id: String,
    /// Start parameters (a DN's `ApplicationParms`, or the form of a REST start).
    pub params: serde_json::Map<String, Value>,
}

/// An event.
pub struct Event {
    /// Dot-separated name.
    pub name: String,
    /// Where it comes from.
    pub kind: EventKind,
    /// Its data; null where it has none.
    pub data: Value,
    /// Id of the send that caused an error event.
    pub sendid: Option<String>,
    /// Address to answer to.
    pub origin: Option<String>,
}

/// A call that waits for its target (`interaction.onrouterequest`).
#[derive(Debug, Clone, Deserialize)]
pub struct RouteRequest {
    /// Names the call in requests.
    #[serde(rename = "interactionid")]
    pub interaction_id: String,
    /// The routing point it waits at.
    #[serde(default)]
    pub dn: String,
    /// Caller's number.
    #[serde(default)]
    pub ani: String,
    /// Number that was dialled.
    #[serde(default)]
    pub dnis: String,
    /// User data that came with the call.
    #[serde(default)]
    pub udata: serde_json::Map<String, Value>,
}

impl Event {
    /// Does an event descriptor match, as in SCXML: whole tokens from the left, `*` for everything?
    pub fn is(&self, descriptor: &str) -> bool {
        descriptor == "*"
            || self.name.strip_prefix(descriptor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The call, if this is a route request with the data one has.
    pub fn route_request(&self) -> Option<RouteRequest> {
        (self.name == "interaction.onrouterequest").then(|| serde_json::from_value(self.data.clone()).ok()).flatten()
    }
}

impl From<bindings::Event> for Event {
    fn from(e: bindings::Event) -> Self {
        let data = e.data.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        Event { name: e.name, kind: e.kind, data, sendid: e.sendid, origin: e.origin }
    }
}

impl TryFrom<bindings::StartInfo> for Start {
    type Error = String;

    fn try_from(info: bindings::StartInfo) -> Result<Self, String> {
        let params = match info.params.as_str() {
            "" => serde_json::Map::new(),
            text => serde_json::from_str(text).map_err(|e| format!("start parameters are not a JSON object: {e}"))?,
        };
        Ok(Start { session_id: info.session_id, params })
    }
}
