//! What outlives a step: journals of sessions, and the catalog of deployed strategies.
//!
//! ```text
//!   session core --records--> Journal   (one append-only list per session, guarded by owner epoch and position)
//!   deploy, resolve --------> Catalog   (components by digest; per tenant, versions of a strategy and which is active)
//! ```
//!
//! Both are traits, because where they live is a choice of the operator. Here are the kinds that need nothing
//! installed: [`memory::Journal`], [`catalog::Files`] and [`catalog::Memory`]. A backend of another crate implements
//! the trait and runs the `conformance` module (feature `conformance`) over itself.

pub mod catalog;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod journal;
pub mod memory;
mod names;
mod record;

pub use journal::{Acknowledge, Append, AppendError, Appended, Claimed, Journal, ReadError, Unavailable};
pub use names::{InvalidName, Name, Tenant};
pub use record::{Cause, Outcome, Parent, Record, SessionStarted, Via};
