//! Feeds over HTTP.

use actix_web::{
    get, patch, post, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Feed, FeedChange, FeedIn, FeedQuery, FeedStage, FeedStageIn, Feeds, TrialRun, batch, store,
};
use crate::{
    access::{Access, Permission, ReadFeed, WriteFeed, WriteFeedStage},
    account::store::administered,
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::FeedId,
    problem::{Kind, Problem},
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_feeds);
    api.service(add_feed);
    api.service(open_feed);
    api.service(change_feed);
    api.service(set_feed_stage);
    batch::routes::mount(api);
}

/// Find feeds
///
/// Those of your own organisation, by name; for a steward those of all organisations in the authority, for the national operator
/// those of national partners too.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [ReadFeed::SCOPE])),
    params(FeedQuery),
    responses((status = 200, description = "A page of feeds.", body = Feeds)),
)]
#[get("/feeds")]
async fn list_feeds(
    access: Access<ReadFeed>,
    Query(query): Query<FeedQuery>,
    db: Data<Db>,
) -> Reply<Feeds> {
    let after = query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, after, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.name.as_str().to_owned(), last.id));
    look.record(Trail::default(), Feeds { items, next }).await
}

/// Add a feed
///
/// A source system of your own organisation; the national operator's also of national partners. Clients of the role `feed` of the
/// same organisation send to it. It begins in trial: what it sends is reported on, and changes nothing. Needs a sign-in within the
/// last 5 minutes.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [WriteFeed::SCOPE])),
    request_body = FeedIn,
    responses(
        (status = 201, description = "The new feed.", body = Feed, headers(
            ("ETag" = String, description = "The version of the feed, for `If-Match`."),
            ("Location" = String, description = "Where the feed is."),
        )),
        (status = 409, description = "`feed-name-held`."),
    ),
)]
#[post("/feeds")]
async fn add_feed(
    access: Access<WriteFeed>,
    key: IdempotencyKey,
    body: Json<FeedIn>,
    db: Data<Db>,
) -> Reply<Feed> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let new = body.value;
    let organisation = new.organisation_id.unwrap_or(work.caller.organisation);
    if administered(&mut work, organisation).await?.is_none() {
        let detail = "is not an organisation whose feeds you add";
        return Err(Problem::invalid("/organisationId", detail));
    }
    new.check()?;
    let id = store::insert(&mut work, organisation, &new).await?;
    let feed = store::reread(&mut work, id).await?;
    let (location, version) = (format!("/v1/feeds/{id}"), feed.version);
    let trail = Trail::default().with(json!({ "feed": id, "organisation": organisation }));
    work.record_created(trail, feed, location, version).await
}

/// Open a feed
///
/// Whose it is, what for, and whether what it sends counts.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [ReadFeed::SCOPE])),
    params(("feedId" = FeedId, Path, description = "The feed.")),
    responses((status = 200, description = "The feed.", body = Feed, headers(
        ("ETag" = String, description = "The version of the feed, for `If-Match`."),
    ))),
)]
#[get("/feeds/{feedId}")]
async fn open_feed(access: Access<ReadFeed>, id: Path<FeedId>, db: Data<Db>) -> Reply<Feed> {
    let look = access.look(&db).await?;
    let feed = store::open(&look, look.caller.viewer(), *id).await?;
    let version = feed.version;
    let answer = look.record(Trail::default().with(json!({ "feed": *id })), feed).await?;
    Ok(answer.version(version))
}

/// Name a feed anew
///
/// What it sends and what became of it stays. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [WriteFeed::SCOPE])),
    params(("feedId" = FeedId, Path, description = "The feed.")),
    request_body = FeedChange,
    responses(
        (status = 200, description = "The feed as it now stands.", body = Feed, headers(
            ("ETag" = String, description = "The version of the feed, for `If-Match`."),
        )),
        (status = 409, description = "`feed-name-held`."),
    ),
)]
#[patch("/feeds/{feedId}")]
async fn change_feed(
    access: Access<WriteFeed>,
    id: Path<FeedId>,
    base: IfMatch,
    body: Json<FeedChange>,
    db: Data<Db>,
) -> Reply<Feed> {
    let mut work = access.begin(&db).await?;
    let feed = store::lock(&mut work, *id).await?;
    base.check(feed.version)?;
    store::rename(&mut work, *id, &body.value.name).await?;
    let feed = store::reread(&mut work, *id).await?;
    let version = feed.version;
    let trail = Trail::default().with(json!({ "feed": *id, "version": version }));
    Ok(work.record(trail, feed).await?.version(version))
}

/// Let what a feed sends count
///
/// Or be on trial again, at any time. It counts only once its last batch on trial held at least 20 rows, of which at least 95 % were
/// of one child of the index or made a new record, without a steward and without being rejected. Needs a sign-in within the last 5
/// minutes.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [WriteFeedStage::SCOPE])),
    params(("feedId" = FeedId, Path, description = "The feed.")),
    request_body = FeedStageIn,
    responses(
        (status = 200, description = "The feed as it now stands.", body = Feed, headers(
            ("ETag" = String, description = "The version of the feed, for `If-Match`."),
        )),
        (status = 409, description = "`feed-not-ready`."),
    ),
)]
#[put("/feeds/{feedId}/stage")]
async fn set_feed_stage(
    access: Access<WriteFeedStage>,
    id: Path<FeedId>,
    base: IfMatch,
    body: Json<FeedStageIn>,
    db: Data<Db>,
) -> Reply<Feed> {
    let mut work = access.begin(&db).await?;
    let feed = store::lock(&mut work, *id).await?;
    base.check(feed.version)?;
    let last = store::last_trial(&mut work, *id).await?;
    let stage = body.value.stage;
    if stage == FeedStage::Live && feed.stage != stage && !last.is_some_and(TrialRun::suffices) {
        return Err(Kind::FeedNotReady.into());
    }
    store::set_stage(&mut work, *id, stage).await?;
    let feed = store::reread(&mut work, *id).await?;
    let version = feed.version;
    let trail = Trail::default().with(json!({ "feed": *id, "stage": stage, "version": version }));
    Ok(work.record(trail, feed).await?.version(version))
}
