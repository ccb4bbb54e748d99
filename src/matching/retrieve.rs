//! The records worth comparing with what is asked, as the database finds them by their keys.

use chrono::NaiveDate;
use futures_util::TryStreamExt;
use linkage::{Person, key::SCHEME};
use sqlx::{PgConnection, PgExecutor};

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

/// The same for many, each asked with whether it holds something that a shield hides: `of` is told of each as it comes, so that
/// the records of no more than one are held at a time.
pub(crate) async fn each(
    db: &mut PgConnection,
    asked: &[(&Person, bool)],
    today: NaiveDate,
    mut of: impl FnMut(usize, Found) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut found = sqlx::query!(
        r#"select r.n as "n!", f.children, f.records
           from unnest($1::text[], $2::boolean[]) with ordinality as r (keys, behind_shield, n)
           left join lateral match_candidates(r.keys::bigint[], $3, $4, r.behind_shield, $5) f on true"#,
        &asked.iter().map(|(person, _)| keys(person)).collect::<Vec<_>>(),
        &asked.iter().map(|(_, behind_shield)| *behind_shield).collect::<Vec<_>>(),
        SCHEME,
        today,
        MOST,
    )
    .fetch(db);
    while let Some(row) = found.try_next().await? {
        let all = row.children.zip(row.records);
        let all = all.map(|(children, records)| Candidates::new(children, records));
        of(place(row.n)?, all.map_or(Found::TooMany, Found::Candidates))?;
    }
    Ok(())
}

/// Of each of many, the shielded records in use today that share a key with what is asked, which holds nothing that a shield hides.
pub(crate) async fn each_shielded(
    db: &mut PgConnection,
    asked: &[&Person],
    today: NaiveDate,
    mut of: impl FnMut(usize, Candidates) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut found = sqlx::query!(
        r#"select r.n as "n!", f.children as "children!", f.records as "records!"
           from unnest($1::text[]) with ordinality as r (keys, n)
           cross join lateral match_shielded(r.keys::bigint[], $2, $3, $4) f
           where cardinality(f.children) > 0"#,
        &asked.iter().map(|person| keys(person)).collect::<Vec<_>>(),
        SCHEME,
        today,
        MOST,
    )
    .fetch(db);
    while let Some(row) = found.try_next().await? {
        of(place(row.n)?, Candidates::new(row.children, row.records))?;
    }
    Ok(())
}

/// The keys of one of many, as PostgreSQL reads them.
fn keys(asked: &Person) -> String {
    let keys: Vec<_> = asked.keys_to_find().iter().map(i64::to_string).collect();
    format!("{{{}}}", keys.join(","))
}

/// The place of one of many, whom PostgreSQL counts from one.
fn place(n: i64) -> Result<usize, Problem> {
    usize::try_from(n - 1).map_err(Problem::internal)
}
