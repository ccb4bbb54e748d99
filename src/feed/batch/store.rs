//! Batches in the database.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::{Stream, stream};
use sqlx::{PgExecutor, PgPool, types::Json};

use super::{
    Batch, BatchFailure, BatchRow, Outcomes, RowQuery, pace,
    reader::{Bad, Rows},
};
use crate::{
    feed::{BatchFormat, BatchStatus, FeedStage, RowOutcome, row::SourceReference},
    ids::{BatchId, FeedId, IndexNumber},
    problem::{Fault, Kind, Problem},
    seal::Sealed,
    work::{Errands, Look, Unit, Work},
};

/// As many batches as come in for one feed at a time.
const AT_ONCE: i64 = 8;
/// How long a batch of which nothing is heard counts among them: its instance was killed, since one that waits for its sender is
/// broken off sooner.
const SILENT: TimeDelta = TimeDelta::minutes(5);
/// As many rows of a long answer as are read at once.
const AT_A_TIME: i64 = 1_000;
/// As many rows as are forgotten in one transaction.
const FORGOTTEN: i64 = 10_000;
/// For how long nothing comes in of a batch until it has broken off.
const ABANDONED: TimeDelta = TimeDelta::hours(1);

/// A batch as the database has it.
struct Row {
    id: BatchId,
    feed: FeedId,
    format: BatchFormat,
    complete: bool,
    trial: bool,
    as_at: NaiveDate,
    status: BatchStatus,
    failure: Option<BatchFailure>,
    bytes: i64,
    rows: i64,
    linked: i64,
    created: i64,
    unchanged: i64,
    review: i64,
    rejected: i64,
    unreadable: i64,
    unconfirmed: i64,
    received_at: DateTime<Utc>,
    begun_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

impl Row {
    fn told(self, now: DateTime<Utc>) -> Batch {
        let Self { linked, created, unchanged, review, rejected, .. } = self;
        let outcomes = Outcomes { linked, created, unchanged, review, rejected };
        let took = self.begun_at.map(|begun| self.ended_at.unwrap_or(now) - begun);
        let milliseconds = took.map_or(0, |took| took.num_milliseconds());
        let pace =
            pace(outcomes.done() - self.unreadable, self.rows - outcomes.done(), milliseconds);
        Batch {
            id: self.id,
            feed_id: self.feed,
            format: self.format,
            complete: self.complete,
            trial: self.trial,
            as_at: self.as_at,
            status: self.status,
            failure: self.failure,
            bytes: self.bytes,
            rows: self.rows,
            done: outcomes.done(),
            outcomes,
            unconfirmed: self.unconfirmed,
            received_at: self.received_at,
            begun_at: self.begun_at,
            ended_at: self.ended_at,
            rows_per_second: pace.map(|(rows, _)| rows),
            seconds_left: pace
                .filter(|_| self.status == BatchStatus::Processing)
                .map(|(_, left)| left),
        }
    }
}

/// A page of the batches of a feed, before a moment and a number; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    feed: FeedId,
    before: Option<(DateTime<Utc>, BatchId)>,
    limit: i64,
) -> Result<Vec<Batch>, Problem> {
    let (at, id) = before.unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"select batch_id as "id: BatchId", feed_id as "feed: FeedId", format as "format: BatchFormat", complete, trial, as_at,
               status as "status: BatchStatus", failure as "failure: BatchFailure", bytes, rows, linked, created, unchanged, review,
               rejected, unreadable, unconfirmed, received_at, begun_at, ended_at
           from feed_batch
           where feed_id = $1 and ($2::timestamptz is null or (received_at, batch_id) < ($2, $3)) and failure is distinct from 'dropped'
           order by received_at desc, batch_id desc limit $4"#,
        feed.0,
        at,
        id.map(|id| id.0),
        limit,
    );
    let found = rows.fetch_all(look.db()).await?;
    Ok(found.into_iter().map(|row| row.told(look.now)).collect())
}

