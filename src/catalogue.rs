//! The catalogue of every problem that the service tells of.

use actix_web::{HttpResponse, get, web::Path};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::problem::{Kind, Problem};

/// A type of problem.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemType {
    /// Its `type`.
    #[serde(rename = "type")]
    #[schema(example = "/problems/too-many-matches")]
    uri: String,
    /// Its title.
    #[schema(example = "Too many children match")]
    title: &'static str,
    /// The status that it is told with.
    #[schema(example = 422)]
    status: u16,
    /// What it means and what to do about it.
    meaning: &'static str,
}

/// Every type of problem.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemTypes {
    /// The types.
    items: Vec<ProblemType>,
}

fn told(kind: Kind) -> ProblemType {
    ProblemType {
        uri: kind.uri(),
        title: kind.title(),
        status: kind.status(),
        meaning: kind.meaning(),
    }
}

/// Adds the routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_problems);
    api.service(read_problem);
}

/// Read the catalogue of problems
///
/// Every `type` of problem (RFC 9457) that the service tells of, what it means and what to do about it.
#[utoipa::path(tag = "running", responses((status = 200, description = "The catalogue.", body = ProblemTypes)))]
#[get("/problems")]
async fn list_problems() -> HttpResponse {
    HttpResponse::Ok().json(ProblemTypes { items: Kind::ALL.iter().copied().map(told).collect() })
}

/// Read what a problem means
///
/// The `type` of every problem is the path of its explanation.
#[utoipa::path(
    tag = "running",
    params(("problem" = String, Path, description = "The last part of its `type`.", example = "too-many-matches")),
    responses((status = 200, description = "What it means.", body = ProblemType), (status = 404, description = "`not-found`.")),
)]
#[get("/problems/{problem}")]
async fn read_problem(slug: Path<String>) -> Result<HttpResponse, Problem> {
    let kind = Kind::ALL.iter().copied().find(|kind| kind.slug() == *slug).ok_or(Kind::NotFound)?;
    Ok(HttpResponse::Ok().json(told(kind)))
}
