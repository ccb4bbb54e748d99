//! A record is handed over by two authorities, and the duty moves only when the other accepts.

use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Caller, Child, Index, Scene},
    written,
};

/// Two authorities with a steward each, and a child for whom the first answers.
struct Two {
    index: Index,
    scene: Scene,
    from: Caller,
    to: Caller,
    child: Child,
}

impl Two {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let from = scene.caller(Role::Steward).clone();
        let to = index.caller(Role::Steward, scene.other_authority).await;
        let child = index.child(scene.authority).await;
        Self { index, scene, from, to, child }
    }

    async fn ask(&self, by: &Caller) -> Answer {
        self.index.post(by, &self.child.path("/transfers"), json!({ "to": "888" })).await
    }

    /// Offers, and tells the path of the offer.
    async fn offer(&self) -> String {
        self.ask(&self.from).await.expect(201).header("Location").to_owned()
    }

    async fn answer(&self, offer: &str, version: i64, answer: Value) -> Answer {
        self.index.put(&self.to, &format!("{offer}/answer"), version, answer).await
    }

    async fn decline(&self, offer: &str) {
        let declined = json!({ "answer": "declined", "ground": "livesElsewhere" });
        self.answer(offer, 1, declined).await.expect(200);
    }

    async fn dispute(&self, offer: &str, version: i64) -> Answer {
        let ground = json!({ "ground": "livesThere" });
        self.index.put(&self.from, &format!("{offer}/dispute"), version, ground).await
    }

    async fn withdraw(&self, offer: &str, version: i64) -> Answer {
        self.index.put(&self.from, &format!("{offer}/withdrawal"), version, Value::Null).await
    }

    async fn responsible(&self) -> Uuid {
        let found = "select responsible_authority_id from child where child_id = $1";
        sqlx::query_scalar(found).bind(self.child.id).fetch_one(&self.index.db).await.unwrap()
    }

    /// The kinds of what a caller is told.
    async fn told(&self, by: &Caller) -> Vec<Value> {
        let notices = self.index.get(by, "/v1/notices").await.expect(200);
        let items = notices.body["items"].as_array().unwrap().iter();
        let mut kinds: Vec<_> = items.map(|notice| notice["kind"].clone()).collect();
        kinds.sort_by_key(ToString::to_string);
        kinds
    }
}

fn accepted() -> Value {
    json!({ "answer": "accepted" })
}

#[actix_web::test]
async fn the_duty_moves_when_the_other_authority_accepts_and_not_before() {
    let two = Two::new().await;
    let before = two.index.get(&two.from, &two.child.path("")).await.expect(200);
    let offered = two.ask(&two.from).await.expect(201);
    let offer = offered.header("Location").to_owned();
    assert_eq!((&offered.body["status"], offered.version()), (&json!("offered"), 1));
    assert_eq!(offered.body["to"]["code"], "888");
    assert_eq!(two.responsible().await, two.scene.authority.id);
    assert_eq!(two.told(&two.to).await, ["transferOffered"]);
    assert_eq!(two.told(&two.from).await, Vec::<Value>::new());
    two.index
        .patch(&two.to, &two.child.path(""), 1, json!({ "gender": "male" }))
        .await
        .refused(403, "forbidden");

    let answer = two.answer(&offer, 1, accepted()).await.expect(200);
    assert_eq!((&answer.body["status"], answer.version()), (&json!("accepted"), 2));
    let details = json!({ "transfer": answer.body["id"], "status": "accepted" });
    written::done(&two.index, &answer, &two.to, "answer_transfer", &[&two.child], details).await;
    assert_eq!(two.responsible().await, two.scene.other_authority.id);
    assert_eq!(two.told(&two.from).await, ["transferAnswered"]);

    let after = two.index.get(&two.to, &two.child.path("")).await.expect(200);
    assert_eq!(after.body["responsibleAuthority"]["code"], "888");
    assert_eq!(after.version(), before.version() + 1, "the record has changed");
    two.index
        .patch(&two.from, &two.child.path(""), 2, json!({ "gender": "male" }))
        .await
        .refused(403, "forbidden");
    let history = two.index.get(&two.to, &two.child.path("/history")).await.expect(200);
    let items = history.body["items"].as_array().unwrap();
    let child = items.iter().find(|item| item["fact"] == "child").unwrap();
    assert!(child.to_string().contains(&two.scene.authority.id.to_string()), "{child:#}");
}