/// Opens a batch of a feed.
pub(super) async fn open(look: &Look, feed: FeedId, id: BatchId) -> Result<Batch, Problem> {
    read(look.db(), feed, id, look.now).await
}

/// The batch as the work has left it.
pub(super) async fn reread(work: &mut Work, feed: FeedId, id: BatchId) -> Result<Batch, Problem> {
    let now = work.now;
    read(work.db(), feed, id, now).await
}

async fn read(
    db: impl PgExecutor<'_>,
    feed: FeedId,
    id: BatchId,
    now: DateTime<Utc>,
) -> Result<Batch, Problem> {
    let row = sqlx::query_as!(
        Row,
        r#"select batch_id as "id: BatchId", feed_id as "feed: FeedId", format as "format: BatchFormat", complete, trial, as_at,
               status as "status: BatchStatus", failure as "failure: BatchFailure", bytes, rows, linked, created, unchanged, review,
               rejected, unreadable, unconfirmed, received_at, begun_at, ended_at
           from feed_batch
           where feed_id = $1 and batch_id = $2 and failure is distinct from 'dropped'"#,
        feed.0,
        id.0,
    );
    Ok(row.fetch_optional(db).await?.ok_or(Kind::NotFound)?.told(now))
}

/// What is known of a batch when it begins to come in.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewBatch {
    pub(super) feed: FeedId,
    pub(super) format: BatchFormat,
    pub(super) complete: bool,
    pub(super) stage: FeedStage,
    pub(super) as_at: NaiveDate,
}

/// Adds a batch that begins to come in, unless too many do.
pub(super) async fn insert(work: &mut Work, new: NewBatch) -> Result<BatchId, Problem> {
    let (id, by, now) = (BatchId::new(), work.caller.subject.uuid(), work.now);
    let added = sqlx::query!(
        "insert into feed_batch (batch_id, feed_id, format, complete, trial, as_at, sent_by, received_at, heard_at)
         select $1, $2, $3, $4, $5, $6, $7, $8, $8
         where (select count(*) from feed_batch where feed_id = $2 and status = 'receiving' and heard_at > $10) < $9",
        id.0,
        new.feed.0,
        new.format.as_str(),
        new.complete,
        new.stage == FeedStage::Trial,
        new.as_at,
        by,
        now,
        AT_ONCE,
        now - SILENT,
    )
    .execute(work.db())
    .await?;
    if added.rows_affected() == 0 {
        return Err(Problem::new(
            Kind::TooManyRequests,
            "As many batches come in for this feed as may at once.",
        )
        .retry_after(60));
    }
    Ok(id)
}

/// Adds rows to a batch that is coming in; a source's record that it has already is rejected.
pub(super) async fn add(
    work: &mut Work,
    batch: BatchId,
    rows: Rows,
    bytes: u64,
) -> Result<(), Problem> {
    let Rows { good, mut bad } = rows;
    let references: Vec<_> =
        good.references.iter().map(|reference| reference.as_str().to_owned()).collect();
    let taken = sqlx::query_scalar!(
        "insert into feed_row (batch_id, line, reference, hash, sent)
         select $1, r.line, r.reference, r.hash, r.sent
         from unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[]) as r (line, reference, hash, sent)
         on conflict (batch_id, reference) where faults is null do nothing
         returning line",
        batch.0,
        &good.lines,
        &references,
        &good.hashes,
        &good.sent as &[Sealed<crate::feed::row::FeedRow>],
    );
    let taken = taken.fetch_all(work.db()).await?;
    if taken.len() < good.lines.len() {
        let taken: std::collections::HashSet<_> = taken.iter().copied().collect();
        for (line, reference) in good.lines.iter().zip(references) {
            if !taken.contains(line) {
                bad.push(*line, Some(reference), vec![given_twice()])?;
            }
        }
    }
    let (all, unreadable) = (taken.len() + bad.lines.len(), bad.lines.len());
    reject(work, batch, bad).await?;
    count(work, batch, all, unreadable, bytes).await
}

