//! Records that may be of one child, in the database.

use chrono::{DateTime, NaiveDate, Utc};
use linkage::Person;
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    DuplicateDecisionIn, DuplicateGround, DuplicateQuery, DuplicateStatus, PossibleDuplicate,
};
use crate::{
    ids::{ChildId, PossibleDuplicateId},
    matching::Candidate,
    problem::{Kind, Problem},
    work::{Look, Unit, Work},
};

/// Notes that a child who is added may be one who is here; a pair is noted once, and one that was decided stays so.
pub(crate) async fn note(
    work: &mut impl Unit,
    child: ChildId,
    near: impl IntoIterator<Item = ChildId>,
    model: &str,
) -> Result<(), Problem> {
    let now = work.now();
    let others: Vec<_> = near.into_iter().map(|other| other.0).collect();
    let ids: Vec<_> = others.iter().map(|_| PossibleDuplicateId::new().0).collect();
    sqlx::query!(
        "insert into possible_duplicate (possible_duplicate_id, child_id, other_id, model_version, found_at)
         select pair.id, least($1, pair.other), greatest($1, pair.other), $4, $5
         from unnest($2::uuid[], $3::uuid[]) as pair (id, other)
         on conflict do nothing",
        child.0,
        &ids,
        &others,
        model,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// A pair with the children of both records.
pub(crate) type Pair = ([ChildId; 2], PossibleDuplicate);

/// A pair as the database has it.
struct Row {
    id: PossibleDuplicateId,
    child: ChildId,
    other: ChildId,
    one: Json<Candidate>,
    two: Json<Candidate>,
    status: DuplicateStatus,
    ground: Option<DuplicateGround>,
    found_at: DateTime<Utc>,
    model: String,
    decided_at: Option<DateTime<Utc>>,
    version: i64,
}

impl Row {
    fn pair(self) -> Option<Pair> {
        let records = [self.one.0.told()?.into(), self.two.0.told()?.into()].into();
        let pair = PossibleDuplicate {
            id: self.id,
            records,
            status: self.status,
            ground: self.ground,
            found_at: self.found_at,
            model_version: self.model,
            decided_at: self.decided_at,
            version: self.version,
        };
        Some(([self.child, self.other], pair))
    }
}

/// A page of the pairs with a record for which the authorities of all who look are responsible; one more than asked for where
/// there is a next page. `offset 0` keeps the two records of a pair looked up by their ids: joined, a planner that takes few
/// children to be in use pairs every child with every other first.
pub(crate) async fn list(
    look: &Look,
    query: &DuplicateQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<Pair>, Problem> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select p.possible_duplicate_id as "id: PossibleDuplicateId", p.child_id as "child: ChildId", p.other_id as "other: ChildId",
               (select told from candidate_told where child_id = p.child_id) as "one!: Json<Candidate>",
               (select told from candidate_told where child_id = p.other_id) as "two!: Json<Candidate>", p.status as "status: DuplicateStatus",
               p.ground as "ground: DuplicateGround", p.found_at, p.model_version as model, p.decided_at, p.version
        from (select p.*
              from possible_duplicate p
              cross join lateral (select responsible_authority_id from child
                                  where child_id = p.child_id and in_use(status, archives_on, $5) offset 0) c
              cross join lateral (select responsible_authority_id from child
                                  where child_id = p.other_id and in_use(status, archives_on, $5) offset 0) o
              where (p.found_at, p.possible_duplicate_id) > ($1, $2) and ($3::text is null or p.status = $3)
                and $4::uuid[] <@ array[c.responsible_authority_id, o.responsible_authority_id]
              order by p.found_at, p.possible_duplicate_id limit $6) p
        order by p.found_at, p.possible_duplicate_id
        "#,
        after.0,
        after.1,
        query.status.map(DuplicateStatus::as_str),
        &viewers(look),
        look.today(),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().filter_map(Row::pair).collect())
}

fn viewers(look: &Look) -> Vec<Uuid> {
    look.viewers().map(|viewer| viewer.organisation.0).collect()
}

/// Opens a pair with a record for which the authorities of all who look are responsible.
pub(super) async fn open(look: &Look, id: PossibleDuplicateId) -> Result<Pair, Problem> {
    read(look.db(), id, &viewers(look), look.today()).await
}

async fn read(
    db: impl PgExecutor<'_>,
    id: PossibleDuplicateId,
    viewers: &[Uuid],
    today: NaiveDate,
) -> Result<Pair, Problem> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select p.possible_duplicate_id as "id: PossibleDuplicateId", p.child_id as "child: ChildId", p.other_id as "other: ChildId",
               (select told from candidate_told where child_id = p.child_id) as "one!: Json<Candidate>",
               (select told from candidate_told where child_id = p.other_id) as "two!: Json<Candidate>", p.status as "status: DuplicateStatus",
               p.ground as "ground: DuplicateGround", p.found_at, p.model_version as model, p.decided_at, p.version
        from possible_duplicate p
        join child c on c.child_id = p.child_id
        join child o on o.child_id = p.other_id
        where p.possible_duplicate_id = $1 and $2::uuid[] <@ array[c.responsible_authority_id, o.responsible_authority_id]
          and in_use(c.status, c.archives_on, $3) and in_use(o.status, o.archives_on, $3)
        "#,
        id.0,
        viewers,
        today,
    )
    .fetch_optional(db)
    .await?;
    row.and_then(Row::pair).ok_or_else(|| Kind::NotFound.into())
}

/// What is compared of two children, where it is known.
pub(super) async fn compared(
    look: &Look,
    [one, other]: [ChildId; 2],
) -> Result<Option<(Person, Person)>, Problem> {
    let rows = sqlx::query!(
        r#"select child_id as "child: ChildId", packed from match_entry where child_id in ($1, $2) and scheme = $3 and packed <> ''"#,
        one.0,
        other.0,
        linkage::key::SCHEME,
    )
    .fetch_all(look.db())
    .await?;
    let person = |id: ChildId| {
        let row = rows.iter().find(|row| row.child == id)?;
        Some(Person::unpack(&row.packed).map_err(Problem::internal))
    };
    Ok(person(one).transpose()?.zip(person(other).transpose()?))
}

/// Holds a pair that the caller sees until the work is done.
pub(super) async fn lock(work: &mut Work, id: PossibleDuplicateId) -> Result<Pair, Problem> {
    let (own, today) = (work.caller.organisation.0, work.today());
    sqlx::query!(
        "select possible_duplicate_id from possible_duplicate where possible_duplicate_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?;
    read(work.db(), id, &[own], today).await
}

/// Writes down what was decided.
pub(super) async fn decide(
    work: &mut Work,
    id: PossibleDuplicateId,
    status: DuplicateStatus,
    said: DuplicateDecisionIn,
) -> Result<PossibleDuplicate, Problem> {
    let (now, by) = (work.now, work.caller.subject.uuid());
    sqlx::query!(
        "update possible_duplicate set status = $2, ground = $3, decided_by = $4, decided_at = $5, version = version + 1
         where possible_duplicate_id = $1",
        id.0,
        status.as_str(),
        said.ground.as_str(),
        by,
        now,
    )
    .execute(work.db())
    .await?;
    let (own, today) = (work.caller.organisation.0, work.today());
    Ok(read(work.db(), id, &[own], today).await?.1)
}
