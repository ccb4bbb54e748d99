//! Accounts, sessions and refresh tokens in the database, as signing in needs them.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Bearer, REFRESH_IDLE, SESSION_LIFETIME, secret_hash, user_name::UserName, ways};
use crate::{
    access::{Role, Subject, scopes},
    http::sha256,
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

/// Finds an account by its user name.
pub(super) async fn account(
    arrival: &Arrival,
    name: &UserName,
) -> Result<Option<Account>, Problem> {
    let row = sqlx::query!(
        r#"
        select a.account_id as "id: AccountId", a.organisation_id as "organisation: OrganisationId",
               o.authority_id as "authority: OrganisationId", a.role as "role: Role", a.credential,
               a.one_time_code_seed as seed,
               coalesce(stands_until(a.account_id, null, $2) > $2, false) as "may_act!"
        from account a
        join organisation o on o.organisation_id = a.organisation_id
        where a.user_name = $1
        "#,
        name.as_str(),
        arrival.now,
    )
    .fetch_optional(arrival.db())
    .await?;
    Ok(row.map(|row| Account {
        id: row.id,
        organisation: row.organisation,
        authority: row.authority,
        role: row.role,
        credential: row.credential,
        seed: row.seed,
        may_act: row.may_act,
    }))
}

/// What is noted of those who try to sign in.
pub(super) struct Tries {
    /// Of this name from this network, in the last 5 minutes.
    pub(super) of_name: i64,
    /// Of anybody from this network, in the last minute.
    pub(super) of_network: i64,
}

/// How often this name, and how often anybody, tried in vain from this network of late; nobody else tries this name from
/// there until the work is done.
pub(super) async fn tries(work: &mut SignIn, name: &UserName) -> Result<Tries, Problem> {
    let (network, now) = (network(work.errand.address), work.now);
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))",
        name.as_str(),
        network,
    )
    .execute(work.db())
    .await?;
    let row = sqlx::query!(
        r#"
        select (select count(*) from sign_in_failure
                where user_name_hash = $1 and network = $2::text::inet and at > $3) as "of_name!",
               (select count(*) from sign_in_failure where network = $2::text::inet and at > $4) as "of_network!"
        "#,
        &sha256(name.as_str().as_bytes())[..],
        network,
        now - TimeDelta::minutes(5),
        now - TimeDelta::minutes(1),
    )
    .fetch_one(work.db())
    .await?;
    Ok(Tries { of_name: row.of_name, of_network: row.of_network })
}

/// Notes that somebody tries to sign in: in vain, unless it is forgotten.
pub(super) async fn note_try(work: &mut SignIn, name: &UserName) -> Result<Uuid, Problem> {
    let (network, now, id) = (network(work.errand.address), work.now, Uuid::new_v4());
    sqlx::query!("delete from sign_in_failure where at < $1", now - TimeDelta::hours(1))
        .execute(work.db())
        .await?;
    sqlx::query!(
        "insert into sign_in_failure (user_name_hash, network, at, attempt_id) values ($1, $2::text::inet, $3, $4)",
        &sha256(name.as_str().as_bytes())[..],
        network,
        now,
        id,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Forgets a try that was not in vain.
pub(super) async fn forget_try(
    work: &mut SignIn,
    name: &UserName,
    id: Uuid,
) -> Result<(), Problem> {
    sqlx::query!(
        "delete from sign_in_failure where user_name_hash = $1 and attempt_id = $2",
        &sha256(name.as_str().as_bytes())[..],
        id,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// How often somebody guessed something without a name, such as an invitation, from this network in the last minute.
pub(crate) async fn guesses(arrival: &Arrival) -> Result<i64, Problem> {
    let found = sqlx::query_scalar!(
        r#"select count(*) as "of_network!" from sign_in_failure where network = $1::text::inet and at > $2"#,
        network(arrival.errand.address),
        arrival.now - TimeDelta::minutes(1),
    );
    Ok(found.fetch_one(arrival.db()).await?)
}

/// Notes such a guess.
pub(crate) async fn note_guess(work: &mut SignIn) -> Result<(), Problem> {
    let (network, now) = (network(work.errand.address), work.now);
    sqlx::query!(
        "insert into sign_in_failure (user_name_hash, network, at) values ($1, $2::text::inet, $3)",
        &sha256(b"")[..],
        network,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// The /24 or /56 that an address is in.
fn network(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Some(IpAddr::V6(address)) => {
            let kept = u128::from(address) >> 72 << 72;
            format!("{}/56", std::net::Ipv6Addr::from(kept))
        }
        None => "0.0.0.0/32".to_owned(),
    }
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

/// Opens a session.
pub(crate) async fn open(work: &mut SignIn, subject: Subject) -> Result<SessionId, Problem> {
    let id = SessionId::new();
    let now = work.now;
    let (account, client) = match subject {
        Subject::Account(id) => (Some(id.0), None),
        Subject::Client(id) => (None, Some(id.0)),
    };
    sqlx::query!(
        "insert into session (session_id, account_id, client_id, authenticated_at, expires_at) values ($1, $2, $3, $4, $5)",
        id.0,
        account,
        client,
        now,
        now + SESSION_LIFETIME,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Opens a session of a client that acts with a person, under the person's own; nothing where that has ended. Tells since when
/// the person is signed in.
pub(crate) async fn open_under(
    work: &mut SignIn,
    parent: SessionId,
    client: ClientId,
) -> Result<Option<(SessionId, DateTime<Utc>)>, Problem> {
    let (id, now) = (SessionId::new(), work.now);
    let opened = sqlx::query!(
        r#"
        insert into session (session_id, account_id, client_id, parent_id, role, authenticated_at, expires_at)
        select $1, account_id, $2, session_id, role, authenticated_at, expires_at from session
        where session_id = $3 and parent_id is null
        returning authenticated_at, stands_until > $4 as "stands!"
        "#,
        id.0,
        client.0,
        parent.0,
        now,
    )
    .fetch_optional(work.db())
    .await?;
    Ok(opened.filter(|opened| opened.stands).map(|opened| (id, opened.authenticated_at)))
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
    pub(crate) used_at: Option<DateTime<Utc>>,
    pub(crate) replaced_by: Option<Vec<u8>>,
    pub(crate) replacement_used: bool,
}

/// Finds a refresh token, and holds it until the work is done.
pub(crate) async fn refresh(work: &mut SignIn, token: &str) -> Result<Option<Refresh>, Problem> {
    let now = work.now;
    let row = sqlx::query!(
        r#"
        select s.session_id as "session: SessionId", s.authenticated_at, a.account_id as "account: AccountId",
               a.organisation_id as "organisation: OrganisationId", o.authority_id as "authority: OrganisationId",
               a.role as "role: Role", r.used_at, r.replaced_by,
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
            amr: ways::FACTORS,
            jkt: None,
            rps: None,
        },
        live: row.live,
        used_at: row.used_at,
        replaced_by: row.replaced_by,
        replacement_used: row.replacement_used,
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
        "update refresh_token set used_at = coalesce(used_at, $2), replaced_by = $3 where token_hash = $1",
        &secret_hash(old)[..],
        now,
        &secret_hash(new)[..],
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Withdraws a refresh token whose answer was lost.
pub(crate) async fn withdraw_refresh(work: &mut SignIn, hash: &[u8]) -> Result<(), Problem> {
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
