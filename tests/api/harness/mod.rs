//! A running index with a database and a clock of its own, and a check on every answer it gives.

use std::{
    env, fs,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use actix_web::{dev::ServerHandle, web::Data};
use chrono::{DateTime, Utc};
use contactpoint::{
    access::Role,
    app::Shared,
    audit::{self, Hidden, ledger::Ledger, roots::Signer},
    clock::Clock,
    database::APPLICATION,
    edge::TrustedProxies,
    external::Issuers,
    feed::batch::LargestBatch,
    health::Draining,
    keys::{Keys, SigningKeys},
    listener::Limits,
    matching::matcher::Matchers,
    remote::{Reach, RemoteKeys},
    seal::Vault,
    server::{self, Settings},
    session::{Door, secret::Credential},
    token::{Issuer, Verifier},
    work::Connections,
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    types::Json,
};
use tokio::sync::oneshot;
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, fmt, prelude::*};
use uuid::Uuid;

mod conform;
mod database;
mod directory;
mod operations;
mod outside;
mod receiver;
mod scene;
mod shield;

pub(crate) use conform::DOCUMENT;
pub(crate) use directory::{Directory, ISSUER, Key, Says, configured};
pub(crate) use operations::{BATCH, Operation, Target};
pub(crate) use receiver::{Answers, Receiver, Sent};
pub(crate) use scene::{Caller, Child, Organisation, Scene};

use database::Database;

/// The moment at which every index begins: a Monday in winter, when London keeps UTC.
pub(crate) const NOW: &str = "2026-11-16T09:30:00Z";
/// The same day.
pub(crate) const TODAY: &str = "2026-11-16";

/// A running service. It ends, and its database with it, when it is dropped.
pub(crate) struct Index {
    pub(crate) clock: Clock,
    /// The database, as a superuser: to arrange, and to look.
    pub(crate) db: PgPool,
    address: SocketAddr,
    http: reqwest::Client,
    issuers: Value,
    server: ServerHandle,
}

impl Index {
    /// Starts one with nobody and nothing in it.
    pub(crate) async fn start() -> Self {
        Self::believing(json!([configured("http://127.0.0.1:9/keys")])).await
    }

    /// Starts one by which people may sign in by these issuers.
    pub(crate) async fn believing(issuers: Value) -> Self {
        LazyLock::force(&LOG);
        let database = Database::create().await;
        let db =
            PgPoolOptions::new().max_connections(2).connect_lazy_with(database.superuser.clone());
        let clock = Clock::at(NOW.parse().unwrap());
        let application = database.application.clone();
        let (address, server) = serve(
            application,
            clock.clone(),
            Vec::new(),
            issuers.clone(),
            LargestBatch::default(),
            Self::door(),
            Some(database),
        )
        .await;
        Self { clock, db, address, http: http(), issuers, server }
    }

    /// Another server on the same database, which believes these proxies; it ends when it is dropped.
    pub(crate) async fn beside(&self, proxies: &[&str]) -> Self {
        let proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        self.another(proxies, LargestBatch::default()).await
    }

    /// Another server on the same database, which takes batches of so many bytes at most; it ends when it is dropped.
    pub(crate) async fn taking(&self, bytes: u64) -> Self {
        self.another(Vec::new(), LargestBatch(bytes)).await
    }

    /// Another server that reaches the same database at this address, where something may be in between; it ends when it is dropped.
    pub(crate) async fn through(&self, address: SocketAddr) -> Self {
        let known = self.db.connect_options();
        let application = PgConnectOptions::new_without_pgpass()
            .host(&address.ip().to_string())
            .port(address.port())
            .username(known.get_username())
            .database(known.get_database().unwrap())
            .ssl_mode(PgSslMode::Disable)
            .options([("role", APPLICATION)]);
        self.on(application, Vec::new(), LargestBatch::default(), Self::door()).await
    }

    /// Another server on the same database, whose sign-ins are judged by a door of their own; it ends when it is dropped.
    pub(crate) async fn with_door(&self, door: Data<Door>) -> Self {
        self.on(self.application(), Vec::new(), LargestBatch::default(), door).await
    }

    /// How the service reaches the database.
    pub(crate) fn application(&self) -> PgConnectOptions {
        (*self.db.connect_options()).clone().options([("role", APPLICATION)])
    }

    async fn another(&self, proxies: Vec<IpAddr>, largest: LargestBatch) -> Self {
        self.on(self.application(), proxies, largest, Self::door()).await
    }

    async fn on(
        &self,
        application: PgConnectOptions,
        proxies: Vec<IpAddr>,
        largest: LargestBatch,
        door: Data<Door>,
    ) -> Self {
        let (clock, db, issuers) = (self.clock.clone(), self.db.clone(), self.issuers.clone());
        let (address, server) =
            serve(application, clock.clone(), proxies, issuers.clone(), largest, door, None).await;
        Self { clock, db, address, http: http(), issuers, server }
    }

