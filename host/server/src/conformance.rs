//! W3C's SCXML tests, run as the server runs strategies: compiled, each session in its own sandbox, on the session runtime, in
//! real time. All of a suite run side by side; a test's delays are never shortened.
//!
//! Tests that a person is to judge are judged by what is written down in [`oracle`]: their logs, states, traces, and whether
//! they are loaded at all. Where the suite has a variant of such a test that judges itself, that has to pass as well.

mod oracle;

use oracle::{Ran, Unstarted, oracle};
use pointsman_compiler::{Compiler, Form};
use pointsman_contract::{
    BASIC_HTTP_PROCESSOR, Command, CommandId, Ended, Event, Failure, Inspection, Invoke, Moment, SessionId, Settings,
    StartInfo, Step, TraceEntry,
};
use pointsman_node::adapters::{Lanes, Program};
use pointsman_sandbox::{Sandbox, Workers, WorkersOptions};
use pointsman_session::core::{self, basic_http::is_basic_http};
use pointsman_session::runtime::{self, Info, Invocation, Refused, Runtime, StartRequest};
use pointsman_simulate::FolderResolver;
use pointsman_store::memory;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What a test may take beyond its own delays.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a session's memory.
const MEMORY: usize = 16 << 20;

/// A line of the suite's `index.json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Test {
    /// Number in the Implementation Report.
    pub id: String,
    /// `mandatory` or `optional`.
    pub conformance: String,
    /// A person has to judge it.
    pub manual: bool,
    /// Start documents, relative to the suite's folder. All have to pass.
    pub docs: Vec<String>,
    /// `ecmascript`, `null`, `xpath`.
    pub datamodel: String,
    /// Its longest delay.
    pub max_delay_s: f64,
    /// Section of the standard.
    pub section: String,
    /// What it is about.
    pub section_title: Option<String>,
    /// A variant that needs nobody to judge it, relative to the suite's folder.
    #[serde(default)]
    pub manual_as_auto: Option<String>,
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its documents reached `pass`.
    Passed,
    /// They did, and what they sent by HTTP went to themselves: no network was there.
    Looped,
    /// A person is to judge it, and what a person would look for is there.
    Asserted,
    /// One did not; why.
    Failed(String),
    /// It is not for this runner; why.
    NotRun(&'static str),
}

/// How a suite went.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// In the suite's order.
    pub tests: Vec<(Test, Verdict)>,
}

/// Why a suite cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no index, or it is another's.
    #[error("{}: {why}: name the folder that has the suite's index.json", .path.display())]
    Suite {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No test has this number.
    #[error("the suite has no test {0}")]
    NoSuchTest(String),
    /// The sessions' host cannot be set up.
    #[error("the tests cannot be run: {0}")]
    Host(String),
}

impl Report {
    /// Passed and run, of tests of this conformance.
    pub(crate) fn count(&self, conformance: &str) -> (usize, usize) {
        let of = self.tests.iter().filter(|(test, _)| test.conformance == conformance);
        let run = of.filter(|(_, verdict)| !matches!(verdict, Verdict::NotRun(_)));
        let passed = run
            .clone()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Passed | Verdict::Looped | Verdict::Asserted));
        (passed.count(), run.count())
    }

    /// Tests that failed.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&Test, &str)> {
        self.tests.iter().filter_map(|(test, verdict)| match verdict {
            Verdict::Failed(why) => Some((test, why.as_str())),
            _ => None,
        })
    }

    /// A line for each test, as Markdown.
    pub(crate) fn table(&self) -> String {
        let mut out = String::from(
            "# W3C's SCXML tests\n\nWritten by `pointsman conformance SUITE --table docs/conformance.md`. *Asserted*: the suite has a person \
             judge the test; here the program looks for what the person would (`host/server/src/conformance/oracle.rs`), and runs \
             the variant that needs nobody where the suite has one. *Looped*: the test posts to itself by the Basic HTTP processor; \
             the session hears itself without a network, so that HTTP is not what is tested (`host/server/tests` does that).\n\n",
        );
        for conformance in ["mandatory", "optional"] {
            let (passed, run) = self.count(conformance);
            let _infallible = writeln!(out, "- {conformance}: {passed} of {run} passed");
        }
        out.push_str("\n| test | section | conformance | verdict |\n|---|---|---|---|\n");
        for (test, verdict) in &self.tests {
            let verdict = match verdict {
                Verdict::Passed => "passed".to_owned(),
                Verdict::Looped => "passed (looped: posts to itself, no network)".to_owned(),
                Verdict::Asserted => "passed (asserted)".to_owned(),
                Verdict::Failed(why) => format!(
                    "**failed**: {}",
                    why.lines().next().unwrap_or_default().replace('|', "\\|")
                ),
                Verdict::NotRun(why) => format!("not run: {why}"),
            };
            let title = test.section_title.as_deref().unwrap_or_default();
            let _infallible = writeln!(
                out,
                "| {} | {} {title} | {} | {verdict} |",
                test.id, test.section, test.conformance
            );
        }
        out
    }
}

