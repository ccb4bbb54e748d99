//! The stop over HTTP.

use actix_web::{delete, get, put, web::Data};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Stop, store};
use crate::{
    access::{Access, Permission, StopEverything},
    audit::Trail,
    work::{Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(read_stop);
    api.service(stop_everything);
    api.service(lift_stop);
}

/// See whether everything is stopped
///
/// And since when, and by whom.
#[utoipa::path(
    tag = "running",
    security(("bearer" = [StopEverything::SCOPE])),
    responses((status = 200, description = "Whether it is.", body = Stop)),
)]
#[get("/stop")]
async fn read_stop(access: Access<StopEverything>, db: Data<Db>) -> Reply<Stop> {
    let look = access.look(&db).await?;
    let stop = store::read(look.db()).await?;
    look.record(Trail::default(), stop).await
}

/// Stop everything
///
/// From the moment of this answer every instance answers `stopped` to every other request, whoever sends it and whatever
/// token it has. What remains is signing in, `GET /v1/organisations`, by which people still reach one another, and lifting the
/// stop. Stopping what is stopped changes nothing.
#[utoipa::path(
    tag = "running",
    security(("bearer" = [StopEverything::SCOPE])),
    responses((status = 200, description = "Everything is stopped.", body = Stop)),
)]
#[put("/stop")]
async fn stop_everything(access: Access<StopEverything>, db: Data<Db>) -> Reply<Stop> {
    let mut work = access.begin(&db).await?;
    store::begin(&mut work).await?;
    told(work).await
}

/// Lift the stop
///
/// Everything goes on as before; sessions that have not ended meanwhile are good again.
#[utoipa::path(
    tag = "running",
    security(("bearer" = [StopEverything::SCOPE])),
    responses((status = 200, description = "Nothing is stopped.", body = Stop)),
)]
#[delete("/stop")]
async fn lift_stop(access: Access<StopEverything>, db: Data<Db>) -> Reply<Stop> {
    let mut work = access.begin(&db).await?;
    store::lift(&mut work).await?;
    told(work).await
}

async fn told(mut work: Work) -> Reply<Stop> {
    let stop = store::read(work.db()).await?;
    let trail = Trail::default().with(json!({ "stopped": stop.stopped }));
    work.record(trail, stop).await
}
