//! How a client proves that it is itself: by a secret that we made, or by a key of its own.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    code::codes,
    jose::PublicKeys,
    problem::Problem,
    session::{new_secret, secret_hash, ways},
};

codes! {
    /// How a client proves itself at `POST /oauth/token`.
    AuthMethod {
        /// By an assertion that it signs with a key of its own (RFC 7523).
        PrivateKeyJwt = "private_key_jwt",
        /// By a secret of 256 bits that we make, in the form or by HTTP Basic.
        ClientSecret = "client_secret",
    }
}

/// The public keys of a client (RFC 7517, section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "keys": [
    { "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "2026-11", "use": "sig" }
] }))]
pub struct ClientKeys {
    /// 1 to 20 keys: each Ed25519, P-256 or RSA of 2048 to 4096 bits, with a `kid` of its own where there are several, and
    /// without a private member.
    #[schema(min_items = 1, max_items = 20, value_type = Vec<Object>)]
    pub keys: Vec<Value>,
}

/// What a client is registered to prove itself by: one of these, never another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A secret, of which SHA-256 is kept.
    Secret([u8; 32]),
    /// A key of this set (RFC 7517).
    Keys(Value),
    /// A key of the set that is published there.
    KeysAt(String),
}

impl Proof {
    /// By a new secret, which is told once.
    pub fn by_new_secret() -> Result<(Self, String), Problem> {
        let secret = new_secret()?;
        Ok((Self::Secret(secret_hash(&secret)), secret))
    }

    /// What a registration asks for, with the secret where one was made: for keys exactly one of `jwks` and `jwksUri` is
    /// given, for a secret neither.
    pub fn asked(
        method: AuthMethod,
        jwks: Option<ClientKeys>,
        jwks_uri: Option<String>,
    ) -> Result<(Self, Option<String>), Problem> {
        match (method, jwks, jwks_uri) {
            (AuthMethod::ClientSecret, None, None) => {
                Self::by_new_secret().map(|(proof, secret)| (proof, Some(secret)))
            }
            (AuthMethod::ClientSecret, jwks, _) => {
                let member = if jwks.is_some() { "/jwks" } else { "/jwksUri" };
                Err(Problem::invalid(member, "is only for `private_key_jwt`"))
            }
            (AuthMethod::PrivateKeyJwt, Some(ClientKeys { keys }), None) => {
                let jwks = json!({ "keys": keys });
                let refused = PublicKeys::registered(&jwks).err();
                refused.map_or(Ok((Self::Keys(jwks), None)), |fault| {
                    Err(Problem::invalid(format!("/jwks{}", fault.pointer()), fault.sentence))
                })
            }
            (AuthMethod::PrivateKeyJwt, None, Some(uri)) => Ok((Self::KeysAt(uri), None)),
            (AuthMethod::PrivateKeyJwt, None, None) => {
                Err(Problem::invalid("/jwks", "is required, or `jwksUri`"))
            }
            (AuthMethod::PrivateKeyJwt, Some(_), Some(_)) => {
                Err(Problem::invalid("/jwksUri", "must not stand beside `jwks`"))
            }
        }
    }

    /// Which way it is.
    #[must_use]
    pub fn method(&self) -> AuthMethod {
        match self {
            Self::Secret(_) => AuthMethod::ClientSecret,
            Self::Keys(_) | Self::KeysAt(_) => AuthMethod::PrivateKeyJwt,
        }
    }

    /// How tokens say that it was recognised.
    pub(crate) fn ways(&self) -> &'static [&'static str] {
        match self {
            Self::Secret(_) => ways::SECRET,
            Self::Keys(_) | Self::KeysAt(_) => ways::KEY,
        }
    }

    /// SHA-256 of the secret.
    #[must_use]
    pub fn secret_hash(&self) -> Option<&[u8]> {
        if let Self::Secret(hash) = self { Some(hash) } else { None }
    }

    /// The set of keys.
    #[must_use]
    pub fn jwks(&self) -> Option<&Value> {
        if let Self::Keys(jwks) = self { Some(jwks) } else { None }
    }

    /// Where the set of keys is published.
    #[must_use]
    pub fn jwks_uri(&self) -> Option<&str> {
        if let Self::KeysAt(uri) = self { Some(uri) } else { None }
    }
}
