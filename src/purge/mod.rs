//! Purges: what is over is deleted, by two people, and leaves keyed hashes by which no feed makes it again.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    access::Caller,
    child::{identifier::Identifier, name::Name},
    code::codes,
    ids::{AccountId, PurgeId},
    problem::{Kind, Problem},
    seal::Vault,
};

pub mod routes;
pub(crate) mod store;
pub mod task;

codes! {
    /// How far a purge is.
    PurgeStatus {
        /// Somebody has proposed it; a second person must approve it.
        Proposed = "proposed",
        /// It is approved, and goes on until all are purged that it reaches.
        Approved = "approved",
        /// It is done.
        Done = "done",
    }
}

/// A purge of all records that were due on a day. It names none of them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Purge {
    /// Its number.
    pub id: PurgeId,
    /// The day on which they were due.
    pub due_on: NaiveDate,
    /// How far it is.
    pub status: PurgeStatus,
    /// How many records it reached when it was proposed.
    #[schema(example = 12)]
    pub proposed: i64,
    /// How many of them are purged.
    #[schema(example = 11)]
    pub purged: i64,
    /// How many were kept, since a hold was placed on them meanwhile.
    #[schema(example = 1)]
    pub kept: i64,
    /// Who has proposed it.
    pub proposed_by: AccountId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Who has approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub approved_by: Option<AccountId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub approved_at: Option<DateTime<Utc>>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl Purge {
    /// Whether the caller may approve it: a second person, once.
    pub fn may_be_approved_by(&self, caller: &Caller) -> Result<(), Problem> {
        if caller.account().is_none_or(|account| account == self.proposed_by) {
            let detail = "A purge is approved by another person than the one who has proposed it.";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        if self.status == PurgeStatus::Proposed { Ok(()) } else { Err(Kind::PurgeApproved.into()) }
    }
}

/// The purges.
#[derive(Debug, Serialize, ToSchema)]
pub struct Purges {
    /// The latest first, 100 at most.
    pub items: Vec<Purge>,
}

/// A record that was purged: a line of the list of erasures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Erasure {
    /// SHA-256 of the record's number in the database, in hexadecimal: the number is random, so that it tells nothing of anybody.
    pub record: String,
    /// The day on which it was purged.
    pub erased_on: NaiveDate,
}

/// The keyed hashes by which a child is known again who was purged: of each name with the birth, and of each identifier.
#[must_use]
pub fn hashes<'n>(
    vault: &Vault,
    born: NaiveDate,
    names: impl IntoIterator<Item = &'n Name>,
    identifiers: &[Identifier],
) -> Vec<Vec<u8>> {
    let born = born.to_string();
    let mut hashes = Vec::new();
    for name in names {
        let family = name.family_key();
        for given in name.given_keys() {
            hashes.push(of_name(vault, &family, &given, &born));
        }
    }
    hashes.extend(identifiers.iter().map(|identifier| {
        vault.blind(&[
            b"purged identifier",
            identifier.kind().as_str().as_bytes(),
            identifier.value().as_bytes(),
        ])
    }));
    hashes
}

fn of_name(vault: &Vault, family: &str, given: &str, born: &str) -> Vec<u8> {
    vault.blind(&[b"purged name", family.as_bytes(), given.as_bytes(), born.as_bytes()])
}
