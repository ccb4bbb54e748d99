//! What a merge must never undo: shields, ended identities, consents, holds, flags; and what it leaves to a purge.

use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Town, same};
use crate::harness::Child;

impl Town {
    async fn both(&self) -> (Value, Value) {
        (self.held(&self.survivor).await, self.held(&self.retired).await)
    }

    /// Whether a record is shielded, with everything that a shield hides sealed.
    async fn shielded(&self, child: &Child) -> bool {
        let (shielded, open): (bool, i64) = sqlx::query_as(
            "select c.shielded, (select count(*) from whereabouts w where w.child_id in (c.child_id, c.merged_into) and w.sealed is null)
                 + (select count(*) from carer r where r.child_id in (c.child_id, c.merged_into) and r.sealed is null)
             from child c where c.child_id = $1",
        )
        .bind(child.id)
        .fetch_one(&self.index.db)
        .await
        .unwrap();
        assert!(!shielded || open == 0, "a shield seals");
        shielded
    }

    async fn run(&self, statement: &'static str, one: Uuid, other: Uuid) {
        sqlx::query(statement).bind(one).bind(other).execute(&self.index.db).await.unwrap();
    }

    async fn leads_to(&self, from: &Child, to: &Child) {
        let moved =
            self.index.get(&self.teacher, &from.path("")).await.refused(308, "record-merged");
        assert_eq!(moved.header("Location"), to.path(""));
    }
}

#[actix_web::test]
async fn a_shield_of_either_is_the_survivors_and_each_gets_its_own_state_back() {
    for which in ["survivor", "retired"] {
        let town = Town::new().await;
        for child in [&town.survivor, &town.retired] {
            town.index.carer(child).await;
            town.index.involvement(child, town.school, "school").await;
        }
        let (hidden, open) = match which {
            "survivor" => (&town.survivor, &town.retired),
            _ => (&town.retired, &town.survivor),
        };
        town.index.shield(hidden).await;
        let before = town.both().await;
        let path = town.merged().await;
        for child in [&town.survivor, &town.retired] {
            assert!(town.shielded(child).await, "{which}");
        }
        let record = town.record(&town.survivor).await;
        assert_eq!((&record["shielded"], &record["involvements"]), (&json!(true), &json!([])));
        town.reverse(&path).await.expect(200);
        assert!(town.shielded(hidden).await && !town.shielded(open).await, "{which}");
        let after = town.both().await;
        same(&before.0, &after.0);
        same(&before.1, &after.1);
    }
}

#[actix_web::test]
async fn a_shield_that_is_raised_on_the_merged_record_covers_both_when_they_part() {
    let town = Town::new().await;
    let path = town.merged().await;
    let ask = json!({ "ground": "threatToLife", "emergency": true });
    town.index.post(&town.teacher, &town.survivor.path("/shield-requests"), ask).await.expect(201);
    town.reverse(&path).await.expect(200);
    assert!(town.shielded(&town.survivor).await && town.shielded(&town.retired).await);
}

#[actix_web::test]
async fn nothing_joins_an_ended_identity_to_another_record() {
    let town = Town::new().await;
    town.index.shield(&town.survivor).await;
    town.run(
        "update child set status = 'retired' where child_id = $1 and $2 is not null",
        town.survivor.id,
        town.survivor.id,
    )
    .await;
    for (survivor, retired) in [(&town.survivor, &town.retired), (&town.retired, &town.survivor)] {
        town.propose(&town.one, survivor, retired).await.refused(422, "invalid-value");
    }
    let town = Town::new().await;
    let path = town.merged().await;
    town.index.shield(&town.survivor).await;
    town.run(
        "update child set status = 'retired' where child_id = $1 and $2 is not null",
        town.survivor.id,
        town.survivor.id,
    )
    .await;
    town.index.get(&town.one, &path).await.refused(404, "not-found");
    let reversal = format!("{path}/reversal");
    let body = json!({ "ground": "relatives" });
    town.index.put(&town.one, &reversal, 2, body).await.refused(404, "not-found");
    town.index.get(&town.one, &town.retired.path("")).await.refused(404, "not-found");
}

