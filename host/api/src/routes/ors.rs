//! The session API of ORS, path by path (`/scxml/session/...`), so that its clients work unchanged but for the key.
//!
//! ```text
//! client                         session
//!   | POST start  src=vip          |  _data.<id> = the other parameters
//!   | <- 200 {"sessionid": ...}    |
//!   | POST event/x?a=1             |  event x, _event.data.param.a == "1"
//!   | POST request/y  b=2          |  event y, _event.sendid names the request
//!   | <- what the strategy says    |  <ws:response requestid="_event.sendid">
//! ```

use crate::app::App;
use crate::backend::{ExternalEvent, Start, Termination};
use crate::extract::{At, Parameters};
use crate::layers::FromStrategy;
use crate::problem::Failure;
use crate::security::{AuditObject, Caller};
use crate::types::{Code, OrsQuery, OrsSession};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use pointsman_contract::{MAX_EVENT_DATA, SessionId};
use serde_json::{Map, Value};

/// Longest name of an event, in bytes.
const MAX_EVENT_NAME_BYTES: usize = 256;

/// Longest `src`, in bytes.
const MAX_SRC_BYTES: usize = 2048;

/// Starts a session.
///
/// `src` names a deployed strategy (`NAME`, `NAME@VERSION`, optionally after `strategy:`) or an Enhanced Routing Script of
/// the tenant (`script:NAME`). Unlike in ORS, the URL of a document is refused: deploy the document, then start it by
/// name. `idealtime` is when to start, in milliseconds since 1970; a time in the past means now. Until then the session's id can
/// only be used to terminate it, and the server forgets it when it stops. Every other parameter goes into the `<data>` item of
/// the same id. The tenant is that of the header `X-Tenant`, else the only one of the key, else the default.
#[utoipa::path(post, path = "/scxml/session/start", tag = "ors", operation_id = "ors_start",
    params(("x-tenant" = Option<String>, Header, description = "Whose session it becomes")),
    request_body(content((Object = "application/x-www-form-urlencoded"), (Object = "application/json"))),
    responses((status = 200, body = OrsSession)))]
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller,
    Parameters(mut params): Parameters,
) -> Result<Response, Failure> {
    let src = match params.remove("src") {
        Some(Value::String(src)) if !src.trim().is_empty() => src,
        Some(Value::String(_)) | None => {
            let detail =
                "The parameter `src` is missing; give the name of a strategy, or `script:` and the name of a script.";
            return Err(Failure::new(Code::BadRequest, detail));
        }
        Some(_) => return Err(Failure::new(Code::BadRequest, "The parameter `src` must be one text.")),
    };
    if src.len() > MAX_SRC_BYTES {
        return Err(Failure::new(
            Code::BadRequest,
            format!("The parameter `src` is longer than {MAX_SRC_BYTES} bytes."),
        ));
    }
    check_src(&src)?;
    let at_ms = match params.remove("idealtime") {
        None => None,
        Some(value) => {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            let wrong = || {
                Failure::new(
                    Code::BadRequest,
                    "The parameter `idealtime` must be milliseconds since 1970-01-01 UTC.",
                )
            };
            Some(number.ok_or_else(wrong)?)
        }
    };
    check_size(&Value::Object(params.clone()), "The parameters")?;
    let start = Start {
        tenant: caller.tenant()?.clone(),
        src,
        params,
        at_ms,
        by: caller.id(),
    };
    let id = app.backend.start(start).await?;
    let object = AuditObject(format!("session {id}"));
    Ok((cookie(&app, id), Extension(object), Json(OrsSession { sessionid: id })).into_response())
}

/// Names only: what a URL leads to would run with the tenant's rights without having been deployed by anybody.
fn check_src(src: &str) -> Result<(), Failure> {
    match src.split_once(':') {
        // Whether there is one of this name, and what names may be, the backend knows.
        None | Some(("strategy" | "script", _)) => Ok(()),
        Some(_) => {
            let shown: String = src.chars().take(128).collect();
            let detail = format!(
                "`src` is `{shown}`, but in this version a session starts from a deployed strategy (`NAME` or \
                 `NAME@VERSION`) or from a script (`script:NAME`); deploy the document and start it by name."
            );
            Err(Failure::new(Code::NotStarted, detail))
        }
    }
}

/// Sends the session an event. The parameters arrive as `_event.data.param.<name>`.
#[utoipa::path(method(post, get), path = "/scxml/session/{sid}/event/{name}", tag = "ors", operation_id = "ors_event",
    params(("sid" = String, Path, description = "The session"), ("name" = String, Path, description = "Name of the event")),
    request_body(content((Object = "application/x-www-form-urlencoded"), (Object = "application/json"))),
    responses((status = 200, body = OrsSession)))]
pub(super) async fn event(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String)>,
    Parameters(params): Parameters,
) -> Result<Response, Failure> {
    let (_, name) = path;
    let id = caller.session()?;
    app.backend.send(id, external(name, params, &caller)?).await?;
    Ok((cookie(&app, id), Json(OrsSession { sessionid: id })).into_response())
}

