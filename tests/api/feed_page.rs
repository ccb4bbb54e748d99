//! What the page for suppliers says is what the service does, and so does `contactpoint feed push`.

use std::{
    collections::HashMap,
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_lc_rs::{
    encoding::AsBigEndian,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::TimeDelta;
use contactpoint::{access::Role, clock::Clock};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    feed_work::work,
    forged::ISSUER,
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
    assert_eq!(steps.len(), 12);
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
        if method == "GET" {
            work(&index).await;
        }
        // Of two batches one came later.
        index.clock.set(index.clock.now() + TimeDelta::seconds(1));
        // A client calls 5 times a second.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
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
    scene: Scene,
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
        Self { index, scene, feed, client, folder }
    }

    fn file(&self, name: &str, body: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, body).unwrap();
        path.display().to_string()
    }

    /// What `contactpoint feed push` says, and its exit code.
    async fn push(&self, arguments: &[&str]) -> (i32, String) {
        let secret = self.folder.join("secret").display().to_string();
        let (feed, proof) = (self.feed.to_string(), ["--secret-file", &secret]);
        self.send(&self.client, &feed, &proof, arguments).await
    }

    /// The same, of this client, feed and proof.
    async fn send(
        &self,
        client: &str,
        feed: &str,
        proof: &[&str],
        arguments: &[&str],
    ) -> (i32, String) {
        let url = format!("http://{}", self.index.address());
        let whole = ["feed", "push", "--client-id", client, "--feed", feed, "--url", &url];
        run(&[&whole, proof, arguments].concat()).await
    }

    /// A client that is registered with the public key of a file, as `contactpoint feed key` shows it.
    async fn keyed(&self, keys: &[&str]) -> String {
        let mut all = Vec::new();
        for key in keys {
            let (code, shown) = run(&["feed", "key", key]).await;
            assert_eq!(code, 0, "{shown}");
            let mut shown: Value = serde_json::from_str(&shown).unwrap();
            all.push(shown["keys"][0].take());
        }
        let by = self.scene.caller(Role::AccountAdministrator);
        let client = json!({ "name": "Keyed MIS", "role": "feed", "tokenEndpointAuthMethod": "private_key_jwt", "jwks": { "keys": all } });
        let client = self.index.post(by, "/v1/clients", client).await.expect(201);
        client.body["id"].as_str().unwrap().to_owned()
    }
}

async fn run(arguments: &[&str]) -> (i32, String) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_contactpoint"));
    run.args(arguments);
    let run = tokio::task::spawn_blocking(move || run.output().unwrap());
    let Output { status, stdout, stderr } = run.await.unwrap();
    let said = [stdout, stderr].concat();
    (status.code().unwrap(), String::from_utf8(said).unwrap())
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
    let early = ["--as-at", "2026-11-17"];
    assert_eq!(desk.push(&[&file, early[0], early[1]]).await.0, 2, "the index begins a day before");
    let large = format!("{}\n", "reference,given,family,dateOfBirth,gender,ethnicity")
        + &"A,B,C,2019-06-21,female,X\n".repeat(500_000);
    let large = desk.file("large.csv", &large);
    let (code, told) = desk.push(&[&large]).await;
    assert!(code == 4 && told.contains("Column 6"), "a refusal in the midst of it: {code} {told}");
    fs::write(desk.folder.join("secret"), "not the secret").unwrap();
    let (code, told) = desk.push(&[&file]).await;
    assert!(code == 78 && told.contains("signing in"), "{code} {told}");
    assert!(!told.contains("not the secret"));
    fs::remove_file(desk.folder.join("secret")).unwrap();
    assert_eq!(desk.push(&[&file]).await.0, 78);
}

