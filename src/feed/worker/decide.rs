//! Which child a row is of, by the matcher in force: as a system that asks is answered, and never two children of one source.

use std::collections::HashSet;

use linkage::{
    Comparison, Decision, Field, Level, Outcome, Person, decide::is_a_relative, decide_for,
    model::Thresholds,
};
use serde_json::Value;

use super::{Source, rule, store};
use crate::{
    feed::row::FeedRow,
    ids::ChildId,
    involvement::ServiceType,
    matching::{
        asked, entry,
        matcher::InForce,
        retrieve::{self, Found as Retrieved},
    },
    problem::Problem,
    work::Unit,
};

/// Why a row waits of which a steward has said that it is not of the child whom it is like.
pub(crate) const UNLINKED: &str = "unlinked";
/// Why a row waits that shares its keys with more records than are compared.
const TOO_MANY: &str = "tooMany";
/// As many children as a steward is shown beside a row.
const SHOWN: usize = 5;

/// As many rows as are looked for between two moments at which others may go first.
const AT_ONCE: usize = 10;

/// What was found of a row.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) verdict: Verdict,
    /// The children on whom the verdict depends.
    pub(crate) near: Vec<ChildId>,
}

/// Which child it is.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// This one.
    Child(ChildId),
    /// A steward decides between these, best first, because of these reasons.
    Doubt { candidates: Vec<ChildId>, reasons: Vec<String> },
    /// None; these are like it, though less.
    Nobody { noted: Vec<ChildId> },
}

impl Verdict {
    fn doubt(candidates: Vec<ChildId>, reason: &str) -> Self {
        Self::Doubt { candidates, reasons: vec![reason.to_owned()] }
    }
}

/// A row as a person to be found.
pub(super) struct Asked<'r> {
    said: &'r FeedRow,
    pub(super) person: Person,
    /// Whether it holds what a shield hides.
    behind_shield: bool,
}

impl<'r> Asked<'r> {
    pub(super) fn new(source: &Source, said: &'r FeedRow) -> Self {
        let person = person(source, said);
        let behind_shield = person.places.len()
            + person.schools.len()
            + person.practices.len()
            + person.identifiers.len()
            > 0;
        Self { said, person, behind_shield }
    }

    /// What a shield leaves visible of it.
    fn visible(&self) -> Person {
        let (places, schools, practices, identifiers) = Default::default();
        Person { places, schools, practices, identifiers, ..self.person.clone() }
    }
}

