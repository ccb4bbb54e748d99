//! The directory: found by everyone who works with children, kept by the national operator.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Caller, Index, TODAY},
    involvement::service,
    written,
};

async fn operator(index: &Index) -> Caller {
    let national = index.organisation("nationalPartner", None).await;
    index.caller(Role::Operator, national).await
}

fn charity(name: &str) -> Value {
    json!({ "kind": "charity", "name": name, "officeHours": "01632 960001", "duty": "01632 960002" })
}

/// The names on all pages of a list, in their order.
async fn names(index: &Index, by: &Caller, query: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = index.get(by, &format!("/v1/organisations?{query}{after}")).await.expect(200);
        let items = page.body["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next"].as_str() else { return names };
        assert!(!items.is_empty(), "a page that is not the last holds something");
        after = format!("&after={next}");
    }
}

#[actix_web::test]
async fn every_page_goes_on_where_the_one_before_ended() {
    let index = Index::start().await;
    let by = operator(&index).await;
    let mut made: Vec<String> = (0..23).map(|_| "Twin House".to_owned()).collect();
    made.extend(
        ["100% Youth", "100_ Youth", "100 Youth", "élan", "Élan Two", "zebra", "Back\\slash"]
            .map(String::from),
    );
    for name in &made {
        index.post(&by, "/v1/organisations", charity(name)).await.expect(201);
    }
    made.sort();
    for limit in [1, 2, 7, 30, 100] {
        let mut found = names(&index, &by, &format!("kind=charity&limit={limit}")).await;
        found.sort();
        assert_eq!(found, made, "in pages of {limit}");
    }
    assert_eq!(names(&index, &by, "name=twin%20HOUSE&limit=5").await.len(), 23);
    for (beginning, found) in [
        ("100%25", vec!["100% Youth"]),
        ("100_", vec!["100_ Youth"]),
        ("%25", vec![]),
        ("_", vec![]),
        ("back%5C", vec!["Back\\slash"]),
        ("%C3%89LAN", vec!["élan", "Élan Two"]),
    ] {
        assert_eq!(names(&index, &by, &format!("name={beginning}")).await, found, "{beginning}");
    }
}

#[actix_web::test]
async fn organisations_are_found_by_kind_and_area() {
    let index = Index::start().await;
    let (here, there) = (index.authority().await, index.authority().await);
    for (authority, kind) in
        [(here, "school"), (here, "school"), (there, "school"), (here, "charity")]
    {
        index.organisation(kind, Some(authority)).await;
    }
    let by = index.caller(Role::Practitioner, here).await;
    let code = index.get(&by, &format!("/v1/organisations/{}", here.id)).await.expect(200);
    let code = code.body["codes"]["authority"].as_str().unwrap().to_owned();
    assert_eq!(names(&index, &by, "kind=school").await.len(), 3);
    assert_eq!(names(&index, &by, &format!("kind=school&authority={code}")).await.len(), 2);
    assert_eq!(names(&index, &by, &format!("authority={code}")).await.len(), 4);
    assert_eq!(names(&index, &by, "kind=policeForce").await.len(), 0);
    for wrong in [
        "limit=0",
        "limit=101",
        "kind=zoo",
        "authority=88",
        "after=nonsense",
        "name=",
        "colour=red",
    ] {
        let answer = index.get(&by, &format!("/v1/organisations?{wrong}")).await;
        answer.refused(400, "invalid-query");
    }
}

#[actix_web::test]
async fn the_operator_adds_an_organisation() {
    let index = Index::start().await;
    let by = operator(&index).await;
    let authority = json!({
        "kind": "localAuthority", "name": "Example", "codes": { "authority": "998", "gss": "E06000998" },
        "officeHours": "01632 960001", "duty": "01632 960002",
    });
    let answer = index.post(&by, "/v1/organisations", authority).await.expect(201);
    assert_eq!(
        (&answer.body["authority"], &answer.body["status"]),
        (&json!("998"), &json!("accredited"))
    );
    let details = json!({ "organisation": answer.body["id"] });
    written::done(&index, &answer, &by, "add_organisation", &[], details).await;
    let location = answer.header("Location").to_owned();
    assert_eq!(index.get(&by, &location).await.expect(200).body, answer.body);

    let mut school = charity("Example School");
    school["kind"] = json!("school");
    school["codes"] = json!({ "urn": "900001", "laestab": "9989001" });
    school["authority"] = json!("998");
    let path = "/v1/organisations";
    let key = [("Idempotency-Key", "school-900001")];
    let school = || school.clone();
    let first = index.request(&by, "POST", path, school(), &key).await.expect(201);
    let again = index.request(&by, "POST", path, school(), &key).await.expect(201);
    assert_eq!(again.body, first.body);
    let repeated = json!({ "repeated": true });
    written::done(&index, &again, &by, "add_organisation", &[], repeated).await;
}

#[actix_web::test]
async fn nobody_but_the_operator_keeps_the_directory() {
    let index = Index::start().await;
    let authority = index.authority().await;
    for &role in Role::ALL.iter().filter(|role| **role != Role::Operator) {
        let by = index.caller(role, authority).await;
        index.post(&by, "/v1/organisations", charity("Example")).await.refused(403, "forbidden");
        let path = format!("/v1/organisations/{}", authority.id);
        let change = index.patch(&by, &path, 1, json!({ "status": "closed" })).await;
        change.refused(403, "forbidden");
    }
}

