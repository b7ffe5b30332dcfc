//! What strategies ask of the host: functional modules, as ORS has them, messages to others, and child sessions.
//!
//! ```text
//!   Command::Request  module, action --> interaction | session | ws      outcome: <module>.<action>.done
//!   Command::Send     Basic HTTP     --> another session, or the web              error.<module>.<action>
//!   Command::Invoke                  --> invoke
//! ```
//!
//! One place dispatches ([`Modules::act`]). A module answers at once, or says that it will: then it confirms the command and
//! sends the event itself, through [`Modules::done`] or [`Modules::failed`]. An error event holds `requestid`, `error` (a word or
//! a number that strategies test) and `description` (for people).

mod basic_http;
mod fetch;
mod host_data;
mod interaction;
mod invoke;
mod late;
mod outstanding;
mod session;
mod ws;

pub(crate) use basic_http::{Locations, event};
pub(crate) use session::{Order, Refusal};

use crate::calls::Calls;
use crate::outgoing::Outgoing;
use crate::programs::Programs;
use arc_swap::ArcSwap;
use outstanding::Outstanding;
use pointsman_config::Config;
use pointsman_contract::{Command, CommandId, Done, Ended, Event, MAX_EVENT_DATA, Request, SessionId};
use pointsman_session::runtime::{self, Info, Refused, Runtime};
use pointsman_store::{Outcome, Tenant};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of a description that strategies, logs and journals are given.
const MAX_DESCRIPTION: usize = 512;

/// A request's attributes and children.
type Params = Map<String, Value>;

/// The modules. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Modules(Arc<Inner>);

struct Inner {
    config: Arc<ArcSwap<Config>>,
    calls: Calls,
    programs: Programs,
    outgoing: Outgoing,
    locations: Locations,
    outstanding: Outstanding,
    late: late::Late,
    starts: session::Starts,
    replies: ws::Replies,
    made: Made,
    tasks: tokio::runtime::Handle,
}

/// A request whose outcome is to be told.
#[derive(Clone, Debug)]
struct Asked {
    command: CommandId,
    module: String,
    action: String,
    /// The strategy's own id of it.
    request: String,
}

/// What became of a request so far.
enum Progress {
    /// It is done; what the event holds besides `requestid`.
    Done(Params),
    /// The module will say.
    Later,
}

/// Why a request comes to nothing.
#[derive(Clone, Debug, PartialEq)]
struct Problem {
    /// For strategies.
    error: Value,
    /// For people.
    description: String,
}

impl Problem {
    fn new(error: &str, description: impl Into<String>) -> Self {
        Problem {
            error: error.into(),
            description: description.into(),
        }
    }

    /// The request itself is wrong.
    fn invalid(description: impl Into<String>) -> Self {
        Problem::new("invalidattribute", description)
    }
}

/// The last request that each live session has made. They come in order, so one that is not later comes again: a host repeats
/// what it cannot know to be done, and it is to be carried out once.
#[derive(Default)]
struct Made(Mutex<HashMap<SessionId, CommandId>>);

impl Made {
    fn is_new(&self, command: CommandId) -> bool {
        let mut made = lock(&self.0);
        let before = made.get(&command.session);
        if before.is_some_and(|before| (before.seq, before.ordinal) >= (command.seq, command.ordinal)) {
            return false;
        }
        made.insert(command.session, command);
        true
    }

    fn ended(&self, session: SessionId) {
        lock(&self.0).remove(&session);
    }
}

