//! Whether the service lives, and whether it is ready for requests.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    problem::{Kind, Problem},
    work::Db,
};

/// Whether the service is stopping, so that balancers send it nothing more.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on it is.
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `live` or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Adds the routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(is_live);
    api.service(is_ready);
}

/// Whether the process lives
///
/// For the supervisor that restarts it; says nothing about the database.
#[utoipa::path(tag = "running", responses((status = 200, description = "It lives.", body = Health)))]
#[get("/health/live")]
async fn is_live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "live" })
}

/// Whether it is ready for requests
///
/// For the balancer: the database answers, and the service is not stopping.
#[utoipa::path(
    tag = "running",
    responses(
        (status = 200, description = "It is ready.", body = Health),
        (status = 503, description = "`unavailable`."),
    ),
)]
#[get("/health/ready")]
async fn is_ready(db: Data<Db>, draining: Data<Draining>) -> Result<HttpResponse, Problem> {
    if draining.begun() {
        return Err(Problem::new(Kind::Unavailable, "The service is stopping."));
    }
    db.ready().await?;
    Ok(HttpResponse::Ok().json(Health { status: "ready" }))
}
