//! Accounts and invitations in the database.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{
    Account, AccountChange, AccountQuery, HOLDS, Invitation, NewAccount, Purpose,
    enrolment::FreshInvitation,
};
use crate::{
    access::{Caller, Role},
    ids::{AccountId, InvitationId, OrganisationId},
    organisation::OrganisationKind,
    problem::{Fault, Kind, Problem},
    session::{secret_hash, user_name::UserName},
    work::{Errands, Look, SignIn, Work},
};

/// A page of the accounts that the caller administers, after a user name; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &AccountQuery,
    after: &str,
    limit: i64,
) -> Result<Vec<Account>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select told as "told!: Json<Account>" from account_told
           where user_name > $1 and ($2::text is null or status = $2)
             and (organisation_id = $3 or ($4 and organisation_kind = 'nationalPartner'))
           order by user_name limit $5"#,
        after,
        query.status.map(super::AccountStatus::as_str),
        look.caller.organisation.0,
        look.caller.role == Role::Operator,
        limit,
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// Opens an account that the caller administers.
pub(super) async fn open(look: &Look, id: AccountId) -> Result<Account, Problem> {
    read(look.db(), &look.caller, id).await
}

/// The account as the work has left it.
pub(crate) async fn reread(work: &mut Work, id: AccountId) -> Result<Account, Problem> {
    let caller = work.caller.clone();
    read(work.db(), &caller, id).await
}

async fn read(db: impl PgExecutor<'_>, caller: &Caller, id: AccountId) -> Result<Account, Problem> {
    let row = sqlx::query_scalar!(
        r#"select told as "told!: Json<Account>" from account_told
           where account_id = $1 and (organisation_id = $2 or ($3 and organisation_kind = 'nationalPartner'))"#,
        id.0,
        caller.organisation.0,
        caller.role == Role::Operator,
    );
    Ok(row.fetch_optional(db).await?.ok_or(Kind::NotFound)?.0)
}

/// Holds an account that the caller administers until the work is done; says whether its person can sign in, here or
/// by another issuer. Nobody else's account is held, so that it is not told from none.
pub(crate) async fn lock(work: &mut Work, id: AccountId) -> Result<(Account, bool), Problem> {
    let (own, operator) = (work.caller.organisation.0, work.caller.role == Role::Operator);
    let enrolled = sqlx::query_scalar!(
        r#"select num_nonnulls(a.credential, a.external_subject) > 0 as "enrolled!"
           from account a
           join organisation o on o.organisation_id = a.organisation_id
           where a.account_id = $1 and (a.organisation_id = $2 or ($3 and o.kind = 'nationalPartner'))
           for update of a"#,
        id.0,
        own,
        operator,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((reread(work, id).await?, enrolled))
}

/// The kind of an organisation that the caller administers: the own one; the operator those of national partners too.
pub(crate) async fn administered(
    work: &mut Work,
    organisation: OrganisationId,
) -> Result<Option<OrganisationKind>, Problem> {
    let (own, operator) = (work.caller.organisation.0, work.caller.role == Role::Operator);
    let found = sqlx::query_scalar!(
        r#"select kind as "kind: OrganisationKind" from organisation
           where organisation_id = $1 and status <> 'closed'
             and (organisation_id = $2 or ($3 and kind = 'nationalPartner'))"#,
        organisation.0,
        own,
        operator,
    );
    Ok(found.fetch_optional(work.db()).await?)
}

/// Adds an account whose person has still to enrol.
pub(crate) async fn insert(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    new: &NewAccount,
) -> Result<(), Problem> {
    sqlx::query!(
        "insert into account (account_id, user_name, name, organisation_id, role, status, police_checked_on, vetted_until,
             trained_on, trained_until, agreement_signed_on, created_at, updated_at)
         values ($1, $2, $3, $4, $5, 'invited', $6, $7, $8, $9, $10, $11, $11)",
        new.id.0,
        new.user_name.as_str(),
        new.name,
        new.organisation.0,
        new.role.as_str(),
        new.police_checked_on,
        new.police_checked_on.map(|day| day + HOLDS),
        new.trained_on,
        new.trained_on.map(|day| day + HOLDS),
        new.agreement_signed_on,
        now,
    )
    .execute(db)
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        Some("account_user_name_unique") => {
            let detail = "belongs to another account".to_owned();
            Problem::faults(Kind::UserNameHeld, vec![Fault { pointer: "/userName".to_owned(), detail }])
        }
        _ => error.into(),
    })?;
    Ok(())
}