#[actix_web::test]
async fn a_decline_moves_nothing_may_be_disputed_and_a_disputed_offer_only_accepted_or_taken_back()
{
    let two = Two::new().await;
    let offer = two.offer().await;
    two.decline(&offer).await;
    assert_eq!(two.responsible().await, two.scene.authority.id);
    two.answer(&offer, 2, accepted()).await.refused(409, "transfer-ended");
    two.withdraw(&offer, 2).await.refused(409, "transfer-ended");

    let disputed = two.dispute(&offer, 2).await.expect(200);
    assert_eq!(disputed.body["declineGround"], "livesElsewhere");
    assert_eq!(disputed.body["disputeGround"], "livesThere");
    assert_eq!(two.told(&two.to).await, ["transferDisputed", "transferOffered"]);
    let again = json!({ "answer": "declined", "ground": "courtOrder" });
    two.answer(&offer, 3, again).await.refused(409, "transfer-ended");
    two.dispute(&offer, 3).await.refused(409, "transfer-ended");
    two.answer(&offer, 3, accepted()).await.expect(200);
    assert_eq!(two.responsible().await, two.scene.other_authority.id);
    assert_eq!(two.told(&two.from).await, ["transferAnswered", "transferSettled"]);
    two.withdraw(&offer, 4).await.refused(409, "transfer-ended");
}

#[actix_web::test]
async fn an_offer_is_taken_back_while_it_waits_or_is_disputed() {
    let two = Two::new().await;
    let offer = two.offer().await;
    let withdrawn = two.withdraw(&offer, 1).await.expect(200);
    assert_eq!(withdrawn.body["status"], "withdrawn");
    two.answer(&offer, 2, accepted()).await.refused(409, "transfer-ended");
    two.dispute(&offer, 2).await.refused(409, "transfer-ended");

    let offer = two.offer().await;
    two.decline(&offer).await;
    two.dispute(&offer, 2).await.expect(200);
    two.withdraw(&offer, 3).await.expect(200);
    assert_eq!(two.responsible().await, two.scene.authority.id);
}

#[actix_web::test]
async fn a_record_has_one_open_offer() {
    let two = Two::new().await;
    let first = two.offer().await;
    two.ask(&two.from).await.refused(409, "transfer-open");
    two.decline(&first).await;
    let second = two.offer().await;
    two.dispute(&first, 2).await.refused(409, "transfer-open");
    two.answer(&second, 1, accepted()).await.expect(200);
    two.dispute(&first, 2).await.refused(409, "transfer-ended");
}

