//! `contactpoint keys`: the secrets of the service.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Refused;
use crate::keys::Keys as Secrets;

/// Makes the service's secrets, and shows the public keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make new secrets in a folder that is empty or not there yet
    Generate(Folder),
    /// Print the public keys as a JSON Web Key Set
    Show(Folder),
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
        }
        Ok(())
    }
}
