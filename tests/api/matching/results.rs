//! What a search answers: at most ten, best first, and written down.

use serde_json::{Value, json};

use crate::parts::{Place, address, amy, by_name_and_birth, number, numbers, with};

/// Adds one more child like those who are here.
async fn add_alike(place: &Place, child: Value, here: &mut Vec<String>) -> String {
    let path = place.add(with(child, "distinctFrom", json!(here))).await;
    here.push(number(&path).to_owned());
    number(&path).to_owned()
}

fn criteria_told(given: &str, family: &str, born: &str) -> Value {
    json!({ "criteria": {
        "indexNumber": null, "identifier": null, "given": [given], "family": family, "dateOfBirth": born,
        "gender": null, "postcode": null,
    } })
}

#[actix_web::test]
async fn a_search_is_written_down_under_its_number_with_its_criteria_and_the_children_found() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let answer = place.search(by_name_and_birth("Amy", "Test-Ley", "2015-03-14")).await.expect(200);
    let found = json!({
        "indexNumber": number(&path), "name": { "given": ["Amy", "Rose"], "family": "Testley" },
        "dateOfBirth": "2015-03-14", "dateOfBirthPrecision": "day", "gender": "female", "strength": "strong",
        "agreement": [
            { "field": "givenNames", "how": "firstName" },
            { "field": "familyName", "how": "same" },
            { "field": "dateOfBirth", "how": "same" },
        ],
    });
    assert_eq!(answer.body["results"], json!([found]));
    assert_eq!(place.index.event(&answer).await["event_id"], answer.body["searchId"]);
    let id = place.child_id(&path).await;
    let details = criteria_told("Amy", "testley", "2015-03-14");
    place.recorded(&answer, &place.teacher, "search_children", &[id], details).await;

    let nobody = place.search(by_name_and_birth("Bea", "Testley", "2015-03-14")).await.expect(200);
    assert_eq!(nobody.body["results"], json!([]));
    let details = criteria_told("Bea", "testley", "2015-03-14");
    place.recorded(&nobody, &place.teacher, "search_children", &[], details).await;
}

#[actix_web::test]
async fn how_well_a_child_agrees_is_told_as_strong_good_or_weak() {
    let place = Place::new().await;
    let upn = json!({ "kind": "upn", "value": "B801200005001" });
    let path = place.add(with(amy("Testley"), "identifiers", json!([upn]))).await;
    let names = json!([
        { "kind": "current", "given": ["Amy"], "family": "Newley" },
        { "kind": "knownAs", "given": ["Amy"], "family": "Knownly" },
    ]);
    let whereabouts = json!({ "kind": "current", "address": address("PO1 3AY") });
    place
        .correct(&path, 1, json!({ "names": names, "whereabouts": whereabouts }))
        .await
        .expect(200);
    let by_postcode = |family: &str, postcode: &str| json!({ "name": { "given": ["Amy"], "family": family }, "gender": "female", "postcode": postcode });
    let by_family = |postcode: &str| json!({ "name": { "family": "Newley" }, "dateOfBirth": "2015-03-14", "postcode": postcode });
    let strength = async |criteria: Value| {
        let answer = place.search(criteria).await.expect(200);
        answer.body["results"][0]["strength"].as_str().map(str::to_owned)
    };
    for (criteria, expected) in [
        (json!({ "indexNumber": number(&path) }), "strong"),
        (json!({ "identifier": upn }), "strong"),
        (by_name_and_birth("Amy", "Newley", "2015-03-14"), "strong"),
        (by_name_and_birth("Amy", "Knownly", "2015-03-14"), "strong"),
        (by_name_and_birth("Amy", "Testley", "2015-03-14"), "strong"),
        (by_postcode("Newley", "PO1 3AY"), "good"),
        (by_family("PO1 3AY"), "good"),
        (by_postcode("Newley", "PO1 3AX"), "weak"),
        (by_family("PO1 3AX"), "weak"),
    ] {
        assert_eq!(strength(criteria.clone()).await.as_deref(), Some(expected), "{criteria}");
    }
    place.correct(&path, 2, json!({ "gender": "notSpecified" })).await.expect(200);
    assert_eq!(strength(by_postcode("Newley", "PO1 3AY")).await.as_deref(), Some("weak"));
    let month = json!({ "dateOfBirth": "2015-03-01", "dateOfBirthPrecision": "month" });
    place.correct(&path, 3, month).await.expect(200);
    assert_eq!(
        strength(by_name_and_birth("Amy", "Newley", "2015-03-14")).await.as_deref(),
        Some("weak")
    );
}

#[actix_web::test]
async fn the_best_come_first_and_equals_by_their_index_numbers() {
    let place = Place::new().await;
    let mut here = Vec::new();
    let partly = |precision: &str, born: &str| {
        with(
            with(amy("Testley"), "dateOfBirthPrecision", json!(precision)),
            "dateOfBirth",
            json!(born),
        )
    };
    let mut weak = vec![
        add_alike(&place, partly("year", "2015-01-01"), &mut here).await,
        add_alike(&place, partly("month", "2015-03-01"), &mut here).await,
    ];
    let mut strong = Vec::new();
    for _ in 0..3 {
        strong.push(add_alike(&place, amy("Testley"), &mut here).await);
    }
    weak.sort();
    strong.sort();
    let found = place.found(by_name_and_birth("Amy", "Testley", "2015-03-14")).await;
    assert_eq!(found, [strong, weak].concat());
}

#[actix_web::test]
async fn of_more_than_ten_children_none_is_told() {
    let place = Place::new().await;
    let mut here = Vec::new();
    for _ in 0..10 {
        add_alike(&place, amy("Testley"), &mut here).await;
    }
    let all = place.search(by_name_and_birth("Amy", "Testley", "2015-03-14")).await.expect(200);
    assert_eq!(numbers(&all).len(), 10);
    let postcode = json!({ "kind": "current", "address": address("PO1 3AY") });
    add_alike(&place, with(amy("Testley"), "whereabouts", postcode), &mut here).await;

    let answer = place.search(by_name_and_birth("Amy", "Testley", "2015-03-14")).await;
    let answer = answer.refused(422, "too-many-matches");
    assert!(answer.body.get("results").is_none());
    let told = String::from_utf8(answer.bytes.clone()).unwrap();
    assert!(!here.iter().any(|number| told.contains(number)));
    let details = criteria_told("Amy", "testley", "2015-03-14");
    place.recorded(&answer, &place.teacher, "search_children", &[], details).await;
    let narrower =
        with(by_name_and_birth("Amy", "Testley", "2015-03-14"), "postcode", json!("PO1 3AY"));
    assert_eq!(place.found(narrower).await, here[10..]);
}

#[actix_web::test]
async fn a_search_states_a_reason_and_needs_no_key() {
    let place = Place::new().await;
    let ask = async |headers: &[(&str, &str)]| {
        let criteria = by_name_and_birth("Amy", "Testley", "2015-03-14");
        place.index.request(&place.teacher, "POST", "/v1/children/search", criteria, headers).await
    };
    ask(&[("Access-Reason", "")]).await.refused(400, "reason-required");
    ask(&[("Idempotency-Key", "")]).await.expect(200);
}
