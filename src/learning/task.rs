//! Counting the index, training on it, and taking in what is in force.

use std::{
    collections::{BTreeMap, HashSet},
    thread,
    time::{Duration, Instant},
};

use chrono::NaiveDate;
use futures_util::TryStreamExt;
use linkage::{
    Comparison, Matcher, Model, Outcome, Person, decide,
    estimate::{self, Pick, Prior, Space},
    sample::{Count, Dice},
};
use serde_json::json;
use sqlx::{PgConnection, PgPool, postgres::PgConnectOptions};
use uuid::Uuid;

pub use super::store::Listed;
use super::{
    Decided, Report, is_due, moved,
    replay::{Kept, Replayed},
    store, version,
};
use crate::{
    audit::{Hidden, Trail, ledger::Ledger},
    clock::Clock,
    ids::EventId,
    matching::{
        matcher::{InForce, Matchers},
        retrieve,
    },
    problem::Problem,
    work::{Errands, goes_on},
};

/// What an instance has taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken(Option<store::Numbers>);

/// Takes in what is in force, if it has changed; says its version if so.
pub async fn take(
    db: &PgPool,
    matchers: &Matchers,
    clock: &Clock,
    taken: &mut Taken,
) -> Result<Option<String>, Problem> {
    let numbers = store::numbers(db).await?;
    if taken.0 == Some(numbers) {
        return Ok(None);
    }
    let mut connection = db.acquire().await?;
    let in_force = in_force(&mut connection, numbers, clock).await?;
    let version = in_force.version.clone();
    matchers.replace(in_force);
    taken.0 = Some(numbers);
    Ok(Some(version))
}

async fn in_force(
    db: &mut PgConnection,
    numbers: store::Numbers,
    clock: &Clock,
) -> Result<InForce, Problem> {
    let (number, model) = if let Some(promoted) = numbers.promoted {
        (promoted, known(db, promoted).await?)
    } else {
        let cold = Model::cold();
        (store::shipped(db, &cold, clock.now()).await?, cold)
    };
    let revision = numbers.revision.unwrap_or_default();
    let frequencies = store::frequencies(&mut *db, revision).await?.unwrap_or_default();
    Ok(InForce { version: version(number, revision), matcher: Matcher::of(model, frequencies) })
}

async fn known(db: &mut PgConnection, version: i32) -> Result<Model, Problem> {
    let model = store::model(db, version).await?;
    model.ok_or_else(|| Problem::internal(anyhow::anyhow!("there is no model {version}")))
}

/// As many records are read between two rests.
const READ_BETWEEN_RESTS: u32 = 500;

/// Rests twice as long as it works, so that whoever looks finds the machine free.
#[derive(Debug)]
struct Pace {
    since: Instant,
    done: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { since: Instant::now(), done: 0 }
    }
}

impl Pace {
    /// How long to rest, once so much is done since the last rest.
    fn after(&mut self, much: u32) -> Option<Duration> {
        self.done += 1;
        if self.done < much {
            return None;
        }
        let rest = self.since.elapsed() * 2;
        *self = Self { since: Instant::now() + rest, done: 0 };
        Some(rest)
    }
}

/// Counts the index anew where that is due, unless another instance does; says the revision of the counts if so.
pub async fn count(
    options: &PgConnectOptions,
    db: &PgPool,
    clock: &Clock,
    ledger: &Ledger,
) -> Result<Option<i32>, Problem> {
    let (children, counted) = store::grown(db).await?;
    if !is_due(children, counted, clock.now()) {
        return Ok(None);
    }
    let work = Errands::begin(options, clock, "match_count").await?;
    let mut work = work.with_ledger(ledger.clone());
    let revision = count_alone(&mut work, clock).await;
    work.end(revision).await
}

