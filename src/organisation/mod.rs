//! Organisations that work with children, and how to reach them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use crate::{
    child::identifier::IdentifierKind,
    code::codes,
    contact::{Email, Phone},
    ids::OrganisationId,
    problem::Problem,
};

pub mod routes;
pub(crate) mod store;

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

/// The codes by which an organisation is known elsewhere; each belongs to one organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Codes {
    /// The Department for Education's 3-digit code of a local authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = three_digits))]
    #[schema(nullable = false, pattern = "^[0-9]{3}$", example = "887")]
    pub authority: Option<String>,
    /// The Government Statistical Service code of a local authority's area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = gss_code))]
    #[schema(nullable = false, pattern = "^E[0-9]{8}$", example = "E06000035")]
    pub gss: Option<String>,
    /// A school's unique reference number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = six_digits))]
    #[schema(nullable = false, pattern = "^[0-9]{6}$", example = "900001")]
    pub urn: Option<String>,
    /// A school's local authority and establishment number together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = seven_digits))]
    #[schema(nullable = false, pattern = "^[0-9]{7}$", example = "8879001")]
    pub laestab: Option<String>,
    /// The Organisation Data Service code of an NHS body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = ods_code))]
    #[schema(nullable = false, pattern = "^[A-Z0-9]{3,10}$", example = "Y90001")]
    pub ods: Option<String>,
    /// A reference for a body with none of these codes, such as a charity's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = free_reference))]
    #[schema(nullable = false, pattern = "^[A-Za-z0-9./-]{1,35}$", example = "charity/900001")]
    pub reference: Option<String>,
}

fn matches(text: &str, form: &'static str, good: bool) -> Result<(), ValidationError> {
    if good && !text.is_empty() {
        return Ok(());
    }
    Err(ValidationError::new("form").with_message(form.into()))
}

fn digits(text: &str, n: usize, form: &'static str) -> Result<(), ValidationError> {
    matches(text, form, text.len() == n && text.bytes().all(|b| b.is_ascii_digit()))
}

fn three_digits(text: &str) -> Result<(), ValidationError> {
    digits(text, 3, "must be 3 digits")
}

fn six_digits(text: &str) -> Result<(), ValidationError> {
    digits(text, 6, "must be 6 digits")
}

fn seven_digits(text: &str) -> Result<(), ValidationError> {
    digits(text, 7, "must be 7 digits")
}

fn gss_code(text: &str) -> Result<(), ValidationError> {
    let rest = text.strip_prefix('E').unwrap_or_default();
    digits(rest, 8, "must be the letter E and 8 digits")
}

fn ods_code(text: &str) -> Result<(), ValidationError> {
    let allowed = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    matches(
        text,
        "must be 3 to 10 capital letters and digits",
        allowed && (3..=10).contains(&text.len()),
    )
}

fn free_reference(text: &str) -> Result<(), ValidationError> {
    let allowed = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"./-".contains(&b));
    matches(
        text,
        "must be 1 to 35 letters, digits, dots, slashes and hyphens",
        allowed && text.len() <= 35,
    )
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
    /// Whether it may use the index.
    pub status: Accreditation,
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
    "email": "office@example.org"
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
    /// The day it opened, where known.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub opened_on: Option<NaiveDate>,
}

impl OrganisationIn {
    /// A local authority, and only it, has an authority code.
    pub fn check(&self) -> Result<(), Problem> {
        let is_authority = self.kind == OrganisationKind::LocalAuthority;
        if is_authority == self.codes.authority.is_some() {
            return Ok(());
        }
        let detail = "is required of a local authority and refused for any other kind of body";
        Err(Problem::invalid("/codes/authority", detail))
    }
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
    /// Whether it may use the index.
    #[serde(default)]
    #[schema(nullable = false)]
    pub status: Option<Accreditation>,
    /// The day it closed: today or earlier; its status becomes `closed`.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub closed_on: Option<NaiveDate>,
}

impl OrganisationChange {
    /// The whole change: an organisation that has a day of closing is closed, and one that is closed has a day.
    pub fn completed(mut self, held: &Organisation, today: NaiveDate) -> Result<Self, Problem> {
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
