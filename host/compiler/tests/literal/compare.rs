//! Both executors on the same chart and events, what they did side by side, and the smallest chart on which they differ.

use crate::common::{MEMORY, start_info};
use crate::ecmascript::Members;
use crate::executor::{Event, Executor, Limit, MAX_TRACE, Source};
use crate::generate::{Chart, Element, Sequence};
use pointsman_compiler::{Compiler, Form, Limits};
use pointsman_contract::{self as contract, Command, Moment, TraceEntry};
use pointsman_sandbox::{NoReads, Sandbox, Strategy};
use pointsman_scxml::{Document, NoFiles, read};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Small enough that a chart without an end comes to it quickly.
pub const LIMITS: Limits = Limits {
    memory: 8 << 20,
    stack: 96 << 10,
    microsteps: 60,
    internal_queue: 80,
    commands: 200,
    log_bytes: 64 << 10,
};

/// What one call did, as far as both can tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// It broke this limit, and the session is over.
    Failed(String),
    /// It came to rest.
    Rest(Box<Rest>),
}

/// A session at rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    trace: Vec<String>,
    log: Vec<(Option<String>, String)>,
    commands: Vec<String>,
    changed: Option<Vec<String>>,
    configuration: Vec<String>,
    data: serde_json::Value,
    done: Option<Option<serde_json::Value>>,
}

/// What happened how often.
pub type Seen = BTreeMap<&'static str, u64>;

/// A sandbox, and a compiler with limits of these tests.
pub struct Engine {
    pub sandbox: Sandbox,
    pub compiler: Compiler,
}

impl Engine {
    pub fn strategy(&self, document: &Document) -> Result<Strategy, String> {
        let compiled = self
            .compiler
            .compile(document, Form::Image)
            .map_err(|e| e.to_string())?;
        self.sandbox.load(&compiled.component).map_err(|e| e.to_string())
    }

    /// A session of the engine, on this thread, which must have the stack for it.
    pub fn run(&self, strategy: &Strategy, sequence: &Sequence) -> Vec<Observed> {
        let mut instance = self.sandbox.instantiate(strategy, MEMORY).expect("a free slot");
        let moment = |seed| Moment {
            now_ms: 0,
            seed,
            trace: true,
        };
        let params = json(&sequence.params);
        let mut outcome = instance.start(moment(0), &start_info(&params), &mut NoReads);
        let mut observed = Vec::new();
        let mut events = sequence.events.iter();
        loop {
            let step = match outcome {
                Ok(outcome) => outcome.step,
                Err(failure) => {
                    observed.push(Observed::Failed(failure.code.as_str().to_owned()));
                    return observed;
                }
            };
            let done = step.done.is_some();
            let shown = instance.inspect().expect("a session at rest can be shown");
            observed.push(Observed::Rest(Box::new(Rest {
                trace: step.trace.iter().map(trace_line).collect(),
                log: step.log.into_iter().map(|l| (l.label, l.text)).collect(),
                commands: step.commands.iter().map(command_line).collect(),
                changed: step.active,
                configuration: shown.configuration,
                data: parsed(&shown.datamodel),
                done: step.done.map(|done| done.data.as_deref().map(parsed)),
            })));
            let Some(event) = events.next().filter(|_| !done) else {
                return observed;
            };
            let event = contract::Event::external(event.name.as_str(), event.data.as_ref().map(json));
            outcome = instance.handle(moment(observed.len() as u64), &event, &mut NoReads);
        }
    }
}

