//! The one wasmtime engine of a host, and what is compiled once: E and the glue.

use crate::cache::Cache;
use crate::component::{Frame, ret_module};
use crate::error::Error;
use crate::instance::State;
use crate::split::{Split, split};
use cap_std::fs::Dir;
use pointsman_contract::Digest;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, Module, PoolingAllocationConfig};

/// Stack that wasm may use, bytes. At least 20 times a script's own limit, or deep recursion traps before it throws.
pub(crate) const WASM_STACK: usize = 2 << 20;

/// Address space of one session's memory, bytes: also the most a session can ever have.
pub(crate) const SLOT: usize = 16 << 20;

/// Memory of a slot that stays mapped for its next user, bytes.
const KEEP_RESIDENT: usize = 256 << 10;

/// Instances beside those of live sessions: the compiler's throw-away ones, and those of sessions that have just ended
/// and whose worker has not given them back. Without them a full house could not deploy a strategy.
const SPARE_INSTANCES: u32 = 16;

/// Memory maps that a live session takes: three for its image, one once it has grown past it.
const MAPS_PER_SESSION: u64 = 4;

/// Maps that the rest of the process may take.
const MAPS_SPARE: u64 = 5_000;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Live sessions at most. Costs 16 MiB of address space each, and memory only as it is used. Default 10,000.
    pub sessions: u32,
    /// Longest a call may run before its session is ended. Default 1 s (ORS `process-event-timeout` bounds a whole
    /// event with 10 s).
    pub step_budget: Duration,
    /// Longest that preparing a strategy may run. Default 5 s.
    pub deploy_budget: Duration,
    /// Keep the pages that a new session always writes mapped in advance.
    pub populate_hot_pages: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            sessions: 10_000,
            step_budget: Duration::from_secs(1),
            deploy_budget: Duration::from_secs(5),
            populate_hot_pages: true,
        }
    }
}

/// The engine configuration: the only place where one is made. Whatever compiles or loads code must agree on it.
pub(crate) fn config(options: &Options) -> Config {
    let n = options.sessions.saturating_add(SPARE_INSTANCES);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(n)
        .total_core_instances(n.saturating_mul(4))
        .max_core_instances_per_component(4)
        .total_memories(n)
        .max_memories_per_component(1)
        .max_memories_per_module(1)
        .total_tables(n.saturating_mul(2))
        .max_tables_per_component(2)
        .max_tables_per_module(1)
        .table_elements(4000)
        .max_memory_size(SLOT)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut c = Config::new();
    c.allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .memory_may_move(false)
        .memory_reservation(SLOT as u64)
        .memory_guard_size(64 << 10)
        .guard_before_linear_memory(false)
        .memory_init_cow(true)
        .max_wasm_stack(WASM_STACK)
        .wasm_backtrace_max_frames(None)
        // A replayed session must see the same bits wherever it runs. Two things in WebAssembly may differ from one
        // processor to the next: what a computed NaN's payload is, and relaxed SIMD. For both the engine and strategies
        // with code of their own: the native code is 0.8 % larger, and no slower as far as could be measured.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false);
    c
}

/// One tick of the epoch: the grain of every time limit here.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// A duration in ticks, at least one.
pub(crate) fn ticks(d: Duration) -> u64 {
    (d.as_millis() as u64).max(1)
}

/// Runs strategies. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub options: Options,
    pub engine: wasmtime::Engine,
    pub split: Split,
    pub e: Module,
    pub empty: Module,
    pub frame: Frame,
    pub linker: Linker<State>,
    pub cache: Option<Cache>,
}

impl Sandbox {
    /// Compiles the engine, or takes its native code from `cache` (a directory that only this host may write).
    ///
    /// # Errors
    /// When the pool cannot be made, the kernel allows too few memory maps, or the cache cannot be used.
    pub fn new(options: Options, cache: Option<Dir>) -> Result<Sandbox, Error> {
        check_maps(options.sessions)?;
        let engine = wasmtime::Engine::new(&config(&options))?;
        let split = split(pointsman_guest::ENGINE).map_err(Error::Engine)?;
        let cache = cache.map(|dir| Cache::open(dir, &engine, &split.digest)).transpose()?;
        let e = match &cache {
            Some(cache) => cache.module(&engine, &split.digest, &split.engine)?,
            None => Module::new(&engine, &split.engine)?,
        };
        let empty = Module::new(&engine, &split.empty)?;
        let frame = Frame::new(split.pages)?;
        let mut linker: Linker<State> = Linker::new(&engine);
        linker.root().module("engine", &e)?;
        linker
            .root()
            .module("ret", &Module::new(&engine, ret_module(split.pages, split.ret_area)?)?)?;
        crate::instance::bindings::Strategy::add_to_linker::<_, HasSelf<_>>(&mut linker, |s| s)?;
        let inner = Arc::new(Inner {
            options,
            engine,
            split,
            e,
            empty,
            frame,
            linker,
            cache,
        });
        start_ticker(&inner)?;
        Ok(Sandbox { inner })
    }

    /// Names the engine build: images fit exactly one.
    pub fn engine_digest(&self) -> Digest {
        self.inner.split.digest
    }

    /// How it was set up.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }
}

/// Advances the epoch until the last sandbox is gone.
fn start_ticker(inner: &Arc<Inner>) -> Result<(), Error> {
    let engine = inner.engine.weak();
    std::thread::Builder::new().name("epoch".into()).spawn(move || {
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(())
}

/// Reaching the kernel's limit on maps breaks the whole process, not one session: refuse to start instead.
fn check_maps(sessions: u32) -> Result<(), Error> {
    let Ok(text) = std::fs::read_to_string("/proc/sys/vm/max_map_count") else {
        return Ok(());
    };
    let Ok(have) = text.trim().parse::<u64>() else {
        return Ok(());
    };
    let need = (u64::from(sessions) + u64::from(SPARE_INSTANCES)) * MAPS_PER_SESSION + MAPS_SPARE;
    if have < need {
        Err(Error::Maps { have, need, sessions })
    } else {
        Ok(())
    }
}
