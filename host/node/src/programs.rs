//! From a reference to something that sessions can be made of.
//!
//! ```text
//!   name@version          catalog ------------------------------> component --> loaded strategy
//!   file:, http:          text, includes --> compiled already? --> component --> loaded strategy
//! ```
//!
//! A document is compiled once for as long as everything that was read for it stays the same: the document, what it
//! includes, and whose it is.

use crate::adapters::Program;
use crate::outgoing::Outgoing;
use pointsman_compiler::{Compiler, Form, Manifest, Sources};
use pointsman_config as config;
use pointsman_contract::{Digest, Failure, SessionId, Settings};
use pointsman_sandbox::{LoadError, Sandbox, Strategy};
use pointsman_scxml::{Diagnostic, ResolveError, Resolver};
use pointsman_session::runtime::{self, Runtime};
use pointsman_store::catalog::{self, Catalog, Reference};
use pointsman_store::{Name, Tenant};
use pointsman_web::url::Url;
use pointsman_web::{AllowList, Answer, Destination, Freshness, Request, Web, shown};
use sha2::Digest as _;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Loaded strategies that are kept. Each costs a file descriptor and about 400 KiB.
const MAX_LOADED: usize = 1000;

/// Largest document, and largest file that one includes, bytes.
const MAX_DOCUMENT: usize = 4 << 20;

/// Longest time that a fetched document is kept, whatever its server says: a mistaken `max-age` must not need a restart.
const MAX_FRESH: Duration = Duration::from_secs(3600);

/// Files that a fetched document may include (ORS `max-includes` is about as many), and their bytes together.
const MAX_INCLUDES: usize = 100;
const MAX_INCLUDED: usize = 16 << 20;

/// Locks that keep two calls from compiling the same document at the same time.
const COMPILING: usize = 16;

/// Why there is no program for a reference.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error("`{0}` is no strategy's name: {1}")]
    Name(String, String),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("the document has errors:\n{}", render(.0))]
    Document(Problems),
    #[error("{url}: {why}")]
    Fetch { url: String, why: String },
    #[error("the script `{0}` does not exist for this tenant")]
    NoScript(String),
    #[error("{0}")]
    Expand(#[from] config::ExpandError),
}

/// Diagnostics with the texts they point into.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub diagnostics: Vec<Diagnostic>,
    pub files: Vec<pointsman_scxml::model::SourceFile>,
}

fn render(p: &Problems) -> String {
    let mut files = p.files.clone();
    for file in files.iter_mut().filter(|f| f.url.starts_with("http")) {
        file.url = pointsman_web::shown_text(&file.url);
    }
    pointsman_scxml::render(&p.diagnostics, &files)
}

/// A compiled document.
pub(crate) struct Compiled {
    pub component: Vec<u8>,
    pub warnings: Problems,
}

/// Who has named a document's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// The operator, in the configuration: so that server may be asked.
    Operator,
    /// A strategy: only what its tenant allows may be asked.
    Strategy,
}

/// A program and what to call it.
pub(crate) struct Found {
    pub name: Name,
    pub version: u32,
    pub component: Digest,
    pub program: Arc<dyn runtime::Program>,
    /// Where a document came from that was fetched: what it refers to is relative to that.
    pub base: Option<Url>,
}

impl Found {
    /// A session of it to be started, that nobody has invoked.
    pub fn request(self, tenant: Tenant, params: String, origin: String) -> runtime::StartRequest {
        runtime::StartRequest {
            tenant,
            strategy: self.name,
            version: self.version,
            component: self.component,
            program: self.program,
            params,
            origin,
            trace: false,
            invocation: None,
        }
    }
}

/// Finds, compiles and loads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Programs {
    inner: Arc<Inner>,
}

struct Inner {
    sandbox: Sandbox,
    compiler: Compiler,
    catalog: Arc<dyn Catalog>,
    documents: cap_std::fs::Dir,
    outgoing: Outgoing,
    loaded: Mutex<Recent<Digest, Loaded>>,
    /// What was compiled from files and URLs, by [`document_key`].
    compiled: Mutex<Recent<Digest, Arc<Made>>>,
    /// Where the documents of live sessions came from.
    bases: Mutex<HashMap<SessionId, Url>>,
    compiling: [Mutex<()>; COMPILING],
    /// Documents that sessions invoke or start are compiled one at a time.
    turn: Arc<tokio::sync::Semaphore>,
}

/// Whether compiling waits for what others have compiled before: it takes processor time that calls need as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A call waits: at once.
    AtOnce,
    /// What sessions invoke and start, one at a time.
    InTurn,
}

