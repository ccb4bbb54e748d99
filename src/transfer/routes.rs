//! Handing records over, over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    Transfer, TransferAnswer, TransferAnswerIn, TransferDisputeIn, TransferIn, TransferQuery,
    TransferStatus, Transfers, store,
};
use crate::{
    access::{Access, Permission, ReadTransfer, Role, WriteTransfer},
    audit::Trail,
    child, cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::{ChildId, IndexNumber, OrganisationId, TransferId},
    notice::{self, NoticeKind, Telling},
    organisation,
    problem::Problem,
    shield,
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(offer_transfer);
    api.service(list_transfers);
    api.service(open_transfer);
    api.service(answer_transfer);
    api.service(dispute_transfer);
    api.service(withdraw_transfer);
}

/// Offer a record to another authority
///
/// By a steward of the authority that is responsible for it, and responsible it stays until the other accepts. A record has
/// one offer at a time. The stewards of the other authority are told by a notice.
#[utoipa::path(
    tag = "transfers",
    security(("bearer" = [WriteTransfer::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = TransferIn,
    responses(
        (status = 201, description = "The offer.", body = Transfer, headers(
            ("ETag" = String, description = "The version of the offer, for `If-Match`."),
            ("Location" = String, description = "Where the offer is."),
        )),
        (status = 409, description = "`transfer-open` or `request-in-progress`."),
    ),
)]
#[post("/children/{indexNumber}/transfers")]
async fn offer_transfer(
    access: Access<WriteTransfer>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<TransferIn>,
    db: Data<Db>,
) -> Reply<Transfer> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let (child, core) = child::store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    let to = organisation::store::authority(&mut work, &body.value.to).await?;
    let to = to.filter(|to| *to != work.caller.organisation).ok_or_else(|| {
        Problem::invalid("/to", "must be the 3-digit code of another local authority")
    })?;
    let id = store::insert(&mut work, child, to).await?;
    tell(&mut work, NoticeKind::TransferOffered, to, id).await?;
    let transfer = store::reread(&mut work, id).await?;
    let (location, version) = (format!("/v1/transfers/{id}"), transfer.version);
    let trail = Trail::of(child).with(json!({ "transfer": id, "to": to }));
    work.record_created(trail, transfer, location, version).await
}

/// List offers
///
/// Those by and to the own authority, the oldest first.
#[utoipa::path(
    tag = "transfers",
    security(("bearer" = [ReadTransfer::SCOPE])),
    params(TransferQuery),
    responses((status = 200, description = "A page of offers.", body = Transfers)),
)]
#[get("/transfers")]
async fn list_transfers(
    access: Access<ReadTransfer>,
    Query(query): Query<TransferQuery>,
    db: Data<Db>,
) -> Reply<Transfers> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |(_, last)| (last.offered_at, last.id));
    let (children, items): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    look.record(Trail::about(children), Transfers { items, next }).await
}

/// Open an offer
///
/// By a steward of either authority.
#[utoipa::path(
    tag = "transfers",
    security(("bearer" = [ReadTransfer::SCOPE])),
    params(("transferId" = TransferId, Path, description = "The offer.")),
    responses((status = 200, description = "The offer.", body = Transfer, headers(
        ("ETag" = String, description = "The version of the offer, for `If-Match`."),
    ))),
)]
#[get("/transfers/{transferId}")]
async fn open_transfer(
    access: Access<ReadTransfer>,
    id: Path<TransferId>,
    db: Data<Db>,
) -> Reply<Transfer> {
    let look = access.look(&db).await?;
    let (child, transfer) = store::open(&look, *id).await?;
    let version = transfer.version;
    let trail = Trail::of(child).with(json!({ "transfer": *id }));
    Ok(look.record(trail, transfer).await?.version(version))
}

