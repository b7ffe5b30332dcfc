//! The table of expressions: equal texts of one kind are compiled once.

use pointsman_chart::{ExprId, Expression, ExpressionKind, Position};
use pointsman_scxml::model;
use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Expressions {
    list: Vec<Expression>,
    known: HashMap<(u8, String), ExprId>,
}

pub(crate) fn position(at: model::Position) -> Position {
    Position {
        file: at.file,
        line: at.line,
        column: at.column,
    }
}

impl Expressions {
    /// Number of an expression. Errors name the place of the first of several equal ones.
    pub fn add(&mut self, kind: ExpressionKind, text: &model::Text) -> ExprId {
        // W3C's own documents end an expression with `;` (test 452): that is no part of an expression.
        let code = match kind {
            ExpressionKind::Script => text.text.as_str(),
            _ => text.text.trim().trim_end_matches(';').trim_end(),
        };
        let key = (kind as u8, code.to_owned());
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let id = self.list.len().min(usize::from(ExprId::MAX)) as ExprId;
        self.list.push(Expression {
            text: code.to_owned(),
            kind,
            at: position(text.at),
        });
        self.known.insert(key, id);
        id
    }

    pub fn value(&mut self, text: &model::Text) -> ExprId {
        self.add(ExpressionKind::Value, text)
    }

    pub fn into_list(self) -> Vec<Expression> {
        self.list
    }
}
