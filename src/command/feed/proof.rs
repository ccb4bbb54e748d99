//! How a client proves who it is: by a secret, or by a key that it shows to nobody (RFC 7523).

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{client::assertion::TYPE, jose::PublicKey};

/// For how many seconds an assertion is good.
const GOOD_FOR: i64 = 60;

/// What a client has to prove itself by.
pub(super) enum Proof {
    Secret(SecretString),
    Key(Box<Key>),
}

impl Proof {
    /// What is added to the request for a token.
    pub(super) fn parameters(
        &self,
        client: Uuid,
        issuer: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<(&'static str, SecretString)>> {
        match self {
            Self::Secret(secret) => Ok(vec![("client_secret", secret.clone())]),
            Self::Key(key) => Ok(vec![
                ("client_assertion_type", TYPE.into()),
                ("client_assertion", key.assertion(client, issuer, now)?.into()),
            ]),
        }
    }
}

/// A key that signs.
pub(super) struct Key {
    pair: Pair,
    /// The name that its owner gave it.
    kid: Option<String>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// The members of a private key (RFC 7518, section 6.2; RFC 8037).
#[derive(Deserialize)]
struct Private {
    kty: String,
    crv: String,
    x: String,
    #[serde(default)]
    y: String,
    d: Option<SecretString>,
    kid: Option<String>,
}

impl Key {
    /// Reads a key: a JSON Web Key, or PEM as OpenSSL writes it.
    pub(super) fn read(file: &Path, kid: Option<String>) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).map(SecretString::from);
        let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
        let read = match text.expose_secret().trim_start() {
            text if text.starts_with('{') => Self::from_jwk(text),
            text => Self::from_pem(text),
        };
        let key = read.map_err(|error| anyhow!("{}: {error}", file.display()))?;
        Ok(Self { kid: kid.or(key.kid), ..key })
    }

    fn from_jwk(text: &str) -> anyhow::Result<Self> {
        let key: Private =
            serde_json::from_str(text).map_err(|_| anyhow!("it is not a JSON Web Key"))?;
        let d = key.d.ok_or(anyhow!("it is a public key: the private one has a member `d`"))?;
        let number = |text: &str| {
            let number = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
            number.map_err(|_| anyhow!("its numbers are not in base64url"))
        };
        let (d, x, y) = (number(d.expose_secret())?, number(&key.x)?, number(&key.y)?);
        let wrong = |_| anyhow!("its members do not belong together");
        let pair = match (&*key.kty, &*key.crv) {
            ("OKP", "Ed25519") => {
                Pair::Ed25519(Ed25519KeyPair::from_seed_and_public_key(&d, &x).map_err(wrong)?)
            }
            ("EC", "P-256") => {
                let (of, point) =
                    (&ECDSA_P256_SHA256_FIXED_SIGNING, [&[4], &x[..], &y[..]].concat());
                let pair = EcdsaKeyPair::from_private_key_and_public_key(of, &d, &point);
                Pair::P256(pair.map_err(wrong)?)
            }
            _ => bail!("it is neither Ed25519 nor P-256"),
        };
        Ok(Self { pair, kid: key.kid })
    }

    fn from_pem(text: &str) -> anyhow::Result<Self> {
        let block = |label: &str| {
            let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
            let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
            STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
        };
        let of = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = match (block("PRIVATE KEY"), block("EC PRIVATE KEY")) {
            (Some(held), _) => {
                let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&held).ok();
                let p256 = || EcdsaKeyPair::from_pkcs8(of, &held).ok().map(Pair::P256);
                ed25519.map(Pair::Ed25519).or_else(p256)
            }
            (None, Some(held)) => {
                EcdsaKeyPair::from_private_key_der(of, &held).ok().map(Pair::P256)
            }
            (None, None) => {
                bail!("it holds no private key without a password, as PEM or as a JSON Web Key")
            }
        };
        Ok(Self { pair: pair.ok_or(anyhow!("it is neither Ed25519 nor P-256"))?, kid: None })
    }

    /// The public key, as the client is registered with it; named by its thumbprint unless its owner named it.
    pub(super) fn public(&self) -> anyhow::Result<Value> {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": number(pair.public_key().as_ref()) })
            }
            Pair::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": number(x), "y": number(y) })
            }
        };
        let thumbprint = || PublicKey::from_jwk(&jwk).map(|key| key.thumbprint().to_owned());
        jwk["kid"] = match &self.kid {
            Some(kid) => json!(kid),
            None => json!(thumbprint()?),
        };
        Ok(jwk)
    }

    /// What says, once and for a minute, that the client is who it says.
    fn assertion(&self, client: Uuid, issuer: &str, now: DateTime<Utc>) -> anyhow::Result<String> {
        let alg = match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
        };
        let mut header = json!({ "alg": alg, "typ": "client-authentication+jwt" });
        if let Some(kid) = &self.kid {
            header["kid"] = json!(kid);
        }
        let now = now.timestamp();
        let claims = json!({ "iss": client, "sub": client, "aud": issuer, "iat": now, "exp": now + GOOD_FOR, "jti": Uuid::new_v4() });
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let said = format!("{}.{}", encoded(&header), encoded(&claims));
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(said.as_bytes()),
            Pair::P256(pair) => pair
                .sign(&SystemRandom::new(), said.as_bytes())
                .map_err(|_| anyhow!("the key cannot sign"))?,
        };
        Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}
