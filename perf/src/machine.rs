//! What a figure was measured on.

use serde::Serialize;
use std::fs::read_to_string;

/// This machine. What the kernel does not tell is empty or 0.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Kernel release.
    pub kernel: String,
    /// Memory maps that one process may have (`vm.max_map_count`).
    pub max_map_count: u64,
}

impl Machine {
    /// Asks the kernel.
    pub fn this() -> Self {
        let read = |path| read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|l| l.starts_with(name));
            line.and_then(|l| Some(l.split_once(':')?.1.trim().to_owned()))
                .unwrap_or_default()
        };
        let kib = field(&read("/proc/meminfo"), "MemTotal");
        Machine {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: kib.trim_end_matches(" kB").parse().unwrap_or(0) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            max_map_count: read("/proc/sys/vm/max_map_count").trim().parse().unwrap_or(0),
        }
    }
}

/// Load average of the last minute: what else kept the machine busy, this program included.
pub fn load() -> f64 {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|l| l.parse().ok())
        .unwrap_or(f64::NAN)
}
