use super::TenantName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// New sessions without a tenant of their own belong to it (ORS: the first of the application's list).
    pub default: bool,
}

/// Answer of a health probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The probe is satisfied.
    pub ok: bool,
    /// What it waits for, one line each; no secrets and no tenants: anybody may read it.
    #[serde(default)]
    pub reasons: Vec<String>,
}
