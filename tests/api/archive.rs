//! The archive: who finds and opens what, on which ground, and what comes back.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::{
    harness::{Caller, Child, Index, Scene},
    retention::{born, review},
};

/// A record archived since 2026-11-17, in the archive on that day.
async fn archived(index: &Index, scene: &Scene) -> Child {
    let child = born(index, scene, "2008-11-17").await;
    index.carer(&child).await;
    index.involvement(&child, scene.school, "school").await;
    index.live_until("2026-11-17");
    index.retain().await;
    child
}

fn opening(child: &Child) -> Value {
    json!({ "indexNumber": child.number })
}

fn search(child: &Child) -> Value {
    json!({ "name": { "given": ["Amy"], "family": child.family }, "dateOfBirth": "2008-11-17" })
}

#[actix_web::test]
async fn for_a_year_the_stewards_of_the_own_authority_open_it_then_for_five_years_the_reviewer_then_nobody()
 {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = archived(&index, &scene).await;
    let (steward, reviewer) = (scene.caller(Role::Steward), scene.caller(Role::ArchiveReviewer));
    let other = index.account(Role::Steward, scene.other_authority).await;
    for (moment, own, review_) in [
        ("2026-11-17T00:00:00Z", 200, 404),
        ("2027-11-16T23:59:59Z", 200, 404),
        ("2027-11-17T00:00:00Z", 404, 200),
        ("2032-11-16T23:59:59Z", 404, 200),
        ("2032-11-17T00:00:00Z", 404, 404),
        ("2040-01-01T00:00:00Z", 404, 404),
    ] {
        index.live_until(moment);
        index.post(steward, "/v1/archive/openings", opening(&child)).await.expect(own);
        review(&index, reviewer, &child.number).await.expect(review_);
        index.post(&other, "/v1/archive/openings", opening(&child)).await.refused(404, "not-found");
        let found = index.post(steward, "/v1/archive/search", search(&child)).await.expect(200);
        let found = found.body["items"].as_array().unwrap().len();
        assert_eq!(found, usize::from(own == 200), "{moment}");
        let mut body = search(&child);
        body["ground"] = json!("practiceReview");
        let headers = [("Access-Reference", "PR/1")];
        let found =
            index.request(reviewer, "POST", "/v1/archive/search", body, &headers).await.expect(200);
        assert_eq!(
            found.body["items"].as_array().unwrap().len(),
            usize::from(review_ == 200),
            "{moment}"
        );
        let found = index.post(&other, "/v1/archive/search", search(&child)).await.expect(200);
        assert_eq!(found.body["items"], json!([]));
    }
}

#[actix_web::test]
async fn the_reviewer_says_a_ground_and_a_reference_and_both_are_written_down() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = archived(&index, &scene).await;
    index.live_until("2028-01-01");
    let reviewer = scene.caller(Role::ArchiveReviewer);
    let reference = [("Access-Reference", "CDR/7")];
    let ask = async |body: Value, headers: &[(&str, &str)]| {
        index.request(reviewer, "POST", "/v1/archive/openings", body, headers).await
    };
    ask(opening(&child), &[]).await.refused(400, "invalid-header");
    let without = ask(opening(&child), &reference).await.refused(422, "invalid-value");
    assert_eq!(without.pointers(), ["/ground"]);
    let body = json!({ "indexNumber": child.number, "ground": "curiosity" });
    ask(body, &reference).await.refused(422, "invalid-value");
    let opened = review(&index, reviewer, &child.number).await.expect(200);
    let event = index.event(&opened).await;
    assert_eq!((&event["children"], &event["reference"]), (&json!([child.id]), &json!("CDR/2050")));
    assert_eq!(event["details"]["ground"], "childDeathReview");
    let hidden = review(&index, reviewer, "10000000000").await.refused(404, "not-found");
    index.live_until("2026-11-18");
    let early = review(&index, reviewer, &child.number).await.refused(404, "not-found");
    assert_eq!(hidden.body["detail"], early.body["detail"]);
    for role in [Role::Practitioner, Role::ShieldApprover, Role::Operator, Role::Feed] {
        let refused = index.post(scene.caller(role), "/v1/archive/openings", opening(&child)).await;
        refused.refused(403, "forbidden");
    }
    let for_another =
        [("On-Behalf-Of", &*index.account(Role::Steward, scene.authority).await.id.to_string())];
    let mediated = index
        .request(
            scene.caller(Role::Steward),
            "POST",
            "/v1/archive/openings",
            opening(&child),
            &for_another,
        )
        .await;
    mediated.refused(400, "invalid-header");
}

