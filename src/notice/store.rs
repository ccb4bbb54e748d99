//! Notices in the database.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Notice, NoticeKind, NoticeQuery, Telling, told_as};
use crate::{
    access::{Caller, Role},
    ids::NoticeId,
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// Tells people of something; what they were told already is not told again.
pub(crate) async fn tell(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    telling: &Telling,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into notice (notice_id, kind, organisation_id, role, about, due_on, told_at) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing",
        NoticeId::new().0,
        telling.kind.as_str(),
        telling.organisation.map(|id| id.0),
        telling.role.as_str(),
        telling.about,
        telling.due_on,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A page of what the caller is told, after one; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &NoticeQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<Notice>, Problem> {
    let (roles, national) = told_to(&look.caller);
    let rows = sqlx::query_as!(
        Notice,
        r#"select notice_id as "id: NoticeId", kind as "kind: NoticeKind", about, due_on, told_at, seen_at, version from notice
           where (told_at, notice_id) > ($1, $2) and role = any($3)
             and (organisation_id = $4 or ($5 and organisation_id is null)) and ($6::text is null or kind = $6)
           order by told_at, notice_id limit $7"#,
        after.0,
        after.1,
        &roles,
        look.caller.organisation.0,
        national,
        query.kind.map(NoticeKind::as_str),
        limit,
    );
    Ok(rows.fetch_all(look.db()).await?)
}

/// Holds a notice to the caller until the work is done.
pub(super) async fn lock(work: &mut Work, id: NoticeId) -> Result<Notice, Problem> {
    let (organisation, (roles, national)) = (work.caller.organisation, told_to(&work.caller));
    let row = sqlx::query_as!(
        Notice,
        r#"select notice_id as "id: NoticeId", kind as "kind: NoticeKind", about, due_on, told_at, seen_at, version from notice
           where notice_id = $1 and role = any($2) and (organisation_id = $3 or ($4 and organisation_id is null))
           for update"#,
        id.0,
        &roles,
        organisation.0,
        national,
    );
    row.fetch_optional(work.db()).await?.ok_or_else(|| Kind::NotFound.into())
}

/// Says that it was seen; what was seen before stays so.
pub(super) async fn see(work: &mut Work, notice: Notice) -> Result<Notice, Problem> {
    if notice.seen_at.is_some() {
        return Ok(notice);
    }
    let (now, by) = (work.now, work.caller.subject.uuid());
    sqlx::query!(
        "update notice set seen_by = $2, seen_at = $3, version = version + 1 where notice_id = $1",
        notice.id.0,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(Notice { seen_at: Some(now), version: notice.version + 1, ..notice })
}

/// The roles whose notices a caller reads, and whether those without an organisation too: of the national operator, and of the
/// archive reviewers.
fn told_to(caller: &Caller) -> (Vec<String>, bool) {
    let roles = told_as(caller.role).iter().map(|role| role.as_str().to_owned()).collect();
    (roles, matches!(caller.role, Role::Operator | Role::ArchiveReviewer))
}
