//! Where everything goes: each box by layers, from the innermost out.

mod order;
mod place;
mod rank;

use std::collections::BTreeMap;

use crate::chart::{Chart, Kind, Shape};
use crate::label;
use crate::route::{End, Hop};

/// Size of the text of titles and boxes.
pub(crate) const TEXT: f64 = 12.0;
/// Size of the text of arrows.
pub(crate) const ARROW_TEXT: f64 = 11.0;
/// From one line of text to the next.
pub(crate) const LINE: f64 = 15.0;
/// From the line of an arrow to its text.
pub(crate) const ARROW_TEXT_GAP: f64 = 6.0;
/// Between the edge of a box and what is in it.
const PAD: f64 = 12.0;
/// Between two ranks.
const RANK_GAP: f64 = 30.0;
/// Radius of the dot that arrows to initial states come from.
pub(crate) const DOT: f64 = 6.0;
/// Radius of a history.
pub(crate) const HISTORY: f64 = 12.0;
/// Bends of the arrows in one box; of what is beyond, the longest run straight.
const MAX_BENDS: usize = 150_000;
/// Ranks that every arrow may bend in, where there are too many bends.
const SHORT: usize = 4;

/// A point, in pixels.
pub(crate) type Point = (f64, f64);

/// A place for everything.
pub(crate) struct Drawing {
    /// Left, top, width and height of each shape.
    pub boxes: Vec<[f64; 4]>,
    /// For each arrow the points that it passes; two neighbours with different x are joined by a curve.
    pub lines: Vec<Vec<Point>>,
    /// For each arrow the upper end of the line beside which its label stands.
    pub labels: Vec<Option<Point>>,
}

/// What stands in a rank of a box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vertex {
    pub kind: VertexKind,
    pub rank: usize,
    pub width: f64,
    pub height: f64,
    /// Where an arrow passes it, from its left.
    pub anchor: f64,
    pub x: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VertexKind {
    Shape(usize),
    /// An arrow passes.
    Bend,
    /// An arrow passes, and its label stands beside it.
    Label,
}

impl Vertex {
    fn bend() -> Self {
        Vertex {
            kind: VertexKind::Bend,
            rank: 0,
            width: 2.0,
            height: 0.0,
            anchor: 1.0,
            x: 0.0,
        }
    }

    /// An arrow goes through it.
    pub fn passes(&self) -> bool {
        !matches!(self.kind, VertexKind::Shape(_))
    }
}

/// Two vertices of neighbouring ranks that an arrow joins, and where it meets each, from their left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub upper: usize,
    pub lower: usize,
    pub upper_offset: f64,
    pub lower_offset: f64,
}

/// What is known of a box when its inside is done.
struct Inside {
    /// Of each child.
    children: Vec<(usize, Point)>,
    /// Of each hop in it: points from its upper to its lower end, and where its label stands.
    hops: Vec<(usize, Vec<Point>, Option<Point>)>,
}

pub(crate) fn of(chart: &Chart, routes: &[Vec<Hop>]) -> Drawing {
    let mut hops_of: Vec<Vec<(usize, Hop)>> = vec![Vec::new(); chart.shapes.len()];
    for (arrow, hops) in routes.iter().enumerate() {
        for hop in hops {
            hops_of[hop.within].push((arrow, *hop));
        }
    }
    let mut layouter = Layouter {
        chart,
        sizes: vec![(0.0, 0.0); chart.shapes.len()],
        ports: BTreeMap::new(),
    };
    let mut insides: Vec<Option<Inside>> = chart.shapes.iter().map(|_| None).collect();
    // What is inside stands after what it is in.
    for number in (0..chart.shapes.len()).rev() {
        if chart.shapes[number].children.is_empty() {
            layouter.sizes[number] = leaf(&chart.shapes[number]);
        } else {
            insides[number] = Some(layouter.inside(number, &hops_of[number]));
        }
    }
    assemble(chart, routes, &layouter.sizes, &insides)
}

