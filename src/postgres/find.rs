//! The installed server programs.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{ClusterFault, home::Home, output};

const OLDEST: u32 = 15;
const INSTALL: &str = "run `sudo apt-get install postgresql` (Debian, Ubuntu), \
    `sudo dnf install postgresql-server postgresql-contrib` (Fedora) or `brew install postgresql@17` (macOS), \
    or set DATABASE_URL to a database of your own";

/// Folders whose entries may hold the server programs, and where in the entry.
const PLACES: [(&str, &str); 11] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr/lib", "bin"),
    ("/usr", "bin"),
    ("/usr/libexec", ""),
    ("/usr/local/lib/postgresql", "bin"),
    ("/opt/homebrew/opt", "bin"),
    ("/usr/local/opt", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "bin"),
    ("/opt/local/lib", "bin"),
    ("/Library/PostgreSQL", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "bin"),
];

/// The installed server programs.
#[derive(Debug, Clone)]
pub struct Programs {
    pub(super) bin: PathBuf,
    pub(super) version: u32,
}

impl Programs {
    /// Those of major version `made` where there are any, else the first that is new enough.
    pub(super) fn find(made: Option<u32>) -> Result<Self, ClusterFault> {
        let chosen = env::var_os("CONTACTPOINT_PG_BIN").map(PathBuf::from);
        let found =
            chosen.as_deref().map_or_else(Self::all, |bin| Self::of(bin).into_iter().collect());
        let usable = || found.iter().filter(|programs| programs.version >= OLDEST);
        let programs = usable().find(|programs| Some(programs.version) == made).or(usable().next());
        let fault = match (found.first(), chosen) {
            (Some(Self { version, .. }), _) => {
                format!("PostgreSQL {version} is too old, {OLDEST} or newer is needed: {INSTALL}")
            }
            (None, Some(bin)) => {
                format!(
                    "CONTACTPOINT_PG_BIN: no server programs of PostgreSQL are in {}",
                    bin.display()
                )
            }
            (None, None) => format!("PostgreSQL is not installed: {INSTALL}"),
        };
        programs.cloned().ok_or(ClusterFault(fault))
    }

    fn all() -> Vec<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut placed: Vec<_> = PLACES
            .iter()
            .filter_map(|(place, inside)| Some((fs::read_dir(place).ok()?, inside)))
            .flat_map(|(place, inside)| place.flatten().map(move |entry| entry.path().join(inside)))
            .filter_map(|bin| Self::of(&bin))
            .collect();
        placed.sort_by_key(|programs| Reverse(programs.version));
        env::split_paths(&path).filter_map(|bin| Self::of(&bin)).chain(placed).collect()
    }

    fn of(bin: &Path) -> Option<Self> {
        if !bin.is_absolute() || !bin.join("initdb").is_file() || !bin.join("postgres").is_file() {
            return None;
        }
        let told = output(Command::new(bin.join("postgres")).arg("--version"))?;
        let number = told.split_whitespace().nth(2)?;
        let major = number.split(|letter: char| !letter.is_ascii_digit()).next()?;
        Some(Self { bin: bin.to_owned(), version: major.parse().ok()? })
    }

    /// Refuses data that another major version made.
    pub(super) fn fit(&self, home: &Home) -> Result<(), ClusterFault> {
        let Self { version, .. } = self;
        match home.made_by() {
            Some(made) if made != *version => Err(ClusterFault(format!(
                "the data in {} was made by PostgreSQL {made}, and PostgreSQL {version} is installed: \
                 install {made}, or move the folder away",
                home.dir.display(),
            ))),
            _ => Ok(()),
        }
    }
}
