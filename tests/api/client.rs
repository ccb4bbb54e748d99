//! Clients: registered by the administrator, changed and stopped at once.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller, Index, Organisation},
    session::after,
    signer::Signer,
    token::{ask, look, text},
};

/// An organisation with an administrator.
pub(crate) struct Office {
    pub(crate) index: Index,
    pub(crate) school: Organisation,
    pub(crate) administrator: Caller,
}

/// A client and, where it has one, its secret.
pub(crate) struct Client {
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Client {
    pub(crate) fn of(answer: &Answer) -> Self {
        let told = |member: &str| answer.body[member].as_str().unwrap_or_default().to_owned();
        Self {
            path: format!("/v1/clients/{}", told("id")),
            id: told("id"),
            secret: told("clientSecret"),
        }
    }

    /// What it asks for a token with.
    pub(crate) fn form(&self) -> String {
        format!("grant_type=client_credentials&client_id={}&client_secret={}", self.id, self.secret)
    }

    /// A token of it, as it is sent.
    pub(crate) async fn bearer(&self, index: &Index) -> String {
        let answer = ask(index, &self.form(), "").await.expect(200);
        format!("Bearer {}", text(&answer, "access_token"))
    }
}

impl Office {
    pub(crate) async fn new() -> Self {
        let index = Index::start().await;
        let school = index.organisation("school", Some(index.authority().await)).await;
        let administrator = index.account(Role::AccountAdministrator, school).await;
        Self { index, school, administrator }
    }

    pub(crate) async fn register(&self, body: Value) -> Answer {
        self.index.post(&self.administrator, "/v1/clients", body).await
    }

    /// A client with a secret, of which this is said too.
    pub(crate) async fn client(&self, more: Value) -> Client {
        let mut body = with_secret();
        body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        Client::of(&self.register(body).await.expect(201))
    }

    async fn change(&self, client: &Client, version: i64, body: Value) -> Answer {
        self.index.patch(&self.administrator, &client.path, version, body).await
    }

    async fn renew(&self, client: &Client) -> Answer {
        let path = format!("{}/secrets", client.path);
        self.index.post(&self.administrator, &path, Value::Null).await
    }

