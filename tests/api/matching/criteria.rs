//! What is enough to search by, and what is not.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::parts::{Place, address, amy, number, with};

/// A search by those of five criteria that `mask` has.
fn asked(mask: u8) -> Value {
    let given = if mask & 1 == 0 { json!([]) } else { json!(["Amy"]) };
    let mut criteria = json!({});
    if mask & 3 > 1 {
        criteria["name"] = json!({ "given": given, "family": "Testley" });
    }
    for (bit, member, value) in
        [(4, "dateOfBirth", "2015-03-14"), (8, "gender", "female"), (16, "postcode", "PO1 3AX")]
    {
        if mask & bit != 0 {
            criteria[member] = json!(value);
        }
    }
    criteria
}

#[actix_web::test]
async fn a_search_needs_name_and_birth_or_name_postcode_and_gender_or_family_name_birth_and_postcode()
 {
    const ENOUGH: [u8; 3] = [1 | 2 | 4, 1 | 2 | 8 | 16, 2 | 4 | 16];
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    for mask in (0..32).filter(|mask| mask & 3 != 1) {
        let answer = place.search(asked(mask)).await;
        if ENOUGH.iter().any(|enough| mask & enough == *enough) {
            assert_eq!(
                crate::parts::numbers(&answer.expect(200)),
                [number(&path)],
                "{}",
                asked(mask)
            );
        } else {
            let answer = answer.refused(422, "too-little-to-search-by");
            assert!(answer.body.get("results").is_none());
            place.recorded(&answer, &place.teacher, "search_children", &[], Value::Null).await;
        }
    }
    assert_eq!(place.found(json!({ "indexNumber": number(&path) })).await, [number(&path)]);
}

#[actix_web::test]
async fn every_criterion_that_is_given_must_agree() {
    let place = Place::new().await;
    let upn = |value: &str| json!({ "kind": "upn", "value": value });
    let child = with(amy("Testley"), "identifiers", json!([upn("B801200005001")]));
    let path = place.add(child).await;
    let other = place.add(with(amy("Otherly"), "identifiers", json!([upn("P207000016049")]))).await;
    let whole = with(asked(31), "indexNumber", json!(number(&path)));
    let whole = with(whole, "identifier", upn("B801200005001"));
    assert_eq!(place.found(whole.clone()).await, [number(&path)]);
    for (member, value) in [
        ("indexNumber", json!(number(&other))),
        ("identifier", upn("P207000016049")),
        ("identifier", upn("F380209314001")),
        ("name", json!({ "given": ["Amy"], "family": "Otherly" })),
        ("name", json!({ "given": ["Bea"], "family": "Testley" })),
        ("dateOfBirth", json!("2015-03-15")),
        ("gender", json!("male")),
        ("postcode", json!("PO1 3AY")),
    ] {
        assert!(
            place.found(with(whole.clone(), member, value.clone())).await.is_empty(),
            "{member} {value}"
        );
    }
    for (one, two) in [(&path, "P207000016049"), (&other, "B801200005001")] {
        let both = json!({ "indexNumber": number(one), "identifier": upn(two) });
        assert!(place.found(both).await.is_empty());
    }
}

#[actix_web::test]
async fn an_identifier_is_searched_by_the_kind_of_body_whose_number_it_is_and_by_stewards() {
    const ALL: [(&str, &str); 5] = [
        ("upn", "B801200005001"),
        ("uln", "9990000017"),
        ("nhsNumber", "9990011117"),
        ("childReference", "C/104-22"),
        ("nationalInsuranceNumber", "AB123456C"),
    ];
    let place = Place::new().await;
    let identifiers: Value =
        ALL.iter().map(|(kind, value)| json!({ "kind": kind, "value": value })).collect();
    let path = place.add(with(amy("Testley"), "identifiers", identifiers)).await;
    for (kind, role, may) in [
        (
            "localAuthority",
            Role::Steward,
            "upn uln nhsNumber childReference nationalInsuranceNumber",
        ),
        ("localAuthority", Role::Practitioner, "upn uln childReference"),
        ("localAuthority", Role::ShieldApprover, "upn uln childReference"),
        ("school", Role::Practitioner, "upn uln"),
        ("gpPractice", Role::Practitioner, "nhsNumber"),
        ("healthTrust", Role::PractitionerWithOverride, "nhsNumber"),
        ("policeForce", Role::Practitioner, ""),
        ("charity", Role::Practitioner, ""),
    ] {
        let body = place.index.organisation(kind, Some(place.council)).await;
        let caller = place.index.caller(role, body).await;
        for (number_kind, value) in ALL {
            let criteria = json!({ "identifier": { "kind": number_kind, "value": value } });
            let answer = place.index.post(&caller, "/v1/children/search", criteria).await;
            if may.split(' ').any(|may| may == number_kind) {
                assert_eq!(
                    crate::parts::numbers(&answer.expect(200)),
                    [number(&path)],
                    "{kind} {number_kind}"
                );
            } else {
                let answer = answer.refused(403, "forbidden");
                place.recorded(&answer, &caller, "search_children", &[], Value::Null).await;
            }
        }
    }
}

