//! Module `interaction` (`ixn:`): what a strategy does with its call.

use super::{Asked, Modules, Params, Problem, Progress, kind, short};
use crate::calls::{Action, Asked as OfCall};
use pointsman_session::runtime::Info;
use pointsman_store::Outcome;
use pointsman_telephony::model::{self, CallUuid, RequestKind, RouteType, Target, UserData};
use serde_json::Value;

impl Modules {
    /// The outcome comes from the link, as an event of the call.
    pub(super) fn interaction(&self, session: &Info, asked: &Asked, params: &Params) -> Result<Progress, Problem> {
        let wrong = |why: String| Problem::new("invalidstate", why);
        let interaction = params.get("interactionid").and_then(Value::as_str);
        let interaction = interaction.map(str::parse::<CallUuid>).transpose();
        let interaction = interaction.map_err(|e| Problem::new("unknown", e.to_string()))?;
        let action = match asked.action.as_str() {
            "redirect" => Action::Redirect,
            "terminate" => Action::Terminate,
            // What functions of `_genesys.ixn` ask for. `interaction.udata.changed` is their outcome.
            "setudata" | "deleteudata" => {
                let set = user_data(params.get("udata")).map_err(wrong)?;
                let delete = params.get("key").and_then(Value::as_str);
                self.0
                    .calls
                    .attach(session.id, interaction, &set, delete)
                    .map_err(wrong)?;
                self.confirm(asked.command, Outcome::Done);
                return Ok(Progress::Later);
            }
            other => {
                let why = format!(
                    "`interaction.{}` is not an action of this version: redirect and terminate are",
                    short(other)
                );
                return Err(Problem::new("notsupported", why));
            }
        };
        let kind = match action {
            Action::Redirect => RequestKind::RouteCall {
                targets: targets(params.get("to")).map_err(wrong)?,
                route_type: RouteType::Unknown,
                user_data: user_data(params.get("udata")).map_err(wrong)?,
            },
            Action::Terminate => RequestKind::Reject {
                code: status(params.get("reason")).map_err(wrong)?,
                reason: None,
            },
        };
        let of_call = OfCall {
            command: asked.command,
            id: asked.request.clone(),
            action,
        };
        let sent = self.0.calls.ask(session.id, interaction, of_call, kind);
        sent.map(|()| Progress::Later).map_err(wrong)
    }
}

/// A text, an object with `dn`, or a list of these.
fn targets(to: Option<&Value>) -> Result<Vec<Target>, String> {
    let one = |v: &Value| -> Result<Target, String> {
        let text = match v {
            Value::String(s) => s.clone(),
            Value::Number(n) => n.to_string(),
            Value::Object(o) => o
                .get("dn")
                .and_then(Value::as_str)
                .ok_or("a target object has no `dn`")?
                .to_owned(),
            other => return Err(format!("{} is not a target", kind(other))),
        };
        // `number@host` of another domain is an address, not a DN of a switch of ours.
        match text.split_once('@') {
            Some((_, host)) if host.contains('.') && !text.contains(':') => Ok(Target::Uri(format!("sip:{text}"))),
            _ => text.parse().map_err(|e: model::InvalidId| e.to_string()),
        }
    };
    match to {
        None | Some(Value::Null) => Err("`to` names no target".into()),
        Some(Value::Array(list)) if list.is_empty() => Err("`to` names no target".into()),
        Some(Value::Array(list)) => list.iter().map(one).collect(),
        Some(v) => Ok(vec![one(v)?]),
    }
}

fn user_data(udata: Option<&Value>) -> Result<UserData, String> {
    let mut out = UserData::new();
    if let Some(Value::Object(map)) = udata {
        for (key, value) in map {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            out.add(key.clone(), text).map_err(|e| e.to_string())?;
        }
    }
    Ok(out)
}

pub(super) fn number(v: &Value) -> Option<i64> {
    v.as_i64()
        .or_else(|| v.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64))
        .or_else(|| v.as_str()?.trim().parse().ok())
}

/// Numbers tell more than that they are some, and no secrets.
pub(super) fn kind_or_number(v: &Value) -> String {
    number(v).map_or_else(|| kind(v).to_owned(), |n| n.to_string())
}

/// A SIP status that refuses; 480 where none is given.
fn status(reason: Option<&Value>) -> Result<u16, String> {
    match reason {
        None | Some(Value::Null) => Ok(480),
        Some(v) => number(v)
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| (400..700).contains(n))
            .ok_or_else(|| format!("`reason` is {}, not a SIP status from 400 to 699", kind_or_number(v))),
    }
}
