//! The token server over HTTP.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{AUTHORIZATION, CACHE_CONTROL},
    post,
    web::Data,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Metadata, Revocation, Revoked, TokenAnswer, TokenRequest, exchange};
use crate::{
    access::{Role, Subject, errand, spelled_out},
    audit::Trail,
    client::{admission::admit, scope, store::Known},
    credentials,
    dpop::Proof,
    http::Form,
    ids::{AccountId, OrganisationId, SessionId},
    keys::JwkSet,
    metric,
    problem::{Kind, Problem},
    remote::RemoteKeys,
    session::{Bearer, expires_in, new_secret, renewal::Use, store},
    token::Verifier,
    work::{Arrival, Db, Reply, SignIn, spend},
};

/// Adds this room's routes, whose places the standards say.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(issue_token);
    api.service(revoke_token);
    api.service(read_keys);
    api.service(read_metadata);
}

/// Get an access token
///
/// RFC 6749: `client_credentials` for a system, or `refresh_token` to go on with a session. A refresh token is used once. If the
/// answer was lost, it may be used once more, from 2 to 30 seconds after; of several uses at once, one gets new tokens. Any
/// other use ends the session.
///
/// RFC 8693: token exchange for a case system that acts with a signed-in person of its own organisation or
/// area; its token is the person's, names both, permits what both may, and ends with either.
///
/// A client authenticates in the one way that it is registered for: by an assertion signed with its key (RFC 7523), or by its
/// secret in the form or by HTTP Basic. With a proof in `DPoP` the token is bound to that key (RFC 9449).
#[utoipa::path(
    tag = "signing in",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The tokens.", body = TokenAnswer)),
)]
#[post("/oauth/token")]
async fn issue_token(
    request: HttpRequest,
    form: Form,
    verifier: Data<Verifier>,
    remote: Data<RemoteKeys>,
    db: Data<Db>,
) -> Reply<TokenAnswer> {
    let arrival = db.arrive(errand(&request)?);
    match form.get("grant_type") {
        Some("client_credentials") => {
            let asked = asked(&request, &form, arrival, &verifier, &remote).await?;
            client_token(asked, &form, &verifier).await
        }
        Some(exchange::GRANT) => {
            let asked = asked(&request, &form, arrival, &verifier, &remote).await?;
            exchanged(asked, &form, &verifier).await
        }
        Some("refresh_token") => {
            let token = form.get("refresh_token").ok_or(Kind::InvalidRequest)?;
            let jkt = offered(&request, arrival.now, &verifier)?;
            refreshed(arrival.begin().await?, token, jkt, &verifier).await
        }
        Some(_) => Err(Kind::UnsupportedGrantType.into()),
        None => Err(Kind::InvalidRequest.into()),
    }
}

/// A client that has authenticated, and asks for a token.
struct Asked {
    work: SignIn,
    client: Known,
    /// The thumbprint of the key to which the token is to be bound.
    jkt: Option<String>,
}

fn authorization(request: &HttpRequest) -> Vec<&str> {
    let headers = request.headers().get_all(AUTHORIZATION);
    headers.map(|value| value.to_str().unwrap_or_default()).collect()
}

async fn asked(
    request: &HttpRequest,
    form: &Form,
    arrival: Arrival,
    verifier: &Verifier,
    remote: &RemoteKeys,
) -> Result<Asked, Problem> {
    let issuer = verifier.issuer();
    let headers = authorization(request);
    let (mut work, client) = admit(form, &headers, arrival, &issuer.issuer, remote).await?;
    let client = client.ok_or(Kind::InvalidClient)?;
    let proof = offered(request, work.now, verifier)?;
    if proof.is_none() && client.dpop_required {
        return Err(Kind::InvalidDpopProof.into());
    }
    let jkt = bind(&mut work, proof).await?;
    Ok(Asked { work, client, jkt })
}

