//! The roots over HTTP.

use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

use super::{Root, Signer, hex, store};
use crate::{
    access::{Access, Permission, ReadAuditRoots},
    audit::Trail,
    http::Query,
    keys::Jwk,
    problem::Problem,
    work::{Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(read_audit_roots);
}

/// Which roots are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RootQuery {
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// Those after the root of this number: the last that you have.
    #[validate(range(min = 0, max = 9_007_199_254_740_991_i64))]
    #[param(nullable = false, minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 0)]
    pub after: Option<i64>,
}

/// A signed root over events of the audit. Hashes and signatures are in hexadecimal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedRoot {
    /// Its number; the first is 1.
    pub n: i64,
    /// Which life of the database it is of: another begins where a dump is restored into another server.
    pub epoch: i32,
    /// The server of that epoch, as PostgreSQL knows it.
    pub cluster: String,
    /// The first transaction that it is over.
    pub from_transaction: i64,
    /// The transaction after the last that it is over.
    pub to_transaction: i64,
    /// How many events it is over.
    pub events: i64,
    /// How many events there were from before the first root; 0 but in the first.
    pub earlier: i64,
    /// The root of the tree over them (RFC 6962).
    pub root: String,
    /// The events that were no longer what the service had written, which means that somebody changed them.
    pub doubted: Vec<Uuid>,
    /// The hash of the root before; zeros in the first.
    pub previous: String,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The key that signed it.
    pub kid: String,
    /// The signature (Ed25519).
    pub signature: String,
    /// Its hash: SHA-256 over what is signed and the signature.
    pub hash: String,
}

impl SignedRoot {
    fn of(root: Root) -> Result<Self, Problem> {
        let hash = root.hash().map_err(Problem::internal)?;
        Ok(Self {
            n: root.n,
            epoch: root.range.epoch,
            cluster: root.cluster,
            from_transaction: root.range.from,
            to_transaction: root.range.to,
            events: root.events,
            earlier: root.earlier,
            root: hex(&root.root),
            doubted: root.doubted,
            previous: hex(&root.previous),
            at: root.at,
            kid: root.kid,
            signature: hex(&root.signature),
            hash: hex(&hash),
        })
    }
}

/// A page of roots.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedRoots {
    /// The roots, the first first.
    pub items: Vec<SignedRoot>,
    /// The public keys of all that sign or signed.
    pub keys: Vec<Jwk>,
}

/// Read the signed roots of the audit
///
/// Roots over all events, each signed and naming the one before, by which whoever keeps a copy of them proves later that no
/// event was changed, added or removed. They say nothing of any event. Ask again after the last that you have.
#[utoipa::path(
    tag = "audit",
    security(("bearer" = [ReadAuditRoots::SCOPE])),
    params(RootQuery),
    responses((status = 200, description = "A page of roots.", body = SignedRoots)),
)]
#[get("/audit/roots")]
async fn read_audit_roots(
    access: Access<ReadAuditRoots>,
    Query(query): Query<RootQuery>,
    signer: Data<Signer>,
    db: Data<Db>,
) -> Reply<SignedRoots> {
    let look = access.look(&db).await?;
    let (after, limit) = (query.after.unwrap_or_default(), query.limit.unwrap_or(20));
    let roots = store::after(look.db(), after, i64::from(limit)).await?;
    let items = roots.into_iter().map(SignedRoot::of).collect::<Result<_, _>>()?;
    look.record(Trail::default(), SignedRoots { items, keys: signer.jwks().keys }).await
}
