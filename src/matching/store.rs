//! Children as a search finds them in the database.

use aws_lc_rs::digest;
use sqlx::{PgExecutor, types::Json};

use super::{Candidate, Criteria, Match};
use crate::{
    child::{
        birth::DateOfBirth,
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
    let candidates = candidates(look.db(), criteria).await?;
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
    let mut found = Vec::new();
    for name in names.iter().filter(|name| name.kind != NameKind::Former) {
        let criteria = Criteria {
            given: Some(name.given.to_vec()),
            family_key: Some(name.family_key()),
            date_of_birth: Some(born.date),
            ..Criteria::default()
        };
        let candidates = candidates(work.db(), &criteria).await?;
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

async fn candidates(
    db: impl PgExecutor<'_>,
    criteria: &Criteria,
) -> Result<Vec<(ChildId, Candidate)>, Problem> {
    let (days, keys) = (criteria.days(), criteria.given_keys());
    let rows = sqlx::query!(
        r#"
        with found as (
            select child_id from child where index_number = $1
            union
            select child_id from child_identifier where kind = $2 and value = $3 and superseded_at is null
            union
            select child_id from child_name
            where $1::text is null and $2::text is null
              and family_key = $4 and date_of_birth = any($5) and ($6::text[] is null or given_keys && $6)
            union
            select n.child_id
            from whereabouts w
            join child_name n on n.child_id = w.child_id
            where $1::text is null and $2::text is null and $5::date[] is null
              and w.postcode = $7 and n.family_key = $4 and n.given_keys && $6
        )
        select c.child_id as "child!: ChildId",
               json_build_object(
                   'indexNumber', c.index_number,
                   'dateOfBirth', c.date_of_birth,
                   'dateOfBirthPrecision', c.date_of_birth_precision,
                   'gender', c.gender,
                   'identified', exists (
                       select from child_identifier i
                       where i.child_id = c.child_id and i.kind = $2 and i.value = $3 and i.superseded_at is null),
                   'names', (
                       select json_agg(json_build_object('kind', n.kind, 'given', n.given, 'family', n.family,
                           'superseded', n.superseded_at is not null))
                       from child_name n where n.child_id = c.child_id),
                   'postcodes', case when $7::text is null then '[]' else coalesce((
                       select json_agg(json_build_object('postcode', w.postcode,
                           'former', w.superseded_at is not null or w.kind = 'lastKnown'))
                       from whereabouts w where w.child_id = c.child_id and w.postcode is not null), '[]') end
               ) as "candidate!: Json<Candidate>"
        from found
        join child c on c.child_id = found.child_id
        where c.status = 'active'
        limit $8
        "#,
        criteria.index_number.as_ref().map(IndexNumber::as_str),
        criteria.identifier.as_ref().map(|identifier| identifier.kind().as_str()),
        criteria.identifier.as_ref().map(super::super::child::identifier::Identifier::value),
        criteria.family_key,
        days.as_deref(),
        keys.as_deref(),
        criteria.postcode.as_ref().map(super::super::child::address::Postcode::as_str),
        MOST_COMPARED + 1,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.child, row.candidate.0)).collect())
}

/// What kind of body the caller works for.
pub(super) async fn body(look: &Look) -> Result<OrganisationKind, Problem> {
    let kind = sqlx::query_scalar!(
        r#"select kind as "kind: OrganisationKind" from organisation where organisation_id = $1"#,
        look.caller.organisation.0,
    );
    Ok(kind.fetch_one(look.db()).await?)
}
