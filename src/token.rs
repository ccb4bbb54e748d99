//! Access tokens: signed, short-lived, and read more strictly than the standards ask (RFC 9068).

use std::{
    fmt, slice,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use serde::{Deserialize, Deserializer, Serialize, de};
use uuid::Uuid;

use crate::keys::SigningKeys;

/// How long a token lasts.
pub const LIFETIME: TimeDelta = TimeDelta::seconds(600);

const LONGEST_LIFETIME: i64 = 660;
const SKEW: i64 = 30;
const LARGEST_READ: usize = 8 * 1024;
const LARGEST_ISSUED: usize = 1536;
const MOST_AUDIENCES: usize = 4;
const REMEMBERED: u64 = 20_000;
const REMEMBERED_FOR: Duration = Duration::from_mins(10);
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

type Seen = Cache<[u8; 32], Arc<Claims>>;

/// Verifies tokens, and remembers for a while which were good, so that a signature is checked once.
pub struct Verifier(RwLock<(Arc<Issuer>, Seen)>);

impl Verifier {
    /// Verifies what this issuer issues.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self(RwLock::new((Arc::new(issuer), nothing_seen())))
    }

    /// The issuer whose tokens these are.
    #[must_use]
    pub fn issuer(&self) -> Arc<Issuer> {
        self.state().0
    }

    /// Reads a token that holds now.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Claims>, TokenFault> {
        if token.len() > LARGEST_READ {
            return Err(TokenFault(Reason::TooLarge));
        }
        let (issuer, seen) = self.state();
        let mut key = [0; 32];
        key.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = seen.get(&key) {
            return claims.check_times(now).map(|()| claims).map_err(TokenFault);
        }
        let claims = Arc::new(issuer.verify(token, now)?);
        seen.insert(key, Arc::clone(&claims));
        Ok(claims)
    }

    /// Forgets every token, even those being verified now, so that each is verified anew.
    pub fn forget_all(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).1 = nothing_seen();
    }

    /// Verifies by another issuer from now on, as after a change of keys.
    pub fn replace(&self, issuer: Issuer) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            (Arc::new(issuer), nothing_seen());
    }

    fn state(&self) -> (Arc<Issuer>, Seen) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (issuer, seen) = self.state();
        f.debug_tuple("Verifier").field(&issuer).field(&seen.entry_count()).finish()
    }
}

