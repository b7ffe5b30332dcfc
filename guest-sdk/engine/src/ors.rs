//! What scripts of ORS find: `__Log`, `__Raise` and their kin, and what `ors.js` makes (`_data`, `_genesys`, `toSource`).
//!
//! Only strategies that want it have it (`Chart::ors`): it is in their images. What a script does here while it runs (a line of log,
//! an event, a command) joins what the step has done at that moment.

use crate::event::{self, Data, Queued};
use crate::exports_types::{Command, EventKind, Failure, LogEntry, Request};
use crate::js::{self, ctx, eval, function, global, Thrown, Value};
use crate::session::{enqueue, new_id, session, Session};
use crate::{host_data, output};
use core::ffi::{c_int, CStr};
use pointsman_chart::Chart;
use rquickjs_sys::*;

/// An expression that gives the function that makes the environment.
const ENVIRONMENT: &str = include_str!("ors.js");

/// Told of every event.
static mut LISTENER: Option<Value> = None;

/// A limit that a script has broken in one of these functions: it ends the session, whatever the script catches.
static mut BROKEN: Option<Failure> = None;

/// The limit that was broken since the last time this was asked.
pub fn take_broken() -> Option<Failure> {
    unsafe { (*&raw mut BROKEN).take() }
}

type Native = unsafe extern "C" fn(*mut JSContext, JSValue, c_int, *mut JSValue) -> JSValue;

/// The global functions: name, function, parameters.
const FUNCTIONS: [(&CStr, Native, c_int); 6] = [
    (c"__Log", log, 3),
    (c"__Raise", raise, 2),
    (c"__GetDocumentURL", document_url, 0),
    (c"__GetDocumentType", document_type, 0),
    (c"__GetCurrentStates", current_states, 0),
    (c"__GetQueuedEvents", queued_events, 0),
];

/// Puts the environment into the realm: once, when the strategy is deployed.
pub fn install(chart: &Chart) -> Result<(), Thrown> {
    for (name, native, parameters) in FUNCTIONS {
        global().set(&name.to_string_lossy(), function(name, native, parameters))?;
    }
    let ids = Value::array()?;
    for data in &chart.data {
        ids.push(Value::string(&data.id)?)?;
    }
    let read = function(c"read", host_data::js_read, 2);
    let request = function(c"request", request, 3);
    let make = eval(ENVIRONMENT, false)?;
    let listener = make.call(&mut [ids.raw(), read.raw(), request.raw()])?;
    unsafe { *&raw mut LISTENER = Some(listener) };
    Ok(())
}

/// An event has come from outside: the model of interactions follows it, whatever the document makes of it.
pub fn hear(event: &Queued) {
    let Some(listener) = (unsafe { (*&raw const LISTENER).as_ref() }) else { return };
    let Data::Json(json) = &event.data else { return };
    if !event.name.starts_with("interaction.") {
        return;
    }
    let told = Value::parse(json).and_then(|data| listener.call(&mut [Value::string(&event.name)?.raw(), data.raw()]));
    // What goes wrong there is for want of memory, which is remembered, or because a script has changed what the model is made of.
    drop(told);
}

/// Of the arguments, the one at `i`.
unsafe fn argument(argc: c_int, argv: *mut JSValue, i: usize) -> Value {
    match i < argc.max(0) as usize {
        true => Value::from_raw(JS_DupValue(ctx(), *argv.add(i))).unwrap_or(Value::undefined()),
        false => Value::undefined(),
    }
}

/// What a function gives back to its script; a failure as an exception.
unsafe fn answer(result: Result<Value, Wrong>) -> JSValue {
    match result {
        Ok(v) => v.into_raw(),
        Err(Wrong::Thrown(t)) if t.overflow => js::throw_overflow(),
        Err(Wrong::Thrown(t)) => js::throw(&t.text),
        Err(Wrong::Limit(f)) => {
            let text = f.message.clone();
            *&raw mut BROKEN = Some(f);
            js::throw(&text)
        }
    }
}

enum Wrong {
    Thrown(Thrown),
    Limit(Failure),
}

impl From<Thrown> for Wrong {
    fn from(t: Thrown) -> Self {
        Wrong::Thrown(t)
    }
}

impl From<Failure> for Wrong {
    fn from(f: Failure) -> Self {
        Wrong::Limit(f)
    }
}

/// The session, to look at: whoever runs the script works on it.
fn running() -> Result<&'static Session, Thrown> {
    session().map(|s| &*s).ok_or(Thrown { text: "the session has not begun".into(), overflow: false })
}

/// `__Log(value, label, level)`.
unsafe extern "C" fn log(_: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let logged = || {
        let text = argument(argc, argv, 0).display()?;
        let label = argument(argc, argv, 1);
        let label = if label.is_undefined() { None } else { Some(label.text()?) };
        let level = argument(argc, argv, 2);
        let level = if level.is_undefined() { 0 } else { level.text()?.parse().unwrap_or(0) };
        output::of_call().log(&running()?.limits, LogEntry { label, text, level })?;
        Ok(Value::undefined())
    };
    answer(logged())
}

/// `__Raise(name, data)`.
unsafe extern "C" fn raise(_: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let raised = || {
        let name = argument(argc, argv, 0).text()?;
        let mut queued = Queued::new(name.into(), EventKind::Internal);
        let data = argument(argc, argv, 1);
        if !data.is_undefined() {
            queued.data = Data::from_value(&data)?;
        }
        enqueue(&running()?.limits, queued)?;
        Ok(Value::undefined())
    };
    answer(raised())
}

/// `request(module, action, params)`: gives the request id.
unsafe extern "C" fn request(_: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let asked = || {
        let (module, action) = (argument(argc, argv, 0).text()?, argument(argc, argv, 1).text()?);
        let params = argument(argc, argv, 2).json()?.unwrap_or_else(|| "{}".into());
        let id = new_id(&module);
        let request = Request { module, action, id: id.clone(), params };
        output::of_call().command(&running()?.limits, Command::Request(request))?;
        Ok(Value::string(&id)?)
    };
    answer(asked())
}

/// `__GetDocumentURL()`.
unsafe extern "C" fn document_url(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    let url = || Ok(Value::string(running()?.chart.files.first().map_or("", String::as_str))?);
    answer(url())
}

/// `__GetDocumentType()`.
unsafe extern "C" fn document_type(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    answer(Value::string("scxml").map_err(Wrong::from))
}

/// `__GetCurrentStates()`: ids of the active states, document order.
unsafe extern "C" fn current_states(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    let states = || {
        let s = running()?;
        texts(s.configuration.iter().filter(|i| *i != 0).map(|i| s.state(i).id.clone()).collect())
    };
    answer(states())
}

/// `__GetQueuedEvents()`: names of the internal events that wait.
unsafe extern "C" fn queued_events(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    answer(texts(event::queue().iter().map(|e| e.name.to_string()).collect()))
}

fn texts(all: Vec<String>) -> Result<Value, Wrong> {
    let list = Value::array()?;
    for text in &all {
        list.push(Value::string(text)?)?;
    }
    Ok(list)
}
