//! The records worth comparing with what is asked, as the database finds them by their keys.

use chrono::NaiveDate;
use linkage::{Person, key::SCHEME};
use sqlx::PgExecutor;

use super::candidates::Candidates;
use crate::problem::Problem;

/// As many records as are compared.
pub const MOST: i32 = 4000;

/// The records that share a key with what is asked.
#[derive(Debug)]
pub enum Found {
    /// At most [`MOST`].
    Candidates(Candidates),
    /// More.
    TooMany,
}

impl Found {
    /// The records, none where they are too many to compare.
    #[must_use]
    pub fn candidates(self) -> Candidates {
        match self {
            Self::Candidates(candidates) => candidates,
            Self::TooMany => Candidates::default(),
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
    let found = sqlx::query!(
        r#"select children as "children!", records as "records!" from match_candidates($1, $2, $3, $4, $5)"#,
        &asked.keys_to_find(),
        SCHEME,
        today,
        behind_shield,
        MOST,
    )
    .fetch_optional(db)
    .await?;
    Ok(found.map_or(Found::TooMany, |found| {
        Found::Candidates(Candidates::new(found.children, found.records))
    }))
}
