//! Of two who write at once of the same merge one does, and the other is told; the records are as one of them left them.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::{Town, body};
use crate::harness::{Answer, Child};
use contactpoint::access::Role;

/// The one that was done; the others were refused, with these alone.
fn one_was_done(answers: Vec<Answer>, done: u16, refused: &[(u16, &str)]) -> Answer {
    let told: Vec<_> =
        answers.iter().map(|answer| (answer.status, answer.problem().to_owned())).collect();
    let (mut good, bad): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == done);
    assert_eq!(good.len(), 1, "{told:?}");
    for answer in bad {
        assert!(refused.contains(&(answer.status, answer.problem())), "{told:?}");
    }
    good.remove(0)
}

const STALE: (u16, &str) = (412, "precondition-failed");

impl Town {
    async fn in_use(&self, child: &Child) -> (String, bool) {
        let told = "select c.status, s.child_id is null or s.status = 'active'
                    from child c left join child s on s.child_id = c.merged_into where c.child_id = $1";
        sqlx::query_as(told).bind(child.id).fetch_one(&self.index.db).await.unwrap()
    }

    async fn proposed(&self, survivor: &Child, retired: &Child) -> String {
        let proposed = self.propose(&self.one, survivor, retired).await.expect(201);
        proposed.header("Location").to_owned()
    }
}

