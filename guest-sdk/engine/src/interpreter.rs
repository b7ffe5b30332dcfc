//! The algorithm of W3C SCXML 1.0, appendix D, over precomputed tables.
//!
//! Function for function the published one; where the tables hold a result already (a transition's domain, the states
//! it enters when no history takes part), it is looked up. `host/compiler` computes them.

use crate::event::{self, Data, Queued};
use crate::exports_types::{EventKind, Failure, TraceEntry};
use crate::js::Value;
use crate::ors;
use crate::output::{self, failure};
use crate::session::{Session, Stop};
use pointsman_chart::{matches_descriptor, Bits, Content, Domain, Enter, StateId, StateKind, TransitionId};

/// What one microstep will enter.
/// The platform event that says that this session's invocation is over (`isCancelEvent`), as the contract has it.
const CANCEL_EVENT: &str = "cancel.session";

#[derive(Default)]
struct Entry {
    order: Vec<Enter>,
    /// Default content of histories, by the parent that is entered.
    history_content: Vec<(StateId, TransitionId)>,
}

impl Session {
    /// `interpret`: binds data, runs the top-level scripts, enters the initial configuration, first macrostep.
    pub fn interpret(&mut self, params: Option<&Value>) -> Result<(), Failure> {
        self.running = true;
        // What was bound at the deployment is bound again only to what the session was given.
        let first = if params.is_some() { 0 } else { self.bound };
        for i in first..self.chart.data.len() {
            if !self.chart.late_binding || self.chart.data[i].top_level {
                self.bind(i, params)?;
            }
        }
        for script in &self.chart.scripts {
            let at = self.place(*script);
            if let Err(stop) = self.run_script(*script) {
                self.stopped(stop, at, None)?;
            }
        }
        self.enter_states(&[self.chart.initial])?;
        self.macrostep()
    }

    /// One external event.
    pub fn external(&mut self, event: Queued) -> Result<(), Failure> {
        let (name, from, kind) = (event.name.clone(), event.invokeid.clone(), event.kind);
        if event.kind == EventKind::Platform && &*name == CANCEL_EVENT {
            self.running = false;
            return self.macrostep();
        }
        if self.chart.ors {
            ors::hear(&event);
        }
        // What nobody in the document names is not even looked at (`_filterEvents`).
        if self.chart.filter_events && from.is_none() && !self.chart.names(&name) {
            return Ok(());
        }
        self.set_event(event);
        if let Some(id) = from {
            self.finalize(&id, kind)?;
        }
        let enabled = self.select_transitions(Some(&name))?;
        if !enabled.is_empty() {
            self.microstep(&enabled)?;
            self.microsteps += 1;
        }
        self.macrostep()
    }

    /// Eventless transitions and internal events until nothing is left to do, and what was entered has invoked what it is to
    /// invoke.
    pub fn macrostep(&mut self) -> Result<(), Failure> {
        self.internal_events()?;
        while self.running && !self.to_invoke.is_empty() {
            self.invoke_entered()?;
            self.internal_events()?;
        }
        if !self.running {
            self.exit_interpreter()?;
        }
        Ok(())
    }

    fn internal_events(&mut self) -> Result<(), Failure> {
        while self.running {
            let mut enabled = self.select_eventless()?;
            if enabled.is_empty() {
                let Some(event) = event::queue().pop_front() else { break };
                let name = event.name.clone();
                self.set_event(event);
                enabled = self.select_transitions(Some(&name))?;
            }
            // An event without a transition counts as well: a chart can raise as fast as it drops.
            self.microsteps += 1;
            let most = self.chart.microsteps.unwrap_or(self.limits.microsteps);
            if self.microsteps > most {
                let states: Vec<_> = self.configuration.iter().map(|i| self.state(i).id.as_str()).collect();
                return Err(failure(
                    "microstep-limit",
                    format!("more than {most} microsteps without an external event, in {}", states.join(" ")),
                ));
            }
            if !enabled.is_empty() {
                self.microstep(&enabled)?;
            }
        }
        Ok(())
    }

