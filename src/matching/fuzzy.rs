//! Children who are nearly as asked: which of them are told, and in which words.

use std::collections::HashMap;

use linkage::{
    Comparison, Level, Matcher, Model, Outcome, Person, decide,
    decide::is_a_relative,
    explain::{Said, doubt},
};
use serde_json::{Value, json};

use super::{Agreement, Field, How, MOST, Match, Strength, candidates::Candidates};
use crate::{
    ids::{ChildId, IndexNumber},
    problem::Problem,
};

/// As many children as are considered; of more it is told only that they are too many.
const MOST_CONSIDERED: usize = 20;
/// With less evidence than this a child is not told, in bits. That the person who searches expects the child to be here speaks
/// for the child already.
const FLOOR: f64 = -12.0;
/// Who is so much behind the best, in bits, is not told.
const BEHIND: f64 = 12.0;

/// A child beside what was asked.
#[derive(Debug, Clone)]
pub(crate) struct Near {
    /// Which child.
    pub(crate) child: ChildId,
    /// How the child agrees.
    pub(crate) comparison: Comparison,
    /// What the child agrees in, in words.
    pub(crate) said: Vec<Said>,
    /// How well.
    pub(crate) strength: Strength,
    /// Why it is not certain, though it may be.
    pub(crate) doubts: Vec<&'static str>,
}

/// The children who may be the one who is looked for, best first: no relatives, nobody below `floor`.
pub(crate) fn near(
    matcher: &Matcher,
    asked: &Person,
    candidates: &Candidates,
    floor: f64,
) -> Result<Vec<Near>, Problem> {
    let mut live = Vec::new();
    for known in candidates.known() {
        let (child, known) = known?;
        let comparison = matcher.compare(asked, &known);
        if comparison.bits >= floor && !is_a_relative(&comparison) {
            live.push((child, known, comparison));
        }
    }
    live.sort_by(|(a, _, one), (b, _, other)| {
        other.bits.total_cmp(&one.bits).then_with(|| a.cmp(b))
    });
    let told = live.into_iter().map(|(child, known, comparison)| {
        let said = matcher.explain(asked, &known, &comparison);
        let (strength, doubts) = judged(&matcher.model, &comparison);
        Near { child, comparison, said, strength, doubts }
    });
    Ok(told.collect())
}

/// Those whom a search tells of: none where too many come close to the best.
pub(crate) fn told(
    matcher: &Matcher,
    asked: &Person,
    candidates: &Candidates,
) -> Result<Option<Vec<Near>>, Problem> {
    let mut near = near(matcher, asked, candidates, FLOOR)?;
    let best = near.first().map_or(FLOOR, |best| best.comparison.bits);
    near.retain(|one| one.comparison.bits >= best - BEHIND);
    if near.len() > MOST_CONSIDERED {
        return Ok(None);
    }
    near.truncate(MOST);
    Ok(Some(near))
}

/// How well a child agrees, judged alone: strong where it would be a match, good where a person would have to decide.
fn judged(model: &Model, comparison: &Comparison) -> (Strength, Vec<&'static str>) {
    let decision = decide(model, vec![((), comparison.clone())]);
    let strength = match decision.outcome {
        Outcome::Match => Strength::Strong,
        Outcome::Review => Strength::Good,
        Outcome::None => Strength::Weak,
    };
    let mut doubts: Vec<_> = decision.reasons.into_iter().map(doubt).collect();
    if decision.outcome == Outcome::None {
        doubts.push(doubt(linkage::Reason::TooLittle));
    }
    (strength, doubts)
}

/// The children told, each with what the database tells of it.
pub(crate) fn results(
    near: Vec<Near>,
    mut told: HashMap<ChildId, Match>,
) -> (Vec<ChildId>, Vec<Match>) {
    let found = near.into_iter().filter_map(|near| {
        let known = told.remove(&near.child)?;
        let agreement = near.said.iter().map(Agreement::of).collect();
        let doubts = near.doubts.iter().map(|doubt| (*doubt).to_owned()).collect();
        Some((near.child, Match { strength: near.strength, agreement, doubts, ..known }))
    });
    found.unzip()
}

/// How two records agree, where what is compared of both is known.
pub(crate) fn side_by_side(
    matcher: &Matcher,
    entries: Option<(Person, Person)>,
) -> (Strength, Vec<Agreement>, Vec<String>) {
    let Some((one, other)) = entries else { return (Strength::Weak, Vec::new(), Vec::new()) };
    let comparison = matcher.compare(&one, &other);
    let agreement = matcher.explain(&one, &other, &comparison).iter().map(Agreement::of).collect();
    let (strength, doubts) = judged(&matcher.model, &comparison);
    (strength, agreement, doubts.into_iter().map(str::to_owned).collect())
}

/// What the audit keeps of a child who was compared, by which the decision can be made again.
pub(crate) fn evidence(comparison: &Comparison, child: Option<&IndexNumber>) -> Value {
    json!({ "child": child, "bits": comparison.bits, "apart": comparison.apart, "findings": comparison.findings })
}

impl Agreement {
    fn of(said: &Said) -> Self {
        let field = Field::of(said.field);
        Self { field, how: How::of(said.level), words: Some(said.words.clone()) }
    }
}

impl Field {
    fn of(field: linkage::Field) -> Self {
        match field {
            linkage::Field::FamilyName => Self::FamilyName,
            linkage::Field::GivenName => Self::GivenNames,
            linkage::Field::FurtherNames => Self::FurtherNames,
            linkage::Field::DateOfBirth => Self::DateOfBirth,
            linkage::Field::Gender => Self::Gender,
            linkage::Field::Postcode => Self::Postcode,
            linkage::Field::House => Self::House,
            linkage::Field::Street => Self::Street,
            linkage::Field::Town => Self::Town,
            linkage::Field::Carer => Self::Carer,
            linkage::Field::School => Self::School,
            linkage::Field::Practice => Self::Practice,
            linkage::Field::Identifier => Self::Identifier,
        }
    }
}

impl How {
    fn of(level: Level) -> Self {
        match level {
            Level::Same | Level::SameWithHouse | Level::SameHere => Self::Same,
            Level::Part => Self::Part,
            Level::OneEdit => Self::OneEdit,
            Level::Close | Level::Distant | Level::TwoEdits | Level::AlikeHere => Self::Close,
            Level::Variant => Self::Variant,
            Level::Nickname => Self::Nickname,
            Level::Initial => Self::Initial,
            Level::OtherGivenName => Self::OtherGivenName,
            Level::AnotherRealName => Self::AnotherName,
            Level::SwappedSame | Level::SwappedLike => Self::NamesSwapped,
            Level::Swapped | Level::SwappedOneDigit => Self::DayAndMonthSwapped,
            Level::OneDigit => Self::OneDigit,
            Level::WithinWhatIsKnown => Self::WithinWhatIsKnown,
            Level::Different | Level::DifferentHere => Self::Different,
            _ => Self::Partly,
        }
    }
}
