//! Whole records in the database.

use sqlx::{PgExecutor, types::Json};

use super::Record;
use crate::{
    access::Caller,
    ids::{ChildId, IndexNumber},
    organisation::OrganisationKind,
    problem::Problem,
    seal::Vault,
    sensitive::{self, OwnInvolvement},
    work::{Look, Work},
};
use chrono::{Months, NaiveDate};

/// Opens the record of a child whom the caller may see.
pub(super) async fn open(
    look: &Look,
    number: &IndexNumber,
) -> Result<Option<(ChildId, Record)>, Problem> {
    let caller = &look.caller;
    let own = sensitive::own_key(look.vault(), look.one_organisation(), number);
    let mut found = read(look.db(), caller, (look.vault(), own), number, look.today()).await?;
    if let (Some((_, record)), Some(requester)) = (&mut found, look.requester) {
        record.restrict(requester.viewer.role, requester.body);
    }
    Ok(found)
}

/// The record as the work has left it.
pub(crate) async fn reread(
    work: &mut Work,
    number: &IndexNumber,
) -> Result<Option<(ChildId, Record)>, Problem> {
    let (caller, today, vault) = (work.caller.clone(), work.today(), work.vault());
    let own = sensitive::provider_key(&vault, caller.organisation, number);
    read(work.db(), &caller, (&vault, own), number, today).await
}

async fn read(
    db: impl PgExecutor<'_>,
    caller: &Caller,
    (vault, own): (&Vault, Vec<u8>),
    number: &IndexNumber,
    today: NaiveDate,
) -> Result<Option<(ChildId, Record)>, Problem> {
    let row = sqlx::query!(
        r#"
        select c.child_id as "child: ChildId",
               viewer.kind as "viewer: OrganisationKind",
               (select json_agg(json_build_object('told', s.told, 'organisation', reachable($2))) from sensitive_told s
                where s.child_id = c.child_id and s.provider_key = $5
                  and (s.ended_on is null or s.ended_on >= $3)) as "sensitive: Json<Vec<OwnInvolvement>>",
               json_strip_nulls(json_build_object(
                   'indexNumber', c.index_number,
                   'names', (
                       select json_agg(n.told order by n.kind, n.received_at) from name_told n
                       where n.child_id = c.child_id and n.superseded_at is null),
                   'dateOfBirth', c.date_of_birth,
                   'dateOfBirthPrecision', c.date_of_birth_precision,
                   'dateOfBirthEstimated', c.date_of_birth_estimated,
                   'gender', c.gender,
                   'whereabouts', (
                       select w.told from whereabouts_told w where w.child_id = c.child_id and w.superseded_at is null),
                   'identifiers', coalesce((
                       select json_agg(json_build_object('kind', i.kind, 'value', i.value) order by i.kind)
                       from child_identifier i where i.child_id = c.child_id and i.superseded_at is null), '[]'),
                   'carers', coalesce((
                       select json_agg(r.told order by r.received_at, r.carer_id) from carer_told r
                       where r.child_id = c.child_id and r.superseded_at is null), '[]'),
                   'involvements', coalesce((
                       select json_agg(i.told order by i.started_on desc, i.involvement_id) from involvement_told_on($4) i
                       where i.child_id = c.child_id
                         and (i.ended_on is null or i.ended_on >= $3)), '[]'),
                   'withoutService', c.without_service,
                   'responsibleAuthority', json_build_object(
                       'organisationId', a.organisation_id, 'code', a.authority_code, 'name', a.name),
                   'status', c.status,
                   'source', json_build_object(
                       'organisationId', c.source_organisation_id, 'receivedAt', c.received_at, 'asAt', c.as_at),
                   'version', c.version
               )) as "told!: Json<super::Record>"
        from child c
        join organisation a on a.organisation_id = c.responsible_authority_id
        join organisation viewer on viewer.organisation_id = $2
        where c.index_number = $1 and c.status = 'active'
        "#,
        number.as_str(),
        caller.organisation.0,
        today - Months::new(12),
        today,
        own,
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut record = row.told.0;
    record.restrict(caller.role, row.viewer);
    if let Some(sensitive) = row.sensitive {
        record
            .join(sensitive.0.into_iter().map(|own| own.open(vault)).collect::<Result<_, _>>()?)?;
    }
    Ok(Some((row.child, record)))
}
