//! The entries by which the matcher finds children: whatever is written, they say what is known, and never what a shield hides.

use std::panic::AssertUnwindSafe;

use contactpoint::{
    access::Role,
    database::APPLICATION,
    load::{lines::Lines, task::load},
    matching::{
        candidates::Candidates,
        retrieve::{self, Found, MOST},
        task,
    },
};
use futures_util::{FutureExt, future::join};
use linkage::{Birth, Gender, Name, NameKind, Person, PersonName, Place as Home, key::SCHEME};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    harness::{Child, Index, TODAY},
    parts::{Place, address, amy, number, with},
    shield::Town,
};

/// What is asked of a child of these names.
fn named(given: &str, family: &str, born: Option<Birth>) -> Person {
    let name = PersonName::of(&[given], family);
    Person { names: vec![Name { kind: NameKind::Current, name }], birth: born, ..Person::default() }
}

/// What is asked of whoever lives under a postcode.
fn living(postcode: &str) -> Person {
    let home = Home::of(&["12 Harbour Way"], "Exampleton", postcode, false);
    Person { places: vec![home], ..Person::default() }
}

const PI_DAY: Birth = Birth { year: 2015, month: Some(3), day: Some(14) };

async fn ask(index: &Index, asked: &Person, behind_shield: bool) -> Vec<Uuid> {
    let today = contactpoint::clock::day_in_london(index.now());
    let found = retrieve::candidates(&index.db, asked, today, behind_shield).await.unwrap();
    let mut found = children(&found.candidates());
    found.sort();
    found
}

fn children(found: &Candidates) -> Vec<Uuid> {
    found.known().map(|known| known.unwrap().0.0).collect()
}

/// What the entry of a child holds; nothing where there is none.
async fn held(index: &Index, child: Uuid) -> Option<Person> {
    let packed: Option<Vec<u8>> =
        sqlx::query_scalar("select packed from match_entry where child_id = $1")
            .bind(child)
            .fetch_optional(&index.db)
            .await
            .unwrap();
    packed.map(|packed| Person::unpack(&packed).unwrap())
}

async fn count(index: &Index, of: &'static str) -> i64 {
    sqlx::query_scalar(of).fetch_one(&index.db).await.unwrap()
}

async fn waiting(index: &Index) -> i64 {
    count(index, "select count(*) from match_stale").await
}

/// Every entry, to compare.
async fn entries(index: &Index) -> Vec<(Uuid, bool, i16, Vec<i64>, Vec<u8>)> {
    sqlx::query_as("select child_id, shielded, scheme, keys, packed from match_entry order by 1")
        .fetch_all(&index.db)
        .await
        .unwrap()
}

fn families(person: &Person) -> Vec<String> {
    let mut families: Vec<_> =
        person.names.iter().map(|name| name.name.whole_family().to_owned()).collect();
    families.sort();
    families
}

fn full() -> Value {
    let mut child = amy("Testley");
    child["carers"] = json!([{ "name": { "given": ["Ann"], "family": "Carerly" }, "relationship": "mother",
                               "parentalResponsibility": true }]);
    child["identifiers"] = json!([{ "kind": "upn", "value": "B801200005001" }]);
    child
}

async fn at(place: &Place, path: &str) -> Child {
    let id = place.child_id(path).await;
    Child { id, number: number(path).to_owned(), family: "Testley".to_owned() }
}

#[actix_web::test]
async fn a_child_who_is_added_is_found_by_what_was_said() {
    let place = Place::new().await;
    let path = place.add(full()).await;
    let child = place.child_id(&path).await;
    let expected = Person {
        names: vec![Name {
            kind: NameKind::Current,
            name: PersonName::of(&["Amy", "Rose"], "Testley"),
        }],
        birth: Some(PI_DAY),
        gender: Some(Gender::Female),
        places: vec![Home::of(&["12 Harbour Way"], "Exampleton", "PO1 3AX", false)],
        carers: vec![PersonName::of(&["Ann"], "Carerly")],
        schools: vec![],
        practices: vec![],
        identifiers: vec!["upn:B801200005001".to_owned()],
    };
    assert_eq!(held(&place.index, child).await, Some(expected));
    for asked in [
        named("Aimy", "Testleigh", Some(PI_DAY)),
        named("Amy", "Testley", Some(Birth::on(2015, 3, 15))),
        named("Testley", "Amy", Some(PI_DAY)),
        living("PO1 3AX"),
    ] {
        assert_eq!(ask(&place.index, &asked, false).await, [child], "{asked:?}");
    }
    assert!(ask(&place.index, &named("Bob", "Otherly", Some(PI_DAY)), false).await.is_empty());
    assert_eq!(waiting(&place.index).await, 0);
}

