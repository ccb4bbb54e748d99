//! A record follows its sources: each in what it said itself and in what is missing, none in what another said.

use serde_json::json;

use super::{
    Feed, amy_row, child_of, children, counts, names, nth_row, outcomes, pointers, put, record,
    surgery, work,
};
use crate::parts::{Place, address, amy, bob, with};

#[actix_web::test]
async fn a_child_who_is_not_here_is_added_as_the_source_says() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let row = put(
        amy_row("A-1", "Testley"),
        "identifiers",
        json!([{ "kind": "upn", "value": "B801200005001" }]),
    );
    let carers = json!([{ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
        "parentalResponsibility": true, "phones": ["01632 960077"] }]);
    let batch = feed.send(&place.index, &[put(row, "carers", carers)]).await;
    assert_eq!(work(&place.index).await.created, 1);
    let told = record(&place, &child_of(&place.index, &feed, "A-1").await).await;
    assert_eq!(names(&told), [("current".to_owned(), "Testley".to_owned())]);
    assert_eq!(told["whereabouts"]["address"]["postcode"], "PO1 3AX");
    assert_eq!(told["names"][0]["source"]["organisationId"], json!(place.school.id));
    assert_eq!(told["carers"][0]["phones"], json!(["01632 960077"]));
    assert_eq!(told["involvements"][0]["serviceType"], "school");
    assert_eq!(told["involvements"][0]["organisation"]["id"], json!(place.school.id));
    let counted = counts(&place.index, batch).await;
    assert_eq!((&counted["status"], &counted["created"]), (&json!("done"), &json!(1)));
}

#[actix_web::test]
async fn a_child_added_by_a_feed_is_found_by_search_and_by_the_next_source() {
    let place = Place::new().await;
    let school = Feed::of(&place.index, place.school, "school").await;
    let (_, gp) = surgery(&place).await;
    school.send(&place.index, &[amy_row("A-1", "Testley")]).await;
    gp.send(&place.index, &[amy_row("77", "Testley")]).await;
    let done = work(&place.index).await;
    assert_eq!((done.created, done.linked, children(&place.index).await), (1, 1, 1));
    assert_eq!(
        child_of(&place.index, &gp, "77").await,
        child_of(&place.index, &school, "A-1").await
    );
    let asked = crate::parts::by_name_and_birth("Amy", "Testley", "2015-03-14");
    assert_eq!(place.found(asked).await.len(), 1);
}

#[actix_web::test]
async fn what_another_source_said_stays_and_what_is_missing_is_added() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let (gp, feed) = surgery(&place).await;
    let row = put(
        amy_row("77", "Testley"),
        "names",
        json!([
            { "kind": "current", "given": ["Amy", "Rose"], "family": "Testley-Brown" },
            { "kind": "former", "given": ["Amy", "Rose"], "family": "Testley" },
        ]),
    );
    let row = put(row, "identifiers", json!([{ "kind": "nhsNumber", "value": "9434765870" }]));
    let row = put(
        row,
        "carers",
        json!([{ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
        "parentalResponsibility": true }]),
    );
    feed.send(&place.index, std::slice::from_ref(&row)).await;
    assert_eq!(work(&place.index).await.linked, 1);
    let told = record(&place, &path).await;
    let said = |kind: &str, family: &str| (kind.to_owned(), family.to_owned());
    let mut known = names(&told);
    known.sort();
    assert_eq!(known, [said("current", "Testley"), said("knownAs", "Testley-Brown")]);
    assert_eq!(told["carers"][0]["source"]["organisationId"], json!(gp.id));
    assert_eq!(told["involvements"][0]["serviceType"], "generalPractice");

    let moved = json!({ "kind": "current", "address": address("PO2 4BX") });
    feed.send(&place.index, &[put(row, "whereabouts", moved)]).await;
    work(&place.index).await;
    let told = record(&place, &path).await;
    assert_eq!(told["whereabouts"]["address"]["postcode"], "PO1 3AX", "the school said so");
    assert_eq!(told["whereabouts"]["source"]["organisationId"], json!(place.school.id));
}

