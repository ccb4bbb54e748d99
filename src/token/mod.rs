//! Access tokens: signed, short-lived, and read more strictly than the standards ask (RFC 9068).

mod verifier;

use std::slice;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, de};
use uuid::Uuid;

pub use self::verifier::Verifier;
use crate::keys::SigningKeys;

/// How long a token lasts.
pub const LIFETIME: TimeDelta = TimeDelta::seconds(600);

const LONGEST_LIFETIME: i64 = 660;
const SKEW: i64 = 30;
const LARGEST_READ: usize = 8 * 1024;
const LARGEST_ISSUED: usize = 1536;
const MOST_AUDIENCES: usize = 4;
const TYPE: &str = "at+jwt";

/// What a token says; it must say all of it, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// The user or system it speaks for.
    #[serde(deserialize_with = "uuid")]
    pub sub: Uuid,
    /// Whom it is meant for.
    pub aud: Audience,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it begins, in seconds since 1970.
    pub nbf: i64,
    /// The token's own id.
    #[serde(deserialize_with = "uuid")]
    pub jti: Uuid,
    /// The program that asked for it.
    pub client_id: String,
    /// The session it belongs to.
    #[serde(deserialize_with = "uuid")]
    pub sid: Uuid,
    /// What the caller is to the index.
    pub role: String,
    /// What it permits, in few words separated by spaces (see `access::abridged`).
    pub scope: String,
    /// The organisation the caller acts for.
    #[serde(deserialize_with = "uuid")]
    pub org: Uuid,
    /// The local authority the caller acts for, if any.
    #[serde(default, deserialize_with = "some_uuid", skip_serializing_if = "Option::is_none")]
    pub la: Option<Uuid>,
    /// How surely the caller was recognised.
    pub acr: String,
    /// The ways in which the caller was recognised (RFC 8176).
    pub amr: Vec<String>,
    /// When the caller last proved who they are, in seconds since 1970.
    pub auth_time: i64,
    /// The key that the token is bound to (RFC 9449, section 6), if it is.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// The system that acts with the person (RFC 8693, section 4.1), if one does.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// How many requests a second a system may make.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub rps: Option<u32>,
}

/// A key, by its thumbprint (RFC 7638).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The thumbprint: 43 characters of base64url.
    #[serde(deserialize_with = "thumbprint")]
    pub jkt: String,
}

/// Whoever acts with the subject of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The system.
    #[serde(deserialize_with = "uuid")]
    pub sub: Uuid,
}

/// Whom a token is meant for: one name, or a list of at most four.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One name.
    One(String),
    /// Several names.
    Several(Vec<String>),
}

impl Audience {
    fn holds(&self, name: &str) -> bool {
        let names = match self {
            Self::One(one) => slice::from_ref(one),
            Self::Several(several) => several,
        };
        names.len() <= MOST_AUDIENCES && names.iter().any(|one| one == name)
    }
}

/// What is to be said of a caller; [`Issuer::claims`] adds the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user or system.
    pub sub: Uuid,
    /// The program that asks.
    pub client_id: String,
    /// The session.
    pub sid: Uuid,
    /// What the caller is to the index.
    pub role: String,
    /// What is permitted, in few words separated by spaces.
    pub scope: String,
    /// The organisation the caller acts for.
    pub org: Uuid,
    /// The local authority the caller acts for, if any.
    pub la: Option<Uuid>,
    /// How surely the caller was recognised.
    pub acr: String,
    /// The ways in which the caller was recognised.
    pub amr: Vec<String>,
    /// When the caller last proved who they are.
    pub auth_time: DateTime<Utc>,
    /// The thumbprint of the key that the token is bound to.
    pub jkt: Option<String>,
    /// The system that acts with the person.
    pub actor: Option<Uuid>,
    /// How many requests a second a system may make.
    pub rps: Option<u32>,
}

/// Issues tokens, and knows its own again.
#[derive(Debug)]
pub struct Issuer {
    /// Our name as issuer, compared byte by byte.
    pub issuer: String,
    /// The name of the service the tokens are for.
    pub audience: String,
    /// The keys that sign and verify.
    pub keys: SigningKeys,
}

/// A token is refused; to the outside every refusal is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct TokenFault(Reason);

/// Why a token is refused, for logs and metrics only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Over 8 KiB.
    TooLarge,
    /// Not three parts of strict base64url.
    NotAToken,
    /// The header holds anything but `alg`, `typ` and `kid`.
    Header,
    /// The type is not `at+jwt`.
    Type,
    /// The key is not one of ours.
    UnknownKey,
    /// The algorithm is not that of the key.
    Algorithm,
    /// The signature is not the key's.
    Signature,
    /// The claims are not exactly those of [`Claims`].
    Malformed,
    /// Another issuer.
    Issuer,
    /// Meant for somebody else.
    Audience,
    /// Its end has passed.
    Expired,
    /// Its beginning, or the moment it was made, is yet to come.
    Early,
    /// It would last longer than we ever issue.
    TooLong,
}

