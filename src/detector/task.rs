//! What happens without anybody asking: the audit is looked through as it grows, and through once more where that is asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Detector, Finding, Rules,
    seen::{Facts, Seen},
    state,
    store::{self, Cursor, Kept},
    watch::States,
};
use crate::{
    access::Role,
    alert,
    audit::Trail,
    clock::day_in_london,
    ids::{AccountId, ChildId, EventId, IndexNumber, OrganisationId},
    notice::{self, NoticeKind, Telling},
    problem::Problem,
    usage::{self, Count, Counts},
    work::Errands,
};

/// As many events as are looked through at once.
pub const PIECE: i64 = 4_000;
/// As many people as are settled at once.
const PEOPLE: i64 = 50;
/// The name of it in the audit.
pub const OPERATION: &str = "watch";

/// What was done at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// How many events were looked through.
    pub looked: usize,
    /// How many alerts were raised.
    pub raised: usize,
    /// How far behind it is, in seconds.
    pub behind: i64,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// Looks through the next events, in one transaction with what was found; nothing where another instance does so.
pub async fn run(work: &mut Errands) -> Result<Option<Done>, Problem> {
    if !store::alone(work).await? {
        work.undo().await?;
        return Ok(None);
    }
    let cursor = store::cursor(work).await?;
    let kept = store::next(work, &cursor, PIECE).await?;
    let rules = store::rules(work).await?;
    let mut done = look_through(work, &cursor, &kept, &rules).await?;
    let full = i64::try_from(kept.len()).is_ok_and(|looked| looked == PIECE);
    if full {
        done.more = true;
        done.behind = kept.last().map_or(0, |last| (work.now - last.at).num_seconds());
        return Ok(Some(done));
    }
    let (settled, raised) = settle(work, &rules).await?;
    done.raised += raised;
    done.more = settled > 0;
    count_week(work).await?;
    Ok(Some(done))
}

async fn look_through(
    work: &mut Errands,
    cursor: &Cursor,
    kept: &[Kept],
    rules: &Rules,
) -> Result<Done, Problem> {
    // What it writes down itself is not worth a transaction, which it would write down.
    let Some(last) = kept.last().filter(|_| kept.iter().any(|kept| kept.operation != OPERATION))
    else {
        return Ok(Done::default());
    };
    let vault = work.vault()?;
    let mut seen = Vec::new();
    for kept in kept {
        seen.extend(kept.seen(&vault)?);
    }
    let facts = store::facts(work, &seen, &[]).await?;
    let mut states = state::load(work, &seen, &facts).await?;
    let (mut found, mut counts) = (Vec::new(), Counts::default());
    let mut of_events: HashMap<EventId, &Seen> = HashMap::new();
    for seen in &seen {
        of_events.insert(seen.event, seen);
    }
    for kept in kept {
        let seen = of_events.get(&kept.event).copied();
        count(&mut counts, kept, seen, &states, &facts);
        if let Some(seen) = seen {
            found.extend(states.see(seen, &facts, rules));
        }
    }
    let whom: HashMap<_, _> = seen.iter().map(|seen| (seen.account, seen.organisation)).collect();
    state::save(work, &states, |account| whom.get(&account).copied()).await?;
    usage::store::add(work, &counts).await?;
    let raised = raise(work, &found).await?;
    let (epoch, tx, event) = (last.epoch, last.tx.clone(), last.event);
    let reached = Cursor { epoch, tx, event, counted: cursor.counted };
    store::reach(work, &reached).await?;
    let details = json!({ "looked": kept.len(), "found": found.len(), "raised": raised });
    work.record(Trail::default().with(details)).await?;
    Ok(Done { looked: kept.len(), raised, ..Done::default() })
}

fn count(counts: &mut Counts, kept: &Kept, seen: Option<&Seen>, states: &States, facts: &Facts) {
    let (Some(account), Some(organisation)) = (kept.account, kept.organisation) else { return };
    let refused = kept.problem.as_deref() == Some(crate::problem::Kind::OverBudget.slug());
    if seen.is_none() && !refused {
        return;
    }
    let person = states.people.get(&account);
    let one = Count::of(kept.at, kept.reason.as_deref(), refused, seen, person, facts);
    counts.add(day_in_london(kept.at), account, organisation, one);
}

/// Raises an alert of each finding that is new today, and tells whose auditor looks after it.
async fn raise(work: &mut Errands, found: &[Finding]) -> Result<usize, Problem> {
    let mut raised = 0;
    for finding in found {
        let Some(id) = alert::store::raise(work, finding).await? else { continue };
        raised += 1;
        let about = format!("/v1/alerts/{id}");
        tell(work, NoticeKind::AlertRaised, finding.looked_after_by, Role::Auditor, about).await?;
    }
    Ok(raised)
}

async fn tell(
    work: &mut Errands,
    kind: NoticeKind,
    organisation: OrganisationId,
    role: Role,
    about: String,
) -> Result<(), Problem> {
    let now = work.now;
    let organisation = Some(organisation);
    let telling = Telling { kind, organisation, role, about, due_on: None };
    Ok(notice::store::tell(work.db(), now, &telling).await?)
}

