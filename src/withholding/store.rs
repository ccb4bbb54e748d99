//! Withholdings in the database.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Withholding, WithholdingGround, review_on};
use crate::{
    ids::{ChildId, WithholdingId},
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// The withholdings of a record.
pub(super) async fn list(look: &Look, child: ChildId) -> Result<Vec<Withholding>, Problem> {
    let rows = sqlx::query_as!(
        Withholding,
        r#"select withholding_id as "id: WithholdingId", ground as "ground: WithholdingGround", placed_at, review_on, ended_at, version
           from withholding where child_id = $1 order by placed_at desc, withholding_id"#,
        child.0,
    );
    Ok(rows.fetch_all(look.db()).await?)
}

/// Has looks at a child told later.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    ground: WithholdingGround,
) -> Result<Withholding, Problem> {
    let (id, by, now) = (WithholdingId::new(), work.caller.subject.uuid(), work.now);
    let review_on = review_on(work.today());
    sqlx::query!(
        "insert into withholding (withholding_id, child_id, asked_of, ground, placed_by, placed_at, review_on)
         values ($1, $2, $2, $3, $4, $5, $6)",
        id.0,
        child.0,
        ground.as_str(),
        by,
        now,
        review_on,
    )
    .execute(work.db())
    .await?;
    Ok(Withholding { id, ground, placed_at: now, review_on, ended_at: None, version: 1 })
}

/// Finds a withholding of a record for which the caller's authority answers, and holds it until the work is done.
pub(super) async fn lock(
    work: &mut Work,
    id: WithholdingId,
) -> Result<(ChildId, Withholding), Problem> {
    let organisation = work.caller.organisation.0;
    let child = held(work.db(), id, organisation).await?.ok_or(Kind::NotFound)?;
    let found = sqlx::query_as!(
        Withholding,
        r#"select withholding_id as "id: WithholdingId", ground as "ground: WithholdingGround", placed_at, review_on, ended_at, version
           from withholding where withholding_id = $1"#,
        id.0,
    );
    Ok((child, found.fetch_one(work.db()).await?))
}

async fn held(
    db: impl PgExecutor<'_>,
    id: WithholdingId,
    organisation: Uuid,
) -> Result<Option<ChildId>, Problem> {
    let child = sqlx::query_scalar!(
        r#"select w.child_id as "child: ChildId" from withholding w
           join child c on c.child_id = w.child_id
           where w.withholding_id = $1 and c.responsible_authority_id = $2 and c.status in ('active', 'archived')
           for update of w"#,
        id.0,
        organisation,
    );
    Ok(child.fetch_optional(db).await?)
}

/// Writes down how it stands now.
pub(super) async fn save(work: &mut Work, withholding: &Withholding) -> Result<(), Problem> {
    let by = work.caller.subject.uuid();
    sqlx::query!(
        "update withholding set review_on = $2, ended_at = $3, ended_by = $4, version = $5 where withholding_id = $1",
        withholding.id.0,
        withholding.review_on,
        withholding.ended_at,
        withholding.ended_at.map(|_| by),
        withholding.version,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
