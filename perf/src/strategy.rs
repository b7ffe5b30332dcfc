//! The measured strategy: `charts/call-routing.scxml`, compiled and loaded as a host does it.

use anyhow::{Context as _, Result};
use cap_std::{ambient_authority, fs::Dir};
use pointsman_compiler::{Compiler, Form, Limits};
use pointsman_sandbox::{Options, Sandbox, Strategy};
use pointsman_scxml::{NoFiles, read};
use std::path::Path;

/// The document.
pub const CALL_ROUTING: &str = include_str!("../charts/call-routing.scxml");

/// Bytes that a session's memory may grow to: all that a slot has.
pub const MEMORY: usize = 16 << 20;

/// A sandbox for so many live sessions, without native cache.
pub fn sandbox(sessions: usize) -> Result<Sandbox> {
    sandbox_with_cache(sessions, None)
}

/// A sandbox for so many live sessions, with its native cache in this directory.
pub fn sandbox_with_cache(sessions: usize, cache: Option<&Path>) -> Result<Sandbox> {
    let options = Options {
        sessions: u32::try_from(sessions)?,
        ..Options::default()
    };
    let open = |path| Dir::open_ambient_dir(path, ambient_authority());
    Ok(Sandbox::new(options, cache.map(open).transpose()?)?)
}

/// A document's component.
pub fn component(compiler: &Compiler, name: &str, text: &str) -> Result<Vec<u8>> {
    let (document, warnings) = read(name, text, &NoFiles)?;
    let compiled = compiler.compile(&document, Form::Image)?;
    let all = warnings.iter().chain(&compiled.warnings);
    let all: Vec<_> = all.map(|w| w.message.as_str()).collect();
    anyhow::ensure!(all.is_empty(), "{name} has warnings: {}", all.join("; "));
    Ok(compiled.component)
}

/// The strategy, ready. Must be called with enough stack, see [`pointsman_sandbox::on_big_stack`].
pub fn call_routing(sandbox: &Sandbox) -> Result<Strategy> {
    let compiler = Compiler::new(sandbox.clone(), Limits::default());
    let component = component(&compiler, "call-routing.scxml", CALL_ROUTING)?;
    sandbox.load(&component).context("the component just made is refused")
}
