//! Module `session`: sessions that strategies start, now or later, and end. REST's `start` goes the same way.
//!
//! ```text
//!   start --> an id, session.start.done --> (idealtime, delay) --> document found --> running --> done.start.<id> to the starter
//!                                             |    ^                      |
//!                                terminate <--+    +-- updatestart        +--> error.session.start
//! ```
//!
//! `session.start.done` says that a start that is due now has happened, or that a later one is arranged; one that then comes to
//! nothing is `error.session.start`. Later starts are in memory: they end with the process.

use super::{
    Asked, Modules, Params, Problem, Progress, done_data, duration, given, kind, lock, number, plain, text, too_large,
};
use crate::programs::{Found, NamedBy, Turn};
use crate::script;
use pointsman_config as config;
use pointsman_contract::{Ended, Event, SessionId};
use pointsman_session::runtime::{self, Info};
use pointsman_store::Tenant;
use pointsman_web::url::Url;
use pointsman_web::{Web, shown_text};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::AbortHandle;

/// Starts that are arranged for a time to come; and, counted by themselves, those that are due and wait for their document.
const MAX_STARTS: usize = 10_000;

/// The same, of one tenant, and bytes of what its sessions are to be started with.
const MAX_STARTS_OF_TENANT: usize = MAX_STARTS / 4;
const MAX_BYTES_OF_TENANT: usize = 16 << 20;

/// Starts of one session that wait for whatever.
const MAX_STARTS_OF_SESSION: usize = 64;

/// How far ahead a start may be arranged.
const MAX_AHEAD: Duration = Duration::from_secs(366 * 24 * 3600);

/// How long at a time is slept: a clock that is set is noticed.
const NAP: Duration = Duration::from_secs(30);

/// How long a document may take that no script bounds (ORS `fetch-timeout`).
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// What is to be started.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub tenant: Tenant,
    /// As it was written: a name, `strategy:`, `script:`, `file:`, `http:`, `https:`.
    pub src: String,
    pub params: Params,
    /// For operators: who starts it.
    pub origin: String,
}

/// Why nothing is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The document, or what it is started with.
    NotStarted(String),
    /// This node takes no more sessions now.
    NotServing(String),
    /// Somebody has taken it back.
    TakenBack,
}

impl Refusal {
    fn why(&self) -> &str {
        match self {
            Refusal::NotStarted(why) | Refusal::NotServing(why) => why,
            Refusal::TakenBack => "it was taken back",
        }
    }
}

impl From<runtime::Error> for Refusal {
    fn from(error: runtime::Error) -> Self {
        match error {
            runtime::Error::Draining
            | runtime::Error::TooManySessions { .. }
            | runtime::Error::TooManySessionsOfTenant { .. } => Refusal::NotServing(error.to_string()),
            other => Refusal::NotStarted(other.to_string()),
        }
    }
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Elsewhere(config::ResolvedDocument),
    Script(config::ScriptName),
}

/// A session that has asked for a start.
#[derive(Clone, Debug)]
struct Starter {
    session: SessionId,
    asked: Asked,
    /// It has heard that the start is arranged.
    told: bool,
}

/// A start that has not happened yet.
struct Pending {
    order: Order,
    base: Option<Url>,
    starter: Option<Starter>,
    /// It was arranged for a time to come.
    later: bool,
    /// Bytes of what it is started with.
    bytes: usize,
    waiting: Option<Waiting>,
    /// It was taken back while its document is fetched.
    cancelled: bool,
}

/// It waits for its time.
struct Waiting {
    /// Of the task: one that was stopped too late finds another.
    generation: u64,
    task: AbortHandle,
}

/// Starts, and who has started whom.
#[derive(Default)]
pub(super) struct Starts {
    pending: Mutex<AllPending>,
    /// Live sessions by the session that has started them. Held while one starts and its starter is told: it may end at once.
    starters: Mutex<HashMap<SessionId, SessionId>>,
}

#[derive(Default)]
struct AllPending {
    by_id: HashMap<SessionId, Pending>,
    generations: u64,
}

