//! Searching and matching over HTTP.

use actix_web::{post, web::Data};
use linkage::{Decision, Outcome, decide};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Criteria, MOST, Matches, SearchIn,
    fuzzy::{self, Near, evidence},
    retrieve::{self, Found},
    store,
    system::{Known, MatchIn, MatchOutcome, Matched},
};
use crate::{
    access::{Access, MatchChildren, Permission, Role, SearchChildren},
    audit::Trail,
    child::identifier::{Identifier, IdentifierKind},
    http::Json,
    ids::{ChildId, EventId},
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    work::{Db, Look, Reply},
};

/// As many of those compared as the audit of a match keeps.
const KEPT: usize = 5;

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(search_children);
    api.service(match_child);
}

/// Find a child
///
/// By index number; by an identifier of your own function; by names with date of birth; by names with postcode and gender;
/// or by family name with date of birth and postcode. All criteria given must agree; former and known-as names are searched
/// too, and case, accents, apostrophes, hyphens and spaces make no difference. At most 10 children are told, best first; of
/// more than 10 none is (`too-many-matches`, which says in `narrowBy` what would narrow best).
///
/// Where nobody is found, repeat the search with `"fuzzy": true` and its `searchId`: it then finds children who are nearly as
/// asked, tells in words what agrees and what does not, and why it is not certain. Family, school and address may be added. The
/// criteria, which only auditors can read, and what was found are written down.
#[utoipa::path(
    tag = "children",
    security(("bearer" = [SearchChildren::SCOPE])),
    request_body = SearchIn,
    responses(
        (status = 200, description = "The children found; none is an answer too.", body = Matches),
        (status = 409, description = "`exact-search-first`."),
    ),
)]
#[post("/children/search")]
async fn search_children(
    access: Access<SearchChildren>,
    body: Json<SearchIn>,
    db: Data<Db>,
) -> Reply<Matches> {
    let (fuzzy, exact) = (body.value.fuzzy, body.value.search_id);
    let criteria = Criteria::of(body.value)?;
    let look = access.look(&db).await?;
    may_search_by(&look, criteria.identifier.iter().map(Identifier::kind)).await?;
    if fuzzy { search_fuzzily(look, &criteria, exact).await } else { search(look, &criteria).await }
}

async fn search(look: Look, criteria: &Criteria) -> Reply<Matches> {
    let told = json!({ "criteria": criteria.told() });
    let Some(mut found) = store::find(&look, criteria).await?.filter(|found| found.len() <= MOST)
    else {
        return Err(too_many(look, criteria, false, told).await);
    };
    found.sort_by(|(_, a), (_, b)| {
        (a.strength, &a.index_number).cmp(&(b.strength, &b.index_number))
    });
    let search_id = EventId::new();
    let (children, results) = found.into_iter().unzip();
    let trail = Trail::about(children).with_sealed(told);
    look.record_as(search_id, trail, Matches { search_id, results }).await
}

async fn search_fuzzily(look: Look, criteria: &Criteria, exact: Option<EventId>) -> Reply<Matches> {
    let exact = exact.ok_or(Kind::ExactSearchFirst)?;
    if !store::found_nobody(&look, exact, criteria).await? {
        return Err(Kind::ExactSearchFirst.into());
    }
    let behind_shield = criteria.looks_behind_shields();
    let asked = criteria.person(store::numbers(&look, criteria.further.school.as_slice()).await?);
    let in_force = look.matcher();
    let found = retrieve::candidates(look.db(), &asked, look.today(), behind_shield).await?;
    let near = match found {
        Found::Candidates(candidates) => fuzzy::told(&in_force.matcher, &asked, &candidates)?,
        Found::TooMany => None,
    };
    let mut told = json!({
        "criteria": criteria.told(), "further": criteria.further_told(), "fuzzy": true, "exact": exact,
        "model": in_force.version,
    });
    let Some(near) = near else { return Err(too_many(look, criteria, true, told).await) };
    let known = store::told(look.db(), &ids(&near), look.today(), behind_shield).await?;
    told["ranked"] = near
        .iter()
        .filter_map(|near| {
            let number = &known.get(&near.child)?.index_number;
            Some(evidence(&near.comparison, Some(number)))
        })
        .collect();
    let (children, results) = fuzzy::results(near, known);
    let search_id = EventId::new();
    let trail = Trail::about(children).with_sealed(told);
    look.record_as(search_id, trail, Matches { search_id, results }).await
}

fn ids(near: &[Near]) -> Vec<ChildId> {
    near.iter().map(|near| near.child).collect()
}

