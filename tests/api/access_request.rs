//! Requests for access: asked by anyone, decided once by those whose area it is, never by whoever asked.

use contactpoint::{
    access::Role,
    database,
    session::totp::{Seed, code_at},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Index, Organisation},
    session::{after, outside},
    written,
};

/// A council with a school in its area, and those who might decide.
struct Place {
    index: Index,
    council: Organisation,
    school: Organisation,
    partner: Organisation,
    /// Of the council.
    decider: Caller,
    operator: Caller,
}

impl Place {
    async fn new() -> Self {
        let index = Index::start().await;
        let council = index.authority().await;
        let school = index.organisation("school", Some(council)).await;
        let partner = index.organisation("nationalPartner", None).await;
        for (code, organisation) in [("urn", school), ("reference", partner)] {
            let code =
                format!("update organisation set {code} = '900001' where organisation_id = $1");
            let code = sqlx::query(sqlx::AssertSqlSafe(code)).bind(organisation.id);
            code.execute(&index.db).await.unwrap();
        }
        let decider = index.account(Role::AccountAdministrator, council).await;
        let national = index.organisation("nationalPartner", None).await;
        let operator = index.account(Role::Operator, national).await;
        Self { index, council, school, partner, decider, operator }
    }

    async fn ask(&self, body: Value) -> Answer {
        self.index.request(None, "POST", "/v1/access-requests", body, &[]).await
    }

    /// The path of a request to the school, asked by somebody unknown.
    async fn asked(&self) -> String {
        path(self.index.access_request(self.school).await)
    }

    async fn decide(&self, by: &Caller, path: &str, body: Value) -> Answer {
        self.index.put(by, &format!("{path}/decision"), 1, body).await
    }

    async fn requests(&self, by: &Caller, query: &str) -> Vec<Value> {
        let page = self.index.get(by, &format!("/v1/access-requests?{query}")).await.expect(200);
        page.body["items"].as_array().unwrap().clone()
    }

    async fn stored(&self) -> i64 {
        let count = sqlx::query_scalar("select count(*) from access_request");
        count.fetch_one(&self.index.db).await.unwrap()
    }
}

fn path(id: Uuid) -> String {
    format!("/v1/access-requests/{id}")
}

fn body() -> Value {
    json!({ "name": "Asking Person", "email": "asking.person@example.org", "officeHours": "01632 960001",
        "organisation": "urn:900001", "role": "practitioner" })
}

fn approval(name: &str) -> Value {
    json!({ "decision": "approved", "userName": name, "policeCheckedOn": "2026-01-12", "trainedOn": "2026-02-03",
        "agreementSignedOn": "2026-02-03" })
}

#[actix_web::test]
async fn anyone_asks_and_is_told_the_same_whatever_the_index_holds() {
    let place = Place::new().await;
    let first = place.ask(body()).await.expect(202);
    assert_eq!(first.body, json!({ "status": "received" }));
    let made = place.requests(&place.decider, "status=pending").await;
    assert_eq!((made.len(), &made[0]["name"]), (1, &json!("Asking Person")));
    let details = json!({ "accessRequest": made[0]["id"], "role": "practitioner" });
    assert_eq!(place.index.event(&first).await["details"], details);

    let mut again = body();
    again["name"] = json!("PERSON Asking");
    again["email"] = json!("Asking.Person@Example.org");
    let again = place.ask(again).await.expect(202);
    let mut unknown = body();
    unknown["organisation"] = json!("urn:900009");
    let unknown = place.ask(unknown).await.expect(202);
    assert_eq!(place.stored().await, 1, "nothing is kept twice, and nothing of nobody");
    for answer in [again, unknown] {
        assert_eq!(outside(&answer), outside(&first));
        let details = json!({ "accessRequest": null, "role": "practitioner" });
        assert_eq!(place.index.event(&answer).await["details"], details);
    }
    let mut other = body();
    other["role"] = json!("auditor");
    place.ask(other).await.expect(202);
    assert_eq!(place.stored().await, 2, "another role is another request");
}

