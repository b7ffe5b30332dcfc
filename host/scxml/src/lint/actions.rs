//! Actions of functional modules that no host of this version carries out: a misspelt one becomes an error event, and the
//! caller waits.

use super::place::Mark;
use super::tree::{Tree, blocks, walk};
use super::{Finding, UNKNOWN_ACTION};
use crate::diagnostic::quoted;
use crate::model::{Action, Operation};
use crate::suggest::nearest;

/// Module, action and required attributes of what hosts of this version carry out.
const ACTIONS: [(&str, &str, &[&str]); 3] = [
    ("interaction", "redirect", &["to"]),
    ("interaction", "terminate", &[]),
    ("ws", "response", &[]),
];

pub(super) fn check(tree: &Tree<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for block in tree.nodes.iter().flat_map(|node| blocks(node.state)) {
        walk(block, &mut |executable| {
            if let Operation::Action(action) = &executable.operation
                && let Some((message, hint)) = wrong(action)
            {
                findings.push(Finding {
                    code: UNKNOWN_ACTION,
                    at: executable.at,
                    mark: Mark::Tag,
                    message,
                    hint,
                });
            }
        });
    }
    findings
}

fn wrong(action: &Action) -> Option<(String, String)> {
    let Action {
        module, action: name, ..
    } = action;
    let known = ACTIONS.iter().filter(|(of, ..)| of == module);
    let Some((.., required)) = known.clone().find(|(_, known, _)| known == name) else {
        let near = nearest(name, known.clone().map(|(_, known, _)| *known));
        let all: Vec<_> = known.map(|(_, known, _)| quoted(known)).collect();
        let hint = match near {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None if all.is_empty() => "the modules of this version are `interaction` and `ws`".to_owned(),
            None => format!("{} has {}", quoted(module), all.join(" and ")),
        };
        let what = quoted(&format!("{module}.{name}"));
        return Some((
            format!("no host of this version carries out {what}: `error.{module}.{name}` is raised when it is reached"),
            hint,
        ));
    };
    let missing = required
        .iter()
        .find(|required| !action.attributes.iter().any(|(given, _)| given == **required))?;
    Some((
        format!("`{module}.{name}` does nothing without the attribute `{missing}`"),
        format!("write {missing}=\"...\", an expression"),
    ))
}
