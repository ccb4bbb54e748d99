//! Which child a row is of: one or none, never two, and of a shielded child nothing that the shield hides.

use serde_json::json;

use super::{Feed, amy_row, child_of, children, nth_row, outcomes, put, surgery, work};
use crate::{
    harness::Child,
    parts::{Place, amy, bob, number},
};

#[actix_web::test]
async fn a_row_that_is_nearly_like_a_child_waits_for_a_steward_and_changes_nothing() {
    let place = Place::new().await;
    place.add(amy("Testley")).await;
    let (_, feed) = surgery(&place).await;
    let row = put(amy_row("77", "Testley"), "dateOfBirth", json!("2014-04-19"));
    let batch = feed.send(&place.index, std::slice::from_ref(&row)).await;
    assert_eq!(work(&place.index).await.review, 1);
    assert_eq!(outcomes(&place.index, batch).await, ["review"]);
    let records = "select count(*) from source_record";
    let records: i64 = sqlx::query_scalar(records).fetch_one(&place.index.db).await.unwrap();
    assert_eq!((records, children(&place.index).await), (0, 1));
    let tasks =
        "select status || cardinality(candidates) from review_task order by raised_at, status desc";
    let told: Vec<String> = sqlx::query_scalar(tasks).fetch_all(&place.index.db).await.unwrap();
    assert_eq!(told, ["open1"]);
    let again = feed.send(&place.index, &[row.clone(), nth_row(3)]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, again).await[0], "review", "it waits on");
    let told: Vec<String> = sqlx::query_scalar(tasks).fetch_all(&place.index.db).await.unwrap();
    assert_eq!(told, ["open1"], "nobody is asked twice about the same");
    feed.send(&place.index, &[put(row, "involvement/contact/team", json!("Other Team"))]).await;
    work(&place.index).await;
    let told: Vec<String> = sqlx::query_scalar(tasks).fetch_all(&place.index.db).await.unwrap();
    assert_eq!(told, ["superseded1", "open1"], "one waits for each record of a source");
}

#[actix_web::test]
async fn two_references_of_one_source_are_two_children() {
    let place = Place::new().await;
    let (_, feed) = surgery(&place).await;
    let batch = feed.send(&place.index, &[amy_row("1", "Testley"), amy_row("2", "Testley")]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["created", "created"]);
    assert_ne!(child_of(&place.index, &feed, "1").await, child_of(&place.index, &feed, "2").await);
}

#[actix_web::test]
async fn a_row_of_a_child_whose_record_is_archived_is_rejected_without_saying_why() {
    let place = Place::new().await;
    let (_, feed) = surgery(&place).await;
    feed.send(&place.index, &[amy_row("1", "Testley")]).await;
    work(&place.index).await;
    let child = place.child_id(&child_of(&place.index, &feed, "1").await).await;
    place
        .arrange(
            "update child set status = 'archived', archived_on = '2026-11-01' where child_id = $1",
            child,
        )
        .await;
    let again = put(amy_row("1", "Testley"), "names/0/family", json!("Newley"));
    let batch = feed.send(&place.index, &[again]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["rejected"]);
    let told: String = sqlx::query_scalar("select faults::text from feed_row where batch_id = $1")
        .bind(batch)
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert!(told.contains("cannot be taken") && !told.contains("archiv"), "{told}");
}

async fn amy_shielded(place: &Place) -> (String, Child) {
    let path = place.add(amy("Testley")).await;
    let id = place.child_id(&path).await;
    let child = Child { id, number: number(&path).to_owned(), family: "Testley".to_owned() };
    place.index.shield(&child).await;
    (path, child)
}

#[actix_web::test]
async fn a_row_like_a_shielded_child_by_what_is_hidden_makes_a_record_that_is_born_shielded() {
    let place = Place::new().await;
    amy_shielded(&place).await;
    let (_, feed) = surgery(&place).await;
    let batch = feed.send(&place.index, &[amy_row("1", "Testley")]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["created"], "as if she were not here");
    let shielded: Vec<bool> = sqlx::query_scalar(
        "select c.shielded and w.sealed is not null and w.lines is null from child c join whereabouts w on w.child_id = c.child_id",
    )
    .fetch_all(&place.index.db)
    .await
    .unwrap();
    assert_eq!(shielded, [true, true]);
}

#[actix_web::test]
async fn what_a_source_says_of_a_child_who_was_shielded_since_is_sealed() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    feed.send(&place.index, &[amy_row("1", "Testley")]).await;
    work(&place.index).await;
    let path = child_of(&place.index, &feed, "1").await;
    let id = place.child_id(&path).await;
    let child = Child { id, number: number(&path).to_owned(), family: "Testley".to_owned() };
    place.index.shield(&child).await;
    let carers = json!([{ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
        "parentalResponsibility": true, "phones": ["01632 960077"] }]);
    let row = put(amy_row("1", "Testley"), "carers", carers);
    let row = put(row, "whereabouts/address/postcode", json!("PO2 4BX"));
    let batch = feed.send(&place.index, &[row]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["linked"], "as if she were not shielded");
    let plain: i64 = sqlx::query_scalar(
        "select (select count(*) from whereabouts where sealed is null or lines is not null)
             + (select count(*) from carer where sealed is null or phones <> '{}')",
    )
    .fetch_one(&place.index.db)
    .await
    .unwrap();
    assert_eq!(plain, 0);
    let written: i64 = sqlx::query_scalar("select count(*) from whereabouts where child_id = $1")
        .bind(id)
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert_eq!(written, 2, "the new address stands, sealed");
}

#[actix_web::test]
async fn what_was_purged_is_not_made_again_by_a_feed() {
    let place = Place::new().await;
    let (_, feed) = surgery(&place).await;
    let door = crate::harness::Index::door();
    let name =
        serde_json::from_value(json!({ "kind": "current", "given": ["Bob"], "family": "Otherly" }))
            .unwrap();
    let hashes =
        contactpoint::purge::hashes(&door.vault, "2009-11-30".parse().unwrap(), [&name], &[]);
    for hash in hashes {
        sqlx::query("insert into purged (hash, purged_on) values ($1, current_date)")
            .bind(hash)
            .execute(&place.index.db)
            .await
            .unwrap();
    }
    let mut row = bob("Otherly");
    row["reference"] = json!("B-1");
    let batch = feed.send(&place.index, &[row]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["rejected"]);
    assert_eq!(children(&place.index).await, 0);
}
