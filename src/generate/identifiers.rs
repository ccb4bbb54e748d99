//! Identifiers that are right in form, and none of which can be anybody's.

use population::{Chance, Child};

use super::services::Work;
use crate::demo::identifiers::{nhs_check, upn_check};

/// The identifiers of a child, with their kinds.
pub(super) fn identifiers(
    chance: &mut Chance,
    child: &Child,
    authority: &str,
    services: &[Work],
) -> Vec<(&'static str, String)> {
    let mut found = Vec::with_capacity(3);
    let mut add = |kind, value: Option<String>| found.extend(value.map(|value| (kind, value)));
    let with = |service| services.iter().any(|work| work.service == service);
    if chance.in_share(0.985) {
        add("nhsNumber", nhs_number(child.number));
    }
    if with("school") && chance.in_share(0.975) {
        add("upn", upn(authority, child.number));
    }
    if with("socialCare") {
        add("childReference", Some(format!("CR{:08}", child.number)));
    }
    found
}

/// A number that begins with 9, as none does that is given out. One in eleven has no check digit; the next is taken then, and where
/// that has none either, the child has no number.
fn nhs_number(child: u64) -> Option<String> {
    (0..2).find_map(|n| {
        let nine = format!("9{:08}", ((child * 2 + n) * 61_803_399 + 27_182_818) % 100_000_000);
        nhs_check(&nine).map(|check| format!("{nine}{check}"))
    })
}

/// A pupil number of a school that does not exist: their numbers begin with 9.
fn upn(authority: &str, child: u64) -> Option<String> {
    let (school, serial) = (child / 1000, child % 1000);
    let twelve = format!("{authority}{}{:02}{serial:03}", 9001 + school % 900, school / 900);
    upn_check(&twelve).map(|check| format!("{check}{twelve}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::child::identifier::{Identifier, IdentifierKind};

    #[test]
    fn numbers_are_right_in_form_and_each_is_given_once() {
        let every = (0..20_000_000).step_by(997);
        let (mut seen, mut without) = (HashSet::new(), 0);
        for child in every {
            let upn = upn("887", child).unwrap();
            assert!(Identifier::parse(IdentifierKind::Upn, &upn).is_ok(), "{upn}");
            assert!(seen.insert(upn));
            match nhs_number(child) {
                Some(number) => {
                    assert!(
                        Identifier::parse(IdentifierKind::NhsNumber, &number).is_ok(),
                        "{number}"
                    );
                    assert!(seen.insert(number));
                }
                None => without += 1,
            }
        }
        assert!(without < 20_060 / 100, "{without}");
    }
}
