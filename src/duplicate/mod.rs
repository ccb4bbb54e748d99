//! Records that may be of one child: noted when a child is added, looked at by stewards, and said to be of one child or of two.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    child::{
        birth::{DatePrecision, Gender},
        name::PersonName,
    },
    code::codes,
    ids::{IndexNumber, PossibleDuplicateId},
    matching::{Agreement, Match, Strength},
    problem::{Kind, Problem},
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// How it stands with two records that may be of one child.
    DuplicateStatus {
        /// Nobody has decided.
        Open = "open",
        /// They are of two children.
        Different = "different",
        /// They are of one child.
        Same = "same",
    }
}

codes! {
    /// What a steward decides of two records.
    DuplicateDecision {
        /// They are of two children.
        Different = "different",
        /// They are of one child.
        Same = "same",
    }
}

codes! {
    /// Why two records are of two children, or of one.
    DuplicateGround {
        /// Of two: they are brothers or sisters, or twins.
        Relatives = "relatives",
        /// Of two: they have the same name by chance.
        Namesakes = "namesakes",
        /// Of two: their sources say so.
        SourcesDiffer = "sourcesDiffer",
        /// Of one: their sources say so.
        SourcesAgree = "sourcesAgree",
        /// Of one: the child was recorded twice, under another spelling, date or address.
        RecordedTwice = "recordedTwice",
    }
}

/// Whether two records are of one child.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "decision": "different", "ground": "relatives" }))]
pub struct DuplicateDecisionIn {
    /// Whether they are of one child.
    pub decision: DuplicateDecision,
    /// Why: a ground that fits the decision.
    pub ground: DuplicateGround,
}

impl DuplicateDecisionIn {
    /// How the pair stands after it.
    pub fn check(self) -> Result<DuplicateStatus, Problem> {
        use DuplicateGround::{Namesakes, RecordedTwice, Relatives, SourcesAgree, SourcesDiffer};
        match (self.decision, self.ground) {
            (DuplicateDecision::Different, Relatives | Namesakes | SourcesDiffer) => {
                Ok(DuplicateStatus::Different)
            }
            (DuplicateDecision::Same, SourcesAgree | RecordedTwice) => Ok(DuplicateStatus::Same),
            _ => Err(Problem::invalid("/ground", "does not fit the decision")),
        }
    }
}

/// One of two records that may be of one child: what a shield leaves visible.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateRecord {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The current name.
    pub name: PersonName,
    /// The date of birth.
    #[schema(example = "2015-03-14")]
    pub date_of_birth: NaiveDate,
    /// How much of it is known.
    pub date_of_birth_precision: DatePrecision,
    /// The gender.
    pub gender: Gender,
}

impl From<Match> for DuplicateRecord {
    fn from(told: Match) -> Self {
        let Match { index_number, name, date_of_birth, date_of_birth_precision, gender, .. } = told;
        Self { index_number, name, date_of_birth, date_of_birth_precision, gender }
    }
}

/// Two records that may be of one child.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PossibleDuplicate {
    /// Its number.
    pub id: PossibleDuplicateId,
    /// The two records.
    #[schema(min_items = 2, max_items = 2)]
    pub records: Vec<DuplicateRecord>,
    /// How it stands.
    pub status: DuplicateStatus,
    /// Why it was decided so, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub ground: Option<DuplicateGround>,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// The model by which it was found.
    #[schema(example = "cold")]
    pub model_version: String,
    /// When it was decided, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided_at: Option<DateTime<Utc>>,
    /// Its version, for `If-Match`.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

/// Two records that may be of one child, side by side, as they are now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComparedDuplicate {
    /// The two, and how it stands with them.
    #[serde(flatten)]
    pub pair: PossibleDuplicate,
    /// How well the records agree now.
    pub strength: Strength,
    /// What both records have, and how it agrees.
    pub agreement: Vec<Agreement>,
    /// Why it is not certain that they are of one child.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!(["The given names are not close."]))]
    pub doubts: Vec<String>,
}

/// A page of records that may be of one child.
#[derive(Debug, Serialize, ToSchema)]
pub struct PossibleDuplicates {
    /// The pairs, the longest known first.
    pub items: Vec<PossibleDuplicate>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which pairs are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DuplicateQuery {
    /// That stand so.
    #[param(nullable = false)]
    pub status: Option<DuplicateStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

impl PossibleDuplicate {
    /// Refuses to decide once more.
    pub fn may_be_decided(&self) -> Result<(), Problem> {
        match self.status {
            DuplicateStatus::Open => Ok(()),
            _ => Err(Kind::PossibleDuplicateDecided.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ground_fits_one_decision() {
        for &ground in DuplicateGround::ALL {
            let of_one =
                matches!(ground, DuplicateGround::SourcesAgree | DuplicateGround::RecordedTwice);
            let fits = |decision| DuplicateDecisionIn { decision, ground }.check().ok();
            let (same, different) = (DuplicateStatus::Same, DuplicateStatus::Different);
            assert_eq!(fits(DuplicateDecision::Same), of_one.then_some(same), "{ground}");
            assert_eq!(
                fits(DuplicateDecision::Different),
                (!of_one).then_some(different),
                "{ground}"
            );
        }
    }
}
