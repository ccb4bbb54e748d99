//! Everything stopped at once, and what remains.

use contactpoint::access::Role;

use crate::harness::{Index, Operation};

/// What is answered while everything is stopped.
const REMAINS: [&str; 6] = [
    "list_organisations",
    "open_organisation",
    "suspend_organisation",
    "read_stop",
    "stop_everything",
    "lift_stop",
];

#[actix_web::test]
async fn while_everything_is_stopped_only_organisations_are_told() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let target = index.own(&scene).await;
    let operator = scene.caller(Role::Operator);
    let stopped = index.request(operator, "PUT", "/v1/stop", (), &[]).await.expect(200);
    assert_eq!(stopped.body["stopped"], true);
    let before = index.rows().await;
    for operation in Operation::all().filter(|operation| operation.policy().is_some()) {
        if REMAINS.contains(&operation.id) {
            continue;
        }
        let caller = scene.caller(operation.asked_by().unwrap());
        let answer = index.ask(operation, caller, &target, operation.example(), &[]).await;
        let answer = answer.refused(503, "stopped");
        assert_eq!(answer.header("Retry-After"), "60", "{}", operation.id);
        let event = index.event(&answer).await;
        assert_eq!((&event["problem"], &event["status"]), (&"stopped".into(), &503.into()));
    }
    let asks = Operation::all().find(|operation| operation.id == "ask_for_access").unwrap();
    index.ask(asks, None, &target, asks.example(), &[]).await.refused(503, "stopped");
    assert_eq!(index.rows().await, before, "nothing was stored");
    let practitioner = scene.caller(Role::Practitioner);
    index.get(practitioner, "/v1/organisations").await.expect(200);
    index
        .request(None, "POST", "/v1/sessions", index.secrets(practitioner).await, &[])
        .await
        .expect(200);

    let again = index.request(operator, "PUT", "/v1/stop", (), &[]).await.expect(200);
    assert_eq!(again.body, stopped.body, "a stop that is there stays as it is");
    index.request(operator, "DELETE", "/v1/stop", (), &[]).await.expect(200);
    index.get(practitioner, &target.child.path("")).await.expect(200);
}
