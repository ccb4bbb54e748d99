//! `contactpoint keys`: the secrets of the service.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Refused;
use crate::{
    clock::Clock,
    keys::{
        Keys as Secrets,
        rotation::{self, Change},
    },
};

/// Makes the service's secrets, and shows the public keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make new secrets in a folder that is empty or not there yet
    Generate(Folder),
    /// Print the public keys as a JSON Web Key Set
    Show(Folder),
    /// Change the key that signs tokens, a step a run: publish the next key, a day later let it sign, another day later
    /// remove the old one. Run it daily; the running service takes each step in within 2 seconds, and no token is refused
    Rotate(Folder),
    /// Remove a signing key at once, as when somebody else may know it: tokens that it signed are refused within 2 seconds,
    /// and people sign in again
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    folder: Folder,
    /// The id of the key, as `contactpoint keys show` prints it
    #[arg(value_name = "KID")]
    kid: String,
}

#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The folder of the secrets, readable by nobody else
    #[arg(long, env = "CONTACTPOINT_KEYS", value_name = "FOLDER")]
    keys: PathBuf,
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Refused> {
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
            Self::Rotate(Folder { keys }) => {
                tell(
                    rotation::rotate(&keys, Clock::System.now().into())
                        .map_err(Refused::configuration)?,
                );
            }
            Self::Revoke(Revoke { folder: Folder { keys }, kid }) => {
                tell(rotation::revoke(&keys, &kid).map_err(Refused::configuration)?);
            }
        }
        Ok(())
    }
}

fn tell(change: Change) {
    if change == Change::default() {
        eprintln!("Nothing is due yet.");
    }
    if let Some(kid) = change.published {
        eprintln!("Key {kid} is published; it can sign in 24 hours.");
    }
    if let Some(kid) = change.signing {
        eprintln!("Tokens are signed with key {kid} from now on.");
    }
    for kid in change.removed {
        eprintln!("Key {kid} is removed.");
    }
}
