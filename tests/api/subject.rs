//! A child, or a carer who acts for one, is enrolled by a steward, and may ask that the child be shielded: the own record's alone.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::harness::{Caller, Index};

/// As a steward enrols a child of eleven.
fn enrolment(subject: &Caller) -> Value {
    json!({ "accountId": subject.id, "capacity": "child", "identity": "passport", "basis": "childCompetent", "checkedOn": "2026-11-16" })
}

#[actix_web::test]
async fn a_subject_asks_for_a_shield_of_the_own_record_and_of_no_other() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, subject) = (scene.caller(Role::Steward), scene.caller(Role::Subject));
    let [own, other] = [index.child(scene.authority).await, index.child(scene.authority).await];
    let ask = json!({ "ground": "domesticAbuse" });
    let hidden = index.post(subject, &own.path("/shield-requests"), ask.clone()).await;
    hidden.refused(404, "not-found");

    let linked = index.post(steward, &own.path("/subjects"), enrolment(subject)).await.expect(201);
    let listed = index.get(steward, &own.path("/subjects")).await.expect(200);
    let mut told = enrolment(subject);
    told["acts"] = json!(true);
    assert_eq!(listed.body["items"], json!([told]));
    let asked = index.post(subject, &own.path("/shield-requests"), ask.clone()).await.expect(201);
    assert_eq!((&asked.body["status"], &asked.body["emergency"]), (&json!("asked"), &json!(false)));
    let seen = index.get(subject, asked.header("Location")).await.expect(200);
    assert_eq!(seen.body["id"], asked.body["id"]);
    let urgent = json!({ "ground": "domesticAbuse", "emergency": true });
    let urgent = index.post(subject, &own.path("/shield-requests"), urgent).await;
    urgent.refused(403, "forbidden");
    let another = index.post(subject, &other.path("/shield-requests"), ask.clone()).await;
    another.refused(404, "not-found");
    index.get(subject, &own.path("")).await.refused(403, "forbidden");

    index.delete(steward, linked.header("Location"), 1).await.expect(200);
    let gone = index.post(subject, &own.path("/shield-requests"), ask).await;
    gone.refused(404, "not-found");
    index.delete(steward, linked.header("Location"), 1).await.refused(404, "not-found");
}

#[actix_web::test]
async fn a_subject_is_an_account_of_the_own_authority_and_a_child_has_one_record() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, subject) = (scene.caller(Role::Steward), scene.caller(Role::Subject));
    let [own, other] = [index.child(scene.authority).await, index.child(scene.authority).await];
    let stranger = index.account(Role::Subject, scene.other_authority).await;
    for nobody in [&stranger, scene.caller(Role::Practitioner), steward] {
        let answer = index.post(steward, &own.path("/subjects"), enrolment(nobody)).await;
        answer.refused(422, "invalid-value");
    }
    index.post(steward, &own.path("/subjects"), enrolment(subject)).await.expect(201);
    for child in [&own, &other] {
        let again = index.post(steward, &child.path("/subjects"), enrolment(subject)).await;
        again.refused(409, "subject-exists");
    }
    let mother = index.carer(&other).await;
    index.enrol(steward, &other, subject, Some(mother), None).await.expect(201);
    let elsewhere = index.account(Role::Steward, scene.other_authority).await;
    index.get(&elsewhere, &own.path("/subjects")).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn an_emergency_shield_needs_a_fresh_sign_in_and_a_request_does_not() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let by = scene.caller(Role::Practitioner);
    let child = index.child(scene.authority).await;
    let token = format!("Bearer {}", index.token(by));
    index.clock.set(index.now() + chrono::TimeDelta::minutes(6));
    let headers = [("Authorization", token.as_str())];
    let path = child.path("/shield-requests");
    for (emergency, status) in [(true, 401), (false, 201)] {
        let body = json!({ "ground": "domesticAbuse", "emergency": emergency });
        let answer = index.request(None, "POST", &path, body, &headers).await;
        assert_eq!(answer.status, status, "{:#}", answer.body);
    }
}

#[actix_web::test]
async fn a_carer_is_enrolled_as_one_of_the_record_who_has_parental_responsibility() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, subject) = (scene.caller(Role::Steward), scene.caller(Role::Subject));
    let [child, other] = [index.child(scene.authority).await, index.child(scene.authority).await];
    let [mother, elsewhere] = [index.carer(&child).await, index.carer(&other).await];
    let path = child.path("/subjects");
    let said = json!({ "accountId": subject.id, "capacity": "carer", "identity": "passport", "responsibility": "courtOrder",
                       "carerId": mother, "checkedOn": "2026-11-16" });
    for (member, value, pointer) in [
        ("carerId", json!(elsewhere), "/carerId"),
        ("carerId", Value::Null, "/carerId"),
        ("responsibility", Value::Null, "/responsibility"),
        ("basis", json!("childAgrees"), "/basis"),
        ("checkedOn", json!("2026-11-17"), "/checkedOn"),
        ("checkedOn", json!("2026-08-15"), "/checkedOn"),
    ] {
        let mut wrong = said.clone();
        wrong[member] = value.clone();
        if value.is_null() {
            wrong.as_object_mut().unwrap().remove(member);
        }
        let answer = index.post(steward, &path, wrong).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [pointer], "{member} {value}");
    }
    sqlx::query("update carer set parental_responsibility = false where carer_id = $1")
        .bind(mother)
        .execute(&index.db)
        .await
        .unwrap();
    let answer = index.post(steward, &path, said.clone()).await.refused(422, "invalid-value");
    assert_eq!(answer.pointers(), ["/carerId"]);
    sqlx::query("update carer set parental_responsibility = true where carer_id = $1")
        .bind(mother)
        .execute(&index.db)
        .await
        .unwrap();
    let enrolled = index.post(steward, &path, said).await.expect(201);
    assert_eq!((&enrolled.body["acts"], &enrolled.body["carerId"]), (&json!(true), &json!(mother)));
    let event = index.event(&enrolled).await;
    assert_eq!(event["details"]["responsibility"], "courtOrder");
}
