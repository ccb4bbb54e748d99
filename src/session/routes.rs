//! Signing in over HTTP.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{AUTHORIZATION, CACHE_CONTROL},
    post,
    web::Data,
};
use aws_lc_rs::constant_time;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    Bearer, Door, Session, SessionIn, TokenAnswer, expires_in, new_secret, renewal::Use,
    secret::Unhashed, secret_hash, store, ways,
};
use crate::{
    access::{Subject, errand, scopes},
    audit::Trail,
    http::{Form, Json},
    ids::{AccountId, SessionId},
    keys::JwkSet,
    problem::{Kind, Problem},
    throttle,
    token::Verifier,
    work::{Db, Reply, SignIn},
};

/// Adds the routes under `/v1`.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(create_session);
}

/// Adds the routes whose place a standard says.
pub(crate) fn mount_standard(api: &mut ServiceConfig) {
    api.service(issue_token);
    api.service(revoke_token);
    api.service(read_keys);
    api.service(read_metadata);
}

/// Sign in
///
/// With user name, password, PIN and the one-time code of the security token. All four are judged together, and a refusal
/// never says which was wrong. After a try in vain the next one waits, ever longer; `Retry-After` says how long. The access
/// token lasts 600 seconds; the refresh token is exchanged at `POST /oauth/token`.
#[utoipa::path(
    tag = "signing in",
    request_body = SessionIn,
    responses(
        (status = 200, description = "The tokens.", body = Session),
        (status = 401, description = "`sign-in-failed`."),
    ),
)]
#[post("/sessions")]
async fn create_session(
    request: HttpRequest,
    body: Json<SessionIn>,
    door: Data<Door>,
    verifier: Data<Verifier>,
    db: Data<Db>,
) -> Reply<Session> {
    let told = body.value;
    let attempt = throttle(db.arrive(errand(&request)?).begin().await?, &told).await?;
    let arrival = db.arrive(errand(&request)?);
    let account = store::account(&arrival, &told.user_name).await?;
    let known = judge(&door, &told, account.as_ref()).await?;
    let sealed = account.as_ref().and_then(|a| Some((a.id, a.seed.as_deref()?)));
    let step = door.step(sealed, told.one_time_code.expose_secret(), arrival.now);

    let mut work = arrival.begin().await?;
    let right = account.filter(|account| known && account.may_act).zip(step);
    let (id, step) =
        right.as_ref().map_or((AccountId(Uuid::nil()), 0), |(account, step)| (account.id, *step));
    let unused = store::use_step(&mut work, id, step).await?;
    let Some((account, _)) = right.filter(|_| unused) else {
        return Err(work.keep(Kind::SignInFailed.into()).await);
    };
    throttle::store::forget(&mut work, attempt).await?;
    throttle::store::know_network(&mut work, account.id).await?;
    let subject = Subject::Account(account.id);
    let bearer = Bearer {
        subject,
        actor: None,
        organisation: account.organisation,
        authority: account.authority,
        role: account.role,
        scope: scopes(account.role),
        session: store::open(&mut work, subject).await?,
        authenticated_at: work.now,
        amr: ways::FACTORS,
        jkt: None,
        rps: None,
    };
    let refresh_token = new_secret()?;
    store::keep_refresh(&mut work, bearer.session, &refresh_token).await?;
    let (access_token, caller) = bearer.token(&verifier.issuer(), work.now)?;
    let token_type = bearer.token_type();
    let session = Session { access_token, token_type, expires_in: expires_in(), refresh_token };
    work.record(caller, session).await
}

/// Refuses whoever guesses too fast. A try is noted before it is judged, so that those sent at once are counted too.
async fn throttle(mut work: SignIn, told: &SessionIn) -> Result<Uuid, Problem> {
    throttle::store::tries(&mut work, &told.user_name).await?.check(work.now)?;
    let attempt = throttle::store::note_try(&mut work, &told.user_name).await?;
    work.note().await?;
    Ok(attempt)
}

/// Whether password and PIN are the account's; a hash that cannot be read is nobody's.
async fn judge(
    door: &Data<Door>,
    told: &SessionIn,
    account: Option<&store::Account>,
) -> Result<bool, Problem> {
    let credential = account.and_then(|account| account.credential.clone());
    let (password, pin, own) = (told.password.clone(), told.pin.clone(), door.clone().into_inner());
    let judged =
        door.pool.run(move || own.credential.verify(credential.as_deref(), &password, &pin)).await;
    Ok(judged.map_err(Unhashed::problem)?.unwrap_or_else(|error| {
        tracing::error!(%error, "a sign-in could not be judged");
        false
    }))
}

