//! The model: what each way of agreeing says, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compare::{Field, Level};

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

/// A model of how records of one child agree, and how those of two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Of how many children one is looked for: the prior is one in so many, whatever the index holds.
    pub population: f64,
    /// The weights, by field and level.
    pub weights: BTreeMap<Field, BTreeMap<Level, Weight>>,
    /// The thresholds.
    pub thresholds: Thresholds,
}

impl Model {
    /// The model before anything was learnt: the shares of published studies and of design.
    #[must_use]
    pub fn cold() -> Self {
        let mut weights: BTreeMap<Field, BTreeMap<Level, Weight>> = BTreeMap::new();
        for (field, level, same, different) in COLD {
            let different = Some(different).filter(|share| *share > 0.0);
            weights.entry(field).or_default().insert(level, Weight { same, different });
        }
        let thresholds = Thresholds { matched: 10.0, review: 0.0, noted: -6.0, margin: 8.0 };
        Self { population: 12e6, weights, thresholds }
    }

    /// What stands before any evidence, in bits.
    #[must_use]
    pub fn prior(&self) -> f64 {
        -self.population.log2()
    }

    /// What a level says, in bits; `frequency` is that of the value, where the level goes by it.
    #[must_use]
    pub fn bits(&self, field: Field, level: Level, frequency: f64) -> f64 {
        let weight = self.weights.get(&field).and_then(|levels| levels.get(&level));
        weight.map_or(0.0, |weight| (weight.same / weight.different.unwrap_or(frequency)).log2())
    }
}

/// Field, level, m, u; u of 0 stands for the frequency of the value.
const COLD: [(Field, Level, f64, f64); 56] = {
    use Field::*;
    use Level::*;
    [
        (FamilyName, Same, 0.87, 0.0),
        (FamilyName, Part, 0.03, 2e-4),
        (FamilyName, OneEdit, 0.04, 6e-4),
        (FamilyName, Close, 0.01, 1e-3),
        (FamilyName, Distant, 0.01, 6e-3),
        (FamilyName, Different, 0.04, 0.985),
        (GivenName, Same, 0.80, 0.0),
        (GivenName, Nickname, 0.05, 3e-3),
        (GivenName, Initial, 0.01, 0.05),
        (GivenName, OneEdit, 0.05, 3e-3),
        (GivenName, Close, 0.015, 6e-3),
        (GivenName, Distant, 0.015, 2e-2),
        (GivenName, OtherGivenName, 0.02, 6e-3),
        (GivenName, Different, 0.04, 0.92),
        (DateOfBirth, Same, 0.93, 1.0 / 6574.0),
        (DateOfBirth, Swapped, 0.01, 1.0 / 6574.0),
        (DateOfBirth, OneDigit, 0.025, 8e-3),
        (DateOfBirth, TwoParts, 0.02, 8e-3),
        (DateOfBirth, SameYear, 0.007, 0.05),
        (DateOfBirth, Different, 0.008, 0.93),
        (DateOfBirth, WithinWhatIsKnown, 0.9, 0.06),
        (Postcode, Same, 0.78, 0.0),
        (Postcode, OneEdit, 0.03, 2e-5),
        (Postcode, SameSector, 0.01, 1.5e-4),
        (Postcode, SameDistrict, 0.04, 5e-4),
        (Postcode, SameArea, 0.05, 0.012),
        (Postcode, Different, 0.09, 0.987),
        (House, Same, 0.9, 0.08),
        (House, Different, 0.1, 0.92),
        (Street, SameWithHouse, 0.30, 1.5e-4),
        (Street, Same, 0.05, 2e-3),
        (Street, Different, 0.65, 0.998),
        (Gender, Same, 0.985, 0.5),
        (Gender, Different, 0.015, 0.5),
        (Carer, Same, 0.80, 1e-5),
        (Carer, SameGivenName, 0.05, 4e-3),
        (Carer, SameFamilyName, 0.05, 5e-3),
        (Carer, Different, 0.10, 0.99),
        (School, Same, 0.85, 5e-5),
        (School, Different, 0.15, 1.0),
        (Practice, Same, 0.85, 1.5e-4),
        (Practice, Different, 0.15, 1.0),
        (Identifier, Same, 0.99, 1.0 / 12e6),
        (Identifier, Different, 2e-4, 0.9),
        (Town, Same, 0.7, 2e-3),
        (Town, OneEdit, 0.05, 1e-3),
        (Town, Different, 0.25, 0.997),
        (FamilyName, SwappedSame, 0.01, 0.0),
        (FamilyName, SwappedLike, 0.002, 1e-3),
        (GivenName, SwappedSame, 0.9, 0.0),
        (GivenName, SwappedLike, 0.05, 3e-3),
        (GivenName, AnotherRealName, 0.01, 0.01),
        (Street, OneEdit, 0.05, 1e-3),
        (Street, SameHere, 0.85, 0.7),
        (Street, AlikeHere, 0.1, 0.03),
        (Street, DifferentHere, 0.05, 0.27),
    ]
};
