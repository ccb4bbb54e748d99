//! What signs nobody in: each refused in the same bytes, and written down.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use contactpoint::access::Role;
use serde_json::{Value, json};

use super::Council;
use crate::{
    harness::{Directory, Key, Says},
    session::outside,
};

/// The account of a person is linked to `24400320`.
async fn council() -> Council {
    let council = Council::new().await;
    council.person(Role::Practitioner, "24400320").await;
    council.sign_in(&council.token("24400320")).await.expect(200);
    council
}

/// None of these signs anybody in: each is refused like the first, and leaves nothing but its event.
async fn none_signs_in(council: &Council, tokens: Vec<(String, String)>) {
    let index = &council.index;
    let first = outside(&council.sign_in("e30.e30.e30").await.refused(401, "sign-in-failed"));
    let rows = index.rows().await;
    for (n, (name, token)) in tokens.into_iter().enumerate() {
        if n % 20 == 19 {
            // As the limits of guesses ask.
            index.clock.set(index.now() + TimeDelta::seconds(1));
            let forget = "delete from sign_in_failure";
            sqlx::query(forget).execute(&index.db).await.unwrap();
        }
        let answer = council.sign_in(&token).await;
        assert_eq!(outside(&answer), first, "{name}: {:#}", answer.body);
        let event = index.event(&answer).await;
        assert_eq!(
            (&event["problem"], &event["account_id"]),
            (&json!("sign-in-failed"), &Value::Null)
        );
    }
    assert_eq!(index.rows().await, rows, "nothing was stored");
    council.sign_in(&council.token("24400320")).await.expect(200);
}