/// A strategy that sessions can be made of, and what its document settles for them.
#[derive(Clone)]
pub(crate) struct Loaded {
    strategy: Strategy,
    settings: Settings,
}

/// The same, with the memory that they may have.
struct Settled {
    program: Program,
    settings: Settings,
}

impl runtime::Program for Settled {
    fn instantiate(&self, info: &runtime::Info) -> Result<Box<dyn runtime::Strategy>, Failure> {
        // What a sandbox may take at most, its document cannot raise.
        let longest = self.settings.event_timeout_ms.map(Duration::from_millis);
        self.program.instantiate_within(info, longest)
    }

    fn settings(&self) -> Settings {
        self.settings.clone()
    }
}

/// What a document was compiled to, and from which includes.
struct Made {
    component: Digest,
    reads: Vec<ReadFile>,
}

/// A file that was read while a document was compiled.
#[derive(PartialEq, Eq)]
struct ReadFile {
    base: String,
    reference: String,
    /// Of its URL and text; `None` if it could not be read.
    digest: Option<Digest>,
}

/// A document that was read, with everything that it includes.
enum Read {
    /// It was compiled before.
    Loaded(Loaded),
    Parsed(Box<Parsed>),
}

struct Parsed {
    key: Digest,
    url: String,
    document: pointsman_scxml::model::Document,
    reads: Vec<ReadFile>,
}

impl Programs {
    pub fn new(
        sandbox: Sandbox,
        compiler: Compiler,
        catalog: Arc<dyn Catalog>,
        documents: cap_std::fs::Dir,
        outgoing: Outgoing,
    ) -> Self {
        Programs {
            inner: Arc::new(Inner {
                sandbox,
                compiler,
                catalog,
                documents,
                outgoing,
                loaded: Mutex::new(Recent::new(MAX_LOADED)),
                compiled: Mutex::new(Recent::new(MAX_LOADED)),
                bases: Mutex::default(),
                compiling: Default::default(),
                turn: Arc::new(tokio::sync::Semaphore::new(1)),
            }),
        }
    }

    pub fn catalog(&self) -> &dyn Catalog {
        &*self.inner.catalog
    }

    /// Starts a session that nobody has invoked.
    pub fn start(
        &self,
        runtime: &Runtime,
        found: Found,
        tenant: Tenant,
        params: String,
        origin: String,
    ) -> Result<SessionId, runtime::Error> {
        self.start_as(runtime, runtime.new_id()?, found, |found| {
            found.request(tenant, params, origin)
        })
    }

    /// Starts a session under an id of [`Runtime::new_id`], and remembers where its document came from.
    pub fn start_as(
        &self,
        runtime: &Runtime,
        id: SessionId,
        mut found: Found,
        request: impl FnOnce(Found) -> runtime::StartRequest,
    ) -> Result<SessionId, runtime::Error> {
        if let Some(base) = found.base.take() {
            // Before it runs: its first step may refer to it.
            lock(&self.inner.bases).insert(id, base);
        }
        let started = runtime.start_as(id, request(found));
        if started.is_err() {
            self.ended(id);
        }
        started
    }

    /// Where a session's document came from, if it was fetched.
    pub fn base(&self, session: SessionId) -> Option<Url> {
        lock(&self.inner.bases).get(&session).cloned()
    }

    /// A session is over.
    pub fn ended(&self, session: SessionId) {
        lock(&self.inner.bases).remove(&session);
    }

    /// A deployed strategy: no waiting, unless its component has to be read from disk.
    pub fn deployed(&self, tenant: &Tenant, reference: &Reference, memory: usize) -> Result<Found, Error> {
        let resolved = self.inner.catalog.resolve(tenant, reference)?;
        let loaded = match self.cached(&resolved.component) {
            Some(l) => l,
            None => self.load(&self.inner.catalog.component(resolved.component)?)?,
        };
        Ok(Found {
            name: reference.name.clone(),
            version: resolved.version.0.get(),
            component: resolved.component,
            program: self.program(loaded, memory),
            base: None,
        })
    }

    /// The first of these documents, which the configuration names, that can be used; otherwise why the last cannot.
    pub async fn find_first(
        &self,
        tenant: &Tenant,
        documents: Vec<Result<config::ResolvedDocument, config::ExpandError>>,
        memory: usize,
        timeout: Duration,
    ) -> Result<Found, String> {
        let mut why = "no document is named".to_owned();
        for document in documents {
            let found = match document {
                Ok(d) => {
                    let found = self.find(tenant, &d, NamedBy::Operator, Turn::AtOnce, memory, timeout);
                    found.await
                }
                Err(e) => Err(e.into()),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(error) => {
                    tracing::warn!(%tenant, %error, "a document cannot be used");
                    why = error.to_string();
                }
            }
        }
        Err(why)
    }

