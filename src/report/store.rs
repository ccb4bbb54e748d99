//! Reports from the database. A part looks through so many children at most, so that none takes long however few it tells of.

use chrono::NaiveDate;
use uuid::Uuid;

use super::{FeedQuality, Part, ReportedChild, UnconfirmedInvolvement, percent};
use crate::{
    child::{
        birth::{DatePrecision, Gender},
        name::{NamePart, PersonName},
    },
    cursor,
    feed::FeedStage,
    ids::{ChildId, IndexNumber, InvolvementId, OrganisationId},
    involvement::ServiceType,
    problem::Problem,
    word::UpToFive,
    work::Look,
};

/// As many children as a part looks through.
const LOOKED_THROUGH: i64 = 5000;

/// The authority whose records are reported: that of all who look.
fn authority(look: &Look) -> Option<Uuid> {
    look.one_organisation().map(|organisation| organisation.0)
}

/// The first `limit` of what was found, one more than that where there is more, and where the next part begins: after the last
/// that is told, or else after the last child that was looked through.
fn part<T, P: serde::Serialize>(
    mut found: Vec<(P, ChildId, T)>,
    limit: i64,
    reached: Option<P>,
) -> Part<T> {
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = match found.last() {
        Some((last, ..)) if more => Some(cursor::write(last)),
        _ => reached.map(|reached| cursor::write(&reached)),
    };
    let mut children: Vec<_> = found.iter().map(|(_, child, _)| *child).collect();
    children.dedup();
    Part { children, items: found.into_iter().map(|(.., item)| item).collect(), next }
}

/// Children in use for whom the authority answers and with whom nobody works in this service. Of a shielded child a steward may
/// not know that.
pub(super) async fn children_without(
    look: &Look,
    service: ServiceType,
    after: Option<&str>,
    limit: i64,
) -> Result<Part<ReportedChild>, Problem> {
    let after: String = after.map(cursor::read).transpose()?.unwrap_or_default();
    let rows = sqlx::query!(
        r#"
        with looked_through as materialized (
            select c.child_id, c.index_number, c.date_of_birth, c.date_of_birth_precision, c.gender,
                   $1 = any (c.without_service) as none, c.shielded
            from child c
            where c.responsible_authority_id = $2 and c.status = 'active' and in_use(c.status, c.archives_on, $3)
              and c.index_number > $4
            order by c.index_number
            limit $5
        )
        select reached.at as reached, r.child_id as "child?: ChildId", r.index_number as "number?: IndexNumber",
               r.given as "given?: UpToFive<NamePart>", r.family as "family?: NamePart", r.date_of_birth as "born?: NaiveDate",
               r.date_of_birth_precision as "precision?: DatePrecision", r.gender as "gender?: Gender", r.none as "none?"
        from (select case when count(*) = $5 then max(index_number) end as at from looked_through) reached
        left join lateral (
            select l.*, n.given, n.family
            from looked_through l
            join child_name n on n.child_id = l.child_id and n.kind = 'current' and n.superseded_at is null
            where not l.shielded and not exists (
                select from involvement i
                where i.child_id = l.child_id and i.service_type = $1 and (i.ended_on is null or i.ended_on >= $3))
            order by l.index_number
            limit $6
        ) r on true
        order by r.index_number
        "#,
        service.code(),
        authority(look),
        look.today(),
        after,
        LOOKED_THROUGH,
        limit + 1,
    )
    .fetch_all(look.db())
    .await?;
    let reached = rows.first().and_then(|row| row.reached.clone());
    let found = rows.into_iter().filter_map(|row| {
        let index_number = row.number?;
        let child = ReportedChild {
            index_number: index_number.clone(),
            name: PersonName { given: row.given?, family: row.family? },
            date_of_birth: row.born?,
            date_of_birth_precision: row.precision?,
            gender: row.gender?,
            said_to_have_none: row.none?,
        };
        Some((index_number.to_string(), row.child?, child))
    });
    Ok(part(found.collect(), limit, reached))
}

