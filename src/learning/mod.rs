//! Learning from the index how records of one child agree: models as data, put in force by an operator, and the counts that
//! go with them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use linkage::{Field, Level, Model, Outcome, estimate::Pick};
use serde::{Deserialize, Serialize};

pub mod labelled;
pub mod plot;
pub mod replay;
pub(crate) mod store;
pub mod task;
pub mod trial;

/// Where a model comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// It ships with a release.
    Shipped,
    /// It was trained on this index.
    Trained,
}

/// What a model was trained on, and how it differs from the one in force then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version in force then, with the revision of its counts.
    pub in_force: String,
    /// How many records were looked at.
    pub records: u64,
    /// How many pairs were compared.
    pub pairs: u64,
    /// How many of them are expected to be of one child.
    pub expected: f64,
    /// For each way of picking pairs: how many there were, and how many of them are expected to be of one child.
    pub picked: BTreeMap<Pick, (u64, f64)>,
    /// How many rounds it took.
    pub rounds: usize,
    /// The weights before and now.
    pub weights: Vec<Moved>,
    /// What the models decide on records of the index, each taken for new: how often the one in force says the first, and this
    /// one the second.
    pub decided: Vec<Decided>,
}

/// A weight before and now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// What is compared.
    pub field: Field,
    /// How it agrees.
    pub level: Level,
    /// How often it does so in two records of one child, by the model in force.
    pub same_before: f64,
    /// By this one.
    pub same: f64,
    /// How often it does so in records of two children; none where the frequency of the value tells it.
    pub different: Option<f64>,
}

/// How often two models decide so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// What the model in force says.
    pub before: Outcome,
    /// What the new one says.
    pub now: Outcome,
    /// How often.
    pub records: u64,
}

/// The weights of two models side by side, where both have them.
#[must_use]
pub fn moved(before: &Model, now: &Model) -> Vec<Moved> {
    let weights = now.weights.iter().flat_map(|(field, levels)| {
        levels.iter().map(move |(level, weight)| (*field, *level, *weight))
    });
    weights
        .filter_map(|(field, level, weight)| {
            let held = before.weights.get(&field)?.get(&level)?;
            let (same_before, same) = (held.same, weight.same);
            Some(Moved { field, level, same_before, same, different: weight.different })
        })
        .collect()
}

/// The name of what is in force: the version of the model, and the revision of the counts, 0 before any.
#[must_use]
pub fn version(model: i32, revision: i32) -> String {
    format!("{model}.{revision}")
}

/// As few children as are worth counting.
pub const FEWEST: u64 = 100;

/// Whether the index is to be counted anew: it was never counted, or a day ago, or has grown by a tenth since, or by a
/// hundredth in five minutes.
#[must_use]
pub fn is_due(children: u64, counted: Option<(u64, DateTime<Utc>)>, now: DateTime<Utc>) -> bool {
    let Some((before, at)) = counted else { return children >= FEWEST };
    let (grown, since) = (children.saturating_sub(before), now - at);
    grown * 10 >= before.max(1)
        || (grown * 100 >= before.max(1) && since >= TimeDelta::minutes(5))
        || since >= TimeDelta::days(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_counted_when_it_has_grown_or_a_day_is_over() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let ago = |minutes| now - TimeDelta::minutes(minutes);
        for (children, counted, due) in [
            (99, None, false),
            (100, None, true),
            (1_099, Some((1_000, ago(1))), false),
            (1_100, Some((1_000, ago(1))), true),
            (1_009, Some((1_000, ago(5))), false),
            (1_010, Some((1_000, ago(4))), false),
            (1_010, Some((1_000, ago(5))), true),
            (900, Some((1_000, ago(60))), false),
            (900, Some((1_000, ago(24 * 60))), true),
        ] {
            assert_eq!(is_due(children, counted, now), due, "{children} {counted:?}");
        }
    }
}
