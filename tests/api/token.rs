//! Tokens of systems, tokens that are renewed, and how a token may be carried.

use base64::{Engine, engine::general_purpose::STANDARD};
use contactpoint::access::{Role, scopes};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Index},
    raw,
    session::{Person, after, outside},
};

pub(crate) const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

pub(crate) async fn ask(index: &Index, form: &str, authorization: &str) -> Answer {
    let headers = [FORM, ("Authorization", authorization)];
    index.request(None, "POST", "/oauth/token", form, &headers).await
}

async fn refresh(index: &Index, token: &str) -> Answer {
    ask(index, &format!("grant_type=refresh_token&refresh_token={token}"), "").await
}

pub(crate) async fn look(index: &Index, authorization: &str) -> Answer {
    index.request(None, "GET", "/v1/organisations", (), &[("Authorization", authorization)]).await
}

pub(crate) fn text<'a>(answer: &'a Answer, member: &str) -> &'a str {
    answer.body[member].as_str().unwrap()
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A system whose secret is "none".
async fn feed(index: &Index) -> Caller {
    let authority = index.authority().await;
    index.client(Role::Feed, authority).await
}

#[actix_web::test]
async fn a_system_gets_a_token_with_its_secret_in_the_form_or_by_http_basic() {
    let index = Index::start().await;
    let feed = feed(&index).await;
    let form = format!("grant_type=client_credentials&client_id={}&client_secret=none", feed.id);
    let by_form = ask(&index, &form, "").await;
    let by_basic =
        ask(&index, "grant_type=client_credentials", &basic(&feed.id.to_string(), "none")).await;
    for answer in [by_form, by_basic] {
        let answer = answer.expect(200);
        assert_eq!(answer.body["token_type"], "Bearer");
        assert_eq!(answer.body["expires_in"], 600);
        assert_eq!(answer.body["scope"], scopes(Role::Feed));
        assert_eq!(answer.body["refresh_token"], Value::Null);
        let event = index.event(&answer).await;
        assert_eq!(
            (&event["operation"], &event["client_id"]),
            (&json!("issue_token"), &json!(feed.id))
        );
        look(&index, &format!("Bearer {}", text(&answer, "access_token"))).await.expect(200);
    }
}

#[actix_web::test]
async fn a_system_that_does_not_prove_itself_is_answered_like_one_that_is_unknown() {
    let index = Index::start().await;
    let [good, suspended, orphan] = [feed(&index).await, feed(&index).await, feed(&index).await];
    for stop in [
        format!("update client set status = 'suspended' where client_id = '{}'", suspended.id),
        format!(
            "update organisation set status = 'suspended' where organisation_id = '{}'",
            orphan.organisation.id
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(stop)).execute(&index.db).await.unwrap();
    }
    let rows = index.rows().await;
    let form = |id: &str, secret: &str| {
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
    };
    let unknown = ask(&index, &form(&Uuid::new_v4().to_string(), "none"), "").await;
    let unknown = outside(&unknown.refused(401, "invalid_client"));
    let plain = "grant_type=client_credentials";
    let id = good.id.to_string();
    for (form, authorization) in [
        (form(&id, "wrong"), String::new()),
        (form(&id, ""), String::new()),
        (form("nobody", "none"), String::new()),
        (form(&suspended.id.to_string(), "none"), String::new()),
        (form(&orphan.id.to_string(), "none"), String::new()),
        (plain.to_owned(), basic(&id, "wrong")),
        (plain.to_owned(), "Basic nonsense".to_owned()),
        (plain.to_owned(), "Bearer none".to_owned()),
        (plain.to_owned(), String::new()),
        (format!("{plain}&client_id={id}"), String::new()),
    ] {
        let answer = ask(&index, &form, &authorization).await.refused(401, "invalid_client");
        assert_eq!(outside(&answer), unknown, "{form} {authorization}");
        assert_eq!(index.event(&answer).await["problem"], "invalid_client");
    }
    assert_eq!(index.rows().await, rows);
}

