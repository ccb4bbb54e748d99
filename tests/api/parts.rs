//! What the tests of several rooms say, ask and look for.

use chrono::{DateTime, Utc};
use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Caller, Index, NOW, Organisation, TODAY};

/// An index with a council, a school in its area, a teacher of that and a steward of the council.
pub(crate) struct Place {
    pub(crate) index: Index,
    pub(crate) council: Organisation,
    pub(crate) school: Organisation,
    pub(crate) teacher: Caller,
    pub(crate) steward: Caller,
}

impl Place {
    /// Makes one.
    pub(crate) async fn new() -> Self {
        let index = Index::start().await;
        let council = index.authority().await;
        let school = index.organisation("school", Some(council)).await;
        let teacher = index.caller(Role::Practitioner, school).await;
        let steward = index.caller(Role::Steward, council).await;
        Self { index, council, school, teacher, steward }
    }

    /// A steward of another council.
    pub(crate) async fn stranger(&self) -> Caller {
        let council = self.index.authority().await;
        self.index.caller(Role::Steward, council).await
    }

    /// The teacher adds a child, who is none of those who are like, and tells its path.
    pub(crate) async fn add(&self, child: Value) -> String {
        let answer = self.index.post(&self.teacher, "/v1/children", child.clone()).await;
        if answer.status != 409 {
            return answer.expect(201).header("Location").to_owned();
        }
        let candidates = answer.refused(409, "possible-duplicate").body["candidates"].take();
        let others = candidates.as_array().unwrap().iter();
        let others: Vec<_> = others.map(|met| met["indexNumber"].clone()).collect();
        let child = with(child, "distinctFrom", json!(others));
        let added = self.index.post(&self.teacher, "/v1/children", child).await.expect(201);
        added.header("Location").to_owned()
    }

    /// The steward corrects what had this version.
    pub(crate) async fn correct(&self, path: &str, version: i64, change: Value) -> Answer {
        self.index.patch(&self.steward, path, version, change).await
    }

    /// The teacher searches.
    pub(crate) async fn search(&self, criteria: Value) -> Answer {
        self.index.post(&self.teacher, "/v1/children/search", criteria).await
    }

    /// The index numbers that the teacher finds.
    pub(crate) async fn found(&self, criteria: Value) -> Vec<String> {
        numbers(&self.search(criteria).await.expect(200))
    }

    /// What the record said before, as the steward reads it.
    pub(crate) async fn history(&self, path: &str) -> Vec<Value> {
        let history = self.index.get(&self.steward, &format!("{path}/history")).await.expect(200);
        history.body["items"].as_array().unwrap().clone()
    }

    /// The inner number of the child at a path.
    pub(crate) async fn child_id(&self, path: &str) -> Uuid {
        sqlx::query_scalar("select child_id from child where index_number = $1")
            .bind(number(path))
            .fetch_one(&self.index.db)
            .await
            .unwrap()
    }

    /// Does what only a task or another room does.
    pub(crate) async fn arrange(&self, statement: &'static str, child: Uuid) {
        let done = sqlx::query(statement).bind(child).execute(&self.index.db).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }

    /// Fails unless exactly this was written down of the request that had this answer.
    pub(crate) async fn recorded(
        &self,
        answer: &Answer,
        caller: &Caller,
        operation: &str,
        children: &[Uuid],
        details: Value,
    ) {
        let mut event = self.index.event(answer).await;
        let at: DateTime<Utc> = event["at"].as_str().unwrap().parse().unwrap();
        assert_eq!(at, self.index.now());
        for varying in ["event_id", "at", "token_id", "address", "user_agent", "instance"] {
            assert!(
                !event.as_object_mut().unwrap().remove(varying).unwrap().is_null()
                    || varying == "user_agent"
            );
        }
        let done = answer.status < 400;
        let expected = json!({
            "operation": operation,
            "outcome": if done { "answered" } else { "refused" },
            "status": answer.status,
            "problem": (!done).then(|| answer.problem()),
            "account_id": caller.id,
            "client_id": null,
            "on_behalf_of": null,
            "organisation_id": caller.organisation.id,
            "session_id": caller.session,
            "role": caller.role.as_str(),
            "reason": "direct-service",
            "reference": null,
            "children": children,
            "details": details,
            "request_id": answer.request_id,
        });
        assert_eq!(event, expected);
    }
}

/// Amy Rose, of this family name, born on Pi Day 2015.
pub(crate) fn amy(family: &str) -> Value {
    json!({
        "names": [{ "kind": "current", "given": ["Amy", "Rose"], "family": family }],
        "dateOfBirth": "2015-03-14",
        "gender": "female",
        "whereabouts": { "kind": "current", "address": address("PO1 3AX") },
    })
}

/// Bob, of this family name, in nothing like that Amy.
pub(crate) fn bob(family: &str) -> Value {
    json!({
        "names": [{ "kind": "current", "given": ["Bob"], "family": family }],
        "dateOfBirth": "2009-11-30",
        "gender": "male",
        "whereabouts": { "kind": "noneKnown" },
    })
}

/// An address of this postcode.
pub(crate) fn address(postcode: &str) -> Value {
    json!({ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": postcode })
}

/// The same body, with this member.
pub(crate) fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

/// What is asked to find that Amy.
pub(crate) fn by_name_and_birth(given: &str, family: &str, born: &str) -> Value {
    json!({ "name": { "given": [given], "family": family }, "dateOfBirth": born })
}

/// The index numbers of a search's results, in their order.
pub(crate) fn numbers(answer: &Answer) -> Vec<String> {
    let results = answer.body["results"].as_array().unwrap();
    results.iter().map(|found| found["indexNumber"].as_str().unwrap().to_owned()).collect()
}

/// The index number in the path of a child.
pub(crate) fn number(path: &str) -> &str {
    path.strip_prefix("/v1/children/").unwrap()
}

/// Where a fact comes from that this organisation said when the index began.
pub(crate) fn source(organisation: Organisation) -> Value {
    json!({ "organisationId": organisation.id, "receivedAt": NOW, "asAt": TODAY })
}
