//! Events in the queues, and `_event`.
//!
//! An event costs what the expressions touch: `_event` is an accessor of the global object that builds the object on
//! its first use, and `data` is an accessor of that object which parses its JSON on first use. An event that only
//! moves states never meets ECMAScript at all.

use crate::dom;
use crate::exports_types::EventKind;
use crate::js::{ctx, function, Thrown, Value};
use crate::session::{self, quote};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use rquickjs_sys::*;
use std::collections::VecDeque;
use std::rc::Rc;

/// Data of an event.
#[derive(Clone, Default)]
pub enum Data {
    /// None: `_event.data` is undefined.
    #[default]
    None,
    /// JSON text, also where it was made inside this session: an event shares no object with its sender.
    Json(String),
    /// An XML document: a DOM object.
    Xml(String),
}

impl Data {
    /// As the contract has it.
    pub fn of(json: Option<String>, xml: bool) -> Data {
        match json {
            None => Data::None,
            // A JSON string holds the document; the host sends nothing else.
            Some(json) if xml => match Value::parse(&json).and_then(|v| v.text()) {
                Ok(text) => Data::Xml(text),
                Err(_) => Data::Json(json),
            },
            Some(json) => Data::Json(json),
        }
    }

    /// Of a value, for somebody else: through text, so that the receiver cannot change the sender's objects.
    pub fn from_value(value: &Value) -> Result<Data, Thrown> {
        Ok(match dom::markup(value)? {
            Some(markup) => Data::Xml(markup),
            None => value.json()?.map_or(Data::None, Data::Json),
        })
    }

    /// As the contract has it: JSON, and whether it is a string with an XML document in it.
    pub fn into_json(self) -> (Option<String>, bool) {
        match self {
            Data::None => (None, false),
            Data::Json(json) => (Some(json), false),
            Data::Xml(markup) => (Some(quote(&markup)), true),
        }
    }
}

/// Type URI of the SCXML Event I/O Processor.
pub const SCXML: &str = "http://www.w3.org/TR/scxml/#SCXMLEventProcessor";

/// An event in a queue.
#[derive(Clone)]
pub struct Queued {
    /// Name.
    pub name: Rc<str>,
    /// `_event.type`.
    pub kind: EventKind,
    /// `_event.data`.
    pub data: Data,
    /// `_event.sendid`.
    pub sendid: Option<String>,
    /// `_event.origin`.
    pub origin: Option<String>,
    /// `_event.origintype`.
    pub origintype: Option<String>,
    /// `_event.invokeid`.
    pub invokeid: Option<String>,
    /// `_event.raw`.
    pub raw: Option<String>,
}

impl Queued {
    /// An event without anything but a name.
    pub fn new(name: Rc<str>, kind: EventKind) -> Self {
        Queued { name, kind, data: Data::None, sendid: None, origin: None, origintype: None, invokeid: None, raw: None }
    }
}

static mut QUEUE: VecDeque<Queued> = VecDeque::new();

/// The internal queue. In one place, and never held while a script runs: scripts raise events as well.
pub fn queue() -> &'static mut VecDeque<Queued> {
    unsafe { &mut *&raw mut QUEUE }
}

/// The event being handled, and its object once a script has asked for it.
struct Current {
    event: Option<Queued>,
    object: Option<Value>,
    class: JSClassID,
    getters: Option<Getters>,
    names: Names,
}

/// Functions behind properties of an event.
struct Getters {
    data: Value,
    raw: Value,
}

/// Atoms of the properties that nearly every event has: looked up once.
#[derive(Clone, Copy)]
struct Names {
    name: JSAtom,
    kind: JSAtom,
    data: JSAtom,
}

const NO_NAMES: Names = Names { name: 0, kind: 0, data: 0 };

static mut CURRENT: Current = Current { event: None, object: None, class: 0, getters: None, names: NO_NAMES };

fn current() -> &'static mut Current {
    unsafe { &mut *&raw mut CURRENT }
}

/// Makes `event` the value of `_event`.
pub fn set_current(event: Queued) {
    let c = current();
    c.object = None;
    c.event = Some(event);
}

/// Forgets the current event's value but keeps that there was one: called before an image is made.
pub fn clear_current() {
    let c = current();
    c.object = None;
    c.event = None;
}

/// Text that becomes a value when somebody looks.
struct Lazy {
    text: String,
    xml: bool,
    value: Option<Value>,
}

unsafe fn lazy<'a>(object: JSValue) -> Option<&'a mut Lazy> {
    JS_GetOpaque(object, current().class).cast::<Lazy>().as_mut()
}

unsafe extern "C" fn finalize(_: *mut JSRuntime, object: JSValue) {
    let p = JS_GetOpaque(object, current().class).cast::<Lazy>();
    if !p.is_null() {
        drop(Box::from_raw(p));
    }
}

unsafe extern "C" fn mark(rt: *mut JSRuntime, object: JSValue, f: JS_MarkFunc) {
    if let Some(Lazy { value: Some(v), .. }) = lazy(object) {
        JS_MarkValue(rt, v.raw(), f);
    }
}

