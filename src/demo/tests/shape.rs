//! The shape of the rows, written down a second time by hand.

use chrono::{Months, NaiveDate};
use serde_json::Value;

use super::today;
use crate::demo::{
    identifiers::{nhs_check, uln_check, upn_check},
    seen::fold,
};

const UNIVERSAL: [&str; 6] =
    ["earlyYears", "school", "college", "generalPractice", "healthVisiting", "schoolNursing"];
const ADDITIONAL: [&str; 11] = [
    "socialCare",
    "earlyHelp",
    "educationWelfare",
    "youthJustice",
    "police",
    "paediatrics",
    "speechAndLanguageTherapy",
    "communityHealth",
    "familySupport",
    "youthService",
    "housing",
];

pub(super) fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).map_or(&[], |list| list.as_array().unwrap())
}

pub(super) fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_else(|| panic!("{key} is missing in {of}"))
}

pub(super) fn day(of: &Value, key: &str) -> NaiveDate {
    text(of, key).parse().unwrap()
}

/// Every member is one of these, and those without a question mark are there.
pub(super) fn has_shape(of: &Value, members: &str) {
    let known: Vec<&str> = members.split(' ').collect();
    for key in of.as_object().unwrap().keys() {
        assert!(known.iter().any(|k| k.trim_end_matches('?') == key), "{key} in {of}");
    }
    for key in known.iter().filter(|key| !key.ends_with('?')) {
        assert!(of.get(key).is_some(), "{key} is missing in {of}");
    }
}

fn is_one_of(of: &Value, key: &str, words: &str) {
    assert!(words.split(' ').any(|word| word == text(of, key)), "{key} in {of}");
}

pub(super) fn check_phone(phone: &str) {
    let ranges = ["01632 960", "020 7946 0", "07700 900", "0113 496 0", "0808 157 0"];
    let rest = ranges.iter().find_map(|range| phone.strip_prefix(range)).unwrap();
    assert!(rest.len() == 3 && rest.bytes().all(|b| b.is_ascii_digit()), "{phone}");
}

pub(super) fn check_email(email: &str) {
    let fictitious = ["@example.org", "@example.com", ".example"];
    assert!(fictitious.iter().any(|end| email.ends_with(end)), "{email}");
    let (local, _) = email.split_once('@').unwrap();
    assert!(local.split('.').all(|part| !part.is_empty() && fold(part) == part), "{email}");
}

fn check_name(name: &Value) {
    let given = list(name, "given");
    assert!((1..=5).contains(&given.len()));
    for part in given.iter().chain([&name["family"]]) {
        let part = part.as_str().unwrap();
        assert!((1..=35).contains(&part.chars().count()) && part.trim() == part);
        assert!(part.chars().all(|c| c.is_alphabetic() || " '-.".contains(c)), "{part}");
    }
}

fn check_address(address: &Value) {
    has_shape(address, "lines town postcode uprn?");
    assert!((1..=5).contains(&list(address, "lines").len()));
    let (outward, inward) = text(address, "postcode").split_once(' ').unwrap();
    let district = outward.strip_prefix("ME").map(|n| ("45678", n));
    let (digits, digit) =
        district.or_else(|| Some(("123456789", outward.strip_prefix("HU")?))).unwrap();
    assert!(digit.len() == 1 && digits.contains(digit), "{address}");
    assert!(inward.len() == 3 && inward.starts_with(|c: char| c.is_ascii_digit()));
    assert!(!inward[1..].contains(['C', 'I', 'K', 'M', 'O', 'V']));
    if let Some(uprn) = address.get("uprn").map(|u| u.as_str().unwrap()) {
        assert!(uprn.len() == 12 && uprn.starts_with('9'));
    }
}

fn check_whereabouts(whereabouts: &Value, born: NaiveDate) {
    match text(whereabouts, "kind") {
        "current" | "lastKnown" => {
            has_shape(whereabouts, "kind address");
            check_address(&whereabouts["address"]);
        }
        "noneKnown" => has_shape(whereabouts, "kind"),
        "leftEngland" => {
            has_shape(whereabouts, "kind leftOn return");
            is_one_of(whereabouts, "return", "intends doesNotIntend notKnown");
            assert!((born..=today()).contains(&day(whereabouts, "leftOn")));
        }
        kind => panic!("{kind}"),
    }
}

fn check_carer(carer: &Value) {
    has_shape(carer, "name relationship parentalResponsibility phones emails address?");
    check_name(&carer["name"]);
    let words = "mother father stepParent grandparent fosterCarer guardian otherRelative other";
    is_one_of(carer, "relationship", words);
    assert!(carer["parentalResponsibility"].is_boolean());
    for phone in list(carer, "phones") {
        check_phone(phone.as_str().unwrap());
    }
    for email in list(carer, "emails") {
        check_email(email.as_str().unwrap());
    }
    carer.get("address").into_iter().for_each(check_address);
}

