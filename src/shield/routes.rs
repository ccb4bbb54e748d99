//! Shields over HTTP.

use actix_web::{
    delete, get, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    Shield, ShieldDecision, ShieldDecisionIn, ShieldRequest, ShieldRequestIn, ShieldRequestQuery,
    ShieldRequestStatus, ShieldRequests, ShieldReviewIn, Standing, store,
};
use crate::{
    access::{Access, AskForShield, DecideShield, Permission, ReadShield, ReadShieldRequest, Role},
    audit::Trail,
    cursor, guard,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::{ChildId, IndexNumber, ShieldRequestId},
    notice::{self, NoticeKind, Telling},
    problem::{Kind, Problem},
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(ask_for_shield);
    api.service(list_shield_requests);
    api.service(open_shield_request);
    api.service(read_shield);
    api.service(decide_shield);
    api.service(review_shield);
    api.service(close_shield_request);
    api.service(lift_shield);
}

/// Ask that a child be shielded
///
/// By practitioners and stewards, and by a subject for the own record. The authority that answers for the record decides. In an
/// emergency the child is shielded at once, whatever is decided later; that is not for subjects, and needs a sign-in within the
/// last 5 minutes. The authority has 5 working days to confirm it. Requests for one child are kept apart, and each holds the
/// shield up while it is in force.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [AskForShield::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = ShieldRequestIn,
    responses((status = 201, description = "The request.", body = ShieldRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
        ("Location" = String, description = "Where the request is."),
    ))),
)]
#[post("/children/{indexNumber}/shield-requests")]
async fn ask_for_shield(
    access: Access<AskForShield>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<ShieldRequestIn>,
    db: Data<Db>,
) -> Reply<ShieldRequest> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let new = body.value;
    let standing = store::hold(&mut work, &number).await?;
    new.check(&work.caller, work.now)?;
    let confirm_by = new.emergency.then(|| super::confirm_by(work.today()));
    guard::store::person(&mut work, standing.child).await?;
    let id = store::insert(&mut work, standing.child, &new, confirm_by).await?;
    if new.emergency {
        guard::store::raise(&mut work, standing.child).await?;
    }
    store::count_on(&mut work, standing.child).await?;
    let kind = if new.emergency { NoticeKind::EmergencyShield } else { NoticeKind::ShieldAsked };
    let telling = Telling {
        kind,
        organisation: Some(standing.authority),
        role: Role::ShieldApprover,
        about: format!("/v1/shield-requests/{id}"),
        due_on: confirm_by,
    };
    let now = work.now;
    notice::store::tell(work.db(), now, &telling).await?;
    let request = store::reread(&mut work, id).await?.for_the_asker();
    let (location, version) = (telling.about, request.version);
    let trail = json!({ "shieldRequest": id, "emergency": new.emergency });
    work.record_created(Trail::of(standing.child).with(trail), request, location, version).await
}

/// Find requests that children be shielded
///
/// The oldest first: a shield approver those on which the own authority decides; anybody else those they have asked
/// themselves.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [ReadShieldRequest::SCOPE])),
    params(ShieldRequestQuery),
    responses((status = 200, description = "A page of requests.", body = ShieldRequests)),
)]
#[get("/shield-requests")]
async fn list_shield_requests(
    access: Access<ReadShieldRequest>,
    Query(query): Query<ShieldRequestQuery>,
    db: Data<Db>,
) -> Reply<ShieldRequests> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |(_, request)| (request.asked_at, request.id));
    let (children, items) = found.into_iter().unzip();
    look.record(Trail::about(children), ShieldRequests { items, next }).await
}

