//! Identities that end: by two people, for ever, and without a word of who the child is from then on.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contactpoint::access::Role;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Operation, Target},
    sensitive::counselling,
    shield::Town,
};

impl Town {
    async fn propose(&self, by: &Caller) -> Answer {
        self.index
            .post(by, &self.child.path("/identity-ends"), json!({ "ground": "adoption" }))
            .await
    }

    async fn approve(&self, by: &Caller, path: &str) -> Answer {
        self.index.put(by, &format!("{path}/approval"), 1, Value::Null).await
    }

    /// Ends the identity of the town's child.
    async fn end_identity(&self) -> String {
        let proposed = self.propose(&self.first).await.expect(201);
        let path = proposed.header("Location").to_owned();
        let ended = self.approve(&self.second, &path).await.expect(200);
        assert_eq!(ended.body["status"], "ended");
        path
    }

    async fn refused_by(&self, statement: &str) -> bool {
        let change = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).bind(self.child.id);
        change.execute(&self.index.db).await.is_err()
    }

    /// Every row of every table in the database, as JSON.
    async fn dump(&self) -> Vec<(String, Value)> {
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition",
        )
        .fetch_all(&self.index.db)
        .await
        .unwrap();
        let mut dump = Vec::new();
        for table in tables {
            let rows = format!("select to_jsonb(t) from {table} t");
            let rows: Vec<Json<Value>> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
                .fetch_all(&self.index.db)
                .await
                .unwrap();
            dump.extend(rows.into_iter().map(|row| (table.clone(), row.0)));
        }
        dump
    }
}

#[actix_web::test]
async fn two_people_of_the_authority_end_an_identity() {
    let town = Town::new().await;
    for (by, status) in [(&town.stranger, 403), (&town.steward, 403), (&town.teacher, 403)] {
        town.propose(by).await.expect(status);
    }
    let proposed = town.propose(&town.first).await.expect(201);
    let path = proposed.header("Location").to_owned();
    town.propose(&town.second).await.refused(409, "identity-end-proposed");
    town.approve(&town.first, &path).await.refused(403, "forbidden");
    let hidden = town.approve(&town.stranger, &path).await.refused(404, "not-found");
    let unknown = format!("/v1/identity-ends/{}", Uuid::new_v4());
    let absent = town.approve(&town.stranger, &unknown).await.refused(404, "not-found");
    assert_eq!(hidden.body, absent.body);
    town.index.get(&town.stranger, &path).await.refused(404, "not-found");
    let alone = "update identity_end set approved_by = proposed_by, approved_at = now() where child_id = $1";
    assert!(town.refused_by(alone).await);
    town.index.get(&town.teacher, &town.child.path("")).await.expect(200);

    assert_eq!(town.index.get(&town.second, &path).await.expect(200).body, proposed.body);
    town.approve(&town.second, &path).await.expect(200);
    town.approve(&town.second, &path).await.refused(404, "not-found");
}

#[actix_web::test]
async fn a_proposal_waits_for_7_days() {
    let town = Town::new().await;
    let path = town.propose(&town.first).await.expect(201).header("Location").to_owned();
    town.at("2026-11-23T09:30:00Z");
    town.index.get(&town.second, &path).await.refused(404, "not-found");
    town.approve(&town.second, &path).await.refused(404, "not-found");
    town.propose(&town.second).await.expect(201);
}

#[actix_web::test]
async fn ending_an_identity_needs_a_fresh_sign_in() {
    let town = Town::new().await;
    let path = town.propose(&town.first).await.expect(201).header("Location").to_owned();
    let token = format!("Bearer {}", town.index.token(&town.second));
    town.at("2026-11-16T09:35:01Z");
    let headers = [("Authorization", token.as_str()), ("If-Match", "\"1\"")];
    let approval = format!("{path}/approval");
    let late = town.index.request(None, "PUT", &approval, (), &headers).await;
    late.refused(401, "step-up-required");
}