#[actix_web::test]
async fn what_cannot_be_searched_by_is_pointed_at() {
    let place = Place::new().await;
    for (criteria, pointer) in [
        (
            json!({ "name": { "given": ["Amy"], "family": "T" }, "dateOfBirth": "2015-03-14" }),
            "/name/family",
        ),
        (
            json!({ "name": { "given": ["Amy"], "family": "T'-." }, "dateOfBirth": "2015-03-14" }),
            "/name/family",
        ),
        (json!({ "name": { "given": ["Amy"] }, "dateOfBirth": "2015-03-14" }), "/name/family"),
        (
            json!({ "name": { "given": ["A", "B", "C", "D", "E", "F"], "family": "Testley" }, "dateOfBirth": "2015-03-14" }),
            "/name/given",
        ),
        (
            json!({ "name": { "given": ["Amy1"], "family": "Testley" }, "dateOfBirth": "2015-03-14" }),
            "/name/given/0",
        ),
        (with(asked(31), "dateOfBirth", json!("2015-02-30")), "/dateOfBirth"),
        (with(asked(31), "postcode", json!("PO1")), "/postcode"),
        (with(asked(31), "gender", json!("girl")), "/gender"),
        (json!({ "indexNumber": "48271930567" }), "/indexNumber"),
        (json!({ "identifier": { "kind": "upn", "value": "A801200005001" } }), "/identifier/value"),
    ] {
        let answer = place.search(criteria.clone()).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [pointer], "{criteria}");
        let details = json!({ "path": {}, "errors": [pointer] });
        place.recorded(&answer, &place.teacher, "search_children", &[], details).await;
    }
    place.search(with(asked(31), "shoeSize", json!("x"))).await.refused(422, "unknown-property");
    place.add(amy("Ng")).await;
    let found = place
        .found(json!({ "name": { "given": ["Amy"], "family": "ng" }, "dateOfBirth": "2015-03-14" }))
        .await;
    assert_eq!(found.len(), 1);
}

#[actix_web::test]
async fn an_archived_child_is_never_found() {
    let place = Place::new().await;
    let upn = json!({ "kind": "upn", "value": "B801200005001" });
    let path = place.add(with(amy("Testley"), "identifiers", json!([upn]))).await;
    let searches = [
        asked(31),
        asked(1 | 2 | 4),
        asked(1 | 2 | 8 | 16),
        asked(2 | 4 | 16),
        json!({ "indexNumber": number(&path) }),
        json!({ "identifier": upn }),
    ];
    for search in &searches {
        assert_eq!(place.found(search.clone()).await.len(), 1, "{search}");
    }
    let id = place.child_id(&path).await;
    place
        .arrange(
            "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
            id,
        )
        .await;
    for search in &searches {
        let answer = place.search(search.clone()).await.expect(200);
        assert_eq!(answer.body["results"], json!([]), "{search}");
        assert_eq!(place.index.event(&answer).await["children"], json!([]));
    }
    place.index.get(&place.steward, &path).await.refused(404, "not-found");
    place.correct(&path, 1, json!({ "gender": "male" })).await.refused(404, "not-found");
    let gone = json!({ "whereabouts": { "kind": "current", "address": address("PO1 3AY") } });
    place.correct(&path, 1, gone).await.refused(404, "not-found");
}
