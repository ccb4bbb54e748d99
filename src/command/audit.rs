//! `contactpoint audit`: what the audit holds, for those who verify it.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use audit_verify::{Keys, Report, Verifier, Witnessed};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::{DatabaseUrl, KeysFolder, Refused};
use crate::{
    audit::{
        export::{Of, task::export},
        store,
        task::{self, YEARS},
    },
    clock::{Clock, midnight_in_london},
    ids::IndexNumber,
    work::Errands,
};

/// The exit where nothing can be verified.
const UNREADABLE: u8 = 2;

/// Exports the audit and verifies an export. docs/audit.md says what is written and how it is verified.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Write the events as they are kept, what they hide still hidden, with the signed roots over them, as NDJSON
    Export(Export),
    /// Verify an export, without a database, by the published keys: exit 0 if nothing was tampered with, 1 if something was, 2
    /// if the files cannot be read
    Verify(Verify),
    /// Export everything and verify it at once
    Check(Check),
    /// Destroy the keys of months that are over: what their events hide can never be read again, and the events still verify.
    /// The running service does it by itself after six years
    Forget(Forget),
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// Only the roots that were made from this day on, with the events under them
    #[arg(long, value_name = "YYYY-MM-DD", requires = "until")]
    since: Option<NaiveDate>,
    /// Only up to the end of this day
    #[arg(long, value_name = "YYYY-MM-DD", requires = "since")]
    until: Option<NaiveDate>,
    /// Only the events in which the child of this index number stands, each with its path to its root
    #[arg(long, value_name = "INDEX NUMBER", conflicts_with = "since")]
    child: Option<String>,
    /// The file; `-` for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct By {
    /// The published keys, as `GET /v1/audit/roots` and `contactpoint keys show-audit` have them
    #[arg(long = "public-keys", value_name = "FILE")]
    public: PathBuf,
    /// What a witness has
    #[arg(long, value_name = "FILE")]
    witness: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    by: By,
    /// The export; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    #[command(flatten)]
    by: By,
}

#[derive(Debug, Args)]
pub(super) struct Forget {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// The first month whose key is kept
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    before: NaiveDate,
    /// Destroy also keys of the last six years
    #[arg(long)]
    force: bool,
}

fn month(text: &str) -> Result<NaiveDate, String> {
    format!("{text}-01").parse().map_err(|_| "a month is written YYYY-MM".to_owned())
}

impl Audit {
    pub(super) async fn run(self) -> Result<(), Refused> {
        match self {
            Self::Export(export) => export.run().await,
            Self::Verify(verify) => verify.run(),
            Self::Check(check) => check.run().await,
            Self::Forget(forget) => forget.run().await,
        }
    }
}

async fn begin(
    database: &DatabaseUrl,
    keys: &KeysFolder,
    operation: &'static str,
) -> Result<Errands, Refused> {
    let options = database.options()?;
    let work = Errands::begin(&options, &Clock::System, operation).await?;
    Ok(work.with_vault(keys.vault()?))
}

impl Export {
    async fn run(self) -> Result<(), Refused> {
        let mut work = begin(&self.database, &self.keys, "audit_export").await?;
        let of = self.of(&mut work).await?;
        let mut file: Box<dyn Write> = if self.file == Path::new("-") {
            Box::new(BufWriter::new(io::stdout().lock()))
        } else {
            Box::new(BufWriter::new(File::create(&self.file)?))
        };
        let bar = bar()?;
        let events = export(&mut work, &of, |line| {
            bar.inc(1);
            Ok(writeln!(file, "{line}")?)
        });
        let events = events.await?;
        file.flush()?;
        bar.finish_and_clear();
        eprintln!("{events} events are exported.");
        Ok(())
    }

    async fn of(&self, work: &mut Errands) -> Result<Of, Refused> {
        if let Some(number) = &self.child {
            let number =
                IndexNumber::parse(number).map_err(|_| anyhow!("{number} is no index number"))?;
            let child = store::child(work, &number).await?;
            return Ok(Of::Child(child.ok_or_else(|| anyhow!("there is no such record"))?));
        }
        let until = self.until.and_then(|day| day.succ_opt());
        Ok(match self.since.zip(until) {
            Some((since, until)) => {
                Of::Period(midnight_in_london(since), midnight_in_london(until))
            }
            None => Of::All,
        })
    }
}

impl By {
    fn verifier(&self) -> anyhow::Result<Verifier> {
        let read =
            |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
        let keys = Keys::read(&read(&self.public)?)?;
        let witness = match &self.witness {
            Some(path) => Witnessed::read(&read(path)?)?,
            None => Vec::new(),
        };
        Ok(Verifier::new(keys, witness))
    }
}

impl Verify {
    fn run(self) -> Result<(), Refused> {
        let report = self.verified().map_err(|error| Refused(error, UNREADABLE))?;
        tell(&report)
    }

    fn verified(&self) -> anyhow::Result<Report> {
        let mut verifier = self.by.verifier()?;
        let file: Box<dyn io::Read> = if self.file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(&self.file).with_context(|| self.file.display().to_string())?)
        };
        let bar = bar()?;
        let (mut reader, mut text, mut number) = (BufReader::new(file), String::new(), 0_u64);
        while reader.read_line(&mut text)? > 0 {
            number += 1;
            verifier.line(text.trim_end()).with_context(|| format!("line {number}"))?;
            text.clear();
            bar.inc(1);
        }
        bar.finish_and_clear();
        if number == 0 {
            bail!("it is empty");
        }
        Ok(verifier.finish())
    }
}

impl Check {
    async fn run(self) -> Result<(), Refused> {
        let mut verifier = self.by.verifier().map_err(|error| Refused(error, UNREADABLE))?;
        let mut work = begin(&self.database, &self.keys, "audit_check").await?;
        let bar = bar()?;
        let exported = export(&mut work, &Of::All, |line| {
            bar.inc(1);
            Ok(verifier.line(line)?)
        });
        exported.await?;
        bar.finish_and_clear();
        tell(&verifier.finish())
    }
}

impl Forget {
    async fn run(self) -> Result<(), Refused> {
        let kept = task::kept_from(crate::clock::day_in_london(Clock::System.now()), YEARS);
        if self.before > kept && !self.force {
            return Err(anyhow!(
                "what events hide is kept for {YEARS} years, from {} on; --force destroys it nevertheless",
                kept.format("%Y-%m")
            )
            .into());
        }
        let mut work = begin(&self.database, &self.keys, "audit_forget").await?;
        let gone = task::forget(&mut work, self.before).await?;
        eprintln!("The keys of {gone} months are destroyed.");
        Ok(())
    }
}

fn bar() -> Result<ProgressBar, indicatif::style::TemplateError> {
    let style = ProgressStyle::with_template("{spinner} {pos} lines, {per_sec}")?;
    Ok(ProgressBar::new_spinner().with_style(style))
}

fn tell(report: &Report) -> Result<(), Refused> {
    for warning in &report.warnings {
        eprintln!("Note: {warning}.");
    }
    for finding in &report.findings {
        println!("{finding}");
    }
    let counted = format!(
        "{} events under {} roots, of which root {} is the last",
        report.events - report.unsealed - report.earlier,
        report.roots,
        report.last
    );
    if report.tampered == 0 {
        eprintln!("Nothing was tampered with: {counted}.");
        return Ok(());
    }
    Err(anyhow!("the audit was tampered with: {} findings in {counted}", report.tampered).into())
}
