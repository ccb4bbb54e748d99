//! Whether the evidence is enough to act on. Never from the sum alone: gates, a margin, and the rules for relatives.

use serde::{Deserialize, Serialize};

use crate::{
    compare::{Comparison, Field, Level},
    model::Model,
};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is this child.
    Match,
    /// It may be; a person decides.
    Review,
    /// None of those compared.
    None,
}

/// Why the best of those compared is no match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// An identifier of the same kind is another.
    IdentifierDiffers,
    /// The given name is not close.
    GivenName,
    /// The date of birth is not close.
    DateOfBirth,
    /// The family name is not close, and the home is not the same.
    FamilyName,
    /// The gender is the other.
    Gender,
    /// The postcode is the same and the house another.
    House,
    /// Fewer than two fields are the same.
    FewAreSame,
    /// Neither the given name nor the date of birth is the same.
    NameAndBirth,
    /// The evidence is too little.
    TooLittle,
    /// Another comes too close.
    TooClose,
    /// Two identifiers name two children.
    ManyMatch,
}

/// A decision, with all who were compared, best first: relatives too, who never decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision<I> {
    /// What was decided.
    pub outcome: Outcome,
    /// The best of those who may be the child.
    pub best: Option<I>,
    /// Why it is no match, though it may be the child.
    pub reasons: Vec<Reason>,
    /// At most 20 of those compared, best first.
    pub ranked: Vec<(I, Comparison)>,
}

/// As many as are ranked.
pub const RANKED: usize = 20;

/// Decides among those compared.
#[must_use]
pub fn decide<I: Clone>(model: &Model, mut compared: Vec<(I, Comparison)>) -> Decision<I> {
    compared.sort_by(|(_, a), (_, b)| b.bits.total_cmp(&a.bits));
    compared.truncate(RANKED);
    let mut live = compared.iter().filter(|(_, comparison)| !is_a_relative(comparison));
    let Some((best, top)) = live.next().filter(|(_, top)| top.bits >= model.thresholds.review)
    else {
        return Decision {
            outcome: Outcome::None,
            best: None,
            reasons: Vec::new(),
            ranked: compared,
        };
    };
    let mut reasons = gates(top);
    if top.bits < model.thresholds.matched {
        reasons.push(Reason::TooLittle);
    }
    if live.next().is_some_and(|(_, second)| top.bits - second.bits < model.thresholds.margin) {
        reasons.push(Reason::TooClose);
    }
    let outcome = if reasons.is_empty() { Outcome::Match } else { Outcome::Review };
    Decision { outcome, best: Some(best.clone()), reasons, ranked: compared }
}

/// Whether it is another child of the household: a brother or sister (another given name and another date of birth), or the
/// other of twins (another given name and another gender). What they share says nothing then.
#[must_use]
pub fn is_a_relative(comparison: &Comparison) -> bool {
    if comparison.level(Field::Identifier) == Some(Level::Same) {
        return false;
    }
    let other_name = comparison.level(Field::GivenName) == Some(Level::Different);
    let birth = comparison.level(Field::DateOfBirth);
    let other_birth = matches!(birth, Some(Level::Different | Level::SameYear | Level::TwoParts));
    other_name && (other_birth || comparison.level(Field::Gender) == Some(Level::Different))
}

fn gates(top: &Comparison) -> Vec<Reason> {
    let level = |field| top.level(field);
    let same = |field| level(field) == Some(Level::Same);
    let identified = same(Field::Identifier);
    let given = matches!(
        level(Field::GivenName),
        Some(
            Level::Same
                | Level::Nickname
                | Level::OneEdit
                | Level::Close
                | Level::SwappedSame
                | Level::SwappedLike
        )
    );
    let birth =
        matches!(level(Field::DateOfBirth), Some(Level::Same | Level::Swapped | Level::OneDigit));
    let family = matches!(
        level(Field::FamilyName),
        Some(
            Level::Same
                | Level::OneEdit
                | Level::Close
                | Level::Part
                | Level::SwappedSame
                | Level::SwappedLike
        )
    );
    let at_home =
        [Field::GivenName, Field::DateOfBirth, Field::Postcode, Field::House].into_iter().all(same);
    let counted = [Field::GivenName, Field::FamilyName, Field::DateOfBirth, Field::Postcode];
    let exact = counted.into_iter().filter(|field| same(*field)).count() + usize::from(identified);
    let inexact_given = matches!(level(Field::GivenName), Some(Level::OneEdit | Level::Close));
    let mut reasons = Vec::new();
    let mut because = |holds: bool, reason| {
        if holds {
            reasons.push(reason);
        }
    };
    because(level(Field::Identifier) == Some(Level::Different), Reason::IdentifierDiffers);
    because(!given, Reason::GivenName);
    because(!birth, Reason::DateOfBirth);
    because(!family && !identified && !at_home, Reason::FamilyName);
    because(level(Field::Gender) == Some(Level::Different), Reason::Gender);
    because(level(Field::House) == Some(Level::Different) && !identified, Reason::House);
    because(exact < 2, Reason::FewAreSame);
    because(inexact_given && !same(Field::DateOfBirth), Reason::NameAndBirth);
    reasons
}
