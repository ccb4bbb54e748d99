//! What the records themselves tell of how records agree: u from random pairs, m by expectation-maximisation, without labels.
//!
//! The pairs that share a key are of four kinds: of one child, of twins, of a brother and sister, of strangers. Pairs that were
//! picked for a field that is the same say nothing of how that field agrees, so there are several picks, and each field is
//! learnt from the picks that do not go by it. Twins share all but given name and gender, brothers and sisters also not the
//! birthday; without a kind of their own they would teach that one child often has two given names. What a pair is before
//! anything is compared goes by the size of the index, so that chance likenesses in an index without duplicates teach nothing.
//! Every share is drawn towards the model that stood before, as by as many pairs as [`Prior`] says, so that few duplicates move
//! little.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    compare::{Comparison, Field, Level},
    model::{Kin, Model, Weight},
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

/// The kinds of pairs beside strangers: of one child, of twins, of brother and sister.
const KINDS: usize = 3;
/// A record has as many others of its child in the index to begin with, and at least and at most.
const OTHERS: (f64, f64, f64) = (0.1, 1e-3, 1.0);
/// How often the number of pairs of one child is estimated anew.
const AGAIN: usize = 3;

/// Of what the pairs are that are learnt from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Space {
    /// How many records the index has.
    pub index: f64,
    /// How many pairs there are of which those that share a key were compared.
    pub pairs: f64,
}

impl Space {
    /// Of `sampled` records of an index with all of its records, each pair once.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
    pub fn of(sampled: usize, index: u64) -> Self {
        let (sampled, index) = (sampled as f64, (index as f64).max(sampled as f64).max(2.0));
        Self { index, pairs: (sampled * (index - f64::midpoint(sampled, 1.0))).max(1.0) }
    }
}

/// What was learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The model with m as the pairs show it.
    pub model: Model,
    /// How many pairs are expected to be of one child.
    pub expected: f64,
    /// For each pick: how many pairs it has, and how many of them are expected to be of one child.
    pub picked: BTreeMap<Pick, (u64, f64)>,
    /// The logarithm of the (penalised) likelihood after each round, since the number of pairs of one child was estimated last;
    /// it never falls.
    pub likelihood: Vec<f64>,
}

/// One field of a pair: where its weight stands, and u of what was seen.
struct Observed {
    slot: usize,
    different: f64,
    /// How often those of one family agree so, twins and others, where they agree otherwise than one child.
    kin: [Option<f64>; 2],
    /// Whether it is learnt: not where it is what the pair was picked by.
    learnt: bool,
}

type Slots = [(Field, Level, Weight)];

/// Learns m from pairs that were compared by `model`, by no more than `rounds` rounds.
#[must_use]
pub fn with_same(
    model: &Model,
    pairs: &[Comparison],
    space: Space,
    prior: Prior,
    rounds: usize,
) -> Estimate {
    let slots: Vec<_> = model
        .weights
        .iter()
        .flat_map(|(field, levels)| levels.iter().map(|(level, weight)| (*field, *level, *weight)))
        .collect();
    let start = whole(&slots, slots.iter().map(|slot| slot.2.same));
    let kin = [model.kin.twins, model.kin.siblings].map(|number| number / space.index);
    let mut state = State {
        known: [start.clone(), start.clone(), start.clone()],
        odds: [OTHERS.0 / space.index, kin[0], kin[1]],
        picked: pairs.iter().flat_map(|pair| picked(pair, &slots, &model.kin)).collect(),
        expected: 0.0,
    };
    let mut likelihood = Vec::new();
    for _ in 0..AGAIN {
        likelihood.clear();
        for _ in 0..rounds {
            let reached = state.round(&slots, &start, prior);
            let gained = likelihood.last().map_or(f64::INFINITY, |before| reached - before);
            likelihood.push(reached);
            if gained < 1e-9 * reached.abs().max(1.0) {
                break;
            }
        }
        state.odds[0] =
            (state.expected / space.pairs).clamp(OTHERS.1 / space.index, OTHERS.2 / space.index);
    }
    let mut learnt = model.clone();
    for ((field, level, weight), (now, before)) in
        slots.iter().zip(state.known[0].iter().zip(&start))
    {
        // The shares of a field that were set by hand need not add up to one; what was learnt moves them in proportion.
        let same = bounded(weight.same * now / before);
        if let Some(held) = learnt.weights.get_mut(field).and_then(|levels| levels.get_mut(level)) {
            held.same = same;
        }
    }
    let mut picked: BTreeMap<Pick, (u64, f64)> =
        Pick::ALL.into_iter().map(|pick| (pick, (0, 0.0))).collect();
    for pair in &state.picked {
        let (number, expected) = picked.entry(pair.pick).or_default();
        *number += 1;
        *expected += pair.same;
    }
    let expected = state.expected;
    Estimate { model: in_order(learnt), expected, picked, likelihood }
}

/// A pair as each of its picks sees it.
fn picked(pair: &Comparison, slots: &Slots, kin: &Kin) -> Vec<Picked> {
    let picks: Vec<_> = Pick::ALL.into_iter().filter(|pick| pick.picks(pair)).collect();
    let first = picks.first().copied();
    let seen_by = |pick: Pick| Picked {
        pick,
        first: first == Some(pick),
        same: 0.0,
        observed: observed(pair, pick, slots, kin),
    };
    picks.iter().map(|pick| seen_by(*pick)).collect()
}

