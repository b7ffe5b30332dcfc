//! One validated document: the tree of states as the author wrote it, with source positions.
//!
//! Everything that W3C SCXML 1.0 calls an expression is kept as text: whether it is valid ECMAScript shows only
//! when it is reached (the engine raises `error.execution` then), so a document with a broken expression loads.

use serde::{Deserialize, Serialize};

/// Where something stands: index into [`Document::files`], line and column from 1 (column in characters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// W3C SCXML 1.0 (2015).
    W3c,
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
    /// `event` or `eventexpr`.
    pub event: Option<Attribute>,
    /// `target` or `targetexpr`.
    pub target: Option<Attribute>,
    /// `type` or `typeexpr`.
    pub processor: Option<Attribute>,
    /// `id`.
    pub id: Option<String>,
    /// `idlocation`.
    pub idlocation: Option<Text>,
    /// `delay` or `delayexpr`.
    pub delay: Option<Attribute>,
    /// `namelist`, split at white space; a location each.
    pub namelist: Vec<Text>,
    /// `param`s.
    pub params: Vec<Param>,
    /// `content`.
    pub content: Option<Value>,
}

/// An element of a functional module, such as `<ixn:redirect to="'7001'"/>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Module, such as `interaction`: from the namespace, in either spelling.
    pub module: String,
    /// Local name of the element.
    pub action: String,
    /// `requestid`: location that receives the request id.
    pub requestid: Option<Text>,
    /// The other attributes, all of them expressions (ORS).
    pub attributes: Vec<(String, Text)>,
    /// `param` children.
    pub params: Vec<Param>,
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
    /// `raise event`.
    Raise(String),
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
