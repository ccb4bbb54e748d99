//! The program as a process: killed in mid-write, its service or its database, it keeps what it acknowledged; and it takes in
//! a change of its signing keys while it runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use contactpoint::{
    clock::Clock,
    metric::{self, MetricKind},
    session::totp::{Seed, code_at},
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

/// A demo in a folder of its own, whose program can be killed and started again.
struct Demo {
    folder: PathBuf,
    program: Child,
    told: Value,
    metrics: SocketAddr,
}

impl Demo {
    fn start(folder: &Path) -> Self {
        Self::with(folder, &[])
    }

    /// With so much more in its environment.
    fn with(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let metrics = free_address();
        let mut program = Command::new(env!("CARGO_BIN_EXE_contactpoint"))
            .env("CONTACTPOINT_METRICS_LISTEN", metrics.to_string())
            .envs(environment.iter().copied())
            .args(["demo", "--json", "--children", "20", "--listen", "127.0.0.1:0", "--folder"])
            .arg(folder)
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = serde_json::from_str(&line).unwrap();
        Self { folder: folder.to_owned(), program, told, metrics }
    }

    fn anew(name: &str) -> Self {
        Self::start(&Self::folder(name))
    }

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("contactpoint-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).unwrap();
        folder
    }

    fn kill(&mut self) {
        signal(self.program.id(), "KILL");
        self.program.wait().unwrap();
    }

    fn kill_database(&self) {
        let pid = fs::read_to_string(self.folder.join("postgres/data/postmaster.pid")).unwrap();
        signal(pid.lines().next().unwrap().parse().unwrap(), "KILL");
    }

    /// Ends, and leaves nothing behind; what failed is kept to be looked at.
    fn clear_away(self) {
        let folder = self.folder.clone();
        drop(self);
        fs::remove_dir_all(folder).unwrap();
    }

    /// Starts again; says how long it took until it was ready.
    fn restart(&mut self) -> Duration {
        let begun = Instant::now();
        *self = Self::start(&self.folder.clone());
        begun.elapsed()
    }

    fn url(&self) -> String {
        self.told["url"].as_str().unwrap().to_owned()
    }

    async fn sign_in(&self, user_name: &str) -> String {
        let accounts = self.told["accounts"].as_array().unwrap();
        let account = accounts.iter().find(|account| account["userName"] == user_name).unwrap();
        let seed = Seed::from_uri(account["otpauth"].as_str().unwrap()).unwrap();
        let body = json!({
            "userName": user_name, "password": account["password"], "pin": account["pin"],
            "oneTimeCode": code_at(&seed, Clock::System.now()).unwrap(),
        });
        let url = format!("{}/v1/sessions", self.url());
        let answer = Client::new().post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<Value>().await.unwrap()["accessToken"].as_str().unwrap().to_owned()
    }

