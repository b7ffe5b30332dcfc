//! The node, seen through the API's traits.

use crate::metrics;
use crate::modules::{self, Modules, Order, Refusal};
use crate::programs::{self, Problems, Programs};
use arc_swap::ArcSwap;
use bytes::Bytes;
use pointsman_api::backend::{
    Answer, Artifact, Deployment, Error, ExternalEvent, Filter, Message, Operations, Reply, Sessions, Start,
    Strategies, Tenants, Termination,
};
use pointsman_api::types::{
    Deployed, Diagnostic, Health, Kind, Listing, LogLine, Outcome, Page, Session, SessionEnd, SessionState, Severity,
    Source, Strategy, StrategyName, StrategyVersion, Tenant, TenantName, Version,
};
use pointsman_compiler::Sources;
use pointsman_config as config;
use pointsman_contract::{Ended, Event, Inspection, SessionId};
use pointsman_session::runtime::{self, Runtime, Snapshot};
use pointsman_store::catalog::{self, NewVersion, Number, Reference};
use pointsman_store::{Name, Tenant as StoreTenant};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the API serves.
pub(crate) struct Backend {
    pub config: Arc<ArcSwap<config::Config>>,
    pub programs: Programs,
    pub runtime: Runtime,
    pub modules: Modules,
    pub registry: prometheus_client::registry::Registry,
    pub ready: Arc<AtomicBool>,
    pub requests: AtomicU64,
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}

/// The name under which the stores know a tenant.
fn store_tenant(tenant: &TenantName) -> Result<StoreTenant, Error> {
    tenant.as_str().parse().map_err(|_| Error::NoSuchTenant(tenant.clone()))
}

fn store_name(name: &StrategyName) -> Result<Name, Error> {
    name.as_str()
        .parse()
        .map_err(|e: pointsman_store::InvalidName| Error::Conflict(e.to_string()))
}

fn number(name: &StrategyName, version: Version) -> Result<Number, Error> {
    NonZeroU32::new(version.0)
        .map(Number)
        .ok_or_else(|| Error::NoSuchVersion(name.clone(), version))
}

fn api_tenant(tenant: &StoreTenant) -> Result<TenantName, Error> {
    tenant
        .as_str()
        .parse()
        .map_err(|_| Error::Internal(format!("tenant {tenant} has no API name")))
}

/// Work that compiles or reads files, off the asynchronous threads.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(f)
        .await
        .unwrap_or_else(|e| Err(Error::Internal(e.to_string())))
}

impl Backend {
    fn catalog_error(&self, name: &StrategyName, version: Option<Version>, e: &catalog::Error) -> Error {
        match (e, version) {
            (catalog::Error::NoSuchStrategy { .. }, _) => Error::NoSuchStrategy(name.clone()),
            (catalog::Error::NoSuchVersion { .. }, Some(v)) => Error::NoSuchVersion(name.clone(), v),
            (catalog::Error::Corrupt { .. } | catalog::Error::Io { .. } | catalog::Error::InUse, _) => {
                Error::Internal(e.to_string())
            }
            _ => Error::Conflict(e.to_string()),
        }
    }

    /// `sessions`: from [`Backend::live_sessions`].
    fn one_version(
        name: &StrategyName,
        s: &catalog::Strategy,
        v: &catalog::Version,
        sessions: &BTreeMap<u32, u64>,
    ) -> StrategyVersion {
        StrategyVersion {
            name: name.clone(),
            version: Version(v.number.0.get()),
            kind: if v.source.is_some() {
                Kind::Document
            } else {
                Kind::Component
            },
            digest: v.component,
            // Unknown only when the component's file is gone.
            size: v.size.unwrap_or(0),
            deployed_ms: v.created_ms,
            deployed_by: v.by.clone(),
            note: Some(v.note.clone()).filter(|n| !n.is_empty()),
            active: s.active().is_some_and(|a| a.number == v.number),
            sessions: sessions.get(&v.number.0.get()).copied().unwrap_or(0),
        }
    }

