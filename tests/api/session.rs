//! Signing in: all four factors together, and tokens that last only as long as what they stand on.

use chrono::{DateTime, TimeDelta, Utc};
use contactpoint::{
    access::Role,
    account::{NewAccount, new_password, new_pin, shown, store},
    audit::Trail,
    ids::{AccountId, OrganisationId},
    session::{
        seed_context,
        totp::{Seed, code_at},
        user_name::UserName,
    },
    work::Errands,
};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Index, NOW, Organisation},
    involvement::service,
};

/// Somebody with an account, and everything needed to sign in.
pub(crate) struct Person {
    pub(crate) id: AccountId,
    pub(crate) user_name: UserName,
    password: String,
    pub(crate) pin: String,
    seed: Seed,
}

impl Person {
    /// Makes the account as the command line does.
    pub(crate) async fn new(index: &Index, role: Role, organisation: Organisation) -> Self {
        let (id, door) = (AccountId::new(), Index::door());
        let user_name = UserName::parse(&format!("person.{}", letters(id))).unwrap();
        let (password, pin) = (new_password().unwrap(), new_pin().unwrap());
        let seed = Seed::generate().unwrap();
        let account = NewAccount {
            id,
            user_name: user_name.clone(),
            name: "Example Person".to_owned(),
            organisation: OrganisationId(organisation.id),
            role,
            police_checked_on: Some("2027-01-01".parse().unwrap()),
            trained_on: Some("2027-01-01".parse().unwrap()),
            agreement_signed_on: Some("2026-11-16".parse().unwrap()),
        };
        let credential = door.credential.hash(&password, &pin).unwrap();
        let sealed = door.vault.seal(seed.expose(), &seed_context(id.0)).unwrap();
        let options = (*index.db.connect_options()).clone();
        let work = Errands::begin(&options, &index.clock, "account_add").await.unwrap();
        let mut work = work.with_vault(door.vault.clone());
        store::insert_enrolled(&mut work, &account, &credential, &sealed).await.unwrap();
        work.record(Trail::default()).await.unwrap();
        Self { id, user_name, password: shown(&password), pin: shown(&pin), seed }
    }

    /// What the security token shows at a moment.
    fn code(&self, moment: DateTime<Utc>) -> String {
        code_at(&self.seed, moment).unwrap()
    }

    /// Everything right.
    pub(crate) fn factors(&self, moment: DateTime<Utc>) -> Value {
        json!({
            "userName": self.user_name, "password": self.password, "pin": self.pin, "oneTimeCode": self.code(moment),
        })
    }

    /// Signs in with everything right.
    pub(crate) async fn sign_in(&self, index: &Index) -> Answer {
        sign_in(index, self.factors(index.now())).await
    }
}

fn letters(id: AccountId) -> String {
    let digits = id.0.simple().to_string();
    digits.bytes().map(|digit| char::from(b'a' + digit % 16)).collect()
}

/// Signs in with these factors.
pub(crate) async fn sign_in(index: &Index, factors: Value) -> Answer {
    index.request(None, "POST", "/v1/sessions", factors, &[]).await
}

/// The same answer to the last header, but for the request's number, the time, and whether the connection ends with it.
pub(crate) fn outside(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let told =
        headers.filter(|(name, _)| !["x-request-id", "date", "connection"].contains(&&**name));
    let mut told: Vec<_> = told.collect();
    told.sort();
    (answer.status, told, answer.bytes.clone())
}

fn bearer(session: &Answer) -> String {
    let token = session.body["accessToken"].as_str().or(session.body["access_token"].as_str());
    format!("Bearer {}", token.unwrap())
}

/// Reads something with this `Authorization`.
async fn look(index: &Index, authorization: &str) -> Answer {
    index.request(None, "GET", "/v1/organisations", (), &[("Authorization", authorization)]).await
}

