//! QuickJS values with an owner, and the calls the engine makes.

use core::ffi::{c_char, c_int, CStr};
use core::ptr::null_mut;
use rquickjs_sys::*;

/// The one context of this instance.
pub static mut CTX: *mut JSContext = null_mut();

/// The context. Null before `realm::build`.
#[inline]
pub fn ctx() -> *mut JSContext {
    unsafe { CTX }
}

/// A value that this holder owns.
pub struct Value(JSValue);

impl Drop for Value {
    fn drop(&mut self) {
        unsafe { JS_FreeValue(ctx(), self.0) }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Value(unsafe { JS_DupValue(ctx(), self.0) })
    }
}

/// The interned name of a property, for as long as this lives.
struct Atom(JSAtom);

impl Atom {
    fn new(name: &str) -> Atom {
        Atom(unsafe { JS_NewAtomLen(ctx(), name.as_ptr().cast(), name.len() as _) })
    }
}

impl Drop for Atom {
    fn drop(&mut self) {
        unsafe { JS_FreeAtom(ctx(), self.0) }
    }
}

/// What QuickJS says with a negative number.
fn told(result: c_int) -> Result<(), Thrown> {
    if result < 0 {
        Err(take_exception())
    } else {
        Ok(())
    }
}

/// What a script threw: its text, and whether it is a limit rather than an error of the script.
#[derive(Debug)]
pub struct Thrown {
    /// `name: message`.
    pub text: String,
    /// The stack ran out: not an error that a strategy can handle sensibly.
    pub overflow: bool,
}

impl Value {
    /// Takes over a value just returned by QuickJS; an exception becomes [`Thrown`].
    pub fn from_raw(v: JSValue) -> Result<Value, Thrown> {
        if unsafe { JS_IsException(v) } {
            Err(take_exception())
        } else {
            Ok(Value(v))
        }
    }

    /// `undefined`.
    pub const fn undefined() -> Value {
        Value(JS_UNDEFINED)
    }

    /// A string.
    pub fn string(s: &str) -> Result<Value, Thrown> {
        Value::from_raw(unsafe { JS_NewStringLen(ctx(), s.as_ptr().cast(), s.len() as _) })
    }

    /// A number.
    pub fn number(n: f64) -> Value {
        Value(JS_NewFloat64(n))
    }

    /// A new object.
    pub fn object() -> Result<Value, Thrown> {
        Value::from_raw(unsafe { JS_NewObject(ctx()) })
    }

    /// A new array.
    pub fn array() -> Result<Value, Thrown> {
        Value::from_raw(unsafe { JS_NewArray(ctx()) })
    }

    /// Adds an element to an array that scripts have not seen. Defined, not set: scripts may have put setters onto the prototype.
    pub fn push(&self, value: Value) -> Result<(), Thrown> {
        let length: u32 = self.get("length")?.text()?.parse().unwrap_or(0);
        let flags = JS_PROP_C_W_E as c_int;
        told(unsafe { JS_DefinePropertyValueUint32(ctx(), self.0, length, value.into_raw(), flags) })
    }

    /// A function?
    pub fn is_function(&self) -> bool {
        unsafe { JS_IsFunction(ctx(), self.0) }
    }

    /// The same value?
    pub fn is(&self, other: &Value) -> bool {
        unsafe { JS_IsStrictEqual(ctx(), self.0, other.0) }
    }

    /// JSON of what is neither an object nor a string, where it has one.
    pub fn primitive_json(&self) -> Option<String> {
        let number = unsafe { JS_IsNumber(self.0) };
        let plain = number || unsafe { JS_IsBool(self.0) || JS_IsNull(self.0) };
        let text = plain.then(|| self.text().ok()).flatten()?;
        // JSON has no form for numbers that are none.
        Some(if number && text.parse::<f64>().map_or(true, |n| !n.is_finite()) { "null".into() } else { text })
    }

    /// The text of a function or a date, by the realm's own functions: no script runs for it.
    pub fn own_text(&self) -> Option<String> {
        let texts = unsafe { (*&raw const TEXTS).as_ref() }?;
        let by = match self {
            v if v.is_function() => &texts.of_function,
            v if unsafe { JS_IsDate(v.0) } => &texts.of_date,
            _ => return None,
        };
        let text = Value::from_raw(unsafe { JS_Call(ctx(), by.0, self.0, 0, null_mut()) }).and_then(|v| v.text());
        // A date may be none.
        Some(text.unwrap_or_else(|t| t.text))
    }

