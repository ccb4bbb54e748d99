//! Working days in England and Wales: not a Saturday, a Sunday or a bank holiday (Banking and Financial Dealings Act 1971, with
//! the days that custom and proclamations add).

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Bank holidays that were proclaimed for one year.
const PROCLAIMED: [(i32, u32, u32); 11] = [
    (1999, 12, 31),
    (2002, 6, 3),
    (2002, 6, 4),
    (2011, 4, 29),
    (2012, 6, 4),
    (2012, 6, 5),
    (2020, 5, 8),
    (2022, 6, 2),
    (2022, 6, 3),
    (2022, 9, 19),
    (2023, 5, 8),
];

/// Years whose bank holiday of early May was moved.
const NO_EARLY_MAY: [i32; 2] = [1995, 2020];

/// Years whose bank holiday of late May was moved.
const NO_LATE_MAY: [i32; 3] = [2002, 2012, 2022];

/// The last of the `count` working days that follow a day.
#[must_use]
pub fn add_working_days(day: NaiveDate, count: u32) -> NaiveDate {
    let mut following = day.iter_days().skip(1).filter(|day| is_working_day(*day));
    match count.checked_sub(1) {
        Some(before) => following.nth(before as usize).unwrap_or(day),
        None => day,
    }
}

/// Whether most people work on a day.
#[must_use]
pub fn is_working_day(day: NaiveDate) -> bool {
    !is_weekend(day) && !is_bank_holiday(day)
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

fn is_bank_holiday(day: NaiveDate) -> bool {
    let (year, month) = (day.year(), day.month());
    let from_easter = easter(year).map(|easter| (day - easter).num_days());
    let monday = day.weekday() == Weekday::Mon;
    let last_of_31 = monday && day.day() > 24;
    PROCLAIMED.contains(&(year, month, day.day()))
        || matches!(from_easter, Some(-2 | 1))
        || month == 5 && monday && day.day() <= 7 && !NO_EARLY_MAY.contains(&year)
        || month == 5 && last_of_31 && !NO_LATE_MAY.contains(&year)
        || month == 8 && last_of_31
        || is_new_year(day)
        || is_christmas(day)
}

/// New Year's Day, or the Monday after a weekend on which it falls.
fn is_new_year(day: NaiveDate) -> bool {
    day.month() == 1
        && (day.day() == 1 || day.weekday() == Weekday::Mon && matches!(day.day(), 2 | 3))
}

/// Christmas Day and Boxing Day, and for each that falls on a weekend the next weekday that is neither.
fn is_christmas(day: NaiveDate) -> bool {
    let substitute = match day.day() {
        25 | 26 => true,
        27 | 28 => matches!(day.weekday(), Weekday::Mon | Weekday::Tue),
        _ => false,
    };
    day.month() == 12 && substitute
}

/// Easter Sunday of a year of the Gregorian calendar (Meeus, Jones and Butcher).
fn easter(year: i32) -> Option<NaiveDate> {
    let (cycle, century, rest) = (year % 19, year / 100, year % 100);
    let correction = century - century / 4 - (century - (century + 8) / 25 + 1) / 3;
    let moon = (19 * cycle + correction + 15) % 30;
    let sunday = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    let early = (cycle + 11 * moon + 22 * sunday) / 451;
    let days = u64::try_from(moon + sunday - 7 * early).ok()?;
    NaiveDate::from_ymd_opt(year, 3, 22)?.checked_add_days(Days::new(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// As published at gov.uk/bank-holidays for England and Wales.
    const PUBLISHED: &str = "
        2019-01-01 2019-04-19 2019-04-22 2019-05-06 2019-05-27 2019-08-26 2019-12-25 2019-12-26
        2020-01-01 2020-04-10 2020-04-13 2020-05-08 2020-05-25 2020-08-31 2020-12-25 2020-12-28
        2021-01-01 2021-04-02 2021-04-05 2021-05-03 2021-05-31 2021-08-30 2021-12-27 2021-12-28
        2022-01-03 2022-04-15 2022-04-18 2022-05-02 2022-06-02 2022-06-03 2022-08-29 2022-09-19 2022-12-26 2022-12-27
        2023-01-02 2023-04-07 2023-04-10 2023-05-01 2023-05-08 2023-05-29 2023-08-28 2023-12-25 2023-12-26
        2024-01-01 2024-03-29 2024-04-01 2024-05-06 2024-05-27 2024-08-26 2024-12-25 2024-12-26
        2025-01-01 2025-04-18 2025-04-21 2025-05-05 2025-05-26 2025-08-25 2025-12-25 2025-12-26
        2026-01-01 2026-04-03 2026-04-06 2026-05-04 2026-05-25 2026-08-31 2026-12-25 2026-12-28
        2027-01-01 2027-03-26 2027-03-29 2027-05-03 2027-05-31 2027-08-30 2027-12-27 2027-12-28";

    #[test]
    fn the_bank_holidays_are_those_published() {
        let published: Vec<_> = PUBLISHED.split_whitespace().map(day).collect();
        let ours: Vec<_> = day("2019-01-01")
            .iter_days()
            .take_while(|day| day.year() < 2028)
            .filter(|day| !is_weekend(*day) && is_bank_holiday(*day))
            .collect();
        assert_eq!(ours, published);
    }

    #[test]
    fn the_proclaimed_days_before_were_kept_too() {
        for (holiday, worked) in [("2011-04-29", "2011-04-28"), ("2012-06-05", "2012-05-28")] {
            assert!(!is_working_day(day(holiday)) && is_working_day(day(worked)));
        }
    }

    #[test]
    fn easter_falls_where_the_tables_have_it() {
        for text in ["1818-03-22", "2000-04-23", "2008-03-23", "2011-04-24", "2038-04-25"] {
            assert_eq!(easter(day(text).year()), Some(day(text)));
        }
    }

    #[test]
    fn working_days_are_counted_from_the_next_one() {
        for (from, count, to) in [
            ("2026-11-16", 5, "2026-11-23"),
            ("2026-11-20", 1, "2026-11-23"),
            ("2026-11-21", 1, "2026-11-23"),
            ("2026-12-23", 5, "2027-01-04"),
            ("2026-04-02", 1, "2026-04-07"),
            ("2022-05-31", 2, "2022-06-06"),
            ("2026-11-16", 0, "2026-11-16"),
        ] {
            assert_eq!(add_working_days(day(from), count), day(to), "{from} {count}");
        }
    }
}
