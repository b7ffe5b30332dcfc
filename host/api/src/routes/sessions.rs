//! `/v1/sessions`: what operators see and do.

use super::ors::event_of;
use crate::app::App;
use crate::backend::{Filter, Termination};
use crate::extract::{JsonBody, OptionalJson, Question};
use crate::problem::Failure;
use crate::security::{Caller, Visible};
use crate::types::{
    Code, EventRequest, Listing, LogLine, PageQuery, Session, SessionQuery, TenantName, TerminateRequest,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

/// Longest reason for ending a session, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Sessions of your tenants, newest first.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", operation_id = "list_sessions", params(SessionQuery),
    responses((status = 200, body = Listing<Session>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Question(query): Question<SessionQuery>,
) -> Result<Json<Listing<Session>>, Failure> {
    let SessionQuery {
        tenant,
        strategy,
        state,
        cursor,
        limit,
    } = query;
    let tenants = tenants(caller.visible(), tenant)?;
    let page = PageQuery { cursor, limit }.page();
    let page = page.map_err(|detail| Failure::new(Code::BadRequest, format!("{detail}.")))?;
    Ok(Json(
        app.backend
            .sessions(
                Filter {
                    tenants,
                    strategy,
                    state,
                },
                page,
            )
            .await?,
    ))
}

/// What is asked for, within what may be seen.
fn tenants(visible: Visible, asked: Option<TenantName>) -> Result<Option<Vec<TenantName>>, Failure> {
    match (visible, asked) {
        (visible, Some(name)) if visible.contains(&name) => Ok(Some(vec![name])),
        (_, Some(name)) => Err(Failure::no_such_tenant(name.as_str())),
        (Visible::All, None) => Ok(None),
        (Visible::Only(names), None) => Ok(Some(names)),
    }
}

/// One session.
#[utoipa::path(get, path = "/v1/sessions/{sid}", tag = "sessions", operation_id = "show_session",
    params(("sid" = String, Path, description = "The session")),
    responses((status = 200, body = Session)))]
pub(super) async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Session>, Failure> {
    Ok(Json(app.backend.session(caller.session()?).await?))
}

/// What the session wrote, oldest first.
#[utoipa::path(get, path = "/v1/sessions/{sid}/log", tag = "sessions", operation_id = "read_session_log",
    params(("sid" = String, Path, description = "The session"), PageQuery),
    responses((status = 200, body = Listing<LogLine>)))]
pub(super) async fn log(
    State(app): State<App>,
    caller: Caller,
    Question(query): Question<PageQuery>,
) -> Result<Json<Listing<LogLine>>, Failure> {
    let page = query
        .page()
        .map_err(|detail| Failure::new(Code::BadRequest, format!("{detail}.")))?;
    Ok(Json(app.backend.log(caller.session()?, page).await?))
}

/// Sends the session an event. It is queued, and kept, when this answers.
#[utoipa::path(post, path = "/v1/sessions/{sid}/events", tag = "sessions", operation_id = "send_event",
    params(("sid" = String, Path, description = "The session")), request_body = EventRequest,
    responses((status = 202, description = "Queued")))]
pub(super) async fn event(
    State(app): State<App>,
    caller: Caller,
    JsonBody(EventRequest { name, data }): JsonBody<EventRequest>,
) -> Result<StatusCode, Failure> {
    app.backend
        .send(caller.session()?, event_of(name, data, &caller)?)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Ends the session.
#[utoipa::path(post, path = "/v1/sessions/{sid}/terminate", tag = "sessions", operation_id = "terminate_session",
    params(("sid" = String, Path, description = "The session")), request_body = Option<TerminateRequest>,
    responses((status = 204, description = "It has ended")))]
pub(super) async fn terminate(
    State(app): State<App>,
    caller: Caller,
    OptionalJson(TerminateRequest { reason }): OptionalJson<TerminateRequest>,
) -> Result<StatusCode, Failure> {
    if reason.as_ref().is_some_and(|r| r.chars().count() > MAX_REASON_CHARS) {
        let detail = format!("The reason is longer than {MAX_REASON_CHARS} characters; shorten it.");
        return Err(Failure::new(Code::BadRequest, detail));
    }
    app.backend
        .terminate(
            caller.session()?,
            Termination {
                by: caller.id(),
                reason,
            },
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
