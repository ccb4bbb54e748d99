//! The audit over HTTP.

use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{AuditEvents, AuditQuery, Trail, store};
use crate::{
    access::{Access, Permission, ReadAudit},
    cursor,
    http::Query,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_audit_events);
}

/// Read how the index has been used
///
/// By an auditor: the events of the own organisation; by an auditor of a national partner, all. Reading is written down too.
#[utoipa::path(
    tag = "audit",
    security(("bearer" = [ReadAudit::SCOPE])),
    params(AuditQuery),
    responses((status = 200, description = "A page of events.", body = AuditEvents)),
)]
#[get("/audit/events")]
async fn list_audit_events(
    access: Access<ReadAudit>,
    Query(query): Query<AuditQuery>,
    db: Data<Db>,
) -> Reply<AuditEvents> {
    let before: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let own = (!store::national(&look).await?).then_some(look.caller.organisation);
    let found = store::list(&look, own, &query, before, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.at, last.id.0));
    look.record(Trail::default(), AuditEvents { items, next }).await
}
