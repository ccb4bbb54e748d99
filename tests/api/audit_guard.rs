//! No audit, no answer; the audit says nothing personal of what was refused; and nobody rewrites it.

use std::process::Command;

use contactpoint::{
    access::Role,
    database::{self, APPLICATION},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::{
    harness::{Index, Operation},
    involvement::{Place, service},
    session::{Person, after},
};

/// A name and a number that stand nowhere but in what is refused.
const NAME: &str = "Zanarylane 7";
const NUMBER: u64 = 7_391_846_205;

async fn run(index: &Index, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&index.db).await.unwrap();
}

/// Makes a role with these rights, which may do what the service may, and says how it reaches the database.
async fn role(index: &Index, name: &str, rights: &str) -> PgConnectOptions {
    let role =
        format!("create role {name} login password 'test' {rights} in role contactpoint_app");
    run(index, &role).await;
    (*index.db.connect_options()).clone().username(name).password("test")
}

#[actix_web::test]
async fn without_the_audit_nothing_is_answered_and_nothing_is_done() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let person = Person::new(index, Role::Practitioner, place.school).await;
    let involvement = index.involvement(&place.child, place.school, "police").await;
    let change = format!("/v1/involvements/{involvement}");
    index.get(by, &place.child.path("")).await.expect(200);
    run(index, "revoke insert on audit_event from contactpoint_app").await;
    let rows = index.rows().await;
    for answer in [
        index.get(by, &place.child.path("")).await,
        index.get(by, "/v1/children/48271930566").await,
        index.request(None, "GET", &place.child.path(""), (), &[]).await,
        place.say(by, service("school")).await,
        index.patch(by, &change, 1, json!({ "confirmedOn": "2026-11-16" })).await,
        person.sign_in(index).await,
    ] {
        let answer = answer.refused(503, "unavailable");
        assert!(!answer.header("Retry-After").is_empty());
        let told = String::from_utf8(answer.bytes).unwrap();
        assert!(!told.contains(&place.child.family) && !told.contains("audit"), "{told}");
    }
    assert_eq!(index.rows().await, rows);

    run(index, "grant insert on audit_event to contactpoint_app").await;
    index.get(by, &place.child.path("")).await.expect(200);
    assert_eq!(index.get(by, &change).await.expect(200).version(), 1);
    place.say(by, service("school")).await.expect(201);
    index.clock.set(after(1));
    person.sign_in(index).await.expect(200);
}

/// Every body that can be made of an example by putting `value` in the place of one of its values.
fn spoilt(example: &Value, value: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    places_of(example, "", &mut places);
    let each = places.iter().map(|place| {
        let mut body = example.clone();
        *body.pointer_mut(place).unwrap() = value.clone();
        body
    });
    each.collect()
}

fn places_of(example: &Value, at: &str, places: &mut Vec<String>) {
    match example {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, member)| places_of(member, &format!("{at}/{name}"), places));
        }
        Value::Array(items) => {
            (0..)
                .zip(items)
                .for_each(|(n, item): (usize, _)| places_of(item, &format!("{at}/{n}"), places));
        }
        _ => places.push(at.to_owned()),
    }
}

#[actix_web::test]
async fn the_audit_points_to_what_was_refused_and_does_not_hold_it() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let target = index.own(&scene).await;
    let mut refused = 0;
    for operation in Operation::all().filter(|operation| operation.body().is_some()) {
        let caller = operation.asked_by().map(|role| scene.caller(role));
        for value in [json!(NAME), json!(NUMBER)] {
            for mut body in spoilt(&operation.example(), &value) {
                body["further"] = value.clone();
                let answer = index.ask(operation, caller, &target, body, &[]).await;
                assert_eq!(answer.status, 422, "{}: {:#}", operation.id, answer.body);
                let told = String::from_utf8(answer.bytes.clone()).unwrap();
                assert!(!told.contains(NAME) && !told.contains(&NUMBER.to_string()), "{told}");
                let event = index.event(&answer).await;
                assert_eq!(event["details"]["errors"], json!(answer.pointers()));
                let opened = event.to_string();
                assert!(!opened.contains(NAME) && !opened.contains(&NUMBER.to_string()));
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused}");
    let factors = json!({ "userName": "zanarylane", "password": NAME, "pin": "739184", "oneTimeCode": "620573" });
    let answer = index.request(None, "POST", "/v1/sessions", factors, &[]).await;
    answer.refused(401, "sign-in-failed");
    let headers = [("Access-Reference", NAME), ("Access-Reason", "zanarylane")];
    let caller = scene.caller(Role::Practitioner);
    index.request(caller, "GET", &target.child.path(""), (), &headers).await.expect(400);
    let query = format!("/v1/organisations?name=Zanarylane&kind={NUMBER}");
    index.get(caller, &query).await.expect(400);

    let holding = "select count(*) from audit_event e where e::text ~* $1";
    // Alone, not as a part of an identifier, of a digest or of a moment's microseconds.
    let holding = sqlx::query_scalar(holding)
        .bind(format!(r"zanarylane|{NUMBER}|(^|[^.[:alnum:]])(739184|620573)($|[^[:alnum:]])"));
    let holding: i64 = holding.fetch_one(&index.db).await.unwrap();
    assert_eq!(holding, 0);
}

#[test]
fn the_log_does_not_hold_it_either() {
    let run = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "audit_guard::without_the_audit_nothing_is_answered_and_nothing_is_done",
            "audit_guard::the_audit_points_to_what_was_refused_and_does_not_hold_it",
            "--nocapture",
        ])
        .env("RUST_LOG", "trace,hyper=off,hyper_util=off,reqwest=off")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).to_lowercase();
    assert!(run.status.success() && log.contains("2 passed"), "{log}");
    assert!(log.contains("answered") && log.contains("create_session"), "the service has logged");
    for personal in ["zanarylane", &NUMBER.to_string(), "bearer ey", "permission denied"] {
        let line = log.lines().find(|line| line.contains(personal));
        assert!(line.is_none(), "{line:?}");
    }
    assert!(!log.contains('\u{1b}'), "a colour's last letter would stand before what is told");
    for digits in ["739184", "620573"] {
        let line = log.lines().find(|line| holds_alone(line, digits));
        assert!(line.is_none(), "{line:?}");
    }
}

