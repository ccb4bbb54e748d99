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
    /// The postcode is the same and the house another, and name or date of birth is not the same.
    House,
    /// Fewer than two fields are the same.
    FewAreSame,
    /// Neither the given name nor the date of birth is the same.
    NameAndBirth,
    /// The evidence is too little.
    TooLittle,
    /// Another comes too close.
    TooClose,
    /// Identifiers and other evidence name two children.
    ManyMatch,
    /// No more than names and date of birth agree, which others may have too.
    Namesake,
    /// A twin, a brother or a sister would agree as much.
    Relative,
    /// The same source has it under another reference, so that it is another child.
    OneSource,
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
pub fn decide<I: Clone>(model: &Model, compared: Vec<(I, Comparison)>) -> Decision<I> {
    decide_for(model, compared, |_| false)
}

/// Decides among those compared for a source that holds some of them under other references: one source, two references, two
/// children. Such a one is never a match; an identifier that says otherwise is looked at.
#[must_use]
pub fn decide_for<I: Clone>(
    model: &Model,
    mut compared: Vec<(I, Comparison)>,
    same_source: impl Fn(&I) -> bool,
) -> Decision<I> {
    compared.sort_by(|(_, a), (_, b)| b.bits.total_cmp(&a.bits));
    let identified: Vec<_> =
        (0..compared.len()).filter(|n| is_identified(&compared[*n].1)).collect();
    let live: Vec<_> = (0..compared.len())
        .filter(|n| is_identified(&compared[*n].1) || !same_source(&compared[*n].0))
        .filter(|n| !is_a_relative(&compared[*n].1))
        .collect();
    let best = live.first().copied().filter(|n| compared[*n].1.bits >= model.thresholds.review);
    // Whom an identifier names is looked at, however little else agrees.
    let Some(best) = best.or(identified.first().copied()) else {
        compared.truncate(RANKED);
        let (outcome, best) = (Outcome::None, None);
        return Decision { outcome, best, reasons: Vec::new(), ranked: compared };
    };
    let top = &compared[best].1;
    let mut reasons = gates(model, top);
    if identified.iter().any(|n| *n != best) {
        reasons.push(Reason::ManyMatch);
    }
    if same_source(&compared[best].0) {
        reasons.push(Reason::OneSource);
    }
    if top.apart < model.thresholds.matched {
        reasons.push(Reason::Relative);
    } else if top.bits < model.thresholds.matched {
        reasons.push(Reason::TooLittle);
    }
    let next = live.iter().find(|n| **n != best).map(|n| &compared[*n].1);
    if next.is_some_and(|next| top.bits - next.bits < model.thresholds.margin) {
        reasons.push(Reason::TooClose);
    }
    let outcome = if reasons.is_empty() { Outcome::Match } else { Outcome::Review };
    let best = Some(compared[best].0.clone());
    compared.truncate(RANKED);
    Decision { outcome, best, reasons, ranked: compared }
}

fn is_identified(comparison: &Comparison) -> bool {
    comparison.level(Field::Identifier) == Some(Level::Same)
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
    let other_birth = matches!(
        birth,
        Some(Level::Different | Level::SameYear | Level::TwoParts | Level::MonthAndDay)
    );
    other_name && (other_birth || comparison.level(Field::Gender) == Some(Level::Different))
}

/// What forbids a match whatever the sum.
fn gates(model: &Model, top: &Comparison) -> Vec<Reason> {
    use Level::{
        Close, Different, Distant, Nickname, OneDigit, OneEdit, Part, Placeholder, Same, Swapped,
        SwappedLike, SwappedSame, Variant,
    };
    let is =
        |field, levels: &[Level]| top.level(field).is_some_and(|level| levels.contains(&level));
    let same = |field| is(field, &[Same]);
    let identified = same(Field::Identifier);
    let named = [Same, Variant, OneEdit, Close, SwappedSame, SwappedLike];
    let given = is(Field::GivenName, &named) || is(Field::GivenName, &[Nickname]);
    let whole_home = same(Field::Postcode) && same(Field::House);
    let home = whole_home || is(Field::Street, &[Level::SameWithHouse]);
    // Of one birthday, alike in both names: in one house it is one child; in one school only by a spelling that nobody else has.
    let alike = is(Field::FamilyName, &[Distant])
        && same(Field::DateOfBirth)
        && (whole_home || same(Field::School) && top.says_more_than(model, Field::FamilyName));
    let family = is(Field::FamilyName, &named) || is(Field::FamilyName, &[Part]) || alike;
    // Another family name is a new one only at the very same address: streets of one name are in many towns.
    let at_home = [Field::Postcode, Field::House, Field::GivenName, Field::DateOfBirth];
    let at_home = at_home.into_iter().all(same);
    // 1 January is written where no date is known: it is no date that agrees, and no hindrance where all else does.
    let undated = is(Field::DateOfBirth, &[Placeholder])
        && same(Field::GivenName)
        && same(Field::FamilyName)
        && (home || same(Field::School) || same(Field::Carer));
    let born = is(Field::DateOfBirth, &[Same, Swapped, OneDigit]) || undated;
    let counted =
        [Field::GivenName, Field::FamilyName, Field::DateOfBirth, Field::Postcode, Field::School];
    let exact = counted.into_iter().filter(|field| same(*field)).count() + usize::from(identified);
    let inexact = is(Field::GivenName, &[OneEdit, Close, SwappedLike]);
    // Of one name and one birthday there is hardly another in a street: the number is wrong, or they moved next door.
    let named_and_born = same(Field::GivenName)
        && same(Field::DateOfBirth)
        && is(Field::FamilyName, &[Same, Variant, OneEdit, Part]);
    let mut reasons = Vec::new();
    let mut because = |holds: bool, reason| {
        if holds {
            reasons.push(reason);
        }
    };
    because(is(Field::Identifier, &[Different]), Reason::IdentifierDiffers);
    because(!given || is(Field::FurtherNames, &[Different]) && !identified, Reason::GivenName);
    because(!born, Reason::DateOfBirth);
    because(!family && !identified && !at_home, Reason::FamilyName);
    because(is(Field::Gender, &[Different]), Reason::Gender);
    because(is(Field::House, &[Different]) && !identified && !named_and_born, Reason::House);
    because(exact < 2, Reason::FewAreSame);
    because(inexact && !same(Field::DateOfBirth), Reason::NameAndBirth);
    because(!is_borne_out(top), Reason::Namesake);
    reasons
}

/// Whether something agrees strongly beside names, date of birth and gender, which one child in forty shares with another.
fn is_borne_out(top: &Comparison) -> bool {
    /// As many bits as two carers have, or one whose family name is not the child's.
    const MORE_THAN_ONE: f64 = 8.0;
    let same = |field| top.level(field) == Some(Level::Same);
    let born = same(Field::DateOfBirth);
    let all_names =
        [Field::GivenName, Field::FurtherNames, Field::FamilyName].into_iter().all(same);
    top.findings.iter().any(|finding| {
        let strong = match finding.field {
            Field::Identifier | Field::School | Field::Practice => finding.level == Level::Same,
            Field::Postcode => matches!(finding.level, Level::Same | Level::OneEdit),
            Field::Street => matches!(
                finding.level,
                Level::SameWithHouse | Level::Same | Level::OneEdit | Level::SameHere
            ),
            // One carer of the child's own family name bears out a date that is the same, and another only where all names are the same.
            Field::Carer => {
                matches!(finding.level, Level::Same | Level::SameGivenName)
                    && (born || all_names || finding.bits >= MORE_THAN_ONE)
            }
            _ => false,
        };
        strong && finding.bits > 0.0
    })
}
