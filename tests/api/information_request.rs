//! What a child, or a carer, asks of the index is worked on by stewards, step by step, and by its day.

use std::fs;

use chrono::NaiveDate;
use contactpoint::{access::Role, information_request::clock};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Child, Index, Scene};

/// A child of eleven with an account, and the stewards who answer for the record.
struct Desk {
    index: Index,
    scene: Scene,
    steward: Caller,
    child: Child,
    mine: Caller,
}

impl Desk {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let steward = scene.caller(Role::Steward).clone();
        let child = index.child(scene.authority).await;
        let mine = index.account(Role::Subject, scene.authority).await;
        index.enrol(&steward, &child, &mine, None, Some("childCompetent")).await.expect(201);
        Self { index, scene, steward, child, mine }
    }

    async fn ask(&self, body: Value) -> Answer {
        self.index.post(&self.mine, "/v1/my/requests", body).await
    }

    /// Asks that the name be put right.
    async fn correct(&self) -> String {
        let body =
            json!({ "kind": "correct", "fact": "name", "statement": "It is Brook.\nNot Testley." });
        self.ask(body).await.expect(201).header("Location").to_owned()
    }

    /// Enters what was asked on paper by the child, received on a day.
    async fn paper(&self, received: &str) -> Answer {
        let body = json!({ "kind": "see", "capacity": "child", "receivedOn": received });
        self.index.post(&self.steward, &self.child.path("/information-requests"), body).await
    }

    async fn step(&self, request: &str, step: &str, version: i64, body: Value) -> Answer {
        self.index.put(&self.steward, &format!("{request}/{step}"), version, body).await
    }

    async fn record(&self, by: &Caller) -> Value {
        self.index.get(by, &self.child.path("")).await.expect(200).body
    }

    async fn notices(&self, by: &Caller, kind: &str) -> Vec<Value> {
        let told = self.index.get(by, &format!("/v1/notices?kind={kind}")).await.expect(200);
        told.body["items"].as_array().unwrap().clone()
    }
}

#[actix_web::test]
async fn a_disputed_fact_is_told_as_such_while_its_source_is_asked_and_then_put_right() {
    let desk = Desk::new().await;
    sqlx::query("update child_name set source_organisation_id = $2 where child_id = $1")
        .bind(desk.child.id)
        .bind(desk.scene.school.id)
        .execute(&desk.index.db)
        .await
        .unwrap();
    let teacher = desk.scene.caller(Role::Practitioner);
    let request = desk.correct().await;
    let asked = desk.index.get(&desk.mine, &request).await.expect(200);
    assert_eq!(
        (&asked.body["status"], &asked.body["dueOn"]),
        (&json!("identityChecked"), &json!("2026-12-16"))
    );
    assert_eq!(asked.body["words"], "We have what you asked. We will answer by 16 December 2026.");
    assert_eq!(asked.body["statement"], "It is Brook.\nNot Testley.");
    let told = desk.notices(&desk.steward, "informationAsked").await;
    assert_eq!((&told[0]["about"], &told[0]["dueOn"]), (&json!(request), &json!("2026-12-16")));
    assert!(desk.record(teacher).await.get("disputed").is_none());

    let forwarded = desk.step(&request, "forwarding", 1, Value::Null).await.expect(200);
    assert_eq!(forwarded.body["status"], "forwarded");
    assert_eq!(desk.record(teacher).await["disputed"], json!([{ "fact": "name" }]));
    let mine = desk.index.get(&desk.mine, "/v1/my/record").await.expect(200).body;
    assert_eq!(
        (&mine["facts"][0]["disputed"], &mine["facts"][1]["disputed"]),
        (&json!(true), &json!(false))
    );
    let told = desk.notices(teacher, "factDisputed").await;
    assert_eq!(told[0]["about"], json!(desk.child.path("")));

    let corrected = |version: Value| json!({ "outcome": "corrected", "recordVersion": version });
    for version in [json!(1), json!(2)] {
        let answer = desk.step(&request, "outcome", 2, corrected(version)).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/recordVersion"]);
    }
    let unsaid = desk.step(&request, "outcome", 2, json!({ "outcome": "corrected" })).await;
    assert_eq!(unsaid.refused(422, "invalid-value").pointers(), ["/recordVersion"]);
    let names = json!({ "names": [{ "kind": "current", "given": ["Amy"], "family": "Brook" }] });
    let version =
        desk.index.patch(&desk.steward, &desk.child.path(""), 1, names).await.expect(200).version();
    let done = desk.step(&request, "outcome", 2, corrected(json!(version))).await.expect(200);
    assert_eq!(
        (&done.body["status"], &done.body["recordVersion"]),
        (&json!("corrected"), &json!(version))
    );
    assert!(done.body.get("statement").is_none(), "what is put right need not be kept");
    assert!(desk.record(teacher).await.get("disputed").is_none());
    let kept: Option<Vec<u8>> = sqlx::query_scalar("select sealed from information_request")
        .fetch_one(&desk.index.db)
        .await
        .unwrap();
    assert_eq!(kept, None);
    let asked = desk.index.get(&desk.mine, &request).await.expect(200);
    assert_eq!(asked.body["words"], "You were right. We have put it right.");
}

