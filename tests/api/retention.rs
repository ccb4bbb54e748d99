//! When records end: what is said of it, what the passing of days brings about, and that no kill changes the end.

use std::{cell::Cell, time::Duration};

use contactpoint::{access::Role, retention::task};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::harness::{Answer, Caller, Child, Index, NOW, Scene};

/// A reviewer's look into the archive, on a ground and with a reference.
pub(crate) async fn review(index: &Index, by: &Caller, number: &str) -> Answer {
    let body = json!({ "indexNumber": number, "ground": "childDeathReview" });
    let headers = [("Access-Reference", "CDR/2050")];
    index.request(by, "POST", "/v1/archive/openings", body, &headers).await
}

/// A child born on this day.
pub(crate) async fn born(index: &Index, scene: &Scene, day: &str) -> Child {
    let child = index.child(scene.authority).await;
    let born = "update child set date_of_birth = $2::date where child_id = $1";
    sqlx::query(born).bind(child.id).bind(day).execute(&index.db).await.unwrap();
    child
}

async fn archives_on(index: &Index, number: &str) -> Option<String> {
    let day = "select archives_on::text from child where index_number = $1";
    sqlx::query_scalar(day).bind(number).fetch_one(&index.db).await.unwrap()
}

#[path = "../../bench/retention.rs"]
mod table;

#[test]
fn every_dated_case_is_as_the_table_says() {
    let (cases, days, wrong) = table::judge(include_str!("../data/retention-cases.json")).unwrap();
    assert!(cases >= 60 && days > cases, "{cases} cases, {days} days");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[actix_web::test]
async fn one_child_lives_twenty_five_years_in_the_index_and_leaves_nothing() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let (practitioner, reviewer) =
        (scene.caller(Role::Practitioner), scene.caller(Role::ArchiveReviewer));
    let added = json!({
        "names": [{ "kind": "current", "given": ["Amy"], "family": "Lifelong" }], "dateOfBirth": "2026-11-16",
        "gender": "female", "whereabouts": { "kind": "noneKnown" },
        "identifiers": [{ "kind": "nhsNumber", "value": "9990011117" }],
    });
    let added = index.post(steward, "/v1/children", added).await.expect(201);
    let number = added.body["indexNumber"].as_str().unwrap();
    let path = format!("/v1/children/{number}");

    index.live_until("2044-11-10");
    let forecast = index.get(steward, "/v1/retention/forecast").await.expect(200).body;
    let line = json!({ "indexNumber": number, "archivesOn": "2044-11-16", "ground": "eighteenthBirthday" });
    assert_eq!(forecast["items"], json!([line]));
    let stay = json!({ "ground": "careLeaver", "givenBy": "youngPerson", "capacityBasis": "over16", "givenOn": "2044-11-09" });
    let stay = index.post(steward, &format!("{path}/stay-consents"), stay).await.expect(201);
    assert_eq!(
        (&stay.body["until"], &stay.body["archivesOn"]),
        (&json!("2051-11-16"), &json!("2051-11-16"))
    );

    index.live_until("2044-11-16T00:00:00Z");
    index.retain().await;
    index.get(practitioner, &path).await.expect(200);
    index.live_until("2049-03-01T23:59:59Z");
    let withdrawal = format!("/v1/consents/{}/withdrawal", stay.body["id"].as_str().unwrap());
    index.put(steward, &withdrawal, 1, json!({})).await.expect(200);
    index.retain().await;
    index.get(practitioner, &path).await.expect(200);

    index.live_until("2049-03-02T00:00:00Z");
    assert_eq!(index.retain().await.0[1], 1, "one record is archived");
    index.get(practitioner, &path).await.refused(404, "not-found");
    let opening = json!({ "indexNumber": number });
    let opened = index.post(steward, "/v1/archive/openings", opening.clone()).await.expect(200);
    assert_eq!(opened.body["archivedOn"], "2049-03-02");
    review(&index, reviewer, number).await.refused(404, "not-found");
    index.live_until("2050-03-02T00:00:00Z");
    index.post(steward, "/v1/archive/openings", opening).await.refused(404, "not-found");
    review(&index, reviewer, number).await.expect(200);

    index.live_until("2054-03-02");
    let hold = json!({ "ground": "inquiry", "until": "2056-03-02" });
    index.request(reviewer, "POST", &format!("{path}/holds"), hold, &[]).await.expect(201);
    index.live_until("2055-03-02T00:00:00Z");
    review(&index, reviewer, number).await.refused(404, "not-found");
    let [one, other] = [0, 1].map(|_| index.account(Role::Operator, scene.national));
    let (one, other) = (one.await, other.await);
    for (day, due) in [("2055-03-02", 0), ("2056-03-02", 0), ("2057-03-01", 0), ("2057-03-02", 1)] {
        index.live_until(day);
        let proposed = index.post(&one, "/v1/purges", Value::Null).await.expect(201);
        assert_eq!(proposed.body["proposed"], due, "{day}");
        let approval = format!("{}/approval", proposed.header("Location"));
        let done = index.put(&other, &approval, 1, Value::Null).await.expect(200);
        assert_eq!(
            (&done.body["purged"], &done.body["status"]),
            (&json!(due), &json!("done")),
            "{day}"
        );
    }
    let left: i64 =
        sqlx::query_scalar("select count(*) from child").fetch_one(&index.db).await.unwrap();
    assert_eq!(left, 0);
}

