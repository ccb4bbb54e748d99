//! Alerts over HTTP.

use actix_web::{
    get, post,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Alert, AlertQuery, Alerts, store};
use crate::{
    access::{Access, Permission, ReadAlert, WorkInvestigation},
    audit::Trail,
    cursor,
    http::{IdempotencyKey, Query},
    ids::AlertId,
    investigation::{self, Investigation},
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_alerts);
    api.service(open_alert);
    api.service(investigate_alert);
}

/// Find alerts
///
/// The oldest first: those that your organisation looks after; an auditor of a national partner sees all. An alert names no child and
/// nobody: an investigation opens what it is about. What is about your own use is not told to you.
#[utoipa::path(
    tag = "alerts",
    security(("bearer" = [ReadAlert::SCOPE])),
    params(AlertQuery),
    responses((status = 200, description = "A page of alerts.", body = Alerts)),
)]
#[get("/alerts")]
async fn list_alerts(
    access: Access<ReadAlert>,
    Query(query): Query<AlertQuery>,
    db: Data<Db>,
) -> Reply<Alerts> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.raised_at, last.id));
    look.record(Trail::default(), Alerts { items, next }).await
}

/// Open an alert
///
/// What was found, when and how often; never about whom.
#[utoipa::path(
    tag = "alerts",
    security(("bearer" = [ReadAlert::SCOPE])),
    params(("alertId" = AlertId, Path, description = "The alert.")),
    responses((status = 200, description = "The alert.", body = Alert, headers(
        ("ETag" = String, description = "The version of the alert."),
    ))),
)]
#[get("/alerts/{alertId}")]
async fn open_alert(access: Access<ReadAlert>, id: Path<AlertId>, db: Data<Db>) -> Reply<Alert> {
    let look = access.look(&db).await?;
    let alert = store::open(&look, *id).await?;
    let version = alert.version;
    let trail = Trail::default().with(json!({ "alert": *id }));
    Ok(look.record(trail, alert).await?.version(version))
}

/// Begin the investigation of an alert
///
/// Once. It says whose use of the index is looked into, and opens the evidence; you look into it until somebody else does.
#[utoipa::path(
    tag = "alerts",
    security(("bearer" = [WorkInvestigation::SCOPE])),
    params(("alertId" = AlertId, Path, description = "The alert.")),
    responses((status = 201, description = "The investigation.", body = Investigation, headers(
        ("ETag" = String, description = "The version of the investigation, for `If-Match`."),
        ("Location" = String, description = "Where the investigation is."),
    ))),
)]
#[post("/alerts/{alertId}/investigation")]
async fn investigate_alert(
    access: Access<WorkInvestigation>,
    id: Path<AlertId>,
    key: IdempotencyKey,
    db: Data<Db>,
) -> Reply<Investigation> {
    let mut work = match access.begin_once(&db, key, [0; 32], &id.to_string()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let alert = store::lock(&mut work, *id).await?;
    alert.is_open()?;
    let vault = work.vault();
    let finding = store::finding(work.db(), &vault, *id).await?;
    let investigation = investigation::store::of_alert(&mut work, &alert, &finding).await?;
    let (child, told) = investigation::store::reread(&mut work, investigation).await?;
    let trail = Trail::about(child.into_iter().collect());
    let trail = trail.with(json!({ "alert": *id, "investigation": investigation }));
    let (location, version) = (format!("/v1/investigations/{investigation}"), told.version);
    work.record_created(trail, told, location, version).await
}
