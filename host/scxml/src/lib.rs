//! SCXML documents: read, validated, with source positions.
//!
//! [`read`] takes the text of a document (W3C SCXML 1.0, or the dialect of ORS: [`model::Dialect`]) and a [`Resolver`] for the files that it names, and answers a
//! [`Document`] that the compiler can rely on (ids are unique, targets exist and can be entered) together with warnings; or
//! [`Errors`]: every error at once, each with its place, the offending text and what to do.
//!
//! ```text
//! text --xml--> elements with byte offsets --include--> one tree of all texts --reader--> model, list of states --validate--> Document
//!                                                      (vocabulary, modules: which names may stand where)
//! ```
//!
//! Expressions are not looked into: a document with a broken expression is a valid document, and raises
//! `error.execution` when the expression is reached (W3C SCXML 5.9).
//!
//! Documents are not trusted: what is read is bounded by [`limits`], document type declarations are refused, and
//! nothing is reached but through the resolver.
//!
//! ```
//! let text = r#"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0"><final id="over"/></scxml>"#;
//! let (document, warnings) = pointsman_scxml::read("main.scxml", text, &pointsman_scxml::NoFiles)?;
//! assert_eq!(document.states[0].id, "over");
//! assert!(warnings.is_empty());
//! # Ok::<(), pointsman_scxml::Errors>(())
//! ```

mod diagnostic;
mod expression;
pub mod limits;
pub mod lint;
pub mod model;
pub mod modules;
mod reader;
mod resolver;
mod source;
mod suggest;
mod validate;
mod vocabulary;
mod xml;

pub use diagnostic::{Diagnostic, Errors, Severity, render};
pub use model::Document;
pub use reader::in_predicate;
pub use resolver::{MapResolver, NoFiles, ResolveError, Resolver};

use reader::Reader;
use source::Span;

/// Reads a document: `url` names it in messages and is the base of the references in it, `text` is its whole text.
///
/// Answers the document with warnings, or everything that is wrong with it.
pub fn read(url: &str, text: &str, resolver: &dyn Resolver) -> Result<(Document, Vec<Diagnostic>), Errors> {
    let mut reader = Reader::new(resolver);
    let document = document(&mut reader, url, text);
    let Reader { report, files, .. } = reader;
    let files = files.into_sources();
    let warnings = report.finish(&files)?;
    let mut document = document.expect("a document that is not read has an error");
    document.files = files;
    Ok((document, warnings))
}

fn document(reader: &mut Reader<'_>, url: &str, text: &str) -> Option<Document> {
    // A byte order mark is not part of the text (XML 1.0 section 4.3.3).
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let too_large = text.len() > limits::MAX_FILE_BYTES;
    let kept = if too_large { "" } else { text };
    let file = reader
        .files
        .add(url, kept)
        .expect("the first file is within the limits on all files");
    if too_large {
        let message = format!(
            "a document may have {} bytes; this one has {}",
            limits::MAX_FILE_BYTES,
            text.len()
        );
        reader.error("too-large", Span { file, start: 0, end: 0 }, message, None);
        return None;
    }
    let root = match xml::parse(text, file) {
        Ok(root) => root,
        Err(malformed) => {
            reader.error(malformed.code, malformed.span, malformed.message, malformed.hint);
            return None;
        }
    };
    let document = reader.document(root);
    validate::check(reader);
    document
}
