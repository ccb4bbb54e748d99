//! Batches: what a feed sends at once, how far it is, and what became of each row.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::{BatchFormat, BatchStatus, RowOutcome, row::SourceReference};
use crate::{
    code::codes,
    ids::{BatchId, FeedId, IndexNumber},
    problem::{Fault, Kind, Problem},
};

mod intake;
mod reader;
pub mod routes;
pub(crate) mod store;
pub mod task;

/// The largest batch that is taken, in bytes: 1 GiB unless said.
#[derive(Debug, Clone, Copy)]
pub struct LargestBatch(pub u64);

impl Default for LargestBatch {
    fn default() -> Self {
        Self(1024 * 1024 * 1024)
    }
}

/// For how long before today a batch may say that it holds what was then.
const OLDEST: Days = Days::new(366);

codes! {
    /// Why a batch failed. Nothing of it was done; send it again.
    BatchFailure {
        /// Its body broke off, or too little of it came in too long a time.
        BrokenOff = "brokenOff",
        /// Its body is over 1 GiB.
        TooLarge = "tooLarge",
        /// Its body holds no row, or cannot be read to its end in the form that it is said to have.
        Unreadable = "unreadable",
    }
}

/// What is said of a batch beside its body.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BatchIn {
    /// Whether it holds every child whom the feed holds, so that whoever is not in it is no longer sent; not unless said.
    #[param(nullable = false, example = true)]
    pub complete: Option<bool>,
    /// The day for which what it says holds, today unless said: not after today, and at most 366 days before.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[param(nullable = false, example = "2026-11-16")]
    pub as_at: Option<NaiveDate>,
}

impl BatchIn {
    /// The day for which it holds.
    pub fn as_at(&self, today: NaiveDate) -> Result<NaiveDate, Problem> {
        let as_at = self.as_at.unwrap_or(today);
        if as_at > today || as_at + OLDEST < today {
            let detail = "asAt must not be after today or over 366 days before.";
            return Err(Problem::new(Kind::InvalidQuery, detail));
        }
        Ok(as_at)
    }
}

/// What a feed sent at once, and how far it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// The feed that sent it.
    pub feed_id: FeedId,
    /// In which form it came.
    pub format: BatchFormat,
    /// Whether it holds every child whom the feed holds.
    pub complete: bool,
    /// Whether it only reports what it would do.
    pub trial: bool,
    /// The day for which what it says holds.
    pub as_at: NaiveDate,
    /// How far it is.
    pub status: BatchStatus,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub failure: Option<BatchFailure>,
    /// How many bytes of it have come in.
    #[schema(minimum = 0, example = 48_211)]
    pub bytes: i64,
    /// How many rows of it have come in.
    #[schema(minimum = 0, example = 212)]
    pub rows: i64,
    /// How many of them have an outcome.
    #[schema(minimum = 0, example = 212)]
    pub done: i64,
    /// How many have each outcome.
    pub outcomes: Outcomes,
    /// How many records of the feed it no longer holds, which were so marked as unconfirmed; of a complete one.
    #[schema(minimum = 0, example = 0)]
    pub unconfirmed: i64,
    /// When it began to come in.
    pub received_at: DateTime<Utc>,
    /// When work on its rows began, where it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub begun_at: Option<DateTime<Utc>>,
    /// When it was done or failed, where it is or has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub ended_at: Option<DateTime<Utc>>,
    /// How many rows a second are worked on, or were; absent as long as none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 0, example = 104.5)]
    pub rows_per_second: Option<f64>,
    /// In how many seconds the work will be done at that rate, while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 0)]
    pub seconds_left: Option<i64>,
}

/// How many rows have each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Outcomes {
    /// Linked to a child of the index, whose record follows them.
    #[schema(minimum = 0, example = 180)]
    pub linked: i64,
    /// Of a child who was not in the index, and now is.
    #[schema(minimum = 0, example = 9)]
    pub created: i64,
    /// Saying what they said before.
    #[schema(minimum = 0, example = 20)]
    pub unchanged: i64,
    /// Waiting for a steward.
    #[schema(minimum = 0, example = 2)]
    pub review: i64,
    /// Not taken.
    #[schema(minimum = 0, example = 1)]
    pub rejected: i64,
}

impl Outcomes {
    /// How many rows have any.
    #[must_use]
    pub fn done(self) -> i64 {
        self.linked + self.created + self.unchanged + self.review + self.rejected
    }
}

/// How many of `rows` were worked on in a second, and in how many seconds the rest is, where `worked` were in this time.
pub(crate) fn pace(worked: i64, rest: i64, milliseconds: i64) -> Option<(f64, i64)> {
    if worked <= 0 || milliseconds <= 0 {
        return None;
    }
    let per_second =
        i32::try_from(worked.saturating_mul(10_000) / milliseconds).unwrap_or(i32::MAX);
    let left = rest.saturating_mul(milliseconds) / worked.saturating_mul(1_000);
    Some((f64::from(per_second) / 10.0, left + 1))
}

/// A page of batches, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Batches {
    /// The batches.
    pub items: Vec<Batch>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which batches are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BatchQuery {
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// What became of one row of a batch.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchRow {
    /// Where it stands: the line of NDJSON or CSV on which it begins; of a Common Transfer File, how manieth pupil it is.
    #[schema(minimum = 1, example = 17)]
    pub line: i64,
    /// The source's own key of the child, where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reference: Option<SourceReference>,
    /// What became of it; absent as long as nothing has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub outcome: Option<RowOutcome>,
    /// The number of the child of whom it is, where that is known and the record is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub index_number: Option<IndexNumber>,
    /// Why it was rejected: each with where in the row; never a value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<Fault>,
}

/// A page of what became of the rows of a batch, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchRows {
    /// The rows.
    pub items: Vec<BatchRow>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RowQuery {
    /// What became of them.
    #[param(nullable = false, example = "rejected")]
    pub outcome: Option<RowOutcome>,
    /// How many at most: 1 to 100, 20 unless said; of lines (`application/x-ndjson`), all.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_holds_for_a_day_of_the_year_past() {
        let today: NaiveDate = "2026-11-16".parse().unwrap();
        let as_at = |day: Option<&str>| {
            let as_at = day.map(|day| day.parse().unwrap());
            BatchIn { complete: None, as_at }.as_at(today).ok()
        };
        assert_eq!(as_at(None), Some(today));
        for (day, may) in [
            ("2026-11-16", true),
            ("2026-11-17", false),
            ("2025-11-15", true),
            ("2025-11-14", false),
        ] {
            assert_eq!(as_at(Some(day)).is_some(), may, "{day}");
        }
    }

    #[test]
    fn the_pace_of_the_work_tells_when_it_is_done() {
        assert_eq!(pace(0, 100, 1_000), None);
        assert_eq!(pace(100, 100, 0), None);
        assert_eq!(pace(1_045, 0, 10_000), Some((104.5, 1)));
        assert_eq!(pace(500, 1_000, 2_000), Some((250.0, 5)));
    }
}
