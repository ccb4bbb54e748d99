//! Making the entries that are missing, or older than what is known of their children.

use serde_json::json;
use uuid::Uuid;

use super::entry;
use crate::{audit::Trail, problem::Problem, work::Errands};

/// As many entries as one transaction makes.
pub const BATCH: i64 = 500;

/// Has entries that an older version of the service made be made anew, or with `all` every entry. They are not made yet, but
/// asked for lastingly. Says how many entries wait.
pub async fn ask_anew(work: &mut Errands, all: bool) -> Result<i64, Problem> {
    let waiting = entry::ask_anew(work, all).await?;
    if waiting > 0 {
        work.record(Trail::default().with(json!({ "waiting": waiting, "all": all }))).await?;
    }
    Ok(waiting)
}

/// Makes every entry that waits, in batches of one transaction each, and says how many were made. What is made stays made, so
/// it may be stopped at any moment and run again, and beside others. `tell` is called with the number after each batch.
pub async fn catch_up(
    work: &mut Errands,
    batch: i64,
    mut tell: impl FnMut(u64),
) -> Result<u64, Problem> {
    let (mut made, mut after) = (0, Uuid::nil());
    loop {
        let next = entry::next_stale(work, after, batch).await?;
        let Some(last) = next.last() else { return Ok(made) };
        after = *last;
        entry::made(work, &next).await?;
        work.record(Trail::default().with(json!({ "entries": next.len() }))).await?;
        made += u64::try_from(next.len()).unwrap_or_default();
        tell(made);
    }
}
