//! Information requests over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    AskIn, ExtensionIn, Found, IdentityCheckIn, InformationOutcomeIn, InformationRequest,
    InformationRequestIn, InformationRequestQuery, InformationRequests, New, store,
};
use crate::{
    access::{
        Access, AskInformation, Permission, ReadInformationRequest, Role, WorkInformationRequest,
    },
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::{ChildId, IndexNumber, InformationRequestId, OrganisationId},
    my::{self, words::Voice},
    notice::{self, NoticeKind, Telling},
    problem::{Kind, Problem},
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(ask_information);
    api.service(enter_information_request);
    api.service(list_information_requests);
    api.service(open_information_request);
    api.service(check_identity);
    api.service(forward_information_request);
    api.service(extend_information_request);
    api.service(close_information_request);
    api.service(withdraw_information_request);
}

/// The request as whoever reads it is told: whoever asks, in plain words too.
fn told(found: Found, role: Role) -> InformationRequest {
    let mut request = found.request;
    if role == Role::Subject {
        request.words = Some(Voice(request.capacity).request(request.status, request.due_on));
    }
    request
}

fn path(id: InformationRequestId) -> String {
    format!("/v1/information-requests/{id}")
}

/// Ask about your record
///
/// By a child, or a carer for a child: to see what is held beyond `GET /v1/my/record`, to have something put right, or to complain. It
/// is answered by the same day of the next month, or the next working day.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [AskInformation::SCOPE])),
    request_body = AskIn,
    responses((status = 201, description = "The request.", body = InformationRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
        ("Location" = String, description = "Where the request is."),
    ))),
)]
#[post("/my/requests")]
async fn ask_information(
    access: Access<AskInformation>,
    key: IdempotencyKey,
    body: Json<AskIn>,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let acting = my::store::acting_in(&mut work, body.value.child.as_ref()).await?;
    let account = work.caller.account().ok_or(Kind::NotFound)?;
    let new = New::asked(body.value, acting.capacity, account, work.today());
    let authority = store::authority(&mut work, acting.child).await?;
    keep(work, acting.child, new, acting.hidden, Some(authority)).await
}

/// Keeps a request, and tells the stewards of it where they did not enter it themselves.
async fn keep(
    mut work: Work,
    child: ChildId,
    new: New,
    hidden: bool,
    told_to: Option<OrganisationId>,
) -> Reply<InformationRequest> {
    new.check(work.today())?;
    if !store::has_fact(&mut work, child, new.fact, new.fact_id, hidden).await? {
        return Err(Problem::invalid("/factId", "is nothing that stands on the record"));
    }
    let id = store::insert(&mut work, child, new).await?;
    let found = store::reread(&mut work, id).await?;
    if let Some(authority) = told_to {
        let due = found.request.due_on;
        let (kind, about) = (NoticeKind::InformationAsked, path(id));
        tell(&mut work, kind, authority, Role::Steward, about, Some(due)).await?;
    }
    let answer = told(found, work.caller.role);
    let (trail, version) = (trail(child, &answer), answer.version);
    work.record_created(trail, answer, path(id), version).await
}

async fn tell(
    work: &mut Work,
    kind: NoticeKind,
    organisation: OrganisationId,
    role: Role,
    about: String,
    due_on: Option<NaiveDate>,
) -> Result<(), Problem> {
    let telling = Telling { kind, organisation: Some(organisation), role, about, due_on };
    let now = work.now;
    notice::store::tell(work.db(), now, &telling).await?;
    Ok(())
}

fn trail(child: ChildId, request: &InformationRequest) -> Trail {
    Trail::of(child).with(json!({
        "informationRequest": request.id, "kind": request.kind, "status": request.status, "dueOn": request.due_on,
        "version": request.version,
    }))
}

/// Enter what was asked on paper
///
/// Or by word of mouth, by a steward of the authority that is responsible for the record. The month counts from the day on which it
/// was received, or from that on which whoever asks has proven who they are, where they had to be asked.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [WorkInformationRequest::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = InformationRequestIn,
    responses((status = 201, description = "The request.", body = InformationRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
        ("Location" = String, description = "Where the request is."),
    ))),
)]
#[post("/children/{indexNumber}/information-requests")]
async fn enter_information_request(
    access: Access<WorkInformationRequest>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<InformationRequestIn>,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let child = store::find(&mut work, &number).await?;
    keep(work, child, New::entered(body.value), false, None).await
}

