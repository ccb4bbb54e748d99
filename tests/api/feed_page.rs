//! What the page for suppliers says is what the service does, and so does `contactpoint feed push`.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use contactpoint::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Index, Scene},
    raw,
};

const PAGE: &str = include_str!("../../docs/feeds.md");

/// A request of the page, with what it is answered at least.
struct Step {
    request: &'static str,
    status: u16,
    answer: Value,
}

fn steps() -> Vec<Step> {
    let steps = PAGE.split("```http\n").skip(1).map(|step| {
        let (request, rest) = step.split_once("\n```").unwrap();
        let status = rest.split('`').nth(1).unwrap().parse().unwrap();
        let (answer, _) = rest.split_once("```json\n").unwrap().1.split_once("```").unwrap();
        Step { request, status, answer: serde_json::from_str(answer).unwrap() }
    });
    steps.collect()
}

/// Fails unless `told` holds all that `expected` has; what stands in braces for the first time is taken from it.
fn hold(told: &Value, expected: &Value, known: &mut HashMap<String, String>) {
    match expected {
        Value::Object(members) => {
            for (name, expected) in members {
                hold(
                    told.get(name).unwrap_or_else(|| panic!("no {name}: {told}")),
                    expected,
                    known,
                );
            }
        }
        Value::Array(items) => {
            assert_eq!(told.as_array().unwrap().len(), items.len(), "{told}");
            for (n, expected) in items.iter().enumerate() {
                hold(&told[n], expected, known);
            }
        }
        Value::String(text) if text.starts_with('{') => {
            let told = told.as_str().unwrap().to_owned();
            assert_eq!(known.entry(text.clone()).or_insert_with(|| told.clone()), &told);
        }
        expected => assert_eq!(told, expected),
    }
}

async fn administrator(index: &Index) -> (Scene, HashMap<String, String>) {
    let scene = index.scene().await;
    let token = index.token(scene.caller(Role::AccountAdministrator));
    let known = HashMap::from([("{administrator}".to_owned(), token)]);
    (scene, known)
}

#[actix_web::test]
async fn every_request_of_the_page_is_answered_as_it_says() {
    let index = Index::start().await;
    let (_, mut known) = administrator(&index).await;
    let steps = steps();
    assert_eq!(steps.len(), 7);
    for Step { request, status, answer } in steps {
        let filled = |text: &str| {
            known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let (line, headers) = head.split_once('\n').unwrap();
        let (method, path) = line.split_once(' ').unwrap();
        let headers: String = headers.lines().map(|header| filled(header) + "\r\n").collect();
        let (path, body, address) = (filled(path), filled(body), index.address());
        let method = method.to_owned();
        let asked = std::thread::spawn(move || raw::ask(address, &method, &path, &headers, &body));
        while !asked.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let told = asked.join().unwrap();
        assert_eq!(told.status, status, "{line}: {}", told.body);
        hold(&serde_json::from_str(&told.body).unwrap(), &answer, &mut known);
    }
}

/// A client with its secret in a file, and a feed to which it sends.
struct Desk {
    index: Index,
    feed: Uuid,
    client: String,
    folder: PathBuf,
}

impl Desk {
    async fn new() -> Self {
        let index = Index::start().await;
        let (scene, _) = administrator(&index).await;
        let feed = index.feed(scene.school).await;
        let client = json!({ "name": "Example Park MIS", "role": "feed", "tokenEndpointAuthMethod": "client_secret" });
        let by = scene.caller(Role::AccountAdministrator);
        let client = index.post(by, "/v1/clients", client).await.expect(201);
        let folder = std::env::temp_dir().join(format!("contactpoint-push-{}", Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("secret"), client.body["clientSecret"].as_str().unwrap()).unwrap();
        let client = client.body["id"].as_str().unwrap().to_owned();
        Self { index, feed, client, folder }
    }

    fn file(&self, name: &str, body: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, body).unwrap();
        path.display().to_string()
    }

    /// What `contactpoint feed push` says, and its exit code.
    async fn push(&self, arguments: &[&str]) -> (i32, String) {
        let mut push = Command::new(env!("CARGO_BIN_EXE_contactpoint"));
        push.args(["feed", "push", "--client-id", &self.client, "--feed", &self.feed.to_string()])
            .arg("--secret-file")
            .arg(self.folder.join("secret"))
            .arg("--url")
            .arg(format!("http://{}", self.index.address()))
            .args(arguments);
        let run = tokio::task::spawn_blocking(move || push.output().unwrap());
        let Output { status, stdout, stderr } = run.await.unwrap();
        let said = [stdout, stderr].concat();
        (status.code().unwrap(), String::from_utf8(said).unwrap())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const ROWS: &str = "reference,given,family,dateOfBirth,gender\n\
                    PUPIL-1,Isla,Fernbrook,2019-06-21,female\n\
                    PUPIL-2,Oliver,Fernbrook,2019-06-21,S3cret\n";

#[actix_web::test]
async fn a_file_is_pushed_followed_and_told_of_without_a_value() {
    let desk = Desk::new().await;
    let file = desk.file("pupils.csv", ROWS);
    let (code, first) = desk.push(&[&file, "--no-wait"]).await;
    assert_eq!(code, 0, "{first}");
    assert!(first.contains("has 2 rows"), "{first}");
    let (code, again) = desk.push(&[&file, "--no-wait"]).await;
    assert_eq!((code, &again), (0, &first), "the same file is the same batch");
    let done = "update feed_batch set status = 'done', created = 1, ended_at = received_at, begun_at = received_at
                where feed_id = $1 and status in ('waiting', 'processing')";
    sqlx::query(done).bind(desk.feed).execute(&desk.index.db).await.unwrap();
    let (code, told) = desk.push(&[&file]).await;
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("rejected 1") && told.contains("line 3: /gender: "), "{told}");
    assert!(told.contains("In trial") && !told.contains("S3cret"), "{told}");
    let (code, other) = desk.push(&[&file, "--complete", "--no-wait"]).await;
    assert_eq!(code, 0);
    assert_ne!(other, first, "what holds every child is another batch");
}

#[actix_web::test]
async fn each_way_in_which_nothing_is_sent_has_its_exit_code() {
    let desk = Desk::new().await;
    let file = desk.file("pupils.csv", ROWS);
    let unknown = desk.file("more.csv", "reference,given,family,dateOfBirth,gender,ethnicity\n");
    let (code, told) = desk.push(&[&unknown]).await;
    assert_eq!(code, 4, "{told}");
    assert!(told.contains("Column 6"), "{told}");
    let nameless = desk.file("pupils", ROWS);
    assert_eq!(desk.push(&[&nameless]).await.0, 2);
    assert_eq!(desk.push(&[&nameless, "--format", "csv", "--no-wait"]).await.0, 0);
    assert_eq!(desk.push(&[&nameless, "--format", "xlsx"]).await.0, 2);
    let (code, told) = desk.push(&[&desk.folder.join("none.csv").display().to_string()]).await;
    assert!(code == 3 && told.contains("none.csv"), "{code} {told}");
    fs::write(desk.folder.join("secret"), "not the secret").unwrap();
    let (code, told) = desk.push(&[&file]).await;
    assert!(code == 3 && told.contains("signing in"), "{code} {told}");
    assert!(!told.contains("not the secret"));
    fs::remove_file(desk.folder.join("secret")).unwrap();
    assert_eq!(desk.push(&[&file]).await.0, 78);
}
