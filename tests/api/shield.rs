//! Shields: asked for by one and approved by another, looked at anew, and lifted by two; nothing opens by itself.

use contactpoint::{access::Role, shield};
use futures_util::future::join;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Caller, Child, Index, Organisation};

/// A council with its steward and two who decide, a teacher in its area, and a child for whom it answers.
pub(crate) struct Town {
    pub(crate) index: Index,
    pub(crate) council: Organisation,
    pub(crate) school: Organisation,
    pub(crate) teacher: Caller,
    pub(crate) steward: Caller,
    pub(crate) first: Caller,
    pub(crate) second: Caller,
    /// Decides in another council.
    pub(crate) stranger: Caller,
    pub(crate) child: Child,
}

impl Town {
    pub(crate) async fn new() -> Self {
        let index = Index::start().await;
        let council = index.authority().await;
        let school = index.organisation("school", Some(council)).await;
        let teacher = index.account(Role::Practitioner, school).await;
        let steward = index.account(Role::Steward, council).await;
        let first = index.account(Role::ShieldApprover, council).await;
        let second = index.account(Role::ShieldApprover, council).await;
        let elsewhere = index.authority().await;
        let stranger = index.account(Role::ShieldApprover, elsewhere).await;
        let child = index.child(council).await;
        Self { index, council, school, teacher, steward, first, second, stranger, child }
    }

    /// Moves the clock, to a moment at which everybody has just signed in.
    pub(crate) fn at(&self, moment: &str) {
        self.index.clock.set(moment.parse().unwrap());
    }

    /// The teacher asks.
    pub(crate) async fn ask(&self, body: Value) -> Answer {
        self.index.post(&self.teacher, &self.child.path("/shield-requests"), body).await
    }

    /// The path of what the teacher asks.
    async fn asked(&self, body: Value) -> String {
        self.ask(body).await.expect(201).header("Location").to_owned()
    }

    /// A child who is shielded at once, by the request at this path.
    pub(crate) async fn emergency(&self) -> String {
        self.asked(json!({ "ground": "threatToLife", "emergency": true })).await
    }

    async fn put(&self, by: &Caller, path: &str, what: &str, version: i64, body: Value) -> Answer {
        self.index.put(by, &format!("{path}/{what}"), version, body).await
    }

    async fn decide(&self, by: &Caller, path: &str, decision: &str) -> Answer {
        self.put(by, path, "decision", 1, json!({ "decision": decision })).await
    }

    async fn close(&self, by: &Caller, path: &str) -> Answer {
        let version = self.index.get(by, path).await.expect(200).version();
        self.put(by, path, "closure", version, Value::Null).await
    }

    async fn shield(&self, by: &Caller) -> Answer {
        self.index.get(by, &self.child.path("/shield")).await
    }

    async fn lift(&self, by: &Caller) -> Answer {
        let version = self.shield(&self.first).await.expect(200).version();
        self.index.delete(by, &self.child.path("/shield"), version).await
    }

    /// Whether the database has this child shielded, and everything that a shield hides sealed.
    pub(crate) async fn shielded(&self, child: &Child) -> bool {
        let held: (bool, bool) = sqlx::query_as(
            "select c.shielded, bool_and(w.sealed is not null and w.kind is null)
             from child c join whereabouts w using (child_id) where child_id = $1 group by 1",
        )
        .bind(child.id)
        .fetch_one(&self.index.db)
        .await
        .unwrap();
        assert_eq!(held.0, held.1, "a shield seals");
        held.0
    }

    /// What people were told: kind, role, whom, and the day.
    async fn notices(&self) -> Vec<(String, String, Option<Uuid>, Option<String>)> {
        sqlx::query_as(
            "select kind, role, organisation_id, due_on::text from notice order by told_at, kind, role",
        )
        .fetch_all(&self.index.db)
        .await
        .unwrap()
    }

