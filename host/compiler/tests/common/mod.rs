//! What the tests of this folder share: documents in, sessions out.
#![allow(dead_code, reason = "each test file uses its part of this")]

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pointsman_compiler::{Compiled, Compiler, Form, Limits};
use pointsman_contract::{Event, Failure, Inspection, Moment, SCXML_PROCESSOR, StartInfo, Step};
use pointsman_sandbox::{Instance, NoReads, Options, Outcome, Reads, Sandbox, Strategy, on_big_stack};
use pointsman_scxml::{ResolveError, Resolver, read};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Time of the first call of every session here, ms since the epoch.
pub const T0: u64 = 1_700_000_000_000;

/// Memory that a session may grow to, bytes.
pub const MEMORY: usize = 16 << 20;

struct NoFiles;

impl Resolver for NoFiles {
    fn read(&self, _: &str, reference: &str) -> Result<(String, String), ResolveError> {
        Err(ResolveError::NotFound {
            resolved: reference.to_owned(),
        })
    }
}

/// A sandbox with a compiler for it.
pub struct Bench {
    pub sandbox: Sandbox,
    pub compiler: Compiler,
}

/// Few slots, and a budget that a busy machine does not break by itself.
pub fn options(sessions: u32) -> Options {
    Options {
        sessions,
        step_budget: Duration::from_secs(10),
        ..Options::default()
    }
}

/// Where the engine's native code is kept between these tests: compiling it is most of their time otherwise.
fn native_cache() -> Dir {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/native");
    std::fs::create_dir_all(path).expect("a folder of the build");
    Dir::open_ambient_dir(path, ambient_authority()).expect("it was just made")
}

/// One at a time: the first of them makes the cache's key.
static MAKING: Mutex<()> = Mutex::new(());

impl Bench {
    pub fn new(options: Options) -> Bench {
        let making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let sandbox = Sandbox::new(options, Some(native_cache())).expect("a sandbox");
        drop(making);
        let compiler = Compiler::new(sandbox.clone(), Limits::default());
        Bench { sandbox, compiler }
    }

    pub fn compile(&self, text: &str, form: Form) -> Compiled {
        let (document, _) = read("chart.scxml", text, &NoFiles).unwrap_or_else(|e| panic!("{e}\n{text}"));
        self.compiler.compile(&document, form).expect("it compiles")
    }

    pub fn strategy(&self, text: &str) -> Strategy {
        self.sandbox
            .load(&self.compile(text, Form::Image).component)
            .expect("it loads")
    }

    /// A session that has not begun.
    pub fn session(&self, strategy: &Strategy) -> Session {
        let instance = self.sandbox.instantiate(strategy, MEMORY).expect("a free slot");
        Session { instance, calls: 0 }
    }

    /// A session of this document that has begun without parameters, and its first step.
    pub fn begun(&self, text: &str) -> (Session, Step) {
        let mut session = self.session(&self.strategy(text));
        let step = session.start("").expect("it starts").step;
        (session, step)
    }
}

/// A session whose calls are a second apart, with the number of the call as seed.
pub struct Session {
    pub instance: Instance,
    calls: u64,
}

impl Session {
    fn moment(&mut self) -> Moment {
        self.calls += 1;
        Moment {
            now_ms: T0 + (self.calls - 1) * 1000,
            seed: self.calls,
            trace: true,
        }
    }

    pub fn start(&mut self, params: &str) -> Result<Outcome, Failure> {
        let moment = self.moment();
        self.start_at(moment, params, &mut NoReads)
    }

    pub fn start_at(
        &mut self,
        moment: Moment,
        params: &str,
        reads: &mut (dyn Reads + Send),
    ) -> Result<Outcome, Failure> {
        let info = start_info(params);
        on_big_stack(|| self.instance.start(moment, &info, reads))
    }

    pub fn handle(&mut self, event: &Event) -> Result<Outcome, Failure> {
        let moment = self.moment();
        on_big_stack(|| self.instance.handle(moment, event, &mut NoReads))
    }

    /// An external event; `data` is JSON, empty for none.
    pub fn event(&mut self, name: &str, data: &str) -> Result<Outcome, Failure> {
        self.handle(&Event::external(name, (!data.is_empty()).then(|| data.to_owned())))
    }

    /// An external event that must not fail.
    pub fn step(&mut self, name: &str, data: &str) -> Step {
        self.event(name, data).unwrap_or_else(|f| panic!("{name}: {f}")).step
    }

    /// An external event that must not fail, without a trace.
    pub fn quiet(&mut self, name: &str) -> Step {
        let moment = Moment {
            trace: false,
            ..self.moment()
        };
        let event = Event::external(name, None);
        on_big_stack(|| self.instance.handle(moment, &event, &mut NoReads))
            .unwrap_or_else(|f| panic!("{name}: {f}"))
            .step
    }

    pub fn inspect(&mut self) -> Result<Inspection, Failure> {
        on_big_stack(|| self.instance.inspect())
    }
}

pub fn start_info(params: &str) -> StartInfo {
    StartInfo {
        session_id: "SESSION0000000000000000000000001".into(),
        params: params.into(),
        io_processors: format!(r##"{{"{SCXML_PROCESSOR}":{{"location":"#_scxml_SESSION"}}}}"##),
    }
}

/// A chart around what is given.
pub fn chart(inside: &str) -> String {
    format!(
        r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript" name="test">{inside}</scxml>"#
    )
}

/// A chart that runs `content` at every event `go`, and logs `n` at every event `count`.
pub fn on_go(content: &str) -> String {
    chart(&format!(
        r#"<datamodel><data id="n" expr="0"/><data id="kept"/></datamodel>
<state id="s">
 <transition event="go">{content}</transition>
 <transition event="count"><assign location="n" expr="n + 1"/><log expr="n"/></transition>
</state>"#
    ))
}

/// Texts of a step's log.
pub fn logged(step: &Step) -> Vec<&str> {
    step.log.iter().map(|l| l.text.as_str()).collect()
}

/// `text` in an XML attribute or element.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
