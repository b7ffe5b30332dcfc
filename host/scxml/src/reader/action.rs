//! Actions of functional modules, as the table of modules has them ([`crate::modules`]).

use super::{Reader, tag};
use crate::diagnostic::{Severity, quoted};
use crate::model::{self, Action, ActionElement, Attribute, Datamodel, Param, Text, Value};
use crate::modules::{self, Child, Kind};
use crate::suggest::{list, nearest};
use crate::xml::{self, Element, Namespace};
use pointsman_chart::MAX_NESTING;

/// What the table says of an element.
#[derive(Clone, Copy)]
enum Known {
    Action(&'static modules::Action),
    Element(&'static modules::Element),
    /// Nothing: whatever stands in it is passed on.
    No,
}

/// What stands in an action or in an element of one.
#[derive(Default)]
struct Body {
    requestid: Option<Text>,
    attributes: Vec<(String, Attribute)>,
    params: Vec<Param>,
    content: Option<Value>,
    children: Vec<ActionElement>,
}

impl Known {
    fn attributes(self) -> Option<&'static [modules::Attribute]> {
        match self {
            Self::Action(action) => Some(action.attributes),
            Self::Element(element) => Some(element.attributes),
            Self::No => None,
        }
    }

    fn children(self) -> &'static [Child] {
        match self {
            Self::Action(action) => action.children,
            Self::Element(element) => element.children,
            Self::No => &[],
        }
    }

    /// What the table says of an element in this one; `None`: it may not stand there.
    fn child(self, own: &str, module: &str, name: &str) -> Option<Self> {
        let action = || modules::action(module, name);
        if matches!(self, Self::No) {
            return Some(action().filter(|_| module != own).map_or(Self::No, Self::Action));
        }
        self.children().iter().find_map(|child| match child {
            Child::Element(element) => (module == own && element.name == name).then_some(Self::Element(element)),
            Child::Action { module: of, action: is } => {
                let found = *of == module && *is == name;
                action().filter(|_| found).map(Self::Action)
            }
            Child::Treatments => {
                let treatment = action().filter(|action| module == "dialog" && action.treatment);
                treatment.map(Self::Action)
            }
        })
    }
}

