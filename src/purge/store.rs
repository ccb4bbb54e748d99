//! Purges in the database.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{Erasure, Purge, hashes};
use crate::{
    child::{
        identifier::{Identifier, IdentifierKind},
        name::Name,
    },
    ids::{AccountId, ChildId, PurgeId},
    problem::{Kind, Problem},
    seal::Vault,
    work::{Errands, Look, Work},
};

/// Proposes to purge every record that is due today, that no hold keeps and that no other purge reaches.
pub(super) async fn propose(work: &mut Work) -> Result<Purge, Problem> {
    let (id, by, now, today) = (PurgeId::new(), work.caller.subject.uuid(), work.now, work.today());
    sqlx::query!(
        "insert into purge (purge_id, due_on, proposed_by, proposed_at, status, proposed)
         select $1, $2, $3, $4, 'proposed', count(*) from child c
         where c.status = 'archived' and c.archived_on <= $2 and purge_due_on(c.child_id, c.archived_on) <= $2
           and not is_held(c.child_id, $2) and not exists (select from purge_child x where x.child_id = c.child_id)",
        id.0,
        today,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    sqlx::query!(
        "insert into purge_child (child_id, purge_id)
         select c.child_id, $1 from child c
         where c.status = 'archived' and c.archived_on <= $2 and purge_due_on(c.child_id, c.archived_on) <= $2
           and not is_held(c.child_id, $2)
         on conflict do nothing",
        id.0,
        today,
    )
    .execute(work.db())
    .await?;
    read(work.db(), id).await
}

/// The latest purges.
pub(super) async fn list(look: &Look) -> Result<Vec<Purge>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select purge_told(p) as "told!: Json<Purge>" from purge p order by p.proposed_at desc, p.purge_id limit 100"#
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// Finds a purge.
pub(super) async fn open(look: &Look, id: PurgeId) -> Result<Purge, Problem> {
    read(look.db(), id).await
}

/// Finds a purge, and holds it until the work is done.
pub(super) async fn lock(work: &mut Work, id: PurgeId) -> Result<Purge, Problem> {
    sqlx::query!("select purge_id from purge where purge_id = $1 for update", id.0)
        .fetch_optional(work.db())
        .await?
        .ok_or(Kind::NotFound)?;
    read(work.db(), id).await
}

/// The purge as the work has left it.
pub(super) async fn reread(work: &mut Work, id: PurgeId) -> Result<Purge, Problem> {
    read(work.db(), id).await
}

async fn read(db: impl PgExecutor<'_>, id: PurgeId) -> Result<Purge, Problem> {
    let row = sqlx::query_scalar!(
        r#"select purge_told(p) as "told!: Json<Purge>" from purge p where p.purge_id = $1"#,
        id.0
    );
    Ok(row.fetch_optional(db).await?.ok_or(Kind::NotFound)?.0)
}

/// Writes an approval down.
pub(super) async fn approve(work: &mut Work, id: PurgeId) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update purge set status = 'approved', approved_by = $2, approved_at = $3, version = version + 1 where purge_id = $1",
        id.0,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Goes on with approved purges, as many records as said; what is kept after all counts as done with. Says which records it
/// took up; a purge that reaches no more is done.
pub(crate) async fn go_on(
    db: &mut PgConnection,
    vault: &Vault,
    now: DateTime<Utc>,
    today: NaiveDate,
    limit: i64,
) -> Result<Vec<ChildId>, Problem> {
    let next = sqlx::query!(
        r#"select x.child_id as "child: ChildId", x.purge_id as "purge: PurgeId" from purge_child x
           join purge p on p.purge_id = x.purge_id
           where p.status = 'approved' order by x.child_id limit $1 for update of p"#,
        limit,
    )
    .fetch_all(&mut *db)
    .await?;
    for row in &next {
        let purged = purge(&mut *db, vault, row.child, row.purge, today).await?;
        sqlx::query!(
            "update purge set purged = purged + $2, kept = kept + 1 - $2, version = version + 1 where purge_id = $1",
            row.purge.0,
            i64::from(purged),
        )
        .execute(&mut *db)
        .await?;
    }
    sqlx::query!(
        "update purge p set status = 'done', done_at = $1, version = version + 1
         where status = 'approved' and not exists (select from purge_child x where x.purge_id = p.purge_id)",
        now,
    )
    .execute(db)
    .await?;
    Ok(next.into_iter().map(|row| row.child).collect())
}

/// Purges one record, unless it is not due after all; leaves the hashes by which it is known again.
async fn purge(
    db: &mut PgConnection,
    vault: &Vault,
    child: ChildId,
    purge: PurgeId,
    today: NaiveDate,
) -> Result<bool, Problem> {
    let row = sqlx::query!(
        r#"
        select array(select distinct b.date_of_birth from child b
                     where b.child_id = c.child_id or b.merged_into = c.child_id) as "births!",
               coalesce((
                   select json_agg(json_build_object('kind', kind, 'given', given, 'family', family))
                   from child_name n where n.child_id = c.child_id), '[]') as "names!: Json<Vec<Name>>"
        from child c where c.child_id = $1
        "#,
        child.0,
    )
    .fetch_one(&mut *db)
    .await?;
    let identifiers = sqlx::query!(
        r#"select kind as "kind: IdentifierKind", value from child_identifier where child_id = $1"#,
        child.0,
    )
    .fetch_all(&mut *db)
    .await?;
    let identifiers: Vec<_> =
        identifiers.into_iter().map(|row| Identifier::from_stored(row.kind, row.value)).collect();
    let mut hashes: Vec<_> = row
        .births
        .iter()
        .flat_map(|born| hashes(vault, *born, &row.names.0, &identifiers))
        .collect();
    hashes.sort();
    hashes.dedup();
    let purged = sqlx::query_scalar!(
        r#"select purge_child($1, $2, $3, $4) as "purged!""#,
        child.0,
        purge.0,
        today,
        &hashes,
    );
    Ok(purged.fetch_one(db).await?)
}

/// How many records approved purges have still to take up.
pub(crate) async fn waiting(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "waiting!" from purge_child x join purge p on p.purge_id = x.purge_id where p.status = 'approved'"#
    )
    .fetch_one(db)
    .await
}

