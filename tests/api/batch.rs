//! Batches: how they come in, what is told of them, and that nothing of a broken one stays.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use contactpoint::{access::Role, feed::batch::task};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, BATCH, Caller, Index, Scene},
    raw,
};

/// A feed and who sends to it.
struct Desk {
    index: Index,
    scene: Scene,
    feed: Uuid,
}

fn row(n: usize) -> Value {
    json!({
        "reference": format!("PUPIL-{n}"),
        "names": [{ "kind": "current", "given": ["Isla"], "family": "Canaryfield" }],
        "dateOfBirth": "2019-06-21",
        "gender": "female",
    })
}

fn lines(rows: &[Value]) -> Vec<u8> {
    rows.iter().flat_map(|row| format!("{row}\n").into_bytes()).collect()
}

fn some(rows: usize) -> Vec<u8> {
    lines(&(1..=rows).map(row).collect::<Vec<_>>())
}

impl Desk {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let feed = index.feed(scene.school).await;
        Self { index, scene, feed }
    }

    fn sender(&self) -> &Caller {
        self.scene.caller(Role::Feed)
    }

    fn at(&self, rest: &str) -> String {
        format!("/v1/feeds/{}/batches{rest}", self.feed)
    }

    async fn send(&self, query: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let headers = [&[("Content-Type", "application/x-ndjson")], headers].concat();
        self.index.request(self.sender(), "POST", &self.at(query), body, &headers).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.index.get(self.sender(), path).await.expect(200)
    }

    /// How many batches there are, and how many rows.
    async fn kept(&self) -> (i64, i64) {
        sqlx::query_as("select (select count(*) from feed_batch), (select count(*) from feed_row)")
            .fetch_one(&self.index.db)
            .await
            .unwrap()
    }

    async fn run(&self, statement: &'static str, id: Uuid) {
        sqlx::query(statement).bind(id).execute(&self.index.db).await.unwrap();
    }

    /// A batch whose body has still to come, in chunks.
    fn open(&self) -> Pieces {
        let token = self.index.token(self.sender());
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nAccess-Reason: direct-service\r\n\
             Idempotency-Key: {}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n",
            self.at(""),
            Uuid::new_v4()
        );
        Pieces(raw::open(self.index.address(), &head))
    }

    /// The batches, once this holds of them.
    async fn until(&self, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        for _ in 0..200 {
            let list = self.get(&self.at("")).await;
            let items = list.body["items"].as_array().unwrap().clone();
            if holds(&items) {
                return items;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it never holds");
    }

    /// What the task does.
    async fn tidy(&self) -> usize {
        let mut work = self.index.errands("tidy_batches").await;
        task::tidy(&mut work).await.unwrap()
    }
}

/// A body that is sent piece by piece.
struct Pieces(TcpStream);

impl Pieces {
    fn piece(&mut self, bytes: &[u8]) {
        write!(self.0, "{:x}\r\n", bytes.len()).unwrap();
        self.0.write_all(bytes).unwrap();
        self.0.write_all(b"\r\n").unwrap();
    }

    fn end(mut self) -> String {
        self.0.write_all(b"0\r\n\r\n").unwrap();
        let mut said = vec![0; 64 * 1024];
        let read = self.0.read(&mut said).unwrap();
        String::from_utf8_lossy(&said[..read]).into_owned()
    }
}

#[actix_web::test]
async fn a_batch_that_is_here_waits_with_its_rows_sealed_and_its_begin_and_end_are_written_down() {
    let desk = Desk::new().await;
    let sent = desk.send("?complete=true&asAt=2026-11-10", &[], some(3)).await.expect(202);
    let batch = &sent.body;
    assert_eq!(
        json!([batch["status"], batch["rows"], batch["done"], batch["format"], batch["asAt"]]),
        json!(["waiting", 3, 0, "ndjson", "2026-11-10"])
    );
    assert_eq!((&batch["complete"], &batch["trial"]), (&json!(true), &json!(true)));
    assert_eq!(batch["bytes"], some(3).len());
    let at = desk.at(&format!("/{}", batch["id"].as_str().unwrap()));
    assert_eq!(sent.header("Location"), at);
    assert_eq!(desk.get(&at).await.body, *batch);
    assert_eq!(desk.get(&desk.at("")).await.body["items"], json!([batch]));

    let sealed: Vec<(String, Vec<u8>)> =
        sqlx::query_as("select reference, sent from feed_row where outcome is null order by line")
            .fetch_all(&desk.index.db)
            .await
            .unwrap();
    assert_eq!(sealed.len(), 3);
    for (n, (reference, sent)) in sealed.iter().enumerate() {
        assert_eq!(*reference, format!("PUPIL-{}", n + 1));
        assert!(!sent.windows(6).any(|window| window == b"Canary"));
    }
    let event = desk.index.event(&sent).await;
    assert_eq!((&event["operation"], &event["details"]["rows"]), (&json!("send_batch"), &json!(3)));
    let begun = desk.index.acts("begin_batch").await;
    assert_eq!(begun.len(), 1);
    assert_eq!(
        (&begun[0]["details"]["batch"], &begun[0]["client_id"]),
        (&batch["id"], &json!(desk.sender().id))
    );
}

#[actix_web::test]
async fn a_row_that_cannot_be_read_is_rejected_with_its_line_and_the_others_wait() {
    let desk = Desk::new().await;
    let mut rows: Vec<_> = (1..=20).map(row).collect();
    rows[4].as_object_mut().unwrap().remove("gender");
    rows[9]["reference"] = json!("PUPIL-2");
    let mut body = lines(&rows);
    body.extend_from_slice(b"\n{not json\n");
    let sent = desk.send("", &[], body).await.expect(202);
    assert_eq!((&sent.body["rows"], &sent.body["done"]), (&json!(21), &json!(3)));
    assert_eq!(sent.body["outcomes"]["rejected"], 3);
    let rejected = desk.get(&format!("{}/rows?outcome=rejected", sent.header("Location"))).await;
    let items = rejected.body["items"].as_array().unwrap();
    let places: Vec<_> = items.iter().map(|row| row["line"].as_i64().unwrap()).collect();
    assert_eq!(places, [5, 10, 22]);
    assert!(items.iter().all(|row| !row["errors"].as_array().unwrap().is_empty()));
    assert_eq!(items[1]["reference"], "PUPIL-2");
    assert_eq!(
        items[1]["errors"],
        json!([{ "pointer": "/reference", "detail": "is given twice" }])
    );
    assert!(!rejected.body.to_string().contains("Canaryfield"));
    let waiting: i64 = sqlx::query_scalar(
        "select count(*) from feed_row where outcome is null and sent is not null",
    )
    .fetch_one(&desk.index.db)
    .await
    .unwrap();
    assert_eq!(waiting, 18);
}

#[actix_web::test]
async fn the_same_content_is_the_same_batch_unless_it_is_said_to_be_another() {
    let desk = Desk::new().await;
    let first = desk.send("", &[], some(3)).await.expect(202);
    let again = desk.send("?asAt=2026-11-16&complete=false", &[], some(3)).await.expect(202);
    assert_eq!((again.header("Location"), &again.body), (first.header("Location"), &first.body));
    assert_eq!(desk.index.event(&again).await["details"]["repeated"], true);
    assert_eq!(desk.kept().await, (1, 3));
    desk.run(
        "update feed_batch set status = 'done', ended_at = received_at where feed_id = $1",
        desk.feed,
    )
    .await;
    let done = desk.send("", &[], some(3)).await.expect(202);
    assert_eq!(
        (done.header("Location"), &done.body["status"]),
        (first.header("Location"), &json!("done"))
    );

    for (query, body) in [("?complete=true", some(3)), ("?asAt=2026-11-15", some(3)), ("", some(4))]
    {
        let other = desk.send(query, &[], body).await.expect(202);
        assert_ne!(other.header("Location"), first.header("Location"), "{query}");
    }
    let elsewhere = Desk { feed: desk.index.feed(desk.scene.school).await, ..desk };
    elsewhere.send("", &[], some(3)).await.expect(202);
    assert_eq!(elsewhere.kept().await, (5, 16));
}

#[actix_web::test]
async fn the_same_key_is_the_same_batch_and_is_not_good_for_another() {
    let desk = Desk::new().await;
    let key = [("Idempotency-Key", "batch-of-monday")];
    let first = desk.send("", &key, some(3)).await.expect(202);
    desk.run(
        "update feed_batch set status = 'processing', begun_at = received_at where feed_id = $1",
        desk.feed,
    )
    .await;
    let again = desk.send("", &key, some(3)).await.expect(202);
    assert_eq!(again.header("Location"), first.header("Location"));
    assert_eq!(again.body["status"], "processing", "what is told is how far it is now");
    let kept = desk.kept().await;
    for (query, body) in [("", some(4)), ("?complete=true", some(3))] {
        let refused = desk.send(query, &key, body).await.refused(422, "idempotency-key-reused");
        assert_eq!(desk.index.event(&refused).await["outcome"], "refused");
    }
    let other = desk.index.feed(desk.scene.school).await;
    let other = Desk { feed: other, ..desk };
    other.send("", &key, some(3)).await.refused(422, "idempotency-key-reused");
    assert_eq!(other.kept().await, kept, "nothing of them stays");
    for (key, problem) in [("", "idempotency-key-required"), ("short", "invalid-header")] {
        other.send("", &[("Idempotency-Key", key)], some(3)).await.refused(400, problem);
    }
}

#[actix_web::test]
async fn of_the_same_content_sent_at_once_there_is_one_batch() {
    let desk = Desk::new().await;
    for (key, rows) in [("", 1_200), ("the-same-key", 1_300)] {
        let sent = join_all((0..4).map(async |_| {
            let keys = [("Idempotency-Key", key)];
            desk.send("", if key.is_empty() { &[] } else { &keys }, some(rows)).await
        }));
        let answers = sent.await;
        let places: std::collections::HashSet<_> = answers
            .iter()
            .map(|answer| (answer.status, answer.header("Location").to_owned()))
            .collect();
        assert_eq!(places.len(), 1, "{places:?}");
        assert!(places.iter().all(|(status, _)| *status == 202));
    }
    assert_eq!(desk.kept().await, (2, 2_500));
}

#[actix_web::test]
async fn nothing_stays_of_a_batch_that_breaks_off() {
    let desk = Desk::new().await;
    let mut pieces = desk.open();
    pieces.piece(&some(1_500));
    let begun = desk
        .until(|items| items.first().is_some_and(|batch| batch["rows"].as_i64() >= Some(1_000)))
        .await;
    assert_eq!(begun[0]["status"], "receiving");
    drop(pieces);
    let failed = desk.until(|items| items[0]["status"] == "failed").await;
    assert_eq!((&failed[0]["failure"], &failed[0]["rows"]), (&json!("brokenOff"), &json!(0)));
    for _ in 0..100 {
        if desk.kept().await == (1, 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(desk.kept().await, (1, 0));
    for _ in 0..100 {
        let mut acts = desk.index.acts("send_batch").await;
        acts.retain(|act| {
            act["problem"] == "batch-unreadable" && act["details"]["failure"] == "brokenOff"
        });
        if acts.len() == 1 {
            desk.send("", &[], some(1_500)).await.expect(202);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is not written down");
}

#[actix_web::test]
async fn a_sender_who_is_stopped_while_a_batch_comes_in_is_told_so_and_nothing_of_it_stays() {
    let desk = Desk::new().await;
    let mut pieces = desk.open();
    pieces.piece(&some(1_500));
    desk.until(|items| items.first().is_some_and(|batch| batch["rows"].as_i64() >= Some(1_000)))
        .await;
    desk.run("update session set ended_at = now() where session_id = $1", desk.sender().session)
        .await;
    pieces.piece(&lines(&(1_501..=2_600).map(row).collect::<Vec<_>>()));
    let said = pieces.end();
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
    assert_eq!(desk.kept().await, (0, 0));
}

#[actix_web::test]
async fn a_body_that_is_no_batch_is_refused_and_nothing_of_it_stays() {
    let desk = Desk::new().await;
    for body in ["", "\n\n \n"] {
        let refused = desk.send("", &[], body.into()).await.refused(400, "batch-unreadable");
        assert_eq!(desk.index.event(&refused).await["outcome"], "refused");
    }
    let failed = desk.get(&desk.at("")).await;
    assert_eq!(failed.body["items"][0]["failure"], "unreadable");
    for headers in [
        &[("Content-Type", "application/json")][..],
        &[("Content-Type", "")],
        &[("Content-Type", "text/csv; charset=latin1")],
        &[("Content-Encoding", "gzip")],
    ] {
        desk.send("", headers, some(1)).await.refused(415, "unsupported-media-type");
    }
    for query in
        ["?asAt=2026-11-17", "?asAt=2025-11-14", "?asAt=today", "?complete=perhaps", "?all=true"]
    {
        desk.send(query, &[], some(1)).await.refused(400, "invalid-query");
    }
    assert_eq!(desk.kept().await, (2, 0));
}

#[actix_web::test]
async fn a_batch_over_a_gibibyte_is_refused_before_it_comes() {
    let desk = Desk::new().await;
    let token = desk.index.token(desk.sender());
    let head = |length: u64| {
        format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nAccess-Reason: direct-service\r\n\
             Idempotency-Key: {}\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n",
            desk.at(""),
            Uuid::new_v4()
        )
    };
    let refused = raw::send(desk.index.address(), &head(1024 * 1024 * 1024 + 1));
    assert_eq!(refused.status, 413);
    assert!(refused.body.contains("body-too-large"), "{}", refused.body);
    assert_eq!(desk.kept().await, (0, 0));
}

#[actix_web::test]
async fn one_byte_more_than_may_come_is_refused_and_leaves_nothing() {
    let body = some(1_500);
    let length = body.len();
    let Desk { index, scene, feed } = Desk::new().await;
    let desk = Desk { index: index.taking(length.try_into().unwrap()).await, scene, feed };
    let longer = [&body[..], b"\n"].concat();
    desk.send("", &[], longer.clone()).await.refused(413, "body-too-large");
    assert_eq!(desk.kept().await, (0, 0), "it was announced");

    let mut pieces = desk.open();
    pieces.piece(&body);
    desk.until(|items| items.first().is_some_and(|batch| batch["rows"].as_i64() >= Some(1_000)))
        .await;
    pieces.piece(b"\n");
    let said = pieces.end();
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("body-too-large"), "{said}");
    assert_eq!(desk.kept().await, (1, 0));
    let failed = desk.get(&desk.at("")).await;
    assert_eq!(failed.body["items"][0]["failure"], "tooLarge");

    let key = [("Idempotency-Key", "just-enough")];
    let taken = desk.send("", &key, body.clone()).await.expect(202);
    assert_eq!((&taken.body["rows"], &taken.body["bytes"]), (&json!(1_500), &json!(length)));
    desk.send("", &key, longer).await.refused(413, "body-too-large");
    let mut pieces = desk.open();
    pieces.piece(&body);
    assert!(pieces.end().starts_with("HTTP/1.1 202 "), "as much as may come in pieces too");
    assert_eq!(desk.kept().await, (2, 1_500));
}

#[actix_web::test]
async fn a_batch_goes_to_a_feed_of_the_own_organisation_alone() {
    let desk = Desk::new().await;
    let absent = Desk { feed: Uuid::new_v4(), ..desk };
    let unknown = absent.send("", &[], some(1)).await.refused(404, "not-found");
    for organisation in [absent.scene.other_school, absent.scene.authority] {
        let feed = absent.index.feed(organisation).await;
        let headers = [("Content-Type", "application/x-ndjson")];
        let path = format!("/v1/feeds/{feed}/batches");
        let hidden = absent.index.request(absent.sender(), "POST", &path, some(1), &headers).await;
        assert_eq!(hidden.refused(404, "not-found").body, unknown.body);
    }
    assert_eq!(absent.kept().await, (0, 0));
}

#[actix_web::test]
async fn as_many_batches_of_a_feed_come_in_at_once_as_may() {
    let desk = Desk::new().await;
    for n in 0..8 {
        let batch = desk.index.batch(desk.feed).await;
        desk.run("update feed_batch set status = 'receiving' where batch_id = $1", batch).await;
        if n < 7 {
            continue;
        }
        let refused = desk.send("", &[], some(1)).await.refused(429, "too-many-requests");
        assert_eq!(refused.header("Retry-After"), "60");
        let silent =
            "update feed_batch set heard_at = heard_at - interval '6 minutes' where batch_id = $1";
        desk.run(silent, batch).await;
        desk.send("", &[], some(1)).await.expect(202);
        let heard = "update feed_batch set status = 'done', heard_at = heard_at + interval '6 minutes' where batch_id = $1";
        desk.run(heard, batch).await;
    }
    desk.send("", &[], some(2)).await.expect(202);
}

#[actix_web::test]
async fn the_rows_of_a_batch_are_told_by_page_or_all_of_them_as_lines() {
    let desk = Desk::new().await;
    let sent = desk.send("", &[], some(2_500)).await.expect(202);
    assert_eq!(sent.body["rows"], 2_500);
    let at = format!("{}/rows", sent.header("Location"));
    let lined = [("Accept", "application/x-ndjson")];
    let all = desk.index.request(desk.sender(), "GET", &at, (), &lined).await.expect(200);
    let told: Vec<Value> = all
        .bytes
        .split(|b| *b == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let numbers: Vec<_> = told.iter().map(|row| row["line"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=2_500).collect::<Vec<_>>());
    assert_eq!(desk.index.event(&all).await["details"]["lines"], true);

    let first = desk.get(&format!("{at}?limit=100")).await;
    let next = first.body["next"].as_str().unwrap();
    let second = desk.get(&format!("{at}?limit=100&after={next}")).await;
    let paged = [&first, &second].map(|page| page.body["items"].as_array().unwrap().clone());
    assert_eq!(paged.concat(), told[..200]);
    let last = format!("{at}?outcome=linked&limit=1");
    assert_eq!(desk.get(&last).await.body, json!({ "items": [] }));
    let from =
        desk.index.request(desk.sender(), "GET", &format!("{at}?after={next}"), (), &lined).await;
    assert_eq!(from.bytes.split(|byte| *byte == b'\n').count() - 1, 2_400);
    let refused = desk.index.get(desk.sender(), &format!("{at}?after=!")).await;
    refused.refused(400, "invalid-query");
}

#[actix_web::test]
async fn the_number_of_a_child_is_told_while_the_record_is_in_use_shielded_or_not() {
    let desk = Desk::new().await;
    let batch = desk.index.batch(desk.feed).await;
    let child = desk.index.child(desk.scene.authority).await;
    sqlx::query("update feed_row set child_id = $2 where batch_id = $1 and line = 1")
        .bind(batch)
        .bind(child.id)
        .execute(&desk.index.db)
        .await
        .unwrap();
    let at = desk.at(&format!("/{batch}/rows"));
    let told = desk.get(&at).await.body;
    assert_eq!(
        told["items"],
        json!([
            { "line": 1, "reference": "PUPIL-1", "outcome": "linked", "indexNumber": child.number },
            { "line": 2, "outcome": "rejected", "errors": [{ "pointer": "/gender", "detail": "is required" }] },
            { "line": 3, "reference": "PUPIL-3" },
        ])
    );
    desk.index.shield(&child).await;
    assert_eq!(desk.get(&at).await.body, told);
    desk.run("update child set archives_on = '2026-11-16' where child_id = $1", child.id).await;
    assert!(desk.get(&at).await.body["items"][0].get("indexNumber").is_none());
}

#[actix_web::test]
async fn a_batch_tells_how_fast_it_goes_and_how_long_it_will_take() {
    let desk = Desk::new().await;
    let batch = desk.index.batch(desk.feed).await;
    let at = desk.at(&format!("/{batch}"));
    desk.run(
        "update feed_batch set rows = 1001, linked = 400, review = 100 where batch_id = $1",
        batch,
    )
    .await;
    let begun = desk.get(&at).await.body;
    assert!(begun.get("rowsPerSecond").is_none() && begun.get("secondsLeft").is_none());
    desk.index.clock.set("2026-11-16T09:30:10Z".parse().unwrap());
    let going = desk.get(&at).await.body;
    assert_eq!(
        (&going["done"], &going["rowsPerSecond"], &going["secondsLeft"]),
        (&json!(501), &json!(50.0), &json!(11))
    );
    desk.run("update feed_batch set status = 'done', linked = 900, ended_at = begun_at + interval '20 s' where batch_id = $1", batch).await;
    let done = desk.get(&at).await.body;
    assert_eq!((&done["rowsPerSecond"], done.get("secondsLeft")), (&json!(50.0), None));
}

#[actix_web::test]
async fn of_a_batch_of_which_nothing_comes_for_an_hour_nothing_stays() {
    let desk = Desk::new().await;
    let batch = desk.index.batch(desk.feed).await;
    desk.run("update feed_batch set status = 'receiving' where batch_id = $1", batch).await;
    desk.index.clock.set("2026-11-16T10:30:00Z".parse().unwrap());
    assert_eq!((desk.tidy().await, desk.kept().await), (0, (1, 3)));
    desk.index.clock.set("2026-11-16T10:30:01Z".parse().unwrap());
    assert_eq!((desk.tidy().await, desk.kept().await), (1, (1, 0)));
    let told = desk.get(&desk.at(&format!("/{batch}"))).await.body;
    assert_eq!(
        (&told["status"], &told["failure"], &told["rows"]),
        (&json!("failed"), &json!("brokenOff"), &json!(0))
    );
    assert_eq!(desk.tidy().await, 0);
}

#[actix_web::test]
async fn a_batch_in_use_is_left_alone_by_those_who_forget() {
    let desk = Desk::new().await;
    let sent = desk.send("", &[], BATCH.into()).await.expect(202);
    desk.index.clock.set("2026-11-20T09:30:00Z".parse().unwrap());
    assert_eq!((desk.tidy().await, desk.kept().await), (0, (1, 1)));
    assert_eq!(desk.get(sent.header("Location")).await.body["status"], "waiting");
}