    /// How many sessions each version has.
    fn live_sessions(&self, strategy: &catalog::Strategy) -> BTreeMap<u32, u64> {
        self.runtime.count_by_version(&runtime::Filter {
            tenant: Some(strategy.tenant.clone()),
            strategy: Some(strategy.name.clone()),
            live: Some(true),
        })
    }

    /// The same, of a tenant that the configuration has.
    fn tenant(&self, tenant: &TenantName) -> Result<StoreTenant, Error> {
        let config = self.config.load();
        let there = config.tenants.iter().any(|t| t.name.as_str() == tenant.as_str());
        if there {
            store_tenant(tenant)
        } else {
            Err(Error::NoSuchTenant(tenant.clone()))
        }
    }

    fn show(&self, tenant: &TenantName, name: &StrategyName) -> Result<catalog::Strategy, Error> {
        let found = self.programs.catalog().show(&self.tenant(tenant)?, &store_name(name)?);
        found.map_err(|e| self.catalog_error(name, None, &e))
    }

    fn shown_version(
        &self,
        tenant: &TenantName,
        name: &StrategyName,
        version: Version,
    ) -> Result<StrategyVersion, Error> {
        let strategy = self.show(tenant, name)?;
        let v = strategy
            .version(number(name, version)?)
            .ok_or_else(|| Error::NoSuchVersion(name.clone(), version))?;
        Ok(Self::one_version(name, &strategy, v, &self.live_sessions(&strategy)))
    }

    fn component_of(&self, tenant: &TenantName, name: &StrategyName, version: Version) -> Result<Vec<u8>, Error> {
        let reference = Reference {
            name: store_name(name)?,
            version: Some(number(name, version)?),
        };
        let found = self.programs.catalog().download(&self.tenant(tenant)?, &reference);
        found
            .map(|(_, c)| c)
            .map_err(|e| self.catalog_error(name, Some(version), &e))
    }

    fn compile(&self, name: &StrategyName, artifact: Artifact) -> Result<(Vec<u8>, bool, Vec<Diagnostic>), Error> {
        match artifact {
            Artifact::Component(bytes) => {
                self.programs
                    .load(&bytes)
                    .map_err(|e| Error::Component(e.to_string()))?;
                let has_source = Sources::of_component(&bytes).is_some();
                Ok((bytes.to_vec(), has_source, Vec::new()))
            }
            Artifact::Document { text, path, files } => {
                let resolver = programs::uploaded(&files);
                let url = path.unwrap_or_else(|| format!("{name}.scxml"));
                let compiled = self.programs.compile(&url, &text, &resolver).map_err(|e| match e {
                    programs::Error::Document(problems) => Error::Document(shown(&problems)),
                    other => Error::Component(other.to_string()),
                })?;
                self.programs
                    .load(&compiled.component)
                    .map_err(|e| Error::Component(e.to_string()))?;
                Ok((compiled.component, true, shown(&compiled.warnings)))
            }
        }
    }

    fn snapshot(&self, session: SessionId) -> Result<Snapshot, Error> {
        self.runtime.get(session).map_err(|e| session_error(session, &e))
    }
}

/// Diagnostics as the API shows them.
fn shown(problems: &Problems) -> Vec<Diagnostic> {
    let one = |d: &pointsman_scxml::Diagnostic| {
        let file = problems.files.get(usize::from(d.at.file));
        Diagnostic {
            severity: match d.severity {
                pointsman_scxml::Severity::Error => Severity::Error,
                pointsman_scxml::Severity::Warning => Severity::Warning,
            },
            file: file.map_or_else(String::new, |f| f.url.clone()),
            line: d.at.line,
            column: d.at.column,
            message: format!("{} [{}]", d.message, d.code),
            text: file
                .and_then(|f| f.text.lines().nth(d.at.line.saturating_sub(1) as usize))
                .map(str::to_owned),
            hint: d.hint.clone(),
        }
    };
    problems.diagnostics.iter().map(one).collect()
}

