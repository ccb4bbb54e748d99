//! A system calls as often as it is registered for.

use serde_json::json;

use crate::{client::Office, token::look};

#[actix_web::test]
async fn a_system_that_calls_too_often_waits_and_nobody_else_does() {
    let office = Office::new().await;
    let index = &office.index;
    let slow = office.client(json!({ "requestsPerSecond": 1 })).await.bearer(index).await;
    let other = office.client(json!({ "requestsPerSecond": 1000 })).await.bearer(index).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = look(index, &slow).await;
        if answer.status == 429 {
            assert_eq!(
                (answer.problem(), answer.header("Retry-After")),
                ("too-many-requests", "1")
            );
            let event = index.event(&answer).await;
            assert_eq!((&event["outcome"], &event["status"]), (&json!("refused"), &json!(429)));
            assert_ne!(event["client_id"], json!(null), "it is known who calls too often");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[0], 200);
    assert!(statuses.contains(&429), "{statuses:?}");
    for _ in 0..20 {
        look(index, &other).await.expect(200);
        index.get(&office.administrator, "/v1/organisations").await.expect(200);
    }
}
