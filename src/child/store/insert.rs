//! Children and their facts go in, by one statement a table however many they are.

use chrono::NaiveDate;
use uuid::Uuid;

use super::provenance;
use crate::{
    array::array,
    child::{
        ChildIn,
        address::{AddressLine, Uprn},
        identifier::Identifier,
        name::{Name, NamePart},
        whereabouts::Whereabouts,
    },
    guard::Written,
    ids::{ChildId, IndexNumber, OrganisationId},
    problem::{Fault, Kind, Problem},
    seal::Sealed,
    work::Author,
};

/// A child who is to be added, unshielded.
#[derive(Debug)]
pub(crate) struct New<'c> {
    pub(crate) id: ChildId,
    pub(crate) number: IndexNumber,
    pub(crate) said: &'c ChildIn,
    pub(crate) authority: OrganisationId,
    /// The day on which the record is archived, where it is known already.
    pub(crate) archives_on: Option<NaiveDate>,
}

/// Adds a child with the facts that stand in a record of its own.
pub(crate) async fn insert(
    work: &mut impl Author,
    id: ChildId,
    number: &IndexNumber,
    said: &ChildIn,
    authority: OrganisationId,
) -> Result<Written, Problem> {
    let new = New { id, number: number.clone(), said, authority, archives_on: None };
    insert_all(work, &[new]).await?;
    Ok(Written::of(id))
}

/// Adds children, by one statement a table however many they are.
pub(crate) async fn insert_all(work: &mut impl Author, new: &[New<'_>]) -> Result<(), Problem> {
    insert_cores(work, new).await?;
    let names = new.iter().flat_map(|child| {
        child.said.names.iter().map(|name| (child.id, child.said.birth().date, name))
    });
    insert_names(work, &names.collect::<Vec<_>>()).await?;
    let places = new.iter().map(|child| (child.id, false, &child.said.whereabouts));
    insert_whereabouts(work, &places.collect::<Vec<_>>()).await?;
    let numbers = new.iter().flat_map(|child| {
        let numbers = child.said.identifiers.iter().enumerate();
        numbers.map(|(n, number)| Ok((child.id, n, number.check()?)))
    });
    insert_identifiers(work, &numbers.collect::<Result<Vec<_>, Problem>>()?).await
}

async fn insert_cores(work: &mut impl Author, new: &[New<'_>]) -> Result<(), Problem> {
    let (source, now, today, by) = provenance(work);
    let without = |said: &ChildIn| array(said.without_service.iter().map(|service| service.code()));
    sqlx::query!(
        "insert into child (child_id, index_number, date_of_birth, date_of_birth_precision, date_of_birth_estimated, gender,
             without_service, responsible_authority_id, archives_on, source_organisation_id, recorded_by, received_at, as_at)
         select child_id, index_number, date_of_birth, date_of_birth_precision, date_of_birth_estimated, gender,
             without_service::text[], responsible_authority_id, archives_on, $10, $11, $12, $13
         from unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::uuid[], $9::date[])
             as new (child_id, index_number, date_of_birth, date_of_birth_precision, date_of_birth_estimated, gender,
                 without_service, responsible_authority_id, archives_on)",
        &new.iter().map(|new| new.id.0).collect::<Vec<_>>(),
        &new.iter().map(|new| new.number.as_str().to_owned()).collect::<Vec<_>>(),
        &new.iter().map(|new| new.said.birth().date).collect::<Vec<_>>(),
        &new.iter().map(|new| new.said.date_of_birth_precision.as_str()).collect::<Vec<_>>() as _,
        &new.iter().map(|new| new.said.date_of_birth_estimated).collect::<Vec<_>>(),
        &new.iter().map(|new| new.said.gender.as_str()).collect::<Vec<_>>() as _,
        &new.iter().map(|new| without(new.said)).collect::<Vec<_>>(),
        &new.iter().map(|new| new.authority.0).collect::<Vec<_>>(),
        &new.iter().map(|new| new.archives_on).collect::<Vec<_>>() as _,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

pub(super) async fn insert_names(
    work: &mut impl Author,
    names: &[(ChildId, NaiveDate, &Name)],
) -> Result<(), Problem> {
    let (source, now, today, by) = provenance(work);
    sqlx::query!(
        "insert into child_name (child_id, kind, given, family, given_keys, family_key, date_of_birth,
             source_organisation_id, recorded_by, received_at, as_at)
         select child_id, kind, given::text[], family, given_keys::text[], family_key, date_of_birth, $8, $9, $10, $11
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[])
             as new (child_id, kind, given, family, given_keys, family_key, date_of_birth)",
        &names.iter().map(|(child, ..)| child.0).collect::<Vec<_>>(),
        &names.iter().map(|(.., name)| name.kind.as_str()).collect::<Vec<_>>() as _,
        &names.iter().map(|(.., name)| array(name.given.iter().map(NamePart::as_str))).collect::<Vec<_>>(),
        &names.iter().map(|(.., name)| name.family.as_str()).collect::<Vec<_>>() as _,
        &names.iter().map(|(.., name)| array(name.given_keys().iter().map(String::as_str))).collect::<Vec<_>>(),
        &names.iter().map(|(.., name)| name.family_key()).collect::<Vec<_>>(),
        &names.iter().map(|(_, born, _)| *born).collect::<Vec<_>>(),
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Where children are, each shielded or not: sealed under a shield, and then nothing of it in plain.
pub(super) async fn insert_whereabouts(
    work: &mut impl Author,
    places: &[(ChildId, bool, &Whereabouts)],
) -> Result<(), Problem> {
    let ((source, now, today, by), vault) = (provenance(work), work.vault()?);
    let ids: Vec<_> = places.iter().map(|_| Uuid::new_v4()).collect();
    let sealed = ids.iter().zip(places).map(|(id, (_, shielded, said))| {
        shielded.then(|| Sealed::seal(*said, &vault, &Whereabouts::place(*id))).transpose()
    });
    let sealed: Vec<_> = sealed.collect::<Result<_, _>>()?;
    let said = || places.iter().map(|(_, shielded, said)| (!shielded).then_some(*said));
    let addresses = || said().map(|said| said.and_then(Whereabouts::address));
    let left = || said().map(|said| said.and_then(Whereabouts::left_england));
    sqlx::query!(
        "insert into whereabouts (whereabouts_id, child_id, kind, lines, town, postcode, uprn, left_on, return_expected, shielded, sealed,
             source_organisation_id, recorded_by, received_at, as_at)
         select whereabouts_id, child_id, kind, lines::text[], town, postcode, uprn, left_on, return_expected, shielded, sealed,
             $12, $13, $14, $15
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::date[], $9::text[],
                 $10::boolean[], $11::bytea[])
             as new (whereabouts_id, child_id, kind, lines, town, postcode, uprn, left_on, return_expected, shielded, sealed)",
        &ids,
        &places.iter().map(|(child, ..)| child.0).collect::<Vec<_>>(),
        &said().map(|said| said.map(|said| said.kind().as_str())).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.map(|at| array(at.lines.iter().map(AddressLine::as_str)))).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.map(|at| at.town.as_str())).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.map(|at| at.postcode.as_str())).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.and_then(|at| at.uprn.as_ref()).map(Uprn::as_str)).collect::<Vec<_>>() as _,
        &left().map(|left| left.map(|(day, _)| day)).collect::<Vec<_>>() as _,
        &left().map(|left| left.map(|(_, returning)| returning.as_str())).collect::<Vec<_>>() as _,
        &places.iter().map(|(_, shielded, _)| *shielded).collect::<Vec<_>>(),
        &sealed.iter().map(Option::as_ref).collect::<Vec<_>>() as _,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Numbers of children, each with its place among those that were said; one that another child has is a fault at its place.