/// Runs a suite, or of it only some tests.
///
/// # Errors
/// When the folder holds no suite, or the sessions have no host.
pub(crate) fn run(sandbox: Sandbox, compiler: Compiler, folder: &Path, only: &[String]) -> Result<Report, Error> {
    let mut tests = index(folder)?;
    if let Some(unknown) = only.iter().find(|id| !tests.iter().any(|test| test.id == **id)) {
        return Err(Error::NoSuchTest(unknown.clone()));
    }
    tests.retain(|test| only.is_empty() || only.contains(&test.id));
    let host = |e: std::io::Error| Error::Host(e.to_string());
    let workers = Workers::start(WorkersOptions::default()).map_err(host)?;
    let world = Arc::new_cyclic(|me| World {
        me: me.clone(),
        sandbox,
        compiler,
        runtime: OnceLock::new(),
        folders: Mutex::default(),
        children: Mutex::default(),
        traces: Mutex::default(),
        looped: Mutex::default(),
        ends: Mutex::default(),
        ended: Condvar::new(),
    });
    let services = runtime::Services {
        journal: Arc::new(memory::Journal::default()),
        executor: Arc::new(Lanes(workers.clone())),
        commands: world.clone(),
        host_data: world.clone(),
        clock: Arc::new(runtime::SystemClock),
    };
    let options = runtime::Options {
        session: core::Options::default(),
        lanes: workers.lanes(),
        ..runtime::Options::default()
    };
    let runtime = Runtime::new(options, services).map_err(host)?;
    world.runtime.set(runtime.clone()).unwrap_or_default();
    let begun: Vec<_> = tests.into_iter().map(|test| begin(&world, folder, test)).collect();
    let tests = begun.into_iter().map(|begun| judge(&world, begun)).collect();
    Ok(Report { tests })
}

fn index(folder: &Path) -> Result<Vec<Test>, Error> {
    let path = folder.join("index.json");
    let wrong = |why: String| Error::Suite {
        path: path.clone(),
        why,
    };
    let text = std::fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))
}

/// A test whose documents run.
struct Begun {
    test: Test,
    /// Its sessions, or why one of them did not begin.
    sessions: Result<Vec<SessionId>, Unstarted>,
    /// The same of its variant that needs nobody to judge it, if there is one.
    automatic: Option<Result<SessionId, Unstarted>>,
    not_run: Option<&'static str>,
    at: Instant,
}

fn begin(world: &Arc<World>, folder: &Path, test: Test) -> Begun {
    let not_run = not_for_us(&test);
    let documents = if not_run.is_some() { &[] } else { &test.docs[..] };
    let started = documents
        .iter()
        .map(|document| world.start(&folder.join(document), test.manual));
    let automatic = test.manual_as_auto.as_ref().filter(|_| not_run.is_none());
    // Suites come without the folder of these: they are another's work. One that is missing in it is a failure.
    let automatic = automatic.map(|document| folder.join(document));
    let automatic = automatic.filter(|document| document.parent().is_some_and(Path::is_dir));
    Begun {
        sessions: started.collect(),
        automatic: automatic.map(|document| world.start(&document, false)),
        not_run,
        at: Instant::now(),
        test,
    }
}

