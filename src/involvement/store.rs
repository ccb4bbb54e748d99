//! Involvements and flags in the database.

use chrono::{Months, NaiveDate};
use sqlx::{PgExecutor, types::Json};

use super::{Flag, FlagOfChild, FlagSet, Involvement, InvolvementIn, ServiceCategory, ServiceType};
use crate::{
    access::{Role, Sight},
    guard::Written,
    ids::{ChildId, InvolvementId, OrganisationId},
    problem::{Kind, Problem},
    work::{Author, Look, Work},
};

/// How long an involvement is shown after its end.
const SHOWN: Months = Months::new(12);

/// An involvement with what the rules about it need beside it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) involvement: Involvement,
    pub(crate) child: ChildId,
    pub(super) authority: Option<OrganisationId>,
    /// Whether a shield hides from the caller who else works with the child.
    pub(super) hidden: bool,
}

/// The involvements of a child that the caller may see.
pub(super) async fn list(look: &Look, child: ChildId) -> Result<Vec<Involvement>, Problem> {
    let (today, sight) = (look.today(), look.sight());
    let rows = sqlx::query_scalar!(
        r#"select i.told as "told!: Json<Involvement>"
           from child c
           join involvement_told_on($4) i on i.child_id = c.child_id
           where c.child_id = $1 and (not i.sensitive or (i.organisation_id = $2 and $5)) and (i.ended_on is null or i.ended_on >= $3)
             and (not c.shielded or sees_past_shield(c.child_id, c.responsible_authority_id, $6, $2, $7, $8, $9))
           order by i.started_on desc, i.involvement_id"#,
        child.0,
        look.caller.organisation.0,
        today - SHOWN,
        today,
        look.within_one_organisation(),
        sight.role,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// The flags of a child that hold.
pub(super) async fn flags(look: &Look, child: ChildId) -> Result<Vec<FlagOfChild>, Problem> {
    let involvements = list(look, child).await?;
    let flags =
        involvements.into_iter().flat_map(|Involvement { id, organisation, flags, .. }| {
            flags.into_iter().map(move |flag| FlagOfChild {
                involvement_id: id,
                organisation: organisation.clone(),
                flag,
            })
        });
    Ok(flags.collect())
}

/// Opens an involvement that the caller may see.
pub(super) async fn open(look: &Look, id: InvolvementId) -> Result<Found, Problem> {
    let viewer = Viewer {
        role: look.caller.role,
        own: look.within_one_organisation(),
        sight: look.sight(),
        today: look.today(),
    };
    read(look.db(), viewer, id, Some(look.today() - SHOWN)).await
}

/// Finds an involvement that the caller may see, and holds it until the work is done.
pub(super) async fn lock(work: &mut Work, id: InvolvementId) -> Result<Found, Problem> {
    let viewer = Viewer::of(work);
    let Viewer { role, own, sight, today } = viewer;
    sqlx::query!(
        "select i.involvement_id from involvement i join child c on c.child_id = i.child_id
         where i.involvement_id = $1 and in_use(c.status, c.archives_on, $2) and (i.ended_on is null or i.ended_on >= $3)
           and may_see_involvement(i.organisation_id = $4, i.sensitive, $5, $6,
               c.shielded and not sees_past_shield(c.child_id, c.responsible_authority_id, $7, $4, $8, $9, $10))
         for update of i",
        id.0,
        today,
        today - SHOWN,
        sight.organisation,
        own,
        role == Role::Feed,
        sight.role,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    read(work.db(), viewer, id, Some(today - SHOWN)).await
}

/// The involvement as the work has left it, even where it ended so long ago that it is shown no more.
pub(super) async fn reread(work: &mut Work, id: InvolvementId) -> Result<Found, Problem> {
    let viewer = Viewer::of(work);
    read(work.db(), viewer, id, None).await
}

/// Who looks for one involvement.
#[derive(Clone, Copy)]
struct Viewer {
    role: Role,
    own: bool,
    sight: Sight,
    today: NaiveDate,
}

impl Viewer {
    fn of(work: &Work) -> Self {
        Self { role: work.caller.role, own: true, sight: work.sight(), today: work.today() }
    }
}

async fn read(
    db: impl PgExecutor<'_>,
    Viewer { role, own, sight, today }: Viewer,
    id: InvolvementId,
    since: Option<NaiveDate>,
) -> Result<Found, Problem> {
    let row = sqlx::query!(
        r#"
        select i.child_id as "child!: ChildId", i.authority_id as "authority: OrganisationId",
               i.told as "told!: Json<Involvement>", sight.hidden as "hidden!"
        from involvement_told_on($2) i
        join child c on c.child_id = i.child_id
        cross join lateral (
            select c.shielded and not sees_past_shield(c.child_id, c.responsible_authority_id, $7, $4, $8, $9, $10) as hidden) sight
        where i.involvement_id = $1 and in_use(c.status, c.archives_on, $2)
          and ($3::date is null or i.ended_on is null or i.ended_on >= $3)
          and may_see_involvement(i.organisation_id = $4, i.sensitive, $5, $6, sight.hidden)
        "#,
        id.0,
        today,
        since,
        sight.organisation,
        own,
        role == Role::Feed,
        sight.role,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    Ok(Found {
        involvement: row.told.0,
        child: row.child,
        authority: row.authority,
        hidden: row.hidden,
    })
}

/// The work of an organisation with a child whose record is held, as this service: what goes on first, then what ended last.
pub(crate) async fn own(
    work: &mut impl Author,
    child: ChildId,
    organisation: OrganisationId,
    service: ServiceType,
) -> Result<Vec<Found>, Problem> {
    own_of(work, &[child], organisation, service).await
}

/// The same with children whose records are held.
pub(crate) async fn own_of(
    work: &mut impl Author,
    children: &[ChildId],
    organisation: OrganisationId,
    service: ServiceType,
) -> Result<Vec<Found>, Problem> {
    let today = work.today();
    let rows = sqlx::query!(
        r#"select i.child_id as "child: ChildId", t.told as "told!: Json<Involvement>", t.authority_id as "authority: OrganisationId"
           from involvement i join involvement_told_on($4) t on t.involvement_id = i.involvement_id
           where i.child_id = any($1) and (i.organisation_id = $2) is true and i.service_type = $3 and not i.sensitive
           order by i.ended_on desc nulls first, i.started_on desc, i.involvement_id"#,
        &children.iter().map(|child| child.0).collect::<Vec<_>>(),
        organisation.0,
        service.code(),
        today,
    )
    .fetch_all(work.db())
    .await?;
    let found = rows.into_iter().map(|row| Found {
        involvement: row.told.0,
        child: row.child,
        authority: row.authority,
        hidden: false,
    });
    Ok(found.collect())
}

/// Adds an involvement.
pub(crate) async fn insert(
    work: &mut impl Author,
    child: ChildId,
    organisation: OrganisationId,
    new: &InvolvementIn,
) -> Result<(InvolvementId, Written), Problem> {
    let ids = insert_all(work, organisation, &[(child, new)]).await?;
    let id = ids.first().copied().ok_or(Kind::NotFound)?;
    Ok((id, Written::of(child)))
}

/// Adds involvements of an organisation.
pub(crate) async fn insert_all(
    work: &mut impl Author,
    organisation: OrganisationId,
    new: &[(ChildId, &InvolvementIn)],
) -> Result<Vec<InvolvementId>, Problem> {
    let ids: Vec<_> = new.iter().map(|_| InvolvementId::new()).collect();
    let (source, by, now, today) = (work.source(), work.by(), work.now(), work.as_at());
    let confirmed = |new: &InvolvementIn| new.confirmed_on.or(new.ended_on).unwrap_or(today);
    let sensitive = |new: &InvolvementIn| new.service_type.category() == ServiceCategory::Sensitive;
    sqlx::query!(
        "insert into involvement (involvement_id, child_id, service_type, sensitive, contact, started_on, ended_on, confirmed_on,
             organisation_id, source_organisation_id, recorded_by, received_at, as_at)
         select new.*, $9, $10, $11, $12, $13
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[], $5::jsonb[], $6::date[], $7::date[], $8::date[]) as new",
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
        &new.iter().map(|(child, _)| child.0).collect::<Vec<_>>(),
        &new.iter().map(|(_, new)| new.service_type.code()).collect::<Vec<_>>() as _,
        &new.iter().map(|(_, new)| sensitive(new)).collect::<Vec<_>>(),
        &new.iter().map(|(_, new)| Json(&new.contact)).collect::<Vec<_>>() as _,
        &new.iter().map(|(_, new)| new.started_on).collect::<Vec<_>>(),
        &new.iter().map(|(_, new)| new.ended_on).collect::<Vec<_>>() as _,
        &new.iter().map(|(_, new)| confirmed(new)).collect::<Vec<_>>(),
        organisation.0,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await
    .map_err(known)?;
    Ok(ids)
}

/// Writes what has changed; what was is kept, and flags end with the involvement.
pub(crate) async fn save(work: &mut impl Author, found: &Found) -> Result<Written, Problem> {
    let involvement = &found.involvement;
    let (source, by, now, today) = (work.source(), work.by(), work.now(), work.as_at());
    sqlx::query!(
        "update involvement set contact = $2, confirmed_on = $3, ended_on = $4, version = version + 1,
             source_organisation_id = $5, recorded_by = $6, received_at = $7, as_at = $8,
             unconfirmed_since = case when $9 or $3 < unconfirmed_since then unconfirmed_since end
         where involvement_id = $1",
        involvement.id.0,
        Json(&involvement.contact) as _,
        involvement.confirmed_on,
        involvement.ended_on,
        source.0,
        by,
        now,
        today,
        involvement.unconfirmed_since.is_some(),
    )
    .execute(work.db())
    .await
    .map_err(known)?;
    if involvement.ended_on.is_some() {
        sqlx::query!(
            "update flag set cleared_at = $2 where involvement_id = $1 and cleared_at is null",
            involvement.id.0,
            now
        )
        .execute(work.db())
        .await?;
    }
    Ok(Written::of(found.child))
}

/// Sets a flag in place of the same one set before, and counts the involvement's version on.
pub(super) async fn set_flag(
    work: &mut Work,
    found: &Found,
    flag: &FlagSet,
) -> Result<(), Problem> {
    let (by, now, today) = (work.caller.subject.uuid(), work.now, work.today());
    clear(work, found.involvement.id, flag.flag).await?;
    if flag.flag == Flag::LeadProfessional {
        sqlx::query!(
            "update flag set cleared_at = $2
             where child_id = $1 and flag = 'leadProfessional' and expires_on <= $3 and cleared_at is null",
            found.child.0,
            now,
            today,
        )
        .execute(work.db())
        .await?;
    }
    sqlx::query!(
        "insert into flag (involvement_id, child_id, flag, set_on, expires_on, recorded_by, received_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        found.involvement.id.0,
        found.child.0,
        flag.flag.as_str(),
        flag.set_on,
        flag.expires_on,
        by,
        now,
    )
    .execute(work.db())
    .await
    .map_err(known)?;
    count_on(work, found.involvement.id).await
}

/// Clears a flag, and counts the involvement's version on.
pub(super) async fn clear_flag(
    work: &mut Work,
    id: InvolvementId,
    flag: Flag,
) -> Result<(), Problem> {
    clear(work, id, flag).await?;
    count_on(work, id).await
}

async fn clear(work: &mut Work, id: InvolvementId, flag: Flag) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update flag set cleared_at = $3 where involvement_id = $1 and flag = $2 and cleared_at is null",
        id.0,
        flag.as_str(),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn count_on(work: &mut Work, id: InvolvementId) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update involvement set version = version + 1, recorded_by = $2, received_at = $3 where involvement_id = $1",
        id.0,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

fn known(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(|e| e.constraint()) {
        Some("involvement_once") => Kind::InvolvementExists.into(),
        Some("flag_one_lead_professional") => Kind::LeadProfessionalExists.into(),
        _ => error.into(),
    }
}
