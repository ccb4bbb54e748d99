//! Chance that repeats itself: the same seed, the same draws, on every machine.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of draws.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The draws of a seed and of a number below it.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        Self(rng)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A share, at least 0 and less than 1.
    pub fn share(&mut self) -> f64 {
        self.0.random()
    }

    /// True in this share of draws.
    pub fn in_share(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// One of these, which are not none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Words, each as often as its weight says.
#[derive(Debug)]
pub(crate) struct Weighted<T> {
    items: Vec<T>,
    upto: Vec<f64>,
}

impl<T> Weighted<T> {
    pub(crate) fn of(weighted: impl IntoIterator<Item = (T, f64)>) -> Self {
        let mut all = 0.0;
        let (items, upto) = weighted
            .into_iter()
            .map(|(item, weight)| {
                all += weight;
                (item, all)
            })
            .unzip();
        Self { items, upto }
    }

    pub(crate) fn draw(&self, chance: &mut Chance) -> &T {
        let all = self.upto.last().copied().unwrap_or_default();
        let drawn = chance.share() * all;
        let at = self.upto.partition_point(|upto| *upto <= drawn);
        &self.items[at.min(self.items.len() - 1)]
    }
}
