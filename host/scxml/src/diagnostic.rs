//! What is wrong with a document, and how it is shown.
//!
//! A diagnostic is data (severity, stable code, message, place, hint), so that a console or an editor can show it
//! its own way; [`render`] shows it as compilers do:
//!
//! ```text
//! error[unknown-target]: there is no state `waitng`
//!   --> main.scxml:12:24
//!    |
//! 12 |   <transition target="waitng"/>
//!    |                       ^^^^^^
//!    = help: did you mean `waiting`?
//! ```

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::limits::MAX_DIAGNOSTICS;
use crate::model::{Position, SourceFile};

/// Characters of a source line that are shown; of a longer line, those around the place.
const SHOWN_LINE_CHARACTERS: usize = 140;

/// Characters shown before the place where a line is cut.
const SHOWN_BEFORE: usize = 60;

/// Characters of the document's text that a message repeats.
const QUOTED_CHARACTERS: usize = 60;

/// Characters of a message or a hint.
const MESSAGE_CHARACTERS: usize = 400;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is read, and something in it has no effect or probably not the intended one.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Something to say about a place in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name of the kind of finding, in kebab-case.
    pub code: &'static str,
    /// What is wrong, with the offending text.
    pub message: String,
    /// Where: of the first character of the offending text.
    pub at: Position,
    /// Characters of the offending text on that line, at least 1.
    pub length: u32,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// This diagnostic as shown to people; `files` are those of [`crate::Document`] or [`Errors`].
    pub fn display<'a>(&'a self, files: &'a [SourceFile]) -> impl fmt::Display + 'a {
        Shown {
            diagnostic: self,
            files,
        }
    }
}

/// Everything that is wrong with a refused document: at least one error; warnings as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Errors {
    /// In the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that they point into, as in [`crate::Document::files`].
    pub files: Vec<SourceFile>,
    /// Errors beyond [`MAX_DIAGNOSTICS`] that were counted only.
    pub omitted: usize,
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render(&self.diagnostics, &self.files))?;
        if self.omitted > 0 {
            writeln!(f, "\nand {} more: mend these first", self.omitted)?;
        }
        Ok(())
    }
}

/// Diagnostics as shown to people, an empty line between two; errors and warnings alike.
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    let mut text = String::new();
    for (number, diagnostic) in diagnostics.iter().enumerate() {
        let separator = if number > 0 { "\n" } else { "" };
        write!(text, "{separator}{}", diagnostic.display(files)).expect("writing to a String does not fail");
    }
    text
}

struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    files: &'a [SourceFile],
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic {
            severity,
            code,
            message,
            at,
            length,
            hint,
        } = self.diagnostic;
        writeln!(f, "{severity}[{code}]: {}", printable(message))?;
        let file = self.files.get(usize::from(at.file));
        let url = file.map_or("?", |file| file.url.as_str());
        let number = at.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{margin}--> {}:{}:{}", printable(url), at.line, at.column)?;
        if let Some(line) = file.and_then(|file| file.text.lines().nth(at.line as usize - 1)) {
            let excerpt = Excerpt::new(line, at.column as usize - 1, *length as usize);
            writeln!(f, "{margin} |")?;
            writeln!(f, "{number} | {}", excerpt.text)?;
            writeln!(
                f,
                "{margin} | {}{}",
                " ".repeat(excerpt.before),
                "^".repeat(excerpt.marked)
            )?;
        }
        match hint {
            Some(hint) => writeln!(f, "{margin} = help: {}", printable(hint)),
            None => Ok(()),
        }
    }
}

/// The part of a line that is shown, with one character in the place of each.
struct Excerpt {
    text: String,
    /// Characters before the mark.
    before: usize,
    /// Characters of the mark.
    marked: usize,
}

impl Excerpt {
    fn new(line: &str, column: usize, length: usize) -> Self {
        let total = line.chars().count();
        let skipped = if total <= SHOWN_LINE_CHARACTERS {
            0
        } else {
            column.saturating_sub(SHOWN_BEFORE)
        };
        let shown: String = line.chars().skip(skipped).take(SHOWN_LINE_CHARACTERS).collect();
        let end = skipped + shown.chars().count();
        let head = if skipped > 0 { "..." } else { "" };
        let tail = if end < total { "..." } else { "" };
        let before = head.len() + column.saturating_sub(skipped);
        // A mark at the end of a line points at what is missing there.
        let marked = length.min(end.saturating_sub(column)).max(1);
        Self {
            text: format!("{head}{}{tail}", printable(&shown)),
            before,
            marked,
        }
    }
}

