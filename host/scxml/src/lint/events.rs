//! Names of events that do not meet: waited for and never sent, sent and never waited for.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};

use super::place::Mark;
use super::tree::{Tree, blocks, descriptor, own_blocks, walk};
use super::{Finding, NEVER_SENT, NOT_HANDLED};
use crate::diagnostic::quoted;
use crate::expression::string_literal;
use crate::limits::MAX_DIAGNOSTICS;
use crate::model::{Attribute, Operation, Send, State, StateKind};
use crate::suggest::did_you_mean;

/// Longer names are not looked at: each of their tokens is.
const MAX_NAME_BYTES: usize = 512;

/// The type of the SCXML event processor (W3C SCXML C.1), in both spellings.
const SCXML_PROCESSOR: [&str; 2] = ["http://www.w3.org/TR/scxml/#SCXMLEventProcessor", "scxml"];

/// The function that raises an event (ORS).
const RAISE: &str = "__Raise";

/// A text that is known before run time.
pub(super) fn literal(attribute: &Attribute) -> Option<&str> {
    match attribute {
        Attribute::Literal(text) => Some(&text.text),
        Attribute::Expr(text) => string_literal(&text.text),
    }
}

/// What a document sends to itself, or may.
#[derive(Debug, Default)]
pub(super) struct Own<'d> {
    /// Names that are written out.
    names: BTreeSet<&'d str>,
    /// There are names that are worked out at run time.
    unknown: bool,
}

impl<'d> Own<'d> {
    pub fn of(tree: &Tree<'d>) -> Self {
        let mut own = Self::default();
        for script in tree.scripts {
            own.script(&script.source.text);
        }
        for node in &tree.nodes {
            for block in blocks(node.state) {
                walk(block, &mut |executable| match &executable.operation {
                    Operation::Raise { event, .. } => {
                        own.names.insert(event.trim());
                    }
                    Operation::Script(source) => own.script(&source.text),
                    Operation::Send(send) if target(send) != Target::Elsewhere => {
                        match send.event.as_ref().map(literal) {
                            Some(Some(event)) => {
                                own.names.insert(event.trim());
                            }
                            Some(None) => own.unknown = true,
                            None => {}
                        }
                    }
                    _ => {}
                });
            }
        }
        own
    }

    /// What a script raises (ORS): `__Raise('name', data)`.
    fn script(&mut self, source: &'d str) {
        for (at, call) in source.match_indices(RAISE) {
            let arguments = source[at + call.len()..].trim_start();
            let Some(arguments) = arguments.strip_prefix('(').map(str::trim_start) else {
                continue;
            };
            let name = ['\'', '"'].into_iter().find_map(|quote| {
                let (name, rest) = arguments.strip_prefix(quote)?.split_once(quote)?;
                let whole = rest.trim_start().starts_with([',', ')']) && !name.contains('\\');
                whole.then_some(name)
            });
            match name {
                Some(name) => {
                    self.names.insert(name.trim());
                }
                None => self.unknown = true,
            }
        }
    }

    /// An event that this descriptor (without its redundant ending) matches may be among them.
    pub fn may_match(&self, descriptor: &str) -> bool {
        self.unknown || self.names.contains(descriptor) || self.has_inside(descriptor)
    }

    fn has_inside(&self, descriptor: &str) -> bool {
        let inside = format!("{descriptor}.");
        let next = self.names.range(inside.as_str()..).next();
        next.is_some_and(|name| name.starts_with(&inside))
    }
}

/// Where a `send` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Surely to this session.
    Own,
    /// Surely to somebody else.
    Elsewhere,
    /// It shows at run time.
    Unknown,
}

pub(super) fn target(send: &Send) -> Target {
    let own_processor = match send.processor.as_ref().map(literal) {
        None => true,
        Some(Some(name)) => SCXML_PROCESSOR.contains(&name.trim_end_matches('/')),
        Some(None) => return Target::Unknown,
    };
    let Some(target) = &send.target else {
        return if own_processor { Target::Own } else { Target::Unknown };
    };
    // In the ORS dialect a session's id is its address.
    let itself = matches!(target, Attribute::Expr(text) if text.text.trim() == "_sessionid");
    match literal(target) {
        _ if itself && own_processor => Target::Own,
        Some("#_internal" | "_internal") if own_processor => Target::Own,
        // A session may name itself, or send to itself over HTTP; an expression may say anything.
        Some(target) if target.starts_with("#_") && target != "#_internal" => {
            if target.starts_with("#_scxml_") {
                Target::Unknown
            } else {
                Target::Elsewhere
            }
        }
        _ => Target::Unknown,
    }
}

