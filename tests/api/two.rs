//! Two servers on one database: whoever is stopped at one of them gets no further answer from the other.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use contactpoint::access::Role;
use futures_util::future::{join, join_all};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Answer, Caller, Child, Index, Organisation};

/// What is stopped, at the first server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Session,
    Account,
    Client,
    Organisation,
    Everything,
}

/// Who is there: two who are stopped, and those who stop them.
struct Place {
    first: Index,
    second: Index,
    school: Organisation,
    child: Child,
    administrator: Caller,
    operator: Caller,
}

impl Place {
    async fn new() -> Self {
        let first = Index::start().await;
        let second = first.beside(&[]).await;
        let authority = first.authority().await;
        let school = first.organisation("school", Some(authority)).await;
        let national = first.organisation("nationalPartner", None).await;
        let child = first.child(authority).await;
        let administrator = first.account(Role::AccountAdministrator, school).await;
        let operator = first.account(Role::Operator, national).await;
        Self { first, second, school, child, administrator, operator }
    }

    /// Somebody whom this stops.
    async fn caller(&self, stop: Stop) -> Caller {
        let role = if stop == Stop::Client { Role::Feed } else { Role::Practitioner };
        self.first.caller(role, self.school).await
    }

    async fn stop(&self, stop: Stop, caller: &Caller) -> Answer {
        match stop {
            Stop::Session => {
                let form = format!("token={}", self.first.token(caller));
                let headers = [("Content-Type", "application/x-www-form-urlencoded")];
                self.first.request(None, "POST", "/oauth/revoke", form.as_str(), &headers).await
            }
            Stop::Account => {
                let path = format!("/v1/accounts/{}", caller.id);
                let body = json!({ "status": "suspended" });
                self.first.patch(&self.administrator, &path, 1, body).await
            }
            Stop::Client => {
                let path = format!("/v1/clients/{}", caller.id);
                let body = json!({ "status": "suspended" });
                self.first.patch(&self.administrator, &path, 1, body).await
            }
            Stop::Organisation => {
                let path = format!("/v1/organisations/{}/suspension", self.school.id);
                self.first.request(&self.operator, "PUT", &path, (), &[]).await
            }
            Stop::Everything => {
                self.first.request(&self.operator, "PUT", "/v1/stop", (), &[]).await
            }
        }
    }

    async fn lift(&self, stop: Stop) {
        let path = match stop {
            Stop::Organisation => format!("/v1/organisations/{}/suspension", self.school.id),
            Stop::Everything => "/v1/stop".to_owned(),
            _ => return,
        };
        self.first.request(&self.operator, "DELETE", &path, (), &[]).await.expect(200);
    }
}

/// When it was asked for, and the status.
type Answered = (Instant, u16);

#[actix_web::test]
async fn whoever_is_stopped_at_one_server_gets_no_answer_that_begins_later_at_the_other() {
    let place = Place::new().await;
    let stops = [Stop::Session, Stop::Account, Stop::Client, Stop::Organisation, Stop::Everything];
    for stop in stops.into_iter().cycle().take(10) {
        let caller = place.caller(stop).await;
        let path = if stop == Stop::Client { "/v1/policies".into() } else { place.child.path("") };
        let (asked, done) = (RefCell::new(Vec::new()), Cell::new(false));
        let load = join_all((0..8).map(async |_| {
            while !done.get() {
                let began = Instant::now();
                let answer = place.second.get(&caller, &path).await;
                asked.borrow_mut().push((began, answer.status));
            }
        }));
        let stopping = async {
            let wait = async |enough: &dyn Fn(&[Answered]) -> bool| {
                while !enough(&asked.borrow()) {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            wait(&|asked| asked.iter().any(|(_, status)| *status == 200)).await;
            place.stop(stop, &caller).await.expect(200);
            let answered = Instant::now();
            wait(&|asked| asked.iter().filter(|(began, _)| *began >= answered).count() >= 8).await;
            done.set(true);
            answered
        };
        let (_, answered) = join(load, stopping).await;
        let asked = asked.into_inner();
        let (before, after): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|(began, _)| *began < answered);
        assert!(before.iter().any(|(_, status)| *status == 200), "{stop:?}: none before");
        assert!(after.len() >= 8, "{stop:?}: {} after", after.len());
        let refused = if stop == Stop::Everything { 503 } else { 401 };
        for (_, status) in after {
            assert_eq!(status, refused, "{stop:?}");
        }
        place.lift(stop).await;
    }
}
