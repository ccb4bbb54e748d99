//! `contactpoint watch`: what detectors would have found, and records that nobody has reason to look at.

use std::{fs, path::PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::{DatabaseUrl, Refused};
use crate::{
    clock::Clock,
    detector::{Rules, task},
    ids::IndexNumber,
    keys::Keys,
    seal::Vault,
    work::Errands,
};

/// Shows what a change of measures would have found, and marks records that nobody has reason to look at.
#[derive(Debug, Subcommand)]
pub(super) enum Watch {
    /// Look through the audit of a time once more, by the measures in force and by others beside them; nothing is changed
    Replay(Replay),
    /// Mark a fictitious record: whoever comes upon it raises an alert
    Canary(Canary),
}

/// Prints one JSON object: how many alerts there were, how many the measures in force raise and how many the others, by detector, with the
/// numbers of events in the audit; no personal data. Windows begin empty at the beginning of the time.
#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    database: DatabaseUrl,
    /// The folder of the secrets
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
    /// From this moment on, as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "MOMENT")]
    since: DateTime<Utc>,
    /// Before this moment; now unless said
    #[arg(long, value_name = "MOMENT")]
    until: Option<DateTime<Utc>>,
    /// The other measures: a JSON file of {"sweep": {"on": true, "least": 8, "limit": 0, "minutes": 60}, …}; of a detector that it
    /// does not name, the measure as shipped
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

/// Whoever opens a marked record, or is told of it by a search, raises an alert at once.
#[derive(Debug, Args)]
pub(super) struct Canary {
    #[command(flatten)]
    database: DatabaseUrl,
    /// The folder of the secrets
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
    /// The index number of the record, which must be of no real child
    #[arg(value_name = "NUMBER")]
    number: String,
    /// Take the mark away
    #[arg(long)]
    remove: bool,
}

impl Watch {
    pub(super) async fn run(self) -> Result<(), Refused> {
        match self {
            Self::Replay(replay) => replay.run().await,
            Self::Canary(canary) => canary.run().await,
        }
    }
}

impl Replay {
    async fn run(self) -> Result<(), Refused> {
        let keys = Keys::load(&self.keys).map_err(Refused::configuration)?;
        let vault = Vault::new(keys.sealer, &keys.pepper);
        let rules = match &self.rules {
            Some(file) => rules(file).map_err(Refused::configuration)?,
            None => Rules::default(),
        };
        let (since, until) = (self.since, self.until.unwrap_or_else(|| Clock::System.now()));
        let span = u64::try_from((until - since).num_minutes())
            .map_err(|_| anyhow::anyhow!("the time ends before it begins"))?;
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "watch_replay").await?;
        let mut work = work.with_vault(vault);
        let style = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left")?;
        let bar = ProgressBar::new(span).with_style(style);
        let told = |reached: DateTime<Utc>| {
            bar.set_position(u64::try_from((reached - since).num_minutes()).unwrap_or_default());
        };
        let replayed = task::replay(&mut work, (since, until), &rules, told).await;
        bar.finish_and_clear();
        println!("{}", serde_json::to_string(&replayed?)?);
        Ok(())
    }
}

fn rules(file: &PathBuf) -> anyhow::Result<Rules> {
    let read = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&read).with_context(|| file.display().to_string())
}

impl Canary {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let number = IndexNumber::parse(&self.number)
            .map_err(|refusal| anyhow::anyhow!("{}", refusal.sentence()))?;
        let keys = Keys::load(&self.keys).map_err(Refused::configuration)?;
        let vault = Vault::new(keys.sealer, &keys.pepper);
        let work = Errands::begin(&options, &Clock::System, "watch_canary").await?;
        let mut work = work.with_vault(vault);
        if !task::mark(&mut work, &number, !self.remove).await? {
            return Err(anyhow::anyhow!("there is no record of this number").into());
        }
        Ok(())
    }
}