async fn count_alone(work: &mut Errands, clock: &Clock) -> Result<Option<i32>, Problem> {
    if !store::alone(work.db()).await? {
        return Ok(None);
    }
    let (children, counted) = store::grown(work.db()).await?;
    if !is_due(children, counted, clock.now()) {
        return Ok(None);
    }
    let numbers = store::numbers(work.db()).await?;
    let model = match numbers.promoted {
        Some(promoted) => known(work.db(), promoted).await?,
        None => Model::cold(),
    };
    let (mut count, mut pace) = (Count::default(), Pace::default());
    let mut sampled = store::sample(work.db(), children);
    while let Some((_, person)) = sampled.try_next().await? {
        count.add(&person);
        if let Some(rest) = pace.after(READ_BETWEEN_RESTS) {
            goes_on();
            tokio::time::sleep(rest).await;
        }
    }
    drop(sampled);
    // It takes a while, so it keeps no snapshot of the database meanwhile.
    work.undo().await?;
    let counting = tokio::task::spawn_blocking(move || {
        let mut pace = Pace::default();
        count.finish(&model, || pace.after(1).into_iter().for_each(thread::sleep))
    });
    let mut frequencies = counting.await.map_err(Problem::internal)?;
    frequencies.index = children.max(frequencies.children);
    let revision = store::keep_frequencies(work, children, &frequencies).await?;
    let told = json!({ "revision": revision, "children": frequencies.children });
    work.record(Trail::default().with(told)).await?;
    Ok(Some(revision))
}

/// The matcher in force, as a command finds it.
pub async fn present(work: &mut Errands, clock: &Clock) -> Result<InForce, Problem> {
    let numbers = store::numbers(work.db()).await?;
    in_force(work.db(), numbers, clock).await
}

/// A model with its name: of a version, or the one in force.
pub async fn model(
    work: &mut Errands,
    number: Option<i32>,
) -> Result<Option<(String, Model)>, Problem> {
    let number = match number {
        Some(number) => Some(number),
        None => store::numbers(work.db()).await?.promoted,
    };
    let Some(number) = number else { return Ok(Some(("cold".to_owned(), Model::cold()))) };
    Ok(store::model(work.db(), number).await?.map(|model| (number.to_string(), model)))
}

/// Every model, oldest first, with the version that is in force.
pub async fn models(work: &mut Errands) -> Result<(Vec<Listed>, Option<i32>), Problem> {
    let promoted = store::numbers(work.db()).await?.promoted;
    Ok((store::models(work.db()).await?, promoted))
}

/// Puts a model in force; says whether there is such a model.
pub async fn promote(work: &mut Errands, number: i32, reason: &str) -> Result<bool, Problem> {
    let before = store::numbers(work.db()).await?.promoted;
    if !store::promote(work, number, reason).await? {
        return Ok(false);
    }
    let told = json!({ "version": number, "before": before, "reason": reason });
    work.record(Trail::default().with(told)).await?;
    Ok(true)
}

/// Makes a decision of matching again, by what its event keeps; none where there is no such event.
pub async fn explain(
    work: &mut Errands,
    event: EventId,
) -> Result<Option<(Kept, Replayed)>, Problem> {
    let Some((at, kept)) = store::event(work.db(), event.0).await? else { return Ok(None) };
    let hidden = Hidden::open(event, at, &kept, &work.vault()?)?;
    let Some(kept) = hidden.and_then(|hidden| hidden.details).and_then(Kept::of) else {
        return Ok(None);
    };
    let model = match kept.model() {
        Some(number) => known(work.db(), number).await?,
        None => Model::cold(),
    };
    let replayed = kept.replay(&model);
    work.record(Trail::default().with(json!({ "event": event }))).await?;
    Ok(Some((kept, replayed)))
}

/// How training goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many records have been looked at.
    pub done: usize,
    /// Out of how many.
    pub of: usize,
}

/// A model that was trained, and how.
#[derive(Debug)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// How.
    pub report: Report,
}

/// As many records of the index are compared with those that share a key with them.
pub const RECORDS: usize = 20_000;
/// As many records are taken for new, to see how the models decide.
const DECIDED: usize = 2_000;
/// As many pairs are learnt from at most.
const PAIRS: usize = 1_500_000;
/// No more rounds are made.
const ROUNDS: usize = 300;

