//! Archived records in the database: who may see one stands in every statement.

use chrono::NaiveDate;
use sqlx::types::Json;

use super::{ArchivedChild, ArchivedRecord, MOST};
use crate::{
    access::Role,
    child::{
        Core,
        birth::{DateOfBirth, DatePrecision, Gender},
    },
    ids::{ChildId, IndexNumber, OrganisationId},
    involvement::ServiceType,
    matching::Criteria,
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    work::{Look, Work},
};

/// The archived records that the caller may open, by name and birth: one more than is answered where there are more.
pub(super) async fn find(
    look: &Look,
    criteria: &Criteria,
) -> Result<Vec<(ChildId, ArchivedChild)>, Problem> {
    let rows = sqlx::query!(
        r#"
        select c.child_id as "child: ChildId",
               json_build_object(
                   'indexNumber', c.index_number,
                   'name', (
                       select json_build_object('given', n.given, 'family', n.family) from child_name n
                       where n.child_id = c.child_id and n.kind = 'current' and n.superseded_at is null),
                   'dateOfBirth', c.date_of_birth, 'gender', c.gender,
                   'archivedOn', archived_since(c.status, c.archived_on, c.archives_on, $6)) as "told!: Json<ArchivedChild>"
        from child c
        where c.child_id in (
                  select n.child_id from child_name n
                  where n.family_key = $1 and n.date_of_birth = any($2) and n.given_keys && $3)
          and (c.date_of_birth_precision <> 'day' or c.date_of_birth = $8)
          and (c.date_of_birth_precision <> 'month' or c.date_of_birth = date_trunc('month', $8::date)::date)
          and is_open_archive(archived_since(c.status, c.archived_on, c.archives_on, $6), c.responsible_authority_id, $4, $5, $6)
        order by c.index_number
        limit $7
        "#,
        criteria.family_key,
        &criteria.days().unwrap_or_default(),
        &criteria.given_keys().unwrap_or_default(),
        look.caller.role.as_str(),
        look.caller.organisation.0,
        look.today(),
        i64::try_from(MOST).unwrap_or_default() + 1,
        criteria.date_of_birth,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| (row.child, row.told.0)).collect())
}

