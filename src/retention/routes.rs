//! What decides on the end of a record, over HTTP.

use actix_web::{
    get, post, put,
    web::{Data, Path},
};
use chrono::{Days, NaiveDate};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{DeathIn, Forecast, ForecastQuery, Retention, StayConsent, StayConsentIn, store};
use crate::{
    access::{Access, ChangeRetention, CorrectChild, Permission, ReadForecast, Role},
    audit::Trail,
    child, cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::IndexNumber,
    problem::{Kind, Problem},
    work::{Begun, Db, Reply},
};

/// As many records as a page of a forecast tells.
const PAGE: u8 = 100;

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(record_death);
    api.service(consent_to_stay);
    api.service(read_forecast);
}

/// Record a child's death
///
/// By a steward of the authority that is responsible for the record, which is archived a year after. Without a day, a death
/// that was recorded in error is taken back.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [CorrectChild::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = DeathIn,
    responses((status = 200, description = "When the record is archived.", body = Retention, headers(
        ("ETag" = String, description = "The version of the record, for `If-Match`."),
    ))),
)]
#[put("/children/{indexNumber}/death")]
async fn record_death(
    access: Access<CorrectChild>,
    number: Path<IndexNumber>,
    base: IfMatch,
    body: Json<DeathIn>,
    db: Data<Db>,
) -> Reply<Retention> {
    let mut work = access.begin(&db).await?;
    let (id, core) = child::store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    base.check(core.told_version)?;
    body.value.check(&core.birth, work.today())?;
    store::save_death(&mut work, id, body.value.died_on).await?;
    store::schedule(&mut work, id).await?;
    let (_, core) = child::store::lock(&mut work, &number).await?;
    let retention = store::reread(&mut work, id, core.hidden).await?;
    let version = core.told_version;
    let trail = Trail::of(id).with(json!({ "version": version }));
    Ok(work.record(trail, retention).await?.version(version))
}

/// Record a young person's consent to stay
///
/// By a steward of the authority that is responsible for the record, for a young person who leaves care or has a learning
/// difficulty: the record stays in use after the 18th birthday, until the 25th at most. Where the consent is withdrawn, the
/// record is archived the next day.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [ChangeRetention::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = StayConsentIn,
    responses((status = 201, description = "The consent, and when the record is archived.", body = StayConsent, headers(
        ("ETag" = String, description = "The version of the consent, for `If-Match`."),
        ("Location" = String, description = "Where the consent is."),
    ))),
)]
#[post("/children/{indexNumber}/stay-consents")]
async fn consent_to_stay(
    access: Access<ChangeRetention>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<StayConsentIn>,
    db: Data<Db>,
) -> Reply<StayConsent> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let (id, core) = child::store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    body.value.check(&core.birth, work.today())?;
    let mut consent = store::insert_stay(&mut work, id, &core.birth, &body.value).await?;
    let end = store::schedule(&mut work, id).await?;
    consent.archives_on = Some(end).filter(|_| !core.hidden);
    let (location, version) = (format!("/v1/consents/{}", consent.id), consent.version);
    let trail = Trail::of(id).with(json!({ "consent": consent.id }));
    work.record_created(trail, consent, location, version).await
}

/// Read what is archived next
///
/// A steward is told which records of the own authority are archived in the next days, and why; the operator how many there
/// are on each day, and nothing of a child. Why a shielded record ends is not told.
#[utoipa::path(
    tag = "retention",
    security(("bearer" = [ReadForecast::SCOPE])),
    params(ForecastQuery),
    responses((status = 200, description = "What is archived next.", body = Forecast)),
)]
#[get("/retention/forecast")]
async fn read_forecast(
    access: Access<ReadForecast>,
    Query(query): Query<ForecastQuery>,
    db: Data<Db>,
) -> Reply<Forecast> {
    let after: Option<(NaiveDate, Uuid)> = query.after.as_deref().map(cursor::read).transpose()?;
    let look = access.look(&db).await?;
    let caller = look.caller.viewer();
    if look.viewers().any(|viewer| viewer != caller) {
        return Err(Problem::new(Kind::Forbidden, "A forecast is read for oneself."));
    }
    let until = look.today() + Days::new(u64::from(query.days.unwrap_or(7)));
    if caller.role == Role::Operator {
        let days = store::counts(&look, None, until).await?;
        return look
            .record(Trail::default(), Forecast { days, items: Vec::new(), next: None })
            .await;
    }
    let days = store::counts(&look, Some(caller.organisation), until).await?;
    let after = after.unwrap_or((look.today(), Uuid::nil()));
    let found = store::soon(&look, caller.organisation, until, after, i64::from(PAGE) + 1).await?;
    let (found, next) = cursor::page(found, PAGE, |soon| (soon.line.archives_on, soon.child));
    let trail = Trail::about(found.iter().map(|soon| soon.child).collect());
    let items = found.into_iter().map(|soon| soon.line).collect();
    look.record(trail, Forecast { days, items, next }).await
}
