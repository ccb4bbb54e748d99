//! Notices in the database.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Telling;
use crate::ids::NoticeId;

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
