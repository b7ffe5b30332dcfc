//! Configuration and certificates that change while the node runs.
//!
//! On SIGHUP, and when one of their files has changed, they are read again: the main file, what it includes, the folders
//! in which it looks for that, and certificates. What cannot be used changes nothing: the old one stays in force and the
//! log says why. What takes effect only after a restart is named. That nothing has changed is said, too.

use crate::Error;
use crate::data::config_dir;
use crate::serve::{ApplyLog, Identities};
use arc_swap::ArcSwap;
use pointsman_api::security::{ApiKey, Grant, KeyRing, Role, Tenancy};
use pointsman_config::{self as config, Config};
use pointsman_contract::Digest;
use pointsman_telephony::model::{Dn, Target};
use pointsman_telephony::sip;
use std::collections::BTreeMap;
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

/// The routing points of a configuration, for the link: those of the switches that are served.
pub(crate) fn dn_table(config: &Config) -> sip::DnTable {
    let mut table = sip::DnTable::new();
    // All of them: a switch that is not served can still be a target.
    for switch in &config.switches {
        let domain = switch.sip.domain.as_ref().map(ToString::to_string);
        table.add_switch(switch.name.as_str(), domain);
    }
    let headers: BTreeMap<_, _> = config
        .switches_served()
        .map(|switch| (&switch.name, Arc::new(user_data_headers(&switch.sip))))
        .collect();
    for dn in &config.dns {
        let Some(headers) = headers.get(&dn.switch) else {
            continue;
        };
        let mut point = sip::RoutingPoint::new(Dn::new(dn.number.as_str(), dn.switch.as_str()));
        point.default_targets = dn.default_dn.iter().map(|d| Target::Number(d.to_string())).collect();
        if let Some(timeout) = config.decision_timeout(dn) {
            point.decision_timeout = Duration::from_millis(timeout.0);
        }
        point.user_data = Some(headers.clone());
        table.add(point);
    }
    table
}

/// The header fields of a switch's calls that carry user data.
fn user_data_headers(options: &config::SipOptions) -> sip::UserDataHeaders {
    let all = |names: &[config::HeaderName], user_to_user: bool| {
        let names = names.iter().map(ToString::to_string);
        names.chain(user_to_user.then(|| "User-to-User".into())).collect()
    };
    sip::UserDataHeaders {
        incoming: all(&options.headers_in, options.user_to_user_in),
        outgoing: all(&options.headers_out, options.user_to_user_out),
    }
}

/// When files were last changed; `None` for one that is not there.
type Times = BTreeMap<PathBuf, Option<SystemTime>>;

/// Watches and applies.
pub(crate) struct Reloader {
    file: Option<PathBuf>,
    config: Arc<ArcSwap<Config>>,
    keys: Arc<KeyRing>,
    /// Keys that are in no file.
    kept_keys: Vec<ApiKey>,
    identities: Identities,
    apply_log: Option<ApplyLog>,
    link: Option<sip::Handle>,
    http: Vec<axum_server::tls_rustls::RustlsConfig>,
    /// What the configuration was last read from.
    watch: Vec<PathBuf>,
    seen: Times,
}

impl Reloader {
    pub fn new(
        file: Option<PathBuf>,
        config: Arc<ArcSwap<Config>>,
        keys: Arc<KeyRing>,
        identities: Identities,
        apply_log: Option<ApplyLog>,
    ) -> Self {
        let watch = watched(file.as_deref(), config.load().watch());
        let mut reloader = Reloader {
            file,
            config,
            keys,
            kept_keys: Vec::new(),
            identities,
            apply_log,
            link: None,
            http: Vec::new(),
            watch,
            seen: Times::new(),
        };
        reloader.seen = reloader.times();
        reloader
    }

    /// A key that stays valid whatever the configuration says: the demo's.
    pub fn keep(&mut self, key: ApiKey) {
        self.kept_keys.push(key);
    }

    pub fn link(&mut self, link: sip::Handle) {
        self.link = Some(link);
    }

    pub fn http(&mut self, tls: axum_server::tls_rustls::RustlsConfig) {
        self.http.push(tls);
    }

    fn times(&self) -> Times {
        let identities = [&self.identities.http, &self.identities.sip];
        let certificates = identities.iter().flat_map(|i| i.files());
        let files = self.watch.iter().map(PathBuf::as_path).chain(certificates);
        files.map(|file| (file.to_owned(), changed(file))).collect()
    }