pub(super) async fn insert_identifiers(
    work: &mut impl Author,
    said: &[(ChildId, usize, Identifier)],
) -> Result<(), Problem> {
    if said.is_empty() {
        return Ok(());
    }
    let (source, now, today, by) = provenance(work);
    let added = sqlx::query!(
        r#"insert into child_identifier (child_id, kind, value, source_organisation_id, recorded_by, received_at, as_at)
           select child_id, kind, value, $4, $5, $6, $7 from unnest($1::uuid[], $2::text[], $3::text[]) as new (child_id, kind, value)
           on conflict do nothing
           returning child_id as "child: ChildId", kind"#,
        &said.iter().map(|(child, ..)| child.0).collect::<Vec<_>>(),
        &said.iter().map(|(.., number)| number.kind().as_str()).collect::<Vec<_>>() as _,
        &said.iter().map(|(.., number)| number.value()).collect::<Vec<_>>() as _,
        source.0,
        by,
        now,
        today,
    )
    .fetch_all(work.db())
    .await?;
    let is_added = |child: ChildId, number: &Identifier| {
        added.iter().any(|row| row.child == child && row.kind == number.kind().as_str())
    };
    match said.iter().find(|(child, _, number)| !is_added(*child, number)) {
        Some((_, n, _)) => Err(held_by_another(*n)),
        None => Ok(()),
    }
}

fn held_by_another(n: usize) -> Problem {
    let fault = Fault {
        pointer: format!("/identifiers/{n}/value"),
        detail: "belongs to another child".to_owned(),
    };
    Problem::faults(Kind::IdentifierHeld, vec![fault])
}
