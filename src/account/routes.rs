//! Accounts and enrolment over HTTP.

use actix_web::{
    HttpRequest, get, patch, post, put,
    web::{Data, Path},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Account, AccountChange, AccountIn, AccountQuery, AccountStatus, Accounts, CompletionIn,
    Enrolled, Enrolment, EnrolmentIn, Invitation, NewAccount, Purpose,
    enrolment::{self, ENROLMENT, FreshInvitation, RECOVERY},
    store,
};
use crate::{
    access::{Access, Permission, ReadAccount, WriteAccount, errand},
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::{AccountId, InvitationId},
    problem::{Kind, Problem},
    session::{
        Door, secret_hash, seed_context,
        totp::{self, Seed},
    },
    throttle::store::{forget, guesses, note_guess},
    work::{Begun, Db, Reply, SignIn},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_accounts);
    api.service(add_account);
    api.service(open_account);
    api.service(change_account);
    api.service(invite_to_account);
    api.service(open_invitation);
    api.service(approve_invitation);
    api.service(begin_enrolment);
    api.service(complete_enrolment);
}

/// Find accounts
///
/// Those of your own organisation, by user name; the national operator's list holds those of national partners too.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [ReadAccount::SCOPE])),
    params(AccountQuery),
    responses((status = 200, description = "A page of accounts.", body = Accounts)),
)]
#[get("/accounts")]
async fn list_accounts(
    access: Access<ReadAccount>,
    Query(query): Query<AccountQuery>,
    db: Data<Db>,
) -> Reply<Accounts> {
    let after: Option<String> = query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found =
        store::list(&look, &query, &after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| last.user_name.clone());
    look.record(Trail::default(), Accounts { items, next }).await
}

/// Make an account
///
/// For a person of your own organisation; the national operator's also for national partners. The account is `invited`
/// until its person has enrolled by an invitation, and acts while organisation, police check, training and agreement hold.
/// Whoever acts nationally, an operator or an auditor of a national partner, is made by the operator alone. Needs a sign-in
/// within the last 5 minutes.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [WriteAccount::SCOPE])),
    request_body = AccountIn,
    responses((status = 201, description = "The new account.", body = Account, headers(
        ("ETag" = String, description = "The version of the account, for `If-Match`."),
        ("Location" = String, description = "Where the account is."),
    ))),
)]
#[post("/accounts")]
async fn add_account(
    access: Access<WriteAccount>,
    key: IdempotencyKey,
    body: Json<AccountIn>,
    db: Data<Db>,
) -> Reply<Account> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let told = body.value;
    let organisation = told.organisation_id.unwrap_or(work.caller.organisation);
    let kind = store::administered(&mut work, organisation).await?.ok_or_else(|| {
        Problem::invalid("/organisationId", "is not an organisation whose accounts you make")
    })?;
    told.check(work.caller.role, kind, work.today())?;
    let new = NewAccount {
        id: AccountId::new(),
        user_name: told.user_name,
        name: told.name.into(),
        organisation,
        role: told.role,
        police_checked_on: told.police_checked_on,
        trained_on: told.trained_on,
        agreement_signed_on: told.agreement_signed_on,
    };
    let now = work.now;
    store::insert(work.db(), now, &new).await?;
    let account = store::reread(&mut work, new.id).await?;
    let (location, version) = (format!("/v1/accounts/{}", new.id), account.version);
    let trail = Trail::default().with(json!({ "account": new.id, "role": new.role }));
    work.record_created(trail, account, location, version).await
}

/// Open an account
///
/// How it stands, and the dated facts that it acts on.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [ReadAccount::SCOPE])),
    params(("accountId" = AccountId, Path, description = "The account.")),
    responses((status = 200, description = "The account.", body = Account, headers(
        ("ETag" = String, description = "The version of the account, for `If-Match`."),
    ))),
)]
#[get("/accounts/{accountId}")]
async fn open_account(
    access: Access<ReadAccount>,
    id: Path<AccountId>,
    db: Data<Db>,
) -> Reply<Account> {
    let look = access.look(&db).await?;
    let account = store::open(&look, *id).await?;
    let version = account.version;
    let answer = look.record(Trail::default().with(json!({ "account": *id })), account).await?;
    Ok(answer.version(version))
}

