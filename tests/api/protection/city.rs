//! Two authorities, those who work in them, and eight children with something to hide in every field.

use std::cell::RefCell;

use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use super::canary;
use crate::{
    harness::{Answer, Caller, Child, Index, Organisation},
    parts::{amy, number, with},
};

/// An authority with its people.
pub(super) struct Side {
    pub(super) authority: Organisation,
    pub(super) code: String,
    pub(super) steward: Caller,
    pub(super) approvers: [Caller; 2],
}

/// Everybody and everything.
pub(super) struct City {
    pub(super) index: Index,
    pub(super) sides: [Side; 2],
    /// Of a school that works with the children.
    pub(super) teacher: Caller,
    /// Of a clinic that provides sensitive services.
    pub(super) nurse: Caller,
    /// Of a school that does not know them.
    pub(super) outsider: Caller,
    /// Those who have no right to anything hidden.
    pub(super) strangers: Vec<Caller>,
    pub(super) kids: Vec<Child>,
    /// Involvements, requests and whatever else has a path of its own.
    pub(super) paths: Vec<String>,
    /// What was asked with an idempotency key: by whom, where, what, with which.
    pub(super) asked: RefCell<Vec<(Caller, String, Value, String)>>,
    /// No two canaries are the same.
    pub(super) made: usize,
}

impl Side {
    async fn new(index: &Index) -> Self {
        let authority = index.authority().await;
        let code = "select authority_code from organisation where organisation_id = $1";
        let code = sqlx::query_scalar(code).bind(authority.id).fetch_one(&index.db).await.unwrap();
        let steward = index.account(Role::Steward, authority).await;
        let [one, other] = [0, 1].map(|_| index.account(Role::ShieldApprover, authority));
        Self { authority, code, steward, approvers: [one.await, other.await] }
    }
}

impl City {
    /// One in which every child is shielded.
    pub(super) async fn new() -> Self {
        let mut city = Self::unshielded().await;
        for kid in city.kids.clone() {
            let body = json!({ "ground": "threatToLife", "emergency": true });
            let asked = city.ask(&city.teacher, &kid.path("/shield-requests"), body).await;
            city.paths.push(asked.expect(201).header("Location").to_owned());
        }
        city
    }

    /// The same before that.
    pub(super) async fn unshielded() -> Self {
        let index = Index::start().await;
        let sides = [Side::new(&index).await, Side::new(&index).await];
        let home = sides[0].authority;
        let school = index.organisation("school", Some(home)).await;
        let named = "update organisation set name = 'Canarywork School' where organisation_id = $1";
        sqlx::query(named).bind(school.id).execute(&index.db).await.unwrap();
        let clinic = index.organisation("healthTrust", Some(home)).await;
        let academy = index.organisation("school", Some(home)).await;
        let (elsewhere, partner) =
            (index.authority().await, index.organisation("nationalPartner", None).await);
        let mut strangers = Vec::new();
        for (role, organisation) in [
            (Role::PractitionerWithOverride, academy),
            (Role::Feed, academy),
            (Role::AccountAdministrator, home),
            (Role::Auditor, home),
            (Role::Steward, elsewhere),
            (Role::ShieldApprover, elsewhere),
            (Role::Operator, partner),
            (Role::ArchiveReviewer, partner),
        ] {
            strangers.push(index.caller(role, organisation).await);
        }
        let teacher = index.account(Role::Practitioner, school).await;
        let nurse = index.account(Role::Practitioner, clinic).await;
        let outsider = index.account(Role::Practitioner, academy).await;
        let mut city = Self {
            index,
            sides,
            teacher,
            nurse,
            outsider,
            strangers,
            kids: Vec::new(),
            paths: Vec::new(),
            asked: RefCell::default(),
            made: 0,
        };
        for _ in 0..8 {
            city.settle().await;
        }
        city
    }

