//! What the audit says of a request, to the last column.

use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Child, Index};

/// Fails unless exactly one event says that this was done, and no more than that.
pub(crate) async fn done(
    index: &Index,
    answer: &Answer,
    caller: &Caller,
    operation: &str,
    children: &[&Child],
    details: Value,
) {
    let children: Vec<_> = children.iter().map(|child| child.id).collect();
    let rest = json!({
        "operation": operation, "outcome": "answered", "problem": null, "children": children, "details": details,
    });
    exact(index, answer, Some(caller), rest).await;
}

/// Fails unless exactly one event says that this was refused, with the values at fault pointed to and not told.
pub(crate) async fn refused(
    index: &Index,
    answer: &Answer,
    caller: Option<&Caller>,
    operation: &str,
    path: Value,
) {
    let pointers = answer.pointers();
    let none = pointers.is_empty() && path == json!({});
    let details = if none { Value::Null } else { json!({ "path": path, "errors": pointers }) };
    let outcome = if answer.status < 500 { "refused" } else { "failed" };
    let rest = json!({
        "operation": operation, "outcome": outcome, "problem": answer.problem(), "children": [], "details": details,
    });
    exact(index, answer, caller, rest).await;
}

async fn exact(index: &Index, answer: &Answer, caller: Option<&Caller>, rest: Value) {
    let mut event = index.event(answer).await;
    let mut expected = json!({
        "status": answer.status, "account_id": null, "client_id": null, "on_behalf_of": null, "organisation_id": null, "session_id": null,
        "role": null, "reason": caller.map(|_| "direct-service"), "reference": null, "request_id": answer.request_id,
        "address": "127.0.0.1", "user_agent": null,
    });
    if let Some(caller) = caller {
        let column = if caller.role.is_system() { "client_id" } else { "account_id" };
        expected[column] = json!(caller.id);
        expected["organisation_id"] = json!(caller.organisation.id);
        expected["session_id"] = json!(caller.session);
        expected["role"] = json!(caller.role);
    }
    expected.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    let columns = event.as_object_mut().unwrap();
    let at = columns.remove("at").unwrap();
    let token = columns.remove("token_id").unwrap();
    columns.retain(|column, _| !["event_id", "instance", "tx"].contains(&column.as_str()));
    assert_eq!(token.is_string(), caller.is_some());
    let at: chrono::DateTime<chrono::Utc> = at.as_str().unwrap().parse().unwrap();
    assert_eq!(at, index.now());
    assert_eq!(event, expected);
}
