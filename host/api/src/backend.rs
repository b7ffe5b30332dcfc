//! What the API needs from the server behind it.
//!
//! Four small traits, bundled as [`Backend`]; the server implements them over the session runtime, the strategy
//! catalog and the configuration. They are object-safe (the API holds one `Arc<dyn Backend>`), so an asynchronous
//! method answers a boxed future: implement it as `Box::pin(async move { ... })`.
//!
//! Rules for implementers:
//! - Every id was checked for its shape, and the caller's right to it was decided before the call. Tenants are passed
//!   where a name is only unique within one.
//! - A future may be dropped at any `await` (the client went away, or the request ran out of its time). What has been
//!   accepted by then must either be finished by somebody else or never have happened.
//! - Answer [`Error`]; the API turns it into a problem document. Its texts are read by API clients.

use crate::types::{
    Deployed, Diagnostic, Health, Listing, LogLine, Page, Session, SessionState, Source, Strategy, StrategyName,
    StrategyVersion, Tenant, TenantName, Version,
};
use bytes::Bytes;
use pointsman_contract::{Inspection, SessionId};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

/// An asynchronous answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Everything the API needs.
pub trait Backend: Tenants + Strategies + Sessions + Operations {}

impl<T: Tenants + Strategies + Sessions + Operations> Backend for T {}

/// The tenants served here.
pub trait Tenants: Send + Sync + 'static {
    /// All of them, in the order of the configuration: the first is the default.
    fn tenants(&self) -> Vec<Tenant>;
}

/// The strategy catalog.
pub trait Strategies: Send + Sync + 'static {
    /// The tenant's strategies, by name.
    fn strategies<'a>(&'a self, tenant: &'a TenantName, page: Page) -> Answer<'a, Listing<Strategy>>;

    /// One strategy.
    fn strategy<'a>(&'a self, tenant: &'a TenantName, name: &'a StrategyName) -> Answer<'a, Strategy>;

    /// Compiles or checks the upload, keeps it as the next version, and activates it if asked to.
    fn deploy<'a>(
        &'a self,
        tenant: &'a TenantName,
        name: &'a StrategyName,
        deployment: Deployment,
    ) -> Answer<'a, Deployed>;

    /// The strategy's versions, newest first.
    fn versions<'a>(
        &'a self,
        tenant: &'a TenantName,
        name: &'a StrategyName,
        page: Page,
    ) -> Answer<'a, Listing<StrategyVersion>>;

    /// New sessions use this version from now on; running ones keep theirs. `by` is the id of the key that asks.
    fn activate<'a>(
        &'a self,
        tenant: &'a TenantName,
        name: &'a StrategyName,
        version: Version,
        by: String,
    ) -> Answer<'a, StrategyVersion>;

    /// Activates the version that was active before the present one. [`Error::Conflict`] if there was none. `by` is the
    /// id of the key that asks.
    fn roll_back<'a>(
        &'a self,
        tenant: &'a TenantName,
        name: &'a StrategyName,
        by: String,
    ) -> Answer<'a, StrategyVersion>;

    /// The source that the version carries. [`Error::NoSource`] if it was uploaded without.
    fn source<'a>(&'a self, tenant: &'a TenantName, name: &'a StrategyName, version: Version) -> Answer<'a, Source>;

    /// The version's component.
    fn component<'a>(&'a self, tenant: &'a TenantName, name: &'a StrategyName, version: Version) -> Answer<'a, Bytes>;
}

/// An upload, checked for form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// What was uploaded.
    pub artifact: Artifact,
    /// The deployer's note.
    pub note: Option<String>,
    /// Activate it.
    pub activate: bool,
    /// Id of the key that deploys.
    pub by: String,
}

/// What a version is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// An SCXML document and what it includes (path relative to the document -> text).
    Document {
        /// The document.
        text: String,
        /// Where it stands in its project.
        path: Option<String>,
        /// The included files.
        files: BTreeMap<String, String>,
    },
    /// A component, not looked into yet.
    Component(Bytes),
}

/// The session runtime.
pub trait Sessions: Send + Sync + 'static {
    /// Whose session it is, also for one that ended and is still known. Asked before every other call about a session.
    fn tenant_of(&self, session: SessionId) -> Answer<'_, TenantName>;

    /// Starts a session and answers when its start is durable.
    fn start(&self, start: Start) -> Answer<'_, SessionId>;

    /// Queues an external event; answers when it is durable. [`Error::QueueFull`] rather than waiting for room.
    fn send(&self, session: SessionId, event: ExternalEvent) -> Answer<'_, ()>;

    /// Whose session it is, if `token` is the one in the session's location for the Basic HTTP processor (W3C SCXML C.2), compared
    /// in constant time. [`Error::NoSuchSession`] for every other token.
    fn located<'a>(&'a self, session: SessionId, token: &'a str) -> Answer<'a, TenantName>;

    /// Queues the event that a message to the session's location makes. [`Error::Malformed`] if it makes none.
    fn message(&self, session: SessionId, message: Message) -> Answer<'_, ()>;

    /// Queues an external event whose `_event.sendid` names this request, and waits for the strategy's response
    /// (`<ws:response requestid="_event.sendid">`). The API bounds the wait by dropping the future, which withdraws
    /// the request: a later response of the strategy then fails. [`Error::SessionEnded`] if the session ends first.
    fn request(&self, session: SessionId, event: ExternalEvent) -> Answer<'_, Reply>;

    /// Configuration and data model of the session at rest.
    fn inspect(&self, session: SessionId) -> Answer<'_, Inspection>;

    /// Ends the session. Idempotent for one that has ended: [`Error::SessionEnded`].
    fn terminate(&self, session: SessionId, termination: Termination) -> Answer<'_, ()>;

    /// One session.
    fn session(&self, session: SessionId) -> Answer<'_, Session>;

    /// Sessions that match, newest first.
    fn sessions(&self, filter: Filter, page: Page) -> Answer<'_, Listing<Session>>;

    /// The session's log, oldest first.
    fn log(&self, session: SessionId, page: Page) -> Answer<'_, Listing<LogLine>>;
}

