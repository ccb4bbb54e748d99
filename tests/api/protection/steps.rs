//! What may happen to a child.

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{canary, city::City};
use crate::{
    harness::{Answer, Caller, Child},
    parts::{amy, with},
};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Amend,
    Rename,
    AddCarer,
    ChangeCarer,
    EndCarer,
    Begin,
    Confirm,
    Flag,
    Double,
    Judge,
    Transfer,
    Archive,
    AskForShield,
    Decide,
    Review,
    Close,
    Sensitive,
    Withdraw,
    AskForContact,
    Forward,
    Repeat,
}

impl Step {
    pub(super) const ALL: [Self; 21] = [
        Self::Amend,
        Self::Rename,
        Self::AddCarer,
        Self::ChangeCarer,
        Self::EndCarer,
        Self::Begin,
        Self::Confirm,
        Self::Flag,
        Self::Double,
        Self::Judge,
        Self::Transfer,
        Self::Archive,
        Self::AskForShield,
        Self::Decide,
        Self::Review,
        Self::Close,
        Self::Sensitive,
        Self::Withdraw,
        Self::AskForContact,
        Self::Forward,
        Self::Repeat,
    ];
}

impl City {
    /// Has something happen to a child; says whether it did. Whoever does it is told nothing that is hidden from them either.
    pub(super) async fn take(
        &mut self,
        step: Step,
        kid: usize,
        chance: &mut ChaCha8Rng,
        said: &str,
    ) -> bool {
        let child = self.kids[kid].clone();
        let answer = match step {
            Step::Amend | Step::Rename => self.amend(step, &child, kid, chance).await,
            Step::AddCarer | Step::ChangeCarer | Step::EndCarer => {
                self.care(step, &child, chance).await
            }
            Step::Begin | Step::Confirm | Step::Flag => self.work(step, &child, chance).await,
            Step::Double => self.double(&child).await,
            Step::Judge | Step::Decide | Step::Review | Step::Close => {
                self.decide(step, &child, chance).await
            }
            Step::Transfer => self.transfer(&child).await,
            Step::Archive => self.archive(&child, kid, chance, said).await,
            Step::AskForShield => {
                let body =
                    json!({ "ground": "domesticAbuse", "emergency": chance.random_bool(0.5) });
                self.made(&self.teacher, &child.path("/shield-requests"), body).await
            }
            Step::Sensitive | Step::Withdraw => self.care_for(step, &child, chance).await,
            Step::AskForContact | Step::Forward => self.contact(step, &child, chance).await,
            Step::Repeat => self.repeat(chance).await,
        };
        let Some((by, answer)) = answer else { return false };
        assert!(answer.status < 500, "{said}: {:#}", answer.body);
        if let Some(path) =
            Some(answer.header("Location")).filter(|path| answer.status == 201 && !path.is_empty())
        {
            self.paths.push(path.to_owned());
        }
        self.hides(&by, "", &answer, said);
        answer.status < 300
    }

    async fn made(&self, by: &Caller, path: &str, body: Value) -> Option<(Caller, Answer)> {
        Some((by.clone(), self.ask(by, path, body).await))
    }

    async fn changed(&self, by: &Caller, path: &str, body: Value) -> Option<(Caller, Answer)> {
        Some((by.clone(), self.patch(by, path, body).await?))
    }

    /// Puts something to what is at a path, in the version in which this caller sees it.
    async fn put(
        &self,
        by: &Caller,
        path: &str,
        what: &str,
        body: Value,
    ) -> Option<(Caller, Answer)> {
        let version = self.version(by, path).await?;
        Some((by.clone(), self.index.put(by, &format!("{path}{what}"), version, body).await))
    }

    async fn amend(
        &mut self,
        step: Step,
        child: &Child,
        kid: usize,
        chance: &mut ChaCha8Rng,
    ) -> Option<(Caller, Answer)> {
        let n = self.next();
        let news = if step == Step::Rename {
            let name = |kind: &str, given: &str| json!({ "kind": kind, "given": [given], "family": child.family });
            json!({ "names": [name("current", "Amy"), name("knownAs", ["Zoe", "Mia"][n % 2])] })
        } else {
            match chance.random_range(0..4) {
                0 => with(json!({}), "gender", json!(["female", "male", "notSpecified"][n % 3])),
                1 => with(
                    json!({}),
                    "withoutService",
                    json!(&["school", "generalPractice"][n % 2..][..1]),
                ),
                2 => json!({ "identifiers": [{ "kind": "nhsNumber", "value": canary::nhs(kid) }] }),
                _ => json!({ "whereabouts": self.whereabouts() }),
            }
        };
        let steward = self.answers_for(child).await.0.steward.clone();
        self.changed(&steward, &child.path(""), news).await
    }

