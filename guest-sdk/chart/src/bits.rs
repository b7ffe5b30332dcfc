use alloc::{vec, vec::Vec};
use serde::{Deserialize, Serialize};

/// A set of states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bits(pub Vec<u64>);

impl Bits {
    /// An empty set that can hold `states` states.
    pub fn new(states: usize) -> Self {
        Bits(vec![0; states.div_ceil(64).max(1)])
    }

    /// Is `i` in the set?
    #[inline]
    pub fn has(&self, i: u16) -> bool {
        self.0[usize::from(i / 64)] >> (i % 64) & 1 == 1
    }

    /// Puts `i` in; true if it was not there.
    #[inline]
    pub fn insert(&mut self, i: u16) -> bool {
        let (word, bit) = (&mut self.0[usize::from(i / 64)], 1u64 << (i % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Takes `i` out.
    #[inline]
    pub fn remove(&mut self, i: u16) {
        self.0[usize::from(i / 64)] &= !(1 << (i % 64));
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Nothing in it?
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|w| *w == 0)
    }

    /// Anything in both?
    #[inline]
    pub fn meets(&self, other: &[u64]) -> bool {
        self.0.iter().zip(other).any(|(a, b)| a & b != 0)
    }

    /// The members of both, in document order.
    pub fn common<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = u16> + 'a {
        let words = self.0.iter().zip(&other.0).enumerate();
        words.flat_map(|(w, (a, b))| {
            let base = w as u16 * 64;
            Members(a & b).map(move |bit| base + bit)
        })
    }

    /// The members in document order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u16> + '_ {
        self.0.iter().enumerate().flat_map(|(w, word)| {
            let base = w as u16 * 64;
            Members(*word).map(move |bit| base + bit)
        })
    }
}

/// The bits of one word, from either end.
struct Members(u64);

impl Iterator for Members {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as u16;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

impl DoubleEndedIterator for Members {
    fn next_back(&mut self) -> Option<u16> {
        if self.0 == 0 {
            return None;
        }
        let bit = 63 - self.0.leading_zeros() as u16;
        self.0 &= !(1 << bit);
        Some(bit)
    }
}

/// One set for each of many things, in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    words: u16,
    bits: Vec<u64>,
}

impl Rows {
    /// `rows` empty sets of `states` states.
    pub fn new(rows: usize, states: usize) -> Self {
        let words = states.div_ceil(64).max(1);
        Rows {
            words: words as u16,
            bits: vec![0; rows * words],
        }
    }

    /// Set number `i`.
    #[inline]
    pub fn row(&self, i: u16) -> &[u64] {
        let w = usize::from(self.words);
        &self.bits[usize::from(i) * w..][..w]
    }

    /// Puts `member` into set number `i`.
    pub fn insert(&mut self, i: u16, member: u16) {
        let w = usize::from(self.words);
        self.bits[usize::from(i) * w + usize::from(member / 64)] |= 1 << (member % 64);
    }

    /// Is `member` in set number `i`?
    #[inline]
    pub fn has(&self, i: u16, member: u16) -> bool {
        self.row(i)[usize::from(member / 64)] >> (member % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_document_order_from_both_ends() {
        let mut b = Bits::new(200);
        for i in [199, 0, 63, 64, 130] {
            assert!(b.insert(i));
        }
        assert!(!b.insert(64));
        assert_eq!(b.iter().collect::<Vec<_>>(), [0, 63, 64, 130, 199]);
        assert_eq!(b.iter().rev().collect::<Vec<_>>(), [199, 130, 64, 63, 0]);
        b.remove(63);
        assert!(!b.has(63) && b.has(64));
    }

    #[test]
    fn rows_do_not_touch_each_other() {
        let mut r = Rows::new(3, 70);
        r.insert(1, 69);
        assert!(r.has(1, 69) && !r.has(0, 69) && !r.has(2, 69) && !r.has(1, 5));
    }
}
