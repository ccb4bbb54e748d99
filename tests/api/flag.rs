//! Flags are set and cleared by the involvement's own organisation, are seen by all, and end by themselves.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Index, TODAY},
    involvement::Place,
    written,
};

const ALL: [&str; 4] =
    ["informationToShare", "takingAction", "assessmentUndertaken", "leadProfessional"];

fn path(involvement: Uuid, flag: &str) -> String {
    format!("/v1/involvements/{involvement}/flags/{flag}")
}

async fn seen(place: &Place, by: &Caller) -> Vec<Value> {
    let flags = place.index.get(by, &place.child.path("/flags")).await.expect(200);
    flags.body["items"].as_array().unwrap().clone()
}

async fn set(index: &Index, by: &Caller, at: &str, version: i64) -> Answer {
    index.put(by, at, version, json!({})).await
}

#[actix_web::test]
async fn a_flag_holds_for_six_months_and_is_seen_by_everyone_who_works_with_the_child() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let answer = set(index, by, &path(id, "takingAction"), 1).await.expect(200);
    let flag = json!({ "flag": "takingAction", "setOn": TODAY, "expiresOn": "2027-05-16" });
    assert_eq!(answer.body["flags"], json!([flag]));
    assert_eq!((answer.version(), &answer.body["version"]), (2, &json!(2)));
    let details = json!({ "involvement": id, "flag": "takingAction", "expiresOn": "2027-05-16" });
    written::done(index, &answer, by, "set_flag", &[&place.child], details).await;

    let elsewhere = index.authority().await;
    let other = index.caller(Role::Practitioner, elsewhere).await;
    let flags = seen(&place, &other).await;
    assert_eq!(flags.len(), 1);
    assert_eq!(flags[0]["involvementId"], json!(id));
    assert_eq!(flags[0]["organisation"], answer.body["organisation"]);
    assert_eq!((&flags[0]["flag"], &flags[0]["expiresOn"]), (&flag["flag"], &flag["expiresOn"]));
    let record = index.get(&other, &place.child.path("")).await.expect(200);
    assert_eq!(record.body["involvements"][0]["flags"], json!([flag]));
}

#[actix_web::test]
async fn every_flag_stands_once_and_is_renewed_in_place() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    for (version, flag) in (1..).zip(ALL) {
        set(index, by, &path(id, flag), version).await.expect(200);
    }
    index.clock.set("2027-01-04T09:00:00Z".parse().unwrap());
    let renewed = set(index, by, &path(id, "leadProfessional"), 5).await.expect(200);
    let flags = renewed.body["flags"].as_array().unwrap();
    assert_eq!(flags.len(), 4);
    let lead = flags.iter().find(|flag| flag["flag"] == "leadProfessional").unwrap();
    assert_eq!((&lead["setOn"], &lead["expiresOn"]), (&json!("2027-01-04"), &json!("2027-07-04")));
    let kept: i64 = sqlx::query_scalar("select count(*) from flag where cleared_at is not null")
        .fetch_one(&index.db)
        .await
        .unwrap();
    assert_eq!(kept, 1, "what was set before is kept");
}

#[actix_web::test]
async fn a_flag_ends_after_today_and_within_twenty_four_months() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let at = path(id, "informationToShare");
    let rows = index.rows().await;
    for day in ["2026-11-15", TODAY, "2028-11-17", "9999-12-31"] {
        let answer = index.put(by, &at, 1, json!({ "expiresOn": day })).await;
        let answer = answer.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), ["/expiresOn"], "{day}");
        let asked = json!({ "involvementId": id, "flag": "informationToShare" });
        written::refused(index, &answer, Some(by), "set_flag", asked).await;
    }
    let text = index.put(by, &at, 1, json!({ "text": "call us" })).await;
    text.refused(422, "unknown-property");
    assert_eq!(index.rows().await, rows);
    for (version, day) in [(1, "2026-11-17"), (2, "2028-11-16")] {
        let told = index.put(by, &at, version, json!({ "expiresOn": day })).await.expect(200);
        assert_eq!(told.body["flags"][0]["expiresOn"], day);
    }
}

#[actix_web::test]
async fn a_flag_that_is_not_renewed_is_gone_on_its_day_in_london() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let summer = json!({ "expiresOn": "2027-06-01" });
    index.put(by, &path(id, "takingAction"), 1, summer).await.expect(200);
    for (moment, shown) in [("2027-05-31T22:59:59Z", 1), ("2027-05-31T23:00:00Z", 0)] {
        index.clock.set(moment.parse().unwrap());
        assert_eq!(seen(&place, by).await.len(), shown, "{moment}");
        let open = index.get(by, &format!("/v1/involvements/{id}")).await.expect(200);
        assert_eq!(open.body["flags"].as_array().unwrap().len(), shown);
        let record = index.get(by, &place.child.path("")).await.expect(200);
        let flags = &record.body["involvements"][0]["flags"];
        assert_eq!(flags.as_array().unwrap().len(), shown);
    }
    let again = set(index, by, &path(id, "takingAction"), 2).await.expect(200);
    assert_eq!(again.body["flags"][0]["setOn"], "2027-06-01");
}

