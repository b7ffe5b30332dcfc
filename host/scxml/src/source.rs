//! The texts of a document, and where in them a byte stands.
//!
//! Everything inside this crate is placed by byte offsets ([`Span`]); lines and columns are computed only where a
//! [`Position`] leaves it. A column is counted from the nearest mark (every [`MARK_BYTES`] bytes), not from the
//! start of its line: in a document written on one line the latter would take time quadratic in its size.

use crate::limits::{MAX_FILES, MAX_TOTAL_BYTES};
use crate::model::{Position, SourceFile};

/// Distance of the marks at which a [`LineIndex`] knows the number of characters before.
const MARK_BYTES: usize = 256;

/// Bytes `start..end` of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Index into [`Files`].
    pub file: u16,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

/// Finds line and column of a byte offset.
#[derive(Debug)]
struct LineIndex {
    /// Offset of the first byte of each line.
    lines: Vec<usize>,
    /// Characters that start before byte `i * MARK_BYTES`.
    marks: Vec<u32>,
}

impl LineIndex {
    fn new(text: &str) -> Self {
        let mut lines = vec![0];
        let mut marks = Vec::with_capacity(text.len() / MARK_BYTES + 1);
        for (count, (offset, character)) in text.char_indices().enumerate() {
            while marks.len() * MARK_BYTES <= offset {
                marks.push(count as u32);
            }
            if character == '\n' {
                lines.push(offset + 1);
            }
        }
        Self { lines, marks }
    }

    /// Characters that start before `offset`.
    fn characters_before(&self, text: &str, offset: usize) -> u32 {
        let mark = (offset / MARK_BYTES).min(self.marks.len().saturating_sub(1));
        let counted = self.marks.get(mark).copied().unwrap_or(0);
        let rest = text.as_bytes().get(mark * MARK_BYTES..offset).unwrap_or_default();
        counted + rest.iter().filter(|&&byte| starts_character(byte)).count() as u32
    }

    fn line_and_column(&self, text: &str, offset: usize) -> (u32, u32) {
        let offset = offset.min(text.len());
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = self.lines[line - 1];
        let column = self.characters_before(text, offset) - self.characters_before(text, start) + 1;
        (line as u32, column)
    }
}

/// UTF-8 continuation bytes are `10xxxxxx`.
const fn starts_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// Why a text was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// See [`MAX_FILES`].
    #[error("a document may name at most {MAX_FILES} files, itself included")]
    Files,
    /// See [`MAX_TOTAL_BYTES`].
    #[error("a document and its files may hold at most {MAX_TOTAL_BYTES} bytes together")]
    Bytes,
}

/// All texts read so far.
#[derive(Debug, Default)]
pub(crate) struct Files {
    sources: Vec<SourceFile>,
    indexes: Vec<LineIndex>,
    bytes: usize,
}

impl Files {
    /// Keeps a text and answers its index. A URL read before keeps its index.
    pub fn add(&mut self, url: &str, text: &str) -> Result<u16, Full> {
        if let Some(known) = self.sources.iter().position(|source| source.url == url) {
            return Ok(known as u16);
        }
        if self.sources.len() == MAX_FILES {
            return Err(Full::Files);
        }
        if self.bytes + text.len() > MAX_TOTAL_BYTES {
            return Err(Full::Bytes);
        }
        self.bytes += text.len();
        self.indexes.push(LineIndex::new(text));
        self.sources.push(SourceFile {
            url: url.to_owned(),
            text: text.to_owned(),
        });
        Ok((self.sources.len() - 1) as u16)
    }

    /// The text of a file.
    pub fn text(&self, file: u16) -> &str {
        &self.sources[usize::from(file)].text
    }

    /// The URL of a file, as resolved.
    pub fn url(&self, file: u16) -> &str {
        &self.sources[usize::from(file)].url
    }

    /// The text that a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start..span.end).unwrap_or_default()
    }

    /// Where a span starts.
    pub fn position(&self, span: Span) -> Position {
        let file = usize::from(span.file);
        let (line, column) = self.indexes[file].line_and_column(&self.sources[file].text, span.start);
        Position {
            file: span.file,
            line,
            column,
        }
    }

    /// Characters that a span covers in its first line, at least one.
    pub fn length(&self, span: Span) -> u32 {
        let first = self.slice(span).lines().next().unwrap_or_default();
        first.chars().count().max(1) as u32
    }

    /// The texts, index for index.
    pub fn into_sources(self) -> Vec<SourceFile> {
        self.sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_equal_a_count_by_hand_at_every_character() {
        let long = "é".repeat(700);
        let text = format!("a\r\nbü\n\n{long}x\nend");
        let mut files = Files::default();
        let file = files.add("a", &text).unwrap();
        let (mut line, mut column) = (1, 1);
        for (start, character) in text.char_indices() {
            let position = files.position(Span {
                file,
                start,
                end: start,
            });
            assert_eq!((position.line, position.column), (line, column), "at byte {start}");
            if character == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        let end = files.position(Span {
            file,
            start: text.len(),
            end: text.len(),
        });
        assert_eq!((end.line, end.column), (line, column));
    }

    #[test]
    fn an_empty_text_has_one_position() {
        let mut files = Files::default();
        let file = files.add("a", "").unwrap();
        assert_eq!(
            files.position(Span { file, start: 9, end: 9 }),
            Position {
                file,
                line: 1,
                column: 1
            }
        );
    }

    #[test]
    fn the_number_of_files_and_bytes_is_bounded() {
        let mut files = Files::default();
        for number in 0..MAX_FILES {
            files.add(&number.to_string(), "").unwrap();
        }
        assert_eq!(files.add("more", ""), Err(Full::Files));
        assert_eq!(files.add("0", ""), Ok(0), "a known file is not a new one");
        let mut files = Files::default();
        files.add("big", &" ".repeat(MAX_TOTAL_BYTES)).unwrap();
        assert_eq!(files.add("more", " "), Err(Full::Bytes));
    }
}
