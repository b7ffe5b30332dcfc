//! Strategies that forget their caller: waits without an end, and sessions that do not hear that the call is gone.
//!
//! Both begin at the transitions that take a call (`interaction.onrouterequest`) and follow what comes after. What a
//! session hears while it is in a state is what the transitions of the state wait for, of all states around it, and
//! of all that is active beside it; the sum of that is kept as a few flags ([`Hears`]).

use std::ops::BitOr;

use pointsman_chart::matches_descriptor;

use super::events::{self, Own};
use super::place::Mark;
use super::reach::Entered;
use super::tree::{Tree, descriptor, own_blocks, walk};
use super::{Finding, NO_TIMEOUT, OUTLIVES};
use crate::diagnostic::quoted;
use crate::model::{Block, Operation, StateKind, Transition};

/// The event that brings a call.
const REQUEST: &str = "interaction.onrouterequest";

/// Events after which there is no call any more.
const ENDS: [&str; 2] = ["interaction.deleted", "interaction.abandoned"];

/// Events after which the call is decided.
const OVER: [&str; 4] = [
    "interaction.redirect.done",
    "interaction.terminate.done",
    "interaction.deleted",
    "interaction.abandoned",
];

/// What can lead on from a state: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hears(u16);

impl Hears {
    /// A transition without an event, or for any event.
    const ANYTHING: Self = Self(1);
    /// Something that the document sends to itself: a timer, most often.
    const OWN: Self = Self(1 << 1);
    /// The answer to a request about the call.
    const CALL_ANSWER: Self = Self(1 << 2);
    /// The answer to another request; that something is done; an error.
    const OTHER_ANSWER: Self = Self(1 << 3);
    /// The call that is still to come.
    const CALL: Self = Self(1 << 4);
    /// The end of the call.
    const END: Self = Self(1 << 5);
    /// An event from outside.
    const OUTSIDE: Self = Self(1 << 6);
    /// No transition: somebody outside is asked on entry, or works as long as the state is active.
    const ASKS: Self = Self(1 << 7);
    /// No transition: something is asked about the call on entry.
    const ASKS_CALL: Self = Self(1 << 8);

    fn any(self, of: &[Self]) -> bool {
        of.iter().any(|flag| self.0 & flag.0 != 0)
    }
}

