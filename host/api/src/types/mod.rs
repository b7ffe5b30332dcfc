//! What travels over the API: requests and answers, shared by the server and by the `pointsman` command line.
//!
//! Times are milliseconds since 1970-01-01 UTC. Unknown members of a request are refused by name, so that a
//! misspelt option is never silently ignored; clients must ignore unknown members of answers.

mod names;
mod page;
mod problem;
mod sessions;
mod strategies;
mod tenants;

pub use names::{NameError, StrategyName, TenantName, Version};
pub use page::{DEFAULT_PAGE, Listing, MAX_CURSOR_BYTES, MAX_PAGE, Page, PageQuery};
pub use problem::{Code, Diagnostic, Problem, Severity};
pub use sessions::{
    EventRequest, LogLine, OrsQuery, OrsSession, Outcome, Session, SessionEnd, SessionQuery, SessionState,
    TerminateRequest,
};
pub use strategies::{DeployQuery, DeployRequest, Deployed, Kind, Source, Strategy, StrategyVersion};
pub use tenants::{Health, Tenant};