/// So many seconds after the beginning.
pub(crate) fn after(seconds: i64) -> DateTime<Utc> {
    NOW.parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

#[actix_web::test]
async fn whoever_signs_in_gets_a_token_that_anyone_can_verify_by_the_published_keys() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let answer = person.sign_in(&index).await.expect(200);
    assert_eq!(answer.body["tokenType"], "Bearer");
    assert_eq!(answer.body["expiresIn"], 600);
    assert_eq!(answer.body["refreshToken"].as_str().unwrap().len(), 43);

    let keys = index.request(None, "GET", "/.well-known/jwks.json", (), &[]).await.expect(200);
    assert_eq!(keys.header("Cache-Control"), "max-age=300");
    let keys: JwkSet = serde_json::from_value(keys.body).unwrap();
    let token = answer.body["accessToken"].as_str().unwrap();
    assert!(token.len() <= 1536);
    let header = decode_header(token).unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::EdDSA, Some("at+jwt")));
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["contactpoint"]);
    validation.set_issuer(&["http://contactpoint.test"]);
    validation.validate_exp = false;
    let mut claims = decode::<Value>(token, &key, &validation).unwrap().claims;
    let session = claims["sid"].clone();
    claims.as_object_mut().unwrap().retain(|name, _| name != "jti" && name != "sid");
    let now = index.now().timestamp();
    let expected = json!({
        "iss": "http://contactpoint.test", "aud": "contactpoint", "sub": person.id, "client_id": "contactpoint",
        "exp": now + 600, "iat": now, "nbf": now, "auth_time": now, "role": "practitioner",
        "scope": "*", "org": authority.id, "la": authority.id, "acr": "2",
        "amr": ["pwd", "pin", "otp", "mfa"],
    });
    assert_eq!(claims, expected);

    let event = index.event(&answer).await;
    assert_eq!(
        (&event["operation"], &event["outcome"]),
        (&json!("create_session"), &json!("answered"))
    );
    assert_eq!((&event["account_id"], &event["session_id"]), (&json!(person.id), &session));
    look(&index, &bearer(&answer)).await.expect(200);
}

#[actix_web::test]
async fn which_factor_was_wrong_is_never_told() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let suspended = Person::new(&index, Role::Practitioner, authority).await;
    let suspend = "update account set status = 'suspended' where account_id = $1";
    sqlx::query(suspend).bind(suspended.id.0).execute(&index.db).await.unwrap();
    let right = person.factors(index.now());
    let wrong = |member: &str, value: &str| {
        let mut factors = right.clone();
        factors[member] = json!(value);
        factors
    };
    let earlier = person.code(after(-60));
    let first = outside(&sign_in(&index, wrong("password", "wrong")).await);
    assert_eq!(first.0, 401);
    for (second, factors) in [
        (1, wrong("pin", "000000")),
        (4, wrong("oneTimeCode", &earlier)),
        (4, wrong("userName", "nobody.at.all")),
        (4, wrong("userName", suspended.user_name.as_str())),
        (5, suspended.factors(index.now())),
    ] {
        index.clock.set(after(second));
        let answer = sign_in(&index, factors).await.refused(401, "sign-in-failed");
        let event = index.event(&answer).await;
        assert_eq!(
            (&event["problem"], &event["account_id"]),
            (&json!("sign-in-failed"), &Value::Null)
        );
        assert!(!event.to_string().contains(person.user_name.as_str()), "{event:#}");
        assert_eq!(outside(&answer), first);
    }
    index.clock.set(after(9));
    sign_in(&index, right).await.expect(200);
}

#[actix_web::test]
async fn a_one_time_code_is_used_once() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let factors = person.factors(index.now());
    sign_in(&index, factors.clone()).await.expect(200);
    sign_in(&index, factors.clone()).await.refused(401, "sign-in-failed");
    index.clock.set(after(30));
    sign_in(&index, factors).await.refused(401, "sign-in-failed");
    index.clock.set(after(33));
    person.sign_in(&index).await.expect(200);
}

#[actix_web::test]
async fn of_thirty_two_uses_of_one_code_at_once_one_is_let_in() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let behind = index.beside(&["127.0.0.1"]).await;
    let answers = join_all((0..32).map(|n| {
        let (address, factors) = (format!("192.0.{n}.7"), person.factors(index.now()));
        let behind = &behind;
        async move {
            let headers = [("X-Forwarded-For", address.as_str())];
            behind.request(None, "POST", "/v1/sessions", factors, &headers).await
        }
    }));
    let answers = answers.await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let others = answers.iter().filter(|answer| answer.status != 200);
    others.for_each(|other| assert!([401, 503].contains(&other.status), "{}", other.status));
    let sessions: i64 =
        sqlx::query_scalar("select count(*) from session").fetch_one(&index.db).await.unwrap();
    assert_eq!(sessions, 1);
}