#[actix_web::test]
async fn two_who_are_said_to_be_two_persons_are_not_merged() {
    let town = Town::new().await;
    let path = town.propose(&town.one, &town.survivor, &town.retired).await.expect(201);
    for child in [&town.survivor, &town.retired] {
        town.run("with p as (insert into person values ($1) returning 1) update child set person_id = $1 where child_id = $2 and exists (select from p)",
            child.id, child.id).await;
    }
    town.run("insert into distinct_persons values (least($1, $2), greatest($1, $2), (select account_id from account limit 1), now())",
        town.survivor.id, town.retired.id).await;
    town.act(&town.two, path.header("Location"), "approval")
        .await
        .refused(409, "said-to-be-others");
    town.act(&town.two, path.header("Location"), "refusal").await.expect(200);
    town.propose(&town.one, &town.survivor, &town.retired).await.refused(409, "said-to-be-others");
}

#[actix_web::test]
async fn a_chain_is_taken_back_from_its_end() {
    let town = Town::new().await;
    let third = town.child().await;
    let (a, b, c) = (&town.retired, &town.survivor, &third);
    let before = (town.held(a).await, town.held(b).await, town.held(c).await);
    let first = town.merge(b, a).await;
    let second = town.merge(c, b).await;
    for record in [a, b] {
        town.leads_to(record, c).await;
    }
    town.act(&town.one, &first, "reversal").await.refused(409, "merge-covered");
    town.reverse(&second).await.expect(200);
    town.leads_to(a, b).await;
    same(&before.2, &town.held(c).await);
    town.reverse(&first).await.expect(200);
    same(&before.0, &town.held(a).await);
    same(&before.1, &town.held(b).await);
}

#[actix_web::test]
async fn a_sensitive_service_goes_with_the_record_and_only_its_own_organisation_sees_it() {
    let town = Town::new().await;
    let (service, _) = town.index.sensitive(&town.retired, town.school, "mentalHealth").await;
    let before = town.both().await;
    let path = town.merged().await;
    let told = |record: &Value| {
        record["involvements"].as_array().unwrap().iter().any(|i| i["id"] == json!(service))
    };
    let survivor = town.survivor.path("");
    assert!(told(&town.index.get(&town.teacher, &survivor).await.expect(200).body));
    assert!(!told(&town.record(&town.survivor).await));
    let consents = town.index.get(&town.one, &town.survivor.path("/consents")).await.expect(200);
    assert_eq!(consents.body["items"].as_array().unwrap().len(), 1);
    town.reverse(&path).await.expect(200);
    assert!(!told(&town.index.get(&town.teacher, &survivor).await.expect(200).body));
    assert!(told(&town.index.get(&town.teacher, &town.retired.path("")).await.expect(200).body));
    let after = town.both().await;
    same(&before.0, &after.0);
    same(&before.1, &after.1);
}

#[actix_web::test]
async fn one_of_two_lead_professionals_stays_and_both_are_there_again() {
    let town = Town::new().await;
    for child in [&town.survivor, &town.retired] {
        let involvement = town.index.involvement(child, town.school, "school").await;
        for flag in ["leadProfessional", "takingAction"] {
            let path = format!("/v1/involvements/{involvement}/flags/{flag}");
            town.index
                .put(&town.teacher, &path, if flag == "takingAction" { 2 } else { 1 }, json!({}))
                .await
                .expect(200);
        }
    }
    let before = town.both().await;
    town.index.clock.set("2026-11-16T09:31:00Z".parse().unwrap());
    let path = town.merged().await;
    let flags = town.index.get(&town.teacher, &town.survivor.path("/flags")).await.expect(200);
    let flags: Vec<_> =
        flags.body["items"].as_array().unwrap().iter().map(|f| f["flag"].clone()).collect();
    assert_eq!(flags.iter().filter(|flag| **flag == "leadProfessional").count(), 1, "{flags:?}");
    assert_eq!(flags.iter().filter(|flag| **flag == "takingAction").count(), 2, "{flags:?}");
    let record = town.record(&town.survivor).await;
    assert_eq!(record["involvements"].as_array().unwrap().len(), 2, "neither involvement is lost");
    town.reverse(&path).await.expect(200);
    let after = town.both().await;
    same(&before.0, &after.0);
    same(&before.1, &after.1);
}