/// A session of the literal executor.
pub fn run_literally(source: &Source, sequence: &Sequence, seen: &mut Seen) -> Vec<Observed> {
    let mut executor = Executor::new(source, LIMITS);
    let mut observed = Vec::new();
    let mut before = Vec::new();
    let mut outcome = executor.interpret(&sequence.params);
    let mut events = sequence.events.iter();
    loop {
        if let Err(Limit(code)) = outcome {
            *executor.seen.entry(code).or_default() += 1;
            observed.push(Observed::Failed(code.to_owned()));
            break;
        }
        let step = executor.take_step();
        let done = step.done.is_some();
        let active = executor.active_atomic();
        observed.push(Observed::Rest(Box::new(Rest {
            trace: step.trace,
            log: step.log,
            commands: step.commands,
            changed: (active != before).then(|| active.clone()),
            configuration: executor.active(),
            data: executor.data(),
            done: step.done,
        })));
        before = active;
        let Some(event) = events.next().filter(|_| !done) else {
            break;
        };
        outcome = executor.event(event.clone());
    }
    for (what, n) in executor.seen {
        *seen.entry(what).or_default() += n;
    }
    observed
}

fn json(members: &Members) -> String {
    let members = members.iter().filter_map(|(name, v)| Some((name.clone(), v.json()?)));
    serde_json::Value::Object(members.collect()).to_string()
}

fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

fn trace_line(entry: &TraceEntry) -> String {
    match entry {
        TraceEntry::Event(name) => format!("event {name}"),
        TraceEntry::Transition(line) => format!("take {line}"),
        TraceEntry::Entered(id) => format!("enter {id}"),
        TraceEntry::Left(id) => format!("leave {id}"),
        // `chart.scxml:12:7: why`: only the place is the standard's business.
        TraceEntry::Failed(text) => {
            let place = text.split(": ").next().unwrap_or_default();
            format!("fail {}", place.split_once(':').map_or(place, |(_, at)| at))
        }
    }
}

fn command_line(command: &Command) -> String {
    match command {
        Command::Send(send) => {
            let data = send.data.as_deref().map(parsed);
            format!("send {} in {}ms: {data:?}", send.event, send.delay_ms)
        }
        other => format!("{other:?}"),
    }
}

/// A session in which the two did not do the same.
pub struct Difference {
    sequence: Sequence,
    engine: Vec<Observed>,
    literal: Vec<Observed>,
}

/// A chart with a session in which the two did not do the same.
pub struct Found {
    root: Element,
    difference: Difference,
}

/// The sessions of a document, until one shows a difference. `Err`: there is no such document.
pub fn compare(
    engine: &Engine,
    text: &str,
    sequences: &[Sequence],
    seen: &mut Seen,
) -> Result<Option<Difference>, String> {
    let (document, _) = read("chart.scxml", text, &NoFiles).map_err(|e| e.to_string())?;
    let strategy = engine.strategy(&document)?;
    let source = Source::new(&document);
    for sequence in sequences {
        let literal = run_literally(&source, sequence, seen);
        let ours = engine.run(&strategy, sequence);
        if literal != ours {
            return Ok(Some(Difference {
                sequence: sequence.clone(),
                engine: ours,
                literal,
            }));
        }
    }
    Ok(None)
}

/// The sessions of a generated chart, until one shows a difference.
pub fn compare_chart(engine: &Engine, chart: &Chart, seen: &mut Seen) -> Option<Found> {
    let text = chart.root.document();
    let compared = compare(engine, &text, &chart.sequences, seen);
    let difference = compared.unwrap_or_else(|e| panic!("the generator made what is no document: {e}\n{text}"))?;
    Some(Found {
        root: chart.root.clone(),
        difference,
    })
}

/// Longest that making a difference smaller may take.
const SHRINKING: Duration = Duration::from_secs(60);

