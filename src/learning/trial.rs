//! How good the matcher is on records of which the truth is known, by the very code that the service runs.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use linkage::{
    Matcher, Model, Outcome, Person, decide,
    estimate::{self, Prior, Space},
    evaluate::{Point, Scored, best, curve, recall_without_false},
    sample,
};
use serde::Serialize;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::{
    labelled::Labelled,
    store,
    task::{Progress, pairs},
};
use crate::{matching::retrieve, problem::Problem};

/// What came of those of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many were asked.
    pub asked: u64,
    /// How many were matched with the child.
    #[serde(rename = "match")]
    pub matched: u64,
    /// How many were matched with another.
    pub wrong: u64,
    /// How many go to a person.
    pub review: u64,
    /// How many are taken for new.
    pub none: u64,
    /// Of how many the best of those compared was the child.
    pub top1: u64,
}

/// A class of records that are asked: those whose child the index holds, and those whose it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Class {
    /// The child is held.
    pub present: Tally,
    /// It is not.
    pub absent: Tally,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The model.
    pub model: String,
    /// The records in the file.
    pub records: u64,
    /// Those that the index held.
    pub held: u64,
    /// Those that were asked.
    pub asked: u64,
    /// Those whose child the index held.
    pub present: u64,
    /// The pairs of one child.
    pub true_matches: u64,
    /// How many of them were retrieved.
    pub found: u64,
    /// Those asked that shared their keys with too many.
    pub too_many: u64,
    /// The share of right ones among the matches.
    pub precision: f64,
    /// The share of those present that were matched rightly.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// The best F1 over all thresholds, by pairs.
    pub best_f1: f64,
    /// Its threshold, in bits.
    pub best_f1_at: f64,
    /// The share of pairs of one child that are above every other pair.
    pub recall_at_zero_false: f64,
    /// The share of those present for whom the child was ranked first.
    pub top1: f64,
    /// The share of those present that were matched rightly.
    pub auto: f64,
    /// The share of those present that go to a person.
    pub review: f64,
    /// The share of those present that are taken for new.
    pub missed: f64,
    /// How many were matched with another child.
    pub false_merges: u64,
    /// The first of them: what was asked, and with whom it was matched.
    pub false_merge_examples: Vec<(String, String)>,
    /// Those whose child was not held.
    pub absent: Tally,
    /// By class.
    pub classes: BTreeMap<String, Class>,
    /// Every threshold.
    #[serde(skip)]
    pub curve: Vec<Point>,
}

/// As many false merges are told.
const EXAMPLES: usize = 20;

/// Which model is tried.
#[derive(Debug)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// The model.
    pub model: Model,
    /// Whether it learns from the records of the file first.
    pub train: bool,
}

/// Tries a model on records, in a session of a database whose index is hidden meanwhile.
pub async fn measure(
    options: &PgConnectOptions,
    records: &[Labelled],
    tried: Tried,
    today: NaiveDate,
    mut tell: impl FnMut(Progress),
) -> Result<Measured, Problem> {
    let mut db = PgConnection::connect_with(options).await?;
    let ids: Vec<Uuid> = (1..).map(Uuid::from_u128).take(records.len()).collect();
    let held: Vec<_> = records.iter().zip(&ids).filter(|(record, _)| record.held).collect();
    store::hide(&mut db).await?;
    for batch in held.chunks(1_000) {
        let batch: Vec<_> = batch.iter().map(|(record, id)| (**id, &record.person)).collect();
        store::hold(&mut db, &batch).await?;
    }
    store::ready(&mut db).await?;
    let people: Vec<Person> = held.iter().map(|(record, _)| record.person.clone()).collect();
    let Tried { mut name, model, train } = tried;
    let frequencies = sample::count(&model, &people);
    let mut matcher = Matcher::of(model, frequencies);
    if train {
        let every: Vec<_> =
            ids.iter().copied().zip(records.iter().map(|record| record.person.clone())).collect();
        let pairs = pairs(&mut db, &matcher, &every, today, &mut tell).await?;
        matcher.model = estimate::with_same(
            &matcher.model,
            &pairs,
            Space::of(every.len(), every.len() as u64),
            Prior::default(),
            300,
        )
        .model;
        name.push_str(", trained on the file");
    }
    let mut trial = Trial::of(records);
    let asked: Vec<_> = (0..records.len()).filter(|n| records[*n].asked).collect();
    for (done, n) in asked.iter().enumerate() {
        let found = retrieve::candidates(&mut db, &records[*n].person, today, false).await?;
        trial.take(*n, &matcher, found)?;
        tell(Progress { done: done + 1, of: asked.len() });
    }
    db.close().await?;
    Ok(trial.end(name))
}

struct Trial<'r> {
    records: &'r [Labelled],
    /// How many records of a child are held.
    held: HashMap<&'r str, u64>,
    /// Every pair that was compared, once.
    scored: HashMap<(usize, usize), f64>,
    classes: BTreeMap<String, Class>,
    examples: Vec<(String, String)>,
    too_many: u64,
}