    /// Leaves every state. The configuration at the end stays visible to whoever looks at the session.
    fn exit_interpreter(&mut self) -> Result<(), Failure> {
        let last = self.configuration.clone();
        // Nobody handles them any more, and what goes wrong from here on must not break their limit.
        event::queue().clear();
        let states: Vec<_> = self.configuration.iter().rev().collect();
        for s in states {
            for block in &self.state(s).onexit {
                self.run_block(*block)?;
            }
            self.cancel_invoked(s)?;
            self.configuration.remove(s);
            if s != 0 {
                output::of_call().trace(|| TraceEntry::Left(self.chart.states[usize::from(s)].id.clone()));
            }
            let state = self.state(s);
            if state.kind == StateKind::Final && state.parent == 0 {
                if let Some(donedata) = &state.donedata {
                    self.done_data = self.done_data(donedata)?.into_json().0;
                }
            }
        }
        event::queue().clear();
        self.configuration = last;
        Ok(())
    }

    fn select_eventless(&mut self) -> Result<Vec<TransitionId>, Failure> {
        if !self.configuration.meets(&self.eventless.0) {
            return Ok(Vec::new());
        }
        self.select_transitions(None)
    }

    /// `selectTransitions` and `selectEventlessTransitions`.
    fn select_transitions(&mut self, event: Option<&str>) -> Result<Vec<TransitionId>, Failure> {
        let mut enabled: Vec<TransitionId> = Vec::new();
        // Word by word: a condition cannot change the configuration, but needs all of the session.
        for word in 0..self.leaves.0.len() {
            let mut leaves = self.configuration.0[word] & self.leaves.0[word];
            while leaves != 0 {
                let leaf = word as StateId * 64 + leaves.trailing_zeros() as StateId;
                leaves &= leaves - 1;
                if let Some(t) = self.select_from(leaf, event)? {
                    if !enabled.contains(&t) {
                        enabled.push(t);
                    }
                }
            }
        }
        if enabled.len() > 1 {
            self.remove_conflicting(&mut enabled);
        }
        Ok(enabled)
    }

    /// The first enabled transition of a state or of those around it.
    fn select_from(&mut self, leaf: StateId, event: Option<&str>) -> Result<Option<TransitionId>, Failure> {
        let mut s = leaf;
        loop {
            let state = self.state(s);
            for t in if event.is_some() { &state.evented } else { &state.eventless } {
                if self.is_enabled(*t, event)? {
                    return Ok(Some(*t));
                }
            }
            if s == 0 {
                return Ok(None);
            }
            s = state.parent;
        }
    }

    fn is_enabled(&mut self, t: TransitionId, event: Option<&str>) -> Result<bool, Failure> {
        let transition = &self.chart.transitions[usize::from(t)];
        if let Some(event) = event {
            if !transition.events.iter().any(|d| matches_descriptor(d, event)) {
                return Ok(false);
            }
        }
        let Some(cond) = transition.cond else { return Ok(true) };
        match self.condition(cond) {
            Ok(b) => Ok(b),
            Err(stop) => {
                self.stopped(stop, self.place(cond), None)?;
                Ok(false)
            }
        }
    }

    /// `removeConflictingTransitions`: of two that exit a common state, the one of the descendant wins, else the
    /// one that stands first.
    fn remove_conflicting(&self, enabled: &mut Vec<TransitionId>) {
        let exits: Vec<Bits> = enabled.iter().map(|t| self.exit_set(&[*t])).collect();
        let source = |t: TransitionId| self.chart.transitions[usize::from(t)].source;
        let mut kept: Vec<usize> = Vec::with_capacity(enabled.len());
        for i in 0..enabled.len() {
            let mut preempted = false;
            let mut removed = Vec::new();
            for &j in &kept {
                if exits[i].meets(&exits[j].0) {
                    if self.chart.descendants.has(source(enabled[j]), source(enabled[i])) {
                        removed.push(j);
                    } else {
                        preempted = true;
                        break;
                    }
                }
            }
            if !preempted {
                kept.retain(|j| !removed.contains(j));
                kept.push(i);
            }
        }
        *enabled = kept.into_iter().map(|i| enabled[i]).collect();
    }

