//! Batches over HTTP.

use actix_web::{
    FromRequest, HttpRequest, dev, get,
    http::header,
    post,
    web::{Data, Path, Payload},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::future::{Ready, ready};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Batch, BatchIn, BatchQuery, BatchRow, BatchRows, Batches, LargestBatch, RowQuery,
    intake::{self, Asked},
    store::{self, Wanted},
};
use crate::{
    access::{Access, Permission, ReadBatch, ReadBatchRows, SendBatch},
    audit::Trail,
    cursor,
    feed::{self, BatchFormat},
    http::{IdempotencyKey, Query, declared_length, media_type},
    ids::{BatchId, FeedId},
    problem::{Kind, Problem},
    work::{Db, Lines, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(send_batch);
    api.service(list_batches);
    api.service(open_batch);
    api.service(list_batch_rows);
}

/// How long a body is said to be and may be, and in which form it is.
struct Announced {
    format: BatchFormat,
    bytes: u64,
    most: LargestBatch,
}

impl FromRequest for Announced {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let format = match media_type(request).as_deref() {
            Some("application/x-ndjson") => Ok(BatchFormat::Ndjson),
            Some("text/csv") => Ok(BatchFormat::Csv),
            Some("application/xml") => Ok(BatchFormat::Ctf),
            _ => Err(Kind::UnsupportedMediaType.into()),
        };
        let bytes = u64::try_from(declared_length(request)).unwrap_or(u64::MAX);
        let most = request.app_data::<Data<LargestBatch>>().map(|most| ***most);
        ready(format.map(|format| Self { format, bytes, most: most.unwrap_or_default() }))
    }
}

/// Whether lines of JSON are asked for.
struct AsLines(bool);

impl FromRequest for AsLines {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let asked = accepted.is_some_and(|accepted| accepted.trim() == "application/x-ndjson");
        ready(Ok(Self(asked)))
    }
}

/// Send a batch
///
/// What the feed holds, up to 1 GiB, in one of three forms: lines of JSON, CSV with a header, or a Common Transfer File. It is read
/// as it comes, at 32 KiB a second at least, and answered with 202 when all of it is here; then its rows are worked on, each by
/// itself, and `Location` says where to see how far that is. Rows that cannot be read, and the second with the same reference, are
/// rejected; the others are taken. The same content, with the same `complete` and `asAt`, is the same batch however often it is sent,
/// and so is a repetition with the same `Idempotency-Key`. A body that breaks off, or that cannot be read to its end, is not kept.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [SendBatch::SCOPE])),
    params(("feedId" = FeedId, Path, description = "The feed."), BatchIn),
    request_body(content(
        (String = "application/x-ndjson"),
        (String = "text/csv"),
        (String = "application/xml"),
    )),
    responses((status = 202, description = "All of it is here.", body = Batch, headers(
        ("Location" = String, description = "Where the batch is."),
    ))),
)]
#[post("/feeds/{feedId}/batches")]
async fn send_batch(
    access: Access<SendBatch>,
    feed: Path<FeedId>,
    Query(said): Query<BatchIn>,
    key: IdempotencyKey,
    Announced { format, bytes, most }: Announced,
    body: Payload,
    db: Data<Db>,
) -> Reply<Batch> {
    let asked = Asked { feed: *feed, said, format, key, bytes, most };
    intake::receive(access, &db, asked, body).await
}

/// List the batches of a feed
///
/// The latest first, with how far each is.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [ReadBatch::SCOPE])),
    params(("feedId" = FeedId, Path, description = "The feed."), BatchQuery),
    responses((status = 200, description = "A page of batches.", body = Batches)),
)]
#[get("/feeds/{feedId}/batches")]
async fn list_batches(
    access: Access<ReadBatch>,
    feed: Path<FeedId>,
    Query(query): Query<BatchQuery>,
    db: Data<Db>,
) -> Reply<Batches> {
    let before: Option<(DateTime<Utc>, BatchId)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let feed = feed::store::open(&look, look.caller.viewer(), *feed).await?.id;
    let found = store::list(&look, feed, before, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.received_at, last.id));
    look.record(Trail::default().with(json!({ "feed": feed })), Batches { items, next }).await
}

/// See how far a batch is
///
/// How many of its rows have come in and been worked on, what became of them, how fast it goes and how long it will take.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [ReadBatch::SCOPE])),
    params(
        ("feedId" = FeedId, Path, description = "The feed."),
        ("batchId" = BatchId, Path, description = "The batch."),
    ),
    responses((status = 200, description = "The batch.", body = Batch)),
)]
#[get("/feeds/{feedId}/batches/{batchId}")]
async fn open_batch(
    access: Access<ReadBatch>,
    path: Path<(FeedId, BatchId)>,
    db: Data<Db>,
) -> Reply<Batch> {
    let (feed, id) = *path;
    let look = access.look(&db).await?;
    let feed = feed::store::open(&look, look.caller.viewer(), feed).await?.id;
    let batch = store::open(&look, feed, id).await?;
    look.record(Trail::default().with(json!({ "feed": feed, "batch": id })), batch).await
}

/// See what became of each row of a batch
///
/// In the order of the rows, by page; or, with `Accept: application/x-ndjson`, all of them at once, a line of JSON each. Of a row that
/// is linked or created the number of the child is told, as long as the record is in use; of one that was rejected, why.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [ReadBatchRows::SCOPE])),
    params(
        ("feedId" = FeedId, Path, description = "The feed."),
        ("batchId" = BatchId, Path, description = "The batch."),
        RowQuery,
    ),
    responses((status = 200, description = "A page of rows, or all of them.", content(
        (BatchRows = "application/json"),
        (BatchRow = "application/x-ndjson"),
    ))),
)]
#[get("/feeds/{feedId}/batches/{batchId}/rows")]
async fn list_batch_rows(
    access: Access<ReadBatchRows>,
    path: Path<(FeedId, BatchId)>,
    Query(query): Query<RowQuery>,
    AsLines(all): AsLines,
    db: Data<Db>,
) -> Reply<BatchRows> {
    let after: Option<i64> = query.after.as_deref().map(cursor::read).transpose()?;
    let (feed, id) = *path;
    let look = access.look(&db).await?;
    for viewer in look.viewers() {
        feed::store::open(&look, viewer, feed).await?;
    }
    let batch = store::open(&look, feed, id).await?;
    let wanted = Wanted::of(batch.id, &query, &look);
    let trail = json!({ "feed": feed, "batch": id, "outcome": query.outcome, "lines": all });
    let trail = Trail::default().with(trail);
    if all {
        let lines = Lines::of(wanted.lines(look.db().clone(), after.unwrap_or(0)));
        return look.record_lines(trail, lines).await;
    }
    let limit = query.limit.unwrap_or(20);
    let found = wanted.after(look.db(), after.unwrap_or(0), i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| last.line);
    look.record(trail, BatchRows { items, next }).await
}