#[actix_web::test]
async fn the_same_request_sent_at_once_is_kept_once() {
    let place = Place::new().await;
    let answers = join_all((0..8).map(|_| place.ask(body()))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(place.stored().await, 1);
}

#[actix_web::test]
async fn what_cannot_be_asked_for_is_refused_and_nothing_of_it_is_kept() {
    let place = Place::new().await;
    for (member, value) in [
        ("role", json!("operator")),
        ("role", json!("practitionerWithOverride")),
        ("role", json!("feed")),
        ("role", json!("subject")),
        ("organisation", json!("900001")),
        ("organisation", json!("urn:1")),
        ("email", json!("nobody")),
        ("officeHours", json!("call me")),
        ("name", json!("")),
    ] {
        let mut body = body();
        body[member] = value;
        let answer = place.ask(body).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [format!("/{member}")]);
    }
    let mut body = body();
    body["why"] = json!("please");
    place.ask(body).await.refused(422, "unknown-property");
    assert_eq!(place.stored().await, 0);
}

#[actix_web::test]
async fn a_network_that_asks_too_often_waits() {
    let place = Place::new().await;
    for _ in 0..60 {
        place.ask(body()).await.expect(202);
    }
    let wait = place.ask(body()).await.refused(429, "too-many-requests");
    assert!(!wait.header("Retry-After").is_empty());
    place.index.clock.set(after(61));
    place.ask(body()).await.expect(202);
}

#[actix_web::test]
async fn somebody_signed_in_is_noted_as_the_asker_and_a_bad_token_is_refused() {
    let place = Place::new().await;
    let asker = place.index.account(Role::Practitioner, place.school).await;
    let answer = place.index.post(&asker, "/v1/access-requests", body()).await.expect(202);
    let made = place.requests(&place.decider, "").await;
    assert_eq!(made[0]["askedBy"], json!(asker.id));
    assert_eq!(place.index.event(&answer).await["account_id"], json!(asker.id));
    let headers = [("Authorization", "Bearer nonsense")];
    let answer = place.index.request(None, "POST", "/v1/access-requests", body(), &headers).await;
    answer.refused(401, "unauthenticated");
    sqlx::query("update session set ended_at = now()").execute(&place.index.db).await.unwrap();
    let mut other = body();
    other["role"] = json!("auditor");
    let answer = place.index.post(&asker, "/v1/access-requests", other).await;
    answer.refused(401, "unauthenticated");
    assert_eq!(place.stored().await, 1);
}

#[actix_web::test]
async fn the_council_of_the_area_decides_and_for_national_partners_the_operator() {
    let place = Place::new().await;
    let there = place.index.authority().await;
    let others = [
        place.index.account(Role::AccountAdministrator, there).await,
        place.index.account(Role::AccountAdministrator, place.school).await,
        place.index.account(Role::AccountAdministrator, place.partner).await,
    ];
    let (council, operator) = (&place.decider, &place.operator);
    for (organisation, decider) in
        [(place.school, council), (place.council, council), (place.partner, operator)]
    {
        let request = path(place.index.access_request(organisation).await);
        let unseen = [council, operator].into_iter().filter(|caller| caller.id != decider.id);
        for (n, stranger) in unseen.chain(&others).enumerate() {
            place.index.get(stranger, &request).await.refused(404, "not-found");
            let decision = approval(&format!("stranger.{}", ["a", "b", "c", "d"][n]));
            place.decide(stranger, &request, decision).await.refused(404, "not-found");
            let listed = place.requests(stranger, "").await;
            assert!(listed.iter().all(|listed| path_of(listed) != request));
        }
        let told = place.index.get(decider, &request).await.expect(200);
        assert_eq!((told.version(), &told.body["status"]), (1, &json!("pending")));
        let listed = place.requests(decider, "status=pending").await;
        assert_eq!(listed.iter().filter(|listed| path_of(listed) == request).count(), 1);
        let declined = json!({ "decision": "declined", "reason": "notNeeded" });
        let told = place.decide(decider, &request, declined).await.expect(200);
        assert_eq!((&told.body["status"], told.version()), (&json!("declined"), 2));
        assert_eq!(told.body["reason"], "notNeeded");
    }
    let practitioner = place.index.account(Role::Practitioner, place.council).await;
    let request = place.asked().await;
    place.index.get(&practitioner, &request).await.refused(403, "forbidden");
}

