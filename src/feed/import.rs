//! Reading what a feed sends, one row in memory.

use std::io::{self, BufRead};

use chrono::NaiveDate;

use super::{BatchFormat, row::FeedRow};
use crate::{load::lines::Lines, problem::Fault};

/// A row with its number.
pub type Numbered = io::Result<(i64, Result<FeedRow, Vec<Fault>>)>;

/// The rows of a batch, read as they are asked for.
pub fn rows<'r>(
    _: BatchFormat,
    reader: impl BufRead + Send + 'r,
    _: NaiveDate,
) -> Box<dyn Iterator<Item = Numbered> + Send + 'r> {
    Box::new(Lines::of(reader).map(|line| {
        let line = line?;
        let row = serde_json::from_slice(&line.text).map_err(|_| {
            vec![Fault { pointer: String::new(), detail: "cannot be read".to_owned() }]
        });
        Ok((i64::try_from(line.number).unwrap_or(i64::MAX), row))
    }))
}