    /// What a reference leads to.
    pub async fn find(
        &self,
        tenant: &Tenant,
        document: &config::ResolvedDocument,
        by: NamedBy,
        turn: Turn,
        memory: usize,
        timeout: Duration,
    ) -> Result<Found, Error> {
        match document {
            config::ResolvedDocument::Strategy { name, version } => {
                let text = match version {
                    Some(v) => format!("{name}@{v}"),
                    None => name.to_string(),
                };
                let reference = text
                    .parse::<Reference>()
                    .map_err(|e| Error::Name(text.clone(), e.to_string()))?;
                let (this, tenant) = (self.clone(), tenant.clone());
                blocking(&text, move || this.deployed(&tenant, &reference, memory)).await
            }
            config::ResolvedDocument::Script(name) => Err(Error::NoScript(name.to_string())),
            config::ResolvedDocument::File(path) => {
                let (this, tenant, path) = (self.clone(), tenant.clone(), path.to_string());
                let url = format!("file:{path}");
                let of = path.clone();
                let read = blocking(&url, move || this.read_file(&tenant, &path)).await?;
                self.finish(&of, read, turn, memory).await
            }
            config::ResolvedDocument::Http(url) => {
                let failed = |e: pointsman_web::Error| Error::Fetch {
                    url: pointsman_web::shown_text(url),
                    why: e.to_string(),
                };
                let parsed = Web::url(url, None).map_err(failed)?;
                let until = Instant::now() + timeout;
                let allowed = self.allowed(tenant, &parsed, by);
                let (base, text) = self.fetch(tenant, &allowed, parsed, timeout).await?;
                let (this, tenant, of) = (self.clone(), tenant.clone(), base.clone());
                let read = move || {
                    let remote = Remote {
                        programs: &this,
                        tenant: &tenant,
                        allowed,
                        until,
                        left: Cell::new((MAX_INCLUDES, MAX_INCLUDED)),
                        tasks: tokio::runtime::Handle::current(),
                    };
                    this.read(&tenant, of.as_str(), &text, &remote)
                };
                let read = blocking(base.as_str(), read).await?;
                let found = self.finish(base.as_str(), read, turn, memory).await?;
                Ok(Found {
                    base: Some(base),
                    ..found
                })
            }
        }
    }

    /// A document that a strategy brings with it.
    pub async fn inline(&self, tenant: &Tenant, url: &str, text: String, memory: usize) -> Result<Found, Error> {
        let (this, tenant, of) = (self.clone(), tenant.clone(), url.to_owned());
        let read = blocking(url, move || this.read(&tenant, &of, &text, &pointsman_scxml::NoFiles)).await?;
        self.finish(url, read, Turn::InTurn, memory).await
    }

    /// What was read becomes a program. Only now is anything waited for that others hold.
    async fn finish(&self, url: &str, read: Read, turn: Turn, memory: usize) -> Result<Found, Error> {
        let loaded = match read {
            Read::Loaded(loaded) => loaded,
            Read::Parsed(parsed) => {
                let turn = match turn {
                    // Never closed.
                    Turn::InTurn => self.inner.turn.clone().acquire_owned().await.ok(),
                    Turn::AtOnce => None,
                };
                let this = self.clone();
                let make = move || {
                    let _turn = turn;
                    this.make(*parsed)
                };
                blocking(url, make).await?
            }
        };
        Ok(self.found(url, loaded, memory))
    }

    fn found(&self, url: &str, loaded: Loaded, memory: usize) -> Found {
        Found {
            name: name_of(url),
            version: 0,
            component: loaded.strategy.digest(),
            program: self.program(loaded, memory),
            base: None,
        }
    }

    fn read_file(&self, tenant: &Tenant, path: &str) -> Result<Read, Error> {
        let full = format!("{tenant}/{path}");
        let failed = |e: std::io::Error| Error::Fetch {
            url: format!("file:{path}"),
            why: e.to_string(),
        };
        let text = read_text(&self.inner.documents, &full).map_err(failed)?;
        let folder = match full.rsplit_once('/') {
            Some((folder, _)) => self.inner.documents.open_dir(folder).map_err(failed)?,
            None => self.inner.documents.try_clone().map_err(failed)?,
        };
        self.read(tenant, path, &text, &Folder(folder))
    }

