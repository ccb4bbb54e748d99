//! Accounts, sessions and refresh tokens in the database, as signing in needs them.

use chrono::{DateTime, Utc};

use super::{
    Bearer, REFRESH_IDLE, SESSION_LIFETIME, renewal::Uses, secret_hash, user_name::UserName, ways,
};
use crate::{
    access::{Role, Subject, scopes},
    ids::{AccountId, ClientId, OrganisationId, SessionId},
    problem::Problem,
    work::{Arrival, SignIn},
};

/// An account, as signing in needs it.
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) organisation: OrganisationId,
    pub(super) authority: Option<OrganisationId>,
    pub(super) role: Role,
    pub(super) credential: Option<String>,
    pub(super) seed: Option<Vec<u8>>,
    pub(super) may_act: bool,
}

/// Finds an account by its user name. Where there is none, another is read in its stead and left aside, so that the same
/// is done for every name.
pub(super) async fn account(
    arrival: &Arrival,
    name: &UserName,
) -> Result<Option<Account>, Problem> {
    let row = sqlx::query!(
        r#"
        select a.account_id as "id: AccountId", a.organisation_id as "organisation: OrganisationId",
               o.authority_id as "authority: OrganisationId", a.role as "role: Role", a.credential,
               a.one_time_code_seed as seed, a.user_name = $1 as "found!",
               coalesce(stands_until(a.account_id, null, $2) > $2, false) as "may_act!"
        from (select account_id from account where user_name = $1
              union all (select account_id from account order by account_id limit 1)
              limit 1) either
        join account a on a.account_id = either.account_id
        join organisation o on o.organisation_id = a.organisation_id
        "#,
        name.as_str(),
        arrival.now,
    )
    .fetch_optional(arrival.db())
    .await?;
    Ok(row.filter(|row| row.found).map(|row| Account {
        id: row.id,
        organisation: row.organisation,
        authority: row.authority,
        role: row.role,
        credential: row.credential,
        seed: row.seed,
        may_act: row.may_act,
    }))
}

