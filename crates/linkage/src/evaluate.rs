//! How good a matcher is, where the truth is known.

use serde::{Deserialize, Serialize};

/// A pair that was scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The evidence, in bits.
    pub bits: f64,
    /// Whether it is of one child.
    pub one_child: bool,
}

/// What holds where all pairs of so many bits and more are taken for one child.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// The least that is taken.
    pub bits: f64,
    /// How many pairs of one child are taken.
    pub right: u64,
    /// How many others are taken.
    pub wrong: u64,
    /// The share of right ones among those taken.
    pub precision: f64,
    /// The share of those taken among all pairs of one child.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

impl Point {
    /// Of so many right and wrong ones, out of `all` pairs of one child.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^52")]
    pub fn of(bits: f64, right: u64, wrong: u64, all: u64) -> Self {
        let share = |n: u64, of: u64| if of == 0 { 0.0 } else { n as f64 / of as f64 };
        Self {
            bits,
            right,
            wrong,
            precision: if right + wrong == 0 { 1.0 } else { share(right, right + wrong) },
            recall: share(right, all),
            f1: share(2 * right, right + wrong + all),
        }
    }
}

/// Every threshold that makes a difference, from the highest down; `all` is how many pairs of one child there are, found or not.
#[must_use]
pub fn curve(mut scored: Vec<Scored>, all: u64) -> Vec<Point> {
    scored.sort_by(|a, b| b.bits.total_cmp(&a.bits));
    let (mut right, mut wrong) = (0, 0);
    let mut points = Vec::new();
    for of_bits in scored.chunk_by(|a, b| a.bits.total_cmp(&b.bits).is_eq()) {
        let rights = of_bits.iter().filter(|pair| pair.one_child).count() as u64;
        right += rights;
        wrong += of_bits.len() as u64 - rights;
        points.push(Point::of(of_bits[0].bits, right, wrong, all));
    }
    points
}

/// The best point by F1; of equals the one with the higher threshold.
#[must_use]
pub fn best(curve: &[Point]) -> Option<Point> {
    curve.iter().copied().reduce(|best, point| if point.f1 > best.f1 { point } else { best })
}

/// The share of pairs of one child above every pair of two.
#[must_use]
pub fn recall_without_false(curve: &[Point]) -> f64 {
    curve.iter().take_while(|point| point.wrong == 0).last().map_or(0.0, |point| point.recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(pairs: &[(f64, bool)]) -> Vec<Scored> {
        pairs
            .iter()
            .map(|(bits, one_child)| Scored { bits: *bits, one_child: *one_child })
            .collect()
    }

    #[test]
    fn pairs_of_equal_bits_are_taken_together() {
        let curve = curve(scored(&[(9.0, true), (7.0, true), (7.0, false), (1.0, true)]), 4);
        let told: Vec<_> = curve.iter().map(|p| (p.bits, p.right, p.wrong)).collect();
        assert_eq!(told, [(9.0, 1, 0), (7.0, 2, 1), (1.0, 3, 1)]);
        assert!((recall_without_false(&curve) - 0.25).abs() < 1e-12);
        let best = best(&curve).expect("a point");
        assert!((best.f1 - 0.75).abs() < 1e-12 && best.bits < 2.0);
    }

    #[test]
    fn what_was_never_found_counts_as_missed() {
        let curve = curve(scored(&[(9.0, true)]), 2);
        assert!((curve[0].recall - 0.5).abs() < 1e-12);
        assert!((curve[0].f1 - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_found_is_no_recall() {
        assert_eq!(best(&curve(Vec::new(), 3)), None);
        assert!(recall_without_false(&[]).abs() < 1e-12);
    }
}
