//! Attributes, read the ways that SCXML writes them.

use super::{Reader, tag};
use crate::diagnostic::{Severity, quoted};
use crate::model::{self, Dialect, Text};
use crate::source::Span;
use crate::suggest::list;
use crate::xml::{Attribute, Element};

impl Reader<'_> {
    /// A text that may be there.
    pub(super) fn optional(&self, element: &Element, name: &str) -> Option<Text> {
        element.attribute(name).map(|attribute| self.text(attribute))
    }

    /// A text that must be there; that it is not was reported by [`Reader::open`].
    pub(super) fn required(&self, element: &Element, name: &str) -> Text {
        self.optional(element, name).unwrap_or_else(|| Text {
            text: String::new(),
            at: self.at(element),
        })
    }

    /// A literal and its `...expr` twin, which exclude each other.
    pub(super) fn either(&mut self, element: &Element, literal: &str, expr: &str) -> Option<model::Attribute> {
        self.exclusive(element, &[literal, expr]);
        self.optional(element, literal)
            .map(model::Attribute::Literal)
            .or_else(|| self.optional(element, expr).map(model::Attribute::Expr))
    }

    /// The only one of several names for the same, which exclude each other.
    pub(super) fn first(&mut self, element: &Element, names: &[&str]) -> Option<Text> {
        self.exclusive(element, names);
        names.iter().find_map(|name| self.optional(element, name))
    }

    /// A value that W3C SCXML writes as a literal, or as an expression under another name. In the ORS dialect it is an
    /// expression under all its names.
    pub(super) fn valued(&mut self, element: &Element, literal: &str, expr: &str) -> Option<model::Attribute> {
        match self.dialect {
            Dialect::W3c => self.either(element, literal, expr),
            Dialect::Ors => self.first(element, &[literal, expr]).map(model::Attribute::Expr),
        }
    }

    /// Reports all but the first of attributes that exclude each other.
    pub(super) fn exclusive(&mut self, element: &Element, names: &[&str]) {
        let mut given = names.iter().filter_map(|name| element.attribute(name));
        let Some(first) = given.next() else { return };
        for other in given {
            let message = format!(
                "`{}` and `{}` exclude each other on {}",
                first.name,
                other.name,
                tag(element)
            );
            self.error(
                "conflicting-attributes",
                other.name_span,
                message,
                Some("remove one of them".to_owned()),
            );
        }
    }

    /// One of a few words; the first of them where nothing valid is given.
    pub(super) fn choice<T: Copy>(&mut self, element: &Element, name: &str, values: &[(&str, T)]) -> T {
        let default = values[0].1;
        let Some(attribute) = element.attribute(name) else {
            return default;
        };
        if let Some(&(_, value)) = values.iter().find(|(word, _)| *word == attribute.value) {
            return value;
        }
        let words: Vec<&str> = values.iter().map(|(word, _)| *word).collect();
        let hint = self
            .suggest(Severity::Error, &attribute.value, words.iter().copied())
            .unwrap_or_else(|| format!("write {}", list(&words)));
        let message = format!("{} is not a value of `{name}`", quoted(&attribute.value));
        self.error("invalid-value", attribute.span, message, Some(hint));
        default
    }

    /// A list of words that may not be empty where it is given.
    pub(super) fn words(&mut self, attribute: &Attribute) -> Vec<(String, Span)> {
        let words: Vec<(String, Span)> = attribute.words().map(|(word, span)| (word.to_owned(), span)).collect();
        if words.is_empty() {
            let message = format!("`{}` is given and names nothing", attribute.name);
            let hint = format!("remove `{}`, or name what is meant", attribute.name);
            self.error("empty-attribute", attribute.name_span, message, Some(hint));
        }
        words
    }
}
