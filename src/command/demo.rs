//! `contactpoint demo`: everything at once, without configuration.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;

use super::{Refused, cast::play, serve::Running, telemetry::Log, walk::print};
use crate::{
    clock::{Clock, day_in_london},
    database,
    demo::Demo as Population,
    http::sha256,
    keys::Keys,
    load::{
        lines::Line,
        task::{News, load},
    },
    postgres::{Cluster, Durability, default_dir},
    seal::Vault,
    session::secret::Credential,
    work::Errands,
};

const DATABASE: &str = "contactpoint";

/// Brings up everything without configuration: a private PostgreSQL in a folder of its own (installed server programs are
/// needed), fictitious organisations and children, an account for every role, and the service with its documentation page.
/// Stop it with Ctrl-C; the next start goes on where it was. Where `DATABASE_URL` is set, that empty database is used instead.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Fictitious children to make at the first start: 7 at least, of whom the walks tell
    #[arg(long, default_value_t = Population::CHILDREN, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(i64::from(Population::FEWEST)..))]
    children: u32,
    /// The folder of the demo's database, secrets and accounts
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Forget an earlier demo and begin anew
    #[arg(long)]
    fresh: bool,
    /// Print one JSON object as the first line of standard output once ready, for scripts
    #[arg(long)]
    json: bool,
    /// A database to use instead of a private one
    #[arg(long = "database", env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: Option<SecretString>,
    #[command(flatten)]
    running: Running,
}

/// Where the demo's database is: a private cluster, or one that somebody gave.
struct Place {
    /// Stopped when the demo ends.
    cluster: Option<Cluster>,
    administrator: PgConnectOptions,
    application: PgConnectOptions,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Refused> {
        // The reader wants the accounts and the walk.
        let _telemetry = self.running.telemetry(Log::Errors)?;
        let issuers = self.running.issuers()?;
        let folder = self.folder();
        fs::create_dir_all(&folder)?;
        let place = self.place(&folder).await?;
        let (keys, cast) = self.filled(&place, &folder).await?;
        let json = self.json;
        let secrets = secrets(&folder);
        let running = self.running.clone();
        let code = code_command(&folder);
        let served =
            running.serve(place.application.clone(), keys, &secrets, issuers, move |address| {
                print(&cast, address, json, &code)
            });
        let served = served.await;
        if let Some(cluster) = place.cluster {
            cluster.stop().await;
        }
        served
    }

    /// Each database that is given has a folder of its own, for the secrets that belong to it.
    fn folder(&self) -> PathBuf {
        let own = |url: &SecretString| {
            use secrecy::ExposeSecret;
            let name = sha256(url.expose_secret().as_bytes()).iter().take(6).fold(
                String::new(),
                |mut name, byte| {
                    let _ = write!(name, "{byte:02x}");
                    name
                },
            );
            default_dir(&format!("demo-{name}"))
        };
        self.folder
            .clone()
            .unwrap_or_else(|| self.url.as_ref().map_or_else(|| default_dir("demo"), own))
    }

    async fn place(&self, folder: &Path) -> Result<Place, Refused> {
        if let Some(url) = &self.url {
            let administrator = database::options(url).map_err(Refused::configuration)?;
            let application = administrator.clone().options([("role", database::APPLICATION)]);
            return Ok(Place { cluster: None, administrator, application });
        }
        let home = folder.join("postgres");
        let cluster =
            Cluster::start(&home, Durability::Durable).await.map_err(Refused::configuration)?;
        if self.fresh || !accounts(folder).exists() {
            cluster.drop_database(DATABASE).await?;
        }
        cluster.create_database(DATABASE).await?;
        Ok(Place {
            administrator: cluster.options("contactpoint", DATABASE),
            application: cluster.options(database::APPLICATION, DATABASE),
            cluster: Some(cluster),
        })
    }

