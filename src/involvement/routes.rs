//! Involvements and flags over HTTP.

use actix_web::{
    delete, get, patch, post, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Flag, FlagIn, Flags, Involvement, InvolvementChange, InvolvementIn, Involvements, discreet,
    in_order, may_write, store,
};
use crate::{
    access::{Access, Permission, ReadChild, ReadInvolvement, WriteFlag, WriteInvolvement},
    audit::Trail,
    child, guard,
    http::{IdempotencyKey, IfMatch, Json},
    ids::{IndexNumber, InvolvementId},
    organisation,
    problem::{Kind, Problem},
    sensitive,
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_involvements);
    api.service(add_involvement);
    api.service(open_involvement);
    api.service(change_involvement);
    api.service(list_flags);
    api.service(set_flag);
    api.service(clear_flag);
}

/// List who is working with a child
///
/// Current involvements, and those that ended within a year, each with the contact to reach them and the flags they have set.
#[utoipa::path(
    tag = "involvements",
    security(("bearer" = [ReadChild::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The involvements.", body = Involvements)),
)]
#[get("/children/{indexNumber}/involvements")]
async fn list_involvements(
    access: Access<ReadChild>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Involvements> {
    let look = access.look(&db).await?;
    let (child, _) = child::store::find(&look, &number).await?;
    let mut items = store::list(&look, child).await?;
    items.extend(sensitive::store::list(&look, child, &number).await?);
    in_order(&mut items);
    look.record(Trail::of(child), Involvements { items }).await
}

/// Say that an organisation works with a child
///
/// For your own organisation; a steward also for organisations in the own authority, unless the child is shielded. A sensitive
/// service is said for the own organisation alone, with the receipt of a consent or because of significant harm, and needs a
/// sign-in within the last 5 minutes; nobody else is told of it.
#[utoipa::path(
    tag = "involvements",
    security(("bearer" = [WriteInvolvement::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = InvolvementIn,
    responses(
        (status = 201, description = "The new involvement.", body = Involvement, headers(
            ("ETag" = String, description = "The version of the involvement, for `If-Match`."),
            ("Location" = String, description = "Where the involvement is."),
        )),
        (status = 409, description = "`involvement-exists`, `shielded` or `request-in-progress`."),
    ),
)]
#[post("/children/{indexNumber}/involvements")]
async fn add_involvement(
    access: Access<WriteInvolvement>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<InvolvementIn>,
    db: Data<Db>,
) -> Reply<Involvement> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let new = body.value;
    let (child, core) = child::store::lock(&mut work, &number).await?;
    if new.is_sensitive() {
        return Box::pin(discreet::add(work, (child, core), new)).await;
    }
    let organisation = new.organisation_id.unwrap_or(work.caller.organisation);
    let authority = organisation::store::authority_of(&mut work, organisation).await?;
    let authority = authority
        .ok_or_else(|| Problem::invalid("/organisationId", "is no organisation of the index"))?;
    may_write(&work.caller, organisation, authority)?;
    new.check(core.birth.earliest(), work.today())?;
    if core.hidden && organisation != work.caller.organisation {
        return Err(Kind::Shielded.into());
    }

    let (id, written) = store::insert(&mut work, child, organisation, &new).await?;
    if new.ended_on.is_none() {
        child::store::has_service(&mut work, child, new.service_type).await?;
    }
    let trail = guard::store::guard(&mut work, written).await?.with(json!({ "involvement": id }));
    let involvement = store::reread(&mut work, id).await?.involvement;
    let (location, version) = (format!("/v1/involvements/{id}"), involvement.version);
    work.record_created(trail, involvement, location, version).await
}

/// Open an involvement
///
/// Who works with the child, and how to reach them. A feed sees those of its own organisation only.
#[utoipa::path(
    tag = "involvements",
    security(("bearer" = [ReadInvolvement::SCOPE])),
    params(("involvementId" = InvolvementId, Path, description = "The involvement.")),
    responses((status = 200, description = "The involvement.", body = Involvement, headers(
        ("ETag" = String, description = "The version of the involvement, for `If-Match`."),
    ))),
)]
#[get("/involvements/{involvementId}")]
async fn open_involvement(
    access: Access<ReadInvolvement>,
    id: Path<InvolvementId>,
    db: Data<Db>,
) -> Reply<Involvement> {
    let look = access.look(&db).await?;
    let found = match store::open(&look, *id).await {
        Err(problem) if problem.kind() == Kind::NotFound => return discreet::open(look, *id).await,
        found => found?,
    };
    let version = found.involvement.version;
    let trail = Trail::of(found.child).with(json!({ "involvement": *id }));
    Ok(look.record(trail, found.involvement).await?.version(version))
}

