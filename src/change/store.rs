//! Changes in the database.

use super::{Change, ChangeKind, FEW_CHILDREN, Found, LOOKED_THROUGH, Place};
use crate::{
    access::Role,
    ids::{ChildId, IndexNumber},
    problem::{Kind, Problem},
    work::Look,
};

/// What the caller is told after a place, looking through all the changes of its own children, or so many of whomever. Only
/// transactions below all that are still running in the snapshot of the statement are looked at, so that none comes in before
/// the place that is answered. Where all of them were looked at, the place is where the running ones begin, which moves with
/// whatever anybody writes.
pub(super) async fn list(look: &Look, after: Option<Place>, limit: i64) -> Result<Found, Problem> {
    let begin = after.unwrap_or_default();
    let rows = sqlx::query!(
        r#"
        with looked as materialized (
            select * from changes_to_look_at($4, $5, $1::text::xid8, $2, $3, $9)
        )
        select pg_snapshot_xmin(pg_current_snapshot())::text as "running!", f.xid::text as "forgotten!", f.position as "forgotten_row!",
               (select count(*) < $3 or bool_or(whole) from looked) as "looked_at_all!",
               (select xid::text from looked order by xid desc, position desc limit 1) as last,
               (select position from looked order by xid desc, position desc limit 1) as last_row,
               told.xid::text as "xid?", told.position as "position?", told.child_id as "child?: ChildId", told.kind as "kind?: ChangeKind",
               told.index_number as "number?: IndexNumber", told.survivor as "into?: IndexNumber", told.at as "at?"
        from change_cursor f
        left join (
            select l.xid, l.position, l.child_id, t.kind, t.index_number, t.survivor, l.at
            from (select * from looked order by xid, position) l
            cross join lateral change_told(l.child_id, l.kind, l.organisation_id, l.hidden, $4, $5, $6, $7) t
            order by l.xid, l.position limit $8
        ) told on true
        where f.name = 'forgotten'
        order by told.xid, told.position
        "#,
        begin.transaction.to_string(),
        begin.row,
        LOOKED_THROUGH,
        look.caller.organisation.0,
        look.caller.role == Role::Steward,
        look.caller.role == Role::Feed,
        look.today(),
        limit,
        FEW_CHILDREN,
    )
    .fetch_all(look.db())
    .await?;
    let head =
        rows.first().ok_or_else(|| Problem::internal(anyhow::anyhow!("there is no cursor")))?;
    let forgotten = place(&head.forgotten, head.forgotten_row)?;
    if after.is_some_and(|after| after < forgotten) {
        return Err(Kind::ChangesForgotten.into());
    }
    let looked_at_all = head.looked_at_all;
    let all = place(&head.running, 0)?;
    let last = match (&head.last, head.last_row) {
        (Some(last), Some(row)) if !looked_at_all => place(last, row)?,
        _ => all.max(begin),
    };
    let mut items = Vec::new();
    let mut told_last = None;
    for row in rows {
        let (Some(xid), Some(position)) = (row.xid, row.position) else { continue };
        told_last = Some(place(&xid, position)?);
        if let (Some(child), Some(index_number), Some(kind), Some(at)) =
            (row.child, row.number, row.kind, row.at)
        {
            items.push((child, Change { index_number, kind, into: row.into, at }));
        }
    }
    let full = i64::try_from(items.len()).is_ok_and(|told| told >= limit);
    let next = told_last.filter(|_| full).unwrap_or(last);
    Ok(Found { items, next, more: full || !looked_at_all })
}

fn place(transaction: &str, row: i64) -> Result<Place, Problem> {
    Ok(Place { transaction: transaction.parse().map_err(Problem::internal)?, row })
}
