//! The assertion by which a client proves that it holds a key (RFC 7523, sections 2.2 and 3).

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::{
    digest::Once,
    ids::ClientId,
    jose::{PublicKey, Signed, present},
};

/// What `client_assertion_type` says.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How an assertion may be typed: an access token, say, is none.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// How far ahead it may end.
const AHEAD: TimeDelta = TimeDelta::seconds(300);
/// How much the clocks of clients may differ from ours.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// How long the number of an assertion is kept at least.
const KEPT: TimeDelta = TimeDelta::minutes(10);

/// What it claims; other members are passed over.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// One text: a list would let it be meant for others too.
    aud: String,
    exp: i64,
    iat: i64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<i64>,
    jti: String,
}

/// An assertion whose form is right, and the client that it says it is of.
#[derive(Debug)]
pub struct Assertion<'t> {
    signed: Signed<'t>,
    /// Whose it says that it is; nobody believes it yet.
    pub client: ClientId,
}

impl<'t> Assertion<'t> {
    /// Reads the form of an assertion.
    #[must_use]
    pub fn read(token: &'t str) -> Option<Self> {
        let signed = Signed::read(token, Signed::PLAIN).ok()?;
        let claims: Claims = signed.unverified().ok()?;
        let typed = TYPES.iter().any(|name| signed.is_of_type(name));
        super::number(&claims.iss).filter(|_| typed).map(|client| Self { signed, client })
    }

    /// The name of the key, if it says one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.signed.kid()
    }

    /// Whether this key of its client signed it, for this issuer and for now. It is good once: that is what it is known by.
    #[must_use]
    pub fn judge(&self, key: &PublicKey, issuer: &str, now: DateTime<Utc>) -> Option<Once> {
        let claims: Claims = self.signed.verified_by(key).ok()?;
        let id = self.client.to_string();
        let ends = DateTime::from_timestamp(claims.exp, 0)?;
        let begins = DateTime::from_timestamp(claims.nbf.unwrap_or(claims.iat).max(claims.iat), 0)?;
        let good = claims.iss == id
            && claims.sub == id
            && claims.aud == issuer
            && ends > now - SKEW
            && ends <= now + AHEAD
            && begins <= now + SKEW
            && begins < ends
            && (1..=128).contains(&claims.jti.chars().count());
        let until = (ends + SKEW).max(now + KEPT);
        good.then(|| Once::new(&["client assertion", &id, &claims.jti], until))
    }
}
