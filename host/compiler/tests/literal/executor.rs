//! W3C SCXML 1.0, appendix D, read literally.
//!
//! Procedure for procedure the published pseudo code, in its order and with its names, over the document as
//! `host/scxml` read it. Nothing is looked up that the text computes, nothing is kept that the text does not keep; it is
//! as slow as the text. What the text leaves to the platform is in `platform`.
//!
//! Differences from the text, all of them forced:
//! * The main loop does not block on the external queue: it returns there, and [`Executor::event`] goes on.
//! * The `scxml` element is state 0. It is never in a configuration: `getTransitionDomain` of the document's initial
//!   transition, which the text leaves open (its source has no ancestors), is `scxml` itself.
//! * `invoke` is left out.

mod platform;

use crate::ecmascript::{Members, Value};
use platform::json_object;
use pointsman_compiler::Limits;
use pointsman_scxml::model::{Binding, Block, Document, Position, State, StateKind, Transition};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Number of a state in document order; [`SCXML`] is the `scxml` element.
pub type StateId = usize;

/// The `scxml` element.
const SCXML: StateId = 0;

/// Trace entries of one step that the engine keeps.
pub const MAX_TRACE: usize = 10_000;

/// A limit of the platform was broken, by its stable code: the session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub &'static str);

type Done = Result<(), Limit>;

/// A document after `expandScxmlSource`: every compound state, and the document, has an initial transition.
pub struct Source {
    document: Document,
    initial: Transition,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Events taken, states left and entered, transitions taken, errors.
    pub trace: Vec<String>,
    /// Label and text of log lines.
    pub log: Vec<(Option<String>, String)>,
    /// Commands.
    pub commands: Vec<String>,
    /// The session is done, with this data.
    pub done: Option<Option<serde_json::Value>>,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Name.
    pub name: String,
    /// Members of `_event.data`.
    pub data: Option<Members>,
}

/// `OrderedSet` of the text.
#[derive(Clone, Debug)]
struct OrderedSet<T>(Vec<T>);

impl<T: PartialEq + Copy> OrderedSet<T> {
    fn new() -> Self {
        OrderedSet(Vec::new())
    }

    fn add(&mut self, e: T) {
        if !self.is_member(e) {
            self.0.push(e);
        }
    }

    fn delete(&mut self, e: T) {
        self.0.retain(|m| *m != e);
    }

    fn union(&mut self, s: &[T]) {
        s.iter().for_each(|e| self.add(*e));
    }

    fn is_member(&self, e: T) -> bool {
        self.0.contains(&e)
    }

    fn some(&self, f: impl Fn(T) -> bool) -> bool {
        self.0.iter().any(|e| f(*e))
    }

    fn has_intersection(&self, s: &OrderedSet<T>) -> bool {
        self.some(|e| s.is_member(e))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn to_list(&self) -> Vec<T> {
        self.0.clone()
    }
}

/// A transition and the state that it belongs to.
#[derive(Clone, Copy)]
struct Arrow<'d> {
    is: &'d Transition,
    source: StateId,
}

impl PartialEq for Arrow<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.is, other.is)
    }
}

/// A state's place in the document.
struct Node<'d> {
    is: Option<&'d State>,
    parent: Option<StateId>,
    children: Vec<StateId>,
}

/// Table `defaultHistoryContent`: by the parent of the history.
type HistoryContent<'d> = HashMap<StateId, &'d Block>;

/// One session.
pub struct Executor<'d> {
    source: &'d Source,
    nodes: Vec<Node<'d>>,
    limits: Limits,
    // The text's global variables.
    configuration: OrderedSet<StateId>,
    internal_queue: VecDeque<Event>,
    external_queue: VecDeque<Event>,
    history_value: HashMap<StateId, Vec<StateId>>,
    datamodel: BTreeMap<String, Value>,
    event: Option<Event>,
    running: bool,
    // Beside the text.
    entered: BTreeSet<StateId>,
    last_configuration: Option<Vec<StateId>>,
    microsteps: u32,
    log_bytes: usize,
    step: Step,
    /// How often something worth knowing happened.
    pub seen: BTreeMap<&'static str, u64>,
}

