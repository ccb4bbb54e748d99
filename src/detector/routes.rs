//! The measures of detectors over HTTP.

use actix_web::{
    get, put,
    web::{Data, Path},
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Detector, Severity, Threshold, store};
use crate::{
    access::{Access, Permission, ReadDetector, WriteDetector},
    audit::Trail,
    http::{IfMatch, Json},
    problem::Problem,
    work::{Db, Reply},
};

/// A detector, with the measure in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DetectorInForce {
    /// Which.
    pub detector: Detector,
    /// What it finds.
    #[schema(
        example = "Somebody searches name after name with one date of birth or one postcode."
    )]
    pub finds: &'static str,
    /// How soon somebody should look into it.
    pub severity: Severity,
    /// From which measure on.
    pub threshold: Threshold,
    /// The version of the measure, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// The detectors.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detectors {
    /// Every detector.
    pub items: Vec<DetectorInForce>,
}

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_detectors);
    api.service(set_detector);
}

fn in_force(detector: Detector, set: &[(Detector, Threshold, i64)]) -> DetectorInForce {
    let set = set.iter().find(|(of, ..)| *of == detector);
    let (threshold, version) =
        set.map_or((detector.shipped(), 1), |(_, threshold, version)| (*threshold, *version));
    let (finds, severity) = (detector.meaning(), detector.severity());
    DetectorInForce { detector, finds, severity, threshold, version }
}

/// Read from which measure on detectors find something
///
/// What each finds, and its measure: as shipped, or as the operator has set it.
#[utoipa::path(
    tag = "alerts",
    security(("bearer" = [ReadDetector::SCOPE])),
    responses((status = 200, description = "Every detector.", body = Detectors)),
)]
#[get("/detectors")]
async fn list_detectors(access: Access<ReadDetector>, db: Data<Db>) -> Reply<Detectors> {
    let look = access.look(&db).await?;
    let set = store::versions(look.db()).await?;
    let items = Detector::ALL.iter().map(|detector| in_force(*detector, &set)).collect();
    look.record(Trail::default(), Detectors { items }).await
}

/// Set from which measure on a detector finds something
///
/// It holds from the next event that is looked through. `contactpoint watch replay` shows before what a change would have raised.
/// Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "alerts",
    security(("bearer" = [WriteDetector::SCOPE])),
    params(("detector" = Detector, Path, description = "The detector.", example = "sweep")),
    request_body = Threshold,
    responses((status = 200, description = "The detector as it now is.", body = DetectorInForce, headers(
        ("ETag" = String, description = "The version of the measure, for `If-Match`."),
    ))),
)]
#[put("/detectors/{detector}")]
async fn set_detector(
    access: Access<WriteDetector>,
    detector: Path<Detector>,
    base: IfMatch,
    body: Json<Threshold>,
    db: Data<Db>,
) -> Reply<DetectorInForce> {
    if !body.value.limit.is_finite() {
        return Err(Problem::invalid("/limit", "must be a number"));
    }
    let mut work = access.begin(&db).await?;
    store::hold(&mut work).await?;
    let set = store::versions(work.db()).await?;
    let was = in_force(*detector, &set);
    base.check(was.version)?;
    let changes = was.threshold != body.value;
    let (version, by) = (was.version + i64::from(changes), work.caller.subject.uuid());
    if changes {
        store::set(&mut work, *detector, version, body.value, by).await?;
    }
    let is = in_force(*detector, &[(*detector, body.value, version)]);
    let trail = json!({ "detector": *detector, "was": was.threshold, "is": is.threshold, "version": version });
    Ok(work.record(Trail::default().with(trail), is).await?.version(version))
}
