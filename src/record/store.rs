//! Whole records in the database.

use serde_json::{Value, json};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::Record;
use crate::{
    access::{Caller, Sight},
    carer::CarerContact,
    child::whereabouts::Whereabouts,
    ids::{CarerId, ChildId, IndexNumber},
    organisation::OrganisationKind,
    problem::Problem,
    seal::{Sealed, Vault},
    sensitive::{self, OwnInvolvement},
    work::{Look, Work},
};
use chrono::{Months, NaiveDate};

/// Opens the record of a child whom the caller may see.
pub(super) async fn open(
    look: &Look,
    number: &IndexNumber,
) -> Result<Option<(ChildId, Record)>, Problem> {
    let viewer = Viewer {
        caller: &look.caller,
        own: &sensitive::own_key(look.vault(), look.one_organisation(), number),
        sight: look.sight(),
        vault: look.vault(),
    };
    let mut found = read(look.db(), viewer, number, look.today()).await?;
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
    let (caller, vault, today) = (work.caller.clone(), work.vault(), work.today());
    let own = sensitive::provider_key(&vault, caller.organisation, number);
    let viewer = Viewer { caller: &caller, own: &own, sight: work.sight(), vault: &vault };
    read(work.db(), viewer, number, today).await
}

/// Who opens a record.
#[derive(Clone, Copy)]
struct Viewer<'a> {
    caller: &'a Caller,
    /// The key of the sensitive involvements that the caller sees.
    own: &'a [u8],
    sight: Sight,
    vault: &'a Vault,
}

/// What is sealed in a record, for those who see past the shield; nothing where none stands.
struct Hidden {
    place: Option<Uuid>,
    whereabouts: Option<Sealed<Whereabouts>>,
    carers: Option<Vec<CarerId>>,
    contacts: Option<Vec<Sealed<CarerContact>>>,
}

