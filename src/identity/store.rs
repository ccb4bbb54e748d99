//! Identities that end, in the database.

use sqlx::PgExecutor;

use super::{IdentityEnd, IdentityEndStatus, IdentityGround, WAITS};
use crate::{
    ids::{AccountId, ChildId, IdentityEndId, IndexNumber, OrganisationId},
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// A proposal, with the child and the authority that answers for the record.
pub(super) struct Found {
    pub(super) child: ChildId,
    pub(super) end: IdentityEnd,
}

/// Keeps a proposal, unless another waits already; the record is held.
pub(super) async fn propose(
    work: &mut Work,
    child: ChildId,
    ground: IdentityGround,
) -> Result<IdentityEndId, Problem> {
    let (id, by, now) = (IdentityEndId::new(), work.caller.subject.uuid(), work.now);
    let made = sqlx::query!(
        "insert into identity_end (identity_end_id, child_id, ground, proposed_by, proposed_at, expires_at)
         select $1, $2, $3, $4, $5, $6
         where not exists (select from identity_end where child_id = $2 and expires_at > $5)",
        id.0,
        child.0,
        ground.as_str(),
        by,
        now,
        now + WAITS,
    )
    .execute(work.db())
    .await?;
    if made.rows_affected() == 1 { Ok(id) } else { Err(Kind::IdentityEndProposed.into()) }
}

/// Opens a proposal that waits, on a record for which the caller's authority answers.
pub(super) async fn open(look: &Look, id: IdentityEndId) -> Result<Found, Problem> {
    let own = look.caller.organisation;
    read(look.db(), own, look.today(), look.now, id).await
}

/// The same, as the work has left it.
pub(super) async fn reread(work: &mut Work, id: IdentityEndId) -> Result<Found, Problem> {
    let (own, today, now) = (work.caller.organisation, work.today(), work.now);
    read(work.db(), own, today, now, id).await
}

async fn read(
    db: impl PgExecutor<'_>,
    own: OrganisationId,
    today: chrono::NaiveDate,
    now: chrono::DateTime<chrono::Utc>,
    id: IdentityEndId,
) -> Result<Found, Problem> {
    let row = sqlx::query!(
        r#"select e.child_id as "child: ChildId", c.index_number as "number: IndexNumber", e.ground as "ground: IdentityGround",
                  e.proposed_by as "by: AccountId", e.proposed_at, e.expires_at, e.version
           from identity_end e
           join child c on c.child_id = e.child_id
           where e.identity_end_id = $1 and c.responsible_authority_id = $2 and in_use(c.status, c.archives_on, $3)
             and e.approved_at is null and e.expires_at > $4"#,
        id.0,
        own.0,
        today,
        now,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    let end = IdentityEnd {
        id,
        index_number: row.number,
        ground: row.ground,
        status: IdentityEndStatus::Proposed,
        proposed_by: row.by,
        proposed_at: row.proposed_at,
        expires_at: row.expires_at,
        version: row.version,
    };
    Ok(Found { child: row.child, end })
}

/// Ends the identity: the record, shielded already, is seen by nobody any more.
pub(super) async fn approve(
    work: &mut Work,
    child: ChildId,
    id: IdentityEndId,
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update identity_end set approved_by = $2, approved_at = $3, version = version + 1 where identity_end_id = $1",
        id.0,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    sqlx::query!(
        "update child set status = 'retired', version = version + 1 where child_id = $1",
        child.0
    )
    .execute(work.db())
    .await?;
    Ok(())
}
