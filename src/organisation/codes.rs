//! The codes by which an organisation is known elsewhere.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::word::{Refusal, word};

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

word! {
    /// An organisation by one of its codes: `authority:`, `gss:`, `urn:`, `laestab:`, `ods:` or `reference:`, then the code.
    #[schema(
        pattern = "^(authority:[0-9]{3}|gss:E[0-9]{8}|urn:[0-9]{6}|laestab:[0-9]{7}|ods:[A-Z0-9]{3,10}|reference:[A-Za-z0-9./-]{1,35})$",
        example = "urn:900001",
    )]
    OrganisationCode = organisation_code
}

impl OrganisationCode {
    /// Which list the code is of, and the code.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.as_str().split_once(':').unwrap_or_default()
    }
}

fn organisation_code(text: &str) -> Result<String, Refusal> {
    let (list, code) = text.split_once(':').unwrap_or_default();
    let good = match list {
        "authority" => three_digits(code),
        "gss" => gss_code(code),
        "urn" => six_digits(code),
        "laestab" => seven_digits(code),
        "ods" => ods_code(code),
        "reference" => free_reference(code),
        _ => return Err(LIST),
    };
    good.map(|()| text.to_owned()).map_err(|_| LIST)
}

const LIST: Refusal = Refusal::because(
    "An organisation is named by a list and a code of it, such as `urn:900001`, `ods:Y90001` or `authority:887`.",
);

pub(super) fn matches(text: &str, form: &'static str, good: bool) -> Result<(), ValidationError> {
    if good && !text.is_empty() {
        return Ok(());
    }
    Err(ValidationError::new("form").with_message(form.into()))
}

fn digits(text: &str, n: usize, form: &'static str) -> Result<(), ValidationError> {
    matches(text, form, text.len() == n && text.bytes().all(|b| b.is_ascii_digit()))
}

pub(crate) fn three_digits(text: &str) -> Result<(), ValidationError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word::testing::reads;

    #[test]
    fn an_organisation_is_named_by_a_list_and_a_code_of_it() {
        for right in [
            "authority:887",
            "gss:E06000035",
            "urn:900001",
            "laestab:8879001",
            "ods:Y90001",
            "reference:charity/900001",
        ] {
            assert!(reads::<OrganisationCode>(right), "{right}");
        }
        for wrong in [
            "",
            "900001",
            "urn:",
            "urn:90001",
            "URN:900001",
            "urn:900001 ",
            "ods:y90001",
            "name:Example",
            "urn:900001:1",
        ] {
            assert!(!reads::<OrganisationCode>(wrong), "{wrong}");
        }
    }
}
