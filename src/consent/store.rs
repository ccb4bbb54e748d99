//! Consents in the database.

use sqlx::types::Json;
use uuid::Uuid;

use super::{Consent, ConsentIn, ConsentPurpose, Given};
use crate::{
    access::Role,
    ids::{ChildId, ConsentId, InvolvementId, OrganisationId},
    problem::{Kind, Problem},
    seal::Vault,
    work::{Look, Work},
};
use chrono::{DateTime, NaiveDate, Utc};

/// By what an organisation's own consents are found.
fn owner_key(vault: &Vault, organisation: OrganisationId, consent: ConsentId) -> Vec<u8> {
    vault.blind(&[b"consent owner", organisation.0.as_bytes(), consent.0.as_bytes()])
}

/// Keeps the receipt of a consent to a sensitive service being recorded.
pub(crate) async fn insert(
    db: &mut sqlx::PgConnection,
    vault: &Vault,
    now: DateTime<Utc>,
    (child, involvement, organisation): (ChildId, InvolvementId, OrganisationId),
    consent: &ConsentIn,
) -> Result<(), Problem> {
    let id = ConsentId::new();
    sqlx::query!(
        "insert into consent (consent_id, child_id, purpose, involvement_id, owner_key, given_by, capacity_basis, given_on, received_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.0,
        child.0,
        ConsentPurpose::SensitiveService.as_str(),
        involvement.0,
        owner_key(vault, organisation, id),
        consent.given_by.as_str(),
        consent.capacity_basis.as_str(),
        consent.given_on,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The consents about a child that everybody who looks may see: all, for stewards of the authority that answers for the
/// record; those to the services of the organisation that `provider` is the key of.
pub(super) async fn list(
    look: &Look,
    child: ChildId,
    authority: OrganisationId,
    provider: &[u8],
) -> Result<Vec<Consent>, Problem> {
    let stewards = look
        .viewers()
        .all(|viewer| viewer.role == Role::Steward && viewer.organisation == authority);
    let rows = sqlx::query_scalar!(
        r#"select json_strip_nulls(json_build_object(
                      'id', c.consent_id, 'purpose', c.purpose, 'givenOn', c.given_on, 'until', c.until,
                      'withdrawnOn', c.withdrawn_on, 'version', c.version)) as "told!: Json<Consent>"
           from consent c
           left join sensitive_involvement s on s.involvement_id = c.involvement_id
           where c.child_id = $1 and ($2 or s.provider_key = $3)
           order by c.given_on desc, c.consent_id"#,
        child.0,
        stewards,
        provider,
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// Finds a consent that the caller may withdraw, with its child, and holds it until the work is done.
pub(super) async fn lock(work: &mut Work, id: ConsentId) -> Result<(ChildId, Given), Problem> {
    let caller = work.caller.clone();
    let own = owner_key(&work.vault(), caller.organisation, id);
    let authority: Option<Uuid> = (caller.role == Role::Steward).then_some(caller.organisation.0);
    let today = work.today();
    let row = sqlx::query!(
        r#"select c.child_id as "child: ChildId", c.purpose as "purpose: ConsentPurpose", c.given_on, c.until, c.withdrawn_on,
                  c.withdrawn_at, c.version, c.involvement_id as "involvement: InvolvementId"
           from consent c
           join child r on r.child_id = c.child_id
           where c.consent_id = $1 and in_use(r.status, r.archives_on, $4)
             and (c.owner_key = $2 or r.responsible_authority_id = $3)
           for update of c"#,
        id.0,
        own,
        authority,
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let consent = Consent {
        id,
        purpose: row.purpose,
        given_on: row.given_on,
        until: row.until,
        withdrawn_on: row.withdrawn_on,
        version: row.version,
    };
    Ok((row.child, Given { consent, involvement: row.involvement, withdrawn_at: row.withdrawn_at }))
}

/// Withdraws a consent.
pub(super) async fn withdraw(
    work: &mut Work,
    given: Given,
    day: NaiveDate,
) -> Result<Consent, Problem> {
    let now = work.now;
    sqlx::query!(
        "update consent set withdrawn_on = $2, withdrawn_at = $3, version = version + 1 where consent_id = $1",
        given.consent.id.0,
        day,
        now,
    )
    .execute(work.db())
    .await?;
    let version = given.consent.version + 1;
    Ok(Consent { withdrawn_on: Some(day), version, ..given.consent })
}