    /// A proxy, whose every property is a script's?
    pub fn is_proxy(&self) -> bool {
        unsafe { JS_IsProxy(self.0) }
    }

    /// An own property's value, where no script has to run for it: none of a getter.
    pub fn own_data(&self, name: &str) -> Option<Value> {
        let atom = Atom::new(name);
        let mut found = JSPropertyDescriptor { flags: 0, value: JS_UNDEFINED, getter: JS_UNDEFINED, setter: JS_UNDEFINED };
        let own = unsafe { JS_GetOwnProperty(ctx(), &mut found, self.0, atom.0) };
        if own <= 0 {
            drop((own < 0).then(take_exception));
            return None;
        }
        let (value, _getter, _setter) = (Value(found.value), Value(found.getter), Value(found.setter));
        (found.flags & JS_PROP_GETSET as c_int == 0).then_some(value)
    }

    /// The value of a JSON text.
    pub fn parse(json: &str) -> Result<Value, Thrown> {
        let mut text = Vec::with_capacity(json.len() + 1);
        text.extend_from_slice(json.as_bytes());
        text.push(0);
        Value::from_raw(unsafe { JS_ParseJSON(ctx(), text.as_ptr().cast(), json.len() as _, c"data".as_ptr()) })
    }

    /// The raw value, still owned by this.
    #[inline]
    pub fn raw(&self) -> JSValue {
        self.0
    }

    /// The raw value, given away.
    pub fn into_raw(self) -> JSValue {
        let v = self.0;
        core::mem::forget(self);
        v
    }

    /// `undefined`?
    pub fn is_undefined(&self) -> bool {
        unsafe { JS_IsUndefined(self.0) }
    }

    /// An object (or function)?
    pub fn is_object(&self) -> bool {
        unsafe { JS_IsObject(self.0) }
    }

    /// An array?
    pub fn is_array(&self) -> bool {
        unsafe { JS_IsArray(self.0) }
    }

    /// Truth as ECMAScript sees it.
    #[inline]
    pub fn truthy(&self) -> Result<bool, Thrown> {
        match unsafe { JS_ToBool(ctx(), self.0) } {
            -1 => Err(take_exception()),
            b => Ok(b != 0),
        }
    }

    /// Its text (`String(value)`).
    pub fn text(&self) -> Result<String, Thrown> {
        unsafe {
            let mut len = 0usize;
            let s = JS_ToCStringLen(ctx(), &mut len, self.0);
            if s.is_null() {
                return Err(take_exception());
            }
            let text = String::from_utf8_lossy(core::slice::from_raw_parts(s.cast::<u8>(), len)).into_owned();
            JS_FreeCString(ctx(), s);
            Ok(text)
        }
    }

    /// Its JSON text; `None` where JSON has no form for it (undefined, functions).
    pub fn json(&self) -> Result<Option<String>, Thrown> {
        let v = Value::from_raw(unsafe { JS_JSONStringify(ctx(), self.0, JS_UNDEFINED, JS_UNDEFINED) })?;
        if v.is_undefined() {
            Ok(None)
        } else {
            v.text().map(Some)
        }
    }

    /// For a log line: strings as they are, objects as JSON, functions as their text. An object whose JSON fails is
    /// shown as that error: the text of an array that contains itself has no end, so asking for it would end the session.
    pub fn display(&self) -> Result<String, Thrown> {
        if !self.is_object() {
            return self.text();
        }
        match self.json() {
            Ok(Some(json)) => Ok(json),
            Ok(None) => self.text(),
            Err(thrown) if thrown.overflow => Err(thrown),
            Err(thrown) => Ok(thrown.text),
        }
    }

    /// Nothing can be added to it any more.
    pub fn prevent_extensions(&self) -> Result<(), Thrown> {
        told(unsafe { JS_PreventExtensions(ctx(), self.0) })
    }

    /// Nothing in it can be changed any more.
    pub fn freeze(&self) -> Result<(), Thrown> {
        told(unsafe { JS_FreezeObject(ctx(), self.0) })
    }

    /// A property.
    pub fn get(&self, name: &str) -> Result<Value, Thrown> {
        let atom = Atom::new(name);
        Value::from_raw(unsafe { JS_GetProperty(ctx(), self.0, atom.0) })
    }

