//! States and transitions (W3C SCXML 3.3 to 3.10).

use super::{Origin, Reader, Reference, StateEntry, tag};
use crate::diagnostic::{Severity, quoted};
use crate::limits::MAX_STATES;
use crate::model::{State, StateKind, StateSettings, Transition};
use crate::xml::{Attribute, Element};

impl Reader<'_> {
    /// Reads a `state`, `parallel`, `final` or `history`. `None`: there are too many.
    pub(super) fn state(&mut self, element: &Element, parent: Option<usize>) -> Option<State> {
        let kind = match element.name.as_str() {
            "parallel" => StateKind::Parallel,
            "final" => StateKind::Final,
            "history" => {
                let kinds = [("shallow", StateKind::ShallowHistory), ("deep", StateKind::DeepHistory)];
                self.choice(element, "type", &kinds)
            }
            _ => StateKind::State,
        };
        let index = self.states.len();
        if index == MAX_STATES {
            if !self.report.is_full(Severity::Error) {
                self.error(
                    "too-many-states",
                    element.tag,
                    format!("a document may have {MAX_STATES} states"),
                    None,
                );
            }
            return None;
        }
        let children = self.open(element);
        if kind == StateKind::Parallel {
            self.check_regions(element, &children);
        }
        let given = element.attribute("id");
        let id = self.id(given);
        self.states.push(StateEntry {
            id: given.map(|attribute| attribute.value.clone()),
            span: given.map_or(element.tag, |attribute| attribute.span),
            kind,
            parent,
        });
        let mut state = State {
            id,
            named: given.is_some(),
            kind,
            settings: StateSettings::default(),
            initial: self.initial(element, &children, index),
            data: Vec::new(),
            onentry: Vec::new(),
            onexit: Vec::new(),
            transitions: Vec::new(),
            invokes: Vec::new(),
            donedata: None,
            children: Vec::new(),
            at: self.at(element),
        };
        if matches!(kind, StateKind::ShallowHistory | StateKind::DeepHistory) {
            state
                .transitions
                .extend(self.default_transition(element, &children, Origin::History(index)));
            return Some(state);
        }
        state.settings = self.state_settings(element);
        if let Some(donedata) = self.only(&children, "donedata") {
            state.donedata = Some(self.donedata(donedata));
        }
        for child in children {
            self.state_child(child, index, &mut state);
        }
        Some(state)
    }

    /// A `<parallel>` without children could never be entered nor left in a way that the standard describes.
    fn check_regions(&mut self, element: &Element, children: &[&Element]) {
        if children
            .iter()
            .any(|child| matches!(child.name.as_str(), "state" | "parallel"))
        {
            return;
        }
        let hint = "add the states that are to be active together, or write `<state>`".to_owned();
        self.error(
            "empty-parallel",
            element.tag,
            "a `<parallel>` needs child states",
            Some(hint),
        );
    }

    /// Kept apart from [`Reader::state`], which recurs: what is not on its stack need not fit there 256 times.
    fn state_child(&mut self, child: &Element, index: usize, state: &mut State) {
        match child.name.as_str() {
            "onentry" => state.onentry.push(self.block_of(child)),
            "onexit" => state.onexit.push(self.block_of(child)),
            "transition" => state.transitions.push(self.transition(child)),
            "datamodel" => self.datamodel_children(child, &mut state.data),
            "invoke" => state.invokes.push(self.invoke(child)),
            "initial" | "donedata" => {}
            _ => state.children.extend(self.state(child, Some(index))),
        }
    }

    fn id(&mut self, given: Option<&Attribute>) -> String {
        let Some(attribute) = given else {
            self.generated += 1;
            return format!("${}", self.generated);
        };
        let id = &attribute.value;
        if id.is_empty() || id.starts_with('$') || id.contains(char::is_whitespace) {
            let message = format!("{} cannot be the id of a state", quoted(id));
            let hint = "an id is not empty, has no white space, and does not begin with `$`".to_owned();
            self.error("invalid-id", attribute.span, message, Some(hint));
        }
        id.clone()
    }

    /// The default entry of a compound state (3.3.1 `initial`, 3.6).
    fn initial(&mut self, element: &Element, children: &[&Element], index: usize) -> Option<Transition> {
        if element.name != "state" {
            return None;
        }
        let attribute = element.attribute("initial");
        let child = self.only(children, "initial");
        if let (Some(attribute), Some(child)) = (attribute, child) {
            let message = "the initial state is given twice: as attribute and as `<initial>`";
            let at = self.files.position(attribute.name_span).line;
            self.error(
                "conflicting-initial",
                child.tag,
                message,
                Some(format!("remove it, or the attribute on line {at}")),
            );
        }
        let place = attribute
            .map(|attribute| attribute.name_span)
            .or_else(|| child.map(|child| child.tag))?;
        let compound = children
            .iter()
            .any(|child| matches!(child.name.as_str(), "state" | "parallel" | "final"));
        if !compound {
            let message = "a state without child states has no initial state";
            self.error(
                "initial-of-atomic-state",
                place,
                message,
                Some("remove it, or add child states".to_owned()),
            );
            return None;
        }
        if let Some(child) = child {
            let children = self.open(child);
            return self.default_transition(child, &children, Origin::Initial(index));
        }
        let attribute = attribute?;
        let targets = self.words(attribute);
        let names = targets.iter().map(|(id, _)| id.clone()).collect();
        self.references.push(Reference {
            origin: Origin::Initial(index),
            targets,
        });
        Some(Transition {
            events: Vec::new(),
            cond: None,
            targets: names,
            internal: false,
            content: Vec::new(),
            at: self.files.position(attribute.name_span),
        })
    }

    /// The one transition of an `initial` or `history` (3.6, 3.10): a target, no event, no condition.
    fn default_transition(&mut self, element: &Element, children: &[&Element], origin: Origin) -> Option<Transition> {
        let Some(child) = self.only(children, "transition") else {
            let message = format!("{} needs a `<transition>` that names its default target", tag(element));
            self.error("missing-transition", element.tag, message, None);
            return None;
        };
        for name in ["event", "cond"] {
            if let Some(attribute) = child.attribute(name) {
                let message = format!(
                    "the transition of {} is taken always: it may not have `{name}`",
                    tag(element)
                );
                self.error(
                    "conditional-default",
                    attribute.name_span,
                    message,
                    Some(format!("remove `{name}`")),
                );
            }
        }
        if child.attribute("target").is_none() {
            let message = format!("the transition of {} needs a target", tag(element));
            self.error("missing-attribute", child.tag, message, None);
        }
        Some(self.transition_from(child, origin))
    }

    fn transition(&mut self, element: &Element) -> Transition {
        if ["event", "cond", "target"]
            .iter()
            .all(|name| element.attribute(name).is_none())
        {
            let message = "`<transition>` needs an event, a condition or a target";
            self.error("missing-attribute", element.tag, message, None);
        }
        self.transition_from(element, Origin::Transition)
    }

    fn transition_from(&mut self, element: &Element, origin: Origin) -> Transition {
        let internal = self.choice(element, "type", &[("external", false), ("internal", true)]);
        let events = element
            .attribute("event")
            .map(|attribute| self.words(attribute))
            .unwrap_or_default();
        let targets = element
            .attribute("target")
            .map(|attribute| self.words(attribute))
            .unwrap_or_default();
        let names = targets.iter().map(|(id, _)| id.clone()).collect();
        if !targets.is_empty() {
            self.references.push(Reference { origin, targets });
        }
        Transition {
            events: events.into_iter().map(|(event, _)| event).collect(),
            cond: self.optional(element, "cond"),
            targets: names,
            internal,
            content: self.block_of(element),
            at: self.at(element),
        }
    }
}
