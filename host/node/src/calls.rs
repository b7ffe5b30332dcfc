//! Which session a call belongs to.
//!
//! A route request starts a session with the strategy of its DN; what the link reports about the call becomes the
//! session's events, with ORS's names; the session's commands for the call become requests to the link, under the
//! command's id, so that a repeated one is recognised. A call whose session ends, or never starts, is given to its
//! default DN at once: a caller never waits for a strategy that is gone.
//!
//! Events of the link come through one task, in order. A strategy that has to be fetched from a URL is fetched beside
//! it; what is reported about that call meanwhile waits.

use crate::programs::{Found, Programs};
use crate::script;
use arc_swap::ArcSwap;
use pointsman_config as config;
use pointsman_contract::{Command, CommandId, Ended, Event, SessionId};
use pointsman_session::runtime::{self, Info, Refused, Runtime};
use pointsman_store::{Outcome, Tenant};
use pointsman_telephony::model::{
    self, Call, CallUuid, EventKind, RequestKind, RouteFailure, RouteType, Target, UserData,
};
use pointsman_telephony::sip;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Requests to the link that may wait to be handed over.
const MAX_REQUESTS: usize = 16_384;

/// Events of one call that may wait for its session to be started.
const MAX_EARLY_EVENTS: usize = 16;

/// How often a call that nobody has decided is looked at: does its session wait for a timer by now?
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// REST requests that may wait for a session's response.
const MAX_PENDING_REPLIES: usize = 10_000;

/// A strategy's response to a REST request.
pub(crate) struct Reply {
    pub status: u16,
    pub body: Value,
}

/// Calls and their sessions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Calls {
    inner: Arc<Inner>,
}

/// What became of routes, since the start.
#[derive(Default)]
pub(crate) struct Routes {
    /// The switch has taken the route over.
    pub used: AtomicU64,
    /// The switch was told and did not confirm.
    pub unconfirmed: AtomicU64,
}

struct Inner {
    config: Arc<ArcSwap<config::Config>>,
    programs: Programs,
    routes: Routes,
    runtime: OnceLock<Runtime>,
    requests: mpsc::Sender<model::Request>,
    state: Mutex<State>,
    replies: Mutex<HashMap<(SessionId, String), oneshot::Sender<Reply>>>,
    tasks: tokio::runtime::Handle,
}

#[derive(Default)]
struct State {
    calls: HashMap<CallUuid, Waiting>,
    sessions: HashMap<SessionId, CallUuid>,
}

/// Who decides about a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A session that is being made.
    Coming,
    /// This session.
    Session(SessionId),
    /// Nobody any more: the session has ended after it had asked for something. Kept until the link has answered.
    Gone,
}

/// A call that has not left yet.
struct Waiting {
    call: Call,
    owner: Owner,
    /// Events that came before the session was there.
    early: VecDeque<Event>,
    /// What the session has asked for: by request id.
    asked: HashMap<String, Asked>,
    decided: bool,
    /// The link has said that it is gone: it will say no more.
    left: bool,
    /// The request that sends it to its default DN, once made.
    defaulting: Option<String>,
}

#[derive(Clone)]
struct Asked {
    command: CommandId,
    /// The strategy's own request id.
    id: String,
    action: Action,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Redirect,
    Terminate,
}

impl Waiting {
    /// An event for the call's session: into `out`, or kept until the session is there.
    fn tell(&mut self, event: Event, out: &mut Vec<(SessionId, Event)>) {
        match self.owner {
            Owner::Session(session) => out.push((session, event)),
            Owner::Gone => {}
            Owner::Coming if self.early.len() < MAX_EARLY_EVENTS => self.early.push_back(event),
            Owner::Coming => {
                tracing::error!(call = %self.call.call_uuid, "too many events for a call whose session is being made");
            }
        }
    }
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Redirect => "redirect",
            Action::Terminate => "terminate",
        }
    }
}

