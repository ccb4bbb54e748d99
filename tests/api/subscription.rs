//! Events are sent signed to addresses that answered, until they are answered, and only what may still be told.

use std::{collections::BTreeSet, time::Duration};

use aws_lc_rs::{
    digest,
    signature::{ED25519, UnparsedPublicKey},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, TimeDelta, Utc};
use contactpoint::{
    access::Role,
    audit::ledger::Ledger,
    database::APPLICATION,
    remote::{Poster, Reach},
    subscription::{
        RETRIES,
        task::{Sender, fan_out},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Answer, Answers, Caller, Child, Index, Receiver, Scene, Sent},
    written,
};

/// An index with its scene, a child with whom the scene's school works, and the school's system.
struct Town {
    index: Index,
    scene: Scene,
    child: Child,
    receiver: Receiver,
}

impl Town {
    async fn new() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let child = index.child(scene.authority).await;
        index.involvement(&child, scene.school, "school").await;
        let receiver = Receiver::start(Answers::Status(204));
        Self { index, scene, child, receiver }
    }

    /// One whose subscription is active, with nothing left to be sent; and where the subscription is.
    async fn subscribed() -> (Self, String) {
        let town = Self::new().await;
        assert_eq!(town.told().await, 0, "what changed before is told to nobody");
        let path = town.subscribe().await.expect(201).header("Location").to_owned();
        town.deliver().await;
        town.receiver.sent();
        (town, path)
    }

    fn admin(&self) -> &Caller {
        self.scene.caller(Role::AccountAdministrator)
    }

    async fn subscribe(&self) -> Answer {
        let body = json!({ "target": self.receiver.url() });
        self.index.post(self.admin(), "/v1/subscriptions", body).await
    }

    fn sender(&self) -> Sender {
        let options = (*self.index.db.connect_options()).clone().options([("role", APPLICATION)]);
        Sender {
            ledger: Ledger::new(&options, Index::door().vault.clone()),
            options,
            clock: self.index.clock.clone(),
            issuer: Index::verifier().issuer(),
            poster: Poster::new(Reach::Loopback).within(Duration::from_secs(2)),
        }
    }

    /// Sends what there is to be sent.
    async fn deliver(&self) {
        while self.sender().deliver().await.unwrap() {}
    }

    /// Makes events of all that has changed; how many.
    async fn told(&self) -> i64 {
        let sender = self.sender();
        let mut made = 0;
        for _ in 0..400 {
            made += fan_out(&sender.options, &sender.clock, &sender.ledger).await.unwrap();
            let behind: bool = sqlx::query_scalar(
                "select exists (select from change r, change_cursor c
                                where c.name = 'webhooks' and (r.xid, r.position) > (c.xid, c.position))",
            )
            .fetch_one(&self.index.db)
            .await
            .unwrap();
            if !behind {
                return made;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("somebody writes for 20 seconds");
    }

    /// Changes something of the child that is told.
    async fn change(&self) {
        self.index.carer(&self.child).await;
        assert_eq!(self.told().await, 1);
    }

    async fn open(&self, path: &str) -> Value {
        self.index.get(self.admin(), path).await.expect(200).body
    }

    /// The deliveries of a subscription that are no pings.
    async fn deliveries(&self, path: &str) -> Vec<Value> {
        let listed = self.open(&format!("{path}/deliveries?limit=100")).await;
        let items = listed["items"].as_array().unwrap().clone();
        items.into_iter().filter(|item| item["about"] == "change").collect()
    }

    fn later(&self, by: TimeDelta) {
        self.index.clock.set(self.index.now() + by);
    }
}

