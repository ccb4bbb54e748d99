//! Involvements are opened by whoever may see them, and changed, confirmed and ended by those who say them.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{harness::TODAY, involvement::Place, written};

fn path(involvement: Uuid) -> String {
    format!("/v1/involvements/{involvement}")
}

#[actix_web::test]
async fn a_feed_opens_the_involvements_of_its_own_organisation_alone() {
    let place = Place::new().await;
    let index = &place.index;
    let feed = index.caller(Role::Feed, place.school).await;
    let own = index.involvement(&place.child, place.school, "school").await;
    let others = index.involvement(&place.child, place.authority, "socialCare").await;
    let answer = index.get(&feed, &path(own)).await.expect(200);
    assert_eq!((&answer.body["id"], answer.version()), (&json!(own), 1));
    let details = json!({ "involvement": own });
    written::done(index, &answer, &feed, "open_involvement", &[&place.child], details).await;

    let refused = index.get(&feed, &path(others)).await.refused(404, "not-found");
    let asked = json!({ "involvementId": others });
    written::refused(index, &refused, Some(&feed), "open_involvement", asked).await;
    let unknown = index.get(&feed, &path(Uuid::new_v4())).await.refused(404, "not-found");
    assert_eq!(refused.bytes, unknown.bytes);
    index.get(&place.practitioner, &path(others)).await.expect(200);
}

#[actix_web::test]
async fn a_sensitive_involvement_is_there_for_its_own_organisation_alone() {
    let place = Place::new().await;
    let index = &place.index;
    let trust = index.organisation("healthTrust", Some(place.authority)).await;
    let own = index.caller(Role::Practitioner, trust).await;
    let steward = index.caller(Role::Steward, place.authority).await;
    let (sensitive, _) = index.sensitive(&place.child, trust, "mentalHealth").await;
    index.get(&own, &path(sensitive)).await.expect(200);
    for other in [&place.practitioner, &steward] {
        index.get(other, &path(sensitive)).await.refused(404, "not-found");
        let change = index.patch(other, &path(sensitive), 1, json!({ "endedOn": TODAY })).await;
        change.refused(404, "not-found");
        let list = index.get(other, &place.child.path("/involvements")).await.expect(200);
        assert_eq!(list.body["items"], json!([]));
    }
}

#[actix_web::test]
async fn an_involvement_is_changed_and_confirmed_and_what_it_said_before_is_kept() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let before = index.get(by, &path(id)).await.expect(200).body;
    let contact = json!({ "practitioner": "B Example", "officeHours": "01632 960004" });
    let change = json!({ "contact": contact, "confirmedOn": "2026-11-13" });
    let answer = index.patch(by, &path(id), 1, change).await.expect(200);
    assert_eq!(answer.body["contact"], contact);
    assert_eq!(answer.body["confirmedOn"], "2026-11-13");
    assert_eq!(answer.body["startedOn"], before["startedOn"]);
    assert_eq!((answer.version(), &answer.body["version"]), (2, &json!(2)));
    let details = json!({ "involvement": id, "version": 2 });
    written::done(index, &answer, by, "change_involvement", &[&place.child], details).await;
    assert_eq!(index.get(by, &path(id)).await.body, answer.body);

    index.patch(by, &path(id), 2, json!({ "confirmedOn": TODAY })).await.expect(200);
    let was =
        "select was from history where fact = 'involvement' and fact_id = $1 order by history_id";
    let was: Vec<Value> = sqlx::query_scalar(was).bind(id).fetch_all(&index.db).await.unwrap();
    assert_eq!(was.len(), 2);
    assert_eq!((&was[0]["contact"], &was[0]["version"]), (&before["contact"], &json!(1)));
    assert_eq!(was[0]["confirmed_on"], before["confirmedOn"]);
    assert_eq!((&was[1]["contact"], &was[1]["version"]), (&contact, &json!(2)));
    assert_eq!(was[1]["confirmed_on"], "2026-11-13");
}

#[actix_web::test]
async fn an_involvement_that_ends_takes_its_flags_with_it_and_changes_no_more() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let flag = format!("{}/flags/takingAction", path(id));
    index.put(by, &flag, 1, json!({})).await.expect(200);
    let ended = index.patch(by, &path(id), 2, json!({ "endedOn": "2026-11-13" })).await.expect(200);
    assert_eq!(ended.body["flags"], json!([]));
    assert_eq!(ended.body["endedOn"], "2026-11-13");
    assert_eq!(ended.body["confirmedOn"], "2026-11-13");
    let flags = index.get(by, &place.child.path("/flags")).await.expect(200);
    assert_eq!(flags.body["items"], json!([]));

    let rows = index.rows().await;
    let asked = json!({ "involvementId": id });
    let again = index.patch(by, &path(id), 3, json!({ "confirmedOn": TODAY })).await;
    let again = again.refused(409, "involvement-ended");
    written::refused(index, &again, Some(by), "change_involvement", asked).await;
    index.put(by, &flag, 3, json!({})).await.refused(409, "involvement-ended");
    assert_eq!(index.delete(by, &flag, 3).await.expect(200).version(), 3);
    assert_eq!(index.rows().await, rows);
}

