//! Correcting a record: by whom, on which version, and what becomes of what was said before.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller},
    parts::{Place, address, amy, by_name_and_birth, number, with},
};

async fn patch(place: &Place, caller: &Caller, path: &str, tag: &str) -> Answer {
    let change = json!({ "gender": "male" });
    place.index.request(caller, "PATCH", path, change, &[("If-Match", tag)]).await
}

#[actix_web::test]
async fn a_steward_corrects_a_record_of_the_own_authority() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let before = place.index.get(&place.steward, &path).await.body;
    let answer = place.correct(&path, 1, json!({ "gender": "male" })).await.expect(200);
    assert_eq!((answer.header("ETag"), &answer.body["gender"]), ("\"2\"", &json!("male")));
    let mut expected = with(before, "gender", json!("male"));
    (expected["version"], expected["source"]) = (json!(2), crate::parts::source(place.council));
    assert_eq!(answer.body, expected);
    assert_eq!(place.index.get(&place.steward, &path).await.body, expected);
    let id = place.child_id(&path).await;
    place.recorded(&answer, &place.steward, "correct_child", &[id], json!({ "version": 2 })).await;
}

#[actix_web::test]
async fn nobody_else_corrects_it() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let rows = place.index.rows().await;
    let stranger = place.stranger().await;
    let details = json!({ "path": { "indexNumber": number(&path) }, "errors": [] });
    for caller in [&place.teacher, &stranger] {
        let answer = patch(&place, caller, &path, "\"1\"").await.refused(403, "forbidden");
        place.recorded(&answer, caller, "correct_child", &[], details.clone()).await;
    }
    // A precondition is judged last, so that it tells nothing.
    patch(&place, &stranger, &path, "").await.refused(403, "forbidden");
    for path in ["/v1/children/48271930566", "/v1/children/48271930567", "/v1/children/x"] {
        patch(&place, &place.steward, path, "").await.refused(404, "not-found");
    }
    assert_eq!(place.index.rows().await["history"], rows["history"]);
}

#[actix_web::test]
async fn a_correction_names_the_version_that_it_is_based_on() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let details = json!({ "path": { "indexNumber": number(&path) }, "errors": [] });
    for (tag, status, problem) in [
        ("", 428, "precondition-required"),
        ("*", 400, "invalid-header"),
        ("1", 400, "invalid-header"),
        ("W/\"1\"", 400, "invalid-header"),
        ("\"1\", \"2\"", 412, "precondition-failed"),
        ("\"0\"", 412, "precondition-failed"),
        ("\"2\"", 412, "precondition-failed"),
        ("\"one\"", 412, "precondition-failed"),
    ] {
        let answer = patch(&place, &place.steward, &path, tag).await;
        assert_eq!((answer.status, answer.problem()), (status, problem), "{tag}");
        place.recorded(&answer, &place.steward, "correct_child", &[], details.clone()).await;
    }
    patch(&place, &place.steward, &path, "\"1\"").await.expect(200);
    patch(&place, &place.steward, &path, "\"1\"").await.refused(412, "precondition-failed");
    assert_eq!(place.history(&path).await.len(), 1);
}

#[actix_web::test]
async fn of_two_corrections_of_one_version_at_once_one_is_done() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    for version in 1..5 {
        let change = |family: &str| json!({ "names": amy(&format!("{family}{}", "a".repeat(version)))["names"] });
        let version = i64::try_from(version).unwrap();
        let (one, other) = join(
            place.correct(&path, version, change("Newley")),
            place.correct(&path, version, change("Otherly")),
        )
        .await;
        let (done, refused) = if one.status == 200 { (one, other) } else { (other, one) };
        refused.refused(412, "precondition-failed");
        let now = place.index.get(&place.steward, &path).await;
        assert_eq!(now.body, done.expect(200).body);
    }
}

#[actix_web::test]
async fn a_name_that_is_replaced_is_still_found_and_no_longer_shown() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let names = json!([
        { "kind": "current", "given": ["Amy"], "family": "Newley" },
        { "kind": "knownAs", "given": ["Mimi"], "family": "Newley" },
    ]);
    let told = place.correct(&path, 1, json!({ "names": names })).await.expect(200).body;
    assert_eq!(told["names"].as_array().unwrap().len(), 2);
    for (given, family, how) in
        [("Amy", "Newley", "same"), ("Mimi", "Newley", "knownAs"), ("Amy", "Testley", "formerName")]
    {
        let answer = place.search(by_name_and_birth(given, family, "2015-03-14")).await;
        assert_eq!(answer.body["results"][0]["indexNumber"], number(&path), "{given} {family}");
        assert_eq!(
            answer.body["results"][0]["agreement"][1],
            json!({ "field": "familyName", "how": how })
        );
        assert_eq!(
            answer.body["results"][0]["name"],
            json!({ "given": ["Amy"], "family": "Newley" })
        );
    }
    // A name that stays keeps its provenance.
    let told = place.correct(&path, 2, json!({ "names": [names[0]] })).await.expect(200).body;
    assert_eq!(told["names"].as_array().unwrap().len(), 1);
    assert_eq!(
        place.found(by_name_and_birth("Mimi", "Newley", "2015-03-14")).await,
        [number(&path)]
    );
}

#[actix_web::test]
async fn whereabouts_are_superseded_and_a_former_postcode_still_found() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let new = json!({ "kind": "current", "address": address("PO1 3AY") });
    let told = place.correct(&path, 1, json!({ "whereabouts": new })).await.expect(200).body;
    assert_eq!(told["whereabouts"]["address"]["postcode"], "PO1 3AY");
    assert_eq!(told["whereabouts"]["source"], crate::parts::source(place.council));
    assert_eq!(told["names"][0]["source"], crate::parts::source(place.school));
    for (postcode, how) in [("PO1 3AX", "formerAddress"), ("PO1 3AY", "same")] {
        let criteria = json!({ "name": { "family": "Testley" }, "dateOfBirth": "2015-03-14", "postcode": postcode });
        let answer = place.search(criteria).await;
        assert_eq!(
            answer.body["results"][0]["agreement"][2],
            json!({ "field": "postcode", "how": how })
        );
    }
}

