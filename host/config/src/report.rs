//! What is wrong with a configuration, all of it, in the shape of a compiler's messages.

use crate::source::{Place, Position, Source};
use std::fmt::{self, Write as _};
use std::ops::Range;

/// Problems kept in one report; those beyond it are only counted, so that a hostile file cannot fill memory or a log.
pub const MAX_PROBLEMS: usize = 200;
/// Characters of an offending line that are shown; a longer line is cut around the caret.
const MAX_LINE_CHARS: usize = 140;
/// Characters of the line shown before the caret when it has to be cut.
const CONTEXT_CHARS: usize = 40;

/// Whether a problem stops the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is used; somebody should look at this.
    Warning,
}

/// One problem and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Refused, or only remarked upon.
    pub severity: Severity,
    /// What is wrong, naming the object and the offending text.
    pub message: String,
    /// Where; `None` when it concerns no text at all, such as a file that cannot be read.
    pub place: Option<Place>,
    /// What to do about it; empty when the message says it already.
    pub help: String,
    /// It may only follow from another one: a misspelt table lacks in other places.
    pub(crate) follow_up: bool,
}

/// All problems found in one configuration. Its `Display` renders them the way rustc does.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The texts that were read, in order.
    pub sources: Vec<Source>,
    /// What was found, at most [`MAX_PROBLEMS`]: first what is wrong by itself (unknown names, unusable values), then what
    /// may only follow from that (missing options, references to nothing); both ordered by file and position.
    pub problems: Vec<Problem>,
    /// Problems found beyond [`MAX_PROBLEMS`].
    pub omitted: usize,
    /// The files and folders that were looked at, readable or not, relative to the configuration's directory: a change of
    /// any of them may mend or break the configuration.
    pub watch: Vec<String>,
    /// Where secrets stand: rendering shows `*` there, since reports end in logs and tickets.
    secrets: Vec<Place>,
    /// What is found now may follow from what has been found before.
    follow_ups: bool,
}

/// The configuration cannot be used; the report says why, problem by problem.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub Report);

impl Report {
    pub(crate) fn error(&mut self, place: Option<Place>, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, self.follow_ups, place, message.into(), help.into());
    }

    /// An error that an unknown name may have caused.
    pub(crate) fn follow_up(&mut self, place: Option<Place>, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, true, place, message.into(), help.into());
    }

    /// All that is reported from here on may follow from what has been reported before.
    pub(crate) fn begin_follow_ups(&mut self) {
        self.follow_ups = true;
    }

    pub(crate) fn warning(&mut self, place: Option<Place>, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, self.follow_ups, place, message.into(), help.into());
    }

    pub(crate) fn secret(&mut self, place: Place) {
        self.secrets.push(place);
    }

    fn push(&mut self, severity: Severity, follow_up: bool, place: Option<Place>, message: String, help: String) {
        // An error is never dropped in favour of a warning: `has_errors` must not depend on the order of checks.
        let warnings_only = self
            .problems
            .iter()
            .all(|problem| problem.severity == Severity::Warning);
        if self.problems.len() >= MAX_PROBLEMS && !(severity == Severity::Error && warnings_only) {
            self.omitted += 1;
            return;
        }
        self.problems.push(Problem {
            severity,
            message,
            place,
            help,
            follow_up,
        });
    }

    /// Puts causes before what may follow from them, and both into the order of the text; those without a place come
    /// first.
    pub(crate) fn sort(&mut self) {
        self.problems.sort_by_key(|problem| {
            let place = problem.place.as_ref().map(|place| (place.source, place.span.start));
            (problem.follow_up, place)
        });
    }

    /// Whether the configuration is refused.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// `file:line:column` of a problem, where it has a place.
    pub fn position(&self, problem: &Problem) -> Option<(&str, Position)> {
        let place = problem.place.as_ref()?;
        let source = self.sources.get(place.source)?;
        Some((&source.name, source.position(place.span.start)))
    }

    /// The text of a line for showing: secrets masked, control characters made visible (a configuration file must not
    /// be able to drive the terminal that shows its errors).
    fn shown_line(&self, source: usize, line: Range<usize>) -> Vec<char> {
        let text = &self.sources[source].text[line.clone()];
        text.char_indices()
            .map(|(at, c)| {
                let at = line.start + at;
                let secret = self
                    .secrets
                    .iter()
                    .any(|place| place.source == source && place.span.contains(&at));
                match c {
                    _ if secret => '*',
                    '\t' => ' ',
                    c if c.is_control() => '\u{fffd}',
                    c => c,
                }
            })
            .collect()
    }

    fn render(&self, problem: &Problem, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(out, "{severity}: {}", visible(&problem.message))?;
        let located = problem
            .place
            .as_ref()
            .and_then(|place| Some((place, self.sources.get(place.source)?)));
        let Some((place, source)) = located else {
            if !problem.help.is_empty() {
                writeln!(out, "  = help: {}", visible(&problem.help))?;
            }
            return Ok(());
        };
        let at = source.position(place.span.start);
        let number = at.line.to_string();
        let gutter = " ".repeat(number.len());
        let line = source.line(place.span.start);
        // A span of several lines is underlined on its first one.
        let end = source
            .floor(place.span.end)
            .clamp(source.floor(place.span.start), line.end.max(line.start));
        let start = source.floor(place.span.start).min(end);
        let width = source.text[start..end].chars().count().max(1);
        let chars = self.shown_line(place.source, line);
        let caret = (at.column - 1).min(chars.len());
        let from = if chars.len() <= MAX_LINE_CHARS {
            0
        } else {
            caret.saturating_sub(CONTEXT_CHARS)
        };
        let shown: String = chars.iter().skip(from).take(MAX_LINE_CHARS).collect();
        let width = width.min(MAX_LINE_CHARS - (caret - from).min(MAX_LINE_CHARS - 1));
        writeln!(out, "{gutter}--> {}:{}:{}", visible(&source.name), at.line, at.column)?;
        writeln!(out, "{gutter} |")?;
        writeln!(out, "{number} | {}", shown.trim_end())?;
        writeln!(out, "{gutter} | {}{}", " ".repeat(caret - from), "^".repeat(width))?;
        if !problem.help.is_empty() {
            writeln!(out, "{gutter} = help: {}", visible(&problem.help))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            self.render(problem, out)?;
            out.write_char('\n')?;
        }
        let of = |severity| {
            self.problems
                .iter()
                .filter(|problem| problem.severity == severity)
                .count()
        };
        let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
        match (errors, warnings) {
            (0, 0) => out.write_str("the configuration is correct")?,
            (0, _) => write!(out, "the configuration is usable: {}", counted(warnings, "warning"))?,
            (_, 0) => write!(out, "the configuration is refused: {}", counted(errors, "error"))?,
            _ => {
                let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
                write!(out, "the configuration is refused: {errors}, {warnings}")?;
            }
        }
        if self.omitted > 0 {
            write!(out, " (and {} more that are not shown)", self.omitted)?;
        }
        Ok(())
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// Text that quotes a configuration, safe to print.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