    /// What may be asked for a document, for what it includes, and where those may redirect to.
    fn allowed(&self, tenant: &Tenant, url: &Url, by: NamedBy) -> AllowList {
        let allowed = self.inner.outgoing.allowed(tenant);
        match by {
            NamedBy::Strategy => allowed,
            NamedBy::Operator => {
                let mut upgraded = url.clone();
                let upgrade =
                    url.scheme() == "http" && upgraded.set_scheme("https").is_ok() && upgraded.set_port(None).is_ok();
                let upgraded = upgrade.then(|| Destination::server_of(&upgraded)).flatten();
                allowed.with(Destination::server_of(url).into_iter().chain(upgraded))
            }
        }
    }

    /// The text at a URL and the URL that it came from, from memory where HTTP's rules say that this will do.
    async fn fetch(
        &self,
        tenant: &Tenant,
        allowed: &AllowList,
        url: Url,
        timeout: Duration,
    ) -> Result<(Url, String), Error> {
        let request = Request {
            timeout,
            max_body: MAX_DOCUMENT,
            freshness: Freshness {
                max_age: Some(MAX_FRESH),
                max_stale: None,
                max_stale_if_error: Some(self.inner.outgoing.max_stale()),
            },
            // Calls wait for documents.
            reserved: true,
            ..Request::get(url.clone())
        };
        let failed = |why: String| Error::Fetch { url: shown(&url), why };
        let answer = self.inner.outgoing.send_to(tenant, allowed, request).await;
        let answer: Answer = answer.map_err(|e| failed(e.to_string()))?;
        if !(200..300).contains(&answer.status) {
            return Err(failed(format!("the server answers {}", answer.status)));
        }
        let text = answer
            .text()
            .ok_or_else(|| failed("the document is not UTF-8".into()))?;
        let from = Web::url(&answer.url, None).map_err(|e| failed(e.to_string()))?;
        Ok((from, text))
    }

    /// Reads a document and its includes, which may take long: nobody waits for that but who wants it.
    fn read(&self, tenant: &Tenant, url: &str, text: &str, files: &dyn Resolver) -> Result<Read, Error> {
        let key = document_key(tenant, url, text);
        if let Some(loaded) = self.made(&key, files) {
            return Ok(Read::Loaded(loaded));
        }
        let recording = Recording {
            files,
            reads: RefCell::default(),
        };
        let (document, _) = parse(url, text, &recording)?;
        Ok(Read::Parsed(Box::new(Parsed {
            key,
            url: url.to_owned(),
            document,
            reads: recording.reads.into_inner(),
        })))
    }

    /// Compiles and loads what was read, unless somebody else has just done so.
    fn make(&self, parsed: Parsed) -> Result<Loaded, Error> {
        let Parsed {
            key,
            url,
            document,
            reads,
        } = parsed;
        // A burst of calls after a change compiles once: the others wait here for the first.
        let _one_at_a_time = lock(&self.inner.compiling[usize::from(key.0[0]) % COMPILING]);
        let made = lock(&self.inner.compiled).get(&key).filter(|made| made.reads == reads);
        if let Some(loaded) = made.and_then(|made| self.cached(&made.component)) {
            return Ok(loaded);
        }
        let loaded = self.load(&self.compile_parsed(&url, &document)?.component)?;
        let made = Made {
            component: loaded.strategy.digest(),
            reads,
        };
        lock(&self.inner.compiled).insert(key, Arc::new(made), 1);
        Ok(loaded)
    }

    /// What the document was compiled to, if it is still loaded and every include still reads the same.
    fn made(&self, key: &Digest, files: &dyn Resolver) -> Option<Loaded> {
        let made = lock(&self.inner.compiled).get(key)?;
        let same = |r: &ReadFile| digest_of(&files.read(&r.base, &r.reference)) == r.digest;
        if !made.reads.iter().all(same) {
            return None;
        }
        self.cached(&made.component)
    }

    /// Compiles a document.
    pub fn compile(&self, url: &str, text: &str, files: &dyn Resolver) -> Result<Compiled, Error> {
        let (document, mut warnings) = parse(url, text, files)?;
        let compiled = self.compile_parsed(url, &document)?;
        warnings.extend(compiled.warnings);
        let warnings = Problems {
            diagnostics: warnings,
            files: document.files,
        };
        Ok(Compiled {
            component: compiled.component,
            warnings,
        })
    }

    fn compile_parsed(
        &self,
        url: &str,
        document: &pointsman_scxml::model::Document,
    ) -> Result<pointsman_compiler::Compiled, Error> {
        let compiled = self.inner.compiler.compile(document, Form::Image);
        compiled.map_err(|e| Error::Fetch {
            url: pointsman_web::shown_text(url),
            why: e.to_string(),
        })
    }

