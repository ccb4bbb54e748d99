//! Work with a child that nobody confirms is told as unconfirmed, and again as confirmed once somebody confirms it; it is never deleted.

use contactpoint::access::Role;
use serde_json::{Value, json};

use super::{Feed, amy_row, child_of, nth_row, put, record, surgery, work};
use crate::{
    change::{follow, settled},
    harness::{Answer, Child},
    parts::{Place, number},
};

/// The work of a school with Amy, of whom its feed has told.
struct Pupil {
    place: Place,
    feed: Feed,
    path: String,
}

impl Pupil {
    async fn new() -> Self {
        let place = Place::new().await;
        let feed = Feed::of(&place.index, place.school, "school").await;
        feed.send(&place.index, &[amy_row("A-1", "Testley"), nth_row(1)]).await;
        assert_eq!(work(&place.index).await.created, 2);
        let path = child_of(&place.index, &feed, "A-1").await;
        Self { place, feed, path }
    }

    /// A complete batch has all but Amy.
    async fn leave_out(&self) {
        self.feed.send_as(&self.place.index, &[nth_row(1)], true, false).await;
        work(&self.place.index).await;
    }

    /// A batch has Amy.
    async fn send(&self, row: Value) {
        self.feed.send(&self.place.index, &[row]).await;
        work(&self.place.index).await;
    }

    /// The work of the school, as her record tells it.
    async fn told(&self) -> Value {
        let record = record(&self.place, &self.path).await;
        record["involvements"].as_array().unwrap().last().unwrap().clone()
    }

    async fn unconfirmed_since(&self) -> Option<String> {
        self.told().await.get("unconfirmedSince").map(|day| day.as_str().unwrap().to_owned())
    }

    /// The teacher changes it, as it now is.
    async fn change(&self, change: Value) -> Answer {
        let told = self.told().await;
        let path = format!("/v1/involvements/{}", told["id"].as_str().unwrap());
        let version = told["version"].as_i64().unwrap();
        self.place.index.patch(&self.place.teacher, &path, version, change).await
    }

    async fn reported(&self) -> Vec<Value> {
        let path = "/v1/reports/unconfirmedInvolvements";
        let report = self.place.index.get(&self.place.steward, path).await.expect(200);
        report.body["items"].as_array().unwrap().clone()
    }

    fn child_number(&self) -> &str {
        number(&self.path)
    }
}

#[actix_web::test]
async fn what_a_source_stops_sending_is_unconfirmed_wherever_it_is_told() {
    let pupil = Pupil::new().await;
    let index = &pupil.place.index;
    let system = index.caller(Role::CaseSystem, pupil.place.school).await;
    assert_eq!(pupil.unconfirmed_since().await, None);
    let before = pupil.told().await;
    settled(index).await;
    let (_, seen) = follow(index, &system, None, 100).await;

    index.live_until("2026-11-18");
    pupil.leave_out().await;
    let told = pupil.told().await;
    assert_eq!(told["unconfirmedSince"], "2026-11-18");
    for kept in ["id", "contact", "startedOn", "confirmedOn", "flags"] {
        assert_eq!(told[kept], before[kept], "{kept}");
    }
    assert_eq!(told.get("endedOn"), None);
    assert_eq!(told["version"], 2);
    let list = index.get(&pupil.place.teacher, &format!("{}/involvements", pupil.path)).await;
    assert_eq!(list.expect(200).body["items"], json!([told]));
    let path = format!("/v1/involvements/{}", told["id"].as_str().unwrap());
    let one = index.get(&pupil.place.teacher, &path).await.expect(200);
    assert_eq!((one.version(), &one.body), (2, &told));
    let reported = pupil.reported().await;
    assert_eq!(reported.len(), 1);
    assert_eq!(
        (&reported[0]["id"], &reported[0]["unconfirmedSince"]),
        (&told["id"], &json!("2026-11-18"))
    );
    let history = pupil.place.history(&pupil.path).await;
    assert!(history.iter().any(|was| was["fact"] == "involvement"), "what was is kept");

    settled(index).await;
    let (changes, seen) = follow(index, &system, Some(&seen), 100).await;
    let kinds: Vec<_> =
        changes.iter().map(|change| (&change["indexNumber"], &change["kind"])).collect();
    assert_eq!(kinds, [(&json!(pupil.child_number()), &json!("involvements"))]);

    index.live_until("2026-11-20");
    pupil.send(amy_row("A-1", "Testley")).await;
    let told = pupil.told().await;
    assert_eq!(told.get("unconfirmedSince"), None);
    assert_eq!((&told["confirmedOn"], &told["version"]), (&json!("2026-11-20"), &json!(3)));
    assert!(pupil.reported().await.is_empty());
    settled(index).await;
    let (changes, _) = follow(index, &system, Some(&seen), 100).await;
    assert_eq!(changes.len(), 1, "that it is confirmed is told too: {changes:#?}");
}

