//! One fetch: a plain GET, without redirects, proxies or patience.

use std::{io, sync::Arc, thread, time::Duration};

use reqwest::{Client, StatusCode, Url, header::ACCEPT, redirect::Policy};
use tokio::sync::mpsc;

use super::{
    Job, Known,
    address::{PublicOnly, Reach, check},
};
use crate::jose::PublicKeys;

/// How long all of it may take: name, connection, answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// How much is read, in bytes.
const LARGEST: usize = 64 * 1024;

/// Starts the thread on which everything is fetched, until nobody can ask for more.
pub(super) fn start(
    reach: Reach,
    mut inbox: mpsc::UnboundedReceiver<Job>,
    known: Arc<Known>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async move {
        let mut client = None;
        while let Some(job) = inbox.recv().await {
            // Made at the first fetch: most instances never need one.
            let client = client.get_or_insert_with(|| client_of(DEADLINE)).clone();
            tokio::spawn(fetch(client, reach, job, Arc::clone(&known)));
        }
    };
    thread::Builder::new().name("remote-keys".to_owned()).spawn(move || {
        runtime.block_on(work);
        runtime.shutdown_background();
    })?;
    Ok(())
}

/// Asks public addresses alone, and follows nobody elsewhere.
pub(super) fn client_of(deadline: Duration) -> Option<Client> {
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .http1_only()
        .pool_max_idle_per_host(0)
        .dns_resolver(PublicOnly)
        .timeout(deadline)
        .build();
    client.inspect_err(|error| tracing::error!(%error, "others cannot be asked")).ok()
}

async fn fetch(client: Option<Client>, reach: Reach, job: Job, known: Arc<Known>) {
    let Job { url, at, done } = job;
    let read = async {
        let client = client.ok_or("there is no client")?;
        let checked = check(&url, reach)?;
        let bytes = tokio::time::timeout(DEADLINE, read(&client, checked)).await;
        let bytes = bytes.map_err(|_| "the answer took over 3 seconds")??;
        Ok::<_, Fault>(PublicKeys::parse(&bytes)?)
    };
    match read.await {
        Ok(keys) => known.keep(&url, keys, at),
        Err(cause) => tracing::warn!(url = %host(&url), %cause, "keys could not be fetched"),
    }
    drop(done);
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

async fn read(client: &Client, url: Url) -> Result<Vec<u8>, Fault> {
    let wanted = "application/jwk-set+json, application/json";
    let mut answer = client.get(url).header(ACCEPT, wanted).send().await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the answer had status {}", answer.status().as_u16()).into());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > LARGEST {
            return Err("the answer is over 64 KiB".into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// What the log may hold of an address.
fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
