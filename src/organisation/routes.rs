//! Organisations over HTTP.

use actix_web::{
    get, patch, post,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Organisation, OrganisationChange, OrganisationIn, OrganisationQuery, Organisations, store,
};
use crate::{
    access::{Access, Permission, ReadOrganisation, WriteOrganisation},
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
/// By the national operator.
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
/// By the national operator. Whoever acts for an organisation that is suspended or closed is refused from this moment.
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
