//! By when a request is answered (UK GDPR, articles 12 and 12A): on the same day of the next month, the last day where that month has
//! no such day, and the next working day in England and Wales where that is none.

use chrono::{Months, NaiveDate};

use crate::working_day::is_working_day;

/// How many months a request may take, and how many where it is extended.
const MONTHS: u32 = 1;
const EXTENDED: u32 = 3;

/// From when the time counts: from the day on which the request was received; where whoever asks had to prove who they are, from the
/// day on which they did.
#[must_use]
pub fn starts_on(
    received: NaiveDate,
    identity_asked: Option<NaiveDate>,
    identity_proven: Option<NaiveDate>,
) -> NaiveDate {
    identity_asked.and(identity_proven).map_or(received, |proven| proven.max(received))
}

/// The last day on which a request whose time counts from a day is answered in time.
#[must_use]
pub fn due_on(starts: NaiveDate, extended: bool) -> NaiveDate {
    let months = if extended { EXTENDED } else { MONTHS };
    let day = starts.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX);
    day.iter_days().find(|day| is_working_day(*day)).unwrap_or(day)
}
