//! Legal state specifications (W3C SCXML 3.11.1): can these states be active together?
//!
//! Two states can where neither contains the other and the innermost state that contains both is a parallel. The
//! walk below goes from each target towards the root and stops where an earlier walk has been, so that a list of
//! targets costs as much as the states above it, not the square of its length.

use std::collections::HashMap;

use crate::model::StateKind;
use crate::reader::StateEntry;

/// The first walk that came by a state.
#[derive(Clone, Copy)]
struct Visit {
    /// Which target it started from.
    number: usize,
    /// The state is that target itself.
    target: bool,
}

/// Two targets (by their place in the list, the earlier first) that cannot be active together.
pub(super) fn conflict(states: &[StateEntry], targets: &[usize]) -> Option<(usize, usize)> {
    // `None` stands for the document, which has one active child.
    let mut visits: HashMap<Option<usize>, Visit> = HashMap::new();
    for (number, &target) in targets.iter().enumerate() {
        let start = standing_for(states, target);
        if let Some(visit) = visits.get(&start) {
            return Some((visit.number, number));
        }
        visits.insert(start, Visit { number, target: true });
        let mut node = start;
        while let Some(state) = node {
            node = states[state].parent;
            match visits.get(&node) {
                None => {
                    visits.insert(node, Visit { number, target: false });
                }
                Some(visit) => {
                    let parallel = node.is_some_and(|meeting| states[meeting].kind == StateKind::Parallel);
                    if visit.target || !parallel {
                        return Some((visit.number, number));
                    }
                    break;
                }
            }
        }
    }
    None
}

/// A history stands for what its parent will contain, so it takes its parent's place.
fn standing_for(states: &[StateEntry], target: usize) -> Option<usize> {
    if states[target].kind.is_history() {
        states[target].parent
    } else {
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::Span;

    fn tree(shape: &[(usize, u8)]) -> Vec<StateEntry> {
        let kinds = [StateKind::State, StateKind::Parallel, StateKind::DeepHistory];
        let mut states: Vec<StateEntry> = Vec::new();
        for &(parent, kind) in shape {
            // Only what can have children is a parent; 0 stands for the document.
            let parent = parent.checked_sub(1).filter(|&parent| parent < states.len());
            let parent = parent.filter(|&parent| !states[parent].kind.is_history());
            let kind = if parent.is_some() {
                kinds[usize::from(kind)]
            } else {
                kinds[usize::from(kind) % 2]
            };
            states.push(StateEntry {
                id: None,
                span: Span {
                    file: 0,
                    start: 0,
                    end: 0,
                },
                kind,
                parent,
            });
        }
        states
    }

    fn ancestors(states: &[StateEntry], state: usize) -> Vec<usize> {
        std::iter::successors(Some(state), |&state| states[state].parent).collect()
    }

    /// The definition, pair by pair.
    fn pair_is_legal(states: &[StateEntry], one: usize, other: usize) -> bool {
        let real = |state: usize| {
            if states[state].kind.is_history() {
                states[state].parent.unwrap()
            } else {
                state
            }
        };
        let (one, other) = (ancestors(states, real(one)), ancestors(states, real(other)));
        if one.contains(&other[0]) || other.contains(&one[0]) {
            return false;
        }
        let common = one.iter().find(|state| other.contains(state));
        common.is_some_and(|&state| states[state].kind == StateKind::Parallel)
    }

    proptest! {
        #[test]
        fn the_walk_agrees_with_the_definition_pair_by_pair(
            shape in prop::collection::vec((0usize..12, 0u8..3), 1..16),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        ) {
            let states = tree(&shape);
            let targets: Vec<usize> = picks.iter().map(|pick| pick.index(states.len())).collect();
            let legal = (0..targets.len())
                .all(|later| (0..later).all(|earlier| pair_is_legal(&states, targets[earlier], targets[later])));
            let found = conflict(&states, &targets);
            prop_assert_eq!(found.is_none(), legal);
            if let Some((earlier, later)) = found {
                prop_assert!(earlier < later);
                prop_assert!(!pair_is_legal(&states, targets[earlier], targets[later]));
            }
        }
    }
}
