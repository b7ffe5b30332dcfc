//! The ECMAScript realm: built once per strategy, when it is deployed.

use crate::js::{self, ctx, eval, function, global, Thrown, Value};
use crate::{event, heap, host_data, processors, session};
use core::ffi::c_int;
use core::ptr::null_mut;
use pointsman_chart::{ExpressionKind, Limits, Source};
use rquickjs_sys::*;

/// An expression as the engine keeps it.
pub enum Compiled {
    /// A function, or a program for scripts.
    Ready(Value),
    /// Not valid ECMAScript: reaching it raises `error.execution` with this text.
    Broken(String),
}

static mut RUNTIME: *mut JSRuntime = null_mut();

/// Time and randomness of the current call.
struct Given {
    now_ms: u64,
    random: u64,
}

static mut GIVEN: Given = Given { now_ms: 0, random: 0 };

/// Sets the time and the randomness of the call that begins.
pub fn set_moment(now_ms: u64, seed: u64) {
    unsafe { *&raw mut GIVEN = Given { now_ms, random: seed } }
}

/// The clock of QuickJS (`Date`, `performance`): the only thing its libc shim asks for.
#[no_mangle]
extern "C" fn __rquickjs_host_now_us() -> f64 {
    unsafe { (*&raw const GIVEN).now_ms as f64 * 1000.0 }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small state, and every seed is a good one.
fn next_random() -> u64 {
    let g = unsafe { &mut *&raw mut GIVEN };
    g.random = g.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = g.random;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

unsafe extern "C" fn math_random(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    JS_NewFloat64((next_random() >> 11) as f64 / (1u64 << 53) as f64)
}

/// `In(stateId)`, W3C SCXML 5.9.1.
unsafe extern "C" fn in_state(_: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    if argc < 1 {
        return JS_FALSE;
    }
    let mut len = 0usize;
    let s = JS_ToCStringLen(ctx(), &mut len, *argv);
    if s.is_null() {
        return JS_EXCEPTION;
    }
    let id = core::str::from_utf8(core::slice::from_raw_parts(s.cast::<u8>(), len));
    let active = id.is_ok_and(session::is_active);
    JS_FreeCString(ctx(), s);
    if active {
        JS_TRUE
    } else {
        JS_FALSE
    }
}

/// Makes runtime, context and what the platform puts into the global scope.
pub fn build(limits: &Limits) -> Result<(), Thrown> {
    heap::set_limit(limits.memory as usize);
    unsafe {
        RUNTIME = JS_NewRuntime2(&heap::js_hooks(), null_mut());
        if RUNTIME.is_null() {
            return Err(Thrown { text: "out of memory".into(), overflow: false });
        }
        JS_SetMaxStackSize(RUNTIME, limits.stack as _);
        js::CTX = JS_NewContext(RUNTIME);
        if js::CTX.is_null() {
            return Err(Thrown { text: "out of memory".into(), overflow: false });
        }
    }
    heap::watch(unsafe { RUNTIME });
    js::remember_range_error()?;
    js::remember_texts()?;
    let global = global();
    global.get("Math")?.set("random", function(c"random", math_random, 0))?;
    global.set_constant("In", function(c"In", in_state, 1))?;
    event::install(unsafe { RUNTIME }, &global)?;
    host_data::install()?;
    processors::install(&global)?;
    global.set_read_only("_sessionid", Value::undefined())?;
    let x = Value::object()?;
    x.freeze()?;
    global.set_constant("_x", x)
}

/// Collects cycles.
pub fn collect() {
    unsafe { JS_RunGC(RUNTIME) }
}

/// Runs the next promise job that a step has left; `None` when there is none.
pub fn run_job() -> Option<Result<(), Thrown>> {
    let mut c: *mut JSContext = null_mut();
    match unsafe { JS_ExecutePendingJob(RUNTIME, &mut c) } {
        0 => None,
        n if n < 0 => Some(Err(js::take_exception())),
        _ => Some(Ok(())),
    }
}

/// Compiles a text. One that is not valid ECMAScript is kept as [`Compiled::Broken`].
///
/// Nothing of an author's text may run here: the deploying host has no time limit to spare for it. So a text is put
/// into other code only when it is known to be balanced.
pub fn compile(source: &Source) -> Compiled {
    let text = &source.text;
    let made = match source.kind {
        ExpressionKind::Program => eval(text, true),
        ExpressionKind::Script => script(text),
        ExpressionKind::Value => balanced(text).and_then(|()| eval(&format!("(function(){{return (\n{text}\n)}})"), false)),
        ExpressionKind::Location => location(text, "'use strict';"),
        // Strict, so that a system variable cannot be set; but a name may be a word that only strict code reserves.
        ExpressionKind::Item => location(text, "'use strict';").or_else(|_| location(text, "")),
    };
    match made {
        Ok(v) => Compiled::Ready(v),
        Err(thrown) => Compiled::Broken(thrown.text),
    }
}

/// `1) ; f(2` is no expression although `(1) ; f(2)` is a program: a text must be valid in two kinds of brackets. Then
/// it leaves neither, because the first bracket that it closed too many would be the wrong one for the other.
fn balanced(text: &str) -> Result<(), Thrown> {
    eval(&format!("[{text}\n]"), true)?;
    eval(&format!("(function(){{return (\n{text}\n)}})"), true).map(drop)
}

/// A function that sets the location to its argument. Only what `++` takes is a location: no assignment, no pattern, no
/// list.
fn location(text: &str, directive: &str) -> Result<Value, Thrown> {
    balanced(text)?;
    // QuickJS's words are those for `++`, which the author has not written.
    eval(&format!("(function(){{{directive}++(\n{text}\n)}})"), true)
        .map_err(|t| Thrown { text: "only a variable or a property can be set".into(), overflow: t.overflow })?;
    eval(&format!("(function(_v_){{{directive}(\n{text}\n)=_v_}})"), false)
}

/// A program that may run often. As a block its lexical declarations are those of one run, which a second run would
/// otherwise declare again; `var` and functions go to the global scope all the same (ECMA-262 B.3.2). A strict
/// program stays as it is: in a strict block functions would be local too.
fn script(text: &str) -> Result<Value, Thrown> {
    let program = eval(text, true)?;
    let lexical = ["let", "const", "class", "using"].iter().any(|word| text.contains(word));
    let start = text.trim_start();
    if !lexical || start.starts_with("'use strict'") || start.starts_with("\"use strict\"") {
        return Ok(program);
    }
    eval(&format!("{{\n{text}\n}}"), true).or(Ok(program))
}
