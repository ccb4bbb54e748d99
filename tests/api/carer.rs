//! Carers of a child: listed, added, corrected and ended.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller},
    parts::{Place, address, source, with},
};

fn ann() -> Value {
    json!({ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother", "parentalResponsibility": true })
}

async fn post(place: &Place, caller: &Caller, path: &str, key: &str, carer: Value) -> Answer {
    place.index.request(caller, "POST", path, carer, &[("Idempotency-Key", key)]).await
}

#[actix_web::test]
async fn carers_are_listed_to_whoever_opens_the_record() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let path = child.path("/carers");
    assert_eq!(
        place.index.get(&place.teacher, &path).await.expect(200).body,
        json!({ "items": [] })
    );
    let id = place.index.carer(&child).await;
    let answer = place.index.get(&place.teacher, &path).await.expect(200);
    let carer = json!({
        "id": id, "name": { "given": ["Ann"], "family": child.family }, "relationship": "mother",
        "parentalResponsibility": true, "phones": [], "emails": [], "source": source(place.council), "version": 1,
    });
    assert_eq!(answer.body, json!({ "items": [carer] }));
    place.recorded(&answer, &place.teacher, "list_carers", &[child.id], Value::Null).await;
    let record = place.index.get(&place.teacher, &child.path("")).await;
    assert_eq!(record.body["carers"], answer.body["items"]);
    for number in ["48271930566", "48271930567"] {
        let path = format!("/v1/children/{number}/carers");
        place.index.get(&place.teacher, &path).await.refused(404, "not-found");
    }
}

#[actix_web::test]
async fn a_steward_of_the_authority_adds_a_carer_once() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let path = child.path("/carers");
    let carer = with(with(ann(), "phones", json!(["01632 960001"])), "address", address("po13ay"));
    let added = post(&place, &place.steward, &path, "key-0001", carer.clone()).await.expect(201);
    let id = added.body["id"].as_str().unwrap();
    let mut expected = with(carer.clone(), "address", address("PO1 3AY"));
    for (member, value) in [
        ("id", json!(id)),
        ("emails", json!([])),
        ("source", source(place.council)),
        ("version", json!(1)),
    ] {
        expected[member] = value;
    }
    assert_eq!(added.body, expected);
    assert_eq!(
        (added.header("ETag"), added.header("Location")),
        ("\"1\"", &*format!("{path}/{id}"))
    );
    place.recorded(&added, &place.steward, "add_carer", &[child.id], json!({ "carer": id })).await;

    let again = post(&place, &place.steward, &path, "key-0001", carer.clone()).await.expect(201);
    assert_eq!((&again.body, again.header("Location")), (&added.body, added.header("Location")));
    place
        .recorded(&again, &place.steward, "add_carer", &[child.id], json!({ "repeated": true }))
        .await;
    post(&place, &place.steward, &path, "key-0001", ann())
        .await
        .refused(422, "idempotency-key-reused");
    let other = place.index.child(place.council).await;
    let answer = post(&place, &place.steward, &other.path("/carers"), "key-0001", carer).await;
    answer.refused(422, "idempotency-key-reused");
    post(&place, &place.steward, &path, "", ann()).await.refused(400, "idempotency-key-required");
    let twins = join(
        post(&place, &place.steward, &path, "key-0002", ann()),
        post(&place, &place.steward, &path, "key-0002", ann()),
    );
    let (one, other) = twins.await;
    assert_eq!(one.expect(201).body, other.expect(201).body);
    assert_eq!(place.index.rows().await["carer"], 2);
}

#[actix_web::test]
async fn nobody_else_adds_corrects_or_ends_a_carer() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let id = place.index.carer(&child).await;
    let (all, one) = (child.path("/carers"), child.path(&format!("/carers/{id}")));
    let before = place.index.rows().await;
    let stranger = place.stranger().await;
    for caller in [&place.teacher, &stranger] {
        let added = place.index.post(caller, &all, ann()).await.refused(403, "forbidden");
        let changed = place
            .index
            .patch(caller, &one, 1, json!({ "phones": [] }))
            .await
            .refused(403, "forbidden");
        let ended = place.index.delete(caller, &one, 1).await.refused(403, "forbidden");
        let of = json!({ "path": { "indexNumber": child.number }, "errors": [] });
        place.recorded(&added, caller, "add_carer", &[], of).await;
        let of = json!({ "path": { "indexNumber": child.number, "carerId": id }, "errors": [] });
        place.recorded(&changed, caller, "change_carer", &[], of.clone()).await;
        place.recorded(&ended, caller, "end_carer", &[], of).await;
    }
    let after = place.index.rows().await;
    for table in ["carer", "history", "idempotency"] {
        assert_eq!(after[table], before[table], "{table}");
    }
}

