//! The data directory. The only place where paths of the machine become directories; all else goes through them.
//!
//! ```text
//! catalog/     strategies: components by digest, versions by tenant
//! cache/       native code of this host's own making
//! certs/       development certificates, where none are configured
//! documents/   <tenant>/: what `file:` references of that tenant may name
//! audit.jsonl  who did what over REST
//! locations.key  what the locations of sessions are made with (Basic HTTP)
//! ```

use crate::Error;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::path::{Path, PathBuf};

pub(crate) struct Data {
    pub path: PathBuf,
    pub dir: Dir,
}

impl Data {
    pub fn open(path: &Path) -> Result<Data, Error> {
        let failed = |source| Error::Path {
            what: "the data directory",
            path: path.to_owned(),
            source,
        };
        make_private(path).map_err(failed)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)?;
        Ok(Data {
            path: path.to_owned(),
            dir,
        })
    }

    /// A folder in it, made if need be.
    pub fn folder(&self, name: &str) -> Result<Dir, Error> {
        let path = self.path.join(name);
        let failed = |source| Error::Path {
            what: "the data directory's folder",
            path: path.clone(),
            source,
        };
        make_private(&path).map_err(failed)?;
        self.dir.open_dir(name).map_err(failed)
    }
}

/// Opens the directory that holds a configuration file, and the file's name in it.
pub(crate) fn config_dir(file: &Path) -> Result<(Dir, String), Error> {
    let parent = match file.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let failed = |source| Error::Path {
        what: "the configuration",
        path: file.to_owned(),
        source,
    };
    let dir = Dir::open_ambient_dir(parent, ambient_authority()).map_err(failed)?;
    let name = file
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    Ok((dir, name))
}

/// Keys and native code lie here: for the owner only.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