/// Gives an account its password, PIN and seed, which makes it active.
pub(super) async fn enrol(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    account: AccountId,
    credential: &str,
    seed: &[u8],
) -> Result<(), Problem> {
    sqlx::query!(
        "update account set credential = $2, one_time_code_seed = $3, last_step = 0, version = version + 1, updated_at = $4,
             status = case when status = 'invited' then 'active' else status end
         where account_id = $1",
        account.0,
        credential,
        seed,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Adds an account whose person has everything to sign in: what the command line does in one step.
pub async fn insert_enrolled(
    work: &mut Errands,
    new: &NewAccount,
    credential: &str,
    seed: &[u8],
) -> Result<(), Problem> {
    let now = work.now;
    insert(work.db(), now, new).await?;
    enrol(work.db(), now, new.id, credential, seed).await
}

/// Writes what has changed.
pub(super) async fn save(
    work: &mut Work,
    id: AccountId,
    change: &AccountChange,
) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update account set name = coalesce($2, name), status = coalesce($3, status),
             police_checked_on = coalesce($4, police_checked_on), vetted_until = coalesce($5, vetted_until),
             trained_on = coalesce($6, trained_on), trained_until = coalesce($7, trained_until),
             agreement_signed_on = coalesce($8, agreement_signed_on), version = version + 1, updated_at = $9
         where account_id = $1",
        id.0,
        change.name.as_ref().map(crate::contact::PersonLine::as_str),
        change.status.map(super::AccountStatus::as_str),
        change.police_checked_on,
        change.police_checked_on.map(|day| day + HOLDS),
        change.trained_on,
        change.trained_on.map(|day| day + HOLDS),
        change.agreement_signed_on,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Suspends an account, whoever administers it, because misuse is suspected; its sessions end with that. Says whether it was in use.
pub(crate) async fn suspend(work: &mut Work, id: AccountId) -> Result<bool, Problem> {
    let now = work.now;
    let done = sqlx::query!(
        "update account set status = 'suspended', version = version + 1, updated_at = $2
         where account_id = $1 and status in ('active', 'invited')",
        id.0,
        now,
    );
    Ok(done.execute(work.db()).await?.rows_affected() > 0)
}

/// Whether misuse of an account is suspected, by an investigation that is open.
pub(super) async fn is_suspected(work: &mut Work, id: AccountId) -> Result<bool, Problem> {
    let suspected = sqlx::query_scalar!(
        r#"select exists (select from investigation where account_id = $1 and suspected_at is not null and outcome is null) as "suspected!""#,
        id.0,
    );
    Ok(suspected.fetch_one(work.db()).await?)
}

/// Lets an account go on that was suspended because misuse was suspected, if it still is.
pub(crate) async fn resume(work: &mut Work, id: AccountId) -> Result<bool, Problem> {
    let now = work.now;
    let done = sqlx::query!(
        "update account set version = version + 1, updated_at = $2,
             status = case when num_nonnulls(credential, external_subject) > 0 then 'active' else 'invited' end
         where account_id = $1 and status = 'suspended'",
        id.0,
        now,
    );
    Ok(done.execute(work.db()).await?.rows_affected() > 0)
}

/// The organisations whose administrators look after an account's person: the own one, and the authority in whose area it works.
pub(crate) async fn administrators(
    work: &mut Work,
    id: AccountId,
) -> Result<Vec<OrganisationId>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select distinct x.id as "id!: OrganisationId"
           from account a
           join organisation o on o.organisation_id = a.organisation_id
           cross join lateral unnest(array[o.organisation_id, o.authority_id]) as x (id)
           where a.account_id = $1 and x.id is not null"#,
        id.0,
    );
    Ok(rows.fetch_all(work.db()).await?)
}

/// Makes an invitation in place of those that the account has not used, and tells what it is used with.
pub(crate) async fn invite(
    work: &mut Work,
    account: AccountId,
    purpose: Purpose,
    fresh: FreshInvitation,
    lasts: TimeDelta,
) -> Result<Invitation, Problem> {
    let (id, now, by) = (InvitationId::new(), work.now, work.caller.subject.uuid());
    let expires_at = now + lasts;
    sqlx::query!(
        "update invitation set expires_at = $2, version = version + 1
         where account_id = $1 and used_at is null and expires_at > $2",
        account.0,
        now,
    )
    .execute(work.db())
    .await?;
    sqlx::query!(
        "insert into invitation (invitation_id, account_id, purpose, token_hash, seed, made_by, made_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        account.0,
        purpose.as_str(),
        &secret_hash(&fresh.token)[..],
        fresh.seed,
        by,
        now,
        expires_at,
    )
    .execute(work.db())
    .await?;
    Ok(Invitation {
        id,
        account_id: account,
        purpose,
        invitation: Some(fresh.token),
        made_by: by,
        approved_by: None,
        expires_at,
        used_at: None,
        version: 1,
    })
}

