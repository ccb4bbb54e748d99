//! Feeds: what other systems send, batch by batch, and what becomes of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    access::{Role, Viewer},
    code::codes,
    contact::PersonLine,
    ids::{FeedId, OrganisationId},
    involvement::{ServiceCategory, ServiceType},
    problem::Problem,
};

pub mod batch;
pub mod import;
pub mod routes;
pub mod row;
pub(crate) mod store;
pub mod worker;

codes! {
    /// Whether what a feed sends counts.
    FeedStage {
        /// Its batches change nothing and report everything.
        Trial = "trial",
        /// Its batches change the index.
        Live = "live",
    }
}

codes! {
    /// In which form a batch comes.
    BatchFormat {
        /// One JSON object on each line (`application/x-ndjson`).
        Ndjson = "ndjson",
        /// Comma-separated values with a header (RFC 4180, `text/csv`).
        Csv = "csv",
        /// The Common Transfer File of the Department for Education (`application/xml`).
        Ctf = "ctf",
    }
}

codes! {
    /// How far a batch is.
    BatchStatus {
        /// Its rows are coming in.
        Receiving = "receiving",
        /// All rows are here; nobody has begun.
        Waiting = "waiting",
        /// Rows are being done.
        Processing = "processing",
        /// Every row has an outcome.
        Done = "done",
        /// The body broke off, or could not be read to its end; nothing of it was done.
        Failed = "failed",
    }
}

codes! {
    /// What became of a row.
    RowOutcome {
        /// It is of a child of the index, whose record follows it.
        Linked = "linked",
        /// It is of a child who was not in the index, and now is.
        Created = "created",
        /// It says what it said before.
        Unchanged = "unchanged",
        /// It may be of a child of the index; a steward decides.
        Review = "review",
        /// It cannot be taken; `errors` say why.
        Rejected = "rejected",
    }
}

/// One source system of one organisation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    /// Its number.
    pub id: FeedId,
    /// Whose children it sends.
    pub organisation_id: OrganisationId,
    /// What it is called.
    #[schema(example = "Example Park MIS")]
    pub name: PersonLine,
    /// What the organisation does for the children whom it sends.
    pub service_type: ServiceType,
    /// Whether what it sends counts.
    pub stage: FeedStage,
    /// Since when it counts, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub live_since: Option<DateTime<Utc>>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

/// A page of feeds, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feeds {
    /// The feeds.
    pub items: Vec<Feed>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which feeds are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Which source system is to be a feed. It begins in trial.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "name": "Example Park MIS", "serviceType": "school" }))]
pub struct FeedIn {
    /// What it is called: the organisation has no other feed of this name.
    pub name: PersonLine,
    /// What the organisation does for the children whom it sends. A sensitive service is not fed: each child's consent is needed.
    pub service_type: ServiceType,
    /// Whose children it sends; your own organisation unless said.
    #[serde(default)]
    #[schema(nullable = false)]
    pub organisation_id: Option<OrganisationId>,
}

impl FeedIn {
    /// The rules of a new feed.
    pub fn check(&self) -> Result<(), Problem> {
        if self.service_type.category() == ServiceCategory::Sensitive {
            let detail = "is a sensitive service, of which nobody is told without consent";
            return Err(Problem::invalid("/serviceType", detail));
        }
        Ok(())
    }
}

/// What changes about a feed.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "name": "Example Park MIS 2" }))]
pub struct FeedChange {
    /// What it is called: the organisation has no other feed of this name.
    pub name: PersonLine,
}

/// Whether what a feed sends is to count.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "stage": "trial" }))]
pub struct FeedStageIn {
    /// Whether it counts.
    pub stage: FeedStage,
}

/// How many rows a batch on trial holds at least by which a feed is judged.
pub const JUDGED: i64 = 20;
/// How many of a hundred of them are of one child or of a new one, without a steward and without being rejected.
pub const GOOD_OF_100: i64 = 95;

/// How the last batch of a feed on trial went.
#[derive(Debug, Clone, Copy)]
pub struct TrialRun {
    /// How many rows it held.
    pub rows: i64,
    /// How many of them were of one child of the index, or of a new one.
    pub good: i64,
}

impl TrialRun {
    /// Whether the feed may count.
    #[must_use]
    pub fn suffices(self) -> bool {
        self.rows >= JUDGED && self.good * 100 >= self.rows * GOOD_OF_100
    }
}

/// Which feeds somebody sees, beside those of the own organisation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Whom they act for.
    pub(crate) organisation: OrganisationId,
    /// Those of the organisations in the own authority.
    pub(crate) area: bool,
    /// Those of national partners.
    pub(crate) partners: bool,
}

impl From<Viewer> for Reach {
    fn from(Viewer { role, organisation }: Viewer) -> Self {
        Self { organisation, area: role == Role::Steward, partners: role == Role::Operator }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_may_count_from_95_of_100_rows_and_from_20_rows_on() {
        for (rows, good, suffices) in [
            (20, 19, true),
            (20, 18, false),
            (19, 19, false),
            (1000, 950, true),
            (1000, 949, false),
        ] {
            assert_eq!(TrialRun { rows, good }.suffices(), suffices, "{good} of {rows}");
        }
    }

    #[test]
    fn a_service_is_fed_unless_it_is_sensitive() {
        for &service_type in ServiceType::ALL {
            let name = PersonLine::parse("Example Park MIS").unwrap();
            let fed = FeedIn { name, service_type, organisation_id: None }.check().is_ok();
            assert_eq!(fed, service_type.category() != ServiceCategory::Sensitive);
        }
    }
}
