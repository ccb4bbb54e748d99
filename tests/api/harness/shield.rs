//! A shield as the service raises it, without the process that leads to one: sealed by the keys of this run.

use sqlx::types::Json;
use uuid::Uuid;

use super::{Caller, Child, Index};

/// What a shield seals: the rows of a child in which something stands in plain, each with what that is, and how it is put
/// in their place.
const SEALED: [(&str, &str, &str); 3] = [
    (
        "whereabouts",
        "select whereabouts_id::text, whereabouts_id, jsonb_strip_nulls(jsonb_build_object('kind', kind,
             'address', case when lines is not null then
                 jsonb_build_object('lines', lines, 'town', town, 'postcode', postcode, 'uprn', uprn) end,
             'leftOn', left_on, 'return', return_expected))
         from whereabouts where child_id = $1 and sealed is null",
        "update whereabouts set sealed = $2, kind = null, lines = null, town = null, postcode = null, uprn = null,
             left_on = null, return_expected = null
         where whereabouts_id = $1::uuid",
    ),
    (
        "carer",
        "select carer_id::text, carer_id,
             jsonb_strip_nulls(jsonb_build_object('phones', phones, 'emails', emails, 'address', address))
         from carer where child_id = $1 and sealed is null",
        "update carer set sealed = $2, phones = '{}', emails = '{}', address = null, visible_version = version
         where carer_id = $1::uuid",
    ),
    (
        "carer",
        "select history_id::text, fact_id, jsonb_strip_nulls(jsonb_build_object(
             'phones', was -> 'phones', 'emails', was -> 'emails', 'address', was -> 'address'))
         from history where child_id = $1 and fact = 'carer' and sealed is null",
        "update history set sealed = $2, was = was - '{phones,emails,address}'::text[] where history_id = $1::bigint",
    ),
];

impl Index {
    /// Shields a child; says which person that is.
    pub(crate) async fn shield(&self, child: &Child) -> Uuid {
        let vault = Self::door().vault.clone();
        for (kind, find, seal) in SEALED {
            let found: Vec<(String, Uuid, Json<serde_json::Value>)> =
                sqlx::query_as(find).bind(child.id).fetch_all(&self.db).await.unwrap();
            for (row, id, plain) in found {
                let sealed =
                    vault.seal(plain.0.to_string().as_bytes(), &format!("{kind}:{id}")).unwrap();
                sqlx::query(seal).bind(row).bind(sealed).execute(&self.db).await.unwrap();
            }
        }
        let person: Uuid = sqlx::query_scalar(
            "with made as (
                 insert into person (person_id) select gen_random_uuid() from child where child_id = $1 and person_id is null
                 returning person_id)
             select coalesce(person_id, (select person_id from made)) from child where child_id = $1",
        )
        .bind(child.id)
        .fetch_one(&self.db)
        .await
        .unwrap();
        for change in [
            "update child set person_id = $1, visible_version = version where child_id = $2",
            "update person set shielded = true where person_id = $1 and $2::uuid is not null",
        ] {
            let change = sqlx::query(change).bind(person).bind(child.id);
            change.execute(&self.db).await.unwrap();
        }
        person
    }

    /// Lets somebody look past the shield of a child for 15 minutes, in the session they have.
    pub(crate) async fn grant(&self, caller: &Caller, child: &Child) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into override_grant (grant_id, child_id, account_id, session_id, reference, granted_at, expires_at)
             values ($1, $2, $3, $4, 'CASE/1', $5, $5 + interval '15 minutes')",
        )
        .bind(id)
        .bind(child.id)
        .bind(caller.id)
        .bind(caller.session)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }
}
