//! Other ways of retrieving, on the same children and questions: trigrams, and the blocking rules of a linkage program as
//! composite indexes. Retrieval alone: what they find is not compared.

use std::{fmt::Write, time::Instant};

use linkage::similarity::sound;
use population::{Class, Population, Record};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row, postgres::PgConnectOptions};

use crate::{Fault, index, present, tally::percentile};

const TABLE: &str = "create table bench.peer (number bigint not null, name text not null, given_sound text not null,
    family_sound text not null, born text not null, postcode text not null, outward text not null)";
const INDEXES: [&str; 6] = [
    "create index peer_by_trigram on bench.peer using gin (name gin_trgm_ops)",
    "create index peer_by_born_family on bench.peer (born, family_sound)",
    "create index peer_by_born_given on bench.peer (born, given_sound)",
    "create index peer_by_names_year on bench.peer (family_sound, given_sound, left(born, 4))",
    "create index peer_by_names_outward on bench.peer (family_sound, given_sound, outward)",
    "create index peer_by_postcode on bench.peer (postcode)",
];
const TRIGRAM: &str =
    "select number from bench.peer where name % $1 order by similarity(name, $1) desc limit 100";
const BLOCKS: &str = "select number from bench.peer where born = $4 and family_sound = $3
    union select number from bench.peer where born = $4 and given_sound = $2
    union select number from bench.peer where family_sound = $3 and given_sound = $2 and left(born, 4) = left($4, 4)
    union select number from bench.peer where family_sound = $3 and given_sound = $2 and outward = $6
    union select number from bench.peer where postcode = $5 limit 4000";

struct Row7 {
    name: String,
    given: String,
    family: String,
    born: String,
    postcode: String,
    outward: String,
}

fn row(record: &Record) -> Row7 {
    let person = record.person();
    let name = person.names.first().map(|name| &name.name);
    let (first, family) =
        name.map_or_else(Default::default, |name| (name.first().to_owned(), name.family.concat()));
    let postcode = record.addresses.first().map(|home| home.postcode.clone()).unwrap_or_default();
    let outward = postcode.split(' ').next().unwrap_or_default().to_owned();
    Row7 {
        name: format!("{first} {family}"),
        given: sound(&first),
        family: sound(&family),
        born: record.date_of_birth.clone().unwrap_or_default(),
        postcode,
        outward,
    }
}

/// Asks so many questions of each class.
pub(crate) fn measure(
    options: &PgConnectOptions,
    population: &Population,
    per_class: usize,
) -> Result<Value, Fault> {
    let runtime = index::runtime()?;
    let mut db = runtime.block_on(index::connect(options))?;
    let there = "select coalesce(obj_description(to_regclass('bench.peer')), '')";
    let held: String = runtime.block_on(sqlx::query_scalar(there).fetch_one(&mut db))?;
    if held != population.children.to_string() {
        load(&runtime, &mut db, population)?;
    }
    runtime.block_on(db.execute("set pg_trgm.similarity_threshold = 0.5; set jit = off"))?;
    let questions = present::questions(population, &Class::ALL, per_class);
    let mut told = serde_json::Map::new();
    for (way, statement) in [("trigrams", TRIGRAM), ("composite", BLOCKS)] {
        let mut found = 0;
        let (mut times, mut counts) = (Vec::new(), Vec::new());
        for pass in 0..2 {
            for question in &questions {
                let row = row(&question.record);
                let began = Instant::now();
                let numbers = runtime.block_on(ask(&mut db, statement, &row))?;
                if pass == 1 {
                    times.push(began.elapsed().as_secs_f64() * 1e3);
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "counts of candidates are small"
                    )]
                    counts.push(numbers.len() as f64);
                    found += usize::from(
                        numbers.iter().any(|number| number.cast_unsigned() == question.truth),
                    );
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of questions are small")]
        let recall = found as f64 / questions.len().max(1) as f64;
        told.insert(way.to_owned(), json!({"asked": questions.len(), "recall": recall, "p50_ms": percentile(&times, 50),
            "p95_ms": percentile(&times, 95), "p99_ms": percentile(&times, 99), "candidates_p50": percentile(&counts, 50),
            "candidates_p99": percentile(&counts, 99)}));
    }
    let sizes = "select pg_relation_size('bench.peer_by_trigram') as trigrams, (select sum(pg_relation_size(c.oid))::bigint from
        pg_class c where c.relname like 'peer\\_by\\_%' and c.relname <> 'peer_by_trigram') as composite";
    let sizes = runtime.block_on(sqlx::query(sizes).fetch_one(&mut db))?;
    for way in ["trigrams", "composite"] {
        told[way]["index_mb"] = json!(sizes.try_get::<i64, _>(way)? >> 20);
    }
    Ok(Value::Object(told))
}

async fn ask(
    db: &mut PgConnection,
    statement: &'static str,
    row: &Row7,
) -> Result<Vec<i64>, Fault> {
    let all = statement.contains("$6");
    let query = sqlx::query_scalar(statement).bind(&row.name);
    let query = if all {
        query
            .bind(&row.given)
            .bind(&row.family)
            .bind(&row.born)
            .bind(&row.postcode)
            .bind(&row.outward)
    } else {
        query
    };
    Ok(query.fetch_all(db).await?)
}

fn load(
    runtime: &tokio::runtime::Runtime,
    db: &mut PgConnection,
    population: &Population,
) -> Result<(), Fault> {
    eprintln!("peers: the same children in columns");
    runtime.block_on(async {
        db.execute(
            "drop table if exists bench.peer; create extension if not exists pg_trgm schema bench",
        )
        .await?;
        db.execute("begin").await?;
        db.execute(TABLE).await
    })?;
    let mut copy = runtime.block_on(db.copy_in_raw("copy bench.peer from stdin with (freeze)"))?;
    for block in 0..population.blocks() {
        let mut rows = String::with_capacity(1 << 20);
        for child in population.block(block) {
            let Row7 { name, given, family, born, postcode, outward } = row(&child.held());
            writeln!(
                rows,
                "{}\t{name}\t{given}\t{family}\t{born}\t{postcode}\t{outward}",
                child.number
            )?;
        }
        runtime.block_on(copy.send(rows.into_bytes()))?;
    }
    runtime.block_on(copy.finish())?;
    runtime.block_on(async {
        db.execute("commit; set maintenance_work_mem = '3GB'").await?;
        for index in INDEXES {
            db.execute(index).await?;
        }
        db.execute("analyze bench.peer").await?;
        let mark = format!("comment on table bench.peer is '{}'", population.children);
        db.execute(AssertSqlSafe(mark)).await
    })?;
    Ok(())
}
