//! `_ioprocessors`: made of its JSON when somebody asks for it, which most sessions never do.

use crate::js::{self, ctx, function, Thrown, Value};
use core::ffi::c_int;
use rquickjs_sys::*;

/// What the session was told, and the object once a script or a `send` has asked for it.
struct Processors {
    json: String,
    object: Option<Value>,
}

static mut PROCESSORS: Processors = Processors { json: String::new(), object: None };

fn processors() -> &'static mut Processors {
    unsafe { &mut *&raw mut PROCESSORS }
}

/// The session's processors: JSON of an object, by type URI.
pub fn set(json: String) {
    processors().json = json;
}

/// Is there a processor of this type?
pub fn have(uri: &str) -> Result<bool, Thrown> {
    object().map(|o| o.has_own(uri))
}

fn object() -> Result<Value, Thrown> {
    let p = processors();
    if p.object.is_none() {
        let object = Value::parse(&p.json)?;
        object.freeze_deep()?;
        p.object = Some(object);
        p.json = String::new();
    }
    Ok(p.object.clone().unwrap_or(Value::undefined()))
}

unsafe extern "C" fn get(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    // The host's text is an object's JSON: what can go wrong here is that memory or stack run out.
    match object() {
        Ok(v) => v.into_raw(),
        Err(thrown) if thrown.overflow => js::throw_overflow(),
        Err(_) => JS_ThrowOutOfMemory(ctx()),
    }
}

/// Puts `_ioprocessors` into the realm: once, when the engine is deployed.
pub fn install(global: &Value) -> Result<(), Thrown> {
    global.set_getter("_ioprocessors", function(c"_ioprocessors", get, 0))
}
