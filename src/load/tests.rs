//! The rules that a row keeps by itself.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::Row;
use crate::{array::array, demo::Demo};

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
}

fn child() -> Value {
    json!({ "child": {
        "names": [{ "kind": "current", "given": ["Testy"], "family": "Example" }],
        "dateOfBirth": "2015-03-14",
        "gender": "female",
        "whereabouts": { "kind": "noneKnown" },
        "responsibleAuthority": "887",
        "involvements": [{
            "organisation": "urn:900001",
            "serviceType": "school",
            "contact": { "team": "Office", "officeHours": "01632 960001" },
            "startedOn": "2020-09-01",
        }],
    }})
}

/// The child, with one value put in its place.
fn with(pointer: &str, value: Value) -> Value {
    let mut row = child();
    let (at, member) = pointer.rsplit_once('/').unwrap();
    row.pointer_mut(at).unwrap().as_object_mut().unwrap().insert(member.to_owned(), value);
    row
}

fn refused(row: &Value) -> Vec<String> {
    let faults = Row::read(row.to_string().as_bytes(), today()).err().unwrap_or_default();
    let mut pointers: Vec<_> = faults.into_iter().map(|fault| fault.pointer).collect();
    pointers.dedup();
    pointers
}

#[test]
fn every_row_of_the_demo_is_read() {
    let demo = Demo { seed: 7, children: 300, today: today() };
    for row in demo.rows() {
        assert_eq!(refused(&row), Vec::<String>::new());
    }
}

#[test]
fn a_row_is_one_organisation_or_one_child() {
    assert!(Row::read(child().to_string().as_bytes(), today()).is_ok());
    assert_eq!(refused(&json!({})), [""]);
    assert_eq!(refused(&json!({ "child": null })), ["/child"]);
    assert_eq!(refused(&json!({ "adult": {} })), ["/adult"]);
    assert_eq!(refused(&json!([])).len(), 1);
    assert!(Row::read(b"{\"child\":", today()).is_err());
    assert!(Row::read(&vec![b' '; 70_000], today()).is_err());
    let twice = r#"{"child":{"gender":"male","gender":"male"}}"#;
    let faults = Row::read(twice.as_bytes(), today()).unwrap_err();
    assert_eq!(faults[0].pointer, "/child/gender");
}

#[test]
fn an_organisation_keeps_the_rules_of_the_api() {
    let said = json!({ "kind": "school", "name": "Example School", "codes": { "urn": "12" },
        "authority": "887", "officeHours": "01632 960001", "duty": "01632 960002" });
    assert_eq!(refused(&json!({ "organisation": said })), ["/organisation/codes/urn"]);
}

#[test]
fn a_fault_is_pointed_at() {
    for (pointer, value) in [
        ("/child/nickname", json!("Testy")),
        ("/child/indexNumber", json!("48271930566")),
        ("/child/distinctFrom", json!([])),
        ("/child/names", json!([])),
        ("/child/dateOfBirth", json!("2027-01-01")),
        ("/child/dateOfBirth", json!("1990-01-01")),
        ("/child/responsibleAuthority", json!(887)),
        (
            "/child/identifiers",
            json!([{ "kind": "nhsNumber", "value": "9990011117" }, { "kind": "nhsNumber", "value": "9990011117" }]),
        ),
        ("/child/withoutService", json!(["police"])),
        ("/child/involvements/0/startedOn", json!("2015-03-13")),
        ("/child/involvements/0/startedOn", json!("2026-11-23")),
        ("/child/involvements/0/endedOn", json!("2020-08-31")),
        ("/child/involvements/0/confirmedOn", json!("2026-11-23")),
        ("/child/involvements/0/serviceType", json!("mentalHealth")),
        ("/child/involvements/0/serviceType", json!("astrology")),
        ("/child/involvements/0/organisationId", json!("00000000-0000-0000-0000-000000000000")),
    ] {
        assert_eq!(refused(&with(pointer, value)), [pointer]);
    }
    let name = json!([{ "kind": "current", "given": ["Testy"], "family": "Ex4mple" }]);
    assert_eq!(refused(&with("/child/names", name)), ["/child/names/0/family"]);
    let number = json!([{ "kind": "nhsNumber", "value": "9990011118" }]);
    assert_eq!(refused(&with("/child/identifiers", number)), ["/child/identifiers/0/value"]);
}

