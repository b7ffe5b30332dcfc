//! Requests: what the host asks of links.

use super::{CallUuid, Dn, InvalidId, RequestId, UserData};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A request about one call. Its outcome comes as `RequestDone` or `RequestFailed`, among the other events of the link.
///
/// Idempotent by id: a link answers an id that it has seen as it did the first time, and does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Unique for ever; derived from the strategy's command.
    pub request_id: RequestId,
    /// The call.
    pub call_uuid: CallUuid,
    /// Do not carry it out after this time, ms since the epoch; absent means whenever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// What to do.
    #[serde(flatten)]
    pub kind: RequestKind,
}

/// What to do with a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RequestKind {
    /// Send the call to a target (TRouteCall). At most once per route request.
    RouteCall {
        /// In order of preference; at least one.
        targets: Vec<Target>,
        /// See [`RouteType`].
        #[serde(default)]
        route_type: RouteType,
        /// What the call shall carry to the target.
        #[serde(default, skip_serializing_if = "UserData::is_empty")]
        user_data: UserData,
    },
    /// Refuse the call (TRouteCall with RouteTypeReject).
    Reject {
        /// SIP status, 400-699.
        code: u16,
        /// Reason phrase; absent means the standard one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Tell the caller's side that the call waits.
    Queued {
        /// The strategy waits by its own will: it has the time that waiting calls have, see the link's DN options.
        /// Otherwise the time for a decision stays what it was.
        #[serde(default)]
        holds: bool,
    },
    /// Tell the caller's side that the call rings.
    Ringing,
    /// Add to, or change, the call's user data (TUpdateUserData).
    AttachUserData {
        /// Pairs that replace those with the same keys.
        user_data: UserData,
    },
    /// Remove keys from the call's user data (TDeletePair).
    DeleteUserData {
        /// Which.
        keys: Vec<String>,
    },
    /// Play or collect something (TApplyTreatment).
    ApplyTreatment {
        /// Name of the treatment, such as `Music`, `PlayAnnouncement`, `CollectDigits`.
        treatment: String,
        /// Its parameters.
        parameters: UserData,
    },
    /// End the treatment.
    CancelTreatment,
    /// Send an established call on (TSingleStepTransfer).
    SingleStepTransfer {
        /// Where to.
        target: Target,
    },
    /// End the call (TReleaseCall).
    Clear,
    /// Report what is known of the call (TQueryCall).
    QueryCall,
}

impl RequestKind {
    /// The request's name, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            RequestKind::RouteCall { .. } => "route-call",
            RequestKind::Reject { .. } => "reject",
            RequestKind::Queued { .. } => "queued",
            RequestKind::Ringing => "ringing",
            RequestKind::AttachUserData { .. } => "attach-user-data",
            RequestKind::DeleteUserData { .. } => "delete-user-data",
            RequestKind::ApplyTreatment { .. } => "apply-treatment",
            RequestKind::CancelTreatment => "cancel-treatment",
            RequestKind::SingleStepTransfer { .. } => "single-step-transfer",
            RequestKind::Clear => "clear",
            RequestKind::QueryCall => "query-call",
        }
    }
}

/// How a call is routed (T-Lib RouteType).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteType {
    /// To the targets, as the switch sees fit (RouteTypeUnknown).
    #[default]
    Unknown,
    /// To the default DN of the routing point; targets, if any, are not looked at (RouteTypeDefault).
    Default,
    /// The call is refused; targets are not looked at (RouteTypeReject).
    Reject,
}

/// Where a call may be sent. As text: `sip:...`, `sips:...` or `tel:...` is a URI, `number@switch` a DN of that
/// switch, anything else a number of the switch where the call is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A number of the switch where the call is.
    Number(String),
    /// A DN of a named switch.
    Dn(Dn),
    /// A URI, used as it is.
    Uri(String),
}

impl FromStr for Target {
    type Err = InvalidId;

    fn from_str(s: &str) -> Result<Self, InvalidId> {
        let scheme = s.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
        if matches!(scheme.as_str(), "sip" | "sips" | "tel") {
            Ok(Target::Uri(s.into()))
        } else if s.contains('@') || s.is_empty() {
            // An empty text is not a number either; the DN's message says what is wanted.
            s.parse().map(Target::Dn)
        } else {
            Ok(Target::Number(s.into()))
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Number(text) | Target::Uri(text) => f.write_str(text),
            Target::Dn(dn) => dn.fmt(f),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_from_its_text() {
        assert_eq!("7001".parse(), Ok(Target::Number("7001".into())));
        assert_eq!("7001@berlin".parse(), Ok(Target::Dn(Dn::new("7001", "berlin"))));
        assert_eq!("SIP:a@b".parse(), Ok(Target::Uri("SIP:a@b".into())));
        assert_eq!("tel:+4930".parse(), Ok(Target::Uri("tel:+4930".into())));
        assert!("".parse::<Target>().is_err());
    }

    #[test]
    fn a_request_is_one_flat_json_object() {
        let request = Request {
            request_id: "S.4.0".into(),
            call_uuid: CallUuid::from_random([7; 20]),
            deadline_ms: None,
            kind: RequestKind::RouteCall {
                targets: vec!["7001".parse().unwrap()],
                route_type: RouteType::Unknown,
                user_data: UserData::new(),
            },
        };
        let json = serde_json::to_value(&request).unwrap();
        assert_eq!(json["request"], "route-call");
        assert_eq!(json["targets"][0], "7001");
        assert_eq!(serde_json::from_value::<Request>(json).unwrap(), request);
    }

    #[test]
    fn queued_holds_nothing_unless_it_says_so() {
        let read = |text| serde_json::from_str::<RequestKind>(text).unwrap();
        assert_eq!(read(r#"{"request":"queued"}"#), RequestKind::Queued { holds: false });
        assert_eq!(
            read(r#"{"request":"queued","holds":true}"#),
            RequestKind::Queued { holds: true }
        );
    }
}
