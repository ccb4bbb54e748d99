//! Rows that stewards decide on, and the sources of records, in the database.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use linkage::Person;
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    ReviewDecisionIn, ReviewQuery, ReviewStatus, ReviewTask, SourceOfRecord, UNLINKED, reason,
};
use crate::{
    feed::row::{FeedRow, SourceReference},
    ids::{BatchId, ChildId, FeedId, IndexNumber, OrganisationId, ReviewTaskId},
    involvement::ServiceType,
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    work::{Look, Work},
};

/// A row that a steward decides on, with what it is applied by.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) task: ReviewTask,
    pub(super) candidates: Vec<ChildId>,
    pub(super) line: i64,
    pub(super) hash: Vec<u8>,
    pub(super) sent: FeedRow,
    pub(super) origin: Origin,
}

/// Whose word a row is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) feed: FeedId,
    pub(super) batch: BatchId,
    pub(super) organisation: OrganisationId,
    pub(super) kind: OrganisationKind,
    pub(super) authority: Option<OrganisationId>,
    pub(super) service: ServiceType,
    pub(super) as_at: NaiveDate,
}

/// A page of the rows that the authority of all who look decides on; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &ReviewQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<(Vec<ChildId>, ReviewTask)>, Problem> {
    let rows = sqlx::query!(
        r#"
        select array(select coalesce(x.merged_into, x.child_id) from unnest(t.candidates) with ordinality as of (id, n)
                     join child x on x.child_id = of.id order by of.n) as "candidates!", json_build_object('id', t.review_task_id, 'feedId', t.feed_id, 'organisationId', f.organisation_id,
                   'batchId', t.batch_id, 'reference', t.reference, 'status', t.status, 'reasons', t.reasons,
                   'rationale', t.rationale, 'raisedAt', t.raised_at, 'modelVersion', t.model_version, 'decidedAt', t.decided_at,
                   'version', t.version) as "told!: Json<ReviewTask>"
        from review_task t
        join feed f on f.feed_id = t.feed_id
        where (t.raised_at, t.review_task_id) > ($1, $2) and ($3::text is null or t.status = $3)
          and $4::uuid[] <@ array[t.authority_id]
        order by t.raised_at, t.review_task_id
        limit $5
        "#,
        after.0,
        after.1,
        query.status.map(ReviewStatus::as_str),
        &viewers(look),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    let told = rows
        .into_iter()
        .map(|row| (row.candidates.into_iter().map(ChildId).collect(), in_words(row.told.0)));
    Ok(told.collect())
}

fn viewers(look: &Look) -> Vec<Uuid> {
    look.viewers().map(|viewer| viewer.organisation.0).collect()
}

fn in_words(task: ReviewTask) -> ReviewTask {
    let reasons = task.reasons.iter().map(|code| reason(code)).collect();
    ReviewTask { reasons, ..task }
}

/// Opens a row that the authority of all who look decides on.
pub(super) async fn open(look: &Look, id: ReviewTaskId) -> Result<Found, Problem> {
    read(look.db(), look.vault(), id, &viewers(look)).await
}

