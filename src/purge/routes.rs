//! Purges over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Purge, Purges, store};
use crate::{
    access::{Access, Permission, ReadPurge, Role, WritePurge},
    audit::Trail,
    http::{IdempotencyKey, IfMatch, sha256},
    ids::PurgeId,
    notice::{self, NoticeKind, Telling},
    work::{Begun, Db, Reply},
};

/// As many records as are purged with the approval; the task purges the rest.
const AT_ONCE: i64 = 20;

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_purges);
    api.service(propose_purge);
    api.service(open_purge);
    api.service(approve_purge);
}

/// List the purges
///
/// How many records each reached and what became of them; it names none.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [ReadPurge::SCOPE])),
    responses((status = 200, description = "The purges.", body = Purges)),
)]
#[get("/purges")]
async fn list_purges(access: Access<ReadPurge>, db: Data<Db>) -> Reply<Purges> {
    let look = access.look(&db).await?;
    let items = store::list(&look).await?;
    look.record(Trail::default(), Purges { items }).await
}

/// Propose a purge
///
/// Of every record that has been archived for six years, not counting the days under a legal hold, and is not held today. A
/// second operator approves it.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [WritePurge::SCOPE])),
    responses((status = 201, description = "The proposed purge.", body = Purge, headers(
        ("ETag" = String, description = "The version of the purge, for `If-Match`."),
        ("Location" = String, description = "Where the purge is."),
    ))),
)]
#[post("/purges")]
async fn propose_purge(
    access: Access<WritePurge>,
    key: IdempotencyKey,
    db: Data<Db>,
) -> Reply<Purge> {
    let mut work = match access.begin_once(&db, key, sha256(b""), "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let purge = store::propose(&mut work).await?;
    let location = format!("/v1/purges/{}", purge.id);
    let telling = Telling {
        kind: NoticeKind::PurgeProposed,
        organisation: None,
        role: Role::Operator,
        about: location.clone(),
        due_on: None,
    };
    let now = work.now;
    notice::store::tell(work.db(), now, &telling).await?;
    let trail = Trail::default().with(json!({ "purge": purge.id, "proposed": purge.proposed }));
    work.record_created(trail, purge, location, 1).await
}

/// Open a purge
///
/// How many records it reached, and what became of them.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [ReadPurge::SCOPE])),
    params(("purgeId" = PurgeId, Path, description = "The purge.")),
    responses((status = 200, description = "The purge.", body = Purge, headers(
        ("ETag" = String, description = "The version of the purge, for `If-Match`."),
    ))),
)]
#[get("/purges/{purgeId}")]
async fn open_purge(access: Access<ReadPurge>, id: Path<PurgeId>, db: Data<Db>) -> Reply<Purge> {
    let look = access.look(&db).await?;
    let purge = store::open(&look, *id).await?;
    let version = purge.version;
    let answer = look.record(Trail::default().with(json!({ "purge": *id })), purge).await?;
    Ok(answer.version(version))
}

/// Approve a purge
///
/// By another operator than the one who has proposed it. The first records are purged with the approval, the rest within
/// minutes; one that is held meanwhile is kept. What is purged is gone, but for keyed hashes by which no feed adds it again.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [WritePurge::SCOPE])),
    params(("purgeId" = PurgeId, Path, description = "The purge.")),
    responses(
        (status = 200, description = "The purge as it now stands.", body = Purge, headers(
            ("ETag" = String, description = "The version of the purge, for `If-Match`."),
        )),
        (status = 409, description = "`purge-approved`."),
    ),
)]
#[put("/purges/{purgeId}/approval")]
async fn approve_purge(
    access: Access<WritePurge>,
    id: Path<PurgeId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Purge> {
    let mut work = access.begin(&db).await?;
    let purge = store::lock(&mut work, *id).await?;
    purge.may_be_approved_by(&work.caller)?;
    base.check(purge.version)?;
    store::approve(&mut work, *id).await?;
    let (vault, now, today) = (work.vault(), work.now, work.today());
    let children = store::go_on(work.db(), &vault, now, today, AT_ONCE).await?;
    let purge = store::reread(&mut work, *id).await?;
    let version = purge.version;
    let trail = Trail::about(children).with(json!({ "purge": *id, "purged": purge.purged }));
    Ok(work.record(trail, purge).await?.version(version))
}
