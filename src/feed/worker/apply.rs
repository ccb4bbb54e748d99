//! What rows bring about: a record follows its row, a child is added, or a steward is asked. Many at a time, of which no two are of
//! one child.

use std::collections::{HashMap, HashSet};

use super::{Done, Source, Told, decide::Verdict, fault, held, rule, store};
use crate::{
    carer::{self, CarerIn},
    child::{self, ChildChange, ChildIn, Core},
    duplicate,
    feed::{RowOutcome, row::FeedRow},
    guard::{self, Written},
    ids::{ChildId, IndexNumber, OrganisationId},
    involvement::{self, InvolvementIn},
    problem::Problem,
    purge,
    retention::{self, Facts},
    work::{Author, Unit, WordOf},
};

/// What is to become of a row.
#[derive(Debug)]
pub(crate) enum Act {
    /// The source's record is of this child already, whose record follows it.
    Follow(ChildId),
    /// It is of this child, whose record follows it from now on.
    Link(ChildId),
    /// It is of a child who is not here yet; these are like it.
    Create { noted: Vec<ChildId> },
    /// A steward decides between these, best first.
    Ask { candidates: Vec<ChildId>, reasons: Vec<String> },
}

impl From<Verdict> for Act {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Child(child) => Self::Link(child),
            Verdict::Doubt { candidates, reasons } => Self::Ask { candidates, reasons },
            Verdict::Nobody { noted } => Self::Create { noted },
        }
    }
}

/// A row, and what is to become of it.
#[derive(Debug)]
pub(crate) struct Step<'r> {
    pub(crate) told: Told<'r>,
    pub(crate) act: Act,
}

