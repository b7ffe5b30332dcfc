//! XML to a tree that knows where everything stood.
//!
//! A tree, not a stream of events: checks such as "several `else`", suggestions and all errors at once need to look
//! around. It is bounded by the limits on size, depth, elements and attributes ([`crate::limits`]).

mod attributes;
mod parse;

pub(crate) use parse::parse;

use crate::source::Span;

/// Namespace of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// `http://www.w3.org/2005/07/scxml`.
    Scxml,
    /// A functional module of ORS, in either spelling: its name.
    Module(String),
    /// Any other, or none (empty).
    Other(String),
}

/// Namespace of SCXML (W3C SCXML 3.2.1).
pub(crate) const SCXML_NAMESPACE: &str = "http://www.w3.org/2005/07/scxml";

/// Namespace of XInclude 1.0.
pub(crate) const XINCLUDE_NAMESPACE: &str = "http://www.w3.org/2001/XInclude";

/// What follows "www.genesyslab.com" in namespaces of functional modules; vendor documents write it with and without the scheme.
const MODULE_NAMESPACES: [&str; 2] = ["http://www.genesyslab.com/modules/", "www.genesyslab.com/modules/"];

impl Namespace {
    fn new(uri: &str) -> Self {
        if uri == SCXML_NAMESPACE {
            return Self::Scxml;
        }
        let module = MODULE_NAMESPACES.iter().find_map(|prefix| uri.strip_prefix(prefix));
        match module.map(|path| path.rsplit('/').next().unwrap_or_default()) {
            Some(name) if !name.is_empty() => Self::Module(name.to_owned()),
            _ => Self::Other(uri.to_owned()),
        }
    }
}

/// An element.
#[derive(Debug)]
pub(crate) struct Element {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its local name.
    pub name: String,
    /// `<name`, prefix included.
    pub tag: Span,
    /// In document order, without namespace declarations.
    pub attributes: Vec<Attribute>,
    /// In document order.
    pub children: Vec<Node>,
    /// What stands between the tags.
    pub inner: Span,
    /// Byte after the element, in the file of its tag.
    pub end: usize,
}

impl Element {
    /// An attribute without a namespace.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| !attribute.foreign && attribute.name == name)
    }

    /// Child elements, of whatever namespace.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// It stands for what it names (XInclude 1.0 section 3.1).
    pub fn is_include(&self) -> bool {
        self.is_xinclude() && self.name == "include"
    }

    /// An element of XInclude.
    pub fn is_xinclude(&self) -> bool {
        matches!(&self.namespace, Namespace::Other(uri) if uri == XINCLUDE_NAMESPACE)
    }

    /// All characters directly in it, with the place of the first: the whole text where there are no child elements. White
    /// space around an included text is left out, so that the place is the one of the included text. A text of pieces that do
    /// not follow one another in one file has the place of the element: lines counted from that of one piece would be wrong in
    /// the others.
    pub fn characters(&self) -> (String, Span) {
        let mut pieces: Vec<&Characters> = self.texts().collect();
        if pieces.iter().any(|piece| piece.span.file != self.inner.file) {
            let blank = |piece: &&&Characters| piece.span.file == self.inner.file && piece.text.trim().is_empty();
            let leading = pieces.iter().take_while(blank).count();
            pieces.drain(..leading);
            let trailing = pieces.iter().rev().take_while(blank).count();
            pieces.truncate(pieces.len() - trailing);
        }
        match pieces.as_slice() {
            [] => (
                String::new(),
                Span {
                    end: self.inner.start,
                    ..self.inner
                },
            ),
            [first, rest @ ..] => {
                let before = pieces.iter().map(|piece| piece.span);
                let follows = |(before, piece): (Span, &&Characters)| {
                    piece.span.file == before.file && piece.span.start >= before.end
                };
                let in_one = before.zip(rest).all(follows);
                let place = if in_one { first.span } else { self.tag };
                (pieces.iter().map(|piece| piece.text.as_str()).collect(), place)
            }
        }
    }

    fn texts(&self) -> impl Iterator<Item = &Characters> {
        self.children.iter().filter_map(|node| match node {
            Node::Text(characters) => Some(characters),
            Node::Element(_) => None,
        })
    }
}

/// An attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// It has a namespace of its own, so SCXML does not speak of it.
    pub foreign: bool,
    /// Local name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Normalised and resolved (XML 1.0 section 3.3.3).
    pub value: String,
    /// Where the value stands, without the quotes.
    pub span: Span,
    /// The prefix of an included text has been put into the value: names in it are whole.
    pub whole: bool,
}

impl Attribute {
    /// The words of the value, with the place of each.
    pub fn words(&self) -> impl Iterator<Item = (&str, Span)> {
        let as_written = self.span.end - self.span.start == self.value.len();
        self.value.split_ascii_whitespace().map(move |word| {
            // References such as `&amp;` shift what follows: then the whole value is the place.
            let offset = word.as_ptr() as usize - self.value.as_ptr() as usize;
            let start = self.span.start + offset;
            let span = if as_written {
                Span {
                    start,
                    end: start + word.len(),
                    ..self.span
                }
            } else {
                self.span
            };
            (word, span)
        })
    }
}

/// What an element contains.
#[derive(Debug)]
pub(crate) enum Node {
    /// A child element.
    Element(Element),
    /// Characters.
    Text(Characters),
}

/// A run of characters: text, CDATA sections and references, comments taken out.
#[derive(Debug)]
pub(crate) struct Characters {
    /// Resolved; line ends are `\n` (XML 1.0 section 2.11).
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// Why a text is not well-formed XML, or not XML that is read here. The first such error ends the reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// As [`crate::Diagnostic::code`].
    pub code: &'static str,
    /// As [`crate::Diagnostic::message`].
    pub message: String,
    /// Where.
    pub span: Span,
    /// As [`crate::Diagnostic::hint`].
    pub hint: Option<String>,
}

/// A character that XML 1.0 allows in a document (section 2.2).
pub(crate) const fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
