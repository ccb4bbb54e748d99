//! Who may see and set how much those of an organisation may look for.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller, Child, Index, Scene},
    written,
};

/// An index with the limits that it is shipped with, and the path of the budget of the scene's school.
struct Office {
    index: Index,
    scene: Scene,
    child: Child,
    path: String,
}

impl Office {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let child = index.child(scene.authority).await;
        let shipped = "update budget set searches_an_hour = 60, searches_a_day = 300, misses_in_a_row = 20, pause_minutes = 10,
                           children_a_day = 200, matches_a_day = 432000";
        sqlx::query(shipped).execute(&index.db).await.unwrap();
        let path = format!("/v1/organisations/{}/budget", scene.school.id);
        Self { index, scene, child, path }
    }

    async fn set(&self, by: Role, version: i64, own: Value) -> Answer {
        self.index.put(self.scene.caller(by), &self.path, version, own).await
    }

    async fn searches(&self, by: &Caller) -> Answer {
        let who = json!({ "name": { "given": ["Amy"], "family": self.child.family }, "dateOfBirth": "2015-03-14" });
        self.index.post(by, "/v1/children/search", who).await
    }
}

#[actix_web::test]
async fn an_administrator_makes_it_tighter_and_the_operator_wider_and_it_holds_from_the_next_look()
{
    let office = Office::new().await;
    let [teacher, administrator] =
        [Role::Practitioner, Role::AccountAdministrator].map(|role| office.scene.caller(role));
    let shipped = office.index.get(administrator, &office.path).await.expect(200);
    let every = json!({ "searchesAnHour": 60, "searchesADay": 300, "missesInARow": 20, "pauseMinutes": 10,
                        "childrenADay": 200, "matchesADay": 432_000 });
    let told = json!({ "organisationId": office.scene.school.id, "own": {}, "every": every, "limits": every, "version": 1 });
    assert_eq!((shipped.version(), &shipped.body), (1, &told));

    office.searches(teacher).await.expect(200);
    let set = office
        .set(Role::AccountAdministrator, 1, json!({ "searchesAnHour": 2, "pauseMinutes": 30 }))
        .await
        .expect(200);
    assert_eq!((set.version(), &set.body["every"]), (2, &every));
    let limits =
        ["searchesAnHour", "searchesADay", "pauseMinutes"].map(|name| &set.body["limits"][name]);
    assert_eq!(limits, [2, 300, 30]);
    let own = json!({ "searchesAnHour": 2, "pauseMinutes": 30 });
    let details = json!({ "organisation": office.scene.school.id, "own": own, "version": 2 });
    written::done(&office.index, &set, administrator, "set_budget", &[], details).await;
    office.searches(teacher).await.expect(200);
    office.searches(teacher).await.refused(429, "over-budget");
    let elsewhere = office.index.account(Role::Practitioner, office.scene.other_school).await;
    for _ in 0..3 {
        office.searches(&elsewhere).await.expect(200);
    }

    let set = office.set(Role::Operator, 2, json!({ "searchesAnHour": 600 })).await.expect(200);
    assert_eq!(
        set.body["own"],
        json!({ "searchesAnHour": 600 }),
        "what is left out is not its own"
    );
    office.searches(teacher).await.expect(200);
    let read =
        office.index.get(office.scene.caller(Role::Operator), &office.path).await.expect(200);
    assert_eq!((read.version(), &read.body), (3, &set.body));
    written::done(
        &office.index,
        &read,
        office.scene.caller(Role::Operator),
        "open_budget",
        &[],
        json!({ "organisation": office.scene.school.id }),
    )
    .await;
}

