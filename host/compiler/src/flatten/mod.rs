//! From the tree of a document to numbered tables.
//!
//! States are numbered in document order (so a state's descendants follow it), transitions too. For every transition
//! that no history takes part in, its domain is fixed, and so is what it enters when it is taken alone;
//! `entry` works that out with the same functions of W3C SCXML 1.0 appendix D that the engine uses for the rest.

mod content;
mod entry;

use crate::error::Error;
use crate::expressions::{Expressions, position};
use pointsman_chart::{
    BlockId, Chart, Data, DataId, Datamodel, Domain, DoneData, ExpressionKind, Rows, State, StateId, StateKind,
    Transition, TransitionId,
};
use pointsman_scxml::{in_predicate, model};
use std::collections::HashMap;

/// Tables number things with 16 bits.
const MAX: usize = u16::MAX as usize;

/// The tables of a document.
///
/// # Errors
/// [`Error::TooLarge`].
pub fn flatten(document: &model::Document) -> Result<Chart, Error> {
    let mut f = Flattener {
        null: document.datamodel == model::Datamodel::Null,
        data_anywhere: document.dialect == model::Dialect::Ors && document.binding == model::Binding::Early,
        expressions: Expressions::default(),
        blocks: Vec::new(),
        states: Vec::new(),
        transitions: Vec::new(),
        data: Vec::new(),
        ids: HashMap::new(),
        pending: Vec::new(),
    };
    f.number(document);
    f.root(document);
    let scripts = document
        .scripts
        .iter()
        .map(|s| f.expressions.add(ExpressionKind::Program, &s.source))
        .collect();
    f.finish(document, scripts)
}

struct Flattener<'a> {
    /// The document asks for the null datamodel.
    null: bool,
    /// A start parameter may replace the value of data anywhere: Genesys Composer declares parameters in a state.
    data_anywhere: bool,
    expressions: Expressions,
    blocks: Vec<Vec<pointsman_chart::Instruction>>,
    states: Vec<State>,
    transitions: Vec<Transition>,
    data: Vec<Data>,
    ids: HashMap<&'a str, StateId>,
    /// Targets of each transition, resolved when all ids are known.
    pending: Vec<Vec<StateId>>,
}

impl<'a> Flattener<'a> {
    /// Gives every state its number.
    fn number(&mut self, document: &'a model::Document) {
        let mut next = 1usize;
        let mut todo: Vec<&model::State> = document.states.iter().rev().collect();
        while let Some(s) = todo.pop() {
            self.ids.insert(&s.id, next.min(MAX) as StateId);
            next += 1;
            todo.extend(s.children.iter().rev());
        }
    }

    fn root(&mut self, document: &'a model::Document) {
        self.states.push(State {
            id: String::new(),
            kind: StateKind::Compound,
            parent: 0,
            children: Vec::new(),
            histories: Vec::new(),
            onentry: Vec::new(),
            onexit: Vec::new(),
            evented: Vec::new(),
            eventless: Vec::new(),
            default: None,
            data: Vec::new(),
            donedata: None,
            invokes: Vec::new(),
        });
        self.states[0].data = self.add_data(&document.data, true);
        let initial = match document.initial.is_empty() {
            true => document.states.first().map(|s| s.id.clone()).into_iter().collect(),
            false => document.initial.clone(),
        };
        let default = self.plain_transition(0, &initial, document.at);
        self.states[0].default = Some(default);
        for s in &document.states {
            self.state(s, 0);
        }
    }

    fn state(&mut self, s: &'a model::State, parent: StateId) {
        let id = self.states.len().min(MAX) as StateId;
        let history = matches!(s.kind, model::StateKind::ShallowHistory | model::StateKind::DeepHistory);
        let real_children = s
            .children
            .iter()
            .any(|c| !matches!(c.kind, model::StateKind::ShallowHistory | model::StateKind::DeepHistory));
        let kind = match s.kind {
            model::StateKind::State if real_children => StateKind::Compound,
            model::StateKind::State => StateKind::Atomic,
            model::StateKind::Parallel => StateKind::Parallel,
            model::StateKind::Final => StateKind::Final,
            model::StateKind::ShallowHistory => StateKind::ShallowHistory,
            model::StateKind::DeepHistory => StateKind::DeepHistory,
        };
        let owner = &mut self.states[usize::from(parent)];
        if history {
            owner.histories.push(id);
        } else {
            owner.children.push(id);
        }
        self.states.push(State {
            id: s.id.clone(),
            kind,
            parent,
            children: Vec::new(),
            histories: Vec::new(),
            onentry: Vec::new(),
            onexit: Vec::new(),
            evented: Vec::new(),
            eventless: Vec::new(),
            default: None,
            data: Vec::new(),
            donedata: None,
            invokes: Vec::new(),
        });
        let data = self.add_data(&s.data, false);
        let onentry = s.onentry.iter().map(|b| self.block(b)).collect();
        let onexit = s.onexit.iter().map(|b| self.block(b)).collect();
        let default = match (kind, &s.initial) {
            (StateKind::Compound, Some(t)) => Some(self.transition(id, t)),
            (StateKind::Compound, None) => {
                let first = s
                    .children
                    .iter()
                    .find(|c| !matches!(c.kind, model::StateKind::ShallowHistory | model::StateKind::DeepHistory));
                let first: Vec<String> = first.map(|c| c.id.clone()).into_iter().collect();
                Some(self.plain_transition(id, &first, s.at))
            }
            _ => None,
        };
        let donedata = s.donedata.as_ref().map(|d| DoneData {
            content: d.content.as_ref().map(|c| self.value(c)),
            params: self.params(&d.params),
        });
        let invokes = s.invokes.iter().map(|i| self.invoke(i)).collect();
        let state = &mut self.states[usize::from(id)];
        state.invokes = invokes;
        (state.data, state.onentry, state.onexit, state.default, state.donedata) =
            (data, onentry, onexit, default, donedata);
        for t in &s.transitions {
            let number = self.transition(id, t);
            let state = &mut self.states[usize::from(id)];
            match (history, t.events.is_empty()) {
                (true, _) => state.default = Some(number),
                (false, true) => state.eventless.push(number),
                (false, false) => state.evented.push(number),
            }
        }
        for c in &s.children {
            self.state(c, id);
        }
    }

