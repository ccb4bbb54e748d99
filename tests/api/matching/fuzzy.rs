//! What is nearly so is found once an exact search found nobody.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::{
    harness::Answer,
    parts::{Place, amy, by_name_and_birth, number, numbers, with},
};

/// Amy's address, postcode, school and mother, in whom two records may agree.
fn known(given: &[&str], family: &str, born: &str) -> Value {
    let names = json!([{ "kind": "current", "given": given, "family": family }]);
    with(with(amy(family), "names", names), "dateOfBirth", json!(born))
}

/// The teacher searches exactly, in vain, and then fuzzily with these members more.
async fn fuzzily(place: &Place, criteria: &Value, more: &Value) -> Answer {
    let exact = place.search(criteria.clone()).await.expect(200);
    assert_eq!(exact.body["results"], json!([]), "{criteria}");
    let mut criteria = criteria.clone();
    for (member, value) in more.as_object().unwrap() {
        criteria[member] = value.clone();
    }
    let criteria = with(criteria, "searchId", exact.body["searchId"].clone());
    place.search(with(criteria, "fuzzy", json!(true))).await
}

/// What is said of one field of the first result.
fn said<'a>(answer: &'a Answer, field: &str) -> (&'a str, &'a str) {
    let agreement = answer.body["results"][0]["agreement"].as_array().unwrap();
    let of = agreement.iter().find(|one| one["field"] == field);
    let of = of.unwrap_or_else(|| panic!("nothing is said of {field}: {:#}", answer.body));
    (of["how"].as_str().unwrap(), of["words"].as_str().unwrap())
}

#[actix_web::test]
async fn what_is_written_wrongly_is_found_and_what_differs_is_said_in_words() {
    let place = Place::new().await;
    let path = place.add(known(&["Elizabeth", "Rose"], "Testley-Harbourne", "2015-03-04")).await;
    for (given, family, born, field, how) in [
        ("Elizabeht", "Testley-Harbourne", "2015-03-04", "givenNames", "oneEdit"),
        ("Elizabeth", "Testly-Harbourne", "2015-03-04", "familyName", "part"),
        ("Lizzie", "Testley-Harbourne", "2015-03-04", "givenNames", "nickname"),
        ("Elizabeth", "Testley", "2015-03-04", "familyName", "part"),
        ("Elizabeth", "Harbourne", "2015-03-04", "familyName", "part"),
        ("Rose", "Testley-Harbourne", "2015-03-04", "givenNames", "otherGivenName"),
        ("Elizabeth", "Testley-Harbourne", "2015-04-03", "dateOfBirth", "dayAndMonthSwapped"),
        ("Elizabeth", "Testley-Harbourne", "2015-03-14", "dateOfBirth", "oneDigit"),
        ("Elizabeth", "Testley-Harbourne", "2016-03-04", "dateOfBirth", "oneDigit"),
    ] {
        let criteria = by_name_and_birth(given, family, born);
        let found = fuzzily(&place, &criteria, &json!({})).await.expect(200);
        assert_eq!(numbers(&found), [number(&path)], "{criteria}");
        assert_eq!(said(&found, field).0, how, "{criteria}");
        assert!(!found.body.to_string().contains("bits"), "no figure is told");
    }
    let swapped = by_name_and_birth("Testley-Harbourne", "Elizabeth", "2015-03-04");
    let found = fuzzily(&place, &swapped, &json!({})).await.expect(200);
    assert_eq!(numbers(&found), [number(&path)]);
    assert_eq!(said(&found, "familyName").0, "namesSwapped");
    let swapped = by_name_and_birth("Elizabeth", "Testley-Harbourne", "2015-04-03");
    let found = fuzzily(&place, &swapped, &json!({})).await.expect(200);
    assert_eq!(said(&found, "dateOfBirth").1, "The date of birth has day and month swapped.");
}

#[actix_web::test]
async fn a_former_name_a_carer_a_school_and_an_address_add_to_what_is_known() {
    let place = Place::new().await;
    sqlx::query("update organisation set urn = '900777' where organisation_id = $1")
        .bind(place.school.id)
        .execute(&place.index.db)
        .await
        .unwrap();
    let ann = json!([{ "name": { "given": ["Ann"], "family": "Otherley" }, "relationship": "mother", "parentalResponsibility": true }]);
    let path = place.add(with(known(&["Amy"], "Testley", "2015-03-14"), "carers", ann)).await;
    let attends = json!({ "serviceType": "school", "startedOn": "2024-09-02", "contact": { "practitioner": "Jo Tester", "officeHours": "01632 960001" } });
    place.index.post(&place.teacher, &format!("{path}/involvements"), attends).await.expect(201);
    let renamed = json!({ "names": known(&["Amy"], "Newley", "2015-03-14")["names"] });
    place
        .correct(&path, place.index.get(&place.steward, &path).await.version(), renamed)
        .await
        .expect(200);
    let criteria = by_name_and_birth("Amie", "Testly", "2015-03-14");
    let alone = fuzzily(&place, &criteria, &json!({})).await.expect(200);
    assert_eq!(numbers(&alone), [number(&path)], "by a former name");
    let more = json!({
        "carer": { "given": ["Ann"], "family": "Otherley" },
        "school": "urn:900777",
        "address": { "lines": ["12 Harbour Way"], "town": "Exampleton" },
    });
    let found = fuzzily(&place, &criteria, &more).await.expect(200);
    assert_eq!(numbers(&found), [number(&path)]);
    assert_eq!(said(&found, "carer").0, "same");
    assert_eq!(said(&found, "school").0, "same");
    assert_eq!(said(&found, "street").0, "same");
    let unknown = fuzzily(&place, &criteria, &json!({ "school": "urn:999999" })).await.expect(200);
    assert_eq!(numbers(&unknown), [number(&path)], "an unknown school says nothing");
}

