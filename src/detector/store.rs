//! What the detectors read of the audit and know beside it, and how far they are, in the database.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::types::{Json, Uuid};

use super::{
    Detector, Rules, Threshold,
    seen::{Act, Colleagues, Facts, Known, Looker, Named, Search, Seen},
};
use crate::{
    access::Role,
    audit::{Hidden, Kept as Hiding, Outcome},
    budget::{is_opening, is_search},
    clock::day_in_london,
    ids::{AccountId, ChildId, EventId, IndexNumber, OrganisationId},
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    seal::Vault,
    sensitive::provider_key,
    work::{Errands, Unit},
};

/// How far the audit was looked through.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub(super) epoch: i32,
    pub(super) tx: String,
    pub(super) event: EventId,
    pub(super) counted: Option<NaiveDate>,
}

/// An event as the audit keeps it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) epoch: i32,
    pub(super) tx: String,
    pub(super) event: EventId,
    pub(super) at: DateTime<Utc>,
    pub(super) operation: String,
    pub(super) outcome: Outcome,
    pub(super) problem: Option<String>,
    pub(super) account: Option<AccountId>,
    pub(super) organisation: Option<OrganisationId>,
    pub(super) role: Option<Role>,
    pub(super) reason: Option<String>,
    children: Vec<ChildId>,
    hiding: Json<Hiding>,
}

/// Whether nobody else looks through the audit; until the end of the transaction.
pub(super) async fn alone(work: &mut Errands) -> Result<bool, Problem> {
    let alone = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(7261050) as "alone!""#);
    Ok(alone.fetch_one(work.db()).await?)
}

/// How far the audit was looked through.
pub(super) async fn cursor(work: &mut Errands) -> Result<Cursor, Problem> {
    let cursor = sqlx::query_as!(
        Cursor,
        r#"select epoch, tx::text as "tx!", event_id as "event: EventId", counted from watch_cursor"#
    );
    Ok(cursor.fetch_one(work.db()).await?)
}

/// Notes how far the audit was looked through.
pub(super) async fn reach(work: &mut Errands, cursor: &Cursor) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update watch_cursor set epoch = $5, tx = $1::text::xid8, event_id = $2, counted = $3, reached_at = $4",
        cursor.tx,
        cursor.event.0,
        cursor.counted,
        now,
        cursor.epoch,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// The next events in the order of their transactions, of those before which no other can come in any more.
pub(super) async fn next(
    work: &mut Errands,
    cursor: &Cursor,
    most: i64,
) -> Result<Vec<Kept>, Problem> {
    let rows = sqlx::query_as!(
        Kept,
        r#"select e.epoch, e.tx::text as "tx!", e.event_id as "event: EventId", e.at, operation, outcome as "outcome: Outcome", problem,
                  account_id as "account: AccountId", organisation_id as "organisation: OrganisationId", role as "role: Role", reason,
                  children as "children: Vec<ChildId>",
                  json_build_object('hidden', e.hidden, 'key', k.sealed, 'details', e.details) as "hiding!: Json<Hiding>"
           from audit_event e left join audit_key k on k.month = audit_month(e.at)
           where (e.epoch, e.tx, e.event_id) > ($4, $1::text::xid8, $2)
             and (e.epoch < present_audit_epoch() or e.tx < pg_snapshot_xmin(pg_current_snapshot()))
           order by e.epoch, e.tx, e.event_id limit $3"#,
        cursor.tx,
        cursor.event.0,
        most,
        cursor.epoch,
    );
    Ok(rows.fetch_all(work.db()).await?)
}

/// The next events of people in the order of their times, within a time.
pub(super) async fn period(
    work: &mut Errands,
    after: (DateTime<Utc>, EventId),
    until: DateTime<Utc>,
    most: i64,
) -> Result<Vec<Kept>, Problem> {
    let rows = sqlx::query_as!(
        Kept,
        r#"select e.epoch, e.tx::text as "tx!", e.event_id as "event: EventId", e.at, operation, outcome as "outcome: Outcome", problem,
                  account_id as "account: AccountId", organisation_id as "organisation: OrganisationId", role as "role: Role", reason,
                  children as "children: Vec<ChildId>",
                  json_build_object('hidden', e.hidden, 'key', k.sealed, 'details', e.details) as "hiding!: Json<Hiding>"
           from audit_event e left join audit_key k on k.month = audit_month(e.at)
           where (at, event_id) > ($1, $2) and at < $3 and account_id is not null
           order by at, event_id limit $4"#,
        after.0,
        after.1.0,
        until,
        most,
    );
    Ok(rows.fetch_all(work.db()).await?)
}

