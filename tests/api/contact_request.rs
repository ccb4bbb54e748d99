//! Contact is brokered: a practitioner asks, the steward forwards, the provider accepts or declines; and whoever asked learns
//! nothing unless somebody accepts.

use chrono::TimeDelta;
use contactpoint::access::Role;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Child, TODAY},
    involvement::service,
    sensitive::{CANARY, Ward, counselling, dump, kept},
};

/// A ward with a counsellor's involvement, and a request of the teacher.
struct Desk {
    ward: Ward,
    involvement: Value,
    request: String,
}

impl Desk {
    async fn new() -> Self {
        let ward = Ward::new().await;
        let involvement = ward.say(&ward.nurse, counselling()).await.expect(201).body;
        let request = ask(&ward, &ward.child).await.header("Location").to_owned();
        Self { ward, involvement, request }
    }

    async fn open(&self, caller: &Caller) -> Answer {
        self.ward.index.get(caller, &self.request).await
    }

    async fn step(&self, caller: &Caller, step: &str, body: Value) -> Answer {
        let seen = self.open(caller).await;
        let version = if seen.status == 200 { seen.version() } else { 1 };
        self.ward.index.put(caller, &format!("{}/{step}", self.request), version, body).await
    }

    async fn forward(&self) -> Answer {
        self.step(
            &self.ward.steward,
            "forwarding",
            json!({ "involvementId": self.involvement["id"] }),
        )
        .await
    }

    async fn answer(&self, answer: &str) -> Answer {
        self.step(&self.ward.nurse, "answer", json!({ "answer": answer })).await
    }

    fn pass(&self, time: TimeDelta) {
        self.ward.index.clock.set(self.ward.index.now() + time);
    }

    async fn withdraw(&self) -> Answer {
        let consent = self.involvement["consent"]["id"].as_str().unwrap();
        let path = format!("/v1/consents/{consent}/withdrawal");
        self.ward.index.put(&self.ward.nurse, &path, 1, json!({})).await
    }
}

fn asking() -> Value {
    json!({ "contact": { "practitioner": "Asker Example", "officeHours": "01632 960005" } })
}

async fn ask(ward: &Ward, child: &Child) -> Answer {
    ward.index.post(&ward.teacher, &child.path("/contact-requests"), asking()).await.expect(201)
}

#[actix_web::test]
async fn who_accepts_and_who_asked_are_told_each_others_contact() {
    let desk = Desk::new().await;
    let ward = &desk.ward;
    let asked = desk.open(&ward.teacher).await.expect(200).body;
    assert_eq!((&asked["status"], &asked["contact"]), (&json!("open"), &asking()["contact"]));
    let seen = desk.open(&ward.steward).await.expect(200).body;
    assert_eq!(seen["askedBy"]["id"], json!(ward.teacher.organisation.id));
    assert_eq!((&seen["stage"], &seen["dueAt"]), (&json!("asked"), &json!("2026-11-18T09:30:00Z")));
    let provider = json!([{
        "involvementId": desk.involvement["id"], "organisation": desk.involvement["organisation"],
        "serviceType": "mentalHealth", "contact": desk.involvement["contact"], "declined": false,
    }]);
    assert_eq!(seen["providers"], provider);
    desk.open(&ward.nurse).await.refused(404, "not-found");

    let forwarded = desk.forward().await.expect(200);
    assert_eq!((&forwarded.body["stage"], forwarded.version()), (&json!("forwarded"), 2));
    assert_eq!(desk.open(&ward.teacher).await.body, asked);
    let offered = desk.open(&ward.nurse).await.expect(200).body;
    assert_eq!(offered["contact"], asking()["contact"]);
    assert_eq!(offered["forwardedTo"], desk.involvement["id"]);
    let list = ward.index.get(&ward.nurse, "/v1/contact-requests").await.expect(200);
    assert_eq!(list.body["items"], json!([offered]));
    let list = kept(&ward.index, &list).await;
    assert!(!list.contains(&ward.child.id.to_string()), "{list}");

    let accepted = desk.answer("accepted").await.expect(200);
    assert_eq!(accepted.body["providerContact"], desk.involvement["contact"]);
    let event = kept(&ward.index, &accepted).await;
    assert!(!event.contains(&ward.child.id.to_string()), "{event}");
    let told = desk.open(&ward.teacher).await.expect(200).body;
    assert_eq!((&told["status"], &told["version"]), (&json!("accepted"), &json!(1)));
    assert_eq!(told["providerContact"], desk.involvement["contact"]);
    assert!(told.get("askedBy").or(told.get("forwardedTo")).or(told.get("stage")).is_none());
    let steward = desk.open(&ward.steward).await.body;
    assert_eq!(steward["stage"], "accepted");
    desk.pass(TimeDelta::days(89));
    desk.open(&ward.teacher).await.expect(200);
    desk.pass(TimeDelta::days(1));
    for caller in [&ward.teacher, &ward.steward, &ward.nurse] {
        desk.open(caller).await.refused(404, "not-found");
        let list = ward.index.get(caller, "/v1/contact-requests").await.expect(200);
        assert_eq!(list.body["items"], json!([]));
    }
}