/// Replaces what would move the cursor or colour the terminal: a document must not write to the operator's screen.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' => ' ',
            control if control.is_control() => '\u{FFFD}',
            // Bidirectional overrides and isolates reorder what is read (CVE-2021-42574).
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{FFFD}',
            other => other,
        })
        .collect()
}

/// A text of the document as quoted in a message: cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", cut(text, QUOTED_CHARACTERS))
}

/// A message of reasonable length, whatever another library or the resolver put into it.
pub(crate) fn bounded(message: String) -> String {
    // Bytes are at least as many as characters.
    if message.len() <= MESSAGE_CHARACTERS {
        message
    } else {
        cut(&message, MESSAGE_CHARACTERS)
    }
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Collects findings up to the bound.
#[derive(Debug, Default)]
pub(crate) struct Report {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    omitted_errors: usize,
}

impl Report {
    /// Keeps a finding, or counts it where there are too many. A text that is included twice has its findings once.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        if self.is_full(diagnostic.severity) {
            return self.omit(diagnostic.severity);
        }
        let kept = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if !kept.contains(&diagnostic) {
            kept.push(diagnostic);
        }
    }

    /// Counts a finding that is not kept; warnings are not worth a count.
    pub fn omit(&mut self, severity: Severity) {
        if severity == Severity::Error {
            self.omitted_errors += 1;
        }
    }

    /// No further finding of this severity is kept: its wording need not be worked out.
    pub fn is_full(&self, severity: Severity) -> bool {
        let kept = match severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        };
        kept.len() == MAX_DIAGNOSTICS
    }

    /// The warnings, or all findings where there is an error.
    pub fn finish(self, files: &[SourceFile]) -> Result<Vec<Diagnostic>, Errors> {
        let refused = !self.errors.is_empty();
        let mut diagnostics = self.errors;
        diagnostics.extend(self.warnings);
        diagnostics.sort_by_key(|diagnostic| diagnostic.at);
        if refused {
            Err(Errors {
                diagnostics,
                files: files.to_vec(),
                omitted: self.omitted_errors,
            })
        } else {
            Ok(diagnostics)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, column: u32, length: u32) -> String {
        let files = [SourceFile {
            url: "a.scxml".to_owned(),
            text: text.to_owned(),
        }];
        let at = Position {
            file: 0,
            line: 1,
            column,
        };
        let diagnostic = Diagnostic {
            severity: Severity::Warning,
            code: "code",
            message: "message".to_owned(),
            at,
            length,
            hint: None,
        };
        render(&[diagnostic], &files)
    }

    #[test]
    fn a_mark_stands_under_the_place_also_after_tabs_and_wide_letters() {
        let text = shown("\té<x y='1'/>", 6, 1);
        assert_eq!(
            text,
            "warning[code]: message\n --> a.scxml:1:6\n  |\n1 |  é<x y='1'/>\n  |      ^\n"
        );
    }

    #[test]
    fn of_a_long_line_the_neighbourhood_of_the_place_is_shown() {
        let line = format!("{}<here/>{}", "a".repeat(100_000), "b".repeat(100_000));
        let text = shown(&line, 100_001, 7);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() < 200), "{text}");
        let caret = lines[4].find('^').unwrap();
        assert_eq!(&lines[3][caret..caret + 7], "<here/>");
        assert!(lines[4].ends_with(" ^^^^^^^"));
    }

    #[test]
    fn a_mark_at_the_end_of_a_line_is_one_character_wide() {
        assert!(shown("abc", 4, 9).ends_with("1 | abc\n  |    ^\n"));
    }

    #[test]
    fn nothing_in_a_document_reaches_the_terminal_as_a_control_character() {
        let text = shown("\u{1b}[31m\u{202e}x", 1, 1);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }

    #[test]
    fn findings_beyond_the_bound_are_counted() {
        let mut report = Report::default();
        for line in 1..=(MAX_DIAGNOSTICS as u32 + 3) {
            report.add(Diagnostic {
                severity: Severity::Error,
                code: "code",
                message: "m".to_owned(),
                at: Position {
                    file: 0,
                    line,
                    column: 1,
                },
                length: 1,
                hint: None,
            });
        }
        let errors = report.finish(&[]).unwrap_err();
        assert_eq!((errors.diagnostics.len(), errors.omitted), (MAX_DIAGNOSTICS, 3));
        assert!(
            errors.to_string().ends_with("and 3 more: mend these first\n"),
            "{errors}"
        );
    }
}