fn path_of(listed: &Value) -> String {
    format!("/v1/access-requests/{}", listed["id"].as_str().unwrap())
}

#[actix_web::test]
async fn an_approval_makes_the_account_and_its_person_enrols() {
    let place = Place::new().await;
    place.ask(body()).await.expect(202);
    let request = path_of(&place.requests(&place.decider, "").await[0]);
    let told = place.decide(&place.decider, &request, approval("asking.person")).await.expect(200);
    let (account, invitation) = (&told.body["accountId"], &told.body["invitation"]);
    assert_eq!((&told.body["status"], told.version()), (&json!("approved"), 2));
    assert_eq!(told.body["decidedBy"], json!(place.decider.id));
    assert_eq!((&invitation["accountId"], &invitation["purpose"]), (account, &json!("enrolment")));
    let details = json!({ "accessRequest": told.body["id"], "decision": "approved", "reason": null,
        "account": account, "role": "practitioner" });
    let operation = "decide_access_request";
    written::done(&place.index, &told, &place.decider, operation, &[], details).await;

    let own = place.index.account(Role::AccountAdministrator, place.school).await;
    let path = format!("/v1/accounts/{}", account.as_str().unwrap());
    let made = place.index.get(&own, &path).await.expect(200).body;
    assert_eq!(made["organisationId"], json!(place.school.id));
    assert_eq!((&made["name"], &made["status"]), (&json!("Asking Person"), &json!("invited")));
    place.index.get(&place.decider, &path).await.refused(404, "not-found");

    let secret = invitation["invitation"].as_str().unwrap();
    let again = place.index.get(&place.decider, &request).await.expect(200);
    assert_eq!(again.body.get("invitation"), None, "it is told once");
    for table in ["access_request", "invitation", "audit_event"] {
        let dump = format!("select coalesce(string_agg(t::text, ''), '') from {table} t");
        let dump = sqlx::query_scalar(sqlx::AssertSqlSafe(dump));
        let dump: String = dump.fetch_one(&place.index.db).await.unwrap();
        assert!(!dump.contains(secret), "{table}");
    }
    enrols_and_signs_in(&place.index, secret, "asking.person").await;
}

#[actix_web::test]
async fn whoever_lost_the_invitation_is_invited_again_until_they_have_enrolled() {
    let place = Place::new().await;
    let request = place.asked().await;
    let path = format!("{request}/invitations");
    let invite = || place.index.post(&place.decider, &path, Value::Null);
    invite().await.refused(409, "access-request-ended");
    let told = place.decide(&place.decider, &request, approval("asking.person")).await.expect(200);
    let lost = json!({ "invitation": told.body["invitation"]["invitation"] });
    let invited = invite().await.expect(201);
    let own = place.index.account(Role::AccountAdministrator, place.school).await;
    place.index.post(&own, &path, Value::Null).await.refused(404, "not-found");
    let refused = place.index.request(None, "POST", "/v1/enrolments", lost, &[]).await;
    refused.refused(403, "invitation-refused");
    let event = place.index.event(&invited).await;
    assert_eq!(event["details"]["account"], told.body["accountId"]);
    let secret = invited.body["invitation"].as_str().unwrap();
    enrols_and_signs_in(&place.index, secret, "asking.person").await;
    let again = place.index.account(Role::AccountAdministrator, place.council).await;
    place.index.post(&again, &path, Value::Null).await.refused(409, "access-request-ended");
}

async fn enrols_and_signs_in(index: &Index, invitation: &str, name: &str) {
    let body = json!({ "invitation": invitation });
    let told = index.request(None, "POST", "/v1/enrolments", body, &[]).await.expect(200);
    let seed = Seed::from_uri(told.body["otpauth"].as_str().unwrap()).unwrap();
    let secrets = json!({ "password": "unlikely kestrel over marmalade", "pin": "407713",
        "oneTimeCode": code_at(&seed, index.now()).unwrap() });
    let with = |member: &str, value: &str| {
        let mut body = secrets.clone();
        body[member] = json!(value);
        body
    };
    let completion = with("invitation", invitation);
    index.request(None, "POST", "/v1/enrolments/completion", completion, &[]).await.expect(200);
    let factors = with("userName", name);
    index.request(None, "POST", "/v1/sessions", factors, &[]).await.expect(200);
}

