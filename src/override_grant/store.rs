//! Grants to look past a shield in the database.

use chrono::{DateTime, Utc};

use super::{LASTS, OverrideGrant, Shielded};
use crate::{
    ids::{ChildId, GrantId, IndexNumber, OrganisationId},
    problem::{Kind, Problem},
    work::Work,
};

/// Finds a child whom the caller may see, and holds the record until the work is done.
pub(super) async fn find(work: &mut Work, number: &IndexNumber) -> Result<Shielded, Problem> {
    let today = work.today();
    sqlx::query_as!(
        Shielded,
        r#"select child_id as "child: ChildId", responsible_authority_id as "authority: OrganisationId", shielded as stands
           from child where index_number = $1 and in_use(status, archives_on, $2) for share"#,
        number.as_str(),
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or_else(|| Kind::NotFound.into())
}

/// When the caller last had a grant; no other is given to them until the work is done.
pub(super) async fn last(work: &mut Work) -> Result<Option<DateTime<Utc>>, Problem> {
    let by = work.caller.subject.uuid();
    sqlx::query!("select account_id from account where account_id = $1 for no key update", by)
        .fetch_optional(work.db())
        .await?
        .ok_or(Kind::Unauthenticated)?;
    let last =
        sqlx::query_scalar!("select max(granted_at) from override_grant where account_id = $1", by);
    Ok(last.fetch_one(work.db()).await?)
}

/// Gives the caller a grant, in this session.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    reference: &str,
) -> Result<OverrideGrant, Problem> {
    let (now, by, session) = (work.now, work.caller.subject.uuid(), work.caller.session);
    let grant = OverrideGrant { id: GrantId::new(), expires_at: now + LASTS };
    sqlx::query!(
        "insert into override_grant (grant_id, child_id, account_id, session_id, reference, granted_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        grant.id.0,
        child.0,
        by,
        session.0,
        reference,
        now,
        grant.expires_at,
    )
    .execute(work.db())
    .await?;
    Ok(grant)
}
