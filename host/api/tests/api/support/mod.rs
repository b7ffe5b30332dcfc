//! A client with keys for every role, over a backend that records.

mod fake;

pub use fake::{Asked, Fake, Mood, TOKEN};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, header};
use axum::{Router, body};
use pointsman_api::backend::Artifact;
use pointsman_api::security::{Audit, AuditEntry, Grant, KeyRing, KeyText, Role, Tenancy};
use pointsman_api::types::{Problem, TenantName};
use pointsman_api::{Options, router};
use pointsman_contract::SessionId;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

pub const NORTH: &str = "north";
pub const SOUTH: &str = "south";
pub const ROLES: [Role; 5] = [
    Role::Viewer,
    Role::Operator,
    Role::Deployer,
    Role::TenantAdmin,
    Role::PlatformAdmin,
];

pub fn tenant(name: &str) -> TenantName {
    name.parse().unwrap()
}

/// The session that the tenant has.
pub fn session_of(tenant: &str) -> SessionId {
    SessionId::from_random([if tenant == NORTH { 1 } else { 2 }; 20])
}

#[derive(Default)]
pub struct Lines(Mutex<Vec<AuditEntry>>);

impl Audit for Lines {
    fn record(&self, entry: &AuditEntry) {
        self.0.lock().unwrap().push(entry.clone());
    }
}

impl Lines {
    pub fn take(&self) -> Vec<AuditEntry> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

pub struct Api {
    pub router: Router,
    pub fake: Arc<Fake>,
    pub keys: Arc<KeyRing>,
    pub audit: Arc<Lines>,
    texts: Vec<KeyText>,
}

/// A key's id for a role in the northern tenant.
pub fn id_of(role: Role) -> String {
    format!("north-{role}")
}

pub fn grant(tenant: &str, role: Role) -> Grant {
    Grant {
        tenant: Tenancy::try_from(tenant.to_owned()).unwrap(),
        role,
    }
}

pub fn api() -> Api {
    api_with(|_| {})
}

/// Keys: `north-<role>` for each role in one tenant, `everywhere` (platform admin of all), `scraper` (viewer of all),
/// `both` (operator of both tenants by name), `nothing` (no grants).
pub fn api_with(change: impl FnOnce(&mut Options)) -> Api {
    let mut held: Vec<(String, Vec<Grant>)> = ROLES.iter().map(|r| (id_of(*r), vec![grant(NORTH, *r)])).collect();
    held.push(("everywhere".into(), vec![grant("*", Role::PlatformAdmin)]));
    held.push(("scraper".into(), vec![grant("*", Role::Viewer)]));
    held.push((
        "both".into(),
        vec![grant(NORTH, Role::Operator), grant(SOUTH, Role::Operator)],
    ));
    held.push(("nothing".into(), vec![]));
    let mut texts = Vec::new();
    let mut keys = Vec::new();
    for (id, grants) in held {
        let text = KeyText::generate(&id).unwrap();
        keys.push(text.to_key(grants));
        texts.push(text);
    }
    let (fake, keys, audit) = (
        Arc::<Fake>::default(),
        Arc::new(KeyRing::new(keys)),
        Arc::<Lines>::default(),
    );
    let mut options = Options {
        clock: || jiff::Timestamp::UNIX_EPOCH,
        ..Options::default()
    };
    change(&mut options);
    let router = router(fake.clone(), keys.clone(), audit.clone(), options);
    Api {
        router,
        fake,
        keys,
        audit,
        texts,
    }
}

/// A request to be.
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub fn call(method: &str, path: &str) -> Call {
    Call {
        method: method.into(),
        path: path.into(),
        headers: vec![],
        body: vec![],
    }
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        if media.is_empty() {
            self
        } else {
            self.header("content-type", media)
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    pub fn json(self, body: impl ToString) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }
}

pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem document, checked to be one.
    pub fn problem(&self) -> Problem {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json",
            "status {}",
            self.status
        );
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        assert_eq!(problem.trace_id, self.headers["x-trace-id"]);
        problem
    }

    /// Status, code and detail of the problem.
    pub fn says(&self) -> (u16, String, String) {
        let problem = self.problem();
        (problem.status, problem.code.to_string(), problem.detail)
    }
}

impl Api {
    pub fn text(&self, id: &str) -> String {
        self.texts.iter().find(|t| t.id() == id).unwrap().reveal()
    }

    /// Sends with the key of this id; with `""`, without a key.
    pub async fn send(&self, id: &str, call: Call) -> Answered {
        let call = if id.is_empty() {
            call
        } else {
            call.header("authorization", &format!("Bearer {}", self.text(id)))
        };
        self.send_from("192.0.2.7", call).await
    }

    pub async fn send_from(&self, ip: &str, call: Call) -> Answered {
        let address = SocketAddr::new(ip.parse().unwrap(), 40_000);
        let mut request = Request::builder()
            .method(call.method.as_str())
            .uri(&call.path)
            .extension(ConnectInfo(address));
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(call.body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answered {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }
}

pub fn document(text: &str) -> Artifact {
    Artifact::Document {
        text: text.into(),
        path: None,
        files: Default::default(),
    }
}
