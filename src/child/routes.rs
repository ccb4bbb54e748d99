//! Children over HTTP: adding, correcting, and what a record said before.

use actix_web::{
    get, patch, post,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{ChildChange, ChildIn, History, store};
use crate::{
    access::{Access, AddChild, CorrectChild, Permission, ReadHistory},
    audit::Trail,
    carer, duplicate, guard,
    http::{IdempotencyKey, IfMatch, Json},
    ids::{ChildId, IndexNumber, OrganisationId},
    matching, organisation,
    problem::{Kind, Problem},
    record::{self, Record},
    retention,
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(add_child);
    api.service(correct_child);
    api.service(read_history);
}

/// Add a child
///
/// Search first: if there is a child already who may be this one, by these names and this date of birth or nearly so, and whom
/// you have not named in `distinctFrom`, the request is refused with `possible-duplicate`, which says whom and how they are alike.
/// What is alike, though less, is noted for the stewards to look at.
#[utoipa::path(
    tag = "children",
    security(("bearer" = [AddChild::SCOPE])),
    request_body = ChildIn,
    responses(
        (status = 201, description = "The record of the new child.", body = Record, headers(
            ("ETag" = String, description = "The version of the record, for `If-Match`."),
            ("Location" = String, description = "Where the record is."),
        )),
        (status = 409, description = "`possible-duplicate`, `identifier-held` or `request-in-progress`."),
    ),
)]
#[post("/children")]
async fn add_child(
    access: Access<AddChild>,
    key: IdempotencyKey,
    body: Json<ChildIn>,
    db: Data<Db>,
) -> Reply<Record> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let child = body.value;
    child.check(work.today())?;
    let authority = answering(&mut work, &child).await?;
    matching::store::hold(&mut work, child.birth().date).await?;
    let asked = matching::asked::person_of(&child);
    let alike = matching::store::alike(&mut work, &child.names, child.birth(), &asked).await?;
    let met =
        alike.met.into_iter().filter(|(_, met)| !child.distinct_from.contains(&met.index_number));
    let (children, met): (Vec<_>, Vec<_>) = met.take(matching::MOST_LISTED).unzip();
    if !met.is_empty() {
        let problem = Problem::from(Kind::PossibleDuplicate).candidates(told(&met)?);
        return Err(work.refuse(problem, Trail::about(children)).await);
    }

    let number = IndexNumber::random(&mut rand::rng());
    let id = ChildId::new();
    let mut written = store::insert(&mut work, id, &number, &child, authority).await?;
    for carer in &child.carers {
        written = written.and(carer::store::insert(&mut work, id, false, carer).await?.1);
    }
    retention::store::schedule(&mut work, id).await?;
    let trail = guard::store::guard(&mut work, written).await?;
    let noted = alike.noted.iter().map(|near| near.child);
    duplicate::store::note(&mut work, id, noted, &alike.model).await?;
    let (_, record) = record::store::reread(&mut work, &number).await?.ok_or(Kind::NotFound)?;
    let (location, version) = (format!("/v1/children/{number}"), record.version);
    let trail = trail.with(json!({ "distinctFrom": child.distinct_from }));
    work.record_created(trail, record, location, version).await
}

fn told(met: &[matching::Match]) -> Result<Vec<serde_json::Value>, Problem> {
    met.iter().map(|met| serde_json::to_value(met).map_err(Problem::internal)).collect()
}

async fn answering(work: &mut Work, child: &ChildIn) -> Result<OrganisationId, Problem> {
    let authority = match &child.responsible_authority {
        Some(code) => organisation::store::authority(work, code).await?,
        None => work.caller.authority,
    };
    let detail = "must be the 3-digit code of a local authority";
    authority.ok_or_else(|| Problem::invalid("/responsibleAuthority", detail))
}

/// Correct the facts of a record
///
/// By a steward of the authority that is responsible for it. What was said before is superseded and kept; former names
/// are still found by search.
#[utoipa::path(
    tag = "children",
    security(("bearer" = [CorrectChild::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = ChildChange,
    responses(
        (status = 200, description = "The record as it now stands.", body = Record, headers(
            ("ETag" = String, description = "The version of the record, for `If-Match`."),
        )),
        (status = 409, description = "`identifier-held`."),
    ),
)]
#[patch("/children/{indexNumber}")]
async fn correct_child(
    access: Access<CorrectChild>,
    number: Path<IndexNumber>,
    base: IfMatch,
    body: Json<ChildChange>,
    db: Data<Db>,
) -> Reply<Record> {
    let mut work = access.begin(&db).await?;
    let (id, mut core) = store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    base.check(core.told_version)?;
    core.change(&body.value, work.today())?;
    let written = store::save(&mut work, id, &core, &body.value).await?;
    retention::store::schedule(&mut work, id).await?;
    let trail = guard::store::guard(&mut work, written).await?;
    let (_, record) = record::store::reread(&mut work, &number).await?.ok_or(Kind::NotFound)?;
    let version = record.version;
    let answer = work.record(trail.with(json!({ "version": version })), record).await?;
    Ok(answer.version(version))
}

/// Read what a record said before
///
/// By a steward of the authority that is responsible for it: every name, address, identifier, carer, involvement and flag
/// that no longer holds, with its provenance and when it was superseded; the latest first, 1,000 at most. Under a shield, only
/// names, births and who cared, without provenance.
#[utoipa::path(
    tag = "children",
    security(("bearer" = [ReadHistory::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The superseded facts.", body = History)),
)]
#[get("/children/{indexNumber}/history")]
async fn read_history(
    access: Access<ReadHistory>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<History> {
    let look = access.look(&db).await?;
    let (id, authority) = store::find(&look, &number).await?;
    look.viewers().try_for_each(|viewer| super::history_may_be_read_by(viewer, authority))?;
    let items = store::history(&look, id).await?;
    look.record(Trail::of(id), History { items, next: None }).await
}
