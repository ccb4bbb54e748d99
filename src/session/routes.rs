//! Signing in over HTTP.

use actix_web::{HttpRequest, post, web::Data};
use secrecy::ExposeSecret;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    Bearer, Door, Session, SessionIn, expires_in, new_secret, secret::Unhashed, store, ways,
};
use crate::{
    access::{Subject, errand, scopes},
    credentials,
    http::Json,
    ids::AccountId,
    problem::{Kind, Problem},
    throttle,
    token::Verifier,
    work::{Db, Reply, SignIn, spend_proof},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(create_session);
}

/// Sign in
///
/// With user name, password, PIN and the one-time code of the security token. All four are judged together, and a refusal
/// never says which was wrong. After a try in vain the next one waits, ever longer; `Retry-After` says how long. The access
/// token lasts 600 seconds; the refresh token is exchanged at `POST /oauth/token`. With a proof in `DPoP` both are bound to that
/// key (RFC 9449).
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
    let bound = credentials::offered(&request, &verifier.issuer().issuer, db.now());
    let bound = bound.map_err(|_| Kind::DpopProofRefused)?;
    let attempt = throttle(db.arrive(errand(&request)?).begin().await?, &told).await?;
    let arrival = db.arrive(errand(&request)?);
    let account = store::account(&arrival, &told.user_name).await?;
    let judged = judge(&door, &told, account.as_ref()).await;
    let sealed = account.as_ref().and_then(|a| Some((a.id, a.seed.as_deref()?)));
    let step = door.step(sealed, told.one_time_code.expose_secret(), arrival.now);

    let mut work = arrival.go_on().await?;
    let known = match judged {
        Ok(known) => known,
        Err(refusal) => {
            throttle::store::count_of_place_alone(&mut work, attempt).await?;
            return Err(work.keep(refusal).await);
        }
    };
    let right = account.filter(|account| known && account.may_act).zip(step);
    let (id, step) =
        right.as_ref().map_or((AccountId(Uuid::nil()), 0), |(account, step)| (account.id, *step));
    let unused = store::use_step(&mut work, id, step).await?;
    let Some((account, _)) = right.filter(|_| unused) else {
        return Err(work.keep(Kind::SignInFailed.into()).await);
    };
    throttle::store::forget(&mut work, attempt).await?;
    throttle::store::know_network(&mut work, account.id).await?;
    if let Some(proof) = &bound {
        spend_proof(work.db(), &proof.once).await?;
    }
    let (subject, jkt) = (Subject::Account(account.id), bound.map(|proof| proof.jkt));
    let bearer = Bearer {
        subject,
        actor: None,
        organisation: account.organisation,
        authority: account.authority,
        role: account.role,
        scope: scopes(account.role),
        session: store::open(&mut work, subject, jkt.as_deref()).await?,
        authenticated_at: work.now,
        amr: ways::FACTORS,
        jkt,
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
