//! Who works with a child is said by those who do, or by a steward of the authority in whose area they work.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Child, Index, Organisation, TODAY},
    written,
};

/// A child, a school in the area of the responsible authority, and a practitioner of that school.
pub(crate) struct Place {
    pub(crate) index: Index,
    pub(crate) authority: Organisation,
    pub(crate) school: Organisation,
    pub(crate) practitioner: Caller,
    pub(crate) child: Child,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let index = Index::start().await;
        let authority = index.authority().await;
        let school = index.organisation("school", Some(authority)).await;
        let practitioner = index.caller(Role::Practitioner, school).await;
        let child = index.child(authority).await;
        Self { index, authority, school, practitioner, child }
    }

    /// Says that an organisation works with the child.
    pub(crate) async fn say(&self, caller: &Caller, involvement: Value) -> Answer {
        self.index.post(caller, &self.child.path("/involvements"), involvement).await
    }

    /// The path parameters of a request about the child, as the audit keeps them.
    fn child_path(&self) -> Value {
        json!({ "indexNumber": self.child.number })
    }

    async fn listed(&self) -> Vec<Value> {
        let list = self.index.get(&self.practitioner, &self.child.path("/involvements")).await;
        list.expect(200).body["items"].as_array().unwrap().clone()
    }
}

/// The service, begun a fortnight ago.
pub(crate) fn service(service: &str) -> Value {
    json!({
        "serviceType": service,
        "contact": { "team": "Example Team", "officeHours": "01632 960003" },
        "startedOn": "2026-11-02",
    })
}

/// The same with another member.
pub(crate) fn with(mut body: Value, member: &str, value: impl Into<Value>) -> Value {
    body[member] = value.into();
    body
}

#[actix_web::test]
async fn an_involvement_is_said_for_ones_own_organisation_unless_another_is_named() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let answer = place.say(by, service("school")).await.expect(201);
    let told = &answer.body;
    assert_eq!(told["organisation"]["id"], json!(place.school.id));
    assert_eq!(told["source"]["organisationId"], json!(place.school.id));
    assert_eq!(told["startedOn"], "2026-11-02");
    assert_eq!(told["confirmedOn"], TODAY);
    assert_eq!(told["flags"], json!([]));
    assert_eq!((answer.version(), &told["version"]), (1, &json!(1)));
    let details = json!({ "involvement": told["id"] });
    written::done(index, &answer, by, "add_involvement", &[&place.child], details).await;

    let location = format!("/v1/involvements/{}", told["id"].as_str().unwrap());
    assert_eq!(answer.header("Location"), location);
    assert_eq!(&index.get(by, &location).await.expect(200).body, told);
    assert_eq!(place.listed().await, std::slice::from_ref(told));

    let named = with(service("earlyYears"), "organisationId", place.school.id.to_string());
    place.say(by, named).await.expect(201);
}

#[actix_web::test]
async fn nobody_says_it_for_another_organisation() {
    let place = Place::new().await;
    let feed = place.index.caller(Role::Feed, place.school).await;
    let neighbour = place.index.organisation("school", Some(place.authority)).await;
    let before = place.index.rows().await;
    for other in [neighbour, place.authority] {
        let named = with(service("school"), "organisationId", other.id.to_string());
        for caller in [&place.practitioner, &feed] {
            let answer = place.say(caller, named.clone()).await.refused(403, "forbidden");
            let (index, path) = (&place.index, place.child_path());
            written::refused(index, &answer, Some(caller), "add_involvement", path).await;
        }
    }
    assert_eq!(place.index.rows().await, before);
}

