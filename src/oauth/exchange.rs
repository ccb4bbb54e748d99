//! Token exchange (RFC 8693): a case system acts with a person who is signed in.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    access::Role,
    http::Form,
    ids::OrganisationId,
    problem::{Kind, Problem},
    token::{Claims, Verifier},
};

/// How the grant is named.
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// How an access token is named.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The person with whom a client asks to act: by an access token of ours, and by that alone.
pub fn subject(
    form: &Form,
    verifier: &Verifier,
    now: DateTime<Utc>,
) -> Result<Arc<Claims>, Problem> {
    let wrong = |detail: &'static str| Err(Problem::new(Kind::InvalidRequest, detail));
    if form.get("subject_token_type") != Some(ACCESS_TOKEN)
        || form.get("requested_token_type").is_some_and(|asked| asked != ACCESS_TOKEN)
    {
        return wrong("An access token is exchanged for an access token.");
    }
    if form.get("actor_token").or(form.get("actor_token_type")).is_some() {
        return wrong("The client that authenticates is the one that acts: send no actor token.");
    }
    let issuer = verifier.issuer();
    let ours = |name: &str| name == issuer.audience || name == issuer.issuer;
    if ["audience", "resource"].iter().any(|name| form.get(name).is_some_and(|name| !ours(name))) {
        return Err(Kind::InvalidTarget.into());
    }
    let Some(token) = form.get("subject_token") else { return wrong("subject_token is missing.") };
    let claims = verifier.verify(token, now).map_err(|_| refused())?;
    let person = Role::parse(&claims.role).is_ok_and(|role| !role.is_system());
    if person && claims.act.is_none() { Ok(claims) } else { Err(refused()) }
}

/// Refuses a client of an organisation that is neither the person's own nor the local authority in whose area that works.
pub fn may_act_with(organisation: OrganisationId, person: &Claims) -> Result<(), Problem> {
    if person.org == organisation.0 || person.la == Some(organisation.0) {
        return Ok(());
    }
    let whose = "The person acts for an organisation that is not the client's, nor in its area.";
    Err(Problem::new(Kind::InvalidRequest, whose))
}

/// Refuses a token that is bound to a key (RFC 9449) where the one in its place would not be bound to the same key.
pub fn is_bound_alike(person: &Claims, jkt: Option<&str>) -> Result<(), Problem> {
    match &person.cnf {
        Some(bound) if Some(bound.jkt.as_str()) != jkt => Err(Kind::InvalidDpopProof.into()),
        _ => Ok(()),
    }
}

/// The refusal of a token that is not exchanged (RFC 8693, section 2.2.2).
#[must_use]
pub fn refused() -> Problem {
    let what = "The subject token is not the access token of a person who is signed in.";
    Problem::new(Kind::InvalidRequest, what)
}
