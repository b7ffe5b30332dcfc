//! Which boxes an arrow passes.
//!
//! An arrow has one hop in the innermost box that contains both of its ends, and one in each box between that and an end.
//! A hop leads from top to bottom in its box, or is flipped; so the layout of a box sees a graph without cycles whose
//! arrows all go down.

use crate::chart::{Chart, Kind};

/// Hops of all arrows together; arrows beyond run straight.
const MAX_HOPS: usize = 100_000;

/// What a hop connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A shape in the box.
    Child(usize),
    /// The upper edge of the box itself.
    Top,
    /// The lower edge.
    Bottom,
}

/// The part of an arrow in one box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    /// The box.
    pub within: usize,
    pub upper: End,
    pub lower: End,
    /// The arrow runs from the lower to the upper end.
    pub flipped: bool,
    /// The label stands here.
    pub labelled: bool,
}

/// For each arrow its hops from source to target; none: it runs straight.
pub(crate) fn of(chart: &Chart) -> Vec<Vec<Hop>> {
    let mut depths = vec![0usize; chart.shapes.len()];
    for (number, shape) in chart.shapes.iter().enumerate() {
        depths[number] = shape.parent.map_or(0, |parent| depths[parent] + 1);
    }
    let spans: Vec<Span> = chart
        .arrows
        .iter()
        .map(|arrow| span(chart, &depths, arrow.source, arrow.target))
        .collect();
    let flipped = flipped(chart, &spans);
    let mut left = MAX_HOPS;
    spans
        .iter()
        .zip(flipped)
        .map(|(span, flipped)| {
            let count = span.out.len() + 1 + span.into.len();
            if count > left {
                return Vec::new();
            }
            left -= count;
            hops(chart, span, flipped)
        })
        .collect()
}

/// The way of an arrow through the tree of shapes.
struct Span {
    /// The innermost box that contains both ends, or is one and contains the other.
    within: usize,
    /// What the arrow leaves on its way out, from the source on; the last is a child of `within`. Empty: the source is `within`.
    out: Vec<usize>,
    /// The same for the target.
    into: Vec<usize>,
}

fn span(chart: &Chart, depths: &[usize], source: usize, target: usize) -> Span {
    let (mut a, mut b) = (source, target);
    let (mut out, mut into) = (Vec::new(), Vec::new());
    let up = |shape: usize| {
        chart.shapes[shape]
            .parent
            .expect("only the root has no parent, and it contains all")
    };
    while a != b {
        if depths[a] >= depths[b] {
            out.push(a);
            a = up(a);
        } else {
            into.push(b);
            b = up(b);
        }
    }
    Span { within: a, out, into }
}

fn hops(chart: &Chart, span: &Span, flipped: bool) -> Vec<Hop> {
    let mut hops = Vec::with_capacity(span.out.len() + 1 + span.into.len());
    for &child in span.out.iter().take(span.out.len().saturating_sub(1)) {
        hops.push(passing(chart, child, flipped, flipped));
    }
    let a = span.out.last().map_or(End::Top, |&shape| End::Child(shape));
    let b = span.into.last().map_or(End::Bottom, |&shape| End::Child(shape));
    let (upper, lower) = if flipped { (b, a) } else { (a, b) };
    hops.push(Hop {
        within: span.within,
        upper,
        lower,
        flipped,
        labelled: true,
    });
    for &child in span.into.iter().rev().skip(1) {
        hops.push(passing(chart, child, !flipped, flipped));
    }
    hops
}

/// Between a shape and the edge of the box that it is in.
fn passing(chart: &Chart, child: usize, at_top: bool, flipped: bool) -> Hop {
    let within = chart.shapes[child].parent.expect("what an arrow passes has a parent");
    let (upper, lower) = if at_top {
        (End::Top, End::Child(child))
    } else {
        (End::Child(child), End::Bottom)
    };
    Hop {
        within,
        upper,
        lower,
        flipped,
        labelled: false,
    }
}

/// Which arrows go up in the box that contains both ends: without them there is no cycle.
fn flipped(chart: &Chart, spans: &[Span]) -> Vec<bool> {
    let count = chart.shapes.len();
    // By shape: arrows to its siblings.
    let mut next: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
    for (arrow, span) in spans.iter().enumerate() {
        if let (Some(&from), Some(&to)) = (span.out.last(), span.into.last()) {
            next[from].push((to, arrow));
        }
    }
    let mut flipped = vec![false; spans.len()];
    let (mut seen, mut open) = (vec![false; count], vec![false; count]);
    // The dots come first among their siblings, so a search begins where the session does; finals have nothing to begin.
    for begin in 0..count {
        if seen[begin] || chart.shapes[begin].kind == Kind::Root {
            continue;
        }
        let mut stack = vec![(begin, 0)];
        (seen[begin], open[begin]) = (true, true);
        while let Some((shape, place)) = stack.last_mut() {
            let Some(&(to, arrow)) = next[*shape].get(*place) else {
                open[*shape] = false;
                stack.pop();
                continue;
            };
            *place += 1;
            if open[to] {
                flipped[arrow] = true;
            } else if !seen[to] {
                (seen[to], open[to]) = (true, true);
                stack.push((to, 0));
            }
        }
    }
    flipped
}
