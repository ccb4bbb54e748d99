//! Investigations in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    Investigation, InvestigationKind, InvestigationOutcome, InvestigationQuery,
    InvestigationStatus, Opening,
};
use crate::{
    access::{Caller, Role},
    ids::{ChildId, InvestigationId},
    override_grant::OverrideGround,
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// Opens an investigation into what the caller is about to do.
pub(crate) async fn begin(work: &mut Work, opening: &Opening) -> Result<InvestigationId, Problem> {
    let (id, now) = (InvestigationId::new(), work.now);
    let (by, organisation) = (work.caller.subject.uuid(), work.caller.organisation);
    sqlx::query!(
        "insert into investigation (investigation_id, kind, child_id, grant_id, account_id, organisation_id, authority_id,
             reference, ground, opened_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        InvestigationKind::Override.as_str(),
        opening.child.0,
        opening.grant.0,
        by,
        organisation.0,
        opening.authority.0,
        opening.reference,
        opening.ground.map(OverrideGround::as_str),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// A page of the investigations that the caller sees, after one; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &InvestigationQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<(ChildId, DateTime<Utc>, Investigation)>, Problem> {
    let rows = sqlx::query!(
        r#"select child_id as "child!: ChildId", opened_at as "opened_at!", told as "told!: Json<Investigation>"
           from investigation_told
           where (opened_at, investigation_id) > ($1, $2)
             and ($3::text is null or (outcome is null) = ($3 = 'open'))
             and (authority_id = $4 or ($5 and exists (
                 select from organisation o where o.organisation_id = $4 and o.kind = 'nationalPartner')))
           order by opened_at, investigation_id limit $6"#,
        after.0,
        after.1,
        query.status.map(InvestigationStatus::as_str),
        look.caller.organisation.0,
        look.caller.role == Role::Auditor,
        limit,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| (row.child, row.opened_at, row.told.0)).collect())
}

/// Opens an investigation that the caller sees.
pub(super) async fn open(
    look: &Look,
    id: InvestigationId,
) -> Result<(ChildId, Investigation), Problem> {
    read(look.db(), &look.caller, id).await
}

/// Holds an investigation that the caller sees until the work is done.
pub(super) async fn lock(
    work: &mut Work,
    id: InvestigationId,
) -> Result<(ChildId, Investigation), Problem> {
    sqlx::query!(
        "select investigation_id from investigation where investigation_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?;
    reread(work, id).await
}

/// The investigation as the work has left it.
pub(super) async fn reread(
    work: &mut Work,
    id: InvestigationId,
) -> Result<(ChildId, Investigation), Problem> {
    let caller = work.caller.clone();
    read(work.db(), &caller, id).await
}

async fn read(
    db: impl PgExecutor<'_>,
    caller: &Caller,
    id: InvestigationId,
) -> Result<(ChildId, Investigation), Problem> {
    let row = sqlx::query!(
        r#"select child_id as "child!: ChildId", told as "told!: Json<Investigation>"
           from investigation_told
           where investigation_id = $1
             and (authority_id = $2 or ($3 and exists (
                 select from organisation o where o.organisation_id = $2 and o.kind = 'nationalPartner')))"#,
        id.0,
        caller.organisation.0,
        caller.role == Role::Auditor,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, row.told.0))
}

/// Writes down what came out of it.
pub(super) async fn decide(
    work: &mut Work,
    id: InvestigationId,
    outcome: InvestigationOutcome,
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update investigation set outcome = $2, decided_by = $3, decided_at = $4, version = version + 1
         where investigation_id = $1",
        id.0,
        outcome.as_str(),
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
