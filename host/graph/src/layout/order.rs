//! The order within ranks: few crossings, by the barycentre method.

use super::{Link, Vertex};

/// Passes over all ranks.
const SWEEPS: usize = 12;
/// The same where there are many links.
const FEW_SWEEPS: usize = 4;
/// How many are many.
const MANY_LINKS: usize = 20_000;

/// The vertices of each rank from left to right.
pub(super) fn layers(vertices: &[Vertex], links: &[Link]) -> Vec<Vec<usize>> {
    let count = vertices.iter().map(|vertex| vertex.rank + 1).max().unwrap_or(0);
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (number, vertex) in vertices.iter().enumerate() {
        layers[vertex.rank].push(number);
    }
    // Of the upper and the lower neighbours, how far from the middle of each the arrow meets it: less than half a place.
    let mut neighbours = [vec![Vec::new(); vertices.len()], vec![Vec::new(); vertices.len()]];
    let aside = |vertex: usize, offset: f64| offset / vertices[vertex].width.max(1.0) - 0.5;
    for link in links {
        let (upper, lower) = (
            aside(link.upper, link.upper_offset),
            aside(link.lower, link.lower_offset),
        );
        neighbours[0][link.lower].push((link.upper, upper));
        neighbours[1][link.upper].push((link.lower, lower));
    }
    let mut places = vec![0usize; vertices.len()];
    layers.iter().for_each(|layer| renumber(layer, &mut places));
    let mut best = (crossings(&layers, &neighbours, &places), layers.clone());
    let sweeps = if links.len() > MANY_LINKS { FEW_SWEEPS } else { SWEEPS };
    for sweep in 0..sweeps {
        if best.0 == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let neighbours_there = &neighbours[usize::from(!down)];
        for step in 0..count {
            let layer = if down { step } else { count - 1 - step };
            sort(&mut layers[layer], neighbours_there, &mut places, sweep % 4 >= 2);
        }
        let crossed = crossings(&layers, &neighbours, &places);
        if crossed < best.0 {
            best = (crossed, layers.clone());
        }
    }
    best.1
}

fn renumber(layer: &[usize], places: &mut [usize]) {
    layer
        .iter()
        .enumerate()
        .for_each(|(place, &vertex)| places[vertex] = place);
}

/// Sorts a rank by the mean place of the neighbours; `turn` swaps those that are equal.
fn sort(layer: &mut [usize], neighbours: &[Vec<(usize, f64)>], places: &mut [usize], turn: bool) {
    let mut keyed: Vec<(f64, usize)> = layer
        .iter()
        .map(|&vertex| {
            let own = &neighbours[vertex];
            let sum: f64 = own.iter().map(|&(other, aside)| places[other] as f64 + aside).sum();
            let mean = if own.is_empty() {
                places[vertex] as f64
            } else {
                sum / own.len() as f64
            };
            (mean, vertex)
        })
        .collect();
    if turn {
        keyed.reverse();
    }
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (slot, (_, vertex)) in layer.iter_mut().zip(keyed) {
        *slot = vertex;
    }
    renumber(layer, places);
}

/// Pairs of links that cross, by a tree of sums over the ends in the lower rank.
fn crossings(layers: &[Vec<usize>], neighbours: &[Vec<Vec<(usize, f64)>>; 2], places: &[usize]) -> u64 {
    let mut crossed = 0;
    for pair in layers.windows(2) {
        // By where they begin, then by where they end: those that share an end do not cross.
        let mut ends: Vec<(f64, f64)> = Vec::new();
        for &lower in &pair[1] {
            for &(upper, aside) in &neighbours[0][lower] {
                ends.push((places[upper] as f64 + aside, places[lower] as f64));
            }
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut tree = vec![0u64; pair[1].len() + 1];
        for (before, &(_, end)) in ends.iter().enumerate() {
            let end = end as usize + 1;
            let (mut at, mut left) = (end, 0);
            while at > 0 {
                left += tree[at];
                at &= at - 1;
            }
            crossed += before as u64 - left;
            let mut at = end;
            while at < tree.len() {
                tree[at] += 1;
                at += at & at.wrapping_neg();
            }
        }
    }
    crossed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(ranks: &[usize], links: &[(usize, usize)]) -> (Vec<Vertex>, Vec<Link>) {
        let vertex = |&rank: &usize| Vertex { rank, ..Vertex::bend() };
        let link = |&(upper, lower): &(usize, usize)| Link {
            upper,
            lower,
            upper_offset: 0.0,
            lower_offset: 0.0,
        };
        (ranks.iter().map(vertex).collect(), links.iter().map(link).collect())
    }

    #[test]
    fn a_crossing_that_can_be_avoided_is() {
        let (vertices, links) = graph(&[0, 0, 1, 1], &[(0, 3), (1, 2)]);
        let layers = layers(&vertices, &links);
        let place = |vertex: usize| layers.iter().flatten().position(|&other| other == vertex);
        assert_eq!(place(0) < place(1), place(3) < place(2), "{layers:?}");
    }

    #[test]
    fn crossings_are_counted_as_pairs() {
        let (vertices, links) = graph(&[0, 0, 1, 1], &[(0, 2), (0, 3), (1, 2), (1, 3)]);
        let mut above = vec![Vec::new(); vertices.len()];
        links.iter().for_each(|link| above[link.lower].push((link.upper, 0.0)));
        let neighbours = [above, Vec::new()];
        assert_eq!(crossings(&[vec![0, 1], vec![2, 3]], &neighbours, &[0, 1, 0, 1]), 1);
    }
}
