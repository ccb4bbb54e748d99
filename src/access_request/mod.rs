//! Requests for access: anyone asks, the council decides, or for national partners the national operator.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use linkage::fold::tokens;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    access::Role,
    account::{Invitation, NewAccount, past},
    code::codes,
    contact::{Email, PersonLine, Phone},
    ids::{AccessRequestId, AccountId, OrganisationId},
    organisation::codes::OrganisationCode,
    problem::{Kind, Problem},
    session::user_name::UserName,
};

pub mod routes;
mod store;

/// How long a request waits for its decision.
pub const WAITS: TimeDelta = TimeDelta::days(30);

codes! {
    /// How a request for access stands.
    RequestStatus {
        /// It waits for its decision, for 30 days.
        Pending = "pending",
        /// It was approved, and an account made.
        Approved = "approved",
        /// It was declined.
        Declined = "declined",
        /// Nobody decided in time.
        Expired = "expired",
    }
}

codes! {
    /// What is decided on a request for access.
    Decision {
        /// An account is made.
        Approved = "approved",
        /// No account is made.
        Declined = "declined",
    }
}

codes! {
    /// Why a request for access is declined.
    DeclineReason {
        /// The person does not work for the organisation.
        NotOfOrganisation = "notOfOrganisation",
        /// The person's work does not need the index, or not in this role.
        NotNeeded = "notNeeded",
        /// The police check, the training or the user agreement is missing.
        NotReady = "notReady",
        /// The person has an account.
        HasAccount = "hasAccount",
        /// The person could not be reached to make sure who asks.
        NotReached = "notReached",
    }
}

/// Who asks for access, to act for whom, as what. There is no room for anything else to be told.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Example Practitioner",
    "email": "b.practitioner@example.org",
    "officeHours": "01632 960001",
    "organisation": "urn:900001",
    "role": "practitioner"
}))]
pub struct AccessRequestIn {
    /// The person who is to have an account.
    pub name: PersonLine,
    /// The person's e-mail address at work.
    pub email: Email,
    /// The person's number in office hours.
    pub office_hours: Phone,
    /// Whom the person works for, by a public code.
    pub organisation: OrganisationCode,
    /// What the person is to be: `practitioner`, `steward`, `shieldApprover`, `accountAdministrator`, `auditor` or
    /// `archiveReviewer`. No other role is asked for.
    pub role: Role,
}

/// The roles that may be asked for.
pub(crate) const ASKED_FOR: [Role; 6] = [
    Role::Practitioner,
    Role::Steward,
    Role::ShieldApprover,
    Role::AccountAdministrator,
    Role::Auditor,
    Role::ArchiveReviewer,
];

impl AccessRequestIn {
    /// The role is one that may be asked for: nobody asks to run the index, and the right to override is given by two.
    pub fn check(&self) -> Result<(), Problem> {
        if ASKED_FOR.contains(&self.role) {
            return Ok(());
        }
        Err(Problem::invalid("/role", "is not a role that is asked for"))
    }
}

/// What whoever asks for access is told, whatever the index holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Received {
    /// Always `received`.
    #[schema(example = "received")]
    pub status: &'static str,
}

/// A request for access.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessRequest {
    /// Its number.
    pub id: AccessRequestId,
    /// Whom the person works for.
    pub organisation_id: OrganisationId,
    /// What the person asks to be.
    pub role: Role,
    /// The person; this and what follows is deleted 90 days after the request has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<PersonLine>,
    /// The person's e-mail address at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<Email>,
    /// The person's number in office hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub office_hours: Option<Phone>,
    /// The account that asked, where somebody did who was signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub asked_by: Option<AccountId>,
    /// How it stands.
    pub status: RequestStatus,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// Until when it can be decided.
    pub expires_at: DateTime<Utc>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decided_by: Option<AccountId>,
    /// Why it was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<DeclineReason>,
    /// The account that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub account_id: Option<AccountId>,
    /// What the person enrols with, told once: in the answer to the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub invitation: Option<Invitation>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// Who is about to decide, by all that a request might say of them.
#[derive(Debug)]
pub(crate) struct Decider {
    pub(crate) account: AccountId,
    pub(crate) user_name: String,
    pub(crate) name: String,
    /// The address that the account itself was asked for with, where it was.
    pub(crate) email: Option<String>,
}

impl AccessRequest {
    /// Nobody decides what they asked for, for themselves or for somebody else.
    pub(crate) fn may_be_decided_by(&self, decider: &Decider) -> Result<(), Problem> {
        let email = self.email.as_ref().map(Email::as_str);
        let addressed = email.is_some_and(|email| {
            UserName::parse(email).is_ok_and(|name| name.as_str() == decider.user_name)
                || decider.email.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(email))
        });
        let named = self
            .name
            .as_ref()
            .is_some_and(|name| name_key(name.as_str()) == name_key(&decider.name));
        if self.asked_by == Some(decider.account) || addressed || named {
            return Err(Problem::new(Kind::Forbidden, "Nobody decides on their own request."));
        }
        Ok(())
    }

    /// The account that an approval of it makes.
    fn account(&self, told: AccessDecisionIn, today: NaiveDate) -> Result<NewAccount, Problem> {
        let role = told.role.unwrap_or(self.role);
        if role != self.role && (self.role, role) != (Role::Steward, Role::Practitioner) {
            let detail = "must be the role that was asked for, or `practitioner` for `steward`";
            return Err(Problem::invalid("/role", detail));
        }
        past([told.police_checked_on, told.trained_on, told.agreement_signed_on], today)?;
        Ok(NewAccount {
            id: AccountId::new(),
            user_name: told
                .user_name
                .ok_or_else(|| Problem::invalid("/userName", "is required to approve"))?,
            name: self.name.clone().ok_or(Kind::AccessRequestEnded)?.into(),
            organisation: self.organisation_id,
            role,
            police_checked_on: told.police_checked_on,
            trained_on: told.trained_on,
            agreement_signed_on: told.agreement_signed_on,
        })
    }
}

