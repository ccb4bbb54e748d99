//! Purges: two people, nothing left but keyed hashes, and no way back for feeds.

use contactpoint::{
    access::Role,
    load::{
        lines::Line,
        task::{News, load},
    },
    purge::{
        Erasure,
        task::{Replayed, erasures, replay},
    },
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Child, Index, Scene},
    retention::born,
};

/// A record with something in every room, due for its purge today.
async fn due(index: &Index, scene: &Scene) -> Child {
    let (steward, practitioner) = (scene.caller(Role::Steward), scene.caller(Role::Practitioner));
    let child = born(index, scene, "2008-11-17").await;
    let carer = index.carer(&child).await;
    let numbers = json!({ "identifiers": [{ "kind": "nhsNumber", "value": "9990011117" }], "gender": "notSpecified" });
    index.patch(steward, &child.path(""), 1, numbers).await.expect(200);
    index
        .patch(
            steward,
            &child.path(&format!("/carers/{carer}")),
            1,
            json!({ "relationship": "father" }),
        )
        .await
        .expect(200);
    let begun = json!({ "serviceType": "school", "startedOn": "2026-09-07",
                        "contact": { "team": "Example Team", "officeHours": "01632 960003" } });
    let begun = index.post(practitioner, &child.path("/involvements"), begun).await.expect(201);
    let flag = format!("{}/flags/takingAction", begun.header("Location"));
    index
        .put(practitioner, &flag, begun.version(), json!({ "expiresOn": "2026-11-20" }))
        .await
        .expect(200);
    let stay = json!({ "ground": "careLeaver", "givenBy": "youngPerson", "capacityBasis": "over16",
                       "givenOn": "2026-11-16", "until": "2026-12-01" });
    index.post(steward, &child.path("/stay-consents"), stay).await.expect(201);
    index.hold(&child).await;
    index.retain().await;
    index.live_until("2026-12-01");
    index.retain().await;
    index.live_until("2033-11-16");
    child
}

async fn propose(index: &Index, by: &Caller) -> Answer {
    index.post(by, "/v1/purges", Value::Null).await.expect(201)
}

/// Every table that has something to do with children, with how many rows it has of one.
async fn rows_of(index: &Index, child: Uuid) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
         where table_schema = 'public' and column_name = 'child_id' and table_type = 'BASE TABLE' order by 1",
    )
    .fetch_all(&index.db)
    .await
    .unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let count = AssertSqlSafe(format!("select count(*) from {table} where child_id = $1"));
        rows.push((
            table,
            sqlx::query_scalar(count).bind(child).fetch_one(&index.db).await.unwrap(),
        ));
    }
    rows
}

/// The tables in any row of which this text stands.
async fn with_text(index: &Index, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = 'public' and tablename not like 'audit\\_event%' order by 1",
    )
    .fetch_all(&index.db)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let look =
            format!("select exists (select from {table} t where t::text like '%' || $1 || '%')");
        if sqlx::query_scalar(AssertSqlSafe(look)).bind(text).fetch_one(&index.db).await.unwrap() {
            found.push(table);
        }
    }
    found
}

#[actix_web::test]
async fn of_a_purged_child_no_table_keeps_anything_but_keyed_hashes() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = due(&index, &scene).await;
    let one = index.account(Role::Operator, scene.national).await;
    let kept = rows_of(&index, child.id).await;
    let full = kept.iter().filter(|(_, rows)| *rows > 0).map(|(table, _)| table.as_str());
    let full: Vec<_> = full.collect();
    for table in [
        "carer",
        "child",
        "child_identifier",
        "child_name",
        "consent",
        "flag",
        "history",
        "idempotency",
        "involvement",
        "legal_hold",
        "whereabouts",
    ] {
        assert!(full.contains(&table), "{table} is tried too: {full:?}");
    }
    let proposed = propose(&index, &one).await;
    assert_eq!(proposed.body["proposed"], 1);
    let approval = format!("{}/approval", proposed.header("Location"));
    let done = index.put(scene.caller(Role::Operator), &approval, 1, Value::Null).await.expect(200);
    assert_eq!((&done.body["purged"], &done.body["status"]), (&json!(1), &json!("done")));
    for (table, rows) in rows_of(&index, child.id).await {
        assert_eq!(rows, 0, "{table}");
    }
    for text in [
        &child.id.to_string(),
        &child.number,
        &child.family,
        &child.family.to_lowercase(),
        "9990011117",
    ] {
        assert_eq!(with_text(&index, text).await, Vec::<String>::new(), "{text}");
    }
    let hashes: i64 =
        sqlx::query_scalar("select count(*) from purged").fetch_one(&index.db).await.unwrap();
    assert_eq!(hashes, 2, "of the name with the birth, and of the identifier");
    let event = index.event(&done).await;
    assert_eq!(event["children"], json!([child.id]), "the audit says who was purged");
}

