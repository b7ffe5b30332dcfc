//! A call.

use super::{CallId, CallUuid, ConnId, Dn, UserData};
use serde::{Deserialize, Serialize};

/// Where a call comes from, seen from the contact centre (T-Lib CallType).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallType {
    /// Not told.
    Unknown,
    /// From outside.
    #[default]
    Inbound,
    /// To outside.
    Outbound,
    /// Between DNs of the switch.
    Internal,
    /// A second call of an agent, about a first one.
    Consult,
}

/// A call as a link reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The call for its whole life.
    pub call_uuid: CallUuid,
    /// This leg group.
    pub conn_id: ConnId,
    /// The switch's id.
    pub call_id: CallId,
    /// See [`CallType`].
    pub call_type: CallType,
    /// The caller's number; absent when withheld or not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ani: Option<String>,
    /// The number that was dialled; absent when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnis: Option<String>,
    /// The DN where the call is now: of a route request, the routing point.
    pub this_dn: Dn,
    /// 1 for the first route request of the call; grows each time the call comes back because a target failed.
    pub attempt: u32,
    /// What the call carries.
    #[serde(default, skip_serializing_if = "UserData::is_empty")]
    pub user_data: UserData,
    /// When the link first saw the call, ms since the epoch.
    pub created_ms: u64,
}
