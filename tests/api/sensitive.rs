//! A sensitive service is there for its own organisation alone, and the database does not know whose it is.

use chrono::TimeDelta;
use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Child, Index, Organisation, TODAY},
    involvement::{service, with},
};

/// What stands nowhere but in a sensitive service.
pub(crate) const CANARY: &str = "Canarywell Team";

/// A child, for whom an authority answers; a clinic, its nurse, and others who know nothing.
pub(crate) struct Ward {
    pub(crate) index: Index,
    pub(crate) authority: Organisation,
    pub(crate) clinic: Organisation,
    pub(crate) nurse: Caller,
    pub(crate) steward: Caller,
    pub(crate) teacher: Caller,
    pub(crate) child: Child,
}

impl Ward {
    pub(crate) async fn new() -> Self {
        let index = Index::start().await;
        let authority = index.authority().await;
        let clinic = index.organisation("healthTrust", Some(authority)).await;
        let school = index.organisation("school", Some(authority)).await;
        let nurse = index.caller(Role::Practitioner, clinic).await;
        let steward = index.caller(Role::Steward, authority).await;
        let teacher = index.caller(Role::Practitioner, school).await;
        let child = index.child(authority).await;
        Self { index, authority, clinic, nurse, steward, teacher, child }
    }

    /// Says that an organisation works with the child.
    pub(crate) async fn say(&self, caller: &Caller, involvement: Value) -> Answer {
        self.index.post(caller, &self.child.path("/involvements"), involvement).await
    }

    /// Everybody who must not know, and a child of whom there is nothing to know.
    async fn others(&self) -> Vec<Caller> {
        let other_clinic = self.index.organisation("healthTrust", Some(self.authority)).await;
        let mut others = vec![self.teacher.clone(), self.steward.clone()];
        for (role, organisation) in [
            (Role::ShieldApprover, self.authority),
            (Role::PractitionerWithOverride, other_clinic),
            (Role::Practitioner, self.authority),
        ] {
            others.push(self.index.caller(role, organisation).await);
        }
        others
    }
}

/// Counselling, begun a fortnight ago with the child's consent.
pub(crate) fn counselling() -> Value {
    let consent =
        json!({ "givenBy": "child", "capacityBasis": "gillickCompetent", "givenOn": "2026-11-02" });
    let contact = json!({ "team": CANARY, "officeHours": "01632 960007" });
    with(with(service("mentalHealth"), "consent", consent), "contact", contact)
}

fn because_of_harm() -> Value {
    with(service("substanceMisuse"), "basis", "significantHarm")
}

/// Every row of a table, as text that nobody has opened.
pub(crate) async fn dump(index: &Index, table: &str) -> String {
    let rows = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
    sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&index.db).await.unwrap()
}

/// What the audit keeps of an answer, as a dump shows it.
pub(crate) async fn kept(index: &Index, answer: &Answer) -> String {
    let kept = "select e::text from audit_event e where request_id = $1";
    sqlx::query_scalar(kept).bind(answer.request_id).fetch_one(&index.db).await.unwrap()
}

#[actix_web::test]
async fn a_sensitive_service_is_said_with_a_consent_or_because_of_significant_harm() {
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let answer = ward.say(nurse, counselling()).await.expect(201);
    let told = &answer.body;
    assert_eq!(told["organisation"]["id"], json!(ward.clinic.id));
    assert_eq!(
        (&told["serviceType"], &told["contact"]["team"]),
        (&json!("mentalHealth"), &json!(CANARY))
    );
    assert_eq!((&told["confirmedOn"], &told["flags"]), (&json!(TODAY), &json!([])));
    assert_eq!(told["source"]["organisationId"], json!(ward.clinic.id));
    assert_eq!(told["consent"]["capacityBasis"], "gillickCompetent");
    assert_eq!(
        (told["consent"]["givenOn"].as_str(), told.get("basis")),
        (Some("2026-11-02"), None)
    );
    let opened = index.get(nurse, answer.header("Location")).await.expect(200);
    assert_eq!((&opened.body, opened.version()), (told, 1));

    let harm = ward.say(nurse, because_of_harm()).await.expect(201);
    assert_eq!(harm.body["basis"], "significantHarm");
    assert!(harm.body.get("consent").is_none());
    let feed = index.caller(Role::Feed, ward.clinic).await;
    index.get(&feed, harm.header("Location")).await.expect(200);

    let list = index.get(nurse, &ward.child.path("/involvements")).await.expect(200);
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    let record = index.get(nurse, &ward.child.path("")).await.expect(200);
    assert_eq!(record.body["involvements"], list.body["items"]);
    for answer in [&answer, &opened, &harm] {
        let kept = kept(index, answer).await;
        let id = answer.body["id"].as_str().unwrap();
        for hidden in [&ward.child.id.to_string(), id, CANARY] {
            assert!(!kept.contains(hidden), "{kept}");
        }
        assert_eq!(
            index.event(answer).await["children"],
            json!([ward.child.id]),
            "auditors read it"
        );
    }
}

