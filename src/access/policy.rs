//! The table of who may do what, from which guards, the description and `GET /v1/policies` come.

use serde::Serialize;
use utoipa::ToSchema;

use crate::code::codes;

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
    /// Ask whether what a system knows is of one child.
    MatchChildren "child:match" true [Feed] "any child that is not archived: the one confident match, never a list";
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
    /// Read which consents have been given.
    ReadConsent "consent:read" true [Practitioner PractitionerWithOverride Steward] "consents to services of the own organisation; a steward: all about records for which the own authority is responsible";
    /// Withdraw a consent.
    WithdrawConsent "consent:withdraw" true [Practitioner PractitionerWithOverride Steward] "consents to services of the own organisation; a steward: about records for which the own authority is responsible" fresh;
    /// See whose accounts are about a record.
    ReadSubject "subject:read" true [Steward] "records for which the own authority is responsible";
    /// Say whose account is about a record, or is no more.
    EnrolSubject "subject:enrol" true [Steward] "records for which the own authority is responsible" fresh;
    /// Read the own record, and who has looked at it.
    ReadMyRecord "my-record:read" true [Subject] "the own record; a carer: those of children for whom the carer acts";
    /// Ask to see the own record, to have it put right, or complain; and take that back.
    AskInformation "information-request:ask" true [Subject] "the own record; a carer: those of children for whom the carer acts";
    /// Find and open what children and carers ask of the index.
    ReadInformationRequest "information-request:read" true [Steward Auditor Subject] "about records for which the own authority is responsible; a subject: the own; an auditor of a national partner: all";
    /// Enter what was asked on paper, and work on what children and carers ask.
    WorkInformationRequest "information-request:work" true [Steward] "about records for which the own authority is responsible";
    /// See which looks at a child are told later, and why.
    ReadWithholding "withholding:read" true [Steward] "records for which the own authority is responsible";
    /// Have looks at a child told later, for 3 months at a time.
    WriteWithholding "withholding:write" true [Steward] "records for which the own authority is responsible" fresh;
    /// Ask to be put in touch with whoever else works with a child.
    AskForContact "contact-request:ask" true [Practitioner PractitionerWithOverride] "any child that is not archived";
    /// Find and open requests to be put in touch.
    ReadContactRequest "contact-request:read" true [Practitioner PractitionerWithOverride Steward] "the own requests and those forwarded to the own organisation; a steward: about records for which the own authority is responsible";
    /// Forward requests to be put in touch, and close them.
    BrokerContact "contact-request:broker" true [Steward] "requests about records for which the own authority is responsible";
    /// Accept and decline requests to be put in touch.
    AnswerContact "contact-request:answer" true [Practitioner PractitionerWithOverride] "requests forwarded to the own organisation";
    /// Ask that a child be shielded.
    AskForShield "shield:ask" true [Practitioner PractitionerWithOverride Steward Subject] "any child that is not archived; a subject: the own record, or the child for whom they act";
    /// Find and open requests that children be shielded.
    ReadShieldRequest "shield-request:read" true [Practitioner PractitionerWithOverride Steward ShieldApprover Subject] "one's own requests; a shield approver: those on records for which the own authority is responsible";
    /// See whether a child is shielded, and the requests for it.
    ReadShield "shield:read" true [Steward ShieldApprover] "records for which the own authority is responsible";
    /// Decide on requests that children be shielded, review and close them, and lift shields.
    DecideShield "shield:decide" true [ShieldApprover] "records for which the own authority is responsible, never one's own request" fresh;
    /// Look past the shield of a child for 15 minutes.
    OverrideShield "shield:override" true [PractitionerWithOverride] "any shielded child, one for each sign-in" fresh;
    /// End the identity of a child who was adopted or is protected as a witness.
    EndIdentity "identity:end" true [ShieldApprover] "records for which the own authority is responsible, by two people" fresh;
    /// Take consents to stay after the 18th birthday, and take records back from the archive.
    ChangeRetention "retention:write" true [Steward] "records for which the own authority is responsible, for the first year in the archive also" fresh;
    /// Read what is archived next.
    ReadForecast "retention:read" true [Steward Operator] "records for which the own authority is responsible; the operator: counts only";
    /// Find and open archived records.
    ReadArchive "archive:read" true [Steward ArchiveReviewer] "records for which the own authority is responsible, for the first year; the archive reviewer: all, from the second to the sixth year, on a ground and with a reference";
    /// Read which legal holds are on a record.
    ReadHold "hold:read" true [Steward ArchiveReviewer] "records for which the own authority is responsible, in use and for the first year in the archive; the archive reviewer: all, from then on";
    /// Place, renew and end legal holds.
    WriteHold "hold:write" true [Steward ArchiveReviewer] "records for which the own authority is responsible, in use and for the first year in the archive; the archive reviewer: all, from then on" fresh;
    /// Read which purges there were.
    ReadPurge "purge:read" false [Operator Auditor] "counts, never a record";
    /// Propose purges and approve those of others.
    WritePurge "purge:write" false [Operator] "all records that are due; never approving one's own" fresh;
    /// Find organisations and how to reach them.
    ReadOrganisation "organisation:read" false [Practitioner PractitionerWithOverride Steward ShieldApprover AccountAdministrator Operator Auditor ArchiveReviewer Feed CaseSystem] "every organisation";
    /// Add, change and close organisations.
    WriteOrganisation "organisation:write" false [Operator] "every organisation" fresh;
    /// Suspend an organisation, and with it whoever acts for it.
    SuspendOrganisation "organisation:suspend" false [AccountAdministrator Operator] "the own organisation; the operator: every organisation";
    /// Lift the suspension of an organisation.
    LiftSuspension "organisation:reinstate" false [Operator] "every organisation" fresh;
    /// See how much those of an organisation may look for and open.
    ReadBudget "budget:read" false [AccountAdministrator Operator] "the own organisation's; the operator: every organisation's";
    /// Set how much those of an organisation may look for and open.
    WriteBudget "budget:write" false [AccountAdministrator Operator] "the own organisation's, tighter alone; the operator: every organisation's" fresh;
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
    /// Find and open feeds.
    ReadFeed "feed:read" false [AccountAdministrator Operator Steward Feed] "feeds of the own organisation; a steward: of organisations in the own authority; the operator: of national partners";
    /// Add and change feeds.
    WriteFeed "feed:write" false [AccountAdministrator Operator] "feeds of the own organisation; the operator: of national partners" fresh;
    /// Send what a source system holds.
    SendBatch "batch:send" true [Feed] "to feeds of the own organisation";
    /// See how far batches are, and the counts of what became of their rows.
    ReadBatch "batch:read" false [AccountAdministrator Operator Steward Feed] "batches of feeds of the own organisation; a steward: of organisations in the own authority; the operator: of national partners";
    /// See what became of each row of a batch.
    ReadBatchRows "batch-row:read" true [Steward Feed] "batches of feeds of the own organisation; a steward: of organisations in the own authority";
    /// Ask whether the index says what a source system holds.
    Reconcile "reconciliation:make" true [Feed] "feeds of the own organisation";
    /// Let what a feed sends count, or be on trial again.
    WriteFeedStage "feed-stage:write" false [AccountAdministrator Operator] "feeds of the own organisation; the operator: of national partners" fresh;
    /// Find and open rows of feeds that wait for a decision, and say which child they are of.
    DecideReview "review:decide" true [Steward] "rows of which the own authority decides";
    /// See whether everything is stopped, stop it, and lift the stop.
    StopEverything "stop:write" false [Operator] "everything";
    /// Offer records to another authority, take offers back, and answer those of others.
    WriteTransfer "transfer:write" true [Steward] "records for which the own authority is responsible, and offers to it";
    /// Find and open offers of records.
    ReadTransfer "transfer:read" true [Steward] "offers by and to the own authority";
    /// Read which records may be of one child.
    ReadPossibleDuplicate "possible-duplicate:read" true [Steward] "pairs with a record for which the own authority is responsible";
    /// Say whether two records are of one child.
    DecidePossibleDuplicate "possible-duplicate:decide" true [Steward] "pairs with a record for which the own authority is responsible";
    /// Follow what changes of children.
    ReadChanges "change:read" true [Steward Feed CaseSystem] "children with whom the own organisation works; a steward: also records for which the own authority is responsible";
    /// Find and open subscriptions to changes, and what was sent to them.
    ReadSubscription "subscription:read" false [AccountAdministrator] "the own organisation's, without the children of whom they tell";
    /// Make, change and end subscriptions to changes, and have events sent again.
    WriteSubscription "subscription:write" false [AccountAdministrator] "the own organisation's" fresh;
    /// Find and open merges.
    ReadMerge "merge:read" true [Steward] "merges of records for which the own authority is responsible";
    /// Propose that two records become one, or two again, and refuse that.
    ProposeMerge "merge:propose" true [Steward] "records of which the own authority is responsible for one";
    /// Approve that two records become one, or two again.
    DecideMerge "merge:decide" true [Steward] "merges of records for which the own authority is responsible, never proposed by oneself; where another authority is responsible for the other record, proposed by that one" fresh;
    /// Read what there is to do or to know.
    ReadNotice "notice:read" false [Practitioner PractitionerWithOverride Steward ShieldApprover AccountAdministrator Operator Auditor ArchiveReviewer] "notices to the own role in the own organisation; the operator and the archive reviewer: to all of their role";
    /// Say that a notice has been seen.
    WriteNotice "notice:write" false [Practitioner PractitionerWithOverride Steward ShieldApprover AccountAdministrator Operator Auditor ArchiveReviewer] "notices to the own role in the own organisation; the operator and the archive reviewer: to all of their role";
    /// Read how the index has been used.
    ReadAudit "audit:read" false [Auditor] "the own organisation's events; an auditor of a national partner: all";
    /// Read how you have used the index yourself.
    ReadOwnUse "own-use:read" false [Practitioner PractitionerWithOverride Steward ShieldApprover AccountAdministrator Operator Auditor ArchiveReviewer Subject] "one's own events";
    /// Read how much each person of an organisation has used the index.
    ReadUsage "usage:read" false [AccountAdministrator Auditor] "the own organisation's, and an authority's those of organisations in its area; an auditor of a national partner: every organisation's";
    /// Read from which measure on detectors find something.
    ReadDetector "detector:read" false [Operator Auditor] "every detector";
    /// Set from which measure on detectors find something.
    WriteDetector "detector:write" false [Operator] "every detector" fresh;
    /// Find and open alerts.
    ReadAlert "alert:read" false [Auditor] "those of the own organisation, never about one's own use; an auditor of a national partner: all others too";
    /// Read the signed roots over what the audit holds.
    ReadAuditRoots "audit-root:read" false [Operator Auditor] "everything: they say nothing of any event";
    /// Find and open investigations into how the index was used.
    ReadInvestigation "investigation:read" false [ShieldApprover Auditor] "those of the own authority, a shield approver into looks past a shield alone; an auditor of a national partner: all";
    /// Begin investigations of alerts, read the evidence, and say who looks into it.
    WorkInvestigation "investigation:work" false [Auditor] "those of the own authority, never into one's own use; an auditor of a national partner: all";
    /// Suspect misuse, and say what came out of an investigation.
    DecideInvestigation "investigation:decide" false [Auditor] "those of the own authority, never into one's own use; an auditor of a national partner: all" fresh;
    /// Read the table of who may do what, and the code lists.
    ReadPolicy "policy:read" false [Practitioner PractitionerWithOverride Steward ShieldApprover AccountAdministrator Operator Auditor ArchiveReviewer Subject Feed CaseSystem] "everything";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_be_given_what_is_its_roles_and_a_case_system_what_its_practitioners_may() {
        let systems = [Role::Feed, Role::CaseSystem];
        assert!(Role::ALL.iter().all(|role| role.is_system() == systems.contains(role)));
        let given = |scope, role| {
            POLICIES.iter().find(|policy| policy.scope == scope).unwrap().may_be_given_to(role)
        };
        // A feed's own, a practitioner's, both of a person and of a case system, and of neither.
        assert_eq!(systems.map(|role| given(MatchChildren::SCOPE, role)), [true, false]);
        assert_eq!(systems.map(|role| given(ReadChild::SCOPE, role)), [false, true]);
        assert_eq!(systems.map(|role| given(ReadChanges::SCOPE, role)), [true, true]);
        assert_eq!(systems.map(|role| given(CorrectChild::SCOPE, role)), [false, false]);
    }

    #[test]
    fn what_stops_and_lifts_the_stop_goes_on_meanwhile_and_looking_does_not() {
        assert!(goes_on("stop_everything") && goes_on("lift_stop"));
        assert!(!goes_on("open_child") && !goes_on("search_children"));
    }
}
