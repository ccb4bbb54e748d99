//! Who is signed in, and as what.

use contactpoint::access::{Role, scopes};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Council, look, refresh, told};
use crate::{
    harness::Key,
    session::{Person, after, outside, sign_in},
};

#[actix_web::test]
async fn whom_the_directory_has_recognised_is_signed_in_as_their_account() {
    let council = Council::new().await;
    let index = &council.index;
    let person = council.person(Role::Practitioner, "24400320").await;
    let session = council.sign_in(&council.token("24400320")).await.expect(200);
    assert_eq!(
        (&session.body["tokenType"], &session.body["expiresIn"]),
        (&json!("Bearer"), &json!(600))
    );
    let claims = told(&session);
    for (member, value) in [
        ("sub", json!(person.id)),
        ("role", json!("practitioner")),
        ("scope", json!("*")),
        ("org", json!(council.school.id)),
        ("la", json!(council.authority.id)),
        ("acr", json!("2")),
        ("amr", json!(["mfa"])),
        ("auth_time", json!(index.now().timestamp() - 5)),
    ] {
        assert_eq!(claims[member], value, "{member}");
    }
    look(index, &session).await.expect(200);
    let event = index.event(&session).await;
    assert_eq!(
        (&event["operation"], &event["account_id"]),
        (&json!("create_external_session"), &json!(person.id))
    );
    assert!(
        !event.to_string().contains("council.example"),
        "nothing else that the directory says is kept"
    );

    index.clock.set(after(600));
    let again = refresh(index, &session).await.expect(200);
    let renewed = told(&again);
    for member in ["sub", "role", "scope", "sid", "acr", "amr", "auth_time"] {
        assert_eq!(renewed[member], claims[member], "{member}");
    }
    assert_eq!(council.directory.fetches(), 1);
}

#[actix_web::test]
async fn the_token_says_when_the_person_signed_in_there() {
    let council = Council::new().await;
    council.person(Role::Practitioner, "24400320").await;
    let now = council.index.now().timestamp();
    for (claimed, told_as) in [(now - 7200, now - 7200), (now + 1, now - 5)] {
        let claims = council.changed("24400320", &json!({ "auth_time": claimed }));
        let session = council.sign_in(&council.key.token(&claims)).await.expect(200);
        assert_eq!(told(&session)["auth_time"], told_as);
    }
}

#[actix_web::test]
async fn the_right_to_override_is_not_had_from_elsewhere() {
    let council = Council::new().await;
    council.person(Role::PractitionerWithOverride, "24400320").await;
    let session = council.sign_in(&council.token("24400320")).await.expect(200);
    assert_eq!(told(&session)["role"], "practitioner");
    assert_eq!(told(&session)["scope"], "*");
    let again = refresh(&council.index, &session).await.expect(200);
    assert_eq!(told(&again)["role"], "practitioner");
    assert_eq!(again.body["scope"], scopes(Role::Practitioner));
}

#[actix_web::test]
async fn two_factors_are_proved_or_the_caller_is_told_so() {
    let council = Council::new().await;
    council.person(Role::Practitioner, "24400320").await;
    for one in [
        json!({ "amr": null }),
        json!({ "amr": [] }),
        json!({ "amr": ["pwd"] }),
        json!({ "amr": ["pwd", "pin"] }),
        json!({ "amr": ["pwd", "sms"] }),
        json!({ "amr": null, "acr": "2" }),
    ] {
        for subject in ["24400320", "unlinked"] {
            let token = council.key.token(&council.changed(subject, &one));
            council.sign_in(&token).await.refused(403, "second-factor-required");
        }
    }
    for two in [
        json!({ "amr": ["mfa"] }),
        json!({ "amr": ["pwd", "otp"] }),
        json!({ "amr": ["hwk", "pin"] }),
        json!({ "amr": ["fpt", "hwk", "user"] }),
        json!({ "amr": null, "acr": "two-factors" }),
    ] {
        let token = council.key.token(&council.changed("24400320", &two));
        council.sign_in(&token).await.expect(200);
    }
}

