//! The audit is read by auditors, whole and in order, and reading it is written down too.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller, Index},
    written,
};

const EVENTS: &str = "/v1/audit/events";
const SEARCH: &str = "/v1/audit/events/search";
const OWN: &str = "/v1/audit/own-events";

async fn page(index: &Index, auditor: &Caller, query: &str) -> Answer {
    index.get(auditor, &format!("{EVENTS}?{query}")).await.expect(200)
}

/// All events that a query finds, over pages of `limit`.
async fn all(index: &Index, auditor: &Caller, query: &str, limit: u8) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), String::new());
    loop {
        let page = page(index, auditor, &format!("{query}&limit={limit}{after}")).await;
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= usize::from(limit));
        events.extend(items.iter().cloned());
        let Some(next) = page.body["next"].as_str() else { return events };
        after = format!("&after={next}");
    }
}

#[actix_web::test]
async fn an_auditor_reads_the_events_of_the_own_organisation_and_a_national_one_all() {
    let index = Index::start().await;
    let (here, there) = (index.authority().await, index.authority().await);
    let national = index.organisation("nationalPartner", None).await;
    let child = index.child(here).await;
    for organisation in [here, there] {
        let by = index.caller(Role::Practitioner, organisation).await;
        index.get(&by, &child.path("")).await.expect(200);
        index.get(&by, EVENTS).await.refused(403, "forbidden");
    }
    index.request(None, "GET", EVENTS, (), &[]).await.refused(401, "unauthenticated");

    let own = index.caller(Role::Auditor, here).await;
    let events = page(&index, &own, "").await;
    let items = events.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|event| event["organisationId"] == json!(here.id)), "{items:#?}");
    let look = items.iter().find(|event| event["operation"] == "open_child").unwrap();
    assert_eq!(look["children"], json!([child.number]));
    assert_eq!((&look["reason"], &look["status"]), (&json!("direct-service"), &json!(200)));
    let asked = json!({ "asked": {} });
    written::done(&index, &events, &own, "list_audit_events", &[], asked).await;

    let over_all = index.caller(Role::Auditor, national).await;
    let items = page(&index, &over_all, "").await.body["items"].as_array().unwrap().clone();
    let organisations: HashSet<_> =
        items.iter().map(|event| event["organisationId"].to_string()).collect();
    let seen: HashSet<_> =
        [json!(here.id), json!(there.id), Value::Null].map(|id| id.to_string()).into();
    assert_eq!(organisations, seen);
    assert_eq!(
        items.len(),
        6,
        "four of callers, one of nobody, and the reading of the other auditor"
    );
}

#[actix_web::test]
async fn reading_the_audit_is_written_down_before_it_is_answered() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let auditor = index.caller(Role::Auditor, authority).await;
    let first = page(&index, &auditor, "").await;
    assert_eq!(first.body["items"], json!([]));
    let second = page(&index, &auditor, "").await;
    assert_eq!(second.body["items"][0]["operation"], "list_audit_events");
    assert_eq!(second.body["items"][0]["requestId"], json!(first.request_id));
}

#[actix_web::test]
async fn every_page_goes_on_where_the_one_before_ended_even_within_one_moment() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let by = index.caller(Role::Practitioner, authority).await;
    let mut asked = HashSet::new();
    for moment in ["2026-11-16T09:30:00Z", "2026-11-16T09:30:00.250Z", "2026-11-16T09:31:00Z"] {
        index.clock.set(moment.parse().unwrap());
        for _ in 0..15 {
            let answer = index.get(&by, "/v1/organisations").await;
            asked.insert(answer.expect(200).request_id.to_string());
        }
    }
    let auditor = index.caller(Role::Auditor, authority).await;
    for (limit, query) in
        [(1, ""), (7, ""), (45, ""), (100, ""), (4, "operation=list_organisations")]
    {
        let query = format!("account={}&{query}", by.id);
        let events = all(&index, &auditor, query.trim_end_matches('&'), limit).await;
        let seen: HashSet<_> =
            events.iter().map(|event| event["requestId"].as_str().unwrap().to_owned()).collect();
        assert_eq!((events.len(), &seen), (45, &asked), "in pages of {limit}");
        let at = events.iter().map(|event| event["at"].as_str().unwrap().parse().unwrap());
        let at: Vec<DateTime<Utc>> = at.collect();
        assert!(at.is_sorted_by(|a, b| a >= b), "the latest first");
    }
}

#[actix_web::test]
async fn events_are_found_by_account_operation_and_time() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let child = index.child(authority).await;
    let auditor = index.caller(Role::Auditor, authority).await;
    let [one, other] = [
        index.caller(Role::Practitioner, authority).await,
        index.caller(Role::Steward, authority).await,
    ];
    for by in [&one, &other] {
        index.get(by, &child.path("")).await.expect(200);
        index.clock.set("2026-11-16T10:00:00Z".parse().unwrap());
        index.get(by, &child.path("/flags")).await.expect(200);
    }
    let count = async |query: String| all(&index, &auditor, &query, 100).await.len();
    assert_eq!(count(format!("account={}", one.id)).await, 2);
    assert_eq!(count(format!("account={}&operation=open_child", one.id)).await, 1);
    assert_eq!(count("operation=list_flags".to_owned()).await, 2);
    assert_eq!(count(format!("account={}&since=2026-11-16T09:30:01Z", one.id)).await, 1);
    assert_eq!(count(format!("account={}&since=2026-11-16T10:00:00Z", other.id)).await, 2);
    for wrong in
        ["limit=0", "limit=101", "after=x", "account=1", "since=yesterday", "operation=", "child=1"]
    {
        let answer = index.get(&auditor, &format!("{EVENTS}?{wrong}")).await;
        answer.refused(400, "invalid-query");
    }
}