    async fn open(&self, client: &Client) -> Answer {
        self.index.get(&self.administrator, &client.path).await.expect(200)
    }
}

fn with_secret() -> Value {
    json!({ "name": "Example MIS", "role": "feed", "tokenEndpointAuthMethod": "client_secret" })
}

fn with_keys(jwks: &Value) -> Value {
    json!({ "name": "Example MIS", "role": "feed", "tokenEndpointAuthMethod": "private_key_jwt", "jwks": jwks })
}

#[actix_web::test]
async fn a_client_is_registered_with_a_secret_that_is_told_once_and_kept_nowhere() {
    let office = Office::new().await;
    let key = [("Idempotency-Key", "client-1")];
    let (path, body) = ("/v1/clients", with_secret());
    let register = || office.index.request(&office.administrator, "POST", path, body.clone(), &key);
    let first = register().await.expect(201);
    let again = register().await.expect(201);
    let client = Client::of(&first);
    assert_eq!((client.secret.len(), first.header("Location")), (43, &*client.path));
    assert_eq!(
        first.body,
        json!({
            "id": client.id, "organisationId": office.school.id, "name": "Example MIS", "role": "feed", "status": "active",
            "tokenEndpointAuthMethod": "client_secret", "clientSecret": client.secret, "dpopRequired": false,
            "requestsPerSecond": 5, "version": 1,
        })
    );
    let mut untold = first.body.clone();
    untold.as_object_mut().unwrap().remove("clientSecret");
    assert_eq!(again.body, untold);
    assert_eq!(office.open(&client).await.body, untold);
    let event = office.index.event(&first).await;
    assert_eq!(
        (&event["operation"], &event["details"]["client"]),
        (&json!("register_client"), &json!(client.id))
    );
    for table in ["idempotency", "client", "audit_event"] {
        let dump = format!("select coalesce(string_agg(t::text, ''), '') from {table} t");
        let dump = sqlx::query_scalar(sqlx::AssertSqlSafe(dump));
        let dump: String = dump.fetch_one(&office.index.db).await.unwrap();
        assert!(!dump.contains(&client.secret), "{table}");
    }
    let bearer = client.bearer(&office.index).await;
    look(&office.index, &bearer).await.expect(200);
}

#[actix_web::test]
async fn a_client_with_keys_has_no_secret() {
    let office = Office::new().await;
    let signer = Signer::new("EdDSA");
    let answer = office.register(with_keys(&signer.jwks())).await.expect(201);
    assert_eq!(answer.body.get("clientSecret"), None);
    assert_eq!(answer.body["jwks"], signer.jwks());
    let client = Client::of(&answer);
    office.renew(&client).await.refused(409, "client-has-keys");
    let mut body = with_keys(&Value::Null);
    body.as_object_mut().unwrap().remove("jwks");
    body["jwksUri"] = json!("https://mis.example/jwks.json");
    let answer = office.register(body).await.expect(201);
    assert_eq!(answer.body["jwksUri"], "https://mis.example/jwks.json");
}

#[actix_web::test]
async fn what_is_not_a_sound_registration_is_refused_and_nothing_is_stored() {
    let office = Office::new().await;
    let other = office.index.organisation("school", None).await;
    let (jwk, rsa) = (Signer::new("ES256").jwk(), Signer::new("RS256").jwk());
    let with = |member: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        json!({ "keys": [jwk] })
    };
    let mut short = rsa;
    short["n"] = json!(&short["n"].as_str().unwrap()[..171]);
    let rows = office.index.rows().await;
    for (body, changed, pointer) in [
        (with_secret(), json!({ "role": "practitioner" }), "/role"),
        (with_secret(), json!({ "name": "" }), "/name"),
        (with_secret(), json!({ "organisationId": other.id }), "/organisationId"),
        (with_secret(), json!({ "requestsPerSecond": 0 }), "/requestsPerSecond"),
        (with_secret(), json!({ "requestsPerSecond": 1001 }), "/requestsPerSecond"),
        (with_secret(), json!({ "tokenEndpointAuthMethod": "none" }), "/tokenEndpointAuthMethod"),
        (with_secret(), json!({ "jwks": { "keys": [jwk] } }), "/jwks"),
        (with_secret(), json!({ "jwksUri": "https://mis.example/" }), "/jwksUri"),
        (with_secret(), json!({ "scopes": [] }), "/scopes"),
        (with_secret(), json!({ "scopes": ["flag:write", "child:read"] }), "/scopes/1"),
        (with_secret(), json!({ "scopes": ["stop:write"] }), "/scopes/0"),
        (with_secret(), json!({ "scopes": ["no:such"] }), "/scopes/0"),
        (with_secret(), json!({ "role": "caseSystem", "scopes": ["account:write"] }), "/scopes/0"),
        (with_keys(&json!({ "keys": [] })), json!({}), "/jwks/keys"),
        (with_keys(&json!({ "keys": [jwk, jwk] })), json!({}), "/jwks/keys"),
        (with_keys(&json!({ "keys": vec![jwk.clone(); 21] })), json!({}), "/jwks/keys"),
        (with_keys(&with("d", json!("AQAB"))), json!({}), "/jwks/keys/0"),
        (with_keys(&with("kty", json!("oct"))), json!({}), "/jwks/keys/0"),
        (with_keys(&with("use", json!("enc"))), json!({}), "/jwks/keys/0"),
        (with_keys(&with("y", json!("AA"))), json!({}), "/jwks/keys/0"),
        (with_keys(&json!({ "keys": [short] })), json!({}), "/jwks/keys/0"),
        (
            with_keys(&json!({ "keys": [jwk] })),
            json!({ "jwksUri": "https://mis.example/" }),
            "/jwksUri",
        ),
        (
            json!({ "name": "A", "role": "feed", "tokenEndpointAuthMethod": "private_key_jwt" }),
            json!({}),
            "/jwks",
        ),
    ] {
        let mut body = body;
        body.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
        let answer = office.register(body).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [pointer], "{changed}");
    }
    for uri in [
        "http://mis.example/",
        "https://",
        "https://a b/",
        "https://u@mis.example/",
        "mis.example",
        "file:///etc",
    ] {
        let body = json!({ "name": "A", "role": "feed", "tokenEndpointAuthMethod": "private_key_jwt", "jwksUri": uri });
        let answer = office.register(body).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), ["/jwksUri"], "{uri}");
    }
    let body = with_keys(&json!({ "keys": [jwk], "more": 1 }));
    office.register(body).await.refused(422, "unknown-property");
    assert_eq!(office.index.rows().await, rows, "nothing was stored");
}

