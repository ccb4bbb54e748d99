//! Nobody sweeps the index: how much anybody looks for and opens is limited, on all servers together.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{
    harness::{Answer, Caller, Child, Index, Operation, Organisation, Scene},
    parts::with,
};

/// The limits as a new database has them.
const SHIPPED: &str = include_str!("../../migrations/0030_budget.sql");

/// An index with the limits that it is shipped with, a child, and a practitioner.
struct Desk {
    index: Index,
    scene: Scene,
    child: Child,
    me: Caller,
}

impl Desk {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let child = index.child(scene.authority).await;
        let me = scene.caller(Role::Practitioner).clone();
        let limits = SHIPPED.lines().find(|line| line.starts_with("insert into budget values"));
        for statement in ["delete from budget", limits.unwrap()] {
            sqlx::query(statement).execute(&index.db).await.unwrap();
        }
        Self { index, scene, child, me }
    }

    /// The same, where an organisation has limits of its own.
    async fn with_limits(of: fn(&Scene) -> Organisation, limits: &str) -> Self {
        let desk = Self::new().await;
        let columns: Vec<_> = limits.split(' ').filter_map(|limit| limit.split_once('=')).collect();
        let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let insert = format!(
            "insert into budget (organisation_id, {}) values ($1, {})",
            names.join(", "),
            values.join(", ")
        );
        let insert = sqlx::query(AssertSqlSafe(insert)).bind(of(&desk.scene).id);
        insert.execute(&desk.index.db).await.unwrap();
        desk
    }

    /// A search that finds the child.
    fn hit(&self) -> Value {
        json!({ "name": { "given": ["Amy"], "family": self.child.family }, "dateOfBirth": "2015-03-14" })
    }

    /// A search that finds nobody.
    fn miss(&self) -> Value {
        json!({ "name": { "given": ["Amy"], "family": self.child.family }, "dateOfBirth": "2014-01-01" })
    }

    async fn search(&self, criteria: Value) -> Answer {
        self.index.post(&self.me, "/v1/children/search", criteria).await
    }

    async fn searches(&self, count: usize) {
        for _ in 0..count {
            self.search(self.hit()).await.expect(200);
        }
    }

    fn wait(&self, time: TimeDelta) {
        self.index.clock.set(self.index.now() + time);
    }

    /// Fails unless the budget is spent now, not a second before the moment that is told, and no longer then.
    async fn waits(&self, refused: Answer, again: impl AsyncFn() -> Answer) {
        let seconds = over(&refused);
        self.wait(TimeDelta::seconds(seconds - 1));
        let still = again().await;
        assert_eq!(over(&still), 1, "what is refused prolongs nothing");
        self.wait(TimeDelta::seconds(1));
        again().await.expect(200);
    }
}

/// How many seconds somebody is told to wait whose budget is spent.
#[track_caller]
fn over(answer: &Answer) -> i64 {
    assert_eq!((answer.status, answer.problem()), (429, "over-budget"), "{:#}", answer.body);
    answer.header("Retry-After").parse().unwrap()
}

fn at(moment: &str) -> DateTime<Utc> {
    moment.parse().unwrap()
}

#[actix_web::test]
async fn the_sixty_first_search_within_an_hour_waits_and_is_written_down_as_refused() {
    let desk = Desk::new().await;
    desk.searches(60).await;
    let refused = desk.search(desk.hit()).await;
    assert!((3600..=3900).contains(&over(&refused)));
    let event = desk.index.event(&refused).await;
    let written = ["outcome", "status", "problem"].map(|member| event[member].clone());
    assert_eq!(written, [json!("refused"), json!(429), json!("over-budget")]);
    assert!(refused.body.get("results").is_none());

    let colleague = desk.index.account(Role::Practitioner, desk.scene.school).await;
    desk.index.post(&colleague, "/v1/children/search", desk.hit()).await.expect(200);
    desk.index.get(&desk.me, &desk.child.path("")).await.expect(200);
    desk.waits(refused, || desk.search(desk.hit())).await;
}

#[actix_web::test]
async fn exact_fuzzy_and_too_wide_searches_count_and_so_does_adding_who_is_here() {
    let desk = Desk::with_limits(|scene| scene.school, "searches_an_hour=6").await;
    let exact = desk.search(desk.miss()).await.expect(200);
    let fuzzy = with(desk.miss(), "fuzzy", json!(true));
    let fuzzy = with(fuzzy, "searchId", exact.body["searchId"].clone());
    desk.search(fuzzy).await.expect(200);
    desk.search(json!({ "dateOfBirth": "2015-03-14" }))
        .await
        .refused(422, "too-little-to-search-by");

    let mut like = Vec::new();
    for _ in 0..10 {
        like.push(desk.index.child(desk.scene.authority).await.id);
    }
    let same = "update child_name set family = $1, family_key = (select family_key from child_name where family = $1 limit 1)
                where child_id = any($2)";
    let same = sqlx::query(same).bind(&desk.child.family).bind(like);
    same.execute(&desk.index.db).await.unwrap();
    desk.search(desk.hit()).await.refused(422, "too-many-matches");
    let born = json!({ "names": [{ "kind": "current", "given": ["Amy"], "family": desk.child.family }],
                       "dateOfBirth": "2015-03-14", "gender": "female", "whereabouts": { "kind": "noneKnown" } });
    for _ in 0..3 {
        let met = desk.index.post(&desk.me, "/v1/children", born.clone()).await;
        assert!(
            !met.refused(409, "possible-duplicate").body["candidates"]
                .as_array()
                .unwrap()
                .is_empty()
        );
    }
    over(&desk.search(desk.miss()).await);
    let refused = desk.index.post(&desk.me, "/v1/children", born).await;
    over(&refused);
    assert!(refused.body.get("candidates").is_none());
    assert_eq!(desk.index.event(&refused).await["children"], json!([]));
}

