//! `Pointsman.read(source, key)`: the contract's one import, for scripts.

use crate::js::{ctx, function, global, Thrown, Value};
use core::ffi::{c_char, c_int};
use rquickjs_sys::*;

/// Bytes that an answer may have.
const CAPACITY: usize = 32 << 10;

/// Where the answer lands in the split component, whose glue has no other allocator to name before this module
/// exists (see `host/sandbox`). In a stand-alone component it comes from `cabi_realloc`.
#[no_mangle]
pub static mut RET_AREA: [u64; CAPACITY / 8] = [0; CAPACITY / 8];

#[link(wasm_import_module = "pointsman:strategy/host@0.1.0")]
extern "C" {
    /// Canonical lowering of `read: func(source: string, key: string) -> result<string, string>`.
    fn read(source: *const u8, source_len: usize, key: *const u8, key_len: usize, answer: *mut Answer);
}

/// `result<string, string>` in memory.
#[repr(C)]
struct Answer {
    failed: u8,
    text: *mut u8,
    len: usize,
}

/// Asks the host. The answer is JSON, or a message saying why there is none.
pub fn ask(source: &str, key: &str) -> Result<String, String> {
    let mut answer = Answer { failed: 0, text: core::ptr::null_mut(), len: 0 };
    unsafe {
        read(source.as_ptr(), source.len(), key.as_ptr(), key.len(), &mut answer);
        let text = String::from_utf8_lossy(core::slice::from_raw_parts(answer.text, answer.len)).into_owned();
        if answer.text != (&raw mut RET_AREA).cast() && answer.len > 0 {
            drop(Vec::from_raw_parts(answer.text, answer.len, answer.len));
        }
        if answer.failed == 0 {
            Ok(text)
        } else {
            Err(text)
        }
    }
}

/// `read(source, key)` for scripts.
pub unsafe extern "C" fn js_read(_: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let mut texts = [String::new(), String::new()];
    for (i, text) in texts.iter_mut().enumerate().take(argc.max(0) as usize) {
        let mut len = 0usize;
        let s = JS_ToCStringLen(ctx(), &mut len, *argv.add(i));
        if s.is_null() {
            return JS_EXCEPTION;
        }
        *text = String::from_utf8_lossy(core::slice::from_raw_parts(s.cast::<u8>(), len)).into_owned();
        JS_FreeCString(ctx(), s);
    }
    match ask(&texts[0], &texts[1]) {
        Err(message) => {
            let message = message.replace('\0', " ") + "\0";
            JS_ThrowPlainError(ctx(), c"%s".as_ptr(), message.as_ptr().cast::<c_char>())
        }
        Ok(json) => match Value::parse(&json) {
            Ok(v) => v.into_raw(),
            Err(_) => JS_ThrowPlainError(ctx(), c"the host's answer is not JSON".as_ptr()),
        },
    }
}

/// Puts `Pointsman` into the realm.
pub fn install() -> Result<(), Thrown> {
    let object = Value::object()?;
    object.set_constant("read", function(c"read", js_read, 2))?;
    global().set_constant("Pointsman", object)
}
