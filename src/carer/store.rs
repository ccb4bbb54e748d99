//! Carers in the database.

use sqlx::{PgExecutor, types::Json};

use super::{Carer, CarerContact, CarerIn};
use crate::{
    access::Sight,
    guard::Written,
    ids::{CarerId, ChildId},
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    work::{Author, Look, Work},
};

/// A carer whole, with the version that the caller knows.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) carer: Carer,
    pub(super) told_version: i64,
    pub(super) shielded: bool,
}

/// How a carer is reached as it is stored: sealed under a shield, and then nothing of it in plain.
struct Stored {
    plain: CarerContact,
    sealed: Option<Sealed<CarerContact>>,
}

impl Stored {
    fn new(
        said: CarerContact,
        shielded: bool,
        id: CarerId,
        vault: &Vault,
    ) -> Result<Self, Problem> {
        if !shielded {
            return Ok(Self { plain: said, sealed: None });
        }
        let sealed = Sealed::seal(&said, vault, &CarerContact::place(id))?;
        Ok(Self { plain: CarerContact::default(), sealed: Some(sealed) })
    }
}

/// Adds a carer of a child, who is shielded or not.
pub(crate) async fn insert(
    work: &mut impl Author,
    child: ChildId,
    shielded: bool,
    carer: &CarerIn,
) -> Result<(CarerId, Written), Problem> {
    let id = CarerId::new();
    let (source, by, now, today) = (work.source(), work.by(), work.now(), work.as_at());
    let contact = Stored::new(carer.into(), shielded, id, &work.vault()?)?;
    sqlx::query!(
        "insert into carer (carer_id, child_id, given, family, relationship, parental_responsibility, phones, emails, address,
             source_organisation_id, recorded_by, received_at, as_at, shielded, sealed)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        id.0,
        child.0,
        &carer.name.given.iter().map(|part| part.as_str().to_owned()).collect::<Vec<_>>(),
        carer.name.family.as_str(),
        carer.relationship.as_str(),
        carer.parental_responsibility,
        &contact.plain.phone_numbers(),
        &contact.plain.email_addresses(),
        contact.plain.address.as_ref().map(Json) as _,
        source.0,
        by,
        now,
        today,
        shielded,
        contact.sealed as _,
    )
    .execute(work.db())
    .await?;
    Ok((id, Written::of(child)))
}

/// The carers of a child, as the caller may see them.
pub(super) async fn list(look: &Look, child: ChildId) -> Result<Vec<Carer>, Problem> {
    read(look.db(), look.vault(), look.sight(), child, None).await
}

/// The carers whom the work has left.
pub(super) async fn remaining(work: &mut Work, child: ChildId) -> Result<Vec<Carer>, Problem> {
    let (vault, sight) = (work.vault(), work.sight());
    read(work.db(), &vault, sight, child, None).await
}

/// The carer as the work has left it.
pub(super) async fn reread(work: &mut Work, child: ChildId, id: CarerId) -> Result<Carer, Problem> {
    let (vault, sight) = (work.vault(), work.sight());
    let found = read(work.db(), &vault, sight, child, Some(id)).await?;
    found.into_iter().next().ok_or(Kind::NotFound.into())
}

async fn read(
    db: impl PgExecutor<'_>,
    vault: &Vault,
    sight: Sight,
    child: ChildId,
    one: Option<CarerId>,
) -> Result<Vec<Carer>, Problem> {
    let rows = sqlx::query!(
        r#"
        select r.carer_id as "id!: CarerId", case when sight.sees then r.told else r.visible end as "told!: Json<Carer>",
               case when sight.sees then r.sealed end as "sealed: Sealed<CarerContact>"
        from child c
        cross join lateral (
            select not c.shielded or sees_past_shield(c.child_id, c.responsible_authority_id, $3, $4, $5, $6, $7) as sees) sight
        join carer_told r on r.child_id = c.child_id
        where c.child_id = $1 and r.superseded_at is null and ($2::uuid is null or r.carer_id = $2)
        order by r.received_at, r.carer_id
        "#,
        child.0,
        one.map(|id| id.0),
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| opened(row.told.0, row.sealed, row.id, vault)).collect()
}

