//! Budgets over HTTP.

use actix_web::{
    get, put,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    limits::{Budget, OwnLimits},
    store,
};
use crate::{
    access::{Access, Permission, ReadBudget, WriteBudget},
    audit::Trail,
    http::{IfMatch, Json},
    ids::OrganisationId,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(open_budget);
    api.service(set_budget);
}

/// Open the budget of an organisation
///
/// How much anybody who acts for it may search, open and match, beyond which `over-budget` is answered: what it has of its own,
/// what holds for all, and what follows.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [ReadBudget::SCOPE])),
    params(("organisationId" = OrganisationId, Path, description = "The organisation.")),
    responses((status = 200, description = "The budget.", body = Budget, headers(
        ("ETag" = String, description = "The version of the budget, for `If-Match`."),
    ))),
)]
#[get("/organisations/{organisationId}/budget")]
async fn open_budget(
    access: Access<ReadBudget>,
    id: Path<OrganisationId>,
    db: Data<Db>,
) -> Reply<Budget> {
    let look = access.look(&db).await?;
    let budget = store::open(&look, *id).await?;
    budget.is_reached_by(&look.caller)?;
    let trail = Trail::default().with(json!({ "organisation": *id }));
    Ok(look.record(trail, budget).await?.version(budget.version))
}

/// Set the budget of an organisation
///
/// All that it has of its own: what is left out is what holds for every organisation. Its account administrator makes it
/// tighter; the national operator makes it wider too, for an organisation on whom more children depend. It holds from the next
/// look on every instance, also for what was spent already. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "organisations",
    security(("bearer" = [WriteBudget::SCOPE])),
    params(("organisationId" = OrganisationId, Path, description = "The organisation.")),
    request_body = OwnLimits,
    responses((status = 200, description = "The budget as it now stands.", body = Budget, headers(
        ("ETag" = String, description = "The version of the budget, for `If-Match`."),
    ))),
)]
#[put("/organisations/{organisationId}/budget")]
async fn set_budget(
    access: Access<WriteBudget>,
    id: Path<OrganisationId>,
    base: IfMatch,
    body: Json<OwnLimits>,
    db: Data<Db>,
) -> Reply<Budget> {
    let mut work = access.begin(&db).await?;
    let budget = store::lock(&mut work, *id).await?;
    budget.is_reached_by(&work.caller)?;
    base.check(budget.version)?;
    budget.may_be_set_by(&work.caller, body.value)?;
    let budget = store::save(&mut work, &budget, body.value).await?;
    let trail = json!({ "organisation": *id, "own": budget.own, "version": budget.version });
    Ok(work.record(Trail::default().with(trail), budget).await?.version(budget.version))
}