#[actix_web::test]
async fn a_steward_says_it_for_organisations_in_the_own_authority_alone() {
    let place = Place::new().await;
    let index = &place.index;
    let steward = index.caller(Role::Steward, place.authority).await;
    let elsewhere = index.authority().await;
    let school_elsewhere = index.organisation("school", Some(elsewhere)).await;
    let national = index.organisation("nationalPartner", None).await;
    for own in [place.school, place.authority] {
        let named = with(service("school"), "organisationId", own.id.to_string());
        let told = place.say(&steward, named).await.expect(201).body;
        assert_eq!(told["organisation"]["id"], json!(own.id));
        assert_eq!(told["source"]["organisationId"], json!(place.authority.id));
    }
    for other in [elsewhere, school_elsewhere, national] {
        let named = with(service("school"), "organisationId", other.id.to_string());
        place.say(&steward, named).await.refused(403, "forbidden");
    }
}

#[actix_web::test]
async fn an_organisation_that_is_unknown_or_closed_works_with_nobody() {
    let place = Place::new().await;
    let steward = place.index.caller(Role::Steward, place.authority).await;
    let closed = place.index.organisation("school", Some(place.authority)).await;
    let close = "update organisation set status = 'closed', closed_on = '2026-09-01' where organisation_id = $1";
    sqlx::query(close).bind(closed.id).execute(&place.index.db).await.unwrap();
    for id in [closed.id, Uuid::new_v4()] {
        let named = with(service("school"), "organisationId", id.to_string());
        let answer = place.say(&steward, named).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), ["/organisationId"]);
        let path = place.child_path();
        written::refused(&place.index, &answer, Some(&steward), "add_involvement", path).await;
    }
}

#[actix_web::test]
async fn a_sensitive_service_is_not_said_without_consent() {
    let place = Place::new().await;
    let before = place.index.rows().await;
    for sensitive in ["sexualHealth", "mentalHealth", "substanceMisuse"] {
        let answer = place.say(&place.practitioner, service(sensitive)).await;
        let answer = answer.refused(422, "consent-required");
        let event = place.index.event(&answer).await.to_string();
        assert!(!event.contains(sensitive), "{event}");
    }
    assert_eq!(place.index.rows().await, before);
}

#[actix_web::test]
async fn the_days_of_an_involvement_stand_between_birth_and_today_and_in_their_order() {
    let place = Place::new().await;
    for (member, day) in [
        ("startedOn", "2015-03-13"),
        ("startedOn", "2026-11-17"),
        ("confirmedOn", "2026-11-01"),
        ("confirmedOn", "2026-11-17"),
        ("endedOn", "2026-11-01"),
        ("endedOn", "2026-11-17"),
    ] {
        let answer = place.say(&place.practitioner, with(service("school"), member, day)).await;
        assert_eq!(
            answer.refused(422, "invalid-value").pointers(),
            [format!("/{member}")],
            "{day}"
        );
    }
    for (member, day, kind) in [
        ("startedOn", "2015-03-14", "school"),
        ("startedOn", TODAY, "college"),
        ("confirmedOn", "2026-11-02", "earlyYears"),
        ("endedOn", "2026-11-02", "housing"),
        ("endedOn", TODAY, "police"),
    ] {
        let told = place.say(&place.practitioner, with(service(kind), member, day)).await;
        assert_eq!(told.expect(201).body[member], day);
    }
}

#[actix_web::test]
async fn the_same_service_is_said_once_for_as_long_as_it_lasts() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let first = place.say(by, service("school")).await.expect(201);
    let again = place.say(by, service("school")).await.refused(409, "involvement-exists");
    written::refused(index, &again, Some(by), "add_involvement", place.child_path()).await;

    place.say(by, service("schoolNursing")).await.expect(201);
    let contact = json!({ "team": "Another Team", "officeHours": "01632 960003" });
    place.say(by, with(service("school"), "contact", contact)).await.expect(201);
    place.say(by, with(service("school"), "endedOn", TODAY)).await.expect(201);

    let end = json!({ "endedOn": TODAY });
    index.patch(by, first.header("Location"), 1, end).await.expect(200);
    place.say(by, service("school")).await.expect(201);
    assert_eq!(place.listed().await.len(), 5);
}