    /// Who knows its tokens.
    pub(crate) fn verifier() -> Data<Verifier> {
        SECRETS.0.clone()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who judges those who sign in.
    pub(crate) fn door() -> Data<Door> {
        SECRETS.1[0].clone()
    }

    /// Others who judge them by the same secrets, the first and the second, for one test each that keeps it from judging.
    pub(crate) fn other_door(n: usize) -> Data<Door> {
        SECRETS.1[n].clone()
    }

    /// The present moment of this index.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Sends a request and checks its answer against the description.
    ///
    /// It carries a token of `caller`, `Access-Reason: direct-service`, an `X-Request-Id` and, for POST, an
    /// `Idempotency-Key`; `headers` replaces these, and one with an empty value takes it away.
    pub(crate) async fn request<'c>(
        &self,
        caller: impl Into<Option<&'c Caller>>,
        method: &str,
        path: &str,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let request_id = Uuid::new_v4();
        let mut carried = HeaderMap::new();
        let mut set = |name: &str, value: &str| {
            let name: HeaderName = name.parse().unwrap();
            carried.remove(&name);
            if !value.is_empty() {
                carried.insert(name, HeaderValue::from_str(value).unwrap());
            }
        };
        if let Some(caller) = caller.into() {
            set("Authorization", &format!("Bearer {}", self.token(caller)));
        }
        set("Access-Reason", "direct-service");
        set("X-Request-Id", &request_id.to_string());
        if method == "POST" {
            set("Idempotency-Key", &Uuid::new_v4().to_string());
        }
        let body = match body.into() {
            Body::None => Vec::new(),
            Body::Bytes(bytes) => {
                set("Content-Type", "application/json");
                bytes
            }
        };
        for (name, value) in headers {
            set(name, value);
        }

        let url = format!("http://{}{path}", self.address);
        let request = self.http.request(method.parse().unwrap(), url).headers(carried).body(body);
        let response =
            request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let answer = Answer { status, headers, body, bytes, request_id };
        conform::check(method, path, &answer);
        answer
    }

    /// Reads.
    pub(crate) async fn get(&self, caller: &Caller, path: &str) -> Answer {
        self.request(caller, "GET", path, (), &[]).await
    }

    /// Makes something new.
    pub(crate) async fn post(&self, caller: &Caller, path: &str, body: Value) -> Answer {
        self.request(caller, "POST", path, body, &[]).await
    }

    /// Changes what had this version.
    pub(crate) async fn patch(
        &self,
        caller: &Caller,
        path: &str,
        version: i64,
        body: Value,
    ) -> Answer {
        self.request(caller, "PATCH", path, body, &[("If-Match", &format!("\"{version}\""))]).await
    }

    /// Puts something to what had this version.
    pub(crate) async fn put(
        &self,
        caller: &Caller,
        path: &str,
        version: i64,
        body: Value,
    ) -> Answer {
        self.request(caller, "PUT", path, body, &[("If-Match", &format!("\"{version}\""))]).await
    }

    /// Takes away what had this version.
    pub(crate) async fn delete(&self, caller: &Caller, path: &str, version: i64) -> Answer {
        self.request(caller, "DELETE", path, (), &[("If-Match", &format!("\"{version}\""))]).await
    }

    /// The audit events of the request that had this answer, as JSON of the table's columns.
    pub(crate) async fn events(&self, answer: &Answer) -> Vec<Value> {
        let found = sqlx::query_scalar(AssertSqlSafe(format!("{EVENTS} where e.request_id = $1")));
        let events: Vec<Json<Value>> =
            found.bind(answer.request_id).fetch_all(&self.db).await.unwrap();
        events.into_iter().map(|event| opened(event.0)).collect()
    }

    /// The audit events of an operation, in the order of their moments.
    pub(crate) async fn acts(&self, operation: &str) -> Vec<Value> {
        let found = format!("{EVENTS} where e.operation = $1 order by e.at, e.event_id");
        let found = sqlx::query_scalar(AssertSqlSafe(found)).bind(operation);
        let events: Vec<Json<Value>> = found.fetch_all(&self.db).await.unwrap();
        events.into_iter().map(|event| opened(event.0)).collect()
    }

    /// What the audit keeps of the events of an operation, with nothing opened.
    pub(crate) async fn kept(&self, operation: &str) -> Vec<Value> {
        let kept = "select to_jsonb(e) from audit_event e where operation = $1";
        sqlx::query_scalar(kept).bind(operation).fetch_all(&self.db).await.unwrap()
    }

