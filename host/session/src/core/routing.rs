//! Where a `send` goes (W3C SCXML 6.2 and C.1), and the error events of commands that cannot be carried out.

use super::basic_http::is_basic_http;
use pointsman_contract::{Command, Event, EventKind, MAX_EVENT_DATA, SCXML_PROCESSOR, Send, SessionId};

/// What precedes a session id in a target (W3C SCXML C.1).
pub const SESSION_PREFIX: &str = "#_scxml_";

/// Where a `send` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The session's own external queue.
    Own,
    /// The session's own internal queue (`#_internal`).
    Internal,
    /// The session's own external queue, as a message of the Basic HTTP processor.
    Looped,
    /// Another session.
    Session(SessionId),
    /// Another I/O processor, or a parent or child: whoever performs commands.
    Performer,
}

/// Why a `send` goes nowhere (W3C SCXML 6.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It cannot be carried out: `error.execution`.
    Execution(String),
    /// There is nobody to be reached: `error.communication`.
    Communication(String),
}

/// Address of a session for the SCXML I/O processor.
pub fn address(session: SessionId) -> String {
    format!("{SESSION_PREFIX}{session}")
}

/// True for the names of the SCXML I/O processor: its URI (W3C SCXML C.1), and `scxml` as in W3C and ORS documents.
pub(crate) fn is_scxml(processor: Option<&str>) -> bool {
    processor.is_none_or(|p| p == SCXML_PROCESSOR || p == "scxml")
}

/// Decides where a `send` of `session` goes, or names the error of a target that cannot be one. `location`: where the Basic
/// HTTP processor reaches the session.
pub(super) fn route(session: SessionId, location: Option<&str>, send: &Send) -> Result<Route, Lost> {
    if send.data.as_ref().is_some_and(|d| d.len() > MAX_EVENT_DATA) {
        return Err(Lost::Execution(format!(
            "the data of `{}` has more than {MAX_EVENT_DATA} bytes",
            send.event
        )));
    }
    if is_basic_http(send.processor.as_deref()) {
        return match send.target.as_deref() {
            None => Err(Lost::Communication(
                "a send of the Basic HTTP processor needs a target".to_owned(),
            )),
            own if own == location => Ok(Route::Looped),
            _ => Ok(Route::Performer),
        };
    }
    if !is_scxml(send.processor.as_deref()) {
        return Ok(Route::Performer);
    }
    let to = |id: SessionId| if id == session { Route::Own } else { Route::Session(id) };
    match send.target.as_deref() {
        None => Ok(Route::Own),
        Some("#_internal") => Ok(Route::Internal),
        Some(target) => match target.strip_prefix(SESSION_PREFIX) {
            // An id of any shape is a fair question whose answer is "no such session" (C.1): an id that cannot exist
            // is handed on like one that does not, and comes back as error.communication.
            Some(id) => id.parse().map(to).or(Ok(Route::Performer)),
            // ORS documents give the session id alone.
            None => match target.parse() {
                Ok(id) => Ok(to(id)),
                Err(_) if target.starts_with("#_") => Ok(Route::Performer),
                Err(_) => Err(Lost::Execution(format!(
                    "`{target}` is no target of the SCXML I/O processor"
                ))),
            },
        },
    }
}

/// The event that a `send` becomes at its receiver.
pub(crate) fn event_of(from: SessionId, send: &Send) -> Event {
    Event {
        name: send.event.clone(),
        kind: EventKind::External,
        data: send.data.clone(),
        xml: send.xml,
        sendid: send.id.clone(),
        origin: Some(address(from)),
        origintype: Some(SCXML_PROCESSOR.to_owned()),
        invokeid: None,
        raw: None,
    }
}

/// The error event of a command that its performer refuses: `error.communication` for `send` and `invoke`
/// (W3C SCXML 6.2.4, 6.4), `error.<module>.<action>` for a request (ORS), whose id is in the data.
pub(super) fn refusal(command: &Command, message: &str) -> Option<Event> {
    let error = |name: &str| Event::platform(name, Some(serde_json::json!({ "message": message }).to_string()));
    match command {
        Command::Send(send) => Some(Event {
            sendid: send.id.clone(),
            ..error("error.communication")
        }),
        Command::Invoke(invoke) => Some(Event {
            invokeid: Some(invoke.id.clone()),
            ..error("error.communication")
        }),
        Command::Request(request) => {
            let data = serde_json::json!({ "requestid": request.id, "error": message, "description": message });
            Some(Event::platform(
                format!("error.{}.{}", request.module, request.action),
                Some(data.to_string()),
            ))
        }
        Command::Cancel(_) | Command::CancelInvoke(_) | Command::Raise(_) => None,
    }
}

/// What a session hears of a `cancel` that it wants to hear of: ORS's names.
pub(super) fn cancel_report(sendid: &str, successful: bool) -> Event {
    let name = if successful {
        "cancel.successful"
    } else {
        "error.notallowed"
    };
    Event {
        sendid: Some(sendid.to_owned()),
        ..Event::platform(name, Some(serde_json::json!({ "sendid": sendid }).to_string()))
    }
}

/// The error event of a `send` that goes nowhere.
pub(super) fn lost(send: &Send, lost: &Lost) -> Event {
    let (name, message) = match lost {
        Lost::Execution(message) => ("error.execution", message),
        Lost::Communication(message) => ("error.communication", message),
    };
    let data = serde_json::json!({ "message": message }).to_string();
    Event {
        sendid: send.id.clone(),
        ..Event::platform(name, Some(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(target: Option<&str>, processor: Option<&str>) -> Send {
        Send {
            id: Some("s".into()),
            event: "e".into(),
            target: target.map(Into::into),
            processor: processor.map(Into::into),
            data: None,
            xml: false,
            delay_ms: 0,
        }
    }

    #[test]
    fn targets_of_the_scxml_processor_are_those_of_the_standard_and_bare_session_ids() {
        let (me, other) = (SessionId::from_random([1; 20]), SessionId::from_random([2; 20]));
        let cases = [
            (None, Route::Own),
            (Some("#_internal".to_owned()), Route::Internal),
            (Some(address(me)), Route::Own),
            (Some(address(other)), Route::Session(other)),
            (Some(other.to_string()), Route::Session(other)),
            (Some("#_scxml_nobody".to_owned()), Route::Performer),
            (Some("#_parent".to_owned()), Route::Performer),
        ];
        for (target, expected) in cases {
            for processor in [None, Some(SCXML_PROCESSOR), Some("scxml")] {
                assert_eq!(
                    route(me, None, &send(target.as_deref(), processor)),
                    Ok(expected),
                    "{target:?}"
                );
            }
        }
        assert!(matches!(
            route(me, None, &send(Some("baz"), None)),
            Err(Lost::Execution(_))
        ));
        let http = |target, location| route(me, location, &send(target, Some("basichttp")));
        assert_eq!(http(Some("http://x"), None), Ok(Route::Performer));
        assert_eq!(http(Some("http://x"), Some("http://me")), Ok(Route::Performer));
        assert_eq!(http(Some("http://me"), Some("http://me")), Ok(Route::Looped));
        for location in [None, Some("http://me")] {
            assert!(matches!(http(None, location), Err(Lost::Communication(_))));
        }
    }
}
