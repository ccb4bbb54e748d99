//! A source asks whether the index says what it holds, and learns of nothing else.

use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller},
    parts::{Place, address, amy, bob, with},
    raw,
};

/// A school whose system asks.
struct Desk {
    place: Place,
    feed: Uuid,
    sender: Caller,
}

/// What the school holds of Amy.
fn row(reference: &str) -> Value {
    json!({
        "reference": reference,
        "names": [
            { "kind": "current", "given": ["Amy", "Rose"], "family": "Testley" },
            { "kind": "former", "given": ["Amy"], "family": "Trial" },
        ],
        "dateOfBirth": "2015-03-14",
        "gender": "female",
        "whereabouts": { "kind": "current", "address": address("PO1 3AX") },
        "identifiers": [
            { "kind": "upn", "value": "B801200005001" },
            { "kind": "nhsNumber", "value": "9990011117" },
        ],
        "carers": [{
            "name": { "given": ["Ann"], "family": "Testley" },
            "relationship": "mother",
            "parentalResponsibility": true,
            "phones": ["01632 960001"],
        }],
        "involvement": {
            "contact": { "team": "Pastoral Team", "officeHours": "01632 960003" },
            "startedOn": "2025-09-01",
        },
    })
}

impl Desk {
    async fn new() -> Self {
        let place = Place::new().await;
        let feed = place.index.feed(place.school).await;
        let sender = place.index.caller(Role::Feed, place.school).await;
        Self { place, feed, sender }
    }

    /// The record of the child of whom the school holds this, with its work.
    async fn record(&self, row: &Value) -> String {
        let mut child = row.clone();
        let members = child.as_object_mut().unwrap();
        members.remove("reference");
        members.remove("involvement");
        let path = self.place.add(child).await;
        let work = with(row["involvement"].clone(), "serviceType", json!("school"));
        let at = format!("{path}/involvements");
        self.place.index.post(&self.place.teacher, &at, work).await.expect(201);
        path
    }

    /// The same, linked.
    async fn linked(&self, row: &Value) -> String {
        let path = self.record(row).await;
        self.place.index.link_record(self.feed, row, self.place.child_id(&path).await).await;
        path
    }

    async fn send(&self, caller: &Caller, body: impl Into<Vec<u8>>) -> Answer {
        let path = format!("/v1/feeds/{}/reconciliations", self.feed);
        let typed = [("Content-Type", "application/x-ndjson")];
        self.place.index.request(caller, "POST", &path, body.into(), &typed).await
    }

    async fn ask(&self, rows: &[Value]) -> Vec<Value> {
        let body: String = rows.iter().map(|row| row.to_string() + "\n").collect();
        let answer = self.send(&self.sender, body).await.expect(200);
        answer.body["items"].as_array().unwrap().clone()
    }

    /// What is told of one row: the outcome, and what differs.
    async fn told(&self, row: Value) -> (String, Vec<String>) {
        let item = self.ask(&[row]).await.remove(0);
        let differs = item["differs"].as_array().cloned().unwrap_or_default();
        let differs = differs.iter().map(|pointer| pointer.as_str().unwrap().to_owned()).collect();
        (item["outcome"].as_str().unwrap().to_owned(), differs)
    }
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut row = row("PUPIL-1");
    *row.pointer_mut(pointer).unwrap() = value;
    row
}

fn without(member: &str) -> Value {
    let mut row = row("PUPIL-1");
    row.as_object_mut().unwrap().remove(member);
    row
}

/// Rows that say otherwise than [`row`], and where.
fn otherwise() -> Vec<(Value, &'static str)> {
    vec![
        (changed("/names/0/given", json!(["Amy"])), "/names/0"),
        (changed("/names/1/family", json!("Tryal")), "/names/1"),
        (changed("/dateOfBirth", json!("2015-03-15")), "/dateOfBirth"),
        (changed("/gender", json!("male")), "/gender"),
        (changed("/whereabouts/address/postcode", json!("PO1 3AY")), "/whereabouts"),
        (changed("/whereabouts", json!({ "kind": "noneKnown" })), "/whereabouts"),
        (changed("/identifiers/0/value", json!("F380209314001")), "/identifiers/0"),
        (changed("/carers/0/name/family", json!("Other")), "/carers/0"),
        (changed("/carers/0/relationship", json!("guardian")), "/carers/0"),
        (changed("/carers/0/phones", json!(["01632 960009"])), "/carers/0"),
        (changed("/involvement/contact/officeHours", json!("01632 960009")), "/involvement"),
        (changed("/involvement/startedOn", json!("2025-09-02")), "/involvement"),
    ]
}

