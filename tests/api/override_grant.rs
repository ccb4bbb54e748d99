//! Looking past a shield: one account, one child, one sign-in, 15 minutes; told to the authority and looked into at once.

use contactpoint::access::Role;
use futures_util::future::join;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Child},
    shield::Town,
};

const REFERENCE: (&str, &str) = ("Access-Reference", "CASE/2026-104");

/// A town with a shielded child, and somebody who may look past that.
struct Night {
    town: Town,
    officer: Caller,
}

impl Night {
    async fn new() -> Self {
        let town = Town::new().await;
        town.emergency().await;
        let officer = town.index.account(Role::PractitionerWithOverride, town.school).await;
        Self { town, officer }
    }

    async fn ask(
        &self,
        by: &Caller,
        child: &Child,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.town.index.request(by, "POST", &child.path("/override-grants"), body, headers).await
    }

    async fn look_past(&self) -> Answer {
        self.ask(&self.officer, &self.town.child, acknowledged(), &[REFERENCE]).await
    }

    /// Whether the database lets this one see past the shield of the child now.
    async fn sees(&self, child: &Child, account: &Caller, session: Uuid) -> bool {
        sqlx::query_scalar(
            "select sees_past_shield(child_id, responsible_authority_id, $2, $3, $4, $5, $6) from child where child_id = $1",
        )
        .bind(child.id)
        .bind(account.role.as_str())
        .bind(account.organisation.id)
        .bind(account.id)
        .bind(session)
        .bind(self.town.index.now())
        .fetch_one(&self.town.index.db)
        .await
        .unwrap()
    }

    async fn count(&self, table: &str) -> i64 {
        let count = format!("select count(*) from {table}");
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(count));
        count.fetch_one(&self.town.index.db).await.unwrap()
    }
}

fn acknowledged() -> Value {
    json!({ "warningAcknowledged": true, "ground": "missingChild" })
}

#[actix_web::test]
async fn a_grant_tells_nothing_hidden_and_is_told_and_looked_into_at_once() {
    let night = Night::new().await;
    let granted = night.look_past().await.expect(201);
    let members: Vec<_> = granted.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["expiresAt", "id"]);
    assert_eq!(granted.body["expiresAt"], "2026-11-16T09:45:00Z");
    assert_eq!(granted.header("Cache-Control"), "no-store");
    let event = night.town.index.event(&granted).await;
    assert_eq!(
        (&event["children"], &event["reference"]),
        (&json!([night.town.child.id]), &json!("CASE/2026-104"))
    );
    let told: Vec<(String, Option<Uuid>, String)> = sqlx::query_as(
        "select role, organisation_id, about from notice where kind = 'shieldOverridden' order by role",
    )
    .fetch_all(&night.town.index.db)
    .await
    .unwrap();
    let about =
        format!("/v1/investigations/{}", event["details"]["investigation"].as_str().unwrap());
    let council = Some(night.town.council.id);
    assert_eq!(
        told,
        ["auditor", "shieldApprover"].map(|role| (role.to_owned(), council, about.clone()))
    );

    let open = night.town.index.get(&night.town.first, &about).await.expect(200);
    for (member, value) in [
        ("kind", json!("override")),
        ("indexNumber", json!(night.town.child.number)),
        ("accountId", json!(night.officer.id)),
        ("organisationId", json!(night.town.school.id)),
        ("reference", json!("CASE/2026-104")),
        ("ground", json!("missingChild")),
        ("grantedAt", json!("2026-11-16T09:30:00Z")),
        ("expiresAt", json!("2026-11-16T09:45:00Z")),
        ("status", json!("open")),
    ] {
        assert_eq!(open.body[member], value, "{member}");
    }
}

#[actix_web::test]
async fn a_grant_is_for_one_account_one_session_one_child_and_15_minutes() {
    let night = Night::new().await;
    let (town, officer) = (&night.town, &night.officer);
    let other_child = town.index.child(town.council).await;
    let body = json!({ "ground": "adoption", "emergency": true });
    town.index.post(&town.teacher, &other_child.path("/shield-requests"), body).await.expect(201);
    let colleague = town.index.account(Role::PractitionerWithOverride, town.school).await;
    let other_session = Uuid::new_v4();
    assert!(!night.sees(&town.child, officer, officer.session).await);
    night.look_past().await.expect(201);
    assert!(night.sees(&town.child, officer, officer.session).await);
    assert!(!night.sees(&town.child, &colleague, colleague.session).await);
    assert!(!night.sees(&town.child, &colleague, officer.session).await);
    assert!(!night.sees(&town.child, officer, other_session).await);
    assert!(!night.sees(&other_child, officer, officer.session).await);
    town.at("2026-11-16T09:44:59Z");
    assert!(night.sees(&town.child, officer, officer.session).await);
    town.at("2026-11-16T09:45:00Z");
    assert!(!night.sees(&town.child, officer, officer.session).await);
}

