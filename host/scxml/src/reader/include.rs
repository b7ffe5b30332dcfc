//! XInclude 1.0: elements of other texts in the place of `xi:include`, before anything is read.
//!
//! ```text
//! <script><xi:include href="lib.js" parse="text"/></script>               the text of the file
//! <xi:include href="p.scxml" xpointer="entry" resolveid="P"/>              the element with that id, its ids prefixed (see prefix)
//! <xi:include href="p.scxml"/>                                             what stands in the root element
//! ```
//!
//! Every element keeps its place in the text that it comes from. Included texts are no more trusted than the document:
//! their number, depth and size are bounded, and each has to be reached through the resolver. A text that is included twice
//! counts twice.

use super::{Reader, prefix, tag};
use crate::diagnostic::{Severity, quoted};
use crate::limits::{
    MAX_DEPTH, MAX_ELEMENTS, MAX_INCLUDE_DEPTH, MAX_INCLUDES, MAX_PREFIX_BYTES, MAX_PREFIX_TOTAL_BYTES, MAX_TOTAL_BYTES,
};
use crate::source::{Full, Span};
use crate::suggest::list;
use crate::vocabulary::{self, Body};
use crate::xml::{self, Attribute, Characters, Element, Namespace, Node};

/// Attributes of `xi:include`. `resolveid` is ORS.
const ATTRIBUTES: [&str; 7] = [
    "href",
    "parse",
    "xpointer",
    "resolveid",
    "encoding",
    "accept",
    "accept-language",
];

/// How an expansion goes.
#[derive(Default)]
struct Expansion {
    /// Includes so far.
    includes: usize,
    /// Elements so far, those of the document included.
    elements: usize,
    /// A limit is reached: nothing more is included.
    stopped: bool,
    /// Top-level scripts of texts that are included deeper in the document: they run when the session begins, as they would
    /// in a document of their own.
    scripts: Vec<Node>,
    /// What prefixes of ids may add.
    room: prefix::Room,
    /// What is being included, outermost first: URL and pointer.
    chain: Vec<(String, Option<String>)>,
}

/// Why an include has nothing to put into its place.
enum Failure {
    /// It cannot be had: `xi:fallback` stands in (XInclude 4.4).
    Missing(Box<Finding>),
    /// It was reported, or is nothing that a fallback mends.
    Told,
}

struct Finding {
    code: &'static str,
    span: Span,
    message: String,
    hint: Option<String>,
}

