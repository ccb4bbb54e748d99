//! Working on what feeds have sent: chunk by chunk, each a transaction in which every row's effect and outcome are written together,
//! so that each row is done exactly once, whoever is at work and whenever they are stopped.

use std::{collections::HashSet, time::Duration};

use chrono::NaiveDate;
use serde_json::json;
use sqlx::PgPool;

use super::{RowOutcome, row::FeedRow};
use crate::{
    audit::Trail,
    clock::Clock,
    ids::{BatchId, ChildId, FeedId, OrganisationId},
    involvement::ServiceType,
    matching,
    organisation::OrganisationKind,
    problem::{Fault, Problem},
    work::{Errands, WordOf},
};

pub(crate) mod apply;
pub(crate) mod decide;
pub(crate) mod held;
pub(crate) mod rule;
pub(crate) mod store;
pub(crate) mod unlink;

/// As many rows as one transaction does: few enough that nobody waits for long on what it holds.
pub const CHUNK: i64 = 100;
/// How often a chunk is tried that another is in the way of.
const TRIES: u32 = 8;
/// How long it waits before it is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Whose word a row is, and how it is taken.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The feed.
    pub(crate) feed: FeedId,
    /// The batch in which it came.
    pub(crate) batch: BatchId,
    /// The organisation that sends.
    pub(crate) organisation: OrganisationId,
    /// What kind of body it is.
    pub(crate) kind: OrganisationKind,
    /// The local authority in whose area it works.
    pub(crate) authority: Option<OrganisationId>,
    /// What it does for the children.
    pub(crate) service: ServiceType,
    /// The day as at which it is true.
    pub(crate) as_at: NaiveDate,
}

/// What became of a row.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) outcome: Option<RowOutcome>,
    pub(crate) child: Option<ChildId>,
    pub(crate) faults: Vec<Fault>,
    /// Whether anything of the child was written.
    pub(crate) written: bool,
}

impl Done {
    pub(crate) fn new(outcome: RowOutcome, child: Option<ChildId>) -> Self {
        Self { outcome: Some(outcome), child, ..Self::default() }
    }

    pub(crate) fn rejected(faults: Vec<Fault>) -> Self {
        Self { outcome: Some(RowOutcome::Rejected), faults, ..Self::default() }
    }
}

/// How many rows were done, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Batches that were done to their end.
    pub batches: u64,
    /// Rows of a child of the index, whose record follows them.
    pub linked: u64,
    /// Rows of a child who was not in the index, and now is.
    pub created: u64,
    /// Rows that say what they said before.
    pub unchanged: u64,
    /// Rows that a steward decides on.
    pub review: u64,
    /// Rows that cannot be taken.
    pub rejected: u64,
}

impl Progress {
    /// How many rows were done.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.linked + self.created + self.unchanged + self.review + self.rejected
    }

    fn count(&mut self, outcome: RowOutcome) {
        let counted = match outcome {
            RowOutcome::Linked => &mut self.linked,
            RowOutcome::Created => &mut self.created,
            RowOutcome::Unchanged => &mut self.unchanged,
            RowOutcome::Review => &mut self.review,
            RowOutcome::Rejected => &mut self.rejected,
        };
        *counted += 1;
    }

    fn add(&mut self, more: &Self) {
        self.batches += more.batches;
        self.linked += more.linked;
        self.created += more.created;
        self.unchanged += more.unchanged;
        self.review += more.review;
        self.rejected += more.rejected;
    }
}

/// Why a chunk was not done: which of its rows was in the way, and the line of that row.
struct Failed {
    row: Option<(usize, i64)>,
    problem: Problem,
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self { row: None, problem }
    }
}

/// Whether anything waits to be worked on.
pub async fn waits(db: &PgPool) -> Result<bool, Problem> {
    store::waits(db).await
}

/// Does what waits, `most` rows at a time, until nothing is left that nobody else is at work on. Any number may be at work at once;
/// a feed's batches are done in the order in which they came. It may be stopped at any moment: what is not lasting is done again by
/// the next. `go_on` is asked after each chunk.
pub async fn run_until_idle(
    work: &mut Errands,
    clock: &Clock,
    most: i64,
    mut go_on: impl FnMut(&Progress) -> bool,
) -> Result<Progress, Problem> {
    let (mut all, mut busy, mut limit, mut tries) = (Progress::default(), Vec::new(), most, 0);
    loop {
        work.now = clock.now();
        let Some(job) = store::next(work, &busy).await? else {
            work.undo().await?;
            return Ok(all);
        };
        match chunk(work, &job, limit).await {
            Ok(done) if done.rows() > 0 => {
                all.add(&done);
                (limit, tries) = (most, 0);
            }
            Ok(_) if finish(work, &job).await? => all.batches += 1,
            Ok(_) => busy.push(job.source.batch.0),
            Err(Failed { row, problem }) => {
                work.undo().await?;
                match row {
                    Some((before, _)) if before > 0 => {
                        limit = i64::try_from(before).unwrap_or(1);
                    }
                    Some((_, line)) if refusal(&problem).is_some() => {
                        reject(work, &job, line, refusal(&problem).unwrap_or_default()).await?;
                        all.rejected += 1;
                        limit = most;
                    }
                    _ if tries == TRIES => return Err(problem),
                    _ => {
                        (limit, tries) = ((limit / 2).max(1), tries + 1);
                        tokio::time::sleep(PAUSE * tries).await;
                    }
                }
            }
        }
        if !go_on(&all) {
            return Ok(all);
        }
    }
}