#[actix_web::test]
async fn flags_are_set_and_cleared_by_the_involvements_own_organisation_alone() {
    let place = Place::new().await;
    let index = &place.index;
    let neighbour = index.organisation("school", Some(place.authority)).await;
    let id = index.involvement(&place.child, place.school, "school").await;
    let rows = index.rows().await;
    for (role, organisation, status) in [
        (Role::Steward, place.authority, 403),
        (Role::Practitioner, place.authority, 403),
        (Role::Practitioner, neighbour, 403),
        (Role::Feed, neighbour, 404),
    ] {
        let caller = index.caller(role, organisation).await;
        for flag in ALL {
            let at = path(id, flag);
            assert_eq!(set(index, &caller, &at, 1).await.status, status, "{role}");
            let cleared = index.delete(&caller, &at, 1).await;
            assert_eq!(cleared.status, status, "{role}");
            let asked = json!({ "involvementId": id, "flag": flag });
            written::refused(index, &cleared, Some(&caller), "clear_flag", asked).await;
        }
    }
    let mut held = index.rows().await;
    for made in ["account", "client", "session"] {
        held[made] = rows[made].clone();
    }
    assert_eq!(held, rows);
    let feed = index.caller(Role::Feed, place.school).await;
    set(index, &feed, &path(id, "takingAction"), 1).await.expect(200);
}

#[actix_web::test]
async fn a_child_has_one_lead_professional_until_that_one_steps_down() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let steward = index.caller(Role::Practitioner, place.authority).await;
    let ours = index.involvement(&place.child, place.school, "school").await;
    let theirs = index.involvement(&place.child, place.authority, "socialCare").await;
    let [our_flag, their_flag] = [ours, theirs].map(|id| path(id, "leadProfessional"));

    set(index, by, &our_flag, 1).await.expect(200);
    let second = set(index, &steward, &their_flag, 1).await;
    let second = second.refused(409, "lead-professional-exists");
    let asked = json!({ "involvementId": theirs, "flag": "leadProfessional" });
    written::refused(index, &second, Some(&steward), "set_flag", asked).await;

    index.delete(by, &our_flag, 2).await.expect(200);
    set(index, &steward, &their_flag, 1).await.expect(200);
    set(index, by, &our_flag, 3).await.refused(409, "lead-professional-exists");

    index.clock.set("2027-05-16T00:00:00Z".parse().unwrap());
    set(index, by, &our_flag, 3).await.expect(200);
    set(index, &steward, &their_flag, 2).await.refused(409, "lead-professional-exists");

    let end = json!({ "endedOn": "2027-05-16" });
    index.patch(by, &format!("/v1/involvements/{ours}"), 4, end).await.expect(200);
    set(index, &steward, &their_flag, 2).await.expect(200);
    assert_eq!(seen(&place, by).await.len(), 1);
}

#[actix_web::test]
async fn of_two_who_would_lead_at_once_one_does() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let mut flags = Vec::new();
    for service in ["school", "earlyYears", "college", "housing", "police", "earlyHelp"] {
        let id = index.involvement(&place.child, place.school, service).await;
        flags.push(path(id, "leadProfessional"));
    }
    let answers = join_all(flags.iter().map(|flag| set(index, by, flag, 1))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let others = answers.into_iter().filter(|answer| answer.status != 200);
    others.for_each(|other| drop(other.refused(409, "lead-professional-exists")));
    assert_eq!(seen(&place, by).await.len(), 1);
}

#[actix_web::test]
async fn clearing_a_flag_twice_clears_it_once() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let at = path(id, "takingAction");
    set(index, by, &at, 1).await.expect(200);
    let cleared = index.delete(by, &at, 2).await.expect(200);
    assert_eq!((cleared.version(), &cleared.body["flags"]), (3, &json!([])));
    let details = json!({ "involvement": id, "flag": "takingAction" });
    written::done(index, &cleared, by, "clear_flag", &[&place.child], details).await;
    let again = index.delete(by, &at, 3).await.expect(200);
    assert_eq!((again.version(), &again.body), (3, &cleared.body));
}

#[actix_web::test]
async fn a_flag_is_set_and_cleared_on_the_version_that_was_read() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let id = index.involvement(&place.child, place.school, "school").await;
    let at = path(id, "takingAction");
    let rows = index.rows().await;
    for method in ["PUT", "DELETE"] {
        let body = if method == "PUT" { json!({}) } else { Value::Null };
        for (tag, status, problem) in [
            ("", 428, "precondition-required"),
            ("\"2\"", 412, "precondition-failed"),
            ("*", 400, "invalid-header"),
        ] {
            let answer = index.request(by, method, &at, body.clone(), &[("If-Match", tag)]).await;
            answer.refused(status, problem);
        }
    }
    let nonsense = index.put(by, &path(id, "shouting"), 1, json!({})).await;
    nonsense.refused(404, "not-found");
    assert_eq!(index.rows().await, rows);
    let twins = join_all((0..4).map(|_| set(index, by, &at, 1))).await;
    assert_eq!(twins.iter().filter(|twin| twin.status == 200).count(), 1);
    let others = twins.into_iter().filter(|twin| twin.status != 200);
    others.for_each(|other| drop(other.refused(412, "precondition-failed")));
}
