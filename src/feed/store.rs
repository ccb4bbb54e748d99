//! Feeds in the database.

use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{Feed, FeedIn, FeedStage, Reach, TrialRun};
use crate::{
    access::Viewer,
    contact::PersonLine,
    ids::{FeedId, OrganisationId},
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// A page of the feeds that the caller sees, after a name and a number; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    after: Option<(String, FeedId)>,
    limit: i64,
) -> Result<Vec<Feed>, Problem> {
    let (name, id) = after.unwrap_or((String::new(), FeedId(Uuid::nil())));
    let reach = Reach::from(look.caller.viewer());
    let rows = sqlx::query_scalar!(
        r#"select told as "told!: Json<Feed>" from feed_told
           where (name, feed_id) > ($1, $2)
             and (organisation_id = $3 or ($4 and authority_id = $3) or ($5 and organisation_kind = 'nationalPartner'))
           order by name, feed_id limit $6"#,
        name,
        id.0,
        reach.organisation.0,
        reach.area,
        reach.partners,
        limit,
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// Opens a feed that somebody sees.
pub(crate) async fn open(look: &Look, viewer: Viewer, id: FeedId) -> Result<Feed, Problem> {
    read(look.db(), viewer.into(), id).await
}

/// The same for the caller, as the work has left it.
pub(crate) async fn reread(work: &mut Work, id: FeedId) -> Result<Feed, Problem> {
    let reach = work.caller.viewer().into();
    read(work.db(), reach, id).await
}

async fn read(db: impl PgExecutor<'_>, reach: Reach, id: FeedId) -> Result<Feed, Problem> {
    let row = sqlx::query_scalar!(
        r#"select told as "told!: Json<Feed>" from feed_told
           where feed_id = $1
             and (organisation_id = $2 or ($3 and authority_id = $2) or ($4 and organisation_kind = 'nationalPartner'))"#,
        id.0,
        reach.organisation.0,
        reach.area,
        reach.partners,
    );
    Ok(row.fetch_optional(db).await?.ok_or(Kind::NotFound)?.0)
}

/// Holds a feed that the caller sees until the work is done.
pub(crate) async fn lock(work: &mut Work, id: FeedId) -> Result<Feed, Problem> {
    sqlx::query!("select feed_id from feed where feed_id = $1 for no key update", id.0)
        .fetch_optional(work.db())
        .await?;
    reread(work, id).await
}

/// Adds a feed.
pub(super) async fn insert(
    work: &mut Work,
    organisation: OrganisationId,
    new: &FeedIn,
) -> Result<FeedId, Problem> {
    let (id, by, now) = (FeedId::new(), work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "insert into feed (feed_id, organisation_id, name, service_type, created_at, created_by) values ($1, $2, $3, $4, $5, $6)",
        id.0,
        organisation.0,
        new.name.as_str(),
        new.service_type.code(),
        now,
        by,
    )
    .execute(work.db())
    .await
    .map_err(held)?;
    Ok(id)
}

/// Names a feed anew.
pub(super) async fn rename(work: &mut Work, id: FeedId, name: &PersonLine) -> Result<(), Problem> {
    sqlx::query!(
        "update feed set name = $2, version = version + 1 where feed_id = $1",
        id.0,
        name.as_str(),
    )
    .execute(work.db())
    .await
    .map_err(held)?;
    Ok(())
}

/// How the last batch of a feed on trial went, if it is done.
pub(super) async fn last_trial(work: &mut Work, id: FeedId) -> Result<Option<TrialRun>, Problem> {
    let last = sqlx::query_as!(
        TrialRun,
        r#"select rows, linked + created + unchanged as "good!" from feed_batch
           where feed_id = $1 and trial and status = 'done' order by received_at desc, batch_id desc limit 1"#,
        id.0,
    );
    Ok(last.fetch_optional(work.db()).await?)
}

/// Lets what a feed sends count, or be on trial.
pub(super) async fn set_stage(
    work: &mut Work,
    id: FeedId,
    stage: FeedStage,
) -> Result<(), Problem> {
    let since = (stage == FeedStage::Live).then_some(work.now);
    sqlx::query!(
        "update feed set stage = $2, live_since = $3, version = version + 1 where feed_id = $1 and stage <> $2",
        id.0,
        stage.as_str(),
        since,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

fn held(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(|error| error.constraint()) {
        Some("feed_once") => Kind::FeedNameHeld.into(),
        _ => error.into(),
    }
}