impl Source {
    /// `expandScxmlSource`.
    pub fn new(document: &Document) -> Source {
        let mut document = document.clone();
        document.states.iter_mut().for_each(expand);
        let targets = match document.initial.is_empty() {
            false => document.initial.clone(),
            true => document.states.first().map(|s| s.id.clone()).into_iter().collect(),
        };
        let initial = initial_transition(targets, document.at);
        Source { document, initial }
    }
}

fn expand(state: &mut State) {
    let first = state.children.iter().find(|c| !is_history_kind(c.kind));
    if let (StateKind::State, None, Some(first)) = (state.kind, &state.initial, first) {
        state.initial = Some(initial_transition(vec![first.id.clone()], state.at));
    }
    state.children.iter_mut().for_each(expand);
}

fn initial_transition(targets: Vec<String>, at: Position) -> Transition {
    Transition {
        events: Vec::new(),
        cond: None,
        targets,
        internal: false,
        content: Block::new(),
        at,
    }
}

fn is_history_kind(kind: StateKind) -> bool {
    matches!(kind, StateKind::ShallowHistory | StateKind::DeepHistory)
}

/// `nameMatch` (3.12.1): a descriptor matches the names that its tokens are the beginning of.
fn name_match(descriptors: &[String], name: &str) -> bool {
    let name: Vec<&str> = name.split('.').collect();
    descriptors.iter().any(|descriptor| {
        if descriptor == "*" {
            return true;
        }
        let mut tokens: Vec<&str> = descriptor.split('.').collect();
        // `error`, `error.` and `error.*` are functionally equivalent.
        if tokens.len() > 1 && matches!(tokens.last(), Some(&("" | "*"))) {
            tokens.pop();
        }
        name.starts_with(&tokens)
    })
}

// The procedures and functions of appendix D.
impl<'d> Executor<'d> {
    /// `interpret`, until the first event is waited for. `params` replace values of top-level data.
    pub fn interpret(&mut self, params: &Members) -> Done {
        self.running = true;
        let document = &self.source.document;
        self.initialize_data_model(&document.data, params)?;
        if document.binding == Binding::Early {
            for s in 1..self.nodes.len() {
                self.initialize_data_model(&self.state(s).data, &Vec::new())?;
            }
        }
        self.execute_global_script_element()?;
        let initial = Arrow {
            is: &self.source.initial,
            source: SCXML,
        };
        self.enter_states(&[initial])?;
        self.main_event_loop()
    }

    fn main_event_loop(&mut self) -> Done {
        while self.running {
            let mut macrostep_done = false;
            // Here we handle eventless transitions and transitions triggered by internal events until macrostep is
            // complete.
            while self.running && !macrostep_done {
                let mut enabled_transitions = self.select_eventless_transitions()?;
                if enabled_transitions.is_empty() {
                    match self.internal_queue.pop_front() {
                        None => macrostep_done = true,
                        Some(internal_event) => {
                            self.set_event(internal_event.clone());
                            enabled_transitions = self.select_transitions(&internal_event)?;
                            self.count_if(enabled_transitions.is_empty(), "an internal event that nobody wants");
                        }
                    }
                } else {
                    self.count("eventless transitions");
                }
                if !macrostep_done {
                    self.count_microstep()?;
                }
                if !enabled_transitions.is_empty() {
                    self.microstep(&enabled_transitions.to_list())?;
                }
            }
            // Either we're in a final state, and we break out of the loop, or we've completed a macrostep, so we start a
            // new macrostep by waiting for an external event.
            if !self.running {
                break;
            }
            if self.external_queue.is_empty() {
                return Ok(());
            }
            self.take_external_event()?;
        }
        self.exit_interpreter()
    }

