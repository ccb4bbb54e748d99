//! Legal holds: what keeps a record from being purged.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    access::{Role, Viewer},
    code::codes,
    ids::{HoldId, OrganisationId},
    problem::{Kind, Problem},
    retention::{Phase, anniversary},
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// Why a record must not be purged.
    HoldGround {
        /// A court has ordered it.
        CourtOrder = "courtOrder",
        /// An inquiry needs it.
        Inquiry = "inquiry",
        /// There is litigation, or it is to be expected.
        Litigation = "litigation",
        /// The police are investigating.
        PoliceInvestigation = "policeInvestigation",
    }
}

/// What is said of a new hold.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "ground": "litigation", "until": "2027-11-16" }))]
pub struct HoldIn {
    /// Why.
    pub ground: HoldGround,
    /// The first day, today unless said: not before today, and at most a year from today.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub from: Option<NaiveDate>,
    /// The day at whose beginning it ends: after the first, and at most 2 years after it.
    #[serde(deserialize_with = "crate::word::day")]
    pub until: NaiveDate,
}

impl HoldIn {
    /// The first day, by the rules that need today.
    pub fn from(&self, today: NaiveDate) -> Result<NaiveDate, Problem> {
        let from = self.from.unwrap_or(today);
        if !(today..=anniversary(today, 1)).contains(&from) {
            let detail = "must not be before today or over a year from today";
            return Err(Problem::invalid("/from", detail));
        }
        if self.until <= from || self.until > anniversary(from, 2) {
            let detail = "must be after the first day and at most 2 years after it";
            return Err(Problem::invalid("/until", detail));
        }
        Ok(from)
    }
}

/// When a hold ends: later, where it is renewed, or today.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "until": "2028-11-16" }))]
pub struct HoldChange {
    /// The day at whose beginning it ends: from today, which ends it at once, to 2 years from today.
    #[serde(deserialize_with = "crate::word::day")]
    pub until: NaiveDate,
}

/// A hold on a record.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Its number.
    pub id: HoldId,
    /// Why.
    pub ground: HoldGround,
    /// The first day.
    pub from: NaiveDate,
    /// The day at whose beginning it ends.
    pub until: NaiveDate,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl Hold {
    /// The first day on which its end may be put, by the rules that need today.
    pub fn change(&self, change: &HoldChange, today: NaiveDate) -> Result<NaiveDate, Problem> {
        if self.until <= today {
            return Err(Kind::HoldEnded.into());
        }
        let first = today.max(self.from);
        if change.until < first || change.until > anniversary(first, 2) {
            let detail = "must not be before today or over 2 years from today";
            return Err(Problem::invalid("/until", detail));
        }
        Ok(change.until)
    }
}

/// The holds on a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Holds {
    /// Those in force and those that were, the latest first.
    pub items: Vec<Hold>,
}

/// A record as far as the rules about holds need it.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// The authority that answers for it.
    pub authority: OrganisationId,
    /// Since when it is archived, where it is.
    pub since: Option<NaiveDate>,
}

impl Kept {
    /// Whether somebody may know and change its holds: while it is in use and for the first year after, a steward of the
    /// authority that answers for it; from then on until its purge, the archive reviewer.
    pub fn may_be_held_by(&self, viewer: Viewer, today: NaiveDate) -> Result<(), Problem> {
        let own = viewer.organisation == self.authority;
        match (viewer.role, self.since.map(|since| Phase::on(since, today))) {
            (Role::Steward, None | Some(Phase::FirstYear)) if own => Ok(()),
            (Role::Steward, None) => Err(Problem::new(
                Kind::Forbidden,
                "A record is held by a steward of the authority that is responsible for it.",
            )),
            (Role::ArchiveReviewer, Some(Phase::Review | Phase::Over)) => Ok(()),
            _ => Err(Kind::NotFound.into()),
        }
    }
}
