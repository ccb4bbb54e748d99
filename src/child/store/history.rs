//! What a record said before.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    child::{FactKind, Superseded},
    http::camel,
    ids::ChildId,
    problem::Problem,
    work::Look,
};

/// Everything that the record said before, as the caller may see it, the latest first.
pub(in crate::child) async fn history(
    look: &Look,
    id: ChildId,
) -> Result<Vec<Superseded>, Problem> {
    let sight = look.sight();
    let hidden = sqlx::query_scalar!(
        r#"select shielded and not sees_past_shield(child_id, responsible_authority_id, $2, $3, $4, $5, $6) as "hidden!"
           from child where child_id = $1"#,
        id.0,
        sight.role,
        sight.organisation,
        sight.account,
        sight.session,
        sight.at,
    )
    .fetch_one(look.db())
    .await?;
    let rows =
        if hidden { visible_history(look, id).await? } else { whole_history(look, id).await? };
    rows.into_iter().map(Past::told).collect()
}

/// A fact of history as the database has it.
struct Past {
    fact: String,
    was: Value,
    superseded_at: DateTime<Utc>,
}

impl Past {
    fn told(self) -> Result<Superseded, Problem> {
        let fact = FactKind::parse(&self.fact).map_err(Problem::internal)?;
        Ok(Superseded { fact, was: as_told(self.was), superseded_at: self.superseded_at })
    }
}

async fn whole_history(look: &Look, id: ChildId) -> Result<Vec<Past>, Problem> {
    let rows = sqlx::query_as!(
        Past,
        r#"
        select fact as "fact!", was as "was!: Value", superseded_at as "superseded_at!: DateTime<Utc>" from (
            select 'name' as fact, told::jsonb as was, superseded_at from name_told where child_id = $1 and superseded_at is not null
            union all
            select 'whereabouts', told::jsonb, superseded_at from whereabouts_told where child_id = $1 and superseded_at is not null
            union all
            select 'identifier', to_jsonb(i), superseded_at from child_identifier i where child_id = $1 and superseded_at is not null
            union all
            select 'flag', to_jsonb(f), cleared_at from flag f where child_id = $1 and cleared_at is not null
            union all
            select fact, was, superseded_at from history where child_id = $1
        ) as superseded
        order by superseded_at desc
        limit 1000
        "#,
        id.0,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows)
}

/// What a shield leaves of it: names, births and who cared, where that has changed and not something beside it.
async fn visible_history(look: &Look, id: ChildId) -> Result<Vec<Past>, Problem> {
    let rows = sqlx::query_as!(
        Past,
        r#"
        select fact as "fact!", was as "was!: Value", superseded_at as "superseded_at!: DateTime<Utc>" from (
            select 'name' as fact, visible::jsonb as was, superseded_at from name_told
            where child_id = $1 and superseded_at is not null
            union all
            select fact, was, superseded_at from (
                select fact, was, superseded_at, lead(was) over (partition by fact_id order by said) as became from (
                    select fact, fact_id, visible_part(fact, was) as was, superseded_at, history_id as said
                    from history where child_id = $1 and fact in ('child', 'carer')
                    union all
                    select 'child', child_id, visible_part('child', to_jsonb(c)), null, 9223372036854775807
                    from child c where child_id = $1
                    union all
                    select 'carer', carer_id,
                           case when superseded_at is null then visible_part('carer', to_jsonb(r)) else '{}' end, null, 9223372036854775807
                    from carer r where child_id = $1
                ) as said
            ) as changed
            where superseded_at is not null and was is distinct from became
        ) as superseded
        order by superseded_at desc
        limit 1000
        "#,
        id.0,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows)
}

/// A row's columns under the names that the API has for them, without what only the database needs.
fn as_told(was: Value) -> Value {
    let Value::Object(columns) = was else { return was };
    let inner = [
        "child_id",
        "name_id",
        "identifier_id",
        "whereabouts_id",
        "flag_id",
        "recorded_by",
        "held",
        "superseded_at",
        "cleared_at",
        "person_id",
        "shielded",
        "merged_into",
        "twin",
        "visible_version",
        "archives_on",
        "archived_on",
    ];
    let told = columns
        .into_iter()
        .filter(|(name, value)| !value.is_null() && !inner.contains(&name.as_str()))
        .map(|(name, value)| (camel(&name), value));
    Value::Object(told.collect())
}
