//! The check of an element against its rule.

use super::{Reader, tag};
use crate::diagnostic::{Severity, quoted};
use crate::expression::string_literal;
use crate::model::{Datamodel, Dialect};
use crate::source::Span;
use crate::suggest::{list, nearest};
use crate::vocabulary::{self, Body, EXECUTABLE, Rule};
use crate::xml::{Element, Namespace, Node, SCXML_NAMESPACE};

/// Elements that have no meaning in the null datamodel (W3C SCXML B.1).
const NEED_DATA: [&str; 5] = ["data", "assign", "script", "foreach", "param"];

/// Attributes that hold an expression or a location, beside those that end in `expr`.
const NEED_VALUES: [&str; 4] = ["location", "idlocation", "namelist", "requestid"];

/// Elements of the draft of 2009 that ORS does not read either.
const NOT_IN_ORS: [&str; 2] = ["anchor", "validate"];

/// The id in `In(id)`, the one predicate of the null datamodel (W3C SCXML B.1); with or without quotes.
pub fn in_predicate(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("In")?.trim_start();
    let id = inside.strip_prefix('(')?.strip_suffix(')')?.trim();
    let quotes = |quote| id.strip_prefix(quote).and_then(|id| id.strip_suffix(quote));
    let id = quotes('\'').or_else(|| quotes('"')).unwrap_or(id);
    let plain = !id.is_empty() && !id.contains(|c: char| c.is_whitespace() || "'\"()\\".contains(c));
    plain.then_some(id)
}

