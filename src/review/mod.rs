//! What stewards decide about rows of feeds: which child a doubtful one is of, and that a source's record is not of a child after all.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use linkage::{Matcher, Person, Reason, explain::doubt};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    child::{
        birth::{DatePrecision, Gender},
        name::{Name, PersonName},
        whereabouts::Whereabouts,
    },
    code::codes,
    feed::row::{FeedRow, SourceReference},
    ids::{BatchId, ChildId, FeedId, IndexNumber, OrganisationId, ReviewTaskId},
    involvement::ServiceType,
    matching::{Agreement, Match, Strength, fuzzy},
    problem::{Kind, Problem},
};

pub mod routes;
pub(crate) mod store;

/// Why a row waits of which a steward has said that it is not of the child whom it is like.
pub(crate) const UNLINKED: &str = "unlinked";

codes! {
    /// How it stands with a row that a steward decides on.
    ReviewStatus {
        /// Nobody has decided.
        Open = "open",
        /// It is of a child of the index, whose record follows it.
        Linked = "linked",
        /// It is of a child who was not in the index, and now is.
        Created = "created",
        /// It is not taken, as long as the source says the same.
        Dismissed = "dismissed",
        /// The source has said something else since.
        Superseded = "superseded",
    }
}

codes! {
    /// What a steward decides of a row.
    ReviewDecision {
        /// It is of this child.
        Link = "link",
        /// It is of a child who is not in the index.
        Create = "create",
        /// It is not taken.
        Dismiss = "dismiss",
    }
}

codes! {
    /// Why a row is of a child, of a new one, or not taken.
    ReviewRationale {
        /// Of the child: other sources say so.
        SourcesAgree = "sourcesAgree",
        /// Of the child: the name, the date or the address is only written in another way, or has changed.
        WrittenOtherwise = "writtenOtherwise",
        /// Of another child: they are brothers or sisters, or twins.
        Relatives = "relatives",
        /// Of another child: they have the same name by chance.
        Namesakes = "namesakes",
        /// Not taken: the source is mistaken, and was told.
        SourceMistaken = "sourceMistaken",
        /// Not taken: what is known does not tell.
        CannotBeTold = "cannotBeTold",
    }
}

/// What becomes of a row.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "decision": "dismiss", "rationale": "cannotBeTold" }))]
pub struct ReviewDecisionIn {
    /// What it is.
    pub decision: ReviewDecision,
    /// Of whom it is: with `link`, and with nothing else.
    #[serde(default)]
    #[schema(nullable = false)]
    pub index_number: Option<IndexNumber>,
    /// Why: one that fits the decision.
    pub rationale: ReviewRationale,
}

impl ReviewDecisionIn {
    /// The child to link to, where that is decided.
    pub fn check(&self) -> Result<Option<&IndexNumber>, Problem> {
        use ReviewRationale::{
            CannotBeTold, Namesakes, Relatives, SourceMistaken, SourcesAgree, WrittenOtherwise,
        };
        let fits = match self.decision {
            ReviewDecision::Link => matches!(self.rationale, SourcesAgree | WrittenOtherwise),
            ReviewDecision::Create => matches!(self.rationale, Relatives | Namesakes),
            ReviewDecision::Dismiss => matches!(self.rationale, SourceMistaken | CannotBeTold),
        };
        if !fits {
            return Err(Problem::invalid("/rationale", "does not fit the decision"));
        }
        match (self.decision, &self.index_number) {
            (ReviewDecision::Link, None) => {
                Err(Problem::invalid("/indexNumber", "is required to link"))
            }
            (ReviewDecision::Link, Some(number)) => Ok(Some(number)),
            (_, Some(_)) => Err(Problem::invalid("/indexNumber", "is only for `link`")),
            (_, None) => Ok(None),
        }
    }
}

/// A row that a steward decides on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewTask {
    /// Its number.
    pub id: ReviewTaskId,
    /// The feed that sent it.
    pub feed_id: FeedId,
    /// The organisation whose feed it is.
    pub organisation_id: OrganisationId,
    /// The batch in which it came.
    pub batch_id: BatchId,
    /// The source's own key of the child.
    pub reference: SourceReference,
    /// How it stands.
    pub status: ReviewStatus,
    /// Why it is not certain of whom it is, in plain English.
    #[schema(example = json!(["What agrees is too little to be sure."]))]
    pub reasons: Vec<String>,
    /// The child whom it is of, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub index_number: Option<IndexNumber>,
    /// Why it was decided so, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub rationale: Option<ReviewRationale>,
    /// When it came.
    pub raised_at: DateTime<Utc>,
    /// The model by which it was compared.
    #[schema(example = "cold")]
    pub model_version: String,
    /// When it was decided, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided_at: Option<DateTime<Utc>>,
    /// Its version, for `If-Match`.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

