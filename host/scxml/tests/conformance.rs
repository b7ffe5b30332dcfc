//! The documents of the W3C implementation report load.
//!
//! Most of them are odd on purpose: they hold broken expressions, illegal values and locations that do not exist,
//! all of which must be found when they are reached, not before.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pointsman_scxml::{ResolveError, Resolver, read, render};

/// Needs a script that cannot be read: the only document that must be refused (W3C test 301).
const UNLOADABLE: &str = "test301.scxml";

/// Start documents and sub-documents of the ECMAScript edition.
const ECMASCRIPT_DOCUMENTS: usize = 206;

struct Folder(PathBuf);

impl Resolver for Folder {
    fn read(&self, _base: &str, reference: &str) -> Result<(String, String), ResolveError> {
        let path = self.0.join(reference.strip_prefix("file:").unwrap_or(reference));
        let resolved = path.display().to_string();
        match fs::read_to_string(&path) {
            Ok(text) => Ok((resolved, text)),
            Err(error) => Err(ResolveError::Failed {
                resolved,
                reason: error.to_string(),
            }),
        }
    }
}

/// `None` (said aloud) where the suite is not there.
fn suite(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/w3c-irp")
        .join(folder);
    if path.is_dir() {
        return Some(path);
    }
    // On the real standard error: what a test prints is captured, and nobody would see it.
    let line = format!("SKIPPED: the W3C suite is not at ../shared/w3c-irp/{folder} beside the repository\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error takes a line");
    None
}

fn documents(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).expect("the suite is readable");
    let paths = entries.map(|entry| entry.expect("the suite is readable").path());
    let scxml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "scxml"));
    let mut documents: Vec<(String, String)> = scxml
        .map(|path| {
            let name = path
                .file_name()
                .expect("a file has a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(&path).expect("the suite is readable"))
        })
        .collect();
    documents.sort();
    documents
}

#[test]
fn every_document_of_the_suite_loads_but_the_one_whose_script_is_missing() {
    let Some(folder) = suite("ecma") else { return };
    let documents = documents(&folder);
    assert_eq!(documents.len(), ECMASCRIPT_DOCUMENTS);
    let mut problems = String::new();
    for (name, text) in &documents {
        match read(name, text, &Folder(folder.clone())) {
            Ok((document, warnings)) => {
                assert_ne!(name, UNLOADABLE);
                assert!(!document.states.is_empty(), "{name}");
                problems.push_str(&render(&warnings, &document.files));
            }
            Err(errors) if name == UNLOADABLE => {
                let codes: Vec<&str> = errors.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
                assert_eq!(codes, ["unreadable-src"], "{errors}");
            }
            Err(errors) => problems.push_str(&errors.to_string()),
        }
    }
    assert_eq!(problems, "", "nothing is to be said against the other documents");
}

#[test]
fn the_document_of_the_null_datamodel_loads() {
    let Some(folder) = suite("null") else { return };
    let documents = documents(&folder);
    assert_eq!(documents.len(), 1);
    for (name, text) in documents {
        let (document, _) = read(&name, &text, &Folder(folder.clone())).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(document.datamodel, pointsman_scxml::model::Datamodel::Null);
    }
}

#[test]
fn automatic_variants_of_manual_tests_load() {
    let Some(folder) = suite("manual-as-auto") else { return };
    let documents = documents(&folder);
    assert!(!documents.is_empty());
    for (name, text) in documents {
        read(&name, &text, &Folder(folder.clone())).unwrap_or_else(|errors| panic!("{errors}"));
    }
}
