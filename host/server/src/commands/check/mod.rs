//! `pointsman check`.

mod rules;
mod sarif;

use crate::engine;
use crate::failure::Failure;
use crate::output::{json, print, say};
use clap::{Args, ValueEnum};
use pointsman_compiler::{Compiler, Form, Limits};
use pointsman_scxml::model::SourceFile;
use pointsman_scxml::{Diagnostic, Errors, Severity, lint, render};
use pointsman_simulate::{Document, Error, Simulator, read_file};
use serde_json::json as object;
use std::path::{Path, PathBuf};

/// Reads and compiles without keeping the result. Errors refuse a strategy; warnings (an expression that is not valid
/// ECMAScript, say) do not: W3C SCXML has such a document load, and raise error.execution when it gets there.
/// Lints are warnings about what a valid document can hardly mean: states that nothing leads to, events that nobody
/// sends or waits for, calls that wait without a timeout, sessions that outlive their call.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pointsman check route.scxml
  pointsman check strategies/*/*.scxml
  pointsman check --root . src-gen/*.scxml           documents that name ../include/common.js
  pointsman check --format json route.scxml | jq .message
  pointsman check --format sarif strategies/*/*.scxml > findings.sarif

Lints:
  unreachable-state       no transition, initial state or history leads to a state
  event-never-sent        a transition waits for a done.state or done.invoke that cannot come
  event-not-handled       an event is raised, or sent to the session itself, and nothing waits for it
  wait-without-timeout    a call waits for an event from outside, and no timer ends the wait
  session-outlives-call   the call ends, and the session does not hear of it
  unknown-action          a functional module has no such action
  unserved-action         no link of this version serves an action, so its error event is raised
  unquoted-literal        an expression names a variable that nothing declares: quotes were forgotten

Where a lint is wrong about what you mean, say so directly before the element, or before <scxml> for
the whole document:
  <!-- pointsman:allow(wait-without-timeout) the night desk always answers -->
  <state id=\"night\">

Exit code: 1 when there is an error, 0 with warnings only.")]
pub(crate) struct Check {
    /// Documents (.scxml) and components (.wasm)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder of the whole project, where documents name files outside of their own [default: the document's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The shape of the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
enum Format {
    /// For people: with the line, and a mark under the place
    #[default]
    Text,
    /// For editors and pipelines: one JSON object for each finding
    Json,
    /// For code hosts and editors: one SARIF 2.1.0 document for all files
    Sarif,
}

impl Check {
    pub fn run(self) -> Result<(), Failure> {
        let sandbox = engine::sandbox()?;
        let simulator = Simulator::new(sandbox.clone());
        let compiler = Compiler::new(sandbox, Limits::default());
        let mut refused = false;
        let mut kept = Vec::new();
        for path in &self.files {
            let findings = match findings(&simulator, &compiler, path, self.root.as_deref()) {
                Ok(findings) => findings,
                // One that cannot be read does not hide what there is to say of the others.
                Err(failure) if self.files.len() > 1 => {
                    let _code = failure.report();
                    refused = true;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            refused |= findings.refused();
            match self.format {
                Format::Text => findings.text(path)?,
                Format::Json => findings.json()?,
                Format::Sarif => kept.push(findings),
            }
        }
        if self.format == Format::Sarif {
            json(&sarif::log(&kept))?;
        }
        if refused { Err(Failure::Said) } else { Ok(()) }
    }
}

/// What there is to say of one file.
struct Findings {
    diagnostics: Vec<Diagnostic>,
    files: Vec<SourceFile>,
    /// Errors that were counted only.
    omitted: usize,
}

fn findings(simulator: &Simulator, compiler: &Compiler, path: &Path, root: Option<&Path>) -> Result<Findings, Failure> {
    let bytes = read_file(path)?;
    if bytes.starts_with(b"\0asm") {
        simulator.load_bytes(path, root, bytes)?;
        return Ok(Findings {
            diagnostics: Vec::new(),
            files: Vec::new(),
            omitted: 0,
        });
    }
    match document(compiler, path, root) {
        Ok(findings) => Ok(findings),
        Err(Error::Document(errors)) => Ok(refused(compiler, path, root, errors)),
        Err(other) => Err(other.into()),
    }
}

fn document(compiler: &Compiler, path: &Path, root: Option<&Path>) -> Result<Findings, Error> {
    let document = Document::read(path, root)?;
    let compiled = compiler.compile(&document.model, Form::Image);
    let compiled = compiled.map_err(|error| document.compile_error(path, error))?;
    let files = document.shown_files();
    let mut diagnostics = document.warnings;
    diagnostics.extend(compiled.warnings);
    diagnostics.extend(lint::check(&document.model));
    diagnostics.sort_by_key(|diagnostic| diagnostic.at);
    Ok(Findings {
        diagnostics,
        files,
        omitted: 0,
    })
}

/// Files that cannot be read do not hide what only the compiler finds, such as broken expressions.
fn refused(compiler: &Compiler, path: &Path, root: Option<&Path>, errors: Errors) -> Findings {
    let mut findings = Findings {
        diagnostics: errors.diagnostics,
        files: errors.files,
        omitted: errors.omitted,
    };
    let others = |found: &Diagnostic| found.severity == Severity::Error && found.code != "unreadable-src";
    if findings.omitted > 0 || findings.diagnostics.iter().any(others) {
        return findings;
    }
    let Ok(document) = Document::read_despite_missing(path, root) else {
        return findings;
    };
    let Ok(compiled) = compiler.compile(&document.model, Form::Image) else {
        return findings;
    };
    // What the reader found points into the files of its reading, of which the other one may have further ones in between.
    // An included text with the missing file may stand at another number there.
    let files = document.shown_files();
    let place = |file: u16| {
        let url = &findings.files.get(usize::from(file))?.url;
        let place = files.iter().position(|other| other.url == *url)?;
        u16::try_from(place).ok()
    };
    let places: Vec<Option<u16>> = (0..findings.files.len() as u16).map(place).collect();
    if findings
        .diagnostics
        .iter()
        .any(|found| !matches!(places.get(usize::from(found.at.file)), Some(Some(_))))
    {
        return findings;
    }
    for found in &mut findings.diagnostics {
        found.at.file = places[usize::from(found.at.file)].unwrap_or_default();
    }
    findings.files = files;
    findings.diagnostics.extend(compiled.warnings);
    findings.diagnostics.extend(lint::check(&document.model));
    findings.diagnostics.sort_by_key(|diagnostic| diagnostic.at);
    findings
}

impl Findings {
    fn refused(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    fn text(&self, path: &Path) -> Result<(), Failure> {
        if !self.diagnostics.is_empty() {
            print(&format!("{}\n", render(&self.diagnostics, &self.files)))?;
        }
        let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let errors = counted(self.count(Severity::Error) + self.omitted, "error");
        let warnings = counted(self.count(Severity::Warning), "warning");
        let verdict = match (self.refused(), self.count(Severity::Warning)) {
            (true, 0) => format!("refused, {errors}"),
            (true, _) => format!("refused, {errors}, {warnings}"),
            (false, 0) => "correct".into(),
            (false, _) => format!("usable, {warnings}"),
        };
        say(&format!("{}: {verdict}", path.display()))
    }

    fn json(&self) -> Result<(), Failure> {
        self.diagnostics.iter().try_for_each(|found| {
            let file = self.files.get(usize::from(found.at.file)).map(|file| file.url.as_str());
            json(&object!({
                "file": file, "line": found.at.line, "column": found.at.column, "length": found.length,
                "severity": found.severity, "code": found.code, "message": found.message, "hint": found.hint,
            }))
        })
    }
}
