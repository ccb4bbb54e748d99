//! Records that may be of one child: noted when a child is added, told to the stewards who answer for one of them, decided once.

use contactpoint::access::Role;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    harness::Caller,
    parts::{Place, amy, bob, number, with},
};

/// Amy, and a copy of her in another spelling whom the teacher says to be another: their paths, and that of the pair.
async fn pair(place: &Place) -> (String, String, String) {
    let first = place.add(amy("Testley")).await;
    let second = place.add(amy("Testly")).await;
    let listed = list(place, &place.steward).await;
    assert_eq!(listed.len(), 1);
    let path = format!("/v1/possible-duplicates/{}", listed[0]["id"].as_str().unwrap());
    (first, second, path)
}

async fn list(place: &Place, steward: &Caller) -> Vec<Value> {
    let listed = place.index.get(steward, "/v1/possible-duplicates").await.expect(200);
    listed.body["items"].as_array().unwrap().clone()
}

fn different() -> Value {
    json!({ "decision": "different", "ground": "relatives" })
}

#[actix_web::test]
async fn whoever_adds_a_child_is_told_who_is_like_and_in_what() {
    let place = Place::new().await;
    let first = place.add(amy("Testley")).await;
    let refused = place.index.post(&place.teacher, "/v1/children", amy("Testly")).await;
    let refused = refused.refused(409, "possible-duplicate");
    let met = &refused.body["candidates"][0];
    assert_eq!(met["indexNumber"], number(&first));
    assert_eq!(met["name"], json!({ "given": ["Amy", "Rose"], "family": "Testley" }));
    let family =
        met["agreement"].as_array().unwrap().iter().find(|one| one["field"] == "familyName");
    assert_eq!(family.unwrap()["how"], "oneEdit");
    assert!(place.index.rows().await["possible_duplicate"] == 0, "what is refused notes nothing");
}

#[actix_web::test]
async fn whose_an_identifier_is_is_not_told_to_whoever_adds_a_child_with_it() {
    let place = Place::new().await;
    let upn = json!([{ "kind": "upn", "value": "B801200005001" }]);
    let path = place.add(with(amy("Testley"), "identifiers", upn.clone())).await;
    let other = with(bob("Otherly"), "identifiers", upn);
    let refused = place.index.post(&place.teacher, "/v1/children", other).await;
    let refused = refused.refused(409, "identifier-held");
    assert!(!String::from_utf8(refused.bytes).unwrap().contains(number(&path)));
}

#[actix_web::test]
async fn a_child_added_beside_one_who_is_like_is_noted_and_one_unlike_is_not() {
    let place = Place::new().await;
    let (first, second, path) = pair(&place).await;
    place.add(bob("Otherly")).await;
    assert_eq!(list(&place, &place.steward).await.len(), 1);
    let opened = place.index.get(&place.steward, &path).await.expect(200);
    assert_eq!((opened.version(), &opened.body["status"]), (1, &json!("open")));
    let mut told: Vec<_> = opened.body["records"].as_array().unwrap().iter().collect();
    told.sort_by_key(|record| record["name"]["family"].as_str());
    assert_eq!(told[0]["indexNumber"], number(&first));
    assert_eq!(told[1]["indexNumber"], number(&second));
    let agreement = opened.body["agreement"].as_array().unwrap();
    assert!(agreement.iter().any(|one| one["field"] == "postcode" && one["how"] == "same"));
    let (first, second) = (place.child_id(&first).await, place.child_id(&second).await);
    let mut seen = [json!(first), json!(second)];
    seen.sort_by_key(ToString::to_string);
    assert_eq!(place.index.event(&opened).await["children"], json!(seen));
}