/// A panic while this is held leaves the maps usable.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Modules {
    pub fn new(
        config: Arc<ArcSwap<Config>>,
        calls: Calls,
        programs: Programs,
        outgoing: Outgoing,
        locations: Locations,
    ) -> Self {
        Modules(Arc::new(Inner {
            config,
            calls,
            programs,
            outgoing,
            locations,
            outstanding: Outstanding::default(),
            late: late::Late::default(),
            starts: session::Starts::default(),
            replies: ws::Replies::default(),
            made: Made::default(),
            tasks: tokio::runtime::Handle::current(),
        }))
    }

    pub(crate) fn runtime(&self) -> Result<&Runtime, String> {
        self.0.calls.runtime().ok_or_else(|| "the node is not ready".into())
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.0.programs
    }

    pub(crate) fn locations(&self) -> &Locations {
        &self.0.locations
    }

    /// Waits for what sessions that are over have sent, at most so long.
    pub(crate) async fn settled(&self, most: Duration) {
        self.0.outstanding.settled(most).await;
    }

    fn config(&self) -> Arc<Config> {
        self.0.config.load_full()
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(task);
    }

    /// Bytes that a session of this tenant may grow to.
    pub(crate) fn memory(&self, tenant: &Tenant) -> Result<usize, String> {
        let config = self.0.config.load();
        let of_config = config.tenants.iter().find(|t| t.name.as_str() == tenant.as_str());
        let of_config = of_config.ok_or_else(|| format!("tenant {tenant} is not configured"))?;
        Ok(config.limits(of_config).memory_per_session.0 as usize)
    }

    fn request(&self, session: &Info, command: CommandId, request: &Request) {
        if !self.0.made.is_new(command) {
            return;
        }
        let asked = Asked {
            command,
            module: request.module.clone(),
            action: request.action.clone(),
            request: request.id.clone(),
        };
        let params: Result<Params, _> = serde_json::from_str(&request.params);
        let acted = match params {
            Ok(params) => self.act(session, &asked, &params),
            Err(e) => Err(Problem::invalid(e.to_string())),
        };
        match acted {
            Ok(Progress::Done(data)) => self.done(session.id, &asked, data),
            Ok(Progress::Later) => {}
            Err(problem) => {
                let description = plain(&problem.description);
                tracing::debug!(session = %session.id, strategy = %session.strategy, module = asked.module, action = asked.action, why = %description, "a strategy's command cannot be carried out");
                if let Ok(runtime) = self.runtime() {
                    let what = format!("`{}.{}` is refused: {description}", asked.module, asked.action);
                    runtime.remark(session.id, &what);
                }
                self.failed(session.id, &asked, &problem);
            }
        }
    }

    /// The one table of modules and actions.
    fn act(&self, session: &Info, asked: &Asked, params: &Params) -> Result<Progress, Problem> {
        match (asked.module.as_str(), asked.action.as_str()) {
            ("interaction", _) => self.interaction(session, asked, params),
            ("session", "fetch") => self.fetch(session, asked, params),
            ("session", "start") => self.start_for(session, asked, params),
            ("session", "updatestart") => self.update_start(session, params),
            ("session", "terminate") => self.terminate(session, params),
            ("ws", "response") => self.respond(session, params),
            (module, action) => Err(Problem::new(
                "notsupported",
                format!(
                    "module `{}` has no action `{}` on this host",
                    short(module),
                    short(action)
                ),
            )),
        }
    }

    /// Tells a session that what it asked for is done.
    fn done(&self, session: SessionId, asked: &Asked, mut data: Params) {
        data.entry("requestid").or_insert_with(|| asked.request.clone().into());
        let name = format!("{}.{}.done", asked.module, asked.action);
        let event = Event::external(name, Some(Value::Object(data).to_string()));
        if let Some(why) = too_large(&event) {
            return self.failed(session, asked, &Problem::new("toolarge", why));
        }
        self.confirm(asked.command, Outcome::Done);
        self.tell(session, event);
    }

    /// Tells a session that what it asked for came to nothing.
    fn failed(&self, session: SessionId, asked: &Asked, problem: &Problem) {
        self.failed_with(session, asked, problem, Params::new());
    }

    fn failed_with(&self, session: SessionId, asked: &Asked, problem: &Problem, more: Params) {
        let description = plain(&problem.description);
        self.confirm(asked.command, Outcome::Failed(description.to_string()));
        self.tell(session, failure(asked, &problem.error, &description, more));
    }

    fn confirm(&self, command: CommandId, outcome: Outcome) {
        if let Ok(runtime) = self.runtime() {
            // A session that is over has no use for it.
            let _ended = runtime.confirm(command, outcome);
        }
    }

    fn tell(&self, session: SessionId, event: Event) {
        let Ok(runtime) = self.runtime() else { return };
        let told = self.0.late.tell(session, event, |event| runtime.report(session, event));
        match told {
            Ok(late::Told::Heard | late::Told::Waits) => {}
            Ok(late::Told::FirstWaits) => {
                let this = self.clone();
                self.spawn(async move { this.tell_late(session).await });
            }
            Err(error) => self.unheard(session, &error),
        }
    }

    /// Offers a session what waits for it, until it has taken everything.
    async fn tell_late(&self, session: SessionId) {
        let begun = std::time::Instant::now();
        let mut pause = late::FIRST_PAUSE;
        let why = loop {
            tokio::time::sleep(pause).await;
            let Ok(runtime) = self.runtime() else { return };
            match self.0.late.again(session, |event| runtime.report(session, event)) {
                Ok(late::Told::Heard) => return,
                Ok(_) if begun.elapsed() < late::MAX_WAIT => pause = (pause * 2).min(late::MAX_PAUSE),
                Ok(_) => break "its queue has been full for too long".to_owned(),
                Err(late::Unheard(why)) => break why,
            }
        };
        self.unheard(session, &late::Unheard(why));
    }

    /// An outcome will not be heard: its session would wait for it for ever.
    fn unheard(&self, session: SessionId, late::Unheard(why): &late::Unheard) {
        self.0.late.ended(session);
        if let Ok(runtime) = self.runtime() {
            let reason = format!("the outcome of a request could not be delivered: {why}");
            if runtime.terminate(session, reason).is_ok() {
                tracing::error!(%session, why, "an outcome could not be delivered: the session is ended");
            }
        }
    }
}

