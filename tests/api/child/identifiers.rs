//! Numbers that others gave the child: each of one live child, and shown only to the kind of body whose number it is.

use contactpoint::access::Role;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    harness::Answer,
    parts::{Place, amy, bob, with},
};

/// One number of each kind, in the order in which a record has them.
const ALL: [(&str, &str); 5] = [
    ("childReference", "C/104-22"),
    ("nationalInsuranceNumber", "AB123456C"),
    ("nhsNumber", "9990011117"),
    ("uln", "9990000017"),
    ("upn", "B801200005001"),
];

fn identifiers(held: &[(&str, &str)]) -> Value {
    held.iter().map(|(kind, value)| json!({ "kind": kind, "value": value })).collect()
}

async fn add(place: &Place, family: &str, held: &[(&str, &str)]) -> Answer {
    let child = if family == "Testley" { amy(family) } else { bob(family) };
    let child = with(child, "identifiers", identifiers(held));
    place.index.post(&place.steward, "/v1/children", child).await
}

#[actix_web::test]
async fn a_number_is_shown_to_the_kind_of_body_whose_it_is_and_to_stewards() {
    let place = Place::new().await;
    let added = add(&place, "Testley", &ALL).await.expect(201);
    assert_eq!(added.body["identifiers"], identifiers(&ALL));
    let path = added.header("Location");
    let [reference, _, nhs, uln, upn] = ALL;
    let stranger = place.stranger().await;
    assert_eq!(place.index.get(&stranger, path).await.body["identifiers"], identifiers(&ALL));
    for (kind, shown) in [
        ("localAuthority", identifiers(&[reference, uln, upn])),
        ("school", identifiers(&[uln, upn])),
        ("gpPractice", identifiers(&[nhs])),
        ("healthTrust", identifiers(&[nhs])),
        ("policeForce", json!([])),
        ("charity", json!([])),
        ("nationalPartner", json!([])),
    ] {
        let body = place.index.organisation(kind, Some(place.council)).await;
        for role in [Role::Practitioner, Role::PractitionerWithOverride, Role::ShieldApprover] {
            let caller = place.index.caller(role, body).await;
            let record = place.index.get(&caller, path).await.expect(200);
            assert_eq!(record.body["identifiers"], shown, "{kind} {role}");
        }
    }
}

#[actix_web::test]
async fn whoever_adds_a_child_is_shown_of_its_numbers_only_those_of_the_own_kind_of_body() {
    let place = Place::new().await;
    let child = with(amy("Testley"), "identifiers", identifiers(&ALL));
    let added = place.index.post(&place.teacher, "/v1/children", child).await.expect(201);
    assert_eq!(added.body["identifiers"], identifiers(&ALL[3..]));
    let opened = place.index.get(&place.steward, added.header("Location")).await;
    assert_eq!(opened.body["identifiers"], identifiers(&ALL));
}

#[actix_web::test]
async fn a_number_belongs_to_one_child() {
    let place = Place::new().await;
    add(&place, "Testley", &ALL).await.expect(201);
    let before = place.index.rows().await;
    for (kind, value) in ALL {
        let other = if kind == "upn" { ALL[2].0 } else { "upn" };
        let free = if other == "upn" { "P207000016049" } else { "9990022224" };
        let refused = add(&place, "Otherly", &[(other, free), (kind, value)]).await;
        let refused = refused.refused(409, "identifier-held");
        assert_eq!(refused.pointers(), ["/identifiers/1/value"], "{kind}");
        let details = json!({ "path": {}, "errors": ["/identifiers/1/value"] });
        place.recorded(&refused, &place.steward, "add_child", &[], details).await;
    }
    assert_eq!(place.index.rows().await, before);
    add(&place, "Otherly", &[("nhsNumber", "999 001 1117")]).await.refused(409, "identifier-held");
    add(&place, "Otherly", &[("childReference", "9990011117")]).await.expect(201);
}

#[actix_web::test]
async fn of_two_children_who_are_given_a_number_at_once_one_is_refused() {
    let place = Place::new().await;
    let held = [ALL[2]];
    let (one, other) = join(add(&place, "Testley", &held), add(&place, "Otherly", &held)).await;
    let (done, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    done.expect(201);
    refused.refused(409, "identifier-held");
    assert_eq!(place.index.rows().await["child"], 1);
}

#[actix_web::test]
async fn each_kind_of_number_is_checked_by_its_own_algorithm_and_kept_without_spaces() {
    let place = Place::new().await;
    let before = place.index.rows().await;
    for (kind, value) in [
        ("upn", "A801200005001"),
        ("nhsNumber", "9434765871"),
        ("nationalInsuranceNumber", "BG123456A"),
        ("uln", "9990000018"),
        ("childReference", "C 104"),
    ] {
        let refused = add(&place, "Testley", &[(kind, value)]).await.refused(422, "invalid-value");
        assert_eq!(refused.pointers(), ["/identifiers/0/value"], "{kind}");
        assert!(!String::from_utf8(refused.bytes).unwrap().contains(value), "{kind}");
    }
    let twice = [ALL[2], ("nhsNumber", "9990022224")];
    let refused = add(&place, "Testley", &twice).await.refused(422, "invalid-value");
    assert_eq!(refused.pointers(), ["/identifiers"]);
    assert_eq!(place.index.rows().await, before);

    let spaced = [("nationalInsuranceNumber", "ab 12 34 56 c"), ("nhsNumber", "999 001 1117")];
    let added = add(&place, "Testley", &spaced).await.expect(201);
    assert_eq!(added.body["identifiers"], identifiers(&ALL[1..3]));
}
