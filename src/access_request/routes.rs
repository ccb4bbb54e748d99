//! Requests for access over HTTP.

use actix_web::{
    HttpRequest, get, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    AccessDecisionIn, AccessRequest, AccessRequestIn, AccessRequestQuery, AccessRequests, Received,
    store,
};
use crate::{
    access::{Access, Anyone, Caller, DecideAccessRequest, Permission, ReadAccessRequest, errand},
    account::{
        self, Invitation, NewAccount, Purpose,
        enrolment::{ENROLMENT, FreshInvitation},
    },
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::AccessRequestId,
    problem::{Kind, Problem},
    session::Door,
    throttle::store::{guesses, note_guess},
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(ask_for_access);
    api.service(list_access_requests);
    api.service(open_access_request);
    api.service(decide_access_request);
    api.service(invite_again);
}

/// Ask for access
///
/// By anyone, for themselves or for a colleague; no token is needed, and where one is sent its account is noted as the
/// asker. The council in whose area the organisation works decides, or for national partners the national operator. The
/// answer is the same whether there is such an organisation, person or request; a request that waits already is not kept
/// twice, and one on which nobody decides ends after 30 days.
#[utoipa::path(
    tag = "access requests",
    security((), ("bearer" = [])),
    request_body = AccessRequestIn,
    responses((status = 202, description = "The request was received.", body = Received)),
)]
#[post("/access-requests")]
async fn ask_for_access(
    asker: Anyone,
    request: HttpRequest,
    body: Json<AccessRequestIn>,
    db: Data<Db>,
) -> Reply<Received> {
    body.value.check()?;
    let mut work = db.arrive(errand(&request)?).begin().await?;
    guesses(&mut work).await?.check(work.now)?;
    note_guess(&mut work).await?;
    let account = asker.0.as_ref().and_then(Caller::account);
    let made = store::ask(&mut work, &body.value, account).await?;
    let trail = Trail::default().with(json!({ "accessRequest": made, "role": body.value.role }));
    work.record_received(asker.0, trail, Received { status: "received" }).await
}

/// Find requests for access
///
/// Those on which you decide, the oldest first: a council's account administrator those to organisations in its area, the
/// national operator those to national partners.
#[utoipa::path(
    tag = "access requests",
    security(("bearer" = [ReadAccessRequest::SCOPE])),
    params(AccessRequestQuery),
    responses((status = 200, description = "A page of requests.", body = AccessRequests)),
)]
#[get("/access-requests")]
async fn list_access_requests(
    access: Access<ReadAccessRequest>,
    Query(query): Query<AccessRequestQuery>,
    db: Data<Db>,
) -> Reply<AccessRequests> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let mut items =
        store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let more = items.len() > usize::from(limit);
    items.truncate(usize::from(limit));
    let next = items.last().filter(|_| more).map(|last| cursor::write(&(last.asked_at, last.id)));
    look.record(Trail::default(), AccessRequests { items, next }).await
}

/// Open a request for access
///
/// Who asks, to act for whom, as what, and how it stands.
#[utoipa::path(
    tag = "access requests",
    security(("bearer" = [ReadAccessRequest::SCOPE])),
    params(("accessRequestId" = AccessRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request.", body = AccessRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[get("/access-requests/{accessRequestId}")]
async fn open_access_request(
    access: Access<ReadAccessRequest>,
    id: Path<AccessRequestId>,
    db: Data<Db>,
) -> Reply<AccessRequest> {
    let look = access.look(&db).await?;
    let request = store::open(&look, *id).await?;
    let version = request.version;
    let trail = Trail::default().with(json!({ "accessRequest": *id }));
    Ok(look.record(trail, request).await?.version(version))
}

/// Decide on a request for access
///
/// Once, and never on your own request. Approving makes the account, `invited`, in the organisation that the person works
/// for, and tells once what the person enrols with: make sure who asks, and hand it over by a way that only the person
/// reads. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "access requests",
    security(("bearer" = [DecideAccessRequest::SCOPE])),
    params(("accessRequestId" = AccessRequestId, Path, description = "The request.")),
    request_body = AccessDecisionIn,
    responses((status = 200, description = "The request as it now stands.", body = AccessRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[put("/access-requests/{accessRequestId}/decision")]
async fn decide_access_request(
    access: Access<DecideAccessRequest>,
    id: Path<AccessRequestId>,
    base: IfMatch,
    body: Json<AccessDecisionIn>,
    door: Data<Door>,
    db: Data<Db>,
) -> Reply<AccessRequest> {
    let mut work = access.begin(&db).await?;
    let request = store::lock(&mut work, *id).await?;
    request.may_be_decided_by(&store::decider(&mut work).await?)?;
    base.check(request.version)?;
    let (decision, reason) = (body.value.decision, body.value.reason);
    let new = body.value.on(&request, work.today())?;
    let invitation = match &new {
        Some(new) => Some(invited(&mut work, &door, new).await?),
        None => None,
    };
    let account = new.as_ref().map(|new| new.id);
    let request = store::decide(&mut work, *id, account, reason).await?;
    let version = request.version;
    let trail = json!({ "accessRequest": *id, "decision": decision, "reason": reason, "account": account,
        "role": new.map(|new| new.role) });
    let told = AccessRequest { invitation, ..request };
    Ok(work.record(Trail::default().with(trail), told).await?.version(version))
}

/// Invite again whoever was approved
///
/// Where the invitation was lost or has ended before the person has enrolled. It takes the place of the one before, is told
/// once and lasts 7 days. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "access requests",
    security(("bearer" = [DecideAccessRequest::SCOPE])),
    params(("accessRequestId" = AccessRequestId, Path, description = "The request.")),
    responses((status = 201, description = "The invitation.", body = Invitation, headers(
        ("ETag" = String, description = "The version of the request."),
        ("Location" = String, description = "Where the request is."),
    ))),
)]
#[post("/access-requests/{accessRequestId}/invitations")]
async fn invite_again(
    access: Access<DecideAccessRequest>,
    id: Path<AccessRequestId>,
    key: IdempotencyKey,
    door: Data<Door>,
    db: Data<Db>,
) -> Reply<Invitation> {
    let mut work = match access.begin_once(&db, key, [0; 32], &id.to_string()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let request = store::lock(&mut work, *id).await?;
    request.may_be_decided_by(&store::decider(&mut work).await?)?;
    let account = store::to_enrol(&mut work, *id).await?.ok_or(Kind::AccessRequestEnded)?;
    let fresh = FreshInvitation::new(&door, account)?;
    let told =
        account::store::invite(&mut work, account, Purpose::Enrolment, fresh, ENROLMENT).await?;
    let again = told.without_secret()?;
    let (location, version) = (format!("/v1/access-requests/{id}"), request.version);
    let trail = json!({ "accessRequest": *id, "account": account, "invitation": told.id });
    work.record_created_once(Trail::default().with(trail), told, again, location, version).await
}

/// Makes an account, and what its person enrols with.
async fn invited(work: &mut Work, door: &Door, new: &NewAccount) -> Result<Invitation, Problem> {
    let now = work.now;
    account::store::insert(work.db(), now, new).await?;
    let fresh = FreshInvitation::new(door, new.id)?;
    account::store::invite(work, new.id, Purpose::Enrolment, fresh, ENROLMENT).await
}
