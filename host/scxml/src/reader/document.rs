//! `scxml` (W3C SCXML 3.2).

use super::{Origin, Reader, Reference, tag};
use crate::diagnostic::quoted;
use crate::model::{Binding, Datamodel, Dialect, Document, Script};
use crate::source::Span;
use crate::xml::{Element, Namespace, SCXML_NAMESPACE};

impl Reader<'_> {
    /// Reads the root element. The texts are left in the reader. `None`: it is no SCXML document at all.
    pub fn document(&mut self, root: &Element) -> Option<Document> {
        if root.name != "scxml" || root.namespace != Namespace::Scxml {
            let message = match &root.namespace {
                Namespace::Other(uri) if root.name == "scxml" && uri.is_empty() => {
                    "`<scxml>` has no namespace".to_owned()
                }
                Namespace::Other(uri) if root.name == "scxml" => {
                    format!("the namespace {} is not the one of SCXML", quoted(uri))
                }
                _ => format!("the root element is {}, not `<scxml>`", tag(root)),
            };
            let hint = format!("write <scxml xmlns=\"{SCXML_NAMESPACE}\" version=\"1.0\">");
            self.error("not-scxml", root.tag, message, Some(hint));
            return None;
        }
        self.datamodel = self.choice(
            root,
            "datamodel",
            &[("ecmascript", Datamodel::Ecmascript), ("null", Datamodel::Null)],
        );
        self.namespaces = self.declarations(root);
        let children = self.open(root);
        self.version(root);
        let binding = self.choice(root, "binding", &[("early", Binding::Early), ("late", Binding::Late)]);
        let initial = root
            .attribute("initial")
            .map(|attribute| self.words(attribute))
            .unwrap_or_default();
        let names = initial.iter().map(|(id, _)| id.clone()).collect();
        if !initial.is_empty() {
            self.references.push(Reference {
                origin: Origin::Document,
                targets: initial,
            });
        }
        let (mut scripts, mut data, mut states) = (Vec::new(), Vec::new(), Vec::new());
        for child in children {
            match child.name.as_str() {
                "script" => scripts.push(Script {
                    source: self.script(child),
                    at: self.at(child),
                }),
                "datamodel" => self.datamodel_children(child, &mut data),
                _ => states.extend(self.state(child, None)),
            }
        }
        if states.is_empty() {
            let hint = "add a `<state>`, `<parallel>` or `<final>`".to_owned();
            self.error("no-states", root.tag, "the document has no states", Some(hint));
        }
        Some(Document {
            name: root.attribute("name").map(|attribute| attribute.value.clone()),
            dialect: Dialect::W3c,
            datamodel: self.datamodel,
            binding,
            initial: names,
            scripts,
            data,
            states,
            files: Vec::new(),
            at: self.at(root),
        })
    }

    /// The root's declarations of prefixes, as written.
    fn declarations(&self, root: &Element) -> Vec<String> {
        let start_tag = self.files.slice(Span {
            start: root.tag.end,
            end: root.inner.start,
            ..root.tag
        });
        let mut found = Vec::new();
        let mut rest = start_tag;
        while let Some(at) = rest.find("xmlns:") {
            rest = &rest[at..];
            let quote = rest.find(['"', '\'']);
            let end = quote.and_then(|open| {
                let mark = rest[open..].chars().next()?;
                Some(open + 1 + rest[open + 1..].find(mark)? + 1)
            });
            let Some(end) = end else { break };
            found.push(rest[..end].split_whitespace().collect::<Vec<_>>().join(" "));
            rest = &rest[end..];
        }
        found
    }

    fn version(&mut self, root: &Element) {
        let hint = Some("write version=\"1.0\"".to_owned());
        match root.attribute("version") {
            None => self.warning("missing-version", root.tag, "`<scxml>` should say its version", hint),
            Some(version) if version.value == "1.0" => {}
            Some(version) => {
                let message = format!("there is no SCXML version {}", quoted(&version.value));
                self.error("invalid-value", version.span, message, hint);
            }
        }
    }
}