/// Open a request that a child be shielded
///
/// By a shield approver of the authority that decides, or by whoever asked, who sees how it stands.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [ReadShieldRequest::SCOPE])),
    params(("shieldRequestId" = ShieldRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request.", body = ShieldRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[get("/shield-requests/{shieldRequestId}")]
async fn open_shield_request(
    access: Access<ReadShieldRequest>,
    id: Path<ShieldRequestId>,
    db: Data<Db>,
) -> Reply<ShieldRequest> {
    let look = access.look(&db).await?;
    let (child, request) = store::open(&look, *id).await?;
    let version = request.version;
    let trail = Trail::of(child).with(json!({ "shieldRequest": *id }));
    Ok(look.record(trail, request).await?.version(version))
}

/// See the shield of a child
///
/// By stewards and shield approvers of the authority that answers for the record: whether it stands, and the requests that
/// hold it up or did.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [ReadShield::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The shield.", body = Shield, headers(
        ("ETag" = String, description = "The version of the shield, for `If-Match`."),
    ))),
)]
#[get("/children/{indexNumber}/shield")]
async fn read_shield(
    access: Access<ReadShield>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Shield> {
    let look = access.look(&db).await?;
    let standing = store::find(&look, &number).await?;
    look.viewers().try_for_each(|viewer| standing.kept_by(viewer))?;
    let requests = store::of(&look, &standing).await?;
    let Standing { child, shielded, version, .. } = standing;
    let shield = Shield { shielded, requests, version };
    Ok(look.record(Trail::of(child), shield).await?.version(version))
}

/// Decide on a request that a child be shielded
///
/// Once, by a shield approver of the authority that answers for the record, who is not the one who asked. Approving shields
/// every record of the person. Declining takes no shield away. Where a record resembles that of a shielded person, the
/// decision says whether both are of one person. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [DecideShield::SCOPE])),
    params(("shieldRequestId" = ShieldRequestId, Path, description = "The request.")),
    request_body = ShieldDecisionIn,
    responses((status = 200, description = "The request as it now stands.", body = ShieldRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[put("/shield-requests/{shieldRequestId}/decision")]
async fn decide_shield(
    access: Access<DecideShield>,
    id: Path<ShieldRequestId>,
    base: IfMatch,
    body: Json<ShieldDecisionIn>,
    db: Data<Db>,
) -> Reply<ShieldRequest> {
    let mut work = access.begin(&db).await?;
    let (standing, request) = store::lock(&mut work, *id).await?;
    request.may_be_decided_by(work.caller.account())?;
    base.check(request.version)?;
    let decided = request.decide(&body.value, work.today())?;
    store::decide(&mut work, *id, decided).await?;
    match body.value.decision {
        ShieldDecision::Approved => drop(guard::store::raise(&mut work, standing.child).await?),
        ShieldDecision::SamePerson => same_person(&mut work, *id, standing.child).await?,
        ShieldDecision::Distinct => {
            let own = guard::store::person(&mut work, standing.child).await?;
            let (other, _) = store::resembled(&mut work, *id).await?;
            store::tell_apart(&mut work, own, other).await?;
        }
        ShieldDecision::Declined => {}
    }
    let trail = json!({ "shieldRequest": *id, "decision": body.value.decision });
    told(work, standing, *id, trail).await
}

/// Makes the records of a person those of the one they resemble; if that one is shielded no more, it is again.
async fn same_person(work: &mut Work, id: ShieldRequestId, child: ChildId) -> Result<(), Problem> {
    let own = guard::store::person(work, child).await?;
    let (other, record) = store::resembled(work, id).await?;
    if let Some(record) = record.filter(|_| other != own) {
        guard::store::raise(work, record).await?;
        store::join(work, own, other).await?;
    }
    Ok(())
}

/// Say that a shield was reviewed
///
/// The ground of the request was looked at anew and still holds; it is reviewed again within 6 months. A review that is missed
/// takes no shield away. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [DecideShield::SCOPE])),
    params(("shieldRequestId" = ShieldRequestId, Path, description = "The request.")),
    request_body = ShieldReviewIn,
    responses((status = 200, description = "The request as it now stands.", body = ShieldRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[put("/shield-requests/{shieldRequestId}/review")]
async fn review_shield(
    access: Access<DecideShield>,
    id: Path<ShieldRequestId>,
    base: IfMatch,
    body: Json<ShieldReviewIn>,
    db: Data<Db>,
) -> Reply<ShieldRequest> {
    let mut work = access.begin(&db).await?;
    let (standing, request) = store::lock(&mut work, *id).await?;
    base.check(request.version)?;
    request.may_be_reviewed()?;
    let day = body.value.day(work.today())?;
    store::review(&mut work, *id, day).await?;
    told(work, standing, *id, json!({ "shieldRequest": *id, "reviewOn": day })).await
}

/// Say that the ground of a shield no longer holds
///
/// The request holds the shield up no more. The child stays shielded until another shield approver lifts the shield. Needs a
/// sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [DecideShield::SCOPE])),
    params(("shieldRequestId" = ShieldRequestId, Path, description = "The request.")),
    responses(
        (status = 200, description = "The request as it now stands.", body = ShieldRequest, headers(
            ("ETag" = String, description = "The version of the request, for `If-Match`."),
        )),
        (status = 409, description = "`shield-request-status`."),
    ),
)]
#[put("/shield-requests/{shieldRequestId}/closure")]
async fn close_shield_request(
    access: Access<DecideShield>,
    id: Path<ShieldRequestId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<ShieldRequest> {
    let mut work = access.begin(&db).await?;
    let (standing, request) = store::lock(&mut work, *id).await?;
    base.check(request.version)?;
    request.may_be_closed()?;
    store::close(&mut work, *id).await?;
    let trail = json!({ "shieldRequest": *id, "status": ShieldRequestStatus::Closed });
    told(work, standing, *id, trail).await
}

/// Lift the shield of a child
///
/// Once every request for it, on every record of the person, is declined or closed; by a shield approver of the authority that
/// answers for the record, who is neither the one who ended the last request nor one of those who asked. Everything that was
/// hidden is seen again, on every record of the person. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [DecideShield::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses(
        (status = 200, description = "The shield as it now stands.", body = Shield, headers(
            ("ETag" = String, description = "The version of the shield, for `If-Match`."),
        )),
        (status = 409, description = "`not-shielded`, `shield-requested` or `identifier-held`."),
    ),
)]
#[delete("/children/{indexNumber}/shield")]
async fn lift_shield(
    access: Access<DecideShield>,
    number: Path<IndexNumber>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Shield> {
    let mut work = access.begin(&db).await?;
    let standing = store::hold(&mut work, &number).await?;
    standing.kept_by(work.caller.viewer())?;
    base.check(standing.version)?;
    let person = standing.person.ok_or(Kind::NotShielded)?;
    let ends = store::ends(&mut work, person).await?;
    standing.may_be_lifted(&ends, work.caller.account())?;
    guard::store::lower(&mut work, person).await?;
    store::count_on(&mut work, standing.child).await?;
    let (version, requests) = store::reread_all(&mut work, &standing).await?;
    let shield = Shield { shielded: false, requests, version };
    let trail = Trail::of(standing.child).with(json!({ "shielded": false }));
    Ok(work.record(trail, shield).await?.version(version))
}

async fn told(
    mut work: Work,
    standing: Standing,
    id: ShieldRequestId,
    trail: serde_json::Value,
) -> Reply<ShieldRequest> {
    store::count_on(&mut work, standing.child).await?;
    let request = store::reread(&mut work, id).await?;
    let version = request.version;
    Ok(work.record(Trail::of(standing.child).with(trail), request).await?.version(version))
}
