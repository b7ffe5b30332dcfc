//! What this process takes from the kernel.

use anyhow::{Context as _, Result};
use serde::Serialize;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Bytes where not said otherwise.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    /// Anonymous memory that is resident (`RssAnon`).
    pub anonymous: u64,
    /// Resident pages of files (`RssFile`).
    pub files: u64,
    /// Size of the memory files that this process holds open: wasmtime keeps an image in each.
    pub memory_files: u64,
    /// Page tables (`VmPTE`).
    pub page_tables: u64,
    /// Memory maps, a number.
    pub maps: u64,
    /// Open files, a number.
    pub descriptors: u64,
}

impl Usage {
    /// As of now.
    pub fn now() -> Result<Usage> {
        let status = fs::read_to_string("/proc/self/status").context("memory is read from /proc, which Linux has")?;
        let bytes = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            let kib = line.with_context(|| format!("/proc/self/status has no {name}"))?;
            Ok(kib.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
        };
        Ok(Usage {
            anonymous: bytes("RssAnon")?,
            files: bytes("RssFile")?,
            memory_files: memory_files()?,
            page_tables: bytes("VmPTE")?,
            maps: fs::read_to_string("/proc/self/maps")?.lines().count() as u64,
            descriptors: fs::read_dir("/proc/self/fd")?.count() as u64,
        })
    }
}

/// What they take in memory, mapped or not; `RssShmem` has only what is mapped now.
fn memory_files() -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // The directory's own descriptor is gone again by now.
        let Ok(target) = fs::read_link(&path) else { continue };
        if target.to_string_lossy().starts_with("/memfd:") {
            bytes += fs::metadata(&path)?.blocks() * 512;
        }
    }
    Ok(bytes)
}

/// Raises the limit on open files to what the system allows: every loaded strategy takes one.
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads and writes one rlimit. Where it fails the old limit stays, and the program says what went wrong then.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
