//! Working on what feeds have sent: chunk by chunk, each a transaction in which every row's effect and outcome are written together,
//! so that each row is done exactly once, whoever is at work and whenever they are stopped.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::NaiveDate;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use self::{
    apply::{Act, Step},
    round::Row,
};
use super::{RowOutcome, row::FeedRow};
use crate::{
    audit::Trail,
    clock::Clock,
    ids::{BatchId, ChildId, FeedId, OrganisationId},
    involvement::ServiceType,
    matching,
    organisation::OrganisationKind,
    problem::{Fault, Problem},
    work::{Errands, Unit, WordOf},
};

pub(crate) mod apply;
pub(crate) mod decide;
pub(crate) mod held;
mod queue;
mod round;
pub(crate) mod rule;
pub(crate) mod store;
pub(crate) mod unlink;

/// As many rows as one transaction does: few, so that nobody waits for long on what it holds, nor for one of its steps to end.
pub const CHUNK: i64 = 25;
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

/// A row that says something new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'r> {
    pub(crate) line: i64,
    pub(crate) said: &'r FeedRow,
    pub(crate) hash: &'r [u8],
    /// The child whom the source's record is of, where it is known.
    pub(crate) known: Option<ChildId>,
    /// Whether a steward is still to decide of what it said before.
    pub(crate) asked: bool,
}

impl Told<'_> {
    /// The source's own key of the child.
    pub(crate) fn reference(&self) -> &str {
        self.said.reference.as_str()
    }
}

/// Why a chunk was not done, and how many rows it held: the line of the only one.
struct Failed {
    rows: usize,
    line: i64,
    problem: Problem,
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self { rows: 0, line: 0, problem }
    }
}

/// Takes the turn to work on what waits, where nobody else has it, so that a database is busy with one chunk at a time and leaves
/// room for those who look; says whether it did. The connection holds it: whoever dies gives it back.
pub async fn take_turn(db: &mut PgConnection) -> Result<bool, Problem> {
    Ok(queue::take_turn(db).await?)
}

/// Gives the turn back.
pub async fn give_turn_back(db: &mut PgConnection) -> Result<(), Problem> {
    Ok(queue::give_turn_back(db).await?)
}

