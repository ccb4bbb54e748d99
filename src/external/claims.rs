//! What an ID token must say (OpenID Connect Core 1.0, section 3.1.3.7; security rules OIDC-1 and TOK-4).

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{is_subject, issuers::Issuer};
use crate::jose::{Audience, present};

/// How far the issuer's clock may be from ours, in seconds.
const SKEW: i64 = 60;
/// How long a token may last, in seconds.
const LONGEST: i64 = 3600;
/// How long ago it may have been issued, in seconds.
const OLDEST: i64 = 300;

/// Who issued a token, before anybody believes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Issued {
    pub(crate) iss: String,
}

/// What an ID token says. All else that it says, such as names and addresses, is passed over.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    azp: Option<String>,
    #[serde(default, deserialize_with = "present")]
    auth_time: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    acr: Option<String>,
    #[serde(default, deserialize_with = "present")]
    amr: Option<Vec<String>>,
}

/// Somebody whom an issuer has recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recognised {
    pub(crate) subject: String,
    pub(crate) authenticated_at: DateTime<Utc>,
    /// Until when the token could be used, and so must be known as used.
    pub(crate) until: DateTime<Utc>,
}

/// Why nobody is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// What is wrong, for logs only.
    Wrong(&'static str),
    /// All is right, but two factors are not proved.
    OneFactor,
}

impl Claims {
    /// Who is recognised, if all is right at this moment.
    pub(crate) fn judge(self, issuer: &Issuer, now: DateTime<Utc>) -> Result<Recognised, Unfit> {
        if self.iss != issuer.issuer {
            return Err(Unfit::Wrong("issuer"));
        }
        if !is_subject(&self.sub) {
            return Err(Unfit::Wrong("subject"));
        }
        self.check_audience(&issuer.audience)?;
        self.check_times(now.timestamp())?;
        if !self.proves_two_factors(issuer) {
            return Err(Unfit::OneFactor);
        }
        let moment = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(Unfit::Wrong("times"));
        let told = self.auth_time.filter(|at| *at <= now.timestamp()).unwrap_or(self.iat);
        Ok(Recognised {
            subject: self.sub,
            authenticated_at: moment(told)?.min(now),
            until: moment(self.exp.saturating_add(SKEW))?,
        })
    }

    fn check_audience(&self, ours: &str) -> Result<(), Unfit> {
        let several = self.aud.names().len() > 1;
        let to_us = match &self.azp {
            Some(azp) => azp == ours,
            None => !several,
        };
        if self.aud.holds(ours) && to_us { Ok(()) } else { Err(Unfit::Wrong("audience")) }
    }

    fn check_times(&self, now: i64) -> Result<(), Unfit> {
        let lasts = (1..=LONGEST).contains(&self.exp.saturating_sub(self.iat));
        let begun = self.iat.max(self.nbf.unwrap_or(self.iat)) <= now.saturating_add(SKEW);
        let recent = self.iat >= now.saturating_sub(OLDEST);
        let good = self.exp.saturating_add(SKEW) > now;
        if lasts && begun && recent && good { Ok(()) } else { Err(Unfit::Wrong("times")) }
    }

