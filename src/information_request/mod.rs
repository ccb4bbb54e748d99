//! What a child, or a carer, asks of the index: to see the record, to have it put right, or to complain; and by when it is answered.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    child::ContestedFact,
    code::codes,
    ids::{AccountId, IndexNumber, InformationRequestId},
    problem::Problem,
    seal::Place,
    subject::{IdentityEvidence, ResponsibilityEvidence, SubjectCapacity},
    word::{Refusal, word},
};

pub mod clock;
mod found;
pub mod routes;
pub(crate) mod store;

pub(crate) use self::found::Found;

codes! {
    /// What is asked.
    InformationRequestKind {
        /// To see what is held, beyond what `GET /v1/my/record` tells.
        See = "see",
        /// To have something put right.
        Correct = "correct",
        /// To have a complaint about how the record is kept or used answered.
        Complain = "complain",
    }
}

codes! {
    /// How a request stands.
    InformationRequestStatus {
        /// It was received; who asks is not proven yet.
        Received = "received",
        /// Who asks is proven, and of a carer parental responsibility.
        IdentityChecked = "identityChecked",
        /// The organisation that said what is disputed is asked.
        Forwarded = "forwarded",
        /// What was wrong is put right.
        Corrected = "corrected",
        /// A part of it is put right.
        PartlyCorrected = "partlyCorrected",
        /// It was refused.
        Refused = "refused",
        /// It was answered.
        Answered = "answered",
        /// Whoever asked took it back.
        Withdrawn = "withdrawn",
    }
}

impl InformationRequestStatus {
    /// Whether an answer is still due.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::IdentityChecked | Self::Forwarded)
    }
}

codes! {
    /// How a request ends.
    InformationOutcome {
        /// What was wrong is put right.
        Corrected = "corrected",
        /// A part of it is put right; what the person says is kept.
        PartlyCorrected = "partlyCorrected",
        /// It is refused; what the person says is kept.
        Refused = "refused",
        /// It is answered.
        Answered = "answered",
        /// The person took it back, on paper.
        Withdrawn = "withdrawn",
    }
}

codes! {
    /// Why a request is refused.
    RefusalGround {
        /// What the record says is right, by the word of its source.
        Accurate = "accurate",
        /// The law lets it be withheld (Data Protection Act 2018, schedules 2 and 3).
        Exempt = "exempt",
        /// It is manifestly unfounded or excessive (UK GDPR, article 12).
        Unfounded = "unfounded",
        /// The person did not prove who they are, or parental responsibility.
        NotProven = "notProven",
    }
}

codes! {
    /// Why a request takes two months longer (UK GDPR, article 12).
    ExtensionGround {
        /// It is complex.
        Complex = "complex",
        /// The person has asked several things.
        Several = "several",
    }
}

word! {
    /// What a person says in their own words: at most 4,000 characters. It is kept sealed, told to the person and to the stewards of the
    /// responsible authority alone, and deleted when the request ends, unless it is refused.
    #[schema(
        min_length = 1,
        max_length = 4000,
        pattern = r"^[^\u0000-\u0009\u000B-\u001F\u007F-\u009F]*[A-Za-z0-9][^\u0000-\u0009\u000B-\u001F\u007F-\u009F]*$",
        example = "My family name is Testley-Brook.",
    )]
    Statement = statement
}

fn statement(text: &str) -> Result<String, Refusal> {
    let plain = text.chars().all(|c| c == '\n' || !c.is_control());
    let says = text.chars().any(|c| c.is_ascii_alphanumeric());
    if plain && says && text.chars().count() <= 4000 {
        return Ok(text.to_owned());
    }
    Err(Refusal::because(
        "A statement is 1 to 4,000 characters, with at least one letter or digit.",
    ))
}

/// What is asked of the own record.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "kind": "correct", "fact": "name", "statement": "My family name is Testley-Brook." }))]
pub struct AskIn {
    /// Whose record; needed only of a carer who acts for several children.
    #[serde(default)]
    #[schema(nullable = false)]
    pub child: Option<IndexNumber>,
    /// What is asked.
    pub kind: InformationRequestKind,
    /// What is wrong, as `GET /v1/my/record` names it; for `correct` alone. What it does not name, as a service that others are not told
    /// of, is said in `statement` alone.
    #[serde(default)]
    #[schema(nullable = false)]
    pub fact: Option<ContestedFact>,
    /// Which carer, or which involvement: needed for these, and for no other fact.
    #[serde(default)]
    #[schema(nullable = false)]
    pub fact_id: Option<Uuid>,
    /// What is right, or what the complaint is; needed for `correct` and `complain`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub statement: Option<Statement>,
}

/// What was asked on paper, or by word of mouth.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "kind": "see", "capacity": "carer", "receivedOn": "2026-11-12" }))]
pub struct InformationRequestIn {
    /// What is asked.
    pub kind: InformationRequestKind,
    /// Whether the child asks or a carer.
    pub capacity: SubjectCapacity,
    /// The day on which it was received: not after today.
    #[serde(deserialize_with = "crate::word::day")]
    pub received_on: NaiveDate,
    /// What is said to be wrong; for `correct` alone.
    #[serde(default)]
    #[schema(nullable = false)]
    pub fact: Option<ContestedFact>,
    /// Which carer, or which involvement: needed for these, and for no other fact.
    #[serde(default)]
    #[schema(nullable = false)]
    pub fact_id: Option<Uuid>,
    /// What the person says, to the letter; needed for `correct` and `complain`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub statement: Option<Statement>,
}

