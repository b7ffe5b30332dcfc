//! The catalog in a folder.
//!
//! ```text
//!   components/<sha256 of the bytes>
//!   tenants/<tenant>/<strategy>.json    {"sha256": of the rest, "strategy": {...}}
//!   lock                                held while a process uses the folder
//! ```
//!
//! A file is written beside its place, flushed to the disk, renamed into place, and the folder flushed: after a crash
//! there is the old file or the new one, never half of one. Everything of `tenants/` is read once, when the catalog is
//! opened; a damaged file stops only the strategy in it, whose every use then names the file.

use super::{Catalog, Error, MAX_COMPONENT, NewVersion, Number, Reference, Resolved, Strategy, digest, sized_digest};
use crate::{Name, Tenant};
use cap_std::fs::{Dir, OpenOptions};
use pointsman_contract::Digest;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::TryLockError,
    io::{self, Read as _, Write as _},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

const COMPONENTS: &str = "components";
const TENANTS: &str = "tenants";
const LOCK: &str = "lock";

/// Ending of a file that is being written.
const UNFINISHED: &str = ".part";

/// Largest file of a strategy: [`super::MAX_VERSIONS`] and [`super::MAX_ACTIVATIONS`] entries with long texts.
const MAX_STRATEGY_FILE: usize = 16 << 20;

/// A file that was found damaged when the catalog was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the catalog's folder.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The catalog in a folder.
pub struct Files {
    folder: Dir,
    strategies: RwLock<Strategies>,
    /// Held while a strategy's file is changed: two changes must not both start from the same old state.
    changing: Mutex<()>,
    /// Makes the names of temporary files differ.
    temporary: AtomicU64,
    /// Its lock ends with the process, whatever becomes of it.
    _lock: std::fs::File,
}

/// A strategy's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// Of the strategy's JSON.
    sha256: Digest,
    strategy: Strategy,
}

fn io_error(action: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let file = file.into();
    move |source| Error::Io { action, file, source }
}

impl Files {
    /// Opens the catalog in `folder`, which may be empty.
    pub fn open(folder: Dir) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        let lock = folder
            .open_with(LOCK, &options)
            .map_err(io_error("open", LOCK))?
            .into_std();
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse),
            Err(TryLockError::Error(source)) => {
                return Err(Error::Io {
                    action: "lock",
                    file: LOCK.into(),
                    source,
                });
            }
        }
        for part in [COMPONENTS, TENANTS] {
            folder.create_dir_all(part).map_err(io_error("create", part))?;
        }
        remove_unfinished(&folder, COMPONENTS)?;
        let strategies = RwLock::new(load(&folder)?);
        Ok(Files {
            folder,
            strategies,
            changing: Mutex::new(()),
            temporary: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// Damaged files, for the log and for health reports.
    pub fn problems(&self) -> Vec<Problem> {
        let strategies = self.strategies.read().unwrap_or_else(PoisonError::into_inner);
        strategies.values().filter_map(|s| s.as_ref().err().cloned()).collect()
    }

    fn strategy(&self, tenant: &Tenant, name: &Name) -> Result<Arc<Strategy>, Error> {
        let strategies = self.strategies.read().unwrap_or_else(PoisonError::into_inner);
        match strategies.get(&(tenant.clone(), name.clone())) {
            Some(Ok(strategy)) => Ok(strategy.clone()),
            Some(Err(Problem { file, reason })) => Err(Error::Corrupt {
                file: file.clone(),
                reason: reason.clone(),
            }),
            None => Err(Error::NoSuchStrategy {
                tenant: tenant.clone(),
                name: name.clone(),
            }),
        }
    }

    /// Changes a strategy: on the disk first, then for readers.
    fn change<T>(
        &self,
        tenant: &Tenant,
        name: &Name,
        create: bool,
        change: impl FnOnce(&mut Strategy) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _one_at_a_time: MutexGuard<'_, ()> = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut strategy = match self.strategy(tenant, name) {
            Ok(strategy) => (*strategy).clone(),
            Err(Error::NoSuchStrategy { .. }) if create => Strategy::new(tenant, name),
            Err(error) => return Err(error),
        };
        let before = strategy.clone();
        let answer = change(&mut strategy)?;
        if strategy != before {
            let folder = format!("{TENANTS}/{tenant}");
            if !self.folder.is_dir(&folder) {
                self.folder
                    .create_dir_all(&folder)
                    .map_err(io_error("create", &folder))?;
                self.flush_folder(TENANTS)?;
            }
            self.write(&folder, &format!("{name}.json"), &encode(&strategy))?;
            let mut strategies = self.strategies.write().unwrap_or_else(PoisonError::into_inner);
            strategies.insert((tenant.clone(), name.clone()), Ok(Arc::new(strategy)));
        }
        Ok(answer)
    }

    fn write(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let n = self.temporary.fetch_add(1, Ordering::Relaxed);
        // Begins with a dot, as no name of ours can: a reader never takes it for a strategy or component.
        let temporary = format!("{folder}/.{n}{UNFINISHED}");
        let place = format!("{folder}/{name}");
        let written = (|| {
            let mut file = self.folder.create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.folder.rename(&temporary, &self.folder, &place)
        })();
        if let Err(source) = written {
            // The first error is the one that counts; a left-over is removed when the catalog is next opened.
            let _ignored = self.folder.remove_file(&temporary);
            return Err(Error::Io {
                action: "write",
                file: place,
                source,
            });
        }
        self.flush_folder(folder)
    }

    /// A rename is only certain to survive once the folder itself is on the disk.
    fn flush_folder(&self, folder: &str) -> Result<(), Error> {
        // Opened as a file: the handles of cap-std's folders are opened by path only, and cannot be flushed.
        self.folder
            .open(folder)
            .and_then(|f| f.sync_all())
            .map_err(io_error("flush", folder))
    }
}