#[actix_web::test]
async fn own_sensitive_services_stand_among_the_others_the_latest_first() {
    let ward = Ward::new().await;
    let index = &ward.index;
    ward.say(&ward.nurse, with(service("paediatrics"), "startedOn", "2026-11-01"))
        .await
        .expect(201);
    ward.say(&ward.nurse, counselling()).await.expect(201);
    ward.say(&ward.teacher, with(service("school"), "startedOn", "2026-11-03")).await.expect(201);
    let record = index.get(&ward.nurse, &ward.child.path("")).await.expect(200).body;
    let services: Vec<_> =
        record["involvements"].as_array().unwrap().iter().map(|i| &i["serviceType"]).collect();
    assert_eq!(services, ["school", "mentalHealth", "paediatrics"]);
    let list = index.get(&ward.nurse, &ward.child.path("/involvements")).await.expect(200);
    assert_eq!(list.body["items"], record["involvements"]);
}

#[actix_web::test]
async fn what_it_stands_on_is_one_thing_that_fits() {
    let ward = Ward::new().await;
    let rows = ward.index.rows().await;
    let neither = ward.say(&ward.nurse, service("sexualHealth")).await;
    neither.refused(422, "consent-required");
    let by = |given_by: &str, capacity: &str, day: &str| {
        let consent = json!({ "givenBy": given_by, "capacityBasis": capacity, "givenOn": day });
        with(counselling(), "consent", consent)
    };
    let consent = counselling()["consent"].clone();
    for (body, pointer) in [
        (with(counselling(), "basis", "significantHarm"), "/basis"),
        (with(service("school"), "consent", consent), "/consent"),
        (with(service("school"), "basis", "significantHarm"), "/basis"),
        (by("child", "over16", "2026-11-02"), "/consent/capacityBasis"),
        (by("carer", "gillickCompetent", "2026-11-02"), "/consent/capacityBasis"),
        (by("child", "parentalResponsibility", "2026-11-02"), "/consent/capacityBasis"),
        (by("child", "gillickCompetent", "2015-03-13"), "/consent/givenOn"),
        (by("carer", "courtAppointed", "2026-11-17"), "/consent/givenOn"),
        (with(counselling(), "startedOn", "2026-11-17"), "/startedOn"),
        (with(counselling(), "basis", "because"), "/basis"),
        (by("neighbour", "over16", "2026-11-02"), "/consent/givenBy"),
    ] {
        let answer = ward.say(&ward.nurse, body.clone()).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [pointer], "{body}");
    }
    assert_eq!(ward.index.rows().await, rows, "nothing was stored");
}

#[actix_web::test]
async fn nobody_says_it_for_another_organisation_not_even_the_steward() {
    let ward = Ward::new().await;
    let rows = ward.index.rows().await;
    let named = with(counselling(), "organisationId", ward.clinic.id.to_string());
    for other in [&ward.steward, &ward.teacher] {
        ward.say(other, named.clone()).await.refused(403, "forbidden");
    }
    assert_eq!(ward.index.rows().await, rows);
    ward.say(&ward.nurse, named).await.expect(201);
}

#[actix_web::test]
async fn it_is_said_after_a_fresh_sign_in_and_any_other_service_at_any_time() {
    let ward = Ward::new().await;
    let token = format!("Bearer {}", ward.index.token(&ward.nurse));
    let path = ward.child.path("/involvements");
    let say = async |body: Value| {
        ward.index.request(None, "POST", &path, body, &[("Authorization", &token)]).await
    };
    ward.index.clock.set(ward.index.now() + TimeDelta::minutes(5));
    say(counselling()).await.expect(201);
    ward.index.clock.set(ward.index.now() + TimeDelta::seconds(1));
    let rows = ward.index.rows().await;
    say(because_of_harm()).await.refused(401, "step-up-required");
    assert_eq!(ward.index.rows().await, rows);
    say(service("paediatrics")).await.expect(201);
}

