//! Withholdings over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Withholding, WithholdingChange, WithholdingIn, Withholdings, store};
use crate::{
    access::{Access, Permission, ReadWithholding, WriteWithholding},
    audit::Trail,
    child,
    http::{IdempotencyKey, IfMatch, Json},
    ids::{IndexNumber, WithholdingId},
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_withholdings);
    api.service(place_withholding);
    api.service(change_withholding);
}

/// List why looks at a child are told later
///
/// By a steward of the authority that is responsible for the record.
#[utoipa::path(
    tag = "withholdings",
    security(("bearer" = [ReadWithholding::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The withholdings.", body = Withholdings)),
)]
#[get("/children/{indexNumber}/withholdings")]
async fn list_withholdings(
    access: Access<ReadWithholding>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Withholdings> {
    let look = access.look(&db).await?;
    let (child, authority) = child::store::find(&look, &number).await?;
    look.viewers().try_for_each(|viewer| child::history_may_be_read_by(viewer, authority))?;
    let items = store::list(&look, child).await?;
    look.record(Trail::of(child), Withholdings { items }).await
}

/// Have looks at a child told later
///
/// By a steward of the authority that is responsible for the record, while an enquiry is open: looks for the reason
/// `safeguarding-enquiry` and looks past a shield, from 28 days ago on. It ends after 3 months, unless it is confirmed before, and the
/// looks are then told. Nothing shows that there are any. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "withholdings",
    security(("bearer" = [WriteWithholding::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = WithholdingIn,
    responses((status = 201, description = "The withholding.", body = Withholding, headers(
        ("ETag" = String, description = "The version of the withholding, for `If-Match`."),
        ("Location" = String, description = "Where it is confirmed or ended."),
    ))),
)]
#[post("/children/{indexNumber}/withholdings")]
async fn place_withholding(
    access: Access<WriteWithholding>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<WithholdingIn>,
    db: Data<Db>,
) -> Reply<Withholding> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let (child, core) = child::store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    let placed = store::insert(&mut work, child, body.value.ground).await?;
    let location = format!("/v1/withholdings/{}", placed.id);
    let trail =
        json!({ "withholding": placed.id, "ground": placed.ground, "reviewOn": placed.review_on });
    work.record_created(Trail::of(child).with(trail), placed, location, 1).await
}

/// Confirm that looks are told later, or end that
///
/// By a steward of the authority that is responsible for the record. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "withholdings",
    security(("bearer" = [WriteWithholding::SCOPE])),
    params(("withholdingId" = WithholdingId, Path, description = "The withholding.")),
    request_body = WithholdingChange,
    responses(
        (status = 200, description = "The withholding as it now stands.", body = Withholding, headers(
            ("ETag" = String, description = "The version of the withholding, for `If-Match`."),
        )),
        (status = 409, description = "`withholding-ended`."),
    ),
)]
#[put("/withholdings/{withholdingId}")]
async fn change_withholding(
    access: Access<WriteWithholding>,
    id: Path<WithholdingId>,
    base: IfMatch,
    body: Json<WithholdingChange>,
    db: Data<Db>,
) -> Reply<Withholding> {
    let mut work = access.begin(&db).await?;
    let (child, mut withholding) = store::lock(&mut work, *id).await?;
    base.check(withholding.version)?;
    withholding.change(body.value, work.now, work.today())?;
    store::save(&mut work, &withholding).await?;
    let version = withholding.version;
    let trail = json!({ "withholding": *id, "continues": body.value.continues, "reviewOn": withholding.review_on });
    let answer = work.record(Trail::of(child).with(trail), withholding).await?;
    Ok(answer.version(version))
}
