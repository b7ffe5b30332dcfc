//! Principals, roles and the one function that decides.

use crate::types::TenantName;
use pointsman_contract::SessionId;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What a principal is to a tenant. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sees which strategies and sessions there are and how they are doing; not what callers said.
    Viewer,
    /// Starts, queries and ends sessions, sends them events, reads logs and sources.
    Operator,
    /// Deploys, activates and rolls back strategies.
    Deployer,
    /// Everything within a tenant.
    TenantAdmin,
    /// Everything, also what belongs to no tenant.
    PlatformAdmin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Where a grant holds. In configuration: the tenant's name, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tenancy {
    /// In every tenant, also in those to come.
    All,
    /// In one.
    One(TenantName),
}

impl TryFrom<String> for Tenancy {
    type Error = crate::types::NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "*" {
            Ok(Tenancy::All)
        } else {
            text.parse().map(Tenancy::One)
        }
    }
}

impl From<Tenancy> for String {
    fn from(tenancy: Tenancy) -> String {
        match tenancy {
            Tenancy::All => "*".into(),
            Tenancy::One(name) => name.into(),
        }
    }
}

/// A role in a tenant, or in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Where.
    pub tenant: Tenancy,
    /// Which role.
    pub role: Role,
}

/// Who asks: what remains of an API key once it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Id of the key; not secret.
    pub id: String,
    /// What it may do; without any, nothing.
    pub grants: Vec<Grant>,
}

/// Which tenants a principal may see for an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// Every one.
    All,
    /// These.
    Only(Vec<TenantName>),
}

impl Visible {
    /// Whether this tenant is among them.
    pub fn contains(&self, tenant: &TenantName) -> bool {
        match self {
            Visible::All => true,
            Visible::Only(names) => names.contains(tenant),
        }
    }
}

impl Principal {
    /// The highest role in the tenant.
    pub fn role_in(&self, tenant: &TenantName) -> Option<Role> {
        let holds = |g: &&Grant| match &g.tenant {
            Tenancy::All => true,
            Tenancy::One(name) => name == tenant,
        };
        self.grants.iter().filter(holds).map(|g| g.role).max()
    }

    /// The highest role in all tenants.
    pub fn role_everywhere(&self) -> Option<Role> {
        self.grants
            .iter()
            .filter(|g| g.tenant == Tenancy::All)
            .map(|g| g.role)
            .max()
    }

    /// The tenants in which the action is allowed.
    pub fn visible(&self, action: Action) -> Visible {
        let role = action.role();
        if self.role_everywhere() >= Some(role) {
            return Visible::All;
        }
        let mut names: Vec<TenantName> = Vec::new();
        for grant in self.grants.iter().filter(|g| g.role >= role) {
            if let Tenancy::One(name) = &grant.tenant
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        Visible::Only(names)
    }
}

/// Everything that can be done through the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// List one's tenants.
    ListTenants,
    /// List strategies and versions.
    ListStrategies,
    /// Download a source or component.
    DownloadStrategy,
    /// Upload a version, possibly activating it.
    DeployStrategy,
    /// Choose the version for new sessions.
    ActivateStrategy,
    /// Go back to the version before.
    RollBackStrategy,
    /// List sessions, or show one.
    ListSessions,
    /// Read what a session wrote.
    ReadSessionLog,
    /// Read what a session holds.
    QuerySession,
    /// Start a session.
    StartSession,
    /// Send a session an event.
    SendEvent,
    /// Ask a session something.
    RequestSession,
    /// End a session.
    TerminateSession,
    /// Read the server's metrics, which are about all tenants.
    ReadMetrics,
    /// Read the description of the API.
    ReadApiDescription,
}

impl Action {
    /// The lowest role that may.
    pub fn role(self) -> Role {
        use Action::*;
        match self {
            ListTenants | ListStrategies | ListSessions | ReadMetrics | ReadApiDescription => Role::Viewer,
            DownloadStrategy | ReadSessionLog | QuerySession | StartSession | SendEvent | RequestSession
            | TerminateSession => Role::Operator,
            DeployStrategy | ActivateStrategy | RollBackStrategy => Role::Deployer,
        }
    }

    /// Whether it changes anything: then no safe method (RFC 9110, section 9.2.1) may do it, but for the GET that ORS has.
    pub fn changes(self) -> bool {
        use Action::*;
        match self {
            ListTenants | ListStrategies | DownloadStrategy | ListSessions | ReadSessionLog | QuerySession
            | ReadMetrics | ReadApiDescription => false,
            DeployStrategy | ActivateStrategy | RollBackStrategy | StartSession | SendEvent | RequestSession
            | TerminateSession => true,
        }
    }

    /// Whether it is worth a line in the audit log even when it is allowed: it changes something, or reads what
    /// callers said.
    pub fn audited(self) -> bool {
        use Action::*;
        !matches!(
            self,
            ListTenants | ListStrategies | ListSessions | ReadMetrics | ReadApiDescription
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What the action is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Something of this tenant.
    Tenant(TenantName),
    /// A session of this tenant.
    Session(SessionId, TenantName),
    /// Whatever tenants the principal has: the handler answers for [`Principal::visible`] only.
    OwnTenants,
    /// Something that is about all tenants.
    Platform,
}

/// The answer of [`authorize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// The principal may not even know that it exists.
    Hide,
    /// It may know, but its role is too low.
    Deny,
}

/// Decides. Whatever no grant allows is denied.
pub fn authorize(principal: &Principal, action: Action, resource: &Resource) -> Decision {
    let (role, otherwise) = match resource {
        Resource::Tenant(tenant) | Resource::Session(_, tenant) => (principal.role_in(tenant), Decision::Hide),
        Resource::OwnTenants => (principal.grants.iter().map(|g| g.role).max(), Decision::Deny),
        Resource::Platform => (principal.role_everywhere(), Decision::Deny),
    };
    match role {
        None => otherwise,
        Some(role) if role >= action.role() => Decision::Allow,
        Some(_) => Decision::Deny,
    }
}
