//! Native code of this host's own making, kept between runs.
//!
//! Loading native code means running it, so only what this host compiled is loaded: every file carries an
//! HMAC-SHA256 over what it was made from and its contents, under a key that never leaves the directory. A file that
//! does not check out is made anew. Whoever can write this directory can run code as this host, so it must be this
//! user's and nobody else's to write: another user's is refused; one that others could write is taken back, and what
//! they may have left in it is not trusted.
//!
//! ```text
//!  key                                    32 random bytes
//!  module-<digest of E>                   the engine
//!  component-<E, 16 digits>-<digest>      a strategy, linked to that engine
//!  <any of them>.<process>.<number>       being written
//! ```
//!
//! What nobody will ask for again goes when the cache is opened ([`Keep`]): code linked to other engines, files that
//! were never finished, and the oldest when all of them are too much.
//!
//! Files are read, not mapped. wasmtime could run them in place, which would save some 400 KiB a strategy; but cutting
//! short a mapped file, as a full disk or an operator's `cp` over it may, ends this whole process with SIGBUS.

use crate::error::Error;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt, Permissions};
use hmac::{Hmac, Mac};
use pointsman_contract::Digest;
use sha2::Sha256;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

type HmacSha256 = Hmac<Sha256>;

/// Length of the authenticator in front of the code, and of the key, bytes.
const MAC: usize = 32;

/// Code for another engine is kept for this long after it was made: two versions may take turns, in an upgrade that
/// is taken back.
const OTHERS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A file that was not finished by then never will be: writing takes milliseconds.
const TEMPORARIES_KEPT: Duration = Duration::from_secs(3600);

/// Most that all files may have together, bytes: some 2,000 strategies. Then the oldest go, down to three quarters.
const MAX_BYTES: u64 = 1 << 30;

/// Digits of the engine's digest in the name of a strategy's file.
const ENGINE_DIGITS: usize = 16;

/// The directory, its key, and what the engine's settings are named.
pub(crate) struct Cache {
    dir: Dir,
    key: [u8; MAC],
    settings: Vec<u8>,
    /// Of E.
    engine: String,
    /// Bytes of all files, about.
    bytes: AtomicU64,
}

impl Cache {
    /// Opens the cache for the engine with this digest; makes its key on first use, and sweeps.
    pub fn open(dir: Dir, engine: &Engine, digest: &Digest) -> Result<Cache, Error> {
        let was_ours = take_hold(&dir)?;
        let key = match was_ours {
            true => read_key(&dir)?,
            false => None,
        };
        let key = match key {
            Some(key) => key,
            None => make_key(&dir)?,
        };
        let mut hasher = SettingsHasher(Vec::new());
        std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
        let cache = Cache {
            dir,
            key,
            settings: hasher.0,
            engine: digest.to_string(),
            bytes: AtomicU64::new(0),
        };
        cache.sweep();
        Ok(cache)
    }

    /// Native code of a core module, compiled if need be.
    pub fn module(&self, engine: &Engine, digest: &Digest, wasm: &[u8]) -> Result<Module, Error> {
        let name = format!("module-{digest}");
        if let Some(code) = self.read(&name, digest)? {
            // SAFETY: `read` has just checked that this host wrote these bytes for these settings.
            if let Ok(m) = unsafe { Module::deserialize(engine, &code) } {
                return Ok(m);
            }
        }
        let m = Module::new(engine, wasm)?;
        self.write(&name, digest, &m.serialize()?)?;
        Ok(m)
    }

    /// Native form of a component, compiled if need be.
    pub fn component(&self, engine: &Engine, digest: &Digest, wasm: &[u8]) -> wasmtime::Result<Component> {
        let name = format!("component-{}-{digest}", &self.engine[..ENGINE_DIGITS]);
        if let Ok(Some(code)) = self.read(&name, digest) {
            // SAFETY: `read` has just checked that this host wrote these bytes for these settings.
            if let Ok(c) = unsafe { Component::deserialize(engine, &code) } {
                return Ok(c);
            }
        }
        let c = Component::new(engine, wasm)?;
        if let Err(e) = self.write(&name, digest, &c.serialize()?) {
            tracing::warn!(error = %e, "the native code of a strategy could not be kept; it will be made again");
        }
        Ok(c)
    }

    fn mac(&self, digest: &Digest) -> HmacSha256 {
        let mut mac = <HmacSha256 as Mac>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(&digest.0);
        mac.update(&(self.settings.len() as u64).to_le_bytes());
        mac.update(&self.settings);
        mac
    }

