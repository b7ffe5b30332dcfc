//! Reading tables and values, with every mistake put into the report.

use super::{Found, Read, Reader, Setting, Table, Value};
use crate::source::Place;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use toml::de::DeValue;

/// The most names that an error lists; beyond it only the nearest one is named.
const MAX_LISTED_NAMES: usize = 14;

impl Reader<'_> {
    /// The path of an option of the table being read.
    pub fn path_of(&self, key: &str) -> String {
        let key = written_key(key);
        if self.path.is_empty() {
            key
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Runs `read` with the path led to a value of the current table.
    pub fn within<T>(&mut self, path: String, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.path, path);
        let result = read(self);
        self.path = outer;
        result
    }

    pub fn mistyped(&mut self, value: Value<'_, '_>, expected: &str) {
        let found = match value.node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a floating-point number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let option = self.path.rsplit('.').next().unwrap_or_default();
        self.report.error(
            Some(value.place()),
            format!("`{option}` takes {expected}, not {found}"),
            "",
        );
    }

    pub fn integer(&mut self, value: Value<'_, '_>, expected: &str) -> Read<u64> {
        let Some(integer) = value.node.get_ref().as_integer() else {
            self.mistyped(value, expected);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        if number.is_none() {
            let option = self.path.rsplit('.').next().unwrap_or_default();
            let message = format!("`{option}` takes {expected}: zero or more, and not beyond 64 bits");
            self.report.error(Some(value.place()), message, "");
        }
        number
    }

    pub fn string<'t>(&mut self, value: Value<'t, '_>, expected: &str) -> Read<&'t str> {
        let text = value.node.get_ref().as_str();
        if text.is_none() {
            self.mistyped(value, expected);
        }
        text
    }

    /// A table whose keys are the operator's own: each entry as `read` takes it. One with a mistake is left out, and reported.
    pub fn entries<T>(
        &mut self,
        value: Value<'_, '_>,
        expected: &str,
        mut read: impl FnMut(&mut Self, Value<'_, '_>) -> Read<T>,
    ) -> Read<BTreeMap<String, T>> {
        let table = self.table(value, expected)?;
        let mut entries = BTreeMap::new();
        for (key, node) in table.entries {
            let value = Value {
                node,
                source: value.source,
            };
            let path = self.path_of(key.get_ref());
            self.origins.insert(path.clone(), value.place());
            let entry = self.within(path, |reader| read(reader, value));
            entries.extend(entry.map(|entry| (key.get_ref().to_string(), entry)));
        }
        Some(entries)
    }

    pub fn table<'t, 'i>(&mut self, value: Value<'t, 'i>, expected: &str) -> Read<Table<'t, 'i>> {
        match value.node.get_ref().as_table() {
            Some(entries) => Some(Table {
                entries,
                place: value.place(),
            }),
            None => {
                self.mistyped(value, expected);
                None
            }
        }
    }

    /// Refuses every key of the table that is not among the valid ones.
    pub fn refuse_unknown(&mut self, table: &Table<'_, '_>, section: &str, valid: &[&str], not_yet: &[&str]) {
        for key in table.entries.keys() {
            let name = key.get_ref().as_ref();
            if valid.contains(&name) {
                continue;
            }
            let place = Place::new(table.place.source, key.span());
            if not_yet.contains(&name) || not_yet.iter().any(|option| matches_family(option, name)) {
                let message = format!("ORS's option `{name}` of {section} has no effect in this version of Pointsman");
                self.report.error(
                    Some(place),
                    message,
                    "remove it, or put it into a comment until it is supported",
                );
                continue;
            }
            let message = format!("unknown option `{name}` in {section}");
            self.report.error(Some(place), message, suggestion(name, valid));
        }
    }

    /// One option of a table, its range checked.
    pub fn option<T: Setting>(
        &mut self,
        table: &Table<'_, '_>,
        key: &str,
        range: Option<RangeInclusive<u64>>,
        unit: &str,
    ) -> Found<T> {
        let Some(node) = table.entries.get(key) else {
            return Found::Missing;
        };
        let value = Value {
            node,
            source: table.place.source,
        };
        let path = self.path_of(key);
        self.origins.insert(path.clone(), value.place());
        let Some(read) = self.within(path, |reader| T::read(value, reader)) else {
            return Found::Unusable;
        };
        if let (Some(range), Some(number)) = (range, read.number())
            && !range.contains(&number)
        {
            let unit = if unit.is_empty() {
                String::new()
            } else {
                format!(" {unit}")
            };
            let message = format!(
                "`{key}` is {number}, but must be from {} to {}{unit}",
                range.start(),
                range.end()
            );
            self.report.error(Some(value.place()), message, "");
        }
        Found::Is(read)
    }

    /// Says that an option that must be there is not.
    pub fn missing(&mut self, table: &Table<'_, '_>, section: &str, key: &str, summary: &str) {
        let summary = summary.trim();
        let summary = summary
            .split_once(". ")
            .map_or(summary, |(first, _)| first)
            .trim_end_matches(['.', ':']);
        self.report.follow_up(
            Some(table.place.clone()),
            format!("{section} lacks the option `{key}`"),
            format!(
                "`{key}` is required: {}",
                summary.split_whitespace().collect::<Vec<_>>().join(" ")
            ),
        );
    }
}

/// `cassandra-*` in a list of names stands for all that begin with `cassandra-`.
fn matches_family(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix))
}

/// What to write instead of a name that is not among the valid ones.
pub(crate) fn suggestion(name: &str, valid: &[&str]) -> String {
    // Bounded, because the distance costs the product of both lengths and the name is outside text.
    let wanted: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let distance = |option: &str| strsim::damerau_levenshtein(&wanted, &option.to_lowercase());
    let nearest = valid
        .iter()
        .map(|option| (distance(option), *option))
        .min()
        .filter(|(distance, option)| *distance <= 1 + option.len().max(wanted.len()) / 3);
    let list = match valid {
        [] => "none is valid here".into(),
        [one] => format!("the only valid one is `{one}`"),
        _ => format!(
            "valid are {}",
            valid
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    match nearest {
        Some((_, option)) if valid.len() > 1 && valid.len() <= MAX_LISTED_NAMES => {
            format!("did you mean `{option}`? {list}")
        }
        Some((_, option)) => format!("did you mean `{option}`?"),
        None if valid.len() <= MAX_LISTED_NAMES => list,
        None => "see the reference of options for the valid names".into(),
    }
}

/// A key as TOML writes it: bare where it may be, quoted otherwise.
pub(crate) fn written_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if bare {
        key.into()
    } else {
        toml::Value::String(key.into()).to_string()
    }
}
