//! What only auditors may read, and what was answered before, stands in the database sealed.

use chrono::{DateTime, Utc};
use contactpoint::access::Role;
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    harness::Index,
    parts::{Place, amy, number, with},
};

/// Whatever a table holds, as text.
async fn dump(index: &Index, table: &str) -> String {
    let all = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
    sqlx::query_scalar(AssertSqlSafe(all)).fetch_one(&index.db).await.unwrap()
}

#[actix_web::test]
async fn what_was_searched_for_is_read_by_auditors_and_by_nobody_in_the_database() {
    let place = Place::new().await;
    let path = place.add(with(amy("Canaryley"), "gender", json!("female"))).await;
    let criteria = json!({ "name": { "given": ["Amy"], "family": "Canaryley" }, "postcode": "PO1 3AX", "gender": "female" });
    let found = place.search(criteria.clone()).await.expect(200);
    place.search(json!({ "identifier": { "kind": "nhs", "value": "9434765919" } })).await;

    let kept = dump(&place.index, "audit_event").await.to_lowercase();
    assert!(kept.contains("search_children"));
    for canary in ["canaryley", "po1 3ax", "po13ax", "9434765919"] {
        assert!(!kept.contains(canary), "{canary}: {kept}");
    }

    let auditor = place.index.caller(Role::Auditor, place.school).await;
    let query = "/v1/audit/events?operation=search_children";
    let events = place.index.get(&auditor, query).await.expect(200);
    let mut items = events.body["items"].as_array().unwrap().iter();
    let event = items.find(|event| event["id"] == found.body["searchId"]).unwrap();
    assert_eq!(event["details"]["criteria"]["family"], "canaryley");
    assert_eq!(event["details"]["criteria"]["postcode"], "PO1 3AX");
    assert_eq!(event["children"], json!([number(&path)]));
}

#[actix_web::test]
async fn too_many_matches_are_written_down_sealed_too() {
    let place = Place::new().await;
    let mut here: Vec<String> = Vec::new();
    for _ in 0..11 {
        let path = place.add(with(amy("Canaryley"), "distinctFrom", json!(here))).await;
        here.push(number(&path).to_owned());
    }
    let criteria =
        json!({ "name": { "given": ["Amy"], "family": "Canaryley" }, "dateOfBirth": "2015-03-14" });
    let refused = place.search(criteria).await.refused(422, "too-many-matches");
    assert_eq!(place.index.event(&refused).await["details"]["criteria"]["family"], "canaryley");
    assert!(!dump(&place.index, "audit_event").await.to_lowercase().contains("canaryley"));
}

#[actix_web::test]
async fn a_refusal_does_not_join_caller_and_child_in_the_database() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let answer = place.index.get(&place.teacher, &format!("{path}/history")).await;
    let answer = answer.refused(403, "forbidden");
    let event = place.index.event(&answer).await;
    assert_eq!(event["details"]["path"]["indexNumber"], number(&path));
    assert!(!dump(&place.index, "audit_event").await.contains(number(&path)));
}

#[actix_web::test]
async fn an_auditor_reads_what_was_sealed_before_there_were_keys_of_months() {
    let place = Place::new().await;
    let before = "alter table audit_event drop constraint audit_event_is_evident";
    sqlx::query(before).execute(&place.index.db).await.unwrap();
    let child = place.index.child(place.council).await;
    let id = Uuid::new_v4();
    let hidden = json!({ "children": [child.id], "details": { "involvement": id } }).to_string();
    let sealed = Index::door().vault.seal(hidden.as_bytes(), &format!("audit:{id}")).unwrap();
    let at: DateTime<Utc> = place.index.now();
    sqlx::query(
        "insert into audit_event (event_id, at, operation, outcome, status, organisation_id, details, request_id, instance)
         values ($1, $2, 'add_involvement', 'answered', 201, $3, jsonb_build_object('sealed', translate(encode($4, 'base64'), e'\\n', '')), $1, $1)",
    )
    .bind(id)
    .bind(at)
    .bind(place.council.id)
    .bind(sealed)
    .execute(&place.index.db)
    .await
    .unwrap();
    let auditor = place.index.caller(Role::Auditor, place.council).await;
    let events = place.index.get(&auditor, "/v1/audit/events").await.expect(200);
    let event = &events.body["items"][0];
    assert_eq!(event["children"], json!([child.number]));
    assert_eq!(event["details"], json!({ "involvement": id }));
}

