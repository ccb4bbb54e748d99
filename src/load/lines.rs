//! A file, line by line, never more of it in memory than a line may have.

use std::{
    io::{self, BufRead},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::http::MAX_BODY;

/// One line of what is loaded.
#[derive(Clone)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// What it says; of a line that is too long, one byte more than a line may have.
    pub text: Vec<u8>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({}, …)", self.number)
    }
}

/// The lines of a file that are not empty.
#[derive(Debug)]
pub struct Lines<R> {
    file: R,
    number: u64,
    bytes: Arc<AtomicU64>,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `file`.
    pub fn of(file: R) -> Self {
        Self { file, number: 0, bytes: Arc::default() }
    }

    /// How many bytes have been read, as it goes on.
    #[must_use]
    pub fn bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes)
    }

    /// Reads up to the end of a line; nothing at the end of the file.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        let mut began = false;
        loop {
            let held = match self.file.fill_buf() {
                Ok(held) => held,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if held.is_empty() {
                return Ok(began.then_some(text));
            }
            began = true;
            let end = held.iter().position(|byte| *byte == b'\n');
            let part = &held[..end.unwrap_or(held.len())];
            let room = (MAX_BODY + 1).saturating_sub(text.len());
            text.extend_from_slice(&part[..part.len().min(room)]);
            let read = end.map_or(held.len(), |end| end + 1);
            self.file.consume(read);
            self.bytes.fetch_add(u64::try_from(read).unwrap_or_default(), Ordering::Relaxed);
            if end.is_some() {
                return Ok(Some(text));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = match self.read() {
                Ok(text) => text?,
                Err(error) => return Some(Err(error)),
            };
            self.number += 1;
            if !text.trim_ascii().is_empty() {
                return Some(Ok(Line { number: self.number, text }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &[u8], buffer: usize) -> Vec<(u64, Vec<u8>)> {
        let file = io::BufReader::with_capacity(buffer, file);
        Lines::of(file).map(|line| line.map(|line| (line.number, line.text)).unwrap()).collect()
    }

    #[test]
    fn lines_are_numbered_and_empty_ones_skipped() {
        for buffer in [1, 2, 1000] {
            let read = lines(b"{}\n\n \r\n[1]\r\n{\"a\":1}", buffer);
            let expected =
                [(1, b"{}".to_vec()), (4, b"[1]\r".to_vec()), (5, b"{\"a\":1}".to_vec())];
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_line_too_long_is_cut_and_the_next_is_whole() {
        let mut file = vec![b'x'; 3 * MAX_BODY];
        file.extend_from_slice(b"\nnext");
        let read = lines(&file, 1000);
        assert_eq!(read[0].1.len(), MAX_BODY + 1);
        assert_eq!(read[1], (2, b"next".to_vec()));
    }

    #[test]
    fn bytes_are_counted_to_the_end() {
        let mut all = Lines::of(&b"{}\n\n{}"[..]);
        let bytes = all.bytes();
        assert_eq!(all.by_ref().count(), 2);
        assert_eq!(bytes.load(Ordering::Relaxed), 6);
    }
}