/// Change, suspend or close an account
///
/// A suspended or closed account gets no further answer from the moment of this one, on every instance and whatever token
/// it holds. An account that is suspended because misuse of it is suspected goes on only once that is decided. A renewed
/// police check or training counts from its own date. Nobody changes their own account. Needs a sign-in within the last 5
/// minutes.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [WriteAccount::SCOPE])),
    params(("accountId" = AccountId, Path, description = "The account.")),
    request_body = AccountChange,
    responses((status = 200, description = "The account as it now stands.", body = Account, headers(
        ("ETag" = String, description = "The version of the account, for `If-Match`."),
    ))),
)]
#[patch("/accounts/{accountId}")]
async fn change_account(
    access: Access<WriteAccount>,
    id: Path<AccountId>,
    base: IfMatch,
    body: Json<AccountChange>,
    db: Data<Db>,
) -> Reply<Account> {
    let mut work = access.begin(&db).await?;
    let (account, enrolled) = store::lock(&mut work, *id).await?;
    base.check(account.version)?;
    if work.caller.subject.uuid() == id.0 {
        return Err(Problem::new(Kind::Forbidden, "Nobody changes their own account."));
    }
    if account.status == AccountStatus::Closed {
        return Err(Kind::AccountClosed.into());
    }
    let mut change = body.value;
    change.check(&account, enrolled, work.today())?;
    if change.lets_go_on(account.status) && store::is_suspected(&mut work, *id).await? {
        return Err(Kind::MisuseSuspected.into());
    }
    store::save(&mut work, *id, &change).await?;
    let account = store::reread(&mut work, *id).await?;
    let version = account.version;
    let trail = json!({ "account": *id, "version": version, "status": account.status,
        "policeCheckedOn": change.police_checked_on, "trainedOn": change.trained_on,
        "agreementSignedOn": change.agreement_signed_on });
    let answer = work.record(Trail::default().with(trail), account).await?;
    Ok(answer.version(version))
}

/// Invite a person to an account
///
/// The invitation is told once, lasts 7 days and replaces earlier ones. For an account that is active it recovers the
/// account: it lasts a day, and a second administrator approves it before it can be used; so too where the account has the
/// right to override a shield. Needs a sign-in within the last 5
/// minutes.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [WriteAccount::SCOPE])),
    params(("accountId" = AccountId, Path, description = "The account.")),
    responses((status = 201, description = "The invitation.", body = Invitation, headers(
        ("ETag" = String, description = "The version of the invitation, for `If-Match`."),
        ("Location" = String, description = "Where the invitation is."),
    ))),
)]
#[post("/accounts/{accountId}/invitations")]
async fn invite_to_account(
    access: Access<WriteAccount>,
    id: Path<AccountId>,
    key: IdempotencyKey,
    door: Data<Door>,
    db: Data<Db>,
) -> Reply<Invitation> {
    let mut work = match access.begin_once(&db, key, [0; 32], &id.to_string()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let (account, _) = store::lock(&mut work, *id).await?;
    let (purpose, lasts) = match account.status {
        AccountStatus::Invited => (Purpose::Enrolment, ENROLMENT),
        AccountStatus::Active => (Purpose::Recovery, RECOVERY),
        AccountStatus::Suspended => {
            return Err(Problem::new(Kind::Forbidden, "A suspended account is not recovered."));
        }
        AccountStatus::Closed => return Err(Kind::AccountClosed.into()),
    };
    if work.caller.subject.uuid() == id.0 {
        return Err(Problem::new(Kind::Forbidden, "Nobody recovers their own account."));
    }
    let fresh = FreshInvitation::new(&door, *id)?;
    let told = store::invite(&mut work, *id, purpose, fresh, lasts).await?;
    let again = told.without_secret()?;
    let (location, version) = (format!("/v1/invitations/{}", told.id), told.version);
    let trail = json!({ "account": *id, "invitation": told.id, "purpose": purpose });
    work.record_created_once(Trail::default().with(trail), told, again, location, version).await
}

/// Open an invitation
///
/// How it stands; what it is used with is not told again.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [ReadAccount::SCOPE])),
    params(("invitationId" = InvitationId, Path, description = "The invitation.")),
    responses((status = 200, description = "The invitation.", body = Invitation, headers(
        ("ETag" = String, description = "The version of the invitation, for `If-Match`."),
    ))),
)]
#[get("/invitations/{invitationId}")]
async fn open_invitation(
    access: Access<ReadAccount>,
    id: Path<InvitationId>,
    db: Data<Db>,
) -> Reply<Invitation> {
    let look = access.look(&db).await?;
    let invitation = store::invitation(look.db(), &look.caller, *id).await?;
    let version = invitation.version;
    let trail = Trail::default().with(json!({ "invitation": *id }));
    Ok(look.record(trail, invitation).await?.version(version))
}