#[actix_web::test]
async fn for_everybody_else_it_is_as_if_there_were_none() {
    let ward = Ward::new().await;
    let (index, plain) = (&ward.index, ward.index.child(ward.authority).await);
    let answer = ward.say(&ward.nurse, counselling()).await.expect(201);
    let (hidden, absent) =
        (answer.header("Location").to_owned(), format!("/v1/involvements/{}", Uuid::new_v4()));
    for other in ward.others().await {
        for rest in ["/involvements", "/flags"] {
            let list = index.get(&other, &ward.child.path(rest)).await.expect(200);
            assert_eq!(list.bytes, index.get(&other, &plain.path(rest)).await.bytes, "{rest}");
        }
        let record = index.get(&other, &ward.child.path("")).await.expect(200).body;
        let without = index.get(&other, &plain.path("")).await.expect(200).body;
        for (member, value) in record.as_object().unwrap() {
            let own = ["indexNumber", "names"].contains(&member.as_str());
            assert!(own || without[member] == *value, "{member}");
        }
        for (method, rest, body) in [
            ("GET", "", Value::Null),
            ("PATCH", "", json!({ "endedOn": TODAY })),
            ("PUT", "/flags/takingAction", json!({})),
            ("DELETE", "/flags/takingAction", Value::Null),
        ] {
            let mut told = Vec::new();
            for path in [&hidden, &absent] {
                let (path, version) = (format!("{path}{rest}"), [("If-Match", "\"1\"")]);
                let answer = index.request(&other, method, &path, body.clone(), &version).await;
                told.push((answer.status, answer.bytes));
            }
            assert_eq!(told[0], told[1], "{method} as {}", other.role);
            assert!(matches!(told[0].0, 403 | 404), "{method} as {}", other.role);
        }
    }
    let again = ward.say(&ward.teacher, service("school")).await;
    again.expect(201);
}

#[actix_web::test]
async fn it_is_confirmed_changed_and_ended_by_its_own_organisation_and_what_it_said_is_kept_sealed()
{
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let answer = ward.say(nurse, counselling()).await.expect(201);
    let path = answer.header("Location");
    let contact = json!({ "team": "Canarywell Night Team", "officeHours": "01632 960008" });
    index
        .patch(nurse, path, 2, json!({ "confirmedOn": TODAY }))
        .await
        .refused(412, "precondition-failed");
    let changed = index.patch(nurse, path, 1, json!({ "contact": contact })).await.expect(200);
    assert_eq!((&changed.body["contact"], changed.version()), (&contact, 2));
    assert_eq!(changed.body["consent"], answer.body["consent"]);
    let early = index.patch(nurse, path, 2, json!({ "endedOn": "2026-11-01" })).await;
    assert_eq!(early.refused(422, "invalid-value").pointers(), ["/endedOn"]);
    let colleague = index.caller(Role::Practitioner, ward.clinic).await;
    let ended = index.patch(&colleague, path, 2, json!({ "endedOn": TODAY })).await.expect(200);
    assert_eq!((&ended.body["endedOn"], ended.version()), (&json!(TODAY), 3));
    let more = index.patch(nurse, path, 3, json!({ "confirmedOn": TODAY })).await;
    more.refused(409, "involvement-ended");

    let kept: i64 = sqlx::query_scalar("select count(*) from sensitive_history")
        .fetch_one(&index.db)
        .await
        .unwrap();
    assert_eq!(kept, 2);
    ward.say(nurse, counselling()).await.expect(201);
    index.clock.set("2027-11-17T09:30:00Z".parse().unwrap());
    index.get(nurse, path).await.refused(404, "not-found");
}

#[actix_web::test]
async fn the_same_service_is_said_once_for_as_long_as_it_lasts_at_once_and_with_the_same_key() {
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let mut twins = join_all((0..4).map(|_| ward.say(nurse, counselling()))).await;
    twins.sort_by_key(|answer| answer.status);
    assert_eq!(twins.remove(0).status, 201);
    for twin in twins {
        twin.refused(409, "involvement-exists");
    }
    let (path, key) = (ward.child.path("/involvements"), [("Idempotency-Key", "counselling-1")]);
    let first = index.request(nurse, "POST", &path, because_of_harm(), &key).await.expect(201);
    let rows = index.rows().await;
    let again = index.request(nurse, "POST", &path, because_of_harm(), &key).await.expect(201);
    assert_eq!((&again.body, again.header("Location")), (&first.body, first.header("Location")));
    assert_eq!(index.rows().await, rows);
    let other = index.organisation("healthTrust", Some(ward.authority)).await;
    let other = index.caller(Role::Practitioner, other).await;
    ward.say(&other, counselling()).await.expect(201);
}

#[actix_web::test]
async fn no_flag_stands_on_it() {
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let answer = ward.say(nurse, counselling()).await.expect(201);
    for flag in ["takingAction", "leadProfessional"] {
        let path = format!("{}/flags/{flag}", answer.header("Location"));
        index.put(nurse, &path, 1, json!({})).await.refused(409, "sensitive-service");
        index.delete(nurse, &path, 1).await.refused(409, "sensitive-service");
        index.put(&ward.teacher, &path, 1, json!({})).await.refused(404, "not-found");
    }
}

