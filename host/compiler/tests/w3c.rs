//! W3C's own tests, where they are at hand: every automatic ECMAScript test of one session by itself, run in the
//! sandbox, in virtual time.

use pointsman_compiler::{Compiler, Form, Limits};
use pointsman_contract::{Command, Event, Moment, StartInfo, Step};
use pointsman_sandbox::{Instance, NoReads, Options, Sandbox, on_big_stack};
use pointsman_scxml::{ResolveError, Resolver, read};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};

fn suite() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/w3c-irp/ecma");
    dir.is_dir().then_some(dir)
}

/// Says so on the real standard error: what a test prints is captured, and nobody would see it.
fn skipped() {
    let line = b"SKIPPED: W3C's tests are not beside this repository\n";
    std::io::stderr().write_all(line).expect("standard error takes a line");
}

/// Documents that are run. Exact: one that silently falls out of the list would not be missed otherwise.
const DOCUMENTS: usize = 144;

/// Files of the suite's folder.
struct Folder(PathBuf);

impl Resolver for Folder {
    fn read(&self, _: &str, reference: &str) -> Result<(String, String), ResolveError> {
        let name = reference.strip_prefix("file:").unwrap_or(reference);
        std::fs::read_to_string(self.0.join(name))
            .map(|text| (name.to_owned(), text))
            .map_err(|_| ResolveError::NotFound {
                resolved: name.to_owned(),
            })
    }
}

/// What needs more than one session in virtual time, or follows later. `pointsman conformance` runs those that invoke.
const LATER: &[&str] = &["invoke", "basichttp", "dom"];

#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    Pass,
    Fail(String),
}

/// One session in virtual time: self-sends are queued, delayed ones wait for their time.
struct Run {
    instance: Instance,
    now_ms: u64,
    queue: VecDeque<Event>,
    timers: BTreeMap<(u64, u64), (Option<String>, Event)>,
    count: u64,
    log: Vec<String>,
}

impl Run {
    fn moment(&mut self) -> Moment {
        self.count += 1;
        Moment {
            now_ms: self.now_ms,
            seed: self.count,
            trace: true,
        }
    }

    fn take(&mut self, step: Step) -> Option<Verdict> {
        self.log.push(format!("{:?}", step.trace));
        for command in step.commands {
            match command {
                Command::Send(s) => {
                    let mut event = Event::external(s.event, s.data);
                    event.sendid.clone_from(&s.id);
                    event.origin = Some("#_scxml_SESSION".into());
                    event.origintype = Some(pointsman_contract::SCXML_PROCESSOR.into());
                    if s.target.is_some() {
                        // No other session lives here.
                        let mut error = Event::platform("error.communication", None);
                        error.sendid = s.id;
                        self.queue.push_back(error);
                    } else if s.delay_ms == 0 {
                        self.queue.push_back(event);
                    } else {
                        self.count += 1;
                        self.timers
                            .insert((self.now_ms + s.delay_ms, self.count), (s.id, event));
                    }
                }
                Command::Cancel(c) => self
                    .timers
                    .retain(|_, (sendid, _)| sendid.as_deref() != Some(&c.sendid)),
                other => return Some(Verdict::Fail(format!("unexpected command {other:?}"))),
            }
        }
        for state in step.active.iter().flatten() {
            if state == "pass" {
                return Some(Verdict::Pass);
            }
            if state == "fail" {
                return Some(Verdict::Fail("reached state fail".into()));
            }
        }
        None
    }

