//! Lengths of time as documents write them.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A length of time: a number and `ms`, `s`, `m`, `h` or `d`, such as `9s` or `.5s` (W3C SCXML 6.2.2 takes those of
/// CSS 2). Whole milliseconds, at most [`Duration::MAX_MS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Duration(u64);

impl Duration {
    /// The longest, in ms: 366 days.
    pub const MAX_MS: u64 = 366 * 24 * 3_600 * 1_000;

    /// That many milliseconds, or [`Duration::MAX_MS`] if they are more.
    pub fn from_ms(ms: u64) -> Self {
        Duration(ms.min(Self::MAX_MS))
    }

    /// In milliseconds.
    pub fn ms(self) -> u64 {
        self.0
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bad = || format!("`{text}` is not a length of time: write a number and ms, s, m, h or d, such as \"9s\"");
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(unit_at);
        let unit_ms = match unit {
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 60e3,
            "h" => 3_600e3,
            "d" => 24.0 * 3_600e3,
            _ => return Err(bad()),
        };
        // `f64` would also read a sign.
        if number.starts_with(['+', '-']) {
            return Err(bad());
        }
        let ms = number.parse::<f64>().map_err(|_| bad())? * unit_ms;
        if ms > Self::MAX_MS as f64 {
            return Err(format!("`{text}` is longer than 366 days"));
        }
        Ok(Duration(ms.round() as u64))
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            ms if ms < 1_000 => write!(f, "{ms}ms"),
            ms => write!(f, "{}s", ms as f64 / 1e3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_with_a_unit() {
        let cases = [
            ("9s", 9_000),
            (".5s", 500),
            ("250ms", 250),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1.5d", 129_600_000),
        ];
        for (text, ms) in cases {
            assert_eq!(text.parse::<Duration>().map(Duration::ms), Ok(ms), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_text_and_an_example() {
        for bad in ["", "9", "s", "-1s", "9 parsecs", "1e3", "nan s", "infs", "400d"] {
            let message = bad.parse::<Duration>().expect_err(bad);
            assert!(message.contains(bad.trim()), "{message}");
        }
    }

    #[test]
    fn it_is_shown_as_it_may_be_written() {
        for (ms, text) in [(0, "0s"), (7, "7ms"), (1_000, "1s"), (1_250, "1.25s"), (90_000, "90s")] {
            assert_eq!(Duration::from_ms(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Duration::from_ms(ms)));
        }
    }
}
