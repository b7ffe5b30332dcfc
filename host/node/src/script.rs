//! Enhanced Routing Scripts: which documents one names, and with which parameters.

use pointsman_config::{CallFacts, Config, ExpandError, ResolvedDocument, ScriptName, TenantName};
use serde_json::{Map, Value};
use std::time::Duration;

/// What a script starts.
pub(crate) struct Scripted {
    /// Documents in order of preference: `Application/url`, then `alternate-url`.
    pub documents: Vec<Result<ResolvedDocument, ExpandError>>,
    /// `ApplicationParms`, for the `<data>` items of the same ids.
    pub params: Map<String, Value>,
    /// `fetch-timeout`.
    pub timeout: Duration,
}

/// A tenant's script, with the placeholders filled in.
pub(crate) fn resolve(
    config: &Config,
    tenant: &TenantName,
    name: &ScriptName,
    facts: &CallFacts<'_>,
) -> Result<Scripted, String> {
    let script = config
        .script(tenant, name)
        .ok_or_else(|| format!("script {name} does not exist for tenant {tenant}"))?;
    let mut params = Map::new();
    for (key, template) in &script.parameters.0 {
        let value = template.expand_data(facts).map_err(|e| e.to_string())?;
        params.insert(key.clone(), Value::String(value));
    }
    let application = &script.application;
    let documents = std::iter::once(&application.url).chain(&application.alternate_url);
    Ok(Scripted {
        documents: documents.map(|d| d.expand(facts)).collect(),
        params,
        timeout: Duration::from_millis(application.fetch_timeout.0),
    })
}