impl Reader<'_> {
    /// Puts everything in the place of the includes in the document.
    pub fn expand(&mut self, root: &mut Element) {
        let mut expansion = Expansion {
            elements: count(root),
            chain: vec![(self.files.url(root.tag.file).to_owned(), None)],
            ..Expansion::default()
        };
        self.expand_children(root, &mut expansion, None, 1);
        root.children.append(&mut expansion.scripts);
        if expansion.room.exceeded {
            let message = format!("prefixes of ids may add {MAX_PREFIX_TOTAL_BYTES} bytes to a document");
            self.error("too-large", root.tag, message, None);
        }
    }

    /// `depth` is the one of the element: the root has 1. `own` is the prefix of the text that it comes from.
    fn expand_children(&mut self, element: &mut Element, expansion: &mut Expansion, own: Option<&str>, depth: usize) {
        let markup = holds_markup(element);
        let has_work = |node: &Node| matches!(node, Node::Element(child) if !markup || child.is_include());
        if !element.children.iter().any(has_work) {
            return;
        }
        let nodes = std::mem::take(&mut element.children);
        element.children = self.expand_nodes(nodes, expansion, own, depth, markup);
    }

    /// Expands what stands in an element of this depth. Markup that is a value stays as it is written.
    fn expand_nodes(
        &mut self,
        nodes: Vec<Node>,
        expansion: &mut Expansion,
        own: Option<&str>,
        depth: usize,
        markup: bool,
    ) -> Vec<Node> {
        let mut expanded = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::Element(mut child) if child.is_include() => {
                    if let Some(own) = own {
                        prefix::put(&mut child, own, &mut expansion.room);
                    }
                    expanded.append(&mut self.include(child, expansion, own, depth, markup));
                }
                Node::Element(mut child) if !markup => {
                    if let Some(own) = own {
                        prefix::put(&mut child, own, &mut expansion.room);
                    }
                    self.expand_children(&mut child, expansion, own, depth + 1);
                    expanded.push(Node::Element(child));
                }
                other => expanded.push(other),
            }
        }
        expanded
    }

    /// What stands in the place of an include.
    fn include(
        &mut self,
        element: Element,
        expansion: &mut Expansion,
        own: Option<&str>,
        depth: usize,
        markup: bool,
    ) -> Vec<Node> {
        if expansion.stopped {
            return Vec::new();
        }
        expansion.includes += 1;
        if expansion.includes > MAX_INCLUDES {
            let message = format!("a document may include {MAX_INCLUDES} times, those in included texts counted");
            self.error("too-many-includes", element.tag, message, None);
            expansion.stopped = true;
            return Vec::new();
        }
        self.check_include(&element);
        let included = if is_text(&element) {
            self.included_text(&element, expansion, own)
        } else {
            self.included_elements(&element, expansion, own, depth, markup)
        };
        let finding = match included {
            Ok(nodes) => return nodes,
            Err(Failure::Told) => return Vec::new(),
            Err(Failure::Missing(finding)) => finding,
        };
        let fallback = element.children.into_iter().find_map(|node| match node {
            Node::Element(child) if child.is_xinclude() && child.name == "fallback" => Some(child),
            _ => None,
        });
        match fallback {
            Some(fallback) => self.expand_nodes(fallback.children, expansion, own, depth, markup),
            None => {
                self.error(finding.code, finding.span, finding.message, finding.hint);
                Vec::new()
            }
        }
    }

    fn check_include(&mut self, element: &Element) {
        for attribute in element.attributes.iter().filter(|attribute| !attribute.foreign) {
            if !ATTRIBUTES.contains(&attribute.name.as_str()) {
                let hint = self.suggest(Severity::Warning, &attribute.name, ATTRIBUTES);
                let message = format!(
                    "{} has no attribute {}: it is ignored",
                    tag(element),
                    quoted(&attribute.name)
                );
                self.warning("unknown-attribute", attribute.name_span, message, hint);
            }
        }
        let _: bool = self.choice(element, "parse", &[("xml", false), ("text", true)]);
        let fallback = |child: &Element| child.is_xinclude() && child.name == "fallback";
        if let Some(other) = element.elements().find(|child| !fallback(child)) {
            let message = format!("{} may not stand in {}", tag(other), tag(element));
            let hint = "in it may stand `<fallback>` of XInclude".to_owned();
            self.error("misplaced-element", other.tag, message, Some(hint));
        }
    }

    fn included_text(
        &mut self,
        element: &Element,
        expansion: &mut Expansion,
        own: Option<&str>,
    ) -> Result<Vec<Node>, Failure> {
        for name in ["xpointer", "resolveid"] {
            if let Some(attribute) = element.attribute(name) {
                let message = format!("`{name}` has no meaning with parse=\"text\"");
                let hint = "a text is included as a whole: remove one of them".to_owned();
                self.error("conflicting-attributes", attribute.name_span, message, Some(hint));
            }
        }
        let href = element.attribute("href").filter(|href| !href.value.is_empty());
        let Some(href) = href else {
            self.no_href(element);
            return Err(Failure::Told);
        };
        let file = self.reach(href)?;
        let mut text = self.files.text(file).to_owned();
        let span = Span {
            file,
            start: 0,
            end: text.len(),
        };
        if let Some(own) = own {
            prefix::put_text(&mut text, own, &mut expansion.room);
        }
        Ok(vec![Node::Text(Characters { text, span })])
    }

    fn no_href(&mut self, element: &Element) {
        let message = format!("{} needs `href`: the file that it includes", tag(element));
        self.error("missing-attribute", element.tag, message, None);
    }

    /// The file that an include names.
    fn reach(&mut self, href: &Attribute) -> Result<u16, Failure> {
        if href.value.contains('#') {
            let message = format!("{} names a part of a file", quoted(&href.value));
            let hint = "`href` names the file, `xpointer` the id of the element in it".to_owned();
            self.error("invalid-value", href.span, message, Some(hint));
            return Err(Failure::Told);
        }
        if self.report.is_full(Severity::Error) {
            return Err(Failure::Told);
        }
        self.fetch(&href.value, href.span).map_err(|problem| {
            Failure::Missing(Box::new(Finding {
                code: "unreadable-src",
                span: href.span,
                message: format!("cannot read {}: {problem}", quoted(&href.value)),
                hint: Some("the path is relative to the file that includes it".to_owned()),
            }))
        })
    }

    fn included_elements(
        &mut self,
        element: &Element,
        expansion: &mut Expansion,
        own: Option<&str>,
        depth: usize,
        markup: bool,
    ) -> Result<Vec<Node>, Failure> {
        let pointer = self.pointer(element)?;
        let file = match element.attribute("href").filter(|href| !href.value.is_empty()) {
            Some(href) => self.reach(href)?,
            None if pointer.is_none() => {
                self.no_href(element);
                return Err(Failure::Told);
            }
            // The text itself, once more.
            None => {
                self.included_bytes += self.files.text(element.tag.file).len();
                element.tag.file
            }
        };
        let prefix = self.resolveid(element, own)?;
        let link = (self.files.url(file).to_owned(), pointer.clone());
        self.check_chain(element, expansion, &link)?;
        let parsed = xml::parse(self.files.text(file), file);
        let root = parsed.map_err(|malformed| {
            self.error(malformed.code, malformed.span, malformed.message, malformed.hint);
            Failure::Told
        })?;
        let declarations = self.declarations(&root);
        self.namespaces.insert(file, declarations);
        let selected = self.select(element, root, pointer.as_deref(), markup)?;
        self.check_size(element, expansion, &selected, depth)?;
        if markup {
            return Ok(selected);
        }
        let (own, whole) = match &prefix {
            Some((prefix, whole)) => (Some(prefix.full.as_str()), *whole),
            None => (own, false),
        };
        expansion.chain.push(link);
        let mut nodes = self.expand_nodes(selected, expansion, own, depth, false);
        expansion.chain.pop();
        if let Some((prefix, _)) = &prefix {
            let before = if whole { &prefix.full } else { &prefix.written };
            prefix::resolve(&mut nodes, before, &mut expansion.room);
            if whole {
                nodes.iter_mut().for_each(settle);
            }
        }
        if depth > 1 && pointer.is_none() {
            let (scripts, others) = nodes.into_iter().partition(is_script);
            nodes = others;
            expansion.scripts.extend::<Vec<Node>>(scripts);
        }
        Ok(nodes)
    }

    /// The prefix of what is included, and whether it was written as a whole (`$$_MY_PREFIX_$$.Sub`).
    fn resolveid(&mut self, element: &Element, own: Option<&str>) -> Result<Option<(Prefix, bool)>, Failure> {
        let Some(attribute) = element.attribute("resolveid") else {
            return Ok(None);
        };
        let written = attribute.value.trim().to_owned();
        if written.is_empty() || written.starts_with('$') || written.contains(char::is_whitespace) {
            let message = format!("{} cannot stand before ids", quoted(&attribute.value));
            let hint = "it is not empty, has no white space, and does not begin with `$`".to_owned();
            self.error("invalid-value", attribute.span, message, Some(hint));
            return Err(Failure::Told);
        }
        let full = match own {
            Some(own) if !attribute.whole => format!("{own}.{written}"),
            _ => written.clone(),
        };
        if full.len() > MAX_PREFIX_BYTES {
            let message = format!("a prefix of ids may have {MAX_PREFIX_BYTES} bytes, with those of the texts around");
            self.error("invalid-value", attribute.span, message, None);
            return Err(Failure::Told);
        }
        Ok(Some((Prefix { full, written }, attribute.whole)))
    }

    /// The id that `xpointer` names: shorthand, or one of two ways to write it out (XPointer framework 3.2, `element()`).
    fn pointer(&mut self, element: &Element) -> Result<Option<String>, Failure> {
        let Some(attribute) = element.attribute("xpointer") else {
            return Ok(None);
        };
        let text = attribute.value.trim();
        let scheme = |scheme: &str| {
            text.strip_prefix(scheme)?
                .trim_start()
                .strip_prefix('(')?
                .strip_suffix(')')
        };
        let quoted_id = scheme("xpointer").and_then(|inside| {
            let argument = inside.trim().strip_prefix("id")?.trim_start();
            let argument = argument.strip_prefix('(')?.strip_suffix(')')?.trim();
            let unquoted = |quote| argument.strip_prefix(quote)?.strip_suffix(quote);
            unquoted('\'').or_else(|| unquoted('"'))
        });
        let id = quoted_id.or_else(|| scheme("element")).unwrap_or(text).trim();
        if id.is_empty() || id.contains(|c: char| c.is_whitespace() || "()/'\"".contains(c)) {
            let message = format!("{} is no pointer that is followed here", quoted(&attribute.value));
            let hint = "write the id of the element: xpointer=\"name\"".to_owned();
            self.error("invalid-value", attribute.span, message, Some(hint));
            return Err(Failure::Told);
        }
        Ok(Some(id.to_owned()))
    }

    fn check_chain(
        &mut self,
        element: &Element,
        expansion: &mut Expansion,
        link: &(String, Option<String>),
    ) -> Result<(), Failure> {
        let span = element.attribute("href").map_or(element.tag, |href| href.span);
        if expansion.chain.contains(link) {
            let urls: Vec<&str> = expansion.chain.iter().map(|(url, _)| url.as_str()).collect();
            let message = format!(
                "{} includes itself: {} -> {}",
                quoted(&link.0),
                urls.join(" -> "),
                link.0
            );
            self.error("include-cycle", span, message, None);
            return Err(Failure::Told);
        }
        if expansion.chain.len() > MAX_INCLUDE_DEPTH {
            let message = format!("included texts may include others {MAX_INCLUDE_DEPTH} deep");
            self.error("nested-too-deeply", span, message, None);
            // Ways to get here can be as many as there are paths.
            expansion.stopped = true;
            return Err(Failure::Told);
        }
        if self.included_bytes > MAX_TOTAL_BYTES {
            self.error("too-large", span, Full::Bytes.to_string(), None);
            expansion.stopped = true;
            return Err(Failure::Told);
        }
        Ok(())
    }

    /// What of an included document is meant.
    fn select(
        &mut self,
        element: &Element,
        root: Element,
        pointer: Option<&str>,
        markup: bool,
    ) -> Result<Vec<Node>, Failure> {
        let Some(pointer) = pointer else {
            let document = root.namespace == Namespace::Scxml && root.name == "scxml";
            return Ok(if document && !markup {
                root.children
            } else {
                vec![Node::Element(root)]
            });
        };
        let url = self.files.url(root.tag.file).to_owned();
        if holds_id(&root, pointer) {
            return Ok(find(root, pointer).map(Node::Element).into_iter().collect());
        }
        let mut ids = Vec::new();
        list_ids(&root, &mut ids);
        let near = self.suggest(Severity::Error, pointer, ids.iter().map(String::as_str));
        let hint = near.unwrap_or_else(|| match ids.as_slice() {
            [] => "no element there has an id".to_owned(),
            [only] => format!("there is {}", quoted(only)),
            ids => {
                let first: Vec<&str> = ids.iter().take(5).map(String::as_str).collect();
                format!("there are {}", list(&first).replace(" or ", " and "))
            }
        });
        let span = element
            .attribute("xpointer")
            .map_or(element.tag, |attribute| attribute.span);
        Err(Failure::Missing(Box::new(Finding {
            code: "unknown-pointer",
            span,
            message: format!("there is no element {} in {}", quoted(pointer), quoted(&url)),
            hint: Some(hint),
        })))
    }

    fn check_size(
        &mut self,
        element: &Element,
        expansion: &mut Expansion,
        nodes: &[Node],
        depth: usize,
    ) -> Result<(), Failure> {
        let elements = || {
            nodes.iter().filter_map(|node| match node {
                Node::Element(element) => Some(element),
                Node::Text(_) => None,
            })
        };
        expansion.elements += elements().map(count).sum::<usize>();
        let (code, message) = if expansion.elements > MAX_ELEMENTS {
            let message = format!("a document may have {MAX_ELEMENTS} elements, included ones counted each time");
            ("too-many-elements", message)
        } else if depth + elements().map(height).max().unwrap_or(0) > MAX_DEPTH {
            let message = format!("elements may nest {MAX_DEPTH} deep, included ones too");
            ("nested-too-deeply", message)
        } else {
            return Ok(());
        };
        self.error(code, element.tag, message, None);
        expansion.stopped = true;
        Err(Failure::Told)
    }
}