impl ReviewTask {
    /// Refuses to decide once more.
    pub fn may_be_decided(&self) -> Result<(), Problem> {
        match self.status {
            ReviewStatus::Open => Ok(()),
            _ => Err(Kind::ReviewTaskDecided.into()),
        }
    }
}

/// Why a row waits, in words.
pub(crate) fn reason(code: &str) -> String {
    let known: Option<Reason> = serde_json::from_value(code.into()).ok();
    let otherwise = match code {
        UNLINKED => "A steward has said that what this source sends is not of this child.",
        _ => "More children share what was sent than are compared.",
    };
    known.map_or(otherwise, doubt).to_owned()
}

/// A row that a steward decides on, beside the children whom it is like.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenedReviewTask {
    /// The row, and how it stands with it.
    #[serde(flatten)]
    pub task: ReviewTask,
    /// What was sent.
    pub sent: SentChild,
    /// The children whom it is like, best first: of a shielded one, what a shield leaves visible.
    pub candidates: Vec<ReviewCandidate>,
}

/// What a source has sent of a child.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SentChild {
    /// The names.
    pub names: Vec<Name>,
    /// The date of birth.
    #[schema(example = "2015-03-14")]
    pub date_of_birth: NaiveDate,
    /// How much of it is known.
    pub date_of_birth_precision: DatePrecision,
    /// The gender.
    pub gender: Gender,
    /// Where the child is; absent where the source does not say, and where one of the children is shielded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub whereabouts: Option<Whereabouts>,
    /// The names of parents and carers.
    pub carers: Vec<PersonName>,
}

impl SentChild {
    /// What was sent, with where the child is where that may be told.
    pub(crate) fn of(said: FeedRow, hidden: bool) -> Self {
        Self {
            names: said.names,
            date_of_birth: said.date_of_birth,
            date_of_birth_precision: said.date_of_birth_precision,
            gender: said.gender,
            whereabouts: said.whereabouts.filter(|_| !hidden),
            carers: said.carers.into_iter().map(|carer| carer.name).collect(),
        }
    }
}

/// A child whom a row is like.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewCandidate {
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
    /// How well it agrees with the row now.
    pub strength: Strength,
    /// What both have, and how it agrees.
    pub agreement: Vec<Agreement>,
    /// Why it is not certain that it is this child.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub doubts: Vec<String>,
}

/// The children whom a row is like, side by side with it, as they are now; those of whom nothing is told any more are left out.
pub(crate) fn side_by_side(
    matcher: &Matcher,
    asked: &Person,
    candidates: &[ChildId],
    mut told: HashMap<ChildId, Match>,
    mut entries: HashMap<ChildId, Person>,
) -> Vec<ReviewCandidate> {
    let both = candidates.iter().filter_map(|child| {
        let Match { index_number, name, date_of_birth, date_of_birth_precision, gender, .. } =
            told.remove(child)?;
        let pair = entries.remove(child).map(|known| (asked.clone(), known));
        let (strength, agreement, doubts) = fuzzy::side_by_side(matcher, pair);
        Some(ReviewCandidate {
            index_number,
            name,
            date_of_birth,
            date_of_birth_precision,
            gender,
            strength,
            agreement,
            doubts,
        })
    });
    both.collect()
}

/// A page of rows that stewards decide on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewTasks {
    /// The rows, the longest waiting first.
    pub items: Vec<ReviewTask>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewQuery {
    /// That stand so.
    #[param(nullable = false)]
    pub status: Option<ReviewStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// A record of a source that is of a child.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceOfRecord {
    /// The feed.
    pub feed_id: FeedId,
    /// The organisation whose feed it is.
    pub organisation_id: OrganisationId,
    /// What it does for the children whom it sends.
    pub service_type: ServiceType,
    /// The source's own key of the child.
    pub reference: SourceReference,
    /// When it last said something new.
    pub said_at: DateTime<Utc>,
    /// Since when it no longer sends the child, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub unconfirmed_since: Option<DateTime<Utc>>,
}

/// The sources that a record follows.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourcesOfRecord {
    /// The records of sources, the latest first; none where a shield hides them.
    pub items: Vec<SourceOfRecord>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rationale_fits_one_decision() {
        for &rationale in ReviewRationale::ALL {
            let fits = |decision| {
                let index_number = (decision == ReviewDecision::Link)
                    .then(|| IndexNumber::from_ten_digits(4_000_000_000));
                ReviewDecisionIn { decision, index_number, rationale }.check().is_ok()
            };
            let decisions = ReviewDecision::ALL.iter();
            assert_eq!(decisions.filter(|decision| fits(**decision)).count(), 1, "{rationale}");
        }
    }

    #[test]
    fn every_reason_has_its_own_words() {
        let codes = ["tooLittle", "oneSource", UNLINKED, "tooMany"].map(reason);
        let mut words = codes.to_vec();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), codes.len(), "{codes:?}");
    }
}
