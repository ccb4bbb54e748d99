//! Carers in the database.

use sqlx::{PgExecutor, types::Json};

use super::{Carer, CarerIn};
use crate::{
    ids::{CarerId, ChildId},
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// Adds a carer.
pub(crate) async fn insert(
    work: &mut Work,
    child: ChildId,
    carer: &CarerIn,
) -> Result<CarerId, Problem> {
    let id = CarerId::new();
    let (source, by, now, today) =
        (work.caller.organisation, work.caller.subject.uuid(), work.now, work.today());
    sqlx::query!(
        "insert into carer (carer_id, child_id, given, family, relationship, parental_responsibility, phones, emails, address,
             source_organisation_id, recorded_by, received_at, as_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        id.0,
        child.0,
        &carer.name.given.iter().map(|part| part.as_str().to_owned()).collect::<Vec<_>>(),
        carer.name.family.as_str(),
        carer.relationship.as_str(),
        carer.parental_responsibility,
        &carer.phones.iter().map(|phone| phone.as_str().to_owned()).collect::<Vec<_>>(),
        &carer.emails.iter().map(|email| email.as_str().to_owned()).collect::<Vec<_>>(),
        carer.address.as_ref().map(Json) as _,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// The carers of a child.
pub(super) async fn list(look: &Look, child: ChildId) -> Result<Vec<Carer>, Problem> {
    read(look.db(), child).await
}

/// The carers whom the work has left.
pub(super) async fn remaining(work: &mut Work, child: ChildId) -> Result<Vec<Carer>, Problem> {
    read(work.db(), child).await
}

async fn read(db: impl PgExecutor<'_>, child: ChildId) -> Result<Vec<Carer>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select told as "told!: Json<Carer>" from carer_told
           where child_id = $1 and superseded_at is null order by received_at, carer_id"#,
        child.0,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Finds a carer of a child, once that child's record is held.
pub(super) async fn find(work: &mut Work, child: ChildId, id: CarerId) -> Result<Carer, Problem> {
    let row = sqlx::query_scalar!(
        r#"select told as "told!: Json<Carer>" from carer_told
           where child_id = $1 and carer_id = $2 and superseded_at is null"#,
        child.0,
        id.0,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok(row.0)
}

/// Writes what has changed; what was is kept.
pub(super) async fn save(work: &mut Work, carer: &Carer) -> Result<(), Problem> {
    let (source, by, now, today) =
        (work.caller.organisation, work.caller.subject.uuid(), work.now, work.today());
    sqlx::query!(
        "update carer set given = $2, family = $3, relationship = $4, parental_responsibility = $5, phones = $6, emails = $7,
             address = $8, version = version + 1, source_organisation_id = $9, recorded_by = $10, received_at = $11, as_at = $12
         where carer_id = $1",
        carer.id.0,
        &carer.name.given.iter().map(|part| part.as_str().to_owned()).collect::<Vec<_>>(),
        carer.name.family.as_str(),
        carer.relationship.as_str(),
        carer.parental_responsibility,
        &carer.phones.iter().map(|phone| phone.as_str().to_owned()).collect::<Vec<_>>(),
        &carer.emails.iter().map(|email| email.as_str().to_owned()).collect::<Vec<_>>(),
        carer.address.as_ref().map(Json) as _,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Ends a carer's care; the fact is superseded and kept.
pub(super) async fn end(work: &mut Work, id: CarerId) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update carer set superseded_at = $2, received_at = $2 where carer_id = $1",
        id.0,
        now
    )
    .execute(work.db())
    .await?;
    Ok(())
}
