//! Tokens that are bound to a key, and the proofs that come with them (RFC 9449).

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contactpoint::{access::Role, digest::sha256};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Index, Operation, Scene},
    session::Person,
};

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Somebody who holds a key.
pub(crate) struct Holder(Ed25519KeyPair);

impl Holder {
    pub(crate) fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn x(&self) -> String {
        encoded(self.0.public_key())
    }

    /// The thumbprint of the key (RFC 7638).
    pub(crate) fn jkt(&self) -> String {
        encoded(sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.x()).as_bytes()))
    }

    /// A proof for a request of `index` with `token`, with these claims instead.
    pub(crate) fn proof(
        &self,
        index: &Index,
        method: &str,
        path: &str,
        token: Option<&str>,
        other: &Value,
    ) -> String {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": self.x() });
        let header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk });
        let mut claims = json!({ "jti": Uuid::new_v4(), "htm": method,
            "htu": format!("http://contactpoint.test{path}"), "iat": index.now().timestamp() });
        if let Some(token) = token {
            claims["ath"] = json!(encoded(sha256(token.as_bytes())));
        }
        for (name, value) in other.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        format!("{message}.{}", encoded(self.0.sign(message.as_bytes())))
    }
}

/// A practitioner whose token is bound to a key.
struct Bound {
    index: Index,
    scene: Scene,
    holder: Holder,
    token: String,
}

const LIST: &str = "/v1/organisations";

impl Bound {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let holder = Holder::new();
        let token = index.bound_token(scene.caller(Role::Practitioner), Some(&holder.jkt()));
        Self { index, scene, holder, token }
    }

    fn caller(&self) -> &Caller {
        self.scene.caller(Role::Practitioner)
    }

    async fn send(&self, path: &str, scheme: &str, proof: &str) -> Answer {
        let authorization = format!("{scheme} {}", self.token);
        let headers = [("Authorization", authorization.as_str()), ("DPoP", proof)];
        self.index.request(None, "GET", path, (), &headers).await
    }

    fn proof(&self, other: &Value) -> String {
        self.holder.proof(&self.index, "GET", LIST, Some(&self.token), other)
    }
}

#[actix_web::test]
async fn a_bound_token_is_good_with_a_proof_of_its_key_for_this_request_once() {
    let bound = Bound::new().await;
    let proof = bound.proof(&json!({}));
    let answer = bound.send(LIST, "DPoP", &proof).await.expect(200);
    assert_eq!(bound.index.event(&answer).await["account_id"], json!(bound.caller().id));
    let again = bound.send(LIST, "DPoP", &proof).await.refused(401, "dpop-proof-refused");
    assert!(again.header("WWW-Authenticate").starts_with("DPoP error=\"invalid_dpop_proof\""));
    assert_eq!(bound.index.event(&again).await["outcome"], "refused");
    bound.send(&format!("{LIST}?limit=1"), "dpop", &bound.proof(&json!({}))).await.expect(200);
}

#[actix_web::test]
async fn a_bound_token_is_nothing_without_its_proof_on_any_operation() {
    let bound = Bound::new().await;
    let target = bound.index.own(&bound.scene).await;
    let stolen = Holder::new();
    for operation in Operation::all().filter(|operation| operation.policy().is_some()) {
        let path = operation.path(&target);
        let of_another =
            stolen.proof(&bound.index, operation.method, &path, Some(&bound.token), &json!({}));
        for (scheme, proof, problem) in [
            ("Bearer", "", "unauthenticated"),
            ("DPoP", "", "dpop-proof-refused"),
            ("DPoP", of_another.as_str(), "dpop-proof-refused"),
        ] {
            let authorization = format!("{scheme} {}", bound.token);
            let headers = [("Authorization", authorization.as_str()), ("DPoP", proof)];
            let body = operation.example();
            let answer = bound.index.ask(operation, None, &target, body, &headers).await;
            answer.refused(401, problem);
        }
    }
}

