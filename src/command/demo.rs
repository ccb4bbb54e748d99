//! `contactpoint demo`: everything at once, without configuration.

use std::path::PathBuf;

use clap::Args;

use super::Refused;

/// Tries it.
#[derive(Debug, Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Refused> {
        Ok(())
    }
}

/// The otpauth address of an account of the demo.
pub(super) fn otpauth(_: Option<PathBuf>, _: &str) -> Result<String, Refused> {
    Err(anyhow::anyhow!("none").into())
}
