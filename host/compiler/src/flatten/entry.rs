//! Domains and entry sets that do not depend on what happens at run time.

use pointsman_chart::{Bits, Chart, Domain, Enter, StateId, StateKind, TransitionId};

/// Steps that the entry sets of one document may cost together; about as many entries at most. What is left out is
/// worked out when its transition is taken, by the same functions in the engine. A document can hold 60,000
/// transitions that enter 4,000 states each: all of them would take a minute, and gigabytes.
const MAX_STEPS: usize = 1 << 20;

pub(super) fn precompute(chart: &mut Chart) {
    let mut steps = MAX_STEPS;
    for t in 0..chart.transitions.len() as TransitionId {
        let domain = domain(chart, t);
        let entry = match domain {
            Domain::None => Some(Vec::new()),
            Domain::Static(d) => entry(chart, t, d, &mut steps),
            Domain::Dynamic => None,
        };
        let transition = &mut chart.transitions[usize::from(t)];
        (transition.domain, transition.entry) = (domain, entry);
    }
}

fn is_history(chart: &Chart, s: StateId) -> bool {
    matches!(
        chart.states[usize::from(s)].kind,
        StateKind::ShallowHistory | StateKind::DeepHistory
    )
}

/// `getTransitionDomain`.
fn domain(chart: &Chart, t: TransitionId) -> Domain {
    let transition = &chart.transitions[usize::from(t)];
    // The root's default entry has everything below the root as its domain.
    if t == chart.initial {
        return Domain::Static(0);
    }
    if transition.targets.is_empty() {
        return Domain::None;
    }
    if transition.targets.iter().any(|s| is_history(chart, *s)) {
        return Domain::Dynamic;
    }
    let below = |s: StateId| transition.targets.iter().all(|t| chart.descendants.has(s, *t));
    let kind = |s: StateId| chart.states[usize::from(s)].kind;
    if transition.internal && kind(transition.source) == StateKind::Compound && below(transition.source) {
        return Domain::Static(transition.source);
    }
    let mut s = chart.states[usize::from(transition.source)].parent;
    while s != 0 && !(kind(s) == StateKind::Compound && below(s)) {
        s = chart.states[usize::from(s)].parent;
    }
    Domain::Static(s)
}

/// `computeEntrySet` for one transition; `None` when a history is reached, or no steps are left.
fn entry(chart: &Chart, t: TransitionId, domain: StateId, steps: &mut usize) -> Option<Vec<Enter>> {
    let mut set = EntrySet {
        chart,
        states: Bits::new(chart.states.len()),
        defaults: Bits::new(chart.states.len()),
        steps,
    };
    let targets = &chart.transitions[usize::from(t)].targets;
    for s in targets {
        set.add_descendants(*s)?;
    }
    for s in targets {
        set.add_ancestors(*s, domain)?;
    }
    Some(
        set.states
            .iter()
            .map(|s| Enter {
                state: s,
                by_default: set.defaults.has(s),
            })
            .collect(),
    )
}

struct EntrySet<'a> {
    chart: &'a Chart,
    states: Bits,
    defaults: Bits,
    steps: &'a mut usize,
}

impl EntrySet<'_> {
    fn step(&mut self) -> Option<()> {
        *self.steps = self.steps.checked_sub(1)?;
        Some(())
    }

    fn add_descendants(&mut self, s: StateId) -> Option<()> {
        self.step()?;
        let state = &self.chart.states[usize::from(s)];
        match state.kind {
            StateKind::ShallowHistory | StateKind::DeepHistory => return None,
            StateKind::Compound => {
                self.states.insert(s);
                self.defaults.insert(s);
                let targets = &self.chart.transitions[usize::from(state.default?)].targets;
                targets.iter().try_for_each(|t| self.add_descendants(*t))?;
                targets.iter().try_for_each(|t| self.add_ancestors(*t, s))?;
            }
            StateKind::Parallel => {
                self.states.insert(s);
                self.add_missing_regions(s)?;
            }
            StateKind::Atomic | StateKind::Final => {
                self.states.insert(s);
            }
        }
        Some(())
    }

    fn add_ancestors(&mut self, s: StateId, ancestor: StateId) -> Option<()> {
        let mut a = self.chart.states[usize::from(s)].parent;
        while a != ancestor && a != 0 {
            self.step()?;
            self.states.insert(a);
            if self.chart.states[usize::from(a)].kind == StateKind::Parallel {
                self.add_missing_regions(a)?;
            }
            a = self.chart.states[usize::from(a)].parent;
        }
        Some(())
    }

    fn add_missing_regions(&mut self, parallel: StateId) -> Option<()> {
        for child in &self.chart.states[usize::from(parallel)].children {
            self.step()?;
            if !self.states.has(*child) && !self.states.meets(self.chart.descendants.row(*child)) {
                self.add_descendants(*child)?;
            }
        }
        Some(())
    }
}
