//! The files that a document names, from its own folder.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pointsman_scxml::limits::MAX_FILE_BYTES;
use pointsman_scxml::{MapResolver, ResolveError, Resolver};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads what a document names below one folder, and nothing outside of it: neither by `..`, nor by an absolute path,
/// nor through a symbolic link. References mean what they mean in an upload ([`MapResolver`]), so that a document that
/// is read here is also read by a server.
#[derive(Debug)]
pub struct FolderResolver {
    folder: Dir,
    read: RefCell<BTreeMap<String, String>>,
}

impl FolderResolver {
    /// A resolver for this folder.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Ok(FolderResolver {
            folder: Dir::open_ambient_dir(folder, ambient_authority())?,
            read: RefCell::default(),
        })
    }

    /// What has been read until now, by path relative to the folder: what an upload has to bring along.
    pub fn into_files(self) -> BTreeMap<String, String> {
        self.read.into_inner()
    }

    fn text(&self, path: &str) -> io::Result<String> {
        // Looked at before it is opened: opening a named pipe would wait for a writer.
        if !self.folder.metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let mut text = String::new();
        // One byte more than allowed: the reader of documents says that it is too large.
        self.folder
            .open(path)?
            .take(MAX_FILE_BYTES as u64 + 1)
            .read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Resolver for FolderResolver {
    fn read(&self, base: &str, reference: &str) -> Result<(String, String), ResolveError> {
        // An upload without files finds nothing, and says under which path it looked.
        let resolved = match MapResolver::default().read(base, reference) {
            Err(ResolveError::NotFound { resolved }) => resolved,
            Err(_) | Ok(_) => {
                let reason = "only files in the document's own folder, or below it, are read, or those below the folder that `--root` names: name one by a relative path";
                return Err(ResolveError::Refused { reason: reason.into() });
            }
        };
        match self.text(&resolved) {
            Ok(text) => {
                self.read.borrow_mut().insert(resolved.clone(), text.clone());
                Ok((resolved, text))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ResolveError::NotFound { resolved }),
            Err(error) => Err(ResolveError::Failed {
                resolved,
                reason: error.to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("strategy/lib")).unwrap();
        std::fs::write(dir.path().join("secret.json"), "1").unwrap();
        std::fs::write(dir.path().join("strategy/a.json"), "2").unwrap();
        std::fs::write(dir.path().join("strategy/lib/b.js"), "3").unwrap();
        dir
    }

    #[test]
    fn files_in_the_folder_and_below_are_read_and_remembered_by_relative_path() {
        let dir = folder();
        let resolver = FolderResolver::open(&dir.path().join("strategy")).unwrap();
        for (base, reference, path, text) in [
            ("main.scxml", "a.json", "a.json", "2"),
            ("main.scxml", "./lib/b.js", "lib/b.js", "3"),
            ("lib/b.js", "../a.json", "a.json", "2"),
            ("lib/b.js", "file:b.js", "lib/b.js", "3"),
        ] {
            assert_eq!(
                resolver.read(base, reference),
                Ok((path.into(), text.into())),
                "{reference}"
            );
        }
        assert_eq!(
            resolver.into_files().into_keys().collect::<Vec<_>>(),
            ["a.json", "lib/b.js"]
        );
    }

    #[test]
    fn nothing_outside_of_the_folder_is_reached() {
        let dir = folder();
        let outside = dir.path().join("secret.json");
        std::os::unix::fs::symlink(&outside, dir.path().join("strategy/link.json")).unwrap();
        let resolver = FolderResolver::open(&dir.path().join("strategy")).unwrap();
        let absolute = outside.display().to_string();
        for reference in [
            "../secret.json",
            "lib/../../secret.json",
            "link.json",
            absolute.as_str(),
            "http://x/y",
        ] {
            let error = resolver.read("main.scxml", reference).expect_err(reference);
            assert!(!error.to_string().is_empty());
        }
        assert!(resolver.into_files().is_empty());
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let dir = folder();
        let resolver = FolderResolver::open(dir.path()).unwrap();
        let error = resolver.read("main.scxml", "strategy").unwrap_err();
        assert_eq!(error.to_string(), "`strategy`: it is not a regular file");
    }
}
