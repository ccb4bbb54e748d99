//! Doubtful rows of feeds are decided by stewards, once; a source that is not of a child is unlinked, and the others stand.

use contactpoint::access::Role;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    feed_work::{Feed, amy_row, child_of, nth_row, outcomes, work},
    harness::Child,
    parts::{Place, amy, number, with},
};

/// Amy, whom the teacher has added, and a surgery's row that is nearly like her: her path, the feed and the path of the row.
async fn doubtful(place: &Place) -> (String, Feed, String) {
    let path = place.add(amy("Testley")).await;
    let surgery = place.index.organisation("gpPractice", Some(place.council)).await;
    let feed = Feed::of(&place.index, surgery, "generalPractice").await;
    feed.send(&place.index, &[nearly_amy()]).await;
    assert_eq!(work(&place.index).await.review, 1);
    (path, feed, waiting(place).await.remove(0))
}

fn nearly_amy() -> Value {
    with(amy_row("77", "Testley"), "dateOfBirth", json!("2014-04-19"))
}

/// The paths of the rows that wait.
async fn waiting(place: &Place) -> Vec<String> {
    let listed = place.index.get(&place.steward, "/v1/review-tasks?status=open").await.expect(200);
    let items = listed.body["items"].as_array().unwrap().iter();
    items.map(|item| format!("/v1/review-tasks/{}", item["id"].as_str().unwrap())).collect()
}

fn link(path: &str) -> Value {
    json!({ "decision": "link", "indexNumber": number(path), "rationale": "writtenOtherwise" })
}

fn create() -> Value {
    json!({ "decision": "create", "rationale": "relatives" })
}

fn dismiss() -> Value {
    json!({ "decision": "dismiss", "rationale": "cannotBeTold" })
}

