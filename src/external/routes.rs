//! Signing in by another issuer, and linking an identity there to an account, over HTTP.

use actix_web::{
    HttpRequest, delete, post, put,
    web::{Data, Path},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    ExternalIdentity, ExternalIdentityIn, ExternalSessionIn, Issuers,
    claims::{Claims, Issued, Recognised, Unfit},
    issuers::Issuer,
    store, unknown_issuer,
};
use crate::{
    access::{Access, Permission, Subject, WriteAccount, errand, scopes},
    account::{
        Account, AccountStatus,
        store::{lock, reread},
    },
    audit::Trail,
    credentials,
    digest::{Once, sha256},
    dpop::Proof,
    http::{IfMatch, Json},
    ids::AccountId,
    jose::Signed,
    problem::{Kind, Problem},
    remote::RemoteKeys,
    session::{Bearer, Session, expires_in, new_secret, store::keep_refresh, ways},
    throttle::store::{guesses, know_network, note_guess},
    token::Verifier,
    work::{Db, Reply, SignIn, Work, spend, spend_proof},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(create_external_session);
    api.service(link_external_identity);
    api.service(unlink_external_identity);
}

/// Sign in by another issuer
///
/// With an ID token (OpenID Connect Core 1.0) of an issuer that this service is configured with, such as a council's
/// directory. The issuer says who somebody is; role and organisation are those of the account to which the identity was
/// linked, and the right to override a shield is not had in this way. The token was issued within the last 5 minutes, proves
/// two factors by `amr` or `acr`, and is used once.
#[utoipa::path(
    tag = "signing in",
    request_body = ExternalSessionIn,
    responses((status = 200, description = "The tokens.", body = Session)),
)]
#[post("/sessions/external")]
async fn create_external_session(
    request: HttpRequest,
    body: Json<ExternalSessionIn>,
    issuers: Data<Issuers>,
    keys: Data<RemoteKeys>,
    verifier: Data<Verifier>,
    db: Data<Db>,
) -> Reply<Session> {
    let bound = credentials::offered(&request, &verifier.issuer().issuer, db.now());
    let bound = bound.map_err(|_| Kind::DpopProofRefused)?;
    throttle(db.arrive(errand(&request)?).begin().await?).await?;
    let arrival = db.arrive(errand(&request)?);
    let read = Signed::read(body.value.id_token.expose_secret(), Signed::PLAIN);
    let Ok((Some(issuer), signed)) = read.map(|signed| (issuer(&signed, &issuers), signed)) else {
        return refuse(arrival.begin().await?, "form or issuer").await;
    };
    let recognised = recognise(&signed, issuer, &keys, arrival.now).await;
    let work = arrival.begin().await?;
    match recognised {
        Ok(recognised) => open(work, issuer, &signed, &recognised, bound, &verifier).await,
        Err(Unbelieved::Unfit(Unfit::Wrong(why))) => refuse(work, why).await,
        Err(Unbelieved::Unfit(Unfit::OneFactor)) => Err(Kind::SecondFactorRequired.into()),
        Err(Unbelieved::NoKeys) => Err(Problem::from(Kind::Unavailable).retry_after(10)),
    }
}

/// Refuses whoever has sent much in vain. A try is noted once it has failed: a signature cannot be guessed, and who waits for
/// an issuer's keys must not hold up others who sign in from the same network.
async fn throttle(mut work: SignIn) -> Result<(), Problem> {
    guesses(&mut work).await?.check(work.now)?;
    work.note().await
}

/// Why an issuer is not believed.
enum Unbelieved {
    Unfit(Unfit),
    /// Its keys are not here and cannot be had.
    NoKeys,
}

fn issuer<'i>(signed: &Signed<'_>, issuers: &'i Issuers) -> Option<&'i Issuer> {
    issuers.find(&signed.unverified::<Issued>().ok()?.iss)
}