impl TokenFault {
    /// Why, for logs and metrics only.
    #[must_use]
    pub fn reason(self) -> Reason {
        self.0
    }
}

impl Reason {
    /// The label in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotAToken => "not_a_token",
            Self::Header => "header",
            Self::Type => "type",
            Self::UnknownKey => "unknown_key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Malformed => "malformed",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::TooLong => "too_long",
        }
    }
}

/// A token could not be signed, or would be larger than 1.5 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token could not be issued")]
pub struct NotIssued;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

impl Issuer {
    /// The claims of a new token, which lasts ten minutes from now.
    #[must_use]
    pub fn claims(&self, grant: Grant, now: DateTime<Utc>) -> Claims {
        Claims {
            iss: self.issuer.clone(),
            sub: grant.sub,
            aud: Audience::One(self.audience.clone()),
            exp: (now + LIFETIME).timestamp(),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            jti: Uuid::new_v4(),
            client_id: grant.client_id,
            sid: grant.sid,
            role: grant.role,
            scope: grant.scope,
            org: grant.org,
            la: grant.la,
            acr: grant.acr,
            amr: grant.amr,
            auth_time: grant.auth_time.timestamp(),
            cnf: grant.jkt.map(|jkt| Confirmation { jkt }),
            act: grant.actor.map(|sub| Actor { sub }),
            rps: grant.rps,
        }
    }

    /// Signs a token.
    pub fn issue(&self, claims: &Claims) -> Result<String, NotIssued> {
        let header = Header {
            alg: SigningKeys::ALGORITHM.into(),
            typ: TYPE.into(),
            kid: self.keys.active().into(),
        };
        let message = format!("{}.{}", encode(&header)?, encode(claims)?);
        let signature = self.keys.sign(message.as_bytes()).map_err(|_| NotIssued)?;
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        if token.len() > LARGEST_ISSUED { Err(NotIssued) } else { Ok(token) }
    }

    /// Reads a token that this issuer made and that holds now.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenFault> {
        self.read(token, now).map_err(TokenFault)
    }

    fn read(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, Reason> {
        if token.len() > LARGEST_READ {
            return Err(Reason::TooLarge);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Reason::NotAToken)?;
        let (header, payload) = message.split_once('.').ok_or(Reason::NotAToken)?;
        let header: Header = object(&decode(header)?).ok_or(Reason::Header)?;
        self.check_header(&header)?;
        if !self.keys.verify(&header.kid, message.as_bytes(), &decode(signature)?) {
            return Err(Reason::Signature);
        }
        let claims: Claims = object(&decode(payload)?).ok_or(Reason::Malformed)?;
        if claims.iss != self.issuer {
            return Err(Reason::Issuer);
        }
        if !claims.aud.holds(&self.audience) {
            return Err(Reason::Audience);
        }
        claims.check_times(now)?;
        Ok(claims)
    }

    fn check_header(&self, header: &Header) -> Result<(), Reason> {
        let subtype = match header.typ.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => &header.typ,
        };
        if !subtype.eq_ignore_ascii_case(TYPE) {
            return Err(Reason::Type);
        }
        if !self.keys.knows(&header.kid) {
            return Err(Reason::UnknownKey);
        }
        if header.alg != SigningKeys::ALGORITHM {
            return Err(Reason::Algorithm);
        }
        Ok(())
    }
}

impl Claims {
    fn check_times(&self, now: DateTime<Utc>) -> Result<(), Reason> {
        let now = now.timestamp();
        if !(1..=LONGEST_LIFETIME).contains(&self.exp.saturating_sub(self.iat)) {
            return Err(Reason::TooLong);
        }
        if self.exp.saturating_add(SKEW) <= now {
            return Err(Reason::Expired);
        }
        if self.nbf.max(self.iat).max(self.auth_time) > now.saturating_add(SKEW) {
            return Err(Reason::Early);
        }
        Ok(())
    }
}

fn encode(value: &impl Serialize) -> Result<String, NotIssued> {
    serde_json::to_vec(value).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| NotIssued)
}

fn decode(part: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Reason::NotAToken)
}

/// Reads a JSON object; serde alone would also take an array of the members' values.
fn object<T: de::DeserializeOwned>(json: &[u8]) -> Option<T> {
    json.starts_with(b"{").then(|| serde_json::from_slice(json).ok())?
}

fn uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(deserializer)?;
    Uuid::parse_str(&text)
        .ok()
        .filter(|uuid| uuid.to_string() == text)
        .ok_or_else(|| de::Error::custom("not a uuid in its usual form"))
}

fn thumbprint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let whole = URL_SAFE_NO_PAD.decode(&text).is_ok_and(|bytes| bytes.len() == 32);
    if whole { Ok(text) } else { Err(de::Error::custom("not a thumbprint")) }
}

/// What is there; null is not the same as being absent.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn some_uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    uuid(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