#[actix_web::test]
async fn scopes_are_kept_in_the_order_of_the_table_and_each_once() {
    let office = Office::new().await;
    let client =
        office.client(json!({ "scopes": ["flag:write", "involvement:read", "flag:write"] })).await;
    let scopes = office.open(&client).await.body["scopes"].clone();
    assert_eq!(scopes, json!(["involvement:read", "flag:write"]));
    let case = json!({ "role": "caseSystem", "scopes": ["child:read", "organisation:read"] });
    let case = office.client(case).await;
    let granted = ask(&office.index, &case.form(), "").await.expect(200);
    assert_eq!(granted.body["scope"], "organisation:read", "by itself it has only its own");
    let with_a_person =
        office.client(json!({ "role": "caseSystem", "scopes": ["child:read"] })).await;
    ask(&office.index, &with_a_person.form(), "").await.refused(400, "invalid_scope");
}

#[actix_web::test]
async fn every_page_of_clients_goes_on_where_the_one_before_ended() {
    let office = Office::new().await;
    for name in ["Beta", "Alpha", "Beta", "Gamma", "Delta"] {
        office.client(json!({ "name": name })).await;
    }
    let closed = office.client(json!({ "name": "Closed" })).await;
    office.change(&closed, 1, json!({ "status": "closed" })).await.expect(200);
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/clients?status=active&limit=2{next}");
        let page = office.index.get(&office.administrator, &path).await.expect(200).body;
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    assert_eq!(names, ["Alpha", "Beta", "Beta", "Delta", "Gamma"]);
    let nonsense = office.index.get(&office.administrator, "/v1/clients?after=bm8").await;
    nonsense.refused(400, "invalid-query");
}

#[actix_web::test]
async fn the_operator_registers_clients_of_national_partners_alone() {
    let office = Office::new().await;
    let [own, partner] = [(); 2].map(|()| office.index.organisation("nationalPartner", None));
    let (own, partner) = (own.await, partner.await);
    let operator = office.index.account(Role::Operator, own).await;
    let mut body = with_secret();
    body["organisationId"] = json!(partner.id);
    let client = office.index.post(&operator, "/v1/clients", body.clone()).await.expect(201);
    let path = client.header("Location").to_owned();
    office.index.get(&operator, &path).await.expect(200);
    office.index.get(&office.administrator, &path).await.refused(404, "not-found");
    body["organisationId"] = json!(office.school.id);
    let answer = office.index.post(&operator, "/v1/clients", body).await;
    assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/organisationId"]);
}

#[actix_web::test]
async fn every_change_but_of_the_name_ends_the_sessions_of_a_client() {
    let office = Office::new().await;
    let signer = Signer::new("EdDSA");
    for (change, ends) in [
        (json!({ "name": "Another MIS" }), false),
        (json!({ "scopes": ["organisation:read"] }), true),
        (json!({ "dpopRequired": true }), true),
        (json!({ "requestsPerSecond": 7 }), true),
        (json!({ "tokenEndpointAuthMethod": "private_key_jwt", "jwks": signer.jwks() }), true),
        (json!({ "status": "suspended" }), true),
        (json!({ "status": "closed" }), true),
    ] {
        let client = office.client(json!({})).await;
        let bearer = client.bearer(&office.index).await;
        let changed = office.change(&client, 1, change.clone()).await.expect(200);
        assert_eq!(changed.version(), 2);
        for (member, value) in change.as_object().unwrap() {
            assert_eq!(&changed.body[member], value);
        }
        let event = office.index.event(&changed).await;
        assert_eq!(event["operation"], "change_client");
        let expected = if ends { 401 } else { 200 };
        assert_eq!(look(&office.index, &bearer).await.status, expected, "{change}");
    }
}

