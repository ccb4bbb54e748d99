//! Policies and code lists over HTTP.

use actix_web::{get, web::Data};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{CodeLists, PolicyTable, ServiceTypes, code_lists, service_types, table};
use crate::{
    access::{Access, Permission, ReadPolicy},
    audit::Trail,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_policies);
    api.service(list_service_types);
    api.service(list_codes);
}

/// Read who may do what
///
/// The table of permissions, from the code that enforces it.
#[utoipa::path(
    tag = "policies",
    security(("bearer" = [ReadPolicy::SCOPE])),
    responses((status = 200, description = "The table.", body = PolicyTable)),
)]
#[get("/policies")]
async fn list_policies(access: Access<ReadPolicy>, db: Data<Db>) -> Reply<PolicyTable> {
    access.look(&db).await?.record(Trail::default(), table()).await
}

/// Read the service types
///
/// What organisations do for children, and whether it is universal, additional or sensitive.
#[utoipa::path(
    tag = "policies",
    security(("bearer" = [ReadPolicy::SCOPE])),
    responses((status = 200, description = "The service types.", body = ServiceTypes)),
)]
#[get("/service-types")]
async fn list_service_types(access: Access<ReadPolicy>, db: Data<Db>) -> Reply<ServiceTypes> {
    access.look(&db).await?.record(Trail::default(), service_types()).await
}

/// Read the code lists
///
/// The codes of access reasons, relationships and service types, and of the grounds and bases that protection and retention
/// ask for, each with its meaning.
#[utoipa::path(
    tag = "policies",
    security(("bearer" = [ReadPolicy::SCOPE])),
    responses((status = 200, description = "The lists.", body = CodeLists)),
)]
#[get("/code-lists")]
async fn list_codes(access: Access<ReadPolicy>, db: Data<Db>) -> Reply<CodeLists> {
    access.look(&db).await?.record(Trail::default(), code_lists()).await
}
