//! What is generated, in the database: by COPY into tables whose indexes and foreign keys are put aside meanwhile.

use std::collections::HashMap;

use sqlx::{Connection, Executor, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::{problem::Problem, work::Errands};

/// A table that is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Organisation,
    Child,
    Name,
    Whereabouts,
    Identifier,
    Carer,
    Involvement,
    Flag,
    Entry,
}

impl Table {
    /// Those that tell of children.
    pub(super) const OF_CHILDREN: [Self; 8] = [
        Self::Child,
        Self::Name,
        Self::Whereabouts,
        Self::Identifier,
        Self::Carer,
        Self::Involvement,
        Self::Flag,
        Self::Entry,
    ];

    /// The statement that takes its rows.
    const fn copy(self) -> &'static str {
        match self {
            Self::Organisation => {
                "copy organisation (organisation_id, kind, name, authority_code, gss_code, urn, laestab, ods, reference, authority_id,
                     office_hours, duty, updated_at) from stdin"
            }
            Self::Child => {
                "copy child (child_id, index_number, date_of_birth, gender, responsible_authority_id, archives_on,
                     source_organisation_id, received_at, as_at) from stdin"
            }
            Self::Name => {
                "copy child_name (child_id, kind, given, family, given_keys, family_key, date_of_birth,
                     source_organisation_id, received_at, as_at) from stdin"
            }
            Self::Whereabouts => {
                "copy whereabouts (child_id, kind, lines, town, postcode, superseded_at,
                     source_organisation_id, received_at, as_at) from stdin"
            }
            Self::Identifier => {
                "copy child_identifier (child_id, kind, value, source_organisation_id, received_at, as_at) from stdin"
            }
            Self::Carer => {
                "copy carer (carer_id, child_id, given, family, relationship, parental_responsibility, phones,
                     source_organisation_id, received_at, as_at) from stdin"
            }
            Self::Involvement => {
                "copy involvement (involvement_id, child_id, organisation_id, service_type, contact, started_on, ended_on, confirmed_on,
                     source_organisation_id, received_at, as_at) from stdin"
            }
            Self::Flag => "copy flag (involvement_id, child_id, flag, set_on, expires_on, received_at) from stdin",
            Self::Entry => "copy match_entry (child_id, shielded, archives_on, scheme, keys, packed) from stdin",
        }
    }
}

/// Takes down what would be kept up row by row, and notes how it is put back: foreign keys and indexes, and triggers, all of which say
/// what the rows bring themselves. It holds until the transaction ends.
const PUT_ASIDE: &str = r"
do $$
declare
    filled constant regclass[] := '{child,child_name,whereabouts,child_identifier,carer,involvement,flag,match_entry}';
    part record;
    one regclass;
begin
    create temporary table put_aside (place bigint generated always as identity, restores text not null) on commit drop;
    for part in
        select 1 as turn, format('alter table %s drop constraint %I', conrelid::regclass, conname) as removes,
               format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as restores
        from pg_constraint where contype = 'f' and conrelid = any(filled)
        union all
        select 0, format('drop index %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
        from pg_index i
        where i.indrelid = any(filled) and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
        order by turn
    loop
        execute part.removes;
        insert into put_aside (restores) values (part.restores);
    end loop;
    foreach one in array filled loop
        execute format('alter table %s disable trigger user', one);
        insert into put_aside (restores) values (format('alter table %s enable trigger user', one));
    end loop;
end $$;
set local maintenance_work_mem = '1GB';
";

/// Puts one of them back.
const PUT_BACK: &str = r"
do $$
declare
    part record;
begin
    select * into strict part from put_aside order by place limit 1;
    execute part.restores;
    delete from put_aside where place = part.place;
end $$;
";

/// Whether the index holds any child.
pub(super) async fn holds_children(work: &mut Errands) -> Result<bool, Problem> {
    let found = sqlx::query_scalar!(r#"select exists (select from child) as "holds!""#);
    Ok(found.fetch_one(work.db()).await?)
}

/// The local authorities that the index holds, by their codes.
pub(super) async fn authorities(work: &mut Errands) -> Result<HashMap<String, Uuid>, Problem> {
    let found = sqlx::query!(
        r#"select authority_code as "code!", organisation_id from organisation where authority_code is not null"#
    );
    let found = found.fetch_all(work.db()).await?;
    Ok(found.into_iter().map(|row| (row.code, row.organisation_id)).collect())
}

/// Puts aside indexes, foreign keys and triggers; says how many are to be put back.
pub(super) async fn put_aside(work: &mut Errands) -> Result<u64, Problem> {
    work.db().execute(PUT_ASIDE).await?;
    let aside: i64 =
        sqlx::query_scalar("select count(*) from put_aside").fetch_one(work.db()).await?;
    Ok(aside.unsigned_abs())
}

/// Puts back the next. That it can be is what proves the rows: each is unique and refers to what there is.
pub(super) async fn put_back(work: &mut Errands) -> Result<(), Problem> {
    work.db().execute(PUT_BACK).await?;
    Ok(())
}

/// Adds rows.
pub(super) async fn copy(work: &mut Errands, table: Table, rows: Vec<u8>) -> Result<(), Problem> {
    let mut copy = work.db().copy_in_raw(table.copy()).await?;
    copy.send(rows).await?;
    copy.finish().await?;
    Ok(())
}

/// Has PostgreSQL know what there is now, as it would in the course of days.
pub(super) async fn settle(options: &PgConnectOptions) -> Result<(), Problem> {
    let mut connection = sqlx::PgConnection::connect_with(options).await?;
    connection
        .execute(
            "vacuum (analyze) organisation, child, child_name, whereabouts, child_identifier, carer, involvement, flag, match_entry",
        )
        .await?;
    connection.close().await?;
    Ok(())
}