#[actix_web::test]
async fn what_the_person_says_is_kept_sealed_when_it_is_refused_and_auditors_do_not_read_it() {
    let desk = Desk::new().await;
    let request = desk.correct().await;
    let kept = async || {
        let bytes: Option<Vec<u8>> = sqlx::query_scalar("select sealed from information_request")
            .fetch_one(&desk.index.db)
            .await
            .unwrap();
        bytes.unwrap()
    };
    assert!(!kept().await.windows(5).any(|window| window == b"Brook"));
    let refused = json!({ "outcome": "refused", "refusal": "accurate" });
    let done = desk.step(&request, "outcome", 1, refused).await.expect(200);
    assert_eq!(done.body["statement"], "It is Brook.\nNot Testley.");
    assert!(!kept().await.windows(5).any(|window| window == b"Brook"));
    let mine = desk.index.get(&desk.mine, &request).await.expect(200);
    assert_eq!(
        (&mine.body["refusal"], &mine.body["statement"]),
        (&json!("accurate"), &done.body["statement"])
    );
    let auditor = desk.scene.caller(Role::Auditor);
    let read = desk.index.get(auditor, &request).await.expect(200).body;
    assert_eq!(
        (&read["status"], read.get("statement"), read.get("words")),
        (&json!("refused"), None, None)
    );
    let event = desk.index.event(&done).await;
    assert!(!event.to_string().contains("Brook"), "{event:#}");
}

#[actix_web::test]
async fn what_does_not_belong_together_is_not_asked() {
    let desk = Desk::new().await;
    let carer = desk.index.carer(&desk.child).await;
    let other = desk.index.child(desk.scene.authority).await;
    let stranger = desk.index.carer(&other).await;
    let (sensitive, _) = desk.index.sensitive(&desk.child, desk.scene.school, "mentalHealth").await;
    for (body, pointer) in [
        (json!({ "kind": "see", "fact": "name" }), "/fact"),
        (json!({ "kind": "complain" }), "/statement"),
        (json!({ "kind": "correct", "fact": "name" }), "/statement"),
        (json!({ "kind": "correct", "fact": "carer", "statement": "x" }), "/factId"),
        (
            json!({ "kind": "correct", "fact": "name", "factId": carer, "statement": "x" }),
            "/factId",
        ),
        (
            json!({ "kind": "correct", "fact": "carer", "factId": stranger, "statement": "x" }),
            "/factId",
        ),
        (
            json!({ "kind": "correct", "fact": "involvement", "factId": sensitive, "statement": "x" }),
            "/factId",
        ),
        (json!({ "kind": "correct", "fact": "name", "statement": "a\u{7}" }), "/statement"),
        (json!({ "kind": "correct", "fact": "name", "statement": " . " }), "/statement"),
        (json!({ "kind": "complain", "statement": "x".repeat(4001) }), "/statement"),
    ] {
        let answer = desk.ask(body.clone()).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [pointer], "{body}");
    }
    for body in [
        json!({ "kind": "see" }),
        json!({ "kind": "complain", "statement": "x".repeat(4000) }),
        json!({ "kind": "correct", "statement": "The clinic is wrong." }),
        json!({ "kind": "correct", "fact": "carer", "factId": carer, "statement": "x" }),
    ] {
        desk.ask(body).await.expect(201);
    }
}

