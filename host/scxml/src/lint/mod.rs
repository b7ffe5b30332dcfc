//! Lints: what a valid document says that its author can hardly have meant.
//!
//! ```text
//! Document ─► tree (states by number) ─► reach   what can be entered
//!                                     ─► events  names that nobody sends, or nobody waits for
//!                                     ─► calls   waits without an end, sessions that outlive their call
//!                                     ─► actions what nobody carries out
//!                                     ─► literals expressions that look like forgotten quotes
//!                                          └─► place: where it stands, and whether its author allows it
//! ```
//!
//! A lint is silent where it is not sure: conditions count as true, events that come from outside as possible, and names
//! that are worked out at run time as any name. So what is reported is worth reading.
//!
//! An author who means it writes `<!-- pointsman:allow(code) -->` directly before the element, with several codes
//! separated by commas and a reason after the bracket; before `<scxml>` it holds for the whole document.
//!
//! Lints see the model and its texts only; they cost time linear in the document, whatever is in it.

mod actions;
mod calls;
mod events;
mod literals;
mod place;
mod reach;
mod tree;

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Severity, bounded};
use crate::limits::MAX_DIAGNOSTICS;
use crate::model::{Document, Position};
use place::Mark;
use tree::Tree;

/// A lint, as a list of rules shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As [`Diagnostic::code`]; what an author writes to allow it.
    pub code: &'static str,
    /// What it finds, in one sentence.
    pub summary: &'static str,
    /// When it is reported, when it is not, and what to do.
    pub explanation: &'static str,
}

/// A state that nothing leads to.
const UNREACHABLE: &str = "unreachable-state";
/// A transition waits for an event of the platform that is never raised.
const NEVER_SENT: &str = "event-never-sent";
/// An event that the document sends to itself and does not wait for.
const NOT_HANDLED: &str = "event-not-handled";
/// A state in which a call waits until somebody else does something.
const NO_TIMEOUT: &str = "wait-without-timeout";
/// A state in which the session does not hear that its call is gone.
const OUTLIVES: &str = "session-outlives-call";

/// An action of a functional module that nobody carries out.
const UNKNOWN_ACTION: &str = "unknown-action";

/// An action of a functional module that is known, and served by no link of this version.
const UNSERVED_ACTION: &str = "unserved-action";
/// An expression that looks like a text without its quotes.
const UNQUOTED: &str = "unquoted-literal";

/// Every lint.
pub const RULES: &[Rule] = &[
    Rule {
        code: UNREACHABLE,
        summary: "No transition, initial state or history leads to this state.",
        explanation: "Conditions count as true. Of an unreachable state only the outermost is reported. Name it in a \
                      `target` or `initial`, or remove it.",
    },
    Rule {
        code: NEVER_SENT,
        summary: "A transition waits for an event of the platform that this document never causes.",
        explanation: "`done.state.ID` comes where the state ID exists and can be finished: a compound state with a \
                      `<final>` child, or a parallel whose regions all can. `done.invoke.ID` comes where there is such \
                      an `<invoke>`. Other events may come from outside, and are not questioned.",
    },
    Rule {
        code: NOT_HANDLED,
        summary: "An event is raised, or sent to this session itself, and no transition matches it.",
        explanation: "Only names that are written out are compared. Events to other sessions and processors are not \
                      questioned, nor are sent ones where an `<invoke>` could forward them.",
    },
    Rule {
        code: NO_TIMEOUT,
        summary: "A call waits in this state until an event comes from outside, and no timeout ends the wait.",
        explanation: "Reported for atomic states that a session can come to after `interaction.onrouterequest` and \
                      before the call is decided, where all that can lead on are events from outside (not answers to \
                      requests, nor the end of the call), and nothing that the document sends itself is waited for \
                      there. The host's decision timeout sends such a call to the default DN. Add \
                      `<send event=\"timeout\" delay=\"30s\"/>` to `<onentry>` and a transition for it.",
    },
    Rule {
        code: OUTLIVES,
        summary: "When the call ends while the session is in this state, the session goes on without it.",
        explanation: "Reported in documents that wait for `interaction.onrouterequest`: for states without any way out \
                      that are no `<final>`, and for states in which neither `interaction.deleted` nor \
                      `interaction.abandoned` is handled, no timer is awaited and no answer from elsewhere. Add \
                      `<transition event=\"interaction.abandoned interaction.deleted\" target=\"...\"/>` there or in a \
                      state around it.",
    },
    Rule {
        code: UNKNOWN_ACTION,
        summary: "There is no such action of a functional module.",
        explanation: "Versions of ORS differ, so the document is taken all the same: the action becomes its error event, \
                      `error.MODULE.ACTION`, when it is reached. What there is stands in docs/modules.md.",
    },
    Rule {
        code: UNSERVED_ACTION,
        summary: "No link of this version serves this action of a functional module.",
        explanation: "It becomes its error event, `error.MODULE.ACTION`, when it is reached. Each action is told once for a \
                      document. What is served stands in docs/modules.md.",
    },
    Rule {
        code: UNQUOTED,
        summary: "An expression names a variable that nothing declares: the quotes of a literal were forgotten.",
        explanation: "In the ORS dialect `event`, `target`, `type` and `delay` of `<send>` and `sendid` of `<cancel>` are \
                      expressions, and so are most attributes of actions. Reported where the name stands in no script, is no \
                      `<data>` and is assigned by nothing. A text is written `\"'text'\"`.",
    },
];

/// Something found, before it is known where exactly it stands and whether it is allowed.
struct Finding {
    code: &'static str,
    /// Of the element.
    at: Position,
    mark: Mark,
    message: String,
    hint: String,
}

/// Everything that the lints have to say of a document, as warnings in the order of their places; at most
/// [`MAX_DIAGNOSTICS`].
pub fn check(document: &Document) -> Vec<Diagnostic> {
    let tree = Tree::new(document);
    let reached = reach::from_start(document, &tree);
    let mut findings = reach::check(&tree, &reached);
    findings.extend(events::check(&tree, &reached));
    findings.extend(calls::check(&tree, &reached));
    findings.extend(actions::check(&tree));
    findings.extend(literals::check(document, &tree));
    findings.sort_by_key(|finding| finding.at);
    // A text that is included twice has its findings once.
    let mut told = HashSet::new();
    let mut diagnostics: Vec<Diagnostic> = place::find(document, findings)
        .filter(|(finding, at, _)| told.insert((finding.code, *at, finding.message.clone())))
        .take(MAX_DIAGNOSTICS)
        .map(|(finding, at, length)| Diagnostic {
            severity: Severity::Warning,
            code: finding.code,
            message: bounded(finding.message),
            at,
            length,
            hint: Some(bounded(finding.hint)),
        })
        .collect();
    diagnostics.sort_by_key(|diagnostic| diagnostic.at);
    diagnostics
}