/// What was sent, if it is signed by a key that the index publishes, over what RFC 9421 has covered.
async fn verified(index: &Index, url: &str, sent: &Sent) -> Value {
    let digest = STANDARD.encode(digest::digest(&digest::SHA256, &sent.body));
    assert_eq!(sent.headers["content-digest"], format!("sha-256=:{digest}:"));
    let input = &sent.headers["signature-input"];
    let (label, parameters) = input.split_once('=').unwrap();
    let (covered, rest) = parameters[1..].split_once(')').unwrap();
    let members: Vec<_> = rest.split(';').skip(1).collect();
    let of = |name: &str| {
        let begin = format!("{name}=");
        members.iter().find_map(|member| member.strip_prefix(&begin)).unwrap().trim_matches('"')
    };
    assert_eq!(of("alg"), "ed25519");
    let created = DateTime::from_timestamp(of("created").parse().unwrap(), 0).unwrap();
    assert!((index.now() - created).num_seconds().abs() <= 1);
    let mut base = String::new();
    for component in covered.split(' ') {
        let name = component.trim_matches('"');
        let value = match name {
            "@method" => "POST",
            "@target-uri" => url,
            header => &sent.headers[header],
        };
        base.extend([component, ": ", value, "\n"]);
    }
    base.extend(["\"@signature-params\": ", parameters]);
    for needed in ["\"@method\"", "\"@target-uri\"", "\"content-digest\"", "\"content-type\""] {
        assert!(covered.contains(needed), "{covered}");
    }
    let keys = index.request(None, "GET", "/.well-known/jwks.json", (), &[]).await.expect(200);
    let key = keys.body["keys"].as_array().unwrap().iter().find(|key| key["kid"] == of("keyid"));
    let key = URL_SAFE_NO_PAD.decode(key.unwrap()["x"].as_str().unwrap()).unwrap();
    let signature = sent.headers["signature"].strip_prefix(&format!("{label}=:")).unwrap();
    let signature = STANDARD.decode(signature.trim_end_matches(':')).unwrap();
    UnparsedPublicKey::new(&ED25519, key).verify(base.as_bytes(), &signature).unwrap();
    serde_json::from_slice(&sent.body).unwrap()
}

#[actix_web::test]
async fn an_address_is_sent_nothing_but_a_ping_until_it_has_answered_one() {
    let town = Town::new().await;
    town.receiver.answers(Answers::Status(500));
    let made = town.subscribe().await.expect(201);
    let path = made.header("Location");
    assert_eq!((&made.body["status"], made.version()), (&json!("unconfirmed"), 1));
    let details = json!({ "subscription": made.body["id"], "target": town.receiver.url() });
    written::done(&town.index, &made, town.admin(), "subscribe", &[], details).await;
    town.index.carer(&town.child).await;
    assert_eq!(town.told().await, 0);
    town.deliver().await;
    let sent = town.receiver.sent();
    assert_eq!(sent.len(), 1);
    let ping = verified(&town.index, &town.receiver.url(), &sent[0]).await;
    assert_eq!((&ping["type"], &ping["data"]), (&json!("contactpoint.ping"), &json!({})));
    assert_eq!(town.open(path).await["status"], "unconfirmed");
    let refused = town.index.patch(town.admin(), path, 1, json!({ "status": "paused" })).await;
    refused.refused(409, "subscription-unconfirmed");
    town.later(TimeDelta::days(2));
    town.deliver().await;
    assert!(town.receiver.sent().is_empty(), "a ping is sent once");

    town.receiver.answers(Answers::Status(200));
    let key = [("Idempotency-Key", "ping-for-the-town")];
    let ask = || town.index.request(town.admin(), "POST", format!("{path}/pings").leak(), (), &key);
    let [first, again] = [ask().await.expect(201), ask().await.expect(201)];
    assert_eq!(first.body, again.body);
    town.deliver().await;
    assert_eq!(town.receiver.sent().len(), 1);
    let active = town.open(path).await;
    assert_eq!((&active["status"], &active["version"]), (&json!("active"), &json!(2)));
    assert_eq!(town.open(first.header("Location")).await["status"], "delivered");
    town.change().await;
    town.deliver().await;
    assert_eq!(town.receiver.sent().len(), 1);
}

#[actix_web::test]
async fn an_event_is_a_signed_pointer_and_nothing_more() {
    let (town, path) = Town::subscribed().await;
    town.change().await;
    town.deliver().await;
    let sent = town.receiver.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].line, "POST /hook?a=b");
    assert_eq!(sent[0].headers["content-type"], "application/cloudevents+json");
    let mut event = verified(&town.index, &town.receiver.url(), &sent[0]).await;
    let deliveries = town.deliveries(&path).await;
    assert_eq!(event["id"], deliveries[0]["id"]);
    let time: DateTime<Utc> = event["time"].take().as_str().unwrap().parse().unwrap();
    assert!(time > DateTime::UNIX_EPOCH);
    let expected = json!({
        "specversion": "1.0", "id": deliveries[0]["id"], "source": "http://contactpoint.test/v1/changes",
        "type": "contactpoint.child.changed", "time": null, "datacontenttype": "application/json",
        "data": { "indexNumber": town.child.number, "kind": "carers" },
    });
    assert_eq!(event, expected);
    assert_eq!(deliveries[0]["status"], "delivered");
    assert_eq!(deliveries[0]["outcome"], "204");
    assert!(
        !deliveries[0].to_string().contains(&town.child.number),
        "an administrator reads no child"
    );
    let told: Vec<Uuid> = sqlx::query_scalar(
        "select unnest(children) from audit_event where operation = 'send_events' and children <> '{}'",
    )
    .fetch_all(&town.index.db)
    .await
    .unwrap();
    assert_eq!(told, [town.child.id], "that it was told is written down");
    town.later(TimeDelta::days(3));
    town.deliver().await;
    assert!(town.receiver.sent().is_empty(), "once answered it is not sent again");
}