impl AllPending {
    fn of(&self, starter: SessionId) -> usize {
        let is_its = |p: &&Pending| p.starter.as_ref().is_some_and(|s| s.session == starter);
        self.by_id.values().filter(is_its).count()
    }

    /// Is there room for one more?
    fn admit(&self, tenant: &Tenant, starter: Option<SessionId>, later: bool, bytes: usize) -> Result<(), String> {
        let (mut all, mut of_tenant, mut of_bytes) = (0, 0, bytes);
        for pending in self.by_id.values().filter(|p| p.later == later) {
            all += 1;
            if pending.order.tenant == *tenant {
                of_tenant += 1;
                of_bytes += pending.bytes;
            }
        }
        if all >= MAX_STARTS {
            return Err(format!("{MAX_STARTS} starts wait already: try again later"));
        }
        if of_tenant >= MAX_STARTS_OF_TENANT {
            return Err(format!(
                "{MAX_STARTS_OF_TENANT} starts of this tenant wait already: try again later"
            ));
        }
        if of_bytes > MAX_BYTES_OF_TENANT {
            return Err(format!(
                "the parameters of this tenant's starts take {MAX_BYTES_OF_TENANT} bytes already"
            ));
        }
        if starter.is_some_and(|starter| self.of(starter) >= MAX_STARTS_OF_SESSION) {
            return Err(format!("{MAX_STARTS_OF_SESSION} starts of this session wait already"));
        }
        Ok(())
    }
}

/// A start that is carried out. However that ends, its place is given back and whoever waits for it hears of it.
struct Carried {
    modules: Modules,
    id: SessionId,
    starter: Option<Starter>,
    /// Why it came to nothing; `None`: it has its session.
    why: Option<String>,
}

