//! The records of sources, and what rows bring about, in the database.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Source, Told, queue::Job};
use crate::{
    feed::row::FeedRow,
    ids::{ChildId, FeedId, OrganisationId, ReviewTaskId},
    problem::Problem,
    seal::Sealed,
    work::{Author, Errands, Unit, WordOf},
};

/// After how many days what is sent again unchanged confirms the work with the child anew.
const CONFIRMED_AGAIN: i32 = 28;

/// What sources say again is confirmed: what was no longer sent is again, and the work with the children is, where that was last
/// confirmed long ago. Nothing else is written of it.
pub(super) async fn seen_again(
    work: &mut Errands,
    job: &Job,
    unconfirmed: &[&str],
    children: &[Uuid],
) -> Result<(), Problem> {
    let Source { feed, batch, organisation, service, as_at, .. } = &job.source;
    let (now, by) = (work.now, job.sent_by);
    if !unconfirmed.is_empty() {
        sqlx::query!(
            "update source_record set unconfirmed_at = null, batch_id = $3, seen_at = $4
             where feed_id = $1 and reference = any($2) and unconfirmed_at is not null",
            feed.0,
            unconfirmed as _,
            batch.0,
            now,
        )
        .execute(work.db())
        .await?;
    }
    sqlx::query!(
        "update involvement i
         set confirmed_on = greatest(i.confirmed_on, $4::date), unconfirmed_since = null, version = i.version + 1,
             source_organisation_id = $2, recorded_by = $5, received_at = $6, as_at = $4
         from child c
         where i.child_id = any($1) and c.child_id = i.child_id and (i.organisation_id = $2) is true and i.service_type = $3
           and i.ended_on is null and not i.sensitive and c.status = 'active'
           and (i.unconfirmed_since is not null or i.source_organisation_id = $2 and i.confirmed_on <= $4::date - $7::int)",
        children,
        organisation.0,
        service.code(),
        *as_at,
        by,
        now,
        CONFIRMED_AGAIN,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Says of what a complete batch does not hold that it is no longer confirmed, and counts it. With it fades what goes on of the
/// work with the child, unless another record of the organisation says so still, or somebody has confirmed it since.
pub(super) async fn unconfirm(work: &mut Errands, job: &Job) -> Result<i64, Problem> {
    let now = work.now;
    let Source { feed, batch, organisation, service, as_at, .. } = &job.source;
    let gone = sqlx::query_scalar!(
        r#"
        with gone as (
            update source_record s set unconfirmed_at = $3
            where s.feed_id = $1 and s.unconfirmed_at is null
              and not exists (select from feed_row r where r.batch_id = $2 and r.reference = s.reference)
            returning s.child_id),
        faded as (
            update involvement i
            set unconfirmed_since = $6, version = i.version + 1, source_organisation_id = $4, recorded_by = $7, received_at = $3, as_at = $6
            from gone g
            join child c on c.child_id = g.child_id
            where i.child_id = g.child_id and i.organisation_id = $4 and i.service_type = $5 and i.ended_on is null and not i.sensitive
              and i.unconfirmed_since is null and i.confirmed_on <= $6 and c.status = 'active'
              and not exists (
                  select from source_record o join feed f on f.feed_id = o.feed_id
                  where o.child_id = g.child_id and o.unconfirmed_at is null and f.organisation_id = $4 and f.service_type = $5
                    and (o.feed_id <> $1 or exists (
                        select from feed_row r where r.batch_id = $2 and r.reference = o.reference))))
        select count(*) as "gone!" from gone
        "#,
        feed.0,
        batch.0,
        now,
        organisation.0,
        service.code(),
        *as_at,
        job.sent_by,
    );
    let gone = gone.fetch_one(work.db()).await?;
    sqlx::query!(
        "update feed_batch set unconfirmed = $2 where batch_id = $1",
        job.source.batch.0,
        gone
    )
    .execute(work.db())
    .await?;
    Ok(gone)
}

/// Keeps what a source said last, of each child.
pub(super) async fn keep<W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    all: &[(Told<'_>, ChildId)],
) -> Result<(), Problem> {
    let (vault, now) = (word.vault()?, word.now());
    let seal = |told: &Told<'_>| {
        Sealed::seal(told.said, &vault, &FeedRow::kept_at(source.feed, &told.said.reference))
    };
    let sealed = all.iter().map(|(told, _)| seal(told)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "insert into source_record (feed_id, reference, child_id, hash, sent, batch_id, seen_at)
         select $1, reference, child_id, hash, sent, $6, $7
         from unnest($2::text[], $3::uuid[], $4::bytea[], $5::bytea[]) as told (reference, child_id, hash, sent)
         on conflict (feed_id, reference) do update
         set child_id = excluded.child_id, hash = excluded.hash, sent = excluded.sent, batch_id = excluded.batch_id,
             seen_at = excluded.seen_at, unconfirmed_at = null",
        source.feed.0,
        &all.iter().map(|(told, _)| told.reference()).collect::<Vec<_>>() as _,
        &all.iter().map(|(_, child)| child.0).collect::<Vec<_>>(),
        &all.iter().map(|(told, _)| told.hash).collect::<Vec<_>>() as _,
        &sealed as &[Sealed<FeedRow>],
        source.batch.0,
        now,
    )
    .execute(word.db())
    .await?;
    Ok(())
}

/// Which of these children a feed holds.
pub(super) async fn held_of(
    work: &mut impl Unit,
    feed: FeedId,
    children: &[Uuid],
) -> Result<Vec<Uuid>, Problem> {
    let held = sqlx::query_scalar!(
        r#"select child_id as "child_id!" from unnest($2::uuid[]) as near (child_id)
           where exists (select from source_record s where s.child_id = near.child_id and (s.feed_id = $1) is true)"#,
        feed.0,
        children,
    );
    Ok(held.fetch_all(work.db()).await?)
}

/// Of which of these a steward has said that the source's record is not of this child, by unlinking it or by not taking it: their
/// places.
pub(super) async fn unlinked(
    work: &mut impl Unit,
    feed: FeedId,
    matched: &[(&FeedRow, ChildId)],
) -> Result<Vec<usize>, Problem> {
    if matched.is_empty() {
        return Ok(Vec::new());
    }
    let unlinked = sqlx::query_scalar!(
        r#"select m.n as "n!" from unnest($2::text[], $3::uuid[]) with ordinality as m (reference, child_id, n)
           cross join lateral (
               select bool_or(coalesce(c.merged_into, c.child_id) = m.child_id) as so
               from review_task t join child c on c.child_id = any(t.candidates)
               where t.feed_id = $1 and t.reference = m.reference and (t.status = 'dismissed' or 'unlinked' = any(t.reasons))) t
           where t.so"#,
        feed.0,
        &matched.iter().map(|(said, _)| said.reference.as_str()).collect::<Vec<_>>() as _,
        &matched.iter().map(|(_, child)| child.0).collect::<Vec<_>>(),
    );
    places(unlinked.fetch_all(work.db()).await?)
}

/// The places of those of many whom PostgreSQL counts from one.
fn places(counted: Vec<i64>) -> Result<Vec<usize>, Problem> {
    let places = counted.into_iter().map(|n| usize::try_from(n - 1).map_err(Problem::internal));
    places.collect()
}

/// Whether a child is shielded.
pub(super) async fn is_shielded(work: &mut impl Unit, child: ChildId) -> Result<bool, Problem> {
    let shielded = sqlx::query_scalar!("select shielded from child where child_id = $1", child.0);
    Ok(shielded.fetch_optional(work.db()).await?.unwrap_or(false))
}

/// A row that a steward is to decide on.
pub(super) struct Doubt<'d> {
    pub(super) told: Told<'d>,
    pub(super) authority: OrganisationId,
    pub(super) candidates: &'d [ChildId],
    pub(super) reasons: &'d [String],
    pub(super) model: &'d str,
}

/// Has a steward decide on a row, instead of what the same source said before of the same child.
pub(super) async fn ask<W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    doubt: &Doubt<'_>,
) -> Result<(), Problem> {
    let (vault, now, id) = (word.vault()?, word.now(), ReviewTaskId::new());
    let sealed = Sealed::seal(doubt.told.said, &vault, &FeedRow::reviewed_at(id))?;
    sqlx::query!(
        "insert into review_task (review_task_id, feed_id, batch_id, line, reference, hash, sent, authority_id, candidates, reasons,
             model_version, raised_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id.0,
        source.feed.0,
        source.batch.0,
        doubt.told.line,
        doubt.told.reference(),
        doubt.told.hash,
        sealed as _,
        doubt.authority.0,
        &doubt.candidates.iter().map(|child| child.0).collect::<Vec<_>>(),
        doubt.reasons,
        doubt.model,
        now,
    )
    .execute(word.db())
    .await?;
    Ok(())
}

