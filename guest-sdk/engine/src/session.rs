//! The one session of this instance: its state, and the frame around a call.

use crate::event::{self, Data, Queued};
use crate::exports_types::{Event, EventKind, Failure, Inspection, Moment, StartInfo, Step, TraceEntry};
use crate::invoke::Invoked;
use crate::js::{global, Thrown, Value};
use crate::output::{self, failure};
use crate::realm::{self, Compiled};
use crate::{dom, exports_types, heap, ors, processors};
use pointsman_chart::{Bits, Chart, Content, Limits, State, StateId, StateKind};
use std::rc::Rc;

/// Why executable content or the algorithm stopped.
pub enum Stop {
    /// An error of the document: raises `error.execution` or its like, and the session goes on.
    Error {
        /// Event name.
        event: &'static str,
        /// What happened.
        message: String,
    },
    /// The session cannot go on.
    Limit(Failure),
    /// The same, and the message already says where in the document.
    Placed(Failure),
}

impl From<Failure> for Stop {
    fn from(f: Failure) -> Self {
        Stop::Limit(f)
    }
}

impl From<Thrown> for Stop {
    fn from(t: Thrown) -> Self {
        if heap::take_refused() {
            return Stop::Limit(out_of_memory());
        }
        if let Some(broken) = ors::take_broken() {
            return Stop::Limit(broken);
        }
        if t.overflow {
            return Stop::Limit(failure("stack-limit", format!("the script's stack ran out: {}", t.text)));
        }
        Stop::Error { event: "error.execution", message: t.text }
    }
}

fn out_of_memory() -> Failure {
    let limit = session().map_or(0, |s| s.limits.memory);
    failure("out-of-memory", format!("the session asked for more than its {limit} bytes of memory"))
}

/// A session, from the deployed skeleton to its end.
pub struct Session {
    /// The tables.
    pub chart: &'static Chart,
    /// One for each of the chart's sources.
    pub compiled: Vec<Compiled>,
    /// Bounds.
    pub limits: Limits,
    /// Active states.
    pub configuration: Bits,
    /// States that have no others in them.
    pub leaves: Bits,
    /// States with transitions that need no event.
    pub eventless: Bits,
    /// How often each state was entered in this call, where that is bounded.
    pub entries: Vec<u32>,
    /// What histories remember.
    pub history: Vec<(StateId, Vec<StateId>)>,
    /// States entered at least once, for late binding.
    pub entered: Bits,
    /// Not yet in a top-level final.
    pub running: bool,
    /// `_sessionid`.
    pub id: String,
    /// Data items, the first ones, that have their values since the deployment.
    pub bound: usize,
    /// JSON of the data of the top-level final that was reached.
    pub done_data: Option<String>,
    /// Microsteps of the current call.
    pub microsteps: u32,
    /// States entered in this macrostep that invoke something.
    pub to_invoke: Bits,
    /// Invocations that live.
    pub invoked: Vec<Invoked>,
    /// Atomic states as last reported.
    reported: Vec<StateId>,
    /// Event names of the chart, so that they are not copied at every raise.
    pub error_execution: Rc<str>,
}

static mut SESSION: Option<Session> = None;

/// The session, once the tables are loaded.
pub fn session() -> Option<&'static mut Session> {
    unsafe { (*&raw mut SESSION).as_mut() }
}

/// Is the state with this id active? (`In()`)
pub fn is_active(id: &str) -> bool {
    session().is_some_and(|s| s.configuration.iter().any(|state| s.chart.states[usize::from(state)].id == id))
}