#[actix_web::test]
async fn an_event_is_tried_again_at_its_times_then_dead_and_sent_again_when_asked() {
    let (town, path) = Town::subscribed().await;
    town.change().await;
    let elsewhere = Receiver::start(Answers::Status(200));
    let answers = [
        Answers::Status(500),
        Answers::Redirect(elsewhere.url()),
        Answers::Status(404),
        Answers::Status(301),
        Answers::Status(429),
    ];
    let mut ids = BTreeSet::new();
    for (n, wait) in RETRIES.iter().enumerate() {
        town.receiver.answers(answers[n % answers.len()].clone());
        town.deliver().await;
        let sent = town.receiver.sent();
        assert_eq!(sent.len(), 1, "try {n}");
        let event = verified(&town.index, &town.receiver.url(), &sent[0]).await;
        ids.insert(event["id"].as_str().unwrap().to_owned());
        let delivery = &town.deliveries(&path).await[0];
        assert_eq!(
            (&delivery["status"], &delivery["attempts"]),
            (&json!("waiting"), &json!(n + 1))
        );
        let next: DateTime<Utc> = delivery["nextAt"].as_str().unwrap().parse().unwrap();
        assert_eq!(next, town.index.now() + *wait);
        town.later(*wait - TimeDelta::seconds(1));
        town.deliver().await;
        assert!(town.receiver.sent().is_empty(), "not before its time");
        town.later(TimeDelta::seconds(1));
    }
    town.deliver().await;
    assert_eq!(town.receiver.sent().len(), 1);
    assert_eq!(ids.len(), 1, "the same event each time");
    assert!(elsewhere.sent().is_empty(), "no redirect is followed");
    let dead = &town.deliveries(&path).await[0];
    assert_eq!((&dead["status"], &dead["attempts"]), (&json!("dead"), &json!(10)));
    assert!(dead.get("nextAt").is_none());
    town.later(TimeDelta::days(2));
    town.deliver().await;
    assert!(town.receiver.sent().is_empty(), "dead is dead");

    town.receiver.answers(Answers::Status(202));
    let admin = town.index.account(Role::AccountAdministrator, town.scene.school).await;
    let replay = format!("{path}/deliveries/{}/replay", dead["id"].as_str().unwrap());
    let version = dead["version"].as_i64().unwrap();
    town.index
        .put(&admin, &replay, version - 1, Value::Null)
        .await
        .refused(412, "precondition-failed");
    let again = town.index.put(&admin, &replay, version, Value::Null).await.expect(200);
    assert_eq!(again.body["status"], "waiting");
    let twice = town.index.put(&admin, &replay, again.version(), Value::Null).await;
    twice.refused(409, "delivery-not-replayable");
    town.deliver().await;
    let event: Value = serde_json::from_slice(&town.receiver.sent()[0].body).unwrap();
    assert!(ids.contains(event["id"].as_str().unwrap()), "under the same number");
    assert_eq!(town.deliveries(&path).await[0]["status"], "delivered");
}

#[actix_web::test]
async fn whoever_does_not_answer_is_left_and_holds_nobody_else_up() {
    let (town, path) = Town::subscribed().await;
    town.change().await;
    town.receiver.answers(Answers::Never);
    let other = Receiver::start(Answers::Status(200));
    let body = json!({ "target": other.url() });
    town.index.post(town.admin(), "/v1/subscriptions", body).await.expect(201);
    let (one, two) = (town.sender(), town.sender());
    let (one, two) = tokio::join!(one.deliver(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        two.deliver().await
    });
    assert!(one.unwrap() && two.unwrap());
    assert_eq!(other.sent().len(), 1, "the ping to the other went out meanwhile");
    let delivery = &town.deliveries(&path).await[0];
    assert_eq!(
        (&delivery["status"], &delivery["outcome"]),
        (&json!("waiting"), &json!("no answer in time"))
    );
}