#[actix_web::test]
async fn a_provider_may_say_another_contact_when_it_accepts_and_none_when_it_declines() {
    let desk = Desk::new().await;
    desk.forward().await.expect(200);
    let contact = json!({ "practitioner": "Canarywell Nurse", "officeHours": "01632 960009" });
    let no = json!({ "answer": "declined", "contact": contact });
    let no = desk.step(&desk.ward.nurse, "answer", no).await.refused(422, "invalid-value");
    assert_eq!(no.pointers(), ["/contact"]);
    let yes = json!({ "answer": "accepted", "contact": contact });
    desk.step(&desk.ward.nurse, "answer", yes).await.expect(200);
    assert_eq!(desk.open(&desk.ward.teacher).await.body["providerContact"], contact);
}

/// What whoever asked is told of a request, at three moments.
async fn told(ward: &Ward, child: &Child, request: &str) -> Vec<String> {
    let began = ward.index.now();
    let mut told = Vec::new();
    for days in [0, 13, 14] {
        ward.index.clock.set(began + TimeDelta::days(days));
        let one = ward.index.get(&ward.teacher, request).await.expect(200);
        let text = String::from_utf8(one.bytes.clone()).unwrap();
        assert_eq!((one.header("ETag"), one.body["version"].as_i64()), ("\"1\"", Some(1)));
        let id = request.rsplit('/').next().unwrap();
        told.push(text.replace(id, "…").replace(&child.number, "…"));
    }
    ward.index.clock.set(began);
    told
}

