//! Runs cases.

use crate::check::check;
use crate::document::Document;
use crate::report::{CaseReport, Mismatch, Report, StepReport};
use crate::script::expectation::Expectation;
use crate::script::file::TestFile;
use crate::script::{Case, Data, Input};
use crate::session::{Simulated, not_made, session_id};
use crate::{Error, read_file};
use pointsman_compiler::{Compiler, Form, Limits, Manifest, component_of_module};
use pointsman_contract::{Event, Settings};
use pointsman_sandbox::{Sandbox, Strategy, on_big_stack};
use pointsman_scxml::render;
use pointsman_session::core::Rejected;
use serde_json::json;
use std::path::Path;
use wasmparser::Parser;

/// Memory of a session, in bytes: what a server gives one unless it is told otherwise (`memory-per-session-bytes`).
const MEMORY: usize = 16 << 20;

/// Runs strategies in virtual time.
#[derive(Clone)]
pub struct Simulator {
    sandbox: Sandbox,
    compiler: Compiler,
}

/// A strategy that is ready to run.
pub struct Program {
    strategy: Strategy,
    /// What its document settles for its sessions.
    settings: Settings,
    /// What the reader and the compiler remarked, rendered; empty for a component.
    pub warnings: String,
}

impl Simulator {
    /// A simulator with this sandbox. One live session is all that it needs.
    pub fn new(sandbox: Sandbox) -> Self {
        let compiler = Compiler::new(sandbox.clone(), Limits::default());
        Simulator { sandbox, compiler }
    }

    /// Loads a document with what it names in its folder, a component, or a core module that was written with the SDK.
    ///
    /// # Errors
    /// Everything that is wrong with the document, or why the component cannot run.
    pub fn load(&self, path: &Path, root: Option<&Path>) -> Result<Program, Error> {
        self.load_bytes(path, root, read_file(path)?)
    }

    /// The same from bytes that the caller has; `path` names them in messages, and a document's includes are read
    /// from its folder, or from below `root`.
    ///
    /// # Errors
    /// As [`Simulator::load`].
    pub fn load_bytes(&self, path: &Path, root: Option<&Path>, bytes: Vec<u8>) -> Result<Program, Error> {
        let (component, warnings) = if Parser::is_core_wasm(&bytes) {
            let wrapped = component_of_module(&bytes);
            (
                wrapped.map_err(|source| Error::Compile {
                    path: path.to_owned(),
                    source,
                })?,
                String::new(),
            )
        } else if bytes.starts_with(b"\0asm") {
            (bytes, String::new())
        } else {
            let document = Document::of_text(path, root, bytes)?;
            let compiled = self.compiler.compile(&document.model, Form::Image);
            let compiled = compiled.map_err(|error| document.compile_error(path, error))?;
            let mut warnings = document.warnings.clone();
            warnings.extend(compiled.warnings);
            (compiled.component, render(&warnings, &document.shown_files()))
        };
        let strategy = self.sandbox.load(&component).map_err(|source| Error::Load {
            path: path.to_owned(),
            source,
        })?;
        let settings = Manifest::of(&component).map(|m| m.settings).unwrap_or_default();
        Ok(Program {
            strategy,
            settings,
            warnings,
        })
    }

    /// Runs every case of a test file.
    pub fn test(&self, program: &Program, file: &TestFile) -> Report {
        let cases = file.cases.iter().map(|case| self.run(program, case, &file.data));
        Report { cases: cases.collect() }
    }

    /// Runs one case in a session of its own.
    pub fn run(&self, program: &Program, case: &Case, data: &Data) -> CaseReport {
        on_big_stack(|| self.run_here(program, case, data))
    }

    fn run_here(&self, program: &Program, case: &Case, data: &Data) -> CaseReport {
        let started_ms = u64::try_from(case.at.as_millisecond()).unwrap_or(0);
        let mut report = CaseReport {
            name: case.name.clone(),
            seed: case.seed,
            started_ms,
            steps: Vec::with_capacity(case.steps.len()),
        };
        let instance = match self.sandbox.instantiate(&program.strategy, MEMORY) {
            Ok(mut instance) => {
                if let Some(ms) = program.settings.event_timeout_ms {
                    instance.limit_steps(std::time::Duration::from_millis(ms));
                }
                instance
            }
            Err(error) => {
                let mut step = StepReport::new(Input::Start, started_ms);
                step.ended = Some(not_made(&error));
                step.mismatches = check(session_id(), &Expectation::default(), &step);
                report.steps.push(step);
                return report;
            }
        };
        let mut session = Simulated::new(
            case,
            program.strategy.digest(),
            &program.settings,
            instance,
            data.clone(),
        );
        let (start, steps) = match case.steps.split_first() {
            Some((first, rest)) if first.input == Input::Start => (&first.expect, rest),
            _ => (&Expectation::default(), case.steps.as_slice()),
        };
        report.steps.push(step(&mut session, &Input::Start, start));
        report
            .steps
            .extend(steps.iter().map(|s| step(&mut session, &s.input, &s.expect)));
        report
    }
}

fn step(session: &mut Simulated, input: &Input, expect: &Expectation) -> StepReport {
    let had_ended = session.ended().is_some();
    let taken = match input {
        Input::Start => session.start(),
        Input::Event { name, data } => {
            session.event(Event::external(name.as_str(), data.as_ref().map(ToString::to_string)))
        }
        Input::Advance(time) => session.advance(time.ms()),
    };
    let mut report = StepReport::new(input.clone(), session.now_ms());
    report.macrosteps = session.take_macrosteps();
    report.configuration = session.active().to_vec();
    report.ended = session.ended().cloned();
    match taken {
        Ok(()) => {}
        Err(rejected) => report.mismatches.push(not_taken(input, rejected)),
    }
    // An end is news once: a later step that does not look at it is not blamed for it.
    if !had_ended || *expect != Expectation::default() {
        report.mismatches.extend(check(session_id(), expect, &report));
    }
    report
}

fn not_taken(input: &Input, rejected: Rejected) -> Mismatch {
    let name = match input {
        Input::Event { name, .. } => name.as_str(),
        Input::Start | Input::Advance(_) => "time",
    };
    Mismatch {
        what: "event",
        expected: json!(format!("{name} is handled")),
        actual: json!(rejected.to_string()),
    }
}

impl StepReport {
    fn new(input: Input, at_ms: u64) -> Self {
        StepReport {
            input,
            at_ms,
            macrosteps: Vec::new(),
            configuration: Vec::new(),
            ended: None,
            mismatches: Vec::new(),
        }
    }
}