fn given_twice() -> Fault {
    Fault { pointer: "/reference".to_owned(), detail: "is given twice".to_owned() }
}

async fn reject(work: &mut Work, batch: BatchId, bad: Bad) -> Result<(), Problem> {
    if bad.lines.is_empty() {
        return Ok(());
    }
    let now = work.now;
    sqlx::query!(
        "insert into feed_row (batch_id, line, reference, outcome, faults, done_at)
         select $1, r.line, r.reference, 'rejected', r.faults, $5
         from unnest($2::bigint[], $3::text[], $4::jsonb[]) as r (line, reference, faults)",
        batch.0,
        &bad.lines,
        &bad.references as &[Option<String>],
        &bad.faults,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn count(
    work: &mut Work,
    batch: BatchId,
    all: usize,
    unreadable: usize,
    bytes: u64,
) -> Result<(), Problem> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let now = work.now;
    let counted = sqlx::query!(
        "update feed_batch set rows = rows + $2, rejected = rejected + $3, unreadable = unreadable + $3, bytes = $4, heard_at = $5
         where batch_id = $1 and status = 'receiving'",
        batch.0,
        number(all),
        number(unreadable),
        i64::try_from(bytes).unwrap_or(i64::MAX),
        now,
    )
    .execute(work.db())
    .await?;
    if counted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Problem::new(Kind::BatchUnreadable, "The body broke off for over an hour."))
    }
}

/// A batch of the same feed, with the same content and said to be the same, that is here already.
pub(super) async fn twin(
    work: &mut Work,
    batch: BatchId,
    hash: &[u8; 32],
) -> Result<Option<BatchId>, Problem> {
    let twin = sqlx::query_scalar!(
        r#"select other.batch_id as "id: BatchId"
           from feed_batch b
           join feed_batch other on (other.feed_id, other.complete, other.as_at, other.trial) = (b.feed_id, b.complete, b.as_at, b.trial)
           where b.batch_id = $1 and other.content_hash = $2 and other.status in ('waiting', 'processing', 'done')"#,
        batch.0,
        &hash[..],
    );
    Ok(twin.fetch_optional(work.db()).await?)
}

/// Says that all of a batch is here.
pub(super) async fn complete(
    work: &mut Work,
    batch: BatchId,
    hash: &[u8; 32],
    bytes: u64,
) -> Result<(), Problem> {
    let completed = sqlx::query!(
        "update feed_batch set status = 'waiting', content_hash = $2, bytes = $3, version = version + 1
         where batch_id = $1 and status = 'receiving'",
        batch.0,
        &hash[..],
        i64::try_from(bytes).unwrap_or(i64::MAX),
    );
    match completed.execute(work.db()).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(Problem::new(Kind::BatchUnreadable, "The body broke off for over an hour.")),
    }
}

/// Says that a batch has failed, or is dropped, so that nothing of it stays.
pub(super) async fn fail(
    work: &mut Work,
    batch: BatchId,
    failure: Option<BatchFailure>,
) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update feed_batch set status = 'failed', failure = $2, ended_at = $3, heard_at = $3, rows = 0, rejected = 0, unreadable = 0,
             version = version + 1
         where batch_id = $1 and status = 'receiving'",
        batch.0,
        failure.map_or("dropped", BatchFailure::as_str),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Forgets some rows of a batch that has failed, and at last the batch, where it is dropped; says whether any were left.
pub(super) async fn forget(work: &mut impl Unit, batch: BatchId) -> Result<bool, Problem> {
    let forgotten = sqlx::query!(
        "delete from feed_row where batch_id = $1 and line in (
             select r.line from feed_row r join feed_batch b on b.batch_id = r.batch_id
             where r.batch_id = $1 and b.status = 'failed' order by r.line limit $2
         )",
        batch.0,
        FORGOTTEN,
    )
    .execute(work.db())
    .await?;
    if forgotten.rows_affected() > 0 {
        return Ok(true);
    }
    sqlx::query!("delete from feed_batch where batch_id = $1 and failure = 'dropped'", batch.0)
        .execute(work.db())
        .await?;
    Ok(false)
}