    /// The secrets and accounts of a demo that was filled before, or of this one, filled now.
    async fn filled(&self, place: &Place, folder: &Path) -> Result<(Keys, Value), Refused> {
        database::migrate(&place.administrator).await?;
        let (accounts, secrets) = (accounts(folder), secrets(folder));
        if !self.fresh && accounts.exists() {
            let cast: Value = serde_json::from_slice(&fs::read(&accounts)?)?;
            if !cast["examples"].is_object() {
                let said = "an earlier version made this demo: begin anew with --fresh";
                return Err(Refused::configuration(anyhow::anyhow!(said)));
            }
            return Ok((Keys::load(&secrets).map_err(Refused::configuration)?, cast));
        }
        if database::has_organisations(&place.application).await? {
            let said =
                "the database is not empty: give the demo one of its own, or unset DATABASE_URL";
            return Err(Refused::configuration(anyhow::anyhow!(said)));
        }
        if secrets.exists() {
            fs::remove_dir_all(&secrets)?;
        }
        let keys = Keys::generate(&secrets)?;
        let today = day_in_london(Clock::System.now());
        database::prepare_audit_months(&place.application, today).await?;
        let population = Population { seed: 1, children: self.children, today };
        let vault = Vault::new(keys.sealer, &keys.pepper);
        fill(&place.application, &vault, &population).await?;
        database::analyze(&place.administrator).await?;
        database::widen_budgets(&place.administrator).await?;
        let credential = Credential::new(keys.pepper)?;
        let cast = play(&place.application, &credential, &vault, &population).await?;
        write_secret(&accounts, &serde_json::to_vec_pretty(&cast)?)?;
        Ok((Keys::load(&secrets)?, cast))
    }
}

async fn fill(
    options: &PgConnectOptions,
    vault: &Vault,
    population: &Population,
) -> Result<(), Refused> {
    eprintln!("Making {} fictitious children; this happens once.", population.children);
    let work = Errands::begin(options, &Clock::System, "load").await?;
    let mut work = work.with_vault(vault.clone());
    let rows = (1..)
        .zip(population.rows())
        .map(|(number, row)| Ok(Line { number, text: row.to_string().into_bytes() }));
    let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} children, {eta} left")?;
    let bar = ProgressBar::new(u64::from(population.children)).with_style(style);
    let loaded = load(&mut work, None, rows, |news| match news {
        News::Rejected { .. } => {}
        News::Progress(summary) => bar.set_position(summary.children),
    });
    let summary = loaded.await?;
    work.end(()).await;
    bar.finish_and_clear();
    if summary.rejected > 0 {
        eprintln!(
            "{} children were left out, since a search would have taken them for others.",
            summary.rejected
        );
    }
    Ok(())
}

fn secrets(folder: &Path) -> PathBuf {
    folder.join("keys")
}

fn accounts(folder: &Path) -> PathBuf {
    folder.join("accounts.json")
}

fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)
}

/// How the present one-time code of an account of this demo is had, from whatever folder; the name of the account follows.
fn code_command(folder: &Path) -> String {
    let called = std::env::args().next().unwrap_or_else(|| "contactpoint".to_owned());
    let whole = std::path::absolute(&called).ok().filter(|_| called.contains('/'));
    let program = whole.map_or(called, |path| format!("'{}'", path.display()));
    if folder == default_dir("demo") {
        return format!("{program} account code");
    }
    format!("{program} account code --folder '{}'", folder.display())
}

/// The otpauth address of an account of the demo.
pub(super) fn otpauth(folder: Option<PathBuf>, user_name: &str) -> Result<String, Refused> {
    let path = accounts(&folder.unwrap_or_else(|| default_dir("demo")));
    let cast = fs::read(&path)
        .map_err(|_| anyhow::anyhow!("there is no demo: start one with `contactpoint demo`"))?;
    let cast: Value = serde_json::from_slice(&cast)?;
    let found = cast["accounts"]
        .as_array()
        .and_then(|list| list.iter().find(|account| account["userName"] == user_name));
    let otpauth = found.and_then(|account| account["otpauth"].as_str());
    Ok(otpauth.ok_or_else(|| anyhow::anyhow!("the demo has no account {user_name}"))?.to_owned())
}
