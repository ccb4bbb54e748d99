//! The database before the service runs on it: how it is reached, migrated and checked.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions, Connection, PgConnection, migrate::Migrator, postgres::PgConnectOptions,
};

use crate::{change, clock::day_in_london, throttle};

/// Every migration, in its order.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// The role that the service works as.
pub const APPLICATION: &str = "contactpoint_app";

/// Why the database cannot be worked on: one line.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseFault {
    /// The address of the database cannot be read.
    #[error("DATABASE_URL is not the address of a PostgreSQL database")]
    Address,
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Silent(String),
    /// The migrations failed.
    #[error("the database could not be migrated: {0}")]
    Unmigrated(String),
    /// The role of the service may do what it must not.
    #[error(
        "the database role is unsafe: {0}; use {APPLICATION}, or a login role that is nothing more"
    )]
    Unsafe(&'static str),
    /// The database is older than the service.
    #[error("the database is not up to date: run `contactpoint migrate`")]
    OutOfDate,
}

/// How the database at this address is reached; statements are never logged.
pub fn options(url: &SecretString) -> Result<PgConnectOptions, DatabaseFault> {
    let options =
        PgConnectOptions::from_str(url.expose_secret()).map_err(|_| DatabaseFault::Address)?;
    Ok(options.disable_statement_logging())
}

/// Brings the database up to date.
pub async fn migrate(options: &PgConnectOptions) -> Result<(), DatabaseFault> {
    let mut connection = connect(options).await?;
    MIGRATIONS
        .run(&mut connection)
        .await
        .map_err(|error| DatabaseFault::Unmigrated(error.to_string()))?;
    sqlx::query_scalar!("select begin_audit_epoch()")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| DatabaseFault::Unmigrated(error.to_string()))?;
    connection.close().await.map_err(silent)
}

/// Refuses a database that is out of date, and a role that could rewrite the audit or pass its own limits
/// (security rules D-1 and D-2).
pub async fn check(options: &PgConnectOptions) -> Result<(), DatabaseFault> {
    let mut connection = connect(options).await?;
    let role = sqlx::query!(
        r#"
        select bool_or(r.rolsuper) as "superuser!", bool_or(r.rolbypassrls) as "bypasses!",
               bool_or(r.rolcreaterole or r.rolcreatedb) as "creates!",
               bool_or(pg_has_role(r.oid, 'contactpoint_owner', 'member')) as "owner!",
               bool_or((select bool_or(has_table_privilege(r.oid, c.oid, 'delete, truncate') or has_any_column_privilege(r.oid, c.oid, 'update'))
                from pg_class c where c.relname ~ '^audit_(event|seal|epoch)' and c.relkind in ('r', 'p'))) as "rewrites!",
               coalesce(bool_or((select bool_or(has_column_privilege(r.oid, a.attrelid, a.attnum, 'insert'))
                from pg_attribute a join pg_class c on c.oid = a.attrelid
                where c.relname like 'audit\_event%' and c.relkind in ('r', 'p') and a.attname in ('tx', 'epoch'))), false) as "antedates!"
        from pg_roles r where r.rolname in (current_user, session_user)
        "#
    )
    .fetch_one(&mut connection)
    .await
    .map_err(|_| DatabaseFault::OutOfDate)?;
    let faults = [
        (role.superuser, "it is a superuser"),
        (role.bypasses, "it bypasses row-level security"),
        (role.creates, "it may create roles or databases"),
        (role.owner, "it owns the tables"),
        (role.rewrites, "it can rewrite the audit"),
        (role.antedates, "it can say in which transaction an event of the audit was written"),
    ];
    if let Some((_, fault)) = faults.iter().find(|(found, _)| *found) {
        return Err(DatabaseFault::Unsafe(fault));
    }
    up_to_date(&mut connection).await?;
    connection.close().await.map_err(silent)
}

async fn up_to_date(connection: &mut PgConnection) -> Result<(), DatabaseFault> {
    let held = sqlx::query_scalar!("select max(version) from _sqlx_migrations")
        .fetch_one(connection)
        .await;
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    match held {
        Ok(held) if held >= newest => Ok(()),
        _ => Err(DatabaseFault::OutOfDate),
    }
}

