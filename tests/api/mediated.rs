//! Looking for somebody else: both must be allowed, and both are written down.

use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Caller, Child, Index, Organisation, Scene};

/// A child, and people who could look for one another.
struct Desk {
    index: Index,
    scene: Scene,
    child: Child,
}

impl Desk {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let child = index.child(scene.authority).await;
        Self { index, scene, child }
    }

    async fn somebody(&self, role: Role, organisation: Organisation) -> Caller {
        self.index.account(role, organisation).await
    }

    async fn ask(&self, caller: &Caller, path: &str, account: &str) -> Answer {
        self.index.request(caller, "GET", path, (), &[("On-Behalf-Of", account)]).await
    }

    async fn open(&self, caller: &Caller, account: Uuid) -> Answer {
        self.ask(caller, &self.child.path(""), &account.to_string()).await
    }

    /// The kinds of the child's identifiers that these two see together.
    async fn identifiers(&self, caller: &Caller, account: &Caller) -> Vec<String> {
        let record = self.open(caller, account.id).await.expect(200).body;
        let kinds = record["identifiers"].as_array().unwrap().iter();
        kinds.map(|identifier| identifier["kind"].as_str().unwrap().to_owned()).collect()
    }
}

#[actix_web::test]
async fn a_look_for_another_person_is_told_and_both_are_in_the_audit() {
    let desk = Desk::new().await;
    let mediator = desk.scene.caller(Role::Practitioner);
    let asker = desk.somebody(Role::Practitioner, desk.scene.other_school).await;
    let answer = desk.open(mediator, asker.id).await.expect(200);
    let event = desk.index.event(&answer).await;
    assert_eq!(event["account_id"], json!(mediator.id));
    assert_eq!(event["on_behalf_of"], json!(asker.id));

    let auditor = desk.somebody(Role::Auditor, desk.scene.national).await;
    let path = format!("/v1/audit/events?account={}", asker.id);
    let told = desk.index.get(&auditor, &path).await.expect(200).body;
    assert_eq!(told["items"][0]["accountId"], json!(mediator.id));
    assert_eq!(told["items"][0]["onBehalfOf"], json!(asker.id));
}

#[actix_web::test]
async fn the_other_person_must_be_allowed_too_and_is_never_told_of() {
    let desk = Desk::new().await;
    let mediator = desk.scene.caller(Role::Practitioner);
    let mut refusals = Vec::new();
    for (what, change) in [
        ("suspended", "status = 'suspended'"),
        ("closed", "status = 'closed'"),
        ("checked too long ago", "vetted_until = '2026-11-15'"),
        ("not trained", "trained_until = null"),
        ("without agreement", "agreement_signed_on = null"),
        ("of a role that reads no child", "role = 'operator'"),
    ] {
        let asker = desk.somebody(Role::Practitioner, desk.scene.school).await;
        let change = format!("update account set {change} where account_id = $1");
        let change = sqlx::query(sqlx::AssertSqlSafe(change)).bind(asker.id);
        change.execute(&desk.index.db).await.unwrap();
        refusals.push((what, desk.open(mediator, asker.id).await));
    }
    refusals.push(("nobody", desk.open(mediator, Uuid::new_v4()).await));
    refusals.push(("oneself", desk.open(mediator, mediator.id).await));
    let first = refusals[0].1.bytes.clone();
    for (what, refusal) in refusals {
        let refusal = refusal.refused(403, "forbidden");
        assert_eq!(refusal.bytes, first, "{what}");
        assert_eq!(desk.index.event(&refusal).await["outcome"], "refused", "{what}");
    }
}

