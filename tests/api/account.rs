//! Accounts: made by the administrator, enrolled by the person, stopped at once.

use contactpoint::{
    access::Role,
    session::totp::{Seed, code_at},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller, Index, Organisation},
    session::after,
};

/// An organisation with two administrators.
struct Office {
    index: Index,
    school: Organisation,
    first: Caller,
    second: Caller,
}

impl Office {
    async fn new() -> Self {
        let index = Index::start().await;
        let school = index.organisation("school", Some(index.authority().await)).await;
        let first = index.account(Role::AccountAdministrator, school).await;
        let second = index.account(Role::AccountAdministrator, school).await;
        Self { index, school, first, second }
    }

    /// An account for whom every fact is there, still to be enrolled: its path.
    async fn made(&self, name: &str) -> String {
        let body = json!({ "userName": name, "name": "Example Person", "role": "practitioner",
            "policeCheckedOn": "2026-01-12", "trainedOn": "2026-02-03", "agreementSignedOn": "2026-02-03" });
        let answer = self.index.post(&self.first, "/v1/accounts", body).await.expect(201);
        answer.header("Location").to_owned()
    }

    /// An invitation to it: its path and what it is used with.
    async fn invited(&self, account: &str) -> (String, String) {
        let path = format!("{account}/invitations");
        let answer = self.index.post(&self.first, &path, Value::Null).await.expect(201);
        let token = answer.body["invitation"].as_str().unwrap().to_owned();
        (answer.header("Location").to_owned(), token)
    }

    async fn begin(&self, invitation: &str) -> Answer {
        let body = json!({ "invitation": invitation });
        self.index.request(None, "POST", "/v1/enrolments", body, &[]).await
    }

    async fn complete(&self, invitation: &str, seed: &Seed, changed: &[(&str, &str)]) -> Answer {
        let mut body = json!({ "invitation": invitation, "password": PASSWORD, "pin": "407713",
            "oneTimeCode": code_at(seed, self.index.now()).unwrap() });
        for (member, value) in changed {
            body[*member] = json!(value);
        }
        self.index.request(None, "POST", "/v1/enrolments/completion", body, &[]).await
    }

    /// The seed that an invitation sets up.
    async fn seed(&self, invitation: &str) -> Seed {
        let told = self.begin(invitation).await.expect(200).body;
        assert!(told["qrCode"].as_str().unwrap().contains("<svg"));
        Seed::from_uri(told["otpauth"].as_str().unwrap()).unwrap()
    }

    /// Enrols by an invitation.
    async fn enrolled(&self, invitation: &str) -> Seed {
        let seed = self.seed(invitation).await;
        self.complete(invitation, &seed, &[]).await.expect(200);
        seed
    }

    async fn sign_in(&self, name: &str, seed: &Seed) -> Answer {
        let body = json!({ "userName": name, "password": PASSWORD, "pin": "407713",
            "oneTimeCode": code_at(seed, self.index.now()).unwrap() });
        self.index.request(None, "POST", "/v1/sessions", body, &[]).await
    }
}

const PASSWORD: &str = "unlikely kestrel over marmalade";

async fn look(index: &Index, session: &Answer) -> Answer {
    let bearer = format!("Bearer {}", session.body["accessToken"].as_str().unwrap());
    index.request(None, "GET", "/v1/organisations", (), &[("Authorization", &bearer)]).await
}

#[actix_web::test]
async fn a_person_who_is_invited_enrols_and_signs_in() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let told = office.index.get(&office.first, &account).await.expect(200).body;
    assert_eq!(told["status"], "invited");
    assert_eq!(told.get("actsUntil"), None, "an account that is not enrolled cannot act");

    let (_, invitation) = office.invited(&account).await;
    let seed = office.enrolled(&invitation).await;
    let told = office.index.get(&office.first, &account).await.expect(200).body;
    assert_eq!((&told["status"], &told["actsUntil"]), (&json!("active"), &json!("2029-01-12")));
    let session = office.sign_in("new.person", &seed).await.expect(200);
    look(&office.index, &session).await.expect(200);
}

#[actix_web::test]
async fn an_invitation_works_once_and_only_the_latest_for_a_week() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let (_, replaced) = office.invited(&account).await;
    let (_, invitation) = office.invited(&account).await;
    office.begin(&replaced).await.refused(403, "invitation-refused");
    office.begin(&"x".repeat(43)).await.refused(403, "invitation-refused");
    let answer = office.begin("nonsense").await.refused(422, "invalid-value");
    assert_eq!(answer.pointers(), ["/invitation"]);
    let seed = office.enrolled(&invitation).await;
    office.begin(&invitation).await.refused(403, "invitation-refused");
    office.complete(&invitation, &seed, &[]).await.refused(403, "invitation-refused");

    let late = office.made("late.person").await;
    let (_, invitation) = office.invited(&late).await;
    office.index.clock.set(after(7 * 24 * 3600));
    office.begin(&invitation).await.refused(403, "invitation-refused");
}

