//! Signing in by another issuer, such as a council's directory (OpenID Connect Core 1.0).

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError, ValidationErrors};

use crate::problem::Problem;

pub(crate) mod claims;
pub mod issuers;
pub(crate) mod routes;
mod store;

pub use issuers::Issuers;

const LARGEST_TOKEN: usize = 8 * 1024;

/// What another issuer says of somebody.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "idToken": "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIyNDQwMDMyMCJ9.c2lnbmF0dXJl"
}))]
pub struct ExternalSessionIn {
    /// The ID token (OpenID Connect Core 1.0, section 2) that the issuer has just given to your program: at most 8 KiB, and
    /// used once.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 8192)]
    pub id_token: SecretString,
}

impl Validate for ExternalSessionIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        if (1..=LARGEST_TOKEN).contains(&self.id_token.expose_secret().chars().count()) {
            return Ok(());
        }
        let mut errors = ValidationErrors::new();
        let form = "must have 1 to 8192 characters";
        errors.add("id_token", ValidationError::new("form").with_message(form.into()));
        Err(errors)
    }
}

/// Whom another issuer knows as the person of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalIdentity {
    /// The issuer (`iss`).
    #[schema(example = "https://login.council.example")]
    pub issuer: String,
    /// The person's number there (`sub`).
    #[schema(example = "24400320")]
    pub subject: String,
}

/// Whom another issuer knows as the person of an account: never an e-mail address or a name, which may pass to somebody
/// else.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "issuer": "https://login.council.example", "subject": "24400320" }))]
pub struct ExternalIdentityIn {
    /// The issuer (`iss`), one with which this service is configured for the account's organisation: 1 to 500 characters.
    #[validate(length(min = 1, max = 500))]
    #[schema(min_length = 1, max_length = 500)]
    pub issuer: String,
    /// The person's number there (`sub`), as the issuer writes it: 1 to 255 printable ASCII characters (OpenID Connect Core
    /// 1.0, section 2).
    #[validate(custom(function = "subject"))]
    #[schema(pattern = "^[ -~]{1,255}$")]
    pub subject: String,
}

/// Whether it may be a subject.
fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn subject(text: &str) -> Result<(), ValidationError> {
    let form = "must be 1 to 255 printable ASCII characters";
    let error = || ValidationError::new("form").with_message(form.into());
    is_subject(text).then_some(()).ok_or_else(error)
}

impl ExternalIdentityIn {
    /// The issuer, if it is configured and may sign in somebody of this role; not yet whether it is that of the organisation.
    fn issuer<'i>(
        &self,
        issuers: &'i Issuers,
        role: crate::access::Role,
    ) -> Result<&'i issuers::Issuer, Problem> {
        let issuer = issuers.find(&self.issuer).ok_or_else(unknown_issuer)?;
        match issuer.admits(role) {
            Some(_) => Ok(issuer),
            None => Err(Problem::invalid("/issuer", "does not sign in people of this role")),
        }
    }
}

fn unknown_issuer() -> Problem {
    Problem::invalid("/issuer", "is not an issuer of the account's organisation")
}
