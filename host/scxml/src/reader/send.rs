//! `send` (W3C SCXML 6.2).

use super::action::unquoted;
use super::{Reader, tag};
use crate::diagnostic::quoted;
use crate::expression::string_literal;
use crate::model::{Attribute, Dialect, Send, Text};
use crate::xml::Element;
use pointsman_chart::duration_ms;

impl Reader<'_> {
    pub(super) fn send(&mut self, element: &Element) -> Send {
        let children = self.open(element);
        self.exclusive(element, &["id", "sendid", "idlocation"]);
        let (content, params) = self.payload(element, &children);
        let processor = match self.dialect {
            Dialect::W3c => self.either(element, "type", "typeexpr"),
            Dialect::Ors => {
                let names = ["type", "targettype", "typeexpr", "targettypeexpr"];
                self.first(element, &names).map(Attribute::Expr)
            }
        };
        let ors = |name: &str| self.optional(element, name).filter(|_| self.dialect == Dialect::Ors);
        let (timeout, hints) = (ors("timeout"), ors("hints"));
        if self.dialect == Dialect::Ors {
            self.without_effect(element);
        }
        let id = match self.dialect {
            Dialect::W3c => element.attribute("id").map(|id| id.value.clone()),
            // An expression to `cancel`, which names the same event: authors put it in quotes in both.
            Dialect::Ors => {
                let id = element.attribute("id").or_else(|| element.attribute("sendid"));
                id.map(|id| unquoted(&id.value).to_owned())
            }
        };
        let send = Send {
            event: self.valued(element, "event", "eventexpr"),
            target: self.valued(element, "target", "targetexpr"),
            processor,
            id,
            idlocation: self.optional(element, "idlocation"),
            delay: self.valued(element, "delay", "delayexpr"),
            timeout,
            hints,
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

    /// Attributes of ORS that change nothing here.
    fn without_effect(&mut self, element: &Element) {
        for (name, hint) in [
            (
                "timeout",
                "to give up waiting for an answer, send a delayed event and cancel it when the answer comes",
            ),
            ("hints", "what the receiver is to know goes into `<param>`"),
        ] {
            if let Some(attribute) = element.attribute(name) {
                let message = format!("`{name}` of {} has no effect in this version", tag(element));
                self.warning("ignored-attribute", attribute.name_span, message, Some(hint.to_owned()));
            }
        }
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
                Some(match self.dialect {
                    Dialect::W3c => "write event=\"name\"".to_owned(),
                    Dialect::Ors => "write event=\"'name'\"".to_owned(),
                }),
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
        self.check_delay(element);
    }

    fn check_delay(&mut self, element: &Element) {
        let Some(delay) = element.attribute("delay") else {
            return;
        };
        let literal = match self.dialect {
            Dialect::W3c => Some(delay.value.as_str()),
            Dialect::Ors => string_literal(&delay.value),
        };
        let Some(literal) = literal.filter(|text| duration_ms(text).is_none()) else {
            return;
        };
        let message = format!(
            "{} is not a delay: error.execution is raised when it is reached",
            quoted(literal)
        );
        let hint = match self.dialect {
            Dialect::W3c => "write a number and a unit, such as `1.5s` or `200ms`; an expression stands in `delayexpr`",
            Dialect::Ors => "write a number and a unit in quotes, such as `'1.5s'` or `'200ms'`",
        };
        self.warning("malformed-delay", delay.span, message, Some(hint.to_owned()));
    }
}
