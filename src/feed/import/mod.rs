//! Reading what a feed sends, one row in memory. Whatever its form, a row yields what a record may hold, checked by the rules
//! of a record, and nothing else; whatever else was sent ends here.

use std::io::{self, BufRead};

use chrono::NaiveDate;

use super::{BatchFormat, row::FeedRow};
use crate::problem::Fault;

mod bounded;
mod csv;
mod ctf;
mod draft;
mod ndjson;
mod pupil;
#[cfg(test)]
mod tests;

/// A row with its number: of NDJSON and CSV the line on which it begins, of a Common Transfer File how manieth pupil it is.
/// `Err` is the last: the body broke off, or cannot be read to its end in its form (`InvalidData`, with a sentence that never
/// repeats what was sent).
pub type Numbered = io::Result<(i64, Result<FeedRow, Vec<Fault>>)>;

/// The rows of a batch, read as they are asked for; `today` is the day by which births and dates are judged.
pub fn rows<'r>(
    format: BatchFormat,
    reader: impl BufRead + Send + 'r,
    today: NaiveDate,
) -> Box<dyn Iterator<Item = Numbered> + Send + 'r> {
    match format {
        BatchFormat::Ndjson => Box::new(ToTheFirstError::of(ndjson::Ndjson::of(reader, today))),
        BatchFormat::Csv => Box::new(ToTheFirstError::of(csv::Csv::of(reader, today))),
        BatchFormat::Ctf => Box::new(ToTheFirstError::of(ctf::Ctf::of(reader, today))),
    }
}

/// Why a body cannot be read to its end.
pub(crate) fn unreadable(sentence: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence.into())
}

/// After an error there is nothing more.
struct ToTheFirstError<I>(Option<I>);

impl<I> ToTheFirstError<I> {
    fn of(rows: I) -> Self {
        Self(Some(rows))
    }
}

impl<I: Iterator<Item = Numbered>> Iterator for ToTheFirstError<I> {
    type Item = Numbered;

    fn next(&mut self) -> Option<Numbered> {
        let next = self.0.as_mut()?.next();
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        next
    }
}
