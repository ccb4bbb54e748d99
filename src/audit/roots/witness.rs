//! Who is told of every root, outside the database, so that a database that was rolled back is found.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;

use super::{Root, hex, store};

/// As many roots as are told at once.
const PIECE: i64 = 1000;
/// As much of the file as its last line takes at most.
const TAIL: u64 = 1 << 20;

/// A file to which every root is appended, one JSON object a line, once it is durable in the database.
#[derive(Debug, Clone)]
pub struct Witness(PathBuf);

#[derive(Debug, Deserialize)]
struct Last {
    n: i64,
    hash: String,
}

impl Witness {
    /// The file at this path, which is made where it is not there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Refuses a database that has not, or has otherwise, the last root that the witness has.
    pub async fn check(&self, db: &mut PgConnection) -> anyhow::Result<()> {
        let Some(last) = self.last()? else { return Ok(()) };
        let held = store::of(db, last.n).await?.map(|root| root.hash()).transpose()?;
        match held {
            Some(hash) if hex(&hash) == last.hash => Ok(()),
            Some(_) => bail!("the database has another root {} than the witness", last.n),
            None => bail!(
                "the witness has root {}, which the database has not: it was rolled back. To go on with it nevertheless, keep the witness's file elsewhere and begin another",
                last.n
            ),
        }
    }

    /// Tells it of all roots that it does not have.
    pub(super) async fn catch_up(&self, db: &mut PgConnection) -> anyhow::Result<()> {
        loop {
            let last = self.last()?.map_or(0, |last| last.n);
            let roots = store::after(&mut *db, last, PIECE).await?;
            if roots.is_empty() {
                return Ok(());
            }
            self.append(&roots)?;
        }
    }

    fn append(&self, roots: &[Root]) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for root in roots {
            let told = json!({ "n": root.n, "hash": hex(&root.hash()?), "root": root.told() });
            serde_json::to_writer(&mut lines, &told)?;
            lines.push(b'\n');
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(&lines)?;
        file.sync_data()?;
        Ok(())
    }

    /// The last whole line. What is left of one that was broken off is cut away.
    fn last(&self) -> anyhow::Result<Option<Last>> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.0);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(self.0.display().to_string()),
        };
        let length = file.seek(SeekFrom::End(0))?;
        let begin = length.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(begin))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < tail.len() {
            file.set_len(begin + u64::try_from(whole)?)?;
        }
        let mut lines = tail[..whole].split(|byte| *byte == b'\n');
        let last = lines.rfind(|line| !line.is_empty()).map(serde_json::from_slice);
        last.transpose().with_context(|| format!("{} is damaged", self.0.display()))
    }
}
