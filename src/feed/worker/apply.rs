//! What a row brings about: a record follows it, a child is added, or a steward is asked.

use super::{
    Done, Source,
    decide::{Found, Verdict},
    fault, held, rule, store,
};
use crate::{
    carer, child, duplicate,
    feed::{RowOutcome, row::FeedRow},
    guard::{self, Written},
    ids::{ChildId, IndexNumber, OrganisationId},
    involvement,
    problem::Problem,
    purge, retention,
    work::{Author, Unit, WordOf},
};

/// Takes a row whose source has no record yet, as the matcher has found.
pub(crate) async fn take<W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    line: i64,
    said: &FeedRow,
    hash: &[u8],
    found: Found,
) -> Result<Done, Problem> {
    store::supersede(word, source, said).await?;
    match found.verdict {
        Verdict::Child(child) => link(word, source, child, said, hash).await,
        Verdict::Nobody { noted } => create(word, source, said, hash, noted, &found.model).await,
        Verdict::Doubt { candidates, reasons } => {
            let Some(authority) = authority(word, source, said, candidates.first()).await? else {
                return Ok(nobody_answers());
            };
            let doubt = store::Doubt {
                line,
                said,
                hash,
                authority,
                candidates: &candidates,
                reasons: &reasons,
                model: &found.model,
            };
            store::ask(word, source, &doubt).await?;
            Ok(Done::new(RowOutcome::Review, None))
        }
    }
}

/// Says that a source's record is of this child, whose record follows it from now on.
pub(crate) async fn link<W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    child: ChildId,
    said: &FeedRow,
    hash: &[u8],
) -> Result<Done, Problem> {
    let done = follow(word, source, child, said, hash).await?;
    let outcome = match done.outcome {
        Some(RowOutcome::Unchanged) => Some(RowOutcome::Linked),
        outcome => outcome,
    };
    Ok(Done { outcome, ..done })
}

/// Lets the record of a child follow what a source says of it.
pub(crate) async fn follow<W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    child: ChildId,
    said: &FeedRow,
    hash: &[u8],
) -> Result<Done, Problem> {
    let Some(held) = held::hold(word, child).await? else { return Ok(cannot_be_taken()) };
    let taken = store::taken(word, Some(child), said).await?;
    if !taken.is_empty() {
        return Ok(belongs_to_another(&taken));
    }
    let written = write(word, source, child, held, said).await?;
    store::keep(word, source, said, hash, child).await?;
    let Some(written) = written else { return Ok(Done::new(RowOutcome::Unchanged, Some(child))) };
    retention::store::schedule(word, child).await?;
    guard::store::guard(word, written).await?;
    Ok(Done { written: true, ..Done::new(RowOutcome::Linked, Some(child)) })
}

/// Writes what a row changes of a record that is held; nothing where it changes nothing.
pub(crate) async fn write(
    word: &mut impl Author,
    source: &Source,
    child: ChildId,
    held: held::Held,
    said: &FeedRow,
) -> Result<Option<Written>, Problem> {
    let (own, today) = (source.organisation, word.today());
    let mut core = held.core.clone();
    let mut all: Option<Written> = None;
    if let Some(change) = rule::change(&held, said, own) {
        core.change(&change, today)?;
        add(&mut all, child::store::save(word, child, &core, &change).await?);
    }
    let mut carers = carer::store::whole(word, child).await?;
    let told: Vec<_> = carers.iter().map(|held| &held.carer).collect();
    let steps = rule::carers(&told, &said.carers, own);
    for new in steps.new {
        add(&mut all, carer::store::insert(word, child, core.shielded, new).await?.1);
    }
    for (id, change) in steps.changed {
        let Some(held) = carers.iter_mut().find(|held| held.carer.id == id) else { continue };
        held.carer.change(change);
        add(&mut all, carer::store::save(word, child, held).await?);
    }
    for id in steps.ended {
        add(&mut all, carer::store::end(word, child, id).await?);
    }
    if let Some(written) = work(word, source, child, said).await? {
        add(&mut all, written);
    }
    Ok(all)
}