/// What the steps of a round have brought about so far.
#[derive(Default)]
struct Tally<'s, 'r> {
    /// What became of each step.
    done: HashMap<usize, Done>,
    /// Whose record follows what was told from now on.
    kept: Vec<(Told<'r>, ChildId)>,
    /// What changes of records, and what is new.
    changes: Changes<'r>,
    /// Whose record is changed.
    changed: Vec<ChildId>,
    /// Children who are new, with those who are like them.
    noted: Vec<(ChildId, &'s [ChildId])>,
}

/// What changes of records, to be written for all at once.
#[derive(Default)]
struct Changes<'r> {
    facts: Vec<(ChildId, Core, ChildChange)>,
    /// Carers who are new, of a child who is shielded or not.
    carers: Vec<(ChildId, bool, &'r CarerIn)>,
    /// The work that begins with a child.
    begun: Vec<(ChildId, InvolvementIn)>,
    /// Who was known to have none of the service, and now has it.
    served: Vec<ChildId>,
    /// Of whom something was written already.
    written: Vec<Written>,
}

impl Changes<'_> {
    async fn write(
        self,
        word: &mut impl Author,
        source: &Source,
    ) -> Result<Option<Written>, Problem> {
        let Self { facts, carers, begun, served, written } = self;
        if !facts.is_empty() {
            let all: Vec<_> = facts.iter().map(|(id, core, change)| (*id, core, change)).collect();
            child::store::save_all(word, &all).await?;
        }
        // After the facts, which say the services anew that there are none of.
        for child in served {
            child::store::has_service(word, child, source.service).await?;
        }
        carer::store::insert_all(word, &carers).await?;
        if !begun.is_empty() {
            let new: Vec<_> = begun.iter().map(|(child, work)| (*child, work)).collect();
            involvement::store::insert_all(word, source.organisation, &new).await?;
        }
        let more = facts.iter().map(|(child, ..)| *child);
        let more = more.chain(carers.iter().map(|(child, ..)| *child));
        let more = more.chain(begun.iter().map(|(child, _)| *child)).map(Written::of);
        Ok(written.into_iter().chain(more).reduce(Written::and))
    }
}

/// Takes rows that have no child in common; says what became of each, in their order.
pub(crate) async fn take<W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    steps: &[Step<'_>],
    model: &str,
) -> Result<Vec<Done>, Problem> {
    let mut tally = Tally::default();
    word.give_way().await?;
    follow(word, source, steps, &mut tally).await?;
    word.give_way().await?;
    create(word, source, steps, &mut tally).await?;
    word.give_way().await?;
    ask(word, source, steps, model, &mut tally).await?;
    let Tally { mut done, changes, kept, changed, noted } = tally;
    let written = changes.write(word, source).await?;
    word.give_way().await?;
    retention::store::schedule_all(word, &changed).await?;
    store::keep(word, source, &kept).await?;
    word.give_way().await?;
    if let Some(written) = written {
        guard::store::guard(word, written).await?;
    }
    for (child, like) in noted.into_iter().filter(|(_, like)| !like.is_empty()) {
        duplicate::store::note(word, child, like.iter().copied(), model).await?;
    }
    Ok((0..steps.len()).map(|n| done.remove(&n).unwrap_or_default()).collect())
}

/// Lets the records of children follow what is told of them.
async fn follow<'s, 'r, W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    steps: &'s [Step<'r>],
    tally: &mut Tally<'s, 'r>,
) -> Result<(), Problem> {
    let follows = steps.iter().enumerate().filter_map(|(n, step)| match step.act {
        Act::Follow(child) | Act::Link(child) => Some((n, child, step.told)),
        _ => None,
    });
    let follows: Vec<_> = follows.collect();
    if follows.is_empty() {
        return Ok(());
    }
    let children: Vec<_> = follows.iter().map(|(_, child, _)| *child).collect();
    let mut present = present(word, source, &children).await?;
    let said: Vec<_> = follows.iter().map(|(_, child, told)| (Some(*child), told.said)).collect();
    let taken = by_row(store::taken(word, &said).await?);
    for (at, (n, child, told)) in follows.into_iter().enumerate() {
        let done = match (present.remove(&child), taken.get(&at)) {
            (None, _) => cannot_be_taken(),
            (_, Some(places)) => belongs_to_another(places),
            (Some(present), None) => {
                let something =
                    change(word, source, child, present, told.said, &mut tally.changes).await?;
                tally.kept.push((told, child));
                tally.changed.extend(something.then_some(child));
                let linked = something || matches!(steps[n].act, Act::Link(_));
                let outcome = if linked { RowOutcome::Linked } else { RowOutcome::Unchanged };
                Done { written: something, ..Done::new(outcome, Some(child)) }
            }
        };
        tally.done.insert(n, done);
    }
    Ok(())
}

/// All of a child that a row may change.
pub(crate) struct Present {
    pub(crate) held: held::Held,
    carers: Vec<carer::store::Held>,
    /// The work of the feed's organisation with the child.
    work: Vec<involvement::store::Found>,
}

/// Holds the records of children until the work is done, and reads what a row may change: of those in use.
pub(crate) async fn present(
    word: &mut impl Author,
    source: &Source,
    children: &[ChildId],
) -> Result<HashMap<ChildId, Present>, Problem> {
    let held = held::hold_all(word, children).await?;
    let present = |(child, held)| (child, Present { held, carers: Vec::new(), work: Vec::new() });
    let mut present: HashMap<_, _> = held.into_iter().map(present).collect();
    for (child, carer) in carer::store::whole_of(word, children).await? {
        present.entry(child).and_modify(|present| present.carers.push(carer));
    }
    let (organisation, service) = (source.organisation, source.service);
    for work in involvement::store::own_of(word, children, organisation, service).await? {
        present.entry(work.child).and_modify(|present| present.work.push(work));
    }
    Ok(present)
}