#[actix_web::test]
async fn a_row_says_the_same_as_the_record_or_is_told_where_not() {
    let desk = Desk::new().await;
    desk.linked(&row("PUPIL-1")).await;
    assert_eq!(desk.told(row("PUPIL-1")).await, ("same".to_owned(), vec![]));
    for member in ["whereabouts", "identifiers", "carers", "involvement"] {
        assert_eq!(desk.told(without(member)).await, ("same".to_owned(), vec![]), "{member}");
    }
    let unspecified = changed("/gender", json!("notSpecified"));
    assert_eq!(desk.told(unspecified).await.0, "same");
    for (row, pointer) in otherwise() {
        assert_eq!(desk.told(row).await, ("differs".to_owned(), vec![pointer.to_owned()]));
    }
    let two = with(changed("/gender", json!("male")), "dateOfBirth", json!("2015-03-15"));
    assert_eq!(desk.told(two).await.1, ["/dateOfBirth", "/gender"]);
}

#[actix_web::test]
async fn numbers_of_another_kind_of_body_are_not_compared() {
    let desk = Desk::new().await;
    desk.linked(&row("PUPIL-1")).await;
    let guess = changed("/identifiers/1/value", json!("9434765870"));
    assert_eq!(desk.told(guess).await, ("same".to_owned(), vec![]), "a school guesses NHS numbers");
}

#[actix_web::test]
async fn without_a_link_the_one_confident_match_is_meant_and_otherwise_nobody() {
    let desk = Desk::new().await;
    desk.record(&row("x")).await;
    let stranger = with(bob("Nobody"), "reference", json!("PUPIL-2"));
    let misread = with(row("PUPIL-3"), "gender", json!("F"));
    let moved = changed("/whereabouts/address/postcode", json!("PO1 3AY"));
    let items = desk
        .ask(&[row("PUPIL-1"), stranger, misread, with(moved, "reference", json!("P-4"))])
        .await;
    let expected = json!([
        { "line": 1, "reference": "PUPIL-1", "outcome": "same" },
        { "line": 2, "reference": "PUPIL-2", "outcome": "notKnown" },
        { "line": 3, "outcome": "rejected", "errors": items[2]["errors"] },
        { "line": 4, "reference": "P-4", "outcome": "differs", "differs": ["/whereabouts"] },
    ]);
    assert_eq!(json!(items), expected);
    assert_eq!(items[2]["errors"][0]["pointer"], "/gender");

    desk.place.add(amy("Testley")).await;
    let less = json!({ "reference": "P-5", "names": [row("x")["names"][0]], "dateOfBirth": "2015-03-14", "gender": "female" });
    assert_eq!(desk.told(less).await.0, "notKnown", "two children are equally near");
}

#[actix_web::test]
async fn a_record_that_is_no_longer_in_use_is_superseded_and_tells_nothing_else() {
    let desk = Desk::new().await;
    let path = desk.linked(&row("PUPIL-1")).await;
    let id = desk.place.child_id(&path).await;
    let archive =
        "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1";
    desk.place.arrange(archive, id).await;
    for row in [row("PUPIL-1"), changed("/gender", json!("male"))] {
        assert_eq!(desk.told(row).await, ("superseded".to_owned(), vec![]));
    }
    assert_eq!(desk.told(row("PUPIL-2")).await.0, "notKnown", "nobody is found who is archived");
}