#[actix_web::test]
async fn an_archived_record_tells_all_but_sensitive_services() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = archived(&index, &scene).await;
    let steward = scene.caller(Role::Steward);
    let opened =
        index.post(steward, "/v1/archive/openings", opening(&child)).await.expect(200).body;
    assert_eq!((&opened["phase"], &opened["shielded"]), (&json!("firstYear"), &json!(false)));
    assert_eq!(opened["names"][0]["family"], child.family);
    assert_eq!(opened["carers"].as_array().unwrap().len(), 1);
    assert_eq!(opened["involvements"][0]["serviceType"], "school");
    assert_eq!(opened["whereabouts"], json!({ "kind": "noneKnown" }));
}

async fn restore(index: &Index, by: &Caller, child: &Child, why: Value) -> crate::harness::Answer {
    let mut body = opening(child);
    body.as_object_mut().unwrap().extend(why.as_object().unwrap().clone());
    index.post(by, "/v1/archive/restorations", body).await
}

#[actix_web::test]
async fn a_record_comes_back_where_what_is_said_puts_its_end_into_the_future() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, practitioner) = (scene.caller(Role::Steward), scene.caller(Role::Practitioner));
    let stay = |given: &str| json!({ "stayConsent": { "ground": "careLeaver", "givenBy": "youngPerson", "capacityBasis": "over16", "givenOn": given } });

    let grown = archived(&index, &scene).await;
    restore(&index, steward, &grown, json!({ "whereabouts": { "kind": "noneKnown" } }))
        .await
        .refused(409, "still-archived");
    restore(&index, steward, &grown, json!({ "death": {} })).await.refused(409, "still-archived");
    let back = restore(&index, steward, &grown, stay("2026-11-17")).await.expect(201);
    assert_eq!(back.body["status"], "active");
    index.get(practitioner, &grown.path("")).await.expect(200);

    let dead = index.child(scene.authority).await;
    index
        .put(steward, &dead.path("/death"), 1, json!({ "diedOn": "2020-01-01" }))
        .await
        .expect(200);
    let away = index.child(scene.authority).await;
    let left = json!({ "whereabouts": { "kind": "leftEngland", "leftOn": "2020-01-01", "return": "intends" } });
    index.patch(steward, &away.path(""), 1, left).await.expect(200);
    index.live_until("2026-11-18");
    index.retain().await;
    for (child, why) in [
        (&dead, json!({ "death": {} })),
        (&away, json!({ "whereabouts": { "kind": "noneKnown" } })),
    ] {
        index.get(practitioner, &child.path("")).await.refused(404, "not-found");
        let other = index.account(Role::Steward, scene.other_authority).await;
        restore(&index, &other, child, why.clone()).await.refused(404, "not-found");
        restore(&index, steward, child, why.clone()).await.expect(201);
        index.get(practitioner, &child.path("")).await.expect(200);
        restore(&index, steward, child, why).await.refused(404, "not-found");
    }
    index.retain().await;
    index.get(practitioner, &dead.path("")).await.expect(200);
}

