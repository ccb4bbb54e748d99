//! How a record stands once a source's record is not of its child: as the remaining sources say.

use uuid::Uuid;

use super::{Source, apply, held, held::Held};
use crate::{
    audit::Trail,
    carer, child,
    child::{ChildChange, identifier::IdentifierIn, name::NameKind, whereabouts::Whereabouts},
    feed::row::FeedRow,
    guard::{self, Written},
    ids::ChildId,
    involvement::{self, InvolvementChange},
    problem::{Kind, Problem},
    retention,
    work::{Unit, WordOf},
};

/// Withdraws what a source's organisation said of a child, and lets the remaining sources say again what they said last.
pub(crate) async fn rebuild<W: Unit>(
    work: &mut W,
    by: Uuid,
    child: ChildId,
    gone: &Source,
    remaining: &[(Source, FeedRow)],
) -> Result<Trail, Problem> {
    let mut written = Written::of(child);
    let held = hold(work, child).await?;
    let change = withdrawn(&held, gone, remaining.is_empty());
    let mut voice = WordOf { work: &mut *work, source: gone.organisation, by, as_at: gone.as_at };
    let mut core = held.core;
    core.version += 1;
    written = written.and(child::store::save(&mut voice, child, &core, &change).await?);
    for carer in carer::store::whole(&mut voice, child).await? {
        let own = carer.carer.source.as_ref();
        if own.is_some_and(|from| from.organisation_id == gone.organisation) {
            written = written.and(carer::store::end(&mut voice, child, carer.carer.id).await?);
        }
    }
    if !remaining.iter().any(|(other, _)| other.organisation == gone.organisation) {
        let today = voice.today();
        for mut found in
            involvement::store::own(&mut voice, child, gone.organisation, gone.service).await?
        {
            if found.involvement.ended_on.is_none() {
                let ended_on = Some(today.max(found.involvement.started_on));
                let end = InvolvementChange { ended_on, ..InvolvementChange::default() };
                found.involvement.change(end, today)?;
                written = written.and(involvement::store::save(&mut voice, &found).await?);
            }
        }
    }
    for (other, said) in remaining {
        let mut voice =
            WordOf { work: &mut *work, source: other.organisation, by, as_at: other.as_at };
        let mut all = apply::present(&mut voice, other, &[child]).await?;
        let mut present = all.remove(&child).ok_or(Kind::NotFound)?;
        if present.held.source == gone.organisation {
            present.held.source = other.organisation;
        }
        if let Some(more) = apply::write(&mut voice, other, child, present, said).await? {
            written = written.and(more);
        }
    }
    retention::store::schedule(work, child).await?;
    guard::store::guard(work, written).await
}

async fn hold(work: &mut impl Unit, child: ChildId) -> Result<Held, Problem> {
    held::hold(work, child).await?.ok_or_else(|| Kind::NotFound.into())
}

/// What an organisation said is left out; but for a name, where no other source says one.
fn withdrawn(held: &Held, gone: &Source, alone: bool) -> ChildChange {
    let own = gone.organisation;
    let others = held.names.iter().filter(|name| name.source != own).map(|name| name.said.clone());
    let mut names: Vec<_> = others.collect();
    if alone && !names.iter().any(|name| name.kind == NameKind::Current) {
        let own = held.names.iter().map(|name| &name.said);
        names.extend(own.filter(|name| name.kind == NameKind::Current).cloned());
    }
    let numbers = held.identifiers.iter().filter(|one| one.source != own);
    let known =
        held.whereabouts.source == own && held.whereabouts.said != Whereabouts::NoneKnown {};
    ChildChange {
        names: Some(names),
        whereabouts: known.then_some(Whereabouts::NoneKnown {}),
        identifiers: Some(numbers.map(|one| IdentifierIn::from(&one.said)).collect()),
        ..ChildChange::default()
    }
}
