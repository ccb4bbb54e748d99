//! Who calls, what for and why.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::policy::Role;
use crate::{
    digest::Once,
    ids::{AccountId, ClientId, OrganisationId, SessionId},
    problem::{Kind, Problem},
};

/// How long a sign-in counts as fresh (security rule AUTH-8).
const FRESH: TimeDelta = TimeDelta::minutes(5);

/// Why somebody looks: stated on every call about a child and kept in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// To provide a service to the child.
    DirectService,
    /// An enquiry into the child's safety (Children Act 1989, section 47).
    SafeguardingEnquiry,
    /// An assessment of the child's needs.
    Assessment,
    /// The child may be missing education.
    MissingEducation,
    /// The child is moving between services or areas.
    Transfer,
    /// To keep the index accurate.
    DataQuality,
    /// The child, or a carer for the child, has asked.
    SubjectRequest,
    /// To examine how the index is used.
    Audit,
}

impl Reason {
    /// Every reason, with its code and meaning.
    pub const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::DirectService, "direct-service", "To provide a service to the child"),
        (Self::SafeguardingEnquiry, "safeguarding-enquiry", "An enquiry into the child's safety"),
        (Self::Assessment, "assessment", "An assessment of the child's needs"),
        (Self::MissingEducation, "missing-education", "The child may be missing education"),
        (Self::Transfer, "transfer", "The child is moving between services or areas"),
        (Self::DataQuality, "data-quality", "To keep the index accurate"),
        (Self::SubjectRequest, "subject-request", "The child, or a carer for the child, has asked"),
        (Self::Audit, "audit", "To examine how the index is used"),
    ];

    /// Its code.
    #[must_use]
    pub fn code(self) -> &'static str {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).map_or("", |(_, code, _)| code)
    }
}

/// Whether a person or a system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A person with an account.
    Account(AccountId),
    /// A system registered as a client.
    Client(ClientId),
}

impl Subject {
    /// The number behind it.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Account(id) => id.0,
            Self::Client(id) => id.0,
        }
    }
}

/// Whoever makes a request, as the verified token says.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who they are.
    pub subject: Subject,
    /// The system that acts with the person, if one does.
    pub actor: Option<ClientId>,
    /// Whom they act for.
    pub organisation: OrganisationId,
    /// The local authority in whose area that organisation works.
    pub authority: Option<OrganisationId>,
    /// What they are to the index.
    pub role: Role,
    /// The sign-in that the token came from.
    pub session: SessionId,
    /// The token itself.
    pub token: Uuid,
    /// When they signed in.
    pub authenticated_at: DateTime<Utc>,
    /// The proof that came with the token (RFC 9449), which is used once.
    pub proof: Option<Once>,
}

impl Caller {
    /// The person who calls, alone or by a system.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match self.subject {
            Subject::Account(id) => Some(id),
            Subject::Client(_) => None,
        }
    }

    /// The system that calls, for itself or with a person.
    #[must_use]
    pub fn client(&self) -> Option<ClientId> {
        match self.subject {
            Subject::Client(id) => Some(id),
            Subject::Account(_) => self.actor,
        }
    }

    /// Refuses who has not signed in within the last 5 minutes.
    pub fn signed_in_of_late(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        if now - self.authenticated_at > FRESH {
            return Err(Kind::StepUpRequired.into());
        }
        Ok(())
    }

    /// What decides on what they may see.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        Viewer { role: self.role, organisation: self.organisation }
    }
}

/// What decides on whether somebody sees past a shield: what the database's `sees_past_shield` is asked with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    /// What they are to the index.
    pub(crate) role: &'static str,
    /// Whom they act for.
    pub(crate) organisation: Uuid,
    /// Who they are, where a grant to them counts.
    pub(crate) account: Option<Uuid>,
    /// Their session, where a grant in it counts.
    pub(crate) session: Option<Uuid>,
    /// When they look.
    pub(crate) at: DateTime<Utc>,
}

impl Sight {
    /// That of somebody by themselves.
    pub(crate) fn of(caller: &Caller, at: DateTime<Utc>) -> Self {
        Self {
            role: caller.role.as_str(),
            organisation: caller.organisation.0,
            account: caller.account().map(|account| account.0),
            session: Some(caller.session.0),
            at,
        }
    }

