//! Which child a row is of, by the matcher in force: as a system that asks is answered, and never two children of one source.

use linkage::{
    Comparison, Decision, Field, Level, Outcome, Person, decide::is_a_relative, decide_for,
};
use serde_json::Value;

use super::{Source, rule, store};
use crate::{
    feed::row::FeedRow,
    ids::ChildId,
    involvement::ServiceType,
    matching::{
        asked, entry,
        retrieve::{self, Found as Retrieved},
    },
    problem::Problem,
    work::Unit,
};

/// Why a row waits of which a steward has said that it is not of the child whom it is like.
pub(crate) const UNLINKED: &str = "unlinked";
/// As many children as a steward is shown beside a row.
const SHOWN: usize = 5;

/// What was found, and the version of the model that decided.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) verdict: Verdict,
    pub(crate) model: String,
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

/// Finds the child. By what a shield hides no shielded child is found; by what it leaves visible alone, one may be.
pub(crate) async fn find(
    work: &mut impl Unit,
    source: &Source,
    said: &FeedRow,
) -> Result<Found, Problem> {
    let model = work.matcher().version.clone();
    let asked = person(source, said);
    let behind_shield =
        asked.places.len() + asked.schools.len() + asked.practices.len() + asked.identifiers.len()
            > 0;
    let Some(decision) = decided(work, source, &asked, behind_shield).await? else {
        let reasons = vec!["tooMany".to_owned()];
        return Ok(Found { verdict: Verdict::Doubt { candidates: Vec::new(), reasons }, model });
    };
    if let Some(best) = decision.best.filter(|_| decision.outcome == Outcome::Match)
        && store::unlinked(work, source.feed, said, best).await?
    {
        let reasons = vec![UNLINKED.to_owned()];
        return Ok(Found { verdict: Verdict::Doubt { candidates: vec![best], reasons }, model });
    }
    if decision.outcome == Outcome::None
        && behind_shield
        && let Some(child) = shielded(work, source, said, asked).await?
    {
        return Ok(Found { verdict: Verdict::Child(child), model });
    }
    let verdict = verdict(work, decision)?;
    Ok(Found { verdict, model })
}

fn verdict(work: &impl Unit, decision: Decision<ChildId>) -> Result<Verdict, Problem> {
    let (in_force, Decision { outcome, best, reasons, ranked }) = (work.matcher(), decision);
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

/// The shielded child whom the row is of by what a shield leaves visible alone.
async fn shielded(
    work: &mut impl Unit,
    source: &Source,
    said: &FeedRow,
    asked: Person,
) -> Result<Option<ChildId>, Problem> {
    let (places, schools, practices, identifiers) = Default::default();
    let visible = Person { places, schools, practices, identifiers, ..asked };
    let Some(decision) = decided(work, source, &visible, false).await? else { return Ok(None) };
    let Some(child) = decision.best.filter(|_| decision.outcome == Outcome::Match) else {
        return Ok(None);
    };
    let known = store::is_shielded(work, child).await?;
    Ok((known && !store::unlinked(work, source.feed, said, child).await?).then_some(child))
}

/// Decides among the records that share a key with what is said; nothing where they are too many to compare.
async fn decided(
    work: &mut impl Unit,
    source: &Source,
    asked: &Person,
    behind_shield: bool,
) -> Result<Option<Decision<ChildId>>, Problem> {
    let (today, in_force) = (work.today(), work.matcher());
    let found = retrieve::candidates(work.db(), asked, today, behind_shield).await?;
    let Retrieved::Candidates(candidates) = found else { return Ok(None) };
    let compared = candidates.compared(&in_force.matcher, asked)?;
    let floor = in_force.matcher.model.thresholds.noted;
    let near: Vec<_> =
        compared.iter().filter(|(_, like)| counts(like, floor)).map(|(child, _)| child.0).collect();
    let own =
        if near.is_empty() { Vec::new() } else { store::held_of(work, source.feed, &near).await? };
    Ok(Some(decide_for(&in_force.matcher.model, compared, |child| own.contains(&child.0))))
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
