//! Adding a child once, however often and by however many at once it is asked for.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    harness::Answer,
    parts::{Place, address, amy, bob, source, with},
};

async fn add(place: &Place, key: &str, child: Value) -> Answer {
    let headers = [("Idempotency-Key", key)];
    place.index.request(&place.teacher, "POST", "/v1/children", child, &headers).await
}

#[actix_web::test]
async fn a_child_who_is_added_has_a_record_that_says_where_each_fact_comes_from() {
    let place = Place::new().await;
    let before = place.index.rows().await;
    let added = place.index.post(&place.teacher, "/v1/children", amy("Testley")).await.expect(201);

    let path = added.header("Location").to_owned();
    let (name, code): (String, String) =
        sqlx::query_as("select name, authority_code from organisation where organisation_id = $1")
            .bind(place.council.id)
            .fetch_one(&place.index.db)
            .await
            .unwrap();
    let said = source(place.school);
    let record = json!({
        "indexNumber": crate::parts::number(&path),
        "names": [{ "kind": "current", "given": ["Amy", "Rose"], "family": "Testley", "source": said }],
        "dateOfBirth": "2015-03-14",
        "dateOfBirthPrecision": "day",
        "dateOfBirthEstimated": false,
        "gender": "female",
        "shielded": false,
        "whereabouts": { "kind": "current", "address": address("PO1 3AX"), "source": said },
        "identifiers": [],
        "carers": [],
        "involvements": [],
        "withoutService": [],
        "responsibleAuthority": { "organisationId": place.council.id, "code": code, "name": name },
        "brokering": "Contact with further services, where there are any, can be brokered by the responsible authority's steward.",
        "status": "active",
        "source": said,
        "version": 1,
    });
    assert_eq!(added.body, record);
    assert_eq!(added.header("ETag"), "\"1\"");
    let opened = place.index.get(&place.teacher, &path).await.expect(200);
    assert_eq!((opened.header("ETag"), &opened.body), ("\"1\"", &record));

    let id = place.child_id(&path).await;
    place.recorded(&added, &place.teacher, "add_child", &[id], json!({ "distinctFrom": [] })).await;
    let mut after = place.index.rows().await;
    for table in ["child", "child_name", "whereabouts", "match_entry", "idempotency"] {
        assert_eq!(after[table], before[table].as_i64().unwrap() + 1, "{table}");
        after[table] = before[table].clone();
    }
    assert!(after["change"].as_i64() > before["change"].as_i64(), "nobody is told of it");
    after["change"] = before["change"].clone();
    assert_eq!(after, before);
}

#[actix_web::test]
async fn a_child_is_added_only_with_an_idempotency_key_of_8_to_64_printable_characters() {
    let place = Place::new().await;
    let before = place.index.rows().await;
    let missing = add(&place, "", amy("Testley")).await.refused(400, "idempotency-key-required");
    place.recorded(&missing, &place.teacher, "add_child", &[], Value::Null).await;
    for key in ["1234567", &"k".repeat(65), "with a space", "tab\tinside"] {
        add(&place, key, amy("Testley")).await.refused(400, "invalid-header");
    }
    assert_eq!(place.index.rows().await, before);
    add(&place, "12345678", amy("Testley")).await.expect(201);
    add(&place, &"~".repeat(64), bob("Otherly")).await.expect(201);
}

#[actix_web::test]
async fn a_repeated_request_is_answered_as_the_first_was_though_the_record_has_changed_since() {
    let place = Place::new().await;
    let first = add(&place, "key-0001", amy("Testley")).await.expect(201);
    let path = first.header("Location");
    place.correct(path, 1, json!({ "gender": "notSpecified" })).await.expect(200);
    let before = place.index.rows().await;

    let again = add(&place, "key-0001", amy("Testley")).await.expect(201);
    assert_eq!(again.body, first.body);
    for header in ["Location", "ETag"] {
        assert_eq!(again.header(header), first.header(header));
    }
    assert_eq!(place.index.rows().await, before);
    let id = place.child_id(path).await;
    place.recorded(&again, &place.teacher, "add_child", &[id], json!({ "repeated": true })).await;
}