/// Change, confirm or end an involvement
///
/// By its own organisation; a steward also for organisations in the own authority. When it ends, its flags end with it.
#[utoipa::path(
    tag = "involvements",
    security(("bearer" = [WriteInvolvement::SCOPE])),
    params(("involvementId" = InvolvementId, Path, description = "The involvement.")),
    request_body = InvolvementChange,
    responses(
        (status = 200, description = "The involvement as it now stands.", body = Involvement, headers(
            ("ETag" = String, description = "The version of the involvement, for `If-Match`."),
        )),
        (status = 409, description = "`involvement-ended` or `involvement-exists`."),
    ),
)]
#[patch("/involvements/{involvementId}")]
async fn change_involvement(
    access: Access<WriteInvolvement>,
    id: Path<InvolvementId>,
    base: IfMatch,
    body: Json<InvolvementChange>,
    db: Data<Db>,
) -> Reply<Involvement> {
    let mut work = access.begin(&db).await?;
    let mut found = match store::lock(&mut work, *id).await {
        Err(problem) if problem.kind() == Kind::NotFound => {
            return discreet::change(work, *id, base, body.value).await;
        }
        found => found?,
    };
    found.involvement.may_be_changed_by(&work.caller, found.authority)?;
    base.check(found.involvement.version)?;
    found.involvement.change(body.value, work.today())?;
    let written = store::save(&mut work, &found).await?;
    let trail = guard::store::guard(&mut work, written).await?;
    let involvement = store::reread(&mut work, *id).await?.involvement;
    let version = involvement.version;
    let trail = trail.with(json!({ "involvement": *id, "version": version }));
    Ok(work.record(trail, involvement).await?.version(version))
}

/// List a child's flags
///
/// What those who work with the child indicate to one another, and on which involvement.
#[utoipa::path(
    tag = "flags",
    security(("bearer" = [ReadChild::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The flags that hold.", body = Flags)),
)]
#[get("/children/{indexNumber}/flags")]
async fn list_flags(
    access: Access<ReadChild>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Flags> {
    let look = access.look(&db).await?;
    let (child, _) = child::store::find(&look, &number).await?;
    let items = store::flags(&look, child).await?;
    look.record(Trail::of(child), Flags { items }).await
}

/// Set a flag, or renew it
///
/// By the involvement's own organisation alone. It expires after 6 months unless renewed or said otherwise, 24 months at
/// most. A child has one lead professional; under a shield none is set, since whether there is one already is hidden.
#[utoipa::path(
    tag = "flags",
    security(("bearer" = [WriteFlag::SCOPE])),
    params(
        ("involvementId" = InvolvementId, Path, description = "The involvement that the flag stands on."),
        ("flag" = Flag, Path, description = "Which flag.", example = "takingAction"),
    ),
    request_body = FlagIn,
    responses(
        (status = 200, description = "The involvement as it now stands.", body = Involvement, headers(
            ("ETag" = String, description = "The version of the involvement, for `If-Match`."),
        )),
        (status = 409, description = "`involvement-ended`, `lead-professional-exists`, `sensitive-service` or `shielded`."),
    ),
)]
#[put("/involvements/{involvementId}/flags/{flag}")]
async fn set_flag(
    access: Access<WriteFlag>,
    path: Path<(InvolvementId, Flag)>,
    base: IfMatch,
    body: Json<FlagIn>,
    db: Data<Db>,
) -> Reply<Involvement> {
    let (id, flag) = path.into_inner();
    let mut work = access.begin(&db).await?;
    let mut found = flaggable(&mut work, id).await?;
    found.involvement.may_be_flagged_by(&work.caller)?;
    base.check(found.involvement.version)?;
    let new = body.value.set(flag, work.today())?;
    found.involvement.flag(new.clone())?;
    if found.hidden && flag == Flag::LeadProfessional {
        return Err(Kind::Shielded.into());
    }
    store::set_flag(&mut work, &found, &new).await?;
    let involvement = store::reread(&mut work, id).await?.involvement;
    let version = involvement.version;
    let trail = Trail::of(found.child)
        .with(json!({ "involvement": id, "flag": flag, "expiresOn": new.expires_on }));
    Ok(work.record(trail, involvement).await?.version(version))
}

/// Clear a flag
///
/// By the involvement's own organisation alone. Clearing a flag that is not set changes nothing.
#[utoipa::path(
    tag = "flags",
    security(("bearer" = [WriteFlag::SCOPE])),
    params(
        ("involvementId" = InvolvementId, Path, description = "The involvement that the flag stands on."),
        ("flag" = Flag, Path, description = "Which flag.", example = "takingAction"),
    ),
    responses(
        (status = 200, description = "The involvement as it now stands.", body = Involvement, headers(
            ("ETag" = String, description = "The version of the involvement, for `If-Match`."),
        )),
        (status = 409, description = "`sensitive-service`."),
    ),
)]
#[delete("/involvements/{involvementId}/flags/{flag}")]
async fn clear_flag(
    access: Access<WriteFlag>,
    path: Path<(InvolvementId, Flag)>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Involvement> {
    let (id, flag) = path.into_inner();
    let mut work = access.begin(&db).await?;
    let found = flaggable(&mut work, id).await?;
    found.involvement.may_be_flagged_by(&work.caller)?;
    base.check(found.involvement.version)?;
    if found.involvement.flags.iter().any(|set| set.flag == flag) {
        store::clear_flag(&mut work, id, flag).await?;
    }
    let involvement = store::reread(&mut work, id).await?.involvement;
    let version = involvement.version;
    let trail = Trail::of(found.child).with(json!({ "involvement": id, "flag": flag }));
    Ok(work.record(trail, involvement).await?.version(version))
}

/// An involvement, held, that may have flags.
async fn flaggable(work: &mut Work, id: InvolvementId) -> Result<store::Found, Problem> {
    match store::lock(work, id).await {
        Err(problem) if problem.kind() == Kind::NotFound => Err(discreet::no_flags(work, id).await),
        found => found,
    }
}