    /// Checks and loads a component.
    pub fn load(&self, component: &[u8]) -> Result<Loaded, Error> {
        let strategy = self.inner.sandbox.load(component);
        let strategy = match strategy {
            // The engine has changed since: the component brings what it was made from.
            Err(LoadError::OtherEngine { found, expected }) => match self.remake(component) {
                Some(remade) => remade?,
                None => return Err(LoadError::OtherEngine { found, expected }.into()),
            },
            other => other?,
        };
        let digest = Digest(sha2::Sha256::digest(component).into());
        let loaded = Loaded {
            strategy,
            settings: Manifest::of(component).map(|m| m.settings).unwrap_or_default(),
        };
        lock(&self.inner.loaded).insert(digest, loaded.clone(), 1);
        Ok(loaded)
    }

    fn remake(&self, component: &[u8]) -> Option<Result<Strategy, Error>> {
        let Sources(files) = Sources::of_component(component)?;
        let (main, rest) = files.split_first()?;
        let included = pointsman_scxml::MapResolver::new(rest.iter().map(|f| (f.url.clone(), f.text.clone())));
        let compiled = self.compile(&main.url, &main.text, &included);
        Some(compiled.and_then(|c| Ok(self.inner.sandbox.load(&c.component)?)))
    }

    fn cached(&self, digest: &Digest) -> Option<Loaded> {
        lock(&self.inner.loaded).get(digest)
    }

    fn program(&self, loaded: Loaded, memory: usize) -> Arc<dyn runtime::Program> {
        let Loaded { strategy, settings } = loaded;
        let program = Program {
            sandbox: self.inner.sandbox.clone(),
            strategy,
            memory,
        };
        Arc::new(Settled { program, settings })
    }
}

fn parse(
    url: &str,
    text: &str,
    files: &dyn Resolver,
) -> Result<(pointsman_scxml::model::Document, Vec<Diagnostic>), Error> {
    pointsman_scxml::read(url, text, files).map_err(|e| {
        Error::Document(Problems {
            diagnostics: e.diagnostics,
            files: e.files,
        })
    })
}

/// A panic while one of these is held leaves the maps as they were.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compiling takes tens of milliseconds and reads files: off the asynchronous threads, which carry all calls.
async fn blocking<T: Send + 'static>(
    url: &str,
    f: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(f).await.unwrap_or_else(|e| {
        Err(Error::Fetch {
            url: pointsman_web::shown_text(url),
            why: e.to_string(),
        })
    })
}

/// Values by key, of which the least recently used make room for new ones.
struct Recent<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Counts insertions and uses: the stamp of the last one.
    uses: u64,
    weight: usize,
    most: usize,
}

struct Entry<V> {
    value: V,
    used: u64,
    weight: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    /// Holds values whose weights add up to `most`.
    fn new(most: usize) -> Self {
        Recent {
            entries: HashMap::new(),
            uses: 0,
            weight: 0,
            most,
        }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        entry.used = self.uses;
        Some(entry.value.clone())
    }

    fn insert(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.most {
            return;
        }
        while self.weight + weight > self.most {
            let oldest = self.entries.iter().min_by_key(|(_, e)| e.used).map(|(k, _)| k.clone());
            let Some(oldest) = oldest else { break };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.weight += weight;
        let used = self.uses;
        self.entries.insert(key, Entry { value, used, weight });
    }

    fn remove(&mut self, key: &K) {
        if let Some(gone) = self.entries.remove(key) {
            self.weight -= gone.weight;
        }
    }
}

/// Names what is compiled. With the tenant: the same reference names another file for another tenant.
fn document_key(tenant: &Tenant, url: &str, text: &str) -> Digest {
    let mut hash = sha2::Sha256::new();
    for part in [tenant.as_str(), url, text] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Digest(hash.finalize().into())
}

fn digest_of(read: &Result<(String, String), ResolveError>) -> Option<Digest> {
    let (url, text) = read.as_ref().ok()?;
    let mut hash = sha2::Sha256::new();
    hash.update((url.len() as u64).to_le_bytes());
    hash.update(url);
    hash.update(text);
    Some(Digest(hash.finalize().into()))
}

/// A resolver that notes what was read through it.
struct Recording<'a> {
    files: &'a dyn Resolver,
    reads: RefCell<Vec<ReadFile>>,
}

impl Resolver for Recording<'_> {
    fn read(&self, base: &str, reference: &str) -> Result<(String, String), ResolveError> {
        let read = self.files.read(base, reference);
        self.reads.borrow_mut().push(ReadFile {
            base: base.into(),
            reference: reference.into(),
            digest: digest_of(&read),
        });
        read
    }
}