#[actix_web::test]
async fn whatever_is_said_of_a_child_says_when_the_record_ends() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let child = index.child(scene.authority).await;
    let until = async |day: &str, version: i64, change: Value| {
        index.patch(steward, &child.path(""), version, change).await.expect(200);
        assert_eq!(archives_on(&index, &child.number).await.as_deref(), Some(day));
    };
    until("2033-03-14", 1, json!({ "gender": "notSpecified" })).await;
    until("2034-03-01", 2, json!({ "dateOfBirth": "2016-02-29" })).await;
    let left = |day: &str| json!({ "whereabouts": { "kind": "leftEngland", "leftOn": day, "return": "notKnown" } });
    until("2028-05-02", 3, left("2025-05-01")).await;
    until("2034-03-01", 4, json!({ "whereabouts": { "kind": "noneKnown" } })).await;
    until("2026-11-17", 5, left("2019-05-01")).await;
    until("2034-12-31", 6, json!({ "whereabouts": { "kind": "noneKnown" }, "dateOfBirth": "2016-05-05", "dateOfBirthPrecision": "year" })).await;
    index.live_until("2026-11-16T23:59:59Z");
    index.get(steward, &child.path("")).await.expect(200);
}

#[actix_web::test]
async fn a_death_ends_the_record_after_a_year_and_can_be_taken_back() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let child = index.child(scene.authority).await;
    let path = child.path("/death");
    let died = index.put(steward, &path, 1, json!({ "diedOn": "2026-11-03" })).await.expect(200);
    assert_eq!(died.version(), 2);
    let told =
        json!({ "indexNumber": child.number, "diedOn": "2026-11-03", "archivesOn": "2027-11-03" });
    assert_eq!(died.body, told);
    let event = index.event(&died).await;
    assert_eq!(event["children"], json!([child.id]));
    index.put(steward, &path, 1, json!({})).await.refused(412, "precondition-failed");
    for day in ["2015-03-13", "2026-11-17"] {
        let wrong = index.put(steward, &path, 2, json!({ "diedOn": day })).await;
        assert_eq!(wrong.refused(422, "invalid-value").pointers(), ["/diedOn"]);
    }
    let back = index.put(steward, &path, 2, json!({})).await.expect(200);
    assert_eq!(back.body["archivesOn"], "2033-03-14");
    let other = index.account(Role::Steward, scene.other_authority).await;
    index.put(&other, &path, 3, json!({})).await.refused(403, "forbidden");

    index.put(steward, &path, 3, json!({ "diedOn": "2020-01-01" })).await.expect(200);
    index.get(steward, &child.path("")).await.expect(200);
    index.live_until("2026-11-17");
    index.retain().await;
    index.put(steward, &path, 4, json!({})).await.refused(404, "not-found");
}