#[actix_web::test]
async fn an_identity_that_has_ended_is_unknown_to_all_in_every_operation() {
    let town = Town::new().await;
    let scene = town.index.scene().await;
    let officer = town.index.account(Role::PractitionerWithOverride, town.school).await;
    let target = Target::of(&town.index, town.council, town.school, scene.national).await;
    let removed = "delete from identity_end where child_id = $1";
    sqlx::query(removed).bind(target.child.id).execute(&town.index.db).await.unwrap();
    let ended = Town { child: target.child.clone(), ..town };
    ended.end_identity().await;
    let unknown = Target::unknown();
    for operation in Operation::all() {
        let about_one =
            ["{indexNumber}", "{involvementId}", "{shieldRequestId}", "{identityEndId}"];
        if !about_one.iter().any(|part| operation.path.contains(part)) {
            continue;
        }
        for by in [&ended.teacher, &officer, &ended.steward, &ended.first, &ended.second] {
            if !operation.policy().unwrap().held_by.contains(&by.role) {
                continue;
            }
            let body = operation.example();
            let hidden = ended.index.ask(operation, by, &target, body.clone(), &[]).await;
            let absent = ended.index.ask(operation, by, &unknown, body, &[]).await;
            assert_eq!((hidden.status, hidden.body), (404, absent.body), "{}", operation.id);
        }
    }
    let search = json!({ "indexNumber": target.child.number });
    let found = ended.index.post(&ended.teacher, "/v1/children/search", search).await.expect(200);
    assert_eq!(found.body["results"], json!([]));
    let list = ended.index.get(&ended.first, "/v1/shield-requests").await.expect(200);
    assert_eq!(list.body["items"], json!([]));
    let path = format!("/v1/investigations/{}", target.investigation);
    let looked = ended.index.get(&ended.first, &path).await.expect(200);
    assert!(looked.body.get("indexNumber").is_none());
}

#[actix_web::test]
async fn an_identity_that_has_ended_stays_so_on_any_path() {
    let town = Town::new().await;
    town.end_identity().await;
    assert!(town.shielded(&town.child).await);
    for change in [
        "update child set status = 'active' where child_id = $1",
        "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
        "update person set shielded = false where person_id = (select person_id from child where child_id = $1)",
    ] {
        assert!(town.refused_by(change).await, "{change}");
    }
    let other = town.index.child(town.council).await;
    let plain = "update child set status = 'retired' where child_id <> $1";
    assert!(town.refused_by(plain).await, "{} is not shielded", other.number);
}

#[actix_web::test]
async fn nothing_tells_of_an_identity_that_has_ended_and_the_new_one_together() {
    let town = Town::new().await;
    town.emergency().await;
    town.end_identity().await;
    town.at("2026-11-18T14:07:21Z");
    let (old, body) = (
        &town.child,
        json!({
            "names": [{ "kind": "current", "given": ["Bea"], "family": "Newhaven" }],
            "dateOfBirth": "2015-03-14", "gender": "female", "whereabouts": { "kind": "noneKnown" },
        }),
    );
    let added = town.index.post(&town.steward, "/v1/children", body).await.expect(201);
    let number = added.body["indexNumber"].as_str().unwrap();
    let new: Uuid = sqlx::query_scalar("select child_id from child where index_number = $1")
        .bind(number)
        .fetch_one(&town.index.db)
        .await
        .unwrap();

    let olds = [old.id.to_string(), old.number.clone(), old.family.clone()];
    let news = [new.to_string(), number.to_owned(), "Newhaven".to_owned()];
    let tells = |row: &str, of: &[String]| of.iter().any(|word| row.contains(word.as_str()));
    let (mut of_the_old, mut of_the_new) = (BTreeSet::new(), BTreeSet::new());
    for (table, row) in town.dump().await {
        let text = row.to_string();
        assert!(!(tells(&text, &olds) && tells(&text, &news)), "{table} joins them: {text}");
        if table.starts_with("audit_event") {
            continue;
        }
        if tells(&text, &olds) {
            values(&row, &mut of_the_old);
        } else if tells(&text, &news) {
            values(&row, &mut of_the_new);
        }
    }
    assert!(of_the_old.contains(&old.id.to_string()) && of_the_new.contains(&new.to_string()));
    let shared: Vec<_> = of_the_old.intersection(&of_the_new).collect();
    let anybody = [town.council.id.to_string()];
    assert!(shared.iter().all(|value| anybody.contains(value)), "{shared:?}");
}