#[actix_web::test]
async fn a_fuzzy_search_follows_an_exact_one_by_the_same_criteria_and_person_that_found_nobody_of_late()
 {
    let place = Place::new().await;
    place.add(amy("Testley")).await;
    let criteria = by_name_and_birth("Amy", "Testly", "2015-03-14");
    let refused = async |criteria: Value| {
        place.search(criteria).await.refused(409, "exact-search-first");
    };
    let fuzzy = |of: &Value, id: &Value| {
        with(with(of.clone(), "fuzzy", json!(true)), "searchId", id.clone())
    };
    refused(with(criteria.clone(), "fuzzy", json!(true))).await;
    refused(fuzzy(&criteria, &json!(uuid::Uuid::new_v4()))).await;

    let id = place.search(criteria.clone()).await.expect(200).body["searchId"].clone();
    place.search(fuzzy(&criteria, &id)).await.expect(200);
    refused(fuzzy(&by_name_and_birth("Amy", "Testlay", "2015-03-14"), &id)).await;
    refused(fuzzy(&with(criteria.clone(), "gender", json!("female")), &id)).await;
    let colleague = place.index.caller(Role::Practitioner, place.school).await;
    let by_colleague =
        place.index.post(&colleague, "/v1/children/search", fuzzy(&criteria, &id)).await;
    by_colleague.refused(409, "exact-search-first");
    let of_fuzzy = place.search(fuzzy(&criteria, &id)).await.expect(200).body["searchId"].clone();
    refused(fuzzy(&criteria, &of_fuzzy)).await;

    let right = by_name_and_birth("Amy", "Testley", "2015-03-14");
    let found = place.search(right.clone()).await.expect(200);
    assert_eq!(numbers(&found).len(), 1);
    refused(fuzzy(&right, &found.body["searchId"])).await;

    place.index.live_until("2026-11-16T09:40:00Z");
    place.search(fuzzy(&criteria, &id)).await.expect(200);
    place.index.live_until("2026-11-16T09:40:01Z");
    refused(fuzzy(&criteria, &id)).await;
}

#[actix_web::test]
async fn what_only_one_kind_of_search_takes_is_pointed_at() {
    let place = Place::new().await;
    let criteria = by_name_and_birth("Amy", "Testley", "2015-03-14");
    for (member, value) in [
        ("searchId", json!(uuid::Uuid::new_v4())),
        ("address", json!({ "town": "Exampleton" })),
        ("carer", json!({ "given": ["Ann"], "family": "Testley" })),
        ("school", json!("urn:900001")),
    ] {
        let answer = place.search(with(criteria.clone(), member, value)).await;
        let pointer = format!("/{member}");
        assert_eq!(answer.refused(422, "invalid-value").pointers(), [pointer.as_str()]);
    }
    let fuzzy = json!({ "indexNumber": "48271930566", "fuzzy": true });
    let answer = place.search(fuzzy).await.refused(422, "invalid-value");
    assert_eq!(answer.pointers(), ["/indexNumber"]);
}

#[actix_web::test]
async fn a_brother_or_sister_of_the_household_is_not_told_for_the_child() {
    let place = Place::new().await;
    place.add(known(&["Oliver"], "Testley", "2012-07-21")).await;
    let criteria =
        with(by_name_and_birth("Amy", "Testley", "2015-03-14"), "postcode", json!("PO1 3AX"));
    let found = fuzzily(&place, &criteria, &json!({})).await.expect(200);
    assert!(numbers(&found).is_empty());
}

#[actix_web::test]
async fn a_placeholder_for_a_name_finds_nobody_by_it() {
    let place = Place::new().await;
    place.add(known(&["Baby"], "Testley", "2015-03-14")).await;
    let criteria = by_name_and_birth("Baby", "Otherly", "2015-03-14");
    let found = fuzzily(&place, &criteria, &json!({})).await.expect(200);
    assert!(numbers(&found).is_empty());
}