#[actix_web::test]
async fn a_consent_to_stay_has_its_bounds_and_is_taken_once() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let child = born(&index, &scene, "2008-12-24").await;
    let path = child.path("/stay-consents");
    let consent = |given: &str, until: &str| {
        json!({ "ground": "learningDifficulty", "givenBy": "courtAppointedDeputy", "capacityBasis": "courtAppointed",
                "givenOn": given, "until": until })
    };
    for (given, until, pointer) in [
        ("2026-11-17", "2030-01-01", "/givenOn"),
        ("2008-12-23", "2030-01-01", "/givenOn"),
        ("2026-11-16", "2026-12-24", "/until"),
        ("2026-11-16", "2033-12-25", "/until"),
    ] {
        let wrong = index.post(steward, &path, consent(given, until)).await;
        assert_eq!(wrong.refused(422, "invalid-value").pointers(), [pointer]);
    }
    let key = [("Idempotency-Key", "stay-once")];
    let body = consent("2026-11-16", "2033-12-24");
    let first = index.request(steward, "POST", &path, body.clone(), &key).await.expect(201);
    let again = index.request(steward, "POST", &path, body.clone(), &key).await.expect(201);
    assert_eq!(first.bytes, again.bytes);
    let kept: i64 =
        sqlx::query_scalar("select count(*) from consent").fetch_one(&index.db).await.unwrap();
    assert_eq!(kept, 1);
    assert_eq!(archives_on(&index, &child.number).await.as_deref(), Some("2033-12-24"));

    let other = index.account(Role::Steward, scene.other_authority).await;
    index.post(&other, &path, body.clone()).await.refused(403, "forbidden");
    index.live_until("2026-11-16T10:00:00Z");
    let stale = index
        .request(steward, "POST", &path, body, &[("Authorization", &stale(&index, steward))])
        .await;
    stale.refused(401, "step-up-required");
}

/// A token of a sign-in six minutes ago.
fn stale(index: &Index, caller: &Caller) -> String {
    let now = index.now();
    index.clock.set(now - chrono::TimeDelta::minutes(6));
    let token = format!("Bearer {}", index.token(caller));
    index.clock.set(now);
    token
}

#[actix_web::test]
async fn a_steward_is_told_what_ends_in_the_own_authority_and_the_operator_only_how_much() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (steward, operator) = (scene.caller(Role::Steward), scene.caller(Role::Operator));
    for day in ["2008-11-16", "2008-11-17", "2008-11-18", "2008-11-18", "2008-11-23", "2008-11-24"]
    {
        born(&index, &scene, day).await;
    }
    let foreign = index.child(scene.other_authority).await;
    sqlx::query("update child set date_of_birth = '2008-11-17' where child_id = $1")
        .bind(foreign.id)
        .execute(&index.db)
        .await
        .unwrap();
    index.retain().await;
    let own = index.get(steward, "/v1/retention/forecast?days=7").await.expect(200);
    let days = |days: &[(&str, i64)]| {
        json!(days.iter().map(|(day, n)| json!({ "day": day, "records": n })).collect::<Vec<_>>())
    };
    assert_eq!(own.body["days"], days(&[("2026-11-17", 1), ("2026-11-18", 2), ("2026-11-23", 1)]));
    assert_eq!(own.body["items"].as_array().unwrap().len(), 4);
    assert_eq!(index.event(&own).await["children"].as_array().unwrap().len(), 4);
    let all = index.get(operator, "/v1/retention/forecast?days=1").await.expect(200);
    assert_eq!(all.body, json!({ "days": [{ "day": "2026-11-17", "records": 2 }], "items": [] }));
    for days in ["0", "91", "x"] {
        let path = format!("/v1/retention/forecast?days={days}");
        index.get(steward, &path).await.refused(400, "invalid-query");
    }
}

