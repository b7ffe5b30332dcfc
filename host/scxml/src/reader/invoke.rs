//! `invoke` and `finalize` (W3C SCXML 6.4, 6.5).

use super::Reader;
use super::action::unquoted;
use crate::model::{Attribute, Dialect, Invoke};
use crate::xml::Element;

impl Reader<'_> {
    pub(super) fn invoke(&mut self, element: &Element) -> Invoke {
        let children = self.open(element);
        self.exclusive(element, &["id", "invokeid", "idlocation"]);
        let content = self.only(&children, "content").map(|child| self.content(child));
        let params = children.iter().filter(|child| child.name == "param");
        let params = params.map(|child| self.param(child)).collect();
        let finalize = self.only(&children, "finalize").map(|child| self.block_of(child));
        let ors = self.dialect == Dialect::Ors;
        let mut src = self.either(element, "src", "srcexpr");
        let processor = if ors {
            let typeexpr = self.optional(element, "typeexpr");
            let literal = self.first(element, &["type", "targettype"]);
            literal.map(Attribute::Literal).or(typeexpr.map(Attribute::Expr))
        } else {
            self.either(element, "type", "typeexpr")
        };
        // Literals here, but beside so many expressions they are often put in quotes.
        let mut processor = processor;
        for literal in [&mut src, &mut processor].into_iter().flatten() {
            if let (true, Attribute::Literal(text)) = (ors, literal) {
                text.text = unquoted(&text.text).to_owned();
            }
        }
        let id = element.attribute("id");
        let id = id.or_else(|| element.attribute("invokeid").filter(|_| ors));
        if let (Some(_), Some(_)) = (&src, &content) {
            let message = "`<invoke>` has both `src` and `<content>`";
            self.error(
                "conflicting-content",
                element.tag,
                message,
                Some("remove one of them".to_owned()),
            );
        }
        let (src, content) = match (src, element.attribute("src")) {
            (Some(Attribute::Literal(text)), Some(attribute)) if is_file(&text.text) => {
                let file = self.file_at(&text.text, attribute.span);
                (None, file.map(|file| self.file_value(file)).or(content))
            }
            (src, _) => (src, content),
        };
        Invoke {
            processor,
            src,
            id: id.map(|attribute| attribute.value.clone()),
            idlocation: self.optional(element, "idlocation"),
            namelist: self.namelist(element),
            params,
            content,
            autoforward: self.choice(element, "autoforward", &[("false", false), ("true", true)]),
            finalize,
            at: self.at(element),
        }
    }
}

/// A path or `file:`: what the document's resolver reads. Others (`strategy:`, `http:`) are the host's, at run time.
fn is_file(src: &str) -> bool {
    let scheme = src.split(['/', '\\']).next().and_then(|first| first.split_once(':'));
    scheme.is_none_or(|(scheme, _)| scheme == "file")
}
