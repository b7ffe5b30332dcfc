//! Coordinates within ranks: each vertex as near to its neighbours as its rank allows.

use super::{Link, Vertex, VertexKind};

/// Passes over all ranks, down and up in turn.
const PASSES: usize = 10;

/// Passes in which long arrows are made straight.
const STRAIGHTENING: usize = 6;

/// Sets `x` of every vertex; the leftmost is at 0.
pub(super) fn horizontally(vertices: &mut [Vertex], links: &[Link], paths: &[Vec<usize>], layers: &[Vec<usize>]) {
    for layer in layers {
        let mut x = 0.0;
        for (place, &vertex) in layer.iter().enumerate() {
            if place > 0 {
                x += gap(&vertices[layer[place - 1]], &vertices[vertex]);
            }
            vertices[vertex].x = x;
            x += vertices[vertex].width;
        }
    }
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); vertices.len()];
    let mut below = above.clone();
    for (number, link) in links.iter().enumerate() {
        above[link.lower].push(number);
        below[link.upper].push(number);
    }
    for pass in 0..PASSES {
        let down = pass % 2 == 0;
        let both = pass >= PASSES - 4;
        for step in 0..layers.len() {
            let layer = &layers[if down { step } else { layers.len() - 1 - step }];
            let wish = |&vertex: &usize| {
                let (mut sum, mut weight) = (0.0, 0.0);
                let mut add = |x: f64, other: &Vertex| {
                    // Long arrows are straight first of all.
                    let own = if vertices[vertex].passes() && other.passes() {
                        8.0
                    } else {
                        1.0
                    };
                    sum += own * x;
                    weight += own;
                };
                if down || both {
                    for link in above[vertex].iter().map(|&link| &links[link]) {
                        let other = &vertices[link.upper];
                        add(other.x + link.upper_offset - link.lower_offset, other);
                    }
                }
                if !down || both {
                    for link in below[vertex].iter().map(|&link| &links[link]) {
                        let other = &vertices[link.lower];
                        add(other.x + link.lower_offset - link.upper_offset, other);
                    }
                }
                if weight > 0.0 {
                    (sum / weight, weight)
                } else {
                    (vertices[vertex].x, 0.1)
                }
            };
            let wishes: Vec<(f64, f64)> = layer.iter().map(wish).collect();
            settle(vertices, layer, &wishes);
        }
    }
    straighten(vertices, paths, layers);
    let left = vertices.iter().map(|vertex| vertex.x).fold(f64::INFINITY, f64::min);
    if left.is_finite() {
        vertices.iter_mut().for_each(|vertex| vertex.x -= left);
    }
}

/// Moves all bends of an arrow to one vertical as far as what stands beside them allows.
fn straighten(vertices: &mut [Vertex], paths: &[Vec<usize>], layers: &[Vec<usize>]) {
    let mut wishes: Vec<(f64, f64)> = vec![(0.0, 0.0); vertices.len()];
    for _ in 0..STRAIGHTENING {
        for (wish, vertex) in wishes.iter_mut().zip(vertices.iter()) {
            *wish = (vertex.x, 1.0);
        }
        for path in paths {
            let passing = || path.iter().copied().filter(|&vertex| vertices[vertex].passes());
            let sum: f64 = passing()
                .map(|vertex| vertices[vertex].x + vertices[vertex].anchor)
                .sum();
            let mean = sum / passing().count().max(1) as f64;
            passing().for_each(|vertex| wishes[vertex] = (mean - vertices[vertex].anchor, 1.0));
        }
        for layer in layers {
            let own: Vec<(f64, f64)> = layer.iter().map(|&vertex| wishes[vertex]).collect();
            settle(vertices, layer, &own);
        }
    }
}

/// Room between two neighbours.
fn gap(left: &Vertex, right: &Vertex) -> f64 {
    match (left.kind, right.kind) {
        (VertexKind::Shape(_), VertexKind::Shape(_)) => 28.0,
        (VertexKind::Bend, VertexKind::Bend) => 14.0,
        _ => 18.0,
    }
}

/// Fulfils the wishes (place and weight) of a rank as well as its order and gaps allow: the least sum of weighted squares,
/// by pooling neighbours that would pass each other.
fn settle(vertices: &mut [Vertex], layer: &[usize], wishes: &[(f64, f64)]) {
    /// Vertices that touch: sum of weighted wishes, sum of weights, how many.
    struct Pool(f64, f64, usize);
    let mut pools: Vec<Pool> = Vec::with_capacity(layer.len());
    // Where each stands if the first stands at 0 and all touch.
    let mut packed = Vec::with_capacity(layer.len());
    let mut at = 0.0;
    for (place, &vertex) in layer.iter().enumerate() {
        if place > 0 {
            let before = &vertices[layer[place - 1]];
            at += before.width + gap(before, &vertices[vertex]);
        }
        packed.push(at);
        let (wish, weight) = wishes[place];
        let mut pool = Pool((wish - at) * weight, weight, 1);
        while let Some(before) = pools.pop_if(|before| before.0 / before.1 >= pool.0 / pool.1) {
            pool = Pool(pool.0 + before.0, pool.1 + before.1, pool.2 + before.2);
        }
        pools.push(pool);
    }
    let mut place = 0;
    for Pool(sum, weight, count) in pools {
        for _ in 0..count {
            vertices[layer[place]].x = sum / weight + packed[place];
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_fulfilled_where_there_is_room_and_shared_where_there_is_not() {
        let mut vertices = vec![
            Vertex {
                width: 10.0,
                ..Vertex::bend()
            };
            3
        ];
        settle(&mut vertices, &[0, 1, 2], &[(0.0, 1.0), (0.0, 1.0), (500.0, 1.0)]);
        assert_eq!(vertices.iter().map(|v| v.x).collect::<Vec<_>>(), [-12.0, 12.0, 500.0]);
    }
}