#[actix_web::test]
async fn under_a_shield_no_day_tells_a_steward_that_a_child_has_left_england() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let of_age = born(&index, &scene, "2008-11-17").await;
    let left = index.child(scene.authority).await;
    let away = "update whereabouts set kind = 'leftEngland', left_on = '2023-11-18', return_expected = 'notKnown' where child_id = $1";
    sqlx::query(away).bind(left.id).execute(&index.db).await.unwrap();
    index.retain().await;
    let told = async || {
        let forecast = index.get(steward, "/v1/retention/forecast").await.expect(200).body;
        let days = forecast["days"].as_array().unwrap().len();
        let items = forecast["items"].as_array().unwrap();
        (days, items.iter().map(|item| item["indexNumber"].to_string()).collect::<Vec<_>>())
    };
    let numbers = [&of_age, &left].map(|child| json!(child.number).to_string());
    assert_eq!(told().await, (2, numbers.to_vec()));
    index.shield(&of_age).await;
    index.shield(&left).await;
    assert_eq!(told().await, (1, numbers[..1].to_vec()));

    let version = index.get(steward, &left.path("")).await.expect(200).version();
    let death = index.put(steward, &left.path("/death"), version, json!({})).await.expect(200);
    assert_eq!(death.body, json!({ "indexNumber": left.number }));
}

#[actix_web::test]
async fn flags_end_on_their_day_and_their_organisation_is_reminded_once_14_days_before() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let practitioner = scene.caller(Role::Practitioner);
    let child = index.child(scene.authority).await;
    let involvement = index.involvement(&child, scene.school, "school").await;
    let path = format!("/v1/involvements/{involvement}/flags/takingAction");
    index.put(practitioner, &path, 1, json!({ "expiresOn": "2026-12-15" })).await.expect(200);
    let notices = async || {
        let rows: Vec<(String, String, Uuid, String)> = sqlx::query_as(
            "select kind, about, organisation_id, due_on::text from notice where kind = 'flagExpiring'",
        )
        .fetch_all(&index.db)
        .await
        .unwrap();
        rows
    };
    index.live_until("2026-11-30T23:59:59Z");
    index.retain().await;
    assert_eq!(notices().await, []);
    for _ in 0..2 {
        index.live_until("2026-12-01T00:00:00Z");
        index.retain().await;
        let told =
            ("flagExpiring".to_owned(), path.clone(), scene.school.id, "2026-12-15".to_owned());
        assert_eq!(notices().await, [told]);
    }
    let cleared = async || -> i64 {
        let cleared = "select count(*) from flag where cleared_at is not null";
        sqlx::query_scalar(cleared).fetch_one(&index.db).await.unwrap()
    };
    index.live_until("2026-12-14T23:59:59Z");
    index.retain().await;
    assert_eq!(cleared().await, 0);
    index.live_until("2026-12-15T00:00:00Z");
    assert_eq!(index.retain().await.0[2], 1);
    assert_eq!(cleared().await, 1);
}

#[actix_web::test]
async fn an_archived_record_gives_its_identifiers_free_and_ends_its_flags() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let steward = scene.caller(Role::Steward);
    let child = born(&index, &scene, "2008-11-17").await;
    let numbers = json!({ "identifiers": [{ "kind": "nhsNumber", "value": "9990011117" }] });
    index.patch(steward, &child.path(""), 1, numbers.clone()).await.expect(200);
    let involvement = index.involvement(&child, scene.school, "school").await;
    let flag = format!("/v1/involvements/{involvement}/flags/leadProfessional");
    index.put(scene.caller(Role::Practitioner), &flag, 1, json!({})).await.expect(200);
    let other = index.child(scene.authority).await;
    index.patch(steward, &other.path(""), 1, numbers.clone()).await.refused(409, "identifier-held");
    index.live_until("2026-11-17T00:00:00Z");
    index.retain().await;
    index.patch(steward, &other.path(""), 1, numbers).await.expect(200);
    let open: i64 = sqlx::query_scalar("select count(*) from flag where cleared_at is null")
        .fetch_one(&index.db)
        .await
        .unwrap();
    assert_eq!(open, 0);
    index.get(steward, &format!("/v1/involvements/{involvement}")).await.refused(404, "not-found");
}