#[actix_web::test]
async fn what_is_asked_twice_with_one_key_is_asked_once_at_the_same_moment_too() {
    let desk = Desk::new().await;
    let headers = [("Idempotency-Key", "once-and-only")];
    let ask = || {
        desk.index.request(
            &desk.mine,
            "POST",
            "/v1/my/requests",
            json!({ "kind": "see" }),
            &headers,
        )
    };
    let (one, other) = futures_util::future::join(ask(), ask()).await;
    let statuses = [one.status, other.status];
    assert!(
        statuses.contains(&201) && statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );
    let again = ask().await.expect(201);
    let first = [&one, &other].into_iter().find(|answer| answer.status == 201).unwrap();
    assert_eq!(again.body, first.body);
    let rows: i64 = sqlx::query_scalar("select count(*) from information_request")
        .fetch_one(&desk.index.db)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}

#[actix_web::test]
async fn the_month_of_a_request_on_paper_counts_from_the_proof_where_it_had_to_be_asked_for() {
    let desk = Desk::new().await;
    let entered = desk.paper("2026-11-10").await.expect(201);
    let request = entered.header("Location").to_owned();
    assert_eq!(
        (&entered.body["status"], &entered.body["dueOn"]),
        (&json!("received"), &json!("2026-12-10"))
    );
    let check = |asked: &str, proven: &str| json!({ "identity": "passport", "askedOn": asked, "provenOn": proven });
    for (body, pointer) in [
        (check("2026-11-09", "2026-11-12"), "/askedOn"),
        (check("2026-11-13", "2026-11-12"), "/askedOn"),
        (check("2026-11-12", "2026-11-17"), "/provenOn"),
        (
            json!({ "identity": "passport", "responsibility": "marriage", "provenOn": "2026-11-12" }),
            "/responsibility",
        ),
    ] {
        let answer = desk.step(&request, "identity-check", 1, body.clone()).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), [pointer], "{body}");
    }
    let proven = desk
        .step(&request, "identity-check", 1, check("2026-11-11", "2026-11-15"))
        .await
        .expect(200);
    assert_eq!(
        (&proven.body["status"], &proven.body["dueOn"]),
        (&json!("identityChecked"), &json!("2026-12-15"))
    );
    let again = desk.step(&request, "identity-check", 2, check("2026-11-11", "2026-11-16")).await;
    again.refused(409, "information-request-status");
    let known = desk.paper("2026-11-10").await.expect(201);
    let body = json!({ "identity": "knownToStaff", "provenOn": "2026-11-16" });
    let known = desk.step(known.header("Location"), "identity-check", 1, body).await.expect(200);
    assert_eq!(known.body["dueOn"], "2026-12-10", "nobody was asked");
    let late = json!({ "kind": "see", "capacity": "child", "receivedOn": "2026-11-17" });
    let late =
        desk.index.post(&desk.steward, &desk.child.path("/information-requests"), late).await;
    assert_eq!(late.refused(422, "invalid-value").pointers(), ["/receivedOn"]);
}

#[actix_web::test]
async fn a_request_is_extended_once_by_two_months_and_only_before_its_first_month_ends() {
    let desk = Desk::new().await;
    let [one, other] = [desk.correct().await, desk.correct().await];
    let ground = json!({ "ground": "complex" });
    let extended = desk.step(&one, "extension", 1, ground.clone()).await.expect(200);
    assert_eq!(
        (&extended.body["dueOn"], &extended.body["extension"]),
        (&json!("2027-02-16"), &json!("complex"))
    );
    desk.step(&one, "extension", 2, ground.clone())
        .await
        .refused(409, "information-request-status");
    desk.index.live_until("2026-12-16");
    let third = desk.paper("2026-11-16").await.expect(201);
    let unproven = desk.step(third.header("Location"), "extension", 1, ground.clone()).await;
    unproven.refused(409, "information-request-status");
    desk.index.live_until("2026-12-17");
    desk.step(&other, "extension", 1, ground).await.refused(409, "information-request-status");
}

