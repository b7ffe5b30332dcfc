//! Guest modules, built for WebAssembly by the ordinary build and embedded.
//!
//! `build.rs` compiles `guest-sdk/engine` and the Rust sample strategy with whatever WebAssembly toolchain the machine
//! has: rustup's own `wasm32-unknown-unknown`, or Debian's `rustc-web`. Nobody who builds Pointsman has to think of it,
//! and nobody who uses Pointsman needs a WebAssembly toolchain at all.

/// The engine: a core module that owns its memory (`host/sandbox` takes it apart).
pub const ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.wasm"));

/// The sample strategy in Rust, `strategies/least-cost`: a core module, not yet a component.
pub const LEAST_COST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/least_cost.wasm"));