#[actix_web::test]
async fn an_answer_is_kept_sealed_and_repeated_to_the_letter() {
    let place = Place::new().await;
    let key = [("Idempotency-Key", "canary-01")];
    let child = with(amy("Canaryley"), "gender", json!("female"));
    let ask = async || {
        place.index.request(&place.teacher, "POST", "/v1/children", child.clone(), &key).await
    };
    let first = ask().await.expect(201);
    let again = ask().await.expect(201);
    assert_eq!(again.bytes, first.bytes);
    let kept = dump(&place.index, "idempotency").await.to_lowercase();
    assert!(kept.contains("canary-01"));
    for canary in ["canaryley", "harbour", "3ax", "2015-03-14"] {
        let hex = canary.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert!(!kept.contains(canary) && !kept.contains(&hex), "{canary}");
    }
}

#[actix_web::test]
async fn an_answer_that_was_kept_by_the_version_before_is_repeated_still() {
    let place = Place::new().await;
    let key = [("Idempotency-Key", "before-01")];
    let ask = async || {
        place.index.request(&place.teacher, "POST", "/v1/children", amy("Testley"), &key).await
    };
    let first = ask().await.expect(201);
    let old = "update idempotency set sealed = null, answer = $1 where key = 'before-01'";
    sqlx::query(old).bind(&first.body).execute(&place.index.db).await.unwrap();
    assert_eq!(ask().await.expect(201).body, first.body);
}

#[actix_web::test]
async fn what_a_shield_hides_is_not_told_again_by_repeating_what_was_asked_before() {
    let place = Place::new().await;
    let key = [("Idempotency-Key", "before-shield")];
    let ask = async || {
        place.index.request(&place.teacher, "POST", "/v1/children", amy("Testley"), &key).await
    };
    let path = ask().await.expect(201).header("Location").to_owned();
    let carer = json!({ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
                        "parentalResponsibility": true, "phones": ["01632 960555"] });
    let carers = format!("{path}/carers");
    let ask_carer =
        async || place.index.request(&place.steward, "POST", &carers, carer.clone(), &key).await;
    ask_carer().await.expect(201);

    let id = place.child_id(&path).await;
    shield(&place.index, id).await;
    let before = place.index.rows().await;
    for answer in [ask().await, ask_carer().await] {
        let answer = answer.refused(409, "answer-forgotten");
        let told = String::from_utf8_lossy(&answer.bytes).into_owned();
        assert!(!told.contains("Harbour") && !told.contains("960555"), "{told}");
        assert!(answer.body["detail"].as_str().unwrap().contains(&path), "it says where to look");
    }
    assert_eq!(place.index.rows().await, before, "nothing is done again");
}

/// Shields a child as the database does it, with nothing behind the seals.
async fn shield(index: &Index, child: Uuid) {
    let person = Uuid::new_v4();
    for statement in [
        "insert into person (person_id) values ($2)",
        "update child set person_id = $2 where child_id = $1",
        "update whereabouts set sealed = '\\x00', kind = null, lines = null, town = null, postcode = null, uprn = null
         where child_id = $1 and $2 is not null",
        "update carer set sealed = '\\x00', phones = '{}', emails = '{}', address = null where child_id = $1 and $2 is not null",
        "select seal_history(history_id, '\\x00') from history where child_id = $1 and $2 is not null",
        "update person set shielded = true where person_id = $2",
    ] {
        let statement = statement.replace("$1", &format!("'{child}'::uuid"));
        let statement = statement.replace("$2", &format!("'{person}'::uuid"));
        sqlx::query(AssertSqlSafe(statement)).execute(&index.db).await.unwrap();
    }
}
