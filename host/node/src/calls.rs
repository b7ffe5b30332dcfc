//! Which session a call belongs to.
//!
//! A route request starts a session with the strategy of its DN; what the link reports about the call becomes the
//! session's events, with ORS's names; what the session asks for (`modules::interaction`) becomes requests to the link, under
//! the command's id, so that a repeated one is recognised. A call whose session ends, or never starts, is given to its
//! default DN at once: a caller never waits for a strategy that is gone.
//!
//! Events of the link come through one task, in order. A strategy that has to be fetched from a URL is fetched beside
//! it; what is reported about that call meanwhile waits.

use crate::programs::{Found, Programs};
use crate::script;
use arc_swap::ArcSwap;
use pointsman_config as config;
use pointsman_contract::{CommandId, Event, SessionId};
use pointsman_session::runtime::{self, Runtime};
use pointsman_store::{Outcome, Tenant};
use pointsman_telephony::model::{self, Call, CallUuid, EventKind, RequestKind, RouteFailure, RouteType, UserData};
use pointsman_telephony::sip;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Requests to the link that may wait to be handed over.
const MAX_REQUESTS: usize = 16_384;

/// Events of one call that may wait for its session to be started.
const MAX_EARLY_EVENTS: usize = 16;

/// How often a call that nobody has decided is looked at: does its session wait for a timer by now?
const LOOK_AGAIN: Duration = Duration::from_millis(500);

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
    /// User data that its session has attached: they go with it to its target.
    attached: UserData,
    decided: bool,
    /// The link has said that it is gone: it will say no more.
    left: bool,
    /// The request that sends it to its default DN, once made.
    defaulting: Option<String>,
}

/// Something that a strategy wants of its call.
#[derive(Clone)]
pub(crate) struct Asked {
    pub command: CommandId,
    /// The strategy's own request id.
    pub id: String,
    pub action: Action,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
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
                attached: UserData::new(),
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
            let runtime = self.inner.runtime.get().ok_or("the node is not ready")?;
            let started = self
                .inner
                .programs
                .start(runtime, found, start.tenant, start.params, start.origin);
            started.map_err(|e| e.to_string())
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
                    added_event(call),
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

    /// Has the link do what a session wants of its call: of the one named, or its only one.
    ///
    /// # Errors
    /// When the session has no such call, or the link takes no more requests.
    pub fn ask(
        &self,
        session: SessionId,
        interaction: Option<CallUuid>,
        asked: Asked,
        mut kind: RequestKind,
    ) -> Result<(), String> {
        let mut state = lock(&self.inner.state);
        let uuid = which(&state, interaction, session)?;
        let waiting = owned(&mut state, uuid, session)?;
        if let RequestKind::RouteCall { user_data, .. } = &mut kind {
            *user_data = both(&waiting.attached, user_data)?;
        }
        let key = asked.command.to_string();
        waiting.asked.insert(key.clone(), asked);
        if self.request(uuid, &key, kind) {
            return Ok(());
        }
        waiting.asked.remove(&key);
        Err("the link's queue is full".into())
    }

    /// Changes user data of a call that waits: they are kept here, for a routing point over SIP has nowhere to put them before the
    /// call is sent on. The session hears `interaction.udata.changed`.
    pub fn attach(
        &self,
        session: SessionId,
        interaction: Option<CallUuid>,
        set: &UserData,
        delete: Option<&str>,
    ) -> Result<(), String> {
        let mut state = lock(&self.inner.state);
        let uuid = which(&state, interaction, session)?;
        let waiting = owned(&mut state, uuid, session)?;
        let (mut call, mut attached) = (waiting.call.user_data.clone(), waiting.attached.clone());
        for data in [&mut call, &mut attached] {
            *data = both(data, set)?;
            if let Some(key) = delete {
                data.remove(key);
            }
        }
        waiting.call.user_data = call;
        waiting.attached = attached;
        let data = json!({ "interactionid": uuid.as_str(), "udata": waiting.call.user_data.to_object() });
        let mut out = Vec::new();
        waiting.tell(
            Event::external("interaction.udata.changed", Some(data.to_string())),
            &mut out,
        );
        self.deliver(out);
        Ok(())
    }

    /// A session is over: what still waits for it is given up.
    pub fn ended(&self, session: SessionId) {
        let mut state = lock(&self.inner.state);
        let Some(uuid) = state.sessions.remove(&session) else {
            return;
        };
        match state.calls.get_mut(&uuid) {
            // What it has asked for is under way: the call is kept until the link has answered.
            Some(w) if w.owner == Owner::Session(session) && !w.asked.is_empty() && !w.left => w.owner = Owner::Gone,
            Some(w) if w.owner == Owner::Session(session) => self.give_up(&mut state, uuid, "ended"),
            _ => {}
        }
    }
}

/// The call that a session means.
fn which(state: &State, interaction: Option<CallUuid>, session: SessionId) -> Result<CallUuid, String> {
    let own = state.sessions.get(&session).copied();
    let none = || "this session has no call, and `interactionid` names none".to_owned();
    interaction.or(own).ok_or_else(none)
}

fn owned(state: &mut State, uuid: CallUuid, session: SessionId) -> Result<&mut Waiting, String> {
    let call = state
        .calls
        .get_mut(&uuid)
        .filter(|w| w.owner == Owner::Session(session));
    call.ok_or_else(|| "unknown: the interaction is not, or no longer, this session's".to_owned())
}

/// User data with others laid over them.
fn both(under: &UserData, over: &UserData) -> Result<UserData, String> {
    let mut data = under.clone();
    for (key, value) in over.iter() {
        data.set(key, value.clone()).map_err(|e| e.to_string())?;
    }
    Ok(data)
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

/// With all that is known of the call: `_genesys.ixn.interactions` is made of it.
fn added_event(call: &Call) -> Event {
    let udata = call.user_data.to_object();
    let device = &call.this_dn.number;
    let data = json!({
        "interactionid": call.call_uuid.as_str(),
        "focusdeviceid": device,
        "interaction": {
            "g_uid": call.call_uuid.as_str(),
            "location": { "media_server": call.this_dn.switch.as_str() },
            "udata": udata,
            "xdata": {},
            "parties": { device: { "device": device, "devicetype": "routepoint" } },
            "voice": {
                "callid": call.call_id,
                "connid": call.conn_id,
                "ani": call.ani.as_deref().unwrap_or_default(),
                "dnis": call.dnis.as_deref().unwrap_or_default(),
                "type": call.call_type,
                "media": "TMediaVoice",
            },
        },
    });
    Event::external("interaction.added", Some(data.to_string()))
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