/// Says what a row changes of a record, and writes what is of that record alone; whether it changes anything.
async fn change<'r>(
    word: &mut impl Author,
    source: &Source,
    child: ChildId,
    present: Present,
    said: &'r FeedRow,
    changes: &mut Changes<'r>,
) -> Result<bool, Problem> {
    let (own, today) = (source.organisation, word.today());
    let change = rule::change(&present.held, said, own);
    let Present { held, mut carers, mut work } = present;
    let (shielded, mut core) = (held.core.shielded, held.core);
    let without = core.without_service.contains(&source.service);
    let mut something = change.is_some();
    if let Some(change) = change {
        core.change(&change, today)?;
        changes.facts.push((child, core, change));
    }
    let told: Vec<_> = carers.iter().map(|held| &held.carer).collect();
    let steps = rule::carers(&told, &said.carers, own);
    something |= !steps.new.is_empty();
    changes.carers.extend(steps.new.into_iter().map(|new| (child, shielded, new)));
    let before = changes.written.len();
    for (id, change) in steps.changed {
        let Some(held) = carers.iter_mut().find(|held| held.carer.id == id) else { continue };
        held.carer.change(change);
        changes.written.push(carer::store::save(word, child, held).await?);
    }
    for id in steps.ended {
        changes.written.push(carer::store::end(word, child, id).await?);
    }
    let told: Vec<_> = work.iter().map(|found| &found.involvement).collect();
    let step = said.involvement.as_ref();
    match step.and_then(|said| rule::work(&told, said, source.service, source.as_at)) {
        Some(rule::Work::Change(n, change)) => {
            work[n].involvement.change(*change, today)?;
            changes.written.push(involvement::store::save(word, &work[n]).await?);
        }
        Some(rule::Work::New(new)) => {
            if new.ended_on.is_none() && without {
                changes.served.push(child);
            }
            something = true;
            changes.begun.push((child, *new));
        }
        None => {}
    }
    Ok(something || changes.written.len() > before)
}

/// Writes what a row changes of a record that is held; nothing where it changes nothing.
pub(crate) async fn write(
    word: &mut impl Author,
    source: &Source,
    child: ChildId,
    present: Present,
    said: &FeedRow,
) -> Result<Option<Written>, Problem> {
    let mut changes = Changes::default();
    change(word, source, child, present, said, &mut changes).await?;
    changes.write(word, source).await
}

/// A row of a child who is to be added.
struct New<'s, 'r> {
    /// The place of its step.
    n: usize,
    told: Told<'r>,
    child: ChildIn,
    noted: &'s [ChildId],
}

/// Adds children who are not in the index.
async fn create<'s, 'r, W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    steps: &'s [Step<'r>],
    tally: &mut Tally<'s, 'r>,
) -> Result<(), Problem> {
    let new = steps.iter().enumerate().filter_map(|(n, step)| match &step.act {
        Act::Create { noted } => {
            Some(New { n, told: step.told, child: rule::child_in(step.told.said), noted })
        }
        _ => None,
    });
    let new: Vec<_> = new.collect();
    if new.is_empty() {
        return Ok(());
    }
    let codes = new.iter().filter_map(|new| new.told.said.responsible_authority.as_deref());
    let authorities = store::authorities(word, &codes.collect::<Vec<_>>()).await?;
    let said: Vec<_> = new.iter().map(|new| (None, new.told.said)).collect();
    let taken = by_row(store::taken(word, &said).await?);
    let purged = purged(word, &new).await?;
    let mut added = Vec::new();
    for (at, new) in new.iter().enumerate() {
        let code = new.told.said.responsible_authority.as_ref();
        let authority = code.map_or(source.authority, |code| authorities.get(code).copied());
        match (authority, taken.get(&at)) {
            (None, _) => tally.done.insert(new.n, nobody_answers()),
            _ if purged.contains(&at) => tally.done.insert(new.n, cannot_be_taken()),
            (_, Some(places)) => tally.done.insert(new.n, belongs_to_another(places)),
            (Some(authority), None) => {
                added.push((ChildId::new(), authority, new));
                None
            }
        };
    }
    add(word, source, &added, tally).await
}

