//! The bounds within which documents are read: documents come from people we do not know.

/// Largest text that is read, in bytes: the document, and each file that it names.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of all texts of one document together; a file counts each time it is named.
pub const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// Files of one document, itself included.
pub const MAX_FILES: usize = 500;

/// `xi:include` elements that are followed for one document; one in a text that is included twice counts twice (ORS option
/// `max-includes`).
pub const MAX_INCLUDES: usize = 500;

/// Depth to which included texts include others.
pub const MAX_INCLUDE_DEPTH: usize = 16;

/// Bytes of a prefix of ids (`resolveid`), with those of the texts around.
pub const MAX_PREFIX_BYTES: usize = 256;

/// Bytes that prefixes of ids add to one document. A short text can name its prefix a million times.
pub const MAX_PREFIX_TOTAL_BYTES: usize = 4 * 1024 * 1024;

/// Depth to which elements nest; the root element has depth 1.
pub const MAX_DEPTH: usize = 256;

/// Elements of one document, included ones counted each time. An element takes some hundred bytes of memory, however few it takes in the text.
pub const MAX_ELEMENTS: usize = 100_000;

/// States of one document: `state`, `parallel`, `final` and `history` elements.
pub const MAX_STATES: usize = 4096;

/// Attributes of one element, namespace declarations included.
pub const MAX_ATTRIBUTES: usize = 64;

/// Errors, and as many warnings, that are kept for one document; what is beyond is only counted.
pub const MAX_DIAGNOSTICS: usize = 50;