impl runtime::Commands for Modules {
    fn perform(&self, session: &Info, id: CommandId, command: Command) -> Result<(), Box<Refused>> {
        let result = match &command {
            Command::Request(request) => {
                self.request(session, id, request);
                Ok(())
            }
            Command::Send(send) => self.post(session, id, send),
            Command::Invoke(invoke) => self.invoke(session, id, invoke),
            Command::Cancel(_) | Command::CancelInvoke(_) | Command::Raise(_) => {
                Err("this is the session's own business".into())
            }
        };
        result.map_err(|reason| {
            let reason = plain(&reason).into_owned();
            Box::new(Refused { command, reason })
        })
    }

    fn ended(&self, session: &Info, ended: &Ended) {
        if let Ended::Failed(failure) = ended {
            tracing::warn!(session = %session.id, strategy = %session.strategy, version = session.version, origin = session.origin, "session ended: {failure}");
        }
        self.0.made.ended(session.id);
        self.0.replies.ended(session.id);
        self.0.outstanding.ended(session.id);
        self.0.late.ended(session.id);
        self.0.programs.ended(session.id);
        self.started_ended(session.id, ended);
        self.0.calls.ended(session.id);
    }

    fn processors(&self, session: SessionId) -> Vec<(&'static str, String)> {
        self.0.locations.processors(session, &self.0.config.load())
    }
}

/// Why a strategy cannot be given this event, where it cannot.
fn too_large(event: &Event) -> Option<String> {
    let size = event.size();
    (size > MAX_EVENT_DATA)
        .then(|| format!("the outcome takes {size} bytes; a strategy is given at most {MAX_EVENT_DATA} with an event"))
}

/// The event of a request that came to nothing. It always fits.
fn failure(asked: &Asked, error: &Value, description: &str, more: Params) -> Event {
    let name = format!("error.{}.{}", asked.module, asked.action);
    let of = |request: &str, more: Params| {
        let mut data = json!({ "requestid": request, "error": error, "description": description });
        if let Some(data) = data.as_object_mut() {
            data.extend(more);
        }
        Event::external(name.clone(), Some(data.to_string()))
    };
    let event = of(&asked.request, more);
    match too_large(&event) {
        None => event,
        // An id that long is found by what it begins with.
        Some(_) => of(cut(&asked.request, 8 << 10), Params::new()),
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A text of a strategy as a message may quote it.
fn short(text: &str) -> &str {
    cut(text, 32)
}

/// What may be said in events, journals and logs: bounded, and no location's token, which is a capability.
fn plain(text: &str) -> Cow<'_, str> {
    const BEFORE: &str = "/basichttp/";
    let mut out = Cow::Borrowed(text);
    if text.contains(BEFORE) {
        let mut parts = text.split(BEFORE);
        let mut told = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            told.push_str(BEFORE);
            told.push_str("...");
            told.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
        }
        out = Cow::Owned(told);
    }
    if out.len() > MAX_DESCRIPTION {
        out = Cow::Owned(format!("{}...", cut(&out, MAX_DESCRIPTION - 3)));
    }
    out
}

/// A value in words that say nothing of what it holds.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What a session hears of work that has failed on this side.
fn lost() -> Problem {
    Problem::new("failed", "the host could not go on with it")
}

/// `donedata` as a JSON value.
fn done_data(done: &Done) -> Option<Value> {
    serde_json::from_str(done.data.as_deref()?).ok()
}

/// A value as a text: what an author may write with or without quotation marks.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The first of these attributes that is given.
fn given<'a>(params: &'a Params, names: &[&str]) -> Option<&'a Value> {
    names
        .iter()
        .filter_map(|name| params.get(*name))
        .find(|v| !v.is_null() && v.as_str() != Some(""))
}

/// An attribute that is a text.
fn text(params: &Params, names: &[&str]) -> Result<Option<String>, Problem> {
    given(params, names)
        .map(|v| text_of(v).ok_or_else(|| Problem::invalid(format!("`{}` is {}, not a text", names[0], kind(v)))))
        .transpose()
}