#[actix_web::test]
async fn claims_that_are_not_right_in_every_point() {
    let council = council().await;
    let now = council.index.now().timestamp();
    let changes = [
        json!({ "iss": "https://directory.example/" }),
        json!({ "iss": "https://DIRECTORY.example" }),
        json!({ "iss": "https://elsewhere.example" }),
        json!({ "iss": ["https://directory.example"] }),
        json!({ "iss": null }),
        json!({ "aud": "another" }),
        json!({ "aud": "ContactPoint" }),
        json!({ "aud": [] }),
        json!({ "aud": ["another"] }),
        json!({ "aud": ["contactpoint", "another"] }),
        json!({ "aud": ["contactpoint", "another"], "azp": "another" }),
        json!({ "aud": ["contactpoint", "a", "b", "c", "d"], "azp": "contactpoint" }),
        json!({ "aud": { "contactpoint": true } }),
        json!({ "aud": null }),
        json!({ "azp": "another" }),
        json!({ "exp": now - 60, "iat": now - 200 }),
        json!({ "exp": now - 5 }),
        json!({ "exp": now + 3600 }),
        json!({ "exp": null }),
        json!({ "exp": (now + 295).to_string() }),
        json!({ "exp": 1.8e9 }),
        json!({ "exp": true }),
        json!({ "iat": now - 301 }),
        json!({ "iat": now + 62, "exp": now + 200 }),
        json!({ "iat": null }),
        json!({ "iat": 1.794_000_000e9 }),
        json!({ "nbf": now + 62 }),
        json!({ "nbf": "now" }),
        json!({ "nbf": 1.5 }),
        json!({ "auth_time": "now" }),
        json!({ "auth_time": 1.5 }),
        json!({ "auth_time": i64::MIN }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 24_400_320 }),
        json!({ "sub": ["24400320"] }),
        json!({ "sub": "24400320\u{0}" }),
        json!({ "sub": "24400320 " }),
        json!({ "amr": "mfa" }),
        json!({ "amr": [["mfa"]] }),
    ];
    let mut tokens: Vec<_> = changes
        .iter()
        .map(|changes| {
            (changes.to_string(), council.key.token(&council.changed("24400320", changes)))
        })
        .collect();
    let good = council.claims("24400320").to_string();
    let (header, open) = (council.key.header().to_string(), good.trim_end_matches('}'));
    for payload in [
        format!(r#"{open},"sub":"24400320"}}"#),
        format!(r#"{open},"sub":"another"}}"#),
        format!(r#"{open},"x":{{"y":1,"y":2}}}}"#),
        format!(r#"{open},"nbf":null}}"#),
        format!(r#"{open},"auth_time":NaN}}"#),
        format!("[{good}]"),
        format!("{good}{good}"),
        "null".to_owned(),
        String::new(),
    ] {
        tokens.push((payload.clone(), council.key.signed(&header, payload)));
    }
    none_signs_in(&council, tokens).await;
}

#[actix_web::test]
async fn headers_and_signatures_that_are_not_right_in_every_point() {
    let council = council().await;
    let claims = council.claims("24400320").to_string();
    let good = council.key.header();
    let with = |member: &str, value: Value| {
        let mut header = good.clone();
        header[member] = value;
        (format!("{member} {}", header[member]), council.key.signed(header.to_string(), &claims))
    };
    let mut tokens = vec![
        with("alg", json!("none")),
        with("alg", json!("HS256")),
        with("alg", json!("ES256")),
        with("alg", json!("RS256")),
        with("alg", json!(null)),
        with("kid", json!("unknown")),
        with("kid", json!("../../one")),
        with("kid", json!(1)),
        with("kid", json!(null)),
        with("typ", json!("at+jwt")),
        with("typ", json!("logout+jwt")),
        with("typ", json!("")),
        with("crit", json!(["exp"])),
        with("jku", json!("https://evil.example/keys")),
        with("jwk", council.key.jwk()),
        with("x5u", json!("https://evil.example/cert")),
        with("x5c", json!(["MIIB"])),
        with("zip", json!("DEF")),
        with("b64", json!(false)),
        with("cty", json!("JWT")),
    ];
    let evil = Key::ed25519("one");
    tokens.push(("another key".to_owned(), evil.signed(good.to_string(), &claims)));
    let mut brought = good.clone();
    brought["jwk"] = evil.jwk();
    tokens.push(("a key of its own".to_owned(), evil.signed(brought.to_string(), &claims)));
    for alg in ["HS256", "none", "EdDSA"] {
        let header = json!({ "alg": alg, "kid": "one" }).to_string();
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(&claims));
        let public = council.key.jwk();
        for secret in [public.to_string(), public["x"].as_str().unwrap().to_owned()] {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()));
            tokens.push((format!("{alg} by the public key"), format!("{message}.{tag}")));
        }
        tokens.push((format!("{alg} unsigned"), format!("{message}.")));
    }
    let token = council.token("24400320");
    let (message, signature) = token.rsplit_once('.').unwrap();
    for (name, token) in [
        ("padded", format!("{token}==")),
        ("without a signature", message.to_owned()),
        ("four parts", format!("{token}.{signature}")),
        ("spaces", format!(" {token} ")),
        ("words", "not a token".to_owned()),
        ("large", format!("{}.{}", "A".repeat(8100), "A".repeat(91))),
        ("one of ours", council.index.token(&council.person(Role::Practitioner, "other").await)),
    ] {
        tokens.push((name.to_owned(), token));
    }
    none_signs_in(&council, tokens).await;
}

#[actix_web::test]
async fn identities_that_are_not_linked_to_an_account_that_may_come_this_way() {
    let council = council().await;
    let index = &council.index;
    let elsewhere = index.organisation("school", Some(council.authority)).await;
    let other = index.account(Role::Practitioner, elsewhere).await;
    index.link(other.id, "of-another-organisation").await;
    for role in [
        Role::ShieldApprover,
        Role::Auditor,
        Role::AccountAdministrator,
        Role::Operator,
        Role::ArchiveReviewer,
    ] {
        council.person(role, &format!("as-{role}")).await;
    }
    let claim = json!({ "email": "24400320", "preferred_username": "24400320", "upn": "24400320",
        "oid": "24400320", "role": "practitioner", "roles": ["practitioner"], "org": council.school.id });
    let tokens = vec![
        ("unlinked".to_owned(), council.token("unlinked")),
        ("case".to_owned(), council.token("AS-STEWARD")),
        ("by e-mail".to_owned(), council.key.token(&council.changed("unlinked", &claim))),
        ("of another organisation".to_owned(), council.token("of-another-organisation")),
        ("shield approver".to_owned(), council.token("as-shieldApprover")),
        ("auditor".to_owned(), council.token("as-auditor")),
        ("administrator".to_owned(), council.token("as-accountAdministrator")),
        ("operator".to_owned(), council.token("as-operator")),
        ("archive reviewer".to_owned(), council.token("as-archiveReviewer")),
    ];
    none_signs_in(&council, tokens).await;
}

#[actix_web::test]
async fn an_algorithm_that_is_not_configured() {
    let council = Council::with(Key::p256("one"), &[("algorithms", json!(["EdDSA"]))]).await;
    council.person(Role::Practitioner, "24400320").await;
    council.sign_in(&council.token("24400320")).await.refused(401, "sign-in-failed");
    assert_eq!(council.directory.fetches(), 0, "refused before any key is looked for");
}

#[actix_web::test]
async fn a_body_that_is_not_one() {
    let council = council().await;
    let post = |body: Value| async {
        council.index.request(None, "POST", "/v1/sessions/external", body, &[]).await
    };
    assert_eq!(post(json!({})).await.refused(422, "invalid-value").pointers(), ["/idToken"]);
    assert_eq!(
        post(json!({ "idToken": "" })).await.refused(422, "invalid-value").pointers(),
        ["/idToken"]
    );
    let long = post(json!({ "idToken": "A".repeat(8193) })).await;
    assert_eq!(long.refused(422, "invalid-value").pointers(), ["/idToken"]);
    let more = json!({ "idToken": "A", "userName": "somebody" });
    post(more).await.refused(422, "unknown-property");
}

#[actix_web::test]
async fn somebody_who_sends_many_in_vain_waits() {
    let council = council().await;
    for _ in 0..60 {
        council.sign_in("e30.e30.e30").await.refused(401, "sign-in-failed");
    }
    let answer = council.sign_in("e30.e30.e30").await.refused(429, "too-many-requests");
    assert_eq!(answer.header("Retry-After"), "60");
    council.index.clock.set(council.index.now() + TimeDelta::seconds(60));
    council.sign_in(&council.token("24400320")).await.expect(200);
}

#[actix_web::test]
async fn a_shared_secret_among_the_keys_signs_nobody_in() {
    let council = council().await;
    let secret = URL_SAFE_NO_PAD.encode("a secret of both sides, long enough");
    let shared = json!({ "kty": "oct", "kid": "two", "alg": "HS256", "k": secret });
    council.directory.says(Says::Keys(vec![shared, council.key.jwk()]));
    council.index.clock.set(council.index.now() + TimeDelta::seconds(61));
    let header = json!({ "alg": "HS256", "kid": "two" }).to_string();
    let claims = council.claims("24400320").to_string();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, b"a secret of both sides, long enough");
    let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()));
    let unknown = council.key.signed(
        json!({ "alg": "EdDSA", "kid": "two" }).to_string(),
        council.claims("24400320").to_string(),
    );
    for token in [format!("{message}.{tag}"), unknown] {
        council.sign_in(&token).await.refused(401, "sign-in-failed");
    }
    council.sign_in(&council.token("24400320")).await.expect(200);
}

#[actix_web::test]
async fn keys_that_are_published_badly_are_none() {
    let target = Directory::start(Says::Keys(vec![Key::ed25519("one").jwk()]));
    for says in [
        Says::Redirect(target.keys_url()),
        Says::Status(500),
        Says::Body(vec![b' '; 65 * 1024]),
        Says::Keys(vec![json!({ "kty": "oct", "kid": "one", "k": "AAAA" })]),
    ] {
        let council = Council::new().await;
        council.person(Role::Practitioner, "24400320").await;
        council.directory.says(says.clone());
        let answer = council.sign_in(&council.token("24400320")).await;
        assert_eq!(answer.refused(503, "unavailable").header("Retry-After"), "10", "{says:?}");
    }
    assert_eq!(target.fetches(), 0);
}