unsafe extern "C" fn get_data(_: *mut JSContext, this: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    let Some(lazy) = lazy(this) else { return JS_UNDEFINED };
    if let Some(v) = &lazy.value {
        return v.clone().into_raw();
    }
    // Nothing of this is held while XML becomes objects: that is script, and may come here again.
    let (text, xml) = (lazy.text.clone(), lazy.xml);
    // Text that is not what it should be is shown as it is rather than lost.
    let parsed = match xml {
        true => session::xml(&text),
        false => Value::parse(&text).or_else(|_| Value::string(&text)),
    };
    let v = match parsed {
        Ok(v) => v,
        Err(thrown) if thrown.overflow => return crate::js::throw_overflow(),
        Err(thrown) if xml => return crate::js::throw(&thrown.text),
        Err(_) => return JS_ThrowOutOfMemory(ctx()),
    };
    let Some(lazy) = self::lazy(this) else { return JS_UNDEFINED };
    lazy.text = String::new();
    lazy.value.get_or_insert(v).clone().into_raw()
}

/// `_event.raw` of an event that no message has brought: between sessions it is the text of its data.
unsafe extern "C" fn get_raw(_: *mut JSContext, this: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    let Some(lazy) = lazy(this) else { return JS_UNDEFINED };
    let text = match &lazy.value {
        None => Ok(Some(lazy.text.clone())),
        Some(v) if lazy.xml => v.text().map(Some),
        Some(v) => v.json(),
    };
    match text.and_then(|text| text.map_or(Ok(Value::undefined()), |text| Value::string(&text))) {
        Ok(v) => v.into_raw(),
        Err(thrown) if thrown.overflow => crate::js::throw_overflow(),
        Err(_) => JS_UNDEFINED,
    }
}

unsafe extern "C" fn get_event(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    let c = current();
    if c.object.is_none() {
        let Some(event) = &mut c.event else { return JS_UNDEFINED };
        match build(event, c.class, c.getters.as_ref(), c.names) {
            Ok(v) => c.object = Some(v),
            Err(_) => return JS_ThrowOutOfMemory(ctx()),
        }
    }
    c.object.as_ref().map_or(JS_UNDEFINED, |v| v.clone().into_raw())
}

fn build(event: &mut Queued, class: JSClassID, getters: Option<&Getters>, names: Names) -> Result<Value, Thrown> {
    let object = Value::from_raw(unsafe { JS_NewObjectClass(ctx(), class) })?;
    let constant = JS_PROP_ENUMERABLE as c_int;
    object.define(names.name, Value::string(&event.name)?, constant)?;
    let kind = match event.kind {
        EventKind::Platform => "platform",
        EventKind::Internal => "internal",
        EventKind::External => "external",
    };
    object.define(names.kind, Value::string(kind)?, constant)?;
    let optional = [
        ("sendid", &event.sendid),
        ("origin", &event.origin),
        ("origintype", &event.origintype),
        ("invokeid", &event.invokeid),
        ("raw", &event.raw),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            object.set_constant(name, Value::string(value)?)?;
        }
    }
    let data = match core::mem::take(&mut event.data) {
        Data::None => None,
        Data::Json(text) => Some((text, false)),
        Data::Xml(text) => Some((text, true)),
    };
    if let Some((text, xml)) = data {
        let lazy = Box::new(Lazy { text, xml, value: None });
        unsafe { JS_SetOpaque(object.raw(), Box::into_raw(lazy).cast::<c_void>()) };
        let Some(getters) = getters else { return Ok(object) };
        object.define_getter(names.data, getters.data.clone())?;
        if event.raw.is_none() && event.origintype.as_deref() == Some(SCXML) {
            object.set_getter("raw", getters.raw.clone())?;
        }
    }
    // System variables cannot be changed (W3C SCXML 5.10), nor have anything added.
    object.prevent_extensions()?;
    Ok(object)
}

/// Puts `_event` into the realm: once, when the engine is deployed.
pub fn install(rt: *mut JSRuntime, global: &Value) -> Result<(), Thrown> {
    let c = current();
    unsafe {
        JS_NewClassID(rt, &mut c.class);
        let definition = JSClassDef {
            class_name: c"Event".as_ptr(),
            finalizer: Some(finalize),
            gc_mark: Some(mark),
            call: None,
            exotic: null_mut(),
        };
        JS_NewClass(rt, c.class, &definition);
    }
    // Every field exists, also the empty ones ('origin' in _event, W3C SCXML 5.10.1).
    let prototype = Value::object()?;
    for name in ["name", "type", "sendid", "origin", "origintype", "invokeid", "data"] {
        prototype.set(name, Value::undefined())?;
    }
    prototype.freeze()?;
    unsafe { JS_SetClassProto(ctx(), c.class, prototype.into_raw()) };
    c.getters = Some(Getters { data: function(c"data", get_data, 0), raw: function(c"raw", get_raw, 0) });
    c.names = unsafe {
        Names {
            name: JS_NewAtom(ctx(), c"name".as_ptr()),
            kind: JS_NewAtom(ctx(), c"type".as_ptr()),
            data: JS_NewAtom(ctx(), c"data".as_ptr()),
        }
    };
    global.set_getter("_event", function(c"_event", get_event, 0))
}
