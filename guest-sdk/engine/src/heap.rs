//! One heap for Rust and C: the libc that comes with QuickJS, under our own accounting.
//!
//! Two reasons for own hooks. A stock wasm build of QuickJS reports every block as 0 bytes large, so its memory limit
//! does not hold; and a script that hits the limit can catch the error, so the engine must know by itself that memory
//! was refused. Freed blocks are zeroed: a parked session then does not store garbage (a third less to store, at no
//! measurable cost).

use core::ffi::c_void;
use core::ptr::null_mut;
use rquickjs_sys::{size_t, JSMallocFunctions, JSRuntime, JS_GetGCThreshold, JS_RunGC, JS_SetGCThreshold};
use std::alloc::{GlobalAlloc, Layout};

extern "C" {
    fn malloc(n: usize) -> *mut c_void;
    fn calloc(n: usize, m: usize) -> *mut c_void;
    fn realloc(p: *mut c_void, n: usize) -> *mut c_void;
    fn free(p: *mut c_void);
    fn aligned_alloc(a: usize, n: usize) -> *mut c_void;
    fn malloc_usable_size(p: *mut c_void) -> usize;
}

/// Blocks above this size are moved by libc's realloc instead of being copied and wiped.
const WIPE_ON_MOVE: usize = 64 << 10;

/// Rust's side of the heap.
struct Libc;

// SAFETY: libc's allocator with the layouts it was asked for; `free` wipes only what libc says the block holds.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        if l.align() <= 8 {
            malloc(l.size()).cast()
        } else {
            aligned_alloc(l.align(), (l.size() + l.align() - 1) & !(l.align() - 1)).cast()
        }
    }

    unsafe fn dealloc(&self, p: *mut u8, _: Layout) {
        wipe_and_free(p.cast());
    }

    unsafe fn realloc(&self, p: *mut u8, l: Layout, n: usize) -> *mut u8 {
        if l.align() <= 8 {
            return grow(p.cast(), n).cast();
        }
        let q = self.alloc(Layout::from_size_align_unchecked(n, l.align()));
        if !q.is_null() {
            core::ptr::copy_nonoverlapping(p, q, l.size().min(n));
            wipe_and_free(p.cast());
        }
        q
    }
}

#[global_allocator]
static HEAP: Libc = Libc;

/// Bytes that scripts may hold, hold now, and whether they were ever refused more.
struct Account {
    limit: usize,
    used: usize,
    refused: bool,
    /// Whose cycles are collected; null while it is being made.
    runtime: *mut JSRuntime,
    /// When QuickJS collects next, as last seen here.
    threshold: usize,
    /// Bytes held after the last collection between two steps.
    collected: usize,
}

static mut ACCOUNT: Account =
    Account { limit: usize::MAX, used: 0, refused: false, runtime: null_mut(), threshold: 0, collected: 0 };

/// Begins to keep the runtime's collections below the limit.
pub fn watch(runtime: *mut JSRuntime) {
    unsafe { (*&raw mut ACCOUNT).runtime = runtime }
}

/// After a collection QuickJS waits until it holds half as much again, which may lie beyond the limit: a session would
/// die of garbage. So the next collection is at half of what is left, and there are few of them: each leaves either
/// more room or half as much. In the last part of the memory there is none, or every object would collect.
unsafe fn keep_below_limit(a: &mut Account) {
    if a.runtime.is_null() || a.used <= a.limit / 4 {
        return;
    }
    let threshold = JS_GetGCThreshold(a.runtime) as usize;
    if threshold != a.threshold {
        let room = a.limit.saturating_sub(a.used);
        // QuickJS counts a little more than we do, so its number is changed by a difference, not replaced.
        a.threshold = if room < a.limit / 64 { threshold } else { threshold.min(threshold / 3 * 2 + room / 2) };
        JS_SetGCThreshold(a.runtime, a.threshold as _);
    }
}