async fn too_many(
    look: Look,
    criteria: &Criteria,
    fuzzy: bool,
    told: serde_json::Value,
) -> Problem {
    let criterion = criteria.narrow_by(fuzzy).map(super::Criterion::as_str);
    let problem = Problem::from(Kind::TooManyMatches).narrow_by(criterion);
    look.refuse(problem, Trail::default().with_sealed(told)).await
}

/// Ask whether what you know is of one child of the index
///
/// For systems. The more you send, the surer the answer: every name, now and before, the date of birth, gender, every address
/// (a postcode alone will do), the names of parents and carers, schools and practices, identifiers of the kind of body that you
/// act for. At least names with date of birth; names with postcode and gender; a name with date of birth and postcode; or an
/// identifier.
///
/// The answer is the one child (`match`), `ambiguous`, which names nobody, or `none`. It changes nothing; what was sent and how
/// it was decided are written down, where only auditors can read it.
#[utoipa::path(
    tag = "children",
    security(("bearer" = [MatchChildren::SCOPE])),
    request_body = MatchIn,
    responses((status = 200, description = "Whether it is of one child.", body = Matched)),
)]
#[post("/children/match")]
async fn match_child(
    access: Access<MatchChildren>,
    body: Json<MatchIn>,
    db: Data<Db>,
) -> Reply<Matched> {
    let known = Known::of(body.value)?;
    let look = access.look(&db).await?;
    may_search_by(&look, known.identifiers.iter().map(Identifier::kind)).await?;
    let behind_shield = known.looks_behind_shields();
    let (schools, practices) = known.organisations();
    let schools = store::numbers(&look, schools).await?;
    let asked = known.person(schools, store::numbers(&look, practices).await?);
    let in_force = look.matcher();
    let found = retrieve::candidates(look.db(), &asked, look.today(), behind_shield).await?;
    let decision = match found {
        Found::Candidates(candidates) => {
            let compared = candidates.compared(&in_force.matcher, &asked)?;
            Some(decide(&in_force.matcher.model, compared))
        }
        Found::TooMany => None,
    };
    answer(look, &known, behind_shield, decision, &in_force.version).await
}

async fn answer(
    look: Look,
    known: &Known,
    behind_shield: bool,
    decision: Option<Decision<ChildId>>,
    version: &str,
) -> Reply<Matched> {
    let ranked = decision.as_ref().map_or(&[][..], |decision| &decision.ranked);
    let kept = &ranked[..ranked.len().min(KEPT)];
    let kept_ids: Vec<_> = kept.iter().map(|(child, _)| *child).collect();
    let told = store::told(look.db(), &kept_ids, look.today(), behind_shield).await?;
    let number = |child: &ChildId| told.get(child).map(|told| told.index_number.clone());
    let best = decision.as_ref().and_then(|decision| decision.best);
    let index_number = best.as_ref().and_then(number);
    let outcome = match decision.as_ref().map(|decision| decision.outcome) {
        Some(Outcome::Match) if index_number.is_some() => MatchOutcome::Match,
        Some(Outcome::Review) | None => MatchOutcome::Ambiguous,
        Some(Outcome::Match | Outcome::None) => MatchOutcome::None,
    };
    let details = json!({
        "criteria": known.told(),
        "model": version,
        "outcome": outcome,
        "reasons": decision.as_ref().map(|decision| &decision.reasons),
        "ranked": kept.iter().map(|(child, compared)| evidence(compared, number(child).as_ref())).collect::<Vec<_>>(),
    });
    let matched = outcome == MatchOutcome::Match;
    let children = best.filter(|_| matched).into_iter().collect();
    let match_id = EventId::new();
    let answer = Matched {
        match_id,
        outcome,
        index_number: index_number.filter(|_| matched),
        narrow_by: known.narrow_by().filter(|_| outcome == MatchOutcome::Ambiguous),
        model_version: version.to_owned(),
    };
    look.record_as(match_id, Trail::about(children).with_sealed(details), answer).await
}

/// Every search, fuzzy search and match passes here before anybody is looked for.
async fn may_search_by(
    look: &Look,
    kinds: impl Iterator<Item = IdentifierKind>,
) -> Result<(), Problem> {
    let kinds: Vec<_> = kinds.collect();
    if kinds.is_empty() {
        return Ok(());
    }
    let all = |role, body: OrganisationKind| {
        role == Role::Steward || kinds.iter().all(|kind| body.may_read(*kind))
    };
    let requester =
        look.requester.is_none_or(|requester| all(requester.viewer.role, requester.body));
    if requester && all(look.caller.role, store::body(look).await?) {
        return Ok(());
    }
    let detail = "An identifier is searched by staff of the kind of body whose number it is, and by stewards.";
    Err(Problem::new(Kind::Forbidden, detail))
}
