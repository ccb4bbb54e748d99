//! `contactpoint match`: learning from the index how records of one child agree, and measuring how well that works.

use std::{fs, path::PathBuf};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use linkage::Model;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::{DatabaseUrl, KeysFolder, Refused};
use crate::{
    clock::{Clock, day_in_london},
    database,
    ids::EventId,
    keys::Keys,
    learning::{
        labelled, plot,
        task::{self, Progress, RECORDS},
        trial::{self, Measured, Tried},
    },
    postgres::{Cluster, Durability},
    seal::Vault,
    work::Errands,
};

mod index;
mod told;

/// Trains, promotes and measures the models by which two records are said to be of one child.
#[derive(Debug, Subcommand)]
pub(super) enum Match {
    /// Make the entries by which children are found, where they are missing or stale
    Index(index::Index),
    /// Learn from the index itself, without labels, how records of one child agree; the model is proposed, not put in force
    Train(Train),
    /// List the models, and which is in force
    Models(Models),
    /// Put a model in force; running instances take it in within 2 seconds
    Promote(Promote),
    /// Say in words how a match or a fuzzy search came out, and decide again by what the audit keeps of it
    Explain(Explain),
    /// Measure the matcher on records of which the truth is known
    Evaluate(Evaluate),
}

/// Learns by expectation-maximisation from pairs of records that share a key. Prints the weights before and now, how many
/// pairs of one child are expected, and how decisions change; keeps the model as proposed. The index is only read.
#[derive(Debug, Args)]
pub(super) struct Train {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// Print what was learnt, and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// How many records are compared with those that share a key with them: 1000 to 1000000
    #[arg(long, default_value_t = RECORDS as u32, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    records: u32,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Prints one line a model: its version, when it was made, where it comes from, and when it was promoted and why.
#[derive(Debug, Args)]
pub(super) struct Models {
    #[command(flatten)]
    database: DatabaseUrl,
}

/// Puts a model in force, a later one or an earlier one again; the decision is in the audit.
#[derive(Debug, Args)]
pub(super) struct Promote {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// The version of the model, as `contactpoint match models` prints it
    #[arg(id = "model", value_name = "VERSION")]
    version: i32,
    /// Why, in 10 to 500 characters, without anything about a person
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
}

/// Opens the sealed event of a match or a fuzzy search, prints what each field said of those who came closest, decides again
/// by the model that was in force, and says whether it comes out the same. That it was opened is in the audit.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    database: DatabaseUrl,
    /// The folder of the secrets
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
    /// The id of the event: `matchId` or `searchId` of the answer
    #[arg(value_name = "EVENT")]
    event: Uuid,
}

/// Measures precision, recall and false merges on a file of NDJSON, one record a line, by the code that the service runs:
/// the held records make an index of their own, and the asked ones are looked for in it. A private PostgreSQL is used, and
/// removed afterwards, unless a database is given; what that holds is neither read nor changed.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// The records, as docs/matching.md says
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A database to use instead of a private one, whose model in force is measured; the index shipped with it stays untouched
    #[arg(long = "database", env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: Option<SecretString>,
    /// The version of the model, in the database that is given
    #[arg(long, value_name = "VERSION", requires = "url")]
    model: Option<i32>,
    /// Learn from the file's records first, without their labels
    #[arg(long)]
    train: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Draw precision against recall
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

impl Match {
    pub(super) async fn run(self) -> Result<(), Refused> {
        match self {
            Self::Index(index) => index.run().await,
            Self::Train(train) => train.run().await,
            Self::Models(models) => models.run().await,
            Self::Promote(promote) => promote.run().await,
            Self::Explain(explain) => explain.run().await,
            Self::Evaluate(evaluate) => evaluate.run().await,
        }
    }
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        10..=500 => Ok(text.to_owned()),
        _ => Err("a reason has 10 to 500 characters".to_owned()),
    }
}

/// A bar on the terminal; nothing where there is none.
fn bar(what: &str) -> Result<ProgressBar, Refused> {
    let style = ProgressStyle::with_template(&format!(
        "{{wide_bar}} {{pos}} of {{len}} {what}, {{eta}} left"
    ))?;
    Ok(ProgressBar::new(0).with_style(style))
}

fn follow(bar: &ProgressBar) -> impl FnMut(Progress) + '_ {
    |Progress { done, of }| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    }
}