fn session_error(session: SessionId, e: &runtime::Error) -> Error {
    match e {
        runtime::Error::NoSuchSession(_) => Error::NoSuchSession(session),
        runtime::Error::Ended { .. } => Error::SessionEnded(session),
        runtime::Error::QueueFull { limit, .. } => Error::QueueFull(format!(
            "the queue of session {session} is full; try again in a moment. It takes {limit} events: where more come at once, slow \
             down, or raise max-pending-events"
        )),
        runtime::Error::TooManyInspections { .. } | runtime::Error::Busy(_) => {
            Error::QueueFull(format!("the queue of session {session} is full; try again in a moment"))
        }
        runtime::Error::EventTooLarge { .. } => Error::TooLarge(e.to_string()),
        runtime::Error::Draining => Error::NotServing(e.to_string()),
        runtime::Error::TooManySessions { .. } | runtime::Error::TooManySessionsOfTenant { .. } => {
            Error::NotServing(e.to_string())
        }
        runtime::Error::Random(_)
        | runtime::Error::Inspection(_)
        | runtime::Error::InvocationOver { .. }
        | runtime::Error::NoSuchInvocation(_) => Error::Internal(e.to_string()),
    }
}

impl Tenants for Backend {
    fn tenants(&self) -> Vec<Tenant> {
        let config = self.config.load();
        let one = |(i, t): (usize, &config::Tenant)| {
            Some(Tenant {
                name: t.name.as_str().parse().ok()?,
                default: i == 0,
            })
        };
        config.tenants.iter().enumerate().filter_map(one).collect()
    }
}

impl Strategies for Shared {
    fn strategies<'a>(&'a self, tenant: &'a TenantName, _: Page) -> Answer<'a, Listing<Strategy>> {
        Box::pin(async move {
            let all = self
                .0
                .programs
                .catalog()
                .list(&self.0.tenant(tenant)?)
                .map_err(|e| Error::Internal(e.to_string()))?;
            let one = |s: &catalog::Strategy| {
                Some(Strategy {
                    name: s.name.as_str().parse().ok()?,
                    active: s.active().map(|v| Version(v.number.0.get())),
                    latest: Version(s.versions.last()?.number.0.get()),
                })
            };
            Ok(Listing::whole(all.iter().filter_map(one).collect()))
        })
    }

