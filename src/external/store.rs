//! Identities that are linked to accounts, and sessions that others began, in the database.

use super::{ExternalIdentityIn, claims::Recognised, issuers::Issuer};
use crate::{
    access::Role,
    ids::{AccountId, OrganisationId, SessionId},
    problem::{Fault, Kind, Problem},
    session::SESSION_LIFETIME,
    work::{SignIn, Work},
};

/// An account to which an identity is linked.
pub(super) struct Linked {
    pub(super) id: AccountId,
    pub(super) organisation: OrganisationId,
    pub(super) authority: Option<OrganisationId>,
    pub(super) role: Role,
    /// Whether it is of the issuer's organisation, and may act.
    pub(super) may_act: bool,
}

/// Finds the account to which an identity is linked, and holds the link until the work is done.
pub(super) async fn linked(
    work: &mut SignIn,
    issuer: &Issuer,
    subject: &str,
) -> Result<Option<Linked>, Problem> {
    let (now, (list, code)) = (work.now, &issuer.organisation);
    let row = sqlx::query!(
        r#"
        select a.account_id as "id: AccountId", a.organisation_id as "organisation: OrganisationId",
               o.authority_id as "authority: OrganisationId", a.role as "role: Role",
               coalesce(a.organisation_id = organisation_known_as($3, $4)
                   and stands_until(a.account_id, null, $5) > $5, false) as "may_act!"
        from account a
        join organisation o on o.organisation_id = a.organisation_id
        where a.external_issuer = $1 and a.external_subject = $2
        for share of a
        "#,
        issuer.issuer,
        subject,
        list,
        code,
        now,
    )
    .fetch_optional(work.db())
    .await?;
    Ok(row.map(|row| Linked {
        id: row.id,
        organisation: row.organisation,
        authority: row.authority,
        role: row.role,
        may_act: row.may_act,
    }))
}

/// Opens a session that another issuer began, as `role`.
pub(super) async fn open(
    work: &mut SignIn,
    account: &Linked,
    role: Role,
    recognised: &Recognised,
    jkt: Option<&str>,
) -> Result<SessionId, Problem> {
    let (id, now) = (SessionId::new(), work.now);
    sqlx::query!(
        "insert into session (session_id, account_id, authenticated_at, expires_at, external, role, dpop_jkt)
         values ($1, $2, $3, $4, true, $5, $6)",
        id.0,
        account.id.0,
        recognised.authenticated_at,
        now + SESSION_LIFETIME,
        (role != account.role).then_some(role.as_str()),
        jkt,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Whether it is the organisation of the issuer.
pub(super) async fn is_of(
    work: &mut Work,
    organisation: OrganisationId,
    issuer: &Issuer,
) -> Result<bool, Problem> {
    let (list, code) = &issuer.organisation;
    let found = sqlx::query_scalar!(
        r#"select coalesce(organisation_known_as($1, $2) = $3, false) as "own!""#,
        list,
        code,
        organisation.0,
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// Links an identity to an account in place of the one it had; an account whose person was still to enrol becomes active.
pub(super) async fn link(
    work: &mut Work,
    account: AccountId,
    identity: &ExternalIdentityIn,
) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update account set external_issuer = $2, external_subject = $3, version = version + 1, updated_at = $4,
             status = case when status = 'invited' then 'active' else status end
         where account_id = $1",
        account.0,
        identity.issuer,
        identity.subject,
        now,
    )
    .execute(work.db())
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        Some("account_identity_unique") => {
            let detail = "is linked to another account".to_owned();
            Problem::faults(Kind::IdentityHeld, vec![Fault { pointer: "/subject".to_owned(), detail }])
        }
        _ => error.into(),
    })?;
    Ok(())
}

/// Takes the identity from an account; one without secrets of its own is to be enrolled again.
pub(super) async fn unlink(work: &mut Work, account: AccountId) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update account set external_issuer = null, external_subject = null, version = version + 1, updated_at = $2,
             status = case when status = 'active' and credential is null then 'invited' else status end
         where account_id = $1",
        account.0,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Ends the sessions of an account that another issuer began.
pub(super) async fn end_sessions(work: &mut Work, account: AccountId) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update session set ended_at = $2 where account_id = $1 and external and ended_at is null",
        account.0,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
