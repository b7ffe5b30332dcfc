//! Executable content.

use super::Flattener;
use crate::expressions::position;
use pointsman_chart::{
    Assignment, Attribute, Content, Element, ExpressionKind, Instruction, Invoke, Named, Op, Param, Request, Send,
};
use pointsman_scxml::model::{self, Operation};

impl Flattener<'_> {
    pub(super) fn instruction(&mut self, e: &model::Executable) -> Instruction {
        let op = match &e.operation {
            Operation::Raise { event, params } => Op::Raise {
                event: event.clone(),
                params: self.params(params),
            },
            Operation::If(i) => Op::If(
                i.branches
                    .iter()
                    .map(|(cond, block)| (cond.as_ref().map(|c| self.condition(c)), self.block(block)))
                    .collect(),
            ),
            Operation::Foreach {
                array,
                item,
                index,
                body,
            } => Op::Foreach {
                array: self.expressions.value(array),
                item: self.expressions.add(ExpressionKind::Item, item),
                index: index.as_ref().map(|i| self.expressions.add(ExpressionKind::Item, i)),
                body: self.block(body),
            },
            Operation::Log { label, expr, level } => Op::Log {
                label: label.clone(),
                expr: expr.as_ref().map(|e| self.expressions.value(e)),
                level: *level,
            },
            Operation::Assign { location, value } => {
                let location = self.expressions.add(ExpressionKind::Location, location);
                Op::Assign(Assignment {
                    location,
                    value: self.value(value),
                })
            }
            Operation::Script(text) => Op::Script(self.expressions.add(ExpressionKind::Script, text)),
            Operation::Send(s) => Op::Send(Box::new(self.send(s))),
            Operation::Cancel(id) => Op::Cancel(self.attribute(id)),
            Operation::Action(a) => Op::Request(Box::new(Request {
                module: a.module.clone(),
                action: a.action.clone(),
                requestid: a
                    .requestid
                    .as_ref()
                    .map(|l| self.expressions.add(ExpressionKind::Location, l)),
                body: Element {
                    name: String::new(),
                    attributes: self.named(&a.attributes),
                    params: self.params(&a.params),
                    content: a.content.as_ref().map(|c| self.value(c)),
                    children: self.elements(&a.children),
                },
            })),
        };
        Instruction { op, at: position(e.at) }
    }

    fn named(&mut self, attributes: &[(String, model::Attribute)]) -> Vec<Named> {
        let named = attributes.iter().map(|(name, value)| Named {
            name: name.clone(),
            value: self.attribute(value),
        });
        named.collect()
    }

    /// The reader bounds how deep they nest.
    fn elements(&mut self, elements: &[model::ActionElement]) -> Vec<Element> {
        let made = elements.iter().map(|e| Element {
            name: e.name.clone(),
            attributes: self.named(&e.attributes),
            params: self.params(&e.params),
            content: e.content.as_ref().map(|c| self.value(c)),
            children: self.elements(&e.children),
        });
        made.collect()
    }

    fn send(&mut self, s: &model::Send) -> Send {
        Send {
            event: s.event.as_ref().map(|a| self.attribute(a)),
            target: s.target.as_ref().map(|a| self.attribute(a)),
            processor: s.processor.as_ref().map(|a| self.attribute(a)),
            id: s.id.clone(),
            idlocation: s
                .idlocation
                .as_ref()
                .map(|l| self.expressions.add(ExpressionKind::Location, l)),
            delay: s.delay.as_ref().map(|a| self.attribute(a)),
            namelist: self.namelist(&s.namelist),
            params: self.params(&s.params),
            content: s.content.as_ref().map(|c| self.value(c)),
        }
    }

    fn namelist(&mut self, names: &[model::Text]) -> Vec<Param> {
        let names = names.iter().map(|n| Param {
            name: n.text.clone(),
            expr: self.expressions.value(n),
        });
        names.collect()
    }

    pub(super) fn invoke(&mut self, i: &model::Invoke) -> Invoke {
        let mut returns = Vec::new();
        if i.finalize.as_ref().is_some_and(Vec::is_empty) {
            let named = i.namelist.iter().map(|n| (&n.text, n));
            let params = i.params.iter().filter(|p| p.location).map(|p| (&p.name, &p.expr));
            for (name, location) in named.chain(params) {
                returns.push((name.clone(), self.expressions.add(ExpressionKind::Location, location)));
            }
        }
        Invoke {
            processor: i.processor.as_ref().map(|a| self.attribute(a)),
            src: i.src.as_ref().map(|a| self.attribute(a)),
            id: i.id.clone(),
            idlocation: i
                .idlocation
                .as_ref()
                .map(|l| self.expressions.add(ExpressionKind::Location, l)),
            namelist: self.namelist(&i.namelist),
            params: self.params(&i.params),
            // A document in a file is one, whatever it looks like.
            content: i.content.as_ref().map(|c| match c {
                model::Value::Text(text) => Content::Text(text.text.clone()),
                other => self.value(other),
            }),
            autoforward: i.autoforward,
            finalize: i.finalize.as_ref().filter(|f| !f.is_empty()).map(|f| self.block(f)),
            returns,
            at: position(i.at),
        }
    }

    fn attribute(&mut self, a: &model::Attribute) -> Attribute {
        match a {
            model::Attribute::Literal(text) => Attribute::Literal(text.text.clone()),
            model::Attribute::Expr(text) => Attribute::Expr(self.expressions.value(text)),
        }
    }

    pub(super) fn params(&mut self, params: &[model::Param]) -> Vec<Param> {
        params
            .iter()
            .map(|p| Param {
                name: p.name.clone(),
                expr: self.expressions.value(&p.expr),
            })
            .collect()
    }

    /// W3C SCXML B.2.1: JSON where the text is JSON, XML a DOM object, else the text with white space
    /// normalised.
    pub(super) fn value(&mut self, v: &model::Value) -> Content {
        match v {
            model::Value::Expr(text) => Content::Expr(self.expressions.value(text)),
            model::Value::Xml(text) => Content::Xml(text.text.clone()),
            model::Value::Text(text) if text.text.trim().is_empty() => Content::None,
            model::Value::Text(text) => match serde_json::from_str::<serde::de::IgnoredAny>(&text.text) {
                Ok(_) => Content::Json(text.text.clone()),
                Err(_) => Content::Text(text.text.split_whitespace().collect::<Vec<_>>().join(" ")),
            },
        }
    }
}
