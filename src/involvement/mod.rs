//! Which organisations work with a child, how to reach them, and what they indicate to one another.

use std::cmp::Reverse;

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    access::{Caller, Role},
    child::provenance::Provenance,
    code::codes,
    consent::{Basis, ConsentIn, Receipt},
    contact::{Contact, Phone},
    ids::{InvolvementId, OrganisationId},
    organisation::OrganisationKind,
    problem::{Kind, Problem},
};

mod discreet;
pub mod routes;
pub(crate) mod store;

codes! {
    /// Who may learn that a service works with a child.
    ServiceCategory {
        /// A service that every child has.
        Universal = "universal",
        /// A service for some children.
        Additional = "additional",
        /// A service that is told to nobody else without consent.
        Sensitive = "sensitive",
    }
}

macro_rules! service_types {
    ($($(#[doc = $doc:literal])+ $name:ident $code:literal $category:ident;)*) => {
        /// What an organisation does for a child (a code list; `GET /v1/service-types` explains it).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub enum ServiceType { $($(#[doc = $doc])+ $name),* }

        impl ServiceType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its code.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The service of this code.
            #[must_use]
            pub fn coded(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|service| service.code() == code)
            }

            /// Its meaning.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),* }
            }

            /// Who may learn of it.
            #[must_use]
            pub fn category(self) -> ServiceCategory {
                match self { $(Self::$name => ServiceCategory::$category),* }
            }
        }
    };
}

service_types! {
    /// Nursery, childminder or other early years provision.
    EarlyYears "earlyYears" Universal;
    /// School.
    School "school" Universal;
    /// College or other education after 16.
    College "college" Universal;
    /// General practice.
    GeneralPractice "generalPractice" Universal;
    /// Health visiting.
    HealthVisiting "healthVisiting" Universal;
    /// School nursing.
    SchoolNursing "schoolNursing" Universal;
    /// Children's social care.
    SocialCare "socialCare" Additional;
    /// Early help.
    EarlyHelp "earlyHelp" Additional;
    /// Education welfare.
    EducationWelfare "educationWelfare" Additional;
    /// Youth justice.
    YouthJustice "youthJustice" Additional;
    /// Police.
    Police "police" Additional;
    /// Hospital care of children.
    Paediatrics "paediatrics" Additional;
    /// Speech and language therapy.
    SpeechAndLanguageTherapy "speechAndLanguageTherapy" Additional;
    /// Other community health services.
    CommunityHealth "communityHealth" Additional;
    /// Support of the family.
    FamilySupport "familySupport" Additional;
    /// Youth service.
    YouthService "youthService" Additional;
    /// Housing.
    Housing "housing" Additional;
    /// Sexual health.
    SexualHealth "sexualHealth" Sensitive;
    /// Mental health.
    MentalHealth "mentalHealth" Sensitive;
    /// Substance misuse.
    SubstanceMisuse "substanceMisuse" Sensitive;
}

codes! {
    /// What an involvement indicates to the others. A flag has no text.
    Flag {
        /// It has information to share.
        InformationToShare = "informationToShare",
        /// It is taking action.
        TakingAction = "takingAction",
        /// It has undertaken an assessment.
        AssessmentUndertaken = "assessmentUndertaken",
        /// Its practitioner leads for all; a child has one lead professional.
        LeadProfessional = "leadProfessional",
    }
}

/// A flag that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlagSet {
    /// Which flag.
    pub flag: Flag,
    /// The day it was set or renewed.
    pub set_on: NaiveDate,
    /// The day on which it is gone unless renewed.
    pub expires_on: NaiveDate,
}

/// Until when a flag is set.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct FlagIn {
    /// The day on which it is gone unless renewed: after today, 6 months from today unless said, 24 months at most.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub expires_on: Option<NaiveDate>,
}

impl FlagIn {
    /// The flag, set today.
    pub fn set(&self, flag: Flag, today: NaiveDate) -> Result<FlagSet, Problem> {
        let expires_on = self.expires_on.unwrap_or(today + Months::new(6));
        if expires_on <= today || expires_on > today + Months::new(24) {
            let detail = "must be after today and at most 24 months from today";
            return Err(Problem::invalid("/expiresOn", detail));
        }
        Ok(FlagSet { flag, set_on: today, expires_on })
    }
}

