//! Whoever guesses waits.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    harness::Index,
    session::{Person, after, outside, sign_in},
};

#[actix_web::test]
async fn after_ten_wrong_guesses_of_a_name_guesses_wait_whether_there_is_such_a_name_or_not() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let mut waits = Vec::new();
    for name in [person.user_name.as_str(), "nobody.at.all"] {
        let mut factors = person.factors(index.now());
        factors["userName"] = json!(name);
        factors["pin"] = json!("000000");
        for _ in 0..10 {
            sign_in(&index, factors.clone()).await.refused(401, "sign-in-failed");
        }
        factors["pin"] = json!(person.pin);
        let wait = sign_in(&index, factors).await.refused(429, "too-many-requests");
        assert_eq!(wait.header("Retry-After"), "300");
        waits.push(outside(&wait));
    }
    assert_eq!(waits[0], waits[1]);
    index.clock.set(after(300));
    person.sign_in(&index).await.expect(200);
}

#[actix_web::test]
async fn of_many_guesses_sent_at_once_ten_are_judged() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let mut factors = person.factors(index.now());
    factors["pin"] = json!("000000");
    let answers = join_all((0..24).map(|_| sign_in(&index, factors.clone()))).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(401), of(429)), (10, 14));
}

#[actix_web::test]
async fn a_sign_in_that_succeeds_leaves_nothing_that_counts() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    for n in 0..12 {
        index.clock.set(after(30 * n));
        person.sign_in(&index).await.expect(200);
    }
}

#[actix_web::test]
async fn after_sixty_wrong_guesses_from_a_network_guesses_wait() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let guesses = "insert into sign_in_failure (user_name_hash, network, at)
                   select sha256(n::text::bytea), '127.0.0.0/24', $1 from generate_series(1, 60) n";
    sqlx::query(guesses).bind(index.now()).execute(&index.db).await.unwrap();
    let wait = person.sign_in(&index).await.refused(429, "too-many-requests");
    assert_eq!(wait.header("Retry-After"), "60");
    index.clock.set(after(60));
    person.sign_in(&index).await.expect(200);
}
