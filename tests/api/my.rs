//! A child reads the own record and who has looked at it, in plain words; a carer reads it as long as they may decide for the child.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Child, Index, Scene};

/// A child of eleven with a mother, a school and a mental health service, and both have an account.
struct Home {
    index: Index,
    scene: Scene,
    steward: Caller,
    child: Child,
    mother: uuid::Uuid,
    mine: Caller,
    hers: Caller,
}

impl Home {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let steward = scene.caller(Role::Steward).clone();
        let child = index.child(scene.authority).await;
        let mother = index.carer(&child).await;
        let mine = index.account(Role::Subject, scene.authority).await;
        let hers = index.account(Role::Subject, scene.authority).await;
        index.enrol(&steward, &child, &mine, None, Some("childCompetent")).await.expect(201);
        index.enrol(&steward, &child, &hers, Some(mother), None).await.expect(201);
        Self { index, scene, steward, child, mother, mine, hers }
    }

    async fn record(&self, by: &Caller) -> Answer {
        self.index.get(by, "/v1/my/record").await
    }

    async fn looks(&self, by: &Caller) -> Vec<Value> {
        let told = self.index.get(by, "/v1/my/looks").await.expect(200);
        told.body["items"].as_array().unwrap().clone()
    }

    /// Somebody of the school opens the record for this reason.
    async fn opens(&self, by: &Caller, reason: &str) {
        let headers = [("Access-Reason", reason)];
        self.index.request(by, "GET", &self.child.path(""), (), &headers).await.expect(200);
    }

    async fn run(&self, statement: &str) {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(self.child.id)
            .execute(&self.index.db)
            .await
            .unwrap();
    }
}

/// The words of all facts and services of a record.
fn words(record: &Value) -> String {
    record["facts"].to_string() + &record["services"].to_string()
}

#[actix_web::test]
async fn a_child_reads_the_whole_record_in_plain_words_with_the_codes_beside_them() {
    let home = Home::new().await;
    home.index.involvement(&home.child, home.scene.school, "school").await;
    home.index.sensitive(&home.child, home.scene.other_school, "mentalHealth").await;
    let read = home.record(&home.mine).await.expect(200);
    let record = &read.body;
    assert_eq!(
        (&record["indexNumber"], &record["capacity"]),
        (&json!(home.child.number), &json!("child"))
    );
    assert_eq!(record["status"], "active");
    let facts = record["facts"].as_array().unwrap();
    assert_eq!(facts[0]["words"], format!("Your name is Amy {}.", home.child.family));
    assert_eq!(facts[0]["value"]["given"], json!(["Amy"]));
    assert!(facts[0]["who"].as_str().unwrap().ends_with(" told us this on 16 November 2026."));
    assert_eq!(facts[1]["words"], "You were born on 14 March 2015.");
    assert_eq!(facts[2]["words"], "The record says that you are a girl.");
    assert_eq!(facts[3]["words"], "We do not know where you live.");
    let carer = &facts[4];
    assert_eq!((&carer["fact"], &carer["id"]), (&json!("carer"), &json!(home.mother)));
    assert!(carer["words"].as_str().unwrap().contains("is your mother. By law, "));
    let services = record["services"].as_array().unwrap();
    let kinds: Vec<_> = services.iter().map(|service| &service["serviceType"]).collect();
    assert_eq!(kinds.len(), 2);
    let private = services.iter().find(|service| service["private"] == true).unwrap();
    assert_eq!(private["serviceType"], "mentalHealth");
    let school = services.iter().find(|service| service["private"] == false).unwrap();
    assert_eq!(school["words"][0], "This is your school.");
    assert_eq!(school["words"][2], "Ask for Example Team. You can call 01632 960003 in the day.");
    let event = home.index.event(&read).await;
    assert_eq!(event["children"], json!([home.child.id]));

    let listed = home.index.get(&home.mine, "/v1/my/children").await.expect(200);
    assert_eq!(
        listed.body["items"],
        json!([{ "indexNumber": home.child.number, "capacity": "child" }])
    );
}

#[actix_web::test]
async fn a_carer_reads_it_about_the_child_and_is_not_told_of_services_to_which_the_child_consented()
{
    let home = Home::new().await;
    home.index.involvement(&home.child, home.scene.school, "school").await;
    let (sensitive, _) =
        home.index.sensitive(&home.child, home.scene.other_school, "mentalHealth").await;
    let read = home.record(&home.hers).await.expect(200).body;
    assert_eq!(read["facts"][1]["words"], "Your child was born on 14 March 2015.");
    assert_eq!(read["services"].as_array().unwrap().len(), 1);
    let all = words(&read);
    assert!(!all.contains(&sensitive.to_string()) && !all.contains("mentalHealth"), "{all}");
}