#[actix_web::test]
async fn a_token_is_used_once_however_it_is_signed() {
    let council = Council::with(Key::p256("one"), &[]).await;
    council.person(Role::Practitioner, "24400320").await;
    let token = council.token("24400320");
    council.sign_in(&token).await.expect(200);
    council.sign_in(&token).await.refused(401, "sign-in-failed");
    council.sign_in(&signed_otherwise(&token)).await.refused(401, "sign-in-failed");
    council.index.clock.set(after(200));
    council.sign_in(&token).await.refused(401, "sign-in-failed");

    let other = council.token("24400320");
    council.sign_in(&signed_otherwise(&other)).await.expect(200);
    council.sign_in(&other).await.refused(401, "sign-in-failed");
}

/// The same token with the other signature that ECDSA admits: `s` becomes the order of the curve less `s`.
fn signed_otherwise(token: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrowed = 0;
    for n in (0..32).rev() {
        let rest = i16::from(ORDER[n]) - i16::from(signature[32 + n]) - borrowed;
        borrowed = i16::from(rest < 0);
        signature[32 + n] = u8::try_from(rest.rem_euclid(256)).unwrap();
    }
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[actix_web::test]
async fn of_thirty_two_uses_of_one_token_at_once_one_is_let_in() {
    let council = Council::new().await;
    council.person(Role::Practitioner, "24400320").await;
    council.sign_in(&council.token("24400320")).await.expect(200);
    let token = council.token("24400320");
    let answers = join_all((0..32).map(|_| council.sign_in(&token))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let others = answers.iter().filter(|answer| answer.status != 200);
    others.for_each(|other| assert!([401, 429, 503].contains(&other.status), "{}", other.status));
    let sessions = "select count(*) from session where external";
    let sessions: i64 = sqlx::query_scalar(sessions).fetch_one(&council.index.db).await.unwrap();
    assert_eq!(sessions, 2);
}

#[actix_web::test]
async fn whoever_is_stopped_here_is_stopped_whatever_the_directory_says() {
    let council = Council::new().await;
    let index = &council.index;
    for (n, stop) in [
        "update account set status = 'suspended' where account_id = $1",
        "update account set vetted_until = '2026-11-15' where account_id = $1",
        "update account set agreement_signed_on = null where account_id = $1",
        "update organisation set status = 'suspended' where organisation_id =
             (select organisation_id from account where account_id = $1)",
    ]
    .into_iter()
    .enumerate()
    {
        let subject = format!("person-{n}");
        let person = council.person(Role::Practitioner, &subject).await;
        let session = council.sign_in(&council.token(&subject)).await.expect(200);
        look(index, &session).await.expect(200);
        sqlx::query(stop).bind(person.id).execute(&index.db).await.unwrap();
        look(index, &session).await.refused(401, "unauthenticated");
        refresh(index, &session).await.refused(400, "invalid_grant");
        council.sign_in(&council.token(&subject)).await.refused(401, "sign-in-failed");
    }
}

#[actix_web::test]
async fn an_account_without_a_password_here_is_answered_like_an_unknown_name() {
    let council = Council::new().await;
    let index = &council.index;
    let own = Person::new(index, Role::Practitioner, council.school).await;
    index.link(own.id.0, "24400320").await;
    let bare =
        "update account set credential = null, one_time_code_seed = null where account_id = $1";
    let factors = own.factors(index.now());
    sqlx::query(bare).bind(own.id.0).execute(&index.db).await.unwrap();
    council.sign_in(&council.token("24400320")).await.expect(200);
    let known = sign_in(index, factors.clone()).await.refused(401, "sign-in-failed");
    let mut unknown = factors;
    unknown["userName"] = Value::from("nobody.at.all");
    assert_eq!(outside(&known), outside(&sign_in(index, unknown).await));
}
