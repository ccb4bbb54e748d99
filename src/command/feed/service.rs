//! The service, as a source system reaches it.

use std::{
    fs::File,
    io::Read,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{
    Body, Client, Method, RequestBuilder, Response, StatusCode, Url, header, redirect::Policy,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::{Push, proof::Proof};
use crate::{
    clock::Clock,
    command::{EX_CONFIG, Refused},
    feed::{BatchFormat, BatchStatus},
    problem::Fault,
};

/// Some rows were not taken.
const NOT_ALL: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// Nothing was sent, or it could not be followed to its end.
const NOT_SENT: u8 = 3;
/// The service could not take the file.
const UNREADABLE: u8 = 4;
/// As much of a file as is sent at a time.
const PIECE: usize = 64 * 1024;
/// As often as it is tried to reach the service.
const TRIES: u32 = 6;
/// As long as the service is waited for at most before it is tried again.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// As often as it is told how far it is, where nobody sits before it.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// How far a batch is, as the service tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Batch {
    pub(super) id: Uuid,
    status: BatchStatus,
    trial: bool,
    pub(super) rows: u64,
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

/// What cannot be done now may be done when it is run again.
fn not_sent(error: anyhow::Error) -> Refused {
    Refused(error, NOT_SENT)
}

/// The service, as the client reaches it.
pub(super) struct Service {
    client: Client,
    pub(super) push: Push,
    proof: Proof,
    token: SecretString,
}

impl Service {
    pub(super) fn of(push: Push, proof: Proof) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self { client, push, proof, token: SecretString::default() })
    }

    /// Sends the file; says which batch it is.
    pub(super) async fn send(&mut self, format: BatchFormat) -> Result<Batch, Refused> {
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
                .header(header::CONTENT_LENGTH, size)
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
        let Some(answer) = reached(answer, tries).await? else { return Ok(None) };
        match answer.status() {
            status if status.is_success() => {
                let body = answer.bytes().await.map_err(|error| not_sent(error.into()))?;
                let batch = serde_json::from_slice(&body);
                Ok(Some(batch.context("the answer is not one of this service").map_err(not_sent)?))
            }
            StatusCode::UNAUTHORIZED if tries < TRIES => {
                self.sign_in().await?;
                Ok(None)
            }
            StatusCode::CONFLICT if tries < TRIES => {
                tokio::time::sleep(asked_wait(&answer, tries)).await;
                Ok(None)
            }
            status => {
                let problem = problem(answer).await;
                let code = match status {
                    StatusCode::PAYLOAD_TOO_LARGE => UNREADABLE,
                    StatusCode::BAD_REQUEST if problem.kind.ends_with("batch-unreadable") => {
                        UNREADABLE
                    }
                    StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => USAGE,
                    StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => EX_CONFIG,
                    _ => NOT_SENT,
                };
                Err(Refused(anyhow!("{}", problem.detail), code))
            }
        }
    }

    /// Waits until every row has an outcome.
    pub(super) async fn follow(&mut self, mut batch: Batch) -> Result<Batch, Refused> {
        let bar = bar(batch.rows, "{wide_bar} {pos} of {len} rows  {per_sec}, {eta} left")?;
        let url = self.at(&format!("/v1/feeds/{}/batches/{}", self.push.feed, batch.id))?;
        let (mut tries, mut told) = (0, Instant::now());
        while !matches!(batch.status, BatchStatus::Done | BatchStatus::Failed) {
            bar.set_position(batch.done);
            if bar.is_hidden() && told.elapsed() > TOLD_EVERY {
                eprintln!("{} of {} rows.", batch.done, batch.rows);
                told = Instant::now();
            }
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
    pub(super) async fn tell(&self, batch: &Batch) -> Result<(), Refused> {
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
        let (id, now) = (self.push.client_id, Clock::System.now());
        let proof = self.proof.parameters(id, self.push.issuer(), now)?;
        let id = id.to_string();
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", &id)];
        form.extend(proof.iter().map(|(name, value)| (*name, value.expose_secret())));
        let form = serde_urlencoded::to_string(form)?;
        let url = self.at("/oauth/token")?;
        let mut tries = 0;
        let answer = loop {
            tries += 1;
            let request = self.client.post(url.clone());
            let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(answer) = reached(request.body(form.clone()).send().await, tries).await? {
                break answer;
            }
        };
        if !answer.status().is_success() {
            let code = if answer.status().is_client_error() { EX_CONFIG } else { NOT_SENT };
            return Err(Refused(anyhow!("signing in: {}", problem(answer).await.detail), code));
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

/// What the service answered; nothing where it was not reached or cannot answer now, after a pause in which it may come back.
async fn reached(
    answer: reqwest::Result<Response>,
    tries: u32,
) -> Result<Option<Response>, Refused> {
    let (pause, why) = match answer {
        Ok(answer) => {
            let busy = answer.status() == StatusCode::TOO_MANY_REQUESTS;
            if tries >= TRIES || !busy && !answer.status().is_server_error() {
                return Ok(Some(answer));
            }
            (asked_wait(&answer, tries), format!("the service answered {}", answer.status()))
        }
        Err(error) if tries < TRIES => (wait(tries), cause(&error)),
        Err(error) => return Err(not_sent(anyhow!("{}", cause(&error)))),
    };
    eprintln!("contactpoint: {why}; trying again");
    tokio::time::sleep(pause).await;
    Ok(None)
}

/// As long as the service asks to wait, or as is waited after so many tries.
fn asked_wait(answer: &Response, tries: u32) -> Duration {
    let asked = answer.headers().get(header::RETRY_AFTER);
    let asked = asked.and_then(|asked| asked.to_str().ok()?.parse().ok());
    asked.map_or(wait(tries), Duration::from_secs).min(LONGEST_WAIT)
}

/// 2, 4, 8, 16 and 32 seconds.
fn wait(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.min(5))
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