#[actix_web::test]
async fn an_ended_involvement_is_shown_for_a_year() {
    let place = Place::new().await;
    let index = &place.index;
    let id = index.involvement(&place.child, place.school, "school").await;
    index.patch(&place.practitioner, &path(id), 1, json!({ "endedOn": TODAY })).await.expect(200);
    for (moment, status, shown) in
        [("2027-11-16T23:59:59Z", 200, 1), ("2027-11-17T00:00:00Z", 404, 0)]
    {
        index.clock.set(moment.parse().unwrap());
        assert_eq!(index.get(&place.practitioner, &path(id)).await.status, status, "{moment}");
        let list = index.get(&place.practitioner, &place.child.path("/involvements")).await;
        assert_eq!(list.expect(200).body["items"].as_array().unwrap().len(), shown);
        let record = index.get(&place.practitioner, &place.child.path("")).await.expect(200);
        assert_eq!(record.body["involvements"].as_array().unwrap().len(), shown);
    }
}

#[actix_web::test]
async fn that_it_ended_may_be_said_years_later() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let long = "update involvement set started_on = '2020-09-01', confirmed_on = '2020-09-01'";
    sqlx::query(long).execute(&index.db).await.unwrap();
    let ended = index.patch(by, &path(id), 1, json!({ "endedOn": "2024-07-19" })).await.expect(200);
    assert_eq!(ended.body["endedOn"], "2024-07-19");
    index.get(by, &path(id)).await.refused(404, "not-found");
}

#[actix_web::test]
async fn the_days_of_a_change_stand_in_their_order() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    for (member, day) in [
        ("confirmedOn", "2015-03-14"),
        ("confirmedOn", "2026-11-17"),
        ("endedOn", "2015-03-14"),
        ("endedOn", "2026-11-17"),
    ] {
        let answer = index.patch(by, &path(id), 1, json!({ member: day })).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), [format!("/{member}")]);
    }
    index
        .patch(by, &path(id), 1, json!({ "startedOn": TODAY }))
        .await
        .refused(422, "unknown-property");
}

#[actix_web::test]
async fn a_change_says_which_version_it_changes() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let change = json!({ "confirmedOn": TODAY });
    let rows = index.rows().await;
    for (tag, status, problem) in [
        ("", 428, "precondition-required"),
        ("\"0\"", 412, "precondition-failed"),
        ("\"2\"", 412, "precondition-failed"),
        ("\"one\"", 412, "precondition-failed"),
        ("*", 400, "invalid-header"),
        ("1", 400, "invalid-header"),
        ("W/\"1\"", 400, "invalid-header"),
        ("\"1\", \"2\"", 412, "precondition-failed"),
    ] {
        let tagged = [("If-Match", tag)];
        let answer = index.request(by, "PATCH", &path(id), change.clone(), &tagged).await;
        let answer = answer.refused(status, problem);
        let asked = json!({ "involvementId": id });
        written::refused(index, &answer, Some(by), "change_involvement", asked).await;
        let unknown = path(Uuid::new_v4());
        let unknown = index.request(by, "PATCH", &unknown, change.clone(), &tagged).await;
        unknown.refused(404, "not-found");
    }
    assert_eq!(index.rows().await, rows);
    index.patch(by, &path(id), 1, change).await.expect(200);
}

#[actix_web::test]
async fn it_is_changed_by_its_own_organisation_or_a_steward_of_its_area() {
    let place = Place::new().await;
    let index = &place.index;
    let elsewhere = index.authority().await;
    let neighbour = index.organisation("school", Some(place.authority)).await;
    let id = index.involvement(&place.child, place.school, "school").await;
    let change = || json!({ "confirmedOn": TODAY });
    for (role, organisation, status) in [
        (Role::Practitioner, neighbour, 403),
        (Role::Practitioner, place.authority, 403),
        (Role::Steward, elsewhere, 403),
        (Role::Feed, neighbour, 404),
    ] {
        let caller = index.caller(role, organisation).await;
        assert_eq!(index.patch(&caller, &path(id), 1, change()).await.status, status, "{role}");
    }
    let mut version = 1;
    for (role, organisation) in [(Role::Steward, place.authority), (Role::Feed, place.school)] {
        let caller = index.caller(role, organisation).await;
        let told = index.patch(&caller, &path(id), version, change()).await.expect(200);
        assert_eq!(told.body["source"]["organisationId"], json!(organisation.id), "{role}");
        version = told.version();
    }
}

#[actix_web::test]
async fn it_is_not_changed_into_another_one() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    index.involvement(&place.child, place.school, "school").await;
    let contact = json!({ "team": "Another Team", "officeHours": "01632 960003" });
    let other = crate::involvement::service("school");
    let other =
        place.say(by, crate::involvement::with(other, "contact", contact)).await.expect(201);
    let same = json!({ "contact": { "team": "Example Team", "officeHours": "01632 960003" } });
    let answer = index.patch(by, other.header("Location"), 1, same).await;
    answer.refused(409, "involvement-exists");
}

#[actix_web::test]
async fn of_many_changes_of_one_version_one_is_done() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let at = path(id);
    let twins =
        join_all((0..8).map(|_| index.patch(by, &at, 1, json!({ "confirmedOn": TODAY })))).await;
    assert_eq!(twins.iter().filter(|twin| twin.status == 200).count(), 1);
    twins
        .into_iter()
        .filter(|t| t.status != 200)
        .for_each(|t| drop(t.refused(412, "precondition-failed")));
    assert_eq!(index.get(by, &at).await.version(), 2);
}