/// Sends the session an event and waits for the strategy's response, which is passed on with its status.
#[utoipa::path(post, path = "/scxml/session/{sid}/request/{name}", tag = "ors", operation_id = "ors_request",
    params(("sid" = String, Path, description = "The session"), ("name" = String, Path, description = "Name of the event")),
    request_body(content((Object = "application/x-www-form-urlencoded"), (Object = "application/json"))),
    responses((status = 200, description = "What the strategy says", body = Value)))]
pub(super) async fn request(
    State(app): State<App>,
    caller: Caller,
    At(path): At<(String, String)>,
    Parameters(params): Parameters,
) -> Result<Response, Failure> {
    let (_, name) = path;
    let id = caller.session()?;
    let event = external(name, params, &caller)?;
    let wait = app.options.reply_timeout;
    let reply = tokio::time::timeout(wait, app.backend.request(id, event))
        .await
        .map_err(|_| {
            let detail = format!(
                "The strategy did not respond within {} s; the event may have been handled.",
                wait.as_secs()
            );
            Failure::new(Code::NoReply, detail)
        })??;
    let status = StatusCode::from_u16(reply.status)
        .ok()
        .filter(|s| (200..=599).contains(&s.as_u16()))
        .ok_or_else(|| {
            let detail = format!(
                "The strategy responded with the status {}; its author must use one from 200 to 599.",
                reply.status
            );
            Failure::new(Code::BadReply, detail)
        })?;
    // These have no body (RFC 9110, 15.3.5, 15.3.6 and 15.4.5).
    let empty = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ]
    .contains(&status);
    let body = if empty {
        ().into_response()
    } else {
        Json(reply.body).into_response()
    };
    Ok((status, cookie(&app, id), Extension(FromStrategy), body).into_response())
}

/// What the session holds: its active states and its data model.
#[utoipa::path(get, path = "/scxml/session/{sid}/query", tag = "ors", operation_id = "ors_query",
    params(("sid" = String, Path, description = "The session")),
    responses((status = 200, body = OrsQuery)))]
pub(super) async fn query(State(app): State<App>, caller: Caller) -> Result<Response, Failure> {
    let id = caller.session()?;
    let inspection = app.backend.inspect(id).await?;
    let datamodel = serde_json::from_str(&inspection.datamodel)
        .map_err(|e| Failure::internal(format!("the data model of session {id} is not JSON: {e}")))?;
    let answer = OrsQuery {
        sessionid: id,
        configuration: inspection.configuration,
        datamodel,
    };
    Ok((cookie(&app, id), Json(answer)).into_response())
}

/// Ends the session.
#[utoipa::path(post, path = "/scxml/session/{sid}/terminate", tag = "ors", operation_id = "ors_terminate",
    params(("sid" = String, Path, description = "The session")),
    responses((status = 200, body = OrsSession)))]
pub(super) async fn terminate(State(app): State<App>, caller: Caller) -> Result<Response, Failure> {
    let id = caller.session()?;
    app.backend
        .terminate(
            id,
            Termination {
                by: caller.id(),
                reason: None,
            },
        )
        .await?;
    Ok((cookie(&app, id), Json(OrsSession { sessionid: id })).into_response())
}

/// Lets load balancers find the node again (ORS option `cookie`).
fn cookie(app: &App, id: SessionId) -> [(header::HeaderName, String); 1] {
    let options = &app.options;
    let value = match options.cookie.as_str() {
        "" => {
            let secure = if options.tls { "; Secure" } else { "" };
            format!(
                "ORSSESSIONID={id}.node{}; Path=/scxml; HttpOnly; SameSite=Strict{secure}",
                options.node
            )
        }
        configured => configured.to_owned(),
    };
    [(header::SET_COOKIE, value)]
}

fn external(name: String, params: Map<String, Value>, caller: &Caller) -> Result<ExternalEvent, Failure> {
    event_of(
        name,
        Some(Map::from_iter([("param".to_owned(), Value::Object(params))]).into()),
        caller,
    )
}

/// Checks an event from outside.
pub(super) fn event_of(name: String, data: Option<Value>, caller: &Caller) -> Result<ExternalEvent, Failure> {
    // W3C SCXML 3.12.1: tokens separated by dots. `*` only stands in descriptors.
    let token = |t: &str| !t.is_empty() && !t.contains(|c: char| c.is_whitespace() || c.is_control() || c == '*');
    if name.len() > MAX_EVENT_NAME_BYTES || !name.split('.').all(token) {
        let shown: String = name.chars().take(64).collect();
        let detail = format!(
            "`{shown}` cannot be the name of an event: use words joined by dots, without blanks or `*`, at most \
             {MAX_EVENT_NAME_BYTES} bytes."
        );
        return Err(Failure::new(Code::BadName, detail));
    }
    if let Some(data) = &data {
        check_size(data, "The event's data")?;
    }
    Ok(ExternalEvent {
        name,
        data,
        by: caller.id(),
    })
}

/// A strategy may be given this much and no more; inside, it could only trap.
fn check_size(data: &Value, what: &str) -> Result<(), Failure> {
    let size = data.to_string().len();
    if size > MAX_EVENT_DATA {
        let detail = format!("{what} take {size} bytes as JSON; a strategy is given at most {MAX_EVENT_DATA}.");
        return Err(Failure::new(Code::TooLarge, detail));
    }
    Ok(())
}
