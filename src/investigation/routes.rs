//! Investigations over HTTP.

use actix_web::{
    get, put,
    web::{Data, Path},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    AssignmentIn, Evidence, Investigation, InvestigationOutcome, InvestigationQuery,
    Investigations, OutcomeIn, SuspicionIn, store,
};
use crate::{
    access::{Access, DecideInvestigation, Permission, ReadInvestigation, Role, WorkInvestigation},
    account, alert,
    audit::{self, Trail},
    cursor,
    http::{IfMatch, Json, Query},
    ids::{AccountId, ChildId, InvestigationId, OrganisationId},
    notice::{self, NoticeKind, Telling},
    problem::Problem,
    work::{Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_investigations);
    api.service(open_investigation);
    api.service(read_evidence);
    api.service(assign_investigation);
    api.service(suspect_misuse);
    api.service(decide_investigation);
}

/// Find investigations
///
/// The oldest first: those of the own authority; an auditor of a national partner sees all. Every look past a shield is
/// looked into by the authority that answered for the record, and what detectors found by auditors.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [ReadInvestigation::SCOPE])),
    params(InvestigationQuery),
    responses((status = 200, description = "A page of investigations.", body = Investigations)),
)]
#[get("/investigations")]
async fn list_investigations(
    access: Access<ReadInvestigation>,
    Query(query): Query<InvestigationQuery>,
    db: Data<Db>,
) -> Reply<Investigations> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after.unwrap_or_default(), i64::from(limit) + 1).await?;
    let (found, next) = cursor::page(found, limit, |(_, opened, told)| (*opened, told.id));
    let (children, items): (Vec<_>, _) =
        found.into_iter().map(|(child, _, told)| (child, told)).unzip();
    look.record(
        Trail::about(children.into_iter().flatten().collect()),
        Investigations { items, next },
    )
    .await
}

/// Open an investigation
///
/// Whose use of the index is looked into: who looked past the shield of whom, with which reference, or what a detector found; and what
/// came of it.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [ReadInvestigation::SCOPE])),
    params(("investigationId" = InvestigationId, Path, description = "The investigation.")),
    responses((status = 200, description = "The investigation.", body = Investigation, headers(
        ("ETag" = String, description = "The version of the investigation, for `If-Match`."),
    ))),
)]
#[get("/investigations/{investigationId}")]
async fn open_investigation(
    access: Access<ReadInvestigation>,
    id: Path<InvestigationId>,
    db: Data<Db>,
) -> Reply<Investigation> {
    let look = access.look(&db).await?;
    let (child, investigation) = store::open(&look, *id).await?;
    let version = investigation.version;
    let trail = about(child).with(json!({ "investigation": *id }));
    Ok(look.record(trail, investigation).await?.version(version))
}

fn about(child: Option<ChildId>) -> Trail {
    Trail::about(child.into_iter().collect())
}

/// Read the evidence of an investigation
///
/// The events of the audit in which it shows, with what only auditors read, and whose they are. Reading it is written down.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [WorkInvestigation::SCOPE])),
    params(("investigationId" = InvestigationId, Path, description = "The investigation.")),
    responses((status = 200, description = "The evidence.", body = Evidence)),
)]
#[get("/investigations/{investigationId}/evidence")]
async fn read_evidence(
    access: Access<WorkInvestigation>,
    id: Path<InvestigationId>,
    db: Data<Db>,
) -> Reply<Evidence> {
    let look = access.look(&db).await?;
    let (child, told) = store::open(&look, *id).await?;
    told.may_be_decided_by(look.caller.account())?;
    let (events, accounts, since) = if let Some(alert) = told.alert_id {
        let finding = alert::store::finding(look.db(), look.vault(), alert).await?;
        let accounts = alert::whose(&finding).collect();
        (finding.events, accounts, finding.at - TimeDelta::days(2))
    } else {
        let events = store::of_grant(&look, *id).await?;
        (events, vec![told.account_id], told.opened_at - TimeDelta::days(1))
    };
    let events = audit::store::of_numbers(&look, &events, &accounts, since).await?;
    let accounts = store::accounts(&look, &accounts).await?;
    let trail = about(child).with(json!({ "investigation": *id, "events": events.len() }));
    look.record(trail, Evidence { accounts, events }).await
}

/// Say who looks into it
///
/// An auditor of your own organisation, who is not the one into whose use it looks. Auditors are told that it is to be worked on.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [WorkInvestigation::SCOPE])),
    params(("investigationId" = InvestigationId, Path, description = "The investigation.")),
    request_body = AssignmentIn,
    responses((status = 200, description = "The investigation as it now stands.", body = Investigation, headers(
        ("ETag" = String, description = "The version of the investigation, for `If-Match`."),
    ))),
)]
#[put("/investigations/{investigationId}/assignment")]
async fn assign_investigation(
    access: Access<WorkInvestigation>,
    id: Path<InvestigationId>,
    base: IfMatch,
    body: Json<AssignmentIn>,
    db: Data<Db>,
) -> Reply<Investigation> {
    let mut work = access.begin(&db).await?;
    let (child, investigation) = store::lock(&mut work, *id).await?;
    investigation.may_be_decided_by(work.caller.account())?;
    base.check(investigation.version)?;
    investigation.is_open()?;
    let to = body.value.account_id;
    if to == investigation.account_id || !store::is_auditor(&mut work, to).await? {
        let detail = "is not another auditor of your own organisation";
        return Err(Problem::invalid("/accountId", detail));
    }
    store::assign(&mut work, *id, to).await?;
    let (about_it, organisation) =
        (format!("/v1/investigations/{}", *id), work.caller.organisation);
    tell(&mut work, NoticeKind::InvestigationAssigned, organisation, Role::Auditor, about_it)
        .await?;
    let (_, investigation) = store::reread(&mut work, *id).await?;
    let version = investigation.version;
    let trail = about(child).with(json!({ "investigation": *id, "assignedTo": to }));
    Ok(work.record(trail, investigation).await?.version(version))
}

