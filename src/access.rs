//! Who is calling, and what they may do: the table of roles and permissions, and the proof that one is held.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    net::IpAddr,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    clock::Clock,
    code::codes,
    credentials,
    digest::Once,
    ids::{AccountId, ClientId, OrganisationId, SessionId},
    limit::Rates,
    problem::{Kind, Problem},
    token::Claims,
};

codes! {
    /// What an account or a client is to the index. No role can do everything.
    Role {
        /// Works with children; trained and vetted.
        Practitioner = "practitioner",
        /// A practitioner who may, with a reference and a fresh sign-in, look past a shield.
        PractitionerWithOverride = "practitionerWithOverride",
        /// The authority's data-quality officer: keeps records accurate.
        Steward = "steward",
        /// Decides on shields.
        ShieldApprover = "shieldApprover",
        /// Makes, suspends and closes the accounts of the own organisation.
        AccountAdministrator = "accountAdministrator",
        /// Runs the index nationally; reads no child.
        Operator = "operator",
        /// Watches over how the index is used, by the own organisation or nationally.
        Auditor = "auditor",
        /// Opens archived records for a review of a child's protection or death.
        ArchiveReviewer = "archiveReviewer",
        /// A child, or a carer acting for one; the own record only.
        Subject = "subject",
        /// A system that sends what it holds.
        Feed = "feed",
        /// A system that acts with a signed-in practitioner.
        CaseSystem = "caseSystem",
    }
}

impl Role {
    /// Whether it belongs to a system (a client), not to a person (an account).
    #[must_use]
    pub fn is_system(self) -> bool {
        matches!(self, Self::Feed | Self::CaseSystem)
    }
}

/// One thing that can be done, and the roles that may do it.
pub trait Permission: 'static {
    /// Its name in tokens and in the API description.
    const SCOPE: &'static str;
    /// The roles that hold it.
    const HELD_BY: &'static [Role];
    /// Whether it is about a child, so that a reason must be stated.
    const ABOUT_A_CHILD: bool;
    /// Whether the caller must have signed in of late (security rule AUTH-8).
    const FRESH: bool;
}

/// One permission: a line of the table.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyLine)]
pub struct Policy {
    /// Its name in tokens and in this document.
    #[schema(example = "child:read")]
    pub scope: &'static str,
    /// What it permits.
    pub permits: &'static str,
    /// The roles that hold it.
    #[serde(rename = "roles")]
    pub held_by: &'static [Role],
    /// Which records it reaches.
    pub limit: &'static str,
    /// Whether a reason must be stated.
    #[serde(rename = "needsReason")]
    pub about_a_child: bool,
    /// Whether the caller must have signed in within the last 5 minutes.
    #[serde(rename = "needsFreshSignIn")]
    pub fresh: bool,
}

impl Policy {
    /// Whether a client of this role may be registered for it: for what is its own, and a case system for what the
    /// practitioners may with whom it acts.
    #[must_use]
    pub fn may_be_given_to(&self, role: Role) -> bool {
        let with = [Role::Practitioner, Role::PractitionerWithOverride];
        self.held_by.contains(&role)
            || role == Role::CaseSystem && with.iter().any(|person| self.held_by.contains(person))
    }
}

/// How long a sign-in counts as fresh (security rule AUTH-8).
const FRESH: TimeDelta = TimeDelta::minutes(5);

