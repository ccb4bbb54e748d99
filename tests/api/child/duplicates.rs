//! A child like one who is here is added only once those who are like are named.

use serde_json::{Value, json};

use crate::parts::{Place, address, amy, bob, number, with};

fn named(given: &str, family: &str) -> Value {
    let names = json!([{ "kind": "current", "given": [given], "family": family }]);
    with(amy(family), "names", names)
}

fn also(kind: &str, given: &str, family: &str) -> Value {
    let names = json!([
        { "kind": "current", "given": ["Bea"], "family": "Elsewhere" },
        { "kind": kind, "given": [given], "family": family },
    ]);
    with(amy("Elsewhere"), "names", names)
}

#[actix_web::test]
async fn a_child_like_one_who_is_here_is_a_possible_duplicate_and_one_unlike_is_not() {
    for (here, new, alike) in [
        (named("Zoë", "O’Brien-Smith"), named("ZOE", "OBRIEN SMITH"), true),
        (named("Mary Ann", "Testley"), named("Mary", "Testley"), true),
        (named("Mary Ann", "Testley"), named("Maryann", "Testley"), true),
        (named("Mary Ann", "Testley"), named("Ann", "Testley"), true),
        (named("Amy", "Testley"), named("Amy", "Testleigh"), true),
        (
            named("Amy", "Testley"),
            with(named("Amy", "Testley"), "dateOfBirth", json!("2015-03-15")),
            true,
        ),
        (
            named("Amy", "Testley"),
            with(named("Oliver", "Testley"), "dateOfBirth", json!("2012-07-21")),
            false,
        ),
        (named("Amy", "Testley"), with(named("Oliver", "Testley"), "gender", json!("male")), false),
        (named("Amy", "Testley"), bob("Testley"), false),
        (named("Amy", "Testley"), with(named("Amy", "Testley"), "gender", json!("male")), true),
        (
            named("Amy", "Testley"),
            with(named("Amy", "Testley"), "whereabouts", json!({ "kind": "noneKnown" })),
            true,
        ),
        (also("knownAs", "Amy", "Testley"), named("Amy", "Testley"), true),
        (also("former", "Amy", "Testley"), named("Amy", "Testley"), true),
        (named("Amy", "Testley"), also("knownAs", "Amy", "Testley"), true),
        (named("Amy", "Testley"), also("former", "Amy", "Testley"), true),
    ] {
        let place = Place::new().await;
        let id = place.child_id(&place.add(here.clone()).await).await;
        let before = place.index.rows().await;
        let answer = place.index.post(&place.teacher, "/v1/children", new.clone()).await;
        let status = if alike { 409 } else { 201 };
        assert_eq!(answer.status, status, "{} {}", here["names"], new["names"]);
        if alike {
            let refused = answer.refused(409, "possible-duplicate");
            place.recorded(&refused, &place.teacher, "add_child", &[id], Value::Null).await;
            assert_eq!(place.index.rows().await, before);
        }
    }
}

#[actix_web::test]
async fn a_child_of_whom_only_the_month_or_the_year_is_known_is_like_all_born_in_it() {
    for (precision, held, born, alike) in [
        ("month", "2015-03-01", "2015-03-14", true),
        ("month", "2015-03-09", "2015-03-14", true),
        ("month", "2015-03-01", "2015-04-01", false),
        ("year", "2015-01-01", "2015-12-31", true),
        ("year", "2015-07-07", "2015-03-14", true),
        ("year", "2015-01-01", "2016-01-01", false),
    ] {
        let place = Place::new().await;
        let smith = named("Amy", "Smith");
        let nowhere = with(smith, "whereabouts", json!({ "kind": "noneKnown" }));
        let partly = with(nowhere.clone(), "dateOfBirthPrecision", json!(precision));
        place.add(with(partly, "dateOfBirth", json!(held))).await;
        let new = with(nowhere, "dateOfBirth", json!(born));
        let answer = place.index.post(&place.teacher, "/v1/children", new).await;
        assert_eq!(answer.status, if alike { 409 } else { 201 }, "{precision} {held} {born}");
    }
}

#[actix_web::test]
async fn a_possible_duplicate_is_added_once_all_who_are_like_are_named() {
    let place = Place::new().await;
    let first = place.add(amy("Testley")).await;
    let stranger = place.add(bob("Otherly")).await;
    let add = async |distinct: &[&str]| {
        let numbers: Vec<_> = distinct.iter().map(|path| number(path)).collect();
        let child = with(amy("Testley"), "distinctFrom", json!(numbers));
        place.index.post(&place.teacher, "/v1/children", child).await
    };
    let refused = add(&[&stranger]).await.refused(409, "possible-duplicate");
    let met = &refused.body["candidates"];
    assert_eq!(met.as_array().unwrap().len(), 1);
    assert_eq!(
        (&met[0]["indexNumber"], &met[0]["strength"]),
        (&json!(number(&first)), &json!("strong"))
    );
    let second = add(&[&first, &stranger]).await.expect(201).header("Location").to_owned();
    add(&[&first]).await.refused(409, "possible-duplicate");
    add(&[&second]).await.refused(409, "possible-duplicate");
    add(&[&second, &first]).await.expect(201);

    let malformed = with(amy("Testley"), "distinctFrom", json!(["48271930567"]));
    let answer = place.index.post(&place.teacher, "/v1/children", malformed).await;
    assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/distinctFrom/0"]);
}

#[actix_web::test]
async fn a_name_or_birth_that_was_corrected_is_a_possible_duplicate_as_search_finds_it() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    place.correct(&path, 1, json!({ "names": amy("Newley")["names"] })).await.expect(200);
    for family in ["Testley", "Newley"] {
        let answer = place.index.post(&place.teacher, "/v1/children", amy(family)).await;
        answer.refused(409, "possible-duplicate");
    }
    place.correct(&path, 2, json!({ "dateOfBirth": "2010-11-30" })).await.expect(200);
    let born = with(amy("Newley"), "dateOfBirth", json!("2010-11-30"));
    let answer = place.index.post(&place.teacher, "/v1/children", born).await;
    answer.refused(409, "possible-duplicate");
}

#[actix_web::test]
async fn an_archived_child_is_no_possible_duplicate() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let id = place.child_id(&path).await;
    place
        .arrange(
            "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
            id,
        )
        .await;
    let elsewhere = json!({ "kind": "current", "address": address("PO1 3AY") });
    place.add(with(amy("Testley"), "whereabouts", elsewhere)).await;
}
