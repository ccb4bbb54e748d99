//! The commands of the binary.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

mod account;
mod audit;
mod cast;
mod demo;
mod feed;
mod generate;
mod keys;
mod load;
mod matching;
mod retention;
mod serve;
mod telemetry;
mod walk;
mod watch;

use crate::{
    app,
    clock::{Clock, day_in_london},
    database,
    keys::Keys,
    seal::Vault,
};

/// An exit that says the configuration must be put right before trying again (`sysexits.h`).
const EX_CONFIG: u8 = 78;

/// ContactPoint, a national child index: finds the one right child, and shows who is working with that child and how to
/// reach them.
///
/// To try it, run `contactpoint demo`: it needs no configuration.
#[derive(Debug, Parser)]
#[command(name = "contactpoint", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: a private database, fictitious children, accounts of every role, and the service
    Demo(demo::Demo),
    /// Run the service
    Serve(serve::Serve),
    /// Bring the database up to date
    Migrate(Migrate),
    /// Load organisations and children from a file of NDJSON
    Load(load::Load),
    /// Fill an empty index with fictitious children by the million
    Generate(generate::Generate),
    /// Send what a source system holds
    #[command(subcommand)]
    Feed(feed::Feed),
    /// Add accounts and clients, and show one-time codes
    #[command(subcommand)]
    Account(account::Account),
    /// Make the service's secrets, and show the public keys
    #[command(subcommand)]
    Keys(self::keys::Keys),
    /// Archive what is over, and say what will be
    #[command(subcommand)]
    Retention(retention::Retention),
    /// Export and verify the audit
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Train, promote and measure how records are matched
    #[command(subcommand)]
    Match(matching::Match),
    /// Show what detectors would have found, and mark records that nobody has reason to look at
    #[command(subcommand)]
    Watch(watch::Watch),
    /// Print the OpenAPI document
    Openapi,
}

/// Where the database is: its address, or a file that holds it.
#[derive(Debug, Clone, Args)]
#[group(id = "where the database is", required = true, multiple = false)]
struct DatabaseUrl {
    /// The database, as the role `contactpoint_app` (to migrate: a role that may create roles and tables):
    /// <postgres://contactpoint_app@host/name>
    #[arg(long = "database", env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: Option<SecretString>,
    /// A file that holds that address with its password, which so stands neither among the arguments nor in the environment
    #[arg(
        id = "database-file",
        long = "database-file",
        env = "DATABASE_URL_FILE",
        value_name = "FILE"
    )]
    file: Option<PathBuf>,
}

impl DatabaseUrl {
    /// How the database is reached.
    fn options(&self) -> Result<PgConnectOptions, Refused> {
        let url = match (&self.url, &self.file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => address_in(file)?,
            (None, None) => SecretString::default(),
        };
        database::options(&url).map_err(Refused::configuration)
    }
}

/// The address of a database that a file holds.
fn address_in(file: &PathBuf) -> Result<SecretString, Refused> {
    match fs::read_to_string(file) {
        Ok(address) => Ok(SecretString::from(address.trim())),
        Err(error) => {
            let why = anyhow::anyhow!("{} cannot be read: {error}", file.display());
            Err(Refused::configuration(why))
        }
    }
}

/// Where the secrets are.
#[derive(Debug, Clone, Args)]
struct KeysFolder {
    /// The folder of the secrets, as `contactpoint keys generate` makes it
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
}

impl KeysFolder {
    /// What seals and opens.
    fn vault(&self) -> Result<Vault, Refused> {
        let keys = Keys::load(&self.keys).map_err(Refused::configuration)?;
        Ok(Vault::new(keys.sealer, &keys.pepper))
    }
}

/// Brings the database up to date, as a role that owns it or may create roles. It is safe to run twice, and while the
/// service is running.
#[derive(Debug, Args)]
struct Migrate {
    #[command(flatten)]
    database: DatabaseUrl,
}

/// Why a command could not be done.
#[derive(Debug)]
struct Refused(anyhow::Error, u8);

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into(), 1)
    }
}

impl Refused {
    /// The configuration is at fault.
    fn configuration(error: impl Into<anyhow::Error>) -> Self {
        Self(error.into(), EX_CONFIG)
    }
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = actix_web::rt::System::new().block_on(async {
        match cli.command {
            Command::Demo(demo) => demo.run().await,
            Command::Serve(serve) => serve.run().await,
            Command::Migrate(migrate) => migrate.run().await,
            Command::Load(load) => load.run().await,
            Command::Generate(generate) => generate.run().await,
            Command::Feed(feed) => feed.run().await,
            Command::Account(account) => account.run().await,
            Command::Keys(keys) => keys.run().await,
            Command::Retention(retention) => retention.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::Match(command) => command.run().await,
            Command::Watch(watch) => watch.run().await,
            Command::Openapi => {
                print!("{}", app::document());
                Ok(())
            }
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refused(error, code)) => {
            eprintln!("contactpoint: {error:#}");
            ExitCode::from(code)
        }
    }
}

impl Migrate {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        database::migrate(&options).await?;
        // So that what is done before the service first runs is written down where it belongs.
        let today = day_in_london(Clock::System.now());
        database::prepare_audit_months(&options, today).await?;
        eprintln!("The database is up to date.");
        match database::await_an_entry(&options).await? {
            0 => {}
            waiting => eprintln!(
                "{waiting} children are not found by likeness yet: the service sees to it, and `contactpoint match index` at once."
            ),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::command().debug_assert();
    }
}
