//! Subjects in the database.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::{
    IdentityEvidence, ResponsibilityEvidence, Subject, SubjectBasis, SubjectCapacity, SubjectIn,
};
use crate::{
    access::Role,
    ids::{AccountId, CarerId, ChildId},
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// Whether an account is one of a subject in the caller's organisation, and in use.
pub(super) async fn is_subject(work: &mut Work, account: AccountId) -> Result<bool, Problem> {
    let organisation = work.caller.organisation;
    let found = sqlx::query_scalar!(
        r#"select exists (select from account where account_id = $1 and organisation_id = $2 and role = $3 and status <> 'closed') as "found!""#,
        account.0,
        organisation.0,
        Role::Subject.as_str(),
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// Whether a carer, where one is named, is on the record of a child with parental responsibility.
pub(super) async fn has_responsibility(
    work: &mut Work,
    child: ChildId,
    carer: Option<CarerId>,
) -> Result<bool, Problem> {
    let found = sqlx::query_scalar!(
        r#"select $1::uuid is null or exists (
               select from carer where carer_id = $1 and child_id = $2 and superseded_at is null and parental_responsibility) as "found!""#,
        carer.map(|id| id.0),
        child.0,
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// Says that an account is about a child.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    new: &SubjectIn,
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "insert into subject (account_id, child_id, capacity, linked_by, linked_at, identity_evidence, responsibility_evidence, carer_id,
             basis, checked_on)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.account_id.0,
        child.0,
        new.capacity.as_str(),
        by,
        now,
        new.identity.as_str(),
        new.responsibility.map(ResponsibilityEvidence::as_str),
        new.carer_id.map(|id| id.0),
        new.basis.map(SubjectBasis::as_str),
        new.checked_on,
    )
    .execute(work.db())
    .await
    .map_err(|error| match error.as_database_error().and_then(|e| e.constraint()) {
        Some("subject_once" | "subject_own_record") => Problem::from(Kind::SubjectExists),
        _ => error.into(),
    })?;
    Ok(())
}

/// An account is about a child no more.
pub(super) async fn end(
    work: &mut Work,
    child: ChildId,
    account: AccountId,
) -> Result<(), Problem> {
    let now = work.now;
    let ended = sqlx::query!(
        "update subject set ended_at = $3 where child_id = $1 and account_id = $2 and ended_at is null",
        child.0,
        account.0,
        now,
    )
    .execute(work.db())
    .await?;
    if ended.rows_affected() == 1 { Ok(()) } else { Err(Kind::NotFound.into()) }
}

/// The accounts that are about a child.
pub(super) async fn list(look: &Look, child: ChildId) -> Result<Vec<Subject>, Problem> {
    read(look.db(), child, None, look.today()).await
}

/// The same, as the work has left them.
pub(super) async fn remaining(work: &mut Work, child: ChildId) -> Result<Vec<Subject>, Problem> {
    let today = work.today();
    read(work.db(), child, None, today).await
}

/// One of them, as the work has left it.
pub(super) async fn reread(
    work: &mut Work,
    child: ChildId,
    account: AccountId,
) -> Result<Subject, Problem> {
    let today = work.today();
    let found = read(work.db(), child, Some(account), today).await?;
    found.into_iter().next().ok_or(Kind::NotFound.into())
}

async fn read(
    db: impl PgExecutor<'_>,
    child: ChildId,
    one: Option<AccountId>,
    today: NaiveDate,
) -> Result<Vec<Subject>, Problem> {
    let found = sqlx::query_as!(
        Subject,
        r#"select account_id as "account_id: AccountId", capacity as "capacity: SubjectCapacity",
                  identity_evidence as "identity: IdentityEvidence", responsibility_evidence as "responsibility: ResponsibilityEvidence",
                  carer_id as "carer_id: CarerId", basis as "basis: SubjectBasis", checked_on,
                  exists (select from acting_for(s.account_id, $3) a where a.child_id = s.child_id) as "acts!"
           from subject s where child_id = $1 and ended_at is null and ($2::uuid is null or account_id = $2)
           order by linked_at, account_id"#,
        child.0,
        one.map(|id| id.0),
        today,
    );
    Ok(found.fetch_all(db).await?)
}
