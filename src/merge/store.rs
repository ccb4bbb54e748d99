//! Merges in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{Merge, MergeIn, MergePreview, MergeQuery, MergeReversalIn, MergeStatus, Shields};
use crate::{
    ids::{ChildId, IndexNumber, InvolvementId, MergeId, OrganisationId, PersonId},
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    sensitive::{self, Provider},
    work::{Look, Work},
};

/// A merge with what decides on who acts on it.
pub(super) struct Found {
    pub(super) merge: Merge,
    pub(super) survivor: ChildId,
    pub(super) retired: ChildId,
    /// Those that answer for either record.
    pub(super) authorities: Vec<OrganisationId>,
    /// Whether one of the records was merged into a third since.
    covered: bool,
}

impl Found {
    /// Refuses where a later merge stands above this one.
    pub(super) fn is_the_last(&self) -> Result<(), Problem> {
        if self.covered { Err(Kind::MergeCovered.into()) } else { Ok(()) }
    }
}

/// Two records in use, held until the work is done, with the authorities that answer for them.
pub(super) struct Pair {
    pub(super) survivor: ChildId,
    pub(super) retired: ChildId,
    pub(super) authorities: Vec<OrganisationId>,
}

/// Finds two records in use, and holds them until the work is done.
pub(super) async fn pair(work: &mut Work, asked: &MergeIn) -> Result<Pair, Problem> {
    let (survivor, _) = in_use(work, &asked.survivor, "/survivor").await?;
    let (retired, _) = in_use(work, &asked.retired, "/retired").await?;
    hold(work, [survivor, retired]).await?;
    let (survivor, one) = in_use(work, &asked.survivor, "/survivor").await?;
    let (retired, other) = in_use(work, &asked.retired, "/retired").await?;
    Ok(Pair { survivor, retired, authorities: vec![one, other] })
}

