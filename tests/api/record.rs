//! Opening a record: for a reason, and without what others may not see.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::parts::Place;

#[actix_web::test]
async fn a_record_is_opened_for_a_reason_which_is_kept() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let answer = place.index.get(&place.teacher, &child.path("")).await.expect(200);
    assert_eq!((answer.header("ETag"), &answer.body["version"]), ("\"1\"", &json!(1)));
    place.recorded(&answer, &place.teacher, "open_child", &[child.id], Value::Null).await;

    let open = async |headers: &[(&str, &str)]| {
        place.index.request(&place.teacher, "GET", &child.path(""), (), headers).await
    };
    for reason in [
        "direct-service",
        "safeguarding-enquiry",
        "assessment",
        "missing-education",
        "transfer",
        "data-quality",
        "subject-request",
        "audit",
    ] {
        let answer = open(&[("Access-Reason", reason), ("Access-Reference", "CP/2026-17")])
            .await
            .expect(200);
        let event = place.index.event(&answer).await;
        assert_eq!((&event["reason"], &event["reference"]), (&json!(reason), &json!("CP/2026-17")));
    }
    for (headers, problem) in [
        ([("Access-Reason", ""), ("Access-Reference", "")], "reason-required"),
        ([("Access-Reason", "curiosity"), ("Access-Reference", "")], "invalid-header"),
        ([("Access-Reason", "Audit"), ("Access-Reference", "")], "invalid-header"),
        ([("Access-Reason", "audit"), ("Access-Reference", "a b")], "invalid-header"),
        ([("Access-Reason", "audit"), ("Access-Reference", &*"1".repeat(41))], "invalid-header"),
    ] {
        let answer = open(&headers).await.refused(400, problem);
        let event = place.index.event(&answer).await;
        assert_eq!((&event["outcome"], &event["children"]), (&json!("refused"), &json!([])));
        assert_eq!(event["details"]["path"]["indexNumber"], child.number);
    }
}

#[actix_web::test]
async fn a_number_that_is_unknown_malformed_wrong_or_archived_has_one_answer() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    place
        .arrange(
            "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
            child.id,
        )
        .await;
    let mut told = Vec::new();
    for number in
        ["48271930566", "48271930567", "1", "x", "4827193056A", "482719305660", &child.number]
    {
        for rest in ["", "/carers", "/involvements", "/flags"] {
            let answer =
                place.index.get(&place.teacher, &format!("/v1/children/{number}{rest}")).await;
            let answer = answer.refused(404, "not-found");
            let event = place.index.event(&answer).await;
            assert_eq!((&event["status"], &event["children"]), (&json!(404), &json!([])));
            let kept = if number == "x" { "…" } else { number };
            assert_eq!(
                event["details"]["path"]["indexNumber"], kept,
                "what might be a name is not written down"
            );
            let mut headers = answer.headers;
            for varying in ["x-request-id", "date"] {
                headers.remove(varying);
            }
            told.push((answer.bytes, headers));
        }
    }
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
}

#[actix_web::test]
async fn an_involvement_that_ended_over_a_year_ago_is_not_shown() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let id = place.index.involvement(&child, place.school, "school").await;
    place.arrange("update involvement set started_on = '2024-01-01', ended_on = '2025-11-16' where involvement_id = $1", id).await;
    for (moment, shown) in [("2026-11-16T23:59:59Z", true), ("2026-11-17T00:00:00Z", false)] {
        place.index.clock.set(moment.parse().unwrap());
        let record = place.index.get(&place.teacher, &child.path("")).await.expect(200);
        assert_eq!(
            record.body["involvements"].as_array().unwrap().len(),
            usize::from(shown),
            "{moment}"
        );
        let list = place.index.get(&place.teacher, &child.path("/involvements")).await.expect(200);
        assert_eq!(list.body["items"], record.body["involvements"]);
        let one = place.index.get(&place.teacher, &format!("/v1/involvements/{id}")).await;
        assert_eq!(one.status, if shown { 200 } else { 404 });
    }
}

#[actix_web::test]
async fn a_sensitive_service_is_seen_by_its_own_organisation_alone() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let plain = place.index.child(place.council).await;
    for child in [&child, &plain] {
        place.index.involvement(child, place.school, "school").await;
    }
    let clinic = place.index.organisation("healthTrust", Some(place.council)).await;
    let nurse = place.index.caller(Role::Practitioner, clinic).await;
    let (id, _) = place.index.sensitive(&child, clinic, "sexualHealth").await;
    let (involvements, flags) = (child.path("/involvements"), child.path("/flags"));
    let involvement = format!("/v1/involvements/{id}");
    let other = place.index.organisation("healthTrust", Some(place.council)).await;
    for (role, organisation) in [
        (Role::Practitioner, place.school),
        (Role::PractitionerWithOverride, other),
        (Role::Steward, place.council),
        (Role::ShieldApprover, place.council),
    ] {
        let caller = place.index.caller(role, organisation).await;
        let record = place.index.get(&caller, &child.path("")).await.expect(200);
        let without = place.index.get(&caller, &plain.path("")).await.expect(200);
        assert_eq!(record.body["involvements"].as_array().unwrap().len(), 1, "{role}");
        for member in ["brokering", "carers", "identifiers", "withoutService", "version"] {
            assert_eq!(record.body[member], without.body[member], "{role} {member}");
        }
        assert_eq!(
            place.index.get(&caller, &involvements).await.body["items"],
            record.body["involvements"]
        );
        assert_eq!(place.index.get(&caller, &flags).await.body, json!({ "items": [] }));
        let hidden = place.index.get(&caller, &involvement).await.refused(404, "not-found");
        let absent =
            place.index.get(&caller, "/v1/involvements/00000000-0000-4000-8000-000000000000").await;
        assert_eq!(hidden.bytes, absent.bytes);
    }
    let record = place.index.get(&nurse, &child.path("")).await.expect(200);
    assert_eq!(record.body["involvements"].as_array().unwrap().len(), 2);
    assert_eq!(
        place.index.get(&nurse, &involvements).await.body["items"],
        record.body["involvements"]
    );
    assert_eq!(place.index.get(&nurse, &flags).await.body, json!({ "items": [] }));
    place.index.get(&nurse, &involvement).await.expect(200);
}

#[actix_web::test]
async fn a_flag_is_gone_on_the_day_it_expires() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    let id = place.index.involvement(&child, place.school, "school").await;
    place.arrange(
        "insert into flag (involvement_id, child_id, flag, set_on, expires_on, received_at)
         select $1, child_id, 'informationToShare', '2026-05-17', '2026-11-17', now() from involvement where involvement_id = $1",
        id,
    )
    .await;
    let flag =
        json!({ "flag": "informationToShare", "setOn": "2026-05-17", "expiresOn": "2026-11-17" });
    for (moment, flags) in
        [("2026-11-16T23:59:59Z", json!([flag])), ("2026-11-17T00:00:00Z", json!([]))]
    {
        place.index.clock.set(moment.parse().unwrap());
        let record = place.index.get(&place.teacher, &child.path("")).await;
        let list = place.index.get(&place.teacher, &child.path("/involvements")).await;
        let one = place.index.get(&place.teacher, &format!("/v1/involvements/{id}")).await;
        let all = place.index.get(&place.teacher, &child.path("/flags")).await;
        assert_eq!(record.body["involvements"][0]["flags"], flags, "{moment}");
        assert_eq!(list.body["items"][0]["flags"], flags, "{moment}");
        assert_eq!(one.body["flags"], flags, "{moment}");
        assert_eq!(all.body["items"].as_array().unwrap().len(), flags.as_array().unwrap().len());
    }
}