    fn read(&self, name: &str, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let mut file = match self.dir.open(name) {
            Ok(f) => f,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let mut tag = [0; MAC];
        let mut code = Vec::new();
        if file.read_exact(&mut tag).is_err() {
            return Ok(None);
        }
        file.read_to_end(&mut code)?;
        let mut mac = self.mac(digest);
        mac.update(&code);
        match mac.verify_slice(&tag) {
            Ok(()) => Ok(Some(code)),
            Err(_) => {
                tracing::warn!(
                    file = name,
                    "native code that this host did not write, or for other settings, is made anew"
                );
                Ok(None)
            }
        }
    }

    fn write(&self, name: &str, digest: &Digest, code: &[u8]) -> Result<(), Error> {
        let mut mac = self.mac(digest);
        mac.update(code);
        let tag = mac.finalize().into_bytes();
        write_new(&self.dir, name, &[&tag, code])?;
        let written = (MAC + code.len()) as u64;
        if self.bytes.fetch_add(written, Ordering::Relaxed) + written > MAX_BYTES {
            self.sweep();
        }
        Ok(())
    }

    /// Removes what is not kept. What fails is tried again next time.
    fn sweep(&self) {
        let mut bytes = 0;
        match self.files() {
            Ok(files) => {
                let remove = not_kept(&files, &self.engine, SystemTime::now(), MAX_BYTES);
                bytes = files.iter().map(|f| f.bytes).sum();
                for file in remove {
                    match self.dir.remove_file(&file.name) {
                        Ok(()) => bytes = bytes.saturating_sub(file.bytes),
                        // Another process of this host sweeps too.
                        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                        Err(e) => tracing::warn!(error = %e, file = file.name, "old native code could not be removed"),
                    }
                }
            }
            Err(e) => tracing::warn!(error = %e, "the native cache could not be swept"),
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    fn files(&self) -> std::io::Result<Vec<Kept>> {
        let mut files = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), entry.metadata()) else {
                continue;
            };
            if metadata.is_file() {
                files.push(Kept {
                    name,
                    bytes: metadata.len(),
                    made: metadata.modified()?.into_std(),
                });
            }
        }
        Ok(files)
    }
}

/// A file of the directory.
struct Kept {
    name: String,
    bytes: u64,
    made: SystemTime,
}

/// Which files go. Names that this module does not give are not touched.
fn not_kept<'a>(files: &'a [Kept], engine: &str, now: SystemTime, max_bytes: u64) -> Vec<&'a Kept> {
    let older = |file: &Kept, than: Duration| now.duration_since(file.made).is_ok_and(|age| age > than);
    let own_module = format!("module-{engine}");
    let own_components = format!("component-{}-", &engine[..ENGINE_DIGITS]);
    let mut go = Vec::new();
    let mut stay = Vec::new();
    for file in files {
        let name = &file.name;
        let code = name.starts_with("module-") || name.starts_with("component-");
        if name.contains('.') {
            if (code || name.starts_with("key.")) && older(file, TEMPORARIES_KEPT) {
                go.push(file);
            }
        } else if code && *name != own_module {
            if !name.starts_with(&own_components) && older(file, OTHERS_KEPT) {
                go.push(file);
            } else {
                stay.push(file);
            }
        }
    }
    let mut bytes: u64 = stay.iter().map(|f| f.bytes).sum();
    if bytes > max_bytes {
        stay.sort_by_key(|f| f.made);
        for file in stay {
            if bytes <= max_bytes / 4 * 3 {
                break;
            }
            bytes -= file.bytes;
            go.push(file);
        }
    }
    go
}

/// Makes sure that nobody else can write the directory. `false` when somebody could so far.
fn take_hold(dir: &Dir) -> std::io::Result<bool> {
    let metadata = dir.dir_metadata()?;
    if !is_ours(&metadata) {
        return Err(std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            format!(
                "the folder belongs to user {}, who could make this host run any code: give this host a folder of its own",
                metadata.uid()
            ),
        ));
    }
    if metadata.mode() & 0o022 == 0 {
        return Ok(true);
    }
    dir.set_permissions(".", Permissions::from_std(std::fs::Permissions::from_mode(0o700)))?;
    tracing::warn!(
        mode = format!("{:o}", metadata.mode() & 0o7777),
        "others could write the native cache: its folder is this host's alone now, and all native code is made anew"
    );
    Ok(false)
}