fn not_for_us(test: &Test) -> Option<&'static str> {
    match test.datamodel.as_str() {
        "ecmascript" | "null" if test.manual && oracle(&test.id).is_none() => Some("a person judges it"),
        "ecmascript" | "null" => None,
        // 513 has no document: a client posts to a session.
        "(http only)" => Some("it has no document: tests of the REST API are it"),
        _ => Some("another datamodel"),
    }
}

fn judge(world: &World, begun: Begun) -> (Test, Verdict) {
    let Begun {
        test,
        sessions,
        automatic,
        not_run,
        at,
    } = begun;
    if let Some(why) = not_run {
        return (test, Verdict::NotRun(why));
    }
    let until = at + Duration::from_secs_f64(test.max_delay_s) + PATIENCE;
    let verdict = match oracle(&test.id).filter(|_| test.manual) {
        Some(expected) => {
            let ran = sessions.map(|ids| ids.into_iter().map(|id| world.ran(id, until)).collect::<Vec<_>>());
            let judged = expected.judge(ran).and_then(|()| world.variant(automatic, until));
            judged.map_or_else(Verdict::Failed, |()| Verdict::Asserted)
        }
        None => match sessions {
            Err(why) => Verdict::Failed(why.to_string()),
            Ok(sessions) => {
                let failed = sessions.iter().find_map(|session| world.outcome(*session, until).err());
                let looped = sessions.iter().any(|session| lock(&world.looped).contains(session));
                let passed = if looped { Verdict::Looped } else { Verdict::Passed };
                failed.map_or(passed, Verdict::Failed)
            }
        },
    };
    (test, verdict)
}

/// The host of the tests' sessions.
struct World {
    me: Weak<World>,
    sandbox: Sandbox,
    compiler: Compiler,
    runtime: OnceLock<Runtime>,
    /// Where the documents of a session's family come from.
    folders: Mutex<HashMap<SessionId, PathBuf>>,
    /// Sessions by the one that has invoked them, in order.
    children: Mutex<HashMap<SessionId, Vec<SessionId>>>,
    /// What sessions did that were asked for a trace.
    traces: Mutex<HashMap<SessionId, Vec<TraceEntry>>>,
    /// Sessions that have posted to themselves.
    looped: Mutex<HashSet<SessionId>>,
    ends: Mutex<HashMap<SessionId, Ended>>,
    ended: Condvar,
}