/// Whatever a steward was still to decide of these records of a source is decided by what it says now.
pub(super) async fn supersede(
    work: &mut impl Unit,
    source: &Source,
    references: &[&str],
) -> Result<(), Problem> {
    if references.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update review_task set status = 'superseded', version = version + 1
         where feed_id = $1 and reference = any($2) and status = 'open'",
        source.feed.0,
        references as _,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// The authority that answers for a child.
pub(super) async fn answering(
    work: &mut impl Unit,
    child: ChildId,
) -> Result<Option<OrganisationId>, Problem> {
    let authority = sqlx::query_scalar!(
        r#"select responsible_authority_id as "authority: OrganisationId" from child where child_id = $1"#,
        child.0
    );
    Ok(authority.fetch_optional(work.db()).await?)
}

/// The local authorities of these codes.
pub(super) async fn authorities(
    work: &mut impl Unit,
    codes: &[&str],
) -> Result<HashMap<String, OrganisationId>, Problem> {
    if codes.is_empty() {
        return Ok(HashMap::new());
    }
    let found = sqlx::query!(
        r#"select authority_code as "code!", organisation_id as "id: OrganisationId" from organisation
           where authority_code = any($1) and status <> 'closed'"#,
        codes as _,
    );
    let found = found.fetch_all(work.db()).await?;
    Ok(found.into_iter().map(|row| (row.code, row.id)).collect())
}

/// Which of the numbers that each row says another child has, by the place of the row and of the number.
pub(super) async fn taken(
    work: &mut impl Author,
    rows: &[(Option<ChildId>, &FeedRow)],
) -> Result<Vec<(usize, usize)>, Problem> {
    let said: Vec<_> = rows
        .iter()
        .enumerate()
        .flat_map(|(n, (child, said))| {
            said.identifiers.iter().enumerate().map(move |(m, number)| (n, m, *child, number))
        })
        .collect();
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let taken = sqlx::query_scalar!(
        r#"select n as "n!" from unnest($1::text[], $2::text[], $3::uuid[]) with ordinality as said (kind, value, child_id, n)
           where exists (select from child_identifier i where i.kind = said.kind and i.value = said.value and i.superseded_at is null
                         and i.held and i.child_id is distinct from said.child_id)
           order by n"#,
        &said.iter().map(|(.., number)| number.kind().as_str()).collect::<Vec<_>>() as _,
        &said.iter().map(|(.., number)| number.value()).collect::<Vec<_>>() as _,
        &said.iter().map(|(_, _, child, _)| child.map(|child| child.0)).collect::<Vec<_>>() as _,
    );
    let taken = places(taken.fetch_all(work.db()).await?)?;
    Ok(taken.into_iter().map(|at| (said[at].0, said[at].1)).collect())
}

/// Which of these hashes tell of a child who was purged.
pub(super) async fn purged(
    work: &mut impl Unit,
    hashes: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, Problem> {
    let known = sqlx::query_scalar!("select hash from purged where hash = any($1)", hashes);
    Ok(known.fetch_all(work.db()).await?)
}
