//! One validated document: the tree of states as the author wrote it, with source positions.
//!
//! Everything that W3C SCXML 1.0 calls an expression is kept as text: whether it is valid ECMAScript shows only
//! when it is reached (the engine raises `error.execution` then), so a document with a broken expression loads.

use serde::{Deserialize, Serialize};

/// Where something stands: index into [`Document::files`], line and column from 1 (column in characters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Index into [`Document::files`].
    pub file: u16,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// A text that was read: the document itself first, then what it names by `src`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// URL or path, as resolved.
    pub url: String,
    /// The whole text.
    pub text: String,
}

/// Which language the document is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// W3C SCXML 1.0 (2015).
    #[default]
    W3c,
    /// What the Genesys Orchestration Server reads: the W3C working draft of 7 May 2009 with its extensions. Attributes of
    /// `send` and `cancel` are expressions there.
    Ors,
}

/// `datamodel` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Datamodel {
    /// W3C SCXML appendix B.2; the default.
    Ecmascript,
    /// W3C SCXML appendix B.1.
    Null,
}

/// `binding` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// All data is created and initialised at start.
    Early,
    /// Data is created at start, initialised when its state is first entered.
    Late,
}

/// A text with the position of its first character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// As written, entities resolved.
    pub text: String,
    /// Of its first character.
    pub at: Position,
}

/// A whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// `name`.
    pub name: Option<String>,
    /// The language.
    pub dialect: Dialect,
    /// The datamodel.
    pub datamodel: Datamodel,
    /// The binding.
    pub binding: Binding,
    /// The `_` attributes of the `scxml` element.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: Settings,
    /// What `initial` names; empty: the first child state.
    pub initial: Vec<String>,
    /// Top-level `script` elements, run at load time, document order.
    pub scripts: Vec<Script>,
    /// Top-level `data`.
    pub data: Vec<Data>,
    /// Top-level states, document order.
    pub states: Vec<State>,
    /// All texts read; index 0 is the document.
    pub files: Vec<SourceFile>,
    /// Position of the `scxml` element.
    pub at: Position,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a document says with `_` attributes of its `scxml` element (ORS extensions, read in both dialects).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `_type`: what kind of application it is. For reports only.
    #[serde(skip_serializing_if = "is_default")]
    pub application: ApplicationType,
    /// `_persist`: `false`: sessions of it are never written to the store.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub persist: bool,
    /// `_sendSessionRecovered`: a session that was recovered hears `session.recovered`.
    #[serde(skip_serializing_if = "is_default")]
    pub send_session_recovered: bool,
    /// `_maxtime`: longest life of a session, in seconds, from 1. `None`: the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time_s: Option<u32>,
    /// `_debug`: its sessions may be traced.
    #[serde(skip_serializing_if = "is_default")]
    pub debug: bool,
    /// `_microStepLimit`: microsteps without an external event, from 1 (ORS option `max-microstep-count`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microstep_limit: Option<u32>,
    /// `_stateEntryLimit`: entries of one state without an external event, from 1 (ORS option `max-state-entry-count`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_entry_limit: Option<u32>,
    /// `_eventLimit`: events that may wait, from 1 (ORS option `max-pending-events`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_limit: Option<u32>,
    /// `_processEventTimeout`: longest handling of one event, in ms, from 1 (ORS option `process-event-timeout`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_event_timeout_ms: Option<u32>,
    /// `_transitionStyle`.
    #[serde(skip_serializing_if = "is_default")]
    pub transition_style: TransitionStyle,
    /// `_filterEvents`: events that no transition of the document names are dropped.
    #[serde(skip_serializing_if = "is_default")]
    pub filter_events: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            application: ApplicationType::default(),
            persist: true,
            send_session_recovered: false,
            max_time_s: None,
            debug: false,
            microstep_limit: None,
            state_entry_limit: None,
            event_limit: None,
            process_event_timeout_ms: None,
            transition_style: TransitionStyle::default(),
            filter_events: false,
        }
    }
}

/// `_type` of `scxml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationType {
    /// Several of the others, or not said.
    #[default]
    Combination,
    /// Chooses where interactions go.
    RoutingStrategy,
    /// Handles interactions from their beginning to their end.
    InteractionProcess,
    /// Works without interactions.
    ServiceProcess,
}

