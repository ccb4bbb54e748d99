//! Each row is done exactly once, by however many, in whatever pieces, and however often they are killed.

use contactpoint::feed::worker;
use futures_util::future::join;
use rand::{SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Feed, amy_row, child_of, children, counts, nth_row, outcomes, pause, put, surgery, work,
    work_by,
};
use crate::{
    harness::Index,
    parts::{Place, address, amy, bob},
};

/// Forty rows of every kind: new, like a child who is here, nearly like one, and bad.
async fn mixed(place: &Place) -> Vec<Value> {
    place.add(amy("Testley")).await;
    place.add(bob("Otherly")).await;
    let mut rows: Vec<_> = (0..36).map(nth_row).collect();
    rows[7] = put(rows[7].clone(), "dateOfBirth", json!("2027-01-01"));
    rows[20] = put(rows[20].clone(), "responsibleAuthority", json!("999"));
    rows.push(amy_row("A-1", "Testley"));
    rows.push(put(bob("Otherley"), "reference", json!("B-1")));
    rows
}

/// What is told of a batch and of all children, without what is drawn by lot.
async fn state(index: &Index, batch: Uuid) -> Value {
    let told = "select jsonb_build_object(
        'rows', (select jsonb_agg(jsonb_build_array(r.line, r.outcome, r.faults, (
            select string_agg(n.given::text || n.family, ',' order by n.given, n.family) from child_name n where n.child_id = r.child_id)) order by r.line)
            from feed_row r where r.batch_id = $1),
        'records', (select jsonb_agg(jsonb_build_array(s.reference, n.given, n.family) order by s.reference, n.given, n.family)
            from source_record s join child_name n on n.child_id = s.child_id and n.kind = 'current'),
        'children', (select count(*) from child), 'names', (select count(*) from child_name),
        'involvements', (select count(*) from involvement), 'tasks', (select count(*) from review_task),
        'pairs', (select count(*) from possible_duplicate), 'history', (select count(*) from history))";
    let mut told: Value = sqlx::query_scalar(told).bind(batch).fetch_one(&index.db).await.unwrap();
    told["counts"] = counts(index, batch).await;
    told
}

#[actix_web::test]
async fn in_whatever_pieces_a_batch_is_done_it_ends_alike() {
    let mut ends = Vec::new();
    for chunk in [1, 7, 100] {
        let place = Place::new().await;
        let rows = mixed(&place).await;
        let (_, feed) = surgery(&place).await;
        let batch = feed.send_as(&place.index, &rows, true, false).await;
        work_by(&place.index, chunk).await;
        ends.push(state(&place.index, batch).await);
    }
    assert_eq!(ends[0]["counts"]["status"], "done");
    assert_eq!(ends[0]["counts"]["review"], 1, "{:#}", ends[0]);
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[1], ends[2]);
}

/// Rows of few families, drawn by lot: many are of one child, of twins, of brothers and sisters, or say one number.
fn akin(seed: u64) -> Vec<Value> {
    let mut lot = ChaCha20Rng::seed_from_u64(seed);
    let mut draw = |all: &[&str]| (*all.choose(&mut lot).unwrap()).to_owned();
    let numbers = ["", "", "", "", "9990000018", "9990000026", "9990000034"];
    let row = |n: usize, draw: &mut dyn FnMut(&[&str]) -> String| {
        let mut row = json!({
            "reference": format!("K-{n}"),
            "names": [{
                "kind": "current",
                "given": [draw(&["Amy", "Aimee", "Ben", "Benjamin", "Zara"])],
                "family": draw(&["Testley", "Testly", "Otherly"]),
            }],
            "dateOfBirth": draw(&["2015-03-14", "2015-03-14", "2015-04-13", "2017-10-02"]),
            "gender": draw(&["female", "male", "notSpecified"]),
            "whereabouts": { "kind": "current", "address": address(&draw(&["PO1 3AX", "PO1 3AX", "SO14 7LY"])) },
        });
        let number = draw(&numbers);
        if !number.is_empty() {
            row["identifiers"] = json!([{ "kind": "nhsNumber", "value": number }]);
        }
        row
    };
    (0..30).map(|n| row(n, &mut draw)).collect()
}

#[actix_web::test]
async fn rows_of_one_child_or_of_one_family_end_alike_in_whatever_pieces_they_are_done() {
    for seed in 1..=3 {
        let mut ends = Vec::new();
        for chunk in [1, 100] {
            let place = Place::new().await;
            place.add(amy("Testley")).await;
            place.add(bob("Otherly")).await;
            let (_, feed) = surgery(&place).await;
            let batch = feed.send_as(&place.index, &akin(seed), true, false).await;
            work_by(&place.index, chunk).await;
            let again = feed.send_as(&place.index, &akin(seed + 100), true, false).await;
            work_by(&place.index, chunk).await;
            ends.push([state(&place.index, batch).await, state(&place.index, again).await]);
        }
        assert_eq!(ends[0], ends[1], "seed {seed}");
    }
}

