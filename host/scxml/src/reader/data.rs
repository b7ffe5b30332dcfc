//! The data module (W3C SCXML 5) and files named by `src`.

use super::{Reader, tag};
use crate::diagnostic::{Severity, quoted};
use crate::limits::{MAX_FILE_BYTES, MAX_TOTAL_BYTES};
use crate::model::{Data, Dialect, DoneData, Param, Text, Value};
use crate::source::{Full, Span};
use crate::xml::{self, Attribute, Element, Namespace, Node, SCXML_NAMESPACE};

impl Reader<'_> {
    /// Adds the `data` of a `datamodel`.
    pub(super) fn datamodel_children(&mut self, element: &Element, data: &mut Vec<Data>) {
        for child in self.open(element) {
            let item = self.data(child);
            data.push(item);
        }
    }

    fn data(&mut self, element: &Element) -> Data {
        self.open(element);
        self.exclusive(element, &["expr", "src"]);
        let value = match element.attribute("src") {
            Some(src) => {
                if self.has_body(element) {
                    self.body_conflict(element, src);
                }
                self.file(src).map(|file| self.file_value(file))
            }
            None => self.value(element),
        };
        if let Some(id) = element.attribute("id") {
            self.check_data_id(id);
            self.remember_data(id);
        }
        Data {
            id: self.required(element, "id").text,
            value,
            at: self.at(element),
        }
    }

    /// Scripts of ORS find the data and the functional modules under these names.
    fn check_data_id(&mut self, id: &Attribute) {
        let given = id.value.trim();
        let what = match given {
            "_data" => "all `<data>` by their ids",
            "_genesys" => "the functional modules",
            _ => return,
        };
        if self.dialect == Dialect::Ors {
            let message = format!("{} cannot be the id of `<data>`: it holds {what}", quoted(given));
            let hint = format!("give it another id, such as `{}`", given.trim_start_matches('_'));
            self.error("invalid-id", id.span, message, Some(hint));
        }
    }

    /// All data share one scope (W3C SCXML B.2.1); ids are unique in the standard's schema, not in every document.
    fn remember_data(&mut self, id: &Attribute) {
        let first = *self.data_ids.entry(id.value.clone()).or_insert(id.span);
        if first == id.span {
            return;
        }
        let line = self.files.position(first).line;
        let message = format!("two `<data>` have the id {}: they are one variable", quoted(&id.value));
        self.warning(
            "duplicate-data",
            id.span,
            message,
            Some(format!("the first is on line {line}")),
        );
    }

    /// `expr`, or what stands between the tags; `None` where there is neither.
    pub(super) fn value(&mut self, element: &Element) -> Option<Value> {
        let body = self.has_body(element);
        let composer = || {
            element
                .attribute("_expr")
                .filter(|_| self.dialect == Dialect::Ors && element.name == "content")
        };
        if let Some(expr) = element.attribute("expr").or_else(composer) {
            if body {
                self.body_conflict(element, expr);
            }
            return Some(Value::Expr(self.text(expr)));
        }
        body.then(|| self.body(element))
    }

    pub(super) fn has_body(&self, element: &Element) -> bool {
        element.elements().next().is_some() || !element.characters().0.trim().is_empty()
    }

    fn body_conflict(&mut self, element: &Element, attribute: &Attribute) {
        let message = format!("{} has both `{}` and a body", tag(element), attribute.name);
        self.error(
            "conflicting-content",
            attribute.name_span,
            message,
            Some("remove one of them".to_owned()),
        );
    }

    /// Markup as it was written where there are child elements, else text.
    fn body(&self, element: &Element) -> Value {
        if let Some(first) = element.elements().next() {
            let included = element.elements().any(|child| child.tag.file != element.inner.file);
            let (text, at) = if included {
                (self.included_markup(element), first.tag)
            } else {
                (self.markup(element), element.inner)
            };
            return Value::Xml(Text {
                text,
                at: self.files.position(at),
            });
        }
        let (text, span) = element.characters();
        Value::Text(Text {
            text,
            at: self.files.position(span),
        })
    }

    /// What stands in an element, as it was written, but that a document in it means the same by itself: it declares the
    /// namespaces that it has from around it.
    fn markup(&self, element: &Element) -> String {
        let inner = element.inner;
        let (mut text, mut copied) = (String::new(), inner.start);
        for child in element.elements().filter(|child| is_document(child)) {
            text.push_str(self.files.slice(Span {
                start: copied,
                end: child.tag.start,
                ..inner
            }));
            text.push_str(&self.document_markup(child));
            copied = child.end;
        }
        text.push_str(self.files.slice(Span { start: copied, ..inner }));
        text
    }

    /// The same where elements of other texts stand in it.
    fn included_markup(&self, element: &Element) -> String {
        let mut text = String::new();
        for node in &element.children {
            match node {
                Node::Text(characters) => text.push_str(&quick_xml::escape::escape(&characters.text)),
                Node::Element(child) if is_document(child) => text.push_str(&self.document_markup(child)),
                Node::Element(child) => text.push_str(self.files.slice(Span {
                    end: child.end,
                    ..child.tag
                })),
            }
        }
        text
    }

    /// A document inside of another one, with the namespaces that it has from around it.
    fn document_markup(&self, child: &Element) -> String {
        let start_tag = self.files.slice(Span {
            start: child.tag.end,
            end: child.inner.start,
            ..child.tag
        });
        let name = self.files.slice(child.tag);
        let mut text = name.to_owned();
        if !name.contains(':') && !start_tag.contains("xmlns=") {
            text.push_str(&format!(" xmlns=\"{SCXML_NAMESPACE}\""));
        }
        for declaration in self.namespaces.get(&child.tag.file).into_iter().flatten() {
            let prefix = declaration.split('=').next().unwrap_or_default();
            if !start_tag.contains(prefix) {
                text.push(' ');
                text.push_str(declaration);
            }
        }
        text.push_str(self.files.slice(Span {
            start: child.tag.end,
            end: child.end,
            ..child.tag
        }));
        text
    }

    /// A file whose text is an XML document is XML (W3C SCXML B.2.1), whatever its name.
    pub(super) fn file_value(&self, file: u16) -> Value {
        let source = self.files.text(file);
        let text = Text {
            text: source.to_owned(),
            at: self.files.position(Span { file, start: 0, end: 0 }),
        };
        if source.trim_start().starts_with('<') && xml::parse(source, file).is_ok() {
            Value::Xml(text)
        } else {
            Value::Text(text)
        }
    }

    /// Reads the file that a `src` attribute names.
    pub(super) fn file(&mut self, src: &Attribute) -> Option<u16> {
        self.file_at(&src.value, src.span)
    }

    /// Reads the file that a reference names which stands there.
    pub(super) fn file_at(&mut self, reference: &str, span: Span) -> Option<u16> {
        if self.report.is_full(Severity::Error) {
            return None;
        }
        match self.fetch(reference, span) {
            Ok(file) => Some(file),
            Err(problem) => {
                let message = format!("cannot read {}: {problem}", quoted(reference));
                let hint = "the path is relative to the file that names it".to_owned();
                self.error("unreadable-src", span, message, Some(hint));
                None
            }
        }
    }

    /// Reads a file; why it cannot be read follows "cannot read `...`: ".
    pub(super) fn fetch(&mut self, reference: &str, span: Span) -> Result<u16, String> {
        let (url, text) = self
            .resolver
            .read(self.files.url(span.file), reference)
            .map_err(|error| error.to_string())?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
        if text.len() > MAX_FILE_BYTES {
            return Err(format!("it is larger than {MAX_FILE_BYTES} bytes"));
        }
        // Each mention copies the text into the model: a file named a thousand times counts a thousand times.
        self.included_bytes += text.len();
        if self.included_bytes > MAX_TOTAL_BYTES {
            return Err(Full::Bytes.to_string());
        }
        self.files.add(&url, text).map_err(|full| full.to_string())
    }

    /// The source of a `script`: the file that it names, or its text.
    pub(super) fn script(&mut self, element: &Element) -> Text {
        self.open(element);
        let (text, span) = element.characters();
        let Some(src) = element.attribute("src") else {
            return Text {
                text,
                at: self.files.position(span),
            };
        };
        if self.has_body(element) {
            self.body_conflict(element, src);
        }
        match self.file(src) {
            Some(file) => {
                let at = self.files.position(Span { file, start: 0, end: 0 });
                Text {
                    text: self.files.text(file).to_owned(),
                    at,
                }
            }
            None => Text {
                text: String::new(),
                at: self.at(element),
            },
        }
    }

    /// `donedata` (5.5).
    pub(super) fn donedata(&mut self, element: &Element) -> DoneData {
        let children = self.open(element);
        let (content, params) = self.payload(element, &children);
        DoneData {
            content,
            params,
            at: self.at(element),
        }
    }

    /// The `content` and the `param`s of an element, which exclude each other.
    pub(super) fn payload(&mut self, element: &Element, children: &[&Element]) -> (Option<Value>, Vec<Param>) {
        let content = self.only(children, "content").map(|child| self.content(child));
        let params: Vec<Param> = children
            .iter()
            .filter(|child| child.name == "param")
            .map(|child| self.param(child))
            .collect();
        if content.is_some() && !params.is_empty() {
            let message = format!("`<content>` and `<param>` exclude each other in {}", tag(element));
            self.error(
                "conflicting-content",
                element.tag,
                message,
                Some("remove one of them".to_owned()),
            );
        }
        (content, params)
    }

    /// `content` (5.6): empty text where there is nothing in it.
    pub(super) fn content(&mut self, element: &Element) -> Value {
        self.open(element);
        self.value(element).unwrap_or_else(|| self.body(element))
    }

    /// `param` (5.7), of SCXML or of a functional module's action.
    pub(super) fn param(&mut self, element: &Element) -> Param {
        if element.namespace == Namespace::Scxml {
            self.open(element);
        }
        self.exclusive(element, &["expr", "location"]);
        let expr = self.optional(element, "expr");
        let location = expr.is_none() && element.attribute("location").is_some();
        let expr = expr.or_else(|| self.optional(element, "location"));
        if expr.is_none() {
            let hint = "a literal is an expression too: expr=\"'text'\"".to_owned();
            self.error(
                "missing-attribute",
                element.tag,
                "`<param>` needs `expr` or `location`",
                Some(hint),
            );
        }
        Param {
            name: self.required(element, "name").text,
            expr: expr.unwrap_or_else(|| Text {
                text: String::new(),
                at: self.at(element),
            }),
            location,
            at: self.at(element),
        }
    }
}

fn is_document(element: &Element) -> bool {
    element.namespace == Namespace::Scxml && element.name == "scxml"
}