impl Drop for Carried {
    fn drop(&mut self) {
        lock(&self.modules.0.starts.pending).by_id.remove(&self.id);
        let Some(why) = &self.why else { return };
        if let Some(starter) = &self.starter {
            let problem = Problem::new("start", why.as_str());
            let more = Params::from_iter([("sessionid".to_owned(), json!(self.id))]);
            self.modules
                .failed_with(starter.session, &starter.asked, &problem, more);
        }
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

impl Modules {
    /// `<session:start>`.
    pub(super) fn start_for(&self, session: &Info, asked: &Asked, params: &Params) -> Result<Progress, Problem> {
        for name in ["content", "hints"] {
            if given(params, &[name]).is_some() {
                let why = format!("`{name}` of `session:start` is not supported on this host: leave it out");
                return Err(Problem::new("notsupported", why));
            }
        }
        let src = text(params, &["src", "srcexpr"])?.ok_or_else(|| Problem::invalid("`src` is missing"))?;
        let fields = match params.get("params") {
            None | Some(Value::Null) => Params::new(),
            Some(Value::Object(fields)) => fields.clone(),
            Some(other) => return Err(Problem::invalid(format!("`params` is {}, not an object", kind(other)))),
        };
        let base = self.0.programs.base(session.id);
        document(&src, base.as_ref()).map_err(|why| Problem::new("invalidsrc", why))?;
        let at_ms = due(params)?;
        let order = Order {
            tenant: session.tenant.clone(),
            src,
            params: fields,
            origin: format!("start:{}", session.id),
        };
        let later = at_ms.filter(|at| *at > now_ms());
        let starter = Starter {
            session: session.id,
            asked: asked.clone(),
            told: later.is_some(),
        };
        let id = self.arrange(order, base, Some(starter), later);
        let id = id.map_err(|refusal| Problem::new("overload", refusal.why()))?;
        match later {
            None => Ok(Progress::Later),
            Some(at_ms) => {
                let data = json!({ "sessionid": id, "idealtime": at_ms });
                Ok(Progress::Done(data.as_object().cloned().unwrap_or_default()))
            }
        }
    }

    /// Starts a session now.
    ///
    /// # Errors
    /// When its document cannot be had, or there is no place for it.
    pub async fn start_now(&self, order: Order) -> Result<SessionId, Refusal> {
        let id = self.new_id()?;
        self.begin(id, order, None, None, false).await?;
        Ok(id)
    }

    /// Starts a session at a time to come; its id is its own already.
    ///
    /// # Errors
    /// When the order is wrong, or too many wait.
    pub fn start_later(&self, order: Order, at_ms: u64) -> Result<SessionId, Refusal> {
        document(&order.src, None).map_err(Refusal::NotStarted)?;
        if at_ms.saturating_sub(now_ms()) > MAX_AHEAD.as_millis() as u64 {
            return Err(Refusal::NotStarted(too_far()));
        }
        self.arrange(order, None, None, Some(at_ms))
    }

    fn new_id(&self) -> Result<SessionId, Refusal> {
        let runtime = self.runtime().map_err(Refusal::NotServing)?;
        Ok(runtime.new_id()?)
    }

    /// Whose start is waiting under this id.
    pub fn scheduled(&self, id: SessionId) -> Option<Tenant> {
        let pending = lock(&self.0.starts.pending);
        let waiting = pending.by_id.get(&id).filter(|p| !p.cancelled);
        waiting.map(|p| p.order.tenant.clone())
    }

    /// Takes a start back. False where none waits.
    pub fn cancel_start(&self, id: SessionId) -> bool {
        let mut pending = lock(&self.0.starts.pending);
        let Some(entry) = pending.by_id.get_mut(&id).filter(|p| !p.cancelled) else {
            return false;
        };
        match &entry.waiting {
            Some(waiting) => {
                waiting.task.abort();
                pending.by_id.remove(&id);
            }
            // It has begun: whoever fetches its document finds this.
            None => entry.cancelled = true,
        }
        true
    }

    /// Has a start happen at its time, or at once.
    fn arrange(
        &self,
        order: Order,
        base: Option<Url>,
        starter: Option<Starter>,
        at_ms: Option<u64>,
    ) -> Result<SessionId, Refusal> {
        let id = self.new_id()?;
        let bytes = Value::Object(order.params.clone()).to_string().len();
        let mut pending = lock(&self.0.starts.pending);
        let later = at_ms.is_some();
        let of = starter.as_ref().map(|s| s.session);
        let admitted = pending.admit(&order.tenant, of, later, bytes);
        admitted.map_err(Refusal::NotServing)?;
        let entry = Pending {
            order,
            base,
            starter,
            later,
            bytes,
            waiting: None,
            cancelled: false,
        };
        pending.by_id.insert(id, entry);
        self.wait(&mut pending, id, at_ms.unwrap_or(0));
        Ok(id)
    }

    /// Makes a task that waits for the time of a start.
    fn wait(&self, pending: &mut AllPending, id: SessionId, at_ms: u64) {
        pending.generations += 1;
        let generation = pending.generations;
        let Some(entry) = pending.by_id.get_mut(&id) else {
            return;
        };
        let this = self.clone();
        let task = self.0.tasks.spawn(async move {
            loop {
                let left = Duration::from_millis(at_ms.saturating_sub(now_ms()));
                if left.is_zero() {
                    break;
                }
                tokio::time::sleep(left.min(NAP)).await;
            }
            this.due(id, generation).await;
        });
        let waiting = Waiting {
            generation,
            task: task.abort_handle(),
        };
        if let Some(before) = entry.waiting.replace(waiting) {
            before.task.abort();
        }
    }

    /// The time of a start has come.
    async fn due(&self, id: SessionId, generation: u64) {
        let taken = {
            let mut pending = lock(&self.0.starts.pending);
            let entry = pending.by_id.get_mut(&id);
            let entry = entry.filter(|p| p.waiting.as_ref().is_some_and(|w| w.generation == generation));
            // From here on it cannot be moved, only taken back.
            entry.map(|p| {
                p.waiting = None;
                (p.order.clone(), p.base.clone(), p.starter.clone())
            })
        };
        let Some((order, base, starter)) = taken else { return };
        let (tenant, src) = (order.tenant.clone(), order.src.clone());
        let mut carried = Carried {
            modules: self.clone(),
            id,
            starter: starter.clone(),
            why: Some(super::lost().description),
        };
        carried.why = match self.begin(id, order, base, starter.as_ref(), true).await {
            Ok(()) => None,
            // As with one that is taken back while it waits, only who has not heard of it yet is told.
            Err(Refusal::TakenBack) if starter.is_none_or(|s| s.told) => None,
            Err(refusal) => {
                let src = shown_text(&src);
                let (src, why) = (plain(&src), plain(refusal.why()));
                tracing::warn!(session = %id, %tenant, %src, %why, "a session was not started");
                Some(why.into_owned())
            }
        };
    }

    async fn begin(
        &self,
        id: SessionId,
        order: Order,
        base: Option<Url>,
        starter: Option<&Starter>,
        arranged: bool,
    ) -> Result<(), Refusal> {
        let by = if starter.is_some() {
            NamedBy::Strategy
        } else {
            NamedBy::Operator
        };
        let document = document(&order.src, base.as_ref()).map_err(Refusal::NotStarted)?;
        let (found, mut params) = self
            .find(&order.tenant, document, by)
            .await
            .map_err(Refusal::NotStarted)?;
        // What the order says wins over the script.
        params.extend(order.params);
        let params = Value::Object(params).to_string();
        let runtime = self.runtime().map_err(Refusal::NotServing)?;
        let (tenant, origin) = (order.tenant, order.origin);
        // Held until it is started: it is either taken back or there.
        let mut pending = lock(&self.0.starts.pending);
        if arranged && pending.by_id.remove(&id).is_none_or(|p| p.cancelled) {
            return Err(Refusal::TakenBack);
        }
        let mut starters = lock(&self.0.starts.starters);
        self.0
            .programs
            .start_as(runtime, id, found, |found| found.request(tenant, params, origin))?;
        if let Some(starter) = starter {
            starters.insert(id, starter.session);
            if !starter.told {
                let data = Params::from_iter([("sessionid".to_owned(), json!(id))]);
                self.done(starter.session, &starter.asked, data);
            }
        }
        Ok(())
    }

    /// Finds a document, and what a script has it started with.
    pub(super) async fn find(
        &self,
        tenant: &Tenant,
        document: Document,
        by: NamedBy,
    ) -> Result<(Found, Params), String> {
        let memory = self.memory(tenant)?;
        let programs = self.programs();
        match document {
            Document::Script(name) => {
                let scripted = {
                    let config = self.0.config.load();
                    let of_config = config.tenants.iter().find(|t| t.name.as_str() == tenant.as_str());
                    let of_config = of_config.ok_or_else(|| format!("tenant {tenant} is not configured"))?;
                    script::resolve(&config, &of_config.name, &name, &config::CallFacts::default())?
                };
                let found = programs.find_first(tenant, scripted.documents, memory, scripted.timeout);
                Ok((found.await?, scripted.params))
            }
            Document::Elsewhere(document) => {
                let found = programs.find(tenant, &document, by, Turn::InTurn, memory, FETCH_TIMEOUT);
                let found = found.await;
                Ok((found.map_err(|e| e.to_string())?, Params::new()))
            }
        }
    }

    /// `<session:updatestart>`.
    pub(super) fn update_start(&self, session: &Info, params: &Params) -> Result<Progress, Problem> {
        let at_ms = due(params)?.ok_or_else(|| Problem::invalid("neither `idealtime` nor `delay` is given"))?;
        let wanted = text(params, &["sessionid"])?;
        let request = text(params, &["requestid"])?;
        let mut pending = lock(&self.0.starts.pending);
        let named = |id: &SessionId, p: &Pending| match (&wanted, &request) {
            (Some(wanted), _) => id.as_str() == wanted,
            (None, Some(request)) => {
                let starter = p.starter.as_ref().filter(|s| s.session == session.id);
                starter.is_some_and(|s| s.asked.request == *request)
            }
            (None, None) => false,
        };
        let found = pending
            .by_id
            .iter()
            .find(|(id, p)| p.order.tenant == session.tenant && p.waiting.is_some() && named(id, p))
            .map(|(id, _)| *id);
        let found = found.ok_or_else(|| match wanted.or(request) {
            None => Problem::invalid("`sessionid` is missing: session.start.done has it"),
            Some(what) => Problem::new(
                "unknown",
                format!("no start of `{what}` waits: it has begun, or never was"),
            ),
        })?;
        self.wait(&mut pending, found, at_ms);
        let data = json!({ "sessionid": found, "idealtime": at_ms });
        Ok(Progress::Done(data.as_object().cloned().unwrap_or_default()))
    }

    /// `<session:terminate>`: of the same tenant only; to others it must look as if there were none.
    pub(super) fn terminate(&self, session: &Info, params: &Params) -> Result<Progress, Problem> {
        let wanted = text(params, &["sessionid"])?.ok_or_else(|| Problem::invalid("`sessionid` is missing"))?;
        let unknown = || Problem::new("unknown", format!("there is no session {wanted}"));
        let id: SessionId = wanted.parse().map_err(|_| unknown())?;
        let data = Params::from_iter([("sessionid".to_owned(), json!(id))]);
        if self.scheduled(id).is_some_and(|tenant| tenant == session.tenant) && self.cancel_start(id) {
            return Ok(Progress::Done(data));
        }
        let runtime = self.runtime().map_err(|why| Problem::new("notready", why))?;
        let other = runtime.get(id).ok().filter(|other| other.info.tenant == session.tenant);
        other.ok_or_else(unknown)?;
        let why = text(params, &["reason"])?.map_or_else(String::new, |why| format!(": {why}"));
        let reason = format!("terminated by session {}{why}", session.id);
        runtime.terminate(id, reason).map_err(|_| unknown())?;
        Ok(Progress::Done(data))
    }

    /// A session is over: whoever has started it hears of it.
    pub(super) fn started_ended(&self, session: SessionId, ended: &Ended) {
        let Some(starter) = lock(&self.0.starts.starters).remove(&session) else {
            return;
        };
        let data = match ended {
            Ended::Done(done) => done_data(done),
            Ended::Failed(_) | Ended::Terminated(_) => None,
        };
        let name = format!("done.start.{session}");
        let mut event = Event::external(name.clone(), data.map(|d| d.to_string()));
        if let Some(why) = too_large(&event) {
            if let Ok(runtime) = self.runtime() {
                runtime.remark(starter, &format!("`{name}` comes without data: {why}"));
            }
            event = Event::external(name, None);
        }
        self.tell(starter, event);
    }
}

fn too_far() -> String {
    format!(
        "a start can be arranged for at most {} days ahead",
        MAX_AHEAD.as_secs() / 86_400
    )
}

/// When a start is due, where that is said: `idealtime` in ms since the epoch, or `delay` from now.
fn due(params: &Params) -> Result<Option<u64>, Problem> {
    let at_ms = match number(params, "idealtime")? {
        Some(at) => Some(at as u64),
        None => duration(params, "delay")?.map(|d| now_ms().saturating_add(d.as_millis() as u64)),
    };
    match at_ms {
        Some(at) if at.saturating_sub(now_ms()) > MAX_AHEAD.as_millis() as u64 => Err(Problem::invalid(too_far())),
        at => Ok(at),
    }
}

/// Reads where a document is.
pub(super) fn document(src: &str, base: Option<&Url>) -> Result<Document, String> {
    let of_web = |url: Result<Url, pointsman_web::Error>| {
        let url = url.map_err(|e| e.to_string())?;
        Ok(Document::Elsewhere(config::ResolvedDocument::Http(url.into())))
    };
    // What a strategy names has no placeholders.
    if src.starts_with("http:") || src.starts_with("https:") {
        return of_web(Web::url(src, None));
    }
    let named = match src.split_once(':') {
        Some(_) => src.to_owned(),
        // Relative to a document that came from the web; else the name of a strategy.
        None if base.is_some() && (src.contains('/') || src.ends_with(".scxml")) => return of_web(Web::url(src, base)),
        None => format!("strategy:{src}"),
    };
    let parsed = config::DocumentRef::parse(&named).map_err(|e| format!("`{}`: {e}", shown_text(src)))?;
    match parsed
        .expand(&config::CallFacts::default())
        .map_err(|e| e.to_string())?
    {
        config::ResolvedDocument::Script(name) => Ok(Document::Script(name)),
        other => Ok(Document::Elsewhere(other)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;
    use config::ResolvedDocument as R;

    #[test]
    fn a_document_is_a_strategy_a_script_a_file_or_of_the_web() {
        let base: Url = "https://docs/app/main.scxml".parse().unwrap();
        let strategy = |name: &str, version: Option<&str>| {
            Document::Elsewhere(R::Strategy {
                name: name.parse().unwrap(),
                version: version.map(|v| v.parse().unwrap()),
            })
        };
        let web = |url: &str| Document::Elsewhere(R::Http(url.into()));
        for (src, with_base, expected) in [
            ("vip", false, strategy("vip", None)),
            ("vip@2", true, strategy("vip", Some("2"))),
            ("strategy:vip", true, strategy("vip", None)),
            (
                "script:Front Desk",
                false,
                Document::Script("Front Desk".parse().unwrap()),
            ),
            ("file:a/b.scxml", true, Document::Elsewhere(R::File("a/b.scxml".into()))),
            ("http://a/x.scxml?[ANI]", false, web("http://a/x.scxml?[ANI]")),
            ("sub.scxml", true, web("https://docs/app/sub.scxml")),
            ("../x/sub", true, web("https://docs/x/sub")),
        ] {
            assert_eq!(document(src, with_base.then_some(&base)), Ok(expected), "{src}");
        }
        for src in ["sub/x", "ftp://a/", "http://u:p@a/", "file:../x", "", "strategy:"] {
            assert!(document(src, None).is_err(), "{src}");
        }
    }

    #[test]
    fn a_tenant_and_a_session_arrange_so_many_starts_and_what_is_due_now_counts_for_itself() {
        let order = |tenant: &str| Order {
            tenant: tenant.parse().unwrap(),
            src: "x".into(),
            params: Params::new(),
            origin: String::new(),
        };
        let mut all = AllPending::default();
        let add = |all: &mut AllPending, i: usize, tenant: &str, bytes: usize| {
            let mut id = [0; 20];
            id[..8].copy_from_slice(&(i as u64).to_le_bytes());
            let entry = Pending {
                order: order(tenant),
                base: None,
                starter: None,
                later: true,
                bytes,
                waiting: None,
                cancelled: false,
            };
            all.by_id.insert(SessionId::from_random(id), entry);
        };
        let (acme, globex) = (order("acme").tenant, order("globex").tenant);
        for i in 0..MAX_STARTS_OF_TENANT {
            assert_eq!(all.admit(&acme, None, true, 0), Ok(()));
            add(&mut all, i, "acme", 0);
        }
        assert!(all.admit(&acme, None, true, 0).unwrap_err().contains("of this tenant"));
        assert_eq!(all.admit(&acme, None, false, 0), Ok(()));
        assert_eq!(all.admit(&globex, None, true, 0), Ok(()));
        add(&mut all, 1_000_000, "globex", MAX_BYTES_OF_TENANT);
        assert!(all.admit(&globex, None, true, 1).unwrap_err().contains("parameters"));
    }

    #[test]
    fn a_start_is_due_at_a_time_or_after_a_delay_and_not_in_years() {
        let of = |params: Value| due(params.as_object().unwrap());
        assert_eq!(of(json!({})), Ok(None));
        assert_eq!(of(json!({ "idealtime": "1700000000000" })), Ok(Some(1_700_000_000_000)));
        let in_a_minute = of(json!({ "delay": "60s" })).unwrap().unwrap();
        assert!((now_ms() + 50_000..=now_ms() + 60_000).contains(&in_a_minute));
        assert!(of(json!({ "idealtime": 9e15 })).is_err());
        assert!(of(json!({ "delay": "soon" })).is_err());
    }
}
