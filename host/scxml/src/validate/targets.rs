//! Targets exist, and stand where what names them may lead.

use super::ids::Ids;
use super::legal;
use crate::diagnostic::{Severity, quoted};
use crate::model::StateKind;
use crate::reader::{Origin, Reader, Reference, StateEntry};
use crate::source::Span;

pub(super) fn check(reader: &mut Reader<'_>, ids: &Ids) {
    // In an order of their own, so that of two equally near ids always the same is suggested.
    let mut names: Vec<&str> = ids.keys().map(String::as_str).collect();
    names.sort_unstable();
    for reference in std::mem::take(&mut reader.references) {
        let known = resolve(reader, ids, &names, &reference);
        let complete = known.len() == reference.targets.len();
        let fits = known
            .iter()
            .filter(|&&(target, span)| check_place(reader, reference.origin, target, span))
            .count();
        // Whether targets go together is asked only of targets that are right by themselves.
        if complete && fits == known.len() {
            check_together(reader, &known);
        }
    }
}

/// The targets that exist; reports the others.
fn resolve(reader: &mut Reader<'_>, ids: &Ids, names: &[&str], reference: &Reference) -> Vec<(usize, Span)> {
    let mut known = Vec::with_capacity(reference.targets.len());
    for (id, span) in &reference.targets {
        if let Some(&target) = ids.get(id) {
            known.push((target, *span));
            continue;
        }
        let hint = reader.suggest(Severity::Error, id, names.iter().copied());
        reader.error(
            "unknown-target",
            *span,
            format!("there is no state {}", quoted(id)),
            hint,
        );
    }
    known
}

/// Reports a target that is not where it must be (W3C SCXML 3.6, 3.10.2); `true`: it is.
fn check_place(reader: &mut Reader<'_>, origin: Origin, target: usize, span: Span) -> bool {
    let states = &reader.states;
    let name = quoted(states[target].id.as_deref().unwrap_or_default());
    let finding = match origin {
        Origin::Document | Origin::Transition => None,
        Origin::Initial(state) if !is_descendant(states, target, state) => Some((
            "initial-not-descendant",
            format!("{name} is not inside the state whose initial state it is to be"),
            "name a state inside; to go elsewhere, use a `<transition>`",
        )),
        Origin::Initial(_) => None,
        Origin::History(history) => check_history(states, history, target, &name),
    };
    let Some((code, message, hint)) = finding else {
        return true;
    };
    reader.error(code, span, message, Some(hint.to_owned()));
    false
}

fn check_history(
    states: &[StateEntry],
    history: usize,
    target: usize,
    name: &str,
) -> Option<(&'static str, String, &'static str)> {
    // A history outside of any state was reported as misplaced, and is not in the table.
    let parent = states[history].parent?;
    if states[target].kind.is_history() && states[target].parent == Some(parent) {
        let hint = "name a state: histories that name each other would lead nowhere";
        return Some((
            "history-names-history",
            format!("{name} is a history of the same state"),
            hint,
        ));
    }
    if states[history].kind == StateKind::ShallowHistory && states[target].parent != Some(parent) {
        let hint = "name a sibling of the history, or make it type=\"deep\"";
        return Some((
            "history-target",
            format!("{name} is not a child of the state whose history this is"),
            hint,
        ));
    }
    if !is_descendant(states, target, parent) {
        let hint = "name a state inside the one that contains the history";
        return Some((
            "history-target",
            format!("{name} is not inside the state whose history this is"),
            hint,
        ));
    }
    None
}

fn is_descendant(states: &[StateEntry], state: usize, ancestor: usize) -> bool {
    std::iter::successors(states[state].parent, |&parent| states[parent].parent).any(|parent| parent == ancestor)
}

fn check_together(reader: &mut Reader<'_>, targets: &[(usize, Span)]) {
    let indexes: Vec<usize> = targets.iter().map(|&(target, _)| target).collect();
    let Some((earlier, later)) = legal::conflict(&reader.states, &indexes) else {
        return;
    };
    let name = |number: usize| quoted(reader.states[targets[number].0].id.as_deref().unwrap_or_default());
    let message = format!("{} and {} cannot be active together", name(earlier), name(later));
    let hint = "several targets must be in different regions of a `<parallel>`".to_owned();
    reader.error("illegal-targets", targets[later].1, message, Some(hint));
}
