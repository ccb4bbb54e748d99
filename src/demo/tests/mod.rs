//! What the demo promises, checked on its rows as anyone would read them.

use std::collections::{HashMap, HashSet};

use chrono::{Datelike, NaiveDate};
use serde_json::Value;

use self::shape::{check_child, check_email, check_phone, day, has_shape, last_age, list, text};
use super::{Demo, seen::fold};

mod shape;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
}

fn demo(children: u32) -> Demo {
    Demo { seed: 42, children, today: today() }
}

fn of_kind(demo: Demo, kind: &str) -> Vec<Value> {
    demo.rows().filter_map(|mut row| row.get_mut(kind).map(Value::take)).collect()
}

fn children(number: u32) -> Vec<Value> {
    of_kind(demo(number), "child")
}

fn current(child: &Value) -> &Value {
    list(child, "names").iter().find(|name| name["kind"] == "current").unwrap()
}

/// The share of children of whom this is true, in a thousand.
fn permille(children: &[Value], is: impl Fn(&Value) -> bool) -> usize {
    children.iter().filter(|child| is(child)).count() * 1000 / children.len()
}

#[test]
fn the_same_seed_makes_the_same_rows_and_another_seed_others() {
    let rows = |seed| Demo { seed, ..demo(500) }.rows().collect::<Vec<_>>();
    assert_eq!(rows(1), rows(1));
    assert_ne!(rows(1), rows(2));
}

#[test]
fn a_smaller_demo_is_nearly_the_beginning_of_a_larger_one() {
    assert_eq!(children(50), children(500)[..50]);
}

#[test]
fn there_are_as_many_children_as_asked_for_and_organisations_come_first() {
    for number in [0, 1, 777] {
        assert_eq!(children(number).len(), usize::try_from(number).unwrap());
    }
    let rows: Vec<Value> = demo(20).rows().collect();
    let first_child = rows.iter().position(|row| row.get("child").is_some()).unwrap();
    assert!(rows[first_child..].iter().all(|row| row.get("child").is_some()));
    assert!(rows[..first_child].iter().all(|row| row.get("organisation").is_some()));
}

#[test]
fn every_organisation_has_its_shape_and_its_own_code() {
    let organisations = of_kind(demo(0), "organisation");
    let mut kinds = HashMap::new();
    let mut codes = HashSet::new();
    for organisation in &organisations {
        has_shape(organisation, "kind name codes authority? officeHours duty email?");
        has_shape(&organisation["codes"], "authority? gss? urn? laestab? ods? reference?");
        let kind = text(organisation, "kind");
        *kinds.entry(kind).or_insert(0) += 1;
        assert_eq!(organisation.get("authority").is_none(), kind == "nationalPartner");
        check_phone(text(organisation, "officeHours"));
        check_phone(text(organisation, "duty"));
        organisation
            .get("email")
            .into_iter()
            .for_each(|email| check_email(email.as_str().unwrap()));
        for (scheme, code) in organisation["codes"].as_object().unwrap() {
            let code = code.as_str().unwrap();
            assert!(
                (1..=35).contains(&code.len()) && codes.insert((scheme, code)),
                "{organisation}"
            );
        }
        assert!(kind == "localAuthority" || text(organisation, "name").ends_with("(demo)"));
    }
    let counts = [
        ("localAuthority", 154),
        ("school", 120),
        ("gpPractice", 50),
        ("healthTrust", 6),
        ("policeForce", 2),
        ("charity", 20),
        ("nationalPartner", 2),
    ];
    assert_eq!(kinds, counts.into());
    let hull = organisations.iter().find(|o| o["codes"]["authority"] == "810").unwrap();
    assert_eq!(
        (text(hull, "name"), &hull["codes"]["gss"]),
        ("Kingston upon Hull, City of", &"E06000010".into())
    );
}

#[test]
fn every_child_has_its_shape_and_is_consistent() {
    for seed in 0..2 {
        of_kind(Demo { seed, ..demo(5_000) }, "child").iter().for_each(check_child);
    }
}

#[test]
fn children_are_lifelike_on_any_day() {
    for (year, month, day) in [(2024, 2, 29), (2026, 9, 1), (2027, 1, 1)] {
        let today = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        for child in of_kind(Demo { seed: 7, children: 2_000, today }, "child") {
            let born: NaiveDate = text(&child, "dateOfBirth").parse().unwrap();
            assert!(born <= today && today.years_since(born).unwrap() <= last_age(&child));
            for involvement in list(&child, "involvements") {
                let started: NaiveDate = text(involvement, "startedOn").parse().unwrap();
                assert!((born..=today).contains(&started));
            }
        }
    }
}

#[test]
fn involvements_are_with_organisations_of_the_childs_own_authority() {
    let rows: Vec<Value> = demo(5_000).rows().collect();
    let mut places = HashMap::new();
    for organisation in rows.iter().filter_map(|row| row.get("organisation")) {
        for (scheme, code) in organisation["codes"].as_object().unwrap() {
            let place = organisation.get("authority").map(|code| code.as_str().unwrap());
            places.insert(format!("{scheme}:{}", code.as_str().unwrap()), place);
        }
    }
    for child in rows.iter().filter_map(|row| row.get("child")) {
        for involvement in list(child, "involvements") {
            let place = places[text(involvement, "organisation")];
            assert!(place.is_none_or(|place| place == text(child, "responsibleAuthority")));
        }
    }
}