#[actix_web::test]
async fn a_late_run_is_no_late_archive() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = born(&index, &scene, "2008-11-17").await;
    index.live_until("2027-11-17T00:00:00Z");
    index.retain().await;
    let opening = json!({ "indexNumber": child.number });
    index
        .post(scene.caller(Role::Steward), "/v1/archive/openings", opening)
        .await
        .refused(404, "not-found");
    let opened =
        review(&index, scene.caller(Role::ArchiveReviewer), &child.number).await.expect(200);
    assert_eq!(opened.body["archivedOn"], "2026-11-17");
}

#[actix_web::test]
async fn from_midnight_in_london_nobody_sees_the_record_though_no_task_has_run() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let (practitioner, steward) = (scene.caller(Role::Practitioner), scene.caller(Role::Steward));
    let child = born(&index, &scene, "2009-07-01").await;
    let involvement = index.involvement(&child, scene.school, "school").await;
    index.retain().await;
    let paths = ["", "/carers", "/involvements", "/flags"].map(|rest| child.path(rest));
    let paths = [&paths[..], &[format!("/v1/involvements/{involvement}")]].concat();
    let search = json!({ "name": { "given": ["Amy"], "family": child.family }, "dateOfBirth": "2009-07-01" });
    index.live_until("2027-06-30T22:59:59Z");
    for path in &paths {
        index.get(practitioner, path).await.expect(200);
    }
    let found = index.post(practitioner, "/v1/children/search", search.clone()).await.expect(200);
    assert_eq!(found.body["results"].as_array().unwrap().len(), 1);
    index.live_until("2027-06-30T23:00:00Z");
    for path in &paths {
        index.get(practitioner, path).await.refused(404, "not-found");
    }
    let found = index.post(practitioner, "/v1/children/search", search).await.expect(200);
    assert_eq!(found.body["results"], json!([]));
    index.put(steward, &child.path("/death"), 1, json!({})).await.refused(404, "not-found");
    index
        .post(steward, "/v1/archive/openings", json!({ "indexNumber": child.number }))
        .await
        .expect(200);
}

/// A state of affairs that is the same in every database: children in all that a run can come upon.
async fn arrange(index: &Index) {
    let organisation = index.organisation("school", Some(index.authority().await)).await;
    let operators = index.organisation("nationalPartner", None).await;
    let (one, other) = (
        index.account(Role::Operator, operators).await,
        index.account(Role::Operator, operators).await,
    );
    let id = |kind: u128, n: u128| Uuid::from_u128((kind << 64) + n + 1);
    for n in 0..24_u128 {
        let (child, involvement) = (id(1, n), id(2, n));
        let born = ["2008-11-10", "2008-11-16", "2008-11-17", "2009-04-01"]
            [usize::try_from(n % 4).unwrap()];
        sqlx::query(
            "with born as (
                 insert into child (child_id, index_number, date_of_birth, gender, responsible_authority_id, source_organisation_id,
                     received_at, as_at, status, archived_on, archives_on)
                 values ($1, lpad($2::text, 11, '7'), $3::date, 'male', $4, $4, $5, $5::date,
                     case when $2 >= 20 then 'archived' else 'active' end,
                     case when $2 >= 20 then date '2020-11-10' end, case when $2 >= 20 then date '2020-11-10' end)
             ), placed as (
                 insert into whereabouts (whereabouts_id, child_id, kind, source_organisation_id, received_at, as_at)
                 values ($1, $1, 'noneKnown', $4, $5, $5::date)
             ), worked as (
                 insert into involvement (involvement_id, child_id, organisation_id, service_type, contact, started_on, confirmed_on,
                     source_organisation_id, received_at, as_at)
                 values ($6, $1, $4, 'school', '{}', '2020-01-01', '2020-01-01', $4, $5, $5::date)
             )
             insert into flag (flag_id, involvement_id, child_id, flag, set_on, expires_on, received_at)
             select $1, $6, $1, 'takingAction', '2026-11-01', case when $2 % 3 = 0 then date '2026-11-16' else date '2026-11-25' end, $5",
        )
        .bind(child)
        .bind(i32::try_from(n).unwrap())
        .bind(born)
        .bind(organisation.id)
        .bind(index.now())
        .bind(involvement)
        .execute(&index.db)
        .await
        .unwrap();
        sqlx::query(
            "insert into child_identifier (identifier_id, child_id, kind, value, source_organisation_id, received_at, as_at)
             values ($1, $1, 'childReference', $2, $3, $4, $4::date)",
        )
        .bind(child)
        .bind(n.to_string())
        .bind(organisation.id)
        .bind(index.now())
        .execute(&index.db)
        .await
        .unwrap();
    }
    let purge = "with due as (
            insert into purge (purge_id, due_on, proposed_by, proposed_at, status, proposed, approved_by, approved_at)
            values ($1, '2026-11-16', $2, $4, 'approved', 4, $3, $4))
         insert into purge_child (child_id, purge_id) select child_id, $1 from child where status = 'archived'";
    sqlx::query(purge)
        .bind(id(3, 0))
        .bind(one.id)
        .bind(other.id)
        .bind(index.now())
        .execute(&index.db)
        .await
        .unwrap();
    let hold = "insert into legal_hold (hold_id, child_id, ground, held_from, held_until, said_on, placed_by, placed_at)
         values ($1, $2, 'inquiry', '2026-11-01', '2026-11-20', '2026-11-01', $3, $4)";
    for n in [1, 22] {
        sqlx::query(hold)
            .bind(id(4, n))
            .bind(id(1, n))
            .bind(one.id)
            .bind(index.now())
            .execute(&index.db)
            .await
            .unwrap();
    }
}