/// An attribute that is a number, or a text of one.
fn number(params: &Params, name: &str) -> Result<Option<f64>, Problem> {
    given(params, &[name])
        .map(|v| {
            let number = v.as_f64().or_else(|| v.as_str()?.trim().parse().ok());
            let number = number.filter(|n| n.is_finite() && *n >= 0.0);
            number.ok_or_else(|| Problem::invalid(format!("`{name}` is {}, not a number of 0 or more", kind(v))))
        })
        .transpose()
}

/// An attribute that is a duration: seconds, or a text such as `1.5s` or `300ms` (CSS, as in W3C SCXML 6.2).
fn duration(params: &Params, name: &str) -> Result<Option<std::time::Duration>, Problem> {
    let text = given(params, &[name]).and_then(Value::as_str).map(str::trim);
    let scaled = text.and_then(|text| match text.strip_suffix("ms") {
        Some(number) => Some((number, 0.001)),
        None => text.strip_suffix('s').map(|number| (number, 1.0)),
    });
    let seconds = match scaled {
        Some((number, scale)) => {
            let number: Option<f64> = number.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0);
            let number = number.ok_or_else(|| Problem::invalid(format!("`{name}` is no duration such as 2s or 150ms")));
            Some(number? * scale)
        }
        None => number(params, name)?,
    };
    let of = |s: f64| std::time::Duration::try_from_secs_f64(s).map_err(|e| Problem::invalid(format!("`{name}`: {e}")));
    seconds.map(of).transpose()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;

    #[test]
    fn a_request_that_is_repeated_is_carried_out_once() {
        let made = Made::default();
        let (one, other) = (SessionId::from_random([1; 20]), SessionId::from_random([2; 20]));
        let command = |session, seq, ordinal| CommandId {
            session,
            seq: pointsman_contract::Seq(seq),
            ordinal,
        };
        for (session, seq, ordinal, new) in [
            (one, 3, 0, true),
            (one, 3, 0, false),
            (one, 3, 1, true),
            (one, 3, 0, false),
            (other, 3, 0, true),
            (one, 9, 0, true),
            (one, 3, 1, false),
        ] {
            assert_eq!(
                made.is_new(command(session, seq, ordinal)),
                new,
                "{session} {seq} {ordinal}"
            );
        }
        made.ended(one);
        assert!(lock(&made.0).len() == 1);
    }

    #[test]
    fn the_event_of_a_failure_fits_whatever_it_is_of() {
        let asked = |request: &str| Asked {
            command: CommandId {
                session: SessionId::from_random([1; 20]),
                seq: pointsman_contract::Seq(1),
                ordinal: 0,
            },
            module: "session".into(),
            action: "fetch".into(),
            request: request.into(),
        };
        let more = || Params::from_iter([("sessionid".to_owned(), json!("x"))]);
        let of = |request: &str| {
            failure(
                &asked(request),
                &json!("start"),
                &plain(&"\u{1}\u{e4}".repeat(9000)),
                more(),
            )
        };
        let event = of("r");
        assert!(too_large(&event).is_none());
        let data: Value = serde_json::from_str(&event.data.unwrap()).unwrap();
        assert_eq!(
            (&data["requestid"], &data["error"], &data["sessionid"]),
            (&json!("r"), &json!("start"), &json!("x"))
        );
        assert!(data["description"].as_str().unwrap().len() <= MAX_DESCRIPTION);
        let event = of(&"\u{1}".repeat(60_000));
        assert!(too_large(&event).is_none() && event.name == "error.session.fetch");
    }

    #[test]
    fn what_is_said_has_no_token_of_a_location() {
        let told = plain("https://h/scxml/session/S/basichttp/0123abcd?x and /basichttp/ff: no");
        assert_eq!(told, "https://h/scxml/session/S/basichttp/...?x and /basichttp/...: no");
        assert_eq!(plain("as it is"), "as it is");
    }

    #[test]
    fn attributes_are_what_authors_write() {
        let params =
            json!({ "a": "1.5", "b": 2, "c": "300ms", "d": "1.5s", "e": null, "f": "", "g": [1], "h": "soon" });
        let Value::Object(params) = params else { unreachable!() };
        assert_eq!(number(&params, "a").unwrap(), Some(1.5));
        assert_eq!(number(&params, "e").unwrap(), None);
        assert!(number(&params, "h").is_err());
        for (name, expected) in [("a", 1500), ("b", 2000), ("c", 300), ("d", 1500)] {
            assert_eq!(
                duration(&params, name).unwrap(),
                Some(Duration::from_millis(expected)),
                "{name}"
            );
        }
        assert!(duration(&params, "h").is_err() && duration(&params, "g").is_err());
        assert_eq!(text(&params, &["e", "f", "b"]).unwrap().as_deref(), Some("2"));
        assert!(text(&params, &["g"]).is_err());
    }
}