/// A panic while this is held leaves the maps usable.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Calls {
    /// Also gives the requests for the link; see [`Calls::pump`].
    pub fn new(config: Arc<ArcSwap<config::Config>>, programs: Programs) -> (Calls, mpsc::Receiver<model::Request>) {
        let (requests, receiver) = mpsc::channel(MAX_REQUESTS);
        let inner = Inner {
            config,
            programs,
            routes: Routes::default(),
            runtime: OnceLock::new(),
            requests,
            state: Mutex::default(),
            replies: Mutex::default(),
            tasks: tokio::runtime::Handle::current(),
        };
        (Calls { inner: Arc::new(inner) }, receiver)
    }

    /// Tells it the runtime, which needs it first.
    pub fn connect(&self, runtime: Runtime) {
        // Called once, by `serve`.
        let _ = self.inner.runtime.set(runtime);
    }

    /// Hands requests to the link until the link or the node stops.
    pub async fn pump(mut requests: mpsc::Receiver<model::Request>, link: sip::Handle) {
        while let Some(request) = requests.recv().await {
            if let Err(e) = link.request(request).await {
                tracing::warn!(error = %e, "a request for the link was dropped");
                return;
            }
        }
    }

    /// Takes the link's events until it stops.
    pub async fn run(self, mut events: mpsc::Receiver<model::Event>) {
        while let Some(event) = events.recv().await {
            self.event(event);
        }
    }

    /// Calls that have not left yet.
    pub fn waiting(&self) -> usize {
        lock(&self.inner.state).calls.len()
    }

    /// What became of routes.
    pub fn routes(&self) -> &Routes {
        &self.inner.routes
    }

    fn event(&self, event: model::Event) {
        match (event.call_uuid, event.kind) {
            (None, EventKind::LinkUp { .. }) => tracing::info!(link = %event.link, "link up"),
            (None, EventKind::LinkDown { reason }) => tracing::info!(link = %event.link, reason, "link down"),
            (Some(_), EventKind::RouteRequest { call }) => self.route_request(*call),
            (Some(uuid), kind) => self.about_call(uuid, kind),
            (None, other) => tracing::debug!(?other, "an event of the link that concerns no call"),
        }
    }

    fn route_request(&self, call: Call) {
        let uuid = call.call_uuid;
        {
            let mut state = lock(&self.inner.state);
            if let Some(waiting) = state.calls.get_mut(&uuid).filter(|w| w.owner != Owner::Gone) {
                // The same call again, after its target failed: its session decides once more.
                waiting.decided = false;
                waiting.call = call.clone();
                let mut out = Vec::new();
                waiting.tell(route_event(&call), &mut out);
                self.deliver(out);
                return;
            }
            let waiting = Waiting {
                call: call.clone(),
                owner: Owner::Coming,
                early: VecDeque::new(),
                asked: HashMap::new(),
                decided: false,
                left: false,
                defaulting: None,
            };
            state.calls.insert(uuid, waiting);
        }
        match self.plan(&call) {
            Ok(Plan::Now(found, start)) => self.start(&call, Ok((found, start))),
            Ok(Plan::Fetch(fetch)) => {
                let calls = self.clone();
                self.inner.tasks.spawn(async move {
                    let found = calls.fetch(fetch).await;
                    calls.start(&call, found);
                });
            }
            Err(why) => self.start(&call, Err(why)),
        }
    }

    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.inner.runtime.get()
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.inner.programs
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(task);
    }

    /// Bytes that a session of this tenant may grow to.
    pub(crate) fn memory(&self, tenant: &Tenant) -> Result<usize, String> {
        let config = self.inner.config.load();
        let of_config = config.tenants.iter().find(|t| t.name.as_str() == tenant.as_str());
        let of_config = of_config.ok_or_else(|| format!("tenant {tenant} is not configured"))?;
        Ok(config.limits(of_config).memory_per_session.0 as usize)
    }

    /// What is to be started for a call, from the DN's configuration.
    fn plan(&self, call: &Call) -> Result<Plan, String> {
        let config = self.inner.config.load();
        let dn = config
            .dns
            .iter()
            .find(|d| d.number.as_str() == call.this_dn.number && d.switch.as_str() == call.this_dn.switch.as_str())
            .ok_or_else(|| format!("DN {} is not configured", call.this_dn))?;
        let switch = config
            .switch(&dn.switch)
            .ok_or_else(|| format!("switch {} is not configured", dn.switch))?;
        let tenant_config = config
            .tenant(&switch.tenant)
            .ok_or_else(|| format!("tenant {} is not configured", switch.tenant))?;
        let tenant: Tenant = switch
            .tenant
            .as_str()
            .parse()
            .map_err(|e| format!("tenant {}: {e}", switch.tenant))?;
        let memory = config.limits(tenant_config).memory_per_session.0 as usize;

        let user_data: Vec<(String, String)> = call
            .user_data
            .iter()
            .map(|(k, v)| (k.to_owned(), value_text(v)))
            .collect();
        let facts = config::CallFacts {
            ani: call.ani.as_deref().unwrap_or_default(),
            dnis: call.dnis.as_deref().unwrap_or_default(),
            dn: &call.this_dn.number,
            user_data: &user_data,
            ..config::CallFacts::default()
        };
        let application = &dn.orchestration.application;
        let (documents, params, timeout) = match &application.primary {
            config::DocumentRef::Script(name) => {
                let scripted = script::resolve(&config, &switch.tenant, name, &facts)?;
                (scripted.documents, scripted.params, scripted.timeout)
            }
            primary => {
                let documents = std::iter::once(primary).chain(&application.alternate);
                let documents: Vec<_> = documents.map(|d| d.expand(&facts)).collect();
                (documents, Map::new(), DEFAULT_FETCH_TIMEOUT)
            }
        };
        let start = Start {
            tenant: tenant.clone(),
            params: Value::Object(params).to_string(),
            origin: format!("sip:{}", call.this_dn),
        };
        // A deployed strategy is at hand: no task, no waiting.
        if let [Ok(config::ResolvedDocument::Strategy { name, version }), ..] = &documents[..] {
            let text = version
                .as_ref()
                .map_or_else(|| name.to_string(), |v| format!("{name}@{v}"));
            let found = text.parse().map_err(|e| format!("{text}: {e}")).and_then(|r| {
                self.inner
                    .programs
                    .deployed(&tenant, &r, memory)
                    .map_err(|e| e.to_string())
            });
            match found {
                Ok(found) => return Ok(Plan::Now(found, start)),
                Err(why) if documents.len() == 1 => return Err(why),
                Err(why) => tracing::warn!(strategy = %text, why, "trying the alternate document"),
            }
        }
        Ok(Plan::Fetch(Fetch {
            documents,
            start,
            memory,
            timeout,
        }))
    }

    async fn fetch(&self, fetch: Fetch) -> Result<(Found, Start), String> {
        let Fetch {
            documents,
            start,
            memory,
            timeout,
        } = fetch;
        let found = self
            .inner
            .programs
            .find_first(&start.tenant, documents, memory, timeout);
        found.await.map(|found| (found, start))
    }

    fn start(&self, call: &Call, found: Result<(Found, Start), String>) {
        let uuid = call.call_uuid;
        // Held until the session is known and has its first events: one that ends at once must find its call here, and
        // nothing that the link reports meanwhile may come before them.
        let mut state = lock(&self.inner.state);
        let started = found.and_then(|(found, start)| {
            let request = found.request(start.tenant, start.params, start.origin);
            let runtime = self.inner.runtime.get().ok_or("the node is not ready")?;
            runtime.start(request).map_err(|e| e.to_string())
        });
        match started {
            Ok(session) => {
                let Some(waiting) = state.calls.get_mut(&uuid) else {
                    // The caller has given up and the call is forgotten: so is the session.
                    if let Some(runtime) = self.inner.runtime.get() {
                        let _ended_already = runtime.terminate(session, "the caller gave up before the session began");
                    }
                    return;
                };
                waiting.owner = Owner::Session(session);
                let interaction = json!({ "interactionid": uuid.as_str() }).to_string();
                let mut events = vec![
                    Event::external("interaction.added", Some(interaction.clone())),
                    Event::external("interaction.present", Some(interaction)),
                    route_event(call),
                ];
                events.extend(waiting.early.drain(..));
                state.sessions.insert(session, uuid);
                self.deliver(events.into_iter().map(|e| (session, e)).collect());
                drop(state);
                self.tell_queued_later(call);
            }
            Err(why) => {
                tracing::error!(call = %uuid, dn = %call.this_dn, why, "no session for this call: it goes to the default DN");
                self.give_up(&mut state, uuid, "nosession");
            }
        }
    }

    /// `182 Queued` for a call that nobody has decided after a moment.
    fn tell_queued_later(&self, call: &Call) {
        let config = self.inner.config.load();
        let after = config
            .switches
            .iter()
            .find(|s| s.name.as_str() == call.this_dn.switch.as_str())
            .map_or(Duration::from_millis(200), |s| {
                Duration::from_millis(s.sip.queued_after.0)
            });
        let (calls, uuid, attempt) = (self.clone(), call.call_uuid, call.attempt);
        self.inner.tasks.spawn(async move {
            let mut told = false;
            loop {
                // Until it is decided, or the link's time for a decision is up.
                tokio::time::sleep(if told { LOOK_AGAIN } else { after }).await;
                let owner = match lock(&calls.inner.state).calls.get(&uuid) {
                    Some(w) if !w.decided && w.call.attempt == attempt => w.owner,
                    _ => return,
                };
                let Owner::Session(session) = owner else { return };
                // A strategy that waits by its own will has a timer; one that only hangs does not get more time.
                let waits = calls.inner.runtime.get().and_then(|r| r.get(session).ok());
                let holds = waits.is_some_and(|s| s.timers > 0);
                if !told || holds {
                    let id = format!("{uuid}.{attempt}.queued{}", if holds { ".holds" } else { "" });
                    calls.request(uuid, &id, RequestKind::Queued { holds });
                }
                if holds {
                    return;
                }
                told = true;
            }
        });
    }

    /// Nobody decides about this call any more: it goes to its default DN. Kept until the link says that it has gone.
    fn give_up(&self, state: &mut State, uuid: CallUuid, why: &str) {
        let Some(waiting) = state.calls.get_mut(&uuid) else {
            return;
        };
        waiting.owner = Owner::Gone;
        if waiting.decided {
            // It has left already: abandoned, or sent away by the link.
            state.calls.remove(&uuid);
            return;
        }
        let id = format!("{uuid}.{}.{why}", waiting.call.attempt);
        waiting.defaulting = Some(id.clone());
        let kind = RequestKind::RouteCall {
            targets: Vec::new(),
            route_type: RouteType::Default,
            user_data: UserData::new(),
        };
        // Where the link takes no request, its own time for a decision ends the wait.
        self.request(uuid, &id, kind);
    }

    /// The last answer that is left: the caller is told that nobody can take the call.
    fn refuse(&self, state: &mut State, uuid: CallUuid) {
        if let Some(waiting) = state.calls.remove(&uuid) {
            let kind = RequestKind::Reject {
                code: 480,
                reason: None,
            };
            self.request(uuid, &format!("{uuid}.{}.rejected", waiting.call.attempt), kind);
        }
    }

    fn request(&self, uuid: CallUuid, id: &str, kind: RequestKind) -> bool {
        let request = model::Request {
            request_id: id.into(),
            call_uuid: uuid,
            deadline_ms: None,
            kind,
        };
        let sent = self.inner.requests.try_send(request);
        if sent.is_err() {
            tracing::error!(call = %uuid, request = id, "{MAX_REQUESTS} requests wait for the link: one was dropped");
        }
        sent.is_ok()
    }

    /// Sends what was collected. Called with the state locked, so that a call's events come in one order: this takes a
    /// session's mailbox, which nobody holds while they wait for the state.
    fn deliver(&self, events: Vec<(SessionId, Event)>) {
        let Some(runtime) = self.inner.runtime.get() else {
            return;
        };
        for (session, event) in events {
            match runtime.report(session, event) {
                // Sessions may end before their calls do.
                Ok(()) | Err(runtime::Error::Ended { .. } | runtime::Error::NoSuchSession(_)) => {}
                Err(e) => tracing::error!(%session, error = %e, "an event of the call could not be delivered"),
            }
        }
    }

    /// Everything but route requests.
    fn about_call(&self, uuid: CallUuid, kind: EventKind) {
        let routes = &self.inner.routes;
        match &kind {
            EventKind::RouteUsed { .. } => routes.used.fetch_add(1, Ordering::Relaxed),
            EventKind::RouteFailed {
                cause: RouteFailure::Unconfirmed | RouteFailure::ConnectionLost,
            } => routes.unconfirmed.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let mut state = lock(&self.inner.state);
        let Some(waiting) = state.calls.get_mut(&uuid) else {
            return;
        };
        let data = |more: Value| {
            let mut data = json!({ "interactionid": uuid.as_str() });
            if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
                data.extend(more);
            }
            Some(data.to_string())
        };
        let (mut gone, mut refused, mut lost) = (false, false, false);
        let (mut out, mut confirmed) = (Vec::new(), None);
        match kind {
            EventKind::RequestDone { request_id } => {
                if let Some(asked) = waiting.asked.get(request_id.as_str()).cloned() {
                    waiting.decided = true;
                    confirmed = Some((asked.command, Outcome::Done));
                    // A redirect is done when the switch has taken it over: RouteUsed.
                    if asked.action == Action::Terminate {
                        waiting.asked.remove(request_id.as_str());
                        let event =
                            Event::external("interaction.terminate.done", data(json!({ "requestid": asked.id })));
                        waiting.tell(event, &mut out);
                    }
                }
            }
            EventKind::RequestFailed { request_id, error } => {
                if let Some(asked) = waiting.asked.remove(request_id.as_str()) {
                    confirmed = Some((asked.command, Outcome::Failed(error.to_string())));
                    tracing::warn!(call = %uuid, session = %asked.command.session, action = asked.action.name(), %error, "a strategy's command failed");
                    let name = format!("error.interaction.{}", asked.action.name());
                    let more =
                        json!({ "requestid": asked.id, "error": ors_error(&error), "description": error.to_string() });
                    waiting.tell(Event::external(name, data(more)), &mut out);
                    refused = waiting.owner == Owner::Gone && waiting.asked.is_empty() && !waiting.decided;
                } else if waiting.defaulting.as_deref() == Some(request_id.as_str())
                    && error != model::RequestFailure::AlreadyDecided
                {
                    tracing::error!(call = %uuid, %error, "the call cannot be sent to a default DN: it is refused");
                    lost = true;
                }
            }
            EventKind::RouteUsed { route_type, .. } => {
                let resultof = if route_type == RouteType::Default {
                    "default"
                } else {
                    "redirect"
                };
                if let Some((id, asked)) = waiting
                    .asked
                    .iter()
                    .find(|(_, a)| a.action == Action::Redirect)
                    .map(|(k, v)| (k.clone(), v.clone()))
                {
                    waiting.asked.remove(&id);
                    let event = Event::external("interaction.redirect.done", data(json!({ "requestid": asked.id })));
                    waiting.tell(event, &mut out);
                }
                // This link hears nothing more of a call that it has sent away.
                let event = Event::external("interaction.deleted", data(json!({ "resultof": resultof })));
                waiting.tell(event, &mut out);
                gone = true;
            }
            EventKind::RouteFailed { cause } => {
                waiting.decided = false;
                let reason = match cause {
                    RouteFailure::TargetFailed => "the target did not take the call",
                    RouteFailure::Unconfirmed => "the switch did not confirm the target",
                    RouteFailure::ConnectionLost => "the connection to the switch is gone",
                };
                let asked = waiting
                    .asked
                    .iter()
                    .find(|(_, a)| a.action == Action::Redirect)
                    .map(|(k, v)| (k.clone(), v.clone()));
                if let Some((id, asked)) = asked {
                    waiting.asked.remove(&id);
                    let more = json!({ "requestid": asked.id, "error": "remote", "description": reason });
                    waiting.tell(Event::external("error.interaction.redirect", data(more)), &mut out);
                }
                if cause != RouteFailure::TargetFailed {
                    waiting.tell(
                        Event::external("interaction.deleted", data(json!({ "resultof": "lost" }))),
                        &mut out,
                    );
                    gone = true;
                }
            }
            EventKind::Abandoned => {
                waiting.tell(Event::external("interaction.abandoned", data(json!({}))), &mut out);
                waiting.tell(
                    Event::external("interaction.deleted", data(json!({ "resultof": "deletion" }))),
                    &mut out,
                );
                gone = true;
            }
            EventKind::Diverted { to, .. } => {
                waiting.decided = true;
                let to: Vec<String> = to.iter().map(ToString::to_string).collect();
                let session = match waiting.owner {
                    Owner::Session(session) => Some(session.to_string()),
                    _ => None,
                };
                tracing::warn!(call = %uuid, session, ?to, "no decision in time: the link sent the call to the default DN");
            }
            EventKind::Released { cause } => {
                let resultof = format!("{cause:?}").to_lowercase();
                waiting.tell(
                    Event::external("interaction.deleted", data(json!({ "resultof": resultof }))),
                    &mut out,
                );
                gone = true;
            }
            EventKind::AttachedDataChanged { .. } => {
                waiting.tell(Event::external("interaction.udata.changed", data(json!({}))), &mut out);
            }
            other => tracing::debug!(call = %uuid, ?other, "not yet passed on"),
        }
        if let Some((command, outcome)) = confirmed {
            self.confirm(command, outcome);
        }
        // A call whose session is still being made is kept until that is known.
        if gone && waiting.owner == Owner::Coming {
            waiting.decided = true;
            waiting.left = true;
        } else if gone || waiting.left && waiting.owner == Owner::Gone && waiting.asked.is_empty() {
            state.calls.remove(&uuid);
        }
        if refused {
            // The session has left with a decision that the link does not take.
            self.give_up(&mut state, uuid, "refused");
        } else if lost {
            self.refuse(&mut state, uuid);
        }
        self.deliver(out);
    }

    fn confirm(&self, command: CommandId, outcome: Outcome) {
        if let Some(runtime) = self.inner.runtime.get() {
            // A session that is over has no use for it.
            let _ended = runtime.confirm(command, outcome);
        }
    }

    /// Waits for `<ws:response>` with this request id.
    pub fn expect_reply(&self, session: SessionId, id: &str) -> Option<oneshot::Receiver<Reply>> {
        let mut replies = lock(&self.inner.replies);
        replies.retain(|_, sender| !sender.is_closed());
        if replies.len() >= MAX_PENDING_REPLIES {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        replies.insert((session, id.to_owned()), sender);
        Some(receiver)
    }

    fn interaction(&self, info: &Info, id: CommandId, request: &pointsman_contract::Request) -> Result<(), String> {
        let action = match request.action.as_str() {
            "redirect" => Action::Redirect,
            "terminate" => Action::Terminate,
            other => {
                return Err(format!(
                    "`interaction.{other}` is not an action of this version: redirect and terminate are"
                ));
            }
        };
        let params: Map<String, Value> = serde_json::from_str(&request.params).map_err(|e| e.to_string())?;
        let mut state = lock(&self.inner.state);
        let uuid = match params.get("interactionid").and_then(Value::as_str) {
            Some(text) => text.parse::<CallUuid>().map_err(|e| e.to_string())?,
            None => *state
                .sessions
                .get(&info.id)
                .ok_or("this session has no call, and `interactionid` names none")?,
        };
        let waiting = state
            .calls
            .get_mut(&uuid)
            .filter(|w| w.owner == Owner::Session(info.id));
        let waiting = waiting.ok_or("unknown: the interaction is not, or no longer, this session's")?;
        let kind = match action {
            Action::Redirect => RequestKind::RouteCall {
                targets: targets(params.get("to"))?,
                route_type: RouteType::Unknown,
                user_data: user_data(params.get("udata"))?,
            },
            Action::Terminate => RequestKind::Reject {
                code: status(params.get("reason"))?,
                reason: None,
            },
        };
        let key = id.to_string();
        waiting.asked.insert(
            key.clone(),
            Asked {
                command: id,
                id: request.id.clone(),
                action,
            },
        );
        if self.request(uuid, &key, kind) {
            return Ok(());
        }
        waiting.asked.remove(&key);
        Err("the link's queue is full".into())
    }

    fn response(&self, session: SessionId, request: &pointsman_contract::Request) -> Result<(), String> {
        let params: Map<String, Value> = serde_json::from_str(&request.params).map_err(|e| e.to_string())?;
        let id = params
            .get("requestid")
            .or_else(|| params.get("id"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let status = match params.get("resultcode") {
            None => 200,
            Some(code) => number(code)
                .and_then(|n| u16::try_from(n).ok())
                .filter(|n| (200..600).contains(n))
                .ok_or("`resultcode` is not 200-599")?,
        };
        let body = params
            .get("content")
            .or_else(|| params.get("params"))
            .cloned()
            .unwrap_or(Value::Null);
        let sender = lock(&self.inner.replies)
            .remove(&(session, id.to_owned()))
            .ok_or("nobody waits for this response any more")?;
        sender
            .send(Reply { status, body })
            .map_err(|_| "nobody waits for this response any more".to_owned())
    }
}

/// Fetch timeout of documents that no script bounds (ORS `fetch-timeout`).
const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(30);

enum Plan {
    Now(Found, Start),
    Fetch(Fetch),
}

struct Start {
    tenant: Tenant,
    params: String,
    origin: String,
}

struct Fetch {
    documents: Vec<Result<config::ResolvedDocument, config::ExpandError>>,
    start: Start,
    memory: usize,
    timeout: Duration,
}

impl runtime::Commands for Calls {
    fn perform(&self, session: &Info, id: CommandId, command: Command) -> Result<(), Box<Refused>> {
        let result = match &command {
            Command::Request(r) if r.module == "interaction" => {
                let done = self.interaction(session, id, r);
                if let Err(why) = &done {
                    tracing::warn!(session = %session.id, strategy = %session.strategy, action = r.action, why, "a strategy's command cannot be carried out");
                    if let Some(runtime) = self.runtime() {
                        runtime.remark(session.id, &format!("`interaction.{}` is refused: {why}", r.action));
                    }
                    // The documented error event, as ORS names it, rather than a refusal of the platform.
                    let data = json!({ "requestid": r.id, "error": "invalidstate", "description": why });
                    let event = Event::external(format!("error.interaction.{}", r.action), Some(data.to_string()));
                    self.confirm(id, Outcome::Failed(why.clone()));
                    self.deliver(vec![(session.id, event)]);
                }
                Ok(())
            }
            Command::Request(r) if r.module == "ws" && r.action == "response" => self.response(session.id, r),
            Command::Request(r) => Err(format!(
                "module `{}` has no action `{}` in this version",
                r.module, r.action
            )),
            Command::Send(s) => Err(match &s.target {
                Some(target) => format!("nothing can be sent to `{target}` from here"),
                None => "this I/O processor is not available".into(),
            }),
            Command::Invoke(i) => self.invoke(session, id, i),
            Command::Cancel(_) | Command::CancelInvoke(_) | Command::Raise(_) => {
                Err("this is the session's own business".into())
            }
        };
        result.map_err(|reason| Box::new(Refused { command, reason }))
    }

    fn ended(&self, session: &Info, ended: &Ended) {
        if let Ended::Failed(failure) = ended {
            tracing::warn!(session = %session.id, strategy = %session.strategy, version = session.version, origin = session.origin, "session ended: {failure}");
        }
        lock(&self.inner.replies).retain(|(id, _), _| *id != session.id);
        let mut state = lock(&self.inner.state);
        let Some(uuid) = state.sessions.remove(&session.id) else {
            return;
        };
        match state.calls.get_mut(&uuid) {
            // What it has asked for is under way: the call is kept until the link has answered.
            Some(w) if w.owner == Owner::Session(session.id) && !w.asked.is_empty() && !w.left => w.owner = Owner::Gone,
            Some(w) if w.owner == Owner::Session(session.id) => self.give_up(&mut state, uuid, "ended"),
            _ => {}
        }
    }
}

impl runtime::HostData for Calls {
    fn read(&self, session: &Info, source: &str, key: &str) -> Result<String, String> {
        match source {
            "session" => {
                let other: SessionId = key
                    .parse()
                    .map_err(|e: pointsman_contract::SessionIdError| e.to_string())?;
                let runtime = self.inner.runtime.get().ok_or("the node is not ready")?;
                match runtime.get(other) {
                    Ok(s) if s.info.tenant == session.tenant && s.end.is_none() => Ok("true".into()),
                    _ => Err(format!("there is no session {other}")),
                }
            }
            "config" | "list" | "statistic" => Err(format!("`{key}` is not among this host's {source} data")),
            other => Err(format!(
                "`{other}` is no source of host data: config, list, statistic and session are"
            )),
        }
    }
}

fn route_event(call: &Call) -> Event {
    let data = json!({
        "interactionid": call.call_uuid.as_str(),
        "ani": call.ani.as_deref().unwrap_or_default(),
        "dnis": call.dnis.as_deref().unwrap_or_default(),
        "dn": call.this_dn.number,
        "switch": call.this_dn.switch.as_str(),
        "attempt": call.attempt,
        "udata": call.user_data.to_object(),
    });
    Event::external("interaction.onrouterequest", Some(data.to_string()))
}

fn value_text(v: &model::Value) -> String {
    match serde_json::to_value(v) {
        Ok(Value::String(s)) => s,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// ORS's error word.
fn ors_error(e: &model::RequestFailure) -> &'static str {
    match e {
        model::RequestFailure::UnknownCall => "unknown",
        model::RequestFailure::AlreadyDecided => "invalidstate.routed",
        model::RequestFailure::Invalid(_) => "invaliddestination",
        _ => "remote",
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
            other => return Err(format!("`{other}` is not a target")),
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

fn number(v: &Value) -> Option<i64> {
    v.as_i64()
        .or_else(|| v.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64))
        .or_else(|| v.as_str()?.trim().parse().ok())
}

/// A SIP status that refuses; 480 where none is given.
fn status(reason: Option<&Value>) -> Result<u16, String> {
    match reason {
        None | Some(Value::Null) => Ok(480),
        Some(v) => number(v)
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| (400..700).contains(n))
            .ok_or_else(|| format!("`reason` is {v}, not a SIP status from 400 to 699")),
    }
}
