//! Alerts in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Uuid};

use super::{Alert, AlertQuery, AlertStatus, joined, whose};
use crate::{
    access::Caller,
    detector::{Detector, Finding, Severity},
    ids::{AccountId, AlertId, InvestigationId, OrganisationId},
    problem::{Kind, Problem},
    seal::{Place, Sealed, Vault},
    work::{Errands, Look, Unit, Work},
};

fn place(id: AlertId) -> Place {
    Place::of("alert", id.0)
}

/// By what somebody's alerts are kept from them.
fn blind(vault: &Vault, account: AccountId) -> Vec<u8> {
    vault.blind(&[b"alert about", account.0.as_bytes()])
}

/// Raises an alert, or joins the one of the same day; tells its number where it is new.
pub(crate) async fn raise(
    work: &mut Errands,
    finding: &Finding,
) -> Result<Option<AlertId>, Problem> {
    let (vault, now) = (work.vault()?, work.now);
    let (detector, day) = (finding.detector.as_str(), finding.day.to_string());
    let about = finding.about();
    let key = vault.blind(&[b"alert", detector.as_bytes(), about.as_bytes(), day.as_bytes()]);
    let held = sqlx::query!(
        r#"select alert_id as "id: AlertId", sealed as "sealed: Sealed<Finding>" from alert where finding_key = $1 for update"#,
        &key,
    )
    .fetch_optional(work.db())
    .await?;
    let (id, whole) = match &held {
        Some(held) => (held.id, joined(held.sealed.open(&vault, &place(held.id))?, finding)),
        None => (AlertId::new(), finding.clone()),
    };
    let about: Vec<_> = whose(&whole).map(|account| blind(&vault, account)).collect();
    let sealed = Sealed::seal(&whole, &vault, &place(id))?;
    if held.is_some() {
        sqlx::query!(
            "update alert set last_at = greatest(last_at, $2), times = times + 1, about = $3, sealed = $4, version = version + 1
             where alert_id = $1",
            id.0,
            finding.at,
            &about,
            sealed as _,
        )
        .execute(work.db())
        .await?;
        return Ok(None);
    }
    sqlx::query!(
        "insert into alert (alert_id, detector, severity, organisation_id, raised_at, last_at, finding_key, about, sealed)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.0,
        detector,
        finding.detector.severity().as_str(),
        finding.looked_after_by.0,
        now,
        finding.at,
        &key,
        &about,
        sealed as _,
    )
    .execute(work.db())
    .await?;
    Ok(Some(id))
}

/// A page of the alerts that the caller sees, after one; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &AlertQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<Alert>, Problem> {
    let own = look.caller.account().map(|account| blind(look.vault(), account));
    let rows = sqlx::query_as!(
        Alert,
        r#"select a.alert_id as "id: AlertId", a.detector as "detector: Detector", a.severity as "severity: Severity",
                  a.organisation_id as "organisation_id: OrganisationId", a.raised_at, a.last_at, a.times,
                  case when i.alert_id is null then 'open' else 'investigated' end as "status!: AlertStatus",
                  i.investigation_id as "investigation_id?: InvestigationId", a.version
           from alert a
           left join investigation i on i.alert_id = a.alert_id
           where (a.raised_at, a.alert_id) > ($1, $2)
             and ($3::text is null or (i.alert_id is null) = ($3 = 'open')) and ($4::text is null or a.detector = $4)
             and not a.about @> array[$5::bytea]
             and (a.organisation_id = $6 or exists (
                 select from organisation o where o.organisation_id = $6 and o.kind = 'nationalPartner'))
           order by a.raised_at, a.alert_id limit $7"#,
        after.0,
        after.1,
        query.status.map(AlertStatus::as_str),
        query.detector.map(Detector::as_str),
        own,
        look.caller.organisation.0,
        limit,
    );
    Ok(rows.fetch_all(look.db()).await?)
}

/// Opens an alert that the caller sees.
pub(super) async fn open(look: &Look, id: AlertId) -> Result<Alert, Problem> {
    read(look.db(), look.vault(), &look.caller, id).await
}

/// Holds an alert that the caller sees until the work is done.
pub(super) async fn lock(work: &mut Work, id: AlertId) -> Result<Alert, Problem> {
    sqlx::query!("select alert_id from alert where alert_id = $1 for update", id.0)
        .fetch_optional(work.db())
        .await?;
    let (caller, vault) = (work.caller.clone(), work.vault());
    read(work.db(), &vault, &caller, id).await
}

async fn read(
    db: impl PgExecutor<'_>,
    vault: &Vault,
    caller: &Caller,
    id: AlertId,
) -> Result<Alert, Problem> {
    let own = caller.account().map(|account| blind(vault, account));
    let row = sqlx::query_as!(
        Alert,
        r#"select a.alert_id as "id: AlertId", a.detector as "detector: Detector", a.severity as "severity: Severity",
                  a.organisation_id as "organisation_id: OrganisationId", a.raised_at, a.last_at, a.times,
                  case when i.alert_id is null then 'open' else 'investigated' end as "status!: AlertStatus",
                  i.investigation_id as "investigation_id?: InvestigationId", a.version
           from alert a
           left join investigation i on i.alert_id = a.alert_id
           where a.alert_id = $1 and not a.about @> array[$2::bytea]
             and (a.organisation_id = $3 or exists (
                 select from organisation o where o.organisation_id = $3 and o.kind = 'nationalPartner'))"#,
        id.0,
        own,
        caller.organisation.0,
    );
    row.fetch_optional(db).await?.ok_or_else(|| Kind::NotFound.into())
}

/// What an alert is about, for its investigation.
pub(crate) async fn finding(
    db: impl PgExecutor<'_>,
    vault: &Vault,
    id: AlertId,
) -> Result<Finding, Problem> {
    let sealed = sqlx::query_scalar!(
        r#"select sealed as "sealed: Sealed<Finding>" from alert where alert_id = $1"#,
        id.0,
    );
    sealed.fetch_one(db).await?.open(vault, &place(id))
}

/// How many alerts there are of a time, by detector: what a replay is held against.
pub(crate) async fn counted<W: Unit>(
    work: &mut W,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<(Detector, i64)>, Problem> {
    let rows = sqlx::query!(
        r#"select detector as "detector: Detector", count(*) as "alerts!" from alert
           where last_at >= $1 and last_at < $2 group by 1 order by 1"#,
        since,
        until,
    );
    let rows = rows.fetch_all(work.db()).await?;
    Ok(rows.into_iter().map(|row| (row.detector, row.alerts)).collect())
}
