//! Records that may be of one child, over HTTP.

use actix_web::{
    get, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    ComparedDuplicate, DuplicateDecisionIn, DuplicateQuery, PossibleDuplicate, PossibleDuplicates,
    store,
};
use crate::{
    access::{Access, DecidePossibleDuplicate, Permission, ReadPossibleDuplicate},
    audit::Trail,
    cursor,
    http::{IfMatch, Json, Query},
    ids::PossibleDuplicateId,
    matching::fuzzy,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_possible_duplicates);
    api.service(open_possible_duplicate);
    api.service(decide_possible_duplicate);
}

/// List records that may be of one child
///
/// For stewards: the pairs with a record for which the own authority is responsible, the longest known first. They are noted when
/// a child is added who is like one who is here, also where whoever added it said that they are others. Of each record it is told
/// what a shield leaves visible.
#[utoipa::path(
    tag = "possible duplicates",
    security(("bearer" = [ReadPossibleDuplicate::SCOPE])),
    params(DuplicateQuery),
    responses((status = 200, description = "A page of pairs.", body = PossibleDuplicates)),
)]
#[get("/possible-duplicates")]
async fn list_possible_duplicates(
    access: Access<ReadPossibleDuplicate>,
    Query(query): Query<DuplicateQuery>,
    db: Data<Db>,
) -> Reply<PossibleDuplicates> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |(_, last)| (last.found_at, last.id));
    let (children, items): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let mut children = children.concat();
    children.sort();
    children.dedup();
    look.record(Trail::about(children), PossibleDuplicates { items, next }).await
}

/// Compare two records that may be of one child
///
/// By a steward of the authority that is responsible for one of them: what both records have, and how it agrees now; of a
/// shielded record, what a shield leaves visible.
#[utoipa::path(
    tag = "possible duplicates",
    security(("bearer" = [ReadPossibleDuplicate::SCOPE])),
    params(("possibleDuplicateId" = PossibleDuplicateId, Path, description = "The pair.")),
    responses((status = 200, description = "The pair, side by side.", body = ComparedDuplicate, headers(
        ("ETag" = String, description = "The version of the pair, for `If-Match`."),
    ))),
)]
#[get("/possible-duplicates/{possibleDuplicateId}")]
async fn open_possible_duplicate(
    access: Access<ReadPossibleDuplicate>,
    id: Path<PossibleDuplicateId>,
    db: Data<Db>,
) -> Reply<ComparedDuplicate> {
    let look = access.look(&db).await?;
    let (children, pair) = store::open(&look, *id).await?;
    let entries = store::compared(&look, children).await?;
    let (strength, agreement, doubts) = fuzzy::side_by_side(&look.matcher().matcher, entries);
    let version = pair.version;
    let trail = Trail::about(children.into()).with(json!({ "possibleDuplicate": *id }));
    let answer = ComparedDuplicate { pair, strength, agreement, doubts };
    Ok(look.record(trail, answer).await?.version(version))
}

/// Say whether two records are of one child
///
/// By a steward of the authority that is responsible for one of them; once. It changes neither record.
#[utoipa::path(
    tag = "possible duplicates",
    security(("bearer" = [DecidePossibleDuplicate::SCOPE])),
    params(("possibleDuplicateId" = PossibleDuplicateId, Path, description = "The pair.")),
    request_body = DuplicateDecisionIn,
    responses(
        (status = 200, description = "The pair as it now stands.", body = PossibleDuplicate, headers(
            ("ETag" = String, description = "The version of the pair, for `If-Match`."),
        )),
        (status = 409, description = "`possible-duplicate-decided`."),
    ),
)]
#[put("/possible-duplicates/{possibleDuplicateId}/decision")]
async fn decide_possible_duplicate(
    access: Access<DecidePossibleDuplicate>,
    id: Path<PossibleDuplicateId>,
    base: IfMatch,
    body: Json<DuplicateDecisionIn>,
    db: Data<Db>,
) -> Reply<PossibleDuplicate> {
    let mut work = access.begin(&db).await?;
    let (children, pair) = store::lock(&mut work, *id).await?;
    base.check(pair.version)?;
    pair.may_be_decided()?;
    let status = body.value.check()?;
    let decided = store::decide(&mut work, *id, status, body.value).await?;
    let details =
        json!({ "possibleDuplicate": *id, "decision": status, "ground": body.value.ground });
    let version = decided.version;
    let trail = Trail::about(children.into()).with(details);
    Ok(work.record(trail, decided).await?.version(version))
}
