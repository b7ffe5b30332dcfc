//! XML as scripts see it: DOM objects (W3C SCXML B.2.1).
//!
//! Parsing is quick-xml's; the objects are those of `dom.js`, which is evaluated when XML is first met: a strategy with XML in its
//! document has it in its image, one that gets XML in an event pays for it then, all others never.

use crate::js::{eval, Thrown, Value};
use crate::session::quote;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};
use quick_xml::{Reader, XmlVersion};

/// The objects' code: an expression that gives `[parse, isNode]`.
const DOM: &str = include_str!("dom.js");

/// Elements inside one another.
const MAX_DEPTH: usize = 256;

/// Elements, texts and comments of one document: each is an object of some hundred bytes, and a session has a few MiB.
const MAX_NODES: usize = 6_000;

/// `parse` and `isNode`, once somebody needed them.
struct Functions {
    parse: Value,
    is_node: Value,
}

static mut FUNCTIONS: Option<Functions> = None;

fn functions() -> Result<&'static Functions, Thrown> {
    if let Some(functions) = unsafe { (*&raw const FUNCTIONS).as_ref() } {
        return Ok(functions);
    }
    let pair = eval(DOM, false)?;
    let functions = Functions { parse: pair.index(0)?, is_node: pair.index(1)? };
    unsafe { Ok((*&raw mut FUNCTIONS).insert(functions)) }
}

/// Makes the objects' code ready, for a document that has XML in it.
pub fn prepare() -> Result<(), Thrown> {
    functions().map(drop)
}

/// Is it a DOM object? Runs no script.
pub fn is_node(value: &Value) -> bool {
    let functions = unsafe { (*&raw const FUNCTIONS).as_ref() };
    let asked = functions.filter(|_| value.is_object()).map(|f| f.is_node.call(&mut [value.raw()]).and_then(|v| v.truthy()));
    matches!(asked, Some(Ok(true)))
}

/// The DOM object of a text: a document, or a fragment where it has several elements side by side. `None`: it is no XML.
pub fn parse(text: &str) -> Result<Option<Value>, Thrown> {
    let Some(items) = items(text) else { return Ok(None) };
    let items = Value::parse(&items)?;
    functions()?.parse.call(&mut [items.raw()]).map(Some)
}

/// The markup of a DOM object; `None`: the value is none.
pub fn markup(value: &Value) -> Result<Option<String>, Thrown> {
    match is_node(value) {
        true => value.text().map(Some),
        false => Ok(None),
    }
}

/// The list that `parse` of `dom.js` wants, as JSON.
fn items(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut out = List::new();
    let mut characters = String::new();
    let (mut depth, mut elements) = (0usize, 0usize);
    loop {
        if out.items > 2 * MAX_NODES {
            return None;
        }
        let event = reader.read_event().ok()?;
        match &event {
            Event::Text(t) => {
                characters.push_str(&t.xml10_content());
                continue;
            }
            Event::CData(t) => {
                characters.push_str(&t.xml10_content());
                continue;
            }
            Event::GeneralRef(r) => {
                characters.push_str(&reference(r)?);
                continue;
            }
            _ => {}
        }
        if !characters.is_empty() {
            out.push(&quote(&characters));
            characters.clear();
        }
        match event {
            Event::Start(_) | Event::Empty(_) if depth >= MAX_DEPTH => return None,
            Event::Start(tag) => {
                out.push(&element(&tag)?);
                (depth, elements) = (depth + 1, elements + 1);
            }
            Event::Empty(tag) => {
                out.push(&element(&tag)?);
                out.push("0");
                elements += 1;
            }
            Event::End(_) => {
                out.push("0");
                depth = depth.checked_sub(1)?;
            }
            Event::Comment(c) => out.push(&format!("{{\"c\":{}}}", quote(&c.xml10_content()))),
            // Entities of its own, and whatever else a type declares, are refused here as everywhere.
            Event::DocType(_) => return None,
            Event::Eof => break,
            _ => {}
        }
    }
    (depth == 0 && elements > 0).then(|| out.text + "]")
}

/// A JSON array that grows.
struct List {
    text: String,
    items: usize,
}

impl List {
    fn new() -> List {
        List { text: String::from("["), items: 0 }
    }

    fn push(&mut self, item: &str) {
        if self.items > 0 {
            self.text.push(',');
        }
        self.items += 1;
        self.text.push_str(item);
    }
}

fn element(tag: &quick_xml::events::BytesStart) -> Option<String> {
    let mut attributes = List::new();
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        attributes.push(&quote(attribute.key.into_inner()));
        attributes.push(&quote(&attribute.normalized_value(XmlVersion::Implicit1_0).ok()?));
    }
    Some(format!("[{},{}]]", quote(tag.name().into_inner()), attributes.text))
}

fn reference(r: &BytesRef) -> Option<String> {
    match r.resolve_char_ref().ok()? {
        Some(c) => Some(c.to_string()),
        None => resolve_predefined_entity(&r.xml10_content()).map(str::to_owned),
    }
}
