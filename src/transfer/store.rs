//! Offers in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{DeclineGround, DisputeGround, Transfer, TransferQuery, TransferStatus};
use crate::{
    ids::{ChildId, OrganisationId, TransferId},
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// A page of the offers by or to the authorities of all who look; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &TransferQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<(ChildId, Transfer)>, Problem> {
    let rows = sqlx::query!(
        r#"select t.child_id as "child!: ChildId", t.told as "told!: Json<Transfer>" from transfer_told t
           where (t.offered_at, t.transfer_id) > ($1, $2) and ($3::text is null or t.status = $3)
             and $4::uuid[] <@ array[t.offered_by, t.offered_to] and in_use(t.child_status, t.archives_on, $5)
           order by t.offered_at, t.transfer_id limit $6"#,
        after.0,
        after.1,
        query.status.map(TransferStatus::as_str),
        &viewers(look),
        look.today(),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| (row.child, row.told.0)).collect())
}

/// Opens an offer by or to the authorities of all who look.
pub(super) async fn open(look: &Look, id: TransferId) -> Result<(ChildId, Transfer), Problem> {
    let row = sqlx::query!(
        r#"select t.child_id as "child!: ChildId", t.told as "told!: Json<Transfer>" from transfer_told t
           where t.transfer_id = $1 and $2::uuid[] <@ array[t.offered_by, t.offered_to]
             and in_use(t.child_status, t.archives_on, $3)"#,
        id.0,
        &viewers(look),
        look.today(),
    )
    .fetch_optional(look.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, row.told.0))
}

fn viewers(look: &Look) -> Vec<Uuid> {
    look.viewers().map(|viewer| viewer.organisation.0).collect()
}

/// The offer as the work has left it.
pub(super) async fn reread(work: &mut Work, id: TransferId) -> Result<Transfer, Problem> {
    read(work.db(), id).await
}

async fn read(db: impl PgExecutor<'_>, id: TransferId) -> Result<Transfer, Problem> {
    let told = sqlx::query_scalar!(
        r#"select told as "told!: Json<Transfer>" from transfer_told where transfer_id = $1"#,
        id.0
    );
    Ok(told.fetch_one(db).await?.0)
}

/// Holds a child, and the offer by or to the caller's authority, until the work is done; says who answers for the child.
pub(super) async fn lock(
    work: &mut Work,
    id: TransferId,
) -> Result<(ChildId, OrganisationId, Transfer), Problem> {
    let (own, today) = (work.caller.organisation, work.today());
    let row = sqlx::query!(
        r#"select c.child_id as "child: ChildId", c.responsible_authority_id as "responsible: OrganisationId" from child c
           where c.child_id = (select t.child_id from transfer t where t.transfer_id = $1 and $2 in (t.offered_by, t.offered_to))
             and in_use(c.status, c.archives_on, $3)
           for update"#,
        id.0,
        own.0,
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, row.responsible, reread(work, id).await?))
}

/// Offers a record to another authority.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    to: OrganisationId,
) -> Result<TransferId, Problem> {
    let (id, now, own) = (TransferId::new(), work.now, work.caller.organisation);
    sqlx::query!(
        "insert into transfer (transfer_id, child_id, offered_by, offered_to, status, offered_at, changed_at)
         values ($1, $2, $3, $4, 'offered', $5, $5)",
        id.0,
        child.0,
        own.0,
        to.0,
        now,
    )
    .execute(work.db())
    .await
    .map_err(one_open)?;
    Ok(id)
}

/// Writes down how it stands now, with the ground for that.
pub(super) async fn save(
    work: &mut Work,
    id: TransferId,
    status: TransferStatus,
    declined: Option<DeclineGround>,
    disputed: Option<DisputeGround>,
) -> Result<Transfer, Problem> {
    let now = work.now;
    sqlx::query!(
        "update transfer set status = $2, decline_ground = coalesce($3, decline_ground),
             dispute_ground = coalesce($4, dispute_ground), changed_at = $5, version = version + 1
         where transfer_id = $1",
        id.0,
        status.as_str(),
        declined.map(DeclineGround::as_str),
        disputed.map(DisputeGround::as_str),
        now,
    )
    .execute(work.db())
    .await
    .map_err(one_open)?;
    reread(work, id).await
}

fn one_open(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(|error| error.constraint()) {
        Some("transfer_one_open") => Kind::TransferOpen.into(),
        _ => error.into(),
    }
}