    fn microstep(&mut self, enabled: &[TransitionId]) -> Result<(), Failure> {
        self.exit_states(enabled)?;
        for t in enabled {
            output::of_call().trace(|| TraceEntry::Transition(self.chart.describe(*t)));
            if let Some(block) = self.chart.transitions[usize::from(*t)].block {
                self.run_block(block)?;
            }
        }
        self.enter_states(enabled)
    }

    /// `computeExitSet`.
    fn exit_set(&self, transitions: &[TransitionId]) -> Bits {
        let mut out = Bits::new(self.chart.states.len());
        for t in transitions {
            let Some(domain) = self.domain(*t) else { continue };
            let row = self.chart.descendants.row(domain);
            for ((o, c), r) in out.0.iter_mut().zip(&self.configuration.0).zip(row) {
                *o |= c & r;
            }
        }
        out
    }

    fn exit_states(&mut self, enabled: &[TransitionId]) -> Result<(), Failure> {
        let exit = self.exit_set(enabled);
        if exit.is_empty() {
            return Ok(());
        }
        for s in exit.iter().rev() {
            for h in &self.state(s).histories {
                let deep = self.state(*h).kind == StateKind::DeepHistory;
                let remembered: Vec<StateId> = self
                    .configuration
                    .iter()
                    .filter(|c| match deep {
                        true => {
                            matches!(self.state(*c).kind, StateKind::Atomic | StateKind::Final)
                                && self.chart.descendants.has(s, *c)
                        }
                        false => self.state(*c).parent == s && *c != s,
                    })
                    .collect();
                match self.history.iter_mut().find(|(id, _)| id == h) {
                    Some((_, value)) => *value = remembered,
                    None => self.history.push((*h, remembered)),
                }
            }
        }
        for s in exit.iter().rev() {
            for block in &self.state(s).onexit {
                self.run_block(*block)?;
            }
            self.cancel_invoked(s)?;
            self.configuration.remove(s);
            output::of_call().trace(|| TraceEntry::Left(self.chart.states[usize::from(s)].id.clone()));
        }
        Ok(())
    }

    fn remembered(&self, history: StateId) -> Option<&[StateId]> {
        self.history.iter().find(|(id, _)| *id == history).map(|(_, v)| v.as_slice())
    }

    /// `getEffectiveTargetStates`.
    fn effective_targets(&self, targets: &[StateId], out: &mut Vec<StateId>) {
        for t in targets {
            let state = self.state(*t);
            if !matches!(state.kind, StateKind::ShallowHistory | StateKind::DeepHistory) {
                if !out.contains(t) {
                    out.push(*t);
                }
            } else if let Some(values) = self.remembered(*t) {
                values.iter().for_each(|v| {
                    if !out.contains(v) {
                        out.push(*v);
                    }
                });
            } else if let Some(default) = state.default {
                self.effective_targets(&self.chart.transitions[usize::from(default)].targets, out);
            }
        }
    }

    /// `getTransitionDomain`; `None` for a targetless transition.
    fn domain(&self, t: TransitionId) -> Option<StateId> {
        let transition = &self.chart.transitions[usize::from(t)];
        match transition.domain {
            Domain::None => None,
            Domain::Static(s) => Some(s),
            Domain::Dynamic => {
                let mut targets = Vec::new();
                self.effective_targets(&transition.targets, &mut targets);
                let below = |s: StateId| targets.iter().all(|t| self.chart.descendants.has(s, *t));
                if transition.internal && self.state(transition.source).kind == StateKind::Compound && below(transition.source) {
                    return Some(transition.source);
                }
                let mut s = self.state(transition.source).parent;
                loop {
                    let kind = self.state(s).kind;
                    if s == 0 || (kind == StateKind::Compound && below(s)) {
                        return Some(s);
                    }
                    s = self.state(s).parent;
                }
            }
        }
    }

