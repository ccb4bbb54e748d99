//! Accounts and clients in the database.

use super::{NewAccount, NewClient};
use crate::{ids::OrganisationId, problem::Problem, work::Errands};

/// Adds an account.
pub async fn insert(work: &mut Errands, new: &NewAccount) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "insert into account (account_id, user_name, name, organisation_id, role, credential, one_time_code_seed,
             vetted_until, trained_until, agreement_signed_on, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        new.id.0,
        new.user_name.as_str(),
        new.name,
        new.organisation.0,
        new.role.as_str(),
        new.credential,
        new.seed,
        new.vetted_until,
        new.trained_until,
        new.agreement_signed_on,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Adds a client.
pub async fn insert_client(work: &mut Errands, new: &NewClient) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "insert into client (client_id, name, organisation_id, role, secret_hash, created_at) values ($1, $2, $3, $4, $5, $6)",
        new.id.0,
        new.name,
        new.organisation.0,
        new.role.as_str(),
        &new.secret_hash[..],
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// The organisation that a code names: `authority:887`, `gss:…`, `urn:…`, `laestab:…`, `ods:…` or `reference:…`.
pub async fn organisation(
    work: &mut Errands,
    code: &str,
) -> Result<Option<OrganisationId>, Problem> {
    let Some((list, code)) = code.split_once(':') else { return Ok(None) };
    let found = sqlx::query_scalar!(
        r#"select organisation_id as "id: OrganisationId" from organisation
           where case $1 when 'authority' then authority_code when 'gss' then gss_code when 'urn' then urn
                 when 'laestab' then laestab when 'ods' then ods when 'reference' then reference end = $2"#,
        list,
        code,
    );
    Ok(found.fetch_optional(work.db()).await?)
}

/// The same, with its name.
pub async fn organisation_named(
    work: &mut Errands,
    code: &str,
) -> Result<Option<(OrganisationId, String)>, Problem> {
    let Some(id) = organisation(work, code).await? else { return Ok(None) };
    let name =
        sqlx::query_scalar!("select name from organisation where organisation_id = $1", id.0);
    Ok(Some((id, name.fetch_one(work.db()).await?)))
}
