//! Carers over HTTP.

use actix_web::{
    delete, get, patch, post,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Carer, CarerChange, CarerIn, Carers, store};
use crate::{
    access::{Access, CorrectChild, Permission, ReadChild},
    audit::Trail,
    child, guard,
    http::{IdempotencyKey, IfMatch, Json},
    ids::{CarerId, IndexNumber},
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_carers);
    api.service(add_carer);
    api.service(change_carer);
    api.service(end_carer);
}

/// List a child's carers
///
/// Parents, and others with parental responsibility or care of the child, and how to reach them.
#[utoipa::path(
    tag = "carers",
    security(("bearer" = [ReadChild::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The carers.", body = Carers)),
)]
#[get("/children/{indexNumber}/carers")]
async fn list_carers(
    access: Access<ReadChild>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Carers> {
    let look = access.look(&db).await?;
    let (child, _) = child::store::find(&look, &number).await?;
    let items = store::list(&look, child).await?;
    look.record(Trail::of(child), Carers { items }).await
}

/// Add a carer
///
/// By a steward of the authority that is responsible for the record.
#[utoipa::path(
    tag = "carers",
    security(("bearer" = [CorrectChild::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = CarerIn,
    responses((status = 201, description = "The new carer.", body = Carer, headers(
        ("ETag" = String, description = "The version of the carer, for `If-Match`."),
        ("Location" = String, description = "Where the carer is."),
    ))),
)]
#[post("/children/{indexNumber}/carers")]
async fn add_carer(
    access: Access<CorrectChild>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<CarerIn>,
    db: Data<Db>,
) -> Reply<Carer> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let (child, core) = child::store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    let (id, written) = store::insert(&mut work, child, core.shielded, &body.value).await?;
    let trail = guard::store::guard(&mut work, written).await?.with(json!({ "carer": id }));
    let carer = store::reread(&mut work, child, id).await?;
    let (location, version) = (format!("/v1/children/{number}/carers/{id}"), carer.version);
    work.record_created(trail, carer, location, version).await
}

/// Correct a carer
///
/// By a steward of the authority that is responsible for the record. What was said before is kept.
#[utoipa::path(
    tag = "carers",
    security(("bearer" = [CorrectChild::SCOPE])),
    params(
        ("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566"),
        ("carerId" = CarerId, Path, description = "The carer."),
    ),
    request_body = CarerChange,
    responses((status = 200, description = "The carer as it now stands.", body = Carer, headers(
        ("ETag" = String, description = "The version of the carer, for `If-Match`."),
    ))),
)]
#[patch("/children/{indexNumber}/carers/{carerId}")]
async fn change_carer(
    access: Access<CorrectChild>,
    path: Path<(IndexNumber, CarerId)>,
    base: IfMatch,
    body: Json<CarerChange>,
    db: Data<Db>,
) -> Reply<Carer> {
    let (number, id) = path.into_inner();
    let mut work = access.begin(&db).await?;
    let (child, core) = child::store::lock(&mut work, &number).await?;
    let mut held = store::find(&mut work, child, id).await?;
    core.may_be_corrected_by(&work.caller)?;
    base.check(held.told_version)?;
    held.carer.change(body.value);
    let written = store::save(&mut work, child, &held).await?;
    let trail = guard::store::guard(&mut work, written).await?.with(json!({ "carer": id }));
    let carer = store::reread(&mut work, child, id).await?;
    let version = carer.version;
    let answer = work.record(trail, carer).await?;
    Ok(answer.version(version))
}

/// End a carer's care
///
/// By a steward of the authority that is responsible for the record. The carer is no longer shown; the fact is kept as history.
#[utoipa::path(
    tag = "carers",
    security(("bearer" = [CorrectChild::SCOPE])),
    params(
        ("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566"),
        ("carerId" = CarerId, Path, description = "The carer."),
    ),
    responses((status = 200, description = "The carers who remain.", body = Carers)),
)]
#[delete("/children/{indexNumber}/carers/{carerId}")]
async fn end_carer(
    access: Access<CorrectChild>,
    path: Path<(IndexNumber, CarerId)>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Carers> {
    let (number, id) = path.into_inner();
    let mut work = access.begin(&db).await?;
    let (child, core) = child::store::lock(&mut work, &number).await?;
    let held = store::find(&mut work, child, id).await?;
    core.may_be_corrected_by(&work.caller)?;
    base.check(held.told_version)?;
    let written = store::end(&mut work, child, id).await?;
    let trail = guard::store::guard(&mut work, written).await?.with(json!({ "carer": id }));
    let items = store::remaining(&mut work, child).await?;
    work.record(trail, Carers { items }).await
}
