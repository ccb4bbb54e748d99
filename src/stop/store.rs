//! The stop in the database.

use sqlx::PgExecutor;

use super::Stop;
use crate::{problem::Problem, work::Work};

/// Whether everything is stopped.
pub(super) async fn read(db: impl PgExecutor<'_>) -> Result<Stop, Problem> {
    let row = sqlx::query!("select since, by from stop").fetch_optional(db).await?;
    Ok(Stop {
        stopped: row.is_some(),
        since: row.as_ref().map(|row| row.since),
        by: row.map(|row| row.by),
    })
}

/// Stops everything; a stop that is there already stays as it is.
pub(super) async fn begin(work: &mut Work) -> Result<(), Problem> {
    let (now, by) = (work.now, work.caller.subject.uuid());
    sqlx::query!("insert into stop (since, by) values ($1, $2) on conflict do nothing", now, by)
        .execute(work.db())
        .await?;
    Ok(())
}

/// Lifts the stop, if there is one.
pub(super) async fn lift(work: &mut Work) -> Result<(), Problem> {
    sqlx::query!("delete from stop").execute(work.db()).await?;
    Ok(())
}