    fn enter_states(&mut self, enabled: &[TransitionId]) -> Result<(), Failure> {
        let chart = self.chart;
        if let [only] = enabled {
            if let Some(entry) = &chart.transitions[usize::from(*only)].entry {
                for e in entry {
                    self.enter_state(*e, None)?;
                }
                return Ok(());
            }
        }
        let entry = self.entry_set(enabled);
        for e in &entry.order {
            let history = entry.history_content.iter().find(|(s, _)| *s == e.state).map(|(_, t)| *t);
            self.enter_state(*e, history)?;
        }
        Ok(())
    }

    fn enter_state(&mut self, e: Enter, history_content: Option<TransitionId>) -> Result<(), Failure> {
        let chart = self.chart;
        let state = self.state(e.state);
        self.configuration.insert(e.state);
        if let Some(most) = chart.state_entries {
            self.count_entry(e.state, most)?;
        }
        if !state.invokes.is_empty() {
            self.to_invoke.insert(e.state);
        }
        if e.state != 0 {
            output::of_call().trace(|| TraceEntry::Entered(state.id.clone()));
        }
        if chart.late_binding && self.entered.insert(e.state) {
            for d in &state.data {
                if !chart.data[usize::from(*d)].top_level {
                    self.bind(usize::from(*d), None)?;
                }
            }
        }
        for block in &state.onentry {
            self.run_block(*block)?;
        }
        let default = if e.by_default { state.default } else { None };
        for t in default.into_iter().chain(history_content) {
            if let Some(block) = chart.transitions[usize::from(t)].block {
                self.run_block(block)?;
            }
        }
        if state.kind == StateKind::Final {
            self.entered_final(e.state)?;
        }
        Ok(())
    }

    /// Counts an entry since the last external event (`_stateEntryLimit`).
    fn count_entry(&mut self, s: StateId, most: u32) -> Result<(), Failure> {
        self.entries.resize(self.chart.states.len(), 0);
        let entries = &mut self.entries[usize::from(s)];
        *entries += 1;
        if *entries > most {
            let id = &self.state(s).id;
            return Err(failure(
                "state-entry-limit",
                format!("{id} was entered more than {most} times without an external event"),
            ));
        }
        Ok(())
    }

    fn entered_final(&mut self, s: StateId) -> Result<(), Failure> {
        let state = self.state(s);
        if state.parent == 0 {
            // Its data are worked out last of all, in `exit_interpreter`.
            self.running = false;
            return Ok(());
        }
        let data = match &state.donedata {
            Some(d) => self.done_data(d)?,
            None => Data::None,
        };
        let parent = self.state(state.parent);
        let mut done = Queued::new(format!("done.state.{}", parent.id).into(), EventKind::Platform);
        done.data = data;
        self.enqueue(done)?;
        let grandparent = self.state(parent.parent);
        if grandparent.kind == StateKind::Parallel && grandparent.children.iter().all(|c| self.in_final_state(*c)) {
            self.enqueue(Queued::new(format!("done.state.{}", grandparent.id).into(), EventKind::Platform))?;
        }
        Ok(())
    }

    fn in_final_state(&self, s: StateId) -> bool {
        let state = self.state(s);
        match state.kind {
            StateKind::Compound => {
                state.children.iter().any(|c| self.state(*c).kind == StateKind::Final && self.configuration.has(*c))
            }
            StateKind::Parallel => state.children.iter().all(|c| self.in_final_state(*c)),
            _ => false,
        }
    }

    /// `computeEntrySet`.
    fn entry_set(&self, enabled: &[TransitionId]) -> Entry {
        let mut set = EntrySet {
            session: self,
            states: Bits::new(self.chart.states.len()),
            defaults: Bits::new(self.chart.states.len()),
            history_content: Vec::new(),
        };
        for t in enabled {
            let transition = &self.chart.transitions[usize::from(*t)];
            for s in &transition.targets {
                set.add_descendants(*s);
            }
            // The initial transition has no domain: everything below the root is entered.
            let ancestor = self.domain(*t).unwrap_or(0);
            let mut targets = Vec::new();
            self.effective_targets(&transition.targets, &mut targets);
            for s in targets {
                set.add_ancestors(s, ancestor);
            }
        }
        let order = set.states.iter().map(|s| Enter { state: s, by_default: set.defaults.has(s) }).collect();
        Entry { order, history_content: set.history_content }
    }

