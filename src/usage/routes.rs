//! How the index was used, over HTTP.

use actix_web::{
    get,
    web::{Data, Path},
};
use chrono::{Datelike, TimeDelta};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Usage, UsageQuery, csv, store};
use crate::{
    access::{Access, Permission, ReadUsage},
    audit::Trail,
    http::{Query, Wanted},
    ids::OrganisationId,
    problem::{Kind, Problem},
    work::{Db, Look, Piece, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(read_usage);
}

/// Read how the people of an organisation used the index in a week
///
/// How often each searched and opened, for which reasons, out of the area and out of hours, how often that found nobody or was refused.
/// Counted on the Monday after; the account administrators are told. With `Accept: text/csv` as comma-separated values (RFC 4180) with a
/// header, without the reasons.
#[utoipa::path(
    tag = "audit",
    security(("bearer" = [ReadUsage::SCOPE])),
    params(("organisationId" = OrganisationId, Path, description = "The organisation."), UsageQuery),
    responses((status = 200, description = "The week.", content(
        (Usage = "application/json"), (String = "text/csv"),
    ))),
)]
#[get("/organisations/{organisationId}/usage")]
async fn read_usage(
    access: Access<ReadUsage>,
    id: Path<OrganisationId>,
    Query(query): Query<UsageQuery>,
    wanted: Wanted,
    db: Data<Db>,
) -> Reply<Usage> {
    let look = access.look(&db).await?;
    if !store::sees(&look, *id).await?.ok_or(Kind::NotFound)? {
        let detail = "You see how your own organisation's people use the index.";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let today = look.today();
    let monday = today - TimeDelta::days(i64::from(today.weekday().num_days_from_monday()));
    let week = query.week.unwrap_or(monday - TimeDelta::days(7));
    let items = store::of_week(&look, *id, week).await?;
    let trail = Trail::default().with(json!({ "organisation": *id, "week": week }));
    if wanted == Wanted::Csv {
        let bytes = csv(&items).map_err(Problem::internal)?;
        let piece = async move |_: &Look, (), _| {
            Ok(Piece { trail: trail.clone(), bytes: bytes.clone(), next: None })
        };
        return look.record_pieces("text/csv; charset=utf-8; header=present", (), piece).await;
    }
    look.record(trail, Usage { organisation_id: *id, week, items }).await
}
