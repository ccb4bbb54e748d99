//! When records are archived, in the database.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{
    EndGround, Facts, ForecastDay, ForecastLine, Retention, Stay, StayConsent, StayConsentIn,
};
use crate::{
    child::{
        birth::{DateOfBirth, DatePrecision},
        whereabouts::Whereabouts,
    },
    ids::{ChildId, ConsentId, IndexNumber, InvolvementId, OrganisationId},
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    work::{Look, Unit, Work},
};

/// Says anew when a record is archived, by all that is known of it now: today's work never archives it today.
pub(crate) async fn schedule(work: &mut impl Unit, child: ChildId) -> Result<NaiveDate, Problem> {
    let ends = schedule_all(work, &[child]).await?;
    ends.first().map(|(_, day)| *day).ok_or_else(|| Kind::NotFound.into())
}

/// The same for many.
pub(crate) async fn schedule_all(
    work: &mut impl Unit,
    children: &[ChildId],
) -> Result<Vec<(Uuid, NaiveDate)>, Problem> {
    let (vault, today) = (work.vault()?, work.today());
    let ids: Vec<_> = children.iter().map(|child| child.0).collect();
    let facts = facts(work.db(), &vault, &ids).await?;
    let ends: Vec<_> = facts.iter().map(|(id, facts)| (*id, facts.end_from(today).day)).collect();
    set(work.db(), &ends).await?;
    Ok(ends)
}

/// What decides on when records are archived.
pub(crate) async fn facts(
    db: &mut PgConnection,
    vault: &Vault,
    children: &[Uuid],
) -> Result<Vec<(Uuid, Facts)>, Problem> {
    let rows = sqlx::query!(
        r#"
        select c.child_id, c.date_of_birth, c.date_of_birth_precision as "precision: DatePrecision",
               c.date_of_birth_estimated, c.died_on, w.whereabouts_id as "whereabouts?", w.left_on as "left_on?",
               w.sealed as "sealed?: Sealed<Whereabouts>",
               coalesce((
                   select json_agg(json_build_object('until', s.until, 'withdrawnOn', s.withdrawn_on))
                   from consent s where s.child_id = c.child_id and s.purpose = 'stayToTwentyFive'), '[]') as "stays!: Json<Vec<Stay>>"
        from child c
        left join whereabouts w on w.child_id = c.child_id and w.superseded_at is null
        where c.child_id = any($1)
        "#,
        children,
    )
    .fetch_all(db)
    .await?;
    let facts = rows.into_iter().map(|row| {
        let left_on = match (row.sealed, row.whereabouts) {
            (Some(sealed), Some(id)) => {
                let said = sealed.open(vault, &Whereabouts::place(id))?;
                said.left_england().map(|(day, _)| day)
            }
            _ => row.left_on,
        };
        let birth = DateOfBirth {
            date: row.date_of_birth,
            precision: row.precision,
            estimated: row.date_of_birth_estimated,
        };
        Ok((row.child_id, Facts { birth, died_on: row.died_on, left_on, stays: row.stays.0 }))
    });
    facts.collect()
}

