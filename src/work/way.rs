//! Giving way to those who wait for an answer, at whichever instance.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::problem::Problem;

/// For how long is given way before a step: nothing is kept from its work for good.
const PATIENCE: Duration = Duration::from_millis(10);
/// How often it is looked whether it may go on, and for how long it may then.
pub(super) const BREATH: Duration = Duration::from_millis(1);

/// Waits while a request is at work in the database, for `PATIENCE` at most.
pub(crate) async fn give_way(db: &mut PgConnection) -> Result<(), Problem> {
    let until = Instant::now() + PATIENCE;
    while others_are_at_work(db).await? && Instant::now() < until {
        tokio::time::sleep(BREATH).await;
    }
    Ok(())
}

/// Whether a request is at work here: a transaction is under way that began a moment ago, as those of requests do and those of
/// errands do not, or a statement has just ended, after which comes the next of the same request.
async fn others_are_at_work(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let at_work = sqlx::query_scalar!(
        r#"select exists (
               select from pg_stat_get_activity(null)
               where pid <> pg_backend_pid() and datid = (select oid from pg_database where datname = current_database())
                 and case state when 'idle' then clock_timestamp() - state_change < interval '2 ms'
                                else clock_timestamp() - xact_start < interval '100 ms' end) as "at_work!""#
    );
    at_work.fetch_one(db).await
}