#[actix_web::test]
async fn after_a_correction_a_child_is_found_by_what_is_known_and_by_names_and_addresses_before() {
    let place = Place::new().await;
    let path = place.add(full()).await;
    let child = place.child_id(&path).await;
    let change = json!({
        "names": [{ "kind": "current", "given": ["Amy"], "family": "Newley" }],
        "whereabouts": { "kind": "current", "address": address("LS1 4AB") },
        "dateOfBirth": "2014-07-01", "dateOfBirthPrecision": "month", "gender": "notSpecified",
        "identifiers": [],
    });
    place.correct(&path, 1, change).await.expect(200);
    let entry = held(&place.index, child).await.unwrap();
    assert_eq!(families(&entry), ["newley", "testley"]);
    let kinds: Vec<_> =
        entry.names.iter().map(|name| (name.kind, name.name.whole_family().to_owned())).collect();
    assert!(kinds.contains(&(NameKind::Former, "testley".to_owned())), "{kinds:?}");
    assert_eq!(entry.birth, Some(Birth { year: 2014, month: Some(7), day: None }));
    assert_eq!((entry.gender, entry.identifiers.len()), (None, 0));
    let homes: Vec<_> = entry.places.iter().map(|home| (&*home.postcode, home.former)).collect();
    assert_eq!(homes, [("LS1 4AB", false), ("PO1 3AX", true)]);
    let born = Some(Birth { year: 2014, month: None, day: None });
    for asked in [
        named("Amy", "Newley", born),
        named("Amy", "Testley", born),
        living("PO1 3AX"),
        living("LS1 4AB"),
    ] {
        assert_eq!(ask(&place.index, &asked, false).await, [child], "{asked:?}");
    }
    assert_eq!(waiting(&place.index).await, 0);
}

#[actix_web::test]
async fn carers_schools_and_practices_are_compared_while_they_hold_and_a_year_longer_if_they_are_places()
 {
    let place = Place::new().await;
    let index = &place.index;
    let path = place.add(full()).await;
    let child = place.child_id(&path).await;
    let ann = index.get(&place.teacher, &path).await.body["carers"][0].clone();
    let ann = format!("{path}/carers/{}", ann["id"].as_str().unwrap());
    let bob = json!({ "name": { "given": ["Bob"], "family": "Otherly" }, "relationship": "father", "parentalResponsibility": true });
    index.post(&place.steward, &format!("{path}/carers"), bob).await.expect(201);
    let changed = json!({ "name": { "given": ["Anna"], "family": "Carerly" } });
    index.patch(&place.steward, &ann, 1, changed).await.expect(200);
    let carers = async || {
        let entry = held(index, child).await.unwrap();
        let mut carers: Vec<_> =
            entry.carers.iter().map(|carer| carer.first().to_owned()).collect();
        carers.sort();
        carers
    };
    assert_eq!(carers().await, ["anna", "bob"]);
    index.delete(&place.steward, &ann, 2).await;
    assert_eq!(carers().await, ["bob"]);

    let began = json!({ "serviceType": "school", "startedOn": "2024-09-02",
                        "contact": { "team": "Office", "officeHours": "01632 960003" } });
    let involvement =
        index.post(&place.teacher, &format!("{path}/involvements"), began).await.expect(201);
    let school = place.school.id.as_u64_pair().0;
    assert_eq!(held(index, child).await.unwrap().schools, [school]);
    let at = involvement.header("Location").to_owned();
    index
        .patch(&place.teacher, &at, involvement.version(), json!({ "endedOn": "2026-11-01" }))
        .await
        .expect(200);
    assert_eq!(held(index, child).await.unwrap().schools, [school], "within a year");
    place
        .arrange("update involvement set ended_on = '2025-01-01' where child_id = $1", child)
        .await;
    assert_eq!((waiting(index).await, index.catch_up().await), (1, 1));
    let entry = held(index, child).await.unwrap();
    assert!(entry.schools.is_empty() && entry.practices.is_empty());

    let practice = index.organisation("gpPractice", Some(place.council)).await;
    let as_child = self::at(&place, &path).await;
    index.involvement(&as_child, practice, "generalPractice").await;
    index.sensitive(&as_child, practice, "sexualHealth").await;
    index.catch_up().await;
    let entry = held(index, child).await.unwrap();
    assert_eq!(entry.practices, [practice.id.as_u64_pair().0]);
}

