//! Native code of this host's own making, kept between runs.
//!
//! Loading native code means running it, so only what this host compiled is loaded: every file carries an
//! HMAC-SHA256 over what it was made from and its contents, under a key that never leaves the directory. A file that
//! does not check out is made anew. Whoever can write this directory can run code as this host; it is created
//! for its owner only.

use crate::error::Error;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use hmac::{Hmac, Mac};
use pointsman_contract::Digest;
use sha2::Sha256;
use std::io::{Read, Seek, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

type HmacSha256 = Hmac<Sha256>;

/// Length of the authenticator in front of the code, and of the key, bytes.
const MAC: usize = 32;

/// The directory, its key, and what the engine's settings are named.
pub(crate) struct Cache {
    dir: Dir,
    key: [u8; MAC],
    settings: Vec<u8>,
}

impl Cache {
    /// Opens the cache; makes its key on first use.
    pub fn open(dir: Dir, engine: &Engine) -> Result<Cache, Error> {
        let mut key = [0; MAC];
        match dir.open("key") {
            Ok(mut f) => f.read_exact(&mut key)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                getrandom::fill(&mut key).map_err(|e| std::io::Error::other(e.to_string()))?;
                write_new(&dir, "key", &[&key])?;
            }
            Err(e) => return Err(e.into()),
        }
        let mut hasher = SettingsHasher(Vec::new());
        std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
        Ok(Cache {
            dir,
            key,
            settings: hasher.0,
        })
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
        let name = format!("component-{digest}");
        if let Ok(Some(code)) = self.read(&name, digest) {
            // SAFETY: as above.
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
        write_new(&self.dir, name, &[&tag, code]).map_err(Error::from)
    }
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