/// Forgets what is kept for a while only: answers to idempotency keys for 7 days, refresh tokens for a day, what may be used
/// once until it has ended, tries to sign in for as long as they count, networks that nobody signed in from for 30 days, who
/// asked for access for 90 days after the request has ended, who opened whom for the day, and changes with the events of them for
/// 90 days.
pub async fn tidy(options: &PgConnectOptions, now: DateTime<Utc>) -> Result<(), DatabaseFault> {
    let mut connection = connect(options).await?;
    sqlx::query!("delete from idempotency where created_at < $1", now - TimeDelta::days(7))
        .execute(&mut connection)
        .await
        .map_err(silent)?;
    sqlx::query!("delete from refresh_token where idle_until < $1", now - TimeDelta::days(1))
        .execute(&mut connection)
        .await
        .map_err(silent)?;
    sqlx::query!("delete from spent where until < $1", now)
        .execute(&mut connection)
        .await
        .map_err(silent)?;
    sqlx::query!("delete from sign_in_failure where at < $1", now - throttle::NAME_WITHIN)
        .execute(&mut connection)
        .await
        .map_err(silent)?;
    sqlx::query!("delete from known_network where last_at < $1", now - throttle::KNOWN_FOR)
        .execute(&mut connection)
        .await
        .map_err(silent)?;
    sqlx::query!("delete from budget_opening where day < $1", day_in_london(now))
        .execute(&mut connection)
        .await
        .map_err(silent)?;
    sqlx::query!("delete from budget_together where day < $1", day_in_london(now))
        .execute(&mut connection)
        .await
        .map_err(silent)?;
    forget_askers(&mut connection, now).await.map_err(silent)?;
    forget_changes(&mut connection, now).await.map_err(silent)?;
    connection.close().await.map_err(silent)
}

/// Ends requests for access on which nobody decided in time, and forgets who asked a while after.
async fn forget_askers(connection: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update access_request set status = 'expired', ended_at = expires_at where status = 'pending' and expires_at <= $1",
        now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update access_request set asker_id = null, name = null, name_key = null, email = null, office_hours = null
         where ended_at < $1 and name is not null",
        now - TimeDelta::days(90),
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Forgets changes, and how far that went, so that a reader who comes too late is told so.
async fn forget_changes(connection: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    let before = now - change::KEPT_FOR;
    sqlx::query!("delete from delivery where made_at < $1", before)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "with gone as (delete from change where at < $1 returning xid, position)
         update change_cursor c set xid = last.xid, position = last.position
         from (select xid, position from gone order by xid desc, position desc limit 1) last
         where c.name = 'forgotten' and (c.xid, c.position) < (last.xid, last.position)",
        before,
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Prepares the audit's months from this day on, and its next epoch where the database has come to another server.
pub async fn prepare_audit_months(
    options: &PgConnectOptions,
    day: NaiveDate,
) -> Result<(), DatabaseFault> {
    let mut connection = connect(options).await?;
    sqlx::query!("select prepare_audit_months($1)", day)
        .execute(&mut connection)
        .await
        .map_err(|error| DatabaseFault::Unmigrated(error.to_string()))?;
    sqlx::query_scalar!("select begin_audit_epoch()")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| DatabaseFault::Unmigrated(error.to_string()))?;
    connection.close().await.map_err(silent)
}

/// Whether anything has been loaded.
pub async fn has_organisations(options: &PgConnectOptions) -> Result<bool, DatabaseFault> {
    let mut connection = connect(options).await?;
    let found = sqlx::query_scalar!(r#"select exists (select from organisation) as "found!""#)
        .fetch_one(&mut connection)
        .await
        .map_err(silent)?;
    connection.close().await.map_err(silent)?;
    Ok(found)
}

/// How many children wait for the entry by which the matcher finds them.
pub async fn await_an_entry(options: &PgConnectOptions) -> Result<i64, DatabaseFault> {
    let mut connection = connect(options).await?;
    let waiting = sqlx::query_scalar!(r#"select count(*) as "waiting!" from match_stale"#)
        .fetch_one(&mut connection)
        .await
        .map_err(silent)?;
    connection.close().await.map_err(silent)?;
    Ok(waiting)
}

/// Lets the planner know what was loaded.
pub async fn analyze(options: &PgConnectOptions) -> Result<(), DatabaseFault> {
    let mut connection = connect(options).await?;
    sqlx::query!("analyze").execute(&mut connection).await.map_err(silent)?;
    connection.close().await.map_err(silent)
}

/// Makes the limits of E-3 that hold for all a thousand times as wide: programs that try a demo out ask more in a minute than a
/// person may in a day.
pub async fn widen_budgets(options: &PgConnectOptions) -> Result<(), DatabaseFault> {
    let mut connection = connect(options).await?;
    sqlx::query!(
        "update budget set searches_an_hour = 1000 * searches_an_hour, searches_a_day = 1000 * searches_a_day,
             misses_in_a_row = 1000 * misses_in_a_row, children_a_day = 1000 * children_a_day, matches_a_day = 1000 * matches_a_day
         where organisation_id is null"
    )
    .execute(&mut connection)
    .await
    .map_err(silent)?;
    connection.close().await.map_err(silent)
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DatabaseFault> {
    let connecting = PgConnection::connect_with(options);
    match tokio::time::timeout(Duration::from_secs(10), connecting).await {
        Ok(connection) => connection.map_err(silent),
        Err(_) => Err(DatabaseFault::Silent("no answer within 10 seconds".to_owned())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn silent(error: sqlx::Error) -> DatabaseFault {
    DatabaseFault::Silent(error.to_string())
}
