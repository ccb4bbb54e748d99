//! Reviewing rows and unlinking sources, over HTTP.

use actix_web::{
    delete, get, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    OpenedReviewTask, ReviewDecision, ReviewDecisionIn, ReviewQuery, ReviewStatus, ReviewTask,
    ReviewTasks, SentChild, SourcesOfRecord, side_by_side,
    store::{self, Found, Origin},
};
use crate::{
    access::{Access, CorrectChild, DecideReview, Permission, ReadHistory},
    audit::Trail,
    child, cursor,
    feed::{
        RowOutcome,
        row::SourceReference,
        worker::{
            Done, Source, Told,
            apply::{self, Act, Step},
            decide, unlink,
        },
    },
    http::{IfMatch, Json, Query},
    ids::{ChildId, FeedId, IndexNumber, ReviewTaskId},
    matching,
    problem::{Kind, Problem},
    record::{self, Record},
    work::{Db, Reply, WordOf, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_review_tasks);
    api.service(open_review_task);
    api.service(decide_review_task);
    api.service(list_sources);
    api.service(unlink_source);
}

/// List rows that wait for a decision
///
/// For stewards: rows of feeds that may be of a child of the index, and of which the own authority decides, the longest waiting
/// first. Nothing of the row itself is told here.
#[utoipa::path(
    tag = "review",
    security(("bearer" = [DecideReview::SCOPE])),
    params(ReviewQuery),
    responses((status = 200, description = "A page of rows.", body = ReviewTasks)),
)]
#[get("/review-tasks")]
async fn list_review_tasks(
    access: Access<DecideReview>,
    Query(query): Query<ReviewQuery>,
    db: Data<Db>,
) -> Reply<ReviewTasks> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |(_, last)| (last.raised_at, last.id));
    let (children, items): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let mut children = children.concat();
    children.sort();
    children.dedup();
    look.record(Trail::about(children), ReviewTasks { items, next }).await
}

/// Compare a row with the children whom it is like
///
/// By a steward of the authority that decides on it: what was sent, and of each child how it agrees now; of a shielded child, what
/// a shield leaves visible.
#[utoipa::path(
    tag = "review",
    security(("bearer" = [DecideReview::SCOPE])),
    params(("reviewTaskId" = ReviewTaskId, Path, description = "The row.")),
    responses((status = 200, description = "The row, side by side with the children.", body = OpenedReviewTask, headers(
        ("ETag" = String, description = "The version of the row, for `If-Match`."),
    ))),
)]
#[get("/review-tasks/{reviewTaskId}")]
async fn open_review_task(
    access: Access<DecideReview>,
    id: Path<ReviewTaskId>,
    db: Data<Db>,
) -> Reply<OpenedReviewTask> {
    let look = access.look(&db).await?;
    let Found { task, candidates, sent, origin, .. } = store::open(&look, *id).await?;
    let told = matching::store::told(look.db(), &candidates, look.today(), false).await?;
    let (entries, shielded) = store::entries(&look, &candidates).await?;
    let asked = decide::person(&source(origin), &sent);
    let matcher = look.matcher();
    let beside = side_by_side(&matcher.matcher, &asked, &candidates, told, entries);
    let version = task.version;
    let trail = Trail::about(candidates).with(json!({ "reviewTask": *id }));
    let sent = SentChild::of(sent, shielded);
    let answer = OpenedReviewTask { task, sent, candidates: beside };
    Ok(look.record(trail, answer).await?.version(version))
}

/// Say which child a row is of
///
/// By a steward of the authority that decides on it; once. It is linked to a child of the index, whose record follows it from now
/// on in what its organisation says and in what is missing; or it makes a new record; or it is not taken, as long as the source says
/// the same.
#[utoipa::path(
    tag = "review",
    security(("bearer" = [DecideReview::SCOPE])),
    params(("reviewTaskId" = ReviewTaskId, Path, description = "The row.")),
    request_body = ReviewDecisionIn,
    responses(
        (status = 200, description = "The row as it now stands.", body = ReviewTask, headers(
            ("ETag" = String, description = "The version of the row, for `If-Match`."),
        )),
        (status = 409, description = "`review-task-decided` or `row-not-taken`."),
    ),
)]
#[put("/review-tasks/{reviewTaskId}/decision")]
async fn decide_review_task(
    access: Access<DecideReview>,
    id: Path<ReviewTaskId>,
    base: IfMatch,
    body: Json<ReviewDecisionIn>,
    db: Data<Db>,
) -> Reply<ReviewTask> {
    let mut work = access.begin(&db).await?;
    // In the order in which the worker holds them, so that neither waits for the other.
    let born = store::reread(&mut work, *id).await?.sent.date_of_birth;
    matching::store::hold(&mut work, born).await?;
    let found = store::lock(&mut work, *id).await?;
    base.check(found.task.version)?;
    found.task.may_be_decided()?;
    let chosen = body.value.check()?;
    let child = match chosen {
        Some(number) => Some(store::child(&mut work, number).await?),
        None => None,
    };
    let (status, done) = Box::pin(done(&mut work, &found, body.value.decision, child)).await?;
    store::decide(&mut work, &found, status, &body.value, done).await?;
    let task = store::reread(&mut work, *id).await?.task;
    let version = task.version;
    let details = json!({ "reviewTask": *id, "decision": body.value.decision, "rationale": body.value.rationale });
    let children = done.map_or(found.candidates, |child| vec![child]);
    Ok(work.record(Trail::about(children).with(details), task).await?.version(version))
}