#[actix_web::test]
async fn a_carer_is_told_of_a_sensitive_service_that_a_carer_consented_to_until_the_child_is_twelve()
 {
    let home = Home::new().await;
    home.index.sensitive(&home.child, home.scene.other_school, "mentalHealth").await;
    home.run("update consent set given_by = 'carer', capacity_basis = 'parentalResponsibility' where child_id = $1").await;
    for by in [&home.hers, &home.mine] {
        let read = home.record(by).await.expect(200).body;
        assert_eq!(
            (&read["services"][0]["serviceType"], &read["services"][0]["private"]),
            (&json!("mentalHealth"), &json!(false))
        );
    }
    home.index.live_until("2027-03-14");
    let path = home.child.path(&format!("/subjects/{}", home.hers.id));
    home.index.delete(&home.steward, &path, 1).await.expect(200);
    let enrolled = home.index.enrol(
        &home.steward,
        &home.child,
        &home.hers,
        Some(home.mother),
        Some("childAgrees"),
    );
    enrolled.await.expect(201);
    assert_eq!(home.record(&home.hers).await.expect(200).body["services"], json!([]));
    let read = home.record(&home.mine).await.expect(200).body;
    assert_eq!(read["services"][0]["private"], true);
}

#[actix_web::test]
async fn under_a_shield_the_child_reads_all_and_a_carer_what_it_leaves_to_everybody() {
    let home = Home::new().await;
    home.index.involvement(&home.child, home.scene.school, "school").await;
    let other = home.index.carer(&home.child).await;
    home.run("update carer set phones = '{01632960009}' where child_id = $1").await;
    home.run(
        "update whereabouts set kind = 'current', lines = '{12 Harbour Way}', town = 'Exampleton', postcode = 'PO1 3AX'
         where child_id = $1",
    )
    .await;
    home.index.shield(&home.child).await;
    let mine = home.record(&home.mine).await.expect(200).body;
    assert!(words(&mine).contains("You live at 12 Harbour Way, Exampleton, PO1 3AX."));
    assert_eq!(mine["services"].as_array().unwrap().len(), 1);
    let hers = home.record(&home.hers).await.expect(200).body;
    let told = hers.to_string();
    for hidden in ["Harbour", "whereabouts", "serviceType", "told us this"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
    assert!(hers.get("council").is_none());
    let carers = hers["facts"].as_array().unwrap().iter().filter(|fact| fact["fact"] == "carer");
    for carer in carers {
        let reached = carer["value"]["phones"] != json!([]);
        assert_eq!(reached, carer["id"] == json!(home.mother), "{carer:#}");
        assert!(carer["id"] == json!(home.mother) || carer["id"] == json!(other));
    }
    assert_eq!(home.looks(&home.hers).await, Vec::<Value>::new());
}

#[actix_web::test]
async fn a_carer_who_loses_parental_responsibility_reads_nothing_from_that_moment() {
    let home = Home::new().await;
    let carer = home.child.path(&format!("/carers/{}", home.mother));
    let kept = json!({ "phones": ["01632 960001"] });
    home.index.patch(&home.steward, &carer, 1, kept).await.expect(200);
    home.record(&home.hers).await.expect(200);
    let lost = json!({ "parentalResponsibility": false });
    let version = home.index.patch(&home.steward, &carer, 2, lost).await.expect(200).version();
    home.record(&home.hers).await.refused(404, "not-found");
    home.index.get(&home.hers, "/v1/my/looks").await.refused(404, "not-found");
    let listed = home.index.get(&home.hers, "/v1/my/children").await.expect(200);
    assert_eq!(listed.body["items"], json!([]));
    let ask = json!({ "kind": "see" });
    home.index.post(&home.hers, "/v1/my/requests", ask).await.refused(404, "not-found");
    let enrolled = home.index.get(&home.steward, &home.child.path("/subjects")).await.expect(200);
    for one in enrolled.body["items"].as_array().unwrap() {
        assert_eq!(one["acts"], json!(one["capacity"] == "child"), "{one:#}");
    }
    let again = json!({ "parentalResponsibility": true });
    let version =
        home.index.patch(&home.steward, &carer, version, again).await.expect(200).version();
    home.record(&home.hers).await.expect(200);
    home.index.delete(&home.steward, &carer, version).await.expect(200);
    home.record(&home.hers).await.refused(404, "not-found");
    home.record(&home.mine).await.expect(200);
}

#[actix_web::test]
async fn a_child_who_turns_twelve_decides_and_a_carer_reads_on_only_once_a_steward_has_enrolled_them_anew()
 {
    let home = Home::new().await;
    home.index.live_until("2027-03-13");
    home.record(&home.hers).await.expect(200);
    home.index.live_until("2027-03-14");
    home.record(&home.hers).await.refused(404, "not-found");
    home.record(&home.mine).await.expect(200);
    let enrol = async |basis| {
        home.index.enrol(&home.steward, &home.child, &home.hers, Some(home.mother), basis).await
    };
    enrol(Some("childAgrees")).await.refused(409, "subject-exists");
    let path = home.child.path(&format!("/subjects/{}", home.hers.id));
    home.index.delete(&home.steward, &path, 1).await.expect(200);
    assert_eq!(enrol(None).await.refused(422, "invalid-value").pointers(), ["/basis"]);
    enrol(Some("childAgrees")).await.expect(201);
    home.record(&home.hers).await.expect(200);
    home.index.delete(&home.steward, &path, 1).await.expect(200);
    enrol(Some("childNotCompetent")).await.expect(201);
    home.record(&home.hers).await.expect(200);

    let grown = home.index.account(Role::Subject, home.scene.authority).await;
    home.index
        .delete(&home.steward, &home.child.path(&format!("/subjects/{}", home.mine.id)), 1)
        .await
        .expect(200);
    home.index.enrol(&home.steward, &home.child, &grown, None, None).await.expect(201);
    home.record(&grown).await.expect(200);
    home.index.live_until("2033-03-13");
    home.record(&home.hers).await.expect(200);
    home.index.live_until("2033-03-14");
    home.index.retain().await;
    home.record(&home.hers).await.refused(404, "not-found");
    assert_eq!(home.record(&grown).await.expect(200).body["status"], "archived");
}

#[actix_web::test]
async fn a_child_under_twelve_has_an_account_only_by_a_stewards_finding() {
    let home = Home::new().await;
    let child = home.index.account(Role::Subject, home.scene.authority).await;
    let told = home.index.enrol(&home.steward, &home.child, &child, None, None).await;
    assert_eq!(told.refused(422, "invalid-value").pointers(), ["/basis"]);
    home.record(&child).await.refused(404, "not-found");
}

#[actix_web::test]
async fn a_sibling_is_told_nothing_and_the_refusal_is_that_of_a_number_that_nobody_has() {
    let home = Home::new().await;
    let sibling = home.index.child(home.scene.authority).await;
    home.index.carer(&sibling).await;
    let nobody = contactpoint::ids::IndexNumber::from_ten_digits(9_100_000_000);
    let mut told = Vec::new();
    for number in [sibling.number.as_str(), nobody.as_str()] {
        for path in ["record", "looks"] {
            for by in [&home.mine, &home.hers] {
                let path = format!("/v1/my/{path}?child={number}");
                let answer = home.index.get(by, &path).await.refused(404, "not-found");
                let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
                told.push((answer.body, names));
            }
        }
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:#?}");
    let own = format!("/v1/my/record?child={}", home.child.number);
    home.index.get(&home.hers, &own).await.expect(200);
    home.index.get(&home.mine, &sibling.path("")).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn a_carer_of_several_says_of_whom_and_a_stranger_acts_for_nobody() {
    let home = Home::new().await;
    let sibling = home.index.child(home.scene.authority).await;
    let mother = home.index.carer(&sibling).await;
    home.index.enrol(&home.steward, &sibling, &home.hers, Some(mother), None).await.expect(201);
    let unsaid = home.record(&home.hers).await.refused(400, "invalid-query");
    assert!(unsaid.body["detail"].as_str().unwrap().starts_with("child is required"));
    for child in [&home.child, &sibling] {
        let path = format!("/v1/my/record?child={}", child.number);
        let record = home.index.get(&home.hers, &path).await.expect(200);
        assert_eq!(record.body["indexNumber"], json!(child.number));
    }
    let ask = json!({ "kind": "see" });
    let unsaid = home.index.post(&home.hers, "/v1/my/requests", ask).await;
    assert_eq!(unsaid.refused(422, "invalid-value").pointers(), ["/child"]);
    let stranger = home.scene.caller(Role::Subject);
    home.record(stranger).await.refused(404, "not-found");
    home.index.get(&home.steward, "/v1/my/record").await.refused(403, "forbidden");
    let headers = [("On-Behalf-Of", home.hers.id.to_string())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mediated = home.index.request(&home.mine, "GET", "/v1/my/record", (), &headers).await;
    mediated.refused(400, "invalid-header");
}

#[actix_web::test]
async fn an_archived_record_is_read_as_long_as_it_is_kept_and_an_ended_identity_is_not() {
    let home = Home::new().await;
    home.run(
        "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
    )
    .await;
    let record = home.record(&home.mine).await.expect(200).body;
    assert_eq!(record["status"], "archived");
    assert!(record["words"].to_string().contains("The record is closed now."));
    home.run("update child set status = 'active', archived_on = null where child_id = $1").await;
    home.index.shield(&home.child).await;
    home.run("update child set status = 'retired' where child_id = $1").await;
    for by in [&home.mine, &home.hers] {
        home.record(by).await.refused(404, "not-found");
        home.index.get(by, "/v1/my/looks").await.refused(404, "not-found");
    }
}

#[actix_web::test]
async fn a_merged_record_is_read_as_the_one_it_is_part_of_and_its_requests_go_along() {
    let home = Home::new().await;
    let survivor = home.index.child(home.scene.authority).await;
    sqlx::query("update child_name set given = '{Zoe}', given_keys = '{zoe}' where child_id = $1")
        .bind(survivor.id)
        .execute(&home.index.db)
        .await
        .unwrap();
    // The other record knows the same mother, so that hers is told no more on its own.
    sqlx::query(
        "insert into carer (carer_id, child_id, given, family, relationship, parental_responsibility, source_organisation_id, received_at, as_at)
         select gen_random_uuid(), $2, given, family, relationship, parental_responsibility, source_organisation_id, received_at, as_at
         from carer where carer_id = $1",
    )
    .bind(home.mother)
    .bind(survivor.id)
    .execute(&home.index.db)
    .await
    .unwrap();
    home.opens(home.scene.caller(Role::Practitioner), "direct-service").await;
    let asked =
        home.index.post(&home.mine, "/v1/my/requests", json!({ "kind": "see" })).await.expect(201);
    let second = home.index.account(Role::Steward, home.scene.authority).await;
    let merge = json!({ "survivor": survivor.number, "retired": home.child.number, "ground": "recordedTwice" });
    let merge = home.index.post(&home.steward, "/v1/merges", merge).await.expect(201);
    let path = merge.header("Location");
    home.index
        .put(&second, &format!("{path}/approval"), merge.version(), Value::Null)
        .await
        .expect(200);

    for query in [
        String::new(),
        format!("?child={}", home.child.number),
        format!("?child={}", survivor.number),
    ] {
        for by in [&home.mine, &home.hers] {
            let read = home.index.get(by, &format!("/v1/my/record{query}")).await.expect(200);
            assert_eq!(read.body["indexNumber"], json!(survivor.number), "{query}");
        }
    }
    let looks = home.looks(&home.mine).await;
    assert!(
        looks.iter().any(|look| look["saw"] == "record" && look["role"] == "practitioner"),
        "{looks:#?}"
    );
    let request = home.index.get(&home.steward, asked.header("Location")).await.expect(200);
    assert_eq!(request.body["indexNumber"], json!(survivor.number));

    let undo = json!({ "ground": "relatives" });
    let undone = home.index.get(&home.steward, path).await.expect(200).version();
    let undone =
        home.index.put(&home.steward, &format!("{path}/reversal"), undone, undo).await.expect(200);
    home.index
        .put(&second, &format!("{path}/approval"), undone.version(), Value::Null)
        .await
        .expect(200);
    let read = home.record(&home.hers).await.expect(200);
    assert_eq!(read.body["indexNumber"], json!(home.child.number));
    let request = home.index.get(&home.mine, asked.header("Location")).await.expect(200);
    assert_eq!(request.body["indexNumber"], json!(home.child.number));
}

#[actix_web::test]
async fn a_suspended_or_closed_account_reads_nothing() {
    for status in ["suspended", "closed"] {
        let home = Home::new().await;
        sqlx::query("update account set status = $2 where account_id = $1")
            .bind(home.mine.id)
            .bind(status)
            .execute(&home.index.db)
            .await
            .unwrap();
        home.record(&home.mine).await.refused(401, "unauthenticated");
        home.index.get(&home.mine, "/v1/my/looks").await.refused(401, "unauthenticated");
    }
}

#[actix_web::test]
async fn who_looked_is_told_by_organisation_and_role_with_the_reason_and_never_by_name() {
    let home = Home::new().await;
    let teacher = home.scene.caller(Role::Practitioner);
    home.opens(teacher, "direct-service").await;
    let search = json!({ "indexNumber": home.child.number });
    home.index.post(teacher, "/v1/children/search", search).await.expect(200);
    home.index.get(&home.steward, &home.child.path("/history")).await.expect(200);
    home.index.get(teacher, "/v1/children/12345678901").await.refused(404, "not-found");
    home.record(&home.mine).await.expect(200);
    home.record(&home.hers).await.expect(200);
    let looks = home.looks(&home.mine).await;
    let told: Vec<_> = looks
        .iter()
        .map(|look| (look["saw"].as_str().unwrap(), look["role"].as_str().unwrap()))
        .collect();
    for one in [
        ("record", "practitioner"),
        ("found", "practitioner"),
        ("before", "steward"),
        ("own", "subject"),
    ] {
        assert_eq!(told.iter().filter(|told| **told == one).count(), 1, "{one:?}: {told:?}");
    }
    assert_eq!(told.len(), 4, "the own looks are not told: {told:?}");
    let opened = looks.iter().find(|look| look["saw"] == "record").unwrap();
    let words =
        "Someone who works with children opened your whole record. Why: to help or look after you.";
    assert_eq!((&opened["words"], &opened["reason"]), (&json!(words), &json!("direct-service")));
    assert_eq!(opened["organisation"]["kind"], "school");
    let whole = json!(looks).to_string();
    assert!(
        !whole.contains(&teacher.id.to_string()) && !whole.contains("Example Person"),
        "{whole}"
    );
    let hers = home.looks(&home.hers).await;
    assert!(
        hers.iter().all(|look| look["role"] != "subject"),
        "what a child reads is not told to a carer"
    );
}

#[actix_web::test]
async fn pages_of_looks_have_every_look_once() {
    let home = Home::new().await;
    let teacher = home.scene.caller(Role::Practitioner);
    for n in 0..5 {
        home.opens(teacher, if n % 2 == 0 { "direct-service" } else { "safeguarding-enquiry" })
            .await;
        home.index.clock.set(home.index.now() + chrono::TimeDelta::minutes(1));
    }
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page =
            home.index.get(&home.mine, &format!("/v1/my/looks?limit=2{next}")).await.expect(200);
        let items = page.body["items"].as_array().unwrap();
        assert!(
            !items.is_empty() && (items.len() == 2 || page.body.get("next").is_none()),
            "{:#}",
            page.body
        );
        seen.extend(items.iter().map(|look| look["at"].as_str().unwrap().to_owned()));
        match page.body["next"].as_str() {
            Some(after) => next = format!("&after={after}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.windows(2).all(|two| two[0] > two[1]), "{seen:?}");
}

#[actix_web::test]
async fn looks_of_an_enquiry_are_told_after_28_days_and_leave_no_gap_before() {
    let home = Home::new().await;
    let teacher = home.scene.caller(Role::Practitioner);
    home.opens(teacher, "direct-service").await;
    let read = async |by| home.index.get(by, "/v1/my/looks").await.expect(200).body;
    // What she reads is told to the child, so she reads first and last.
    let hers = read(&home.hers).await;
    let mine = read(&home.mine).await;
    home.index.clock.set(home.index.now() + chrono::TimeDelta::hours(1));
    home.opens(teacher, "safeguarding-enquiry").await;
    assert_eq!(read(&home.mine).await, mine);
    assert_eq!(read(&home.hers).await, hers);
    home.index.live_until("2026-12-14T10:29:59Z");
    assert_eq!(home.looks(&home.hers).await.len(), 1);
    home.index.live_until("2026-12-14T10:30:00Z");
    let looks = home.looks(&home.hers).await;
    assert_eq!(looks.len(), 2);
    assert_eq!(
        (&looks[0]["reason"], &looks[0]["at"]),
        (&json!("safeguarding-enquiry"), &json!("2026-11-16T10:30:00Z"))
    );
}

#[actix_web::test]
async fn looks_are_withheld_while_a_steward_says_so_every_three_months_and_told_when_that_ends() {
    let home = Home::new().await;
    let teacher = home.scene.caller(Role::Practitioner);
    home.opens(teacher, "safeguarding-enquiry").await;
    home.index.live_until("2026-12-01");
    let path = home.child.path("/withholdings");
    let body = json!({ "ground": "seriousHarm" });
    let placed = home.index.post(&home.steward, &path, body.clone()).await.expect(201);
    assert_eq!(placed.body["reviewOn"], "2027-03-01");
    home.opens(teacher, "direct-service").await;
    home.index.live_until("2027-02-01");
    assert_eq!(home.looks(&home.mine).await.len(), 1, "the enquiry goes on");
    let change = placed.header("Location").to_owned();
    let goes_on = json!({ "continues": true });
    let confirmed = home.index.put(&home.steward, &change, 1, goes_on.clone()).await.expect(200);
    assert_eq!(confirmed.body["reviewOn"], "2027-05-01");
    home.index.live_until("2027-05-01");
    assert_eq!(home.looks(&home.mine).await.len(), 1);
    home.index.live_until("2027-05-02");
    assert_eq!(home.looks(&home.mine).await.len(), 2, "nobody has confirmed it");
    home.index.put(&home.steward, &change, 2, goes_on).await.refused(409, "withholding-ended");

    home.opens(teacher, "safeguarding-enquiry").await;
    let again = home.index.post(&home.steward, &path, body).await.expect(201);
    home.index.live_until("2027-07-01");
    assert_eq!(home.looks(&home.mine).await.len(), 2);
    let ended = json!({ "continues": false });
    home.index.put(&home.steward, again.header("Location"), 1, ended.clone()).await.expect(200);
    assert_eq!(home.looks(&home.mine).await.len(), 3);
    home.index
        .put(&home.steward, again.header("Location"), 2, ended)
        .await
        .refused(409, "withholding-ended");
    let listed = home.index.get(&home.steward, &path).await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn who_answers_for_another_record_withholds_nothing_and_stewards_are_reminded_of_what_they_withhold()
 {
    let home = Home::new().await;
    let path = home.child.path("/withholdings");
    let elsewhere = home.index.account(Role::Steward, home.scene.other_authority).await;
    let body = json!({ "ground": "crime" });
    home.index.post(&elsewhere, &path, body.clone()).await.refused(403, "forbidden");
    home.index.get(&elsewhere, &path).await.refused(403, "forbidden");
    let placed = home.index.post(&home.steward, &path, body).await.expect(201);
    let ends = json!({ "continues": false });
    let unseen = home.index.put(&elsewhere, placed.header("Location"), 1, ends.clone()).await;
    unseen.refused(404, "not-found");
    home.index
        .put(&home.steward, placed.header("Location"), 2, ends)
        .await
        .refused(412, "precondition-failed");
    home.index.live_until("2027-02-02");
    home.index.retain().await;
    home.index.retain().await;
    let notices =
        home.index.get(&home.steward, "/v1/notices?kind=withholdingReviewDue").await.expect(200);
    let items = notices.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!((&items[0]["about"], &items[0]["dueOn"]), (&json!(path), &json!("2027-02-16")));
}

#[actix_web::test]
async fn looks_past_a_shield_are_told_later_to_the_child() {
    let home = Home::new().await;
    home.index.shield(&home.child).await;
    let officer = home.scene.caller(Role::PractitionerWithOverride);
    home.index.grant(officer, &home.child).await;
    home.opens(officer, "direct-service").await;
    assert_eq!(home.looks(&home.mine).await.len(), 0);
    home.index.clock.set(home.index.now() + chrono::TimeDelta::minutes(15));
    home.opens(officer, "direct-service").await;
    assert_eq!(home.looks(&home.mine).await.len(), 1, "the grant is over");
    home.index.live_until("2026-12-15");
    assert_eq!(home.looks(&home.mine).await.len(), 2);
}

#[actix_web::test]
async fn a_carer_is_not_told_that_a_sensitive_service_of_the_child_looked() {
    let home = Home::new().await;
    let clinic = home.index.organisation("healthTrust", Some(home.scene.authority)).await;
    home.index.sensitive(&home.child, clinic, "mentalHealth").await;
    let nurse = home.index.account(Role::Practitioner, clinic).await;
    home.opens(&nurse, "direct-service").await;
    home.opens(home.scene.caller(Role::Practitioner), "direct-service").await;
    assert_eq!(home.looks(&home.mine).await.len(), 2);
    let hers = home.looks(&home.hers).await;
    let kinds: Vec<_> = hers.iter().map(|look| &look["organisation"]["kind"]).collect();
    assert_eq!(kinds, ["school"]);
}
