//! Events as they are kept, as JSON.

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use sqlx::PgConnection;

use super::Place;
use crate::{
    audit::roots::{Hash, Range, Root, entry},
    ids::ChildId,
};

/// An event as a line, and where it stands.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) epoch: i32,
    pub(super) tx: i64,
    pub(super) id: uuid::Uuid,
    pub(super) text: String,
}

/// The events from one place to before another, in their order.
pub(super) fn events(
    db: &mut PgConnection,
    from: Place,
    to: Place,
) -> impl Stream<Item = Result<Line, sqlx::Error>> {
    sqlx::query_as!(
        Line,
        r#"select epoch, tx::text::bigint as "tx!", event_id as id, audit_line(e) as "text!" from audit_event e
           where (epoch, tx) >= ($1, $2::bigint::text::xid8) and (epoch, tx) < ($3, $4::bigint::text::xid8)
           order by epoch, tx, event_id"#,
        from.0,
        from.1,
        to.0,
        to.1,
    )
    .fetch(db)
    .boxed_local()
}

/// The events in which a child stands, in their order.
pub(super) async fn of_child(
    db: &mut PgConnection,
    child: ChildId,
) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as!(
        Line,
        r#"select epoch, tx::text::bigint as "tx!", event_id as id, audit_line(e) as "text!" from audit_event e
           where children @> array[$1::uuid] order by epoch, tx, event_id"#,
        child.0,
    )
    .fetch_all(db)
    .await
}

/// The numbers of the first and the last root that were made from a moment to before another.
pub(super) async fn made(
    db: &mut PgConnection,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let made = sqlx::query!(
        "select min(n) as first, max(n) as last from audit_seal where at >= $1 and at < $2",
        since,
        until,
    )
    .fetch_one(db)
    .await?;
    Ok(made.first.zip(made.last))
}

/// The number and the range of the root over a transaction, if there is one.
pub(super) async fn over(
    db: &mut PgConnection,
    place: Place,
) -> Result<Option<(i64, Range)>, sqlx::Error> {
    let found = sqlx::query!(
        "select n, tx_from, tx_to from audit_seal where epoch = $1 and tx_to > $2 and tx_from <= $2 order by tx_to limit 1",
        place.0,
        place.1,
    )
    .fetch_optional(db)
    .await?;
    let range = |from, to| Range { epoch: place.0, from, to };
    Ok(found.map(|row| (row.n, range(row.tx_from, row.tx_to))))
}

/// The entries of a tree, with the events that they stand for.
pub(super) async fn entries(
    db: &mut PgConnection,
    range: Range,
) -> Result<Vec<(uuid::Uuid, Hash)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select tx::text::bigint as "tx!", event_id as id, leaf from audit_event
           where epoch = $1 and tx >= $2::bigint::text::xid8 and tx < $3::bigint::text::xid8
           order by epoch, tx, event_id"#,
        range.epoch,
        range.from,
        range.to,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, entry(row.tx, &row.leaf.unwrap_or_default()))).collect())
}

/// The roots after a number, a page of them.
pub(super) async fn roots(db: &mut PgConnection, after: i64) -> Result<Vec<Root>, sqlx::Error> {
    crate::audit::roots::store::after(db, after, 1000).await
}
