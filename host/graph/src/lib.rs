//! Statechart drawings: a document to SVG.
//!
//! ```text
//! Document ─► chart: shapes (boxes in boxes) and arrows ─► route: which boxes an arrow passes, and where
//!                                                             │
//!          svg ◄── layout: each box by layers, from the innermost out ◄──┘
//! ```
//!
//! States are boxes, with what is done on entry and exit and the transitions that stay in the state as lines; compound and
//! parallel states contain theirs; other transitions are arrows with `event [condition] / action`. Transitions between
//! the same two states share an arrow. A title on each box and arrow has the whole text where the drawing cuts it.
//!
//! The layout is that of Sugiyama, Tagawa and Toda (1981), box by box: ranks, order within ranks, coordinates. An arrow
//! that leaves a box passes its edge at a port, which takes part in the layouts on both sides, so arrows run around
//! boxes at every level. Labels take part as well, so they do not cover each other.
//!
//! The same document gives the same bytes. Work is bounded: where a chart is so dense that arrows would need more
//! bends than [`layout`] allows, the longest run straight.

mod chart;
mod label;
mod layout;
mod route;
mod svg;

use pointsman_scxml::Document;

/// Draws a document: a complete SVG 1.1 document in UTF-8, its size in CSS pixels.
pub fn draw(document: &Document) -> String {
    let chart = chart::of(document);
    let routes = route::of(&chart);
    let drawing = layout::of(&chart, &routes);
    svg::write(&chart, &routes, &drawing)
}