    fn finish(mut self) -> Verdict {
        let info = StartInfo {
            session_id: "SESSION".into(),
            params: String::new(),
            io_processors: format!(
                r##"{{"{}":{{"location":"#_scxml_SESSION"}},"scxml":{{"location":"#_scxml_SESSION"}}}}"##,
                pointsman_contract::SCXML_PROCESSOR
            ),
        };
        let moment = self.moment();
        let mut result = self.instance.start(moment, &info, &mut NoReads);
        for _ in 0..1000 {
            match result {
                Err(f) => return Verdict::Fail(f.to_string()),
                Ok(outcome) => {
                    if let Some(verdict) = self.take(outcome.step) {
                        return verdict;
                    }
                }
            }
            let event = self.queue.pop_front().or_else(|| {
                let ((at, _), (_, event)) = self.timers.pop_first()?;
                self.now_ms = at;
                Some(event)
            });
            let Some(event) = event else {
                return Verdict::Fail(format!("nothing left to do: {:?}", self.log));
            };
            let moment = self.moment();
            result = self.instance.handle(moment, &event, &mut NoReads);
        }
        Verdict::Fail("no end after 1000 events".into())
    }
}

fn run(sandbox: &Sandbox, compiler: &Compiler, dir: &Path, doc: &str, form: Form) -> Result<Verdict, String> {
    let text = std::fs::read_to_string(dir.join(doc)).map_err(|e| e.to_string())?;
    let (document, _) = read(doc, &text, &Folder(dir.to_owned())).map_err(|e| e.to_string())?;
    let compiled = compiler.compile(&document, form).map_err(|e| e.to_string())?;
    let strategy = sandbox.load(&compiled.component).map_err(|e| e.to_string())?;
    let instance = sandbox.instantiate(&strategy, 16 << 20).map_err(|e| e.to_string())?;
    let run = Run {
        instance,
        now_ms: 0,
        queue: VecDeque::new(),
        timers: BTreeMap::new(),
        count: 0,
        log: Vec::new(),
    };
    Ok(run.finish())
}

#[test]
fn the_w3c_tests_of_what_is_compiled_pass_in_the_sandbox() {
    let Some(dir) = suite() else {
        skipped();
        return;
    };
    let index = std::fs::read_to_string(dir.join("../index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let tests = index
        .as_array()
        .cloned()
        .or_else(|| index["tests"].as_array().cloned())
        .unwrap();
    let sandbox = Sandbox::new(
        Options {
            sessions: 50,
            ..Options::default()
        },
        None,
    )
    .unwrap();
    let compiler = Compiler::new(sandbox.clone(), Limits::default());
    let (mut passed, mut later, mut failed) = (0, BTreeSet::new(), Vec::new());
    on_big_stack(|| {
        for test in &tests {
            if test["manual"].as_bool() == Some(true) || test["datamodel"] != "ecmascript" {
                continue;
            }
            let features: Vec<&str> = test["features"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|f| f.as_str())
                .collect();
            for doc in test["docs"].as_array().into_iter().flatten().filter_map(|d| d.as_str()) {
                let doc = doc.rsplit('/').next().unwrap();
                if features.iter().any(|f| LATER.contains(f)) {
                    later.insert(doc.to_owned());
                    continue;
                }
                match run(&sandbox, &compiler, &dir, doc, Form::Image) {
                    Ok(Verdict::Pass) => passed += 1,
                    // A script that cannot be had makes the document unusable: that is this test's point.
                    Err(e) if doc == "test301.scxml" && e.contains("unreadable-src") => passed += 1,
                    Ok(Verdict::Fail(why)) => failed.push(format!("{doc}: {why}")),
                    Err(why) => failed.push(format!("{doc}: {why}")),
                }
            }
        }
    });
    println!(
        "W3C: {passed} documents passed, {} failed, {} need what follows later",
        failed.len(),
        later.len()
    );
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(passed, DOCUMENTS, "documents that passed");
}

#[test]
fn both_forms_behave_alike() {
    let Some(dir) = suite() else {
        skipped();
        return;
    };
    let sandbox = Sandbox::new(
        Options {
            sessions: 50,
            ..Options::default()
        },
        None,
    )
    .unwrap();
    let compiler = Compiler::new(sandbox.clone(), Limits::default());
    on_big_stack(|| {
        for doc in ["test387.scxml", "test570.scxml"] {
            for form in [Form::Image, Form::Standalone] {
                assert_eq!(
                    run(&sandbox, &compiler, &dir, doc, form),
                    Ok(Verdict::Pass),
                    "{doc} {form:?}"
                );
            }
        }
    });
}