/// A smaller chart with a difference: whatever can be left out is.
pub fn shrink(engine: &Engine, mut found: Found) -> Found {
    let end = Instant::now() + SHRINKING;
    let differ = |root: &Element, sequence: &Sequence| {
        let sequences = std::slice::from_ref(sequence);
        compare(engine, &root.document(), sequences, &mut Seen::new()).unwrap_or(None)
    };
    let mut better = true;
    while std::mem::take(&mut better) {
        let mut n = 0;
        while n < found.difference.sequence.events.len() {
            let mut fewer = found.difference.sequence.clone();
            fewer.events.remove(n);
            match differ(&found.root, &fewer) {
                Some(difference) => (found.difference, better) = (difference, true),
                None => n += 1,
            }
        }
        let mut n = 0;
        loop {
            let mut root = found.root.clone();
            if !leave_out(&mut root, &mut n.clone()) {
                break;
            }
            if Instant::now() > end {
                return found;
            }
            match differ(&root, &found.difference.sequence) {
                // What came behind has this number now.
                Some(difference) => {
                    found = Found { root, difference };
                    better = true;
                }
                None => n += 1,
            }
        }
    }
    found
}

/// Attributes without which a document means something that the executor does not know.
const MEANINGS: [&str; 3] = ["xmlns", "datamodel", "event"];

/// Attributes that are lists of words.
const LISTS: [&str; 3] = ["target", "initial", "event"];

/// Leaves out number `n` of what can be: a child, what is around a child's children, an attribute, a word of a list. Most of
/// what comes out is no valid document. `false`: there are not that many.
fn leave_out(element: &mut Element, n: &mut usize) -> bool {
    let mut is_it = || match *n {
        0 => true,
        _ => {
            *n -= 1;
            false
        }
    };
    for i in 0..element.children.len() {
        if is_it() {
            element.children.remove(i);
            return true;
        }
        if !element.children[i].children.is_empty() && is_it() {
            let inside = std::mem::take(&mut element.children[i].children);
            element.children.splice(i..=i, inside);
            return true;
        }
    }
    for i in 0..element.attributes.len() {
        if !MEANINGS.contains(&element.attributes[i].0) && is_it() {
            element.attributes.remove(i);
            return true;
        }
        let words: Vec<String> = element.attributes[i].1.split(' ').map(str::to_owned).collect();
        let list = LISTS.contains(&element.attributes[i].0) && words.len() > 1;
        for w in (0..words.len()).filter(|_| list) {
            if is_it() {
                let mut fewer = words;
                fewer.remove(w);
                element.attributes[i].1 = fewer.join(" ");
                return true;
            }
        }
    }
    element.children.iter_mut().any(|child| leave_out(child, n))
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.root.document(), self.difference)
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Sequence { params, events } = &self.sequence;
        let events: Vec<String> = events.iter().map(event_text).collect();
        writeln!(f, "started with {}, then: {}\n", json(params), events.join(", "))?;
        for (who, observed) in [("the engine", &self.engine), ("the literal executor", &self.literal)] {
            writeln!(f, "{who}:\n{}", log_of(observed))?;
        }
        Ok(())
    }
}

fn event_text(event: &Event) -> String {
    match &event.data {
        Some(data) => format!("{} {}", event.name, json(data)),
        None => event.name.clone(),
    }
}

/// What an executor did, as text.
pub fn log_of(observed: &[Observed]) -> String {
    let mut out = String::new();
    for (i, step) in observed.iter().enumerate() {
        let _ = writeln!(out, "  call {i}:");
        match step {
            Observed::Failed(code) => {
                let _ = writeln!(out, "    failed: {code}");
            }
            Observed::Rest(rest) => {
                assert!(rest.trace.len() <= MAX_TRACE);
                let _ = writeln!(out, "    {}", rest.trace.join("; "));
                let log = rest.log.iter().map(|(label, text)| match label {
                    Some(label) => format!("{label}: {text}"),
                    None => text.clone(),
                });
                let _ = writeln!(out, "    log {:?}", log.collect::<Vec<_>>());
                let _ = writeln!(out, "    commands {:?}", rest.commands);
                let _ = writeln!(out, "    active {:?}, changed {:?}", rest.configuration, rest.changed);
                let _ = writeln!(out, "    data {}, done {:?}", rest.data, rest.done);
            }
        }
    }
    out
}