    /// Has it this property itself, not by inheritance? False for what is no object.
    pub fn has_own(&self, name: &str) -> bool {
        let atom = Atom::new(name);
        self.is_object() && unsafe { JS_GetOwnProperty(ctx(), null_mut(), self.0, atom.0) > 0 }
    }

    /// Names of its own enumerable properties, whatever a script has made of `Object.keys`.
    pub fn keys(&self) -> Result<Vec<String>, Thrown> {
        let flags = (JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) as c_int;
        let (mut table, mut len) = (null_mut(), 0);
        unsafe {
            if JS_GetOwnPropertyNames(ctx(), &mut table, &mut len, self.0, flags) < 0 {
                return Err(take_exception());
            }
            let properties = core::slice::from_raw_parts(table, len as usize);
            let name = |p: &JSPropertyEnum| Value::from_raw(JS_AtomToString(ctx(), p.atom))?.text();
            let names = properties.iter().map(name).collect();
            JS_FreePropertyEnum(ctx(), table, len);
            names
        }
    }

    /// Nothing in it, nor in what it holds, can be changed any more. For what JSON gives: no cycles.
    pub fn freeze_deep(&self) -> Result<(), Thrown> {
        if !self.is_object() {
            return Ok(());
        }
        for key in self.keys()? {
            self.get(&key)?.freeze_deep()?;
        }
        self.freeze()
    }

    /// Element of an array.
    pub fn index(&self, i: u32) -> Result<Value, Thrown> {
        Value::from_raw(unsafe { JS_GetPropertyUint32(ctx(), self.0, i) })
    }

    /// Defines an ordinary own property.
    pub fn set(&self, name: &str, value: Value) -> Result<(), Thrown> {
        self.define_named(name, value, JS_PROP_C_W_E)
    }

    /// Defines an own property that a script can neither change nor delete.
    pub fn set_constant(&self, name: &str, value: Value) -> Result<(), Thrown> {
        self.define_named(name, value, JS_PROP_ENUMERABLE)
    }

    /// As [`Value::set_constant`], but the engine itself may define it again.
    pub fn set_read_only(&self, name: &str, value: Value) -> Result<(), Thrown> {
        self.define_named(name, value, JS_PROP_ENUMERABLE | JS_PROP_CONFIGURABLE)
    }

    /// Defines an own property that a script can only read, and `getter` gives.
    pub fn set_getter(&self, name: &str, getter: Value) -> Result<(), Thrown> {
        let atom = Atom::new(name);
        self.define_getter(atom.0, getter)
    }

    fn define_named(&self, name: &str, value: Value, flags: u32) -> Result<(), Thrown> {
        let atom = Atom::new(name);
        self.define(atom.0, value, flags as c_int)
    }

    /// Defines an own property; the atom stays the caller's.
    pub fn define(&self, atom: JSAtom, value: Value, flags: c_int) -> Result<(), Thrown> {
        told(unsafe { JS_DefinePropertyValue(ctx(), self.0, atom, value.into_raw(), flags) })
    }

    /// As [`Value::set_getter`]; the atom stays the caller's.
    pub fn define_getter(&self, atom: JSAtom, getter: Value) -> Result<(), Thrown> {
        let flags = JS_PROP_ENUMERABLE as c_int;
        told(unsafe { JS_DefinePropertyGetSet(ctx(), self.0, atom, getter.into_raw(), JS_UNDEFINED, flags) })
    }

    /// Calls a function.
    #[inline]
    pub fn call(&self, args: &mut [JSValue]) -> Result<Value, Thrown> {
        Value::from_raw(unsafe { JS_Call(ctx(), self.0, JS_UNDEFINED, args.len() as c_int, args.as_mut_ptr()) })
    }

    /// Runs a compiled program in the global scope.
    pub fn run(&self) -> Result<Value, Thrown> {
        Value::from_raw(unsafe { JS_EvalFunction(ctx(), JS_DupValue(ctx(), self.0)) })
    }
}

/// The global object.
pub fn global() -> Value {
    Value(unsafe { JS_GetGlobalObject(ctx()) })
}

