//! What is looked into because of how the index was used: every look past a shield, and what detectors found.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    access::Role,
    account::AccountStatus,
    audit::AuditEvent,
    code::codes,
    detector::Detector,
    ids::{AccountId, AlertId, ChildId, GrantId, IndexNumber, InvestigationId, OrganisationId},
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
        /// A detector found something.
        Alert = "alert",
    }
}

codes! {
    /// What was found out in an investigation.
    InvestigationFinding {
        /// They worked with the child, which was not recorded.
        WorkedWithChild = "workedWithChild",
        /// They were asked to by somebody who works with the child.
        AskedByOthers = "askedByOthers",
        /// They took one child for another.
        Mistaken = "mistaken",
        /// They did not know how the index is to be used.
        Untrained = "untrained",
        /// They tried the index out, or were trained on it.
        TriedOut = "triedOut",
        /// They were curious.
        Curiosity = "curiosity",
        /// It was about their own family, or people whom they know.
        OwnPeople = "ownPeople",
        /// They told others what they had seen, or gave it to them.
        ToldOthers = "toldOthers",
        /// Somebody else used the account.
        AccountOfAnother = "accountOfAnother",
        /// It could not be found out.
        NotFoundOut = "notFoundOut",
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
    /// The reference that they stated, where they looked past a shield.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "CASE/2026-104")]
    pub reference: Option<String>,
    /// The ground that they stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ground: Option<OverrideGround>,
    /// When they were let past the shield, where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub granted_at: Option<DateTime<Utc>>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<DateTime<Utc>>,
    /// The alert by which it began, where it did so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alert_id: Option<AlertId>,
    /// What raised that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detector: Option<Detector>,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// Who looks into it, where somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub assigned_to: Option<AccountId>,
    /// When misuse was suspected, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub suspected_at: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: InvestigationStatus,
    /// What came out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub outcome: Option<InvestigationOutcome>,
    /// What was found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<InvestigationFinding>,
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

    /// Misuse is suspected once.
    pub(crate) fn is_not_suspected(&self) -> Result<(), Problem> {
        if self.suspected_at.is_some() { Err(Kind::SuspectedAlready.into()) } else { Ok(()) }
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
#[schema(example = json!({ "outcome": "justified", "findings": ["workedWithChild"] }))]
pub struct OutcomeIn {
    /// Whether there was reason for it.
    pub outcome: InvestigationOutcome,
    /// What was found out: at most 10.
    #[validate(length(max = 10))]
    #[serde(default)]
    #[schema(max_items = 10)]
    pub findings: Vec<InvestigationFinding>,
}

/// Who is to look into it.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "accountId": "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c08" }))]
pub struct AssignmentIn {
    /// The account of an auditor of your own organisation.
    pub account_id: AccountId,
}

/// That misuse is suspected.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "suspend": true }))]
pub struct SuspicionIn {
    /// Always `true`: the account is suspended at once.
    #[schema(value_type = bool)]
    pub suspend: bool,
}

impl SuspicionIn {
    /// It is acknowledged that the account is suspended.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.suspend { Ok(()) } else { Err(Problem::invalid("/suspend", "must be true")) }
    }
}

/// In what an investigation looks: the events in which it shows, and whose they are. Reading it is written down.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Whose use of the index it is.
    pub accounts: Vec<EvidenceAccount>,
    /// The events, the latest first. Where what was found lies in months of use there is none: search the audit by the account.
    pub events: Vec<AuditEvent>,
}

/// Somebody whose use of the index is looked into.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceAccount {
    /// The account.
    pub account_id: AccountId,
    /// The person's name.
    #[schema(example = "Example Practitioner")]
    pub name: String,
    /// What the person is to the index.
    pub role: Role,
    /// Whom the person acts for.
    pub organisation_id: OrganisationId,
    /// How the account stands.
    pub status: AccountStatus,
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
