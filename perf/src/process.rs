//! What this process takes from the kernel.

use anyhow::{Context as _, Result};
use serde::Serialize;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

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

/// Processor time that another process has used so far, all its threads, in steps of the kernel's clock tick.
pub fn processor_time_of(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Behind the name, which may hold anything: fields 14 and 15, proc_pid_stat(5).
    let fields = stat.rsplit_once(')').context("/proc/PID/stat has no name")?.1;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<Result<u64, _>>()?;
    // SAFETY: asks for a constant.
    let hertz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(Duration::from_secs_f64(ticks as f64 / hertz.max(1) as f64))
}
