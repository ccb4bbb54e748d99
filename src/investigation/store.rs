//! Investigations in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    EvidenceAccount, Investigation, InvestigationFinding, InvestigationKind, InvestigationOutcome,
    InvestigationQuery, InvestigationStatus, Opening,
};
use crate::{
    access::{Caller, Role},
    account::AccountStatus,
    alert::Alert,
    detector::Finding,
    ids::{AccountId, ChildId, EventId, InvestigationId, OrganisationId},
    override_grant::OverrideGround,
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// Opens an investigation into what the caller is about to do.
pub(crate) async fn begin(work: &mut Work, opening: &Opening) -> Result<InvestigationId, Problem> {
    let (id, now) = (InvestigationId::new(), work.now);
    let (by, organisation) = (work.caller.subject.uuid(), work.caller.organisation);
    sqlx::query!(
        "insert into investigation (investigation_id, kind, child_id, grant_id, account_id, organisation_id, authority_id,
             reference, ground, opened_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        InvestigationKind::Override.as_str(),
        opening.child.0,
        opening.grant.0,
        by,
        organisation.0,
        opening.authority.0,
        opening.reference,
        opening.ground.map(OverrideGround::as_str),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Opens the investigation of an alert, which the caller works on.
pub(crate) async fn of_alert(
    work: &mut Work,
    alert: &Alert,
    finding: &Finding,
) -> Result<InvestigationId, Problem> {
    let (id, now) = (InvestigationId::new(), work.now);
    let by = work.caller.subject.uuid();
    sqlx::query!(
        "insert into investigation (investigation_id, kind, child_id, alert_id, account_id, organisation_id, authority_id, opened_at,
             assigned_to, assigned_at)
         values ($1, $2, (select child_id from child where child_id = $3), $4, $5, $6, $7, $8, $9, $8)",
        id.0,
        InvestigationKind::Alert.as_str(),
        finding.child.map(|child| child.0),
        alert.id.0,
        finding.account.0,
        finding.organisation.0,
        alert.organisation_id.0,
        now,
        by,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// A page of the investigations that the caller sees, after one; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &InvestigationQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<(Option<ChildId>, DateTime<Utc>, Investigation)>, Problem> {
    let rows = sqlx::query!(
        r#"select child_id as "child: ChildId", opened_at as "opened_at!", told as "told!: Json<Investigation>"
           from investigation_told
           where (opened_at, investigation_id) > ($1, $2)
             and ($3::text is null or (outcome is null) = ($3 = 'open'))
             and (authority_id = $4 or ($5 and exists (
                 select from organisation o where o.organisation_id = $4 and o.kind = 'nationalPartner')))
             and (kind = 'override' or ($5 and account_id is distinct from $7))
           order by opened_at, investigation_id limit $6"#,
        after.0,
        after.1,
        query.status.map(InvestigationStatus::as_str),
        look.caller.organisation.0,
        look.caller.role == Role::Auditor,
        limit,
        look.caller.subject.uuid(),
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| (row.child, row.opened_at, row.told.0)).collect())
}

/// Opens an investigation that the caller sees.
pub(super) async fn open(
    look: &Look,
    id: InvestigationId,
) -> Result<(Option<ChildId>, Investigation), Problem> {
    read(look.db(), &look.caller, id).await
}

/// Holds an investigation that the caller sees until the work is done.
pub(super) async fn lock(
    work: &mut Work,
    id: InvestigationId,
) -> Result<(Option<ChildId>, Investigation), Problem> {
    sqlx::query!(
        "select investigation_id from investigation where investigation_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?;
    reread(work, id).await
}

/// The investigation as the work has left it.
pub(crate) async fn reread(
    work: &mut Work,
    id: InvestigationId,
) -> Result<(Option<ChildId>, Investigation), Problem> {
    let caller = work.caller.clone();
    read(work.db(), &caller, id).await
}

async fn read(
    db: impl PgExecutor<'_>,
    caller: &Caller,
    id: InvestigationId,
) -> Result<(Option<ChildId>, Investigation), Problem> {
    let row = sqlx::query!(
        r#"select child_id as "child: ChildId", told as "told!: Json<Investigation>"
           from investigation_told
           where investigation_id = $1
             and (authority_id = $2 or ($3 and exists (
                 select from organisation o where o.organisation_id = $2 and o.kind = 'nationalPartner')))
             and (kind = 'override' or ($3 and account_id is distinct from $4))"#,
        id.0,
        caller.organisation.0,
        caller.role == Role::Auditor,
        caller.subject.uuid(),
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, row.told.0))
}

/// Says who looks into it.
pub(super) async fn assign(
    work: &mut Work,
    id: InvestigationId,
    to: AccountId,
) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update investigation set assigned_to = $2, assigned_at = $3, version = version + 1 where investigation_id = $1",
        id.0,
        to.0,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Whether an account is of an auditor of the caller's organisation, which is in use.
pub(super) async fn is_auditor(work: &mut Work, account: AccountId) -> Result<bool, Problem> {
    let organisation = work.caller.organisation;
    let is = sqlx::query_scalar!(
        r#"select exists (select from account where account_id = $1 and organisation_id = $2 and role = 'auditor'
                          and status = 'active') as "is!""#,
        account.0,
        organisation.0,
    );
    Ok(is.fetch_one(work.db()).await?)
}

/// Writes down that misuse is suspected, and whether the account was suspended because of it.
pub(super) async fn suspect(
    work: &mut Work,
    id: InvestigationId,
    suspended: bool,
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update investigation set suspected_by = $2, suspected_at = $3, suspended = $4, version = version + 1
         where investigation_id = $1",
        id.0,
        by,
        now,
        suspended,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Whether the account was suspended because of it.
pub(super) async fn suspended(work: &mut Work, id: InvestigationId) -> Result<bool, Problem> {
    let suspended = sqlx::query_scalar!(
        "select suspended from investigation where investigation_id = $1",
        id.0
    );
    Ok(suspended.fetch_one(work.db()).await?)
}

/// Whose use of the index is looked into.
pub(super) async fn accounts(
    look: &Look,
    accounts: &[AccountId],
) -> Result<Vec<EvidenceAccount>, Problem> {
    let accounts: Vec<_> = accounts.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        EvidenceAccount,
        r#"select account_id as "account_id: AccountId", name, role as "role: Role",
                  organisation_id as "organisation_id: OrganisationId", status as "status: AccountStatus"
           from account where account_id = any($1) order by name, account_id"#,
        &accounts,
    );
    Ok(rows.fetch_all(look.db()).await?)
}

/// The events in which a look past a shield shows: those of the account about the child while the grant held.
pub(super) async fn of_grant(look: &Look, id: InvestigationId) -> Result<Vec<EventId>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select e.event_id as "event: EventId"
           from investigation i
           join override_grant g on g.grant_id = i.grant_id
           join audit_event e on e.account_id = i.account_id and e.at >= g.granted_at - interval '1 minute'
                and e.at <= g.expires_at and e.children @> array[i.child_id]
           where i.investigation_id = $1"#,
        id.0,
    );
    Ok(rows.fetch_all(look.db()).await?)
}

/// Writes down what came out of it.
pub(super) async fn decide(
    work: &mut Work,
    id: InvestigationId,
    outcome: InvestigationOutcome,
    findings: &[InvestigationFinding],
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    let findings: Vec<_> = findings.iter().map(|finding| finding.as_str().to_owned()).collect();
    sqlx::query!(
        "update investigation set outcome = $2, decided_by = $3, decided_at = $4, findings = $5, version = version + 1
         where investigation_id = $1",
        id.0,
        outcome.as_str(),
        by,
        now,
        &findings,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