fn encode(strategy: &Strategy) -> Vec<u8> {
    let sha256 = checksum(strategy);
    let stored = Stored {
        sha256,
        strategy: strategy.clone(),
    };
    serde_json::to_vec_pretty(&stored).expect("numbers, strings and lists have a JSON form")
}

fn checksum(strategy: &Strategy) -> Digest {
    digest(&serde_json::to_vec(strategy).expect("numbers, strings and lists have a JSON form"))
}

fn decode(bytes: &[u8], tenant: &Tenant, name: &Name) -> Result<Strategy, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|e| format!("not a strategy's file: {e}"))?;
    if stored.sha256 != checksum(&stored.strategy) {
        return Err("its contents do not match its checksum".into());
    }
    match stored.strategy.flaw(tenant, name) {
        Some(flaw) => Err(flaw),
        None => Ok(stored.strategy),
    }
}

type Strategies = BTreeMap<(Tenant, Name), Result<Arc<Strategy>, Problem>>;

fn load(folder: &Dir) -> Result<Strategies, Error> {
    let mut strategies = Strategies::new();
    for (tenant, at) in names::<Tenant>(folder, TENANTS, "")? {
        remove_unfinished(folder, &at)?;
        for (name, at) in names::<Name>(folder, &at, ".json")? {
            let strategy = read(folder, &at, MAX_STRATEGY_FILE)
                .map_err(|e| e.to_string())
                .and_then(|bytes| decode(&bytes, &tenant, &name))
                .map_err(|reason| {
                    tracing::error!(
                        file = at,
                        reason,
                        "a strategy's file is damaged: the strategy cannot be used"
                    );
                    Problem { file: at, reason }
                });
            strategies.insert((tenant.clone(), name), strategy.map(Arc::new));
        }
    }
    Ok(strategies)
}

