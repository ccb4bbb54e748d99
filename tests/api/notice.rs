//! People are told what concerns their role in their organisation, and nothing that concerns others.

use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Caller, Index},
    written,
};

async fn told(index: &Index, by: &Caller, query: &str) -> Vec<Value> {
    let notices = index.get(by, &format!("/v1/notices{query}")).await.expect(200);
    notices.body["items"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_notice_is_read_and_seen_by_its_role_in_its_organisation_alone() {
    let index = Index::start().await;
    let (here, there) = (index.authority().await, index.authority().await);
    let id = index.notice(Role::Steward, here).await;
    let by = index.caller(Role::Steward, here).await;
    let notices = told(&index, &by, "").await;
    assert_eq!(notices.len(), 1);
    assert_eq!((&notices[0]["id"], &notices[0]["version"]), (&json!(id), &json!(1)));
    assert!(notices[0].get("seenAt").is_none());

    let path = format!("/v1/notices/{id}/seen");
    let unknown = format!("/v1/notices/{}/seen", Uuid::new_v4());
    let others = [
        index.caller(Role::Steward, there).await,
        index.caller(Role::ShieldApprover, here).await,
        index.caller(Role::Operator, here).await,
    ];
    for other in &others {
        assert_eq!(told(&index, other, "").await, Vec::<Value>::new());
        let hidden = index.put(other, &path, 1, Value::Null).await.refused(404, "not-found");
        let absent = index.put(other, &unknown, 1, Value::Null).await.refused(404, "not-found");
        assert_eq!(hidden.bytes, absent.bytes);
    }
    let feed = index.caller(Role::Feed, here).await;
    index.get(&feed, "/v1/notices").await.refused(403, "forbidden");

    let seen = index.put(&by, &path, 1, Value::Null).await.expect(200);
    assert!(seen.body["seenAt"].is_string());
    written::done(&index, &seen, &by, "see_notice", &[], json!({ "notice": id })).await;
    index.put(&by, &path, 1, Value::Null).await.refused(412, "precondition-failed");
    let again = index.put(&by, &path, 2, Value::Null).await.expect(200);
    assert_eq!(again.body, seen.body, "who saw it first stays");
}

#[actix_web::test]
async fn what_is_told_to_no_organisation_is_for_the_operator() {
    let index = Index::start().await;
    let national = index.organisation("nationalPartner", None).await;
    let id = index.notice(Role::Operator, national).await;
    let nobodys = "update notice set organisation_id = null where notice_id = $1";
    sqlx::query(nobodys).bind(id).execute(&index.db).await.unwrap();
    let operator = index.caller(Role::Operator, national).await;
    let auditor = index.caller(Role::Auditor, national).await;
    assert_eq!(told(&index, &operator, "").await.len(), 1);
    assert_eq!(told(&index, &auditor, "").await.len(), 0);
    index
        .put(&auditor, &format!("/v1/notices/{id}/seen"), 1, Value::Null)
        .await
        .refused(404, "not-found");
    index.put(&operator, &format!("/v1/notices/{id}/seen"), 1, Value::Null).await.expect(200);
}

#[actix_web::test]
async fn who_may_override_reads_what_practitioners_are_told_and_not_the_other_way_round() {
    let index = Index::start().await;
    let here = index.authority().await;
    index.notice(Role::Practitioner, here).await;
    index.notice(Role::PractitionerWithOverride, here).await;
    for (role, count) in [(Role::Practitioner, 1), (Role::PractitionerWithOverride, 2)] {
        let by = index.caller(role, here).await;
        assert_eq!(told(&index, &by, "").await.len(), count, "{role}");
    }
}

#[actix_web::test]
async fn notices_come_in_pages_the_oldest_first_and_by_kind() {
    let index = Index::start().await;
    let here = index.authority().await;
    let by = index.caller(Role::Steward, here).await;
    let mut ids = Vec::new();
    for minute in 0..5 {
        index.clock.set(format!("2026-11-16T10:0{minute}:00Z").parse().unwrap());
        ids.push(json!(index.notice(Role::Steward, here).await));
    }
    let (mut read, mut after) = (Vec::new(), String::new());
    loop {
        let page = index.get(&by, &format!("/v1/notices?limit=2{after}")).await.expect(200);
        read.extend(page.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        let Some(next) = page.body["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(read, ids);
    assert_eq!(told(&index, &by, "?kind=transferOffered").await.len(), 5);
    assert_eq!(told(&index, &by, "?kind=shieldAsked").await.len(), 0);
    for wrong in ["?kind=any", "?limit=0", "?after=x", "?role=steward"] {
        index.get(&by, &format!("/v1/notices{wrong}")).await.refused(400, "invalid-query");
    }
}