/// Private keys in each form, as OpenSSL and others write them.
fn key_files(desk: &Desk) -> Vec<String> {
    let pem = |label: &str, der: &[u8]| {
        let body = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let of = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let (ed25519, p256) =
        (Ed25519KeyPair::generate().unwrap(), EcdsaKeyPair::generate(of).unwrap());
    let held = (ed25519.seed().unwrap(), p256.private_key());
    let (seed, d) = (held.0.as_be_bytes().unwrap(), held.1.as_be_bytes().unwrap());
    let (seed, d): (&[u8], &[u8]) = (seed.as_ref(), d.as_ref());
    let point = p256.public_key().as_ref();
    let files = [
        ("ed25519.pem", pem("PRIVATE KEY", ed25519.to_pkcs8v1().unwrap().as_ref())),
        ("ed25519-v2.pem", pem("PRIVATE KEY", ed25519.to_pkcs8().unwrap().as_ref())),
        ("p256.pem", pem("PRIVATE KEY", p256.to_pkcs8v1().unwrap().as_ref())),
        ("ed25519.json", json!({ "kty": "OKP", "crv": "Ed25519", "x": number(ed25519.public_key().as_ref()), "d": number(seed), "kid": "own" }).to_string()),
        ("p256.json", json!({ "kty": "EC", "crv": "P-256", "x": number(&point[1..33]), "y": number(&point[33..]), "d": number(d) }).to_string()),
    ];
    files.map(|(name, text)| desk.file(name, &text)).to_vec()
}

#[actix_web::test]
async fn a_client_proves_itself_by_a_key_that_never_leaves_the_machine() {
    let desk = Desk::new().await;
    desk.index.clock.set(Clock::System.now());
    let file = desk.file("pupils.csv", ROWS);
    let (feed, issuer) = (desk.feed.to_string(), ["--issuer", ISSUER]);
    let keys = key_files(&desk);
    for key in &keys {
        let client = desk.keyed(&[key]).await;
        let proof = ["--key", key, issuer[0], issuer[1]];
        let (code, told) = desk.send(&client, &feed, &proof, &[&file, "--no-wait"]).await;
        assert_eq!(code, 0, "{key}: {told}");
    }
    let client = desk.keyed(&[&keys[0], &keys[2]]).await;
    let named: Value = serde_json::from_str(&run(&["feed", "key", &keys[2]]).await.1).unwrap();
    let named = named["keys"][0]["kid"].as_str().unwrap().to_owned();
    let proof = ["--key", &keys[2], issuer[0], issuer[1]];
    let (code, told) = desk.send(&client, &feed, &proof, &[&file, "--no-wait"]).await;
    assert_eq!(code, 78, "which of two keys is not said: {told}");
    let more = [&file, "--no-wait", "--key-id", &named];
    assert_eq!(desk.send(&client, &feed, &proof, &more).await.0, 0);
}

#[actix_web::test]
async fn a_key_that_is_none_or_not_the_clients_is_the_configurations_fault_and_is_never_shown() {
    let desk = Desk::new().await;
    desk.index.clock.set(Clock::System.now());
    let (file, feed) = (desk.file("pupils.csv", ROWS), desk.feed.to_string());
    let keys = key_files(&desk);
    let client = desk.keyed(&[&keys[0]]).await;
    let [own, other] = [&keys[0], &keys[3]];
    for proof in [
        &["--key", other, "--issuer", ISSUER][..],
        &["--key", own, "--issuer", "https://elsewhere.example.org"],
        &["--key", own],
    ] {
        let (code, told) = desk.send(&client, &feed, proof, &[&file]).await;
        assert!(code == 78 && told.contains("signing in"), "{proof:?}: {code} {told}");
    }
    let shown = run(&["feed", "key", other]).await.1;
    let d = fs::read_to_string(other).unwrap();
    let d: Value = serde_json::from_str(&d).unwrap();
    assert!(!shown.contains(d["d"].as_str().unwrap()), "{shown}");
    let public = serde_json::from_str::<Value>(&shown).unwrap()["keys"][0].to_string();
    let split =
        fs::read_to_string(other).unwrap().replace(d["x"].as_str().unwrap(), &"A".repeat(43));
    for (name, text) in [
        ("public.json", &*public),
        ("split.json", &split),
        ("empty.pem", ""),
        ("text.pem", "S3cret"),
        ("odd.pem", "-----BEGIN PRIVATE KEY-----\nUzNjcmV0\n-----END PRIVATE KEY-----"),
        ("rsa.json", r#"{"kty":"RSA","crv":"","x":"","d":"S3cret"}"#),
    ] {
        let key = desk.file(name, text);
        let (code, told) = desk.send(&client, &feed, &["--key", &key], &[&file]).await;
        assert!(code == 78 && told.contains(name), "{name}: {code} {told}");
        assert!(!told.contains("S3cret"), "{name}: {told}");
    }
    let secret = desk.folder.join("secret").display().to_string();
    let both = ["--key", own, "--secret-file", &secret];
    assert_eq!(desk.send(&client, &feed, &both, &[&file]).await.0, 2, "one proof is enough");
    assert_eq!(desk.send(&client, &feed, &[], &[&file]).await.0, 2, "and one is needed");
    let (code, told) = desk
        .send(&client, &Uuid::new_v4().to_string(), &["--key", own, "--issuer", ISSUER], &[&file])
        .await;
    assert_eq!(code, 78, "a feed that is not there: {told}");
}

/// Passes on what is sent to the index; the first time that so many bytes were sent, it breaks off.
fn breaking_once(to: SocketAddr, after: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for from in listener.incoming() {
            let (mut from, mut into) = (from.unwrap(), TcpStream::connect(to).unwrap());
            let (mut back, mut told) = (into.try_clone().unwrap(), from.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut told));
            let broken = broken.clone();
            std::thread::spawn(move || {
                let (mut sent, mut piece) = (0, [0; 8 * 1024]);
                while let Ok(read) = from.read(&mut piece)
                    && read > 0
                    && into.write_all(&piece[..read]).is_ok()
                {
                    sent += read;
                    if sent > after && !broken.swap(true, Ordering::Relaxed) {
                        break;
                    }
                }
                let _ = (from.shutdown(Shutdown::Both), into.shutdown(Shutdown::Both));
            });
        }
    });
    address
}