    async fn care(
        &mut self,
        step: Step,
        child: &Child,
        chance: &mut ChaCha8Rng,
    ) -> Option<(Caller, Answer)> {
        let carer = self.carer();
        let by = self.answers_for(child).await.0.steward.clone();
        let carers = child.path("/carers");
        let held = self.index.get(&by, &carers).await;
        let held = held.body["items"].as_array().cloned().unwrap_or_default();
        if step == Step::AddCarer {
            return if held.len() < 4 { self.made(&by, &carers, carer).await } else { None };
        }
        let one = held.choose(chance)?;
        let path = format!("{carers}/{}", one["id"].as_str()?);
        let version = one["version"].as_i64()?;
        if step == Step::EndCarer {
            return Some((by.clone(), self.index.delete(&by, &path, version).await));
        }
        let news = if chance.random_bool(0.5) {
            json!({ "phones": carer["phones"], "address": carer["address"] })
        } else {
            json!({ "relationship": "guardian", "emails": carer["emails"] })
        };
        Some((by.clone(), self.index.patch(&by, &path, version, news).await))
    }

    async fn work(
        &mut self,
        step: Step,
        child: &Child,
        chance: &mut ChaCha8Rng,
    ) -> Option<(Caller, Answer)> {
        let (service, teacher) = (self.service(), self.teacher.clone());
        if step == Step::Begin {
            return self.made(&teacher, &child.path("/involvements"), service).await;
        }
        let path = self.one_of("/v1/involvements/", chance)?;
        if step == Step::Flag {
            let flag =
                ["/flags/takingAction", "/flags/informationToShare"][chance.random_range(0..2)];
            return self.put(&teacher, &path, flag, json!({})).await;
        }
        let news = match chance.random_range(0..3) {
            0 => json!({ "confirmedOn": "2026-11-16" }),
            1 => json!({ "contact": service["contact"] }),
            _ => json!({ "endedOn": "2026-11-10" }),
        };
        self.changed(&teacher, &path, news).await
    }

    /// Somebody who does not know the child adds it again, as another who is only alike.
    async fn double(&mut self, child: &Child) -> Option<(Caller, Answer)> {
        let known: Vec<String> = sqlx::query_scalar(
            "select distinct c.index_number from child c join child_name n on n.child_id = c.child_id
             where n.family = $1 and c.status = 'active'",
        )
        .bind(&child.family)
        .fetch_all(&self.index.db)
        .await
        .unwrap();
        if known.len() > 2 {
            return None;
        }
        let known: Vec<String> =
            sqlx::query_scalar("select index_number from child where status = 'active' limit 20")
                .fetch_all(&self.index.db)
                .await
                .unwrap();
        let (carer, whereabouts) = (self.carer(), self.whereabouts());
        let said = with(amy(&child.family), "whereabouts", whereabouts);
        let said = with(with(said, "carers", json!([carer])), "distinctFrom", json!(known));
        let added = self.made(&self.outsider, "/v1/children", said).await?;
        if added.1.status == 201 {
            let double = self.child(added.1.header("Location"), &child.family).await;
            self.kids.push(double);
        }
        Some(added)
    }

    /// An approver decides on one of the requests that there are, reviews it or closes it.
    async fn decide(
        &mut self,
        step: Step,
        child: &Child,
        chance: &mut ChaCha8Rng,
    ) -> Option<(Caller, Answer)> {
        let approver = self.answers_for(child).await.0.approvers[chance.random_range(0..2)].clone();
        let shown = self.index.get(&approver, "/v1/shield-requests?limit=100").await.expect(200);
        let requests: Vec<_> = shown.body["items"]
            .as_array()?
            .iter()
            .filter(|request| {
                let resembles = request["ground"] == "resemblance";
                match step {
                    Step::Judge => resembles && request["status"] == "inForce",
                    Step::Decide => {
                        !resembles
                            && ["asked", "inForce"]
                                .contains(&request["status"].as_str().unwrap_or_default())
                    }
                    _ => request["status"] == "inForce" && request.get("reviewOn").is_some(),
                }
            })
            .collect();
        let path = format!("/v1/shield-requests/{}", requests.choose(chance)?["id"].as_str()?);
        let (what, body) = match step {
            Step::Judge => (
                "/decision",
                with(
                    json!({}),
                    "decision",
                    json!(["samePerson", "distinct"][chance.random_range(0..2)]),
                ),
            ),
            Step::Decide if chance.random_bool(0.3) => {
                ("/decision", json!({ "decision": "declined" }))
            }
            Step::Decide => ("/decision", json!({ "decision": "approved" })),
            Step::Review => ("/review", json!({})),
            _ => ("/closure", Value::Null),
        };
        self.put(&approver, &path, what, body).await
    }

