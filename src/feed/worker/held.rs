//! What is held of a child, each fact with the organisation that said it.

use std::collections::HashMap;

use serde::Deserialize;
use sqlx::types::Json;

use crate::{
    child::{
        Core,
        birth::{DateOfBirth, DatePrecision, Gender},
        identifier::Identifier,
        name::Name,
        whereabouts::Whereabouts,
    },
    ids::{ChildId, IndexNumber, OrganisationId},
    involvement::ServiceType,
    problem::Problem,
    seal::Sealed,
    work::Unit,
};
use uuid::Uuid;

/// A fact, and who said it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Said<T> {
    pub(crate) said: T,
    pub(crate) source: OrganisationId,
}

/// What is held of a child whose record is in use.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) core: Core,
    /// Who said the facts that stand once.
    pub(crate) source: OrganisationId,
    pub(crate) names: Vec<Said<Name>>,
    pub(crate) whereabouts: Said<Whereabouts>,
    pub(crate) identifiers: Vec<Said<Identifier>>,
}

/// Holds the person and the record of a child until the work is done, and reads it whole, if it is in use.
pub(crate) async fn hold(work: &mut impl Unit, child: ChildId) -> Result<Option<Held>, Problem> {
    Ok(hold_all(work, &[child]).await?.remove(&child))
}

/// The same for many: those in use, in the one order in which everybody holds them.
pub(crate) async fn hold_all(
    work: &mut impl Unit,
    children: &[ChildId],
) -> Result<HashMap<ChildId, Held>, Problem> {
    let ids: Vec<_> = children.iter().map(|child| child.0).collect();
    sqlx::query!(
        "select p.person_id from person p
         where p.person_id in (select c.person_id from child c where c.child_id = any($1)) order by p.person_id for update",
        &ids
    )
    .fetch_all(work.db())
    .await?;
    sqlx::query!(
        "select child_id from child where child_id = any($1) order by child_id for update",
        &ids
    )
    .fetch_all(work.db())
    .await?;
    let (vault, today) = (work.vault()?, work.today());
    let rows = sqlx::query!(
        r#"
        select c.child_id as "child: ChildId", c.index_number as "number: IndexNumber", c.date_of_birth, c.date_of_birth_precision as "precision: DatePrecision",
               c.date_of_birth_estimated, c.gender as "gender: Gender", c.without_service,
               c.responsible_authority_id as "authority: OrganisationId", c.version, c.shielded,
               c.source_organisation_id as "source: OrganisationId", w.whereabouts_id as "whereabouts_id?: Uuid",
               w.source_organisation_id as "whereabouts_source?: OrganisationId", w.sealed as "sealed?: Sealed<Whereabouts>",
               case when w.kind is not null then json_strip_nulls(json_build_object(
                   'kind', w.kind,
                   'address', case when w.lines is not null then
                       json_build_object('lines', w.lines, 'town', w.town, 'postcode', w.postcode, 'uprn', w.uprn) end,
                   'leftOn', w.left_on, 'return', w.return_expected)) end as "whereabouts?: Json<Whereabouts>",
               coalesce((
                   select json_agg(json_build_object('said', json_build_object('kind', n.kind, 'given', n.given, 'family', n.family),
                       'source', n.source_organisation_id) order by n.name_id)
                   from child_name n where n.child_id = c.child_id and n.superseded_at is null), '[]') as "names!: Json<Vec<Said<Name>>>",
               coalesce((
                   select json_agg(json_build_object('said', json_build_object('kind', i.kind, 'value', i.value),
                       'source', i.source_organisation_id) order by i.kind)
                   from child_identifier i where i.child_id = c.child_id and i.superseded_at is null), '[]')
                   as "identifiers!: Json<Vec<Said<Identifier>>>"
        from child c
        left join whereabouts w on w.child_id = c.child_id and w.superseded_at is null
        where c.child_id = any($1) and in_use(c.status, c.archives_on, $2)
        "#,
        &ids,
        today,
    )
    .fetch_all(work.db())
    .await?;
    let mut held = HashMap::new();
    for row in rows {
        let whereabouts = match (row.sealed, row.whereabouts_id, row.whereabouts) {
            (Some(sealed), Some(id), _) => sealed.open(&vault, &Whereabouts::place(id))?,
            (_, _, Some(plain)) => plain.0,
            _ => Whereabouts::NoneKnown {},
        };
        let services = row.without_service.iter().filter_map(|code| ServiceType::coded(code));
        let core = Core {
            index_number: row.number,
            birth: DateOfBirth {
                date: row.date_of_birth,
                precision: row.precision,
                estimated: row.date_of_birth_estimated,
            },
            gender: row.gender,
            without_service: services.collect(),
            authority: row.authority,
            version: row.version,
            told_version: row.version,
            shielded: row.shielded,
            hidden: false,
        };
        let source = row.whereabouts_source.unwrap_or(row.source);
        let whereabouts = Said { said: whereabouts, source };
        let (names, identifiers) = (row.names.0, row.identifiers.0);
        held.insert(row.child, Held { core, source: row.source, names, whereabouts, identifiers });
    }
    Ok(held)
}