    /// The lines of `mainEventLoop` behind the blocking wait.
    fn take_external_event(&mut self) -> Done {
        let Some(external_event) = self.external_queue.pop_front() else {
            return Ok(());
        };
        self.set_event(external_event.clone());
        let enabled_transitions = self.select_transitions(&external_event)?;
        if !enabled_transitions.is_empty() {
            self.microstep(&enabled_transitions.to_list())?;
            // An external event's own microstep is one of the limit's, but cannot be the one too many.
            self.microsteps += 1;
        }
        Ok(())
    }

    fn exit_interpreter(&mut self) -> Done {
        self.count("sessions that are done");
        self.last_configuration = Some(self.configuration.to_list());
        // Nobody handles them any more; so neither does the limit on how many may wait.
        self.internal_queue.clear();
        let mut done = None;
        for s in self.exit_order(self.configuration.to_list()) {
            for content in &self.state(s).onexit {
                self.execute_content(content)?;
            }
            self.configuration.delete(s);
            self.trace(format!("leave {}", self.state(s).id));
            if self.is_final_state(s) && self.parent(s) == SCXML {
                done = Some(self.done_data(self.state(s).donedata.as_ref())?);
            }
        }
        let data = done.expect("the interpreter stops in a top-level final state");
        self.step.done = Some(data.map(|members| json_object(&members)));
        Ok(())
    }