pub(super) fn check(tree: &Tree<'_>, reached: &[bool]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let waits = Waits::new(tree);
    let near = Near::new(waits.0.iter().copied());
    let platform = Platform::new(tree);
    let forwards = tree
        .nodes
        .iter()
        .any(|node| node.state.invokes.iter().any(|invoke| invoke.autoforward));
    for (number, node) in tree.nodes.iter().enumerate() {
        if !reached[number] {
            continue;
        }
        for transition in &node.state.transitions {
            for event in &transition.events {
                if let Some((message, hint)) = platform.never_sent(tree, event) {
                    findings.push(Finding {
                        code: NEVER_SENT,
                        at: transition.at,
                        mark: Mark::Attribute {
                            name: "event",
                            word: Some(event.clone()),
                        },
                        message,
                        hint,
                    });
                }
            }
        }
        for block in blocks(node.state) {
            walk(block, &mut |executable| {
                let (event, how) = match &executable.operation {
                    Operation::Raise { event, .. } => (event.as_str(), "raised"),
                    Operation::Send(send) if target(send) == Target::Own => {
                        match send.event.as_ref().and_then(literal) {
                            // An external event goes to children that have everything forwarded.
                            Some(event) if !forwards => (event, "sent to this session"),
                            _ => return,
                        }
                    }
                    _ => return,
                };
                let event = event.trim();
                if waits.matches(event) {
                    return;
                }
                let hint = near.to(event).unwrap_or_else(|| {
                    format!(
                        "add `<transition event=\"{}\" .../>` where it matters, or do not send it",
                        quoted(event).trim_matches('`')
                    )
                });
                findings.push(Finding {
                    code: NOT_HANDLED,
                    at: executable.at,
                    mark: Mark::Attribute {
                        name: "event",
                        word: None,
                    },
                    message: format!("{} is {how}, and no transition waits for it", quoted(event)),
                    hint,
                });
            });
        }
    }
    findings
}

/// The descriptors of all transitions.
struct Waits<'d>(HashSet<&'d str>);

impl<'d> Waits<'d> {
    fn new(tree: &Tree<'d>) -> Self {
        let transitions = tree.nodes.iter().flat_map(|node| &node.state.transitions);
        Self(
            transitions
                .flat_map(|transition| &transition.events)
                .map(|event| descriptor(event))
                .collect(),
        )
    }

    /// The same as comparing with each of them (W3C SCXML 3.12.1).
    fn matches(&self, event: &str) -> bool {
        if event.len() > MAX_NAME_BYTES || self.0.contains("*") || self.0.contains(event) {
            return true;
        }
        event.match_indices('.').any(|(end, _)| self.0.contains(&event[..end]))
    }
}

/// Suggests names, up to a bound: a comparison with all names costs more than everything else.
struct Near<'d> {
    names: Vec<&'d str>,
    left: Cell<usize>,
}

impl<'d> Near<'d> {
    fn new(names: impl IntoIterator<Item = &'d str>) -> Self {
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        Self {
            names,
            left: Cell::new(MAX_DIAGNOSTICS),
        }
    }

    fn to(&self, name: &str) -> Option<String> {
        self.left.set(self.left.get().checked_sub(1)?);
        did_you_mean(name, self.names.iter().copied())
    }
}

/// What the platform raises for this document (W3C SCXML 3.12.2, 6.4).
struct Platform<'d> {
    /// States whose `done.state` can come, by id.
    states: BTreeSet<&'d str>,
    /// Ids of `invoke`s.
    invokes: BTreeSet<&'d str>,
    /// States that have an `invoke` with an id of the platform's making, which begins with the state's.
    makers: BTreeSet<&'d str>,
    own: Own<'d>,
    near_states: Near<'d>,
    near_invokes: Near<'d>,
}