/// Removes what a process left that was killed while writing.
fn remove_unfinished(folder: &Dir, path: &str) -> Result<(), Error> {
    for entry in folder.read_dir(path).map_err(io_error("list", path))? {
        let file = entry.map_err(io_error("list", path))?.file_name();
        if file
            .to_str()
            .is_some_and(|f| f.starts_with('.') && f.ends_with(UNFINISHED))
        {
            let at = format!("{path}/{}", file.to_string_lossy());
            folder.remove_file(&at).map_err(io_error("remove", at.clone()))?;
        }
    }
    Ok(())
}

/// The entries of a folder whose names are ours, with their paths. Others are left alone.
fn names<T: std::str::FromStr>(folder: &Dir, path: &str, suffix: &str) -> Result<Vec<(T, String)>, Error> {
    let mut found = Vec::new();
    for entry in folder.read_dir(path).map_err(io_error("list", path))? {
        let entry = entry.map_err(io_error("list", path))?;
        let file = entry.file_name();
        let name = file
            .to_str()
            .and_then(|f| f.strip_suffix(suffix))
            .and_then(|f| f.parse().ok());
        match name {
            Some(name) => found.push((name, format!("{path}/{}", file.to_string_lossy()))),
            None => tracing::debug!(folder = path, ?file, "not the catalog's: left alone"),
        }
    }
    Ok(found)
}

fn read(folder: &Dir, file: &str, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    folder.open(file)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {most} bytes"),
        ));
    }
    Ok(bytes)
}

impl Catalog for Files {
    fn put(&self, component: &[u8]) -> Result<Digest, Error> {
        let digest = sized_digest(component)?;
        match self.component(digest) {
            Ok(_) => Ok(digest),
            // A damaged one is healed by whoever has the bytes.
            Err(Error::NoSuchComponent(_) | Error::Corrupt { .. }) => {
                self.write(COMPONENTS, &digest.to_string(), component)?;
                Ok(digest)
            }
            Err(error) => Err(error),
        }
    }

    fn component(&self, wanted: Digest) -> Result<Vec<u8>, Error> {
        let file = format!("{COMPONENTS}/{wanted}");
        let bytes = match read(&self.folder, &file, MAX_COMPONENT) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Error::NoSuchComponent(wanted)),
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                return Err(Error::Corrupt {
                    file,
                    reason: e.to_string(),
                });
            }
            Err(source) => {
                return Err(Error::Io {
                    action: "read",
                    file,
                    source,
                });
            }
        };
        let found = digest(&bytes);
        if found != wanted {
            return Err(Error::Corrupt {
                file,
                reason: format!("its SHA-256 is {found}"),
            });
        }
        Ok(bytes)
    }

    fn add(&self, tenant: &Tenant, name: &Name, version: NewVersion) -> Result<Number, Error> {
        // Reads the component whole: a version must not point at a damaged one.
        self.component(version.component)?;
        self.change(tenant, name, true, |strategy| strategy.add(version))
    }

    fn activate(&self, tenant: &Tenant, name: &Name, version: Number, at_ms: u64, by: &str) -> Result<(), Error> {
        self.change(tenant, name, false, |strategy| strategy.activate(version, at_ms, by))
    }

    fn roll_back(&self, tenant: &Tenant, name: &Name, at_ms: u64, by: &str) -> Result<Number, Error> {
        self.change(tenant, name, false, |strategy| strategy.roll_back(at_ms, by))
    }

    fn list(&self, tenant: &Tenant) -> Result<Vec<Strategy>, Error> {
        let strategies = self.strategies.read().unwrap_or_else(PoisonError::into_inner);
        let mine = strategies.iter().filter(|((of, _), _)| of == tenant);
        Ok(mine
            .filter_map(|(_, s)| s.as_ref().ok().map(|s| (**s).clone()))
            .collect())
    }

    fn show(&self, tenant: &Tenant, name: &Name) -> Result<Strategy, Error> {
        Ok((*self.strategy(tenant, name)?).clone())
    }

    fn resolve(&self, tenant: &Tenant, reference: &Reference) -> Result<Resolved, Error> {
        self.strategy(tenant, &reference.name)?.resolve(reference.version)
    }
}