    fn transition(&mut self, source: StateId, t: &model::Transition) -> TransitionId {
        let cond = t.cond.as_ref().map(|c| self.condition(c));
        let block = (!t.content.is_empty()).then(|| self.block(&t.content));
        let number = self.plain_transition(source, &t.targets, t.at);
        let made = &mut self.transitions[usize::from(number)];
        made.events = t.events.iter().map(|e| descriptor(e)).collect();
        (made.cond, made.block, made.internal) = (cond, block, t.internal);
        number
    }

    /// A condition. Those of the null datamodel are `In(id)` (W3C SCXML B.1), which the reader has checked; the id may
    /// stand without quotes.
    fn condition(&mut self, text: &model::Text) -> pointsman_chart::ExprId {
        match in_predicate(&text.text).filter(|_| self.null) {
            Some(id) => self.expressions.value(&model::Text {
                text: format!("In({})", serde_json::Value::from(id)),
                at: text.at,
            }),
            None => self.expressions.value(text),
        }
    }

    fn plain_transition(&mut self, source: StateId, targets: &[String], at: model::Position) -> TransitionId {
        let number = self.transitions.len().min(MAX) as TransitionId;
        self.pending.push(
            targets
                .iter()
                .filter_map(|t| self.ids.get(t.as_str()).copied())
                .collect(),
        );
        self.transitions.push(Transition {
            source,
            events: Vec::new(),
            cond: None,
            targets: Vec::new(),
            internal: false,
            block: None,
            domain: Domain::None,
            entry: None,
            at: position(at),
        });
        number
    }

    fn add_data(&mut self, items: &[model::Data], top_level: bool) -> Vec<DataId> {
        let mut ids = Vec::new();
        for d in items {
            let name = model::Text {
                text: d.id.clone(),
                at: d.at,
            };
            let location = self.expressions.add(ExpressionKind::Item, &name);
            let value = d
                .value
                .as_ref()
                .map_or(pointsman_chart::Content::None, |v| self.value(v));
            ids.push(self.data.len().min(MAX) as DataId);
            self.data.push(Data {
                id: d.id.clone(),
                location,
                value,
                top_level: top_level || self.data_anywhere,
                at: position(d.at),
            });
        }
        ids
    }

    fn block(&mut self, block: &model::Block) -> BlockId {
        let instructions = block.iter().map(|e| self.instruction(e)).collect();
        self.blocks.push(instructions);
        (self.blocks.len() - 1).min(MAX) as BlockId
    }

    fn finish(mut self, document: &model::Document, scripts: Vec<u16>) -> Result<Chart, Error> {
        for (t, targets) in self.transitions.iter_mut().zip(std::mem::take(&mut self.pending)) {
            t.targets = targets;
        }
        let (sources, expressions) = self.expressions.into_tables();
        for (what, count) in [
            ("states", self.states.len()),
            ("transitions", self.transitions.len()),
            ("blocks of executable content", self.blocks.len()),
            ("expressions", expressions.len()),
            ("data items", self.data.len()),
        ] {
            if count > MAX {
                return Err(Error::TooLarge {
                    what,
                    count,
                    limit: MAX,
                });
            }
        }
        let mut chart = Chart {
            name: document.name.clone().unwrap_or_default(),
            datamodel: match document.datamodel {
                model::Datamodel::Ecmascript => Datamodel::Ecmascript,
                model::Datamodel::Null => Datamodel::Null,
            },
            late_binding: document.binding == model::Binding::Late,
            of_ors: document.dialect == model::Dialect::Ors,
            ors: document.dialect == model::Dialect::Ors || sources.iter().any(|s| s.text.contains("_genesys")),
            filter_events: document.settings.filter_events,
            state_entries: document.settings.state_entry_limit,
            microsteps: document.settings.microstep_limit,
            descendants: descendants(&self.states),
            initial: self.states[0].default.unwrap_or(0),
            states: self.states,
            transitions: self.transitions,
            blocks: self.blocks,
            sources,
            expressions,
            data: self.data,
            scripts,
            files: document.files.iter().map(|f| f.url.clone()).collect(),
        };
        entry::precompute(&mut chart);
        Ok(chart)
    }
}

/// An event descriptor without its redundant ending (W3C SCXML 3.12.1).
fn descriptor(text: &str) -> String {
    let cut = text
        .strip_suffix(".*")
        .or_else(|| text.strip_suffix('.'))
        .unwrap_or(text);
    cut.to_owned()
}

fn descendants(states: &[State]) -> Rows {
    let mut rows = Rows::new(states.len(), states.len());
    for (i, state) in states.iter().enumerate().skip(1) {
        let mut a = state.parent;
        loop {
            rows.insert(a, i as StateId);
            if a == 0 {
                break;
            }
            a = states[usize::from(a)].parent;
        }
    }
    rows
}
