//! When a child was born, and when that ends the index's right to know the child.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{code::codes, word::Refusal};

codes! {
    /// How much of a date of birth is known.
    #[derive(Default)]
    DatePrecision {
        /// The very day.
        #[default]
        Day = "day",
        /// The month; the day says nothing.
        Month = "month",
        /// The year; month and day say nothing.
        Year = "year",
    }
}

codes! {
    /// A child's gender.
    Gender {
        /// Female.
        Female = "female",
        /// Male.
        Male = "male",
        /// Not recorded, not known, or neither.
        NotSpecified = "notSpecified",
    }
}

/// A date of birth with how much of it is known, as three members of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct DateOfBirth {
    /// The day of birth; where only the month or year is known, any day in it.
    #[serde(rename = "dateOfBirth")]
    #[schema(example = "2015-03-14")]
    pub date: NaiveDate,
    /// How much of the date is known.
    #[serde(rename = "dateOfBirthPrecision", default)]
    pub precision: DatePrecision,
    /// Whether the date is a guess.
    #[serde(rename = "dateOfBirthEstimated", default)]
    pub estimated: bool,
}

impl DateOfBirth {
    /// The date of birth of a child who may be in the index on the day `today`.
    pub fn check(&self, today: NaiveDate) -> Result<(), Refusal> {
        if self.earliest() > today {
            return Err(Refusal::because("The date of birth lies in the future."));
        }
        if self.twenty_fifth_birthday() < today {
            return Err(Refusal::because("The date of birth is more than 25 years ago."));
        }
        Ok(())
    }

    /// Whether the child may have been born on that day, as far as is known.
    #[must_use]
    pub fn covers(&self, day: NaiveDate) -> bool {
        (self.earliest()..=self.latest()).contains(&day)
    }

    /// The first day on which the child may have been born.
    #[must_use]
    pub fn earliest(&self) -> NaiveDate {
        let first = match self.precision {
            DatePrecision::Day => Some(self.date),
            DatePrecision::Month => self.date.with_day(1),
            DatePrecision::Year => NaiveDate::from_ymd_opt(self.date.year(), 1, 1),
        };
        first.unwrap_or(self.date)
    }

    /// The birth as it is kept: the first day stands for the month or the year that alone is known.
    #[must_use]
    pub fn kept(self) -> Self {
        Self { date: self.earliest(), ..self }
    }

    /// The last day on which the child may have been born.
    #[must_use]
    pub fn latest(&self) -> NaiveDate {
        let last = match self.precision {
            DatePrecision::Day => Some(self.date),
            DatePrecision::Month => {
                let next = self.earliest().checked_add_months(Months::new(1));
                next.and_then(|day| day.checked_sub_days(Days::new(1)))
            }
            DatePrecision::Year => NaiveDate::from_ymd_opt(self.date.year(), 12, 31),
        };
        last.unwrap_or(self.date)
    }

    /// The 18th birthday at the latest; 1 March for one born on 29 February.
    #[must_use]
    pub fn eighteenth_birthday(&self) -> NaiveDate {
        birthday(self.latest(), 18)
    }

    /// The 25th birthday at the latest; 1 March for one born on 29 February.
    #[must_use]
    pub fn twenty_fifth_birthday(&self) -> NaiveDate {
        birthday(self.latest(), 25)
    }
}

fn birthday(born: NaiveDate, years: i32) -> NaiveDate {
    let year = born.year() + years;
    NaiveDate::from_ymd_opt(year, born.month(), born.day())
        .or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
        .unwrap_or(NaiveDate::MAX)
}

