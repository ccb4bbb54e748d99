//! Whose record an account is about, over HTTP.

use actix_web::{
    delete, get, post,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Subject, SubjectIn, Subjects, store};
use crate::{
    access::{Access, EnrolSubject, Permission, ReadSubject},
    audit::Trail,
    child,
    http::{IdempotencyKey, IfMatch, Json},
    ids::{AccountId, IndexNumber},
    problem::Problem,
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_subjects);
    api.service(enrol_subject);
    api.service(end_subject);
}

/// List whose accounts are about a record
///
/// By a steward of the authority that is responsible for it.
#[utoipa::path(
    tag = "subjects",
    security(("bearer" = [ReadSubject::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The accounts.", body = Subjects)),
)]
#[get("/children/{indexNumber}/subjects")]
async fn list_subjects(
    access: Access<ReadSubject>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Subjects> {
    let look = access.look(&db).await?;
    let (child, authority) = child::store::find(&look, &number).await?;
    look.viewers().try_for_each(|viewer| child::history_may_be_read_by(viewer, authority))?;
    let items = store::list(&look, child).await?;
    look.record(Trail::of(child), Subjects { items }).await
}

/// Say whose account is about a record
///
/// By a steward of the authority that is responsible for it, who has checked who the person is and, of a carer, parental
/// responsibility. The person then reads the record (`GET /v1/my/record`), and may ask that it be put right or that the child be
/// shielded. From 12 on a child is presumed to understand: a carer then needs the child's agreement, or the finding that the child
/// does not understand, and until a steward has enrolled the carer anew with that, the carer is told nothing. Needs a sign-in
/// within the last 5 minutes.
#[utoipa::path(
    tag = "subjects",
    security(("bearer" = [EnrolSubject::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    request_body = SubjectIn,
    responses(
        (status = 201, description = "The account.", body = Subject, headers(
            ("ETag" = String, description = "Its version, for `If-Match`; it does not change."),
            ("Location" = String, description = "Where it ends."),
        )),
        (status = 409, description = "`subject-exists` or `request-in-progress`."),
    ),
)]
#[post("/children/{indexNumber}/subjects")]
async fn enrol_subject(
    access: Access<EnrolSubject>,
    number: Path<IndexNumber>,
    key: IdempotencyKey,
    body: Json<SubjectIn>,
    db: Data<Db>,
) -> Reply<Subject> {
    let mut work = match access.begin_once(&db, key, body.digest, number.as_str()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let (child, core) = child::store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    let new = body.value;
    if !store::is_subject(&mut work, new.account_id).await? {
        return Err(Problem::invalid("/accountId", "is no account of a subject in your authority"));
    }
    new.check(core.birth.date, work.today())?;
    if !store::has_responsibility(&mut work, child, new.carer_id).await? {
        let detail = "is no carer of the record with parental responsibility";
        return Err(Problem::invalid("/carerId", detail));
    }
    store::insert(&mut work, child, &new).await?;
    let told = store::reread(&mut work, child, new.account_id).await?;
    let location = format!("/v1/children/{number}/subjects/{}", new.account_id);
    let trail = json!({
        "account": new.account_id, "capacity": new.capacity, "identity": new.identity, "responsibility": new.responsibility,
        "carer": new.carer_id, "basis": new.basis, "checkedOn": new.checked_on,
    });
    work.record_created(Trail::of(child).with(trail), told, location, 1).await
}

/// Say that an account is about a record no more
///
/// By a steward of the authority that is responsible for it. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "subjects",
    security(("bearer" = [EnrolSubject::SCOPE])),
    params(
        ("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566"),
        ("accountId" = AccountId, Path, description = "The account."),
    ),
    responses((status = 200, description = "The accounts that remain.", body = Subjects)),
)]
#[delete("/children/{indexNumber}/subjects/{accountId}")]
async fn end_subject(
    access: Access<EnrolSubject>,
    path: Path<(IndexNumber, AccountId)>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Subjects> {
    let (number, account) = path.into_inner();
    let mut work = access.begin(&db).await?;
    let (child, core) = child::store::lock(&mut work, &number).await?;
    core.may_be_corrected_by(&work.caller)?;
    base.check(1)?;
    store::end(&mut work, child, account).await?;
    let items = store::remaining(&mut work, child).await?;
    work.record(Trail::of(child).with(json!({ "account": account })), Subjects { items }).await
}