#[actix_web::test]
async fn a_code_belongs_to_one_organisation() {
    let index = Index::start().await;
    let by = operator(&index).await;
    for (kind, member, code) in [
        ("localAuthority", "authority", "997"),
        ("school", "urn", "900001"),
        ("school", "laestab", "9979001"),
        ("gpPractice", "ods", "Y90001"),
        ("charity", "gss", "E06000997"),
        ("charity", "reference", "charity/900001"),
    ] {
        let mut body = charity("Example");
        body["kind"] = json!(kind);
        body["codes"] = json!({ member: code });
        let add = || index.post(&by, "/v1/organisations", body.clone());
        let mut answers = join_all((0..4).map(|_| add())).await;
        answers.sort_by_key(|answer| answer.status);
        assert_eq!(answers.remove(0).status, 201, "{member}");
        for answer in answers {
            let answer = answer.refused(409, "code-held");
            assert_eq!(answer.pointers(), [format!("/codes/{member}")]);
            written::refused(&index, &answer, Some(&by), "add_organisation", json!({})).await;
        }
    }
}

#[actix_web::test]
async fn an_organisation_that_cannot_be_is_refused() {
    let index = Index::start().await;
    let by = operator(&index).await;
    for (change, pointer) in [
        (json!({ "kind": "localAuthority" }), "/codes/authority"),
        (json!({ "codes": { "authority": "996" } }), "/codes/authority"),
        (json!({ "authority": "996" }), "/authority"),
        (json!({ "codes": { "urn": "12345" } }), "/codes/urn"),
        (json!({ "name": "" }), "/name"),
        (json!({ "name": "a\u{7f}b" }), "/name"),
    ] {
        let mut body = charity("Example");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = index.post(&by, "/v1/organisations", body).await;
        let answer = answer.refused(422, "invalid-value");
        assert!(answer.pointers().iter().all(|at| *at == pointer), "{:#}", answer.body);
    }
}

#[actix_web::test]
async fn an_organisation_is_changed_on_the_version_that_was_read() {
    let index = Index::start().await;
    let by = operator(&index).await;
    let made = index.post(&by, "/v1/organisations", charity("Example")).await.expect(201);
    let path = made.header("Location").to_owned();
    let change = json!({ "name": "Example Two", "email": "duty@example.org" });
    let answer = index.patch(&by, &path, 1, change.clone()).await.expect(200);
    assert_eq!((&answer.body["name"], &answer.body["email"]), (&change["name"], &change["email"]));
    assert_eq!((&answer.body["duty"], answer.version()), (&made.body["duty"], 2));
    let details = json!({ "organisation": made.body["id"], "version": 2 });
    written::done(&index, &answer, &by, "change_organisation", &[], details).await;

    for (tag, status, problem) in [
        ("", 428, "precondition-required"),
        ("\"1\"", 412, "precondition-failed"),
        ("*", 400, "invalid-header"),
    ] {
        let answer = index.request(&by, "PATCH", &path, change.clone(), &[("If-Match", tag)]).await;
        let answer = answer.refused(status, problem);
        let asked = json!({ "organisationId": made.body["id"] });
        written::refused(&index, &answer, Some(&by), "change_organisation", asked).await;
    }
    let twins = join_all((0..4).map(|_| index.patch(&by, &path, 2, change.clone()))).await;
    assert_eq!(twins.iter().filter(|twin| twin.status == 200).count(), 1);
    assert_eq!(index.get(&by, &path).await.version(), 3);
}

#[actix_web::test]
async fn an_organisation_with_a_day_of_closing_is_closed() {
    let index = Index::start().await;
    let by = operator(&index).await;
    let mut body = charity("Example");
    body["openedOn"] = json!("2020-09-01");
    let path =
        index.post(&by, "/v1/organisations", body).await.expect(201).header("Location").to_owned();
    for (change, pointer) in [
        (json!({ "closedOn": "2026-11-17" }), "/closedOn"),
        (json!({ "closedOn": "2020-08-31" }), "/closedOn"),
        (json!({ "closedOn": TODAY, "status": "accredited" }), "/status"),
    ] {
        let answer = index.patch(&by, &path, 1, change).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [pointer]);
    }
    let closed = index.patch(&by, &path, 1, json!({ "status": "closed" })).await.expect(200);
    assert_eq!(
        (&closed.body["status"], &closed.body["closedOn"]),
        (&json!("closed"), &json!(TODAY))
    );
}

#[actix_web::test]
async fn whoever_acts_for_a_suspended_organisation_is_refused_at_once() {
    let index = Index::start().await;
    let by = operator(&index).await;
    let authority = index.authority().await;
    let child = index.child(authority).await;
    let path = format!("/v1/organisations/{}", authority.id);
    let people = [
        index.caller(Role::Practitioner, authority).await,
        index.caller(Role::Steward, authority).await,
        index.caller(Role::Feed, authority).await,
    ];
    let look = |caller| index.get(caller, "/v1/organisations");
    for caller in &people {
        look(caller).await.expect(200);
    }
    index.patch(&by, &path, 1, json!({ "status": "suspended" })).await.expect(200);
    for caller in &people {
        look(caller).await.refused(401, "unauthenticated");
    }
    for caller in &people {
        let answer = index.post(caller, &child.path("/involvements"), service("socialCare")).await;
        answer.refused(401, "unauthenticated");
    }
    index.patch(&by, &path, 2, json!({ "status": "accredited" })).await.expect(200);
    for caller in &people {
        look(caller).await.expect(200);
    }
}
