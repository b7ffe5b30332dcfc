//! The life of the process.

use crate::adapters::Lanes;
use crate::backend::{Backend, Shared};
use crate::calls::Calls;
use crate::data::Data;
use crate::metrics::Figures;
use crate::modules::{Locations, Modules};
use crate::outgoing::{self, Outgoing};
use crate::programs::Programs;
use crate::reload::Reloader;
use crate::tls::Identity;
use crate::{Error, accept, certs, demo, reload};
use arc_swap::ArcSwap;
use pointsman_api::security::{ApiKey, JsonLines, KeyRing, Keys};
use pointsman_compiler::{Compiler, Limits};
use pointsman_config::{self as config, Config, Protocol, Transport};
use pointsman_sandbox::{Sandbox, Workers, WorkersOptions};
use pointsman_session::{core, runtime};
use pointsman_store::catalog;
use pointsman_telephony::sip;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Sets up the process's log as the configuration says: at the start, and when it has changed.
pub type ApplyLog = fn(&config::Log);

/// How to run a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// Configuration file; `None`: the embedded defaults.
    pub config: Option<PathBuf>,
    /// Directory for what has to stay: strategies, certificates, native code, the audit log.
    pub data: PathBuf,
    /// Deploy the sample strategies, make an API key, and write `client.toml` for the command line.
    pub demo: bool,
    /// Called with `[application.log]`; `None` where somebody else decides what is logged.
    pub apply_log: Option<ApplyLog>,
}

/// Events of the link that may wait; while the queue is full new calls are refused with 503.
const MAX_LINK_EVENTS: usize = 16_384;

/// How long sessions may take to end once the node is asked to stop and no call waits any more.
const DRAIN: Duration = Duration::from_secs(5);

/// How long what they have sent may take after that.
const SENDING: Duration = Duration::from_secs(5);

/// Id of the key that [`demo::set_up`] adds to those of the configuration.
const DEMO_KEY: &str = "demo";

/// Share of a session's memory that its scripts may take: the rest is the engine's own.
const SCRIPT_SHARE: (u64, u64) = (3, 4);

