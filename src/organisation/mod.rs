//! Organisations that work with children, and how to reach them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use crate::{
    access::{Caller, Role},
    child::identifier::IdentifierKind,
    code::codes,
    contact::{Email, PersonLine, Phone},
    ids::OrganisationId,
    problem::{Kind, Problem},
};

pub mod codes;
pub mod routes;
pub(crate) mod store;

pub use codes::Codes;
use codes::{matches, three_digits};

codes! {
    /// What kind of body an organisation is.
    OrganisationKind {
        /// A council with children's services.
        LocalAuthority = "localAuthority",
        /// A school or college.
        School = "school",
        /// A general practice.
        GpPractice = "gpPractice",
        /// An NHS trust.
        HealthTrust = "healthTrust",
        /// A police force.
        PoliceForce = "policeForce",
        /// A charity.
        Charity = "charity",
        /// A partner that works in the whole country.
        NationalPartner = "nationalPartner",
    }
}

impl OrganisationKind {
    /// Whether staff of this kind of body may read this kind of number: only the body whose number it is
    /// (SI 2007/2182, regulation 6(3)(c)).
    #[must_use]
    pub fn may_read(self, number: IdentifierKind) -> bool {
        match number {
            IdentifierKind::Upn | IdentifierKind::Uln => {
                matches!(self, Self::School | Self::LocalAuthority)
            }
            IdentifierKind::NhsNumber => matches!(self, Self::GpPractice | Self::HealthTrust),
            IdentifierKind::ChildReference => self == Self::LocalAuthority,
            IdentifierKind::NationalInsuranceNumber => false,
        }
    }
}

codes! {
    /// Whether an organisation may use the index.
    Accreditation {
        /// It may.
        Accredited = "accredited",
        /// It may not at present.
        Suspended = "suspended",
        /// It no longer exists.
        Closed = "closed",
    }
}

impl Accreditation {
    /// After a suspension: what is closed stays so.
    #[must_use]
    pub fn stopped(self) -> Self {
        if self == Self::Closed { self } else { Self::Suspended }
    }

    /// After the suspension is lifted: what is closed stays so.
    #[must_use]
    pub fn lifted(self) -> Self {
        if self == Self::Closed { self } else { Self::Accredited }
    }
}

/// Who answers for how an organisation keeps personal data (UK GDPR, article 37).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivacyOfficer {
    /// The person or the office.
    pub name: PersonLine,
    /// The e-mail address.
    pub email: Email,
    /// The number in office hours.
    pub phone: Phone,
}

/// An organisation that works with children.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organisation {
    /// Its number here.
    pub id: OrganisationId,
    /// What kind of body it is.
    pub kind: OrganisationKind,
    /// Its name.
    #[schema(min_length = 1, max_length = 120, example = "Example Park Primary School")]
    pub name: String,
    /// Its codes elsewhere.
    pub codes: Codes,
    /// The 3-digit code of the local authority in whose area it works; none for a national partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9]{3}$", example = "887")]
    pub authority: Option<String>,
    /// Where it is reached in office hours.
    pub office_hours: Phone,
    /// Where it is reached at any hour.
    pub duty: Phone,
    /// Where it is written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<Email>,
    /// Who answers for how it keeps personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub privacy_officer: Option<PrivacyOfficer>,
    /// Whether it may use the index, on the days of its accreditation.
    pub status: Accreditation,
    /// The first day of its accreditation; before it nobody acts for it. Absent where it has no beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub accredited_from: Option<NaiveDate>,
    /// The last day of its accreditation, until its midnight in Europe/London. Absent where it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub accredited_until: Option<NaiveDate>,
    /// The day it opened, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub opened_on: Option<NaiveDate>,
    /// The day it closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub closed_on: Option<NaiveDate>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl Organisation {
    /// The operator suspends every organisation, anybody else their own.
    pub fn may_be_suspended_by(&self, caller: &Caller) -> Result<(), Problem> {
        if caller.role == Role::Operator || caller.organisation == self.id {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, "Your own organisation alone is yours to suspend."))
    }
}

/// What is said of a new organisation.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "kind": "school",
    "name": "Example Park Primary School",
    "codes": { "urn": "900001", "laestab": "8879001" },
    "authority": "887",
    "officeHours": "01632 960001",
    "duty": "01632 960002",
    "email": "office@example.org",
    "privacyOfficer": { "name": "Example Officer", "email": "privacy@example.org", "phone": "01632 960003" },
    "accreditedFrom": "2026-09-01",
    "accreditedUntil": "2029-08-31"
}))]
pub struct OrganisationIn {
    /// What kind of body it is.
    pub kind: OrganisationKind,
    /// Its name: 1 to 120 characters.
    #[validate(length(min = 1, max = 120), custom(function = printable))]
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
        example = "Example Park Primary School"
    )]
    pub name: String,
    /// Its codes elsewhere: a local authority has an authority code, and no other kind of body has one.
    #[validate(nested)]
    #[serde(default)]
    pub codes: Codes,
    /// The 3-digit code of the local authority in whose area it works; absent for a national partner.
    #[serde(default)]
    #[validate(custom(function = three_digits))]
    #[schema(nullable = false, pattern = "^[0-9]{3}$", example = "887")]
    pub authority: Option<String>,
    /// Where it is reached in office hours.
    pub office_hours: Phone,
    /// Where it is reached at any hour.
    pub duty: Phone,
    /// Where it is written to.
    #[serde(default)]
    #[schema(nullable = false)]
    pub email: Option<Email>,
    /// Who answers for how it keeps personal data.
    #[serde(default)]
    #[schema(nullable = false)]
    pub privacy_officer: Option<PrivacyOfficer>,
    /// The first day of its accreditation, in Europe/London; at once unless said.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub accredited_from: Option<NaiveDate>,
    /// The last day of its accreditation, in Europe/London, not before the first; without end unless said.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub accredited_until: Option<NaiveDate>,
    /// The day it opened, where known.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub opened_on: Option<NaiveDate>,
}

