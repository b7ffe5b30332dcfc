//! What can be entered, where every condition may be true and every event may come.

use super::place::Mark;
use super::tree::Tree;
use super::{Finding, UNREACHABLE};
use crate::model::{Document, StateKind, Transition};

/// States that are found to be entered, and those whose transitions are still to be followed.
pub(super) struct Entered<'t, 'd> {
    tree: &'t Tree<'d>,
    /// Entered, by number.
    pub states: Vec<bool>,
    /// Entered as a target or by default, so that something in it is entered by default too.
    defaulted: Vec<bool>,
    /// To be entered by default.
    defaults: Vec<usize>,
    /// Entered, and not yet followed.
    next: Vec<usize>,
}

impl<'t, 'd> Entered<'t, 'd> {
    pub fn new(tree: &'t Tree<'d>) -> Self {
        let count = tree.nodes.len();
        Self {
            tree,
            states: vec![false; count],
            defaulted: vec![false; count],
            defaults: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Enters what a transition names, and what is entered with it (W3C SCXML appendix D, computeEntrySet).
    pub fn enter_targets(&mut self, targets: &[String]) {
        let targets: Vec<usize> = targets
            .iter()
            .filter_map(|id| self.tree.by_id.get(id.as_str()).copied())
            .collect();
        for target in targets {
            self.enter(target);
        }
    }

    /// Enters a state by name or by default. A worklist, not a recursion: histories can name far states.
    pub fn enter(&mut self, state: usize) {
        self.defaults.push(state);
        while let Some(state) = self.defaults.pop() {
            self.mark(state);
            if !std::mem::replace(&mut self.defaulted[state], true) {
                self.by_default(state);
            }
        }
    }

    fn by_default(&mut self, state: usize) {
        let tree = self.tree;
        let node = &tree.nodes[state];
        match node.state.kind {
            StateKind::Final => {}
            StateKind::Parallel => self.enter_regions(state),
            // What a history remembers has been active, and so has been entered some other way.
            StateKind::ShallowHistory | StateKind::DeepHistory => {
                node.state.transitions.iter().for_each(|default| self.later(default));
            }
            StateKind::State => match &node.state.initial {
                Some(initial) => self.later(initial),
                None => {
                    let first = node.children.iter().find(|&&child| !tree.kind(child).is_history());
                    self.defaults.extend(first);
                }
            },
        }
    }

    fn later(&mut self, transition: &Transition) {
        let targets = transition.targets.iter();
        self.defaults
            .extend(targets.filter_map(|id| self.tree.by_id.get(id.as_str())));
    }

    fn enter_regions(&mut self, parallel: usize) {
        let regions = self.tree.nodes[parallel].children.iter();
        self.defaults
            .extend(regions.filter(|&&child| !self.tree.kind(child).is_history()));
    }

    /// The state and those that contain it; regions beside it in a parallel are entered by default.
    fn mark(&mut self, state: usize) {
        let mut above = Some(state);
        while let Some(state) = above {
            if std::mem::replace(&mut self.states[state], true) {
                return;
            }
            self.next.push(state);
            above = self.tree.nodes[state].parent;
            if let Some(parent) = above.filter(|&parent| self.tree.kind(parent) == StateKind::Parallel) {
                self.enter_regions(parent);
            }
        }
    }

    /// Follows the transitions that `wanted` accepts from everything entered, until nothing new is entered.
    pub fn follow(&mut self, wanted: impl Fn(&Transition) -> bool) {
        while let Some(state) = self.next.pop() {
            let state = self.tree.nodes[state].state;
            if state.kind.is_history() {
                continue;
            }
            for transition in state.transitions.iter().filter(|transition| wanted(transition)) {
                self.enter_targets(&transition.targets);
            }
        }
    }
}

/// All that a session can come to.
pub(super) fn from_start(document: &Document, tree: &Tree<'_>) -> Vec<bool> {
    let mut entered = Entered::new(tree);
    if document.initial.is_empty() {
        if !tree.nodes.is_empty() {
            entered.enter(0);
        }
    } else {
        entered.enter_targets(&document.initial);
    }
    entered.follow(|_| true);
    entered.states
}

pub(super) fn check(tree: &Tree<'_>, reached: &[bool]) -> Vec<Finding> {
    let outermost = |&state: &usize| !reached[state] && tree.nodes[state].parent.is_none_or(|parent| reached[parent]);
    let lost = (0..tree.nodes.len()).filter(outermost);
    lost.map(|number| {
        let state = tree.nodes[number].state;
        let (what, hint) = if state.kind.is_history() {
            (
                "no transition leads to this history: it remembers for nobody",
                "name it in a `target`, or remove it",
            )
        } else if state.named {
            ("", "name it in a `target` or an `initial`, or remove it")
        } else {
            ("", "give it an `id` and name that in a `target`, or remove it")
        };
        let message = if what.is_empty() {
            format!("nothing leads to {}: it is never entered", tree.name(number))
        } else {
            what.to_owned()
        };
        Finding {
            code: UNREACHABLE,
            at: state.at,
            mark: Mark::of_state(state),
            message,
            hint: hint.to_owned(),
        }
    })
    .collect()
}