#[actix_web::test]
async fn of_many_who_use_one_invitation_at_once_one_enrols() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let (_, invitation) = office.invited(&account).await;
    let seed = office.seed(&invitation).await;
    let tries = (0..8).map(|_| office.complete(&invitation, &seed, &[]));
    let statuses: Vec<_> = join_all(tries).await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[actix_web::test]
async fn weak_secrets_and_a_wrong_code_are_refused_and_use_nothing_up() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let (_, invitation) = office.invited(&account).await;
    let seed = office.seed(&invitation).await;
    for (member, value) in [
        ("password", "short"),
        ("password", "passwordpassword"),
        ("password", "Example Person"),
        ("pin", "111111"),
        ("pin", "123456"),
        ("pin", "12345"),
        ("oneTimeCode", "000000"),
        ("oneTimeCode", "12"),
    ] {
        let answer = office.complete(&invitation, &seed, &[(member, value)]).await;
        let answer = answer.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [format!("/{member}")], "{value}");
    }
    office.complete(&invitation, &seed, &[]).await.expect(200);
}

#[actix_web::test]
async fn an_account_is_recovered_by_two_administrators_and_loses_its_sessions() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let (_, invitation) = office.invited(&account).await;
    let seed = office.enrolled(&invitation).await;
    let session = office.sign_in("new.person", &seed).await.expect(200);

    let (path, invitation) = office.invited(&account).await;
    office.begin(&invitation).await.refused(403, "invitation-refused");
    let approval = format!("{path}/approval");
    let by = |caller| office.index.request(caller, "PUT", &approval, (), &[("If-Match", "\"1\"")]);
    by(&office.first).await.refused(403, "forbidden");
    let approved = by(&office.second).await.expect(200);
    assert_eq!(approved.body["approvedBy"], json!(office.second.id));
    assert_eq!(approved.body.get("invitation"), None);
    by(&office.second).await.refused(412, "precondition-failed");

    let renewed = office.enrolled(&invitation).await;
    look(&office.index, &session).await.refused(401, "unauthenticated");
    office.index.clock.set(after(60));
    office.sign_in("new.person", &seed).await.refused(401, "sign-in-failed");
    office.index.clock.set(after(61));
    office.sign_in("new.person", &renewed).await.expect(200);
}

#[actix_web::test]
async fn an_account_that_is_suspended_or_closed_is_stopped_with_the_answer() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let (_, invitation) = office.invited(&account).await;
    let seed = office.enrolled(&invitation).await;
    let session = office.sign_in("new.person", &seed).await.expect(200);
    let change = |status: &str, version| {
        let body = json!({ "status": status });
        office.index.patch(&office.first, &account, version, body)
    };
    let suspended = change("suspended", 2).await.expect(200);
    assert_eq!(suspended.body.get("actsUntil"), None);
    look(&office.index, &session).await.refused(401, "unauthenticated");
    office.index.clock.set(after(60));
    office.sign_in("new.person", &seed).await.refused(401, "sign-in-failed");
    change("active", 3).await.expect(200);
    look(&office.index, &session).await.expect(200);
    office.index.clock.set(after(120));
    office.sign_in("new.person", &seed).await.expect(200);
    change("closed", 4).await.expect(200);
    look(&office.index, &session).await.refused(401, "unauthenticated");
    change("active", 5).await.refused(409, "account-closed");
    office
        .index
        .post(&office.first, &format!("{account}/invitations"), Value::Null)
        .await
        .refused(409, "account-closed");
}

#[actix_web::test]
async fn an_account_acts_only_while_every_fact_holds() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let (_, invitation) = office.invited(&account).await;
    let seed = office.enrolled(&invitation).await;
    let session = office.sign_in("new.person", &seed).await.expect(200);
    let change = |body, version| office.index.patch(&office.first, &account, version, body);
    change(json!({ "policeCheckedOn": "2023-11-15" }), 2).await.expect(200);
    look(&office.index, &session).await.refused(401, "unauthenticated");
    change(json!({ "policeCheckedOn": "2023-11-16" }), 3).await.expect(200);
    look(&office.index, &session).await.expect(200);
    change(json!({ "trainedOn": "2020-01-01" }), 4).await.expect(200);
    look(&office.index, &session).await.refused(401, "unauthenticated");
    for (member, day) in [("policeCheckedOn", "2026-11-17"), ("trainedOn", "2027-01-01")] {
        let answer = change(json!({ member: day }), 5).await.refused(422, "invalid-value");
        assert_eq!(answer.pointers(), [format!("/{member}")]);
    }
}