#[actix_web::test]
async fn a_record_comes_back_for_one_reason_within_a_year_and_not_to_an_identifier_that_another_holds()
 {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let child = index.child(scene.authority).await;
    let numbers = json!({ "identifiers": [{ "kind": "nhsNumber", "value": "9990011117" }] });
    index.patch(steward, &child.path(""), 1, numbers.clone()).await.expect(200);
    index
        .put(steward, &child.path("/death"), 2, json!({ "diedOn": "2020-01-01" }))
        .await
        .expect(200);
    index.live_until("2026-11-17");
    index.retain().await;
    for why in [json!({}), json!({ "death": {}, "whereabouts": { "kind": "noneKnown" } })] {
        restore(&index, steward, &child, why).await.refused(422, "invalid-value");
    }
    let other = index.child(scene.authority).await;
    index.patch(steward, &other.path(""), 1, numbers).await.expect(200);
    restore(&index, steward, &child, json!({ "death": {} })).await.refused(409, "identifier-held");
    index.live_until("2027-11-17T00:00:00Z");
    restore(&index, steward, &child, json!({ "death": {} })).await.refused(404, "not-found");
}

/// A child with something in every field, shielded, and archived on 2026-11-17 because of a death.
async fn shielded(index: &Index, scene: &Scene) -> Child {
    let steward = scene.caller(Role::Steward);
    let address =
        json!({ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" });
    let child = json!({
        "names": [{ "kind": "current", "given": ["Amy"], "family": "Testley" }], "dateOfBirth": "2008-11-18",
        "gender": "female", "whereabouts": { "kind": "current", "address": address },
        "identifiers": [{ "kind": "nhsNumber", "value": "9990011117" }],
        "carers": [{ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
            "parentalResponsibility": true, "phones": ["01632 960077"], "emails": ["ann@example.org"], "address": address }],
    });
    let added = index.post(steward, "/v1/children", child).await.expect(201);
    let number = added.body["indexNumber"].as_str().unwrap().to_owned();
    let id = "select child_id from child where index_number = $1";
    let id = sqlx::query_scalar(id).bind(&number).fetch_one(&index.db).await.unwrap();
    let child = Child { id, number, family: "Testley".to_owned() };
    index.involvement(&child, scene.school, "school").await;
    let died = json!({ "diedOn": "2025-01-02" });
    index.put(steward, &child.path("/death"), 1, died).await.expect(200);
    index.shield(&child).await;
    index.live_until("2026-11-17");
    index.retain().await;
    child
}

#[actix_web::test]
async fn of_a_shielded_record_the_archive_tells_nobody_what_the_shield_hides() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = shielded(&index, &scene).await;
    let hides = |answer: &crate::harness::Answer, secret: &[&str]| {
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        for hidden in ["Harbour", "PO1 3AX", "960077", "ann@example.org", "9990011117", "diedOn"]
            .iter()
            .chain(secret)
        {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    };
    let search =
        json!({ "name": { "given": ["Amy"], "family": "Testley" }, "dateOfBirth": "2008-11-18" });
    let reference = [("Access-Reference", "PR/1")];
    for (moment, may) in [("2026-11-18", Role::Steward), ("2028-01-01", Role::ArchiveReviewer)] {
        index.live_until(moment);
        for &role in Role::ALL {
            let caller = scene.caller(role);
            let ground = (role == Role::ArchiveReviewer).then_some("practiceReview");
            let said = |mut body: Value| {
                if let Some(ground) = ground {
                    body["ground"] = json!(ground);
                }
                body
            };
            let found = index
                .request(caller, "POST", "/v1/archive/search", said(search.clone()), &reference)
                .await;
            let path = "/v1/archive/openings";
            let opened =
                index.request(caller, "POST", path, said(opening(&child)), &reference).await;
            let authority = scene.authority.id.to_string();
            for answer in [&found, &opened] {
                hides(answer, &["involvedOrganisation", &authority, "2025-01-02"]);
            }
            if role == may {
                assert_eq!(found.body["items"][0]["indexNumber"], child.number);
                let opened = opened.expect(200).body;
                assert_eq!(
                    (&opened["shielded"], &opened["involvements"]),
                    (&json!(true), &json!([]))
                );
                assert_eq!(opened["names"][0]["family"], "Testley");
                assert_eq!(opened["carers"][0]["name"]["given"], json!(["Ann"]));
            } else {
                assert!(opened.status == 403 || opened.status == 404, "{role:?}");
                assert!(found.status == 403 || found.body["items"] == json!([]), "{role:?}");
            }
        }
    }
}

#[actix_web::test]
async fn a_shielded_record_that_comes_back_is_shielded_still() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = shielded(&index, &scene).await;
    let steward = scene.caller(Role::Steward);
    let address =
        json!({ "lines": ["1 Refuge Road"], "town": "Exampleton", "postcode": "SW1A 1AA" });
    let moved = json!({ "whereabouts": { "kind": "current", "address": address } });
    restore(&index, steward, &child, moved).await.refused(409, "still-archived");
    let back = restore(&index, steward, &child, json!({ "death": {} })).await.expect(201);
    assert_eq!((&back.body["shielded"], back.body.get("whereabouts")), (&json!(true), None));
    let text = String::from_utf8(back.bytes).unwrap();
    assert!(!text.contains("Harbour") && !text.contains("960077"), "{text}");
    let record = index.get(scene.caller(Role::ShieldApprover), &child.path("")).await.expect(200);
    assert_eq!(record.body["whereabouts"]["address"]["postcode"], "PO1 3AX");
}

#[actix_web::test]
async fn what_was_answered_before_a_record_was_archived_is_not_told_again() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, teacher) = (scene.caller(Role::Steward), scene.caller(Role::Practitioner));
    let child = index.child(scene.authority).await;
    let key = [("Idempotency-Key", "before-archive")];
    let ask = async |by: &Caller, rest: &str, body: Value| {
        index.request(by, "POST", &child.path(rest), body, &key).await
    };
    let shield = json!({ "ground": "courtOrder", "emergency": false });
    let hold = json!({ "ground": "inquiry", "until": "2027-11-16" });
    ask(teacher, "/shield-requests", shield.clone()).await.expect(201);
    ask(steward, "/holds", hold.clone()).await.expect(201);
    let died = json!({ "diedOn": "2020-01-01" });
    index.put(steward, &child.path("/death"), 1, died).await.expect(200);

    // From midnight on, whether the task has run or not.
    index.live_until("2026-11-17");
    for run in [false, true] {
        if run {
            index.retain().await;
        }
        for (by, rest, body) in [(teacher, "/shield-requests", &shield), (steward, "/holds", &hold)]
        {
            let again = ask(by, rest, body.clone()).await.refused(409, "answer-forgotten");
            let text = String::from_utf8(again.bytes).unwrap();
            assert!(!text.contains(" is at "), "{text}");
        }
    }
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from idempotency where num_nonnulls(sealed, answer, location) > 0",
    )
    .fetch_one(&index.db)
    .await
    .unwrap();
    assert_eq!(kept, 0);

    // What is done to a record in the archive is answered again as ever.
    let other = [("Idempotency-Key", "in-the-archive")];
    let body = json!({ "ground": "litigation", "until": "2027-11-16" });
    let path = child.path("/holds");
    let placed = index.request(steward, "POST", &path, body.clone(), &other).await.expect(201);
    let again = index.request(steward, "POST", &path, body, &other).await.expect(201);
    assert_eq!(placed.bytes, again.bytes);
}

#[actix_web::test]
async fn what_was_answered_when_a_record_came_back_is_told_no_more_once_a_shield_hides_it() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, child) = (scene.caller(Role::Steward), index.child(scene.authority).await);
    let died = json!({ "diedOn": "2020-01-01" });
    index.put(steward, &child.path("/death"), 1, died).await.expect(200);
    index.live_until("2026-11-17");
    index.retain().await;
    let key = [("Idempotency-Key", "coming-back")];
    let body = json!({ "indexNumber": child.number, "death": {} });
    let ask = async || {
        index.request(steward, "POST", "/v1/archive/restorations", body.clone(), &key).await
    };
    assert!(ask().await.expect(201).body.get("whereabouts").is_some());
    index.shield(&child).await;
    ask().await.refused(409, "answer-forgotten");
}