    /// Whether `acr`, or `amr` (RFC 8176), says that the person proved two things of different kinds: something known,
    /// something held, something of the body. A number on a telephone can be moved to another, and counts for neither.
    fn proves_two_factors(&self, issuer: &Issuer) -> bool {
        const KINDS: [&[&str]; 3] = [
            &["pwd", "pin", "kba"],
            &["otp", "hwk", "swk", "sc"],
            &["face", "fpt", "iris", "retina", "vbm"],
        ];
        let ways = self.amr.as_deref().unwrap_or_default();
        let proved = |kind: &&&[&str]| ways.iter().any(|way| kind.contains(&way.as_str()));
        ways.iter().any(|way| way == "mfa")
            || KINDS.iter().filter(proved).count() > 1
            || self.acr.as_ref().is_some_and(|acr| issuer.acr_values.contains(acr))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{access::Role, jose::Algorithm};

    const NOW: i64 = 1_800_000_000;

    fn issuer() -> Issuer {
        Issuer {
            issuer: "https://login.council.example".to_owned(),
            audience: "us".to_owned(),
            jwks_uri: String::new(),
            algorithms: vec![Algorithm::EdDSA],
            roles: vec![Role::Practitioner],
            organisation: ("authority".to_owned(), "887".to_owned()),
            acr_values: vec!["two-factors".to_owned()],
        }
    }

    fn judged(changes: &Value) -> Result<Recognised, Unfit> {
        let mut claims = json!({ "iss": "https://login.council.example", "sub": "24400320", "aud": "us",
            "iat": NOW - 5, "exp": NOW + 295, "amr": ["pwd", "mfa"] });
        for (member, value) in changes.as_object().unwrap() {
            claims[member] = value.clone();
        }
        let claims: Claims = serde_json::from_value(claims).unwrap();
        claims.judge(&issuer(), DateTime::from_timestamp(NOW, 0).unwrap())
    }

    #[test]
    fn a_token_is_for_us_recent_and_of_its_issuer() {
        for good in [
            json!({}),
            json!({ "aud": ["us"] }),
            json!({ "aud": ["us", "them"], "azp": "us" }),
            json!({ "iat": NOW - 300, "exp": NOW }),
            json!({ "iat": NOW - 300, "exp": NOW - 59 }),
            json!({ "iat": NOW + 60, "exp": NOW + 61 }),
            json!({ "nbf": NOW + 60 }),
            json!({ "exp": NOW - 5 + 3600 }),
        ] {
            assert!(judged(&good).is_ok(), "{good}");
        }
        for wrong in [
            json!({ "iss": "https://login.council.example/" }),
            json!({ "sub": "" }),
            json!({ "sub": "é" }),
            json!({ "sub": "s".repeat(256) }),
            json!({ "aud": "them" }),
            json!({ "aud": [] }),
            json!({ "aud": ["us", "them"] }),
            json!({ "aud": ["us", "them"], "azp": "them" }),
            json!({ "azp": "them" }),
            json!({ "aud": ["us", "a", "b", "c", "d"], "azp": "us" }),
            json!({ "exp": NOW - 60, "iat": NOW - 200 }),
            json!({ "iat": NOW - 301 }),
            json!({ "iat": NOW + 61 }),
            json!({ "nbf": NOW + 61 }),
            json!({ "exp": NOW - 5 + 3601 }),
            json!({ "exp": NOW - 5 }),
            json!({ "exp": i64::MAX, "iat": i64::MIN }),
            json!({ "exp": i64::MAX }),
            json!({ "iat": i64::MAX }),
        ] {
            assert!(matches!(judged(&wrong), Err(Unfit::Wrong(_))), "{wrong}");
        }
    }

    #[test]
    fn two_factors_are_proved() {
        for good in [
            json!({ "amr": ["mfa"] }),
            json!({ "amr": ["pwd", "otp"] }),
            json!({ "amr": ["pin", "hwk"] }),
            json!({ "amr": ["face", "swk"] }),
            json!({ "amr": [], "acr": "two-factors" }),
        ] {
            assert!(judged(&good).is_ok(), "{good}");
        }
        for one in [
            json!({ "amr": [] }),
            json!({ "amr": ["pwd"] }),
            json!({ "amr": ["pwd", "pin"] }),
            json!({ "amr": ["pwd", "sms"] }),
            json!({ "amr": ["pwd", "tel"] }),
            json!({ "amr": ["MFA"] }),
            json!({ "amr": ["otp", "hwk"] }),
            json!({ "amr": ["pwd"], "acr": "2" }),
        ] {
            assert_eq!(judged(&one), Err(Unfit::OneFactor), "{one}");
        }
    }

    #[test]
    fn the_sign_in_was_when_the_issuer_says_and_never_ahead() {
        let at = |changes| judged(&changes).unwrap().authenticated_at.timestamp();
        assert_eq!(at(json!({})), NOW - 5);
        assert_eq!(at(json!({ "auth_time": NOW - 4000 })), NOW - 4000);
        assert_eq!(at(json!({ "auth_time": NOW + 1 })), NOW - 5);
        assert_eq!(at(json!({ "iat": NOW + 30 })), NOW);
        assert_eq!(judged(&json!({})).unwrap().until.timestamp(), NOW + 295 + 60);
    }
}
