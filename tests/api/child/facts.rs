//! What a record may hold: names, birth, whereabouts, the authority that answers, carers.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::{
    harness::Answer,
    parts::{Place, address, amy, with},
};

async fn refused(place: &Place, child: Value, pointer: &str) -> Answer {
    let told = child.to_string();
    let answer = place.index.post(&place.teacher, "/v1/children", child).await;
    assert_eq!((answer.status, answer.problem()), (422, "invalid-value"), "{told}");
    let pointers = answer.pointers();
    assert!(
        !pointers.is_empty() && pointers.iter().all(|at| *at == pointer),
        "{told} {pointers:?}"
    );
    answer
}

fn name(kind: &str, given: &Value, family: &str) -> Value {
    json!({ "kind": kind, "given": given, "family": family })
}

#[actix_web::test]
async fn names_are_of_latin_letters_in_one_current_and_other_names() {
    let place = Place::new().await;
    let before = place.index.rows().await;
    let amy_rose = json!(["Amy"]);
    let current = name("current", &amy_rose, "Testley");
    let long = "a".repeat(36);
    for (names, pointer) in [
        (json!([]), "/names"),
        (json!([name("knownAs", &amy_rose, "Testley")]), "/names"),
        (json!([current, name("current", &amy_rose, "Otherly")]), "/names"),
        (json!(vec![current.clone(); 21]), "/names"),
        (json!([name("current", &json!([]), "Testley")]), "/names/0/given"),
        (
            json!([name("current", &json!(["A", "B", "C", "D", "E", "F"]), "Testley")]),
            "/names/0/given",
        ),
        (json!([current, name("former", &json!(["Amy", long]), "Testley")]), "/names/1/given/1"),
        (json!([name("current", &amy_rose, &long)]), "/names/0/family"),
        (json!([name("current", &amy_rose, " ")]), "/names/0/family"),
        (json!([name("current", &amy_rose, "Testley2")]), "/names/0/family"),
        (json!([name("current", &amy_rose, "Тестли")]), "/names/0/family"),
        (json!([name("current", &amy_rose, "Test\u{202e}ley")]), "/names/0/family"),
        (json!([name("maiden", &amy_rose, "Testley")]), "/names/0/kind"),
    ] {
        let answer = refused(&place, with(amy("Testley"), "names", names), pointer).await;
        let details = json!({ "path": {}, "errors": answer.pointers() });
        place.recorded(&answer, &place.teacher, "add_child", &[], details).await;
    }
    assert_eq!(place.index.rows().await, before);

    let names = json!([
        name(
            "current",
            &json!([" Zoe\u{308} ", "Mary-Jane", "D’Arcy", "St. John", "Ḥanna"]),
            "van  der Łuk"
        ),
        name("former", &amy_rose, &"a".repeat(35)),
        name("knownAs", &amy_rose, "O'Brien"),
    ]);
    let added =
        place.index.post(&place.teacher, "/v1/children", with(amy("x"), "names", names)).await;
    let told = &added.expect(201).body["names"];
    assert_eq!(told[0]["given"], json!(["Zoë", "Mary-Jane", "D’Arcy", "St. John", "Ḥanna"]));
    assert_eq!(
        (&told[0]["family"], &told[1]["kind"], &told[2]["kind"]),
        (&json!("van der Łuk"), &json!("former"), &json!("knownAs"))
    );
}

#[actix_web::test]
async fn a_child_is_born_neither_over_25_years_ago_nor_tomorrow() {
    let place = Place::new().await;
    for (born, precision, fits) in [
        ("2026-11-16", "day", true),
        ("2026-11-17", "day", false),
        ("2026-11-30", "month", true),
        ("2026-12-01", "month", false),
        ("2027-01-01", "year", false),
        ("2001-11-16", "day", true),
        ("2001-11-15", "day", false),
        ("2001-01-01", "year", true),
        ("2000-12-31", "year", false),
        ("2001-10-31", "month", false),
    ] {
        let child = with(amy("Testley"), "dateOfBirthPrecision", json!(precision));
        let child = with(child, "dateOfBirth", json!(born));
        if fits {
            place.add(child).await;
        } else {
            refused(&place, child, "/dateOfBirth").await;
        }
    }
}