/// An invitation to an account that the caller administers, as it stands.
pub(super) async fn invitation(
    db: impl PgExecutor<'_>,
    caller: &Caller,
    id: InvitationId,
) -> Result<Invitation, Problem> {
    let row = sqlx::query!(
        r#"select i.account_id as "account: AccountId", i.purpose as "purpose: Purpose", i.made_by, i.approved_by, i.expires_at,
                  i.used_at, i.version
           from invitation i
           join account_told a on a.account_id = i.account_id
           where i.invitation_id = $1 and (a.organisation_id = $2 or ($3 and a.organisation_kind = 'nationalPartner'))"#,
        id.0,
        caller.organisation.0,
        caller.role == Role::Operator,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    Ok(Invitation {
        id,
        account_id: row.account,
        purpose: row.purpose,
        invitation: None,
        made_by: row.made_by,
        approved_by: row.approved_by,
        expires_at: row.expires_at,
        used_at: row.used_at,
        version: row.version,
    })
}

/// Holds an invitation to an account that the caller administers until the work is done.
pub(super) async fn lock_invitation(
    work: &mut Work,
    id: InvitationId,
) -> Result<Invitation, Problem> {
    let (own, operator) = (work.caller.organisation.0, work.caller.role == Role::Operator);
    sqlx::query!(
        "select i.invitation_id
         from invitation i
         join account a on a.account_id = i.account_id
         join organisation o on o.organisation_id = a.organisation_id
         where i.invitation_id = $1 and (a.organisation_id = $2 or ($3 and o.kind = 'nationalPartner'))
         for update of i",
        id.0,
        own,
        operator,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let caller = work.caller.clone();
    invitation(work.db(), &caller, id).await
}

/// Notes who approved an invitation.
pub(super) async fn approve(work: &mut Work, id: InvitationId) -> Result<(), Problem> {
    let by = work.caller.subject.uuid();
    sqlx::query!(
        "update invitation set approved_by = $2, version = version + 1 where invitation_id = $1",
        id.0,
        by,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// An invitation that can be used now, with its account.
pub(super) struct Open {
    pub(super) id: InvitationId,
    pub(super) account: AccountId,
    pub(super) user_name: UserName,
    pub(super) name: String,
    pub(super) purpose: Purpose,
    pub(super) seed: Vec<u8>,
}

/// Finds an invitation that can be used now, and holds it until the work is done.
pub(super) async fn usable(
    work: &mut SignIn,
    token_hash: &[u8; 32],
) -> Result<Option<Open>, Problem> {
    let now = work.now;
    let row = sqlx::query!(
        r#"select i.invitation_id as "id: InvitationId", i.account_id as "account: AccountId", a.user_name, a.name,
                  i.purpose as "purpose: Purpose", i.seed
           from invitation i
           join account a on a.account_id = i.account_id
           join organisation o on o.organisation_id = a.organisation_id
           where i.token_hash = $1 and i.used_at is null and i.expires_at > $2 and o.status = 'accredited'
             and ((i.purpose = 'enrolment' and a.status = 'invited'
                     and (a.role <> 'practitionerWithOverride' or i.approved_by is not null))
                  or (i.purpose = 'recovery' and a.status = 'active' and i.approved_by is not null))
           for update of i, a"#,
        &token_hash[..],
        now,
    )
    .fetch_optional(work.db())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let user_name = UserName::parse(&row.user_name).map_err(Problem::internal)?;
    Ok(Some(Open {
        id: row.id,
        account: row.account,
        user_name,
        name: row.name,
        purpose: row.purpose,
        seed: row.seed,
    }))
}

/// Uses an invitation up; what recovers an account ends its sessions.
pub(super) async fn use_up(work: &mut SignIn, open: &Open) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update invitation set used_at = $2, version = version + 1 where invitation_id = $1",
        open.id.0,
        now,
    )
    .execute(work.db())
    .await?;
    sqlx::query!(
        "update session set ended_at = $2 where account_id = $1 and ended_at is null",
        open.account.0,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// The organisation that a code names: `authority:887`, `gss:…`, `urn:…`, `laestab:…`, `ods:…` or `reference:…`.
pub async fn organisation(
    work: &mut Errands,
    code: &str,
) -> Result<Option<OrganisationId>, Problem> {
    let Some((list, code)) = code.split_once(':') else { return Ok(None) };
    let found = sqlx::query_scalar!(
        r#"select organisation_known_as($1, $2) as "id: OrganisationId""#,
        list,
        code,
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// The same, with its name.
pub async fn organisation_named(
    work: &mut Errands,
    code: &str,
) -> Result<Option<(OrganisationId, String)>, Problem> {
    let Some(id) = organisation(work, code).await? else { return Ok(None) };
    let name =
        sqlx::query_scalar!("select name from organisation where organisation_id = $1", id.0);
    Ok(Some((id, name.fetch_one(work.db()).await?)))
}
