//! The states of a document by number, in document order.

use std::collections::HashMap;

use crate::model::{Block, Document, Executable, Operation, Script, State, StateKind};

/// A state and where it stands.
pub(super) struct Node<'d> {
    pub state: &'d State,
    /// `None`: a child of `scxml`.
    pub parent: Option<usize>,
    /// One after its last descendant: descendants follow their state in document order.
    pub end: usize,
    /// Child states, histories included.
    pub children: Vec<usize>,
}

pub(super) struct Tree<'d> {
    pub nodes: Vec<Node<'d>>,
    pub by_id: HashMap<&'d str, usize>,
    /// Top-level scripts.
    pub scripts: &'d [Script],
}

impl<'d> Tree<'d> {
    pub fn new(document: &'d Document) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            by_id: HashMap::new(),
            scripts: &document.scripts,
        };
        for state in &document.states {
            tree.add(state, None);
        }
        tree
    }

    fn add(&mut self, state: &'d State, parent: Option<usize>) -> usize {
        let number = self.nodes.len();
        self.by_id.insert(&state.id, number);
        self.nodes.push(Node {
            state,
            parent,
            end: 0,
            children: Vec::with_capacity(state.children.len()),
        });
        for child in &state.children {
            let child = self.add(child, Some(number));
            self.nodes[number].children.push(child);
        }
        self.nodes[number].end = self.nodes.len();
        number
    }

    pub fn kind(&self, state: usize) -> StateKind {
        self.nodes[state].state.kind
    }

    /// A state that is active without any state in it.
    pub fn is_atomic(&self, state: usize) -> bool {
        let real = |&child: &usize| !self.kind(child).is_history();
        self.kind(state) == StateKind::State && !self.nodes[state].children.iter().any(real)
    }

    /// The states that contain it, from the inside out.
    pub fn ancestors(&self, state: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.nodes[state].parent, |&parent| self.nodes[parent].parent)
    }

    /// As messages name it.
    pub fn name(&self, state: usize) -> String {
        let state = self.nodes[state].state;
        if state.named {
            crate::diagnostic::quoted(&state.id)
        } else {
            "this state".to_owned()
        }
    }
}

/// An event descriptor without its redundant ending (W3C SCXML 3.12.1); `.*` alone counts as `*`.
pub(super) fn descriptor(text: &str) -> &str {
    let cut = text
        .strip_suffix(".*")
        .or_else(|| text.strip_suffix('.'))
        .unwrap_or(text);
    if cut.is_empty() { "*" } else { cut }
}

/// Shows every executable element of a block, those inside of others included, to `see`.
pub(super) fn walk<'d>(block: &'d Block, see: &mut dyn FnMut(&'d Executable)) {
    for executable in block {
        see(executable);
        match &executable.operation {
            Operation::If(conditional) => conditional.branches.iter().for_each(|(_, block)| walk(block, see)),
            Operation::Foreach { body, .. } => walk(body, see),
            _ => {}
        }
    }
}

/// Every block of a state that is not part of a transition.
pub(super) fn own_blocks(state: &State) -> impl Iterator<Item = &Block> {
    let finalize = state.invokes.iter().filter_map(|invoke| invoke.finalize.as_ref());
    state.onentry.iter().chain(&state.onexit).chain(finalize)
}

/// Every block of a state.
pub(super) fn blocks(state: &State) -> impl Iterator<Item = &Block> {
    let initial = state.initial.iter().map(|transition| &transition.content);
    let transitions = state.transitions.iter().map(|transition| &transition.content);
    own_blocks(state).chain(initial).chain(transitions)
}