/// Does to a row what was decided; says how it stands then, and of whom it is.
async fn done(
    work: &mut Work,
    found: &Found,
    decision: ReviewDecision,
    child: Option<ChildId>,
) -> Result<(ReviewStatus, Option<ChildId>), Problem> {
    if decision == ReviewDecision::Dismiss {
        return Ok((ReviewStatus::Dismissed, None));
    }
    let (source, said) = (source(found.origin), &found.sent);
    let told = Told { line: found.line, said, hash: &found.hash, known: None, asked: true };
    let act = match child {
        Some(child) => Act::Link(child),
        None => Act::Create { noted: found.candidates.clone() },
    };
    let (step, model) = ([Step { told, act }], &found.task.model_version);
    let mut voice = word(work, found.origin);
    let done = apply::take(&mut voice, &source, &step, model).await;
    let done = done.map_err(|problem| match problem.kind().status() {
        409 | 422 => Problem::faults(Kind::RowNotTaken, problem.errors().to_vec()),
        _ => problem,
    })?;
    let Done { outcome, child, faults, .. } = done.into_iter().next().unwrap_or_default();
    match outcome {
        Some(RowOutcome::Linked) => Ok((ReviewStatus::Linked, child)),
        Some(RowOutcome::Created) => Ok((ReviewStatus::Created, child)),
        _ => Err(Problem::faults(Kind::RowNotTaken, faults)),
    }
}

fn source(origin: Origin) -> Source {
    let Origin { feed, batch, organisation, kind, authority, service, as_at } = origin;
    Source { feed, batch, organisation, kind, authority, service, as_at }
}

fn word(work: &mut Work, origin: Origin) -> WordOf<'_, Work> {
    let by = work.caller.subject.uuid();
    WordOf { work, source: origin.organisation, by, as_at: origin.as_at }
}

/// List the sources that a record follows
///
/// By a steward of the authority that is responsible for it: each record of a feed that is of this child. Under a shield none is
/// told, except to those who see past it.
#[utoipa::path(
    tag = "review",
    security(("bearer" = [ReadHistory::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The sources.", body = SourcesOfRecord)),
)]
#[get("/children/{indexNumber}/sources")]
async fn list_sources(
    access: Access<ReadHistory>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<SourcesOfRecord> {
    let look = access.look(&db).await?;
    let (id, authority) = child::store::find(&look, &number).await?;
    look.viewers().try_for_each(|viewer| child::history_may_be_read_by(viewer, authority))?;
    let items = store::sources(&look, id).await?;
    look.record(Trail::of(id), SourcesOfRecord { items }).await
}

/// Say that a source's record is not of this child
///
/// By a steward of the authority that is responsible for the record. What the source's organisation said of the child no longer
/// holds; what the remaining sources said last comes back; all is kept as history. The source's record waits among the rows that a
/// steward decides on, and is not linked to this child again unless one says so.
#[utoipa::path(
    tag = "review",
    security(("bearer" = [CorrectChild::SCOPE])),
    params(
        ("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566"),
        ("feedId" = FeedId, Path, description = "The feed."),
        ("reference" = SourceReference, Path, description = "The source's own key of the child.", example = "PUPIL-0042"),
    ),
    responses((status = 200, description = "The record as it now stands.", body = Record, headers(
        ("ETag" = String, description = "The version of the record, for `If-Match`."),
    ))),
)]
#[delete("/children/{indexNumber}/sources/{feedId}/{reference}")]
async fn unlink_source(
    access: Access<CorrectChild>,
    path: Path<(IndexNumber, FeedId, SourceReference)>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Record> {
    let (number, feed, reference) = path.into_inner();
    let mut work = access.begin(&db).await?;
    let (id, core) = child::store::lock(&mut work, &number).await?;
    let mut kept = store::kept(&mut work, id).await?;
    let at = kept.iter().position(|one| one.origin.feed == feed && one.reference == reference);
    core.may_be_corrected_by(&work.caller)?;
    base.check(core.told_version)?;
    let gone = kept.remove(at.ok_or(Kind::NotFound)?);
    store::unlink(&mut work, id, &gone).await?;
    let remaining: Vec<_> = kept.into_iter().map(|one| (source(one.origin), one.sent)).collect();
    let by = work.caller.subject.uuid();
    let trail =
        Box::pin(unlink::rebuild(&mut work, by, id, &source(gone.origin), &remaining)).await?;
    let (_, record) = record::store::reread(&mut work, &number).await?.ok_or(Kind::NotFound)?;
    let version = record.version;
    let answer =
        work.record(trail.with(json!({ "feed": feed, "version": version })), record).await?;
    Ok(answer.version(version))
}