/// What a token request says; which members are needed depends on the grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "grant_type": "client_credentials",
    "client_id": "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11",
    "client_secret": "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q"
}))]
struct TokenRequest {
    /// `client_credentials` for a system, `refresh_token` to go on with a session.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The client, where it does not authenticate by HTTP Basic.
    #[schema(nullable = false, required = false)]
    client_id: Option<Uuid>,
    /// The client's secret, where it does not authenticate by HTTP Basic.
    #[schema(nullable = false, required = false, format = Password)]
    client_secret: Option<String>,
    /// The refresh token to exchange.
    #[schema(nullable = false, required = false)]
    refresh_token: Option<String>,
}

/// Get an access token
///
/// RFC 6749: `client_credentials` for a system with its secret (in the form, or by HTTP Basic), or `refresh_token` to go on
/// with a session. A refresh token is used once. If the answer was lost, it may be used once more, from 2 to 30 seconds
/// after; of several uses at once, one gets new tokens. Any other use ends the session.
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
    db: Data<Db>,
) -> Reply<TokenAnswer> {
    let arrival = db.arrive(errand(&request)?);
    match form.get("grant_type") {
        Some("client_credentials") => {
            client_token(arrival.begin().await?, &request, &form, &verifier).await
        }
        Some("refresh_token") => {
            let token = form.get("refresh_token").ok_or(Kind::InvalidRequest)?;
            refreshed(arrival.begin().await?, token, &verifier).await
        }
        Some(_) => Err(Kind::UnsupportedGrantType.into()),
        None => Err(Kind::InvalidRequest.into()),
    }
}

async fn client_token(
    mut work: SignIn,
    request: &HttpRequest,
    form: &Form,
    verifier: &Verifier,
) -> Reply<TokenAnswer> {
    let client = known_client(&mut work, request, form).await?;
    let subject = Subject::Client(client.id);
    let bearer = Bearer {
        subject,
        actor: None,
        organisation: client.organisation,
        authority: client.authority,
        role: client.role,
        scope: scopes(client.role),
        session: store::open(&mut work, subject).await?,
        authenticated_at: work.now,
        amr: ways::SECRET,
        jkt: None,
        rps: None,
    };
    answer(work, &bearer, None, verifier).await
}

/// The client that authenticates, if it may act.
async fn known_client(
    work: &mut SignIn,
    request: &HttpRequest,
    form: &Form,
) -> Result<store::Client, Problem> {
    let (id, secret) = credentials(request, form)?;
    let client = match id.parse() {
        Ok(id) => store::client(work, id).await?,
        Err(_) => None,
    };
    let hash = secret_hash(&secret);
    let held = client.as_ref().and_then(|client| client.secret_hash.as_deref()).unwrap_or(&[0; 32]);
    let right = constant_time::verify_slices_are_equal(&hash, held).is_ok();
    client.filter(|client| right && client.may_act).ok_or_else(|| Kind::InvalidClient.into())
}

/// The client's id and secret, by one method only (RFC 6749, section 2.3).
fn credentials(request: &HttpRequest, form: &Form) -> Result<(String, String), Problem> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let in_form = form.get("client_id").zip(form.get("client_secret"));
    match (headers.next(), headers.next(), in_form) {
        (None, _, Some((id, secret))) => Ok((id.to_owned(), secret.to_owned())),
        (Some(header), None, None) if form.get("client_secret").is_none() => {
            let encoded = header.to_str().ok().and_then(|value| value.split_once(' '));
            let encoded = encoded.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
            let pair = encoded.and_then(|(_, pair)| STANDARD.decode(pair).ok());
            let pair =
                pair.and_then(|pair| String::from_utf8(pair).ok()).ok_or(Kind::InvalidClient)?;
            let (id, secret) = pair.split_once(':').ok_or(Kind::InvalidClient)?;
            Ok((id.to_owned(), secret.to_owned()))
        }
        (None, _, None) => Err(Kind::InvalidClient.into()),
        _ => Err(Problem::new(Kind::InvalidRequest, "Authenticate in one way only.")),
    }
}