#[actix_web::test]
async fn a_key_is_not_used_for_another_request() {
    let place = Place::new().await;
    let first = add(&place, "key-0001", amy("Testley")).await.expect(201);
    let before = place.index.rows().await;
    let other = add(&place, "key-0001", amy("Otherly")).await;
    let other = other.refused(422, "idempotency-key-reused");
    place.recorded(&other, &place.teacher, "add_child", &[], Value::Null).await;
    assert_eq!(place.index.rows().await, before);

    let headers = [("Idempotency-Key", "key-0002")];
    let carer = json!({ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
                        "parentalResponsibility": true });
    let path = format!("{}/carers", first.header("Location"));
    let steward = &place.steward;
    place.index.request(steward, "POST", &path, carer, &headers).await.expect(201);
    let child = amy("Otherly");
    let other = place.index.request(steward, "POST", "/v1/children", child, &headers).await;
    other.refused(422, "idempotency-key-reused");
}

#[actix_web::test]
async fn a_key_is_its_callers_own_and_is_free_again_after_a_refusal() {
    let place = Place::new().await;
    add(&place, "key-0001", amy("Testley")).await.expect(201);
    let headers = [("Idempotency-Key", "key-0001")];
    let child = bob("Otherly");
    let other = place.index.request(&place.steward, "POST", "/v1/children", child, &headers).await;
    other.expect(201);

    add(&place, "key-0002", amy("Testley")).await.refused(409, "possible-duplicate");
    let third = with(bob("Thirdly"), "dateOfBirth", json!("2006-06-05"));
    add(&place, "key-0002", third).await.expect(201);
}

#[actix_web::test]
async fn twins_of_a_request_make_one_child() {
    let place = Place::new().await;
    for n in 0..5 {
        let child = with(
            bob("Testley"),
            "dateOfBirth",
            json!(format!("20{:02}-0{}-1{n}", 5 + 3 * n, n + 1)),
        );
        let key = format!("key-000{n}");
        let (one, other) = join(add(&place, &key, child.clone()), add(&place, &key, child)).await;
        let (one, other) = (one.expect(201), other.expect(201));
        assert_eq!(one.body, other.body);
        assert_eq!(one.header("Location"), other.header("Location"));
    }
    assert_eq!(place.index.rows().await["child"], 5);
}

#[actix_web::test]
async fn of_two_who_add_the_same_child_at_once_one_is_told_of_a_possible_duplicate() {
    let place = Place::new().await;
    let known_as = json!([
        { "kind": "current", "given": ["Amy"], "family": "Otherly" },
        { "kind": "knownAs", "given": ["Amy"], "family": "TESTLEY" },
    ]);
    let misspelt = amy("Testly")["names"].clone();
    let all = [
        (amy("Testley")["names"].clone(), "2010-03-14"),
        (known_as, "2013-08-29"),
        (misspelt, "2018-11-05"),
    ];
    for (n, (names, born)) in all.into_iter().enumerate() {
        let nowhere = with(amy("Testley"), "whereabouts", json!({ "kind": "noneKnown" }));
        let first = with(nowhere, "dateOfBirth", json!(born));
        let second = with(first.clone(), "names", names);
        let keys = [format!("key-one-{n}"), format!("key-other-{n}")];
        let (one, other) = join(add(&place, &keys[0], first), add(&place, &keys[1], second)).await;
        let (done, refused) = if one.status == 201 { (one, other) } else { (other, one) };
        let id = place.child_id(done.expect(201).header("Location")).await;
        let refused = refused.refused(409, "possible-duplicate");
        place.recorded(&refused, &place.teacher, "add_child", &[id], Value::Null).await;
    }
    assert_eq!(place.index.rows().await["child"], 3);
}

#[actix_web::test]
async fn a_request_that_is_still_in_progress_is_not_begun_again() {
    let place = Place::new().await;
    let mut progress = place.index.db.begin().await.unwrap();
    sqlx::query(
        "insert into idempotency (caller_id, key, operation, body_hash, created_at)
         values ($1, 'key-0001', 'add_child', '', now())",
    )
    .bind(place.teacher.id)
    .execute(&mut *progress)
    .await
    .unwrap();
    let answer = add(&place, "key-0001", amy("Testley")).await.refused(409, "request-in-progress");
    assert_eq!(answer.header("Retry-After"), "1");
    place.recorded(&answer, &place.teacher, "add_child", &[], Value::Null).await;
    progress.rollback().await.unwrap();
    add(&place, "key-0001", amy("Testley")).await.expect(201);
}