/// Involvements with children for whom the authority answers that have not been confirmed for long, or whose organisation's feed
/// sends the child no longer.
pub(super) async fn unconfirmed(
    look: &Look,
    after: Option<&str>,
    limit: i64,
) -> Result<Part<UnconfirmedInvolvement>, Problem> {
    let after: (String, Uuid) = after.map(cursor::read).transpose()?.unwrap_or_default();
    let rows = sqlx::query!(
        r#"
        with looked_through as materialized (
            select c.child_id, c.index_number, c.shielded
            from child c
            where c.responsible_authority_id = $1 and c.status = 'active' and in_use(c.status, c.archives_on, $2)
              and c.index_number >= $3
            order by c.index_number
            limit $4
        )
        select reached.at as reached, r.child_id as "child?: ChildId", r.index_number as "number?: IndexNumber",
               r.involvement_id as "id?: InvolvementId", r.organisation_id as "organisation_id?: OrganisationId",
               r.name as "organisation?", r.service_type as "service_type?", r.started_on as "started_on?",
               r.confirmed_on as "confirmed_on?", r.since as "since?: NaiveDate"
        from (select case when count(*) = $4 then max(index_number) end as at from looked_through) reached
        left join lateral (
            select l.child_id, l.index_number, i.involvement_id, i.organisation_id, o.name, i.service_type, i.started_on,
                   i.confirmed_on, gone.since
            from looked_through l
            join involvement i on i.child_id = l.child_id
            join organisation o on o.organisation_id = i.organisation_id
            cross join lateral (
                select unconfirmed_since(i.unconfirmed_since, i.confirmed_on, i.ended_on, $2) as since) gone
            where not l.shielded and gone.since is not null and (l.index_number, i.involvement_id) > ($3, $5)
            order by l.index_number, i.involvement_id
            limit $6
        ) r on true
        order by r.index_number, r.involvement_id
        "#,
        authority(look),
        look.today(),
        after.0,
        LOOKED_THROUGH,
        after.1,
        limit + 1,
    )
    .fetch_all(look.db())
    .await?;
    let reached = rows.first().and_then(|row| row.reached.clone()).map(|at| (at, Uuid::max()));
    let found = rows.into_iter().filter_map(|row| {
        let (id, index_number) = (row.id?, row.number?);
        let involvement = UnconfirmedInvolvement {
            id,
            index_number: index_number.clone(),
            organisation_id: row.organisation_id?,
            organisation: row.organisation?,
            service_type: ServiceType::coded(&row.service_type?)?,
            started_on: row.started_on?,
            confirmed_on: row.confirmed_on?,
            unconfirmed_since: row.since?,
        };
        Some(((index_number.to_string(), id.0), row.child?, involvement))
    });
    Ok(part(found.collect(), limit, reached))
}

/// The feeds of organisations in the area of the authority, each with its latest batch that is done.
pub(super) async fn feeds(
    look: &Look,
    after: Option<&str>,
    limit: i64,
) -> Result<Part<FeedQuality>, Problem> {
    let after: Uuid = after.map(cursor::read).transpose()?.unwrap_or_default();
    let rows = sqlx::query!(
        r#"
        select f.feed_id, f.name, o.organisation_id as "organisation_id: OrganisationId", o.name as organisation, f.service_type,
               f.stage as "stage: FeedStage", b.received_at as "received_at?", coalesce(b.rows, 0) as "rows!",
               coalesce(b.linked, 0) as "linked!", coalesce(b.created, 0) as "created!", coalesce(b.unchanged, 0) as "unchanged!",
               coalesce(b.review, 0) as "review!", coalesce(b.rejected, 0) as "rejected!", coalesce(b.unconfirmed, 0) as "unconfirmed!",
               (select count(*) from review_task t where t.feed_id = f.feed_id and t.status = 'open') as "open_reviews!"
        from feed f
        join organisation o on o.organisation_id = f.organisation_id
        left join lateral (
            select * from feed_batch b
            where b.feed_id = f.feed_id and b.status = 'done'
            order by b.received_at desc, b.batch_id desc
            limit 1) b on true
        where o.authority_id = $1 and f.feed_id > $2
        order by f.feed_id
        limit $3
        "#,
        authority(look),
        after,
        limit + 1,
    )
    .fetch_all(look.db())
    .await?;
    let limit = u8::try_from(limit).unwrap_or(u8::MAX);
    let (rows, next) = cursor::page(rows, limit, |last| last.feed_id);
    let feeds = rows.into_iter().filter_map(|row| {
        Some(FeedQuality {
            feed_id: row.feed_id,
            name: row.name,
            organisation_id: row.organisation_id,
            organisation: row.organisation,
            service_type: ServiceType::coded(&row.service_type)?,
            stage: row.stage,
            received_at: row.received_at,
            rows: row.rows,
            linked: row.linked,
            created: row.created,
            unchanged: row.unchanged,
            review: row.review,
            rejected: row.rejected,
            unconfirmed: row.unconfirmed,
            taken_percent: percent(row.linked + row.created + row.unchanged, row.rows),
            open_reviews: row.open_reviews,
        })
    });
    Ok(Part { children: Vec::new(), items: feeds.collect(), next })
}
