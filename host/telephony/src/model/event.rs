//! Events: what links report. Names are those of T-Lib and CSTA III.

use super::{Call, CallUuid, Capabilities, Dn, Epoch, LinkId, RequestId, RouteType, Seq, Target, UserData};
use serde::{Deserialize, Serialize};

/// Something that happened at a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The link that reports.
    pub link: LinkId,
    /// The life of the link's connection.
    pub epoch: Epoch,
    /// Position within the epoch.
    pub seq: Seq,
    /// When it happened, ms since the epoch.
    pub time_ms: u64,
    /// The call it is about; absent for events of the link itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_uuid: Option<CallUuid>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Which of these a link reports depends on the switch: [`Capabilities`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// The link works (EventLinkConnected). The first event of an epoch.
    LinkUp {
        /// What it can do.
        capabilities: Capabilities,
    },
    /// The link does not work (EventLinkDisconnected). The last event of an epoch.
    LinkDown {
        /// Why, for the operator.
        reason: String,
    },
    /// A call is at a routing point and wants a target (EventRouteRequest).
    RouteRequest {
        /// The call.
        call: Box<Call>,
    },
    /// The switch has taken the target over (EventRouteUsed). Not yet: the target has answered.
    RouteUsed {
        /// The route type that was used.
        route_type: RouteType,
        /// The targets that were used.
        targets: Vec<Target>,
    },
    /// A route attempt came to nothing (CSTA RouteEnd).
    RouteFailed {
        /// Why.
        cause: RouteFailure,
    },
    /// The call waits (EventQueued).
    Queued,
    /// The link itself sent the call on, to the default DNs of its routing point, because no decision came in time
    /// (EventDiverted). Requests about this attempt are refused from now on.
    Diverted {
        /// The routing point that was left.
        from: Dn,
        /// Where to.
        to: Vec<Target>,
    },
    /// The caller gave up before the call was routed (EventAbandoned).
    Abandoned,
    /// A party rings (EventRinging, CSTA Delivered).
    Ringing {
        /// The party.
        dn: String,
    },
    /// Parties talk (EventEstablished).
    Established {
        /// The party that answered.
        dn: String,
    },
    /// A party is on hold (EventHeld).
    Held {
        /// The party.
        dn: String,
    },
    /// A party is back from hold (EventRetrieved).
    Retrieved {
        /// The party.
        dn: String,
    },
    /// A party came in (EventPartyAdded).
    PartyAdded {
        /// The party.
        dn: String,
    },
    /// A party left (EventPartyDeleted).
    PartyDeleted {
        /// The party.
        dn: String,
    },
    /// A party was replaced by another (EventPartyChanged).
    PartyChanged {
        /// Who left.
        from: String,
        /// Who came.
        to: String,
    },
    /// The call left the link's sight without having been routed, or ended (EventReleased).
    Released {
        /// Why.
        cause: ReleaseCause,
    },
    /// User data changed (EventAttachedDataChanged).
    AttachedDataChanged {
        /// Pairs that are new or have a new value.
        changed: UserData,
        /// Keys that are gone.
        deleted: Vec<String>,
    },
    /// A treatment has begun (EventTreatmentApplied).
    TreatmentApplied {
        /// The request that asked for it.
        request_id: RequestId,
    },
    /// A treatment has ended (EventTreatmentEnd).
    TreatmentEnd {
        /// The request that asked for it.
        request_id: RequestId,
        /// Digits that the caller dialled.
        digits: String,
    },
    /// A treatment cannot be given (EventTreatmentNotApplied).
    TreatmentNotApplied {
        /// The request that asked for it.
        request_id: RequestId,
        /// Why.
        reason: String,
    },
    /// The caller dialled a digit.
    Digit {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A request was carried out.
    RequestDone {
        /// Which.
        request_id: RequestId,
    },
    /// A request was not carried out (EventError).
    RequestFailed {
        /// Which.
        request_id: RequestId,
        /// Why.
        error: RequestFailure,
    },
}

/// Why a route attempt came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteFailure {
    /// The call came back: no target took it. A new `RouteRequest` of the same call follows.
    TargetFailed,
    /// The switch never confirmed the target (SIP: timer H passed without an ACK). It may or may not have used it.
    Unconfirmed,
    /// The target could not be delivered to the switch: the connection is gone.
    ConnectionLost,
}

/// Why a call left the link's sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseCause {
    /// A `Reject` request was carried out.
    Rejected,
    /// No decision came in time, and the routing point has no default DN.
    NoDecision,
    /// The link stops.
    LinkStopped,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "detail", rename_all = "kebab-case")]
pub enum RequestFailure {
    /// The call is not, or no longer, at this link.
    #[error("the call is not at this link: it was routed, released or abandoned long ago, or never came")]
    UnknownCall,
    /// The call's present attempt has been decided: at most one `RouteCall` or `Reject` succeeds per attempt.
    #[error("the call is past this request: it has been routed, rejected, diverted to the default DN or abandoned")]
    AlreadyDecided,
    /// The link has no such ability.
    #[error("this link cannot do {0}: look at its capabilities first")]
    Unsupported(String),
    /// The request makes no sense.
    #[error("the request is not valid: {0}")]
    Invalid(String),
    /// `Request::deadline_ms` had passed.
    #[error("the request came after its deadline and was not carried out")]
    DeadlinePassed,
    /// The answer could not be handed to the switch.
    #[error("the connection to the switch is gone")]
    ConnectionLost,
}