/// Writes what a row says of the work of its organisation with the child.
async fn work(
    word: &mut impl Author,
    source: &Source,
    child: ChildId,
    said: &FeedRow,
) -> Result<Option<Written>, Problem> {
    let (Some(said), Source { organisation, service, as_at, .. }) = (&said.involvement, source)
    else {
        return Ok(None);
    };
    let mut held = involvement::store::own(word, child, *organisation, *service).await?;
    let told: Vec<_> = held.iter().map(|found| &found.involvement).collect();
    let today = word.today();
    match rule::work(&told, said, *service, *as_at) {
        None => Ok(None),
        Some(rule::Work::Change(n, change)) => {
            held[n].involvement.change(*change, today)?;
            Ok(Some(involvement::store::save(word, &held[n]).await?))
        }
        Some(rule::Work::New(new)) => {
            let (_, written) = involvement::store::insert(word, child, *organisation, &new).await?;
            if new.ended_on.is_none() {
                child::store::has_service(word, child, *service).await?;
            }
            Ok(Some(written))
        }
    }
}

fn add(all: &mut Option<Written>, more: Written) {
    *all = Some(match all.take() {
        Some(written) => written.and(more),
        None => more,
    });
}

/// Adds a child who is not in the index; those who are like it are noted for the stewards.
pub(crate) async fn create<W: Unit>(
    word: &mut WordOf<'_, W>,
    source: &Source,
    said: &FeedRow,
    hash: &[u8],
    noted: Vec<ChildId>,
    model: &str,
) -> Result<Done, Problem> {
    let Some(authority) = authority(word, source, said, None).await? else {
        return Ok(nobody_answers());
    };
    let new = rule::child_in(said);
    let vault = word.vault()?;
    let hashes = purge::hashes(&vault, new.birth().date, &said.names, &said.identifiers);
    if store::purged(word, &hashes).await? {
        return Ok(cannot_be_taken());
    }
    let taken = store::taken(word, None, said).await?;
    if !taken.is_empty() {
        return Ok(belongs_to_another(&taken));
    }
    let (id, number) = (ChildId::new(), IndexNumber::random(&mut rand::rng()));
    let mut written = child::store::insert(word, id, &number, &new, authority).await?;
    for carer in &new.carers {
        written = written.and(carer::store::insert(word, id, false, carer).await?.1);
    }
    if let Some(more) = work(word, source, id, said).await? {
        written = written.and(more);
    }
    retention::store::schedule(word, id).await?;
    guard::store::guard(word, written).await?;
    duplicate::store::note(word, id, noted, model).await?;
    store::keep(word, source, said, hash, id).await?;
    Ok(Done { written: true, ..Done::new(RowOutcome::Created, Some(id)) })
}

/// The authority that answers for the row: the one that it names, else that of its organisation, else that of the child whom it is like.
async fn authority(
    word: &mut impl Unit,
    source: &Source,
    said: &FeedRow,
    like: Option<&ChildId>,
) -> Result<Option<OrganisationId>, Problem> {
    match (&said.responsible_authority, source.authority, like) {
        (Some(code), ..) => store::authority(word, code).await,
        (None, Some(authority), _) => Ok(Some(authority)),
        (None, None, Some(child)) => store::answering(word, *child).await,
        (None, None, None) => Ok(None),
    }
}

fn nobody_answers() -> Done {
    let detail = "must be the 3-digit code of a local authority";
    Done::rejected(vec![fault("/responsibleAuthority", detail)])
}

/// What is told of a row whose child is in use no more: nothing that says so.
fn cannot_be_taken() -> Done {
    Done::rejected(vec![fault("", "cannot be taken")])
}

fn belongs_to_another(places: &[i64]) -> Done {
    let at = |n: &i64| fault(format!("/identifiers/{}/value", n - 1), "belongs to another child");
    Done::rejected(places.iter().map(at).collect())
}
