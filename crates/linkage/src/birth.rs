//! How two dates of birth agree.

use crate::{compare::Level, person::Birth, similarity::within_one_edit};

/// How two dates agree, and the share of children of whom that holds by chance where one of them is not wholly known.
pub(crate) fn level(a: Birth, b: Birth) -> (Level, f64) {
    let (Some(a_day), Some(b_day)) = (a.month_and_day(), b.month_and_day()) else {
        return (
            within(a, b),
            if a.month.and(b.month).is_some() { 1.0 / 216.0 } else { 1.0 / 18.0 },
        );
    };
    (whole(a, a_day, b, b_day), 0.0)
}

fn within(a: Birth, b: Birth) -> Level {
    let agree = |a: Option<u8>, b: Option<u8>| a.is_none() || b.is_none() || a == b;
    if a.year != b.year {
        Level::Different
    } else if agree(a.month, b.month) && agree(a.day, b.day) {
        Level::WithinWhatIsKnown
    } else {
        Level::SameYear
    }
}

fn whole(a: Birth, a_day: (u8, u8), b: Birth, b_day: (u8, u8)) -> Level {
    if a == b {
        return if a.is_placeholder() { Level::Placeholder } else { Level::Same };
    }
    if a.swapped() == Some(b) {
        return Level::Swapped;
    }
    let written = digits(b.year, b_day);
    if within_one_edit(&digits(a.year, a_day), &written) {
        return Level::OneDigit;
    }
    let parts = (a.year == b.year, a_day.0 == b_day.0, a_day.1 == b_day.1);
    match parts {
        (false, true, true) => Level::MonthAndDay,
        (true, true, false) | (true, false, true) => Level::TwoParts,
        _ if nearly_turned(a, written) || nearly_turned(b, digits(a.year, a_day)) => {
            Level::SwappedOneDigit
        }
        (true, false, false) => Level::SameYear,
        _ => Level::Different,
    }
}

/// Whether the date is that which is written but for day and month changed over and a digit.
fn nearly_turned(date: Birth, written: [u8; 8]) -> bool {
    let turned =
        date.swapped().and_then(|turned| Some(digits(turned.year, turned.month_and_day()?)));
    turned.is_some_and(|turned| within_one_edit(&turned, &written))
}

fn digits(year: i16, (month, day): (u8, u8)) -> [u8; 8] {
    let year = year.unsigned_abs();
    let of_year = |tens: u16| u8::try_from(year / tens % 10).unwrap_or_default();
    let tens = |part: u8| [part / 10, part % 10];
    let ([m1, m2], [d1, d2]) = (tens(month), tens(day));
    [of_year(1000), of_year(100), of_year(10), of_year(1), m1, m2, d1, d2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_agreeing_is_told_apart() {
        let on = |date: &str| {
            let mut parts = date.split('-').map(|part| part.parse::<i16>().unwrap());
            let mut part = || u8::try_from(parts.next().unwrap()).unwrap();
            let (day, month) = (part(), part());
            Birth::on(parts.next().unwrap(), month, day)
        };
        for (a, b, expected) in [
            ("14-3-2015", "14-3-2015", Level::Same),
            ("1-1-2015", "1-1-2015", Level::Placeholder),
            ("5-3-2015", "3-5-2015", Level::Swapped),
            ("14-3-2015", "15-3-2015", Level::OneDigit),
            ("14-3-2015", "14-3-2051", Level::OneDigit),
            ("12-10-2015", "21-10-2015", Level::OneDigit),
            ("14-3-2009", "14-3-2010", Level::MonthAndDay),
            ("14-3-2015", "28-3-2015", Level::TwoParts),
            ("14-3-2015", "14-12-2015", Level::TwoParts),
            ("5-3-2015", "3-6-2015", Level::SwappedOneDigit),
            ("14-3-2015", "27-9-2015", Level::SameYear),
            ("14-3-2015", "27-9-2008", Level::Different),
        ] {
            assert_eq!(level(on(a), on(b)).0, expected, "{a} {b}");
            assert_eq!(level(on(b), on(a)).0, expected, "{b} {a}");
        }
    }
}