#[actix_web::test]
async fn a_carer_who_is_unknown_ended_or_another_childs_is_not_found() {
    let place = Place::new().await;
    let (child, other) =
        (place.index.child(place.council).await, place.index.child(place.council).await);
    let (theirs, ended) = (place.index.carer(&other).await, place.index.carer(&child).await);
    let path = |id: &str| child.path(&format!("/carers/{id}"));
    place.index.delete(&place.steward, &path(&ended.to_string()), 1).await.expect(200);
    for id in [
        theirs.to_string(),
        ended.to_string(),
        "00000000-0000-4000-8000-000000000000".into(),
        "x".into(),
    ] {
        let path = path(&id);
        place
            .index
            .patch(&place.steward, &path, 1, json!({ "phones": [] }))
            .await
            .refused(404, "not-found");
        place.index.delete(&place.steward, &path, 1).await.refused(404, "not-found");
        place
            .index
            .request(&place.steward, "DELETE", &path, (), &[])
            .await
            .refused(404, "not-found");
    }
    let answer = place.index.post(&place.steward, "/v1/children/48271930566/carers", ann()).await;
    let answer = answer.refused(404, "not-found");
    let details = json!({ "path": { "indexNumber": "48271930566" }, "errors": [] });
    place.recorded(&answer, &place.steward, "add_carer", &[], details).await;
}

#[actix_web::test]
async fn a_correction_replaces_what_it_names_and_leaves_the_rest() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let full =
        with(with(ann(), "emails", json!(["ann@example.org"])), "address", address("PO1 3AX"));
    let added = place.index.post(&place.steward, &child.path("/carers"), full).await.expect(201);
    let path = added.header("Location");
    let change = json!({ "relationship": "guardian", "parentalResponsibility": false, "phones": ["01632 960001", "999"] });
    let answer = place.index.patch(&place.steward, path, 1, change.clone()).await.expect(200);
    let mut expected = with(added.body.clone(), "version", json!(2));
    for member in ["relationship", "parentalResponsibility", "phones"] {
        expected[member] = change[member].clone();
    }
    assert_eq!((&answer.body, answer.header("ETag")), (&expected, "\"2\""));
    place
        .recorded(
            &answer,
            &place.steward,
            "change_carer",
            &[child.id],
            json!({ "carer": added.body["id"] }),
        )
        .await;
    let listed = place.index.get(&place.teacher, &child.path("/carers")).await;
    assert_eq!(listed.body["items"], json!([expected]));
    // A carer has a version of its own.
    assert_eq!(place.index.get(&place.teacher, &child.path("")).await.version(), 1);

    let six = json!({ "phones": vec!["999"; 6] });
    let answer = place.index.patch(&place.steward, path, 2, six).await;
    assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/phones"]);
    let answer = place.index.patch(&place.steward, path, 2, json!({ "note": "x" })).await;
    assert_eq!(answer.refused(422, "unknown-property").pointers(), ["/note"]);
}

#[actix_web::test]
async fn a_carer_is_corrected_and_ended_on_the_version_that_was_read() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let path = child.path(&format!("/carers/{}", place.index.carer(&child).await));
    for (method, body) in [("PATCH", json!({ "phones": [] })), ("DELETE", Value::Null)] {
        for (tag, status, problem) in [
            ("", 428, "precondition-required"),
            ("*", 400, "invalid-header"),
            ("\"2\"", 412, "precondition-failed"),
        ] {
            let answer = place
                .index
                .request(&place.steward, method, &path, body.clone(), &[("If-Match", tag)])
                .await;
            answer.refused(status, problem);
        }
    }
    let change = || place.index.patch(&place.steward, &path, 1, json!({ "phones": ["999"] }));
    let (one, other) = join(change(), change()).await;
    let (done, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    done.expect(200);
    refused.refused(412, "precondition-failed");
    let (one, other) = join(
        place.index.delete(&place.steward, &path, 2),
        place.index.delete(&place.steward, &path, 2),
    )
    .await;
    let (done, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    refused.refused(404, "not-found");
    assert_eq!(done.body, json!({ "items": [] }));
}

#[actix_web::test]
async fn a_carer_who_is_ended_is_gone_and_the_others_remain() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let (ended, stays) = (place.index.carer(&child).await, place.index.carer(&child).await);
    let path = child.path(&format!("/carers/{ended}"));
    let answer = place.index.delete(&place.steward, &path, 1).await.expect(200);
    let left = answer.body["items"].as_array().unwrap();
    assert_eq!(left.iter().map(|carer| carer["id"].clone()).collect::<Vec<_>>(), [json!(stays)]);
    place
        .recorded(&answer, &place.steward, "end_carer", &[child.id], json!({ "carer": ended }))
        .await;
    let record = place.index.get(&place.teacher, &child.path("")).await;
    assert_eq!(record.body["carers"], answer.body["items"]);
    assert_eq!(place.history(&child.path("")).await.len(), 1);
}