#[test]
fn a_fault_never_repeats_the_value() {
    let name = json!([{ "kind": "current", "given": ["Secret9"], "family": "Example" }]);
    let row = with("/child/names", name).to_string();
    let faults = Row::read(row.as_bytes(), today()).unwrap_err();
    assert!(!format!("{faults:?}").contains("Secret9"));
}

#[test]
fn a_place_before_ended_between_birth_and_today() {
    let at = |until: &str| json!([{ "whereabouts": { "kind": "noneKnown" }, "until": until }]);
    assert!(refused(&with("/child/formerWhereabouts", at("2026-11-22"))).is_empty());
    for until in ["2015-03-13", "2026-11-23"] {
        assert_eq!(
            refused(&with("/child/formerWhereabouts", at(until))),
            ["/child/formerWhereabouts/0/until"]
        );
    }
    let left = json!([{ "whereabouts": { "kind": "leftEngland", "leftOn": "2021-01-02", "return": "notKnown" }, "until": "2021-01-01" }]);
    let pointer = "/child/formerWhereabouts/0/whereabouts/leftOn";
    assert_eq!(refused(&with("/child/formerWhereabouts", left)), [pointer]);
}

#[test]
fn a_flag_is_set_while_the_involvement_lasts_and_for_24_months_at_most() {
    let flags = |set: &str, expires: &str| {
        with(
            "/child/involvements/0/flags",
            json!([{ "flag": "takingAction", "setOn": set, "expiresOn": expires }]),
        )
    };
    for (set, expires) in [("2026-11-22", "2028-11-22"), ("2020-09-01", "2020-09-02")] {
        assert!(refused(&flags(set, expires)).is_empty());
    }
    for (set, expires, wrong) in [
        ("2026-11-23", "2027-01-01", "setOn"),
        ("2020-08-31", "2021-01-01", "setOn"),
        ("2026-11-22", "2028-11-23", "expiresOn"),
        ("2026-11-22", "2026-11-22", "expiresOn"),
    ] {
        assert_eq!(
            refused(&flags(set, expires)),
            [format!("/child/involvements/0/flags/0/{wrong}")]
        );
    }
    let mut ended = flags("2026-01-01", "2026-02-01");
    ended["child"]["involvements"][0]["endedOn"] = json!("2026-03-01");
    assert_eq!(refused(&ended), ["/child/involvements/0/flags"]);
}

#[test]
fn a_child_has_one_lead_professional() {
    let lead =
        json!({ "flag": "leadProfessional", "setOn": "2026-11-01", "expiresOn": "2027-05-01" });
    let twice = with("/child/involvements/0/flags", json!([lead, lead]));
    assert_eq!(refused(&twice), ["/child/involvements/0/flags", "/child/involvements"]);
    let mut two = with("/child/involvements/0/flags", json!([lead]));
    assert!(refused(&two).is_empty());
    let mut other = two["child"]["involvements"][0].clone();
    other["serviceType"] = json!("socialCare");
    two["child"]["involvements"].as_array_mut().unwrap().push(other);
    assert_eq!(refused(&two), ["/child/involvements"]);
}

#[test]
fn a_service_that_works_with_the_child_is_not_one_of_which_there_is_none() {
    let row = with("/child/withoutService", json!(["school", "healthVisiting"])).to_string();
    let Ok(Row::Child(child)) = Row::read(row.as_bytes(), today()) else { panic!("a child") };
    assert_eq!(
        child.said.without_service.iter().map(|service| service.code()).collect::<Vec<_>>(),
        ["healthVisiting"]
    );
}

#[test]
fn text_of_any_kind_stands_in_an_array() {
    assert_eq!(array([]), "{}");
    assert_eq!(
        array(["O'Brien", "a,b", r#"say "x" \ {y}"#, "NULL"]),
        r#"{"O'Brien","a,b","say \"x\" \\ {y}","NULL"}"#
    );
}