#[actix_web::test]
async fn a_shield_leaves_in_the_entry_what_it_leaves_visible_and_gives_the_rest_back_when_it_ends()
{
    let town = Town::new().await;
    let index = &town.index;
    let child = town.child.id;
    let canaries = ["canary", "ze39", "ze3 9", "801200005001"];
    let home = json!({ "kind": "current", "address": { "lines": ["12 Canary Way"], "town": "Canaryton", "postcode": "ZE3 9XX" } });
    let said = json!({ "whereabouts": home, "identifiers": [{ "kind": "upn", "value": "B801200005001" }] });
    index.patch(&town.steward, &town.child.path(""), 1, said).await.expect(200);
    index.carer(&town.child).await;
    index.involvement(&town.child, town.school, "school").await;
    index.catch_up().await;
    let before = held(index, child).await.unwrap();
    assert!(before.places.len() == 1 && before.schools.len() == 1 && before.identifiers.len() == 1);
    let text = |packed: Vec<u8>| String::from_utf8_lossy(&packed).to_lowercase();
    let packed = async || -> Vec<u8> {
        let packed = sqlx::query_scalar("select packed from match_entry where child_id = $1");
        packed.bind(child).fetch_one(&index.db).await.unwrap()
    };
    assert!(
        canaries.iter().filter(|canary| text(before.pack().unwrap()).contains(**canary)).count()
            >= 3
    );

    let path = town.emergency().await;
    assert_eq!(waiting(index).await, 0);
    let hidden = packed().await;
    assert!(canaries.iter().all(|canary| !text(hidden.clone()).contains(canary)));
    let entry = Person::unpack(&hidden).unwrap();
    let left = Person {
        places: vec![],
        schools: vec![],
        practices: vec![],
        identifiers: vec![],
        ..before.clone()
    };
    assert_eq!(entry, left);
    let by_name = named("Amy", &town.child.family, Some(PI_DAY));
    assert_eq!(ask(index, &by_name, false).await, [child]);
    assert!(ask(index, &by_name, true).await.is_empty(), "a hidden criterion excludes");
    let home = Home::of(&["12 Canary Way"], "Canaryton", "ZE3 9XX", false);
    let by_home = Person { places: vec![home], ..Person::default() };
    assert!(ask(index, &by_home, false).await.is_empty());

    let version = index.get(&town.first, &path).await.version();
    index.put(&town.first, &format!("{path}/closure"), version, Value::Null).await.expect(200);
    let version = index.get(&town.first, &town.child.path("/shield")).await.version();
    index.delete(&town.second, &town.child.path("/shield"), version).await.expect(200);
    assert_eq!(held(index, child).await, Some(before));
    assert_eq!(ask(index, &by_home, false).await, [child]);
    assert_eq!(waiting(index).await, 0);
}

