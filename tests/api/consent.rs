//! Consents are seen by those whose service they are to and by the steward, and withdrawn with effect at once.

use chrono::TimeDelta;
use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, TODAY},
    sensitive::{Ward, counselling, kept},
};

fn withdrawal(consent: &Value) -> String {
    format!("/v1/consents/{}/withdrawal", consent["id"].as_str().unwrap())
}

impl Ward {
    async fn consents(&self, caller: &Caller) -> Answer {
        self.index.get(caller, &self.child.path("/consents")).await
    }

    /// Counselling with consent: its path, and the consent.
    async fn counselled(&self) -> (String, Value) {
        let answer = self.say(&self.nurse, counselling()).await.expect(201);
        (answer.header("Location").to_owned(), answer.body["consent"].clone())
    }
}

#[actix_web::test]
async fn a_consent_is_seen_by_its_own_organisation_and_the_steward_and_tells_nobodys_service() {
    let ward = Ward::new().await;
    let index = &ward.index;
    let (_, consent) = ward.counselled().await;
    let told = json!({ "id": consent["id"], "purpose": "sensitiveService", "givenOn": "2026-11-02", "version": 1 });
    for seeing in [&ward.nurse, &ward.steward] {
        let list = ward.consents(seeing).await.expect(200);
        assert_eq!(list.body["items"], json!([told]), "{}", seeing.role);
    }
    let elsewhere = index.authority().await;
    let stranger = index.caller(Role::Steward, elsewhere).await;
    let colleague = index.caller(Role::Practitioner, ward.authority).await;
    for other in [&ward.teacher, &stranger, &colleague] {
        assert_eq!(ward.consents(other).await.expect(200).body, json!({ "items": [] }));
    }
    let account = ward.teacher.id.to_string();
    for looker in [&ward.nurse, &ward.steward] {
        let headers = [("On-Behalf-Of", account.as_str())];
        let path = ward.child.path("/consents");
        let mediated = index.request(looker, "GET", &path, (), &headers).await.expect(200);
        assert_eq!(mediated.body, json!({ "items": [] }));
    }
}

#[actix_web::test]
async fn a_consent_withdrawn_takes_the_service_from_everybodys_view_at_once() {
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let (path, consent) = ward.counselled().await;
    let answer = index.put(nurse, &withdrawal(&consent), 1, json!({})).await.expect(200);
    let told = json!({ "id": consent["id"], "purpose": "sensitiveService", "givenOn": "2026-11-02",
                       "withdrawnOn": TODAY, "version": 2 });
    assert_eq!((&answer.body, answer.version()), (&told, 2));
    assert!(!kept(index, &answer).await.contains(&ward.child.id.to_string()));
    let absent = index.get(nurse, &format!("/v1/involvements/{}", Uuid::new_v4())).await;
    assert_eq!(index.get(nurse, &path).await.refused(404, "not-found").bytes, absent.bytes);
    index.patch(nurse, &path, 1, json!({ "endedOn": TODAY })).await.refused(404, "not-found");
    index
        .put(nurse, &format!("{path}/flags/takingAction"), 1, json!({}))
        .await
        .refused(404, "not-found");
    let list = index.get(nurse, &ward.child.path("/involvements")).await.expect(200);
    assert_eq!(list.body["items"], json!([]));
    let record = index.get(nurse, &ward.child.path("")).await.expect(200);
    assert_eq!(record.body["involvements"], json!([]));
    assert_eq!(ward.consents(&ward.steward).await.body["items"], json!([told]));

    let again = index.put(nurse, &withdrawal(&consent), 2, json!({})).await;
    again.refused(409, "consent-withdrawn");
    ward.say(nurse, counselling()).await.expect(201);
}

#[actix_web::test]
async fn a_steward_of_the_responsible_authority_withdraws_too_and_nobody_else() {
    let ward = Ward::new().await;
    let index = &ward.index;
    let (path, consent) = ward.counselled().await;
    let elsewhere = index.authority().await;
    let stranger = index.caller(Role::Steward, elsewhere).await;
    let unknown = format!("/v1/consents/{}/withdrawal", Uuid::new_v4());
    for other in [&ward.teacher, &stranger] {
        let hidden = index.put(other, &withdrawal(&consent), 1, json!({})).await;
        let absent = index.put(other, &unknown, 1, json!({})).await;
        assert_eq!(hidden.refused(404, "not-found").bytes, absent.bytes);
    }
    index.get(&ward.nurse, &path).await.expect(200);
    let body = json!({ "withdrawnOn": "2026-11-10" });
    let answer = index.put(&ward.steward, &withdrawal(&consent), 1, body).await.expect(200);
    assert_eq!(answer.body["withdrawnOn"], "2026-11-10");
    index.get(&ward.nurse, &path).await.refused(404, "not-found");
}

