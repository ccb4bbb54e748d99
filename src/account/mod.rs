//! Accounts of people.

use std::fmt;

use chrono::{DateTime, Months, NaiveDate, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError, ValidationErrors};

use crate::{
    access::Role,
    code::codes,
    contact::PersonLine,
    external::ExternalIdentity,
    ids::{AccountId, InvitationId, OrganisationId},
    organisation::OrganisationKind,
    problem::Problem,
    session::user_name::UserName,
};

pub mod enrolment;
pub mod routes;
pub mod store;

/// How long an enhanced police check holds (design rule "Accounts"), and a training.
pub const HOLDS: Months = Months::new(36);

codes! {
    /// How an account stands.
    AccountStatus {
        /// Its person has not enrolled yet.
        Invited = "invited",
        /// Its person may sign in while every condition holds.
        Active = "active",
        /// It is stopped for the time being.
        Suspended = "suspended",
        /// It is stopped for ever.
        Closed = "closed",
    }
}

/// A person's account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Whom the person acts for.
    pub organisation_id: OrganisationId,
    /// The name to sign in with.
    pub user_name: UserName,
    /// The person's name.
    pub name: PersonLine,
    /// What the person is to the index.
    pub role: Role,
    /// How it stands.
    pub status: AccountStatus,
    /// Whom another issuer knows as its person, who can sign in by that issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub external_identity: Option<ExternalIdentity>,
    /// The day of the enhanced police check, which holds for 3 years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub police_checked_on: Option<NaiveDate>,
    /// The day on which the training was completed, which holds for 3 years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub trained_on: Option<NaiveDate>,
    /// The day on which the user agreement was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agreement_signed_on: Option<NaiveDate>,
    /// The last day on which the account may act, if nothing changes; absent where it may not act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acts_until: Option<NaiveDate>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// A page of accounts, by user name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accounts {
    /// The accounts.
    pub items: Vec<Account>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which accounts are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountQuery {
    /// How they stand.
    #[param(nullable = false, example = "active")]
    pub status: Option<AccountStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Who is to have an account. It can be used once its person has enrolled and all three facts are there.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "userName": "b.practitioner",
    "name": "Example Practitioner",
    "role": "practitioner",
    "policeCheckedOn": "2026-01-12",
    "trainedOn": "2026-02-03",
    "agreementSignedOn": "2026-02-03"
}))]
pub struct AccountIn {
    /// The name to sign in with.
    pub user_name: UserName,
    /// The person's name.
    pub name: PersonLine,
    /// What the person is to the index: a role of people.
    pub role: Role,
    /// Whom the person acts for; your own organisation unless said.
    #[serde(default)]
    #[schema(nullable = false)]
    pub organisation_id: Option<OrganisationId>,
    /// The day of the enhanced police check: today or earlier.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub police_checked_on: Option<NaiveDate>,
    /// The day on which the training was completed: today or earlier.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub trained_on: Option<NaiveDate>,
    /// The day on which the user agreement was signed: today or earlier.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub agreement_signed_on: Option<NaiveDate>,
}

impl AccountIn {
    /// The role is one of people, nobody but an operator makes whoever acts nationally, and no fact lies ahead.
    pub fn check(&self, by: Role, of: OrganisationKind, today: NaiveDate) -> Result<(), Problem> {
        let over_all = self.role == Role::Auditor && of == OrganisationKind::NationalPartner;
        if (self.role == Role::Operator || over_all) && by != Role::Operator {
            return Err(Problem::invalid("/role", "is given by the national operator alone"));
        }
        if self.role.is_system() {
            return Err(Problem::invalid("/role", "is a role of systems, which are clients"));
        }
        past([self.police_checked_on, self.trained_on, self.agreement_signed_on], today)
    }
}

/// What changes about an account; a member that is absent stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "policeCheckedOn": "2026-11-02" }))]
pub struct AccountChange {
    /// The person's name.
    #[serde(default)]
    #[schema(nullable = false)]
    pub name: Option<PersonLine>,
    /// `suspended` and `closed` stop every session of the account at once; `active` lets a suspended one go on, unless misuse of it is
    /// suspected and that is not decided yet.
    #[serde(default)]
    #[schema(nullable = false)]
    pub status: Option<AccountStatus>,
    /// The day of the enhanced police check: today or earlier.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub police_checked_on: Option<NaiveDate>,
    /// The day on which the training was completed: today or earlier.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub trained_on: Option<NaiveDate>,
    /// The day on which the user agreement was signed: today or earlier.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub agreement_signed_on: Option<NaiveDate>,
}

