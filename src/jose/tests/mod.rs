//! What is refused, and by which rule.

mod keys;
mod tokens;
mod vectors;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Algorithm, PublicKey};

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Somebody who signs by one algorithm.
pub(super) enum Signer {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair, Algorithm),
}

impl Signer {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EdDSA => Self::Ed25519(Ed25519KeyPair::generate().unwrap()),
            Algorithm::ES256 => {
                Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            rsa => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), rsa),
        }
    }

    pub(super) fn jwk(&self) -> Value {
        match self {
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key()), "kid": "own" })
            }
            Self::P256(pair) => p256_jwk(pair.public_key().as_ref()),
            Self::Rsa(pair, algorithm) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "kty": "RSA", "alg": algorithm.as_str(), "kid": "own", "use": "sig",
                    "n": b64(n.big_endian_without_leading_zero()),
                    "e": b64(e.big_endian_without_leading_zero()),
                })
            }
        }
    }

    pub(super) fn key(&self) -> PublicKey {
        PublicKey::from_jwk(&self.jwk()).unwrap()
    }

    pub(super) fn sign(&self, message: &str) -> String {
        let (random, message) = (SystemRandom::new(), message.as_bytes());
        match self {
            Self::Ed25519(pair) => b64(pair.sign(message)),
            Self::P256(pair) => b64(pair.sign(&random, message).unwrap()),
            Self::Rsa(pair, algorithm) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    Algorithm::PS256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                pair.sign(padding, &random, message, &mut signature).unwrap();
                b64(signature)
            }
        }
    }

    /// A token of any header and payload whatever, truly signed.
    pub(super) fn token(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", b64(header), b64(payload));
        format!("{message}.{}", self.sign(&message))
    }
}

pub(super) fn p256_jwk(point: &[u8]) -> Value {
    json!({ "kty": "EC", "crv": "P-256", "kid": "own", "x": b64(&point[1..33]), "y": b64(&point[33..]) })
}