macro_rules! permissions {
    ($(#[doc = $doc:literal] $name:ident $scope:literal $about:literal [$($role:ident)+] $limit:literal $($fresh:ident)?;)*) => {
        $(
            #[doc = $doc]
            #[derive(Debug)]
            pub struct $name;

            impl Permission for $name {
                const SCOPE: &'static str = $scope;
                const HELD_BY: &'static [Role] = &[$(Role::$role),+];
                const ABOUT_A_CHILD: bool = $about;
                const FRESH: bool = permissions!(@fresh $($fresh)?);
            }
        )*

        /// The whole policy: every permission, with the roles that hold it.
        pub const POLICIES: &[Policy] = &[$(Policy {
            scope: $name::SCOPE,
            permits: $doc.trim_ascii(),
            held_by: $name::HELD_BY,
            about_a_child: $about,
            fresh: $name::FRESH,
            limit: $limit,
        }),*];
    };
    (@fresh) => { false };
    (@fresh fresh) => { true };
}

permissions! {
    /// Find children.
    SearchChildren "child:search" true [Practitioner PractitionerWithOverride Steward ShieldApprover] "any child that is not archived";
    /// Open a child's record, its carers, involvements and flags.
    ReadChild "child:read" true [Practitioner PractitionerWithOverride Steward ShieldApprover] "any child that is not archived";
    /// Add a child after a search found none.
    AddChild "child:add" true [Practitioner PractitionerWithOverride Steward] "any child";
    /// Correct the facts of a record and its carers.
    CorrectChild "child:correct" true [Steward] "records for which the own authority is responsible";
    /// Read what a record said before.
    ReadHistory "child:history" true [Steward] "records for which the own authority is responsible";
    /// Open one involvement.
    ReadInvolvement "involvement:read" true [Practitioner PractitionerWithOverride Steward ShieldApprover Feed] "any involvement that others may see; a feed: the own organisation's";
    /// Add, confirm, change and end involvements.
    WriteInvolvement "involvement:write" true [Practitioner PractitionerWithOverride Steward Feed] "the own organisation's; a steward: those of organisations in the own authority";
    /// Set and clear flags.
    WriteFlag "flag:write" true [Practitioner PractitionerWithOverride Steward Feed] "involvements of the own organisation";
    /// Find organisations and how to reach them.
    ReadOrganisation "organisation:read" false [Practitioner PractitionerWithOverride Steward ShieldApprover AccountAdministrator Operator Auditor ArchiveReviewer Feed CaseSystem] "every organisation";
    /// Add, change and close organisations.
    WriteOrganisation "organisation:write" false [Operator] "every organisation" fresh;
    /// Suspend an organisation, and with it whoever acts for it.
    SuspendOrganisation "organisation:suspend" false [AccountAdministrator Operator] "the own organisation; the operator: every organisation";
    /// Lift the suspension of an organisation.
    LiftSuspension "organisation:reinstate" false [Operator] "every organisation" fresh;
    /// Find and open accounts.
    ReadAccount "account:read" false [AccountAdministrator Operator] "accounts of the own organisation; the operator: of national partners";
    /// Make, change, suspend and close accounts, and invite people to them.
    WriteAccount "account:write" false [AccountAdministrator Operator] "accounts of the own organisation; the operator: of national partners" fresh;
    /// Find and open clients.
    ReadClient "client:read" false [AccountAdministrator Operator] "clients of the own organisation; the operator: of national partners";
    /// Register, change, suspend and close clients, and renew their secrets.
    WriteClient "client:write" false [AccountAdministrator Operator] "clients of the own organisation; the operator: of national partners" fresh;
    /// Find and open requests for access.
    ReadAccessRequest "access-request:read" false [AccountAdministrator Operator] "requests to organisations in the own council's area; the operator: to national partners";
    /// Approve and decline requests for access.
    DecideAccessRequest "access-request:decide" false [AccountAdministrator Operator] "requests to organisations in the own council's area, never one's own; the operator: to national partners" fresh;
    /// See whether everything is stopped, stop it, and lift the stop.
    StopEverything "stop:write" false [Operator] "everything";
    /// Read how the index has been used.
    ReadAudit "audit:read" false [Auditor] "the own organisation's events; an auditor of a national partner: all";
    /// Read the table of who may do what, and the code lists.
    ReadPolicy "policy:read" false [Practitioner PractitionerWithOverride Steward ShieldApprover AccountAdministrator Operator Auditor ArchiveReviewer Subject Feed CaseSystem] "everything";
}

/// The scopes of a role, separated by spaces as in a token (RFC 9068, section 2.2.3).
#[must_use]
pub fn scopes(role: Role) -> String {
    let held = POLICIES.iter().filter(|policy| policy.held_by.contains(&role));
    held.map(|policy| policy.scope).collect::<Vec<_>>().join(" ")
}

/// What goes on while everything is stopped: signing in, how organisations are reached, stopping one of them, and lifting the
/// stop.
pub(crate) const GOES_ON: [&str; 10] = [
    "create_session",
    "create_external_session",
    "issue_token",
    "revoke_token",
    "list_organisations",
    "open_organisation",
    "suspend_organisation",
    "read_stop",
    "stop_everything",
    "lift_stop",
];

/// Whether an operation goes on while everything is stopped.
pub(crate) fn goes_on(operation: &str) -> bool {
    GOES_ON.contains(&operation)
}

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

    /// What decides on what they may see.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        Viewer { role: self.role, organisation: self.organisation }
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

/// Proof that the caller is known, holds permission `P` and has stated a reason where one is needed.
#[derive(Debug)]
pub struct Access<P> {
    /// Who was let in.
    pub caller: Caller,
    /// What for.
    pub errand: Errand,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequest for Access<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit::<P>(request))
    }
}