#[actix_web::test]
async fn a_suspended_client_may_go_on_and_a_closed_one_never() {
    let office = Office::new().await;
    let client = office.client(json!({})).await;
    office.change(&client, 1, json!({ "status": "suspended" })).await.expect(200);
    ask(&office.index, &client.form(), "").await.refused(401, "invalid_client");
    office.change(&client, 2, json!({ "status": "active" })).await.expect(200);
    let bearer = client.bearer(&office.index).await;
    office.change(&client, 3, json!({ "status": "closed" })).await.expect(200);
    look(&office.index, &bearer).await.refused(401, "unauthenticated");
    ask(&office.index, &client.form(), "").await.refused(401, "invalid_client");
    for change in [json!({ "status": "active" }), json!({ "name": "Another MIS" })] {
        office.change(&client, 4, change).await.refused(409, "client-closed");
    }
    office.renew(&client).await.refused(409, "client-closed");
}

#[actix_web::test]
async fn a_new_secret_takes_the_place_of_the_old_at_once() {
    let office = Office::new().await;
    let client = office.client(json!({})).await;
    let bearer = client.bearer(&office.index).await;
    let path = format!("{}/secrets", client.path);
    let key = [("Idempotency-Key", "secret-1")];
    let renew = || office.index.request(&office.administrator, "POST", &path, (), &key);
    let answer = renew().await.expect(201);
    let renewed = Client::of(&answer);
    assert_ne!(renewed.secret, client.secret);
    assert_eq!((answer.version(), answer.header("Location")), (2, &*client.path));
    look(&office.index, &bearer).await.refused(401, "unauthenticated");
    ask(&office.index, &client.form(), "").await.refused(401, "invalid_client");
    let bearer = renewed.bearer(&office.index).await;
    assert_eq!(renew().await.expect(201).body.get("clientSecret"), None);
    look(&office.index, &bearer).await.expect(200);
}

#[actix_web::test]
async fn a_client_changes_from_a_secret_to_keys_and_back() {
    let office = Office::new().await;
    let client = office.client(json!({})).await;
    for (member, pointer) in [("jwks", "/jwks"), ("jwksUri", "/jwksUri")] {
        let value = if member == "jwks" {
            Signer::new("ES256").jwks()
        } else {
            json!("https://a.example/")
        };
        let answer = office.change(&client, 1, json!({ member: value })).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), [pointer]);
    }
    let change = json!({ "tokenEndpointAuthMethod": "private_key_jwt" });
    let answer = office.change(&client, 1, change).await.refused(422, "invalid-value");
    assert_eq!(answer.pointers(), ["/jwks"]);
    let uri =
        json!({ "tokenEndpointAuthMethod": "private_key_jwt", "jwksUri": "https://a.example/" });
    let answer = office.change(&client, 1, uri).await.expect(200);
    assert_eq!((answer.body.get("clientSecret"), answer.body.get("jwks")), (None, None));
    ask(&office.index, &client.form(), "").await.refused(401, "invalid_client");
    let jwks = Signer::new("ES256").jwks();
    let answer = office.change(&client, 2, json!({ "jwks": jwks })).await.expect(200);
    assert_eq!((answer.body.get("jwksUri"), &answer.body["jwks"]), (None, &jwks));
    let back = json!({ "tokenEndpointAuthMethod": "client_secret" });
    let answer = office.change(&client, 3, back).await.expect(200);
    assert_eq!(answer.body.get("jwks"), None);
    Client::of(&answer).bearer(&office.index).await;
}

#[actix_web::test]
async fn clients_are_changed_only_after_a_fresh_sign_in_and_from_the_present_version() {
    let office = Office::new().await;
    let client = office.client(json!({})).await;
    let name = || json!({ "name": "Another MIS" });
    office.change(&client, 2, name()).await.refused(412, "precondition-failed");
    let none = [("If-Match", "")];
    let answer =
        office.index.request(&office.administrator, "PATCH", &client.path, name(), &none).await;
    answer.refused(428, "precondition-required");
    let at_once = (0..8).map(|_| office.change(&client, 1, name()));
    let statuses: Vec<_> =
        join_all(at_once).await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");

    let token = format!("Bearer {}", office.index.token(&office.administrator));
    let headers = [("Authorization", token.as_str()), ("If-Match", "\"2\"")];
    office.index.clock.set(after(301));
    let stale = office.index.request(None, "PATCH", &client.path, name(), &headers).await;
    stale.refused(401, "step-up-required");
    office.index.request(None, "GET", &client.path, (), &headers[..1]).await.expect(200);
}
