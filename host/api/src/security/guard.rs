//! The gate before every handler.
//!
//! In this order: key, room, rights, announced size, body, and the work within what is left of the time. Each refusal is
//! a problem document, and whatever changes something or is refused leaves a line in the audit log, even when the client
//! hangs up midway.

use super::audit::{AuditEntry, AuditObject, AuditResult};
use super::key::verify;
use super::limiter::Verdict;
use super::principal::{Action, Decision, Grant, Principal, Resource, Role, Tenancy, Visible, authorize};
use super::room::{Full, Place};
use crate::app::{App, Class};
use crate::extract::Raw;
use crate::layers::{TraceId, method_not_allowed, no_such_path};
use crate::problem::Failure;
use crate::routes::{Access, Scope, TENANT_HEADER};
use crate::types::{Code, TenantName};
use axum::RequestExt;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pointsman_contract::SessionId;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What a route was registered with.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: App,
    pub(crate) access: Access,
    pub(crate) class: Class,
}

/// Proof that a request was let in. Only [`guard`] makes one, and handlers behind a key take one.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    /// Largest body of the route, in bytes.
    pub(crate) max_body: usize,
    action: Action,
    resource: Resource,
}

impl Caller {
    /// Id of the key.
    pub(crate) fn id(&self) -> String {
        self.principal.id.clone()
    }

    /// The tenant that the caller was let into.
    pub(crate) fn tenant(&self) -> Result<&TenantName, Failure> {
        match &self.resource {
            Resource::Tenant(tenant) | Resource::Session(_, tenant) => Ok(tenant),
            other => Err(Failure::internal(format!(
                "a handler about one tenant is registered for {other:?}"
            ))),
        }
    }

    /// The session that the caller was let into.
    pub(crate) fn session(&self) -> Result<SessionId, Failure> {
        match &self.resource {
            Resource::Session(id, _) => Ok(*id),
            other => Err(Failure::internal(format!(
                "a handler about one session is registered for {other:?}"
            ))),
        }
    }

    /// The tenants that the answer may be about.
    pub(crate) fn visible(&self) -> Visible {
        self.principal.visible(self.action)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Failure::internal("a handler that needs a key is registered as open"))
    }
}

pub(crate) async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let (action, scope) = match gate.access {
        Access::Open => return next.run(request).await,
        Access::Key(action, scope) => (action, scope),
        Access::Location => (Action::SendEvent, Scope::Session),
    };
    // Axum lets the handler of GET answer HEAD too, but a HEAD with an effect is an accident (RFC 9110, section 9.3.2): of
    // monitors and link checkers. The one GET that has an effect is ORS's `event`, which is POST as well.
    if request.method() == Method::HEAD && action.changes() {
        return not_get_or_post().into_response();
    }
    let app = &gate.app;
    let mut pending = Pending::new(app.clone(), &request);
    let authenticated = match gate.access {
        Access::Location => {
            // What comes last is a secret.
            pending.entry.object = crate::layers::shown_path(&pending.entry.object).into();
            locate(app, &mut request, pending.entry.ip).await
        }
        _ => authenticate(app, request.headers(), pending.entry.ip),
    };
    let principal = match authenticated {
        Ok(principal) => Arc::new(principal),
        Err((failure, audited)) => {
            if audited {
                pending.finish(AuditResult::Unauthenticated, &failure.clone().into_response());
            } else {
                pending.dismiss();
            }
            return failure.into_response();
        }
    };
    pending.entry.who = Some(principal.id.clone());
    pending.entry.action = Some(action);

    let place = match app.room(gate.class).enter(&principal) {
        Ok(place) => place,
        Err(full) => {
            let response = no_room(&principal, &full);
            pending.finish_if_audited(action, &response);
            return response;
        }
    };
    let limit = app.timeout(gate.class);
    let until = Instant::now() + limit;
    let work = async {
        let admitted = timeout_at(
            until,
            admit(app, &principal, action, scope, request, &mut pending.entry),
        )
        .await;
        let (resource, request) = admitted.map_err(|_| too_long(limit))??;
        let caller = Caller {
            principal: principal.clone(),
            max_body: app.max_body(gate.class),
            action,
            resource,
        };
        check_length(request.headers(), caller.max_body)?;
        // Here and not in the handler, because a slow client is another fault than a slow server.
        let (parts, body) = request.into_parts();
        let body = timeout_at(until, read(body, &caller)).await;
        let body = body.map_err(|_| Refusal::Slow)??;
        let mut request = Request::from_parts(parts, body.into());
        request.extensions_mut().insert(caller);
        let answer = timeout_at(until, run(gate.class, place, request, next)).await;
        Ok(answer.map_err(|_| too_long(limit))?)
    };
    let response = match work.await {
        Ok(response) => response,
        Err(Refusal::Denied(failure)) => {
            let response = failure.into_response();
            pending.finish(AuditResult::Denied, &response);
            return response;
        }
        Err(Refusal::Failed(failure)) => failure.into_response(),
        Err(Refusal::Slow) => {
            let detail = format!("The body did not arrive within {} s; send it faster.", limit.as_secs());
            with_status(StatusCode::REQUEST_TIMEOUT, Failure::new(Code::Timeout, detail))
        }
    };
    pending.finish_if_audited(action, &response);
    response
}

