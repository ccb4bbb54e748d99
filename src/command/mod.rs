//! The commands of the binary.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;

mod account;
mod demo;
mod keys;
mod load;
mod serve;

use crate::{app, database};

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
    /// Add accounts and clients, and show one-time codes
    #[command(subcommand)]
    Account(account::Account),
    /// Make the service's secrets, and show the public keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Print the OpenAPI document
    Openapi,
}

/// Where the database is.
#[derive(Debug, Clone, Args)]
struct DatabaseUrl {
    /// The database, as the role `contactpoint_app`: <postgres://contactpoint_app@host/name>
    #[arg(long = "database", env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: SecretString,
}

/// Brings the database up to date, as a role that owns it or may create roles. It is safe to run twice, and while the
/// service is running.
#[derive(Debug, Args)]
struct Migrate {
    /// The database, as a role that may create roles and tables
    #[arg(long = "database", env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: SecretString,
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
            Command::Account(account) => account.run().await,
            Command::Keys(keys) => keys.run(),
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
        let options = database::options(&self.url).map_err(Refused::configuration)?;
        database::migrate(&options).await?;
        eprintln!("The database is up to date.");
        Ok(())
    }
}

/// Logs as JSON, one line an event, at the level that `RUST_LOG` says.
fn log() {
    use tracing_subscriber::{EnvFilter, fmt, prelude::*};
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,actix_http=off,actix_server=warn"));
    let layer =
        fmt::layer().json().with_writer(std::io::stderr).flatten_event(true).with_span_list(false);
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}
