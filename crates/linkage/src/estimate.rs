//! What the records themselves tell of how records agree: u from random pairs, m by expectation-maximisation, without labels.
//!
//! The pairs that share a key are of four kinds: of one child, of twins, of a brother and sister, of strangers. Pairs that were
//! picked for a field that is the same say nothing of how that field agrees, so there are several picks, and each field is
//! learnt from the picks that do not go by it. Twins share all but given name and gender, brothers and sisters also not the
//! birthday; without a kind of their own they would teach that one child often has two given names. Every share is drawn
//! towards the model that stood before, as by as many pairs as [`Prior`] says, so that few duplicates move little.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    compare::{Comparison, Field, Level},
    model::{Model, Weight},
};

/// How many pairs the model before stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Pairs of one child, for each field.
    pub same: f64,
    /// Random pairs, for each field.
    pub different: f64,
    /// Pairs of strangers under one postcode, for what is compared only there.
    pub nearby: f64,
}

impl Default for Prior {
    fn default() -> Self {
        Self { same: 100.0, different: 20_000.0, nearby: 50.0 }
    }
}

/// How often each level was seen among pairs of different children.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(pub BTreeMap<Field, BTreeMap<Level, f64>>);

impl Seen {
    /// Counts a random pair: what is compared wherever both records have it.
    pub fn count(&mut self, pair: &Comparison) {
        self.add(pair, |group| !only_nearby(group));
    }

    /// Counts a pair under one postcode: what is compared only there.
    pub fn count_nearby(&mut self, pair: &Comparison) {
        self.add(pair, only_nearby);
    }

    fn add(&mut self, pair: &Comparison, counts: impl Fn(Group) -> bool) {
        for finding in &pair.findings {
            if counts(group_of(finding.field, finding.level)) {
                let levels = self.0.entry(finding.field).or_default();
                *levels.entry(finding.level).or_default() += 1.0;
            }
        }
    }

    fn of(&self, field: Field, level: Level) -> f64 {
        self.0.get(&field).and_then(|levels| levels.get(&level)).copied().unwrap_or_default()
    }

    fn all(&self, group: Group) -> f64 {
        let levels = self.0.get(&group.0).into_iter().flatten();
        levels.filter(|(level, _)| group_of(group.0, **level) == group).map(|(_, n)| n).sum()
    }
}

/// No share is nearer to 0 or to 1.
const BOUND: f64 = 1e-6;

fn bounded(share: f64) -> f64 {
    share.clamp(BOUND, 1.0 - BOUND)
}

/// The model with u as `random` pairs show it. Levels that go by the frequency of the value stay so.
#[must_use]
pub fn with_different(model: &Model, random: &Seen, prior: Prior) -> Model {
    let mut learnt = model.clone();
    for (field, levels) in &mut learnt.weights {
        for (level, weight) in levels.iter_mut() {
            let group = group_of(*field, *level);
            let (seen, all) = (random.of(*field, *level), random.all(group));
            let before = if only_nearby(group) { prior.nearby } else { prior.different };
            weight.different =
                weight.different.map(|u| bounded((seen + before * u) / (all + before)));
        }
    }
    learnt
}

/// A way to pick pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pick {
    /// The date of birth is the same.
    Birth,
    /// Family name and given name are the same.
    Name,
    /// The postcode, or street and house, are the same.
    Home,
}

impl Pick {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Birth, Self::Name, Self::Home];

    /// Whether a pair is picked.
    #[must_use]
    pub fn picks(self, pair: &Comparison) -> bool {
        let is = |field, level| pair.level(field) == Some(level);
        match self {
            Self::Birth => is(Field::DateOfBirth, Level::Same),
            Self::Name => is(Field::FamilyName, Level::Same) && is(Field::GivenName, Level::Same),
            Self::Home => {
                is(Field::Postcode, Level::Same) || is(Field::Street, Level::SameWithHouse)
            }
        }
    }

    /// Whether it goes by a field, so that it says nothing of it.
    #[must_use]
    pub fn goes_by(self, field: Field) -> bool {
        match self {
            Self::Birth => field == Field::DateOfBirth,
            Self::Name => matches!(field, Field::FamilyName | Field::GivenName),
            Self::Home => {
                matches!(field, Field::Postcode | Field::House | Field::Street | Field::Town)
            }
        }
    }
}