/// Find information requests
///
/// By a steward or an auditor: those about records for which the own authority is responsible; an auditor of a national partner: all; a
/// child, or a carer: the own. The oldest first.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [ReadInformationRequest::SCOPE])),
    params(InformationRequestQuery),
    responses((status = 200, description = "A page of requests.", body = InformationRequests)),
)]
#[get("/information-requests")]
async fn list_information_requests(
    access: Access<ReadInformationRequest>,
    Query(query): Query<InformationRequestQuery>,
    db: Data<Db>,
) -> Reply<InformationRequests> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    for_oneself(look.requester.is_some())?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let place = |last: &Found| (last.request.asked_at, last.request.id);
    let (found, next) = cursor::page(found, limit, place);
    let trail = Trail::about(found.iter().map(|found| found.child).collect());
    let role = look.caller.role;
    let items = found.into_iter().map(|found| told(found, role)).collect();
    look.record(trail, InformationRequests { items, next }).await
}

fn for_oneself(mediated: bool) -> Result<(), Problem> {
    if mediated {
        let detail = "On-Behalf-Of is not for information requests.";
        return Err(Problem::new(Kind::InvalidHeader, detail));
    }
    Ok(())
}

/// Open an information request
///
/// How it stands, and by when it is answered. What the person says is told to them and to the stewards of the responsible authority.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [ReadInformationRequest::SCOPE])),
    params(("informationRequestId" = InformationRequestId, Path, description = "The request.")),
    responses((status = 200, description = "The request.", body = InformationRequest, headers(
        ("ETag" = String, description = "The version of the request, for `If-Match`."),
    ))),
)]
#[get("/information-requests/{informationRequestId}")]
async fn open_information_request(
    access: Access<ReadInformationRequest>,
    id: Path<InformationRequestId>,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let look = access.look(&db).await?;
    for_oneself(look.requester.is_some())?;
    let found = store::open(&look, *id).await?;
    let child = found.child;
    let answer = told(found, look.caller.role);
    let version = answer.version;
    let trail = Trail::of(child).with(json!({ "informationRequest": *id }));
    Ok(look.record(trail, answer).await?.version(version))
}

/// Writes down how a request stands, and answers.
async fn saved(mut work: Work, mut found: Found) -> Reply<InformationRequest> {
    store::save(&mut work, &mut found).await?;
    let child = found.child;
    let answer = told(found, work.caller.role);
    let (trail, version) = (trail(child, &answer), answer.version);
    Ok(work.record(trail, answer).await?.version(version))
}

/// Say that it is proven who asks
///
/// And of a carer, parental responsibility. Where the person had to be asked for it (`askedOn`), the month counts from the day on
/// which it was proven. Whoever asks by an account has proven it to whoever enrolled them.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [WorkInformationRequest::SCOPE])),
    params(("informationRequestId" = InformationRequestId, Path, description = "The request.")),
    request_body = IdentityCheckIn,
    responses(
        (status = 200, description = "The request as it now stands.", body = InformationRequest, headers(
            ("ETag" = String, description = "The version of the request, for `If-Match`."),
        )),
        (status = 409, description = "`information-request-status`."),
    ),
)]
#[put("/information-requests/{informationRequestId}/identity-check")]
async fn check_identity(
    access: Access<WorkInformationRequest>,
    id: Path<InformationRequestId>,
    base: IfMatch,
    body: Json<IdentityCheckIn>,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let mut work = access.begin(&db).await?;
    let mut found = store::lock(&mut work, *id).await?;
    base.check(found.request.version)?;
    found.prove(body.value, work.today())?;
    store::prove(&mut work, *id, body.value).await?;
    saved(work, found).await
}