#[actix_web::test]
async fn a_shield_that_the_service_did_not_raise_empties_the_entry_in_the_same_transaction() {
    let place = Place::new().await;
    let child = at(&place, &place.add(full()).await).await;
    place.index.shield(&child).await;
    let empty = "select count(*) from match_entry where shielded and keys = '{}' and packed = ''";
    assert_eq!((count(&place.index, empty).await, waiting(&place.index).await), (1, 1));
    assert!(ask(&place.index, &living("PO1 3AX"), false).await.is_empty());
    assert_eq!(place.index.catch_up().await, 1);
    let entry = held(&place.index, child.id).await.unwrap();
    assert!(entry.places.is_empty() && entry.identifiers.is_empty());
    assert_eq!((families(&entry), entry.carers.len()), (vec!["testley".to_owned()], 1));
    assert_eq!(waiting(&place.index).await, 0);
}

#[actix_web::test]
async fn a_copy_of_a_shielded_child_in_another_spelling_is_shielded_too() {
    let place = Place::new().await;
    let shielded = async |path: &str| {
        let child = place.child_id(path).await;
        let shielded = sqlx::query_scalar("select shielded from child where child_id = $1");
        let shielded: bool = shielded.bind(child).fetch_one(&place.index.db).await.unwrap();
        shielded
    };
    let said = |given: &str, family: &str, born: &str| {
        let names = json!([{ "kind": "current", "given": [given], "family": family }]);
        with(with(amy(family), "names", names), "dateOfBirth", json!(born))
    };
    let early = place.add(said("Katharine", "Exampleforth", "2015-03-14")).await;
    let first = place.add(said("Katherine", "Exampelforth", "2015-03-14")).await;
    let body = json!({ "ground": "threatToLife", "emergency": true });
    let asked = format!("{first}/shield-requests");
    place.index.post(&place.teacher, &asked, body).await.expect(201);
    assert!(shielded(&first).await && shielded(&early).await, "what is here already is found");
    for (given, family, born, is) in [
        ("Kate", "Exampleforth", "2015-03-14", true),
        ("Katherine", "Examplefort", "2015-03-14", true),
        ("Exampleforth", "Katherine", "2015-03-14", true),
        ("Katherine", "Examplefort", "2016-08-02", false),
        ("Barnaby", "Exampleforth", "2015-03-14", false),
        ("Katherine", "Otherly", "2015-03-14", false),
    ] {
        let path = place.add(said(given, family, born)).await;
        assert_eq!(shielded(&path).await, is, "{given} {family} {born}");
    }
}

#[actix_web::test]
async fn of_two_who_write_of_one_child_at_once_neither_is_lost_in_the_entry() {
    let place = Place::new().await;
    let path = place.add(full()).await;
    let child = place.child_id(&path).await;
    for round in ["a", "b", "c"] {
        let carer = json!({ "name": { "given": [format!("Bob{round}")], "family": "Otherly" }, "relationship": "father",
                            "parentalResponsibility": true });
        let version = place.index.get(&place.steward, &path).await.version();
        let names = json!({ "names": amy(&format!("New{round}"))["names"] });
        let carers = format!("{path}/carers");
        let (one, other) = join(
            place.index.post(&place.steward, &carers, carer),
            place.correct(&path, version, names),
        )
        .await;
        assert!(
            one.status < 300 && matches!(other.status, 200 | 412),
            "{} {}",
            one.status,
            other.status
        );
    }
    let before = entries(&place.index).await;
    assert_eq!(waiting(&place.index).await, 0);
    let mut work = place.index.errands("match_index").await;
    assert_eq!(task::ask_anew(&mut work, true).await.unwrap(), 1);
    place.index.catch_up().await;
    assert_eq!(entries(&place.index).await, before, "made anew it is the same");
    assert_eq!(held(&place.index, child).await.unwrap().carers.len(), 4);
}

