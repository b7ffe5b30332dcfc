//! A running node: configuration, sandbox, sessions, links and the API put together.
//!
//! ```text
//!   switches <-> telephony links <-> calls <-> sessions (runtime) <-> sandbox (workers)
//!                                     |  ^        ^   |  |
//!                        programs ----+  |        |   |  +-- journal
//!                     (catalog, documents) \      |   +-- commands --> modules --> the web
//!                                           modules        api backend <-> REST
//! ```
//!
//! * [`serve`] is the life of the process: everything is read and checked before a port opens, what is bound is
//!   said, a signal drains it, SIGHUP or a changed file reloads configuration and certificates.
//! * `calls` knows which session a call belongs to, and turns what links report into events.
//! * `modules` is what strategies ask of the host: one module for each of ORS's functional modules, messages to others, children.
//! * `programs` finds the component for a reference: a deployed strategy, a file, a URL; compiles documents.
//! * `outgoing` is HTTP to where a tenant's configuration allows it.
//! * `adapters` are the sandbox seen through the session runtime's traits.
//! * `backend` is all of this seen through the API's traits.
//!
//! Nothing knows this crate but the command line.

mod accept;
pub mod adapters;
mod backend;
mod calls;
pub mod certs;
mod data;
mod demo;
mod error;
mod metrics;
mod modules;
mod outgoing;
mod programs;
mod reload;
mod script;
mod serve;
mod tls;

pub use error::Error;
pub use serve::{Options, serve};
