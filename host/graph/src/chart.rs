//! What is drawn: shapes and arrows.

use std::collections::BTreeMap;

use pointsman_scxml::Document;
use pointsman_scxml::model::{State, StateKind, Transition};

use crate::label;

/// What a shape looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The whole document: no box.
    Root,
    /// A state, parallel or not.
    State,
    /// A child of a parallel.
    Region,
    /// A final state.
    Final,
    /// `H`, or `H*` where it is deep.
    History { deep: bool },
    /// The dot from which the arrow to the initial state comes.
    Initial,
}

/// Something with a place; it contains what it contains.
#[derive(Debug)]
pub(crate) struct Shape {
    pub kind: Kind,
    pub parent: Option<usize>,
    /// Numbers larger than its own.
    pub children: Vec<usize>,
    /// In bold; may be empty.
    pub title: String,
    /// Below it.
    pub lines: Vec<String>,
    /// What shows when one points at it.
    pub whole: String,
}

/// From a shape to another one.
#[derive(Debug)]
pub(crate) struct Arrow {
    pub source: usize,
    pub target: usize,
    pub lines: Vec<String>,
    pub whole: String,
}

#[derive(Debug)]
pub(crate) struct Chart {
    /// The first is the root; each stands after the one that contains it.
    pub shapes: Vec<Shape>,
    pub arrows: Vec<Arrow>,
}

pub(crate) fn of(document: &Document) -> Chart {
    let mut builder = Builder {
        shapes: Vec::new(),
        numbers: BTreeMap::new(),
        states: Vec::new(),
    };
    let name = document.name.as_deref().unwrap_or_default();
    builder.shape(Kind::Root, None, label::title(name));
    builder.initial(0);
    for state in &document.states {
        builder.state(state, 0, Kind::State);
    }
    let arrows = builder.arrows(document);
    Chart {
        shapes: builder.shapes,
        arrows,
    }
}

struct Builder<'d> {
    shapes: Vec<Shape>,
    numbers: BTreeMap<&'d str, usize>,
    /// States with their shapes, and the dot in them.
    states: Vec<(&'d State, usize, Option<usize>)>,
}

impl<'d> Builder<'d> {
    fn shape(&mut self, kind: Kind, parent: Option<usize>, title: String) -> usize {
        let number = self.shapes.len();
        if let Some(parent) = parent {
            self.shapes[parent].children.push(number);
        }
        self.shapes.push(Shape {
            kind,
            parent,
            children: Vec::new(),
            title,
            lines: Vec::new(),
            whole: String::new(),
        });
        number
    }

    fn initial(&mut self, parent: usize) -> usize {
        self.shape(Kind::Initial, Some(parent), String::new())
    }

    fn state(&mut self, state: &'d State, parent: usize, kind: Kind) {
        let kind = match state.kind {
            StateKind::Final => Kind::Final,
            StateKind::ShallowHistory => Kind::History { deep: false },
            StateKind::DeepHistory => Kind::History { deep: true },
            StateKind::State | StateKind::Parallel => kind,
        };
        let title = if state.named {
            label::title(&state.id)
        } else {
            String::new()
        };
        let number = self.shape(kind, Some(parent), title);
        self.numbers.insert(&state.id, number);
        let lines = lines(state);
        let mut whole = vec![state.id.clone()];
        whole.extend(lines.iter().cloned());
        self.shapes[number].whole = label::whole(&whole.join("\n"));
        self.shapes[number].lines = lines
            .iter()
            .take(label::BOX_LINES)
            .map(|line| label::box_line(line))
            .collect();
        if lines.len() > label::BOX_LINES {
            let more = lines.len() - label::BOX_LINES;
            self.shapes[number].lines.push(format!("… and {more} more"));
        }
        let compound = state.kind == StateKind::State && !state.children.is_empty();
        let dot = compound.then(|| self.initial(number));
        self.states.push((state, number, dot));
        let inner = if state.kind == StateKind::Parallel {
            Kind::Region
        } else {
            Kind::State
        };
        for child in &state.children {
            self.state(child, number, inner);
        }
    }

    fn arrows(&self, document: &Document) -> Vec<Arrow> {
        // In the order of their sources and targets, several transitions on one arrow.
        let mut found: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
        let first = document.states.iter().take(1).map(|state| &state.id);
        let start: Vec<&String> = if document.initial.is_empty() {
            first.collect()
        } else {
            document.initial.iter().collect()
        };
        let dots = self
            .states
            .iter()
            .filter_map(|(state, _, dot)| dot.map(|dot| (dot, default(state))));
        for (dot, (targets, text)) in std::iter::once((1, (start, String::new()))).chain(dots) {
            for target in targets {
                if let Some(&target) = self.numbers.get(target.as_str()) {
                    found.entry((dot, target)).or_default().push(text.clone());
                }
            }
        }
        for &(state, source, _) in &self.states {
            for transition in &state.transitions {
                let text = label::transition(transition);
                for target in &transition.targets {
                    let target = self.numbers.get(target.as_str());
                    if let Some(&target) = target.filter(|&&target| target != source) {
                        found.entry((source, target)).or_default().push(text.clone());
                    }
                }
            }
        }
        let arrow = |((source, target), mut texts): ((usize, usize), Vec<String>)| {
            texts.retain(|text| !text.is_empty());
            Arrow {
                source,
                target,
                lines: label::arrow_lines(&texts),
                whole: label::whole(&texts.join("\n")),
            }
        };
        found.into_iter().map(arrow).collect()
    }
}

/// Where the arrow from the dot of a compound state leads, and what is done on the way.
fn default(state: &State) -> (Vec<&String>, String) {
    match &state.initial {
        Some(initial) => (initial.targets.iter().collect(), label::transition(initial)),
        None => {
            let mut children = state.children.iter();
            let first =
                children.find(|child| !matches!(child.kind, StateKind::ShallowHistory | StateKind::DeepHistory));
            (first.map(|child| &child.id).into_iter().collect(), String::new())
        }
    }
}

/// What stands in the box of a state.
fn lines(state: &State) -> Vec<String> {
    if state.kind.is_history() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (when, blocks) in [("entry", &state.onentry), ("exit", &state.onexit)] {
        for does in blocks.iter().map(label::actions).filter(|does| !does.is_empty()) {
            lines.push(format!("{when} / {does}"));
        }
    }
    for invoke in &state.invokes {
        lines.push(
            format!("invoke {}", invoke.id.as_deref().unwrap_or(""))
                .trim_end()
                .to_owned(),
        );
    }
    let stays = |transition: &&Transition| transition.targets.iter().all(|target| *target == state.id);
    for transition in state.transitions.iter().filter(stays) {
        let again = if transition.targets.is_empty() { "" } else { "↻ " };
        lines.push(format!("{again}{}", label::transition(transition)));
    }
    lines
}