#[actix_web::test]
async fn an_involvement_that_ended_over_a_year_ago_is_kept_and_shown_no_more() {
    let place = Place::new().await;
    let long_ago = with(service("school"), "startedOn", "2020-09-01");
    let answer = place.say(&place.practitioner, with(long_ago, "endedOn", "2025-07-18")).await;
    let location = answer.expect(201).header("Location").to_owned();
    place.index.get(&place.practitioner, &location).await.refused(404, "not-found");
    assert!(place.listed().await.is_empty());
}

#[actix_web::test]
async fn saying_it_again_with_the_same_key_says_it_once() {
    let place = Place::new().await;
    let (index, path) = (&place.index, place.child.path("/involvements"));
    let key = [("Idempotency-Key", "autumn-term/1")];
    let by = &place.practitioner;
    let first = index.request(by, "POST", &path, service("school"), &key).await.expect(201);
    let rows = index.rows().await;
    let again = index.request(by, "POST", &path, service("school"), &key).await.expect(201);
    assert_eq!((&again.body, again.header("ETag")), (&first.body, first.header("ETag")));
    assert_eq!(again.header("Location"), first.header("Location"));
    let repeated = json!({ "repeated": true });
    written::done(index, &again, by, "add_involvement", &[&place.child], repeated).await;

    let other = index.request(by, "POST", &path, service("police"), &key).await;
    other.refused(422, "idempotency-key-reused");
    assert_eq!(index.rows().await, rows);
    let colleague = index.caller(Role::Practitioner, place.school).await;
    index.request(&colleague, "POST", &path, service("police"), &key).await.expect(201);
}

#[actix_web::test]
async fn of_many_at_once_one_is_done() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let mut twins = join_all((0..8).map(|_| place.say(by, service("school")))).await;
    twins.sort_by_key(|answer| answer.status);
    assert_eq!(twins.remove(0).status, 201);
    for twin in twins {
        twin.refused(409, "involvement-exists");
    }

    let (path, key) = (place.child.path("/involvements"), [("Idempotency-Key", "at-once-1")]);
    let same = (0..8).map(|_| index.request(by, "POST", &path, service("police"), &key));
    let same = join_all(same).await;
    let ids: Vec<_> =
        same.iter().filter(|a| a.status == 201).map(|a| a.body["id"].clone()).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    same.into_iter()
        .filter(|a| a.status != 201)
        .for_each(|a| drop(a.refused(409, "request-in-progress")));
    assert_eq!(place.listed().await.len(), 2);
}

#[actix_web::test]
async fn a_service_that_begins_is_missing_no_longer() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let missing = "update child set without_service = '{school,generalPractice}'";
    sqlx::query(missing).execute(&index.db).await.unwrap();
    place.say(by, with(service("school"), "endedOn", TODAY)).await.expect(201);
    let record = index.get(by, &place.child.path("")).await.expect(200);
    assert_eq!(record.body["withoutService"], json!(["school", "generalPractice"]));

    place.say(by, service("school")).await.expect(201);
    let after = index.get(by, &place.child.path("")).await.expect(200);
    assert_eq!(after.body["withoutService"], json!(["generalPractice"]));
    assert_eq!(after.version(), record.version() + 1);
    let was = "select was -> 'without_service' from history where fact = 'child' order by history_id desc limit 1";
    let was: Value = sqlx::query_scalar(was).fetch_one(&index.db).await.unwrap();
    assert_eq!(was, json!(["school", "generalPractice"]));
}

#[actix_web::test]
async fn of_a_child_who_is_archived_or_unknown_nothing_is_said() {
    let place = Place::new().await;
    sqlx::query("update child set status = 'archived', archived_on = '2026-11-16'")
        .execute(&place.index.db)
        .await
        .unwrap();
    let by = &place.practitioner;
    let archived = place.say(by, service("school")).await.refused(404, "not-found");
    let unknown =
        place.index.post(by, "/v1/children/48271930566/involvements", service("school")).await;
    assert_eq!(unknown.refused(404, "not-found").bytes, archived.bytes);
}