#[actix_web::test]
async fn too_many_who_are_equally_near_are_not_told_and_it_is_said_what_would_narrow() {
    let place = Place::new().await;
    let mut child = with(amy("Testley"), "whereabouts", json!({ "kind": "noneKnown" }));
    let mut here = Vec::new();
    for _ in 0..20 {
        child["distinctFrom"] = json!(here);
        let added =
            place.index.post(&place.teacher, "/v1/children", child.clone()).await.expect(201);
        here.push(number(added.header("Location")).to_owned());
    }
    let criteria = by_name_and_birth("Amy", "Testly", "2015-03-14");
    let found = fuzzily(&place, &criteria, &json!({})).await.expect(200);
    assert_eq!(numbers(&found).len(), 10, "ten of twenty");
    child["distinctFrom"] = json!(here);
    place.index.post(&place.teacher, "/v1/children", child).await.expect(201);
    let answer = fuzzily(&place, &criteria, &json!({})).await.refused(422, "too-many-matches");
    assert_eq!(answer.body["narrowBy"], "postcode");
    let told = String::from_utf8(answer.bytes.clone()).unwrap();
    assert!(!here.iter().any(|number| told.contains(number)));
    let by_postcode = with(criteria, "postcode", json!("PO1 3AX"));
    let answer = fuzzily(&place, &by_postcode, &json!({})).await.refused(422, "too-many-matches");
    assert_eq!(answer.body["narrowBy"], "address");
}

#[actix_web::test]
async fn a_shielded_child_is_found_by_what_a_shield_leaves_visible_and_by_nothing_that_it_hides() {
    let place = Place::new().await;
    let path = place.add(known(&["Amy"], "Testley", "2015-03-14")).await;
    let misspelt = by_name_and_birth("Amy", "Testly", "2015-03-14");
    let at_home = with(misspelt.clone(), "postcode", json!("PO1 3AX"));
    let elsewhere = with(misspelt.clone(), "postcode", json!("PO1 3AY"));
    let street = json!({ "address": { "lines": ["12 Harbour Way"] } });
    assert_eq!(numbers(&fuzzily(&place, &at_home, &json!({})).await.expect(200)), [number(&path)]);
    shield(&place, &path).await;
    let found = fuzzily(&place, &misspelt, &json!({})).await.expect(200);
    assert_eq!(numbers(&found), [number(&path)]);
    let nobody = by_name_and_birth("Bea", "Nobodey", "2009-01-02");
    let nobody = with(nobody, "postcode", json!("PO1 3AX"));
    let none = masked(&fuzzily(&place, &nobody, &json!({})).await.expect(200));
    for (criteria, more) in [
        (&at_home, json!({})),
        (&elsewhere, json!({})),
        (&misspelt, street),
        (&misspelt, json!({ "school": "urn:900001" })),
    ] {
        let found = fuzzily(&place, criteria, &more).await.expect(200);
        assert_eq!(masked(&found), none, "{criteria} {more}");
    }
}

/// An answer without what differs from one to the next.
pub(super) fn masked(answer: &Answer) -> String {
    let mut told = answer.body.clone();
    for id in ["searchId", "matchId"] {
        if told.get(id).is_some() {
            told[id] = json!("");
        }
    }
    let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    format!("{} {told} {headers:?}", answer.status)
}

/// Shields a child as the service does.
pub(super) async fn shield(place: &Place, path: &str) {
    let ask = json!({ "ground": "threatToLife", "emergency": true });
    let path = format!("{path}/shield-requests");
    place.index.post(&place.teacher, &path, ask).await.expect(201);
}

#[actix_web::test]
async fn an_archived_child_is_never_found() {
    let place = Place::new().await;
    let path = place.add(known(&["Amy"], "Testley", "2015-03-14")).await;
    let id = place.child_id(&path).await;
    place
        .arrange(
            "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
            id,
        )
        .await;
    let misspelt = by_name_and_birth("Amy", "Testly", "2015-03-14");
    assert!(numbers(&fuzzily(&place, &misspelt, &json!({})).await.expect(200)).is_empty());
}

#[actix_web::test]
async fn the_audit_keeps_sealed_the_criteria_the_model_and_the_evidence_of_each_who_was_told() {
    let place = Place::new().await;
    let path = place.add(known(&["Amy"], "Testley", "2015-03-14")).await;
    let misspelt = by_name_and_birth("Amy", "Testly", "2015-03-14");
    let found = fuzzily(&place, &misspelt, &json!({})).await.expect(200);
    let kept = crate::sensitive::kept(&place.index, &found).await.to_lowercase();
    assert!(!kept.contains("testl"), "{kept}");
    let event = place.index.event(&found).await;
    assert_eq!(event["children"], json!([place.child_id(&path).await]));
    let details = &event["details"];
    assert_eq!(details["model"], "cold");
    assert_eq!(details["criteria"]["family"], "testly");
    let ranked = &details["ranked"][0];
    assert_eq!(ranked["child"], number(&path));
    let levels = ranked["findings"].as_array().unwrap();
    assert!(levels.iter().any(|one| one["field"] == "dateOfBirth" && one["level"] == "same"));
    assert!(ranked["bits"].is_number() && levels.iter().all(|one| one["bits"].is_number()));
}
