//! Identities that end, over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{IdentityEnd, IdentityEndIn, IdentityEndStatus, store};
use crate::{
    access::{Access, EndIdentity, Permission, Role},
    audit::Trail,
    guard,
    http::{IdempotencyKey, IfMatch, Json},
    ids::{IdentityEndId, IndexNumber},
    notice::{self, NoticeKind, Telling},
    problem::Kind,
    shield,
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(propose_identity_end);
    api.service(open_identity_end);
    api.service(approve_identity_end);
}

/// Propose that an identity ends
///
/// Because the child was adopted or is protected as a witness. By a shield approver of the authority that answers for the
/// record; a second one approves it within 7 days. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "identities",
    security(("bearer" = [EndIdentity::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = IdentityEndIn,
    responses((status = 201, description = "The proposal.", body = IdentityEnd, headers(
        ("ETag" = String, description = "The version of the proposal, for `If-Match`."),
        ("Location" = String, description = "Where the proposal is."),
    ))),
)]
#[post("/children/{indexNumber}/identity-ends")]
async fn propose_identity_end(
    access: Access<EndIdentity>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<IdentityEndIn>,
    db: Data<Db>,
) -> Reply<IdentityEnd> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let standing = shield::store::hold(&mut work, &number).await?;
    standing.kept_by(work.caller.viewer())?;
    let id = store::propose(&mut work, standing.child, body.value.ground).await?;
    let telling = Telling {
        kind: NoticeKind::IdentityEndProposed,
        organisation: Some(standing.authority),
        role: Role::ShieldApprover,
        about: format!("/v1/identity-ends/{id}"),
        due_on: None,
    };
    let now = work.now;
    notice::store::tell(work.db(), now, &telling).await?;
    let end = store::reread(&mut work, id).await?.end;
    let (location, version) = (telling.about, end.version);
    let trail = Trail::of(standing.child).with(json!({ "identityEnd": id }));
    work.record_created(trail, end, location, version).await
}

/// Open a proposal that an identity ends
///
/// By a shield approver of the authority that answers for the record, while it waits.
#[utoipa::path(
    tag = "identities",
    security(("bearer" = [EndIdentity::SCOPE])),
    params(("identityEndId" = IdentityEndId, Path, description = "The proposal.")),
    responses((status = 200, description = "The proposal.", body = IdentityEnd, headers(
        ("ETag" = String, description = "The version of the proposal, for `If-Match`."),
    ))),
)]
#[get("/identity-ends/{identityEndId}")]
async fn open_identity_end(
    access: Access<EndIdentity>,
    id: Path<IdentityEndId>,
    db: Data<Db>,
) -> Reply<IdentityEnd> {
    let look = access.look(&db).await?;
    if !look.within_one_organisation() {
        return Err(Kind::NotFound.into());
    }
    let found = store::open(&look, *id).await?;
    let version = found.end.version;
    let trail = Trail::of(found.child).with(json!({ "identityEnd": *id }));
    Ok(look.record(trail, found.end).await?.version(version))
}

/// Approve that an identity ends
///
/// By another shield approver of the same authority than whoever proposed it. The record is shielded and from then on seen by
/// nobody, in no operation, for ever; it only keeps what is sent of the old identity from making a record anew. The child's new
/// record is added like any other, by itself: nothing here tells of the two together. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "identities",
    security(("bearer" = [EndIdentity::SCOPE])),
    params(("identityEndId" = IdentityEndId, Path, description = "The proposal.")),
    responses((status = 200, description = "The identity has ended.", body = IdentityEnd, headers(
        ("ETag" = String, description = "The version of what was approved."),
    ))),
)]
#[put("/identity-ends/{identityEndId}/approval")]
async fn approve_identity_end(
    access: Access<EndIdentity>,
    id: Path<IdentityEndId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<IdentityEnd> {
    let mut work = access.begin(&db).await?;
    let number = store::reread(&mut work, *id).await?.end.index_number;
    let standing = shield::store::hold(&mut work, &number).await?;
    let found = store::reread(&mut work, *id).await?;
    found.end.may_be_approved_by(work.caller.account())?;
    base.check(found.end.version)?;
    guard::store::raise(&mut work, standing.child).await?;
    store::approve(&mut work, standing.child, *id).await?;
    let version = found.end.version + 1;
    let end = IdentityEnd { status: IdentityEndStatus::Ended, version, ..found.end };
    let trail = Trail::of(standing.child).with(json!({ "identityEnd": *id, "status": end.status }));
    Ok(work.record(trail, end).await?.version(version))
}