/// Which of these are of children who were purged.
async fn purged<W: Unit>(
    word: &mut WordOf<'_, W>,
    new: &[New<'_, '_>],
) -> Result<HashSet<usize>, Problem> {
    let vault = word.vault()?;
    let hashes: Vec<_> = new
        .iter()
        .enumerate()
        .flat_map(|(at, New { child, told, .. })| {
            let of =
                purge::hashes(&vault, child.birth().date, &child.names, &told.said.identifiers);
            of.into_iter().map(move |hash| (hash, at))
        })
        .collect();
    let asked: Vec<_> = hashes.iter().map(|(hash, _)| hash.clone()).collect();
    let known: HashSet<_> = store::purged(word, &asked).await?.into_iter().collect();
    Ok(hashes.into_iter().filter(|(hash, _)| known.contains(hash)).map(|(_, at)| at).collect())
}

async fn add<'s, 'r, W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    added: &[(ChildId, OrganisationId, &New<'s, 'r>)],
    tally: &mut Tally<'s, 'r>,
) -> Result<(), Problem> {
    let today = word.today();
    let new = added.iter().map(|(id, authority, new)| child::store::New {
        id: *id,
        number: IndexNumber::random(&mut rand::rng()),
        said: &new.child,
        authority: *authority,
        archives_on: Some(
            Facts::new(new.child.birth(), &new.child.whereabouts).end_from(today).day,
        ),
    });
    child::store::insert_all(word, &new.collect::<Vec<_>>()).await?;
    for (id, _, new) in added {
        let begun = new.told.said.involvement.as_ref();
        let begun = begun.map(|said| rule::involvement_in(said, source.service, source.as_at));
        let carers = new.told.said.carers.iter().map(|carer| (*id, false, carer));
        tally.changes.carers.extend(carers);
        tally.changes.begun.extend(begun.map(|begun| (*id, begun)));
        tally.changes.written.push(Written::of(*id));
        tally.kept.push((new.told, *id));
        tally.noted.push((*id, new.noted));
        let done = Done { written: true, ..Done::new(RowOutcome::Created, Some(*id)) };
        tally.done.insert(new.n, done);
    }
    Ok(())
}

/// Has a steward decide on rows that are nearly like a child.
async fn ask<'s, 'r, W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    steps: &'s [Step<'r>],
    model: &str,
    tally: &mut Tally<'s, 'r>,
) -> Result<(), Problem> {
    for (n, step) in steps.iter().enumerate() {
        let Act::Ask { candidates, reasons } = &step.act else { continue };
        let told = step.told;
        let done = match authority(word, source, told.said, candidates.first()).await? {
            None => nobody_answers(),
            Some(authority) => {
                let doubt = store::Doubt { told, authority, candidates, reasons, model };
                store::ask(word, source, &doubt).await?;
                Done::new(RowOutcome::Review, None)
            }
        };
        tally.done.insert(n, done);
    }
    Ok(())
}

/// The authority that answers for the row: the one that it names, else that of its organisation, else that of the child whom it is like.
async fn authority(
    word: &mut impl Unit,
    source: &Source,
    said: &FeedRow,
    like: Option<&ChildId>,
) -> Result<Option<OrganisationId>, Problem> {
    match (&said.responsible_authority, source.authority, like) {
        (Some(code), ..) => Ok(store::authorities(word, &[code]).await?.remove(code)),
        (None, Some(authority), _) => Ok(Some(authority)),
        (None, None, Some(child)) => store::answering(word, *child).await,
        (None, None, None) => Ok(None),
    }
}

/// The places of numbers that others have, by the row that says them.
fn by_row(taken: Vec<(usize, usize)>) -> HashMap<usize, Vec<usize>> {
    let mut rows: HashMap<_, Vec<_>> = HashMap::new();
    for (at, place) in taken {
        rows.entry(at).or_default().push(place);
    }
    rows
}

fn nobody_answers() -> Done {
    let detail = "must be the 3-digit code of a local authority";
    Done::rejected(vec![fault("/responsibleAuthority", detail)])
}

/// What is told of a row whose child is in use no more: nothing that says so.
fn cannot_be_taken() -> Done {
    Done::rejected(vec![fault("", "cannot be taken")])
}

fn belongs_to_another(places: &[usize]) -> Done {
    let at = |n: &usize| fault(format!("/identifiers/{n}/value"), "belongs to another child");
    Done::rejected(places.iter().map(at).collect())
}