/// The proof of the key to which the token is to be bound.
fn offered(
    request: &HttpRequest,
    now: DateTime<Utc>,
    verifier: &Verifier,
) -> Result<Option<Proof>, Problem> {
    let proof = credentials::offered(request, &verifier.issuer().issuer, now);
    proof.map_err(|_| Kind::InvalidDpopProof.into())
}

/// Uses a proof up, and tells whose it is.
async fn bind(work: &mut SignIn, proof: Option<Proof>) -> Result<Option<String>, Problem> {
    let Some(Proof { jkt, once }) = proof else { return Ok(None) };
    if spend(work.db(), &once).await? { Ok(Some(jkt)) } else { Err(Kind::InvalidDpopProof.into()) }
}

async fn client_token(asked: Asked, form: &Form, verifier: &Verifier) -> Reply<TokenAnswer> {
    let Asked { mut work, client, jkt } = asked;
    let subject = Subject::Client(client.id);
    let scope = scope::narrowed(&client.own_scope(), form.get("scope"))?;
    let bearer = Bearer {
        subject,
        actor: None,
        organisation: client.organisation,
        authority: client.authority,
        role: client.role,
        scope,
        session: store::open(&mut work, subject, jkt.as_deref()).await?,
        authenticated_at: work.now,
        amr: client.proof.ways(),
        jkt,
        rps: Some(client.requests_per_second),
    };
    answer(work, &bearer, verifier, |told| told).await
}

/// A token for a case system that acts with a person.
async fn exchanged(asked: Asked, form: &Form, verifier: &Verifier) -> Reply<TokenAnswer> {
    let Asked { mut work, client, jkt } = asked;
    if client.role != Role::CaseSystem {
        return Err(Kind::UnauthorizedClient.into());
    }
    let person = exchange::subject(form, verifier, work.now)?;
    exchange::may_act_with(client.organisation, &person)?;
    exchange::is_bound_alike(&person, jkt.as_deref())?;
    let role = Role::parse(&person.role)?;
    let held = scope::common(&spelled_out(role, &person.scope), &client.scopes());
    let scope = scope::narrowed(&held, form.get("scope"))?;
    let joint = store::join(&mut work, SessionId(person.sid), client.id).await?;
    let joint = joint.ok_or_else(exchange::refused)?;
    let bearer = Bearer {
        subject: Subject::Account(AccountId(person.sub)),
        actor: Some(client.id),
        organisation: OrganisationId(person.org),
        authority: person.la.map(OrganisationId),
        role,
        scope,
        session: joint.id,
        authenticated_at: joint.authenticated_at,
        amr: joint.amr,
        jkt,
        rps: Some(client.requests_per_second),
    };
    let issued_token_type = Some(exchange::ACCESS_TOKEN);
    answer(work, &bearer, verifier, |told| TokenAnswer { issued_token_type, ..told }).await
}

async fn refreshed(
    mut work: SignIn,
    token: &str,
    proof: Option<Proof>,
    verifier: &Verifier,
) -> Reply<TokenAnswer> {
    let Some(held) = store::refresh(&mut work, token).await? else {
        return Err(Kind::InvalidGrant.into());
    };
    if !held.live {
        return Err(Kind::InvalidGrant.into());
    }
    let jkt = bind(&mut work, proof).await?;
    if held.bearer.jkt.is_some() && held.bearer.jkt != jkt {
        return Err(Kind::InvalidDpopProof.into());
    }
    match held.uses.judge(work.now) {
        Use::First => {}
        Use::Again => store::withdraw_refresh(&mut work, held.replaced_by.as_deref()).await?,
        Use::AtOnce => return Err(Kind::InvalidGrant.into()),
        Use::Reuse => return Err(reused(work, held.bearer.session).await?),
    }
    let refresh_token = new_secret()?;
    store::keep_refresh(&mut work, held.bearer.session, &refresh_token).await?;
    store::replace_refresh(&mut work, token, &refresh_token).await?;
    let refresh_token = Some(refresh_token);
    let bearer = Bearer { jkt, ..held.bearer };
    answer(work, &bearer, verifier, |told| TokenAnswer { refresh_token, ..told }).await
}

