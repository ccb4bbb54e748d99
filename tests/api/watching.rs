//! Somebody watches how the index is used: what is found raises an alert that names nobody, and is looked into.

use contactpoint::{
    access::Role,
    detector::{Detector, Rules, task},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Caller, Child, Index, Organisation};

/// A council with a school and an auditor, and another with a school; what is found depends on measures that a small index reaches.
struct Watched {
    index: Index,
    council: Organisation,
    school: Organisation,
    elsewhere: Organisation,
    auditor: Caller,
    teacher: Caller,
}

impl Watched {
    async fn new() -> Self {
        let index = Index::start().await;
        let [council, elsewhere] = [index.authority().await, index.authority().await];
        let school = index.organisation("school", Some(council)).await;
        let auditor = index.account(Role::Auditor, council).await;
        let teacher = index.account(Role::Practitioner, school).await;
        Self { index, council, school, elsewhere, auditor, teacher }
    }

    /// Sets a measure as the operator does.
    async fn measure(&self, detector: &str, least: u32, limit: f64) {
        let national = self.index.organisation("nationalPartner", None).await;
        let operator = self.index.account(Role::Operator, national).await;
        let minutes = Detector::parse(detector).unwrap().shipped().minutes;
        let body = json!({ "on": true, "least": least, "limit": limit, "minutes": minutes });
        self.index.put(&operator, &format!("/v1/detectors/{detector}"), 1, body).await.expect(200);
    }

    async fn call(&self, person: &Caller, name: &str) {
        sqlx::query("update account set name = $2 where account_id = $1")
            .bind(person.id)
            .bind(name)
            .execute(&self.index.db)
            .await
            .unwrap();
    }

    async fn open(&self, by: &Caller, child: &Child) {
        self.index.get(by, &child.path("")).await.expect(200);
    }

    /// The alerts that the auditor sees, by detector.
    async fn alerts(&self) -> Vec<Value> {
        let list = self.index.get(&self.auditor, "/v1/alerts?limit=100").await.expect(200);
        list.body["items"].as_array().unwrap().clone()
    }

    async fn detectors(&self) -> Vec<String> {
        let alerts = self.alerts().await;
        alerts.iter().map(|alert| alert["detector"].as_str().unwrap().to_owned()).collect()
    }
}

#[actix_web::test]
async fn whoever_opens_a_child_of_the_own_name_raises_an_alert_unless_the_organisation_works_with_the_child()
 {
    let watched = Watched::new().await;
    let index = &watched.index;
    watched.measure("ownFamily", 1, 0.9).await;
    let [own, known] = [index.child(watched.council).await, index.child(watched.council).await];
    index.child(watched.council).await;
    index.involvement(&known, watched.school, "school").await;
    watched.call(&watched.teacher, &format!("Jo {}", known.family)).await;
    watched.open(&watched.teacher, &known).await;
    index.watch().await;
    assert_eq!(watched.detectors().await, [""; 0], "the school works with the child");
    watched.call(&watched.teacher, &format!("Jo {}", own.family)).await;
    watched.open(&watched.teacher, &own).await;
    assert_eq!(index.watch().await, 1);
    let alerts = watched.alerts().await;
    let members: Vec<_> = alerts[0].as_object().unwrap().keys().map(String::as_str).collect();
    let told = [
        "detector",
        "id",
        "lastAt",
        "organisationId",
        "raisedAt",
        "severity",
        "status",
        "times",
        "version",
    ];
    assert_eq!(members, told, "an alert names nobody");
    assert_eq!(
        (&alerts[0]["detector"], &alerts[0]["organisationId"], &alerts[0]["status"]),
        (&json!("ownFamily"), &json!(watched.council.id), &json!("open"))
    );
    let kept: String = sqlx::query_scalar("select jsonb_agg(to_jsonb(a))::text from alert a")
        .fetch_one(&index.db)
        .await
        .unwrap();
    for secret in [watched.teacher.id.to_string(), own.id.to_string()] {
        assert!(!kept.contains(&secret), "nor does its row");
    }
}