/// `_transitionStyle` of `scxml`: how conflicts of transitions are resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransitionStyle {
    /// As the draft of 2009 did.
    #[default]
    Legacy,
    /// As W3C SCXML 1.0 does: what this platform does for all documents.
    Canonical,
}

/// What a state says with `_` attributes (ORS extensions, read in both dialects).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StateSettings {
    /// `_type`, as written: how the platform treats the state; `normal` where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `_persist`: whether the session is written to the store here.
    #[serde(skip_serializing_if = "is_default")]
    pub persist: StatePersist,
    /// `_es_store`: time spent in the state goes to the report of the session.
    #[serde(skip_serializing_if = "is_default")]
    pub report_time: bool,
    /// `_deactivate`: the session may leave the memory while it waits here. `None`: the host decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deactivate: Option<bool>,
}

/// `_persist` of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatePersist {
    /// The host decides.
    #[default]
    May,
    /// Always.
    Must,
    /// Never.
    Never,
}

/// Kind of a state node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// `state`, atomic or compound.
    State,
    /// `parallel`.
    Parallel,
    /// `final`.
    Final,
    /// `history type="shallow"`: its one transition is the default.
    ShallowHistory,
    /// `history type="deep"`.
    DeepHistory,
}

/// A state, parallel, final or history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// `id`, or one made by the reader (`$1`, `$2`, ... in document order) where the author gave none.
    pub id: String,
    /// The author gave the id.
    pub named: bool,
    /// The kind.
    pub kind: StateKind,
    /// Its `_` attributes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: StateSettings,
    /// The default entry of a compound state: the `initial` attribute (no content) or child element's transition.
    /// `None`: the first child in document order. Always `None` for other kinds.
    pub initial: Option<Transition>,
    /// `datamodel` children.
    pub data: Vec<Data>,
    /// One block for each `onentry`.
    pub onentry: Vec<Block>,
    /// One block for each `onexit`.
    pub onexit: Vec<Block>,
    /// Document order. Of a history: exactly the default transition.
    pub transitions: Vec<Transition>,
    /// Document order.
    pub invokes: Vec<Invoke>,
    /// Of a final.
    pub donedata: Option<DoneData>,
    /// Child states, parallels, finals and histories, document order.
    pub children: Vec<State>,
    /// Of the element.
    pub at: Position,
}

/// `transition`, or the default entry of a compound state or history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Event descriptors, split at white space, as written. Empty: eventless.
    pub events: Vec<String>,
    /// `cond`.
    pub cond: Option<Text>,
    /// Target ids. Empty: targetless.
    pub targets: Vec<String>,
    /// `type="internal"`.
    pub internal: bool,
    /// Executable content.
    pub content: Block,
    /// Of the element.
    pub at: Position,
}

/// A block of executable content: an error in it ends the block (W3C SCXML 4).
pub type Block = Vec<Executable>;

/// `script`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The source, inline or read from `src`.
    pub source: Text,
    /// Of the element.
    pub at: Position,
}

/// Initial value of `data`, value of `assign`, body of `content`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// `expr`.
    Expr(Text),
    /// Inline text, or text read from `src`: JSON, else text with white space normalised (W3C SCXML B.2.1).
    Text(Text),
    /// Inline XML: the markup between the tags, as written.
    Xml(Text),
}

/// `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// `id`.
    pub id: String,
    /// Its value; `None`: undefined.
    pub value: Option<Value>,
    /// Of the element.
    pub at: Position,
}

/// Either a literal attribute or its `...expr` twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    /// A literal.
    Literal(Text),
    /// An expression.
    Expr(Text),
}

/// `param`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// `name`.
    pub name: String,
    /// `expr` or `location`: both are evaluated for their value.
    pub expr: Text,
    /// It is a location.
    pub location: bool,
    /// Of the element.
    pub at: Position,
}

/// `donedata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneData {
    /// `content`, which excludes params.
    pub content: Option<Value>,
    /// `param`s.
    pub params: Vec<Param>,
    /// Of the element.
    pub at: Position,
}

