//! What stewards look through to keep records accurate.

use contactpoint::access::Role;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::harness::{Answer, Caller, Child, Index, Organisation, Scene};

/// An index with a steward.
struct Desk {
    index: Index,
    scene: Scene,
    steward: Caller,
}

impl Desk {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let steward = scene.caller(Role::Steward).clone();
        Self { index, scene, steward }
    }

    async fn child(&self) -> Child {
        self.index.child(self.scene.authority).await
    }

    async fn report(&self, path: &str) -> Answer {
        self.index.get(&self.steward, &format!("/v1/reports/{path}")).await.expect(200)
    }

    async fn csv(&self, path: &str) -> Answer {
        let path = format!("/v1/reports/{path}");
        let answer =
            self.index.request(&self.steward, "GET", &path, (), &[("Accept", "text/csv")]).await;
        assert!(answer.header("Content-Type").starts_with("text/csv"));
        answer.expect(200)
    }

    async fn arrange(&self, statement: &str, id: Uuid) {
        let statement = sqlx::query(AssertSqlSafe(statement)).bind(id);
        statement.execute(&self.index.db).await.unwrap();
    }

    /// A feed of an organisation.
    async fn feed(&self, of: Organisation, name: &str) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into feed (feed_id, organisation_id, name, service_type, created_at, created_by)
             values ($1, $2, $3, 'school', $4, $1)",
        )
        .bind(id)
        .bind(of.id)
        .bind(name)
        .bind(self.index.now())
        .execute(&self.index.db)
        .await
        .unwrap();
        id
    }
}

/// The numbers of the children that a page tells of.
fn numbers(answer: &Answer) -> Vec<&str> {
    let items = answer.body["items"].as_array().unwrap();
    items.iter().map(|item| item["indexNumber"].as_str().unwrap()).collect()
}

fn sorted<const N: usize>(children: [&Child; N]) -> Vec<&str> {
    let mut numbers: Vec<_> = children.iter().map(|child| child.number.as_str()).collect();
    numbers.sort_unstable();
    numbers
}

fn lines(answer: &Answer) -> Vec<&str> {
    let text = std::str::from_utf8(&answer.bytes).unwrap();
    assert!(text.ends_with("\r\n"));
    text.trim_end().split("\r\n").collect()
}

#[actix_web::test]
async fn children_with_whom_no_school_or_practice_works_are_told_to_stewards_of_their_authority() {
    let desk = Desk::new().await;
    let index = &desk.index;
    let [pupil, patient, left, none] =
        [desk.child().await, desk.child().await, desk.child().await, desk.child().await];
    let [hidden, archived] = [desk.child().await, desk.child().await];
    index.child(desk.scene.other_authority).await;
    index.involvement(&pupil, desk.scene.school, "school").await;
    index.involvement(&patient, desk.scene.school, "generalPractice").await;
    let ended = index.involvement(&left, desk.scene.school, "school").await;
    let yesterday = "update involvement set ended_on = '2026-11-15' where involvement_id = $1";
    desk.arrange(yesterday, ended).await;
    desk.arrange("update child set without_service = '{school}' where child_id = $1", none.id)
        .await;
    desk.arrange("update child set archives_on = '2026-11-16' where child_id = $1", archived.id)
        .await;
    index.shield(&hidden).await;

    let without = desk.report("withoutSchool").await;
    assert_eq!(numbers(&without), sorted([&patient, &left, &none]));
    assert_eq!(without.body.get("next"), None);
    let told = without.body["items"].as_array().unwrap();
    let said = told.iter().find(|item| item["indexNumber"] == json!(none.number)).unwrap();
    assert_eq!(
        *said,
        json!({ "indexNumber": none.number, "name": { "given": ["Amy"], "family": none.family }, "dateOfBirth": "2015-03-14",
                "dateOfBirthPrecision": "day", "gender": "female", "saidToHaveNone": true })
    );
    assert_eq!(told.iter().filter(|item| item["saidToHaveNone"] == json!(true)).count(), 1);
    assert_eq!(numbers(&desk.report("withoutPractice").await), sorted([&pupil, &left, &none]));

    let event = index.event(&without).await;
    let mut seen: Vec<_> = event["children"].as_array().unwrap().clone();
    let mut expected = [&patient, &left, &none].map(|child| json!(child.id)).to_vec();
    seen.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!((&event["operation"], seen), (&json!("report_without_school"), expected));
}

