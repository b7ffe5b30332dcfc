use super::{TenantName, Version};
use pointsman_contract::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// It is in memory.
    Running,
    /// It is not in memory and comes back with its next event or timer.
    Parked,
    /// It has ended.
    Ended,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It reached a top-level `final`.
    Done,
    /// It broke a limit or trapped.
    Failed,
    /// Somebody ended it.
    Terminated,
}

/// How and why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionEnd {
    /// How.
    pub outcome: Outcome,
    /// Code of the failure, such as `time-limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The reason, or who ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A session, without what its caller said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// 32 characters.
    #[schema(value_type = String, min_length = 32, max_length = 32)]
    pub id: SessionId,
    /// Whose it is.
    pub tenant: TenantName,
    /// Name of the strategy, or URL of the document.
    pub strategy: String,
    /// Version of the strategy; absent for a document by URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Whether it goes on.
    pub state: SessionState,
    /// When it started.
    pub started_ms: u64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Active atomic states, in document order.
    #[serde(default)]
    pub active: Vec<String>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<SessionEnd>,
}

/// Which sessions to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Only this tenant's; absent: of all tenants that the key may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Only of this strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Only in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<SessionState>,
    /// `next` of the page before; absent: from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Most items to answer, 1 to 1000; absent: 100.
    #[serde(
        default,
        deserialize_with = "super::page::limit",
        skip_serializing_if = "Option::is_none"
    )]
    pub limit: Option<u32>,
}

/// A line of a session's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Position in the journal of the event that was handled.
    pub seq: u64,
    /// Time of that event.
    pub time_ms: u64,
    /// The author's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The text.
    pub text: String,
    /// ORS level, 0 where none was given.
    pub level: u8,
}

/// An event for a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRequest {
    /// Dot-separated name (W3C SCXML 3.12.1).
    pub name: String,
    /// Becomes `_event.data`, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// Why a session is to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminateRequest {
    /// Kept with the session, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Answer of the ORS paths that have nothing else to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrsSession {
    /// 32 characters.
    #[schema(value_type = String, min_length = 32, max_length = 32)]
    pub sessionid: SessionId,
}

/// Answer of the ORS query: what a session holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrsQuery {
    /// 32 characters.
    #[schema(value_type = String, min_length = 32, max_length = 32)]
    pub sessionid: SessionId,
    /// All active states, in document order.
    pub configuration: Vec<String>,
    /// The data model, by `<data>` id.
    #[schema(value_type = Object)]
    pub datamodel: serde_json::Value,
}