/// For methods other than those of the one GET that has an effect; left to axum, `Allow` would name HEAD beside it.
pub(crate) fn not_get_or_post() -> Failure {
    method_not_allowed().header(header::ALLOW, HeaderValue::from_static("GET,POST"))
}

/// The whole body, within the route's bound.
async fn read(body: Body, caller: &Caller) -> Result<Bytes, Failure> {
    let mut request = Request::new(body);
    DefaultBodyLimit::max(caller.max_body).apply(&mut request);
    request.extensions_mut().insert(caller.clone());
    let Raw(body) = Raw::from_request(request, &()).await?;
    Ok(body)
}

/// The handler, for as long as it holds its place.
async fn run(class: Class, place: Place, request: Request, next: Next) -> Response {
    let work = async move {
        let _place = place;
        next.run(request).await
    };
    if class != Class::Upload {
        return work.await;
    }
    // A compiler, once started, does not stop when its client goes away or its time is over, and until then there is
    // no place for another: so the work is a task of its own, which nobody drops.
    match tokio::spawn(work).await {
        Ok(response) => response,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Failure::internal("an upload's task was cancelled").into_response(),
        },
    }
}

fn too_long(limit: Duration) -> Failure {
    let detail = format!("The request was not done within {} s; try again.", limit.as_secs());
    Failure::new(Code::Timeout, detail)
}

/// 503 where the server has enough to do, 429 where the client has.
fn no_room(principal: &Principal, full: &Full) -> Response {
    let (status, detail) = match full {
        Full::All => (
            StatusCode::SERVICE_UNAVAILABLE,
            "This server has all the requests in work that it takes; try again.".to_owned(),
        ),
        Full::Key(share) => (
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "The key `{}` has {share} requests of this kind in work, which is its share; wait for one of them to end.",
                principal.id
            ),
        ),
        Full::Tenant(tenant, share) => (
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "The keys of the tenant `{tenant}` have {share} requests of this kind in work, which is their share; wait \
                 for one of them to end."
            ),
        ),
    };
    with_status(status, Failure::new(Code::Overloaded, detail).retry_after(1))
}

/// Answers with another status than the code's usual one.
fn with_status(status: StatusCode, failure: Failure) -> Response {
    let mut response = failure.into_response();
    *response.status_mut() = status;
    response
}

enum Refusal {
    /// Not allowed.
    Denied(Failure),
    /// Allowed or not, it does not work.
    Failed(Failure),
    /// The client was too slow.
    Slow,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Failed(failure)
    }
}