/// A request that is to be kept.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) kind: InformationRequestKind,
    pub(crate) capacity: SubjectCapacity,
    pub(crate) fact: Option<ContestedFact>,
    pub(crate) fact_id: Option<Uuid>,
    pub(crate) statement: Option<Statement>,
    pub(crate) received_on: NaiveDate,
    /// The account that asks, whose person is proven; nobody where it was asked on paper.
    pub(crate) asked_by: Option<AccountId>,
}

impl New {
    pub(crate) fn asked(
        said: AskIn,
        capacity: SubjectCapacity,
        by: AccountId,
        today: NaiveDate,
    ) -> Self {
        let AskIn { kind, fact, fact_id, statement, .. } = said;
        Self { kind, capacity, fact, fact_id, statement, received_on: today, asked_by: Some(by) }
    }

    pub(crate) fn entered(said: InformationRequestIn) -> Self {
        let InformationRequestIn { kind, capacity, received_on, fact, fact_id, statement } = said;
        Self { kind, capacity, fact, fact_id, statement, received_on, asked_by: None }
    }

    /// What belongs to what.
    pub(crate) fn check(&self, today: NaiveDate) -> Result<(), Problem> {
        let correct = self.kind == InformationRequestKind::Correct;
        if self.fact.is_some() && !correct {
            return Err(Problem::invalid("/fact", "is for `correct` alone"));
        }
        let of_one = matches!(self.fact, Some(ContestedFact::Carer | ContestedFact::Involvement));
        if of_one != self.fact_id.is_some() {
            let detail = "is needed of a carer and of an involvement, and of nothing else";
            return Err(Problem::invalid("/factId", detail));
        }
        if self.statement.is_none() && self.kind != InformationRequestKind::See {
            return Err(Problem::invalid("/statement", "is required to correct and to complain"));
        }
        if self.received_on > today {
            return Err(Problem::invalid("/receivedOn", "must not be after today"));
        }
        Ok(())
    }

    /// How it stands at first: whoever has an account has proven who they are.
    pub(crate) fn status(&self) -> InformationRequestStatus {
        if self.asked_by.is_some() {
            InformationRequestStatus::IdentityChecked
        } else {
            InformationRequestStatus::Received
        }
    }
}

/// How it was proven who asks.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "identity": "passport", "responsibility": "namedAtBirth", "provenOn": "2026-11-16" }))]
pub struct IdentityCheckIn {
    /// How it was made sure who the person is.
    pub identity: IdentityEvidence,
    /// How it was made sure that a carer has parental responsibility: needed of a carer, and of nobody else.
    #[serde(default)]
    #[schema(nullable = false)]
    pub responsibility: Option<ResponsibilityEvidence>,
    /// The day on which the person had to be asked for it, where that was so; the month then counts from `provenOn`.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub asked_on: Option<NaiveDate>,
    /// The day on which it was proven: not before it was asked, not after today.
    #[serde(deserialize_with = "crate::word::day")]
    pub proven_on: NaiveDate,
}

/// Why a request takes two months longer.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "ground": "complex" }))]
pub struct ExtensionIn {
    /// Why.
    pub ground: ExtensionGround,
}

/// How a request ends.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "outcome": "answered" }))]
pub struct InformationOutcomeIn {
    /// How.
    pub outcome: InformationOutcome,
    /// Why it is refused; needed then, and said for no other outcome.
    #[serde(default)]
    #[schema(nullable = false)]
    pub refusal: Option<RefusalGround>,
    /// The version of the record in which the correction stands, made since it was asked: needed of a correction, but of carers and
    /// involvements, which have versions of their own.
    #[serde(default)]
    #[validate(range(min = 1))]
    #[schema(nullable = false, minimum = 1, example = 4)]
    pub record_version: Option<i64>,
}

/// What a child, or a carer, asks of the index.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InformationRequest {
    /// Its number.
    pub id: InformationRequestId,
    /// Whose record.
    pub index_number: IndexNumber,
    /// What is asked.
    pub kind: InformationRequestKind,
    /// Whether the child asks or a carer.
    pub capacity: SubjectCapacity,
    /// What is said to be wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub fact: Option<ContestedFact>,
    /// Which carer, or which involvement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub fact_id: Option<Uuid>,
    /// What the person says; not told to auditors, and kept after the end only where it was refused, in whole or in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub statement: Option<Statement>,
    /// How it stands.
    pub status: InformationRequestStatus,
    /// The same in plain words; told to whoever asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        required = false,
        example = "We are asking the people who told us. We will answer by 16 December 2026."
    )]
    pub words: Option<String>,
    /// The day on which it was received.
    pub received_on: NaiveDate,
    /// The day on which the person had to be asked to prove who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_asked_on: Option<NaiveDate>,
    /// The day on which it was proven who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity_proven_on: Option<NaiveDate>,
    /// The last day on which it is answered in time.
    pub due_on: NaiveDate,
    /// Why it takes two months longer, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub extension: Option<ExtensionGround>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub refusal: Option<RefusalGround>,
    /// The version of the record in which the correction stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub record_version: Option<i64>,
    /// When it was entered here.
    pub asked_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub closed_at: Option<DateTime<Utc>>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl InformationRequest {
    /// Where a statement stands when it is sealed.
    pub(crate) fn place(id: InformationRequestId) -> Place {
        Place::of("information-request", id.0)
    }
}

/// Which requests are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InformationRequestQuery {
    /// How they stand.
    #[param(nullable = false, example = "identityChecked")]
    pub status: Option<InformationRequestStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// A page of requests, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct InformationRequests {
    /// The requests.
    pub items: Vec<InformationRequest>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}
