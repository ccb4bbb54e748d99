//! Fictitious children by the million: they are found and opened like any others, and a database is as strict after as before.

use contactpoint::{
    access::Role,
    clock::day_in_london,
    generate::{
        Plan,
        task::{Summary, fill},
    },
    matching::task,
    problem::Problem,
    work::Errands,
};
use serde_json::{Value, json};

use crate::harness::{Index, Organisation};

async fn errands(index: &Index) -> Errands {
    let errands = Errands::begin(&index.db.connect_options(), &index.clock, "generate").await;
    errands.unwrap().with_vault(Index::door().vault.clone())
}

async fn generate(index: &Index, children: u64, seed: u64) -> Result<Summary, Problem> {
    let (now, today) = (index.now(), day_in_london(index.now()));
    fill(&mut errands(index).await, Plan { children, seed, now, today }, |_| {}).await
}

async fn text(index: &Index, of: &'static str) -> String {
    sqlx::query_scalar(of).fetch_one(&index.db).await.unwrap()
}

async fn count(index: &Index, of: &'static str) -> i64 {
    sqlx::query_scalar(of).fetch_one(&index.db).await.unwrap()
}

/// Every constraint, index and trigger, with what each says and whether it is in force.
const STRICTNESS: &str = "
    select string_agg(told, E'\\n' order by told) from (
        select format('%s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated) as told
        from pg_constraint where connamespace = 'public'::regnamespace
        union all select format('%s %s', pg_get_indexdef(indexrelid), indisvalid) from pg_index i
        join pg_class c on c.oid = i.indrelid where c.relnamespace = 'public'::regnamespace
        union all select format('%s %s', pg_get_triggerdef(oid), tgenabled) from pg_trigger where not tgisinternal) as strict";

/// The rows of every table of children, but for numbers that the database gives.
const ROWS: &str = "
    select md5(string_agg(told, '|' order by told)) from (
        select to_jsonb(t)::text as told from child t
        union all select (to_jsonb(t) - 'name_id')::text from child_name t
        union all select (to_jsonb(t) - 'whereabouts_id')::text from whereabouts t
        union all select (to_jsonb(t) - 'identifier_id')::text from child_identifier t
        union all select to_jsonb(t)::text from carer t
        union all select to_jsonb(t)::text from involvement t
        union all select (to_jsonb(t) - 'flag_id')::text from flag t
        union all select to_jsonb(t)::text from match_entry t) as every";

#[actix_web::test]
async fn the_database_is_as_strict_after_as_before_and_the_same_plan_makes_the_same_children() {
    let (one, other, another) = (Index::start().await, Index::start().await, Index::start().await);
    let before = text(&one, STRICTNESS).await;
    let made = generate(&one, 3000, 7).await.unwrap();
    assert_eq!(text(&one, STRICTNESS).await, before);
    assert_eq!(made.children, 3000);
    assert_eq!(count(&one, "select count(*) from child").await, 3000);
    let involvements = i64::try_from(made.involvements).unwrap();
    assert_eq!(count(&one, "select count(*) from involvement").await, involvements);
    assert!((9000..13_000).contains(&involvements), "{involvements}");
    assert_eq!(generate(&other, 3000, 7).await.unwrap(), made);
    assert_eq!(text(&one, ROWS).await, text(&other, ROWS).await);
    generate(&another, 3000, 8).await.unwrap();
    assert_ne!(text(&one, ROWS).await, text(&another, ROWS).await);
}

#[actix_web::test]
async fn entries_are_those_that_the_service_makes() {
    const ENTRIES: &str =
        "select md5(string_agg(e::text, '|' order by child_id)) from match_entry e";
    let index = Index::start().await;
    generate(&index, 2000, 7).await.unwrap();
    let before = text(&index, ENTRIES).await;
    let waiting = task::ask_anew(&mut index.errands("match_index").await, true).await.unwrap();
    assert_eq!((waiting, index.catch_up().await), (2000, 2000));
    assert_eq!(text(&index, ENTRIES).await, before);
}

#[actix_web::test]
async fn whoever_is_made_is_found_and_opened() {
    let index = Index::start().await;
    generate(&index, 500, 7).await.unwrap();
    let authority: uuid::Uuid =
        sqlx::query_scalar("select responsible_authority_id from child order by child_id limit 1")
            .fetch_one(&index.db)
            .await
            .unwrap();
    let steward = index
        .caller(Role::Steward, Organisation { id: authority, authority: Some(authority) })
        .await;
    let known: Vec<sqlx::types::Json<Value>> = sqlx::query_scalar(
        "select jsonb_build_object('indexNumber', c.index_number, 'given', n.given -> 0, 'family', n.family,
                'dateOfBirth', c.date_of_birth, 'involvements', (select count(*) from involvement i where i.child_id = c.child_id))
         from child c join lateral (select to_jsonb(given) as given, family from child_name n
                                    where n.child_id = c.child_id and kind = 'current') n on true
         order by c.child_id limit 20",
    )
    .fetch_all(&index.db)
    .await
    .unwrap();
    for child in known {
        let name = json!({ "given": [child["given"]], "family": child["family"] });
        let criteria = json!({ "name": name, "dateOfBirth": child["dateOfBirth"] });
        let found = index.post(&steward, "/v1/children/search", criteria).await.expect(200);
        let number = child["indexNumber"].as_str().unwrap();
        let told = found.body.to_string();
        assert!(told.contains(number), "{told}");
        let opened = index.get(&steward, &format!("/v1/children/{number}")).await.expect(200);
        let involvements = opened.body["involvements"].as_array().unwrap().len() as u64;
        assert!(involvements > 0 && involvements <= child["involvements"].as_u64().unwrap());
    }
}

#[actix_web::test]
async fn an_index_that_holds_a_child_is_left_as_it_is() {
    let index = Index::start().await;
    let authority = index.authority().await;
    index.child(authority).await;
    let before = index.rows().await;
    let refused = generate(&index, 10, 7).await.unwrap_err();
    assert!(refused.cause().unwrap().contains("holds children already"));
    assert_eq!(index.rows().await, before);
}

#[actix_web::test]
async fn what_cannot_go_in_whole_leaves_nothing() {
    let index = Index::start().await;
    let (strict, before) = (text(&index, STRICTNESS).await, index.rows().await);
    sqlx::query(
        "insert into organisation (organisation_id, kind, name, urn, office_hours, duty, updated_at)
         values (gen_random_uuid(), 'school', 'In the way', '900001', '01632 960001', '01632 960002', now())",
    )
    .execute(&index.db)
    .await
    .unwrap();
    generate(&index, 10, 7).await.unwrap_err();
    sqlx::query("delete from organisation").execute(&index.db).await.unwrap();
    assert_eq!(index.rows().await, before);
    assert_eq!(text(&index, STRICTNESS).await, strict);
    assert_eq!(index.acts("generate").await, Vec::<Value>::new());
    let made = generate(&index, 10, 7).await.unwrap();
    let acts = index.acts("generate").await;
    assert_eq!((acts.len(), &acts[0]["details"]["children"]), (1, &json!(made.children)));
}
