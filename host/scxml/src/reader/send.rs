//! `send` (W3C SCXML 6.2).

use super::Reader;
use crate::diagnostic::quoted;
use crate::model::{Attribute, Send, Text};
use crate::xml::Element;

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

    fn namelist(&self, element: &Element) -> Vec<Text> {
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
            .filter(|delay| !is_duration(delay.value.trim()))
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

/// A CSS2 time (W3C SCXML 6.2.1): a number and `s` or `ms`.
fn is_duration(text: &str) -> bool {
    let Some(unit) = ["ms", "s"].iter().find(|unit| text.ends_with(**unit)) else {
        return false;
    };
    let number = &text[..text.len() - unit.len()];
    let mut parts = number.splitn(2, '.');
    let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next());
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && fraction.is_none_or(|part| !part.is_empty() && digits(part))
        && !(whole.is_empty() && fraction.is_none())
}

#[cfg(test)]
mod tests {
    use super::is_duration;

    #[test]
    fn delays_are_numbers_with_a_unit() {
        for good in ["1s", "0ms", "1.5s", ".5s"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "s", "1", "1.s", "1 s", "'1s'", "-1s", ".", "1.2.3s", "2h", "five"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}