    fn strategy<'a>(&'a self, tenant: &'a TenantName, name: &'a StrategyName) -> Answer<'a, Strategy> {
        Box::pin(async move {
            let s = self.0.show(tenant, name)?;
            let latest = s.versions.last().map_or(0, |v| v.number.0.get());
            Ok(Strategy {
                name: name.clone(),
                active: s.active().map(|v| Version(v.number.0.get())),
                latest: Version(latest),
            })
        })
    }

    fn deploy<'a>(&'a self, tenant: &'a TenantName, name: &'a StrategyName, d: Deployment) -> Answer<'a, Deployed> {
        let (this, tenant, name) = (self.0.clone(), tenant.clone(), name.clone());
        // To its end even when the client goes away: a version is there whole or not at all.
        Box::pin(blocking(move || {
            let (t, n) = (this.tenant(&tenant)?, store_name(&name)?);
            let failed = |e| this.catalog_error(&name, None, &e);
            let catalog = this.programs.catalog();
            // Before the work, and before a component is kept that nothing would name.
            catalog.room(&t, &n).map_err(failed)?;
            let (component, has_source, warnings) = this.compile(&name, d.artifact)?;
            let digest = catalog.put(&component).map_err(failed)?;
            let new = NewVersion {
                component: digest,
                source: has_source.then_some(digest),
                created_ms: now_ms(),
                by: d.by.clone(),
                note: d.note.unwrap_or_default(),
            };
            let version = catalog.add(&t, &n, new).map_err(failed)?;
            if d.activate {
                catalog.activate(&t, &n, version, now_ms(), &d.by).map_err(failed)?;
            }
            let version = this.shown_version(&tenant, &name, Version(version.0.get()))?;
            Ok(Deployed { version, warnings })
        }))
    }

    fn versions<'a>(
        &'a self,
        tenant: &'a TenantName,
        name: &'a StrategyName,
        _: Page,
    ) -> Answer<'a, Listing<StrategyVersion>> {
        let (this, tenant, name) = (self.0.clone(), tenant.clone(), name.clone());
        Box::pin(blocking(move || {
            let s = this.show(&tenant, &name)?;
            let sessions = this.live_sessions(&s);
            let one = |v| Backend::one_version(&name, &s, v, &sessions);
            Ok(Listing::whole(s.versions.iter().rev().map(one).collect()))
        }))
    }

    fn activate<'a>(
        &'a self,
        tenant: &'a TenantName,
        name: &'a StrategyName,
        version: Version,
        by: String,
    ) -> Answer<'a, StrategyVersion> {
        let (this, tenant, name) = (self.0.clone(), tenant.clone(), name.clone());
        Box::pin(blocking(move || {
            let (t, n, v) = (this.tenant(&tenant)?, store_name(&name)?, number(&name, version)?);
            let done = this.programs.catalog().activate(&t, &n, v, now_ms(), &by);
            done.map_err(|e| this.catalog_error(&name, Some(version), &e))?;
            this.shown_version(&tenant, &name, version)
        }))
    }

    fn roll_back<'a>(
        &'a self,
        tenant: &'a TenantName,
        name: &'a StrategyName,
        by: String,
    ) -> Answer<'a, StrategyVersion> {
        let (this, tenant, name) = (self.0.clone(), tenant.clone(), name.clone());
        Box::pin(blocking(move || {
            let done = this
                .programs
                .catalog()
                .roll_back(&this.tenant(&tenant)?, &store_name(&name)?, now_ms(), &by);
            let version = done.map_err(|e| this.catalog_error(&name, None, &e))?;
            this.shown_version(&tenant, &name, Version(version.0.get()))
        }))
    }

    fn source<'a>(&'a self, tenant: &'a TenantName, name: &'a StrategyName, version: Version) -> Answer<'a, Source> {
        let (this, tenant, name) = (self.0.clone(), tenant.clone(), name.clone());
        Box::pin(blocking(move || {
            let component = this.component_of(&tenant, &name, version)?;
            let Sources(files) =
                Sources::of_component(&component).ok_or_else(|| Error::NoSource(name.clone(), version))?;
            let mut files = files.into_iter();
            let main = files.next().ok_or_else(|| Error::NoSource(name.clone(), version))?;
            Ok(Source {
                document: main.text,
                path: Some(main.url),
                files: files.map(|f| (f.url, f.text)).collect(),
            })
        }))
    }

    fn component<'a>(&'a self, tenant: &'a TenantName, name: &'a StrategyName, version: Version) -> Answer<'a, Bytes> {
        let (this, tenant, name) = (self.0.clone(), tenant.clone(), name.clone());
        Box::pin(blocking(move || {
            this.component_of(&tenant, &name, version).map(Bytes::from)
        }))
    }
}

/// The backend behind the API: shared, because deployments outlive their requests.
pub(crate) struct Shared(pub Arc<Backend>);

impl Tenants for Shared {
    fn tenants(&self) -> Vec<Tenant> {
        self.0.tenants()
    }
}

