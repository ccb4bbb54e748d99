//! Names, births, genders and postcodes as a search compares them.

use serde_json::{Value, json};

use crate::parts::{Place, address, amy, by_name_and_birth, with};

/// How the one child found agrees, `field how` in order; nothing where none is.
async fn agreement(place: &Place, criteria: Value) -> Vec<String> {
    let answer = place.search(criteria).await.expect(200);
    let results = answer.body["results"].as_array().unwrap();
    assert!(results.len() < 2, "{results:#?}");
    let agreed = results.iter().flat_map(|found| found["agreement"].as_array().unwrap());
    agreed
        .map(|a| format!("{} {}", a["field"].as_str().unwrap(), a["how"].as_str().unwrap()))
        .collect()
}

async fn with_names(names: Value) -> Place {
    let place = Place::new().await;
    place.add(with(amy("x"), "names", names)).await;
    place
}

#[actix_web::test]
async fn case_accents_apostrophes_hyphens_and_spaces_make_no_difference() {
    let names =
        json!([{ "kind": "current", "given": ["Zoë-Marie"], "family": "O’Brien-Łuk  van Søren" }]);
    let place = with_names(names).await;
    for (given, family) in [
        ("Zoë-Marie", "O’Brien-Łuk van Søren"),
        ("ZOE MARIE", "OBRIEN LUK VAN SOREN"),
        ("zoemarie", "o'brienlukvansoren"),
        ("Zoe\u{308}", "O'BRIEN-ŁUK-VAN-SØREN"),
    ] {
        let agreed = agreement(&place, by_name_and_birth(given, family, "2015-03-14")).await;
        assert_eq!(agreed.len(), 3, "{given} {family}");
        assert_eq!(agreed[1], "familyName same");
    }
    for (given, family) in
        [("Marie", "O’Brien-Łuk van Søren"), ("Zoe", "O’Brien"), ("Zo", "O’Brien-Łuk van Søren")]
    {
        assert!(
            agreement(&place, by_name_and_birth(given, family, "2015-03-14")).await.is_empty(),
            "{given} {family}"
        );
    }
}

#[actix_web::test]
async fn former_and_known_as_names_are_found_each_with_its_own_given_name() {
    let place = with_names(json!([
        { "kind": "current", "given": ["Amy"], "family": "Testley" },
        { "kind": "former", "given": ["Amelia"], "family": "Formerly" },
        { "kind": "knownAs", "given": ["Mimi"], "family": "Knownly" },
    ]))
    .await;
    for (given, family, how) in [
        ("Amy", "Testley", Some("same")),
        ("Amelia", "Formerly", Some("formerName")),
        ("Mimi", "Knownly", Some("knownAs")),
        ("Amy", "Formerly", None),
        ("Mimi", "Testley", None),
    ] {
        let agreed = agreement(&place, by_name_and_birth(given, family, "2015-03-14")).await;
        assert_eq!(
            agreed.get(1).cloned(),
            how.map(|how| format!("familyName {how}")),
            "{given} {family}"
        );
    }
    let by_family = json!({ "name": { "family": "Formerly" }, "dateOfBirth": "2015-03-14", "postcode": "PO1 3AX" });
    assert_eq!(agreement(&place, by_family).await[0], "familyName formerName");
}

#[actix_web::test]
async fn the_first_given_name_agrees_or_all_together_do() {
    for (held, asked, how) in [
        (json!(["Amy", "Rose"]), json!(["Amy"]), Some("firstName")),
        (json!(["Amy", "Rose"]), json!(["Amy", "Rose"]), Some("same")),
        (json!(["Amy", "Rose"]), json!(["Amy", "Jane"]), Some("firstName")),
        (json!(["Amy", "Rose"]), json!(["AmyRose"]), Some("same")),
        (json!(["Amy-Rose"]), json!(["Amy"]), Some("firstName")),
        (json!(["Amy Rose"]), json!(["Amy", "Rose"]), Some("same")),
        (json!(["Amy"]), json!(["Amy", "Rose"]), Some("firstName")),
        (json!(["Amy", "Rose"]), json!(["Rose"]), None),
        (json!(["Amy"]), json!(["Am"]), None),
    ] {
        let place =
            with_names(json!([{ "kind": "current", "given": held, "family": "Testley" }])).await;
        let criteria =
            json!({ "name": { "given": asked, "family": "Testley" }, "dateOfBirth": "2015-03-14" });
        let agreed = agreement(&place, criteria).await;
        assert_eq!(
            agreed.first().cloned(),
            how.map(|how| format!("givenNames {how}")),
            "{held} {asked}"
        );
    }
}