/// Puts a session that has not begun into this instance.
pub fn install(chart: Chart, limits: Limits) -> Result<(), Thrown> {
    let chart: &'static Chart = Box::leak(Box::new(chart));
    let compiled = chart.sources.iter().map(realm::compile).collect();
    let states = chart.states.len();
    let those = |which: fn(&State) -> bool| {
        let mut set = Bits::new(states);
        chart.states.iter().enumerate().filter(|(_, s)| which(s)).for_each(|(i, _)| drop(set.insert(i as StateId)));
        set
    };
    let mut session = Session {
        chart,
        compiled,
        limits,
        configuration: Bits::new(states),
        leaves: those(|s| matches!(s.kind, StateKind::Atomic | StateKind::Final)),
        eventless: those(|s| !s.eventless.is_empty()),
        history: Vec::new(),
        entered: Bits::new(states),
        entries: Vec::new(),
        running: false,
        id: String::new(),
        bound: 0,
        done_data: None,
        microsteps: 0,
        to_invoke: Bits::new(states),
        invoked: Vec::new(),
        reported: Vec::new(),
        error_execution: "error.execution".into(),
    };
    // Before anything of an author's has a name: an item may be called `Object`.
    if chart.ors {
        ors::install(chart)?;
    }
    if chart.data.iter().any(|d| matches!(d.value, Content::Xml(_))) {
        dom::prepare()?;
    }
    let global = global();
    global.set_constant("_name", Value::string(&chart.name)?)?;
    // Every item exists from the start, whatever the binding (W3C SCXML 5.3.3).
    let mut is_new = Vec::new();
    for data in &chart.data {
        let identifier = is_identifier(&data.id);
        is_new.push(identifier && !global.has_own(&data.id));
        if identifier {
            global.set(&data.id, Value::undefined())?;
        }
    }
    // Nothing of an author's may run here, but a literal is the same value in every session. Only those before the first
    // expression: an expression must not see items that come after it. And only what would be set without an error.
    for (data, is_new) in chart.data.iter().zip(is_new) {
        let location = &session.compiled[usize::from(chart.expressions[usize::from(data.location)].source)];
        let plain = is_new && matches!(location, Compiled::Ready(_)) && (data.top_level || !chart.late_binding);
        let Some(value) = plain.then(|| literal(chart, &data.value)).flatten() else { break };
        global.set(&data.id, value)?;
        session.bound += 1;
    }
    unsafe { *&raw mut SESSION = Some(session) };
    Ok(())
}

/// The value of what needs no evaluation: nothing, text, and JSON, which is an expression's own value too.
fn literal(chart: &Chart, content: &Content) -> Option<Value> {
    match content {
        Content::None => Some(Value::undefined()),
        Content::Text(text) => Value::string(text).ok(),
        Content::Json(json) => Value::parse(json).ok(),
        Content::Xml(text) => xml(text).ok(),
        // The one name that means something else in a literal, however it is written.
        Content::Expr(e) if chart.text(*e).contains("__proto__") || chart.text(*e).contains("\\u") => None,
        Content::Expr(e) => Value::parse(chart.text(*e)).ok(),
    }
}

/// The DOM object of a text of the document; the text where it is no XML.
pub fn xml(text: &str) -> Result<Value, Thrown> {
    dom::parse(text)?.map_or_else(|| Value::string(text), Ok)
}

/// A name that can be made a global variable.
pub fn is_identifier(id: &str) -> bool {
    let mut chars = id.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$')
}

/// Runs one call: sets its moment, collects its output, turns limits into failures.
pub fn call(moment: Moment, f: impl FnOnce(&mut Session) -> Result<(), Failure>) -> Result<Step, Failure> {
    realm::set_moment(moment.now_ms, moment.seed);
    let Some(s) = session() else {
        return Err(failure("internal", "this image holds no chart".into()));
    };
    output::begin(moment.trace);
    s.microsteps = 0;
    s.entries.clear();
    let result = match f(s) {
        Ok(()) => s.settle(),
        failed => failed,
    };
    // A script may have caught the error that a refused allocation throws: the session is over all the same.
    if heap::take_refused() {
        return Err(out_of_memory());
    }
    if let Some(broken) = ors::take_broken() {
        return Err(broken);
    }
    result?;
    let out = output::take();
    let active = s.changed_active();
    let done = match s.running {
        true => None,
        false => Some(exports_types::Done { data: s.done_data.take() }),
    };
    heap::collect_if_full();
    Ok(Step { commands: out.commands, log: out.log, active, done, trace: out.trace })
}