/// `send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// `event` or `eventexpr`. In the ORS dialect `event` is an expression, and so are `target`, `type` and `delay`.
    pub event: Option<Attribute>,
    /// `target` or `targetexpr`.
    pub target: Option<Attribute>,
    /// `type` or `typeexpr`; `targettype` of ORS.
    pub processor: Option<Attribute>,
    /// `id`; `sendid` of ORS.
    pub id: Option<String>,
    /// `idlocation`.
    pub idlocation: Option<Text>,
    /// `delay` or `delayexpr`.
    pub delay: Option<Attribute>,
    /// `timeout` (ORS), an expression: how long the platform tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Text>,
    /// `hints` (ORS), an expression: an object for what carries the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints: Option<Text>,
    /// `namelist`, split at white space; a location each.
    pub namelist: Vec<Text>,
    /// `param`s.
    pub params: Vec<Param>,
    /// `content`.
    pub content: Option<Value>,
}

/// An action of a functional module, such as `<ixn:redirect to="'7001'"/>`; see [`crate::modules`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Module, such as `interaction`: from the namespace, in either spelling.
    pub module: String,
    /// Local name of the element.
    pub action: String,
    /// `requestid` where it is a location that receives the request id. Some actions name another request by it:
    /// then it is one of the attributes.
    pub requestid: Option<Text>,
    /// The other attributes, but those that are locations.
    pub attributes: Vec<(String, Attribute)>,
    /// `param` children.
    pub params: Vec<Param>,
    /// `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// Other elements in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ActionElement>,
}

/// An element inside of an action, such as `<queue:target>`, or an action inside of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionElement {
    /// Local name; of an action `module.action`.
    pub name: String,
    /// Attributes.
    pub attributes: Vec<(String, Attribute)>,
    /// `param` children.
    pub params: Vec<Param>,
    /// `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// Other elements in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ActionElement>,
    /// Of the element.
    pub at: Position,
}

/// `if` with its `elseif`s and `else`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct If {
    /// In order; `None`: `else`, always last.
    pub branches: Vec<(Option<Text>, Block)>,
}

/// What an executable element does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `raise`; `event` of the draft of 2009.
    Raise {
        /// `event`: a name, in both dialects.
        event: String,
        /// `param`s (ORS): the data of the event.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        params: Vec<Param>,
    },
    /// `if`.
    If(If),
    /// `foreach`.
    Foreach {
        /// `array`.
        array: Text,
        /// `item`.
        item: Text,
        /// `index`.
        index: Option<Text>,
        /// The body.
        body: Block,
    },
    /// `log`.
    Log {
        /// `label`.
        label: Option<String>,
        /// `expr`.
        expr: Option<Text>,
        /// `level` (ORS): 1 reporting, 2 error, 3 warning, 4 debug.
        level: u8,
    },
    /// `assign`.
    Assign {
        /// `location`.
        location: Text,
        /// The value.
        value: Value,
    },
    /// `script`.
    Script(Text),
    /// `send`.
    Send(Box<Send>),
    /// `cancel`: `sendid` or `sendidexpr`.
    Cancel(Attribute),
    /// An element of a functional module.
    Action(Box<Action>),
}

/// An executable element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// What it does.
    pub operation: Operation,
    /// Of the element.
    pub at: Position,
}

/// `invoke` (W3C SCXML 6.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// `type` or `typeexpr`.
    pub processor: Option<Attribute>,
    /// `src` or `srcexpr`. A literal one that names a file is read with the document: it is in `content` then.
    pub src: Option<Attribute>,
    /// `id`.
    pub id: Option<String>,
    /// `idlocation`.
    pub idlocation: Option<Text>,
    /// `namelist`, split at white space; a location each.
    pub namelist: Vec<Text>,
    /// `param`s.
    pub params: Vec<Param>,
    /// `content`, or the file that `src` names.
    pub content: Option<Value>,
    /// `autoforward`.
    pub autoforward: bool,
    /// `finalize`; empty: what comes back is assigned to the locations that were handed over.
    pub finalize: Option<Block>,
    /// Of the element.
    pub at: Position,
}