#[actix_web::test]
async fn events_are_searched_by_child_account_outcome_and_time_and_what_was_asked_is_kept_sealed() {
    let index = Index::start().await;
    let (here, there) = (index.authority().await, index.authority().await);
    let [child, other] = [index.child(here).await, index.child(here).await];
    let auditor = index.caller(Role::Auditor, here).await;
    let by = index.caller(Role::Practitioner, here).await;
    let stranger = index.caller(Role::Practitioner, there).await;
    for one in [&child, &other] {
        index.get(&by, &one.path("")).await.expect(200);
        index.get(&stranger, &one.path("")).await.expect(200);
    }
    index.get(&by, "/v1/children/48271930566").await.refused(404, "not-found");
    index.clock.set("2026-11-16T10:00:00Z".parse().unwrap());
    index.get(&by, &child.path("/flags")).await.expect(200);
    let found = async |body: Value| {
        let answer = index.post(&auditor, SEARCH, body).await.expect(200);
        answer.body["items"].as_array().unwrap().len()
    };
    let number = &child.number;
    for (body, count) in [
        (json!({ "indexNumber": number }), 2),
        (json!({ "indexNumber": number, "operation": "open_child" }), 1),
        (json!({ "indexNumber": number, "until": "2026-11-16T10:00:00Z" }), 1),
        (json!({ "indexNumber": number, "since": "2026-11-16T10:00:00Z" }), 1),
        (json!({ "account": by.id, "outcome": "refused" }), 1),
        (json!({ "account": by.id, "outcome": "answered" }), 3),
        (json!({ "account": stranger.id }), 0),
        (json!({ "indexNumber": "48271930566" }), 0),
    ] {
        assert_eq!(found(body.clone()).await, count, "{body}");
    }
    let asked = index.post(&auditor, SEARCH, json!({ "indexNumber": number })).await.expect(200);
    let details = json!({ "asked": { "indexNumber": number } });
    written::done(&index, &asked, &auditor, "search_audit_events", &[], details).await;
    let kept: String =
        sqlx::query_scalar("select to_jsonb(e)::text from audit_event e where request_id = $1")
            .bind(asked.request_id)
            .fetch_one(&index.db)
            .await
            .unwrap();
    assert!(!kept.contains(number.as_str()), "only auditors read what auditors ask");
    let wrong = json!({ "after": "x" });
    let refused = index.post(&auditor, SEARCH, wrong).await.refused(422, "invalid-value");
    assert_eq!(refused.pointers(), ["/after"]);
    let query = format!("{EVENTS}?outcome=refused&until=2026-11-16T09:30:01Z");
    let refused = index.get(&auditor, &query).await.expect(200);
    assert_eq!(refused.body["items"][0]["status"], 404);
    index.post(&by, SEARCH, json!({})).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn all_that_is_found_is_told_as_lines_each_part_written_down_before_it_leaves() {
    let index = Index::start().await;
    let here = index.authority().await;
    let auditor = index.caller(Role::Auditor, here).await;
    let by = index.caller(Role::Practitioner, here).await;
    for _ in 0..205 {
        index.get(&by, "/v1/organisations").await.expect(200);
    }
    let body = json!({ "account": by.id });
    let lines = [("Accept", "application/x-ndjson")];
    let all = index.request(&auditor, "POST", SEARCH, body, &lines).await.expect(200);
    let told: Vec<Value> = all
        .bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let requests: HashSet<_> = told.iter().map(|event| event["requestId"].to_string()).collect();
    assert_eq!((told.len(), requests.len()), (205, 205));
    assert_eq!(index.events(&all).await.len(), 2, "two parts");
}

#[actix_web::test]
async fn everybody_reads_the_own_use_and_never_that_of_others() {
    let index = Index::start().await;
    let here = index.authority().await;
    let child = index.child(here).await;
    let [by, colleague] = [
        index.caller(Role::Practitioner, here).await,
        index.caller(Role::Practitioner, here).await,
    ];
    for one in [&by, &colleague] {
        index.get(one, &child.path("")).await.expect(200);
    }
    // A later event: of one moment they stand in no order.
    index.clock.set(crate::session::after(1));
    let own = index.get(&by, OWN).await.expect(200);
    let items = own.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(
        (&items[0]["operation"], &items[0]["reason"], &items[0]["children"]),
        (&json!("open_child"), &json!("direct-service"), &json!(1))
    );
    written::done(&index, &own, &by, "list_own_events", &[], Value::Null).await;
    index.clock.set(crate::session::after(2));
    let first = index.get(&by, &format!("{OWN}?limit=1")).await.expect(200);
    let next = first.body["next"].as_str().unwrap();
    let second = index.get(&by, &format!("{OWN}?limit=1&after={next}")).await.expect(200);
    assert_eq!(second.body["items"][0]["operation"], "open_child");
    let none = index.get(&by, &format!("{OWN}?until=2026-11-16T09:30:00Z")).await.expect(200);
    assert_eq!(none.body["items"], json!([]));
    let system = index.client(Role::Feed, here).await;
    index.get(&system, OWN).await.refused(403, "forbidden");
}