/// Holds a row that the caller's authority decides on until the work is done.
pub(super) async fn lock(work: &mut Work, id: ReviewTaskId) -> Result<Found, Problem> {
    sqlx::query!(
        "select review_task_id from review_task where review_task_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?;
    reread(work, id).await
}

/// The row as the work has left it.
pub(super) async fn reread(work: &mut Work, id: ReviewTaskId) -> Result<Found, Problem> {
    let (vault, own) = (work.vault(), work.caller.organisation.0);
    read(work.db(), &vault, id, &[own]).await
}

async fn read(
    db: impl PgExecutor<'_>,
    vault: &Vault,
    id: ReviewTaskId,
    viewers: &[Uuid],
) -> Result<Found, Problem> {
    let row = sqlx::query!(
        r#"
        select array(select coalesce(x.merged_into, x.child_id) from unnest(t.candidates) with ordinality as of (id, n)
                     join child x on x.child_id = of.id order by of.n) as "candidates!", t.line, t.hash, t.sent as "sent: Sealed<FeedRow>", t.feed_id as "feed: FeedId", t.batch_id as "batch: BatchId",
               b.as_at, f.service_type, f.organisation_id as "organisation: OrganisationId", o.kind as "kind: OrganisationKind",
               o.authority_id as "authority: OrganisationId",
               json_build_object('id', t.review_task_id, 'feedId', t.feed_id, 'organisationId', f.organisation_id,
                   'batchId', t.batch_id, 'reference', t.reference, 'status', t.status, 'reasons', t.reasons,
                   'indexNumber', case when t.status in ('linked', 'created') then c.index_number end,
                   'rationale', t.rationale, 'raisedAt', t.raised_at, 'modelVersion', t.model_version, 'decidedAt', t.decided_at,
                   'version', t.version) as "told!: Json<ReviewTask>"
        from review_task t
        join feed f on f.feed_id = t.feed_id
        join feed_batch b on b.batch_id = t.batch_id
        join organisation o on o.organisation_id = f.organisation_id
        left join source_record s on s.feed_id = t.feed_id and s.reference = t.reference
        left join child c on c.child_id = s.child_id and c.status = 'active'
        where t.review_task_id = $1 and $2::uuid[] <@ array[t.authority_id]
        "#,
        id.0,
        viewers,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    let service = ServiceType::coded(&row.service_type).ok_or_else(unknown)?;
    Ok(Found {
        task: in_words(row.told.0),
        candidates: row.candidates.into_iter().map(ChildId).collect(),
        line: row.line,
        hash: row.hash,
        sent: row.sent.open(vault, &FeedRow::reviewed_at(id))?,
        origin: Origin {
            feed: row.feed,
            batch: row.batch,
            organisation: row.organisation,
            kind: row.kind,
            authority: row.authority,
            service,
            as_at: row.as_at,
        },
    })
}

fn unknown() -> Problem {
    Problem::internal(anyhow::anyhow!("a feed of no service"))
}

/// What is compared of children, and whether one of them is shielded.
pub(super) async fn entries(
    look: &Look,
    children: &[ChildId],
) -> Result<(HashMap<ChildId, Person>, bool), Problem> {
    let rows = sqlx::query!(
        r#"select child_id as "child: ChildId", packed, shielded from match_entry
           where child_id = any($1) and scheme = $2 and packed <> ''"#,
        &children.iter().map(|child| child.0).collect::<Vec<_>>(),
        linkage::key::SCHEME,
    )
    .fetch_all(look.db())
    .await?;
    let shielded = rows.iter().any(|row| row.shielded);
    let known = rows
        .into_iter()
        .map(|row| Ok((row.child, Person::unpack(&row.packed).map_err(Problem::internal)?)));
    Ok((known.collect::<Result<_, Problem>>()?, shielded))
}

/// The child of this number whose record is in use.
pub(super) async fn child(work: &mut Work, number: &IndexNumber) -> Result<ChildId, Problem> {
    let today = work.today();
    let child = sqlx::query_scalar!(
        r#"select child_id as "child: ChildId" from child where index_number = $1 and in_use(status, archives_on, $2)"#,
        number.as_str(),
        today,
    );
    let child = child.fetch_optional(work.db()).await?;
    child.ok_or_else(|| Problem::invalid("/indexNumber", "is no child of the index"))
}

/// Writes down what was decided of a row, and counts it anew.
pub(super) async fn decide(
    work: &mut Work,
    found: &Found,
    status: ReviewStatus,
    said: &ReviewDecisionIn,
    child: Option<ChildId>,
) -> Result<(), Problem> {
    let (now, by) = (work.now, work.caller.subject.uuid());
    sqlx::query!(
        "update review_task set status = $2, rationale = $3, decided_by = $4, decided_at = $5, version = version + 1
         where review_task_id = $1",
        found.task.id.0,
        status.as_str(),
        said.rationale.as_str(),
        by,
        now,
    )
    .execute(work.db())
    .await?;
    let Some(child) = child else { return Ok(()) };
    sqlx::query!(
        "with row as (
             update feed_row set outcome = $3, child_id = $4 where batch_id = $1 and line = $2 and outcome = 'review' returning outcome)
         update feed_batch b
         set review = b.review - 1, linked = b.linked + (row.outcome = 'linked')::int, created = b.created + (row.outcome = 'created')::int,
             version = b.version + 1
         from row where b.batch_id = $1",
        found.origin.batch.0,
        found.line,
        status.as_str(),
        child.0,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// The sources that the record of a child follows, where those who look see past a shield.
pub(super) async fn sources(look: &Look, child: ChildId) -> Result<Vec<SourceOfRecord>, Problem> {
    let sight = look.sight();
    let rows = sqlx::query_scalar!(
        r#"
        select json_build_object('feedId', s.feed_id, 'organisationId', f.organisation_id, 'serviceType', f.service_type,
                   'reference', s.reference, 'saidAt', s.seen_at, 'unconfirmedSince', s.unconfirmed_at) as "told!: Json<SourceOfRecord>"
        from child c
        join source_record s on s.child_id = c.child_id
        join feed f on f.feed_id = s.feed_id
        where c.child_id = $1
          and (not c.shielded or sees_past_shield(c.child_id, c.responsible_authority_id, $2, $3, $4, $5, $6))
        order by s.seen_at desc, s.feed_id, s.reference
        limit 1000
        "#,
        child.0,
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// What a source said of a child last.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) reference: SourceReference,
    pub(super) hash: Vec<u8>,
    pub(super) sent: FeedRow,
    pub(super) origin: Origin,
}

/// What the sources of a child said last, in the order in which they said it; the child is held.
pub(super) async fn kept(work: &mut Work, child: ChildId) -> Result<Vec<Kept>, Problem> {
    let (vault, sight, today) = (work.vault(), work.sight(), work.today());
    let rows = sqlx::query!(
        r#"
        select s.feed_id as "feed: FeedId", s.reference as "reference: SourceReference", s.hash, s.sent as "sent: Sealed<FeedRow>",
               coalesce(s.batch_id, (select batch_id from feed_batch where feed_id = s.feed_id order by received_at desc limit 1))
                   as "batch: BatchId",
               (select as_at from feed_batch b where b.batch_id = s.batch_id) as as_at, f.service_type,
               f.organisation_id as "organisation: OrganisationId", o.kind as "kind: OrganisationKind",
               o.authority_id as "authority: OrganisationId"
        from child c
        join source_record s on s.child_id = c.child_id
        join feed f on f.feed_id = s.feed_id
        join organisation o on o.organisation_id = f.organisation_id
        where c.child_id = $1
          and (not c.shielded or sees_past_shield(c.child_id, c.responsible_authority_id, $2, $3, $4, $5, $6))
        order by s.seen_at, s.feed_id, s.reference
        "#,
        child.0,
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_all(work.db())
    .await?;
    let kept = rows.into_iter().map(|row| {
        let origin = Origin {
            feed: row.feed,
            batch: row.batch.unwrap_or(BatchId(Uuid::nil())),
            organisation: row.organisation,
            kind: row.kind,
            authority: row.authority,
            service: ServiceType::coded(&row.service_type).ok_or_else(unknown)?,
            as_at: row.as_at.unwrap_or(today),
        };
        let sent = row.sent.open(&vault, &FeedRow::kept_at(row.feed, &row.reference))?;
        Ok(Kept { reference: row.reference, hash: row.hash, sent, origin })
    });
    kept.collect()
}

/// Takes a source's record from a child; whoever it is of, a steward decides.
pub(super) async fn unlink(work: &mut Work, child: ChildId, kept: &Kept) -> Result<(), Problem> {
    let (vault, now, id) = (work.vault(), work.now, ReviewTaskId::new());
    sqlx::query!(
        "delete from source_record where feed_id = $1 and reference = $2",
        kept.origin.feed.0,
        kept.reference.as_str(),
    )
    .execute(work.db())
    .await?;
    let sealed = Sealed::seal(&kept.sent, &vault, &FeedRow::reviewed_at(id))?;
    sqlx::query!(
        "insert into review_task (review_task_id, feed_id, batch_id, line, reference, hash, sent, authority_id, candidates, reasons,
             model_version, raised_at)
         select $1, $2, b.batch_id, 0, $4, $5, $6, c.responsible_authority_id, array[c.child_id], array[$7], 'cold', $8
         from child c join feed_batch b on b.batch_id = $3 where c.child_id = $9",
        id.0,
        kept.origin.feed.0,
        kept.origin.batch.0,
        kept.reference.as_str(),
        kept.hash,
        sealed as _,
        UNLINKED,
        now,
        child.0,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
