//! Clients that prove themselves by a key: what is believed, and what is not.

use contactpoint::access::{Role, scopes};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    client::{Client, Office},
    forged::{Forger, ISSUER, SHORT_KEY},
    harness::{Answer, Directory, Says},
    session::{after, outside},
    signer::Signer,
    token::{FORM, ask, basic, look, text},
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that has a key, beside another that has one.
struct Bench {
    office: Office,
    own: Signer,
    client: Client,
    other_signer: Signer,
    other: Client,
    stranger: Signer,
}

impl Bench {
    async fn new(alg: &'static str) -> Self {
        let office = Office::new().await;
        let [own, other_signer, stranger] =
            [Signer::new(alg), Signer::new("EdDSA"), Signer::new("EdDSA")];
        let [client, other] = [
            keyed(&office, json!({ "jwks": own.jwks() })).await,
            keyed(&office, json!({ "jwks": other_signer.jwks() })).await,
        ];
        Self { office, own, client, other_signer, other, stranger }
    }

    fn forger(&self) -> Forger<'_> {
        Forger {
            id: &self.client.id,
            own: &self.own,
            other: (&self.other.id, &self.other_signer),
            stranger: &self.stranger,
            now: self.office.index.now().timestamp(),
        }
    }

    /// An assertion of which these members of header and claims differ.
    fn assertion(&self, header: &Value, claims: &Value) -> String {
        let forger = self.forger();
        let with = |mut of: Value, changed: &Value| {
            of.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
            of.to_string()
        };
        self.own.token(with(forger.header(), header), with(forger.claims(), claims))
    }

    async fn ask(&self, assertion: &str) -> Answer {
        self.send(&[("client_assertion", assertion)]).await
    }

    /// Asks for a token with these parameters, and the type of the assertion where it is not among them.
    async fn send(&self, parameters: &[(&str, &str)]) -> Answer {
        ask(&self.office.index, &form(parameters), "").await
    }
}

fn form(parameters: &[(&str, &str)]) -> String {
    let mut all = vec![("grant_type", "client_credentials")];
    if !parameters.iter().any(|(name, _)| *name == "client_assertion_type") {
        all.push(("client_assertion_type", TYPE));
    }
    serde_urlencoded::to_string([&all, parameters].concat()).unwrap()
}

async fn keyed(office: &Office, more: Value) -> Client {
    let mut body = json!({ "name": "Example MIS", "role": "feed", "tokenEndpointAuthMethod": "private_key_jwt" });
    body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    Client::of(&office.register(body).await.expect(201))
}

#[actix_web::test]
async fn a_client_that_signs_with_its_key_gets_a_token() {
    for alg in ["EdDSA", "ES256", "RS256", "PS256"] {
        let bench = Bench::new(alg).await;
        let answer = bench.ask(&bench.forger().good()).await.expect(200);
        assert_eq!(answer.body["scope"], scopes(Role::Feed), "{alg}");
        assert_eq!(answer.body["refresh_token"], Value::Null);
        let event = bench.office.index.event(&answer).await;
        assert_eq!(
            (&event["operation"], &event["client_id"], &event["outcome"]),
            (&json!("issue_token"), &json!(bench.client.id), &json!("answered"))
        );
        let token = format!("Bearer {}", text(&answer, "access_token"));
        look(&bench.office.index, &token).await.expect(200);
    }
}

#[actix_web::test]
async fn an_assertion_may_be_written_in_every_way_that_the_standards_have() {
    let bench = Bench::new("ES256").await;
    let now = bench.office.index.now().timestamp();
    for (header, claims) in [
        (json!({ "typ": "client-authentication+jwt" }), json!({})),
        (json!({ "typ": "application/client-authentication+jwt" }), json!({})),
        (json!({ "typ": "jwt" }), json!({})),
        (json!({}), json!({ "exp": now + 300 })),
        (json!({}), json!({ "exp": now - 59, "iat": now - 119 })),
        (json!({}), json!({ "iat": now + 59, "nbf": now + 59 })),
        (json!({}), json!({ "iat": now - 86_400 })),
        (json!({}), json!({ "nbf": now })),
        (json!({}), json!({ "jti": "é".repeat(128) })),
        (json!({}), json!({ "jti": "1" })),
        (json!({}), json!({ "azp": "something", "more": [1, 2.5, null] })),
    ] {
        let answer = bench.ask(&bench.assertion(&header, &claims)).await;
        assert_eq!(answer.status, 200, "{header} {claims}");
    }
    let mut unnamed = bench.forger().header();
    unnamed.as_object_mut().unwrap().remove("kid");
    let unnamed = bench.own.token(unnamed.to_string(), bench.forger().claims().to_string());
    bench.ask(&unnamed).await.expect(200);
    let named = bench.forger().good();
    bench.send(&[("client_assertion", &named), ("client_id", &bench.client.id)]).await.expect(200);
}