#[actix_web::test]
async fn what_the_source_said_before_follows_it_and_is_kept() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let carer = |phone: &str| {
        json!([{ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
            "parentalResponsibility": true, "phones": [phone] }])
    };
    let row = put(amy_row("A-1", "Testley"), "carers", carer("01632 960077"));
    feed.send(&place.index, std::slice::from_ref(&row)).await;
    work(&place.index).await;
    let path = child_of(&place.index, &feed, "A-1").await;

    let row = put(row, "names/0/family", json!("Newley"));
    let row = put(row, "whereabouts", json!({ "kind": "current", "address": address("PO2 4BX") }));
    let row = put(put(row, "carers", carer("01632 960078")), "dateOfBirth", json!("2015-03-15"));
    let row = put(
        row,
        "involvement",
        json!({
        "contact": { "team": "Example Team", "officeHours": "01632 960003" }, "startedOn": "2024-09-02", "endedOn": "2026-10-01" }),
    );
    feed.send(&place.index, &[row]).await;
    let done = work(&place.index).await;
    assert_eq!((done.linked, children(&place.index).await), (1, 1));
    let told = record(&place, &path).await;
    assert_eq!(names(&told), [("current".to_owned(), "Newley".to_owned())]);
    assert_eq!(told["dateOfBirth"], "2015-03-15");
    assert_eq!(told["whereabouts"]["address"]["postcode"], "PO2 4BX");
    assert_eq!(told["carers"].as_array().unwrap().len(), 1);
    assert_eq!(told["carers"][0]["phones"], json!(["01632 960078"]));
    assert_eq!(told["involvements"][0]["endedOn"], "2026-10-01");
    let history = place.history(&path).await;
    let kinds: Vec<_> = history.iter().map(|fact| fact["fact"].as_str().unwrap()).collect();
    for kind in ["name", "whereabouts", "carer", "involvement", "child"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
}

#[actix_web::test]
async fn work_that_begins_ends_that_there_was_no_such_service_whatever_else_the_row_corrects() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let whole = amy_row("A-1", "Testley");
    let mut alone = whole.clone();
    alone.as_object_mut().unwrap().remove("involvement");
    feed.send(&place.index, &[alone]).await;
    work(&place.index).await;
    let path = child_of(&place.index, &feed, "A-1").await;
    let child = place.child_id(&path).await;
    let missing = "update child set without_service = '{school,college}' where child_id = $1";
    place.arrange(missing, child).await;

    feed.send(&place.index, &[put(whole, "dateOfBirth", json!("2015-03-15"))]).await;
    assert_eq!(work(&place.index).await.linked, 1);
    let told = record(&place, &path).await;
    assert_eq!(told["dateOfBirth"], "2015-03-15");
    assert_eq!(told["involvements"][0]["serviceType"], "school");
    assert_eq!(told["withoutService"], json!(["college"]));
}

#[actix_web::test]
async fn the_same_again_writes_nothing_of_the_child() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let rows: Vec<_> = (0..5).map(nth_row).chain([amy_row("A-1", "Testley")]).collect();
    feed.send(&place.index, &rows).await;
    work(&place.index).await;
    let state = "select md5(string_agg(t::text, '' order by t::text)) from (
        select to_jsonb(c) as t from child c union all select to_jsonb(s) from source_record s
        union all select to_jsonb(i) from involvement i union all select to_jsonb(e) from match_entry e
        union all select to_jsonb(h) from history h) as all_of_it";
    let before: String = sqlx::query_scalar(state).fetch_one(&place.index.db).await.unwrap();
    let batch = feed.send_as(&place.index, &rows, true, false).await;
    let done = work(&place.index).await;
    assert_eq!((done.unchanged, done.rows()), (6, 6));
    let after: String = sqlx::query_scalar(state).fetch_one(&place.index.db).await.unwrap();
    assert_eq!(before, after);
    let left = "select count(*) from feed_row where batch_id = $1 and (sent is not null or child_id is null)";
    let left: i64 = sqlx::query_scalar(left).bind(batch).fetch_one(&place.index.db).await.unwrap();
    assert_eq!(left, 0, "what was sent is not kept twice");
}

