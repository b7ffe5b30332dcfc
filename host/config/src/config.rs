//! The whole configuration: read from its sources, and looked up in.

use crate::draft;
use crate::load;
use crate::names::{Bytes, DnNumber, Milliseconds, PortId, ScriptName, SwitchName, TenantName};
use crate::objects::api_key::ApiKey;
use crate::objects::application::{Application, Port};
use crate::objects::dn::Dn;
use crate::objects::list::List;
use crate::objects::script::Script;
use crate::objects::switch::Switch;
use crate::objects::tenant::Tenant;
use crate::report::{ConfigError, Report};
use crate::setting::{Setting, Shown};
use crate::source::{Place, Source};
use std::collections::BTreeMap;
use std::path::Path;

/// A configuration in which every reference leads somewhere.
#[derive(Clone, Debug)]
pub struct Config {
    /// This server.
    pub application: Application,
    /// The tenants in order: never empty, the first one is the default tenant.
    pub tenants: Vec<Tenant>,
    /// The switches.
    pub switches: Vec<Switch>,
    /// The DNs.
    pub dns: Vec<Dn>,
    /// The Enhanced Routing Scripts.
    pub scripts: Vec<Script>,
    /// The Transactions of the type List.
    pub lists: Vec<List>,
    /// The API keys. Without any, the REST API is closed to everybody.
    pub api_keys: Vec<ApiKey>,
    /// Where each value was read.
    pub origins: Origins,
}

/// Where the values of a configuration were read, by path, such as `dn[3].switch`.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    pub(crate) places: BTreeMap<String, Place>,
    pub(crate) sources: Vec<Source>,
    pub(crate) watch: Vec<String>,
}

/// What one tenant may take of the server: its own limits, or the application's where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLimits {
    /// Memory of one session.
    pub memory_per_session: Bytes,
}

/// What the SIP ports let in. Limits apply before it is known which switch a message is for, so they are the widest among
/// the switches served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipLimits {
    /// The largest message.
    pub max_message_size: Bytes,
    /// The most header fields of a message.
    pub max_header_count: u32,
    /// The most open transactions of one source address.
    pub max_transactions_per_source: u32,
}

impl Origins {
    pub(crate) fn insert(&mut self, path: String, place: Place) {
        self.places.insert(path, place);
    }

    pub(crate) fn place(&self, path: &str) -> Option<&Place> {
        self.places.get(path)
    }

    /// `file:line` of an option that stands in a file; `None` for one that was left out, or that a program set.
    pub fn of(&self, path: &str) -> Option<String> {
        let place = self.places.get(path)?;
        let source = self.sources.get(place.source)?;
        Some(format!("{}:{}", source.name, source.position(place.span.start).line))
    }
}

impl Config {
    /// The files that it was read from and the folders in which `include` looked, relative to the configuration's
    /// directory: a change of any of them may change the configuration.
    pub fn watch(&self) -> &[String] {
        &self.origins.watch
    }

    /// Reads `file`, and the files that it includes, out of a directory. Nothing outside of that directory can be reached:
    /// neither by `..`, nor by an absolute path, nor through a symbolic link.
    pub fn load(dir: &cap_std::fs::Dir, file: &str) -> Result<Config, ConfigError> {
        let mut report = Report::default();
        let sources = load::read(dir, Path::new(file), &mut report);
        Config::usable(draft::read(sources, report))
    }

    /// Reads texts that the caller already has. The first one is the main file; an `include` in it is not followed.
    pub fn parse(sources: Vec<Source>) -> Result<Config, ConfigError> {
        Config::usable(draft::read(sources, Report::default()))
    }

    /// The configuration that `make run` uses: two tenants with a switch each, and five DNs with the five sample
    /// strategies.
    pub fn embedded() -> Config {
        let source = Source::new("embedded.toml", Config::EMBEDDED);
        Config::parse(vec![source]).expect("a test reads the embedded configuration")
    }

    /// The text of [`Config::embedded`]: commented, to start one's own from.
    pub const EMBEDDED: &'static str = include_str!("embedded.toml");

