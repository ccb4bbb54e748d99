//! The model: what each way of agreeing says, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    cold,
    compare::{Field, Level},
};

/// How often a way of agreeing is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// Among two records of one child (m).
    pub same: f64,
    /// Among two records of different children (u); none where the frequency of the value tells it.
    pub different: Option<f64>,
}

/// What is enough to act on, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// A match has at least as many.
    pub matched: f64,
    /// What has fewer is no child to be looked at.
    pub review: f64,
    /// What is added in spite of a likeness of as many is noted as a possible duplicate.
    pub noted: f64,
    /// The second best stays at least as many behind a match.
    pub margin: f64,
}

/// How the records of two children of one family agree in what tells them apart; all else they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kin {
    /// How many twins a child has, on average.
    pub twins: f64,
    /// How many brothers and sisters that are no twins.
    pub siblings: f64,
    /// The share of twins who are of one gender.
    pub one_gender: f64,
    /// The share of those whose given names stand for one another, both being names that children are given.
    pub in_use: f64,
    /// The shares by the level of the given name.
    pub given: BTreeMap<Level, f64>,
    /// The shares by the level of the further given names.
    pub further: BTreeMap<Level, f64>,
    /// The shares by the level of the date of birth, of brothers and sisters that are no twins.
    pub birth: BTreeMap<Level, f64>,
}

impl Default for Kin {
    fn default() -> Self {
        cold::kin()
    }
}

/// A model of how records of one child agree, and how those of two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Of how many children one is looked for: the prior is one in so many, whatever the index holds.
    pub population: f64,
    /// The weights, by field and level.
    pub weights: BTreeMap<Field, BTreeMap<Level, Weight>>,
    /// How children of one family agree.
    #[serde(default)]
    pub kin: Kin,
    /// The thresholds.
    pub thresholds: Thresholds,
}

impl Model {
    /// The model before anything was learnt: the shares of published studies and of design.
    #[must_use]
    pub fn cold() -> Self {
        let mut weights: BTreeMap<Field, BTreeMap<Level, Weight>> = BTreeMap::new();
        for (field, level, same, different) in cold::WEIGHTS {
            let different = Some(different).filter(|share| *share > 0.0);
            weights.entry(field).or_default().insert(level, Weight { same, different });
        }
        let thresholds = Thresholds { matched: 10.0, review: 0.0, noted: -6.0, margin: 8.0 };
        Self { population: 12e6, weights, kin: Kin::default(), thresholds }
    }

    /// What stands before any evidence, in bits.
    #[must_use]
    pub fn prior(&self) -> f64 {
        -self.population.log2()
    }

    /// The share of pairs of one child that agree so; 1 where the model does not have the level.
    #[must_use]
    pub fn same(&self, field: Field, level: Level) -> f64 {
        let weight = self.weights.get(&field).and_then(|levels| levels.get(&level));
        weight.map_or(1.0, |weight| weight.same)
    }

    /// What a level says, in bits; `frequency` is that of the value, where the level goes by it.
    #[must_use]
    pub fn bits(&self, field: Field, level: Level, frequency: f64) -> f64 {
        let weight = self.weights.get(&field).and_then(|levels| levels.get(&level));
        weight.map_or(0.0, |weight| (weight.same / weight.different.unwrap_or(frequency)).log2())
    }
}
