//! Whoever guesses waits, and nobody else.

use std::{sync::Arc, task::Poll, time::Duration};

use actix_web::web::Data;
use contactpoint::{
    access::Role,
    database,
    session::{Door, secret::Unhashed},
};
use futures_util::{
    FutureExt, StreamExt,
    future::{LocalBoxFuture, join, join_all},
    poll,
    stream::FuturesUnordered,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    harness::{Answer, Index},
    session::{Person, after, outside, sign_in},
};

/// Somebody with an account, and a server that believes whom a proxy speaks for.
async fn place() -> (Index, Index, Person) {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let behind = index.beside(&["127.0.0.1"]).await;
    (index, behind, person)
}

/// Everything right but the PIN.
fn wrong(index: &Index, person: &Person) -> Value {
    let mut factors = person.factors(index.now());
    factors["pin"] = json!("000000");
    factors
}

async fn from(index: &Index, address: &str, factors: Value) -> Answer {
    let headers = [("X-Forwarded-For", address)];
    index.request(None, "POST", "/v1/sessions", factors, &headers).await
}

/// Notes tries of a name in vain, `seconds` after the beginning, each from a network of its own.
async fn tried(index: &Index, name: &str, times: i32, seconds: i64) {
    let tries = "insert into sign_in_failure (user_name_hash, network, address, at)
        select sha256($1::bytea), network(set_masklen(a, 24)), a, $3
        from generate_series(1, $2) n, lateral (select '10.0.0.9'::inet + n * 256 as a) address";
    let tries = sqlx::query(tries).bind(name.as_bytes()).bind(times).bind(after(seconds));
    tries.execute(&index.db).await.unwrap();
}

#[actix_web::test]
async fn each_wrong_guess_of_a_name_makes_the_next_wait_longer_whether_there_is_such_a_name_or_not()
{
    let (index, _, person) = place().await;
    let mut told = Vec::new();
    for (name, begin) in [(person.user_name.as_str(), 0), ("nobody.at.all", 600)] {
        let mut second = begin;
        let mut waits = Vec::new();
        for pause in [1, 3, 5, 10, 10, 10, 10, 10, 10] {
            index.clock.set(after(second));
            let mut factors = wrong(&index, &person);
            factors["userName"] = json!(name);
            let refused = sign_in(&index, factors).await.refused(401, "sign-in-failed");
            waits.push(outside(&refused));
            let mut factors = person.factors(index.now());
            factors["userName"] = json!(name);
            let wait = sign_in(&index, factors).await.refused(429, "too-many-requests");
            assert_eq!(wait.header("Retry-After"), pause.to_string());
            waits.push(outside(&wait));
            second += pause;
        }
        index.clock.set(after(second));
        let mut factors = wrong(&index, &person);
        factors["userName"] = json!(name);
        sign_in(&index, factors.clone()).await.refused(401, "sign-in-failed");
        let tenth = sign_in(&index, factors).await.refused(429, "too-many-requests");
        assert_eq!(tenth.header("Retry-After"), "231", "until the first is five minutes old");
        waits.push(outside(&tenth));
        told.push(waits);
        index.clock.set(after(begin + 300));
        let answer = person.sign_in(&index).await;
        assert_eq!(answer.status, 200, "{name}: {:#}", answer.body);
    }
    assert_eq!(told[0], told[1]);
}

#[actix_web::test]
async fn of_many_guesses_sent_at_once_one_is_judged() {
    let (index, _, person) = place().await;
    let factors = wrong(&index, &person);
    let answers = join_all((0..12).map(|_| sign_in(&index, factors.clone()))).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(401), of(429)), (1, 11));
}

#[actix_web::test]
async fn a_name_is_guessed_from_each_network_by_itself() {
    let (_index, behind, person) = place().await;
    for (one, same, other) in [
        ("192.0.2.7", "192.0.2.200", "192.0.3.7"),
        ("2001:db8:1:200::1", "2001:db8:1:2ff:a::1", "2001:db8:1:300::1"),
    ] {
        let factors = wrong(&behind, &person);
        from(&behind, one, factors.clone()).await.refused(401, "sign-in-failed");
        from(&behind, same, factors.clone()).await.refused(429, "too-many-requests");
        from(&behind, other, factors).await.refused(401, "sign-in-failed");
    }
    from(&behind, "198.51.100.1", person.factors(behind.now())).await.expect(200);
}

