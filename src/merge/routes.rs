//! Merges over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Merge, MergeIn, MergeQuery, MergeReversalIn, MergeStatus, Merges, act, store};
use crate::{
    access::{Access, DecideMerge, Permission, ProposeMerge, ReadMerge, Role},
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::{MergeId, OrganisationId},
    notice::{self, NoticeKind, Telling},
    problem::{Kind, Problem},
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(propose_merge);
    api.service(list_merges);
    api.service(open_merge);
    api.service(approve_merge);
    api.service(refuse_merge);
    api.service(reverse_merge);
}

/// Propose that two records become one
///
/// By a steward of an authority that answers for one of them. It changes nothing until a second steward approves it, who is told by a
/// notice: where another authority answers for the other record, a steward of that one.
#[utoipa::path(
    tag = "merges",
    security(("bearer" = [ProposeMerge::SCOPE])),
    request_body = MergeIn,
    responses(
        (status = 201, description = "The proposal.", body = Merge, headers(
            ("ETag" = String, description = "The version of the merge, for `If-Match`."),
            ("Location" = String, description = "Where the merge is."),
        )),
        (status = 409, description = "`merge-proposed`, `said-to-be-others` or `request-in-progress`."),
    ),
)]
#[post("/merges")]
async fn propose_merge(
    access: Access<ProposeMerge>,
    key: IdempotencyKey,
    body: Json<MergeIn>,
    db: Data<Db>,
) -> Reply<Merge> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    body.value.check()?;
    let pair = store::pair(&mut work, &body.value).await?;
    if !pair.authorities.contains(&work.caller.organisation) {
        let detail =
            "A merge is proposed by a steward of an authority that answers for one of the records.";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    if !store::is_of(&mut work, &body.value, &pair).await? {
        let detail = "must be an undecided pair, or one said to be the same, of these two records";
        return Err(Problem::invalid("/possibleDuplicateId", detail));
    }
    if store::state(&mut work, pair.survivor, pair.retired).await?.distinct {
        return Err(Kind::SaidToBeOthers.into());
    }
    let id = store::propose(&mut work, &body.value, &pair).await?;
    tell(&mut work, NoticeKind::MergeProposed, id, &pair.authorities).await?;
    let merge = store::told(&mut work, id).await?;
    let (location, version) = (format!("/v1/merges/{id}"), merge.version);
    let trail = Trail::about(vec![pair.survivor, pair.retired]);
    let trail = trail.with(json!({ "merge": id, "ground": body.value.ground }));
    work.record_created(trail, merge, location, version).await
}

/// List merges
///
/// For stewards: of the records for which the own authority answers, the oldest first.
#[utoipa::path(
    tag = "merges",
    security(("bearer" = [ReadMerge::SCOPE])),
    params(MergeQuery),
    responses((status = 200, description = "A page of merges.", body = Merges)),
)]
#[get("/merges")]
async fn list_merges(
    access: Access<ReadMerge>,
    Query(query): Query<MergeQuery>,
    db: Data<Db>,
) -> Reply<Merges> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |last| (last.merge.proposed_at, last.merge.id));
    let mut children: Vec<_> =
        found.iter().flat_map(|found| [found.survivor, found.retired]).collect();
    children.sort();
    children.dedup();
    let items = found.into_iter().map(|found| found.merge).collect();
    look.record(Trail::about(children), Merges { items, next }).await
}

/// Open a merge
///
/// By a steward of an authority that answers for one of the records. One that is proposed is told with what it would move and with
/// what the two records say differently.
#[utoipa::path(
    tag = "merges",
    security(("bearer" = [ReadMerge::SCOPE])),
    params(("mergeId" = MergeId, Path, description = "The merge.")),
    responses((status = 200, description = "The merge.", body = Merge, headers(
        ("ETag" = String, description = "The version of the merge, for `If-Match`."),
    ))),
)]
#[get("/merges/{mergeId}")]
async fn open_merge(access: Access<ReadMerge>, id: Path<MergeId>, db: Data<Db>) -> Reply<Merge> {
    let look = access.look(&db).await?;
    let mut found = store::open(&look, *id).await?;
    if found.merge.status == MergeStatus::Proposed {
        found.merge.preview = Some(store::preview(&look, &found).await?);
    }
    let version = found.merge.version;
    let trail = Trail::about(vec![found.survivor, found.retired]).with(json!({ "merge": *id }));
    Ok(look.record(trail, found.merge).await?.version(version))
}

