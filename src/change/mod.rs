//! What has changed of the children with whom an organisation works: pointers in commit order, never what they point to.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    code::codes,
    cursor,
    ids::{ChildId, IndexNumber},
    problem::Problem,
};

pub mod routes;
pub(crate) mod store;

/// How long changes are kept; a reader that comes back later begins anew.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(90);
/// How many changes, of whomever, one call looks through at most, where it cannot go by the children of the organisation.
pub(crate) const LOOKED_THROUGH: i64 = 20_000;
/// Up to how many involvements of an organisation, also those that have ended, its children are few: then their changes are
/// looked up by them.
pub(crate) const FEW_CHILDREN: i64 = 10_000;

codes! {
    /// What has changed of a child.
    ChangeKind {
        /// The record was added.
        Added = "added",
        /// Names, birth, gender, or how the record stands: open it anew.
        Child = "child",
        /// The whereabouts.
        Whereabouts = "whereabouts",
        /// Identifiers.
        Identifiers = "identifiers",
        /// Carers.
        Carers = "carers",
        /// Involvements that you may know of.
        Involvements = "involvements",
        /// Flags that you may know of.
        Flags = "flags",
        /// The record was merged into another, which `into` names: go on with that.
        Merged = "merged",
        /// You are told no more of the record: drop what you keep of it. Why is not told. Where it is told of again, a `child`
        /// follows.
        Withdrawn = "withdrawn",
    }
}

/// That something has changed: whose, of what kind and when; what it is now stands in the record alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// What has changed.
    pub kind: ChangeKind,
    /// The number of the record that goes on, where this one was merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub into: Option<IndexNumber>,
    /// When it was written, in UTC.
    #[schema(example = "2026-11-16T09:30:00Z")]
    pub at: DateTime<Utc>,
}

/// A page of changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    /// The changes, in the order of their commits; at most one of a kind for a child in each transaction.
    pub items: Vec<Change>,
    /// Where to go on: the `after` of the next call, also where nothing was found. It is opaque.
    #[schema(
        min_length = 1,
        max_length = 400,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "WyI5NDExMiIsMzFd"
    )]
    pub next: String,
    /// Whether there is more to read at once; otherwise ask again in a while.
    pub more: bool,
}

/// Which changes are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeQuery {
    /// The `next` of the call before; without it, from the oldest that are kept: 90 days.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
    /// How many at most: 1 to 1000, 100 unless said.
    #[validate(range(min = 1, max = 1000))]
    #[param(nullable = false, minimum = 1, maximum = 1000, example = 100)]
    pub limit: Option<u16>,
}

/// A place in the order of changes: a transaction, and a row of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    pub(crate) transaction: u64,
    pub(crate) row: i64,
}

impl Place {
    /// The place that an `after` says.
    pub(crate) fn read(after: &str) -> Result<Self, Problem> {
        let (transaction, row): (u64, i64) = cursor::read(after)?;
        Ok(Self { transaction, row })
    }

    /// The place as an opaque text.
    pub(crate) fn write(self) -> String {
        cursor::write(&(self.transaction, self.row))
    }
}

/// What one call found: each with the child, for the audit.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) items: Vec<(ChildId, Change)>,
    pub(crate) next: Place,
    pub(crate) more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is_one() {
        for place in [Place::default(), Place { transaction: u64::MAX, row: i64::MAX }] {
            assert_eq!(Place::read(&place.write()).unwrap(), place);
        }
        for text in ["x", "WzFd", "Wy0xLDBd", "WzEsIjAiXQ"] {
            assert!(Place::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn places_follow_the_transactions_and_then_the_rows() {
        let place = |transaction, row| Place { transaction, row };
        assert!(place(1, 9) < place(2, 0) && place(2, 0) < place(2, 1));
    }
}
