//! `contactpoint retention`: what the passing of days brings about.

use std::path::PathBuf;

use anyhow::Context;
use chrono::{Days, NaiveDate};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{DatabaseUrl, KeysFolder, Refused, load::told};
use crate::{
    clock::{Clock, day_in_london},
    keys::Keys,
    purge::{
        Erasure,
        task::{erasures, replay},
    },
    retention::task::{self, Summary},
    seal::Vault,
    work::Errands,
};

/// Archives records whose time is over, ends flags, reminds, and carries out approved purges; says what will be archived.
#[derive(Debug, Subcommand)]
pub(super) enum Retention {
    /// Do what is due today. The running service does it by itself, every few minutes and at midnight in London
    Run(Run),
    /// Say how many records are archived on each of the next days, if nothing changes
    Forecast(Forecast),
    /// List which records were purged, to be kept beside the backups
    Erasures(Erasures),
    /// Purge again what has come back from a backup
    Replay(Replay),
}

/// Prints one JSON object a line: the hash of a record that was purged, and the day. It tells nothing of anybody. Keep the list
/// where it outlives the database: after a restore `contactpoint retention replay` takes it.
#[derive(Debug, Args)]
pub(super) struct Erasures {
    #[command(flatten)]
    database: DatabaseUrl,
    /// The first day
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2000-01-01")]
    since: NaiveDate,
}

/// Purges again every record of a list of erasures that a restored database has, before anybody uses it: two operators answer for
/// it, as for every purge. It may be stopped at any moment and run again. Prints how many had come back, and how many are kept, as one
/// JSON object; the exit code is 1 where any is kept.
#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// The operator who proposes it
    #[arg(long, value_name = "USER NAME")]
    proposed_by: String,
    /// Another operator, who approves it
    #[arg(long, value_name = "USER NAME")]
    approved_by: String,
    /// The list, as `contactpoint retention erasures` prints it; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Does what is due, batch by batch; each batch is one transaction with its event in the audit. It may be stopped at any
/// moment and run again, and while another is at work there is nothing to do. Prints what was done as one JSON object.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    database: DatabaseUrl,
    /// The folder of the secrets
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
    /// Say what a run would do, and write nothing
    #[arg(long = "dry-run")]
    rehearse: bool,
    /// The day to take for today: with --dry-run any day, else none after today
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<NaiveDate>,
}

/// Prints one line a day on which any record is archived: the day and how many.
#[derive(Debug, Args)]
pub(super) struct Forecast {
    #[command(flatten)]
    database: DatabaseUrl,
    /// How many days from tomorrow on: 1 to 3660
    #[arg(long, default_value_t = 7, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

impl Retention {
    pub(super) async fn run(self) -> Result<(), Refused> {
        match self {
            Self::Run(run) => run.run().await,
            Self::Forecast(forecast) => forecast.run().await,
            Self::Erasures(erasures) => erasures.run().await,
            Self::Replay(replay) => replay.run().await,
        }
    }
}

impl Run {
    async fn run(self) -> Result<(), Refused> {
        let today = day_in_london(Clock::System.now());
        let day = self.on.unwrap_or(today);
        if day > today && !self.rehearse {
            return Err(anyhow::anyhow!(
                "{day} is yet to come: add --dry-run to see what it would bring"
            )
            .into());
        }
        let keys = Keys::load(&self.keys).map_err(Refused::configuration)?;
        let vault = Vault::new(keys.sealer, &keys.pepper);
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "retention_run").await?;
        let mut work = work.with_vault(vault);
        if self.rehearse {
            let would = task::rehearse(&mut work, day).await?;
            println!("{}", json!({ "day": day, "would": would.told() }));
            return Ok(());
        }
        let expected: u64 = task::rehearse(&mut work, day).await?.0.iter().sum();
        let style = ProgressStyle::with_template("{wide_bar} {pos} of {len}, {msg}, {eta} left")?;
        let bar = ProgressBar::new(expected).with_style(style);
        let mut before = Summary::default();
        let done = task::run(&mut work, day, task::BATCH, |(step, done)| {
            let so_far = &mut before.0[step as usize];
            bar.inc(done - *so_far);
            *so_far = done;
            bar.set_message(step.words());
            true
        });
        let done = done.await;
        bar.finish_and_clear();
        match done? {
            Some(done) => println!("{}", json!({ "day": day, "done": done.told() })),
            None => eprintln!("Another run is at work; there is nothing to do."),
        }
        Ok(())
    }
}

impl Forecast {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let mut work = Errands::begin(&options, &Clock::System, "retention_forecast").await?;
        let today = work.today();
        let until = today + Days::new(u64::from(self.days));
        for day in task::forecast(&mut work, today, until).await? {
            println!("{} {}", day.day, day.records);
        }
        Ok(())
    }
}

impl Erasures {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let mut work = Errands::begin(&options, &Clock::System, "retention_erasures").await?;
        for erasure in erasures(&mut work, self.since).await? {
            println!("{}", serde_json::to_string(&erasure)?);
        }
        Ok(())
    }
}

impl Replay {
    async fn run(self) -> Result<(), Refused> {
        let list =
            self.list().with_context(|| format!("{} cannot be read", self.file.display()))?;
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "retention_replay").await?;
        let mut work = work.with_vault(self.keys.vault()?);
        let by = [self.proposed_by.as_str(), self.approved_by.as_str()];
        let replayed = replay(&mut work, &list, by).await.map_err(|problem| told(&problem))?;
        println!("{}", serde_json::to_string(&replayed)?);
        match replayed.kept {
            0 => Ok(()),
            kept => Err(anyhow::anyhow!("{kept} records have come back and are kept").into()),
        }
    }

    fn list(&self) -> anyhow::Result<Vec<Erasure>> {
        let text = match self.file.to_str() {
            Some("-") => std::io::read_to_string(std::io::stdin())?,
            _ => std::fs::read_to_string(&self.file)?,
        };
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(n, line)| serde_json::from_str(line).with_context(|| format!("line {n}")))
            .collect()
    }
}
