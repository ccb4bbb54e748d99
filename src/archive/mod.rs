//! The archive: who finds and opens what is archived, and what comes back from it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    access::{Errand, Role},
    carer::Relationship,
    child::{
        Status,
        birth::{DatePrecision, Gender},
        identifier::Identifier,
        name::{NamePart, PersonName},
        whereabouts::Whereabouts,
    },
    code::codes,
    contact::{Email, Phone},
    ids::IndexNumber,
    involvement::ServiceType,
    matching::{NameIn, SearchIn},
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    record::Authority,
    retention::{DeathIn, Phase, StayConsentIn},
    told::Told,
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// Why the archive reviewer opens a record.
    ArchiveGround {
        /// A child-protection investigation.
        ChildProtectionInvestigation = "childProtectionInvestigation",
        /// A child safeguarding practice review.
        PracticeReview = "practiceReview",
        /// A review of a child's death.
        ChildDeathReview = "childDeathReview",
    }
}

/// As many records as a search of the archive answers.
pub const MOST: usize = 10;

/// What is looked for in the archive: a name, with given names, and a date of birth, which must agree exactly.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "name": { "given": ["Amy"], "family": "Testley" }, "dateOfBirth": "2008-03-14" }))]
pub struct ArchiveSearchIn {
    /// The name, as it is or was: the family name and a given name at least.
    pub name: NameIn,
    /// The date of birth. A child of whom only the month or the year is known is found by any day in it.
    #[serde(deserialize_with = "crate::word::day")]
    #[schema(example = "2008-03-14")]
    pub date_of_birth: NaiveDate,
    /// Why: the archive reviewer says it.
    #[serde(default)]
    #[schema(nullable = false)]
    pub ground: Option<ArchiveGround>,
}

impl ArchiveSearchIn {
    /// The same as any search.
    #[must_use]
    pub fn search(self) -> SearchIn {
        SearchIn {
            name: Some(self.name),
            date_of_birth: Some(self.date_of_birth),
            ..SearchIn::default()
        }
    }
}

/// Which archived record is opened.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "indexNumber": "48271930566" }))]
pub struct OpeningIn {
    /// The child's index number, which stands in no address.
    pub index_number: IndexNumber,
    /// Why: the archive reviewer says it.
    #[serde(default)]
    #[schema(nullable = false)]
    pub ground: Option<ArchiveGround>,
}

/// The archive reviewer states a ground and a reference; a steward looks for the own authority.
pub fn may_look(role: Role, ground: Option<ArchiveGround>, errand: &Errand) -> Result<(), Problem> {
    if role != Role::ArchiveReviewer {
        return Ok(());
    }
    if errand.reference.is_none() {
        let detail = "Access-Reference is required to look into the archive for a review.";
        return Err(Problem::new(Kind::InvalidHeader, detail));
    }
    if ground.is_none() {
        return Err(Problem::invalid("/ground", "is required of the archive reviewer"));
    }
    Ok(())
}

/// A look into the archive is made for oneself.
pub fn for_oneself(mediated: bool) -> Result<(), Problem> {
    if mediated {
        return Err(Problem::new(Kind::InvalidHeader, "On-Behalf-Of is not for the archive."));
    }
    Ok(())
}

/// Archived records that were found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArchiveFound {
    /// The records that you may open: 10 at most, else none.
    pub items: Vec<ArchivedChild>,
}

/// An archived record, as it is found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedChild {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The name that held last.
    pub name: PersonName,
    /// The date of birth.
    pub date_of_birth: NaiveDate,
    /// The gender.
    pub gender: Gender,
    /// The day at whose beginning it was archived.
    pub archived_on: NaiveDate,
}

/// An archived record, as you may see it. Under a shield it tells no more than names, birth, gender and carers' names.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedRecord {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The day at whose beginning it was archived.
    pub archived_on: NaiveDate,
    /// Who opens it now.
    pub phase: Phase,
    /// Whether a shield hides the rest.
    pub shielded: bool,
    /// Whether the record is in use: it is not.
    pub status: Status,
    /// The names.
    #[schema(value_type = Vec<ArchivedName>)]
    pub names: Told<Vec<ArchivedName>>,
    /// The date of birth.
    pub date_of_birth: NaiveDate,
    /// How much of it is known.
    pub date_of_birth_precision: DatePrecision,
    /// The gender.
    pub gender: Gender,
    /// The day of death.
    #[schema(nullable = false)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub died_on: Option<NaiveDate>,
    /// Where the child was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub whereabouts: Option<Whereabouts>,
    /// Numbers that other bodies gave the child; only those of the kind of body that you work for.
    pub identifiers: Vec<Identifier>,
    /// Parents, and others with parental responsibility or care.
    pub carers: Vec<ArchivedCarer>,
    /// Who has worked with the child; the latest first. Sensitive services are never told.
    pub involvements: Vec<ArchivedInvolvement>,
    /// The local authority that answers for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Authority>, nullable = false)]
    pub responsible_authority: Option<Told<Authority>>,
}

/// A name in an archived record.
#[derive(Debug, ToSchema)]
pub struct ArchivedName {
    /// What kind of name it is.
    pub kind: crate::child::name::NameKind,
    /// The given names.
    pub given: Vec<NamePart>,
    /// The family name.
    pub family: NamePart,
}

/// A carer in an archived record.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedCarer {
    /// The name.
    pub name: PersonName,
    /// What the carer is to the child.
    pub relationship: Relationship,
    /// Whether the carer has parental responsibility.
    pub parental_responsibility: bool,
    /// Telephone numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Phone>,
    /// E-mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
}

/// An organisation that has worked with the child.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedInvolvement {
    /// The organisation's name.
    #[schema(example = "Example Park Primary School")]
    pub organisation: String,
    /// What it did.
    pub service_type: ServiceType,
    /// The day it began.
    pub started_on: NaiveDate,
    /// The day it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_on: Option<NaiveDate>,
}

impl ArchivedRecord {
    /// Leaves what a caller of this role, from this kind of body, may see.
    pub(crate) fn restrict(&mut self, role: Role, body: OrganisationKind) {
        self.identifiers
            .retain(|identifier| role == Role::Steward || body.may_read(identifier.kind()));
    }
}

/// Why a record comes back into use: exactly one of the three.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "indexNumber": "48271930566", "death": {} }))]
pub struct RestorationIn {
    /// The child's index number.
    pub index_number: IndexNumber,
    /// The child is back in England: where.
    #[serde(default)]
    #[schema(nullable = false)]
    pub whereabouts: Option<Whereabouts>,
    /// The death was recorded in error, or on another day.
    #[serde(default)]
    #[schema(nullable = false)]
    pub death: Option<DeathIn>,
    /// The young person has consented to stay.
    #[serde(default)]
    #[schema(nullable = false)]
    pub stay_consent: Option<StayConsentIn>,
}

impl RestorationIn {
    /// Exactly one reason is given.
    pub fn check(&self) -> Result<(), Problem> {
        let given = [self.whereabouts.is_some(), self.death.is_some(), self.stay_consent.is_some()];
        if given.iter().filter(|given| **given).count() == 1 {
            return Ok(());
        }
        Err(Problem::invalid("", "must have one of whereabouts, death and stayConsent"))
    }
}