#[actix_web::test]
async fn an_organisation_that_is_stopped_stops_looks_for_its_people() {
    let desk = Desk::new().await;
    let mediator = desk.scene.caller(Role::Practitioner);
    let asker = desk.somebody(Role::Practitioner, desk.scene.other_school).await;
    desk.open(mediator, asker.id).await.expect(200);
    let stop = "update organisation set status = 'suspended' where organisation_id = $1";
    sqlx::query(stop).bind(desk.scene.other_school.id).execute(&desk.index.db).await.unwrap();
    desk.open(mediator, asker.id).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn nothing_is_told_that_either_of_them_may_not_see() {
    let desk = Desk::new().await;
    let Desk { index, scene, child } = &desk;
    let surgery = index.organisation("gpPractice", Some(scene.authority)).await;
    let doctor = desk.somebody(Role::Practitioner, surgery).await;
    let teacher = desk.somebody(Role::Practitioner, scene.school).await;
    let colleague = desk.somebody(Role::Practitioner, scene.school).await;
    for (kind, value) in [("upn", "B801200005001"), ("nhsNumber", "9990000018")] {
        sqlx::query(
            "insert into child_identifier (child_id, kind, value, source_organisation_id, received_at, as_at)
             select $1, $2, $3, source_organisation_id, received_at, as_at from child where child_id = $1",
        )
        .bind(child.id)
        .bind(kind)
        .bind(value)
        .execute(&index.db)
        .await
        .unwrap();
    }
    assert_eq!(desk.identifiers(&teacher, &colleague).await, ["upn"]);
    assert!(desk.identifiers(&teacher, &doctor).await.is_empty());
    assert!(desk.identifiers(&doctor, &teacher).await.is_empty());
    let steward = scene.caller(Role::Steward);
    assert_eq!(desk.identifiers(steward, &teacher).await, ["upn"]);

    let search = json!({ "identifier": { "kind": "upn", "value": "B801200005001" } });
    for (account, status) in [(&colleague, 200), (&doctor, 403)] {
        let headers = [("On-Behalf-Of", account.id.to_string())];
        let headers = [(headers[0].0, headers[0].1.as_str())];
        let answer =
            index.request(&teacher, "POST", "/v1/children/search", search.clone(), &headers).await;
        assert_eq!(answer.status, status);
    }

    let (involvement, _) = index.sensitive(child, scene.school, "mentalHealth").await;
    let path = format!("/v1/involvements/{involvement}");
    for (account, seen) in [(&colleague, true), (&doctor, false)] {
        let account = account.id.to_string();
        let list = desk.ask(&teacher, &child.path("/involvements"), &account).await.expect(200);
        assert_eq!(list.body["items"] != json!([]), seen);
        let record = desk.ask(&teacher, &child.path(""), &account).await.expect(200);
        assert_eq!(record.body["involvements"] != json!([]), seen);
        let opened = desk.ask(&teacher, &path, &account).await;
        assert_eq!(opened.status, if seen { 200 } else { 404 });
    }

    let other = desk.somebody(Role::Steward, scene.other_authority).await;
    let own = desk.somebody(Role::Steward, scene.authority).await;
    for (account, status) in [(&own, 200), (&other, 403), (&teacher, 403)] {
        let answer = desk.ask(steward, &child.path("/history"), &account.id.to_string()).await;
        assert_eq!(answer.status, status);
    }
}

#[actix_web::test]
async fn the_header_is_the_number_of_an_account_and_for_looks_at_children_alone() {
    let desk = Desk::new().await;
    let Desk { index, scene, child } = &desk;
    let mediator = scene.caller(Role::Practitioner);
    let asker = desk.somebody(Role::Practitioner, scene.school).await.id.to_string();
    for wrong in ["nonsense", "1", "a.practitioner"] {
        desk.ask(mediator, &child.path(""), wrong).await.refused(400, "invalid-header");
    }
    desk.ask(mediator, "/v1/organisations", &asker).await.refused(400, "invalid-header");
    let rows = index.rows().await;
    let path = child.path("/involvements");
    let change = crate::involvement::service("school");
    let answer = index.request(mediator, "POST", &path, change, &[("On-Behalf-Of", &asker)]).await;
    answer.refused(400, "invalid-header");
    assert_eq!(index.rows().await, rows, "nothing was stored");
    assert_eq!(index.get(mediator, &path).await.expect(200).body["items"], Value::Array(vec![]));
}
