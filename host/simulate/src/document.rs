//! A document from a path, with what it names, and its findings under the path that the user typed.

use crate::{Error, FolderResolver};
use pointsman_scxml::limits::MAX_FILE_BYTES;
use pointsman_scxml::model::SourceFile;
use pointsman_scxml::{Diagnostic, Errors, ResolveError, Resolver, model};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Largest component that is read, in bytes.
const MAX_COMPONENT_BYTES: u64 = 64 << 20;

const _: () = assert!(MAX_COMPONENT_BYTES > MAX_FILE_BYTES as u64);

/// Reads a document or component, in bounded amounts.
///
/// # Errors
/// [`Error::Read`].
pub fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_COMPONENT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        let message = format!("it is larger than {MAX_COMPONENT_BYTES} bytes");
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message)));
    }
    Ok(bytes)
}

/// A document that was read without errors.
#[derive(Debug)]
pub struct Document {
    /// What it says. Its files are named relative to its root, so that it compiles to the same wherever it lies.
    pub model: model::Document,
    /// What the reader remarked.
    pub warnings: Vec<Diagnostic>,
    /// Its own text.
    pub text: String,
    /// Its path relative to its root.
    pub name: String,
    /// What it names: path relative to its root -> text.
    pub files: BTreeMap<String, String>,
    root: PathBuf,
}

impl Document {
    /// Reads the document at `path`, and the files that it names below `root`: the folder of the whole project, where it has
    /// one, otherwise the document's own.
    ///
    /// # Errors
    /// [`Error::Document`] with everything that is wrong, [`Error::Read`], [`Error::NotText`], [`Error::NotBelow`].
    pub fn read(path: &Path, root: Option<&Path>) -> Result<Self, Error> {
        Self::of_text(path, root, read_file(path)?)
    }

    /// The same with an empty text in the place of each file that cannot be read: for what else is to be said of a
    /// document that is refused for that alone.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn read_despite_missing(path: &Path, root: Option<&Path>) -> Result<Self, Error> {
        Self::resolved(path, root, read_file(path)?, true)
    }

    pub(crate) fn of_text(path: &Path, root: Option<&Path>, bytes: Vec<u8>) -> Result<Self, Error> {
        Self::resolved(path, root, bytes, false)
    }

    fn resolved(path: &Path, root: Option<&Path>, bytes: Vec<u8>, despite_missing: bool) -> Result<Self, Error> {
        let text = String::from_utf8(bytes).map_err(|_| Error::NotText { path: path.to_owned() })?;
        let (root, name) = placed(path, root)?;
        let opened = if root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &root
        };
        let resolver = FolderResolver::open(opened).map_err(|source| Error::Read {
            path: opened.to_owned(),
            source,
        })?;
        let read = if despite_missing {
            pointsman_scxml::read(&name, &text, &Despite(&resolver))
        } else {
            pointsman_scxml::read(&name, &text, &resolver)
        };
        match read {
            Ok((model, warnings)) => Ok(Document {
                model,
                warnings,
                text,
                name,
                files: resolver.into_files(),
                root,
            }),
            Err(errors) => Err(Error::Document(Errors {
                files: shown(&root, errors.files),
                ..errors
            })),
        }
    }

    /// Its files, named as the user knows them, for [`pointsman_scxml::render`].
    pub fn shown_files(&self) -> Vec<SourceFile> {
        shown(&self.root, self.model.files.clone())
    }

    /// What the compiler says of it, with its places where it has some.
    pub fn compile_error(&self, path: &Path, error: pointsman_compiler::Error) -> Error {
        Error::Compile {
            path: path.to_owned(),
            source: error,
        }
    }
}

/// Answers an empty text for what cannot be read.
struct Despite<'r>(&'r FolderResolver);

impl Resolver for Despite<'_> {
    fn read(&self, base: &str, reference: &str) -> Result<(String, String), ResolveError> {
        let read = self.0.read(base, reference);
        Ok(read.unwrap_or_else(|_| (reference.to_owned(), String::new())))
    }
}

/// The root as it is to be shown, and the document's path below it.
fn placed(path: &Path, root: Option<&Path>) -> Result<(PathBuf, String), Error> {
    let Some(root) = root else {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        return Ok((folder, name.into_owned()));
    };
    let whole = |path: &Path| {
        path.canonicalize().map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })
    };
    let below = whole(path)?;
    let below = below.strip_prefix(whole(root)?).map_err(|_| Error::NotBelow {
        path: path.to_owned(),
        root: root.to_owned(),
    })?;
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    Ok((root.to_owned(), parts.join("/")))
}

fn shown(folder: &Path, files: Vec<SourceFile>) -> Vec<SourceFile> {
    let named = |file: SourceFile| SourceFile {
        url: folder.join(file.url).display().to_string(),
        ..file
    };
    files.into_iter().map(named).collect()
}
