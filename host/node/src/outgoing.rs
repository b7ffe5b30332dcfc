//! Outgoing HTTP as the configuration has it: each tenant reaches what its `[tenant.http] allow` names.

use crate::Error;
use crate::data::config_dir;
use arc_swap::ArcSwap;
use pointsman_config::Config;
use pointsman_store::Tenant;
use pointsman_web::{AllowList, Answer, Options, Request, Web};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A client that knows what tenants may. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outgoing {
    web: Web,
    config: Arc<ArcSwap<Config>>,
}

impl Outgoing {
    pub fn new(web: Web, config: Arc<ArcSwap<Config>>) -> Self {
        Outgoing { web, config }
    }

    /// What a tenant's strategies may reach, now.
    pub fn allowed(&self, tenant: &Tenant) -> AllowList {
        let config = self.config.load();
        let of_config = config.tenants.iter().find(|t| t.name.as_str() == tenant.as_str());
        let destinations = of_config.into_iter().flat_map(|t| &t.http.allow);
        AllowList::new(destinations.map(|d| d.get().clone()))
    }

    /// How long a document that was fetched before may stand in for a server that does not answer.
    pub fn max_stale(&self) -> Duration {
        self.config.load().application.scxml.http_max_stale.into()
    }

    /// Sends a request to what a tenant's strategies may reach.
    pub async fn send(&self, tenant: &Tenant, request: Request) -> Result<Answer, pointsman_web::Error> {
        self.send_to(tenant, &self.allowed(tenant), request).await
    }

    /// The same, to what is named.
    pub async fn send_to(
        &self,
        tenant: &Tenant,
        allowed: &AllowList,
        request: Request,
    ) -> Result<Answer, pointsman_web::Error> {
        self.web.send(tenant.as_str(), allowed, request).await
    }
}

/// The client of a configuration; `file` is where that was read.
pub(crate) fn client(config: &Config, file: Option<&Path>) -> Result<Web, Error> {
    let scxml = &config.application.scxml;
    let roots = match (&scxml.http_ssl_ca_info, file) {
        (Some(roots), Some(file)) => {
            let (dir, _) = config_dir(file)?;
            let failed = |source| Error::Path {
                what: "http-ssl-ca-info",
                path: roots.as_str().into(),
                source,
            };
            Some(dir.read(roots.as_str()).map_err(failed)?)
        }
        _ => None,
    };
    let options = Options {
        roots,
        max_redirections: scxml.http_max_redirections as usize,
        no_cache: scxml.http_no_cache_urls.clone(),
        cache_entries: scxml.http_max_cache_entry_count as usize,
        cache_entry_bytes: scxml.http_max_cache_entry_size.0 as usize,
        cache_bytes: scxml.http_max_cache_size.0 as usize,
        ..Options::default()
    };
    Web::new(options).map_err(|e| Error::Config(format!("outgoing HTTP cannot be set up: {e}")))
}