/// Runs a node until it is told to stop (SIGINT, SIGTERM).
///
/// # Errors
/// When it cannot start: nothing has been promised to anybody then.
pub async fn serve(options: Options) -> Result<(), Error> {
    // For documents fetched over https. Set already when the command line has done it.
    let _already = rustls::crypto::ring::default_provider().install_default();
    // Everything is read and checked before a port opens.
    let config = reload::read(options.config.as_deref())?;
    if let Some(apply) = options.apply_log {
        apply(&config.application.log);
    }
    if let Err(error) = pointsman_sandbox::raise_descriptor_limit() {
        tracing::warn!(%error, "the limit on open files stays as it is: raise it with `ulimit -n` where many connections come");
    }
    let data = Data::open(&options.data)?;
    let identities = identities(&config, &options, &data)?;
    let sandbox = sandbox(&config, &data)?;
    let catalog = Arc::new(catalog::Files::open(data.folder("catalog")?)?);
    for problem in catalog.problems() {
        tracing::error!(%problem.file, problem.reason, "a part of the strategy catalog is damaged and is not served");
    }
    let web = outgoing::client(&config, options.config.as_deref())?;
    let locations = Locations::open(&data)?;
    let compiler = Compiler::new(sandbox.clone(), limits(&config));
    let documents = data.folder("documents")?;
    let config = Arc::new(ArcSwap::from_pointee(config));
    let outgoing = Outgoing::new(web, config.clone());
    let programs = Programs::new(sandbox.clone(), compiler, catalog, documents, outgoing.clone());

    let workers = workers(&config.load())?;
    let (calls, requests) = Calls::new(config.clone(), programs.clone());
    let modules = Modules::new(config.clone(), calls.clone(), programs.clone(), outgoing, locations);
    let runtime = start_runtime(&config.load(), &workers, &modules)?;
    calls.connect(runtime.clone());

    let keys = Arc::new(KeyRing::new(reload::keys(&config.load())));
    let ready = Arc::new(AtomicBool::new(false));
    let (stop, stopped) = watch::channel(false);

    // Ports, all of them before the first call is taken.
    let (events, receiver) = mpsc::channel(MAX_LINK_EVENTS);
    let link = bind_link(&config.load(), &identities, events).await?;
    let listeners = bind_http(&config.load())?;
    if let Some((_, address)) = listeners.first() {
        modules.locations().bound(*address);
        if address.ip().is_unspecified() && config.load().application.orchestration.external_url.is_none() {
            tracing::warn!(
                %address,
                "strategies are told that they are reached at this machine's own loopback address: set external-url, or bind REST to an address that others reach"
            );
        }
    }
    let mut bound: Vec<String> = listeners.iter().map(|(_, a)| format!("https://{a}")).collect();
    let mut reloader = Reloader::new(
        options.config.clone(),
        config.clone(),
        keys.clone(),
        identities.clone(),
        options.apply_log,
    );
    let mut tasks = JoinSet::new();
    let mut link = link.map(|(link, handle)| {
        bound.extend(
            link.addresses()
                .iter()
                .map(|b| format!("sip {:?} {}", b.protocol, b.address).to_lowercase()),
        );
        reloader.link(handle.clone());
        let mut stopped = stopped.clone();
        let link = tokio::spawn(link.run(async move {
            // The sender lives as long as this function: an error is as good as a stop.
            let _stopped = stopped.wait_for(|s| *s).await;
        }));
        let mut helpers = JoinSet::new();
        helpers.spawn(Calls::pump(requests, handle));
        helpers.spawn(calls.clone().run(receiver));
        LinkTasks {
            link: Some(link),
            helpers,
        }
    });

    let mut registry = prometheus_client::registry::Registry::with_prefix("pointsman");
    registry.register_collector(Box::new(Figures {
        runtime: runtime.clone(),
        calls: calls.clone(),
        workers: workers.clone(),
    }));
    let sending = modules.clone();
    let backend = Arc::new(Backend {
        config: config.clone(),
        programs,
        runtime: runtime.clone(),
        modules,
        registry,
        ready: ready.clone(),
        requests: AtomicU64::new(0),
    });
    let welcome = match options.demo {
        true => Some(demo::set_up(&backend, &keys, &data, &listeners)?),
        false => None,
    };
    if options.demo
        && let Some(key) = keys.find(DEMO_KEY)
    {
        // It is in no file, and must outlive a reload.
        reloader.keep(ApiKey::clone(&key));
    }
    let router = pointsman_api::router(
        Arc::new(Shared(backend)),
        keys,
        audit(&data)?,
        pointsman_api::Options::default(),
    );
    let handle = axum_server::Handle::new();
    let bounds = accept::Bounds::default();
    for (listener, _) in listeners {
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(identities.http.current());
        reloader.http(tls.clone());
        let mut server = axum_server::from_tcp_rustls(listener, tls)?
            .map(|tls| bounds.before(tls))
            .handle(handle.clone());
        accept::set_timeouts(&mut server);
        let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tasks.spawn(server.serve(service));
    }
    tokio::spawn(reloader.run(stopped.clone()));
    ready.store(true, Ordering::Relaxed);
    let name = config.load().application.name.to_string();
    tracing::info!(name, bound = bound.join(", "), "pointsman is ready");
    if let Some(text) = welcome {
        demo::say(&text);
    }

    let broken = tokio::select! {
        asked = signal() => { asked?; None }
        error = ended(&mut link, &mut tasks) => Some(error),
    };
    ready.store(false, Ordering::Relaxed);
    match &broken {
        None => tracing::info!("stopping: no new calls and sessions; send the signal again to stop at once"),
        Some(error) => {
            tracing::error!(%error, "a part of the server has ended: no calls can be routed any more, stopping");
        }
    }
    // Nobody listens any more only when the tasks have ended already.
    let _ = stop.send(true);
    let graceful = async {
        // Calls first: a session that is about to decide about one must not be ended before the link has given it its time.
        if let Some(link) = link {
            link.stopped().await;
        }
        let left = runtime.drain(DRAIN).await;
        if left > 0 {
            tracing::warn!(left, "sessions were ended by the stop");
        }
        sending.settled(SENDING).await;
        handle.graceful_shutdown(Some(DRAIN));
        while tasks.join_next().await.is_some() {}
    };
    tokio::select! {
        () = graceful => tracing::info!("stopped"),
        again = signal() => { again?; tracing::warn!("stopped at once"); }
    }
    broken.map_or(Ok(()), Err)
}

/// The link and the tasks between it and the sessions: without any of them no call is routed.
struct LinkTasks {
    /// `None` once it has ended.
    link: Option<JoinHandle<Result<(), sip::Error>>>,
    helpers: JoinSet<()>,
}