/// Trains on a sample of the index, without labels: counts it anew, then learns from the pairs that share a key.
pub async fn train(
    work: &mut Errands,
    clock: &Clock,
    records: usize,
    tell: impl FnMut(Progress),
) -> Result<Trained, Problem> {
    let before = present(work, clock).await?;
    let numbers = store::numbers(work.db()).await?;
    let model = match numbers.promoted {
        Some(promoted) => known(work.db(), promoted).await?,
        None => Model::cold(),
    };
    let (children, _) = store::grown(work.db()).await?;
    let (mut count, mut sampled) = (Count::default(), Sampled::of(records));
    let mut people = store::sample(work.db(), children);
    while let Some((id, person)) = people.try_next().await? {
        sampled.see(id, &person);
        count.add(&person);
    }
    drop(people);
    let frequencies = count.finish(&model, || {});
    let now = Matcher::of(model.clone(), frequencies.clone());
    let today = work.today();
    let sample = sampled.held;
    let pairs = pairs(work.db(), &now, &sample, today, tell).await?;
    let learnt = estimate::with_same(
        &now.model,
        &pairs,
        Space::of(sample.len(), children.max(frequencies.children)),
        Prior::default(),
        ROUNDS,
    );
    let after = Matcher { model: learnt.model.clone(), frequencies };
    let decided = decided(work.db(), [&before.matcher, &after], &sample, today).await?;
    let report = Report {
        in_force: before.version,
        records: sample.len() as u64,
        pairs: pairs.len() as u64,
        expected: learnt.expected,
        picked: learnt.picked,
        rounds: learnt.likelihood.len(),
        weights: moved(&model, &learnt.model),
        decided,
    };
    Ok(Trained { model: learnt.model, report })
}

/// Keeps what was trained, to be promoted; says its version.
pub async fn propose(work: &mut Errands, trained: &Trained) -> Result<i32, Problem> {
    let version = store::keep_model(work, &trained.model, &trained.report).await?;
    let Report { records, pairs, .. } = &trained.report;
    let told = json!({ "version": version, "records": records, "pairs": pairs });
    work.record(Trail::default().with(told)).await?;
    Ok(version)
}

/// Each record of a stream with the same chance, however long it is.
struct Sampled {
    held: Vec<(Uuid, Person)>,
    most: usize,
    seen: usize,
    dice: Dice,
}

impl Sampled {
    fn of(most: usize) -> Self {
        Self { held: Vec::new(), most, seen: 0, dice: Dice::new(2) }
    }

    fn see(&mut self, id: Uuid, person: &Person) {
        self.seen += 1;
        if self.held.len() < self.most {
            self.held.push((id, person.clone()));
            return;
        }
        let place = self.dice.below(self.seen);
        if let Some(held) = self.held.get_mut(place) {
            *held = (id, person.clone());
        }
    }
}

/// The pairs to learn from: each record of a sample with those that share a key, each pair once.
pub(super) async fn pairs(
    db: &mut PgConnection,
    matcher: &Matcher,
    sample: &[(Uuid, Person)],
    today: NaiveDate,
    mut tell: impl FnMut(Progress),
) -> Result<Vec<Comparison>, Problem> {
    let sampled: HashSet<Uuid> = sample.iter().map(|(id, _)| *id).collect();
    let mut pairs = Vec::new();
    for (n, (id, person)) in sample.iter().enumerate() {
        let found = retrieve::candidates(&mut *db, person, today, false).await?;
        for (other, compared) in found.candidates().compared(matcher, person)? {
            let seen_from_there = sampled.contains(&other.0) && other.0 <= *id;
            if other.0 == *id || seen_from_there {
                continue;
            }
            if Pick::ALL.iter().any(|pick| pick.picks(&compared)) {
                pairs.push(compared);
            }
        }
        tell(Progress { done: n + 1, of: sample.len() });
        if pairs.len() >= PAIRS {
            break;
        }
    }
    Ok(pairs)
}

/// What two matchers decide where records of the index are taken for new.
async fn decided(
    db: &mut PgConnection,
    matchers: [&Matcher; 2],
    sample: &[(Uuid, Person)],
    today: NaiveDate,
) -> Result<Vec<Decided>, Problem> {
    let mut counted: BTreeMap<(u8, u8), Decided> = BTreeMap::new();
    for (id, person) in sample.iter().take(DECIDED) {
        let found = retrieve::candidates(&mut *db, person, today, false).await?;
        let found = found.candidates();
        let outcome = |matcher: &Matcher| -> Result<Outcome, Problem> {
            let mut compared = found.compared(matcher, person)?;
            compared.retain(|(other, _)| other.0 != *id);
            Ok(decide(&matcher.model, compared).outcome)
        };
        let (before, now) = (outcome(matchers[0])?, outcome(matchers[1])?);
        let counted =
            counted.entry((before as u8, now as u8)).or_insert(Decided { before, now, records: 0 });
        counted.records += 1;
    }
    Ok(counted.into_values().collect())
}
