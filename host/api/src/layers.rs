//! What surrounds every request: a trace id, a panic becoming an answer, security headers, and the problem document.

use crate::problem::{Failure, PROBLEM_JSON};
use crate::types::Code;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;

/// Finds a request in the log: 32 hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct TraceId(pub(crate) String);

/// Marks an answer that a strategy chose, whatever its status: it is passed on as it is.
#[derive(Clone, Copy)]
pub(crate) struct FromStrategy;

/// Carries [`TraceId`] back to the client.
const TRACE_HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// Whether the listener speaks TLS.
#[derive(Clone, Copy)]
pub(crate) struct Tls(pub(crate) bool);

/// The outermost layer.
pub(crate) async fn finish(State(tls): State<Tls>, mut request: Request, next: Next) -> Response {
    let trace_id = trace_id(request.headers());
    let uri = request.uri().clone();
    request.extensions_mut().insert(TraceId(trace_id.clone()));
    let response = next.run(request).await;
    let mut response = write_problem(response, &uri, &trace_id);
    let headers = response.headers_mut();
    headers.insert(
        TRACE_HEADER,
        HeaderValue::from_str(&trace_id).expect("a trace id is hexadecimal"),
    );
    secure(headers, tls);
    response
}

/// Headers for an API that no page may frame, guess at or keep (there is no CORS on purpose).
fn secure(headers: &mut HeaderMap, Tls(tls): Tls) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if tls {
        // RFC 6797, section 7.2: not over plain HTTP.
        let hsts = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
}

fn write_problem(mut response: Response, uri: &Uri, trace_id: &str) -> Response {
    let (failure, status) = match response.extensions_mut().remove::<Failure>() {
        // Usually that of its code; the guard answers some with a status that says whose fault it is (408, 429).
        Some(failure) => (failure, response.status().as_u16()),
        None => match unexplained(&response) {
            Some(failure) => {
                let status = failure.code.status();
                (failure, status)
            }
            None => return response,
        },
    };
    let location = failure.redirect().map(|base| {
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        format!("{}{path}", base.trim_end_matches('/'))
    });
    let (mut problem, cause) = failure.into_parts(uri.path(), trace_id);
    problem.status = status;
    if problem.status >= 500 {
        let cause = cause.as_deref().unwrap_or(&problem.detail);
        tracing::error!(trace_id, path = shown_path(uri.path()), code = %problem.code, cause, "request failed");
    } else {
        tracing::debug!(trace_id, path = shown_path(uri.path()), code = %problem.code, "request refused");
    }
    let body = serde_json::to_vec(&problem).expect("a problem has only text keys");
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::from_u16(status).expect("codes and answers have valid statuses");
    parts.headers.remove(header::CONTENT_LENGTH);
    parts
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Some(location) = location.and_then(|l| HeaderValue::try_from(l).ok()) {
        parts.headers.insert(header::LOCATION, location);
    }
    Response::from_parts(parts, body.into())
}

/// An error answer that none of our handlers made: a library's, in plain text.
fn unexplained(response: &Response) -> Option<Failure> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<FromStrategy>().is_some() {
        return None;
    }
    let json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|v| v.as_bytes().starts_with(b"application/"));
    if json {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => no_such_path(),
        StatusCode::METHOD_NOT_ALLOWED => method_not_allowed(),
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(Code::TooLarge, "The request is larger than this path takes."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Failure::new(Code::MediaType, "This path does not take this media type."),
        s if s.is_client_error() => Failure::new(Code::BadRequest, "The request is malformed."),
        s => Failure::internal(format!("a library answered {s}")),
    })
}

/// A path for the log: a session's location without its secret.
pub(crate) fn shown_path(path: &str) -> &str {
    const SECRET_AFTER: &str = "/basichttp/";
    path.find(SECRET_AFTER)
        .map_or(path, |at| &path[..at + SECRET_AFTER.len() - 1])
}

/// For paths that nobody registered.
pub(crate) fn no_such_path() -> Failure {
    Failure::new(
        Code::NoSuchPath,
        "There is nothing at this path; /v1/openapi.json describes what there is.",
    )
}

/// For methods that nobody registered.
pub(crate) fn method_not_allowed() -> Failure {
    Failure::new(
        Code::MethodNotAllowed,
        "This path does not take this method; the header `Allow` names those it takes.",
    )
}

/// For panics: what was said goes to the log.
#[expect(clippy::needless_pass_by_value, reason = "the signature is CatchPanicLayer's")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    Failure::internal(format!(
        "a handler panicked: {}",
        said.as_deref().unwrap_or("(no message)")
    ))
    .into_response()
}

/// The caller's trace id (W3C Trace Context, `traceparent`), or a new one.
fn trace_id(headers: &HeaderMap) -> String {
    let hex = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let given = headers
        .get("traceparent")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split('-').nth(1));
    if let Some(id) = given.filter(|id| id.len() == 32 && hex(id) && id.bytes().any(|b| b != b'0')) {
        return id.into();
    }
    let mut random = [0u8; 16];
    if getrandom::fill(&mut random).is_err() {
        tracing::warn!("the operating system gave no random numbers; this request has a trace id of zeros");
    }
    format!("{:032x}", u128::from_be_bytes(random))
}