impl Reader<'_> {
    pub(super) fn action(&mut self, element: &Element, module: &str) -> Action {
        if self.datamodel == Datamodel::Null {
            self.check_null(element);
        }
        let known = modules::action(module, &element.name);
        if known.is_some_and(|action| action.nested) {
            let message = format!("the action {} may not stand alone", tag(element));
            let hint = "put it into `<submit>` or `<update>` of `queue`".to_owned();
            self.error("misplaced-element", element.tag, message, Some(hint));
        }
        let body = self.action_body(element, module, known.map_or(Known::No, Known::Action), 1);
        Action {
            module: module.to_owned(),
            action: element.name.clone(),
            requestid: body.requestid,
            attributes: body.attributes,
            params: body.params,
            content: body.content,
            children: body.children,
        }
    }

    fn action_body(&mut self, element: &Element, module: &str, known: Known, level: usize) -> Body {
        let mut body = self.action_attributes(element, known);
        for child in element.elements() {
            let of = match &child.namespace {
                Namespace::Scxml => None,
                Namespace::Module(of) => Some(of.as_str()),
                Namespace::Other(_) => {
                    self.refuse_in_action(element, module, known, child);
                    continue;
                }
            };
            let takes_content = !matches!(
                known,
                Known::Element(_) | Known::Action(modules::Action { content: false, .. })
            );
            match (child.name.as_str(), of) {
                ("param", _) => body.params.push(self.module_param(child)),
                ("content", _) if takes_content && body.content.is_none() => {
                    body.content = Some(self.content(child));
                }
                (name, Some(of)) => match known.child(module, of, name) {
                    Some(inner) if level < MAX_NESTING => {
                        let inner = self.action_element(child, module, of, inner, level + 1);
                        body.children.push(inner);
                    }
                    Some(_) => {
                        let message = format!("elements may nest {MAX_NESTING} deep in an action");
                        self.error("nested-too-deeply", child.tag, message, None);
                    }
                    None => self.refuse_in_action(element, module, known, child),
                },
                _ => self.refuse_in_action(element, module, known, child),
            }
        }
        self.no_text_in_action(element);
        body
    }

    fn action_element(
        &mut self,
        element: &Element,
        own: &str,
        module: &str,
        known: Known,
        level: usize,
    ) -> ActionElement {
        let action = matches!(known, Known::Action(_)) || module != own;
        let body = self.action_body(element, module, known, level);
        ActionElement {
            name: if action {
                format!("{module}.{}", element.name)
            } else {
                element.name.clone()
            },
            attributes: body.attributes,
            params: body.params,
            content: body.content,
            children: body.children,
            at: self.at(element),
        }
    }

    fn action_attributes(&mut self, element: &Element, known: Known) -> Body {
        let table = known.attributes();
        let mut body = Body::default();
        for attribute in element.attributes.iter().filter(|attribute| !attribute.foreign) {
            let found = table.and_then(|table| table.iter().find(|known| known.name == attribute.name));
            let kind = match (found, table) {
                (Some(found), _) => found.kind,
                (None, None) if attribute.name == "requestid" => Kind::Location,
                (None, None) => Kind::Expr(modules::Type::Any),
                (None, Some(table)) => {
                    self.unknown_in_action(element, attribute, table);
                    Kind::Expr(modules::Type::Any)
                }
            };
            let text = self.text(attribute);
            match kind {
                Kind::Location if attribute.name == "requestid" => body.requestid = Some(text),
                Kind::Location => self.receives_nothing(element, attribute),
                Kind::Expr(_) => body.attributes.push((attribute.name.clone(), Attribute::Expr(text))),
                Kind::Literal(words) => {
                    let literal = self.literal(attribute, words);
                    body.attributes.push((attribute.name.clone(), literal));
                }
                Kind::Names => body.params.extend(names(&text)),
            }
        }
        self.check_required(element, known);
        body
    }

    fn unknown_in_action(
        &mut self,
        element: &Element,
        attribute: &xml::Attribute,
        table: &'static [modules::Attribute],
    ) {
        let hint = self.suggest(Severity::Warning, &attribute.name, table.iter().map(|known| known.name));
        let name = quoted(&attribute.name);
        let message = format!(
            "{} has no attribute {name}: it is passed on as an expression",
            tag(element)
        );
        self.warning("unknown-attribute", attribute.name_span, message, hint);
    }

    fn receives_nothing(&mut self, element: &Element, attribute: &xml::Attribute) {
        let name = &attribute.name;
        let message = format!("`{name}` of {} receives nothing in this version", tag(element));
        let hint = format!("read `_event.data.{name}` in the event that says it is done");
        self.warning("ignored-attribute", attribute.name_span, message, Some(hint));
    }

    /// A text that is not evaluated. Authors who are used to expressions put it in quotes.
    fn literal(&mut self, attribute: &xml::Attribute, words: &[&str]) -> Attribute {
        let mut text = self.text(attribute);
        text.text = unquoted(&text.text).to_owned();
        if !words.is_empty() && !words.contains(&text.text.as_str()) {
            let hint = self
                .suggest(Severity::Warning, &text.text, words.iter().copied())
                .unwrap_or_else(|| format!("write {}", list(words)));
            let message = format!(
                "{} is not a value of `{}` that is known",
                quoted(&text.text),
                attribute.name
            );
            self.warning("unknown-value", attribute.span, message, Some(hint));
        }
        Attribute::Literal(text)
    }

    fn check_required(&mut self, element: &Element, known: Known) {
        let Some(table) = known.attributes() else { return };
        for required in table.iter().filter(|attribute| attribute.required) {
            if element.attribute(required.name).is_none() {
                let unknown = |name: &&str| !table.iter().any(|known| known.name == *name);
                let given = element.attributes.iter().map(|attribute| attribute.name.as_str());
                let name = required.name;
                let hint = match nearest(name, given.filter(unknown)) {
                    Some(given) => format!("is {} meant to be `{name}`?", quoted(given)),
                    None => format!("write {name}=\"...\", an expression"),
                };
                let message = format!("{} needs the attribute `{name}`", tag(element));
                self.error("missing-attribute", element.tag, message, Some(hint));
            }
        }
        let Known::Action(modules::Action { one_of, .. }) = known else {
            return;
        };
        if !one_of.is_empty() && one_of.iter().all(|name| element.attribute(name).is_none()) {
            let message = format!("{} needs one of the attributes {}", tag(element), list(one_of));
            self.error("missing-attribute", element.tag, message, None);
        }
    }

    fn refuse_in_action(&mut self, element: &Element, module: &str, known: Known, child: &Element) {
        if self.report.is_full(Severity::Error) {
            self.report.omit(Severity::Error);
            return;
        }
        let named = |of: &Child| of.name();
        let mut names: Vec<String> = vec!["param".to_owned()];
        names.extend(known.children().iter().map(named));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let same = matches!(&child.namespace, Namespace::Module(of) if of == module);
        let near = same.then(|| nearest(&child.name, names.iter().copied())).flatten();
        let hint = match (deeper(known.children(), &child.name).filter(|_| same), near) {
            (Some(outer), _) => format!("it stands in `<{}>`", outer.name),
            (None, Some(near)) if near != child.name => format!("did you mean `{near}`?"),
            _ => format!("in it may stand {}", list(&names)),
        };
        let message = format!("{} may not stand in the action {}", tag(child), tag(element));
        self.error("misplaced-element", child.tag, message, Some(hint));
    }

    fn no_text_in_action(&mut self, element: &Element) {
        let text = element.characters().0;
        if !text.trim().is_empty() {
            let message = format!(
                "text may not stand in the action {}: {}",
                tag(element),
                quoted(text.trim())
            );
            self.error("unexpected-text", element.tag, message, None);
        }
    }

    fn module_param(&mut self, element: &Element) -> model::Param {
        if element.namespace != Namespace::Scxml && element.attribute("name").is_none() {
            let message = "`<param>` needs the attribute `name`";
            self.error("missing-attribute", element.tag, message, None);
        }
        self.param(element)
    }
}

/// The element among these, or inside of them, in which one of this name stands.
fn deeper(children: &[Child], name: &str) -> Option<&'static modules::Element> {
    children.iter().find_map(|child| {
        let Child::Element(element) = child else { return None };
        let inside = |inner: &Child| matches!(inner, Child::Element(inner) if inner.name == name);
        if element.children.iter().any(inside) {
            return Some(*element);
        }
        deeper(element.children, name)
    })
}

/// Each name as a parameter.
fn names(list: &Text) -> impl Iterator<Item = Param> {
    unquoted(&list.text).split_ascii_whitespace().map(|name| Param {
        name: name.to_owned(),
        expr: Text {
            text: name.to_owned(),
            at: list.at,
        },
        location: true,
        at: list.at,
    })
}

/// A text without the quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inside = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('\'').or_else(|| inside('"')).unwrap_or(text)
}
