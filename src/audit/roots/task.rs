//! Making roots: by one instance at a time, a moment after the transactions of the events have ended.

use anyhow::{Context, bail};
use sqlx::PgConnection;

use super::{
    Hash, Range, Root, Signer, entry, root,
    store::{self, Life, Pending},
    witness::Witness,
};
use crate::{audit::leaf::word, clock::Clock, metric, seal::Vault};

/// As many events as one root is over at most, but for those of one transaction.
pub const MOST: i64 = 50_000;

/// Makes roots, and remembers the last.
#[derive(Debug)]
pub struct Sealer {
    signer: Signer,
    vault: Vault,
    clock: Clock,
    witness: Option<Witness>,
    seen: Option<(i64, Hash)>,
}

impl Sealer {
    /// One that signs by these keys, knows the service's own word by this vault, and tells this witness.
    #[must_use]
    pub fn new(signer: Signer, vault: Vault, clock: Clock, witness: Option<Witness>) -> Self {
        Self { signer, vault, clock, witness, seen: None }
    }

    /// Whether this connection is the one that makes roots, as long as it lasts.
    pub async fn take_turn(&self, db: &mut PgConnection) -> anyhow::Result<bool> {
        Ok(store::take_turn(db).await?)
    }

    /// Makes roots over all events whose transactions have ended, and tells the witness; how many events they are over.
    pub async fn run(&mut self, db: &mut PgConnection, most: i64) -> anyhow::Result<i64> {
        let mut events = 0;
        loop {
            let made = self.once(db, most).await?;
            if let Some(witness) = &self.witness {
                witness.catch_up(db).await.context("the witness cannot be told")?;
            }
            match made {
                Some(root) => events += root.events,
                None => break,
            }
        }
        self.tell_lag(db).await?;
        Ok(events)
    }

    async fn once(&mut self, db: &mut PgConnection, most: i64) -> anyhow::Result<Option<Root>> {
        let horizon = store::horizon(&mut *db).await?;
        let last = store::last(&mut *db).await?;
        self.still_there(db, last.as_ref()).await?;
        let epochs = store::epochs(&mut *db).await?;
        let Some((epoch, range)) = next(&epochs, last.as_ref(), horizon) else { return Ok(None) };
        let (range, pending) = read(db, range, most).await?;
        if pending.is_empty() && range.to != i64::MAX {
            return Ok(None);
        }
        let earlier = match &last {
            Some(_) => 0,
            None => store::earlier(&mut *db, epoch.epoch, epoch.since).await?,
        };
        let previous = last.as_ref().map(Root::hash).transpose()?.unwrap_or_default();
        let made = Root {
            n: last.map_or(0, |last| last.n) + 1,
            range,
            cluster: epoch.cluster.clone(),
            events: i64::try_from(pending.len())?,
            earlier,
            root: over(&pending),
            doubted: pending
                .iter()
                .filter(|event| !self.wrote(event))
                .map(|event| event.id)
                .collect(),
            previous,
            at: chrono::SubsecRound::trunc_subsecs(self.clock.now(), 6),
            kid: String::new(),
            signature: Vec::new(),
        };
        let made = made.signed(&self.signer)?;
        let hash = made.hash()?;
        store::insert(db, &made, &hash).await?;
        self.seen = Some((made.n, hash));
        if let Some(first) = pending.iter().map(|event| event.at).min() {
            let waited = (made.at - first).to_std().unwrap_or_default();
            metrics::histogram!(metric::AUDIT_SEAL_DELAY).record(waited);
        }
        if !made.doubted.is_empty() {
            metrics::counter!(metric::AUDIT_DOUBTED).increment(made.doubted.len() as u64);
            tracing::error!(
                root = made.n,
                events = made.doubted.len(),
                "events of the audit are not what the service wrote"
            );
        }
        Ok(Some(made))
    }

    /// Whether the service wrote an event as it is.
    fn wrote(&self, event: &Pending) -> bool {
        match (event.serial, &event.leaf, &event.mac) {
            (Some(serial), Some(leaf), Some(mac)) => {
                word(&self.vault, event.instance, serial, leaf) == *mac
            }
            _ => false,
        }
    }

    /// Refuses a database that has lost the root that was made last here.
    async fn still_there(&self, db: &mut PgConnection, last: Option<&Root>) -> anyhow::Result<()> {
        let Some((n, hash)) = self.seen else { return Ok(()) };
        let held = match last {
            Some(last) if last.n == n => Some(last.clone()),
            _ => store::of(db, n).await?,
        };
        match held.map(|held| held.hash()).transpose()? {
            Some(held) if held == hash => Ok(()),
            _ => bail!(
                "the database has lost root {n}: it was rolled back, or somebody removed what it kept"
            ),
        }
    }

    async fn tell_lag(&self, db: &mut PgConnection) -> anyhow::Result<()> {
        let Some(last) = store::last(&mut *db).await? else { return Ok(()) };
        let oldest = store::oldest(db, last.range.epoch, last.range.to).await?;
        let lag = oldest.map_or(0, |at| (self.clock.now() - at).num_milliseconds().max(0));
        let seconds = metric::whole(lag) / 1000.0;
        metrics::gauge!(metric::AUDIT_SEAL_LAG).set(seconds);
        if seconds > 5.0 {
            tracing::warn!(seconds, "events of the audit wait for a root");
        }
        Ok(())
    }
}

/// What the next root is over, up to the transaction below which all have ended: the rest of an epoch that is over, or the present.
fn next<'e>(epochs: &'e [Life], last: Option<&Root>, horizon: i64) -> Option<(&'e Life, Range)> {
    let present = epochs.last()?;
    let (epoch, from) = match last.map(|last| last.range) {
        None => epochs.first().map(|first| (first, first.since))?,
        Some(done) if done.to == i64::MAX => {
            let next = epochs.iter().find(|epoch| epoch.epoch > done.epoch)?;
            (next, next.since)
        }
        Some(done) => (epochs.iter().find(|epoch| epoch.epoch == done.epoch)?, done.to),
    };
    let to = if epoch.epoch < present.epoch { i64::MAX } else { horizon };
    (from < to).then_some((epoch, Range { epoch: epoch.epoch, from, to }))
}

/// The events of the range, or of its first part where there are more than so many: whole transactions.
async fn read(
    db: &mut PgConnection,
    range: Range,
    most: i64,
) -> anyhow::Result<(Range, Vec<Pending>)> {
    let mut limit = most;
    loop {
        let mut pending = store::pending(&mut *db, range, limit).await?;
        if i64::try_from(pending.len())? < limit {
            return Ok((range, pending));
        }
        let cut = pending.last().map_or(range.to, |event| event.tx);
        pending.retain(|event| event.tx < cut);
        if !pending.is_empty() {
            return Ok((Range { to: cut, ..range }, pending));
        }
        limit *= 4;
    }
}

/// The root over these events.
fn over(pending: &[Pending]) -> Hash {
    let leaf = |event: &Pending| event.leaf.clone().unwrap_or_default();
    root(&pending.iter().map(|event| entry(event.tx, &leaf(event))).collect::<Vec<_>>())
}
