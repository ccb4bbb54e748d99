//! Signing in by a council's directory.

mod issuer;
mod linking;
mod refusals;
mod signing_in;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Answer, Caller, Directory, ISSUER, Index, Key, Organisation, Says, configured,
};

/// A school whose people its council's directory knows.
struct Council {
    index: Index,
    directory: Directory,
    key: Key,
    authority: Organisation,
    school: Organisation,
}

impl Council {
    async fn new() -> Self {
        Self::with(Key::ed25519("one"), &[]).await
    }

    /// With this key, and configured so.
    async fn with(key: Key, configuration: &[(&str, Value)]) -> Self {
        let directory = Directory::start(Says::Keys(vec![key.jwk()]));
        let mut issuer = configured(&directory.keys_url());
        for (member, value) in configuration {
            issuer[*member] = value.clone();
        }
        let index = Index::believing(json!([issuer])).await;
        let authority = index.authority().await;
        let school = index.school_of_the_directory(authority).await;
        Self { index, directory, key, authority, school }
    }

    /// An account to which an identity is linked.
    async fn person(&self, role: Role, subject: &str) -> Caller {
        let person = self.index.account(role, self.school).await;
        self.index.link(person.id, subject).await;
        person
    }

    /// What the directory says of somebody whom it has recognised now.
    fn claims(&self, subject: &str) -> Value {
        let now = self.index.now().timestamp();
        json!({ "iss": ISSUER, "sub": subject, "aud": "contactpoint", "iat": now - 5, "exp": now + 295,
            "amr": ["pwd", "mfa"], "nonce": Uuid::new_v4(), "email": "somebody@council.example", "more": { "of": 1.5 } })
    }

    /// The same, changed: a null takes a member away.
    fn changed(&self, subject: &str, changes: &Value) -> Value {
        let mut claims = self.claims(subject);
        for (member, value) in changes.as_object().unwrap() {
            claims[member] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    /// A good token.
    fn token(&self, subject: &str) -> String {
        self.key.token(&self.claims(subject))
    }

    async fn sign_in(&self, token: &str) -> Answer {
        let body = json!({ "idToken": token });
        self.index.request(None, "POST", "/v1/sessions/external", body, &[]).await
    }
}

/// What the access token of a session says.
fn told(session: &Answer) -> Value {
    let token = session.body["accessToken"].as_str().or(session.body["access_token"].as_str());
    let payload = token.unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Reads something with the access token of a session.
async fn look(index: &Index, session: &Answer) -> Answer {
    let token = session.body["accessToken"].as_str().or(session.body["access_token"].as_str());
    let bearer = format!("Bearer {}", token.unwrap());
    index.request(None, "GET", "/v1/organisations", (), &[("Authorization", &bearer)]).await
}

/// Goes on with a session.
async fn refresh(index: &Index, session: &Answer) -> Answer {
    let token = session.body["refreshToken"].as_str().or(session.body["refresh_token"].as_str());
    let form = format!("grant_type=refresh_token&refresh_token={}", token.unwrap());
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    index.request(None, "POST", "/oauth/token", form.into_bytes(), &kind).await
}
