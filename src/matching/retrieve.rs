//! The records worth comparing with what is asked, as the database finds them by their keys.

use chrono::NaiveDate;
use linkage::{Person, key::SCHEME};
use sqlx::PgExecutor;

use crate::{ids::ChildId, problem::Problem};

/// As many records as are compared.
pub const MOST: i32 = 4000;

/// The records that share a key with what is asked.
#[derive(Debug)]
pub enum Found {
    /// Each with what is known of the child.
    Candidates(Vec<(ChildId, Person)>),
    /// More than [`MOST`].
    TooMany,
}

impl Found {
    /// The records, none where they are too many to compare.
    #[must_use]
    pub fn candidates(self) -> Vec<(ChildId, Person)> {
        match self {
            Self::Candidates(candidates) => candidates,
            Self::TooMany => Vec::new(),
        }
    }
}

/// The records in use today that share a key with what is asked: one statement. Where what is asked holds something that a
/// shield hides, `behind_shield`, shielded children are left out before they count.
pub async fn candidates(
    db: impl PgExecutor<'_>,
    asked: &Person,
    today: NaiveDate,
    behind_shield: bool,
) -> Result<Found, Problem> {
    let rows = sqlx::query!(
        r#"select child_id as "child: ChildId", packed from match_candidates($1, $2, $3, $4, $5)"#,
        &asked.keys_to_find(),
        SCHEME,
        today,
        behind_shield,
        MOST,
    )
    .fetch_all(db)
    .await?;
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let (Some(child), Some(packed)) = (row.child, row.packed) else {
            return Ok(Found::TooMany);
        };
        candidates.push((child, Person::unpack(&packed).map_err(Problem::internal)?));
    }
    Ok(Found::Candidates(candidates))
}
