//! Chance that repeats itself.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of draws.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `below`, which is not 0.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        self.0.random_range(0..below)
    }

    /// A number from 0 to 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// True so often.
    pub(crate) fn is(&mut self, so_often: f64) -> bool {
        self.part() < so_often
    }

    /// How often something happens that happens `mean` times; `spread` says how uneven days are, 0 that they are alike.
    pub(crate) fn times(&mut self, mean: f64, spread: f64) -> u32 {
        let uneven = (1.0 - self.part()).ln().abs() * spread + (1.0 - spread);
        let limit = (-mean * uneven).exp();
        let (mut times, mut product) = (0, self.part());
        while product > limit && times < 400 {
            times += 1;
            product *= self.part();
        }
        times
    }
}

/// Things drawn as often as they are weighty.
pub(crate) struct Weighted {
    things: Vec<String>,
    up_to: Vec<f64>,
}

impl Weighted {
    pub(crate) fn of(all: impl Iterator<Item = (String, f64)>) -> Self {
        let (mut things, mut up_to, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for (thing, weight) in all {
            sum += weight;
            things.push(thing);
            up_to.push(sum);
        }
        Self { things, up_to }
    }

    pub(crate) fn draw(&self, chance: &mut Chance) -> &str {
        let at = chance.part() * self.up_to.last().copied().unwrap_or_default();
        let n = self.up_to.partition_point(|up_to| *up_to < at);
        self.things.get(n).map_or("", String::as_str)
    }
}