#[actix_web::test]
async fn what_is_sent_again_later_confirms_the_work_anew() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    feed.send(&place.index, &[amy_row("A-1", "Testley")]).await;
    work(&place.index).await;
    let path = child_of(&place.index, &feed, "A-1").await;
    place.index.live_until("2026-12-20");
    feed.send(&place.index, &[amy_row("A-1", "Testley")]).await;
    assert_eq!(work(&place.index).await.unchanged, 1);
    assert_eq!(record(&place, &path).await["involvements"][0]["confirmedOn"], "2026-12-20");
}

#[actix_web::test]
async fn what_a_complete_batch_leaves_out_is_unconfirmed_and_nothing_is_deleted() {
    let place = Place::new().await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let rows: Vec<_> = (0..4).map(nth_row).collect();
    feed.send(&place.index, &rows).await;
    work(&place.index).await;
    let unconfirmed = "select array_agg(reference order by reference) from source_record where unconfirmed_at is not null";
    let unconfirmed = async || -> Option<Vec<String>> {
        sqlx::query_scalar(unconfirmed).fetch_one(&place.index.db).await.unwrap()
    };
    feed.send(&place.index, &rows[..1]).await;
    work(&place.index).await;
    assert_eq!(unconfirmed().await, None, "that batch was not complete");
    let batch = feed.send_as(&place.index, &rows[..2], true, false).await;
    work(&place.index).await;
    assert_eq!(unconfirmed().await.unwrap(), ["N-2", "N-3"]);
    assert_eq!(counts(&place.index, batch).await["unconfirmed"], 2);
    assert_eq!(children(&place.index).await, 4);
    feed.send(&place.index, &rows[2..3]).await;
    assert_eq!(work(&place.index).await.unchanged, 1);
    assert_eq!(unconfirmed().await.unwrap(), ["N-3"]);
}

#[actix_web::test]
async fn bad_rows_are_rejected_each_with_its_pointer_and_the_others_taken() {
    let place = Place::new().await;
    let upn = json!([{ "kind": "upn", "value": "B801200005001" }]);
    place.add(with(bob("Otherly"), "identifiers", upn.clone())).await;
    let feed = Feed::of(&place.index, place.school, "school").await;
    let mut rows: Vec<_> = (0..40).map(nth_row).collect();
    rows[3] = put(rows[3].clone(), "dateOfBirth", json!("2027-01-01"));
    rows[11] = put(rows[11].clone(), "names/0/kind", json!("former"));
    rows[25] = put(rows[25].clone(), "responsibleAuthority", json!("999"));
    let batch = feed.send(&place.index, &rows).await;
    let done = work(&place.index).await;
    assert_eq!((done.created, done.rejected), (37, 3));
    for (line, pointer) in [(4, "/dateOfBirth"), (12, "/names"), (26, "/responsibleAuthority")] {
        assert_eq!(pointers(&place.index, batch, line).await, [pointer], "line {line}");
    }
    let other = put(nth_row(90), "identifiers", upn);
    let (_, gp) = surgery(&place).await;
    let batch = gp.send(&place.index, &[other]).await;
    work(&place.index).await;
    assert_eq!(pointers(&place.index, batch, 1).await, ["/identifiers/0/value"]);
}

#[actix_web::test]
async fn a_row_on_trial_changes_nothing_and_says_what_it_would_do() {
    let place = Place::new().await;
    place.add(amy("Testley")).await;
    let (_, feed) = surgery(&place).await;
    let rows =
        [amy_row("1", "Testley"), nth_row(3), put(nth_row(4), "dateOfBirth", json!("2027-01-01"))];
    let before = place.index.rows().await;
    let batch = feed.send_as(&place.index, &rows, true, true).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["linked", "created", "rejected"]);
    let mut after = place.index.rows().await;
    for made in ["feed_row", "feed_batch"] {
        after[made] = before[made].clone();
    }
    assert_eq!(before, after);
    let told: i64 = sqlx::query_scalar("select count(child_id) from feed_row")
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert_eq!(told, 0);
}