#[actix_web::test]
async fn a_proof_for_another_request_token_or_time_is_refused() {
    let bound = Bound::new().await;
    let now = bound.index.now().timestamp();
    for other in [
        json!({ "htm": "POST" }),
        json!({ "htu": "http://contactpoint.test/v1/accounts" }),
        json!({ "htu": "http://elsewhere.test/v1/organisations" }),
        json!({ "iat": now - 61 }),
        json!({ "iat": now + 31 }),
        json!({ "ath": encoded(sha256(b"another token")) }),
        json!({ "jti": "" }),
    ] {
        let answer = bound.send(LIST, "DPoP", &bound.proof(&other)).await;
        assert_eq!((answer.status, answer.problem()), (401, "dpop-proof-refused"), "{other}");
    }
    let token = bound.index.token(bound.caller());
    let authorization = format!("DPoP {token}");
    let proof = bound.holder.proof(&bound.index, "GET", LIST, Some(&token), &json!({}));
    let headers = [("Authorization", authorization.as_str()), ("DPoP", proof.as_str())];
    let unbound = bound.index.request(None, "GET", LIST, (), &headers).await;
    unbound.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn of_thirty_two_uses_of_one_proof_at_once_one_is_answered() {
    let bound = Bound::new().await;
    let proof = bound.proof(&json!({}));
    let answers = join_all((0..32).map(|_| bound.send(LIST, "DPoP", &proof))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[actix_web::test]
async fn a_change_uses_its_proof_up_with_the_change() {
    let bound = Bound::new().await;
    let child = bound.index.child(bound.scene.authority).await;
    let path = child.path("/involvements");
    let proof = bound.holder.proof(&bound.index, "POST", &path, Some(&bound.token), &json!({}));
    let authorization = format!("DPoP {}", bound.token);
    let headers = [("Authorization", authorization.as_str()), ("DPoP", proof.as_str())];
    let change = |service: &str| crate::involvement::service(service);
    let send = |body: Value| bound.index.request(None, "POST", &path, body, &headers);
    send(change("school")).await.expect(201);
    let rows = bound.index.rows().await;
    send(change("earlyYears")).await.refused(401, "dpop-proof-refused");
    assert_eq!(bound.index.rows().await, rows, "nothing was stored");
}

/// Signs in with a proof of this key.
async fn bound_session(index: &Index, person: &Person, holder: &Holder) -> Answer {
    let proof = holder.proof(index, "POST", "/v1/sessions", None, &json!({}));
    let factors = person.factors(index.now());
    index.request(None, "POST", "/v1/sessions", factors, &[("DPoP", &proof)]).await
}

/// Exchanges a refresh token, with a proof of this key.
async fn renewed(index: &Index, session: &Answer, member: &str, holder: Option<&Holder>) -> Answer {
    let token = session.body[member].as_str().unwrap();
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    let proof = holder.map(|of| of.proof(index, "POST", "/oauth/token", None, &json!({})));
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("DPoP", proof.as_deref().unwrap_or_default()),
    ];
    index.request(None, "POST", "/oauth/token", form.as_str(), &headers).await
}

#[actix_web::test]
async fn a_session_that_begins_with_a_proof_is_bound_to_its_key_to_the_end() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let (holder, thief) = (Holder::new(), Holder::new());
    let session = bound_session(&index, &person, &holder).await.expect(200);
    assert_eq!(session.body["tokenType"], "DPoP");
    let token = session.body["accessToken"].as_str().unwrap();
    let look = |scheme: &str, proof: String| {
        let authorization = format!("{scheme} {token}");
        let index = &index;
        async move {
            let headers = [("Authorization", authorization.as_str()), ("DPoP", proof.as_str())];
            index.request(None, "GET", LIST, (), &headers).await
        }
    };
    look("DPoP", holder.proof(&index, "GET", LIST, Some(token), &json!({}))).await.expect(200);
    look("Bearer", String::new()).await.refused(401, "unauthenticated");

    renewed(&index, &session, "refreshToken", None).await.refused(400, "invalid_dpop_proof");
    renewed(&index, &session, "refreshToken", Some(&thief))
        .await
        .refused(400, "invalid_dpop_proof");
    let next = renewed(&index, &session, "refreshToken", Some(&holder)).await.expect(200);
    assert_eq!(next.body["token_type"], "DPoP");
    renewed(&index, &next, "refresh_token", Some(&thief)).await.refused(400, "invalid_dpop_proof");
    renewed(&index, &next, "refresh_token", Some(&holder)).await.expect(200);
}

#[actix_web::test]
async fn nobody_signs_in_with_a_proof_that_is_not_good_and_no_code_is_used_up() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let person = Person::new(&index, Role::Practitioner, authority).await;
    let holder = Holder::new();
    let elsewhere = holder.proof(&index, "POST", "/oauth/token", None, &json!({}));
    for proof in ["nonsense", elsewhere.as_str()] {
        let factors = person.factors(index.now());
        let headers = [("DPoP", proof)];
        let answer = index.request(None, "POST", "/v1/sessions", factors, &headers).await;
        answer.refused(401, "dpop-proof-refused");
    }
    bound_session(&index, &person, &holder).await.expect(200);
}