    fn usable((config, report): (Option<Config>, Report)) -> Result<Config, ConfigError> {
        match config {
            Some(config) if !report.has_errors() => Ok(config),
            _ => Err(ConfigError(report)),
        }
    }

    /// The default tenant: the first one.
    pub fn default_tenant(&self) -> Option<&Tenant> {
        self.tenants.first()
    }

    /// A tenant by its name.
    pub fn tenant(&self, name: &TenantName) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.name == *name)
    }

    /// A switch by its name.
    pub fn switch(&self, name: &SwitchName) -> Option<&Switch> {
        self.switches.iter().find(|switch| switch.name == *name)
    }

    /// A DN by its switch and number.
    pub fn dn(&self, switch: &SwitchName, number: &DnNumber) -> Option<&Dn> {
        self.dns.iter().find(|dn| dn.number == *number && dn.switch == *switch)
    }

    /// An Enhanced Routing Script of a tenant.
    pub fn script(&self, tenant: &TenantName, name: &ScriptName) -> Option<&Script> {
        self.scripts
            .iter()
            .find(|script| script.name == *name && script.tenant == *tenant)
    }

    /// The value of an option of the application, as text. Those of the sections `orchestration` and `scxml` only: they say how
    /// sessions run, and hold no secrets.
    pub fn option(&self, section: &str, option: &str) -> Option<String> {
        if !["orchestration", "scxml"].contains(&section) {
            return None;
        }
        let field = |shown: Shown, key: &str| match shown {
            Shown::Table(fields) => fields
                .into_iter()
                .find(|field| field.key == key)
                .map(|field| field.shown),
            _ => None,
        };
        match field(field(self.application.show(), section)?, option)? {
            Shown::Value(toml::Value::String(text)) => Some(text),
            Shown::Value(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// A list of a tenant.
    pub fn list(&self, tenant: &TenantName, name: &str) -> Option<&List> {
        self.lists
            .iter()
            .find(|list| list.name.as_str() == name && list.tenant == *tenant)
    }

    /// A listening port by its id.
    pub fn port(&self, id: &PortId) -> Option<&Port> {
        self.application.ports.iter().find(|port| port.id == *id)
    }

    /// The switches that have a connection: their calls are taken.
    pub fn switches_served(&self) -> impl Iterator<Item = &Switch> {
        self.switches
            .iter()
            .filter(|switch| self.application.serves(&switch.name))
    }

    /// How long the strategy of a DN may take to decide: the DN's own limit, or its switch's.
    pub fn decision_timeout(&self, dn: &Dn) -> Option<Milliseconds> {
        dn.decision_timeout
            .or_else(|| Some(self.switch(&dn.switch)?.sip.decision_timeout))
    }

    /// What a tenant may take of the server.
    pub fn limits(&self, tenant: &Tenant) -> TenantLimits {
        let sandbox = &self.application.sandbox;
        TenantLimits {
            memory_per_session: tenant.memory_per_session.unwrap_or(sandbox.memory_per_session),
        }
    }

    /// What the SIP ports let in; `None` where no switch is served.
    pub fn sip_limits(&self) -> Option<SipLimits> {
        let limits = self.switches_served().map(|switch| SipLimits {
            max_message_size: switch.sip.max_message_size,
            max_header_count: switch.sip.max_header_count,
            max_transactions_per_source: switch.sip.max_transactions_per_source,
        });
        limits.reduce(|one, other| SipLimits {
            max_message_size: one.max_message_size.max(other.max_message_size),
            max_header_count: one.max_header_count.max(other.max_header_count),
            max_transactions_per_source: one.max_transactions_per_source.max(other.max_transactions_per_source),
        })
    }
}

impl Application {
    /// Whether there is a connection to a switch.
    pub fn serves(&self, switch: &SwitchName) -> bool {
        self.connections.iter().any(|connection| connection.switch == *switch)
    }
}

/// Reads a configuration for its report alone: `pointsman config check`.
pub fn check(dir: &cap_std::fs::Dir, file: &str) -> Report {
    let mut report = Report::default();
    let sources = load::read(dir, Path::new(file), &mut report);
    draft::read(sources, report).1
}