impl fmt::Debug for DateOfBirth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DateOfBirth(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn born(date: &str, precision: DatePrecision) -> DateOfBirth {
        DateOfBirth { date: day(date), precision, estimated: false }
    }

    #[test]
    fn a_child_is_born_not_in_the_future_and_not_over_25_years_ago() {
        for (date, precision, today, fits) in [
            ("2026-11-22", DatePrecision::Day, "2026-11-22", true),
            ("2026-11-23", DatePrecision::Day, "2026-11-22", false),
            ("2026-11-30", DatePrecision::Month, "2026-11-22", true),
            ("2026-12-01", DatePrecision::Month, "2026-11-22", false),
            ("2026-12-31", DatePrecision::Year, "2026-11-22", true),
            ("2001-11-22", DatePrecision::Day, "2026-11-22", true),
            ("2001-11-21", DatePrecision::Day, "2026-11-22", false),
            ("2001-11-01", DatePrecision::Month, "2026-11-22", true),
            ("2001-01-01", DatePrecision::Year, "2026-11-22", true),
            ("2000-12-31", DatePrecision::Year, "2026-11-22", false),
            ("2004-02-29", DatePrecision::Day, "2029-03-01", true),
            ("2004-02-29", DatePrecision::Day, "2029-03-02", false),
        ] {
            assert_eq!(born(date, precision).check(day(today)).is_ok(), fits, "{date} {precision}");
        }
    }

    #[test]
    fn a_birthday_on_29_february_falls_on_1_march_unless_there_is_one() {
        assert_eq!(born("2008-02-29", DatePrecision::Day).eighteenth_birthday(), day("2026-03-01"));
        assert_eq!(
            born("2008-02-29", DatePrecision::Day).twenty_fifth_birthday(),
            day("2033-03-01")
        );
        assert_eq!(born("2015-03-14", DatePrecision::Day).eighteenth_birthday(), day("2033-03-14"));
        assert_eq!(birthday(day("2008-02-29"), 4), day("2012-02-29"));
    }

    #[test]
    fn nobody_comes_of_age_before_all_who_fit_the_date() {
        assert_eq!(
            born("2008-02-01", DatePrecision::Month).eighteenth_birthday(),
            day("2026-03-01")
        );
        assert_eq!(
            born("2008-04-09", DatePrecision::Month).eighteenth_birthday(),
            day("2026-04-30")
        );
        assert_eq!(
            born("2008-01-01", DatePrecision::Year).eighteenth_birthday(),
            day("2026-12-31")
        );
    }

    #[test]
    fn precision_says_which_days_fit() {
        for (precision, same_day, same_month, same_year) in [
            (DatePrecision::Day, true, false, false),
            (DatePrecision::Month, true, true, false),
            (DatePrecision::Year, true, true, true),
        ] {
            let born = born("2015-03-14", precision);
            assert_eq!(born.covers(day("2015-03-14")), same_day);
            assert_eq!(born.covers(day("2015-03-31")), same_month);
            assert_eq!(born.covers(day("2015-12-31")), same_year);
            assert!(!born.covers(day("2016-03-14")));
        }
    }

    #[test]
    fn its_members_are_the_records_own() {
        #[derive(Serialize, Deserialize)]
        struct Record {
            gender: Gender,
            #[serde(flatten)]
            born: DateOfBirth,
        }
        let told = json!({ "gender": "notSpecified", "dateOfBirth": "2015-03-14" });
        let record: Record = serde_json::from_value(told).unwrap();
        assert_eq!(record.born, born("2015-03-14", DatePrecision::Day));
        assert_eq!(
            serde_json::to_value(&record).unwrap(),
            json!({
                "gender": "notSpecified",
                "dateOfBirth": "2015-03-14",
                "dateOfBirthPrecision": "day",
                "dateOfBirthEstimated": false,
            })
        );
        assert_eq!(format!("{:?}", record.born), "DateOfBirth(…)");
    }

    proptest! {
        #[test]
        fn no_date_makes_the_rules_panic(days: i32, today: i32, precision in 0..3_usize) {
            let date = |days| NaiveDate::from_epoch_days(days).unwrap_or(if days < 0 { NaiveDate::MIN } else { NaiveDate::MAX });
            let born = DateOfBirth { date: date(days), precision: DatePrecision::ALL[precision], estimated: true };
            prop_assert!(born.covers(born.date));
            prop_assert!(born.eighteenth_birthday() <= born.twenty_fifth_birthday());
            let _ = born.check(date(today));
        }
    }
}
