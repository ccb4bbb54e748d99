//! The audit over HTTP.

use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

use super::{Outcome, Trail, store};
use crate::{
    access::{Access, Permission, ReadAudit},
    cursor,
    http::Query,
    ids::{AccountId, ClientId, EventId, IndexNumber, OrganisationId},
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_audit_events);
}

/// Which events are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Of this account alone.
    #[param(nullable = false)]
    pub account: Option<AccountId>,
    /// Of this operation alone, by its `operationId`.
    #[validate(length(min = 1, max = 40))]
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 40,
        pattern = "^[a-z_]+$",
        example = "open_child"
    )]
    pub operation: Option<String>,
    /// From this moment on.
    #[param(nullable = false, example = "2026-11-01T00:00:00Z")]
    pub since: Option<DateTime<Utc>>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400)]
    pub after: Option<String>,
}

/// One line of the audit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Its number; of a search also its `searchId`.
    pub id: EventId,
    /// When the request began.
    pub at: DateTime<Utc>,
    /// What was asked: an `operationId` of this document.
    #[schema(example = "open_child")]
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The status answered.
    #[schema(example = 200)]
    pub status: u16,
    /// The type of problem, where it was not done.
    pub problem: Option<String>,
    /// The person who called.
    pub account_id: Option<AccountId>,
    /// The system that called.
    pub client_id: Option<ClientId>,
    /// Whom they acted for.
    pub organisation_id: Option<OrganisationId>,
    /// What they are to the index.
    #[schema(example = "practitioner")]
    pub role: Option<String>,
    /// Why.
    #[schema(example = "direct-service")]
    pub reason: Option<String>,
    /// Their own reference.
    pub reference: Option<String>,
    /// The children concerned; of a search, those found.
    pub children: Vec<IndexNumber>,
    /// Criteria, ids and values, as the operation has them.
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
    /// The request's number, which its answer carried in `X-Request-Id`.
    pub request_id: Uuid,
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvents {
    /// The events, the latest first.
    pub items: Vec<AuditEvent>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
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
    let limit = usize::from(query.limit.unwrap_or(20));
    let look = access.look(&db);
    let own = (!store::national(&look).await?).then_some(look.caller.organisation);
    let mut items =
        store::list(&look, own, &query, before, i64::from(query.limit.unwrap_or(20)) + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor::write(&(last.at, last.id.0)));
    look.record(Trail::default(), AuditEvents { items, next }).await
}