#[actix_web::test]
async fn a_withdrawal_has_a_day_that_can_be_a_version_and_a_fresh_sign_in() {
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let (path, consent) = ward.counselled().await;
    let at = withdrawal(&consent);
    for day in ["2026-11-01", "2026-11-17"] {
        let answer = index.put(nurse, &at, 1, json!({ "withdrawnOn": day })).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/withdrawnOn"]);
    }
    index.put(nurse, &at, 2, json!({})).await.refused(412, "precondition-failed");
    index.request(nurse, "PUT", &at, json!({}), &[]).await.refused(428, "precondition-required");
    let token = format!("Bearer {}", index.token(nurse));
    index.clock.set(index.now() + TimeDelta::seconds(301));
    let headers = [("Authorization", token.as_str()), ("If-Match", "\"1\"")];
    let stale = index.request(None, "PUT", &at, json!({}), &headers).await;
    stale.refused(401, "step-up-required");
    index.get(nurse, &path).await.expect(200);
    index.put(nurse, &at, 1, json!({ "withdrawnOn": "2026-11-02" })).await.expect(200);
}

#[actix_web::test]
async fn who_asks_again_with_the_same_key_is_not_told_what_stood_on_a_consent_withdrawn() {
    let ward = Ward::new().await;
    let (index, nurse, path) = (&ward.index, &ward.nurse, ward.child.path("/involvements"));
    let key = [("Idempotency-Key", "counselling-2")];
    let first = index.request(nurse, "POST", &path, counselling(), &key).await.expect(201);
    let again = index.request(nurse, "POST", &path, counselling(), &key).await.expect(201);
    assert_eq!(again.header("Location"), first.header("Location"));
    index.put(nurse, &withdrawal(&first.body["consent"]), 1, json!({})).await.expect(200);
    let forgotten = index.request(nurse, "POST", &path, counselling(), &key).await;
    let told = forgotten.refused(409, "answer-forgotten");
    let id = first.body["id"].as_str().unwrap();
    assert!(!String::from_utf8(told.bytes).unwrap().contains(id));
}

#[actix_web::test]
async fn because_of_significant_harm_there_is_nothing_to_withdraw() {
    let ward = Ward::new().await;
    let mut harm = counselling();
    harm.as_object_mut().unwrap().remove("consent");
    harm["basis"] = json!("significantHarm");
    ward.say(&ward.nurse, harm).await.expect(201);
    for caller in [&ward.nurse, &ward.steward] {
        assert_eq!(ward.consents(caller).await.expect(200).body["items"], json!([]));
    }
}

#[actix_web::test]
async fn of_many_withdrawals_at_once_one_is_done_and_none_is_undone() {
    let ward = Ward::new().await;
    let (path, consent) = ward.counselled().await;
    let (at, by) = (withdrawal(&consent), [&ward.nurse, &ward.steward, &ward.nurse, &ward.steward]);
    let answers = join_all(by.map(|caller| ward.index.put(caller, &at, 1, json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.refused(412, "precondition-failed");
    }
    ward.index.get(&ward.nurse, &path).await.refused(404, "not-found");
}

#[actix_web::test]
async fn an_unknown_or_archived_child_has_no_consents() {
    let ward = Ward::new().await;
    let (_, consent) = ward.counselled().await;
    let unknown = ward.index.get(&ward.steward, "/v1/children/48271930566/consents").await;
    let archive = "update child set status = 'archived', archived_on = '2026-11-16'";
    sqlx::query(archive).execute(&ward.index.db).await.unwrap();
    let archived = ward.consents(&ward.steward).await.refused(404, "not-found");
    assert_eq!(archived.bytes, unknown.refused(404, "not-found").bytes);
    let answer = ward.index.put(&ward.steward, &withdrawal(&consent), 1, json!({})).await;
    answer.refused(404, "not-found");
}
