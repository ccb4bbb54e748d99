//! What is done, across rooms, when two records become one or two again.

use super::store::{self, Found};
use crate::{
    guard::{self, Written},
    ids::{ChildId, PersonId},
    matching::entry,
    problem::{Kind, Problem},
    retention,
    work::Work,
};

/// Makes one record of two: both shielded first, if either is, so that nothing that a shield hides is ever in the open.
pub(super) async fn merge(work: &mut Work, found: &Found) -> Result<(), Problem> {
    let (survivor, retired) = (found.survivor, found.retired);
    let was = store::state(work, survivor, retired).await?;
    if was.distinct {
        return Err(Kind::SaidToBeOthers.into());
    }
    if was.shields.survivor != was.shields.retired {
        let open = if was.shields.survivor { retired } else { survivor };
        guard::store::raise(work, open).await?;
    }
    guard::store::person(work, survivor).await?;
    let now = store::state(work, survivor, retired).await?;
    let stays = store::merge(work, found, was.shields, now.retired).await?;
    if stays {
        retention::store::schedule(work, survivor).await?;
    }
    drop(guard::store::guard(work, Written::of(survivor)).await?);
    Ok(())
}

/// Makes two records of one again, each with its own shield.
pub(super) async fn unmerge(work: &mut Work, found: &Found) -> Result<(), Problem> {
    let (survivor, retired) = (found.survivor, found.retired);
    let before = store::before(work, found).await?;
    let stays = store::unmerge(work, found).await?;
    // Neither is found by what was the other's.
    entry::refresh_all(work, &[survivor, retired]).await?;
    let joint = store::state(work, survivor, retired).await?;
    let (shielded, person) = (joint.shields.survivor, joint.survivor);
    if before.retired.is_none() || before.retired != person {
        let own = store::part(work, retired, before.retired, shielded).await?;
        let apart = before.shields.apart(shielded, before.raised_since);
        settle(work, retired, own, shielded, apart.retired).await?;
        settle(work, survivor, person, shielded, apart.survivor).await?;
    }
    if stays {
        retention::store::schedule(work, survivor).await?;
        retention::store::schedule(work, retired).await?;
    }
    drop(guard::store::guard(work, Written::of(survivor).and(Written::of(retired))).await?);
    Ok(())
}

/// Raises or takes away the shield of one of two records that have parted; it stays where a request holds it up.
async fn settle(
    work: &mut Work,
    record: ChildId,
    person: Option<PersonId>,
    is: bool,
    wanted: bool,
) -> Result<(), Problem> {
    match person {
        _ if !is && wanted => {
            guard::store::raise(work, record).await?;
        }
        Some(person) if is && !wanted && !store::is_held_up(work, person).await? => {
            guard::store::lower(work, person).await?;
        }
        _ => {}
    }
    Ok(())
}