#[actix_web::test]
async fn every_step_has_its_time_and_a_request_ends_once() {
    let desk = Desk::new().await;
    let paper = desk.paper("2026-11-16").await.expect(201);
    let paper = paper.header("Location");
    let answered = json!({ "outcome": "answered" });
    let refuse = |ground: &str| json!({ "outcome": "refused", "refusal": ground });
    for (step, body) in [
        ("forwarding", Value::Null),
        ("outcome", answered.clone()),
        ("outcome", refuse("accurate")),
    ] {
        desk.step(paper, step, 1, body).await.refused(409, "information-request-status");
    }
    let unproven = desk.step(paper, "outcome", 1, refuse("notProven")).await.expect(200);
    assert_eq!(unproven.body["status"], "refused");
    let taken_back = desk.paper("2026-11-16").await.expect(201);
    let withdrawn = json!({ "outcome": "withdrawn" });
    desk.step(taken_back.header("Location"), "outcome", 1, withdrawn.clone()).await.expect(200);

    let see = desk.ask(json!({ "kind": "see" })).await.expect(201);
    let see = see.header("Location");
    desk.step(see, "forwarding", 1, Value::Null).await.refused(409, "information-request-status");
    for (body, pointer) in [
        (json!({ "outcome": "corrected", "recordVersion": 1 }), "/outcome"),
        (json!({ "outcome": "refused" }), "/refusal"),
        (json!({ "outcome": "answered", "refusal": "exempt" }), "/refusal"),
        (json!({ "outcome": "answered", "recordVersion": 1 }), "/recordVersion"),
        (withdrawn, "/outcome"),
    ] {
        let answer = desk.step(see, "outcome", 1, body.clone()).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), [pointer], "{body}");
    }
    desk.step(see, "outcome", 2, answered.clone()).await.refused(412, "precondition-failed");
    desk.step(see, "outcome", 1, answered.clone()).await.expect(200);
    for (step, body) in [("outcome", answered), ("extension", json!({ "ground": "several" }))] {
        desk.step(see, step, 2, body).await.refused(409, "information-request-status");
    }
    let late = desk.index.put(&desk.mine, &format!("{see}/withdrawal"), 2, Value::Null).await;
    late.refused(409, "information-request-status");

    let correct = desk.correct().await;
    let path = format!("{correct}/withdrawal");
    let withdrawn = desk.index.put(&desk.mine, &path, 1, Value::Null).await.expect(200);
    assert_eq!(
        (&withdrawn.body["status"], withdrawn.body.get("statement")),
        (&json!("withdrawn"), None)
    );
}

#[actix_web::test]
async fn what_is_due_is_told_to_stewards_and_what_is_overdue_to_those_who_watch_them() {
    let desk = Desk::new().await;
    let administrator = desk.index.account(Role::AccountAdministrator, desk.scene.authority).await;
    let auditor = desk.scene.caller(Role::Auditor);
    let request = desk.correct().await;
    let done = desk.ask(json!({ "kind": "see" })).await.expect(201);
    desk.step(done.header("Location"), "outcome", 1, json!({ "outcome": "answered" }))
        .await
        .expect(200);
    desk.index.live_until("2026-12-08");
    desk.index.retain().await;
    assert_eq!(desk.notices(&desk.steward, "informationRequestDue").await, Vec::<Value>::new());
    desk.index.live_until("2026-12-09");
    desk.index.retain().await;
    desk.index.live_until("2026-12-16");
    desk.index.retain().await;
    let due = desk.notices(&desk.steward, "informationRequestDue").await;
    assert_eq!(due.len(), 1);
    assert_eq!((&due[0]["about"], &due[0]["dueOn"]), (&json!(request), &json!("2026-12-16")));
    for by in [&desk.steward, auditor, &administrator] {
        assert_eq!(desk.notices(by, "informationRequestOverdue").await, Vec::<Value>::new());
    }
    desk.index.live_until("2026-12-17");
    desk.index.retain().await;
    desk.index.retain().await;
    for by in [&desk.steward, auditor, &administrator] {
        let overdue = desk.notices(by, "informationRequestOverdue").await;
        let about: Vec<_> = overdue.iter().map(|notice| &notice["about"]).collect();
        assert_eq!(about, [&json!(request)], "{}", by.role);
    }
}

