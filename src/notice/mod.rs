//! What people are told to do or to know: a kind and a path, never a name.

use chrono::NaiveDate;

use crate::{access::Role, code::codes, ids::OrganisationId};

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
        /// A flag expires in 14 days unless it is renewed.
        FlagExpiring = "flagExpiring",
        /// A legal hold ends in 14 days unless it is renewed.
        HoldExpiring = "holdExpiring",
        /// A purge waits for approval by a second person.
        PurgeProposed = "purgeProposed",
    }
}

/// Something that people are told, once.
#[derive(Debug, Clone)]
pub struct Telling {
    /// What.
    pub kind: NoticeKind,
    /// Whose people are told; the national operator's without one.
    pub organisation: Option<OrganisationId>,
    /// Those of this role.
    pub role: Role,
    /// The path of what it is about.
    pub about: String,
    /// The day by which it is to be done.
    pub due_on: Option<NaiveDate>,
}