/// Says of the batches of which nothing has come in for an hour that they have broken off.
pub(super) async fn abandon(work: &mut Errands) -> Result<Vec<BatchId>, Problem> {
    let now = work.now;
    let abandoned = sqlx::query_scalar!(
        r#"update feed_batch set status = 'failed', failure = 'brokenOff', ended_at = $1, heard_at = $1, rows = 0, rejected = 0,
               unreadable = 0, version = version + 1
           where status = 'receiving' and heard_at < $2
           returning batch_id as "id: BatchId""#,
        now,
        now - ABANDONED,
    );
    Ok(abandoned.fetch_all(work.db()).await?)
}

/// The batches that have failed and of which something is still to be forgotten.
pub(super) async fn leftover(work: &mut Errands) -> Result<Vec<BatchId>, Problem> {
    let failed = sqlx::query_scalar!(
        r#"select batch_id as "id: BatchId" from feed_batch b
           where status = 'failed'
             and (failure = 'dropped' or exists (select from feed_row r where r.batch_id = b.batch_id))"#,
    );
    Ok(failed.fetch_all(work.db()).await?)
}

/// A row as the database has it.
struct Told {
    line: i64,
    reference: Option<SourceReference>,
    outcome: Option<RowOutcome>,
    number: Option<IndexNumber>,
    faults: Option<Json<Vec<Fault>>>,
}

impl From<Told> for BatchRow {
    fn from(told: Told) -> Self {
        Self {
            line: told.line,
            reference: told.reference,
            outcome: told.outcome,
            index_number: told.number,
            errors: told.faults.map(|faults| faults.0).unwrap_or_default(),
        }
    }
}

/// Which rows of a batch are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) batch: BatchId,
    pub(super) outcome: Option<RowOutcome>,
    pub(super) today: NaiveDate,
}

impl Wanted {
    pub(super) fn of(batch: BatchId, query: &RowQuery, look: &Look) -> Self {
        Self { batch, outcome: query.outcome, today: look.today() }
    }

    /// Those after a line. Of a record that was merged the number of the one in use is told; of one that is not in use any more
    /// none, shielded or not.
    pub(super) async fn after(
        self,
        db: &PgPool,
        line: i64,
        limit: i64,
    ) -> Result<Vec<BatchRow>, Problem> {
        let rows = sqlx::query_as!(
            Told,
            r#"select r.line, r.reference as "reference: SourceReference", r.outcome as "outcome: RowOutcome", r.faults as "faults: Json<Vec<Fault>>",
                   case when c.status = 'active' and archived_since(c.status, c.archived_on, c.archives_on, $4) is null
                        then c.index_number end as "number: IndexNumber"
               from feed_row r
               left join child w on w.child_id = r.child_id
               left join child c on c.child_id = coalesce(w.merged_into, w.child_id)
               where r.batch_id = $1 and r.line > $2 and ($3::text is null or r.outcome = $3)
               order by r.line limit $5"#,
            self.batch.0,
            line,
            self.outcome.map(RowOutcome::as_str),
            self.today,
            limit,
        );
        Ok(rows.fetch_all(db).await?.into_iter().map(BatchRow::from).collect())
    }

    /// All of them from a line on, some at a time.
    pub(super) fn lines(
        self,
        db: PgPool,
        after: i64,
    ) -> impl Stream<Item = Result<Vec<BatchRow>, Problem>> + 'static {
        stream::try_unfold(after, move |after| {
            let db = db.clone();
            async move {
                let rows = self.after(&db, after, AT_A_TIME).await?;
                let last = rows.last().map(|row| row.line);
                Ok(last.map(|last| (rows, last)))
            }
        })
    }
}
