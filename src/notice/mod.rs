//! What people are told to do or to know: a kind and a path, never a name.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    access::Role,
    code::codes,
    ids::{NoticeId, OrganisationId},
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// What somebody is told.
    NoticeKind {
        /// Somebody asks that a child be shielded: decide.
        ShieldAsked = "shieldAsked",
        /// A child was shielded in an emergency: confirm within 5 working days.
        EmergencyShield = "emergencyShield",
        /// An emergency shield has not been confirmed in time; it stands until somebody decides.
        EmergencyShieldUnconfirmed = "emergencyShieldUnconfirmed",
        /// A shield is to be reviewed.
        ShieldReviewDue = "shieldReviewDue",
        /// A shield has not been reviewed in time; it stands.
        ShieldReviewLapsed = "shieldReviewLapsed",
        /// A new or changed record resembles that of a shielded child; it is shielded until somebody has looked.
        ResemblesShielded = "resemblesShielded",
        /// Somebody has looked past a shield.
        ShieldOverridden = "shieldOverridden",
        /// A second person is to approve that an identity ends.
        IdentityEndProposed = "identityEndProposed",
        /// Somebody asks to be put in touch: forward it, or close it.
        ContactAsked = "contactAsked",
        /// A request to be put in touch has not been answered for 48 hours.
        ContactOverdue = "contactOverdue",
        /// Another authority offers that yours answer for a record.
        TransferOffered = "transferOffered",
        /// An offer to another authority was answered.
        TransferAnswered = "transferAnswered",
        /// Another authority disputes that you declined its offer; you may still accept.
        TransferDisputed = "transferDisputed",
        /// An offer whose decline you disputed was accepted.
        TransferSettled = "transferSettled",
        /// Somebody proposes that two records become one: approve or refuse it.
        MergeProposed = "mergeProposed",
        /// Somebody proposes that two merged records become two again: approve or refuse it.
        MergeReversalProposed = "mergeReversalProposed",
        /// A flag expires in 14 days unless it is renewed.
        FlagExpiring = "flagExpiring",
        /// A legal hold ends in 14 days unless it is renewed.
        HoldExpiring = "holdExpiring",
        /// Something was found in how the index is used: look into it.
        AlertRaised = "alertRaised",
        /// An investigation is yours to work on.
        InvestigationAssigned = "investigationAssigned",
        /// An account of yours is suspended, because misuse is suspected.
        MisuseSuspected = "misuseSuspected",
        /// An investigation of an account of yours has its outcome: where there was no reason for what was done, decide on the account.
        MisuseDecided = "misuseDecided",
        /// How your people used the index in the week that is over has been counted.
        UsageCounted = "usageCounted",
        /// A purge waits for approval by a second person.
        PurgeProposed = "purgeProposed",
        /// A child, or a carer, asks to see a record, to have it put right, or complains: answer by the day.
        InformationAsked = "informationAsked",
        /// Something that your organisation said of a child is disputed: look at the record, and say what is right.
        FactDisputed = "factDisputed",
        /// A request of a child, or a carer, is to be answered within 7 days.
        InformationRequestDue = "informationRequestDue",
        /// A request of a child, or a carer, has not been answered in time.
        InformationRequestOverdue = "informationRequestOverdue",
        /// Looks at a child are told again in 14 days, unless somebody says that they must not be.
        WithholdingReviewDue = "withholdingReviewDue",
    }
}

/// Something that people are told, once.
#[derive(Debug, Clone)]
pub struct Telling {
    /// What.
    pub kind: NoticeKind,
    /// Whose people are told; without one the national operator, or the archive reviewers.
    pub organisation: Option<OrganisationId>,
    /// Those of this role.
    pub role: Role,
    /// The path of what it is about.
    pub about: String,
    /// The day by which it is to be done.
    pub due_on: Option<NaiveDate>,
}

/// Something that people of a role in an organisation are told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Its number.
    pub id: NoticeId,
    /// What.
    pub kind: NoticeKind,
    /// The path of what it is about.
    #[schema(example = "/v1/transfers/0e4d4b4c-5a7e-4d46-9f0e-1f0f4b1f7c11")]
    pub about: String,
    /// The day by which it is to be done, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub due_on: Option<NaiveDate>,
    /// When it was told.
    pub told_at: DateTime<Utc>,
    /// When somebody said that it was seen, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub seen_at: Option<DateTime<Utc>>,
    /// Its version, for `If-Match`.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

/// A page of notices.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notices {
    /// The notices, the oldest first.
    pub items: Vec<Notice>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which notices are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoticeQuery {
    /// Of this kind alone.
    #[param(nullable = false)]
    pub kind: Option<NoticeKind>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// The roles whose notices somebody of this role reads.
#[must_use]
pub fn told_as(role: Role) -> &'static [Role] {
    match role {
        Role::PractitionerWithOverride => &[Role::Practitioner, Role::PractitionerWithOverride],
        Role::Practitioner => &[Role::Practitioner],
        Role::Steward => &[Role::Steward],
        Role::ShieldApprover => &[Role::ShieldApprover],
        Role::AccountAdministrator => &[Role::AccountAdministrator],
        Role::Operator => &[Role::Operator],
        Role::Auditor => &[Role::Auditor],
        Role::ArchiveReviewer => &[Role::ArchiveReviewer],
        Role::Subject | Role::Feed | Role::CaseSystem => &[],
    }
}
