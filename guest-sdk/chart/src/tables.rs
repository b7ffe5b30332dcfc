use crate::Rows;
use alloc::{boxed::Box, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Index into [`Chart::states`]: document order, 0 is the `scxml` element.
pub type StateId = u16;
/// Index into [`Chart::transitions`]: document order.
pub type TransitionId = u16;
/// Index into [`Chart::blocks`].
pub type BlockId = u16;
/// Index into [`Chart::expressions`].
pub type ExprId = u16;
/// Index into [`Chart::data`].
pub type DataId = u16;

/// Line and column (from 1) in one of [`Chart::files`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index into [`Chart::files`].
    pub file: u16,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// Which datamodel the document asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Datamodel {
    /// W3C SCXML B.2.
    #[default]
    Ecmascript,
    /// W3C SCXML B.1: conditions are `In(...)` only, everything else is an error.
    Null,
}

/// A whole document, ready to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// `name` (`_name`).
    pub name: String,
    /// The datamodel.
    pub datamodel: Datamodel,
    /// `binding="late"`.
    pub late_binding: bool,
    /// It is a document of ORS: targets of events may be bare session ids, and a `cancel` is reported.
    pub of_ors: bool,
    /// Scripts see the environment of ORS: `_data`, `_genesys`, `__Log` and so on.
    pub ors: bool,
    /// External events that no transition names are dropped (`_filterEvents`).
    pub filter_events: bool,
    /// Entries of one state without an external event (`_stateEntryLimit`).
    pub state_entries: Option<u32>,
    /// Microsteps in one macrostep, instead of [`Limits::microsteps`] (`_microStepLimit`).
    pub microsteps: Option<u32>,
    /// Document order; 0 is the root.
    pub states: Vec<State>,
    /// Document order, default transitions included.
    pub transitions: Vec<Transition>,
    /// Blocks of executable content.
    pub blocks: Vec<Vec<Instruction>>,
    /// Texts that the engine compiles, each once.
    pub sources: Vec<Source>,
    /// Uses of them, each with its own place.
    pub expressions: Vec<Expression>,
    /// All `data`, document order.
    pub data: Vec<Data>,
    /// Top-level scripts, run at start after early-bound data.
    pub scripts: Vec<ExprId>,
    /// URLs of the source files, for positions.
    pub files: Vec<String>,
    /// Proper descendants of every state.
    pub descendants: Rows,
    /// Transitions that are followed to find what to enter are listed here once more: the root's default entry.
    pub initial: TransitionId,
}

/// Kind of a state node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateKind {
    /// No child states.
    Atomic,
    /// With child states.
    Compound,
    /// All children active at once.
    Parallel,
    /// Final.
    Final,
    /// Remembers the active children of its parent.
    ShallowHistory,
    /// Remembers the active atomic descendants of its parent.
    DeepHistory,
}

/// A state node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// `id`.
    pub id: String,
    /// Kind.
    pub kind: StateKind,
    /// Parent; the root is its own parent.
    pub parent: StateId,
    /// Child states without histories, document order.
    pub children: Vec<StateId>,
    /// Child histories.
    pub histories: Vec<StateId>,
    /// Blocks to run on entry.
    pub onentry: Vec<BlockId>,
    /// Blocks to run on exit.
    pub onexit: Vec<BlockId>,
    /// Transitions with an event, document order.
    pub evented: Vec<TransitionId>,
    /// Transitions without an event, document order.
    pub eventless: Vec<TransitionId>,
    /// Default entry of a compound state; default of a history.
    pub default: Option<TransitionId>,
    /// Data of this state.
    pub data: Vec<DataId>,
    /// Of a final.
    pub donedata: Option<DoneData>,
    /// Sessions that live while this state is active, document order.
    pub invokes: Vec<Invoke>,
}

/// `invoke`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// `type`.
    pub processor: Option<Attribute>,
    /// `src`.
    pub src: Option<Attribute>,
    /// `id`.
    pub id: Option<String>,
    /// `idlocation`.
    pub idlocation: Option<ExprId>,
    /// `namelist`, then `param`s, as for `send`.
    pub namelist: Vec<Param>,
    /// `param`s.
    pub params: Vec<Param>,
    /// The document.
    pub content: Option<Content>,
    /// `autoforward`.
    pub autoforward: bool,
    /// `finalize`, where there is something in it.
    pub finalize: Option<BlockId>,
    /// Of an empty `finalize`: name of what comes back, and the location that it is assigned to.
    pub returns: Vec<(String, ExprId)>,
    /// Of the element.
    pub at: Position,
}