/// Bytes of JSON that are shown of one item: a view is for reading.
const MAX_SHOWN: usize = 256 << 10;

/// Shows the session at rest. Nothing of an author's runs: no `toJSON`, no getter, no proxy's trap. So looking changes nothing.
pub fn inspect() -> Inspection {
    let Some(s) = session() else {
        return Inspection { configuration: Vec::new(), datamodel: "{}".into() };
    };
    let configuration = s.configuration.iter().filter(|i| *i != 0).map(|i| s.state(i).id.clone()).collect();
    let global = global();
    let mut datamodel = String::from("{");
    for data in &s.chart.data {
        if datamodel.len() > 1 {
            datamodel.push(',');
        }
        datamodel.push_str(&quote(&data.id));
        datamodel.push(':');
        datamodel.push_str(&global.own_data(&data.id).map_or_else(|| quote("undefined"), |v| shown(&v)));
    }
    datamodel.push('}');
    // Looking at a session that is nearly full may run into its limit; that must not end it at its next event.
    heap::take_refused();
    Inspection { configuration, datamodel }
}

/// A value as JSON; what JSON cannot carry as its text. Whole members that are too deep or too many are left out.
fn shown(value: &Value) -> String {
    let mut view = View { text: String::new(), left: MAX_SHOWN, around: Vec::new() };
    view.value(value);
    view.text
}

/// Objects inside one another that are shown.
const MAX_SHOWN_DEPTH: usize = 32;

struct View {
    text: String,
    /// Bytes that may still be written, about.
    left: usize,
    /// Objects that the one being shown stands in.
    around: Vec<Value>,
}

impl View {
    fn put(&mut self, text: &str) {
        self.left = self.left.saturating_sub(text.len());
        self.text.push_str(text);
    }

    fn string(&mut self, text: &str) {
        if text.len() <= self.left {
            return self.put(&quote(text));
        }
        let end = (0..=self.left).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        self.put(&quote(&format!("{}... ({} bytes)", &text[..end], text.len())));
    }

    fn value(&mut self, value: &Value) {
        if value.is_proxy() {
            return self.string("[proxy]");
        }
        if !value.is_object() {
            // Of what is no object neither the text nor the JSON asks a script.
            return match value.primitive_json() {
                Some(json) => self.put(&json),
                None => {
                    let text = value.text().unwrap_or_else(|t| t.text);
                    self.string(&text);
                }
            };
        }
        if let Some(text) = value.own_text() {
            return self.string(&text);
        }
        if dom::is_node(value) {
            return self.string("[XML]");
        }
        if self.around.iter().any(|a| a.is(value)) {
            return self.string("[circular]");
        }
        if self.around.len() >= MAX_SHOWN_DEPTH || self.left == 0 {
            return self.string("...");
        }
        self.around.push(value.clone());
        let list = value.is_array();
        self.put(if list { "[" } else { "{" });
        let mut first = true;
        for key in value.keys().unwrap_or_default() {
            if self.left == 0 {
                break;
            }
            let member = value.own_data(&key);
            // As JSON: functions and what is undefined are no members of objects.
            if !list && member.as_ref().is_some_and(|m| m.is_undefined() || m.is_function()) {
                continue;
            }
            if !core::mem::take(&mut first) {
                self.put(",");
            }
            if !list {
                self.string(&key);
                self.put(":");
            }
            match member {
                Some(m) if m.is_undefined() => self.put("null"),
                Some(m) => self.value(&m),
                None => self.string("[getter]"),
            }
        }
        self.put(if list { "]" } else { "}" });
        self.around.pop();
    }
}

/// Counter of generated ids. By itself, as scripts take ids as well while the session is at work.
static mut IDS: u32 = 0;

/// A new id, unique in this session.
pub fn new_id(prefix: &str) -> String {
    unsafe {
        IDS += 1;
        format!("{prefix}.{}", *&raw const IDS)
    }
}

