//! How a document reaches the files that it names by `src`.
//!
//! A document may name anything; what it may have is decided by whoever reads it. The command line resolves in one
//! folder, an upload carries its files with it ([`MapResolver`]), and a document from nowhere gets [`NoFiles`].

use std::collections::BTreeMap;

/// Reads what a document names.
pub trait Resolver {
    /// Resolves `reference`, as written in the text of URL `base`, and reads it: `(resolved URL, text)`.
    ///
    /// The same file must resolve to the same URL, so that it is kept once.
    fn read(&self, base: &str, reference: &str) -> Result<(String, String), ResolveError>;
}

/// Why a file was not read. The message follows "cannot read `...`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// There is no such file where it was looked for.
    #[error("there is no `{resolved}`")]
    NotFound {
        /// What was looked for.
        resolved: String,
    },
    /// The reader allows no such reference.
    #[error("{reason}")]
    Refused {
        /// Why, in words that tell the author what to do.
        reason: String,
    },
    /// The file is there and reading it failed.
    #[error("`{resolved}`: {reason}")]
    Failed {
        /// What was read.
        resolved: String,
        /// What the system said.
        reason: String,
    },
}

/// Refuses every reference.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Resolver for NoFiles {
    fn read(&self, _base: &str, _reference: &str) -> Result<(String, String), ResolveError> {
        Err(ResolveError::Refused {
            reason: "this document was given without files".to_owned(),
        })
    }
}

/// Files held in memory, by path: `main.scxml`, `lib/hours.js`.
///
/// References are `file:` URLs without a host or relative paths, resolved against the folder of the text that names them. None
/// leaves the map: a path that climbs above its root is refused, other schemes are too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapResolver {
    files: BTreeMap<String, String>,
}

impl MapResolver {
    /// A resolver of these `(path, text)` pairs; paths are taken relative to the root, with `/` between segments.
    /// A path that climbs above the root is never found.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files = files
            .into_iter()
            .map(|(path, text)| (normalize("", &path).unwrap_or(path), text))
            .collect();
        Self { files }
    }
}

impl Resolver for MapResolver {
    fn read(&self, base: &str, reference: &str) -> Result<(String, String), ResolveError> {
        let path = reference.strip_prefix("file:").unwrap_or(reference);
        if has_scheme(path) {
            return Err(ResolveError::Refused {
                reason: "only relative paths and `file:` are read here; add the file to the upload".to_owned(),
            });
        }
        let base = base.strip_prefix("file:").unwrap_or(base);
        let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
        let resolved = normalize(folder, path).ok_or_else(|| ResolveError::Refused {
            reason: "the path leaves the folder of the upload".to_owned(),
        })?;
        match self.files.get(&resolved) {
            Some(text) => Ok((resolved, text.clone())),
            None => Err(ResolveError::NotFound { resolved }),
        }
    }
}

/// `http:` and the like, and also `C:`: a colon before the first slash (RFC 3986 section 4.2).
fn has_scheme(path: &str) -> bool {
    path.split(['/', '\\']).next().is_some_and(|first| first.contains(':'))
}

/// Joins and removes `.`, `..` and empty segments; `None` where the path leaves the root.
fn normalize(folder: &str, path: &str) -> Option<String> {
    let folder = if path.starts_with('/') { "" } else { folder };
    let mut segments = Vec::new();
    for segment in folder.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    Some(segments.join("/"))
}