/// Approve an invitation
///
/// By another administrator than the one who made it, and not by the person whom it is for: an account is recovered by two.
/// Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [WriteAccount::SCOPE])),
    params(("invitationId" = InvitationId, Path, description = "The invitation.")),
    responses((status = 200, description = "The invitation, which can now be used.", body = Invitation, headers(
        ("ETag" = String, description = "The version of the invitation, for `If-Match`."),
    ))),
)]
#[put("/invitations/{invitationId}/approval")]
async fn approve_invitation(
    access: Access<WriteAccount>,
    id: Path<InvitationId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Invitation> {
    let mut work = access.begin(&db).await?;
    let invitation = store::lock_invitation(&mut work, *id).await?;
    base.check(invitation.version)?;
    let caller = work.caller.subject.uuid();
    if caller == invitation.made_by || caller == invitation.account_id.0 {
        return Err(Problem::new(
            Kind::Forbidden,
            "An invitation is approved by neither its maker nor its person.",
        ));
    }
    if invitation.approved_by.is_some()
        || invitation.used_at.is_some()
        || invitation.expires_at <= work.now
    {
        return Err(Kind::InvitationEnded.into());
    }
    store::approve(&mut work, *id).await?;
    let caller = work.caller.clone();
    let invitation = store::invitation(work.db(), &caller, *id).await?;
    let version = invitation.version;
    let trail = json!({ "account": invitation.account_id, "invitation": *id });
    Ok(work.record(Trail::default().with(trail), invitation).await?.version(version))
}

/// Begin to enrol
///
/// With the invitation that the administrator handed over: tells the user name and what sets up the authenticator.
#[utoipa::path(
    tag = "accounts",
    request_body = EnrolmentIn,
    responses((status = 200, description = "What sets up the authenticator.", body = Enrolment)),
)]
#[post("/enrolments")]
async fn begin_enrolment(
    request: HttpRequest,
    body: Json<EnrolmentIn>,
    door: Data<Door>,
    db: Data<Db>,
) -> Reply<Enrolment> {
    let (work, open) = invited(&request, &db, &body.value.invitation).await?;
    let seed = seed(&door, &open)?;
    let otpauth = seed.uri(&open.user_name).ok_or_else(no_address)?;
    let otpauth = otpauth.expose_secret().to_owned();
    let qr_code = enrolment::qr_code(&otpauth)?;
    let trail = json!({ "account": open.account, "invitation": open.id });
    let told = Enrolment { user_name: open.user_name, otpauth, qr_code };
    work.record_unknown(Trail::default().with(trail), told).await
}

/// Complete an enrolment
///
/// Sets password and PIN, once the authenticator shows the right code. The invitation is used up; an account that is
/// recovered loses its sessions.
#[utoipa::path(
    tag = "accounts",
    request_body = CompletionIn,
    responses((status = 200, description = "The account can now be signed in to.", body = Enrolled)),
)]
#[post("/enrolments/completion")]
async fn complete_enrolment(
    request: HttpRequest,
    body: Json<CompletionIn>,
    door: Data<Door>,
    db: Data<Db>,
) -> Reply<Enrolled> {
    let told = body.value;
    let (mut work, open) = invited(&request, &db, &told.invitation).await?;
    let code = told.one_time_code.expose_secret();
    if totp::accept(&seed(&door, &open)?, code, work.now).is_none() {
        return Err(Problem::invalid(
            "/oneTimeCode",
            "is not the code that the authenticator shows now",
        ));
    }
    let credential = credential(&door, told, &open).await?;
    let now = work.now;
    crate::account::store::enrol(work.db(), now, open.account, &credential, &open.seed).await?;
    store::use_up(&mut work, &open).await?;
    let trail = json!({ "account": open.account, "invitation": open.id, "purpose": open.purpose });
    let told = Enrolled { user_name: open.user_name };
    work.record_unknown(Trail::default().with(trail), told).await
}

/// Somebody with an invitation, unless too many guesses came from the same network of late. A guess is noted before it is
/// judged, and forgotten with the end of what was asked by a good one.
async fn invited(
    request: &HttpRequest,
    db: &Db,
    invitation: &SecretString,
) -> Result<(SignIn, store::Open), Problem> {
    let mut work = db.arrive(errand(request)?).begin().await?;
    guesses(&mut work).await?.check(work.now)?;
    let guess = note_guess(&mut work).await?;
    work.note().await?;
    let mut work = db.arrive(errand(request)?).go_on().await?;
    let open = store::usable(&mut work, &secret_hash(invitation.expose_secret())).await?;
    forget(&mut work, guess).await?;
    Ok((work, open.ok_or(Kind::InvitationRefused)?))
}

fn seed(door: &Door, open: &store::Open) -> Result<Seed, Problem> {
    let seed =
        door.vault.open(&open.seed, &seed_context(open.account.0)).map_err(Problem::internal)?;
    Seed::from_bytes(seed.expose_secret()).ok_or_else(no_address)
}

fn no_address() -> Problem {
    Problem::internal(anyhow::anyhow!("the seed of an invitation is none"))
}

async fn credential(
    door: &Data<Door>,
    told: CompletionIn,
    open: &store::Open,
) -> Result<String, Problem> {
    let (own, name, user) =
        (door.clone().into_inner(), open.name.clone(), open.user_name.as_str().to_owned());
    let hashed = door.pool.run(move || {
        enrolment::check(&told, &[&name, &user])?;
        own.credential.hash(&told.password, &told.pin).map_err(Problem::internal)
    });
    hashed.await.map_err(crate::session::secret::Unhashed::problem)?
}