/// What a transition leaves, W3C SCXML `getTransitionDomain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Domain {
    /// Targetless: nothing.
    None,
    /// Everything below this state.
    Static(StateId),
    /// A target is a history: it depends on what that remembers.
    Dynamic,
}

/// A state to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enter {
    /// The state.
    pub state: StateId,
    /// It is entered by default: run its default transition's content after `onentry`.
    pub by_default: bool,
}

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Source state.
    pub source: StateId,
    /// Event descriptors without trailing `.*` or `.`; `*` matches everything. Empty: eventless.
    pub events: Vec<String>,
    /// Condition.
    pub cond: Option<ExprId>,
    /// Targets as written, histories included.
    pub targets: Vec<StateId>,
    /// `type="internal"`.
    pub internal: bool,
    /// Executable content.
    pub block: Option<BlockId>,
    /// What it leaves.
    pub domain: Domain,
    /// What it enters, entry order, when it is taken alone and no history is involved.
    pub entry: Option<Vec<Enter>>,
    /// Where it stands.
    pub at: Position,
}

/// How a text is to be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpressionKind {
    /// An expression with a value.
    Value,
    /// A location that exists: its value is set. Strict, so an undeclared name is an error.
    Location,
    /// A variable that is declared when missing (`foreach` item and index).
    Item,
    /// A program that runs once, when the session begins: what it declares is global.
    Program,
    /// A program in executable content, which may run often: `var` and functions are global, `let`, `const` and
    /// `class` belong to the one run.
    Script,
}

/// A text of the datamodel's language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The text.
    pub text: String,
    /// What it is.
    pub kind: ExpressionKind,
}

/// One use of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expression {
    /// Index into [`Chart::sources`].
    pub source: u16,
    /// Where it stands.
    pub at: Position,
}

/// `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// `id`.
    pub id: String,
    /// The item as a location, for setting it.
    pub location: ExprId,
    /// Initial value.
    pub value: Content,
    /// Belongs to the root, or to any state of a document in the ORS dialect: a start parameter may replace its value.
    pub top_level: bool,
    /// Where it stands.
    pub at: Position,
}

/// A value given in the document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Nothing: undefined.
    #[default]
    None,
    /// To be evaluated.
    Expr(ExprId),
    /// JSON text.
    Json(String),
    /// An XML document, or some elements: a DOM object (W3C SCXML B.2.1).
    Xml(String),
    /// Text, white space already normalised where W3C SCXML asks for it.
    Text(String),
}

/// A literal attribute or its `...expr` twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attribute {
    /// A literal.
    Literal(String),
    /// An expression.
    Expr(ExprId),
}

/// `param`, or one name of a `namelist`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Name.
    pub name: String,
    /// Value.
    pub expr: ExprId,
}

/// `donedata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneData {
    /// `content`.
    pub content: Option<Content>,
    /// `param`s.
    pub params: Vec<Param>,
}

/// `assign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Where to.
    pub location: ExprId,
    /// What.
    pub value: Content,
}

/// `send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// Event name.
    pub event: Option<Attribute>,
    /// Target.
    pub target: Option<Attribute>,
    /// I/O processor.
    pub processor: Option<Attribute>,
    /// `id`.
    pub id: Option<String>,
    /// `idlocation`.
    pub idlocation: Option<ExprId>,
    /// `delay` in ms, or an expression that gives a duration text.
    pub delay: Option<Attribute>,
    /// `namelist` (all or nothing: an error in one drops the send), then `param`s.
    pub namelist: Vec<Param>,
    /// `param`s.
    pub params: Vec<Param>,
    /// `content`.
    pub content: Option<Content>,
}

/// An attribute of an action by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Attribute,
}

/// A request to a functional module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Module.
    pub module: String,
    /// Action.
    pub action: String,
    /// Location for the request id.
    pub requestid: Option<ExprId>,
    /// What the action is told.
    pub body: Element,
}

/// Attributes and children of an action, or of an element inside of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// Name, under `element`; empty for the action itself.
    pub name: String,
    /// Attributes, each under its name.
    pub attributes: Vec<Named>,
    /// `param` children, under `params`.
    pub params: Vec<Param>,
    /// `content`, under `content`.
    pub content: Option<Content>,
    /// Elements inside, under `children`. They nest at most [`MAX_NESTING`] deep.
    pub children: Vec<Element>,
}

/// Levels of [`Element`]s in a request, the action included: both sides work through them by recursion.
pub const MAX_NESTING: usize = 8;

