//! What the demo hides, and what has ended in it: a shielded child, a sensitive service, a record for the archive.

use serde_json::{Value, json};

use super::{
    showpiece::{ARCHIVED, SENSITIVE, SHIELDED},
    store::{self, Known},
};
use crate::{
    audit::Trail,
    consent::{self, CapacityBasis, ConsentIn, GivenBy},
    contact::Contact,
    guard,
    involvement::ServiceType,
    problem::Problem,
    sensitive::{self, Provider, discreet, store::New},
    shield::ShieldGround,
    work::Errands,
};

/// Whose work it is, by the names of their accounts.
#[derive(Debug)]
pub(crate) struct Staff {
    /// Asks for the shield.
    pub(crate) asks: &'static str,
    /// Approves it.
    pub(crate) approves: &'static str,
    /// Provides the sensitive service.
    pub(crate) provides: &'static str,
}

/// Shields a child, as in an emergency that was confirmed.
pub(crate) async fn shield(work: &mut Errands, staff: &Staff) -> Result<Value, Problem> {
    let Known { child, number, search } = store::known(work, SHIELDED).await?;
    let (asks, _) = store::account(work, staff.asks).await?;
    let (approves, _) = store::account(work, staff.approves).await?;
    let ground = ShieldGround::DomesticAbuse;
    let id = store::insert_shield_request(work, child, ground, (asks, approves)).await?;
    guard::store::raise(work, child).await?;
    let details = json!({ "shieldRequest": id, "emergency": true, "decision": "approved" });
    work.record(Trail::of(child).with(details)).await?;
    Ok(json!({ "indexNumber": number, "search": search }))
}

/// Has a sensitive service recorded, to which the child has consented.
pub(crate) async fn sensitive(work: &mut Errands, staff: &Staff) -> Result<Value, Problem> {
    let Known { child, number, search } = store::known(work, SENSITIVE).await?;
    let (account, organisation) = store::account(work, staff.provides).await?;
    let (vault, now, today) = (work.vault()?, work.now, work.today());
    let provider = Provider {
        organisation_id: organisation,
        service_type: ServiceType::SexualHealth,
        contact: contact()?,
        recorded_by: Some(account.0),
        source_organisation_id: organisation,
    };
    let new = New {
        child,
        number: &number,
        provider: &provider,
        consented: true,
        started_on: today,
        ended_on: None,
        confirmed_on: today,
    };
    let id = sensitive::store::insert(work.db(), &vault, now, &new).await?;
    let given = ConsentIn {
        given_by: GivenBy::Child,
        capacity_basis: CapacityBasis::GillickCompetent,
        given_on: today,
    };
    consent::store::insert(work.db(), &vault, now, (child, id, organisation), &given).await?;
    work.record(discreet(child, json!({ "involvement": id }))).await?;
    Ok(json!({ "indexNumber": number, "search": search, "involvementId": id }))
}

/// Has it found out that the time of a record was over two months ago; the retention task then archives it.
pub(crate) async fn end(work: &mut Errands) -> Result<Value, Problem> {
    let Known { child, number, search } = store::known(work, ARCHIVED).await?;
    store::forget_end(work, child).await?;
    work.record(Trail::of(child)).await?;
    Ok(json!({ "indexNumber": number, "search": search }))
}

fn contact() -> Result<Contact, Problem> {
    let said = json!({ "team": "Young people's clinic", "officeHours": "01632 960471" });
    serde_json::from_value(said).map_err(Problem::internal)
}
