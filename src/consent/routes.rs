//! Consents over HTTP.

use actix_web::{
    get, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Consent, ConsentPurpose, Consents, WithdrawalIn, store};
use crate::{
    access::{Access, Permission, ReadConsent, Role, WithdrawConsent},
    audit::Trail,
    child, contact_request,
    http::{IfMatch, Json},
    ids::{ConsentId, IndexNumber},
    retention, sensitive,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_consents);
    api.service(withdraw_consent);
}

/// List the consents about a child
///
/// Those to the sensitive services of your own organisation; a steward of the authority that answers for the record is
/// told of every consent, but not of whose service it is to.
#[utoipa::path(
    tag = "consents",
    security(("bearer" = [ReadConsent::SCOPE])),
    params(("indexNumber" = IndexNumber, Path, description = "The child's index number.", example = "48271930566")),
    responses((status = 200, description = "The consents.", body = Consents)),
)]
#[get("/children/{indexNumber}/consents")]
async fn list_consents(
    access: Access<ReadConsent>,
    number: Path<IndexNumber>,
    db: Data<Db>,
) -> Reply<Consents> {
    let look = access.look(&db).await?;
    let (child, authority) = child::store::find(&look, &number).await?;
    let own = sensitive::own_key(look.vault(), look.one_organisation(), &number);
    let items = store::list(&look, child, authority, &own).await?;
    look.record(Trail::of(child), Consents { items }).await
}

/// Withdraw a consent
///
/// By the organisation whose service it is to, or by a steward of the authority that answers for the record. A sensitive
/// service that stands on it is told to nobody from then on, not even to its own organisation, and whoever was put in touch
/// is told its contact no more. Where a service is recorded because of significant harm there is nothing to withdraw. Needs
/// a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "consents",
    security(("bearer" = [WithdrawConsent::SCOPE])),
    params(("consentId" = ConsentId, Path, description = "The consent.")),
    request_body = WithdrawalIn,
    responses((status = 200, description = "The consent as it now stands.", body = Consent, headers(
        ("ETag" = String, description = "The version of the consent."),
    ))),
)]
#[put("/consents/{consentId}/withdrawal")]
async fn withdraw_consent(
    access: Access<WithdrawConsent>,
    id: Path<ConsentId>,
    base: IfMatch,
    body: Json<WithdrawalIn>,
    db: Data<Db>,
) -> Reply<Consent> {
    let mut work = access.begin(&db).await?;
    let (child, given) = store::lock(&mut work, *id).await?;
    base.check(given.consent.version)?;
    let day = body.value.of(&given, work.today())?;
    if let Some(involvement) = given.involvement {
        sensitive::store::withdraw(&mut work, involvement).await?;
        contact_request::store::lose_provider(&mut work, involvement).await?;
    }
    let consent = store::withdraw(&mut work, given, day).await?;
    if consent.purpose == ConsentPurpose::StayToTwentyFive {
        retention::store::schedule(&mut work, child).await?;
    }
    let version = consent.version;
    let details = json!({ "consent": *id, "withdrawnOn": day });
    let trail = match work.caller.role {
        Role::Steward => Trail::of(child).with(details),
        _ => sensitive::discreet(child, details),
    };
    Ok(work.record(trail, consent).await?.version(version))
}
