//! Expressions that look like forgotten quotes: `event="my.event"` where a value is wanted is a member of an object.
//!
//! Whether the object is there shows at run time only. A name that is written in no script, declared by no `data` and
//! assigned by nothing is there for certain not.

use std::collections::HashSet;

use super::place::Mark;
use super::tree::{Tree, blocks, walk};
use super::{Finding, UNQUOTED};
use crate::diagnostic::quoted;
use crate::expression::words;
use crate::model::{ActionElement, Attribute, Dialect, Document, Operation, Position, Text};
use pointsman_chart::duration_ms;

/// Names that every script has.
const GLOBALS: [&str; 20] = [
    "undefined",
    "null",
    "true",
    "false",
    "this",
    "NaN",
    "Infinity",
    "Math",
    "JSON",
    "Date",
    "Object",
    "Array",
    "String",
    "Number",
    "Boolean",
    "RegExp",
    "Error",
    "Symbol",
    "Map",
    "globalThis",
];

pub(super) fn check(document: &Document, tree: &Tree<'_>) -> Vec<Finding> {
    let names = Names::new(document, tree);
    let mut findings = Vec::new();
    let ors = document.dialect == Dialect::Ors;
    for block in tree.nodes.iter().flat_map(|node| blocks(node.state)) {
        walk(block, &mut |executable| {
            let mut see = |name: &'static str, attribute: &Attribute| {
                if let Attribute::Expr(text) = attribute {
                    findings.extend(names.unquoted(text, name, executable.at));
                }
            };
            match &executable.operation {
                Operation::Send(send) if ors => {
                    let attributes = [
                        ("event", &send.event),
                        ("target", &send.target),
                        ("type", &send.processor),
                        ("delay", &send.delay),
                    ];
                    for (name, attribute) in attributes {
                        if let Some(attribute) = attribute {
                            see(name, attribute);
                        }
                    }
                }
                Operation::Cancel(id) if ors => see("sendid", id),
                Operation::Action(action) => {
                    // Which of an action's elements it is, its attribute's name does not say: the whole action is marked.
                    action.attributes.iter().for_each(|(_, value)| see("", value));
                    action
                        .children
                        .iter()
                        .for_each(|child| inside(child, &mut |value| see("", value)));
                }
                _ => {}
            }
        });
    }
    findings
}

fn inside(element: &ActionElement, see: &mut dyn FnMut(&Attribute)) {
    element.attributes.iter().for_each(|(_, value)| see(value));
    element.children.iter().for_each(|child| inside(child, see));
}

/// Every word that may be the name of a variable.
struct Names<'d>(HashSet<&'d str>);

impl<'d> Names<'d> {
    fn new(document: &'d Document, tree: &Tree<'d>) -> Self {
        let mut names: HashSet<&str> = GLOBALS.into_iter().collect();
        names.extend(document.data.iter().map(|data| data.id.as_str()));
        for script in &document.scripts {
            names.extend(words(&script.source.text));
        }
        for node in &tree.nodes {
            names.extend(node.state.data.iter().map(|data| data.id.as_str()));
            let locations = node
                .state
                .invokes
                .iter()
                .filter_map(|invoke| invoke.idlocation.as_ref());
            names.extend(locations.flat_map(|location| words(&location.text)));
            for block in blocks(node.state) {
                walk(block, &mut |executable| match &executable.operation {
                    Operation::Script(source) => names.extend(words(&source.text)),
                    Operation::Assign { location, .. } => names.extend(words(&location.text)),
                    Operation::Foreach { item, index, .. } => {
                        names.extend(words(&item.text));
                        names.extend(index.iter().flat_map(|index| words(&index.text)));
                    }
                    Operation::Send(send) => names.extend(send.idlocation.iter().flat_map(|text| words(&text.text))),
                    Operation::Action(action) => {
                        names.extend(action.requestid.iter().flat_map(|text| words(&text.text)));
                    }
                    _ => {}
                });
            }
        }
        Self(names)
    }

    fn unquoted(&self, text: &Text, attribute: &'static str, at: Position) -> Option<Finding> {
        let written = text.text.trim();
        let what = if duration_ms(written).is_some() {
            "is a number with a word behind it"
        } else if written.starts_with("#_") {
            "is no expression"
        } else if self.is_unknown_name(written) {
            "names a variable that nothing declares"
        } else {
            return None;
        };
        Some(Finding {
            code: UNQUOTED,
            at,
            mark: Mark::Attribute {
                name: attribute,
                word: None,
            },
            message: format!("{} {what}, and an expression is wanted here", quoted(written)),
            hint: format!("for the text itself write \"'{}'\"", quoted(written).trim_matches('`')),
        })
    }

    /// Names between dots or hyphens, the first of which is nowhere else.
    fn is_unknown_name(&self, text: &str) -> bool {
        let mut parts = text.split(['.', '-']);
        let first = parts.next().unwrap_or_default();
        let is_name = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|character| character.is_alphanumeric() || matches!(character, '_' | '$'))
        };
        // Variables of the platform begin with an underscore, numbers with a digit.
        first.starts_with(|character: char| character.is_alphabetic())
            && is_name(first)
            && parts.all(is_name)
            && !self.0.contains(first)
    }
}
