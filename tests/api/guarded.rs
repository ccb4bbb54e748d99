//! The guard: a record of a shielded person is shielded on whatever path it comes, before anybody sees it.

use std::io::BufReader;

use contactpoint::{
    access::Role,
    database::APPLICATION,
    load::{
        lines::Lines,
        task::{News, load},
    },
    work::Errands,
};
use futures_util::future::join;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Child, Index},
    parts::{Place, amy, number, with},
};

/// How a child is asked to be shielded at once.
async fn emergency(place: &Place, child: &Child) -> Answer {
    let body = json!({ "ground": "threatToLife", "emergency": true });
    place.index.post(&place.teacher, &child.path("/shield-requests"), body).await
}

/// The child whom the teacher adds so, though a search finds one alike.
async fn added(place: &Place, said: Value, distinct_from: &[&Child]) -> (Child, Value) {
    let mut numbers: Vec<_> = distinct_from.iter().map(|child| json!(child.number)).collect();
    let named = with(said.clone(), "distinctFrom", json!(numbers));
    let mut added = place.index.post(&place.teacher, "/v1/children", named).await;
    if added.status == 409 {
        let candidates = added.refused(409, "possible-duplicate").body["candidates"].take();
        numbers.extend(candidates.as_array().unwrap().iter().map(|met| met["indexNumber"].clone()));
        let named = with(said, "distinctFrom", json!(numbers));
        added = place.index.post(&place.teacher, "/v1/children", named).await;
    }
    let added = added.expect(201);
    (at(place, added.header("Location")).await, added.body)
}

async fn at(place: &Place, path: &str) -> Child {
    let id = place.child_id(path).await;
    Child { id, number: number(path).to_owned(), family: "Testley".to_owned() }
}

fn upn(value: &str) -> Value {
    json!([{ "kind": "upn", "value": value }])
}

const UPN: &str = "B801200005001";

/// Whether a child is shielded, with everything sealed.
async fn is_shielded(index: &Index, child: Uuid) -> bool {
    let held: (bool, bool) = sqlx::query_as(
        "select c.shielded, not exists (select from whereabouts w where w.child_id = c.child_id and w.sealed is null)
             and not exists (select from carer r where r.child_id = c.child_id and r.sealed is null)
         from child c where c.child_id = $1",
    )
    .bind(child)
    .fetch_one(&index.db)
    .await
    .unwrap();
    assert!(!held.0 || held.1, "something stands in plain");
    held.0
}

/// The one request by which the index had a record shielded, and whom it resembles.
async fn suspected(index: &Index, child: Uuid) -> (Uuid, Uuid) {
    let mut found: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select shield_request_id, resembles from shield_request
         where child_id = $1 and ground = 'resemblance' and status = 'inForce' and confirm_by = '2026-11-23'",
    )
    .bind(child)
    .fetch_all(&index.db)
    .await
    .unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[actix_web::test]
async fn a_child_who_is_added_like_a_shielded_one_is_born_shielded_and_somebody_is_told_to_look() {
    let place = Place::new().await;
    let (first, _) = added(&place, with(amy("Testley"), "identifiers", upn(UPN)), &[]).await;
    let person = place.index.shield(&first).await;
    let carers = json!([{ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
                          "parentalResponsibility": true, "phones": ["01632 960077"] }]);
    let (copy, told) = added(&place, with(amy("Testley"), "carers", carers), &[&first]).await;
    assert!(is_shielded(&place.index, copy.id).await);
    assert_eq!((&told["shielded"], told.get("whereabouts")), (&json!(true), None));
    assert_eq!(told["carers"][0]["phones"], json!([]));
    let opened = place.index.get(&place.teacher, &copy.path("")).await.expect(200);
    assert_eq!(opened.body, told);

    let (request, resembles) = suspected(&place.index, copy.id).await;
    assert_eq!(resembles, person);
    let notice: (String, Uuid, String) =
        sqlx::query_as("select kind, organisation_id, role from notice where about = $1")
            .bind(format!("/v1/shield-requests/{request}"))
            .fetch_one(&place.index.db)
            .await
            .unwrap();
    let approvers = ("resemblesShielded".to_owned(), place.council.id, "shieldApprover".to_owned());
    assert_eq!(notice, approvers);
    let approver = place.index.caller(Role::ShieldApprover, place.council).await;
    let whole = place.index.get(&approver, &copy.path("")).await.expect(200);
    assert_eq!(whole.body["carers"][0]["phones"], json!(["01632 960077"]));

    let (by_number, _) = added(&place, with(amy("Otherly"), "identifiers", upn(UPN)), &[]).await;
    assert!(is_shielded(&place.index, by_number.id).await);
}

