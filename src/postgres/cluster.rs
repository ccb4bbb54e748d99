//! A server, from its start to its end.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::{
    ClusterFault, Durability, Programs, at,
    home::{CHARACTERS, Home},
};

const SUPERUSER: &str = "contactpoint";
const PORT: u16 = 5432;
const STOPPING: Duration = Duration::from_secs(30);
const RECOVERING: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(10);

/// Settings of every server: reached by its socket only, and nothing that a statement holds comes into its log.
const SETTINGS: [&str; 12] = [
    "listen_addresses=",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    "log_statement=none",
    "log_min_duration_statement=-1",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
];

/// A running PostgreSQL that is this process's alone, and ends with it.
#[derive(Debug)]
#[must_use = "a cluster that is dropped is stopped"]
pub struct Cluster {
    server: Child,
    home: Home,
}

impl Cluster {
    /// Finds the server programs: in `CONTACTPOINT_PG_BIN`, else on the path, else the newest where packages put them.
    pub fn find_programs() -> Result<Programs, ClusterFault> {
        Programs::find(None)
    }

    /// Starts the cluster in `dir`, made first where there is none; a server that an earlier run left there gives way.
    pub async fn start(dir: &Path, durability: Durability) -> Result<Self, ClusterFault> {
        let home = Home::enter(dir)?;
        let programs = Programs::find(home.made_by())?;
        if home.data.exists() {
            programs.fit(&home)?;
        } else {
            make(&home, &programs, durability).await?;
        }
        clear(&home)?;
        let server = launch(&home, &programs, durability)?;
        Self { server, home }.answering(&programs, durability).await
    }

    async fn answering(
        mut self,
        programs: &Programs,
        durability: Durability,
    ) -> Result<Self, ClusterFault> {
        let log = self.home.dir.join("log");
        let begun = Instant::now();
        while begun.elapsed() < RECOVERING {
            if let Ok(connection) = self.options(SUPERUSER, "postgres").connect().await {
                drop(connection.close().await);
                return Ok(self);
            }
            if !matches!(self.server.try_wait(), Ok(None)) {
                let told = fs::read_to_string(&log).unwrap_or_default();
                // The processes of a server that was killed may outlive it for a moment.
                if !told.contains("still in use") || begun.elapsed() > STOPPING {
                    return Err(failed("postgres", &told));
                }
                self.server = launch(&self.home, programs, durability)?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(ClusterFault(format!(
            "the database server does not answer; its log is {}",
            log.display()
        )))
    }

    /// How to reach a database of this cluster, as one of its users; `contactpoint` is the superuser.
    #[must_use]
    pub fn options(&self, user: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.home.socket)
            .port(PORT)
            .ssl_mode(PgSslMode::Disable)
            .username(user)
            .database(database)
            .disable_statement_logging()
    }

    /// Makes an empty database, unless there is one of this name.
    pub async fn create_database(&self, name: &str) -> sqlx::Result<()> {
        match self.run(format!("create database {}", quoted(name))).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P04") => Ok(()),
            done => done,
        }
    }

    /// Removes a database with everything in it, if there is one of this name.
    pub async fn drop_database(&self, name: &str) -> sqlx::Result<()> {
        self.run(format!("drop database if exists {} with (force)", quoted(name))).await
    }

    async fn run(&self, statement: String) -> sqlx::Result<()> {
        let mut connection: PgConnection = self.options(SUPERUSER, "postgres").connect().await?;
        connection.execute(AssertSqlSafe(statement)).await?;
        connection.close().await
    }

    /// Stops the server, and waits until it has ended.
    pub async fn stop(self) {
        drop(tokio::task::spawn_blocking(move || drop(self)).await);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        end(self.server.id(), || !matches!(self.server.try_wait(), Ok(None)));
    }
}

/// Makes the data beside its place, so that it is there whole or not at all.
async fn make(
    home: &Home,
    programs: &Programs,
    durability: Durability,
) -> Result<(), ClusterFault> {
    let new = home.dir.join("data.new");
    if new.exists() {
        fs::remove_dir_all(&new).map_err(at(&new))?;
    }
    let initdb = programs.bin.join("initdb");
    let mut command = home.command(&initdb);
    command.args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "-T", "simple", "--locale=C"]);
    command.arg(format!("--lc-ctype={CHARACTERS}")).arg("-D").arg(&new);
    command.arg(match durability {
        Durability::Durable => "--data-checksums",
        Durability::Disposable => "--no-sync",
    });
    let done = tokio::process::Command::from(command).output().await.map_err(at(&initdb))?;
    if !done.status.success() {
        return Err(failed("initdb", &String::from_utf8_lossy(&done.stderr)));
    }
    fs::rename(&new, &home.data).map_err(at(&new))
}

/// Ends the server that an earlier run left behind: whatever its settings are, they may not be ours.
fn clear(home: &Home) -> Result<(), ClusterFault> {
    let Some(pid) = home.noted() else { return Ok(()) };
    if end(pid, || !home.is_served_by(pid)) {
        return Ok(());
    }
    Err(ClusterFault(format!("the server of an earlier run (process {pid}) does not stop")))
}

/// Starts the server; its own user opens the log, so that root follows no link laid by that user.
fn launch(home: &Home, programs: &Programs, durability: Durability) -> Result<Child, ClusterFault> {
    let mut command = home.command("sh");
    command.args(["-c", r#"umask 077; exec "$@" >"$0" 2>&1"#]).arg(home.dir.join("log"));
    command.arg(programs.bin.join("postgres")).arg("-D").arg(&home.data);
    command.arg("-p").arg(PORT.to_string()).arg("-k").arg(&home.socket);
    for setting in SETTINGS.iter().chain(durability.settings()) {
        command.args(["-c", setting]);
    }
    if let Some(pid) = home.noted() {
        // That server has ended. PostgreSQL doubts it where another process has its number since, unless told.
        command.env("PG_GRANDPARENT_PID", pid.to_string());
    }
    command.process_group(0).spawn().map_err(at(&programs.bin))
}

/// Ends a server, which keeps its data whole either way: in good order, or else at once.
fn end(pid: u32, mut ended: impl FnMut() -> bool) -> bool {
    if ended() {
        return true;
    }
    ["INT", "QUIT"].into_iter().any(|signal| {
        let kill = format!("kill -{signal} {pid}");
        drop(Command::new("sh").args(["-c", &kill]).output());
        let begun = Instant::now();
        while begun.elapsed() < STOPPING && !ended() {
            thread::sleep(PAUSE);
        }
        ended()
    })
}

fn failed(program: &str, told: &str) -> ClusterFault {
    let grave = |line: &&str| ["FATAL", "PANIC", "error:"].iter().any(|word| line.contains(word));
    let line =
        told.lines().rfind(grave).or(told.lines().last()).unwrap_or("it ended without a word");
    ClusterFault(format!("{program} failed: {line}"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
