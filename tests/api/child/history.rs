//! What a record said before: kept whole, and read by a steward of the own authority.

use serde_json::{Value, json};

use crate::parts::{Place, address, amy, number, source, with};

#[actix_web::test]
async fn the_history_of_a_record_is_read_by_a_steward_of_its_authority_alone() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let history = format!("{path}/history");
    let answer = place.index.get(&place.steward, &history).await.expect(200);
    assert_eq!(answer.body, json!({ "items": [] }));
    let id = place.child_id(&path).await;
    place.recorded(&answer, &place.steward, "read_history", &[id], Value::Null).await;

    let details = json!({ "path": { "indexNumber": number(&path) }, "errors": [] });
    for caller in [&place.teacher, &place.stranger().await] {
        let answer = place.index.get(caller, &history).await.refused(403, "forbidden");
        place.recorded(&answer, caller, "read_history", &[], details.clone()).await;
    }
    for path in ["/v1/children/48271930566/history", "/v1/children/48271930567/history"] {
        place.index.get(&place.steward, path).await.refused(404, "not-found");
    }
}

#[actix_web::test]
async fn nothing_that_a_record_said_is_lost() {
    let place = Place::new().await;
    let upn = |value: &str| json!([{ "kind": "upn", "value": value }]);
    let path = place.add(with(amy("Testley"), "identifiers", upn("B801200005001"))).await;
    let noon = "2026-11-17T12:00:00Z";
    place.index.clock.set(noon.parse().unwrap());
    let change = json!({
        "names": amy("Newley")["names"],
        "dateOfBirth": "2015-03-15",
        "gender": "notSpecified",
        "whereabouts": { "kind": "current", "address": address("PO1 3AY") },
        "identifiers": upn("P207000016049"),
        "withoutService": ["school"],
    });
    place.correct(&path, 1, change).await.expect(200);

    let said = source(place.school);
    let mut history = place.history(&path).await;
    assert!(history.iter().all(|fact| fact["supersededAt"] == noon), "{history:#?}");
    history.sort_by_key(|fact| fact["fact"].to_string());
    let facts: Vec<_> =
        history.iter().map(|fact| (fact["fact"].as_str().unwrap(), fact["was"].clone())).collect();
    let provenance = |mut was: Value| {
        for member in ["organisationId", "receivedAt", "asAt"] {
            let name = if member == "organisationId" { "sourceOrganisationId" } else { member };
            was[name] = said[member].clone();
        }
        was
    };
    // The database writes instants of rows that were changed in its own way.
    let moment = |mut was: Value| {
        if let Some(at) = was["receivedAt"].as_str().map(|at| at.replace("+00:00", "Z")) {
            was["receivedAt"] = at.into();
        }
        was
    };
    let expected = [
        (
            "child",
            provenance(json!({
                "indexNumber": number(&path),
                "dateOfBirth": "2015-03-14",
                "dateOfBirthPrecision": "day",
                "dateOfBirthEstimated": false,
                "gender": "female",
                "withoutService": [],
                "responsibleAuthorityId": place.council.id,
                "status": "active",
                "version": 1,
            })),
        ),
        ("identifier", provenance(json!({ "kind": "upn", "value": "B801200005001" }))),
        (
            "name",
            json!({ "kind": "current", "given": ["Amy", "Rose"], "family": "Testley", "source": said }),
        ),
        (
            "whereabouts",
            json!({ "kind": "current", "address": address("PO1 3AX"), "source": said }),
        ),
    ];
    assert_eq!(facts.len(), expected.len(), "{history:#?}");
    for ((fact, was), (expected_fact, expected)) in facts.into_iter().zip(expected) {
        let was = if was["source"].is_object() {
            with(was.clone(), "source", moment(was["source"].clone()))
        } else {
            moment(was)
        };
        assert_eq!((fact, was), (expected_fact, expected));
    }
}

#[actix_web::test]
async fn the_latest_of_what_was_said_comes_first() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    for (version, postcode) in [(1, "PO1 3AY"), (2, "PO1 3AZ"), (3, "PO1 3BA")] {
        let moment = format!("2026-11-1{}T12:00:00Z", version + 6);
        place.index.clock.set(moment.parse().unwrap());
        let new = json!({ "kind": "current", "address": address(postcode) });
        place.correct(&path, version, json!({ "whereabouts": new })).await.expect(200);
    }
    let history = place.history(&path).await;
    let whereabouts = history.iter().filter(|fact| fact["fact"] == "whereabouts");
    let postcodes: Vec<_> =
        whereabouts.map(|fact| fact["was"]["address"]["postcode"].as_str().unwrap()).collect();
    assert_eq!(postcodes, ["PO1 3AZ", "PO1 3AY", "PO1 3AX"]);
}

#[actix_web::test]
async fn what_a_carer_said_before_stands_in_the_history_once() {
    let place = Place::new().await;
    let ann = json!({ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother", "parentalResponsibility": true });
    let path = place.add(with(amy("Testley"), "carers", json!([ann]))).await;
    let id = place.index.get(&place.steward, &path).await.body["carers"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let carer = format!("{path}/carers/{id}");
    place
        .index
        .patch(&place.steward, &carer, 1, json!({ "phones": ["01632 960001"] }))
        .await
        .expect(200);
    place.index.delete(&place.steward, &carer, 2).await.expect(200);
    let history = place.history(&path).await;
    let carers: Vec<_> = history.iter().filter(|fact| fact["fact"] == "carer").collect();
    assert_eq!(carers.len(), 2, "{history:#?}");
    assert!(carers.iter().any(|carer| carer["was"]["phones"] == json!([])));
    assert!(carers.iter().any(|carer| carer["was"]["phones"] == json!(["01632 960001"])));
}

#[actix_web::test]
async fn the_history_of_a_child_is_what_sources_said_and_nothing_of_how_the_record_is_kept() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let id = place.child_id(&path).await;
    place
        .index
        .put(&place.steward, &format!("{path}/death"), 1, json!({ "diedOn": "2026-11-01" }))
        .await
        .expect(200);
    let asked = json!({ "ground": "adoption", "emergency": false });
    let asking = format!("{path}/shield-requests");
    place.index.post(&place.teacher, &asking, asked).await.expect(201);
    place.arrange("update child set archived_on = null, visible_version = 7 where child_id = $1 and person_id is not null", id).await;
    place.correct(&path, 2, json!({ "gender": "male" })).await.expect(200);
    let history = place.history(&path).await;
    let mut was: Vec<_> = history.iter().filter(|item| item["fact"] == "child").collect();
    assert_eq!(was.len(), 2);
    was.sort_by_key(|item| item["was"]["version"].as_i64());
    let members: Vec<Vec<_>> = was
        .iter()
        .map(|item| item["was"].as_object().unwrap().keys().map(String::as_str).collect())
        .collect();
    let mut said = vec![
        "asAt",
        "dateOfBirth",
        "dateOfBirthEstimated",
        "dateOfBirthPrecision",
        "gender",
        "indexNumber",
        "receivedAt",
        "responsibleAuthorityId",
        "sourceOrganisationId",
        "status",
        "version",
        "withoutService",
    ];
    assert_eq!(members[0], said);
    said.insert(4, "diedOn");
    assert_eq!(members[1], said);
}
