//! What commands print.

use crate::failure::Failure;
use jiff::Timestamp;
use pointsman_simulate::Colour;
use serde::Serialize;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

/// Prints to the standard output. A reader that has gone (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Failed(format!("cannot write to the standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a line.
pub(crate) fn say(line: &str) -> Result<(), Failure> {
    print(&format!("{line}\n"))
}

/// Prints a value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).expect("what the API and reports are made of has string keys only");
    say(&line)
}

/// Colours only for a terminal, and not where somebody asked for none (no-color.org).
pub(crate) fn colour() -> Colour {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stdout().is_terminal() {
        Colour::Terminal
    } else {
        Colour::None
    }
}

/// Columns under their headings, as wide as they need.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| printable(cell)))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    std::iter::once(line(headings))
        .chain(rows.iter().map(|row| line(row.each_ref().map(String::as_str))))
        .collect()
}

/// A time of the API.
pub(crate) fn time(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| "?".into(), |time| format!("{time:.0}"))
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 10_240 {
        format!("{bytes} B")
    } else {
        format!("{} KiB", bytes.div_ceil(1024))
    }
}

/// Both name one file.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// Writes a file: it is there whole or not at all.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        // What is left of it is of no use; that it cannot be removed is the lesser trouble.
        let _ = std::fs::remove_file(&temporary);
        Failure::Failed(format!("cannot write {}: {error}", path.display()))
    })
}

/// What others wrote must not drive the terminal that shows it.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_cannot_drive_the_terminal() {
        let rows = [
            ["é\u{1b}[2J".to_owned(), "2".to_owned()],
            ["long name".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["NAME", "N"], &rows),
            "NAME       N\né\u{fffd}[2J      2\nlong name\n"
        );
    }

    #[test]
    fn sizes_and_times_are_for_people() {
        assert_eq!((size(10_239), size(10_241)), ("10239 B".into(), "11 KiB".into()));
        assert_eq!(time(1_772_530_200_123), "2026-03-03T09:30:00Z");
    }
}
