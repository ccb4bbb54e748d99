//! Reports over HTTP.

use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    FeedQualities, Part, ReportQuery, ReportedChildren, ReportedDuplicates, Row,
    UnconfirmedInvolvements, csv, store,
};
use crate::{
    access::{Access, Permission, ReadHistory},
    audit::Trail,
    cursor,
    duplicate::{self, DuplicateQuery, DuplicateStatus, PossibleDuplicate},
    http::{Query, Wanted},
    involvement::ServiceType,
    problem::Problem,
    work::{Db, Look, Piece, Reply},
};

/// As many as a page tells unless said, and as many as a piece of comma-separated values.
const PAGE: u8 = 20;
const PIECE: i64 = 200;
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(report_without_school);
    api.service(report_without_practice);
    api.service(report_unconfirmed_involvements);
    api.service(report_possible_duplicates);
    api.service(report_feed_quality);
}

/// Report the children without a school
///
/// For stewards: the children for whom the own authority answers and with whom no school works, whether the record says that there
/// is none or says nothing; of every age. Shielded children are left out, since a shield hides which school there is.
///
/// With `Accept: text/csv` the whole report is told as comma-separated values (RFC 4180) with a header, where `'` stands before what
/// a spreadsheet would take for a formula. Every part is written down before it leaves; a report that breaks off is not whole.
#[utoipa::path(
    tag = "reports",
    security(("bearer" = [ReadHistory::SCOPE])),
    params(ReportQuery),
    responses((status = 200, description = "A page of children.", content(
        (ReportedChildren = "application/json"), (String = "text/csv"),
    ))),
)]
#[get("/reports/withoutSchool")]
async fn report_without_school(
    access: Access<ReadHistory>,
    Query(query): Query<ReportQuery>,
    wanted: Wanted,
    db: Data<Db>,
) -> Reply<ReportedChildren> {
    let look = access.look_at_aged(&db).await?;
    let read = async |look: &Look, after: Option<&str>, limit| {
        store::children_without(look, ServiceType::School, after, limit).await
    };
    told(look, query, wanted, read).await
}

/// Report the children without a general practice
///
/// As that of children without a school.
#[utoipa::path(
    tag = "reports",
    security(("bearer" = [ReadHistory::SCOPE])),
    params(ReportQuery),
    responses((status = 200, description = "A page of children.", content(
        (ReportedChildren = "application/json"), (String = "text/csv"),
    ))),
)]
#[get("/reports/withoutPractice")]
async fn report_without_practice(
    access: Access<ReadHistory>,
    Query(query): Query<ReportQuery>,
    wanted: Wanted,
    db: Data<Db>,
) -> Reply<ReportedChildren> {
    let look = access.look_at_aged(&db).await?;
    let read = async |look: &Look, after: Option<&str>, limit| {
        store::children_without(look, ServiceType::GeneralPractice, after, limit).await
    };
    told(look, query, wanted, read).await
}

/// Report the involvements that nobody confirms
///
/// For stewards: those with children for whom the own authority answers that nobody has confirmed for 12 months, and those whose
/// organisation's feed does not send the child any more. Those of shielded children and sensitive services are left out.
#[utoipa::path(
    tag = "reports",
    security(("bearer" = [ReadHistory::SCOPE])),
    params(ReportQuery),
    responses((status = 200, description = "A page of involvements.", content(
        (UnconfirmedInvolvements = "application/json"), (String = "text/csv"),
    ))),
)]
#[get("/reports/unconfirmedInvolvements")]
async fn report_unconfirmed_involvements(
    access: Access<ReadHistory>,
    Query(query): Query<ReportQuery>,
    wanted: Wanted,
    db: Data<Db>,
) -> Reply<UnconfirmedInvolvements> {
    told(access.look_at_aged(&db).await?, query, wanted, store::unconfirmed).await
}

/// Report the records that may be of one child
///
/// For stewards: the pairs with a record for which the own authority answers on which nobody has decided, the longest known first.
/// Of each record it is told what a shield leaves visible.
#[utoipa::path(
    tag = "reports",
    security(("bearer" = [ReadHistory::SCOPE])),
    params(ReportQuery),
    responses((status = 200, description = "A page of pairs.", content(
        (ReportedDuplicates = "application/json"), (String = "text/csv"),
    ))),
)]
#[get("/reports/possibleDuplicates")]
async fn report_possible_duplicates(
    access: Access<ReadHistory>,
    Query(query): Query<ReportQuery>,
    wanted: Wanted,
    db: Data<Db>,
) -> Reply<ReportedDuplicates> {
    told(access.look_at_aged(&db).await?, query, wanted, open_duplicates).await
}

async fn open_duplicates(
    look: &Look,
    after: Option<&str>,
    limit: i64,
) -> Result<Part<PossibleDuplicate>, Problem> {
    let after: Option<(DateTime<Utc>, Uuid)> = after.map(cursor::read).transpose()?;
    let open = DuplicateQuery { status: Some(DuplicateStatus::Open), limit: None, after: None };
    let found = duplicate::store::list(look, &open, after.unwrap_or_default(), limit + 1).await?;
    let limit = u8::try_from(limit).unwrap_or(u8::MAX);
    let (found, next) = cursor::page(found, limit, |(_, last)| (last.found_at, last.id));
    let (children, items): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    Ok(Part { children: children.concat(), items, next })
}

/// Report how good feeds are
///
/// For stewards: every feed of an organisation in the own authority's area, with what became of its latest batch that is done, and
/// how many of its rows wait for a steward.
#[utoipa::path(
    tag = "reports",
    security(("bearer" = [ReadHistory::SCOPE])),
    params(ReportQuery),
    responses((status = 200, description = "A page of feeds.", content(
        (FeedQualities = "application/json"), (String = "text/csv"),
    ))),
)]
#[get("/reports/feedQuality")]
async fn report_feed_quality(
    access: Access<ReadHistory>,
    Query(query): Query<ReportQuery>,
    wanted: Wanted,
    db: Data<Db>,
) -> Reply<FeedQualities> {
    told(access.look_at_aged(&db).await?, query, wanted, store::feeds).await
}

/// A page of a report, or all of it as comma-separated values.
async fn told<T, P>(
    look: Look,
    query: ReportQuery,
    wanted: Wanted,
    read: impl AsyncFn(&Look, Option<&str>, i64) -> Result<Part<T>, Problem> + 'static,
) -> Reply<P>
where
    T: Row + 'static,
    P: From<(Vec<T>, Option<String>)> + Serialize,
{
    if wanted == Wanted::Csv {
        let piece = async move |look: &Look, after: Option<String>, first| {
            let part = read(look, after.as_deref(), PIECE).await?;
            let bytes = csv(&part.items, first)?;
            Ok(Piece { trail: trail(part.children), bytes, next: part.next.map(Some) })
        };
        return look.record_pieces(CSV, query.after, piece).await;
    }
    let limit = i64::from(query.limit.unwrap_or(PAGE));
    let part = read(&look, query.after.as_deref(), limit).await?;
    look.record(trail(part.children), P::from((part.items, part.next))).await
}

fn trail(mut children: Vec<crate::ids::ChildId>) -> Trail {
    children.sort();
    children.dedup();
    let told = children.len();
    Trail::about(children).with(json!({ "children": told }))
}