#[actix_web::test]
async fn whoever_proposes_a_purge_does_not_approve_it_and_it_is_approved_once() {
    let index = Index::start().await;
    let scene = index.scene().await;
    due(&index, &scene).await;
    let (one, operator) =
        (index.account(Role::Operator, scene.national).await, scene.caller(Role::Operator));
    let proposed = propose(&index, &one).await;
    let path = proposed.header("Location").to_owned();
    let approval = format!("{path}/approval");
    index.put(&one, &approval, 1, Value::Null).await.refused(403, "forbidden");
    index
        .put(scene.caller(Role::Auditor), &approval, 1, Value::Null)
        .await
        .refused(403, "forbidden");
    assert_eq!(propose(&index, &one).await.body["proposed"], 0, "it waits already");
    assert_eq!(
        index.get(scene.caller(Role::Auditor), &path).await.expect(200).body["status"],
        "proposed"
    );
    let both = futures_util::future::join(
        index.put(operator, &approval, 1, Value::Null),
        index.put(operator, &approval, 1, Value::Null),
    );
    let (first, second) = both.await;
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert!(statuses == [200, 409] || statuses == [200, 412], "{statuses:?}");
    index.put(operator, &approval, 9, Value::Null).await.refused(409, "purge-approved");
    let listed = index.get(operator, "/v1/purges").await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
    let told: i64 = sqlx::query_scalar(
        "select count(*) from notice where kind = 'purgeProposed' and organisation_id is null",
    )
    .fetch_one(&index.db)
    .await
    .unwrap();
    assert_eq!(told, 2);
}

#[actix_web::test]
async fn the_database_purges_nobody_who_is_not_due_held_or_in_no_approved_purge() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = due(&index, &scene).await;
    let one = index.account(Role::Operator, scene.national).await;
    let purge: Uuid = propose(&index, &one).await.body["id"].as_str().unwrap().parse().unwrap();
    let ask = async |day: &str| -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("select purge_child($1, $2, $3::date, '{}')")
            .bind(child.id)
            .bind(purge)
            .bind(day)
            .fetch_one(&index.db)
            .await
    };
    assert!(ask("2033-11-16").await.is_err(), "it is not approved");
    sqlx::query("update purge set status = 'approved', approved_by = $2, approved_at = now() where purge_id = $1")
        .bind(purge).bind(scene.caller(Role::Operator).id).execute(&index.db).await.unwrap();
    assert!(!ask("2033-11-15").await.unwrap(), "it is not due");
    assert!(ask("2033-11-16").await.is_err(), "it is out of the purge");
    let still: i64 = sqlx::query_scalar("select count(*) from child where child_id = $1")
        .bind(child.id)
        .fetch_one(&index.db)
        .await
        .unwrap();
    assert_eq!(still, 1);
    let self_approved = "update purge set approved_by = proposed_by where purge_id = $1";
    assert!(sqlx::query(self_approved).bind(purge).execute(&index.db).await.is_err());
}