#[actix_web::test]
async fn however_often_the_worker_is_killed_each_row_is_done_once() {
    let place = Place::new().await;
    let rows = mixed(&place).await;
    let (_, feed) = surgery(&place).await;
    let batch = feed.send_as(&place.index, &rows, true, false).await;
    let mut kills = 0;
    for n in 0_u64.. {
        let index = &place.index;
        let mut errands = index.errands("feed_work").await;
        let working = worker::run_until_idle(&mut errands, &index.clock, 9, |_| true);
        // Longer each time, so that a slow machine comes to an end too.
        let most = std::time::Duration::from_millis(3 + n * 17 % 60 + 8 * n);
        let ended = tokio::time::timeout(most, working);
        if ended.await.is_ok() {
            break;
        }
        kills += 1;
        drop(errands);
        pause(5).await;
    }
    assert!(kills > 0, "nobody was killed");
    let killed = state(&place.index, batch).await;

    let place = Place::new().await;
    let rows = mixed(&place).await;
    let (_, feed) = surgery(&place).await;
    let batch = feed.send_as(&place.index, &rows, true, false).await;
    work_by(&place.index, 9).await;
    assert_eq!(killed, state(&place.index, batch).await);
}

#[actix_web::test]
async fn two_at_work_on_one_batch_do_each_row_once() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let rows: Vec<_> = (0..60).map(nth_row).collect();
    let batch = feed.send_as(&place.index, &rows, true, false).await;
    let (one, other) = join(work_by(&place.index, 5), work_by(&place.index, 5)).await;
    let last = work(&place.index).await;
    assert_eq!(one.created + other.created + last.created, 60);
    assert_eq!(one.batches + other.batches + last.batches, 1);
    assert_eq!(children(&place.index).await, 60);
    assert_eq!(counts(&place.index, batch).await["created"], 60);
}

#[actix_web::test]
async fn two_sources_that_bring_the_same_children_at_once_make_each_once() {
    let place = Place::new().await;
    let school = Feed::of(&place.index, place.school, "school").await;
    let (_, gp) = surgery(&place).await;
    let home = |n: usize, row: Value| {
        let lines = json!({ "lines": [format!("{} Harbour Way", n + 1)], "town": "Exampleton", "postcode": "PO1 3AX" });
        put(row, "whereabouts", json!({ "kind": "current", "address": lines }))
    };
    let rows: Vec<_> = (0..20).map(|n| home(n, nth_row(n))).collect();
    school.send(&place.index, &rows).await;
    gp.send(&place.index, &rows).await;
    let (one, other) = join(work_by(&place.index, 4), work_by(&place.index, 4)).await;
    assert_eq!(one.created + other.created, 20, "{one:?} {other:?}");
    assert_eq!(one.linked + other.linked, 20, "{one:?} {other:?}");
    assert_eq!(children(&place.index).await, 20);
    for row in &rows {
        let reference = row["reference"].as_str().unwrap();
        assert_eq!(
            child_of(&place.index, &school, reference).await,
            child_of(&place.index, &gp, reference).await
        );
    }
}

#[actix_web::test]
async fn a_steward_who_corrects_meanwhile_loses_nothing() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    feed.send(&place.index, &[amy_row("A-1", "Testley")]).await;
    work(&place.index).await;
    let path = child_of(&place.index, &feed, "A-1").await;
    let row = put(amy_row("A-1", "Testley"), "whereabouts/address/postcode", json!("PO2 4BX"));
    feed.send(&place.index, &[row]).await;
    let version = place.index.get(&place.steward, &path).await.version();
    let change = json!({ "gender": "notSpecified" });
    let (done, answer) = join(work(&place.index), place.correct(&path, version, change)).await;
    assert_eq!(done.linked, 1);
    let told = super::record(&place, &path).await;
    assert_eq!(told["whereabouts"]["address"]["postcode"], "PO2 4BX");
    match answer.status {
        200 => assert_eq!(told["gender"], "notSpecified"),
        status => assert_eq!((status, &told["gender"]), (412, &json!("female"))),
    }
}

#[actix_web::test]
async fn batches_of_a_feed_are_done_in_the_order_in_which_they_came() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let named = |family: &str| [put(amy_row("A-1", "Testley"), "names/0/family", json!(family))];
    let mut batches = Vec::new();
    for family in ["Oneley", "Twoley", "Threeley"] {
        batches.push(feed.send(&place.index, &named(family)).await);
    }
    work(&place.index).await;
    let told = super::record(&place, &child_of(&place.index, &feed, "A-1").await).await;
    assert_eq!(told["names"][0]["family"], "Threeley");
    for (batch, outcome) in batches.into_iter().zip(["created", "linked", "linked"]) {
        assert_eq!(outcomes(&place.index, batch).await, [outcome]);
    }
}

#[actix_web::test]
async fn nothing_is_done_while_everything_is_stopped() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    feed.send(&place.index, &[nth_row(1)]).await;
    let stop = "insert into stop (since, by) values ($1, gen_random_uuid())";
    sqlx::query(stop).bind(place.index.now()).execute(&place.index.db).await.unwrap();
    assert_eq!(work(&place.index).await.rows(), 0);
    sqlx::query("delete from stop").execute(&place.index.db).await.unwrap();
    assert_eq!(work(&place.index).await.created, 1);
}