    /// That of two together, for whom no grant counts: both must be shield approvers of the same authority.
    pub(crate) fn of_both(caller: &Caller, requester: Viewer, at: DateTime<Utc>) -> Self {
        let approvers = caller.viewer() == requester && caller.role == Role::ShieldApprover;
        let role = if approvers { caller.role.as_str() } else { "" };
        Self { role, account: None, session: None, ..Self::of(caller, at) }
    }
}

/// Somebody who looks: a role in an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// What they are to the index.
    pub role: Role,
    /// Whom they act for.
    pub organisation: OrganisationId,
}

/// What a request says of itself, beside who makes it; made once, at the edge.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The request's number, mirrored in `X-Request-Id`.
    pub request: Uuid,
    /// Which operation it asks for.
    pub operation: &'static str,
    /// The caller's network address.
    pub address: Option<IpAddr>,
    /// The caller's program.
    pub user_agent: Option<String>,
    /// Why, where stated.
    pub reason: Option<Reason>,
    /// The caller's own reference, where stated.
    pub reference: Option<String>,
    /// The person for whom the caller looks, where the look is mediated.
    pub on_behalf_of: Option<AccountId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(subject: Subject, role: Role) -> Caller {
        Caller {
            subject,
            actor: None,
            organisation: OrganisationId(Uuid::from_u128(1)),
            authority: None,
            role,
            session: SessionId(Uuid::from_u128(2)),
            token: Uuid::from_u128(3),
            authenticated_at: DateTime::UNIX_EPOCH,
            proof: None,
        }
    }

    #[test]
    fn a_reason_has_the_code_by_which_it_is_read() {
        for (reason, code, _) in Reason::ALL {
            assert_eq!(reason.code(), code);
            assert_eq!(serde_json::to_value(reason).unwrap(), code);
        }
    }

    #[test]
    fn a_person_with_a_system_is_both_and_a_system_is_itself_alone() {
        let [person, system] = [Uuid::from_u128(4), Uuid::from_u128(5)];
        let mut with = caller(Subject::Account(AccountId(person)), Role::Practitioner);
        assert_eq!((with.account(), with.client()), (Some(AccountId(person)), None));
        with.actor = Some(ClientId(system));
        assert_eq!(
            (with.account(), with.client()),
            (Some(AccountId(person)), Some(ClientId(system)))
        );
        let alone = caller(Subject::Client(ClientId(system)), Role::Feed);
        assert_eq!((alone.account(), alone.client()), (None, Some(ClientId(system))));
        assert_eq!((with.subject.uuid(), alone.subject.uuid()), (person, system));
    }

    #[test]
    fn five_minutes_after_it_a_sign_in_is_of_late_and_no_moment_longer() {
        let caller = caller(Subject::Account(AccountId(Uuid::from_u128(4))), Role::Steward);
        let after = |time| caller.signed_in_of_late(caller.authenticated_at + time).is_ok();
        assert!(after(TimeDelta::zero()) && after(FRESH));
        assert!(!after(FRESH + TimeDelta::nanoseconds(1)) && !after(TimeDelta::days(1)));
    }

    #[test]
    fn two_together_see_past_a_shield_as_approvers_of_one_organisation_alone_and_by_no_grant() {
        let roles = [Role::ShieldApprover, Role::Practitioner];
        let organisations = [1, 9].map(|number| OrganisationId(Uuid::from_u128(number)));
        for (role, other, organisation) in roles
            .into_iter()
            .flat_map(|role| roles.map(|other| (role, other)))
            .flat_map(|(role, other)| organisations.map(|at| (role, other, at)))
        {
            let caller = caller(Subject::Account(AccountId(Uuid::from_u128(4))), role);
            let requester = Viewer { role: other, organisation };
            let sight = Sight::of_both(&caller, requester, DateTime::UNIX_EPOCH);
            let both = role == Role::ShieldApprover && requester == caller.viewer();
            assert_eq!(sight.role, if both { "shieldApprover" } else { "" });
            assert_eq!((sight.account, sight.session), (None, None));
            let alone = Sight::of(&caller, DateTime::UNIX_EPOCH);
            assert_eq!((alone.role, alone.account.is_some()), (role.as_str(), true));
        }
    }
}