/// Only our own user may own what code is loaded from.
fn is_ours(metadata: &Metadata) -> bool {
    // SAFETY: geteuid has no preconditions.
    metadata.uid() == unsafe { libc::geteuid() }
}

/// Makes the key, in the place of one that cannot be used. Of processes that do so at the same moment one is first, and
/// all have its key: with two keys each would make anew what the other has made.
fn make_key(dir: &Dir) -> std::io::Result<[u8; MAC]> {
    match dir.remove_file("key") {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut key = [0; MAC];
    getrandom::fill(&mut key).map_err(|e| std::io::Error::other(e.to_string()))?;
    let mine = format!("key.{}", std::process::id());
    write_new(dir, &mine, &[&key])?;
    let linked = dir.hard_link(&mine, dir, "key");
    dir.remove_file(&mine)?;
    match linked {
        Ok(()) => Ok(key),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            read_key(dir)?.ok_or_else(|| std::io::Error::other("another process has just made a key that is unusable"))
        }
        Err(e) => Err(e),
    }
}

/// The key, if there is one and it can be trusted.
fn read_key(dir: &Dir) -> std::io::Result<Option<[u8; MAC]>> {
    let mut file = match dir.open("key") {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let metadata = file.metadata()?;
    let mut key = [0; MAC];
    let why = if !is_ours(&metadata) || metadata.mode() & 0o077 != 0 {
        "others can read or write it"
    } else if metadata.len() != MAC as u64 || file.read_exact(&mut key).is_err() {
        "it has not 32 bytes"
    } else {
        return Ok(Some(key));
    };
    tracing::warn!(
        why,
        "the native cache's key is not usable: a new one is made, and all native code with it"
    );
    Ok(None)
}

/// Writes a file that exists whole or not at all.
fn write_new(dir: &Dir, name: &str, parts: &[&[u8]]) -> std::io::Result<()> {
    // Two threads may load the same strategy at the same time: each writes a file of its own.
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let temporary = format!("{name}.{}.{write}", std::process::id());
    let mut file = dir.open_with(
        &temporary,
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600),
    )?;
    for part in parts {
        file.write_all(part)?;
    }
    file.rewind()?;
    file.sync_all()?;
    dir.rename(&temporary, dir, name)
}

/// Keeps the bytes that a value hashes: a stable name for the engine's settings.
struct SettingsHasher(Vec<u8>);

impl std::hash::Hasher for SettingsHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    #[test]
    fn what_nobody_will_ask_for_again_is_not_kept() {
        let engine = "0123456789abcdef".repeat(4);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let file = |name: &str, hours: u64, bytes: u64| Kept {
            name: name.into(),
            bytes,
            made: now - Duration::from_secs(hours * HOUR),
        };
        let own = |n: u32| format!("component-0123456789abcdef-{n}");
        let gone = |files: &[Kept], max_bytes| -> Vec<String> {
            not_kept(files, &engine, now, max_bytes)
                .into_iter()
                .map(|f| f.name.clone())
                .collect()
        };
        let files = [
            file("key", 10_000, 32),
            file("somebody's notes.txt", 10_000, 32),
            file(&format!("module-{engine}"), 10_000, 50),
            file(&own(1), 10_000, 30),
            file(&own(2), 1, 30),
            file(&format!("{}.123.4", own(2)), 2, 30),
            file(&format!("{}.123.5", own(2)), 0, 30),
            file("key.123.4", 2, 32),
            file("module-ffff", 167, 50),
            file("module-eeee", 169, 50),
            file("component-ffffffffffffffff-1", 169, 30),
            // As an earlier version of this host named them.
            file("component-ffffffffffffffff1111111111111111", 169, 30),
            file("component-ffffffffffffffff-2", 167, 30),
        ];
        let old = [
            format!("{}.123.4", own(2)),
            "key.123.4".into(),
            "module-eeee".into(),
            "component-ffffffffffffffff-1".into(),
            "component-ffffffffffffffff1111111111111111".into(),
        ];
        assert_eq!(gone(&files, 1000), old);
        // 140 bytes of code stay, the engine's own not counted: too much, so the oldest go until 75 or less are left.
        let mut more = old.to_vec();
        more.extend([own(1), "module-ffff".into()]);
        assert_eq!(gone(&files, 100), more);
        // A clock that was put back makes nothing old.
        assert_eq!(not_kept(&files, &engine, SystemTime::UNIX_EPOCH, 1000).len(), 0);
    }
}
