//! What is learnt without labels, from pairs whose truth is known here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use linkage::{
    Comparison, Field, Finding, Level, Model,
    estimate::{Estimate, Pick, Prior, Seen, Space, with_different, with_same},
    sample::Dice,
};
use proptest::prelude::*;

/// The share of children who have each name here, and who live under each postcode.
fn common(field: Field) -> f64 {
    if field == Field::Postcode { 1e-4 } else { 1e-3 }
}

/// As many strangers of such an index were born on one day, have one name, live under one postcode.
const STRANGERS: [usize; 3] = [7_600, 50, 5_000];

/// An index of ten thousand records, all of whose pairs that share a key are looked at.
const SPACE: Space = Space { index: 1e4, pairs: 5e7 };

/// Pairs as a model has them: of one child, of twins, and for each pick so many of strangers whom it picks.
struct World {
    truth: Model,
    dice: Dice,
}

impl World {
    fn chance(&mut self) -> f64 {
        f64::from(u32::try_from(self.dice.below(1 << 30)).unwrap()) / f64::from(1 << 30)
    }

    fn level(&mut self, field: Field, levels: &[Level], one_child: bool) -> Level {
        let share = |level: &Level| {
            let weight = self.truth.weights[&field][level];
            if one_child { weight.same } else { weight.different.unwrap_or(common(field)) }
        };
        let shares: Vec<_> = levels.iter().map(share).collect();
        let mut left = self.chance() * shares.iter().sum::<f64>();
        for (level, share) in levels.iter().zip(&shares) {
            left -= share;
            if left <= 0.0 {
                return *level;
            }
        }
        *levels.last().unwrap()
    }

    fn pair(&mut self, model: &Model, pick: Option<Pick>, kind: &str) -> Comparison {
        let fields: [(Field, &[Level]); 5] = [
            (
                Field::FamilyName,
                &[Level::Same, Level::OneEdit, Level::Close, Level::Distant, Level::Different],
            ),
            (
                Field::GivenName,
                &[Level::Same, Level::OneEdit, Level::Close, Level::Distant, Level::Different],
            ),
            (
                Field::DateOfBirth,
                &[Level::Same, Level::OneDigit, Level::TwoParts, Level::SameYear, Level::Different],
            ),
            (
                Field::Postcode,
                &[
                    Level::Same,
                    Level::SameSector,
                    Level::SameDistrict,
                    Level::SameArea,
                    Level::Different,
                ],
            ),
            (Field::Gender, &[Level::Same, Level::Different]),
        ];
        let findings = fields
            .into_iter()
            .map(|(field, levels)| {
                let of_one = match kind {
                    "same" => true,
                    "twins" => !matches!(field, Field::GivenName | Field::Gender),
                    _ => false,
                };
                let level = if pick.is_some_and(|pick| pick.goes_by(field)) {
                    Level::Same
                } else {
                    self.level(field, levels, of_one)
                };
                Finding { field, level, bits: model.bits(field, level, common(field)) }
            })
            .collect();
        Comparison { findings, ..Comparison::default() }
    }

    fn pairs(
        &mut self,
        model: &Model,
        same: usize,
        twins: usize,
        strangers: [usize; 3],
    ) -> Vec<Comparison> {
        let mut pairs = Vec::new();
        for (kind, n) in [("same", same), ("twins", twins)] {
            pairs.extend((0..n).map(|_| self.pair(model, None, kind)));
        }
        for (pick, strangers) in Pick::ALL.into_iter().zip(strangers) {
            pairs.extend((0..strangers).map(|_| self.pair(model, Some(pick), "strangers")));
        }
        pairs
    }
}

fn world(seed: u64) -> World {
    let mut truth = Model::cold();
    for (field, level, same) in [
        (Field::FamilyName, Level::Same, 0.70),
        (Field::FamilyName, Level::OneEdit, 0.20),
        (Field::FamilyName, Level::Different, 0.08),
        (Field::GivenName, Level::Same, 0.65),
        (Field::GivenName, Level::OneEdit, 0.25),
        (Field::DateOfBirth, Level::Same, 0.80),
        (Field::DateOfBirth, Level::OneDigit, 0.15),
        (Field::Postcode, Level::Same, 0.50),
        (Field::Postcode, Level::Different, 0.40),
    ] {
        truth.weights.get_mut(&field).unwrap().get_mut(&level).unwrap().same = same;
    }
    World { truth, dice: Dice::new(seed) }
}

fn m(model: &Model, field: Field, level: Level) -> f64 {
    model.weights[&field][&level].same
}

fn learn(model: &Model, pairs: &[Comparison]) -> Estimate {
    with_same(model, pairs, SPACE, Prior::default(), 300)
}

