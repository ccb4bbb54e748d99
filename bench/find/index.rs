//! The index of a population: rows in a schema of their own, which the service's statements find before the real table.

use std::time::{Duration, Instant};

use contactpoint::database;
use indicatif::{ProgressBar, ProgressStyle};
use population::{COLUMNS, Population, entries, rows};
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row,
    postgres::PgConnectOptions,
};
use tokio::runtime::{Builder, Runtime};

use crate::Fault;

/// The only database whose tables are thrown away.
const DATABASE: &str = "match_bench";

/// A runtime for one connection.
pub(crate) fn runtime() -> Result<Runtime, Fault> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// A connection that sees the index of the population.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Fault> {
    let options = options.clone().options([("search_path", "bench,public")]);
    Ok(options.disable_statement_logging().connect().await?)
}

/// Loads the index, unless it holds just this population with just these keys.
pub(crate) fn load(options: &PgConnectOptions, population: &Population) -> Result<Value, Fault> {
    let runtime = runtime()?;
    let mut db = runtime.block_on(async {
        create(options).await?;
        // The statements are the service's of today; the rows may be from an earlier run.
        let mut db: PgConnection = options.connect().await?;
        db.execute("drop schema public cascade").await?;
        db.execute("create schema public").await?;
        // What has been migrated is written beside what is migrated, not beside the rows.
        db.execute("drop table if exists bench._sqlx_migrations").await?;
        db.close().await?;
        database::migrate(&options.clone().options([("search_path", "public")])).await?;
        connect(options).await
    })?;
    let mark = mark(population);
    let there = "select obj_description(to_regclass('bench.match_entry'))";
    let held: Option<String> = runtime.block_on(sqlx::query_scalar(there).fetch_one(&mut db))?;
    let loaded = held.as_deref() != Some(&mark);
    if loaded {
        runtime.block_on(db.execute("drop schema if exists bench cascade; create schema bench"))?;
        copy(&runtime, &mut db, population)?;
        let began = Instant::now();
        eprintln!("index: the keys");
        runtime.block_on(async {
            db.execute("set maintenance_work_mem = '4GB'").await?;
            db.execute("alter table bench.match_entry add primary key (child_id)").await?;
            db.execute("create index match_entry_by_key on bench.match_entry using gin (keys) with (fastupdate = off)").await?;
            db.execute("analyze bench.match_entry").await?;
            db.execute("checkpoint").await?;
            db.execute(AssertSqlSafe(format!("comment on table bench.match_entry is '{mark}'"))).await
        })?;
        eprintln!("index: the keys took {:.0} s", began.elapsed().as_secs_f64());
    }
    let sizes = "select pg_table_size('bench.match_entry') as table, pg_relation_size('bench.match_entry_by_key') as keys";
    let sizes = runtime.block_on(sqlx::query(sizes).fetch_one(&mut db))?;
    let (table, keys): (i64, i64) = (sizes.try_get("table")?, sizes.try_get("keys")?);
    Ok(
        json!({"children": population.children, "loaded": loaded, "table_mb": table >> 20, "keys_mb": keys >> 20}),
    )
}

/// Makes the database, once the server answers.
async fn create(options: &PgConnectOptions) -> Result<(), Fault> {
    if options.get_database() != Some(DATABASE) {
        return Err(Fault::from(format!("only the database {DATABASE} is thrown away")));
    }
    let whole = options.clone().database("postgres").disable_statement_logging();
    let begun = Instant::now();
    let mut db: PgConnection = loop {
        match whole.connect().await {
            Ok(db) => break db,
            Err(error) if begun.elapsed() > Duration::from_mins(1) => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    };
    let there: Option<i32> = sqlx::query_scalar("select 1 from pg_database where datname = $1")
        .bind(DATABASE)
        .fetch_optional(&mut db)
        .await?;
    if there.is_none() {
        db.execute(AssertSqlSafe(format!("create database {DATABASE}"))).await?;
    }
    Ok(db.close().await?)
}

/// What the index is of: how many children, and a few of them as they are written.
fn mark(population: &Population) -> String {
    let few = &population.block(0)[..100.min(usize::try_from(population.children).unwrap_or(100))];
    let hash = rows(few).iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{} children, {hash:016x}", population.children)
}

fn copy(runtime: &Runtime, db: &mut PgConnection, population: &Population) -> Result<(), Fault> {
    let bar = ProgressBar::new(population.children).with_style(ProgressStyle::with_template(
        "index: {wide_bar} {human_pos} of {human_len} children, {eta} to go",
    )?);
    // In the transaction that makes it, a table needs no log of what is written.
    runtime.block_on(async {
        db.execute("begin").await?;
        db.execute("create table bench.match_entry (like public.match_entry including storage) with (autovacuum_enabled = off)")
            .await
    })?;
    let statement = format!("copy bench.match_entry ({COLUMNS}) from stdin with (freeze)");
    let mut copy = runtime.block_on(db.copy_in_raw(&statement))?;
    entries::<Fault>(population, |rows| {
        runtime.block_on(copy.send(rows))?;
        bar.inc(population::BLOCK);
        Ok(())
    })?;
    runtime.block_on(copy.finish())?;
    runtime.block_on(db.execute("commit"))?;
    bar.finish_and_clear();
    Ok(())
}