/// The flags of a child, each with the involvement that it stands on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Flags {
    /// The flags.
    pub items: Vec<FlagOfChild>,
}

/// A flag, and who has set it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlagOfChild {
    /// The involvement that it stands on.
    pub involvement_id: InvolvementId,
    /// The organisation that has set it.
    pub organisation: Reachable,
    /// The flag.
    #[serde(flatten)]
    pub flag: FlagSet,
}

/// An organisation, as it is reached.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reachable {
    /// Its number here.
    pub id: OrganisationId,
    /// Its name.
    #[schema(example = "Example Park Primary School")]
    pub name: String,
    /// What kind of body it is.
    pub kind: OrganisationKind,
    /// Where it is reached in office hours.
    pub office_hours: Phone,
    /// Where it is reached at any hour.
    pub duty: Phone,
}

/// An organisation that works with a child.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Involvement {
    /// Its number.
    pub id: InvolvementId,
    /// Who works with the child.
    pub organisation: Reachable,
    /// What they do.
    pub service_type: ServiceType,
    /// Whom to ask for.
    pub contact: Contact,
    /// The day it began.
    pub started_on: NaiveDate,
    /// The day it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_on: Option<NaiveDate>,
    /// The day on which it was last confirmed.
    pub confirmed_on: NaiveDate,
    /// Since when nobody confirms what goes on: the day on which the feed of its organisation stopped sending the child, or that after
    /// 12 months without a confirmation. Not told of a sensitive service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unconfirmed_since: Option<NaiveDate>,
    /// The consent that a sensitive service stands on; told to its own organisation alone, as the involvement itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub consent: Option<Receipt>,
    /// What a sensitive service stands on without consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub basis: Option<Basis>,
    /// Where this comes from.
    pub source: Provenance,
    /// What they indicate.
    pub flags: Vec<FlagSet>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// Puts involvements into the order in which they are told: the latest first.
pub(crate) fn in_order(involvements: &mut [Involvement]) {
    involvements.sort_by_key(|told| (Reverse(told.started_on), told.id));
}

/// The involvements of a child.
#[derive(Debug, Serialize, ToSchema)]
pub struct Involvements {
    /// Current ones, and those that ended within a year; the latest first.
    pub items: Vec<Involvement>,
}

/// What is said of a new involvement.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "serviceType": "school",
    "contact": { "team": "Pastoral Team", "officeHours": "01632 960003" },
    "startedOn": "2025-09-01"
}))]
pub struct InvolvementIn {
    /// Who works with the child; your own organisation unless said.
    #[serde(default)]
    #[schema(nullable = false)]
    pub organisation_id: Option<OrganisationId>,
    /// What they do. A sensitive service needs `consent` or `basis`, and is said for the own organisation alone.
    pub service_type: ServiceType,
    /// Whom to ask for.
    pub contact: Contact,
    /// The day it began: not before the child's birth, not after today.
    #[serde(deserialize_with = "crate::word::day")]
    pub started_on: NaiveDate,
    /// The day on which it was last confirmed, today unless said: not before it began, not after today.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub confirmed_on: Option<NaiveDate>,
    /// The day it ended, where it has: not before it began, not after today.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub ended_on: Option<NaiveDate>,
    /// The consent to a sensitive service being recorded; needed there, unless `basis` is said, and nowhere else.
    #[serde(default)]
    #[schema(nullable = false)]
    pub consent: Option<ConsentIn>,
    /// On what a sensitive service is recorded without consent.
    #[serde(default)]
    #[schema(nullable = false)]
    pub basis: Option<Basis>,
}

impl InvolvementIn {
    /// Whether it is a sensitive service, of which others are not told.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.service_type.category() == ServiceCategory::Sensitive
    }

    /// The rules that need today and the child's birth.
    pub fn check(&self, born: NaiveDate, today: NaiveDate) -> Result<(), Problem> {
        self.stands(born, today)?;
        if !(born..=today).contains(&self.started_on) {
            let detail = "must not be before the child's birth or after today";
            return Err(Problem::invalid("/startedOn", detail));
        }
        within("/confirmedOn", self.confirmed_on, self.started_on, today)?;
        within("/endedOn", self.ended_on, self.started_on, today)
    }
}

