//! Sensitive involvements in the database.

use chrono::{DateTime, Months, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{OwnInvolvement, Provider, once_key, own_key, owner_key, place, provider_key};
use crate::{
    clock::day_in_london,
    ids::{ChildId, IndexNumber, InvolvementId},
    involvement::Involvement,
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    work::{Look, Work, blind_location},
};

/// How long an involvement is shown after its end.
const SHOWN: Months = Months::new(12);

/// What is recorded of a new sensitive involvement.
#[derive(Debug)]
pub(crate) struct New<'a> {
    /// The child.
    pub(crate) child: ChildId,
    /// The child's number.
    pub(crate) number: &'a IndexNumber,
    /// Who provides it, what and by whom.
    pub(crate) provider: &'a Provider,
    /// Whether somebody has consented; significant harm otherwise.
    pub(crate) consented: bool,
    /// The day it began.
    pub(crate) started_on: NaiveDate,
    /// The day it ended, where it has.
    pub(crate) ended_on: Option<NaiveDate>,
    /// The day on which it was last confirmed.
    pub(crate) confirmed_on: NaiveDate,
}

/// A sensitive involvement with what is needed to change it.
#[derive(Debug)]
pub(crate) struct Found {
    /// The involvement.
    pub(crate) involvement: Involvement,
    /// The child.
    pub(crate) child: ChildId,
    /// The child's number.
    pub(crate) number: IndexNumber,
}