    /// A number that no canary had before.
    pub(super) fn next(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    /// A child comes, of whom everything is known that a record holds.
    async fn settle(&mut self) {
        let n = self.kids.len();
        let family = format!("Shieldley{}", char::from(b'a' + u8::try_from(n).unwrap()));
        let carer = self.carer();
        let said = with(amy(&family), "whereabouts", self.whereabouts());
        let said = with(said, "carers", json!([carer]));
        let said =
            with(said, "identifiers", json!([{ "kind": "nhsNumber", "value": canary::nhs(n) }]));
        let known: Vec<_> = self.kids.iter().map(|kid| kid.number.clone()).collect();
        let said = with(said, "distinctFrom", json!(known));
        let added = self.ask(&self.sides[0].steward, "/v1/children", said).await.expect(201);
        let child = self.child(added.header("Location"), &family).await;
        let involvement = self.service();
        let begun = self.ask(&self.teacher, &child.path("/involvements"), involvement).await;
        self.paths.push(begun.expect(201).header("Location").to_owned());
        self.kids.push(child);
    }

    pub(super) async fn child(&self, path: &str, family: &str) -> Child {
        let find = "select child_id from child where index_number = $1";
        let number = number(path).to_owned();
        let id: Uuid =
            sqlx::query_scalar(find).bind(&number).fetch_one(&self.index.db).await.unwrap();
        Child { id, number, family: family.to_owned() }
    }

    pub(super) fn address(&mut self) -> Value {
        let n = self.next();
        json!({ "lines": [format!("{n} Canaryplace Road")], "town": "Canaryplace",
                "postcode": "ZE3 9AB" })
    }

    pub(super) fn whereabouts(&mut self) -> Value {
        json!({ "kind": "current", "address": self.address() })
    }

    pub(super) fn carer(&mut self) -> Value {
        let (address, n) = (self.address(), self.next());
        json!({ "name": { "given": ["Ann"], "family": "Shieldley" }, "relationship": "mother",
                "parentalResponsibility": true, "phones": [format!("07700 90{:04}", n % 10_000)],
                "emails": [format!("canaryplace{n}@example.org")], "address": address })
    }

    pub(super) fn service(&mut self) -> Value {
        let n = self.next();
        json!({ "serviceType": "school", "startedOn": "2026-11-02", "contact": {
            "team": format!("Canarywork Team {n}"), "officeHours": format!("01632 9608{:02}", n % 100) } })
    }

    pub(super) fn sensitive(&mut self) -> Value {
        let n = self.next();
        json!({ "serviceType": "mentalHealth", "startedOn": "2026-11-02",
                "contact": { "team": format!("Canarycare Team {n}"), "officeHours": format!("01632 9609{:02}", n % 100) },
                "consent": { "givenBy": "child", "capacityBasis": "gillickCompetent", "givenOn": "2026-11-02" } })
    }

    /// Which authority answers for a child, and which does not.
    pub(super) async fn answers_for(&self, child: &Child) -> (&Side, &Side) {
        let find = "select responsible_authority_id from child where child_id = $1";
        let id: Uuid =
            sqlx::query_scalar(find).bind(child.id).fetch_one(&self.index.db).await.unwrap();
        let [one, other] = &self.sides;
        if one.authority.id == id { (one, other) } else { (other, one) }
    }

    /// Asks for something new, with a key by which it may be asked for again.
    pub(super) async fn ask(&self, by: &Caller, path: &str, body: Value) -> Answer {
        let key = Uuid::new_v4().to_string();
        let asked = (by.clone(), path.to_owned(), body.clone(), key.clone());
        self.asked.borrow_mut().push(asked);
        self.index.request(by, "POST", path, body, &[("Idempotency-Key", &key)]).await
    }

    /// Does to a child what only the passing of time does.
    pub(super) async fn arrange(&self, statement: &'static str, child: &Child) {
        sqlx::query(statement).bind(child.id).execute(&self.index.db).await.unwrap();
    }

    /// The version of what is at a path, as this caller sees it; nothing where it is not seen.
    pub(super) async fn version(&self, caller: &Caller, path: &str) -> Option<i64> {
        let seen = self.index.get(caller, path).await;
        (seen.status == 200).then(|| seen.version())
    }

    /// Changes what is at a path, in the version in which this caller sees it.
    pub(super) async fn patch(&self, caller: &Caller, path: &str, body: Value) -> Option<Answer> {
        let version = self.version(caller, path).await?;
        Some(self.index.patch(caller, path, version, body).await)
    }

    /// Fails unless an approver of the authority that answers is told what all others are not.
    pub(super) async fn approvers_see_it_all(&self) {
        for kid in &self.kids {
            let (side, other) = self.answers_for(kid).await;
            let record = self.index.get(&side.approvers[0], &kid.path("")).await.expect(200);
            let text = String::from_utf8(record.bytes).unwrap().to_lowercase();
            assert!(
                text.contains(canary::PLACE[0]) && text.contains("\"shielded\":true"),
                "{text}"
            );
            let record = self.index.get(&other.approvers[0], &kid.path("")).await.expect(200);
            let text = String::from_utf8(record.bytes).unwrap().to_lowercase();
            assert!(!text.contains(canary::PLACE[0]), "{text}");
        }
    }
}