/// A person's name as names are compared: its parts in any order, folded.
pub(crate) fn name_key(name: &str) -> String {
    let mut parts = tokens(name);
    parts.sort();
    parts.join(" ")
}

/// The decision on a request for access.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "decision": "approved",
    "userName": "b.practitioner",
    "policeCheckedOn": "2026-01-12",
    "trainedOn": "2026-02-03",
    "agreementSignedOn": "2026-02-03"
}))]
pub struct AccessDecisionIn {
    /// What is decided.
    pub decision: Decision,
    /// Why the request is declined.
    #[serde(default)]
    #[schema(nullable = false)]
    pub reason: Option<DeclineReason>,
    /// The name to sign in with; needed to approve.
    #[serde(default)]
    #[schema(nullable = false)]
    pub user_name: Option<UserName>,
    /// What the person is to be: as asked unless said; `practitioner` may stand in for `steward`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub role: Option<Role>,
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

impl AccessDecisionIn {
    /// The account to be made where the request is approved; none where it is declined.
    pub(crate) fn on(
        self,
        request: &AccessRequest,
        today: NaiveDate,
    ) -> Result<Option<NewAccount>, Problem> {
        if request.status != RequestStatus::Pending {
            return Err(Kind::AccessRequestEnded.into());
        }
        let stray = match self.decision {
            Decision::Approved => [("/reason", self.reason.is_some())].to_vec(),
            Decision::Declined => vec![
                ("/userName", self.user_name.is_some()),
                ("/role", self.role.is_some()),
                ("/policeCheckedOn", self.police_checked_on.is_some()),
                ("/trainedOn", self.trained_on.is_some()),
                ("/agreementSignedOn", self.agreement_signed_on.is_some()),
            ],
        };
        if let Some((member, _)) = stray.into_iter().find(|(_, told)| *told) {
            return Err(Problem::invalid(member, "does not belong to this decision"));
        }
        match self.decision {
            Decision::Approved => request.account(self, today).map(Some),
            Decision::Declined => Ok(None),
        }
    }
}

/// Which requests for access are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccessRequestQuery {
    /// How they stand.
    #[param(nullable = false, example = "pending")]
    pub status: Option<RequestStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// A page of requests for access, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessRequests {
    /// The requests.
    pub items: Vec<AccessRequest>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(name: &str, email: &str) -> AccessRequest {
        serde_json::from_value(json!({
            "id": AccessRequestId::new(), "organisationId": OrganisationId::new(), "role": "steward", "name": name,
            "email": email, "officeHours": "01632 960001", "status": "pending", "askedAt": "2026-11-16T09:30:00Z",
            "expiresAt": "2026-12-16T09:30:00Z", "version": 1
        }))
        .unwrap()
    }

    #[test]
    fn nobody_decides_on_their_own_request_however_it_is_written() {
        let decider = Decider {
            account: AccountId::new(),
            user_name: "z.obrien@example.org".to_owned(),
            name: "Zoë O'Brien-Hall".to_owned(),
            email: Some("zoe@example.org".to_owned()),
        };
        for (name, email, own) in [
            ("Example Person", "example@example.org", false),
            ("ZOE O’BRIEN HALL", "example@example.org", true),
            ("Hall O'Brien, Zoe", "example@example.org", true),
            ("Example Person", "Z.OBrien@example.org", true),
            ("Example Person", "ZOE@example.org", true),
            ("Zoe Hall", "z.obrien@example.com", false),
        ] {
            let told = request(name, email).may_be_decided_by(&decider);
            assert_eq!(told.is_err(), own, "{name} {email}");
        }
        let mut asked = request("Example Person", "example@example.org");
        asked.asked_by = Some(decider.account);
        assert!(asked.may_be_decided_by(&decider).is_err());
    }

    #[test]
    fn a_decision_is_whole() {
        let today = "2026-11-16".parse().unwrap();
        let held = request("Example Person", "example@example.org");
        for (told, at) in [
            (json!({ "decision": "declined" }), None),
            (json!({ "decision": "declined", "reason": "notNeeded" }), None),
            (json!({ "decision": "declined", "userName": "a.person" }), Some("/userName")),
            (json!({ "decision": "declined", "trainedOn": "2026-01-01" }), Some("/trainedOn")),
            (json!({ "decision": "approved" }), Some("/userName")),
            (json!({ "decision": "approved", "userName": "a.person" }), None),
            (
                json!({ "decision": "approved", "userName": "a.person", "role": "practitioner" }),
                None,
            ),
            (
                json!({ "decision": "approved", "userName": "a.person", "role": "auditor" }),
                Some("/role"),
            ),
            (
                json!({ "decision": "approved", "userName": "a.person", "reason": "notNeeded" }),
                Some("/reason"),
            ),
            (
                json!({ "decision": "approved", "userName": "a.person", "trainedOn": "2026-11-17" }),
                Some("/trainedOn"),
            ),
        ] {
            let decision: AccessDecisionIn = serde_json::from_value(told.clone()).unwrap();
            let refused = decision.on(&held, today).err();
            let pointer = refused.as_ref().map(|problem| problem.errors()[0].pointer.as_str());
            assert_eq!(pointer, at, "{told}");
        }
    }
}