impl Kept {
    /// What only auditors read of it: the one place in which the detectors open an event.
    fn opened(&self, vault: &Vault) -> Result<(Vec<ChildId>, Option<Value>), Problem> {
        let Some(hidden) = Hidden::open(self.event, self.at, &self.hiding.0, vault)? else {
            return Ok((self.children.clone(), None));
        };
        let children = self.children.iter().copied().chain(hidden.children).collect();
        Ok((children, hidden.details))
    }

    /// What the detectors see of it, where it is of a person and they see something.
    pub(super) fn seen(&self, vault: &Vault) -> Result<Option<Seen>, Problem> {
        let (Some(account), Some(organisation), Some(role)) =
            (self.account, self.organisation, self.role)
        else {
            return Ok(None);
        };
        let answered = self.outcome == Outcome::Answered;
        let many = self.problem.as_deref() == Some(Kind::TooManyMatches.slug());
        let searched = is_search(&self.operation) && (answered || many);
        let opened = answered && (is_opening(&self.operation) || self.operation == OVERRIDE);
        if role == Role::Subject || !(searched || opened) {
            return Ok(None);
        }
        let (children, details) = self.opened(vault)?;
        let act = if searched {
            let search = details.as_ref().map(|details| searched_by(details, &children, many));
            Act::Searched(search.unwrap_or_default(), children)
        } else {
            let Some(child) = children.first() else { return Ok(None) };
            if self.operation == OVERRIDE { Act::Overrode(*child) } else { Act::Opened(*child) }
        };
        Ok(Some(Seen { event: self.event, at: self.at, account, organisation, role, act }))
    }
}

const OVERRIDE: &str = "override_shield";

fn searched_by(details: &Value, found: &[ChildId], many: bool) -> Search {
    let criteria = &details["criteria"];
    let text = |member: &str| criteria[member].as_str().map(str::to_owned);
    let given = criteria["given"].as_array().map(|given| {
        let parts = given.iter().filter_map(Value::as_str);
        parts.map(linkage::fold::fold).collect::<String>()
    });
    Search {
        family: text("family"),
        given,
        born: criteria["dateOfBirth"].as_str().and_then(|day| day.parse().ok()),
        postcode: text("postcode"),
        empty: found.is_empty() && !many,
        again: details["fuzzy"] == true,
    }
}

/// What is known beside these events, and of these people and the children whom they opened.
pub(super) async fn facts(
    work: &mut Errands,
    seen: &[Seen],
    due: &[(AccountId, Vec<ChildId>)],
) -> Result<Facts, Problem> {
    let mut accounts: Vec<_> = seen.iter().map(|seen| seen.account.0).collect();
    accounts.extend(due.iter().map(|(account, _)| account.0));
    let mut opened: Vec<Uuid> = due.iter().flat_map(|(_, of)| of.iter().map(|id| id.0)).collect();
    for seen in seen {
        match &seen.act {
            Act::Opened(child) | Act::Overrode(child) => opened.push(child.0),
            Act::Searched(_, found) => opened.extend(found.iter().map(|child| child.0)),
        }
    }
    for ids in [&mut accounts, &mut opened] {
        ids.sort_unstable();
        ids.dedup();
    }
    let mut facts = Facts { lookers: lookers(work, &accounts).await?, ..Facts::default() };
    let numbers = children(work, &opened, &mut facts).await?;
    let mut organisations: HashSet<_> = seen.iter().map(|seen| seen.organisation).collect();
    organisations.extend(of_accounts(work, &accounts).await?);
    let organisations: Vec<_> = organisations.into_iter().collect();
    involvements(work, &organisations, &opened, &mut facts).await?;
    sensitive(work, &organisations, &numbers, &mut facts).await?;
    colleagues(work, &organisations, &mut facts).await?;
    shares(work, &mut facts).await?;
    Ok(facts)
}

