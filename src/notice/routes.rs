//! Notices over HTTP.

use actix_web::{
    get, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Notice, NoticeQuery, Notices, store};
use crate::{
    access::{Access, Permission, ReadNotice, WriteNotice},
    audit::Trail,
    cursor,
    http::{IfMatch, Query},
    ids::NoticeId,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_notices);
    api.service(see_notice);
}

/// Read what you are told
///
/// What those of your role in your organisation are told to do or to know, the oldest first; the national operator: what it is
/// told about the whole index. A notice says what and where, never about whom.
#[utoipa::path(
    tag = "notices",
    security(("bearer" = [ReadNotice::SCOPE])),
    params(NoticeQuery),
    responses((status = 200, description = "A page of notices.", body = Notices)),
)]
#[get("/notices")]
async fn list_notices(
    access: Access<ReadNotice>,
    Query(query): Query<NoticeQuery>,
    db: Data<Db>,
) -> Reply<Notices> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.told_at, last.id));
    look.record(Trail::default(), Notices { items, next }).await
}

/// Say that a notice has been seen
///
/// For all of your role in your organisation.
#[utoipa::path(
    tag = "notices",
    security(("bearer" = [WriteNotice::SCOPE])),
    params(("noticeId" = NoticeId, Path, description = "The notice.")),
    responses((status = 200, description = "The notice as it now stands.", body = Notice, headers(
        ("ETag" = String, description = "The version of the notice, for `If-Match`."),
    ))),
)]
#[put("/notices/{noticeId}/seen")]
async fn see_notice(
    access: Access<WriteNotice>,
    id: Path<NoticeId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Notice> {
    let mut work = access.begin(&db).await?;
    let notice = store::lock(&mut work, *id).await?;
    base.check(notice.version)?;
    let notice = store::see(&mut work, notice).await?;
    let version = notice.version;
    let trail = Trail::default().with(json!({ "notice": *id }));
    Ok(work.record(trail, notice).await?.version(version))
}
