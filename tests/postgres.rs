//! The private PostgreSQL: started, stopped, killed and found again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env,
    fs::{self, File},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use contactpoint::postgres::{Cluster, Durability, default_dir};
use sqlx::{ConnectOptions, Connection, PgConnection};

const FOLDER: &str = "CONTACTPOINT_TEST_FOLDER";

#[actix_web::test]
async fn what_was_written_is_there_after_a_stop_and_a_start() {
    let folder = Folder::new("again");
    let cluster = start(&folder.0).await;
    write(&cluster, "create table kept as select 7 as n").await;
    let pid = postmaster(&folder.0);
    cluster.stop().await;
    assert!(!alive(pid));

    let cluster = start(&folder.0).await;
    assert_eq!(number(&cluster, "select n from kept").await, 7);
    let again = postmaster(&folder.0);
    drop(cluster);
    assert!(noted(&folder.0).is_none() && !alive(again), "a drop stops it too");
}

#[actix_web::test]
async fn a_durable_cluster_keeps_its_promise_to_the_disk() {
    let folder = Folder::new("durable");
    let cluster = Cluster::start(&folder.0, Durability::Durable).await.unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("shared_buffers", "256MB"),
        ("max_connections", "200"),
    ] {
        assert_eq!(shown(&cluster, setting).await, value, "{setting}");
    }
    cluster.stop().await;
}