#[actix_web::test]
async fn what_is_archived_retired_or_past_its_day_is_not_found_and_what_comes_back_is() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = crate::retention::born(&index, &scene, "2008-11-17").await;
    index.retain().await;
    index.catch_up().await;
    let asked = named("Amy", &child.family, Some(Birth::on(2008, 11, 17)));
    index.live_until("2026-11-16T23:59:59Z");
    assert_eq!(ask(&index, &asked, false).await, [child.id]);
    index.live_until("2026-11-17");
    assert!(held(&index, child.id).await.is_some());
    assert!(ask(&index, &asked, false).await.is_empty(), "the day has come, the task has not");
    index.retain().await;
    assert_eq!((held(&index, child.id).await, waiting(&index).await), (None, 0));
    let stay = json!({ "indexNumber": child.number, "stayConsent": { "ground": "careLeaver", "givenBy": "youngPerson",
                       "capacityBasis": "over16", "givenOn": "2026-11-17" } });
    index.post(scene.caller(Role::Steward), "/v1/archive/restorations", stay).await.expect(201);
    assert_eq!(ask(&index, &asked, false).await, [child.id]);
    assert_eq!(waiting(&index).await, 0);
    index.shield(&child).await;
    index.catch_up().await;
    let retire = "update child set status = 'retired' where child_id = $1";
    sqlx::query(retire).bind(child.id).execute(&index.db).await.unwrap();
    assert_eq!((held(&index, child.id).await, waiting(&index).await), (None, 0));
}

/// A file of as many children, and the authority that answers for them.
async fn loaded(place: &Place, children: usize) {
    let code: String =
        sqlx::query_scalar("select authority_code from organisation where organisation_id = $1")
            .bind(place.council.id)
            .fetch_one(&place.index.db)
            .await
            .unwrap();
    let rows = (0..children).map(|n| {
        let letters: String = format!("{:04}", n * 1237 % 9973)
            .bytes()
            .map(|d| char::from(d - b'0' + b'a'))
            .collect();
        let mut row = full();
        row["names"][0]["family"] = json!(format!("{letters}ley"));
        row.as_object_mut().unwrap().remove("identifiers");
        json!({ "child": with(row, "responsibleAuthority", json!(code)) }).to_string()
    });
    let file = std::io::Cursor::new(rows.collect::<Vec<_>>().join("\n"));
    let mut work = place.index.errands("load").await;
    let summary = load(&mut work, None, Lines::of(std::io::BufReader::new(file)), |_| {});
    assert_eq!(summary.await.unwrap().children, u64::try_from(children).unwrap());
}

#[actix_web::test]
async fn a_load_makes_the_entries_of_what_it_adds() {
    let place = Place::new().await;
    loaded(&place, 30).await;
    assert_eq!(waiting(&place.index).await, 0);
    let before = entries(&place.index).await;
    assert_eq!(before.len(), 30);
    assert_eq!(ask(&place.index, &living("PO1 3AX"), false).await.len(), 30);
    let mut work = place.index.errands("match_index").await;
    assert_eq!(task::ask_anew(&mut work, true).await.unwrap(), 30);
    assert_eq!(place.index.catch_up().await, 30);
    assert_eq!(entries(&place.index).await, before);
}

#[actix_web::test]
async fn making_the_index_goes_on_where_it_was_killed_and_beside_another() {
    let place = Place::new().await;
    loaded(&place, 30).await;
    let before = entries(&place.index).await;
    place.index.catch_up().await;
    sqlx::query("update match_entry set scheme = $1, keys = '{}', packed = ''")
        .bind(SCHEME - 1)
        .execute(&place.index.db)
        .await
        .unwrap();
    assert!(
        ask(&place.index, &living("PO1 3AX"), false).await.is_empty(),
        "another scheme is not read"
    );
    let mut work = place.index.errands("match_index").await;
    assert_eq!(task::ask_anew(&mut work, false).await.unwrap(), 30);
    let killed = task::catch_up(&mut work, 7, |made| assert!(made < 14, "killed"));
    assert!(AssertUnwindSafe(killed).catch_unwind().await.is_err());
    drop(work);
    assert_eq!(waiting(&place.index).await, 16);

    let mut work = place.index.errands("match_index").await;
    assert_eq!(task::ask_anew(&mut work, false).await.unwrap(), 16, "nothing twice");
    let mut other = place.index.errands("match_index").await;
    let (one, two) =
        join(task::catch_up(&mut work, 3, |_| {}), task::catch_up(&mut other, 3, |_| {})).await;
    assert_eq!(one.unwrap() + two.unwrap(), 16);
    assert_eq!((waiting(&place.index).await, entries(&place.index).await), (0, before));
    let acts = place.index.acts("match_index").await;
    let told: i64 = acts.iter().filter_map(|act| act["details"]["entries"].as_i64()).sum();
    assert_eq!(told, 30);
}

