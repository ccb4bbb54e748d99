//! A token in the compact form of RFC 7515, in which nothing stands that we would have to pass over (RFC 8725).

use std::slice;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Algorithm, PublicKey, json, present};

const LARGEST: usize = 8 * 1024;
const MOST_AUDIENCES: usize = 4;

/// A token whose form is right and whose signature is still to be verified.
#[derive(Debug, Clone)]
pub struct Signed<'t> {
    header: Header,
    algorithm: Algorithm,
    jwk: Option<PublicKey>,
    message: &'t str,
    payload: Vec<u8>,
    signature: &'t str,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    jwk: Option<Value>,
}

/// Why a token is refused, for logs and metrics only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignedFault {
    /// Over 8 KiB.
    #[error("too_large")]
    TooLarge,
    /// Not three parts of strict base64url.
    #[error("not_a_token")]
    NotAToken,
    /// The header is not a JSON object of the allowed members, each once.
    #[error("header")]
    Header,
    /// The algorithm is not one of [`Algorithm`], or not that of the key.
    #[error("algorithm")]
    Algorithm,
    /// The key in the header cannot be used.
    #[error("key")]
    Key,
    /// The signature is not the key's.
    #[error("signature")]
    Signature,
    /// The payload is not a JSON object of the expected members, each once.
    #[error("claims")]
    Claims,
}

impl<'t> Signed<'t> {
    /// What a header may have.
    pub const PLAIN: &'static [&'static str] = &["alg", "typ", "kid"];
    /// What the header of a proof of possession may have (RFC 9449, section 4.2).
    pub const WITH_KEY: &'static [&'static str] = &["alg", "typ", "jwk"];

    /// Reads the form of a token; a header with another member than these is refused, whatever it says.
    pub fn read(token: &'t str, allowed: &[&str]) -> Result<Self, SignedFault> {
        if token.len() > LARGEST {
            return Err(SignedFault::TooLarge);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(SignedFault::NotAToken)?;
        let (header, payload) = message.split_once('.').ok_or(SignedFault::NotAToken)?;
        let (header, payload) = (decode(header)?, decode(payload)?);
        decode(signature)?;
        let members = json::object(&header).ok_or(SignedFault::Header)?;
        if !members.keys().all(|member| allowed.contains(&member.as_str())) {
            return Err(SignedFault::Header);
        }
        let header: Header = json::read(members).ok_or(SignedFault::Header)?;
        let algorithm = Algorithm::parse(&header.alg).ok_or(SignedFault::Algorithm)?;
        let jwk = header.jwk.as_ref().map(PublicKey::from_jwk).transpose();
        let jwk = jwk.map_err(|_| SignedFault::Key)?;
        Ok(Self { header, algorithm, jwk, message, payload, signature })
    }

    /// How it says that it is signed.
    #[must_use]
    pub fn alg(&self) -> Algorithm {
        self.algorithm
    }

    /// Its type, if it says one.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Whether it says that it is of this type, with `application/` or without (RFC 7515, section 4.1.9).
    #[must_use]
    pub fn is_of_type(&self, name: &str) -> bool {
        let typ = self.typ().unwrap_or_default();
        let subtype = match typ.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => typ,
        };
        subtype.eq_ignore_ascii_case(name)
    }

    /// The name of the key, if it says one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The key that stands in the header, where that is allowed.
    #[must_use]
    pub fn jwk(&self) -> Option<&PublicKey> {
        self.jwk.as_ref()
    }

    /// What is signed. Two tokens that say the same may differ in their signatures, so that a token is known again by this.
    #[must_use]
    pub fn message(&self) -> &'t str {
        self.message
    }

    /// What it claims, believed by nobody yet: to find out whose key verifies it.
    pub fn unverified<T: DeserializeOwned>(&self) -> Result<T, SignedFault> {
        json::read(self.members()?).ok_or(SignedFault::Claims)
    }

    /// What it claims, once this key has verified it. Members that `T` does not have are passed over.
    pub fn verified_by<T: DeserializeOwned>(&self, key: &PublicKey) -> Result<T, SignedFault> {
        if self.algorithm != key.algorithm() {
            return Err(SignedFault::Algorithm);
        }
        if !key.verifies(self.message.as_bytes(), self.signature) {
            return Err(SignedFault::Signature);
        }
        self.unverified()
    }

    fn members(&self) -> Result<Map<String, Value>, SignedFault> {
        json::object(&self.payload).ok_or(SignedFault::Claims)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, SignedFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| SignedFault::NotAToken)
}

/// Whom a token is meant for: one name, or a list of 1 to 4 (RFC 7519, section 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One name.
    One(String),
    /// Several names.
    Several(Vec<String>),
}

impl Audience {
    /// Whether it is meant for this one, and for at most three others.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.names().len() <= MOST_AUDIENCES && self.names().iter().any(|one| one == name)
    }

    /// Everyone it is meant for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(one) => slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}