#[actix_web::test]
async fn two_offers_at_once_make_one() {
    let two = Two::new().await;
    let (one, other) = tokio::join!(two.ask(&two.from), two.ask(&two.from));
    let (made, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    made.expect(201);
    refused.refused(409, "transfer-open");
    assert_eq!(two.index.rows().await["transfer"], 1);
}

#[actix_web::test]
async fn an_offer_repeated_with_its_key_is_made_once() {
    let two = Two::new().await;
    let (path, key) = (two.child.path("/transfers"), [("Idempotency-Key", "transfer-1")]);
    let ask = async || {
        two.index.request(&two.from, "POST", &path, json!({ "to": "888" }), &key).await.expect(201)
    };
    let (first, again) = (ask().await, ask().await);
    assert_eq!(again.bytes, first.bytes);
    assert_eq!(two.index.rows().await["transfer"], 1);
    assert_eq!(two.told(&two.to).await, ["transferOffered"]);
}

#[actix_web::test]
async fn of_two_answers_at_once_and_of_an_answer_and_a_withdrawal_one_is_done() {
    let two = Two::new().await;
    for round in 0..3 {
        let offer = two.offer().await;
        let decline = json!({ "answer": "declined", "ground": "livesElsewhere" });
        let (one, other) =
            tokio::join!(two.answer(&offer, 1, decline.clone()), two.answer(&offer, 1, decline));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}");
    }
    let offer = two.offer().await;
    let (answered, withdrawn) =
        tokio::join!(two.answer(&offer, 1, accepted()), two.withdraw(&offer, 1));
    assert_eq!(
        [answered.status, withdrawn.status].iter().filter(|status| **status == 200).count(),
        1
    );
    let moved = two.responsible().await == two.scene.other_authority.id;
    assert_eq!(moved, answered.status == 200);
}

#[actix_web::test]
async fn each_step_is_for_the_stewards_of_its_authority_and_others_find_no_offer() {
    let two = Two::new().await;
    two.ask(&two.to).await.refused(403, "forbidden");
    let offer = two.offer().await;
    let put = async |by: &Caller, step: &str, body: Value| {
        two.index.put(by, &format!("{offer}/{step}"), 1, body).await
    };
    put(&two.from, "answer", accepted()).await.refused(403, "forbidden");
    put(&two.to, "withdrawal", Value::Null).await.refused(403, "forbidden");
    put(&two.to, "dispute", json!({ "ground": "stays" })).await.refused(403, "forbidden");

    let third = two.index.authority().await;
    let third = two.index.caller(Role::Steward, third).await;
    let unknown = format!("/v1/transfers/{}", Uuid::new_v4());
    for path in [&offer, &unknown] {
        two.index.get(&third, path).await.refused(404, "not-found");
        two.index
            .put(&third, &format!("{path}/answer"), 1, accepted())
            .await
            .refused(404, "not-found");
    }
    for (by, count) in [(&two.from, 1), (&two.to, 1), (&third, 0)] {
        let list = two.index.get(by, "/v1/transfers?status=offered").await.expect(200);
        assert_eq!(list.body["items"].as_array().unwrap().len(), count);
    }
    let approver = two.scene.caller(Role::ShieldApprover);
    two.index.get(approver, &offer).await.refused(403, "forbidden");
    two.index.get(&two.from, &offer).await.expect(200);
}

#[actix_web::test]
async fn an_offer_goes_to_another_authority_that_there_is_of_a_record_in_use() {
    let two = Two::new().await;
    let path = two.child.path("/transfers");
    let own: String =
        sqlx::query_scalar("select authority_code from organisation where organisation_id = $1")
            .bind(two.scene.authority.id)
            .fetch_one(&two.index.db)
            .await
            .unwrap();
    for to in [own.as_str(), "999", "88", "abc"] {
        let answer = two.index.post(&two.from, &path, json!({ "to": to })).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/to"], "{to}");
    }
    let offer = two.offer().await;
    for body in
        [json!({ "answer": "declined" }), json!({ "answer": "accepted", "ground": "courtOrder" })]
    {
        assert_eq!(
            two.answer(&offer, 1, body).await.refused(422, "invalid-value").pointers(),
            ["/ground"]
        );
    }
    two.answer(&offer, 7, accepted()).await.refused(412, "precondition-failed");

    two.index.clock.set("2030-01-01T00:00:00Z".parse().unwrap());
    sqlx::query("update child set archives_on = '2030-01-01' where child_id = $1")
        .bind(two.child.id)
        .execute(&two.index.db)
        .await
        .unwrap();
    for by in [&two.from, &two.to] {
        two.index.get(by, &offer).await.refused(404, "not-found");
        let list = two.index.get(by, "/v1/transfers").await.expect(200);
        assert_eq!(list.body["items"], json!([]));
    }
    two.answer(&offer, 1, accepted()).await.refused(404, "not-found");
    two.withdraw(&offer, 1).await.refused(404, "not-found");
}