#[actix_web::test]
async fn what_a_worker_took_that_was_killed_is_taken_up_again_and_never_by_two_at_once() {
    let (town, path) = Town::subscribed().await;
    for _ in 0..30 {
        town.change().await;
    }
    let killed = town.sender().take().await.unwrap();
    assert!(killed.is_some());
    assert!(town.sender().take().await.unwrap().is_none(), "another does not take it");
    town.later(TimeDelta::seconds(121));
    let senders: Vec<_> = (0..6).map(|_| town.sender()).collect();
    for _ in 0..4 {
        futures_util::future::join_all(senders.iter().map(Sender::deliver)).await;
    }
    let sent = town.receiver.sent();
    let ids: BTreeSet<_> = sent
        .iter()
        .map(|sent| serde_json::from_slice::<Value>(&sent.body).unwrap()["id"].to_string())
        .collect();
    assert_eq!((sent.len(), ids.len()), (30, 30), "each once");
    // What the killed one still does under its number is the same event.
    town.sender().send(&killed.unwrap()).await.unwrap();
    let late = town.receiver.sent();
    assert_eq!(late.len(), 20);
    for sent in late {
        let event: Value = serde_json::from_slice(&sent.body).unwrap();
        assert!(ids.contains(&event["id"].to_string()));
    }
    assert!(town.deliveries(&path).await.iter().all(|delivery| delivery["status"] == "delivered"));
}

#[actix_web::test]
async fn what_may_not_be_told_any_more_is_not_sent() {
    let (town, path) = Town::subscribed().await;
    town.change().await;
    town.index.shield(&town.child).await;
    town.told().await;
    town.deliver().await;
    let kinds: Vec<_> = town
        .receiver
        .sent()
        .iter()
        .map(|sent| serde_json::from_slice::<Value>(&sent.body).unwrap()["data"]["kind"].take())
        .collect();
    assert_eq!(kinds, ["withdrawn"], "neither what came before nor why");
    let mut statuses: Vec<_> = town
        .deliveries(&path)
        .await
        .iter()
        .map(|delivery| delivery["status"].as_str().unwrap().to_owned())
        .collect();
    statuses.sort();
    assert_eq!(statuses, ["delivered", "dropped"]);

    let (town, _) = Town::subscribed().await;
    town.index.involvement(&town.child, town.scene.other_school, "school").await;
    town.told().await;
    let ended = "update involvement set ended_on = '2026-11-16' where organisation_id = $1";
    sqlx::query(ended).bind(town.scene.school.id).execute(&town.index.db).await.unwrap();
    town.told().await;
    town.index.carer(&town.child).await;
    assert_eq!(town.told().await, 0, "it works with the child no more");
    town.deliver().await;
    let sent = town.receiver.sent();
    assert_eq!(sent.len(), 1, "its own end alone");
}

#[actix_web::test]
async fn others_organisations_are_not_told_and_nobody_while_everything_or_theirs_is_stopped() {
    let (town, _) = Town::subscribed().await;
    let foreign = town.index.child(town.scene.other_authority).await;
    town.index.involvement(&foreign, town.scene.other_school, "school").await;
    assert_eq!(town.told().await, 0);
    town.change().await;
    for (stop, go) in [
        ("insert into stop (since, by) values (now(), gen_random_uuid())", "delete from stop"),
        (
            "update organisation set status = 'suspended' where urn = '900001'",
            "update organisation set status = 'accredited' where urn = '900001'",
        ),
    ] {
        sqlx::query(stop).execute(&town.index.db).await.unwrap();
        town.deliver().await;
        assert!(town.receiver.sent().is_empty(), "{stop}");
        sqlx::query(go).execute(&town.index.db).await.unwrap();
    }
    town.deliver().await;
    assert_eq!(town.receiver.sent().len(), 1);
}

