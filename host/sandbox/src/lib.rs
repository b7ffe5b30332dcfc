//! Strategies in WebAssembly sandboxes: one instance per session, isolated in memory and time.
//!
//! ```text
//!  engine.wasm --split--> E (code, memory imported)  compiled once per host, native code cached
//!                         S0 (the engine's own data)
//!  chart tables --snapshot in a throw-away instance--> image S (memory, no code)
//!  S --component--> component that imports E and embeds S --load--> Strategy --instantiate--> Instance
//! ```
//!
//! * [`Sandbox`] owns the one wasmtime engine, E and the native cache; it makes images and loads components.
//! * [`Instance`] is one session's sandbox: `start`, `handle`, `inspect`, all synchronous.
//! * [`Workers`] are the threads those calls run on: a step that outlives its slice loses its queue to a spare thread.
//!
//! This crate knows the contract and nothing of sessions, journals or telephony. It is the only one that sees wasmtime.
//!
//! # Stack
//! A thread that calls into a sandbox needs more stack than wasm may use, or the whole process aborts. [`Workers`] have
//! it; other callers use [`on_big_stack`].

mod cache;
mod component;
mod engine;
mod error;
mod image;
mod instance;
mod prefault;
mod process;
mod snapshot;
mod split;
mod strategy;
mod workers;

pub use engine::{Options, Sandbox};
pub use error::{Error, LoadError};
pub use image::{ENGINE_SECTION, Image};
pub use instance::{Answer, Instance, NoReads, Outcome, Reads};
pub use process::{raise_descriptor_limit, short_turns};
pub use snapshot::Snapshot;
pub use strategy::{Form, Strategy, custom_sections};
pub use workers::{Busy, Lane, Workers, WorkersOptions};

/// Stack of a thread that calls into a sandbox, in bytes: twice what wasm may use.
pub const THREAD_STACK: usize = 2 * engine::WASM_STACK;

/// Runs `f` on a thread with enough stack for calls into a sandbox.
pub fn on_big_stack<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("sandbox".into())
            .stack_size(THREAD_STACK)
            .spawn_scoped(scope, || {
                process::ordinary_turns();
                f()
            })
            .expect("a thread can be started: without one nothing of this process works");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
