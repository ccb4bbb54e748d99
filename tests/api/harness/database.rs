//! One disposable PostgreSQL for a run of the tests, or that of `DATABASE_URL`; in it, one database for each test.

use std::{
    env,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use contactpoint::{
    database::{self, APPLICATION},
    postgres::{Cluster, Durability, default_dir},
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions,
};
use uuid::Uuid;

/// What every database of ours is called before its run and number.
const PREFIX: &str = "contactpoint_test_";

/// Ends the server of a folder and removes the folder, once standard input ends: when the run does, however it does.
const END: &str = r#"
cat >/dev/null
if read -r pid 2>/dev/null <"$1/data/postmaster.pid"; then
    line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" || ps -ww -o args= -p "$pid")
    case $line in *"$1/data"*) kill -QUIT "$pid" ;; esac
    for _ in $(seq 100); do [ -e "$1/data/postmaster.pid" ] || break; sleep 0.05; done
fi
rm -rf "$1"
"#;

/// Nobody's budget is ever spent, but in the tests of budgets.
const PLENTY: &str = "update budget set searches_an_hour = 1000000, searches_a_day = 1000000, misses_in_a_row = 1000000,
                          children_a_day = 1000000, matches_a_day = 1000000";

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// The server of this run, with a migrated database to copy.
struct Server {
    superuser: PgConnectOptions,
    application: PgConnectOptions,
    run: String,
    made: AtomicUsize,
}

/// A database that was migrated and holds nothing.
pub(super) struct Database {
    pub(super) superuser: PgConnectOptions,
    pub(super) application: PgConnectOptions,
    name: String,
}

impl Database {
    /// A copy of the migrated one.
    pub(super) async fn create() -> Self {
        let Server { superuser, application, run, made } = &*SERVER;
        let name = format!("{run}_{}", made.fetch_add(1, Ordering::Relaxed));
        let create = format!("create database {name} template {run}_template strategy file_copy");
        execute(superuser, create).await.unwrap();
        Self {
            superuser: superuser.clone().database(&name),
            application: application.clone().database(&name),
            name,
        }
    }

    /// Leaves nothing of it; where the run ends first, the next one does.
    pub(super) async fn remove(self) {
        drop(
            execute(
                &SERVER.superuser,
                format!("drop database if exists {} with (force)", self.name),
            )
            .await,
        );
    }
}

impl Server {
    /// Starts it on a thread that holds it until the process ends.
    fn start() -> Self {
        let (started, server) = mpsc::channel();
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let run = format!("{PREFIX}{:08x}", Uuid::new_v4().as_fields().0);
                let (server, held) = match env::var("DATABASE_URL") {
                    Ok(url) => Self::given(&url, run).await,
                    Err(_) => Self::own(run).await,
                };
                server.prepare().await;
                started.send(server).unwrap();
                std::future::pending::<()>().await;
                drop(held);
            });
        });
        server.recv().expect("a database for the tests")
    }

    /// A private one in a folder of this process, which ends with it.
    async fn own(run: String) -> (Self, Held) {
        let folders = in_memory().unwrap_or_else(|| default_dir("test"));
        fs::create_dir_all(&folders).unwrap();
        let lock = File::open(&folders).unwrap();
        lock.lock().unwrap();
        clean(&folders);
        let folder = folders.join(process::id().to_string());
        let cluster = Cluster::start(&folder, Durability::Disposable).await.unwrap();
        let watchdog = end(&folder, Stdio::piped());
        let [superuser, application] =
            ["contactpoint", APPLICATION].map(|user| cluster.options(user, "postgres"));
        (
            Self { superuser, application, run, made: AtomicUsize::new(0) },
            Held::Own(cluster, watchdog),
        )
    }

    /// The one at this address, used by a role that may make databases and roles; the service takes up its own role there.
    async fn given(url: &str, run: String) -> (Self, Held) {
        let superuser =
            PgConnectOptions::from_str(url).expect("DATABASE_URL").disable_statement_logging();
        let application = superuser.clone().options([("role", APPLICATION)]);
        let mut present = superuser.clone().application_name(&run).connect().await.unwrap();
        let old: Vec<String> = sqlx::query_scalar(
            "select datname::text from pg_database
             where starts_with(datname, $1)
               and not exists (select from pg_stat_activity where starts_with(datname, application_name || '_')
                               and starts_with(application_name, $1))",
        )
        .bind(PREFIX)
        .fetch_all(&mut present)
        .await
        .unwrap();
        for name in old {
            drop(
                present
                    .execute(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
                    .await,
            );
        }
        (Self { superuser, application, run, made: AtomicUsize::new(0) }, Held::Given(present))
    }

    async fn prepare(&self) {
        let name = format!("{}_template", self.run);
        execute(&self.superuser, format!("create database {name}")).await.unwrap();
        let template = self.superuser.clone().database(&name);
        database::migrate(&template).await.unwrap();
        database::prepare_audit_months(&template, super::TODAY.parse().unwrap()).await.unwrap();
        execute(&template, PLENTY.to_owned()).await.unwrap();
    }
}

/// What must last as long as the run: our own server with its watchdog, or the connection by which others see that
/// our databases are in use.
#[expect(dead_code, reason = "it is held, not read")]
enum Held {
    Own(Cluster, Child),
    Given(PgConnection),
}

/// A folder of ours in memory, where there is plenty: a database is a thousand files, and making and removing them by the hundred
/// thousand takes a disk's file system longer than the tests take PostgreSQL.
fn in_memory() -> Option<PathBuf> {
    const PLENTY: u64 = 4 << 20; // KiB
    let told = |program: &str, words: &[&str]| {
        let done = Command::new(program).args(words).output().ok()?;
        String::from_utf8(done.stdout).ok().filter(|_| done.status.success())
    };
    let room = told("df", &["-Pk", "/dev/shm"])?;
    let free: u64 = room.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    let user = told("id", &["-u"])?;
    (free >= PLENTY).then(|| format!("/dev/shm/contactpoint-test-{}", user.trim()).into())
}

/// Ends what earlier runs left; the folder of a run that is going on is locked.
fn clean(folders: &Path) {
    let entries = fs::read_dir(folders).unwrap().flatten().map(|entry| entry.path());
    for folder in entries.filter(|folder| folder.is_dir()) {
        if File::open(&folder).is_ok_and(|folder| folder.try_lock().is_ok()) {
            drop(end(&folder, Stdio::null()).wait());
        }
    }
}

fn end(folder: &PathBuf, until: Stdio) -> Child {
    let mut command = Command::new("sh");
    command
        .args(["-c", END, "sh"])
        .arg(folder)
        .stdin(until)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.process_group(0).spawn().unwrap()
}

async fn execute(options: &PgConnectOptions, statement: String) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}