#[actix_web::test]
async fn events_are_kept_while_a_subscription_is_paused_or_moves_and_forgotten_when_it_ends() {
    let (town, path) = Town::subscribed().await;
    let admin = town.admin();
    let paused = town.index.patch(admin, &path, 2, json!({ "status": "paused" })).await.expect(200);
    assert_eq!((&paused.body["status"], paused.version()), (&json!("paused"), 3));
    town.change().await;
    town.deliver().await;
    assert!(town.receiver.sent().is_empty());

    let moved = Receiver::start(Answers::Status(503));
    let body = json!({ "target": moved.url() });
    let body = town.index.patch(admin, &path, 3, body).await.expect(200).body;
    assert_eq!(body["status"], "unconfirmed");
    town.change().await;
    town.deliver().await;
    assert_eq!(moved.sent().len(), 1, "the ping alone");
    moved.answers(Answers::Status(204));
    town.index.post(admin, &format!("{path}/pings"), Value::Null).await.expect(201);
    town.deliver().await;
    assert_eq!(moved.sent().len(), 3, "a ping, and what was kept");
    assert!(town.receiver.sent().is_empty(), "nothing to the old address");

    let version = town.open(&path).await["version"].as_i64().unwrap();
    town.change().await;
    town.index.delete(admin, &path, version - 1).await.refused(412, "precondition-failed");
    let rest = town.index.delete(admin, &path, version).await.expect(200);
    assert_eq!(rest.body["items"], json!([]));
    town.deliver().await;
    assert!(moved.sent().is_empty());
    town.index.get(admin, &path).await.refused(404, "not-found");
}

#[actix_web::test]
async fn no_address_of_our_own_network_is_taken_or_sent_to() {
    let (town, path) = Town::subscribed().await;
    for (target, pointer) in [
        ("http://hooks.example.org/", "/target"),
        ("https://169.254.169.254/latest", "/target"),
        ("https://localhost/", "/target"),
        ("https://hooks.example.org:8443/", "/target"),
        ("https://user:word@hooks.example.org/", "/target"),
        ("https://[::1]/", "/target"),
        ("http://10.0.0.1/", "/target"),
        ("ftp://hooks.example.org/", "/target"),
        ("", "/target"),
    ] {
        let body = json!({ "target": target });
        let refused = town.index.post(town.admin(), "/v1/subscriptions", body.clone()).await;
        assert_eq!(refused.refused(422, "invalid-value").pointers(), [pointer], "{target}");
        let refused = town.index.patch(town.admin(), &path, 2, body).await;
        assert_eq!(refused.refused(422, "invalid-value").pointers(), [pointer], "{target}");
    }
    // What was taken when it could be reached is looked at again whenever something is sent.
    town.change().await;
    let mut sender = town.sender();
    sender.poster = Poster::new(Reach::Public);
    assert!(sender.deliver().await.unwrap());
    assert!(town.receiver.sent().is_empty());
    assert_eq!(town.deliveries(&path).await[0]["outcome"], "the address is refused");
}

#[actix_web::test]
async fn an_organisation_has_ten_subscriptions_at_most_and_sees_its_own_alone() {
    let town = Town::new().await;
    let others = town.index.account(Role::AccountAdministrator, town.scene.other_school).await;
    let mut answers = Vec::new();
    for _ in 0..9 {
        answers.push(town.subscribe().await);
    }
    let (one, two) = futures_util::future::join(town.subscribe(), town.subscribe()).await;
    answers.extend([one, two, town.subscribe().await]);
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 10);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((refused.status, refused.problem()), (409, "too-many-subscriptions"));
    }
    let path = made[0].header("Location");
    assert_eq!(town.open("/v1/subscriptions").await["items"].as_array().unwrap().len(), 10);
    let none = town.index.get(&others, "/v1/subscriptions").await.expect(200);
    assert_eq!(none.body["items"], json!([]));
    let delivery = town.open(&format!("{path}/deliveries")).await["items"][0]["id"].take();
    let delivery = delivery.as_str().unwrap();
    for hidden in
        [path.to_owned(), format!("{path}/deliveries"), format!("{path}/deliveries/{delivery}")]
    {
        town.index.get(&others, &hidden).await.refused(404, "not-found");
    }
    let elsewhere = made[1].header("Location");
    let mixed = format!("{elsewhere}/deliveries/{delivery}");
    town.index.get(town.admin(), &mixed).await.refused(404, "not-found");
    town.index
        .patch(&others, path, 1, json!({ "status": "paused" }))
        .await
        .refused(404, "not-found");
    town.index.delete(&others, path, 1).await.refused(404, "not-found");
    let both = json!({ "status": "paused", "target": town.receiver.url() });
    let refused = town.index.patch(town.admin(), path, 1, both).await;
    assert_eq!(refused.refused(422, "invalid-value").pointers(), ["/status"]);
    let refused = town.index.patch(town.admin(), path, 1, json!({})).await;
    assert_eq!(refused.refused(422, "invalid-value").pointers(), [""]);
}
