//! Children as a search finds them in the database.

use std::collections::HashMap;

use aws_lc_rs::digest;
use chrono::TimeDelta;
use linkage::Person;
use serde_json::json;
use sqlx::{PgExecutor, types::Json};

use super::{
    Candidate, CandidatePostcode, Criteria, MOST_LISTED, Match, entry,
    fuzzy::{self, Near},
    retrieve,
};
use crate::{
    audit::{Hidden, Kept},
    child::{
        address::Postcode,
        birth::DateOfBirth,
        identifier::Identifier,
        name::{Name, NameKind},
    },
    ids::{ChildId, EventId, IndexNumber, OrganisationId},
    organisation::{OrganisationKind, codes::OrganisationCode},
    problem::Problem,
    work::{Look, Unit, Work},
};
use chrono::{Datelike, NaiveDate};

/// As many candidates as are compared; a search that has more is told that there are too many.
const MOST_COMPARED: i64 = 200;

/// What a search finds: children with how they agree; nothing where there are too many to compare.
pub(super) async fn find(
    look: &Look,
    criteria: &Criteria,
) -> Result<Option<Vec<(ChildId, Match)>>, Problem> {
    let candidates = candidates(look.db(), criteria, look.today()).await?;
    if i64::try_from(candidates.len()).unwrap_or(i64::MAX) > MOST_COMPARED {
        return Ok(None);
    }
    let agreeing = candidates
        .into_iter()
        .filter_map(|(id, candidate)| Some((id, candidate.compare(criteria)?)));
    Ok(Some(agreeing.collect()))
}

/// How long a fuzzy search may follow the exact one that found nobody.
const FOLLOWS: TimeDelta = TimeDelta::minutes(10);

/// Whether this was an exact search, by the same criteria and for the same people, that found nobody of late.
pub(super) async fn found_nobody(
    look: &Look,
    search: EventId,
    criteria: &Criteria,
) -> Result<bool, Problem> {
    let kept = sqlx::query!(
        r#"select e.at, json_build_object('hidden', e.hidden, 'key', k.sealed) as "kept!: Json<Kept>"
           from audit_event e left join audit_key k on k.month = audit_month(e.at)
           where organisation_id = $1 and at between $2 and $3 and event_id = $4 and operation = 'search_children'
             and outcome = 'answered' and children = '{}'
             and coalesce(account_id, client_id) = $5 and on_behalf_of is not distinct from $6"#,
        look.caller.organisation.0,
        look.now - FOLLOWS,
        look.now,
        search.0,
        look.caller.subject.uuid(),
        look.errand.on_behalf_of.map(|account| account.0) as _,
    )
    .fetch_optional(look.db())
    .await?;
    let Some(found) = kept else { return Ok(false) };
    let hidden = Hidden::open(search, found.at, &found.kept.0, look.vault())?;
    let details = hidden.and_then(|hidden| hidden.details);
    Ok(details == Some(json!({ "criteria": criteria.told() })))
}

/// The numbers by which organisations are compared, of those of these codes that the index knows.
pub(super) async fn numbers(look: &Look, codes: &[OrganisationCode]) -> Result<Vec<u64>, Problem> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let (lists, codes): (Vec<_>, Vec<_>) = codes
        .iter()
        .map(OrganisationCode::parts)
        .map(|(list, code)| (list.to_owned(), code.to_owned()))
        .unzip();
    let known = sqlx::query_scalar!(
        r#"select organisation_known_as(list, code) as "id: OrganisationId"
           from unnest($1::text[], $2::text[]) as named (list, code)"#,
        &lists,
        &codes,
    )
    .fetch_all(look.db())
    .await?;
    Ok(known.into_iter().flatten().map(entry::organisation).collect())
}

/// What a search tells of these children, of those who may still be told of.
pub(crate) async fn told(
    db: impl PgExecutor<'_>,
    children: &[ChildId],
    today: NaiveDate,
    behind_shield: bool,
) -> Result<HashMap<ChildId, Match>, Problem> {
    let ids: Vec<_> = children.iter().map(|child| child.0).collect();
    let rows = sqlx::query!(
        r#"select child_id as "child!: ChildId", told as "told!: Json<Candidate>" from candidate_told
           where child_id = any($1) and in_use(status, archives_on, $2) and not (shielded and $3)"#,
        &ids,
        today,
        behind_shield,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.child, row.told.0.told()?))).collect())
}

