//! What has changed is written; what was is superseded and kept.

use std::collections::HashSet;

use chrono::NaiveDate;
use sqlx::types::Json;

use super::{
    insert::{insert_identifiers, insert_names, insert_whereabouts},
    provenance,
};
use crate::{
    array::array,
    child::{
        ChildChange, Core,
        identifier::{Identifier, IdentifierIn},
        name::{Name, NamePart},
        whereabouts::Whereabouts,
    },
    guard::Written,
    ids::{ChildId, OrganisationId},
    involvement::ServiceType,
    problem::Problem,
    work::{Author, Work},
};

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

fn codes(services: &[ServiceType]) -> Vec<String> {
    services.iter().map(|service| service.code().to_owned()).collect()
}