#[actix_web::test]
async fn the_code_before_is_taken_for_five_seconds_unless_a_later_one_was_used() {
    let index = Index::start().await;
    let authority = index.authority().await;
    for (shown, used, status) in
        [(0, 29, 200), (0, 34, 200), (0, 35, 401), (30, 29, 401), (0, 60, 401)]
    {
        let person = Person::new(&index, Role::Practitioner, authority).await;
        index.clock.set(after(used));
        let answer = sign_in(&index, person.factors(after(shown))).await;
        assert_eq!(answer.status, status, "the code of second {shown} in second {used}");
    }
    let person = Person::new(&index, Role::Practitioner, authority).await;
    index.clock.set(after(31));
    person.sign_in(&index).await.expect(200);
    sign_in(&index, person.factors(after(0))).await.refused(401, "sign-in-failed");
}

#[actix_web::test]
async fn whoever_may_not_act_is_not_let_in_and_their_tokens_end_at_once() {
    let index = Index::start().await;
    let mut now = index.now();
    for (table, stop) in [
        ("account", "status = 'suspended'"),
        ("account", "status = 'closed'"),
        ("account", "vetted_until = '2026-11-15'"),
        ("account", "trained_until = '2026-11-15'"),
        ("organisation", "status = 'suspended'"),
        ("organisation", "status = 'closed'"),
    ] {
        let authority = index.authority().await;
        let child = index.child(authority).await;
        let person = Person::new(&index, Role::Practitioner, authority).await;
        let token = bearer(&person.sign_in(&index).await.expect(200));
        look(&index, &token).await.expect(200);

        let stopped = format!("update {table} set {stop} where {table}_id = $1");
        let id = if table == "account" { person.id.0 } else { authority.id };
        sqlx::query(sqlx::AssertSqlSafe(stopped)).bind(id).execute(&index.db).await.unwrap();
        look(&index, &token).await.refused(401, "unauthenticated");
        let rows = index.rows().await;
        let (path, headers) = (child.path("/involvements"), [("Authorization", token.as_str())]);
        let say = index.request(None, "POST", &path, service("socialCare"), &headers).await;
        say.refused(401, "unauthenticated");
        assert_eq!(index.rows().await, rows);
        now += TimeDelta::seconds(30);
        index.clock.set(now);
        person.sign_in(&index).await.refused(401, "sign-in-failed");
    }
}

#[actix_web::test]
async fn vetting_and_training_lapse_at_midnight_in_london() {
    let index = Index::start().await;
    let authority = index.authority().await;
    for condition in ["vetted_until", "trained_until"] {
        let person = Person::new(&index, Role::Practitioner, authority).await;
        let lapse = format!("update account set {condition} = '2027-06-30' where account_id = $1");
        sqlx::query(sqlx::AssertSqlSafe(lapse)).bind(person.id.0).execute(&index.db).await.unwrap();
        index.clock.set("2027-06-30T22:59:59Z".parse().unwrap());
        let token = bearer(&person.sign_in(&index).await.expect(200));
        look(&index, &token).await.expect(200);
        index.clock.set("2027-06-30T23:00:00Z".parse().unwrap());
        look(&index, &token).await.refused(401, "unauthenticated");
        person.sign_in(&index).await.refused(401, "sign-in-failed");
    }
}

async fn revoke(index: &Index, form: &str, headers: &[(&str, &str)]) -> Answer {
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let headers = [&kind, headers].concat();
    index.request(None, "POST", "/oauth/revoke", form.as_bytes().to_vec(), &headers).await
}

#[actix_web::test]
async fn a_revoked_token_ends_its_session_at_once_and_an_unknown_one_is_answered_alike() {
    let index = Index::start().await;
    let authority = index.authority().await;
    for (n, member) in ["accessToken", "refreshToken"].into_iter().enumerate() {
        let person = Person::new(&index, Role::Practitioner, authority).await;
        index.clock.set(after(60 * i64::try_from(n).unwrap()));
        let session = person.sign_in(&index).await.expect(200);
        look(&index, &bearer(&session)).await.expect(200);
        let form = format!("token={}", session.body[member].as_str().unwrap());
        let first = revoke(&index, &form, &[]).await.expect(200);
        look(&index, &bearer(&session)).await.refused(401, "unauthenticated");
        let again = revoke(&index, &form, &[]).await.expect(200);
        let unknown = revoke(&index, "token=nonsense", &[]).await.expect(200);
        assert_eq!(outside(&first), outside(&again));
        assert_eq!(outside(&first), outside(&unknown));
    }
    assert_eq!(revoke(&index, "token=", &[]).await.status, 400);
    assert_eq!(revoke(&index, "token_type_hint=refresh_token", &[]).await.status, 400);
}