#[actix_web::test]
async fn a_pair_is_told_to_stewards_who_answer_for_one_of_the_two_and_to_nobody_else() {
    let place = Place::new().await;
    let (_, second, path) = pair(&place).await;
    let stranger = place.stranger().await;
    let unknown = format!("/v1/possible-duplicates/{}", uuid::Uuid::new_v4());
    assert!(list(&place, &stranger).await.is_empty());
    for path in [&path, &unknown] {
        place.index.get(&stranger, path).await.refused(404, "not-found");
        let decide = format!("{path}/decision");
        place.index.put(&stranger, &decide, 1, different()).await.refused(404, "not-found");
    }
    place.index.get(&place.teacher, &path).await.refused(403, "forbidden");
    sqlx::query("update child set responsible_authority_id = $2 where child_id = $1")
        .bind(place.child_id(&second).await)
        .bind(stranger.organisation.id)
        .execute(&place.index.db)
        .await
        .unwrap();
    for steward in [&stranger, &place.steward] {
        assert_eq!(list(&place, steward).await.len(), 1);
        place.index.get(steward, &path).await.expect(200);
    }
}

#[actix_web::test]
async fn a_pair_is_decided_once_on_a_ground_that_fits_and_neither_record_changes() {
    let place = Place::new().await;
    let (first, _, path) = pair(&place).await;
    let decide = format!("{path}/decision");
    let wrong = json!({ "decision": "same", "ground": "relatives" });
    let refused =
        place.index.put(&place.steward, &decide, 1, wrong).await.refused(422, "invalid-value");
    assert_eq!(refused.pointers(), ["/ground"]);
    place
        .index
        .put(&place.steward, &decide, 2, different())
        .await
        .refused(412, "precondition-failed");
    let colleague = place.index.caller(Role::Steward, place.council).await;
    let (one, other) = join(
        place.index.put(&place.steward, &decide, 1, different()),
        place.index.put(&colleague, &decide, 1, different()),
    )
    .await;
    let (done, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    refused.refused(412, "precondition-failed");
    let done = done.expect(200);
    assert_eq!(
        (done.version(), &done.body["status"], &done.body["ground"]),
        (2, &json!("different"), &json!("relatives"))
    );
    let again = place.index.put(&place.steward, &decide, 2, different()).await;
    again.refused(409, "possible-duplicate-decided");
    assert_eq!(place.index.get(&place.steward, &first).await.version(), 1);
    for (status, count) in [("open", 0), ("different", 1)] {
        let path = format!("/v1/possible-duplicates?status={status}");
        let listed = place.index.get(&place.steward, &path).await.expect(200);
        assert_eq!(listed.body["items"].as_array().unwrap().len(), count, "{status}");
    }
}

#[actix_web::test]
async fn the_list_goes_on_where_the_page_before_ended() {
    let place = Place::new().await;
    for family in ["Testley", "Testly", "Testlay"] {
        place.add(amy(family)).await;
    }
    let all = list(&place, &place.steward).await;
    assert_eq!(all.len(), 3);
    let (mut seen, mut path) = (Vec::new(), "/v1/possible-duplicates?limit=2".to_owned());
    loop {
        let page = place.index.get(&place.steward, &path).await.expect(200);
        seen.extend(page.body["items"].as_array().unwrap().clone());
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("/v1/possible-duplicates?limit=2&after={next}");
    }
    assert_eq!(seen, all);
}

#[actix_web::test]
async fn of_a_shielded_record_a_pair_tells_what_a_shield_leaves_visible() {
    let place = Place::new().await;
    let (first, _, path) = pair(&place).await;
    let ask = json!({ "ground": "threatToLife", "emergency": true });
    place.index.post(&place.teacher, &format!("{first}/shield-requests"), ask).await.expect(201);
    let opened = place.index.get(&place.steward, &path).await.expect(200);
    let agreement = opened.body["agreement"].as_array().unwrap();
    let fields: Vec<_> = agreement.iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"familyName") && fields.contains(&"dateOfBirth"), "{fields:?}");
    for hidden in ["postcode", "house", "street", "town", "school", "practice", "identifier"] {
        assert!(!fields.contains(&hidden), "{hidden}");
    }
}

#[actix_web::test]
async fn a_pair_of_which_one_record_is_archived_is_told_no_more() {
    let place = Place::new().await;
    let (first, _, path) = pair(&place).await;
    let id = place.child_id(&first).await;
    place
        .arrange(
            "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
            id,
        )
        .await;
    assert!(list(&place, &place.steward).await.is_empty());
    place.index.get(&place.steward, &path).await.refused(404, "not-found");
}
