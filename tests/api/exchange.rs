//! A case system acts with a person: what both may, for as long as both may.

use contactpoint::access::Role;
use serde_json::{Value, json};

use crate::{
    client::Client,
    harness::{Answer, Child, Index, Organisation},
    session::{Person, after, outside},
    signer::Signer,
    token::{FORM, ask, look, text},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A council with its case system, a school in its area and a teacher there who is signed in.
struct Desk {
    index: Index,
    council: Organisation,
    school: Organisation,
    system: Client,
    teacher: Person,
    token: String,
    child: Child,
}

impl Desk {
    async fn new() -> Self {
        let index = Index::start().await;
        let council = index.authority().await;
        let school = index.organisation("school", Some(council)).await;
        let system = system(&index, council, json!({})).await;
        let teacher = Person::new(&index, Role::Practitioner, school).await;
        let token = text(&teacher.sign_in(&index).await.expect(200), "accessToken").to_owned();
        let child = index.child(council).await;
        Self { index, council, school, system, teacher, token, child }
    }

    /// Asks for a token of the teacher, with these parameters in place of the usual ones; an empty one is not sent.
    async fn exchange(&self, system: &Client, changed: &[(&str, &str)]) -> Answer {
        let usual = [
            ("grant_type", GRANT),
            ("client_id", &*system.id),
            ("client_secret", &*system.secret),
            ("subject_token", &*self.token),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        let kept = usual.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let sent = changed.iter().filter(|(_, value)| !value.is_empty());
        let form: Vec<_> = kept.chain(sent).collect();
        ask(&self.index, &serde_urlencoded::to_string(form).unwrap(), "").await
    }

    async fn exchanged(&self) -> String {
        format!(
            "Bearer {}",
            text(&self.exchange(&self.system, &[]).await.expect(200), "access_token")
        )
    }

    async fn open(&self, authorization: &str) -> Answer {
        let headers = [("Authorization", authorization)];
        self.index.request(None, "GET", &self.child.path(""), (), &headers).await
    }
}

/// A case system of an organisation.
async fn system(index: &Index, organisation: Organisation, more: Value) -> Client {
    let administrator = index.account(Role::AccountAdministrator, organisation).await;
    let mut body = json!({ "name": "Example case system", "role": "caseSystem",
        "tokenEndpointAuthMethod": "client_secret", "requestsPerSecond": 1000 });
    body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    Client::of(&index.post(&administrator, "/v1/clients", body).await.expect(201))
}

fn claims(answer: &Answer) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = text(answer, "access_token").split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_case_system_opens_a_record_with_a_person_and_both_are_written_down() {
    let desk = Desk::new().await;
    let answer = desk.exchange(&desk.system, &[]).await.expect(200);
    assert_eq!(answer.body["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(
        (&answer.body["refresh_token"], &answer.body["token_type"]),
        (&Value::Null, &json!("Bearer"))
    );
    let claims = claims(&answer);
    assert_eq!(claims["sub"], json!(desk.teacher.id));
    assert_eq!(claims["act"], json!({ "sub": desk.system.id }));
    assert_eq!(claims["client_id"], json!(desk.system.id));
    assert_eq!(claims["role"], "practitioner");
    assert_eq!(claims["rps"], 1000);

    let token = format!("Bearer {}", text(&answer, "access_token"));
    let opened = desk.open(&token).await.expect(200);
    for answer in [&answer, &opened] {
        let event = desk.index.event(answer).await;
        assert_eq!(
            (&event["account_id"], &event["client_id"], &event["organisation_id"]),
            (&json!(desk.teacher.id), &json!(desk.system.id), &json!(desk.school.id))
        );
    }
}

#[actix_web::test]
async fn such_a_token_permits_what_both_may_and_was_asked_for() {
    let desk = Desk::new().await;
    let narrow = json!({ "scopes": ["child:search", "child:read", "organisation:read"] });
    let narrow = system(&desk.index, desk.council, narrow).await;
    let answer = desk.exchange(&narrow, &[]).await.expect(200);
    assert_eq!(answer.body["scope"], "child:search child:read organisation:read");
    let answer = desk.exchange(&narrow, &[("scope", "child:read")]).await.expect(200);
    assert_eq!(answer.body["scope"], "child:read");
    let token = format!("Bearer {}", text(&answer, "access_token"));
    desk.open(&token).await.expect(200);
    look(&desk.index, &token).await.refused(403, "forbidden");
    for scope in ["flag:write", "audit:read", "no:such"] {
        desk.exchange(&narrow, &[("scope", scope)]).await.refused(400, "invalid_scope");
    }
    let administrator = Person::new(&desk.index, Role::AccountAdministrator, desk.council).await;
    let signed_in = administrator.sign_in(&desk.index).await.expect(200);
    let token = text(&signed_in, "accessToken");
    let answer = desk.exchange(&desk.system, &[("subject_token", token)]).await.expect(200);
    assert_eq!(
        answer.body["scope"], "organisation:read notice:read notice:write own-use:read policy:read",
        "nothing that only people do"
    );
}

#[actix_web::test]
async fn a_case_system_acts_with_the_people_of_its_own_organisation_and_area_alone() {
    let desk = Desk::new().await;
    let elsewhere = desk.index.authority().await;
    let sibling = desk.index.organisation("school", Some(desk.council)).await;
    for (organisation, may) in
        [(desk.school, true), (desk.council, true), (sibling, false), (elsewhere, false)]
    {
        let system = system(&desk.index, organisation, json!({})).await;
        let answer = desk.exchange(&system, &[]).await;
        if may {
            answer.expect(200)
        } else {
            answer.refused(400, "invalid_request")
        };
    }
}

#[actix_web::test]
async fn what_is_not_the_token_of_a_person_is_not_exchanged() {
    let desk = Desk::new().await;
    let again = desk.exchanged().await;
    let again = again.strip_prefix("Bearer ").unwrap();
    let own = text(&ask(&desk.index, &desk.system.form(), "").await.expect(200), "access_token")
        .to_owned();
    desk.index.clock.set(after(30));
    let refresh = desk.teacher.sign_in(&desk.index).await.expect(200);
    let refresh = text(&refresh, "refreshToken").to_owned();
    let rows = desk.index.rows().await;
    for (changed, problem) in [
        (("subject_token", ""), "invalid_request"),
        (("subject_token", "nonsense"), "invalid_request"),
        (("subject_token", again), "invalid_request"),
        (("subject_token", &*own), "invalid_request"),
        (("subject_token", &*refresh), "invalid_request"),
        (("subject_token_type", ""), "invalid_request"),
        (
            ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            "invalid_request",
        ),
        (("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"), "invalid_request"),
        (
            ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            "invalid_request",
        ),
        (("actor_token", &*own), "invalid_request"),
        (("actor_token_type", ACCESS_TOKEN), "invalid_request"),
        (("audience", "https://other.example"), "invalid_target"),
        (("resource", "https://other.example"), "invalid_target"),
    ] {
        let answer = desk.exchange(&desk.system, &[changed]).await.refused(400, problem);
        assert_eq!(desk.index.event(&answer).await["problem"], problem, "{changed:?}");
    }
    let known = desk.exchange(&desk.system, &[("client_secret", "wrong")]).await;
    let nobody = desk.exchange(&desk.system, &[("client_secret", "")]).await;
    assert_eq!(outside(&known.refused(401, "invalid_client")), outside(&nobody));
    assert_eq!(desk.index.rows().await, rows, "nothing was stored");
    for good in [
        ("audience", "contactpoint"),
        ("resource", "http://contactpoint.test"),
        ("requested_token_type", ACCESS_TOKEN),
    ] {
        desk.exchange(&desk.system, &[good]).await.expect(200);
    }
}

#[actix_web::test]
async fn only_a_case_system_exchanges() {
    let desk = Desk::new().await;
    let feed = system(&desk.index, desk.council, json!({ "role": "feed" })).await;
    desk.exchange(&feed, &[]).await.refused(400, "unauthorized_client");
}

#[actix_web::test]
async fn it_ends_with_the_person_the_sign_in_the_system_and_either_organisation() {
    for stop in [
        "update account set status = 'suspended' where role = 'practitioner'",
        "update account set trained_until = '2026-11-15' where role = 'practitioner'",
        "update session set ended_at = now() where parent_id is null and account_id is not null",
        "update client set status = 'suspended'",
        "update organisation set status = 'suspended' where kind = 'school'",
        "update organisation set status = 'suspended' where kind = 'localAuthority'",
    ] {
        let desk = Desk::new().await;
        let token = desk.exchanged().await;
        desk.open(&token).await.expect(200);
        sqlx::query(stop).execute(&desk.index.db).await.unwrap();
        desk.open(&token).await.refused(401, "unauthenticated");
        let answer = desk.exchange(&desk.system, &[]).await;
        assert!([400, 401].contains(&answer.status), "{stop}: {}", answer.status);
    }
}

#[actix_web::test]
async fn signing_out_ends_it_and_revoking_it_ends_nothing_else() {
    let desk = Desk::new().await;
    let (first, second) = (desk.exchanged().await, desk.exchanged().await);
    let revoke = async |token: &str, more: &str| {
        let form = format!("token={token}{more}");
        desk.index.request(None, "POST", "/oauth/revoke", &*form, &[FORM]).await
    };
    let own = format!("&client_id={}&client_secret={}", desk.system.id, desk.system.secret);
    let raw = first.strip_prefix("Bearer ").unwrap();
    revoke(raw, "").await.refused(401, "invalid_client");
    revoke(raw, &own).await.expect(200);
    desk.open(&first).await.refused(401, "unauthenticated");
    desk.open(&second).await.expect(200);
    desk.open(&format!("Bearer {}", desk.token)).await.expect(200);
    revoke(&desk.token, &own).await.refused(401, "invalid_client");
    revoke(&desk.token, "").await.expect(200);
    desk.open(&second).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn a_sign_in_is_no_fresher_for_being_exchanged() {
    let desk = Desk::new().await;
    let signed_in = desk.index.now().timestamp();
    desk.index.clock.set(after(400));
    let answer = desk.exchange(&desk.system, &[]).await.expect(200);
    assert_eq!(claims(&answer)["auth_time"], signed_in);
}

#[actix_web::test]
async fn a_token_that_is_bound_to_a_key_is_exchanged_only_with_a_proof_of_that_key() {
    let desk = Desk::new().await;
    let (holder, other) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let person = desk.index.account(Role::Practitioner, desk.school).await;
    let bound = desk.index.bound_token(&person, Some(&holder.thumbprint()));
    let now = desk.index.now().timestamp();
    let form = serde_urlencoded::to_string([
        ("grant_type", GRANT),
        ("client_id", &desk.system.id),
        ("client_secret", &desk.system.secret),
        ("subject_token", &bound),
        ("subject_token_type", ACCESS_TOKEN),
    ]);
    let form = form.unwrap();
    let ask = async |proof: &str| {
        desk.index.request(None, "POST", "/oauth/token", &*form, &[FORM, ("DPoP", proof)]).await
    };
    ask("").await.refused(400, "invalid_dpop_proof");
    ask(&other.proof("1", now)).await.refused(400, "invalid_dpop_proof");
    let answer = ask(&holder.proof("1", now)).await.expect(200);
    assert_eq!(answer.body["token_type"], "DPoP");
    assert_eq!(claims(&answer)["cnf"]["jkt"], holder.thumbprint());
}
