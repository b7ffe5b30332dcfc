//! Who may do what.
//!
//! ```text
//! request -> key (Keys) -> Principal -> authorize(principal, action, resource) -> handler
//!               |                              |
//!            401/429                      404 (not yours) / 403 (role too low)       all of it -> Audit
//! ```
//!
//! A route gets its [`Action`] and scope where it is registered ([`crate::routes`]), and there is no other way to register one.

mod audit;
mod guard;
mod key;
mod limiter;
mod principal;
mod room;

pub(crate) use audit::AuditObject;
pub use audit::{Audit, AuditEntry, AuditResult, JsonLines};
pub(crate) use guard::{Caller, Gate, guard, not_get_or_post};
pub use key::{ApiKey, KeyError, KeyRing, KeyText, Keys};
pub(crate) use limiter::FailureLimiter;
pub use principal::{Action, Decision, Grant, Principal, Resource, Role, Tenancy, Visible, authorize};
pub(crate) use room::Room;
