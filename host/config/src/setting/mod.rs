//! How an option is declared, read and shown: the one place that knows about TOML.
//!
//! [`Setting`] is what serde's `Deserialize` would be if it did not stop at the first mistake: a value is read from a
//! parsed TOML node, every problem goes into the report with its place, and reading goes on. The `options!` macro
//! implements it for a struct of options.

mod options;
mod reader;
mod text;
mod values;

use crate::config::Origins;
use crate::report::Report;
use crate::source::Place;
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use options::options;
pub(crate) use reader::{suggestion, written_key};
pub(crate) use text::{FromText, choices, read_text, text_setting};

/// When a changed option takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// At once; calls and sessions that already run keep what they started with (ORS: "immediately", "next interaction").
    Immediate,
    /// At the next start of the server.
    Start,
}

/// Where an option comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionOrigin {
    /// An ORS option or configuration attribute, by its name there.
    Ors(&'static str),
    /// Pointsman's own.
    Pointsman,
}

/// The documentation of one option.
#[derive(Clone, Debug)]
pub struct OptionDoc {
    /// The TOML table it stands in, such as `[application.scxml]`.
    pub section: &'static str,
    /// Its name.
    pub key: &'static str,
    /// What it does, in Markdown.
    pub summary: String,
    /// What a number counts; empty for other values.
    pub unit: &'static str,
    /// The default as TOML; `None` when it must be given, empty when it may be left out without one.
    pub default: Option<String>,
    /// Least and greatest value.
    pub range: Option<RangeInclusive<u64>>,
    /// When a change takes effect.
    pub effect: Effect,
    /// ORS's or ours.
    pub origin: OptionOrigin,
}

/// A value that was read, or `None` when it was not usable; the report then says why.
pub(crate) type Read<T> = Option<T>;

/// A value in a parsed file.
#[derive(Clone, Copy)]
pub(crate) struct Value<'t, 'i> {
    pub node: &'t Spanned<DeValue<'i>>,
    pub source: usize,
}

impl Value<'_, '_> {
    pub fn place(self) -> Place {
        Place::new(self.source, self.node.span())
    }
}

/// A table in a parsed file.
#[derive(Clone)]
pub(crate) struct Table<'t, 'i> {
    pub entries: &'t DeTable<'i>,
    pub place: Place,
}

/// One option out of a table.
pub(crate) enum Found<T> {
    Missing,
    Unusable,
    Is(T),
}

/// Reads values, and remembers where each came from and what was wrong.
pub(crate) struct Reader<'r> {
    pub report: &'r mut Report,
    pub origins: &'r mut Origins,
    /// Path of the table being read, such as `application.port[0]`; empty at the top.
    pub path: String,
}

/// A value as effective configurations and differences show it.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    Value(toml::Value),
    Secret,
    Absent,
    Table(Vec<Field>),
    /// Tables in order, each with the name it is known by.
    List(Vec<(String, Shown)>),
}

/// One option of a shown table.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub key: String,
    pub shown: Shown,
    pub effect: Effect,
}

/// Something that stands in a configuration.
pub(crate) trait Setting: Sized {
    /// Reads the value; what is wrong with it goes into the reader's report.
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self>;
    /// The value for people.
    fn show(&self) -> Shown;
    /// The number that a range applies to.
    fn number(&self) -> Option<u64> {
        None
    }
    /// The name that an object of a list is known by.
    fn identity(&self) -> Option<String> {
        None
    }
}

impl Shown {
    pub fn integer(number: u64) -> Shown {
        // Every range ends far below 2^63; should one not, the greatest TOML integer is shown.
        Shown::Value(toml::Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    pub fn text(text: impl Into<String>) -> Shown {
        Shown::Value(toml::Value::String(text.into()))
    }
}
