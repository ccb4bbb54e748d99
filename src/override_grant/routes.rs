//! Looking past a shield over HTTP.

use actix_web::{
    post,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{OverrideGrant, OverrideGrantIn, signed_in_since, store};
use crate::{
    access::{Access, OverrideShield, Permission, Role},
    audit::Trail,
    http::{IdempotencyKey, Json},
    ids::IndexNumber,
    investigation::{self, Opening},
    notice::{self, NoticeKind, Telling},
    problem::Kind,
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(override_shield);
}

/// Look past the shield of a child
///
/// For 15 minutes `GET /v1/children/{indexNumber}` tells you, in this session alone, everything about this child. State your
/// reference in `Access-Reference`. The authority that answers for the record is told at once, and it is looked into. Needs a
/// sign-in within the last 5 minutes, and a new one for each grant.
#[utoipa::path(
    tag = "shields",
    security(("bearer" = [OverrideShield::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = OverrideGrantIn,
    responses((status = 201, description = "The grant.", body = OverrideGrant, headers(
        ("ETag" = String, description = "The version of the grant, which does not change."),
        ("Location" = String, description = "Where the record is."),
    ))),
)]
#[post("/children/{indexNumber}/override-grants")]
async fn override_shield(
    access: Access<OverrideShield>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<OverrideGrantIn>,
    db: Data<Db>,
) -> Reply<OverrideGrant> {
    let reference = access.errand.reference.clone().ok_or(Kind::ReferenceRequired)?;
    body.value.check()?;
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let shielded = store::find(&mut work, &number).await?;
    shielded.check()?;
    signed_in_since(work.caller.authenticated_at, store::last(&mut work).await?)?;
    let grant = store::insert(&mut work, shielded.child, &reference).await?;
    let opening = Opening {
        child: shielded.child,
        grant: grant.id,
        authority: shielded.authority,
        reference,
        ground: body.value.ground,
    };
    let investigation = investigation::store::begin(&mut work, &opening).await?;
    for role in [Role::ShieldApprover, Role::Auditor] {
        let telling = Telling {
            kind: NoticeKind::ShieldOverridden,
            organisation: Some(shielded.authority),
            role,
            about: format!("/v1/investigations/{investigation}"),
            due_on: None,
        };
        let now = work.now;
        notice::store::tell(work.db(), now, &telling).await?;
    }
    let trail = json!({ "grant": grant.id, "investigation": investigation });
    let location = format!("/v1/children/{}", *number);
    work.record_created(Trail::of(shielded.child).with(trail), grant, location, 1).await
}
