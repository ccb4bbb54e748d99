//! `contactpoint demo`: everything at once, without configuration.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;

use super::{
    Refused,
    account::{Person, client},
    serve::Running,
};
use crate::{
    access::Role,
    account::store,
    client::{ClientIn, method::AuthMethod},
    clock::{Clock, day_in_london},
    database,
    demo::{Demo as Population, store::showpiece},
    http::sha256,
    ids::OrganisationId,
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
    /// Fictitious children to make at the first start
    #[arg(long, default_value_t = Population::CHILDREN, value_name = "NUMBER")]
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
        log_errors();
        let issuers = self.running.issuers()?;
        let folder = self.folder();
        fs::create_dir_all(&folder)?;
        let place = self.place(&folder).await?;
        let (keys, cast) = self.filled(&place, &folder).await?;
        let json = self.json;
        let today = day_in_london(Clock::System.now());
        let secrets = secrets(&folder);
        let running = self.running.clone();
        let served =
            running.serve(place.application.clone(), keys, &secrets, issuers, move |address| {
                print(
                    &cast,
                    address,
                    json,
                    &Population { seed: 1, children: 1, today }.example_search(),
                )
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
            let cast = serde_json::from_slice(&fs::read(&accounts)?)?;
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
        fill(&place.application, &population).await?;
        database::analyze(&place.administrator).await?;
        let vault = Vault::new(keys.sealer, &keys.pepper);
        let credential = Credential::new(keys.pepper)?;
        let cast = make_accounts(&place.application, &credential, &vault, &population).await?;
        write_secret(&accounts, &serde_json::to_vec_pretty(&cast)?)?;
        Ok((Keys::load(&secrets)?, cast))
    }
}

async fn fill(options: &PgConnectOptions, population: &Population) -> Result<(), Refused> {
    eprintln!("Making {} fictitious children; this happens once.", population.children);
    let mut work = Errands::begin(options, &Clock::System, "load").await?;
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
    bar.finish_and_clear();
    if summary.rejected > 0 {
        eprintln!(
            "{} children were left out, since a search would have taken them for others.",
            summary.rejected
        );
    }
    Ok(())
}

/// Who is in the demo: an account for every role, some with the family that the walk is about.
const CAST: [(&str, &str, Role, &str); 12] = [
    ("teacher", "Tess Demo", Role::Practitioner, "school"),
    ("doctor", "Dana Demo", Role::Practitioner, "generalPractice"),
    ("social.worker", "Sol Demo", Role::PractitionerWithOverride, "socialCare"),
    ("steward", "Stella Demo", Role::Steward, "authority"),
    ("shield.approver", "Shay Demo", Role::ShieldApprover, "authority"),
    ("account.administrator", "Ada Demo", Role::AccountAdministrator, "authority"),
    ("operator", "Oli Demo", Role::Operator, "national"),
    ("auditor", "Audrey Demo", Role::Auditor, "authority"),
    ("national.auditor", "Nat Demo", Role::Auditor, "national"),
    ("archive.reviewer", "Archie Demo", Role::ArchiveReviewer, "authority"),
    ("subject", "Amy Larkfield", Role::Subject, "authority"),
    ("police.officer", "Pat Demo", Role::Practitioner, "police"),
];

/// How many requests a second the demo's clients may make: enough for whoever tries them out by program.
const DEMO_RATE: u16 = 1000;

async fn make_accounts(
    options: &PgConnectOptions,
    credential: &Credential,
    vault: &Vault,
    population: &Population,
) -> Result<Value, Refused> {
    let mut work = Errands::begin(options, &Clock::System, "demo").await?;
    let codes = Codes::of(population);
    let mut accounts = Vec::new();
    for (user_name, name, role, place) in CAST {
        let (organisation, known_as) = codes.find(&mut work, place).await?;
        let person =
            Person { user_name: user_name.parse()?, name: name.to_owned(), organisation, role };
        let mut made = person.make(&mut work, credential, vault).await?;
        made["organisation"] = json!(known_as);
        accounts.push(made);
    }
    let mut clients = Vec::new();
    for (name, role, place) in [
        ("School feed (demo)", Role::Feed, "school"),
        ("Case system (demo)", Role::CaseSystem, "authority"),
    ] {
        let (organisation, known_as) = codes.find(&mut work, place).await?;
        let asked = ClientIn {
            requests_per_second: Some(DEMO_RATE),
            ..ClientIn::new(name.parse()?, role, AuthMethod::ClientSecret)
        };
        let mut made = client(&mut work, asked, organisation).await?;
        made["organisation"] = json!(known_as);
        clients.push(made);
    }
    let (child, involvement) = showpiece(&mut work, &population.example_search()).await?;
    let showpiece = json!({ "indexNumber": child, "schoolInvolvement": involvement });
    Ok(json!({ "accounts": accounts, "clients": clients, "showpiece": showpiece }))
}

/// The codes of the organisations that the walk is about.
struct Codes {
    child: Value,
    national: String,
}

impl Codes {
    fn of(population: &Population) -> Self {
        let rows = Population { children: 1, ..*population }.rows();
        let mut found = Self { child: Value::Null, national: String::new() };
        for row in rows {
            if row["organisation"]["kind"] == "nationalPartner" {
                let reference =
                    row["organisation"]["codes"]["reference"].as_str().unwrap_or_default();
                found.national = format!("reference:{reference}");
            }
            if row["child"].is_object() {
                found.child = row["child"].clone();
            }
        }
        found
    }

    async fn find(
        &self,
        work: &mut Errands,
        place: &str,
    ) -> Result<(OrganisationId, String), Refused> {
        let code = match place {
            "authority" => format!(
                "authority:{}",
                self.child["responsibleAuthority"].as_str().unwrap_or_default()
            ),
            "national" => self.national.clone(),
            service => {
                let involvements =
                    self.child["involvements"].as_array().map(Vec::as_slice).unwrap_or_default();
                let found = involvements
                    .iter()
                    .find(|i| i["serviceType"] == service && i["endedOn"].is_null());
                found.and_then(|i| i["organisation"].as_str()).unwrap_or_default().to_owned()
            }
        };
        let found = store::organisation_named(work, &code).await?;
        Ok(found.ok_or_else(|| anyhow::anyhow!("the demo has no organisation for {place}"))?)
    }
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

/// Only what goes wrong: the demo's reader wants the accounts and the walk.
fn log_errors() {
    use tracing_subscriber::{EnvFilter, fmt, prelude::*};
    let layer = fmt::layer().with_writer(std::io::stderr);
    let _ = tracing_subscriber::registry()
        .with(EnvFilter::new("error,actix_http=off"))
        .with(layer)
        .try_init();
}

fn print(cast: &Value, address: SocketAddr, json: bool, search: &Value) -> Result<(), Refused> {
    let url = format!("http://{address}");
    let mut out = std::io::stdout().lock();
    if json {
        let told = json!({
            "url": url, "docs": format!("{url}/docs/"), "accounts": cast["accounts"], "clients": cast["clients"],
            "examples": { "search": search, "indexNumber": cast["showpiece"]["indexNumber"],
                "involvementId": cast["showpiece"]["schoolInvolvement"] },
        });
        writeln!(out, "{told}")?;
    } else {
        out.write_all(walk(cast, &url, search).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

/// What a newcomer reads: the accounts, and a walk to copy and paste.
fn walk(cast: &Value, url: &str, search: &Value) -> String {
    let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let rows = |list: &str| cast[list].as_array().cloned().unwrap_or_default();
    let mut said = format!(
        "\nContactPoint is ready, with fictitious children.\n\n  Documentation  {url}/docs/\n\nAccounts\n"
    );
    for account in rows("accounts") {
        let _ = writeln!(
            said,
            "  {:<22} password {}  PIN {}  {:<25} {}\n  {:<22} {}",
            text(&account, "userName"),
            text(&account, "password"),
            text(&account, "pin"),
            text(&account, "role"),
            text(&account, "organisation"),
            "",
            text(&account, "otpauth"),
        );
    }
    said.push_str("\nClients\n");
    for client in rows("clients") {
        let _ = writeln!(
            said,
            "  {}  secret {}  {}",
            text(&client, "clientId"),
            text(&client, "clientSecret"),
            text(&client, "role")
        );
    }
    let account = |name: &str| {
        rows("accounts").into_iter().find(|a| a["userName"] == name).unwrap_or_default()
    };
    let program = std::env::args().next().unwrap_or_else(|| "contactpoint".to_owned());
    said.push_str("\nThe present one-time code of an account (each is used once; the next comes within 30 seconds):\n");
    let _ = writeln!(said, "  {program} account code teacher");
    said.push_str(
        &include_str!("walk.sh")
            .replace("{url}", url)
            .replace("{program}", &program)
            .replace("{search}", &search.to_string())
            .replace("{child}", &text(&cast["showpiece"], "indexNumber"))
            .replace("{involvement}", &text(&cast["showpiece"], "schoolInvolvement"))
            .replace("{teacher.password}", &text(&account("teacher"), "password"))
            .replace("{teacher.pin}", &text(&account("teacher"), "pin"))
            .replace("{doctor.password}", &text(&account("doctor"), "password"))
            .replace("{doctor.pin}", &text(&account("doctor"), "pin")),
    );
    said.push_str("\nCtrl-C stops it.\n");
    said
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