#[actix_web::test]
async fn what_resembles_is_any_name_with_a_birth_that_may_be_the_same_day_and_nothing_less() {
    let place = Place::new().await;
    let (first, _) = added(&place, amy("Testley"), &[]).await;
    place.index.shield(&first).await;
    let name = |kind: &str, given: &str, family: &str| json!({ "kind": kind, "given": [given], "family": family });
    let born = |day: &str, precision: &str| {
        with(
            with(amy("Testley"), "dateOfBirth", json!(day)),
            "dateOfBirthPrecision",
            json!(precision),
        )
    };
    let former = json!([name("current", "Zoe", "Newname"), name("former", "Amy", "Testley")]);
    let twin = json!([name("current", "Zoe", "Testley")]);
    for (said, shielded) in [
        (born("2015-03-01", "month"), true),
        (born("2015-01-01", "year"), true),
        (with(amy("x"), "names", former), true),
        (with(amy("x"), "names", twin), false),
        (born("2015-03-15", "day"), false),
        (born("2015-04-01", "month"), false),
        (born("2016-01-01", "year"), false),
        (amy("Testleyson"), false),
    ] {
        let place = Place::new().await;
        let (first, _) = added(&place, amy("Testley"), &[]).await;
        place.index.shield(&first).await;
        let (copy, told) = added(&place, said.clone(), &[&first]).await;
        assert_eq!(is_shielded(&place.index, copy.id).await, shielded, "{said}");
        assert_eq!(told["shielded"], shielded, "{said}");
    }
    // The other way round: a shielded child of whom only the year is known.
    let place = Place::new().await;
    let (first, _) = added(&place, born("2015-01-01", "year"), &[]).await;
    place.index.shield(&first).await;
    let (copy, _) = added(&place, amy("Testley"), &[&first]).await;
    assert!(is_shielded(&place.index, copy.id).await);
}

#[actix_web::test]
async fn an_identity_that_has_ended_or_is_archived_is_guarded_still() {
    for end in [
        "update child set status = 'retired' where child_id = $1",
        "update child set status = 'archived', archived_on = '2026-11-16' where child_id = $1",
    ] {
        let place = Place::new().await;
        let (first, _) = added(&place, with(amy("Testley"), "identifiers", upn(UPN)), &[]).await;
        place.index.shield(&first).await;
        place.arrange(end, first.id).await;
        for said in [amy("Testley"), with(amy("Otherly"), "identifiers", upn(UPN))] {
            let (copy, told) = added(&place, said, &[]).await;
            assert!(is_shielded(&place.index, copy.id).await);
            assert_eq!(told["shielded"], true);
        }
    }
}

#[actix_web::test]
async fn a_record_that_is_corrected_into_a_shielded_child_is_shielded_before_it_is_told() {
    let place = Place::new().await;
    let (first, _) = added(&place, with(amy("Testley"), "identifiers", upn(UPN)), &[]).await;
    place.index.shield(&first).await;
    let own = with(amy("Testley"), "dateOfBirth", json!("2015-06-01"));
    for (said, change) in [
        (amy("Otherly"), json!({ "names": amy("Testley")["names"] })),
        (own, json!({ "dateOfBirth": "2015-03-14" })),
        (amy("Thirdly"), json!({ "identifiers": upn(UPN) })),
    ] {
        let (copy, told) = added(&place, said, &[]).await;
        assert_eq!(told["shielded"], false);
        let corrected = place.correct(&copy.path(""), 1, change).await.expect(200);
        assert_eq!(
            (&corrected.body["shielded"], corrected.body.get("whereabouts")),
            (&json!(true), None)
        );
        assert!(is_shielded(&place.index, copy.id).await);
        suspected(&place.index, copy.id).await;
    }
}