/// Whether these digits are told, and not a part of an identifier, of a digest or of a moment's microseconds.
fn holds_alone(line: &str, digits: &str) -> bool {
    line.match_indices(digits).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + digits.len()..].chars().next();
        !before.is_some_and(|it| it == '.' || it.is_alphanumeric())
            && !after.is_some_and(char::is_alphanumeric)
    })
}

#[test]
fn six_digits_that_are_told_are_found_and_those_of_a_moment_are_not() {
    assert!(holds_alone(r#"said "pin":"739184""#, "739184"));
    assert!(holds_alone("signing in pin=739184 name", "739184"));
    assert!(!holds_alone("03:15:44.739184z answered", "739184"));
    assert!(!holds_alone("7f739184-0000", "739184"));
}

#[actix_web::test]
async fn the_service_can_rewrite_neither_the_audit_nor_history_and_deletes_no_child() {
    let place = Place::new().await;
    place.index.get(&place.practitioner, &place.child.path("")).await.expect(200);
    let mut connection =
        PgConnection::connect_with(&place.index.db.connect_options()).await.unwrap();
    let service = format!("set session authorization {APPLICATION}");
    connection.execute(AssertSqlSafe(service)).await.unwrap();
    let partitions: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where tablename like 'audit\\_event%'",
    )
    .fetch_all(&place.index.db)
    .await
    .unwrap();
    assert!(partitions.len() >= 6, "{partitions:?}");
    let mut forbidden = vec![
        "set role contactpoint_owner".to_owned(),
        "create table public.other (id int)".to_owned(),
        "insert into history (child_id, fact, fact_id, was, superseded_at) select child_id, 'child', child_id, '{}', now() from child".to_owned(),
        "update flag set expires_on = expires_on + 1".to_owned(),
        "update child_name set family = 'Another'".to_owned(),
        "update account set role = 'operator'".to_owned(),
        "update idempotency set body_hash = ''".to_owned(),
    ];
    for table in partitions.iter().map(String::as_str).chain(["history"]) {
        let column = if table == "history" { "fact" } else { "operation" };
        forbidden.push(format!("update {table} set {column} = {column}"));
    }
    let kept = [
        "child",
        "child_name",
        "whereabouts",
        "child_identifier",
        "carer",
        "involvement",
        "flag",
        "history",
    ];
    for table in partitions.iter().map(String::as_str).chain(kept).chain([
        "account",
        "organisation",
        "session",
    ]) {
        forbidden.push(format!("delete from {table}"));
        forbidden.push(format!("truncate {table} cascade"));
        forbidden.push(format!("drop table {table} cascade"));
        forbidden.push(format!("alter table {table} disable trigger all"));
    }
    for statement in forbidden {
        let outcome =
            sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await;
        let error = outcome.err().unwrap_or_else(|| panic!("{statement} was let through"));
        assert_eq!(
            error.as_database_error().unwrap().code().unwrap(),
            "42501",
            "{statement}: {error}"
        );
    }
}

#[actix_web::test]
async fn the_service_does_not_start_as_a_role_that_could_do_more_than_it_must() {
    let index = Index::start().await;
    let mut told = Vec::new();
    for (rights, grant, fault) in [
        ("", "", ""),
        ("superuser", "", "superuser"),
        ("bypassrls", "", "row-level security"),
        ("createrole", "", "create roles or databases"),
        ("createdb", "", "create roles or databases"),
        ("", "grant contactpoint_owner to", "owns the tables"),
        ("noinherit", "grant contactpoint_owner to", "owns the tables"),
        ("", "grant update on audit_event to", "rewrite the audit"),
        ("", "grant update (outcome) on audit_event to", "rewrite the audit"),
        ("", "grant delete on audit_event_default to", "rewrite the audit"),
        ("", "grant update on audit_seal to", "rewrite the audit"),
        ("", "grant insert on audit_event to", "in which transaction"),
        ("", "grant insert (tx) on audit_event to", "in which transaction"),
        ("", "grant insert (epoch) on audit_event_2026_11 to", "in which transaction"),
        ("", "grant truncate on audit_event_2026_11 to", "rewrite the audit"),
    ] {
        let name = format!("contactpoint_test_role_{}", Uuid::new_v4().simple());
        let options = role(&index, &name, rights).await;
        if !grant.is_empty() {
            run(&index, &format!("{grant} {name}")).await;
        }
        let checked = database::check(&options).await.map_err(|fault| fault.to_string());
        run(&index, &format!("drop owned by {name}; drop role {name}")).await;
        told.push((format!("{rights} {grant}"), fault, checked));
    }
    for (role, fault, checked) in told {
        match checked {
            Ok(()) => assert_eq!(fault, "", "{role}"),
            Err(told) => assert!(!fault.is_empty() && told.contains(fault), "{role}: {told}"),
        }
    }
}