#[actix_web::test]
async fn the_same_finding_again_the_same_day_joins_the_alert_and_on_another_day_is_another() {
    let watched = Watched::new().await;
    let index = &watched.index;
    watched.measure("ownFamily", 1, 0.9).await;
    let own = index.child(watched.council).await;
    index.child(watched.council).await;
    watched.call(&watched.teacher, &format!("Jo {}", own.family)).await;
    watched.open(&watched.teacher, &own).await;
    assert_eq!(index.watch().await, 1);
    index.get(&watched.teacher, &own.path("/flags")).await.expect(200);
    assert_eq!(index.watch().await, 0);
    assert_eq!(watched.alerts().await[0]["times"], 2);
    index.clock.set("2026-11-17T09:30:00Z".parse().unwrap());
    watched.open(&watched.teacher, &own).await;
    assert_eq!(index.watch().await, 1);
    assert_eq!(watched.alerts().await.len(), 2);
    assert_eq!(index.watch().await, 0, "nothing is looked at twice");
}

#[actix_web::test]
async fn a_canary_raises_an_alert_whether_it_is_opened_or_found() {
    let watched = Watched::new().await;
    let index = &watched.index;
    let canary = index.child(watched.council).await;
    let number = canary.number.parse().unwrap();
    let mut work = index.errands("watch_canary").await;
    assert!(task::mark(&mut work, &number, true).await.unwrap());
    let search = json!({ "indexNumber": canary.number });
    index.post(&watched.teacher, "/v1/children/search", search).await.expect(200);
    assert_eq!(index.watch().await, 1);
    let other = index.account(Role::Practitioner, watched.school).await;
    watched.open(&other, &canary).await;
    assert_eq!(index.watch().await, 1);
    assert_eq!(watched.detectors().await, ["canary", "canary"]);
    assert!(task::mark(&mut work, &number, false).await.unwrap());
    index.clock.set("2026-11-17T09:30:00Z".parse().unwrap());
    watched.open(&other, &canary).await;
    assert_eq!(index.watch().await, 0);
}

#[actix_web::test]
async fn name_after_name_with_one_date_of_birth_is_a_sweep_and_one_name_again_is_not() {
    let watched = Watched::new().await;
    let index = &watched.index;
    let other = index.account(Role::Practitioner, watched.school).await;
    for n in 0..6_u8 {
        let family = format!("Sweptley{}", char::from(b'a' + n));
        for (by, family) in [(&watched.teacher, family.as_str()), (&other, "Samely")] {
            let name = json!({ "given": ["Amy"], "family": family });
            let search = json!({ "name": name, "dateOfBirth": "2015-03-14" });
            index.post(by, "/v1/children/search", search).await.expect(200);
        }
    }
    assert_eq!(index.watch().await, 1);
    assert_eq!(watched.detectors().await, ["sweep"]);
}

#[actix_web::test]
async fn people_of_many_organisations_at_one_child_raise_an_alert_to_the_authority_that_answers() {
    let watched = Watched::new().await;
    let index = &watched.index;
    let child = index.child(watched.council).await;
    for n in 0..6 {
        let body = index.organisation("school", Some(watched.elsewhere)).await;
        let by = index.account(Role::Practitioner, body).await;
        watched.open(&by, &child).await;
        watched.open(&by, &child).await;
        assert_eq!(index.watch().await, usize::from(n == 5), "{n}");
    }
    assert_eq!(watched.detectors().await, ["manyOrganisations"]);
}

#[actix_web::test]
async fn nobody_is_told_of_an_alert_about_their_own_use_nor_of_those_of_others_organisations() {
    let watched = Watched::new().await;
    let index = &watched.index;
    let child = index.child(watched.council).await;
    let own = index.alert(&child, &watched.auditor, watched.council).await;
    let path = format!("/v1/alerts/{own}");
    let hidden = index.get(&watched.auditor, &path).await.refused(404, "not-found");
    let unknown = index.get(&watched.auditor, &format!("/v1/alerts/{}", Uuid::new_v4())).await;
    assert_eq!(hidden.body, unknown.body);
    assert_eq!(watched.alerts().await, [] as [Value; 0]);
    let begin = format!("{path}/investigation");
    index.post(&watched.auditor, &begin, Value::Null).await.refused(404, "not-found");
    let stranger = index.account(Role::Auditor, watched.elsewhere).await;
    index.get(&stranger, &path).await.refused(404, "not-found");
    let second = index.account(Role::Auditor, watched.council).await;
    index.get(&second, &path).await.expect(200);
    let national = index.organisation("nationalPartner", None).await;
    let national = index.account(Role::Auditor, national).await;
    index.get(&national, &path).await.expect(200);
}