async fn refreshed(mut work: SignIn, token: &str, verifier: &Verifier) -> Reply<TokenAnswer> {
    let Some(held) = store::refresh(&mut work, token).await? else {
        return Err(Kind::InvalidGrant.into());
    };
    if !held.live {
        return Err(Kind::InvalidGrant.into());
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
    answer(work, &held.bearer, Some(refresh_token), verifier).await
}

/// Two hold a refresh token: the session ends, and whoever watches is told.
async fn reused(mut work: SignIn, session: SessionId) -> Result<Problem, Problem> {
    store::end(&mut work, session).await?;
    metrics::counter!("contactpoint_refresh_reuse_total").increment(1);
    tracing::warn!(session = %session.0, "a refresh token was used again, so its session was ended");
    Ok(work.keep(Kind::InvalidGrant.into()).await)
}

async fn answer(
    work: SignIn,
    bearer: &Bearer,
    refresh_token: Option<String>,
    verifier: &Verifier,
) -> Reply<TokenAnswer> {
    let (access_token, caller) = bearer.token(&verifier.issuer(), work.now)?;
    let told = TokenAnswer {
        access_token,
        token_type: bearer.token_type(),
        expires_in: expires_in(),
        scope: bearer.scope.clone(),
        refresh_token,
    };
    work.record(caller, told).await
}

/// What is to be revoked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "token": "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q" }))]
struct Revocation {
    /// A refresh token or an access token.
    #[schema(min_length = 1, example = "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q")]
    token: String,
    /// Which of them it is, to save a look; a wrong hint does no harm.
    #[schema(nullable = false, required = false, example = "refresh_token")]
    token_type_hint: Option<String>,
    /// The client, where the token is a client's and it does not authenticate by HTTP Basic.
    #[schema(nullable = false, required = false)]
    client_id: Option<Uuid>,
    /// The client's secret, where it does not authenticate by HTTP Basic.
    #[schema(nullable = false, required = false, format = Password)]
    client_secret: Option<String>,
}

/// Nothing: whether there was such a token is not told.
#[derive(Debug, Serialize, ToSchema)]
struct Revoked {}

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
    db: Data<Db>,
) -> Reply<Revoked> {
    let token = form.get("token").filter(|token| !token.is_empty()).ok_or(Kind::InvalidRequest)?;
    if form.get("client_id").is_some_and(|id| id.parse::<Uuid>().is_err()) {
        return Err(Kind::InvalidRequest.into());
    }
    let mut work = db.arrive(errand(&request)?).begin().await?;
    let authenticates =
        form.get("client_secret").is_some() || request.headers().contains_key(AUTHORIZATION);
    let client =
        if authenticates { Some(known_client(&mut work, &request, &form).await?.id) } else { None };
    let claimed = verifier.verify(token, work.now).ok().map(|claims| SessionId(claims.sid));
    let session = match claimed {
        Some(session) => Some(session),
        None => store::session_of(&mut work, token).await?,
    };
    let Some(session) = session else {
        return work.record_unknown(Trail::default(), Revoked {}).await;
    };
    if store::client_of(&mut work, session).await? != client {
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

/// Where and how tokens are had (RFC 8414).
#[derive(Debug, Serialize, ToSchema)]
struct Metadata {
    /// Who issues them.
    issuer: String,
    /// Where they are issued.
    token_endpoint: String,
    /// Where they are revoked.
    revocation_endpoint: String,
    /// Where the public keys are.
    jwks_uri: String,
    /// How clients authenticate.
    token_endpoint_auth_methods_supported: [&'static str; 2],
    /// What is exchanged for a token.
    grant_types_supported: [&'static str; 2],
    /// None: nobody is sent through a browser.
    response_types_supported: [&'static str; 0],
    /// What tokens may permit.
    scopes_supported: Vec<&'static str>,
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
    let issuer = verifier.issuer().issuer.clone();
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "max-age=300")).json(Metadata {
        token_endpoint: format!("{issuer}/oauth/token"),
        revocation_endpoint: format!("{issuer}/oauth/revoke"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        issuer,
        token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic"],
        grant_types_supported: ["client_credentials", "refresh_token"],
        response_types_supported: [],
        scopes_supported: crate::access::POLICIES.iter().map(|policy| policy.scope).collect(),
    })
}
