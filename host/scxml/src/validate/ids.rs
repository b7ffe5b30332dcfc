//! Ids are unique, and histories have something to remember.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::diagnostic::quoted;
use crate::model::StateKind;
use crate::reader::Reader;

/// The state of each id.
pub(super) type Ids = HashMap<String, usize>;

pub(super) fn check(reader: &mut Reader<'_>) -> Ids {
    let mut ids = Ids::new();
    let mut remembers = vec![false; reader.states.len()];
    let mut findings = Vec::new();
    for (index, state) in reader.states.iter().enumerate() {
        if let (Some(parent), false) = (state.parent, state.kind.is_history()) {
            remembers[parent] = true;
        }
        let Some(id) = &state.id else { continue };
        match ids.entry(id.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(index);
            }
            Entry::Occupied(first) => {
                let line = reader.files.position(reader.states[*first.get()].span).line;
                let hint = format!("the first is on line {line}");
                findings.push((
                    "duplicate-id",
                    state.span,
                    format!("two states have the id {}", quoted(id)),
                    hint,
                ));
            }
        }
    }
    for state in reader.states.iter().filter(|state| state.kind.is_history()) {
        if state.parent.is_some_and(|parent| !remembers[parent]) {
            let message = "`<history>` stands in a state without child states: it has nothing to remember".to_owned();
            findings.push((
                "useless-history",
                state.span,
                message,
                "add the states, or remove the history".to_owned(),
            ));
        }
    }
    for (code, span, message, hint) in findings {
        reader.error(code, span, message, Some(hint));
    }
    ids
}

impl StateKind {
    /// A pseudo-state: it is never active itself.
    pub fn is_history(self) -> bool {
        matches!(self, Self::ShallowHistory | Self::DeepHistory)
    }
}
