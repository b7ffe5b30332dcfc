//! From a reference to something that sessions can be made of.

use crate::adapters::Program;
use pointsman_compiler::{Compiler, Form, Sources};
use pointsman_config as config;
use pointsman_contract::Digest;
use pointsman_sandbox::{LoadError, Sandbox, Strategy};
use pointsman_scxml::{Diagnostic, ResolveError, Resolver};
use pointsman_session::runtime;
use pointsman_store::catalog::{self, Catalog, Reference};
use pointsman_store::{Name, Tenant};
use sha2::Digest as _;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Loaded strategies that are kept. Each costs a file descriptor and about 400 KiB.
const MAX_LOADED: usize = 1000;

/// Largest document fetched from a URL, bytes.
const MAX_DOCUMENT: usize = 4 << 20;

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
    pointsman_scxml::render(&p.diagnostics, &p.files)
}

/// A compiled document.
pub(crate) struct Compiled {
    pub component: Vec<u8>,
    pub warnings: Problems,
}

/// A program and what to call it.
pub(crate) struct Found {
    pub name: Name,
    pub version: u32,
    pub component: Digest,
    pub program: Arc<dyn runtime::Program>,
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
    http: reqwest::Client,
    loaded: Mutex<HashMap<Digest, (Strategy, u64)>>,
    /// Components compiled from files and URLs, by what they were compiled from.
    compiled: Mutex<HashMap<Digest, Digest>>,
}

impl Programs {
    pub fn new(
        sandbox: Sandbox,
        compiler: Compiler,
        catalog: Arc<dyn Catalog>,
        documents: cap_std::fs::Dir,
        http: reqwest::Client,
    ) -> Self {
        let (loaded, compiled) = (Mutex::default(), Mutex::default());
        Programs {
            inner: Arc::new(Inner {
                sandbox,
                compiler,
                catalog,
                documents,
                http,
                loaded,
                compiled,
            }),
        }
    }

    pub fn catalog(&self) -> &dyn Catalog {
        &*self.inner.catalog
    }

    /// A deployed strategy: no waiting, unless its component has to be read from disk.
    pub fn deployed(&self, tenant: &Tenant, reference: &Reference, memory: usize) -> Result<Found, Error> {
        let resolved = self.inner.catalog.resolve(tenant, reference)?;
        let strategy = match self.cached(&resolved.component) {
            Some(s) => s,
            None => self.load(&self.inner.catalog.component(resolved.component)?)?,
        };
        Ok(Found {
            name: reference.name.clone(),
            version: resolved.version.0.get(),
            component: resolved.component,
            program: self.program(strategy, memory),
        })
    }