/// Keeps when records are archived.
pub(super) async fn set(
    db: &mut PgConnection,
    ends: &[(Uuid, NaiveDate)],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update child c set archives_on = new.day from unnest($1::uuid[], $2::date[]) as new (child_id, day)
         where c.child_id = new.child_id and c.archives_on is distinct from new.day",
        &ends.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &ends.iter().map(|(_, day)| *day).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes a death down, or that there was none.
pub(crate) async fn save_death(
    work: &mut Work,
    child: ChildId,
    died_on: Option<NaiveDate>,
) -> Result<(), Problem> {
    let (source, by, now, today) =
        (work.caller.organisation, work.caller.subject.uuid(), work.now, work.today());
    sqlx::query!(
        "update child set died_on = $2, version = version + 1, source_organisation_id = $3, recorded_by = $4, received_at = $5, as_at = $6
         where child_id = $1",
        child.0,
        died_on,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// When a record is archived, as the work has left it; not of one whose shield hides where the child is.
pub(super) async fn reread(
    work: &mut Work,
    child: ChildId,
    hidden: bool,
) -> Result<Retention, Problem> {
    let row = sqlx::query!(
        r#"select index_number as "index_number: IndexNumber", died_on, case when not $2 then archives_on end as archives_on
           from child where child_id = $1"#,
        child.0,
        hidden,
    )
    .fetch_one(work.db())
    .await?;
    Ok(Retention {
        index_number: row.index_number,
        died_on: row.died_on,
        archives_on: row.archives_on,
    })
}

/// Keeps a consent to stay.
pub(crate) async fn insert_stay(
    work: &mut Work,
    child: ChildId,
    birth: &DateOfBirth,
    new: &StayConsentIn,
) -> Result<StayConsent, Problem> {
    let (id, by, now) = (ConsentId::new(), work.caller.subject.uuid(), work.now);
    let until = new.until.unwrap_or_else(|| birth.twenty_fifth_birthday());
    sqlx::query!(
        "insert into consent (consent_id, child_id, purpose, ground, given_by, capacity_basis, given_on, until, recorded_by, received_at)
         values ($1, $2, 'stayToTwentyFive', $3, $4, $5, $6, $7, $8, $9)",
        id.0,
        child.0,
        new.ground.as_str(),
        new.given_by.as_str(),
        new.capacity_basis.as_str(),
        new.given_on,
        until,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(StayConsent {
        id,
        ground: new.ground,
        given_by: new.given_by,
        capacity_basis: new.capacity_basis,
        given_on: new.given_on,
        until,
        archives_on: None,
        version: 1,
    })
}

/// How many records are archived on each day of a time: of all, or of one authority as its stewards are told.
pub(super) async fn counts(
    look: &Look,
    authority: Option<OrganisationId>,
    until: NaiveDate,
) -> Result<Vec<ForecastDay>, Problem> {
    let rows = sqlx::query_as!(
        ForecastDay,
        r#"select archives_on as "day!", count(*) as "records!" from child
           where status = 'active' and archives_on > $1 and archives_on <= $2
             and ($3::uuid is null or responsible_authority_id = $3 and (not shielded or archives_on >= anniversary(date_of_birth, 18)))
           group by archives_on order by archives_on"#,
        look.today(),
        until,
        authority.map(|id| id.0),
    );
    Ok(rows.fetch_all(look.db()).await?)
}

/// A record that is archived soon, with its place in the list.
pub(super) struct Soon {
    pub(super) child: ChildId,
    pub(super) line: ForecastLine,
}

/// The records of an authority that are archived in a time, after a place; of shielded ones those that come of age, since any
/// other day would tell that the child has died or left England.
pub(super) async fn soon(
    look: &Look,
    authority: OrganisationId,
    until: NaiveDate,
    after: (NaiveDate, Uuid),
    limit: i64,
) -> Result<Vec<Soon>, Problem> {
    let rows = sqlx::query!(
        r#"select child_id as "child: ChildId", index_number as "index_number: IndexNumber", archives_on as "archives_on!", shielded
           from child
           where status = 'active' and archives_on > $1 and archives_on <= $2 and responsible_authority_id = $3
             and (not shielded or archives_on >= anniversary(date_of_birth, 18)) and (archives_on, child_id) > ($4, $5)
           order by archives_on, child_id limit $6"#,
        look.today(),
        until,
        authority.0,
        after.0,
        after.1,
        limit,
    )
    .fetch_all(look.db())
    .await?;
    let open: Vec<_> = rows.iter().filter(|row| !row.shielded).map(|row| row.child.0).collect();
    let mut db = look.db().acquire().await?;
    let facts = facts(&mut db, look.vault(), &open).await?;
    let ground = |child: ChildId| -> Option<EndGround> {
        facts.iter().find(|(id, _)| *id == child.0).map(|(_, facts)| facts.end().ground)
    };
    let soon = rows.into_iter().map(|row| Soon {
        child: row.child,
        line: ForecastLine {
            ground: ground(row.child),
            index_number: row.index_number,
            archives_on: row.archives_on,
        },
    });
    Ok(soon.collect())
}

/// How many records are archived on each day until one, for the operator at the command line.
pub(super) async fn forecast(
    db: &mut PgConnection,
    today: NaiveDate,
    until: NaiveDate,
) -> Result<Vec<ForecastDay>, sqlx::Error> {
    sqlx::query_as!(
        ForecastDay,
        r#"select archives_on as "day!", count(*) as "records!" from child
           where status = 'active' and archives_on > $1 and archives_on <= $2
           group by archives_on order by archives_on"#,
        today,
        until,
    )
    .fetch_all(db)
    .await
}

/// Lets one task run at a time, on whichever instance; says whether this is the one.
pub(super) async fn alone(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let held = sqlx::query_scalar!(r#"select pg_try_advisory_lock(7261044) as "held!""#);
    held.fetch_one(db).await
}

/// Lets the next task run.
pub(super) async fn done(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_unlock(7261044)").fetch_one(db).await?;
    Ok(())
}

/// Records of which it is not known when they are archived, after one.
pub(super) async fn unscheduled(
    db: &mut PgConnection,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select child_id from child where status = 'active' and archives_on is null and child_id > $1
         order by child_id limit $2",
        after,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Holds records of which it is not known when they are archived.
pub(super) async fn hold_unscheduled(
    db: &mut PgConnection,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select child_id from child where status = 'active' and archives_on is null order by child_id limit $1 for update",
        limit,
    )
    .fetch_all(db)
    .await
}

/// Archives records whose day has come, as of that day, with their flags.
pub(super) async fn archive(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    today: NaiveDate,
    limit: i64,
) -> Result<Vec<ChildId>, sqlx::Error> {
    let archived = sqlx::query_scalar!(
        r#"
        update child set status = 'archived', archived_on = archives_on, version = version + 1
        where child_id in (
            select child_id from child where child_id in (
                select child_id from child where status = 'active' and archives_on <= $1 order by archives_on, child_id limit $2)
              and status = 'active' and archives_on <= $1
            order by child_id for update)
        returning child_id as "child: ChildId"
        "#,
        today,
        limit,
    )
    .fetch_all(&mut *db)
    .await?;
    sqlx::query!(
        "update flag set cleared_at = $2 where child_id = any($1) and cleared_at is null",
        &archived.iter().map(|child| child.0).collect::<Vec<_>>(),
        now,
    )
    .execute(db)
    .await?;
    Ok(archived)
}

/// Ends flags whose day has come.
pub(super) async fn end_flags(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    today: NaiveDate,
    limit: i64,
) -> Result<Vec<ChildId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        update flag set cleared_at = $1
        where flag_id in (
            select flag_id from flag where expires_on <= $2 and cleared_at is null order by expires_on, flag_id limit $3 for update)
        returning child_id as "child: ChildId"
        "#,
        now,
        today,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Something that ends soon, of which those concerned have not been told.
pub(super) struct Ending {
    pub(super) organisation: OrganisationId,
    pub(super) about: String,
    pub(super) on: NaiveDate,
}

/// Flags that expire until a day, on involvements that go on.
pub(super) async fn flags_ending(
    db: &mut PgConnection,
    today: NaiveDate,
    until: NaiveDate,
    limit: i64,
) -> Result<Vec<Ending>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select i.organisation_id as "organisation: OrganisationId", i.involvement_id as "involvement: InvolvementId",
               f.flag, f.expires_on
        from flag f
        join involvement i on i.involvement_id = f.involvement_id
        join child c on c.child_id = f.child_id
        where f.expires_on > $1 and f.expires_on <= $2 and f.cleared_at is null and i.ended_on is null and not i.sensitive
          and in_use(c.status, c.archives_on, $1)
          and not exists (
              select from notice n where n.kind = 'flagExpiring' and n.organisation_id = i.organisation_id and n.due_on = f.expires_on
                and n.about = '/v1/involvements/' || i.involvement_id || '/flags/' || f.flag)
        order by f.expires_on, f.flag_id
        limit $3
        "#,
        today,
        until,
        limit,
    )
    .fetch_all(db)
    .await?;
    let ending = rows.into_iter().map(|row| Ending {
        organisation: row.organisation,
        about: format!("/v1/involvements/{}/flags/{}", row.involvement, row.flag),
        on: row.expires_on,
    });
    Ok(ending.collect())
}

/// Begins what is only tried.
pub(super) async fn attempt(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("savepoint attempt").execute(db).await?;
    Ok(())
}

/// Undoes what was tried.
pub(super) async fn undo(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("rollback to savepoint attempt").execute(db).await?;
    Ok(())
}

/// How much the task would do on a day.
pub(super) async fn due(
    db: &mut PgConnection,
    today: NaiveDate,
    reminded: NaiveDate,
) -> Result<(i64, i64, i64), sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select (select count(*) from child where status = 'active' and archives_on <= $1) as "archived!",
               (select count(*) from flag where expires_on <= $1 and cleared_at is null) as "flags!",
               (select count(*) from flag f
                join involvement i on i.involvement_id = f.involvement_id
                join child c on c.child_id = f.child_id
                where f.expires_on > $1 and f.expires_on <= $2 and f.cleared_at is null and i.ended_on is null and not i.sensitive
                  and in_use(c.status, c.archives_on, $1)
                  and not exists (
                      select from notice n where n.kind = 'flagExpiring' and n.organisation_id = i.organisation_id
                        and n.due_on = f.expires_on
                        and n.about = '/v1/involvements/' || i.involvement_id || '/flags/' || f.flag)) as "reminders!"
        "#,
        today,
        reminded,
    )
    .fetch_one(db)
    .await?;
    Ok((row.archived, row.flags, row.reminders))
}
