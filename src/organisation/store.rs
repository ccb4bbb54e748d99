//! Organisations in the database.

use sqlx::{PgExecutor, types::Json};

use super::{Accreditation, Organisation, OrganisationChange, OrganisationIn, OrganisationQuery};
use crate::{
    contact::{Email, Phone},
    ids::OrganisationId,
    problem::{Fault, Kind, Problem},
    work::{Look, Work},
};

/// A page of organisations by name, after the one at `after`; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &OrganisationQuery,
    after: Option<(String, OrganisationId)>,
    limit: i64,
) -> Result<Vec<Organisation>, Problem> {
    let (name, id) =
        after.map_or((String::new(), OrganisationId(uuid::Uuid::nil())), |after| after);
    let beginning = query.name.as_ref().map(|name| escape(&name.to_lowercase()));
    let rows = sqlx::query_scalar!(
        r#"select told as "told!: Json<Organisation>" from organisation_told
           where (lower(name), organisation_id) > ($1, $2)
             and ($3::text is null or lower(name) like $3 || '%')
             and ($4::text is null or kind = $4)
             and ($5::text is null or authority = $5)
           order by lower(name), organisation_id
           limit $6"#,
        name,
        id.0,
        beginning,
        query.kind.map(super::OrganisationKind::as_str),
        query.authority,
        limit,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Text that `like` takes as it stands.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Opens an organisation.
pub(super) async fn open(look: &Look, id: OrganisationId) -> Result<Organisation, Problem> {
    read(look.db(), id).await
}

/// The organisation as the work has left it.
pub(super) async fn reread(work: &mut Work, id: OrganisationId) -> Result<Organisation, Problem> {
    read(work.db(), id).await
}

async fn read(db: impl PgExecutor<'_>, id: OrganisationId) -> Result<Organisation, Problem> {
    let row = sqlx::query_scalar!(
        r#"select told as "told!: Json<Organisation>" from organisation_told where organisation_id = $1"#,
        id.0,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    Ok(row.0)
}

/// The local authority of this 3-digit code.
pub(crate) async fn authority(
    work: &mut Work,
    code: &str,
) -> Result<Option<OrganisationId>, Problem> {
    let found = sqlx::query_scalar!(
        r#"select organisation_id as "id: OrganisationId" from organisation where authority_code = $1"#,
        code,
    );
    Ok(found.fetch_optional(work.db()).await?)
}

/// The local authority in whose area an organisation works, if there is such an organisation.
pub(crate) async fn authority_of(
    work: &mut Work,
    id: OrganisationId,
) -> Result<Option<Option<OrganisationId>>, Problem> {
    let found = sqlx::query_scalar!(
        r#"select authority_id as "id: OrganisationId" from organisation where organisation_id = $1 and status <> 'closed'"#,
        id.0,
    );
    Ok(found.fetch_optional(work.db()).await?)
}

/// Adds an organisation.
pub(super) async fn insert(
    work: &mut Work,
    new: &OrganisationIn,
) -> Result<OrganisationId, Problem> {
    let id = OrganisationId::new();
    let authority =
        match (&new.codes.authority, &new.authority) {
            (Some(_), _) => Some(id),
            (None, Some(code)) => Some(authority(work, code).await?.ok_or_else(|| {
                Problem::invalid("/authority", "is no local authority of the index")
            })?),
            (None, None) => None,
        };
    let now = work.now;
    sqlx::query!(
        "insert into organisation (organisation_id, kind, name, authority_code, gss_code, urn, laestab, ods, reference,
             authority_id, office_hours, duty, email, privacy_officer, accredited_from, accredited_until, opened_on, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        id.0,
        new.kind.as_str(),
        new.name,
        new.codes.authority,
        new.codes.gss,
        new.codes.urn,
        new.codes.laestab,
        new.codes.ods,
        new.codes.reference,
        authority.map(|id| id.0),
        new.office_hours.as_str(),
        new.duty.as_str(),
        new.email.as_ref().map(Email::as_str),
        new.privacy_officer.as_ref().map(Json) as _,
        new.accredited_from,
        new.accredited_until,
        new.opened_on,
        now,
    )
    .execute(work.db())
    .await
    .map_err(held)?;
    Ok(id)
}

fn held(error: sqlx::Error) -> Problem {
    let member = match error.as_database_error().and_then(|e| e.constraint()) {
        Some("organisation_authority_code_unique") => "authority",
        Some("organisation_gss_code_unique") => "gss",
        Some("organisation_urn_unique") => "urn",
        Some("organisation_laestab_unique") => "laestab",
        Some("organisation_ods_unique") => "ods",
        Some("organisation_reference_unique") => "reference",
        _ => return error.into(),
    };
    let detail = "belongs to another organisation".to_owned();
    Problem::faults(Kind::CodeHeld, vec![Fault { pointer: format!("/codes/{member}"), detail }])
}

/// Finds an organisation, and holds it until the work is done.
pub(super) async fn lock(work: &mut Work, id: OrganisationId) -> Result<Organisation, Problem> {
    sqlx::query!(
        "select organisation_id from organisation where organisation_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    reread(work, id).await
}

/// Writes what has changed.
pub(super) async fn save(
    work: &mut Work,
    id: OrganisationId,
    change: &OrganisationChange,
) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "update organisation set name = coalesce($2, name), office_hours = coalesce($3, office_hours),
             duty = coalesce($4, duty), email = coalesce($5, email), status = coalesce($6, status),
             closed_on = coalesce($7, closed_on), privacy_officer = coalesce($8, privacy_officer),
             accredited_from = coalesce($9, accredited_from), accredited_until = coalesce($10, accredited_until),
             version = version + 1, updated_at = $11
         where organisation_id = $1",
        id.0,
        change.name,
        change.office_hours.as_ref().map(Phone::as_str),
        change.duty.as_ref().map(Phone::as_str),
        change.email.as_ref().map(Email::as_str),
        change.status.map(Accreditation::as_str),
        change.closed_on,
        change.privacy_officer.as_ref().map(Json) as _,
        change.accredited_from,
        change.accredited_until,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Gives an organisation this status; one that has it already stays as it is.
pub(super) async fn stand(
    work: &mut Work,
    id: OrganisationId,
    status: Accreditation,
) -> Result<Organisation, Problem> {
    let now = work.now;
    sqlx::query!(
        "update organisation set status = $2, version = version + 1, updated_at = $3
         where organisation_id = $1 and status <> $2",
        id.0,
        status.as_str(),
        now,
    )
    .execute(work.db())
    .await?;
    reread(work, id).await
}
