//! From the tree of elements to the model.
//!
//! One function for each element. Each begins with [`Reader::open`], which compares the element with its rule in the
//! vocabulary and answers the children that may stand in it; so every finding about names and places is made in one
//! place, and a function reads only what belongs there. After an error a function goes on with an empty value: the
//! document is refused in the end, and the author hears of all errors at once.

mod action;
mod attributes;
mod data;
mod document;
mod executable;
mod include;
mod invoke;
mod open;
mod prefix;
mod send;
mod settings;
mod state;

pub use open::in_predicate;

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Report, Severity, bounded};
use crate::model::{Datamodel, Dialect, Position, StateKind, Text};
use crate::resolver::Resolver;
use crate::source::{Files, Span};
use crate::suggest::did_you_mean;
use crate::xml::{Attribute, Element};

/// What a reading collects beside the model.
pub(crate) struct Reader<'r> {
    /// Texts read so far; the document is file 0.
    pub files: Files,
    /// Findings so far.
    pub report: Report,
    /// States in document order, for the checks on targets.
    pub states: Vec<StateEntry>,
    /// Everything that names states.
    pub references: Vec<Reference>,
    resolver: &'r dyn Resolver,
    dialect: Dialect,
    datamodel: Datamodel,
    /// Ids made for states without one.
    generated: usize,
    /// The first place of each id of `data`.
    data_ids: HashMap<String, Span>,
    /// Bytes taken from files, each mention counted.
    included_bytes: usize,
    /// The declarations of prefixes of each text's root, as written.
    namespaces: HashMap<u16, Vec<String>>,
}

/// A state as the checks on targets need it.
#[derive(Debug)]
pub(crate) struct StateEntry {
    /// The id that the author gave.
    pub id: Option<String>,
    /// Where the id stands, or the tag.
    pub span: Span,
    /// Its kind.
    pub kind: StateKind,
    /// Index of its parent; `None`: a child of `scxml`.
    pub parent: Option<usize>,
}

/// A list of targets.
#[derive(Debug)]
pub(crate) struct Reference {
    /// What names them.
    pub origin: Origin,
    /// The ids, with the place of each.
    pub targets: Vec<(String, Span)>,
}

/// What names states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `initial` of `scxml`.
    Document,
    /// `initial` of the state with this index, as attribute or element.
    Initial(usize),
    /// The default transition of the history with this index.
    History(usize),
    /// An ordinary transition.
    Transition,
}

impl<'r> Reader<'r> {
    /// A reader that has read nothing.
    pub fn new(resolver: &'r dyn Resolver) -> Self {
        Self {
            files: Files::default(),
            report: Report::default(),
            states: Vec::new(),
            references: Vec::new(),
            resolver,
            dialect: Dialect::W3c,
            datamodel: Datamodel::Ecmascript,
            generated: 0,
            data_ids: HashMap::new(),
            included_bytes: 0,
            namespaces: HashMap::new(),
        }
    }

    /// Reports an error.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Error, code, span, message.into(), hint);
    }

    fn warning(&mut self, code: &'static str, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Warning, code, span, message.into(), hint);
    }

    fn add(&mut self, severity: Severity, code: &'static str, span: Span, message: String, hint: Option<String>) {
        if self.report.is_full(severity) {
            self.report.omit(severity);
            return;
        }
        let (message, hint) = (bounded(message), hint.map(bounded));
        let (at, length) = (self.files.position(span), self.files.length(span));
        self.report.add(Diagnostic {
            severity,
            code,
            message,
            at,
            length,
            hint,
        });
    }

    /// "did you mean ...?". `None` too where findings of this severity are no longer kept: a comparison with all names
    /// costs more than all else that is done for an element, and a document can hold a million wrong ones.
    pub fn suggest<'n>(
        &self,
        severity: Severity,
        name: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Option<String> {
        if self.report.is_full(severity) {
            None
        } else {
            did_you_mean(name, names)
        }
    }

    fn at(&self, element: &Element) -> Position {
        self.files.position(element.tag)
    }

    fn text(&self, attribute: &Attribute) -> Text {
        Text {
            text: attribute.value.clone(),
            at: self.files.position(attribute.span),
        }
    }
}

/// An element as messages name it.
fn tag(element: &Element) -> String {
    crate::diagnostic::quoted(&format!("<{}>", element.name))
}