/// Adds an event to the internal queue.
pub fn enqueue(limits: &Limits, event: Queued) -> Result<(), Failure> {
    let queue = event::queue();
    if queue.len() >= limits.internal_queue as usize {
        let n = limits.internal_queue;
        return Err(failure("queue-limit", format!("more than {n} internal events waiting (last: {})", event.name)));
    }
    queue.push_back(event);
    Ok(())
}

impl Session {
    /// A state of the chart.
    #[inline]
    pub fn state(&self, i: StateId) -> &'static pointsman_chart::State {
        &self.chart.states[usize::from(i)]
    }

    /// Adds an event to the internal queue.
    pub fn enqueue(&mut self, event: Queued) -> Result<(), Failure> {
        enqueue(&self.limits, event)
    }

    /// An error event, as W3C SCXML 5.10.1 wants it: at the end of the internal queue.
    pub fn raise_error(
        &mut self,
        event: &'static str,
        at: pointsman_chart::Position,
        message: String,
        sendid: Option<String>,
    ) -> Result<(), Failure> {
        let file = self.chart.files.get(usize::from(at.file)).map_or("", String::as_str);
        let place = format!("{file}:{}:{}", at.line, at.column);
        output::of_call().failed(format!("{place}: {message}"));
        let name = if event == "error.execution" { self.error_execution.clone() } else { event.into() };
        let mut e = Queued::new(name, EventKind::Platform);
        e.sendid = sendid;
        e.data = Data::Json(format!("{{\"message\":{},\"at\":{}}}", quote(&message), quote(&place)));
        self.enqueue(e)
    }

    /// A new id, unique in this session.
    pub fn new_id(&mut self, prefix: &str) -> String {
        new_id(prefix)
    }

    /// The contract's `start`.
    pub fn start(&mut self, info: StartInfo) -> Result<(), Failure> {
        if self.running || !self.id.is_empty() {
            return Err(failure("start", "the session has already begun".into()));
        }
        let as_start = |t: Thrown| failure("start", t.text);
        processors::set(info.io_processors);
        let id = Value::string(&info.session_id).map_err(as_start)?;
        global().set_constant("_sessionid", id).map_err(as_start)?;
        self.id = info.session_id;
        let params = match info.params.as_str() {
            "" | "{}" => None,
            text => Some(Value::parse(text).map_err(|t| failure("start", format!("start parameters: {}", t.text)))?),
        };
        self.interpret(params.as_ref())
    }

    /// The contract's `handle`.
    pub fn handle(&mut self, event: Event) -> Result<(), Failure> {
        if !self.running {
            return Err(failure("internal", "an event for a session that is not running".into()));
        }
        let queued = Queued {
            name: event.name.into(),
            kind: event.kind,
            data: Data::of(event.data, event.xml),
            sendid: event.sendid,
            origin: event.origin,
            origintype: event.origintype,
            invokeid: event.invokeid,
            raw: event.raw,
        };
        self.external(queued)
    }

    fn changed_active(&mut self) -> Option<Vec<String>> {
        if self.reported.iter().copied().eq(self.configuration.common(&self.leaves)) {
            return None;
        }
        self.reported = self.configuration.common(&self.leaves).collect();
        Some(self.reported.iter().map(|i| self.state(*i).id.clone()).collect())
    }

    /// Runs the promise jobs that the step has left. One that throws is an error like any other, and its event is
    /// handled before the call ends; only limits end the session.
    fn settle(&mut self) -> Result<(), Failure> {
        // Nobody knows any more which element made the job: the document stands for it.
        let at = self.chart.transitions[usize::from(self.chart.initial)].at;
        loop {
            while let Some(ran) = realm::run_job() {
                if let Err(thrown) = ran {
                    self.stopped(thrown.into(), at, None)?;
                    if !self.running {
                        event::queue().clear();
                    }
                }
            }
            if !self.running || event::queue().is_empty() {
                return Ok(());
            }
            self.macrostep()?;
        }
    }

    /// Makes `event` the current one.
    pub fn set_event(&mut self, event: Queued) {
        output::of_call().trace(|| TraceEntry::Event(event.name.to_string()));
        event::set_current(event);
    }
}

/// A text as a JSON string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
