//! What is looked into because of how the index was used: so far, every look past a shield.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    code::codes,
    ids::{AccountId, ChildId, GrantId, IndexNumber, InvestigationId, OrganisationId},
    override_grant::OverrideGround,
    problem::{Kind, Problem},
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// What is looked into.
    InvestigationKind {
        /// Somebody looked past a shield.
        Override = "override",
    }
}

codes! {
    /// How an investigation stands.
    InvestigationStatus {
        /// It is looked into.
        Open = "open",
        /// It has its outcome.
        Closed = "closed",
    }
}

codes! {
    /// What came out of an investigation.
    InvestigationOutcome {
        /// There was reason for it.
        Justified = "justified",
        /// There was none.
        NotJustified = "notJustified",
    }
}

/// Something that is looked into because of how the index was used.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Investigation {
    /// Its number.
    pub id: InvestigationId,
    /// What it is about.
    pub kind: InvestigationKind,
    /// The child, unless that identity has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub index_number: Option<IndexNumber>,
    /// Whose use of the index is looked into.
    pub account_id: AccountId,
    /// Whom they acted for.
    pub organisation_id: OrganisationId,
    /// The reference that they stated.
    #[schema(example = "CASE/2026-104")]
    pub reference: String,
    /// The ground that they stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ground: Option<OverrideGround>,
    /// When they were let past the shield.
    pub granted_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// How it stands.
    pub status: InvestigationStatus,
    /// What came out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub outcome: Option<InvestigationOutcome>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decided_by: Option<AccountId>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decided_at: Option<DateTime<Utc>>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl Investigation {
    /// It is decided once, and not by those into whose use it looks.
    pub(crate) fn may_be_decided_by(&self, account: Option<AccountId>) -> Result<(), Problem> {
        if account.is_none_or(|account| account == self.account_id) {
            let detail = "Nobody decides on what they did themselves.";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        Ok(())
    }

    /// It has its outcome once.
    pub(crate) fn is_open(&self) -> Result<(), Problem> {
        match self.status {
            InvestigationStatus::Open => Ok(()),
            InvestigationStatus::Closed => Err(Kind::InvestigationClosed.into()),
        }
    }
}

/// What came out of an investigation.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "outcome": "justified" }))]
pub struct OutcomeIn {
    /// Whether there was reason for it.
    pub outcome: InvestigationOutcome,
}

/// Which investigations are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InvestigationQuery {
    /// How they stand.
    #[param(nullable = false, example = "open")]
    pub status: Option<InvestigationStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// A page of investigations, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Investigations {
    /// The investigations.
    pub items: Vec<Investigation>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// An investigation into a look past a shield, as it begins.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) child: ChildId,
    pub(crate) grant: GrantId,
    /// The authority that answers for the record, whose people look into it.
    pub(crate) authority: OrganisationId,
    pub(crate) reference: String,
    pub(crate) ground: Option<OverrideGround>,
}
