//! `contactpoint feed`: the side of a source system, for the scheduler of a council or a school.

use std::{
    fs::{self, File},
    io::Read,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{
    Body, Client, Method, RequestBuilder, Response, StatusCode, Url, header, redirect::Policy,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::Refused;
use crate::{
    feed::{BatchFormat, BatchStatus},
    problem::Fault,
};

/// Some rows were not taken.
const NOT_ALL: u8 = 1;
/// Nothing was sent, or it could not be followed to its end.
const NOT_SENT: u8 = 3;
/// The service could not read the file.
const UNREADABLE: u8 = 4;
/// As much of a file as is sent at a time.
const PIECE: usize = 64 * 1024;
/// As often as it is tried to reach the service.
const TRIES: u32 = 5;

/// Sends what a source system holds.
#[derive(Debug, Subcommand)]
pub(super) enum Feed {
    /// Send a file as a batch, and wait for what becomes of its rows
    Push(Push),
}

/// Sends a file as a batch, and waits for what becomes of its rows. It may be stopped and run again at any moment: the same
/// file, sent again, is the same batch.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:\n  \
    0  every row was taken (in trial: would be)\n  \
    1  some rows were rejected, or wait for a steward\n  \
    2  the command line is wrong\n  \
    3  it could not be sent, or not be followed to its end: run it again\n  \
    4  the service could not read the file\n \
    78  the secret cannot be read, or the address is not https")]
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
    /// A file that holds the client's secret, which so stands neither among the arguments nor in the environment
    #[arg(long, env = "CONTACTPOINT_SECRET_FILE", value_name = "FILE")]
    secret_file: PathBuf,
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

/// How far a batch is, as the service tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    id: Uuid,
    status: BatchStatus,
    trial: bool,
    rows: u64,
    done: u64,
    outcomes: Outcomes,
    unconfirmed: u64,
}

#[derive(Debug, Deserialize)]
struct Outcomes {
    linked: u64,
    created: u64,
    unchanged: u64,
    review: u64,
    rejected: u64,
}

#[derive(Deserialize)]
struct Rows {
    items: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    line: u64,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type", alias = "error", default)]
    kind: String,
    #[serde(alias = "error_description", default)]
    detail: String,
}

impl Feed {
    pub(super) async fn run(self) -> Result<(), Refused> {
        let Self::Push(push) = self;
        push.run().await
    }
}

impl Push {
    async fn run(self) -> Result<(), Refused> {
        let format = self.format()?;
        let secret = fs::read_to_string(&self.secret_file)
            .with_context(|| format!("{} cannot be read", self.secret_file.display()))
            .map_err(Refused::configuration)?;
        let loopback = matches!(self.url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if self.url.scheme() != "https" && !loopback {
            return Err(Refused::configuration(anyhow!(
                "the address of the service must be https"
            )));
        }
        let client = Client::builder().redirect(Policy::none()).build()?;
        let secret = SecretString::from(secret.trim());
        let mut service = Service { client, push: self, secret, token: SecretString::default() };
        let batch = service.send(format).await?;
        eprintln!("Batch {} has {} rows.", batch.id, batch.rows);
        if service.push.no_wait {
            return Ok(());
        }
        let batch = service.follow(batch).await?;
        service.tell(&batch).await
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

/// What cannot be done now may be done when it is run again.
fn not_sent(error: anyhow::Error) -> Refused {
    Refused(error, NOT_SENT)
}

/// The service, as the client reaches it.
struct Service {
    client: Client,
    push: Push,
    secret: SecretString,
    token: SecretString,
}

impl Service {
    /// Sends the file; says which batch it is.
    async fn send(&mut self, format: BatchFormat) -> Result<Batch, Refused> {
        let path = format!("/v1/feeds/{}/batches", self.push.feed);
        let mut url = self.at(&path)?;
        if self.push.complete {
            url.query_pairs_mut().append_pair("complete", "true");
        }
        if let Some(day) = self.push.as_at {
            url.query_pairs_mut().append_pair("asAt", &day.to_string());
        }
        let form = match format {
            BatchFormat::Ndjson => "application/x-ndjson",
            BatchFormat::Csv => "text/csv",
            BatchFormat::Ctf => "application/xml",
        };
        let key = Uuid::new_v4().to_string();
        let mut tries = 0;
        loop {
            tries += 1;
            let file = self.push.file.display();
            let opened =
                File::open(&self.push.file).and_then(|held| Ok((held.metadata()?.len(), held)));
            let (size, held) =
                opened.with_context(|| format!("{file} cannot be read")).map_err(not_sent)?;
            if self.token.expose_secret().is_empty() {
                self.sign_in().await?;
            }
            let bar = bar(size, "{wide_bar} {bytes} of {total_bytes}  {msg}")?;
            bar.set_message("sent");
            let request = self.request(Method::POST, url.clone());
            let request = request
                .header(header::CONTENT_TYPE, form)
                .header("Idempotency-Key", &key)
                .body(Body::wrap_stream(pieces(held, bar.clone())));
            let answer = request.send().await;
            bar.finish_and_clear();
            if let Some(batch) = self.judge(answer, tries).await? {
                return Ok(batch);
            }
        }
    }

    /// What an answer says; nothing where it is to be tried again.
    async fn judge(
        &mut self,
        answer: reqwest::Result<Response>,
        tries: u32,
    ) -> Result<Option<Batch>, Refused> {
        let again = tries < TRIES;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if again => {
                eprintln!("contactpoint: {}; trying again", cause(&error));
                tokio::time::sleep(Duration::from_secs(u64::from(tries) * 2)).await;
                return Ok(None);
            }
            Err(error) => return Err(not_sent(anyhow!("{}", cause(&error)))),
        };
        match answer.status() {
            status if status.is_success() => {
                let body = answer.bytes().await.map_err(|error| not_sent(error.into()))?;
                let batch = serde_json::from_slice(&body);
                Ok(Some(batch.context("the answer is not one of this service").map_err(not_sent)?))
            }
            StatusCode::UNAUTHORIZED if again => {
                self.sign_in().await?;
                Ok(None)
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::CONFLICT
                if again =>
            {
                let wait = answer.headers().get(header::RETRY_AFTER);
                let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok()).unwrap_or(2);
                tokio::time::sleep(Duration::from_secs(wait)).await;
                Ok(None)
            }
            _ => {
                let problem = problem(answer).await;
                let unreadable = problem.kind.ends_with("batch-unreadable");
                let code = if unreadable { UNREADABLE } else { NOT_SENT };
                Err(Refused(anyhow!("{}", problem.detail), code))
            }
        }
    }

    /// Waits until every row has an outcome.
    async fn follow(&mut self, mut batch: Batch) -> Result<Batch, Refused> {
        let bar = bar(batch.rows, "{wide_bar} {pos} of {len} rows  {per_sec}, {eta} left")?;
        let url = self.at(&format!("/v1/feeds/{}/batches/{}", self.push.feed, batch.id))?;
        let mut tries = 0;
        while !matches!(batch.status, BatchStatus::Done | BatchStatus::Failed) {
            bar.set_position(batch.done);
            tokio::time::sleep(Duration::from_secs(1)).await;
            tries += 1;
            let answer = self.request(Method::GET, url.clone()).send().await;
            if let Some(next) = self.judge(answer, tries).await? {
                (batch, tries) = (next, 0);
            }
        }
        bar.finish_and_clear();
        Ok(batch)
    }

    /// Tells what became of the rows.
    async fn tell(&self, batch: &Batch) -> Result<(), Refused> {
        if batch.status == BatchStatus::Failed {
            return Err(Refused(anyhow!("the batch failed; nothing of it was done"), UNREADABLE));
        }
        let Outcomes { linked, created, unchanged, review, rejected } = batch.outcomes;
        let trial = if batch.trial { " In trial: nothing was changed." } else { "" };
        println!(
            "linked {linked}, created {created}, unchanged {unchanged}, review {review}, rejected {rejected}; no longer sent {}.{trial}",
            batch.unconfirmed
        );
        if rejected > 0 {
            self.faults(batch).await.map_err(not_sent)?;
        }
        match review + rejected {
            0 => Ok(()),
            left => Err(Refused(anyhow!("{left} of {} rows were not taken", batch.rows), NOT_ALL)),
        }
    }

    /// Tells why the first rows were rejected.
    async fn faults(&self, batch: &Batch) -> anyhow::Result<()> {
        let path = format!("/v1/feeds/{}/batches/{}/rows", self.push.feed, batch.id);
        let mut url = self.at(&path)?;
        url.set_query(Some("outcome=rejected&limit=20"));
        let answer = self.request(Method::GET, url).send().await?;
        if !answer.status().is_success() {
            bail!("{}", problem(answer).await.detail);
        }
        let rows: Rows = serde_json::from_slice(&answer.bytes().await?)?;
        for Row { line, errors } in rows.items {
            for Fault { pointer, detail } in errors {
                let at = if pointer.is_empty() { String::new() } else { format!("{pointer}: ") };
                eprintln!("line {line}: {at}{detail}");
            }
        }
        Ok(())
    }

    /// Gets an access token (RFC 6749, section 4.4).
    async fn sign_in(&mut self) -> Result<(), Refused> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: SecretString,
        }
        let form = serde_urlencoded::to_string([
            ("grant_type", "client_credentials"),
            ("client_id", &self.push.client_id.to_string()),
            ("client_secret", self.secret.expose_secret()),
        ])?;
        let request = self.client.post(self.at("/oauth/token")?);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await;
        let answer = answer.map_err(|error| not_sent(anyhow!("{}", cause(&error))))?;
        if !answer.status().is_success() {
            return Err(not_sent(anyhow!("signing in: {}", problem(answer).await.detail)));
        }
        let body = answer.bytes().await.map_err(|error| not_sent(error.into()))?;
        self.token = serde_json::from_slice::<Granted>(&body)
            .map_err(|_| not_sent(anyhow!("signing in: the answer is not one of this service")))?
            .access_token;
        Ok(())
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url).bearer_auth(self.token.expose_secret());
        request.header("Access-Reason", "direct-service")
    }

    fn at(&self, path: &str) -> anyhow::Result<Url> {
        let base = self.push.url.as_str().trim_end_matches('/');
        Ok(Url::parse(&format!("{base}{path}"))?)
    }
}

/// What went wrong, to its cause, without the address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("the service cannot be reached: {cause}")
}

async fn problem(answer: Response) -> Problem {
    let status = answer.status();
    let body = answer.bytes().await.unwrap_or_default();
    let told = serde_json::from_slice::<Problem>(&body).ok();
    let told = told.filter(|told| !told.detail.is_empty());
    told.unwrap_or(Problem {
        kind: String::new(),
        detail: format!("the service answered {status}"),
    })
}

/// The pieces of a file, as they are sent.
fn pieces(
    file: File,
    bar: ProgressBar,
) -> impl futures_util::Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static {
    stream::unfold((file, bar), |(mut file, bar)| async move {
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece) {
            Ok(0) => None,
            Ok(bytes) => {
                piece.truncate(bytes);
                bar.inc(u64::try_from(bytes).unwrap_or_default());
                Some((Ok(piece), (file, bar)))
            }
            Err(error) => Some((Err(error), (file, bar))),
        }
    })
}

/// Shows how far it is; nothing where standard error is no terminal.
fn bar(length: u64, template: &str) -> Result<ProgressBar, Refused> {
    Ok(ProgressBar::new(length).with_style(ProgressStyle::with_template(template)?))
}