#[actix_web::test]
async fn a_hold_is_the_survivors_and_one_placed_meanwhile_is_on_both() {
    let town = Town::new().await;
    town.index.hold(&town.retired).await;
    let path = town.merged().await;
    let holds = async |child: &Child| {
        let found = town.index.get(&town.one, &child.path("/holds")).await.expect(200);
        found.body["items"].as_array().unwrap().len()
    };
    assert_eq!(holds(&town.survivor).await, 1);
    town.index.clock.set("2026-11-16T09:31:00Z".parse().unwrap());
    town.index.hold(&town.survivor).await;
    town.reverse(&path).await.expect(200);
    assert_eq!((holds(&town.survivor).await, holds(&town.retired).await), (1, 2));
}

#[actix_web::test]
async fn an_identifier_that_another_child_holds_meanwhile_keeps_the_records_one() {
    let town = Town::new().await;
    let upn = |value: &str| json!({ "identifiers": [{ "kind": "upn", "value": value }] });
    let (kept, lost) = (upn("B801200005001"), upn("Q801200005002"));
    for (child, said) in [(&town.survivor, kept), (&town.retired, lost.clone())] {
        town.index.patch(&town.one, &child.path(""), 1, said).await.expect(200);
    }
    let path = town.merged().await;
    assert_eq!(town.record(&town.survivor).await["identifiers"].as_array().unwrap().len(), 1);
    let other = town.child().await;
    town.index.patch(&town.one, &other.path(""), 1, lost).await.expect(200);
    town.reverse(&path).await.refused(409, "identifier-held");
    let version = town.index.get(&town.one, &other.path("")).await.expect(200).version();
    town.index
        .patch(&town.one, &other.path(""), version, json!({ "identifiers": [] }))
        .await
        .expect(200);
    town.act(&town.two, &path, "approval").await.expect(200);
}

#[actix_web::test]
async fn a_pair_of_possible_duplicates_ends_as_merged() {
    let town = Town::new().await;
    let pair = Uuid::new_v4();
    sqlx::query(
        "insert into possible_duplicate (possible_duplicate_id, child_id, other_id, model_version, found_at)
         values ($1, least($2, $3), greatest($2, $3), 'cold', now())",
    )
    .bind(pair)
    .bind(town.survivor.id)
    .bind(town.retired.id)
    .execute(&town.index.db)
    .await
    .unwrap();
    let mut body = super::body(&town.survivor, &town.retired);
    body["possibleDuplicateId"] = json!(Uuid::new_v4());
    let wrong = town.index.post(&town.one, "/v1/merges", body.clone()).await;
    assert_eq!(wrong.refused(422, "invalid-value").pointers(), ["/possibleDuplicateId"]);
    body["possibleDuplicateId"] = json!(pair);
    let proposed = town.index.post(&town.one, "/v1/merges", body).await.expect(201);
    let path = proposed.header("Location");
    assert_eq!(proposed.body["possibleDuplicateId"], json!(pair));
    town.act(&town.two, path, "approval").await.expect(200);
    let status = async || -> String {
        sqlx::query_scalar("select status from possible_duplicate where possible_duplicate_id = $1")
            .bind(pair)
            .fetch_one(&town.index.db)
            .await
            .unwrap()
    };
    assert_eq!(status().await, "merged");
    let open = town.index.get(&town.one, "/v1/possible-duplicates?status=open").await.expect(200);
    assert_eq!(open.body["items"], json!([]));
    town.reverse(path).await.expect(200);
    assert_eq!(status().await, "open");
}

#[actix_web::test]
async fn with_the_survivor_everything_is_purged_that_was_merged_into_it() {
    let town = Town::new().await;
    town.index.carer(&town.retired).await;
    town.merged().await;
    let national = town.index.organisation("nationalPartner", None).await;
    let (one, two) = (
        town.index.account(Role::Operator, national).await,
        town.index.account(Role::Operator, national).await,
    );
    town.run("update child set status = 'archived', archived_on = '2019-11-16', archives_on = '2019-11-16' where child_id = $1 and $2 is not null",
        town.survivor.id, town.survivor.id).await;
    let purge = town.index.post(&one, "/v1/purges", Value::Null).await.expect(201);
    let approve = format!("{}/approval", purge.header("Location"));
    town.index.put(&two, &approve, 1, Value::Null).await.expect(200);
    town.index.retain().await;
    for child in [&town.survivor, &town.retired] {
        assert_eq!(town.held(child).await, json!([]));
    }
    let rows = town.index.rows().await;
    assert_eq!(
        (&rows["child_merge"], &rows["merge_moved"], &rows["child"]),
        (&json!(0), &json!(0), &json!(0))
    );
}
