//! Putting every sealed value under the key that seals.

use serde_json::json;

use super::{
    Held,
    store::{self, Column},
};
use crate::{audit::Trail, keys::Sealer, problem::Problem, work::Errands};

/// How many values are not yet under the key that seals, or not in the present way.
#[must_use]
pub fn left(held: &[Held], sealer: &Sealer) -> u64 {
    let left = held.iter().filter(|held| held.key != sealer.active() || !held.enveloped);
    left.map(|held| held.values).sum()
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// How many values are put under the key that seals.
    pub values: u64,
    /// How many cannot be opened, and stay as they are.
    pub damaged: u64,
}

/// Puts every value under the key that seals, in batches of one transaction each, and says how many it was. What is done
/// stays done, so it may be stopped at any moment and run again. `tell` is called with what is done after each batch.
pub async fn reseal(
    work: &mut Errands,
    sealer: &Sealer,
    mut tell: impl FnMut(Done),
) -> Result<Done, Problem> {
    let mut done = Done::default();
    for column in Column::ALL {
        let mut after = column.first().to_owned();
        loop {
            let stale = store::stale(work, *column, &sealer.head(), &after).await?;
            let Some(last) = stale.last() else { break };
            after.clone_from(&last.key);
            let found = stale.len();
            let resealed = stale.into_iter().filter_map(|value| {
                let renewed = sealer.reseal(&value.sealed, value.context.as_deref()).ok()?;
                Some((value.key, renewed))
            });
            let (keys, values): (Vec<_>, Vec<_>) = resealed.unzip();
            store::save(work, *column, &keys, &values).await?;
            let damaged = found - keys.len();
            let told = json!({ "column": column.as_str(), "values": keys.len(), "damaged": damaged, "key": sealer.active() });
            work.record(Trail::default().with(told)).await?;
            done.values += u64::try_from(keys.len()).unwrap_or_default();
            done.damaged += u64::try_from(damaged).unwrap_or_default();
            tell(done);
        }
    }
    Ok(done)
}

/// What a key is still needed for: how many values, and how many events of the audit.
pub async fn needed(work: &mut Errands, key: u32) -> Result<(u64, i64), Problem> {
    let held = store::held(work).await?;
    let values = held.iter().filter(|held| held.key == key).map(|held| held.values).sum();
    Ok((values, store::events(work, key).await?))
}
