//! `invoke` and `finalize` (W3C SCXML 6.4, 6.5).

use super::Reader;
use crate::model::{Attribute, Invoke};
use crate::xml::Element;

impl Reader<'_> {
    pub(super) fn invoke(&mut self, element: &Element) -> Invoke {
        let children = self.open(element);
        self.exclusive(element, &["id", "idlocation"]);
        let content = self.only(&children, "content").map(|child| self.content(child));
        let params = children.iter().filter(|child| child.name == "param");
        let params = params.map(|child| self.param(child)).collect();
        let finalize = self.only(&children, "finalize").map(|child| self.block_of(child));
        let src = self.either(element, "src", "srcexpr");
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
            (Some(Attribute::Literal(_)), Some(attribute)) if is_file(&attribute.value) => {
                let file = self.file(attribute);
                (None, file.map(|file| self.file_value(file)).or(content))
            }
            (src, _) => (src, content),
        };
        Invoke {
            processor: self.either(element, "type", "typeexpr"),
            src,
            id: element.attribute("id").map(|attribute| attribute.value.clone()),
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
