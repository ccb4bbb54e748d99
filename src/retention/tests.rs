//! What holds of every date.

use proptest::prelude::*;

use super::*;
use crate::child::birth::DatePrecision;

fn days() -> impl Strategy<Value = NaiveDate> {
    (0..20_000_u64).prop_map(|n| NaiveDate::from_ymd_opt(1990, 1, 1).unwrap() + Days::new(n))
}

fn holds() -> impl Strategy<Value = Vec<Held>> {
    let hold = (0..5_000_u64, 0..731_u64).prop_map(|(from, length)| {
        let from = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + Days::new(from);
        Held { from, until: from + Days::new(length) }
    });
    prop::collection::vec(hold, 0..6)
}

proptest! {
    #[test]
    fn an_anniversary_is_the_same_day_or_the_first_of_march(day in days(), years in 0..30_i32) {
        let later = anniversary(day, years);
        prop_assert_eq!(later.year(), day.year() + years);
        let same = (later.month(), later.day()) == (day.month(), day.day());
        prop_assert!(same || ((day.month(), day.day()) == (2, 29) && (later.month(), later.day()) == (3, 1)));
    }

    #[test]
    fn of_more_facts_nothing_is_kept_longer_but_by_consent(born in days(), died in days(), left in days(), until in days()) {
        let birth = DateOfBirth { date: born, precision: DatePrecision::Day, estimated: false };
        let plain = Facts { birth, died_on: None, left_on: None, stays: Vec::new() };
        let end = plain.end();
        let dead = Facts { died_on: Some(died), ..plain.clone() }.end();
        let away = Facts { left_on: Some(left), ..plain.clone() }.end();
        let stays = Facts { stays: vec![Stay { until: Some(until), withdrawn_on: None }], ..plain }.end();
        prop_assert_eq!(end.day, birth.eighteenth_birthday());
        prop_assert!(dead.day <= end.day && away.day <= end.day);
        prop_assert!((end.day..=birth.twenty_fifth_birthday()).contains(&stays.day));
    }

    #[test]
    fn a_withdrawal_archives_the_next_day_and_never_before_the_eighteenth_birthday(born in days(), after in 0..9_000_u64) {
        let birth = DateOfBirth { date: born, precision: DatePrecision::Day, estimated: false };
        let withdrawn = born + Days::new(after);
        let stays = vec![Stay { until: None, withdrawn_on: Some(withdrawn) }];
        let end = Facts { birth, died_on: None, left_on: None, stays }.end().day;
        let next = (withdrawn + Days::new(1)).min(birth.twenty_fifth_birthday());
        prop_assert_eq!(end, next.max(birth.eighteenth_birthday()));
    }

    #[test]
    fn before_a_purge_is_due_six_years_of_days_have_passed_under_no_hold(since in days(), holds in holds()) {
        let due = purge_due_on(since, &holds);
        let (base, mut day, mut free) = (anniversary(since, 6), since, 0);
        while day < due {
            free += i64::from(!holds.iter().any(|hold| hold.on(day)));
            day = day + Days::new(1);
        }
        prop_assert_eq!(free, (base - since).num_days());
        prop_assert!(!holds.iter().any(|hold| hold.on(due - Days::new(1))), "the day before it was due counted");
    }

    #[test]
    fn what_is_said_today_archives_tomorrow_at_the_earliest(born in days(), today in days()) {
        let birth = DateOfBirth { date: born, precision: DatePrecision::Day, estimated: false };
        let facts = Facts { birth, died_on: None, left_on: None, stays: Vec::new() };
        let end = facts.end_from(today);
        prop_assert!(end.day > today);
        prop_assert_eq!(end.day, facts.end().day.max(today + Days::new(1)));
    }
}
