//! The directory changes its keys, is gone, or does not answer: who is concerned, and who is not.

use std::{
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use contactpoint::{access::Role, keys::Keys};
use futures_util::future::{join, join_all};
use serde_json::json;

use super::{Council, look};
use crate::{
    harness::{Key, Says, configured},
    session::{Person, after},
};

#[actix_web::test]
async fn the_directory_changes_its_keys_without_a_word_to_us() {
    let mut council = Council::new().await;
    council.person(Role::Practitioner, "24400320").await;
    council.sign_in(&council.token("24400320")).await.expect(200);
    let (old, new) = (council.key.clone(), Key::p256("two"));

    council.directory.says(Says::Keys(vec![old.jwk(), new.jwk()]));
    council.index.clock.set(after(60));
    council.sign_in(&new.token(&council.claims("24400320"))).await.expect(200);
    council.sign_in(&old.token(&council.claims("24400320"))).await.expect(200);

    council.directory.says(Says::Keys(vec![new.jwk()]));
    council.index.clock.set(after(660));
    council.sign_in(&new.token(&council.claims("24400320"))).await.expect(200);
    for _ in 0..100 {
        if council.directory.fetches() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    council.sign_in(&old.token(&council.claims("24400320"))).await.refused(401, "sign-in-failed");
    council.key = new;
    council.sign_in(&council.token("24400320")).await.expect(200);
}

#[actix_web::test]
async fn a_directory_that_is_gone_is_believed_for_a_day() {
    let council = Council::new().await;
    council.person(Role::Practitioner, "24400320").await;
    let own = Person::new(&council.index, Role::Practitioner, council.school).await;
    council.sign_in(&council.token("24400320")).await.expect(200);
    council.directory.says(Says::Gone);
    for hours in [1, 12, 23] {
        council.index.clock.set(after(hours * 3600));
        let session = council.sign_in(&council.token("24400320")).await.expect(200);
        look(&council.index, &session).await.expect(200);
    }
    council.index.clock.set(after(24 * 3600));
    council.sign_in(&council.token("24400320")).await.refused(503, "unavailable");
    own.sign_in(&council.index).await.expect(200);
    council.directory.says(Says::Keys(vec![council.key.jwk()]));
    council.index.clock.set(after(24 * 3600 + 61));
    council.sign_in(&council.token("24400320")).await.expect(200);
}

#[actix_web::test]
async fn a_directory_that_does_not_answer_holds_up_nobody_else() {
    let council = Council::new().await;
    let index = &council.index;
    council.person(Role::Practitioner, "24400320").await;
    council.directory.says(Says::Nothing);
    let mut people = Vec::new();
    for _ in 0..5 {
        people.push(Person::new(index, Role::Practitioner, council.school).await);
    }
    let waiting = join_all((0..40).map(|_| async {
        council.sign_in(&council.token("24400320")).await.refused(503, "unavailable");
    }));
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        for person in &people {
            let session = person.sign_in(index).await.expect(200);
            look(index, &session).await.expect(200);
        }
        begun.elapsed()
    };
    let begun = Instant::now();
    let (_, took) = join(waiting, others).await;
    assert!(begun.elapsed() > Duration::from_millis(2900), "the directory did hang");
    assert!(took < Duration::from_millis(2500), "five sign-ins of ours took {took:?}");
    assert_eq!(council.directory.fetches(), 1);
}

#[actix_web::test]
async fn keys_that_nobody_has_cause_one_fetch() {
    let council = Council::new().await;
    council.person(Role::Practitioner, "24400320").await;
    council.sign_in(&council.token("24400320")).await.expect(200);
    council.index.clock.set(after(60));
    let claims = council.claims("24400320").to_string();
    for round in 0..20 {
        let forget = "delete from sign_in_failure";
        sqlx::query(forget).execute(&council.index.db).await.unwrap();
        let tokens = (0..50).map(|n| {
            let header = json!({ "alg": "EdDSA", "kid": format!("unknown-{round}-{n}") });
            council.key.signed(header.to_string(), &claims)
        });
        let tokens: Vec<_> = tokens.collect();
        for token in &tokens {
            council.sign_in(token).await.refused(401, "sign-in-failed");
        }
    }
    assert_eq!(council.directory.fetches(), 2, "one for all thousand");
    council.sign_in(&council.token("24400320")).await.expect(200);
}

#[test]
fn a_service_that_is_configured_wrongly_does_not_start() {
    let folder = env::temp_dir().join(format!("contactpoint-issuers-{}", std::process::id()));
    let [keys, issuers] = ["keys", "issuers.json"].map(|name| folder.join(name));
    Keys::generate(&keys).unwrap();
    let good = configured("https://directory.example/keys");
    let [mut plain, mut above] = [good.clone(), good.clone()];
    plain["jwksUri"] = json!("http://directory.example/keys");
    above["roles"] = json!(["practitioner", "operator"]);
    for (configuration, said) in [
        (json!([good, good]), "stands twice"),
        (json!([plain]), "must begin with `https://`"),
        (json!([above]), "role operator is never had by another issuer"),
        (json!({}), "invalid type: map"),
    ] {
        fs::write(&issuers, configuration.to_string()).unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_contactpoint"))
            .args(["serve", "--database", "postgres://nobody@127.0.0.1:1/none"])
            .args(["--keys".as_ref(), keys.as_os_str(), "--issuers".as_ref(), issuers.as_os_str()])
            .output()
            .unwrap();
        let told = String::from_utf8(run.stderr).unwrap();
        assert_eq!((run.status.code(), told.lines().count()), (Some(78), 1), "{told}");
        assert!(told.contains(said), "{told}");
    }
    fs::remove_dir_all(folder).unwrap();
}