impl AccountChange {
    /// No fact lies ahead, and an account goes from one status only to those that follow it. `enrolled` says whether its
    /// person has: an account that is suspended before that goes on as invited.
    pub fn check(
        &mut self,
        held: &Account,
        enrolled: bool,
        today: NaiveDate,
    ) -> Result<(), Problem> {
        use AccountStatus::{Active, Closed, Invited};
        past([self.police_checked_on, self.trained_on, self.agreement_signed_on], today)?;
        match self.status {
            Some(Invited) => Err(Problem::invalid("/status", "is what an account begins with")),
            Some(Active) if held.status == Invited => {
                Err(Problem::invalid("/status", "becomes `active` when the person has enrolled"))
            }
            Some(Active) if held.status != Closed && !enrolled => {
                self.status = Some(Invited);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether it lets a suspended account go on.
    #[must_use]
    pub fn lets_go_on(&self, held: AccountStatus) -> bool {
        use AccountStatus::{Active, Invited, Suspended};
        held == Suspended && matches!(self.status, Some(Active | Invited))
    }
}

/// None of these days lies ahead.
pub(crate) fn past(facts: [Option<NaiveDate>; 3], today: NaiveDate) -> Result<(), Problem> {
    let members = ["/policeCheckedOn", "/trainedOn", "/agreementSignedOn"];
    let ahead = members.iter().zip(facts).find(|(_, day)| day.is_some_and(|day| day > today));
    ahead.map_or(Ok(()), |(member, _)| Err(Problem::invalid(*member, "must not be in the future")))
}

codes! {
    /// What an invitation is for.
    Purpose {
        /// A person enrols for the first time.
        Enrolment = "enrolment",
        /// A person who has lost password, PIN or security token enrols anew; a second administrator approves it.
        Recovery = "recovery",
    }
}

/// An invitation to enrol: used once, by the person whom the account is for.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its number.
    pub id: InvitationId,
    /// The account that it is for.
    pub account_id: AccountId,
    /// What it is for.
    pub purpose: Purpose,
    /// What the person sends to `POST /v1/enrolments`. It is told once: hand it over in person or by a way that only the
    /// person reads. A repetition of the request does not tell it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q")]
    pub invitation: Option<String>,
    /// The administrator who made it.
    pub made_by: Uuid,
    /// The second administrator who approved it; needed to recover an account, and for one with the right to override a shield.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub approved_by: Option<Uuid>,
    /// Until when it can be used.
    pub expires_at: DateTime<Utc>,
    /// When it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub used_at: Option<DateTime<Utc>>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Invitation {
    /// What is answered when the request is repeated: all but what it is used with.
    pub(crate) fn without_secret(&self) -> Result<serde_json::Value, Problem> {
        let again = Self { invitation: None, ..self.clone() };
        serde_json::to_value(again).map_err(Problem::internal)
    }
}

/// An invitation, as its person holds it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "invitation": "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q" }))]
pub struct EnrolmentIn {
    /// The invitation.
    #[schema(value_type = String, format = Password, pattern = "^[A-Za-z0-9_-]{43}$")]
    pub invitation: SecretString,
}

impl Validate for EnrolmentIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let mut errors = ValidationErrors::new();
        whole_invitation(&self.invitation, &mut errors);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn whole_invitation(invitation: &SecretString, errors: &mut ValidationErrors) {
    let text = invitation.expose_secret();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if text.len() != 43 || !text.bytes().all(known) {
        let form = "must be the 43 letters, digits, hyphens and underscores of an invitation";
        errors.add("invitation", ValidationError::new("form").with_message(form.into()));
    }
}

/// What sets up the person's authenticator.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enrolment {
    /// The name to sign in with.
    pub user_name: UserName,
    /// The `otpauth` address of the one-time codes (RFC 6238).
    #[schema(
        example = "otpauth://totp/ContactPoint:b.practitioner?secret=MEHAT3X7NQKPFBZYR7CGXYDSXIQ6DDIX&issuer=ContactPoint"
    )]
    pub otpauth: String,
    /// The same as a QR code: an SVG image.
    #[schema(example = "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>")]
    pub qr_code: String,
}

/// What the person chooses, with a code that shows that the authenticator works.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "invitation": "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q",
    "password": "correct horse battery staple",
    "pin": "407713",
    "oneTimeCode": "287082"
}))]
pub struct CompletionIn {
    /// The invitation.
    #[schema(value_type = String, format = Password, pattern = "^[A-Za-z0-9_-]{43}$")]
    pub invitation: SecretString,
    /// The password: 12 to 128 characters, not easily guessed.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128, pattern = "^[^\\x00]*$")]
    pub password: SecretString,
    /// The PIN: 6 digits, neither repeated nor a run nor a date.
    #[schema(value_type = String, format = Password, pattern = "^[0-9]{6}$")]
    pub pin: SecretString,
    /// The one-time code that the authenticator shows now.
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub one_time_code: SecretString,
}

impl Validate for CompletionIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let code = self.one_time_code.expose_secret();
        let mut errors = ValidationErrors::new();
        whole_invitation(&self.invitation, &mut errors);
        if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
            let error = ValidationError::new("form").with_message("must be 6 digits".into());
            errors.add("one_time_code", error);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// The account that can now be used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enrolled {
    /// The name to sign in with.
    pub user_name: UserName,
}

/// A person who is to have an account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its number.
    pub id: AccountId,
    /// The name to sign in with.
    pub user_name: UserName,
    /// The person's name.
    pub name: String,
    /// Whom the person acts for.
    pub organisation: OrganisationId,
    /// What the person is to the index.
    pub role: Role,
    /// The day of the enhanced police check.
    pub police_checked_on: Option<NaiveDate>,
    /// The day on which the training was completed.
    pub trained_on: Option<NaiveDate>,
    /// The day on which the user agreement was signed.
    pub agreement_signed_on: Option<NaiveDate>,
}

/// A PIN of six digits that [`crate::session::secret::check_pin`] accepts.
pub fn new_pin() -> anyhow::Result<SecretString> {
    loop {
        let mut bytes = [0; 4];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let pin = format!("{:06}", u32::from_be_bytes(bytes) % 1_000_000);
        if crate::session::secret::check_pin(&pin).is_ok() {
            return Ok(pin.into());
        }
    }
}

/// A password of 24 random letters and digits, none easily taken for another.
pub fn new_password() -> anyhow::Result<SecretString> {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes)?;
    let signs = bytes.iter().map(|byte| char::from(SIGNS[usize::from(byte % 32)]));
    Ok(signs.collect::<String>().into())
}

/// A secret, exposed for the one who receives it.
#[must_use]
pub fn shown(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}