    fn select_eventless_transitions(&mut self) -> Result<OrderedSet<Arrow<'d>>, Limit> {
        let mut enabled_transitions = OrderedSet::new();
        for state in self.atomic_states() {
            'found: for s in [vec![state], self.get_proper_ancestors(state, None)].concat() {
                for t in self.transitions(s) {
                    if t.is.events.is_empty() && self.condition_match(t)? {
                        enabled_transitions.add(t);
                        break 'found;
                    }
                }
            }
        }
        Ok(self.remove_conflicting_transitions(enabled_transitions))
    }

    fn select_transitions(&mut self, event: &Event) -> Result<OrderedSet<Arrow<'d>>, Limit> {
        let mut enabled_transitions = OrderedSet::new();
        for state in self.atomic_states() {
            'found: for s in [vec![state], self.get_proper_ancestors(state, None)].concat() {
                for t in self.transitions(s) {
                    if !t.is.events.is_empty() && name_match(&t.is.events, &event.name) && self.condition_match(t)? {
                        enabled_transitions.add(t);
                        break 'found;
                    }
                }
            }
        }
        Ok(self.remove_conflicting_transitions(enabled_transitions))
    }

    fn remove_conflicting_transitions(&mut self, enabled: OrderedSet<Arrow<'d>>) -> OrderedSet<Arrow<'d>> {
        let mut filtered_transitions: OrderedSet<Arrow<'d>> = OrderedSet::new();
        // to_list sorts the transitions in the order of the states that selected them.
        for t1 in enabled.to_list() {
            let mut t1_preempted = false;
            let mut transitions_to_remove = OrderedSet::new();
            for t2 in filtered_transitions.to_list() {
                if self
                    .compute_exit_set(&[t1])
                    .has_intersection(&self.compute_exit_set(&[t2]))
                {
                    if self.is_descendant(t1.source, t2.source) {
                        transitions_to_remove.add(t2);
                    } else {
                        t1_preempted = true;
                        break;
                    }
                }
            }
            if t1_preempted {
                self.count("a transition preempted by one before it");
            } else {
                for t3 in transitions_to_remove.to_list() {
                    self.count("a transition preempted by one of a descendant");
                    filtered_transitions.delete(t3);
                }
                filtered_transitions.add(t1);
            }
        }
        filtered_transitions
    }

    fn microstep(&mut self, enabled_transitions: &[Arrow<'d>]) -> Done {
        self.count_kinds(enabled_transitions);
        self.exit_states(enabled_transitions)?;
        self.execute_transition_content(enabled_transitions)?;
        self.enter_states(enabled_transitions)
    }

    fn exit_states(&mut self, enabled_transitions: &[Arrow<'d>]) -> Done {
        let states_to_exit = self.exit_order(self.compute_exit_set(enabled_transitions).to_list());
        for s in &states_to_exit {
            for h in self.histories(*s) {
                let value = self.configuration.to_list();
                let value: Vec<StateId> = match self.state(h).kind {
                    StateKind::DeepHistory => value
                        .into_iter()
                        .filter(|s0| self.is_atomic_state(*s0) && self.is_descendant(*s0, *s))
                        .collect(),
                    _ => value.into_iter().filter(|s0| self.parent(*s0) == *s).collect(),
                };
                self.history_value.insert(h, value);
            }
        }
        for s in states_to_exit {
            for content in &self.state(s).onexit {
                self.execute_content(content)?;
            }
            self.configuration.delete(s);
            self.trace(format!("leave {}", self.state(s).id));
        }
        Ok(())
    }

    fn compute_exit_set(&self, transitions: &[Arrow<'d>]) -> OrderedSet<StateId> {
        let mut states_to_exit = OrderedSet::new();
        for t in transitions {
            if !t.is.targets.is_empty() {
                let domain = self
                    .get_transition_domain(*t)
                    .expect("a transition with targets has one");
                for s in self.configuration.to_list() {
                    if self.is_descendant(s, domain) {
                        states_to_exit.add(s);
                    }
                }
            }
        }
        states_to_exit
    }

    fn execute_transition_content(&mut self, enabled_transitions: &[Arrow<'d>]) -> Done {
        for t in enabled_transitions {
            self.trace(self.describe(*t));
            self.execute_content(&t.is.content)?;
        }
        Ok(())
    }

    fn enter_states(&mut self, enabled_transitions: &[Arrow<'d>]) -> Done {
        let mut states_to_enter = OrderedSet::new();
        let mut states_for_default_entry = OrderedSet::new();
        // Initialize the temporary table for default content in history states.
        let mut default_history_content = HistoryContent::new();
        self.compute_entry_set(
            enabled_transitions,
            &mut states_to_enter,
            &mut states_for_default_entry,
            &mut default_history_content,
        );
        for s in self.entry_order(states_to_enter.to_list()) {
            self.configuration.add(s);
            self.trace(format!("enter {}", self.state(s).id));
            let is_first_entry = self.entered.insert(s);
            if self.source.document.binding == Binding::Late && is_first_entry {
                self.initialize_data_model(&self.state(s).data, &Vec::new())?;
            }
            for content in &self.state(s).onentry {
                self.execute_content(content)?;
            }
            if states_for_default_entry.is_member(s) {
                let content = &self.initial(s).content;
                self.count_if(!content.is_empty(), "content of an initial transition");
                self.execute_content(content)?;
            }
            if let Some(content) = default_history_content.get(&s) {
                self.count_if(!content.is_empty(), "content of a history's default");
                self.execute_content(content)?;
            }
            if self.is_final_state(s) {
                if self.parent(s) == SCXML {
                    self.running = false;
                } else {
                    let parent = self.parent(s);
                    let grandparent = self.parent(parent);
                    let data = self.done_data(self.state(s).donedata.as_ref())?;
                    self.enqueue_done(parent, data)?;
                    if self.is_parallel_state(grandparent)
                        && self
                            .get_child_states(grandparent)
                            .into_iter()
                            .all(|s| self.is_in_final_state(s))
                    {
                        self.count("done.state of a parallel");
                        self.enqueue_done(grandparent, None)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn compute_entry_set(
        &mut self,
        transitions: &[Arrow<'d>],
        states_to_enter: &mut OrderedSet<StateId>,
        states_for_default_entry: &mut OrderedSet<StateId>,
        default_history_content: &mut HistoryContent<'d>,
    ) {
        for t in transitions {
            for s in self.targets(t.is) {
                self.add_descendant_states_to_enter(
                    s,
                    states_to_enter,
                    states_for_default_entry,
                    default_history_content,
                );
            }
            let ancestor = self.get_transition_domain(*t);
            for s in self.get_effective_target_states(t.is).to_list() {
                self.add_ancestor_states_to_enter(
                    s,
                    ancestor,
                    states_to_enter,
                    states_for_default_entry,
                    default_history_content,
                );
            }
        }
    }

    fn add_descendant_states_to_enter(
        &mut self,
        state: StateId,
        states_to_enter: &mut OrderedSet<StateId>,
        states_for_default_entry: &mut OrderedSet<StateId>,
        default_history_content: &mut HistoryContent<'d>,
    ) {
        if self.is_history_state(state) {
            let parent = self.parent(state);
            if let Some(value) = self.history_value.get(&state).cloned() {
                self.count(match self.state(state).kind {
                    StateKind::DeepHistory => "a deep history that remembers",
                    _ => "a shallow history that remembers",
                });
                for s in &value {
                    self.add_descendant_states_to_enter(
                        *s,
                        states_to_enter,
                        states_for_default_entry,
                        default_history_content,
                    );
                }
                for s in &value {
                    self.add_ancestor_states_to_enter(
                        *s,
                        Some(parent),
                        states_to_enter,
                        states_for_default_entry,
                        default_history_content,
                    );
                }
            } else {
                let transition = self.history_transition(state);
                self.count("a history's default");
                default_history_content.insert(parent, &transition.content);
                for s in self.targets(transition) {
                    self.add_descendant_states_to_enter(
                        s,
                        states_to_enter,
                        states_for_default_entry,
                        default_history_content,
                    );
                }
                for s in self.targets(transition) {
                    self.add_ancestor_states_to_enter(
                        s,
                        Some(parent),
                        states_to_enter,
                        states_for_default_entry,
                        default_history_content,
                    );
                }
            }
        } else {
            states_to_enter.add(state);
            if self.is_compound_state(state) {
                states_for_default_entry.add(state);
                for s in self.targets(self.initial(state)) {
                    self.add_descendant_states_to_enter(
                        s,
                        states_to_enter,
                        states_for_default_entry,
                        default_history_content,
                    );
                }
                for s in self.targets(self.initial(state)) {
                    self.add_ancestor_states_to_enter(
                        s,
                        Some(state),
                        states_to_enter,
                        states_for_default_entry,
                        default_history_content,
                    );
                }
            } else if self.is_parallel_state(state) {
                for child in self.get_child_states(state) {
                    if !states_to_enter.some(|s| self.is_descendant(s, child)) {
                        self.add_descendant_states_to_enter(
                            child,
                            states_to_enter,
                            states_for_default_entry,
                            default_history_content,
                        );
                    }
                }
            }
        }
    }

    fn add_ancestor_states_to_enter(
        &mut self,
        state: StateId,
        ancestor: Option<StateId>,
        states_to_enter: &mut OrderedSet<StateId>,
        states_for_default_entry: &mut OrderedSet<StateId>,
        default_history_content: &mut HistoryContent<'d>,
    ) {
        for anc in self.get_proper_ancestors(state, ancestor) {
            assert_ne!(anc, SCXML, "the document cannot be entered");
            states_to_enter.add(anc);
            if self.is_parallel_state(anc) {
                for child in self.get_child_states(anc) {
                    if !states_to_enter.some(|s| self.is_descendant(s, child)) {
                        self.add_descendant_states_to_enter(
                            child,
                            states_to_enter,
                            states_for_default_entry,
                            default_history_content,
                        );
                    }
                }
            }
        }
    }

    fn is_in_final_state(&self, s: StateId) -> bool {
        if self.is_compound_state(s) {
            self.get_child_states(s)
                .into_iter()
                .any(|s| self.is_final_state(s) && self.configuration.is_member(s))
        } else if self.is_parallel_state(s) {
            self.get_child_states(s).into_iter().all(|s| self.is_in_final_state(s))
        } else {
            false
        }
    }

    fn get_transition_domain(&self, t: Arrow<'d>) -> Option<StateId> {
        let tstates = self.get_effective_target_states(t.is).to_list();
        if tstates.is_empty() {
            None
        } else if t.source == SCXML {
            Some(SCXML)
        } else if t.is.internal
            && self.is_compound_state(t.source)
            && tstates.iter().all(|s| self.is_descendant(*s, t.source))
        {
            Some(t.source)
        } else {
            self.find_lcca(&[vec![t.source], tstates].concat())
        }
    }

    fn find_lcca(&self, state_list: &[StateId]) -> Option<StateId> {
        let (head, tail) = state_list.split_first().expect("a transition's source is in the list");
        self.get_proper_ancestors(*head, None)
            .into_iter()
            .filter(|anc| self.is_compound_state(*anc) || *anc == SCXML)
            .find(|anc| tail.iter().all(|s| self.is_descendant(*s, *anc)))
    }

    fn get_effective_target_states(&self, transition: &'d Transition) -> OrderedSet<StateId> {
        let mut targets = OrderedSet::new();
        for s in self.targets(transition) {
            if self.is_history_state(s) {
                if let Some(value) = self.history_value.get(&s) {
                    targets.union(value);
                } else {
                    let effective = self.get_effective_target_states(self.history_transition(s));
                    targets.union(&effective.to_list());
                }
            } else {
                targets.add(s);
            }
        }
        targets
    }

    fn get_proper_ancestors(&self, state1: StateId, state2: Option<StateId>) -> Vec<StateId> {
        // If state2 is state1's parent, or equal to state1, or a descendant of state1, this returns the empty set.
        if state2.is_some_and(|state2| {
            state2 == state1 || self.nodes[state1].parent == Some(state2) || self.is_descendant(state2, state1)
        }) {
            return Vec::new();
        }
        let mut ancestors = Vec::new();
        let mut next = self.nodes[state1].parent;
        while let Some(ancestor) = next {
            if Some(ancestor) == state2 {
                break;
            }
            ancestors.push(ancestor);
            next = self.nodes[ancestor].parent;
        }
        ancestors
    }

    fn is_descendant(&self, state1: StateId, state2: StateId) -> bool {
        let mut next = self.nodes[state1].parent;
        while let Some(ancestor) = next {
            if ancestor == state2 {
                return true;
            }
            next = self.nodes[ancestor].parent;
        }
        false
    }

    fn get_child_states(&self, state1: StateId) -> Vec<StateId> {
        let children = self.nodes[state1].children.iter().copied();
        children.filter(|c| !self.is_history_state(*c)).collect()
    }
}

// The predicates and orders that appendix D takes for granted.
impl<'d> Executor<'d> {
    /// A session of this document that has not begun.
    pub fn new(source: &'d Source, limits: Limits) -> Self {
        let mut nodes = vec![Node {
            is: None,
            parent: None,
            children: Vec::new(),
        }];
        source.document.states.iter().for_each(|s| place(&mut nodes, s, SCXML));
        let mut datamodel = BTreeMap::new();
        let data = nodes.iter().filter_map(|n| n.is).flat_map(|s| &s.data);
        // Every item exists from the start, whatever the binding (5.3.3).
        for d in source.document.data.iter().chain(data) {
            datamodel.insert(d.id.clone(), Value::Undefined);
        }
        Executor {
            source,
            nodes,
            limits,
            configuration: OrderedSet::new(),
            internal_queue: VecDeque::new(),
            external_queue: VecDeque::new(),
            history_value: HashMap::new(),
            datamodel,
            event: None,
            running: false,
            entered: BTreeSet::new(),
            last_configuration: None,
            microsteps: 0,
            log_bytes: 0,
            step: Step::default(),
            seen: BTreeMap::new(),
        }
    }

    fn state(&self, s: StateId) -> &'d State {
        self.nodes[s].is.expect("the scxml element is no state")
    }

    fn parent(&self, s: StateId) -> StateId {
        self.nodes[s].parent.expect("the scxml element is nobody's child")
    }

    fn kind(&self, s: StateId) -> Option<StateKind> {
        self.nodes[s].is.map(|state| state.kind)
    }

    fn is_history_state(&self, s: StateId) -> bool {
        self.kind(s).is_some_and(is_history_kind)
    }

    fn is_parallel_state(&self, s: StateId) -> bool {
        self.kind(s) == Some(StateKind::Parallel)
    }

    fn is_final_state(&self, s: StateId) -> bool {
        self.kind(s) == Some(StateKind::Final)
    }

    /// 3.3: a `<state>` with `<state>`, `<parallel>` or `<final>` children.
    fn is_compound_state(&self, s: StateId) -> bool {
        self.kind(s) == Some(StateKind::State) && !self.get_child_states(s).is_empty()
    }

    fn is_atomic_state(&self, s: StateId) -> bool {
        self.is_final_state(s) || (self.kind(s) == Some(StateKind::State) && self.get_child_states(s).is_empty())
    }

    fn histories(&self, s: StateId) -> Vec<StateId> {
        let children = self.nodes[s].children.iter().copied();
        children.filter(|c| self.is_history_state(*c)).collect()
    }

    /// `configuration.toList().filter(isAtomicState).sort(documentOrder)`.
    fn atomic_states(&self) -> Vec<StateId> {
        let mut states = self.configuration.to_list();
        states.retain(|s| self.is_atomic_state(*s));
        states.sort_unstable();
        states
    }

    /// Numbers are document order, ancestors before their descendants: entry order.
    fn entry_order(&self, mut states: Vec<StateId>) -> Vec<StateId> {
        states.sort_unstable();
        states
    }

    fn exit_order(&self, states: Vec<StateId>) -> Vec<StateId> {
        self.entry_order(states).into_iter().rev().collect()
    }

    fn transitions(&self, s: StateId) -> Vec<Arrow<'d>> {
        let transitions = self.nodes[s].is.map_or(&[][..], |state| &state.transitions);
        transitions.iter().map(|t| Arrow { is: t, source: s }).collect()
    }

    fn initial(&self, s: StateId) -> &'d Transition {
        let initial = self.state(s).initial.as_ref();
        initial.expect("expandScxmlSource gave every compound state one")
    }

    fn history_transition(&self, s: StateId) -> &'d Transition {
        self.state(s).transitions.first().expect("a history has its default")
    }

    fn targets(&self, t: &Transition) -> Vec<StateId> {
        let find = |id: &String| (1..self.nodes.len()).find(|s| self.state(*s).id == *id);
        t.targets
            .iter()
            .map(|id| find(id).expect("the reader has checked targets"))
            .collect()
    }
}

fn place<'d>(nodes: &mut Vec<Node<'d>>, state: &'d State, parent: StateId) {
    let number = nodes.len();
    nodes.push(Node {
        is: Some(state),
        parent: Some(parent),
        children: Vec::new(),
    });
    nodes[parent].children.push(number);
    state.children.iter().for_each(|c| place(nodes, c, number));
}

// What a test asks for.
impl Executor<'_> {
    /// One external event, until the next is waited for.
    pub fn event(&mut self, event: Event) -> Done {
        self.count("external events");
        self.microsteps = 0;
        self.log_bytes = 0;
        self.external_queue.push_back(event);
        self.take_external_event()?;
        self.main_event_loop()
    }

    /// What was done since the last time.
    pub fn take_step(&mut self) -> Step {
        std::mem::take(&mut self.step)
    }

    /// All active states, document order; of a session that is done those it was in at the end.
    pub fn active(&self) -> Vec<String> {
        self.ids(|_| true)
    }

    /// The active atomic states, document order.
    pub fn active_atomic(&self) -> Vec<String> {
        self.ids(|s| self.is_atomic_state(s))
    }

    fn ids(&self, which: impl Fn(StateId) -> bool) -> Vec<String> {
        let states = self.last_configuration.clone();
        let states = self.entry_order(states.unwrap_or_else(|| self.configuration.to_list()));
        let states = states.into_iter().filter(|s| which(*s));
        states.map(|s| self.state(s).id.clone()).collect()
    }

    /// Every data item, as the engine shows it.
    pub fn data(&self) -> serde_json::Value {
        let shown = |v: &Value| v.json().unwrap_or_else(|| v.text().into());
        let items = self.datamodel.iter().map(|(id, v)| (id.clone(), shown(v)));
        serde_json::Value::Object(items.collect())
    }
}