/// What stays consistent when a thread panics.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn runtime(&self) -> &Runtime {
        self.runtime.get().expect("it is set before a session runs")
    }

    fn start(&self, document: &Path, trace: bool) -> Result<SessionId, Unstarted> {
        let text = std::fs::read_to_string(document)
            .map_err(|e| Unstarted::Otherwise(format!("{}: {e}", document.display())))?;
        let folder = document.parent().unwrap_or(Path::new(".")).to_owned();
        let name = document.file_name().unwrap_or_default().to_string_lossy();
        self.start_text(&name, &text, folder, "{}", trace, None)
    }

    fn start_text(
        &self,
        name: &str,
        text: &str,
        folder: PathBuf,
        params: &str,
        trace: bool,
        invocation: Option<Invocation>,
    ) -> Result<SessionId, Unstarted> {
        let otherwise = |why: &dyn std::fmt::Display| Unstarted::Otherwise(why.to_string());
        let resolver = FolderResolver::open(&folder).map_err(|e| otherwise(&e))?;
        let read = pointsman_scxml::read(name, text, &resolver);
        let (document, _) = read.map_err(|errors| Unstarted::Refused {
            codes: errors.diagnostics.iter().map(|found| found.code).collect(),
            why: errors.to_string(),
        })?;
        let compiled = self.compiler.compile(&document, Form::Image);
        let compiled = compiled.map_err(|e| otherwise(&e))?;
        let strategy = self.sandbox.load(&compiled.component).map_err(|e| otherwise(&e))?;
        let request = StartRequest {
            tenant: "conformance".parse().expect("a constant that fits the rules of names"),
            strategy: "test".parse().expect("a constant that fits the rules of names"),
            version: 1,
            component: strategy.digest(),
            program: Arc::new(Watched {
                program: Program {
                    sandbox: self.sandbox.clone(),
                    strategy,
                    memory: MEMORY,
                },
                world: self.me.clone(),
            }),
            params: params.to_owned(),
            origin: name.to_owned(),
            trace,
            invocation,
        };
        let mut folders = lock(&self.folders);
        let session = self.runtime().start(request).map_err(|e| otherwise(&e))?;
        folders.insert(session, folder);
        Ok(session)
    }

    /// Waits for a session's end.
    fn ended(&self, session: SessionId, until: Instant) -> Result<Ended, String> {
        let mut ends = lock(&self.ends);
        loop {
            if let Some(ended) = ends.get(&session) {
                return Ok(ended.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(ends);
                let active = self
                    .runtime()
                    .get(session)
                    .map(|s| s.active.join(" "))
                    .unwrap_or_default();
                let _over = self.runtime().terminate(session, "its time is over");
                return Err(format!("it did not end in time; active: {active}"));
            }
            ends = self
                .ended
                .wait_timeout(ends, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for a session's end, and says what was wrong with it.
    fn outcome(&self, session: SessionId, until: Instant) -> Result<(), String> {
        match self.ended(session, until)? {
            Ended::Done(_) => {}
            other => return Err(format!("{other:?}")),
        }
        let snapshot = self.runtime().get(session).map_err(|e| e.to_string())?;
        if snapshot.active == ["pass"] {
            return Ok(());
        }
        let log: Vec<_> = snapshot.log_tail.iter().map(|l| l.entry.text.as_str()).collect();
        Err(format!(
            "it ended in {}; log: {}",
            snapshot.active.join(" "),
            log.join(", ")
        ))
    }

    /// Waits for the end of a test's variant that needs nobody to judge it.
    fn variant(&self, automatic: Option<Result<SessionId, Unstarted>>, until: Instant) -> Result<(), String> {
        let Some(session) = automatic else { return Ok(()) };
        let outcome = session
            .map_err(|why| why.to_string())
            .and_then(|session| self.outcome(session, until));
        outcome.map_err(|why| format!("its variant in manual-as-auto: {why}"))
    }

    /// Waits for the end of a session and of those that it has invoked, and shows what can be seen of them.
    fn ran(&self, session: SessionId, until: Instant) -> Result<Ran, String> {
        let ended = self.ended(session, until)?;
        let children = lock(&self.children).remove(&session).unwrap_or_default();
        let children = children.into_iter().map(|child| {
            self.ended(child, until)?;
            self.log(child)
        });
        Ok(Ran {
            done: matches!(ended, Ended::Done(_)),
            active: self.runtime().get(session).map_err(|e| e.to_string())?.active,
            log: self.log(session)?,
            children: children.collect::<Result<_, String>>()?,
            trace: lock(&self.traces).remove(&session).unwrap_or_default(),
        })
    }

    fn log(&self, session: SessionId) -> Result<Vec<(String, String)>, String> {
        let lines = self.runtime().log(session).map_err(|e| e.to_string())?;
        let shown = |line: runtime::LogLine| (line.entry.label.unwrap_or_default(), line.entry.text);
        Ok(lines.into_iter().map(shown).collect())
    }

    fn invoke(&self, info: &Info, invocation: Invocation, invoke: &Invoke) -> Result<(), String> {
        let folder = lock(&self.folders).get(&info.id).cloned().unwrap_or_default();
        let (name, text) = match (&invoke.src, &invoke.content) {
            (Some(src), _) => {
                let name = src.strip_prefix("file:").unwrap_or(src);
                let text = std::fs::read_to_string(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
                (name.to_owned(), text)
            }
            (None, Some(text)) => (format!("{}#{}", info.origin, invoke.id), text.clone()),
            (None, None) => return Err("nothing to invoke".into()),
        };
        let child = self.start_text(&name, &text, folder, &invoke.params, false, Some(invocation));
        let child = child.map_err(|why| why.to_string())?;
        lock(&self.children).entry(info.id).or_default().push(child);
        Ok(())
    }
}

/// Where a session would be reached by HTTP, if it were.
fn location(session: SessionId) -> String {
    format!("http://localhost/scxml/session/{session}/basichttp/conformance")
}

/// A strategy of which is seen what its sessions do.
struct Watched {
    program: Program,
    world: Weak<World>,
}

struct WatchedSession {
    id: SessionId,
    strategy: Box<dyn runtime::Strategy>,
    world: Weak<World>,
}

impl runtime::Program for Watched {
    fn instantiate(&self, info: &Info) -> Result<Box<dyn runtime::Strategy>, Failure> {
        Ok(Box::new(WatchedSession {
            id: info.id,
            strategy: self.program.instantiate(info)?,
            world: self.world.clone(),
        }))
    }

    fn settings(&self) -> Settings {
        self.program.settings()
    }
}

impl WatchedSession {
    fn saw(&self, step: Step) -> Step {
        let Some(world) = self.world.upgrade() else { return step };
        if !step.trace.is_empty() {
            let mut traces = lock(&world.traces);
            traces.entry(self.id).or_default().extend(step.trace.iter().cloned());
        }
        let own = location(self.id);
        let looped = |command: &Command| matches!(command, Command::Send(send) if is_basic_http(send.processor.as_deref()) && send.target.as_ref() == Some(&own));
        if step.commands.iter().any(looped) {
            lock(&world.looped).insert(self.id);
        }
        step
    }
}

impl runtime::Strategy for WatchedSession {
    fn start(&mut self, moment: Moment, info: &StartInfo, reads: &mut dyn runtime::Reads) -> Result<Step, Failure> {
        let step = self.strategy.start(moment, info, reads)?;
        Ok(self.saw(step))
    }

    fn handle(&mut self, moment: Moment, event: &Event, reads: &mut dyn runtime::Reads) -> Result<Step, Failure> {
        let step = self.strategy.handle(moment, event, reads)?;
        Ok(self.saw(step))
    }

    fn inspect(&mut self) -> Result<Inspection, Failure> {
        self.strategy.inspect()
    }
}

impl runtime::Commands for World {
    fn perform(&self, info: &Info, id: CommandId, command: Command) -> Result<(), Box<Refused>> {
        let Command::Invoke(invoke) = command else {
            let reason = "nobody carries that out here".to_owned();
            return Err(Box::new(Refused { command, reason }));
        };
        let (world, info) = (self.me.clone(), info.clone());
        // Waited for: 250 ends an invocation at once and looks at what its child does then, so there has to be one.
        let started = std::thread::spawn(move || {
            let Some(world) = world.upgrade() else { return };
            let invocation = Invocation {
                session: info.id,
                invoke: invoke.id.clone(),
                command: id,
            };
            if let Err(why) = world.invoke(&info, invocation.clone(), &invoke) {
                world.runtime().invocation_failed(&invocation, &why);
            }
        });
        // A panic has been shown; the test that waits for the child runs out of its time.
        let _panicked = started.join();
        Ok(())
    }

    fn ended(&self, info: &Info, ended: &Ended) {
        lock(&self.ends).insert(info.id, ended.clone());
        self.ended.notify_all();
    }

    fn processors(&self, session: SessionId) -> Vec<(&'static str, String)> {
        // The tests post to their own locations, which takes no network: the session core does it.
        let at = location(session);
        vec![(BASIC_HTTP_PROCESSOR, at.clone()), ("basichttp", at)]
    }
}

impl runtime::HostData for World {
    fn read(&self, _: &Info, source: &str, key: &str) -> Result<String, String> {
        let live = || {
            let other = key.parse().ok()?;
            self.runtime().get(other).ok().filter(|s| s.end.is_none())
        };
        match source {
            "session" if live().is_some() => Ok("true".into()),
            "session" => Err(format!("there is no session {key}")),
            _ => Err(format!("there is no `{source}` data here")),
        }
    }
}
