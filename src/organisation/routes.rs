//! Organisations over HTTP.

use actix_web::{
    delete, get, patch, post, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Organisation, OrganisationChange, OrganisationIn, OrganisationQuery, Organisations, store,
};
use crate::{
    access::{
        Access, LiftSuspension, Permission, ReadOrganisation, SuspendOrganisation,
        WriteOrganisation,
    },
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::OrganisationId,
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_organisations);
    api.service(add_organisation);
    api.service(open_organisation);
    api.service(change_organisation);
    api.service(suspend_organisation);
    api.service(lift_suspension);
}

/// Find organisations
///
/// By the beginning of their name, their kind, and the local authority in whose area they work; in order of name.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [ReadOrganisation::SCOPE])),
    params(OrganisationQuery),
    responses((status = 200, description = "A page of organisations.", body = Organisations)),
)]
#[get("/organisations")]
async fn list_organisations(
    access: Access<ReadOrganisation>,
    Query(query): Query<OrganisationQuery>,
    db: Data<Db>,
) -> Reply<Organisations> {
    let after = query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.name.to_lowercase(), last.id));
    look.record(Trail::default(), Organisations { items, next }).await
}

/// Add an organisation
///
/// By the national operator. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [WriteOrganisation::SCOPE])),
    request_body = OrganisationIn,
    responses(
        (status = 201, description = "The new organisation.", body = Organisation, headers(
            ("ETag" = String, description = "The version of the organisation, for `If-Match`."),
            ("Location" = String, description = "Where the organisation is."),
        )),
        (status = 409, description = "`code-held` or `request-in-progress`."),
    ),
)]
#[post("/organisations")]
async fn add_organisation(
    access: Access<WriteOrganisation>,
    key: IdempotencyKey,
    body: Json<OrganisationIn>,
    db: Data<Db>,
) -> Reply<Organisation> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    body.value.check()?;
    let id = store::insert(&mut work, &body.value).await?;
    let organisation = store::reread(&mut work, id).await?;
    let (location, version) = (format!("/v1/organisations/{id}"), organisation.version);
    work.record_created(
        Trail::default().with(json!({ "organisation": id })),
        organisation,
        location,
        version,
    )
    .await
}

/// Open an organisation
///
/// What kind of body it is, where it works, and how it is reached in office hours and at any hour.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [ReadOrganisation::SCOPE])),
    params(("organisationId" = OrganisationId, Path, description = "The organisation.")),
    responses((status = 200, description = "The organisation.", body = Organisation, headers(
        ("ETag" = String, description = "The version of the organisation, for `If-Match`."),
    ))),
)]
#[get("/organisations/{organisationId}")]
async fn open_organisation(
    access: Access<ReadOrganisation>,
    id: Path<OrganisationId>,
    db: Data<Db>,
) -> Reply<Organisation> {
    let look = access.look(&db).await?;
    let organisation = store::open(&look, *id).await?;
    let version = organisation.version;
    let answer =
        look.record(Trail::default().with(json!({ "organisation": *id })), organisation).await?;
    Ok(answer.version(version))
}

/// Change or close an organisation
///
/// By the national operator. Whoever acts for an organisation that is suspended or closed, or whose accreditation has not
/// begun or has ended, is refused from this moment. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [WriteOrganisation::SCOPE])),
    params(("organisationId" = OrganisationId, Path, description = "The organisation.")),
    request_body = OrganisationChange,
    responses((status = 200, description = "The organisation as it now stands.", body = Organisation, headers(
        ("ETag" = String, description = "The version of the organisation, for `If-Match`."),
    ))),
)]
#[patch("/organisations/{organisationId}")]
async fn change_organisation(
    access: Access<WriteOrganisation>,
    id: Path<OrganisationId>,
    base: IfMatch,
    body: Json<OrganisationChange>,
    db: Data<Db>,
) -> Reply<Organisation> {
    let mut work = access.begin(&db).await?;
    let organisation = store::lock(&mut work, *id).await?;
    base.check(organisation.version)?;
    let change = body.value.completed(&organisation, work.today())?;
    store::save(&mut work, *id, &change).await?;
    let organisation = store::reread(&mut work, *id).await?;
    let version = organisation.version;
    let answer = work
        .record(
            Trail::default().with(json!({ "organisation": *id, "version": version })),
            organisation,
        )
        .await?;
    Ok(answer.version(version))
}

/// Suspend an organisation
///
/// By its own account administrator, or the national operator: from the moment of this answer whoever acts for it, the
/// administrator too, is refused on every instance and whatever token they hold. A stop is never late: it needs neither a
/// version nor a fresh sign-in, and suspending what is suspended or closed changes nothing.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [SuspendOrganisation::SCOPE])),
    params(("organisationId" = OrganisationId, Path, description = "The organisation.")),
    responses((status = 200, description = "The organisation, which is stopped.", body = Organisation)),
)]
#[put("/organisations/{organisationId}/suspension")]
async fn suspend_organisation(
    access: Access<SuspendOrganisation>,
    id: Path<OrganisationId>,
    db: Data<Db>,
) -> Reply<Organisation> {
    let mut work = access.begin(&db).await?;
    let organisation = store::lock(&mut work, *id).await?;
    organisation.may_be_suspended_by(&work.caller)?;
    let status = organisation.status.stopped();
    let trail = Trail::default().with(json!({ "organisation": *id, "status": status }));
    work.record_then(trail, async |work| store::stand(work, *id, status).await).await
}

/// Lift an organisation's suspension
///
/// By the national operator alone, since nobody of the organisation can sign in. Sessions that have not ended meanwhile are
/// good again. Lifting where there is no suspension changes nothing. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [LiftSuspension::SCOPE])),
    params(("organisationId" = OrganisationId, Path, description = "The organisation.")),
    responses((status = 200, description = "The organisation as it now stands.", body = Organisation, headers(
        ("ETag" = String, description = "The version of the organisation, for `If-Match`."),
    ))),
)]
#[delete("/organisations/{organisationId}/suspension")]
async fn lift_suspension(
    access: Access<LiftSuspension>,
    id: Path<OrganisationId>,
    db: Data<Db>,
) -> Reply<Organisation> {
    let mut work = access.begin(&db).await?;
    let status = store::lock(&mut work, *id).await?.status.lifted();
    let organisation = store::stand(&mut work, *id, status).await?;
    let version = organisation.version;
    let trail = json!({ "organisation": *id, "status": status });
    Ok(work.record(Trail::default().with(trail), organisation).await?.version(version))
}