/// The principal behind the request's key; else the answer, and whether it deserves a line in the audit log.
fn authenticate(app: &App, headers: &HeaderMap, ip: IpAddr) -> Result<Principal, (Failure, bool)> {
    let key = presented(headers);
    if let Some(principal) = key.as_ref().and_then(|key| verify(&*app.keys, key)) {
        return Ok(principal);
    }
    let audited = match app.failures.failed(ip) {
        Verdict::Tell => true,
        Verdict::Slow { first, retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            let detail =
                format!("Too many requests without a valid key came from your address; try again in {seconds} s.");
            return Err((Failure::new(Code::TooManyFailures, detail).retry_after(seconds), first));
        }
    };
    let (code, detail, challenge) = match key {
        None => (
            Code::NoKey,
            "Send an API key, as `Authorization: Bearer pm_<id>_<secret>` or `X-API-Key: pm_<id>_<secret>`.",
            "Bearer realm=\"pointsman\"",
        ),
        Some(_) => (
            Code::WrongKey,
            "The API key is unknown, revoked or mistyped; ask the administrator of your tenant for a valid one.",
            "Bearer realm=\"pointsman\", error=\"invalid_token\"",
        ),
    };
    let failure = Failure::new(code, detail).header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    Err((failure, audited))
}

/// Whoever knows a session's location: to that session, and as far as that goes, an operator.
async fn locate(app: &App, request: &mut Request, ip: IpAddr) -> Result<Principal, (Failure, bool)> {
    let params = request.extract_parts::<RawPathParams>().await.ok();
    let param = |name: &str| {
        let mut params = params.iter().flatten();
        params.find(|(n, _)| *n == name).map_or("", |(_, value)| value)
    };
    let (sid, token) = (param("sid"), param("token"));
    let tenant = match sid.parse::<SessionId>() {
        Ok(id) => app.backend.located(id, token).await.ok(),
        Err(_) => None,
    };
    if let Some(tenant) = tenant {
        return Ok(Principal {
            id: format!("location of {sid}"),
            grants: vec![Grant {
                tenant: Tenancy::One(tenant),
                role: Role::Operator,
            }],
        });
    }
    match app.failures.failed(ip) {
        // Word for word what a missing session would be answered with.
        Verdict::Tell => Err((Failure::no_such_session(sid), true)),
        Verdict::Slow { first, retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            let detail =
                format!("Too many requests to wrong locations came from your address; try again in {seconds} s.");
            Err((Failure::new(Code::TooManyFailures, detail).retry_after(seconds), first))
        }
    }
}

/// The key text of the request. A header that is there but not readable counts as a wrong key.
fn presented(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        return Some(if bearer { key.trim().to_owned() } else { String::new() });
    }
    headers
        .get("x-api-key")
        .map(|value| value.to_str().unwrap_or_default().to_owned())
}

/// Finds out what the request is about and whether the principal may.
async fn admit(
    app: &App,
    principal: &Principal,
    action: Action,
    scope: Scope,
    mut request: Request,
    entry: &mut AuditEntry,
) -> Result<(Resource, Request), Refusal> {
    let not_text = |_| {
        Failure::new(
            Code::BadRequest,
            "The path is not UTF-8 when its %-escapes are decoded.",
        )
    };
    let params = request.extract_parts::<RawPathParams>().await.map_err(not_text)?;
    let param = |name: &str| params.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value);
    let resource = match scope {
        Scope::Tenant => {
            let text = param("tenant");
            // What cannot be a name is as unknown as a name that nobody has.
            Resource::Tenant(text.parse().map_err(|_| Failure::no_such_tenant(text))?)
        }
        Scope::Session => {
            let text = param("sid");
            let id: SessionId = text.parse().map_err(|_| Failure::no_such_session(text))?;
            let tenant = app.backend.tenant_of(id).await.map_err(Failure::from)?;
            Resource::Session(id, tenant)
        }
        Scope::ChosenTenant => Resource::Tenant(chosen_tenant(app, principal, request.headers())?),
        Scope::OwnTenants => Resource::OwnTenants,
        Scope::Platform => Resource::Platform,
    };
    if let Resource::Tenant(tenant) | Resource::Session(_, tenant) = &resource {
        entry.tenant = Some(tenant.clone());
    }
    match authorize(principal, action, &resource) {
        Decision::Allow => Ok((resource, request)),
        // Word for word what a missing object would be answered with.
        Decision::Hide => Err(Refusal::Denied(match &resource {
            Resource::Tenant(tenant) => Failure::no_such_tenant(tenant.as_str()),
            Resource::Session(id, _) => Failure::no_such_session(id.as_str()),
            Resource::OwnTenants | Resource::Platform => no_such_path(),
        })),
        Decision::Deny => {
            let scope = if resource == Resource::Platform {
                " for all tenants"
            } else {
                ""
            };
            let detail = format!(
                "The action `{action}` needs the role `{}`{scope}; ask for a key that has it.",
                action.role()
            );
            Err(Refusal::Denied(Failure::new(Code::RoleTooLow, detail)))
        }
    }
}