#[actix_web::test]
async fn carers_and_involvements_of_an_open_copy_are_guarded_too() {
    let place = Place::new().await;
    for path in ["/carers", "/involvements"] {
        let family = if path == "/carers" { "Testley" } else { "Otherly" };
        let (first, _) = added(&place, amy(family), &[]).await;
        let (copy, _) = added(&place, amy(family), &[&first]).await;
        place.index.shield(&first).await;
        assert!(!is_shielded(&place.index, copy.id).await, "arranged past the guard");
        let said = match path {
            "/carers" => {
                json!({ "name": { "given": ["Ann"], "family": "Testley" }, "relationship": "mother",
                                 "parentalResponsibility": true, "phones": ["01632 960077"] })
            }
            _ => json!({ "serviceType": "school", "startedOn": "2026-09-07",
                         "contact": { "team": "Example Team", "officeHours": "01632 960003" } }),
        };
        let by = if path == "/carers" { &place.steward } else { &place.teacher };
        let made = place.index.post(by, &copy.path(path), said).await.expect(201);
        assert!(is_shielded(&place.index, copy.id).await);
        if path == "/carers" {
            assert_eq!(made.body["phones"], json!([]));
        }
    }
}

#[actix_web::test]
async fn persons_of_whom_somebody_has_said_that_they_are_two_do_not_shield_each_other() {
    let place = Place::new().await;
    let (first, _) = added(&place, amy("Testley"), &[]).await;
    let (copy, _) = added(&place, amy("Testley"), &[&first]).await;
    place.index.shield(&first).await;
    sqlx::query(
        "with made as (insert into person (person_id) values ($1) returning person_id)
         update child set person_id = made.person_id from made where child_id = $2",
    )
    .bind(Uuid::new_v4())
    .bind(copy.id)
    .execute(&place.index.db)
    .await
    .unwrap();
    sqlx::query(
        "insert into distinct_persons select least(a.person_id, b.person_id), greatest(a.person_id, b.person_id), $3, now()
         from child a, child b where a.child_id = $1 and b.child_id = $2",
    )
    .bind(first.id)
    .bind(copy.id)
    .bind(place.steward.id)
    .execute(&place.index.db)
    .await
    .unwrap();
    place.correct(&copy.path(""), 1, json!({ "gender": "notSpecified" })).await.expect(200);
    assert!(!is_shielded(&place.index, copy.id).await);
    // A third is like both, and nobody has said anything of it.
    let (third, _) = added(&place, amy("Testley"), &[&first, &copy]).await;
    assert!(is_shielded(&place.index, third.id).await);
}

#[actix_web::test]
async fn a_shield_reaches_the_records_that_resemble_and_those_that_resemble_these() {
    let place = Place::new().await;
    let (first, _) = added(&place, amy("Testley"), &[]).await;
    let (copy, _) = added(&place, with(amy("Testley"), "identifiers", upn(UPN)), &[&first]).await;
    let (third, _) = added(&place, amy("Otherly"), &[]).await;
    let (fourth, _) = added(&place, amy("Otherly"), &[&third]).await;
    let (apart, _) = added(&place, amy("Fourthly"), &[]).await;
    let both = json!([{ "kind": "current", "given": ["Amy"], "family": "Testley" },
                      { "kind": "knownAs", "given": ["Amy"], "family": "Otherly" }]);
    place.correct(&copy.path(""), 1, json!({ "names": both })).await.expect(200);
    emergency(&place, &first).await.expect(201);
    for (child, shielded) in
        [(&first, true), (&copy, true), (&third, true), (&fourth, true), (&apart, false)]
    {
        assert_eq!(is_shielded(&place.index, child.id).await, shielded);
    }
    for child in [&copy, &third, &fourth] {
        suspected(&place.index, child.id).await;
    }
    // A shielded record that is corrected reaches what it then resembles.
    let names = json!({ "names": amy("Fourthly")["names"] });
    let version = place.index.get(&place.steward, &first.path("")).await.expect(200).version();
    place.correct(&first.path(""), version, names).await.expect(200);
    assert!(is_shielded(&place.index, apart.id).await);
}

