//! Erasures that are done again: whoever was purged does not come back with a backup.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::json;

use super::{Erasure, store};
use crate::{audit::Trail, problem::Problem, work::Errands};

/// As many records as one transaction takes.
const BATCH: i64 = 200;

/// What came of doing erasures again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Records of the list that had come back.
    pub back: usize,
    /// Those that are purged again.
    pub purged: usize,
    /// Those that are kept, since a legal hold is on them as the backup has it, or they were not archived yet.
    pub kept: usize,
}

/// The records that were purged on this day or later.
pub async fn erasures(work: &mut Errands, since: NaiveDate) -> Result<Vec<Erasure>, Problem> {
    Ok(store::erasures(work.db(), since).await?)
}

/// Purges again what was purged and has come back. Two operators answer for it, by their user names, as for every purge; it may be
/// stopped at any moment and run again.
pub async fn replay(
    work: &mut Errands,
    list: &[Erasure],
    [proposed_by, approved_by]: [&str; 2],
) -> Result<Replayed, Problem> {
    let unknown =
        |name: &str| Problem::internal(anyhow::anyhow!("{name} is no operator of this index"));
    let proposer =
        store::operator(work.db(), proposed_by).await?.ok_or_else(|| unknown(proposed_by))?;
    let approver =
        store::operator(work.db(), approved_by).await?.ok_or_else(|| unknown(approved_by))?;
    if proposer == approver {
        return Err(Problem::internal(anyhow::anyhow!("two persons must answer for it")));
    }
    let records: Vec<_> = list.iter().map(|erasure| erasure.record.clone()).collect();
    let back = store::back(work.db(), &records).await?;
    if back.is_empty() {
        return Ok(Replayed::default());
    }
    store::put_under(work, &back, [proposer, approver]).await?;
    let details = json!({ "listed": list.len(), "back": back.len(), "proposedBy": proposed_by, "approvedBy": approved_by });
    work.record(Trail::default().with(details)).await?;
    go_on(work).await?;
    let kept = store::back(work.db(), &records).await?.len();
    Ok(Replayed { back: back.len(), purged: back.len() - kept, kept })
}

/// Carries out approved purges until there are none.
async fn go_on(work: &mut Errands) -> Result<(), Problem> {
    let (vault, now, today) = (work.vault()?, work.now, work.today());
    loop {
        let done = store::go_on(work.db(), &vault, now, today, BATCH).await?;
        if done.is_empty() {
            return Ok(());
        }
        let details = json!({ "purged": done.len() });
        work.record(Trail::about(done).with(details)).await?;
    }
}