#[actix_web::test]
async fn without_a_fact_an_enrolled_account_cannot_sign_in() {
    let office = Office::new().await;
    let whole = json!({ "userName": "new.person", "name": "Example Person", "role": "practitioner",
        "policeCheckedOn": "2026-01-12", "trainedOn": "2026-02-03", "agreementSignedOn": "2026-02-03" });
    for (n, member) in ["policeCheckedOn", "trainedOn", "agreementSignedOn"].iter().enumerate() {
        let (mut body, name) = (whole.clone(), format!("person.{}", ["a", "b", "c"][n]));
        body["userName"] = json!(name);
        let day = body.as_object_mut().unwrap().remove(*member).unwrap();
        let made = office.index.post(&office.first, "/v1/accounts", body).await.expect(201);
        let account = made.header("Location").to_owned();
        let (_, invitation) = office.invited(&account).await;
        let seed = office.enrolled(&invitation).await;
        office.index.clock.set(after(60 * i64::try_from(n + 1).unwrap()));
        office.sign_in(&name, &seed).await.refused(401, "sign-in-failed");
        office.index.clock.set(after(60 * i64::try_from(n + 1).unwrap() + 1));
        let change = json!({ *member: day });
        office.index.patch(&office.first, &account, 2, change).await.expect(200);
        office.sign_in(&name, &seed).await.expect(200);
    }
}

#[actix_web::test]
async fn a_user_name_belongs_to_one_account_however_it_is_written() {
    let office = Office::new().await;
    office.made("new.person").await;
    let body =
        json!({ "userName": "NEW.Person", "name": "Example Person", "role": "practitioner" });
    let answer = office.index.post(&office.first, "/v1/accounts", body).await;
    assert_eq!(answer.refused(409, "user-name-held").pointers(), ["/userName"]);
}

#[actix_web::test]
async fn an_administrator_makes_accounts_of_people_in_the_own_organisation_alone() {
    let office = Office::new().await;
    let other = office.index.organisation("nationalPartner", None).await;
    for (member, value) in [
        ("role", json!("feed")),
        ("organisationId", json!(other.id)),
        ("name", json!("")),
        ("agreementSignedOn", json!("2026-11-17")),
    ] {
        let mut body =
            json!({ "userName": "new.person", "name": "Example Person", "role": "practitioner" });
        body[member] = value;
        let answer = office.index.post(&office.first, "/v1/accounts", body).await;
        assert_eq!(answer.refused(422, "invalid-value").pointers(), [format!("/{member}")]);
    }
    let national = office.index.organisation("nationalPartner", None).await;
    let operator = office.index.account(Role::Operator, national).await;
    let mut body = json!({ "userName": "partner.person", "name": "Example Person", "role": "accountAdministrator" });
    body["organisationId"] = json!(other.id);
    office.index.post(&operator, "/v1/accounts", body.clone()).await.expect(201);
    body["organisationId"] = json!(office.school.id);
    office.index.post(&operator, "/v1/accounts", body).await.refused(422, "invalid-value");
}

#[actix_web::test]
async fn the_right_to_override_is_given_by_two() {
    let office = Office::new().await;
    let body = json!({ "userName": "new.person", "name": "Example Person", "role": "practitionerWithOverride",
        "policeCheckedOn": "2026-01-12", "trainedOn": "2026-02-03", "agreementSignedOn": "2026-02-03" });
    let made = office.index.post(&office.first, "/v1/accounts", body).await.expect(201);
    let (path, invitation) = office.invited(made.header("Location")).await;
    office.begin(&invitation).await.refused(403, "invitation-refused");
    let approval = format!("{path}/approval");
    office.index.put(&office.first, &approval, 1, Value::Null).await.refused(403, "forbidden");
    office.index.put(&office.second, &approval, 1, Value::Null).await.expect(200);
    let seed = office.enrolled(&invitation).await;
    office.sign_in("new.person", &seed).await.expect(200);
}

#[actix_web::test]
async fn an_auditor_of_a_national_partner_is_made_by_the_operator_alone() {
    let office = Office::new().await;
    let national = office.index.organisation("nationalPartner", None).await;
    let body = json!({ "userName": "new.person", "name": "Example Person", "role": "auditor", "organisationId": national.id });
    let own = office.index.account(Role::AccountAdministrator, national).await;
    let refused = office.index.post(&own, "/v1/accounts", body.clone()).await;
    assert_eq!(refused.refused(422, "invalid-value").pointers(), ["/role"]);
    let operator = office.index.account(Role::Operator, national).await;
    office.index.post(&operator, "/v1/accounts", body).await.expect(201);
}