#[actix_web::test]
async fn nobody_decides_on_their_own_request() {
    let place = Place::new().await;
    let (own, colleague) =
        (&place.decider, place.index.account(Role::AccountAdministrator, place.council).await);
    let named = |caller: &Caller, name: &str, user_name: &str| {
        sqlx::query("update account set name = $2, user_name = $3 where account_id = $1")
            .bind(caller.id)
            .bind(name.to_owned())
            .bind(user_name.to_owned())
            .execute(&place.index.db)
    };
    named(own, "Zoë O'Brien-Hall", "z.hall@example.org").await.unwrap();
    named(&colleague, "Colleague Person", "colleague.person").await.unwrap();
    let mut requests = Vec::new();
    for (n, (name, email, asker)) in [
        ("Asking Person", "asking@example.org", Some(own)),
        ("HALL Zoe O’BRIEN", "asking@example.org", None),
        ("Asking Person", "Z.Hall@Example.org", None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = body();
        (body["name"], body["email"]) = (json!(name), json!(email));
        place.index.request(asker, "POST", "/v1/access-requests", body, &[]).await.expect(202);
        let known = place.requests(own, "").await;
        assert_eq!(known.len(), n + 1);
        let made = known.iter().map(path_of).find(|path| !requests.contains(path)).unwrap();
        let answer = place.decide(own, &made, approval("asking.person")).await;
        let answer = answer.refused(403, "forbidden");
        assert_eq!(answer.body["policy"]["scope"], "access-request:decide");
        let id = made.rsplit('/').next().unwrap();
        let asked = json!({ "accessRequestId": id });
        written::refused(&place.index, &answer, Some(own), "decide_access_request", asked).await;
        requests.push(made);
    }
    for (n, request) in requests.iter().enumerate() {
        let name = format!("asking.person.{}", ["a", "b", "c"][n]);
        place.decide(&colleague, request, approval(&name)).await.expect(200);
    }
}

#[actix_web::test]
async fn a_request_is_decided_once() {
    let place = Place::new().await;
    let request = place.asked().await;
    let other = place.index.account(Role::AccountAdministrator, place.council).await;
    let tries = (0..8).map(|n| {
        let by = if n % 2 == 0 { &place.decider } else { &other };
        let name = format!("asking.person.{}", ["a", "b", "c", "d", "e", "f", "g", "h"][n]);
        let decision = if n < 4 { approval(&name) } else { json!({ "decision": "declined" }) };
        place.decide(by, &request, decision)
    });
    let answers = join_all(tries).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(200), of(412)), (1, 7));
    let decision = format!("{request}/decision");
    let late = place.index.put(&other, &decision, 2, approval("asking.person.z")).await;
    late.refused(409, "access-request-ended");
    let made: i64 = sqlx::query_scalar("select count(*) from account where status = 'invited'")
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert_eq!(made, i64::from(answers[..4].iter().any(|answer| answer.status == 200)));
}

#[actix_web::test]
async fn a_decision_that_cannot_be_leaves_the_request_as_it_is() {
    let place = Place::new().await;
    let request = place.asked().await;
    let taken = json!({ "userName": "taken.person", "name": "Example Person", "role": "auditor" });
    place.index.post(&place.decider, "/v1/accounts", taken).await.expect(201);
    let answer = place.decide(&place.decider, &request, approval("TAKEN.person")).await;
    assert_eq!(answer.refused(409, "user-name-held").pointers(), ["/userName"]);
    for (member, value) in [
        ("role", json!("steward")),
        ("role", json!("feed")),
        ("reason", json!("notNeeded")),
        ("policeCheckedOn", json!("2026-11-17")),
    ] {
        let mut decision = approval("asking.person");
        decision[member] = value;
        let answer = place.decide(&place.decider, &request, decision).await;
        let answer = answer.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [format!("/{member}")]);
    }
    let decision = format!("{request}/decision");
    for (tag, status, problem) in
        [("", 428, "precondition-required"), ("\"2\"", 412, "precondition-failed")]
    {
        let (by, headers) = (&place.decider, [("If-Match", tag)]);
        let answer =
            place.index.request(by, "PUT", &decision, approval("asking.person"), &headers).await;
        answer.refused(status, problem);
    }
    place.decide(&place.decider, &request, approval("asking.person")).await.expect(200);
}