async fn lookers(
    work: &mut Errands,
    accounts: &[Uuid],
) -> Result<HashMap<AccountId, Looker>, Problem> {
    let rows = sqlx::query!(
        r#"select a.account_id as "id: AccountId", a.name, o.kind as "kind: OrganisationKind",
                  o.authority_id as "authority: OrganisationId"
           from account a join organisation o on o.organisation_id = a.organisation_id where a.account_id = any($1)"#,
        accounts,
    );
    let rows = rows.fetch_all(work.db()).await?;
    let looker = |row: (String, OrganisationKind, Option<OrganisationId>)| Looker {
        name: Named::of_line(&row.0),
        kind: row.1,
        authority: row.2,
    };
    Ok(rows.into_iter().map(|row| (row.id, looker((row.name, row.kind, row.authority)))).collect())
}

async fn of_accounts(
    work: &mut Errands,
    accounts: &[Uuid],
) -> Result<Vec<OrganisationId>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select distinct organisation_id as "id: OrganisationId" from account where account_id = any($1)"#,
        accounts,
    );
    Ok(rows.fetch_all(work.db()).await?)
}

/// What is known of the children; their numbers.
async fn children(
    work: &mut Errands,
    children: &[Uuid],
    facts: &mut Facts,
) -> Result<Vec<(ChildId, IndexNumber)>, Problem> {
    let rows = sqlx::query!(
        r#"select c.child_id as "id: ChildId", c.index_number as "number: IndexNumber",
                  c.responsible_authority_id as "authority: OrganisationId",
                  exists (select from canary k where k.child_id = c.child_id) as "canary!",
                  array(select distinct n.family_key from child_name n
                        where n.child_id = c.child_id and n.superseded_at is null) as "families!: Vec<String>"
           from child c where c.child_id = any($1)"#,
        children,
    );
    let mut numbers = Vec::new();
    for row in rows.fetch_all(work.db()).await? {
        let (authority, families) = (Some(row.authority), row.families);
        facts.children.insert(row.id, Known { authority, families, carers: Vec::new() });
        if row.canary {
            facts.canaries.insert(row.id);
        }
        numbers.push((row.id, row.number));
    }
    let rows = sqlx::query!(
        r#"select child_id as "child: ChildId", given as "given: Vec<String>", family from carer
           where child_id = any($1) and superseded_at is null"#,
        children,
    );
    for row in rows.fetch_all(work.db()).await? {
        if let Some(known) = facts.children.get_mut(&row.child) {
            known.carers.push(Named::of(&row.given, &row.family));
        }
    }
    Ok(numbers)
}

async fn involvements(
    work: &mut Errands,
    organisations: &[OrganisationId],
    children: &[Uuid],
    facts: &mut Facts,
) -> Result<(), Problem> {
    let ids: Vec<_> = organisations.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"select i.organisation_id as "organisation: OrganisationId", i.child_id as "child: ChildId",
                  min(least(i.received_at, (
                      select min((h.was ->> 'received_at')::timestamptz) from history h
                      where h.child_id = i.child_id and h.fact = 'involvement' and h.fact_id = i.involvement_id
                  ))) as "since!"
           from involvement i where i.child_id = any($1) and i.organisation_id = any($2) group by 1, 2"#,
        children,
        &ids,
    );
    for row in rows.fetch_all(work.db()).await? {
        facts.involved.insert((row.organisation, row.child), day_in_london(row.since));
    }
    Ok(())
}

async fn sensitive(
    work: &mut Errands,
    organisations: &[OrganisationId],
    numbers: &[(ChildId, IndexNumber)],
    facts: &mut Facts,
) -> Result<(), Problem> {
    let vault = work.vault()?;
    let mut pairs = HashMap::new();
    for organisation in organisations {
        for (child, number) in numbers {
            pairs.insert(provider_key(&vault, *organisation, number), (*organisation, *child));
        }
    }
    let keys: Vec<_> = pairs.keys().cloned().collect();
    let rows = sqlx::query!(
        r#"select provider_key as "key!", min(received_at) as "since!" from sensitive_involvement
           where provider_key = any($1) group by 1"#,
        &keys,
    );
    for row in rows.fetch_all(work.db()).await? {
        if let Some(pair) = pairs.get(&row.key) {
            let (since, day) = (facts.involved.entry(*pair), day_in_london(row.since));
            since.and_modify(|since| *since = day.min(*since)).or_insert(day);
        }
    }
    Ok(())
}