impl OrganisationIn {
    /// A local authority, and only it, has an authority code, and no accreditation ends before it begins.
    pub fn check(&self) -> Result<(), Problem> {
        in_order(self.accredited_from, self.accredited_until)?;
        let is_authority = self.kind == OrganisationKind::LocalAuthority;
        if is_authority == self.codes.authority.is_some() {
            return Ok(());
        }
        let detail = "is required of a local authority and refused for any other kind of body";
        Err(Problem::invalid("/codes/authority", detail))
    }
}

fn in_order(from: Option<NaiveDate>, until: Option<NaiveDate>) -> Result<(), Problem> {
    if from.zip(until).is_none_or(|(from, until)| from <= until) {
        return Ok(());
    }
    Err(Problem::invalid("/accreditedUntil", "must not be before accreditedFrom"))
}

fn printable(text: &str) -> Result<(), ValidationError> {
    matches(text, "must be printable characters", !text.chars().any(char::is_control))
}

/// What changes about an organisation; a member that is absent stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "officeHours": "01632 960004" }))]
pub struct OrganisationChange {
    /// Its name: 1 to 120 characters.
    #[serde(default)]
    #[validate(length(min = 1, max = 120), custom(function = printable))]
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 120,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$"
    )]
    pub name: Option<String>,
    /// Where it is reached in office hours.
    #[serde(default)]
    #[schema(nullable = false)]
    pub office_hours: Option<Phone>,
    /// Where it is reached at any hour.
    #[serde(default)]
    #[schema(nullable = false)]
    pub duty: Option<Phone>,
    /// Where it is written to.
    #[serde(default)]
    #[schema(nullable = false)]
    pub email: Option<Email>,
    /// Who answers for how it keeps personal data.
    #[serde(default)]
    #[schema(nullable = false)]
    pub privacy_officer: Option<PrivacyOfficer>,
    /// Whether it may use the index, on the days of its accreditation.
    #[serde(default)]
    #[schema(nullable = false)]
    pub status: Option<Accreditation>,
    /// The first day of its accreditation, in Europe/London; whoever acts for it is refused before.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub accredited_from: Option<NaiveDate>,
    /// The last day of its accreditation, in Europe/London, not before the first; from the midnight after it whoever acts for it is refused. To take an end away, move it.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub accredited_until: Option<NaiveDate>,
    /// The day it closed: today or earlier; its status becomes `closed`.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub closed_on: Option<NaiveDate>,
}

impl OrganisationChange {
    /// The whole change: an organisation that has a day of closing is closed, and one that is closed has a day. Its
    /// accreditation still ends no earlier than it begins.
    pub fn completed(mut self, held: &Organisation, today: NaiveDate) -> Result<Self, Problem> {
        in_order(
            self.accredited_from.or(held.accredited_from),
            self.accredited_until.or(held.accredited_until),
        )?;
        if let Some(day) = self.closed_on {
            if day > today || held.opened_on.is_some_and(|opened| day < opened) {
                let detail = "must not be after today or before it opened";
                return Err(Problem::invalid("/closedOn", detail));
            }
            if self.status.is_some_and(|status| status != Accreditation::Closed) {
                return Err(Problem::invalid(
                    "/status",
                    "must be `closed` where there is a day of closing",
                ));
            }
            self.status = Some(Accreditation::Closed);
        } else if self.status == Some(Accreditation::Closed) {
            self.closed_on = held.closed_on.or(Some(today));
        }
        Ok(self)
    }
}

/// Which organisations are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrganisationQuery {
    /// The beginning of its name, in any case.
    #[validate(length(min = 1, max = 120), custom(function = printable))]
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 120,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
        example = "Example"
    )]
    pub name: Option<String>,
    /// What kind of body it is.
    #[param(nullable = false, example = "school")]
    pub kind: Option<OrganisationKind>,
    /// The 3-digit code of the local authority in whose area it works.
    #[validate(custom(function = three_digits))]
    #[param(nullable = false, pattern = "^[0-9]{3}$", example = "887")]
    pub authority: Option<String>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// A page of organisations, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Organisations {
    /// The organisations.
    pub items: Vec<Organisation>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}
