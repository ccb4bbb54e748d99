//! Systems ask whether what they know is of one child, and learn of nobody else.

use contactpoint::access::Role;
use serde_json::{Value, json};

use super::fuzzy::{masked, shield};
use crate::{
    harness::{Answer, Caller},
    parts::{Place, amy, number, with},
};

/// What a system knows of Amy.
fn knows(given: &str, family: &str, born: &str) -> Value {
    json!({
        "names": [{ "given": [given], "family": family }],
        "dateOfBirth": born,
        "gender": "female",
        "addresses": [{ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" }],
    })
}

async fn feed(place: &Place) -> Caller {
    place.index.caller(Role::Feed, place.school).await
}

async fn ask(place: &Place, feed: &Caller, known: Value) -> Answer {
    place.index.post(feed, "/v1/children/match", known).await
}

#[actix_web::test]
async fn the_one_child_is_told_by_number_and_nothing_else_of_it() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let feed = feed(&place).await;
    for (given, family, born) in [
        ("Amy", "Testley", "2015-03-14"),
        ("Amy", "Testly", "2015-03-14"),
        ("AMY", "testley", "2015-03-14"),
        ("Testley", "Amy", "2015-03-14"),
        ("Amy", "Testley-Newname", "2015-03-14"),
    ] {
        let answer = ask(&place, &feed, knows(given, family, born)).await.expect(200);
        assert_eq!(answer.body["outcome"], "match", "{given} {family} {born}: {:#}", answer.body);
        let members: Vec<_> = answer.body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["indexNumber", "matchId", "modelVersion", "outcome"]);
        assert_eq!(answer.body["indexNumber"], number(&path));
        assert_eq!(answer.body["modelVersion"], "cold");
    }
}

#[actix_web::test]
async fn what_is_not_certain_names_nobody_and_says_what_would_decide() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let feed = feed(&place).await;
    let mut known = knows("Amy", "Testley", "2015-03-14");
    known.as_object_mut().unwrap().remove("addresses");
    let answer = ask(&place, &feed, known).await.expect(200);
    assert_eq!(answer.body["outcome"], "ambiguous", "{:#}", answer.body);
    assert_eq!(answer.body["narrowBy"], "postcode");
    assert!(!String::from_utf8(answer.bytes.clone()).unwrap().contains(number(&path)));
    assert_eq!(
        place.index.event(&answer).await["children"],
        json!([]),
        "it was not told of anybody"
    );
}

#[actix_web::test]
async fn a_twin_or_a_namesake_is_never_taken_for_the_child() {
    let place = Place::new().await;
    place.add(amy("Testley")).await;
    let feed = feed(&place).await;
    for (given, family, born, gender) in [
        ("Bea", "Testley", "2015-03-14", "female"),
        ("Oliver", "Testley", "2015-03-14", "male"),
        ("Amy", "Testley", "2012-11-30", "female"),
        ("Amy", "Otherperson", "2009-01-30", "female"),
    ] {
        let known = with(knows(given, family, born), "gender", json!(gender));
        let answer = ask(&place, &feed, known).await.expect(200);
        assert_ne!(answer.body["outcome"], "match", "{given} {family} {born}");
        assert!(answer.body.get("indexNumber").is_none());
    }
}

#[actix_web::test]
async fn two_who_are_equally_near_are_ambiguous() {
    let place = Place::new().await;
    place.add(amy("Testley")).await;
    place.add(amy("Testley")).await;
    let answer = ask(&place, &feed(&place).await, knows("Amy", "Testley", "2015-03-14")).await;
    assert_eq!(answer.expect(200).body["outcome"], "ambiguous");
}