/// All that a run changes.
async fn state(index: &Index) -> Value {
    let state: Json<Value> = sqlx::query_scalar(
        "select jsonb_build_object(
             'children', (select jsonb_agg(jsonb_build_array(child_id, status, archives_on, archived_on, version) order by child_id) from child),
             'flags', (select jsonb_agg(jsonb_build_array(flag_id, cleared_at) order by flag_id) from flag),
             'identifiers', (select jsonb_agg(jsonb_build_array(identifier_id, held) order by identifier_id) from child_identifier),
             'notices', (select jsonb_agg(jsonb_build_array(kind, about, due_on, told_at) order by kind, about) from notice),
             'purge', (select jsonb_agg(jsonb_build_array(status, proposed, purged, kept, done_at)) from purge),
             'purged', (select count(*) from purged),
             'history', (select count(*) from history))",
    )
    .fetch_one(&index.db)
    .await
    .unwrap();
    state.0
}

/// Runs the task in batches of three; whether it came to its end.
async fn run(index: &Index) -> bool {
    let mut work = index.errands("retention_run").await;
    let today = work.today();
    matches!(task::run(&mut work, today, 3, |_| true).await, Ok(Some(_)))
}

/// Has the connection of the service die at its `n`th write from here on.
async fn die_at(index: &Index, n: i64) {
    let script = format!(
        "create sequence writes;
         create function die() returns trigger language plpgsql security definer as $$
         begin
             if nextval('public.writes') = {n} then perform pg_terminate_backend(pg_backend_pid()); end if;
             return null;
         end $$;
         create trigger die after insert or update or delete on child for each row execute function die();
         create trigger die after insert or update or delete on flag for each row execute function die();
         create trigger die after insert on notice for each row execute function die();
         create trigger die after insert on audit_event for each row execute function die();
         create trigger die after update on purge for each row execute function die();"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&index.db).await.unwrap();
}

/// Waits until the database has let go of what a connection held: one that is ended is told so a moment before.
async fn nobody_is_at_work(index: &Index) {
    let held = "select exists (select from pg_locks where locktype = 'advisory' and objid = 7261044
         and database = (select oid from pg_database where datname = current_database()))";
    for _ in 0..1_000 {
        if !sqlx::query_scalar::<_, bool>(held).fetch_one(&index.db).await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a connection that was ended holds the task's lock for ten seconds");
}

#[actix_web::test]
async fn a_task_that_is_killed_anywhere_ends_in_the_same_state_when_it_is_run_again() {
    let undisturbed = Index::start().await;
    arrange(&undisturbed).await;
    assert!(run(&undisturbed).await);
    let expected = state(&undisturbed).await;
    assert_eq!(expected["purge"][0][2], 3, "{expected:#}");
    assert_eq!(expected["purge"][0][3], 1, "one is held");
    let statuses = expected["children"].as_array().unwrap().iter();
    assert_eq!(statuses.filter(|child| child[1] == "archived").count(), 11, "{expected:#}");
    assert!(run(&undisturbed).await);
    assert_eq!(state(&undisturbed).await, expected, "a second run changes nothing");

    let kills = Cell::new(0);
    for n in (1..=96).step_by(4) {
        let index = Index::start().await;
        arrange(&index).await;
        die_at(&index, n).await;
        if !run(&index).await {
            kills.set(kills.get() + 1);
            nobody_is_at_work(&index).await;
        }
        assert!(run(&index).await, "the next one is not kept out");
        assert_eq!(state(&index).await, expected, "killed at write {n}");
    }
    assert!(kills.get() >= 20, "{} kills", kills.get());
}

#[actix_web::test]
async fn of_two_tasks_at_once_one_is_at_work_and_all_is_done_once() {
    let index = Index::start().await;
    arrange(&index).await;
    let mut first = index.errands("retention_run").await;
    let mut second = index.errands("retention_run").await;
    let today = first.today();
    let (one, other) = futures_util::future::join(
        task::run(&mut first, today, 3, |_| true),
        task::run(&mut second, today, 3, |_| true),
    )
    .await;
    let done: Vec<_> = [one.unwrap(), other.unwrap()].into_iter().flatten().collect();
    let archived: u64 = done.iter().map(|summary| summary.0[1]).sum();
    assert_eq!(archived, 10);

    sqlx::query("select pg_advisory_lock(7261044)").execute(&index.db).await.unwrap();
    let mut kept_out = index.errands("retention_run").await;
    assert_eq!(task::run(&mut kept_out, today, 3, |_| true).await.unwrap(), None);
}

#[actix_web::test]
async fn a_rehearsal_writes_nothing_and_says_what_a_run_does() {
    let index = Index::start().await;
    arrange(&index).await;
    let (before, rows) = (state(&index).await, index.rows().await);
    let mut work = index.errands("retention_run").await;
    let today = work.today();
    let would = task::rehearse(&mut work, today).await.unwrap();
    drop(work);
    assert_eq!((state(&index).await, index.rows().await), (before, rows));
    assert_eq!(NOW.parse::<chrono::DateTime<chrono::Utc>>().unwrap(), index.now());
    let mut did = index.retain().await;
    // A flag of a record that is archived ends with it, and nobody is reminded of it.
    assert!(did.0[2] <= would.0[2] && did.0[3] <= would.0[3]);
    (did.0[2], did.0[3]) = (would.0[2], would.0[3]);
    assert_eq!(did, would);
}

#[actix_web::test]
async fn a_rehearsal_counts_the_reminders_too_and_tells_nobody() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = index.child(scene.authority).await;
    let teacher = scene.caller(Role::Practitioner);
    let emergency = json!({ "ground": "threatToLife", "emergency": true });
    index.post(teacher, &child.path("/shield-requests"), emergency).await.expect(201);
    let asking =
        json!({ "contact": { "practitioner": "Asker Example", "officeHours": "01632 960005" } });
    index.post(teacher, &child.path("/contact-requests"), asking).await.expect(201);
    index.live_until("2026-11-24");
    let rows = index.rows().await;
    let mut work = index.errands("retention_run").await;
    let today = work.today();
    let would = task::rehearse(&mut work, today).await.unwrap();
    drop(work);
    assert_eq!(index.rows().await, rows);
    assert_eq!((would.0[6], would.0[7]), (2, 1), "an approver and the operator, and a steward");
    assert_eq!(index.retain().await, would);
    let mut work = index.errands("retention_run").await;
    let would = task::rehearse(&mut work, today).await.unwrap();
    assert_eq!((would.0[6], would.0[7]), (0, 0));
}