#[actix_web::test]
async fn an_investigation_opens_the_evidence_suspends_at_once_and_a_good_reason_lets_go_on() {
    let watched = Watched::new().await;
    let index = &watched.index;
    watched.measure("ownFamily", 1, 0.9).await;
    let own = index.child(watched.council).await;
    index.child(watched.council).await;
    watched.call(&watched.teacher, &format!("Jo {}", own.family)).await;
    watched.open(&watched.teacher, &own).await;
    index.watch().await;
    let alert = format!("/v1/alerts/{}", watched.alerts().await[0]["id"].as_str().unwrap());
    let key = [("Idempotency-Key", "begin-once")];
    let begin = format!("{alert}/investigation");
    let begun = index.request(&watched.auditor, "POST", &begin, (), &key).await.expect(201);
    for (member, value) in [
        ("kind", json!("alert")),
        ("detector", json!("ownFamily")),
        ("accountId", json!(watched.teacher.id)),
        ("indexNumber", json!(own.number)),
        ("assignedTo", json!(watched.auditor.id)),
        ("status", json!("open")),
    ] {
        assert_eq!(begun.body[member], value, "{member}");
    }
    let again = index.request(&watched.auditor, "POST", &begin, (), &key).await.expect(201);
    assert_eq!(again.body, begun.body);
    index.post(&watched.auditor, &begin, Value::Null).await.refused(409, "alert-investigated");
    let looked_into = index.get(&watched.auditor, &alert).await.expect(200);
    assert_eq!(looked_into.body["investigationId"], begun.body["id"]);

    let path = begun.header("Location").to_owned();
    let evidence = index.get(&watched.auditor, &format!("{path}/evidence")).await.expect(200);
    assert_eq!(evidence.body["accounts"][0]["accountId"], json!(watched.teacher.id));
    assert_eq!(evidence.body["events"][0]["operation"], "open_child");
    assert_eq!(evidence.body["events"][0]["children"], json!([own.number]));
    let written = index.event(&evidence).await;
    assert_eq!(
        (&written["operation"], &written["children"]),
        (&json!("read_evidence"), &json!([own.id]))
    );

    let second = index.account(Role::Auditor, watched.council).await;
    let assignment = format!("{path}/assignment");
    for wrong in [watched.teacher.id, Uuid::new_v4()] {
        let body = json!({ "accountId": wrong });
        let refused = index.put(&watched.auditor, &assignment, 1, body).await;
        assert_eq!(refused.refused(422, "invalid-value").pointers(), ["/accountId"]);
    }
    let to = json!({ "accountId": second.id });
    let assigned = index.put(&watched.auditor, &assignment, 1, to).await.expect(200);
    assert_eq!(assigned.body["assignedTo"], json!(second.id));

    let suspicion = format!("{path}/suspicion");
    let suspend = json!({ "suspend": true });
    index.put(&second, &suspicion, 1, suspend.clone()).await.refused(412, "precondition-failed");
    index
        .put(&second, &suspicion, 2, json!({ "suspend": false }))
        .await
        .refused(422, "invalid-value");
    watched.open(&watched.teacher, &own).await;
    index.put(&second, &suspicion, 2, suspend.clone()).await.expect(200);
    index.get(&watched.teacher, &own.path("")).await.refused(401, "unauthenticated");
    index.put(&second, &suspicion, 3, suspend).await.refused(409, "suspected-already");
    let administrator = index.account(Role::AccountAdministrator, watched.school).await;
    let account = format!("/v1/accounts/{}", watched.teacher.id);
    let held = index.get(&administrator, &account).await.expect(200);
    let go_on = json!({ "status": "active" });
    let refused = index.patch(&administrator, &account, held.version(), go_on).await;
    refused.refused(409, "misuse-suspected");
    let notices = index.get(&administrator, "/v1/notices").await.expect(200);
    assert_eq!(notices.body["items"][0]["kind"], "misuseSuspected");
    assert_eq!(notices.body["items"][0]["about"], format!("/v1/accounts/{}", watched.teacher.id));

    let outcome = json!({ "outcome": "justified", "findings": ["workedWithChild"] });
    let closed = index.put(&second, &format!("{path}/outcome"), 3, outcome).await.expect(200);
    assert_eq!(
        (&closed.body["status"], &closed.body["findings"]),
        (&json!("closed"), &json!(["workedWithChild"]))
    );
    let status: String = sqlx::query_scalar("select status from account where account_id = $1")
        .bind(watched.teacher.id)
        .fetch_one(&index.db)
        .await
        .unwrap();
    assert_eq!(status, "active");
}