/// Why a row cannot be taken, where it is the row's fault: never a value.
fn refusal(problem: &Problem) -> Option<Vec<Fault>> {
    if problem.kind().status() < 500 {
        let whole = || vec![fault("", problem.detail())];
        let faults = problem.errors();
        return Some(if faults.is_empty() { whole() } else { faults.to_vec() });
    }
    let cause = problem.cause()?;
    let of_values = ["22", "23"].iter().any(|class| {
        cause.strip_prefix("database error ").is_some_and(|code| code.starts_with(class))
    });
    of_values.then(|| vec![fault("", "is refused by the database")])
}

/// A fault of a row.
pub(crate) fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Fault {
    Fault { pointer: pointer.into(), detail: detail.into() }
}

/// Does the next rows of a batch that nobody else is at work on.
async fn chunk(work: &mut Errands, job: &store::Job, limit: i64) -> Result<Progress, Failed> {
    let rows = store::claim(work, job, limit).await?;
    let mut progress = Progress::default();
    if rows.is_empty() {
        return Ok(progress);
    }
    if job.trial {
        store::savepoint(work).await?;
    }
    let rows: Vec<_> =
        rows.into_iter().map(|row| opened(work, job, row)).collect::<Result<_, _>>()?;
    let new = rows.iter().filter(|(row, _)| row.child.is_none());
    let births: HashSet<_> =
        new.filter_map(|(_, said)| Some(said.as_ref()?.date_of_birth)).collect();
    matching::store::hold_all(work, births).await?;

    let (mut done, mut again) = (Vec::new(), Vec::new());
    for (n, (row, said)) in rows.into_iter().enumerate() {
        let (line, reference) = (row.line, row.reference.clone());
        let one = match row.child.filter(|_| row.same) {
            Some(child) => Done::new(RowOutcome::Unchanged, Some(child)),
            None => Box::pin(one(work, job, row, said))
                .await
                .map_err(|problem| Failed { row: Some((n, line)), problem })?,
        };
        if matches!(one.outcome, Some(RowOutcome::Unchanged | RowOutcome::Linked)) {
            again.extend(reference);
        }
        progress.count(one.outcome.unwrap_or(RowOutcome::Rejected));
        done.push((line, one));
    }
    if job.trial {
        store::undo(work).await?;
        for (_, one) in &mut done {
            one.child = None;
        }
    } else {
        store::seen_again(work, job, &again).await?;
    }
    end(work, job, &done, &progress).await?;
    Ok(progress)
}

/// The row as it was sent, where it has to be read and can be.
fn opened(
    work: &Errands,
    job: &store::Job,
    row: store::Row,
) -> Result<(store::Row, Option<FeedRow>), Problem> {
    let vault = work.vault()?;
    let place = FeedRow::waiting_at(job.source.batch, row.line);
    let said = row.sent.as_ref().filter(|_| !row.same);
    let said = said.and_then(|sealed| sealed.open(&vault, &place).ok());
    Ok((row, said))
}

/// Does one row that says something new.
async fn one(
    work: &mut Errands,
    job: &store::Job,
    row: store::Row,
    said: Option<FeedRow>,
) -> Result<Done, Problem> {
    let (Some(said), Some(hash)) = (said, &row.hash) else {
        return Ok(Done::rejected(vec![fault("", "cannot be read")]));
    };
    let today = work.today();
    if let Err(faults) = rule::check(&said, job.source.service, today) {
        return Ok(Done::rejected(faults));
    }
    let mut voice = job.word(work);
    if let Some(child) = row.child {
        return apply::follow(&mut voice, &job.source, child, &said, hash).await;
    }
    if row.dismissed {
        return Ok(Done::new(RowOutcome::Unchanged, None));
    }
    let found = decide::find(&mut voice, &job.source, &said).await?;
    apply::take(&mut voice, &job.source, row.line, &said, hash, found).await
}

impl store::Job {
    /// The unit in which the word of the feed's organisation is written down.
    fn word<'w>(&self, work: &'w mut Errands) -> WordOf<'w, Errands> {
        let Source { organisation: source, as_at, .. } = self.source;
        WordOf { work, source, by: self.sent_by, as_at }
    }
}

/// Writes a chunk down, and makes it lasting.
async fn end(
    work: &mut Errands,
    job: &store::Job,
    done: &[(i64, Done)],
    progress: &Progress,
) -> Result<(), Problem> {
    store::tell(work, job, done).await?;
    store::count(work, job, progress).await?;
    let children = done.iter().filter(|(_, one)| one.written).filter_map(|(_, one)| one.child);
    let mut children: Vec<_> = children.collect();
    children.sort_unstable();
    children.dedup();
    let details = json!({
        "feed": job.source.feed, "batch": job.source.batch, "trial": job.trial, "linked": progress.linked,
        "created": progress.created, "unchanged": progress.unchanged, "review": progress.review, "rejected": progress.rejected,
    });
    work.record(Trail::about(children).with(details)).await
}

/// Rejects the one row that cannot be taken.
async fn reject(
    work: &mut Errands,
    job: &store::Job,
    line: i64,
    faults: Vec<Fault>,
) -> Result<(), Problem> {
    if !store::claim_one(work, job, line).await? {
        return work.undo().await;
    }
    let progress = Progress { rejected: 1, ..Progress::default() };
    end(work, job, &[(line, Done::rejected(faults))], &progress).await
}

/// Ends a batch of which no row is left. What a complete batch does not hold is no longer confirmed; nothing is deleted by absence.
async fn finish(work: &mut Errands, job: &store::Job) -> Result<bool, Problem> {
    if !store::finish(work, job).await? {
        work.undo().await?;
        return Ok(false);
    }
    let unconfirmed =
        if job.complete && !job.trial { store::unconfirm(work, job).await? } else { 0 };
    let details =
        json!({ "feed": job.source.feed, "batch": job.source.batch, "unconfirmed": unconfirmed });
    work.record(Trail::default().with(details)).await?;
    Ok(true)
}