#[actix_web::test]
async fn under_a_shield_the_sight_and_what_is_to_be_decided_go_over_with_the_duty() {
    let two = Two::new().await;
    let approver_here = two.scene.caller(Role::ShieldApprover);
    let approver_there = two.index.caller(Role::ShieldApprover, two.scene.other_authority).await;
    let teacher = two.scene.caller(Role::Practitioner);
    let asking = two.child.path("/shield-requests");
    let emergency = json!({ "ground": "threatToLife", "emergency": true });
    let emergency = two.index.post(teacher, &asking, emergency).await.expect(201);
    let asked = json!({ "ground": "courtOrder", "emergency": false });
    let asked = two.index.post(teacher, &asking, asked).await.expect(201);
    let sees = async |by: &Caller| {
        let record = two.index.get(by, &two.child.path("")).await.expect(200);
        record.body.get("whereabouts").is_some()
    };
    assert_eq!((sees(approver_here).await, sees(&approver_there).await), (true, false));
    assert_eq!(two.told(&approver_there).await, Vec::<Value>::new());

    let offered = two.ask(&two.from).await.expect(201);
    two.answer(offered.header("Location"), 1, accepted()).await.expect(200);
    assert_eq!((sees(approver_here).await, sees(&approver_there).await), (false, true));
    assert!(!sees(&two.from).await && !sees(&two.to).await, "stewards do not see past a shield");
    assert_eq!(two.told(&approver_there).await, ["emergencyShield", "shieldAsked"]);
    for path in [emergency.header("Location"), asked.header("Location")] {
        two.index.get(approver_here, path).await.refused(404, "not-found");
        let request = two.index.get(&approver_there, path).await.expect(200);
        let approved = json!({ "decision": "approved" });
        let decision = format!("{path}/decision");
        two.index
            .put(approver_here, &decision, request.version(), approved.clone())
            .await
            .refused(404, "not-found");
        two.index.put(&approver_there, &decision, request.version(), approved).await.expect(200);
    }
    two.index.get(approver_here, &two.child.path("/shield")).await.refused(403, "forbidden");
    two.index.get(&approver_there, &two.child.path("/shield")).await.expect(200);
}

#[actix_web::test]
async fn an_authority_that_takes_a_record_over_is_told_to_look_at_whom_it_resembles() {
    let two = Two::new().await;
    let teacher = two.scene.caller(Role::Practitioner);
    let emergency = json!({ "ground": "threatToLife", "emergency": true });
    two.index.post(teacher, &two.child.path("/shield-requests"), emergency).await.expect(201);
    let twin = json!({
        "names": [{ "kind": "current", "given": ["Amy"], "family": two.child.family }], "dateOfBirth": "2015-03-14",
        "gender": "female", "whereabouts": { "kind": "noneKnown" }, "distinctFrom": [two.child.number],
    });
    let twin = two.index.post(teacher, "/v1/children", twin).await.expect(201);
    let transfers = format!("{}/transfers", twin.header("Location"));
    let offer = two.index.post(&two.from, &transfers, json!({ "to": "888" })).await.expect(201);
    two.answer(offer.header("Location"), 1, accepted()).await.expect(200);
    let approver = two.index.caller(Role::ShieldApprover, two.scene.other_authority).await;
    let notices = two.index.get(&approver, "/v1/notices").await.expect(200);
    let notice = &notices.body["items"][0];
    assert_eq!(
        (&notice["kind"], &notice["dueOn"]),
        (&json!("resemblesShielded"), &json!("2026-11-23"))
    );
    two.index.get(&approver, notice["about"].as_str().unwrap()).await.expect(200);
}