fn check_identifier(identifier: &Value, born: NaiveDate) {
    has_shape(identifier, "kind value");
    let value = text(identifier, "value");
    let age = today().years_since(born).unwrap();
    match text(identifier, "kind") {
        "nhsNumber" => {
            assert!(value.len() == 10 && value.starts_with("999"));
            assert_eq!(nhs_check(&value[..9]).unwrap().to_string(), value[9..]);
        }
        "upn" => {
            assert!(value.len() == 13 && ["887", "810"].contains(&&value[1..4]));
            assert_eq!(upn_check(&value[1..]).unwrap().to_string(), value[..1]);
        }
        "uln" => {
            assert!(value.len() == 10 && age >= 14);
            assert_eq!(uln_check(&value[..9]).unwrap().to_string(), value[9..]);
        }
        "nationalInsuranceNumber" => {
            assert!(value.len() == 9 && value.starts_with("MW") && age >= 16);
            assert!(
                value[2..8].bytes().all(|b| b.is_ascii_digit())
                    && value.ends_with(['A', 'B', 'C', 'D'])
            );
        }
        "childReference" => assert!(value.len() == 10 && value.starts_with("CR")),
        kind => panic!("{kind}"),
    }
}

fn check_involvement(involvement: &Value, born: NaiveDate) {
    has_shape(
        involvement,
        "organisation serviceType contact startedOn endedOn? confirmedOn? flags?",
    );
    let contact = &involvement["contact"];
    has_shape(contact, "practitioner? team? officeHours outOfHours? email?");
    assert!(contact.get("practitioner").or(contact.get("team")).is_some());
    let phones = [contact.get("officeHours"), contact.get("outOfHours")];
    phones.into_iter().flatten().for_each(|phone| check_phone(phone.as_str().unwrap()));
    contact.get("email").into_iter().for_each(|email| check_email(email.as_str().unwrap()));
    let service = text(involvement, "serviceType");
    assert!(UNIVERSAL.contains(&service) || ADDITIONAL.contains(&service));
    let started = day(involvement, "startedOn");
    assert!((born..=today()).contains(&started), "{involvement}");
    for key in ["endedOn", "confirmedOn"] {
        if involvement.get(key).is_some() {
            assert!((started..=today()).contains(&day(involvement, key)), "{involvement}");
        }
    }
    for flag in list(involvement, "flags") {
        has_shape(flag, "flag setOn expiresOn");
        is_one_of(
            flag,
            "flag",
            "informationToShare takingAction assessmentUndertaken leadProfessional",
        );
        let set = day(flag, "setOn");
        assert!(involvement.get("endedOn").is_none() && (started..=today()).contains(&set));
        let expires = day(flag, "expiresOn");
        assert!(set < expires && expires <= set + Months::new(6));
    }
}

/// How old somebody is at most: but for the one whose record is archived, a child.
pub(super) fn last_age(child: &Value) -> u32 {
    let archived = list(child, "names").iter().any(|name| name["family"] == "Ravensdale");
    if archived { 18 } else { 17 }
}

pub(super) fn check_child(child: &Value) {
    has_shape(
        child,
        "names dateOfBirth dateOfBirthPrecision? dateOfBirthEstimated? gender whereabouts formerWhereabouts? \
         identifiers carers responsibleAuthority withoutService? involvements",
    );
    let born = day(child, "dateOfBirth");
    assert!(born <= today() && today().years_since(born).unwrap() <= last_age(child), "{child}");
    is_one_of(child, "gender", "female male notSpecified");
    is_one_of(child, "responsibleAuthority", "887 810");
    for name in list(child, "names") {
        has_shape(name, "kind given family");
        is_one_of(name, "kind", "current former knownAs");
        check_name(name);
    }
    assert_eq!(list(child, "names").iter().filter(|name| name["kind"] == "current").count(), 1);
    check_whereabouts(&child["whereabouts"], born);
    let mut last = born;
    for former in list(child, "formerWhereabouts") {
        check_whereabouts(&former["whereabouts"], born);
        assert!((last..=today()).contains(&day(former, "until")), "{child}");
        last = day(former, "until");
    }
    for identifier in list(child, "identifiers") {
        check_identifier(identifier, born);
    }
    assert!(!list(child, "carers").is_empty());
    list(child, "carers").iter().for_each(check_carer);
    for involvement in list(child, "involvements") {
        check_involvement(involvement, born);
    }
    let flags = list(child, "involvements").iter().flat_map(|i| list(i, "flags"));
    assert!(flags.filter(|flag| flag["flag"] == "leadProfessional").count() <= 1);
    for without in list(child, "withoutService") {
        assert!(["school", "generalPractice"].contains(&without.as_str().unwrap()));
        let has = |i: &Value| i["serviceType"] == *without && i.get("endedOn").is_none();
        assert!(!list(child, "involvements").iter().any(has));
    }
}
