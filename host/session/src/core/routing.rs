//! Where a `send` goes (W3C SCXML 6.2 and C.1), and the error events of commands that cannot be carried out.

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
    /// Another session.
    Session(SessionId),
    /// Another I/O processor, or a parent or child: whoever performs commands.
    Performer,
}

/// Address of a session for the SCXML I/O processor.
pub fn address(session: SessionId) -> String {
    format!("{SESSION_PREFIX}{session}")
}

/// True for the names of the SCXML I/O processor: its URI (W3C SCXML C.1), and `scxml` as in W3C and ORS documents.
pub(crate) fn is_scxml(processor: Option<&str>) -> bool {
    processor.is_none_or(|p| p == SCXML_PROCESSOR || p == "scxml")
}

/// Decides where a `send` of `session` goes, or names the error of a target that cannot be one.
pub(super) fn route(session: SessionId, send: &Send) -> Result<Route, String> {
    if send.data.as_ref().is_some_and(|d| d.len() > MAX_EVENT_DATA) {
        return Err(format!(
            "the data of `{}` has more than {MAX_EVENT_DATA} bytes",
            send.event
        ));
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
                Err(_) => Err(format!("`{target}` is no target of the SCXML I/O processor")),
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
        sendid: send.id.clone(),
        origin: Some(address(from)),
        origintype: Some(SCXML_PROCESSOR.to_owned()),
        invokeid: None,
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

/// The error event of a `send` that cannot be carried out at all (W3C SCXML 6.2.4).
pub(super) fn not_executable(send: &Send, message: &str) -> Event {
    let data = serde_json::json!({ "message": message }).to_string();
    Event {
        sendid: send.id.clone(),
        ..Event::platform("error.execution", Some(data))
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
                    route(me, &send(target.as_deref(), processor)),
                    Ok(expected),
                    "{target:?}"
                );
            }
        }
        assert!(route(me, &send(Some("baz"), None)).is_err());
        assert_eq!(
            route(me, &send(Some("http://x"), Some("basichttp"))),
            Ok(Route::Performer)
        );
    }
}
