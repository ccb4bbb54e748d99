//! A body that comes piece by piece, read on a thread of its own.

use std::io::{self, BufRead, Read};

use chrono::NaiveDate;
use tokio::sync::mpsc;

use crate::{
    feed::{
        BatchFormat, import,
        row::{FeedRow, SourceReference},
    },
    ids::BatchId,
    problem::{Fault, Problem},
    seal::{Sealed, Vault},
};

/// As many rows as go in at once.
const MOST_ROWS: usize = 250;
/// As many sealed bytes of rows as go in at once, about.
const MOST_BYTES: usize = 256 * 1024;
/// As many faults of a row as are told.
const MOST_FAULTS: usize = 20;

/// A piece of a body, or its end: without it the body has broken off.
pub(super) enum Piece<B> {
    /// The next bytes.
    Bytes(B),
    /// There are no more.
    End,
}

/// A body, read as its pieces come.
pub(super) struct Incoming<B> {
    pieces: mpsc::Receiver<Piece<B>>,
    piece: Option<B>,
    read: usize,
    ended: bool,
}

impl<B: AsRef<[u8]>> Incoming<B> {
    pub(super) fn of(pieces: mpsc::Receiver<Piece<B>>) -> Self {
        Self { pieces, piece: None, read: 0, ended: false }
    }

    fn rest(&self) -> &[u8] {
        self.piece.as_ref().and_then(|piece| piece.as_ref().get(self.read..)).unwrap_or_default()
    }
}

impl<B: AsRef<[u8]>> BufRead for Incoming<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.rest().is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => (self.piece, self.read) = (Some(bytes), 0),
                Some(Piece::End) => self.ended = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(self.rest())
    }

    fn consume(&mut self, octets: usize) {
        self.read += octets;
    }
}

impl<B: AsRef<[u8]>> Read for Incoming<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.fill_buf()?.read(buffer)?;
        self.consume(octets);
        Ok(octets)
    }
}

/// Rows as they go in.
#[derive(Default)]
pub(super) struct Rows {
    /// Those that can be worked on.
    pub(super) good: Good,
    /// Those that cannot.
    pub(super) bad: Bad,
}

/// Rows that can be worked on, column by column.
#[derive(Default)]
pub(super) struct Good {
    pub(super) lines: Vec<i64>,
    pub(super) references: Vec<SourceReference>,
    /// By which a row is known to say what it said before: keyed, since what a row says can be guessed.
    pub(super) hashes: Vec<Vec<u8>>,
    pub(super) sent: Vec<Sealed<FeedRow>>,
}

/// Rows that cannot be worked on, column by column.
#[derive(Default)]
pub(super) struct Bad {
    pub(super) lines: Vec<i64>,
    pub(super) references: Vec<Option<String>>,
    pub(super) faults: Vec<serde_json::Value>,
}

impl Bad {
    /// Adds one, with why.
    pub(super) fn push(
        &mut self,
        line: i64,
        reference: Option<String>,
        mut faults: Vec<Fault>,
    ) -> Result<(), Problem> {
        faults.truncate(MOST_FAULTS);
        self.lines.push(line);
        self.references.push(reference);
        self.faults.push(serde_json::to_value(faults).map_err(Problem::internal)?);
        Ok(())
    }
}

/// Why rows do not come.
pub(super) enum Stop {
    /// The body cannot be read: broken off, or, with a sentence, not of its form.
    Body(io::Error),
    /// We failed.
    Ours(Problem),
}

/// Where rows are sealed for, and how they are read.
pub(super) struct Reading {
    pub(super) format: BatchFormat,
    pub(super) batch: BatchId,
    pub(super) today: NaiveDate,
    pub(super) vault: Vault,
}

impl Reading {
    /// Reads a body to its end and hands its rows on, some at a time, as they are taken.
    pub(super) fn read<B: AsRef<[u8]> + Send>(
        &self,
        body: Incoming<B>,
        out: &mpsc::Sender<Result<Rows, Stop>>,
    ) {
        if let Err(stop) = self.hand_on(body, out) {
            let _ = out.blocking_send(Err(stop));
        }
    }

    fn hand_on<B: AsRef<[u8]> + Send>(
        &self,
        body: Incoming<B>,
        out: &mpsc::Sender<Result<Rows, Stop>>,
    ) -> Result<(), Stop> {
        let (mut rows, mut bytes) = (Rows::default(), 0);
        for row in import::rows(self.format, body, self.today) {
            let (line, row) = row.map_err(Stop::Body)?;
            bytes += self.add(&mut rows, line, row).map_err(Stop::Ours)?;
            if rows.good.lines.len() + rows.bad.lines.len() >= MOST_ROWS || bytes >= MOST_BYTES {
                bytes = 0;
                if out.blocking_send(Ok(std::mem::take(&mut rows))).is_err() {
                    return Ok(());
                }
            }
        }
        let _ = out.blocking_send(Ok(rows));
        Ok(())
    }

    fn add(
        &self,
        rows: &mut Rows,
        line: i64,
        row: Result<FeedRow, Vec<Fault>>,
    ) -> Result<usize, Problem> {
        let row = match row {
            Ok(row) => row,
            Err(faults) => {
                rows.bad.push(line, None, faults)?;
                return Ok(0);
            }
        };
        let text = serde_json::to_vec(&row).map_err(Problem::internal)?;
        let place = FeedRow::waiting_at(self.batch, line);
        let sealed = Sealed::seal(&row, &self.vault, &place)?;
        let bytes = sealed.bytes().len();
        rows.good.lines.push(line);
        rows.good.hashes.push(self.vault.blind(&[b"feed row", &text]));
        rows.good.references.push(row.reference);
        rows.good.sent.push(sealed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&'static str], ends: bool) -> io::Result<String> {
        let (send, receive) = mpsc::channel(8);
        for piece in pieces {
            send.blocking_send(Piece::Bytes(*piece)).ok().unwrap();
        }
        if ends {
            send.blocking_send(Piece::End).ok().unwrap();
        }
        drop(send);
        let mut text = String::new();
        Incoming::of(receive).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn a_body_is_its_pieces_and_without_its_end_it_has_broken_off() {
        assert_eq!(read(&["ab", "", "c\n", "d"], true).unwrap(), "abc\nd");
        assert_eq!(read(&[], true).unwrap(), "");
        let broken = read(&["ab"], false).unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::UnexpectedEof);
    }
}
