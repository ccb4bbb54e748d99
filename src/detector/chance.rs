//! How many is usual, and how sure a share is.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// As many weeks as a habit is made of.
const WEEKS: u64 = 8;
/// How sure a share must be: three standard deviations.
const SURE: f64 = 3.0;

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Sums {
    days: u32,
    sum: u32,
    squares: f64,
}

/// How many there are on a day, by the days of the last eight weeks on which there were any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Habit(BTreeMap<NaiveDate, Sums>);

impl Habit {
    /// Takes in a day that is over.
    pub fn add(&mut self, day: NaiveDate, count: u32) {
        let week = day - Days::new(u64::from(day.weekday().num_days_from_monday()));
        let sums = self.0.entry(week).or_default();
        sums.days += 1;
        sums.sum = sums.sum.saturating_add(count);
        sums.squares += f64::from(count) * f64::from(count);
        self.0.retain(|then, _| *then + Days::new(7 * WEEKS) > week);
    }

    /// How many days it is made of.
    #[must_use]
    pub fn days(&self) -> u32 {
        self.0.values().map(|sums| sums.days).sum()
    }

    /// What is not exceeded within so many standard deviations of the mean.
    #[must_use]
    pub fn usual(&self, deviations: f64) -> f64 {
        let days = f64::from(self.days().max(1));
        let mean = self.0.values().map(|sums| f64::from(sums.sum)).sum::<f64>() / days;
        let squares = self.0.values().map(|sums| sums.squares).sum::<f64>() / days;
        mean + deviations * (squares - mean * mean).max(0.0).sqrt()
    }
}

/// The share that is exceeded for sure where `some` of `all` were so: the lower end of Wilson's interval.
#[must_use]
pub fn surely(some: u32, all: u32) -> f64 {
    if all == 0 {
        return 0.0;
    }
    let (n, square) = (f64::from(all), SURE * SURE);
    let share = f64::from(some) / n;
    let about = share + square / (2.0 * n);
    let spread = SURE * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    ((about - spread) / (1.0 + square / n)).max(0.0)
}

/// How likely it is that something happens so often or oftener that happens `mean` times by chance (Poisson).
#[must_use]
pub fn so_often(times: u32, mean: f64) -> f64 {
    let (mut term, mut fewer) = ((-mean).exp(), 0.0);
    for n in 0..times {
        fewer += term;
        term *= mean / f64::from(n + 1);
    }
    (1.0 - fewer).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: u64) -> NaiveDate {
        NaiveDate::default() + Days::new(n)
    }

    #[test]
    fn a_habit_is_that_of_the_last_eight_weeks() {
        let mut habit = Habit::default();
        for n in 0..20 {
            habit.add(day(n), 100);
        }
        assert!((habit.usual(3.0) - 100.0).abs() < 1e-9);
        for n in 100..120 {
            habit.add(day(n), if n % 2 == 0 { 4 } else { 6 });
        }
        assert_eq!(habit.days(), 20);
        assert!((habit.usual(3.0) - 8.0).abs() < 1e-9, "{}", habit.usual(3.0));
    }

    #[test]
    fn what_happens_rarely_by_chance_is_less_likely_the_oftener_it_happens() {
        for (times, mean, likely) in
            [(0, 2.0, 1.0), (1, 0.01, 0.009_95), (2, 0.2, 0.017_52), (3, 14.0, 0.999_91)]
        {
            let is = so_often(times, mean);
            assert!((is - likely).abs() < 1e-4, "{times} {mean}: {is}");
        }
    }

    #[test]
    fn few_prove_nothing_and_many_prove_a_share() {
        assert!(surely(0, 0) < 1e-9);
        assert!(surely(5, 10) < 0.3);
        assert!(surely(60, 120) > 0.3);
        assert!(surely(300, 1000) < 0.3);
        assert!(surely(1000, 1000) <= 1.0);
    }
}
