//! The Basic HTTP Event I/O Processor (W3C SCXML C.2): what is posted to a session's location becomes an event.
//!
//! The location that a session finds in `_ioprocessors` is a capability: whoever it is told may post to it, without a key. Whoever
//! has a key needs no location.

use crate::app::App;
use crate::backend::Message;
use crate::extract::{Raw, media_type, utf8};
use crate::problem::Failure;
use crate::security::Caller;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};

/// Posts a message to the session.
///
/// The event is named by the parameter `_scxmleventname`, in the query or in a form; without one it is `HTTP.POST`. The other
/// parameters are `_event.data`; any other body is, as text, as JSON or as XML by its media type. `_event.raw` is the message. The
/// answer comes when the event is in the session's queue.
#[utoipa::path(post, path = "/scxml/session/{sid}/basichttp", tag = "ors", operation_id = "basic_http",
    params(("sid" = String, Path, description = "The session"),
        ("_scxmleventname" = Option<String>, Query, description = "Name of the event")),
    request_body(content((Object = "application/x-www-form-urlencoded"), (Object = "application/json"), (String = "text/plain"),
        (String = "application/xml"))),
    responses((status = 200, description = "The event is in the session's queue")))]
pub(super) async fn post(
    state: State<App>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Raw,
) -> Result<StatusCode, Failure> {
    take(state, caller, &uri, &headers, body).await
}

/// Posts a message to the session, at its location.
///
/// As without a token, but needs no key: the token proves that the session has told its location. It is part of
/// `_ioprocessors['basichttp'].location`.
#[utoipa::path(post, path = "/scxml/session/{sid}/basichttp/{token}", tag = "ors", operation_id = "basic_http_location",
    params(("sid" = String, Path, description = "The session"), ("token" = String, Path, description = "The session's own secret"),
        ("_scxmleventname" = Option<String>, Query, description = "Name of the event")),
    request_body(content((Object = "application/x-www-form-urlencoded"), (Object = "application/json"), (String = "text/plain"),
        (String = "application/xml"))),
    responses((status = 200, description = "The event is in the session's queue")))]
pub(super) async fn post_to_location(
    state: State<App>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Raw,
) -> Result<StatusCode, Failure> {
    take(state, caller, &uri, &headers, body).await
}

async fn take(
    State(app): State<App>,
    caller: Caller,
    uri: &Uri,
    headers: &HeaderMap,
    Raw(body): Raw,
) -> Result<StatusCode, Failure> {
    // Other charsets are refused, and no type at all is a text.
    media_type(headers)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let message = Message {
        target: uri
            .path_and_query()
            .map_or_else(|| uri.path().to_owned(), ToString::to_string),
        content_type: content_type.map(str::to_owned),
        body: utf8(&body)?.to_owned(),
    };
    app.backend.message(caller.session()?, message).await?;
    Ok(StatusCode::OK)
}