/// The tenant of a request whose path has none: the header's, else the key's only one, else the default.
fn chosen_tenant(app: &App, principal: &Principal, headers: &HeaderMap) -> Result<TenantName, Failure> {
    if let Some(value) = headers.get(TENANT_HEADER) {
        let text = value.to_str().unwrap_or_default();
        return text.parse().map_err(|_| Failure::no_such_tenant(text));
    }
    let mut names: Vec<&TenantName> = Vec::new();
    for grant in &principal.grants {
        match &grant.tenant {
            Tenancy::One(name) if !names.contains(&name) => names.push(name),
            Tenancy::One(_) => {}
            Tenancy::All => {
                let default = app.backend.tenants().into_iter().find(|t| t.default);
                let none = || Failure::internal("the configuration has no default tenant");
                return default.map(|t| t.name).ok_or_else(none);
            }
        }
    }
    match names.as_slice() {
        [name] => Ok((*name).clone()),
        _ => {
            let list = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
            let detail = format!("Your key is for the tenants {list}: name one in the header `{TENANT_HEADER}`.");
            Err(Failure::new(Code::TenantNotGiven, detail))
        }
    }
}

/// Refuses by the announced length, before a byte of the body was read.
fn check_length(headers: &HeaderMap, max: usize) -> Result<(), Failure> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > max as u64 => Err(crate::extract::too_large(max)),
        _ => Ok(()),
    }
}

/// An audit entry that will be written whatever happens to the request.
struct Pending {
    app: App,
    entry: AuditEntry,
    armed: bool,
}

impl Pending {
    fn new(app: App, request: &Request) -> Self {
        // Without the server's connect info there is one address for all: safe, and visible in the audit log.
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let address = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(unknown, |info| info.0);
        let trace_id = request
            .extensions()
            .get::<TraceId>()
            .map_or_else(String::new, |id| id.0.clone());
        let entry = AuditEntry {
            time: String::new(),
            who: None,
            tenant: None,
            action: None,
            object: format!("{} {}", request.method(), request.uri().path()),
            ip: address.ip().to_canonical(),
            result: AuditResult::Abandoned,
            status: None,
            code: None,
            trace_id,
        };
        Pending {
            app,
            entry,
            armed: true,
        }
    }

    /// Allowed requests leave a line only if their action is worth one.
    fn finish_if_audited(&mut self, action: Action, response: &Response) {
        if action.audited() {
            let done = response.extensions().get::<Failure>().is_none();
            self.finish(if done { AuditResult::Done } else { AuditResult::Failed }, response);
        } else {
            self.dismiss();
        }
    }

    fn finish(&mut self, result: AuditResult, response: &Response) {
        self.entry.result = result;
        self.entry.status = Some(response.status().as_u16());
        self.entry.code = response.extensions().get::<Failure>().map(|f| f.code);
        if let Some(AuditObject(object)) = response.extensions().get::<AuditObject>() {
            self.entry.object = object.clone();
        }
        self.write();
    }

    fn write(&mut self) {
        self.armed = false;
        self.entry.time = (self.app.options.clock)().to_string();
        self.app.audit.record(&self.entry);
    }

    fn dismiss(&mut self) {
        self.armed = false;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.armed && self.entry.action.is_none_or(Action::audited) {
            self.write();
        }
    }
}