/// The sensitive involvements of a child that whoever looks may see.
pub(crate) async fn list(
    look: &Look,
    child: ChildId,
    number: &IndexNumber,
) -> Result<Vec<Involvement>, Problem> {
    let sight = look.sight();
    let rows = sqlx::query_scalar!(
        r#"select json_build_object('told', s.told, 'organisation', reachable($3)) as "told!: Json<OwnInvolvement>"
           from sensitive_told s
           join child c on c.child_id = s.child_id
           where s.child_id = $1 and s.provider_key = $2 and (s.ended_on is null or s.ended_on >= $4)
             and (not c.shielded or sees_past_shield(c.child_id, c.responsible_authority_id, $5, $3, $6, $7, $8))"#,
        child.0,
        own_key(look.vault(), look.one_organisation(), number),
        look.caller.organisation.0,
        look.today() - SHOWN,
        sight.role,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_all(look.db())
    .await?;
    rows.into_iter().map(|row| row.0.open(look.vault())).collect()
}

/// Opens a sensitive involvement that whoever looks may see.
pub(crate) async fn open(look: &Look, id: InvolvementId) -> Result<Found, Problem> {
    let own = look.one_organisation();
    let key = own.map_or_else(Vec::new, |own| owner_key(look.vault(), own, id));
    let reader = Reader { key, own: look.caller.organisation.0, today: look.today() };
    reader.read(look.db(), look.vault(), id, Some(look.today() - SHOWN)).await
}

/// Finds a sensitive involvement of the caller's organisation, and holds it until the work is done.
pub(crate) async fn lock(work: &mut Work, id: InvolvementId) -> Result<Found, Problem> {
    let key = owner_key(&work.vault(), work.caller.organisation, id);
    sqlx::query!(
        "select involvement_id from sensitive_involvement where involvement_id = $1 and owner_key = $2 for update",
        id.0,
        key,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let since = work.today() - SHOWN;
    read_own(work, id, Some(since)).await
}

/// The involvement as the work has left it, even where it ended so long ago that it is shown no more.
pub(crate) async fn reread(work: &mut Work, id: InvolvementId) -> Result<Found, Problem> {
    read_own(work, id, None).await
}

async fn read_own(
    work: &mut Work,
    id: InvolvementId,
    since: Option<NaiveDate>,
) -> Result<Found, Problem> {
    let (vault, own, today) = (work.vault(), work.caller.organisation, work.today());
    let reader = Reader { key: owner_key(&vault, own, id), own: own.0, today };
    reader.read(work.db(), &vault, id, since).await
}

/// Who reads.
struct Reader {
    key: Vec<u8>,
    own: uuid::Uuid,
    today: NaiveDate,
}

impl Reader {
    async fn read(
        &self,
        db: impl PgExecutor<'_>,
        vault: &Vault,
        id: InvolvementId,
        since: Option<NaiveDate>,
    ) -> Result<Found, Problem> {
        let row = sqlx::query!(
            r#"select c.child_id as "child: ChildId", c.index_number as "number: IndexNumber",
                      json_build_object('told', s.told, 'organisation', reachable($3)) as "told!: Json<OwnInvolvement>"
               from sensitive_told s
               join child c on c.child_id = s.child_id
               where s.involvement_id = $1 and s.owner_key = $2 and in_use(c.status, c.archives_on, $4)
                 and (s.ended_on is null or $5::date is null or s.ended_on >= $5)"#,
            id.0,
            self.key,
            self.own,
            self.today,
            since,
        )
        .fetch_optional(db)
        .await?
        .ok_or(Kind::NotFound)?;
        Ok(Found { involvement: row.told.0.open(vault)?, child: row.child, number: row.number })
    }
}

/// Adds a sensitive involvement.
pub(crate) async fn insert(
    db: &mut PgConnection,
    vault: &Vault,
    now: DateTime<Utc>,
    new: &New<'_>,
) -> Result<InvolvementId, Problem> {
    let id = InvolvementId::new();
    let organisation = new.provider.organisation_id;
    sqlx::query!(
        "insert into sensitive_involvement (involvement_id, child_id, provider_key, owner_key, once_key, sealed, basis, started_on,
             ended_on, confirmed_on, received_at, as_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id.0,
        new.child.0,
        provider_key(vault, organisation, new.number),
        owner_key(vault, organisation, id),
        once_key(vault, new.number, new.provider),
        Sealed::seal(new.provider, vault, &place(id))? as _,
        if new.consented { "consent" } else { "significantHarm" },
        new.started_on,
        new.ended_on,
        new.confirmed_on,
        now,
        day_in_london(now),
    )
    .execute(db)
    .await
    .map_err(known)?;
    Ok(id)
}

/// Writes what has changed; what was is kept.
pub(crate) async fn save(work: &mut Work, found: &Found) -> Result<(), Problem> {
    let (vault, now, today, told) = (work.vault(), work.now, work.today(), &found.involvement);
    let provider = Provider {
        organisation_id: told.organisation.id,
        service_type: told.service_type,
        contact: told.contact.clone(),
        recorded_by: Some(work.caller.subject.uuid()),
        source_organisation_id: work.caller.organisation,
    };
    sqlx::query!(
        "update sensitive_involvement set sealed = $2, once_key = $3, confirmed_on = $4, ended_on = $5, version = version + 1,
             received_at = $6, as_at = $7
         where involvement_id = $1",
        told.id.0,
        Sealed::seal(&provider, &vault, &place(told.id))? as _,
        once_key(&vault, &found.number, &provider),
        told.confirmed_on,
        told.ended_on,
        now,
        today,
    )
    .execute(work.db())
    .await
    .map_err(known)?;
    Ok(())
}

/// Takes from everybody's view what stood on a consent that is withdrawn, and from the answer to whoever asks again.
pub(crate) async fn withdraw(work: &mut Work, id: InvolvementId) -> Result<(), Problem> {
    let (now, vault) = (work.now, work.vault());
    sqlx::query!(
        "update idempotency set sealed = null where location = $1 and location like '#%'",
        blind_location(&vault, &format!("/v1/involvements/{id}")),
    )
    .execute(work.db())
    .await?;
    sqlx::query!(
        "update sensitive_involvement set withdrawn_at = $2 where involvement_id = $1 and withdrawn_at is null",
        id.0,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

fn known(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(|e| e.constraint()) {
        Some("sensitive_involvement_once") => Kind::InvolvementExists.into(),
        _ => error.into(),
    }
}
