//! What is counted of those who were asked for.

use std::collections::BTreeMap;

use linkage::{Matcher, Outcome, Person, decide};
use serde_json::{Value, json};

use contactpoint::{
    ids::ChildId,
    matching::retrieve::{Found, candidates},
};
use sqlx::PgConnection;

use crate::Fault;

/// What a decision comes to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// It names the child.
    Right,
    /// It names another.
    Wrong,
    /// A person has to decide.
    Review,
    /// It names nobody.
    #[default]
    None,
}

/// What came of one question.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answer {
    /// How many records were compared.
    pub(crate) candidates: usize,
    /// Whether there were more than are compared.
    pub(crate) too_many: bool,
    /// Whether the child is among them.
    pub(crate) retrieved: bool,
    /// Whether the child is the best of them.
    pub(crate) first: bool,
    /// What was decided.
    pub(crate) came: Came,
    /// Whom the decision names.
    pub(crate) best: Option<ChildId>,
    /// How long it took, in milliseconds.
    pub(crate) took: f64,
}

/// Asks as the service does: one statement, every candidate compared, a decision. Whoever is `absent` is taken for not there.
pub(crate) async fn ask(
    db: &mut PgConnection,
    matcher: &Matcher,
    asked: &Person,
    truth: ChildId,
    absent: bool,
) -> Result<Answer, Fault> {
    let began = std::time::Instant::now();
    let today = chrono::NaiveDate::from_ymd_opt(2026, 9, 1).ok_or("no such day")?;
    let found = candidates(&mut *db, asked, today, false)
        .await
        .map_err(|problem| format!("{problem:?}"))?;
    let too_many = matches!(found, Found::TooMany);
    let mut compared =
        found.candidates().compared(matcher, asked).map_err(|problem| format!("{problem:?}"))?;
    compared.retain(|(child, _)| !absent || *child != truth);
    let mut answer = Answer { candidates: compared.len(), too_many, ..Answer::default() };
    answer.retrieved = compared.iter().any(|(child, _)| *child == truth);
    let decision = decide(&matcher.model, compared);
    answer.took = began.elapsed().as_secs_f64() * 1e3;
    answer.first = decision.ranked.first().is_some_and(|(child, _)| *child == truth);
    answer.came = match decision.outcome {
        Outcome::Match if decision.best == Some(truth) => Came::Right,
        Outcome::Match => Came::Wrong,
        Outcome::Review => Came::Review,
        Outcome::None => Came::None,
    };
    answer.best = decision.best;
    Ok(answer)
}

/// What came of the questions of each class.
#[derive(Debug, Default)]
pub(crate) struct Tally(pub(crate) BTreeMap<String, Vec<Answer>>);

impl Tally {
    pub(crate) fn add(&mut self, class: &str, answer: Answer) {
        self.0.entry(class.to_owned()).or_default().push(answer);
    }

    /// The figures of each class.
    pub(crate) fn classes(&self) -> Value {
        self.0.iter().map(|(class, answers)| (class.clone(), figures(&answers.iter()))).collect()
    }

    /// The figures of all classes of these names together.
    pub(crate) fn all(&self, of: impl Fn(&str) -> bool) -> Value {
        let some = self.0.iter().filter(|(class, _)| of(class));
        figures(&some.flat_map(|(_, answers)| answers))
    }
}

fn figures<'a>(answers: &(impl Iterator<Item = &'a Answer> + Clone)) -> Value {
    let count = |holds: &dyn Fn(&Answer) -> bool| answers.clone().filter(|one| holds(one)).count();
    let came = |came: Came| count(&|one: &Answer| one.came == came);
    let times: Vec<_> = answers.clone().map(|one| one.took).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts of candidates are small")]
    let compared: Vec<_> = answers.clone().map(|one| one.candidates as f64).collect();
    json!({
        "asked": times.len(), "retrieved": count(&|one| one.retrieved), "top1": count(&|one| one.first), "auto": came(Came::Right),
        "review": came(Came::Review), "missed": came(Came::None), "wrong": came(Came::Wrong),
        "too_many": count(&|one| one.too_many), "p50_ms": percentile(&times, 50), "p95_ms": percentile(&times, 95),
        "p99_ms": percentile(&times, 99), "candidates_p50": percentile(&compared, 50), "candidates_p99": percentile(&compared, 99),
    })
}

/// The value that so many in a hundred do not exceed.
pub(crate) fn percentile(values: &[f64], hundredths: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}
