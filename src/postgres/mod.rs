//! A private PostgreSQL, run from the installed server programs in a folder of its own.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

mod cluster;
mod find;
mod home;

pub use cluster::Cluster;
pub use find::Programs;

/// Whether what is written must outlast a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It must.
    Durable,
    /// It need not: fast, for tests.
    Disposable,
}

impl Durability {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Durable => &["shared_buffers=256MB", "fsync=on", "full_page_writes=on"],
            Self::Disposable => &[
                "shared_buffers=64MB",
                "fsync=off",
                "full_page_writes=off",
                "synchronous_commit=off",
                "wal_level=minimal",
                "max_wal_senders=0",
            ],
        }
    }
}

/// Why a private cluster could not be had, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClusterFault(String);

/// What went wrong with a file or a folder.
fn at(path: &Path) -> impl Fn(io::Error) -> ClusterFault {
    move |error| ClusterFault(format!("{}: {error}", path.display()))
}

/// The folder in which the cluster of this name is kept, unless another is chosen.
#[must_use]
pub fn default_dir(name: &str) -> PathBuf {
    let chosen = || env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let usual = || env::home_dir().map(|home| home.join(".local/share"));
    let base = if is_root() { Some("/var/lib".into()) } else { chosen().or_else(usual) };
    base.unwrap_or_else(env::temp_dir).join("contactpoint").join(name)
}

/// Whether we are root, as whom PostgreSQL does not run.
fn is_root() -> bool {
    id(&["-u"]) == Some(0)
}

fn id(question: &[&str]) -> Option<u32> {
    output(Command::new("id").args(question))?.trim().parse().ok()
}

fn output(command: &mut Command) -> Option<String> {
    let done = command.output().ok().filter(|done| done.status.success())?;
    String::from_utf8(done.stdout).ok()
}
