//! The audit over HTTP.

use actix_web::{get, post, web::Data};
use chrono::{DateTime, Utc};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    AuditEvent, AuditEvents, AuditQuery, AuditSearchIn, OwnEventQuery, OwnEvents, Trail, Wish,
    store,
};
use crate::{
    access::{Access, Permission, ReadAudit, ReadOwnUse},
    cursor,
    http::{Json, Query, Wanted},
    problem::{Kind, Problem},
    work::{Db, Look, Piece, Reply},
};

/// As many events as are told unless said, and as many as a piece of lines.
const PAGE: u8 = 20;
const PIECE: u8 = 200;

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_audit_events);
    api.service(search_audit_events);
    api.service(list_own_events);
}

type Place = (DateTime<Utc>, Uuid);

/// Read how the index has been used
///
/// By an auditor: the events of the own organisation; by an auditor of a national partner, all. Reading is written down too, with what
/// was asked for.
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
    let before: Option<Place> = query.after.as_deref().map(cursor::read).transpose()?;
    let wish = Wish::from(&query);
    let look = access.look_at_aged(&db).await?;
    let page = page(&look, &wish, before, query.limit.unwrap_or(PAGE)).await?;
    look.record(wish.trail(), page).await
}

/// Search how the index has been used
///
/// As reading it, and by the child: a number that stands in no address. With `Accept: application/x-ndjson` all that is found is told,
/// the latest first, one event a line. Every part is written down before it leaves; an answer that breaks off is not whole.
#[utoipa::path(
    tag = "audit",
    security(("bearer" = [ReadAudit::SCOPE])),
    request_body = AuditSearchIn,
    responses((status = 200, description = "A page of events, or all of them.", content(
        (AuditEvents = "application/json"), (AuditEvent = "application/x-ndjson"),
    ))),
)]
#[post("/audit/events/search")]
async fn search_audit_events(
    access: Access<ReadAudit>,
    body: Json<AuditSearchIn>,
    wanted: Wanted,
    db: Data<Db>,
) -> Reply<AuditEvents> {
    let after = body.value.after.as_deref().map(cursor::read).transpose();
    let before: Option<Place> =
        after.map_err(|_| Problem::invalid("/after", "must be the `next` of the page before"))?;
    let (wish, limit) = (Wish::from(&body.value), body.value.limit.unwrap_or(PAGE));
    let look = access.look_at_aged(&db).await?;
    if wanted == Wanted::Lines {
        let piece = async move |look: &Look, before: Option<Place>, _| {
            let found = page(look, &wish, before, PIECE).await?;
            let next: Option<Place> = found.next.as_deref().map(cursor::read).transpose()?;
            let trail = wish.trail();
            Ok(Piece { trail, bytes: lines(&found.items)?, next: next.map(Some) })
        };
        return look.record_pieces("application/x-ndjson", before, piece).await;
    }
    let page = page(&look, &wish, before, limit).await?;
    look.record(wish.trail(), page).await
}

async fn page(
    look: &Look,
    wish: &Wish,
    before: Option<Place>,
    limit: u8,
) -> Result<AuditEvents, Problem> {
    let own = (!store::national(look).await?).then_some(look.caller.organisation);
    let found = store::list(look, own, wish, before, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.at, last.id.0));
    Ok(AuditEvents { items, next })
}

fn lines(events: &[AuditEvent]) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    for event in events {
        serde_json::to_writer(&mut bytes, event).map_err(Problem::internal)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Read how you have used the index
///
/// What you asked of it, the latest first, by whichever system; never what others did.
#[utoipa::path(
    tag = "audit",
    security(("bearer" = [ReadOwnUse::SCOPE])),
    params(OwnEventQuery),
    responses((status = 200, description = "A page of what you asked.", body = OwnEvents)),
)]
#[get("/audit/own-events")]
async fn list_own_events(
    access: Access<ReadOwnUse>,
    Query(query): Query<OwnEventQuery>,
    db: Data<Db>,
) -> Reply<OwnEvents> {
    let before: Option<Place> = query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(PAGE);
    let look = access.look_at_aged(&db).await?;
    let account = look.caller.account().ok_or(Kind::Forbidden)?;
    let found = store::of_account(&look, account, &query, before, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.at, last.id.0));
    look.record(Trail::default(), OwnEvents { items, next }).await
}