impl<'d> Platform<'d> {
    fn new(tree: &Tree<'d>) -> Self {
        let mut finished = vec![false; tree.nodes.len()];
        for number in (0..tree.nodes.len()).rev() {
            finished[number] = can_finish(tree, &finished, number);
        }
        let (mut states, mut invokes, mut makers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (number, node) in tree.nodes.iter().enumerate() {
            let id = node.state.id.as_str();
            if finished[number] && node.state.named {
                states.insert(id);
            }
            for invoke in &node.state.invokes {
                match &invoke.id {
                    Some(id) => invokes.insert(id.as_str()),
                    None => makers.insert(id),
                };
            }
        }
        Self {
            own: Own::of(tree),
            near_states: Near::new(states.iter().copied()),
            near_invokes: Near::new(invokes.iter().copied()),
            states,
            invokes,
            makers,
        }
    }

    /// Why an event that this descriptor names never comes, and what to do.
    fn never_sent(&self, tree: &Tree<'_>, written: &str) -> Option<(String, String)> {
        let event = descriptor(written);
        if event.len() > MAX_NAME_BYTES || self.own.may_match(event) {
            return None;
        }
        if let Some(id) = event.strip_prefix("done.state.") {
            if is_or_inside(&self.states, id) {
                return None;
            }
            let message = format!("{} never comes: {}", quoted(written), self.unfinished(tree, id));
            let hint = match tree.by_id.get(id).map(|&state| tree.kind(state)) {
                None => self
                    .near_states
                    .to(id)
                    .unwrap_or_else(|| "name a state that has a `<final>` child".to_owned()),
                Some(StateKind::State) => "add a `<final>` to it where its work ends".to_owned(),
                Some(StateKind::Parallel) => "add a `<final>` to each of its child states".to_owned(),
                Some(_) => "name the state that contains it".to_owned(),
            };
            return Some((message, hint));
        }
        let id = event.strip_prefix("done.invoke.")?;
        let made = |(end, _)| self.makers.contains(&id[..end]);
        if is_or_inside(&self.invokes, id) || is_or_inside(&self.makers, id) || id.match_indices('.').any(made) {
            return None;
        }
        let message = format!("{} never comes: there is no `<invoke>` {}", quoted(written), quoted(id));
        let hint = self
            .near_invokes
            .to(id)
            .unwrap_or_else(|| "give the `<invoke>` that is meant this id".to_owned());
        Some((message, hint))
    }

    fn unfinished(&self, tree: &Tree<'_>, id: &str) -> String {
        let name = quoted(id);
        match tree.by_id.get(id).map(|&state| tree.kind(state)) {
            None => format!("there is no state {name}"),
            Some(StateKind::State) => format!("{name} has no `<final>` child"),
            Some(StateKind::Parallel) => format!("a child state of {name} has no `<final>` child"),
            Some(_) => format!("{name} contains no states"),
        }
    }
}

/// `done.state` comes for a compound state when a final child is entered, for a parallel when all regions are done.
/// `finished` says it of all that follow in document order.
fn can_finish(tree: &Tree<'_>, finished: &[bool], number: usize) -> bool {
    let mut children = tree.nodes[number].children.iter();
    match tree.kind(number) {
        StateKind::State => children.any(|&child| tree.kind(child) == StateKind::Final),
        StateKind::Parallel => children
            .filter(|&&child| !tree.kind(child).is_history())
            .all(|&child| finished[child]),
        _ => false,
    }
}

/// The name, or one that goes on after it with a dot.
fn is_or_inside(names: &BTreeSet<&str>, name: &str) -> bool {
    let inside = format!("{name}.");
    names.contains(name)
        || names
            .range(inside.as_str()..)
            .next()
            .is_some_and(|next| next.starts_with(&inside))
}

/// The state asks somebody outside of the call, or has others at work: their events may come.
pub(super) fn asks_elsewhere(state: &State) -> bool {
    let mut asks = !state.invokes.is_empty();
    for block in own_blocks(state) {
        walk(block, &mut |executable| {
            if let Operation::Send(send) = &executable.operation {
                asks |= target(send) != Target::Own;
            }
        });
    }
    asks
}
