//! Clients in the database.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{Changed, Client, ClientQuery, NewClient, method::Proof, scope};
use crate::{
    access::{Caller, Role, scopes},
    ids::{ClientId, OrganisationId},
    problem::{Kind, Problem},
    work::{Arrival, Errands, Look, SignIn, Work},
};

/// A page of the clients that the caller administers, after a name and a number; one more than asked for where there is a
/// next page.
pub(super) async fn list(
    look: &Look,
    query: &ClientQuery,
    after: Option<(String, ClientId)>,
    limit: i64,
) -> Result<Vec<Client>, Problem> {
    let (name, id) = after.unwrap_or((String::new(), ClientId(uuid::Uuid::nil())));
    let rows = sqlx::query_scalar!(
        r#"select told as "told!: Json<Client>" from client_told
           where (name, client_id) > ($1, $2) and ($3::text is null or status = $3)
             and (organisation_id = $4 or ($5 and organisation_kind = 'nationalPartner'))
           order by name, client_id limit $6"#,
        name,
        id.0,
        query.status.map(super::ClientStatus::as_str),
        look.caller.organisation.0,
        look.caller.role == Role::Operator,
        limit,
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// Opens a client that the caller administers.
pub(super) async fn open(look: &Look, id: ClientId) -> Result<Client, Problem> {
    read(look.db(), &look.caller, id).await
}

/// The client as the work has left it.
pub(super) async fn reread(work: &mut Work, id: ClientId) -> Result<Client, Problem> {
    let caller = work.caller.clone();
    read(work.db(), &caller, id).await
}

async fn read(db: impl PgExecutor<'_>, caller: &Caller, id: ClientId) -> Result<Client, Problem> {
    let row = sqlx::query_scalar!(
        r#"select told as "told!: Json<Client>" from client_told
           where client_id = $1 and (organisation_id = $2 or ($3 and organisation_kind = 'nationalPartner'))"#,
        id.0,
        caller.organisation.0,
        caller.role == Role::Operator,
    );
    Ok(row.fetch_optional(db).await?.ok_or(Kind::NotFound)?.0)
}

/// Holds a client that the caller administers until the work is done.
pub(super) async fn lock(work: &mut Work, id: ClientId) -> Result<Client, Problem> {
    sqlx::query!("select client_id from client where client_id = $1 for update", id.0)
        .fetch_optional(work.db())
        .await?;
    reread(work, id).await
}

/// Adds a client.
pub(super) async fn insert(work: &mut Work, new: &NewClient) -> Result<(), Problem> {
    let now = work.now;
    add(work.db(), now, new).await
}

/// The same, from the command line.
pub async fn insert_by_operator(work: &mut Errands, new: &NewClient) -> Result<(), Problem> {
    let now = work.now;
    add(work.db(), now, new).await
}

async fn add(db: &mut PgConnection, now: DateTime<Utc>, new: &NewClient) -> Result<(), Problem> {
    sqlx::query!(
        "insert into client (client_id, name, organisation_id, role, auth_method, secret_hash, jwks, jwks_uri, scopes,
             dpop_required, requests_per_second, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        new.id.0,
        new.name.as_str(),
        new.organisation.0,
        new.role.as_str(),
        new.proof.method().as_str(),
        new.proof.secret_hash(),
        new.proof.jwks(),
        new.proof.jwks_uri(),
        new.scopes.as_ref().map(|scopes| owned(scopes)) as _,
        new.dpop_required,
        i32::from(new.requests_per_second),
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what has changed; where its tokens would say something else now, its sessions end.
pub(super) async fn save(work: &mut Work, id: ClientId, changed: &Changed) -> Result<(), Problem> {
    let (now, proof) = (work.now, changed.proof.as_ref());
    sqlx::query!(
        "update client set name = coalesce($2, name), status = coalesce($3, status),
             auth_method = coalesce($4, auth_method),
             secret_hash = case when $4::text is null then secret_hash else $5 end,
             jwks = case when $4::text is null then jwks else $6 end,
             jwks_uri = case when $4::text is null then jwks_uri else $7 end,
             scopes = coalesce($8, scopes), dpop_required = coalesce($9, dpop_required),
             requests_per_second = coalesce($10, requests_per_second), version = version + 1, updated_at = $11
         where client_id = $1",
        id.0,
        changed.name.as_ref().map(crate::contact::PersonLine::as_str),
        changed.status.map(super::ClientStatus::as_str),
        proof.map(|proof| proof.method().as_str()),
        proof.and_then(Proof::secret_hash),
        proof.and_then(Proof::jwks),
        proof.and_then(Proof::jwks_uri),
        changed.scopes.as_ref().map(|scopes| owned(scopes)) as _,
        changed.dpop_required,
        changed.requests_per_second.map(i32::from),
        now,
    )
    .execute(work.db())
    .await?;
    if changed.ends_sessions() {
        sqlx::query!(
            "update session set ended_at = $2 where client_id = $1 and ended_at is null",
            id.0,
            now,
        )
        .execute(work.db())
        .await?;
    }
    Ok(())
}

fn owned(scopes: &[&str]) -> Vec<String> {
    scopes.iter().map(|&scope| scope.to_owned()).collect()
}

/// A client, as the token endpoint needs it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: ClientId,
    pub(crate) organisation: OrganisationId,
    pub(crate) authority: Option<OrganisationId>,
    pub(crate) role: Role,
    pub(crate) proof: Proof,
    scopes: Option<Vec<String>>,
    pub(crate) dpop_required: bool,
    pub(crate) requests_per_second: u32,
    version: i64,
}

impl Known {
    /// What it is registered for.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let all = || owned(&scope::all(self.role));
        self.scopes.clone().unwrap_or_else(all)
    }

    /// What it is registered for and may do by itself, separated by spaces.
    pub(crate) fn own_scope(&self) -> String {
        scope::common(&scopes(self.role), &self.scopes())
    }
}

/// Finds a client that may call.
pub(crate) async fn known(arrival: &Arrival, id: ClientId) -> Result<Option<Known>, Problem> {
    let row = sqlx::query!(
        r#"
        select c.client_id as "id: ClientId", c.organisation_id as "organisation: OrganisationId",
               o.authority_id as "authority: OrganisationId", c.role as "role: Role", c.secret_hash, c.jwks, c.jwks_uri,
               c.scopes, c.dpop_required, c.requests_per_second, c.version
        from client c
        join organisation o on o.organisation_id = c.organisation_id
        where c.client_id = $1 and stands_until(null, c.client_id, $2) > $2
        "#,
        id.0,
        arrival.now,
    )
    .fetch_optional(arrival.db())
    .await?;
    row.map(|row| {
        Ok(Known {
            id: row.id,
            organisation: row.organisation,
            authority: row.authority,
            role: row.role,
            proof: proof(row.secret_hash, row.jwks, row.jwks_uri)?,
            scopes: row.scopes,
            dpop_required: row.dpop_required,
            requests_per_second: u32::try_from(row.requests_per_second)
                .map_err(Problem::internal)?,
            version: row.version,
        })
    })
    .transpose()
}

fn proof(
    secret_hash: Option<Vec<u8>>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
) -> Result<Proof, Problem> {
    let secret = secret_hash.and_then(|hash| hash.try_into().ok()).map(Proof::Secret);
    secret
        .or(jwks.map(Proof::Keys))
        .or(jwks_uri.map(Proof::KeysAt))
        .ok_or_else(|| Problem::internal(anyhow::anyhow!("a client proves itself by nothing")))
}

/// Holds a client until the work is done; says whether it is still as it was when it was found, and may still call.
pub(crate) async fn hold(work: &mut SignIn, client: &Known) -> Result<bool, Problem> {
    let now = work.now;
    let unchanged = sqlx::query_scalar!(
        r#"select (version = $2 and stands_until(null, client_id, $3) > $3) as "unchanged!" from client
           where client_id = $1 for share"#,
        client.id.0,
        client.version,
        now,
    );
    Ok(unchanged.fetch_optional(work.db()).await?.unwrap_or(false))
}
