//! The tables of texts and of their uses: equal texts of one kind are compiled once, and each use keeps its place.

use pointsman_chart::{ExprId, Expression, ExpressionKind, Position, Source};
use pointsman_scxml::model;
use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Expressions {
    uses: Vec<Expression>,
    sources: Vec<Source>,
    known: HashMap<(u8, String), u16>,
}

pub(crate) fn position(at: model::Position) -> Position {
    Position {
        file: at.file,
        line: at.line,
        column: at.column,
    }
}

impl Expressions {
    /// Number of a use of a text.
    pub fn add(&mut self, kind: ExpressionKind, text: &model::Text) -> ExprId {
        // W3C's own documents end an expression with `;` (test 452): that is no part of an expression.
        let code = match kind {
            ExpressionKind::Script | ExpressionKind::Program => text.text.as_str(),
            _ => text.text.trim().trim_end_matches(';').trim_end(),
        };
        let key = (kind as u8, code.to_owned());
        let sources = &mut self.sources;
        let source = *self.known.entry(key).or_insert_with(|| {
            sources.push(Source {
                text: code.to_owned(),
                kind,
            });
            (sources.len() - 1).min(usize::from(u16::MAX)) as u16
        });
        // Beyond the end of the numbers the table is refused as a whole, later.
        let id = self.uses.len().min(usize::from(ExprId::MAX)) as ExprId;
        self.uses.push(Expression {
            source,
            at: position(text.at),
        });
        id
    }

    pub fn value(&mut self, text: &model::Text) -> ExprId {
        self.add(ExpressionKind::Value, text)
    }

    pub fn into_tables(self) -> (Vec<Source>, Vec<Expression>) {
        (self.sources, self.uses)
    }
}
