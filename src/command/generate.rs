//! `contactpoint generate`: fictitious children by the million.

use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{DatabaseUrl, KeysFolder, Refused, load::told};
use crate::{
    clock::{Clock, day_in_london},
    generate::{
        Plan,
        task::{News, Summary, fill, settle},
    },
    work::Errands,
};

/// Fills an empty index with fictitious children and all who work with them, to try it at the size of a nation: never where real
/// children belong. The same numbers always make the same children. It goes in by COPY in one transaction: stopped or failed, it
/// leaves nothing. The role of `--database` must own the tables, as the one that migrates does.
#[derive(Debug, Args)]
pub(super) struct Generate {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// How many children
    #[arg(long, default_value_t = Plan::NATION, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=Plan::MOST))]
    children: u64,
    /// What the chances begin from
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
}

impl Generate {
    pub(super) async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "generate").await;
        let mut work = work.map_err(|problem| told(&problem))?.with_vault(self.keys.vault()?);
        let today = day_in_london(work.now);
        let plan = Plan { children: self.children, seed: self.seed, now: work.now, today };
        let (began, bar) = (Instant::now(), bar(self.children)?);
        let filled = fill(&mut work, plan, |news| match news {
            News::Made(summary) => {
                bar.set_position(summary.children);
                bar.set_message("children");
            }
            News::PutBack(done, of) => {
                bar.set_length(of);
                bar.set_position(done);
                bar.set_message("indexes and keys");
            }
        });
        let filled = filled.await;
        bar.set_message("counting for the planner");
        let settled = if filled.is_ok() { settle(&options).await } else { Ok(()) };
        bar.finish_and_clear();
        let summary = filled.map_err(|problem| told(&problem))?;
        settled.map_err(|problem| told(&problem))?;
        let Summary { organisations, children, involvements } = summary;
        let seconds = began.elapsed().as_secs().max(1);
        eprintln!(
            "Made {organisations} organisations, {children} children and {involvements} involvements in {seconds} s; \
             {} children a second.",
            children / seconds
        );
        Ok(())
    }
}

/// Shows how far it is; nothing where standard error is no terminal.
fn bar(children: u64) -> Result<ProgressBar, Refused> {
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} {msg}, {eta} left")?;
    Ok(ProgressBar::new(children).with_style(style))
}