#[actix_web::test]
async fn a_token_request_says_one_thing_once() {
    let index = Index::start().await;
    let id = feed(&index).await.id.to_string();
    let good = format!("grant_type=client_credentials&client_id={id}&client_secret=none");
    let both = basic(&id, "none");
    for (form, authorization, problem) in [
        (good.as_str(), both.as_str(), "invalid_request"),
        ("grant_type=client_credentials&client_secret=none", &both, "invalid_request"),
        (&format!("{good}&client_id={id}"), "", "invalid_request"),
        (&format!("{good}&grant_type=client_credentials"), "", "invalid_request"),
        (&format!("{good}&x=1&x=1"), "", "invalid_request"),
        ("", "", "invalid_request"),
        ("grant_type=refresh_token", "", "invalid_request"),
        ("grant_type=password&username=a&password=b", "", "unsupported_grant_type"),
        ("grant_type=", "", "unsupported_grant_type"),
    ] {
        let answer = ask(&index, form, authorization).await.refused(400, problem);
        assert_eq!(index.event(&answer).await["problem"], problem);
    }
    let json =
        json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": "none" });
    let answer = index.request(None, "POST", "/oauth/token", json, &[]).await;
    answer.refused(415, "unsupported-media-type");
}

/// A session of somebody who has just signed in.
async fn session(index: &Index) -> (Person, Answer) {
    let authority = index.authority().await;
    let person = Person::new(index, Role::Practitioner, authority).await;
    let session = person.sign_in(index).await.expect(200);
    (person, session)
}

#[actix_web::test]
async fn a_refresh_token_is_exchanged_once_for_new_tokens() {
    let index = Index::start().await;
    let (person, session) = session(&index).await;
    index.clock.set(after(601));
    let second = refresh(&index, text(&session, "refreshToken")).await.expect(200);
    assert_eq!(second.body["scope"], scopes(Role::Practitioner));
    assert_ne!(second.body["refresh_token"], session.body["refreshToken"]);
    assert_eq!(index.event(&second).await["account_id"], json!(person.id));
    look(&index, &format!("Bearer {}", text(&second, "access_token"))).await.expect(200);
    let third = refresh(&index, text(&second, "refresh_token")).await.expect(200);

    let reused = refresh(&index, text(&session, "refreshToken")).await;
    reused.refused(400, "invalid_grant");
    let gone = look(&index, &format!("Bearer {}", text(&third, "access_token"))).await;
    gone.refused(401, "unauthenticated");
    let ended = refresh(&index, text(&third, "refresh_token")).await;
    let unknown = refresh(&index, "nonsense").await.refused(400, "invalid_grant");
    assert_eq!(outside(&ended), outside(&unknown));
}

#[actix_web::test]
async fn an_answer_that_was_lost_is_given_again_once_within_thirty_seconds() {
    let index = Index::start().await;
    let (_, first) = session(&index).await;
    let first = text(&first, "refreshToken").to_owned();
    let lost = refresh(&index, &first).await.expect(200);
    index.clock.set(after(30));
    let again = refresh(&index, &first).await.expect(200);
    assert_ne!(lost.body["refresh_token"], again.body["refresh_token"]);
    refresh(&index, text(&lost, "refresh_token")).await.refused(400, "invalid_grant");
    let next = refresh(&index, text(&again, "refresh_token")).await.expect(200);

    index.clock.set(after(61));
    refresh(&index, text(&again, "refresh_token")).await.refused(400, "invalid_grant");
    refresh(&index, text(&next, "refresh_token")).await.refused(400, "invalid_grant");
}

#[actix_web::test]
async fn a_token_that_is_used_a_third_time_or_after_its_successor_ends_the_session() {
    let index = Index::start().await;
    for (second, successor_used) in [(4, false), (2, true)] {
        index.clock.set(after(0));
        let (_, session) = session(&index).await;
        let first = text(&session, "refreshToken");
        let mut latest = refresh(&index, first).await.expect(200);
        index.clock.set(after(2));
        if successor_used {
            latest = refresh(&index, text(&latest, "refresh_token")).await.expect(200);
        } else {
            latest = refresh(&index, first).await.expect(200);
        }
        let access = format!("Bearer {}", text(&latest, "access_token"));
        look(&index, &access).await.expect(200);
        index.clock.set(after(second));
        refresh(&index, first).await.refused(400, "invalid_grant");
        look(&index, &access).await.refused(401, "unauthenticated");
        refresh(&index, text(&latest, "refresh_token")).await.refused(400, "invalid_grant");
    }
}