impl<'r> Trial<'r> {
    fn of(records: &'r [Labelled]) -> Self {
        let mut held: HashMap<&str, u64> = HashMap::new();
        for record in records.iter().filter(|record| record.held) {
            *held.entry(&record.child).or_default() += 1;
        }
        Self {
            records,
            held,
            scored: HashMap::new(),
            classes: BTreeMap::new(),
            examples: Vec::new(),
            too_many: 0,
        }
    }

    /// How many other records of the child are held.
    fn others(&self, asked: &Labelled) -> u64 {
        self.held.get(asked.child.as_str()).copied().unwrap_or_default() - u64::from(asked.held)
    }

    fn take(&mut self, n: usize, matcher: &Matcher, found: retrieve::Found) -> Result<(), Problem> {
        let asked = &self.records[n];
        self.too_many += u64::from(matches!(found, retrieve::Found::TooMany));
        let number = |id: Uuid| usize::try_from(id.as_u128() - 1).unwrap_or(usize::MAX);
        let compared = found.candidates().compared(matcher, &asked.person)?;
        let others = compared.into_iter().map(|(id, compared)| (number(id.0), compared));
        let compared: Vec<_> = others.filter(|(other, _)| *other != n).collect();
        for (other, comparison) in &compared {
            let twice = asked.held && self.records[*other].asked;
            let pair = if twice && *other < n { (*other, n) } else { (n, *other) };
            let bits = self.scored.entry(pair).or_insert(f64::MIN);
            *bits = bits.max(comparison.bits);
        }
        let decision = decide(&matcher.model, compared);
        let right = |other: usize| self.records[other].child == asked.child;
        let present = self.others(asked) > 0;
        let first = decision.ranked.first().is_some_and(|(other, _)| right(*other));
        let chosen = decision.best.filter(|_| decision.outcome == Outcome::Match);
        let wrong = chosen.filter(|other| !right(*other));
        if let Some(other) = wrong.filter(|_| self.examples.len() < EXAMPLES) {
            self.examples.push((asked.id.clone(), self.records[other].id.clone()));
        }
        let class = asked.class.clone().unwrap_or_else(|| "all".to_owned());
        let class = self.classes.entry(class).or_default();
        let tally = if present { &mut class.present } else { &mut class.absent };
        tally.asked += 1;
        tally.matched += u64::from(chosen.is_some() && wrong.is_none());
        tally.wrong += u64::from(wrong.is_some());
        tally.review += u64::from(decision.outcome == Outcome::Review);
        tally.none += u64::from(decision.outcome == Outcome::None);
        tally.top1 += u64::from(first);
        Ok(())
    }

    /// The pairs of one child, each once.
    fn true_matches(&self) -> u64 {
        let mut both: HashMap<&str, u64> = HashMap::new();
        for record in self.records.iter().filter(|record| record.held && record.asked) {
            *both.entry(&record.child).or_default() += 1;
        }
        let asked = self.records.iter().filter(|record| record.asked);
        let twice: u64 = both.values().map(|n| n * (n - 1) / 2).sum();
        asked.map(|record| self.others(record)).sum::<u64>() - twice
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
    fn end(self, model: String) -> Measured {
        let share = |n: u64, of: u64| if of == 0 { 0.0 } else { n as f64 / of as f64 };
        let one_child = |(a, b): (usize, usize)| self.records[a].child == self.records[b].child;
        let scored: Vec<_> = self
            .scored
            .iter()
            .map(|(pair, bits)| Scored { bits: *bits, one_child: one_child(*pair) })
            .collect();
        let found = scored.iter().filter(|pair| pair.one_child).count() as u64;
        let true_matches = self.true_matches();
        let curve = curve(scored, true_matches);
        let best = best(&curve);
        let all = |of: fn(&Class) -> Tally| {
            self.classes.values().map(of).fold(Tally::default(), Tally::and)
        };
        let (present, absent) = (all(|class| class.present), all(|class| class.absent));
        let wrong = present.wrong + absent.wrong;
        let decided = Point::of(0.0, present.matched, wrong, present.asked);
        let count =
            |of: fn(&Labelled) -> bool| self.records.iter().filter(|r| of(r)).count() as u64;
        Measured {
            model,
            records: self.records.len() as u64,
            held: count(|record| record.held),
            asked: count(|record| record.asked),
            present: present.asked,
            true_matches,
            found,
            too_many: self.too_many,
            precision: decided.precision,
            recall: decided.recall,
            f1: decided.f1,
            best_f1: best.map_or(0.0, |best| best.f1),
            best_f1_at: best.map_or(0.0, |best| best.bits),
            recall_at_zero_false: recall_without_false(&curve),
            top1: share(present.top1, present.asked),
            auto: share(present.matched, present.asked),
            review: share(present.review, present.asked),
            missed: share(present.none, present.asked),
            false_merges: wrong,
            false_merge_examples: self.examples,
            absent,
            classes: self.classes,
            curve,
        }
    }
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self {
            asked: self.asked + other.asked,
            matched: self.matched + other.matched,
            wrong: self.wrong + other.wrong,
            review: self.review + other.review,
            none: self.none + other.none,
            top1: self.top1 + other.top1,
        }
    }
}