#[actix_web::test]
async fn a_sign_in_that_succeeds_leaves_nothing_that_counts() {
    let (index, _, person) = place().await;
    for n in 0..12 {
        index.clock.set(after(30 * n));
        person.sign_in(&index).await.expect(200);
    }
    let left = sqlx::query_scalar("select count(*) from sign_in_failure");
    let left: i64 = left.fetch_one(&index.db).await.unwrap();
    let known = sqlx::query_scalar("select count(*) from known_network");
    let known: i64 = known.fetch_one(&index.db).await.unwrap();
    assert_eq!((left, known), (0, 1));
}

#[actix_web::test]
async fn after_sixty_wrong_guesses_from_a_network_guesses_wait() {
    let (index, _, person) = place().await;
    let guesses = "insert into sign_in_failure (user_name_hash, network, at)
                   select sha256(n::text::bytea), '127.0.0.0/24', $1 from generate_series(1, 60) n";
    sqlx::query(guesses).bind(index.now()).execute(&index.db).await.unwrap();
    let wait = person.sign_in(&index).await.refused(429, "too-many-requests");
    assert_eq!(wait.header("Retry-After"), "60");
    index.clock.set(after(60));
    person.sign_in(&index).await.expect(200);
}

#[actix_web::test]
async fn after_twenty_wrong_guesses_from_an_address_guesses_wait_whatever_name_they_are_of() {
    let (_index, behind, person) = place().await;
    let guess = |n: usize| {
        let mut factors = person.factors(behind.now());
        factors["userName"] = json!(format!("nobody.{}", "x".repeat(n)));
        from(&behind, "192.0.2.7", factors)
    };
    // No more at once than there are places for.
    let mut answers = join_all((1..=12).map(guess)).await;
    answers.extend(join_all((13..=24).map(guess)).await);
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(401), of(429)), (20, 4));
    let right = person.factors(behind.now());
    let wait = from(&behind, "192.0.2.7", right.clone()).await.refused(429, "too-many-requests");
    assert_eq!(wait.header("Retry-After"), "60");
    from(&behind, "192.0.2.8", right).await.expect(200);
}

#[actix_web::test]
async fn after_a_hundred_wrong_guesses_of_a_name_only_networks_pass_that_its_account_is_known_from()
{
    let (_index, behind, person) = place().await;
    from(&behind, "192.0.2.7", person.factors(behind.now())).await.expect(200);
    let day = 24 * 3600;
    behind.clock.set(after(day));
    for name in [person.user_name.as_str(), "nobody.at.all"] {
        tried(&behind, name, 99, day).await;
    }
    from(&behind, "198.51.100.1", wrong(&behind, &person)).await.refused(401, "sign-in-failed");
    tried(&behind, "nobody.at.all", 1, day).await;
    behind.clock.set(after(day + 60));
    let mut told = Vec::new();
    for name in [person.user_name.as_str(), "nobody.at.all"] {
        let mut factors = person.factors(behind.now());
        factors["userName"] = json!(name);
        let wait = from(&behind, "198.51.100.1", factors).await.refused(429, "too-many-requests");
        assert_eq!(wait.header("Retry-After"), "3540");
        told.push(outside(&wait));
    }
    assert_eq!(told[0], told[1]);
    from(&behind, "192.0.2.200", person.factors(behind.now())).await.expect(200);

    behind.clock.set(after(day + 60 + 30 * day));
    tried(&behind, person.user_name.as_str(), 100, day + 60 + 30 * day).await;
    let forgotten = from(&behind, "192.0.2.7", person.factors(behind.now())).await;
    forgotten.refused(429, "too-many-requests");
}

#[actix_web::test]
async fn nobody_is_locked_out_by_ten_thousand_wrong_guesses_from_elsewhere() {
    let (_index, behind, person) = place().await;
    from(&behind, "192.0.2.7", person.factors(behind.now())).await.expect(200);
    behind.clock.set(after(3600));
    tried(&behind, person.user_name.as_str(), 10_000, 3600).await;
    let factors = wrong(&behind, &person);
    let flood = join_all((0..48).map(|n| {
        let (behind, factors) = (&behind, factors.clone());
        async move {
            let address = format!("198.51.{n}.7");
            for _ in 0..4 {
                let refused = from(behind, &address, factors.clone()).await;
                assert!([429, 503].contains(&refused.status), "{}", refused.status);
            }
        }
    }));
    let victim = async {
        let began = std::time::Instant::now();
        let mut answer = from(&behind, "192.0.2.9", person.factors(behind.now())).await;
        while answer.status == 503 && began.elapsed().as_secs() < 30 {
            let wait = answer.header("Retry-After").parse().unwrap();
            actix_web::rt::time::sleep(std::time::Duration::from_secs(wait)).await;
            answer = from(&behind, "192.0.2.9", person.factors(behind.now())).await;
        }
        answer.expect(200);
        assert!(began.elapsed().as_secs() < 30);
    };
    tokio::join!(flood, victim);
}

