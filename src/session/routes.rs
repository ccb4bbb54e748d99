//! Signing in over HTTP.

use actix_web::{HttpRequest, post, web::Data};
use secrecy::ExposeSecret;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    Bearer, Door, Session, SessionIn, expires_in, new_secret, secret::Unhashed, seed_context,
    store, totp, ways,
};
use crate::{
    access::{Subject, errand, scopes},
    http::Json,
    problem::{Kind, Problem},
    token::Verifier,
    work::{Arrival, Db, Reply, SignIn},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(create_session);
}

/// Sign in
///
/// With user name, password, PIN and the one-time code of the security token. All four are judged together, and a refusal
/// never says which was wrong. The access token lasts 600 seconds; the refresh token is exchanged at `POST /oauth/token`.
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
    let step = account.as_ref().and_then(|account| step(&door, account, &told, &arrival));

    let mut work = arrival.begin().await?;
    let (Some(account), Some(step), true) = (account, step, known) else {
        return Err(Kind::SignInFailed.into());
    };
    if !account.may_act || !store::use_step(&mut work, account.id, step).await? {
        return Err(Kind::SignInFailed.into());
    }
    store::forget_try(&mut work, &told.user_name, attempt).await?;
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

/// After ten tries in vain of a name from a network in five minutes, or sixty from a network in one, guesses wait. A try is
/// noted before it is judged, so that those sent at once are counted too.
async fn throttle(mut work: SignIn, told: &SessionIn) -> Result<Uuid, Problem> {
    let tries = store::tries(&mut work, &told.user_name).await?;
    if tries.of_name >= 10 || tries.of_network >= 60 {
        let seconds = if tries.of_name >= 10 { 300 } else { 60 };
        return Err(Problem::from(Kind::TooManyRequests).retry_after(seconds));
    }
    let attempt = store::note_try(&mut work, &told.user_name).await?;
    work.note().await?;
    Ok(attempt)
}

async fn judge(
    door: &Data<Door>,
    told: &SessionIn,
    account: Option<&store::Account>,
) -> Result<bool, Problem> {
    let credential = account.and_then(|account| account.credential.clone());
    let (password, pin, own) = (told.password.clone(), told.pin.clone(), door.clone().into_inner());
    let judged =
        door.pool.run(move || own.credential.verify(credential.as_deref(), &password, &pin)).await;
    judged.map_err(Unhashed::problem)?.map_err(Problem::internal)
}

fn step(door: &Door, account: &store::Account, told: &SessionIn, arrival: &Arrival) -> Option<u64> {
    let seed = door.sealer.open(account.seed.as_ref()?, &seed_context(account.id.0)).ok()?;
    let seed = totp::Seed::from_bytes(seed.expose_secret())?;
    totp::accept(&seed, told.one_time_code.expose_secret(), arrival.now)
}