/// Uses a step of the one-time code, which nobody can use again; says whether it was free.
pub(super) async fn use_step(
    work: &mut SignIn,
    account: AccountId,
    step: u64,
) -> Result<bool, Problem> {
    let step = i64::try_from(step).map_err(Problem::internal)?;
    let used = sqlx::query!(
        "update account set last_step = $2 where account_id = $1 and last_step < $2",
        account.0,
        step
    )
    .execute(work.db())
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Opens a session, whose tokens are bound to the key of this thumbprint.
pub(crate) async fn open(
    work: &mut SignIn,
    subject: Subject,
    jkt: Option<&str>,
) -> Result<SessionId, Problem> {
    let id = SessionId::new();
    let now = work.now;
    let (account, client) = match subject {
        Subject::Account(id) => (Some(id.0), None),
        Subject::Client(id) => (None, Some(id.0)),
    };
    sqlx::query!(
        "insert into session (session_id, account_id, client_id, authenticated_at, expires_at, dpop_jkt)
         values ($1, $2, $3, $4, $5, $6)",
        id.0,
        account,
        client,
        now,
        now + SESSION_LIFETIME,
        jkt,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// A session of a client that acts with a person.
pub(crate) struct Joint {
    pub(crate) id: SessionId,
    pub(crate) authenticated_at: DateTime<Utc>,
    pub(crate) amr: &'static [&'static str],
}

/// Opens a session of a client that acts with a person, under the person's own; nothing where that has ended.
pub(crate) async fn join(
    work: &mut SignIn,
    parent: SessionId,
    client: ClientId,
) -> Result<Option<Joint>, Problem> {
    let (id, now) = (SessionId::new(), work.now);
    let opened = sqlx::query!(
        r#"
        insert into session (session_id, account_id, client_id, parent_id, role, external, authenticated_at, expires_at)
        select $1, account_id, $2, session_id, role, external, authenticated_at, expires_at from session
        where session_id = $3 and parent_id is null
        returning authenticated_at, external, stands_until > $4 as "stands!"
        "#,
        id.0,
        client.0,
        parent.0,
        now,
    )
    .fetch_optional(work.db())
    .await?;
    Ok(opened.filter(|opened| opened.stands).map(|opened| Joint {
        id,
        authenticated_at: opened.authenticated_at,
        amr: ways::of_person(opened.external),
    }))
}

/// Keeps a new refresh token of a session.
pub(crate) async fn keep_refresh(
    work: &mut SignIn,
    session: SessionId,
    token: &str,
) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "insert into refresh_token (token_hash, session_id, issued_at, idle_until) values ($1, $2, $3, $4)",
        &secret_hash(token)[..],
        session.0,
        now,
        now + REFRESH_IDLE,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// A refresh token that is known, with what it stands on.
pub(crate) struct Refresh {
    pub(crate) bearer: Bearer,
    pub(crate) live: bool,
    pub(crate) uses: Uses,
    pub(crate) replaced_by: Option<Vec<u8>>,
}

/// Finds a refresh token, and holds it until the work is done.
pub(crate) async fn refresh(work: &mut SignIn, token: &str) -> Result<Option<Refresh>, Problem> {
    let now = work.now;
    let row = sqlx::query!(
        r#"
        select s.session_id as "session: SessionId", s.authenticated_at, a.account_id as "account: AccountId",
               a.organisation_id as "organisation: OrganisationId", o.authority_id as "authority: OrganisationId",
               coalesce(s.role, a.role) as "role!: Role", s.external, s.dpop_jkt, r.used_at, r.repeated, r.replaced_by,
               exists (select from refresh_token n where n.token_hash = r.replaced_by and n.used_at is not null)
                   as "replacement_used!",
               (r.idle_until > $2 and s.stands_until > $2) as "live!"
        from refresh_token r
        join session s on s.session_id = r.session_id
        join account a on a.account_id = s.account_id
        join organisation o on o.organisation_id = a.organisation_id
        where r.token_hash = $1
        for update of r, s
        "#,
        &secret_hash(token)[..],
        now,
    )
    .fetch_optional(work.db())
    .await?;
    Ok(row.map(|row| Refresh {
        bearer: Bearer {
            subject: Subject::Account(row.account),
            actor: None,
            organisation: row.organisation,
            authority: row.authority,
            role: row.role,
            scope: scopes(row.role),
            session: row.session,
            authenticated_at: row.authenticated_at,
            amr: ways::of_person(row.external),
            jkt: row.dpop_jkt,
            rps: None,
        },
        live: row.live,
        uses: Uses {
            used_at: row.used_at,
            repeated: row.repeated,
            replacement_used: row.replacement_used,
        },
        replaced_by: row.replaced_by,
    }))
}

/// Marks a refresh token as used, and which one came in its place.
pub(crate) async fn replace_refresh(
    work: &mut SignIn,
    old: &str,
    new: &str,
) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update refresh_token set used_at = coalesce(used_at, $2), repeated = used_at is not null, replaced_by = $3
         where token_hash = $1",
        &secret_hash(old)[..],
        now,
        &secret_hash(new)[..],
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Withdraws the refresh token that came in the place of another.
pub(crate) async fn withdraw_refresh(
    work: &mut SignIn,
    hash: Option<&[u8]>,
) -> Result<(), Problem> {
    sqlx::query!("delete from refresh_token where token_hash = $1", hash)
        .execute(work.db())
        .await?;
    Ok(())
}

/// The session that a refresh token belongs to.
pub(crate) async fn session_of(
    work: &mut SignIn,
    token: &str,
) -> Result<Option<SessionId>, Problem> {
    let found = sqlx::query_scalar!(
        r#"select session_id as "id: SessionId" from refresh_token where token_hash = $1"#,
        &secret_hash(token)[..],
    );
    Ok(found.fetch_optional(work.db()).await?)
}

/// The client whose session it is, if it is one's.
pub(crate) async fn client_of(
    work: &mut SignIn,
    session: SessionId,
) -> Result<Option<ClientId>, Problem> {
    let found = sqlx::query_scalar!(
        r#"select client_id as "id: ClientId" from session where session_id = $1"#,
        session.0,
    );
    Ok(found.fetch_optional(work.db()).await?.flatten())
}

/// Ends a session.
pub(crate) async fn end(work: &mut SignIn, session: SessionId) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update session set ended_at = $2 where session_id = $1 and ended_at is null",
        session.0,
        now
    )
    .execute(work.db())
    .await?;
    Ok(())
}