impl LinkTasks {
    /// Until one of them ends before it is asked to.
    async fn ended(&mut self) -> Error {
        let LinkTasks { link, helpers } = self;
        let of_link = async {
            match link.as_mut() {
                Some(link) => link.await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = of_link => {
                self.link = None;
                ended
            }
            Some(ended) = helpers.join_next() => ended.map(Ok),
        };
        match ended {
            Ok(Ok(())) => Error::Link(sip::Error::Closed),
            Ok(Err(e)) => Error::Link(e),
            Err(e) => std::io::Error::other(format!("a task of the SIP link failed: {e}")).into(),
        }
    }

    /// Until the link has answered its last calls, once the node stops.
    async fn stopped(self) {
        match self.link {
            None => {}
            Some(link) => match link.await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => tracing::error!(error = %e, "the link stopped"),
                Err(e) => tracing::error!(error = %e, "the link's task failed"),
            },
        }
    }
}

/// Until the link or a REST server ends before it is asked to.
async fn ended(link: &mut Option<LinkTasks>, http: &mut JoinSet<std::io::Result<()>>) -> Error {
    let of_link = async {
        match link {
            Some(link) => link.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        error = of_link => error,
        Some(ended) = http.join_next() => {
            let why = match ended {
                Ok(Ok(())) => "it was closed".into(),
                Ok(Err(e)) => e.to_string(),
                Err(e) => e.to_string(),
            };
            std::io::Error::other(format!("the REST server has ended: {why}")).into()
        }
    }
}

/// The certificates in use.
#[derive(Clone)]
pub(crate) struct Identities {
    pub http: Arc<Identity>,
    pub sip: Arc<Identity>,
}

fn identities(config: &Config, options: &Options, data: &Data) -> Result<Identities, Error> {
    let base = options
        .config
        .as_deref()
        .and_then(Path::parent)
        .unwrap_or_else(|| Path::new(""));
    let of = |protocol: Protocol, alpn: &[&[u8]]| -> Result<Arc<Identity>, Error> {
        let configured = config
            .application
            .ports
            .iter()
            .filter(|p| p.protocol == protocol)
            .find_map(|p| p.certificate.as_ref().zip(p.key.as_ref()));
        let (certificate, key) = match configured {
            Some((c, k)) => (base.join(c.to_string()), base.join(k.to_string())),
            None => {
                let dir = data.path.join("certs");
                for made in certs::init(&dir)? {
                    tracing::info!(file = %made.display(), "made a development certificate");
                }
                (dir.join(certs::SERVER), dir.join(certs::SERVER_KEY))
            }
        };
        Ok(Arc::new(Identity::load(&certificate, &key, alpn)?))
    };
    Ok(Identities {
        http: of(Protocol::Http, &[b"h2", b"http/1.1"])?,
        sip: of(Protocol::Sip, &[])?,
    })
}

fn sandbox(config: &Config, data: &Data) -> Result<Sandbox, Error> {
    let a = &config.application;
    let options = pointsman_sandbox::Options {
        sessions: a.sandbox.max_live_sessions,
        step_budget: Duration::from_millis(a.scxml.process_event_timeout.0),
        ..pointsman_sandbox::Options::default()
    };
    Ok(Sandbox::new(options, Some(data.folder("cache")?))?)
}

fn limits(config: &Config) -> Limits {
    let a = &config.application;
    let memory = a.sandbox.memory_per_session.0 / SCRIPT_SHARE.1 * SCRIPT_SHARE.0;
    Limits {
        memory: u32::try_from(memory).unwrap_or(u32::MAX),
        microsteps: a.scxml.max_microstep_count,
        log_bytes: u32::try_from(a.sandbox.max_log_bytes_per_step.0).unwrap_or(u32::MAX),
        ..Limits::default()
    }
}

fn workers(config: &Config) -> Result<Workers, Error> {
    let mut options = WorkersOptions::default();
    match config.application.scxml.session_processing_threads {
        0 => {}
        n => options.lanes = n as usize,
    }
    // A lane is never full as long as every session may have one job in it.
    options.queue = options
        .queue
        .max(2 * config.application.sandbox.max_live_sessions as usize);
    Ok(Workers::start(options)?)
}

/// What one tenant may have of the sessions where nothing is said: half of them beside other tenants, so that none can take the
/// host away from all others.
fn share(all: u32, tenants: usize) -> u32 {
    if tenants > 1 { (all / 2).max(1) } else { all }
}

fn start_runtime(config: &Config, workers: &Workers, modules: &Modules) -> Result<runtime::Runtime, Error> {
    let a = &config.application;
    let options = runtime::Options {
        session: core::Options {
            max_waiting: a.scxml.max_pending_events as usize,
            max_age_ms: a.scxml.max_session_age.0 * 1000,
            ..core::Options::default()
        },
        lanes: workers.lanes(),
        max_live: a.sandbox.max_live_sessions as usize,
        max_live_per_tenant: a
            .sandbox
            .max_live_sessions_per_tenant
            .unwrap_or_else(|| share(a.sandbox.max_live_sessions, config.tenants.len()))
            as usize,
        ..runtime::Options::default()
    };
    let services = runtime::Services {
        journal: Arc::new(pointsman_store::memory::Journal::new(
            pointsman_store::memory::Options::default(),
        )),
        executor: Arc::new(Lanes(workers.clone())),
        commands: Arc::new(modules.clone()),
        host_data: Arc::new(modules.clone()),
        clock: Arc::new(runtime::SystemClock),
    };
    Ok(runtime::Runtime::new(options, services)?)
}

/// One link for all SIP ports: a number and the host of the Request-URI find their switch, and through it the tenant.
async fn bind_link(
    config: &Config,
    identities: &Identities,
    events: mpsc::Sender<pointsman_telephony::model::Event>,
) -> Result<Option<(sip::Link, sip::Handle)>, Error> {
    let ports: Vec<&config::Port> = config
        .application
        .ports
        .iter()
        .filter(|p| p.protocol == Protocol::Sip)
        .collect();
    if ports.is_empty() {
        return Ok(None);
    }
    let mut options = sip::Options {
        name: "sip".into(),
        max_pending_calls: config.application.orchestration.max_pending_calls as usize,
        ..sip::Options::default()
    };
    for port in &ports {
        let protocol = match port.transport {
            Transport::Udp => sip::Protocol::Udp,
            Transport::Tcp => sip::Protocol::Tcp,
            Transport::Tls => sip::Protocol::Tls,
        };
        options.bind.push(sip::Bind {
            protocol,
            address: port.address,
        });
    }
    if let Some(limits) = config.sip_limits() {
        options.max_message = limits.max_message_size.0 as usize;
        options.max_headers = limits.max_header_count as usize;
        options.max_transactions_per_source = limits.max_transactions_per_source as usize;
    }
    let sip_identity = identities.sip.clone();
    let tls: sip::TlsConfig = Arc::new(move || sip_identity.current());
    Ok(Some(
        sip::Link::bind(options, reload::dn_table(config), Some(tls), events).await?,
    ))
}

fn bind_http(config: &Config) -> Result<Vec<(TcpListener, SocketAddr)>, Error> {
    let mut listeners = Vec::new();
    for port in config.application.ports.iter().filter(|p| p.protocol == Protocol::Http) {
        let failed = |source| Error::Listen {
            what: "REST".into(),
            address: port.address,
            source,
        };
        let listener = TcpListener::bind(port.address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        listeners.push((listener, address));
    }
    Ok(listeners)
}

fn audit(data: &Data) -> Result<Arc<JsonLines<std::fs::File>>, Error> {
    let mut options = cap_std::fs::OpenOptions::new();
    let file = data.dir.open_with("audit.jsonl", options.create(true).append(true));
    let file = file.map_err(|source| Error::Path {
        what: "the audit log",
        path: data.path.join("audit.jsonl"),
        source,
    })?;
    Ok(Arc::new(JsonLines::new(file.into_std())))
}

async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> LinkTasks {
        LinkTasks {
            link: Some(tokio::spawn(std::future::pending())),
            helpers: JoinSet::new(),
        }
    }

    #[tokio::test]
    async fn a_link_or_a_helper_that_ends_or_panics_is_noticed() {
        let mut over = tasks();
        over.link = Some(tokio::spawn(async { Err(sip::Error::EventsClosed) }));
        assert!(matches!(over.ended().await, Error::Link(sip::Error::EventsClosed)));
        over.stopped().await;

        let mut ended = tasks();
        ended.helpers.spawn(async {});
        assert!(matches!(ended.ended().await, Error::Link(sip::Error::Closed)));

        let mut broken = tasks();
        broken.helpers.spawn(async { panic!("on purpose") });
        assert!(broken.ended().await.to_string().contains("panicked"));
    }
}