#[actix_web::test]
async fn a_steward_sees_both_sides_and_how_they_agree() {
    let place = Place::new().await;
    let (path, _, task) = doubtful(&place).await;
    let opened = place.index.get(&place.steward, &task).await.expect(200);
    assert_eq!(opened.version(), 1);
    assert_eq!(opened.body["sent"]["dateOfBirth"], "2014-04-19");
    assert_eq!(opened.body["sent"]["whereabouts"]["address"]["postcode"], "PO1 3AX");
    let candidate = &opened.body["candidates"][0];
    assert_eq!(candidate["indexNumber"], number(&path));
    let agreement = candidate["agreement"].as_array().unwrap();
    assert!(agreement.iter().any(|one| one["field"] == "postcode" && one["how"] == "same"));
    assert!(!opened.body["reasons"].as_array().unwrap().is_empty());
    let stranger = place.stranger().await;
    place.index.get(&stranger, &task).await.refused(404, "not-found");
    let others = place.index.get(&stranger, "/v1/review-tasks").await.expect(200);
    assert_eq!(others.body["items"], json!([]));
    place.index.get(&place.teacher, &task).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn a_row_that_is_linked_is_followed_from_then_on() {
    let place = Place::new().await;
    let (path, feed, task) = doubtful(&place).await;
    let decided = place
        .index
        .put(&place.steward, &format!("{task}/decision"), 1, link(&path))
        .await
        .expect(200);
    assert_eq!((&decided.body["status"], decided.version()), (&json!("linked"), 2));
    assert_eq!(decided.body["indexNumber"], number(&path));
    let record = place.index.get(&place.steward, &path).await.expect(200).body;
    assert_eq!(record["involvements"][0]["serviceType"], "generalPractice");
    assert_eq!(record["dateOfBirth"], "2015-03-14", "the school said so");
    assert_eq!(child_of(&place.index, &feed, "77").await, path);
    let counts: (i64, i64) = sqlx::query_as("select review, linked from feed_batch")
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert_eq!(counts, (0, 1));
    let batch = feed.send(&place.index, &[nearly_amy()]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["unchanged"]);
}

#[actix_web::test]
async fn a_row_of_another_child_makes_a_record_of_its_own() {
    let place = Place::new().await;
    let (path, feed, task) = doubtful(&place).await;
    let decision = format!("{task}/decision");
    let decided = place.index.put(&place.steward, &decision, 1, create()).await.expect(200);
    assert_eq!(decided.body["status"], "created");
    let made = child_of(&place.index, &feed, "77").await;
    assert_ne!(made, path);
    let record = place.index.get(&place.steward, &made).await.expect(200).body;
    assert_eq!(record["dateOfBirth"], "2014-04-19");
    assert_ne!(record["names"][0]["source"]["organisationId"], json!(place.council.id));
    let again = place.index.put(&place.steward, &decision, 2, create()).await;
    again.refused(409, "review-task-decided");
}

#[actix_web::test]
async fn a_row_that_is_not_taken_is_not_asked_about_again_until_it_says_something_else() {
    let place = Place::new().await;
    let (_, feed, task) = doubtful(&place).await;
    place.index.put(&place.steward, &format!("{task}/decision"), 1, dismiss()).await.expect(200);
    let batch = feed.send(&place.index, &[nearly_amy()]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["unchanged"]);
    assert!(waiting(&place).await.is_empty());
    let batch = feed.send(&place.index, &[amy_row("77", "Testley")]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["review"], "it was said not to be taken");
    assert_eq!(waiting(&place).await.len(), 1);
}

#[actix_web::test]
async fn a_decision_has_a_rationale_that_fits_a_version_and_a_child_of_the_index() {
    let place = Place::new().await;
    let (path, _, task) = doubtful(&place).await;
    let decision = format!("{task}/decision");
    let refused = async |version, body: Value, pointer: &str| {
        let answer = place.index.put(&place.steward, &decision, version, body).await;
        assert_eq!((answer.status, answer.pointers()), (422, vec![pointer]), "{:#}", answer.body);
    };
    refused(1, with(link(&path), "rationale", json!("relatives")), "/rationale").await;
    refused(1, with(create(), "rationale", json!("sourcesAgree")), "/rationale").await;
    refused(1, json!({ "decision": "link", "rationale": "sourcesAgree" }), "/indexNumber").await;
    refused(1, with(dismiss(), "indexNumber", json!(number(&path))), "/indexNumber").await;
    refused(1, with(link(&path), "indexNumber", json!("48271930566")), "/indexNumber").await;
    let stale = place.index.put(&place.steward, &decision, 2, create()).await;
    stale.refused(412, "precondition-failed");
    let stranger = place.stranger().await;
    place.index.put(&stranger, &decision, 1, create()).await.refused(404, "not-found");
}

#[actix_web::test]
async fn of_two_stewards_who_decide_at_once_one_does() {
    let place = Place::new().await;
    let (path, _, task) = doubtful(&place).await;
    let other = place.index.caller(Role::Steward, place.council).await;
    let decision = format!("{task}/decision");
    let (one, two) = join(
        place.index.put(&place.steward, &decision, 1, link(&path)),
        place.index.put(&other, &decision, 1, create()),
    )
    .await;
    let mut told = [one.status, two.status];
    told.sort_unstable();
    assert_eq!(told, [200, 412]);
    let records: i64 = sqlx::query_scalar("select count(*) from source_record")
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert_eq!(records, 1);
}

/// Amy as a school and a surgery know her, each in its own way: her path and the two feeds.
async fn of_two_sources(place: &Place) -> (String, Feed, Feed) {
    let school = Feed::of(&place.index, place.school, "school").await;
    let carers = json!([{ "name": { "given": ["Wrong"], "family": "Person" }, "relationship": "other",
        "parentalResponsibility": false, "phones": ["01632 960077"] }]);
    school.send(&place.index, &[with(amy_row("A-1", "Testley"), "carers", carers)]).await;
    work(&place.index).await;
    let surgery = place.index.organisation("gpPractice", Some(place.council)).await;
    let gp = Feed::of(&place.index, surgery, "generalPractice").await;
    let row = with(
        amy_row("77", "Testley"),
        "identifiers",
        json!([{ "kind": "nhsNumber", "value": "9434765870" }]),
    );
    let named = json!([{ "kind": "current", "given": ["Amy", "Rose"], "family": "Testley" },
        { "kind": "knownAs", "given": ["Mia"], "family": "Testley" }]);
    gp.send(&place.index, &[with(row, "names", named)]).await;
    assert_eq!(work(&place.index).await.linked, 1);
    (child_of(&place.index, &school, "A-1").await, school, gp)
}

#[actix_web::test]
async fn what_an_unlinked_source_said_no_longer_holds_and_the_others_stand() {
    let place = Place::new().await;
    let (path, school, gp) = of_two_sources(&place).await;
    let listed = place.index.get(&place.steward, &format!("{path}/sources")).await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
    let version = place.index.get(&place.steward, &path).await.version();
    let source = format!("{path}/sources/{}/A-1", school.id);
    place
        .index
        .delete(&place.steward, &source, version + 1)
        .await
        .refused(412, "precondition-failed");
    let record = place.index.delete(&place.steward, &source, version).await.expect(200).body;
    assert_eq!(record["carers"], json!([]));
    let surgery = &record["involvements"][0]["source"]["organisationId"];
    let names = record["names"].as_array().unwrap();
    assert!(
        names.iter().all(|name| name["source"]["organisationId"] != json!(place.school.id)),
        "{names:#?}"
    );
    assert!(names.iter().any(|name| name["kind"] == "current" && name["family"] == "Testley"));
    assert_eq!(record["whereabouts"]["address"]["postcode"], "PO1 3AX", "the surgery says so too");
    assert_ne!(record["whereabouts"]["source"]["organisationId"], json!(place.school.id));
    assert_eq!(
        record["identifiers"].as_array().map(Vec::len),
        Some(1),
        "the surgery's number stays"
    );
    let held: i64 =
        sqlx::query_scalar("select count(*) from child_identifier where superseded_at is null")
            .fetch_one(&place.index.db)
            .await
            .unwrap();
    assert_eq!(held, 1);
    let of_school = record["involvements"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["serviceType"] == "school");
    assert_eq!(of_school.unwrap()["endedOn"], "2026-11-16");
    assert!(surgery.is_string());
    let history = place.history(&path).await;
    assert!(
        history.iter().any(|fact| fact["fact"] == "carer" && fact["was"]["family"] == "Person"),
        "{history:#?}"
    );
    place
        .index
        .delete(&place.steward, &source, record["version"].as_i64().unwrap())
        .await
        .refused(404, "not-found");
    assert_eq!(child_of(&place.index, &gp, "77").await, path);
}

#[actix_web::test]
async fn an_unlinked_source_is_not_linked_again_unless_a_steward_says_so() {
    let place = Place::new().await;
    let (path, school, _) = of_two_sources(&place).await;
    let version = place.index.get(&place.steward, &path).await.version();
    let source = format!("{path}/sources/{}/A-1", school.id);
    place.index.delete(&place.steward, &source, version).await.expect(200);
    assert_eq!(waiting(&place).await.len(), 1, "the source's record is of somebody");
    let batch = school.send(&place.index, &[amy_row("A-1", "Testley")]).await;
    work(&place.index).await;
    assert_eq!(outcomes(&place.index, batch).await, ["review"]);
    let tasks = waiting(&place).await;
    let opened = place.index.get(&place.steward, &tasks[0]).await.expect(200);
    assert_eq!(
        opened.body["reasons"],
        json!(["A steward has said that what this source sends is not of this child."])
    );
    place
        .index
        .put(&place.steward, &format!("{}/decision", tasks[0]), 1, link(&path))
        .await
        .expect(200);
    assert_eq!(child_of(&place.index, &school, "A-1").await, path);
}

#[actix_web::test]
async fn sources_are_hidden_by_a_shield_and_are_of_no_other_steward() {
    let place = Place::new().await;
    let (path, school, _) = of_two_sources(&place).await;
    let stranger = place.stranger().await;
    let (sources, source) =
        (format!("{path}/sources"), format!("{path}/sources/{}/A-1", school.id));
    place.index.get(&stranger, &sources).await.refused(403, "forbidden");
    place.index.delete(&stranger, &source, 1).await.refused(403, "forbidden");
    place.index.get(&place.teacher, &sources).await.refused(403, "forbidden");
    let id = place.child_id(&path).await;
    let child = Child { id, number: number(&path).to_owned(), family: "Testley".to_owned() };
    place.index.shield(&child).await;
    let listed = place.index.get(&place.steward, &sources).await.expect(200);
    assert_eq!(listed.body["items"], json!([]));
    let version = place.index.get(&place.steward, &path).await.version();
    place.index.delete(&place.steward, &source, version).await.refused(404, "not-found");
}

#[actix_web::test]
async fn a_feed_counts_once_95_of_100_rows_of_its_last_trial_need_nobody() {
    let place = Place::new().await;
    let by = place.index.caller(Role::AccountAdministrator, place.school).await;
    let id = place.index.feed(place.school).await;
    let feed = Feed::known(&place.index, id, place.school).await;
    let path = format!("/v1/feeds/{id}/stage");
    let live =
        async |version| place.index.put(&by, &path, version, json!({ "stage": "live" })).await;
    live(1).await.refused(409, "feed-not-ready");
    let mut rows: Vec<_> = (0..19).map(nth_row).collect();
    feed.send_as(&place.index, &rows, false, true).await;
    work(&place.index).await;
    live(1).await.refused(409, "feed-not-ready");
    rows.push(with(nth_row(19), "dateOfBirth", json!("2027-01-01")));
    feed.send_as(&place.index, &rows, false, true).await;
    work(&place.index).await;
    let told = live(1).await.expect(200);
    assert_eq!((&told.body["stage"], told.version()), (&json!("live"), 2));
    assert!(told.body["liveSince"].is_string());
    rows.push(with(nth_row(20), "dateOfBirth", json!("2027-01-01")));
    feed.send_as(&place.index, &rows, false, true).await;
    work(&place.index).await;
    let back = place.index.put(&by, &path, 2, json!({ "stage": "trial" })).await.expect(200);
    assert_eq!((&back.body["stage"], back.version()), (&json!("trial"), 3));
    live(3).await.refused(409, "feed-not-ready");
}

#[actix_web::test]
async fn of_many_stewards_who_decide_alike_at_once_one_does() {
    for (body, records) in [(create(), 2), (dismiss(), 1)] {
        let place = Place::new().await;
        let (_, _, task) = doubtful(&place).await;
        let decision = format!("{task}/decision");
        let mut stewards = Vec::new();
        for _ in 0..4 {
            stewards.push(place.index.caller(Role::Steward, place.council).await);
        }
        let decided = join_all(
            stewards.iter().map(|steward| place.index.put(steward, &decision, 1, body.clone())),
        );
        let mut told: Vec<_> = decided.await.iter().map(|answer| answer.status).collect();
        told.sort_unstable();
        assert_eq!(told, [200, 412, 412, 412], "{body}");
        let children: i64 = sqlx::query_scalar("select count(*) from child")
            .fetch_one(&place.index.db)
            .await
            .unwrap();
        assert_eq!(children, records, "{body}");
    }
}

#[actix_web::test]
async fn of_two_stewards_who_unlink_a_source_at_once_one_does() {
    let place = Place::new().await;
    let (path, school, gp) = of_two_sources(&place).await;
    let other = place.index.caller(Role::Steward, place.council).await;
    let version = place.index.get(&place.steward, &path).await.version();
    let source = format!("{path}/sources/{}/A-1", school.id);
    let (one, two) = join(
        place.index.delete(&place.steward, &source, version),
        place.index.delete(&other, &source, version),
    )
    .await;
    let mut told = [(one.status, one.problem()), (two.status, two.problem())];
    told.sort_unstable();
    assert_eq!(told[0].0, 200, "{told:?}");
    assert!([404, 412].contains(&told[1].0), "{told:?}");
    assert_eq!(waiting(&place).await.len(), 1);
    assert_eq!(child_of(&place.index, &gp, "77").await, path);

    let version = place.index.get(&place.steward, &path).await.version();
    let second = format!("{path}/sources/{}/77", gp.id);
    let correction = json!({ "gender": "notSpecified" });
    let (unlinked, corrected) = join(
        place.index.delete(&place.steward, &second, version),
        place.index.patch(&other, &path, version, correction),
    )
    .await;
    let mut told = [unlinked.status, corrected.status];
    told.sort_unstable();
    assert_eq!(told, [200, 412], "of an unlinking and a correction too");
}

#[actix_web::test]
async fn a_decision_and_a_newer_word_of_the_source_at_once_leave_one_link_and_no_question() {
    for _ in 0..4 {
        let place = Place::new().await;
        let (path, feed, task) = doubtful(&place).await;
        let newer = with(nearly_amy(), "gender", json!("notSpecified"));
        let batch = feed.send(&place.index, &[newer]).await;
        let decision = format!("{task}/decision");
        let (decided, _) =
            join(place.index.put(&place.steward, &decision, 1, link(&path)), work(&place.index))
                .await;
        work(&place.index).await;
        let (outcome, waits) = (outcomes(&place.index, batch).await, waiting(&place).await.len());
        let records: i64 = sqlx::query_scalar("select count(*) from source_record")
            .fetch_one(&place.index.db)
            .await
            .unwrap();
        let told = (decided.status, records, outcome[0].as_str(), waits);
        match decided.status {
            200 => assert!(
                [(200, 1, "linked", 0), (200, 1, "unchanged", 0)].contains(&told),
                "{told:?}"
            ),
            _ => assert!(
                [409, 412].contains(&told.0) && (told.1, told.2, told.3) == (0, "review", 1),
                "{told:?}"
            ),
        }
    }
}
