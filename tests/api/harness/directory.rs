//! A council's directory, as an HTTP server of its own: it publishes its keys, well or badly, and signs what it is told to.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign, jwk::Jwk};
use serde_json::{Value, json};

use super::outside::Outside;

/// Its name as issuer.
pub(crate) const ISSUER: &str = "https://directory.example";
/// The unique reference number of the school whose people it knows.
pub(super) const SCHOOL: &str = "900001";

/// The configuration by which it is believed, with its keys at `url`.
pub(crate) fn configured(url: &str) -> Value {
    json!({
        "issuer": ISSUER, "audience": "contactpoint", "jwksUri": url, "algorithms": ["EdDSA", "ES256"],
        "roles": ["practitioner", "steward"], "organisation": format!("urn:{SCHOOL}"),
        "acrValues": ["two-factors"],
    })
}

/// How it answers whoever asks for its keys.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// A set of these keys.
    Keys(Vec<Value>),
    /// This, as JSON.
    Body(Vec<u8>),
    /// Ask there.
    Redirect(String),
    /// Another status.
    Status(u16),
    /// Nothing, and it keeps the connection.
    Nothing,
    /// A sign every tenth of a second.
    Drips,
    /// It is not there.
    Gone,
}

/// The directory. It ends when it is dropped.
pub(crate) struct Directory {
    server: Outside,
    state: Arc<State>,
}

struct State {
    says: Mutex<Says>,
    fetches: AtomicUsize,
}

impl Directory {
    pub(crate) fn start(says: Says) -> Self {
        let state = Arc::new(State { says: Mutex::new(says), fetches: AtomicUsize::new(0) });
        let serving = Arc::clone(&state);
        let server = Outside::start(move |stream| serving.answer(stream));
        Self { server, state }
    }

    /// Where its keys are.
    pub(crate) fn keys_url(&self) -> String {
        format!("http://{}/keys", self.server.address)
    }

    /// What it says from now on.
    pub(crate) fn says(&self, says: Says) {
        *self.state.says.lock().unwrap() = says;
    }

    /// How often it was asked.
    pub(crate) fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }
}

impl State {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let says = self.says.lock().unwrap().clone();
        let (status, more, body) = match says {
            Says::Keys(keys) => {
                (200, String::new(), json!({ "keys": keys }).to_string().into_bytes())
            }
            Says::Body(body) => (200, String::new(), body),
            Says::Redirect(to) => (302, format!("Location: {to}\r\n"), Vec::new()),
            Says::Status(status) => (status, String::new(), b"{}".to_vec()),
            Says::Gone => return Ok(()),
            Says::Nothing => {
                thread::sleep(Duration::from_secs(20));
                return Ok(());
            }
            Says::Drips => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                for _ in 0..200 {
                    stream.write_all(b" ")?;
                    thread::sleep(Duration::from_millis(100));
                }
                return Ok(());
            }
        };
        write!(
            stream,
            "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        stream.write_all(&body)
    }
}

/// A key of somebody who signs.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    signs: EncodingKey,
}

impl Key {
    pub(crate) fn ed25519(kid: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        let signs = EncodingKey::from_ed_der(pkcs8.as_ref());
        Self { kid: kid.to_owned(), algorithm: Algorithm::EdDSA, signs }
    }

    pub(crate) fn p256(kid: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let signs = EncodingKey::from_ec_der(pkcs8.as_ref());
        Self { kid: kid.to_owned(), algorithm: Algorithm::ES256, signs }
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.signs, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.kid.clone());
        serde_json::to_value(jwk).unwrap()
    }

    /// The header that it signs with.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.kid })
    }

    /// A token of these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.signed(self.header().to_string(), claims.to_string())
    }

    /// A token of any header and payload whatever, truly signed.
    pub(crate) fn signed(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let [header, payload] =
            [header.as_ref(), payload.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
        let message = format!("{header}.{payload}");
        let signature = sign(message.as_bytes(), &self.signs, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}
