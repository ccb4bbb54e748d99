//! Proofs that whoever sends a token holds the key that it is bound to (RFC 9449).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use url::Url;

use crate::{
    digest::{Once, sha256},
    jose::{Signed, present},
};

/// How old a proof may be, and how far ahead, for clocks that differ.
const OLDEST: TimeDelta = TimeDelta::seconds(60);
const AHEAD: TimeDelta = TimeDelta::seconds(30);
const LONGEST_ID: usize = 128;

/// A proof that was found good: it is used once.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The thumbprint of the key that made it (RFC 7638).
    pub jkt: String,
    /// What is used up with it.
    pub once: Once,
}

/// What a proof must be made for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'r> {
    /// The method of the request.
    pub method: &'r str,
    /// Our own address, as callers reach it.
    pub origin: &'r str,
    /// The path of the request.
    pub path: &'r str,
}

/// A proof is refused; to the outside every refusal is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof is not good")]
pub struct ProofFault;

/// What a proof claims (RFC 9449, section 4.2).
#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    #[serde(default, deserialize_with = "present")]
    ath: Option<String>,
}

/// Reads a proof as RFC 9449, section 4.3, asks; `token` is the access token that comes with it, where one does.
pub fn verify(
    proof: &str,
    target: Target<'_>,
    token: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Proof, ProofFault> {
    let signed = Signed::read(proof, Signed::WITH_KEY).map_err(|_| ProofFault)?;
    let key = signed.jwk().filter(|_| signed.is_of_type("dpop+jwt")).ok_or(ProofFault)?;
    let claims: Claims = signed.verified_by(key).map_err(|_| ProofFault)?;
    let made = DateTime::from_timestamp(claims.iat, 0).ok_or(ProofFault)?;
    let ath = token.map(|token| URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())));
    let good = claims.htm == target.method
        && target.is_at(&claims.htu)
        && made >= now - OLDEST
        && made <= now + AHEAD
        && claims.ath == ath
        && (1..=LONGEST_ID).contains(&claims.jti.len());
    if !good {
        return Err(ProofFault);
    }
    let jkt = key.thumbprint().to_owned();
    let once = Once::new(&["dpop", &jkt, &claims.jti], made + OLDEST + AHEAD);
    Ok(Proof { jkt, once })
}