/// Moves everything to its place in the whole, and joins the hops of each arrow.
fn assemble(chart: &Chart, routes: &[Vec<Hop>], sizes: &[Point], insides: &[Option<Inside>]) -> Drawing {
    let mut boxes: Vec<[f64; 4]> = sizes.iter().map(|&(width, height)| [0.0, 0.0, width, height]).collect();
    let mut pieces: BTreeMap<(usize, usize), (Vec<Point>, Option<Point>)> = BTreeMap::new();
    for (number, inside) in insides.iter().enumerate() {
        let Some(inside) = inside else { continue };
        let [left, top, ..] = boxes[number];
        for &(child, (x, y)) in &inside.children {
            boxes[child][0] = left + x;
            boxes[child][1] = top + y;
        }
        for (arrow, points, label) in &inside.hops {
            let moved = |&(x, y): &Point| (left + x, top + y);
            pieces.insert(
                (*arrow, number),
                (points.iter().map(moved).collect(), label.as_ref().map(moved)),
            );
        }
    }
    let mut lines = Vec::with_capacity(routes.len());
    let mut labels = Vec::with_capacity(routes.len());
    for (arrow, hops) in routes.iter().enumerate() {
        let (mut line, mut label) = (Vec::new(), None);
        for hop in hops {
            let Some((mut points, place)) = pieces.remove(&(arrow, hop.within)) else {
                continue;
            };
            if hop.flipped {
                points.reverse();
            }
            line.extend(points);
            label = label.or(place);
        }
        if hops.is_empty() {
            line = straight(&boxes, chart.arrows[arrow].source, chart.arrows[arrow].target);
        }
        line.dedup();
        lines.push(line);
        labels.push(label);
    }
    Drawing { boxes, lines, labels }
}

fn straight(boxes: &[[f64; 4]], source: usize, target: usize) -> Vec<Point> {
    let ([a, top, width, height], [b, other_top, other_width, other_height]) = (boxes[source], boxes[target]);
    let (x, other_x) = (a + width / 2.0, b + other_width / 2.0);
    if top <= other_top {
        vec![(x, top + height), (other_x, other_top)]
    } else {
        vec![(x, top), (other_x, other_top + other_height)]
    }
}

/// Room for title and lines: width and height.
pub(crate) fn header(shape: &Shape) -> Point {
    let title = label::width(&shape.title, TEXT) * 1.1;
    let widths = shape.lines.iter().map(|line| label::width(line, ARROW_TEXT));
    let rows = usize::from(!shape.title.is_empty()) + shape.lines.len();
    (widths.fold(title, f64::max), rows as f64 * LINE)
}

/// The size of a shape with nothing in it.
fn leaf(shape: &Shape) -> Point {
    match shape.kind {
        Kind::Initial => (2.0 * DOT, 2.0 * DOT),
        Kind::History { .. } => (2.0 * HISTORY, 2.0 * HISTORY),
        _ => {
            let (width, height) = header(shape);
            ((width + 2.0 * PAD).max(64.0), height.max(LINE) + 2.0 * PAD - 4.0)
        }
    }
}

struct Layouter<'c> {
    chart: &'c Chart,
    sizes: Vec<Point>,
    /// Where an arrow passes the edge of a box, from its left.
    ports: BTreeMap<(usize, usize), f64>,
}

