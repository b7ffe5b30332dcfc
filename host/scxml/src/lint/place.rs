//! Where in the text a finding stands, and whether a comment before its element allows it.
//!
//! The model keeps where an element begins. The rest is read from its text again: the tag is known to be well-formed.

use super::Finding;
use crate::model::{Document, Position, State};
use crate::source::Span;

/// What of an element is marked.
pub(super) enum Mark {
    /// `<name`.
    Tag,
    /// The value of an attribute; of a list of words one of them.
    Attribute { name: &'static str, word: Option<String> },
}

impl Mark {
    /// The id of a state, if it has one.
    pub fn of_state(state: &State) -> Self {
        if state.named {
            Self::Attribute { name: "id", word: None }
        } else {
            Self::Tag
        }
    }
}

/// How a comment begins that allows lints.
const ALLOW: &str = "pointsman:allow(";

/// Findings that are not allowed, in their order, with their places and lengths in characters. They come sorted by
/// their elements: each text is walked through once.
pub(super) fn find(document: &Document, findings: Vec<Finding>) -> impl Iterator<Item = (Finding, Position, u32)> {
    let mut walker = Walker::new(document);
    let everywhere: Vec<String> = walker
        .offset(document.at)
        .map(|(text, start)| allowed_before(text, start))
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut walker = Walker::new(document);
    let mut here: (Position, Vec<&str>) = (Position::default(), Vec::new());
    findings.into_iter().filter_map(move |finding| {
        let (text, start) = walker.offset(finding.at)?;
        if here.0 != finding.at {
            here = (finding.at, allowed_before(text, start));
        }
        if here.1.contains(&finding.code) || everywhere.iter().any(|code| code == finding.code) {
            return None;
        }
        let span = marked(text, finding.at.file, start, &finding.mark);
        let at = advanced(finding.at, &text[start..span.start]);
        let first_line = text[span.start..span.end].lines().next().unwrap_or_default();
        let length = first_line.chars().count().max(1) as u32;
        Some((finding, at, length))
    })
}

/// Turns positions into offsets; they come in their order.
struct Walker<'d> {
    document: &'d Document,
    at: Position,
    offset: usize,
}

impl<'d> Walker<'d> {
    fn new(document: &'d Document) -> Self {
        Self {
            document,
            at: Position {
                file: 0,
                line: 1,
                column: 1,
            },
            offset: 0,
        }
    }

    fn offset(&mut self, wanted: Position) -> Option<(&'d str, usize)> {
        if wanted.file != self.at.file {
            self.at = Position {
                file: wanted.file,
                line: 1,
                column: 1,
            };
            self.offset = 0;
        }
        let text = self.document.files.get(usize::from(wanted.file))?.text.as_str();
        let mut rest = text[self.offset..].chars();
        while self.at < wanted {
            let character = rest.next()?;
            self.offset += character.len_utf8();
            step(&mut self.at, character);
        }
        (self.at == wanted).then_some((text, self.offset))
    }
}

fn step(at: &mut Position, character: char) {
    if character == '\n' {
        at.line += 1;
        at.column = 1;
    } else {
        at.column += 1;
    }
}

fn advanced(mut at: Position, text: &str) -> Position {
    text.chars().for_each(|character| step(&mut at, character));
    at
}

/// The codes that the comments directly before the element at `start` allow.
fn allowed_before(text: &str, start: usize) -> Vec<&str> {
    let mut codes = Vec::new();
    let mut head = text[..start].trim_end();
    while let Some(before) = head.strip_suffix("-->") {
        // A comment does not contain `--` (XML 1.0 section 2.5), so the nearest opening is its own.
        let Some(open) = before.rfind("<!--") else { break };
        let comment = before[open + 4..].trim();
        if let Some((list, _reason)) = comment.strip_prefix(ALLOW).and_then(|rest| rest.split_once(')')) {
            codes.extend(list.split(',').map(str::trim));
        }
        head = text[..open].trim_end();
    }
    codes
}

fn marked(text: &str, file: u16, start: usize, mark: &Mark) -> Span {
    let after_name = text[start..]
        .find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')
        .map_or(text.len(), |length| start + length);
    let tag = Span {
        file,
        start,
        end: after_name,
    };
    let Mark::Attribute { name, word } = mark else {
        return tag;
    };
    let Some(value) = attribute(text, after_name, name) else {
        return tag;
    };
    let written = &text[value.0..value.1];
    let found = word.as_deref().and_then(|word| {
        let mut words = written.split_ascii_whitespace();
        words.find(|candidate| *candidate == word)
    });
    let (start, end) = match found {
        Some(word) => {
            let start = value.0 + (word.as_ptr() as usize - written.as_ptr() as usize);
            (start, start + word.len())
        }
        None => value,
    };
    Span { file, start, end }
}

/// Where the value of an attribute stands in the start tag whose name ends at `at`.
fn attribute(text: &str, mut at: usize, name: &str) -> Option<(usize, usize)> {
    loop {
        let rest = &text[at..];
        let here = rest.trim_start();
        at += rest.len() - here.len();
        if here.starts_with(['>', '/']) || here.is_empty() {
            return None;
        }
        let equals = here.find('=')?;
        let open = equals + 1 + here[equals + 1..].find(['"', '\''])?;
        let quote = here[open..].chars().next()?;
        let close = open + 1 + here[open + 1..].find(quote)?;
        if here[..equals].trim_end() == name {
            return Some((at + open + 1, at + close));
        }
        at += close + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_directly_before_the_element_allow() {
        let text = "<a/><!-- pointsman:allow(x) --> <b/> <!-- pointsman:allow( y ,z) why --> <!-- other -->\n <c/>";
        let before = |element: &str| allowed_before(text, text.find(element).unwrap());
        assert_eq!(before("<a"), Vec::<&str>::new());
        assert_eq!(before("<b"), ["x"]);
        assert_eq!(before("<c"), ["y", "z"]);
    }

    #[test]
    fn a_word_of_an_attribute_is_found_also_after_other_attributes() {
        let text = "<t x='a > event=\"no\"' event = \"one\n two\"/>";
        let of = |mark: Mark| {
            let span = marked(text, 0, 0, &mark);
            &text[span.start..span.end]
        };
        let event = |word: Option<&str>| Mark::Attribute {
            name: "event",
            word: word.map(str::to_owned),
        };
        assert_eq!(of(event(Some("two"))), "two");
        assert_eq!(of(event(None)), "one\n two");
        assert_eq!(of(Mark::Attribute { name: "id", word: None }), "<t");
        assert_eq!(of(Mark::Tag), "<t");
    }
}
