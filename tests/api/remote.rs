//! Keys of others are fetched seldom, plainly and from where they may be.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use contactpoint::remote::{Reach, RemoteKeys, Unreachable};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Directory, Key, NOW, Says};

fn at(seconds: i64) -> DateTime<Utc> {
    NOW.parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

fn keys() -> RemoteKeys {
    RemoteKeys::start(Reach::Loopback).unwrap()
}

fn published(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| Key::ed25519(name).jwk()).collect()
}

/// Waits until it was asked so often.
async fn asked(directory: &Directory, times: usize) {
    for _ in 0..200 {
        if directory.fetches() >= times {
            return tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("asked {} times, not {times}", directory.fetches());
}

#[actix_web::test]
async fn keys_are_fetched_once_for_all_who_ask_at_once_and_then_kept() {
    let (keys, directory) = (keys(), Directory::start(Says::Keys(published(&["one", "two"]))));
    let url = directory.keys_url();
    let found = join_all((0..50).map(|_| keys.find(&url, Some("two"), at(0)))).await;
    assert!(found.iter().all(|found| found.as_ref().unwrap().is_some()));
    assert!(keys.find(&url, Some("one"), at(599)).await.unwrap().is_some());
    assert!(keys.find(&url, None, at(599)).await.unwrap().is_none());
    assert_eq!(directory.fetches(), 2, "once, and once for the key without a name");
}

#[actix_web::test]
async fn a_thousand_unknown_keys_cause_one_fetch() {
    let (keys, directory) = (keys(), Directory::start(Says::Keys(published(&["one"]))));
    let url = directory.keys_url();
    keys.find(&url, Some("one"), at(0)).await.unwrap();
    let random: Vec<_> = (0..1000).map(|n| format!("unknown-{n}")).collect();
    let found = join_all(random.iter().map(|kid| keys.find(&url, Some(kid), at(60)))).await;
    assert!(found.into_iter().all(|found| matches!(found, Ok(None))));
    assert_eq!(directory.fetches(), 2);
    for kid in &random {
        assert!(keys.find(&url, Some(kid), at(119)).await.unwrap().is_none());
    }
    assert_eq!(directory.fetches(), 2);
}

#[actix_web::test]
async fn a_new_key_is_found_at_once_and_an_old_one_forgotten_within_ten_minutes() {
    let (keys, directory) = (keys(), Directory::start(Says::Keys(published(&["old"]))));
    let url = directory.keys_url();
    assert!(keys.find(&url, Some("old"), at(0)).await.unwrap().is_some());
    directory.says(Says::Keys(published(&["new"])));
    assert!(keys.find(&url, Some("new"), at(61)).await.unwrap().is_some());
    assert!(keys.find(&url, Some("old"), at(62)).await.unwrap().is_none());

    directory.says(Says::Keys(published(&["newer"])));
    let before = directory.fetches();
    assert!(keys.find(&url, Some("new"), at(661)).await.unwrap().is_some(), "answered at once");
    asked(&directory, before + 1).await;
    assert!(keys.find(&url, Some("new"), at(662)).await.unwrap().is_none());
}

#[actix_web::test]
async fn keys_are_good_for_a_day_while_their_owner_does_not_answer() {
    let (keys, directory) = (keys(), Directory::start(Says::Keys(published(&["one"]))));
    let url = directory.keys_url();
    keys.find(&url, Some("one"), at(0)).await.unwrap();
    for gone in [Says::Gone, Says::Nothing, Says::Status(503)] {
        directory.says(gone);
        let begun = Instant::now();
        for hour in 1..24 {
            let found = keys.find(&url, Some("one"), at(hour * 3600)).await;
            assert!(found.unwrap().is_some(), "after {hour} hours");
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "nobody waited");
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    directory.says(Says::Gone);
    assert_eq!(keys.find(&url, Some("one"), at(24 * 3600)).await.unwrap_err(), Unreachable);
    directory.says(Says::Keys(published(&["one"])));
    assert!(keys.find(&url, Some("one"), at(24 * 3600 + 60)).await.unwrap().is_some());
}

#[actix_web::test]
async fn whoever_does_not_answer_well_is_not_believed_and_asked_seldom() {
    let target = Directory::start(Says::Keys(published(&["one"])));
    let many = (0..21).map(|n| Key::ed25519(&n.to_string()).jwk()).collect();
    let secret = json!({ "kty": "oct", "kid": "one", "k": "c2VjcmV0", "alg": "HS256" });
    let large = json!({ "keys": published(&["one"]), "more": "x".repeat(70_000) });
    for says in [
        Says::Redirect(target.keys_url()),
        Says::Status(404),
        Says::Status(204),
        Says::Gone,
        Says::Keys(Vec::new()),
        Says::Keys(vec![secret]),
        Says::Keys(many),
        Says::Keys(published(&["one", "one"])),
        Says::Body(large.to_string().into_bytes()),
        Says::Body(b"[]".to_vec()),
        Says::Body(b"{\"keys\":[],\"keys\":[]}".to_vec()),
        Says::Body(b"<html>".to_vec()),
    ] {
        let (keys, directory) = (keys(), Directory::start(says.clone()));
        let url = directory.keys_url();
        for second in [0, 1, 9] {
            let found = keys.find(&url, Some("one"), at(second)).await;
            assert_eq!(found.unwrap_err(), Unreachable, "{says:?}");
        }
        assert_eq!(directory.fetches(), 1, "{says:?}");
        directory.says(Says::Keys(published(&["one"])));
        assert!(keys.find(&url, Some("one"), at(10)).await.unwrap().is_some(), "{says:?}");
    }
    assert_eq!(target.fetches(), 0, "no redirect is followed");
}

#[actix_web::test]
async fn nobody_waits_longer_than_three_seconds() {
    for says in [Says::Nothing, Says::Drips] {
        let (keys, directory) = (keys(), Directory::start(says.clone()));
        let url = directory.keys_url();
        let begun = Instant::now();
        let found = join_all((0..20).map(|_| keys.find(&url, Some("one"), at(0)))).await;
        assert!(found.into_iter().all(|found| found.is_err()));
        let took = begun.elapsed();
        assert!((2900..3900).contains(&took.as_millis()), "{says:?}: {took:?}");
        assert_eq!(directory.fetches(), 1);
    }
}

#[actix_web::test]
async fn our_own_network_is_not_asked() {
    let directory = Directory::start(Says::Keys(published(&["one"])));
    let keys = RemoteKeys::start(Reach::Public).unwrap();
    let secure = directory.keys_url().replace("http:", "https:");
    for url in [
        directory.keys_url(),
        secure.clone(),
        secure.replace("127.0.0.1", "localhost"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://[::1]/keys".to_owned(),
    ] {
        assert!(keys.check(&url).is_err(), "{url}");
        assert_eq!(keys.find(&url, None, at(0)).await.unwrap_err(), Unreachable);
    }
    assert_eq!(directory.fetches(), 0);
}
