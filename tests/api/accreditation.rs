//! Accreditation: for a time, ended at midnight in London or at once, by the operator or by the organisation itself.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller, Index, Organisation},
    session::{Person, after},
    written,
};

/// A school with its council, somebody of it who can sign in, and the operator.
struct Place {
    index: Index,
    school: Organisation,
    person: Person,
    operator: Caller,
}

impl Place {
    async fn new() -> Self {
        let index = Index::start().await;
        let school = index.organisation("school", Some(index.authority().await)).await;
        let person = Person::new(&index, Role::Practitioner, school).await;
        let national = index.organisation("nationalPartner", None).await;
        let operator = index.account(Role::Operator, national).await;
        Self { index, school, person, operator }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/organisations/{}{rest}", self.school.id)
    }

    async fn change(&self, version: i64, change: Value) -> Answer {
        self.index.patch(&self.operator, &self.path(""), version, change).await
    }

    async fn suspend(&self, by: &Caller) -> Answer {
        self.index.request(by, "PUT", &self.path("/suspension"), (), &[]).await
    }

    async fn lift(&self, by: &Caller) -> Answer {
        self.index.request(by, "DELETE", &self.path("/suspension"), (), &[]).await
    }
}

async fn look(index: &Index, session: &Answer) -> Answer {
    let bearer = format!("Bearer {}", session.body["accessToken"].as_str().unwrap());
    index.request(None, "GET", "/v1/organisations", (), &[("Authorization", &bearer)]).await
}

#[actix_web::test]
async fn nobody_signs_in_for_an_organisation_before_its_accreditation_begins() {
    let place = Place::new().await;
    let session = place.person.sign_in(&place.index).await.expect(200);
    place.change(1, json!({ "accreditedFrom": "2026-11-17" })).await.expect(200);
    look(&place.index, &session).await.refused(401, "unauthenticated");
    place.index.clock.set(after(60));
    place.person.sign_in(&place.index).await.refused(401, "sign-in-failed");
    place.index.clock.set("2026-11-16T23:59:30Z".parse().unwrap());
    place.person.sign_in(&place.index).await.refused(401, "sign-in-failed");
    place.index.clock.set("2026-11-17T00:00:00Z".parse().unwrap());
    let session = place.person.sign_in(&place.index).await.expect(200);
    look(&place.index, &session).await.expect(200);
}

#[actix_web::test]
async fn tokens_end_at_the_midnight_in_london_after_the_last_day_of_accreditation() {
    let place = Place::new().await;
    place.index.clock.set("2027-06-30T22:55:00Z".parse().unwrap());
    let changed = place.change(1, json!({ "accreditedUntil": "2027-06-30" })).await.expect(200);
    assert_eq!(changed.body["accreditedUntil"], "2027-06-30");
    let session = place.person.sign_in(&place.index).await.expect(200);
    place.index.clock.set("2027-06-30T22:59:59Z".parse().unwrap());
    look(&place.index, &session).await.expect(200);
    place.index.clock.set("2027-06-30T23:00:00Z".parse().unwrap());
    look(&place.index, &session).await.refused(401, "unauthenticated");
    place.person.sign_in(&place.index).await.refused(401, "sign-in-failed");
    place.change(2, json!({ "accreditedUntil": "2030-06-30" })).await.expect(200);
    look(&place.index, &session).await.expect(200);
}

#[actix_web::test]
async fn an_accreditation_that_is_moved_to_have_ended_stops_people_and_systems_at_once() {
    let place = Place::new().await;
    let system = place.index.client(Role::Feed, place.school).await;
    let session = place.person.sign_in(&place.index).await.expect(200);
    place.index.get(&system, "/v1/organisations").await.expect(200);
    place.change(1, json!({ "accreditedUntil": "2026-11-15" })).await.expect(200);
    look(&place.index, &session).await.refused(401, "unauthenticated");
    place.index.get(&system, "/v1/organisations").await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn an_accreditation_ends_no_earlier_than_it_begins() {
    let place = Place::new().await;
    let dates =
        |from: &str, until: &str| json!({ "accreditedFrom": from, "accreditedUntil": until });
    let same = place.change(1, dates("2026-11-16", "2026-11-16")).await.expect(200);
    let details = json!({ "organisation": place.school.id, "version": 2 });
    let by = &place.operator;
    written::done(&place.index, &same, by, "change_organisation", &[], details).await;
    for change in [
        dates("2026-11-17", "2026-11-16"),
        json!({ "accreditedFrom": "2026-11-17" }),
        json!({ "accreditedUntil": "2026-11-15" }),
    ] {
        let answer = place.change(2, change).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), ["/accreditedUntil"]);
    }
    let mut new = json!({ "kind": "charity", "name": "Example", "officeHours": "01632 960001", "duty": "01632 960002",
        "accreditedFrom": "2026-11-17", "accreditedUntil": "2026-11-16" });
    let answer = place.index.post(by, "/v1/organisations", new.clone()).await;
    assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/accreditedUntil"]);
    new["accreditedUntil"] = json!("2027-11-16");
    new["privacyOfficer"] = json!({ "name": "Example Officer", "email": "privacy@example.org", "phone": "01632 960003" });
    let made = place.index.post(by, "/v1/organisations", new.clone()).await.expect(201);
    for member in ["accreditedFrom", "accreditedUntil", "privacyOfficer"] {
        assert_eq!(made.body[member], new[member]);
    }
    assert_eq!(made.body["status"], "accredited");
}