#[actix_web::test]
async fn the_pages_of_a_report_tell_everything_once_and_in_order() {
    let desk = Desk::new().await;
    for _ in 0..5 {
        let child = desk.child().await;
        for service in ["healthVisiting", "school"] {
            desk.index.involvement(&child, desk.scene.school, service).await;
        }
    }
    for (report, all) in [("withoutPractice", 5), ("unconfirmedInvolvements", 10)] {
        let whole = desk.report(&format!("{report}?limit=100")).await.body;
        assert_eq!(whole["items"].as_array().unwrap().len(), all);
        let (mut items, mut path) = (Vec::new(), format!("{report}?limit=3"));
        loop {
            let mut page = desk.report(&path).await.body;
            let told = page["items"].as_array_mut().unwrap();
            assert!((1..=3).contains(&told.len()));
            items.append(told);
            let Some(next) = page["next"].as_str() else { break };
            path = format!("{report}?limit=3&after={next}");
        }
        assert_eq!(json!(items), whole["items"]);
        let path = format!("/v1/reports/{report}?after=bm90aGluZw");
        desk.index.get(&desk.steward, &path).await.refused(400, "invalid-query");
    }
}

#[actix_web::test]
async fn involvements_that_nobody_confirms_are_told_and_why() {
    let desk = Desk::new().await;
    let index = &desk.index;
    let [old, fresh, gone, hidden] =
        [desk.child().await, desk.child().await, desk.child().await, desk.child().await];
    let school = desk.scene.school;
    let old_one = index.involvement(&old, school, "school").await;
    let confirmed = "update involvement set confirmed_on = '2025-11-16' where involvement_id = $1";
    for child in [&fresh, &gone] {
        let one = index.involvement(child, school, "school").await;
        desk.arrange(confirmed, one).await;
    }
    index.involvement(&hidden, school, "school").await;
    index.shield(&hidden).await;
    let ended = index.involvement(&fresh, school, "healthVisiting").await;
    desk.arrange("update involvement set ended_on = '2026-01-01' where involvement_id = $1", ended)
        .await;
    let faded = "update involvement set unconfirmed_since = '2026-11-15' where child_id = $1";
    desk.arrange(faded, gone.id).await;
    let other = index.child(desk.scene.other_authority).await;
    index.involvement(&other, school, "school").await;

    let report = desk.report("unconfirmedInvolvements").await;
    assert_eq!(numbers(&report), sorted([&old, &gone]));
    let told = |child: &Child| {
        let mut items = report.body["items"].as_array().unwrap().iter();
        items.find(|item| item["indexNumber"] == json!(child.number)).cloned().unwrap()
    };
    let mut first = told(&old);
    assert!(first.as_object_mut().unwrap().remove("organisation").is_some());
    assert_eq!(
        first,
        json!({ "id": old_one, "indexNumber": old.number, "organisationId": school.id, "serviceType": "school",
                "startedOn": "2024-09-02", "confirmedOn": "2024-09-02", "unconfirmedSince": "2025-09-03" })
    );
    assert_eq!(told(&gone)["unconfirmedSince"], "2026-11-15");
    assert_eq!(told(&gone)["confirmedOn"], "2025-11-16");
    index.clock.set("2026-11-17T09:30:00Z".parse().unwrap());
    assert_eq!(
        numbers(&desk.report("unconfirmedInvolvements").await),
        sorted([&old, &fresh, &gone])
    );
}

#[actix_web::test]
async fn as_comma_separated_values_a_report_is_whole_and_every_part_is_written_down() {
    let desk = Desk::new().await;
    let mut expected = Vec::new();
    for _ in 0..205 {
        let child = desk.child().await;
        expected.push(format!("{},Amy,{},2015-03-14,day,female,false", child.number, child.family));
    }
    expected.sort_unstable();
    let answer = desk.csv("withoutSchool?limit=1").await;
    let told = lines(&answer);
    assert_eq!(
        told[0],
        "indexNumber,given,family,dateOfBirth,dateOfBirthPrecision,gender,saidToHaveNone"
    );
    assert_eq!(told[1..], expected);
    let events = desk.index.events(&answer).await;
    let mut parts: Vec<_> =
        events.iter().map(|event| event["children"].as_array().unwrap().len()).collect();
    parts.sort_unstable();
    assert_eq!(parts, [5, 200]);
    assert!(events.iter().all(|event| event["outcome"] == json!("answered")));
}