#[actix_web::test]
async fn nothing_tells_whether_a_child_is_shielded() {
    let (open, hidden) = (Desk::new().await, Desk::new().await);
    open.linked(&row("PUPIL-1")).await;
    let path = hidden.linked(&row("PUPIL-1")).await;
    let ask = json!({ "ground": "threatToLife", "emergency": true });
    let at = format!("{path}/shield-requests");
    hidden.place.index.post(&hidden.place.teacher, &at, ask).await.expect(201);
    let mut rows: Vec<_> = otherwise().into_iter().map(|(row, _)| row).collect();
    rows.push(row("PUPIL-1"));
    for row in rows {
        assert_eq!(
            open.ask(std::slice::from_ref(&row)).await,
            hidden.ask(std::slice::from_ref(&row)).await,
            "{row}"
        );
    }
}

#[actix_web::test]
async fn what_another_has_said_behind_a_shield_is_not_compared() {
    let desk = Desk::new().await;
    let path = desk.linked(&row("PUPIL-1")).await;
    let ask = json!({ "ground": "threatToLife", "emergency": true });
    let at = format!("{path}/shield-requests");
    desk.place.index.post(&desk.place.teacher, &at, ask).await.expect(201);
    let approver = desk.place.index.caller(Role::ShieldApprover, desk.place.council).await;
    let version = desk.place.index.get(&approver, &path).await.expect(200).version();
    let refuge = json!({ "whereabouts": { "kind": "current", "address": address("PO9 1AA") } });
    let moved = desk.place.correct(&path, version, refuge.clone()).await;
    let moved = if moved.status == 200 {
        moved
    } else {
        let told = desk.place.index.get(&desk.place.steward, &path).await.expect(200).version();
        desk.place.correct(&path, told, refuge).await
    };
    moved.expect(200);
    assert_eq!(desk.told(row("PUPIL-1")).await, ("same".to_owned(), vec![]));
    let found = changed("/whereabouts/address/postcode", json!("PO9 1AA"));
    assert_eq!(desk.told(found).await.1, ["/whereabouts"], "the refuge is not confirmed");
}

#[actix_web::test]
async fn it_changes_nothing_and_is_written_down_where_auditors_alone_read_it() {
    let desk = Desk::new().await;
    let path = desk.linked(&row("PUPIL-1")).await;
    let before = desk.place.index.rows().await;
    let answer = desk.send(&desk.sender, row("PUPIL-1").to_string()).await.expect(200);
    let event = desk.place.index.event(&answer).await;
    assert_eq!(event["children"], json!([desk.place.child_id(&path).await]));
    assert_eq!(event["details"]["counts"]["same"], 1);
    let kept = json!(desk.place.index.kept("reconcile").await).to_string();
    assert!(!kept.contains("PUPIL-1") && !kept.contains("counts"), "{kept}");
    assert_eq!(desk.place.index.rows().await, before);
}

#[actix_web::test]
async fn only_the_organisations_own_systems_ask_and_within_bounds() {
    let desk = Desk::new().await;
    let stranger = desk.place.index.organisation("school", Some(desk.place.council)).await;
    let stranger = desk.place.index.caller(Role::Feed, stranger).await;
    let body = row("PUPIL-1").to_string();
    desk.send(&stranger, body.clone()).await.refused(404, "not-found");
    desk.send(&desk.place.steward, body.clone()).await.refused(403, "forbidden");
    let rows = |n: usize| format!("{}\n", row("P")).repeat(n);
    desk.send(&desk.sender, rows(1001)).await.refused(422, "invalid-value");
    assert_eq!(desk.ask(&[]).await, Vec::<Value>::new());
    let path = format!("/v1/feeds/{}/reconciliations", desk.feed);
    let csv = [("Content-Type", "text/csv")];
    let answer =
        desk.place.index.request(&desk.sender, "POST", &path, body.into_bytes(), &csv).await;
    answer.refused(415, "unsupported-media-type");
    let token = desk.place.index.token(&desk.sender);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Access-Reason: direct-service\r\nContent-Type: application/x-ndjson\r\nContent-Length: 8388609\r\n\r\n"
    );
    assert_eq!(raw::send(desk.place.index.address(), &head).status, 413);
}
