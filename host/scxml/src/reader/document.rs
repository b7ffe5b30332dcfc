//! `scxml` (W3C SCXML 3.2).

use super::{Origin, Reader, Reference, tag};
use crate::diagnostic::quoted;
use crate::model::{Binding, Datamodel, Dialect, Document, Script};
use crate::source::Span;
use crate::vocabulary;
use crate::xml::{Attribute, Element, Namespace, SCXML_NAMESPACE, XINCLUDE_NAMESPACE};

/// The initial state of documents that are only included.
const NO_ENTRY: &str = "_composer_noboot";

impl Reader<'_> {
    /// Reads the root element. The texts are left in the reader. `None`: it is no SCXML document at all.
    pub fn document(&mut self, mut root: Element) -> Option<Document> {
        self.check_root(&root)?;
        self.dialect = self.dialect_of(&root);
        let declarations = self.declarations(&root);
        self.namespaces.insert(root.tag.file, declarations);
        self.check_entry(&root)?;
        self.expand(&mut root);
        Some(self.read(&root))
    }

    fn check_root(&mut self, root: &Element) -> Option<()> {
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
        Some(())
    }

    /// From the document itself, in this order: what W3C SCXML has, what the draft of 2009 had, what ORS adds.
    fn dialect_of(&mut self, root: &Element) -> Dialect {
        if root.attribute("datamodel").is_some() {
            return Dialect::W3c;
        }
        if let Some(profile) = root.attribute("profile") {
            if profile.value.trim() != "ecmascript" {
                let message = format!("there is no profile {} here", quoted(&profile.value));
                let hint = "write profile=\"ecmascript\"; W3C SCXML 1.0 says datamodel=\"ecmascript\"".to_owned();
                self.error("invalid-value", profile.span, message, Some(hint));
            }
            return Dialect::Ors;
        }
        let xinclude = |declaration: &String| declaration.contains(XINCLUDE_NAMESPACE);
        let ors = vocabulary::rule("scxml", Dialect::W3c).expect("there is a root element");
        let underscored = |attribute: &Attribute| {
            let known = |name: &str| name == attribute.name;
            !attribute.foreign && attribute.name.starts_with('_') && ors.attributes(Dialect::W3c).any(known)
        };
        if self.declarations(root).iter().any(xinclude) || root.attributes.iter().any(underscored) {
            Dialect::Ors
        } else {
            Dialect::W3c
        }
    }

    /// What Genesys Composer generates to be included says so by an initial state that does nothing.
    fn check_entry(&mut self, root: &Element) -> Option<()> {
        let initial = root.attribute("initial");
        let Some(initial) = initial.filter(|initial| initial.value.trim() == NO_ENTRY) else {
            return Some(());
        };
        let message = format!(
            "this document is made to be included in another one: its initial state is {}",
            quoted(NO_ENTRY)
        );
        let hint =
            "start the document that includes it: the one that Composer generates from the interaction process diagram";
        self.error("not-an-entry", initial.span, message, Some(hint.to_owned()));
        None
    }

    fn read(&mut self, root: &Element) -> Document {
        self.datamodel = self.choice(
            root,
            "datamodel",
            &[("ecmascript", Datamodel::Ecmascript), ("null", Datamodel::Null)],
        );
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
        Document {
            name: root.attribute("name").map(|attribute| attribute.value.clone()),
            dialect: self.dialect,
            datamodel: self.datamodel,
            binding,
            settings: self.settings(root),
            initial: names,
            scripts,
            data,
            states,
            files: Vec::new(),
            at: self.at(root),
        }
    }

    /// The root's declarations of prefixes, as written.
    pub(super) fn declarations(&self, root: &Element) -> Vec<String> {
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
            // The draft of 2009 did not ask for it.
            None if self.dialect == Dialect::Ors => {}
            None => self.warning("missing-version", root.tag, "`<scxml>` should say its version", hint),
            Some(version) if version.value == "1.0" => {}
            Some(version) => {
                let message = format!("there is no SCXML version {}", quoted(&version.value));
                self.error("invalid-value", version.span, message, hint);
            }
        }
    }
}