#[actix_web::test]
async fn a_role_may_be_narrowed() {
    let place = Place::new().await;
    let mut asked = body();
    asked["role"] = json!("steward");
    place.ask(asked).await.expect(202);
    let request = path_of(&place.requests(&place.decider, "").await[0]);
    let mut decision = approval("asking.person");
    decision["role"] = json!("practitioner");
    let told = place.decide(&place.decider, &request, decision).await.expect(200);
    let role: String = sqlx::query_scalar("select role from account where account_id = $1::uuid")
        .bind(Uuid::parse_str(told.body["accountId"].as_str().unwrap()).unwrap())
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert_eq!((role.as_str(), &told.body["role"]), ("practitioner", &json!("steward")));
}

#[actix_web::test]
async fn requests_are_decided_only_after_a_fresh_sign_in() {
    let place = Place::new().await;
    let request = place.asked().await;
    let token = format!("Bearer {}", place.index.token(&place.decider));
    let headers = [("Authorization", token.as_str()), ("If-Match", "\"1\"")];
    place.index.clock.set(after(301));
    let decision = format!("{request}/decision");
    let decide = place.index.request(None, "PUT", &decision, approval("asking.person"), &headers);
    decide.await.refused(401, "step-up-required");
    place.index.request(None, "GET", &request, (), &headers[..1]).await.expect(200);
}

#[actix_web::test]
async fn a_request_waits_thirty_days_and_the_asker_is_forgotten_ninety_days_after_it_has_ended() {
    let place = Place::new().await;
    let day = 24 * 3600;
    let tidy = || async {
        let options = (*place.index.db.connect_options()).clone();
        database::tidy(&options, place.index.now()).await.unwrap();
    };
    place.ask(body()).await.expect(202);
    let declined = place.asked().await;
    place.decide(&place.decider, &declined, json!({ "decision": "declined" })).await.expect(200);
    let waiting = place.requests(&place.decider, "status=pending").await;
    let request = path_of(&waiting[0]);

    place.index.clock.set(after(30 * day - 1));
    let told = place.index.get(&place.decider, &request).await.expect(200).body;
    assert_eq!(told["status"], "pending");
    place.index.clock.set(after(30 * day));
    assert_eq!(place.requests(&place.decider, "status=expired").await.len(), 1);
    assert_eq!(place.requests(&place.decider, "status=pending").await.len(), 0);
    let late = place.decide(&place.decider, &request, approval("asking.person")).await;
    late.refused(409, "access-request-ended");
    place.ask(body()).await.expect(202);
    assert_eq!(place.stored().await, 3, "what has expired can be asked for again");

    for (days, held) in [(90, [true, true]), (91, [true, false]), (121, [false, false])] {
        place.index.clock.set(after(days * day));
        tidy().await;
        for (path, held) in [&request, &declined].into_iter().zip(held) {
            let told = place.index.get(&place.decider, path).await.expect(200).body;
            for member in ["name", "email", "officeHours"] {
                assert_eq!(told.get(member).is_some(), held, "{member} after {days} days");
            }
        }
    }
}

#[actix_web::test]
async fn every_page_of_requests_goes_on_where_the_one_before_ended() {
    let place = Place::new().await;
    for _ in 0..5 {
        place.asked().await;
    }
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/access-requests?status=pending&limit=2{next}");
        let page = place.index.get(&place.decider, &path).await.expect(200).body;
        found.extend(page["items"].as_array().unwrap().iter().map(path_of));
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    let several = found.len();
    found.sort();
    found.dedup();
    assert_eq!((several, found.len()), (5, 5));
    for wrong in ["status=gone", "limit=0", "after=nonsense"] {
        let answer = place.index.get(&place.decider, &format!("/v1/access-requests?{wrong}")).await;
        answer.refused(400, "invalid-query");
    }
}