#[actix_web::test]
async fn a_child_of_whom_the_month_or_year_is_known_is_found_by_any_day_in_it() {
    for (precision, held, days, others) in [
        ("day", "2015-03-14", vec!["2015-03-14"], vec!["2015-03-01", "2015-01-01", "2015-03-15"]),
        (
            "month",
            "2015-03-01",
            vec!["2015-03-01", "2015-03-14", "2015-03-31"],
            vec!["2015-02-28", "2015-04-01", "2015-01-01"],
        ),
        (
            "month",
            "2015-03-14",
            vec!["2015-03-01", "2015-03-14", "2015-03-31"],
            vec!["2015-02-28", "2015-04-01"],
        ),
        (
            "year",
            "2015-01-01",
            vec!["2015-01-01", "2015-03-14", "2015-12-31"],
            vec!["2014-12-31", "2016-01-01"],
        ),
        (
            "year",
            "2015-03-14",
            vec!["2015-01-01", "2015-03-14", "2015-12-31"],
            vec!["2014-12-31", "2016-01-01"],
        ),
    ] {
        let place = Place::new().await;
        let child = with(amy("Testley"), "dateOfBirthPrecision", json!(precision));
        place.add(with(child, "dateOfBirth", json!(held))).await;
        for day in days {
            let agreed = agreement(&place, by_name_and_birth("Amy", "Testley", day)).await;
            let how = if precision == "day" { "same" } else { "withinWhatIsKnown" };
            assert_eq!(
                agreed.get(2),
                Some(&format!("dateOfBirth {how}")),
                "{precision} {held} {day}"
            );
        }
        for day in others {
            let agreed = agreement(&place, by_name_and_birth("Amy", "Testley", day)).await;
            assert!(agreed.is_empty(), "{precision} {held} {day}");
        }
    }
}

#[actix_web::test]
async fn a_gender_that_is_not_specified_agrees_with_either() {
    for (held, asked, how) in [
        ("female", "female", Some("same")),
        ("female", "male", None),
        ("notSpecified", "female", Some("notSpecified")),
        ("notSpecified", "male", Some("notSpecified")),
        ("notSpecified", "notSpecified", Some("same")),
    ] {
        let place = Place::new().await;
        place.add(with(amy("Testley"), "gender", json!(held))).await;
        let criteria =
            with(by_name_and_birth("Amy", "Testley", "2015-03-14"), "gender", json!(asked));
        let agreed = agreement(&place, criteria).await;
        assert_eq!(
            agreed.get(3).cloned(),
            how.map(|how| format!("gender {how}")),
            "{held} {asked}"
        );
    }
}

#[actix_web::test]
async fn the_postcode_of_an_address_now_or_before_agrees() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let asked = |postcode: &str| json!({ "name": { "given": ["Amy"], "family": "Testley" }, "gender": "female", "postcode": postcode });
    assert_eq!(agreement(&place, asked("po13ax")).await[3], "postcode same");
    let last_known = json!({ "kind": "lastKnown", "address": address("PO1 3AX") });
    place.correct(&path, 1, json!({ "whereabouts": last_known })).await.expect(200);
    assert_eq!(agreement(&place, asked("PO1 3AX")).await[3], "postcode formerAddress");
    let new = json!({ "kind": "current", "address": address("PO1 3AY") });
    place.correct(&path, 2, json!({ "whereabouts": new })).await.expect(200);
    assert_eq!(agreement(&place, asked("PO1 3AX")).await[3], "postcode formerAddress");
    assert_eq!(agreement(&place, asked("PO1 3AY")).await[3], "postcode same");
    assert!(agreement(&place, asked("PO1 3AZ")).await.is_empty());
}
