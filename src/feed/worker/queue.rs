//! The queue of batches and rows, in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Done, Progress, Source};
use crate::{
    feed::{RowOutcome, row::FeedRow},
    ids::{BatchId, ChildId, FeedId, OrganisationId},
    involvement::ServiceType,
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    seal::Sealed,
    work::Errands,
};

/// A batch to work on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) source: Source,
    /// Whether nobody has begun with it.
    waits: bool,
    pub(super) complete: bool,
    pub(super) trial: bool,
    pub(super) sent_by: Uuid,
}

/// A row that is held until the work is done, with what is known of its source's record.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is what the database says by itself")]
pub(super) struct Row {
    pub(super) line: i64,
    pub(super) reference: Option<String>,
    pub(super) hash: Option<Vec<u8>>,
    pub(super) sent: Option<Sealed<FeedRow>>,
    /// The child whom the source's record is of.
    pub(super) child: Option<ChildId>,
    /// Whether it says what it said last.
    pub(super) same: bool,
    /// Since when it was no longer sent.
    pub(super) unconfirmed_at: Option<DateTime<Utc>>,
    /// Whether a steward has said of the same words that they are not to be taken.
    pub(super) dismissed: bool,
    /// Whether a steward has been asked about just this, and has not answered yet.
    pub(super) waits: bool,
    /// Whether a steward is still to decide of what it said.
    pub(super) asked: bool,
}

/// Takes the turn to work, where any batch waits and nobody else has it: it is held by the connection until it is given back or
/// the connection ends.
pub(super) async fn take_turn(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query_scalar!(
        r#"select case when exists (select from feed_batch where status in ('waiting', 'processing'))
                  then pg_try_advisory_lock(7261049) else false end as "taken!""#
    );
    taken.fetch_one(db).await
}

/// Gives the turn back.
pub(super) async fn give_turn_back(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!("select pg_advisory_unlock(7261049)").fetch_one(db).await?;
    Ok(())
}

/// How many rows wait, of all feeds.
pub(super) async fn waiting(db: &PgPool) -> Result<i64, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"select coalesce(sum(rows - linked - created - unchanged - review - rejected), 0)::bigint as "rows!"
           from feed_batch where status in ('waiting', 'processing')"#
    );
    rows.fetch_one(db).await
}

/// The batch to work on of which least is done, of those of which no older one of the same feed is left, but for these: a small batch
/// does not wait for a large one.
pub(super) async fn next(work: &mut Errands, busy: &[Uuid]) -> Result<Option<Job>, Problem> {
    let row = sqlx::query!(
        r#"
        select b.batch_id as "batch: BatchId", b.feed_id as "feed: FeedId", b.status = 'waiting' as "waits!", b.complete, b.trial, b.as_at, b.sent_by, f.service_type,
               f.organisation_id as "organisation: OrganisationId", o.kind as "kind: OrganisationKind",
               o.authority_id as "authority: OrganisationId"
        from feed_batch b
        join feed f on f.feed_id = b.feed_id
        join organisation o on o.organisation_id = f.organisation_id
        where b.status in ('waiting', 'processing') and b.batch_id <> all($1) and not exists (select from stop)
          and not exists (select from feed_batch e where e.feed_id = b.feed_id and e.status in ('waiting', 'processing')
                          and (e.received_at, e.batch_id) < (b.received_at, b.batch_id))
        order by b.linked + b.created + b.unchanged + b.review + b.rejected, b.received_at, b.batch_id
        limit 1
        "#,
        busy,
    )
    .fetch_optional(work.db())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let unknown = || Problem::internal(anyhow::anyhow!("a feed of no service"));
    let source = Source {
        feed: row.feed,
        batch: row.batch,
        organisation: row.organisation,
        kind: row.kind,
        authority: row.authority,
        service: ServiceType::coded(&row.service_type).ok_or_else(unknown)?,
        as_at: row.as_at,
    };
    Ok(Some(Job {
        source,
        waits: row.waits,
        complete: row.complete,
        trial: row.trial,
        sent_by: row.sent_by,
    }))
}