#[actix_web::test]
async fn nothing_is_made_wider_but_by_the_operator() {
    let office = Office::new().await;
    let tight = json!({ "searchesAnHour": 10, "searchesADay": 50, "missesInARow": 5, "pauseMinutes": 60,
                        "childrenADay": 20, "matchesADay": 1000 });
    office.set(Role::AccountAdministrator, 1, tight.clone()).await.expect(200);
    let wider = [
        ("searchesAnHour", 11),
        ("searchesADay", 51),
        ("missesInARow", 6),
        ("pauseMinutes", 59),
        ("childrenADay", 21),
        ("matchesADay", 1001),
    ];
    for (limit, value) in wider {
        let mut own = tight.clone();
        own[limit] = json!(value);
        let refused = office.set(Role::AccountAdministrator, 2, own.clone()).await;
        assert_eq!(refused.refused(422, "invalid-value").pointers(), [format!("/{limit}")]);
        own.as_object_mut().unwrap().remove(limit);
        let refused = office.set(Role::AccountAdministrator, 2, own).await;
        assert_eq!(
            refused.refused(422, "invalid-value").pointers(),
            [format!("/{limit}")],
            "left out"
        );
    }
    let same = office.set(Role::AccountAdministrator, 2, tight).await.expect(200);
    assert_eq!(same.version(), 2, "nothing has changed");
    for (n, (limit, value)) in (2..).zip(wider) {
        office.set(Role::Operator, n, json!({ limit: value })).await.expect(200);
    }
}

#[actix_web::test]
async fn each_limit_has_its_bounds_and_nothing_else_is_read() {
    let office = Office::new().await;
    for (limit, most) in [
        ("searchesAnHour", 600),
        ("searchesADay", 3000),
        ("missesInARow", 200),
        ("pauseMinutes", 1440),
        ("childrenADay", 2000),
        ("matchesADay", 4_320_000),
    ] {
        for value in [-1, 0, most + 1] {
            let refused = office.set(Role::Operator, 1, json!({ limit: value })).await;
            assert_eq!(refused.refused(422, "invalid-value").pointers(), [format!("/{limit}")]);
        }
        let pointer = format!("/{limit}");
        for value in [json!(null), json!("5"), json!(1.5), json!(3_000_000_000_i64)] {
            let refused = office.set(Role::Operator, 1, json!({ limit: value })).await;
            assert_eq!(
                (refused.status, refused.pointers()),
                (422, vec![pointer.as_str()]),
                "{limit} {value}"
            );
        }
    }
    office
        .set(Role::Operator, 1, json!({ "organisationId": 1 }))
        .await
        .refused(422, "unknown-property");
    let own: i64 =
        sqlx::query_scalar("select count(*) from budget where organisation_id is not null")
            .fetch_one(&office.index.db)
            .await
            .unwrap();
    assert_eq!(own, 0, "nothing was written");
}

#[actix_web::test]
async fn it_is_set_upon_its_version_after_a_fresh_sign_in_and_by_one_of_many_at_once() {
    let office = Office::new().await;
    let operator = office.scene.caller(Role::Operator);
    let own = json!({ "searchesAnHour": 90 });
    let headers = [("If-Match", "")];
    office
        .index
        .request(operator, "PUT", &office.path, own.clone(), &headers)
        .await
        .refused(428, "precondition-required");
    office.set(Role::Operator, 2, own.clone()).await.refused(412, "precondition-failed");
    for version in [1, 2] {
        let at_once = (0..6).map(|n| {
            office.set(Role::Operator, version, json!({ "searchesAnHour": 90 + 10 * version + n }))
        });
        let statuses: Vec<_> = join_all(at_once).await.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 5, "{statuses:?}");
    }
    let token = format!("Bearer {}", office.index.token(operator));
    office.index.clock.set(office.index.now() + chrono::TimeDelta::seconds(301));
    let headers = [("Authorization", token.as_str()), ("If-Match", "\"3\"")];
    let stale = office.index.request(None, "PUT", &office.path, own, &headers).await;
    stale.refused(401, "step-up-required");
    office.index.request(None, "GET", &office.path, (), &headers[..1]).await.expect(200);
}

#[actix_web::test]
async fn an_administrator_reaches_their_own_organisations_alone() {
    let office = Office::new().await;
    let stranger =
        office.index.account(Role::AccountAdministrator, office.scene.other_school).await;
    let council = office.index.account(Role::AccountAdministrator, office.scene.authority).await;
    for by in [&stranger, &council] {
        office.index.get(by, &office.path).await.refused(403, "forbidden");
        let set = office.index.put(by, &office.path, 1, json!({ "searchesAnHour": 1 })).await;
        set.refused(403, "forbidden");
    }
    let nowhere = format!("/v1/organisations/{}/budget", uuid::Uuid::new_v4());
    office.index.get(&stranger, &nowhere).await.refused(404, "not-found");
    office.index.put(&stranger, &nowhere, 1, json!({})).await.refused(404, "not-found");
}