fn admit<P: Permission>(request: &HttpRequest) -> Result<Access<P>, Problem> {
    let (caller, claims) = authenticate(request)?;
    let mut errand = errand(request)?;
    let (reason, reference) = (reason(request), reference(request));
    let on_behalf_of = on_behalf_of(request);
    errand.reason = *reason.as_ref().unwrap_or(&None);
    errand.reference.clone_from(reference.as_ref().unwrap_or(&None));
    errand.on_behalf_of = *on_behalf_of.as_ref().unwrap_or(&None);
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(errand.clone());
    if let (Some(client), Some(rate)) = (caller.client(), claims.rps) {
        let rates = request.app_data::<Data<Rates>>().ok_or(Kind::Unauthenticated)?;
        rates.count(client, rate)?;
    }
    let in_scope = claims.scope.split(' ').any(|held| held == P::SCOPE);
    if !in_scope || !P::HELD_BY.contains(&caller.role) {
        let detail = if P::HELD_BY.contains(&caller.role) {
            format!("Your token does not permit {}; ask for one that does.", P::SCOPE)
        } else {
            format!("Your role does not hold {}; `GET /v1/policies` says which roles do.", P::SCOPE)
        };
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    if P::FRESH {
        let clock = request.app_data::<Data<Clock>>().ok_or(Kind::Unauthenticated)?;
        if clock.now() - caller.authenticated_at > FRESH {
            return Err(Kind::StepUpRequired.into());
        }
    }
    reference?;
    if reason?.is_none() && P::ABOUT_A_CHILD {
        return Err(Kind::ReasonRequired.into());
    }
    if on_behalf_of?.is_some() && !P::ABOUT_A_CHILD {
        return Err(Problem::new(Kind::InvalidHeader, "On-Behalf-Of is for looks at children."));
    }
    Ok(Access { caller, errand, permission: PhantomData })
}

/// The errand that the edge made for this request.
pub fn errand(request: &HttpRequest) -> Result<Errand, Problem> {
    let errand = request.extensions().get::<Errand>().cloned();
    errand.ok_or_else(|| Problem::internal(anyhow::anyhow!("a route stands outside the edge")))
}

/// Whoever calls where nobody need be known: somebody only where a token is sent, which must then be good.
#[derive(Debug)]
pub struct Anyone(pub Option<Caller>);

impl FromRequest for Anyone {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if !request.headers().contains_key(AUTHORIZATION) {
            return ready(Ok(Self(None)));
        }
        ready(authenticate(request).map(|(caller, _)| {
            request.extensions_mut().insert(caller.clone());
            Self(Some(caller))
        }))
    }
}

fn authenticate(request: &HttpRequest) -> Result<(Caller, Arc<Claims>), Problem> {
    let (claims, proof) = credentials::read(request)?;
    let caller = caller(&claims).ok_or(Kind::Unauthenticated)?;
    Ok((Caller { proof, ..caller }, claims))
}

fn caller(claims: &Arc<Claims>) -> Option<Caller> {
    let role = Role::parse(&claims.role).ok()?;
    let subject = if role.is_system() {
        Subject::Client(ClientId(claims.sub))
    } else {
        Subject::Account(AccountId(claims.sub))
    };
    Some(Caller {
        subject,
        actor: claims.act.as_ref().map(|actor| ClientId(actor.sub)),
        organisation: OrganisationId(claims.org),
        authority: claims.la.map(OrganisationId),
        role,
        session: SessionId(claims.sid),
        token: claims.jti,
        authenticated_at: DateTime::from_timestamp(claims.auth_time, 0)?,
        proof: None,
    })
}

fn reason(request: &HttpRequest) -> Result<Option<Reason>, Problem> {
    let Some(code) = header(request, "Access-Reason")? else { return Ok(None) };
    let known = Reason::ALL.iter().find(|(_, known, _)| *known == code);
    known.map(|(reason, ..)| Some(*reason)).ok_or_else(|| {
        Problem::new(Kind::InvalidHeader, "Access-Reason must be a code of `GET /v1/code-lists`.")
    })
}

fn reference(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(reference) = header(request, "Access-Reference")? else { return Ok(None) };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'-';
    if (1..=40).contains(&reference.len()) && reference.bytes().all(allowed) {
        Ok(Some(reference.to_owned()))
    } else {
        let form = "Access-Reference must be 1 to 40 letters, digits, slashes and hyphens.";
        Err(Problem::new(Kind::InvalidHeader, form))
    }
}

fn on_behalf_of(request: &HttpRequest) -> Result<Option<AccountId>, Problem> {
    let Some(account) = header(request, "On-Behalf-Of")? else { return Ok(None) };
    let id = account.parse().map_err(|_| {
        Problem::new(Kind::InvalidHeader, "On-Behalf-Of must be the number of an account.")
    })?;
    Ok(Some(AccountId(id)))
}

/// The value of a header that may stand once.
pub fn header<'r>(
    request: &'r HttpRequest,
    name: &'static str,
) -> Result<Option<&'r str>, Problem> {
    let mut values = request.headers().get_all(name);
    let wrong = |form| Problem::new(Kind::InvalidHeader, format!("{name} {form}"));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| wrong("must be ASCII.")),
        (Some(_), Some(_)) => Err(wrong("must stand once.")),
    }
}