/// Reads a text file of at most [`MAX_DOCUMENT`] bytes.
fn read_text(dir: &cap_std::fs::Dir, path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    dir.open(path)?
        .take(MAX_DOCUMENT as u64 + 1)
        .read_to_string(&mut text)?;
    if text.len() > MAX_DOCUMENT {
        return Err(std::io::Error::other(format!("it is larger than {MAX_DOCUMENT} bytes")));
    }
    Ok(text)
}

/// A name for a document that was not deployed: the last part of its URL.
fn name_of(url: &str) -> Name {
    let last = url
        .split(['?', '#'])
        .next()
        .unwrap_or(url)
        .rsplit('/')
        .next()
        .unwrap_or(url);
    let stem = last.strip_suffix(".scxml").unwrap_or(last).to_ascii_lowercase();
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
        .take(60)
        .collect();
    plain
        .trim_start_matches('-')
        .parse()
        .or_else(|_| "document".parse())
        .expect("`document` is a name")
}

/// Files below one folder; cap-std lets no path out of it.
struct Folder(cap_std::fs::Dir);

impl Resolver for Folder {
    fn read(&self, _: &str, reference: &str) -> Result<(String, String), ResolveError> {
        let path = reference.strip_prefix("file:").unwrap_or(reference);
        match read_text(&self.0, path) {
            Ok(text) => Ok((path.to_owned(), text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(ResolveError::NotFound { resolved: path.into() }),
            Err(e) => Err(ResolveError::Failed {
                resolved: path.into(),
                reason: e.to_string(),
            }),
        }
    }
}

/// What a fetched document includes, from where it came. Waits for answers: not for asynchronous threads.
struct Remote<'a> {
    programs: &'a Programs,
    tenant: &'a Tenant,
    allowed: AllowList,
    /// When the document has to be whole.
    until: Instant,
    /// Files and bytes that may still be included.
    left: Cell<(usize, usize)>,
    tasks: tokio::runtime::Handle,
}

impl Resolver for Remote<'_> {
    fn read(&self, base: &str, reference: &str) -> Result<(String, String), ResolveError> {
        let refused = |reason: String| ResolveError::Refused { reason };
        let base = Web::url(base, None).map_err(|e| refused(e.to_string()))?;
        let url = Web::url(reference, Some(&base)).map_err(|e| refused(e.to_string()))?;
        if !self.allowed.allows(&url) {
            return Err(refused(format!(
                "`{}` is not among the destinations that are allowed: a fetched document includes from the server that the \
                 configuration names, and from what is in `allow` of the tenant's [tenant.http]",
                shown(&url)
            )));
        }
        let (files, bytes) = self.left.get();
        let files = files.checked_sub(1);
        let files = files.ok_or_else(|| refused(format!("more than {MAX_INCLUDES} files are included")))?;
        let timeout = self.until.saturating_duration_since(Instant::now());
        let fetched = self
            .tasks
            .block_on(self.programs.fetch(self.tenant, &self.allowed, url.clone(), timeout));
        let (from, text) = fetched.map_err(|error| ResolveError::Failed {
            resolved: shown(&url),
            reason: match error {
                Error::Fetch { why, .. } => why,
                other => other.to_string(),
            },
        })?;
        let bytes = bytes.checked_sub(text.len());
        let bytes = bytes.ok_or_else(|| refused(format!("more than {MAX_INCLUDED} bytes are included")))?;
        self.left.set((files, bytes));
        Ok((from.to_string(), text))
    }
}