/// What an executable element does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// `raise`.
    Raise {
        /// Name of the event.
        event: String,
        /// Its data.
        params: Vec<Param>,
    },
    /// `if`: the first branch whose condition holds; `None`: always.
    If(Vec<(Option<ExprId>, BlockId)>),
    /// `foreach`.
    Foreach {
        /// The array.
        array: ExprId,
        /// Setter of the item.
        item: ExprId,
        /// Setter of the index.
        index: Option<ExprId>,
        /// Body.
        body: BlockId,
    },
    /// `log`.
    Log {
        /// `label`.
        label: Option<String>,
        /// `expr`.
        expr: Option<ExprId>,
        /// ORS level.
        level: u8,
    },
    /// `assign`.
    Assign(Assignment),
    /// `script`.
    Script(ExprId),
    /// `send`.
    Send(Box<Send>),
    /// `cancel`.
    Cancel(Attribute),
    /// A functional module's action.
    Request(Box<Request>),
}

/// An executable element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// What it does.
    pub op: Op,
    /// Where it stands.
    pub at: Position,
}

/// Bounds of one session, fixed when its strategy is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes that scripts and data may take.
    pub memory: u32,
    /// Bytes of stack for scripts. The host's wasm stack must be at least 20 times that.
    pub stack: u32,
    /// Microsteps in one macrostep (ORS `max-microstep-count`).
    pub microsteps: u32,
    /// Internal events waiting.
    pub internal_queue: u32,
    /// Commands of one step.
    pub commands: u32,
    /// Bytes of log text of one step.
    pub log_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 8 << 20,
            stack: 96 << 10,
            microsteps: 1000,
            internal_queue: 1000,
            commands: 1000,
            log_bytes: 64 << 10,
        }
    }
}

impl Chart {
    /// The text of an expression.
    pub fn text(&self, e: ExprId) -> &str {
        &self.sources[usize::from(self.expressions[usize::from(e)].source)].text
    }

    /// Is there a transition for an event of this name?
    pub fn names(&self, event: &str) -> bool {
        let mut descriptors = self.transitions.iter().flat_map(|t| &t.events);
        descriptors.any(|d| matches_descriptor(d, event))
    }

    /// A transition in one line, for traces: `source [events] -> targets`.
    pub fn describe(&self, t: TransitionId) -> String {
        let transition = &self.transitions[usize::from(t)];
        let id = |s: StateId| self.states[usize::from(s)].id.as_str();
        let mut line = String::from(id(transition.source));
        line.push_str(" [");
        for (i, event) in transition.events.iter().enumerate() {
            line.push_str(if i > 0 { " " } else { "" });
            line.push_str(event);
        }
        line.push_str("] ->");
        for target in &transition.targets {
            line.push(' ');
            line.push_str(id(*target));
        }
        line
    }
}

/// Does an event descriptor (as in [`Transition::events`]) match an event's name? (W3C SCXML 3.12.1)
#[inline]
pub fn matches_descriptor(descriptor: &str, event: &str) -> bool {
    descriptor == "*"
        || event
            .strip_prefix(descriptor)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A delay in ms: a time of CSS2 as W3C SCXML 6.2.4 takes it, a number with `s` or `ms` right behind it. White space
/// around it does not count.
pub fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => (text.strip_suffix('s')?, 1000.0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.is_empty() || number.is_empty() {
        return None;
    }
    let ms = number.parse::<f64>().ok()? * unit + 0.5;
    (ms < u64::MAX as f64).then_some(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_numbers_with_a_unit() {
        for (good, ms) in [
            ("1s", 1000),
            ("0ms", 0),
            ("1.5s", 1500),
            (".5s", 500),
            (" 0.4ms ", 0),
            ("0.5ms", 1),
            ("007s", 7000),
        ] {
            assert_eq!(duration_ms(good), Some(ms), "{good}");
        }
        let huge = ["9"; 400].concat() + "s";
        for bad in [
            "", "s", "ms", "1", "1.s", "1 s", "'1s'", "-1s", "+1s", ".", ".s", "1.2.3s", "2h", "2m", "five", "1e3s",
            "1S", "infs", "NaNms", &huge,
        ] {
            assert_eq!(duration_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn descriptors_match_whole_tokens() {
        for (descriptor, event, expected) in [
            ("error", "error", true),
            ("error", "error.execution", true),
            ("error", "errors", false),
            ("error.send", "error", false),
            ("*", "anything.at.all", true),
        ] {
            assert_eq!(matches_descriptor(descriptor, event), expected, "{descriptor} {event}");
        }
    }
}
