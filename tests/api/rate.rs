//! A system calls as often as it is registered for, and nobody waits behind more than the service can work on.

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::{
    client::Office,
    parts::{Place, amy},
    token::look,
};

/// As many requests as are worked on at a time: two for each of the eight connections of the one worker.
const PLACES: usize = 16;

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

#[actix_web::test]
async fn of_more_than_can_be_worked_on_the_rest_are_refused_at_once_and_the_service_stays_ready() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let child = place.child_id(&path).await;
    let mut held = place.index.db.begin().await.unwrap();
    sqlx::query("select from child where child_id = $1 for update")
        .bind(child)
        .execute(&mut *held)
        .await
        .unwrap();
    let corrections =
        join_all((0..PLACES + 12).map(|_| place.correct(&path, 1, json!({ "gender": "male" }))));
    let health = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let health = place.index.request(None, "GET", "/health/ready", (), &[]).await;
        let nobody = place.index.request(None, "GET", &path, (), &[]).await;
        held.rollback().await.unwrap();
        (health, nobody)
    };
    let (answers, (health, nobody)) = join(corrections, health).await;
    health.expect(200);
    let unread = nobody.refused(503, "unavailable");
    assert!(!unread.header("X-Request-Id").is_empty(), "before it was asked who calls");
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!(count(200), 1, "{statuses:?}");
    assert!((12..=PLACES + 8).contains(&count(503)), "{statuses:?}");
    assert_eq!(count(200) + count(412) + count(503), answers.len(), "{statuses:?}");
    for refused in answers.iter().filter(|answer| answer.status == 503) {
        let seconds: u32 = refused.header("Retry-After").parse().unwrap();
        assert!((1..=3).contains(&seconds), "{seconds}");
    }
    place.index.get(&place.steward, &path).await.expect(200);
}