/// Begins a batch, and holds its next rows after a line that nobody else holds.
pub(super) async fn claim(
    work: &mut Errands,
    job: &Job,
    after: i64,
    limit: i64,
) -> Result<Vec<Row>, Problem> {
    let now = work.now;
    if job.waits {
        sqlx::query!(
            "update feed_batch set status = 'processing', begun_at = $2, version = version + 1
             where batch_id = $1 and status = 'waiting'",
            job.source.batch.0,
            now,
        )
        .execute(work.db())
        .await?;
    }
    let rows = sqlx::query_as!(
        Row,
        r#"
        with mine as (
            select line, reference, hash, sent from feed_row
            where batch_id = $1 and outcome is null and line > $4 order by line limit $3 for update skip locked)
        select r.line as "line!", r.reference, r.hash, r.sent as "sent: Sealed<FeedRow>", s.child_id as "child?: ChildId",
               coalesce(s.hash = r.hash, false) as "same!", s.unconfirmed_at as "unconfirmed_at?: DateTime<Utc>",
               coalesce(t.dismissed, false) as "dismissed!", coalesce(t.waits, false) as "waits!",
               coalesce(t.asked, false) as "asked!"
        from mine r
        left join lateral (
            select coalesce(c.merged_into, s.child_id) as child_id, s.hash, s.unconfirmed_at
            from source_record s left join child c on c.child_id = s.child_id
            where s.feed_id = $2 and s.reference = r.reference offset 0) s on true
        left join lateral (
            select bool_or(t.status = 'dismissed' and t.hash = r.hash) as dismissed,
                   bool_or(t.status = 'open' and t.hash = r.hash) as waits, bool_or(t.status = 'open') as asked
            from review_task t where t.feed_id = $2 and t.reference = r.reference) t on true
        order by r.line
        "#,
        job.source.batch.0,
        job.source.feed.0,
        limit,
        after,
    )
    .fetch_all(work.db())
    .await?;
    Ok(rows)
}

/// Holds one row that is not done yet, if nobody else holds it.
pub(super) async fn claim_one(work: &mut Errands, job: &Job, line: i64) -> Result<bool, Problem> {
    let row = sqlx::query!(
        "select line from feed_row where batch_id = $1 and line = $2 and outcome is null for update skip locked",
        job.source.batch.0,
        line,
    );
    Ok(row.fetch_optional(work.db()).await?.is_some())
}

/// Fails where a steward has said meanwhile whom one of these records of a source is of, so that the rows are claimed anew. Whoever says so
/// holds the day of birth first, as the worker does by now.
pub(super) async fn nobody_knows(
    work: &mut Errands,
    job: &Job,
    references: &[&str],
) -> Result<(), Problem> {
    let known = sqlx::query_scalar!(
        r#"select exists (select from unnest($2::text[]) as said (reference) cross join lateral (
                             select s.reference from source_record s
                             where s.feed_id = $1 and s.reference = said.reference offset 0) s) as "known!""#,
        job.source.feed.0,
        references as _,
    );
    if known.fetch_one(work.db()).await? { Err(Kind::Unavailable.into()) } else { Ok(()) }
}

/// From here on, what is done can be undone.
pub(super) async fn savepoint(work: &mut Errands) -> Result<(), Problem> {
    sqlx::query!("savepoint trial").execute(work.db()).await?;
    Ok(())
}

/// Undoes what was done since.
pub(super) async fn undo(work: &mut Errands) -> Result<(), Problem> {
    sqlx::query!("rollback to savepoint trial").execute(work.db()).await?;
    Ok(())
}

/// Writes down what became of rows.
pub(super) async fn tell(
    work: &mut Errands,
    job: &Job,
    done: &[(i64, Done)],
) -> Result<(), Problem> {
    let now = work.now;
    let outcomes = done.iter().map(|(_, one)| one.outcome.unwrap_or(RowOutcome::Rejected).as_str());
    let faults = done.iter().map(|(_, one)| {
        let said = (!one.faults.is_empty()).then(|| serde_json::to_string(&one.faults));
        said.transpose().map_err(Problem::internal)
    });
    sqlx::query!(
        "update feed_row r
         set outcome = d.outcome, faults = d.faults::jsonb, child_id = d.child_id, sent = null, done_at = $2
         from unnest($3::bigint[], $4::text[], $5::text[], $6::uuid[]) as d (line, outcome, faults, child_id)
         where r.batch_id = $1 and r.line = d.line",
        job.source.batch.0,
        now,
        &done.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        &outcomes.map(str::to_owned).collect::<Vec<_>>(),
        &faults.collect::<Result<Vec<_>, _>>()? as _,
        &done.iter().map(|(_, one)| one.child.map(|child| child.0)).collect::<Vec<_>>() as _,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Counts what became of rows.
pub(super) async fn count(work: &mut Errands, job: &Job, done: &Progress) -> Result<(), Problem> {
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    sqlx::query!(
        "update feed_batch set linked = linked + $2, created = created + $3, unchanged = unchanged + $4, review = review + $5,
             rejected = rejected + $6, version = version + 1
         where batch_id = $1",
        job.source.batch.0,
        whole(done.linked),
        whole(done.created),
        whole(done.unchanged),
        whole(done.review),
        whole(done.rejected),
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Ends a batch of which every row is done; says whether it did.
pub(super) async fn finish(work: &mut Errands, job: &Job) -> Result<bool, Problem> {
    let now = work.now;
    let ended = sqlx::query!(
        "update feed_batch set status = 'done', ended_at = $2, version = version + 1
         where batch_id = $1 and status in ('waiting', 'processing')
           and not exists (select from feed_row where batch_id = $1 and outcome is null)",
        job.source.batch.0,
        now,
    );
    Ok(ended.execute(work.db()).await?.rows_affected() == 1)
}