impl InvolvementIn {
    /// A sensitive service stands on one consent or on significant harm; any other on neither.
    fn stands(&self, born: NaiveDate, today: NaiveDate) -> Result<(), Problem> {
        match (self.is_sensitive(), &self.consent, self.basis) {
            (true, Some(consent), None) => consent.check(born, today),
            (true, None, Some(Basis::SignificantHarm)) | (false, None, None) => Ok(()),
            (true, None, None) => Err(Kind::ConsentRequired.into()),
            (true, Some(_), Some(_)) => {
                Err(Problem::invalid("/basis", "must not be said beside a consent"))
            }
            (false, Some(_), _) => {
                Err(Problem::invalid("/consent", "is for sensitive services alone"))
            }
            (false, None, Some(_)) => {
                Err(Problem::invalid("/basis", "is for sensitive services alone"))
            }
        }
    }
}

fn within(
    pointer: &str,
    day: Option<NaiveDate>,
    from: NaiveDate,
    today: NaiveDate,
) -> Result<(), Problem> {
    match day {
        Some(day) if !(from..=today).contains(&day) => Err(Problem::invalid(
            pointer,
            "must not be before the involvement began or after today",
        )),
        _ => Ok(()),
    }
}

/// What changes about an involvement; a member that is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "confirmedOn": "2025-11-03" }))]
pub struct InvolvementChange {
    /// Whom to ask for.
    #[serde(default)]
    #[schema(nullable = false)]
    pub contact: Option<Contact>,
    /// The day on which it was confirmed: not before it began, not after today.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub confirmed_on: Option<NaiveDate>,
    /// The day it ended: not before it began, not after today. Its flags end with it.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub ended_on: Option<NaiveDate>,
}

impl Involvement {
    /// Whether the caller may change it: the own organisation's; a steward, those of organisations in the own authority.
    pub fn may_be_changed_by(
        &self,
        caller: &Caller,
        authority: Option<OrganisationId>,
    ) -> Result<(), Problem> {
        may_write(caller, self.organisation.id, authority)
    }

    /// Whether the caller may set and clear its flags: the involvement's organisation alone.
    pub fn may_be_flagged_by(&self, caller: &Caller) -> Result<(), Problem> {
        if self.organisation.id == caller.organisation {
            return Ok(());
        }
        Err(Problem::new(
            Kind::Forbidden,
            "Only the involvement's own organisation sets and clears its flags.",
        ))
    }

    /// Changes it.
    pub fn change(&mut self, change: InvolvementChange, today: NaiveDate) -> Result<(), Problem> {
        if self.ended_on.is_some() {
            return Err(Kind::InvolvementEnded.into());
        }
        within("/confirmedOn", change.confirmed_on, self.started_on, today)?;
        within("/endedOn", change.ended_on, self.started_on, today)?;
        if let Some(contact) = change.contact {
            self.contact = contact;
        }
        if let Some(day) = change.confirmed_on.or(change.ended_on) {
            self.confirmed_on = day;
            self.unconfirmed_since = self.unconfirmed_since.filter(|since| day < *since);
        }
        self.ended_on = change.ended_on;
        if self.ended_on.is_some() {
            self.flags.clear();
        }
        Ok(())
    }

    /// Sets a flag, or renews it.
    pub fn flag(&mut self, new: FlagSet) -> Result<(), Problem> {
        if self.ended_on.is_some() {
            return Err(Kind::InvolvementEnded.into());
        }
        self.flags.retain(|old| old.flag != new.flag);
        self.flags.push(new);
        Ok(())
    }
}

/// Whether the caller may say of an organisation that it provides a sensitive service: of the own one alone, since nobody
/// else would see it.
pub fn may_say_sensitive(
    caller: &Caller,
    organisation: Option<OrganisationId>,
) -> Result<(), Problem> {
    if organisation.is_none_or(|id| id == caller.organisation) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "A sensitive service is recorded by its own organisation alone.",
    ))
}

/// Whether the caller may write involvements of an organisation that works in the area of `authority`.
pub fn may_write(
    caller: &Caller,
    organisation: OrganisationId,
    authority: Option<OrganisationId>,
) -> Result<(), Problem> {
    let own = organisation == caller.organisation;
    let in_own_authority = caller.role == Role::Steward && authority == Some(caller.organisation);
    if own || in_own_authority {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "Involvements are written by their own organisation, or by a steward of the authority in whose area it works.",
    ))
}