#[test]
fn shares_are_learnt_without_labels() {
    let mut world = world(7);
    let cold = Model::cold();
    let pairs = world.pairs(&cold, 4_000, 0, STRANGERS);
    let learnt = learn(&cold, &pairs);
    for (field, level, near) in [
        (Field::FamilyName, Level::OneEdit, 0.03),
        (Field::GivenName, Level::OneEdit, 0.03),
        (Field::DateOfBirth, Level::OneDigit, 0.03),
        (Field::Postcode, Level::Different, 0.05),
    ] {
        let (found, truth) = (m(&learnt.model, field, level), m(&world.truth, field, level));
        assert!((found - truth).abs() < near, "{field:?} {level:?}: {found} is not near {truth}");
    }
    for (pick, (_, same)) in &learnt.picked {
        let of_one =
            pairs[..4_000].iter().map(|pair| f64::from(u8::from(pick.picks(pair)))).sum::<f64>();
        assert!(
            (same - of_one).abs() < 0.1 * of_one,
            "{pick:?} has {of_one} of one child, not {same}"
        );
    }
}

#[test]
fn an_index_without_duplicates_moves_little() {
    let cold = Model::cold();
    let pairs = world(8).pairs(&cold, 0, 0, STRANGERS);
    let learnt = learn(&cold, &pairs).model;
    for (field, levels) in &cold.weights {
        for (level, weight) in levels {
            let moved = (m(&learnt, *field, *level) / weight.same).log2().abs();
            let most = if weight.same >= 0.05 { 0.3 } else { 1.5 };
            assert!(moved < most, "{field:?} {level:?} moved by {moved} bits");
        }
    }
}

#[test]
fn twins_do_not_teach_that_children_have_two_names() {
    let mut cold = Model::cold();
    let given = cold.weights.get_mut(&Field::GivenName).unwrap();
    given.get_mut(&Level::Different).unwrap().same = 0.04;
    let pairs = world(9).pairs(&cold, 0, 2_000, STRANGERS);
    let learnt = learn(&cold, &pairs).model;
    let different = m(&learnt, Field::GivenName, Level::Different);
    assert!(different < 0.15, "a given name is another for {different} of children");
}

#[test]
fn random_pairs_draw_what_is_rare_towards_what_is_seen() {
    let cold = Model::cold();
    let mut seen = Seen::default();
    let finding = |level| Finding { field: Field::DateOfBirth, level, bits: 0.0 };
    for n in 0..100_000 {
        let level = if n % 100 == 0 { Level::SameYear } else { Level::Different };
        seen.count(&Comparison { findings: vec![finding(level)], ..Comparison::default() });
    }
    let learnt = with_different(&cold, &seen, Prior::default());
    let u = |model: &Model, level| model.weights[&Field::DateOfBirth][&level].different.unwrap();
    let (before, now) = (u(&cold, Level::SameYear), u(&learnt, Level::SameYear));
    let expected = (1_000.0 + 20_000.0 * before) / 120_000.0;
    assert!((now - expected).abs() < 1e-9);
    assert_eq!(learnt.weights[&Field::FamilyName][&Level::Same].different, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_likelihood_never_falls_and_shares_stay_shares(
        seed in any::<u64>(), same in 0_usize..400, twins in 0_usize..100, strangers in 0_usize..2_000,
    ) {
        let cold = Model::cold();
        let pairs = world(seed).pairs(&cold, same, twins, [strangers; 3]);
        let learnt = learn(&cold, &pairs);
        for two in learnt.likelihood.windows(2) {
            prop_assert!(two[1] >= two[0] - 1e-6 * two[0].abs(), "{two:?}");
        }
        for (field, levels) in &learnt.model.weights {
            for (level, weight) in levels {
                prop_assert!((1e-6..=1.0 - 1e-6).contains(&weight.same), "{field:?} {level:?} {weight:?}");
            }
        }
        prop_assert_eq!(learn(&cold, &pairs), learnt);
    }

    #[test]
    fn closer_spellings_never_say_less(seed in any::<u64>(), same in 0_usize..400) {
        let cold = Model::cold();
        let pairs = world(seed).pairs(&cold, same, 0, [500; 3]);
        let learnt = learn(&cold, &pairs).model;
        for field in [Field::FamilyName, Field::GivenName] {
            let ladder = [Level::OneEdit, Level::Close, Level::Distant, Level::Different];
            let bits = ladder.map(|level| learnt.bits(field, level, common(field)));
            prop_assert!(bits.windows(2).all(|two| two[0] >= two[1] - 1e-9), "{field:?} {bits:?}");
        }
    }
}
