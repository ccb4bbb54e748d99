//! A replica, for what may be a little old, and whether it is near enough to what it copies.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::guarded;
use crate::metric;

/// How old what a replica tells may be.
const OLD: Duration = Duration::from_secs(5);
/// How often it is looked how far it is.
const LOOKED: Duration = Duration::from_secs(1);

/// Whether a replica is near enough, as all workers know.
#[derive(Debug, Clone, Default)]
pub struct Nearness(Arc<AtomicBool>);

impl Nearness {
    pub(super) fn is_near(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, near: bool) {
        self.0.store(near, Ordering::Relaxed);
    }
}

/// Looks how far a replica is behind, as long as the service runs. Where that cannot be told, or it is too far, or it is none, nobody is sent to it.
pub async fn follow_replica(
    primary: PgConnectOptions,
    replica: PgConnectOptions,
    nearness: Nearness,
) {
    let (primary, replica) = (guarded(&primary), guarded(&replica));
    loop {
        let followed = follow(&primary, &replica, &nearness).await;
        nearness.set(false);
        if let Err(error) = followed {
            tracing::warn!(%error, "the replica cannot be followed; its work is done by the primary");
        }
        tokio::time::sleep(LOOKED).await;
    }
}

/// Looks until something is in the way.
async fn follow(
    primary: &PgConnectOptions,
    replica: &PgConnectOptions,
    nearness: &Nearness,
) -> Result<(), sqlx::Error> {
    let mut primary = in_time(PgConnection::connect_with(primary)).await?;
    let mut replica = in_time(PgConnection::connect_with(replica)).await?;
    // When the primary had written how much, the newest last.
    let mut marks = VecDeque::new();
    loop {
        marks.push_back((Instant::now(), in_time(written(&mut primary)).await?));
        let Some(replayed) = in_time(replayed(&mut replica)).await? else {
            return Err(sqlx::Error::Configuration("it is no replica".into()));
        };
        while marks.get(1).is_some_and(|(_, mark)| *mark <= replayed) {
            marks.pop_front();
        }
        let reached =
            marks.front().filter(|(_, mark)| *mark <= replayed).map(|(at, _)| at.elapsed());
        nearness.set(reached.is_some_and(|behind| behind <= OLD));
        if let Some(behind) = reached {
            metrics::gauge!(metric::REPLICA_LAG).set(behind.as_secs_f64());
        }
        tokio::time::sleep(LOOKED).await;
    }
}

/// A replica that is silent is none.
async fn in_time<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(OLD, answer).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// How much the primary has written, in bytes of its log.
async fn written(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as "written!""#
    )
    .fetch_one(db)
    .await
}

/// How much of that the replica shows; nothing where it is none.
async fn replayed(db: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select case when pg_is_in_recovery() then pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint end"
    )
    .fetch_one(db)
    .await
}