    /// The one audit event of the request that had this answer.
    pub(crate) async fn event(&self, answer: &Answer) -> Value {
        let mut events = self.events(answer).await;
        assert_eq!(events.len(), 1, "one audit event for {}: {events:#?}", answer.status);
        events.remove(0)
    }

    /// How many rows each table holds, but for the audit and what is noted of failed sign-ins and of budgets.
    pub(crate) async fn rows(&self) -> Value {
        let tables: Vec<String> = sqlx::query_scalar(
            "select tablename::text from pg_tables where schemaname = 'public'
             and tablename not like 'audit\\_%' and tablename not in ('sign_in_failure', 'budget_opening', 'budget_spent', 'budget_together') order by 1",
        )
        .fetch_all(&self.db)
        .await
        .unwrap();
        let counts = tables
            .iter()
            .map(|table| format!("jsonb_build_object('{table}', (select count(*) from {table}))"));
        let counted = format!("select {}", counts.collect::<Vec<_>>().join(" || "));
        let rows: Json<Value> =
            sqlx::query_scalar(AssertSqlSafe(counted)).fetch_one(&self.db).await.unwrap();
        rows.0
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

/// What a request carries.
pub(crate) enum Body {
    None,
    Bytes(Vec<u8>),
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl From<Value> for Body {
    fn from(json: Value) -> Self {
        if json.is_null() { Self::None } else { Self::Bytes(json.to_string().into_bytes()) }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

/// What the index answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
    pub(crate) request_id: Uuid,
}

impl Answer {
    /// Its header of this name, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The version in its `ETag`.
    pub(crate) fn version(&self) -> i64 {
        self.header("ETag").trim_matches('"').parse().unwrap()
    }

    /// The last part of the type of the problem that it tells, empty where it tells none.
    pub(crate) fn problem(&self) -> &str {
        let told = self.body["type"].as_str().or(self.body["error"].as_str()).unwrap_or_default();
        told.rsplit('/').next().unwrap_or_default()
    }

    /// The values at fault.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let faults = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
    }

    /// The same, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// The same, if it tells this problem.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, problem: &str) -> Self {
        assert_eq!((self.status, self.problem()), (status, problem), "{:#}", self.body);
        self
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

/// Serves on a thread of its own until told to stop, then removes the database that it is handed.
async fn serve(
    application: PgConnectOptions,
    clock: Clock,
    proxies: Vec<IpAddr>,
    issuers: Value,
    largest_batch: LargestBatch,
    door: Data<Door>,
    database: Option<Database>,
) -> (SocketAddr, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings {
        database: application,
        replica: None,
        connections: Connections::default(),
        workers: 1,
        limits: Limits::default(),
    };
    let (started, handle) = oneshot::channel();
    thread::spawn(move || {
        let verifier = Index::verifier();
        let issuers = issuers.to_string();
        let shared = Shared {
            ledger: Ledger::new(&settings.database, door.vault.clone()),
            signer: ROOTS.clone(),
            verifier,
            door,
            issuers: Data::new(Issuers::read(issuers.as_bytes(), Reach::Loopback).unwrap()),
            remote: Data::new(RemoteKeys::start(Reach::Loopback).unwrap()),
            rates: Data::default(),
            matchers: Matchers::default(),
            largest_batch,
            clock,
            draining: Draining::default(),
            proxies: TrustedProxies(proxies),
        };
        actix_web::rt::System::new().block_on(async {
            let server = server::start(listener, &settings, &shared).unwrap();
            started.send(server.handle()).unwrap();
            server.await.unwrap();
            if let Some(database) = database {
                database.remove().await;
            }
        });
    });
    (address, handle.await.unwrap())
}

/// Audit events with what opens them.
const EVENTS: &str = "select to_jsonb(e) || jsonb_build_object('kept',
                             jsonb_build_object('hidden', e.hidden, 'key', k.sealed, 'details', e.details))
                      from audit_event e left join audit_key k on k.month = audit_month(e.at)";

/// An event with what only auditors read.
fn opened(mut event: Value) -> Value {
    let id = serde_json::from_value(event["event_id"].clone()).unwrap();
    let at = serde_json::from_value(event["at"].clone()).unwrap();
    let kept: audit::Kept = serde_json::from_value(event["kept"].take()).unwrap();
    if let Some(hidden) = Hidden::open(id, at, &kept, &Index::door().vault).unwrap() {
        event["details"] = hidden.details.unwrap_or_default();
        event["children"]
            .as_array_mut()
            .unwrap()
            .extend(hidden.children.iter().map(|id| json!(id)));
    }
    for binding in ["kept", "epoch", "tx", "serial", "settled", "voids", "hidden", "leaf", "mac"] {
        event.as_object_mut().unwrap().remove(binding);
    }
    event
}

/// Keys that end with this process, made once, since making them takes a while.
static SECRETS: LazyLock<(Data<Verifier>, [Data<Door>; 3])> = LazyLock::new(|| {
    let folder = env::temp_dir().join(format!("contactpoint-test-keys-{}", std::process::id()));
    let keys = Keys::generate(&folder).unwrap();
    let doors = [&folder; 3].map(|folder| {
        let keys = Keys::load(folder).unwrap();
        let vault = Vault::new(keys.sealer, &keys.pepper);
        Data::new(Door::new(Credential::new(keys.pepper).unwrap(), vault).unwrap())
    });
    fs::remove_dir_all(&folder).unwrap();
    let issuer = "http://contactpoint.test".to_owned();
    let issuer = Issuer { issuer, audience: "contactpoint".to_owned(), keys: keys.signing };
    (Data::new(Verifier::new(issuer)), doors)
});

/// Keys of roots that end with this process.
pub(crate) static ROOTS: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(SigningKeys::ephemeral().unwrap()));

/// What the service logs, as `RUST_LOG` says; its own failures unless said.
static LOG: LazyLock<()> = LazyLock::new(|| {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter =
        filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("contactpoint=error"));
    let told = fmt::layer().with_writer(std::io::stderr).with_filter(filter);
    let kept = fmt::layer().with_ansi(false).with_writer(|| Kept);
    let kept = kept.with_filter(dynamic_filter_fn(|_, _| KEEPING.load(Ordering::Relaxed)));
    tracing_subscriber::registry().with(told).with(kept).init();
});

/// Whether everything that is logged is kept, at every level, and what was.
static KEEPING: AtomicBool = AtomicBool::new(false);
static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Keeps what is logged from now on, by this test and those beside it.
pub(crate) fn keep_log() {
    KEEPING.store(true, Ordering::Relaxed);
}

/// What was logged since.
pub(crate) fn kept_log() -> String {
    KEEPING.store(false, Ordering::Relaxed);
    String::from_utf8_lossy(&std::mem::take(&mut *KEPT.lock().unwrap())).into_owned()
}

struct Kept;

impl std::io::Write for Kept {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        KEPT.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn an_index_is_ready_and_tells_nobody_anything() {
    let index = Index::start().await;
    let ready = index.request(None, "GET", "/health/ready", (), &[]).await.expect(200);
    assert_eq!(ready.body, json!({ "status": "ready" }));
    let answer = index.request(None, "GET", "/v1/children/48271930566", (), &[]).await;
    let event = index.event(&answer.refused(401, "unauthenticated")).await;
    assert_eq!(event["outcome"], "refused");
}

#[actix_web::test]
async fn what_was_arranged_is_there_for_those_who_sign_in() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let person = scene.caller(Role::Practitioner);
    let session = index
        .request(None, "POST", "/v1/sessions", index.secrets(person).await, &[])
        .await
        .expect(200);
    let child = index.child(scene.authority).await;
    let token = format!("Bearer {}", session.body["accessToken"].as_str().unwrap());
    let record = index
        .request(None, "GET", &child.path(""), (), &[("Authorization", &token)])
        .await
        .expect(200);
    assert_eq!((record.version(), &record.body["names"][0]["family"]), (1, &json!(child.family)));