    /// Gives a data item its value. `params` is given at start only.
    fn bind(&mut self, i: usize, params: Option<&Value>) -> Result<(), Failure> {
        let data = &self.chart.data[i];
        let given = match params {
            // Its own only: every object has a `constructor` that nobody has given.
            Some(p) if data.top_level && p.has_own(&data.id) => p.get(&data.id).ok(),
            _ => None,
        };
        let value = match given {
            Some(v) => Ok(v),
            None if i < self.bound => return Ok(()),
            None => match &data.value {
                Content::None => return Ok(()),
                other => self.content(other),
            },
        };
        if let Err(stop) = value.and_then(|v| self.assign(data.location, v, true)) {
            self.stopped(stop, data.at, None)?;
        }
        Ok(())
    }

    /// Turns an error into its event; a limit goes on up.
    pub fn stopped(&mut self, stop: Stop, at: pointsman_chart::Position, sendid: Option<String>) -> Result<(), Failure> {
        match stop {
            Stop::Limit(mut f) => {
                let file = self.chart.files.get(usize::from(at.file)).map_or("", String::as_str);
                f.message = format!("{file}:{}:{}: {}", at.line, at.column, f.message);
                Err(f)
            }
            Stop::Placed(f) => Err(f),
            Stop::Error { event, message } => self.raise_error(event, at, message, sendid),
        }
    }
}

/// `addDescendantStatesToEnter` and `addAncestorStatesToEnter`.
struct EntrySet<'a> {
    session: &'a Session,
    states: Bits,
    defaults: Bits,
    history_content: Vec<(StateId, TransitionId)>,
}

impl EntrySet<'_> {
    fn add_descendants(&mut self, s: StateId) {
        let session = self.session;
        let state = session.state(s);
        match state.kind {
            StateKind::ShallowHistory | StateKind::DeepHistory => match session.remembered(s) {
                Some(values) => {
                    values.iter().for_each(|v| self.add_descendants(*v));
                    values.iter().for_each(|v| self.add_ancestors(*v, state.parent));
                }
                None => {
                    let Some(default) = state.default else { return };
                    self.history_content.push((state.parent, default));
                    let targets = &session.chart.transitions[usize::from(default)].targets;
                    targets.iter().for_each(|t| self.add_descendants(*t));
                    targets.iter().for_each(|t| self.add_ancestors(*t, state.parent));
                }
            },
            StateKind::Compound => {
                self.states.insert(s);
                self.defaults.insert(s);
                let Some(default) = state.default else { return };
                let targets = &session.chart.transitions[usize::from(default)].targets;
                targets.iter().for_each(|t| self.add_descendants(*t));
                targets.iter().for_each(|t| self.add_ancestors(*t, s));
            }
            StateKind::Parallel => {
                self.states.insert(s);
                self.add_missing_regions(s);
            }
            StateKind::Atomic | StateKind::Final => {
                self.states.insert(s);
            }
        }
    }

    fn add_ancestors(&mut self, s: StateId, ancestor: StateId) {
        let mut a = self.session.state(s).parent;
        // Proper ancestors up to, and without, `ancestor`.
        while a != ancestor && a != 0 {
            self.states.insert(a);
            if self.session.state(a).kind == StateKind::Parallel {
                self.add_missing_regions(a);
            }
            a = self.session.state(a).parent;
        }
    }

    fn add_missing_regions(&mut self, parallel: StateId) {
        for child in &self.session.state(parallel).children {
            let below = self.session.chart.descendants.row(*child);
            if !self.states.has(*child) && !self.states.meets(below) {
                self.add_descendants(*child);
            }
        }
    }
}