#[actix_web::test]
async fn of_thirty_two_uses_of_a_refresh_token_at_once_one_gets_new_tokens_that_stay_good() {
    let index = Index::start().await;
    let beside = index.beside(&[]).await;
    let (_, session) = session(&index).await;
    let token = text(&session, "refreshToken");
    let uses = (0..32).map(|n| refresh(if n % 2 == 0 { &index } else { &beside }, token));
    let (won, refused): (Vec<_>, Vec<_>) =
        join_all(uses).await.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in refused {
        answer.refused(400, "invalid_grant");
    }
    look(&index, &format!("Bearer {}", text(&won[0], "access_token"))).await.expect(200);
    index.clock.set(after(60));
    refresh(&beside, text(&won[0], "refresh_token")).await.expect(200);
}

#[actix_web::test]
async fn a_session_lasts_for_half_an_hour_unused_and_ten_hours_in_all() {
    let index = Index::start().await;
    let (_, idle) = session(&index).await;
    index.clock.set(after(1800));
    refresh(&index, text(&idle, "refreshToken")).await.refused(400, "invalid_grant");

    index.clock.set(after(0));
    let (_, kept) = session(&index).await;
    let mut token = text(&kept, "refreshToken").to_owned();
    for minutes in (29..600).step_by(29) {
        index.clock.set(after(minutes * 60));
        token = text(&refresh(&index, &token).await.expect(200), "refresh_token").to_owned();
    }
    index.clock.set(after(36_000));
    refresh(&index, &token).await.refused(400, "invalid_grant");
}

#[actix_web::test]
async fn whoever_may_not_act_gets_no_new_tokens() {
    let index = Index::start().await;
    let (_, session) = session(&index).await;
    sqlx::query("update account set status = 'suspended'").execute(&index.db).await.unwrap();
    refresh(&index, text(&session, "refreshToken")).await.refused(400, "invalid_grant");
}

#[actix_web::test]
async fn a_token_lasts_ten_minutes_and_thirty_seconds_for_clocks_that_differ() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let caller = index.caller(Role::Practitioner, authority).await;
    let token = format!("Bearer {}", index.token(&caller));
    for (seconds, status) in [(-30, 200), (-31, 401), (629, 200), (630, 401)] {
        index.clock.set(after(seconds));
        assert_eq!(look(&index, &token).await.status, status, "after {seconds} seconds");
    }
}

#[actix_web::test]
async fn a_token_is_carried_by_one_authorization_header_alone() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let caller = index.caller(Role::Practitioner, authority).await;
    let token = index.token(&caller);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        look(&index, &format!("{scheme} {token}")).await.expect(200);
    }
    for wrong in [
        token.clone(),
        format!("Token {token}"),
        format!("Bearer  {token}"),
        format!("Bearer {token},"),
    ] {
        look(&index, &wrong).await.refused(401, "unauthenticated");
    }
    let path = format!("/v1/organisations?access_token={token}");
    index.request(None, "GET", &path, (), &[]).await.refused(401, "unauthenticated");
    let cookie = format!("access_token={token}");
    let headers = [("Cookie", cookie.as_str())];
    index
        .request(None, "GET", "/v1/organisations", (), &headers)
        .await
        .refused(401, "unauthenticated");
    let body = json!({ "access_token": token });
    index
        .request(None, "POST", "/v1/children/search", body, &[])
        .await
        .refused(401, "unauthenticated");
    let form = format!("access_token={token}");
    index
        .request(None, "POST", "/v1/children/search", form.as_str(), &[FORM])
        .await
        .refused(401, "unauthenticated");

    let one = format!("Authorization: Bearer {token}\r\n");
    let get = |headers: &str| raw::get(index.address(), "/v1/organisations", headers);
    assert_eq!(get(&one).status, 200);
    assert_eq!(get(&format!("{one}{one}")).status, 401);
    assert_eq!(get(&format!("{one}Authorization: Basic bm9uZTpub25l\r\n")).status, 401);
}