/// Work without end at a door; whoever comes finds no room to be judged, or waits where one of the crowd has gone.
struct HeldUp {
    _shut: OwnedMutexGuard<()>,
    crowd: Vec<LocalBoxFuture<'static, Result<(), Unhashed>>>,
}

impl HeldUp {
    async fn all(door: &Data<Door>) -> Self {
        let gate = Arc::new(Mutex::new(()));
        let (shut, mut crowd) = (gate.clone().lock_owned().await, Vec::new());
        loop {
            let (door, gate) = (door.clone(), gate.clone());
            let one = async move { door.pool.run(move || drop(gate.blocking_lock())).await };
            let mut one = one.boxed_local();
            match poll!(&mut one) {
                Poll::Pending => crowd.push(one),
                Poll::Ready(_) => return Self { _shut: shut, crowd },
            }
        }
    }
}

#[actix_web::test]
async fn a_try_that_found_no_room_to_be_judged_counts_of_its_place_and_not_of_its_name() {
    let (index, _, person) = place().await;
    let door = Index::other_door(1);
    let crowded = index.with_door(door.clone()).await;
    let held_up = HeldUp::all(&door).await;
    let refused = person.sign_in(&crowded).await.refused(503, "unavailable");
    assert_eq!(refused.header("Retry-After"), "2");
    drop(held_up);
    let noted = "select count(*) filter (where user_name_hash = sha256($1::bytea)), count(address) from sign_in_failure";
    let noted = sqlx::query_as::<_, (i64, i64)>(noted).bind(person.user_name.as_str().as_bytes());
    assert_eq!(noted.fetch_one(&index.db).await.unwrap(), (0, 1));
    person.sign_in(&index).await.expect(200);
}

#[actix_web::test]
async fn a_try_that_was_let_in_is_judged_though_the_service_has_filled_up_meanwhile() {
    let (index, _, person) = place().await;
    let scene = index.scene().await;
    let teacher = scene.caller(Role::Practitioner);
    let path = index.child(scene.authority).await.path("");
    let door = Index::other_door(2);
    let full = index.with_door(door.clone()).await;
    let mut held_up = HeldUp::all(&door).await;
    held_up.crowd.pop();
    let filled = async {
        let noted = "select count(*) from sign_in_failure";
        while sqlx::query_scalar::<_, i64>(noted).fetch_one(&index.db).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // What is read of the account before it is judged needs no place, but the connections that the looks will take.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut locked = index.db.begin().await.unwrap();
        sqlx::query("lock table child").execute(&mut *locked).await.unwrap();
        let mut looks: FuturesUnordered<_> = (0..40).map(|_| full.get(teacher, &path)).collect();
        let refused = looks.next().await.unwrap();
        assert_eq!(refused.status, 503, "no place is left");
        drop(held_up);
        (locked, looks)
    };
    let (tried, _still) = join(person.sign_in(&full), filled).await;
    tried.expect(200);
}

#[actix_web::test]
async fn what_counts_no_longer_is_forgotten() {
    let (index, _, person) = place().await;
    person.sign_in(&index).await.expect(200);
    tried(&index, "nobody.at.all", 5, 0).await;
    let options = index.db.connect_options();
    let left = async || {
        let count =
            "select (select count(*) from sign_in_failure), (select count(*) from known_network)";
        sqlx::query_as::<_, (i64, i64)>(count).fetch_one(&index.db).await.unwrap()
    };
    database::tidy(&options, after(3600)).await.unwrap();
    assert_eq!(left().await, (5, 1));
    database::tidy(&options, after(3601)).await.unwrap();
    assert_eq!(left().await, (0, 1));
    database::tidy(&options, after(30 * 24 * 3600 + 1)).await.unwrap();
    assert_eq!(left().await, (0, 0));
}

#[actix_web::test]
async fn guessed_invitations_are_counted_before_they_are_judged() {
    let index = Index::start().await;
    let guess = || {
        let body = json!({ "invitation": "x".repeat(43) });
        index.request(None, "POST", "/v1/enrolments", body, &[])
    };
    // No more at once than there are places for.
    let mut answers = Vec::new();
    for many in [15, 15, 15, 15, 10] {
        answers.extend(join_all((0..many).map(|_| guess())).await);
    }
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(403), of(429)), (60, 10));
    index.clock.set(after(60));
    guess().await.refused(403, "invitation-refused");
}