    /// What a DN's application, with a call's values filled in, leads to.
    pub async fn find(
        &self,
        tenant: &Tenant,
        document: &config::ResolvedDocument,
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
                self.deployed(tenant, &reference, memory)
            }
            config::ResolvedDocument::Script(name) => Err(Error::NoScript(name.to_string())),
            config::ResolvedDocument::File(path) => {
                let full = format!("{tenant}/{path}");
                let failed = |e: std::io::Error| Error::Fetch {
                    url: format!("file:{path}"),
                    why: e.to_string(),
                };
                let text = self.inner.documents.read_to_string(&full).map_err(failed)?;
                let folder = match full.rsplit_once('/') {
                    Some((folder, _)) => self.inner.documents.open_dir(folder).map_err(failed)?,
                    None => self.inner.documents.try_clone().map_err(failed)?,
                };
                self.compile_and_load(path, &text, &Folder(folder), memory)
            }
            config::ResolvedDocument::Http(url) => {
                let text = self.fetch(url, timeout).await?;
                self.compile_and_load(url, &text, &pointsman_scxml::NoFiles, memory)
            }
        }
    }

    async fn fetch(&self, url: &str, timeout: Duration) -> Result<String, Error> {
        let failed = |why: String| Error::Fetch { url: url.into(), why };
        let answer = self
            .inner
            .http
            .get(url)
            .timeout(timeout)
            .send()
            .await
            .map_err(|e| failed(e.to_string()))?;
        let mut answer = answer.error_for_status().map_err(|e| failed(e.to_string()))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failed(e.to_string()))? {
            if bytes.len() + chunk.len() > MAX_DOCUMENT {
                return Err(failed(format!("the document is larger than {MAX_DOCUMENT} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|_| failed("the document is not UTF-8".into()))
    }

    fn compile_and_load(&self, url: &str, text: &str, files: &dyn Resolver, memory: usize) -> Result<Found, Error> {
        let name = name_of(url);
        let key = Digest(sha2::Sha256::digest([url.as_bytes(), &[0], text.as_bytes()].concat()).into());
        let known = lock(&self.inner.compiled).get(&key).copied();
        let strategy = match known.and_then(|d| self.cached(&d)) {
            Some(s) => s,
            None => {
                let compiled = self.compile(url, text, files)?;
                let strategy = self.load(&compiled.component)?;
                let mut known = lock(&self.inner.compiled);
                if known.len() >= MAX_LOADED {
                    known.clear();
                }
                known.insert(key, strategy.digest());
                strategy
            }
        };
        Ok(Found {
            name,
            version: 0,
            component: strategy.digest(),
            program: self.program(strategy, memory),
        })
    }

    /// Compiles a document.
    pub fn compile(&self, url: &str, text: &str, files: &dyn Resolver) -> Result<Compiled, Error> {
        let (document, mut warnings) = pointsman_scxml::read(url, text, files).map_err(|e| {
            Error::Document(Problems {
                diagnostics: e.diagnostics,
                files: e.files,
            })
        })?;
        match self.inner.compiler.compile(&document, Form::Image) {
            Ok(compiled) => {
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
            Err(pointsman_compiler::Error::Unsupported(diagnostics)) => Err(Error::Document(Problems {
                diagnostics,
                files: document.files,
            })),
            Err(e) => Err(Error::Fetch {
                url: url.into(),
                why: e.to_string(),
            }),
        }
    }

    /// Checks and loads a component.
    pub fn load(&self, component: &[u8]) -> Result<Strategy, Error> {
        let strategy = self.inner.sandbox.load(component);
        let strategy = match strategy {
            // The engine has changed since: the component brings what it was made from.
            Err(LoadError::OtherEngine { found, expected }) => match self.remake(component) {
                Some(remade) => remade?,
                None => return Err(LoadError::OtherEngine { found, expected }.into()),
            },
            other => other?,
        };
        let mut loaded = lock(&self.inner.loaded);
        if loaded.len() >= MAX_LOADED
            && let Some(oldest) = loaded.iter().min_by_key(|(_, (_, used))| *used).map(|(d, _)| *d)
        {
            loaded.remove(&oldest);
        }
        let now = loaded.values().map(|(_, used)| *used).max().unwrap_or(0) + 1;
        loaded.insert(Digest(sha2::Sha256::digest(component).into()), (strategy.clone(), now));
        Ok(strategy)
    }

    fn remake(&self, component: &[u8]) -> Option<Result<Strategy, Error>> {
        let Sources(files) = Sources::of_component(component)?;
        let (main, rest) = files.split_first()?;
        let included = pointsman_scxml::MapResolver::new(rest.iter().map(|f| (f.url.clone(), f.text.clone())));
        let compiled = self.compile(&main.url, &main.text, &included);
        Some(compiled.and_then(|c| Ok(self.inner.sandbox.load(&c.component)?)))
    }

    fn cached(&self, digest: &Digest) -> Option<Strategy> {
        let mut loaded = lock(&self.inner.loaded);
        let newest = loaded.len() as u64;
        let (strategy, used) = loaded.get_mut(digest)?;
        *used = (*used).max(newest);
        Some(strategy.clone())
    }

    fn program(&self, strategy: Strategy, memory: usize) -> Arc<dyn runtime::Program> {
        Arc::new(Program {
            sandbox: self.inner.sandbox.clone(),
            strategy,
            memory,
        })
    }
}

/// A panic while one of these is held leaves the maps as they were.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
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
        match self.0.read_to_string(path) {
            Ok(text) => Ok((path.to_owned(), text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(ResolveError::NotFound { resolved: path.into() }),
            Err(e) => Err(ResolveError::Failed {
                resolved: path.into(),
                reason: e.to_string(),
            }),
        }
    }
}

/// The includes of an upload, as a resolver.
pub(crate) fn uploaded(files: &BTreeMap<String, String>) -> pointsman_scxml::MapResolver {
    pointsman_scxml::MapResolver::new(files.iter().map(|(name, text)| (name.clone(), text.clone())))
}