/// Ask the source of what is disputed
///
/// The fact is told as `disputed` to everybody who opens the record, until the request ends, and the people of the organisation that
/// said it are told to look at it.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [WorkInformationRequest::SCOPE])),
    params(("informationRequestId" = InformationRequestId, Path, description = "The request.")),
    responses(
        (status = 200, description = "The request as it now stands.", body = InformationRequest, headers(
            ("ETag" = String, description = "The version of the request, for `If-Match`."),
        )),
        (status = 409, description = "`information-request-status`."),
    ),
)]
#[put("/information-requests/{informationRequestId}/forwarding")]
async fn forward_information_request(
    access: Access<WorkInformationRequest>,
    id: Path<InformationRequestId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let mut work = access.begin(&db).await?;
    let mut found = store::lock(&mut work, *id).await?;
    base.check(found.request.version)?;
    let fact = found.forward()?;
    let source = store::source(&mut work, found.child, fact, found.request.fact_id).await?;
    let source = source.ok_or(Kind::InformationRequestStatus)?;
    let role = if source == found.authority { Role::Steward } else { Role::Practitioner };
    let about = format!("/v1/children/{}", found.request.index_number);
    let due = found.request.due_on;
    tell(&mut work, NoticeKind::FactDisputed, source, role, about, Some(due)).await?;
    saved(work, found).await
}

/// Take two months longer
///
/// Once, because the request is complex or there are several, and only before its first month ends; whoever asks is told in the request.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [WorkInformationRequest::SCOPE])),
    params(("informationRequestId" = InformationRequestId, Path, description = "The request.")),
    request_body = ExtensionIn,
    responses(
        (status = 200, description = "The request as it now stands.", body = InformationRequest, headers(
            ("ETag" = String, description = "The version of the request, for `If-Match`."),
        )),
        (status = 409, description = "`information-request-status`."),
    ),
)]
#[put("/information-requests/{informationRequestId}/extension")]
async fn extend_information_request(
    access: Access<WorkInformationRequest>,
    id: Path<InformationRequestId>,
    base: IfMatch,
    body: Json<ExtensionIn>,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let mut work = access.begin(&db).await?;
    let mut found = store::lock(&mut work, *id).await?;
    base.check(found.request.version)?;
    found.extend(body.value.ground, work.today())?;
    saved(work, found).await
}

/// End an information request
///
/// What is wrong is corrected on the record itself, before: `recordVersion` says in which version the correction stands. Where it is
/// refused, in whole or in part, what the person says is kept; otherwise it is deleted.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [WorkInformationRequest::SCOPE])),
    params(("informationRequestId" = InformationRequestId, Path, description = "The request.")),
    request_body = InformationOutcomeIn,
    responses(
        (status = 200, description = "The request as it now stands.", body = InformationRequest, headers(
            ("ETag" = String, description = "The version of the request, for `If-Match`."),
        )),
        (status = 409, description = "`information-request-status`."),
    ),
)]
#[put("/information-requests/{informationRequestId}/outcome")]
async fn close_information_request(
    access: Access<WorkInformationRequest>,
    id: Path<InformationRequestId>,
    base: IfMatch,
    body: Json<InformationOutcomeIn>,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let mut work = access.begin(&db).await?;
    let mut found = store::lock(&mut work, *id).await?;
    base.check(found.request.version)?;
    found.close(body.value, work.now)?;
    saved(work, found).await
}

/// Take your request back
///
/// By whoever asked, as long as it is not answered.
#[utoipa::path(
    tag = "information requests",
    security(("bearer" = [AskInformation::SCOPE])),
    params(("informationRequestId" = InformationRequestId, Path, description = "The request.")),
    responses(
        (status = 200, description = "The request as it now stands.", body = InformationRequest, headers(
            ("ETag" = String, description = "The version of the request, for `If-Match`."),
        )),
        (status = 409, description = "`information-request-status`."),
    ),
)]
#[put("/information-requests/{informationRequestId}/withdrawal")]
async fn withdraw_information_request(
    access: Access<AskInformation>,
    id: Path<InformationRequestId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<InformationRequest> {
    let mut work = access.begin(&db).await?;
    let mut found = store::lock(&mut work, *id).await?;
    base.check(found.request.version)?;
    found.withdraw(work.now)?;
    saved(work, found).await
}
