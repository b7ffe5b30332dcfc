//! Executable content (W3C SCXML 4).

use super::{Reader, tag};
use crate::model::{Attribute, Block, Dialect, Executable, If, Operation, Text, Value};
use crate::xml::{Element, Namespace};

/// Log levels of ORS: 1 reporting, 2 error, 3 warning, 4 debug.
const LOG_LEVELS: [(&str, u8); 5] = [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4)];

impl Reader<'_> {
    /// The executable content of an element.
    pub(super) fn block_of(&mut self, element: &Element) -> Block {
        let children = self.open(element);
        children.into_iter().map(|child| self.executable(child)).collect()
    }

    fn executable(&mut self, element: &Element) -> Executable {
        Executable {
            operation: self.operation(element),
            at: self.at(element),
        }
    }

    fn operation(&mut self, element: &Element) -> Operation {
        if let Namespace::Module(module) = &element.namespace {
            return Operation::Action(Box::new(self.action(element, module)));
        }
        match element.name.as_str() {
            "if" => Operation::If(self.conditional(element)),
            "foreach" => self.foreach(element),
            "send" => Operation::Send(Box::new(self.send(element))),
            "raise" => self.raise(element),
            "script" => Operation::Script(self.script(element)),
            _ => self.simple(element),
        }
    }

    /// Elements that contain no further executable content.
    fn simple(&mut self, element: &Element) -> Operation {
        self.open(element);
        match element.name.as_str() {
            // The draft of 2009 had it beside `raise`, without data.
            "event" => Operation::Raise {
                event: self.event_name(element, "name"),
                params: Vec::new(),
            },
            "log" => Operation::Log {
                label: element.attribute("label").map(|attribute| attribute.value.clone()),
                expr: self.optional(element, "expr"),
                level: self.choice(element, "level", &LOG_LEVELS),
            },
            "cancel" => Operation::Cancel(self.cancel(element)),
            _ => Operation::Assign {
                location: self.required(element, "location"),
                value: self.assigned(element),
            },
        }
    }

    fn raise(&mut self, element: &Element) -> Operation {
        let children = self.open(element);
        Operation::Raise {
            event: self.event_name(element, "event"),
            params: children.into_iter().map(|child| self.param(child)).collect(),
        }
    }

    fn event_name(&mut self, element: &Element, name: &str) -> String {
        let Some(attribute) = element.attribute(name) else {
            return String::new();
        };
        if attribute.value.trim().is_empty() {
            self.error("empty-attribute", attribute.name_span, "an event needs a name", None);
        }
        attribute.value.clone()
    }

    fn assigned(&mut self, element: &Element) -> Value {
        self.value(element).unwrap_or_else(|| {
            let hint = "write expr=\"...\"; the empty string is expr=\"''\"".to_owned();
            self.error(
                "missing-attribute",
                element.tag,
                "`<assign>` needs `expr` or a body",
                Some(hint),
            );
            Value::Expr(Text {
                text: String::new(),
                at: self.at(element),
            })
        })
    }

    fn cancel(&mut self, element: &Element) -> Attribute {
        let sendid = match self.dialect {
            Dialect::W3c => self.either(element, "sendid", "sendidexpr"),
            Dialect::Ors => self
                .first(element, &["sendid", "id", "sendidexpr"])
                .map(Attribute::Expr),
        };
        sendid.unwrap_or_else(|| {
            self.error(
                "missing-attribute",
                element.tag,
                "`<cancel>` needs `sendid` or `sendidexpr`",
                None,
            );
            Attribute::Literal(Text {
                text: String::new(),
                at: self.at(element),
            })
        })
    }

    fn foreach(&mut self, element: &Element) -> Operation {
        Operation::Foreach {
            array: self.required(element, "array"),
            item: self.required(element, "item"),
            index: self.optional(element, "index"),
            body: self.block_of(element),
        }
    }

    /// `if` (4.3): `elseif` and `else` are empty elements that end the branch before them.
    fn conditional(&mut self, element: &Element) -> If {
        let children = self.open(element);
        let mut branches = vec![(Some(self.required(element, "cond")), Block::new())];
        for child in children {
            let branch = child.namespace == Namespace::Scxml && matches!(child.name.as_str(), "elseif" | "else");
            if !branch {
                let executable = self.executable(child);
                branches
                    .last_mut()
                    .expect("the first branch is the `if` itself")
                    .1
                    .push(executable);
                continue;
            }
            self.open(child);
            if branches.last().is_some_and(|(cond, _)| cond.is_none()) {
                let message = format!("{} may not follow `<else>`", tag(child));
                self.error(
                    "misplaced-branch",
                    child.tag,
                    message,
                    Some("`<else>` is the last branch of an `<if>`".to_owned()),
                );
            }
            let cond = (child.name == "elseif").then(|| self.required(child, "cond"));
            branches.push((cond, Block::new()));
        }
        If { branches }
    }
}
