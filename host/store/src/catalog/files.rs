//! The catalog in a folder.
//!
//! ```text
//!   components/<sha256 of the bytes>
//!   tenants/<tenant>/<strategy>.json    {"sha256": of the rest, "strategy": {...}}
//!   key                                 signs versions; readable by the owner only
//!   lock                                held while a process uses the folder
//! ```
//!
//! The checksums find accidents. Every version also carries an HMAC-SHA256, under the key, over its record and whose it
//! is; the record names its component by digest. A version whose signature does not fit is not served: a record from
//! another host, from a backup that somebody has changed, or of another tenant or name cannot be run. Whoever can change
//! this folder itself, and so its key, is trusted. A catalog from before there were signatures is signed as it is when
//! it is first opened.
//!
//! A file is written beside its place, flushed to the disk, renamed into place, and the folder flushed: after a crash
//! there is the old file or the new one, never half of one. Everything of `tenants/` is read once, when the catalog is
//! opened; a damaged file stops only the strategy in it, whose every use then names the file.

use super::{
    Catalog, Error, MAX_COMPONENT, NewVersion, Number, Reference, Resolved, Strategy, Version, digest,
    room_for_strategy,
    signature::{self, Key},
    sized_digest,
};
use crate::{Name, Tenant};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
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
const KEY: &str = "key";
/// Where a key is until everything of before it is signed.
const NEW_KEY: &str = "key.new";

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
    key: Key,
    strategies: RwLock<Strategies>,
    /// Held while a strategy's file is changed: two changes must not both start from the same old state.
    changing: Mutex<()>,
    /// Makes the names of temporary files differ.
    temporary: AtomicU64,
    /// Its lock ends with the process, whatever becomes of it.
    _lock: std::fs::File,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyState {
    Kept,
    New,
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
        remove_unfinished(&folder, ".")?;
        let strategies = RwLock::new(load(&folder)?);
        let (key, state) = match (read_key(&folder, KEY)?, read_key(&folder, NEW_KEY)?) {
            (Some(key), _) => (key, KeyState::Kept),
            (None, Some(key)) => (key, KeyState::New),
            (None, None) => (new_key()?, KeyState::New),
        };
        let files = Files {
            folder,
            key,
            strategies,
            changing: Mutex::new(()),
            temporary: AtomicU64::new(0),
            _lock: lock,
        };
        if state == KeyState::New {
            files.begin_signing()?;
        }
        Ok(files)
    }

    /// Keeps a new key, and signs with it what is there if nothing was signed before. Can be interrupted: the key stays
    /// under its first name until all is done. Where there are signatures already, the key they were made with is lost,
    /// and what they vouched for can no longer be told from what somebody has put in its place.
    fn begin_signing(&self) -> Result<(), Error> {
        let strategies = self.strategies.read().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<_> = strategies.values().filter_map(|s| s.as_ref().ok().cloned()).collect();
        drop(strategies);
        let ours = |s: &Strategy, v: &Version| signature::fits(&self.key, &s.tenant, &s.name, v);
        let lost = found
            .iter()
            .any(|s| s.versions.iter().any(|v| v.signature.is_some() && !ours(s, v)));
        if lost {
            tracing::error!(
                file = KEY,
                "the catalog's key is gone: what was signed with it is not served; restore it, or deploy again"
            );
        } else {
            self.write(".", NEW_KEY, &self.key)?;
            for strategy in found {
                tracing::warn!(
                    tenant = %strategy.tenant,
                    strategy = %strategy.name,
                    "deployed before the catalog signed: signed as it is"
                );
                self.change(&strategy.tenant, &strategy.name, false, |s| {
                    for version in &mut s.versions {
                        version.signature = Some(signature::of(&self.key, &strategy.tenant, &strategy.name, version));
                    }
                    Ok(())
                })?;
            }
        }
        self.write(".", KEY, &self.key)?;
        match self.folder.remove_file(NEW_KEY) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("remove", NEW_KEY)(e)),
            _ => Ok(()),
        }
    }

    fn check(&self, strategy: &Strategy, version: &Version) -> Result<(), Error> {
        if signature::fits(&self.key, &strategy.tenant, &strategy.name, version) {
            return Ok(());
        }
        Err(Error::NotSigned {
            tenant: strategy.tenant.clone(),
            name: strategy.name.clone(),
            version: version.number,
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
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = self.folder.open_with(&temporary, &options)?;
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

fn read_key(folder: &Dir, file: &'static str) -> Result<Option<Key>, Error> {
    let bytes = match read(folder, file, size_of::<Key>()) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("read", file)(source)),
    };
    let key = Key::try_from(bytes).map_err(|bytes| Error::Corrupt {
        file: file.into(),
        reason: format!("it has {} bytes instead of {}", bytes.len(), size_of::<Key>()),
    })?;
    Ok(Some(key))
}

fn new_key() -> Result<Key, Error> {
    let mut key = Key::default();
    getrandom::fill(&mut key).map_err(|e| io_error("make", KEY)(io::Error::other(e.to_string())))?;
    Ok(key)
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
                .map(|strategy| with_sizes(folder, strategy))
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

/// Sizes for records of before they were kept. Part of the record from the next change on.
fn with_sizes(folder: &Dir, mut strategy: Strategy) -> Strategy {
    for version in strategy.versions.iter_mut().filter(|v| v.size.is_none()) {
        let metadata = folder.metadata(format!("{COMPONENTS}/{}", version.component));
        version.size = metadata.ok().map(|m| m.len());
    }
    strategy
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

    fn room(&self, tenant: &Tenant, name: &Name) -> Result<(), Error> {
        match self.strategy(tenant, name) {
            Ok(strategy) => strategy.room(),
            Err(Error::NoSuchStrategy { .. }) => {
                let strategies = self.strategies.read().unwrap_or_else(PoisonError::into_inner);
                let has = strategies.keys().filter(|(of, _)| of == tenant).count();
                room_for_strategy(has, tenant, name)
            }
            Err(error) => Err(error),
        }
    }

    fn add(&self, tenant: &Tenant, name: &Name, version: NewVersion) -> Result<Number, Error> {
        // Reads the component whole: a version must not point at a damaged one.
        let size = self.component(version.component)?.len() as u64;
        self.change(tenant, name, true, |strategy| {
            if strategy.versions.is_empty() {
                self.room(tenant, name)?;
            }
            let version = strategy.add(version, size)?;
            version.signature = Some(signature::of(&self.key, tenant, name, version));
            Ok(version.number)
        })
    }

    fn activate(&self, tenant: &Tenant, name: &Name, version: Number, at_ms: u64, by: &str) -> Result<(), Error> {
        self.change(tenant, name, false, |strategy| {
            strategy.activate(version, at_ms, by)?;
            strategy.version(version).map_or(Ok(()), |v| self.check(strategy, v))
        })
    }

    fn roll_back(&self, tenant: &Tenant, name: &Name, at_ms: u64, by: &str) -> Result<Number, Error> {
        self.change(tenant, name, false, |strategy| {
            let version = strategy.roll_back(at_ms, by)?;
            strategy.version(version).map_or(Ok(()), |v| self.check(strategy, v))?;
            Ok(version)
        })
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
        let strategy = self.strategy(tenant, &reference.name)?;
        let resolved = strategy.resolve(reference.version)?;
        strategy
            .version(resolved.version)
            .map_or(Ok(()), |v| self.check(&strategy, v))?;
        Ok(resolved)
    }
}