#[actix_web::test]
async fn no_hostile_assertion_is_believed_and_every_refusal_is_the_same() {
    let bench = Bench::new("EdDSA").await;
    let index = &bench.office.index;
    let first = bench.forger().good();
    bench.ask(&first).await.expect(200);
    let rows = index.rows().await;
    let nobody = form(&[("client_assertion", "nobody")]);
    let expected = outside(&ask(index, &nobody, "").await.refused(401, "invalid_client"));
    let mut hostile = bench.forger().all();
    assert!(hostile.len() >= 90, "{}", hostile.len());
    hostile.push(("used before".to_owned(), first));
    for (what, assertion) in &hostile {
        let answer = bench.ask(assertion).await;
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(outside(&answer), expected, "{what}");
        assert_eq!(index.event(&answer).await["problem"], "invalid_client", "{what}");
        let token = FORM;
        let revoke = serde_urlencoded::to_string([
            ("token", "x"),
            ("client_assertion", assertion),
            ("client_assertion_type", TYPE),
        ]);
        let revoked =
            index.request(None, "POST", "/oauth/revoke", &*revoke.unwrap(), &[token]).await;
        assert_eq!(outside(&revoked), expected, "{what}, to revoke");
    }
    assert_eq!(index.rows().await, rows, "nothing was stored");
    bench.ask(&bench.forger().good()).await.expect(200);
}

#[actix_web::test]
async fn a_key_of_1024_bits_proves_nothing() {
    let bench = Bench::new("EdDSA").await;
    let [modulus, id, assertion] = SHORT_KEY;
    let jwks = json!({ "keys": [{ "kty": "RSA", "n": modulus, "e": "AQAB", "kid": "own" }] });
    sqlx::query(
        "insert into client (client_id, name, organisation_id, role, auth_method, jwks, created_at)
         values ($1::uuid, 'Example', $2, 'feed', 'private_key_jwt', $3, $4)",
    )
    .bind(id)
    .bind(bench.office.school.id)
    .bind(jwks)
    .bind(bench.office.index.now())
    .execute(&bench.office.index.db)
    .await
    .unwrap();
    bench.ask(assertion).await.refused(401, "invalid_client");
}

#[actix_web::test]
async fn a_client_proves_itself_in_the_one_way_that_it_is_registered_for() {
    let bench = Bench::new("EdDSA").await;
    let index = &bench.office.index;
    let with_secret = bench.office.client(json!({})).await;
    let good = || bench.forger().good();
    let expected = outside(&ask(index, "grant_type=client_credentials", "").await);
    let plain = "grant_type=client_credentials";
    let own = &bench.client.id;
    for (form, authorization) in [
        (format!("{plain}&client_id={own}&client_secret=none"), String::new()),
        (format!("{plain}&client_id={own}&client_secret="), String::new()),
        (plain.to_owned(), basic(own, "none")),
        (plain.to_owned(), basic(own, "")),
        (form(&[("client_assertion", &good()), ("client_id", &with_secret.id)]), String::new()),
        (form(&[("client_assertion", &good()), ("client_id", "nobody")]), String::new()),
        (
            form(&[("client_assertion", &good()), ("client_assertion_type", "urn:other")]),
            String::new(),
        ),
        (
            format!("{plain}&client_id={}", bench.other.id),
            basic(&with_secret.id, &with_secret.secret),
        ),
    ] {
        let answer = ask(index, &form, &authorization).await.refused(401, "invalid_client");
        assert_eq!(outside(&answer), expected, "{form} {authorization}");
    }
    let forged = Forger { id: &with_secret.id, ..bench.forger() };
    bench.ask(&forged.good()).await.refused(401, "invalid_client");
    let good = good();
    for (parameters, authorization) in [
        (vec![("client_assertion", &*good), ("client_secret", "none")], String::new()),
        (vec![("client_assertion", &*good)], basic(own, "none")),
        (vec![("client_assertion", &*good)], "Bearer none".to_owned()),
        (vec![("client_assertion", &*good), ("client_assertion", &*good)], String::new()),
        (
            vec![
                ("client_assertion", &*good),
                ("client_assertion_type", TYPE),
                ("client_assertion_type", TYPE),
            ],
            String::new(),
        ),
        (vec![("client_assertion_type", TYPE)], String::new()),
    ] {
        let answer = ask(index, &form(&parameters), &authorization).await;
        answer.refused(400, "invalid_request");
    }
    let untyped = format!("{plain}&client_assertion={good}");
    ask(index, &untyped, "").await.refused(400, "invalid_request");
    bench.ask(&good).await.expect(200);
}