#[actix_web::test]
async fn a_pair_that_may_be_one_child_ends_with_the_identity_of_either() {
    let town = Town::new().await;
    town.index.catch_up().await;
    let alike = json!({
        "names": [{ "kind": "current", "given": ["Amy"], "family": town.child.family }], "dateOfBirth": "2015-03-14",
        "gender": "female", "whereabouts": { "kind": "noneKnown" }, "distinctFrom": [town.child.number],
    });
    town.index.post(&town.teacher, "/v1/children", alike).await.expect(201);
    let pairs = async || -> i64 {
        let of = "select count(*) from possible_duplicate where $1 in (child_id, other_id)";
        sqlx::query_scalar(of).bind(town.child.id).fetch_one(&town.index.db).await.unwrap()
    };
    assert_eq!(pairs().await, 1);
    town.end_identity().await;
    assert_eq!(pairs().await, 0);
}

#[actix_web::test]
async fn a_record_that_is_added_of_an_identity_that_has_ended_is_born_shielded() {
    let town = Town::new().await;
    town.end_identity().await;
    town.at("2026-11-18T14:07:21Z");
    let same = json!({
        "names": [{ "kind": "current", "given": ["Amy"], "family": town.child.family }],
        "dateOfBirth": "2015-03-14", "gender": "female", "whereabouts": { "kind": "noneKnown" },
    });
    let added = town.index.post(&town.teacher, "/v1/children", same).await.expect(201);
    assert_eq!(added.body["shielded"], true);
    assert!(added.body.get("whereabouts").is_none());
    let list = town.index.get(&town.first, "/v1/shield-requests?status=inForce").await.expect(200);
    let request = &list.body["items"][0];
    assert_eq!((&request["ground"], &request["resembles"]), (&json!("resemblance"), &json!([])));

    let path = format!("/v1/shield-requests/{}/decision", request["id"].as_str().unwrap());
    let same = json!({ "decision": "samePerson" });
    town.index.put(&town.first, &path, 1, same).await.expect(200);
    let shield = format!("{}/shield", added.header("Location"));
    let version = town.index.get(&town.second, &shield).await.expect(200).version();
    let held = town.index.delete(&town.second, &shield, version).await;
    held.refused(409, "shield-requested");
}

/// The numbers and the moments that a row tells.
fn values(row: &Value, into: &mut BTreeSet<String>) {
    match row {
        Value::Object(members) => members.values().for_each(|value| values(value, into)),
        Value::Array(items) => items.iter().for_each(|value| values(value, into)),
        Value::String(text) => {
            let number = text.parse::<Uuid>().is_ok();
            let moment = text.parse::<DateTime<Utc>>().is_ok();
            if number || moment {
                into.insert(text.clone());
            }
        }
        _ => {}
    }
}

#[actix_web::test]
async fn what_was_answered_about_an_identity_is_not_told_again_once_it_has_ended() {
    let town = Town::new().await;
    let clinic = town.index.organisation("healthTrust", Some(town.council)).await;
    let nurse = town.index.account(Role::Practitioner, clinic).await;
    let key = [("Idempotency-Key", "before-the-end")];
    let shield = json!({ "ground": "adoption", "emergency": true });
    let hold = json!({ "ground": "inquiry", "until": "2027-11-16" });
    let asked = [
        (&town.teacher, "/shield-requests", shield),
        (&town.steward, "/holds", hold),
        (&nurse, "/involvements", counselling()),
    ];
    let ask = async |by: &Caller, rest: &str, body: &Value| {
        town.index.request(by, "POST", &town.child.path(rest), body.clone(), &key).await
    };
    for (by, rest, body) in &asked {
        ask(by, rest, body).await.expect(201);
        ask(by, rest, body).await.expect(201);
    }
    town.end_identity().await;
    let mut answers = Vec::new();
    for (by, rest, body) in &asked {
        let again = ask(by, rest, body).await.refused(409, "answer-forgotten");
        let text = String::from_utf8(again.bytes).unwrap();
        assert!(!text.contains(" is at ") && !text.contains(&town.child.number), "{text}");
        answers.push(again.body["detail"].clone());
    }
    assert!(answers.iter().all(|detail| *detail == answers[0]));
}