fn opened(
    carer: Carer,
    sealed: Option<Sealed<CarerContact>>,
    id: CarerId,
    vault: &Vault,
) -> Result<Carer, Problem> {
    let Some(sealed) = sealed else { return Ok(carer) };
    Ok(carer.reached(sealed.open(vault, &CarerContact::place(id))?))
}

/// Finds a carer of a child, once that child's record is held: whole, whatever the caller may see of it.
pub(super) async fn find(work: &mut Work, child: ChildId, id: CarerId) -> Result<Held, Problem> {
    let sight = work.sight();
    let row = sqlx::query!(
        r#"
        select r.told as "told!: Json<Carer>", r.sealed as "sealed: Sealed<CarerContact>", c.shielded,
               case when not c.shielded or sees_past_shield(c.child_id, c.responsible_authority_id, $3, $4, $5, $6, $7)
                   then (r.told ->> 'version')::bigint else (r.visible ->> 'version')::bigint end as "told_version!"
        from child c
        join carer_told r on r.child_id = c.child_id
        where c.child_id = $1 and r.carer_id = $2 and r.superseded_at is null
        "#,
        child.0,
        id.0,
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let carer = opened(row.told.0, row.sealed, id, &work.vault())?;
    Ok(Held { carer, told_version: row.told_version, shielded: row.shielded })
}

/// Every carer of a child whose record is held, whole.
pub(crate) async fn whole(work: &mut impl Author, child: ChildId) -> Result<Vec<Held>, Problem> {
    let vault = work.vault()?;
    let rows = sqlx::query!(
        r#"select r.carer_id as "id!: CarerId", r.told as "told!: Json<Carer>", r.sealed as "sealed: Sealed<CarerContact>", c.shielded
           from child c join carer_told r on r.child_id = c.child_id
           where c.child_id = $1 and r.superseded_at is null order by r.received_at, r.carer_id"#,
        child.0
    )
    .fetch_all(work.db())
    .await?;
    let held = rows.into_iter().map(|row| {
        let carer = opened(row.told.0, row.sealed, row.id, &vault)?;
        Ok(Held { told_version: carer.version, carer, shielded: row.shielded })
    });
    held.collect()
}

/// Writes what has changed; what was is kept. What a shield leaves visible counts its own versions.
pub(crate) async fn save(
    work: &mut impl Author,
    child: ChildId,
    held: &Held,
) -> Result<Written, Problem> {
    let carer = &held.carer;
    let (source, by, now, today) = (work.source(), work.by(), work.now(), work.as_at());
    let contact = Stored::new(carer.contact(), held.shielded, carer.id, &work.vault()?)?;
    sqlx::query!(
        "update carer set given = $2, family = $3, relationship = $4, parental_responsibility = $5, phones = $6, emails = $7,
             address = $8, version = version + 1, source_organisation_id = $9, recorded_by = $10, received_at = $11, as_at = $12,
             sealed = $13,
             visible_version = visible_version
                 + ((given, family, relationship, parental_responsibility) is distinct from ($2, $3, $4, $5))::int
         where carer_id = $1",
        carer.id.0,
        &carer.name.given.iter().map(|part| part.as_str().to_owned()).collect::<Vec<_>>(),
        carer.name.family.as_str(),
        carer.relationship.as_str(),
        carer.parental_responsibility,
        &contact.plain.phone_numbers(),
        &contact.plain.email_addresses(),
        contact.plain.address.as_ref().map(Json) as _,
        source.0,
        by,
        now,
        today,
        contact.sealed as _,
    )
    .execute(work.db())
    .await?;
    Ok(Written::of(child))
}

/// Ends a carer's care; the fact is superseded and kept.
pub(crate) async fn end(
    work: &mut impl Author,
    child: ChildId,
    id: CarerId,
) -> Result<Written, Problem> {
    let now = work.now();
    sqlx::query!(
        "update carer set superseded_at = $2, received_at = $2 where carer_id = $1",
        id.0,
        now
    )
    .execute(work.db())
    .await?;
    Ok(Written::of(child))
}