#[actix_web::test]
async fn a_cluster_is_reached_only_through_its_private_folder() {
    let folder = Folder::new("private");
    let cluster = start(&folder.0).await;
    assert_eq!(fs::metadata(&folder.0).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(shown(&cluster, "listen_addresses").await, "");
    assert!(folder.0.join(".s.PGSQL.5432").exists());
    let mode = fs::metadata(folder.0.join("log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    cluster.stop().await;
}

#[actix_web::test]
async fn nothing_of_a_statement_comes_into_the_log() {
    let folder = Folder::new("silent");
    let cluster = start(&folder.0).await;
    write(&cluster, "create table secret (it text primary key check (it <> 'Zebedee Never'))")
        .await;
    write(&cluster, "insert into secret values ('Zebedee Ever')").await;
    let mut connection = connect(&cluster).await;
    for name in ["Zebedee Ever", "Zebedee Never"] {
        let refused = sqlx::query("insert into secret values ($1)").bind(name);
        refused.execute(&mut connection).await.unwrap_err();
    }
    let wrong = sqlx::query("select $1::text::date").bind("Zebedee");
    wrong.execute(&mut connection).await.unwrap_err();
    connection.close().await.unwrap();
    cluster.stop().await;

    let log = fs::read_to_string(folder.0.join("log")).unwrap();
    assert!(log.contains("ready to accept connections"), "{log}");
    assert!(!log.contains("Zebedee"), "{log}");
}

#[actix_web::test]
async fn a_folder_in_use_is_refused_and_stays_unharmed() {
    let folder = Folder::new("twice");
    let cluster = start(&folder.0).await;
    let fault = refusal(&folder.0).await;
    assert!(fault.contains("is in use by another run"), "{fault}");
    assert_eq!(number(&cluster, "select 1").await, 1);
    cluster.stop().await;
}

#[actix_web::test]
async fn a_server_left_behind_by_a_killed_run_gives_way() {
    let folder = Folder::new("orphan");
    let mut run = other_run(&folder.0);
    let left = postmaster(&folder.0);
    let fault = refusal(&folder.0).await;
    assert!(fault.contains("is in use by another run"), "{fault}");
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(alive(left), "the server outlives the run");

    let begun = Instant::now();
    let cluster = start(&folder.0).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(!alive(left));
    assert_eq!(number(&cluster, "select n from kept").await, 7);
    let pid = postmaster(&folder.0);
    cluster.stop().await;
    assert!(!alive(pid));
}

#[actix_web::test]
async fn a_server_that_was_killed_starts_again_with_all_that_was_committed() {
    let folder = Folder::new("killed");
    let cluster = Cluster::start(&folder.0, Durability::Durable).await.unwrap();
    write(&cluster, "create table kept as select 7 as n").await;
    kill(postmaster(&folder.0));
    drop(cluster);
    assert!(noted(&folder.0).is_some(), "its postmaster.pid is still there");

    let cluster = start(&folder.0).await;
    assert_eq!(number(&cluster, "select n from kept").await, 7);
    cluster.stop().await;
}

#[actix_web::test]
async fn a_number_given_to_another_process_since_is_no_obstacle_and_that_process_unharmed() {
    let folder = Folder::new("number");
    let cluster = start(&folder.0).await;
    kill(postmaster(&folder.0));
    drop(cluster);
    let mut other = sleeper(&folder.0);
    for file in ["data/postmaster.pid", ".s.PGSQL.5432.lock"] {
        let note = fs::read_to_string(folder.0.join(file)).unwrap();
        let (_, rest) = note.split_once('\n').unwrap();
        fs::write(folder.0.join(file), format!("{}\n{rest}", other.id())).unwrap();
    }

    start(&folder.0).await.stop().await;
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[actix_web::test]
async fn a_first_start_that_was_cut_short_is_begun_anew() {
    let folder = Folder::new("halfway");
    fs::create_dir_all(folder.0.join("data.new")).unwrap();
    fs::write(folder.0.join("data.new/PG_VERSION"), "15\n").unwrap();
    start(&folder.0).await.stop().await;
    assert!(!folder.0.join("data.new").exists());
}

#[actix_web::test]
async fn data_of_another_version_is_refused_in_one_line() {
    let folder = Folder::new("version");
    start(&folder.0).await.stop().await;
    fs::write(folder.0.join("data/PG_VERSION"), "99\n").unwrap();
    let fault = refusal(&folder.0).await;
    assert!(fault.contains("was made by PostgreSQL 99"), "{fault}");
}

#[actix_web::test]
async fn a_folder_that_holds_something_else_is_left_as_it_is() {
    let folder = Folder::new("other");
    fs::create_dir_all(folder.0.join("data")).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    let fault = refusal(&folder.0).await;
    assert!(fault.contains("holds something else"), "{fault}");
    assert_eq!(fs::metadata(&folder.0).unwrap().permissions().mode() & 0o777, 0o755);
}

#[actix_web::test]
async fn a_path_that_is_no_good_for_a_socket_has_its_socket_elsewhere() {
    let folder = Folder::new("long");
    for name in ["l".repeat(120), "with, comma and space".to_owned()] {
        let dir = folder.0.join(name);
        let cluster = start(&dir).await;
        assert!(!dir.join(".s.PGSQL.5432").exists());
        let note = fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
        let socket = PathBuf::from(note.lines().nth(4).unwrap());
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
        cluster.stop().await;
        assert!(!socket.exists());
    }
}

#[actix_web::test]
async fn a_database_is_made_and_removed_as_often_as_one_likes() {
    let folder = Folder::new("database");
    let cluster = start(&folder.0).await;
    let name = r#"an "odd" name"#;
    for _ in 0..2 {
        cluster.create_database(name).await.unwrap();
    }
    cluster.options("contactpoint", name).connect().await.unwrap().close().await.unwrap();
    for _ in 0..2 {
        cluster.drop_database(name).await.unwrap();
    }
    cluster.options("contactpoint", name).connect().await.unwrap_err();
    cluster.stop().await;
}

#[test]
fn the_usual_folder_is_one_that_the_server_can_reach() {
    let dir = default_dir("demo");
    assert!(dir.is_absolute() && dir.ends_with("contactpoint/demo"));
    assert!(!dir.starts_with("/root"));
}

/// Not a test of its own: the run that another test kills.
#[actix_web::test]
async fn run_until_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let cluster = start(Path::new(&folder)).await;
    write(&cluster, "create table kept as select 7 as n").await;
    File::create(Path::new(&folder).with_extension("started")).unwrap();
    thread::sleep(Duration::from_mins(1));
}

/// A folder for one test, gone after it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("contactpoint-{}-{name}", std::process::id());
        Self(env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
        fs::remove_file(self.0.with_extension("started")).ok();
    }
}

async fn start(dir: &Path) -> Cluster {
    Cluster::start(dir, Durability::Disposable).await.unwrap()
}

async fn refusal(dir: &Path) -> String {
    let fault = Cluster::start(dir, Durability::Disposable).await.unwrap_err().to_string();
    assert_eq!(fault.lines().count(), 1, "{fault}");
    fault
}

async fn connect(cluster: &Cluster) -> PgConnection {
    cluster.options("contactpoint", "postgres").connect().await.unwrap()
}

async fn write(cluster: &Cluster, statement: &'static str) {
    sqlx::query(statement).execute(&mut connect(cluster).await).await.unwrap();
}

async fn number(cluster: &Cluster, query: &'static str) -> i32 {
    sqlx::query_scalar(query).fetch_one(&mut connect(cluster).await).await.unwrap()
}

async fn shown(cluster: &Cluster, setting: &str) -> String {
    let query = sqlx::query_scalar("select current_setting($1)").bind(setting);
    query.fetch_one(&mut connect(cluster).await).await.unwrap()
}

fn other_run(dir: &Path) -> Child {
    let run = Command::new(env::current_exe().unwrap())
        .args(["--exact", "run_until_killed"])
        .env(FOLDER, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !dir.with_extension("started").exists() {
        assert!(begun.elapsed() < Duration::from_mins(1));
        thread::sleep(Duration::from_millis(10));
    }
    run
}

/// A process of the user whom the server runs as, so that PostgreSQL may ask after it.
fn sleeper(dir: &Path) -> Child {
    let owner = fs::metadata(dir.join("data")).unwrap().uid();
    Command::new("sleep").arg("60").uid(owner).spawn().unwrap()
}

fn noted(dir: &Path) -> Option<u32> {
    let note = fs::read_to_string(dir.join("data/postmaster.pid")).ok()?;
    note.lines().next()?.parse().ok()
}

fn postmaster(dir: &Path) -> u32 {
    noted(dir).unwrap()
}

fn kill(pid: u32) {
    let kill = format!("kill -KILL {pid}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    while alive(pid) {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; one that has ended and was not yet waited for does not.
fn alive(pid: u32) -> bool {
    let pid = pid.to_string();
    let ps = || Command::new("ps").args(["-o", "args=", "-p", &pid]).output().unwrap().stdout;
    let line = if Path::new("/proc/self/cmdline").exists() {
        fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
    } else {
        ps()
    };
    !line.is_empty()
}
