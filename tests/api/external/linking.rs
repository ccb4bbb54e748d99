//! An identity is linked in advance, by an administrator, to one account.

use contactpoint::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Council, look};
use crate::{
    harness::{Answer, Caller, ISSUER, Index},
    session::{Person, after},
};

struct Office {
    council: Council,
    administrator: Caller,
}

impl Office {
    async fn new() -> Self {
        let council = Council::new().await;
        let administrator = council.index.account(Role::AccountAdministrator, council.school).await;
        Self { council, administrator }
    }

    fn index(&self) -> &Index {
        &self.council.index
    }

    /// An account whose person has still to enrol: its path.
    async fn invited(&self, name: &str, role: &str) -> String {
        let body = json!({ "userName": name, "name": "Example Person", "role": role,
            "policeCheckedOn": "2026-01-12", "trainedOn": "2026-02-03", "agreementSignedOn": "2026-02-03" });
        let answer = self.index().post(&self.administrator, "/v1/accounts", body).await.expect(201);
        answer.header("Location").to_owned()
    }

    async fn link(&self, account: &str, version: i64, subject: &str) -> Answer {
        let body = json!({ "issuer": ISSUER, "subject": subject });
        let path = format!("{account}/external-identity");
        self.index().put(&self.administrator, &path, version, body).await
    }

    async fn unlink(&self, account: &str, version: i64) -> Answer {
        let path = format!("{account}/external-identity");
        self.index().delete(&self.administrator, &path, version).await
    }

    async fn open(&self, account: &str) -> Answer {
        self.index().get(&self.administrator, account).await.expect(200)
    }
}

#[actix_web::test]
async fn a_linked_account_needs_no_password_and_an_unlinked_one_is_invited_again() {
    let office = Office::new().await;
    let account = office.invited("b.practitioner", "practitioner").await;
    let linked = office.link(&account, 1, "24400320").await.expect(200);
    let identity = json!({ "issuer": ISSUER, "subject": "24400320" });
    assert_eq!(
        (&linked.body["status"], &linked.body["externalIdentity"]),
        (&json!("active"), &identity)
    );
    assert_eq!(office.open(&account).await.body, linked.body);
    let event = office.index().event(&linked).await;
    assert_eq!(event["details"]["account"], linked.body["id"]);
    assert_eq!(
        (&event["details"]["issuer"], event["details"]["subjectSha256"].as_str().map(str::len)),
        (&json!(ISSUER), Some(43))
    );
    assert!(!event.to_string().contains("24400320"), "{event:#}");

    let session = office.council.sign_in(&office.council.token("24400320")).await.expect(200);
    look(office.index(), &session).await.expect(200);
    let unlinked = office.unlink(&account, linked.version()).await.expect(200);
    assert_eq!(
        (&unlinked.body["status"], &unlinked.body["externalIdentity"]),
        (&json!("invited"), &Value::Null)
    );
    look(office.index(), &session).await.refused(401, "unauthenticated");
    office.council.sign_in(&office.council.token("24400320")).await.refused(401, "sign-in-failed");
    office.unlink(&account, unlinked.version()).await.refused(404, "not-found");
    let again = office.link(&account, unlinked.version(), "24400320").await.expect(200);
    assert_eq!(again.body["status"], "active");
}

#[actix_web::test]
async fn what_a_person_has_here_stays_when_the_identity_goes() {
    let office = Office::new().await;
    let (index, council) = (office.index(), &office.council);
    let person = Person::new(index, Role::Practitioner, council.school).await;
    let account = format!("/v1/accounts/{}", person.id);
    let version = office.open(&account).await.version();
    let linked = office.link(&account, version, "24400320").await.expect(200);
    let (own, external) = (
        person.sign_in(index).await.expect(200),
        council.sign_in(&council.token("24400320")).await.expect(200),
    );

    // The same again changes nothing for anybody; another identity ends what the first began.
    let same = office.link(&account, linked.version(), "24400320").await.expect(200);
    look(index, &external).await.expect(200);
    let other = office.link(&account, same.version(), "24400321").await.expect(200);
    look(index, &external).await.refused(401, "unauthenticated");
    council.sign_in(&council.token("24400320")).await.refused(401, "sign-in-failed");
    let external = council.sign_in(&council.token("24400321")).await.expect(200);

    let unlinked = office.unlink(&account, other.version()).await.expect(200);
    assert_eq!(unlinked.body["status"], "active");
    look(index, &external).await.refused(401, "unauthenticated");
    look(index, &own).await.expect(200);
    index.clock.set(after(30));
    person.sign_in(index).await.expect(200);
}

