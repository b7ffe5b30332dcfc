//! Many measurements of one thing, in a few numbers.

use serde::Serialize;

/// What is told about measurements of one thing.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// How many there were.
    pub samples: usize,
    /// The smallest.
    pub min: f64,
    /// Half of them are at most this.
    pub median: f64,
    /// 99 of 100 are at most this; the largest where there are fewer than 100.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Summary {
    /// Of at least one measurement.
    pub fn of(mut samples: Vec<f64>) -> Self {
        assert!(!samples.is_empty(), "a figure needs a measurement");
        samples.sort_by(f64::total_cmp);
        // Nearest rank: the smallest value that has at least this share at or below it.
        let rank = |share: f64| samples[((samples.len() as f64 * share).ceil() as usize).clamp(1, samples.len()) - 1];
        Summary {
            samples: samples.len(),
            min: rank(0.0),
            median: rank(0.5),
            p99: rank(0.99),
            max: rank(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_sorted_measurements() {
        let s = Summary::of((1..=200).rev().map(f64::from).collect());
        assert_eq!(
            (s.samples, s.min, s.median, s.p99, s.max),
            (200, 1.0, 100.0, 198.0, 200.0)
        );
        let s = Summary::of(vec![3.0, 1.0]);
        assert_eq!((s.median, s.p99), (1.0, 3.0));
    }
}
