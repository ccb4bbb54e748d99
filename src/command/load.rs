//! `contactpoint load`: organisations and children from a file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{DatabaseUrl, KeysFolder, Refused};
use crate::{
    account,
    clock::Clock,
    load::{
        lines::Lines,
        task::{News, Summary, load},
    },
    problem::Problem,
    work::Errands,
};

/// Loads organisations and children from a file of NDJSON, one object a line. Good rows go in; each bad row is reported by
/// line and JSON pointer, and the exit code is 1.
#[derive(Debug, Args)]
pub(super) struct Load {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// Who says what the rows say of children, by a code: authority:887, …; the authority responsible for each unless given
    #[arg(long, value_name = "CODE")]
    source: Option<String>,
    /// The file; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Load {
    pub(super) async fn run(self) -> Result<(), Refused> {
        let (file, size) =
            open(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "load")
            .await
            .map_err(|problem| told(&problem))?;
        let mut work = work.with_vault(self.keys.vault()?);
        let source = match &self.source {
            None => None,
            Some(code) => {
                let found = account::store::organisation(&mut work, code)
                    .await
                    .map_err(|problem| told(&problem))?;
                Some(found.ok_or_else(|| anyhow!("no organisation has the code {code}"))?)
            }
        };
        let began = Instant::now();
        let bar = bar(size)?;
        let lines = Lines::of(file);
        let bytes = lines.bytes();
        let loaded = load(&mut work, source, lines, |news| match news {
            News::Rejected { line, fault } if fault.pointer.is_empty() => {
                bar.suspend(|| eprintln!("line {line}: {}", fault.detail));
            }
            News::Rejected { line, fault } => {
                bar.suspend(|| eprintln!("line {line}: {}: {}", fault.pointer, fault.detail));
            }
            News::Progress(summary) => {
                bar.set_position(bytes.load(Ordering::Relaxed));
                bar.set_message(format!(
                    "{} rows, {} a second",
                    summary.rows(),
                    rate(summary, began.elapsed())
                ));
            }
        });
        let loaded = loaded.await;
        bar.finish_and_clear();
        let summary = loaded.map_err(|problem| told(&problem))?;
        eprintln!("{}", said(&summary, began.elapsed()));
        match summary.rejected {
            0 => Ok(()),
            1 => Err(anyhow!("1 row was rejected").into()),
            rejected => Err(anyhow!("{rejected} rows were rejected").into()),
        }
    }
}

/// The file and its size, where that is known.
fn open(path: &Path) -> io::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let file = File::open(path)?;
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    Ok((Box::new(BufReader::with_capacity(1 << 18, file)), size))
}

/// Shows how far it is; nothing where standard error is no terminal.
fn bar(size: Option<u64>) -> Result<ProgressBar, Refused> {
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{wide_bar} {percent}%  {msg}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
    };
    Ok(bar.with_style(ProgressStyle::with_template(template)?))
}

fn rate(summary: &Summary, took: Duration) -> u128 {
    u128::from(summary.rows()) * 1000 / took.as_millis().max(1)
}

fn said(summary: &Summary, took: Duration) -> String {
    let Summary { organisations, children, involvements, rejected } = summary;
    format!(
        "Loaded {organisations} organisations, {children} children and {involvements} involvements; rejected {rejected} rows; \
         {} rows a second.",
        rate(summary, took),
    )
}

/// A problem in words for who sits at the command line.
pub(super) fn told(problem: &Problem) -> anyhow::Error {
    match problem.cause() {
        Some(cause) => anyhow!("{cause}"),
        None => anyhow!("{}", problem.detail()),
    }
}