/// Answer an offer
///
/// By a steward of the authority that it is made to. Once accepted, that authority is responsible for the record. An offer
/// that was declined and disputed may still be accepted.
#[utoipa::path(
    tag = "transfers",
    security(("bearer" = [WriteTransfer::SCOPE])),
    params(("transferId" = TransferId, Path, description = "The offer.")),
    request_body = TransferAnswerIn,
    responses(
        (status = 200, description = "The offer as it now stands.", body = Transfer, headers(
            ("ETag" = String, description = "The version of the offer, for `If-Match`."),
        )),
        (status = 409, description = "`transfer-ended`."),
    ),
)]
#[put("/transfers/{transferId}/answer")]
async fn answer_transfer(
    access: Access<WriteTransfer>,
    id: Path<TransferId>,
    base: IfMatch,
    body: Json<TransferAnswerIn>,
    db: Data<Db>,
) -> Reply<Transfer> {
    body.value.check()?;
    let mut work = access.begin(&db).await?;
    let (child, _, transfer) = store::lock(&mut work, *id).await?;
    transfer.may_be_answered_by(&work.caller)?;
    base.check(transfer.version)?;
    let status = body.value.on(transfer.status)?;
    if body.value.answer == TransferAnswer::Accepted {
        child::store::hand_over(&mut work, child, transfer.to.organisation_id).await?;
        shield::store::hand_over(&mut work, child).await?;
    }
    let disputed = transfer.status == TransferStatus::Disputed;
    let kind = if disputed { NoticeKind::TransferSettled } else { NoticeKind::TransferAnswered };
    tell(&mut work, kind, transfer.from.organisation_id, *id).await?;
    let transfer = store::save(&mut work, *id, status, body.value.ground, None).await?;
    record(work, child, transfer).await
}

/// Dispute that an offer was declined
///
/// By a steward of the authority that offers, while it still answers for the record. The other authority may then accept it
/// after all, and is told by a notice.
#[utoipa::path(
    tag = "transfers",
    security(("bearer" = [WriteTransfer::SCOPE])),
    params(("transferId" = TransferId, Path, description = "The offer.")),
    request_body = TransferDisputeIn,
    responses(
        (status = 200, description = "The offer as it now stands.", body = Transfer, headers(
            ("ETag" = String, description = "The version of the offer, for `If-Match`."),
        )),
        (status = 409, description = "`transfer-ended` or `transfer-open`."),
    ),
)]
#[put("/transfers/{transferId}/dispute")]
async fn dispute_transfer(
    access: Access<WriteTransfer>,
    id: Path<TransferId>,
    base: IfMatch,
    body: Json<TransferDisputeIn>,
    db: Data<Db>,
) -> Reply<Transfer> {
    let mut work = access.begin(&db).await?;
    let (child, responsible, transfer) = store::lock(&mut work, *id).await?;
    transfer.is_offered_by(&work.caller)?;
    base.check(transfer.version)?;
    transfer.may_be_disputed(responsible)?;
    let (status, ground) = (TransferStatus::Disputed, Some(body.value.ground));
    tell(&mut work, NoticeKind::TransferDisputed, transfer.to.organisation_id, *id).await?;
    let transfer = store::save(&mut work, *id, status, None, ground).await?;
    record(work, child, transfer).await
}

/// Take an offer back
///
/// By a steward of the authority that offers, while it waits for an answer.
#[utoipa::path(
    tag = "transfers",
    security(("bearer" = [WriteTransfer::SCOPE])),
    params(("transferId" = TransferId, Path, description = "The offer.")),
    responses(
        (status = 200, description = "The offer as it now stands.", body = Transfer, headers(
            ("ETag" = String, description = "The version of the offer, for `If-Match`."),
        )),
        (status = 409, description = "`transfer-ended`."),
    ),
)]
#[put("/transfers/{transferId}/withdrawal")]
async fn withdraw_transfer(
    access: Access<WriteTransfer>,
    id: Path<TransferId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Transfer> {
    let mut work = access.begin(&db).await?;
    let (child, _, transfer) = store::lock(&mut work, *id).await?;
    transfer.is_offered_by(&work.caller)?;
    base.check(transfer.version)?;
    transfer.may_be_withdrawn()?;
    let transfer = store::save(&mut work, *id, TransferStatus::Withdrawn, None, None).await?;
    record(work, child, transfer).await
}

/// Tells the stewards of an authority of an offer.
async fn tell(
    work: &mut Work,
    kind: NoticeKind,
    authority: OrganisationId,
    id: TransferId,
) -> Result<(), Problem> {
    let (now, about) = (work.now, format!("/v1/transfers/{id}"));
    let (organisation, role) = (Some(authority), Role::Steward);
    let telling = Telling { kind, organisation, role, about, due_on: None };
    Ok(notice::store::tell(work.db(), now, &telling).await?)
}

async fn record(work: Work, child: ChildId, transfer: Transfer) -> Reply<Transfer> {
    let version = transfer.version;
    let told = json!({ "transfer": transfer.id, "status": transfer.status });
    Ok(work.record(Trail::of(child).with(told), transfer).await?.version(version))
}