    /// Reads everything again. `now`: when what is watched was last changed, as seen before.
    fn reload(&mut self, now: Times) {
        self.seen = now;
        self.certificates();
        self.configuration();
        // A file that has just been included is watched from here on.
        for file in &self.watch {
            if !self.seen.contains_key(file) {
                self.seen.insert(file.clone(), changed(file));
            }
        }
        let known = self.times();
        self.seen.retain(|file, _| known.contains_key(file));
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
                    let now = self.times();
                    self.reload(now);
                }
                () = tokio::time::sleep(POLL) => {
                    let now = self.times();
                    if now != self.seen {
                        self.reload(now);
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

    fn configuration(&mut self) {
        let Some(file) = self.file.clone() else { return };
        let refused = |e: &dyn std::fmt::Display| {
            tracing::error!("the new configuration cannot be used, the old one stays in force:\n{e}");
        };
        let (dir, name) = match config_dir(&file) {
            Ok(found) => found,
            Err(e) => return refused(&e),
        };
        let new = match Config::load(&dir, &name) {
            Ok(new) => new,
            Err(e) => {
                // Whichever of them is mended, it is noticed.
                self.watch = watched(Some(&file), &e.0.watch);
                return refused(&e);
            }
        };
        self.watch = watched(Some(&file), new.watch());
        let changes = config::diff(&self.config.load(), &new);
        if changes.is_empty() {
            tracing::info!(file = %file.display(), "configuration read: nothing has changed");
            return;
        }
        for change in &changes.restart {
            tracing::warn!(option = change.path, "this change takes effect after a restart");
        }
        if let Some(link) = &self.link {
            link.set_dns(dn_table(&new));
        }
        self.keys.replace(keys(&new).into_iter().chain(self.kept_keys.clone()));
        if let Some(apply) = self.apply_log {
            apply(&new.application.log);
        }
        self.config.store(Arc::new(new));
        tracing::info!(
            changed = changes.immediate.len(),
            after_restart = changes.restart.len(),
            "configuration reloaded"
        );
    }
}

/// The files and folders of a configuration: their names are relative to its main file's folder.
fn watched(file: Option<&Path>, names: &[String]) -> Vec<PathBuf> {
    let folder = file.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
    names.iter().map(|name| folder.join(name)).collect()
}

fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|m| m.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_switches() -> Config {
        let mut text = "[application]\nname = \"a\"\n".to_owned();
        for (switch, header) in [("north", "X-Customer"), ("south", "X-Account"), ("west", "X-None")] {
            text += &format!(
                "[[tenant]]\nname = \"{switch}\"\n[[switch]]\nname = \"{switch}\"\ntenant = \"{switch}\"\nkind = \"sip\"\n\
                 sip.domain = \"{switch}.example\"\nsip.headers-in = [\"{header}\"]\nsip.user-to-user-out = {}\n\
                 [[dn]]\nnumber = \"7000\"\nswitch = \"{switch}\"\ntype = \"routing-point\"\n\
                 Orchestration.application = \"strategy:x\"\n",
                switch == "south"
            );
        }
        let connections =
            "[[application.connection]]\nswitch = \"north\"\n[[application.connection]]\nswitch = \"south\"\n";
        Config::parse(vec![config::Source::new("test.toml", format!("{text}{connections}"))]).unwrap()
    }

    #[test]
    fn each_switch_has_its_own_headers_and_domain_and_one_without_a_connection_takes_no_calls() {
        let table = dn_table(&two_switches());
        let at = |host: &str| table.find("7000", host).and_then(|point| point.user_data.clone());
        let (north, south) = (at("north.example").unwrap(), at("south.example").unwrap());
        assert_eq!(
            (&north.incoming[..], &north.outgoing[..]),
            (&["X-Customer".into()][..], &[][..])
        );
        assert_eq!(
            (&south.incoming[..], &south.outgoing[..]),
            (&["X-Account".into()][..], &["User-to-User".into()][..])
        );
        assert!(at("west.example").is_none());
        assert_eq!(
            table.domain(&"west".into()),
            Some(Some("west.example")),
            "it can still be a target"
        );
    }
}
