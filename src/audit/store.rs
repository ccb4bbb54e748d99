//! Audit events in the database, for those who watch.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{AuditEvent, Hidden, Kept, Outcome, OwnEvent, OwnEventQuery, Wish};
use crate::{
    ids::{AccountId, ChildId, EventId, IndexNumber, OrganisationId},
    problem::Problem,
    work::{Errands, Look},
};

/// Destroys the keys of the months before this one; says which those were.
pub(super) async fn forget(
    work: &mut Errands,
    before: NaiveDate,
) -> Result<Vec<NaiveDate>, Problem> {
    let mut gone =
        sqlx::query_scalar!("delete from audit_key where month < $1 returning month", before)
            .fetch_all(work.db())
            .await?;
    gone.sort_unstable();
    Ok(gone)
}

/// The child of this index number, whatever its record is.
pub(crate) async fn child(
    work: &mut Errands,
    number: &IndexNumber,
) -> Result<Option<ChildId>, Problem> {
    let child = sqlx::query_scalar!(
        r#"select child_id as "child: ChildId" from child where index_number = $1"#,
        number.as_str(),
    );
    Ok(child.fetch_optional(work.db()).await?)
}

/// The events of an organisation, or of all, the latest first.
pub(super) async fn list(
    look: &Look,
    organisation: Option<OrganisationId>,
    wish: &Wish,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<AuditEvent>, Problem> {
    let (before_at, before_id) = before.unwrap_or((DateTime::<Utc>::MAX_UTC, Uuid::max()));
    let before_at = before_at.min(look.now + chrono::Duration::days(1));
    let rows = sqlx::query!(
        r#"
        select audit_told(e) as "event!: Json<AuditEvent>",
               json_build_object('hidden', e.hidden, 'key', k.sealed, 'details', e.details) as "kept!: Json<Kept>"
        from audit_event e
        left join audit_key k on k.month = audit_month(e.at)
        where (e.at, e.event_id) < ($1, $2)
          and ($3::uuid is null or e.organisation_id = $3)
          and ($4::uuid is null or e.account_id = $4 or e.on_behalf_of = $4)
          and ($5::text is null or e.operation = $5)
          and ($6::timestamptz is null or e.at >= $6)
          and ($8::text is null or e.outcome = $8)
          and ($9::timestamptz is null or e.at < $9)
          and ($10::text is null or e.children @> (
              select array_agg(c.child_id) from child c where c.index_number = $10 and c.status <> 'retired'))
        order by e.at desc, e.event_id desc
        limit $7
        "#,
        before_at,
        before_id,
        organisation.map(|id| id.0),
        wish.account.map(|id| id.0),
        wish.operation,
        wish.since,
        limit,
        wish.outcome.map(Outcome::as_str),
        wish.until,
        wish.index_number.as_ref().map(IndexNumber::as_str),
    )
    .fetch_all(look.db())
    .await?;
    opened(look, rows.into_iter().map(|row| (row.event.0, row.kept.0)).collect()).await
}

/// Those of these events that are of these accounts and not older: what an investigation is about. The latest first.
pub(crate) async fn of_numbers(
    look: &Look,
    numbers: &[EventId],
    accounts: &[AccountId],
    since: DateTime<Utc>,
) -> Result<Vec<AuditEvent>, Problem> {
    let numbers: Vec<_> = numbers.iter().map(|id| id.0).collect();
    let accounts: Vec<_> = accounts.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"
        select audit_told(e) as "event!: Json<AuditEvent>",
               json_build_object('hidden', e.hidden, 'key', k.sealed, 'details', e.details) as "kept!: Json<Kept>"
        from audit_event e
        left join audit_key k on k.month = audit_month(e.at)
        where e.account_id = any($1) and e.at >= $2 and e.event_id = any($3)
        order by e.at desc, e.event_id desc
        "#,
        &accounts,
        since,
        &numbers,
    )
    .fetch_all(look.db())
    .await?;
    opened(look, rows.into_iter().map(|row| (row.event.0, row.kept.0)).collect()).await
}

/// The events of an account, whose person reads them, the latest first.
pub(super) async fn of_account(
    look: &Look,
    account: AccountId,
    query: &OwnEventQuery,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<OwnEvent>, Problem> {
    let (before_at, before_id) = before.unwrap_or((DateTime::<Utc>::MAX_UTC, Uuid::max()));
    let before_at = before_at.min(look.now + chrono::Duration::days(1));
    let rows = sqlx::query_scalar!(
        r#"
        select json_strip_nulls(json_build_object(
                   'id', e.event_id, 'at', e.at, 'operation', e.operation, 'outcome', e.outcome, 'status', e.status,
                   'clientId', e.client_id, 'reason', e.reason, 'reference', e.reference,
                   'children', cardinality(e.children), 'requestId', e.request_id
               )) as "event!: Json<OwnEvent>"
        from audit_event e
        where e.account_id = $1 and (e.at, e.event_id) < ($2, $3)
          and ($4::timestamptz is null or e.at >= $4) and ($5::timestamptz is null or e.at < $5)
        order by e.at desc, e.event_id desc
        limit $6
        "#,
        account.0,
        before_at,
        before_id,
        query.since,
        query.until,
        limit,
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// The events with what only auditors read; of which child an event may not say beside its organisation, auditors of that
/// organisation alone.
async fn opened(look: &Look, rows: Vec<(AuditEvent, Kept)>) -> Result<Vec<AuditEvent>, Problem> {
    let mut hidden = HashMap::new();
    let mut events = Vec::with_capacity(rows.len());
    for (mut event, kept) in rows {
        let found = Hidden::open(event.id, event.at, &kept, look.vault())?;
        if let Some(Hidden { children, details }) = found {
            let own = event.organisation_id == Some(look.caller.organisation);
            let told = own || children.is_empty();
            event.details = details.filter(|_| told);
            hidden.insert(event.id, if told { children } else { Vec::new() });
        }
        events.push(event);
    }
    let children: Vec<_> = hidden.values().flatten().map(|child| child.0).collect();
    if children.is_empty() {
        return Ok(events);
    }
    let numbers: HashMap<_, _> = sqlx::query!(
        r#"select child_id as "child: ChildId", index_number as "number: IndexNumber" from child where child_id = any($1)"#,
        &children,
    )
    .fetch_all(look.db())
    .await?
    .into_iter()
    .map(|row| (row.child, row.number))
    .collect();
    for event in &mut events {
        let children = hidden.remove(&event.id).unwrap_or_default();
        event.children.extend(children.iter().filter_map(|child| numbers.get(child).cloned()));
    }
    Ok(events)
}

/// Whether the caller's organisation is a national partner, whose auditor reads the events of all.
pub(super) async fn national(look: &Look) -> Result<bool, Problem> {
    let kind = sqlx::query_scalar!(
        "select kind from organisation where organisation_id = $1",
        look.caller.organisation.0
    )
    .fetch_one(look.db())
    .await?;
    Ok(kind == "nationalPartner")
}