#[actix_web::test]
async fn a_connection_that_breaks_is_tried_again_and_the_file_is_sent_once() {
    let desk = Desk::new().await;
    let rows: Vec<_> =
        (0..3_000).map(|n| format!("P-{n},Isla,Fernbrook,2019-06-21,female\n")).collect();
    let rows = rows.concat();
    let file =
        desk.file("pupils.csv", &format!("reference,given,family,dateOfBirth,gender\n{rows}"));
    let through = format!("http://{}", breaking_once(desk.index.address(), 50 * 1024));
    let secret = desk.folder.join("secret").display().to_string();
    let feed = desk.feed.to_string();
    let sent = [
        "feed",
        "push",
        "--client-id",
        &desk.client,
        "--feed",
        &feed,
        "--url",
        &through,
        "--secret-file",
        &secret,
    ];
    let (code, told) = run(&[&sent[..], &[&file, "--no-wait"]].concat()).await;
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("trying again") && told.contains("has 3000 rows"), "{told}");
    let kept = "select (select count(*) from feed_row), (select count(*) from feed_batch where status = 'waiting')";
    let kept: (i64, i64) = sqlx::query_as(kept).fetch_one(&desk.index.db).await.unwrap();
    assert_eq!(kept, (3_000, 1));

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = format!("http://{nobody}");
    let waits = tokio::time::Instant::now();
    let sent = [
        "feed",
        "push",
        "--client-id",
        &desk.client,
        "--feed",
        &feed,
        "--url",
        &nowhere,
        "--secret-file",
        &secret,
    ];
    let (code, told) = run(&[&sent[..], &[&file]].concat()).await;
    assert_eq!((code, told.matches("trying again").count()), (3, 5), "{told}");
    assert!(waits.elapsed().as_secs() >= 60, "a service that starts anew is back by then");
}