/// The kinds of pairs: of one child, of twins, of brother and sister, of strangers.
const KINDS: usize = 4;
/// As many pairs of each kind are taken to have been seen before: strangers are by far the most.
const BEFORE: [f64; KINDS] = [1.0, 1.0, 1.0, 100.0];

/// What was learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The model with m as the pairs show it.
    pub model: Model,
    /// For each pick: how many pairs it has, and how many of them are expected to be of one child.
    pub expected: BTreeMap<Pick, (u64, f64)>,
    /// The logarithm of the (penalised) likelihood after each round; it never falls.
    pub likelihood: Vec<f64>,
}

/// One field of a pair: where its weight stands, and u of what was seen.
struct Observed {
    slot: usize,
    field: Field,
    different: f64,
}

/// Learns m from pairs that were compared by `model`, by no more than `rounds` rounds.
#[must_use]
pub fn with_same(model: &Model, pairs: &[Comparison], prior: Prior, rounds: usize) -> Estimate {
    let slots: Vec<(Field, Level, Weight)> = model
        .weights
        .iter()
        .flat_map(|(field, levels)| levels.iter().map(|(level, weight)| (*field, *level, *weight)))
        .collect();
    let find = |field, level| slots.iter().position(|slot| (slot.0, slot.1) == (field, level));
    let picked: Vec<Picked> = Pick::ALL
        .iter()
        .map(|pick| Picked {
            pick: *pick,
            shares: [0.1, 0.01, 0.01, 0.88],
            pairs: pairs
                .iter()
                .filter(|pair| pick.picks(pair))
                .map(|pair| observed(pair, *pick, &find, &slots))
                .collect(),
        })
        .collect();
    let mut state = State { same: whole(&slots, slots.iter().map(|slot| slot.2.same)), picked };
    let start = state.same.clone();
    let mut likelihood = Vec::new();
    for _ in 0..rounds {
        let reached = state.round(&slots, &start, prior);
        let gained = likelihood.last().map_or(f64::INFINITY, |before| reached - before);
        likelihood.push(reached);
        if gained.abs() < 1e-7 * reached.abs().max(1.0) {
            break;
        }
    }
    let mut learnt = model.clone();
    for ((field, level, weight), (now, before)) in slots.iter().zip(state.same.iter().zip(&start)) {
        // The shares of a field that were set by hand need not add up to one; what was learnt moves them in proportion.
        let same = bounded(weight.same * now / before);
        if let Some(held) = learnt.weights.get_mut(field).and_then(|levels| levels.get_mut(level)) {
            held.same = same;
        }
    }
    let expected = state
        .picked
        .iter()
        .map(|picked| {
            #[expect(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^52")]
            let pairs = picked.pairs.len() as f64;
            (picked.pick, (picked.pairs.len() as u64, pairs * picked.shares[0]))
        })
        .collect();
    Estimate { model: in_order(learnt), expected, likelihood }
}

fn observed(
    pair: &Comparison,
    pick: Pick,
    find: &impl Fn(Field, Level) -> Option<usize>,
    slots: &[(Field, Level, Weight)],
) -> Vec<Observed> {
    let of_pick = pair.findings.iter().filter(|finding| !pick.goes_by(finding.field));
    of_pick
        .filter_map(|finding| {
            let slot = find(finding.field, finding.level)?;
            let different = slots[slot].2.same / finding.bits.exp2();
            Some(Observed { slot, field: finding.field, different })
        })
        .collect()
}

struct Picked {
    pick: Pick,
    shares: [f64; KINDS],
    pairs: Vec<Vec<Observed>>,
}

struct State {
    same: Vec<f64>,
    picked: Vec<Picked>,
}

/// A field, and which of its sets of levels: 0 for the common one.
type Group = (Field, u8);

/// The levels that add up to one: those that are told only where something else is so stand by themselves.
fn group_of(field: Field, level: Level) -> Group {
    let set = match (field, level) {
        (Field::Street, Level::SameHere | Level::AlikeHere | Level::DifferentHere)
        | (Field::GivenName, Level::SwappedSame | Level::SwappedLike)
        | (_, Level::WithinWhatIsKnown) => 1,
        (_, Level::Placeholder) => 2,
        _ => 0,
    };
    (field, set)
}

