//! Changes are told in the order of their commits, each once, to those who may know of them and without what they may not.

use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;
use contactpoint::{access::Role, change::KEPT_FOR, database};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Child, Index, Scene},
    written,
};

/// An index with its scene, and a child with whom the scene's school works.
struct Town {
    index: Index,
    scene: Scene,
    child: Child,
    involvement: Uuid,
}

impl Town {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let child = index.child(scene.authority).await;
        let involvement = index.involvement(&child, scene.school, "school").await;
        Self { index, scene, child, involvement }
    }

    fn system(&self) -> &Caller {
        self.scene.caller(Role::CaseSystem)
    }

    async fn run(&self, statement: &'static str) {
        let run = sqlx::query(statement).bind(self.child.id);
        run.execute(&self.index.db).await.unwrap();
    }

    /// All that a caller is told after a place, as kinds for this child, and the place after it.
    async fn told(&self, by: &Caller, after: Option<&str>) -> (Vec<String>, String) {
        settled(&self.index).await;
        let (items, next) = follow(&self.index, by, after, 100).await;
        let of_child =
            items.iter().filter(|item| item["indexNumber"] == self.child.number.as_str());
        (of_child.map(|item| item["kind"].as_str().unwrap().to_owned()).collect(), next)
    }

    /// The place after all that there is.
    async fn now(&self, by: &Caller) -> String {
        self.told(by, None).await.1
    }
}

