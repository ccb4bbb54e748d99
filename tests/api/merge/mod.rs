//! Two records of one child are made one by two stewards, and two again: nothing is lost, and what was is there again.

mod at_once;
mod protect;
mod sequences;

use contactpoint::access::Role;
use futures_util::future::join;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use crate::harness::{Answer, Caller, Child, Index, Organisation};

/// A council with two stewards, a school with a teacher, and two records for which the council answers.
pub(super) struct Town {
    pub(super) index: Index,
    pub(super) council: Organisation,
    pub(super) school: Organisation,
    pub(super) teacher: Caller,
    pub(super) one: Caller,
    pub(super) two: Caller,
    pub(super) survivor: Child,
    pub(super) retired: Child,
}

impl Town {
    pub(super) async fn new() -> Self {
        let index = Index::start().await;
        let council = index.authority().await;
        let school = index.organisation("school", Some(council)).await;
        let teacher = index.account(Role::Practitioner, school).await;
        let one = index.account(Role::Steward, council).await;
        let two = index.account(Role::Steward, council).await;
        let (survivor, retired) = (child(&index, council).await, child(&index, council).await);
        Self { index, council, school, teacher, one, two, survivor, retired }
    }

    /// A record of a name that is like no other, for which the council answers.
    pub(super) async fn child(&self) -> Child {
        child(&self.index, self.council).await
    }

    /// A steward proposes that one record be merged into another.
    pub(super) async fn propose(&self, by: &Caller, survivor: &Child, retired: &Child) -> Answer {
        self.index.post(by, "/v1/merges", body(survivor, retired)).await
    }

    /// What is to be done with a merge at this path, as it stands.
    pub(super) async fn act(&self, by: &Caller, path: &str, what: &str) -> Answer {
        let version = self.index.get(by, path).await.expect(200).version();
        let body = if what == "reversal" { json!({ "ground": "relatives" }) } else { Value::Null };
        self.index.put(by, &format!("{path}/{what}"), version, body).await
    }

    /// Two stewards merge a record into another: the path of the merge.
    pub(super) async fn merge(&self, survivor: &Child, retired: &Child) -> String {
        let proposed = self.propose(&self.one, survivor, retired).await.expect(201);
        let path = proposed.header("Location").to_owned();
        self.act(&self.two, &path, "approval").await.expect(200);
        path
    }

    /// The two of this town.
    pub(super) async fn merged(&self) -> String {
        self.merge(&self.survivor, &self.retired).await
    }

    /// Two stewards take a merge back.
    pub(super) async fn reverse(&self, path: &str) -> Answer {
        self.act(&self.one, path, "reversal").await.expect(200);
        self.act(&self.two, path, "approval").await
    }

    /// What every table holds of a record, but how often it was changed and what is made of the rest.
    pub(super) async fn held(&self, child: &Child) -> Value {
        self.index.catch_up().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname = 'child_id'
               and c.relname not in ('match_stale', 'change', 'idempotency') order by 1",
        )
        .fetch_all(&self.index.db)
        .await
        .unwrap();
        let rows = tables.iter().map(|table| {
            format!(
                "select '{table}' as held, to_jsonb(t) - '{{version,visible_version,person_id,updated_at}}'::text[] as row
                 from {table} t where t.child_id = $1"
            )
        });
        let statement = format!(
            "select coalesce(jsonb_agg(jsonb_build_array(held, row) order by held, row::text), '[]') from ({}) as rows",
            rows.collect::<Vec<_>>().join(" union all ")
        );
        let held: Json<Value> = sqlx::query_scalar(AssertSqlSafe(statement))
            .bind(child.id)
            .fetch_one(&self.index.db)
            .await
            .unwrap();
        held.0
    }

    pub(super) async fn record(&self, child: &Child) -> Value {
        self.index.get(&self.one, &child.path("")).await.expect(200).body
    }
}