#[actix_web::test]
async fn of_many_uses_at_once_of_one_assertion_at_two_servers_one_wins() {
    let bench = Bench::new("EdDSA").await;
    let good = bench.forger().good();
    let second = bench.office.index.beside(&[]).await;
    let form = form(&[("client_assertion", &good)]);
    let servers = [&bench.office.index, &second];
    let answers = join_all((0..32).map(|n| ask(servers[n % 2], &form, ""))).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| [200, 401, 503].contains(&answer.status)));
    for seconds in [59, 119] {
        bench.office.index.clock.set(after(seconds));
        bench.ask(&good).await.refused(401, "invalid_client");
    }
}

#[actix_web::test]
async fn two_clients_may_use_one_number() {
    let bench = Bench::new("EdDSA").await;
    let now = bench.office.index.now().timestamp();
    let of = |id: &str, signer: &Signer| {
        let claims =
            json!({ "iss": id, "sub": id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": "1" });
        signer.token(bench.forger().header().to_string(), claims.to_string())
    };
    bench.ask(&of(&bench.client.id, &bench.own)).await.expect(200);
    bench.ask(&of(&bench.other.id, &bench.other_signer)).await.expect(200);
}

#[actix_web::test]
async fn an_assertion_that_is_refused_for_something_else_is_not_used_up() {
    let bench = Bench::new("EdDSA").await;
    let good = bench.forger().good();
    for scope in ["child:read", "no:such", "", "involvement:read  flag:write"] {
        let answer = bench.send(&[("client_assertion", &good), ("scope", scope)]).await;
        answer.refused(400, "invalid_scope");
    }
    let asked = "flag:write involvement:read";
    let answer = bench.send(&[("client_assertion", &good), ("scope", asked)]).await.expect(200);
    assert_eq!(answer.body["scope"], "involvement:read flag:write");
}

#[actix_web::test]
async fn a_token_permits_what_was_asked_for_and_no_more() {
    let office = Office::new().await;
    let client = office.client(json!({ "scopes": ["organisation:read", "policy:read"] })).await;
    let form = format!("{}&scope=policy:read", client.form());
    let narrow = ask(&office.index, &form, "").await.expect(200);
    assert_eq!(narrow.body["scope"], "policy:read");
    let token = format!("Bearer {}", text(&narrow, "access_token"));
    look(&office.index, &token).await.refused(403, "forbidden");
    let whole = ask(&office.index, &client.form(), "").await.expect(200);
    assert_eq!(whole.body["scope"], "organisation:read policy:read");
    let more = format!("{}&scope=flag:write", client.form());
    ask(&office.index, &more, "").await.refused(400, "invalid_scope");
}

#[actix_web::test]
async fn a_client_that_is_stopped_proves_nothing_any_more() {
    let bench = Bench::new("EdDSA").await;
    let index = &bench.office.index;
    for stop in [
        "update client set status = 'suspended'",
        "update client set status = 'active'",
        "update organisation set status = 'suspended' where kind = 'school'",
    ] {
        sqlx::query(stop).execute(&index.db).await.unwrap();
        let expected = if stop.contains("'active'") { 200 } else { 401 };
        assert_eq!(bench.ask(&bench.forger().good()).await.status, expected, "{stop}");
    }
}

#[actix_web::test]
async fn a_client_revokes_its_own_tokens_and_no_others() {
    let bench = Bench::new("EdDSA").await;
    let index = &bench.office.index;
    let own = bench.ask(&bench.forger().good()).await.expect(200);
    let with_secret = bench.office.client(json!({})).await;
    let other = ask(index, &with_secret.form(), "").await.expect(200);
    let revoke = async |token: &str| {
        let assertion = bench.forger().good();
        let form =
            [("token", token), ("client_assertion", &assertion), ("client_assertion_type", TYPE)];
        let form = serde_urlencoded::to_string(form).unwrap();
        index.request(None, "POST", "/oauth/revoke", &*form, &[FORM]).await
    };
    revoke(text(&other, "access_token")).await.refused(401, "invalid_client");
    look(index, &format!("Bearer {}", text(&other, "access_token"))).await.expect(200);
    revoke("unknown").await.expect(200);
    revoke(text(&own, "access_token")).await.expect(200);
    look(index, &format!("Bearer {}", text(&own, "access_token")))
        .await
        .refused(401, "unauthenticated");
}

#[actix_web::test]
async fn keys_are_taken_from_where_a_client_publishes_them() {
    let bench = Bench::new("EdDSA").await;
    let index = &bench.office.index;
    let directory = Directory::start(Says::Gone);
    let publish = "update client set jwks = null, jwks_uri = $2 where client_id = $1::uuid";
    let publish = sqlx::query(publish).bind(&bench.client.id).bind(directory.keys_url());
    publish.execute(&index.db).await.unwrap();
    let answer = bench.ask(&bench.forger().good()).await.refused(503, "unavailable");
    assert_eq!(answer.header("Retry-After"), "10");
    directory.says(Says::Keys(vec![bench.own.jwk()]));
    index.clock.set(after(10));
    bench.ask(&bench.forger().good()).await.expect(200);
    let fetches = directory.fetches();
    directory.says(Says::Gone);
    index.clock.set(after(3600));
    bench.ask(&bench.forger().good()).await.expect(200);
    let other = Forger { own: &bench.stranger, ..bench.forger() };
    bench.ask(&other.good()).await.refused(401, "invalid_client");
    assert!(directory.fetches() <= fetches + 2, "a key that is unknown is asked for seldom");
}

#[actix_web::test]
async fn a_registered_address_of_keys_is_a_public_one() {
    let office = Office::new().await;
    for uri in [
        "https://127.0.0.1/jwks",
        "https://u@mis.example/jwks",
        "https://mis.example/jwks#1",
        "https://mis.example:8443/",
    ] {
        let body = json!({ "name": "A", "role": "feed", "tokenEndpointAuthMethod": "private_key_jwt", "jwksUri": uri });
        let answer = office.register(body).await;
        if answer.status != 201 {
            assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/jwksUri"], "{uri}");
        }
    }
}

#[actix_web::test]
async fn a_token_is_bound_to_the_key_of_a_proof_and_always_where_the_registration_says_so() {
    let office = Office::new().await;
    let index = &office.index;
    let (free, bound) =
        (office.client(json!({})).await, office.client(json!({ "dpopRequired": true })).await);
    let holder = Signer::new("ES256");
    let now = index.now().timestamp();
    let ask = async |client: &Client, proof: &str| {
        index.request(None, "POST", "/oauth/token", &*client.form(), &[FORM, ("DPoP", proof)]).await
    };
    assert_eq!(ask(&free, "").await.expect(200).body["token_type"], "Bearer");
    ask(&bound, "").await.refused(400, "invalid_dpop_proof");
    for client in [&free, &bound] {
        let proof = holder.proof(&client.id, now);
        let answer = ask(client, &proof).await.expect(200);
        assert_eq!(answer.body["token_type"], "DPoP");
        let plain = format!("Bearer {}", text(&answer, "access_token"));
        look(index, &plain).await.refused(401, "unauthenticated");
        ask(client, &proof).await.refused(400, "invalid_dpop_proof");
        for wrong in [holder.proof("old", now - 61), "nonsense".to_owned()] {
            ask(client, &wrong).await.refused(400, "invalid_dpop_proof");
        }
    }
    let unknown = Client { secret: "wrong".to_owned(), ..bound };
    ask(&unknown, "nonsense").await.refused(401, "invalid_client");
}

#[actix_web::test]
async fn the_metadata_say_how_clients_prove_themselves() {
    let office = Office::new().await;
    let path = "/.well-known/oauth-authorization-server";
    let told = office.index.request(None, "GET", path, (), &[]).await.expect(200).body;
    let algorithms = json!(["EdDSA", "ES256", "RS256", "PS256"]);
    let methods = json!(["private_key_jwt", "client_secret_post", "client_secret_basic"]);
    assert_eq!(told["token_endpoint_auth_methods_supported"], methods);
    assert_eq!(told["token_endpoint_auth_signing_alg_values_supported"], algorithms);
    assert_eq!(told["dpop_signing_alg_values_supported"], algorithms);
    assert_eq!(
        told["grant_types_supported"],
        json!([
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:token-exchange"
        ])
    );
}
