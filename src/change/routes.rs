//! Changes, over HTTP.

use actix_web::{get, web::Data};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{ChangeQuery, Changes, Place, store};
use crate::{
    access::{Access, Permission, ReadChanges},
    audit::Trail,
    http::Query,
    problem::Kind,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_changes);
}

/// Follow what changes
///
/// In the order of the commits, complete and without gaps, however many write meanwhile: call with the `next` of the call
/// before, as often as you like. Told is of children with whom your organisation works (a steward: also those for whom the
/// own authority answers) that something has changed, never what. A change is told once all that began to be written before it
/// is written or given up, so within about 5 seconds. A steward, and an organisation with more than 10,000 involvements, is taken
/// through everybody's changes, 20,000 a call, so that a page may be empty; `more` says whether to call again at once. Kept for 90 days: whoever comes back later is answered `changes-forgotten` and begins anew.
#[utoipa::path(
    tag = "changes",
    security(("bearer" = [ReadChanges::SCOPE])),
    params(ChangeQuery),
    responses((status = 200, description = "A page of changes.", body = Changes)),
)]
#[get("/changes")]
async fn list_changes(
    access: Access<ReadChanges>,
    Query(query): Query<ChangeQuery>,
    db: Data<Db>,
) -> Reply<Changes> {
    let after = query.after.as_deref().map(Place::read).transpose()?;
    let look = access.look_at_aged(&db).await?;
    if !look.within_one_organisation() {
        return Err(Kind::Forbidden.into());
    }
    let found = store::list(&look, after, i64::from(query.limit.unwrap_or(100))).await?;
    let (mut children, items): (Vec<_>, Vec<_>) = found.items.into_iter().unzip();
    children.sort();
    children.dedup();
    let trail = Trail::about(children).with(json!({ "told": items.len() }));
    let (next, more) = (found.next.write(), found.more);
    look.record(trail, Changes { items, next, more }).await
}