#[actix_web::test]
async fn nobody_but_an_operator_makes_an_operator() {
    let office = Office::new().await;
    let body = json!({ "userName": "new.person", "name": "Example Person", "role": "operator" });
    let answer = office.index.post(&office.first, "/v1/accounts", body.clone()).await;
    assert_eq!(answer.refused(422, "invalid-value").pointers(), ["/role"]);
    let national = office.index.organisation("nationalPartner", None).await;
    let operator = office.index.account(Role::Operator, national).await;
    office.index.post(&operator, "/v1/accounts", body).await.expect(201);
}

#[actix_web::test]
async fn another_organisations_account_and_invitation_are_not_held_and_so_not_told_from_none() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let (invitation, _) = office.invited(&account).await;
    let other = office.index.organisation("school", Some(office.index.authority().await)).await;
    let stranger = office.index.account(Role::AccountAdministrator, other).await;
    let mut held = office.index.db.begin().await.unwrap();
    for lock in ["select from account for update", "select from invitation for update"] {
        sqlx::query(lock).execute(held.as_mut()).await.unwrap();
    }
    let change = json!({ "status": "suspended" });
    office.index.patch(&stranger, &account, 1, change).await.refused(404, "not-found");
    let approval = format!("{invitation}/approval");
    office.index.put(&stranger, &approval, 1, Value::Null).await.refused(404, "not-found");
}

#[actix_web::test]
async fn nobody_changes_or_recovers_the_own_account() {
    let office = Office::new().await;
    let own = format!("/v1/accounts/{}", office.first.id);
    let body = json!({ "policeCheckedOn": "2026-11-16" });
    office.index.patch(&office.first, &own, 1, body).await.refused(403, "forbidden");
    let invitations = format!("{own}/invitations");
    office.index.post(&office.first, &invitations, Value::Null).await.refused(403, "forbidden");
}

#[actix_web::test]
async fn accounts_are_changed_only_after_a_fresh_sign_in() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let token = format!("Bearer {}", office.index.token(&office.first));
    let headers = [("Authorization", token.as_str()), ("If-Match", "\"1\"")];
    let change = || {
        let body = json!({ "trainedOn": "2026-11-02" });
        office.index.request(None, "PATCH", &account, body, &headers)
    };
    office.index.clock.set(after(301));
    let answer = change().await.refused(401, "step-up-required");
    assert!(answer.header("WWW-Authenticate").contains("insufficient_user_authentication"));
    office.index.request(None, "GET", &account, (), &headers[..1]).await.expect(200);
    office.index.clock.set(after(300));
    change().await.expect(200);
}

#[actix_web::test]
async fn a_repeated_invitation_is_the_same_and_its_secret_is_told_once_and_kept_nowhere() {
    let office = Office::new().await;
    let account = office.made("new.person").await;
    let path = format!("{account}/invitations");
    let key = [("Idempotency-Key", "invitation-1")];
    let ask = || office.index.request(&office.first, "POST", &path, (), &key);
    let first = ask().await.expect(201);
    let mut again = ask().await.expect(201);
    let token = first.body["invitation"].as_str().unwrap().to_owned();
    assert_eq!(again.body.get("invitation"), None);
    again.body["invitation"] = json!(token);
    assert_eq!(again.body, first.body);
    for table in ["idempotency", "invitation", "audit_event"] {
        let dump = format!("select coalesce(string_agg(t::text, ''), '') from {table} t");
        let dump = sqlx::query_scalar(sqlx::AssertSqlSafe(dump));
        let dump: String = dump.fetch_one(&office.index.db).await.unwrap();
        assert!(!dump.contains(&token), "{table}");
    }
}

#[actix_web::test]
async fn every_page_of_accounts_goes_on_where_the_one_before_ended() {
    let office = Office::new().await;
    for n in ["a", "b", "c", "d", "e"] {
        office.made(&format!("person.{n}")).await;
    }
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/accounts?status=invited&limit=2{next}");
        let page = office.index.get(&office.first, &path).await.expect(200).body;
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["userName"].as_str().unwrap().to_owned()));
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    assert_eq!(names, ["person.a", "person.b", "person.c", "person.d", "person.e"]);
}

#[actix_web::test]
async fn guessed_invitations_wait_after_sixty_in_a_minute() {
    let office = Office::new().await;
    for _ in 0..60 {
        office.begin(&"x".repeat(43)).await.refused(403, "invitation-refused");
    }
    office.begin(&"x".repeat(43)).await.refused(429, "too-many-requests");
}