#[actix_web::test]
async fn a_shield_that_was_lifted_is_not_raised_again_by_what_it_reached() {
    let place = Place::new().await;
    let (first, _) = added(&place, amy("Testley"), &[]).await;
    let (copy, _) = added(&place, amy("Testley"), &[&first]).await;
    let asked = emergency(&place, &first).await.expect(201);
    assert!(is_shielded(&place.index, copy.id).await);
    let [one, two] = [place.council; 2];
    let one = place.index.account(Role::ShieldApprover, one).await;
    let two = place.index.account(Role::ShieldApprover, two).await;
    let request = asked.header("Location");
    let version = place.index.get(&one, request).await.expect(200).version();
    place.index.put(&one, &format!("{request}/closure"), version, Value::Null).await.expect(200);
    let version = place.index.get(&two, &first.path("/shield")).await.expect(200).version();
    place.index.delete(&two, &first.path("/shield"), version).await.expect(200);
    assert!(!is_shielded(&place.index, first.id).await);
    let whole = place.index.get(&place.teacher, &first.path("")).await.expect(200);
    assert_eq!(whole.body["whereabouts"]["kind"], "current");
    place
        .correct(&first.path(""), whole.version(), json!({ "gender": "notSpecified" }))
        .await
        .expect(200);
    assert!(!is_shielded(&place.index, first.id).await);
    assert!(is_shielded(&place.index, copy.id).await, "nobody has looked at it yet");
}

#[actix_web::test]
async fn a_shield_and_a_copy_at_once_leave_no_copy_open() {
    const NAMES: [(&str, &str); 6] = [
        ("Abernathy", "Zuckerby"),
        ("Birtwhistle", "Yallop"),
        ("Cholmondeley", "Wigglesworth"),
        ("Dunwoody", "Vanstone"),
        ("Entwistle", "Underhill"),
        ("Fothergill", "Tuckswood"),
    ];
    let place = Place::new().await;
    let first_day: chrono::NaiveDate = "2010-01-11".parse().unwrap();
    let (mut both, mut n) = (0, 0);
    // Who has waited too long is sent away: a machine that is busy needs more than six.
    while n < 6 || both == 0 && n < 60 {
        let (family, unlike) = NAMES[n % NAMES.len()];
        let born = (first_day + chrono::Days::new(60 * n as u64)).to_string();
        n += 1;
        let amy = |family: &str| {
            let nowhere = with(amy(family), "whereabouts", json!({ "kind": "noneKnown" }));
            with(nowhere, "dateOfBirth", json!(born))
        };
        let (first, _) = added(&place, amy(family), &[]).await;
        let (other, _) = added(&place, amy(unlike), &[]).await;
        // Every other time in another spelling.
        let copy = if n % 2 == 0 { family.to_owned() } else { format!("{family}e") };
        let said = with(amy(&copy), "distinctFrom", json!([first.number, other.number]));
        let names = json!({ "names": amy(&copy)["names"] });
        let add = place.index.post(&place.teacher, "/v1/children", said);
        let path = other.path("");
        let amend = place.index.patch(&place.steward, &path, 1, names);
        let (raised, (made, amended)) = join(emergency(&place, &first), join(add, amend)).await;
        for (answer, done) in [(&raised, 201), (&made, 201), (&amended, 200)] {
            assert!([done, 503].contains(&answer.status), "{}: {}", answer.status, answer.body);
        }
        if raised.status == 503 {
            continue;
        }
        if made.status == 201 {
            let copy = at(&place, made.header("Location")).await;
            assert!(is_shielded(&place.index, copy.id).await);
            both += 1;
        }
        if amended.status == 200 {
            assert!(is_shielded(&place.index, other.id).await);
        }
    }
    assert!(both > 0, "none was ever made at once with a shield");
}

/// How many of these children a load adds, or why it breaks off; and the lines of those that it refuses.
async fn loaded(
    place: &Place,
    work: &mut Errands,
    rows: &[Value],
) -> (Result<u64, String>, Vec<u64>) {
    let code: String =
        sqlx::query_scalar("select authority_code from organisation where organisation_id = $1")
            .bind(place.council.id)
            .fetch_one(&place.index.db)
            .await
            .unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({ "child": with(row.clone(), "responsibleAuthority", json!(code)) }).to_string()
        })
        .collect();
    let file = BufReader::new(std::io::Cursor::new(rows.join("\n")));
    let mut refused = Vec::new();
    let loaded = load(work, None, Lines::of(file), |news| {
        if let News::Rejected { line, .. } = news {
            refused.push(line);
        }
    });
    let loaded = loaded.await.map(|summary| summary.children);
    (loaded.map_err(|problem| problem.cause().unwrap_or_default()), refused)
}

/// The child of this family name.
async fn named(place: &Place, family: &str) -> Uuid {
    let found = sqlx::query_scalar("select child_id from child_name where family = $1");
    found.bind(family).fetch_one(&place.index.db).await.unwrap()
}