impl Target<'_> {
    /// Whether an address is this one, but for its query and fragment, and for what is only a matter of writing.
    fn is_at(self, htu: &str) -> bool {
        let plain = |text: &str| {
            let mut url = Url::parse(text).ok()?;
            url.set_query(None);
            url.set_fragment(None);
            Some(url)
        };
        let own = plain(&format!("{}{}", self.origin, self.path));
        own.is_some() && own == plain(htu)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const TOKEN: &str = "a.good.token";
    const TARGET: Target<'static> =
        Target { method: "GET", origin: "https://index.example", path: "/v1/organisations" };

    fn encoded(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A key that makes proofs.
    struct Holder(Ed25519KeyPair);

    impl Holder {
        fn new() -> Self {
            Self(Ed25519KeyPair::generate().unwrap())
        }

        fn header(&self) -> Value {
            let x = encoded(self.0.public_key());
            json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": { "kty": "OKP", "crv": "Ed25519", "x": x } })
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let message =
                format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
            format!("{message}.{}", encoded(self.0.sign(message.as_bytes())))
        }
    }

    fn claims() -> Value {
        json!({ "jti": "a-number-of-its-own", "htm": "GET", "htu": "https://index.example/v1/organisations",
                "iat": NOW, "ath": encoded(sha256(TOKEN.as_bytes())) })
    }

    fn judge(proof: &str) -> Result<Proof, ProofFault> {
        verify(proof, TARGET, Some(TOKEN), DateTime::from_timestamp(NOW, 0).unwrap())
    }

    #[test]
    fn a_proof_for_this_request_now_is_good() {
        let holder = Holder::new();
        let proof = judge(&holder.sign(&holder.header(), &claims())).unwrap();
        assert_eq!(proof.jkt.len(), 43);
        // As long as it could be used, by whoever's clock is behind.
        assert_eq!(proof.once.until.timestamp(), NOW + 60 + 30);
        for htu in [
            "https://index.example/v1/organisations?name=x#y",
            "HTTPS://INDEX.example:443/v1/organisations",
            "https://index.example/v1/./organisations",
        ] {
            let mut claims = claims();
            claims["htu"] = json!(htu);
            assert!(judge(&holder.sign(&holder.header(), &claims)).is_ok(), "{htu}");
        }
    }

    #[test]
    fn a_proof_for_anything_else_is_not() {
        let holder = Holder::new();
        let other = Holder::new();
        for (member, value) in [
            ("jti", json!("")),
            ("jti", json!("x".repeat(129))),
            ("jti", json!(7)),
            ("jti", Value::Null),
            ("htm", json!("POST")),
            ("htm", json!("get")),
            ("htu", json!("https://index.example/v1/accounts")),
            ("htu", json!("https://index.example/v1/organisations/")),
            ("htu", json!("http://index.example/v1/organisations")),
            ("htu", json!("https://other.example/v1/organisations")),
            ("htu", json!("https://index.example:8443/v1/organisations")),
            ("htu", json!("https://user@index.example/v1/organisations")),
            ("htu", json!("/v1/organisations")),
            ("htu", json!(["https://index.example/v1/organisations"])),
            ("iat", json!(NOW - 61)),
            ("iat", json!(NOW + 31)),
            ("iat", json!(1_800_000_000.5)),
            ("iat", json!(NOW.to_string())),
            ("iat", json!(i64::MAX)),
            ("iat", json!(i64::MIN)),
            ("ath", json!(encoded(sha256(b"another")))),
            ("ath", json!("")),
            ("ath", Value::Null),
        ] {
            let mut claims = claims();
            claims[member] = value;
            assert!(judge(&holder.sign(&holder.header(), &claims)).is_err(), "{claims}");
        }
        for member in ["jti", "htm", "htu", "iat", "ath"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(member);
            assert!(judge(&holder.sign(&holder.header(), &claims)).is_err(), "without {member}");
        }
        for (member, value) in [
            ("typ", json!("JWT")),
            ("typ", json!("at+jwt")),
            ("typ", Value::Null),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("ES256")),
            ("kid", json!("1")),
            ("crit", json!(["exp"])),
            ("jwk", Value::Null),
            ("jwk", json!({ "kty": "oct", "k": "c2VjcmV0" })),
            ("jwk", other.header()["jwk"].clone()),
        ] {
            let mut header = holder.header();
            header[member] = value;
            assert!(judge(&holder.sign(&header, &claims())).is_err(), "{header}");
        }
        let mut private = holder.header();
        private["jwk"]["d"] = json!(encoded([7; 32]));
        assert!(judge(&holder.sign(&private, &claims())).is_err());
    }

    #[test]
    fn a_proof_without_a_token_claims_none() {
        let holder = Holder::new();
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        let with = holder.sign(&holder.header(), &claims());
        assert!(verify(&with, TARGET, None, now).is_err());
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("ath");
        let without = holder.sign(&holder.header(), &claims);
        assert!(verify(&without, TARGET, None, now).is_ok());
        assert!(judge(&without).is_err());
    }

    #[test]
    fn proofs_of_one_number_by_two_keys_are_two() {
        let [one, two] = [Holder::new(), Holder::new()].map(|holder| {
            let proof = judge(&holder.sign(&holder.header(), &claims())).unwrap();
            proof.once.hash
        });
        assert_ne!(one, two);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", htu in ".*") {
            let _ = judge(&text);
            let _ = TARGET.is_at(&htu);
        }
    }
}