fn nothing_seen() -> Seen {
    Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn issuer() -> Issuer {
        Issuer {
            issuer: "https://index.example".into(),
            audience: "contactpoint".into(),
            keys: SigningKeys::ephemeral().unwrap(),
        }
    }

    fn grant() -> Grant {
        Grant {
            sub: Uuid::from_u128(1),
            client_id: "web".into(),
            sid: Uuid::from_u128(2),
            role: "practitioner".into(),
            scope: "child:read".into(),
            org: Uuid::from_u128(3),
            la: Some(Uuid::from_u128(4)),
            acr: "2".into(),
            amr: vec!["pwd".into(), "otp".into()],
            auth_time: at(NOW - 100),
            jkt: None,
            actor: None,
            rps: None,
        }
    }

    fn claims(issuer: &Issuer) -> Claims {
        issuer.claims(grant(), at(NOW))
    }

    fn header(issuer: &Issuer) -> String {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": issuer.keys.active() }).to_string()
    }

    fn b64(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Signs anything whatever with a true key of the issuer.
    fn sign(issuer: &Issuer, header: &str, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", b64(header), b64(payload));
        format!("{message}.{}", b64(issuer.keys.sign(message.as_bytes()).unwrap()))
    }

    fn refusal(issuer: &Issuer, token: &str) -> Option<Reason> {
        issuer.verify(token, at(NOW)).err().map(TokenFault::reason)
    }

    #[test]
    fn a_token_says_what_was_granted_for_ten_minutes() {
        let issuer = issuer();
        let claims = claims(&issuer);
        let token = issuer.issue(&claims).unwrap();
        assert!(token.len() < 900, "{}", token.len());
        for (seconds, held) in
            [(-31, false), (-30, true), (0, true), (600, true), (629, true), (630, false)]
        {
            assert_eq!(issuer.verify(&token, at(NOW + seconds)).is_ok(), held, "{seconds}");
        }
        assert_eq!(issuer.verify(&token, at(NOW)), Ok(claims.clone()));
        assert_eq!((claims.exp - claims.iat, claims.nbf), (600, claims.iat));
    }

    #[test]
    fn the_standards_other_spellings_are_read_too() {
        let issuer = issuer();
        let kid = issuer.keys.active();
        let payload = serde_json::to_value(claims(&issuer)).unwrap();
        for typ in ["AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/at+JWT"] {
            let header = json!({ "kid": kid, "typ": typ, "alg": "EdDSA" }).to_string();
            assert_eq!(refusal(&issuer, &sign(&issuer, &header, payload.to_string())), None);
        }
        let with = |member: &str, value: Value| {
            let mut payload = payload.clone();
            payload[member] = value;
            refusal(&issuer, &sign(&issuer, &header(&issuer), payload.to_string()))
        };
        assert_eq!(with("aud", json!(["contactpoint"])), None);
        assert_eq!(with("aud", json!(["a", "b", "c", "contactpoint"])), None);
        assert_eq!(with("exp", json!(NOW + 660)), None);
        let mut short = payload.clone();
        short.as_object_mut().unwrap().remove("la");
        assert_eq!(refusal(&issuer, &sign(&issuer, &header(&issuer), short.to_string())), None);
    }

    #[test]
    fn every_hostile_header_is_refused() {
        let issuer = issuer();
        let kid = issuer.keys.active();
        let payload = serde_json::to_string(&claims(&issuer)).unwrap();
        let with = |member: &str, value: Value| {
            let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
            header[member] = value;
            header.to_string()
        };
        let without = |member: &str| {
            let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
            header.as_object_mut().unwrap().remove(member);
            header.to_string()
        };
        let jwk = serde_json::to_value(issuer.keys.jwks()).unwrap()["keys"][0].clone();
        let hostile = [
            (with("alg", json!("none")), Reason::Algorithm),
            (with("alg", json!("None")), Reason::Algorithm),
            (with("alg", json!("")), Reason::Algorithm),
            (with("alg", json!("HS256")), Reason::Algorithm),
            (with("alg", json!("ES256")), Reason::Algorithm),
            (with("alg", json!("RS256")), Reason::Algorithm),
            (with("alg", json!("Ed25519")), Reason::Algorithm),
            (with("alg", json!("eddsa")), Reason::Algorithm),
            (with("alg", json!(null)), Reason::Header),
            (with("alg", json!(["EdDSA"])), Reason::Header),
            (without("alg"), Reason::Header),
            (with("typ", json!("JWT")), Reason::Type),
            (with("typ", json!("jwt")), Reason::Type),
            (with("typ", json!("dpop+jwt")), Reason::Type),
            (with("typ", json!("at+jwt ")), Reason::Type),
            (with("typ", json!("application/")), Reason::Type),
            (with("typ", json!("application/application/at+jwt")), Reason::Type),
            (with("typ", json!("text/at+jwt")), Reason::Type),
            (with("typ", json!("")), Reason::Type),
            (with("typ", json!("éééééé/at+jwt")), Reason::Type),
            (with("typ", json!(null)), Reason::Header),
            (without("typ"), Reason::Header),
            (with("kid", json!("another")), Reason::UnknownKey),
            (with("kid", json!("")), Reason::UnknownKey),
            (with("kid", json!("../../pepper")), Reason::UnknownKey),
            (with("kid", json!("' or '1'='1")), Reason::UnknownKey),
            (with("kid", json!(format!("{kid}\0"))), Reason::UnknownKey),
            (with("kid", json!(kid.to_lowercase() + "x")), Reason::UnknownKey),
            (with("kid", json!(7)), Reason::Header),
            (without("kid"), Reason::Header),
            (with("crit", json!(["exp"])), Reason::Header),
            (with("crit", json!([])), Reason::Header),
            (with("jwk", jwk), Reason::Header),
            (with("jku", json!("https://attacker.example/keys")), Reason::Header),
            (with("x5u", json!("https://attacker.example/chain")), Reason::Header),
            (with("x5c", json!(["MII"])), Reason::Header),
            (with("x5t", json!("AAAA")), Reason::Header),
            (with("cty", json!("JWT")), Reason::Header),
            (with("zip", json!("DEF")), Reason::Header),
            (with("b64", json!(false)), Reason::Header),
            (with("enc", json!("A256GCM")), Reason::Header),
            (with("ALG", json!("EdDSA")), Reason::Header),
            (with("", json!("")), Reason::Header),
            (format!(r#"["EdDSA","at+jwt","{kid}"]"#), Reason::Header),
            (
                format!(r#"{{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#),
                Reason::Header,
            ),
            (
                format!(r#"{{"alg":"EdDSA","\u0061lg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#),
                Reason::Header,
            ),
            (format!(" {}", header(&issuer)), Reason::Header),
            (format!("\u{feff}{}", header(&issuer)), Reason::Header),
            (format!("{} {{}}", header(&issuer)), Reason::Header),
            (header(&issuer).replace('"', "'"), Reason::Header),
            ("{}".into(), Reason::Header),
            ("null".into(), Reason::Header),
            (String::new(), Reason::Header),
            ("[".repeat(3000), Reason::Header),
        ];
        assert!(hostile.len() > 50);
        for (header, reason) in hostile {
            assert_eq!(
                refusal(&issuer, &sign(&issuer, &header, &payload)),
                Some(reason),
                "{header}"
            );
        }
        assert_eq!(refusal(&issuer, &sign(&issuer, &header(&issuer), &payload)), None);
    }

    #[test]
    fn every_hostile_payload_is_refused_though_truly_signed() {
        let issuer = issuer();
        let good = serde_json::to_value(claims(&issuer)).unwrap();
        let signed = |payload: &str| refusal(&issuer, &sign(&issuer, &header(&issuer), payload));
        let uuid = Uuid::from_u128(0xabc);
        let hostile = [
            ("aud", json!("another"), Reason::Audience),
            ("aud", json!("ContactPoint"), Reason::Audience),
            ("aud", json!(""), Reason::Audience),
            ("aud", json!([]), Reason::Audience),
            ("aud", json!(["another"]), Reason::Audience),
            ("aud", json!(["a", "b", "c", "d", "contactpoint"]), Reason::Audience),
            ("aud", json!(["contactpoint", 1]), Reason::Malformed),
            ("aud", json!([["contactpoint"]]), Reason::Malformed),
            ("aud", json!({ "contactpoint": true }), Reason::Malformed),
            ("aud", json!(null), Reason::Malformed),
            ("iss", json!("https://index.example/"), Reason::Issuer),
            ("iss", json!("HTTPS://index.example"), Reason::Issuer),
            ("iss", json!("https://index.example\0"), Reason::Issuer),
            ("iss", json!(""), Reason::Issuer),
            ("iss", json!(["https://index.example"]), Reason::Malformed),
            ("iss", json!(null), Reason::Malformed),
            ("exp", json!(NOW - 30), Reason::Expired),
            ("exp", json!(NOW + 661), Reason::TooLong),
            ("exp", json!(NOW), Reason::TooLong),
            ("exp", json!(NOW - 1), Reason::TooLong),
            ("exp", json!(0), Reason::TooLong),
            ("exp", json!(i64::MIN), Reason::TooLong),
            ("exp", json!(i64::MAX), Reason::TooLong),
            ("exp", json!(u64::MAX), Reason::Malformed),
            ("exp", json!(1_800_000_600.0), Reason::Malformed),
            ("exp", json!(1_800_000_600.5), Reason::Malformed),
            ("exp", json!("1800000600"), Reason::Malformed),
            ("exp", json!(null), Reason::Malformed),
            ("exp", json!(true), Reason::Malformed),
            ("exp", json!([NOW + 600]), Reason::Malformed),
            ("iat", json!(NOW + 31), Reason::Early),
            ("iat", json!(NOW - 61), Reason::TooLong),
            ("iat", json!(i64::MIN), Reason::TooLong),
            ("iat", json!(i64::MAX), Reason::TooLong),
            ("iat", json!(1_800_000_000.0), Reason::Malformed),
            ("iat", json!(null), Reason::Malformed),
            ("nbf", json!(NOW + 31), Reason::Early),
            ("nbf", json!(i64::MAX), Reason::Early),
            ("nbf", json!(1_800_000_000.0), Reason::Malformed),
            ("nbf", json!("1800000000"), Reason::Malformed),
            ("auth_time", json!(NOW + 31), Reason::Early),
            ("auth_time", json!("now"), Reason::Malformed),
            ("sub", json!("root"), Reason::Malformed),
            ("sub", json!(""), Reason::Malformed),
            ("sub", json!(1), Reason::Malformed),
            ("sub", json!(uuid.simple().to_string()), Reason::Malformed),
            ("sub", json!(uuid.braced().to_string()), Reason::Malformed),
            ("sub", json!(uuid.urn().to_string()), Reason::Malformed),
            ("sub", json!(uuid.to_string().to_uppercase()), Reason::Malformed),
            ("jti", json!(null), Reason::Malformed),
            ("sid", json!("*"), Reason::Malformed),
            ("org", json!([uuid]), Reason::Malformed),
            ("la", json!(null), Reason::Malformed),
            ("la", json!(""), Reason::Malformed),
            ("role", json!(["practitioner"]), Reason::Malformed),
            ("role", json!(null), Reason::Malformed),
            ("scope", json!(["child:read"]), Reason::Malformed),
            ("client_id", json!(1), Reason::Malformed),
            ("acr", json!(2), Reason::Malformed),
            ("amr", json!("pwd"), Reason::Malformed),
            ("amr", json!([1]), Reason::Malformed),
            ("amr", json!({}), Reason::Malformed),
            ("cnf", json!({ "jkt": "thumbprint" }), Reason::Malformed),
            ("cnf", json!(null), Reason::Malformed),
            ("cnf", json!({ "jkt": "A".repeat(43), "x5t#S256": "A" }), Reason::Malformed),
            ("act", json!(null), Reason::Malformed),
            ("act", json!({ "sub": 1 }), Reason::Malformed),
            ("act", json!({ "sub": uuid, "act": { "sub": uuid } }), Reason::Malformed),
            ("rps", json!(null), Reason::Malformed),
            ("rps", json!(-1), Reason::Malformed),
            ("rps", json!("5"), Reason::Malformed),
            ("admin", json!(true), Reason::Malformed),
            ("Role", json!("auditor"), Reason::Malformed),
        ];
        assert!(hostile.len() > 60);
        for (member, value, reason) in hostile {
            let mut payload = good.clone();
            payload[member] = value;
            if (member, reason) == ("exp", Reason::Expired) {
                payload["iat"] = json!(NOW - 600);
            }
            assert_eq!(signed(&payload.to_string()), Some(reason), "{payload}");
        }
        for member in good.as_object().unwrap().keys().filter(|member| *member != "la") {
            let mut payload = good.clone();
            payload.as_object_mut().unwrap().remove(member);
            assert_eq!(signed(&payload.to_string()), Some(Reason::Malformed), "without {member}");
        }
        assert_eq!(signed(&good.to_string()), None);
    }

    #[test]
    fn a_payload_that_is_not_one_plain_object_is_refused() {
        let issuer = issuer();
        let good = serde_json::to_string(&claims(&issuer)).unwrap();
        let signed = |payload: &[u8]| refusal(&issuer, &sign(&issuer, &header(&issuer), payload));
        let values: Vec<Value> =
            serde_json::from_str::<serde_json::Map<_, _>>(&good).unwrap().into_values().collect();
        for payload in [
            good.replacen('{', r#"{"role":"auditor","#, 1),
            good.replacen('{', r#"{"rol\u0065":"auditor","#, 1),
            good.replacen('}', r#","exp":1800000600}"#, 1),
            good.replacen('}', r#","aud":"contactpoint"}"#, 1),
            good.replacen("1800000600", "18000006e2", 1),
            good.replacen("1800000600", "1800000600.0", 1),
            good.replacen("1800000600", "+1800000600", 1),
            good.replacen("1800000600", "01800000600", 1),
            good.replacen("1800000600", "-0", 1),
            good.replacen("1800000600", "NaN", 1),
            good.replacen("1800000600", "Infinity", 1),
            good.replacen("1800000600", "99999999999999999999999999", 1),
            good.replacen("practitioner", "\\ud800", 1),
            good.replacen("practitioner", "\n", 1),
            good.replacen('}', ",}", 1),
            format!("{good}{good}"),
            format!("{good}\0"),
            format!(" {good}"),
            format!("[{good}]"),
            format!("/**/{good}"),
            good[..good.len() - 1].to_owned(),
            serde_json::to_string(&values).unwrap(),
            serde_json::to_string(&good).unwrap(),
            String::new(),
            "{}".into(),
            "null".into(),
            "1".into(),
            "{\"a\":".repeat(900),
        ] {
            assert!(signed(payload.as_bytes()).is_some(), "{payload}");
        }
        let mut not_utf8 = good.clone().into_bytes();
        not_utf8[good.find("practitioner").unwrap()] = 0xff;
        assert_eq!(signed(&not_utf8), Some(Reason::Malformed));
        assert_eq!(signed(good.as_bytes()), None);
    }

    #[test]
    fn a_token_in_any_other_shape_is_refused() {
        let issuer = issuer();
        let token = issuer.issue(&claims(&issuer)).unwrap();
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            panic!("three parts")
        };
        let none = b64(r#"{"alg":"none","typ":"at+jwt"}"#);
        let mut trailing = token.clone();
        let last = trailing.pop().unwrap();
        trailing.push(char::from(last as u8 + 1));
        for hostile in [
            String::new(),
            ".".into(),
            "..".into(),
            "...".into(),
            format!("{header}.{payload}"),
            format!("{header}.{payload}."),
            format!("{header}..{signature}"),
            format!(".{payload}.{signature}"),
            format!("{token}."),
            format!(".{token}"),
            format!("{token}.{signature}"),
            format!("{header}.{header}.{payload}.{signature}"),
            format!("{header}.{payload}..{signature}"),
            format!("{header}.{payload}.{signature}.a.b"),
            format!("{header}=.{payload}.{signature}"),
            format!("{token}="),
            format!("{token}=="),
            format!(" {token}"),
            format!("{token} "),
            format!("{token}\n"),
            format!("{token}\0"),
            format!("Bearer {token}"),
            format!("\u{feff}{token}"),
            format!("{token}é"),
            format!("{header}.{payload}.+/{}", &signature[2..]),
            format!("{header}.{payload}.%2B{}", &signature[3..]),
            trailing,
            format!("{header}.{payload}.{}", &signature[..84]),
            format!("{token}AAAA"),
            format!("{none}.{payload}."),
            format!("{none}.{payload}.{signature}"),
            format!("{header}.{payload}.{}", b64([0; 64])),
            format!("{header}.{payload}.{}", b64([0xff; 64])),
            format!("{token}{}", "A".repeat(8 * 1024)),
            "A".repeat(8 * 1024 + 1),
            format!("{}.{payload}.{signature}", "A".repeat(7000)),
            json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        ] {
            assert!(refusal(&issuer, &hostile).is_some(), "{hostile}");
        }
        assert_eq!(refusal(&issuer, &token), None);
    }

    #[test]
    fn a_token_signed_by_anything_but_our_key_is_refused() {
        let (ours, theirs) = (issuer(), issuer());
        let payload = serde_json::to_string(&claims(&ours)).unwrap();
        let stolen_name = sign(&theirs, &header(&ours), &payload);
        assert_eq!(refusal(&ours, &stolen_name), Some(Reason::Signature));
        let own_name = sign(&theirs, &header(&theirs), &payload);
        assert_eq!(refusal(&ours, &own_name), Some(Reason::UnknownKey));
        let public = ours.keys.jwks().keys[0].x.clone();
        for secret in [public.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&public).unwrap()] {
            for alg in ["HS256", "EdDSA"] {
                let header = header(&ours).replace("EdDSA", alg);
                let message = format!("{}.{}", b64(header), b64(&payload));
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                let mac = hmac::sign(&key, message.as_bytes());
                assert!(refusal(&ours, &format!("{message}.{}", b64(mac))).is_some());
            }
        }
        let good = ours.issue(&claims(&ours)).unwrap();
        let other = ours.issue(&claims(&ours)).unwrap();
        let (message, _) = good.rsplit_once('.').unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();
        assert_eq!(refusal(&ours, &format!("{message}.{signature}")), Some(Reason::Signature));
    }

    #[test]
    fn a_fault_tells_nothing_outside() {
        let issuer = issuer();
        let fault = issuer.verify("canary", at(NOW)).unwrap_err();
        assert_eq!(fault.to_string(), "the token is not valid");
        assert_eq!(format!("{fault:?}"), "TokenFault(NotAToken)");
        assert_eq!(fault.reason().as_str(), "not_a_token");
        let oversized = issuer.verify(&"a".repeat(9000), at(NOW)).unwrap_err();
        assert_eq!(oversized.to_string(), fault.to_string());
    }

    #[test]
    fn a_token_over_its_size_is_not_issued() {
        let issuer = issuer();
        let grant = Grant { scope: "child:read ".repeat(100), ..grant() };
        assert_eq!(issuer.issue(&issuer.claims(grant, at(NOW))), Err(NotIssued));
    }

    #[test]
    fn a_remembered_token_still_ends_and_is_forgotten_on_demand() {
        let verifier = Verifier::new(issuer());
        let token = verifier.issuer().issue(&claims(&verifier.issuer())).unwrap();
        let first = verifier.verify(&token, at(NOW)).unwrap();
        assert!(Arc::ptr_eq(&first, &verifier.verify(&token, at(NOW + 1)).unwrap()));
        let reason = |seconds| verifier.verify(&token, at(NOW + seconds)).unwrap_err().reason();
        assert_eq!(reason(630), Reason::Expired);
        assert_eq!(reason(-31), Reason::Early);
        assert!(Arc::ptr_eq(&first, &verifier.verify(&token, at(NOW)).unwrap()));
        verifier.forget_all();
        let again = verifier.verify(&token, at(NOW)).unwrap();
        assert!(!Arc::ptr_eq(&first, &again) && first == again);
        verifier.replace(issuer());
        assert_eq!(reason(0), Reason::UnknownKey);
    }

    #[test]
    fn a_refused_token_is_not_remembered() {
        let verifier = Verifier::new(issuer());
        let token = verifier.issuer().issue(&claims(&verifier.issuer())).unwrap();
        assert!(verifier.verify(&token, at(NOW - 31)).is_err());
        assert!(verifier.verify(&format!("{token}A"), at(NOW)).is_err());
        assert!(verifier.verify(&"a".repeat(9000), at(NOW)).is_err());
        assert_eq!(verifier.state().1.iter().count(), 0);
        assert!(verifier.verify(&token, at(NOW)).is_ok());
    }

    proptest! {
        #[test]
        fn no_string_makes_it_panic(text in ".*", a: Vec<u8>, b: Vec<u8>, seconds: i64) {
            let issuer = issuer();
            let now = DateTime::from_timestamp(seconds % 8_000_000_000_000, 0).unwrap_or_default();
            prop_assert!(issuer.verify(&text, now).is_err());
            let parts = format!("{}.{}.{text}", b64(&a), b64(&b));
            prop_assert!(issuer.verify(&parts, now).is_err());
            prop_assert!(issuer.verify(&sign(&issuer, &header(&issuer), &a), now).is_err());
            prop_assert!(issuer.verify(&sign(&issuer, &text, &a), now).is_err());
        }

        #[test]
        fn one_changed_character_is_enough(position: prop::sample::Index, new in "[A-Za-z0-9._-]") {
            let issuer = issuer();
            let token = issuer.issue(&claims(&issuer)).unwrap();
            let at_fault = position.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(at_fault..=at_fault, &new);
            prop_assert_eq!(issuer.verify(&changed, at(NOW)).is_ok(), changed == token);
        }
    }
}
