//! What a fuzzer feeds: bytes from outside go through the code that meets them first, and what must hold is asserted.
//!
//! | target | input | what must hold |
//! |---|---|---|
//! | [`document`] | the text of a document | no panic; every place that a finding names exists; what is accepted can be flattened and linted |
//! | [`include`] | a document and the files that it includes ([`files`]) | the same, in every file |
//! | [`event`] | an event for a strategy ([`mod@event`]) | the sandbox does not trap, and a healthy event is handled after it |
//!
//! `libfuzzer/` has the targets for a coverage-guided fuzzer; its README says how to run them. The tests here run every file in
//! `corpus/`, where what once broke something is kept under a name that says what it was, and random changes of those.

use pointsman_scxml::model::{Position, SourceFile};
use pointsman_scxml::{Diagnostic, MapResolver, Resolver, read, render};

#[cfg(feature = "host")]
mod event;

#[cfg(feature = "host")]
pub use event::event;

/// Name of the first file.
const MAIN: &str = "main.scxml";

/// What begins a line that names the next file of an input for [`include`].
const NEXT_FILE: &str = "=== ";

/// A document.
pub fn document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    read_soundly(text, &MapResolver::new([]));
}

/// A document and what it includes.
pub fn include(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut all = files(text);
    let main = all.remove(0).1;
    read_soundly(&main, &MapResolver::new(all));
}

/// The files of an input, the document first: lines `=== NAME` come between them.
fn files(text: &str) -> Vec<(String, String)> {
    let mut all = vec![(MAIN.to_owned(), String::new())];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix(NEXT_FILE) {
            Some(name) => all.push((name.trim_end().to_owned(), String::new())),
            None => all.last_mut().expect("it begins with one").1.push_str(line),
        }
    }
    all
}

fn read_soundly(text: &str, resolver: &dyn Resolver) {
    let (findings, files): (Vec<Diagnostic>, _) = match read(MAIN, text, resolver) {
        Ok((document, warnings)) => {
            // Too large for the tables is an answer as well.
            #[cfg(feature = "host")]
            let _too_large = pointsman_compiler::flatten(&document);
            let lints = pointsman_scxml::lint::check(&document);
            (warnings.into_iter().chain(lints).collect(), document.files)
        }
        Err(errors) => {
            assert!(!errors.diagnostics.is_empty(), "refused without a reason");
            (errors.diagnostics, errors.files)
        }
    };
    for finding in &findings {
        assert_place(&files, finding.at);
    }
    let _shown = render(&findings, &files);
}

fn assert_place(files: &[SourceFile], at: Position) {
    let text = &files[usize::from(at.file)].text;
    let line = text.split('\n').nth(at.line as usize - 1);
    let columns = line.map_or(0, |line| line.chars().count() + 1);
    assert!(
        at.column >= 1 && at.column as usize <= columns,
        "{at:?} is outside of its file"
    );
}
