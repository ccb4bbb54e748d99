//! The own record over HTTP.

use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{MyChild, MyChildren, MyLooks, MyLooksQuery, MyRecord, MyRecordQuery, store};
use crate::{
    access::{Access, Permission, ReadMyRecord},
    audit::Trail,
    cursor,
    http::Query,
    problem::{Kind, Problem},
    work::{Db, Look, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_my_children);
    api.service(read_my_record);
    api.service(read_my_looks);
}

/// Nobody reads the own record for somebody else.
fn for_oneself(look: &Look) -> Result<(), Problem> {
    if look.requester.is_none() {
        return Ok(());
    }
    Err(Problem::new(Kind::InvalidHeader, "On-Behalf-Of is not for the own record."))
}

/// List for whom you act
///
/// By a child, whose own record it is, and by a carer: the children for whom the account acts today. A carer acts no more once the
/// record says that they have no parental responsibility, or the child is 12 and has not agreed, or is 18.
#[utoipa::path(
    tag = "my record",
    security(("bearer" = [ReadMyRecord::SCOPE])),
    responses((status = 200, description = "The children.", body = MyChildren)),
)]
#[get("/my/children")]
async fn list_my_children(access: Access<ReadMyRecord>, db: Data<Db>) -> Reply<MyChildren> {
    let look = access.look(&db).await?;
    for_oneself(&look)?;
    let found = store::children(&look).await?;
    let trail = Trail::about(found.iter().map(|acting| acting.child).collect());
    let items = found
        .into_iter()
        .map(|acting| MyChild { index_number: acting.number, capacity: acting.capacity });
    let items = items.collect();
    look.record(trail, MyChildren { items }).await
}

/// Read your record
///
/// By a child, or a carer for a child: all that the record says, in plain words, with who says so and since when, who works with the
/// child and how to reach them; the codes stand beside the words. A service that others are not told of is told to the child alone.
/// Under a shield the child reads all, and a carer what the shield leaves to everybody. An archived record is read as long as it is
/// kept. Somebody who acts for nobody finds nothing.
#[utoipa::path(
    tag = "my record",
    security(("bearer" = [ReadMyRecord::SCOPE])),
    params(MyRecordQuery),
    responses(
        (status = 200, description = "The record.", body = MyRecord),
        (status = 404, description = "`not-found`."),
    ),
)]
#[get("/my/record")]
async fn read_my_record(
    access: Access<ReadMyRecord>,
    Query(query): Query<MyRecordQuery>,
    db: Data<Db>,
) -> Reply<MyRecord> {
    let look = access.look(&db).await?;
    for_oneself(&look)?;
    let acting = store::acting(&look, query.child.as_ref()).await?;
    let record = store::record(&look, &acting).await?;
    look.record(Trail::of(acting.child), record).await
}

/// Read who has looked at your record
///
/// The latest first: for which organisation, as what, why, and what was seen; never the name of the person. Looks that are part of an
/// enquiry into a child's safety, and looks past a shield, are told later: after 28 days, or when a steward says that they need not be
/// withheld any more.
#[utoipa::path(
    tag = "my record",
    security(("bearer" = [ReadMyRecord::SCOPE])),
    params(MyLooksQuery),
    responses(
        (status = 200, description = "A page of looks.", body = MyLooks),
        (status = 404, description = "`not-found`."),
    ),
)]
#[get("/my/looks")]
async fn read_my_looks(
    access: Access<ReadMyRecord>,
    Query(query): Query<MyLooksQuery>,
    db: Data<Db>,
) -> Reply<MyLooks> {
    let before: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    for_oneself(&look)?;
    let acting = store::acting(&look, query.child.as_ref()).await?;
    let found = store::looks(&look, &acting, before, i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |last| (last.look.at, last.id));
    let items = found.into_iter().map(|told| told.look).collect();
    look.record(Trail::of(acting.child), MyLooks { items, next }).await
}
