//! Pointsman's configuration: the objects an ORS operator knows, written in TOML.
//!
//! ```text
//!   pointsman.toml, tenants/*.toml        Source      (load: cap-std directories only)
//!            │  toml::de::DeTable         every value knows its place
//!            ▼
//!   setting, draft: names, types, ranges  ──►    Report      all problems at once, each with file:line:column
//!            ▼
//!   check: references, duplicates  ──►    Report
//!            ▼
//!          Config { application, tenants, switches, dns, scripts, lists, api_keys }
//! ```
//!
//! Option names are ORS's own wherever ORS has the option (`max-microstep-count`, `[dn.Orchestration] application`,
//! `[script.Application] url`); options of ours carry their unit in the name (`decision-timeout-ms`). An option is
//! accepted only if it has an effect today: anything else is an error with the nearest valid name, never silence. An
//! ORS option that Pointsman does not act upon yet is refused as exactly that.
//!
//! Every option is declared once, with the `options!` macro: its field, its TOML name, its default, its range, its unit,
//! when a change takes effect and where it comes from. The reader, [`effective_toml`], [`diff`] and the reference that
//! [`reference()`] prints all come from that one declaration.
//!
//! Nothing in this crate opens a path that the process could reach but the caller did not hand over: files are read
//! through a [`cap_std::fs::Dir`], which neither `..` nor an absolute path nor a symbolic link can leave.

mod application_ref;
mod check;
mod config;
mod diff;
mod draft;
mod effective;
mod load;
mod names;
mod objects;
mod reference;
mod report;
mod setting;
mod source;

pub use application_ref::expand::{CallFacts, ExpandError, MAX_DATA_BYTES, MAX_URL_BYTES, ResolvedDocument};
pub use application_ref::template::{Placeholder, Template, TemplateError};
pub use application_ref::{ApplicationRef, ApplicationRefError, DocumentRef};
pub use config::{Config, Origins, SipLimits, TenantLimits, check};
pub use diff::{Change, Changes, diff};
pub use effective::effective_toml;
pub use load::{MAX_FILE_BYTES, MAX_FILES};
pub use names::{
    ApplicationName, Bytes, Destination, DnNumber, FilePath, HeaderName, HostPort, KeyId, ListName, Milliseconds,
    NameError, ObjectName, PortId, ScriptName, Seconds, SecretHash, StrategyName, StrategyVersion, SwitchName,
    TenantName,
};
pub use objects::api_key::{ApiKey, Role, TenantScope};
pub use objects::application::{
    Application, Connection, Log, LogFormat, Orchestration, Port, Protocol, Sandbox, Scxml, Transport, Verbose,
};
pub use objects::dn::{Dn, DnOrchestration, DnType};
pub use objects::list::{List, ListItem, ListItems};
pub use objects::script::{Script, ScriptApplication, ScriptParameters};
pub use objects::switch::{SipOptions, Switch, SwitchKind};
pub use objects::tenant::{Tenant, TenantHttp};
pub use reference::reference;
pub use report::{ConfigError, MAX_PROBLEMS, Problem, Report, Severity};
pub use setting::{Effect, OptionDoc, OptionOrigin};
pub use source::{Place, Position, Source};