impl Sessions for Shared {
    fn tenant_of(&self, session: SessionId) -> Answer<'_, TenantName> {
        Box::pin(async move {
            match self.0.modules.scheduled(session) {
                Some(tenant) => api_tenant(&tenant),
                None => api_tenant(&self.0.snapshot(session)?.info.tenant),
            }
        })
    }

    fn start(&self, start: Start) -> Answer<'_, SessionId> {
        Box::pin(async move {
            // A tenant that the configuration has.
            let tenant = self.0.tenant(&start.tenant)?;
            let order = Order {
                tenant,
                src: start.src,
                params: start.params,
                origin: format!("rest:{}", start.by),
            };
            let started = match start.at_ms.filter(|at| *at > now_ms()) {
                Some(at_ms) => self.0.modules.start_later(order, at_ms),
                None => self.0.modules.start_now(order).await,
            };
            started.map_err(|refusal| match refusal {
                Refusal::NotStarted(why) => Error::NotStarted(why),
                Refusal::NotServing(why) => Error::NotServing(why),
                Refusal::TakenBack => Error::NotStarted("the start was taken back".into()),
            })
        })
    }

    fn located<'a>(&'a self, session: SessionId, token: &'a str) -> Answer<'a, TenantName> {
        Box::pin(async move {
            if self.0.modules.locations().opens(session, token) {
                api_tenant(&self.0.snapshot(session)?.info.tenant)
            } else {
                Err(Error::NoSuchSession(session))
            }
        })
    }

    fn message(&self, session: SessionId, message: Message) -> Answer<'_, ()> {
        Box::pin(async move {
            let event = modules::event(&message.target, message.content_type.as_deref(), &message.body);
            let event = event.map_err(|e| Error::Malformed(format!("No event can be made of the message: {e}.")))?;
            self.0
                .runtime
                .send(session, event)
                .map_err(|e| session_error(session, &e))
        })
    }

    fn send(&self, session: SessionId, event: ExternalEvent) -> Answer<'_, ()> {
        Box::pin(async move {
            let event = Event::external(event.name, event.data.map(|d| d.to_string()));
            self.0
                .runtime
                .send(session, event)
                .map_err(|e| session_error(session, &e))
        })
    }

    fn request(&self, session: SessionId, event: ExternalEvent) -> Answer<'_, Reply> {
        Box::pin(async move {
            let id = format!("rest.{}", self.0.requests.fetch_add(1, Ordering::Relaxed));
            let reply = self.0.modules.expect_reply(session, &id);
            let reply = reply.ok_or_else(|| {
                Error::QueueFull("the list of requests that wait for a strategy is full; try again in a moment".into())
            })?;
            let mut event = Event::external(event.name, event.data.map(|d| d.to_string()));
            event.sendid = Some(id);
            self.0
                .runtime
                .send(session, event)
                .map_err(|e| session_error(session, &e))?;
            let reply = reply.await.map_err(|_| Error::SessionEnded(session))?;
            Ok(Reply {
                status: reply.status,
                body: reply.body,
            })
        })
    }

    fn inspect(&self, session: SessionId) -> Answer<'_, Inspection> {
        Box::pin(async move {
            self.0
                .runtime
                .inspect(session)
                .await
                .map_err(|e| session_error(session, &e))
        })
    }

    fn terminate(&self, session: SessionId, t: Termination) -> Answer<'_, ()> {
        Box::pin(async move {
            let reason = format!("{}: {}", t.by, t.reason.as_deref().unwrap_or("no reason given"));
            if self.0.modules.cancel_start(session) {
                return Ok(());
            }
            self.0
                .runtime
                .terminate(session, reason)
                .map_err(|e| session_error(session, &e))
        })
    }

    fn session(&self, session: SessionId) -> Answer<'_, Session> {
        Box::pin(async move { shown_session(&self.0.snapshot(session)?) })
    }

    fn sessions(&self, filter: Filter, page: Page) -> Answer<'_, Listing<Session>> {
        Box::pin(async move {
            let strategy = match filter.strategy.as_deref().map(str::parse::<Name>).transpose() {
                Ok(name) => name,
                // No strategy can have that name, so no session has it either.
                Err(_) => return Ok(Listing::whole(Vec::new())),
            };
            let live = filter.state.map(|s| s != SessionState::Ended);
            // Starting over would have the client read the first page again and again.
            let after = page.cursor.as_deref().map(str::parse::<runtime::Position>).transpose();
            let after = after.map_err(|e| Error::Conflict(format!("`cursor`: {e}")))?;
            let one_tenant = match filter.tenants.as_deref() {
                Some([one]) => Some(store_tenant(one)?),
                _ => None,
            };
            let wanted = runtime::Filter {
                tenant: one_tenant,
                strategy,
                live,
            };
            let limit = page.limit.clamp(1, runtime::MAX_PAGE);
            let list = self.0.runtime.list(&wanted, runtime::Page { after, limit });
            let next = (list.len() == limit)
                .then(|| list.last().map(|s| s.info.position().to_string()))
                .flatten();
            let allowed = |s: &&Snapshot| {
                filter
                    .tenants
                    .as_ref()
                    .is_none_or(|ts| ts.iter().any(|t| t.as_str() == s.info.tenant.as_str()))
            };
            let items = list
                .iter()
                .filter(allowed)
                .map(shown_session)
                .collect::<Result<_, _>>()?;
            Ok(Listing { items, next })
        })
    }

    fn log(&self, session: SessionId, page: Page) -> Answer<'_, Listing<LogLine>> {
        Box::pin(async move {
            let lines = self.0.runtime.log(session).map_err(|e| session_error(session, &e))?;
            let from: usize = page.cursor.as_deref().and_then(|c| c.parse().ok()).unwrap_or(0);
            let items: Vec<LogLine> = lines
                .into_iter()
                .enumerate()
                .skip(from)
                .take(page.limit)
                .map(|(i, l)| LogLine {
                    seq: i as u64 + 1,
                    time_ms: l.at_ms,
                    label: l.entry.label,
                    text: l.entry.text,
                    level: l.entry.level,
                })
                .collect();
            let next = (items.len() == page.limit).then(|| (from + items.len()).to_string());
            Ok(Listing { items, next })
        })
    }
}

