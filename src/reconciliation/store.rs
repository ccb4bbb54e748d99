//! What records say, for many rows at once.

use std::collections::HashMap;

use sqlx::types::Json;

use super::Known;
use crate::{
    feed::{
        Feed,
        row::{FeedRow, SourceReference},
    },
    ids::ChildId,
    organisation::OrganisationKind,
    problem::Problem,
    seal::Sealed,
    work::Look,
};

/// A source's record, as it is linked.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) child: ChildId,
    /// What the source said last.
    pub(super) said: FeedRow,
}

/// What a record in use says.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) known: Known,
    pub(super) shielded: bool,
}

/// The kind of body whose feed it is.
pub(super) async fn body(look: &Look, feed: &Feed) -> Result<OrganisationKind, Problem> {
    let kind = sqlx::query_scalar!(
        r#"select kind as "kind: OrganisationKind" from organisation where organisation_id = $1"#,
        feed.organisation_id.0,
    );
    Ok(kind.fetch_one(look.db()).await?)
}

/// The links of these references of a feed.
pub(super) async fn links(
    look: &Look,
    feed: &Feed,
    references: &[String],
) -> Result<HashMap<SourceReference, Link>, Problem> {
    let rows = sqlx::query!(
        r#"select reference as "reference: SourceReference", child_id as "child: ChildId", sent as "sent: Sealed<FeedRow>"
           from source_record where feed_id = $1 and reference = any($2)"#,
        feed.id.0,
        references,
    );
    let rows = rows.fetch_all(look.db()).await?;
    let read = rows.into_iter().map(|row| {
        let said = row.sent.open(look.vault(), &FeedRow::kept_at(feed.id, &row.reference))?;
        Ok((row.reference, Link { child: row.child, said }))
    });
    read.collect()
}

/// What the records of these children say that are in use; of a shielded one what a shield leaves visible.
pub(super) async fn known(
    look: &Look,
    feed: &Feed,
    children: &[ChildId],
) -> Result<HashMap<ChildId, Found>, Problem> {
    let ids: Vec<_> = children.iter().map(|child| child.0).collect();
    let rows = sqlx::query!(
        r#"
        select c.child_id as "child: ChildId", c.shielded,
               json_strip_nulls(json_build_object(
                   'names', (
                       select json_agg(json_build_object('kind', n.kind, 'given', n.given, 'family', n.family))
                       from child_name n where n.child_id = c.child_id and n.superseded_at is null),
                   'dateOfBirth', c.date_of_birth,
                   'dateOfBirthPrecision', c.date_of_birth_precision,
                   'gender', c.gender,
                   'carers', coalesce((
                       select json_agg(json_build_object('name', json_build_object('given', r.given, 'family', r.family),
                           'relationship', r.relationship, 'parentalResponsibility', r.parental_responsibility,
                           'phones', r.phones, 'emails', r.emails, 'address', r.address))
                       from carer r where r.child_id = c.child_id and r.superseded_at is null), '[]'),
                   'whereabouts', case when not c.shielded then (
                       select json_build_object('kind', w.kind,
                           'address', case when w.lines is not null then
                               json_build_object('lines', w.lines, 'town', w.town, 'postcode', w.postcode, 'uprn', w.uprn) end,
                           'leftOn', w.left_on, 'return', w.return_expected)
                       from whereabouts w where w.child_id = c.child_id and w.superseded_at is null) end,
                   'identifiers', case when not c.shielded then (
                       select json_agg(json_build_object('kind', i.kind, 'value', i.value))
                       from child_identifier i where i.child_id = c.child_id and i.superseded_at is null) end,
                   'responsibleAuthority', case when not c.shielded then a.authority_code end,
                   'work', case when not c.shielded then (
                       select json_agg(json_build_object('contact', v.contact, 'startedOn', v.started_on, 'endedOn', v.ended_on))
                       from involvement v
                       where v.child_id = c.child_id and v.organisation_id = $3 and v.service_type = $4) end
               )) as "told!: Json<Known>"
        from child c
        join organisation a on a.organisation_id = c.responsible_authority_id
        where c.child_id = any($1) and in_use(c.status, c.archives_on, $2)
        "#,
        &ids,
        look.today(),
        feed.organisation_id.0,
        feed.service_type.code(),
    );
    let rows = rows.fetch_all(look.db()).await?;
    let found = rows
        .into_iter()
        .map(|row| (row.child, Found { known: row.told.0, shielded: row.shielded }));
    Ok(found.collect())
}