/// Approve a merge, or that it is taken back
///
/// By another steward than whoever proposed it; where two authorities answer for the records, by one of the authority that has not
/// proposed. Merged: everything that the one record holds is the survivor's, what was there is kept, and the number of the retired
/// record leads to the survivor. Taken back: each record is as it was, with what has come to its own facts since. Needs a sign-in within the last
/// 5 minutes.
#[utoipa::path(
    tag = "merges",
    security(("bearer" = [DecideMerge::SCOPE])),
    params(("mergeId" = MergeId, Path, description = "The merge.")),
    responses(
        (status = 200, description = "The merge as it now stands.", body = Merge, headers(
            ("ETag" = String, description = "The version of the merge, for `If-Match`."),
        )),
        (status = 409, description = "`merge-status`, `merge-covered`, `said-to-be-others` or `identifier-held`."),
    ),
)]
#[put("/merges/{mergeId}/approval")]
async fn approve_merge(
    access: Access<DecideMerge>,
    id: Path<MergeId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Merge> {
    let mut work = access.begin(&db).await?;
    let found = store::lock(&mut work, *id).await?;
    base.check(found.merge.version)?;
    found.merge.may_be_approved_by(&work.caller, &found.authorities)?;
    found.is_the_last()?;
    match found.merge.status {
        MergeStatus::Proposed => act::merge(&mut work, &found).await?,
        _ => act::unmerge(&mut work, &found).await?,
    }
    record(work, *id, found).await
}

/// Refuse a merge, or that it is taken back
///
/// By any steward of an authority that answers for one of the records; whoever proposed it takes it back so.
#[utoipa::path(
    tag = "merges",
    security(("bearer" = [ProposeMerge::SCOPE])),
    params(("mergeId" = MergeId, Path, description = "The merge.")),
    responses(
        (status = 200, description = "The merge as it now stands.", body = Merge, headers(
            ("ETag" = String, description = "The version of the merge, for `If-Match`."),
        )),
        (status = 409, description = "`merge-status`."),
    ),
)]
#[put("/merges/{mergeId}/refusal")]
async fn refuse_merge(
    access: Access<ProposeMerge>,
    id: Path<MergeId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Merge> {
    let mut work = access.begin(&db).await?;
    let found = store::lock(&mut work, *id).await?;
    base.check(found.merge.version)?;
    store::refuse(&mut work, *id, found.merge.refused()?).await?;
    record(work, *id, found).await
}

/// Propose that two merged records become two again
///
/// By a steward of an authority that answers for one of them; a second one approves it, as a merge is. Where the survivor was merged
/// into a third record since, that merge is taken back first.
#[utoipa::path(
    tag = "merges",
    security(("bearer" = [ProposeMerge::SCOPE])),
    params(("mergeId" = MergeId, Path, description = "The merge.")),
    request_body = MergeReversalIn,
    responses(
        (status = 200, description = "The merge as it now stands.", body = Merge, headers(
            ("ETag" = String, description = "The version of the merge, for `If-Match`."),
        )),
        (status = 409, description = "`merge-status` or `merge-covered`."),
    ),
)]
#[put("/merges/{mergeId}/reversal")]
async fn reverse_merge(
    access: Access<ProposeMerge>,
    id: Path<MergeId>,
    base: IfMatch,
    body: Json<MergeReversalIn>,
    db: Data<Db>,
) -> Reply<Merge> {
    let mut work = access.begin(&db).await?;
    let found = store::lock(&mut work, *id).await?;
    base.check(found.merge.version)?;
    found.merge.may_be_reversed()?;
    found.is_the_last()?;
    store::propose_reversal(&mut work, *id, body.value).await?;
    tell(&mut work, NoticeKind::MergeReversalProposed, *id, &found.authorities).await?;
    record(work, *id, found).await
}

/// Tells the stewards who may approve: those of the authority that has not proposed, or of the only one.
async fn tell(
    work: &mut Work,
    kind: NoticeKind,
    id: MergeId,
    authorities: &[OrganisationId],
) -> Result<(), Problem> {
    let (now, own) = (work.now, work.caller.organisation);
    let other = authorities.iter().copied().find(|authority| *authority != own);
    let telling = Telling {
        kind,
        organisation: Some(other.unwrap_or(own)),
        role: Role::Steward,
        about: format!("/v1/merges/{id}"),
        due_on: None,
    };
    Ok(notice::store::tell(work.db(), now, &telling).await?)
}

async fn record(mut work: Work, id: MergeId, found: store::Found) -> Reply<Merge> {
    let merge = store::told(&mut work, id).await?;
    let version = merge.version;
    let told = json!({ "merge": id, "status": merge.status });
    let trail = Trail::about(vec![found.survivor, found.retired]).with(told);
    Ok(work.record(trail, merge).await?.version(version))
}
