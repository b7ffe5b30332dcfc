//! Configuration and certificates that change while the node runs.
//!
//! On SIGHUP, and when a file has changed, both are read again. What cannot be used changes nothing: the old one
//! stays in force and the log says why. What takes effect only after a restart is named.

use crate::Error;
use crate::data::config_dir;
use crate::serve::Identities;
use arc_swap::ArcSwap;
use pointsman_api::security::{ApiKey, Grant, KeyRing, Role, Tenancy};
use pointsman_config::{self as config, Config};
use pointsman_contract::Digest;
use pointsman_telephony::model::{Dn, Target};
use pointsman_telephony::sip;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// How often files are looked at.
const POLL: Duration = Duration::from_secs(2);

/// Reads a configuration, or takes the embedded one.
pub(crate) fn read(file: Option<&Path>) -> Result<Config, Error> {
    let Some(file) = file else {
        return Ok(Config::embedded());
    };
    let (dir, name) = config_dir(file)?;
    Config::load(&dir, &name).map_err(|e| Error::Config(e.to_string()))
}

/// The API keys of a configuration.
pub(crate) fn keys(config: &Config) -> Vec<ApiKey> {
    let one = |key: &config::ApiKey| {
        let role = match key.role {
            config::Role::Viewer => Role::Viewer,
            config::Role::Operator => Role::Operator,
            config::Role::Deployer => Role::Deployer,
            config::Role::TenantAdmin => Role::TenantAdmin,
            config::Role::PlatformAdmin => Role::PlatformAdmin,
        };
        let tenant = match &key.tenant {
            config::TenantScope::All => Tenancy::All,
            config::TenantScope::One(name) => Tenancy::One(name.as_str().parse().ok()?),
        };
        Some(ApiKey {
            id: key.id.to_string(),
            sha256: Digest(*key.sha256.as_bytes()),
            grants: vec![Grant { tenant, role }],
        })
    };
    config.api_keys.iter().filter_map(one).collect()
}

/// The routing points of a configuration, for the link.
pub(crate) fn dn_table(config: &Config) -> sip::DnTable {
    let mut table = sip::DnTable::new();
    for dn in &config.dns {
        let mut point = sip::RoutingPoint::new(Dn::new(dn.number.as_str(), dn.switch.as_str()));
        point.default_targets = dn.default_dn.iter().map(|d| Target::Number(d.to_string())).collect();
        if let Some(timeout) = config.decision_timeout(dn) {
            point.decision_timeout = Duration::from_millis(timeout.0);
        }
        table.add(point);
    }
    table
}

/// Watches and applies.
pub(crate) struct Reloader {
    file: Option<PathBuf>,
    config: Arc<ArcSwap<Config>>,
    keys: Arc<KeyRing>,
    identities: Identities,
    link: Option<sip::Handle>,
    http: Vec<axum_server::tls_rustls::RustlsConfig>,
    seen: Vec<Option<SystemTime>>,
}

impl Reloader {
    pub fn new(
        file: Option<PathBuf>,
        config: Arc<ArcSwap<Config>>,
        keys: Arc<KeyRing>,
        identities: Identities,
    ) -> Self {
        let mut reloader = Reloader {
            file,
            config,
            keys,
            identities,
            link: None,
            http: Vec::new(),
            seen: Vec::new(),
        };
        reloader.seen = reloader.times();
        reloader
    }

    pub fn link(&mut self, link: sip::Handle) {
        self.link = Some(link);
    }

    pub fn http(&mut self, tls: axum_server::tls_rustls::RustlsConfig) {
        self.http.push(tls);
    }

    fn times(&self) -> Vec<Option<SystemTime>> {
        let time = |p: &Path| std::fs::metadata(p).and_then(|m| m.modified()).ok();
        let identities = [&self.identities.http, &self.identities.sip];
        let certificates = identities.iter().flat_map(|i| i.files()).map(time);
        self.file.iter().map(|f| time(f)).chain(certificates).collect()
    }

    /// Until the node stops.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        let Ok(mut hangup) = hangup else {
            tracing::error!("SIGHUP cannot be listened for: configuration and certificates are not reloaded");
            return;
        };
        loop {
            tokio::select! {
                _ = stopped.wait_for(|s| *s) => return,
                _ = hangup.recv() => {
                    self.seen = self.times();
                    self.certificates();
                    self.configuration();
                }
                () = tokio::time::sleep(POLL) => {
                    let now = self.times();
                    if now != self.seen {
                        self.seen = now;
                        self.certificates();
                        self.configuration();
                    }
                }
            }
        }
    }

    fn certificates(&self) {
        for identity in [&self.identities.http, &self.identities.sip] {
            match identity.reload() {
                Ok(()) => tracing::info!(file = %identity.files()[0].display(), "certificate read"),
                Err(e) => tracing::error!(error = %e, "the new certificate cannot be used: the old one stays in force"),
            }
        }
        for tls in &self.http {
            tls.reload_from_config(self.identities.http.current());
        }
    }

    fn configuration(&self) {
        if self.file.is_none() {
            return;
        }
        let new = match read(self.file.as_deref()) {
            Ok(new) => new,
            Err(e) => {
                tracing::error!("the new configuration cannot be used, the old one stays in force: {e}");
                return;
            }
        };
        let changes = config::diff(&self.config.load(), &new);
        if changes.is_empty() {
            return;
        }
        for change in &changes.restart {
            tracing::warn!(option = change.path, "this change takes effect after a restart");
        }
        if let Some(link) = &self.link {
            link.set_dns(dn_table(&new));
        }
        self.keys.replace(keys(&new));
        self.config.store(Arc::new(new));
        tracing::info!(changed = changes.immediate.len(), "configuration reloaded");
    }
}
