//! Feeds: who adds them, who sees them.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::harness::{Index, Scene};

const FEEDS: &str = "/v1/feeds";

fn named(name: &str) -> Value {
    json!({ "name": name, "serviceType": "school" })
}

async fn names(index: &Index, scene: &Scene, role: Role) -> Vec<String> {
    let list = index.get(scene.caller(role), FEEDS).await.expect(200);
    let items = list.body["items"].as_array().unwrap().iter();
    items.map(|feed| feed["name"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn an_administrator_adds_a_feed_which_begins_in_trial_and_is_named_anew() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let by = scene.caller(Role::AccountAdministrator);
    let key = [("Idempotency-Key", "once-and-no-more")];
    let added = index.request(by, "POST", FEEDS, named("Park MIS"), &key).await.expect(201);
    assert_eq!(
        (&added.body["stage"], &added.body["organisationId"], added.version()),
        (&json!("trial"), &json!(scene.school.id), 1)
    );
    assert!(added.body.get("liveSince").is_none());
    let event = index.event(&added).await;
    assert_eq!(event["details"]["feed"], added.body["id"]);
    let again = index.request(by, "POST", FEEDS, named("Park MIS"), &key).await.expect(201);
    assert_eq!(again.body, added.body);
    assert_eq!(index.rows().await["feed"], 1);

    let at = added.header("Location");
    assert_eq!(index.get(by, at).await.expect(200).body, added.body);
    let change = json!({ "name": "Park MIS 2" });
    let changed = index.patch(by, at, 1, change.clone()).await.expect(200);
    assert_eq!((&changed.body["name"], changed.version()), (&json!("Park MIS 2"), 2));
    index.patch(by, at, 1, change.clone()).await.refused(412, "precondition-failed");
    let unconditional = index.request(by, "PATCH", at, change, &[]).await;
    unconditional.refused(428, "precondition-required");
    assert_eq!(index.get(by, at).await.expect(200).version(), 2);
}

#[actix_web::test]
async fn an_organisation_has_no_two_feeds_of_one_name() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let by = scene.caller(Role::AccountAdministrator);
    index.post(by, FEEDS, named("Park MIS")).await.expect(201);
    let other = index.post(by, FEEDS, named("Other MIS")).await.expect(201);
    index.post(by, FEEDS, named("Park MIS")).await.refused(409, "feed-name-held");
    let renamed = index.patch(by, other.header("Location"), 1, json!({ "name": "Park MIS" })).await;
    renamed.refused(409, "feed-name-held");
    let elsewhere = index.account(Role::AccountAdministrator, scene.other_school).await;
    index.post(&elsewhere, FEEDS, named("Park MIS")).await.expect(201);
    assert_eq!(index.rows().await["feed"], 3);
}

#[actix_web::test]
async fn a_sensitive_service_is_not_fed() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let by = scene.caller(Role::AccountAdministrator);
    for service in ["sexualHealth", "mentalHealth", "substanceMisuse"] {
        let feed = json!({ "name": "Clinic system", "serviceType": service });
        let refused = index.post(by, FEEDS, feed).await.refused(422, "invalid-value");
        assert_eq!(refused.pointers(), ["/serviceType"]);
    }
    assert_eq!(index.rows().await["feed"], 0);
}

#[actix_web::test]
async fn feeds_are_added_by_the_own_administrator_and_those_of_national_partners_by_the_operator() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let feed = |organisation| json!({ "name": "MIS", "serviceType": "school", "organisationId": organisation });
    let administrator = scene.caller(Role::AccountAdministrator);
    let operator = scene.caller(Role::Operator);
    let partner = index.organisation("nationalPartner", None).await;
    for (by, organisation) in [
        (administrator, scene.other_school),
        (administrator, scene.authority),
        (administrator, partner),
        (operator, scene.school),
    ] {
        let refused = index.post(by, FEEDS, feed(organisation.id)).await;
        assert_eq!(refused.refused(422, "invalid-value").pointers(), ["/organisationId"]);
    }
    let added = index.post(operator, FEEDS, feed(partner.id)).await.expect(201);
    assert_eq!(added.body["organisationId"], json!(partner.id));
    index.get(operator, added.header("Location")).await.expect(200);
}

#[actix_web::test]
async fn a_feed_is_seen_by_its_organisation_the_stewards_of_its_authority_and_nobody_else() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let own = index.feed(scene.school).await;
    let of_authority = index.feed(scene.authority).await;
    let other = index.feed(scene.other_school).await;
    let partner = index.feed(scene.national).await;
    for (role, seen) in [
        (Role::AccountAdministrator, vec![own]),
        (Role::Feed, vec![own]),
        (Role::Steward, vec![own, of_authority]),
        (Role::Operator, vec![partner]),
    ] {
        for feed in [own, of_authority, other, partner] {
            let answer = index.get(scene.caller(role), &format!("{FEEDS}/{feed}")).await;
            let expected = if seen.contains(&feed) { 200 } else { 404 };
            assert_eq!(answer.status, expected, "{role}");
        }
        assert_eq!(names(&index, &scene, role).await.len(), seen.len(), "{role}");
    }
    let first = index.get(scene.caller(Role::Steward), "/v1/feeds?limit=1").await.expect(200);
    let next = first.body["next"].as_str().unwrap();
    let rest = index
        .get(scene.caller(Role::Steward), &format!("/v1/feeds?limit=1&after={next}"))
        .await
        .expect(200);
    assert!(rest.body.get("next").is_none());
    let both =
        [&first, &rest].map(|page| page.body["items"][0]["name"].as_str().unwrap().to_owned());
    assert_eq!(both.to_vec(), names(&index, &scene, Role::Steward).await);
}
