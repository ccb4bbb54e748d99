//! Requests to be put in touch over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    AnswerIn, ContactRequest, ContactRequestIn, ContactRequestQuery, ContactRequests, ForwardingIn,
    Kept, ProviderAnswer, STEP, Side, Step, store,
};
use crate::{
    access::{
        Access, AnswerContact, AskForContact, BrokerContact, Permission, ReadContactRequest, Role,
    },
    audit::Trail,
    child,
    clock::day_in_london,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::{ChildId, ContactRequestId, IndexNumber},
    notice::{self, NoticeKind, Telling},
    problem::Problem,
    sensitive::discreet,
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(ask_for_contact);
    api.service(list_contact_requests);
    api.service(open_contact_request);
    api.service(forward_contact_request);
    api.service(close_contact_request);
    api.service(answer_contact_request);
}

/// Ask to be put in touch
///
/// With whoever works with the child and is told to nobody. It can be asked about every child, and the answer is the same
/// whether there is anybody: the request is `open` for 14 days, then `closed`, unless somebody has accepted meanwhile.
#[utoipa::path(
    tag = "contact requests",
    security(("bearer" = [AskForContact::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = ContactRequestIn,
    responses((status = 201, description = "The request.", body = ContactRequest, headers(
        ("ETag" = String, description = "The version of the request."),
        ("Location" = String, description = "Where the request is."),
    ))),
)]
#[post("/children/{indexNumber}/contact-requests")]
async fn ask_for_contact(
    access: Access<AskForContact>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<ContactRequestIn>,
    db: Data<Db>,
) -> Reply<ContactRequest> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let (child, core) = child::store::lock(&mut work, &number).await?;
    let id = store::insert(&mut work, child, body.value.contact).await?;
    let (now, location) = (work.now, format!("/v1/contact-requests/{id}"));
    let telling = Telling {
        kind: NoticeKind::ContactAsked,
        organisation: Some(core.authority),
        role: Role::Steward,
        about: location.clone(),
        due_on: Some(day_in_london(now + STEP)),
    };
    notice::store::tell(work.db(), now, &telling).await?;
    let told = store::reread(&mut work, id).await?.told(now);
    let (trail, version) = (Trail::of(child).with(json!({ "contactRequest": id })), told.version);
    work.record_created(trail, told, location, version).await
}

/// Find requests to be put in touch
///
/// Your own and those forwarded to your organisation; a steward finds those about records for which the own authority is
/// responsible. The oldest first, of the last 90 days.
#[utoipa::path(
    tag = "contact requests",
    security(("bearer" = [ReadContactRequest::SCOPE])),
    params(ContactRequestQuery),
    responses((status = 200, description = "A page of requests.", body = ContactRequests)),
)]
#[get("/contact-requests")]
async fn list_contact_requests(
    access: Access<ReadContactRequest>,
    Query(query): Query<ContactRequestQuery>,
    db: Data<Db>,
) -> Reply<ContactRequests> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |(_, kept)| (kept.asked_at, kept.id));
    let named = found.iter().filter(|(_, kept)| kept.side != Side::Provider);
    let trail = Trail::about(named.map(|(child, _)| *child).collect());
    let items = found.into_iter().map(|(_, kept)| kept.told(look.now)).collect();
    look.record(trail, ContactRequests { items, next }).await
}