#[actix_web::test]
async fn identifiers_are_replaced_and_a_number_that_is_given_up_is_free() {
    let place = Place::new().await;
    let upn = |value: &str| json!([{ "kind": "upn", "value": value }]);
    let first = place.add(with(amy("Testley"), "identifiers", upn("B801200005001"))).await;
    let second = place.add(with(amy("Otherly"), "identifiers", upn("P207000016049"))).await;
    let change = |value: &str| json!({ "identifiers": upn(value) });
    let held = place.correct(&second, 1, change("B801200005001")).await;
    assert_eq!(held.refused(409, "identifier-held").pointers(), ["/identifiers/0/value"]);
    let told = place.correct(&first, 1, change("F380209314001")).await.expect(200).body;
    assert_eq!(told["identifiers"], upn("F380209314001"));
    place.correct(&second, 1, change("B801200005001")).await.expect(200);
    let told = place.correct(&first, 2, json!({ "identifiers": [] })).await.expect(200).body;
    assert_eq!(told["identifiers"], json!([]));
    for (value, finds) in
        [("B801200005001", Some(&second)), ("P207000016049", None), ("F380209314001", None)]
    {
        let found = place.found(json!({ "identifier": { "kind": "upn", "value": value } })).await;
        assert_eq!(
            found,
            finds.map(|path| number(path).to_owned()).into_iter().collect::<Vec<_>>()
        );
    }
}

#[actix_web::test]
async fn a_birth_that_is_corrected_is_found_under_the_new_date_alone() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    place.correct(&path, 1, json!({ "names": amy("Newley")["names"] })).await.expect(200);
    let change = json!({ "dateOfBirth": "2014-05-09", "dateOfBirthPrecision": "month", "dateOfBirthEstimated": true });
    let told = place.correct(&path, 2, change).await.expect(200).body;
    assert_eq!(
        (&told["dateOfBirthPrecision"], &told["dateOfBirthEstimated"]),
        (&json!("month"), &json!(true))
    );
    for family in ["Testley", "Newley"] {
        for (born, finds) in
            [("2014-05-30", 1), ("2014-05-01", 1), ("2014-06-01", 0), ("2015-03-14", 0)]
        {
            let found = place.found(by_name_and_birth("Amy", family, born)).await;
            assert_eq!(found.len(), finds, "{family} {born}");
        }
    }
    // Said anew, a date is known to the day unless said otherwise.
    let told =
        place.correct(&path, 3, json!({ "dateOfBirth": "2014-05-09" })).await.expect(200).body;
    assert_eq!(
        (&told["dateOfBirthPrecision"], &told["dateOfBirthEstimated"]),
        (&json!("day"), &json!(false))
    );
    for (change, pointer) in [
        (json!({ "dateOfBirthPrecision": "year" }), "/dateOfBirth"),
        (json!({ "dateOfBirthEstimated": true }), "/dateOfBirth"),
        (json!({ "dateOfBirth": "2026-11-17" }), "/dateOfBirth"),
        (json!({ "dateOfBirth": "2001-11-15" }), "/dateOfBirth"),
        (
            json!({ "names": [{ "kind": "knownAs", "given": ["Amy"], "family": "Newley" }] }),
            "/names",
        ),
        (json!({ "withoutService": ["police"] }), "/withoutService"),
        (
            json!({ "whereabouts": { "kind": "leftEngland", "leftOn": "2014-05-08", "return": "intends" } }),
            "/whereabouts/leftOn",
        ),
    ] {
        let answer = place.correct(&path, 4, change).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), [pointer]);
    }
    let answer = place.correct(&path, 4, json!({ "carers": [] })).await;
    assert_eq!(answer.refused(422, "unknown-property").pointers(), ["/carers"]);
    assert_eq!(place.index.get(&place.steward, &path).await.version(), 4);
}

#[actix_web::test]
async fn a_correction_says_nothing_of_the_facts_that_it_does_not_name() {
    let place = Place::new().await;
    let path = place.add(with(amy("Testley"), "withoutService", json!(["college"]))).await;
    let before = place.index.get(&place.steward, &path).await.body;
    for (n, change) in
        [json!({}), json!({ "names": amy("Testley")["names"] }), json!({ "identifiers": [] })]
            .into_iter()
            .enumerate()
    {
        let version = i64::try_from(n).unwrap() + 1;
        let answer = place.correct(&path, version, change).await.expect(200);
        let expected = with(before.clone(), "version", json!(version + 1));
        assert_eq!(answer.body, expected);
        let details: Value = json!({ "version": version + 1 });
        place
            .recorded(
                &answer,
                &place.steward,
                "correct_child",
                &[place.child_id(&path).await],
                details,
            )
            .await;
    }
}

#[actix_web::test]
async fn a_record_that_another_work_holds_for_long_is_not_waited_for() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let mut held = place.index.db.begin().await.unwrap();
    sqlx::query("select from child for update").execute(&mut *held).await.unwrap();
    let answer = place.correct(&path, 1, json!({ "gender": "male" })).await;
    assert_eq!(answer.refused(503, "unavailable").header("Retry-After"), "1");
    place.index.get(&place.teacher, &path).await.expect(200);
    held.rollback().await.unwrap();
    place.correct(&path, 1, json!({ "gender": "male" })).await.expect(200);
}
