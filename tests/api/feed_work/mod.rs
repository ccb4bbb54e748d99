//! What becomes of the rows of feeds: each exactly once, whoever is at work and whenever they are stopped.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use contactpoint::{
    access::Role,
    feed::{
        row::FeedRow,
        worker::{self, Progress},
    },
    ids::BatchId,
    seal::Sealed,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Index, Organisation},
    parts::{Place, address},
};

mod fade;
mod follow;
mod once;
mod person;

/// The order in which batches came.
static CAME: AtomicI64 = AtomicI64::new(0);

/// A source system of an organisation.
pub(crate) struct Feed {
    pub(crate) id: Uuid,
    client: Uuid,
}

impl Feed {
    /// Makes one, whose batches count.
    pub(crate) async fn of(index: &Index, organisation: Organisation, service: &str) -> Self {
        let client = index.caller(Role::Feed, organisation).await.id;
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into feed (feed_id, organisation_id, name, service_type, stage, created_at, created_by, live_since)
             values ($1, $2, $3, $4, 'live', $5, $6, $5)",
        )
        .bind(id)
        .bind(organisation.id)
        .bind(format!("Example System {id}"))
        .bind(service)
        .bind(index.now())
        .bind(client)
        .execute(&index.db)
        .await
        .unwrap();
        Self { id, client }
    }

    /// One that is there already.
    pub(crate) async fn known(index: &Index, id: Uuid, organisation: Organisation) -> Self {
        Self { id, client: index.caller(Role::Feed, organisation).await.id }
    }

    /// Sends a batch that waits, with these rows.
    pub(crate) async fn send(&self, index: &Index, rows: &[Value]) -> Uuid {
        self.send_as(index, rows, false, false).await
    }

    /// The same, complete or on trial.
    pub(crate) async fn send_as(
        &self,
        index: &Index,
        rows: &[Value],
        complete: bool,
        trial: bool,
    ) -> Uuid {
        let (batch, vault) = (BatchId(Uuid::new_v4()), &Index::door().vault);
        let came = chrono::TimeDelta::microseconds(CAME.fetch_add(1, Ordering::Relaxed));
        sqlx::query(
            "insert into feed_batch (batch_id, feed_id, format, complete, trial, status, as_at, rows, sent_by, received_at, heard_at)
             values ($1, $2, 'ndjson', $3, $4, 'waiting', $5, $6, $7, $8, $8)",
        )
        .bind(batch.0)
        .bind(self.id)
        .bind(complete)
        .bind(trial)
        .bind(contactpoint::clock::day_in_london(index.now()))
        .bind(i64::try_from(rows.len()).unwrap())
        .bind(self.client)
        .bind(index.now() + came)
        .execute(&index.db)
        .await
        .unwrap();
        for (line, row) in (1_i64..).zip(rows) {
            let said: FeedRow = serde_json::from_value(row.clone()).unwrap();
            let told = serde_json::to_vec(&said).unwrap();
            let sealed = Sealed::seal(&said, vault, &FeedRow::waiting_at(batch, line)).unwrap();
            sqlx::query(
                "insert into feed_row (batch_id, line, reference, hash, sent) values ($1, $2, $3, $4, $5)",
            )
            .bind(batch.0)
            .bind(line)
            .bind(said.reference.as_str())
            .bind(vault.blind(&[&told]))
            .bind(sealed)
            .execute(&index.db)
            .await
            .unwrap();
        }
        batch.0
    }
}

/// Works until nothing is left to do.
pub(crate) async fn work(index: &Index) -> Progress {
    work_by(index, worker::CHUNK).await
}

/// The same, so many rows at a time.
pub(crate) async fn work_by(index: &Index, chunk: i64) -> Progress {
    let mut errands = index.errands("feed_work").await;
    worker::run_until_idle(&mut errands, &index.clock, chunk, |_| true).await.unwrap()
}

