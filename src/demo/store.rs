//! The demo's well-known children in the database.

use serde_json::{Value, json};

use crate::{
    ids::{AccountId, ChildId, IndexNumber, InvolvementId, OrganisationId, ShieldRequestId},
    problem::{Kind, Problem},
    shield::{REVIEWED_WITHIN, ShieldGround},
    work::Errands,
};

/// A child of the demo.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) child: ChildId,
    pub(crate) number: IndexNumber,
    /// The search that finds the child and nobody else.
    pub(crate) search: Value,
}

/// The child who alone bears this family name.
pub(super) async fn known(work: &mut Errands, family: &str) -> Result<Known, Problem> {
    let row = sqlx::query!(
        r#"
        select c.child_id as "child: ChildId", c.index_number as "number: IndexNumber", n.given, n.date_of_birth
        from child_name n
        join child c on c.child_id = n.child_id
        where n.kind = 'current' and n.family = $1
        "#,
        family,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let name = json!({ "given": row.given, "family": family });
    let search = json!({ "name": name, "dateOfBirth": row.date_of_birth });
    Ok(Known { child: row.child, number: row.number, search })
}

/// The child whom the demo's example search finds, and the involvement of her school.
pub(crate) async fn showpiece(
    work: &mut Errands,
    search: &Value,
) -> Result<(IndexNumber, InvolvementId), Problem> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = sqlx::query!(
        r#"
        select c.index_number as "number: IndexNumber", i.involvement_id as "involvement: InvolvementId"
        from child_name n
        join child c on c.child_id = n.child_id
        join involvement i on i.child_id = c.child_id and i.service_type = 'school' and i.ended_on is null
        where n.kind = 'current' and n.family = $1 and n.date_of_birth = $2::text::date
        "#,
        text(&search["name"]["family"]),
        text(&search["dateOfBirth"]),
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.number, row.involvement))
}

/// An account of the demo, and whom it acts for.
pub(super) async fn account(
    work: &mut Errands,
    user_name: &str,
) -> Result<(AccountId, OrganisationId), Problem> {
    let row = sqlx::query!(
        r#"select account_id as "account: AccountId", organisation_id as "organisation: OrganisationId"
           from account where user_name = $1"#,
        user_name,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.account, row.organisation))
}

/// Keeps an emergency request that a child be shielded, asked by one person and approved by another.
pub(super) async fn insert_shield_request(
    work: &mut Errands,
    child: ChildId,
    ground: ShieldGround,
    (asked_by, approved_by): (AccountId, AccountId),
) -> Result<ShieldRequestId, Problem> {
    let (id, now) = (ShieldRequestId::new(), work.now);
    let review_on = work.today() + REVIEWED_WITHIN;
    sqlx::query!(
        "insert into shield_request (shield_request_id, child_id, ground, emergency, status, asked_by, asked_at, decided_by,
             decided_at, review_on, version)
         values ($1, $2, $3, true, 'inForce', $4, $5, $6, $5, $7, 2)",
        id.0,
        child.0,
        ground.as_str(),
        asked_by.0,
        now,
        approved_by.0,
        review_on,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Forgets when a record is archived, so that this is found out anew, by what is known, and not as of a record that was added
/// today.
pub(super) async fn forget_end(work: &mut Errands, child: ChildId) -> Result<(), Problem> {
    sqlx::query!("update child set archives_on = null where child_id = $1", child.0)
        .execute(work.db())
        .await?;
    Ok(())
}