impl BitOr for Hears {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

pub(super) fn check(tree: &Tree<'_>, reached: &[bool]) -> Vec<Finding> {
    let takes_call = |transition: &Transition| transition.events.iter().any(|event| hears_call(event));
    let takers: Vec<(usize, &Transition)> = (0..tree.nodes.len())
        .filter(|&number| reached[number])
        .flat_map(|number| tree.nodes[number].state.transitions.iter().map(move |t| (number, t)))
        .filter(|(_, transition)| takes_call(transition))
        .collect();
    if takers.is_empty() {
        return Vec::new();
    }
    // With the call, and with or without it.
    let (mut with, mut after) = (Entered::new(tree), Entered::new(tree));
    for (number, transition) in takers {
        for entered in [&mut with, &mut after] {
            if transition.targets.is_empty() {
                entered.enter(number);
            } else {
                entered.enter_targets(&transition.targets);
            }
        }
    }
    with.follow(|transition| !is_over(transition));
    after.follow(|_| true);
    let hears = heard(tree);
    let mut findings = Vec::new();
    for number in (0..tree.nodes.len()).filter(|&number| after.states[number] && tree.is_atomic(number)) {
        let live = with.states[number];
        findings.extend(outlives(tree, number, hears[number], live));
        if live {
            findings.extend(no_timeout(tree, number, hears[number]));
        }
    }
    findings
}

fn outlives(tree: &Tree<'_>, number: usize, hears: Hears, live: bool) -> Option<Finding> {
    let state = tree.nodes[number].state;
    let name = tree.name(number);
    let all = [
        Hears::ANYTHING,
        Hears::OWN,
        Hears::CALL_ANSWER,
        Hears::OTHER_ANSWER,
        Hears::CALL,
        Hears::END,
        Hears::OUTSIDE,
    ];
    let (message, hint) = if !hears.any(&all) {
        (
            format!("a session that comes to {name} never ends: no transition leads on"),
            "write `<final>` where the work of the session is done, or add a transition for what comes next",
        )
    } else if live
        && !hears.any(&[
            Hears::END,
            Hears::ANYTHING,
            Hears::OWN,
            Hears::OTHER_ANSWER,
            Hears::CALL,
            Hears::ASKS,
        ])
    {
        (
            format!("the session outlives its call when the caller hangs up in {name}"),
            "add `<transition event=\"interaction.abandoned interaction.deleted\" target=\"...\"/>` here or in a state around it",
        )
    } else {
        return None;
    };
    Some(Finding {
        code: OUTLIVES,
        at: state.at,
        mark: Mark::of_state(state),
        message,
        hint: hint.to_owned(),
    })
}

fn no_timeout(tree: &Tree<'_>, number: usize, hears: Hears) -> Option<Finding> {
    let bounded = [
        Hears::ANYTHING,
        Hears::OWN,
        Hears::CALL_ANSWER,
        Hears::OTHER_ANSWER,
        Hears::CALL,
        Hears::ASKS,
        Hears::ASKS_CALL,
    ];
    if !hears.any(&[Hears::OUTSIDE]) || hears.any(&bounded) {
        return None;
    }
    let state = tree.nodes[number].state;
    let around = std::iter::once(number).chain(tree.ancestors(number));
    let mut own = around.flat_map(|number| &tree.nodes[number].state.transitions);
    let awaited = own.find_map(|transition| {
        let mut events = transition.events.iter();
        events.find(|event| {
            let event = descriptor(event);
            !event.starts_with("error") && !ENDS.iter().any(|end| matches_descriptor(event, end))
        })
    });
    let what = awaited.map_or_else(|| "an event from outside".to_owned(), |event| quoted(event));
    Some(Finding {
        code: NO_TIMEOUT,
        at: state.at,
        mark: Mark::of_state(state),
        message: format!(
            "a call waits in {} for {what}, and no timeout ends the wait",
            tree.name(number)
        ),
        hint: "add `<send event=\"timeout\" delay=\"30s\"/>` to `<onentry>`, and a transition for `timeout`".to_owned(),
    })
}

/// It waits for the call by name, and not just for anything.
fn hears_call(event: &str) -> bool {
    let event = descriptor(event);
    event != "*" && matches_descriptor(event, REQUEST)
}

/// After it the call is decided, whichever of its events came.
fn is_over(transition: &Transition) -> bool {
    let over = |event: &String| OVER.contains(&descriptor(event));
    !transition.events.is_empty() && transition.events.iter().all(over)
}

/// What is heard in each state: its own, that of the states around it, and of what is active beside it.
fn heard(tree: &Tree<'_>) -> Vec<Hears> {
    let own = Own::of(tree);
    let mut alone: Vec<Hears> = (0..tree.nodes.len())
        .map(|number| of_state(tree, &own, number))
        .collect();
    for transition in tree.nodes.iter().flat_map(|node| &node.state.transitions) {
        // What a transition does on the way belongs to where it leads.
        if asks_about_call(std::iter::once(&transition.content)) {
            for &target in transition.targets.iter().filter_map(|id| tree.by_id.get(id.as_str())) {
                alone[target] = alone[target] | Hears::ASKS_CALL;
            }
        }
    }
    let mut inside = alone.clone();
    for number in (0..inside.len()).rev() {
        if let Some(parent) = tree.nodes[number].parent {
            inside[parent] = inside[parent] | inside[number];
        }
    }
    let mut heard: Vec<Hears> = Vec::with_capacity(inside.len());
    for (number, node) in tree.nodes.iter().enumerate() {
        let here = if node.state.kind == StateKind::Parallel {
            inside[number]
        } else {
            alone[number]
        };
        let around = node.parent.map(|parent| heard[parent]).unwrap_or_default();
        heard.push(here | around);
    }
    heard
}

fn of_state(tree: &Tree<'_>, own: &Own<'_>, number: usize) -> Hears {
    let state = tree.nodes[number].state;
    let mut hears = Hears::default();
    if state.kind.is_history() {
        return hears;
    }
    if events::asks_elsewhere(state) {
        hears = hears | Hears::ASKS;
    }
    if asks_about_call(own_blocks(state)) {
        hears = hears | Hears::ASKS_CALL;
    }
    for transition in &state.transitions {
        if transition.events.is_empty() {
            hears = hears | Hears::ANYTHING;
        }
        for event in &transition.events {
            hears = hears | of_event(own, &state.id, event);
        }
    }
    hears
}

fn of_event(own: &Own<'_>, state: &str, written: &str) -> Hears {
    let event = descriptor(written);
    if event == "*" {
        return Hears::ANYTHING;
    }
    let mut hears = Hears::default();
    if own.may_match(event) {
        hears = hears | Hears::OWN;
    }
    if hears_call(event) {
        hears = hears | Hears::CALL;
    }
    if ENDS.iter().any(|end| matches_descriptor(event, end)) {
        hears = hears | Hears::END;
    }
    let about_call = event.starts_with("interaction.") || event.starts_with("error.interaction");
    // Errors that the engine raises come at once or not at all; that the state itself is done leads nowhere from inside.
    let engine = matches!(
        event,
        "error" | "error.execution" | "error.communication" | "error.platform"
    );
    if engine || event.strip_prefix("done.state.") == Some(state) {
        return hears;
    }
    let other = if event.starts_with("done.") || event.starts_with("error.") || event.ends_with(".done") {
        if about_call {
            Hears::CALL_ANSWER
        } else {
            Hears::OTHER_ANSWER
        }
    } else {
        Hears::OUTSIDE
    };
    if hears == Hears::default() { other } else { hears }
}

fn asks_about_call<'b>(blocks: impl Iterator<Item = &'b Block>) -> bool {
    let mut asks = false;
    for block in blocks {
        walk(block, &mut |executable| {
            if let Operation::Action(action) = &executable.operation {
                asks |= action.module == "interaction" || action.module == "ixn";
            }
        });
    }
    asks
}