#[actix_web::test]
async fn the_database_knows_neither_whose_it_is_nor_that_two_children_share_one() {
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let answer = ward.say(nurse, counselling()).await.expect(201);
    let change = json!({ "confirmedOn": TODAY });
    index.patch(nurse, answer.header("Location"), 1, change).await.expect(200);
    let sibling = index.child(ward.authority).await;
    index.post(nurse, &sibling.path("/involvements"), counselling()).await.expect(201);
    for table in [
        "sensitive_involvement",
        "sensitive_history",
        "consent",
        "notice",
        "involvement",
        "flag",
        "history",
    ] {
        let dump = dump(index, table).await;
        for hidden in
            [&ward.clinic.id.to_string(), &nurse.id.to_string(), CANARY, "960007", "mentalHealth"]
        {
            assert!(!dump.contains(hidden), "{table}: {hidden}");
        }
    }
    let (child, made) = (ward.child.id.to_string(), answer.body["id"].as_str().unwrap());
    for table in ["audit_event", "idempotency"] {
        for row in dump(index, table).await.lines() {
            assert!(!row.contains(&child) && !row.contains(made), "{table}: {row}");
        }
    }
    let shared = "select count(*) from sensitive_involvement a join sensitive_involvement b on a.involvement_id < b.involvement_id
        where a.provider_key = b.provider_key or a.owner_key = b.owner_key or a.once_key = b.once_key or a.sealed = b.sealed";
    let shared: i64 = sqlx::query_scalar(shared).fetch_one(&index.db).await.unwrap();
    assert_eq!(shared, 0);
}

#[actix_web::test]
async fn no_path_puts_a_sensitive_service_where_others_are_told_of_it() {
    let ward = Ward::new().await;
    for (sensitive, service) in [
        (true, "school"),
        (false, "mentalHealth"),
        (false, "sexualHealth"),
        (false, "substanceMisuse"),
    ] {
        let insert = "insert into involvement (involvement_id, child_id, organisation_id, service_type, sensitive, contact,
                started_on, confirmed_on, source_organisation_id, received_at, as_at)
            values (gen_random_uuid(), $1, $2, $3, $4, '{}', '2026-11-02', '2026-11-02', $2, now(), '2026-11-02')";
        let insert = sqlx::query(insert)
            .bind(ward.child.id)
            .bind(ward.clinic.id)
            .bind(service)
            .bind(sensitive);
        let error = insert.execute(&ward.index.db).await.unwrap_err();
        let constraint = error.as_database_error().unwrap().constraint().map(str::to_owned);
        assert_eq!(
            constraint.as_deref(),
            Some("involvement_tells_no_sensitive_service"),
            "{service}"
        );
    }
}

#[actix_web::test]
async fn of_an_archived_child_it_is_told_no_more() {
    let ward = Ward::new().await;
    let answer = ward.say(&ward.nurse, counselling()).await.expect(201);
    let archive = "update child set status = 'archived', archived_on = '2026-11-16'";
    sqlx::query(archive).execute(&ward.index.db).await.unwrap();
    ward.index.get(&ward.nurse, answer.header("Location")).await.refused(404, "not-found");
    let change = ward.index.patch(&ward.nurse, answer.header("Location"), 1, json!({})).await;
    change.refused(404, "not-found");
}

#[actix_web::test]
async fn under_a_shield_it_is_listed_no_more_and_reached_by_its_number_by_its_own_organisation() {
    let ward = Ward::new().await;
    let (index, nurse) = (&ward.index, &ward.nurse);
    let answer = ward.say(nurse, counselling()).await.expect(201);
    index.shield(&ward.child).await;
    let list = index.get(nurse, &ward.child.path("/involvements")).await.expect(200);
    assert_eq!(list.body["items"], json!([]));
    let record = index.get(nurse, &ward.child.path("")).await.expect(200);
    assert_eq!(
        (&record.body["involvements"], &record.body["shielded"]),
        (&json!([]), &json!(true))
    );
    index.get(nurse, answer.header("Location")).await.expect(200);
    let change = json!({ "confirmedOn": TODAY });
    index.patch(nurse, answer.header("Location"), 1, change).await.expect(200);
    ward.say(nurse, because_of_harm()).await.expect(201);

    let other = index.caller(Role::PractitionerWithOverride, ward.teacher.organisation).await;
    index.grant(&other, &ward.child).await;
    let approver = index.caller(Role::ShieldApprover, ward.authority).await;
    for caller in [&other, &approver] {
        let record = index.get(caller, &ward.child.path("")).await.expect(200);
        assert!(record.body.get("whereabouts").is_some(), "{}", caller.role);
        assert_eq!(record.body["involvements"], json!([]), "{}", caller.role);
        index.get(caller, answer.header("Location")).await.refused(404, "not-found");
    }
    let own = index.caller(Role::PractitionerWithOverride, ward.clinic).await;
    index.grant(&own, &ward.child).await;
    let record = index.get(&own, &ward.child.path("")).await.expect(200);
    assert_eq!(record.body["involvements"].as_array().unwrap().len(), 2);
}