#[actix_web::test]
async fn no_cell_of_a_report_is_taken_for_a_formula() {
    let desk = Desk::new().await;
    let child = desk.child().await;
    desk.index.involvement(&child, desk.scene.school, "school").await;
    let named = r#"update organisation set name = '=HYPERLINK("http://x", "A")' where organisation_id = $1"#;
    desk.arrange(named, desk.scene.school.id).await;
    desk.feed(desk.scene.school, "@SUM(A1)").await;
    let told = desk.csv("unconfirmedInvolvements").await;
    assert!(lines(&told)[1].contains(r#","'=HYPERLINK(""http://x"", ""A"")",school,"#), "{told:?}");
    let told = desk.csv("feedQuality").await;
    assert!(lines(&told)[1].contains(",'@SUM(A1),"), "{told:?}");
    let nobody = desk.csv("possibleDuplicates").await;
    assert_eq!(lines(&nobody).len(), 1, "the header alone");
}

#[actix_web::test]
async fn pairs_on_which_nobody_has_decided_are_told_with_what_a_shield_leaves_visible() {
    let desk = Desk::new().await;
    let index = &desk.index;
    let [open, decided, hidden] = [desk.child().await, desk.child().await, desk.child().await];
    let first = index.possible_duplicate(&open, desk.scene.authority).await;
    let done = index.possible_duplicate(&decided, desk.scene.authority).await;
    let path = format!("/v1/possible-duplicates/{done}/decision");
    let body = json!({ "decision": "different", "ground": "relatives" });
    index.put(&desk.steward, &path, 1, body).await.expect(200);
    let second = index.possible_duplicate(&hidden, desk.scene.authority).await;
    index.shield(&hidden).await;
    let theirs = index.child(desk.scene.other_authority).await;
    index.possible_duplicate(&theirs, desk.scene.other_authority).await;

    let report = desk.report("possibleDuplicates").await;
    let items = report.body["items"].as_array().unwrap();
    let mut ids: Vec<_> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let mut expected = [first, second].map(|id| id.to_string());
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_eq!(index.event(&report).await["children"].as_array().unwrap().len(), 4);
    let told = desk.csv("possibleDuplicates").await;
    assert_eq!(lines(&told).len(), 3);
    assert!(lines(&told)[0].starts_with("id,foundAt,indexNumber,given,family,"));
    assert!(lines(&told)[1..].iter().any(|line| line.contains(&hidden.number)));
}

#[actix_web::test]
async fn every_feed_of_the_area_is_told_with_its_latest_batch_that_is_done() {
    let desk = Desk::new().await;
    let feed = desk.feed(desk.scene.school, "Pupils").await;
    desk.feed(desk.scene.other_school, "Pupils").await;
    for (day, status, rows) in [("10", "done", 3), ("14", "done", 200), ("15", "processing", 9)] {
        let batch = format!(
            "insert into feed_batch (batch_id, feed_id, format, complete, trial, status, as_at, rows, linked, created, unchanged,
                 review, rejected, unconfirmed, sent_by, received_at, heard_at)
             values (gen_random_uuid(), $1, 'csv', true, true, '{status}', '2026-11-{day}', {rows}, 150, 9, 30, 7, 4, 2, $1,
                 '2026-11-{day}T02:00:00Z', '2026-11-{day}T02:00:00Z')"
        );
        desk.arrange(&batch, feed).await;
    }
    desk.arrange(
        "insert into review_task (review_task_id, feed_id, batch_id, line, reference, hash, sent, authority_id, candidates,
             reasons, model_version, raised_at)
         select gen_random_uuid(), $1, b.batch_id, 1, b.rows::text, '', '', o.authority_id, '{}', '{}', 'cold', b.received_at
         from feed_batch b join feed f on f.feed_id = b.feed_id join organisation o on o.organisation_id = f.organisation_id
         where b.status = 'done' and b.feed_id = $1",
        feed,
    )
    .await;
    let report = desk.report("feedQuality").await;
    let mut items = report.body["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 1, "{items:#?}");
    assert!(items[0].as_object_mut().unwrap().remove("organisation").is_some());
    assert_eq!(
        items[0],
        json!({ "feedId": feed, "name": "Pupils", "organisationId": desk.scene.school.id, "serviceType": "school",
                "stage": "trial", "receivedAt": "2026-11-14T02:00:00Z", "rows": 200, "linked": 150, "created": 9,
                "unchanged": 30, "review": 7, "rejected": 4, "unconfirmed": 2, "takenPercent": 94, "openReviews": 2 })
    );
}

#[actix_web::test]
async fn a_report_for_a_steward_of_another_authority_tells_of_nobody() {
    let desk = Desk::new().await;
    let child = desk.child().await;
    desk.index.involvement(&child, desk.scene.school, "healthVisiting").await;
    desk.feed(desk.scene.school, "Pupils").await;
    let colleague = desk.index.account(Role::Steward, desk.scene.authority).await;
    let stranger = desk.index.account(Role::Steward, desk.scene.other_authority).await;
    for report in ["withoutSchool", "unconfirmedInvolvements", "feedQuality"] {
        let path = format!("/v1/reports/{report}");
        for (account, told) in [(&colleague, 1), (&stranger, 0)] {
            let account = account.id.to_string();
            let headers = [("On-Behalf-Of", account.as_str())];
            let answer = desk.index.request(&desk.steward, "GET", &path, (), &headers).await;
            let items = answer.expect(200).body["items"].as_array().unwrap().len();
            assert_eq!(items, told, "{report}");
        }
    }
}