#[actix_web::test]
async fn without_a_good_reason_the_account_stays_suspended_until_its_administrator_decides() {
    let watched = Watched::new().await;
    let index = &watched.index;
    let child = index.child(watched.council).await;
    let alert = index.alert(&child, &watched.teacher, watched.council).await;
    let begin = format!("/v1/alerts/{alert}/investigation");
    let begun = index.post(&watched.auditor, &begin, Value::Null).await.expect(201);
    let path = begun.header("Location").to_owned();
    let suspend = json!({ "suspend": true });
    index.put(&watched.auditor, &format!("{path}/suspicion"), 1, suspend).await.expect(200);
    let outcome = json!({ "outcome": "notJustified", "findings": ["curiosity"] });
    index.put(&watched.auditor, &format!("{path}/outcome"), 2, outcome).await.expect(200);
    let administrator = index.account(Role::AccountAdministrator, watched.school).await;
    let account = format!("/v1/accounts/{}", watched.teacher.id);
    let held = index.get(&administrator, &account).await.expect(200);
    assert_eq!(held.body["status"], "suspended");
    let go_on = json!({ "status": "active" });
    index.patch(&administrator, &account, held.version(), go_on).await.expect(200);
    let concerned = index.account(Role::Auditor, watched.council).await;
    let about_auditor = index.alert(&child, &concerned, watched.council).await;
    let begin = format!("/v1/alerts/{about_auditor}/investigation");
    let begun = index.post(&watched.auditor, &begin, Value::Null).await.expect(201);
    let path = begun.header("Location").to_owned();
    index.get(&concerned, &path).await.refused(404, "not-found");
    let outcome = json!({ "outcome": "justified" });
    index.put(&concerned, &format!("{path}/outcome"), 1, outcome).await.refused(404, "not-found");
}

#[actix_web::test]
async fn the_operator_sets_measures_and_a_replay_shows_what_others_would_have_raised() {
    let watched = Watched::new().await;
    let index = &watched.index;
    index
        .put(&watched.auditor, "/v1/detectors/sweep", 1, json!({}))
        .await
        .refused(403, "forbidden");
    let shipped = index.get(&watched.auditor, "/v1/detectors").await.expect(200);
    assert_eq!(shipped.body["items"].as_array().unwrap().len(), Detector::ALL.len());
    for n in 0..4_u8 {
        let name =
            json!({ "given": ["Amy"], "family": format!("Sweptley{}", char::from(b'a' + n)) });
        let search = json!({ "name": name, "dateOfBirth": "2015-03-14" });
        index.post(&watched.teacher, "/v1/children/search", search).await.expect(200);
    }
    assert_eq!(index.watch().await, 0);
    let mut rules = Rules::default();
    let mut sweep = Detector::Sweep.shipped();
    sweep.least = 3;
    rules.0.insert(Detector::Sweep, sweep);
    let before = index.rows().await;
    let mut work = index.errands("watch_replay").await;
    let (since, until) =
        (index.now() - chrono::TimeDelta::hours(1), index.now() + chrono::TimeDelta::hours(1));
    let replayed = task::replay(&mut work, (since, until), &rules, |_| {}).await.unwrap();
    assert_eq!((replayed.in_force.len(), replayed.was.len()), (0, 0));
    let raised = &replayed.proposed[&Detector::Sweep];
    assert_eq!((raised.alerts, raised.references.len()), (1, 1));
    assert_eq!(index.rows().await, before, "nothing is changed");
    let told = serde_json::to_string(&replayed).unwrap();
    assert!(!told.contains(&watched.teacher.id.to_string()), "{told}");
    watched.measure("sweep", 3, 0.0).await;
    let set = index.get(&watched.auditor, "/v1/detectors").await.expect(200);
    let sweep = set.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["detector"] == "sweep")
        .unwrap();
    assert_eq!((&sweep["version"], &sweep["threshold"]["least"]), (&json!(2), &json!(3)));
}

