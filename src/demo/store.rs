//! The demo's well-known child in the database.

use serde_json::Value;

use crate::{
    ids::{IndexNumber, InvolvementId},
    problem::{Kind, Problem},
    work::Errands,
};

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
