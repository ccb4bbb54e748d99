//! Children in the database.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    ChildChange, ChildIn, Core, FactKind, Superseded,
    address::{AddressLine, Uprn},
    birth::{DateOfBirth, DatePrecision, Gender},
    identifier::{Identifier, IdentifierIn},
    name::{Name, NamePart},
    whereabouts::Whereabouts,
};
use crate::{
    array::array,
    guard::Written,
    ids::{ChildId, IndexNumber, OrganisationId},
    involvement::ServiceType,
    problem::{Fault, Kind, Problem},
    seal::Sealed,
    work::{Author, Look, Work},
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

async fn insert_names(
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
async fn insert_whereabouts(
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
async fn insert_identifiers(
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

/// Holds the person of a child until the work is done, where there is one: everybody holds the person before the records.
pub(crate) async fn hold_person(work: &mut Work, number: &IndexNumber) -> Result<(), Problem> {
    sqlx::query!(
        "select p.person_id from person p join child c on c.person_id = p.person_id where c.index_number = $1 for update of p",
        number.as_str(),
    )
    .fetch_optional(work.db())
    .await?;
    Ok(())
}

/// Finds a child whom the caller may see, and holds the record until the work is done.
pub(crate) async fn lock(
    work: &mut Work,
    number: &IndexNumber,
) -> Result<(ChildId, Core), Problem> {
    hold_person(work, number).await?;
    let (sight, today) = (work.sight(), work.today());
    let row = sqlx::query!(
        r#"
        select child_id as "child: ChildId", date_of_birth, date_of_birth_precision as "precision: DatePrecision",
               date_of_birth_estimated, gender as "gender: Gender", without_service,
               responsible_authority_id as "authority: OrganisationId", version, visible_version, shielded,
               shielded and not sees_past_shield(child_id, responsible_authority_id, $3, $4, $5, $6, $7) as "hidden!"
        from child
        where index_number = $1 and in_use(status, archives_on, $2)
        for update
        "#,
        number.as_str(),
        today,
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let core = Core {
        index_number: number.clone(),
        birth: DateOfBirth {
            date: row.date_of_birth,
            precision: row.precision,
            estimated: row.date_of_birth_estimated,
        },
        gender: row.gender,
        without_service: row
            .without_service
            .iter()
            .filter_map(|code| ServiceType::coded(code))
            .collect(),
        authority: row.authority,
        version: row.version,
        told_version: if row.hidden { row.visible_version } else { row.version },
        shielded: row.shielded,
        hidden: row.hidden,
    };
    Ok((row.child, core))
}

/// Finds the authority that answers for a child whom the caller may see.
pub(crate) async fn find(
    look: &Look,
    number: &IndexNumber,
) -> Result<(ChildId, OrganisationId), Problem> {
    let row = sqlx::query!(
        r#"select child_id as "child: ChildId", responsible_authority_id as "authority: OrganisationId"
           from child where index_number = $1 and in_use(status, archives_on, $2)"#,
        number.as_str(),
        look.today(),
    )
    .fetch_optional(look.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, row.authority))
}

/// Writes what has changed; what was is superseded and kept.
pub(crate) async fn save(
    work: &mut impl Author,
    id: ChildId,
    core: &Core,
    change: &ChildChange,
) -> Result<Written, Problem> {
    save_all(work, &[(id, core, change)]).await?;
    Ok(Written::of(id))
}

/// The same of many: each as it stands now, and what changed.
pub(crate) async fn save_all(
    work: &mut impl Author,
    changed: &[(ChildId, &Core, &ChildChange)],
) -> Result<(), Problem> {
    for (id, core, _) in changed.iter().filter(|(.., change)| change.names_core()) {
        save_core(work, *id, core).await?;
    }
    sqlx::query!(
        "update child c set version = n.version, visible_version = visible_version + n.visible::int
         from unnest($1::uuid[], $2::bigint[], $3::boolean[]) as n (child_id, version, visible) where c.child_id = n.child_id",
        &changed.iter().map(|(id, ..)| id.0).collect::<Vec<_>>(),
        &changed.iter().map(|(_, core, _)| core.version).collect::<Vec<_>>(),
        &changed.iter().map(|(.., change)| change.is_visible()).collect::<Vec<_>>(),
    )
    .execute(work.db())
    .await?;
    let names = changed
        .iter()
        .filter_map(|(id, core, change)| Some((*id, core.birth.date, change.names.as_deref()?)));
    replace_names(work, &names.collect::<Vec<_>>()).await?;
    let places = changed
        .iter()
        .filter_map(|(id, core, change)| Some((*id, core.shielded, change.whereabouts.as_ref()?)));
    replace_whereabouts(work, &places.collect::<Vec<_>>()).await?;
    let numbers = changed.iter().filter_map(|(id, _, change)| {
        let checked = change.identifiers.as_ref()?.iter().map(IdentifierIn::check);
        Some(checked.collect::<Result<Vec<_>, _>>().map(|numbers| (*id, numbers)))
    });
    replace_identifiers(work, &numbers.collect::<Result<Vec<_>, _>>()?).await
}

/// Lets another authority answer for a record; who did before is kept.
pub(crate) async fn hand_over(
    work: &mut Work,
    id: ChildId,
    authority: OrganisationId,
) -> Result<(), Problem> {
    let (source, now, today, by) = provenance(work);
    sqlx::query!(
        "update child set responsible_authority_id = $2, version = version + 1, source_organisation_id = $3, recorded_by = $4,
             received_at = $5, as_at = $6
         where child_id = $1",
        id.0,
        authority.0,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn save_core(work: &mut impl Author, id: ChildId, core: &Core) -> Result<(), Problem> {
    let (source, now, today, by) = provenance(work);
    sqlx::query!(
        "update child set date_of_birth = $2, date_of_birth_precision = $3, date_of_birth_estimated = $4, gender = $5,
             without_service = $6, version = $7, source_organisation_id = $8, recorded_by = $9, received_at = $10, as_at = $11
         where child_id = $1",
        id.0,
        core.birth.date,
        core.birth.precision.as_str(),
        core.birth.estimated,
        core.gender.as_str(),
        &codes(&core.without_service),
        core.version,
        source.0,
        by,
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn replace_names(
    work: &mut impl Author,
    changed: &[(ChildId, NaiveDate, &[Name])],
) -> Result<(), Problem> {
    if changed.is_empty() {
        return Ok(());
    }
    let now = work.now();
    let held = sqlx::query!(
        r#"select child_id as "child: ChildId",
                  json_build_object('kind', kind, 'given', given, 'family', family) as "name!: Json<Name>"
           from child_name where child_id = any($1) and superseded_at is null"#,
        &changed.iter().map(|(id, ..)| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(work.db())
    .await?;
    let held: HashSet<_> = held.into_iter().map(|row| (row.child, row.name.0)).collect();
    let said =
        changed.iter().flat_map(|(id, _, names)| names.iter().map(|name| (*id, name.clone())));
    let said: HashSet<_> = said.collect();
    let gone: Vec<_> = held.difference(&said).collect();
    sqlx::query!(
        "update child_name n set superseded_at = $5
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as gone (child_id, kind, given, family)
         where n.child_id = gone.child_id and n.kind = gone.kind and n.given = gone.given::text[] and n.family = gone.family
           and n.superseded_at is null",
        &gone.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
        &gone.iter().map(|(_, name)| name.kind.as_str()).collect::<Vec<_>>() as _,
        &gone.iter().map(|(_, name)| array(name.given.iter().map(NamePart::as_str))).collect::<Vec<_>>(),
        &gone.iter().map(|(_, name)| name.family.as_str()).collect::<Vec<_>>() as _,
        now,
    )
    .execute(work.db())
    .await?;
    let new =
        changed.iter().flat_map(|(id, born, names)| names.iter().map(|name| (*id, *born, name)));
    let new = new.filter(|(id, _, name)| !held.contains(&(*id, (*name).clone())));
    insert_names(work, &new.collect::<Vec<_>>()).await
}

async fn replace_whereabouts(
    work: &mut impl Author,
    changed: &[(ChildId, bool, &Whereabouts)],
) -> Result<(), Problem> {
    if changed.is_empty() {
        return Ok(());
    }
    let now = work.now();
    sqlx::query!(
        "update whereabouts set superseded_at = $2 where child_id = any($1) and superseded_at is null",
        &changed.iter().map(|(id, ..)| id.0).collect::<Vec<_>>(),
        now
    )
    .execute(work.db())
    .await?;
    insert_whereabouts(work, changed).await
}

async fn replace_identifiers(
    work: &mut impl Author,
    changed: &[(ChildId, Vec<Identifier>)],
) -> Result<(), Problem> {
    if changed.is_empty() {
        return Ok(());
    }
    let now = work.now();
    let held = sqlx::query!(
        r#"select child_id as "child: ChildId", json_build_object('kind', kind, 'value', value) as "identifier!: Json<Identifier>"
           from child_identifier where child_id = any($1) and superseded_at is null"#,
        &changed.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(work.db())
    .await?;
    let held: HashSet<_> = held.into_iter().map(|row| (row.child, row.identifier.0)).collect();
    let said = changed.iter().flat_map(|(id, all)| all.iter().map(|one| (*id, one.clone())));
    let said: HashSet<_> = said.collect();
    let gone: Vec<_> = held.difference(&said).collect();
    sqlx::query!(
        "update child_identifier i set superseded_at = $4
         from unnest($1::uuid[], $2::text[], $3::text[]) as gone (child_id, kind, value)
         where i.child_id = gone.child_id and i.kind = gone.kind and i.value = gone.value and i.superseded_at is null",
        &gone.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
        &gone.iter().map(|(_, one)| one.kind().as_str()).collect::<Vec<_>>() as _,
        &gone.iter().map(|(_, one)| one.value()).collect::<Vec<_>>() as _,
        now,
    )
    .execute(work.db())
    .await?;
    let new = changed
        .iter()
        .flat_map(|(id, all)| all.iter().enumerate().map(|(n, one)| (*id, n, one.clone())));
    let new = new.filter(|(id, _, one)| !held.contains(&(*id, one.clone())));
    insert_identifiers(work, &new.collect::<Vec<_>>()).await
}

/// A service has begun of which the child was known to have none.
pub(crate) async fn has_service(
    work: &mut impl Author,
    id: ChildId,
    service: ServiceType,
) -> Result<(), Problem> {
    let (_, now, ..) = provenance(work);
    sqlx::query!(
        "update child set without_service = array_remove(without_service, $2), version = version + 1, received_at = $3
         where child_id = $1 and $2 = any(without_service)",
        id.0,
        service.code(),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Everything that the record said before, as the caller may see it, the latest first.
pub(super) async fn history(look: &Look, id: ChildId) -> Result<Vec<Superseded>, Problem> {
    let sight = look.sight();
    let hidden = sqlx::query_scalar!(
        r#"select shielded and not sees_past_shield(child_id, responsible_authority_id, $2, $3, $4, $5, $6) as "hidden!"
           from child where child_id = $1"#,
        id.0,
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_one(look.db())
    .await?;
    let rows =
        if hidden { visible_history(look, id).await? } else { whole_history(look, id).await? };
    rows.into_iter().map(Past::told).collect()
}

/// A fact of history as the database has it.
struct Past {
    fact: String,
    was: Value,
    superseded_at: DateTime<Utc>,
}

impl Past {
    fn told(self) -> Result<Superseded, Problem> {
        let fact = FactKind::parse(&self.fact).map_err(Problem::internal)?;
        Ok(Superseded { fact, was: as_told(self.was), superseded_at: self.superseded_at })
    }
}

async fn whole_history(look: &Look, id: ChildId) -> Result<Vec<Past>, Problem> {
    let rows = sqlx::query_as!(
        Past,
        r#"
        select fact as "fact!", was as "was!: Value", superseded_at as "superseded_at!: DateTime<Utc>" from (
            select 'name' as fact, told::jsonb as was, superseded_at from name_told where child_id = $1 and superseded_at is not null
            union all
            select 'whereabouts', told::jsonb, superseded_at from whereabouts_told where child_id = $1 and superseded_at is not null
            union all
            select 'identifier', to_jsonb(i), superseded_at from child_identifier i where child_id = $1 and superseded_at is not null
            union all
            select 'flag', to_jsonb(f), cleared_at from flag f where child_id = $1 and cleared_at is not null
            union all
            select fact, was, superseded_at from history where child_id = $1
        ) as superseded
        order by superseded_at desc
        limit 1000
        "#,
        id.0,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows)
}

/// What a shield leaves of it: names, births and who cared, where that has changed and not something beside it.
async fn visible_history(look: &Look, id: ChildId) -> Result<Vec<Past>, Problem> {
    let rows = sqlx::query_as!(
        Past,
        r#"
        select fact as "fact!", was as "was!: Value", superseded_at as "superseded_at!: DateTime<Utc>" from (
            select 'name' as fact, visible::jsonb as was, superseded_at from name_told
            where child_id = $1 and superseded_at is not null
            union all
            select fact, was, superseded_at from (
                select fact, was, superseded_at, lead(was) over (partition by fact_id order by said) as became from (
                    select fact, fact_id, visible_part(fact, was) as was, superseded_at, history_id as said
                    from history where child_id = $1 and fact in ('child', 'carer')
                    union all
                    select 'child', child_id, visible_part('child', to_jsonb(c)), null, 9223372036854775807
                    from child c where child_id = $1
                    union all
                    select 'carer', carer_id,
                           case when superseded_at is null then visible_part('carer', to_jsonb(r)) else '{}' end, null, 9223372036854775807
                    from carer r where child_id = $1
                ) as said
            ) as changed
            where superseded_at is not null and was is distinct from became
        ) as superseded
        order by superseded_at desc
        limit 1000
        "#,
        id.0,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows)
}

/// A row's columns under the names that the API has for them, without what only the database needs.
fn as_told(was: Value) -> Value {
    let Value::Object(columns) = was else { return was };
    let inner = [
        "child_id",
        "name_id",
        "identifier_id",
        "whereabouts_id",
        "flag_id",
        "recorded_by",
        "held",
        "superseded_at",
        "cleared_at",
        "person_id",
        "shielded",
        "merged_into",
        "twin",
        "visible_version",
        "archives_on",
        "archived_on",
    ];
    let told = columns
        .into_iter()
        .filter(|(name, value)| !value.is_null() && !inner.contains(&name.as_str()))
        .map(|(name, value)| (crate::http::camel(&name), value));
    Value::Object(told.collect())
}

fn provenance(work: &impl Author) -> (OrganisationId, DateTime<Utc>, NaiveDate, Uuid) {
    (work.source(), work.now(), work.as_at(), work.by())
}

fn codes(services: &[ServiceType]) -> Vec<String> {
    services.iter().map(|service| service.code().to_owned()).collect()
}
