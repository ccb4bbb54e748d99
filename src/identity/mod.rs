//! How an identity ends: by adoption, or for the protection of a witness. Who the child is from then on is told by nothing here.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    code::codes,
    ids::{AccountId, IdentityEndId, IndexNumber},
    problem::{Kind, Problem},
};

pub mod routes;
mod store;

/// How long a proposal waits for a second person.
pub const WAITS: TimeDelta = TimeDelta::days(7);

codes! {
    /// Why an identity ends.
    IdentityGround {
        /// The child was adopted.
        Adoption = "adoption",
        /// The child or the family is protected as witnesses.
        WitnessProtection = "witnessProtection",
    }
}

codes! {
    /// How the end of an identity stands.
    IdentityEndStatus {
        /// A second person has yet to approve it, within 7 days.
        Proposed = "proposed",
        /// The identity has ended.
        Ended = "ended",
    }
}

/// Why an identity is to end.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "ground": "adoption" }))]
pub struct IdentityEndIn {
    /// Why.
    pub ground: IdentityGround,
}

/// The end of an identity.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityEnd {
    /// Its number.
    pub id: IdentityEndId,
    /// The child whose identity it is.
    pub index_number: IndexNumber,
    /// Why.
    pub ground: IdentityGround,
    /// How it stands.
    pub status: IdentityEndStatus,
    /// Who proposed it.
    pub proposed_by: AccountId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Until when a second person may approve it.
    pub expires_at: DateTime<Utc>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl IdentityEnd {
    /// Two people end an identity.
    pub(crate) fn may_be_approved_by(&self, account: Option<AccountId>) -> Result<(), Problem> {
        if account.is_none_or(|account| account == self.proposed_by) {
            let detail = "Somebody else than whoever proposed it approves it.";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        Ok(())
    }
}
