//! Who is let in: whoever is known by a token, holds the permission and has stated a reason, and the proof of it.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data,
};
use chrono::DateTime;

use crate::{
    clock::Clock,
    credentials,
    ids::{AccountId, ClientId, OrganisationId, SessionId},
    limit::Rates,
    problem::{Kind, Problem},
    token::Claims,
};

mod caller;
mod policy;
mod scope;

pub(crate) use caller::Sight;
pub use caller::{Caller, Errand, Reason, Subject, Viewer};
pub use policy::*;
pub use scope::{abridged, permits, scopes, spelled_out};

/// Proof that the caller is known, holds permission `P` and has stated a reason where one is needed.
#[derive(Debug)]
pub struct Access<P> {
    /// Who was let in.
    pub caller: Caller,
    /// What for.
    pub errand: Errand,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequest for Access<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit::<P>(request))
    }
}

fn admit<P: Permission>(request: &HttpRequest) -> Result<Access<P>, Problem> {
    let (caller, claims) = authenticate(request)?;
    let mut errand = errand(request)?;
    let (reason, reference) = (reason(request), reference(request));
    let on_behalf_of = on_behalf_of(request);
    errand.reason = *reason.as_ref().unwrap_or(&None);
    errand.reference.clone_from(reference.as_ref().unwrap_or(&None));
    errand.on_behalf_of = *on_behalf_of.as_ref().unwrap_or(&None);
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(errand.clone());
    if let (Some(client), Some(rate)) = (caller.client(), claims.rps) {
        let rates = request.app_data::<Data<Rates>>().ok_or(Kind::Unauthenticated)?;
        rates.count(client, rate)?;
    }
    if !permits(caller.role, &claims.scope, P::SCOPE) {
        let detail = if P::HELD_BY.contains(&caller.role) {
            format!("Your token does not permit {}; ask for one that does.", P::SCOPE)
        } else {
            format!("Your role does not hold {}; `GET /v1/policies` says which roles do.", P::SCOPE)
        };
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    if P::FRESH {
        let clock = request.app_data::<Data<Clock>>().ok_or(Kind::Unauthenticated)?;
        caller.signed_in_of_late(clock.now())?;
    }
    reference?;
    if reason?.is_none() && P::ABOUT_A_CHILD {
        return Err(Kind::ReasonRequired.into());
    }
    if on_behalf_of?.is_some() && !P::ABOUT_A_CHILD {
        return Err(Problem::new(Kind::InvalidHeader, "On-Behalf-Of is for looks at children."));
    }
    Ok(Access { caller, errand, permission: PhantomData })
}

/// The errand that the edge made for this request.
pub fn errand(request: &HttpRequest) -> Result<Errand, Problem> {
    let errand = request.extensions().get::<Errand>().cloned();
    errand.ok_or_else(|| Problem::internal(anyhow::anyhow!("a route stands outside the edge")))
}

/// Whoever calls where nobody need be known: somebody only where a token is sent, which must then be good.
#[derive(Debug)]
pub struct Anyone(pub Option<Caller>);

impl FromRequest for Anyone {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if !request.headers().contains_key(AUTHORIZATION) {
            return ready(Ok(Self(None)));
        }
        ready(authenticate(request).map(|(caller, _)| {
            request.extensions_mut().insert(caller.clone());
            Self(Some(caller))
        }))
    }
}

fn authenticate(request: &HttpRequest) -> Result<(Caller, Arc<Claims>), Problem> {
    let (claims, proof) = credentials::read(request)?;
    let caller = caller(&claims).ok_or(Kind::Unauthenticated)?;
    Ok((Caller { proof, ..caller }, claims))
}

fn caller(claims: &Arc<Claims>) -> Option<Caller> {
    let role = Role::parse(&claims.role).ok()?;
    let subject = if role.is_system() {
        Subject::Client(ClientId(claims.sub))
    } else {
        Subject::Account(AccountId(claims.sub))
    };
    Some(Caller {
        subject,
        actor: claims.act.as_ref().map(|actor| ClientId(actor.sub)),
        organisation: OrganisationId(claims.org),
        authority: claims.la.map(OrganisationId),
        role,
        session: SessionId(claims.sid),
        token: claims.jti,
        authenticated_at: DateTime::from_timestamp(claims.auth_time, 0)?,
        proof: None,
    })
}

fn reason(request: &HttpRequest) -> Result<Option<Reason>, Problem> {
    let Some(code) = header(request, "Access-Reason")? else { return Ok(None) };
    let known = Reason::ALL.iter().find(|(_, known, _)| *known == code);
    known.map(|(reason, ..)| Some(*reason)).ok_or_else(|| {
        Problem::new(Kind::InvalidHeader, "Access-Reason must be a code of `GET /v1/code-lists`.")
    })
}

fn reference(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(reference) = header(request, "Access-Reference")? else { return Ok(None) };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'-';
    if (1..=40).contains(&reference.len()) && reference.bytes().all(allowed) {
        Ok(Some(reference.to_owned()))
    } else {
        let form = "Access-Reference must be 1 to 40 letters, digits, slashes and hyphens.";
        Err(Problem::new(Kind::InvalidHeader, form))
    }
}

fn on_behalf_of(request: &HttpRequest) -> Result<Option<AccountId>, Problem> {
    let Some(account) = header(request, "On-Behalf-Of")? else { return Ok(None) };
    let id = account.parse().map_err(|_| {
        Problem::new(Kind::InvalidHeader, "On-Behalf-Of must be the number of an account.")
    })?;
    Ok(Some(AccountId(id)))
}

/// The value of a header that may stand once.
pub fn header<'r>(
    request: &'r HttpRequest,
    name: &'static str,
) -> Result<Option<&'r str>, Problem> {
    let mut values = request.headers().get_all(name);
    let wrong = |form| Problem::new(Kind::InvalidHeader, format!("{name} {form}"));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| wrong("must be ASCII.")),
        (Some(_), Some(_)) => Err(wrong("must stand once.")),
    }
}