impl Train {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "match_train").await?;
        let mut work = work.with_vault(self.keys.vault()?);
        let bar = bar("records")?;
        let records = usize::try_from(self.records)?;
        let trained = task::train(&mut work, &Clock::System, records, follow(&bar)).await;
        bar.finish_and_clear();
        let trained = trained?;
        if self.json {
            println!("{}", serde_json::to_string(&trained.report)?);
        } else {
            print!("{}", told::report(&trained.report));
        }
        if self.dry_run {
            eprintln!("Nothing is kept.");
            return Ok(());
        }
        let version = task::propose(&mut work, &trained).await?;
        eprintln!(
            "The model is proposed as version {version}; `contactpoint match promote {version}` puts it in force."
        );
        Ok(())
    }
}

impl Models {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let mut work = Errands::begin(&options, &Clock::System, "match_models").await?;
        let (models, promoted) = task::models(&mut work).await?;
        print!("{}", told::models(&models, promoted));
        if promoted.is_none() {
            eprintln!("None was promoted: the model that ships with the release is in force.");
        }
        Ok(())
    }
}

impl Promote {
    async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "match_promote").await?;
        let mut work = work.with_vault(self.keys.vault()?);
        if !task::promote(&mut work, self.version, &self.reason).await? {
            return Err(anyhow!("there is no model {}", self.version).into());
        }
        eprintln!("Model {} is in force.", self.version);
        Ok(())
    }
}

impl Explain {
    async fn run(self) -> Result<(), Refused> {
        let keys = Keys::load(&self.keys).map_err(Refused::configuration)?;
        let vault = Vault::new(keys.sealer, &keys.pepper);
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "match_explain").await?;
        let explained = task::explain(&mut work.with_vault(vault), EventId(self.event)).await?;
        let (kept, replayed) =
            explained.ok_or_else(|| anyhow!("{} is no match and no fuzzy search", self.event))?;
        print!("{}", kept.words(&replayed));
        Ok(())
    }
}

/// Where records are tried.
struct Bench {
    /// Stopped and removed when all is done.
    private: Option<(Cluster, PathBuf)>,
    options: PgConnectOptions,
}

impl Bench {
    async fn of(url: Option<&SecretString>) -> Result<Self, Refused> {
        if let Some(url) = url {
            let options = database::options(url).map_err(Refused::configuration)?;
            return Ok(Self { private: None, options });
        }
        let dir = std::env::temp_dir().join(format!("contactpoint-match-{}", Uuid::new_v4()));
        fs::create_dir(&dir)?;
        let cluster =
            Cluster::start(&dir, Durability::Disposable).await.map_err(Refused::configuration)?;
        let options = cluster.options("contactpoint", "postgres");
        let bench = Self { private: Some((cluster, dir)), options };
        let migrated = database::migrate(&bench.options).await;
        if let Err(fault) = migrated {
            bench.end().await;
            return Err(fault.into());
        }
        Ok(bench)
    }

    async fn end(self) {
        if let Some((cluster, dir)) = self.private {
            cluster.stop().await;
            let _ = fs::remove_dir_all(dir);
        }
    }
}

impl Evaluate {
    async fn run(self) -> Result<(), Refused> {
        let text = fs::read_to_string(&self.file)
            .map_err(|error| anyhow!("{} cannot be read: {error}", self.file.display()))?;
        let records =
            labelled::read(&text).map_err(|fault| anyhow!("{}: {fault}", self.file.display()))?;
        let bench = Bench::of(self.url.as_ref()).await?;
        let measured = self.measure(&bench, &records).await;
        bench.end().await;
        let measured = measured?;
        if let Some(path) = &self.plot {
            let at = (measured.recall, measured.precision);
            fs::write(path, plot::draw(&measured.curve, at, &measured.model)?)?;
        }
        if self.json {
            println!("{}", serde_json::to_string(&measured)?);
        } else {
            print!("{}", told::measured(&measured));
        }
        Ok(())
    }

    async fn measure(
        &self,
        bench: &Bench,
        records: &[labelled::Labelled],
    ) -> Result<Measured, Refused> {
        let tried = self.tried(bench).await?;
        let bar = bar("records")?;
        let today = day_in_london(Clock::System.now());
        let measured = trial::measure(&bench.options, records, tried, today, follow(&bar)).await;
        bar.finish_and_clear();
        Ok(measured?)
    }

    async fn tried(&self, bench: &Bench) -> Result<Tried, Refused> {
        let train = self.train;
        if bench.private.is_some() {
            return Ok(Tried { name: "cold".to_owned(), model: Model::cold(), train });
        }
        let mut work = Errands::begin(&bench.options, &Clock::System, "match_evaluate").await?;
        let (name, model) = task::model(&mut work, self.model)
            .await?
            .ok_or_else(|| anyhow!("there is no model {}", self.model.unwrap_or_default()))?;
        Ok(Tried { name, model, train })
    }
}