#[actix_web::test]
async fn an_organisation_that_works_with_hardly_any_child_it_opens_is_found_a_month_later() {
    let watched = Watched::new().await;
    let index = &watched.index;
    watched.measure("purpose", 3, 0.5).await;
    watched.measure("outOfArea", 3, 0.5).await;
    for n in 0..4 {
        let child = index.child(watched.elsewhere).await;
        if n == 0 {
            index.involvement(&child, watched.school, "school").await;
        }
        watched.open(&watched.teacher, &child).await;
    }
    assert_eq!(index.watch().await, 0);
    index.clock.set("2026-12-16T09:30:00Z".parse().unwrap());
    assert_eq!(
        index.watch().await,
        0,
        "within 30 days they may still begin to work with the children"
    );
    index.clock.set("2026-12-17T09:30:00Z".parse().unwrap());
    assert_eq!(index.watch().await, 2);
    let mut found = watched.detectors().await;
    found.sort_unstable();
    assert_eq!(found, ["outOfArea", "purpose"]);
    assert_eq!(index.watch().await, 0);
}

#[actix_web::test]
async fn each_week_it_is_counted_how_everybody_used_the_index_and_administrators_are_told() {
    let watched = Watched::new().await;
    let index = &watched.index;
    let administrator = index.account(Role::AccountAdministrator, watched.school).await;
    let [near, far] = [index.child(watched.council).await, index.child(watched.elsewhere).await];
    for child in [&near, &near, &far] {
        watched.open(&watched.teacher, child).await;
    }
    let search =
        json!({ "name": { "given": ["Amy"], "family": "Nobodyley" }, "dateOfBirth": "2015-03-14" });
    index.post(&watched.teacher, "/v1/children/search", search).await.expect(200);
    index.clock.set("2026-11-21T09:30:00Z".parse().unwrap());
    watched.open(&watched.teacher, &near).await;
    index.watch().await;
    let path = format!("/v1/organisations/{}/usage?week=2026-11-16", watched.school.id);
    let before = index.get(&administrator, &path).await.expect(200);
    assert_eq!(before.body["items"], json!([]));
    index.clock.set("2026-11-23T00:00:00Z".parse().unwrap());
    index.watch().await;
    let week = index.get(&administrator, &path).await.expect(200);
    let counts = json!({
        "searches": 1, "emptySearches": 1, "children": 3, "outOfArea": 1, "outOfHours": 1, "ownName": 0, "refused": 0, "overrides": 0,
        "reasons": { "direct-service": 5 },
    });
    assert_eq!(week.body["items"][0]["counts"], counts);
    assert_eq!(week.body["items"][0]["accountId"], json!(watched.teacher.id));
    let last = index.get(&administrator, path.split('?').next().unwrap()).await.expect(200);
    assert_eq!(last.body, week.body, "the last week that is over, unless said");
    let csv = index
        .request(&administrator, "GET", &path, (), &[("Accept", "text/csv")])
        .await
        .expect(200);
    let lines: Vec<_> = std::str::from_utf8(&csv.bytes).unwrap().lines().collect();
    assert_eq!(lines[1], format!("{},Example Person,1,1,3,1,1,0,0,0", watched.teacher.id));
    let notices = index.get(&administrator, "/v1/notices?kind=usageCounted").await.expect(200);
    assert_eq!(notices.body["items"][0]["about"], path);
    index.get(&watched.auditor, &path).await.expect(200);
    let stranger = index.account(Role::Auditor, watched.elsewhere).await;
    index.get(&stranger, &path).await.refused(403, "forbidden");
    index.get(&watched.teacher, &path).await.refused(403, "forbidden");
    let tuesday = path.replace("16", "17");
    index.get(&administrator, &tuesday).await.refused(400, "invalid-query");
}

#[actix_web::test]
async fn one_instance_at_a_time_looks_through_the_audit() {
    let watched = Watched::new().await;
    let index = &watched.index;
    let mut held = index.db.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7261050)").execute(&mut *held).await.unwrap();
    let mut work = index.errands(task::OPERATION).await;
    assert_eq!(task::run(&mut work).await.unwrap(), None);
    held.rollback().await.unwrap();
    assert!(task::run(&mut work).await.unwrap().is_some());
}