impl Layouter<'_> {
    /// Lays out what is in a box, whose children are done, and learns its size.
    fn inside(&mut self, number: usize, hops: &[(usize, Hop)]) -> Inside {
        let mut graph = self.graph(number, hops);
        let layers = order::layers(&graph.vertices, &graph.links);
        place::horizontally(&mut graph.vertices, &graph.links, &graph.paths, &layers);
        let bands = bands(&graph.vertices, &layers);

        let shape = &self.chart.shapes[number];
        let root = shape.kind == Kind::Root;
        let (header_width, header_height) = header(shape);
        let content = graph.vertices.iter().map(|v| v.x + v.width).fold(0.0, f64::max);
        let pad = if root { 16.0 } else { PAD };
        let inner = content.max(header_width);
        let left = pad + (inner - content) / 2.0;
        let gap = if header_height > 0.0 { 14.0 } else { 6.0 };
        let above = pad + header_height + gap;
        let below = bands.last().map_or(0.0, |band| band.1);
        let size = (inner + 2.0 * pad, above + below + pad + 4.0);
        self.sizes[number] = size;

        let top_of = |vertex: &Vertex| {
            let (top, bottom) = bands[vertex.rank];
            above + top + (bottom - top - vertex.height) / 2.0
        };
        let children = graph
            .vertices
            .iter()
            .filter_map(|vertex| match vertex.kind {
                VertexKind::Shape(child) => Some((child, (left + vertex.x, top_of(vertex)))),
                _ => None,
            })
            .collect();
        let offsets = self.attach(&graph, hops);
        let mut drawn = Vec::with_capacity(hops.len());
        for (place, (arrow, _)) in hops.iter().enumerate() {
            let path = &graph.paths[place];
            let mut points = Vec::with_capacity(2 * path.len() + 2);
            let mut label = None;
            for (step, &vertex) in path.iter().enumerate() {
                let vertex = &graph.vertices[vertex];
                let (band_top, band_bottom) = bands[vertex.rank];
                let (band_top, band_bottom) = (above + band_top, above + band_bottom);
                let (first, last) = (step == 0, step + 1 == path.len());
                if vertex.passes() {
                    let x = left + vertex.x + vertex.anchor;
                    if first {
                        points.push((x, 0.0));
                        self.ports.insert((*arrow, number), x);
                    }
                    points.extend([(x, band_top), (x, band_bottom)]);
                    if vertex.kind == VertexKind::Label {
                        label = Some((x, top_of(vertex)));
                    }
                    if last {
                        points.push((x, size.1));
                        self.ports.insert((*arrow, number), x);
                    }
                } else if first {
                    let x = left + vertex.x + offsets[place].0;
                    points.extend([(x, top_of(vertex) + vertex.height), (x, band_bottom)]);
                } else {
                    let x = left + vertex.x + offsets[place].1;
                    points.extend([(x, band_top), (x, top_of(vertex))]);
                }
            }
            drawn.push((*arrow, points, label));
        }
        Inside { children, hops: drawn }
    }

    /// The vertices of a box and what joins them.
    fn graph(&self, number: usize, hops: &[(usize, Hop)]) -> Graph {
        let mut vertices = Vec::new();
        let mut numbers = BTreeMap::new();
        for &child in &self.chart.shapes[number].children {
            let (width, height) = self.sizes[child];
            numbers.insert(child, vertices.len());
            vertices.push(Vertex {
                kind: VertexKind::Shape(child),
                rank: 0,
                width,
                height,
                anchor: width / 2.0,
                x: 0.0,
            });
        }
        let children = vertices.len();
        let mut bottoms = Vec::new();
        let mut edges = Vec::with_capacity(hops.len());
        for (arrow, hop) in hops {
            let labelled = hop.labelled && !self.chart.arrows[*arrow].lines.is_empty();
            let mut end = |end: End| match end {
                End::Child(child) => numbers[&child],
                End::Top | End::Bottom => {
                    if end == End::Bottom {
                        bottoms.push(vertices.len());
                    }
                    vertices.push(Vertex::bend());
                    vertices.len() - 1
                }
            };
            let (upper, lower) = (end(hop.upper), end(hop.lower));
            edges.push(rank::Edge {
                upper,
                lower,
                length: if labelled { 2 } else { 1 },
            });
        }
        let ranks = rank::of(vertices.len(), children, &edges, &bottoms);
        for (vertex, &rank) in vertices.iter_mut().zip(&ranks) {
            vertex.rank = rank;
        }
        let bends: usize = edges.iter().map(|edge| ranks[edge.lower] - ranks[edge.upper] - 1).sum();
        let longest = if bends > MAX_BENDS { SHORT } else { usize::MAX };
        let mut paths = Vec::with_capacity(hops.len());
        let mut links = Vec::new();
        for ((arrow, hop), edge) in hops.iter().zip(&edges) {
            let (first, last) = (ranks[edge.upper], ranks[edge.lower]);
            let labelled = edge.length == 2;
            // The label stands at the source.
            let label_rank = if hop.flipped { last - 1 } else { first + 1 };
            let mut path = vec![edge.upper];
            for rank in first + 1..last {
                let label = labelled && rank == label_rank;
                if !label && last - first > longest {
                    continue;
                }
                path.push(vertices.len());
                let vertex = if label { self.label(*arrow) } else { Vertex::bend() };
                vertices.push(Vertex { rank, ..vertex });
            }
            path.push(edge.lower);
            for pair in path.windows(2) {
                if vertices[pair[1]].rank == vertices[pair[0]].rank + 1 {
                    let offset = |vertex: usize| self.offset(&vertices[vertex], *arrow);
                    links.push(Link {
                        upper: pair[0],
                        lower: pair[1],
                        upper_offset: offset(pair[0]),
                        lower_offset: offset(pair[1]),
                    });
                }
            }
            paths.push(path);
        }
        Graph { vertices, links, paths }
    }

    fn label(&self, arrow: usize) -> Vertex {
        let lines = &self.chart.arrows[arrow].lines;
        let text = lines
            .iter()
            .map(|line| label::width(line, ARROW_TEXT))
            .fold(0.0, f64::max);
        Vertex {
            kind: VertexKind::Label,
            rank: 0,
            width: 2.0 + ARROW_TEXT_GAP + text,
            height: lines.len() as f64 * LINE,
            anchor: 1.0,
            x: 0.0,
        }
    }

    /// Where an arrow meets a vertex: where it leaves the box that it comes out of, or for now in the middle.
    fn offset(&self, vertex: &Vertex, arrow: usize) -> f64 {
        match vertex.kind {
            VertexKind::Shape(child) => self.ports.get(&(arrow, child)).copied().unwrap_or(vertex.anchor),
            _ => vertex.anchor,
        }
    }

    /// For each hop where it meets its upper and its lower end: arrows that end at the same edge of a shape are spread
    /// over it, in the order of where they come from.
    fn attach(&self, graph: &Graph, hops: &[(usize, Hop)]) -> Vec<(f64, f64)> {
        let mut offsets: Vec<(f64, f64)> = vec![(0.0, 0.0); hops.len()];
        // By vertex and edge: where the arrow comes from, and which.
        let mut meeting: BTreeMap<(usize, bool), Vec<(f64, usize)>> = BTreeMap::new();
        for (place, (arrow, _)) in hops.iter().enumerate() {
            let path = &graph.paths[place];
            for upper in [true, false] {
                let (end, next) = if upper {
                    (path[0], path[1])
                } else {
                    (path[path.len() - 1], path[path.len() - 2])
                };
                let vertex = &graph.vertices[end];
                let VertexKind::Shape(child) = vertex.kind else {
                    continue;
                };
                if let Some(&port) = self.ports.get(&(*arrow, child)) {
                    set(&mut offsets[place], upper, port);
                    continue;
                }
                let next = &graph.vertices[next];
                let from = next.x + self.offset(next, *arrow);
                meeting.entry((end, upper)).or_default().push((from, place));
            }
        }
        for ((vertex, upper), mut arrows) in meeting {
            arrows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let vertex = &graph.vertices[vertex];
            // Not at the corners, and not farther apart than is needed.
            let room = (vertex.width - 24.0).max(0.0);
            let apart = (room / arrows.len() as f64).min(28.0);
            let first = vertex.anchor - apart * (arrows.len() - 1) as f64 / 2.0;
            let straight = |from: f64| (from - vertex.x).clamp(12.0, (vertex.width - 12.0).max(12.0));
            for (number, &(from, place)) in arrows.iter().enumerate() {
                let offset = if arrows.len() == 1 && vertex.width > 40.0 {
                    straight(from)
                } else {
                    first + apart * number as f64
                };
                set(&mut offsets[place], upper, offset);
            }
        }
        offsets
    }
}

fn set(offsets: &mut (f64, f64), upper: bool, offset: f64) {
    if upper {
        offsets.0 = offset;
    } else {
        offsets.1 = offset;
    }
}

struct Graph {
    vertices: Vec<Vertex>,
    links: Vec<Link>,
    /// For each hop its vertices, from its upper to its lower end.
    paths: Vec<Vec<usize>>,
}

/// Top and bottom of each rank.
fn bands(vertices: &[Vertex], layers: &[Vec<usize>]) -> Vec<(f64, f64)> {
    let mut top = 0.0;
    let mut bands = Vec::with_capacity(layers.len());
    for layer in layers {
        let height = layer.iter().map(|&vertex| vertices[vertex].height).fold(0.0, f64::max);
        bands.push((top, top + height));
        top += height + RANK_GAP;
    }
    bands
}
