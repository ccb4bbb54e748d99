//! Access tokens that must not be accepted: each by its name, and how it is made from a good one and our own key.
//!
//! Begun from RFC 8725, the classes of Wycheproof's vectors for Ed25519, and what is known to have got past other verifiers.

use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contactpoint::keys::SigningKeys;
use serde_json::{Map, Value, json};

mod claims;
mod header;
mod shape;

/// A token that must not be accepted.
pub(crate) struct Hostile {
    pub(crate) name: String,
    pub(crate) token: String,
}

/// All of them.
pub(crate) fn corpus(keys: &SigningKeys, good: &str) -> Vec<Hostile> {
    let forge = Forge::new(keys, good);
    let mut all = header::hostile(&forge);
    all.extend(claims::hostile(&forge));
    all.extend(shape::hostile(&forge));
    all.into_iter().map(|(name, token)| Hostile { name, token }).collect()
}

/// What everything is made of.
struct Forge<'k> {
    keys: &'k SigningKeys,
    good: String,
    claims: Map<String, Value>,
    theirs: Ed25519KeyPair,
    curve: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

type Made = Vec<(String, String)>;

impl<'k> Forge<'k> {
    fn new(keys: &'k SigningKeys, good: &str) -> Self {
        let payload = URL_SAFE_NO_PAD.decode(good.split('.').nth(1).unwrap()).unwrap();
        Self {
            keys,
            good: good.to_owned(),
            claims: serde_json::from_slice(&payload).unwrap(),
            theirs: Ed25519KeyPair::generate().unwrap(),
            curve: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    /// The header of a good token.
    fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.keys.active() })
    }

    /// The payload of a good token.
    fn payload(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    /// When the good token was issued, in seconds since 1970.
    fn issued(&self) -> i64 {
        self.claims["iat"].as_i64().unwrap()
    }

    /// Our public key.
    fn public(&self) -> [u8; 32] {
        let keys = self.keys.jwks().keys;
        let ours = keys.iter().find(|key| key.kid == self.keys.active()).unwrap();
        URL_SAFE_NO_PAD.decode(&ours.x).unwrap().try_into().unwrap()
    }

    /// Truly signed by our key, whatever it says.
    fn signed(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", b64(header), b64(payload));
        format!("{message}.{}", b64(self.keys.sign(message.as_bytes()).unwrap()))
    }

    /// A good payload, truly signed, under another header.
    fn headed(&self, header: &Value) -> String {
        self.signed(header.to_string(), self.payload())
    }

    /// Truly signed, with one claim that says something else.
    fn claiming(&self, member: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims.insert(member.to_owned(), value);
        self.signed(self.header().to_string(), Value::Object(claims).to_string())
    }

    /// A good payload, signed by what `sign` is.
    fn by(&self, header: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(self.payload()));
        format!("{message}.{}", b64(sign(message.as_bytes())))
    }

    fn by_another_curve(&self, message: &[u8]) -> Vec<u8> {
        self.curve.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    fn by_rsa(&self, message: &[u8], probabilistic: bool) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        let how = if probabilistic { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        self.rsa.sign(how, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    fn by_another_key(&self, message: &[u8]) -> Vec<u8> {
        self.theirs.sign(message).as_ref().to_vec()
    }

    /// The public half of the key of a stranger, as a JSON Web Key.
    fn stranger(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(self.theirs.public_key()) })
    }
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same object with a member that says something else.
fn with(object: &Value, member: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[member] = value;
    object
}

/// The same object without a member.
fn without(object: &Value, member: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(member);
    object
}