/// The includes of an upload, as a resolver.
pub(crate) fn uploaded(files: &BTreeMap<String, String>) -> pointsman_scxml::MapResolver {
    pointsman_scxml::MapResolver::new(files.iter().map(|(name, text)| (name.clone(), text.clone())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;
    use axum::http::header::CACHE_CONTROL;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const DOCUMENT: &str = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript">
        <datamodel><data id="t" src="t.json"/></datamodel><final/></scxml>"#;

    const TIMEOUT: Duration = Duration::from_secs(10);

    struct World {
        folder: tempfile::TempDir,
        programs: Programs,
    }

    impl World {
        fn new() -> World {
            // The tests of one process share it: only the first one's call succeeds.
            let _already = rustls::crypto::ring::default_provider().install_default();
            let folder = tempfile::tempdir().unwrap();
            let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
            let options = pointsman_sandbox::Options {
                sessions: 2,
                ..pointsman_sandbox::Options::default()
            };
            let sandbox = Sandbox::new(options, None).unwrap();
            let compiler = Compiler::new(sandbox.clone(), pointsman_compiler::Limits::default());
            let programs = Programs::new(
                sandbox,
                compiler,
                Arc::new(catalog::Memory::default()),
                dir,
                Outgoing::new(
                    Web::new(pointsman_web::Options::default()).unwrap(),
                    Arc::new(arc_swap::ArcSwap::from_pointee(config::Config::embedded())),
                ),
            );
            World { folder, programs }
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn file(&self, tenant: &str) -> Digest {
            self.found(tenant).component
        }

        fn found(&self, tenant: &str) -> Found {
            let read = self.programs.read_file(&tenant.parse().unwrap(), "r.scxml").unwrap();
            let loaded = match read {
                Read::Loaded(loaded) => loaded,
                Read::Parsed(parsed) => self.programs.make(*parsed).unwrap(),
            };
            self.programs.found("r.scxml", loaded, 1 << 20)
        }
    }

    #[test]
    fn a_tenants_includes_are_its_own_and_a_changed_one_is_compiled_again() {
        let world = World::new();
        for (tenant, target) in [("acme", "1"), ("globex", "2")] {
            world.write(&format!("{tenant}/r.scxml"), DOCUMENT);
            world.write(&format!("{tenant}/t.json"), target);
        }
        let acme = world.file("acme");
        let globex = world.file("globex");
        assert_ne!(acme, globex, "the same text, another include");
        assert_eq!(world.file("acme"), acme);
        let loaded = |digest| lock(&world.programs.inner.loaded).get(&digest).is_some();
        assert!(loaded(acme) && loaded(globex));

        world.write("acme/t.json", "3");
        let changed = world.file("acme");
        assert_ne!(changed, acme, "the change was noticed");
        assert_eq!(world.file("globex"), globex);
        world.write("acme/t.json", "1");
        assert_eq!(world.file("acme"), acme);
    }

    #[test]
    fn what_a_document_settles_for_its_sessions_reaches_them() {
        let world = World::new();
        let text = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" profile="ecmascript" _maxtime="60" _eventLimit="7">
            <final/></scxml>"#;
        world.write("acme/r.scxml", text);
        for _ in 0..2 {
            let found = world.found("acme");
            let settings = found.program.settings();
            assert_eq!((settings.max_age_ms, settings.max_waiting), (Some(60_000), Some(7)));
        }
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let mut recent = Recent::new(3);
        for i in 0..3 {
            recent.insert(i, i, 1);
        }
        // Used often and long ago is what the old stamp took for never.
        for i in 3..20 {
            assert_eq!(recent.get(&0), Some(0));
            recent.insert(i, i, 1);
        }
        assert_eq!(recent.entries.len(), 3);
        assert_eq!(
            [recent.get(&0), recent.get(&17), recent.get(&19)],
            [Some(0), None, Some(19)]
        );
        recent.insert(100, 100, 2);
        assert_eq!(
            (recent.get(&19), recent.get(&100), recent.weight),
            (Some(19), Some(100), 3)
        );
        recent.insert(100, 101, 4);
        assert_eq!((recent.get(&100), recent.weight), (None, 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_document_of_the_configuration_is_fetched_once_while_it_is_fresh_and_never_from_another_server() {
        let world = World::new();
        let fetches = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let other = format!("http://localhost:{}/fresh", at.port());
        let counted = |cache: &'static str, text: &'static str| {
            let fetches = fetches.clone();
            axum::routing::get(move || async move {
                fetches.fetch_add(1, Ordering::Relaxed);
                ([(CACHE_CONTROL, cache)], text)
            })
        };
        let app = axum::Router::new()
            .route("/docs/fresh", counted("max-age=600", DOCUMENT))
            .route("/docs/t.json", counted("max-age=600", "1"))
            .route("/docs/bad", counted("no-cache", "<scxml><nonsense/></scxml>"))
            .route("/docs/stale", counted("no-cache", "<scxml/>"))
            .route(
                "/away",
                axum::routing::get(move || async move { axum::response::Redirect::to(&other) }),
            );
        let server = tokio::spawn(async move { axum::serve(listener, app).await });

        let find = async |tenant: &str, path: &str, by: NamedBy| {
            let document = config::ResolvedDocument::Http(format!("http://{at}{path}"));
            let tenant = tenant.parse().unwrap();
            let found = world
                .programs
                .find(&tenant, &document, by, Turn::AtOnce, 1 << 20, TIMEOUT);
            let found = found
                .await
                .map(|f| f.base.unwrap().to_string())
                .map_err(|e| e.to_string());
            (found, fetches.load(Ordering::Relaxed))
        };
        let url = format!("http://{at}/docs/fresh");
        // The document, and the file that it includes.
        assert_eq!(
            find("acme", "/docs/fresh", NamedBy::Operator).await,
            (Ok(url.clone()), 2)
        );
        assert_eq!(
            find("acme", "/docs/fresh", NamedBy::Operator).await,
            (Ok(url.clone()), 2)
        );
        assert_eq!(find("globex", "/docs/fresh", NamedBy::Operator).await, (Ok(url), 4));
        let allowed = world.programs.allowed(
            &"acme".parse().unwrap(),
            &format!("http://{at}/").parse().unwrap(),
            NamedBy::Operator,
        );
        for expected in [5, 6] {
            let stale = format!("http://{at}/docs/stale").parse().unwrap();
            let fetched = world
                .programs
                .fetch(&"acme".parse().unwrap(), &allowed, stale, TIMEOUT)
                .await;
            assert_eq!(fetched.unwrap().1, "<scxml/>");
            assert_eq!(fetches.load(Ordering::Relaxed), expected);
        }
        let (bad, _) = find("acme", "/docs/bad?key=secret", NamedBy::Operator).await;
        let bad = bad.unwrap_err();
        assert!(bad.contains("/docs/bad") && !bad.contains("secret"), "{bad}");
        let (gone, _) = find("acme", "/docs/gone?key=secret", NamedBy::Operator).await;
        let gone = gone.unwrap_err();
        assert!(gone.contains("/docs/gone") && !gone.contains("secret"), "{gone}");
        let fetched = fetches.load(Ordering::Relaxed);
        let (away, _) = find("acme", "/away", NamedBy::Operator).await;
        let away = away.unwrap_err();
        assert!(away.contains("it redirects to http://localhost"), "{away}");
        let (by_strategy, count) = find("acme", "/docs/fresh", NamedBy::Strategy).await;
        let by_strategy = by_strategy.unwrap_err();
        assert!(
            by_strategy.contains("not among the destinations that are allowed"),
            "{by_strategy}"
        );
        assert_eq!(count, fetched);
        server.abort();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_document_whose_server_hangs_keeps_nobody_from_compiling() {
        let world = World::new();
        world.write("acme/r.scxml", &DOCUMENT.replace("src=\"t.json\"", "expr=\"1\""));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (sender, mut asked) = tokio::sync::mpsc::channel(64);
        let hangs = move || {
            let sender = sender.clone();
            async move {
                sender.send(()).await.unwrap();
                std::future::pending::<String>().await
            }
        };
        let app = axum::Router::new()
            .route("/x.scxml", axum::routing::get(|| async { DOCUMENT }))
            .route("/t.json", axum::routing::get(hangs.clone()))
            .route("/never.scxml", axum::routing::get(hangs));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        // Enough for every lock to be held, were one held meanwhile.
        for i in 0..40 {
            let programs = world.programs.clone();
            let path = if i == 0 { "never.scxml" } else { "x.scxml" };
            let document = config::ResolvedDocument::Http(format!("http://{at}/{path}?{i}"));
            let tenant = "globex".parse().unwrap();
            tokio::spawn(async move {
                let by = NamedBy::Operator;
                let found = programs.find(&tenant, &document, by, Turn::InTurn, 1 << 20, Duration::from_secs(60));
                found.await.map(drop)
            });
        }
        for _ in 0..40 {
            asked.recv().await.unwrap();
        }
        let document = config::ResolvedDocument::File("r.scxml".into());
        let tenant = "acme".parse().unwrap();
        let found = world
            .programs
            .find(&tenant, &document, NamedBy::Strategy, Turn::InTurn, 1 << 20, TIMEOUT);
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        assert!(found.unwrap().is_ok());
        server.abort();
    }

    #[test]
    fn the_operators_server_may_be_asked_and_its_own_https() {
        let world = World::new();
        let acme = "acme".parse().unwrap();
        let may = |from: &str, to: &str| {
            let allowed = world.programs.allowed(&acme, &from.parse().unwrap(), NamedBy::Operator);
            allowed.allows(&to.parse().unwrap())
        };
        assert!(may("http://a/x", "http://a/y"));
        assert!(may("http://a/x", "https://a/x"));
        assert!(may("http://a:8080/x", "https://a/x"));
        assert!(may("https://a:443/x", "https://a/x"));
        for (from, to) in [
            ("http://a/x", "http://b/x"),
            ("http://a/x", "http://a:8080/x"),
            ("http://a/x", "https://a:8443/x"),
            ("https://a/x", "http://a/x"),
        ] {
            assert!(!may(from, to), "{from} {to}");
        }
    }
}