/// How many rows wait, of all feeds.
pub async fn waiting(db: &PgPool) -> Result<i64, Problem> {
    Ok(queue::waiting(db).await?)
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
    let mut reached = HashMap::new();
    loop {
        work.give_way().await?;
        work.now = clock.now();
        let Some(job) = queue::next(work, &busy).await? else {
            work.undo().await?;
            return Ok(all);
        };
        let after = reached.entry(job.source.batch).or_insert(0);
        match chunk(work, &job, after, limit).await {
            Ok(done) if done.rows() > 0 => {
                all.add(&done);
                (limit, tries) = ((limit * 2).min(most), 0);
            }
            Ok(_) if finish(work, &job).await? => all.batches += 1,
            Ok(_) => busy.push(job.source.batch.0),
            Err(Failed { rows, line, problem }) => {
                work.undo().await?;
                limit = if rows > 0 { i64::try_from(rows / 2).unwrap_or(1).max(1) } else { limit };
                match refusal(&problem).filter(|_| rows > 0) {
                    Some(faults) if rows == 1 => {
                        reject(work, &job, line, faults).await?;
                        all.rejected += 1;
                    }
                    Some(_) => {}
                    None if tries == TRIES => return Err(problem),
                    None => {
                        tries += 1;
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
///
/// It looks behind the line up to which it has come, so as not to go through all that is done already; if nothing is left there, from
/// the beginning, where another may have left something.
async fn chunk(
    work: &mut Errands,
    job: &queue::Job,
    after: &mut i64,
    limit: i64,
) -> Result<Progress, Failed> {
    let mut rows = queue::claim(work, job, *after, limit).await?;
    if rows.is_empty() && *after > 0 {
        *after = 0;
        rows = queue::claim(work, job, *after, limit).await?;
    }
    let (count, line) = (rows.len(), rows.first().map_or(0, |row| row.line));
    let last = rows.last().map_or(0, |row| row.line);
    if count == 0 {
        return Ok(Progress::default());
    }
    let done = Box::pin(worked_on(work, job, rows)).await;
    let done = done.map_err(|problem| Failed { rows: count, line, problem })?;
    *after = last;
    Ok(done)
}

/// Does rows that are held, and makes what they bring about lasting.
async fn worked_on(
    work: &mut Errands,
    job: &queue::Job,
    rows: Vec<queue::Row>,
) -> Result<Progress, Problem> {
    if job.trial {
        queue::savepoint(work).await?;
    }
    let rows = rows.into_iter().map(|row| opened(work, job, row));
    let rows: Vec<_> = rows.collect::<Result<_, Problem>>()?;
    let (mut done, mut left) = (Vec::new(), Vec::new());
    for (row, said) in &rows {
        match plain(work, job, row, said.as_ref()) {
            Plain::Done(one) => done.push((row.line, one)),
            Plain::Says(told) => left.push(Row::new(&job.source, told)),
        }
    }
    let new = left.iter().filter(|row| row.told.known.is_none());
    let births: HashSet<_> = new.map(|row| row.told.said.date_of_birth).collect();
    work.give_way().await?;
    matching::store::hold_all(work, births).await?;
    let new = left.iter().filter(|row| row.told.known.is_none());
    let new: Vec<_> = new.map(|row| row.told.reference()).collect();
    queue::nobody_knows(work, job, &new).await?;
    while !left.is_empty() {
        left = round(work, job, round::split(left), &mut done).await?;
    }
    done.sort_by_key(|(line, _)| *line);
    if job.trial {
        queue::undo(work).await?;
        for (_, one) in &mut done {
            one.child = None;
        }
    } else {
        let again = done.iter().filter(|(_, one)| {
            matches!(one.outcome, Some(RowOutcome::Unchanged | RowOutcome::Linked))
        });
        let again: HashMap<_, _> = again.map(|(line, one)| (*line, one.child)).collect();
        let children: Vec<_> = again.values().flatten().map(|child| child.0).collect();
        let missed = rows
            .iter()
            .filter(|(row, _)| row.unconfirmed_at.is_some() && again.contains_key(&row.line));
        let missed: Vec<_> = missed.filter_map(|(row, _)| row.reference.as_deref()).collect();
        store::seen_again(work, job, &missed, &children).await?;
    }
    let mut progress = Progress::default();
    for (_, one) in &done {
        progress.count(one.outcome.unwrap_or(RowOutcome::Rejected));
    }
    end(work, job, &done, &progress).await?;
    Ok(progress)
}

/// Does the first of these, which have nothing in common; says which are left. A row that depends on a child of whom an earlier one
/// turns out to be waits for the next round.
async fn round<'r>(
    work: &mut Errands,
    job: &queue::Job,
    (now, mut later): (Vec<Row<'r>>, Vec<Row<'r>>),
    done: &mut Vec<(i64, Done)>,
) -> Result<Vec<Row<'r>>, Problem> {
    let mut voice = job.word(work);
    let model = voice.matcher().version.clone();
    let new: Vec<_> = now.iter().filter(|row| row.told.known.is_none()).collect();
    let references: Vec<_> =
        new.iter().filter(|row| row.told.asked).map(|row| row.told.reference()).collect();
    let asked: Vec<_> = new.iter().map(|row| &row.asked).collect();
    let found = decide::find(&mut voice, &job.source, &asked).await?;
    store::supersede(&mut voice, &job.source, &references).await?;
    let lines: Vec<_> = new.iter().map(|row| row.told.line).collect();
    let mut found: HashMap<_, _> = lines.into_iter().zip(found).collect();
    let (mut steps, mut taken) = (Vec::new(), HashSet::new());
    for row in now {
        let told = row.told;
        let known = told.known.map(|child| (vec![child], Act::Follow(child)));
        let found = found.remove(&told.line).map(|found| (found.near, Act::from(found.verdict)));
        let lost = || Problem::internal(anyhow::anyhow!("a row that was not looked for"));
        let (near, act) = known.or(found).ok_or_else(lost)?;
        if near.iter().any(|child| taken.contains(child)) {
            later.push(row);
            continue;
        }
        if let Act::Follow(child) | Act::Link(child) = act {
            taken.insert(child);
        }
        steps.push(Step { told, act });
    }
    let became = apply::take(&mut voice, &job.source, &steps, &model).await?;
    done.extend(steps.iter().map(|step| step.told.line).zip(became));
    later.sort_by_key(|row| row.told.line);
    Ok(later)
}

/// What is known of a row before anything is looked up.
enum Plain<'r> {
    /// What became of it.
    Done(Done),
    /// It says something new.
    Says(Told<'r>),
}

fn plain<'r>(
    work: &Errands,
    job: &queue::Job,
    row: &'r queue::Row,
    said: Option<&'r FeedRow>,
) -> Plain<'r> {
    if row.same && row.child.is_some() {
        return Plain::Done(Done::new(RowOutcome::Unchanged, row.child));
    }
    let (Some(said), Some(hash)) = (said, &row.hash) else {
        return Plain::Done(Done::rejected(vec![fault("", "cannot be read")]));
    };
    if let Err(faults) = rule::check(said, job.source.service, work.today()) {
        return Plain::Done(Done::rejected(faults));
    }
    if row.child.is_none() && row.dismissed {
        return Plain::Done(Done::new(RowOutcome::Unchanged, None));
    }
    if row.child.is_none() && row.waits {
        return Plain::Done(Done::new(RowOutcome::Review, None));
    }
    Plain::Says(Told { line: row.line, said, hash, known: row.child, asked: row.asked })
}

/// The row as it was sent, where it has to be read and can be.
fn opened(
    work: &Errands,
    job: &queue::Job,
    row: queue::Row,
) -> Result<(queue::Row, Option<FeedRow>), Problem> {
    let vault = work.vault()?;
    let place = FeedRow::waiting_at(job.source.batch, row.line);
    let said = row.sent.as_ref().filter(|_| !row.same);
    let said = said.and_then(|sealed| sealed.open(&vault, &place).ok());
    Ok((row, said))
}

impl queue::Job {
    /// The unit in which the word of the feed's organisation is written down.
    fn word<'w>(&self, work: &'w mut Errands) -> WordOf<'w, Errands> {
        let Source { organisation: source, as_at, .. } = self.source;
        WordOf { work, source, by: self.sent_by, as_at }
    }
}

/// Writes a chunk down, and makes it lasting.
async fn end(
    work: &mut Errands,
    job: &queue::Job,
    done: &[(i64, Done)],
    progress: &Progress,
) -> Result<(), Problem> {
    work.give_way().await?;
    queue::tell(work, job, done).await?;
    queue::count(work, job, progress).await?;
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
    job: &queue::Job,
    line: i64,
    faults: Vec<Fault>,
) -> Result<(), Problem> {
    if !queue::claim_one(work, job, line).await? {
        return work.undo().await;
    }
    let progress = Progress { rejected: 1, ..Progress::default() };
    end(work, job, &[(line, Done::rejected(faults))], &progress).await
}

/// Ends a batch of which no row is left. What a complete batch does not hold is no longer confirmed; nothing is deleted by absence.
async fn finish(work: &mut Errands, job: &queue::Job) -> Result<bool, Problem> {
    if !queue::finish(work, job).await? {
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
