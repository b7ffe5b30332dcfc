//! Ranks: every arrow goes down by at least its length.

/// An arrow from a higher to a lower vertex.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub upper: usize,
    pub lower: usize,
    /// Ranks between the two, at least.
    pub length: usize,
}

/// The rank of each vertex: the longest way to it. The edges have no cycle. The vertices `bottoms` share the last rank;
/// of the first `children`, those without edges are laid out in rows.
pub(super) fn of(count: usize, children: usize, edges: &[Edge], bottoms: &[usize]) -> Vec<usize> {
    let mut ranks = vec![0usize; count];
    let mut above = vec![0usize; count];
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (number, edge) in edges.iter().enumerate() {
        above[edge.lower] += 1;
        below[edge.upper].push(number);
    }
    rows(&mut ranks, children, &above, &below);
    let mut ready: Vec<usize> = (0..count).filter(|&vertex| above[vertex] == 0).collect();
    let mut done = 0;
    while let Some(vertex) = ready.pop() {
        done += 1;
        for &edge in &below[vertex] {
            let Edge { lower, length, .. } = edges[edge];
            ranks[lower] = ranks[lower].max(ranks[vertex] + length);
            above[lower] -= 1;
            if above[lower] == 0 {
                ready.push(lower);
            }
        }
    }
    debug_assert_eq!(done, count, "arrows that would close a cycle are flipped");
    // What nothing leads to from above stands near what it leads to.
    for vertex in (0..children).rev() {
        let lowest = below[vertex]
            .iter()
            .map(|&edge| ranks[edges[edge].lower] - edges[edge].length);
        if let (true, Some(lowest)) = (ranks[vertex] == 0, lowest.min()) {
            ranks[vertex] = lowest;
        }
    }
    let mut at_bottom = vec![false; count];
    bottoms.iter().for_each(|&vertex| at_bottom[vertex] = true);
    let others = (0..count)
        .filter(|&vertex| !at_bottom[vertex])
        .map(|vertex| ranks[vertex])
        .max();
    let own = bottoms.iter().map(|&vertex| ranks[vertex]).max();
    let last = own.max(others.map(|rank| rank + 1));
    for &bottom in bottoms {
        ranks[bottom] = last.unwrap_or(0);
    }
    // No rank is empty: the first may be.
    let first = ranks.iter().copied().min().unwrap_or(0);
    ranks.iter_mut().for_each(|rank| *rank -= first);
    ranks
}

fn rows(ranks: &mut [usize], children: usize, above: &[usize], below: &[Vec<usize>]) {
    let alone: Vec<usize> = (0..children)
        .filter(|&vertex| above[vertex] == 0 && below[vertex].is_empty())
        .collect();
    if alone.len() > 5 {
        let mut row = 1;
        while row * row < alone.len() {
            row += 1;
        }
        for (number, vertex) in alone.into_iter().enumerate() {
            ranks[vertex] = number / row;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(upper: usize, lower: usize, length: usize) -> Edge {
        Edge { upper, lower, length }
    }

    #[test]
    fn a_vertex_stands_below_everything_that_leads_to_it() {
        let edges = [edge(0, 1, 2), edge(1, 2, 1), edge(0, 2, 1)];
        assert_eq!(of(3, 3, &edges, &[]), [0, 2, 3]);
        // A port at the bottom is below all.
        assert_eq!(
            of(4, 3, &[edge(0, 1, 2), edge(0, 3, 1), edge(1, 2, 2)], &[3]),
            [0, 2, 4, 5]
        );
    }

    #[test]
    fn many_without_arrows_make_a_square() {
        let ranks = of(9, 9, &[], &[]);
        assert_eq!(ranks, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    }
}
