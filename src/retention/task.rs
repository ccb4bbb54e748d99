//! What the passing of days brings about: a list of steps, each in batches, each batch one transaction with its event.

use chrono::{Days, NaiveDate};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ForecastDay, store};
use crate::{
    access::Role,
    audit::Trail,
    contact_request, hold,
    ids::ChildId,
    information_request,
    notice::{self, NoticeKind, Telling},
    problem::Problem,
    purge, shield,
    work::Errands,
};

/// As many records as one transaction takes.
pub const BATCH: i64 = 200;
/// How long before the end of a flag or a hold those concerned are reminded.
const REMINDED: Days = Days::new(14);

/// One thing that the task does, until nothing of it is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Says of records when they are archived, where that is not known yet.
    Schedule,
    /// Archives records whose day has come; their flags end, and their identifiers are free.
    Archive,
    /// Ends flags whose day has come.
    EndFlags,
    /// Reminds organisations of flags that expire in 14 days.
    RemindOfFlags,
    /// Reminds those who may open them of legal holds that end in 14 days.
    RemindOfHolds,
    /// Purges what approved purges reach.
    Purge,
    /// Reminds shield approvers of what they have to confirm and to review.
    RemindOfShields,
    /// Reminds stewards of requests to be put in touch that nobody has answered for 48 hours.
    RemindOfContacts,
    /// Reminds of what children and carers ask, a week before it is due and when it is overdue, and of looks that are told again soon.
    RemindOfRights,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Schedule,
        Self::Archive,
        Self::EndFlags,
        Self::RemindOfFlags,
        Self::RemindOfHolds,
        Self::Purge,
        Self::RemindOfShields,
        Self::RemindOfContacts,
        Self::RemindOfRights,
    ];

    /// What it does, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Schedule => "records scheduled",
            Self::Archive => "records archived",
            Self::EndFlags => "flags ended",
            Self::RemindOfFlags => "reminders of flags",
            Self::RemindOfHolds => "reminders of legal holds",
            Self::Purge => "records purged",
            Self::RemindOfShields => "reminders of shields",
            Self::RemindOfContacts => "reminders of contact requests",
            Self::RemindOfRights => "reminders of information requests",
        }
    }

    /// Takes one batch; says how much was done and what is to be written down of it. Nothing done is the end.
    async fn take(
        self,
        work: &mut Errands,
        today: NaiveDate,
        batch: i64,
    ) -> Result<(u64, Trail), Problem> {
        let (now, vault) = (work.now, work.vault()?);
        let (done, children) = match self {
            Self::Schedule => both(schedule(work, batch).await?),
            Self::Archive => both(store::archive(work.db(), now, today, batch).await?),
            Self::EndFlags => {
                let mut children = store::end_flags(work.db(), now, today, batch).await?;
                let ended = children.len();
                children.sort_unstable();
                children.dedup();
                (ended, children)
            }
            Self::RemindOfFlags => {
                let ending = store::flags_ending(work.db(), today, today + REMINDED, batch).await?;
                let telling: Vec<_> = ending.iter().map(telling).collect();
                (remind(work, &telling).await?, Vec::new())
            }
            Self::RemindOfHolds => {
                let telling =
                    hold::store::ending(work.db(), today, today + REMINDED, batch).await?;
                (remind(work, &telling).await?, Vec::new())
            }
            Self::Purge => both(purge::store::go_on(work.db(), &vault, now, today, batch).await?),
            Self::RemindOfShields | Self::RemindOfContacts | Self::RemindOfRights => {
                (0, Vec::new())
            }
        };
        let details = json!({ "step": self, "day": today, "done": done });
        Ok((count(done), Trail::about(children).with(details)))
    }
}

fn both(children: Vec<ChildId>) -> (usize, Vec<ChildId>) {
    (children.len(), children)
}

/// Says of records when they are archived.
async fn schedule(work: &mut Errands, batch: i64) -> Result<Vec<ChildId>, Problem> {
    let vault = work.vault()?;
    let children = store::hold_unscheduled(work.db(), batch).await?;
    let facts = store::facts(work.db(), &vault, &children).await?;
    let ends: Vec<_> = facts.iter().map(|(id, facts)| (*id, facts.end().day)).collect();
    store::set(work.db(), &ends).await?;
    Ok(children.into_iter().map(ChildId).collect())
}

/// What the people of an organisation are told of a flag that ends.
fn telling(flag: &store::Ending) -> Telling {
    Telling {
        kind: NoticeKind::FlagExpiring,
        organisation: Some(flag.organisation),
        role: Role::Practitioner,
        about: flag.about.clone(),
        due_on: Some(flag.on),
    }
}

