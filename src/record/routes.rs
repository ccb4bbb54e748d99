//! Whole records over HTTP.

use actix_web::{
    get,
    web::{Data, Path},
};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Record, store};
use crate::{
    access::{Access, Permission, ReadChild},
    audit::Trail,
    ids::IndexNumber,
    problem::Kind,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(open_child);
}

/// Open a child's record
///
/// The whole record that your role may see, in one answer: who the child is, who cares for the child, and who is working
/// with the child, each with the contact to reach them and the flags that they have set. The look is written down before
/// the answer leaves.
#[utoipa::path(
    tag = "children",
    security(("bearer" = [ReadChild::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The record.", body = Record, headers(
        ("ETag" = String, description = "The version of the record, for `If-Match`."),
    ))),
)]
#[get("/children/{indexNumber}")]
async fn open_child(
    access: Access<ReadChild>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Record> {
    let look = access.look(&db).await?;
    let (child, record) = store::open(&look, &number).await?.ok_or(Kind::NotFound)?;
    let version = record.version;
    let answer = look.record(Trail::of(child), record).await?;
    Ok(answer.version(version))
}
