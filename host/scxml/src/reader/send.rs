//! `send` (W3C SCXML 6.2).

use super::Reader;
use crate::diagnostic::quoted;
use crate::model::{Attribute, Send, Text};
use crate::xml::Element;
use pointsman_chart::duration_ms;

impl Reader<'_> {
    pub(super) fn send(&mut self, element: &Element) -> Send {
        let children = self.open(element);
        self.exclusive(element, &["id", "idlocation"]);
        let (content, params) = self.payload(element, &children);
        let send = Send {
            event: self.either(element, "event", "eventexpr"),
            target: self.either(element, "target", "targetexpr"),
            processor: self.either(element, "type", "typeexpr"),
            id: element.attribute("id").map(|attribute| attribute.value.clone()),
            idlocation: self.optional(element, "idlocation"),
            delay: self.either(element, "delay", "delayexpr"),
            namelist: self.namelist(element),
            params,
            content,
        };
        self.check_send(element, &send);
        send
    }

    pub(super) fn namelist(&self, element: &Element) -> Vec<Text> {
        let words = element
            .attribute("namelist")
            .into_iter()
            .flat_map(|attribute| attribute.words());
        words
            .map(|(word, span)| Text {
                text: word.to_owned(),
                at: self.files.position(span),
            })
            .collect()
    }

    fn check_send(&mut self, element: &Element, send: &Send) {
        let empty =
            send.event.is_none() && send.content.is_none() && send.params.is_empty() && send.namelist.is_empty();
        if empty {
            let message = "`<send>` sends nothing: it has no event, content, param or namelist";
            self.error(
                "missing-attribute",
                element.tag,
                message,
                Some("write event=\"name\"".to_owned()),
            );
        }
        if let Some(event) = element.attribute("event").filter(|event| event.value.trim().is_empty()) {
            self.error("empty-attribute", event.name_span, "an event needs a name", None);
        }
        if let (Some(namelist), Some(_)) = (element.attribute("namelist"), &send.content) {
            let message = "`namelist` and `<content>` exclude each other on `<send>`";
            self.error(
                "conflicting-content",
                namelist.name_span,
                message,
                Some("remove one of them".to_owned()),
            );
        }
        let internal = matches!(&send.target, Some(Attribute::Literal(target)) if target.text == "#_internal");
        let delay = element.attribute("delay").or_else(|| element.attribute("delayexpr"));
        if let (true, Some(delay)) = (internal, delay) {
            let message = format!("`{}` may not stand with the target `#_internal`", delay.name);
            let hint =
                "internal events are raised at once; without a target the event comes back to this session".to_owned();
            self.error("delayed-internal-event", delay.name_span, message, Some(hint));
        }
        if let Some(delay) = element
            .attribute("delay")
            .filter(|delay| duration_ms(&delay.value).is_none())
        {
            let message = format!(
                "{} is not a delay: error.execution is raised when it is reached",
                quoted(&delay.value)
            );
            let hint =
                "write a number and a unit, such as `1.5s` or `200ms`; an expression stands in `delayexpr`".to_owned();
            self.warning("malformed-delay", delay.span, message, Some(hint));
        }
    }
}
