//! Roots in the database, and the events that they are over.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{Hash, Range, Root};

/// What of an event is read to seal it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) tx: i64,
    pub(super) id: Uuid,
    pub(super) at: DateTime<Utc>,
    pub(super) instance: Uuid,
    pub(super) serial: Option<i64>,
    pub(super) leaf: Option<Vec<u8>>,
    pub(super) mac: Option<Vec<u8>>,
}

/// A life of the database.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) epoch: i32,
    pub(super) cluster: String,
    pub(super) since: i64,
}

/// Whether this connection is the one that makes roots, as long as it lasts.
pub(super) async fn take_turn(db: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_lock(7261046) as "taken!""#).fetch_one(db).await
}

/// The transaction below which all have ended.
pub(super) async fn horizon(db: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    let horizon = sqlx::query_scalar!(
        r#"select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as "horizon!""#
    );
    horizon.fetch_one(db).await
}

/// Every life of the database, the present one last.
pub(super) async fn epochs(db: impl PgExecutor<'_>) -> Result<Vec<Life>, sqlx::Error> {
    sqlx::query_as!(Life, "select epoch, cluster, since from audit_epoch order by epoch")
        .fetch_all(db)
        .await
}

/// The last root.
pub(super) async fn last(db: impl PgExecutor<'_>) -> Result<Option<Root>, sqlx::Error> {
    Ok(after(db, i64::MAX, -1).await?.pop())
}

/// The root of a number.
pub(crate) async fn of(db: impl PgExecutor<'_>, n: i64) -> Result<Option<Root>, sqlx::Error> {
    Ok(after(db, n - 1, 1).await?.pop().filter(|root| root.n == n))
}

/// The roots after this number, so many at most; with -1 the last one, up to this number.
pub(crate) async fn after(
    db: impl PgExecutor<'_>,
    n: i64,
    limit: i64,
) -> Result<Vec<Root>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        (select n, epoch, cluster, tx_from, tx_to, events, earlier, root, doubted, previous, at, kid, signature
         from audit_seal where n > $1 order by n limit greatest($2::bigint, 0))
        union all
        (select n, epoch, cluster, tx_from, tx_to, events, earlier, root, doubted, previous, at, kid, signature
         from audit_seal where n <= $1 order by n desc limit greatest(-$2::bigint, 0))
        "#,
        n,
        limit,
    )
    .fetch_all(db)
    .await?;
    let hash =
        |bytes: Option<Vec<u8>>| Hash::try_from(bytes.unwrap_or_default()).unwrap_or_default();
    let mut roots: Vec<_> = rows
        .into_iter()
        .map(|row| Root {
            n: row.n.unwrap_or_default(),
            range: Range {
                epoch: row.epoch.unwrap_or_default(),
                from: row.tx_from.unwrap_or_default(),
                to: row.tx_to.unwrap_or_default(),
            },
            cluster: row.cluster.unwrap_or_default(),
            events: row.events.unwrap_or_default(),
            earlier: row.earlier.unwrap_or_default(),
            root: hash(row.root),
            doubted: row.doubted.unwrap_or_default(),
            previous: hash(row.previous),
            at: row.at.unwrap_or_default(),
            kid: row.kid.unwrap_or_default(),
            signature: row.signature.unwrap_or_default(),
        })
        .collect();
    roots.sort_by_key(|root| root.n);
    Ok(roots)
}

/// The events of these transactions in their order, so many at most.
pub(super) async fn pending(
    db: impl PgExecutor<'_>,
    range: Range,
    limit: i64,
) -> Result<Vec<Pending>, sqlx::Error> {
    sqlx::query_as!(
        Pending,
        r#"select tx::text::bigint as "tx!", event_id as id, at, instance, serial, leaf, mac
           from audit_event
           where epoch = $1 and tx >= $2::bigint::text::xid8 and tx < $3::bigint::text::xid8
           order by epoch, tx, event_id
           limit $4"#,
        range.epoch,
        range.from,
        range.to,
        limit,
    )
    .fetch_all(db)
    .await
}

/// When the first event began that is under no root from this transaction on.
pub(super) async fn oldest(
    db: impl PgExecutor<'_>,
    epoch: i32,
    from: i64,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select min(at) from audit_event where epoch = $1 and tx >= $2::bigint::text::xid8",
        epoch,
        from,
    )
    .fetch_one(db)
    .await
}

/// How many events there are from before the first that is hashed.
pub(super) async fn earlier(
    db: impl PgExecutor<'_>,
    epoch: i32,
    since: i64,
) -> Result<i64, sqlx::Error> {
    let earlier = sqlx::query_scalar!(
        r#"select count(*) as "earlier!" from audit_event where epoch = $1 and tx < $2::bigint::text::xid8"#,
        epoch,
        since,
    );
    earlier.fetch_one(db).await
}

/// Keeps a root.
pub(super) async fn insert(
    db: &mut PgConnection,
    root: &Root,
    hash: &Hash,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_seal (n, epoch, cluster, tx_from, tx_to, events, earlier, root, doubted, previous, at, kid, signature, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        root.n,
        root.range.epoch,
        root.cluster,
        root.range.from,
        root.range.to,
        root.events,
        root.earlier,
        &root.root[..],
        &root.doubted,
        &root.previous[..],
        root.at,
        root.kid,
        root.signature,
        &hash[..],
    )
    .execute(db)
    .await?;
    Ok(())
}