/// Tells people; says how often.
async fn remind(work: &mut Errands, telling: &[Telling]) -> Result<usize, Problem> {
    let now = work.now;
    for one in telling {
        notice::store::tell(work.db(), now, one).await?;
    }
    Ok(telling.len())
}

/// How much was done of each step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary(pub [u64; Step::ALL.len()]);

impl Summary {
    /// How much was done, step by step.
    pub fn steps(&self) -> impl Iterator<Item = (Step, u64)> {
        Step::ALL.into_iter().zip(self.0)
    }

    /// The same, as an object.
    #[must_use]
    pub fn told(&self) -> Value {
        self.steps()
            .map(|(step, done)| (step.words().to_owned(), json!(done)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// What is told after each batch: which step, how much of it so far.
pub type News = (Step, u64);

/// Does what is due on a day. Any instance may call it: only one is at work at a time, and for the others there is nothing to
/// do (`None`). It may be killed at any moment and run again; a transaction takes `batch` records at most, and `tell` may end
/// it after any batch by answering `false`.
pub async fn run(
    work: &mut Errands,
    today: NaiveDate,
    batch: i64,
    mut tell: impl FnMut(News) -> bool,
) -> Result<Option<Summary>, Problem> {
    if !store::alone(work.db()).await? {
        return Ok(None);
    }
    let summary = steps(work, today, batch, &mut tell).await?;
    store::done(work.db()).await?;
    Ok(Some(summary))
}

async fn steps(
    work: &mut Errands,
    today: NaiveDate,
    batch: i64,
    tell: &mut impl FnMut(News) -> bool,
) -> Result<Summary, Problem> {
    let mut summary = Summary::default();
    let now = work.now;
    for (n, step) in Step::ALL.into_iter().enumerate() {
        match step {
            Step::RemindOfShields => summary.0[n] = shield::store::remind(work, today).await?,
            Step::RemindOfContacts => {
                summary.0[n] = contact_request::store::remind(work, now).await?;
            }
            Step::RemindOfRights => {
                summary.0[n] = information_request::store::remind(work, today).await?;
            }
            _ => {}
        }
        loop {
            let (done, trail) = step.take(work, today, batch).await?;
            if done == 0 {
                break;
            }
            work.record(trail).await?;
            summary.0[n] += done;
            if !tell((step, summary.0[n])) {
                return Ok(summary);
            }
        }
    }
    Ok(summary)
}

/// What a run on a day would do. Nothing is written.
pub async fn rehearse(work: &mut Errands, today: NaiveDate) -> Result<Summary, Problem> {
    let (archived, flags, reminders) = store::due(work.db(), today, today + REMINDED).await?;
    let vault = work.vault()?;
    let (mut scheduled, mut over, mut after) = (0, 0, Uuid::nil());
    loop {
        let children = store::unscheduled(work.db(), after, BATCH).await?;
        let Some(last) = children.last() else { break };
        after = *last;
        let facts = store::facts(work.db(), &vault, &children).await?;
        scheduled += count(facts.len());
        over += count(facts.iter().filter(|(_, facts)| facts.end().day <= today).count());
    }
    let holds = hold::store::ending(work.db(), today, today + REMINDED, i64::MAX).await?;
    let purged = purge::store::waiting(work.db()).await?;
    let (shields, contacts, rights) = try_reminders(work, today).await?;
    let whole = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(Summary([
        scheduled,
        whole(archived) + over,
        whole(flags),
        whole(reminders),
        count(holds.len()),
        whole(purged),
        shields,
        contacts,
        rights,
    ]))
}

/// How many reminders of shields, of contact requests and of information requests there would be: they are told, and that is undone.
async fn try_reminders(work: &mut Errands, today: NaiveDate) -> Result<(u64, u64, u64), Problem> {
    let now = work.now;
    store::attempt(work.db()).await?;
    let shields = shield::store::tell_of_due(work, today).await?;
    let contacts = contact_request::store::tell_of_overdue(work, now).await?;
    let rights = information_request::store::tell_of_due(work, today).await?;
    store::undo(work.db()).await?;
    Ok((shields, contacts, rights))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// How many records are archived on each day after today until one, if nothing changes.
pub async fn forecast(
    work: &mut Errands,
    today: NaiveDate,
    until: NaiveDate,
) -> Result<Vec<ForecastDay>, Problem> {
    Ok(store::forecast(work.db(), today, until).await?)
}
