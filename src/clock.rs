//! The only place that reads the time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use chrono_tz::Europe::London;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's own clock.
    System,
    /// A moment that its holder moves, for tests: milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `moment` until it is [set](Self::set).
    #[must_use]
    pub fn at(moment: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(moment.timestamp_millis())))
    }

    /// Moves a manual clock; the machine's own is left alone.
    pub fn set(&self, moment: DateTime<Utc>) {
        if let Self::Manual(at) = self {
            at.store(moment.timestamp_millis(), Ordering::SeqCst);
        }
    }

    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            Self::Manual(at) => {
                DateTime::from_timestamp_millis(at.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }
}

/// The day in Europe/London, by which rights and duties begin and end.
#[must_use]
pub fn day_in_london(moment: DateTime<Utc>) -> NaiveDate {
    moment.with_timezone(&London).date_naive()
}

/// The moment at which a day begins in Europe/London.
#[must_use]
pub fn midnight_in_london(day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    let here = London.from_local_datetime(&midnight).earliest();
    here.map_or_else(|| midnight.and_utc(), |here| here.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summer_day_begins_an_hour_before_midnight_utc() {
        let moment = "2026-06-30T23:00:00Z".parse().unwrap();
        assert_eq!(day_in_london(moment).to_string(), "2026-07-01");
    }

    #[test]
    fn a_winter_day_begins_at_midnight_utc() {
        let moment = "2026-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(day_in_london(moment).to_string(), "2026-12-31");
    }

    #[test]
    fn a_day_begins_at_midnight_in_london() {
        let begins = |day: &str| midnight_in_london(day.parse().unwrap()).to_rfc3339();
        assert_eq!(begins("2026-11-22"), "2026-11-22T00:00:00+00:00");
        assert_eq!(begins("2026-07-01"), "2026-06-30T23:00:00+00:00");
    }
}