/// A child whom nobody takes for another by the name.
async fn child(index: &Index, authority: Organisation) -> Child {
    let child = index.child(authority).await;
    let family = sqlx::query_scalar(
        "update child_name n set family = initcap(w.word), family_key = w.word
         from translate(left(md5($1::text), 9), '0123456789', 'ghijklmnop') w (word) where n.child_id = $1 returning n.family",
    );
    let family = family.bind(child.id).fetch_one(&index.db).await.unwrap();
    Child { family, ..child }
}

pub(super) fn body(survivor: &Child, retired: &Child) -> Value {
    json!({ "survivor": survivor.number, "retired": retired.number, "ground": "recordedTwice" })
}

/// Fails where two dumps differ, and says only in what.
#[track_caller]
pub(super) fn same(before: &Value, after: &Value) {
    let (was, is) = (before.as_array().unwrap(), after.as_array().unwrap());
    let lost: Vec<_> = was.iter().filter(|row| !is.contains(row)).collect();
    let new: Vec<_> = is.iter().filter(|row| !was.contains(row)).collect();
    assert!(lost.is_empty() && new.is_empty(), "lost: {lost:#?}\nnew: {new:#?}");
    assert_eq!(was.len(), is.len());
}

#[actix_web::test]
async fn a_merge_takes_two_stewards_and_the_proposer_never_approves() {
    let town = Town::new().await;
    let proposed = town.propose(&town.one, &town.survivor, &town.retired).await.expect(201);
    let path = proposed.header("Location").to_owned();
    assert_eq!(proposed.body["status"], "proposed");
    let itself = town.act(&town.one, &path, "approval").await;
    itself.refused(403, "forbidden");
    town.index.get(&town.one, &town.retired.path("")).await.expect(200);
    let approve = format!("{path}/approval");
    town.index.put(&town.two, &approve, 7, Value::Null).await.refused(412, "precondition-failed");
    let approved = town.index.put(&town.two, &approve, 1, Value::Null).await.expect(200);
    assert_eq!((&approved.body["status"], approved.version()), (&json!("merged"), 2));
    assert_eq!(approved.body["decidedBy"], json!(town.two.id));
    let event = town.index.event(&approved).await;
    assert_eq!(event["children"], json!([town.survivor.id, town.retired.id]));
    let again = town.index.put(&town.two, &approve, 2, Value::Null).await;
    again.refused(409, "merge-status");
}

#[actix_web::test]
async fn a_merge_is_proposed_once_and_the_repeat_is_answered_alike() {
    let town = Town::new().await;
    let key = [("Idempotency-Key", "merge-0001")];
    let body = body(&town.survivor, &town.retired);
    let post = || town.index.request(&town.one, "POST", "/v1/merges", body.clone(), &key);
    let (first, again) = (post().await.expect(201), post().await.expect(201));
    assert_eq!(first.bytes, again.bytes);
    for (survivor, retired) in [(&town.survivor, &town.retired), (&town.retired, &town.survivor)] {
        town.propose(&town.two, survivor, retired).await.refused(409, "merge-proposed");
    }
    let itself = town.propose(&town.one, &town.survivor, &town.survivor).await;
    assert_eq!(itself.refused(422, "invalid-value").pointers(), ["/retired"]);
    let told = town.index.get(&town.two, "/v1/notices").await.expect(200);
    assert_eq!(told.body["items"][0]["kind"], "mergeProposed");
    assert_eq!(told.body["items"][0]["about"], first.header("Location"));
}

#[actix_web::test]
async fn of_two_who_approve_at_once_one_does() {
    let town = Town::new().await;
    let proposed = town.propose(&town.one, &town.survivor, &town.retired).await.expect(201);
    let approve = format!("{}/approval", proposed.header("Location"));
    let third = town.index.account(Role::Steward, town.council).await;
    let (a, b) = join(
        town.index.put(&town.two, &approve, 1, Value::Null),
        town.index.put(&third, &approve, 1, Value::Null),
    )
    .await;
    let (done, refused) = if a.status == 200 { (a, b) } else { (b, a) };
    done.expect(200);
    refused.refused(412, "precondition-failed");
}