    let begun = json!({ "serviceType": "school", "startedOn": "2026-09-07",
                        "contact": { "team": "Example Team", "officeHours": "01632 960003" } });
    let begun = index.post(person, &child.path("/involvements"), begun).await.expect(201);
    let flag = format!("{}/flags/takingAction", begun.header("Location"));
    let flagged = index.put(person, &flag, begun.version(), json!({})).await.expect(200);
    assert_eq!(flagged.body["flags"][0]["expiresOn"], "2027-05-16");
    index.clock.set("2027-05-16T00:00:00Z".parse().unwrap());
    assert_eq!(index.get(person, &child.path("/flags")).await.expect(200).body["items"], json!([]));
    let cleared = index.delete(person, &flag, flagged.version()).await.expect(200);
    let ended = json!({ "endedOn": "2027-05-14" });
    index.patch(person, begun.header("Location"), cleared.version(), ended).await.expect(200);
}

#[actix_web::test]
async fn a_shielded_child_is_sealed_and_a_grant_is_for_one_session() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let child = index.child(scene.authority).await;
    index.carer(&child).await;
    let person = index.shield(&child).await;
    index.grant(scene.caller(Role::PractitionerWithOverride), &child).await;
    let sealed: (bool, i64, i64) = sqlx::query_as(
        "select c.shielded, (select count(sealed) from whereabouts w where w.child_id = c.child_id),
             (select count(sealed) from carer r where r.child_id = c.child_id)
         from child c where c.person_id = $1",
    )
    .bind(person)
    .fetch_one(&index.db)
    .await
    .unwrap();
    assert_eq!(sealed, (true, 1, 1));
}