/// Says what became of openings of a month ago; of how many people, and how many alerts that raised.
async fn settle(work: &mut Errands, rules: &Rules) -> Result<(usize, usize), Problem> {
    if !store::alone(work).await? {
        return Ok((0, 0));
    }
    let today = work.today();
    let (mut states, people) = state::due(work, today, PEOPLE).await?;
    if people.is_empty() {
        work.undo().await?;
        return Ok((0, 0));
    }
    let due: Vec<_> = due(&states, people.iter().map(|(account, _)| *account), today);
    let facts = store::facts(work, &[], &due).await?;
    let (now, mut found) = (work.now, Vec::new());
    for person in &people {
        found.extend(states.settle(*person, now, &facts, rules));
    }
    state::save(work, &states, |_| None).await?;
    state::forget(work).await?;
    let raised = raise(work, &found).await?;
    let details = json!({ "settled": people.len(), "found": found.len(), "raised": raised });
    work.record(Trail::default().with(details)).await?;
    Ok((people.len(), raised))
}

fn due(
    states: &States,
    people: impl Iterator<Item = AccountId>,
    today: NaiveDate,
) -> Vec<(AccountId, Vec<ChildId>)> {
    let due = people.map(|account| {
        let person = states.people.get(&account);
        (account, person.map(|person| person.due(today)).unwrap_or_default())
    });
    due.filter(|(_, due)| !due.is_empty()).collect()
}

fn monday(day: NaiveDate) -> NaiveDate {
    day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday()))
}

/// Counts how the index was used in the weeks that are over, once, and tells the administrators.
async fn count_week(work: &mut Errands) -> Result<(), Problem> {
    let last = monday(work.today()) - TimeDelta::days(7);
    if !store::alone(work).await? {
        return Ok(());
    }
    let cursor = store::cursor(work).await?;
    if cursor.counted >= Some(last) {
        work.undo().await?;
        return Ok(());
    }
    let week = cursor.counted.map_or(last, |counted| counted + TimeDelta::days(7));
    for organisation in usage::store::count_week(work, week).await? {
        let about = format!("/v1/organisations/{organisation}/usage?week={week}");
        let role = Role::AccountAdministrator;
        tell(work, NoticeKind::UsageCounted, organisation, role, about).await?;
    }
    store::reach(work, &Cursor { counted: Some(week), ..cursor }).await?;
    work.record(Trail::default().with(json!({ "week": week }))).await
}

/// Marks a record as one that nobody has reason to look at, or takes the mark away; says whether there is such a record.
pub async fn mark(
    work: &mut Errands,
    number: &IndexNumber,
    is_canary: bool,
) -> Result<bool, Problem> {
    let Some(child) = store::mark(work, number, is_canary).await? else { return Ok(false) };
    let details = json!({ "canary": is_canary });
    work.record(Trail::of(child).with(details)).await?;
    Ok(true)
}

/// What a replay found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// How many events of people were looked through.
    pub events: u64,
    /// What was raised at the time, by detector.
    pub was: BTreeMap<Detector, i64>,
    /// What the measures in force raise.
    pub in_force: BTreeMap<Detector, Raised>,
    /// What the proposed measures raise.
    pub proposed: BTreeMap<Detector, Raised>,
}

/// How many alerts a detector raises, and by which events, so many of them.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Raised {
    /// How many alerts.
    pub alerts: usize,
    /// The events that made them so; no more than 50.
    pub references: Vec<EventId>,
    #[serde(skip)]
    known: BTreeSet<(Uuid, NaiveDate)>,
}

fn note(raised: &mut BTreeMap<Detector, Raised>, found: Vec<Finding>) {
    for finding in found {
        let of = raised.entry(finding.detector).or_default();
        if of.known.insert((finding.about(), finding.day)) {
            of.alerts += 1;
            of.references.extend(finding.events.last().filter(|_| of.alerts <= 50));
        }
    }
}

/// Looks through the audit of a time by the measures in force and by others beside them; changes nothing. `told` is called with the
/// moment that was reached.
pub async fn replay(
    work: &mut Errands,
    (since, until): (DateTime<Utc>, DateTime<Utc>),
    proposed: &Rules,
    mut told: impl FnMut(DateTime<Utc>),
) -> Result<Replayed, Problem> {
    let vault = work.vault()?;
    let in_force = store::rules(work).await?;
    let mut replayed = Replayed {
        was: alert::store::counted(work, since, until).await?.into_iter().collect(),
        ..Replayed::default()
    };
    let [mut one, mut other] = [States::default(), States::default()];
    let (mut after, mut day) = ((since, EventId(Uuid::nil())), day_in_london(since));
    let mut whom: HashMap<AccountId, OrganisationId> = HashMap::new();
    loop {
        let kept = store::period(work, after, until, PIECE).await?;
        let Some(last) = kept.last() else { break };
        after = (last.at, last.event);
        replayed.events += u64::try_from(kept.len()).unwrap_or_default();
        let mut seen = Vec::new();
        for kept in &kept {
            seen.extend(kept.seen(&vault)?);
        }
        let facts = store::facts(work, &seen, &[]).await?;
        for seen in &seen {
            whom.insert(seen.account, seen.organisation);
            note(&mut replayed.in_force, one.see(seen, &facts, &in_force));
            note(&mut replayed.proposed, other.see(seen, &facts, proposed));
        }
        if day_in_london(last.at) > day {
            day = day_in_london(last.at);
            let due = due(&one, whom.keys().copied(), day);
            let facts = store::facts(work, &[], &due).await?;
            for (account, _) in due {
                let person = (account, whom[&account]);
                note(&mut replayed.in_force, one.settle(person, last.at, &facts, &in_force));
                note(&mut replayed.proposed, other.settle(person, last.at, &facts, proposed));
            }
        }
        told(after.0);
    }
    let details =
        json!({ "since": since, "until": until, "events": replayed.events, "proposed": proposed });
    work.record(Trail::default().with(details)).await?;
    Ok(replayed)
}
