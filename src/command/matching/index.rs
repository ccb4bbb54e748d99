//! `contactpoint match index`: what the matcher finds children by.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::super::{DatabaseUrl, KeysFolder, Refused};
use crate::{clock::Clock, matching::task, work::Errands};

/// Makes the entries by which children are found, where they are missing, stale, or made by an older version of the service.
/// The running service does it by itself; at once and with its progress it is done here. It may be stopped at any moment and
/// run again, and while the service is running.
#[derive(Debug, Args)]
pub(in crate::command) struct Index {
    #[command(flatten)]
    database: DatabaseUrl,
    #[command(flatten)]
    keys: KeysFolder,
    /// Make every entry anew
    #[arg(long)]
    all: bool,
}

impl Index {
    pub(super) async fn run(self) -> Result<(), Refused> {
        let options = self.database.options()?;
        let work = Errands::begin(&options, &Clock::System, "match_index").await?;
        let mut work = work.with_vault(self.keys.vault()?);
        let waiting = task::ask_anew(&mut work, self.all).await?;
        let style = ProgressStyle::with_template("{wide_bar} {pos} of {len}, {eta} left")?;
        let bar = ProgressBar::new(waiting.unsigned_abs()).with_style(style);
        let made = task::catch_up(&mut work, task::BATCH, |made| bar.set_position(made)).await;
        bar.finish_and_clear();
        match made? {
            0 => eprintln!("Every child is in the match index."),
            1 => eprintln!("1 entry was made."),
            made => eprintln!("{made} entries were made."),
        }
        Ok(())
    }
}
