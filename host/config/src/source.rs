//! Configuration text and places in it.

use std::ops::Range;

/// One configuration file, or any text that stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name shown in messages: the path relative to the configuration directory.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

impl Source {
    /// A source of that name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Source {
            name: name.into(),
            text: text.into(),
        }
    }

    /// Line and column of a byte offset; an offset beyond the end counts as the end.
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text[..self.floor(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The byte range of the line that holds `offset`, without its line end.
    pub(crate) fn line(&self, offset: usize) -> Range<usize> {
        let offset = self.floor(offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[offset..]
            .find('\n')
            .map_or(self.text.len(), |newline| offset + newline);
        let end = start + self.text[start..end].trim_end_matches('\r').len();
        start..end
    }

    /// The greatest character boundary that is not beyond `offset`.
    pub(crate) fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// A line and a column, both counted from 1; a column is one Unicode character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A range of bytes in one of several sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index into the list of sources.
    pub source: usize,
    /// Byte range in that source's text.
    pub span: Range<usize>,
}

impl Place {
    pub(crate) fn new(source: usize, span: Range<usize>) -> Self {
        Place { source, span }
    }
}