#[actix_web::test]
async fn an_identity_is_linked_only_where_it_can_be_used() {
    let office = Office::new().await;
    let account = office.invited("b.practitioner", "practitioner").await;
    let path = format!("{account}/external-identity");
    let before = office.index().rows().await;
    let put = async |body: Value, headers: &[(&str, &str)]| {
        office.index().request(&office.administrator, "PUT", &path, body, headers).await
    };
    let identity = json!({ "issuer": ISSUER, "subject": "24400320" });
    put(identity.clone(), &[]).await.refused(428, "precondition-required");
    put(identity.clone(), &[("If-Match", "\"7\"")]).await.refused(412, "precondition-failed");
    let now = [("If-Match", "\"1\"")];
    for (body, pointer) in [
        (json!({ "issuer": "https://elsewhere.example", "subject": "1" }), "/issuer"),
        (json!({ "issuer": format!("{ISSUER}/"), "subject": "1" }), "/issuer"),
        (json!({ "issuer": "", "subject": "1" }), "/issuer"),
        (json!({ "issuer": ISSUER, "subject": "" }), "/subject"),
        (json!({ "issuer": ISSUER, "subject": "é" }), "/subject"),
        (json!({ "issuer": ISSUER, "subject": "a\nb" }), "/subject"),
        (json!({ "issuer": ISSUER, "subject": "s".repeat(256) }), "/subject"),
        (json!({ "issuer": ISSUER }), "/subject"),
    ] {
        assert_eq!(put(body, &now).await.refused(422, "invalid-value").pointers(), [pointer]);
    }
    put(json!({ "issuer": ISSUER, "subject": "1", "email": "e" }), &now)
        .await
        .refused(422, "unknown-property");
    let auditor = office.invited("an.auditor", "auditor").await;
    let refused = office.link(&auditor, 1, "24400320").await.refused(422, "invalid-value");
    assert_eq!(refused.pointers(), ["/issuer"]);
    let own = format!("/v1/accounts/{}", office.administrator.id);
    office.link(&own, 1, "24400320").await.refused(403, "forbidden");
    office.unlink(&own, 1).await.refused(403, "forbidden");
    let mut after = office.index().rows().await;
    for table in ["account", "idempotency"] {
        after[table] = before[table].clone();
    }
    assert_eq!(after, before);
}

#[actix_web::test]
async fn the_directory_of_one_organisation_does_not_sign_in_people_of_another() {
    let office = Office::new().await;
    let index = office.index();
    let elsewhere = index.organisation("school", Some(office.council.authority)).await;
    let administrator = index.account(Role::AccountAdministrator, elsewhere).await;
    let account = index.account(Role::Practitioner, elsewhere).await;
    let path = format!("/v1/accounts/{}/external-identity", account.id);
    let body = json!({ "issuer": ISSUER, "subject": "24400320" });
    let refused = index.put(&administrator, &path, 1, body.clone()).await;
    assert_eq!(refused.refused(422, "invalid-value").pointers(), ["/issuer"]);
    index.put(&office.administrator, &path, 1, body).await.refused(404, "not-found");
}

#[actix_web::test]
async fn an_identity_belongs_to_one_account() {
    let office = Office::new().await;
    let mut accounts = Vec::new();
    for n in ["one", "two", "three", "four"] {
        accounts.push(office.invited(&format!("person.{n}"), "practitioner").await);
    }
    let linked = join_all(accounts.iter().map(|account| office.link(account, 1, "24400320"))).await;
    assert_eq!(linked.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in linked.into_iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.refused(409, "identity-held").pointers(), ["/subject"]);
    }
}

#[actix_web::test]
async fn a_suspended_account_is_linked_and_goes_on_when_it_may_and_a_closed_one_never() {
    let office = Office::new().await;
    let account = office.invited("b.practitioner", "practitioner").await;
    let status = |status: &str| json!({ "status": status });
    let index = office.index();
    index.patch(&office.administrator, &account, 1, status("suspended")).await.expect(200);
    let linked = office.link(&account, 2, "24400320").await.expect(200);
    assert_eq!(linked.body["status"], "suspended");
    office.council.sign_in(&office.council.token("24400320")).await.refused(401, "sign-in-failed");
    let active =
        index.patch(&office.administrator, &account, 3, status("active")).await.expect(200);
    assert_eq!(active.body["status"], "active");
    office.council.sign_in(&office.council.token("24400320")).await.expect(200);
    index.patch(&office.administrator, &account, 4, status("closed")).await.expect(200);
    office.link(&account, 5, "24400321").await.refused(409, "account-closed");
    office.unlink(&account, 5).await.refused(409, "account-closed");
}
