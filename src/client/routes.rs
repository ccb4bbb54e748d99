//! Clients over HTTP.

use actix_web::{
    get, patch, post,
    web::{Data, Path},
};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Changed, Client, ClientChange, ClientIn, ClientQuery, Clients, method::Proof, store};
use crate::{
    access::{Access, Permission, ReadClient, WriteClient},
    account::store::administered,
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::ClientId,
    problem::Problem,
    remote::RemoteKeys,
    work::{Begun, Db, Reply, Work},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_clients);
    api.service(register_client);
    api.service(open_client);
    api.service(change_client);
    api.service(renew_client_secret);
}

/// Find clients
///
/// Those of your own organisation, by name; the national operator's list holds those of national partners too.
#[utoipa::path(
    tag = "clients",
    security(("bearer" = [ReadClient::SCOPE])),
    params(ClientQuery),
    responses((status = 200, description = "A page of clients.", body = Clients)),
)]
#[get("/clients")]
async fn list_clients(
    access: Access<ReadClient>,
    Query(query): Query<ClientQuery>,
    db: Data<Db>,
) -> Reply<Clients> {
    let after = query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    let found = store::list(&look, &query, after, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.name.clone(), last.id));
    look.record(Trail::default(), Clients { items, next }).await
}

/// Register a client
///
/// A system of your own organisation; the national operator's also of national partners. It proves itself by a key of its own,
/// or by a secret that we make and tell once. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "clients",
    security(("bearer" = [WriteClient::SCOPE])),
    request_body = ClientIn,
    responses((status = 201, description = "The new client.", body = Client, headers(
        ("ETag" = String, description = "The version of the client, for `If-Match`."),
        ("Location" = String, description = "Where the client is."),
    ))),
)]
#[post("/clients")]
async fn register_client(
    access: Access<WriteClient>,
    key: IdempotencyKey,
    body: Json<ClientIn>,
    remote: Data<RemoteKeys>,
    db: Data<Db>,
) -> Reply<Client> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let told = body.value;
    let organisation = told.organisation_id.unwrap_or(work.caller.organisation);
    if administered(&mut work, organisation).await?.is_none() {
        return Err(Problem::invalid(
            "/organisationId",
            "is not an organisation whose clients you register",
        ));
    }
    may_be_asked(&remote, told.jwks_uri.as_deref())?;
    let (new, secret) = told.register(organisation)?;
    store::insert(&mut work, &new).await?;
    let trail = json!({ "client": new.id, "role": new.role, "method": new.proof.method() });
    created(work, new.id, secret, trail).await
}

/// Open a client
///
/// How it stands, how it proves itself and what it may have.
#[utoipa::path(
    tag = "clients",
    security(("bearer" = [ReadClient::SCOPE])),
    params(("clientId" = ClientId, Path, description = "The client.")),
    responses((status = 200, description = "The client.", body = Client, headers(
        ("ETag" = String, description = "The version of the client, for `If-Match`."),
    ))),
)]
#[get("/clients/{clientId}")]
async fn open_client(
    access: Access<ReadClient>,
    id: Path<ClientId>,
    db: Data<Db>,
) -> Reply<Client> {
    let look = access.look(&db).await?;
    let client = store::open(&look, *id).await?;
    let version = client.version;
    let answer = look.record(Trail::default().with(json!({ "client": *id })), client).await?;
    Ok(answer.version(version))
}

/// Change, suspend or close a client
///
/// A suspended or closed client gets no further answer from the moment of this one, on every instance and whatever token it
/// holds. Every change but of the name ends its sessions, and those in which it acts with a person: it asks for another
/// token. A closed client stays closed. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "clients",
    security(("bearer" = [WriteClient::SCOPE])),
    params(("clientId" = ClientId, Path, description = "The client.")),
    request_body = ClientChange,
    responses((status = 200, description = "The client as it now stands.", body = Client, headers(
        ("ETag" = String, description = "The version of the client, for `If-Match`."),
    ))),
)]
#[patch("/clients/{clientId}")]
async fn change_client(
    access: Access<WriteClient>,
    id: Path<ClientId>,
    base: IfMatch,
    body: Json<ClientChange>,
    remote: Data<RemoteKeys>,
    db: Data<Db>,
) -> Reply<Client> {
    let mut work = access.begin(&db).await?;
    let client = store::lock(&mut work, *id).await?;
    base.check(client.version)?;
    may_be_asked(&remote, body.value.jwks_uri.as_deref())?;
    let (changed, client_secret) = client.change(body.value)?;
    store::save(&mut work, *id, &changed).await?;
    let client = store::reread(&mut work, *id).await?;
    let version = client.version;
    let trail = json!({ "client": *id, "version": version, "set": set(&changed) });
    let told = Client { client_secret, ..client };
    Ok(work.record(Trail::default().with(trail), told).await?.version(version))
}

/// Renew the secret of a client
///
/// A new secret in place of the old, told once; the old one is good for nothing from the moment of the answer, and the
/// client's sessions end. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "clients",
    security(("bearer" = [WriteClient::SCOPE])),
    params(("clientId" = ClientId, Path, description = "The client.")),
    responses((status = 201, description = "The client, with its new secret.", body = Client, headers(
        ("ETag" = String, description = "The version of the client, for `If-Match`."),
        ("Location" = String, description = "Where the client is."),
    ))),
)]
#[post("/clients/{clientId}/secrets")]
async fn renew_client_secret(
    access: Access<WriteClient>,
    id: Path<ClientId>,
    key: IdempotencyKey,
    db: Data<Db>,
) -> Reply<Client> {
    let mut work = match access.begin_once(&db, key, [0; 32], &id.to_string()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    let client = store::lock(&mut work, *id).await?;
    let (changed, secret) = client.renew_secret()?;
    store::save(&mut work, *id, &changed).await?;
    created(work, *id, Some(secret), json!({ "client": *id })).await
}

/// Refuses an address from which keys are never fetched, such as one of our own network.
fn may_be_asked(remote: &RemoteKeys, uri: Option<&str>) -> Result<(), Problem> {
    let checked = uri.map_or(Ok(()), |uri| remote.check(uri));
    checked.map_err(|sentence| Problem::invalid("/jwksUri", sentence))
}

/// Answers with a client whose secret, if one was made, is told this once.
async fn created(
    mut work: Work,
    id: ClientId,
    client_secret: Option<String>,
    trail: serde_json::Value,
) -> Reply<Client> {
    let client = store::reread(&mut work, id).await?;
    let again = serde_json::to_value(&client).map_err(Problem::internal)?;
    let (location, version) = (format!("/v1/clients/{id}"), client.version);
    let told = Client { client_secret, ..client };
    work.record_created_once(Trail::default().with(trail), told, again, location, version).await
}

/// What was set, for the audit: never a secret.
fn set(changed: &Changed) -> serde_json::Value {
    let proof = changed.proof.as_ref();
    json!({
        "name": changed.name.is_some(), "status": changed.status, "method": proof.map(Proof::method),
        "scopes": changed.scopes, "dpopRequired": changed.dpop_required, "requestsPerSecond": changed.requests_per_second,
    })
}
