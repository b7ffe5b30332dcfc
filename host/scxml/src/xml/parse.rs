//! From text to tree.

use quick_xml::errors::IllFormedError;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{Error, NsReader};

use super::attributes::{self, illegal_character, unknown_prefix};
use super::{Characters, Element, Malformed, Namespace, Node, is_legal};
use crate::diagnostic::quoted;
use crate::limits::{MAX_DEPTH, MAX_ELEMENTS};
use crate::source::Span;

/// Reads the text of `file`; answers its root element.
pub(crate) fn parse(text: &str, file: u16) -> Result<Element, Malformed> {
    if let Some((start, character)) = text.char_indices().find(|&(_, character)| !is_legal(character)) {
        return Err(illegal_character(
            character,
            Span {
                file,
                start,
                end: start + character.len_utf8(),
            },
        ));
    }
    let mut parser = Parser {
        text,
        file,
        open: Vec::new(),
        root: None,
        elements: 0,
    };
    let mut reader = NsReader::from_str(text);
    loop {
        let start = reader.buffer_position() as usize;
        let event = reader.read_event();
        let span = Span {
            file,
            start,
            end: reader.buffer_position() as usize,
        };
        match event {
            Ok(Event::Eof) => return parser.finish(),
            Ok(event) => parser.event(&event, &reader, span)?,
            Err(error) => return Err(parser.failed(&error, reader.error_position() as usize, span)),
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    file: u16,
    /// Elements whose end tag has not come, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
    /// Start tags so far.
    elements: usize,
}

impl Parser<'_> {
    fn event(&mut self, event: &Event<'_>, reader: &NsReader<&[u8]>, span: Span) -> Result<(), Malformed> {
        match event {
            Event::Start(start) => {
                let element = self.element(start, reader, span)?;
                self.open.push(element);
            }
            Event::Empty(start) => {
                let element = self.element(start, reader, span)?;
                self.close(element);
            }
            Event::End(_) => {
                let mut element = self
                    .open
                    .pop()
                    .expect("quick-xml answers an end tag only to a start tag");
                element.inner.end = span.start;
                element.end = span.end;
                self.close(element);
            }
            Event::Text(text) => self.characters(&text.xml10_content(), span)?,
            Event::CData(text) => {
                // The text starts after `<![CDATA[` and ends before `]]>`.
                let inside = Span {
                    start: span.start + 9,
                    end: span.end - 3,
                    ..span
                };
                self.characters(&text.xml10_content(), inside)?;
            }
            Event::GeneralRef(reference) => self.characters(&resolve(reference, span)?, span)?,
            Event::DocType(_) => {
                return Err(Malformed {
                    code: "dtd-refused",
                    message: "a document type declaration is not read".to_owned(),
                    span,
                    hint: Some(
                        "remove `<!DOCTYPE ...>`; entities other than the five of XML cannot be declared".to_owned(),
                    ),
                });
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn element(&mut self, start: &BytesStart<'_>, reader: &NsReader<&[u8]>, span: Span) -> Result<Element, Malformed> {
        // The name follows the `<`.
        let name_start = span.start + 1;
        let tag = Span {
            end: name_start + start.name().into_inner().len(),
            ..span
        };
        if self.root.is_some() {
            return Err(Malformed {
                code: "malformed-xml",
                message: "a document has one root element; this is a second".to_owned(),
                span: tag,
                hint: None,
            });
        }
        if self.open.len() == MAX_DEPTH {
            return Err(Malformed {
                code: "nested-too-deeply",
                message: format!("elements may nest {MAX_DEPTH} deep"),
                span: tag,
                hint: None,
            });
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(Malformed {
                code: "too-many-elements",
                message: format!("a document may have {MAX_ELEMENTS} elements"),
                span: tag,
                hint: None,
            });
        }
        let resolver = reader.resolver();
        let (namespace, name) = resolver.resolve_element(start.name());
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => Namespace::new(namespace.into_inner()),
            ResolveResult::Unbound => Namespace::Other(String::new()),
            ResolveResult::Unknown(prefix) => return Err(unknown_prefix(&prefix, tag)),
        };
        let attributes = attributes::read(start, resolver, name_start, tag)?;
        let inner = Span {
            start: span.end,
            ..span
        };
        let name = name.into_inner().to_owned();
        Ok(Element {
            namespace,
            name,
            tag,
            attributes,
            children: Vec::new(),
            inner,
            end: span.end,
        })
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn characters(&mut self, text: &str, span: Span) -> Result<(), Malformed> {
        let Some(parent) = self.open.last_mut() else {
            if text.chars().all(char::is_whitespace) {
                return Ok(());
            }
            let written = &self.text[span.start..span.end];
            let start = span.end - written.trim_start().len();
            return Err(Malformed {
                code: "malformed-xml",
                message: "characters stand outside of the root element".to_owned(),
                span: Span { start, ..span },
                hint: None,
            });
        };
        match parent.children.last_mut() {
            Some(Node::Text(before)) => {
                before.text.push_str(text);
                before.span.end = span.end;
            }
            _ => parent.children.push(Node::Text(Characters {
                text: text.to_owned(),
                span,
            })),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Element, Malformed> {
        if let Some(open) = self.open.pop() {
            return Err(Malformed {
                code: "unclosed-element",
                message: format!(
                    "{} is not closed",
                    quoted(&format!("{}>", &self.text[open.tag.start..open.tag.end]))
                ),
                span: open.tag,
                hint: Some("the end of the document comes before its end tag".to_owned()),
            });
        }
        let end = self.text.len();
        self.root.ok_or_else(|| Malformed {
            code: "malformed-xml",
            message: "the document is empty: there is no root element".to_owned(),
            span: Span {
                file: self.file,
                start: end,
                end,
            },
            hint: None,
        })
    }

    fn failed(&self, error: &Error, at: usize, span: Span) -> Malformed {
        let span = Span {
            start: at.min(self.text.len()),
            ..span
        };
        let line = |open: &Element| self.text[..open.tag.start].matches('\n').count() + 1;
        let (code, message, hint) = match error {
            Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => (
                "mismatched-end-tag",
                format!(
                    "{} closes nothing: {} is open here",
                    quoted(&format!("</{found}>")),
                    start_tag(expected)
                ),
                self.open
                    .last()
                    .map(|open| format!("{} was opened on line {}", start_tag(expected), line(open))),
            ),
            Error::IllFormed(IllFormedError::UnmatchedEndTag(found)) => (
                "mismatched-end-tag",
                format!(
                    "{} closes nothing: no element is open here",
                    quoted(&format!("</{found}>"))
                ),
                None,
            ),
            Error::IllFormed(IllFormedError::UnclosedReference) => (
                "unknown-entity",
                "`&` starts a reference, and this one does not end".to_owned(),
                Some("write `&amp;` for the character itself, or put the script in <![CDATA[ ... ]]>".to_owned()),
            ),
            other => ("malformed-xml", other.to_string(), None),
        };
        Malformed {
            code,
            message,
            span,
            hint,
        }
    }
}

fn start_tag(name: &str) -> String {
    quoted(&format!("<{name}>"))
}

/// The characters that a reference stands for: the five of XML (section 4.6) and character references.
fn resolve(reference: &BytesRef<'_>, span: Span) -> Result<String, Malformed> {
    if let Some(text) = resolve_xml_entity(reference) {
        return Ok(text.to_owned());
    }
    match reference.resolve_char_ref() {
        Ok(Some(character)) if is_legal(character) => Ok(character.to_string()),
        Ok(Some(character)) => Err(illegal_character(character, span)),
        Ok(None) | Err(_) => Err(unknown_entity(reference, true, span)),
    }
}

/// A reference to what is not declared, or not a reference at all.
pub(super) fn unknown_entity(name: &str, closed: bool, span: Span) -> Malformed {
    let semicolon = if closed { ";" } else { "" };
    Malformed {
        code: "unknown-entity",
        message: format!(
            "{} is not a reference that XML knows",
            quoted(&format!("&{name}{semicolon}"))
        ),
        span,
        hint: Some("there are &amp; &lt; &gt; &quot; &apos; and &#number;; for `&` itself write `&amp;`".to_owned()),
    }
}
