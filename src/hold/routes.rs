//! Legal holds over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Hold, HoldChange, HoldIn, Holds, store};
use crate::{
    access::{Access, Permission, ReadHold, WriteHold},
    audit::Trail,
    http::{IdempotencyKey, IfMatch, Json},
    ids::{HoldId, IndexNumber},
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_holds);
    api.service(place_hold);
    api.service(open_hold);
    api.service(change_hold);
}

/// List the legal holds on a record
///
/// Those in force and those that were. While the record is in use and for the first year in the archive, to a steward of the
/// authority that is responsible for it; from then on to the archive reviewer.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [ReadHold::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The holds.", body = Holds)),
)]
#[get("/children/{indexNumber}/holds")]
async fn list_holds(
    access: Access<ReadHold>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Holds> {
    let look = access.look(&db).await?;
    let (child, kept) = store::find(&look, &number).await?;
    look.viewers().try_for_each(|viewer| kept.may_be_held_by(viewer, look.today()))?;
    let items = store::list(&look, child).await?;
    look.record(Trail::of(child), Holds { items }).await
}

/// Place a legal hold on a record
///
/// For 2 years at most; it may be renewed. The record is archived and opened as any other, but it is not purged while it is
/// held, and the days under a hold do not count towards its purge.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [WriteHold::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = HoldIn,
    responses((status = 201, description = "The new hold.", body = Hold, headers(
        ("ETag" = String, description = "The version of the hold, for `If-Match`."),
        ("Location" = String, description = "Where the hold is."),
    ))),
)]
#[post("/children/{indexNumber}/holds")]
async fn place_hold(
    access: Access<WriteHold>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<HoldIn>,
    db: Data<Db>,
) -> Reply<Hold> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let new = body.value;
    let (child, kept) = store::lock(&mut work, &number).await?;
    kept.may_be_held_by(work.caller.viewer(), work.today())?;
    let from = new.from(work.today())?;
    let hold = store::insert(&mut work, child, new.ground, from, new.until).await?;
    let (location, version) = (format!("/v1/holds/{}", hold.id), hold.version);
    let trail = Trail::of(child).with(json!({ "hold": hold.id, "from": from, "until": new.until }));
    work.record_created(trail, hold, location, version).await
}

/// Open a legal hold
///
/// Why the record is held, and until when.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [ReadHold::SCOPE])),
    params(("holdId" = HoldId, Path, description = "The hold.")),
    responses((status = 200, description = "The hold.", body = Hold, headers(
        ("ETag" = String, description = "The version of the hold, for `If-Match`."),
    ))),
)]
#[get("/holds/{holdId}")]
async fn open_hold(access: Access<ReadHold>, id: Path<HoldId>, db: Data<Db>) -> Reply<Hold> {
    let look = access.look(&db).await?;
    let found = store::open(&look, *id).await?;
    look.viewers().try_for_each(|viewer| found.kept.may_be_held_by(viewer, look.today()))?;
    let version = found.hold.version;
    let trail = Trail::of(found.child).with(json!({ "hold": *id }));
    Ok(look.record(trail, found.hold).await?.version(version))
}

/// Renew a legal hold, or end it
///
/// Until a day at most 2 years from today; until today ends it. One that has ended is not renewed: another is placed.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [WriteHold::SCOPE])),
    params(("holdId" = HoldId, Path, description = "The hold.")),
    request_body = HoldChange,
    responses(
        (status = 200, description = "The hold as it now stands.", body = Hold, headers(
            ("ETag" = String, description = "The version of the hold, for `If-Match`."),
        )),
        (status = 409, description = "`hold-ended`."),
    ),
)]
#[put("/holds/{holdId}")]
async fn change_hold(
    access: Access<WriteHold>,
    id: Path<HoldId>,
    base: IfMatch,
    body: Json<HoldChange>,
    db: Data<Db>,
) -> Reply<Hold> {
    let mut work = access.begin(&db).await?;
    let store::Found { mut hold, child, kept } = store::lock_hold(&mut work, *id).await?;
    kept.may_be_held_by(work.caller.viewer(), work.today())?;
    base.check(hold.version)?;
    hold.until = hold.change(&body.value, work.today())?;
    hold.version += 1;
    store::save(&mut work, &hold).await?;
    let version = hold.version;
    let trail = Trail::of(child).with(json!({ "hold": *id, "until": hold.until }));
    Ok(work.record(trail, hold).await?.version(version))
}