/// Waits until every change that there is may be told: other tests write on the same server.
pub(crate) async fn settled(index: &Index) {
    for _ in 0..400 {
        let settled: bool = sqlx::query_scalar(
            "select coalesce(max(xid::text::numeric), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::numeric from change",
        )
        .fetch_one(&index.db)
        .await
        .unwrap();
        if settled {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("somebody writes for 20 seconds");
}

/// Fails unless every organisation is told the same whether its changes are looked up by its children or in their order; and
/// unless some are looked up by children.
async fn told_alike_either_way(index: &Index) {
    settled(index).await;
    let (apart, by_child): (i64, i64) = sqlx::query_as(
        "with told as (
             select few, is_feed, o.organisation_id, l.whole, l.xid, l.position, t.kind, t.index_number, t.survivor
             from organisation o cross join (values (0), (10000)) f (few) cross join (values (true), (false)) r (is_feed)
             cross join lateral changes_to_look_at(o.organisation_id, false, '0', 0, 1000000, few) l
             cross join lateral change_told(l.child_id, l.kind, l.organisation_id, l.hidden, o.organisation_id, false, is_feed, $1) t
         ), by_order as (
             select is_feed, organisation_id, xid, position, kind, index_number, survivor from told where few = 0
         ), by_child as (
             select is_feed, organisation_id, xid, position, kind, index_number, survivor from told where few = 10000
         )
         select (select count(*) from (select * from by_order except all select * from by_child) x)
                + (select count(*) from (select * from by_child except all select * from by_order) x),
                (select count(*) from told where whole)",
    )
    .bind(index.now().date_naive())
    .fetch_one(&index.db)
    .await
    .unwrap();
    assert_eq!(apart, 0);
    assert!(by_child > 0, "nobody's are looked up by children");
}

async fn page(index: &Index, by: &Caller, after: Option<&str>, limit: usize) -> Answer {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    index.get(by, &format!("/v1/changes?limit={limit}{after}")).await
}

/// All that is told after a place, page by page, and the place after it.
pub(crate) async fn follow(
    index: &Index,
    by: &Caller,
    after: Option<&str>,
    limit: usize,
) -> (Vec<Value>, String) {
    let (mut items, mut after) = (Vec::new(), after.map(str::to_owned));
    loop {
        let answer = page(index, by, after.as_deref(), limit).await.expect(200);
        let told = answer.body["items"].as_array().unwrap();
        assert!(told.len() <= limit);
        items.extend(told.iter().cloned());
        let next = answer.body["next"].as_str().unwrap().to_owned();
        if answer.body["more"] == false {
            return (items, next);
        }
        after = Some(next);
    }
}

#[actix_web::test]
async fn every_kind_of_fact_is_told_once_for_a_transaction_to_those_who_work_with_the_child() {
    let town = Town::new().await;
    let [system, steward] = [town.system(), town.scene.caller(Role::Steward)];
    let other = town.index.caller(Role::Steward, town.scene.other_authority).await;
    let stranger = town.index.caller(Role::CaseSystem, town.scene.other_school).await;
    let mut places = Vec::new();
    for by in [system, steward, &other, &stranger] {
        places.push(town.now(by).await);
    }

    town.index.carer(&town.child).await;
    town.run("update child set gender = 'notSpecified' where child_id = $1").await;
    town.run("update whereabouts set superseded_at = now() where child_id = $1").await;
    town.run(
        "insert into child_identifier (child_id, kind, value, source_organisation_id, received_at, as_at)
         select child_id, k, 'X', source_organisation_id, now(), now() from child, unnest('{upn,uln}'::text[]) k where child_id = $1",
    )
    .await;
    let path = format!("/v1/involvements/{}/flags/takingAction", town.involvement);
    let teacher = town.scene.caller(Role::Practitioner);
    town.index.put(teacher, &path, 1, json!({})).await.expect(200);

    let told = town.told(system, Some(&places[0])).await.0;
    assert_eq!(told, ["carers", "child", "whereabouts", "identifiers", "flags"]);
    assert_eq!(town.told(steward, Some(&places[1])).await.0.len(), 5, "for whom it answers");
    assert!(town.told(&other, Some(&places[2])).await.0.is_empty(), "another authority");
    assert!(town.told(&stranger, Some(&places[3])).await.0.is_empty(), "another school");
}

#[actix_web::test]
async fn a_child_that_is_added_is_told_as_added_alone_and_a_look_is_written_down() {
    let town = Town::new().await;
    let steward = town.scene.caller(Role::Steward);
    let place = town.now(steward).await;
    let teacher = town.scene.caller(Role::Practitioner);
    let child = json!({
        "names": [{ "kind": "current", "given": ["Ada"], "family": "Addedly" }], "dateOfBirth": "2014-02-03", "gender": "female",
        "whereabouts": { "kind": "noneKnown" },
    });
    let added = town.index.post(teacher, "/v1/children", child).await.expect(201);
    let number = added.body["indexNumber"].clone();
    settled(&town.index).await;
    let answer = page(&town.index, steward, Some(&place), 100).await.expect(200);
    let told: Vec<_> = answer.body["items"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((&told[0]["indexNumber"], &told[0]["kind"]), (&number, &json!("added")));
    assert_eq!(told[0].as_object().unwrap().len(), 3, "a pointer and no more");
    let id: Uuid = sqlx::query_scalar("select child_id from child where index_number = $1")
        .bind(number.as_str())
        .fetch_one(&town.index.db)
        .await
        .unwrap();
    let child = Child { id, number: String::new(), family: String::new() };
    written::done(&town.index, &answer, steward, "list_changes", &[&child], json!({ "told": 1 }))
        .await;
}

#[actix_web::test]
async fn pages_follow_one_another_without_a_gap_whatever_their_size() {
    let town = Town::new().await;
    let system = town.system();
    for n in 0..7 {
        let child = town.index.child(town.scene.authority).await;
        town.index.involvement(&child, town.scene.school, "school").await;
        if n % 2 == 0 {
            town.index.carer(&child).await;
        }
    }
    settled(&town.index).await;
    let (all, _) = follow(&town.index, system, None, 1000).await;
    // Added and worked with, eight times, and four carers.
    assert_eq!(all.len(), 8 * 2 + 4);
    for limit in [1, 2, 3, 19, 20, 21] {
        let (items, next) = follow(&town.index, system, None, limit).await;
        assert_eq!(items, all, "by {limit}");
        assert!(follow(&town.index, system, Some(&next), limit).await.0.is_empty());
    }
    for wrong in ["limit=0", "limit=1001", "after=x", "after=WzFd", "since=1"] {
        let answer = town.index.get(system, &format!("/v1/changes?{wrong}")).await;
        answer.refused(400, "invalid-query");
    }
}

#[actix_web::test]
async fn an_organisation_with_few_children_is_not_taken_through_everybodys_changes() {
    let town = Town::new().await;
    let [system, steward] = [town.system(), town.scene.caller(Role::Steward)];
    let [place, stewards] = [town.now(system).await, town.now(steward).await];
    sqlx::query("insert into change (child_id, kind) select gen_random_uuid(), 'child' from generate_series(1, 20001)")
        .execute(&town.index.db)
        .await
        .unwrap();
    town.index.carer(&town.child).await;
    settled(&town.index).await;

    let answer = page(&town.index, system, Some(&place), 100).await.expect(200);
    assert_eq!(answer.body["items"][0]["kind"], "carers");
    assert_eq!(
        (answer.body["items"].as_array().unwrap().len(), &answer.body["more"]),
        (1, &json!(false))
    );

    let answer = page(&town.index, steward, Some(&stewards), 100).await.expect(200);
    assert_eq!((&answer.body["items"], &answer.body["more"]), (&json!([]), &json!(true)));
    let (items, _) = follow(&town.index, steward, Some(&stewards), 100).await;
    assert_eq!(items.len(), 1, "after the others'");
}

#[actix_web::test]
async fn what_is_committed_late_is_not_passed_by_and_only_looking_holds_nothing_up() {
    let town = Town::new().await;
    let system = town.system();
    let place = town.now(system).await;
    let options = town.index.db.connect_options();
    let mut idle = PgConnection::connect_with(&options).await.unwrap();
    let begin = "begin isolation level repeatable read";
    sqlx::query(begin).execute(&mut idle).await.unwrap();
    sqlx::query("select count(*) from child").execute(&mut idle).await.unwrap();

    let mut late = PgConnection::connect_with(&options).await.unwrap();
    let mut late = late.begin().await.unwrap();
    let write = "update involvement set contact = '{\"team\": \"Late\", \"officeHours\": \"01632 960003\"}' where involvement_id = $1";
    sqlx::query(write).bind(town.involvement).execute(late.as_mut()).await.unwrap();
    town.index.carer(&town.child).await;
    for _ in 0..3 {
        let answer = page(&town.index, system, Some(&place), 100).await.expect(200);
        assert_eq!(answer.body["items"], json!([]), "the later is not told before the earlier");
        assert_eq!(answer.body["more"], false);
    }
    let waits = page(&town.index, system, Some(&place), 100).await.expect(200);
    late.commit().await.unwrap();
    let (told, _) = town.told(system, waits.body["next"].as_str()).await;
    assert_eq!(told, ["involvements", "carers"], "in their order, with a look still going on");
}

#[actix_web::test]
async fn a_reader_beside_eight_writers_is_told_each_change_once_and_replays_to_what_there_is() {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let town = Town::new().await;
    let (index, scene, system) = (&town.index, &town.scene, town.system());
    let mut children = Vec::new();
    for _ in 0..4 {
        let child = index.child(scene.authority).await;
        index.involvement(&child, scene.school, "school").await;
        children.push(child);
    }
    let begin = town.now(system).await;
    let writers = (0..WRITERS).map(|writer| {
        let (children, db) = (&children, &index.db);
        async move {
            for n in 0..EACH {
                let child = &children[(writer + n) % children.len()];
                let mut connection =
                    PgConnection::connect_with(&db.connect_options()).await.unwrap();
                let mut work = connection.begin().await.unwrap();
                // The number of the transaction is taken before the child is held, as a request with an idempotency key does.
                sqlx::query("select pg_current_xact_id()").execute(work.as_mut()).await.unwrap();
                tokio::time::sleep(Duration::from_millis((writer * 7 + n * 3) as u64 % 20)).await;
                let write = "update child set without_service = array[$2], version = version + 1 where child_id = $1";
                sqlx::query(write)
                    .bind(child.id)
                    .bind(format!("{writer}-{n}"))
                    .execute(work.as_mut())
                    .await
                    .unwrap();
                if n % 9 == 8 {
                    work.rollback().await.unwrap();
                } else {
                    work.commit().await.unwrap();
                }
            }
        }
    });
    let (done, finished) = tokio::sync::watch::channel(false);
    let reader = async {
        let mut place = begin.clone();
        let mut told: Vec<Value> = Vec::new();
        let mut held = BTreeMap::new();
        loop {
            let last = *finished.borrow();
            if last {
                settled(index).await;
            }
            let (items, next) = follow(index, system, Some(&place), 7).await;
            for item in &items {
                let number = item["indexNumber"].as_str().unwrap().to_owned();
                held.insert(number.clone(), state(index, &number).await);
            }
            told.extend(items);
            place = next;
            if last {
                return (told, held);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let writing = async {
        join_all(writers).await;
        done.send(true).unwrap();
    };
    let ((), (told, held)) = tokio::join!(writing, reader);

    let committed = WRITERS * EACH - WRITERS * (EACH / 9);
    assert_eq!(told.len(), committed, "each once");
    for child in &children {
        assert_eq!(held[&child.number], state(index, &child.number).await, "what was read last");
    }
    let (again, _) = follow(index, system, Some(&begin), 1000).await;
    assert_eq!(again, told, "read at once it is the same, in the same order");
    told_alike_either_way(index).await;
}

async fn state(index: &Index, number: &str) -> (i64, Vec<String>) {
    sqlx::query_as("select version, without_service from child where index_number = $1")
        .bind(number)
        .fetch_one(&index.db)
        .await
        .unwrap()
}

#[actix_web::test]
async fn a_shield_and_an_archive_are_told_alike_and_then_nothing() {
    let mut told = Vec::new();
    for by_shield in [true, false] {
        let town = Town::new().await;
        let (index, system) = (&town.index, town.system().clone());
        let place = town.now(&system).await;
        if by_shield {
            index.shield(&town.child).await;
        } else {
            town.run("update child set archives_on = '2026-11-16' where child_id = $1").await;
            index.retain().await;
        }
        town.run("update child set gender = 'notSpecified' where child_id = $1").await;
        town.run("update child_name set superseded_at = now() where child_id = $1").await;
        town.run("update involvement set contact = contact || '{\"team\":\"Another\"}' where child_id = $1").await;
        settled(index).await;
        let answer = page(index, &system, Some(&place), 100).await.expect(200);
        let mut body = answer.body.clone();
        assert_eq!(body["items"][0]["indexNumber"], town.child.number.as_str());
        for member in ["indexNumber", "at"] {
            body["items"][0].as_object_mut().unwrap().remove(member);
        }
        body.as_object_mut().unwrap().remove("next");
        told.push(body);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], json!({ "items": [{ "kind": "withdrawn" }], "more": false }));
}

#[actix_web::test]
async fn what_changed_before_a_shield_is_not_told_after_it_and_a_shield_that_fell_says_only_open_it()
 {
    let town = Town::new().await;
    let system = town.system();
    let place = town.now(system).await;
    town.index.carer(&town.child).await;
    town.run("update child set gender = 'notSpecified' where child_id = $1").await;
    town.index.shield(&town.child).await;
    assert_eq!(town.told(system, Some(&place)).await.0, ["withdrawn"]);

    let under = town.now(system).await;
    town.run("update child set without_service = '{gp}' where child_id = $1").await;
    assert!(town.told(system, Some(&under)).await.0.is_empty());
    town.run("update person set shielded = false where person_id = (select person_id from child where child_id = $1)").await;
    town.run("update whereabouts set sealed = null, kind = 'noneKnown' where child_id = $1").await;
    town.run("update carer set sealed = null, phones = '{01632 960001}' where child_id = $1").await;
    assert_eq!(town.told(system, Some(&under)).await.0, ["child"], "not what was done under it");
}

#[actix_web::test]
async fn a_record_that_is_shielded_as_it_is_added_is_told_as_any_other() {
    let town = Town::new().await;
    let system = town.system();
    let place = town.now(system).await;
    let mut work = town.index.db.begin().await.unwrap();
    let [person, child] = [Uuid::new_v4(), Uuid::new_v4()];
    for statement in [
        "insert into person (person_id) values ($1)",
        "insert into child (child_id, index_number, date_of_birth, gender, responsible_authority_id, person_id, source_organisation_id,
             received_at, as_at)
         select $2, '40000000007', date_of_birth, gender, responsible_authority_id, $1, source_organisation_id, received_at, as_at
         from child where child_id = $3",
        "insert into involvement (involvement_id, child_id, organisation_id, service_type, contact, started_on, confirmed_on,
             source_organisation_id, received_at, as_at)
         select $1, $2, organisation_id, service_type, contact, started_on, confirmed_on, source_organisation_id, received_at, as_at
         from involvement where child_id = $3",
        "update person set shielded = true where person_id = $1",
    ] {
        let bound = sqlx::query(statement).bind(person);
        let bound = if statement.contains("$2") { bound.bind(child).bind(town.child.id) } else { bound };
        bound.execute(work.as_mut()).await.unwrap();
    }
    work.commit().await.unwrap();
    settled(&town.index).await;
    let (items, _) = follow(&town.index, system, Some(&place), 100).await;
    let told: Vec<_> = items.iter().map(|item| (&item["indexNumber"], &item["kind"])).collect();
    assert_eq!(told, [(&json!("40000000007"), &json!("added"))]);
}

#[actix_web::test]
async fn a_feed_is_told_of_its_own_organisations_involvements_alone_and_nobody_of_a_sensitive_service()
 {
    let town = Town::new().await;
    let [system, feed] = [town.system(), town.scene.caller(Role::Feed)];
    let place = town.now(system).await;
    town.index.involvement(&town.child, town.scene.other_school, "school").await;
    assert_eq!(town.told(system, Some(&place)).await.0, ["involvements"]);
    assert!(town.told(feed, Some(&place)).await.0.is_empty());

    let place = town.now(system).await;
    town.run(
        "update involvement set contact = contact || '{\"team\":\"Another\"}' where child_id = $1",
    )
    .await;
    assert_eq!(town.told(system, Some(&place)).await.0.len(), 2);
    assert_eq!(town.told(feed, Some(&place)).await.0, ["involvements"]);

    let place = town.now(system).await;
    let clinic = town.index.organisation("healthTrust", Some(town.scene.authority)).await;
    town.index.sensitive(&town.child, clinic, "mentalHealth").await;
    town.run("update involvement set confirmed_on = '2026-11-16', version = version + 1 where child_id = $1").await;
    let clinic = town.index.caller(Role::CaseSystem, clinic).await;
    for by in [system, feed, town.scene.caller(Role::Steward), &clinic] {
        assert!(town.told(by, Some(&place)).await.0.is_empty(), "{}", by.role);
    }
    told_alike_either_way(&town.index).await;
}

#[actix_web::test]
async fn whoever_works_with_the_child_no_more_is_told_of_its_own_end_and_then_nothing() {
    let town = Town::new().await;
    let system = town.system();
    let place = town.now(system).await;
    town.run("update involvement set ended_on = '2026-11-16' where child_id = $1").await;
    town.index.carer(&town.child).await;
    assert_eq!(town.told(system, Some(&place)).await.0, ["involvements"]);
    let place = town.now(system).await;
    town.index.shield(&town.child).await;
    assert!(town.told(system, Some(&place)).await.0.is_empty());
}

#[actix_web::test]
async fn a_record_that_goes_to_another_authority_is_withdrawn_from_the_stewards_of_the_first() {
    let town = Town::new().await;
    let from = town.scene.caller(Role::Steward);
    let to = town.index.caller(Role::Steward, town.scene.other_authority).await;
    let council = town.index.caller(Role::CaseSystem, town.scene.authority).await;
    let place = town.now(from).await;
    sqlx::query("update child set responsible_authority_id = $2 where child_id = $1")
        .bind(town.child.id)
        .bind(town.scene.other_authority.id)
        .execute(&town.index.db)
        .await
        .unwrap();
    assert_eq!(town.told(from, Some(&place)).await.0, ["withdrawn"]);
    assert_eq!(town.told(&to, Some(&place)).await.0, ["child"]);
    assert_eq!(town.told(town.system(), Some(&place)).await.0, ["child"]);
    assert!(town.told(&council, Some(&place)).await.0.is_empty(), "it never worked with the child");
}

#[actix_web::test]
async fn whoever_comes_back_after_ninety_days_is_told_to_begin_anew() {
    let town = Town::new().await;
    let system = town.system();
    let begin = cursor_of(&town, system).await;
    let late = town.now(system).await;
    sqlx::query("update change set at = $1")
        .bind(town.index.now() - KEPT_FOR - TimeDelta::seconds(1))
        .execute(&town.index.db)
        .await
        .unwrap();
    let options = town.index.db.connect_options();
    database::tidy(&options, town.index.now()).await.unwrap();
    let left: i64 =
        sqlx::query_scalar("select count(*) from change").fetch_one(&town.index.db).await.unwrap();
    assert_eq!(left, 0);
    page(&town.index, system, Some(&begin), 100).await.refused(410, "changes-forgotten");
    for good in [None, Some(late.as_str())] {
        assert_eq!(page(&town.index, system, good, 100).await.expect(200).body["items"], json!([]));
    }
}

/// A place before the changes of this town.
async fn cursor_of(town: &Town, by: &Caller) -> String {
    settled(&town.index).await;
    let answer = page(&town.index, by, None, 1).await.expect(200);
    answer.body["next"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_merge_is_told_of_the_number_that_goes_with_the_one_that_stays_and_taken_back() {
    let town = Town::new().await;
    let (index, system) = (&town.index, town.system());
    let [one, two] = [
        index.account(Role::Steward, town.scene.authority).await,
        town.scene.caller(Role::Steward).clone(),
    ];
    let survivor = index.child(town.scene.authority).await;
    let other = index.caller(Role::CaseSystem, town.scene.other_school).await;
    let [place, of_other] = [town.now(system).await, town.now(&other).await];
    let body = json!({ "survivor": survivor.number, "retired": town.child.number, "ground": "recordedTwice" });
    let merge = index.post(&one, "/v1/merges", body).await.expect(201);
    let (path, version) = (merge.header("Location").to_owned(), merge.version());
    let merged =
        index.put(&two, &format!("{path}/approval"), version, Value::Null).await.expect(200);

    settled(index).await;
    let (items, next) = follow(index, system, Some(&place), 100).await;
    let of = |number: &str| -> Vec<&Value> {
        items.iter().filter(|item| item["indexNumber"] == number).collect()
    };
    let retired = of(&town.child.number);
    assert_eq!(retired.len(), 1, "{items:#?}");
    assert_eq!(
        (&retired[0]["kind"], &retired[0]["into"]),
        (&json!("merged"), &json!(survivor.number))
    );
    assert!(
        of(&survivor.number).iter().any(|item| item["kind"] == "involvements"),
        "it works with the one that stays"
    );
    assert!(follow(index, &other, Some(&of_other), 100).await.0.is_empty());
    told_alike_either_way(index).await;

    let back = json!({ "ground": "relatives" });
    let asked =
        index.put(&one, &format!("{path}/reversal"), merged.version(), back).await.expect(200);
    index.put(&two, &format!("{path}/approval"), asked.version(), Value::Null).await.expect(200);
    let (kinds, next) = town.told(system, Some(&next)).await;
    assert!(
        kinds.contains(&"child".to_owned()) && !kinds.contains(&"merged".to_owned()),
        "{kinds:?}"
    );
    let (items, _) = follow(index, system, Some(&place), 100).await;
    assert!(
        items.iter().all(|item| item["kind"] != "merged"),
        "who reads only now is told how it stands now"
    );

    // Of a merged record whose survivor is archived, no more is told than of any that is withdrawn.
    let merge = index.post(&one, "/v1/merges", json!({
        "survivor": survivor.number, "retired": town.child.number, "ground": "recordedTwice",
    })).await.expect(201);
    let (path, version) = (merge.header("Location").to_owned(), merge.version());
    index.put(&two, &format!("{path}/approval"), version, Value::Null).await.expect(200);
    sqlx::query("update child set archives_on = '2026-11-16' where child_id = $1")
        .bind(survivor.id)
        .execute(&index.db)
        .await
        .unwrap();
    let (kinds, _) = town.told(system, Some(&next)).await;
    assert_eq!(kinds, ["withdrawn"]);
}