#[actix_web::test]
async fn a_copy_in_another_spelling_that_comes_by_a_load_is_shielded_as_it_is_added() {
    let place = Place::new().await;
    let (first, _) = added(&place, amy("Testley"), &[]).await;
    emergency(&place, &first).await.expect(201);
    let rows =
        [amy("Testleye"), amy("Thirdly"), with(amy("Testlye"), "dateOfBirth", json!("2011-01-02"))];
    let mut work = place.index.errands("load").await;
    assert_eq!(
        loaded(&place, &mut work, &rows).await,
        (Ok(3), vec![]),
        "nobody is told who is shielded"
    );
    let copy = named(&place, "Testleye").await;
    assert!(is_shielded(&place.index, copy).await);
    for other in ["Thirdly", "Testlye"] {
        assert!(!is_shielded(&place.index, named(&place, other).await).await, "{other}");
    }
    let looked_at: i64 = sqlx::query_scalar(
        "select count(*) from shield_request r join notice n on n.about = '/v1/shield-requests/' || r.shield_request_id
         where r.child_id = $1 and r.ground = 'resemblance' and r.status = 'inForce' and n.role = 'shieldApprover'",
    )
    .bind(copy)
    .fetch_one(&place.index.db)
    .await
    .unwrap();
    assert_eq!(looked_at, 1, "somebody looks at it");

    assert_eq!(loaded(&place, &mut work, &[amy("Testleyes")]).await.0, Ok(1));
    assert!(is_shielded(&place.index, named(&place, "Testleyes").await).await);
}

#[actix_web::test]
async fn a_load_without_the_keys_adds_nobody() {
    let place = Place::new().await;
    let options = (*place.index.db.connect_options()).clone().options([("role", APPLICATION)]);
    let mut work = Errands::begin(&options, &place.index.clock, "load").await.unwrap();
    let (why, _) = loaded(&place, &mut work, &[amy("Thirdly")]).await;
    assert_eq!(why, Err("this is done without the keys".to_owned()));
    drop(work);
    let there: i64 = sqlx::query_scalar("select count(*) from child_name where family = 'Thirdly'")
        .fetch_one(&place.index.db)
        .await
        .unwrap();
    assert_eq!(there, 0);
}

#[actix_web::test]
async fn a_load_beside_a_shield_and_beside_another_load_lets_no_copy_through() {
    let place = Place::new().await;
    for family in ["Okonjo", "Trelawney", "Birdwhistle", "Fitzgerald", "Mukherjee", "Szymanski"] {
        let (first, _) = added(&place, amy(family), &[]).await;
        let rows = [[amy(&format!("{family}e"))], [amy(&format!("{family}y"))]];
        let [mut one, mut other] =
            [place.index.errands("load").await, place.index.errands("load").await];
        let both = join(loaded(&place, &mut one, &rows[0]), loaded(&place, &mut other, &rows[1]));
        let (raised, (one, other)) = join(emergency(&place, &first), both).await;
        assert!([201, 503].contains(&raised.status), "{}", raised.body);
        assert_eq!((one.0, other.0), (Ok(1), Ok(1)));
        if raised.status == 201 {
            for copy in ["e", "y"] {
                let copy = named(&place, &format!("{family}{copy}")).await;
                assert!(is_shielded(&place.index, copy).await);
            }
        }
    }
}

#[actix_web::test]
async fn a_load_adds_no_copy_of_a_shielded_child() {
    let place = Place::new().await;
    let (first, _) = added(&place, with(amy("Testley"), "identifiers", upn(UPN)), &[]).await;
    place.index.shield(&first).await;
    place.arrange("update child set status = 'retired' where child_id = $1", first.id).await;
    let year = with(
        with(amy("Testley"), "dateOfBirth", json!("2015-01-01")),
        "dateOfBirthPrecision",
        json!("year"),
    );
    let former = json!([{ "kind": "current", "given": ["Zoe"], "family": "New" },
                        { "kind": "former", "given": ["Amy"], "family": "Testley" }]);
    let rows = [
        amy("Testley"),
        year,
        with(amy("x"), "names", former),
        with(amy("Otherly"), "identifiers", upn(UPN)),
        amy("Thirdly"),
    ];
    let (loaded, mut refused) = loaded(&place, &mut place.index.errands("load").await, &rows).await;
    refused.sort_unstable();
    assert_eq!((loaded.unwrap(), refused), (1, vec![1, 2, 3, 4]));
}