async fn colleagues(
    work: &mut Errands,
    organisations: &[OrganisationId],
    facts: &mut Facts,
) -> Result<(), Problem> {
    let ids: Vec<_> = organisations.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"select organisation_id as "organisation: OrganisationId", account_id as "account: AccountId", name from account
           where organisation_id = any($1) and status in ('active', 'suspended')"#,
        &ids,
    );
    for row in rows.fetch_all(work.db()).await? {
        let Colleagues(of) = facts.colleagues.entry(row.organisation).or_default();
        of.insert(Named::of_line(&row.name), row.account);
    }
    Ok(())
}

/// How large a share of the index bears each family name that matters: those of who looks, and of colleagues among the carers.
async fn shares(work: &mut Errands, facts: &mut Facts) -> Result<(), Problem> {
    let mut names: HashSet<_> =
        facts.lookers.values().map(|looker| looker.name.family.clone()).collect();
    let carers = facts.children.values().flat_map(|known| &known.carers);
    let known = |name: &Named| facts.colleagues.values().any(|of| of.0.contains_key(name));
    names.extend(carers.filter(|name| known(name)).map(|name| name.family.clone()));
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let rows = sqlx::query!(
        r#"with index as (
               select greatest((select reltuples from pg_class where oid = 'child'::regclass),
                               (select count(*) from (select from child limit 10000) few), 1) as children
           )
           select n.name as "name!", (
                      select count(*) from (select from child_name c
                                            where c.family_key = n.name and c.superseded_at is null limit 5000) of_it
                  ) / index.children as "share!"
           from unnest($1::text[]) as n (name), index"#,
        &names,
    );
    for row in rows.fetch_all(work.db()).await? {
        facts.shares.insert(row.name, row.share);
    }
    Ok(())
}

/// The measures in force.
pub(super) async fn rules<W: Unit>(work: &mut W) -> Result<Rules, Problem> {
    let told = versions(work.db()).await?;
    Ok(Rules(told.into_iter().map(|(detector, threshold, _)| (detector, threshold)).collect()))
}

/// The measures that the operator has set, with their versions.
pub(super) async fn versions(
    db: impl sqlx::PgExecutor<'_>,
) -> Result<Vec<(Detector, Threshold, i64)>, Problem> {
    let rows = sqlx::query!(
        r#"select distinct on (detector) detector as "detector: Detector", version, watches, least, measure, minutes
           from detector_rule order by detector, version desc"#
    );
    let rows = rows.fetch_all(db).await?;
    let unsigned = |n: i32| u32::try_from(n).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| {
            let (least, minutes) = (unsigned(row.least), unsigned(row.minutes));
            let threshold = Threshold { on: row.watches, least, limit: row.measure, minutes };
            (row.detector, threshold, row.version)
        })
        .collect())
}

/// Holds the measures until the work is done.
pub(super) async fn hold<W: Unit>(work: &mut W) -> Result<(), Problem> {
    sqlx::query!("select pg_advisory_xact_lock(7261051)").execute(work.db()).await?;
    Ok(())
}

/// Sets the measure of a detector.
pub(super) async fn set<W: Unit>(
    work: &mut W,
    detector: Detector,
    version: i64,
    rule: Threshold,
    by: Uuid,
) -> Result<(), Problem> {
    let now = work.now();
    sqlx::query!(
        "insert into detector_rule (detector, version, watches, least, measure, minutes, set_by, set_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        detector.as_str(),
        version,
        rule.on,
        i32::try_from(rule.least).unwrap_or(i32::MAX),
        rule.limit,
        i32::try_from(rule.minutes).unwrap_or(i32::MAX),
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Marks a record as one that nobody has reason to look at, or takes the mark away; says whether there is such a record.
pub(super) async fn mark(
    work: &mut Errands,
    number: &IndexNumber,
    is_canary: bool,
) -> Result<Option<ChildId>, Problem> {
    let now = work.now;
    let child = sqlx::query_scalar!(
        r#"select child_id as "id: ChildId" from child where index_number = $1"#,
        number.as_str(),
    );
    let Some(child) = child.fetch_optional(work.db()).await? else { return Ok(None) };
    if is_canary {
        sqlx::query!(
            "insert into canary (child_id, marked_at) values ($1, $2) on conflict do nothing",
            child.0,
            now
        )
        .execute(work.db())
        .await?;
    } else {
        sqlx::query!("delete from canary where child_id = $1", child.0).execute(work.db()).await?;
    }
    Ok(Some(child))
}