#[actix_web::test]
async fn of_many_who_propose_at_once_one_does() {
    let town = Town::new().await;
    let bodies = [body(&town.survivor, &town.retired), body(&town.retired, &town.survivor)];
    let sent = join_all((0..6).map(async |n| {
        let by = if n % 3 == 0 { &town.one } else { &town.two };
        town.index.post(by, "/v1/merges", bodies[n % 2].clone()).await
    }));
    one_was_done(sent.await, 201, &[(409, "merge-proposed")]);
    let kept: i64 = sqlx::query_scalar("select count(*) from child_merge")
        .fetch_one(&town.index.db)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[actix_web::test]
async fn of_an_approval_and_a_refusal_at_once_one_holds() {
    let town = Town::new().await;
    let third = town.index.account(Role::Steward, town.council).await;
    for round in 0..6 {
        let (survivor, retired) = (town.child().await, town.child().await);
        let path = town.proposed(&survivor, &retired).await;
        let (approval, refusal) = (format!("{path}/approval"), format!("{path}/refusal"));
        let approve = town.index.put(&town.two, &approval, 1, Value::Null);
        let refuse = town.index.put(&third, &refusal, 1, Value::Null);
        let (a, b) = if round % 2 == 0 {
            join(approve, refuse).await
        } else {
            let (b, a) = join(refuse, approve).await;
            (a, b)
        };
        let done = one_was_done(vec![a, b], 200, &[STALE]);
        let status = done.body["status"].as_str().unwrap();
        let expected = if status == "merged" { "merged" } else { "active" };
        assert_eq!(town.in_use(&retired).await, (expected.to_owned(), true));
        let opened = town.index.get(&town.one, &path).await.expect(200);
        assert_eq!((&opened.body["status"], opened.version()), (&json!(status), 2));
    }
}

#[actix_web::test]
async fn of_two_who_refuse_at_once_one_does() {
    let town = Town::new().await;
    let third = town.index.account(Role::Steward, town.council).await;
    let path = format!("{}/refusal", town.proposed(&town.survivor, &town.retired).await);
    let (a, b) = join(
        town.index.put(&town.two, &path, 1, Value::Null),
        town.index.put(&third, &path, 1, Value::Null),
    )
    .await;
    let done = one_was_done(vec![a, b], 200, &[STALE]);
    assert_eq!(done.body["status"], "refused");
}

#[actix_web::test]
async fn of_two_who_take_a_merge_back_at_once_one_does_at_each_step() {
    let town = Town::new().await;
    let third = town.index.account(Role::Steward, town.council).await;
    let path = town.merged().await;
    let ground = json!({ "ground": "relatives" });
    let reversal = format!("{path}/reversal");
    let (a, b) = join(
        town.index.put(&town.one, &reversal, 2, ground.clone()),
        town.index.put(&town.two, &reversal, 2, ground),
    )
    .await;
    let by_one = a.status == 200;
    one_was_done(vec![a, b], 200, &[STALE]);
    let other = if by_one { &town.two } else { &town.one };
    let approval = format!("{path}/approval");
    let (a, b) = join(
        town.index.put(other, &approval, 3, Value::Null),
        town.index.put(&third, &approval, 3, Value::Null),
    )
    .await;
    let done = one_was_done(vec![a, b], 200, &[STALE]);
    assert_eq!(done.body["status"], "reversed");
    assert_eq!(town.in_use(&town.retired).await, ("active".to_owned(), true));
}

#[actix_web::test]
async fn of_two_merges_that_retire_one_record_at_once_one_is_done() {
    let town = Town::new().await;
    for _ in 0..3 {
        let (first, second, retired) = (town.child().await, town.child().await, town.child().await);
        let carer = town.index.carer(&retired).await;
        let paths = [town.proposed(&first, &retired).await, town.proposed(&second, &retired).await];
        let approve = paths.map(|path| format!("{path}/approval"));
        let (a, b) = join(
            town.index.put(&town.two, &approve[0], 1, Value::Null),
            town.index.put(&town.two, &approve[1], 1, Value::Null),
        )
        .await;
        one_was_done(vec![a, b], 200, &[STALE, (409, "merge-status"), (409, "merge-covered")]);
        assert_eq!(town.in_use(&retired).await, ("merged".to_owned(), true));
        let held: i64 = sqlx::query_scalar(
            "select count(*) from carer r join child c on c.merged_into = r.child_id where r.carer_id = $1 and c.child_id = $2",
        )
        .bind(carer)
        .bind(retired.id)
        .fetch_one(&town.index.db)
        .await
        .unwrap();
        assert_eq!(held, 1, "what it held is with the one that stays");
    }
}

#[actix_web::test]
async fn two_merges_of_a_chain_at_once_end_at_a_record_in_use() {
    let town = Town::new().await;
    for _ in 0..4 {
        let (first, second, third) = (town.child().await, town.child().await, town.child().await);
        let paths = [town.proposed(&first, &second).await, town.proposed(&second, &third).await];
        let approve = paths.map(|path| format!("{path}/approval"));
        let (a, b) = join(
            town.index.put(&town.two, &approve[0], 1, Value::Null),
            town.index.put(&town.two, &approve[1], 1, Value::Null),
        )
        .await;
        let told = [(a.status, a.problem()), (b.status, b.problem())];
        assert!(told.iter().all(|(status, _)| [200, 409, 412].contains(status)), "{told:?}");
        assert!(told.iter().any(|(status, _)| *status == 200), "{told:?}");
        for child in [&first, &second, &third] {
            assert!(
                town.in_use(child).await.1,
                "{told:?}: no record leads to one that is not in use"
            );
        }
    }
}

#[actix_web::test]
async fn a_correction_at_the_moment_of_a_merge_is_made_or_refused_and_never_lost() {
    let town = Town::new().await;
    for _ in 0..4 {
        let (survivor, retired) = (town.child().await, town.child().await);
        let approval = format!("{}/approval", town.proposed(&survivor, &retired).await);
        let path = retired.path("");
        let version = town.index.get(&town.one, &path).await.expect(200).version();
        let moved = json!({ "whereabouts": { "kind": "current", "address": { "lines": ["7 Quay"], "town": "Exampleton", "postcode": "PO2 4BX" } } });
        let (merged, corrected) = join(
            town.index.put(&town.two, &approval, 1, Value::Null),
            town.index.patch(&town.one, &path, version, moved),
        )
        .await;
        let told = (merged.status, corrected.status, corrected.problem());
        assert!([200, 308, 412].contains(&told.1) && [200, 409, 412].contains(&told.0), "{told:?}");
        let kept: i64 = sqlx::query_scalar(
            "select count(*) from whereabouts w where w.town = 'Exampleton' and w.postcode = 'PO2 4BX' and w.child_id in ($1, $2)",
        )
        .bind(survivor.id)
        .bind(retired.id)
        .fetch_one(&town.index.db)
        .await
        .unwrap();
        assert_eq!(kept, i64::from(told.1 == 200), "{told:?}");
    }
}
