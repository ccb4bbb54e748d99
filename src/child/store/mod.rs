//! Children in the database: who is found, and held until the work is done.

mod history;
mod insert;
mod save;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

pub(super) use self::history::history;
pub(crate) use self::{
    insert::{New, insert, insert_all},
    save::{hand_over, has_service, save, save_all},
};
use super::{
    Core,
    birth::{DateOfBirth, DatePrecision, Gender},
};
use crate::{
    ids::{ChildId, IndexNumber, OrganisationId},
    involvement::ServiceType,
    problem::{Kind, Problem},
    work::{Author, Look, Work},
};

/// Holds the person of a child until the work is done, where there is one: everybody holds the person before the records.
pub(crate) async fn hold_person(work: &mut Work, number: &IndexNumber) -> Result<(), Problem> {
    sqlx::query!(
        "select p.person_id from person p join child c on c.person_id = p.person_id where c.index_number = $1 for update of p",
        number.as_str(),
    )
    .fetch_optional(work.db())
    .await?;
    Ok(())
}

/// Finds a child whom the caller may see, and holds the record until the work is done.
pub(crate) async fn lock(
    work: &mut Work,
    number: &IndexNumber,
) -> Result<(ChildId, Core), Problem> {
    hold_person(work, number).await?;
    let (sight, today) = (work.sight(), work.today());
    let row = sqlx::query!(
        r#"
        select child_id as "child: ChildId", date_of_birth, date_of_birth_precision as "precision: DatePrecision",
               date_of_birth_estimated, gender as "gender: Gender", without_service,
               responsible_authority_id as "authority: OrganisationId", version, visible_version, shielded,
               shielded and not sees_past_shield(child_id, responsible_authority_id, $3, $4, $5, $6, $7) as "hidden!"
        from child
        where index_number = $1 and in_use(status, archives_on, $2)
        for update
        "#,
        number.as_str(),
        today,
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let core = Core {
        index_number: number.clone(),
        birth: DateOfBirth {
            date: row.date_of_birth,
            precision: row.precision,
            estimated: row.date_of_birth_estimated,
        },
        gender: row.gender,
        without_service: row
            .without_service
            .iter()
            .filter_map(|code| ServiceType::coded(code))
            .collect(),
        authority: row.authority,
        version: row.version,
        told_version: if row.hidden { row.visible_version } else { row.version },
        shielded: row.shielded,
        hidden: row.hidden,
    };
    Ok((row.child, core))
}

/// Finds the authority that answers for a child whom the caller may see.
pub(crate) async fn find(
    look: &Look,
    number: &IndexNumber,
) -> Result<(ChildId, OrganisationId), Problem> {
    let row = sqlx::query!(
        r#"select child_id as "child: ChildId", responsible_authority_id as "authority: OrganisationId"
           from child where index_number = $1 and in_use(status, archives_on, $2)"#,
        number.as_str(),
        look.today(),
    )
    .fetch_optional(look.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, row.authority))
}

/// From whom a fact comes, when it is recorded, on which day it holds, and who says it.
fn provenance(work: &impl Author) -> (OrganisationId, DateTime<Utc>, NaiveDate, Uuid) {
    (work.source(), work.now(), work.as_at(), work.by())
}