#[test]
fn nobody_shares_an_identifier_or_a_name_and_date_of_birth() {
    let mut identifiers = HashSet::new();
    let mut people = HashSet::new();
    for child in children(20_000) {
        let name = current(&child);
        let first = list(name, "given")[0].as_str().unwrap();
        let person =
            (fold(first), fold(text(name, "family")), text(&child, "dateOfBirth").to_owned());
        assert!(people.insert(person), "{name}");
        for identifier in list(&child, "identifiers") {
            assert!(identifiers.insert(identifier.to_string()), "{identifier}");
        }
    }
}

#[test]
fn shares_are_about_as_in_life() {
    let all = children(10_000);
    let has_name =
        |kind: &'static str| permille(&all, |c| list(c, "names").iter().any(|n| n["kind"] == kind));
    let stays = |kind: &str| permille(&all, |c| c["whereabouts"]["kind"] == kind);
    let involvements: usize = all.iter().map(|c| list(c, "involvements").len()).sum();
    let is_flagged =
        |c: &Value| list(c, "involvements").iter().any(|i| !list(i, "flags").is_empty());
    let shares = [
        ("former name", has_name("former"), 50..=70),
        ("known as", has_name("knownAs"), 35..=65),
        ("moved", permille(&all, |c| !list(c, "formerWhereabouts").is_empty()), 200..=300),
        ("last known", stays("lastKnown"), 5..=15),
        ("none known", stays("noneKnown"), 5..=15),
        ("left England", stays("leftEngland"), 5..=15),
        ("imprecise", permille(&all, |c| c.get("dateOfBirthPrecision").is_some()), 1..=10),
        ("without a service", permille(&all, |c| c.get("withoutService").is_some()), 5..=15),
        ("flagged", permille(&all, is_flagged), 40..=60),
        ("involvements", involvements * 1000 / all.len(), 3_000..=4_000),
    ];
    for (what, share, expected) in shares {
        assert!(expected.contains(&share), "{what}: {share}");
    }
    for age in 0..18 {
        let of_age = |c: &Value| today().years_since(day(c, "dateOfBirth")) == Some(age);
        assert!((45..=67).contains(&permille(&all, of_age)), "{age}");
    }
    let lapsed = |f: &Value| day(f, "expiresOn") < today();
    let flags = || all.iter().flat_map(|c| list(c, "involvements")).flat_map(|i| list(i, "flags"));
    assert!((1..flags().count() / 5).contains(&flags().filter(|f| lapsed(f)).count()));
}

#[test]
fn names_have_marks_accents_and_two_barrels() {
    let all = children(5_000);
    for mark in ["'", "-", " ", "ń", "é"] {
        assert!(all.iter().any(|child| current(child).to_string().contains(mark)), "{mark}");
    }
}

#[test]
fn there_are_twins_with_different_given_names() {
    let all = children(10_000);
    let twins = all.windows(2).filter(|pair| {
        pair[0]["dateOfBirth"] == pair[1]["dateOfBirth"] && pair[0]["carers"] == pair[1]["carers"]
    });
    let pairs: Vec<_> = twins.collect();
    assert!((100..=200).contains(&pairs.len()), "{}", pairs.len());
    for pair in pairs {
        assert_ne!(list(current(&pair[0]), "given")[0], list(current(&pair[1]), "given")[0]);
        assert_eq!(current(&pair[0])["family"], current(&pair[1])["family"]);
    }
}

#[test]
fn the_example_search_finds_the_showpiece_child_alone() {
    let search = demo(0).example_search();
    let all = children(5_000);
    let is_found = |child: &&Value| {
        let is_named = |name: &Value| {
            name["given"][0] == search["name"]["given"][0]
                && name["family"] == search["name"]["family"]
        };
        child["dateOfBirth"] == search["dateOfBirth"] && list(child, "names").iter().any(is_named)
    };
    assert_eq!(all.iter().filter(is_found).count(), 1);
    let amy = &all[0];
    assert!(is_found(&amy));
    let services: Vec<&str> =
        list(amy, "involvements").iter().map(|i| text(i, "serviceType")).collect();
    assert_eq!(services, ["school", "generalPractice", "schoolNursing", "socialCare", "police"]);
    assert_eq!(list(amy, "names").len(), 2);
    assert_eq!(list(amy, "formerWhereabouts").len(), 1);
    assert_eq!(list(amy, "carers"), list(&all[1], "carers"));
    assert_eq!(all[2]["dateOfBirth"], all[3]["dateOfBirth"]);
    let families = ["Larkfield", "Sandholme", "Fernhollow", "Elmsworth", "Ravensdale"];
    assert!(all[7..].iter().all(|c| !families.contains(&text(current(c), "family"))));
    assert_eq!(day(amy, "dateOfBirth").year(), today().year() - 11);
}

#[test]
fn three_children_stand_for_what_is_hidden_and_what_ends() {
    let all = children(7);
    let known: Vec<_> = all[4..]
        .iter()
        .map(|c| (text(current(c), "family"), today().years_since(day(c, "dateOfBirth")).unwrap()))
        .collect();
    assert_eq!(known, [("Fernhollow", 9), ("Elmsworth", 15), ("Ravensdale", 18)]);
    assert_eq!(day(&all[6], "dateOfBirth"), NaiveDate::from_ymd_opt(2008, 9, 22).unwrap());
}