#[actix_web::test]
async fn where_two_authorities_answer_a_steward_of_each_agrees() {
    let town = Town::new().await;
    let other = town.index.authority().await;
    let theirs = town.index.child(other).await;
    let (there, colleague) = (
        town.index.account(Role::Steward, other).await,
        town.index.account(Role::Steward, other).await,
    );
    let unrelated = town.index.authority().await;
    let stranger = town.index.account(Role::Steward, unrelated).await;
    town.propose(&stranger, &town.survivor, &theirs).await.refused(403, "forbidden");
    let path = town
        .propose(&there, &town.survivor, &theirs)
        .await
        .expect(201)
        .header("Location")
        .to_owned();
    town.act(&colleague, &path, "approval").await.refused(403, "forbidden");
    let unknown = format!("/v1/merges/{}", Uuid::new_v4());
    for path in [&path, &unknown] {
        town.index.get(&stranger, path).await.refused(404, "not-found");
        for (what, body) in [
            ("approval", Value::Null),
            ("refusal", Value::Null),
            ("reversal", json!({ "ground": "relatives" })),
        ] {
            let path = format!("{path}/{what}");
            town.index.put(&stranger, &path, 1, body).await.refused(404, "not-found");
        }
    }
    town.index.get(&town.teacher, &path).await.refused(403, "forbidden");
    assert_eq!(town.index.get(&stranger, "/v1/merges").await.expect(200).body["items"], json!([]));
    town.act(&town.one, &path, "approval").await.expect(200);
    for steward in [&town.one, &there] {
        let listed = town.index.get(steward, "/v1/merges?status=merged").await.expect(200);
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    }
    town.act(&town.one, &path, "reversal").await.expect(200);
    town.act(&town.two, &path, "approval").await.refused(403, "forbidden");
    town.act(&colleague, &path, "approval").await.expect(200);
}

#[actix_web::test]
async fn whoever_refuses_leaves_both_records_as_they_were() {
    let town = Town::new().await;
    let before = (town.held(&town.survivor).await, town.held(&town.retired).await);
    let proposed = town.propose(&town.one, &town.survivor, &town.retired).await.expect(201);
    let path = proposed.header("Location");
    let refused = town.act(&town.two, path, "refusal").await.expect(200);
    assert_eq!(refused.body["status"], "refused");
    town.act(&town.two, path, "approval").await.refused(409, "merge-status");
    town.act(&town.two, path, "reversal").await.refused(409, "merge-status");
    same(&before.0, &town.held(&town.survivor).await);
    same(&before.1, &town.held(&town.retired).await);
    let path = town.merged().await;
    town.act(&town.one, &path, "reversal").await.expect(200);
    let kept = town.act(&town.two, &path, "refusal").await.expect(200);
    assert_eq!(kept.body["status"], "merged", "a reversal that is refused leaves them merged");
}

#[actix_web::test]
async fn the_preview_tells_what_moves_and_what_differs() {
    let town = Town::new().await;
    town.index.carer(&town.retired).await;
    town.index.involvement(&town.survivor, town.school, "school").await;
    town.index.involvement(&town.retired, town.school, "school").await;
    town.index.hold(&town.retired).await;
    town.index.sensitive(&town.retired, town.school, "mentalHealth").await;
    let proposed = town.propose(&town.one, &town.survivor, &town.retired).await.expect(201);
    let opened = town.index.get(&town.two, proposed.header("Location")).await.expect(200);
    let preview = &opened.body["preview"];
    assert_eq!(preview["shielded"], false);
    assert_eq!(preview["conflicts"], json!(["name", "involvement"]));
    let moves: Vec<_> =
        preview["moves"].as_array().unwrap().iter().map(|m| m["fact"].as_str().unwrap()).collect();
    assert_eq!(
        moves,
        ["name", "whereabouts", "carer", "involvement", "hold"],
        "and no sensitive service"
    );
    town.index.shield(&town.retired).await;
    let opened = town.index.get(&town.two, proposed.header("Location")).await.expect(200);
    let preview = &opened.body["preview"];
    assert_eq!((&preview["shielded"], &preview["conflicts"]), (&json!(true), &json!(["name"])));
    let moves: Vec<_> =
        preview["moves"].as_array().unwrap().iter().map(|m| m["fact"].as_str().unwrap()).collect();
    assert_eq!(moves, ["name", "carer"], "what the shield leaves visible");
}

