use super::{Diagnostic, StrategyName, Version};
use pointsman_contract::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A document to deploy, with what it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// The SCXML document.
    pub document: String,
    /// Where it stands in its project, such as `src-gen/main.scxml`; the files are named from the project's folder then. Without
    /// it the document's own folder is the project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Included files: path in the project -> text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Kept with the version, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// New sessions use this version from now on.
    #[serde(default)]
    pub activate: bool,
}

/// Options of an upload whose body is the document or component itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeployQuery {
    /// Kept with the version, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// New sessions use this version from now on.
    #[serde(default)]
    pub activate: bool,
}

/// What an upload became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deployed {
    /// The new version.
    pub version: StrategyVersion,
    /// Findings that did not stop it.
    #[serde(default)]
    pub warnings: Vec<Diagnostic>,
}

/// What a version was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An SCXML document, compiled here.
    Document,
    /// A component, uploaded as it is.
    Component,
}

/// One version of a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StrategyVersion {
    /// Its strategy.
    pub name: StrategyName,
    /// Its number.
    pub version: Version,
    /// What it was made of.
    pub kind: Kind,
    /// SHA-256 of the component, 64 hexadecimal digits.
    #[schema(value_type = String, min_length = 64, max_length = 64)]
    pub digest: Digest,
    /// Size of the component in bytes.
    pub size: u64,
    /// When it was deployed.
    pub deployed_ms: u64,
    /// Id of the key that deployed it.
    pub deployed_by: String,
    /// What the deployer noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// New sessions use it.
    pub active: bool,
    /// Live sessions that run on it.
    pub sessions: u64,
}

/// A strategy of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Strategy {
    /// Its name.
    pub name: StrategyName,
    /// The version that new sessions use; absent: none was activated yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Version>,
    /// The newest version.
    pub latest: Version,
}

/// The source that a version carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// The SCXML document.
    pub document: String,
    /// Where it stands in its project, as it was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Included files: path in the project -> text.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}
