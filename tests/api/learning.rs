//! What the index teaches: its names are counted, a model is trained and put in force, and measured where the truth is known.

use std::time::Duration;

use contactpoint::{
    access::Role,
    audit::ledger::Ledger,
    database::APPLICATION,
    demo::Demo,
    ids::EventId,
    learning::{
        labelled::read,
        task::{self, Taken},
        trial::{self, Measured, Tried},
    },
    load::{lines::Line, task::load},
    matching::matcher::Matchers,
};
use futures_util::future::join;
use linkage::{Field, Level, Model};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::{
    harness::{Index, TODAY},
    parts::{Place, amy, with},
};

fn options(index: &Index) -> PgConnectOptions {
    (*index.db.connect_options()).clone().options([("role", APPLICATION)])
}

fn day() -> chrono::NaiveDate {
    TODAY.parse().unwrap()
}

/// Loads children, and waits until PostgreSQL's statistics know of them.
async fn filled(index: &Index, children: u32) {
    let population = Demo { seed: 3, children, today: day() };
    let rows: Vec<_> = population.rows().collect();
    let lines = (1..)
        .zip(rows)
        .map(|(number, row)| Ok(Line { number, text: row.to_string().into_bytes() }));
    let mut work = index.errands("load").await;
    load(&mut work, None, lines, |_| {}).await.unwrap();
    drop(work);
    for _ in 0..100 {
        let known: i64 = sqlx::query_scalar(
            "select coalesce(max(n_live_tup), 0) from pg_stat_user_tables where relname = 'match_entry'",
        )
        .fetch_one(&index.db)
        .await
        .unwrap();
        if known >= i64::from(children) * 9 / 10 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("PostgreSQL does not know of the children");
}

async fn count(index: &Index) -> Option<i32> {
    let ledger = Ledger::new(&options(index), Index::door().vault.clone());
    task::count(&options(index), &index.db, &index.clock, &ledger).await.unwrap()
}

async fn take(index: &Index, matchers: &Matchers, taken: &mut Taken) -> Option<String> {
    task::take(&index.db, matchers, &index.clock, taken).await.unwrap()
}

async fn acts(index: &Index, operation: &str) -> Vec<Value> {
    index.acts(operation).await.into_iter().map(|mut act| act["details"].take()).collect()
}

#[actix_web::test]
async fn names_are_counted_once_the_index_has_grown_and_taken_in_by_every_instance() {
    let index = Index::start().await;
    let (matchers, mut taken) = (Matchers::default(), Taken::default());
    assert_eq!(count(&index).await, None, "an empty index is not worth counting");
    assert_eq!(take(&index, &matchers, &mut taken).await.as_deref(), Some("1.0"));
    filled(&index, 300).await;
    let (one, other) = join(count(&index), count(&index)).await;
    let revisions: Vec<_> = [one, other].into_iter().flatten().collect();
    assert_eq!(revisions.len(), 1, "one of two instances counts");
    assert_eq!(count(&index).await, None, "nothing has grown since");
    let version = format!("1.{}", revisions[0]);
    assert_eq!(take(&index, &matchers, &mut taken).await, Some(version.clone()));
    assert_eq!(take(&index, &matchers, &mut taken).await, None, "nothing has changed since");
    let held = matchers.current();
    assert_eq!(held.version, version);
    let frequencies = &held.matcher.frequencies;
    assert!(frequencies.children >= 270 && frequencies.index >= frequencies.children);
    let (name, number) = frequencies.family.iter().max_by_key(|(_, number)| **number).unwrap();
    let share = f64::from(*number) / 300.0;
    let told = frequencies.of_family(name);
    assert!(told < share && told > share / 20.0, "{name}: {told} of {share}");
    let done = acts(&index, "match_count").await;
    assert_eq!(done, [json!({ "revision": revisions[0], "children": frequencies.children })]);
}

#[actix_web::test]
async fn a_model_is_trained_proposed_and_put_in_force_by_an_operator() {
    let index = Index::start().await;
    filled(&index, 300).await;
    let (matchers, mut taken) = (Matchers::default(), Taken::default());
    take(&index, &matchers, &mut taken).await;
    let mut work = index.errands("match_train").await;
    let mut looked_at = 0;
    let trained = task::train(&mut work, &index.clock, 1_000, |progress| looked_at = progress.done);
    let trained = trained.await.unwrap();
    assert!(looked_at >= 270 && trained.report.records == looked_at as u64);
    let decided: u64 = trained.report.decided.iter().map(|decided| decided.records).sum();
    assert_eq!(decided, trained.report.records, "every record is decided on by both");
    assert!(trained.report.weights.iter().any(|moved| moved.field == Field::FamilyName));
    let version = task::propose(&mut work, &trained).await.unwrap();
    assert_eq!(take(&index, &matchers, &mut taken).await, None, "what is proposed is not in force");

    let mut work = index.errands("match_promote").await;
    let reason = "It was tried on last month's records.";
    assert!(!task::promote(&mut work, version + 1, reason).await.unwrap(), "there is none");
    assert!(task::promote(&mut work, version, reason).await.unwrap());
    assert_eq!(take(&index, &matchers, &mut taken).await, Some(format!("{version}.0")));
    let held = matchers.current().matcher.model.clone();
    let same = |model: &Model| model.same(Field::FamilyName, Level::OneEdit);
    assert!((same(&held) - same(&trained.model)).abs() < 1e-12);
    let promoted = json!({ "version": version, "before": null, "reason": reason });
    assert_eq!(acts(&index, "match_promote").await, [promoted]);

    assert!(task::promote(&mut work, 1, "The new one errs on twins.").await.unwrap());
    assert_eq!(take(&index, &matchers, &mut taken).await.as_deref(), Some("1.0"), "and back again");
    let (models, promoted) = task::models(&mut work).await.unwrap();
    assert_eq!((models.len(), promoted), (2, Some(1)));
    assert!(models[0].report.is_none() && models[1].report.is_some());
}

#[actix_web::test]
async fn models_and_promotions_are_only_ever_added() {
    let index = Index::start().await;
    take(&index, &Matchers::default(), &mut Taken::default()).await;
    let mut db = PgConnection::connect_with(&options(&index)).await.unwrap();
    for table in ["match_model", "match_promotion", "match_frequencies"] {
        for change in [format!("delete from {table}"), format!("truncate {table}")] {
            let refused = sqlx::query(sqlx::AssertSqlSafe(change)).execute(&mut db).await;
            let code =
                refused.unwrap_err().into_database_error().unwrap().code().unwrap().into_owned();
            assert_eq!(code, "42501");
        }
    }
    let refused = sqlx::query("update match_model set model = '{}'").execute(&mut db).await;
    assert!(refused.is_err());
}

#[actix_web::test]
async fn a_decision_is_made_again_by_what_the_audit_keeps_of_it() {
    let place = Place::new().await;
    place.add(amy("Testley")).await;
    let feed = place.index.caller(Role::Feed, place.school).await;
    for (given, outcome) in [("Amy", "match"), ("Oliver", "none")] {
        let known = json!({
            "names": [{ "given": [given], "family": "Testley" }], "dateOfBirth": "2015-03-14", "gender": "male",
            "addresses": [{ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" }],
        });
        let known = if given == "Amy" { with(known, "gender", json!("female")) } else { known };
        let answer = place.index.post(&feed, "/v1/children/match", known).await.expect(200);
        assert_eq!(answer.body["outcome"], outcome);
        let event = serde_json::from_value(answer.body["matchId"].clone()).unwrap();
        let mut work = place.index.errands("match_explain").await;
        let (kept, replayed) = task::explain(&mut work, event).await.unwrap().unwrap();
        assert_eq!((kept.outcome.as_deref(), replayed.same), (Some(outcome), Some(true)));
        assert!(kept.words(&replayed).contains("comes out the same"));
        let told = acts(&place.index, "match_explain").await;
        assert!(told.contains(&json!({ "event": event })), "{told:?}");
        assert!(task::explain(&mut work, EventId::new()).await.unwrap().is_none());
    }
}

fn record(
    id: &str,
    child: &str,
    held: bool,
    given: &str,
    family: &str,
    born: &str,
    street: &str,
) -> String {
    json!({
        "id": id, "child": child, "class": if held { "held" } else { "asked" }, "held": held, "asked": !held,
        "names": [{ "given": [given], "family": family }], "dateOfBirth": born, "gender": "female",
        "addresses": [{ "lines": [street], "town": "Exampleton", "postcode": "ZX1 4AB" }],
    })
    .to_string()
}

async fn measured(index: &Index, lines: &[String], train: bool) -> Measured {
    let records = read(&lines.join("\n")).unwrap();
    let tried = Tried { name: "cold".to_owned(), model: Model::cold(), train };
    trial::measure(&options(index), &records, tried, day(), |_| {}).await.unwrap()
}

#[actix_web::test]
async fn a_matcher_is_measured_on_records_whose_truth_is_known() {
    let index = Index::start().await;
    filled(&index, 20).await;
    let lines = [
        record("h1", "amy", true, "Amelia", "Testwright", "2015-03-14", "12 Harbour Way"),
        record("h2", "ben", true, "Benedicta", "Quillfeather", "2012-07-02", "9 Mill Lane"),
        record("a1", "amy", false, "Amelia", "Testwright", "2015-03-14", "12 Harbour Way"),
        record("a2", "ben", false, "Zuleika", "Othername", "2009-11-30", "77 Far Road"),
        record("a3", "eve", false, "Rosalind", "Testwright", "2010-01-25", "12 Harbour Way"),
        record("a4", "una", false, "Wilhelmina", "Unseen", "2011-10-10", "1 Nowhere Street"),
    ];
    let told = measured(&index, &lines, false).await;
    assert_eq!((told.records, told.held, told.asked, told.present), (6, 2, 4, 2));
    assert_eq!((told.true_matches, told.false_merges, told.too_many), (2, 0, 0));
    assert!((told.precision - 1.0).abs() < 1e-12 && (told.recall - 0.5).abs() < 1e-12);
    assert!((told.f1 - 2.0 / 3.0).abs() < 1e-12);
    assert!((told.top1 - 0.5).abs() < 1e-12 || told.found == 2);
    assert!((told.recall_at_zero_false - 0.5).abs() < 1e-12);
    let class = told.classes["asked"];
    assert_eq!((class.present.asked, class.present.matched, class.present.wrong), (2, 1, 0));
    assert_eq!((class.absent.asked, class.absent.matched, class.absent.wrong), (2, 0, 0));
    assert_eq!(class.absent.none, 2, "a sister and a stranger are new");
    let trained = measured(&index, &lines, true).await;
    assert_eq!((trained.false_merges, trained.classes["asked"].present.matched), (0, 1));
    let held: i64 =
        sqlx::query_scalar("select count(*) from match_entry").fetch_one(&index.db).await.unwrap();
    assert!(held >= 18, "the index is untouched");
}

#[actix_web::test]
async fn records_held_and_asked_are_never_compared_with_themselves_and_pairs_count_once() {
    let index = Index::start().await;
    let both = |id: &str, child: &str| {
        let line = record(id, child, true, "Amelia", "Testwright", "2015-03-14", "12 Harbour Way");
        line.replace("\"asked\":false", "\"asked\":true")
    };
    let lines = [both("r1", "amy"), both("r2", "amy"), both("r3", "amy"), {
        let line =
            record("r4", "sole", true, "Benedicta", "Quillfeather", "2012-07-02", "9 Mill Lane");
        line.replace("\"asked\":false", "\"asked\":true")
    }];
    let told = measured(&index, &lines, false).await;
    assert_eq!((told.true_matches, told.found), (3, 3));
    assert_eq!((told.present, told.absent.asked, told.absent.none), (3, 1, 1));
    assert!((told.recall_at_zero_false - 1.0).abs() < 1e-12);
}
