//! Budgets in the database; what is spent of them is counted where looks are written down (`scribe`).

use sqlx::PgExecutor;

use super::limits::{Budget, Limits, OwnLimits};
use crate::{
    ids::OrganisationId,
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// Opens the budget of an organisation.
pub(super) async fn open(look: &Look, id: OrganisationId) -> Result<Budget, Problem> {
    read(look.db(), id).await
}

/// The same, held until the work is done.
pub(super) async fn lock(work: &mut Work, id: OrganisationId) -> Result<Budget, Problem> {
    sqlx::query!("select from organisation where organisation_id = $1 for no key update", id.0)
        .execute(work.db())
        .await?;
    sqlx::query!("select from budget where organisation_id is null for share")
        .execute(work.db())
        .await?;
    read(work.db(), id).await
}

async fn read(db: impl PgExecutor<'_>, id: OrganisationId) -> Result<Budget, Problem> {
    let row = sqlx::query!(
        r#"
        select o.organisation_id as "id: OrganisationId", coalesce(own.version, 1) as "version!",
               own.searches_an_hour as "searches_an_hour?", own.searches_a_day as "searches_a_day?",
               own.misses_in_a_row as "misses_in_a_row?", own.pause_minutes as "pause_minutes?",
               own.children_a_day as "children_a_day?", own.matches_a_day as "matches_a_day?",
               every.searches_an_hour as "every_searches_an_hour!", every.searches_a_day as "every_searches_a_day!",
               every.misses_in_a_row as "every_misses_in_a_row!", every.pause_minutes as "every_pause_minutes!",
               every.children_a_day as "every_children_a_day!", every.matches_a_day as "every_matches_a_day!"
        from organisation o
        join budget every on every.organisation_id is null
        left join budget own on own.organisation_id = o.organisation_id
        where o.organisation_id = $1
        "#,
        id.0,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    let own = OwnLimits {
        searches_an_hour: row.searches_an_hour,
        searches_a_day: row.searches_a_day,
        misses_in_a_row: row.misses_in_a_row,
        pause_minutes: row.pause_minutes,
        children_a_day: row.children_a_day,
        matches_a_day: row.matches_a_day,
    };
    let every = Limits {
        searches_an_hour: row.every_searches_an_hour,
        searches_a_day: row.every_searches_a_day,
        misses_in_a_row: row.every_misses_in_a_row,
        pause_minutes: row.every_pause_minutes,
        children_a_day: row.every_children_a_day,
        matches_a_day: row.every_matches_a_day,
    };
    let (organisation_id, version) = (row.id, row.version);
    Ok(Budget { organisation_id, own, every, limits: own.within(every), version })
}

/// Writes what an organisation has of its own; where that is what it has already, nothing changes.
pub(super) async fn save(
    work: &mut Work,
    budget: &Budget,
    own: OwnLimits,
) -> Result<Budget, Problem> {
    let id = budget.organisation_id;
    if own == budget.own {
        return Ok(*budget);
    }
    sqlx::query!(
        "insert into budget as b (organisation_id, searches_an_hour, searches_a_day, misses_in_a_row, pause_minutes, children_a_day,
             matches_a_day, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (organisation_id) do update
         set searches_an_hour = excluded.searches_an_hour, searches_a_day = excluded.searches_a_day,
             misses_in_a_row = excluded.misses_in_a_row, pause_minutes = excluded.pause_minutes,
             children_a_day = excluded.children_a_day, matches_a_day = excluded.matches_a_day, version = excluded.version",
        id.0,
        own.searches_an_hour,
        own.searches_a_day,
        own.misses_in_a_row,
        own.pause_minutes,
        own.children_a_day,
        own.matches_a_day,
        budget.version + 1,
    )
    .execute(work.db())
    .await?;
    read(work.db(), id).await
}