#[actix_web::test]
async fn whoever_asked_is_told_the_same_to_the_letter_whatever_is_hidden() {
    let ward = Ward::new().await;
    let index = &ward.index;
    let mut outcomes: Vec<(&str, Vec<String>)> = Vec::new();
    for what in
        ["nobody", "waits", "forwarded", "declined", "closed", "withdrawn", "lost", "shielded"]
    {
        let child = index.child(ward.authority).await;
        let mut involvement = Value::Null;
        match what {
            "nobody" => {}
            "shielded" => {
                index.involvement(&child, ward.clinic, "paediatrics").await;
                index.shield(&child).await;
            }
            _ => {
                let said =
                    index.post(&ward.nurse, &child.path("/involvements"), counselling()).await;
                involvement = said.expect(201).body;
            }
        }
        let answer = ask(&ward, &child).await;
        let request = answer.header("Location").to_owned();
        let to = json!({ "involvementId": involvement["id"] });
        let put = async |caller: &Caller, step: &str, version: i64, body: Value| {
            index.put(caller, &format!("{request}/{step}"), version, body).await.expect(200)
        };
        let withdrawal = format!(
            "/v1/consents/{}/withdrawal",
            involvement["consent"]["id"].as_str().unwrap_or_default()
        );
        if ["forwarded", "declined", "withdrawn", "lost"].contains(&what) {
            put(&ward.steward, "forwarding", 1, to).await;
        }
        match what {
            "declined" => {
                drop(put(&ward.nurse, "answer", 2, json!({ "answer": "declined" })).await);
            }
            "lost" => drop(put(&ward.nurse, "answer", 2, json!({ "answer": "accepted" })).await),
            "closed" => drop(put(&ward.steward, "closure", 1, Value::Null).await),
            _ => {}
        }
        if ["withdrawn", "lost"].contains(&what) {
            index.put(&ward.nurse, &withdrawal, 1, json!({})).await.expect(200);
        }
        outcomes.push((what, told(&ward, &child, &request).await));
    }
    let (_, first) = outcomes[0].clone();
    assert!(first[0].contains(r#""status":"open""#) && first[1] == first[0], "{first:?}");
    assert!(first[2].contains(r#""status":"closed""#), "{first:?}");
    for (what, told) in outcomes {
        assert_eq!(told, first, "{what}");
    }
    let list = index.get(&ward.teacher, "/v1/contact-requests").await.expect(200).body;
    let mut items = list["items"].as_array().unwrap().clone();
    for item in &mut items {
        item["id"] = Value::Null;
        item["indexNumber"] = Value::Null;
    }
    assert_eq!(items.len(), 8);
    assert!(items.iter().all(|item| *item == items[0]), "{items:#?}");
}

#[actix_web::test]
async fn under_a_shield_contact_is_brokered_with_everybody_who_works_with_the_child() {
    let ward = Ward::new().await;
    let school = ward.say(&ward.teacher, service("school")).await.expect(201).body;
    let ended = json!({ "endedOn": TODAY });
    let old = ward.say(&ward.nurse, service("paediatrics")).await.expect(201);
    ward.index.patch(&ward.nurse, old.header("Location"), 1, ended).await.expect(200);
    let before = ask(&ward, &ward.child).await;
    let open = ward.index.get(&ward.steward, before.header("Location")).await.expect(200);
    assert_eq!(open.body["providers"], json!([]), "others see it themselves");
    ward.index.shield(&ward.child).await;
    let doctor = ward.index.caller(Role::Practitioner, ward.clinic).await;
    let asked = ward.index.post(&doctor, &ward.child.path("/contact-requests"), asking()).await;
    let request = asked.expect(201).header("Location").to_owned();
    let open = ward.index.get(&ward.steward, &request).await.expect(200);
    assert_eq!(open.body["providers"].as_array().unwrap().len(), 1);
    assert_eq!(open.body["providers"][0]["involvementId"], school["id"]);
    let (forwarding, answer) = (format!("{request}/forwarding"), format!("{request}/answer"));
    let to = json!({ "involvementId": school["id"] });
    ward.index.put(&ward.steward, &forwarding, 1, to).await.expect(200);
    ward.index.put(&ward.teacher, &answer, 2, json!({ "answer": "accepted" })).await.expect(200);
    let told = ward.index.get(&doctor, &request).await.expect(200).body;
    assert_eq!(told["providerContact"], school["contact"]);
}

#[actix_web::test]
async fn others_are_told_of_no_request() {
    let desk = Desk::new().await;
    let (ward, index) = (&desk.ward, &desk.ward.index);
    desk.forward().await.expect(200);
    let elsewhere = index.authority().await;
    let other_clinic = index.organisation("healthTrust", Some(ward.authority)).await;
    let strangers = [
        index.caller(Role::Steward, elsewhere).await,
        index.caller(Role::Practitioner, other_clinic).await,
        index.caller(Role::Practitioner, ward.teacher.organisation).await,
        index.caller(Role::Practitioner, ward.authority).await,
    ];
    let absent = format!("/v1/contact-requests/{}", Uuid::new_v4());
    for stranger in &strangers {
        let unknown = index.get(stranger, &absent).await.refused(404, "not-found");
        assert_eq!(desk.open(stranger).await.refused(404, "not-found").bytes, unknown.bytes);
        let list = index.get(stranger, "/v1/contact-requests").await.expect(200);
        assert_eq!(list.body, json!({ "items": [] }));
        for (step, body) in [("answer", json!({ "answer": "accepted" })), ("closure", Value::Null)]
        {
            let answer = index.put(stranger, &format!("{}/{step}", desk.request), 2, body).await;
            assert!([403, 404].contains(&answer.status), "{step} as {}", stranger.role);
        }
    }
    let answer = desk.step(&ward.teacher, "answer", json!({ "answer": "accepted" })).await;
    answer.refused(404, "not-found");
    let colleague = strangers[2].id.to_string();
    for caller in [&ward.teacher, &ward.nurse, &ward.steward] {
        let mediated =
            index.request(caller, "GET", &desk.request, (), &[("On-Behalf-Of", &colleague)]).await;
        mediated.refused(404, "not-found");
    }
    let nurses = index.caller(Role::Practitioner, ward.clinic).await;
    let headers = [("On-Behalf-Of", &*nurses.id.to_string())];
    index.request(&ward.nurse, "GET", &desk.request, (), &headers).await.expect(200);
    index.get(&nurses, &desk.request).await.expect(200);
}

#[actix_web::test]
async fn each_step_is_taken_in_its_turn() {
    let desk = Desk::new().await;
    let ward = &desk.ward;
    let nowhere = json!({ "involvementId": Uuid::new_v4() });
    let nowhere = desk.step(&ward.steward, "forwarding", nowhere).await;
    assert_eq!(nowhere.refused(422, "invalid-value").pointers(), ["/involvementId"]);
    desk.forward().await.expect(200);
    desk.forward().await.refused(409, "contact-request-forwarded");
    let stale = format!("{}/closure", desk.request);
    ward.index.put(&ward.steward, &stale, 1, Value::Null).await.refused(412, "precondition-failed");

    desk.answer("declined").await.expect(200);
    desk.open(&ward.nurse).await.refused(404, "not-found");
    let seen = desk.open(&ward.steward).await.expect(200).body;
    assert_eq!(
        (&seen["stage"], &seen["providers"][0]["declined"]),
        (&json!("asked"), &json!(true))
    );
    desk.forward().await.expect(200);
    desk.answer("accepted").await.expect(200);
    desk.answer("declined").await.refused(409, "contact-request-ended");
    desk.forward().await.refused(409, "contact-request-ended");
    desk.step(&ward.steward, "closure", Value::Null).await.refused(409, "contact-request-ended");
}

#[actix_web::test]
async fn after_14_days_nobody_takes_a_step() {
    let desk = Desk::new().await;
    desk.forward().await.expect(200);
    desk.pass(TimeDelta::days(14) - TimeDelta::seconds(1));
    assert_eq!(desk.open(&desk.ward.nurse).await.expect(200).body["stage"], "forwarded");
    desk.pass(TimeDelta::seconds(1));
    assert_eq!(desk.open(&desk.ward.nurse).await.expect(200).body["stage"], "closed");
    desk.answer("accepted").await.refused(409, "contact-request-ended");
    desk.step(&desk.ward.steward, "closure", Value::Null)
        .await
        .refused(409, "contact-request-ended");
    assert_eq!(desk.open(&desk.ward.teacher).await.expect(200).body["status"], "closed");
}

#[actix_web::test]
async fn who_accepted_is_told_no_more_once_the_consent_is_withdrawn() {
    let desk = Desk::new().await;
    let ward = &desk.ward;
    desk.forward().await.expect(200);
    desk.answer("accepted").await.expect(200);
    desk.withdraw().await.expect(200);
    let told = desk.open(&ward.teacher).await.expect(200);
    assert!(told.body.get("providerContact").is_none());
    desk.open(&ward.nurse).await.refused(404, "not-found");
    let seen = desk.open(&ward.steward).await.expect(200).body;
    assert_eq!((&seen["stage"], &seen["providers"]), (&json!("closed"), &json!([])));
}

#[actix_web::test]
async fn a_request_repeated_with_its_key_is_one_and_stewards_are_told_of_it_once() {
    let ward = Ward::new().await;
    let index = &ward.index;
    let (path, key) =
        (ward.child.path("/contact-requests"), [("Idempotency-Key", "contact-request-1")]);
    let first = index.request(&ward.teacher, "POST", &path, asking(), &key).await.expect(201);
    let rows = index.rows().await;
    let again = index.request(&ward.teacher, "POST", &path, asking(), &key).await.expect(201);
    assert_eq!((&again.body, again.header("Location")), (&first.body, first.header("Location")));
    assert_eq!(index.rows().await, rows);
    let notice: (String, Uuid, String, String) =
        sqlx::query_as("select kind, organisation_id, role, about from notice")
            .fetch_one(&index.db)
            .await
            .unwrap();
    let about = first.header("Location").to_owned();
    assert_eq!(notice, ("contactAsked".to_owned(), ward.authority.id, "steward".to_owned(), about));
    let unknown =
        index.post(&ward.teacher, "/v1/children/48271930566/contact-requests", asking()).await;
    unknown.refused(404, "not-found");
    index.post(&ward.steward, &path, asking()).await.refused(403, "forbidden");
    index.post(&ward.teacher, &path, json!({})).await.refused(422, "invalid-value");
}

#[actix_web::test]
async fn the_list_goes_on_page_by_page() {
    let ward = Ward::new().await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(ask(&ward, &ward.child).await.body["id"].clone());
        ward.index.clock.set(ward.index.now() + TimeDelta::seconds(1));
    }
    for caller in [&ward.teacher, &ward.steward] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = format!("/v1/contact-requests?limit=2{after}");
            let page = ward.index.get(caller, &page).await.expect(200).body;
            found.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(found, all, "{}", caller.role);
    }
    let wrong = ward.index.get(&ward.teacher, "/v1/contact-requests?after=wrong").await;
    wrong.refused(400, "invalid-query");
}

#[actix_web::test]
async fn the_database_knows_neither_who_is_asked_nor_whose_contacts_are_told() {
    let desk = Desk::new().await;
    let ward = &desk.ward;
    let sibling = ward.index.child(ward.authority).await;
    let said = ward.index.post(&ward.nurse, &sibling.path("/involvements"), counselling()).await;
    let to = json!({ "involvementId": said.expect(201).body["id"] });
    desk.pass(TimeDelta::days(1));
    let other = ask(ward, &sibling).await.header("Location").to_owned();
    ward.index.put(&ward.steward, &format!("{other}/forwarding"), 1, to).await.expect(200);
    for stage in ["asked", "forwarded", "accepted"] {
        match stage {
            "forwarded" => drop(desk.forward().await.expect(200)),
            "accepted" => drop(desk.answer("accepted").await.expect(200)),
            _ => {}
        }
        for table in ["contact_request", "sensitive_involvement", "consent", "notice"] {
            let dump = dump(&ward.index, table).await;
            for hidden in [
                &ward.clinic.id.to_string(),
                CANARY,
                "Asker Example",
                "960005",
                "960007",
                "mentalHealth",
            ] {
                assert!(!dump.contains(hidden), "{table} {stage}: {hidden}");
            }
        }
    }
    let shared = "select count(*) from contact_request a join contact_request b on a.contact_request_id < b.contact_request_id
        where a.provider_key = b.provider_key or a.owner_key = b.owner_key";
    let shared: i64 = sqlx::query_scalar(shared).fetch_one(&ward.index.db).await.unwrap();
    assert_eq!(shared, 0);
}

#[actix_web::test]
async fn of_steps_at_once_one_is_taken_and_nothing_withdrawn_is_told() {
    for round in 0..4 {
        let desk = Desk::new().await;
        let ward = &desk.ward;
        let put = async |caller: &Caller, step: &str, version: i64, body: Value| {
            ward.index.put(caller, &format!("{}/{step}", desk.request), version, body).await.status
        };
        let to = json!({ "involvementId": desk.involvement["id"] });
        let steps = join_all([
            put(&ward.steward, "forwarding", 1, to.clone()),
            put(&ward.steward, "closure", 1, Value::Null),
            put(&ward.steward, "forwarding", 1, to.clone()),
        ]);
        let statuses = steps.await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");

        let desk = Desk::new().await;
        let ward = &desk.ward;
        let put = async |caller: &Caller, step: &str, version: i64, body: Value| {
            ward.index.put(caller, &format!("{}/{step}", desk.request), version, body).await.status
        };
        let to = json!({ "involvementId": desk.involvement["id"] });
        let (version, step, caller, body) = if round % 2 == 0 {
            (1, "forwarding", &ward.steward, to)
        } else {
            desk.forward().await.expect(200);
            (2, "answer", &ward.nurse, json!({ "answer": "accepted" }))
        };
        let (status, withdrawn) = join(put(caller, step, version, body), desk.withdraw()).await;
        assert_eq!(withdrawn.status, 200);
        assert!([200, 404, 412, 422].contains(&status), "{status}");
        assert!(desk.open(&ward.teacher).await.body.get("providerContact").is_none());
        desk.open(&ward.nurse).await.refused(404, "not-found");
        let stage = desk.open(&ward.steward).await.expect(200).body["stage"].clone();
        assert!(["asked", "closed"].contains(&stage.as_str().unwrap()), "{stage}");
    }
}

#[actix_web::test]
async fn stewards_are_reminded_once_of_each_step_that_nobody_took_in_48_hours() {
    let desk = Desk::new().await;
    let index = &desk.ward.index;
    let told = async || {
        let notices =
            index.get(&desk.ward.steward, "/v1/notices?kind=contactOverdue").await.expect(200);
        let items = notices.body["items"].as_array().unwrap().clone();
        assert!(items.iter().all(|notice| notice["about"] == desk.request), "{items:#?}");
        items.iter().map(|notice| notice["dueOn"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    desk.pass(TimeDelta::hours(48) - TimeDelta::seconds(1));
    assert_eq!((index.retain().await.0[7], told().await.len()), (0, 0));
    desk.pass(TimeDelta::seconds(1));
    assert_eq!((index.retain().await.0[7], index.retain().await.0[7]), (1, 0));
    assert_eq!(told().await, ["2026-11-18"]);
    desk.forward().await.expect(200);
    desk.pass(TimeDelta::hours(48));
    assert_eq!((index.retain().await.0[7], index.retain().await.0[7]), (1, 0));
    assert_eq!(told().await, ["2026-11-18", "2026-11-20"]);
    desk.answer("accepted").await.expect(200);
    desk.pass(TimeDelta::days(3));
    assert_eq!((index.retain().await.0[7], told().await.len()), (0, 2));
}

#[actix_web::test]
async fn nobody_is_reminded_of_a_request_after_14_days_or_about_a_record_in_the_archive() {
    let desk = Desk::new().await;
    let index = &desk.ward.index;
    let archive = "update child set archives_on = '2026-11-19' where child_id = $1";
    sqlx::query(archive).bind(desk.ward.child.id).execute(&index.db).await.unwrap();
    desk.pass(TimeDelta::days(3));
    assert_eq!(index.retain().await.0[7], 0);

    let desk = Desk::new().await;
    desk.pass(TimeDelta::days(15));
    assert_eq!(desk.ward.index.retain().await.0[7], 0);
}
