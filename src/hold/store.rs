//! Legal holds in the database.

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{Hold, HoldGround, Kept};
use crate::{
    access::Role,
    ids::{ChildId, HoldId, IndexNumber, OrganisationId},
    notice::{NoticeKind, Telling},
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// Finds a record that is in use or archived.
pub(super) async fn find(look: &Look, number: &IndexNumber) -> Result<(ChildId, Kept), Problem> {
    let row = sqlx::query!(
        r#"select child_id as "child: ChildId", responsible_authority_id as "authority: OrganisationId",
                  archived_since(status, archived_on, archives_on, $2) as since
           from child where index_number = $1 and status in ('active', 'archived')"#,
        number.as_str(),
        look.today(),
    )
    .fetch_optional(look.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, Kept { authority: row.authority, since: row.since }))
}

/// The same, holding the record until the work is done.
pub(super) async fn lock(
    work: &mut Work,
    number: &IndexNumber,
) -> Result<(ChildId, Kept), Problem> {
    let today = work.today();
    let row = sqlx::query!(
        r#"select child_id as "child: ChildId", responsible_authority_id as "authority: OrganisationId",
                  archived_since(status, archived_on, archives_on, $2) as since
           from child where index_number = $1 and status in ('active', 'archived')
           for update"#,
        number.as_str(),
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, Kept { authority: row.authority, since: row.since }))
}

/// The holds on a record.
pub(super) async fn list(look: &Look, child: ChildId) -> Result<Vec<Hold>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select json_build_object('id', hold_id, 'ground', ground, 'from', held_from, 'until', held_until, 'version', version)
               as "told!: Json<Hold>"
           from legal_hold where child_id = $1 order by held_from desc, hold_id"#,
        child.0,
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// A hold with the record that it is on.
pub(super) struct Found {
    pub(super) hold: Hold,
    pub(super) child: ChildId,
    pub(super) kept: Kept,
}

/// Finds a hold.
pub(super) async fn open(look: &Look, id: HoldId) -> Result<Found, Problem> {
    read(look.db(), id, look.today()).await
}

/// Finds a hold; it and its record are held until the work is done.
pub(super) async fn lock_hold(work: &mut Work, id: HoldId) -> Result<Found, Problem> {
    sqlx::query!(
        "select c.child_id from child c join legal_hold h on h.child_id = c.child_id where h.hold_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let today = work.today();
    read(work.db(), id, today).await
}

async fn read(db: impl PgExecutor<'_>, id: HoldId, today: NaiveDate) -> Result<Found, Problem> {
    let row = sqlx::query!(
        r#"select c.child_id as "child: ChildId", c.responsible_authority_id as "authority: OrganisationId",
                  archived_since(c.status, c.archived_on, c.archives_on, $2) as since,
                  h.hold_id as "id: HoldId", h.ground as "ground: HoldGround", h.held_from, h.held_until, h.version
           from legal_hold h
           join child c on c.child_id = h.child_id
           where h.hold_id = $1 and c.status in ('active', 'archived')"#,
        id.0,
        today,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    let hold = Hold {
        id: row.id,
        ground: row.ground,
        from: row.held_from,
        until: row.held_until,
        version: row.version,
    };
    Ok(Found { hold, child: row.child, kept: Kept { authority: row.authority, since: row.since } })
}

/// Places a hold.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    ground: HoldGround,
    from: NaiveDate,
    until: NaiveDate,
) -> Result<Hold, Problem> {
    let (id, by, now, today) = (HoldId::new(), work.caller.subject.uuid(), work.now, work.today());
    sqlx::query!(
        "insert into legal_hold (hold_id, child_id, ground, held_from, held_until, said_on, placed_by, placed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        child.0,
        ground.as_str(),
        from,
        until,
        today,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(Hold { id, ground, from, until, version: 1 })
}

/// Says anew when a hold ends.
pub(super) async fn save(work: &mut Work, hold: &Hold) -> Result<(), Problem> {
    let today = work.today();
    sqlx::query!(
        "update legal_hold set held_until = $2, said_on = $3, version = $4 where hold_id = $1",
        hold.id.0,
        hold.until,
        today,
        hold.version,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// What those are told who may open them of holds that end until a day: the stewards of the authority that answers for the record,
/// and the archive reviewers from a year after it was archived.
pub(crate) async fn ending(
    db: &mut PgConnection,
    today: NaiveDate,
    until: NaiveDate,
    limit: i64,
) -> Result<Vec<Telling>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select h.hold_id as "id: HoldId", h.held_until, c.responsible_authority_id as "authority: OrganisationId",
               reader.role as "role!: Role"
        from legal_hold h
        join child c on c.child_id = h.child_id
        cross join lateral (
            select case when $1 >= anniversary(archived_since(c.status, c.archived_on, c.archives_on, $1), 1)
                then $4::text else $5::text end as role) reader
        where h.held_until > $1 and h.held_until <= $2 and h.held_from <= $1 and c.status in ('active', 'archived')
          and not exists (
              select from notice n where n.kind = 'holdExpiring' and n.due_on = h.held_until and n.about = '/v1/holds/' || h.hold_id
                and n.role = reader.role)
        order by h.held_until, h.hold_id
        limit $3
        "#,
        today,
        until,
        limit,
        Role::ArchiveReviewer.as_str(),
        Role::Steward.as_str(),
    )
    .fetch_all(db)
    .await?;
    let telling = rows.into_iter().map(|row| Telling {
        kind: NoticeKind::HoldExpiring,
        organisation: Some(row.authority).filter(|_| row.role == Role::Steward),
        role: row.role,
        about: format!("/v1/holds/{}", row.id),
        due_on: Some(row.held_until),
    });
    Ok(telling.collect())
}