/// A prefix of ids.
struct Prefix {
    /// With those of the texts around.
    full: String,
    /// As `resolveid` says it.
    written: String,
}

fn is_text(element: &Element) -> bool {
    element.attribute("parse").is_some_and(|parse| parse.value == "text")
}

/// Markup in it is a value.
fn holds_markup(element: &Element) -> bool {
    let rule = vocabulary::rule(&element.name, crate::model::Dialect::Ors);
    element.namespace == Namespace::Scxml && rule.is_some_and(|rule| rule.body == Body::Anything)
}

fn is_script(node: &Node) -> bool {
    matches!(node, Node::Element(element) if element.namespace == Namespace::Scxml && element.name == "script")
}

/// Ids in it are whole: prefixes of the texts around do not count.
fn settle(node: &mut Node) {
    let Node::Element(element) = node else { return };
    for attribute in element.attributes.iter_mut().filter(|attribute| attribute.name == "id") {
        attribute.whole = true;
    }
    element.children.iter_mut().for_each(settle);
}

fn count(element: &Element) -> usize {
    1 + element.elements().map(count).sum::<usize>()
}

fn height(element: &Element) -> usize {
    1 + element.elements().map(height).max().unwrap_or(0)
}

fn has_id(element: &Element, id: &str) -> bool {
    let named = |attribute: &Attribute| attribute.name == "id" && attribute.value == id;
    element.attributes.iter().any(named)
}

fn list_ids(element: &Element, ids: &mut Vec<String>) {
    ids.extend(element.attribute("id").map(|id| id.value.clone()));
    element.elements().for_each(|child| list_ids(child, ids));
}

fn holds_id(element: &Element, id: &str) -> bool {
    has_id(element, id) || element.elements().any(|child| holds_id(child, id))
}

/// The first element with this id, in document order.
fn find(element: Element, id: &str) -> Option<Element> {
    if has_id(&element, id) {
        return Some(element);
    }
    element.children.into_iter().find_map(|node| match node {
        Node::Element(child) => find(child, id),
        Node::Text(_) => None,
    })
}
