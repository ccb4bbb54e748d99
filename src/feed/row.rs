//! What a row of a feed says of one child: what a record may hold, and nothing else.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    carer::CarerIn,
    child::{
        birth::{DatePrecision, Gender},
        identifier::Identifier,
        name::Name,
        whereabouts::Whereabouts,
    },
    contact::Contact,
    ids::{BatchId, FeedId, ReviewTaskId},
    seal::Place,
    word::{Refusal, word},
};

word! {
    /// A source's own key of a child, 1 to 64 letters, digits and `-._:/`: it stays with the child from batch to batch.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._:/-]+$", example = "PUPIL-0042")]
    SourceReference = source_reference
}

fn source_reference(text: &str) -> Result<String, Refusal> {
    const FORM: Refusal =
        Refusal::because("A source's reference is 1 to 64 letters, digits and - . _ : /.");
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._:/".contains(&c);
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
    if fits { Ok(text.to_owned()) } else { Err(FORM) }
}

/// What a row says: every importer yields this, and nothing else leaves a parser.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeedRow {
    /// The source's own key of the child.
    pub reference: SourceReference,
    /// One current name, and any former and known-as names.
    pub names: Vec<Name>,
    /// The date of birth.
    pub date_of_birth: NaiveDate,
    /// How much of it is known.
    #[serde(default)]
    pub date_of_birth_precision: DatePrecision,
    /// The gender; `notSpecified` says nothing.
    pub gender: Gender,
    /// Where the child is, as far as the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whereabouts: Option<Whereabouts>,
    /// Numbers that other bodies gave the child: at most one of a kind, checked.
    #[serde(default)]
    pub identifiers: Vec<Identifier>,
    /// Parents, and others with parental responsibility or care: at most 10.
    #[serde(default)]
    pub carers: Vec<CarerIn>,
    /// The 3-digit code of the local authority that answers for a new record; the one of the feed's organisation unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responsible_authority: Option<String>,
    /// The work of the feed's organisation with the child, as its own service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub involvement: Option<RowInvolvement>,
}

/// The work of the feed's organisation with the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RowInvolvement {
    /// Whom to ask for.
    pub contact: Contact,
    /// The day it began.
    #[serde(deserialize_with = "crate::word::day")]
    pub started_on: NaiveDate,
    /// The day it ended, where it has.
    #[serde(
        default,
        deserialize_with = "crate::word::some_day",
        skip_serializing_if = "Option::is_none"
    )]
    pub ended_on: Option<NaiveDate>,
}

impl FeedRow {
    /// Where a row that waits is sealed.
    #[must_use]
    pub fn waiting_at(batch: BatchId, line: i64) -> Place {
        Place::named("feed_row", batch.0, &line.to_string())
    }

    /// Where what a source said last is sealed.
    #[must_use]
    pub fn kept_at(feed: FeedId, reference: &SourceReference) -> Place {
        Place::named("source_record", feed.0, reference.as_str())
    }

    /// Where a row that a steward looks at is sealed.
    #[must_use]
    pub fn reviewed_at(task: ReviewTaskId) -> Place {
        Place::of("review_task", task.0)
    }
}