#[actix_web::test]
async fn a_privacy_officer_is_whole_and_can_be_another() {
    let place = Place::new().await;
    let officer = |name: &str| json!({ "name": name, "email": "privacy@example.org", "phone": "01632 960003" });
    let first = place.change(1, json!({ "privacyOfficer": officer("First Officer") })).await;
    assert_eq!(first.expect(200).body["privacyOfficer"], officer("First Officer"));
    let second = place.change(2, json!({ "privacyOfficer": officer("Second Officer") })).await;
    assert_eq!(second.expect(200).body["privacyOfficer"], officer("Second Officer"));
    for member in ["name", "email", "phone"] {
        let mut part = officer("Third Officer");
        part.as_object_mut().unwrap().remove(member);
        let answer = place.change(3, json!({ "privacyOfficer": part })).await;
        let answer = answer.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [format!("/privacyOfficer/{member}")]);
    }
}

#[actix_web::test]
async fn the_own_administrator_stops_an_organisation_in_one_call_and_is_stopped_with_it() {
    let place = Place::new().await;
    let administrator = place.index.account(Role::AccountAdministrator, place.school).await;
    let system = place.index.client(Role::Feed, place.school).await;
    let session = place.person.sign_in(&place.index).await.expect(200);
    let stopped = place.suspend(&administrator).await.expect(200);
    assert_eq!(
        (&stopped.body["status"], &stopped.body["version"]),
        (&json!("suspended"), &json!(2))
    );
    let details = json!({ "organisation": place.school.id, "status": "suspended" });
    let operation = "suspend_organisation";
    written::done(&place.index, &stopped, &administrator, operation, &[], details).await;

    look(&place.index, &session).await.refused(401, "unauthenticated");
    place.index.get(&system, "/v1/organisations").await.refused(401, "unauthenticated");
    place.suspend(&administrator).await.refused(401, "unauthenticated");
    place.lift(&administrator).await.refused(401, "unauthenticated");
    place.index.clock.set(after(60));
    place.person.sign_in(&place.index).await.refused(401, "sign-in-failed");

    let lifted = place.lift(&place.operator).await.expect(200);
    assert_eq!((&lifted.body["status"], lifted.version()), (&json!("accredited"), 3));
    let details = json!({ "organisation": place.school.id, "status": "accredited" });
    written::done(&place.index, &lifted, &place.operator, "lift_suspension", &[], details).await;
    look(&place.index, &session).await.expect(200);
    place.index.clock.set(after(120));
    place.person.sign_in(&place.index).await.expect(200);
}

#[actix_web::test]
async fn suspending_and_lifting_twice_changes_nothing_and_what_is_closed_stays_so() {
    let place = Place::new().await;
    let by = &place.operator;
    for _ in 0..2 {
        assert_eq!(place.suspend(by).await.expect(200).body["version"], 2);
    }
    for _ in 0..2 {
        assert_eq!(place.lift(by).await.expect(200).version(), 3);
    }
    place.change(3, json!({ "status": "closed" })).await.expect(200);
    assert_eq!(place.suspend(by).await.expect(200).body["status"], "closed");
    assert_eq!(place.lift(by).await.expect(200).body["status"], "closed");
}

#[actix_web::test]
async fn another_organisation_is_nobodys_to_suspend_but_the_operators() {
    let place = Place::new().await;
    let council = Organisation { id: place.school.authority.unwrap(), authority: None };
    for organisation in [council, place.index.organisation("school", Some(council)).await] {
        let stranger = place.index.account(Role::AccountAdministrator, organisation).await;
        place.suspend(&stranger).await.refused(403, "forbidden");
    }
    let unknown = format!("/v1/organisations/{}/suspension", uuid::Uuid::new_v4());
    for method in ["PUT", "DELETE"] {
        let answer = place.index.request(&place.operator, method, &unknown, (), &[]).await;
        answer.refused(404, "not-found");
    }
}

#[actix_web::test]
async fn a_stop_needs_no_fresh_sign_in_and_lifting_it_does() {
    let place = Place::new().await;
    let token = format!("Bearer {}", place.index.token(&place.operator));
    let headers = [("Authorization", token.as_str())];
    let path = place.path("/suspension");
    place.index.clock.set(after(301));
    place.index.request(None, "PUT", &path, (), &headers).await.expect(200);
    let answer = place.index.request(None, "DELETE", &path, (), &headers).await;
    answer.refused(401, "step-up-required");
}

#[actix_web::test]
async fn administrators_who_stop_their_organisation_at_once_stop_it_once() {
    let place = Place::new().await;
    let first = place.index.account(Role::AccountAdministrator, place.school).await;
    let second = place.index.account(Role::AccountAdministrator, place.school).await;
    let tries = (0..8).map(|n| place.suspend(if n % 2 == 0 { &first } else { &second }));
    let answers = join_all(tries).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(200), of(401)), (1, 7));
    let told = place.index.get(&place.operator, &place.path("")).await.expect(200);
    assert_eq!((&told.body["status"], told.version()), (&json!("suspended"), 2));
}