async fn read(
    db: impl PgExecutor<'_>,
    Viewer { caller, own, sight, vault }: Viewer<'_>,
    number: &IndexNumber,
    today: NaiveDate,
) -> Result<Option<(ChildId, Record)>, Problem> {
    let row = sqlx::query!(
        r#"
        select c.child_id as "child: ChildId",
               viewer.kind as "viewer: OrganisationKind",
               (select json_agg(json_build_object('told', s.told, 'organisation', reachable($2))) from sensitive_told s
                where s.child_id = c.child_id and s.provider_key = $5 and sight.sees
                  and (s.ended_on is null or s.ended_on >= $3)) as "sensitive: Json<Vec<OwnInvolvement>>",
               json_strip_nulls(json_build_object(
                   'indexNumber', c.index_number,
                   'names', (
                       select json_agg(case when sight.sees then n.told else n.visible end order by n.kind, n.received_at)
                       from name_told n where n.child_id = c.child_id and n.superseded_at is null),
                   'dateOfBirth', c.date_of_birth,
                   'dateOfBirthPrecision', c.date_of_birth_precision,
                   'dateOfBirthEstimated', c.date_of_birth_estimated,
                   'gender', c.gender,
                   'shielded', c.shielded,
                   'whereabouts', case when sight.sees then (
                       select w.told from whereabouts_told w where w.child_id = c.child_id and w.superseded_at is null) end,
                   'identifiers', case when sight.sees then coalesce((
                       select json_agg(json_build_object('kind', i.kind, 'value', i.value) order by i.kind)
                       from child_identifier i where i.child_id = c.child_id and i.superseded_at is null), '[]') else '[]' end,
                   'carers', coalesce((
                       select json_agg(case when sight.sees then r.told else r.visible end order by r.received_at, r.carer_id)
                       from carer_told r where r.child_id = c.child_id and r.superseded_at is null), '[]'),
                   'involvements', case when sight.sees then coalesce((
                       select json_agg(i.told order by i.started_on desc, i.involvement_id) from involvement_told_on($4) i
                       where i.child_id = c.child_id
                         and (i.ended_on is null or i.ended_on >= $3)), '[]') else '[]' end,
                   'withoutService', case when sight.sees then c.without_service else '{}' end,
                   'responsibleAuthority', case when sight.sees then json_build_object(
                       'organisationId', a.organisation_id, 'code', a.authority_code, 'name', a.name) end,
                   'disputed', coalesce((
                       select json_agg(json_build_object('fact', d.fact, 'id', d.fact_id)) from information_request d
                       where d.child_id = c.child_id and d.status = 'forwarded'
                         and (sight.sees or d.fact in ('name', 'dateOfBirth', 'gender', 'carer'))), '[]'),
                   'status', c.status,
                   'source', case when sight.sees then json_build_object(
                       'organisationId', c.source_organisation_id, 'receivedAt', c.received_at, 'asAt', c.as_at) end,
                   'version', case when sight.sees then c.version else c.visible_version end
               )) as "told!: Json<super::Record>",
               case when c.shielded and sight.sees then (
                   select w.whereabouts_id from whereabouts w where w.child_id = c.child_id and w.superseded_at is null)
               end as "place: Uuid",
               case when c.shielded and sight.sees then (
                   select w.sealed from whereabouts w where w.child_id = c.child_id and w.superseded_at is null)
               end as "whereabouts: Sealed<Whereabouts>",
               case when c.shielded and sight.sees then array(
                   select r.carer_id from carer r where r.child_id = c.child_id and r.superseded_at is null order by r.carer_id)
               end as "carers: Vec<CarerId>",
               case when c.shielded and sight.sees then array(
                   select r.sealed from carer r where r.child_id = c.child_id and r.superseded_at is null order by r.carer_id)
               end as "contacts: Vec<Sealed<CarerContact>>"
        from child c
        cross join lateral (
            select not c.shielded or sees_past_shield(c.child_id, c.responsible_authority_id, $6, $2, $7, $8, $9) as sees) sight
        join organisation a on a.organisation_id = c.responsible_authority_id
        join organisation viewer on viewer.organisation_id = $2
        where c.index_number = $1 and in_use(c.status, c.archives_on, $4)
        "#,
        number.as_str(),
        caller.organisation.0,
        today - Months::new(12),
        today,
        own,
        sight.role,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut record = row.told.0;
    // More than one may dispute a fact. Nearly always nobody does, and nothing is to be sorted.
    record.disputed.sort_by_key(|disputed| (disputed.fact, disputed.id));
    record.disputed.dedup();
    record.restrict(caller.role, row.viewer);
    let (place, whereabouts, carers, contacts) =
        (row.place, row.whereabouts, row.carers, row.contacts);
    if record.shielded {
        unseal(&mut record, Hidden { place, whereabouts, carers, contacts }, vault)?;
    }
    if let Some(own) = row.sensitive {
        let own = own.0.into_iter().map(|own| own.open(vault));
        record.join(own.collect::<Result<_, _>>()?)?;
    }
    Ok(Some((row.child, record)))
}

fn unseal(record: &mut Record, hidden: Hidden, vault: &Vault) -> Result<(), Problem> {
    if let (Some(told), Some(place), Some(sealed)) =
        (&record.whereabouts, hidden.place, hidden.whereabouts)
    {
        let said = json!(sealed.open(vault, &Whereabouts::place(place))?);
        record.whereabouts = Some(told.amended(|told| add(told, said)).map_err(Problem::internal)?);
    }
    if let (Some(ids), Some(contacts)) = (hidden.carers, hidden.contacts) {
        let mut said = Vec::new();
        for (id, sealed) in ids.into_iter().zip(contacts) {
            let contact = json!(sealed.open(vault, &CarerContact::place(id))?);
            said.push((id.to_string(), contact));
        }
        let amended = record.carers.amended(|carers| {
            for carer in carers.as_array_mut().into_iter().flatten() {
                let said = said.iter().find(|(id, _)| carer["id"] == **id);
                if let Some((_, contact)) = said {
                    add(carer, contact.clone());
                }
            }
        });
        record.carers = amended.map_err(Problem::internal)?;
    }
    Ok(())
}

/// Puts the members of one object into another, but those that say nothing.
fn add(told: &mut Value, said: Value) {
    if let (Value::Object(told), Value::Object(said)) = (told, said) {
        told.extend(said.into_iter().filter(|(_, value)| !value.is_null()));
    }
}
