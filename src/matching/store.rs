//! Children as a search finds them in the database.

use aws_lc_rs::digest;
use sqlx::{PgExecutor, types::Json};

use super::{Candidate, CandidatePostcode, Criteria, Match};
use crate::{
    child::{
        address::Postcode,
        birth::DateOfBirth,
        identifier::Identifier,
        name::{Name, NameKind},
    },
    ids::{ChildId, IndexNumber},
    organisation::OrganisationKind,
    problem::Problem,
    work::{Look, Work},
};
use chrono::NaiveDate;

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

/// The children whom a search by these names and this birth would find.
pub(crate) async fn alike(
    work: &mut Work,
    names: &[Name],
    born: DateOfBirth,
) -> Result<Vec<IndexNumber>, Problem> {
    let (mut found, today) = (Vec::new(), work.today());
    for name in names.iter().filter(|name| name.kind != NameKind::Former) {
        let criteria = Criteria {
            given: Some(name.given.to_vec()),
            family_key: Some(name.family_key()),
            date_of_birth: Some(born.date),
            ..Criteria::default()
        };
        let candidates = candidates(work.db(), &criteria, today).await?;
        let alike =
            candidates.iter().filter(|(_, candidate)| candidate.compare(&criteria).is_some());
        found.extend(alike.map(|(_, candidate)| candidate.index_number.clone()));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Lets one at a time add a child of these names and this birth, so that two who do so at once do not make two records.
pub(crate) async fn hold(work: &mut Work, names: &[Name], born: NaiveDate) -> Result<(), Problem> {
    let mut locks: Vec<_> = names
        .iter()
        .filter(|name| name.kind != NameKind::Former)
        .map(|name| lock(name, born))
        .collect();
    locks.sort_unstable();
    locks.dedup();
    for lock in locks {
        sqlx::query!("select pg_advisory_xact_lock($1)", lock).execute(work.db()).await?;
    }
    Ok(())
}

fn lock(name: &Name, born: NaiveDate) -> i64 {
    let hash = digest::digest(&digest::SHA256, format!("{}|{born}", name.family_key()).as_bytes());
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
}

impl Row {
    fn candidate(self) -> (ChildId, Candidate) {
        let mut candidate = self.told.0;
        candidate.postcodes = self.postcodes.map(|list| list.0).unwrap_or_default();
        candidate.identifiers = self.identifiers.map(|list| list.0).unwrap_or_default();
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
               identifiers as "identifiers: Json<Vec<Identifier>>"
        from candidate_told
        where (index_number = $1
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
               null::json as "identifiers: Json<Vec<Identifier>>"
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
               c.postcodes as "postcodes: Json<Vec<CandidatePostcode>>", null::json as "identifiers: Json<Vec<Identifier>>"
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