#[actix_web::test]
async fn the_day_of_birth_ends_at_midnight_in_london() {
    for (moment, fits) in [
        ("2027-06-30T22:59:59Z", false),
        ("2027-06-30T23:00:00Z", true),
        ("2027-06-30T23:59:59Z", true),
    ] {
        let place = Place::new().await;
        place.index.clock.set(moment.parse().unwrap());
        let child = with(amy("Testley"), "dateOfBirth", json!("2027-07-01"));
        if fits {
            let path = place.add(child).await;
            let record = place.index.get(&place.teacher, &path).await;
            assert_eq!(record.body["source"]["asAt"], "2027-07-01", "{moment}");
        } else {
            refused(&place, child, "/dateOfBirth").await;
        }
    }
}

#[actix_web::test]
async fn whereabouts_are_one_of_four_kinds_with_the_members_of_that_kind() {
    let place = Place::new().await;
    let left =
        |day: &str| json!({ "kind": "leftEngland", "leftOn": day, "return": "doesNotIntend" });
    for (n, whereabouts) in [
        json!({ "kind": "current", "address": with(address("PO1 3AX"), "uprn", json!("100060023")) }),
        json!({ "kind": "lastKnown", "address": address("ZZ99 3VZ") }),
        json!({ "kind": "noneKnown" }),
        left("2026-11-16"),
        left("2015-03-14"),
    ].into_iter().enumerate() {
        let child = with(amy(&format!("Testley{}", "a".repeat(n))), "whereabouts", whereabouts.clone());
        let path = place.add(child).await;
        let mut told = place.index.get(&place.teacher, &path).await.body["whereabouts"].clone();
        told.as_object_mut().unwrap().remove("source");
        assert_eq!(told, whereabouts);
    }
    for (whereabouts, pointer) in [
        (left("2026-11-17"), "/whereabouts/leftOn"),
        (left("2015-03-13"), "/whereabouts/leftOn"),
        (json!({ "kind": "current" }), "/whereabouts/address"),
        (json!({ "kind": "leftEngland", "leftOn": "2026-01-01" }), "/whereabouts/return"),
        (
            json!({ "kind": "current", "address": address("PO1 3A") }),
            "/whereabouts/address/postcode",
        ),
        (
            json!({ "kind": "current", "address": with(address("PO1 3AX"), "lines", json!([])) }),
            "/whereabouts/address/lines",
        ),
        (json!({ "kind": "abroad" }), "/whereabouts/kind"),
    ] {
        refused(&place, with(amy("Otherly"), "whereabouts", whereabouts), pointer).await;
    }
    let mixed = json!({ "kind": "noneKnown", "address": address("PO1 3AX") });
    let answer = place
        .index
        .post(&place.teacher, "/v1/children", with(amy("Otherly"), "whereabouts", mixed))
        .await;
    assert_eq!(answer.refused(422, "unknown-property").pointers(), ["/whereabouts/address"]);
    assert_eq!(place.index.rows().await["child"], 5);
}

#[actix_web::test]
async fn the_authority_in_whose_area_the_caller_works_answers_for_a_record_unless_another_is_named()
{
    let place = Place::new().await;
    let other = place.index.authority().await;
    let code: String =
        sqlx::query_scalar("select authority_code from organisation where organisation_id = $1")
            .bind(other.id)
            .fetch_one(&place.index.db)
            .await
            .unwrap();
    let partner = place.index.organisation("nationalPartner", None).await;
    let partner = place.index.caller(Role::Practitioner, partner).await;
    let named = |family: &str| with(amy(family), "responsibleAuthority", json!(code));
    for (n, (caller, child, answers)) in [
        (&place.teacher, amy("Testley"), Some(place.council)),
        (&place.steward, amy("Testleya"), Some(place.council)),
        (&place.teacher, named("Testleyb"), Some(other)),
        (&partner, named("Testleyc"), Some(other)),
        (&partner, amy("Testleyd"), None),
        (&partner, with(amy("Testleyd"), "responsibleAuthority", json!("xyz")), None),
        (&place.teacher, with(amy("Testleyd"), "responsibleAuthority", json!("999")), None),
        (&place.teacher, with(amy("Testleyd"), "responsibleAuthority", json!("")), None),
    ]
    .into_iter()
    .enumerate()
    {
        let child = with(child, "whereabouts", json!({ "kind": "noneKnown" }));
        let born = format!("20{:02}-0{}-1{n}", 5 + 2 * n, n + 1);
        let child = with(child, "dateOfBirth", json!(born));
        let answer = place.index.post(caller, "/v1/children", child).await;
        if let Some(authority) = answers {
            let told = &answer.expect(201).body["responsibleAuthority"];
            assert_eq!(told["organisationId"], json!(authority.id), "{n}");
        } else {
            assert_eq!(
                answer.refused(422, "invalid-value").pointers(),
                ["/responsibleAuthority"],
                "{n}"
            );
        }
    }
}