/// Who it is, by the issuer's own key.
async fn recognise(
    signed: &Signed<'_>,
    issuer: &Issuer,
    keys: &RemoteKeys,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Recognised, Unbelieved> {
    let wrong = |why| Unbelieved::Unfit(Unfit::Wrong(why));
    if signed.typ().is_some() && !signed.is_of_type("JWT") {
        return Err(wrong("type"));
    }
    if !issuer.algorithms.contains(&signed.alg()) {
        return Err(wrong("algorithm"));
    }
    let key = keys.find(&issuer.jwks_uri, signed.kid(), now).await;
    let key = key.map_err(|_| Unbelieved::NoKeys)?.ok_or(wrong("key"))?;
    let claims: Claims = signed.verified_by(&key).map_err(|_| wrong("signature or claims"))?;
    claims.judge(issuer, now).map_err(Unbelieved::Unfit)
}

async fn open(
    mut work: SignIn,
    issuer: &Issuer,
    signed: &Signed<'_>,
    recognised: &Recognised,
    bound: Option<Proof>,
    verifier: &Verifier,
) -> Reply<Session> {
    let linked = store::linked(&mut work, issuer, &recognised.subject).await?;
    let admitted = linked.filter(|account| account.may_act);
    let admitted =
        admitted.and_then(|account| issuer.admits(account.role).map(|role| (account, role)));
    let Some((account, role)) = admitted else {
        return refuse(work, "account").await;
    };
    // Known again by what is signed: the same may be signed in two ways.
    let once = Once::new(&["external", &issuer.issuer, signed.message()], recognised.until);
    if !spend(work.db(), &once).await? {
        return refuse(work, "used before").await;
    }
    if let Some(proof) = &bound {
        spend_proof(work.db(), &proof.once).await?;
    }
    let jkt = bound.map(|proof| proof.jkt);
    let bearer = Bearer {
        subject: Subject::Account(account.id),
        actor: None,
        organisation: account.organisation,
        authority: account.authority,
        role,
        scope: scopes(role),
        session: store::open(&mut work, &account, role, recognised, jkt.as_deref()).await?,
        authenticated_at: recognised.authenticated_at,
        amr: ways::EXTERNAL,
        jkt,
        rps: None,
    };
    know_network(&mut work, account.id).await?;
    let refresh_token = new_secret()?;
    keep_refresh(&mut work, bearer.session, &refresh_token).await?;
    let (access_token, caller) = bearer.token(&verifier.issuer(), work.now)?;
    let token_type = bearer.token_type();
    let session = Session { access_token, token_type, expires_in: expires_in(), refresh_token };
    work.record(caller, session).await
}

/// Refuses, always in the same words; only our own log says why.
async fn refuse<T>(mut work: SignIn, why: &'static str) -> Reply<T> {
    tracing::info!(why, "a sign-in by another issuer was refused");
    note_guess(&mut work).await?;
    Err(work.keep(Kind::SignInFailed.into()).await)
}

/// Link an identity of another issuer
///
/// From then on the person signs in at `POST /v1/sessions/external` too. An account whose person was still to enrol becomes
/// active, and needs no password here. It takes the place of the identity that was linked before, whose sessions end. Nobody
/// changes their own account. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [WriteAccount::SCOPE])),
    params(("accountId" = AccountId, Path, description = "The account.")),
    request_body = ExternalIdentityIn,
    responses((status = 200, description = "The account as it now stands.", body = Account, headers(
        ("ETag" = String, description = "The version of the account, for `If-Match`."),
    ))),
)]
#[put("/accounts/{accountId}/external-identity")]
async fn link_external_identity(
    access: Access<WriteAccount>,
    id: Path<AccountId>,
    base: IfMatch,
    body: Json<ExternalIdentityIn>,
    issuers: Data<Issuers>,
    db: Data<Db>,
) -> Reply<Account> {
    let mut work = access.begin(&db).await?;
    let account = changeable(&mut work, *id, base).await?;
    let identity = body.value;
    let issuer = identity.issuer(&issuers, account.role)?;
    if !store::is_of(&mut work, account.organisation_id, issuer).await? {
        return Err(unknown_issuer());
    }
    let new =
        ExternalIdentity { issuer: identity.issuer.clone(), subject: identity.subject.clone() };
    if account.external_identity.is_some_and(|held| held != new) {
        store::end_sessions(&mut work, *id).await?;
    }
    store::link(&mut work, *id, &identity).await?;
    changed(work, *id, Some(&new)).await
}

/// Unlink the identity of another issuer
///
/// The sessions that it began end at once. An account without a password of its own is `invited` again. Nobody changes their
/// own account. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [WriteAccount::SCOPE])),
    params(("accountId" = AccountId, Path, description = "The account.")),
    responses((status = 200, description = "The account as it now stands.", body = Account, headers(
        ("ETag" = String, description = "The version of the account, for `If-Match`."),
    ))),
)]
#[delete("/accounts/{accountId}/external-identity")]
async fn unlink_external_identity(
    access: Access<WriteAccount>,
    id: Path<AccountId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Account> {
    let mut work = access.begin(&db).await?;
    let account = changeable(&mut work, *id, base).await?;
    if account.external_identity.is_none() {
        return Err(Kind::NotFound.into());
    }
    store::end_sessions(&mut work, *id).await?;
    store::unlink(&mut work, *id).await?;
    changed(work, *id, None).await
}

/// The account, held, if this caller may change it now.
async fn changeable(work: &mut Work, id: AccountId, base: IfMatch) -> Result<Account, Problem> {
    let (account, _) = lock(work, id).await?;
    base.check(account.version)?;
    if work.caller.subject.uuid() == id.0 {
        return Err(Problem::new(Kind::Forbidden, "Nobody changes their own account."));
    }
    if account.status == AccountStatus::Closed {
        return Err(Kind::AccountClosed.into());
    }
    Ok(account)
}

/// Answers with the account. Of the identity the audit holds a digest, by which it can be recognised and not read.
async fn changed(mut work: Work, id: AccountId, now: Option<&ExternalIdentity>) -> Reply<Account> {
    let account = reread(&mut work, id).await?;
    let version = account.version;
    let digest =
        |identity: &ExternalIdentity| URL_SAFE_NO_PAD.encode(sha256(identity.subject.as_bytes()));
    let trail = json!({ "account": id, "version": version, "status": account.status,
        "issuer": now.map(|identity| &identity.issuer), "subjectSha256": now.map(digest) });
    Ok(work.record(Trail::default().with(trail), account).await?.version(version))
}