/// Open a request to be put in touch
///
/// How it stands, for whoever asked; the steward of the authority that answers for the record is told with whom contact can
/// be brokered, and the provider to which it is forwarded who asks.
#[utoipa::path(
    tag = "contact requests",
    security(("bearer" = [ReadContactRequest::SCOPE])),
    params(("contactRequestId" = ContactRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request.", body = ContactRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[get("/contact-requests/{contactRequestId}")]
async fn open_contact_request(
    access: Access<ReadContactRequest>,
    id: Path<ContactRequestId>,
    db: Data<Db>,
) -> Reply<ContactRequest> {
    let look = access.look(&db).await?;
    let (child, kept) = store::open(&look, *id).await?;
    let trail = trail(&kept, child);
    let providers = match kept.side {
        Side::Steward => Some(store::providers_seen(&look, child, &kept.brokered.declined).await?),
        Side::Asker | Side::Provider => None,
    };
    let told = ContactRequest { providers, ..kept.told(look.now) };
    let version = told.version;
    Ok(look.record(trail, told).await?.version(version))
}

/// Forward a request to be put in touch
///
/// To one of its `providers`, by a steward of the authority that answers for the record. The provider has 48 hours to
/// answer.
#[utoipa::path(
    tag = "contact requests",
    security(("bearer" = [BrokerContact::SCOPE])),
    params(("contactRequestId" = ContactRequestId, Path, description = "The request.")),
    request_body = ForwardingIn,
    responses((status = 200, description = "The request as it now stands.", body = ContactRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[put("/contact-requests/{contactRequestId}/forwarding")]
async fn forward_contact_request(
    access: Access<BrokerContact>,
    id: Path<ContactRequestId>,
    base: IfMatch,
    body: Json<ForwardingIn>,
    db: Data<Db>,
) -> Reply<ContactRequest> {
    let mut work = access.begin(&db).await?;
    let (child, mut kept) = store::lock(&mut work, *id, Side::Steward).await?;
    base.check(kept.version)?;
    kept.step(Step::Forward, work.now)?;
    let to = body.value.involvement_id;
    store::keep_provider(&mut work, to).await?;
    let (vault, today) = (work.vault(), work.today());
    let providers = store::providers(work.db(), &vault, child, today, &[]).await?;
    let chosen = providers.into_iter().find(|provider| provider.involvement_id == to);
    let chosen = chosen.ok_or_else(|| {
        Problem::invalid("/involvementId", "is no involvement with which contact can be brokered")
    })?;
    kept.involvement = Some(to);
    kept.brokered.provider = Some(chosen.contact);
    store::save(&mut work, &kept, Some(chosen.organisation.id)).await?;
    finish(work, child, kept).await
}

/// Close a request to be put in touch
///
/// By a steward of the authority that answers for the record, where there is nobody to forward it to. Whoever asked is not
/// told.
#[utoipa::path(
    tag = "contact requests",
    security(("bearer" = [BrokerContact::SCOPE])),
    params(("contactRequestId" = ContactRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request as it now stands.", body = ContactRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[put("/contact-requests/{contactRequestId}/closure")]
async fn close_contact_request(
    access: Access<BrokerContact>,
    id: Path<ContactRequestId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<ContactRequest> {
    let mut work = access.begin(&db).await?;
    let (child, mut kept) = store::lock(&mut work, *id, Side::Steward).await?;
    base.check(kept.version)?;
    kept.step(Step::Close, work.now)?;
    store::save(&mut work, &kept, None).await?;
    finish(work, child, kept).await
}

/// Answer a request to be put in touch
///
/// By the organisation to which it is forwarded. Accepting tells both the other's contact; declining gives the request back
/// to the steward, and whoever asked is not told.
#[utoipa::path(
    tag = "contact requests",
    security(("bearer" = [AnswerContact::SCOPE])),
    params(("contactRequestId" = ContactRequestId, Path, description = "The request.")),
    request_body = AnswerIn,
    responses((status = 200, description = "The request as it now stands.", body = ContactRequest, headers(
        ("ETag" = String, description = "The version of the request."),
    ))),
)]
#[put("/contact-requests/{contactRequestId}/answer")]
async fn answer_contact_request(
    access: Access<AnswerContact>,
    id: Path<ContactRequestId>,
    base: IfMatch,
    body: Json<AnswerIn>,
    db: Data<Db>,
) -> Reply<ContactRequest> {
    let mut work = access.begin(&db).await?;
    let (child, mut kept) = store::lock(&mut work, *id, Side::Provider).await?;
    base.check(kept.version)?;
    body.value.check()?;
    let own = match body.value.answer {
        ProviderAnswer::Accepted => {
            kept.step(Step::Accept, work.now)?;
            if let Some(contact) = body.value.contact {
                kept.brokered.provider = Some(contact);
            }
            Some(work.caller.organisation)
        }
        ProviderAnswer::Declined => {
            kept.step(Step::Decline, work.now)?;
            None
        }
    };
    store::save(&mut work, &kept, own).await?;
    finish(work, child, kept).await
}

async fn finish(work: Work, child: ChildId, kept: Kept) -> Reply<ContactRequest> {
    let (trail, told) = (trail(&kept, child), kept.told(work.now));
    let version = told.version;
    Ok(work.record(trail, told).await?.version(version))
}

/// What is written down of a request: nothing that joins a provider and a child in plain.
fn trail(kept: &Kept, child: ChildId) -> Trail {
    let details = json!({ "contactRequest": kept.id, "stage": kept.stage });
    match kept.side {
        Side::Provider => discreet(child, details),
        Side::Asker => Trail::of(child).with(json!({ "contactRequest": kept.id })),
        Side::Steward => Trail::of(child).with(details),
    }
}
