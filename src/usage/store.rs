//! How the index was used, in the database.

use chrono::{NaiveDate, TimeDelta};
use sqlx::types::Json;

use super::{Count, Counts, PersonUsage};
use crate::{
    access::Role,
    ids::{AccountId, OrganisationId},
    problem::Problem,
    work::{Errands, Look},
};

/// For how many days what was counted by the day is kept.
const KEPT: i64 = 62;

/// Adds what was counted.
pub(crate) async fn add(work: &mut Errands, counts: &Counts) -> Result<(), Problem> {
    for ((day, account), (organisation, count)) in &counts.0 {
        sqlx::query!(
            "insert into usage_day as u (day, account_id, organisation_id, searches, empty_searches, children, out_of_area, out_of_hours,
                 own_name, refused, overrides, reasons)
             select $1::date, a.account_id, $3::uuid, $4::int, $5::int, $6::int, $7::int, $8::int, $9::int, $10::int, $11::int, $12::jsonb
             from account a where a.account_id = $2
             on conflict (day, account_id) do update
             set searches = u.searches + excluded.searches, empty_searches = u.empty_searches + excluded.empty_searches,
                 children = u.children + excluded.children, out_of_area = u.out_of_area + excluded.out_of_area,
                 out_of_hours = u.out_of_hours + excluded.out_of_hours, own_name = u.own_name + excluded.own_name,
                 refused = u.refused + excluded.refused, overrides = u.overrides + excluded.overrides,
                 reasons = (select coalesce(jsonb_object_agg(key, n), '{}')
                            from (select key, sum(value::int) as n
                                  from (select * from jsonb_each_text(u.reasons) union all select * from jsonb_each_text(excluded.reasons)) r
                                  group by key) s)",
            day,
            account.0,
            organisation.0,
            count.searches,
            count.empty_searches,
            count.children,
            count.out_of_area,
            count.out_of_hours,
            count.own_name,
            count.refused,
            count.overrides,
            Json(&count.reasons) as _,
        )
        .execute(work.db())
        .await?;
    }
    Ok(())
}

/// Counts a week by person; tells whose people used the index. What was counted by the day is forgotten after a while.
pub(crate) async fn count_week(
    work: &mut Errands,
    week: NaiveDate,
) -> Result<Vec<OrganisationId>, Problem> {
    let now = work.now;
    let organisations = sqlx::query_scalar!(
        r#"with reasons as (
               select account_id, jsonb_object_agg(key, n) as reasons
               from (select u.account_id, r.key, sum(r.value::int) as n
                     from usage_day u cross join lateral jsonb_each_text(u.reasons) r
                     where u.day >= $1 and u.day < $1 + 7 group by 1, 2) s
               group by 1
           ), counted as (
               insert into usage_week (organisation_id, week, account_id, told, counted_at)
               select u.organisation_id, $1, u.account_id,
                      jsonb_build_object('searches', sum(u.searches), 'emptySearches', sum(u.empty_searches), 'children', sum(u.children),
                          'outOfArea', sum(u.out_of_area), 'outOfHours', sum(u.out_of_hours), 'ownName', sum(u.own_name),
                          'refused', sum(u.refused), 'overrides', sum(u.overrides),
                          'reasons', coalesce((select r.reasons from reasons r where r.account_id = u.account_id), '{}')), $2
               from usage_day u where u.day >= $1 and u.day < $1 + 7
               group by u.organisation_id, u.account_id
               on conflict do nothing
               returning organisation_id
           )
           select distinct organisation_id as "id: OrganisationId" from counted"#,
        week,
        now,
    )
    .fetch_all(work.db())
    .await?;
    sqlx::query!("delete from usage_day where day < $1", week - TimeDelta::days(KEPT))
        .execute(work.db())
        .await?;
    Ok(organisations)
}

/// Whether the caller sees how the people of an organisation use the index; nothing where there is no such organisation.
pub(super) async fn sees(look: &Look, id: OrganisationId) -> Result<Option<bool>, Problem> {
    let sees = sqlx::query_scalar!(
        r#"select (o.organisation_id = $2 or ($3 and (o.authority_id = $2 or own.kind = 'nationalPartner'))) as "sees!"
           from organisation o join organisation own on own.organisation_id = $2
           where o.organisation_id = $1"#,
        id.0,
        look.caller.organisation.0,
        look.caller.role == Role::Auditor,
    );
    Ok(sees.fetch_optional(look.db()).await?)
}

/// How each person of an organisation used the index in a week, whoever opened most children first.
pub(super) async fn of_week(
    look: &Look,
    id: OrganisationId,
    week: NaiveDate,
) -> Result<Vec<PersonUsage>, Problem> {
    let rows = sqlx::query!(
        r#"select u.account_id as "account: AccountId", a.name, u.told as "told: Json<Count>"
           from usage_week u join account a on a.account_id = u.account_id
           where u.organisation_id = $1 and u.week = $2
           order by (u.told ->> 'children')::int desc, a.name, u.account_id"#,
        id.0,
        week,
    );
    let rows = rows.fetch_all(look.db()).await?;
    let usage = rows.into_iter().map(|row| PersonUsage {
        account_id: row.account,
        name: row.name,
        counts: row.told.0,
    });
    Ok(usage.collect())
}