fn shown_session(s: &Snapshot) -> Result<Session, Error> {
    let end = s.end.as_ref().map(|e| match &e.ended {
        Ended::Done(_) => SessionEnd {
            outcome: Outcome::Done,
            code: None,
            message: None,
        },
        Ended::Failed(f) => SessionEnd {
            outcome: Outcome::Failed,
            code: Some(f.code.as_str().into()),
            message: Some(f.message.clone()),
        },
        Ended::Terminated(why) => SessionEnd {
            outcome: Outcome::Terminated,
            code: None,
            message: Some(why.clone()),
        },
    });
    Ok(Session {
        id: s.info.id,
        tenant: api_tenant(&s.info.tenant)?,
        strategy: s.info.strategy.to_string(),
        version: (s.info.version > 0).then_some(Version(s.info.version)),
        state: if end.is_some() {
            SessionState::Ended
        } else {
            SessionState::Running
        },
        started_ms: s.info.started_ms,
        ended_ms: s.end.as_ref().map(|e| e.at_ms),
        active: s.active.clone(),
        end,
    })
}

impl Operations for Shared {
    fn live(&self) -> Health {
        Health {
            ok: true,
            reasons: Vec::new(),
        }
    }

    fn ready(&self) -> Health {
        match self.0.ready.load(Ordering::Relaxed) {
            true => Health {
                ok: true,
                reasons: Vec::new(),
            },
            false => Health {
                ok: false,
                reasons: vec!["the node is starting or shutting down".into()],
            },
        }
    }

    fn started(&self) -> Health {
        self.ready()
    }

    fn metrics(&self) -> String {
        metrics::text(&self.0.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_answered_with_what_to_do() {
        let session: SessionId = "00FAVPM3BOBM3223H3CA9ATAES00000G".parse().unwrap();
        let full = session_error(session, &runtime::Error::QueueFull { session, limit: 7 });
        assert!(matches!(full, Error::QueueFull(_)));
        assert_eq!(
            full.to_string(),
            format!(
                "the queue of session {session} is full; try again in a moment. It takes 7 events: where more come at once, slow \
                 down, or raise max-pending-events"
            )
        );
    }
}