/// Whom somebody meets who adds a child.
#[derive(Debug)]
pub(crate) struct Alike {
    /// Those who may be the same child, best first: of them the person who adds must have looked at each.
    pub(crate) met: Vec<(ChildId, Match)>,
    /// Those who are noted for the stewards, the same and others.
    pub(crate) noted: Vec<Near>,
    /// The model by which they were compared.
    pub(crate) model: String,
}

/// Whom a child who is to be added resembles: whom a search by these names and this birth would find, and whom the matcher finds.
pub(crate) async fn alike(
    work: &mut Work,
    names: &[Name],
    born: DateOfBirth,
    asked: &Person,
) -> Result<Alike, Problem> {
    let (in_force, today) = (work.matcher(), work.today());
    let thresholds = &in_force.matcher.model.thresholds;
    let found = retrieve::candidates(work.db(), asked, today, false).await?;
    let mut noted = fuzzy::near(&in_force.matcher, asked, &found.candidates(), thresholds.noted)?;
    noted.truncate(MOST_LISTED);
    let near = noted.iter().filter(|near| near.comparison.bits >= thresholds.review);
    let near: Vec<_> = near.cloned().collect();
    let ids: Vec<_> = near.iter().map(|near| near.child).collect();
    let known = told(work.db(), &ids, today, false).await?;
    let (ids, results) = fuzzy::results(near, known);
    let mut met: Vec<_> = ids.into_iter().zip(results).collect();
    for (child, found) in found_by_name(work, names, born).await? {
        if !met.iter().any(|(known, _)| *known == child) {
            met.push((child, found));
        }
    }
    Ok(Alike { met, noted, model: in_force.version.clone() })
}

/// The children whom a search by these names and this birth would find.
async fn found_by_name(
    work: &mut Work,
    names: &[Name],
    born: DateOfBirth,
) -> Result<Vec<(ChildId, Match)>, Problem> {
    let (mut found, today) = (Vec::new(), work.today());
    for name in names.iter().filter(|name| name.kind != NameKind::Former) {
        let criteria = Criteria {
            given: Some(name.given.to_vec()),
            family_key: Some(name.family_key()),
            date_of_birth: Some(born.date),
            ..Criteria::default()
        };
        let candidates = candidates(work.db(), &criteria, today).await?;
        found.extend(
            candidates
                .into_iter()
                .filter_map(|(child, candidate)| Some((child, candidate.compare(&criteria)?))),
        );
    }
    found.sort_by_key(|(child, _)| *child);
    found.dedup_by_key(|(child, _)| *child);
    Ok(found)
}

/// Lets one at a time add a child who was born on this day, or on the day with day and month swapped, so that two who do so at
/// once do not make two records, however they spell the name.
pub(crate) async fn hold(work: &mut Work, born: NaiveDate) -> Result<(), Problem> {
    hold_all(work, [born]).await
}

/// The same for many, in the one order in which everybody takes them.
pub(crate) async fn hold_all(
    work: &mut impl Unit,
    births: impl IntoIterator<Item = NaiveDate>,
) -> Result<(), Problem> {
    let both = births.into_iter().flat_map(|born| {
        [Some(born), NaiveDate::from_ymd_opt(born.year(), born.day(), born.month())]
    });
    let mut locks: Vec<_> = both.flatten().map(lock).collect();
    locks.sort_unstable();
    locks.dedup();
    sqlx::query!("select pg_advisory_xact_lock(lock) from unnest($1::bigint[]) as lock", &locks)
        .execute(work.db())
        .await?;
    Ok(())
}

fn lock(born: NaiveDate) -> i64 {
    let hash = digest::digest(&digest::SHA256, format!("born|{born}").as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_ref()[..8]);
    i64::from_be_bytes(first)
}

/// A child as a search compares it, with what the search asks for beside.
struct Row {
    child: ChildId,
    told: Json<Candidate>,
    postcodes: Option<Json<Vec<CandidatePostcode>>>,
    identifiers: Option<Json<Vec<Identifier>>>,
    numbered: bool,
}

impl Row {
    fn candidate(self) -> (ChildId, Candidate) {
        let mut candidate = self.told.0;
        candidate.postcodes = self.postcodes.map(|list| list.0).unwrap_or_default();
        candidate.identifiers = self.identifiers.map(|list| list.0).unwrap_or_default();
        candidate.numbered = self.numbered;
        (self.child, candidate)
    }
}

