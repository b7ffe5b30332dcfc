//! Actions of functional modules that no host of this version carries out: they become an error event, and a strategy that
//! waits for the other answer waits.

use std::collections::HashSet;

use super::place::Mark;
use super::tree::{Tree, blocks, walk};
use super::{Finding, UNKNOWN_ACTION, UNSERVED_ACTION};
use crate::diagnostic::quoted;
use crate::model::{Action, Operation};
use crate::modules::{self, MODULES};
use crate::suggest::{list, nearest};

pub(super) fn check(tree: &Tree<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut told = HashSet::new();
    for block in tree.nodes.iter().flat_map(|node| blocks(node.state)) {
        walk(block, &mut |executable| {
            let Operation::Action(action) = &executable.operation else {
                return;
            };
            let (code, message, hint) = match modules::action(&action.module, &action.action) {
                Some(known) if known.served => return,
                // A strategy that is moved here has many of one kind: each kind is told once.
                Some(_) if !told.insert((action.module.as_str(), action.action.as_str())) => return,
                Some(_) => unserved(action),
                None => unknown(action),
            };
            findings.push(Finding {
                code,
                at: executable.at,
                mark: Mark::Tag,
                message,
                hint,
            });
        });
    }
    findings
}

fn unserved(action: &Action) -> (&'static str, String, String) {
    let Action { module, action, .. } = action;
    let message = format!("no link of this version serves `{module}.{action}`: `error.{module}.{action}` is raised");
    let hint = format!("add `<transition event=\"error.{module}.{action}\" .../>` where it is asked");
    (UNSERVED_ACTION, message, hint)
}

fn unknown(action: &Action) -> (&'static str, String, String) {
    let Action { module, action, .. } = action;
    let hint = match modules::module(module) {
        None => {
            let names = || MODULES.iter().map(|module| module.name);
            match nearest(module, names()) {
                Some(near) => format!("did you mean the module {}?", quoted(near)),
                None => format!(
                    "the modules are {}",
                    list(&names().collect::<Vec<_>>()).replace(" or ", " and ")
                ),
            }
        }
        Some(known) => {
            let names: Vec<&str> = known.actions.iter().map(|action| action.name).collect();
            match nearest(action, names.iter().copied()) {
                Some(near) => format!("did you mean {}?", quoted(near)),
                None => format!("{} has {}", quoted(module), list(&names).replace(" or ", " and ")),
            }
        }
    };
    let what = quoted(&format!("{module}.{action}"));
    let message =
        format!("no host of this version carries out {what}: `error.{module}.{action}` is raised when it is reached");
    (UNKNOWN_ACTION, message, hint)
}
