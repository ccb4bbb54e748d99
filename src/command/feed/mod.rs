//! `contactpoint feed`: the side of a source system, for the scheduler of a council or a school.

use std::{fs, path::PathBuf};

use anyhow::{Context, anyhow};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::Refused;
use crate::feed::BatchFormat;

mod proof;
mod service;

use proof::{Key, Proof};
use service::Service;

/// Sends what a source system holds.
#[derive(Debug, Subcommand)]
pub(super) enum Feed {
    /// Send a file as a batch, and wait for what becomes of its rows
    Push(Push),
    /// Show the public key of a key file, as a client is registered with it
    Key(ShowKey),
}

/// Shows the public key of a key file as a set (JWKS), which is registered as the `jwks` of the client. A key is made by
/// `openssl genpkey -algorithm ed25519 -out feed.pem`, and stays where it is.
#[derive(Debug, Args)]
pub(super) struct ShowKey {
    /// The private key: a JSON Web Key or PEM, Ed25519 or P-256
    #[arg(value_name = "FILE")]
    key: PathBuf,
    /// The name of the key, where the file does not say; its thumbprint (RFC 7638) unless given
    #[arg(long, value_name = "NAME")]
    key_id: Option<String>,
}

/// Sends a file as a batch, and waits for what becomes of its rows. It may be stopped and run again at any moment: the same
/// file, sent again, is the same batch. A connection that breaks is tried again for a minute.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:\n  \
    0  every row was taken (in trial: would be; with --no-wait: will be looked at)\n  \
    1  some rows were rejected, or wait for a steward\n  \
    2  the command line is wrong\n  \
    3  it could not be sent, or not be followed to its end: run it again\n  \
    4  the service could not read the file, or it is over 1 GiB\n \
    78  the secret or the key cannot be read or is not believed, the feed is not the client's, or the address is not https")]
pub(super) struct Push {
    /// The file: NDJSON (.ndjson, .jsonl), CSV (.csv) or Common Transfer File (.xml)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the service is: <https://contactpoint.example.org>
    #[arg(long, env = "CONTACTPOINT_URL", value_name = "URL")]
    url: Url,
    /// The feed, by its id
    #[arg(long, env = "CONTACTPOINT_FEED", value_name = "ID")]
    feed: Uuid,
    /// The client that sends, by its id
    #[arg(long, env = "CONTACTPOINT_CLIENT_ID", value_name = "ID")]
    client_id: Uuid,
    #[command(flatten)]
    held: Held,
    /// The name of the key, where the client is registered with several and the file does not say
    #[arg(long, env = "CONTACTPOINT_KEY_ID", value_name = "NAME", requires = "key")]
    key_id: Option<String>,
    /// What the service calls itself (`issuer` of its metadata), where that is not the address
    #[arg(long, env = "CONTACTPOINT_ISSUER", value_name = "URL")]
    issuer: Option<String>,
    /// The form, where the file's name does not say: ndjson, csv or ctf
    #[arg(long, value_name = "FORM")]
    format: Option<BatchFormat>,
    /// The file holds every child whom the feed holds: whoever is not in it is no longer sent
    #[arg(long)]
    complete: bool,
    /// The day for which the file holds; today unless given
    #[arg(long, value_name = "DATE")]
    as_at: Option<NaiveDate>,
    /// Send it, and do not wait for what becomes of its rows
    #[arg(long)]
    no_wait: bool,
}

/// What the client has to prove itself by.
#[derive(Debug, Args)]
#[group(id = "what the client has to prove itself by", required = true, multiple = false)]
struct Held {
    /// A file that holds the client's secret, which so stands neither among the arguments nor in the environment
    #[arg(long, env = "CONTACTPOINT_SECRET_FILE", value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A file that holds the client's private key, which never leaves this machine (`private_key_jwt`): a JSON Web Key or PEM,
    /// Ed25519 or P-256
    #[arg(long, env = "CONTACTPOINT_KEY_FILE", value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Feed {
    pub(super) async fn run(self) -> Result<(), Refused> {
        match self {
            Self::Push(push) => push.run().await,
            Self::Key(key) => key.show(),
        }
    }
}

impl ShowKey {
    fn show(self) -> Result<(), Refused> {
        let key = Key::read(&self.key, self.key_id).map_err(Refused::configuration)?;
        println!("{:#}", json!({ "keys": [key.public()?] }));
        Ok(())
    }
}

impl Push {
    async fn run(self) -> Result<(), Refused> {
        let format = self.format()?;
        let proof = self.proof().map_err(Refused::configuration)?;
        let loopback = matches!(self.url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if self.url.scheme() != "https" && !loopback {
            return Err(Refused::configuration(anyhow!(
                "the address of the service must be https"
            )));
        }
        let mut service = Service::of(self, proof)?;
        let batch = service.send(format).await?;
        eprintln!("Batch {} has {} rows.", batch.id, batch.rows);
        if service.push.no_wait {
            return Ok(());
        }
        let batch = service.follow(batch).await?;
        service.tell(&batch).await
    }

    fn proof(&self) -> anyhow::Result<Proof> {
        if let Some(file) = &self.held.key {
            return Ok(Proof::Key(Box::new(Key::read(file, self.key_id.clone())?)));
        }
        let file = self.held.secret_file.clone().unwrap_or_default();
        let secret = fs::read_to_string(&file);
        let secret = secret.with_context(|| format!("{} cannot be read", file.display()))?;
        Ok(Proof::Secret(SecretString::from(secret.trim())))
    }

    /// What the service calls itself, for whom alone the client's proof is.
    fn issuer(&self) -> &str {
        self.issuer.as_deref().unwrap_or(self.url.as_str().trim_end_matches('/'))
    }

    /// The form of the file, as it is said or as its name says.
    fn format(&self) -> Result<BatchFormat, Refused> {
        let suffix = self.file.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
        let named = match suffix.to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" => Some(BatchFormat::Ndjson),
            "csv" => Some(BatchFormat::Csv),
            "xml" => Some(BatchFormat::Ctf),
            _ => None,
        };
        let format = self.format.or(named);
        format.ok_or_else(|| Refused(anyhow!("say the form of the file with --format"), 2))
    }
}