    async fn run(&self, statement: &str, one: Uuid, other: Uuid) -> Result<(), sqlx::Error> {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).bind(one).bind(other);
        done.execute(&self.index.db).await.map(|_| ())
    }

    /// Makes the records of two children those of one person.
    async fn one_person(&self, other: &Child) {
        let make = "with p as (insert into person (person_id) values ($1) returning person_id)
             select person_id, $2 from p";
        self.run(make, self.child.id, other.id).await.unwrap();
        let join = "update child set person_id = $1 where child_id in ($1, $2)";
        self.run(join, self.child.id, other.id).await.unwrap();
    }

    /// A child, shielded because the record resembles that of the town's child, by the request at this path.
    async fn resembling(&self) -> (Child, String) {
        let other = self.index.child(self.council).await;
        let body = json!({ "ground": "adoption", "emergency": true });
        let asked = self.index.post(&self.teacher, &other.path("/shield-requests"), body).await;
        let path = asked.expect(201).header("Location").to_owned();
        let found =
            "update shield_request set ground = 'resemblance', asked_by = null, emergency = false,
                 resembles = (select person_id from child where child_id = $2) where child_id = $1";
        self.run(found, other.id, self.child.id).await.unwrap();
        (other, path)
    }
}

fn id(path: &str) -> Uuid {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

fn members(body: &Value) -> Vec<&str> {
    let mut members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

#[actix_web::test]
async fn a_shield_is_asked_for_by_one_and_approved_once_by_another() {
    let town = Town::new().await;
    let asked = town.ask(json!({ "ground": "domesticAbuse" })).await.expect(201);
    let plain =
        ["askedAt", "askedBy", "emergency", "ground", "id", "indexNumber", "status", "version"];
    assert_eq!(members(&asked.body), plain);
    assert_eq!((&asked.body["status"], asked.version()), (&json!("asked"), 1));
    let event = town.index.event(&asked).await;
    assert_eq!(event["children"], json!([town.child.id]));
    assert!(!town.shielded(&town.child).await, "asking shields nobody");
    let path = asked.header("Location").to_owned();
    let told = ("shieldAsked".into(), "shieldApprover".into(), Some(town.council.id), None);
    assert_eq!(town.notices().await, [told]);

    let approved = town.decide(&town.first, &path, "approved").await.expect(200);
    assert_eq!(approved.body["status"], "inForce");
    assert_eq!(approved.body["reviewOn"], "2027-05-16");
    assert_eq!(approved.body["decidedBy"], json!(town.first.id));
    assert!(town.shielded(&town.child).await);
    let own = town.index.get(&town.teacher, &path).await.expect(200);
    assert_eq!(own.body["status"], "inForce");
    let hidden = ["decidedBy", "reviewOn", "closedBy", "resembles"];
    assert!(hidden.iter().all(|member| own.body.get(member).is_none()), "{:#}", own.body);

    let stale = town.decide(&town.second, &path, "declined").await;
    stale.refused(412, "precondition-failed");
    let again = json!({ "decision": "declined" });
    town.put(&town.second, &path, "decision", 2, again).await.refused(409, "shield-request-status");
    assert!(town.shielded(&town.child).await);
}

#[actix_web::test]
async fn an_emergency_shields_at_once_and_is_to_be_confirmed_within_5_working_days() {
    let town = Town::new().await;
    town.at("2026-12-23T10:00:00Z");
    let asked = town.ask(json!({ "ground": "courtOrder", "emergency": true })).await.expect(201);
    assert_eq!(
        (&asked.body["status"], &asked.body["confirmBy"]),
        (&json!("inForce"), &json!("2027-01-04"))
    );
    assert!(town.shielded(&town.child).await);
    let due = Some("2027-01-04".to_owned());
    let told = ("emergencyShield".into(), "shieldApprover".into(), Some(town.council.id), due);
    assert_eq!(town.notices().await, [told]);

    let path = asked.header("Location").to_owned();
    let confirmed = town.decide(&town.first, &path, "approved").await.expect(200);
    assert!(confirmed.body.get("confirmBy").is_none());
    assert_eq!(confirmed.body["emergency"], true);
    assert!(town.shielded(&town.child).await);
}

#[actix_web::test]
async fn declining_an_emergency_takes_no_shield_away() {
    let town = Town::new().await;
    let path = town.emergency().await;
    let declined = town.decide(&town.first, &path, "declined").await.expect(200);
    assert_eq!(declined.body["status"], "declined");
    assert!(town.shielded(&town.child).await);
    town.lift(&town.first).await.refused(403, "forbidden");
    assert!(town.shielded(&town.child).await, "who declined does not lift");
    town.lift(&town.second).await.expect(200);
    assert!(!town.shielded(&town.child).await);
}

#[actix_web::test]
async fn nobody_decides_on_what_they_asked_on_any_path() {
    let town = Town::new().await;
    let request = town.index.shield_request(&town.child, &town.first).await;
    let path = format!("/v1/shield-requests/{request}");
    for decision in ["approved", "declined"] {
        town.decide(&town.first, &path, decision).await.refused(403, "forbidden");
    }
    let own = "update shield_request set status = 'declined', decided_by = $2, decided_at = now()
               where shield_request_id = $1";
    let refused = town.run(own, request, town.first.id).await.unwrap_err();
    let constraint = refused.as_database_error().unwrap().constraint().unwrap().to_owned();
    assert_eq!(constraint, "shield_request_decided_by_another");
    town.decide(&town.second, &path, "approved").await.expect(200);
}

#[actix_web::test]
async fn a_request_is_seen_by_who_asked_and_who_decides_and_is_unknown_to_all_others() {
    let town = Town::new().await;
    let path = town.asked(json!({ "ground": "trafficking" })).await;
    let colleague = town.index.account(Role::Practitioner, town.school).await;
    let unknown = format!("/v1/shield-requests/{}", Uuid::new_v4());
    for other in [&colleague, &town.steward, &town.stranger] {
        let hidden = town.index.get(other, &path).await.refused(404, "not-found");
        let absent = town.index.get(other, &unknown).await.refused(404, "not-found");
        assert_eq!(hidden.body, absent.body);
        let list = town.index.get(other, "/v1/shield-requests").await.expect(200);
        assert_eq!(list.body["items"], json!([]));
    }
    for decision in [json!({ "decision": "approved" }), json!({ "decision": "declined" })] {
        let hidden = town.put(&town.stranger, &path, "decision", 1, decision.clone()).await;
        let absent = town.put(&town.stranger, &unknown, "decision", 1, decision).await;
        assert_eq!(hidden.refused(404, "not-found").body, absent.refused(404, "not-found").body);
    }
    for seer in [&town.teacher, &town.first, &town.second] {
        town.index.get(seer, &path).await.expect(200);
        let list = town.index.get(seer, "/v1/shield-requests?status=asked").await.expect(200);
        assert_eq!(list.body["items"][0]["id"], json!(id(&path)));
        let none = town.index.get(seer, "/v1/shield-requests?status=closed").await.expect(200);
        assert_eq!(none.body["items"], json!([]));
    }
    let mediated = [("On-Behalf-Of", town.stranger.id.to_string())];
    let headers = mediated.each_ref().map(|(name, value)| (*name, value.as_str()));
    for caller in [&town.first, &town.teacher] {
        town.index.request(caller, "GET", &path, (), &headers).await.refused(404, "not-found");
    }
}

#[actix_web::test]
async fn requests_are_listed_a_page_at_a_time() {
    let town = Town::new().await;
    let mut asked = Vec::new();
    for ground in ["trafficking", "adoption", "courtOrder"] {
        asked.push(id(&town.asked(json!({ "ground": ground })).await));
    }
    let (mut found, mut path) = (Vec::<Uuid>::new(), "/v1/shield-requests?limit=2".to_owned());
    loop {
        let page = town.index.get(&town.first, &path).await.expect(200);
        let items = page.body["items"].as_array().unwrap().clone();
        found
            .extend(items.iter().map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap()));
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("/v1/shield-requests?limit=2&after={next}");
    }
    found.sort();
    asked.sort();
    assert_eq!(found, asked);
}

#[actix_web::test]
async fn what_may_not_be_said_of_a_shield_is_refused_where_it_stands() {
    let town = Town::new().await;
    for ground in ["resemblance", "gossip"] {
        let refused = town.ask(json!({ "ground": ground })).await.refused(422, "invalid-value");
        assert_eq!(refused.pointers(), ["/ground"]);
    }
    let path = town.asked(json!({ "ground": "adoption" })).await;
    for (body, pointer) in [
        (json!({ "decision": "samePerson" }), "/decision"),
        (json!({ "decision": "distinct" }), "/decision"),
        (json!({ "decision": "approved", "reviewOn": "2026-11-16" }), "/reviewOn"),
        (json!({ "decision": "approved", "reviewOn": "2027-05-17" }), "/reviewOn"),
        (json!({ "decision": "declined", "reviewOn": "2026-12-16" }), "/reviewOn"),
    ] {
        let refused = town.put(&town.first, &path, "decision", 1, body).await;
        assert_eq!(refused.refused(422, "invalid-value").pointers(), [pointer]);
    }
    for what in ["review", "closure"] {
        let early = town.put(&town.first, &path, what, 1, json!({})).await;
        early.refused(409, "shield-request-status");
    }
    assert!(!town.shielded(&town.child).await);
}

#[actix_web::test]
async fn a_request_that_is_repeated_with_its_key_is_made_once_and_two_are_kept_apart() {
    let town = Town::new().await;
    let (path, body) = (town.child.path("/shield-requests"), json!({ "ground": "exploitation" }));
    let key = [("Idempotency-Key", "asked-once-only")];
    let once =
        town.index.request(&town.teacher, "POST", &path, body.clone(), &key).await.expect(201);
    let again =
        town.index.request(&town.teacher, "POST", &path, body.clone(), &key).await.expect(201);
    assert_eq!(once.body, again.body);
    let other = town.index.post(&town.steward, &path, body).await.expect(201);
    assert_ne!(other.body["id"], once.body["id"]);
    let shield = town.shield(&town.steward).await.expect(200);
    assert_eq!(shield.body["requests"].as_array().unwrap().len(), 2);
    assert_eq!(shield.body["shielded"], false);
}

#[actix_web::test]
async fn a_shield_is_lifted_by_another_once_no_request_holds_it_up() {
    let town = Town::new().await;
    let carer = town.index.carer(&town.child).await;
    let before = town.index.get(&town.teacher, &town.child.path("")).await.expect(200).body;
    let [one, other] = [town.emergency().await, town.asked(json!({ "ground": "adoption" })).await];
    town.decide(&town.first, &one, "approved").await.expect(200);
    town.decide(&town.second, &other, "approved").await.expect(200);
    town.lift(&town.second).await.refused(409, "shield-requested");
    town.at("2026-11-17T10:00:00Z");
    town.close(&town.second, &one).await.expect(200);
    town.lift(&town.first).await.refused(409, "shield-requested");
    assert!(town.shielded(&town.child).await);
    town.at("2026-11-18T10:00:00Z");
    let closed = town.close(&town.first, &other).await.expect(200);
    assert_eq!(
        (&closed.body["status"], &closed.body["closedBy"]),
        (&json!("closed"), &json!(town.first.id))
    );
    town.close(&town.second, &other).await.refused(409, "shield-request-status");
    assert!(town.shielded(&town.child).await, "closing opens nothing");
    town.lift(&town.first).await.refused(403, "forbidden");
    assert!(town.shielded(&town.child).await, "one alone opens nothing");

    let lifted = town.lift(&town.second).await.expect(200);
    assert_eq!(lifted.body["shielded"], false);
    assert!(!town.shielded(&town.child).await);
    let after = town.index.get(&town.teacher, &town.child.path("")).await.expect(200).body;
    assert_eq!(after["whereabouts"], before["whereabouts"]);
    assert_eq!(after["carers"][0]["id"], json!(carer));
    assert_eq!(after["carers"], before["carers"]);
    town.lift(&town.second).await.refused(409, "not-shielded");
}

#[actix_web::test]
async fn a_request_on_any_record_of_the_person_holds_the_shield_up_on_all() {
    let town = Town::new().await;
    let other = town.index.child(town.council).await;
    town.one_person(&other).await;
    let one = town.emergency().await;
    assert!(town.shielded(&town.child).await && town.shielded(&other).await);
    let body = json!({ "ground": "carerAtRisk" });
    let second = town.index.post(&town.teacher, &other.path("/shield-requests"), body).await;
    let second = second.expect(201).header("Location").to_owned();
    town.close(&town.first, &one).await.expect(200);
    town.lift(&town.second).await.refused(409, "shield-requested");
    town.at("2026-11-17T10:00:00Z");
    town.decide(&town.first, &second, "declined").await.expect(200);
    town.lift(&town.second).await.expect(200);
    assert!(!town.shielded(&town.child).await && !town.shielded(&other).await);
}

#[actix_web::test]
async fn who_asked_does_not_lift() {
    let town = Town::new().await;
    let path = town.emergency().await;
    town.close(&town.first, &path).await.expect(200);
    let asked = "update shield_request set asked_by = $2 where shield_request_id = $1";
    town.run(asked, id(&path), town.second.id).await.unwrap();
    town.lift(&town.second).await.refused(403, "forbidden");
    assert!(town.shielded(&town.child).await);
}

#[actix_web::test]
async fn a_record_that_resembles_one_of_a_shielded_person_is_looked_at_and_opens_by_neither_answer()
{
    for decision in ["samePerson", "distinct"] {
        let town = Town::new().await;
        town.emergency().await;
        let (other, path) = town.resembling().await;
        let found = town.index.get(&town.first, &path).await.expect(200);
        assert_eq!(found.body["resembles"], json!([town.child.number]));
        let wrong = town.decide(&town.first, &path, "approved").await;
        assert_eq!(wrong.refused(422, "invalid-value").pointers(), ["/decision"]);
        town.close(&town.first, &path).await.refused(409, "shield-request-status");

        let decided = town.decide(&town.first, &path, decision).await.expect(200);
        assert!(town.shielded(&other).await, "{decision}");
        let told: (bool, i64) = sqlx::query_as(
            "select (select person_id from child where child_id = $1) = (select person_id from child where child_id = $2),
                    (select count(*) from distinct_persons)",
        )
        .bind(town.child.id)
        .bind(other.id)
        .fetch_one(&town.index.db)
        .await
        .unwrap();
        if decision == "samePerson" {
            assert_eq!((&decided.body["status"], told), (&json!("closed"), (true, 0)));
            let shield = other.path("/shield");
            let version = town.index.get(&town.second, &shield).await.expect(200).version();
            let held = town.index.delete(&town.second, &shield, version).await;
            held.refused(409, "shield-requested");
        } else {
            assert_eq!((&decided.body["status"], told), (&json!("declined"), (false, 1)));
        }
    }
}

#[actix_web::test]
async fn a_record_joins_a_person_who_is_shielded_no_more_only_by_shielding_that_one_again() {
    let town = Town::new().await;
    let first = town.emergency().await;
    let (other, path) = town.resembling().await;
    town.close(&town.first, &first).await.expect(200);
    town.lift(&town.second).await.expect(200);
    town.decide(&town.first, &path, "samePerson").await.expect(200);
    assert!(town.shielded(&town.child).await && town.shielded(&other).await);
}

#[actix_web::test]
async fn a_shield_is_seen_by_the_authority_that_answers_and_by_no_other() {
    let town = Town::new().await;
    town.emergency().await;
    for own in [&town.steward, &town.first] {
        let shield = town.shield(own).await.expect(200);
        assert_eq!(shield.body["shielded"], true);
        assert_eq!(shield.body["requests"][0]["ground"], "threatToLife");
    }
    let steward = town.index.account(Role::Steward, town.stranger.organisation).await;
    for other in [&town.stranger, &steward, &town.teacher] {
        town.shield(other).await.refused(403, "forbidden");
    }
    town.index
        .delete(&town.stranger, &town.child.path("/shield"), 1)
        .await
        .refused(403, "forbidden");
    let behalf = town.stranger.id.to_string();
    let headers = [("On-Behalf-Of", behalf.as_str())];
    let path = town.child.path("/shield");
    let mediated = town.index.request(&town.first, "GET", &path, (), &headers).await;
    mediated.refused(403, "forbidden");
}

#[actix_web::test]
async fn deciding_and_lifting_need_a_fresh_sign_in() {
    let town = Town::new().await;
    let path = town.emergency().await;
    let token = format!("Bearer {}", town.index.token(&town.first));
    town.at("2026-11-16T09:35:01Z");
    let headers = [("Authorization", token.as_str()), ("If-Match", "\"1\"")];
    let shield = town.child.path("/shield");
    for (method, path, body) in [
        ("PUT", format!("{path}/decision"), json!({ "decision": "approved" })),
        ("PUT", format!("{path}/review"), json!({})),
        ("PUT", format!("{path}/closure"), Value::Null),
        ("DELETE", shield, Value::Null),
    ] {
        let late = town.index.request(None, method, &path, body, &headers).await;
        late.refused(401, "step-up-required");
    }
    town.decide(&town.first, &path, "approved").await.expect(200);
}

#[actix_web::test]
async fn reviews_and_confirmations_that_are_missed_are_told_once_and_open_nothing() {
    let town = Town::new().await;
    let remind = async |day: &str| {
        town.at(&format!("{day}T08:00:00Z"));
        let mut errands = town.index.errands("retention").await;
        let today = errands.today();
        shield::store::remind(&mut errands, today).await.unwrap()
    };
    let emergency = town.emergency().await;
    assert_eq!(remind("2026-11-23").await, 0, "the last day is not over");
    assert_eq!((remind("2026-11-24").await, remind("2026-11-25").await), (2, 0));
    let approved = json!({ "decision": "approved", "reviewOn": "2026-12-25" });
    town.put(&town.first, &emergency, "decision", 1, approved).await.expect(200);
    assert_eq!((remind("2026-12-10").await, remind("2026-12-11").await), (0, 1));
    assert_eq!((remind("2026-12-25").await, remind("2026-12-26").await), (0, 2));
    assert_eq!(remind("2027-11-26").await, 0);
    assert!(town.shielded(&town.child).await, "nothing opens by itself");
    let kinds: Vec<_> = town.notices().await.into_iter().map(|told| (told.0, told.1)).collect();
    let expected = [
        ("emergencyShield", "shieldApprover"),
        ("emergencyShieldUnconfirmed", "operator"),
        ("emergencyShieldUnconfirmed", "shieldApprover"),
        ("shieldReviewDue", "shieldApprover"),
        ("shieldReviewLapsed", "operator"),
        ("shieldReviewLapsed", "shieldApprover"),
    ];
    assert_eq!(kinds, expected.map(|(kind, role)| (kind.to_owned(), role.to_owned())));

    let next = json!({ "reviewOn": "2028-05-26" });
    town.put(&town.second, &emergency, "review", 2, json!({ "reviewOn": "2028-05-27" }))
        .await
        .refused(422, "invalid-value");
    let reviewed = town.put(&town.second, &emergency, "review", 2, next).await.expect(200);
    assert_eq!(reviewed.body["reviewOn"], "2028-05-26");
    assert_eq!(remind("2028-05-20").await, 1, "the next review is told of anew");
}

#[actix_web::test]
async fn of_two_who_decide_at_once_one_decides() {
    let town = Town::new().await;
    for _ in 0..5 {
        let path = town.asked(json!({ "ground": "adoption" })).await;
        let (one, other) = join(
            town.decide(&town.first, &path, "approved"),
            town.decide(&town.second, &path, "declined"),
        )
        .await;
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{:#} {:#}", one.body, other.body);
        let status = if one.status == 200 { "inForce" } else { "declined" };
        let told = town.index.get(&town.first, &path).await.expect(200);
        assert_eq!(told.body["status"], status);
    }
}

#[actix_web::test]
async fn a_shield_that_is_lifted_while_it_is_asked_for_or_approved_stands_while_a_request_is_in_force()
 {
    let town = Town::new().await;
    let mut ended = town.emergency().await;
    for day in 17..23 {
        town.at(&format!("2026-11-{day}T10:00:00Z"));
        town.close(&town.first, &ended).await.expect(200);
        let version = town.shield(&town.first).await.expect(200).version();
        let shield = town.child.path("/shield");
        let lift = town.index.delete(&town.second, &shield, version);
        let (asked, lifted) =
            join(town.ask(json!({ "ground": "forcedMarriage", "emergency": true })), lift).await;
        ended = asked.expect(201).header("Location").to_owned();
        assert!([200, 409, 412].contains(&lifted.status), "{:#}", lifted.body);
        assert!(town.shielded(&town.child).await, "a request is in force");
    }
    town.at("2026-11-24T10:00:00Z");
    town.close(&town.first, &ended).await.expect(200);
    let path = town.asked(json!({ "ground": "adoption" })).await;
    let (approved, lifted) =
        join(town.decide(&town.first, &path, "approved"), town.lift(&town.second)).await;
    approved.expect(200);
    assert!([409, 412].contains(&lifted.status), "{:#}", lifted.body);
    assert!(town.shielded(&town.child).await);
}

#[actix_web::test]
async fn a_record_in_the_archive_is_none_that_another_may_still_be_seen_to_resemble() {
    let town = Town::new().await;
    town.emergency().await;
    let (_, path) = town.resembling().await;
    let resembles =
        async || town.index.get(&town.first, &path).await.expect(200).body["resembles"].clone();
    assert_eq!(resembles().await, json!([town.child.number]));
    let end = "update child set archives_on = '2026-11-17' where child_id = $1 and child_id <> $2";
    town.run(end, town.child.id, Uuid::nil()).await.unwrap();
    assert_eq!(resembles().await, json!([town.child.number]));
    town.at("2026-11-17T00:00:00Z");
    assert_eq!(resembles().await, json!([]));
}

#[actix_web::test]
async fn what_is_written_of_a_person_at_once_waits_and_never_stands_in_each_other_s_way() {
    let town = Town::new().await;
    town.emergency().await;
    let other = town.index.child(town.council).await;
    town.index.shield(&other).await;
    let joined = "update child set person_id = (select person_id from child where child_id = $1) where child_id = $2";
    town.run(joined, town.child.id, other.id).await.unwrap();
    for n in 0..10 {
        let gender = ["male", "female", "notSpecified"][n % 3];
        let change = json!({ "gender": gender });
        let path = [&town.child, &other][n % 2].path("");
        let version = town.index.get(&town.steward, &path).await.expect(200).version();
        let asked = json!({ "ground": "courtOrder", "emergency": true });
        let (changed, asked) = join(
            town.index.patch(&town.steward, &path, version, change),
            town.index.post(&town.teacher, &town.child.path("/shield-requests"), asked),
        )
        .await;
        assert_eq!(
            (changed.status, asked.status),
            (200, 201),
            "{:#} {:#}",
            changed.body,
            asked.body
        );
    }
}

#[actix_web::test]
async fn two_who_say_at_once_of_either_record_that_it_is_the_other_s_person_are_both_heard() {
    for _ in 0..5 {
        let town = Town::new().await;
        let own = town.emergency().await;
        let (other, path) = town.resembling().await;
        let found =
            "update shield_request set ground = 'resemblance', asked_by = null, emergency = false,
             resembles = (select person_id from child where child_id = $2) where child_id = $1";
        town.run(found, town.child.id, other.id).await.unwrap();
        let (one, two) = join(
            town.decide(&town.first, &own, "samePerson"),
            town.decide(&town.second, &path, "samePerson"),
        )
        .await;
        assert_eq!((one.status, two.status), (200, 200), "{:#} {:#}", one.body, two.body);
        let persons: i64 = sqlx::query_scalar(
            "select count(distinct person_id) from child where child_id in ($1, $2)",
        )
        .bind(town.child.id)
        .bind(other.id)
        .fetch_one(&town.index.db)
        .await
        .unwrap();
        assert_eq!(persons, 1);
    }
}
