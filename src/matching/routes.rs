//! Searching over HTTP.

use actix_web::{post, web::Data};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Criteria, MOST, Matches, SearchIn, store};
use crate::{
    access::{Access, Permission, Role, SearchChildren},
    audit::Trail,
    http::Json,
    ids::EventId,
    problem::{Kind, Problem},
    work::{Db, Look, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(search_children);
}

/// Find a child
///
/// By index number; by an identifier of your own function; by names with date of birth; by names with postcode and gender;
/// or by family name with date of birth and postcode. All criteria given must agree; former and known-as names are searched
/// too, and case, accents, apostrophes, hyphens and spaces make no difference. At most 10 children are told, best first; of
/// more than 10 none is (`too-many-matches`). The criteria, which only auditors can read,
/// and what was found are written down.
#[utoipa::path(
    tag = "children",
    security(("bearer" = [SearchChildren::SCOPE])),
    request_body = SearchIn,
    responses((status = 200, description = "The children found; none is an answer too.", body = Matches)),
)]
#[post("/children/search")]
async fn search_children(
    access: Access<SearchChildren>,
    body: Json<SearchIn>,
    db: Data<Db>,
) -> Reply<Matches> {
    let criteria = Criteria::of(body.value)?;
    let look = access.look(&db).await?;
    may_search_by(&look, &criteria).await?;
    let told = json!({ "criteria": criteria.told() });
    let Some(mut found) = store::find(&look, &criteria).await?.filter(|found| found.len() <= MOST)
    else {
        return Err(look
            .refuse(Kind::TooManyMatches.into(), Trail::default().with_sealed(told))
            .await);
    };
    found.sort_by(|(_, a), (_, b)| {
        (a.strength, &a.index_number).cmp(&(b.strength, &b.index_number))
    });

    let search_id = EventId::new();
    let (children, results) = found.into_iter().unzip();
    let trail = Trail::about(children).with_sealed(told);
    look.record_as(search_id, trail, Matches { search_id, results }).await
}

async fn may_search_by(look: &Look, criteria: &Criteria) -> Result<(), Problem> {
    let Some(identifier) = &criteria.identifier else { return Ok(()) };
    let kind = identifier.kind();
    let requester = look.requester.is_none_or(|requester| {
        requester.viewer.role == Role::Steward || requester.body.may_read(kind)
    });
    if requester && (look.caller.role == Role::Steward || store::body(look).await?.may_read(kind)) {
        return Ok(());
    }
    let detail = "An identifier is searched by staff of the kind of body whose number it is, and by stewards.";
    Err(Problem::new(Kind::Forbidden, detail))
}