impl Reader<'_> {
    /// Reports what is wrong with the names in an SCXML element that has a rule; answers the child elements that
    /// may stand in it. Of elements with free content it answers none.
    pub(super) fn open<'e>(&mut self, element: &'e Element) -> Vec<&'e Element> {
        let rule = vocabulary::rule(&element.name, self.dialect)
            .expect("an element is opened after its parent's rule allowed it");
        if self.datamodel == Datamodel::Null && NEED_DATA.contains(&rule.name) {
            self.error(
                "needs-datamodel",
                element.tag,
                format!("{} has no meaning in the null datamodel", tag(element)),
                Some("write datamodel=\"ecmascript\" on `<scxml>`".to_owned()),
            );
        }
        self.check_attributes(element, rule);
        if self.datamodel == Datamodel::Null {
            self.check_null(element);
        }
        if rule.body == Body::Anything {
            return Vec::new();
        }
        self.check_characters(element, rule);
        element
            .elements()
            .filter(|child| self.allows(element, rule, child))
            .collect()
    }

    fn check_attributes(&mut self, element: &Element, rule: &Rule) {
        for attribute in element.attributes.iter().filter(|attribute| !attribute.foreign) {
            if !rule.attributes(self.dialect).any(|known| known == attribute.name) {
                let hint = self.suggest(Severity::Warning, &attribute.name, rule.attributes(self.dialect));
                let message = format!(
                    "{} has no attribute {}: it is ignored",
                    tag(element),
                    quoted(&attribute.name)
                );
                self.warning("unknown-attribute", attribute.name_span, message, hint);
            }
        }
        for required in rule.required {
            if element.attribute(required).is_none() {
                let near = element
                    .attributes
                    .iter()
                    .map(|attribute| attribute.name.as_str())
                    .filter(|name| !rule.attributes(self.dialect).any(|known| known == *name));
                let hint =
                    nearest(required, near).map(|given| format!("is {} meant to be `{required}`?", quoted(given)));
                let message = format!("{} needs the attribute `{required}`", tag(element));
                self.error("missing-attribute", element.tag, message, hint);
            }
        }
    }

    /// In the null datamodel there is one expression: `In(id)`, as a condition (W3C SCXML B.1).
    pub(super) fn check_null(&mut self, element: &Element) {
        let module = matches!(element.namespace, Namespace::Module(_));
        for attribute in element.attributes.iter().filter(|attribute| !attribute.foreign) {
            let name = attribute.name.as_str();
            let message = if name == "cond" && in_predicate(&attribute.value).is_none() {
                format!("{} is not a condition of the null datamodel", quoted(&attribute.value))
            } else if element.name == "log" && name == "expr" && string_literal(&attribute.value).is_some() {
                // W3C's own document for this datamodel logs its outcome so (test 436).
                continue;
            } else if module || NEED_VALUES.contains(&name) || name.ends_with("expr") {
                format!("`{name}` of {} needs a datamodel with values", tag(element))
            } else {
                continue;
            };
            let hint = "a condition is `In('state')`, other expressions there are none; or write datamodel=\"ecmascript\" on `<scxml>`";
            self.error("needs-datamodel", attribute.span, message, Some(hint.to_owned()));
        }
    }

    fn check_characters(&mut self, element: &Element, rule: &Rule) {
        if rule.body == Body::Characters {
            return;
        }
        for node in &element.children {
            let Node::Text(characters) = node else { continue };
            let text = characters.text.trim();
            if text.is_empty() {
                continue;
            }
            let written = self.files.slice(characters.span);
            let start = characters.span.start + (written.len() - written.trim_start().len());
            let span = Span {
                start,
                end: start + written.trim().len(),
                ..characters.span
            };
            let hint = rule.executable.then(|| "a script stands in `<script>`".to_owned());
            let message = format!("text may not stand in {}: {}", tag(element), quoted(text));
            self.error("unexpected-text", span, message, hint);
        }
    }

    fn allows(&mut self, element: &Element, rule: &Rule, child: &Element) -> bool {
        let (allowed, severity) = match &child.namespace {
            Namespace::Scxml => (
                rule.allowed(self.dialect).any(|name| name == child.name),
                Severity::Error,
            ),
            Namespace::Module(_) => (rule.executable, Severity::Error),
            Namespace::Other(_) if child.is_xinclude() => (false, Severity::Error),
            Namespace::Other(_) => (false, Severity::Warning),
        };
        if !allowed {
            // A document can hold a million wrong elements: no words are made for those that are only counted.
            if self.report.is_full(severity) {
                self.report.omit(severity);
            } else {
                self.refuse(element, rule, child);
            }
        }
        allowed
    }

    fn refuse(&mut self, element: &Element, rule: &Rule, child: &Element) {
        match &child.namespace {
            Namespace::Scxml => {}
            Namespace::Module(module) => {
                let message = format!(
                    "the action {} of module {} may not stand in {}",
                    tag(child),
                    quoted(module),
                    tag(element)
                );
                let hint =
                    "actions stand where `<send>` may: in `<onentry>`, `<onexit>`, `<transition>`, `<if>`, `<foreach>`";
                self.error("misplaced-element", child.tag, message, Some(hint.to_owned()));
                return;
            }
            // Includes have been followed before.
            Namespace::Other(_) if child.is_xinclude() => {
                let message = format!("{} of XInclude may not stand in {}", tag(child), tag(element));
                let hint = "`<fallback>` stands in `<include>`, which stands for what it names".to_owned();
                self.error("misplaced-element", child.tag, message, Some(hint));
                return;
            }
            Namespace::Other(uri) => {
                let message = if uri.is_empty() {
                    format!("{} has no namespace: it is skipped", tag(child))
                } else {
                    format!(
                        "{} belongs to {}, which is not known: it is skipped",
                        tag(child),
                        quoted(uri)
                    )
                };
                let hint = vocabulary::rule(&child.name, self.dialect)
                    .map(|_| format!("SCXML elements are in `{SCXML_NAMESPACE}`"));
                self.warning("foreign-element", child.tag, message, hint);
                return;
            }
        }
        let allowed: Vec<&str> = rule.allowed(self.dialect).collect();
        let everything = || match allowed.as_slice() {
            [] => format!("{} has no child elements", tag(element)),
            names => format!("in {} may stand {}", tag(element), list(names)),
        };
        if self.dialect == Dialect::Ors && NOT_IN_ORS.contains(&child.name.as_str()) {
            let message = format!("{} is not supported (nor does ORS)", tag(child));
            let hint = "it was in drafts of SCXML only: leave it out".to_owned();
            self.error("unsupported", child.tag, message, Some(hint));
        } else if vocabulary::rule(&child.name, self.dialect).is_some() {
            let message = format!("{} may not stand in {}", tag(child), tag(element));
            let hint = if EXECUTABLE.contains(&child.name.as_str()) && allowed.contains(&"onentry") {
                format!(
                    "put it in `<onentry>`, `<onexit>`{}",
                    if allowed.contains(&"transition") {
                        " or a `<transition>`"
                    } else {
                        ""
                    }
                )
            } else {
                everything()
            };
            self.error("misplaced-element", child.tag, message, Some(hint));
        } else {
            let all = vocabulary::rules(self.dialect).map(|rule| rule.name);
            let near = self.suggest(Severity::Error, &child.name, allowed.iter().copied());
            let hint = near.or_else(|| self.suggest(Severity::Error, &child.name, all));
            let message = format!("SCXML has no element {}", tag(child));
            self.error(
                "unknown-element",
                child.tag,
                message,
                Some(hint.unwrap_or_else(everything)),
            );
        }
    }

    /// Answers the only child of this name; reports any further.
    pub(super) fn only<'e>(&mut self, children: &[&'e Element], name: &str) -> Option<&'e Element> {
        let mut named = children
            .iter()
            .copied()
            .filter(|child| child.name == name && child.namespace == Namespace::Scxml);
        let first = named.next()?;
        for other in named {
            self.error(
                "duplicate-element",
                other.tag,
                format!("{} may stand here only once", tag(other)),
                None,
            );
        }
        Some(first)
    }
}