/// Finds the child of each row. By what a shield hides no shielded child is found; by what it leaves visible alone, one may be.
pub(super) async fn find(
    work: &mut impl Unit,
    source: &Source,
    asked: &[&Asked<'_>],
) -> Result<Vec<Found>, Problem> {
    let whole: Vec<_> = asked.iter().map(|one| (&one.person, one.behind_shield)).collect();
    let mut decided = Vec::with_capacity(whole.len());
    for few in whole.chunks(AT_ONCE) {
        work.give_way().await?;
        decided.extend(self::decided(work, source, few).await?);
    }
    let matched = decided.iter().enumerate().filter_map(|(n, decided)| {
        let decision = decided.decision.as_ref()?;
        let child = decision.best.filter(|_| decision.outcome == Outcome::Match)?;
        Some((n, child))
    });
    let matched: Vec<_> = matched.collect();
    let pairs: Vec<_> = matched.iter().map(|(n, child)| (asked[*n].said, *child)).collect();
    let unlinked = store::unlinked(work, source.feed, &pairs).await?;
    let unlinked: HashSet<_> = unlinked.into_iter().map(|at| matched[at].0).collect();

    let (in_force, mut found) = (work.matcher(), Vec::new());
    for (n, Decided { decision, near }) in decided.into_iter().enumerate() {
        let verdict = match decision {
            None => Verdict::doubt(Vec::new(), TOO_MANY),
            Some(decision) if unlinked.contains(&n) => {
                Verdict::doubt(decision.best.into_iter().collect(), UNLINKED)
            }
            Some(decision) => verdict(&in_force, decision)?,
        };
        found.push(Found { verdict, near });
    }
    behind_shields(work, source, asked, &mut found).await?;
    Ok(found)
}

fn verdict(in_force: &InForce, decision: Decision<ChildId>) -> Result<Verdict, Problem> {
    let Decision { outcome, best, reasons, ranked } = decision;
    let thresholds = &in_force.matcher.model.thresholds;
    let over = |floor: f64| {
        let live =
            ranked.iter().filter(move |(_, like)| like.bits >= floor && !is_a_relative(like));
        live.map(|(child, _)| *child)
    };
    Ok(match (outcome, best) {
        (Outcome::Match, Some(child)) => Verdict::Child(child),
        (Outcome::Review, Some(best)) => {
            let rest = over(thresholds.review).filter(|child| *child != best);
            let candidates = [best].into_iter().chain(rest).take(SHOWN).collect();
            let reasons = reasons.iter().map(|reason| match serde_json::to_value(reason) {
                Ok(Value::String(reason)) => Ok(reason),
                other => {
                    Err(Problem::internal(anyhow::anyhow!("a reason that is no word: {other:?}")))
                }
            });
            Verdict::Doubt { candidates, reasons: reasons.collect::<Result<_, _>>()? }
        }
        _ => Verdict::Nobody { noted: over(thresholds.noted).collect() },
    })
}

/// Of rows that are of nobody by all that they say, finds the shielded children of whom they are by what a shield leaves visible alone.
async fn behind_shields(
    work: &mut impl Unit,
    source: &Source,
    asked: &[&Asked<'_>],
    found: &mut [Found],
) -> Result<(), Problem> {
    let of_nobody =
        |n: &usize| asked[*n].behind_shield && matches!(found[*n].verdict, Verdict::Nobody { .. });
    let open: Vec<_> = (0..asked.len()).filter(of_nobody).collect();
    let visible: Vec<_> = open.iter().map(|n| asked[*n].visible()).collect();
    for at in near_shielded(work, &visible).await? {
        let n = open[at];
        let decided = decided(work, source, &[(&visible[at], false)]).await?.pop();
        let decision = decided.and_then(|one| one.decision);
        let best = decision.filter(|one| one.outcome == Outcome::Match).and_then(|one| one.best);
        let Some(child) = best else { continue };
        let known = store::is_shielded(work, child).await?;
        let pair = [(asked[n].said, child)];
        if known && store::unlinked(work, source.feed, &pair).await?.is_empty() {
            found[n] = Found { verdict: Verdict::Child(child), near: vec![child] };
        }
    }
    Ok(())
}

/// Which of these are near a shielded child, by what a shield leaves visible.
async fn near_shielded(work: &mut impl Unit, visible: &[Person]) -> Result<Vec<usize>, Problem> {
    let (today, in_force) = (work.today(), work.matcher());
    let floor = floor(&in_force.matcher.model.thresholds);
    let (people, mut near) = (visible.iter().collect::<Vec<_>>(), Vec::new());
    work.give_way().await?;
    retrieve::each_shielded(work.db(), &people, today, |n, candidates| {
        let compared = candidates.compared(&in_force.matcher, people[n])?;
        near.extend(compared.iter().any(|(_, like)| counts(like, floor)).then_some(n));
        Ok(())
    })
    .await?;
    Ok(near)
}

/// What was decided of one who is asked for; no decision where too many share a key to compare.
struct Decided {
    decision: Option<Decision<ChildId>>,
    near: Vec<ChildId>,
}

/// Decides among the records that share a key with each who is asked for, each with whether it holds what a shield hides.
async fn decided(
    work: &mut impl Unit,
    source: &Source,
    asked: &[(&Person, bool)],
) -> Result<Vec<Decided>, Problem> {
    let (today, in_force) = (work.today(), work.matcher());
    let floor = floor(&in_force.matcher.model.thresholds);
    let mut compared: Vec<_> = asked.iter().map(|_| None).collect();
    retrieve::each(work.db(), asked, today, |n, found| {
        let Retrieved::Candidates(candidates) = found else { return Ok(()) };
        let mut like = candidates.compared(&in_force.matcher, asked[n].0)?;
        like.retain(|(_, like)| counts(like, floor));
        compared[n] = Some(like);
        Ok(())
    })
    .await?;
    let near: Vec<_> = compared.iter().flatten().flatten().map(|(child, _)| child.0).collect();
    let own: HashSet<_> = if near.is_empty() {
        HashSet::new()
    } else {
        store::held_of(work, source.feed, &near).await?.into_iter().collect()
    };
    let decided = compared.into_iter().map(|compared| {
        let near = compared.iter().flatten().map(|(child, _)| *child).collect();
        let decision = compared.map(|compared| {
            decide_for(&in_force.matcher.model, compared, |child| own.contains(&child.0))
        });
        Decided { decision, near }
    });
    Ok(decided.collect())
}

/// What is worth deciding on: less is neither noted nor comes too close to a match.
fn floor(thresholds: &Thresholds) -> f64 {
    thresholds.noted.min(thresholds.review - thresholds.margin)
}

fn counts(like: &Comparison, floor: f64) -> bool {
    like.bits >= floor || like.level(Field::Identifier) == Some(Level::Same)
}

/// A row as a person to be found: with the school or practice that sends it, and the numbers that a body of its kind may read.
pub(crate) fn person(source: &Source, said: &FeedRow) -> Person {
    let mut person = asked::person_of(&rule::child_in(said));
    let own = entry::organisation(source.organisation);
    match source.service {
        ServiceType::EarlyYears | ServiceType::School | ServiceType::College => {
            person.schools.push(own);
        }
        ServiceType::GeneralPractice => person.practices.push(own),
        _ => {}
    }
    let read = said.identifiers.iter().filter(|one| source.kind.may_read(one.kind()));
    person.identifiers = read.map(asked::identifier).collect();
    person
}