/// The outcomes of a batch, line by line.
pub(crate) async fn outcomes(index: &Index, batch: Uuid) -> Vec<String> {
    let told = "select coalesce(outcome, 'none') from feed_row where batch_id = $1 order by line";
    sqlx::query_scalar(told).bind(batch).fetch_all(&index.db).await.unwrap()
}

/// Where the row of a line is at fault.
async fn pointers(index: &Index, batch: Uuid, line: i64) -> Vec<String> {
    let told = "select f ->> 'pointer' from feed_row r, jsonb_array_elements(r.faults) f where batch_id = $1 and line = $2";
    sqlx::query_scalar(told).bind(batch).bind(line).fetch_all(&index.db).await.unwrap()
}

/// The counts of a batch, with its status.
async fn counts(index: &Index, batch: Uuid) -> Value {
    let told = "select jsonb_build_object('status', status, 'linked', linked, 'created', created, 'unchanged', unchanged,
                    'review', review, 'rejected', rejected, 'unconfirmed', unconfirmed) from feed_batch where batch_id = $1";
    sqlx::query_scalar(told).bind(batch).fetch_one(&index.db).await.unwrap()
}

/// The path of the child whom a source's record is of.
pub(crate) async fn child_of(index: &Index, feed: &Feed, reference: &str) -> String {
    let told = "select index_number from source_record s join child c on c.child_id = s.child_id where feed_id = $1 and reference = $2";
    let told = sqlx::query_scalar(told).bind(feed.id).bind(reference);
    let number: String = told.fetch_one(&index.db).await.unwrap();
    format!("/v1/children/{number}")
}

async fn children(index: &Index) -> i64 {
    sqlx::query_scalar("select count(*) from child").fetch_one(&index.db).await.unwrap()
}

/// Amy Rose of this family name, as a source of this reference knows her.
pub(crate) fn amy_row(reference: &str, family: &str) -> Value {
    json!({
        "reference": reference,
        "names": [{ "kind": "current", "given": ["Amy", "Rose"], "family": family }],
        "dateOfBirth": "2015-03-14",
        "gender": "female",
        "whereabouts": { "kind": "current", "address": address("PO1 3AX") },
        "involvement": { "contact": { "team": "Example Team", "officeHours": "01632 960003" }, "startedOn": "2024-09-02" },
    })
}

/// A child of this number, unlike those of other numbers.
pub(crate) fn nth_row(n: usize) -> Value {
    let letters = |mut n: usize| {
        let mut word = String::new();
        for _ in 0..5 {
            word.push(char::from(b'a' + u8::try_from(n % 26).unwrap()));
            n = n / 26 + n % 26 * 7 + 3;
        }
        word
    };
    json!({
        "reference": format!("N-{n}"),
        "names": [{ "kind": "current", "given": [format!("G{}", letters(n * 31))], "family": format!("F{}", letters(n * 17 + 5)) }],
        "dateOfBirth": format!("{}-{:02}-{:02}", 2010 + n % 9, 1 + n % 12, 2 + n % 26),
        "gender": if n.is_multiple_of(2) { "female" } else { "male" },
    })
}

fn put(mut row: Value, pointer: &str, value: Value) -> Value {
    let (member, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    if rest.is_empty() {
        row[member] = value;
    } else {
        *row.pointer_mut(&format!("/{pointer}")).unwrap() = value;
    }
    row
}

async fn surgery(place: &Place) -> (Organisation, Feed) {
    let surgery = place.index.organisation("gpPractice", Some(place.council)).await;
    let feed = Feed::of(&place.index, surgery, "generalPractice").await;
    (surgery, feed)
}

async fn pause(milliseconds: u64) {
    actix_web::rt::time::sleep(Duration::from_millis(milliseconds)).await;
}

async fn record(place: &Place, path: &str) -> Value {
    place.index.get(&place.steward, path).await.expect(200).body
}

fn names(record: &Value) -> Vec<(String, String)> {
    let told = record["names"].as_array().unwrap().iter();
    told.map(|name| {
        (name["kind"].as_str().unwrap().to_owned(), name["family"].as_str().unwrap().to_owned())
    })
    .collect()
}
