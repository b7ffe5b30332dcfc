//! The sandbox of the command line: small, with its native code kept between runs.

use crate::failure::Failure;
use crate::progress;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pointsman_compiler::{Compiler, Limits};
use pointsman_sandbox::{Options, Sandbox};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;

/// Sessions that live at once: one is simulated at a time.
const SESSIONS: u32 = 4;

/// A sandbox. Compiling the engine takes about a second; afterwards it is taken from the user's cache.
pub(crate) fn sandbox() -> Result<Sandbox, Failure> {
    sandbox_for(SESSIONS)
}

/// A sandbox for so many live sessions.
pub(crate) fn sandbox_for(sessions: u32) -> Result<Sandbox, Failure> {
    let options = Options {
        sessions,
        ..Options::default()
    };
    progress::during("preparing the engine", || {
        if let Some(cache) = cache() {
            match Sandbox::new(options.clone(), Some(cache)) {
                Ok(sandbox) => return Ok(sandbox),
                // Two commands that make it at the same moment, a full disk: it is only a cache.
                Err(error) => tracing::debug!(%error, "the native cache is left out"),
            }
        }
        Sandbox::new(options, None)
    })
    .map_err(|error| Failure::Failed(error.to_string()))
}

/// A compiler with the limits of a server that is told nothing else.
pub(crate) fn compiler() -> Result<Compiler, Failure> {
    Ok(Compiler::new(sandbox()?, Limits::default()))
}

fn cache() -> Option<Dir> {
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    let opened = open(base.join("pointsman/native"));
    opened
        .inspect_err(|error| tracing::debug!(%error, "no native cache"))
        .ok()
}

/// Relative paths are not taken (XDG Base Directory Specification).
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// Native code is run as it is: a directory that others may write to is not used.
fn open(path: PathBuf) -> io::Result<Dir> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
    if std::fs::metadata(&path)?.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others may write to it",
        ));
    }
    Dir::open_ambient_dir(path, ambient_authority())
}
