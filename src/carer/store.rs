//! Carers in the database.

use sqlx::{PgExecutor, types::Json};

use super::{Carer, CarerContact, CarerIn};
use crate::{
    access::Sight,
    array::array,
    child::name::NamePart,
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
    let ids = insert_all(work, &[(child, shielded, carer)]).await?;
    let id = ids.first().copied().ok_or(Kind::NotFound)?;
    Ok((id, Written::of(child)))
}

/// Adds carers of children, each of whom is shielded or not.
pub(crate) async fn insert_all(
    work: &mut impl Author,
    new: &[(ChildId, bool, &CarerIn)],
) -> Result<Vec<CarerId>, Problem> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = new.iter().map(|_| CarerId::new()).collect();
    let (source, by, now, today) = (work.source(), work.by(), work.now(), work.as_at());
    let vault = work.vault()?;
    let contacts = ids.iter().zip(new);
    let contacts: Vec<_> = contacts
        .map(|(id, (_, shielded, carer))| Stored::new((*carer).into(), *shielded, *id, &vault))
        .collect::<Result<_, _>>()?;
    let lists = |of: fn(&CarerContact) -> Vec<String>| {
        let texts = contacts.iter().map(move |contact| of(&contact.plain));
        texts.map(|texts| array(texts.iter().map(String::as_str))).collect::<Vec<_>>()
    };
    sqlx::query!(
        "insert into carer (carer_id, child_id, given, family, relationship, parental_responsibility, phones, emails, address,
             shielded, sealed, source_organisation_id, recorded_by, received_at, as_at)
         select carer_id, child_id, given::text[], family, relationship, parental_responsibility, phones::text[], emails::text[],
             address, shielded, sealed, $12, $13, $14, $15
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[], $9::jsonb[],
                 $10::boolean[], $11::bytea[])
             as new (carer_id, child_id, given, family, relationship, parental_responsibility, phones, emails, address, shielded,
                 sealed)",
        &ids.iter().map(|id| id.0).collect::<Vec<_>>(),
        &new.iter().map(|(child, ..)| child.0).collect::<Vec<_>>(),
        &new.iter().map(|(.., carer)| array(carer.name.given.iter().map(NamePart::as_str))).collect::<Vec<_>>(),
        &new.iter().map(|(.., carer)| carer.name.family.as_str()).collect::<Vec<_>>() as _,
        &new.iter().map(|(.., carer)| carer.relationship.as_str()).collect::<Vec<_>>() as _,
        &new.iter().map(|(.., carer)| carer.parental_responsibility).collect::<Vec<_>>(),
        &lists(CarerContact::phone_numbers),
        &lists(CarerContact::email_addresses),
        &contacts.iter().map(|contact| contact.plain.address.as_ref().map(Json)).collect::<Vec<_>>() as _,
        &new.iter().map(|(_, shielded, _)| *shielded).collect::<Vec<_>>(),
        &contacts.iter().map(|contact| contact.sealed.as_ref()).collect::<Vec<_>>() as _,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(ids)
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
    let all = whole_of(work, &[child]).await?;
    Ok(all.into_iter().map(|(_, held)| held).collect())
}

/// Every carer of children whose records are held, whole, each with whose.
pub(crate) async fn whole_of(
    work: &mut impl Author,
    children: &[ChildId],
) -> Result<Vec<(ChildId, Held)>, Problem> {
    let vault = work.vault()?;
    let rows = sqlx::query!(
        r#"select c.child_id as "child: ChildId", r.carer_id as "id!: CarerId", r.told as "told!: Json<Carer>",
                  r.sealed as "sealed: Sealed<CarerContact>", c.shielded
           from child c join carer_told r on r.child_id = c.child_id
           where c.child_id = any($1) and r.superseded_at is null order by r.received_at, r.carer_id"#,
        &children.iter().map(|child| child.0).collect::<Vec<_>>(),
    )
    .fetch_all(work.db())
    .await?;
    let held = rows.into_iter().map(|row| {
        let carer = opened(row.told.0, row.sealed, row.id, &vault)?;
        Ok((row.child, Held { told_version: carer.version, carer, shielded: row.shielded }))
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