#[actix_web::test]
async fn carers_come_with_the_child() {
    let place = Place::new().await;
    let ann = json!({
        "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother", "parentalResponsibility": true,
        "phones": ["01632 960001"], "emails": ["ann@example.org"], "address": address("PO1 3AX"),
    });
    let bob = json!({ "name": { "given": ["Bob"], "family": "Otherly" }, "relationship": "stepParent", "parentalResponsibility": false });
    let path = place.add(with(amy("Testley"), "carers", json!([ann, bob]))).await;
    let record = place.index.get(&place.teacher, &path).await.body;
    let told = record["carers"].as_array().unwrap();
    assert_eq!(told.len(), 2);
    let carer = told.iter().find(|carer| carer["name"]["given"][0] == "Ann").unwrap();
    for member in ["name", "relationship", "parentalResponsibility", "phones", "emails", "address"]
    {
        assert_eq!(carer[member], ann[member], "{member}");
    }
    assert_eq!(
        (&carer["version"], &carer["source"]),
        (&json!(1), &crate::parts::source(place.school))
    );
    let other = told.iter().find(|carer| carer["name"]["given"][0] == "Bob").unwrap();
    assert_eq!((&other["phones"], other.get("address")), (&json!([]), None));

    for (carers, pointer) in [
        (json!(vec![bob.clone(); 11]), "/carers"),
        (json!([with(bob.clone(), "phones", json!(vec!["01632 960001"; 6]))]), "/carers/0/phones"),
        (json!([bob, with(bob.clone(), "phones", json!(["12"]))]), "/carers/1/phones/0"),
        (json!([with(bob.clone(), "emails", json!(["nobody"]))]), "/carers/0/emails/0"),
        (json!([with(bob.clone(), "relationship", json!("friend"))]), "/carers/0/relationship"),
    ] {
        refused(&place, with(amy("Otherly"), "carers", carers), pointer).await;
    }
}

#[actix_web::test]
async fn services_that_a_child_has_none_of_are_universal_ones() {
    let place = Place::new().await;
    let none = json!(["school", "generalPractice"]);
    let path = place.add(with(amy("Testley"), "withoutService", none.clone())).await;
    assert_eq!(place.index.get(&place.teacher, &path).await.body["withoutService"], none);
    for other in ["socialCare", "mentalHealth"] {
        refused(&place, with(amy("Otherly"), "withoutService", json!([other])), "/withoutService")
            .await;
    }
}

#[actix_web::test]
async fn a_feed_adds_no_child_and_nobody_does_without_a_reason() {
    let place = Place::new().await;
    let before = place.index.rows().await;
    let feed = place.index.caller(Role::Feed, place.school).await;
    place.index.post(&feed, "/v1/children", amy("Testley")).await.refused(403, "forbidden");
    let headers = [("Access-Reason", "")];
    let answer =
        place.index.request(&place.teacher, "POST", "/v1/children", amy("Testley"), &headers).await;
    answer.refused(400, "reason-required");
    let mut after = place.index.rows().await;
    for table in ["client", "session"] {
        after[table] = before[table].clone();
    }
    assert_eq!(after, before);
}
