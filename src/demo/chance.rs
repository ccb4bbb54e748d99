//! Chance that repeats itself: the same seed, the same draws, on every machine.

use chrono::{Months, NaiveDate, TimeDelta};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of draws.
#[derive(Debug)]
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        if high <= low { low } else { self.0.random_range(low..=high) }
    }

    /// True `n` times in a thousand.
    pub(super) fn permille(&mut self, n: u32) -> bool {
        self.0.random_range(0..1000) < n
    }

    /// One of these, which are not none.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.0.random_range(0..from.len())]
    }

    /// A place in a list that is not empty.
    pub(super) fn index(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    /// A day from `first` to `last`, both included; `first` if they stand the wrong way round.
    pub(super) fn day(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        let days = (last - first).num_days();
        if days <= 0 { first } else { plus(first, self.0.random_range(0..=days)) }
    }
}

/// The day so many days later, or earlier.
pub(super) fn plus(day: NaiveDate, days: i64) -> NaiveDate {
    TimeDelta::try_days(days).and_then(|by| day.checked_add_signed(by)).unwrap_or(day)
}

/// The day so many months later.
pub(super) fn months_after(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_add_months(Months::new(months)).unwrap_or(day)
}

/// The day so many months earlier.
pub(super) fn months_before(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_sub_months(Months::new(months)).unwrap_or(day)
}

/// The day so many years earlier.
pub(super) fn years_before(day: NaiveDate, years: u32) -> NaiveDate {
    months_before(day, years * 12)
}
