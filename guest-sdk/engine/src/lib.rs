//! The SCXML and ECMAScript engine that runs inside a sandbox.
//!
//! One core module for all strategies: the algorithm of W3C SCXML 1.0 appendix D over the tables of
//! `pointsman-chart`, with QuickJS-ng for the ECMAScript datamodel. It has no WASI and no import but the contract's
//! `host.read`. Its life has two halves:
//!
//! ```text
//! deploy (throw-away sandbox)                    run (one sandbox per session)
//! init -> load(limits, chart) -> seal            start -> handle, handle, ... inspect
//!    realm built, expressions compiled              commands and log come back as values
//!                 \____ memory image ____________________/
//! ```
//!
//! Everything a session is lies in linear memory: no other wasm global than the stack pointer changes, and a session
//! at rest has an empty stack. That is what makes images, parking and replay possible; `host/sandbox` checks it.
//!
//! Single-threaded by construction (a wasm instance has one thread), so the engine's state is one static.

mod content;
mod deploy;
mod dom;
mod event;
mod heap;
mod host_data;
mod interpreter;
mod invoke;
mod js;
mod memory;
mod ors;
mod output;
mod processors;
mod realm;
mod session;

wit_bindgen::generate!({
    path: "../../wit",
    world: "strategy",
    generate_all,
});

/// Shorter names for the contract's types.
mod exports_types {
    pub use crate::pointsman::strategy::types::{
        Cancel, Command, Done, Event, EventKind, Failure, Inspection, Invoke, LogEntry, Moment, Request, Send, StartInfo, Step,
        TraceEntry,
    };
}

/// The exports of the contract.
struct Engine;

impl Guest for Engine {
    fn start(moment: Moment, info: StartInfo) -> Result<Step, Failure> {
        session::call(moment, |s| s.start(info))
    }

    fn handle(moment: Moment, event: Event) -> Result<Step, Failure> {
        session::call(moment, |s| s.handle(event))
    }

    fn inspect() -> Inspection {
        session::inspect()
    }
}

export!(Engine);