#[actix_web::test]
async fn the_survivor_has_all_and_the_retired_number_leads_to_it() {
    let town = Town::new().await;
    let carer = town.index.carer(&town.retired).await;
    let involvement = town.index.involvement(&town.retired, town.school, "school").await;
    let flag = format!("/v1/involvements/{involvement}/flags/takingAction");
    town.index.put(&town.teacher, &flag, 1, json!({})).await.expect(200);
    town.merged().await;
    let record = town.record(&town.survivor).await;
    assert_eq!(record["carers"][0]["id"], json!(carer));
    assert_eq!(record["involvements"][0]["id"], json!(involvement));
    assert_eq!(record["involvements"][0]["flags"][0]["flag"], "takingAction");
    let names: Vec<_> = record["names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| (&name["kind"], &name["family"]))
        .collect();
    assert_eq!(
        names,
        [
            (&json!("current"), &json!(town.survivor.family)),
            (&json!("former"), &json!(town.retired.family))
        ]
    );
    town.index.get(&town.teacher, &format!("/v1/involvements/{involvement}")).await.expect(200);

    for (method, rest, body) in [
        ("GET", "", Value::Null),
        ("GET", "/carers", Value::Null),
        ("GET", "/history", Value::Null),
        ("PATCH", "", json!({ "gender": "female" })),
        (
            "POST",
            "/carers",
            json!({ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother", "parentalResponsibility": true }),
        ),
    ] {
        let path = town.retired.path(rest);
        let moved =
            town.index.request(&town.one, method, &path, body, &[("If-Match", "\"1\"")]).await;
        let moved = moved.refused(308, "record-merged");
        assert_eq!(moved.header("Location"), town.survivor.path(rest), "{method} {rest}");
        assert_eq!(town.index.event(&moved).await["problem"], "record-merged");
    }
    let search = json!({ "indexNumber": town.retired.number });
    let found = town.index.post(&town.teacher, "/v1/children/search", search).await.expect(200);
    assert_eq!(found.body["results"][0]["indexNumber"], json!(town.survivor.number));
    let search = json!({ "name": { "given": ["Amy"], "family": town.retired.family }, "dateOfBirth": "2015-03-14" });
    let found = town.index.post(&town.teacher, "/v1/children/search", search).await.expect(200);
    assert_eq!(found.body["results"][0]["indexNumber"], json!(town.survivor.number));
}

#[actix_web::test]
async fn a_retired_number_leads_nowhere_for_whoever_cannot_see_the_survivor() {
    let town = Town::new().await;
    let account = town.index.account(Role::Subject, town.council).await;
    town.merged().await;
    let ask = json!({ "ground": "threatToLife", "emergency": false });
    let path = town.retired.path("/shield-requests");
    town.index.post(&account, &path, ask).await.refused(404, "not-found");
    sqlx::query(
        "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
    )
    .bind(town.survivor.id)
    .execute(&town.index.db)
    .await
    .unwrap();
    let hidden =
        town.index.get(&town.teacher, &town.retired.path("")).await.refused(404, "not-found");
    let unknown =
        town.index.get(&town.teacher, "/v1/children/73018462597").await.refused(404, "not-found");
    assert_eq!(hidden.bytes, unknown.bytes);
    assert_eq!(hidden.headers.len(), unknown.headers.len());
    let merge = town.propose(&town.one, &town.survivor, &town.retired).await;
    assert_eq!(merge.refused(422, "invalid-value").pointers(), ["/survivor"]);
}