/// Collects cycles between two steps where more than half of the memory is taken, and much since the last time.
pub fn collect_if_full() {
    unsafe {
        let a = &mut *&raw mut ACCOUNT;
        a.collected = a.collected.min(a.used);
        if !a.runtime.is_null() && a.used > a.limit / 2 && a.used - a.collected > a.limit / 16 {
            JS_RunGC(a.runtime);
            let a = &mut *&raw mut ACCOUNT;
            a.collected = a.used;
        }
    }
}

/// Sets the bytes that scripts and their data may hold.
pub fn set_limit(bytes: usize) {
    unsafe { (*&raw mut ACCOUNT).limit = bytes }
}

/// Was memory refused since the last time this was asked?
pub fn take_refused() -> bool {
    unsafe { core::mem::take(&mut (*&raw mut ACCOUNT).refused) }
}

/// May `more` bytes be handed out? Remembers a refusal.
unsafe fn admit(more: usize) -> bool {
    let a = &mut *&raw mut ACCOUNT;
    let ok = a.used.saturating_add(more) <= a.limit;
    a.refused |= !ok;
    ok
}

unsafe fn took(p: *mut c_void) -> *mut c_void {
    let a = &mut *&raw mut ACCOUNT;
    if p.is_null() {
        a.refused = true;
    } else {
        a.used += malloc_usable_size(p);
        keep_below_limit(a);
    }
    p
}

unsafe fn gave(p: *mut c_void) {
    if !p.is_null() {
        let a = &mut *&raw mut ACCOUNT;
        a.used = a.used.saturating_sub(malloc_usable_size(p));
    }
}

unsafe fn wipe_and_free(p: *mut c_void) {
    if !p.is_null() {
        core::ptr::write_bytes(p.cast::<u8>(), 0, malloc_usable_size(p));
    }
    // The optimiser knows `free` and drops stores just before it, unless it cannot see what is freed.
    free(core::hint::black_box(p));
}

unsafe fn grow(p: *mut c_void, n: usize) -> *mut c_void {
    if p.is_null() {
        return malloc(n);
    }
    let have = malloc_usable_size(p);
    if n <= have || have >= WIPE_ON_MOVE {
        return realloc(p, n);
    }
    let q = malloc(n);
    if !q.is_null() {
        core::ptr::copy_nonoverlapping(p.cast::<u8>(), q.cast::<u8>(), have);
        wipe_and_free(p);
    }
    q
}

unsafe extern "C" fn js_calloc(_: *mut c_void, n: size_t, m: size_t) -> *mut c_void {
    match (n as usize).checked_mul(m as usize) {
        Some(bytes) if admit(bytes) => took(calloc(n as usize, m as usize)),
        _ => core::ptr::null_mut(),
    }
}

unsafe extern "C" fn js_malloc(_: *mut c_void, n: size_t) -> *mut c_void {
    if admit(n as usize) {
        took(malloc(n as usize))
    } else {
        core::ptr::null_mut()
    }
}

unsafe extern "C" fn js_free(_: *mut c_void, p: *mut c_void) {
    gave(p);
    wipe_and_free(p);
}

unsafe extern "C" fn js_realloc(_: *mut c_void, p: *mut c_void, n: size_t) -> *mut c_void {
    let have = if p.is_null() { 0 } else { malloc_usable_size(p) };
    if !admit((n as usize).saturating_sub(have)) {
        return core::ptr::null_mut();
    }
    let a = &mut *&raw mut ACCOUNT;
    let q = grow(p, n as usize);
    if q.is_null() {
        a.refused = true;
    } else {
        a.used = a.used.saturating_sub(have) + malloc_usable_size(q);
        keep_below_limit(a);
    }
    q
}

unsafe extern "C" fn js_malloc_usable_size(p: *const c_void) -> size_t {
    malloc_usable_size(p.cast_mut()) as size_t
}

/// The hooks for `JS_NewRuntime2`.
pub fn js_hooks() -> JSMallocFunctions {
    JSMallocFunctions {
        js_calloc: Some(js_calloc),
        js_malloc: Some(js_malloc),
        js_free: Some(js_free),
        js_realloc: Some(js_realloc),
        js_malloc_usable_size: Some(js_malloc_usable_size),
    }
}