/// Two hold a refresh token: the session ends, and whoever watches is told.
async fn reused(mut work: SignIn, session: SessionId) -> Result<Problem, Problem> {
    store::end(&mut work, session).await?;
    metrics::counter!(metric::REFRESH_REUSE).increment(1);
    tracing::warn!(session = %session.0, "a refresh token was used again, so its session was ended");
    Ok(work.keep(Kind::InvalidGrant.into()).await)
}

/// Signs the token of somebody, and answers with it and what `more` adds.
async fn answer(
    work: SignIn,
    bearer: &Bearer,
    verifier: &Verifier,
    more: impl FnOnce(TokenAnswer) -> TokenAnswer,
) -> Reply<TokenAnswer> {
    let (access_token, caller) = bearer.token(&verifier.issuer(), work.now)?;
    let told = TokenAnswer {
        access_token,
        token_type: bearer.token_type(),
        expires_in: expires_in(),
        scope: bearer.scope.clone(),
        refresh_token: None,
        issued_token_type: None,
    };
    work.record(caller, more(told)).await
}

/// Revoke a token
///
/// RFC 7009: ends the session that the token belongs to, so that neither its access tokens nor its refresh token get a
/// further answer on any instance. Signing out is this. A person's token needs nothing beside; a client authenticates as
/// at `POST /oauth/token` and revokes its own. A token that is unknown or has ended is answered alike.
#[utoipa::path(
    tag = "signing in",
    request_body(content = Revocation, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token is no longer good for anything.", body = Revoked)),
)]
#[post("/oauth/revoke")]
async fn revoke_token(
    request: HttpRequest,
    form: Form,
    verifier: Data<Verifier>,
    remote: Data<RemoteKeys>,
    db: Data<Db>,
) -> Reply<Revoked> {
    let token = form.get("token").filter(|token| !token.is_empty()).ok_or(Kind::InvalidRequest)?;
    if form.get("client_id").is_some_and(|id| id.parse::<Uuid>().is_err()) {
        return Err(Kind::InvalidRequest.into());
    }
    let arrival = db.arrive(errand(&request)?);
    let (headers, issuer) = (authorization(&request), verifier.issuer());
    let (mut work, client) = admit(&form, &headers, arrival, &issuer.issuer, &remote).await?;
    let claimed = verifier.verify(token, work.now).ok().map(|claims| SessionId(claims.sid));
    let session = match claimed {
        Some(session) => Some(session),
        None => store::session_of(&mut work, token).await?,
    };
    let Some(session) = session else {
        return work.record_unknown(Trail::default(), Revoked {}).await;
    };
    if store::client_of(&mut work, session).await? != client.map(|client| client.id) {
        return Err(Kind::InvalidClient.into());
    }
    store::end(&mut work, session).await?;
    work.record_unknown(Trail::default().with(json!({ "session": session })), Revoked {}).await
}

/// Read the public keys
///
/// The keys by which access tokens are verified (RFC 7517), for whoever wants to check a token of ours.
#[utoipa::path(
    tag = "signing in",
    responses((status = 200, description = "The keys.", body = JwkSet)),
)]
#[get("/.well-known/jwks.json")]
async fn read_keys(verifier: Data<Verifier>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "max-age=300"))
        .json(verifier.issuer().keys.jwks())
}

/// Read the metadata of the token server
///
/// Where and how tokens are had (RFC 8414).
#[utoipa::path(
    tag = "signing in",
    responses((status = 200, description = "The metadata.", body = Metadata)),
)]
#[get("/.well-known/oauth-authorization-server")]
async fn read_metadata(verifier: Data<Verifier>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "max-age=300"))
        .json(Metadata::of(&verifier.issuer().issuer))
}