    /// Writes from several callers at once until the service is gone; keeps what was acknowledged.
    async fn write(&self, token: &str, acknowledged: Acknowledged) {
        let child = self.told["examples"]["indexNumber"].as_str().unwrap();
        let path = format!("{}/v1/children/{child}/carers", self.url());
        let writers = (0..4).map(|_| {
            let (path, token, acknowledged) =
                (path.clone(), token.to_owned(), acknowledged.clone());
            tokio::spawn(async move {
                let client = Client::new();
                while let Some((carer, request)) = add_carer(&client, &path, &token).await {
                    acknowledged.lock().unwrap().push((carer, request));
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    }

    async fn assert_kept(&self, acknowledged: &[(String, String)]) {
        let options = PgConnectOptions::new_without_pgpass().socket(self.folder.join("postgres"));
        let options = options.username("contactpoint").database("contactpoint");
        let mut database = PgConnection::connect_with(&options).await.unwrap();
        for (carer, request) in acknowledged {
            let carers: i64 =
                sqlx::query_scalar("select count(*) from carer where carer_id = $1::uuid")
                    .bind(carer)
                    .fetch_one(&mut database)
                    .await
                    .unwrap();
            assert_eq!(carers, 1, "an acknowledged write was lost");
            let events: i64 = sqlx::query_scalar(
                "select count(*) from audit_event where request_id = $1::uuid and status = 201",
            )
            .bind(request)
            .fetch_one(&mut database)
            .await
            .unwrap();
            assert_eq!(events, 1, "an acknowledged write has no audit event, or two");
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        signal(self.program.id(), "INT");
        let _ = self.program.wait();
    }
}

type Acknowledged = Arc<Mutex<Vec<(String, String)>>>;

fn signal(process: u32, name: &str) {
    let _ =
        Command::new("sh").args(["-c", &format!("kill -{name} {process} 2>/dev/null")]).status();
}

/// Adds a carer; none if the service is gone.
async fn add_carer(client: &Client, path: &str, token: &str) -> Option<(String, String)> {
    let request = uuid::Uuid::new_v4().to_string();
    let carer = json!({ "name": { "given": ["Test"], "family": "Carer" }, "relationship": "other", "parentalResponsibility": false });
    let sending = client
        .post(path)
        .bearer_auth(token)
        .header("Access-Reason", "data-quality")
        .header("Idempotency-Key", &request)
        .header("X-Request-Id", &request)
        .timeout(Duration::from_secs(10))
        .json(&carer);
    let answer = sending.send().await.ok()?;
    if answer.status() != StatusCode::CREATED {
        return None;
    }
    let told: Value = answer.json().await.ok()?;
    Some((told["id"].as_str().unwrap().to_owned(), request))
}

async fn write_until(demo: &mut Demo, kill: fn(&mut Demo)) -> Vec<(String, String)> {
    let token = demo.sign_in("steward").await;
    let acknowledged = Acknowledged::default();
    let watch = acknowledged.clone();
    {
        let writing = demo.write(&token, acknowledged);
        let enough = async {
            while watch.lock().unwrap().len() < 50 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! { () = writing => panic!("nobody could write"), () = enough => {} }
    }
    kill(demo);
    tokio::time::sleep(Duration::from_millis(200)).await;
    watch.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_kill_of_the_service() {
    let mut demo = Demo::anew("crash-service");
    let acknowledged = write_until(&mut demo, Demo::kill).await;
    let took = demo.restart();
    println!("{} acknowledged writes; ready again after {took:?}", acknowledged.len());
    demo.assert_kept(&acknowledged).await;
    demo.clear_away();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_kill_of_the_database() {
    let mut demo = Demo::anew("crash-database");
    let acknowledged = write_until(&mut demo, |demo| demo.kill_database()).await;
    let answer = Client::new().get(format!("{}/health/ready", demo.url())).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    demo.kill();
    let took = demo.restart();
    println!("{} acknowledged writes; ready again after {took:?}", acknowledged.len());
    demo.assert_kept(&acknowledged).await;
    demo.clear_away();
}

/// An address at which nobody listens.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[actix_web::test]
async fn the_running_service_tells_what_it_measures_and_nothing_else() {
    let demo = Demo::anew("metrics");
    let client = Client::new();
    let token = demo.sign_in("steward").await;
    let look = client.get(format!("{}/v1/organisations", demo.url())).bearer_auth(&token);
    assert_eq!(look.send().await.unwrap().status(), StatusCode::OK);
    let metrics = async || {
        let answer = client.get(format!("http://{}/metrics", demo.metrics)).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let (begun, mut text) = (Instant::now(), metrics().await);
    while !text.contains(metric::FEED_ROWS_WAITING) && begun.elapsed() < Duration::from_secs(15) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        text = metrics().await;
    }
    let told: Vec<_> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for line in &told {
        let name = line.split(['{', ' ']).next().unwrap();
        let known = metric::ALL.iter().any(|metric| match metric.kind {
            MetricKind::Histogram => name
                .strip_prefix(metric.name)
                .is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest)),
            MetricKind::Counter | MetricKind::Gauge => name == metric.name,
        });
        assert!(known, "{line}");
    }
    let expected = [
        "http_server_request_duration_seconds_count{operation=\"list_organisations\",status=\"200\"} 1",
        "contactpoint_requests_under_way 0",
        "contactpoint_feed_rows_waiting 0",
        "contactpoint_events_due 0",
    ];
    for line in expected {
        assert!(told.contains(&line), "{line} in {told:#?}");
    }
    for part in [
        "contactpoint_pool_connections{",
        "contactpoint_audit_batch_events_bucket{",
        "# HELP contactpoint_requests_under_way Requests",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("steward"), "nobody is named");
    demo.clear_away();
}

#[actix_web::test]
async fn whatever_the_service_does_by_itself_takes_leave_of_the_database() {
    let demo = Demo::anew("leave");
    tokio::time::sleep(Duration::from_secs(6)).await;
    let log = fs::read_to_string(demo.folder.join("postgres/log")).unwrap();
    assert!(log.contains("ready to accept connections"), "{log}");
    assert!(!log.contains("unexpected EOF"), "{log}");
    demo.clear_away();
}

/// Takes whatever is sent to it by HTTP, one request a connection or several, and keeps the bytes.
fn collector() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, kept) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let keeps = kept.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let keeps = keeps.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(&stream);
                loop {
                    let (mut length, mut line) = (0, String::new());
                    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                        let lower = line.to_lowercase();
                        if let Some(value) = lower.strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        keeps.lock().unwrap().extend(line.drain(..).as_str().bytes());
                    }
                    let mut body = vec![0; length];
                    if length == 0 || reader.read_exact(&mut body).is_err() {
                        break;
                    }
                    keeps.lock().unwrap().extend(body);
                    (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    (address, kept)
}

#[actix_web::test]
async fn traces_tell_of_requests_and_of_nobody() {
    let (address, kept) = collector();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*format!("http://{address}")),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let demo = Demo::with(&Demo::folder("traces"), &environment);
    let token = demo.sign_in("teacher").await;
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let name = json!({ "given": ["Secretgiven"], "family": "Secretfamily" });
    let search = json!({ "name": name, "dateOfBirth": "2015-03-14" });
    let answer = Client::new()
        .post(format!("{}/v1/children/search?secretquery=Secretvalue", demo.url()))
        .bearer_auth(&token)
        .header("Access-Reason", "direct-service")
        .header("traceparent", format!("00-{trace}-{parent}-01"))
        .header("tracestate", "vendor=secretstate")
        .header("baggage", "name=secretbaggage")
        .header("User-Agent", "secretagent")
        .json(&search);
    answer.send().await.unwrap();
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let holds = |what: &[u8]| kept.lock().unwrap().windows(what.len()).any(|part| part == what);
    let (route, begun) = (b"POST /v1/children/search", Instant::now());
    while !holds(route) && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = String::from_utf8_lossy(&kept.lock().unwrap()).into_owned();
    assert!(holds(route), "{told}");
    assert!(
        holds(&bytes(trace)) && holds(&bytes(parent)),
        "it is a part of the caller's trace: {told}"
    );
    for name in ["POST /v1/traces", "contactpoint", "audit", "http.response.status_code"] {
        assert!(holds(name.as_bytes()), "{name} in {told}");
    }
    assert!(!told.to_lowercase().contains("secret"), "{told}");
    assert!(!told.contains("teacher"), "{told}");
    demo.clear_away();
}

#[actix_web::test]
async fn the_running_service_takes_in_a_change_of_its_signing_keys() {
    let demo = Demo::anew("keys");
    let keys = demo.folder.join("keys");
    let run = |command: &str, kid: Option<&str>| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_contactpoint"));
        program.args(["keys", command, "--keys"]).arg(&keys).args(kid).stderr(Stdio::null());
        assert!(program.status().unwrap().success(), "keys {command}");
    };
    let (url, client) = (demo.url(), Client::new());
    let published = async || {
        let answer = client.get(format!("{url}/.well-known/jwks.json")).send().await.unwrap();
        let set: Value = answer.json().await.unwrap();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let token = demo.sign_in("steward").await;
    let look = async || {
        let look = client.get(format!("{url}/v1/organisations")).bearer_auth(&token);
        look.send().await.unwrap().status()
    };
    let [first] = published().await.try_into().unwrap();

    run("rotate", None);
    let mut kids = published().await;
    let begun = Instant::now();
    while kids.len() < 2 && begun.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        kids = published().await;
    }
    assert_eq!(kids.len(), 2, "the next key is published within 5 seconds");
    assert_eq!(look().await, StatusCode::OK, "a token of the key that signs is good");

    run("revoke", Some(&first));
    let begun = Instant::now();
    while look().await == StatusCode::OK && begun.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(look().await, StatusCode::UNAUTHORIZED, "a token of a revoked key is refused");
    kids.retain(|kid| *kid != first);
    assert_eq!(published().await, kids);
    demo.clear_away();
}

#[actix_web::test]
async fn the_running_service_takes_in_a_change_of_the_key_over_what_is_sealed() {
    let demo = Demo::anew("reseal");
    let keys = demo.folder.join("keys");
    let address = format!(
        "postgres:///contactpoint?host={}&user=contactpoint_app",
        demo.folder.join("postgres").display()
    );
    let run = |further: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_contactpoint"));
        program.args(["keys", "reseal", "--wait", "3", "--keys"]).arg(&keys);
        program.args(["--database", &address]).args(further).stderr(Stdio::piped());
        let done = program.spawn().unwrap().wait_with_output().unwrap();
        (done.status.success(), String::from_utf8(done.stderr).unwrap())
    };
    let token = demo.sign_in("teacher").await;
    let search = json!({ "indexNumber": demo.told["examples"]["indexNumber"] });
    let search = Client::new()
        .post(format!("{}/v1/children/search", demo.url()))
        .bearer_auth(&token)
        .header("Access-Reason", "direct-service")
        .json(&search);
    assert_eq!(search.send().await.unwrap().status(), StatusCode::OK);

    let (done, told) = run(&[]);
    assert!(done && told.contains("under key 2"), "{told}");
    demo.sign_in("steward").await;
    let (done, told) = run(&["--retire"]);
    // What events hide is under the keys of their months, which are put under the new key too.
    assert!(done && told.contains("Key 1 is removed"), "{told}");
    assert!(!keys.join("sealing/1.key").exists());

    let (done, told) = run(&[]);
    assert!(done && told.contains("under key 3"), "{told}");
    demo.sign_in("doctor").await;
    let (done, told) = run(&["--retire"]);
    assert!(done && told.contains("Key 2 is removed"), "{told}");
    assert!(!keys.join("sealing/2.key").exists() && keys.join("sealing/3.key").exists());
    tokio::time::sleep(Duration::from_secs(3)).await;
    demo.sign_in("operator").await;
    demo.clear_away();
}

/// A standby of a demo's database, in a folder beside it; stopped and removed with this.
struct Standby(PathBuf);

impl Standby {
    const SCRIPT: &str = r#"
        . scripts/prerequisites.sh
        bin=$(postgres_home) of=$1 to=$2
        as() { if [ "$(id -u)" = 0 ]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi; }
        case $3 in
        start)
            mkdir "$to"
            [ "$(id -u)" != 0 ] || chown postgres "$to"
            as "$bin/pg_basebackup" -h "$of" -U contactpoint -D "$to/data" -R -X stream -c fast
            as "$bin/pg_ctl" start -w -s -D "$to/data" -l "$to/log" -o "-k $to -c listen_addresses='' -c max_connections=1000" ;;
        stop) as "$bin/pg_ctl" stop -m immediate -s -D "$to/data" ;;
        esac
    "#;

    fn start(demo: &Demo) -> Self {
        let standby = Self(demo.folder.join("standby"));
        assert!(standby.run("start"), "a standby");
        standby
    }

    fn run(&self, what: &str) -> bool {
        let of = self.0.with_file_name("postgres");
        let done = Command::new("sh")
            .args(["-ec", Self::SCRIPT, "sh"])
            .arg(of)
            .arg(&self.0)
            .arg(what)
            .status();
        done.unwrap().success()
    }

    async fn ask<T>(&self, what: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let options = PgConnectOptions::new_without_pgpass().socket(&self.0);
        let options = options.username("contactpoint").database("contactpoint");
        let mut database = PgConnection::connect_with(&options).await.unwrap();
        sqlx::query_scalar(what).fetch_one(&mut database).await.unwrap()
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.run("stop");
    }
}

#[actix_web::test]
async fn what_may_be_a_little_old_is_read_at_a_replica_as_long_as_it_is_near() {
    let folder = Demo::folder("replica");
    let address = format!(
        "postgres:///contactpoint?host={}&user=contactpoint_app",
        folder.join("standby").display()
    );
    let demo = Demo::with(&folder, &[("DATABASE_REPLICA_URL", &address)]);
    let (token, client) = (demo.sign_in("steward").await, Client::new());
    let add = async |given: &str, family: &str, born: &str| {
        let child = json!({
            "names": [{ "kind": "current", "given": [given], "family": family }], "dateOfBirth": born, "gender": "female",
            "whereabouts": { "kind": "noneKnown" },
        });
        let adding =
            client.post(format!("{}/v1/children", demo.url())).bearer_auth(&token).json(&child);
        let key = uuid::Uuid::new_v4().to_string();
        let answer = adding
            .header("Access-Reason", "data-quality")
            .header("Idempotency-Key", key)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json::<Value>().await.unwrap()["indexNumber"].as_str().unwrap().to_owned()
    };
    let report = async || {
        let asking =
            client.get(format!("{}/v1/reports/withoutSchool", demo.url())).bearer_auth(&token);
        let answer = asking
            .header("Access-Reason", "data-quality")
            .header("Accept", "text/csv")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    };
    let told_within = async |number: &str, seconds: u64| {
        let begun = Instant::now();
        while !report().await.contains(number) {
            assert!(begun.elapsed() < Duration::from_secs(seconds), "{number} is not told");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // There is no replica yet: the primary does its work.
    let first = add("Ada", "Quillam", "2010-01-14").await;
    assert!(report().await.contains(&first));

    let standby = Standby::start(&demo);
    let near = async || {
        let begun = Instant::now();
        while standby.ask::<i64>("select count(*) from pg_stat_activity where application_name = 'contactpoint' and query ~ 'looked_through'").await == 0 {
            report().await;
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is read at the replica");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    near().await;
    told_within(&first, 1).await;

    // One that stands still is asked for five seconds at most, and what it tells is no older than that.
    standby.ask::<String>("select pg_wal_replay_pause()::text").await;
    let second = add("Bertram", "Vossey", "2013-06-02").await;
    assert!(!report().await.contains(&second), "it is the replica that is read");
    told_within(&second, 8).await;
    standby.ask::<String>("select pg_wal_replay_resume()::text").await;
    drop(standby);
    let third = add("Cosima", "Wragge", "2017-11-23").await;
    told_within(&third, 8).await;
    fs::remove_dir_all(folder).ok();
}