#[actix_web::test]
async fn a_source_that_sends_the_child_again_with_something_new_confirms_the_work_too() {
    let pupil = Pupil::new().await;
    for row in [
        put(amy_row("A-1", "Testley"), "names/0/family", json!("Newley")),
        put(amy_row("A-1", "Testley"), "involvement", Value::Null),
    ] {
        pupil.leave_out().await;
        assert!(pupil.unconfirmed_since().await.is_some());
        pupil.send(row).await;
        assert_eq!(pupil.unconfirmed_since().await, None);
    }
}

#[actix_web::test]
async fn a_practitioner_who_confirms_the_work_outweighs_the_source_until_it_changes_its_mind() {
    let pupil = Pupil::new().await;
    let index = &pupil.place.index;
    index.live_until("2026-11-18");
    pupil.leave_out().await;
    let contact = json!({ "contact": { "team": "Another Team", "officeHours": "01632 960003" } });
    pupil.change(contact).await.expect(200);
    pupil.change(json!({ "confirmedOn": "2026-11-17" })).await.expect(200);
    assert_eq!(pupil.unconfirmed_since().await.unwrap(), "2026-11-18", "that was before");
    let told = pupil.change(json!({ "confirmedOn": "2026-11-18" })).await.expect(200);
    assert_eq!(told.body.get("unconfirmedSince"), None);

    index.live_until("2026-11-19");
    pupil.leave_out().await;
    assert_eq!(pupil.unconfirmed_since().await, None, "the source says nothing new");
    pupil.send(amy_row("A-1", "Testley")).await;
    pupil.leave_out().await;
    assert_eq!(pupil.unconfirmed_since().await.unwrap(), "2026-11-19");
    let ended = pupil.change(json!({ "endedOn": "2026-11-19" })).await.expect(200);
    assert_eq!(ended.body.get("unconfirmedSince"), None, "what has ended nobody confirms");
}

#[actix_web::test]
async fn what_somebody_confirmed_after_the_day_of_the_batch_is_not_unconfirmed_by_it() {
    let pupil = Pupil::new().await;
    let index = &pupil.place.index;
    index.live_until("2026-11-20");
    pupil.change(json!({ "confirmedOn": "2026-11-20" })).await.expect(200);
    let batch = pupil.feed.send_as(index, &[nth_row(1)], true, false).await;
    let late = "update feed_batch set as_at = '2026-11-19' where batch_id = $1";
    sqlx::query(late).bind(batch).execute(&index.db).await.unwrap();
    work(index).await;
    assert_eq!(pupil.unconfirmed_since().await, None);
}

#[actix_web::test]
async fn twelve_months_after_the_last_confirmation_the_work_is_unconfirmed_by_itself() {
    let pupil = Pupil::new().await;
    let index = &pupil.place.index;
    index.live_until("2027-11-16");
    assert_eq!(pupil.unconfirmed_since().await, None);
    index.live_until("2027-11-17");
    assert_eq!(pupil.unconfirmed_since().await.unwrap(), "2027-11-17");
    index.live_until("2027-12-01");
    pupil.leave_out().await;
    assert_eq!(pupil.unconfirmed_since().await.unwrap(), "2027-11-17", "the earlier day");
    pupil.change(json!({ "confirmedOn": "2027-11-20" })).await.expect(200);
    assert_eq!(pupil.unconfirmed_since().await.unwrap(), "2027-12-01", "since then it is not sent");
    pupil.change(json!({ "confirmedOn": "2027-12-01" })).await.expect(200);
    assert_eq!(pupil.unconfirmed_since().await, None);
}