/// Whether it is compared only under the same postcode.
fn only_nearby(group: Group) -> bool {
    group.0 == Field::House || group == (Field::Street, 1)
}

/// Values of the slots, so that those of a group add up to one.
fn whole(slots: &[(Field, Level, Weight)], values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<_> = values.collect();
    let mut sums: BTreeMap<Group, f64> = BTreeMap::new();
    for ((field, level, _), value) in slots.iter().zip(&values) {
        *sums.entry(group_of(*field, *level)).or_default() += value;
    }
    let of = |(field, level, _): &(Field, Level, Weight)| sums[&group_of(*field, *level)];
    slots.iter().zip(&values).map(|(slot, value)| value / of(slot)).collect()
}

impl State {
    /// One round of expectation and maximisation; gives the likelihood from before it.
    fn round(&mut self, slots: &[(Field, Level, Weight)], start: &[f64], prior: Prior) -> f64 {
        let mut seen: Vec<f64> = start.iter().map(|share| share * prior.same).collect();
        let mut reached: f64 =
            seen.iter().zip(&self.same).map(|(before, share)| before * share.ln()).sum();
        for picked in &mut self.picked {
            let mut kinds = BEFORE;
            reached +=
                BEFORE.iter().zip(&picked.shares).map(|(n, share)| n * share.ln()).sum::<f64>();
            for pair in &picked.pairs {
                let odds = odds(pair, &self.same, start);
                let mut weights = [0.0; KINDS];
                for (weight, (share, odds)) in
                    weights.iter_mut().zip(picked.shares.iter().zip(odds))
                {
                    *weight = share * odds;
                }
                let all: f64 = weights.iter().sum();
                reached += all.ln();
                for (kind, weight) in kinds.iter_mut().zip(weights) {
                    *kind += weight / all;
                }
                for observed in pair {
                    seen[observed.slot] += weights[0] / all;
                }
            }
            let all: f64 = kinds.iter().sum();
            picked.shares = kinds.map(|kind| kind / all);
        }
        self.same = whole(slots, seen.into_iter());
        reached
    }
}

/// How much likelier what was seen is for each kind of pair than for strangers. What relatives share agrees as `start` says,
/// whatever is learnt of one child.
fn odds(pair: &[Observed], same: &[f64], start: &[f64]) -> [f64; KINDS] {
    let mut odds = [1.0; KINDS];
    for observed in pair {
        let ratio = start[observed.slot] / observed.different;
        odds[0] *= same[observed.slot] / observed.different;
        match observed.field {
            Field::GivenName | Field::Gender | Field::Identifier => {}
            Field::DateOfBirth => odds[1] *= ratio,
            _ => {
                odds[1] *= ratio;
                odds[2] *= ratio;
            }
        }
    }
    odds
}

/// Levels that follow one another: what is closer says no less.
const LADDERS: [(Field, &[Level]); 4] = {
    use Level::{Close, Different, Distant, OneDigit, OneEdit, SameArea, SameDistrict, SameSector};
    [
        (Field::FamilyName, &[OneEdit, Close, Distant, Different]),
        (Field::GivenName, &[OneEdit, Close, Distant, Different]),
        (Field::Postcode, &[SameSector, SameDistrict, SameArea, Different]),
        (Field::DateOfBirth, &[OneDigit, Level::TwoParts, Level::SameYear, Different]),
    ]
};

/// The model with neighbouring levels drawn together where what is less close would say more.
fn in_order(mut model: Model) -> Model {
    for (field, ladder) in LADDERS {
        let Some(levels) = model.weights.get_mut(&field) else { continue };
        let mut pools: Vec<(Vec<Level>, f64, f64)> = Vec::new();
        for level in ladder {
            let Some(Weight { same, different: Some(different) }) = levels.get(level) else {
                continue;
            };
            let mut pool = (vec![*level], *same, *different);
            while let Some(before) = pools.pop_if(|before| before.1 * pool.2 < pool.1 * before.2) {
                pool = ([before.0, pool.0].concat(), before.1 + pool.1, before.2 + pool.2);
            }
            pools.push(pool);
        }
        for (pooled, same, different) in pools {
            for level in &pooled {
                if let Some(weight) = levels.get_mut(level) {
                    weight.same = weight.different.unwrap_or(different) * same / different;
                }
            }
        }
    }
    model
}