/// Whether anything has ever been purged.
pub(crate) async fn any(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists (select from purged) as "any!""#).fetch_one(db).await
}

/// Which of these hashes were left by a purge.
pub(crate) async fn known(
    db: &mut PgConnection,
    hashes: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!("select hash from purged where hash = any($1)", hashes).fetch_all(db).await
}

/// The records that were purged on this day or later, each with its day.
pub(super) async fn erasures(
    db: &mut PgConnection,
    since: NaiveDate,
) -> Result<Vec<Erasure>, sqlx::Error> {
    sqlx::query_as!(
        Erasure,
        r#"select encode(record, 'hex') as "record!", erased_on from erasure where erased_on >= $1 order by erased_on, record"#,
        since,
    )
    .fetch_all(db)
    .await
}

/// Which of these records are here, though they were purged.
pub(super) async fn back(
    db: &mut PgConnection,
    erased: &[String],
) -> Result<Vec<ChildId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select child_id as "child: ChildId" from child where encode(sha256(uuid_send(child_id)), 'hex') = any($1) order by child_id"#,
        erased,
    )
    .fetch_all(db)
    .await
}

/// The operator of this user name who may sign in.
pub(super) async fn operator(
    db: &mut PgConnection,
    user_name: &str,
) -> Result<Option<AccountId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select account_id as "account: AccountId" from account where user_name = $1 and role = 'operator' and status = 'active'"#,
        user_name,
    )
    .fetch_optional(db)
    .await
}

/// Puts records under a purge of today that two operators answer for.
pub(super) async fn put_under(
    work: &mut Errands,
    children: &[ChildId],
    [proposed_by, approved_by]: [AccountId; 2],
) -> Result<PurgeId, sqlx::Error> {
    let (id, now, today) = (PurgeId::new(), work.now, work.today());
    let children: Vec<_> = children.iter().map(|child| child.0).collect();
    sqlx::query!(
        "insert into purge (purge_id, due_on, proposed_by, proposed_at, approved_by, approved_at, status, proposed)
         values ($1, $2, $3, $4, $5, $4, 'approved', cardinality($6::uuid[]))",
        id.0,
        today,
        proposed_by.0,
        now,
        approved_by.0,
        &children,
    )
    .execute(work.db())
    .await?;
    sqlx::query!(
        "insert into purge_child (child_id, purge_id) select child, $2 from unnest($1::uuid[]) as back (child)
         on conflict do nothing",
        &children,
        id.0,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}