#[actix_web::test]
async fn the_three_hundred_and_first_search_of_a_day_waits_for_midnight_in_london() {
    let desk = Desk::new().await;
    desk.index.clock.set(at("2026-11-16T01:00:00Z"));
    for _ in 0..5 {
        desk.searches(60).await;
        desk.wait(TimeDelta::minutes(66));
    }
    let refused = desk.search(desk.hit()).await;
    assert_eq!(desk.index.now() + TimeDelta::seconds(over(&refused)), at("2026-11-17T00:00:00Z"));
    desk.waits(refused, || desk.search(desk.hit())).await;
}

#[actix_web::test]
async fn after_twenty_searches_in_a_row_that_found_nobody_there_is_a_pause_of_ten_minutes() {
    let desk = Desk::new().await;
    for _ in 0..19 {
        desk.search(desk.miss()).await.expect(200);
    }
    desk.search(desk.hit()).await.expect(200);
    for _ in 0..20 {
        desk.search(desk.miss()).await.expect(200);
    }
    let refused = desk.search(desk.hit()).await;
    assert_eq!(over(&refused), 600);
    desk.index.get(&desk.me, &desk.child.path("")).await.expect(200);
    desk.waits(refused, || desk.search(desk.miss())).await;
    for _ in 0..18 {
        desk.search(desk.miss()).await.expect(200);
    }
}

