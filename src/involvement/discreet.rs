//! What is done to a sensitive involvement where others do it to any: by its own organisation, and as if it were not there
//! by everybody else.

use serde_json::json;

use super::{Involvement, InvolvementChange, InvolvementIn, may_say_sensitive};
use crate::{
    child::Core,
    consent,
    http::IfMatch,
    ids::{ChildId, InvolvementId},
    problem::{Kind, Problem},
    sensitive::{self, Provider, discreet, store::New},
    work::{Look, Reply, Work},
};

/// Says that the caller's organisation provides a sensitive service to a child.
pub(super) async fn add(
    mut work: Work,
    (child, core): (ChildId, Core),
    new: InvolvementIn,
) -> Reply<Involvement> {
    may_say_sensitive(&work.caller, new.organisation_id)?;
    work.caller.signed_in_of_late(work.now)?;
    let (vault, now, today, own) = (work.vault(), work.now, work.today(), work.caller.organisation);
    new.check(core.birth.earliest(), today)?;
    let provider = Provider {
        organisation_id: own,
        service_type: new.service_type,
        contact: new.contact,
        recorded_by: Some(work.caller.subject.uuid()),
        source_organisation_id: own,
    };
    let row = New {
        child,
        number: &core.index_number,
        provider: &provider,
        consented: new.consent.is_some(),
        started_on: new.started_on,
        ended_on: new.ended_on,
        confirmed_on: new.confirmed_on.or(new.ended_on).unwrap_or(today),
    };
    let id = sensitive::store::insert(work.db(), &vault, now, &row).await?;
    if let Some(given) = &new.consent {
        consent::store::insert(work.db(), &vault, now, (child, id, own), given).await?;
    }
    let told = sensitive::store::reread(&mut work, id).await?.involvement;
    let (location, version) = (format!("/v1/involvements/{id}"), told.version);
    let trail = discreet(child, json!({ "involvement": id }));
    work.record_created(trail, told, location, version).await
}

/// Opens a sensitive involvement of the own organisation.
pub(super) async fn open(look: Look, id: InvolvementId) -> Reply<Involvement> {
    let found = sensitive::store::open(&look, id).await?;
    let version = found.involvement.version;
    let trail = discreet(found.child, json!({ "involvement": id }));
    Ok(look.record(trail, found.involvement).await?.version(version))
}

/// Changes a sensitive involvement of the own organisation.
pub(super) async fn change(
    mut work: Work,
    id: InvolvementId,
    base: IfMatch,
    change: InvolvementChange,
) -> Reply<Involvement> {
    let mut found = sensitive::store::lock(&mut work, id).await?;
    base.check(found.involvement.version)?;
    found.involvement.change(change, work.today())?;
    sensitive::store::save(&mut work, &found).await?;
    let told = sensitive::store::reread(&mut work, id).await?.involvement;
    let version = told.version;
    let trail = discreet(found.child, json!({ "involvement": id, "version": version }));
    Ok(work.record(trail, told).await?.version(version))
}

/// Why no flag is set or cleared on an involvement of which others are not told.
pub(super) async fn no_flags(work: &mut Work, id: InvolvementId) -> Problem {
    match sensitive::store::lock(work, id).await {
        Ok(_) => Kind::SensitiveService.into(),
        Err(problem) => problem,
    }
}
