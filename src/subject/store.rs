//! Subjects in the database.

use sqlx::PgExecutor;

use super::{Subject, SubjectCapacity};
use crate::{
    access::Role,
    ids::{AccountId, ChildId},
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

/// Says that an account is about a child.
pub(super) async fn insert(work: &mut Work, child: ChildId, new: &Subject) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "insert into subject (account_id, child_id, capacity, linked_by, linked_at) values ($1, $2, $3, $4, $5)",
        new.account_id.0,
        child.0,
        new.capacity.as_str(),
        by,
        now,
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
    read(look.db(), child).await
}

/// The same, as the work has left them.
pub(super) async fn remaining(work: &mut Work, child: ChildId) -> Result<Vec<Subject>, Problem> {
    read(work.db(), child).await
}

async fn read(db: impl PgExecutor<'_>, child: ChildId) -> Result<Vec<Subject>, Problem> {
    let found = sqlx::query_as!(
        Subject,
        r#"select account_id as "account_id: AccountId", capacity as "capacity: SubjectCapacity"
           from subject where child_id = $1 and ended_at is null order by linked_at, account_id"#,
        child.0,
    );
    Ok(found.fetch_all(db).await?)
}