/// Opens an archived record that the caller may see; what a shield hides is left out.
pub(super) async fn open(
    look: &Look,
    number: &IndexNumber,
) -> Result<(ChildId, ArchivedRecord), Problem> {
    let row = sqlx::query!(
        r#"
        select c.child_id as "child: ChildId", viewer.kind as "viewer: OrganisationKind",
               json_strip_nulls(json_build_object(
                   'indexNumber', c.index_number,
                   'archivedOn', archived_since(c.status, c.archived_on, c.archives_on, $4),
                   'phase', case when $4 < anniversary(archived_since(c.status, c.archived_on, c.archives_on, $4), 1)
                       then 'firstYear' else 'review' end,
                   'shielded', c.shielded,
                   'status', 'archived',
                   'names', (
                       select json_agg(json_build_object('kind', n.kind, 'given', n.given, 'family', n.family) order by n.kind, n.received_at)
                       from child_name n where n.child_id = c.child_id and n.superseded_at is null),
                   'dateOfBirth', c.date_of_birth,
                   'dateOfBirthPrecision', c.date_of_birth_precision,
                   'gender', c.gender,
                   'diedOn', case when not c.shielded then c.died_on end,
                   'whereabouts', case when not c.shielded then (
                       select json_strip_nulls(json_build_object(
                           'kind', w.kind,
                           'address', case when w.lines is not null then
                               json_build_object('lines', w.lines, 'town', w.town, 'postcode', w.postcode, 'uprn', w.uprn) end,
                           'leftOn', w.left_on, 'return', w.return_expected))
                       from whereabouts w where w.child_id = c.child_id and w.superseded_at is null) end,
                   'identifiers', coalesce((
                       select json_agg(json_build_object('kind', i.kind, 'value', i.value) order by i.kind)
                       from child_identifier i where i.child_id = c.child_id and i.superseded_at is null and not c.shielded), '[]'),
                   'carers', coalesce((
                       select json_agg(json_build_object(
                           'name', json_build_object('given', r.given, 'family', r.family), 'relationship', r.relationship,
                           'parentalResponsibility', r.parental_responsibility,
                           'phones', case when c.shielded then '{}' else r.phones end,
                           'emails', case when c.shielded then '{}' else r.emails end) order by r.received_at, r.carer_id)
                       from carer r where r.child_id = c.child_id and r.superseded_at is null), '[]'),
                   'involvements', coalesce((
                       select json_agg(json_build_object('organisation', o.name, 'serviceType', i.service_type,
                           'startedOn', i.started_on, 'endedOn', i.ended_on) order by i.started_on desc, i.involvement_id)
                       from involvement i join organisation o on o.organisation_id = i.organisation_id
                       where i.child_id = c.child_id and not i.sensitive and not c.shielded), '[]'),
                   'responsibleAuthority', case when not c.shielded then json_build_object(
                       'organisationId', a.organisation_id, 'code', a.authority_code, 'name', a.name) end
               )) as "told!: Json<ArchivedRecord>"
        from child c
        join organisation a on a.organisation_id = c.responsible_authority_id
        join organisation viewer on viewer.organisation_id = $3
        where c.index_number = $1
          and is_open_archive(archived_since(c.status, c.archived_on, c.archives_on, $4), c.responsible_authority_id, $2, $3, $4)
        "#,
        number.as_str(),
        look.caller.role.as_str(),
        look.caller.organisation.0,
        look.today(),
    )
    .fetch_optional(look.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let mut record = row.told.0;
    record.restrict(look.caller.role, row.viewer);
    Ok((row.child, record))
}

/// Finds an archived record that the steward may see, and holds it until the work is done.
pub(super) async fn lock(
    work: &mut Work,
    number: &IndexNumber,
) -> Result<(ChildId, Core), Problem> {
    let (organisation, today) = (work.caller.organisation, work.today());
    let row = sqlx::query!(
        r#"
        select child_id as "child: ChildId", date_of_birth, date_of_birth_precision as "precision: DatePrecision",
               date_of_birth_estimated, gender as "gender: Gender", without_service,
               responsible_authority_id as "authority: OrganisationId", version, visible_version, shielded
        from child c
        where index_number = $1
          and is_open_archive(archived_since(c.status, c.archived_on, c.archives_on, $4), c.responsible_authority_id, $2, $3, $4)
        for update
        "#,
        number.as_str(),
        Role::Steward.as_str(),
        organisation.0,
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let birth = DateOfBirth {
        date: row.date_of_birth,
        precision: row.precision,
        estimated: row.date_of_birth_estimated,
    };
    let core = Core {
        index_number: number.clone(),
        birth,
        gender: row.gender,
        without_service: row
            .without_service
            .iter()
            .filter_map(|code| ServiceType::coded(code))
            .collect(),
        authority: row.authority,
        version: row.version,
        told_version: if row.shielded { row.visible_version } else { row.version },
        shielded: row.shielded,
        hidden: row.shielded,
    };
    Ok((row.child, core))
}

/// Takes a record back into use until a day.
pub(super) async fn restore(
    work: &mut Work,
    child: ChildId,
    until: NaiveDate,
) -> Result<(), Problem> {
    sqlx::query!(
        "update child set status = 'active', archived_on = null, archives_on = $2, version = version + 1 where child_id = $1",
        child.0,
        until,
    )
    .execute(work.db())
    .await
    .map_err(|error| match error.as_database_error().and_then(|e| e.constraint()) {
        Some("child_identifier_one_child") => Problem::from(Kind::IdentifierHeld),
        _ => error.into(),
    })?;
    Ok(())
}