async fn candidates(
    db: impl PgExecutor<'_>,
    criteria: &Criteria,
    today: NaiveDate,
) -> Result<Vec<(ChildId, Candidate)>, Problem> {
    let rows = if criteria.index_number.is_some() || criteria.identifier.is_some() {
        by_number(db, criteria, today).await?
    } else if criteria.date_of_birth.is_some() {
        by_birth(db, criteria, today).await?
    } else {
        by_postcode(db, criteria, today).await?
    };
    Ok(rows.into_iter().map(Row::candidate).collect())
}

async fn by_number(
    db: impl PgExecutor<'_>,
    criteria: &Criteria,
    today: NaiveDate,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select child_id as "child!: ChildId", told as "told!: Json<Candidate>", postcodes as "postcodes: Json<Vec<CandidatePostcode>>",
               identifiers as "identifiers: Json<Vec<Identifier>>", coalesce(child_id = (select child_numbered($1)), false) as "numbered!"
        from candidate_told
        where (child_id = (select child_numbered($1))
               or child_id = (select child_id from child_identifier
                              where kind = $2 and value = $3 and superseded_at is null and held))
          and in_use(status, archives_on, $4) and not (shielded and $5)
        "#,
        criteria.index_number.as_ref().map(IndexNumber::as_str),
        criteria.identifier.as_ref().map(|identifier| identifier.kind().as_str()),
        criteria.identifier.as_ref().map(Identifier::value),
        today,
        criteria.looks_behind_shields(),
    );
    rows.fetch_all(db).await
}

async fn by_birth(
    db: impl PgExecutor<'_>,
    criteria: &Criteria,
    today: NaiveDate,
) -> Result<Vec<Row>, sqlx::Error> {
    let (days, keys) = (criteria.days(), criteria.given_keys());
    let rows = sqlx::query_as!(
        Row,
        r#"
        select c.child_id as "child!: ChildId", c.told as "told!: Json<Candidate>",
               case when $4 then c.postcodes end as "postcodes: Json<Vec<CandidatePostcode>>",
               null::json as "identifiers: Json<Vec<Identifier>>", false as "numbered!"
        from (select distinct n.child_id
              from child_name n
              join child c on c.child_id = n.child_id
              where n.family_key = $1 and n.date_of_birth = any($2) and ($3::text[] is null or n.given_keys && $3)
                and in_use(c.status, c.archives_on, $6) and not (c.shielded and $4)
              limit $5) found
        join candidate_told c on c.child_id = found.child_id
        "#,
        criteria.family_key,
        days.as_deref(),
        keys.as_deref(),
        criteria.looks_behind_shields(),
        MOST_COMPARED + 1,
        today,
    );
    rows.fetch_all(db).await
}

async fn by_postcode(
    db: impl PgExecutor<'_>,
    criteria: &Criteria,
    today: NaiveDate,
) -> Result<Vec<Row>, sqlx::Error> {
    let keys = criteria.given_keys();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select c.child_id as "child!: ChildId", c.told as "told!: Json<Candidate>",
               c.postcodes as "postcodes: Json<Vec<CandidatePostcode>>", null::json as "identifiers: Json<Vec<Identifier>>",
               false as "numbered!"
        from (select distinct n.child_id
              from whereabouts w
              join child c on c.child_id = w.child_id
              join child_name n on n.child_id = w.child_id
              where w.postcode = $1 and n.family_key = $2 and n.given_keys && $3
                and in_use(c.status, c.archives_on, $5) and not c.shielded
              limit $4) found
        join candidate_told c on c.child_id = found.child_id
        "#,
        criteria.postcode.as_ref().map(Postcode::as_str),
        criteria.family_key,
        keys.as_deref(),
        MOST_COMPARED + 1,
        today,
    );
    rows.fetch_all(db).await
}

/// What kind of body the caller works for.
pub(super) async fn body(look: &Look) -> Result<OrganisationKind, Problem> {
    let kind = sqlx::query_scalar!(
        r#"select kind as "kind: OrganisationKind" from organisation where organisation_id = $1"#,
        look.caller.organisation.0,
    );
    Ok(kind.fetch_one(look.db()).await?)
}
