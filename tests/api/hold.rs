//! Legal holds: who places them, for how long, and what they keep.

use contactpoint::access::Role;
use serde_json::json;

use crate::{harness::Index, retention::born};

#[actix_web::test]
async fn a_hold_lasts_two_years_at_most_and_may_be_renewed_and_ended() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let child = index.child(scene.authority).await;
    let path = child.path("/holds");
    for (body, pointer) in [
        (json!({ "ground": "inquiry", "until": "2028-11-17" }), "/until"),
        (json!({ "ground": "inquiry", "until": "2026-11-16" }), "/until"),
        (json!({ "ground": "inquiry", "until": "2027-01-01", "from": "2026-11-15" }), "/from"),
        (json!({ "ground": "inquiry", "until": "2028-01-01", "from": "2027-11-17" }), "/from"),
        (json!({ "ground": "whim", "until": "2027-01-01" }), "/ground"),
    ] {
        let wrong = index.post(steward, &path, body).await.refused(422, "invalid-value");
        assert_eq!(wrong.pointers(), [pointer]);
    }
    let key = [("Idempotency-Key", "hold-once")];
    let body = json!({ "ground": "courtOrder", "until": "2028-11-16" });
    let placed = index.request(steward, "POST", &path, body.clone(), &key).await.expect(201);
    let again = index.request(steward, "POST", &path, body, &key).await.expect(201);
    assert_eq!(placed.bytes, again.bytes);
    assert_eq!(index.event(&placed).await["children"], json!([child.id]));
    let hold = placed.header("Location").to_owned();

    index.live_until("2028-11-02");
    index.retain().await;
    let told: Vec<String> = sqlx::query_scalar(
        "select about from notice where kind = 'holdExpiring' and role = 'steward'",
    )
    .fetch_all(&index.db)
    .await
    .unwrap();
    assert_eq!(told, std::slice::from_ref(&hold));
    index
        .put(steward, &hold, 1, json!({ "until": "2030-11-03" }))
        .await
        .refused(422, "invalid-value");
    index
        .put(steward, &hold, 1, json!({ "until": "2028-11-01" }))
        .await
        .refused(422, "invalid-value");
    let renewed = index.put(steward, &hold, 1, json!({ "until": "2030-11-02" })).await.expect(200);
    assert_eq!(renewed.version(), 2);
    index
        .put(steward, &hold, 1, json!({ "until": "2029-11-02" }))
        .await
        .refused(412, "precondition-failed");
    index.live_until("2029-01-01");
    index.put(steward, &hold, 2, json!({ "until": "2029-01-01" })).await.expect(200);
    index.put(steward, &hold, 3, json!({ "until": "2030-01-01" })).await.refused(409, "hold-ended");
    let listed = index.get(steward, &path).await.expect(200).body;
    assert_eq!(listed["items"][0]["until"], "2029-01-01");
}

#[actix_web::test]
async fn a_hold_is_a_steward_s_until_a_year_after_archiving_and_the_reviewer_s_from_then_on() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, reviewer) = (scene.caller(Role::Steward), scene.caller(Role::ArchiveReviewer));
    let other = index.account(Role::Steward, scene.other_authority).await;
    let child = born(&index, &scene, "2008-11-17").await;
    let path = child.path("/holds");
    for (moment, own, foreign, review) in [
        ("2026-11-16T23:59:59Z", 200, 403, 404),
        ("2026-11-17T00:00:00Z", 200, 404, 404),
        ("2027-11-16T23:59:59Z", 200, 404, 404),
        ("2027-11-17T00:00:00Z", 404, 404, 200),
        ("2033-11-17T00:00:00Z", 404, 404, 200),
    ] {
        index.live_until(moment);
        index.retain().await;
        for (caller, status) in [(steward, own), (&other, foreign), (reviewer, review)] {
            index.get(caller, &path).await.expect(status);
        }
    }
}

#[actix_web::test]
async fn a_hold_and_a_purge_at_once_leave_no_hold_without_its_record() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let reviewer = scene.caller(Role::ArchiveReviewer);
    let child = born(&index, &scene, "2008-11-17").await;
    index.live_until("2032-11-17");
    index.retain().await;
    let one = index.account(Role::Operator, scene.national).await;
    let proposed = index.post(&one, "/v1/purges", json!(null)).await.expect(201);
    assert_eq!(proposed.body["proposed"], 1);
    let approval = format!("{}/approval", proposed.header("Location"));
    let (operator, path) = (scene.caller(Role::Operator), child.path("/holds"));
    let hold = json!({ "ground": "litigation", "until": "2033-01-01" });
    let (approved, held) = futures_util::future::join(
        index.put(operator, &approval, 1, json!(null)),
        index.post(reviewer, &path, hold),
    )
    .await;
    let approved = approved.expect(200);
    let kept: i64 =
        sqlx::query_scalar("select count(*) from child").fetch_one(&index.db).await.unwrap();
    match held.status {
        201 => assert_eq!((&approved.body["kept"], kept), (&json!(1), 1)),
        404 => assert_eq!((&approved.body["purged"], kept), (&json!(1), 0)),
        status => panic!("{status}"),
    }
}

#[actix_web::test]
async fn those_are_told_that_a_hold_ends_who_may_open_it_then() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, reviewer) = (scene.caller(Role::Steward), scene.caller(Role::ArchiveReviewer));
    let other_reviewer = index
        .account(Role::ArchiveReviewer, index.organisation("nationalPartner", None).await)
        .await;
    let child = born(&index, &scene, "2008-11-17").await;
    let told = async |by: &crate::harness::Caller| {
        let notices = index.get(by, "/v1/notices?kind=holdExpiring").await.expect(200);
        let items = notices.body["items"].as_array().unwrap().clone();
        items.iter().map(|notice| notice["about"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let hold = json!({ "ground": "inquiry", "until": "2027-11-20" });
    let hold = index.post(steward, &child.path("/holds"), hold).await.expect(201);
    let hold = hold.header("Location").to_owned();

    index.live_until("2027-11-10");
    assert_eq!((index.retain().await.0[4], index.retain().await.0[4]), (1, 0));
    assert_eq!((told(steward).await, told(reviewer).await.len()), (vec![hold.clone()], 0));
    index.live_until("2027-11-17T00:00:00Z");
    assert_eq!((index.retain().await.0[4], index.retain().await.0[4]), (1, 0));
    for by in [reviewer, &other_reviewer] {
        assert_eq!(told(by).await, std::slice::from_ref(&hold));
        index.get(by, &hold).await.expect(200);
    }
    assert!(told(scene.caller(Role::Operator)).await.is_empty());
}