#[actix_web::test]
async fn a_grant_is_refused_without_reference_warning_shield_or_right_and_leaves_nothing() {
    let night = Night::new().await;
    let (town, officer) = (&night.town, &night.officer);
    let rows = town.index.rows().await;
    night.ask(officer, &town.child, acknowledged(), &[]).await.refused(400, "reference-required");
    let bad = night.ask(officer, &town.child, acknowledged(), &[("Access-Reference", "a b")]).await;
    bad.refused(400, "invalid-header");
    for body in [json!({ "warningAcknowledged": false }), json!({})] {
        let refused = night.ask(officer, &town.child, body, &[REFERENCE]).await;
        assert_eq!(refused.refused(422, "invalid-value").pointers(), ["/warningAcknowledged"]);
    }
    for by in [&town.teacher, &town.steward, &town.first] {
        let refused = night.ask(by, &town.child, acknowledged(), &[REFERENCE]).await;
        refused.refused(403, "forbidden");
    }
    assert_eq!(town.index.rows().await, rows);
    let open = town.index.child(town.council).await;
    night.ask(officer, &open, acknowledged(), &[REFERENCE]).await.refused(409, "not-shielded");
    let token = format!("Bearer {}", town.index.token(officer));
    town.at("2026-11-16T09:35:01Z");
    let late = night
        .ask(officer, &town.child, acknowledged(), &[REFERENCE, ("Authorization", &token)])
        .await;
    late.refused(401, "step-up-required");
    assert_eq!(night.count("override_grant").await, 0);
    assert_eq!(night.count("investigation").await, 0);
}

#[actix_web::test]
async fn one_sign_in_gives_one_grant() {
    let night = Night::new().await;
    let key = [REFERENCE, ("Idempotency-Key", "one-grant-only")];
    let ask = || night.ask(&night.officer, &night.town.child, acknowledged(), &key);
    let once = ask().await.expect(201);
    assert_eq!(ask().await.expect(201).body, once.body, "a repeat gives no second grant");
    night.look_past().await.refused(401, "step-up-required");
    assert_eq!(night.count("override_grant").await, 1);
    night.town.at("2026-11-16T09:31:00Z");
    night.look_past().await.expect(201);
    night.look_past().await.refused(401, "step-up-required");
    assert_eq!((night.count("override_grant").await, night.count("investigation").await), (2, 2));
}

#[actix_web::test]
async fn one_sign_in_gives_one_grant_at_once_too() {
    let night = Night::new().await;
    for minute in 31..36 {
        night.town.at(&format!("2026-11-16T09:{minute}:00Z"));
        let (one, other) = join(night.look_past(), night.look_past()).await;
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 401], "{:#} {:#}", one.body, other.body);
    }
}

#[actix_web::test]
async fn an_investigation_is_seen_by_the_authority_and_the_nation_and_decided_once_by_an_auditor() {
    let night = Night::new().await;
    let town = &night.town;
    let granted = night.look_past().await.expect(201);
    let event = town.index.event(&granted).await;
    let path =
        format!("/v1/investigations/{}", event["details"]["investigation"].as_str().unwrap());
    let auditor = town.index.account(Role::Auditor, town.council).await;
    let elsewhere = town.index.account(Role::Auditor, town.stranger.organisation).await;
    let of_the_school = town.index.account(Role::Auditor, town.school).await;
    let partner = town.index.organisation("nationalPartner", None).await;
    let national = town.index.account(Role::Auditor, partner).await;
    for seer in [&town.first, &auditor, &national] {
        town.index.get(seer, &path).await.expect(200);
        let list = town.index.get(seer, "/v1/investigations?status=open").await.expect(200);
        assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
        let closed = town.index.get(seer, "/v1/investigations?status=closed").await.expect(200);
        assert_eq!(closed.body["items"], json!([]));
    }
    let unknown = format!("/v1/investigations/{}", Uuid::new_v4());
    for other in [&town.stranger, &elsewhere, &of_the_school] {
        let hidden = town.index.get(other, &path).await.refused(404, "not-found");
        assert_eq!(hidden.body, town.index.get(other, &unknown).await.body);
        let list = town.index.get(other, "/v1/investigations").await.expect(200);
        assert_eq!(list.body["items"], json!([]));
    }
    let outcome = format!("{path}/outcome");
    let body = json!({ "outcome": "notJustified" });
    town.index.put(&town.first, &outcome, 1, body.clone()).await.refused(403, "forbidden");
    town.index.put(&elsewhere, &outcome, 1, body.clone()).await.refused(404, "not-found");
    let (one, other) = join(
        town.index.put(&auditor, &outcome, 1, body.clone()),
        town.index.put(&national, &outcome, 1, body.clone()),
    )
    .await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let closed = town.index.get(&auditor, &path).await.expect(200);
    assert_eq!(
        (&closed.body["status"], &closed.body["outcome"]),
        (&json!("closed"), &json!("notJustified"))
    );
    town.index.put(&auditor, &outcome, 2, body).await.refused(409, "investigation-closed");
}

#[actix_web::test]
async fn nobody_decides_on_their_own_look_on_any_path() {
    let night = Night::new().await;
    let town = &night.town;
    let auditor = town.index.account(Role::Auditor, town.council).await;
    let own = town.index.investigation(&town.child, &auditor).await;
    let path = format!("/v1/investigations/{own}/outcome");
    let body = json!({ "outcome": "justified" });
    town.index.put(&auditor, &path, 1, body).await.refused(403, "forbidden");
    let set = "update investigation set outcome = 'justified', decided_by = account_id, decided_at = now()";
    let refused = sqlx::query(set).execute(&town.index.db).await.unwrap_err();
    let constraint = refused.as_database_error().unwrap().constraint().unwrap().to_owned();
    assert_eq!(constraint, "investigation_decided_by_another");
}