async fn in_use(
    work: &mut Work,
    number: &IndexNumber,
    pointer: &str,
) -> Result<(ChildId, OrganisationId), Problem> {
    let today = work.today();
    let row = sqlx::query!(
        r#"select child_id as "child: ChildId", responsible_authority_id as "authority: OrganisationId"
           from child where index_number = $1 and in_use(status, archives_on, $2)"#,
        number.as_str(),
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or_else(|| Problem::invalid(pointer, "must be the index number of a record in use"))?;
    Ok((row.child, row.authority))
}

/// Holds two records until the work is done: their persons first, then they, each in their order.
async fn hold(work: &mut Work, records: [ChildId; 2]) -> Result<(), Problem> {
    let ids = records.map(|child| child.0);
    sqlx::query!(
        "select person_id from person where person_id in (select person_id from child where child_id = any($1))
         order by person_id for update",
        &ids,
    )
    .fetch_all(work.db())
    .await?;
    sqlx::query!(
        "select child_id from child where child_id = any($1) order by child_id for update",
        &ids,
    )
    .fetch_all(work.db())
    .await?;
    Ok(())
}

/// Whether a pair of possible duplicates is of these two, and nobody has said that they are of two children.
pub(super) async fn is_of(work: &mut Work, asked: &MergeIn, pair: &Pair) -> Result<bool, Problem> {
    let Some(id) = asked.possible_duplicate_id else { return Ok(true) };
    let found = sqlx::query_scalar!(
        r#"select exists (select from possible_duplicate where possible_duplicate_id = $1 and status in ('open', 'same')
                and child_id = least($2::uuid, $3::uuid) and other_id = greatest($2::uuid, $3::uuid)) as "found!""#,
        id.0,
        pair.survivor.0,
        pair.retired.0,
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// Keeps a proposal.
pub(super) async fn propose(
    work: &mut Work,
    asked: &MergeIn,
    pair: &Pair,
) -> Result<MergeId, Problem> {
    let (id, by, now) = (MergeId::new(), work.caller.subject.uuid(), work.now);
    let own = work.caller.organisation;
    sqlx::query!(
        "insert into child_merge (merge_id, survivor_id, retired_id, possible_duplicate_id, ground, proposed_by, proposed_for, proposed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        pair.survivor.0,
        pair.retired.0,
        asked.possible_duplicate_id.map(|id| id.0),
        asked.ground.as_str(),
        by,
        own.0,
        now,
    )
    .execute(work.db())
    .await
    .map_err(|error| match error.as_database_error().and_then(|e| e.constraint()) {
        Some("child_merge_proposed_once") => Problem::from(Kind::MergeProposed),
        _ => error.into(),
    })?;
    Ok(id)
}

/// A page of the merges of records for which the authorities of all who look answer; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &MergeQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<Found>, Problem> {
    let rows = sqlx::query!(
        r#"select told as "told!: Json<Merge>", survivor_id as "survivor!: ChildId", retired_id as "retired!: ChildId"
           from merge_told_on($5)
           where (proposed_at, merge_id) > ($1, $2) and ($3::text is null or status = $3) and $4::uuid[] <@ authorities and seen
           order by proposed_at, merge_id limit $6"#,
        after.0,
        after.1,
        query.status.map(MergeStatus::as_str),
        &viewers(look),
        look.today(),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    let found = rows.into_iter().map(|row| Found {
        merge: row.told.0,
        survivor: row.survivor,
        retired: row.retired,
        authorities: Vec::new(),
        covered: false,
    });
    Ok(found.collect())
}

fn viewers(look: &Look) -> Vec<Uuid> {
    look.viewers().map(|viewer| viewer.organisation.0).collect()
}

/// Opens a merge of a record for which the authorities of all who look answer.
pub(super) async fn open(look: &Look, id: MergeId) -> Result<Found, Problem> {
    read(look.db(), id, &viewers(look), look.today()).await
}

async fn read(
    db: impl PgExecutor<'_>,
    id: MergeId,
    viewers: &[Uuid],
    today: chrono::NaiveDate,
) -> Result<Found, Problem> {
    let row = sqlx::query!(
        r#"select told as "told!: Json<Merge>", survivor_id as "survivor!: ChildId", retired_id as "retired!: ChildId",
                  authorities as "authorities!: Vec<OrganisationId>", covered as "covered!"
           from merge_told_on($3) where merge_id = $1 and $2::uuid[] <@ authorities and seen"#,
        id.0,
        viewers,
        today,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    Ok(Found {
        merge: row.told.0,
        survivor: row.survivor,
        retired: row.retired,
        authorities: row.authorities,
        covered: row.covered,
    })
}

/// What a merge would move, as those who look may see it.
pub(super) async fn preview(look: &Look, found: &Found) -> Result<MergePreview, Problem> {
    let told = sqlx::query_scalar!(
        r#"select merge_preview($1, $2, $3) as "told!: Json<MergePreview>""#,
        found.survivor.0,
        found.retired.0,
        look.one_organisation().map(|own| own.0),
    );
    Ok(told.fetch_one(look.db()).await?.0)
}

/// Holds a merge that the caller sees, and its two records, until the work is done.
pub(super) async fn lock(work: &mut Work, id: MergeId) -> Result<Found, Problem> {
    let own = work.caller.organisation.0;
    sqlx::query!("select merge_id from child_merge where merge_id = $1 for update", id.0)
        .fetch_optional(work.db())
        .await?;
    let found = reread(work, id, own).await?;
    hold(work, [found.survivor, found.retired]).await?;
    reread(work, id, own).await
}

async fn reread(work: &mut Work, id: MergeId, own: Uuid) -> Result<Found, Problem> {
    let today = work.today();
    read(work.db(), id, &[own], today).await
}

/// The merge as the work has left it.
pub(super) async fn told(work: &mut Work, id: MergeId) -> Result<Merge, Problem> {
    let own = work.caller.organisation.0;
    Ok(reread(work, id, own).await?.merge)
}

/// Writes down that what waited was refused.
pub(super) async fn refuse(
    work: &mut Work,
    id: MergeId,
    status: MergeStatus,
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update child_merge set status = $2, version = version + 1,
             decided_by = case when $2 = 'refused' then $3 else decided_by end,
             decided_at = case when $2 = 'refused' then $4 else decided_at end
         where merge_id = $1",
        id.0,
        status.as_str(),
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Writes down that somebody proposes that the records become two again.
pub(super) async fn propose_reversal(
    work: &mut Work,
    id: MergeId,
    said: MergeReversalIn,
) -> Result<(), Problem> {
    let (by, own, now) = (work.caller.subject.uuid(), work.caller.organisation, work.now);
    sqlx::query!(
        "update child_merge set status = 'reversalProposed', reversal_ground = $2, reversal_by = $3, reversal_for = $4,
             reversal_at = $5, version = version + 1
         where merge_id = $1",
        id.0,
        said.ground.as_str(),
        by,
        own.0,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Who two records are of, and what is shielded.
pub(super) struct State {
    pub(super) shields: Shields,
    pub(super) survivor: Option<PersonId>,
    pub(super) retired: Option<PersonId>,
    /// Whether somebody has said that they are two persons.
    pub(super) distinct: bool,
}

/// Who two records are of, as the work has left them.
pub(super) async fn state(
    work: &mut Work,
    survivor: ChildId,
    retired: ChildId,
) -> Result<State, Problem> {
    let row = sqlx::query!(
        r#"select k.shielded as survivor, g.shielded as retired, k.person_id as "one: PersonId", g.person_id as "other: PersonId",
                  exists (select from distinct_persons d where d.one = least(k.person_id, g.person_id)
                          and d.other = greatest(k.person_id, g.person_id)) as "distinct!"
           from child k, child g where k.child_id = $1 and g.child_id = $2"#,
        survivor.0,
        retired.0,
    )
    .fetch_one(work.db())
    .await?;
    Ok(State {
        shields: Shields { survivor: row.survivor, retired: row.retired },
        survivor: row.one,
        retired: row.other,
        distinct: row.distinct,
    })
}

/// Makes one record of two, as two stewards have agreed; says whether a consent to stay has moved.
pub(super) async fn merge(
    work: &mut Work,
    found: &Found,
    was: Shields,
    person: Option<PersonId>,
) -> Result<bool, Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update child_merge set status = 'merged', decided_by = $2, decided_at = $3, survivor_shielded = $4, retired_shielded = $5,
             retired_person = $6, version = version + 1,
             held_up_by = array(select r.shield_request_id from shield_request r join child c on c.child_id = r.child_id
                                where r.status = 'inForce' and c.person_id in (select x.person_id from child x
                                                                               where x.child_id in (survivor_id, retired_id)))
         where merge_id = $1",
        found.merge.id.0,
        by,
        now,
        was.survivor,
        was.retired,
        person.map(|person| person.0),
    )
    .execute(work.db())
    .await?;
    let (services, keys) = services(work, found.retired, &found.merge.survivor, None).await?;
    let stays = sqlx::query_scalar!(
        r#"select merge_children($1, $2, $3, $4) as "stays!""#,
        found.merge.id.0,
        now,
        &services,
        &keys,
    );
    Ok(stays.fetch_one(work.db()).await?)
}

/// What is known of a merge that is taken back.
pub(super) struct Before {
    pub(super) shields: Shields,
    /// The person of the retired record, where it had one.
    pub(super) retired: Option<PersonId>,
    /// Whether a request was put in force since, even if it was closed since too.
    pub(super) raised_since: bool,
}

/// What stood before a merge.
pub(super) async fn before(work: &mut Work, found: &Found) -> Result<Before, Problem> {
    let row = sqlx::query!(
        r#"select survivor_shielded as "survivor!", retired_shielded as "retired!", retired_person as "person: PersonId",
                  exists (select from shield_request r join child c on c.child_id = r.child_id
                          where (r.status = 'inForce' or r.closed_at > m.decided_at) and r.shield_request_id <> all(m.held_up_by)
                            and c.person_id = (select x.person_id from child x where x.child_id = m.survivor_id)) as "raised!"
           from child_merge m where m.merge_id = $1"#,
        found.merge.id.0,
    )
    .fetch_one(work.db())
    .await?;
    Ok(Before {
        shields: Shields { survivor: row.survivor, retired: row.retired },
        retired: row.person,
        raised_since: row.raised,
    })
}

/// Makes two records of one again, as two stewards have agreed; says whether a consent to stay has moved.
pub(super) async fn unmerge(work: &mut Work, found: &Found) -> Result<bool, Problem> {
    let (id, by, now) = (found.merge.id, work.caller.subject.uuid(), work.now);
    let moved = services(work, found.survivor, &found.merge.retired, Some(id)).await?;
    sqlx::query!(
        "update child_merge set status = 'reversed', reversed_by = $2, reversed_at = $3, version = version + 1 where merge_id = $1",
        id.0,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    let stays = sqlx::query_scalar!(
        r#"select unmerge_children($1, $2, $3, $4) as "stays!""#,
        id.0,
        now,
        &moved.0,
        &moved.1,
    );
    stays.fetch_one(work.db()).await.map_err(|error| {
        match error.as_database_error().and_then(|e| e.constraint()) {
            Some("child_identifier_one_child") => Kind::IdentifierHeld.into(),
            _ => error.into(),
        }
    })
}

/// The sensitive services of a child, or those of them that a merge has moved, with the keys by which their providers find them under
/// another number.
async fn services(
    work: &mut Work,
    child: ChildId,
    number: &IndexNumber,
    moved_by: Option<MergeId>,
) -> Result<(Vec<Uuid>, Vec<Vec<u8>>), Problem> {
    let vault: Vault = work.vault();
    let rows = sqlx::query!(
        r#"select s.involvement_id as "id: InvolvementId", s.sealed as "sealed: Sealed<Provider>" from sensitive_involvement s
           where s.child_id = $1 and ($2::uuid is null or exists (
               select from merge_moved x
               where x.merge_id = $2 and x.relation = 'sensitive_involvement' and x.fact = s.involvement_id::text))"#,
        child.0,
        moved_by.map(|id| id.0),
    )
    .fetch_all(work.db())
    .await?;
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for row in rows {
        ids.push(row.id.0);
        keys.push(sensitive::key_under(&vault, row.id, &row.sealed, number)?);
    }
    Ok((ids, keys))
}

/// Gives a record, and those merged into it, a person of its own again, shielded as the two were together: the one that it had, where
/// that is shielded so; none, where it had none and needs none.
pub(super) async fn part(
    work: &mut Work,
    retired: ChildId,
    had: Option<PersonId>,
    shielded: bool,
) -> Result<Option<PersonId>, Problem> {
    let kept = sqlx::query_scalar!(
        r#"select person_id as "person: PersonId" from person where person_id = $1 and shielded = $2 for update"#,
        had.map(|person| person.0),
        shielded,
    )
    .fetch_optional(work.db())
    .await?;
    let own = match kept {
        None if had.is_some() || shielded => {
            let new = PersonId::new();
            sqlx::query!(
                "insert into person (person_id, shielded) values ($1, $2)",
                new.0,
                shielded
            )
            .execute(work.db())
            .await?;
            Some(new)
        }
        kept => kept,
    };
    sqlx::query!(
        "update child set person_id = $2 where child_id = $1 or merged_into = $1",
        retired.0,
        own.map(|person| person.0),
    )
    .execute(work.db())
    .await?;
    Ok(own)
}

/// Whether a request holds the shield of a person up.
pub(super) async fn is_held_up(work: &mut Work, person: PersonId) -> Result<bool, Problem> {
    let held = sqlx::query_scalar!(
        r#"select exists (select from shield_request r join child c on c.child_id = r.child_id
                          where c.person_id = $1 and r.status = 'inForce') as "held!""#,
        person.0,
    );
    Ok(held.fetch_one(work.db()).await?)
}