#[actix_web::test]
async fn neither_a_pause_nor_a_refusal_tells_whether_there_is_a_shielded_child() {
    let mut told = Vec::new();
    for shielded in [true, false] {
        let desk = Desk::new().await;
        if shielded {
            let place = "update whereabouts set kind = 'current', lines = '{1 Harbour Way}', town = 'Exampleton', postcode = 'PO1 3AX'
                         where child_id = $1";
            sqlx::query(place).bind(desk.child.id).execute(&desk.index.db).await.unwrap();
            desk.index.shield(&desk.child).await;
        }
        let family = if shielded { desk.child.family.clone() } else { "Nobodyley".to_owned() };
        let hidden = json!({ "name": { "given": ["Amy"], "family": family }, "postcode": "PO1 3AX", "gender": "female" });
        let seen =
            json!({ "name": { "given": ["Amy"], "family": family }, "dateOfBirth": "2015-03-14" });
        for _ in 0..20 {
            let answer = desk.search(hidden.clone()).await.expect(200);
            assert_eq!(answer.body["results"], json!([]));
        }
        for criteria in [hidden, seen] {
            let refused = desk.search(criteria).await;
            told.push((over(&refused), refused.bytes.clone()));
        }
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[actix_web::test]
async fn two_servers_share_a_budget_and_many_at_once_are_counted_one_by_one() {
    let desk = Desk::new().await;
    let other = desk.index.beside(&[]).await;
    // A busy machine may answer 503, which spends nothing.
    let asks = async |n: usize| {
        let index = if n.is_multiple_of(2) { &desk.index } else { &other };
        let mut statuses = Vec::new();
        while statuses.len() < 10 {
            match index.post(&desk.me, "/v1/children/search", desk.hit()).await.status {
                503 => {}
                status => statuses.push(status),
            }
        }
        statuses
    };
    let statuses = join_all((0..10).map(asks)).await.concat();
    let done = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(done, 60, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 40);
    for index in [&desk.index, &other] {
        over(&index.post(&desk.me, "/v1/children/search", desk.hit()).await);
    }
}

#[actix_web::test]
async fn two_hundred_children_are_opened_in_a_day_each_as_often_as_is_needed() {
    let desk = Desk::new().await;
    let mut children = vec![desk.child.clone()];
    while children.len() < 201 {
        children.push(desk.index.child(desk.scene.authority).await);
    }
    let open = async |child: &Child, rest: &str| desk.index.get(&desk.me, &child.path(rest)).await;
    for child in &children[..200] {
        open(child, "").await.expect(200);
    }
    let refused = open(&children[200], "").await;
    assert!(refused.body.get("indexNumber").is_none());
    over(&open(&children[200], "/carers").await);
    open(&children[0], "").await.expect(200);
    open(&children[199], "/flags").await.expect(200);
    desk.index.get(&desk.me, "/v1/children/48271930566").await.refused(404, "not-found");
    desk.search(desk.hit()).await.expect(200);
    assert_eq!(desk.index.now() + TimeDelta::seconds(over(&refused)), at("2026-11-17T00:00:00Z"));
    desk.waits(refused, || open(&children[200], "")).await;
}

#[actix_web::test]
async fn an_organisation_has_limits_of_its_own_and_emergency_duty_five_times_as_many() {
    let desk = Desk::with_limits(|scene| scene.school, "searches_a_day=2 children_a_day=1").await;
    let another = desk.index.child(desk.scene.authority).await;
    let duty = desk.index.account(Role::PractitionerWithOverride, desk.scene.school).await;
    let elsewhere = desk.index.account(Role::Practitioner, desk.scene.other_school).await;
    for (caller, most) in [(&desk.me, 2), (&duty, 10)] {
        let search = async || desk.index.post(caller, "/v1/children/search", desk.hit()).await;
        for _ in 0..most {
            search().await.expect(200);
        }
        over(&search().await);
    }
    desk.index.get(&desk.me, &desk.child.path("")).await.expect(200);
    over(&desk.index.get(&desk.me, &another.path("")).await);
    for child in [&desk.child, &another] {
        desk.index.get(&duty, &child.path("")).await.expect(200);
        desk.index.get(&elsewhere, &child.path("")).await.expect(200);
    }
}

#[actix_web::test]
async fn all_of_an_organisation_search_and_open_twenty_times_as_much_as_one_may() {
    let desk = Desk::with_limits(|scene| scene.school, "searches_a_day=2 children_a_day=1").await;
    let another = desk.index.child(desk.scene.authority).await;
    let mut last = desk.me.clone();
    for n in 0..20 {
        last = desk.index.account(Role::Practitioner, desk.scene.school).await;
        let child = if n == 0 { &desk.child } else { &another };
        desk.index.get(&last, &child.path("")).await.expect(200);
        for _ in 0..2 {
            desk.index.post(&last, "/v1/children/search", desk.hit()).await.expect(200);
        }
    }
    let elsewhere = desk.index.account(Role::Practitioner, desk.scene.other_school).await;
    let search = async |who| desk.index.post(who, "/v1/children/search", desk.hit()).await;
    let open = async |who, child: &Child| desk.index.get(who, &child.path("")).await;
    let (searched, opened) = (search(&desk.me).await, open(&desk.me, &desk.child).await);
    for refused in [&searched, &opened] {
        assert!(refused.body["detail"].as_str().is_some_and(|told| told.contains("together")));
    }
    open(&last, &another).await.expect(200);
    search(&elsewhere).await.expect(200);
    open(&elsewhere, &desk.child).await.expect(200);
    desk.waits(searched, || search(&desk.me)).await;
    open(&desk.me, &desk.child).await.expect(200);
}

#[actix_web::test]
async fn a_system_has_a_budget_of_matches_of_its_own() {
    let desk = Desk::with_limits(|scene| scene.school, "matches_a_day=3 searches_a_day=1").await;
    let feed = desk.scene.caller(Role::Feed);
    let known = json!({ "names": [{ "given": ["Amy"], "family": desk.child.family }], "dateOfBirth": "2015-03-14" });
    let ask = async || desk.index.post(feed, "/v1/children/match", known.clone()).await;
    for _ in 0..3 {
        ask().await.expect(200);
    }
    let refused = ask().await;
    assert!(refused.body.get("outcome").is_none());
    let other = desk.index.client(Role::Feed, desk.scene.school).await;
    desk.index.post(&other, "/v1/children/match", known.clone()).await.expect(200);
    desk.searches(1).await;
    desk.waits(refused, ask).await;
}

#[test]
fn no_operation_that_tells_of_one_child_goes_uncounted() {
    let tells = |operation: &Operation| {
        operation.method == "GET" && operation.path.starts_with("/v1/children/{indexNumber}")
    };
    for operation in Operation::all().filter(tells) {
        let described = &operation.described["responses"]["429"]["description"];
        assert!(described.to_string().contains("over-budget"), "{}: see src/budget", operation.id);
    }
}

#[actix_web::test]
async fn who_opened_whom_is_forgotten_the_next_day_and_cannot_be_read_before() {
    let desk = Desk::new().await;
    desk.index.get(&desk.me, &desk.child.path("")).await.expect(200);
    let kept: Vec<String> = sqlx::query_scalar("select to_jsonb(o)::text from budget_opening o")
        .fetch_all(&desk.index.db)
        .await
        .unwrap();
    let hidden = [desk.me.id, desk.child.id].map(|id| id.simple().to_string());
    assert_eq!(kept.len(), 1);
    assert!(hidden.iter().all(|id| !kept[0].replace('-', "").contains(id)), "{kept:?}");
    let options = (*desk.index.db.connect_options()).clone();
    let left = async |now: &str| {
        contactpoint::database::tidy(&options, at(now)).await.unwrap();
        let left = sqlx::query_scalar("select count(*) from budget_opening");
        left.fetch_one(&desk.index.db).await.unwrap()
    };
    let days: BTreeSet<i64> = [left("2026-11-16T23:59:59Z").await].into();
    assert_eq!((days, left("2026-11-17T00:00:00Z").await), ([1].into(), 0_i64));
}