fn observed(pair: &Comparison, pick: Pick, slots: &Slots, kin: &Kin) -> Vec<Observed> {
    let observed = pair.findings.iter().filter_map(|finding| {
        let at = |slot: &(Field, Level, Weight)| (slot.0, slot.1) == (finding.field, finding.level);
        let slot = slots.iter().position(at)?;
        let different = slots[slot].2.same / finding.bits.exp2();
        let kin = [true, false].map(|twins| of_kin(kin, finding.field, finding.level, twins));
        Some(Observed { slot, different, kin, learnt: !pick.goes_by(finding.field) })
    });
    observed.collect()
}

/// How often two of one family agree so, where they do otherwise than one child.
fn of_kin(kin: &Kin, field: Field, level: Level, twins: bool) -> Option<f64> {
    let of = |shares: &BTreeMap<Level, f64>| Some(shares.get(&level).copied().unwrap_or(BOUND));
    match field {
        Field::GivenName => of(&kin.given),
        Field::FurtherNames => of(&kin.further),
        Field::DateOfBirth if !twins => of(&kin.birth),
        Field::Gender => {
            let one = if twins { kin.one_gender } else { 0.5 };
            Some(if level == Level::Same { one } else { 1.0 - one })
        }
        Field::Identifier => Some(if level == Level::Same { BOUND } else { 1.0 }),
        _ => None,
    }
}

/// A pair as one pick sees it.
struct Picked {
    pick: Pick,
    /// Whether this is the first of its picks, so that it is counted here.
    first: bool,
    /// The chance that it is of one child.
    same: f64,
    observed: Vec<Observed>,
}

struct State {
    /// How often each level is seen, for each kind.
    known: [Vec<f64>; KINDS],
    /// The odds of each kind against strangers before anything is compared.
    odds: [f64; KINDS],
    picked: Vec<Picked>,
    /// How many pairs are expected to be of one child.
    expected: f64,
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

/// What is not learnt: how often one child has two given names that are nothing alike. Twins always do, and nothing else
/// tells twins of one gender from one child; so that is said by design.
fn is_held(field: Field, level: Level) -> bool {
    (field, level) == (Field::GivenName, Level::Different)
}

/// Values of the slots, so that those of a group add up to one.
fn whole(slots: &Slots, values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<_> = values.collect();
    let mut sums: BTreeMap<Group, f64> = BTreeMap::new();
    for ((field, level, _), value) in slots.iter().zip(&values) {
        *sums.entry(group_of(*field, *level)).or_default() += value;
    }
    let of = |(field, level, _): &(Field, Level, Weight)| sums[&group_of(*field, *level)];
    slots.iter().zip(&values).map(|(slot, value)| value / of(slot)).collect()
}

/// The same, where what is not learnt stays as it was.
fn shares(slots: &Slots, seen: Vec<f64>, start: &[f64]) -> Vec<f64> {
    let mut shares = whole(slots, seen.into_iter());
    for (n, (field, level, _)) in slots.iter().enumerate().filter(|(_, s)| is_held(s.0, s.1)) {
        let scale = (1.0 - start[n]) / (1.0 - shares[n]).max(BOUND);
        for (m, slot) in slots.iter().enumerate() {
            if group_of(slot.0, slot.1) == group_of(*field, *level) {
                shares[m] *= scale;
            }
        }
        shares[n] = start[n];
    }
    shares
}

impl State {
    /// One round of expectation and maximisation; gives the likelihood from before it.
    fn round(&mut self, slots: &Slots, start: &[f64], prior: Prior) -> f64 {
        let before: Vec<_> = start.iter().map(|share| share * prior.same).collect();
        let mut seen = [before.clone(), before.clone(), before.clone()];
        let known = self.known.iter().flat_map(|known| known.iter().zip(&before));
        let mut reached: f64 = known.map(|(share, before)| before * share.ln()).sum();
        self.expected = 0.0;
        for pair in &mut self.picked {
            let mut weights = self.odds;
            for observed in &pair.observed {
                for (kind, weight) in weights.iter_mut().enumerate() {
                    *weight *= observed.share(kind, &self.known[kind], start) / observed.different;
                }
            }
            // Strangers weigh one.
            let all = 1.0 + weights.iter().sum::<f64>();
            reached += all.ln();
            pair.same = weights[0] / all;
            self.expected += if pair.first { pair.same } else { 0.0 };
            for observed in pair.observed.iter().filter(|observed| observed.learnt) {
                for (kind, seen) in seen.iter_mut().enumerate() {
                    if observed.of_kin(kind).is_none() {
                        seen[observed.slot] += weights[kind] / all;
                    }
                }
            }
        }
        self.known = seen.map(|seen| shares(slots, seen, start));
        reached
    }
}

impl Observed {
    /// How often two of a kind agree so; what the pair was picked by agrees as it was thought to in the beginning.
    fn share(&self, kind: usize, known: &[f64], start: &[f64]) -> f64 {
        let learnt = if self.learnt { known } else { start };
        self.of_kin(kind).unwrap_or(learnt[self.slot])
    }

    /// The same, where that is not learnt.
    fn of_kin(&self, kind: usize) -> Option<f64> {
        kind.checked_sub(1).and_then(|kind| self.kin.get(kind).copied().flatten())
    }
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
