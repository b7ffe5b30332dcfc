//! API keys: who may use the REST API, and for which tenant.

use crate::names::{KeyId, ObjectName, SecretHash, TenantName};
use crate::setting::{FromText, choices, options, text_setting};
use std::fmt;

choices! {
    /// What a key's holder may do. Each role may do what the ones before it may.
    Role, "a role" {
        /// Look at sessions, strategies and configuration.
        "viewer" => Viewer,
        /// Start and end sessions, send them events.
        "operator" => Operator,
        /// Deploy, activate and roll back strategies.
        "deployer" => Deployer,
        /// Everything within the tenant.
        "tenant-admin" => TenantAdmin,
        /// Everything, in every tenant.
        "platform-admin" => PlatformAdmin,
    }
}

/// The tenants that a key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantScope {
    /// Every tenant, written `*`.
    All,
    /// One tenant.
    One(TenantName),
}

impl TenantScope {
    /// Whether the key is good for that tenant.
    pub fn includes(&self, tenant: &TenantName) -> bool {
        match self {
            TenantScope::All => true,
            TenantScope::One(one) => one == tenant,
        }
    }
}

impl fmt::Display for TenantScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TenantScope::All => f.write_str("*"),
            TenantScope::One(tenant) => f.write_str(tenant.as_str()),
        }
    }
}

impl FromText for TenantScope {
    const EXPECTED: &'static str = "a tenant's name, or \"*\" for all tenants";

    fn from_text(text: &str) -> Result<Self, (String, String)> {
        if text == "*" {
            return Ok(TenantScope::All);
        }
        let parsed = TenantName::parse(text).map(TenantScope::One);
        parsed.map_err(|error| (error.to_string(), "write `*` for all tenants".into()))
    }
}

text_setting!(TenantScope);

options! {
    /// One API key. The secret itself is nowhere in the configuration.
    object ApiKey at "[[api-key]]" {
        /// The key's public id, shown in the audit log.
        "id" id: KeyId, required, Immediate, Pointsman;
        /// SHA-256 of the secret, 64 hexadecimal digits.
        "sha256" sha256: SecretHash, required, Immediate, Pointsman;
        /// What its holder may do: `viewer`, `operator`, `deployer`, `tenant-admin` or `platform-admin`.
        "role" role: Role, required, Immediate, Pointsman;
        /// The tenant that it is good for, `*` for all.
        "tenant" tenant: TenantScope, required, Immediate, Pointsman;
    }
    known as |key| key.id.to_string()
}
