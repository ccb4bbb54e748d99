//! The archive over HTTP.

use actix_web::{post, web::Data};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    ArchiveFound, ArchiveSearchIn, ArchivedRecord, MOST, OpeningIn, RestorationIn, for_oneself,
    may_look, store,
};
use crate::{
    access::{Access, ChangeRetention, Permission, ReadArchive},
    audit::Trail,
    child::{self, ChildChange, Core},
    guard::{self, Written},
    http::{IdempotencyKey, Json},
    ids::ChildId,
    matching::Criteria,
    problem::{Kind, Problem},
    record::{self, Record},
    retention,
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(search_archive);
    api.service(open_archived);
    api.service(restore_record);
}

/// Find archived records
///
/// By exact name and date of birth, among those that you may open: for the first year a steward, those of the own authority;
/// from the second to the sixth year the archive reviewer, all, on a ground and with a reference.
#[utoipa::path(
    tag = "archive",
    security(("bearer" = [ReadArchive::SCOPE])),
    request_body = ArchiveSearchIn,
    responses((status = 200, description = "The records.", body = ArchiveFound)),
)]
#[post("/archive/search")]
async fn search_archive(
    access: Access<ReadArchive>,
    body: Json<ArchiveSearchIn>,
    db: Data<Db>,
) -> Reply<ArchiveFound> {
    let ground = body.value.ground;
    let criteria = Criteria::of(body.value.search())?;
    let look = access.look(&db).await?;
    for_oneself(look.requester.is_some())?;
    may_look(look.caller.role, ground, &look.errand)?;
    let found = store::find(&look, &criteria).await?;
    let children = found.iter().map(|(child, _)| *child).collect();
    let told = json!({ "search": criteria.told(), "ground": ground });
    let trail = Trail::about(children).with_sealed(told);
    if found.len() > MOST {
        return Err(look.refuse(Kind::TooManyMatches.into(), trail).await);
    }
    let items = found.into_iter().map(|(_, child)| child).collect();
    look.record(trail, ArchiveFound { items }).await
}

/// Open an archived record
///
/// For the first year in the archive by a steward of the responsible authority; from the second to the sixth year by the
/// archive reviewer, on a ground and with a reference. To all others, and after six years, it is as if it were not there.
#[utoipa::path(
    tag = "archive",
    security(("bearer" = [ReadArchive::SCOPE])),
    request_body = OpeningIn,
    responses(
        (status = 200, description = "The record.", body = ArchivedRecord),
        (status = 404, description = "`not-found`."),
    ),
)]
#[post("/archive/openings")]
async fn open_archived(
    access: Access<ReadArchive>,
    body: Json<OpeningIn>,
    db: Data<Db>,
) -> Reply<ArchivedRecord> {
    let look = access.look(&db).await?;
    for_oneself(look.requester.is_some())?;
    may_look(look.caller.role, body.value.ground, &look.errand)?;
    let (child, record) = store::open(&look, &body.value.index_number).await?;
    look.record(Trail::of(child).with(json!({ "ground": body.value.ground })), record).await
}

/// Take a record back into use
///
/// For the first year in the archive, by a steward of the responsible authority, where what is said now puts its end into the
/// future: the child is back in England, a death was recorded in error, or the young person has consented to stay.
#[utoipa::path(
    tag = "archive",
    security(("bearer" = [ChangeRetention::SCOPE])),
    request_body = RestorationIn,
    responses(
        (status = 201, description = "The record, in use again.", body = Record, headers(
            ("ETag" = String, description = "The version of the record, for `If-Match`."),
            ("Location" = String, description = "Where the record is."),
        )),
        (status = 404, description = "`not-found`."),
        (status = 409, description = "`still-archived`, `identifier-held` or `request-in-progress`."),
    ),
)]
#[post("/archive/restorations")]
async fn restore_record(
    access: Access<ChangeRetention>,
    key: IdempotencyKey,
    body: Json<RestorationIn>,
    db: Data<Db>,
) -> Reply<Record> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let new = body.value;
    child::store::hold_person(&mut work, &new.index_number).await?;
    let (child, core) = store::lock(&mut work, &new.index_number).await?;
    new.check()?;
    let written = say(&mut work, child, core, &new).await?;
    let end = end(&mut work, child).await?;
    store::restore(&mut work, child, end).await?;
    let trail = guard::store::guard(&mut work, written).await?;
    let number = &new.index_number;
    let (_, record) = record::store::reread(&mut work, number).await?.ok_or(Kind::NotFound)?;
    let (location, version) = (format!("/v1/children/{number}"), record.version);
    work.record_created(trail.with(json!({ "archivesOn": end })), record, location, version).await
}

/// Writes down what is said of the child now.
async fn say(
    work: &mut Work,
    child: ChildId,
    mut core: Core,
    new: &RestorationIn,
) -> Result<Written, Problem> {
    let today = work.today();
    if let Some(whereabouts) = &new.whereabouts {
        let change =
            ChildChange { whereabouts: Some(whereabouts.clone()), ..ChildChange::default() };
        core.change(&change, today)?;
        return child::store::save(work, child, &core, &change).await;
    }
    if let Some(death) = &new.death {
        death.check(&core.birth, today)?;
        retention::store::save_death(work, child, death.died_on).await?;
    }
    if let Some(consent) = &new.stay_consent {
        consent.check(&core.birth, today)?;
        retention::store::insert_stay(work, child, &core.birth, consent).await?;
    }
    Ok(Written::of(child))
}

/// The day on which the record ends now, if that is not past.
async fn end(work: &mut Work, child: ChildId) -> Result<chrono::NaiveDate, Problem> {
    let (vault, today) = (work.vault(), work.today());
    let facts = retention::store::facts(work.db(), &vault, &[child.0]).await?;
    let end = facts.first().map(|(_, facts)| facts.end().day);
    end.filter(|day| *day > today).ok_or_else(|| Kind::StillArchived.into())
}