#[actix_web::test]
async fn a_request_is_seen_by_whoever_asks_and_by_the_authority_that_answers_alone() {
    let desk = Desk::new().await;
    let request = desk.correct().await;
    let elsewhere = desk.scene.other_authority;
    let mother = desk.index.carer(&desk.child).await;
    let hers = desk.index.account(Role::Subject, desk.scene.authority).await;
    desk.index.enrol(&desk.steward, &desk.child, &hers, Some(mother), None).await.expect(201);
    let unknown = format!("/v1/information-requests/{}", uuid::Uuid::new_v4());
    for by in [
        &desk.index.account(Role::Steward, elsewhere).await,
        &desk.index.account(Role::Auditor, elsewhere).await,
        &hers,
    ] {
        let hidden = desk.index.get(by, &request).await.refused(404, "not-found");
        assert_eq!(hidden.body, desk.index.get(by, &unknown).await.refused(404, "not-found").body);
        let list = desk.index.get(by, "/v1/information-requests").await.expect(200);
        assert_eq!(list.body["items"], json!([]));
    }
    desk.index.get(desk.scene.caller(Role::Practitioner), &request).await.refused(403, "forbidden");
    desk.index
        .put(&desk.mine, &format!("{request}/forwarding"), 1, Value::Null)
        .await
        .refused(403, "forbidden");
    let national = desk.index.account(Role::Auditor, desk.scene.national).await;
    for by in [&desk.steward, desk.scene.caller(Role::Auditor), &national, &desk.mine] {
        let list =
            desk.index.get(by, "/v1/information-requests?status=identityChecked").await.expect(200);
        assert_eq!(list.body["items"].as_array().unwrap().len(), 1, "{}", by.role);
    }
    let path = desk.child.path(&format!("/subjects/{}", desk.mine.id));
    desk.index.delete(&desk.steward, &path, 1).await.expect(200);
    desk.index.get(&desk.mine, &request).await.refused(404, "not-found");
    desk.index.get(&desk.steward, &request).await.expect(200);
    let gone = desk.index.put(&desk.mine, &format!("{request}/withdrawal"), 1, Value::Null).await;
    gone.refused(404, "not-found");
}

#[actix_web::test]
async fn under_a_shield_what_is_disputed_is_told_only_of_what_the_shield_leaves() {
    let desk = Desk::new().await;
    for fact in ["name", "whereabouts"] {
        let asked = desk
            .ask(json!({ "kind": "correct", "fact": fact, "statement": "It is wrong." }))
            .await
            .expect(201);
        desk.step(asked.header("Location"), "forwarding", 1, Value::Null).await.expect(200);
    }
    let teacher = desk.scene.caller(Role::Practitioner);
    let both = json!([{ "fact": "name" }, { "fact": "whereabouts" }]);
    assert_eq!(desk.record(teacher).await["disputed"], both);
    desk.index.shield(&desk.child).await;
    assert_eq!(desk.record(teacher).await["disputed"], json!([{ "fact": "name" }]));
    let approver = desk.scene.caller(Role::ShieldApprover);
    assert_eq!(desk.record(approver).await["disputed"], both);
}

/// `bench/run watch` reads the line that this prints.
#[test]
fn every_dated_case_of_the_clock_is_due_on_its_day() {
    let day = |text: &str| (!text.is_empty()).then(|| text.parse::<NaiveDate>().unwrap());
    let table = fs::read_to_string("tests/api/data/clock.csv").unwrap();
    let (mut cases, mut wrong) = (0, Vec::new());
    for line in table.lines().skip(1) {
        let [case, received, asked, proven, extended, due] =
            line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let starts = clock::starts_on(day(received).unwrap(), day(asked), day(proven));
        let told = clock::due_on(starts, extended == "yes");
        cases += 1;
        if Some(told) != day(due) {
            wrong.push(format!("{case}: {told}, not {due}"));
        }
    }
    println!("clock cases {cases} wrong {}", wrong.len());
    assert!(cases >= 40 && wrong.is_empty(), "{wrong:#?}");
}