#[actix_web::test]
async fn what_any_other_path_writes_is_caught_up_with() {
    let place = Place::new().await;
    let child = place.index.child(place.council).await;
    assert_eq!((waiting(&place.index).await, place.index.catch_up().await), (1, 1));
    let asked = named("Amy", &child.family, Some(PI_DAY));
    assert_eq!(ask(&place.index, &asked, false).await, [child.id]);
    for statement in [
        "update child_name set given = '{Bea}' where child_id = $1",
        "update child set gender = 'male' where child_id = $1",
        "update child set date_of_birth = '2015-03-15' where child_id = $1",
        "update whereabouts set kind = 'lastKnown', lines = '{12 Harbour Way}', town = 'Exampleton', postcode = 'PO1 3AX'
         where child_id = $1",
        "insert into child_identifier (child_id, kind, value, source_organisation_id, received_at, as_at)
         select child_id, 'upn', 'B801200005001', source_organisation_id, received_at, as_at from child where child_id = $1",
        "update child_identifier set superseded_at = now() where child_id = $1",
    ] {
        let before = entries(&place.index).await;
        place.arrange(statement, child.id).await;
        assert_eq!((waiting(&place.index).await, place.index.catch_up().await), (1, 1), "{statement}");
        assert_ne!(entries(&place.index).await, before, "{statement}");
    }
    place.arrange("update child set version = version + 1 where child_id = $1", child.id).await;
    assert_eq!(waiting(&place.index).await, 0, "what is not compared makes nothing stale");
}

/// A connection on which another table stands in place of the entries, with as many of one key as said.
async fn elsewhere(index: &Index, all: &Person, many: i32) -> PgConnection {
    let options = (*index.db.connect_options()).clone().options([("role", APPLICATION)]);
    let mut db = PgConnection::connect_with(&options).await.unwrap();
    for statement in [
        "create temporary table match_entry (like public.match_entry including defaults)",
        "create index on match_entry using gin (keys) with (fastupdate = off)",
    ] {
        sqlx::query(statement).execute(&mut db).await.unwrap();
    }
    sqlx::query(
        "insert into match_entry select gen_random_uuid(), false, null, $1, $2, $3 from generate_series(1, $4)",
    )
    .bind(SCHEME)
    .bind(all.keys())
    .bind(all.pack().unwrap())
    .bind(many)
    .execute(&mut db)
    .await
    .unwrap();
    db
}

#[actix_web::test]
async fn a_key_that_very_many_share_does_not_drown_the_others_and_alone_is_too_many() {
    let place = Place::new().await;
    let path = place.add(amy("Testley")).await;
    let child = place.child_id(&path).await;
    let common = living("LS1 4AB");
    let today = TODAY.parse().unwrap();
    for (many, alone) in [(MOST, false), (MOST + 1, true)] {
        let mut db = elsewhere(&place.index, &common, many).await;
        let found = retrieve::candidates(&mut db, &common, today, true).await.unwrap();
        assert_eq!(matches!(found, Found::TooMany), alone, "{many}");
        assert_eq!(found.candidates().count(), if alone { 0 } else { 4000 });
        let one = "insert into match_entry select * from public.match_entry where child_id = $1";
        sqlx::query(one).bind(child).execute(&mut db).await.unwrap();
        let mut asked = named("Amy", "Testley", Some(PI_DAY));
        asked.places = common.places.clone();
        let found = retrieve::candidates(&mut db, &asked, today, true).await.unwrap().candidates();
        assert_eq!(children(&found), [child], "{many}");
        db.close().await.unwrap();
    }
}

#[actix_web::test]
async fn the_service_may_make_entries_and_throw_none_away() {
    let index = Index::start().await;
    let may: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select privilege_type::text from information_schema.role_table_grants
         where table_name = 'match_entry' and grantee = '{APPLICATION}' order by 1"
    )))
    .fetch_all(&index.db)
    .await
    .unwrap();
    assert_eq!(may, ["INSERT", "SELECT", "UPDATE"]);
}
