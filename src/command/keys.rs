//! `contactpoint keys`: the secrets of the service.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::{DatabaseUrl, Refused};
use crate::{
    clock::Clock,
    keys::{
        Keys as Secrets, Sealer,
        rotation::{self, Change},
        sealing,
    },
    reseal::{store, task},
    seal::Vault,
    work::Errands,
};

/// Makes the service's secrets, and shows the public keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make new secrets in a folder that is empty or not there yet
    Generate(Folder),
    /// Print the public keys as a JSON Web Key Set
    Show(Folder),
    /// Print the public keys that verify the roots of the audit
    ShowAudit(Folder),
    /// Change the key that signs tokens, and that which signs the roots of the audit, a step a run: publish the next key, a day later let it sign, another day later
    /// remove the old one. Run it daily; the running service takes each step in within 2 seconds, and no token is refused
    Rotate(Folder),
    /// Remove a signing key at once, as when somebody else may know it: tokens that it signed are refused within 2 seconds,
    /// and people sign in again
    Revoke(Revoke),
    /// Change the key over everything that is sealed, while the service runs: make the next key, let it seal, and put every
    /// value under it. It may be stopped at any moment and run again, and then goes on where it was. The old key is kept for
    /// backups, and for events of the audit from before each month had a key; see --retire
    Reseal(Reseal),
}

#[derive(Debug, Args)]
pub(super) struct Reseal {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    database: DatabaseUrl,
    /// Change nothing, but remove the old keys that neither a value nor an event of the audit is under any more; fails while
    /// one is needed. A backup of the database from before needs them still
    #[arg(long)]
    retire: bool,
    /// Seconds that every instance has to read the folder, before the next key seals and again before values are put under it
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    wait: u64,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    folder: Folder,
    /// The id of the key, as `contactpoint keys show` prints it
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: String,
}

#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The folder of the secrets, readable by nobody else
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
}

impl Keys {
    pub(super) async fn run(self) -> Result<(), Refused> {
        match self {
            Self::Generate(Folder { keys }) => {
                let made = Secrets::generate(&keys).map_err(Refused::configuration)?;
                eprintln!(
                    "Made new secrets; tokens are signed with key {}.",
                    made.signing.active()
                );
            }
            Self::Show(Folder { keys }) => {
                let held = Secrets::load(&keys).map_err(Refused::configuration)?;
                println!("{}", serde_json::to_string_pretty(&held.signing.jwks())?);
            }
            Self::ShowAudit(Folder { keys }) => {
                let held = Secrets::load(&keys).map_err(Refused::configuration)?;
                println!("{}", serde_json::to_string_pretty(&held.roots.jwks())?);
            }
            Self::Rotate(Folder { keys }) => {
                let now = Clock::System.now().into();
                tell(rotation::rotate(&keys, now).map_err(Refused::configuration)?);
                let roots = rotation::rotate_roots(&keys, now).map_err(Refused::configuration)?;
                if roots != Change::default() {
                    eprintln!("Of the keys that sign the roots of the audit:");
                    tell(roots);
                }
            }
            Self::Revoke(Revoke { folder: Folder { keys }, kid }) => {
                tell(rotation::revoke(&keys, &kid).map_err(Refused::configuration)?);
            }
            Self::Reseal(reseal) => reseal.run().await?,
        }
        Ok(())
    }
}

impl Reseal {
    async fn run(self) -> Result<(), Refused> {
        let dir = self.folder.keys.clone();
        let sealer = Sealer::of(&dir).map_err(Refused::configuration)?;
        let options = self.database.options()?;
        let keys = Secrets::load(&dir).map_err(Refused::configuration)?;
        let work = Errands::begin(&options, &Clock::System, "reseal").await?;
        let mut work = work.with_vault(Vault::new(keys.sealer, &keys.pepper));
        if !store::alone(&mut work).await? {
            return Err(anyhow!("the keys are being changed already").into());
        }
        if self.retire {
            return retire(&mut work, &dir, &sealer).await;
        }
        let held = store::held(&mut work).await?;
        if held.iter().any(|held| held.key < sealer.active()) {
            eprintln!(
                "Some values are under an older key still: going on with key {}.",
                sealer.active()
            );
        } else {
            let next = sealing::publish(&dir).map_err(Refused::configuration)?;
            eprintln!("Key {next} is made; it seals in {} seconds.", self.wait);
            tokio::time::sleep(Duration::from_secs(self.wait)).await;
            sealing::activate(&dir, next).map_err(Refused::configuration)?;
        }
        // Whoever seals under the key before has read the folder again by then.
        tokio::time::sleep(Duration::from_secs(self.wait)).await;
        let sealer = Sealer::of(&dir).map_err(Refused::configuration)?;
        let left = task::left(&store::held(&mut work).await?, &sealer);
        let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} values, {eta} left")?;
        let bar = ProgressBar::new(left).with_style(style);
        let done = task::reseal(&mut work, &sealer, |done| bar.set_position(done.values)).await;
        bar.finish_and_clear();
        let task::Done { values, damaged } = done?;
        eprintln!("{values} values are put under key {}.", sealer.active());
        if damaged > 0 {
            return Err(anyhow!("{damaged} values cannot be opened and stay as they are").into());
        }
        Ok(())
    }
}

/// Removes what is needed no more; fails where a key is.
async fn retire(work: &mut Errands, dir: &Path, sealer: &Sealer) -> Result<(), Refused> {
    let mut kept = Vec::new();
    for key in sealer.others().filter(|key| *key < sealer.active()) {
        match task::needed(work, key).await? {
            (0, 0) => {
                sealing::retire(dir, key).map_err(Refused::configuration)?;
                eprintln!("Key {key} is removed.");
            }
            (values, events) => {
                kept.push(format!(
                    "key {key} is kept for {values} values and {events} events of the audit"
                ));
            }
        }
    }
    if kept.is_empty() { Ok(()) } else { Err(anyhow!("{}", kept.join("; ")).into()) }
}

fn tell(change: Change) {
    if change == Change::default() {
        eprintln!("Nothing is due yet.");
    }
    if let Some(kid) = change.published {
        eprintln!("Key {kid} is published; it can sign in 24 hours.");
    }
    if let Some(kid) = change.signing {
        eprintln!("Key {kid} signs from now on.");
    }
    for kid in change.removed {
        eprintln!("Key {kid} is removed.");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Revoke;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        revoke: Revoke,
    }

    #[test]
    fn a_key_is_revoked_whose_id_begins_with_a_hyphen() {
        let line = Line::try_parse_from(["revoke", "--keys", "keys", "-GkN3"]).unwrap();
        assert_eq!(line.revoke.kid, "-GkN3");
    }
}