    async fn transfer(&mut self, child: &Child) -> Option<(Caller, Answer)> {
        let (from, to) = self.answers_for(child).await;
        let body = json!({ "to": to.code });
        let offered = self.index.post(&from.steward, &child.path("/transfers"), body).await;
        let path = Some(offered.header("Location")).filter(|path| !path.is_empty())?.to_owned();
        let accepted =
            self.put(&to.steward, &path, "/answer", json!({ "answer": "accepted" })).await;
        self.paths.push(path);
        accepted
    }

    /// The child is said to have died, is archived, looked for there, and comes back.
    async fn archive(
        &mut self,
        child: &Child,
        kid: usize,
        chance: &mut ChaCha8Rng,
        said: &str,
    ) -> Option<(Caller, Answer)> {
        let steward = self.answers_for(child).await.0.steward.clone();
        let died = json!({ "diedOn": "2026-11-01" });
        let version = self.version(&steward, &child.path("")).await?;
        let died = self.index.put(&steward, &child.path("/death"), version, died).await;
        self.hides(&steward, "", &died.expect(200), said);
        self.arrange("update child set archives_on = '2026-11-16' where child_id = $1", child)
            .await;
        self.look(kid, chance, said).await;
        self.arrange(
            "update child set status = 'archived', archived_on = '2025-01-16' where child_id = $1",
            child,
        )
        .await;
        self.look(kid, chance, said).await;
        self.arrange("update child set archived_on = '2026-11-16' where child_id = $1", child)
            .await;
        let back = match chance.random_range(0..2) {
            0 => json!({ "indexNumber": child.number, "death": {} }),
            _ => json!({ "indexNumber": child.number, "whereabouts": self.whereabouts() }),
        };
        let first = self.index.post(&steward, "/v1/archive/restorations", back).await;
        self.hides(&steward, "", &first, said);
        if first.status == 201 {
            return Some((steward, first));
        }
        let back = json!({ "indexNumber": child.number, "death": {} });
        self.made(&steward, "/v1/archive/restorations", back).await
    }

    async fn care_for(
        &mut self,
        step: Step,
        child: &Child,
        chance: &mut ChaCha8Rng,
    ) -> Option<(Caller, Answer)> {
        let (service, nurse) = (self.sensitive(), self.nurse.clone());
        if step == Step::Sensitive {
            return self.made(&nurse, &child.path("/involvements"), service).await;
        }
        let consents: Vec<String> = sqlx::query_scalar(
            "select '/v1/consents/' || consent_id from consent where withdrawn_at is null order by received_at, consent_id",
        )
        .fetch_all(&self.index.db)
        .await
        .unwrap();
        let path = format!("{}/withdrawal", consents.choose(chance)?);
        Some((nurse.clone(), self.index.put(&nurse, &path, 1, json!({})).await))
    }

    async fn contact(
        &mut self,
        step: Step,
        child: &Child,
        chance: &mut ChaCha8Rng,
    ) -> Option<(Caller, Answer)> {
        if step == Step::AskForContact {
            let contact = json!({ "contact": { "practitioner": "Asker Example", "officeHours": "01632 960005" } });
            return self.made(&self.outsider, &child.path("/contact-requests"), contact).await;
        }
        let path = self.one_of("/v1/contact-requests/", chance)?;
        for side in &self.sides {
            let seen = self.index.get(&side.steward, &path).await;
            let Some(providers) = seen.body["providers"].as_array() else { continue };
            let to = json!({ "involvementId": providers.choose(chance)?["involvementId"] });
            return self.put(&side.steward, &path, "/forwarding", to).await;
        }
        None
    }

    /// Somebody asks again for what they asked for before, with the same key.
    async fn repeat(&self, chance: &mut ChaCha8Rng) -> Option<(Caller, Answer)> {
        let (by, path, body, key) = self.asked.borrow().choose(chance)?.clone();
        let key = [("Idempotency-Key", &*key)];
        let answer = self.index.request(&by, "POST", &path, body, &key).await;
        Some((by, answer))
    }

    fn one_of(&self, kind: &str, chance: &mut ChaCha8Rng) -> Option<String> {
        let paths: Vec<_> = self.paths.iter().filter(|path| path.starts_with(kind)).collect();
        paths.choose(chance).map(|path| (*path).clone())
    }
}