/// Suspect misuse
///
/// The account is suspended at once, its sessions end, and its administrators are told. It stays so until it turns out that there was
/// reason for what was done; where there was none, until its administrator decides. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [DecideInvestigation::SCOPE])),
    params(("investigationId" = InvestigationId, Path, description = "The investigation.")),
    request_body = SuspicionIn,
    responses((status = 200, description = "The investigation as it now stands.", body = Investigation, headers(
        ("ETag" = String, description = "The version of the investigation, for `If-Match`."),
    ))),
)]
#[put("/investigations/{investigationId}/suspicion")]
async fn suspect_misuse(
    access: Access<DecideInvestigation>,
    id: Path<InvestigationId>,
    base: IfMatch,
    body: Json<SuspicionIn>,
    db: Data<Db>,
) -> Reply<Investigation> {
    body.value.check()?;
    let mut work = access.begin(&db).await?;
    let (child, investigation) = store::lock(&mut work, *id).await?;
    investigation.may_be_decided_by(work.caller.account())?;
    base.check(investigation.version)?;
    investigation.is_open()?;
    investigation.is_not_suspected()?;
    let suspended = account::store::suspend(&mut work, investigation.account_id).await?;
    store::suspect(&mut work, *id, suspended).await?;
    tell_administrators(&mut work, NoticeKind::MisuseSuspected, investigation.account_id).await?;
    let (_, investigation) = store::reread(&mut work, *id).await?;
    let version = investigation.version;
    let trail = json!({ "investigation": *id, "account": investigation.account_id, "suspended": suspended });
    Ok(work.record(about(child).with(trail), investigation).await?.version(version))
}

/// Tells the administrators of an account's person, who learn of no child and no investigation.
async fn tell_administrators(
    work: &mut Work,
    kind: NoticeKind,
    account: AccountId,
) -> Result<(), Problem> {
    for organisation in account::store::administrators(work, account).await? {
        let about = format!("/v1/accounts/{account}");
        tell(work, kind, organisation, Role::AccountAdministrator, about).await?;
    }
    Ok(())
}

async fn tell(
    work: &mut Work,
    kind: NoticeKind,
    organisation: OrganisationId,
    role: Role,
    about: String,
) -> Result<(), Problem> {
    let (now, today) = (work.now, work.today());
    let organisation = Some(organisation);
    let telling = Telling { kind, organisation, role, about, due_on: Some(today) };
    Ok(notice::store::tell(work.db(), now, &telling).await?)
}

/// Say what came out of an investigation
///
/// Once, by an auditor, who is not the one into whose use it looks. Where there was reason for what was done, an account that was
/// suspended because misuse was suspected goes on; where there was none, it stays suspended until its administrator decides. Needs a
/// sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "investigations",
    security(("bearer" = [DecideInvestigation::SCOPE])),
    params(("investigationId" = InvestigationId, Path, description = "The investigation.")),
    request_body = OutcomeIn,
    responses((status = 200, description = "The investigation as it now stands.", body = Investigation, headers(
        ("ETag" = String, description = "The version of the investigation, for `If-Match`."),
    ))),
)]
#[put("/investigations/{investigationId}/outcome")]
async fn decide_investigation(
    access: Access<DecideInvestigation>,
    id: Path<InvestigationId>,
    base: IfMatch,
    body: Json<OutcomeIn>,
    db: Data<Db>,
) -> Reply<Investigation> {
    let mut work = access.begin(&db).await?;
    let (child, investigation) = store::lock(&mut work, *id).await?;
    investigation.may_be_decided_by(work.caller.account())?;
    base.check(investigation.version)?;
    investigation.is_open()?;
    let OutcomeIn { outcome, findings } = body.value;
    store::decide(&mut work, *id, outcome, &findings).await?;
    let account = investigation.account_id;
    let suspended = store::suspended(&mut work, *id).await?;
    let resumed = suspended
        && outcome == InvestigationOutcome::Justified
        && account::store::resume(&mut work, account).await?;
    if investigation.suspected_at.is_some() {
        tell_administrators(&mut work, NoticeKind::MisuseDecided, account).await?;
    }
    let (_, investigation) = store::reread(&mut work, *id).await?;
    let version = investigation.version;
    let mut trail = json!({ "investigation": *id, "outcome": outcome });
    if resumed {
        trail["resumed"] = json!(account);
    }
    Ok(work.record(about(child).with(trail), investigation).await?.version(version))
}