/// Evaluates `source` in the global scope, or only compiles it.
pub fn eval(source: &str, compile_only: bool) -> Result<Value, Thrown> {
    let mut text = Vec::with_capacity(source.len() + 1);
    text.extend_from_slice(source.as_bytes());
    text.push(0);
    let flags = JS_EVAL_TYPE_GLOBAL | if compile_only { JS_EVAL_FLAG_COMPILE_ONLY } else { 0 };
    Value::from_raw(unsafe {
        JS_Eval(ctx(), text.as_ptr().cast::<c_char>(), source.len() as _, c"document".as_ptr(), flags as c_int)
    })
}

/// A native function as a value.
pub fn function(
    name: &CStr,
    f: unsafe extern "C" fn(*mut JSContext, JSValue, c_int, *mut JSValue) -> JSValue,
    arity: c_int,
) -> Value {
    Value(unsafe { JS_NewCFunction2(ctx(), Some(f), name.as_ptr(), arity, JSCFunctionEnum_JS_CFUNC_generic, 0) })
}

/// `RangeError.prototype` as the realm was built, whatever a script does to the name; null before.
static mut RANGE_ERROR: *mut Value = null_mut();

/// Remembers what tells a stack that ran out from other errors: once, when the realm is built.
pub fn remember_range_error() -> Result<(), Thrown> {
    let prototype = global().get("RangeError")?.get("prototype")?;
    unsafe { RANGE_ERROR = Box::into_raw(Box::new(prototype)) };
    Ok(())
}

/// Functions of the realm as it was built, whatever a script makes of their names.
struct Texts {
    of_function: Value,
    of_date: Value,
}

static mut TEXTS: Option<Texts> = None;

/// Remembers what gives functions and dates their texts: once, when the realm is built.
pub fn remember_texts() -> Result<(), Thrown> {
    let own = |class: &str, name: &str| global().get(class)?.get("prototype")?.get(name);
    let texts = Texts { of_function: own("Function", "toString")?, of_date: own("Date", "toISOString")? };
    unsafe { *&raw mut TEXTS = Some(texts) };
    Ok(())
}

/// Is this QuickJS's own error for a stack that ran out? It has no flag for it, and an author may throw an error with
/// the same words: the class, the realm's first prototype and the exact text together make it out. Runs no script.
fn is_overflow(e: &Value) -> bool {
    unsafe {
        if RANGE_ERROR.is_null() || !JS_IsError(e.0) {
            return false;
        }
        let prototype = Value(JS_GetPrototype(ctx(), e.0));
        if !JS_IsStrictEqual(ctx(), prototype.0, (*RANGE_ERROR).0) {
            return false;
        }
        let mut found = JSPropertyDescriptor { flags: 0, value: JS_UNDEFINED, getter: JS_UNDEFINED, setter: JS_UNDEFINED };
        let atom = JS_NewAtom(ctx(), c"message".as_ptr());
        let own = JS_GetOwnProperty(ctx(), &mut found, e.0, atom);
        JS_FreeAtom(ctx(), atom);
        if own <= 0 {
            return false;
        }
        let (message, _getter, _setter) = (Value(found.value), Value(found.getter), Value(found.setter));
        JS_IsString(message.0) && message.text().is_ok_and(|t| t == "Maximum call stack size exceeded")
    }
}

/// Throws an error with this text.
pub unsafe fn throw(text: &str) -> JSValue {
    let text = text.replace('\0', " ") + "\0";
    JS_ThrowPlainError(ctx(), c"%s".as_ptr(), text.as_ptr().cast::<c_char>())
}

/// Throws QuickJS's own error for a stack that ran out once more.
pub unsafe fn throw_overflow() -> JSValue {
    JS_ThrowRangeError(ctx(), c"Maximum call stack size exceeded".as_ptr())
}

/// Takes the pending exception as text. Never fails: an exception may have no text, because its `toString` throws.
pub fn take_exception() -> Thrown {
    let e = Value(unsafe { JS_GetException(ctx()) });
    let mut overflow = is_overflow(&e);
    let text = unsafe {
        let mut len = 0usize;
        let s = JS_ToCStringLen(ctx(), &mut len, e.0);
        if s.is_null() {
            let second = Value(JS_GetException(ctx()));
            overflow |= is_overflow(&second);
            String::from("an exception that has no text")
        } else {
            let t = String::from_utf8_lossy(core::slice::from_raw_parts(s.cast::<u8>(), len)).into_owned();
            JS_FreeCString(ctx(), s);
            t
        }
    };
    Thrown { text, overflow }
}
