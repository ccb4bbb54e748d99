//! The public keys that others publish, fetched when needed and kept for a while (security rule OIDC-2), and messages to others.
//!
//! Whoever can make us fetch something could make us ask our own network (server-side request forgery), or ask somebody
//! often: so only public addresses are asked, and each of them seldom.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};

use crate::jose::{PublicKey, PublicKeys};

mod address;
mod fetch;
mod post;

pub use address::{Reach, check};
pub use post::Poster;

/// After this time keys are fetched anew, while the old ones are still used.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// For this long keys are used while their owner does not answer.
const GOOD: TimeDelta = TimeDelta::hours(24);
/// No sooner is somebody asked again whose keys we have.
const PAUSE: TimeDelta = TimeDelta::seconds(60);
/// No sooner is somebody asked again whose keys we do not have.
const RETRY: TimeDelta = TimeDelta::seconds(10);
/// How many addresses are remembered.
const MOST: usize = 512;

/// Keys of others by their addresses, shared by all workers. A fetch never holds up anybody who does not wait for it.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    reach: Reach,
    jobs: mpsc::UnboundedSender<Job>,
    known: Arc<Known>,
}

/// The keys are not here and could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys cannot be had now")]
pub struct Unreachable;

/// One fetch, by which nobody waits longer than it takes: those who do are told by the end of `done`.
struct Job {
    url: String,
    at: DateTime<Utc>,
    done: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Known(Mutex<HashMap<String, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    held: Option<(Arc<PublicKeys>, DateTime<Utc>)>,
    tried_at: Option<DateTime<Utc>>,
    used_at: DateTime<Utc>,
    running: Option<watch::Receiver<()>>,
}

enum Found {
    Key(PublicKey),
    Nothing,
    Later(watch::Receiver<()>),
}

impl RemoteKeys {
    /// Starts the thread that fetches; it ends when the last handle is gone. It has connections of its own, since those of
    /// a worker stay with its runtime.
    pub fn start(reach: Reach) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let known = Arc::<Known>::default();
        fetch::start(reach, inbox, Arc::clone(&known))?;
        Ok(Self { reach, jobs, known })
    }

    /// How far it goes.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Refuses an address from which keys are never fetched, with a sentence that follows its name.
    pub fn check(&self, url: &str) -> Result<(), &'static str> {
        check(url, self.reach).map(|_| ())
    }

    /// The key of this name, as published at `url`; where none is named, the one key that there is. Waits at most 3
    /// seconds, and never while a connection to the database is held.
    pub async fn find(
        &self,
        url: &str,
        kid: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<PublicKey>, Unreachable> {
        match self.look(url, kid, now)? {
            Found::Key(key) => Ok(Some(key)),
            Found::Nothing => Ok(None),
            Found::Later(mut done) => {
                let _ = done.changed().await;
                self.known.lock().get(url).ok_or(Unreachable)?.find(kid, now)
            }
        }
    }

    fn look(&self, url: &str, kid: Option<&str>, now: DateTime<Utc>) -> Result<Found, Unreachable> {
        let mut known = self.known.lock();
        let entry = known_entry(&mut known, url)?;
        entry.used_at = now;
        let old = entry.held.as_ref().is_none_or(|(_, at)| now - *at >= FRESH);
        let found = entry.find(kid, now);
        if old || !matches!(found, Ok(Some(_))) {
            self.fetch(entry, url, now);
        }
        match (found, &entry.running) {
            (Ok(Some(key)), _) => Ok(Found::Key(key)),
            (_, Some(done)) if entry.is_running() => Ok(Found::Later(done.clone())),
            (found, _) => found.map(|_| Found::Nothing),
        }
    }

    /// Begins a fetch, unless one is running or was begun of late.
    fn fetch(&self, entry: &mut Entry, url: &str, now: DateTime<Utc>) {
        let pause = if entry.held.is_some() { PAUSE } else { RETRY };
        if entry.is_running() || entry.tried_at.is_some_and(|at| now - at < pause) {
            return;
        }
        let (done, waiting) = watch::channel(());
        entry.tried_at = Some(now);
        if self.jobs.send(Job { url: url.to_owned(), at: now, done }).is_ok() {
            entry.running = Some(waiting);
        }
    }
}

/// What is known of an address; the one that was not used for longest makes room.
fn known_entry<'k>(
    known: &'k mut HashMap<String, Entry>,
    url: &str,
) -> Result<&'k mut Entry, Unreachable> {
    if known.len() >= MOST && !known.contains_key(url) {
        let idle = known.iter().filter(|(_, entry)| !entry.is_running());
        let oldest = idle.min_by_key(|(_, entry)| entry.used_at).map(|(url, _)| url.clone());
        known.remove(&oldest.ok_or(Unreachable)?);
    }
    Ok(known.entry(url.to_owned()).or_default())
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, url: &str, keys: PublicKeys, at: DateTime<Utc>) {
        if let Some(entry) = self.lock().get_mut(url) {
            entry.held = Some((Arc::new(keys), at));
        }
    }
}

impl Entry {
    fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|done| done.has_changed().is_ok())
    }

    fn find(
        &self,
        kid: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<PublicKey>, Unreachable> {
        match &self.held {
            Some((keys, at)) if now - *at < GOOD => Ok(keys.find(kid).cloned()),
            _ => Err(Unreachable),
        }
    }
}