#[actix_web::test]
async fn no_feed_makes_a_purged_child_again_and_people_are_told_nothing() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = due(&index, &scene).await;
    let one = index.account(Role::Operator, scene.national).await;
    let approval = format!("{}/approval", propose(&index, &one).await.header("Location"));
    index.put(scene.caller(Role::Operator), &approval, 1, Value::Null).await.expect(200);
    let code: String =
        sqlx::query_scalar("select authority_code from organisation where organisation_id = $1")
            .bind(scene.authority.id)
            .fetch_one(&index.db)
            .await
            .unwrap();
    let row = |given: &str, family: &str, born: &str, number: Option<&str>| {
        let numbers: Vec<_> = number
            .map(|value| json!({ "kind": "nhsNumber", "value": value }))
            .into_iter()
            .collect();
        json!({ "child": {
            "names": [{ "kind": "current", "given": [given], "family": family }], "dateOfBirth": born, "gender": "female",
            "whereabouts": { "kind": "noneKnown" }, "responsibleAuthority": code, "identifiers": numbers, "involvements": [],
        }})
    };
    let mut work = index.errands("load").await;
    let mut loaded = async |row: Value| {
        let line = Line { number: 1, text: row.to_string().into_bytes() };
        let mut why = String::new();
        let summary = load(&mut work, None, std::iter::once(Ok(line)), |news| {
            if let News::Rejected { fault, .. } = news {
                why = fault.detail.clone();
            }
        });
        (summary.await.unwrap().children, why)
    };
    let refused = (0, "may be here already".to_owned());
    assert_eq!(loaded(row("AMY", &child.family.to_uppercase(), "2008-11-17", None)).await, refused);
    assert_eq!(loaded(row("Bea", "Elsewhere", "2015-01-01", Some("9990011117"))).await, refused);
    assert_eq!(loaded(row("Amy", &child.family, "2012-05-02", None)).await.0, 1, "another birth");
    let added = json!({
        "names": [{ "kind": "current", "given": ["Amy"], "family": child.family }], "dateOfBirth": "2008-11-17",
        "gender": "female", "whereabouts": { "kind": "noneKnown" },
    });
    index.post(scene.caller(Role::Practitioner), "/v1/children", added).await.expect(201);
}

/// The user name of a person.
async fn user_name(index: &Index, person: &Caller) -> String {
    let name = sqlx::query_scalar("select user_name from account where account_id = $1");
    name.bind(person.id).fetch_one(&index.db).await.unwrap()
}

/// As a list of erasures has a record.
async fn erasure(index: &Index, child: Uuid) -> Erasure {
    let record = sqlx::query_scalar("select encode(sha256(uuid_send($1)), 'hex')");
    let record = record.bind(child).fetch_one(&index.db).await.unwrap();
    Erasure { record, erased_on: "2033-11-16".parse().unwrap() }
}

#[actix_web::test]
async fn whoever_was_purged_is_purged_again_after_a_backup_brought_them_back() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (one, other) = (
        index.account(Role::Operator, scene.national).await,
        index.account(Role::Operator, scene.national).await,
    );
    let names = [user_name(&index, &one).await, user_name(&index, &other).await];
    let [one, other] = [names[0].as_str(), names[1].as_str()];
    let live = index.child(scene.authority).await;
    let child = due(&index, &scene).await;
    // As the lists of a database have them that was lost: of these three the last never was here.
    let mut list = Vec::new();
    for id in [child.id, live.id, Uuid::new_v4()] {
        list.push(erasure(&index, id).await);
    }
    let mut work = index.errands("retention_replay").await;
    for by in [[one, one], [one, "nobody"], ["nobody", one]] {
        replay(&mut work, &list, by).await.unwrap_err();
    }
    let before = index.acts("retention_replay").await.len();
    assert_eq!(before, 0);
    let replayed = replay(&mut work, &list, [one, other]).await.unwrap();
    assert_eq!(replayed, Replayed { back: 2, purged: 1, kept: 1 });
    for (table, rows) in rows_of(&index, child.id).await {
        assert_eq!(rows, 0, "{table}");
    }
    let events = index.acts("retention_replay").await;
    assert!(events.iter().any(|event| event["details"]["proposedBy"] == json!(one)));
    assert!(
        events.iter().any(|event| event["children"].to_string().contains(&child.id.to_string()))
    );
    let erased = erasures(&mut work, "2000-01-01".parse().unwrap()).await.unwrap();
    assert_eq!(erased.iter().map(|erasure| &erasure.record).collect::<Vec<_>>(), [&list[0].record]);
    // Who is not due is kept, and that is said again each time.
    let again = replay(&mut work, &list, [one, other]).await.unwrap();
    assert_eq!(again, Replayed { back: 1, purged: 0, kept: 1 });
}
