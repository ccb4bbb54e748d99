//! What is left of batches that did not come in whole.

use serde_json::json;

use super::store;
use crate::{audit::Trail, problem::Problem, work::Errands};

/// Says of batches of which nothing has come in for an hour that they have broken off, and forgets what came in of those that
/// have failed; says how many have broken off.
pub async fn tidy(work: &mut Errands) -> Result<usize, Problem> {
    let abandoned = store::abandon(work).await?;
    if !abandoned.is_empty() {
        work.record(Trail::default().with(json!({ "abandoned": abandoned }))).await?;
    }
    for batch in store::leftover(work).await? {
        let mut some = true;
        while some {
            some = store::forget(work, batch).await?;
            work.record(Trail::default().with(json!({ "forgotten": batch }))).await?;
        }
    }
    Ok(abandoned.len())
}
