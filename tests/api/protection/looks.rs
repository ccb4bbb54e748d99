//! Who looks where, and what they must not find.

use contactpoint::access::Role;
use futures_util::future::join_all;
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{canary, city::City};
use crate::{
    harness::{Answer, Caller, Child},
    parts::by_name_and_birth,
};

/// As many looks after each step.
const LOOKS: usize = 4;

/// What somebody was told somewhere.
pub(super) struct Told {
    by: Caller,
    at: String,
    pub(super) text: String,
}

/// A look: who, by which method, where, with what.
type Look = (Caller, &'static str, String, Value);

impl City {
    /// Has some look at a child, and fails where they are told what is hidden from them.
    pub(super) async fn look(&self, kid: usize, chance: &mut ChaCha8Rng, said: &str) {
        let number = &self.kids[kid].number;
        for told in self.told(kid, chance, LOOKS).await {
            self.nothing_hidden_in(&told, said);
            let by_hidden = ["ZE3 9", "98765"].iter().any(|canary| told.at.contains(canary));
            assert!(!by_hidden || !told.text.contains(number), "{said}: found by {}", told.at);
        }
    }

    /// What some are told of a child.
    pub(super) async fn told(
        &self,
        kid: usize,
        chance: &mut ChaCha8Rng,
        looks: usize,
    ) -> Vec<Told> {
        let looks: Vec<Look> = (0..looks).map(|_| self.some_look(kid, chance)).collect();
        let mut told = Vec::new();
        for looks in looks.chunks(LOOKS) {
            told.extend(join_all(looks.iter().map(|look| self.tell(look))).await);
        }
        told
    }

    async fn tell(&self, (by, method, path, body): &Look) -> Told {
        let reference = [("Access-Reference", "PR/1")];
        let answer = self.index.request(by, method, path, body.clone(), &reference).await;
        assert!(answer.status < 500, "{method} {path}: {:#}", answer.body);
        Told { by: by.clone(), at: format!("{method} {path} {body}"), text: text(&answer) }
    }

    fn some_look(&self, kid: usize, chance: &mut ChaCha8Rng) -> Look {
        let people = self.sides.iter().map(|side| &side.steward);
        let people: Vec<_> = people
            .chain([&self.teacher, &self.nurse, &self.outsider, &self.outsider])
            .chain(&self.strangers)
            .collect();
        let by = (*people.choose(chance).unwrap()).clone();
        let child = &self.kids[kid];
        let (method, path, body) = match chance.random_range(0..10) {
            0..=2 => ("GET", of_child(child, chance), Value::Null),
            3..=4 => ("GET", list(chance), Value::Null),
            5..=6 => ("GET", self.paths.choose(chance).unwrap().clone(), Value::Null),
            7..=8 => {
                ("POST", "/v1/children/search".to_owned(), self.criteria(&by, child, kid, chance))
            }
            _ => archive(&by, child, chance),
        };
        (by, method, path, body)
    }

    /// What a child is looked for by: what is hidden too, but for those whose own auditor would read it.
    fn criteria(&self, by: &Caller, child: &Child, kid: usize, chance: &mut ChaCha8Rng) -> Value {
        let named = json!({ "given": ["Amy"], "family": child.family });
        let audited = by.organisation == self.sides[0].authority;
        match chance.random_range(if audited { 0..2 } else { 0..4 }) {
            0 => by_name_and_birth("Amy", &child.family, "2015-03-14"),
            1 => json!({ "indexNumber": child.number }),
            2 => json!({ "name": named, "gender": "female", "postcode": "ZE3 9AB" }),
            _ => json!({ "identifier": { "kind": "nhsNumber", "value": canary::nhs(kid) } }),
        }
    }

    /// Fails where an answer tells its caller what is hidden from them.
    pub(super) fn hides(&self, by: &Caller, at: &str, answer: &Answer, said: &str) {
        self.nothing_hidden_in(
            &Told { by: by.clone(), at: at.to_owned(), text: text(answer) },
            said,
        );
    }

    fn nothing_hidden_in(&self, told: &Told, said: &str) {
        for canary in self.hidden_from(told) {
            let Told { by, at, text } = told;
            assert!(
                !text.contains(&canary),
                "{said}: {:?} is told {canary} by {at}: {text}",
                by.role
            );
        }
    }

    /// What somebody must not be told: their own work they know, and stewards broker contact with those who provide.
    fn hidden_from(&self, Told { by, text, .. }: &Told) -> Vec<String> {
        let approves =
            self.sides.iter().any(|side| side.approvers.iter().any(|one| one.id == by.id));
        let brokers = by.role == Role::Steward && text.contains("\"providers\"");
        let mut hidden: Vec<String> = Vec::new();
        let mut hide = |what: &[&str]| hidden.extend(what.iter().map(|&canary| canary.to_owned()));
        if !approves {
            hide(&canary::PLACE);
        }
        if !approves && !brokers && by.id != self.teacher.id {
            hide(&canary::WORK);
        }
        if !brokers && by.id != self.nurse.id {
            hide(&canary::CARE);
        }
        if !approves {
            hidden.extend((0..8).map(canary::nhs));
        }
        hidden
    }
}

/// Everything that an answer says, with its headers.
fn text(answer: &Answer) -> String {
    let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}\n"));
    let body = String::from_utf8_lossy(&answer.bytes);
    format!("{}{body}", headers.collect::<String>()).to_lowercase()
}

fn of_child(child: &Child, chance: &mut ChaCha8Rng) -> String {
    let rests = [
        "",
        "",
        "/carers",
        "/involvements",
        "/flags",
        "/history",
        "/shield",
        "/consents",
        "/holds",
    ];
    child.path(rests.choose(chance).unwrap())
}

fn archive(by: &Caller, child: &Child, chance: &mut ChaCha8Rng) -> (&'static str, String, Value) {
    let mut body = json!({ "indexNumber": child.number });
    let mut path = "/v1/archive/openings";
    if chance.random_bool(0.5) {
        path = "/v1/archive/search";
        body = json!({ "name": { "given": ["Amy"], "family": child.family }, "dateOfBirth": "2015-03-14" });
    }
    if by.role == Role::ArchiveReviewer {
        body["ground"] = json!("practiceReview");
    }
    ("POST", path.to_owned(), body)
}

fn list(chance: &mut ChaCha8Rng) -> String {
    let lists = [
        "/v1/notices?limit=100",
        "/v1/shield-requests?limit=100",
        "/v1/transfers?limit=100",
        "/v1/contact-requests?limit=100",
        "/v1/investigations",
        "/v1/retention/forecast",
        "/v1/audit/events",
    ];
    (*lists.choose(chance).unwrap()).to_owned()
}
