//! Charts become WebAssembly components.
//!
//! ```text
//!  model::Document --flatten--> chart tables --Sandbox::snapshot--> memory image --> component
//! ```
//!
//! [`flatten`] numbers states and transitions in document order and works out ahead of time what W3C SCXML 1.0
//! appendix D computes at run time. [`Compiler::compile`] goes the whole way, and puts beside the image what a host
//! needs later: the sources (to remake the image for another engine) and a [`Manifest`].

mod error;
mod expressions;
mod flatten;
mod manifest;
mod standalone;

pub use error::Error;
pub use flatten::flatten;
pub use manifest::{MANIFEST_SECTION, Manifest, SOURCE_SECTION, Sources, StateEntry};
pub use pointsman_chart::Limits;

use pointsman_chart as chart;
use pointsman_sandbox::Sandbox;
use pointsman_scxml::{Diagnostic, Severity, model};

/// Makes components.
#[derive(Clone)]
pub struct Compiler {
    sandbox: Sandbox,
    limits: Limits,
}

/// A compiled strategy.
pub struct Compiled {
    /// The component.
    pub component: Vec<u8>,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Expressions that are not valid ECMAScript, as warnings: reaching one raises `error.execution`.
    pub warnings: Vec<Diagnostic>,
}

/// Which form the component has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// An image for the engine of hosts of this version: small, deployed in milliseconds.
    #[default]
    Image,
    /// With the engine in it: runs in anybody's wasmtime.
    Standalone,
}

impl Compiler {
    /// A compiler that prepares charts in `sandbox`, for sessions with these limits.
    pub fn new(sandbox: Sandbox, limits: Limits) -> Self {
        Compiler { sandbox, limits }
    }

    /// Compiles a document.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Sandbox`] when the engine refuses it.
    pub fn compile(&self, document: &model::Document, form: Form) -> Result<Compiled, Error> {
        let tables = flatten(document)?;
        let limits = postcard::to_allocvec(&self.limits).expect("limits have a shape that postcard can write");
        let snapshot = self.sandbox.snapshot(&limits, &chart::encode(&tables))?;
        let warnings = snapshot
            .broken
            .iter()
            .flat_map(|(i, why)| broken(&tables, *i, why))
            .collect();
        let manifest = Manifest::new(document, &tables, self.sandbox.engine_digest(), self.limits);
        let sources = Sources::of(document);
        let sections = [
            (MANIFEST_SECTION, manifest.encode()),
            (SOURCE_SECTION, sources.encode()),
        ];
        let sections: Vec<(&str, &[u8])> = sections.iter().map(|(n, d)| (*n, d.as_slice())).collect();
        let component = match form {
            Form::Image => self.sandbox.component(&snapshot.image, &sections),
            Form::Standalone => standalone::encode(&self.sandbox.joined(&snapshot.image)?, &sections)?,
        };
        Ok(Compiled {
            component,
            manifest,
            warnings,
        })
    }
}

/// Wraps a core module that was written against the guest SDK into a component.
///
/// # Errors
/// [`Error::Module`] when the module does not speak the contract.
pub fn component_of_module(module: &[u8]) -> Result<Vec<u8>, Error> {
    standalone::encode(module, &[])
}

/// The warnings for a text that is not valid ECMAScript, one for each of its uses.
fn broken(tables: &chart::Chart, source: usize, why: &str) -> Vec<Diagnostic> {
    let Some(text) = tables.sources.get(source).map(|s| s.text.as_str()) else {
        return Vec::new();
    };
    let uses = tables.expressions.iter().filter(|e| usize::from(e.source) == source);
    let diagnostics = uses.map(|e| Diagnostic {
        severity: Severity::Warning,
        code: "invalid-expression",
        message: format!("this is not valid ECMAScript: {why}"),
        at: model::Position {
            file: e.at.file,
            line: e.at.line,
            column: e.at.column,
        },
        length: text.lines().next().map_or(1, |l| l.chars().count().max(1)) as u32,
        hint: Some("the document loads, and `error.execution` is raised when this is reached".into()),
    });
    diagnostics.collect()
}
