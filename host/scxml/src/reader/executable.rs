//! Executable content (W3C SCXML 4) and the actions of functional modules (ORS).

use super::{Reader, tag};
use crate::diagnostic::quoted;
use crate::model::{Action, Attribute, Block, Datamodel, Executable, If, Operation, Text, Value};
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
            "script" => Operation::Script(self.script(element)),
            _ => self.simple(element),
        }
    }

    /// Elements that contain no further executable content.
    fn simple(&mut self, element: &Element) -> Operation {
        self.open(element);
        match element.name.as_str() {
            "raise" => Operation::Raise(self.event_name(element)),
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

    fn event_name(&mut self, element: &Element) -> String {
        let Some(attribute) = element.attribute("event") else {
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
        self.either(element, "sendid", "sendidexpr").unwrap_or_else(|| {
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

    fn action(&mut self, element: &Element, module: &str) -> Action {
        self.check_null_action(element);
        let own = element.attributes.iter().filter(|attribute| !attribute.foreign);
        let (requestid, others): (Vec<_>, Vec<_>) = own.partition(|attribute| attribute.name == "requestid");
        let mut params = Vec::new();
        for child in element.elements() {
            let known = matches!(child.namespace, Namespace::Scxml | Namespace::Module(_)) && child.name == "param";
            if known {
                params.push(self.module_param(child));
            } else {
                let message = format!("{} may not stand in the action {}", tag(child), tag(element));
                let hint = "in an action may stand `<param>`".to_owned();
                self.error("misplaced-element", child.tag, message, Some(hint));
            }
        }
        let text = element.characters().0;
        if !text.trim().is_empty() {
            let message = format!(
                "text may not stand in the action {}: {}",
                tag(element),
                quoted(text.trim())
            );
            self.error("unexpected-text", element.tag, message, None);
        }
        Action {
            module: module.to_owned(),
            action: element.name.clone(),
            requestid: requestid.first().map(|attribute| self.text(attribute)),
            attributes: others
                .into_iter()
                .map(|attribute| (attribute.name.clone(), self.text(attribute)))
                .collect(),
            params,
        }
    }

    fn check_null_action(&mut self, element: &Element) {
        if self.datamodel == Datamodel::Null {
            self.check_null(element);
        }
    }

    fn module_param(&mut self, element: &Element) -> crate::model::Param {
        if element.namespace != Namespace::Scxml && element.attribute("name").is_none() {
            self.error(
                "missing-attribute",
                element.tag,
                "`<param>` needs the attribute `name`",
                None,
            );
        }
        self.param(element)
    }
}
