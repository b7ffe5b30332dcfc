//! The attributes of a start tag.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use quick_xml::events::attributes::AttrError;
use quick_xml::name::{NamespaceResolver, ResolveResult};

use super::{Attribute, Malformed, is_legal};
use crate::diagnostic::quoted;
use crate::limits::MAX_ATTRIBUTES;
use crate::source::Span;

/// Reads the attributes of a tag whose name starts at byte `name_start`; `tag` is its span, for errors that have no better place.
pub(super) fn read(
    start: &BytesStart<'_>,
    resolver: &NamespaceResolver,
    name_start: usize,
    tag: Span,
) -> Result<Vec<Attribute>, Malformed> {
    let place = |part: &str| {
        let start_of_part = name_start + (part.as_ptr() as usize - start.as_ptr() as usize);
        Span {
            start: start_of_part,
            end: start_of_part + part.len(),
            ..tag
        }
    };
    let mut attributes = Vec::new();
    for (number, item) in start.attributes().enumerate() {
        if number == MAX_ATTRIBUTES {
            return Err(Malformed {
                code: "too-many-attributes",
                message: format!("an element may have at most {MAX_ATTRIBUTES} attributes"),
                span: tag,
                hint: None,
            });
        }
        let attribute = item.map_err(|error| broken(&error, name_start, tag))?;
        let key = attribute.key;
        let (name_span, span) = (place(key.into_inner()), place(&attribute.value));
        check_raw(&attribute.value, span)?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| unknown_reference(&attribute.value, span))?;
        if let Some(illegal) = value.chars().find(|&character| !is_legal(character)) {
            return Err(illegal_character(illegal, span));
        }
        if key.as_namespace_binding().is_some() {
            continue;
        }
        let (namespace, name) = resolver.resolve_attribute(key);
        let foreign = match namespace {
            ResolveResult::Unbound => false,
            ResolveResult::Bound(_) => true,
            ResolveResult::Unknown(prefix) => return Err(unknown_prefix(&prefix, name_span)),
        };
        let name = name.into_inner().to_owned();
        attributes.push(Attribute {
            foreign,
            name,
            name_span,
            value: value.into_owned(),
            span,
            whole: false,
        });
    }
    Ok(attributes)
}

/// `<` may not stand in a value (XML 1.0 section 3.1); quick-xml does not look.
fn check_raw(raw: &str, span: Span) -> Result<(), Malformed> {
    let Some(offset) = raw.find('<') else { return Ok(()) };
    let start = span.start + offset;
    Err(Malformed {
        code: "less-than-in-attribute",
        message: "`<` may not stand in an attribute value".to_owned(),
        span: Span {
            start,
            end: start + 1,
            ..span
        },
        hint: Some("write `&lt;`; if the value ends earlier, a quote is missing before this".to_owned()),
    })
}

/// Finds which reference of a value cannot be resolved.
fn unknown_reference(raw: &str, span: Span) -> Malformed {
    for (offset, _) in raw.match_indices('&') {
        let rest = &raw[offset + 1..];
        let name = rest
            .split(|end: char| end == ';' || end.is_whitespace())
            .next()
            .unwrap_or_default();
        let closed = rest[name.len()..].starts_with(';');
        if !closed || quick_xml::escape::unescape(&format!("&{name};")).is_err() {
            let start = span.start + offset;
            let end = start + 1 + name.len();
            return super::parse::unknown_entity(name, closed, Span { start, end, ..span });
        }
    }
    Malformed {
        code: "malformed-xml",
        message: "a reference in this value cannot be resolved".to_owned(),
        span,
        hint: None,
    }
}

/// A character that XML forbids even as a reference.
pub(super) fn illegal_character(character: char, span: Span) -> Malformed {
    Malformed {
        code: "illegal-character",
        message: format!("the character U+{:04X} is not allowed in XML", u32::from(character)),
        span,
        hint: Some("in a script, write it as an escape such as \\u0001".to_owned()),
    }
}

/// A prefix that no `xmlns:` binds.
pub(super) fn unknown_prefix(prefix: &str, span: Span) -> Malformed {
    Malformed {
        code: "unknown-prefix",
        message: format!("the namespace prefix {} is not declared", quoted(prefix)),
        span,
        hint: Some(format!("declare it on `<scxml>`: xmlns:{prefix}=\"...\"")),
    }
}

fn broken(error: &AttrError, name_start: usize, tag: Span) -> Malformed {
    let (offset, code, message, hint) = match *error {
        AttrError::ExpectedEq(offset) => (
            offset,
            "malformed-xml",
            "an attribute needs a value",
            Some("write name=\"value\""),
        ),
        AttrError::ExpectedValue(offset) => (
            offset,
            "malformed-xml",
            "there is no value after `=`",
            Some("write name=\"value\""),
        ),
        AttrError::UnquotedValue(offset) => (
            offset,
            "malformed-xml",
            "an attribute value must stand in quotes",
            Some("write name=\"value\""),
        ),
        AttrError::ExpectedQuote(offset, _) => (
            offset,
            "malformed-xml",
            "the quote of this attribute value is not closed",
            None,
        ),
        AttrError::Duplicated(offset, _) => (
            offset,
            "duplicate-attribute",
            "this attribute is given twice",
            Some("remove one of them"),
        ),
    };
    let start = name_start + offset;
    let span = Span {
        start,
        end: start,
        ..tag
    };
    Malformed {
        code,
        message: message.to_owned(),
        span,
        hint: hint.map(str::to_owned),
    }
}
