//! Investigations over HTTP.

use actix_web::{
    get, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Investigation, InvestigationQuery, Investigations, OutcomeIn, store};
use crate::{
    access::{Access, DecideInvestigation, Permission, ReadInvestigation},
    audit::Trail,
    cursor,
    http::{IfMatch, Json, Query},
    ids::InvestigationId,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_investigations);
    api.service(open_investigation);
    api.service(decide_investigation);
}

/// Find investigations
///
/// The oldest first: those of the own authority; an auditor of a national partner sees all. Every look past a shield is
/// looked into by the authority that answered for the record.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [ReadInvestigation::SCOPE])),
    params(InvestigationQuery),
    responses((status = 200, description = "A page of investigations.", body = Investigations)),
)]
#[get("/investigations")]
async fn list_investigations(
    access: Access<ReadInvestigation>,
    Query(query): Query<InvestigationQuery>,
    db: Data<Db>,
) -> Reply<Investigations> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |(_, opened, told)| (*opened, told.id));
    let (children, items) = found.into_iter().map(|(child, _, told)| (child, told)).unzip();
    look.record(Trail::about(children), Investigations { items, next }).await
}

/// Open an investigation
///
/// Who looked past the shield of whom, with which reference, and what came of it.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [ReadInvestigation::SCOPE])),
    params(("investigationId" = InvestigationId, Path, description = "The investigation.")),
    responses((status = 200, description = "The investigation.", body = Investigation, headers(
        ("ETag" = String, description = "The version of the investigation, for `If-Match`."),
    ))),
)]
#[get("/investigations/{investigationId}")]
async fn open_investigation(
    access: Access<ReadInvestigation>,
    id: Path<InvestigationId>,
    db: Data<Db>,
) -> Reply<Investigation> {
    let look = access.look(&db).await?;
    let (child, investigation) = store::open(&look, *id).await?;
    let version = investigation.version;
    let trail = Trail::of(child).with(json!({ "investigation": *id }));
    Ok(look.record(trail, investigation).await?.version(version))
}

/// Say what came out of an investigation
///
/// Once, by an auditor, who is not the one into whose use it looks.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [DecideInvestigation::SCOPE])),
    params(("investigationId" = InvestigationId, Path, description = "The investigation.")),
    request_body = OutcomeIn,
    responses((status = 200, description = "The investigation as it now stands.", body = Investigation, headers(
        ("ETag" = String, description = "The version of the investigation, for `If-Match`."),
    ))),
)]
#[put("/investigations/{investigationId}/outcome")]
async fn decide_investigation(
    access: Access<DecideInvestigation>,
    id: Path<InvestigationId>,
    base: IfMatch,
    body: Json<OutcomeIn>,
    db: Data<Db>,
) -> Reply<Investigation> {
    let mut work = access.begin(&db).await?;
    let (child, investigation) = store::lock(&mut work, *id).await?;
    investigation.may_be_decided_by(work.caller.account())?;
    base.check(investigation.version)?;
    investigation.is_open()?;
    store::decide(&mut work, *id, body.value.outcome).await?;
    let (_, investigation) = store::reread(&mut work, *id).await?;
    let version = investigation.version;
    let trail = json!({ "investigation": *id, "outcome": body.value.outcome });
    Ok(work.record(Trail::of(child).with(trail), investigation).await?.version(version))
}