#[actix_web::test]
async fn only_the_work_that_the_feed_tells_of_fades() {
    let pupil = Pupil::new().await;
    let (index, place) = (&pupil.place.index, &pupil.place);
    let (gp, practice) = surgery(place).await;
    practice.send(index, &[amy_row("77", "Testley")]).await;
    work(index).await;
    let id = place.child_id(&pupil.path).await;
    let child = Child { id, number: pupil.child_number().to_owned(), family: String::new() };
    let ended = index.involvement(&child, place.school, "schoolNursing").await;
    let end = "update involvement set ended_on = '2026-11-01', service_type = 'school' where involvement_id = $1";
    sqlx::query(end).bind(ended).execute(&index.db).await.unwrap();
    let nursing = index.involvement(&child, place.school, "schoolNursing").await;
    let fresh = "update involvement set confirmed_on = '2026-11-01' where involvement_id = $1";
    sqlx::query(fresh).bind(nursing).execute(&index.db).await.unwrap();

    for (complete, trial) in [(false, false), (true, true)] {
        pupil.feed.send_as(index, &[nth_row(1)], complete, trial).await;
        work(index).await;
        assert!(pupil.reported().await.is_empty(), "complete {complete}, trial {trial}");
    }
    pupil.leave_out().await;
    let record = record(place, &pupil.path).await;
    let faded = record["involvements"].as_array().unwrap().iter();
    let faded = faded.filter(|told| told.get("unconfirmedSince").is_some());
    let faded: Vec<_> =
        faded.map(|told| (&told["organisation"]["id"], &told["serviceType"])).collect();
    assert_eq!(faded, [(&json!(place.school.id), &json!("school"))]);
    assert_ne!(gp.id, place.school.id);
}

#[actix_web::test]
async fn work_that_another_record_of_the_same_organisation_tells_of_does_not_fade() {
    let pupil = Pupil::new().await;
    let index = &pupil.place.index;
    let other = Feed::of(index, pupil.place.school, "school").await;
    other.send(index, &[amy_row("B-1", "Testley")]).await;
    assert_eq!(work(index).await.linked, 1);
    pupil.leave_out().await;
    assert_eq!(pupil.unconfirmed_since().await, None, "its other system sends her still");
    other.send_as(index, &[nth_row(2)], true, false).await;
    work(index).await;
    assert!(pupil.unconfirmed_since().await.is_some());
}

#[actix_web::test]
async fn under_a_shield_work_fades_unseen_and_nobody_is_told_of_it() {
    let pupil = Pupil::new().await;
    let (index, place) = (&pupil.place.index, &pupil.place);
    let id = place.child_id(&pupil.path).await;
    let child = Child { id, number: pupil.child_number().to_owned(), family: String::new() };
    index.shield(&child).await;
    let system = index.caller(Role::CaseSystem, place.school).await;
    settled(index).await;
    let (_, seen) = follow(index, &system, None, 100).await;
    let before = index.get(&place.teacher, &pupil.path).await.expect(200);
    pupil.leave_out().await;
    let after = index.get(&place.teacher, &pupil.path).await.expect(200);
    assert_eq!((before.body, before.headers.get("ETag")), (after.body, after.headers.get("ETag")));
    assert!(pupil.reported().await.is_empty());
    settled(index).await;
    assert!(follow(index, &system, Some(&seen), 100).await.0.is_empty());
    let approver = index.caller(Role::ShieldApprover, place.council).await;
    let told = index.get(&approver, &pupil.path).await.expect(200);
    assert_eq!(told.body["involvements"][0]["unconfirmedSince"], "2026-11-16");
}

#[actix_web::test]
async fn a_record_that_is_in_use_no_more_does_not_fade() {
    let pupil = Pupil::new().await;
    let place = &pupil.place;
    let id = place.child_id(&pupil.path).await;
    let archive =
        "update child set status = 'archived', archived_on = '2026-11-01' where child_id = $1";
    place.arrange(archive, id).await;
    pupil.leave_out().await;
    let kept = "select version from involvement where child_id = $1 and unconfirmed_since is null";
    let kept: i64 = sqlx::query_scalar(kept).bind(id).fetch_one(&place.index.db).await.unwrap();
    assert_eq!(kept, 1);
}