#[actix_web::test]
async fn a_system_sends_enough_and_is_told_what_is_wrong() {
    let place = Place::new().await;
    let feed = feed(&place).await;
    let name = json!([{ "given": ["Amy"], "family": "Testley" }]);
    let family = json!([{ "family": "Testley" }]);
    let at = json!([{ "postcode": "PO1 3AX" }]);
    for (known, enough) in [
        (json!({ "names": name }), false),
        (json!({ "names": name, "dateOfBirth": "2015-03-14" }), true),
        (json!({ "names": name, "addresses": at }), false),
        (json!({ "names": name, "addresses": at, "gender": "female" }), true),
        (json!({ "names": family, "dateOfBirth": "2015-03-14" }), false),
        (json!({ "names": family, "dateOfBirth": "2015-03-14", "addresses": at }), true),
        (
            json!({ "names": name, "identifiers": [{ "kind": "upn", "value": "B801200005001" }] }),
            true,
        ),
    ] {
        let answer = ask(&place, &feed, known.clone()).await;
        if enough {
            assert_eq!(answer.expect(200).body["outcome"], "none", "{known}");
        } else {
            answer.refused(422, "too-little-to-search-by");
        }
    }
    for (known, pointer) in [
        (json!({ "names": [], "dateOfBirth": "2015-03-14" }), "/names"),
        (json!({ "names": [{}], "dateOfBirth": "2015-03-14" }), "/names/0"),
        (json!({ "names": name, "dateOfBirth": "2015-02-30" }), "/dateOfBirth"),
        (
            json!({ "names": name, "addresses": [{ "postcode": "PO1;3AX" }] }),
            "/addresses/0/postcode",
        ),
        (json!({ "names": name, "schools": ["900001"] }), "/schools/0"),
        (json!({ "names": vec![name[0].clone(); 11] }), "/names"),
    ] {
        let answer = ask(&place, &feed, known.clone()).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [pointer], "{known}");
    }
    let unknown = with(knows("Amy", "Testley", "2015-03-14"), "ethnicity", json!("x"));
    ask(&place, &feed, unknown).await.refused(422, "unknown-property");
    let number = json!([{ "kind": "nhsNumber", "value": "9990011117" }]);
    let foreign = with(knows("Amy", "Testley", "2015-03-14"), "identifiers", number);
    ask(&place, &feed, foreign).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn a_postcode_is_taken_as_it_was_written() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let feed = feed(&place).await;
    for (written, outcome) in
        [("po13ax", "match"), ("PO1 3AX", "match"), ("P01 3AX", "match"), ("PO1", "any")]
    {
        let known = with(
            knows("Amy", "Testley", "2015-03-14"),
            "addresses",
            json!([{ "postcode": written }]),
        );
        let answer = ask(&place, &feed, known).await.expect(200);
        assert!(
            outcome == "any" || answer.body["outcome"] == outcome,
            "{written}: {:#}",
            answer.body
        );
        if answer.body["outcome"] == "match" {
            assert_eq!(answer.body["indexNumber"], number(&path));
        }
    }
}

#[actix_web::test]
async fn what_a_shield_hides_matches_nobody_and_the_answer_is_that_of_nobody() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let feed = feed(&place).await;
    let at_home = knows("Amy", "Testley", "2015-03-14");
    let answer = ask(&place, &feed, at_home.clone()).await.expect(200);
    assert_eq!(answer.body["outcome"], "match");
    shield(&place, &path).await;
    let none = masked(&ask(&place, &feed, knows("Bea", "Nobodey", "2009-01-02")).await.expect(200));
    let by_school = with(at_home.clone(), "schools", json!(["urn:900001"]));
    let mut school_alone = by_school.clone();
    school_alone.as_object_mut().unwrap().remove("addresses");
    for known in [at_home, by_school, school_alone] {
        let answer = ask(&place, &feed, known).await.expect(200);
        assert_eq!(masked(&answer), none);
        assert_eq!(place.index.event(&answer).await["children"], json!([]));
    }
}

#[actix_web::test]
async fn a_match_changes_nothing_and_keeps_sealed_how_it_was_decided() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let feed = feed(&place).await;
    let before = place.index.rows().await;
    let answer = ask(&place, &feed, knows("Amy", "Testley", "2015-03-14")).await.expect(200);
    assert_eq!(place.index.rows().await, before);
    let event = place.index.event(&answer).await;
    assert_eq!(event["event_id"], answer.body["matchId"]);
    assert_eq!(event["children"], json!([place.child_id(&path).await]));
    let details = &event["details"];
    assert_eq!((&details["outcome"], &details["model"]), (&json!("match"), &json!("cold")));
    assert_eq!(details["ranked"][0]["child"], number(&path));
    assert!(details["ranked"][0]["findings"][0]["bits"].is_number());
    assert_eq!(details["criteria"]["names"][0]["family"], "Testley");
    let kept = crate::sensitive::kept(&place.index, &answer).await;
    assert!(!kept.contains("Testley") && !kept.contains(number(&path)), "{kept}");
}

#[actix_web::test]
async fn a_system_never_searches_and_a_person_never_matches() {
    let place = Place::new().await;
    let feed = feed(&place).await;
    let search =
        json!({ "name": { "given": ["Amy"], "family": "Testley" }, "dateOfBirth": "2015-03-14" });
    place.index.post(&feed, "/v1/children/search", search).await.refused(403, "forbidden");
    let answer = ask(&place, &place.teacher, knows("Amy", "Testley", "2015-03-14")).await;
    answer.refused(403, "forbidden");
}