/// How a session begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Whose session it becomes.
    pub tenant: TenantName,
    /// As the client wrote it: `NAME`, `NAME@VERSION`, `strategy:...`, `file:...` or a URL. Whether a URL may be
    /// fetched is the backend's decision.
    pub src: String,
    /// For the `<data>` items with these ids.
    pub params: Map<String, Value>,
    /// When it starts (ORS `idealtime`), in ms since the epoch; absent or past: now. One that starts later is not durable.
    pub at_ms: Option<u64>,
    /// Id of the key that starts it.
    pub by: String,
}

/// An event from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalEvent {
    /// Dot-separated name.
    pub name: String,
    /// `_event.data`; its JSON text is at most [`pointsman_contract::MAX_EVENT_DATA`] bytes.
    pub data: Option<Value>,
    /// Id of the key that sends it.
    pub by: String,
}

/// A message for the Basic HTTP processor (W3C SCXML C.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Path and query, as the client wrote them.
    pub target: String,
    /// `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

/// A strategy's response to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// `resultcode`: an HTTP status from 200 to 599.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
}

/// Who ends a session and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// Id of the key.
    pub by: String,
    /// The reason given.
    pub reason: Option<String>,
}

/// Which sessions to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only of these tenants; `None`: of all.
    pub tenants: Option<Vec<TenantName>>,
    /// Only of this strategy.
    pub strategy: Option<String>,
    /// Only in this state.
    pub state: Option<SessionState>,
}

/// Health and figures of the server.
pub trait Operations: Send + Sync + 'static {
    /// `/livez`: the process makes progress. Not satisfied: restart it.
    fn live(&self) -> Health;

    /// `/readyz`: it can serve (role, store, links). Not satisfied: send nothing here.
    fn ready(&self) -> Health;

    /// `/startupz`: it has started up.
    fn started(&self) -> Health;

    /// The metrics in OpenMetrics text.
    fn metrics(&self) -> String;
}

/// Why the backend did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such tenant.
    #[error("there is no tenant `{0}`")]
    NoSuchTenant(TenantName),
    /// No such session.
    #[error("there is no session {0}")]
    NoSuchSession(SessionId),
    /// It has ended.
    #[error("session {0} has ended")]
    SessionEnded(SessionId),
    /// No such strategy.
    #[error("there is no strategy `{0}`; list the tenant's strategies to see which there are")]
    NoSuchStrategy(StrategyName),
    /// No such version.
    #[error("strategy `{0}` has no version {1}; list its versions to see which there are")]
    NoSuchVersion(StrategyName, Version),
    /// The version carries no source.
    #[error("version {1} of `{0}` was uploaded as a component and carries no source; download the component instead")]
    NoSource(StrategyName, Version),
    /// A session could not be started: what was wrong with `src` or its first step, and what to do.
    #[error("{0}")]
    NotStarted(String),
    /// The document has errors.
    #[error("the document has {} and was not deployed", errors(.0))]
    Document(Vec<Diagnostic>),
    /// The component cannot run here: why, and what to do.
    #[error("{0}")]
    Component(String),
    /// The state of the object does not allow it: why, and what to do.
    #[error("{0}")]
    Conflict(String),
    /// A queue is full: which, and what to do.
    #[error("{0}")]
    QueueFull(String),
    /// No event can be made of a message: why.
    #[error("{0}")]
    Malformed(String),
    /// The event is larger than a strategy may be given: what, and the limit.
    #[error("{0}")]
    TooLarge(String),
    /// This server does not serve now: why.
    #[error("this server does not serve now: {0}; ask another node, or try again")]
    NotServing(String),
    /// The session lives on another node: its `external-url`, without the path.
    #[error("the session lives on another node; repeat the request at the address in `Location`")]
    OtherNode(String),
    /// A fault: for the server's log, never for the client.
    #[error("{0}")]
    Internal(String),
}

fn errors(diagnostics: &[Diagnostic]) -> String {
    match diagnostics
        .iter()
        .filter(|d| d.severity == crate::types::Severity::Error)
        .count()
    {
        1 => "1 error".into(),
        n => format!("{n} errors"),
    }
}
